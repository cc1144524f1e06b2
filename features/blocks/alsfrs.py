"""ALSFRS features: items, totals, sub-scores, stages and rates of decline of the visits up to the
landmark.

`alsfrs_*` and `delta_fs` are of the revised scale (0-48), `original_*` of the original one (0-40).
Items 1-9 mean the same on both, so their points, sub-scores, total (0-36) and its rate come from
whichever scale was asked; nothing else mixes.
"""

from collections.abc import Iterable, Mapping
from functools import reduce

import numpy as np

from features.alsfrs.d50 import fit_d50
from features.alsfrs.mixed_model import Course, patient_slopes, visit_sums
from features.alsfrs.slopes import (
    DAYS_PER_MONTH,
    FULL_SCORE,
    decline,
    decline_error,
    delta_fs,
    last_visit,
)
from features.alsfrs.stages import kings_stage, mitos_stage
from features.alsfrs.visits import COMMON_ITEMS, ITEMS, of_scale
from features.blocks.dictionary import EDITION, Feature, described
from features.blocks.landmark import known_visits
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions
from features.cohort import AnyCohort
from features.patients import is_uncertain
from features.tables.columns import Frame

# Domains of the scale (V): items and full score 12 each.
DOMAINS = {
    "bulbar": ["q1", "q2", "q3"],
    "fine_motor": ["q4", "q5", "q6"],
    "gross_motor": ["q7", "q8", "q9"],
    "respiratory": ["q10", "q11", "q12"],
}
# Nine items of 0-4 points that both scales ask.
COMMON_FULL_SCORE = 36.0
COMMON_DOMAINS = ("bulbar", "fine_motor", "gross_motor")
# Items of one scale only, and the column of each.
OWN_ITEMS = {"q10": "alsfrs_q10", "q11": "alsfrs_q11", "q12": "alsfrs_q12"}
# Decline since onset: of the revised scale, the original one, and the items that both ask.
RATES = ("delta_fs", "original_delta_fs", "common_rate")
# An early slope over less than a month is visit noise (P).
EARLY_SPAN_DAYS = 30


def alsfrs_dictionary(edition: int = EDITION) -> list[Feature]:
    """Describe the columns of `alsfrs_features`; the first edition knew the revised scale only.

    Parameters
    ----------
    edition : int
        Of the feature dictionary.

    Returns
    -------
    list of Feature
        In the order of the matrix.
    """
    revised = _revised_dictionary()
    return revised if edition == 1 else [*revised, *_both_scales_dictionary()]


# Where a column comes from, for the dictionary.
_REVISED = "ALSFRS-R visits up to the landmark"
_ORIGINAL = "ALSFRS visits (0-40) up to the landmark"
_EITHER = "visits on either scale up to the landmark"
_TIME = "contract, section Time"
_OFFSET = "offset of ENCALS, doi:10.1016/S1474-4422(18)30089-9"
_STAGES = (
    "doi:10.3109/21678421.2014.1003551 (King's) and Chio 2015 (MiToS); rules in"
    " features/alsfrs/stages.py"
)
D50_SOURCE = "D50 model (R); features/alsfrs/d50.py"
_COURSE = "features/alsfrs/mixed_model.py; population parameters come from the training patients"
# What is of the original scale alone.
_OF_ORIGINAL = (
    *("original_baseline", "original_total", "original_respiratory", "original_delta_fs"),
    *("original_log_delta_fs", "original_early_slope", "original_early_slope_se"),
)
# Columns of the mixed model: the slope and its error.
MIXED = ("mixed_slope", "mixed_slope_se")
_RATE, _LOG_RATE = "points/month", "ln(points/month)"


def _revised_dictionary() -> list[Feature]:
    baseline = "total at the index visit or the first after it"
    early = f"decline over the visits from day 0, >= {EARLY_SPAN_DAYS} days"
    d50 = "D50: onset to the loss of half of function, fitted sigmoid"
    scores = [
        (f"alsfrs_{name}", "points (0-12)", f"last {name.replace('_', ' ')} score", _REVISED)
        for name in DOMAINS
    ]
    rows = [
        ("alsfrs_baseline", "points (0-48)", baseline, _REVISED),
        ("alsfrs_total", "points (0-48)", "last total", _REVISED),
        *scores,
        ("kings_stage", "stage (1-4)", "King's stage at the last visit", _STAGES),
        ("mitos_stage", "stage (0-4)", "MiToS stage at the last visit", _STAGES),
        ("delta_fs", _RATE, "(48 - last total) / months from onset", _TIME),
        ("log_delta_fs", _LOG_RATE, "ln(dFS + 0.1)", _OFFSET),
        ("early_slope", _RATE, early, _REVISED),
        ("early_slope_se", _RATE, "its standard error, from 3 visits on", _REVISED),
        ("mixed_slope", _RATE, "decline by a mixed model of all visits", _COURSE),
        ("mixed_slope_se", _RATE, "its standard error", _COURSE),
        ("d50_months", "months", d50, D50_SOURCE),
        ("d50_dx", "months", "dx: time constant of that sigmoid", D50_SOURCE),
        ("d50_relative", "1", "rD50: months from onset / (2 D50)", D50_SOURCE),
        ("disease_months", "months", "symptom onset to the last visit", "onset_days"),
    ]
    return described("alsfrs", rows)


def _both_scales_dictionary() -> list[Feature]:
    """What the second edition added: items, the original scale, and what both scales share."""
    common = [
        (f"alsfrs_{item}", "points (0-4)", f"item {item[1:]} at the last visit", _EITHER)
        for item in COMMON_ITEMS
    ]
    revised_only = [
        (column, "points (0-4)", f"ALSFRS-R item {item[1:]} at the last visit", _REVISED)
        for item, column in OWN_ITEMS.items()
    ]
    early = f"decline of the ALSFRS from day 0, >= {EARLY_SPAN_DAYS} days"
    baseline = "ALSFRS total at index or first after it"
    rate = "(36 - last total of items 1-9) / months from onset"
    rows = [
        *common,
        *revised_only,
        ("common_total", "points (0-36)", "last total of items 1-9", _EITHER),
        ("common_rate", _RATE, rate, _TIME),
        ("log_common_rate", _LOG_RATE, "ln(that rate + 0.1)", _OFFSET),
        ("original_baseline", "points (0-40)", baseline, _ORIGINAL),
        ("original_total", "points (0-40)", "last ALSFRS total", _ORIGINAL),
        ("original_respiratory", "points (0-4)", "ALSFRS item 10 at the last visit", _ORIGINAL),
        ("original_delta_fs", _RATE, "(40 - last ALSFRS total) / months from onset", _TIME),
        ("original_log_delta_fs", _LOG_RATE, "ln(that dFS + 0.1)", _OFFSET),
        ("original_early_slope", _RATE, early, _ORIGINAL),
        ("original_early_slope_se", _RATE, "its standard error, from 3 visits on", _ORIGINAL),
    ]
    return described("alsfrs", rows)


def alsfrs_features(
    cohort: AnyCohort, course: Course | None = None, edition: int = EDITION
) -> dict[str, np.ndarray]:
    """ALSFRS features of a cohort already cut at the landmark; NaN where they cannot be computed.

    Parameters
    ----------
    course : Course, optional
        The population's part of the mixed-model slope, of training patients.
    edition : int
        Of the feature dictionary: 1 leaves the original scale out and takes sub-scores and stages
        from the last ALSFRS-R visit
        with a total; 2 takes them from the last visit with items.
    """
    features = _revised_features(cohort, course, edition)
    if edition == 1:
        return features
    return features | _shared_features(cohort) | _original_features(cohort) | _stages(cohort)


def _onset(cohort: AnyCohort) -> np.ndarray:
    """Day of onset that a rate may rest on: none where it is known to the year only (contract,
    section Dates).
    """
    stated = cohort.patients["onset_days"].to_numpy()
    return np.where(is_uncertain(cohort.patients, "onset_days"), np.nan, stated)


def _revised_features(
    cohort: AnyCohort, course: Course | None, edition: int
) -> dict[str, np.ndarray]:
    n, visits = len(cohort), of_scale(cohort.alsfrs, "alsfrs_r")
    row, day, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    # Without a rate the months stay: an onset known to the year still says how long about.
    stated, onset = cohort.patients["onset_days"].to_numpy(), _onset(cohort)
    last = last_visit(row, day, np.inf, np.isfinite(total), n)
    features = _totals(row, day, total, last, "alsfrs_")
    if edition == 1:  # later ones take them from the last visit with items
        features |= _last_item_scores(visits, last)
    months = (_at(last, day) - onset) / DAYS_PER_MONTH
    features |= _rate_since_onset(features["alsfrs_total"], months, FULL_SCORE["alsfrs_r"], "")
    features |= _early_slope(row, day, total, n)
    features |= mixed_features(visit_sums(row, day, total, n), course)
    d50, dx = fit_d50(row, (day - onset[row]) / DAYS_PER_MONTH, total, n)
    return features | {
        "d50_months": d50,
        "d50_dx": dx,
        "d50_relative": months / (2 * d50),
        "disease_months": (_at(last, day) - stated) / DAYS_PER_MONTH,
    }


def _original_features(cohort: AnyCohort) -> dict[str, np.ndarray]:
    """The original scale's own total, respiratory item, dFS and slope."""
    n, visits = len(cohort), of_scale(cohort.alsfrs, "alsfrs")
    if not len(visits):
        return dict.fromkeys(_OF_ORIGINAL, np.full(n, np.nan))
    row, day, total, breathing = (
        visits[name].to_numpy() for name in ("row", "days", "total", "q10_alsfrs")
    )
    last = last_visit(row, day, np.inf, np.isfinite(total), n)
    asked = last_visit(row, day, np.inf, _has_items(visits, "alsfrs"), n)
    features = _totals(row, day, total, last, "original_")
    features["original_respiratory"] = _at(asked, breathing)
    months = (_at(last, day) - _onset(cohort)) / DAYS_PER_MONTH
    last_total, full = features["original_total"], FULL_SCORE["alsfrs"]
    features |= _rate_since_onset(last_total, months, full, "original_")
    slope = _early_slope(row, day, total, n)
    return features | {f"original_{name}": values for name, values in slope.items()}


def _shared_features(cohort: AnyCohort) -> dict[str, np.ndarray]:
    """What both scales ask alike, of the last visit on either: items 1-9, their sub-scores, total
    and rate.
    """
    n, visits, stated = len(cohort), cohort.alsfrs, cohort.patients["onset_days"].to_numpy()
    row, day = visits["row"].to_numpy(), visits["days"].to_numpy()
    # Days are whole numbers: of two visits on one day the revised one counts, which has more items.
    moment = day + np.where(visits["scale"].to_numpy() == "alsfrs_r", 0.5, 0.0)
    points = _points(visits, COMMON_ITEMS)
    asked = last_visit(row, moment, np.inf, np.isfinite(points).any(axis=0), n)
    items = dict(zip(COMMON_ITEMS, _at(asked, points), strict=True))
    common = points.sum(axis=0)  # NaN if an item is missing
    complete = last_visit(row, moment, np.inf, np.isfinite(common), n)
    total = _at(complete, common)
    months = (_at(complete, day) - _onset(cohort)) / DAYS_PER_MONTH
    rate = delta_fs(total, months, COMMON_FULL_SCORE)
    counted = np.isfinite(visits["total"].to_numpy()) | np.isfinite(points).any(axis=0)
    seen = last_visit(row, moment, np.inf, counted, n)
    return {
        **{f"alsfrs_{name}": values for name, values in items.items()},
        **{f"alsfrs_{name}": _sum(items, DOMAINS[name]) for name in COMMON_DOMAINS},
        "common_total": total,
        "common_rate": rate,
        "log_common_rate": _log_rate(rate),
        "disease_months": (_at(seen, day) - stated) / DAYS_PER_MONTH,
    }


def _stages(cohort: AnyCohort) -> dict[str, np.ndarray]:
    """Respiratory items and stages of the last ALSFRS-R visit with items.

    Who was asked the original scale only has the stage that its items decide: King's 4 by a
    gastrostomy.
    """
    n, revised = len(cohort), of_scale(cohort.alsfrs, "alsfrs_r")
    day, row = revised["days"].to_numpy(), revised["row"].to_numpy()
    asked = last_visit(row, day, np.inf, _has_items(revised, "alsfrs_r"), n)
    items = dict(
        zip(ITEMS["alsfrs_r"], _at(asked, _points(revised, ITEMS["alsfrs_r"])), strict=True)
    )
    original = of_scale(cohort.alsfrs, "alsfrs")
    other = last_visit(
        original["row"].to_numpy(),
        original["days"].to_numpy(),
        np.inf,
        _has_items(original, "alsfrs"),
        n,
    )
    fed = _at(asked, revised["q5_form"].to_numpy() == "b") == 1
    fed |= (asked < 0) & (_at(other, original["q5_form"].to_numpy() == "b") == 1)
    return {
        **{column: items[item] for item, column in OWN_ITEMS.items()},
        "alsfrs_respiratory": _sum(items, DOMAINS["respiratory"]),
        "kings_stage": kings_stage(items, fed),
        "mitos_stage": mitos_stage(items),
    }


def _points(visits: Frame, items: list[str]) -> np.ndarray:
    """Points (items, visits), NaN unknown."""
    return np.array([visits[name].to_numpy(dtype=float) for name in items])


def _has_items(visits: Frame, scale: str) -> np.ndarray:
    """At which visits at least one item is known, not the total alone."""
    return np.isfinite(_points(visits, ITEMS[scale])).any(axis=0)


def _sum(items: dict[str, np.ndarray], names: list[str]) -> np.ndarray:
    return reduce(np.add, [items[name] for name in names])


def _totals(
    row: np.ndarray, day: np.ndarray, total: np.ndarray, last: np.ndarray, prefix: str
) -> dict[str, np.ndarray]:
    """First total from the index day on, and the last one."""
    first = last_visit(row, -day, 0.0, np.isfinite(total), len(last))
    return {f"{prefix}baseline": _at(first, total), f"{prefix}total": _at(last, total)}


def _rate_since_onset(
    total: np.ndarray, months: np.ndarray, full_score: float, prefix: str
) -> dict[str, np.ndarray]:
    rate = delta_fs(total, months, full_score)
    return {f"{prefix}delta_fs": rate, f"{prefix}log_delta_fs": _log_rate(rate)}


def _log_rate(rate: np.ndarray) -> np.ndarray:
    """ln(rate + 0.1), points/month: the offset of ENCALS."""
    return np.log(np.maximum(rate, 0.0) + 0.1)


def revised_sums(cohort: AnyCohort, landmark_days: float) -> dict[str, np.ndarray]:
    """Sums of each patient's ALSFRS-R visits up to the landmark, for the mixed model.

    Parameters
    ----------
    cohort : Cohort
        Uncut; visits after the landmark are left out here.
    landmark_days : float
        Days since the index day.

    Returns
    -------
    dict of arrays (n,)
        Of `features.alsfrs.mixed_model.visit_sums`.
    """
    visits = of_scale(known_visits(cohort, landmark_days), "alsfrs_r")
    row, days, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    return visit_sums(row, days, total, len(cohort))


def mixed_features(sums: dict[str, np.ndarray], course: Course | None) -> dict[str, np.ndarray]:
    """The two columns of MIXED from the sums of the visits.

    Parameters
    ----------
    sums : dict of arrays (n,)
        Of `revised_sums`.
    course : Course or None
        The population's part, of training patients; None makes all NaN.

    Returns
    -------
    dict of arrays (n,)
        Points lost per month and its standard error.
    """
    return dict(zip(MIXED, patient_slopes(sums, course), strict=True))


def _last_item_scores(visits: Frame, last: np.ndarray) -> dict[str, np.ndarray]:
    """Sub-scores and stages at the last visit with a total."""
    points = _at(last, np.array([visits[name].to_numpy(dtype=float) for name in ITEMS["alsfrs_r"]]))
    items = dict(zip(ITEMS["alsfrs_r"], points, strict=True))
    tube = _at(last, visits["q5_form"].to_numpy() == "b") == 1
    scores = {
        f"alsfrs_{name}": sum(items[item] for item in of_domain)
        for name, of_domain in DOMAINS.items()
    }
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


def _dictionary(spec: FeatureSpec, definitions: Definitions) -> Iterable[Feature]:
    return alsfrs_dictionary(spec.edition)


def _compute(
    cohort: AnyCohort, spec: FeatureSpec, values: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    return alsfrs_features(cohort, spec.course, spec.edition)


BLOCK = Block(name="alsfrs", dictionary=_dictionary, compute=_compute)
