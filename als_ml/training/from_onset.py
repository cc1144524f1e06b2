"""What is counted from symptom onset: ENCALS' published curve beside the model's, and the share
without the event by the month from onset.

A patient is in the data for having reached the landmark, so that nothing is seen of those who died
before it. Time from onset therefore starts at risk at the landmark only (delayed entry), and a
curve from onset is taken from there on: S(landmark + t) / S(landmark).
"""

import numpy as np

from als_ml.training.survival_metrics import kaplan_meier
from als_ml.training.tables import Figures
from features.alsfrs.encals import survival
from features.alsfrs.slopes import DAYS_PER_MONTH
from features.patients import is_uncertain
from features.tables.columns import Frame
from models.survival.labels import Times

# Patients at risk below whom a curve is not begun or carried on (P, as the model's own table).
_FEWEST = 10
# Months between two rows: as coarse as survival from onset is quoted.
_STEP = 6.0


def months_to_landmark(patients: Frame, landmark_days: int) -> np.ndarray:
    """Months from onset to the landmark.

    Parameters
    ----------
    patients : DataFrame
        Checked, n rows.
    landmark_days : int
        Since the index day.

    Returns
    -------
    array (n,)
        Above 0; NaN where the onset is unknown, known to the year only, or not before the landmark.
    """
    onset = patients["onset_days"].to_numpy(dtype=float)
    onset = np.where(is_uncertain(patients, "onset_days"), np.nan, onset)
    months = (landmark_days - onset) / DAYS_PER_MONTH
    return np.where(months > 0, months, np.nan)


def encals_curve(predictor: np.ndarray, entry: np.ndarray, months: np.ndarray) -> np.ndarray:
    """ENCALS' share without an event by each month after the landmark, of those who reached it.

    Parameters
    ----------
    predictor : array (n,)
        `features.alsfrs.encals.linear_predictor`, NaN unknown.
    entry : array (n,)
        Months from onset to the landmark, NaN unknown.
    months : array (k,)
        After the landmark.

    Returns
    -------
    array (n, k)
        0 to 1; NaN where an input is unknown.

    Examples
    --------
    By month 24 from onset 81.6 % of such patients are without an event, by month 12 97.9 %.

    >>> encals_curve(np.array([-4.5]), np.array([12.0]), np.array([12.0])).round(3).tolist()
    [[0.833]]
    """
    here = survival(entry, predictor)
    later = survival(entry[:, None] + months, predictor[:, None])
    return np.asarray(later / here[:, None])


def from_onset(times: Times, entry: np.ndarray) -> list[Figures]:
    """Share without the event by the month from onset, of patients who are at risk from the
    landmark on.

    It begins where ten are watched, with those who have come so far: a share of all who fell ill is
    not known from patients who were first seen later.

    Parameters
    ----------
    times : Times
        Of n patients, from the landmark.
    entry : array (n,)
        Of `months_to_landmark`.

    Returns
    -------
    list of dict
        `months` from onset, `watched` at that time, `events` since the row before, share `observed`
        without the event of those who reached the first row, with its 95 % interval `low` and
        `high`. Empty where never so many are watched.
    """
    known = np.isfinite(entry)
    start, stop = entry[known], entry[known] + times.months[known]
    event = times.event[known].astype(int)
    grid = np.arange(_STEP, np.max(stop, initial=0.0) + _STEP, _STEP)
    watched = ((start < grid[:, None]) & (stop >= grid[:, None])).sum(axis=1)
    enough = np.flatnonzero(watched >= _FEWEST)
    if not len(enough):
        return []
    first = enough[0]
    last = first + int(np.argmin(np.r_[watched[first:] >= _FEWEST, False]))
    begins = grid[first]
    later = stop > begins
    curve = kaplan_meier(stop[later], event[later], np.maximum(start[later], begins))
    rows: list[Figures] = []
    before = begins
    for at, n in zip(grid[first:last], watched[first:last], strict=True):
        value, low, high = curve.at(at)
        since = int(((stop > before) & (stop <= at) & (event == 1)).sum())
        rows.append(
            {
                "months": float(at),
                "watched": float(n),
                "events": float(since),
                "observed": value,
                "low": low,
                "high": high,
            }
        )
        before = at
    return rows
