"""The patients of a cohort as a trial would meet them at its baseline: the model's landmark.

The prediction of a patient must come from a model that does not know him. Patients whom the model
was trained on are left out; where too few are left, the configuration of its run is
cross-validated on the cohort instead, and each patient's prediction is out of fold.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import logit

from features.alsfrs.slopes import DAYS_PER_MONTH, decline
from features.blocks.alsfrs import alsfrs_features
from features.blocks.landmark import as_known
from features.cohort import Cohort
from models.labels import revised_visits
from models.survival.labels import TimeRule, survival_labels

# Planned visits, months after baseline: the ALSFRS-R each quarter, and how far one may lie off (P).
VISITS, _OFF = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0), 1.5
# What a trial adjusts for anyway, by name.
COVARIATES = ("total", "delta_fs", "bulbar", "age", "riluzole")
USUAL = ("total", "delta_fs", "bulbar")
_EDGE = 1e-6


@dataclass(frozen=True)
class Pool:
    """n patients at baseline with what became of them.

    `months` and `event` (n,); `row`, `when` (months) and `total` of their visits after baseline;
    `baseline` (n,) total; `changes` (n, k) from it at the planned visits and `slope` (n,) lost a
    month until the end of the trial, both of `at_end`; `usual` (n, c) covariates, standardised;
    `score` (n,), higher = worse, and `for_slope` (n,) the prediction for a rate of decline.
    """

    months: np.ndarray
    event: np.ndarray
    row: np.ndarray
    when: np.ndarray
    total: np.ndarray
    baseline: np.ndarray
    usual: np.ndarray
    score: np.ndarray
    for_slope: np.ndarray
    families: np.ndarray
    changes: np.ndarray
    slope: np.ndarray

    def take(self, rows: np.ndarray) -> "Pool":
        """Some of the patients.

        Parameters
        ----------
        rows : array of int
            Positions, each once.

        Returns
        -------
        Pool
            In that order.
        """
        place = np.full(len(self.months), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.row] >= 0
        return Pool(
            months=self.months[rows],
            event=self.event[rows],
            row=place[self.row[kept]],
            when=self.when[kept],
            total=self.total[kept],
            baseline=self.baseline[rows],
            usual=self.usual[rows],
            score=self.score[rows],
            for_slope=self.for_slope[rows],
            families=self.families[rows],
            changes=self.changes[rows],
            slope=self.slope[rows],
        )

    def at_end(self, end: float) -> "Pool":
        """What is seen until the end of a trial.

        Parameters
        ----------
        end : float
            Months after baseline.

        Returns
        -------
        Pool
            Followed no longer, with changes and slopes of the visits until then.
        """
        n, planned = len(self.months), np.array([t for t in VISITS if t <= end + 1e-9])
        seen = self.when <= end + _OFF
        row, when, total = self.row[seen], self.when[seen], self.total[seen]
        slope, _, span = decline(row, when * DAYS_PER_MONTH, total, n)
        return replace(
            self,
            months=np.minimum(self.months, end),
            event=np.where(self.months > end, 0, self.event),
            changes=_nearest(row, when, total, planned, n) - self.baseline[:, None],
            slope=np.where(span >= 60, slope, np.nan),
        )

    @cached_property
    def hazard(self) -> tuple[np.ndarray, np.ndarray]:
        """Cumulative hazard of the event at each time, from 0 on, rising."""
        return _cumulative(self.months, self.event)

    @cached_property
    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of being lost; who is followed to the end is not."""
        lost = (self.event == 0) & (self.months < self.months.max(initial=0.0))
        return _cumulative(self.months, lost)


def _cumulative(months: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nelson and Aalen's estimate."""
    times, place = np.unique(months, return_inverse=True)
    left = np.bincount(place)
    at_risk = left[::-1].cumsum()[::-1]
    steps = np.bincount(place, ends) / at_risk
    rising = np.arange(len(times) + 1) * 1e-12
    return np.r_[0.0, times], np.r_[0.0, np.cumsum(steps)] + rising


def _nearest(
    row: np.ndarray, when: np.ndarray, total: np.ndarray, planned: np.ndarray, n: int
) -> np.ndarray:
    """Total at the visit nearest to each planned one, (n, k); NaN without one near enough."""
    found = np.full((n, len(planned)), np.nan)
    for k, month in enumerate(planned):
        off = np.abs(when - month)
        near = np.flatnonzero(off <= _OFF)
        order = near[np.argsort(-off[near], kind="stable")]
        found[row[order], k] = total[order]  # the nearest is written last
    return found


def pool_of(
    cohort: Cohort,
    rule: TimeRule,
    risk: np.ndarray,
    slope: np.ndarray | None,
    adjust: tuple[str, ...] = USUAL,
) -> Pool:
    """The patients who have a time, a total at baseline and a prediction.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut.
    rule : TimeRule
        Baseline, and what counts as the event.
    risk : array (n,)
        Predicted probability of the event, or of fast progression; NaN none.
    slope : array (n,), optional
        Predicted rate of decline; without it the risk stands for it.
    adjust : tuple of str
        What the trial adjusts for anyway, of COVARIATES.

    Returns
    -------
    Pool
        Of those patients.
    """
    _, times = survival_labels(cohort, rule)
    known = alsfrs_features(as_known(cohort, rule.landmark_days))
    score = logit(np.clip(risk, _EDGE, 1 - _EDGE))
    for_slope = score if slope is None else np.where(np.isfinite(slope), slope, np.nan)
    baseline = known["alsfrs_total"]
    kept = np.isfinite(times.months) & np.isfinite(score) & np.isfinite(baseline)
    kept &= np.isfinite(for_slope)
    row, days, total = revised_visits(cohort)
    when = (days - rule.landmark_days) / DAYS_PER_MONTH
    after = (when > 0) & np.isfinite(total)
    n = len(cohort)
    whole = Pool(
        months=times.months,
        event=times.event.astype(int),
        row=row[after],
        when=when[after],
        total=total[after],
        baseline=baseline,
        usual=np.column_stack([_covariate(name, cohort, known, kept) for name in adjust])
        if adjust
        else np.zeros((n, 0)),
        score=score,
        for_slope=for_slope,
        families=cohort.families,
        changes=np.full((n, 0), np.nan),
        slope=np.full(n, np.nan),
    )
    return whole.take(np.flatnonzero(kept))


def _covariate(
    name: str, cohort: Cohort, known: dict[str, np.ndarray], kept: np.ndarray
) -> np.ndarray:
    """A usual covariate, standardised over the kept patients; unknown = their mean."""
    patients = cohort.patients
    if name in ("total", "delta_fs"):
        values = known["alsfrs_total" if name == "total" else name]
    elif name == "age":
        values = patients["age_at_onset"].to_numpy(dtype=float)
    else:
        column, word = {"bulbar": ("onset_site", "bulbar"), "riluzole": ("riluzole", "yes")}[name]
        values = (patients[column] == word).to_numpy(dtype=float)
    some = values[kept]
    mean = float(np.nanmean(some)) if np.isfinite(some).any() else 0.0
    filled = np.where(np.isfinite(values), values, mean)
    spread = float(filled[kept].std()) if kept.any() else 0.0
    return np.asarray((filled - mean) / (spread if spread > 0 else 1.0))
