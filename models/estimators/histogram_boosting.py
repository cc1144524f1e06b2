"""The histogram boosting of scikit-learn."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from models.estimators.filling import imputed
from models.estimators.registry import Estimator, Value

if TYPE_CHECKING:
    import optuna

# Patients whose contributions are computed at once: some MB of nodes (P).
_AT_ONCE = 512


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


class _Trees(NamedTuple):
    """The nodes of all trees in a row: arrays (nodes,), but for `root` (trees,).

    `value` is the mean over the training patients who pass a node. What the trees themselves keep
    of an inner node is its step before the learning rate, 33 times as far as the leaves' at 0.03.
    """

    root: np.ndarray
    leaf: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Change of the mean along the decision paths, by feature (Saabas 2014), (n, p).

    Over the training patients those of each feature add up to 0.
    """
    X, trees = imputed(pipeline, X), _trees(pipeline[-1])
    parts = [_walked(trees, X[i : i + _AT_ONCE]) for i in range(0, len(X), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(X.shape)


def _trees(model: HistGradientBoostingClassifier | HistGradientBoostingRegressor) -> _Trees:
    # scikit-learn shows the trees of this model nowhere else.
    each = [tree.nodes for (tree,) in model._predictors]  # noqa: SLF001
    sizes = np.array([len(nodes) for nodes in each])
    root = np.cumsum(sizes) - sizes
    nodes, first = np.concatenate(each), np.repeat(root, sizes)
    left, right = nodes["left"] + first, nodes["right"] + first
    leaf = nodes["is_leaf"].astype(bool)
    return _Trees(
        root=root,
        leaf=leaf,
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(bool),
        left=left,
        right=right,
        value=_means(nodes, leaf, left, right),
    )


def _means(nodes: np.ndarray, leaf: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Mean of the leaves below each node, by training patients, from the deepest nodes up."""
    value, count = nodes["value"].copy(), nodes["count"].astype(float)
    for depth in range(int(nodes["depth"].max()) - 1, -1, -1):
        (here,) = (~leaf & (nodes["depth"] == depth)).nonzero()
        below = left[here], right[here]
        value[here] = sum(count[i] * value[i] for i in below) / count[here]
    return np.asarray(value)


def _walked(trees: _Trees, X: np.ndarray) -> np.ndarray:
    """All patients walk down all trees together, one level a step."""
    row, total = np.arange(len(X))[:, None], np.zeros(X.shape)
    at = np.tile(trees.root, (len(X), 1))
    while not (ended := trees.leaf[at]).all():
        feature = trees.feature[at]
        x = X[row, feature]
        goes_left = np.where(np.isnan(x), trees.missing_left[at], x <= trees.threshold[at])
        below = np.where(ended, at, np.where(goes_left, trees.left[at], trees.right[at]))
        cell, change = row * X.shape[1] + feature, trees.value[below] - trees.value[at]
        total += np.bincount(cell.ravel(), change.ravel(), X.size).reshape(X.shape)
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
