"""What a user would pick instead of ours, each tuned inside the training part on the same inner
folds.

A rival is given the continuous target where ours uses it: an uncertain label is learned as a
positive and a negative patient whose weights add up to 1. Its settings are drawn at random, judged
by the log loss on the inner folds behind a sigmoid, and its probability is that sigmoid of the
best: ours is judged in the same way.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from scipy.special import expit, logit
from scipy.stats import loguniform, randint, uniform
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.calibration import fit_sigmoid
from models.choice import log_loss
from models.estimators import as_certain
from models.members import family_folds

INNER_FOLDS, SEED = 3, 1
# EBM looks for interactions among all pairs; beyond these columns that takes minutes a fit.
MOST_PAIRED = 50
Space = dict[str, Any]


def logistic(**settings: Any) -> Any:
    mean = SimpleImputer(keep_empty_features=True)
    return make_pipeline(mean, StandardScaler(), LogisticRegression(max_iter=5000, **settings))


def forest(**settings: Any) -> Any:
    return RandomForestClassifier(n_estimators=200, random_state=SEED, n_jobs=1, **settings)


def histogram(**settings: Any) -> Any:
    return HistGradientBoostingClassifier(
        max_iter=150, early_stopping=False, random_state=SEED, max_bins=64, **settings
    )


def lightgbm(**settings: Any) -> Any:
    return LGBMClassifier(
        n_estimators=200,
        subsample_freq=1,
        random_state=SEED,
        n_jobs=1,
        verbose=-1,
        **settings,
    )


def explainable(**settings: Any) -> Any:
    from interpret.glassbox import ExplainableBoostingClassifier

    return ExplainableBoostingClassifier(
        outer_bags=4,
        max_bins=64,
        max_rounds=500,
        early_stopping_rounds=25,
        n_jobs=1,
        random_state=SEED,
        **settings,
    )


# The quick ones first.
RIVALS: dict[str, tuple[Callable[..., Any], Space]] = {
    "tuned logistic": (logistic, {"C": loguniform(1e-4, 10)}),
    "LightGBM": (
        lightgbm,
        {
            "learning_rate": loguniform(0.01, 0.1),
            "num_leaves": randint(3, 20),
            "colsample_bytree": uniform(0.1, 0.6),
            "subsample": uniform(0.5, 0.5),
            "reg_lambda": loguniform(0.1, 30),
        },
    ),
    "histogram boosting": (
        histogram,
        {
            "learning_rate": loguniform(0.02, 0.1),
            "max_leaf_nodes": randint(3, 12),
            "max_features": uniform(0.1, 0.6),
        },
    ),
    "random forest": (
        forest,
        {"min_samples_leaf": randint(1, 20), "max_features": uniform(0.05, 0.45)},
    ),
    "EBM": (explainable, {"interactions": randint(0, 10), "learning_rate": loguniform(0.02, 0.1)}),
}


def available() -> tuple[str, ...]:
    """Rivals that are installed: EBM needs interpret-core, which nothing else of ours does."""
    ebm = importlib.util.find_spec("interpret") is not None
    return tuple(name for name in RIVALS if name != "EBM" or ebm)


def tuned_probability(
    name: str, X: np.ndarray, y: np.ndarray, likely: np.ndarray, trials: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Tune and calibrate a rival on training patients: their matrix -> their probabilities.

    Parameters
    ----------
    X, y, likely : arrays (n, p), (n,), (n,)
        Columns with NaN unknown, 0/1 label, probability of the label that is learned.
    trials : int
        Settings that are drawn from the rival's space.
    """
    maker, space = RIVALS[name]
    folds = family_folds(y, np.arange(len(y)), INNER_FOLDS, SEED)
    tried = []
    for drawn in ParameterSampler(space, trials, random_state=SEED):
        settings = _affordable(drawn, X.shape[1])
        score = np.empty(len(y))
        for inner, held_out in folds:
            fitted = _fitted(maker(**settings), X[inner], likely[inner])
            score[held_out] = _log_odds(fitted, X[held_out])
        tried.append((log_loss(score, y), settings, score))
    _, settings, score = min(tried, key=lambda one: one[0])
    slope, intercept = fit_sigmoid(score, y)
    best = _fitted(maker(**settings), X, likely)
    return lambda rows: np.asarray(expit(slope * _log_odds(best, rows) + intercept))


def _affordable(settings: Space, columns: int) -> Space:
    many = columns > MOST_PAIRED and "interactions" in settings
    return {**settings, "interactions": 0} if many else settings


def _fitted(estimator: Any, X: np.ndarray, target: np.ndarray) -> Any:
    X, labels, weights = as_certain(X, target)
    if weights is None:
        return estimator.fit(X, labels)
    last = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
    return estimator.fit(X, labels, **{f"{last}sample_weight": weights})


def _log_odds(fitted: Any, X: np.ndarray) -> np.ndarray:
    return np.asarray(logit(np.clip(fitted.predict_proba(X)[:, 1], 1e-3, 1 - 1e-3)))
