"""Absolute risk of an event where another may come first and make it impossible.

The share of patients who have the event by a time is the sum over time of those still without any
event times the hazard of this one: S(t-) dH1 with S = exp(-H1 - H2) (Aalen and Johansen 1978; from
cause-specific Cox models Benichou and Gail 1990, doi:10.2307/2532098). One minus the survival of
the event alone would be the risk of patients who cannot die, and is never stated.
"""

import numpy as np
from scipy.special import expm1


def incidence(event: np.ndarray, rival: np.ndarray) -> np.ndarray:
    """Risk of the event from the cumulative hazards of the event and of what competes with it.

    Both hazards are taken as constant between two times, for which the sum is exact.

    Parameters
    ----------
    event, rival : arrays (n, k)
        Cumulative hazards of each patient at rising times, from the start of the first of them on.

    Returns
    -------
    array (n, k)
        Share who have had the event by each time; with that of the rival and those without either
        it adds up to 1.

    Examples
    --------
    Of a group in which death is as frequent, at most half ever have the event.

    >>> hazard = np.array([[0.1, 0.5, 20.0]])
    >>> incidence(hazard, hazard).round(3).tolist()
    [[0.091, 0.316, 0.5]]
    >>> incidence(hazard, 0 * hazard).round(3).tolist()
    [[0.095, 0.393, 1.0]]
    """
    first, both = _steps(event), _steps(event + rival)
    ended = -expm1(-both)
    share = np.divide(first, both, out=np.zeros_like(both), where=both > 0)
    before = 1 + expm1(-(np.cumsum(both, axis=1) - both))
    return np.asarray(np.cumsum(before * share * ended, axis=1))


def _steps(cumulative: np.ndarray) -> np.ndarray:
    return np.diff(cumulative, axis=1, prepend=0.0)


def months_until(risk: np.ndarray, months: np.ndarray, level: float) -> np.ndarray:
    """Time by which the risk of each patient reaches a level.

    Parameters
    ----------
    risk : array (n, k)
        By each of the times, rising.
    months : array (k,)
        The times, 0 first.
    level : float
        Above 0, to 1.

    Returns
    -------
    array (n,)
        Months, linear between two times; NaN where the level is not reached.
    """
    last = (risk < level).sum(axis=1)
    inside = np.clip(last, 1, len(months) - 1)
    row = np.arange(len(risk))
    low, high = risk[row, inside - 1], risk[row, inside]
    rise = np.where(high > low, high - low, 1.0)
    at = months[inside - 1] + (level - low) / rise * (months[inside] - months[inside - 1])
    return np.where(last < len(months), at, np.nan)
