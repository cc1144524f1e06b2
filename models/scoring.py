"""Scores and their explanation, the same to the last bit for one row and for a million.

A score is in log-odds. Trees hold the promise by themselves; `X @ coef` does not (about half of the
rows differ in the last bit between one row and a batch), so linear scores are summed row by row on
C-contiguous float64.
"""

import threading
import weakref

import numpy as np
import xgboost
from scipy.special import logit
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.pipeline import Pipeline
from xgboost import XGBModel

from models.curves import Curves
from models.imputation import RelatedImputer
from models.linear import ElasticNetLogistic

# Forest votes of 0 and 1 have no log-odds; they are held this far from the ends.
_VOTE_MARGIN = 1e-3
# Models stored by earlier versions hold scikit-learn's logistic regression.
LINEAR = (ElasticNetLogistic, LogisticRegression, ElasticNet)
HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_CONFIGURED: "weakref.WeakSet[xgboost.Booster]" = weakref.WeakSet()
_CONFIGURING = threading.Lock()


def raw_score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Log-odds of the positive class for an (n, p) matrix, before calibration.

    Of a continuous pipeline the predicted number.
    """
    model = pipeline[-1]
    if isinstance(model, LINEAR):
        return np.asarray(
            _linear_terms(pipeline, X).sum(axis=1) + float(np.ravel(model.intercept_)[0])
        )
    X = _imputed(pipeline, X)
    if isinstance(model, XGBModel):
        booster = _booster(model)
        return np.asarray(
            booster.inplace_predict(X, predict_type="margin", validate_features=False),
            dtype=np.float64,
        )
    if isinstance(model, HISTOGRAM):
        return np.asarray(model._raw_predict(X, n_threads=1)[:, 0], dtype=np.float64)
    if isinstance(model, RandomForestRegressor):
        return np.asarray(model.predict(X))
    return np.asarray(logit(np.clip(model.predict_proba(X)[:, 1], _VOTE_MARGIN, 1 - _VOTE_MARGIN)))


def single_threaded(pipeline: Pipeline) -> Pipeline:
    """Let a fitted forest score in one thread: the sums of several end in other last bits for one
    row and for many.
    """
    if isinstance(pipeline[-1], RandomForestClassifier | RandomForestRegressor):
        pipeline[-1].set_params(n_jobs=1)
    return pipeline


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Contribution of each feature to the score, (n, p), positive = towards the positive class.

    Log-odds: coefficient x standardised value for a linear model, exact TreeSHAP for XGBoost,
    change along the decision paths (Saabas 2014) for histogram boosting. Share of votes: the same
    change for a random forest.
    """
    model = pipeline[-1]
    if isinstance(model, LINEAR):
        return _linear_terms(pipeline, X)
    X = _imputed(pipeline, X)
    if isinstance(model, XGBModel):
        booster = _booster(model)
        return np.asarray(
            booster.predict(xgboost.DMatrix(X, nthread=1), pred_contribs=True)[:, :-1],
            dtype=np.float64,
        )
    return (
        _histogram_contributions(model, X)
        if isinstance(model, HISTOGRAM)
        else _path_contributions(model, X)
    )


def _booster(model: XGBModel) -> xgboost.Booster:
    """The booster on one thread, configured once: XGBoost fails a prediction while another thread
    sets a parameter.
    """
    booster = model.get_booster()
    with _CONFIGURING:
        if booster not in _CONFIGURED:
            booster.set_param({"nthread": 1})
            booster.save_config()  # applies what was set now, not within the first predictions
            _CONFIGURED.add(booster)
    return booster


def staged_scores(pipeline: Pipeline, X: np.ndarray, trees: tuple[int, ...]) -> np.ndarray:
    """Scores (len(trees), n) of an XGBoost pipeline by its first trees alone."""
    X, booster = _imputed(pipeline, X), _booster(pipeline[-1])
    found = [
        booster.inplace_predict(
            X, iteration_range=(0, n), predict_type="margin", validate_features=False
        )
        for n in trees
    ]
    return np.asarray(found, dtype=np.float64)


def _linear_terms(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Contribution of each feature: its coefficient x standardised value, and that of its
    curves.
    """
    scaler, model = pipeline.named_steps["scale"], pipeline[-1]
    values = _filled(pipeline.named_steps["impute"], np.ascontiguousarray(X, dtype=np.float64))
    values, coefficients = (values - scaler.mean_) / scaler.scale_, np.ravel(model.coef_)
    curves = pipeline.named_steps.get("curves")
    if curves is None:
        return np.ascontiguousarray(values * coefficients)
    return _gathered(curves, values, coefficients)


def _gathered(curves: Curves, values: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Add what each curved part contributes to the column that it belongs to, one part after the
    other.
    """
    p = values.shape[1]
    terms = np.ascontiguousarray(curves.transform(values) * coefficients)
    total = np.ascontiguousarray(terms[:, :p])
    for part, feature in enumerate(curves.features(p)[p:], start=p):
        total[:, feature] += terms[:, part]
    return total


def _filled(imputer: SimpleImputer, X: np.ndarray) -> np.ndarray:
    """Fill an (n, p) float64 matrix.

    By hand, since a transformer of scikit-learn is slow for one patient.
    """
    if isinstance(imputer, RelatedImputer):
        return imputer.filled(X)
    return np.where(np.isnan(X), imputer.statistics_, X)


def _imputed(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    imputer = dict(pipeline.steps).get("impute")
    if isinstance(imputer, RelatedImputer):
        X = imputer.filled(np.ascontiguousarray(X, dtype=np.float64))
    X = np.ascontiguousarray(X, dtype=np.float32)
    return (
        X if imputer is None else np.where(np.isnan(X), imputer.statistics_.astype(np.float32), X)
    )


def _path_contributions(
    forest: RandomForestClassifier | RandomForestRegressor, X: np.ndarray
) -> np.ndarray:
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


def _histogram_contributions(
    model: HistGradientBoostingClassifier | HistGradientBoostingRegressor, X: np.ndarray
) -> np.ndarray:
    """Walk all patients down each tree together, one level a step."""
    total = np.zeros(X.shape)
    patients = np.arange(len(X))
    for (tree,) in model._predictors:
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


def conformal_limits(
    probability: np.ndarray, y: np.ndarray, coverage: float
) -> tuple[float, float]:
    """Label-conditional conformal limits: a label is in the set where 1 - P(label) is at most its
    limit.

    Returns
    -------
    (negative, positive) : float
        The ceil((n + 1) coverage)-th smallest of 1 - P(label) among the n patients of the label, 1
        where n is too small.
        Vovk 2012, "Conditional validity of inductive conformal predictors".
    """
    return _limit(probability[y == 0], coverage), _limit(1 - probability[y == 1], coverage)


def _limit(nonconformity: np.ndarray, coverage: float) -> float:
    rank = int(np.ceil((len(nonconformity) + 1) * coverage))
    return float(np.sort(nonconformity)[rank - 1]) if rank <= len(nonconformity) else 1.0
