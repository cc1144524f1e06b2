"""From a score to a probability: calibration maps, fitted on out-of-fold scores and chosen among by
log loss.

Every map works on Platt's log-odds, so that scores of any scale may come in, and rises strictly
with the score: two patients of different scores never share a probability. Beta: Kull 2017
(doi:10.1214/17-EJS1338SI). A score without signal is exempt: its map says the prevalence. Isotonic
and Venn-Abers maps, which earlier versions fitted, are read and applied but no longer made: they
have plateaus and store a number for each training patient.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.special import expit, logit

KINDS = ("sigmoid", "beta")
# Least a and b of the beta map, so that it rises at both ends (P).
LEAST_RISE = 0.1
# No map says 0 or 1 from finitely many patients.
_EDGE = 1e-6
# Steps of the sigmoid's search (six are usual), and the mean gradient at which it ends: the next
# step of a quadratic search is then below rounding.
_MOST_STEPS, _FLAT = 50, 1e-6
# Log-odds beyond which neighbouring scores would share a probability of 1.
_FARTHEST = 25.0


@dataclass(frozen=True)
class CalibrationMap:
    """A fitted map.

    `slope` and `intercept` are Platt's; `x`, `y` the numbers of the map behind it (empty for
    sigmoid).

    Beta: `y` = (a, b, c) of expit(a ln q - b ln(1 - q) + c). Of stored models also isotonic: knots,
    linear between them; Venn-Abers: `x` the scores of the calibration patients, `y` the probability
    at and between them (2 len(x) + 1).
    """

    kind: str
    slope: float
    intercept: float
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def probability(self, score: np.ndarray) -> np.ndarray:
        """Probability of the positive class of each score, element by element.

        Parameters
        ----------
        score : array (n,)
            Raw scores of a model.

        Returns
        -------
        array (n,)
            0 to 1.
        """
        return np.asarray(_MAPS[self.kind](self, self.slope * score + self.intercept))


def fit_sigmoid(score: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of Platt's sigmoid from out-of-fold scores; a negative slope means no
    signal and becomes 0.

    Parameters
    ----------
    score : array (n,)
        Out-of-fold raw scores.
    y : array (n,)
        0/1 labels, both of them.

    Returns
    -------
    slope, intercept : float
        On the scale of the score, and of log-odds.
    """
    middle, spread = float(score.mean()), float(score.std())
    no_signal = 0.0, float(logit(y.mean()))
    if spread == 0:
        return no_signal
    slope, level = _newton((score - middle) / spread, np.asarray(y, dtype=float))
    if slope <= 0:
        return no_signal
    return slope / spread, level - slope / spread * middle


def _newton(z: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Logistic regression on one standardised column: slope and intercept.

    A step that does not lower the loss is halved. Scores that separate the labels have no minimum:
    they end where log-odds say all that a probability can.
    """
    beta = np.array([0.0, float(logit(y.mean()))])
    loss, farthest = _logistic_loss(beta, z, y), float(np.abs(z).max())
    for _ in range(_MOST_STEPS):
        if abs(beta[0]) * farthest > _FARTHEST:
            break
        p = expit(beta[0] * z + beta[1])
        weight, miss = p * (1 - p), y - p
        pull = np.array([z @ miss, miss.sum()])
        if np.abs(pull).max() < _FLAT * len(y):
            break
        bent = np.array([[weight @ (z * z), weight @ z], [weight @ z, weight.sum()]])
        step = np.linalg.solve(bent, pull)
        while (lower := _logistic_loss(beta + step, z, y)) > loss and np.abs(step).max() > _EDGE:
            step = step / 2
        beta, loss = beta + step, lower
    return float(beta[0]), float(beta[1])


def _logistic_loss(beta: np.ndarray, z: np.ndarray, y: np.ndarray) -> float:
    eta = beta[0] * z + beta[1]
    return float(np.logaddexp(0, eta).sum() - y @ eta)


def fit_map(kind: str, score: np.ndarray, y: np.ndarray) -> CalibrationMap:
    """Fit one map on out-of-fold scores.

    Parameters
    ----------
    kind : str
        One of KINDS.
    score : array (n,)
        Out-of-fold raw scores.
    y : array (n,)
        0/1 labels.

    Returns
    -------
    CalibrationMap
        Rises strictly with the score.
    """
    slope, intercept = fit_sigmoid(score, y)
    if kind == "sigmoid" or slope == 0:
        return CalibrationMap(kind="sigmoid", slope=slope, intercept=intercept)
    numbers = _fit_beta(slope * score + intercept, y)
    return CalibrationMap(kind=kind, slope=slope, intercept=intercept, y=tuple(map(float, numbers)))


def choose_map(
    score: np.ndarray, y: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> CalibrationMap:
    """Fit the map with the lowest cross-validated log loss.

    The sigmoid unless another is better by one standard error.

    Parameters
    ----------
    score : array (n,)
        Out-of-fold raw scores.
    y : array (n,)
        0/1 labels.
    folds : list of (train, test)
        Indices, families kept whole.

    Returns
    -------
    CalibrationMap
        Fitted on all of them.
    """
    loss = {kind: _held_out_loss(kind, score, y, folds) for kind in KINDS}
    best = min(KINDS, key=lambda kind: loss[kind].mean())
    gain = loss["sigmoid"] - loss[best]
    clear = gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain))
    return fit_map(best if clear else "sigmoid", score, y)


def _held_out_loss(
    kind: str, score: np.ndarray, y: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Log loss of each patient by a map that was fitted without the fold."""
    loss = np.empty(len(y))
    for train, test in folds:
        p = np.clip(
            fit_map(kind, score[train], y[train]).probability(score[test]), _EDGE, 1 - _EDGE
        )
        loss[test] = -np.where(y[test] == 1, np.log(p), np.log1p(-p))
    return loss


def _fit_beta(u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(a, b, c) by iteratively reweighted least squares with a, b >= LEAST_RISE, so that the map
    rises everywhere.
    """
    design = np.column_stack(
        [-np.logaddexp(0, -u), np.logaddexp(0, u), np.ones(len(u)), -np.ones(len(u))]
    )
    least = np.array([LEAST_RISE, LEAST_RISE, 0.0, 0.0])
    beta = np.array([1.0, 1.0, 0.0, 0.0])
    for _ in range(50):
        eta = np.clip(design @ beta, -30, 30)
        p = np.clip(expit(eta), _EDGE, 1 - _EDGE)
        weight = np.sqrt(p * (1 - p))
        target = eta + (y - p) / weight**2 - design @ least
        new = nnls(design * weight[:, None], target * weight)[0] + least
        done = np.abs(new - beta).max() < 1e-8
        beta = new
        if done:
            break
    return np.array([beta[0], beta[1], beta[2] - beta[3]])


def _beta(fitted: CalibrationMap, u: np.ndarray) -> np.ndarray:
    a, b, c = fitted.y
    return expit(-a * np.logaddexp(0, -u) + b * np.logaddexp(0, u) + c)


def _isotonic(fitted: CalibrationMap, u: np.ndarray) -> np.ndarray:
    return np.interp(u, fitted.x, fitted.y)


def _venn_abers(fitted: CalibrationMap, u: np.ndarray) -> np.ndarray:
    x = np.asarray(fitted.x)
    place = np.searchsorted(x, u, side="left") + np.searchsorted(x, u, side="right")
    return np.asarray(fitted.y)[place]


_MAPS = {
    "sigmoid": lambda _, u: expit(u),
    "beta": _beta,
    "isotonic": _isotonic,
    "venn_abers": _venn_abers,
}
