"""What an estimator leaves open is chosen inside the training part: the setting with the lowest
inner log loss.

An elastic net without `C` gets its penalty and the weight of its curves, XGBoost without
`n_estimators` its number of trees. The folds that choose are those that calibrate, and the
out-of-fold scores of the winner are kept, so a choice costs one path a fold. The minimum is taken:
the one-standard-error rule costs 0.004 AUC and bends the slope.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator

from models.calibration import fit_sigmoid
from models.estimators.registry import Parameters
from models.linear import Line
from models.members import Recipe, built, fit_member, varying

Folds = list[tuple[np.ndarray, np.ndarray]]
Scored = tuple[Parameters, np.ndarray]
# Half a decade a step: between neighbours the inner log loss of real and simulated tables moves by
# less than 0.001.
PENALTIES = tuple(float(round(C, 6)) for C in 10 ** np.arange(-3, 0.6, 0.5))
# Without curves, or with their curvature held back three times as much as the line.
CURVATURES = (0.0, 0.3)
TREES = (50, 100, 150, 200, 300, 400)
# A weaker penalty is no longer tried once the loss has risen this often in a row.
_PATIENCE = 2
_EDGE = 1e-9


class Choice(NamedTuple):
    """Settings of an estimator, and the out-of-fold scores (n,) that they give."""

    parameters: Parameters
    score: np.ndarray


def choose(
    name: str,
    parameters: Parameters,
    X: np.ndarray,
    y: np.ndarray,
    learned: np.ndarray,
    folds: Folds,
    recipe: Recipe,
) -> Choice:
    """Choose what `parameters` leave open.

    Parameters
    ----------
    name : str
        Of an estimator.
    parameters : dict
        What is already decided.
    recipe : Recipe
        How members are fitted.
    X, y, learned : arrays (n, p), (n,), (n,)
        Features, 0/1 labels that judge, and what is learned (NaN where unknown).
    folds : list of (train, test)
        Indices, families kept whole.

    Returns
    -------
    Choice
        With all parameters, and out-of-fold scores (n,).
    """
    data = (X, y, learned)
    if name == "elastic_net" and "C" not in parameters and not recipe.continuous:
        return _best(_linear(parameters, data, folds, recipe), y)
    if name == "xgboost" and "n_estimators" not in parameters and not recipe.continuous:
        return _best(_boosted(parameters, data, folds, recipe), y)
    return Choice(parameters, _out_of_fold(name, parameters, data, folds, recipe))


def _best(scored: Iterator[Scored], y: np.ndarray) -> Choice:
    rated = [(log_loss(score, y), parameters, score) for parameters, score in scored]
    _, parameters, score = min(rated, key=lambda one: one[0])
    return Choice(parameters, score)


def log_loss(score: np.ndarray, y: np.ndarray) -> float:
    """Log loss of scores behind a sigmoid, so that their scale does not count.

    Parameters
    ----------
    score : array (n,)
        Raw scores.
    y : array (n,)
        0/1 labels.

    Returns
    -------
    float
        Nats a patient.
    """
    slope, intercept = fit_sigmoid(score, y)
    p = np.clip(expit(slope * score + intercept), _EDGE, 1 - _EDGE)
    return float(-np.where(y == 1, np.log(p), np.log1p(-p)).mean())


def _out_of_fold(
    name: str,
    parameters: Parameters,
    data: tuple[np.ndarray, ...],
    folds: Folds,
    recipe: Recipe,
) -> np.ndarray:
    X, y, learned = data
    score = np.empty(len(y))
    for train, test in folds:
        fitted = fit_member(name, parameters, X[train], learned[train], recipe)
        score[test] = fitted.score(X[test])
    return score


class Prepared(NamedTuple):
    """A fold's imputed, standardised and curved columns, with a curvature of 1."""

    train: np.ndarray
    test: np.ndarray
    target: np.ndarray
    place: np.ndarray
    model: BaseEstimator
    lines: int


def _linear(
    parameters: Parameters, data: tuple[np.ndarray, ...], folds: Folds, recipe: Recipe
) -> Iterator[Scored]:
    """Scores of each penalty and curvature, from the strongest penalty on."""
    curvatures = [parameters["curvature"]] if "curvature" in parameters else list(CURVATURES)
    whole = {**parameters, "curvature": float(any(curvatures))}
    sides = [prepared("elastic_net", whole, data, fold, recipe) for fold in folds]
    for curvature in curvatures:
        yield from _penalties({**parameters, "curvature": curvature}, sides, data[1])


def prepared(
    name: str,
    parameters: Parameters,
    data: tuple[np.ndarray, ...],
    fold: tuple[np.ndarray, np.ndarray],
    recipe: Recipe,
) -> Prepared:
    """The columns of both sides of a fold as a linear estimator sees them.

    Parameters
    ----------
    name : str
        Of a linear estimator.
    parameters : dict
        With a `curvature` of 1 where curves are tried.
    data : arrays (n, p), (n,), (n,)
        Features, labels and what is learned.
    fold : (train, test)
        Indices.
    recipe : Recipe
        How members are fitted.

    Returns
    -------
    Prepared
        Fitted on the training side alone.
    """
    X, _, learned = data
    train, test = fold
    train = train[np.isfinite(learned[train])]
    columns = varying(X[train], recipe.least_share)
    pipeline = built(name, parameters, columns, recipe)
    used = np.asarray(X[:, columns], dtype=np.float64)
    filled = pipeline[:-1].fit_transform(used[train])
    return Prepared(
        train=filled,
        test=pipeline[:-1].transform(used[test]),
        target=learned[train],
        place=test,
        model=pipeline[-1],
        lines=len(columns),
    )


def _penalties(parameters: Parameters, folds: list[Prepared], y: np.ndarray) -> Iterator[Scored]:
    """Go from strong to weak in all folds together, until the loss has risen twice in a row.

    A penalty that leaves no coefficient in some fold says the prevalence: there is nothing to
    choose between.
    """
    sides = [(bent(f.train, f, parameters), bent(f.test, f, parameters)) for f in folds]
    lines: list[Line | None] = [None] * len(folds)
    least, risen = np.inf, 0
    for C in PENALTIES:
        score = np.empty(len(y))
        for i, (fold, (train, test)) in enumerate(zip(folds, sides, strict=True)):
            line = lines[i] = fold.model.along(train, fold.target, (C,), lines[i])[0]
            score[fold.place] = test @ line.coefficients + line.intercept
        says_nothing = any(line is None or not line.coefficients.any() for line in lines)
        if says_nothing and PENALTIES[-1] > C:
            continue
        yield {**parameters, "C": C}, score
        loss = log_loss(score, y)
        risen = 0 if loss < least else risen + 1
        least = min(least, loss)
        if risen == _PATIENCE:
            return


def bent(columns: np.ndarray, fold: Prepared, parameters: Parameters) -> np.ndarray:
    """The lines, and the curves at the weight of this candidate.

    Parameters
    ----------
    columns : array (n, k)
        Of one side of the fold.
    fold : Prepared
        Says how many of them are lines.
    parameters : dict
        With `curvature`.

    Returns
    -------
    array
        Of k columns, or of the lines alone.
    """
    weight = parameters["curvature"]
    if weight == 0:
        return columns[:, : fold.lines]
    return np.hstack([columns[:, : fold.lines], weight * columns[:, fold.lines :]])


def _boosted(
    parameters: Parameters, data: tuple[np.ndarray, ...], folds: Folds, recipe: Recipe
) -> Iterator[Scored]:
    """Scores of each number of trees; one fit a fold serves all numbers."""
    from models.estimators.xgboost_trees import staged_scores  # a served linear model needs none

    X, y, learned = data
    grown = {**parameters, "n_estimators": TREES[-1]}
    scores = np.empty((len(TREES), len(y)))
    for train, test in folds:
        fitted = fit_member("xgboost", grown, X[train], learned[train], recipe)
        scores[:, test] = staged_scores(fitted.pipeline, fitted.own(X[test]), TREES)
    for trees, score in zip(TREES, scores, strict=True):
        yield {**parameters, "n_estimators": trees}, score
