"""Whether probabilities mean what they say: calibration slope and intercept with their errors, and
a smooth curve.

Errors hold relatives together: the sandwich of a logistic regression over families (Liang and Zeger
1986), without a correction for few families.
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
    """Log-odds of probabilities, those of 0 and 1 held just inside.

    Parameters
    ----------
    probability : array
        0 to 1.

    Returns
    -------
    array
        Finite.
    """
    return np.asarray(logit(np.clip(probability, EDGE, 1 - EDGE)))


def calibration_slope(y: np.ndarray, probability: np.ndarray, families: np.ndarray) -> Estimate:
    """Slope of the label on the log-odds (Cox 1958) with its error over families; NaN where all
    log-odds are alike.

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

    The error is the larger of the one over families and the model's own 1 / sqrt(sum p (1 - p)):
    with few patients the former is too small.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.
    families : array of int (n,)
        Relatives share a number.

    Returns
    -------
    Estimate
        Log-odds; 0 is right.
    """
    odds = log_odds(probability)
    shift = float(drawn_intercepts(y, odds, np.ones((1, len(y))))[0])
    p = expit(odds + shift)
    information = (p * (1 - p)).sum()
    if information <= 0 or len(np.unique(y)) < 2:
        return Estimate(shift, np.nan)
    by_family = np.bincount(np.unique(families, return_inverse=True)[1], y - p)
    between = np.sqrt((by_family**2).sum()) / information
    return Estimate(shift, float(max(between, 1 / np.sqrt(information))))


def weighted_calibration(
    y: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> dict[str, float]:
    """Calibration slope and intercept of patients who stand for others; no errors.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.
    weights : array (n,)
        How many patients each stands for.

    Returns
    -------
    dict of float
        NaN where it cannot be computed.
    """
    odds = log_odds(probability)
    shift = float(drawn_intercepts(y, odds, weights[None])[0])
    slope = float("nan")
    if np.ptp(odds) >= 1e-9 and len(np.unique(y)) == 2:
        design = np.column_stack([np.ones(len(odds)), odds])
        slope = float(_drawn_logistic(design, y, weights[None])[0, 1])
    return {"calibration_slope": slope, "calibration_intercept": shift}


def drawn_intercepts(y: np.ndarray, odds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Calibration in the large of each draw, by Newton's method.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    odds : array (n,)
        Log-odds.
    weights : array (m, n)
        One row a draw.

    Returns
    -------
    array (m,)
        Log-odds.
    """
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


def _logistic(design: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method with bounded steps."""
    beta = start
    for _ in range(_STEPS):
        p = expit(design @ beta)
        hessian = (design * (p * (1 - p))[:, None]).T @ design
        step = np.linalg.lstsq(hessian, design.T @ (y - p), rcond=None)[0]
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


# Knots of the smooth curve: percentiles for four of them (Harrell 2015, section 2.4.6).
_KNOTS = (5, 35, 65, 95)
# Enough to keep a separated curve finite, too little to be seen.
_RIDGE = 1e-6


class SmoothCalibration(NamedTuple):
    """Observed share as a smooth function of the probability.

    `distances`: ICI, E50 and E90, the mean, median and 90th percentile of |observed - predicted|
    over the patients. `curve`: predicted, observed, and with draws low and high (95 %, pointwise),
    where most probabilities lie.
    """

    distances: dict[str, float]
    curve: list[dict[str, float]]


def smooth_calibration(
    y: np.ndarray, probability: np.ndarray, weights: np.ndarray | None = None
) -> SmoothCalibration:
    """A logistic regression on a natural spline of the log-odds (Austin and Steyerberg 2019,
    doi:10.1002/sim.8281).

    Parameters
    ----------
    y, probability : arrays (n,)
    weights : array (draws, n), optional
        Of a bootstrap, for the band of the curve.
    """
    odds = log_odds(probability)
    knots = np.unique(np.percentile(odds, _KNOTS))
    design = spline(odds, knots)
    beta = _drawn_logistic(design, y, np.ones((1, len(y))))
    distance = np.abs(expit(design @ beta[0]) - probability)
    distances = {
        "ici": float(distance.mean()),
        "e50": float(np.median(distance)),
        "e90": float(np.percentile(distance, 90)),
    }
    low, high = np.percentile(probability, [2.5, 97.5])
    at = np.arange(0.01, 0.995, 0.01)
    at = at[(at >= low) & (at <= high)]
    shown = spline(log_odds(at), knots)
    observed = expit(shown @ beta[0])
    curve = [
        {"predicted": float(x), "observed": float(share)}
        for x, share in zip(at, observed, strict=True)
    ]
    if weights is not None and len(weights):
        drawn = expit(_drawn_logistic(design, y, weights) @ shown.T)
        for row, bounds in zip(curve, np.percentile(drawn, [2.5, 97.5], axis=0).T, strict=True):
            row |= {"low": float(bounds[0]), "high": float(bounds[1])}
    return SmoothCalibration(distances, curve)


def spline(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Natural cubic spline, linear beyond the outer knots, (n, number of knots): constant, x, and a
    term an inner knot.

    Harrell (2015), equation 2.24, in units of the squared distance of the outer knots. Fewer than
    three knots: a line, and where all of x is alike a constant.

    Parameters
    ----------
    x : array (n,)
        Values.
    knots : array (k,)
        Ascending.

    Returns
    -------
    array (n, k)
        Fewer columns with fewer than three knots.
    """
    columns = [np.ones(len(x))]
    if len(knots) > 1:
        columns.append(x)
    for knot in knots[:-2]:
        a, b = knots[-2], knots[-1]
        cubes = [np.maximum(x - t, 0) ** 3 for t in (knot, a, b)]
        bend = cubes[0] - cubes[1] * (b - knot) / (b - a) + cubes[2] * (a - knot) / (b - a)
        columns.append(bend / (knots[-1] - knots[0]) ** 2)
    return np.column_stack(columns)


def _drawn_logistic(
    design: np.ndarray, y: np.ndarray, weights: np.ndarray, size: int = 200
) -> np.ndarray:
    """Coefficients (m, k) of a logistic regression for each row of an (m, n) weight matrix, some
    rows at a time.
    """
    pairs = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    parts = (weights[start : start + size] for start in range(0, len(weights), size))
    return np.concatenate([_some_logistic(design, pairs, y, part) for part in parts])


def _some_logistic(
    design: np.ndarray, pairs: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    k = design.shape[1]
    beta = np.zeros((len(weights), k))
    for _ in range(_STEPS):
        p = expit(beta @ design.T)
        hessian = ((weights * (p * (1 - p))) @ pairs).reshape(-1, k, k) + _RIDGE * np.eye(k)
        gradient = (weights * (y - p)) @ design - _RIDGE * beta
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        # The whole step is shortened, not its parts: no log-odds moves by more than this at once.
        moved = np.abs(step @ design.T).max(axis=1, keepdims=True)
        step = step / np.maximum(moved / _LONGEST, 1.0)
        beta = beta + step
        if np.abs(step).max() < _STILL:
            break
    return beta
