"""What an estimator of a time leaves open is chosen inside the training part: the setting whose
out-of-fold score has the highest partial likelihood.

As `models.choice` for labels: Cox without `C` gets its penalty and the weight of its curves,
XGBoost without `n_estimators` its number of trees; the folds that choose also calibrate.
"""

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.pipeline import Pipeline

from models.choice import CURVATURES, PENALTIES, TREES, Choice, Folds, Prepared, bent, prepared
from models.estimators.registry import Parameters
from models.members import Recipe, fit_member
from models.survival.partial_likelihood import cox_loss
from models.survival.times import unsigned

Scored = tuple[Parameters, np.ndarray]
# One fit of these serves every number of trees.
BOOSTED = ("xgboost_cox", "xgboost_aft")
# A weaker penalty is no longer tried once the loss has risen this often in a row.
_PATIENCE = 1


def choose(
    name: str,
    parameters: Parameters,
    X: np.ndarray,
    learned: np.ndarray,
    folds: Folds,
    recipe: Recipe,
) -> Choice:
    """Choose what `parameters` leave open.

    Parameters
    ----------
    name : str
        Of an estimator of times.
    parameters : dict
        What is already decided.
    X : array (n, p)
        Features, NaN unknown.
    learned : array (n,)
        Signed times.
    folds : list of (train, test)
        Indices, families kept whole.
    recipe : Recipe
        How members are fitted.

    Returns
    -------
    Choice
        With all parameters, and out-of-fold scores (n,).
    """
    if name == "cox" and "C" not in parameters:
        return _best(_linear(parameters, X, learned, folds, recipe), learned)
    if name in BOOSTED and "n_estimators" not in parameters:
        return _best(_boosted(name, parameters, X, learned, folds, recipe), learned)
    score = np.empty(len(learned))
    for train, test in folds:
        fitted = fit_member(name, parameters, X[train], learned[train], recipe)
        score[test] = fitted.score(X[test])
    return Choice(parameters, score)


def _best(scored: Iterator[Scored], learned: np.ndarray) -> Choice:
    rated = [(cox_loss(score, *unsigned(learned)), settings, score) for settings, score in scored]
    _, settings, score = min(rated, key=lambda one: one[0])
    return Choice(settings, score)


def _linear(
    parameters: Parameters, X: np.ndarray, learned: np.ndarray, folds: Folds, recipe: Recipe
) -> Iterator[Scored]:
    """Scores of each penalty and curvature, from the strongest penalty on."""
    curvatures = [parameters["curvature"]] if "curvature" in parameters else list(CURVATURES)
    whole = {**parameters, "curvature": float(any(curvatures))}
    data = (X, learned, learned)
    sides = [prepared("cox", whole, data, fold, recipe) for fold in folds]
    for curvature in curvatures:
        yield from _penalties({**parameters, "curvature": curvature}, sides, learned)


def _penalties(
    parameters: Parameters, folds: list[Prepared], learned: np.ndarray
) -> Iterator[Scored]:
    """Go from strong to weak in all folds together, until the loss rises."""
    sides = [(bent(f.train, f, parameters), bent(f.test, f, parameters)) for f in folds]
    lines: list[np.ndarray | None] = [None] * len(folds)
    least, risen = np.inf, 0
    for C in PENALTIES:
        score = np.empty(len(learned))
        for i, (fold, (train, test)) in enumerate(zip(folds, sides, strict=True)):
            line = lines[i] = fold.model.along(train, fold.target, (C,), lines[i])[0]
            score[fold.place] = test @ line
        if not all(line is not None and line.any() for line in lines) and PENALTIES[-1] > C:
            continue  # nothing to choose between
        yield {**parameters, "C": C}, score
        loss = cox_loss(score, *unsigned(learned))
        risen = 0 if loss < least else risen + 1
        least = min(least, loss)
        if risen == _PATIENCE:
            return


def _boosted(
    name: str,
    parameters: Parameters,
    X: np.ndarray,
    learned: np.ndarray,
    folds: Folds,
    recipe: Recipe,
) -> Iterator[Scored]:
    """Scores of each number of trees; one fit a fold serves all numbers."""
    scores = np.empty((len(TREES), len(learned)))
    for train, test in folds:
        scores[:, test] = scores_by_trees(
            name, parameters, (X[train], learned[train]), X[test], recipe
        )
    for trees, score in zip(TREES, scores, strict=True):
        yield {**parameters, "n_estimators": trees}, score


def scores_by_trees(
    name: str,
    parameters: Parameters,
    seen: tuple[np.ndarray, np.ndarray],
    X: np.ndarray,
    recipe: Recipe,
) -> np.ndarray:
    """Scores of other patients by each number of trees, from one fit.

    Parameters
    ----------
    name : str
        Of BOOSTED.
    parameters : dict
        Without a number of trees.
    seen : arrays (m, p), (m,)
        Features and signed times of the patients who train.
    X : array (n, p)
        Features of the others.
    recipe : Recipe
        How members are fitted.

    Returns
    -------
    array (len(TREES), n)
        Log hazard ratios.
    """
    grown = {**parameters, "n_estimators": TREES[-1]}
    fitted = fit_member(name, grown, *seen, recipe)
    return _staged(name)(fitted.pipeline, fitted.own(X), TREES)


def _staged(name: str) -> Callable[[Pipeline, np.ndarray, tuple[int, ...]], np.ndarray]:
    """Scores by the first trees alone; imported here, since a served linear model needs none."""
    if name == "xgboost_aft":
        from models.survival.aft_trees import staged_scores
    else:
        from models.estimators.xgboost_trees import staged_scores
    return staged_scores
