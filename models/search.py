"""A search for parameters with Optuna inside a training part: seeded trial by trial, pruned,
resumable, bounded.

The loss of a trial is the log loss of its scores on inner folds behind a sigmoid, of times the
negative partial likelihood at the best slope, so that the scale of a score does not count. The
first trial is always what the configuration or the defaults say.
"""

import hashlib
import time
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from sklearn.impute import SimpleImputer

from models.choice import TREES, log_loss
from models.estimators import estimator, fit, make_pipeline
from models.estimators.registry import OF_TIMES, Parameters
from models.members import Recipe, Search, Trial, family_folds, fit_member, varying
from models.survival.choice import BOOSTED, scores_by_trees
from models.survival.partial_likelihood import cox_loss
from models.survival.times import unsigned
from models.tasks import TASKS

optuna.logging.set_verbosity(optuna.logging.WARNING)
# Trees that early stopping may use, and how many without a gain end it.
_MOST_TREES, _PATIENCE = 600, 30


def tuned(
    X: np.ndarray, y: np.ndarray, families: np.ndarray, recipe: Recipe, learned: np.ndarray
) -> tuple[Recipe, list[Trial]]:
    """Search the parameters of each member on these patients alone.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    y : array (n,)
        0/1 labels that judge; of times, whether each ended in the event.
    families : array of int (n,)
        Relatives share a number.
    recipe : Recipe
        With `search`.
    learned : array (n,)
        What is learned, NaN unknown; of times, signed months.

    Returns
    -------
    Recipe, list of Trial
        The recipe with the best parameters, and every trial.
    """
    search = recipe.search or Search(trials=1)
    folds = family_folds(y, families, search.folds, recipe.seed)
    members, trials = [], []
    for name, parameters in recipe.members:
        study = _study(name, X, learned, recipe)
        _optimise(study, name, parameters, recipe, search, (X, y, learned, folds))
        members.append((name, {**parameters, **_best_parameters(study)}))
        trials += [_as_trial(name, trial) for trial in study.trials]
    return replace(recipe, members=tuple(members), search=None), trials


def _study(name: str, X: np.ndarray, learned: np.ndarray, recipe: Recipe) -> optuna.Study:
    """A study named by what it searches on, so that a journal finds it again."""
    storage = None
    if recipe.search and recipe.search.journal:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        storage = JournalStorage(JournalFileBackend(recipe.search.journal))
    what = hashlib.sha256(
        X.tobytes() + learned.tobytes() + repr((recipe.task, recipe.seed)).encode()
    ).hexdigest()
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    return optuna.create_study(
        storage=storage, pruner=pruner, study_name=f"{name}-{what[:16]}", load_if_exists=True
    )


def _optimise(
    study: optuna.Study,
    name: str,
    parameters: Parameters,
    recipe: Recipe,
    search: Search,
    data: tuple[Any, ...],
) -> None:
    """Ask and tell.

    Each trial has a sampler of its own seed, so that a resumed search goes on as if uninterrupted.
    """
    started = time.monotonic()
    while (number := len(study.get_trials(deepcopy=False))) < search.trials:
        if search.seconds is not None and number and time.monotonic() - started > search.seconds:
            return
        study.sampler = optuna.samplers.TPESampler(seed=recipe.seed + number, n_startup_trials=8)
        study.optimize(lambda trial: _loss(trial, name, parameters, recipe, *data), n_trials=1)


def _loss(
    trial: optuna.Trial,
    name: str,
    parameters: Parameters,
    recipe: Recipe,
    X: np.ndarray,
    y: np.ndarray,
    learned: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> float:
    """Mean loss over the inner folds; the chosen parameters are kept with the trial."""
    kind = estimator(name)
    chosen = {**kind.settings(recipe.continuous), **parameters}
    if trial.number:
        chosen = {**parameters, **kind.space(trial, recipe.continuous)}
    losses, trees = [], []
    for step, (train, test) in enumerate(folds):
        seen, held_out = (X[train], learned[train]), (X[test], y[test], learned[test])
        loss, used = _judged(name, chosen, recipe, seen, held_out)
        losses.append(loss)
        trees.append(used)
        trial.report(float(np.mean(losses)), step)
        if step + 1 < len(folds) and trial.should_prune():
            raise optuna.TrialPruned
    if trees[0]:
        chosen = {**chosen, "n_estimators": int(np.mean(trees))}
    trial.set_user_attr("parameters", chosen)
    return float(np.mean(losses))


def _judged(
    name: str,
    parameters: Parameters,
    recipe: Recipe,
    seen: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[float, int]:
    """Loss on the held-out patients, and the trees that they choose (0 where they do not)."""
    X_test, y_test, learned_test = held_out
    if name not in OF_TIMES:
        score, used = _scored(name, parameters, recipe, *seen, X_test, y_test)
        return log_loss(score, y_test), used
    times = unsigned(learned_test)
    if name not in BOOSTED:
        return cox_loss(fit_member(name, parameters, *seen, recipe).score(X_test), *times), 0
    scores = scores_by_trees(name, parameters, seen, X_test, recipe)
    losses = [cox_loss(score, *times) for score in scores]
    return min(losses), TREES[int(np.argmin(losses))]


def _scored(
    name: str,
    parameters: Parameters,
    recipe: Recipe,
    X: np.ndarray,
    learned: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
) -> tuple[np.ndarray, int]:
    """Scores of the held-out patients, and the trees that early stopping chose (0 without it)."""
    if name != "xgboost" or recipe.continuous:
        return fit_member(name, parameters, X, learned, recipe).score(X_test), 0
    columns = varying(X, recipe.least_share)
    return _stopped_early(parameters, recipe, X[:, columns], learned, X_test[:, columns], y_test)


def _stopped_early(
    parameters: Parameters,
    recipe: Recipe,
    X: np.ndarray,
    learned: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
) -> tuple[np.ndarray, int]:
    learns = TASKS[recipe.task].learns_missingness
    grown = {**parameters, "n_estimators": _MOST_TREES, "early_stopping_rounds": _PATIENCE}
    pipeline = make_pipeline("xgboost", grown, recipe.seed, recipe.threads, learns)
    known = np.isfinite(learned)
    held_out = (
        X_test if learns else SimpleImputer(keep_empty_features=True).fit(X).transform(X_test)
    )
    fit(
        "xgboost",
        pipeline,
        X[known],
        learned[known],
        recipe.seed,
        learns,
        eval_set=[(held_out, y_test.astype(int))],
        verbose=False,
    )
    model = pipeline[-1]
    trees = int(model.best_iteration) + 1
    margin = model.get_booster().inplace_predict(
        held_out, iteration_range=(0, trees), predict_type="margin"
    )
    return np.asarray(margin, dtype=float), trees


def _best_parameters(study: optuna.Study) -> Parameters:
    best: Parameters = study.best_trial.user_attrs["parameters"]
    return best


def _as_trial(name: str, trial: optuna.trial.FrozenTrial) -> Trial:
    loss = float("nan") if trial.value is None else float(trial.value)
    seconds = trial.duration.total_seconds() if trial.duration else float("nan")
    return Trial(
        estimator=name,
        number=trial.number,
        parameters=trial.user_attrs.get("parameters", trial.params),
        loss=loss,
        state=trial.state.name,
        seconds=seconds,
    )
