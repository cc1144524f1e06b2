"""Metrics of out-of-fold probabilities with family-bootstrap intervals.

All draws of the bootstrap are computed at once from a (draws, n) matrix of weights: how often each patient's family was
drawn. Ties count half in the ROC AUC; average precision steps at each different score, as in scikit-learn.
"""

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

METRICS = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "balanced_accuracy",
    "calibration_slope",
    "calibration_intercept",
)
_CLIP = 1e-12
_CHUNK = 200


def evaluate(
    y: np.ndarray, probability: np.ndarray, predicted: np.ndarray, families: np.ndarray, draws: int, seed: int
) -> dict[str, float]:
    """Compute METRICS, each with `_low` and `_high` (95 %, sampling of patients with the model fixed).

    Parameters
    ----------
    y, probability, predicted : arrays (n,)
        0/1 label, probability of 1, predicted class 0/1.
    families : array (n,)
        Relatives share a number and are drawn together.
    draws : int
        Bootstrap draws; 0 leaves the bounds out.
    """
    point = weighted_metrics(y, probability, predicted, np.ones((1, len(y))))
    result = {name: float(values[0]) for name, values in point.items()}
    if draws:
        weights = family_weights(y, families, draws, seed)
        parts = [weighted_metrics(y, probability, predicted, weights[i : i + _CHUNK]) for i in range(0, draws, _CHUNK)]
        for name in METRICS:
            drawn = np.concatenate([part[name] for part in parts])
            low, high = np.nanpercentile(drawn, [2.5, 97.5]) if np.isfinite(drawn).any() else (np.nan, np.nan)
            result |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return result


def family_weights(y: np.ndarray, families: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """How often each patient is drawn, (draws, n): families with replacement, stratified by whether one is positive."""
    rng = np.random.default_rng(seed)
    names, family = np.unique(families, return_inverse=True)
    positive = np.bincount(family, y, len(names)) > 0
    counts = np.zeros((draws, len(names)))
    for stratum in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        if len(stratum):
            counts[:, stratum] = rng.multinomial(len(stratum), np.full(len(stratum), 1 / len(stratum)), size=draws)
    return counts[:, family]


def weighted_metrics(
    y: np.ndarray, probability: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """METRICS for each row of an (m, n) weight matrix; each value is an array (m,)."""
    clipped = np.clip(probability, _CLIP, 1 - _CLIP)
    loss = -np.where(y == 1, np.log(clipped), np.log1p(-clipped))
    total = weights.sum(axis=1)
    slope, intercept = _calibration(y, logit(clipped), weights)
    return {
        "roc_auc": _roc_auc(y, probability, weights),
        "average_precision": _average_precision(y, probability, weights),
        "brier": weights @ (probability - y) ** 2 / total,
        "log_loss": weights @ loss / total,
        "balanced_accuracy": _balanced_accuracy(y, predicted, weights),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def _by_threshold(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and negatives at each different score, highest first, (m, groups) each."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    positive = np.add.reduceat(weights[:, order] * y[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * (1 - y[order]), starts, axis=1)
    return positive, negative


def _roc_auc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positive, negative = _by_threshold(y, score, weights)
    above = np.cumsum(positive, axis=1) - positive / 2
    return _ratio((above * negative).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    positive, negative = _by_threshold(y, score, weights)
    hits = np.cumsum(positive, axis=1)
    precision = _ratio(hits, hits + np.cumsum(negative, axis=1), empty=0.0)
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def _balanced_accuracy(y: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    right = (predicted == y).astype(float)
    recalls = [_ratio(weights @ (right * (y == label)), weights @ (y == label).astype(float)) for label in (0, 1)]
    return (recalls[0] + recalls[1]) / 2


def _ratio(top: np.ndarray, bottom: np.ndarray, empty: float = np.nan) -> np.ndarray:
    return np.divide(top, bottom, out=np.full_like(top, empty), where=bottom > 0)


def _calibration(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of the label on the log-odds, and intercept with that slope held at 1 (calibration in the large)."""
    m = len(weights)
    start = np.tile([0.0, 1.0], (m, 1))
    intercept = _newton(y, score, weights, start, slope_too=False)[:, 0]
    if np.ptp(score) < 1e-9:
        return np.full(m, np.nan), intercept
    return _newton(y, score, weights, start, slope_too=True)[:, 1], intercept


def _newton(y: np.ndarray, score: np.ndarray, weights: np.ndarray, start: np.ndarray, slope_too: bool) -> np.ndarray:
    """Weighted logistic regression of y on score for each weight row, by Newton's method."""
    beta = start
    for _ in range(25):
        p = expit(beta[:, :1] + beta[:, 1:] * score)
        residual, variance = weights * (y - p), weights * p * (1 - p)
        step = _newton_step(residual, variance, score, slope_too)
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _newton_step(residual: np.ndarray, variance: np.ndarray, score: np.ndarray, slope_too: bool) -> np.ndarray:
    g0, h00 = residual.sum(axis=1), variance.sum(axis=1)
    if not slope_too:
        return np.column_stack([_ratio(g0, h00, empty=0.0), np.zeros(len(g0))])
    g1, h01, h11 = residual @ score, variance @ score, variance @ score**2
    determinant = np.maximum(h00 * h11 - h01**2, 1e-12)
    return np.column_stack([(h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant])


def share_of_possible(y: np.ndarray, probability: np.ndarray, best: np.ndarray) -> tuple[float, float]:
    """ROC AUC of the best possible score on the same patients, and the share of its distance from 0.5 that was reached."""
    reached, possible = (float(_roc_auc(y, score, np.ones((1, len(y))))[0]) for score in (probability, best))
    return possible, (reached - 0.5) / (possible - 0.5)


def slope_metrics(slope: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Agreement of predicted and observed slopes, of patients who have one: mean absolute error (points/month), R2, Spearman."""
    known = np.isfinite(slope)
    slope, predicted = slope[known], predicted[known]
    rest = float(((slope - predicted) ** 2).sum() / ((slope - slope.mean()) ** 2).sum())
    rank = float(np.corrcoef(rankdata(slope), rankdata(predicted))[0, 1]) if np.ptp(predicted) > 0 else 0.0
    error = float(np.abs(slope - predicted).mean())
    of_mean = float(np.abs(slope - slope.mean()).mean())
    return {"slope_mae": error, "baseline_mean_slope_mae": of_mean, "slope_r2": 1 - rest, "slope_spearman": rank}


def class_metrics(level: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Agreement of ordered classes: quadratic-weighted kappa and the mean recall of the classes."""
    from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

    return {
        "classes_kappa": float(cohen_kappa_score(level, predicted, weights="quadratic")),
        "classes_balanced_accuracy": float(balanced_accuracy_score(level, predicted)),
    }
