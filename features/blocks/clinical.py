"""Clinical features: the patients table as it was known at the landmark."""

from collections.abc import Iterable, Mapping

import numpy as np

from features.alsfrs.slopes import DAYS_PER_MONTH
from features.blocks.dictionary import EDITION, Feature, described
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions
from features.cohort import AnyCohort
from features.tables.coded import codes_of
from features.tables.columns import Cells, Frame

DAYS_PER_YEAR = 365.25
ONSET_SITES = {
    "onset_bulbar": ("bulbar",),
    "onset_limb": ("upper_limb", "lower_limb", "limb"),
    "onset_respiratory": ("respiratory",),
    "onset_other": ("axial", "generalised"),
}
# Start and end of what may be in place at the landmark.
STATES = {
    "riluzole": ("riluzole_start_days", "riluzole_stop_days"),
    "edaravone": ("edaravone_start_days", "edaravone_stop_days"),
    "gastrostomy": ("gastrostomy_days", None),
    "niv": ("niv_start_days", None),
}


def clinical_dictionary(edition: int = EDITION) -> list[Feature]:
    """Describe the columns of `clinical_features`.

    Parameters
    ----------
    edition : int
        Of the feature dictionary; the first had no time since onset.

    Returns
    -------
    list of Feature
        In the order of the matrix.
    """
    source = "patients table"
    index_age = "age at onset + time since onset: the age beside log NfL"
    definite = "definite by revised El Escorial at index"
    sites = [
        (name, "0/1", f"onset site: {' or '.join(values)}", source)
        for name, values in ONSET_SITES.items()
    ]
    states = [
        (f"on_{name}", "0/1", f"{name} recorded as in place at the landmark", source)
        for name in STATES
    ]
    since_onset = [
        ("months_since_onset", "months", "symptom onset to the landmark", "onset_days"),
        ("log_months_since_onset", "ln(months)", "ln(those months + 1)", "onset_days"),
    ]
    rows = [
        ("age_at_onset", "years", "age at symptom onset", source),
        ("age_at_index", "years", index_age, source),
        ("female", "0/1", "sex", source),
        ("diagnostic_delay_months", "months", "onset to diagnosis", source),
        ("log_diagnostic_delay", "ln(months)", "ln(delay + 1)", source),
        *sites,
        ("el_escorial_definite", "0/1", definite, source),
        ("ftd", "0/1", "frontotemporal dementia at index", source),
        *states,
        *([] if edition == 1 else since_onset),
    ]
    return described("clinical", rows)


def clinical_features(cohort: AnyCohort, landmark_days: float) -> dict[str, np.ndarray]:
    """Clinical columns of a cohort already cut at the landmark, float64 with NaN where unknown.

    Months since onset run to the landmark, not to a visit: whoever has an onset has them. Where it
    is known to the year only they stand at its middle (`partial_dates`), and no rate rests on them.

    Parameters
    ----------
    cohort : Cohort
        Already cut at the landmark.
    landmark_days : float
        Days since the index day.

    Returns
    -------
    dict of arrays (n,)
        By the names of `clinical_dictionary`: years, months, 0/1.
    """
    patients = cohort.patients
    delay = patients["diagnostic_delay_months"].to_numpy()
    # An onset after an early landmark would be a negative time: not known then.
    months = (landmark_days - patients["onset_days"].to_numpy()) / DAYS_PER_MONTH
    months = np.where(months >= 0, months, np.nan)
    features = {
        "age_at_onset": patients["age_at_onset"].to_numpy(),
        "age_at_index": (
            patients["age_at_onset"].to_numpy() - patients["onset_days"].to_numpy() / DAYS_PER_YEAR
        ),
        "female": is_one_of(patients["sex"], ("female",)),
        "diagnostic_delay_months": delay,
        "log_diagnostic_delay": np.log1p(delay),
        "months_since_onset": months,
        "log_months_since_onset": np.log1p(months),
    }
    features |= {
        name: is_one_of(patients["onset_site"], values) for name, values in ONSET_SITES.items()
    }
    features["el_escorial_definite"] = is_one_of(patients["el_escorial"], ("definite",))
    features["ftd"] = is_one_of(patients["ftd"], ("yes",))
    return features | {f"on_{name}": _state(patients, *columns) for name, columns in STATES.items()}


def is_one_of(column: Cells, values: tuple[str, ...]) -> np.ndarray:
    """1 if the category is one of the values, 0 if it is another one, NaN if unknown.

    Parameters
    ----------
    column : Cells
        Categories, None unknown.
    values : tuple of str
        Those that count as 1.

    Returns
    -------
    array (rows,)
        float64.
    """
    codes, levels = codes_of(column)
    # The last one is that of unknown cells, whose code is -1.
    of_level = np.array([*(float(level in values) for level in levels), np.nan])
    return of_level[codes]


def _state(patients: Frame, start: str, stop: str | None) -> np.ndarray:
    """1 if recorded as started and not as stopped, else 0.

    No start on record and a start after the landmark (which `features.blocks.landmark` removed)
    must look alike: the one who will need a gastrostomy later has a date, the one who never does
    has none.
    """
    ended = np.isfinite(patients[stop].to_numpy()) if stop else False
    return (np.isfinite(patients[start].to_numpy()) & ~np.asarray(ended)).astype(float)


def _dictionary(spec: FeatureSpec, definitions: Definitions) -> Iterable[Feature]:
    return clinical_dictionary(spec.edition)


def _compute(
    cohort: AnyCohort, spec: FeatureSpec, values: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    return clinical_features(cohort, spec.landmark_days)


BLOCK = Block(name="clinical", dictionary=_dictionary, compute=_compute)
