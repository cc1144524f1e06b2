"""What a model says of patients that it was not trained on, or, where it knows nearly all of them,
what its configuration says out of fold.
"""

from dataclasses import dataclass

import numpy as np

from als_ml.cohort.source import CohortSource
from als_ml.config import Config
from als_ml.lifecycle.registry import run_config
from als_ml.tracking.versions import registered_version
from als_ml.training.folds import cross_validate
from als_ml.training.task_data import Trainable, check_labels, prepared, time_rule
from als_ml.trials.patients import Pool, pool_of
from als_ml.trials.planning import FEWEST
from features.cohort import Cohort
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from models.survival.labels import TimeRule
from models.tasks import FAMILIAL, GASTROSTOMY, NIV, TASKS


@dataclass(frozen=True)
class Predicted:
    """The patients of a plan, how their predictions were made, and how many the model knew."""

    pool: Pool
    how: str
    known: int
    task: str


def predicted_pool(
    uri: str, source: CohortSource, adjust: tuple[str, ...], problems: Problems
) -> Predicted:
    """Predict the patients of a cohort.

    Parameters
    ----------
    uri : str
        Of a registered model, `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
    source : CohortSource
        The cohort.
    adjust : tuple of str
        What the trial adjusts for anyway.
    problems : Problems
        Gets what was found while reading.

    Returns
    -------
    Predicted
        Patients with a time, a total at baseline and a prediction.

    Raises
    ------
    RequestError, DataError
        If the model says nothing of progression, or fewer than 50 such patients are there.
    """
    from als_ml.lifecycle.promotion import known_to
    from als_ml.tracking.loader import load

    version = registered_version(uri)
    predictor = load(uri)
    task = predictor.fitted.task
    _refuse_other_tasks(uri, task)
    config = run_config(version.run_id, str(source.path))
    cohort = predictor.read(source, problems)
    seen = known_to(predictor, str(version.version), cohort)
    rows = predictor.predict_cohort(cohort, drivers=False)
    risk = _column([row["probability"] for row in rows])
    slope = _column([row["slope_predicted"] for row in rows])
    unseen = _pool(cohort, config, np.where(seen, np.nan, risk), slope, adjust)
    if len(unseen.months) >= FEWEST:
        how = "the model, on patients that it was not trained on"
        return Predicted(pool=unseen, how=how, known=int(seen.sum()), task=task)
    data = prepared(config, source)
    _refuse_few(len(data.y), config, source)
    check_labels(data.y, data.families, config)
    pool = _out_of_fold(data, config, adjust)
    _refuse_few(len(pool.months), config, source)
    how = "the configuration of the model's run, cross-validated on the cohort (out of fold)"
    return Predicted(pool=pool, how=how, known=int(seen.sum()), task=task)


def _refuse_other_tasks(uri: str, task: str) -> None:
    if task == FAMILIAL.name:
        raise RequestError(
            uri,
            "it tells familial from sporadic, and says nothing of the course",
            "Give a model of the task survival or progression.",
            code="option_value",
        )
    if task in (NIV.name, GASTROSTOMY.name):
        raise RequestError(
            uri,
            f"it predicts {TASKS[task].positive}, which is no endpoint of a trial planned here",
            "Give a model of the task survival with `label.event: composite` or `death`.",
            code="option_value",
        )


def _refuse_few(n: int, config: Config, source: CohortSource) -> None:
    if n < FEWEST:
        raise DataError(
            f"cohort {source.path.name}",
            f"{n} patients have a follow-up, a total at day {config.landmark_days} and a"
            f" prediction: fewer than {FEWEST}",
            "Give a larger cohort; `als-ml check --config` says why patients have no time.",
            code="labels_unusable",
        )


def _column(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _pool(
    cohort: Cohort,
    config: Config,
    risk: np.ndarray,
    slope: np.ndarray,
    adjust: tuple[str, ...],
) -> Pool:
    rule = time_rule(config) or TimeRule(landmark_days=config.landmark_days)
    return pool_of(cohort, rule, risk, slope if np.isfinite(slope).any() else None, adjust)


def _out_of_fold(data: Trainable, config: Config, adjust: tuple[str, ...]) -> Pool:
    """Each patient by a model that was fitted without him."""
    validated = cross_validate(data, config)
    slope = np.full(len(data.y), np.nan)
    for fold in validated.folds:
        if fold.course is not None:
            slope[fold.course.test] = fold.course.slope[:, 0]
    return _pool(data.cohort, config, validated.probability["model"], slope, adjust)
