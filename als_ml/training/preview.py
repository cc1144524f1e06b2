"""What a configuration would make of a cohort, before anything is trained: its labels and why."""

from als_ml.cohort.check import LabelCounts
from als_ml.cohort.record_keys import PAGE_FIELDS
from als_ml.cohort.source import CohortFile
from als_ml.config import Config
from als_ml.training.task_data import check_labels, make_labels, spec_of
from features.blocks.rows import with_columns
from features.blocks.unused import name_unused
from features.cohort import Cohort
from features.errors import UserError
from features.tables.problems import Problems
from models.labels import in_words
from models.tasks import TASKS


def preview_of(
    config: Config, described: CohortFile, cohort: Cohort, problems: Problems
) -> LabelCounts | None:
    """Labels of a cohort by a configuration; what cannot be learned or used is a problem.

    Returns
    -------
    LabelCounts or None
        None where there can be no labels.
    """
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
    said = in_words(labels, TASKS[config.task])
    return {"task": config.task, "counts": labels.counts, "in words": said}
