"""The ENCALS survival model as a linear predictor and a predicted median (Westeneng 2018,
doi:10.1016/S1474-4422(18)30089-9).

Endpoint: onset to death, tracheostomy or non-invasive ventilation > 23 h/day. Coefficients and
spline as implemented in public research code, **unverified against the
paper's supplement**. Where C9orf72 is unknown, the TRICALS profile without it is used. dFS is the
strongest input, so the score must not be compared on a label made of dFS.
"""

from functools import reduce

import numpy as np

# Name -> coefficient in the full model, in the TRICALS profile (which does not use C9orf72).
COEFFICIENTS = {
    "delta_fs": (-1.837, -1.839),
    "delay": (-2.373, -2.376),
    "age": (-0.267, -0.264),
    "fvc": (0.477, 0.474),
    "bulbar": (0.269, 0.271),
    "definite": (0.233, 0.238),
    "ftd": (0.388, 0.415),
    "c9orf72": (0.256, 0.0),
}
# Restricted cubic spline of ln(months): knots, and the weights of its two inner ones.
_KNOTS = (0.081, 3.108, 3.638, 5.917)
_LAMBDA = (0.481323, 0.390507)
_SPLINE = (-6.409, 2.643, -0.546, 0.585)
LONGEST_MONTHS = 600


def linear_predictor(
    delta_fs: np.ndarray,
    delay_months: np.ndarray,
    age_at_onset: np.ndarray,
    fvc_pct: np.ndarray,
    bulbar: np.ndarray,
    definite: np.ndarray,
    ftd: np.ndarray,
    c9orf72: np.ndarray,
) -> np.ndarray:
    """Linear predictor, higher = shorter survival; NaN if an input other than C9orf72 is unknown.

    Parameters
    ----------
    delta_fs : array
        Points per month; a rise since onset counts as 0.
    delay_months, age_at_onset, fvc_pct : arrays
        Onset to diagnosis in months (> 0), years, percent of predicted.
    bulbar, definite, ftd, c9orf72 : arrays
        0, 1 or NaN.

    >>> columns = [[0.6, 1.5], [12, 6], [62, 70], [85, 60], [0, 1], [0, 1], [0, 1], [0, 1]]
    >>> linear_predictor(*map(np.array, columns)).round(3).tolist()
    [-4.411, -1.292]
    """
    tested = np.isfinite(c9orf72)
    with np.errstate(invalid="ignore", divide="ignore"):
        delay, fvc = (
            np.where(delay_months > 0, delay_months, np.nan) / 10,
            np.where(fvc_pct > 0, fvc_pct, np.nan) / 100,
        )
        transformed = {
            "delta_fs": (np.maximum(delta_fs, 0.0) + 0.1) ** -0.5,
            "delay": delay**-0.5 + np.log(delay),
            "age": (age_at_onset / 100) ** -2.0,
            "fvc": fvc**-1.0 + fvc**-0.5,
            "bulbar": bulbar,
            "definite": definite,
            "ftd": ftd,
            "c9orf72": np.where(tested, c9orf72, 0.0),
        }
    terms = [np.where(tested, *COEFFICIENTS[name]) * value for name, value in transformed.items()]
    # One after the other: np.sum adds eight terms of one patient in another order than of many.
    return reduce(np.add, terms)


def survival(months: np.ndarray, predictor: np.ndarray) -> np.ndarray:
    """P(no event by a month from onset) = 1 / (1 + exp(s(ln t) + LP)).

    Parameters
    ----------
    months : array
        Months since symptom onset, > 0.
    predictor : array
        Linear predictor of `linear_predictor`; both broadcast.

    Returns
    -------
    array
        Probability of no event so far, 0 to 1.

    Examples
    --------
    >>> survival(np.array([12.0, 24, 36, 60, 120]), np.array([-4.5])).round(3).tolist()
    [0.979, 0.816, 0.505, 0.159, 0.026]
    """
    return 1 / (1 + np.exp(_log_odds(months) + predictor))


def median_months(predictor: np.ndarray) -> np.ndarray:
    """First whole month from onset with survival under one half; NaN where the predictor is
    unknown, at most LONGEST_MONTHS.

    Parameters
    ----------
    predictor : array (n,)
        Linear predictor, NaN unknown.

    Returns
    -------
    array (n,)
        Months from symptom onset.

    Examples
    --------
    >>> median_months(np.array([-6.0, -4.5, -2.0, np.nan])).tolist()
    [57.0, 37.0, 19.0, nan]
    """
    month = _MONTHLY_ODDS.searchsorted(-predictor, side="right") + 1.0
    return np.where(np.isfinite(predictor), month, np.nan)


def _log_odds(months: np.ndarray) -> np.ndarray:
    x = np.log(months)
    low, first, second, high = (np.maximum(x - knot, 0.0) ** 3 for knot in _KNOTS)
    waves = [
        inner - weight * low - (1 - weight) * high
        for inner, weight in zip((first, second), _LAMBDA, strict=True)
    ]
    start, rate, *bends = _SPLINE
    return start + rate * x + bends[0] * waves[0] + bends[1] * waves[1]


# The same of all patients: the baseline by whole months from the first.
_MONTHLY_ODDS = _log_odds(np.arange(1.0, LONGEST_MONTHS))
