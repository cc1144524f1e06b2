"""The label rule: how a cohort answers the two questions (contract, section Labels).

Familial: reported family history. Progression: what happens after the landmark, by slope or by
event. Or any numeric column of patients with a threshold. The visit arithmetic that the rule uses
is in `features.alsfrs.slopes`.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from features.alsfrs.slopes import decline, slope_scatter
from features.alsfrs.visits import of_scale
from features.cohort import AnyCohort, Cohort
from features.errors import DataError
from features.patients import SCORED_DIAGNOSES
from features.tables.columns import Frame
from models.tasks import GASTROSTOMY, NIV, PROGRESSION, Task

# Why a patient has a label or none, first come first served. Who is excluded is neither trained nor
# scored.
BRANCHES = (
    "excluded_event",  # at or before the landmark
    "excluded_lost",  # at or before the landmark
    "unlabelled_treatment_undated",  # treated, and nobody knows since when
    "unlabelled_treated_early",  # at or before the landmark
    "fast_by_event",
    "fast_by_slope",
    "slow_by_slope",
    "unlabelled_treated",  # in the window, with too little before it
    "unlabelled_event",  # in the window, where the rule does not count events
    "unlabelled_lost",  # in the window, with too little before it
    "unlabelled_few_visits",
    "unlabelled_short_span",
)
LABEL_OF_BRANCH = {"fast_by_event": 1.0, "fast_by_slope": 1.0, "slow_by_slope": 0.0}
BY_EVENT = BRANCHES.index("fast_by_event")


@dataclass(frozen=True)
class SlopeRule:
    """How a progression label is made from what happens after the landmark.

    The window is landmark < day <= landmark + window, and ends where tofersen or a trial drug
    starts: a visit or an event on that day counts, none after it (contract, section Labels:
    counting deaths but not visits made all of a real trial's active arm fast).

    `cutoffs` are in points lost per month, ascending, the others in days. Slope branch: at least
    `min_visits` visits that span at least `min_span_days`, in the window. `events` says what death,
    tracheostomy or NIV >= 23 h/day in the window means: fast for those `without_slope` (the
    contract), fast for `all`, or no label (`none`). In simulation two visits 3 months apart agree
    with the true class in 71 %, three over 6 months in 85 %.
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

    @property
    def end_days(self) -> int:
        """Last day of the window."""
        return self.landmark_days + self.window_days

    def holds(self, days: np.ndarray, natural_until_days: np.ndarray) -> np.ndarray:
        """Which days lie in the window of a patient who is untreated until a day.

        Parameters
        ----------
        days : array (v,)
            Of visits or events, since the index day.
        natural_until_days : array (v,)
            Of the patient of each: start of tofersen or a trial drug, inf untreated.

        Returns
        -------
        array of bool (v,)
            Whether the day counts.

        Examples
        --------
        >>> SlopeRule().holds(
        ...     np.array([90, 91, 200, 201, 455, 456]),
        ...     np.array([np.inf, np.inf, 200, 200, 455, 456]),
        ... )
        array([False,  True,  True, False,  True, False])
        """
        inside = (days > self.landmark_days) & (days <= self.end_days)
        return np.asarray(inside & (days <= natural_until_days))


@dataclass(frozen=True)
class Progression:
    """What is known of each patient after the landmark.

    `label` (1 fast, 0 slow, NaN none), `slope` (points lost per month), `branch` (index into
    BRANCHES), `level` (how many cut-offs are reached, NaN none), `scatter` (n, 3) of the visits
    around the slope (see `slope_scatter`).
    """

    label: np.ndarray
    slope: np.ndarray
    branch: np.ndarray
    level: np.ndarray
    scatter: np.ndarray


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
        Last contact where one is recorded, else inf. A patient with an event or lost at or before
        the landmark is excluded.
    natural_until_days : array, one entry a patient
        Start of tofersen or a trial drug, where the label ends; inf untreated, -inf treated on an
        unknown day.
    rule : SlopeRule
        Landmark, window and cut-off.

    Returns
    -------
    Progression
        Arrays (n,).
    """
    n = len(event_days)
    kept = rule.holds(days, natural_until_days[row])
    slope, visits, span = decline(row[kept], days[kept], total[kept], n)
    scatter = slope_scatter(row[kept], days[kept], total[kept], slope, n)
    measured = (visits >= rule.min_visits) & (span >= rule.min_span_days)
    event = rule.holds(event_days, natural_until_days)
    counted = {"without_slope": event & ~measured, "all": event, "none": np.zeros(n, dtype=bool)}
    reasons = {
        "excluded_event": event_days <= rule.landmark_days,
        "excluded_lost": last_seen_days <= rule.landmark_days,
        "unlabelled_treatment_undated": np.isneginf(natural_until_days),
        "unlabelled_treated_early": natural_until_days <= rule.landmark_days,
        "fast_by_event": counted[rule.events],
        "fast_by_slope": measured & (slope >= rule.cutoff),
        "slow_by_slope": measured,
        "unlabelled_treated": natural_until_days < rule.end_days,
        "unlabelled_event": event,
        "unlabelled_lost": last_seen_days < rule.end_days,
        "unlabelled_few_visits": visits < rule.min_visits,
        "unlabelled_short_span": np.ones(n, dtype=bool),
    }
    branch = np.select([reasons[name] for name in BRANCHES], np.arange(len(BRANCHES)).tolist())
    label = np.array([LABEL_OF_BRANCH.get(name, np.nan) for name in BRANCHES])[branch]
    reached = ~(reasons["excluded_event"] | reasons["excluded_lost"])
    slope = np.where(measured & reached, slope, np.nan)
    level = np.where(np.isnan(label), np.nan, classes_of(slope, rule.cutoffs))
    level = np.where(branch == BY_EVENT, float(len(rule.cutoffs)), level)
    scatter = np.where(np.isfinite(slope)[:, None], scatter, np.nan)
    return Progression(label=label, slope=slope, branch=branch, level=level, scatter=scatter)


def classes_of(slope: np.ndarray, cutoffs: tuple[float, ...]) -> np.ndarray:
    """Class of each rate: how many cut-offs it reaches (0 = slowest), NaN where unknown.

    Parameters
    ----------
    slope : array (n,)
        Points lost per month, NaN unknown.
    cutoffs : tuple of float
        Points per month, ascending.

    Returns
    -------
    array (n,)
        0 to len(cutoffs), as float.

    Examples
    --------
    >>> classes_of(np.array([0.4, 0.5, 1.0, np.nan]), (0.5, 1.0)).tolist()
    [0.0, 1.0, 2.0, nan]
    """
    return np.where(
        np.isnan(slope), np.nan, np.searchsorted(np.array(cutoffs), slope, side="right")
    )


@dataclass(frozen=True)
class Labels:
    """Per patient `y` (1 positive, 0 negative, NaN unlabelled), the count of each branch, and the
    columns it came from.

    For progression also the continuous `slope` (NaN for a label by event) with the `scatter` of its
    visits (`features.alsfrs.slopes.slope_scatter`), and the ordered `classes` with each patient's
    `level`. For a label from a column `slope` is how far its value lies beyond the threshold, and
    `likely` the probability of the label given its error. `at_risk` marks whose window of untreated
    days begins, labelled or not (progression only). Of a survival time `y` is 1 with the event and
    0 censored, and `by_year` whether the event comes within 365 days.
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
    at_risk: np.ndarray | None = None
    by_year: np.ndarray | None = None

    @property
    def judged(self) -> np.ndarray:
        """What a probability is held against (n,): the label, of a survival time whether the event
        comes within 365 days after the landmark, NaN where nobody knows.
        """
        return self.y if self.by_year is None else self.by_year

    @property
    def usable(self) -> np.ndarray:
        """Indices of the labelled patients."""
        return np.flatnonzero(np.isfinite(self.y))


def scored(cohort: AnyCohort) -> np.ndarray:
    """Which patients are trained or scored by default: als and als_ftd.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    array of bool (n,)
        By the diagnosis alone.
    """
    diagnosis = cohort.patients["diagnosis"].to_numpy(dtype=object)
    return np.logical_or.reduce([diagnosis == name for name in SCORED_DIAGNOSES])


def familial_labels(cohort: Cohort, degrees: tuple[str, ...]) -> Labels:
    """Reported family history of ALS, from the pedigree only, never from the genotype.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    degrees : tuple of str
        Degrees of relatives that make a family history, as `first_degree`.

    Returns
    -------
    Labels
        1 familial, 0 none in the family, NaN unknown or further relatives.
    """
    history = cohort.patients["family_history"]
    y = np.select(
        [history.isin(degrees).to_numpy(), (history == "none").to_numpy()], [1.0, 0.0], np.nan
    )
    said = history.astype(object).where(history.notna(), "empty").to_numpy(dtype=object)
    return _labelled(cohort, y, {"family_history"}, said)


def progression_labels(cohort: Cohort, rule: SlopeRule) -> Labels:
    """Fast or slow after the landmark (contract, section Labels), with the count of each reason.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut: the label's visits come after the landmark.
    rule : SlopeRule
        Landmark, window and cut-offs.

    Returns
    -------
    Labels
        1 fast, 0 slow, NaN none.
    """
    patients, keep = cohort.patients, scored(cohort)
    course = progression(
        *revised_visits(cohort),
        event_days(patients),
        last_seen_days(patients),
        natural_until_days(patients),
        rule,
    )
    y, slope, level = (
        np.where(keep, values, np.nan) for values in (course.label, course.slope, course.level)
    )
    labels = Labels(
        y=y,
        counts=_branch_counts(np.where(keep, course.branch, -1)) | _class_counts(y),
        sources={"alsfrs"},
        by_event=(course.branch == BY_EVENT) & keep,
        scatter=course.scatter,
        at_risk=keep & ~np.isin(course.branch, _NOT_AT_RISK),
    )
    return _graded(labels, slope, level, rule.cutoffs)


# Excluded, or treated by the landmark: no window of untreated days begins for them.
_NOT_AT_RISK = [
    BRANCHES.index(name)
    for name in (
        "excluded_event",
        "excluded_lost",
        "unlabelled_treatment_undated",
        "unlabelled_treated_early",
    )
]


def _branch_counts(branch: np.ndarray) -> dict[str, int]:
    """Patients of each reason that occurs, of each that makes a label, and of other diagnoses
    (branch -1).
    """
    counts = {name: int((branch == i).sum()) for i, name in enumerate(BRANCHES)}
    counts["other_diagnosis"] = int((branch == -1).sum())
    return {name: n for name, n in counts.items() if n or name in LABEL_OF_BRANCH}


def revised_visits(cohort: Cohort) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patient, day and total (NaN unknown) of each ALSFRS-R visit.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    row, days, total : arrays (v,)
        Index, days since the index day, points 0-48.
    """
    visits = of_scale(cohort.alsfrs, "alsfrs_r")
    row, days, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    return row, days, total


def label_visits(cohort: Cohort, rule: SlopeRule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ALSFRS-R visits that a label is made of: in the window, untreated, with a total.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut.
    rule : SlopeRule
        Landmark and window.

    Returns
    -------
    row, days, total : arrays (v,)
        Index, days since the index day, points 0-48.
    """
    row, days, total = revised_visits(cohort)
    kept = rule.holds(days, natural_until_days(cohort.patients)[row]) & np.isfinite(total)
    return row[kept], days[kept], total[kept]


def delta_fs_labels(cohort: Cohort, rate: np.ndarray, cutoffs: tuple[float, ...]) -> Labels:
    """Classes of dFS at the landmark: a label of the past, for which nothing made of the ALSFRS-R
    may be a feature.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    rate : array (n,)
        dFS, points per month, NaN unknown.
    cutoffs : tuple of float
        Points per month, ascending.

    Returns
    -------
    Labels
        1 from the highest cut-off on.
    """
    rate = np.where(scored(cohort), rate, np.nan)
    level = classes_of(rate, cutoffs)
    labels = _labelled(
        cohort,
        np.where(np.isnan(rate), np.nan, (level == len(cutoffs)).astype(float)),
        {"alsfrs"},
        "no_dfs",
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

    Parameters
    ----------
    n : int
        Classes, 2 or more.

    Returns
    -------
    tuple of n str
        Unique.

    Examples
    --------
    >>> class_names(2), class_names(3)
    (('slow', 'fast'), ('slow', 'intermediate', 'fast'))
    >>> class_names(4)
    ('slow', 'intermediate_1', 'intermediate_2', 'fast')
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
    """A label from a numeric column of patients and a threshold.

    With the error of its values, how likely it is.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    column : str
        Of the patients table.
    above, below : float or None
        Threshold, in the column's own unit; one of them is given.
    error : float, optional
        Standard deviation of the error of a value, in the same unit.

    Returns
    -------
    Labels
        1 beyond the threshold, 0 not, NaN unknown.

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
            code="column_missing",
        )
    text = cohort.patients[column]
    value = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float)
    broken = np.flatnonzero(np.isnan(value) & text.notna().to_numpy())
    if len(broken):
        raise DataError(
            f"patients, column {column}, line {broken[0] + 2}",
            "a label must be a number",
            "Correct the cell.",
            code="cell_number",
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

    Phi((slope - cutoff) / (s / sqrt(spread))) with s the residual SD pooled over these patients'
    visits: what is learned instead of a label that a visit more or less would turn over. `y` where
    there is no slope.

    Parameters
    ----------
    cutoff : float
        Points per month.
    y, slope : arrays (n,)
        0/1 label; points lost per month, NaN unknown.
    scatter : array (n, 3)
        Of `features.alsfrs.slopes.slope_scatter`.

    Returns
    -------
    array (n,)
        0 to 1, NaN where the label is unknown.
    """
    spread, noise, freedom = np.where(np.isfinite(slope)[:, None], scatter, 0.0).T
    if freedom.sum() < 1 or noise.sum() <= 0:
        return y
    residual = np.sqrt(noise.sum() / freedom.sum())
    error = residual / np.sqrt(np.where(spread > 0, spread, np.nan))
    return np.where(np.isfinite(error) & np.isfinite(slope), norm.cdf((slope - cutoff) / error), y)


def out_of_scope(cohort: AnyCohort, task: Task, landmark_days: int) -> np.ndarray:
    """Reason why a patient is not scored, empty where it is: another diagnosis, an event before
    the landmark, or NIV or a gastrostomy by then where that is asked for.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    task : Task
        Whose exclusions count.
    landmark_days : int
        Days since the index day.

    Returns
    -------
    array of str (n,)
        `diagnosis`, `landmark`, `has_niv`, `has_gastrostomy` or empty.
    """
    other = ~scored(cohort)
    reason = np.full(len(cohort), "", dtype=object)
    if task in (NIV, GASTROSTOMY):
        reason[start_days(cohort, task.name) <= landmark_days] = f"has_{task.name}"
    if task is PROGRESSION or task.of_time:
        gone = (event_days(cohort.patients) <= landmark_days) | (
            last_seen_days(cohort.patients) <= landmark_days
        )
        reason[gone] = "landmark"
    reason[other] = "diagnosis"
    return reason


# The dates of what a time may be asked until; who is ventilated 23 hours a day has NIV.
STARTS = {"niv": ("niv_start_days", "niv_23h_days"), "gastrostomy": ("gastrostomy_days",)}


def start_days(cohort: AnyCohort, name: str) -> np.ndarray:
    """Day from which a patient is known to have NIV or a gastrostomy; inf where nothing says so.

    The first of the recorded dates and of the visits that show it: item 12 of the ALSFRS-R below 4,
    as in stage 4B of King's (Balendra 2014; 0 is invasive ventilation, which is no NIV), and form b
    of item 5, which is asked of patients with a gastrostomy.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    name : str
        Of STARTS.

    Returns
    -------
    array (n,)
        Days since the index day.
    """
    dates = np.column_stack([cohort.patients[date].to_numpy(dtype=float) for date in STARTS[name]])
    first = np.asarray(np.where(np.isnan(dates), np.inf, dates).min(axis=1))
    visits = cohort.alsfrs
    days = visits["days"].to_numpy(dtype=float)
    shown = _shows_niv(visits) if name == "niv" else visits["q5_form"].to_numpy(object) == "b"
    shown = shown & np.isfinite(days)
    np.minimum.at(first, visits["row"].to_numpy(dtype=int)[shown], days[shown])
    return first


def _shows_niv(visits: Frame) -> np.ndarray:
    item = visits["q12"].to_numpy(dtype=float)
    return np.asarray((item > 0) & (item < 4))


def event_days(patients: Frame) -> np.ndarray:
    """First day of death, tracheostomy or NIV >= 23 h/day; inf where none is recorded.

    Parameters
    ----------
    patients : DataFrame or Table
        Checked, n rows.

    Returns
    -------
    array (n,)
        Days since the index day.
    """
    columns = np.column_stack(
        [patients[f"{event}_days"].to_numpy() for event in ("death", "tracheostomy", "niv_23h")]
    )
    return np.where(np.isnan(columns), np.inf, columns).min(axis=1)


def last_seen_days(patients: Frame) -> np.ndarray:
    """Day of last contact; inf where none is recorded.

    Parameters
    ----------
    patients : DataFrame or Table
        Checked, n rows.

    Returns
    -------
    array (n,)
        Days since the index day.
    """
    last = patients["last_contact_days"].to_numpy()
    return np.where(np.isnan(last), np.inf, last)


def natural_until_days(patients: Frame) -> np.ndarray:
    """Day on which tofersen or a trial drug starts: what comes later does not show the natural
    course.

    inf untreated; -inf where `tofersen` or `trial_drug` says yes and no start is known, so that any
    visit may be a treated one.

    Parameters
    ----------
    patients : DataFrame or Table
        Checked, n rows.

    Returns
    -------
    array (n,)
        Days since the index day.
    """
    until = []
    for drug in ("tofersen", "trial_drug"):
        start = patients[f"{drug}_start_days"].to_numpy(dtype=float)
        undated = np.isnan(start) & (patients[drug].to_numpy(dtype=object) == "yes")
        until.append(np.select([undated, np.isnan(start)], [-np.inf, np.inf], start))
    return np.minimum(*until)


def _labelled(
    cohort: Cohort, y: np.ndarray, sources: set[str], why: "np.ndarray | str" = "empty"
) -> Labels:
    """Labels with their counts; `why` says what stands where there is none."""
    keep = scored(cohort)
    unlabelled = keep & np.isnan(y)
    reasons = pd.Series(np.broadcast_to(why, len(y))[unlabelled]).value_counts().sort_index()
    counts = {f"unlabelled_{name}": int(n) for name, n in reasons.items()}
    counts |= {"other_diagnosis": int((~keep).sum())} if not keep.all() else {}
    y = np.where(keep, y, np.nan)
    return Labels(y=y, counts=counts | _class_counts(y), sources=sources)


def in_words(labels: Labels, task: Task) -> str:
    """How many patients have each label or none, and every reason with its count.

    >>> counts = {"fast_by_event": 2, "slow_by_slope": 5, "unlabelled_lost": 1}
    >>> counts |= {"positive": 2, "negative": 5, "unlabelled_total": 1}
    >>> in_words(Labels(np.zeros(8), counts), PROGRESSION)
    '2 fast, 5 slow, 1 without a label: 2 fast by event, 5 slow by slope, 1 unlabelled lost'
    """
    names = {
        "positive": task.positive,
        "negative": task.negative,
        "unlabelled_total": "without a label",
    }
    totals = [f"{labels.counts[name]} {word}" for name, word in names.items()]
    reasons = [
        f"{n} {name.replace('_', ' ')}" for name, n in labels.counts.items() if name not in names
    ]
    return ", ".join(totals) + (f": {', '.join(reasons)}" if reasons else "")


def _class_counts(y: np.ndarray) -> dict[str, int]:
    return {
        "positive": int((y == 1).sum()),
        "negative": int((y == 0).sum()),
        "unlabelled_total": int(np.isnan(y).sum()),
    }
