"""A fitted model: pipeline, calibration, conformal limits, threshold and the range of its training data."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from models.estimators import fit, make_pipeline
from models.scoring import calibrated, conformal_limits, contributions, fit_sigmoid, raw_score
from models.tasks import TASKS

# A value is outside the training data if it lies beyond the central 98 % by more than half of their width (P).
_CENTRAL, _BEYOND = (1.0, 99.0), 0.5


@dataclass(frozen=True)
class Recipe:
    """What to fit: everything that a fold needs to know."""

    task: str
    estimator: str
    parameters: dict[str, Any]
    seed: int
    inner_folds: int
    coverage: float
    threads: int


@dataclass(frozen=True)
class Calibration:
    """Numbers stored beside the pipeline. Limits are per label (negative, positive); ranges are (p,), NaN where unknown."""

    slope: float
    intercept: float
    limits: tuple[float, float]
    threshold: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    importance: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain lists, null for NaN."""
        return {
            k: [_null(v) for v in value] if isinstance(value, tuple) else value for k, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Calibration":
        """Inverse of `to_json`."""
        restored: dict[str, Any] = {k: tuple(map(_nan, v)) if isinstance(v, list) else v for k, v in stored.items()}
        return cls(**restored)


@dataclass(frozen=True)
class FittedModel:
    """Scores patients; everything in it was fitted on one set of training patients."""

    task: str
    pipeline: Pipeline
    calibration: Calibration

    def probability(self, X: np.ndarray) -> np.ndarray:
        """Calibrated probability of the positive class for an (n, p) matrix."""
        return calibrated(raw_score(self.pipeline, X), self.calibration.slope, self.calibration.intercept)

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Contribution of each feature to the calibrated log-odds (to the votes, for a random forest), (n, p)."""
        return contributions(self.pipeline, X) * self.calibration.slope

    def label_sets(self, probability: np.ndarray) -> list[str]:
        """Conformal set of each patient: labels joined by `|`, sorted, empty if none fits."""
        task = TASKS[self.task]
        return joined_sets(self.holds(probability), (task.negative, task.positive))

    def holds(self, probability: np.ndarray) -> np.ndarray:
        """Whether the negative and the positive label are in each patient's conformal set, (n, 2) bool."""
        negative, positive = self.calibration.limits
        return np.column_stack([negative >= probability, positive >= 1 - probability])

    def outside(self, X: np.ndarray) -> np.ndarray:
        """Which values lie far outside the training data, (n, p) bool."""
        with np.errstate(invalid="ignore"):
            outside: np.ndarray = (np.asarray(self.calibration.low) > X) | (np.asarray(self.calibration.high) < X)
        return outside


def joined_sets(holds: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Label sets as text: the labels of each patient, sorted and joined by `|`, empty if none fits."""
    return ["|".join(sorted(name for name, inside in zip(names, row, strict=True) if inside)) for row in holds]


def fit_model(
    X: np.ndarray, y: np.ndarray, families: np.ndarray, recipe: Recipe, target: np.ndarray | None = None
) -> FittedModel:
    """Fit a pipeline on all rows, and its calibration and conformal limits on out-of-fold scores of whole families.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    y : array (n,)
        0/1.
    families : array (n,)
        Relatives share a number.
    target : array (n,), optional
        A continuous target to learn instead of `y`, NaN where unknown (those rows still calibrate).
    """
    score = out_of_fold(X, y, families, recipe, target)
    slope, intercept = fit_sigmoid(score, y)
    limits = conformal_limits(calibrated(score, slope, intercept), y, recipe.coverage)
    pipeline = _fitted(X, y, recipe, target)
    importance = np.abs(contributions(pipeline, X)).mean(axis=0)
    low, high = _training_range(X)
    # For a calibrated probability the prevalence is the threshold of the highest balanced accuracy.
    threshold = float(y.mean())
    calibration = Calibration(slope, intercept, limits, threshold, tuple(low), tuple(high), tuple(importance))
    return FittedModel(recipe.task, pipeline, calibration)


def out_of_fold(
    X: np.ndarray, y: np.ndarray, families: np.ndarray, recipe: Recipe, target: np.ndarray | None = None
) -> np.ndarray:
    """Raw score of each row by a pipeline that saw none of its family."""
    score = np.empty(len(y))
    for train, test in family_folds(y, families, recipe.inner_folds, recipe.seed):
        own = None if target is None else target[train]
        score[test] = raw_score(_fitted(X[train], y[train], recipe, own), X[test])
    return score


def family_folds(y: np.ndarray, families: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test indices, stratified by label, families kept whole."""
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(y)), y.astype(int), families))


def _fitted(X: np.ndarray, y: np.ndarray, recipe: Recipe, target: np.ndarray | None = None) -> Pipeline:
    learns = TASKS[recipe.task].learns_missingness
    continuous = target is not None
    pipeline = make_pipeline(recipe.estimator, recipe.parameters, recipe.seed, recipe.threads, learns, continuous)
    if target is not None:
        known = np.isfinite(target)
        X, y = X[known], target[known]
    return fit(pipeline, X, y, recipe.seed, learns)


def _training_range(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Limits from percentiles, never from one patient's value; no limit for a feature that hardly varies."""
    low, high = np.full(X.shape[1], np.nan), np.full(X.shape[1], np.nan)
    for j in range(X.shape[1]):
        known = X[~np.isnan(X[:, j]), j].astype(float)
        if len(np.unique(known)) > 4:
            first, last = np.percentile(known, _CENTRAL)
            low[j], high[j] = first - _BEYOND * (last - first), last + _BEYOND * (last - first)
    return low, high


def _null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value
