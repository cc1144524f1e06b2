"""A driver of a score in the words and units of a clinic: 70 pg/mL, not 4.251 ln(pg/mL)."""

import re

import numpy as np

from als_ml.prediction.row import Driver
from features.blocks.dictionary import Feature
from models.tasks import Task

# Feature -> what a reader calls it, where its description is that of a statistician.
_NAMES = {
    "female": "female",
    "age_at_index": "age at the index visit",
    "diagnostic_delay_months": "months from onset to diagnosis",
    "log_diagnostic_delay": "months from onset to diagnosis",
    "months_since_onset": "months since onset, at the landmark",
    "log_months_since_onset": "months since onset, at the landmark",
    "delta_fs": "points lost per month since onset (dFS)",
    "log_delta_fs": "points lost per month since onset (dFS)",
    "common_rate": "points of items 1-9 lost per month since onset",
    "log_common_rate": "points of items 1-9 lost per month since onset",
    "original_log_delta_fs": "points of the ALSFRS lost per month since onset",
    "early_slope": "points lost per month up to the landmark",
    "early_slope_se": "uncertainty of the points lost per month up to the landmark",
    "mixed_slope": "points lost per month up to the landmark, drawn to the average",
    "mixed_slope_se": "uncertainty of that rate",
    "d50_relative": "part of the disease course behind the patient (rD50)",
    "encals_lp": "ENCALS survival score (higher: shorter survival)",
    "encals_median_months": "ENCALS median survival from onset",
}
# What was added before the logarithm was taken.
_ADDED = {
    "log_delta_fs": 0.1,
    "log_common_rate": 0.1,
    "original_log_delta_fs": 0.1,
    "log_diagnostic_delay": 1.0,
    "log_months_since_onset": 1.0,
}
_BARE = ("0/1", "as given", "1", "linear predictor")


def driver_words(feature: Feature | None, driver: Driver, task: Task) -> str:
    """What a driver is, its value, and to which answer it moves the score.

    Parameters
    ----------
    feature : Feature, optional
        Its line of the dictionary; None where the model does not describe it.
    driver : dict
        `value`, `contribution` (log-odds) and `text`.
    task : Task
        Whose classes are named.

    Returns
    -------
    str
        For a reader.

    Examples
    --------
    >>> from models.tasks import PROGRESSION
    >>> nfl = Feature("log_nfl_serum_simoa", "biomarkers", "ln(pg/mL)",
    ...               "Neurofilament light, serum, simoa: last value up to the landmark", "")
    >>> driver_words(nfl, {"value": 4.251, "contribution": 0.4, "text": ""}, PROGRESSION)
    'Neurofilament light, serum, simoa: 70.2 pg/mL, towards fast'
    """
    if feature is None or driver["contribution"] == 0:
        return str(driver["text"])
    name = _NAMES.get(feature.name, feature.meaning)
    name = name.removesuffix(": last value up to the landmark")
    towards = task.positive if driver["contribution"] > 0 else task.negative
    return f"{name}: {_amount(feature, driver['value'])}, towards {towards}"


def _amount(feature: Feature, value: float) -> str:
    """A value with a unit that a clinic writes; yes or no where it is one of two.

    >>> _amount(Feature("female", "clinical", "0/1", "sex", ""), 0.0)
    'no'
    >>> _amount(Feature("rare_SOD1", "genetics", "alleles", "rare alleles in SOD1", ""), 1.0)
    '1 allele'
    """
    if feature.unit == "0/1":
        return "yes" if value else "no"
    logged = re.fullmatch(r"ln\((.*)\)", feature.unit)
    unit = logged[1] if logged else feature.unit
    if logged:
        value = float(np.exp(value)) - _ADDED.get(feature.name, 0.0)
    number = f"{value:.3g}"
    if unit in _BARE:
        return number
    unit = re.sub(r" \(.*\)$", "", unit)
    return f"{number} {unit.removesuffix('s') if number == '1' and unit.endswith('s') else unit}"
