"""What an estimator must bring to be one of ours, and how it is found by its name.

Ours are a file each in this folder. Another package adds one by an entry point of the group
`als_ml.estimators` that names an `Estimator`, once the site allows that package
(`features.plugins`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from features.errors import RequestError, nearest
from features.plugins import Plugin, offered

# Nothing heavy is imported here: a configuration is checked against the names alone.
if TYPE_CHECKING:
    import numpy as np
    import optuna
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

GROUP = "als_ml.estimators"
# Name -> module of this folder, imported when the estimator is used: some take seconds.
OURS = {
    "elastic_net": "models.estimators.elastic_net",
    "random_forest": "models.estimators.random_forest",
    "histogram_boosting": "models.estimators.histogram_boosting",
    "xgboost": "models.estimators.xgboost_trees",
}

Value = float | int | str | bool | None
# Name -> module of `models.survival`, for a time to event.
OF_TIMES = {
    "cox": "models.survival.elastic_net_cox",
    "xgboost_cox": "models.survival.cox_trees",
    "xgboost_aft": "models.survival.aft_trees",
    "discrete_time": "models.survival.discrete_time",
}

# Settings of an estimator by the names of its constructor.
Parameters = dict[str, Value]
Builder = Callable[[int, int], "BaseEstimator"]
Scorer = Callable[["Pipeline", "np.ndarray"], "np.ndarray"]
Explainer = Callable[["Pipeline", "np.ndarray"], "tuple[np.ndarray, np.ndarray]"]


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """Everything that training, scoring, storing and explaining need of an estimator.

    Attributes
    ----------
    name : str
        What `model.estimator` of a configuration says.
    classifier, regressor : callable (seed, threads) -> estimator
        Build one with its own defaults, for a label and for a continuous target.
    defaults, regression_defaults : mapping
        Parameters that replace those of the builder, and that a configuration may replace.
    space : callable (trial, continuous) -> dict
        Parameters that a search tries (`optuna.Trial.suggest_...`).
    score : callable (pipeline, X) -> array (n,)
        Log-odds of the positive class before calibration, of a continuous target the number; the
        same bits for one row and for many.
    contributions : callable (pipeline, X) -> array (n, p)
        What each feature adds to the score, positive = towards the positive class.
    explained : callable (pipeline, X) -> (score, contributions), optional
        Both of them to the same bits, where that costs less than one after the other.
    linear : bool
        Takes standardised columns without gaps, and curves where its parameter `curvature` asks.
    learns_probability : bool
        Whether `fit` takes the probability of a label, or a time, as it is. Others learn an
        uncertain label as two patients with weights.
    monotone : str, optional
        Parameter that takes 1 for each column that may only raise the score, 0 for the others.
    trusted : tuple of str
        Types in its pipeline that skops must be told to trust.
    requirements : tuple of str
        Distributions that a served model needs for it.
    """

    name: str
    classifier: Builder
    regressor: Builder
    space: "Callable[[optuna.Trial, bool], dict[str, Value]]"
    score: Scorer
    contributions: Scorer
    explained: Explainer | None = None
    defaults: Mapping[str, Value] = field(default_factory=dict)
    regression_defaults: Mapping[str, Value] | None = None
    linear: bool = False
    learns_probability: bool = False
    monotone: str | None = None
    trusted: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ("scikit-learn",)

    def settings(self, continuous: bool) -> dict[str, Value]:
        """The defaults for a label or for a continuous target."""
        if continuous and self.regression_defaults is not None:
            return dict(self.regression_defaults)
        return dict(self.defaults)


def names() -> tuple[str, ...]:
    """Names of all estimators: ours, then those of allowed packages in alphabetical order."""
    return (*OURS, *sorted(set(offered(GROUP)) - set(OURS)))


def names_of_times() -> tuple[str, ...]:
    """Names of the estimators of a time to event; all are ours."""
    return tuple(OF_TIMES)


def plugin_of(name: str) -> Plugin | None:
    """The package that an estimator comes from; None for ours."""
    return None if name in OURS or name in OF_TIMES else offered(GROUP)[name]


@cache
def estimator(name: str) -> Estimator:
    """The estimator of a name.

    Raises
    ------
    RequestError
        If there is none, or the package that has it is not allowed.
    """
    if name in OURS or name in OF_TIMES:
        registered = import_module(OURS.get(name) or OF_TIMES[name]).ESTIMATOR
    elif name in offered(GROUP):
        registered = offered(GROUP)[name].load(name)
    else:
        raise RequestError(
            f"estimator {name!r}",
            "there is no such estimator",
            nearest(name, names()),
            code="name_unknown",
        )
    if not isinstance(registered, Estimator) or registered.name != name:
        remedy = "Ask who made the package: its entry point must name an Estimator of that name."
        raise RequestError(
            f"estimator {name!r}", "its package does not register it", remedy, code="package_needed"
        )
    return registered
