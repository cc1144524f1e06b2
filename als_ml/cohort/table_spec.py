"""What is computed for somebody who looks at the features, and trains no model."""

from dataclasses import replace

import pandas as pd

from features.alsfrs.mixed_model import fit_course
from features.alsfrs.visits import of_scale
from features.blocks.biomarkers import SUMMARIES
from features.blocks.landmark import known_visits
from features.blocks.spec import FeatureSpec
from features.cohort import Cohort
from features.errors import RequestError


def table_spec(
    cohort: Cohort[pd.DataFrame], genome_build: str, landmark_days: int, values: tuple[str, ...]
) -> FeatureSpec:
    """Every block of ours, with a mixed-model slope fitted on all patients of the cohort.

    A model computes that slope from its own training patients.

    Parameters
    ----------
    landmark_days : int
        Features end at this day after the index day.
    values : tuple of str
        Which of several values of a biomarker: last, first, mean, slope.

    Raises
    ------
    RequestError
        If `values` names none or an unknown one.
    """
    unknown = [name for name in values if name not in SUMMARIES]
    if unknown or not values:
        what = f"{unknown[0]!r} is not one of them" if unknown else "none is named"
        raise RequestError(
            "values of a biomarker", what, f"Known: {', '.join(SUMMARIES)}.", code="key_value"
        )
    spec = FeatureSpec(
        landmark_days=landmark_days, genome_build=genome_build, summaries=tuple(values)
    )
    visits = of_scale(known_visits(cohort, landmark_days), "alsfrs_r")
    row, days, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    return replace(spec, course=fit_course(row, days, total))
