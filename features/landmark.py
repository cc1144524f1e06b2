"""The landmark in one place: what is not dated at or before it does not exist for the features.

`as_known` is called once, at the top of `features.rows.feature_rows`; everything below it sees only what it leaves. Outcomes
and censoring (role `outcome`) never pass. A state that starts later and one that is never recorded both become "not in place",
because the difference tells the future.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from features.catalogue import patient_columns
from features.cohort import Cohort

# It lowers NfL by half (dossier section 4.3, V): later values do not show the natural course.
CHANGES_BIOMARKERS = "tofersen_start_days"


def as_known(cohort: Cohort, landmark_days: float) -> Cohort:
    """The cohort as it was known on the landmark day.

    Undated biomarkers and visits are left out too. Biomarkers since the start of tofersen are kept apart: no feature sees them.
    """
    columns, patients = patient_columns(), cohort.patients
    masked = {name: _known(patients[name].to_numpy(), role, landmark_days) for name, role in _dated_columns().items()}
    masked |= dict.fromkeys(columns.index[columns["role"] == "never"], np.full(len(patients), None, dtype=object))
    biomarkers, visits = cohort.biomarkers, cohort.alsfrs
    natural = biomarkers["days"].to_numpy() <= landmark_days
    natural &= ~on_tofersen(cohort)
    return replace(
        cohort,
        patients=patients.assign(**masked),
        biomarkers=biomarkers[natural],
        alsfrs=visits[(visits["days"] <= landmark_days).to_numpy()],
    )


@cache
def _dated_columns() -> dict[str, str]:
    """Columns of days -> role."""
    columns = patient_columns()
    return dict(columns.loc[columns["type"] == "days", "role"])


def _known(days: np.ndarray, role: str, landmark_days: float) -> np.ndarray:
    return np.where((days <= landmark_days) & (role != "outcome"), days, np.nan)


def on_tofersen(cohort: Cohort) -> np.ndarray:
    """Which biomarker values were measured since the start of tofersen."""
    start = np.append(cohort.patients[CHANGES_BIOMARKERS].to_numpy(), np.nan)
    with np.errstate(invalid="ignore"):
        return cohort.biomarkers["days"].to_numpy() >= start[cohort.biomarkers["row"].to_numpy()]
