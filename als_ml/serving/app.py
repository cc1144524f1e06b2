"""The app that a server process runs: MLflow's scoring app around a checked model and the installed
code, with our guard.

The model's own copy of its code is not even there: the command that starts the server hands on data
only.
"""

import gc
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from als_ml.pages.patient_pages import Setting
from als_ml.pages.protocol import read_rules
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.prediction.withhold import genetic_features, withheld
from als_ml.serving.body import BodyLimits
from als_ml.serving.guard import Guard, Watch
from als_ml.serving.logs import log_to_standard_error
from als_ml.serving.metrics import Metrics
from als_ml.serving.page import page_routes, schema_routes
from als_ml.tracking.loader import CheckedModel, model_in
from als_ml.tracking.model_files import DESCRIPTION
from features.stored import Json
from features.temporary import is_alive

# Settings of a server process, as JSON: a file in the folder that it is started in.
SETTINGS = "settings.json"
# A file there that says that the server ends: it answers, and is not ready for more.
DRAINING = "draining"


def make_app() -> Guard:
    """Make the app that `SETTINGS` in the working folder describes (uvicorn's factory)."""
    from mlflow.pyfunc import scoring_server

    settings = json.loads(Path(SETTINGS).read_text(encoding="utf-8"))
    log_to_standard_error(settings["access_log"])
    model = _model(settings)
    predictor = model.predictor()
    # What a first patient would wait for is made now: sequences of genes, tables of definitions.
    predictor.predict_records([EXAMPLE])
    served = {name: settings[name] for name in ("name", "version", "digest")}
    shared = Path.cwd() if settings["workers"] > 1 else None
    metrics = Metrics(shared, served)
    scorer = _Scorer(predictor, settings["withhold"], metrics)
    app = scoring_server.init(_scored_by_us(model, scorer))
    routes = schema_routes(predictor)
    if settings["page"]:
        rules = read_rules(regions=tuple(settings["regions"]))
        shown = [predictor, *(_model(other).predictor() for other in settings["beside"])]
        routes |= page_routes(shown, Setting(rules=rules))
    threading.Thread(target=_end_with, args=(settings["parent"],), daemon=True).start()
    _look_for_garbage_less_often()
    watch = Watch(
        hosts=tuple(settings["hosts"]),
        keys=tuple(settings["keys"]),
        at_once=settings["at_once"],
        metrics=metrics,
        ready=_wanted,
    )
    limits = BodyLimits(**settings["limits"])
    return Guard(app, limits=limits, watch=watch, own=routes, score=scorer.answer)


def _wanted() -> bool:
    """Whether the server is not on its way out."""
    return not Path(DRAINING).exists()


def _model(copy: Json) -> CheckedModel:
    """A model of the server, read from the copy that the command made."""
    model = model_in(Path(copy["folder"]), copy["digest"])
    return model.registered_as(copy["name"], copy["version"])


class _Scorer:
    """What MLflow calls with the patients of a request.

    `withhold`: rows without what a patient's consent withholds (contract, Consent).
    """

    def __init__(self, predictor: Predictor, withhold: bool, metrics: Metrics | None = None):
        from als_ml.serving.model import AlsModel

        self.model = AlsModel()
        self.model.predictor = predictor
        self.genetic = genetic_features(predictor) if withhold else None
        self.metrics = metrics or Metrics()

    def predict(self, model_input: Any, params: Json | None = None) -> Any:
        rows: Any = self.model.predict(None, model_input, params=params)
        return self._counted(rows)

    def answer(self, patients: list[Json]) -> bytes:
        """What MLflow writes of these patients, by a faster way: the same rows, written by C."""
        rows = self._counted(self.model.answered(patients))
        return json.dumps({"predictions": rows}).encode()

    def _counted(self, rows: list[PredictionRow]) -> list[PredictionRow]:
        """The rows that go out, counted."""
        self.metrics.rows(rows)
        return rows if self.genetic is None else [withheld(row, self.genetic) for row in rows]


def _scored_by_us(model: CheckedModel, scorer: _Scorer) -> Any:
    """MLflow's wrapper with the announced schema of the model, around the installed code."""
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel

    described = Model.from_dict(yaml.safe_load(model.files.data[DESCRIPTION]))
    return PyFuncModel(model_meta=described, model_impl=scorer)


def _look_for_garbage_less_often() -> None:
    """What was loaded stays, and a request's tables hold no cycles: by default a large request is
    looked through many times.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


# Ends the processes of a group, then removes a folder that none of them can write to any more.
_LAST = "import os, shutil, sys; os.killpg(int(sys.argv[1]), 9); shutil.rmtree(sys.argv[2], True)"


def _end_with(parent: int) -> None:
    """End all processes of the server, and remove their copy of the model, when the command that
    started them was killed.

    A process outside their group does it: while one of them lives it may write its counts there.
    """
    while is_alive(parent):
        time.sleep(1)
    words = [sys.executable, "-I", "-S", "-c", _LAST, str(os.getpgrp()), str(Path.cwd())]
    subprocess.Popen(words, start_new_session=True, cwd="/")  # noqa: S603
