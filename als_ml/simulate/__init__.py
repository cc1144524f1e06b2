"""A made-up cohort with known truth, written as the files a centre has.

It proves machinery, not medicine.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from als_ml.simulate import files
from als_ml.simulate.care import care_values
from als_ml.simulate.clinic import breathing_tests, clinic_columns, fed_by_tube
from als_ml.simulate.course import (
    Course,
    Future,
    draw_course,
    draw_future,
    draw_start,
    prolonged,
    treatment_shares,
)
from als_ml.simulate.genetics import CAUSES, draw_genome, draw_people, draw_repeats
from als_ml.simulate.oracle import (
    LATE_RISK_DAYS,
    RISK_DAYS,
    Best,
    course_best,
    familial_best,
)
from als_ml.simulate.panel import draw_panel
from features.errors import RequestError
from features.temporary import owned, sweep

__all__ = ["simulate"]
_MADE_BY_US = ("cohort.yaml", "truth.csv", "README.txt")
# Months after the landmark to which patients are followed without asking for more, and the most
# that can be asked for (P: ten years are long for this disease).
FOLLOW_UP, _LONGEST = 14, 120
# From so many months on the risk by month 24 is seen, and the oracle tells it (P).
_LATE_RISK_FROM = 26


def simulate(
    folder: Path,
    patients: int = 800,
    seed: int = 1,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    follow_up_months: int = FOLLOW_UP,
) -> dict[str, float]:
    """Simulate a cohort and write it, whole or not at all.

    Parameters
    ----------
    folder : Path
        To be made; an earlier simulated cohort there is replaced.
    patients : int
        How many.
    seed : int
        Same seed, same cohort.
    follow_up_months : int
        Months after the landmark until which visits go on; the same patients whatever it is.

    Returns
    -------
    dict
        Counts and the ROC AUC of the best possible score on both tasks.

    Raises
    ------
    RequestError
        If the folder holds anything but an earlier simulated cohort, or cannot be written, or the
        follow-up is too short or too long.
    """
    _check_folder(folder)
    _check_follow_up(follow_up_months)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beginning = f".{folder.name}"
    sweep(folder.parent, beginning)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=owned(beginning)))
    try:
        made = _write(temporary, patients, seed, progress, follow_up_months)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return made


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RequestError(
            f"--output {folder}", "it is a file", "Give a folder.", code="output_refused"
        )
    if (
        folder.is_dir()
        and any(folder.iterdir())
        and not all((folder / name).is_file() for name in _MADE_BY_US)
    ):
        raise RequestError(
            f"--output {folder}",
            "the folder is not empty and holds no simulated cohort",
            "Give another one.",
            code="output_refused",
        )


def _check_follow_up(months: int) -> None:
    if not FOLLOW_UP <= months <= _LONGEST:
        raise RequestError(
            f"--follow-up-months {months}",
            f"patients are followed for {FOLLOW_UP} to {_LONGEST} months after the landmark",
            f"Give a number of months from {FOLLOW_UP} to {_LONGEST}.",
            code="option_value",
        )


def _write(
    folder: Path,
    n: int,
    seed: int,
    progress: Callable[[str, int, int], None],
    follow_up_months: int,
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    progress("drawing families, genomes and courses", 0, 4)
    people = draw_people(n, rng)
    genome, repeats = draw_genome(people, rng), draw_repeats(people, rng)
    course = draw_course(people, genome, repeats, rng)
    treated = {  # a stream of its own: it takes no number from what is drawn before and after it
        drug: draw_start(share, drug_rng)
        for (drug, share), drug_rng in zip(
            treatment_shares(people, genome).items(), rng.spawn(2), strict=True
        )
    }
    natural_until = np.minimum(*treated.values())
    panel = draw_panel(people, course, rng)
    future = draw_future(course.future, course.loss, natural_until, rng)
    risk_days = dict(RISK_DAYS)
    if follow_up_months > FOLLOW_UP:  # from a stream of its own: it moves no other
        more = np.random.default_rng([seed, follow_up_months])
        future = prolonged(future, course.future, course.loss, follow_up_months, more)
    if follow_up_months >= _LATE_RISK_FROM:
        risk_days |= LATE_RISK_DAYS
    ids = np.array([f"DEMO-{i:05d}" for i in range(1, n + 1)], dtype=object)
    progress("writing tables", 1, 4)
    patients = files.patients_table(ids, people, repeats, course, future, treated, rng)
    tables = {"patients": patients, "alsfrs": files.alsfrs_table(ids, people, course, future, rng)}
    measured = files.biomarker_table(ids, people, course, future, panel, rng)
    progress("best possible scores", 2, 4)
    best = {"familial": familial_best(people, genome, repeats)}
    best |= course_best(people, genome, repeats, course, panel, rng, risk_days)
    labels = _labels(patients, course, future)
    care_rng, clinic_rng = rng.spawn(2)  # the last streams of their own: they move no other
    further = care_values(tables["alsfrs"], measured, patients, care_rng)
    tables |= _as_a_clinic_writes(tables, files.with_further(measured, further), clinic_rng)
    truth = files.truth_table(
        ids, labels, best, np.array(CAUSES)[people.cause], np.exp(course.future)
    )
    files.write_cohort(folder, {**tables, "truth": truth})
    progress("writing variants", 3, 4)
    files.write_variants(folder / "variants.vcf.gz", ids, genome, people, rng)
    files.write_frequencies(folder / "frequencies.vcf.gz", genome)
    files.write_repeats(folder / "repeats.vcf.gz", ids, repeats)
    return _summary(n, labels, best, patients)


def _as_a_clinic_writes(
    tables: dict[str, pd.DataFrame], measured: pd.DataFrame, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """The tables with what no model sees and the care protocol asks for."""
    patients, visits = tables["patients"], tables["alsfrs"]
    added = clinic_columns(visits, patients, rng)
    gastrostomy = added["gastrostomy_days"].set_axis(patients["sample_id"])
    return {
        "patients": pd.concat([patients, added], axis=1),
        "alsfrs": fed_by_tube(visits, gastrostomy),
        "biomarkers": files.with_further(measured, breathing_tests(visits, patients, rng)),
    }


def _labels(patients: pd.DataFrame, course: Course, future: Future) -> dict[str, np.ndarray]:
    """The labels by the contract's rules; NaN where there is none."""
    scored = patients["diagnosis"].isin(["als", "als_ftd"]).to_numpy()
    history = patients["family_history"].to_numpy()
    familial = np.select(
        [np.isin(history, ["first_degree", "second_degree"]), history == "none"], [1.0, 0.0], np.nan
    )
    reached = np.isinf(course.early_event) & np.isinf(course.early_lost)
    fast = np.where(reached, future.label(), np.nan)
    return {
        "familial": np.where(scored, familial, np.nan),
        "progression": np.where(scored, fast, np.nan),
    }


def _summary(
    n: int, labels: dict[str, np.ndarray], best: dict[str, Best], patients: pd.DataFrame
) -> dict[str, float]:
    made: dict[str, float] = {
        "patients": n,
        "families": (
            n
            - int((patients["family_id"] != "").sum())
            + patients.loc[patients["family_id"] != "", "family_id"].nunique()
        ),
    }
    for task, y in labels.items():
        known = np.isfinite(y)
        positive = {"familial": "familial", "progression": "fast"}[task]
        made[f"{positive} of {int(known.sum())} labelled"] = int(y[known].sum())
        if 0 < y[known].sum() < known.sum():
            made[f"best possible ROC AUC, {task}"] = float(
                roc_auc_score(y[known], best[task].p[known])
            )
    return made
