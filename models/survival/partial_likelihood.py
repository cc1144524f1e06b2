"""Cox's partial likelihood, its gradient and its curvature.

Events on one day share a risk set (Breslow 1974, doi:10.2307/2529620), as in glmnet. With `entry` a
patient is at risk from after it only (delayed entry).
"""

from typing import NamedTuple

import numpy as np

# Beyond it exp() says nothing more of a hazard ratio (P).
FARTHEST = 30.0
# Steps of a search on one coefficient (six are usual), and the move at which it ends.
_MOST_STEPS, _STILL = 50, 1e-10
# A hazard ratio per standard deviation above e^8 separates the patients: the search ends there (P).
_STEEPEST = 8.0


class RiskSets(NamedTuple):
    """Who is at risk at which event time.

    `times` (m,) distinct event times, ascending, with `events` (m,) at each. `enters` and `leaves`
    (n,): a patient is at risk at the times from `enters` up to but not with `leaves`.
    """

    times: np.ndarray
    events: np.ndarray
    enters: np.ndarray
    leaves: np.ndarray
    event: np.ndarray


class Moments(NamedTuple):
    """Log partial likelihood with its first and negative second derivative, (p,) and (p, p)."""

    value: float
    gradient: np.ndarray
    curvature: np.ndarray


def risk_sets(months: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None) -> RiskSets:
    """Order the patients by time.

    Parameters
    ----------
    months : array (n,)
        Time of event or censoring.
    event : array of bool (n,)
        Which of the two.
    entry : array (n,), optional
        Time after which a patient is at risk; by default before all events.

    Returns
    -------
    RiskSets
        Of the m distinct event times.
    """
    event = np.asarray(event, dtype=bool)
    times, events = np.unique(months[event], return_counts=True)
    leaves = np.searchsorted(times, months, side="right")
    enters = np.zeros(len(months), dtype=int)
    if entry is not None:
        enters = np.searchsorted(times, entry, side="right")
    return RiskSets(
        times=times, events=events.astype(float), enters=enters, leaves=leaves, event=event
    )


def at_risk_sums(sets: RiskSets, values: np.ndarray) -> np.ndarray:
    """Sum of a value over those at risk at each event time.

    Parameters
    ----------
    sets : RiskSets
        Of n patients and m times.
    values : array (n,) or (n, p)
        Of the patients.

    Returns
    -------
    array (m,) or (m, p)
        In the order of the times.
    """
    m = len(sets.times)
    left = _summed(sets.leaves, values, m)
    late = _summed(sets.enters, values, m)
    # Summed from the last time backwards: who leaves later is at risk earlier.
    return np.asarray((left - late)[::-1].cumsum(axis=0)[::-1][1:])


def _summed(groups: np.ndarray, values: np.ndarray, m: int) -> np.ndarray:
    """Sum of the values of each group 0..m."""
    if not groups.any():
        total = np.zeros((m + 1, *values.shape[1:]))
        total[0] = values.sum(axis=0)
        return total
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], np.arange(m + 1), side="left")
    total = np.zeros((m + 1, *values.shape[1:]))
    filled = np.flatnonzero(np.diff(np.r_[ends, len(groups)]) > 0)
    total[filled] = np.add.reduceat(values[order], ends[filled], axis=0)
    return total


def cumulated(sets: RiskSets, increments: np.ndarray) -> np.ndarray:
    """Sum of the increments of all event times at which each patient was at risk.

    Parameters
    ----------
    sets : RiskSets
        Of n patients and m times.
    increments : array (m,)
        Of a cumulative hazard.

    Returns
    -------
    array (n,)
        In the order of the patients.
    """
    total = np.r_[0.0, np.cumsum(increments)]
    return np.asarray(
        np.where(sets.leaves > sets.enters, total[sets.leaves] - total[sets.enters], 0)
    )


def value_of(sets: RiskSets, eta: np.ndarray) -> float:
    """Log partial likelihood of log hazard ratios (n,)."""
    eta = np.clip(eta, -FARTHEST, FARTHEST)
    whole = at_risk_sums(sets, np.exp(eta))
    return float(eta[sets.event].sum() - sets.events @ np.log(whole))


def moments(X: np.ndarray, sets: RiskSets, eta: np.ndarray) -> Moments:
    """The log partial likelihood at log hazard ratios, and how it bends along the columns.

    Parameters
    ----------
    X : array (n, p)
        Without gaps.
    sets : RiskSets
        Of the same patients.
    eta : array (n,)
        Log hazard ratios.

    Returns
    -------
    Moments
        Cox 1972 (doi:10.1111/j.2517-6161.1972.tb00899.x), equations 14 to 16.
    """
    eta = np.clip(eta, -FARTHEST, FARTHEST)
    ratio = np.exp(eta)
    whole = at_risk_sums(sets, ratio)
    mean = at_risk_sums(sets, X * ratio[:, None]) / whole[:, None]
    expected = ratio * cumulated(sets, sets.events / whole)
    value = float(eta[sets.event].sum() - sets.events @ np.log(whole))
    gradient = (sets.event - expected) @ X
    curvature = X.T @ (X * expected[:, None]) - mean.T @ (mean * sets.events[:, None])
    return Moments(value, gradient, curvature)


def slope_of(
    score: np.ndarray, months: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None
) -> float:
    """Cox's coefficient of one score: 1 where the score is a log hazard ratio that holds.

    Parameters
    ----------
    score : array (n,)
        Of the patients.
    months : array (n,)
        Time of event or censoring.
    event : array of bool (n,)
        Which of the two.
    entry : array (n,), optional
        Time after which a patient is at risk.

    Returns
    -------
    float
        0 where the score says nothing, or the opposite.
    """
    spread = float(score.std())
    if spread == 0 or not np.asarray(event).any():
        return 0.0
    z = ((score - score.mean()) / spread)[:, None]
    sets = risk_sets(months, event, entry)
    slope, now = 0.0, moments(z, sets, np.zeros(len(z)))
    for _ in range(_MOST_STEPS):
        bent = float(now.curvature[0, 0])
        if bent <= 0 or abs(slope) > _STEEPEST:
            break
        step = float(now.gradient[0]) / bent
        slope, now = _climbed(z, sets, slope, step, now)
        if abs(step) < _STILL:
            break
    return max(slope, 0.0) / spread


def _climbed(
    z: np.ndarray, sets: RiskSets, slope: float, step: float, now: Moments
) -> tuple[float, Moments]:
    """Take a step, halved until the likelihood does not fall."""
    while abs(step) > _STILL:
        reached = moments(z, sets, (slope + step) * z[:, 0])
        if reached.value >= now.value - 1e-9 * abs(now.value):
            return slope + step, reached
        step /= 2
    return slope, now


def cox_loss(score: np.ndarray, months: np.ndarray, event: np.ndarray) -> float:
    """Negative log partial likelihood an event of a score at its best slope, so that its scale does
    not count.

    Parameters
    ----------
    score : array (n,)
        Of the patients.
    months : array (n,)
        Time of event or censoring.
    event : array of bool (n,)
        Which of the two.

    Returns
    -------
    float
        Lower is better.
    """
    sets = risk_sets(months, event)
    return -value_of(sets, slope_of(score, months, event) * score) / max(float(sum(event)), 1.0)
