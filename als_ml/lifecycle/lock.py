"""A trial's lock: one file that pins a model's version, digest, threshold and definitions; scoring refuses anything else."""

import json
from datetime import UTC, datetime
from pathlib import Path

import als_ml
from als_ml.lifecycle.registry import model_digest, registered_version
from als_ml.output import whole_file
from als_ml.prediction.predictor import Predictor
from als_ml.tracking.store import load_model
from features.errors import RequestError

_PINNED = ("name", "version", "digest", "threshold", "definitions_version", "als_ml_version")


def facts(uri: str, predictor: Predictor) -> dict[str, str]:
    """What a lock pins of a registered model."""
    version = registered_version(uri)
    return {
        "name": version.name,
        "version": str(version.version),
        "digest": model_digest(version),
        "threshold": repr(predictor.fitted.calibration.threshold),
        "definitions_version": predictor.definitions.version,
        "als_ml_version": als_ml.__version__,
    }


def write_lock(uri: str, path: Path) -> dict[str, str]:
    """Write a lock file and return what it pins."""
    pinned = facts(uri, load_model(uri)) | {
        "created": datetime.now(UTC).isoformat(timespec="seconds")
    }
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")
    return pinned


def read_lock(path: Path) -> dict[str, str]:
    """Read a lock file.

    Raises
    ------
    RequestError
        If it is absent, no JSON, or lacks a key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RequestError(
            f"--lock {path}", "this is no lock file", "Make one with `python -m als_ml lock`."
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
        )
    return {key: content[key] for key in _PINNED}


def locked_uri(pinned: dict[str, str]) -> str:
    """The model that a lock names."""
    return f"models:/{pinned['name']}/{pinned['version']}"


def check_lock(path: Path, uri: str, predictor: Predictor) -> None:
    """Refuse a model that differs from its lock.

    Raises
    ------
    RequestError
        With the key and both values.
    """
    pinned, found = read_lock(path), facts(uri, predictor)
    for key in _PINNED:
        if pinned[key] != found[key]:
            what = f"{key} is {found[key]}, and the lock says {pinned[key]}"
            raise RequestError(
                f"--lock {path}",
                what,
                "Score with the locked model, or make a new lock and say so.",
            )
