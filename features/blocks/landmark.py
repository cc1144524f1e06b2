"""The landmark in one place: what is not dated at or before it does not exist for the features.

Features are made of what `as_known` leaves (`features.blocks.rows.feature_matrix` calls it before
any block), and visits are cut nowhere but in `known_visits`. Outcomes and censoring (role
`outcome`) never pass. A state that starts later and one that is never recorded both become "not in
place", because the difference tells the future.
"""

from dataclasses import replace

import numpy as np

from features.catalogue import Definitions, derived, patient_columns
from features.cohort import AnyCohort, Cohort
from features.tables.coded import codes_of
from features.tables.columns import Frame, FrameT, rows_of

# It lowers NfL by half (V): later values do not show the natural course.
CHANGES_BIOMARKERS = "tofersen_start_days"


def as_known(cohort: Cohort[FrameT], landmark_days: float) -> Cohort[FrameT]:
    """The cohort as it was known on the landmark day.

    Undated biomarkers and visits are left out too. Biomarkers since the start of tofersen are kept
    apart: no feature sees them.

    Parameters
    ----------
    cohort : Cohort
        Everything that is known of n patients.
    landmark_days : float
        Days since the index day; the day itself still counts.

    Returns
    -------
    Cohort
        Of the same kind, in the same order.
    """
    patients = cohort.patients
    masked = {
        **_later_days(cohort.definitions, patients, landmark_days),
        **_never_known(cohort.definitions, patients),
    }
    biomarkers = cohort.biomarkers
    natural = biomarkers["days"].to_numpy() <= landmark_days
    natural &= ~on_tofersen(cohort)
    return replace(
        cohort,
        patients=patients.assign(**masked) if masked else patients,
        biomarkers=rows_of(biomarkers, natural),
        alsfrs=known_visits(cohort, landmark_days),
    )


def known_visits(cohort: Cohort[FrameT], landmark_days: float) -> FrameT:
    """The visits up to the landmark, its own day among them; an undated one is left out.

    Parameters
    ----------
    cohort : Cohort
        Uncut.
    landmark_days : float
        Days since the index day.

    Returns
    -------
    DataFrame or Table
        As the cohort's visits are.
    """
    return rows_of(cohort.alsfrs, cohort.alsfrs["days"].to_numpy() <= landmark_days)


@derived
def _never(definitions: Definitions) -> tuple[str, ...]:
    """Columns that are never a feature."""
    columns = patient_columns(definitions)
    return tuple(columns.index[columns["role"] == "never"])


@derived
def _dated_columns(definitions: Definitions) -> tuple[list[str], np.ndarray]:
    """Columns of days, and whether each is an outcome."""
    columns = patient_columns(definitions)
    dated = columns[columns["type"] == "days"]
    return list(dated.index), (dated["role"] == "outcome").to_numpy()


def _later_days(
    definitions: Definitions, patients: Frame, landmark_days: float
) -> dict[str, np.ndarray]:
    """Columns of days that hold something after the landmark, without it."""
    names, outcome = _dated_columns(definitions)
    days = np.array([patients[name].to_numpy() for name in names])
    later = np.isfinite(days) & ((days > landmark_days) | outcome[:, None])
    masked = np.where(later, np.nan, days)
    return {names[i]: masked[i] for i in np.flatnonzero(later.any(axis=1))}


def _never_known(definitions: Definitions, patients: Frame) -> dict[str, np.ndarray]:
    """Columns that are never a feature, emptied."""
    given = [name for name in _never(definitions) if (codes_of(patients[name])[0] >= 0).any()]
    return dict.fromkeys(given, np.full(len(patients), None, dtype=object))


def on_tofersen(cohort: AnyCohort) -> np.ndarray:
    """Which biomarker values were measured since the start of tofersen.

    Parameters
    ----------
    cohort : Cohort
        With `tofersen_start_days` of each patient.

    Returns
    -------
    array of bool
        One a row of `cohort.biomarkers`; False for an undated value.
    """
    start = np.append(cohort.patients[CHANGES_BIOMARKERS].to_numpy(), np.nan)
    with np.errstate(invalid="ignore"):
        return cohort.biomarkers["days"].to_numpy() >= start[cohort.biomarkers["row"].to_numpy()]
