"""One estimator inside a fold: its recipe, its fit on the columns that vary enough, and its
out-of-fold scores.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from models.estimators import estimator, fit, make_pipeline, single_threaded
from models.estimators.registry import Parameters
from models.tasks import TASKS


@dataclass(frozen=True)
class Search:
    """Bounds of a search for parameters: trials an estimator, seconds, inner folds; `journal` keeps
    finished trials in a file.
    """

    trials: int
    seconds: float | None = None
    folds: int = 3
    journal: str | None = None


class Trial(NamedTuple):
    """One trial: estimator, parameters, loss (NaN where pruned), state and seconds."""

    estimator: str
    number: int
    parameters: Parameters
    loss: float
    state: str
    seconds: float


@dataclass(frozen=True)
class Recipe:
    """What to fit: everything that a fold needs to know.

    `members` are estimators with their parameters; several are stacked. `threshold` is prevalence,
    cost or sensitivity, with `threshold_value` for the latter two (see `models.thresholds`).
    `related`: see `models.estimators.make_pipeline`. `rising` are columns that may only raise the
    score.
    """

    task: str
    members: tuple[tuple[str, Parameters], ...]
    seed: int
    inner_folds: int
    coverage: float
    threads: int = 1
    continuous: bool = False
    least_share: float = 0.0
    calibration: str = "auto"
    threshold: str = "prevalence"
    threshold_value: float = float("nan")
    search: Search | None = None
    related: bool = False
    rising: tuple[int, ...] = ()


@dataclass(frozen=True)
class Member:
    """A fitted estimator; `columns` are those it uses, `weight` its part in a stack."""

    name: str
    parameters: Parameters
    pipeline: Pipeline
    columns: tuple[int, ...]
    weight: float = 1.0

    def score(self, X: np.ndarray) -> np.ndarray:
        """Raw score of each row of an (n, p) matrix.

        Parameters
        ----------
        X : array (n, p)
            All features, NaN unknown.

        Returns
        -------
        array (n,)
            On the estimator's own scale.
        """
        return estimator(self.name).score(self.pipeline, self.own(X))

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Contribution of each feature to the score, (n, p); 0 for a column it does not use.

        Parameters
        ----------
        X : array (n, p)
            All features, NaN unknown.

        Returns
        -------
        array (n, p)
            On the estimator's own scale.
        """
        return self._of_all(X, estimator(self.name).contributions(self.pipeline, self.own(X)))

    def explained(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`score` and `contributions` of each row, to the same bits.

        Parameters
        ----------
        X : array (n, p)
            All features, NaN unknown.

        Returns
        -------
        score : array (n,)
            On the estimator's own scale.
        contributions : array (n, p)
            On the same scale.
        """
        at_once = estimator(self.name).explained
        if at_once is None:
            return self.score(X), self.contributions(X)
        score, shares = at_once(self.pipeline, self.own(X))
        return score, self._of_all(X, shares)

    def _of_all(self, X: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Shares of its own columns among those of all features, 0 elsewhere."""
        result = np.zeros(X.shape)
        result[:, self._index] = shares
        return result

    @cached_property
    def _index(self) -> np.ndarray:
        return np.array(self.columns, dtype=int)

    def own(self, X: np.ndarray) -> np.ndarray:
        """The columns that it uses, row by row in memory; no copy where these are all.

        Parameters
        ----------
        X : array (n, p)
            All features.

        Returns
        -------
        array (n, k)
            Of its k columns.
        """
        return np.ascontiguousarray(X if len(self.columns) == X.shape[1] else X[:, self._index])


def weighted_sum(members: Sequence[Member], parts: Sequence[np.ndarray]) -> np.ndarray:
    """What the members of a stack say, weighted and added in a fixed order.

    Parameters
    ----------
    members : sequence of Member
        One or more.
    parts : sequence of arrays
        Score or contributions by each, all of one shape.

    Returns
    -------
    array
        Of the shape of the parts.
    """
    weights = (member.weight for member in members)
    return reduce(np.add, map(operator.mul, weights, parts))


def fit_member(
    name: str, parameters: Parameters, X: np.ndarray, learned: np.ndarray, recipe: Recipe
) -> Member:
    """Fit one estimator on all rows whose target is known.

    Parameters
    ----------
    name : str
        Of an estimator.
    parameters : dict
        Its settings.
    recipe : Recipe
        Task, seed, threads and imputation.
    X : array (n, p)
        Features, NaN unknown.
    learned : array (n,)
        A label as 0/1 or as a probability, or a continuous target (`recipe.continuous`); NaN
        unknown.

    Returns
    -------
    Member
        With weight 1.
    """
    learns = TASKS[recipe.task].learns_missingness
    columns = varying(X, recipe.least_share)
    pipeline = built(name, parameters, columns, recipe)
    known = np.isfinite(learned)
    used = np.ascontiguousarray(X[known][:, columns])
    fit(name, pipeline, used, learned[known], recipe.seed, learns)
    return Member(
        name=name,
        parameters=parameters,
        pipeline=single_threaded(pipeline),
        columns=tuple(map(int, columns)),
    )


def built(name: str, parameters: Parameters, columns: np.ndarray, recipe: Recipe) -> Pipeline:
    """Build the unfitted pipeline of a member that uses some columns.

    Parameters
    ----------
    name : str
        Of an estimator.
    parameters : dict
        Its settings.
    columns : array of int (k,)
        Features that it uses.
    recipe : Recipe
        Task, seed, threads and imputation.

    Returns
    -------
    Pipeline
        Imputer, scaler and curves where the estimator needs them.
    """
    return make_pipeline(
        name,
        parameters,
        recipe.seed,
        recipe.threads,
        TASKS[recipe.task].learns_missingness,
        recipe.continuous,
        recipe.related,
        tuple(map(bool, np.isin(columns, recipe.rising))),
    )


def varying(X: np.ndarray, least_share: float) -> np.ndarray:
    """Columns that differ from their most common value in at least a share of the rows.

    All of them for a share of 0.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    least_share : float
        Of the rows, 0 to 1.

    Returns
    -------
    array of int
        Columns; all where none varies enough.

    Examples
    --------
    >>> varying(np.array([[0, 1], [0, 2], [0, 3], [1, np.nan]]), 0.5).tolist()
    [1]
    """
    if least_share <= 0:
        return np.arange(X.shape[1])
    kept = [j for j in range(X.shape[1]) if _off_mode(X[:, j]) >= max(least_share * len(X), 1)]
    return np.array(kept or range(X.shape[1]), dtype=int)


def _off_mode(column: np.ndarray) -> int:
    known = column[~np.isnan(column)]
    return len(known) - int(np.unique(known, return_counts=True)[1].max(initial=0))


def family_folds(
    y: np.ndarray, families: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test indices: families are split, stratified by whether one of them is positive,
    and kept whole.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    families : array of int (n,)
        Relatives share a number.
    folds : int
        How many.
    seed : int
        Of the shuffle.

    Returns
    -------
    list of (train, test)
        Arrays of indices.
    """
    names, family = np.unique(families, return_inverse=True)
    positive = np.bincount(family, y, len(names)) > 0
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    tested = np.empty(len(names), dtype=int)
    for i, (_, test) in enumerate(splitter.split(names, positive)):
        tested[test] = i
    return [
        (np.flatnonzero(tested[family] != i), np.flatnonzero(tested[family] == i))
        for i in range(folds)
    ]
