"""Elastic-net logistic regression, and the elastic net for a continuous target.

Linear scores are summed row by row in float64: `X @ coef` differs in the last bit between one row
and a batch for about half of the rows.
"""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline

from models.curves import Curves
from models.estimators.filling import standardised
from models.estimators.registry import Estimator, Value
from models.linear import ElasticNetLogistic

if TYPE_CHECKING:
    import optuna


def _classifier(seed: int, threads: int) -> ElasticNetLogistic:
    return ElasticNetLogistic()


def _regressor(seed: int, threads: int) -> ElasticNet:
    return ElasticNet(random_state=seed)


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    if continuous:
        alpha = trial.suggest_float("alpha", 1e-3, 1.0, log=True)
        return {"alpha": alpha, "l1_ratio": trial.suggest_float("l1_ratio", 0.05, 1.0)}
    C = trial.suggest_float("C", 1e-3, 1.0, log=True)
    return {"C": C, "l1_ratio": trial.suggest_float("l1_ratio", 0.0, 1.0)}


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Intercept and the sum of all contributions, (n,)."""
    intercept = float(np.ravel(pipeline[-1].intercept_)[0])
    return np.asarray(contributions(pipeline, X).sum(axis=1) + intercept)


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Coefficient x standardised value of each feature and of its curves, (n, p)."""
    values, coefficients = standardised(pipeline, X), np.ravel(pipeline[-1].coef_)
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


ESTIMATOR = Estimator(
    name="elastic_net",
    classifier=_classifier,
    regressor=_regressor,
    defaults={"l1_ratio": 0.5},  # the penalty is chosen inside (models.choice)
    regression_defaults={"alpha": 0.05, "l1_ratio": 0.5, "max_iter": 5000},
    space=_space,
    score=score,
    contributions=contributions,
    linear=True,
    learns_probability=True,
    monotone="rising",
    trusted=("models.curves.Curves", "models.linear.ElasticNetLogistic"),
)
