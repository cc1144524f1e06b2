"""Cohorts of the tests: read as a look at the files, or prepared as a configuration wants them."""

from pathlib import Path

from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import open_cohort
from als_ml.config import Config
from als_ml.training.task_data import Trainable, prepared
from features.cohort import Cohort
from features.tables.problems import Problems


def read(path: Path, problems: Problems | None = None) -> Cohort:
    """The cohort of a cohort file."""
    return read_cohort(open_cohort(path), plain_reading(), problems)


def trainable(config: Config) -> Trainable:
    """The labelled patients of a configuration's cohort."""
    return prepared(config, open_cohort(Path(config.cohort)))
