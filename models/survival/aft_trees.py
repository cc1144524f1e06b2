"""Gradient-boosted trees of XGBoost for accelerated failure time (`survival:aft`).

The log of the time is the sum of the trees and an error (Barnwal, Cho and Hocking 2022,
doi:10.1080/10618600.2022.2067548). A longer time is a lower hazard, so the score is the negative
sum over the scale of the error.
"""

from typing import TYPE_CHECKING

import numpy as np
import xgboost
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from models.estimators.registry import Estimator, Value
from models.estimators.xgboost_trees import contributions as of_trees
from models.estimators.xgboost_trees import score as sum_of_trees
from models.estimators.xgboost_trees import staged_scores as sums_of_trees
from models.survival.times import unsigned

if TYPE_CHECKING:
    import optuna


# As the trees of labels have them (`models.estimators.xgboost_trees`).
_BINS, _LEAST_WEIGHT = 64, 5


class AftTrees(BaseEstimator):
    """Trees that add up to the log of the time.

    Parameters
    ----------
    n_estimators, max_depth : int
        As of XGBoost.
    learning_rate, subsample, colsample_bytree, reg_lambda : float
        As of XGBoost.
    scale : float
        Of the normal error, on the log of the time.
    seed, threads : int
        Of the fit.
    """

    def __init__(
        self,
        n_estimators: int = 300,
        learning_rate: float = 0.04,
        max_depth: int = 2,
        subsample: float = 0.7,
        colsample_bytree: float = 0.5,
        reg_lambda: float = 5.0,
        scale: float = 1.0,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.reg_lambda = reg_lambda
        self.scale = scale
        self.seed = seed
        self.threads = threads

    def fit(self, X: np.ndarray, learned: np.ndarray) -> "AftTrees":
        """Fit on an (n, p) matrix and signed times (n,).

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        learned : array (n,)
            Months, negative where censored (`models.survival.times`).

        Returns
        -------
        AftTrees
            This one.
        """
        months, event = unsigned(learned)
        data = xgboost.QuantileDMatrix(X, max_bin=_BINS, nthread=self.threads)
        data.set_info(label_lower_bound=months, label_upper_bound=np.where(event, months, np.inf))
        self.booster_ = xgboost.train(self._settings(), data, self.n_estimators)
        return self

    def _settings(self) -> dict[str, Value]:
        return {
            "objective": "survival:aft",
            "aft_loss_distribution": "normal",
            "aft_loss_distribution_scale": self.scale,
            "tree_method": "hist",
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": _LEAST_WEIGHT,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "reg_lambda": self.reg_lambda,
            "max_bin": _BINS,
            "seed": self.seed,
            "nthread": self.threads,
        }

    def get_booster(self) -> xgboost.Booster:
        """The fitted trees, by the name that XGBoost's own estimators use."""
        return self.booster_


def _build(seed: int, threads: int) -> AftTrees:
    return AftTrees(seed=seed, threads=threads)


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "max_depth": trial.suggest_int("max_depth", 1, 5),
        "scale": trial.suggest_float("scale", 0.5, 2.0),
    }


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Negative log of the time over the scale of its error, (n,)."""
    return np.asarray(-sum_of_trees(pipeline, X) / pipeline[-1].scale)


def staged_scores(pipeline: Pipeline, X: np.ndarray, trees: tuple[int, ...]) -> np.ndarray:
    """Scores (len(trees), n) by the first trees alone."""
    return np.asarray(-sums_of_trees(pipeline, X, trees) / pipeline[-1].scale)


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Exact TreeSHAP by feature, on the scale of the score, (n, p)."""
    return np.asarray(-of_trees(pipeline, X) / pipeline[-1].scale)


ESTIMATOR = Estimator(
    name="xgboost_aft",
    classifier=_build,
    regressor=_build,
    space=_space,
    score=score,
    contributions=contributions,
    learns_probability=True,
    trusted=("models.survival.aft_trees.AftTrees", "xgboost.core.Booster"),
    requirements=("scikit-learn", "xgboost-cpu", "xgboost"),
)
