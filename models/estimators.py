"""The estimators by name, as scikit-learn pipelines over one matrix with missing values.

Every estimator imputes inside its pipeline or takes NaN natively. A task that must not learn from
missingness (see `models.tasks.Task`) has its trees fitted on donor-filled data, where an unknown
value is a random draw from the observed ones of its column and so cannot be told from them; at
prediction an unknown value is the training mean. A linear model with mean imputation cannot single
out an unknown value, so it needs no donors. Curves are made after imputation.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from features.errors import RequestError, nearest
from models.curves import Curves
from models.imputation import RelatedImputer
from models.linear import ElasticNetLogistic

# What is not chosen inside (`models.choice`); each can be replaced under `model.parameters`.
DEFAULTS: dict[str, dict[str, Any]] = {
    "elastic_net": {"l1_ratio": 0.5},
    "random_forest": {"n_estimators": 300, "min_samples_leaf": 5, "max_features": 0.15},
    "histogram_boosting": {
        "max_iter": 200,
        "max_bins": 64,  # of a few thousand patients; 255 take five times as long
        "learning_rate": 0.03,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 10,
        "l2_regularization": 5.0,
        "max_features": 0.5,
    },
    "xgboost": {
        "n_estimators": 300,
        "learning_rate": 0.04,
        "max_bin": 64,  # as above
        "max_depth": 2,  # no worse than a choice of 2 and 3 on real tables, at half the cost
        "min_child_weight": 5,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "reg_lambda": 5.0,
    },
}
# The same estimators for a continuous target; trees keep their settings.
REGRESSION_DEFAULTS = {
    **DEFAULTS,
    "elastic_net": {"alpha": 0.05, "l1_ratio": 0.5, "max_iter": 5000},
}
ESTIMATORS = tuple(DEFAULTS)
LINEAR = (ElasticNetLogistic, ElasticNet)
# A parameter of the pipeline, not of the estimator: the weight of `models.curves`.
CURVATURE = "curvature"
REGRESSORS = (ElasticNet, RandomForestRegressor, HistGradientBoostingRegressor, XGBRegressor)


def make_pipeline(
    name: str,
    parameters: dict[str, Any],
    seed: int,
    threads: int,
    learns_missingness: bool,
    continuous: bool = False,
    related: bool = False,
    rising: tuple[bool, ...] = (),
) -> Pipeline:
    """Build an unfitted pipeline.

    Parameters
    ----------
    name : str
        One of ESTIMATORS.
    parameters : dict
        Replace the defaults; an unknown one is refused.
    learns_missingness : bool
        Whether trees see NaN as it is.
    continuous : bool
        Whether the target is a number instead of a label.
    related : bool
        Whether unknown values come from the patient's known ones (`models.imputation`), not from
        the mean. For trees
        only where the task may learn from gaps.
    rising : tuple of bool
        Of each column, whether it may only raise the score of a label; empty where none is bounded.

    Raises
    ------
    RequestError
        For an unknown parameter.
    """
    estimator = (_REGRESSORS if continuous else _ESTIMATORS)[name](seed, threads)
    settings = {**(REGRESSION_DEFAULTS if continuous else DEFAULTS)[name], **parameters}
    curvature = float(settings.pop(CURVATURE, 0.0)) if name == "elastic_net" else 0.0
    unknown = [key for key in settings if key not in estimator.get_params()]
    if unknown:
        remedy = nearest(unknown[0], estimator.get_params())
        raise RequestError(
            f"model.parameters.{unknown[0]}", f"{name} has no such parameter", remedy
        )
    estimator.set_params(**settings, **({} if continuous else _bounds(name, rising)))
    mean = SimpleImputer(strategy="mean", keep_empty_features=True)
    by_known = RelatedImputer(strategy="mean", keep_empty_features=True)
    if name == "elastic_net":
        steps = [("impute", by_known if related else mean), ("scale", StandardScaler())]
        curves = (
            [("curves", Curves(curvature, tuple(i for i, bounded in enumerate(rising) if bounded)))]
            if curvature
            else []
        )
        return Pipeline([*steps, *curves, ("model", estimator)])
    if learns_missingness:
        return Pipeline([*([("impute", by_known)] if related else []), ("model", estimator)])
    return Pipeline([("impute", mean), ("model", estimator)])


def _bounds(name: str, rising: tuple[bool, ...]) -> dict[str, Any]:
    """The parameter of an estimator that keeps some columns from lowering the score."""
    if not any(rising):
        return {}
    if name == "elastic_net":
        return {"rising": tuple(i for i, bounded in enumerate(rising) if bounded)}
    key = "monotone_constraints" if name == "xgboost" else "monotonic_cst"
    return {key: tuple(map(int, rising))}


_ESTIMATORS: dict[str, Any] = {
    "elastic_net": lambda seed, threads: ElasticNetLogistic(),
    "random_forest": lambda seed, threads: RandomForestClassifier(
        random_state=seed, n_jobs=threads
    ),
    "histogram_boosting": lambda seed, threads: HistGradientBoostingClassifier(
        random_state=seed, early_stopping=False
    ),
    "xgboost": lambda seed, threads: XGBClassifier(
        random_state=seed, n_jobs=threads, tree_method="hist"
    ),
}

_REGRESSORS: dict[str, Any] = {
    "elastic_net": lambda seed, threads: ElasticNet(random_state=seed),
    "random_forest": lambda seed, threads: RandomForestRegressor(random_state=seed, n_jobs=threads),
    "histogram_boosting": lambda seed, threads: HistGradientBoostingRegressor(
        random_state=seed, early_stopping=False
    ),
    "xgboost": lambda seed, threads: XGBRegressor(
        random_state=seed, n_jobs=threads, tree_method="hist"
    ),
}


def fit(
    pipeline: Pipeline,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    learns_missingness: bool,
    **options: Any,
) -> Pipeline:
    """Fit a pipeline on an (n, p) matrix and its target.

    Parameters
    ----------
    y : array (n,)
        A label, 0/1 or the probability that it is 1; numbers for a continuous target.
    options
        Passed to the estimator's own `fit`.
    """
    tree = not isinstance(pipeline[-1], LINEAR)
    if tree and not learns_missingness:
        X = donor_filled(X, np.random.default_rng(seed))
    X = X if tree else X.astype(np.float64)
    weights = None
    if not isinstance(pipeline[-1], (*REGRESSORS, ElasticNetLogistic)):
        X, y, weights = as_certain(X, y)
    weighted = {} if weights is None else {"model__sample_weight": weights}
    return pipeline.fit(
        X, y, **weighted, **{f"model__{name}": value for name, value in options.items()}
    )


def as_certain(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Turn an uncertain label into a positive and a negative patient with weights that add up to 1.

    Returns
    -------
    X, y, weights
        Labels as integers; weights are None where every label is certain.
    """
    unsure = np.flatnonzero((y > 0) & (y < 1))
    if not len(unsure):
        return X, y.astype(int), None
    weights = np.concatenate([np.where(y >= 0.5, y, 1 - y), np.where(y >= 0.5, 1 - y, y)[unsure]])
    labels = np.concatenate([y >= 0.5, (y < 0.5)[unsure]]).astype(int)
    return np.vstack([X, X[unsure]]), labels, weights


def donor_filled(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace each unknown value by a random observed value of its column; a column never observed
    becomes 0.
    """
    filled = X.copy()
    for j in range(X.shape[1]):
        unknown = np.isnan(X[:, j])
        observed = X[~unknown, j]
        filled[unknown, j] = rng.choice(observed, unknown.sum()) if len(observed) else 0.0
    return filled
