"""Whether this installation can do its work: versions, programs, store, disk, and a small job done
from end to end.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

import als_ml
from features.errors import UserError

Verdict = Literal["good", "look", "bad"]
# What does the work, by its distribution's name.
_PACKAGES = ("numpy", "pandas", "scikit-learn", "pysam", "mlflow", "pyarrow")
# GB below which somebody should look, or a training will fail: it writes files of 100 MB (P).
_LITTLE, _TOO_LITTLE = 5.0, 0.5
# Patients and folds of the self-test: a few seconds.
_PATIENTS, _FOLDS = 80, 2


class Finding(NamedTuple):
    """What was looked at, what was found, and what to do unless it is good."""

    what: str
    verdict: Verdict
    found: str
    remedy: str = ""


def examine(self_test: bool = True) -> Iterator[Finding]:
    """Look at the installation, one finding after the other.

    Parameters
    ----------
    self_test : bool
        Whether a small job is done, which takes up to 20 seconds.

    Yields
    ------
    Finding
        In the order of the work.
    """
    yield Finding(what="als-ml", verdict="good", found=als_ml.__version__)
    yield _python()
    yield from (_package(name) for name in _PACKAGES)
    yield _bcftools()
    yield _disk("temporary files", Path(tempfile.gettempdir()))
    yield _disk("this folder", Path.cwd())
    yield _store()
    if self_test:
        yield _self_test()


def _python() -> Finding:
    found = f"{platform.python_version()}, {os.cpu_count()} processors"
    return Finding(what="Python", verdict="good", found=found)


def _package(name: str) -> Finding:
    try:
        return Finding(what=name, verdict="good", found=version(name))
    except PackageNotFoundError:
        return Finding(
            what=name,
            verdict="bad",
            found="not installed",
            remedy="Install als-ml again: make setup.",
        )


def _bcftools() -> Finding:
    """Bcftools comes with pysam; another one beside it is not used."""
    if importlib.util.find_spec("pysam.bcftools") is None:
        return Finding(
            what="bcftools", verdict="bad", found="pysam has none", remedy="Install pysam again."
        )
    program = shutil.which("bcftools")
    if program is None:
        return Finding(what="bcftools", verdict="good", found="that of pysam")
    said = subprocess.run(  # noqa: S603
        [program, "--version"], capture_output=True, text=True, check=False, timeout=10
    )
    first = said.stdout.splitlines()[0] if said.stdout else "unknown"
    return Finding(what="bcftools", verdict="good", found=f"that of pysam (also here: {first})")


def _disk(what: str, folder: Path) -> Finding:
    if not os.access(folder, os.W_OK):
        return Finding(
            what=what,
            verdict="bad",
            found=f"{folder} cannot be written",
            remedy="Choose a folder of yours.",
        )
    free = shutil.disk_usage(folder).free / 1e9
    return disk_finding(what, free)


def disk_finding(what: str, free: float) -> Finding:
    """What free space means.

    Parameters
    ----------
    what : str
        Of what.
    free : float
        GB.

    Examples
    --------
    >>> [disk_finding("disk", free).verdict for free in (0.49, 0.5, 4.9, 5.0)]
    ['bad', 'look', 'look', 'good']
    """
    found = f"{free:.1f} GB free"
    if free < _TOO_LITTLE:
        return Finding(
            what=what,
            verdict="bad",
            found=found,
            remedy="Make room: a training writes files of 100 MB.",
        )
    if free < _LITTLE:
        return Finding(what=what, verdict="look", found=found, remedy="Large cohorts need more.")
    return Finding(what=what, verdict="good", found=found)


def _store() -> Finding:
    from als_ml.tracking.store import check_store, shown_store

    try:
        check_store()
    except UserError as error:
        found = f"{error.where}: {error.found}"
        return Finding(what="MLflow store", verdict="bad", found=found, remedy=error.remedy)
    return Finding(what="MLflow store", verdict="good", found=shown_store())


def _self_test() -> Finding:
    """Made-up patients from files to out-of-fold scores, in a folder that is removed."""
    began = time.monotonic()
    try:
        auc = _small_job()
    except Exception as error:  # noqa: BLE001  whatever is wrong is what was asked for
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Finding(
            what="self-test",
            verdict="bad",
            found=reason,
            remedy="Report it with what stands above.",
        )
    seconds = time.monotonic() - began
    found = f"{_PATIENTS} made-up patients in {seconds:.0f} s, ROC AUC {auc:.2f}"
    return Finding(what="self-test", verdict="good", found=found)


def _small_job() -> float:
    from als_ml.cohort.source import open_cohort
    from als_ml.config import Config
    from als_ml.simulate import simulate
    from als_ml.training.folds import cross_validate
    from als_ml.training.metrics import auc_with_error
    from als_ml.training.task_data import prepared

    with tempfile.TemporaryDirectory(prefix="als-ml-doctor-") as name:
        folder = Path(name) / "cohort"
        simulate(folder, _PATIENTS, seed=1)
        config = Config.model_validate(
            {
                "task": "progression",
                "cohort": str(folder / "cohort.yaml"),
                "model": {"estimator": "elastic_net"},
                "validation": {"folds": _FOLDS, "repeats": 1},
            }
        )
        data = prepared(config, open_cohort(folder / "cohort.yaml"))
        validated = cross_validate(data, config)
        return auc_with_error(data.y, validated.probability["model"])[0]
