"""A finished run as a folder: all that goes to MLflow.

It outlives a lost server, and `push` uploads it.

    run.json    experiment, parameters, metrics, tags, data digest, folds and trials, name to
    register under, start and end artifacts/  what people read (card, checks, pictures) and what
    machines do (manifest, tables) model/      the fitted model: skops and JSON

Aggregates only: no row or identifier of a patient goes in.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import pandas as pd
import yaml

import als_ml
from als_ml.cohort.digests import data_digest
from als_ml.prediction.predictor import RESEARCH_USE, Predictor
from als_ml.prediction.storage import save_predictor
from als_ml.tracking.documents import write_documents
from als_ml.tracking.manifest import git_commit, git_dirty, manifest
from als_ml.tracking.pictures import draw_run
from als_ml.tracking.small_cells import FEWEST, is_small, shown_tables
from als_ml.training.metrics import evaluate
from als_ml.training.run import Training, summary
from als_ml.training.survival_estimates import seen, short_figures
from features.errors import RequestError
from features.stored import Json
from features.tables.formulas import inert


class SubRun(TypedDict):
    """A run below the run: one trial of the search."""

    name: str
    parameters: dict[str, str]
    metrics: dict[str, float]


class StoredRun(TypedDict):
    """What `run.json` holds; times are milliseconds since 1970, UTC, as MLflow has them.

    `features` are names, `profile` counts of patients, `folds` figures of each fold. `note`,
    `started`, `finished`, `features`, `profile` and `folds` are empty where an earlier release
    wrote the folder.
    """

    experiment: str
    run_name: str
    note: str | None
    started: int | None
    finished: int | None
    task: str
    register_as: str | None
    parameters: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    features: list[str]
    profile: dict[str, int]
    folds: list[dict[str, float]]
    nested: list[SubRun]


FILES = ("run.json", "artifacts", "model/model.json", "model/pipeline.skops")


def write_run(training: Training, folder: Path) -> None:
    """Write everything of a run into an empty folder.

    Parameters
    ----------
    training : Training
        A finished run.
    folder : Path
        Exists and is empty.
    """
    (folder / "model").mkdir()
    (folder / "artifacts").mkdir()
    save_predictor(training.predictor, folder / "model")
    _write_files(training, folder / "artifacts")
    (folder / "run.json").write_text(json.dumps(_described(training), indent=1))


def read_run(folder: Path) -> StoredRun:
    """What `write_run` wrote into run.json.

    Parameters
    ----------
    folder : Path
        Of `write_run`, of this or an earlier release.

    Returns
    -------
    StoredRun
        What an earlier release did not write has its default.

    Raises
    ------
    RequestError
        If the folder is not a run, or not a whole one.
    """
    missing = [name for name in FILES if not (folder / name).exists()]
    if missing:
        reason = "there is no such folder" if not folder.is_dir() else f"{missing[0]} is missing"
        raise RequestError(
            str(folder),
            reason,
            "Give the folder that train.py named when it could not log its run.",
            code="file_unreadable",
        )
    try:
        stored: Json = json.loads((folder / "run.json").read_text())
        since = {name: value for name, value in stored.items() if name in _SINCE}
        return cast("StoredRun", _SINCE | since | {name: stored[name] for name in _KEYS})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RequestError(
            str(folder / "run.json"), "it is broken", "Train again.", code="file_unreadable"
        ) from None


_KEYS = ("experiment", "run_name", "task", "register_as", "parameters", "metrics", "tags", "nested")
# What run folders written by earlier versions do not have.
_SINCE: Json = {
    "note": None,
    "started": None,
    "finished": None,
    "features": [],
    "profile": {},
    "folds": [],
}


def _described(training: Training) -> StoredRun:
    config, task = training.config, training.task
    metrics = training.metrics | {
        f"labels_{name}": float(n) for name, n in training.labels.counts.items() if not is_small(n)
    }
    register_as = (
        (config.tracking.model_name or task.model_name) if config.tracking.register_model else None
    )
    return {
        "experiment": config.tracking.experiment,
        "run_name": config.tracking.run_name or f"{task.name}-{config.model.estimator}",
        "note": config.tracking.note,
        "started": _milliseconds(training.started),
        "finished": _milliseconds(datetime.now(UTC)),
        "task": task.name,
        "register_as": register_as,
        "parameters": _flat(config.model_dump(mode="json")),
        "metrics": _finite(metrics),
        "tags": _tags(training),
        "features": list(training.predictor.names),
        "profile": _profile(training),
        "folds": _folds(training),
        "nested": _trials(training),
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _profile(training: Training) -> dict[str, int]:
    """The data set in counts."""
    positive = int(training.y.sum())
    return {
        "patients": len(training.y),
        training.task.positive: positive,
        training.task.negative: len(training.y) - positive,
        "families": len(np.unique(training.data.families)),
        "features": len(training.predictor.names),
    }


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if np.isfinite(value)}


def _folds(training: Training) -> list[dict[str, float]]:
    """Figures of each fold on its own patients.

    None of a fold where a label has fewer than FEWEST of them.
    """
    if training.data.times is not None:
        return _folds_of_times(training)
    return [
        (
            _finite(
                evaluate(
                    training.y[fold.test],
                    fold.probability["model"],
                    fold.predicted["model"],
                    training.data.families[fold.test],
                    draws=0,
                    seed=0,
                )
            )
            if np.bincount(training.y[fold.test].astype(int), minlength=2).min() >= FEWEST
            else {}
        )
        for fold in training.validated.folds
    ]


def _folds_of_times(training: Training) -> list[dict[str, float]]:
    """C-index and calibration of each fold on its own patients."""
    data, rows = training.data, []
    for fold in training.validated.folds:
        events = np.bincount(training.y[fold.test].astype(int), minlength=2)
        part = seen(data, fold.curves, fold.test)
        rows.append(_finite(short_figures(part)) if events.min() >= FEWEST else {})
    return rows


def _trials(training: Training) -> list[SubRun]:
    """A run below the run for each trial of the final search."""
    return [
        {
            "name": f"trial {row['estimator']} {row['number']}",
            "parameters": _flat(row["parameters"]),
            "metrics": _finite({"loss": row["loss"], "seconds": row["seconds"]}),
        }
        for row in training.tables["trials"]
    ]


def _flat(nested: Json, prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = (
                json.dumps(value) if isinstance(value, list | dict) else str(value)
            )
    return {key: value[:500] for key, value in flat.items() if key != "cohort"}


def _tags(training: Training) -> dict[str, str]:
    tags = {
        "task": training.task.name,
        "als_ml_version": als_ml.__version__,
        "definitions_version": training.predictor.definitions.version,
        "data_digest": data_digest(training.rows, training.y),
        "research_use": RESEARCH_USE,
    }
    commit = git_commit()
    tags |= {"git_commit": commit} if commit else {}
    dirty = git_dirty()
    tags |= {} if dirty is None else {"als_ml.git_dirty": str(dirty).lower()}
    return tags | (
        {"simulated": "true: proves the machinery, says nothing of medicine"}
        if training.simulated
        else {}
    )


def _write_files(training: Training, folder: Path) -> None:
    """Write what people read (card, checks, pictures) and what machines do (manifest, tables)."""
    config, dictionary, table = (
        folder / "config.yaml",
        folder / "feature_dictionary.csv",
        folder / "summary.csv",
    )
    config.write_text(
        yaml.safe_dump(training.config.model_dump(mode="json", exclude={"cohort"}), sort_keys=False)
    )
    write_dictionary(training.predictor, dictionary)
    inert(pd.DataFrame(summary(training))).to_csv(table, index=False)
    checks, made_from = folder / "honesty.json", folder / "manifest.json"
    checks.write_text(json.dumps([check.as_dict() for check in training.checks], indent=1))
    made_from.write_text(json.dumps(manifest(training), indent=1))
    pictures = draw_run(training, folder)
    write_documents(training, folder, pictures)
    (folder / "tables").mkdir()
    for name, rows in shown_tables(training).items():
        if rows:
            inert(pd.DataFrame(rows)).to_csv(folder / "tables" / f"{name}.csv", index=False)


def write_dictionary(predictor: Predictor, path: Path) -> None:
    """Write the feature dictionary of a model as CSV.

    Parameters
    ----------
    predictor : Predictor
        Whose features are described.
    path : Path
        Of the CSV.
    """
    inert(pd.DataFrame(predictor.described)).to_csv(path, index=False)
