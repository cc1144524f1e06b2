"""A predictor as files without a pickle: the pipeline by skops, everything else as JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import als_ml
from als_ml.prediction.predictor import Predictor
from features.blocks.rows import FeatureSpec
from features.catalogue import Definitions, shipped
from features.errors import DataError
from features.variants.lookups import Lookups
from models.fitted import Calibration, FittedModel
from models.ladder import Ladder
from models.members import Member


def save_predictor(predictor: Predictor, folder: Path) -> dict[str, Path]:
    """Write a predictor as files without a pickle: the pipeline by skops, everything else as JSON.

    Returns
    -------
    dict
        Name -> path, as MLflow's `artifacts` wants it.
    """
    import skops.io

    models = [predictor.fitted, *(predictor.ladder.lower if predictor.ladder else ())]
    stored = {
        "task": predictor.fitted.task,
        "features": asdict(predictor.spec),
        "models": [_stored(model) for model in models],
        "classes": list(predictor.ladder.classes) if predictor.ladder else [],
        "columns": predictor.names,
        "lookups": predictor.lookups.as_json(),
        "training": predictor.training,
        "als_ml_version": als_ml.__version__,
        "definitions": predictor.definitions.texts,
        "definitions_version": predictor.definitions.version,
    }
    paths = {"pipeline": folder / "pipeline.skops", "model": folder / "model.json"}
    skops.io.dump(
        [[member.pipeline for member in model.members] for model in models], paths["pipeline"]
    )
    paths["model"].write_text(json.dumps(stored, indent=1, allow_nan=False))
    return paths


def _stored(model: FittedModel) -> dict[str, Any]:
    """Everything of a fitted model but its pipelines, as JSON."""
    members = [
        {"name": m.name, "parameters": m.parameters, "columns": list(m.columns), "weight": m.weight}
        for m in model.members
    ]
    return {"members": members, "calibration": model.calibration.to_json()}


def _restored(task: str, pipelines: list[Any], stored: dict[str, Any]) -> FittedModel:
    members = tuple(
        Member(m["name"], m["parameters"], pipeline, tuple(m["columns"]), m["weight"])
        for pipeline, m in zip(pipelines, stored["members"], strict=True)
    )
    return FittedModel(task, members, Calibration.from_json(stored["calibration"]))


# What a pipeline of `models.estimators` holds, apart from the types that skops trusts by itself.
TRUSTED = (
    "models.imputation.RelatedImputer",
    "numpy.dtype",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
    "sklearn.tree._tree.Tree",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def _assembled(
    stored: dict[str, Any],
    pipeline: Path,
    name: str | None,
    version: str | None,
    definitions: Definitions,
) -> Predictor:
    import skops.io

    spec = FeatureSpec.from_json(stored["features"])
    task, pipelines = stored["task"], skops.io.load(pipeline, trusted=list(TRUSTED))
    fitted, *lower = (
        _restored(task, *pair) for pair in zip(pipelines, stored["models"], strict=True)
    )
    ladder = Ladder(tuple(stored["classes"]), tuple(lower)) if lower else None
    return Predictor(
        fitted=fitted,
        spec=spec,
        lookups=Lookups.from_json(stored["lookups"]),
        definitions=definitions,
        ladder=ladder,
        training=stored["training"],
        model_name=name,
        model_version=version,
    )


def _definitions(stored: dict[str, Any], otherwise: Definitions | None) -> Definitions:
    """The tables that the model was trained with, else those given, else the installed ones.

    Where the model's are those of this installation they are one object, so that nothing is made of them twice.
    """
    installed = shipped()
    if "definitions" not in stored:
        return otherwise or installed
    own = Definitions(stored["definitions"])
    return installed if own.version == installed.version else own


def load_predictor(
    pipeline: Path,
    model: Path,
    name: str | None = None,
    version: str | None = None,
    definitions: Definitions | None = None,
) -> Predictor:
    """Read what `save_predictor` wrote.

    Parameters
    ----------
    definitions : Definitions, optional
        For a model that was stored without its own, which early ones were; by default those of this installation.

    Raises
    ------
    DataError
        If its files are damaged, or its features are not those that this version of als-ml computes.
    """
    try:
        stored = json.loads(model.read_text(encoding="utf-8"))
        own = _definitions(stored, definitions)
        predictor = _assembled(stored, pipeline, name, version, own)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        found = f"its files are damaged ({type(error).__name__})"
        raise DataError(
            f"model {name or model}", found, "Restore them from a backup, or train again."
        ) from None
    if predictor.names != stored["columns"]:
        lost = sorted(set(stored["columns"]) ^ set(predictor.names))
        found = f"it was trained with other features ({len(lost)} differ, the first is {lost[0] if lost else 'the order'})"
        raise DataError(
            f"model {name or model}",
            found,
            f"Use als-ml {stored['als_ml_version']} or train it again.",
        )
    return predictor
