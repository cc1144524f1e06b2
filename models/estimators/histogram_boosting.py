"""The histogram boosting of scikit-learn."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from models.estimators.filling import imputed
from models.estimators.registry import Estimator, Value

if TYPE_CHECKING:
    import optuna


def _classifier(seed: int, threads: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(random_state=seed, early_stopping=False)


def _regressor(seed: int, threads: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(random_state=seed, early_stopping=False)


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    return {
        "max_iter": trial.suggest_int("max_iter", 50, 400, step=25),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 3, 24, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 50, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 0.1, 50.0, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Sum of the trees on one thread, (n,)."""
    # decision_function takes no number of threads; a served row needs one.
    raw = pipeline[-1]._raw_predict(imputed(pipeline, X), n_threads=1)  # noqa: SLF001
    return np.asarray(raw[:, 0], dtype=np.float64)


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Change along the decision paths, by feature (Saabas 2014), (n, p).

    All patients walk down each tree together, one level a step.
    """
    X = imputed(pipeline, X)
    total = np.zeros(X.shape)
    patients = np.arange(len(X))
    # scikit-learn shows the trees of this model nowhere else.
    for (tree,) in pipeline[-1]._predictors:  # noqa: SLF001
        nodes, at = tree.nodes, np.zeros(len(X), dtype=int)
        while (split := ~nodes["is_leaf"][at].astype(bool)).any():
            here = nodes[at]
            feature, value = here["feature_idx"], X[patients, here["feature_idx"]]
            left = np.where(
                np.isnan(value), here["missing_go_to_left"], value <= here["num_threshold"]
            )
            below = np.where(split, np.where(left, here["left"], here["right"]), at).astype(int)
            np.add.at(
                total,
                (patients[split], feature[split]),
                (nodes["value"][below] - here["value"])[split],
            )
            at = below
    return total


ESTIMATOR = Estimator(
    name="histogram_boosting",
    classifier=_classifier,
    regressor=_regressor,
    defaults={
        "max_iter": 200,
        "max_bins": 64,  # of a few thousand patients; 255 take five times as long
        "learning_rate": 0.03,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 10,
        "l2_regularization": 5.0,
        "max_features": 0.5,
    },
    space=_space,
    score=score,
    contributions=contributions,
    monotone="monotonic_cst",
    trusted=(
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    ),
)
