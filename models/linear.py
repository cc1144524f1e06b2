"""Elastic-net logistic regression along a path of penalties, with coefficients that may not fall
below zero.

The fit is that of glmnet (Friedman, Hastie and Tibshirani 2010, doi:10.18637/jss.v033.i01):
reweighted least squares outside, coordinate descent on the Gram matrix inside, each penalty
starting where the one before ended. An uncertain label, the probability that it is 1, is learned as
it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import enet_path

# Bounds of the linear predictor and of the weights: beyond them a patient says nothing more (P).
_FARTHEST, _LEAST_WEIGHT = 30.0, 1e-5
# Reweightings and coordinate sweeps that the slowest fit may take (P): of the paths of 25 folds of
# real tables one fit needs more than 10,000 sweeps, which take 0.1 s.
_MOST_ROUNDS, _MOST_SWEEPS = 30, 100_000
# Coordinate descent needs some lasso to tell a column from its negative twin (P).
_LEAST_LASSO = 1e-3


class Line(NamedTuple):
    """Coefficients (p,) and intercept."""

    coefficients: np.ndarray
    intercept: float


class ElasticNetLogistic(ClassifierMixin, BaseEstimator):
    """Minimise sum of log losses x C + l1_ratio |b| + (1 - l1_ratio) / 2 b^2, for standardised
    columns.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, as scikit-learn counts it.
    l1_ratio : float
        1 is the lasso, 0 the ridge.
    tol : float
        Largest change of a coefficient at which the fit ends.
    rising : tuple of int
        Columns whose coefficient is 0 or more.
    """

    def __init__(
        self,
        C: float = 0.1,
        l1_ratio: float = 0.5,
        tol: float = 1e-4,
        rising: tuple[int, ...] = (),
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.rising = rising

    def fit(self, X: np.ndarray, y: np.ndarray) -> "ElasticNetLogistic":
        """Fit on an (n, p) matrix and labels (n,) in 0..1.

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.
        y : array (n,)
            Labels, or the probability that each is 1.

        Returns
        -------
        ElasticNetLogistic
            This one.
        """
        line = self.along(X, y, (self.C,))[0]
        self.classes_ = np.array([0, 1])
        self.coef_ = line.coefficients.reshape(1, -1)
        self.intercept_ = np.array([line.intercept])
        return self

    def along(
        self, X: np.ndarray, y: np.ndarray, strengths: Sequence[float], start: Line | None = None
    ) -> list[Line]:
        """Fit for each C in turn, from a start."""
        lines, line = [], start or Line(np.zeros(X.shape[1]), float(logit(_inside(y.mean()))))
        for C in strengths:
            line = self._reweighted(X, np.asarray(y, dtype=float), line, C)
            lines.append(line)
        return lines

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Log-odds of each row, the same bits for one row and for a batch.

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.

        Returns
        -------
        array (n,)
            Log-odds of the positive class.
        """
        terms = np.ascontiguousarray(np.asarray(X, dtype=np.float64) * self.coef_[0])
        return np.asarray(terms.sum(axis=1) + float(self.intercept_[0]))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of 0 and of 1, (n, 2).

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.

        Returns
        -------
        array (n, 2)
            Negative, positive.
        """
        p = expit(self.decision_function(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Give the likelier class.

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.

        Returns
        -------
        array of int (n,)
            0 or 1.
        """
        return (self.decision_function(X) >= 0).astype(int)

    def _reweighted(self, X: np.ndarray, y: np.ndarray, line: Line, C: float) -> Line:
        for _ in range(_MOST_ROUNDS):
            eta = np.clip(X @ line.coefficients + line.intercept, -_FARTHEST, _FARTHEST)
            p = expit(eta)
            weight = np.maximum(p * (1 - p), _LEAST_WEIGHT)
            new = self._least_squares(X, eta + (y - p) / weight, weight, line.coefficients, C)
            moved = np.abs(new.coefficients - line.coefficients).max(initial=0.0)
            moved = max(moved, abs(new.intercept - line.intercept))
            line = new
            if moved < self.tol:
                break
        return line

    def _least_squares(
        self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, start: np.ndarray, C: float
    ) -> Line:
        """Weighted elastic net around the weighted means, which take the intercept out."""
        share = weight / weight.sum()
        middle, level = share @ X, float(share @ target)
        root = np.sqrt(weight)
        design, aim = (X - middle) * root[:, None], (target - level) * root
        solution = self._descended(design, aim, start, C)
        return Line(solution, level - float(middle @ solution))

    def _descended(
        self, design: np.ndarray, aim: np.ndarray, start: np.ndarray, C: float
    ) -> np.ndarray:
        """Coordinate descent.

        Where some columns may only rise, the others enter with both signs.
        """
        n, p = design.shape
        if p == 0:
            return start
        free = np.setdiff1d(np.arange(p), self.rising)
        bounded = len(free) < p
        ratio = max(self.l1_ratio, _LEAST_LASSO)
        if bounded:
            design = np.hstack([design, -design[:, free]])
            start = np.concatenate([np.maximum(start, 0), np.maximum(-start[free], 0)])
        gram = design.T @ design
        path = enet_path(
            np.asfortranarray(design),
            aim,
            l1_ratio=ratio,
            alphas=[1 / (C * n)],
            precompute=gram,
            Xy=design.T @ aim,
            coef_init=np.array(start, dtype=float),
            positive=bounded,
            check_input=False,
            tol=self.tol,
            max_iter=_MOST_SWEEPS,
        )[1][:, 0]
        if not bounded:
            return np.asarray(path)
        result = path[:p].copy()
        result[free] -= path[p:]
        return np.asarray(result)


def _inside(share: float) -> float:
    """A share of positives that has finite log-odds."""
    return float(np.clip(share, 1e-6, 1 - 1e-6))
