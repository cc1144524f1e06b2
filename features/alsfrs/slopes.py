"""ALSFRS-R visits: totals and rates of decline.

Scale: 12 items of 0-4, total 0-48 (Cedarbaum 1999); the older ALSFRS has 10 items, total 0-40, and
is never mixed with it. Days are relative to the index day; 1 month = 30.4375 days. A missing item
is never 0: the total is then missing. All functions work on flat arrays with one entry a visit and
`row` = index of the patient, so that one patient and a million take the same path.
"""

import numpy as np

DAYS_PER_MONTH = 30.4375
FULL_SCORE = {"alsfrs_r": 48.0, "alsfrs": 40.0}


def decline(
    row: np.ndarray, days: np.ndarray, total: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least-squares rate of decline of each of `n` patients.

    Parameters
    ----------
    row : array (v,)
        Patient of each visit.
    days : array (v,)
        Days since the index day.
    total : array (v,)
        Points; NaN unknown, which is left out.
    n : int
        Number of patients.

    Returns
    -------
    slope : array of n
        Points lost per month, positive = decline; NaN with fewer than two different days.
    visits : array of n
        Visits used (those with a total).
    span : array of n
        Days from the first to the last of them, 0 with fewer than two.
    """
    known = np.isfinite(total)
    row, months, total = row[known], days[known] / DAYS_PER_MONTH, total[known]
    visits = np.bincount(row, minlength=n)
    some = np.maximum(visits, 1)
    centred = months - (np.bincount(row, months, n) / some)[row]
    lost = (np.bincount(row, total, n) / some)[row] - total
    spread = np.bincount(row, centred * centred, n)
    slope = np.divide(
        np.bincount(row, centred * lost, n), spread, out=np.full(n, np.nan), where=spread > 1e-9
    )
    return slope, visits, _span(row, days[known], n)


def decline_error(
    row: np.ndarray, days: np.ndarray, total: np.ndarray, slope: np.ndarray, n: int
) -> np.ndarray:
    """Standard error of the least-squares slope from the patient's own residuals; NaN with fewer
    than three visits.

    Parameters
    ----------
    row, days, total, n
        As for `decline`.
    slope : array (n,)
        Of `decline`, points lost per month.

    Returns
    -------
    array (n,)
        Points per month.
    """
    spread, noise, freedom = slope_scatter(row, days, total, slope, n).T
    usable = (freedom > 0) & (spread > 1e-9)
    return np.sqrt(np.divide(noise, spread * freedom, out=np.full(n, np.nan), where=usable))


def slope_scatter(
    row: np.ndarray, days: np.ndarray, total: np.ndarray, slope: np.ndarray, n: int
) -> np.ndarray:
    """What the error of a least-squares slope is made of.


    Parameters
    ----------
    row, days, total, n
        As for `decline`.
    slope : array (n,)
        Of `decline`, points lost per month; NaN counts as 0.

    Returns
    -------
    array (n, 3)
        Sum of squared months around their mean, sum of squared residuals (points^2), degrees of
        freedom
        (visits - 2, at least 0). The error of a slope is sqrt(residual variance / first column).
    """
    known = np.isfinite(total)
    row, months, total = row[known], days[known] / DAYS_PER_MONTH, total[known]
    visits = np.bincount(row, minlength=n)
    some = np.maximum(visits, 1)
    centred = months - (np.bincount(row, months, n) / some)[row]
    fall = np.where(np.isnan(slope), 0.0, slope)[row] * centred
    residual = total - (np.bincount(row, total, n) / some)[row] + fall
    spread, noise = np.bincount(row, centred**2, n), np.bincount(row, residual**2, n)
    return np.column_stack([spread, noise, np.maximum(visits - 2, 0)])


def _span(row: np.ndarray, days: np.ndarray, n: int) -> np.ndarray:
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(first, row, days)
    np.maximum.at(last, row, days)
    return np.maximum(last - first, 0.0, where=last >= first, out=np.zeros(n))


def last_visit(
    row: np.ndarray, days: np.ndarray, until_days: float, usable: np.ndarray, n: int
) -> np.ndarray:
    """Index of each patient's last usable visit at or before a day, -1 if there is none.

    Parameters
    ----------
    row : array (v,)
        Patient of each visit.
    days : array (v,)
        Days since the index day.
    until_days : float or array (v,)
        Last day that counts; it counts itself.
    usable : array of bool (v,)
        Visits that may be taken.
    n : int
        Number of patients.

    Returns
    -------
    array of int (n,)
        Position among the visits.
    """
    (candidates,) = (usable & (days <= until_days)).nonzero()
    latest = np.full(n, -np.inf)
    np.maximum.at(latest, row[candidates], days[candidates])
    candidates = candidates[days[candidates] == latest[row[candidates]]]
    last = np.full(n, -1)
    last[row[candidates]] = candidates  # of two on one day the later row
    return last


def delta_fs(
    total: np.ndarray, months_from_onset: np.ndarray, full_score: float = 48.0
) -> np.ndarray:
    """DFS = (48 - total) / months from onset, in points per month.

    Missing under 1 month (contract, section Time).

    Parameters
    ----------
    total : array (n,)
        Points.
    months_from_onset : array (n,)
        Months from symptom onset to the visit.
    full_score : float
        Points of full function on the scale: 48 for the ALSFRS-R.

    Returns
    -------
    array (n,)
        Points lost per month since onset.

    Examples
    --------
    >>> delta_fs(np.array([36.0, 40.0]), np.array([12.0, 0.5])).tolist()
    [1.0, nan]
    """
    usable = months_from_onset >= 1.0
    return np.divide(
        full_score - total, months_from_onset, out=np.full(len(total), np.nan), where=usable
    )
