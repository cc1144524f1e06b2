"""Biomarker measurements: from a laboratory's table to one value per patient and analyte.

Values are converted to the canonical unit of `definitions/biomarkers.tsv`. Serum, plasma and CSF are different analytes;
where assays are not interchangeable (`separate_assays`), each assay is a feature of its own and none is bridged. A value
below a limit counts as limit / sqrt(2), one above as the limit (contract, section Tables).
"""

from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import analytes
from features.cohort import Cohort
from features.dictionary import Feature
from features.errors import nearest
from features.problems import Problems
from features.tables import categories, days, require_columns, text

ASSAYS = ("simoa", "ella", "elisa", "unknown")
LIMIT_FACTOR = {"<": 1 / np.sqrt(2), ">": 1.0}
COLUMNS = ["row", "analyte", "value", "days", "assay", "censored"]


def no_biomarkers() -> pd.DataFrame:
    """An empty, typed table."""
    numeric = {"row": int, "value": float, "days": float}
    return pd.DataFrame({name: pd.Series([], dtype=numeric.get(name, object)) for name in COLUMNS})


def checked_biomarkers(table: pd.DataFrame, rows: dict[str, int], where: str, problems: Problems) -> pd.DataFrame:
    """Check a long biomarker table and convert it to canonical units.

    Parameters
    ----------
    table : DataFrame
        Columns `sample_id`, `analyte`, `value`, and where known `unit`, `matrix`, `assay`, `days`, `censored`.
    rows : dict
        sample_id -> patient index.

    Returns
    -------
    DataFrame
        Columns COLUMNS; `value` in the canonical unit (a limit already replaced), `censored` one of none, below, above.
    """
    require_columns(table, ["sample_id", "analyte", "value"], where)
    columns = {name: _column(table, name) for name in ("unit", "matrix", "assay", "days", "censored")}
    row = _patient_rows(table["sample_id"], rows, where, problems)
    analyte = _analyte_ids(table["analyte"], columns["matrix"], where, problems)
    value, sign = _values(table["value"], f"{where}, column value", problems)
    sign = _stated_limits(columns["censored"], sign, where, problems)
    factor = _factors(analyte, columns["unit"], where, problems)
    checked = pd.DataFrame(
        {
            "row": row,
            "analyte": analyte,
            "value": value
            * factor
            * np.select([sign == "<", sign == ">"], [LIMIT_FACTOR["<"], LIMIT_FACTOR[">"]], 1.0),
            "days": days(columns["days"], f"{where}, column days", problems),
            "assay": _assays(columns["assay"], where, problems),
            "censored": pd.Series(sign).map({"<": "below", ">": "above", "": "none"}).to_numpy(dtype=object),
        }
    )
    _question_bounds(checked, where, problems)
    usable = (row >= 0) & checked["analyte"].notna().to_numpy() & np.isfinite(checked["value"].to_numpy())
    return checked[usable].reset_index(drop=True)


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table.columns else pd.Series(np.full(len(table), None, dtype=object))


def _patient_rows(column: pd.Series, rows: dict[str, int], where: str, problems: Problems) -> np.ndarray:
    names = text(column)
    row = pd.Series(names, dtype=object).map(rows).fillna(-1).to_numpy(dtype=int)
    if len(row) and not (row >= 0).any():
        known, ours = [str(name) for name in names[:3]], list(rows)[:3]
        found = (
            f"none of its {len(row)} rows belongs to a patient (here {', '.join(known)}; patients {', '.join(ours)})"
        )
        problems.error(where, found, "Use the sample_id of the patients table.")
    else:
        remedy = "These rows are left out; add the patients or correct the ids."
        problems.question(row < 0, f"{where}, column sample_id", names, "is no patient", remedy)
    return row


def _analyte_ids(column: pd.Series, matrix: pd.Series, where: str, problems: Problems) -> np.ndarray:
    """Definition ids; a bare name is completed by its matrix."""
    known = set(analytes().index)
    names = pd.Series(text(column), dtype=object)
    bare = ~names.isin(known) & matrix.notna().to_numpy()
    tails = pd.Series(text(matrix), dtype=object).map({"whole_blood": "blood", "none": ""}).fillna(matrix)
    joined = (names.astype(str) + "_" + tails.astype(str)).str.rstrip("_").astype(object)
    ids = names.where(~bare, joined)
    unknown = (~ids.isin(known)).to_numpy()
    if unknown.any():
        first = str(names[np.flatnonzero(unknown)[0]])
        remedy = f"{nearest(first, known)} A new analyte is a line in features/definitions/biomarkers.tsv."
        problems.reject(unknown, f"{where}, column analyte", names.to_numpy(), "is no known analyte", remedy)
    return ids.where(~unknown, None).to_numpy(dtype=object)


def _values(column: pd.Series, where: str, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and the sign (`<`, `>` or empty) before them."""
    if column.dtype == float:
        return column.to_numpy(), np.full(len(column), "", dtype=object)
    cells = column.fillna("").astype(str)
    sign = cells.str[:1].where(cells.str[:1].isin(["<", ">"]), "")
    bare = cells.where(sign == "", cells.str[1:]).str.strip()
    value = pd.to_numeric(bare, errors="coerce").to_numpy(dtype=float)
    broken = (cells != "").to_numpy() & ~np.isfinite(value)
    remedy = "Write a plain number with a decimal point, or a limit such as <2.7."
    problems.reject(broken, where, column.to_numpy(), "is no number", remedy)
    return np.where(np.isfinite(value), value, np.nan), sign.to_numpy(dtype=object)


def _stated_limits(column: pd.Series, sign: np.ndarray, where: str, problems: Problems) -> np.ndarray:
    stated = categories(column, ("none", "below", "above"), f"{where}, column censored", problems)
    return np.select([stated == "below", stated == "above"], ["<", ">"], sign).astype(object)


def _factors(analyte: np.ndarray, unit: pd.Series, where: str, problems: Problems) -> np.ndarray:
    """Factor to the canonical unit; a dimensionless analyte needs no unit, any other does."""
    table = analytes()
    pairs = pd.DataFrame({"analyte": analyte, "unit": unit.to_numpy()}, dtype=object)
    factor = np.full(len(pairs), np.nan)
    for key, index in pairs.groupby(["analyte", "unit"], dropna=False).indices.items():
        name, stated = (None if pd.isna(part) else str(part) for part in key)
        if name is None:
            continue
        known = table["factors"][name]
        if stated is None and table["unit"][name] == "1":
            stated = "1"
        if stated in known:
            factor[index] = known[stated]
            continue
        bad = np.zeros(len(pairs), dtype=bool)
        bad[index] = True
        what = "has no unit" if stated is None else f"is measured in {stated!r}, which does not fit"
        problems.reject(bad, f"{where}, column unit", analyte, what, f"Known units of {name}: {', '.join(known)}.")
    return factor


def _assays(column: pd.Series, where: str, problems: Problems) -> np.ndarray:
    """Assay names in lower case; any assay may be named, none stated is `unknown`."""
    names = categories(column, (), f"{where}, column assay", problems)
    lower = pd.Series(names, dtype=object).str.lower()
    return lower.where(lower.notna(), "unknown").to_numpy(dtype=object)


def _question_bounds(checked: pd.DataFrame, where: str, problems: Problems) -> None:
    """Implausible values are flagged, never deleted."""
    limits = analytes()[["plausible_min", "plausible_max"]].reindex(checked["analyte"])
    value = checked["value"].to_numpy()
    outside = (value < limits["plausible_min"].to_numpy()) | (value > limits["plausible_max"].to_numpy())
    labels = (checked["analyte"].astype(str) + " " + checked["value"].map("{:.3g}".format)).to_numpy(dtype=object)
    remedy = "Check the unit; the value is kept."
    problems.question(outside, f"{where}, column value", labels, "lies outside the plausible range", remedy)


def biomarker_dictionary() -> list[Feature]:
    """Describe the columns of `biomarker_features`: one a feature analyte, or one an assay where these differ."""
    return [_described(analyte, assay) for analyte, assay in _feature_keys()]


def _feature_keys() -> list[tuple[str, str]]:
    table = analytes()
    table = table[table["feature"] == "yes"]
    return [
        (str(analyte), assay)
        for analyte, separate in table["separate_assays"].items()
        for assay in (ASSAYS if separate == "yes" else ("",))
    ]


def feature_name(analyte: str, assay: str = "") -> str:
    """Name of a biomarker feature.

    >>> feature_name("nfl_serum", "simoa"), feature_name("albumin_serum")
    ('log_nfl_serum_simoa', 'albumin_serum')
    """
    scale = "log_" if analytes().loc[analyte, "scale"] == "log" else ""
    return f"{scale}{analyte}" + (f"_{assay}" if assay else "")


def _described(analyte: str, assay: str) -> Feature:
    row: dict[str, Any] = analytes().loc[analyte].to_dict()
    unit = f"ln({row['unit']})" if row["scale"] == "log" else row["unit"]
    meaning = f"{row['name']}, {row['matrix']}{', ' + assay if assay else ''}: last value up to the landmark"
    return Feature(feature_name(analyte, assay), "biomarkers", unit, meaning, row["source"])


def biomarker_features(cohort: Cohort, landmark_days: int) -> dict[str, np.ndarray]:
    """Last dated value of each analyte up to the landmark, on log scale where skewed; NaN where never measured.

    Several values of one day are replicates: their geometric mean on log scale, else their mean.
    """
    table, keys = cohort.biomarkers, _feature_keys()
    column = {key: i for i, key in enumerate(keys)}
    separate, log = analytes()["separate_assays"] == "yes", analytes()["scale"] == "log"
    assay = table["assay"].where(table["assay"].isin(ASSAYS), "unknown").where(table["analyte"].map(separate), "")
    at = np.array([column.get(key, -1) for key in zip(table["analyte"], assay, strict=True)], dtype=int)
    day, value = table["days"].to_numpy(), table["value"].to_numpy()
    scaled = table["analyte"].map(log).to_numpy(dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(scaled, np.log(value), value)
    kept = (at >= 0) & (day <= landmark_days) & np.isfinite(value)
    cell = table["row"].to_numpy(dtype=int)[kept] * len(keys) + at[kept]
    matrix = last_mean(cell, day[kept], value[kept], len(cohort) * len(keys)).reshape(len(cohort), len(keys))
    return {feature_name(*key): matrix[:, i] for i, key in enumerate(keys)}


def last_mean(cell: np.ndarray, day: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values on the last day of each of `n` cells, NaN for a cell without values."""
    last = np.full(n, -np.inf)
    np.maximum.at(last, cell, day)
    newest = day == last[cell]
    order = np.lexsort((value[newest], cell[newest]))  # a fixed order of summation: equal bits whatever the row order
    cell, value = cell[newest][order], value[newest][order]
    total, count = np.bincount(cell, value, n), np.bincount(cell, minlength=n)
    return np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
