"""What a run was made from: counts, split, versions and digests, without a patient's value."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import als_ml
from als_ml.cohort.digests import data_digest, file_digests
from als_ml.training.run import Training
from features.stored import Json

_NAMED = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "xgboost-cpu",
    "xgboost",
    "optuna",
    "mlflow",
    "pysam",
)
PACKAGES = Path(__file__).resolve().parents[2]


def manifest(training: Training) -> Json:
    """Counts, missingness, split, seeds, versions, digests and figures of a run.

    Parameters
    ----------
    training : Training
        The run.

    Returns
    -------
    dict
        For JSON; figures that are not finite are left out.
    """
    config, v = training.config, training.config.validation
    split = {
        "folds": v.folds,
        "repeats": v.repeats,
        "inner_folds": v.inner_folds,
        "seed": v.seed,
        "grouped_by": "family",
    }
    return {
        "task": training.task.name,
        "n": len(training.y),
        "events": int(training.y.sum()),
        "labels": training.labels.counts,
        "missing": {
            str(k): round(float(share), 4) for k, share in training.rows.isna().mean().items()
        },
        "split": split,
        "als_ml_version": als_ml.__version__,
        "definitions_version": training.predictor.definitions.version,
        "git_commit": git_commit(),
        "git_dirty": git_dirty(),
        "python": platform.python_version(),
        "packages": _versions(),
        "data_digest": data_digest(training.rows, training.y),
        "files": file_digests(training.source, config.tracking.full_digests),
        "config": config.model_dump(mode="json", exclude={"cohort"}),
        "metrics": {name: value for name, value in training.metrics.items() if np.isfinite(value)},
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _NAMED:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_commit(checkout: Path = PACKAGES) -> str | None:
    """Commit of the code that runs, None outside a checkout.

    Parameters
    ----------
    checkout : Path
        Folder to ask about.

    Returns
    -------
    str or None
        Forty hexadecimal digits.
    """
    return _git(checkout, "rev-parse", "HEAD")


def git_dirty(checkout: Path = PACKAGES) -> bool | None:
    """Whether the code that runs is not that of its commit (changed or new files), None outside a
    checkout.

    Only the three packages are asked for: a cohort or a store that lies in the checkout changes no
    figure.

    Parameters
    ----------
    checkout : Path
        Folder to ask about.

    Returns
    -------
    bool or None
        True if a figure might not be repeated from the commit.
    """
    said = _git(checkout, "status", "--porcelain", "--", "als_ml", "features", "models")
    return None if said is None else bool(said)


def _git(checkout: Path, *words: str) -> str | None:
    try:
        command = ["git", "-C", str(checkout), *words]
        return subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, timeout=5
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
