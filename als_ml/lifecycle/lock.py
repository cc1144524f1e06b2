"""A trial's lock: one file that pins a model's version, digest, threshold and definitions.

Scoring refuses anything else.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import als_ml
from als_ml.lifecycle.signature import check_signature, signed
from als_ml.output import whole_file
from als_ml.prediction.predictor import Predictor
from als_ml.tracking.loader import CheckedModel, checked_model
from als_ml.tracking.versions import registered_version
from features.errors import RequestError
from models.tasks import TASKS

_PINNED = ("name", "version", "digest", "threshold", "definitions_version", "als_ml_version")


def facts(model: CheckedModel, predictor: Predictor) -> dict[str, str]:
    """What a lock pins of a registered model.

    Parameters
    ----------
    model : CheckedModel
        Its checked files.
    predictor : Predictor
        What they hold.

    Returns
    -------
    dict of str
        Key -> value, as text.
    """
    fitted = predictor.fitted
    # A model of a time predicts no class.
    threshold = "none" if TASKS[fitted.task].of_time else repr(fitted.calibration.threshold)
    return {
        **_of_files(model),
        "threshold": threshold,
        "definitions_version": predictor.definitions.version,
        "als_ml_version": als_ml.__version__,
    }


def _of_files(model: CheckedModel) -> dict[str, str]:
    """What is known of a model before its files are read."""
    return {
        "name": str(model.stored.name),
        "version": str(model.stored.version),
        "digest": model.files.digest,
    }


def write_lock(uri: str, path: Path, key: Path | None = None) -> dict[str, str]:
    """Write a lock file and return what it pins.

    Parameters
    ----------
    uri : str
        `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
    path : Path
        JSON file to write.
    key : Path, optional
        Private key that signs it.

    Returns
    -------
    dict of str
        What it pins.

    Raises
    ------
    RequestError
        If it is not a registered model, or its files are not those that were registered.
    """
    registered_version(uri)
    model = checked_model(uri)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    pinned = facts(model, model.predictor()) | {"created": created}
    pinned = signed(pinned, key) if key else pinned
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")
    return pinned


def read_lock(path: Path) -> dict[str, str]:
    """Read a lock file.

    Parameters
    ----------
    path : Path
        Of `write_lock`.

    Returns
    -------
    dict of str
        What it pins.

    Raises
    ------
    RequestError
        If it is absent, not JSON, lacks a key, was changed since it was signed, or is not signed by
        whom the site trusts (`als_ml.lifecycle.signature`).
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RequestError(
            f"--lock {path}",
            "this is not a lock file",
            "Make one with `python -m als_ml lock`.",
            code="file_unreadable",
        ) from None
    absent = [
        key
        for key in _PINNED
        if not isinstance(content, dict) or not isinstance(content.get(key), str)
    ]
    if absent:
        raise RequestError(
            f"--lock {path}",
            f"{absent[0]!r} is missing",
            "Make it again with `python -m als_ml lock`.",
            code="file_unreadable",
        )
    check_signature(content, f"--lock {path}")
    return {key: content[key] for key in _PINNED}


def locked_uri(pinned: dict[str, str]) -> str:
    """The model that a lock names.

    Parameters
    ----------
    pinned : dict of str
        Of `read_lock`.

    Returns
    -------
    str
        `models:/NAME/VERSION`.
    """
    return f"models:/{pinned['name']}/{pinned['version']}"


def locked_predictor(path: Path) -> Predictor:
    """The predictor that a lock names.

    Its files are compared with the lock before anything of them is read.

    Parameters
    ----------
    path : Path
        Of `write_lock`.

    Returns
    -------
    Predictor
        Equal to the lock in every key.

    Raises
    ------
    RequestError
        If it differs from the lock, with the key and both values.
    """
    pinned = read_lock(path)
    model = checked_model(locked_uri(pinned))
    _compare(path, pinned, _of_files(model))
    predictor = model.predictor()
    _compare(path, pinned, facts(model, predictor))
    return predictor


def _compare(path: Path, pinned: dict[str, str], found: dict[str, str]) -> None:
    for key, value in found.items():
        if pinned[key] != value:
            what = f"{key} is {value}, and the lock says {pinned[key]}"
            raise RequestError(
                f"--lock {path}",
                what,
                "Score with the locked model, or make a new lock and say so.",
                code="model_changed",
            )
