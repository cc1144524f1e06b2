"""A report from a cohort file: the cohort as each model reads it, the pages, the labels where they
exist.
"""

import numpy as np

from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import CohortSource
from als_ml.lifecycle.comparison import labels_or_none
from als_ml.lifecycle.registry import registered_version, run_config
from als_ml.pages.cohort_page import Report
from als_ml.pages.patient_pages import Progress, Setting, pages_and_scores
from als_ml.pages.protocol import Rule
from als_ml.prediction.job import cohorts_for
from als_ml.prediction.predictor import Predictor
from features.cohort import Cohort
from features.errors import RequestError
from features.tables.problems import Problems


def make_report(
    source: CohortSource,
    models: dict[str, Predictor],
    rules: tuple[Rule, ...],
    regions: tuple[str, ...] = (),
    progress: Progress = lambda *_: None,
) -> Report:
    """Read a cohort for all models, and write the pages of its patients.

    The variants and values on the pages are those that the first model reads; without a model, all
    that the files hold.

    Parameters
    ----------
    models : dict
        URI -> model.
    rules : tuple of Rule
        Of `als_ml.pages.protocol.read_rules`.
    regions : tuple of str
        Whose licences and coverage they are, all if empty.

    Raises
    ------
    RequestError
        If the models were trained with different thresholds, so that a page would show two sets of
        variants.
    """
    _check_thresholds(models)
    pairs = cohorts_for(list(models.values()), source, Problems())
    cohort = pairs[0][0].as_trained(pairs[0][1]) if pairs else _plain(source)
    pages, scores = pages_and_scores(cohort, pairs, Setting(rules=rules), progress)
    return Report(
        name=source.described.name,
        cohort=cohort,
        pages=pages,
        rules=rules,
        simulated=source.simulated,
        labels=_labels(models, source, cohort),
        scores=scores,
        regions=regions,
    )


def _plain(source: CohortSource) -> Cohort:
    return read_cohort(source, plain_reading(), Problems())


def _check_thresholds(models: dict[str, Predictor]) -> None:
    if len({predictor.reading.rule for predictor in models.values()}) > 1:
        raise RequestError(
            "--model",
            "the models were trained with different thresholds of genotype quality and depth",
            "Write a report for each: a page shows one set of variants.",
            code="option_conflict",
        )


def _labels(
    models: dict[str, Predictor], source: CohortSource, cohort: Cohort
) -> dict[str, np.ndarray]:
    """Labels of the patients as each model's own run made them, for those who have a page."""
    shown = (cohort.patients["diagnosis"] != "unaffected_relative").to_numpy()
    labels = {}
    for uri, predictor in models.items():
        config = run_config(registered_version(uri).run_id, str(source.path))
        labels[predictor.fitted.task] = labels_or_none(config, cohort)[shown]
    return labels
