"""From a log hazard ratio to a survival curve: Breslow's baseline as a small table, and what is
read off it.

The hazard of a patient with score s is h0(t) exp(b1 s) in the first year and h0(t) exp(b2 s) after
it. The slopes b1 and b2 and the baseline come from out-of-fold scores, so that the curve is
calibrated at 12 and 24 months; a hazard is never negative, so that a curve never rises.
Nothing is said beyond `end`, the last time that enough training patients were followed to.
"""

from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expm1

from features.stored import Json
from models.survival.conformal import uncensored
from models.survival.partial_likelihood import (
    FARTHEST,
    at_risk_sums,
    risk_sets,
    slope_of,
)
from models.survival.times import TWO_YEARS, YEAR

# The table's step in months: shorter than the time between two visits (P).
STEP = 0.5
# Patients that must still be followed at the end of the table (P): fewer make a step of one death.
FEWEST_FOLLOWED = 10
# Share of those without the event who must be followed so far (P, as for Uno's c): beyond it hardly
# anybody but those with an event is seen, and all seem to have it.
LEAST_UNCENSORED = 0.1
# Events after the first year from which it has a slope of its own (P).
FEWEST_LATE_EVENTS = 20
# The fifths of the training risk. ENCALS publishes no cut-offs, so these are not its groups.
GROUPS = ("lowest_fifth", "second_fifth", "middle_fifth", "fourth_fifth", "highest_fifth")


@dataclass(frozen=True)
class SurvivalCurve:
    """A stored baseline and its calibration.

    Attributes
    ----------
    months : tuple
        Times of the table, 0 first; they hold 365 and 730 days where they reach so far.
    hazard : tuple
        Cumulative baseline hazard at each.
    centre : float
        Score at which the hazard ratio is 1.
    slopes : (float, float)
        Of the score in the first year and after it.
    groups : tuple of 4 float
        Scores less the centre between the fifths of the training patients; empty where these do
        not differ.
    low_risk : float
        Risk at which the conformal lower bound of the survival time lies.
    """

    months: tuple[float, ...]
    hazard: tuple[float, ...]
    centre: float = 0.0
    slopes: tuple[float, float] = (1.0, 1.0)
    groups: tuple[float, ...] = ()
    low_risk: float = 0.0

    @property
    def end(self) -> float:
        """Months of follow-up beyond which nothing is said."""
        return self.months[-1]

    @cached_property
    def table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, and the cumulative baseline hazard in the first year and after it."""
        months, hazard = np.asarray(self.months), np.asarray(self.hazard)
        early = np.minimum(hazard, np.interp(YEAR, months, hazard))
        return months, early, hazard - early

    def cumulative(self, score: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Cumulative hazard of each patient at each time, linear between those of the table.

        Parameters
        ----------
        score : array (n,)
            Of the model.
        months : array (k,)
            Times, not beyond `end`.

        Returns
        -------
        array (n, k)
            0 or more.
        """
        table, early, late = self.table
        first, then = self.ratios(score)
        now, after = np.interp(months, table, early), np.interp(months, table, late)
        return np.asarray(first[:, None] * now + then[:, None] * after)

    def ratios(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hazard ratios in the first year and after it.

        Parameters
        ----------
        score : array (n,)
            Of the model.

        Returns
        -------
        first, then : arrays (n,)
            Above 0.
        """
        apart = np.ascontiguousarray(score - self.centre)
        first, then = (np.exp(np.clip(b * apart, -FARTHEST, FARTHEST)) for b in self.slopes)
        return first, then

    def survival(self, score: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Probability of no event until each time.

        Parameters
        ----------
        score : array (n,)
            Of the model.
        months : array (k,)
            After the landmark.

        Returns
        -------
        array (n, k)
            1 at time 0, falling; NaN beyond the follow-up of the training patients.
        """
        return 1 - self.risk(score, months)

    def risk(self, score: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Probability of the event until each time.

        Parameters
        ----------
        score : array (n,)
            Of the model.
        months : array (k,)
            After the landmark.

        Returns
        -------
        array (n, k)
            0 to 1; NaN beyond the follow-up of the training patients.
        """
        months = np.asarray(months, dtype=float)
        risk = -expm1(-self.cumulative(score, months))
        return np.where(months <= self.end, risk, np.nan)

    def months_until(self, score: np.ndarray, risk: float) -> np.ndarray:
        """Time at which the risk of each patient reaches a level.

        Parameters
        ----------
        score : array (n,)
            Of the model.
        risk : float
            0 to 1.

        Returns
        -------
        array (n,)
            Months after the landmark; NaN where the follow-up ends before.
        """
        if risk >= 1:
            return np.full(len(score), np.nan)
        months, _, _ = self.table
        level = -np.log1p(-risk)
        reached = self.cumulative(score, months)
        last = (reached < level).sum(axis=1)
        inside = np.minimum(last, len(months) - 1)
        before = np.maximum(inside - 1, 0)
        rows = np.arange(len(score))
        low, high = reached[rows, before], reached[rows, inside]
        rise = np.where(high > low, high - low, 1.0)
        part = np.clip((level - low) / rise, 0.0, 1.0)
        at = months[before] + part * (months[inside] - months[before])
        return np.where(last < len(months), at, np.nan)

    def lower_bound(self, score: np.ndarray) -> np.ndarray:
        """Conformal lower bound of the survival time (`models.survival.conformal`).

        Parameters
        ----------
        score : array (n,)
            Of the model.

        Returns
        -------
        array (n,)
            Months after the landmark; the end of the follow-up where the bound lies beyond it.
        """
        at = self.months_until(score, self.low_risk)
        return np.where(np.isnan(at), self.end, at)

    def group(self, score: np.ndarray) -> list[str | None]:
        """Fifth of the training risk that each patient lies in.

        Parameters
        ----------
        score : array (n,)
            Of the model.

        Returns
        -------
        list of n str or None
            Of GROUPS; None where the training patients do not differ.
        """
        if not self.groups:
            return [None] * len(score)
        apart = score - self.centre
        return [GROUPS[i] for i in np.searchsorted(self.groups, apart, side="right")]

    def to_json(self) -> Json:
        """Plain lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Json) -> "SurvivalCurve":
        """Inverse of `to_json`.

        Parameters
        ----------
        stored : dict
            Of `to_json`.
        """
        first, then = stored["slopes"]
        return cls(
            months=tuple(stored["months"]),
            hazard=tuple(stored["hazard"]),
            centre=stored["centre"],
            slopes=(first, then),
            groups=tuple(stored["groups"]),
            low_risk=stored["low_risk"],
        )


def fit_curve(
    score: np.ndarray, months: np.ndarray, event: np.ndarray, ended: np.ndarray | None = None
) -> SurvivalCurve:
    """Calibrate scores and learn the baseline.

    Of one of several causes the hazard is the cause-specific one: who had another leaves the risk
    set then.

    Parameters
    ----------
    score : array (n,)
        Out-of-fold scores.
    months : array (n,)
        Time of event or censoring, above 0.
    event : array of bool (n,)
        Which of the two.
    ended : array of bool (n,), optional
        Whether the time ended in an event of any cause; by default `event`.

    Returns
    -------
    SurvivalCurve
        Without a conformal bound.
    """
    centre = float(score.mean())
    slopes = _slopes(score - centre, months, event)
    times = table_months(months, event if ended is None else ended)
    curve = SurvivalCurve(
        months=tuple(map(float, times)),
        hazard=tuple(np.zeros(len(times))),
        centre=centre,
        slopes=slopes,
        groups=_fifths(score - centre, slopes[0]),
    )
    baseline = _breslow(curve, score, months, event)
    return replace(curve, hazard=tuple(map(float, baseline(times))))


def _slopes(score: np.ndarray, months: np.ndarray, event: np.ndarray) -> tuple[float, float]:
    first = slope_of(score, np.minimum(months, YEAR), event & (months <= YEAR))
    later = months > YEAR
    if (event & later).sum() < FEWEST_LATE_EVENTS:
        return first, first
    return first, slope_of(score[later], months[later], event[later])


def table_months(months: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """Times of the table up to where enough patients were followed.

    Parameters
    ----------
    months : array (n,)
        Time of event or censoring.
    ended : array of bool (n,)
        Which of the two; an event of any cause.

    Returns
    -------
    array (k,)
        0 first, then half months, with 365 and 730 days where they are reached.
    """
    followed = np.sort(months)[::-1][min(FEWEST_FOLLOWED, len(months)) - 1]
    steps = np.arange(0.0, followed + STEP, STEP)
    times = np.unique(np.r_[steps, YEAR, TWO_YEARS])
    times = times[times <= followed]
    # 1 - 198 / 220 is a little below a tenth.
    return np.asarray(times[uncensored(months, ended, times) >= LEAST_UNCENSORED - 1e-9])


def _fifths(score: np.ndarray, slope: float) -> tuple[float, ...]:
    """Rounded, so that no limit is one patient's score."""
    limits = np.round(np.quantile(score, (0.2, 0.4, 0.6, 0.8)), 2)
    return tuple(map(float, limits)) if slope > 0 and (np.diff(limits) > 0).all() else ()


class _Breslow:
    """Breslow's cumulative baseline hazard, the risk sets of the two periods by their own slope."""

    def __init__(self, times: np.ndarray, increments: np.ndarray) -> None:
        self.times, self.total = times, np.r_[0.0, np.cumsum(increments)]

    def __call__(self, at: np.ndarray) -> np.ndarray:
        return np.asarray(self.total[np.searchsorted(self.times, at, side="right")])


def _breslow(
    curve: SurvivalCurve, score: np.ndarray, months: np.ndarray, event: np.ndarray
) -> _Breslow:
    sets = risk_sets(months, event)
    apart = score - curve.centre
    whole = [
        at_risk_sums(sets, np.exp(np.clip(b * apart, -FARTHEST, FARTHEST))) for b in curve.slopes
    ]
    return _Breslow(sets.times, sets.events / np.where(sets.times <= YEAR, *whole))
