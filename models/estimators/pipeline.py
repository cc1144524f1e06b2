"""Pipelines over one matrix with missing values, and how they are fitted.

Every estimator imputes inside its pipeline or takes NaN natively. A task that must not learn from
missingness (see `models.tasks.Task`) has its trees fitted on donor-filled data, where an unknown
value is a random draw from the observed ones of its column and so cannot be told from them; at
prediction an unknown value is the training mean. A linear model with mean imputation cannot single
out an unknown value, so it needs no donors. Curves are made after imputation.
"""

from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from features.errors import RequestError, nearest
from models.curves import Curves
from models.estimators.registry import Estimator, Value, estimator
from models.imputation import RelatedImputer

# A parameter of a linear pipeline, not of its estimator: the weight of `models.curves`.
CURVATURE = "curvature"


def make_pipeline(
    name: str,
    parameters: Mapping[str, Value],
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
        Of a registered estimator (`models.estimators.names`).
    parameters : mapping
        Replace the defaults; an unknown one is refused.
    learns_missingness : bool
        Whether trees see NaN as it is.
    continuous : bool
        Whether the target is a number instead of a label.
    related : bool
        Whether unknown values come from the patient's known ones (`models.imputation`), not from
        the mean. For trees only where the task may learn from gaps.
    rising : tuple of bool
        Of each column, whether it may only raise the score of a label; empty where none is bounded.

    Raises
    ------
    RequestError
        For an unknown estimator or parameter.
    """
    kind = estimator(name)
    model = (kind.regressor if continuous else kind.classifier)(seed, threads)
    settings = {**kind.settings(continuous), **parameters}
    curvature = float(settings.pop(CURVATURE, None) or 0.0) if kind.linear else 0.0
    _check(name, settings, model)
    model.set_params(**settings, **({} if continuous else _bounds(kind, rising)))
    mean = SimpleImputer(strategy="mean", keep_empty_features=True)
    by_known = RelatedImputer(strategy="mean", keep_empty_features=True)
    if kind.linear:
        impute = ("impute", by_known if related else mean)
        return Pipeline(
            [impute, ("scale", StandardScaler()), *_curves(curvature, rising), ("model", model)]
        )
    if learns_missingness:
        return Pipeline([*([("impute", by_known)] if related else []), ("model", model)])
    return Pipeline([("impute", mean), ("model", model)])


def _check(name: str, settings: Mapping[str, Value], model: BaseEstimator) -> None:
    known = model.get_params()
    for key in settings:
        if key not in known:
            where = f"model.parameters.{key}"
            raise RequestError(
                where, f"{name} has no such parameter", nearest(key, known), code="key_unknown"
            )


def _curves(curvature: float, rising: tuple[bool, ...]) -> list[tuple[str, Curves]]:
    """A column that may only raise the score stays straight."""
    if not curvature:
        return []
    straight = tuple(i for i, bounded in enumerate(rising) if bounded)
    return [("curves", Curves(curvature, straight))]


def _bounds(kind: Estimator, rising: tuple[bool, ...]) -> dict[str, tuple[int, ...]]:
    """The parameter of an estimator that keeps some columns from lowering the score."""
    if not any(rising):
        return {}
    if kind.monotone is None:
        remedy = "Use an estimator that can hold a column to one direction, or leave the block out."
        what = f"{kind.name} cannot keep a causal variant from lowering the score"
        raise RequestError("model.estimator", what, remedy, code="key_value")
    if kind.linear:
        return {kind.monotone: tuple(i for i, bounded in enumerate(rising) if bounded)}
    return {kind.monotone: tuple(map(int, rising))}


def fit(
    name: str,
    pipeline: Pipeline,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
    learns_missingness: bool,
    **options: object,
) -> Pipeline:
    """Fit a pipeline of an estimator on an (n, p) matrix and its target.

    Parameters
    ----------
    y : array (n,)
        A label, 0/1 or the probability that it is 1; numbers for a continuous target.
    options
        Passed to the estimator's own `fit`.
    """
    kind = estimator(name)
    if not kind.linear and not learns_missingness:
        X = donor_filled(X, np.random.default_rng(seed))
    X = X.astype(np.float64) if kind.linear else X
    weights = None
    if not is_regressor(pipeline[-1]) and not kind.learns_probability:
        X, y, weights = as_certain(X, y)
    weighted = {} if weights is None else {"model__sample_weight": weights}
    further = {f"model__{option}": value for option, value in options.items()}
    return pipeline.fit(X, y, **weighted, **further)


def single_threaded(pipeline: Pipeline) -> Pipeline:
    """Let a fitted forest score in one thread: the sums of several end in other last bits for one
    row and for many.
    """
    if isinstance(pipeline[-1], RandomForestClassifier | RandomForestRegressor):
        pipeline[-1].set_params(n_jobs=1)
    return pipeline


def as_certain(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Turn an uncertain label into a positive and a negative patient with weights that add up to 1.

    Parameters
    ----------
    X : array (n, p)
        Features.
    y : array (n,)
        Labels, or the probability that each is 1.

    Returns
    -------
    X, y, weights : arrays
        With two rows for a patient whose label is uncertain; weights are None where none is.
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

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    rng : numpy Generator
        Draws the donors.

    Returns
    -------
    array (n, p)
        Without NaN in a column that has a known value.
    """
    filled = X.copy()
    for j in range(X.shape[1]):
        unknown = np.isnan(X[:, j])
        observed = X[~unknown, j]
        filled[unknown, j] = rng.choice(observed, unknown.sum()) if len(observed) else 0.0
    return filled
