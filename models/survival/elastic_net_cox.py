"""Cox regression with an elastic net, along a path of penalties.

The fit is that of glmnet (Simon, Friedman, Hastie and Tibshirani 2011, doi:10.18637/jss.v039.i05):
Newton's steps outside, coordinate descent inside, each penalty starting where the one before ended.
The curvature is the whole one, not its diagonal: with a few hundred columns it costs one product of
matrices, and half as many steps are needed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import enet_path

from models.estimators.elastic_net import contributions, score
from models.estimators.registry import Estimator, Value
from models.survival.partial_likelihood import Moments, RiskSets, moments, risk_sets, value_of
from models.survival.times import unsigned

if TYPE_CHECKING:
    import optuna

# Newton's steps and coordinate sweeps that the slowest fit may take (P).
_MOST_ROUNDS, _MOST_SWEEPS = 30, 100_000
# Coordinate descent needs some lasso to tell a column from its negative twin (P).
_LEAST_LASSO = 1e-3
# Added to the curvature of each column, so that one that does not vary has one (P).
_LEAST_CURVATURE = 1e-6
# Halvings of a step that does not lower the loss.
_HALVINGS = 12


class ElasticNetCox(BaseEstimator):
    """Minimise C x negative log partial likelihood + l1_ratio |b| + (1 - l1_ratio) / 2 b^2, for
    standardised columns.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, as in the elastic net of the other tasks.
    l1_ratio : float
        1 is the lasso, 0 the ridge.
    tol : float
        Largest change of a coefficient at which the fit ends.
    """

    def __init__(self, C: float = 0.1, l1_ratio: float = 0.5, tol: float = 1e-4) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol

    def fit(self, X: np.ndarray, learned: np.ndarray) -> "ElasticNetCox":
        """Fit on an (n, p) matrix and signed times (n,).

        Parameters
        ----------
        X : array (n, p)
            Standardised columns without gaps.
        learned : array (n,)
            Months, negative where censored (`models.survival.times`).

        Returns
        -------
        ElasticNetCox
            This one.
        """
        self.coef_ = self.along(X, learned, (self.C,))[0]
        self.intercept_ = 0.0
        return self

    def along(
        self,
        X: np.ndarray,
        learned: np.ndarray,
        strengths: Sequence[float],
        start: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Fit for each C in turn, from a start."""
        sets = risk_sets(*unsigned(learned))
        path, line = [], np.zeros(X.shape[1]) if start is None else start
        for C in strengths:
            line = self._climbed(X, sets, line, C)
            path.append(line)
        return path

    def _climbed(self, X: np.ndarray, sets: RiskSets, line: np.ndarray, C: float) -> np.ndarray:
        loss = np.inf
        for _ in range(_MOST_ROUNDS):
            here = moments(X, sets, X @ line)
            loss = min(loss, self._loss(here.value, line, C))
            new, loss = self._stepped(X, sets, line, self._descended(here, line, C), loss, C)
            moved = np.abs(new - line).max(initial=0.0)
            line = new
            if moved < self.tol:
                break
        return line

    def _stepped(
        self,
        X: np.ndarray,
        sets: RiskSets,
        line: np.ndarray,
        aim: np.ndarray,
        loss: float,
        C: float,
    ) -> tuple[np.ndarray, float]:
        """Go towards the aim, half as far as long as the loss would rise."""
        for _ in range(_HALVINGS):
            reached = self._loss(value_of(sets, X @ aim), aim, C)
            if reached <= loss + 1e-9 * abs(loss):
                return aim, reached
            aim = (aim + line) / 2
        return line, loss

    def _loss(self, value: float, line: np.ndarray, C: float) -> float:
        lasso = self.l1_ratio * np.abs(line).sum()
        return float(-C * value + lasso + (1 - self.l1_ratio) / 2 * line @ line)

    def _descended(self, here: Moments, line: np.ndarray, C: float) -> np.ndarray:
        """Coordinate descent on the quadratic that touches the likelihood here.

        A triangular root of the curvature stands for the patients: p rows instead of n.
        """
        p = len(line)
        if p == 0:
            return line
        gram = here.curvature + _LEAST_CURVATURE * np.eye(p)
        root = np.linalg.cholesky(gram).T
        pull = gram @ line + here.gradient
        aim = np.linalg.solve(root.T, pull)
        path = enet_path(
            np.asfortranarray(root),
            aim,
            l1_ratio=max(self.l1_ratio, _LEAST_LASSO),
            alphas=[1 / (C * p)],
            precompute=gram,
            Xy=pull,
            coef_init=np.array(line, dtype=float),
            check_input=False,
            tol=self.tol / 10,
            max_iter=_MOST_SWEEPS,
        )[1][:, 0]
        return np.asarray(path)


def _build(seed: int, threads: int) -> ElasticNetCox:
    return ElasticNetCox()


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    C = trial.suggest_float("C", 1e-3, 1.0, log=True)
    return {"C": C, "l1_ratio": trial.suggest_float("l1_ratio", 0.0, 1.0)}


ESTIMATOR = Estimator(
    name="cox",
    classifier=_build,
    regressor=_build,
    defaults={"l1_ratio": 0.5},  # the penalty is chosen inside (models.survival.choice)
    space=_space,
    score=score,
    contributions=contributions,
    linear=True,
    learns_probability=True,
    trusted=("models.curves.Curves", "models.survival.elastic_net_cox.ElasticNetCox"),
)
