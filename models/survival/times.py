"""Time and event of each patient in one number, so that every estimator takes the same target.

A time in months after the landmark, positive where it ended in the event and negative where the
patient was censored: the target of XGBoost's `survival:cox`. Nobody has time 0, since who had the
event or was lost at the landmark is not in the training data.
"""

import numpy as np

from features.alsfrs.slopes import DAYS_PER_MONTH

# Risk is stated at 365 and 730 days after the landmark (contract, Time to event).
YEAR, TWO_YEARS = 365 / DAYS_PER_MONTH, 730 / DAYS_PER_MONTH


def signed(months: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Time and event as one number.

    Parameters
    ----------
    months : array (n,)
        Above 0, after the landmark.
    event : array of bool (n,)
        Whether the time ended in the event.

    Returns
    -------
    array (n,)
        Months, negative where censored.

    Examples
    --------
    >>> signed(np.array([3.0, 12.0]), np.array([True, False])).tolist()
    [3.0, -12.0]
    """
    return np.where(event, months, -months)


def unsigned(learned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `signed`.

    Parameters
    ----------
    learned : array (n,)
        Months, negative where censored.

    Returns
    -------
    months : array (n,)
        Above 0.
    event : array of bool (n,)
        Whether each ended in the event.
    """
    return np.abs(learned), learned > 0
