"""ALSFRS-R features: totals, sub-scores, stages and rates of decline of the visits up to the landmark."""

import numpy as np
import pandas as pd

from features.alsfrs.d50 import fit_d50
from features.alsfrs.mixed_model import Course, patient_slopes, visit_sums
from features.alsfrs.slopes import (
    DAYS_PER_MONTH,
    decline,
    decline_error,
    delta_fs,
    last_visit,
)
from features.alsfrs.stages import kings_stage, mitos_stage
from features.alsfrs.visits import ITEMS, of_scale
from features.blocks.dictionary import Feature
from features.cohort import Cohort
from features.patients import is_uncertain

# Domains of the scale (dossier section 5.1, V): items and full score 12 each.
DOMAINS = {
    "bulbar": ["q1", "q2", "q3"],
    "fine_motor": ["q4", "q5", "q6"],
    "gross_motor": ["q7", "q8", "q9"],
    "respiratory": ["q10", "q11", "q12"],
}
# An early slope over less than a month is visit noise (P).
EARLY_SPAN_DAYS = 30


def alsfrs_dictionary() -> list[Feature]:
    """Describe the columns of `alsfrs_features`."""
    block, source = "alsfrs", "ALSFRS-R visits up to the landmark"
    stages = "doi:10.3109/21678421.2014.1003551 (King's) and Chio 2015 (MiToS); rules in features/alsfrs/stages.py"
    rate = "points/month"
    return [
        Feature(
            "alsfrs_baseline",
            block,
            "points (0-48)",
            "total at the index visit or the first after it",
            source,
        ),
        Feature("alsfrs_total", block, "points (0-48)", "last total", source),
        *(
            Feature(
                f"alsfrs_{name}",
                block,
                "points (0-12)",
                f"last {name.replace('_', ' ')} score",
                source,
            )
            for name in DOMAINS
        ),
        Feature("kings_stage", block, "stage (1-4)", "King's stage at the last visit", stages),
        Feature("mitos_stage", block, "stage (0-4)", "MiToS stage at the last visit", stages),
        Feature(
            "delta_fs",
            block,
            rate,
            "(48 - last total) / months from onset",
            "contract, section Time",
        ),
        Feature(
            "log_delta_fs",
            block,
            f"ln({rate})",
            "ln(dFS + 0.1)",
            "offset of ENCALS, doi:10.1016/S1474-4422(18)30089-9",
        ),
        Feature(
            "early_slope",
            block,
            rate,
            f"decline over the visits from day 0, >= {EARLY_SPAN_DAYS} days",
            source,
        ),
        Feature("early_slope_se", block, rate, "its standard error, from 3 visits on", source),
        *MIXED,
        Feature(
            "d50_months",
            block,
            "months",
            "D50: onset to the loss of half of function, fitted sigmoid",
            D50_SOURCE,
        ),
        Feature("d50_dx", block, "months", "dx: time constant of that sigmoid", D50_SOURCE),
        Feature("d50_relative", block, "1", "rD50: months from onset / (2 D50)", D50_SOURCE),
        Feature("disease_months", block, "months", "symptom onset to the last visit", "onset_days"),
    ]


D50_SOURCE = "D50 model (R); features/alsfrs/d50.py"
_MIXED_SOURCE = (
    "features/alsfrs/mixed_model.py; population parameters come from the training patients"
)
MIXED = (
    Feature(
        "mixed_slope",
        "alsfrs",
        "points/month",
        "decline by a mixed model of all visits",
        _MIXED_SOURCE,
    ),
    Feature("mixed_slope_se", "alsfrs", "points/month", "its standard error", _MIXED_SOURCE),
)


def alsfrs_features(cohort: Cohort, course: Course | None = None) -> dict[str, np.ndarray]:
    """ALSFRS-R features of a cohort already cut at the landmark; NaN where they cannot be computed."""
    n, visits = len(cohort), of_scale(cohort.alsfrs, "alsfrs_r")
    row, day, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    # An onset known to the year carries no rate since onset (contract, section Dates); the months stay.
    stated = cohort.patients["onset_days"].to_numpy()
    onset = np.where(is_uncertain(cohort.patients, "onset_days"), np.nan, stated)
    last = last_visit(row, day, np.inf, np.isfinite(total), n)
    first = last_visit(row, -day, 0.0, np.isfinite(total), n)
    features = {"alsfrs_baseline": _at(first, total), "alsfrs_total": _at(last, total)}
    features |= _last_item_scores(visits, last)
    months = (_at(last, day) - onset) / DAYS_PER_MONTH
    features["delta_fs"] = delta_fs(features["alsfrs_total"], months)
    features["log_delta_fs"] = np.log(np.maximum(features["delta_fs"], 0.0) + 0.1)
    features |= _early_slope(row, day, total, n)
    features |= mixed_features(visit_sums(row, day, total, n), course)
    d50, dx = fit_d50(row, (day - onset[row]) / DAYS_PER_MONTH, total, n)
    return features | {
        "d50_months": d50,
        "d50_dx": dx,
        "d50_relative": months / (2 * d50),
        "disease_months": (_at(last, day) - stated) / DAYS_PER_MONTH,
    }


def revised_sums(cohort: Cohort, landmark_days: float) -> dict[str, np.ndarray]:
    """Sums of each patient's ALSFRS-R visits up to the landmark, for the mixed model."""
    visits = of_scale(cohort.alsfrs, "alsfrs_r")
    kept = visits["days"].to_numpy() <= landmark_days
    row, days, total = (visits[name].to_numpy()[kept] for name in ("row", "days", "total"))
    return visit_sums(row, days, total, len(cohort))


def mixed_features(sums: dict[str, np.ndarray], course: Course | None) -> dict[str, np.ndarray]:
    """The two columns of MIXED from the sums of the visits."""
    return dict(zip((feature.name for feature in MIXED), patient_slopes(sums, course), strict=True))


def _last_item_scores(visits: pd.DataFrame, last: np.ndarray) -> dict[str, np.ndarray]:
    """Sub-scores and stages at the last visit with a total."""
    points = _at(last, np.array([visits[name].to_numpy(dtype=float) for name in ITEMS["alsfrs_r"]]))
    items = dict(zip(ITEMS["alsfrs_r"], points, strict=True))
    tube = _at(last, visits["q5_form"].to_numpy() == "b") == 1
    scores = {f"alsfrs_{name}": sum(items[item] for item in own) for name, own in DOMAINS.items()}
    return {**scores, "kings_stage": kings_stage(items, tube), "mitos_stage": mitos_stage(items)}


def _early_slope(
    row: np.ndarray, day: np.ndarray, total: np.ndarray, n: int
) -> dict[str, np.ndarray]:
    early = day >= 0
    arrays = row[early], day[early], total[early]
    slope, _, span = decline(*arrays, n)
    enough = span >= EARLY_SPAN_DAYS
    error = np.where(enough, decline_error(*arrays, slope, n), np.nan)
    return {"early_slope": np.where(enough, slope, np.nan), "early_slope_se": error}


def _at(index: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (their last axis) at some positions, NaN where the position is -1."""
    if not values.shape[-1]:
        return np.full((*values.shape[:-1], len(index)), np.nan)
    return np.where(index >= 0, values[..., index].astype(float), np.nan)
