"""What differs between two models by what their runs kept: told before any figure, which means
little without it.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass

import yaml
from mlflow.entities.model_registry import ModelVersion

from als_ml.lifecycle.registry import run_artifact, run_tags
from features.errors import DataError
from features.stored import Json

# What a difference is about, in the order in which it is told: the first make figures incomparable.
_SUBJECTS = ("label", "features", "definitions", "data", "estimator", "validation", "code")
# Parts of a configuration and their subject; the rest (tracking, threads) changes no model.
_PARTS = {
    "task": "label",
    "label": "label",
    "features": "features",
    "landmark_days": "features",
    "model": "estimator",
    "decision": "estimator",
    "validation": "validation",
}
# Tags of a run, or of a version, and their subject.
_TAGS = {
    "definitions_version": "definitions",
    "data_digest": "data",
    "recalibrated_from": "estimator",
    "als_ml_version": "code",
    "git_commit": "code",
    "als_ml.git_dirty": "code",
}
# So many names of features are written out; the others are counted.
_MOST_NAMES = 5


@dataclass(frozen=True)
class Made:
    """How a model was made: its run's configuration without the cohort, tags, and names of
    features.
    """

    config: Json
    tags: dict[str, str]
    features: tuple[str, ...]


def made(version: ModelVersion) -> Made:
    """How a registered version was made.

    Parameters
    ----------
    version : ModelVersion
        Registered in MLflow.

    Returns
    -------
    Made
        Configuration, tags and features.

    Raises
    ------
    DataError
        If its run logged no configuration.
    """
    text = run_artifact(version.run_id, "config.yaml")
    if text is None:
        raise DataError(
            f"run {version.run_id}",
            "it has no config.yaml",
            "Give a run of train.py.",
            code="file_absent",
        )
    tags = run_tags(version) | _counted(version) | dict(version.tags)
    return Made(config=yaml.safe_load(text), tags=tags, features=_features(version))


def _counted(version: ModelVersion) -> dict[str, str]:
    """Patients by the run's manifest, empty where it has none."""
    kept = json.loads(run_artifact(version.run_id, "manifest.json") or "{}")
    return {name: str(kept[name]) for name in ("n", "events") if name in kept}


def _features(version: ModelVersion) -> tuple[str, ...]:
    text = run_artifact(version.run_id, "feature_dictionary.csv") or ""
    rows = csv.reader(io.StringIO(text))
    return tuple(row[0] for row in rows if row)[1:]


def what_differs(first: Made, second: Made) -> list[dict[str, str]]:
    """Each difference between two models, those that make their figures incomparable first.

    Parameters
    ----------
    first, second : Made
        Of `made`.

    Returns
    -------
    list of dict
        `about` (label, features, definitions, data, estimator, validation, code), `what`, `first`,
        `second`.
    """
    differences = [
        *_of_configs(first.config, second.config),
        *_of_features(first.features, second.features),
        *_of_tags(first.tags, second.tags),
    ]
    return sorted(differences, key=lambda row: _SUBJECTS.index(row["about"]))


def other_label(differences: Iterable[dict[str, str]]) -> bool:
    """Whether the two models answer different questions.

    Parameters
    ----------
    differences : iterable of dict
        Of `what_differs`.

    Returns
    -------
    bool
        Then their figures cannot be compared.
    """
    return any(row["about"] == "label" for row in differences)


def _row(about: str, what: str, first: object, second: object) -> dict[str, str]:
    return {"about": about, "what": what, "first": str(first), "second": str(second)}


def _of_configs(first: Json, second: Json) -> list[dict[str, str]]:
    ours, theirs = _flat(first), _flat(second)
    return [
        _row(_PARTS[part], key, ours.get(key, "default"), theirs.get(key, "default"))
        for key in [*ours, *(key for key in theirs if key not in ours)]
        if (part := key.split(".")[0]) in _PARTS
        and ours.get(key, "default") != theirs.get(key, "default")
    ]


def _flat(nested: Json, prefix: str = "") -> Json:
    flat: Json = {}
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _of_features(first: tuple[str, ...], second: tuple[str, ...]) -> list[dict[str, str]]:
    only = [
        [name for name in here if name not in set(other)]
        for here, other in ((first, second), (second, first))
    ]
    if not any(only):
        return []
    return [_row("features", "only here", _named(only[0]), _named(only[1]))]


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES]) or "none"
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def _of_tags(first: dict[str, str], second: dict[str, str]) -> list[dict[str, str]]:
    about = _TAGS | {"n": "data", "events": "data"}
    words = {"n": "labelled patients", "events": "positive patients"}
    return [
        _row(
            about[tag],
            words.get(tag, tag.removeprefix("als_ml.").replace("_", " ")),
            first.get(tag, "unknown" if tag != "recalibrated_from" else "not"),
            second.get(tag, "unknown" if tag != "recalibrated_from" else "not"),
        )
        for tag in about
        if first.get(tag) != second.get(tag)
    ]
