"""Curved effects in a linear model: natural cubic splines whose curvature is penalised more than
their line.

A continuous column gets, beside itself, the part of a natural spline (Hastie, Tibshirani and
Friedman, *The Elements of Statistical Learning*, 5.2.1: linear beyond the outer knots) that its
line does not hold. That part is scaled by `weight`, so that the penalty of the model holds it back
by 1 / weight: 0 is the plain line.
"""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

# Knots at these shares of the training values: Harrell 2015, *Regression Modeling Strategies*,
# table 2.3, four knots.
KNOT_SHARES = (0.05, 0.35, 0.65, 0.95)
# Fewer different values make steps, no curve (P).
LEAST_VALUES = 10
# Knots are rounded to this part of a standard deviation: a knot is then nobody's own value (P).
GRAIN = 0.05
_NO_SPREAD = 1e-9


class Curves(TransformerMixin, BaseEstimator):
    """Standardised columns (n, p) -> the same columns, then the curved parts of those that have
    one.

    Parameters
    ----------
    weight : float
        Standard deviation of a curved part; 0 leaves the columns as they are.
    straight : tuple of int
        Columns that get no curve.

    Attributes
    ----------
    source_ : array (q,)
        Column that each curved part belongs to.
    knots_ : array (q / 2, 4)
        Of each curved column.
    line_, spread_ : arrays (q, 2), (q,)
        Intercept and slope of each part's line, and its standard deviation around it.
    """

    def __init__(self, weight: float = 0.3, straight: tuple[int, ...] = ()) -> None:
        self.weight = weight
        self.straight = straight

    def fit(self, X: np.ndarray, y: object = None) -> "Curves":  # noqa: ARG002
        """Place the knots and take the lines out.

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.
        y : object
            Not used.

        Returns
        -------
        Curves
            This one.
        """
        chosen = [j for j in range(X.shape[1]) if self._curved(X[:, j], j)]
        knots = [_knots(X[:, j]) for j in chosen]
        apart = [k for k, places in enumerate(knots) if (np.diff(places) > 0).all()]
        self.knots_ = np.array([knots[k] for k in apart]).reshape(-1, len(KNOT_SHARES))
        columns = np.array([chosen[k] for k in apart], dtype=int)
        self.source_ = np.repeat(columns, len(KNOT_SHARES) - 2)
        parts = self._parts(X)
        lines = [_line(X[:, j], part) for j, part in zip(self.source_, parts.T, strict=True)]
        self.line_ = np.array(lines).reshape(-1, 2)
        self.spread_ = np.maximum(self._bent(X, parts).std(axis=0), _NO_SPREAD)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Append the curved parts to an (n, p) matrix.

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.

        Returns
        -------
        array (n, p + q)
            The same columns, then the curved parts.
        """
        if not len(self.source_) or self.weight == 0:
            return X
        bent = self._bent(X, self._parts(X)) / self.spread_
        return np.ascontiguousarray(np.hstack([X, self.weight * bent]))

    def features(self, p: int) -> np.ndarray:
        """Index of the feature that each column of the output belongs to.

        Parameters
        ----------
        p : int
            Columns of the input.

        Returns
        -------
        array of int (p + q,)
            Below p.
        """
        if not len(self.source_) or self.weight == 0:
            return np.arange(p)
        return np.concatenate([np.arange(p), self.source_])

    def _curved(self, column: np.ndarray, j: int) -> bool:
        if self.weight == 0 or j in self.straight:
            return False
        return len(np.unique(column)) >= LEAST_VALUES

    def _parts(self, X: np.ndarray) -> np.ndarray:
        """Unscaled basis functions beside the line, (n, q)."""
        parts = [
            part
            for j, knots in zip(self.source_[:: len(KNOT_SHARES) - 2], self.knots_, strict=True)
            for part in _natural(X[:, j], knots)
        ]
        return np.column_stack(parts) if parts else np.empty((len(X), 0))

    def _bent(self, X: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return np.asarray(parts - self.line_[:, 0] - self.line_[:, 1] * X[:, self.source_])


def _knots(column: np.ndarray) -> np.ndarray:
    return np.round(np.quantile(column, KNOT_SHARES) / GRAIN) * GRAIN


def _natural(x: np.ndarray, knots: np.ndarray) -> list[np.ndarray]:
    """Basis functions beside 1 and x: d_k(x) - d_(K-1)(x), with d_k = ((x - t_k)+^3 - (x - t_K)+^3)
    / (t_K - t_k).
    """
    last = np.maximum(x - knots[-1], 0) ** 3
    scaled = [(np.maximum(x - knot, 0) ** 3 - last) / (knots[-1] - knot) for knot in knots[:-1]]
    return [part - scaled[-1] for part in scaled[:-1]]


def _line(x: np.ndarray, part: np.ndarray) -> tuple[float, float]:
    """Least-squares intercept and slope."""
    slope = float(((x - x.mean()) * part).mean() / max(x.var(), _NO_SPREAD))
    return float(part.mean() - slope * x.mean()), slope
