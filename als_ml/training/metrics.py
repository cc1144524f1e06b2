"""Metrics of out-of-fold probabilities with family-bootstrap intervals.

All draws of the bootstrap are computed at once from a (draws, n) matrix of weights: how often each
patient's family was drawn. Ties count half in the ROC AUC; average precision steps at each
different score, as in scikit-learn.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta, rankdata
from scipy.stats import t as t_distribution

from als_ml.training.miscalibration import (
    EDGE,
    calibration_intercept,
    calibration_slope,
    drawn_intercepts,
    log_odds,
)
from als_ml.training.tables import CalibrationBin

METRICS = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "balanced_accuracy",
    "calibration_slope",
    "calibration_intercept",
)
# From that many patients of the rarer label on, coverage is between 93 and 97 % (`python -m
# benchmarks coverage`).
EVENTS_FOR_INTERVALS = 100
_CHUNK = 200
_Z = 1.959964
_TOO_NARROW = 8.0


def evaluate(
    y: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    families: np.ndarray,
    draws: int,
    seed: int,
    repeats: Sequence[np.ndarray] = (),
) -> dict[str, float]:
    """Compute METRICS, each with `_low` and `_high` (95 %, sampling of patients with the model
    fixed).

    Percentiles of the family bootstrap, but for average precision, whose draws are skewed and
    biased (normal on the logit scale around the estimate, with the draws' spread), and for the
    calibration slope (Wald, error over families).

    Parameters
    ----------
    y, probability, predicted : arrays (n,)
        0/1 label, probability of 1, predicted class 0/1.
    families : array (n,)
        Relatives share a number and are drawn together.
    draws : int
        Bootstrap draws; 0 leaves the bounds out.
    repeats : arrays (n,)
        Probabilities of each repeat of a cross-validation, of which `probability` is the mean.
        Calibration slope and
        intercept are those of the repeats, averaged: an averaged probability is better calibrated
        than any model is.
    """
    repeats = list(repeats) or [probability]
    point = weighted_metrics(y, probability, predicted, np.ones((1, len(y))))
    slopes = [calibration_slope(y, p, families) for p in repeats]
    intercepts = [calibration_intercept(y, p, families).value for p in repeats]
    result = {name: float(values[0]) for name, values in point.items()}
    result |= {
        "calibration_slope": float(np.mean([slope.value for slope in slopes])),
        "calibration_intercept": float(np.mean(intercepts)),
    }
    if not draws:
        return result
    weights = family_weights(y, families, draws, seed)
    drawn = _drawn(y, probability, predicted, weights, repeats)
    bounds = {name: percentiles(values) for name, values in drawn.items()}
    bounds["average_precision"] = _logit_bounds(
        result["average_precision"], drawn["average_precision"], float(y.sum())
    )
    # The repeats are fitted to the same patients: their errors do not average out.
    half = _Z * float(np.mean([slope.error for slope in slopes]))
    slope = result["calibration_slope"]
    bounds["calibration_slope"] = (slope - half, slope + half)
    for name in METRICS:
        result |= {f"{name}_low": bounds[name][0], f"{name}_high": bounds[name][1]}
    return result


def _drawn(
    y: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
    repeats: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """Each metric but the slope in each draw, (draws,), some draws at a time."""
    parts = []
    for start in range(0, len(weights), _CHUNK):
        some = weights[start : start + _CHUNK]
        part = weighted_metrics(y, probability, predicted, some)
        shifts = [drawn_intercepts(y, log_odds(p), some) for p in repeats]
        parts.append(part | {"calibration_intercept": np.mean(shifts, axis=0)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def percentiles(drawn: np.ndarray) -> tuple[float, float]:
    """The central 95 % of what was drawn; NaN where nothing could be computed.

    Parameters
    ----------
    drawn : array
        One figure of each draw, NaN where it could not be computed.

    Returns
    -------
    low, high : float
        Quantiles 0.025 and 0.975.
    """
    if not np.isfinite(drawn).any():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def _logit_bounds(value: float, drawn: np.ndarray, positives: float) -> tuple[float, float]:
    """95 % interval of average precision that is normal on the logit scale (Boyd 2013); 0 and 1
    have none.

    Draws repeat patients at the top of the list, so that they spread too little and hide some of
    the bias upwards: in `benchmarks/coverage.py` 5 % too little and a quarter of an error at 100
    positives, hence 1 + 8 / positives (P).
    """
    inside = drawn[(drawn > 0) & (drawn < 1)]
    if not 0 < value < 1 or len(inside) < 2:
        return float("nan"), float("nan")
    half = _Z * float(np.std(logit(inside), ddof=1)) * (1 + _TOO_NARROW / positives)
    low, high = expit([logit(value) - half, logit(value) + half])
    return float(low), float(high)


def interval_words(n: float, positives: float) -> str:
    """`approximate` where intervals rest on fewer than 100 patients of the rarer label, else
    nothing.

    Parameters
    ----------
    n : float
        Patients.
    positives : float
        Of them positive.

    Returns
    -------
    str
        Put before `95 %`.

    Examples
    --------
    >>> interval_words(300, 99), interval_words(300, 100), interval_words(300, 201)
    ('approximate', '', 'approximate')
    """
    return "approximate" if min(positives, n - positives) < EVENTS_FOR_INTERVALS else ""


def family_weights(y: np.ndarray, families: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """How often each patient is drawn, (draws, n): families with replacement, a draw without both
    labels again.

    Not stratified by label: that would hold the prevalence fixed, which the intercept, the Brier
    score and the log loss depend on.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    families : array of int (n,)
        Relatives share a number.
    draws : int
        How many.
    seed : int
        Of the draws.

    Returns
    -------
    array of int (draws, n)
        Times.
    """
    rng = np.random.default_rng(seed)
    names, family = np.unique(families, return_inverse=True)
    positives = np.bincount(family, y, len(names))
    negatives = np.bincount(family, 1 - y, len(names))
    counts = _families_drawn(rng, len(names), draws)
    while positives.any() and negatives.any():
        again = np.flatnonzero((counts @ positives == 0) | (counts @ negatives == 0))
        if not len(again):
            break
        counts[again] = _families_drawn(rng, len(names), len(again))
    return counts[:, family]


def _families_drawn(rng: np.random.Generator, n: int, draws: int) -> np.ndarray:
    return rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)


def weighted_metrics(
    y: np.ndarray, probability: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """METRICS but those of calibration for each row of an (m, n) weight matrix.

    Each value is an array (m,).

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.
    predicted : array of bool (n,)
        Predicted class.
    weights : array (m, n)
        One row a draw.

    Returns
    -------
    dict of arrays (m,)
        By metric.
    """
    total = weights.sum(axis=1)
    positive, negative = _by_threshold(y, probability, weights)
    return {
        "roc_auc": _area(positive, negative),
        "average_precision": _average_precision(positive, negative),
        "brier": weights @ (probability - y) ** 2 / total,
        "log_loss": weights @ losses(y, probability) / total,
        "balanced_accuracy": _balanced_accuracy(y, predicted, weights),
    }


def losses(y: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Log loss of each patient.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.

    Returns
    -------
    array (n,)
        Nats.
    """
    clipped = np.clip(probability, EDGE, 1 - EDGE)
    return -np.where(y == 1, np.log(clipped), np.log1p(-clipped))


def _by_threshold(
    y: np.ndarray, score: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and negatives at each different score, highest first, (m, groups)
    each.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    positive = np.add.reduceat(weights[:, order] * y[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * (1 - y[order]), starts, axis=1)
    return positive, negative


def _roc_auc(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return _area(*_by_threshold(y, score, weights))


def _area(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    above = np.cumsum(positive, axis=1) - positive / 2
    return divided((above * negative).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    hits = np.cumsum(positive, axis=1)
    precision = divided(hits, hits + np.cumsum(negative, axis=1), empty=0.0)
    return divided((positive * precision).sum(axis=1), positive.sum(axis=1))


def _balanced_accuracy(y: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    right = (predicted == y).astype(float)
    recalls = [
        divided(weights @ (right * (y == label)), weights @ (y == label).astype(float))
        for label in (0, 1)
    ]
    return (recalls[0] + recalls[1]) / 2


def divided(top: np.ndarray, bottom: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """Quotient of two arrays, `empty` where the lower one is not positive."""
    return np.divide(top, bottom, out=np.full_like(top, empty), where=bottom > 0)


def share_of_possible(
    y: np.ndarray, probability: np.ndarray, best: np.ndarray
) -> tuple[float, float]:
    """ROC AUC of the best possible score on the same patients, and the share of its distance from
    0.5 that was reached.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the model.
    best : array (n,)
        Of the simulator.

    Returns
    -------
    auc, share : float
        1 is all that is possible.
    """
    reached, possible = (
        float(_roc_auc(y, score, np.ones((1, len(y))))[0]) for score in (probability, best)
    )
    return possible, (reached - 0.5) / (possible - 0.5)


def slope_metrics(slope: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Agreement of predicted and observed slopes, of patients who have one: mean absolute error
    (points/month), R2, Spearman.

    Parameters
    ----------
    slope : array (n,)
        Observed, points lost per month, NaN none.
    predicted : array (n,)
        In the same unit.

    Returns
    -------
    dict of float
        By name.
    """
    known = np.isfinite(slope)
    slope, predicted = slope[known], predicted[known]
    rest = float(((slope - predicted) ** 2).sum() / ((slope - slope.mean()) ** 2).sum())
    rank = (
        float(np.corrcoef(rankdata(slope), rankdata(predicted))[0, 1])
        if np.ptp(predicted) > 0
        else 0.0
    )
    error = float(np.abs(slope - predicted).mean())
    of_mean = float(np.abs(slope - slope.mean()).mean())
    return {
        "slope_mae": error,
        "baseline_mean_slope_mae": of_mean,
        "slope_r2": 1 - rest,
        "slope_spearman": rank,
    }


def class_metrics(level: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Agreement of ordered classes: quadratic-weighted kappa and the mean recall of the classes.

    Parameters
    ----------
    level : array (n,)
        Observed class, NaN none.
    predicted : array (n,)
        Predicted class.

    Returns
    -------
    dict of float
        By name.
    """
    from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

    return {
        "classes_kappa": float(cohen_kappa_score(level, predicted, weights="quadratic")),
        "classes_balanced_accuracy": float(balanced_accuracy_score(level, predicted)),
    }


def paired_differences(
    y: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    families: np.ndarray,
    draws: int,
    seed: int,
    stands_for: np.ndarray | None = None,
) -> dict[str, tuple[float, float, float]]:
    """Ours minus theirs on the same patients: (difference, low, high) of ROC AUC, Brier score and
    log loss.

    95 % intervals from the family bootstrap, the same draws for both.

    Parameters
    ----------
    ours, theirs : arrays (n,) or (repeats, n)
        Probabilities; of several repeats of the folds the mean difference is taken.
    stands_for : array (n,), optional
        How many patients each stands for; by default one.
    """
    names = ("roc_auc", "brier", "log_loss")
    one = np.ones((1, len(y))) if stands_for is None else stands_for[None]
    weights = family_weights(y, families, draws, seed) if draws else np.empty((0, len(y)))
    blocks = [one, *(weights[i : i + _CHUNK] * one for i in range(0, draws, _CHUNK))]
    parts = [[_mean_of_repeats(y, p, block) for p in (ours, theirs)] for block in blocks]
    result = {}
    for k, name in enumerate(names):
        drawn = np.concatenate([a[k] - b[k] for a, b in parts[1:]]) if draws else np.array([np.nan])
        low, high = percentiles(drawn)
        result[name] = (float((parts[0][0][k] - parts[0][1][k])[0]), low, high)
    return result


def _mean_of_repeats(
    y: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> list[np.ndarray]:
    repeats = [_discrimination(y, one, weights) for one in np.atleast_2d(probability)]
    return [np.mean(values, axis=0) for values in zip(*repeats, strict=True)]


def _discrimination(
    y: np.ndarray, probability: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, ...]:
    total = weights.sum(axis=1)
    return (
        _roc_auc(y, probability, weights),
        weights @ (probability - y) ** 2 / total,
        weights @ losses(y, probability) / total,
    )


def calibration_bins(
    y: np.ndarray, probability: np.ndarray, bins: int = 10
) -> list[CalibrationBin]:
    """Reliability curve: patients in equally filled bins with mean probability, observed share and
    its Wilson interval.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.
    bins : int
        At most.

    Returns
    -------
    list of CalibrationBin
        In the order of the score.
    """
    table: list[CalibrationBin] = []
    for members in np.array_split(np.argsort(probability, kind="stable"), min(bins, len(y))):
        low, high = wilson(float(y[members].sum()), len(members))
        table.append(
            {
                "n": len(members),
                "predicted": float(probability[members].mean()),
                "observed": float(y[members].mean()),
                "low": low,
                "high": high,
            }
        )
    return table


def calibration_errors(y: np.ndarray, probability: np.ndarray, bins: int = 10) -> dict[str, float]:
    """Expected calibration error over equally filled bins, and Murphy's parts of the Brier score
    (1973).

    Brier score = reliability - resolution + uncertainty, up to the spread of the probabilities
    inside a bin.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.
    bins : int
        At most.

    Returns
    -------
    dict of float
        By name.
    """
    table = calibration_bins(y, probability, bins)
    share = np.array([row["n"] for row in table]) / len(y)
    predicted, observed = (
        np.array([row[name] for row in table]) for name in ("predicted", "observed")
    )
    return {
        "ece": float(share @ np.abs(predicted - observed)),
        "brier_reliability": float(share @ (predicted - observed) ** 2),
        "brier_resolution": float(share @ (observed - y.mean()) ** 2),
        "brier_uncertainty": float(y.mean() * (1 - y.mean())),
    }


def wilson(hits: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % by default (Wilson 1927).

    Parameters
    ----------
    hits : float
        Patients who have it.
    n : int
        Patients.
    z : float
        Quantile of the normal distribution.

    Returns
    -------
    low, high : float
        0 to 1.

    Examples
    --------
    >>> tuple(round(x, 3) for x in wilson(8, 10))
    (0.49, 0.943)
    """
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(centre - half), float(centre + half)


def exact_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval of a share (Clopper and Pearson 1934).

    Parameters
    ----------
    hits : int
        Patients who have it.
    n : int
        Patients.
    level : float
        0 to 1.

    Returns
    -------
    low, high : float
        0 to 1.

    Examples
    --------
    >>> tuple(round(x, 3) for x in exact_interval(8, 10))
    (0.444, 0.975)
    """
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0


def auc_with_error(y: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """ROC AUC and its standard error (DeLong 1988).

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.

    Returns
    -------
    auc, error : float
        NaN where a label is missing.
    """
    positive, negative = probability[y == 1], probability[y == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.r_[positive, negative])
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = (above.var(ddof=1) / m if m > 1 else np.nan) + (
        below.var(ddof=1) / n if n > 1 else np.nan
    )
    return float(above.mean()), float(np.sqrt(variance))


def expected_auc(probability: np.ndarray) -> float:
    """ROC AUC that probabilities promise if they are true (van Klaveren 2016, model-based
    concordance).

    Over pairs of patients: P(the higher one is positive and the lower negative), given that one is
    and the other is not.

    Parameters
    ----------
    probability : array (n,)
        Of the positive class.

    Returns
    -------
    float
        0.5 to 1; NaN where there is no pair.
    """
    positive, negative = _by_threshold(probability, probability, np.ones((1, len(probability))))
    with_self = float(
        (probability * (1 - probability)).sum()
    )  # of a patient with themselves: not a pair
    pairs = float(positive.sum() * negative.sum()) - with_self
    above = np.cumsum(positive, axis=1) - positive / 2
    return (float((above * negative).sum()) - with_self / 2) / pairs if pairs > 0 else float("nan")


def holm(p_values: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Which hypotheses are rejected at a family-wise level (Holm 1979); NaN is never.

    Parameters
    ----------
    p_values : array (k,)
        NaN where a test could not be made.
    level : float
        0 to 1.

    Returns
    -------
    array of bool (k,)
        In the given order.
    """
    p_values = np.where(np.isnan(p_values), 1.0, p_values)
    order = np.argsort(p_values, kind="stable")
    allowed = level / (len(p_values) - np.arange(len(p_values)))
    first_kept = np.flatnonzero(p_values[order] > allowed)
    rejected = np.zeros(len(p_values), dtype=bool)
    rejected[order[: first_kept[0] if len(first_kept) else len(order)]] = True
    return rejected


def pooled(estimate: np.ndarray, error: np.ndarray, prediction: bool) -> dict[str, float]:
    """Pool estimates of several sites by a random-effects model.

    DerSimonian and Laird's between-site variance, Hartung and Knapp's interval, and, where asked,
    Higgins' 95 % prediction interval for a further site (t with k - 2 degrees of freedom).

    Parameters
    ----------
    estimate, error : arrays (k,)
        On a scale on which they are about normal, such as the logit of an AUC.

    Returns
    -------
    dict
        mean, low, high, tau (SD between sites) and, with `prediction`, prediction_low and
        prediction_high.
    """
    k, w = len(estimate), 1 / error**2
    fixed = w @ estimate / w.sum()
    excess = w @ (estimate - fixed) ** 2 - (k - 1)
    tau2 = max(0.0, excess / (w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (error**2 + tau2)
    mean = w @ estimate / w.sum()
    spread = np.sqrt(max(w @ (estimate - mean) ** 2 / (k - 1), 1e-12) / w.sum())
    half = t_distribution.ppf(0.975, k - 1) * spread
    result = {"mean": mean, "low": mean - half, "high": mean + half, "tau": float(np.sqrt(tau2))}
    if prediction and k > 2:
        wide = t_distribution.ppf(0.975, k - 2) * np.sqrt(tau2 + 1 / w.sum())
        result |= {"prediction_low": mean - wide, "prediction_high": mean + wide}
    return {name: float(value) for name, value in result.items()}
