"""The label rule: how a cohort answers the two questions (contract, section Labels).

Familial: reported family history. Progression: what happens after the landmark, by slope or by event. Or any numeric column
of patients with a threshold. The visit arithmetic that the rule uses is in `features.alsfrs.slopes`.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from features.alsfrs.slopes import decline, slope_scatter
from features.cohort import Cohort
from features.errors import DataError
from features.patients import SCORED_DIAGNOSES
from models.tasks import PROGRESSION, Task

BRANCHES = ("excluded", "unlabelled", "slow_by_slope", "fast_by_slope", "fast_by_event")


@dataclass(frozen=True)
class SlopeRule:
    """How a progression label is made from the visits after the landmark.

    `cutoffs` are in points lost per month, ascending, the others in days. Slope branch: at least `min_visits` visits that span at
    least `min_span_days`, in landmark < day <= landmark + window. `events` says what death, tracheostomy or NIV >= 23 h/day in
    the window means: fast for those `without_slope` (the contract), fast for `all`, or no label (`none`). In simulation two
    visits 3 months apart agree with the true class in 71 %, three over 6 months in 85 %.
    """

    landmark_days: int = 90
    window_days: int = 365
    cutoffs: tuple[float, ...] = (1.0,)
    min_visits: int = 3
    min_span_days: int = 180
    events: str = "without_slope"

    @property
    def cutoff(self) -> float:
        """Slope from which progression is fast: the highest cut-off."""
        return self.cutoffs[-1]


@dataclass(frozen=True)
class Progression:
    """What is known of each patient after the landmark.

    `label` (1 fast, 0 slow, NaN none), `slope` (points lost per month), `branch` (index into BRANCHES), `level` (how many
    cut-offs are reached, NaN none), `scatter` (n, 3) of the visits around the slope (see `slope_scatter`).
    """

    label: np.ndarray
    slope: np.ndarray
    branch: np.ndarray
    level: np.ndarray
    scatter: np.ndarray

    def counts(self) -> dict[str, int]:
        """Count the patients of each branch."""
        return {name: int((self.branch == i).sum()) for i, name in enumerate(BRANCHES)}


def progression(
    row: np.ndarray,
    days: np.ndarray,
    total: np.ndarray,
    event_days: np.ndarray,
    last_seen_days: np.ndarray,
    natural_until_days: np.ndarray,
    rule: SlopeRule,
) -> Progression:
    """Label patients fast or slow from what happens after the landmark.

    Parameters
    ----------
    row, days, total : arrays, one entry a visit
        Patient index, day, ALSFRS-R total (NaN unknown).
    event_days : array, one entry a patient
        First day of death, tracheostomy or NIV >= 23 h/day; inf if none is known.
    last_seen_days : array, one entry a patient
        Last contact where one is recorded, else inf. A patient with an event or lost at or before the landmark is excluded.
    natural_until_days : array, one entry a patient
        Start of tofersen or a trial drug, else inf; later visits do not enter the label.
    rule : SlopeRule
        Landmark, window and cut-off.
    """
    n, start, end = len(event_days), rule.landmark_days, rule.landmark_days + rule.window_days
    kept = (days > start) & (days <= end) & (days <= natural_until_days[row])
    slope, visits, span = decline(row[kept], days[kept], total[kept], n)
    scatter = slope_scatter(row[kept], days[kept], total[kept], slope, n)
    measured = (visits >= rule.min_visits) & (span >= rule.min_span_days)
    fast = measured & (slope >= rule.cutoff)
    event = (event_days > start) & (event_days <= end)
    by_event = {"without_slope": event & ~measured, "all": event, "none": np.zeros(n, dtype=bool)}[
        rule.events
    ]
    excluded = (event_days <= start) | (last_seen_days <= start)
    branch = np.select([excluded, by_event, fast, measured], [0, 4, 3, 2], default=1)
    label = np.choose(branch, [np.nan, np.nan, 0.0, 1.0, 1.0])
    slope = np.where(measured & ~excluded, slope, np.nan)
    level = np.choose(
        branch,
        [np.nan, np.nan, classes_of(slope, rule.cutoffs), len(rule.cutoffs), len(rule.cutoffs)],
    )
    return Progression(
        label, slope, branch, level, np.where(np.isfinite(slope)[:, None], scatter, np.nan)
    )


def classes_of(slope: np.ndarray, cutoffs: tuple[float, ...]) -> np.ndarray:
    """Class of each rate: how many cut-offs it reaches (0 = slowest), NaN where unknown.

    >>> classes_of(np.array([0.4, 0.5, 1.0, np.nan]), (0.5, 1.0)).tolist()
    [0.0, 1.0, 2.0, nan]
    """
    return np.where(
        np.isnan(slope), np.nan, np.searchsorted(np.array(cutoffs), slope, side="right")
    )


@dataclass(frozen=True)
class Labels:
    """Per patient `y` (1 positive, 0 negative, NaN unlabelled), the count of each branch, and the columns it came from.

    For progression also the continuous `slope` (NaN for a label by event) with the `scatter` of its visits
    (`features.alsfrs.slopes.slope_scatter`), and the ordered `classes` with each patient's `level`. For a label from a column
    `slope` is how far its value lies beyond the threshold, and `likely` the probability of the label given its error.
    """

    y: np.ndarray
    counts: dict[str, int]
    sources: set[str] = field(default_factory=set)
    by_event: np.ndarray | None = None
    slope: np.ndarray | None = None
    scatter: np.ndarray | None = None
    likely: np.ndarray | None = None
    level: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    @property
    def usable(self) -> np.ndarray:
        """Indices of the labelled patients."""
        return np.flatnonzero(np.isfinite(self.y))


def scored(cohort: Cohort) -> np.ndarray:
    """Which patients are trained or scored by default: als and als_ftd."""
    diagnosis = cohort.patients["diagnosis"].to_numpy(dtype=object)
    return np.logical_or.reduce([diagnosis == name for name in SCORED_DIAGNOSES])


def familial_labels(cohort: Cohort, degrees: tuple[str, ...]) -> Labels:
    """Reported family history of ALS, from the pedigree only, never from the genotype."""
    history = cohort.patients["family_history"]
    y = np.select(
        [history.isin(degrees).to_numpy(), (history == "none").to_numpy()], [1.0, 0.0], np.nan
    )
    return _labelled(cohort, y, {"family_history"})


def progression_labels(cohort: Cohort, rule: SlopeRule) -> Labels:
    """Fast or slow after the landmark (contract, section Labels), with the count of each branch."""
    visits, patients = cohort.alsfrs, cohort.patients
    revised = (visits["scale"] == "alsfrs_r").to_numpy()
    row, day, total = (visits[name].to_numpy()[revised] for name in ("row", "days", "total"))
    found = progression(
        row,
        day,
        total,
        event_days(patients),
        last_seen_days(patients),
        natural_until_days(patients),
        rule,
    )
    keep = scored(cohort)
    counts = {name: int(((found.branch == i) & keep).sum()) for i, name in enumerate(BRANCHES)}
    y, slope, level = (
        np.where(keep, values, np.nan) for values in (found.label, found.slope, found.level)
    )
    by_event = (found.branch == BRANCHES.index("fast_by_event")) & keep
    labels = Labels(y, counts | _class_counts(y), {"alsfrs"}, by_event, scatter=found.scatter)
    return _graded(labels, slope, level, rule.cutoffs)


def delta_fs_labels(cohort: Cohort, rate: np.ndarray, cutoffs: tuple[float, ...]) -> Labels:
    """Classes of dFS at the landmark: a label of the past, for which nothing made of the ALSFRS-R may be a feature."""
    rate = np.where(scored(cohort), rate, np.nan)
    level = classes_of(rate, cutoffs)
    labels = _labelled(
        cohort, np.where(np.isnan(rate), np.nan, (level == len(cutoffs)).astype(float)), {"alsfrs"}
    )
    return _graded(labels, rate, level, cutoffs)


def _graded(
    labels: Labels, slope: np.ndarray, level: np.ndarray, cutoffs: tuple[float, ...]
) -> Labels:
    names = class_names(len(cutoffs) + 1)
    counts = (
        {f"class_{name}": int((level == i).sum()) for i, name in enumerate(names)}
        if len(names) > 2
        else {}
    )
    return replace(labels, slope=slope, level=level, classes=names, counts=labels.counts | counts)


def class_names(n: int) -> tuple[str, ...]:
    """Names of the ordered classes of progression, slowest first.

    >>> class_names(2), class_names(3), class_names(4)
    (('slow', 'fast'), ('slow', 'intermediate', 'fast'), ('slow', 'intermediate_1', 'intermediate_2', 'fast'))
    """
    middle = ["intermediate"] if n == 3 else [f"intermediate_{i + 1}" for i in range(n - 2)]
    return (PROGRESSION.negative, *middle, PROGRESSION.positive)


def column_labels(
    cohort: Cohort,
    column: str,
    above: float | None,
    below: float | None,
    error: float | None = None,
) -> Labels:
    """A label from a numeric column of patients and a threshold; with the error of its values, how likely it is.

    Raises
    ------
    DataError
        If the column is absent or no number.
    """
    if column not in cohort.patients.columns:
        raise DataError(
            "patients",
            f"the label's column {column!r} is missing",
            "Correct label.column in the configuration.",
        )
    text = cohort.patients[column]
    value = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float)
    broken = np.flatnonzero(np.isnan(value) & text.notna().to_numpy())
    if len(broken):
        raise DataError(
            f"patients, column {column}, line {broken[0] + 2}",
            "a label must be a number",
            "Correct the cell.",
        )
    positive = (
        value > above if above is not None else value < (below if below is not None else np.nan)
    )
    labels = _labelled(cohort, np.where(np.isnan(value), np.nan, positive.astype(float)), {column})
    beyond = value - above if above is not None else float(below or 0.0) - value
    likely = (
        labels.y
        if error is None
        else np.where(np.isnan(labels.y), np.nan, norm.cdf(beyond / error))
    )
    return replace(labels, slope=np.where(np.isnan(labels.y), np.nan, beyond), likely=likely)


def likely_labels(
    y: np.ndarray, slope: np.ndarray, scatter: np.ndarray, cutoff: float
) -> np.ndarray:
    """Probability that the true rate reaches the cut-off, given the measured slope and its error.

    Phi((slope - cutoff) / (s / sqrt(spread))) with s the residual SD pooled over these patients' visits: what is learned
    instead of a label that a visit more or less would turn over. `y` where there is no slope.

    Parameters
    ----------
    y, slope : arrays (n,)
        0/1 label; points lost per month, NaN unknown.
    scatter : array (n, 3)
        Of `features.alsfrs.slopes.slope_scatter`.
    """
    spread, noise, freedom = np.where(np.isfinite(slope)[:, None], scatter, 0.0).T
    if freedom.sum() < 1 or noise.sum() <= 0:
        return y
    residual = np.sqrt(noise.sum() / freedom.sum())
    error = residual / np.sqrt(np.where(spread > 0, spread, np.nan))
    return np.where(np.isfinite(error) & np.isfinite(slope), norm.cdf((slope - cutoff) / error), y)


def out_of_scope(cohort: Cohort, task: Task, landmark_days: int) -> np.ndarray:
    """Reason why a patient is not scored, empty where it is: another diagnosis, or an event before the landmark."""
    other = ~scored(cohort)
    reason = np.full(len(cohort), "", dtype=object)
    if task is PROGRESSION:
        gone = (event_days(cohort.patients) <= landmark_days) | (
            last_seen_days(cohort.patients) <= landmark_days
        )
        reason[gone] = "landmark"
    reason[other] = "diagnosis"
    return reason


def event_days(patients: pd.DataFrame) -> np.ndarray:
    """First day of death, tracheostomy or NIV >= 23 h/day; inf where none is recorded."""
    columns = np.column_stack(
        [patients[f"{event}_days"].to_numpy() for event in ("death", "tracheostomy", "niv_23h")]
    )
    return np.where(np.isnan(columns), np.inf, columns).min(axis=1)


def last_seen_days(patients: pd.DataFrame) -> np.ndarray:
    """Day of last contact; inf where none is recorded."""
    last = patients["last_contact_days"].to_numpy()
    return np.where(np.isnan(last), np.inf, last)


def natural_until_days(patients: pd.DataFrame) -> np.ndarray:
    """Start of tofersen or a trial drug; inf where none is recorded. Later visits do not show the natural course."""
    columns = patients[["tofersen_start_days", "trial_drug_start_days"]].to_numpy(dtype=float)
    return np.where(np.isnan(columns), np.inf, columns).min(axis=1)


def _labelled(cohort: Cohort, y: np.ndarray, sources: set[str]) -> Labels:
    y = np.where(scored(cohort), y, np.nan)
    return Labels(y, _class_counts(y), sources)


def _class_counts(y: np.ndarray) -> dict[str, int]:
    return {
        "positive": int((y == 1).sum()),
        "negative": int((y == 0).sum()),
        "unlabelled_total": int(np.isnan(y).sum()),
    }
