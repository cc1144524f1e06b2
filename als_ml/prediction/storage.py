"""A predictor as files without a pickle: the pipeline by skops, everything else as JSON.

Formats of `model.json`, its key `format`; each release reads all earlier ones:

1. (no such key) of releases that kept the definition tables as files of the model's code
2. the tables stand in `definitions`
3. of a time with which death competes: `models` holds the competing hazard beside the model
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from zipfile import BadZipFile

from sklearn.pipeline import Pipeline

import als_ml
from als_ml.formats import FORMATS, is_known
from als_ml.prediction.pipelines import skops_io
from als_ml.prediction.predictor import Predictor
from features.blocks import registry
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions, shipped
from features.errors import DataError
from features.plugins import check_needed
from features.stored import Json
from features.variants.lookups import Lookups
from models.course import CourseModel
from models.estimators import estimator, plugin_of, single_threaded
from models.fitted import Calibration, FittedModel
from models.ladder import Ladder
from models.members import Member
from models.survival.curve import SurvivalCurve
from models.survival.fitted import FittedSurvival, Rival
from models.tasks import TASKS

# Format of a model that an earlier release reads as well as this one.
_WITHOUT_RIVAL = 2


def save_predictor(predictor: Predictor, folder: Path) -> dict[str, Path]:
    """Write a predictor as files without a pickle: the pipeline by skops, everything else as JSON.

    Parameters
    ----------
    predictor : Predictor
        To be stored.
    folder : Path
        That exists.

    Returns
    -------
    dict
        Name -> path, as MLflow's `artifacts` wants it.
    """
    models = _models(predictor)
    stored = {
        "format": FORMATS["model"] if _rival(predictor.fitted) else _WITHOUT_RIVAL,
        "task": predictor.fitted.task,
        "features": asdict(predictor.spec),
        "models": [_stored(model) for model in models],
        "classes": list(predictor.ladder.classes) if predictor.ladder else [],
        "columns": predictor.names,
        "lookups": predictor.lookups.as_json(),
        "training": predictor.training,
        "als_ml_version": als_ml.__version__,
        "plugins": plugin_pins(predictor),
        "definitions": predictor.definitions.texts,
        "definitions_version": predictor.definitions.version,
    }
    paths = {"pipeline": folder / "pipeline.skops", "model": folder / "model.json"}
    pipelines = [[member.pipeline for member in model.members] for model in models]
    skops_io().dump(pipelines, paths["pipeline"])
    paths["model"].write_text(json.dumps(stored, indent=1, allow_nan=False))
    return paths


def plugin_pins(predictor: Predictor) -> list[str]:
    """Packages of others whose code the model runs, as `package==version`, in order.

    Parameters
    ----------
    predictor : Predictor
        The model.

    Returns
    -------
    list of str
        Empty where all code is ours.
    """
    models = _models(predictor)
    named = {member.name for model in models for member in model.members}
    plugins = [plugin_of(name) for name in sorted(named)]
    plugins += [registry.plugin_of(name) for name in predictor.spec.blocks]
    return sorted({plugin.pin for plugin in plugins if plugin})


def _rival(fitted: FittedModel) -> Rival | None:
    return fitted.rival if isinstance(fitted, FittedSurvival) else None


def _models(predictor: Predictor) -> list[FittedModel | Rival]:
    """All that scores, in the order of the file: the model first, then what competes with its
    event, or the lower steps of a ladder.
    """
    rival = _rival(predictor.fitted)
    lower = predictor.ladder.lower if predictor.ladder else ()
    return [predictor.fitted, *([rival] if rival else []), *lower]


def _stored(model: FittedModel | Rival) -> Json:
    """Everything of a fitted model but its pipelines, as JSON."""
    members = [
        {"name": m.name, "parameters": m.parameters, "columns": list(m.columns), "weight": m.weight}
        for m in model.members
    ]
    if isinstance(model, Rival):
        limits = list(model.limits)
        return {"members": members, "curve": model.curve.to_json(), "limits": limits}
    stored: Json = {"members": members, "calibration": model.calibration.to_json()}
    if isinstance(model, FittedSurvival):
        stored["curve"] = model.curve.to_json()
        stored["course"] = None if model.course is None else model.course.to_json()
    return stored


def _members(pipelines: list[Pipeline], stored: Json) -> tuple[Member, ...]:
    return tuple(
        Member(
            name=m["name"],
            parameters=m["parameters"],
            pipeline=single_threaded(pipeline),
            columns=tuple(m["columns"]),
            weight=m["weight"],
        )
        for pipeline, m in zip(pipelines, stored["members"], strict=True)
    )


def _restored_rival(pipelines: list[Pipeline], stored: Json) -> Rival:
    curve = SurvivalCurve.from_json(stored["curve"])
    return Rival(_members(pipelines, stored), curve, tuple(stored["limits"]))


def _restored(task: str, pipelines: list[Pipeline], stored: Json) -> FittedModel:
    members = _members(pipelines, stored)
    calibration = Calibration.from_json(stored["calibration"])
    if not TASKS[task].of_time:
        return FittedModel(task, members, calibration)
    curve = SurvivalCurve.from_json(stored["curve"])
    course = stored.get("course")
    learned = None if course is None else CourseModel.from_json(course)
    return FittedSurvival(task, members, calibration, curve, learned)


# What any pipeline of `models.estimators` holds, apart from the types that skops trusts by itself.
TRUSTED = ("models.imputation.RelatedImputer", "numpy.dtype")


def trusted_types(names: Iterable[str]) -> list[str]:
    """Types that the pipelines of some estimators may hold: never what a file says of itself.

    Parameters
    ----------
    names : iterable of str
        Estimators.

    Returns
    -------
    list of str
        For skops.
    """
    return [*TRUSTED, *(kind for name in names for kind in estimator(name).trusted)]


def load_predictor(
    pipeline: Path,
    model: Path,
    name: str | None = None,
    version: str | None = None,
    definitions: Definitions | None = None,
) -> Predictor:
    """Read what `save_predictor` wrote; see `read_predictor`.

    Parameters
    ----------
    pipeline : Path
        pipeline.skops.
    model : Path
        model.json.
    name, version : str, optional
        As registered in MLflow.
    definitions : Definitions, optional
        For a model that stores none.

    Returns
    -------
    Predictor
        Ready to score.
    """
    return read_predictor(pipeline.read_bytes(), model.read_bytes(), definitions, name, version)


def read_predictor(
    pipeline: bytes,
    model: bytes,
    definitions: Definitions | None = None,
    name: str | None = None,
    version: str | None = None,
) -> Predictor:
    """A predictor from the contents of its files.

    Parameters
    ----------
    pipeline, model : bytes
        Contents of `pipeline.skops` and `model.json`.
    definitions : Definitions, optional
        Tables of a model of format 1, which did not store them in `model.json`; by default those of
        this installation.
    name, version : str, optional
        As what it is registered.

    Raises
    ------
    DataError
        If its files are damaged, its format is newer than this release knows, or its features are
        not those that this
        release computes.
    """
    where = f"model {name}, version {version}" if name else "model"
    try:
        stored = json.loads(model)
        _check_format(stored, where)
        check_needed(stored.get("plugins", []), where)
        predictor = _assembled(stored, pipeline, definitions, name, version)
    except skops_io().exceptions.UntrustedTypesFoundException as error:
        reason = f"its pipeline holds what no model of ours does ({error})"
        raise DataError(
            where, reason, "Do not use it; ask who made it.", code="model_damaged"
        ) from None
    except _DAMAGE as error:
        reason = f"its files are damaged ({type(error).__name__})"
        raise DataError(
            where, reason, "Restore them from a backup, or train again.", code="model_damaged"
        ) from None
    _check_columns(predictor, stored, where)
    return predictor


# How a file that is cut short, or was never one of ours, shows itself.
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    RecursionError,
    BadZipFile,
)


def _check_format(stored: Json, where: str) -> None:
    stated = stored.get("format", 1)
    if not is_known("model", stated):
        release, newest = stored.get("als_ml_version", "a newer release"), FORMATS["model"]
        what = f"its format is {stated!r}, and this als-ml {als_ml.__version__} reads 1 to {newest}"
        raise DataError(
            where,
            what,
            f"Install als-ml {release}, which made it, or a later one.",
            code="format_unknown",
        )


def _check_columns(predictor: Predictor, stored: Json, where: str) -> None:
    if predictor.names == stored["columns"]:
        return
    lost = sorted(set(stored["columns"]) ^ set(predictor.names))
    first = lost[0] if lost else "the order"
    reason = f"it was trained with other features ({len(lost)} differ, the first is {first})"
    raise DataError(
        where,
        reason,
        f"Use als-ml {stored['als_ml_version']} or train it again.",
        code="model_other_features",
    )


def _assembled(
    stored: Json,
    pipeline: bytes,
    definitions: Definitions | None,
    name: str | None,
    version: str | None,
) -> Predictor:
    members = [member["name"] for model in stored["models"] for member in model["members"]]
    task, pipelines = stored["task"], skops_io().loads(pipeline, trusted=trusted_types(members))
    first, *further = zip(pipelines, stored["models"], strict=True)
    fitted, lower = _restored(task, *first), further
    if isinstance(fitted, FittedSurvival) and further:
        fitted, lower = replace(fitted, rival=_restored_rival(*further[0])), []
    steps = tuple(_restored(task, *pair) for pair in lower)
    return Predictor(
        fitted=fitted,
        spec=FeatureSpec.from_json(stored["features"]),
        lookups=Lookups.from_json(stored["lookups"]),
        definitions=_definitions(stored, definitions),
        ladder=Ladder(tuple(stored["classes"]), steps) if steps else None,
        training=stored["training"],
        model_name=name,
        model_version=version,
    )


def _definitions(stored: Json, otherwise: Definitions | None) -> Definitions:
    """The tables that the model was trained with, else those given, else the installed ones.

    Where the model's are those of this installation they are one object, so that nothing is made of
    them twice.
    """
    installed = shipped()
    stored_tables = Definitions(stored["definitions"]) if "definitions" in stored else otherwise
    return (
        installed
        if stored_tables is None or stored_tables.version == installed.version
        else stored_tables
    )
