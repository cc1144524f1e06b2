"""What a configuration would make of a cohort, before anything is trained: its labels and why."""

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from als_ml.cohort.check import LabelCounts
from als_ml.cohort.record_keys import PAGE_FIELDS
from als_ml.cohort.source import CohortFile
from als_ml.config import Config
from als_ml.training.task_data import (
    Trainable,
    check_labels,
    make_labels,
    name_missing_tables,
    spec_of,
)
from features.blocks.rows import feature_dictionary, with_columns
from features.blocks.unused import name_unused
from features.cohort import Cohort
from features.errors import UserError
from features.tables.problems import Problems
from models.labels import in_words
from models.members import family_folds


def preview_of(
    config: Config, described: CohortFile, cohort: Cohort, problems: Problems
) -> LabelCounts | None:
    """Labels of a cohort by a configuration; what cannot be learned or used is a problem.

    Returns
    -------
    LabelCounts or None
        None where there can be no labels.
    """
    name_missing_tables(config, described, problems)
    try:
        return _labels(config, described, cohort, problems)
    except UserError as error:
        problems.error(error.where, error.found, error.remedy, code=error.code)
        return None


def _labels(
    config: Config, described: CohortFile, cohort: Cohort, problems: Problems
) -> LabelCounts:
    labels = make_labels(config, cohort)
    spec = with_columns(
        cohort.definitions,
        spec_of(config, described.genome_build),
        cohort.patients,
        list(config.features.columns),
        labels.sources,
        aside=PAGE_FIELDS,
    )
    name_unused(cohort, spec, problems, frozenset(labels.sources))
    kept = labels.usable
    try:
        check_labels(labels.y[kept], cohort.families[kept], config)
    except UserError as error:
        problems.error(error.where, error.found, error.remedy, code=error.code)
    said = in_words(labels, config.question)
    return {"task": config.question.name, "counts": labels.counts, "in words": said}


@dataclass(frozen=True)
class Plan:
    """What a training would do: its patients and features, how many models it would fit, and how
    long one of them took (seconds).

    `blocks` counts the features of each block, `known` is the share of their cells that is known.
    """

    patients: int
    labels: str
    blocks: dict[str, int]
    known: float
    estimator: str
    folds: int
    fits: int
    seconds_a_fit: float

    @property
    def minutes(self) -> float:
        """About how long the fits take, one after the other; intervals and logging come on top."""
        return self.fits * self.seconds_a_fit / 60


# Refits of the honesty checks beside the folds: label noise three times, and a learning curve of
# three sizes, each over the folds of one repeat (`als_ml.training.honesty`).
_HONESTY_ROUNDS = 6


def plan_of(config: Config, data: Trainable) -> Plan:
    """What training by a configuration would do, with one model of the first fold fitted to tell
    the time.

    Parameters
    ----------
    config : Config
        Of the run.
    data : Trainable
        Its labelled patients.

    Returns
    -------
    Plan
        Nothing is stored.
    """
    v = config.validation
    features = feature_dictionary(data.spec, data.cohort.definitions)
    train, _ = family_folds(data.y, data.families, v.folds, v.seed)[0]
    began = time.monotonic()
    data.fit(data.rows.to_numpy(), np.asarray(train), config)
    return Plan(
        patients=len(data.y),
        labels=in_words(data.labels, config.question),
        blocks=dict(Counter(feature.block for feature in features)),
        known=float(data.rows.notna().to_numpy().mean()),
        estimator=config.model.estimator,
        folds=v.folds,
        fits=v.folds * (v.repeats + (_HONESTY_ROUNDS if v.honesty else 0)) + 1,
        seconds_a_fit=time.monotonic() - began,
    )
