"""Clinical features: the patients table as it was known at the landmark."""

import numpy as np
import pandas as pd

from features.cohort import Cohort
from features.dictionary import Feature

ONSET_SITES = {
    "onset_bulbar": ("bulbar",),
    "onset_limb": ("upper_limb", "lower_limb", "limb"),
    "onset_respiratory": ("respiratory",),
    "onset_other": ("axial", "generalised"),
}
STATES = {
    "riluzole": ("riluzole", "riluzole_start_days", "riluzole_stop_days"),
    "edaravone": ("edaravone", "edaravone_start_days", "edaravone_stop_days"),
    "gastrostomy": (None, "gastrostomy_days", None),
    "niv": (None, "niv_start_days", None),
}


def clinical_dictionary() -> list[Feature]:
    """Describe the columns of `clinical_features`."""
    block, source = "clinical", "patients table"
    states = [Feature(f"on_{name}", block, "0/1", f"{name} in place at the landmark", source) for name in STATES]
    sites = [
        Feature(name, block, "0/1", f"onset site: {' or '.join(values)}", source)
        for name, values in ONSET_SITES.items()
    ]
    return [
        Feature("age_at_onset", block, "years", "age at symptom onset", source),
        Feature("female", block, "0/1", "sex", source),
        Feature("diagnostic_delay_months", block, "months", "onset to diagnosis", source),
        Feature("log_diagnostic_delay", block, "ln(months)", "ln(delay + 1)", source),
        *sites,
        Feature("el_escorial_definite", block, "0/1", "definite by revised El Escorial at index", source),
        Feature("ftd", block, "0/1", "frontotemporal dementia at index", source),
        *states,
    ]


def clinical_features(cohort: Cohort, landmark_days: int) -> dict[str, np.ndarray]:
    """Clinical columns, float64 with NaN where unknown; treatments only as their state at the landmark."""
    patients = cohort.patients
    delay = patients["diagnostic_delay_months"].to_numpy()
    features = {
        "age_at_onset": patients["age_at_onset"].to_numpy(),
        "female": is_one_of(patients["sex"], ("female",)),
        "diagnostic_delay_months": delay,
        "log_diagnostic_delay": np.log1p(delay),
    }
    features |= {name: is_one_of(patients["onset_site"], values) for name, values in ONSET_SITES.items()}
    features["el_escorial_definite"] = is_one_of(patients["el_escorial"], ("definite",))
    features["ftd"] = is_one_of(patients["ftd"], ("yes",))
    return features | {f"on_{name}": _state(patients, *columns, landmark_days) for name, columns in STATES.items()}


def is_one_of(column: pd.Series, values: tuple[str, ...]) -> np.ndarray:
    """1 if the category is one of the values, 0 if it is another one, NaN if unknown."""
    return np.where(column.notna().to_numpy(), column.isin(values).to_numpy(dtype=float), np.nan)


def _state(patients: pd.DataFrame, ever: str | None, start: str, stop: str | None, landmark_days: int) -> np.ndarray:
    """1 if started by the landmark and not stopped, 0 if later or never, NaN if undated.

    A later start and no start at all both give 0, so that the feature says nothing of the time after the landmark.
    """
    begin = patients[start].to_numpy()
    end = patients[stop].to_numpy() if stop else np.full(len(patients), np.nan)
    in_place = (begin <= landmark_days) & ~(end <= landmark_days)
    never = (patients[ever] == "no").to_numpy() if ever else np.zeros(len(patients), dtype=bool)
    return np.where(np.isfinite(begin) | never, in_place.astype(float), np.nan)
