"""The app that a server process runs: MLflow's scoring app around a checked model and the installed
code, with our guard.

The model's own copy of its code is not even there: the command that starts the server hands on data
only.
"""

import gc
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from als_ml.prediction.predictor import Predictor
from als_ml.serving.guard import Guard
from als_ml.tracking.loader import CheckedModel, model_in
from als_ml.tracking.model_files import DESCRIPTION
from features.stored import Json

# Settings of a server process, as JSON: a file in the folder that it is started in.
SETTINGS = "settings.json"


def make_app() -> Guard:
    """Make the app that `SETTINGS` in the working folder describes (uvicorn's factory)."""
    from mlflow.pyfunc import scoring_server

    settings = json.loads(Path(SETTINGS).read_text(encoding="utf-8"))
    model = model_in(Path(settings["folder"]), settings["digest"])
    model = model.registered_as(settings["name"], settings["version"])
    app = scoring_server.init(_scored_by_us(model))
    threading.Thread(target=_end_with, args=(settings["parent"],), daemon=True).start()
    _look_for_garbage_less_often()
    return Guard(app, **settings["limits"])


class _Scorer:
    """What MLflow calls with the patients of a request."""

    def __init__(self, predictor: Predictor):
        from als_ml.serving.model import AlsModel

        self.model = AlsModel()
        self.model.predictor = predictor

    def predict(self, model_input: Any, params: Json | None = None) -> Any:
        return self.model.predict(None, model_input, params=params)


def _scored_by_us(model: CheckedModel) -> Any:
    """MLflow's wrapper with the announced schema of the model, around the installed code."""
    from mlflow.models import Model
    from mlflow.pyfunc import PyFuncModel

    described = Model.from_dict(yaml.safe_load(model.files.data[DESCRIPTION]))
    return PyFuncModel(model_meta=described, model_impl=_Scorer(model.predictor()))


def _look_for_garbage_less_often() -> None:
    """What was loaded stays, and a request's tables hold no cycles: by default a large request is
    looked through many times.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _end_with(parent: int) -> None:
    """End all processes of the server, and remove their copy of the model, when the command that
    started them was killed.
    """
    while _alive(parent):
        time.sleep(1)
    shutil.rmtree(Path.cwd(), ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
