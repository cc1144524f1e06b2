"""Gradient-boosted trees of XGBoost for Cox's partial likelihood (`survival:cox`)."""

from typing import TYPE_CHECKING

from xgboost import XGBRegressor

from models.estimators.registry import Estimator, Value
from models.estimators.xgboost_trees import contributions, score

if TYPE_CHECKING:
    import optuna


def _build(seed: int, threads: int) -> XGBRegressor:
    return XGBRegressor(
        objective="survival:cox", random_state=seed, n_jobs=threads, tree_method="hist"
    )


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "max_depth": trial.suggest_int("max_depth", 1, 5),
        # In events: below these no leaf may go.
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.4, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.1, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 50.0, log=True),
    }


ESTIMATOR = Estimator(
    name="xgboost_cox",
    classifier=_build,
    regressor=_build,
    defaults={
        "n_estimators": 300,
        "learning_rate": 0.04,
        "max_bin": 64,  # as for the labels: more take longer and are no better
        "max_depth": 2,
        "min_child_weight": 5,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "reg_lambda": 5.0,
    },
    space=_space,
    score=score,
    contributions=contributions,
    learns_probability=True,
    trusted=("xgboost.core.Booster", "xgboost.sklearn.XGBRegressor"),
    requirements=("scikit-learn", "xgboost-cpu", "xgboost"),
)
