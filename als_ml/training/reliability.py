"""Whether probabilities mean what they say: calibration slope and intercept with their errors, and a smooth curve.

Errors hold relatives together: the sandwich of a logistic regression over families (Liang and Zeger 1986), without a
correction for few families.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

# Probabilities of exactly 0 or 1 have no log-odds.
EDGE = 1e-12
_STEPS, _LONGEST, _STILL = 25, 2.0, 1e-8


class Estimate(NamedTuple):
    """A figure and its standard error."""

    value: float
    error: float


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Log-odds of probabilities, those of 0 and 1 held just inside."""
    return np.asarray(logit(np.clip(probability, EDGE, 1 - EDGE)))


def calibration_slope(y: np.ndarray, probability: np.ndarray, families: np.ndarray) -> Estimate:
    """Slope of the label on the log-odds (Cox 1958) with its error over families; NaN where all log-odds are alike.

    Parameters
    ----------
    y, probability, families : arrays (n,)
        0/1 label, probability of 1, number of the family.
    """
    odds = log_odds(probability)
    if np.ptp(odds) < 1e-9 or len(np.unique(y)) < 2:
        return Estimate(np.nan, np.nan)
    design = np.column_stack([np.ones(len(odds)), odds])
    # From no slope at all the steps cannot overshoot, however far out some scores lie.
    beta = _logistic(design, y, np.zeros(2))
    return Estimate(float(beta[1]), float(np.sqrt(_sandwich(design, y, beta, families)[1, 1])))


def calibration_intercept(y: np.ndarray, probability: np.ndarray, families: np.ndarray) -> Estimate:
    """Calibration in the large: the intercept with the slope held at 1, and its error.

    The error is the larger of the one over families and the model's own 1 / sqrt(sum p (1 - p)): with few patients the
    former is too small.
    """
    odds = log_odds(probability)
    shift = float(drawn_intercepts(y, odds, np.ones((1, len(y))))[0])
    p = expit(odds + shift)
    information = (p * (1 - p)).sum()
    if information <= 0 or len(np.unique(y)) < 2:
        return Estimate(shift, np.nan)
    own = np.bincount(np.unique(families, return_inverse=True)[1], y - p)
    between = np.sqrt((own**2).sum()) / information
    return Estimate(shift, float(max(between, 1 / np.sqrt(information))))


def drawn_intercepts(y: np.ndarray, odds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Calibration in the large of each row of an (m, n) weight matrix, by Newton's method: an array (m,)."""
    shift = np.zeros((len(weights), 1))
    observed = (weights @ y)[:, None]
    for _ in range(_STEPS):
        p = expit(shift + odds)
        variance = (weights * (p * (1 - p))).sum(axis=1, keepdims=True)
        residual = observed - (weights * p).sum(axis=1, keepdims=True)
        step = np.divide(residual, variance, out=np.zeros_like(shift), where=variance > 0)
        shift = shift + np.clip(step, -_LONGEST, _LONGEST)
        if np.abs(step).max() < _STILL:
            break
    return shift[:, 0]


def weighted_slope(y: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> float:
    """Calibration slope of weighted patients; NaN where all log-odds are alike."""
    odds = log_odds(probability)
    if np.ptp(odds) < 1e-9 or len(np.unique(y)) < 2:
        return float("nan")
    design = np.column_stack([np.ones(len(odds)), odds])
    return float(_logistic(design, y, np.zeros(2), weights)[1])


def _logistic(
    design: np.ndarray, y: np.ndarray, start: np.ndarray, weights: np.ndarray | float = 1.0
) -> np.ndarray:
    """Logistic regression by Newton's method with bounded steps."""
    beta = start
    for _ in range(_STEPS):
        p = expit(design @ beta)
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design
        step = np.linalg.lstsq(hessian, design.T @ (weights * (y - p)), rcond=None)[0]
        beta = beta + np.clip(step, -_LONGEST, _LONGEST)
        if np.abs(step).max() < _STILL:
            break
    return beta


def _sandwich(
    design: np.ndarray, y: np.ndarray, beta: np.ndarray, families: np.ndarray
) -> np.ndarray:
    """Covariance of a logistic regression's coefficients, relatives together."""
    p = expit(design @ beta)
    bread = np.linalg.pinv((design * (p * (1 - p))[:, None]).T @ design)
    names, family = np.unique(families, return_inverse=True)
    scores = np.zeros((len(names), design.shape[1]))
    np.add.at(scores, family, design * (y - p)[:, None])
    return np.asarray(bread @ (scores.T @ scores) @ bread)
