"""Gradient-boosted trees of XGBoost."""

import threading
import weakref
from typing import TYPE_CHECKING

import numpy as np
import xgboost
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier, XGBModel, XGBRegressor

from models.estimators.filling import imputed
from models.estimators.registry import Estimator, Value

if TYPE_CHECKING:
    import optuna

_CONFIGURED: "weakref.WeakSet[xgboost.Booster]" = weakref.WeakSet()
_CONFIGURING = threading.Lock()


def _classifier(seed: int, threads: int) -> XGBClassifier:
    return XGBClassifier(random_state=seed, n_jobs=threads, tree_method="hist")


def _regressor(seed: int, threads: int) -> XGBRegressor:
    return XGBRegressor(random_state=seed, n_jobs=threads, tree_method="hist")


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "max_depth": trial.suggest_int("max_depth", 1, 5),
        # A patient weighs 0.25 at the most: 1.25 are five of them, below which no leaf may go.
        "min_child_weight": trial.suggest_float("min_child_weight", 1.25, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.4, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.1, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 50.0, log=True),
    }


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Sum of the trees on one thread, (n,)."""
    return _predicted(_booster(pipeline[-1]), imputed(pipeline, X))


def staged_scores(pipeline: Pipeline, X: np.ndarray, trees: tuple[int, ...]) -> np.ndarray:
    """Scores (len(trees), n) by the first trees alone."""
    X, booster = imputed(pipeline, X), _booster(pipeline[-1])
    return np.asarray([_predicted(booster, X, n) for n in trees])


def _predicted(booster: xgboost.Booster, X: np.ndarray, trees: int = 0) -> np.ndarray:
    """Margin of the first trees, of all for 0."""
    margin = booster.inplace_predict(
        X, iteration_range=(0, trees), predict_type="margin", validate_features=False
    )
    return np.asarray(margin, dtype=np.float64)


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Exact TreeSHAP (Lundberg 2020), log-odds by feature, (n, p)."""
    rows = xgboost.DMatrix(imputed(pipeline, X), nthread=1)
    return _shares(_booster(pipeline[-1]), rows)


def explained(pipeline: Pipeline, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`score` and `contributions` of rows that are handed to XGBoost once."""
    booster, rows = _booster(pipeline[-1]), xgboost.DMatrix(imputed(pipeline, X), nthread=1)
    margin = booster.predict(rows, output_margin=True, validate_features=False)
    return np.asarray(margin, dtype=np.float64), _shares(booster, rows)


def _shares(booster: xgboost.Booster, rows: xgboost.DMatrix) -> np.ndarray:
    shares = booster.predict(rows, pred_contribs=True, validate_features=False)
    return np.asarray(shares[:, :-1], dtype=np.float64)


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


ESTIMATOR = Estimator(
    name="xgboost",
    classifier=_classifier,
    regressor=_regressor,
    defaults={
        "n_estimators": 300,
        "learning_rate": 0.04,
        "max_bin": 64,  # of a few thousand patients; 256 take longer and are no better
        "max_depth": 2,  # no worse than a choice of 2 and 3 on real tables, at half the cost
        "min_child_weight": 5,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "reg_lambda": 5.0,
    },
    space=_space,
    score=score,
    contributions=contributions,
    explained=explained,
    monotone="monotone_constraints",
    trusted=(
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    ),
    requirements=("scikit-learn", "xgboost-cpu", "xgboost"),
)
