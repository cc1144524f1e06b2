"""The ALSFRS-R table and the features up to the landmark that come from it."""

import numpy as np
import pandas as pd

from features.alsfrs import DAYS_PER_MONTH, FULL_SCORE, decline, delta_fs, last_visit
from features.biomarkers import _patient_rows
from features.cohort import Cohort
from features.dictionary import Feature
from features.problems import Problems
from features.tables import categories, days, numbers, require_columns

COMMON_ITEMS = [f"q{i}" for i in range(1, 10)]
ITEMS = {"alsfrs_r": [*COMMON_ITEMS, "q10", "q11", "q12"], "alsfrs": [*COMMON_ITEMS, "q10_alsfrs"]}
ALL_ITEMS = [*ITEMS["alsfrs_r"], "q10_alsfrs"]
# Domains of the scale (dossier section 5.1, V): items and full score 12 each.
DOMAINS = {
    "bulbar": ["q1", "q2", "q3"],
    "fine_motor": ["q4", "q5", "q6"],
    "gross_motor": ["q7", "q8", "q9"],
    "respiratory": ["q10", "q11", "q12"],
}
COLUMNS = ["row", "days", "scale", *ALL_ITEMS, "q5_form", "total"]
# An early slope over less than a month is visit noise (P).
EARLY_SPAN_DAYS = 30


def no_visits() -> pd.DataFrame:
    """An empty, typed table."""
    kinds = {"row": int, "scale": object, "q5_form": object}
    return pd.DataFrame({name: pd.Series([], dtype=kinds.get(name, float)) for name in COLUMNS})


def checked_visits(
    table: pd.DataFrame, rows: dict[str, int], patients: pd.DataFrame, where: str, problems: Problems
) -> pd.DataFrame:
    """Check ALSFRS-R visits; the total comes from the items, or stands alone where no item is given.

    A missing item is never 0: the total is then missing. One row a day; equal duplicates merge, others are an error.
    """
    require_columns(table, ["sample_id", "days"], where)
    present = {name: table[name] if name in table.columns else _empty(table) for name in COLUMNS[2:]}
    visits = {"row": _patient_rows(table["sample_id"], rows, where, problems)}
    visits["days"] = days(table["days"], f"{where}, column days", problems)
    scale = categories(present["scale"], tuple(FULL_SCORE), f"{where}, column scale", problems)
    visits["scale"] = np.where(pd.isna(scale), "alsfrs_r", scale)
    for item in ALL_ITEMS:
        visits[item] = _points(present[item], f"{where}, column {item}", problems)
    visits["q5_form"] = categories(present["q5_form"], ("a", "b"), f"{where}, column q5_form", problems)
    stated = numbers(present["total"], f"{where}, column total", problems, 0, 48)
    visits["total"] = _totals(visits, stated, where, problems)
    checked = pd.DataFrame(visits)[COLUMNS]
    _check_course(checked, patients, where, problems)
    checked = checked[(checked["row"] >= 0) & checked["days"].notna()]
    return checked.drop_duplicates(["row", "days", "scale"]).sort_values(["row", "days"], ignore_index=True)


def _empty(table: pd.DataFrame) -> pd.Series:
    return pd.Series(np.full(len(table), None, dtype=object))


def _points(column: pd.Series, where: str, problems: Problems) -> np.ndarray:
    points = numbers(column, where, problems, 0, 4)
    broken = np.isfinite(points) & (points != np.round(points))
    problems.reject(broken, where, points, "is no whole point", "An item has 0, 1, 2, 3 or 4 points.")
    return points


def _totals(visits: dict[str, np.ndarray], stated: np.ndarray, where: str, problems: Problems) -> np.ndarray:
    total, any_item = np.full(len(stated), np.nan), np.zeros(len(stated), dtype=bool)
    for scale, items in ITEMS.items():
        points = np.column_stack([visits[item] for item in items])
        own = visits["scale"] == scale
        total = np.where(own, points.sum(axis=1), total)  # NaN if an item is missing
        any_item |= own & np.isfinite(points).any(axis=1)
    differs = np.isfinite(total) & np.isfinite(stated) & (total != stated)
    remedy = "The total must be the sum of the items; correct one of them."
    problems.reject(differs, f"{where}, column total", stated, "is not the sum of the items", remedy)
    return np.where(any_item, total, stated)


def _check_course(visits: pd.DataFrame, patients: pd.DataFrame, where: str, problems: Problems) -> None:
    known = visits["row"].to_numpy() >= 0
    death = np.where(known, patients["death_days"].to_numpy()[visits["row"]], np.nan)
    late = visits["days"].to_numpy() > death
    problems.reject(
        late, f"{where}, column days", visits["days"].to_numpy(), "is a visit after death", "Correct the day."
    )
    content = [name for name in COLUMNS if name not in ("row", "days", "scale")]
    same_day = visits.duplicated(["row", "days", "scale"], keep=False) & known
    same_all = visits.duplicated(["row", "days", "scale", *content], keep=False)
    clash = (same_day & ~same_all).to_numpy()
    remedy = "Keep one row per patient and day."
    problems.reject(clash, f"{where}, column days", visits["days"].to_numpy(), "occurs twice with other points", remedy)
    ordered = visits[known].sort_values(["row", "days"])
    rise = ordered.groupby(["row", "scale"])["total"].diff()
    jumps = np.zeros(len(visits), dtype=bool)
    jumps[ordered.index[rise > 4]] = True
    problems.question(
        jumps, f"{where}, column total", visits["total"].to_numpy(), "rises by more than 4", "Check the items."
    )


def alsfrs_dictionary() -> list[Feature]:
    """Describe the columns of `alsfrs_features`."""
    block, source = "alsfrs", "ALSFRS-R visits up to the landmark"
    return [
        Feature("alsfrs_total", block, "points (0-48)", "last total", source),
        *(
            Feature(f"alsfrs_{name}", block, "points (0-12)", f"last {name.replace('_', ' ')} score", source)
            for name in DOMAINS
        ),
        Feature("delta_fs", block, "points/month", "(48 - last total) / months from onset", "contract, section Time"),
        Feature(
            "log_delta_fs",
            block,
            "ln(points/month)",
            "ln(dFS + 0.1)",
            "offset of ENCALS, doi:10.1016/S1474-4422(18)30089-9",
        ),
        Feature(
            "early_slope",
            block,
            "points/month",
            f"decline over the visits from day 0, >= {EARLY_SPAN_DAYS} days",
            source,
        ),
        Feature("disease_months", block, "months", "symptom onset to the last visit", "onset_days"),
    ]


def alsfrs_features(cohort: Cohort, landmark_days: int) -> dict[str, np.ndarray]:
    """ALSFRS-R features from the visits at or before the landmark; NaN where they cannot be computed."""
    visits, n = cohort.alsfrs, len(cohort)
    row, day, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    revised = (visits["scale"] == "alsfrs_r").to_numpy()
    last = last_visit(row, day, landmark_days, revised & np.isfinite(total), n)
    features = {"alsfrs_total": _at(last, total)}
    for name, items in DOMAINS.items():
        features[f"alsfrs_{name}"] = _at(last, visits[items].to_numpy(dtype=float).sum(axis=1))
    months = (_at(last, day) - cohort.patients["onset_days"].to_numpy()) / DAYS_PER_MONTH
    features["delta_fs"] = delta_fs(features["alsfrs_total"], months)
    features["log_delta_fs"] = np.log(np.maximum(features["delta_fs"], 0.0) + 0.1)
    early = revised & (day >= 0) & (day <= landmark_days)
    slope, _, span = decline(row[early], day[early], total[early], n)
    features["early_slope"] = np.where(span >= EARLY_SPAN_DAYS, slope, np.nan)
    features["disease_months"] = months
    return features


def _at(index: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at some positions, NaN where the position is -1."""
    return np.append(values.astype(float), np.nan)[index]
