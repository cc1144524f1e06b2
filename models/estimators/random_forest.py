"""The random forest of scikit-learn."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline

from models.estimators.filling import imputed
from models.estimators.registry import Estimator, Value

if TYPE_CHECKING:
    import optuna

# Votes of 0 and 1 have no log-odds; they are held this far from the ends.
_VOTE_MARGIN = 1e-3


def _classifier(seed: int, threads: int) -> RandomForestClassifier:
    return RandomForestClassifier(random_state=seed, n_jobs=threads)


def _regressor(seed: int, threads: int) -> RandomForestRegressor:
    return RandomForestRegressor(random_state=seed, n_jobs=threads)


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 30, log=True),
        "max_features": trial.suggest_float("max_features", 0.05, 0.4),
    }


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Log-odds of the votes, or the predicted number, (n,)."""
    model, X = pipeline[-1], imputed(pipeline, X)
    if isinstance(model, RandomForestRegressor):
        return np.asarray(model.predict(X))
    return np.asarray(logit(np.clip(model.predict_proba(X)[:, 1], _VOTE_MARGIN, 1 - _VOTE_MARGIN)))


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Change of the share of votes along the decision paths, by feature (Saabas 2014), (n, p)."""
    forest, X = pipeline[-1], imputed(pipeline, X)
    paths, _ = forest.decision_path(X)
    change, feature = [], []
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        value = tree.value[:, 0, 0]
        if tree.value.shape[2] > 1:
            value = tree.value[:, 0, 1] / tree.value[:, 0, :].sum(axis=1)
        parent = np.full(tree.node_count, -1)
        split = np.flatnonzero(tree.children_left >= 0)
        parent[tree.children_left[split]], parent[tree.children_right[split]] = split, split
        change.append(np.where(parent >= 0, value - value[parent], 0.0))
        feature.append(np.where(parent >= 0, tree.feature[parent], 0))
    weights = paths.multiply(np.concatenate(change)).tocoo()
    total = np.zeros((len(X), X.shape[1]))
    np.add.at(total, (weights.row, np.concatenate(feature)[weights.col]), weights.data)
    return total / len(forest.estimators_)


ESTIMATOR = Estimator(
    name="random_forest",
    classifier=_classifier,
    regressor=_regressor,
    defaults={"n_estimators": 300, "min_samples_leaf": 5, "max_features": 0.15},
    space=_space,
    score=score,
    contributions=contributions,
    monotone="monotonic_cst",
    trusted=("sklearn.tree._tree.Tree",),
)
