"""Features from checked biomarkers: a value (or several) per patient and analyte, assays apart unless a rule bridges them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs import decline
from features.biomarkers import ASSAYS
from features.catalogue import analytes, definitions
from features.cohort import Cohort
from features.dictionary import Feature
from features.errors import DataError

# Which of several values counts. The slope is per month by least squares over at least 30 days (P).
SUMMARIES = ("last", "first", "mean", "slope")
SLOPE_SPAN_DAYS = 30


class Bridge(NamedTuple):
    """`value` of one assay in terms of another: intercept + slope x value, on the canonical unit's own scale."""

    analyte: str
    from_assay: str
    to_assay: str
    intercept: float
    slope: float


def bridges() -> list[Bridge]:
    """Rules of `definitions/bridges.tsv`: only equations with a source."""
    table = definitions("bridges")
    return [
        Bridge(r["analyte"], r["from_assay"], r["to_assay"], float(r["intercept"]), float(r["slope"]))
        for _, r in table.iterrows()
    ]


def feature_keys() -> list[tuple[str, str]]:
    """Analyte and assay of each feature; the assay is empty where assays are interchangeable."""
    table = analytes()
    table = table[table["feature"] == "yes"]
    return [
        (str(analyte), assay)
        for analyte, separate in table["separate_assays"].items()
        for assay in (ASSAYS if separate == "yes" else ("",))
    ]


def feature_name(analyte: str, assay: str = "", summary: str = "last") -> str:
    """Name of a biomarker feature.

    >>> feature_name("nfl_serum", "simoa"), feature_name("albumin_serum"), feature_name("bmi", summary="slope")
    ('log_nfl_serum_simoa', 'albumin_serum', 'bmi_slope')
    """
    scale = "log_" if analytes().loc[analyte, "scale"] == "log" else ""
    return f"{scale}{analyte}" + (f"_{assay}" if assay else "") + ("" if summary == "last" else f"_{summary}")


def _columns(summaries: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Analyte, assay and summary of each column; some analytes have a slope by their definition."""
    sloped = set(analytes().index[analytes()["slope"] == "yes"])
    keys = feature_keys()
    asked = [(analyte, assay, summary) for summary in summaries for analyte, assay in keys]
    declared = [(analyte, assay, "slope") for analyte, assay in keys if analyte in sloped]
    return list(dict.fromkeys(asked + declared))


def biomarker_dictionary(summaries: tuple[str, ...] = ("last",)) -> list[Feature]:
    """Describe the columns of `biomarker_features`."""
    return [_described(*column) for column in _columns(summaries)]


def _described(analyte: str, assay: str, summary: str) -> Feature:
    row: dict[str, Any] = analytes().loc[analyte].to_dict()
    unit = f"ln({row['unit']})" if row["scale"] == "log" else row["unit"]
    unit += "/month" if summary == "slope" else ""
    words = {"slope": f"change over at least {SLOPE_SPAN_DAYS} days", "mean": "mean"}.get(summary, f"{summary} value")
    fluid = "" if row["matrix"] == "none" else f", {row['matrix'].replace('_', ' ')}"
    meaning = f"{row['name']}{fluid}{', ' + assay if assay else ''}: {words} up to the landmark"
    return Feature(feature_name(analyte, assay, summary), "biomarkers", unit, meaning, row["source"])


def biomarker_features(
    cohort: Cohort, summaries: tuple[str, ...] = ("last",), assays: str = "separate"
) -> dict[str, np.ndarray]:
    """Summaries of each analyte's dated values, on log scale where skewed; NaN where never measured.

    Several values of one day are replicates: their mean on that scale (so a geometric mean where skewed).

    Parameters
    ----------
    cohort : Cohort
        Already cut at the landmark.
    summaries : tuple of str
        Of SUMMARIES.
    assays : str
        `separate`: a feature an assay; `bridge`: converted where `definitions/bridges.tsv` has an equation, else apart;
        `refuse`: two assays of one analyte in the cohort are an error.

    Raises
    ------
    DataError
        With `refuse`, naming the analyte and its assays.
    """
    table, keys = cohort.biomarkers, feature_keys()
    assay_codes, value = _assay_codes(table), table["value"].to_numpy()
    if assays == "bridge":
        assay_codes, value = _bridged(table, assay_codes, value)
    if assays == "refuse":
        _refuse_mixture(table, assay_codes)
    at = _key_of(table, assay_codes, keys)
    scaled = (analytes()["scale"] == "log").to_numpy()[table["analyte"].cat.codes.to_numpy()]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(scaled, np.log(value), value)
    kept = (at >= 0) & np.isfinite(value)
    cell = table["row"].to_numpy(dtype=int)[kept] * len(keys) + at[kept]
    days, value, n = table["days"].to_numpy()[kept], value[kept], len(cohort) * len(keys)
    found = {s: _summary(s, cell, days, value, n).reshape(len(cohort), len(keys)) for s in {*summaries, "slope"}}
    position = {key: i for i, key in enumerate(keys)}
    return {
        feature_name(analyte, assay, summary): found[summary][:, position[analyte, assay]]
        for analyte, assay, summary in _columns(summaries)
    }


def _assay_codes(table: pd.DataFrame) -> np.ndarray:
    """Index into ASSAYS; an assay without a column of its own is `unknown`."""
    levels = table["assay"].cat.categories
    known = [ASSAYS.index(name) if name in ASSAYS else ASSAYS.index("unknown") for name in levels]
    return np.array([*known, ASSAYS.index("unknown")])[table["assay"].cat.codes.to_numpy()]


def _key_of(table: pd.DataFrame, assay_codes: np.ndarray, keys: list[tuple[str, str]]) -> np.ndarray:
    """Column of each value, -1 for an analyte that is no feature."""
    ids = analytes().index
    number = np.full((len(ids) + 1, len(ASSAYS)), -1)
    for i, (analyte, assay) in enumerate(keys):
        number[ids.get_loc(analyte), ASSAYS.index(assay) if assay else slice(None)] = i
    return number[table["analyte"].cat.codes.to_numpy(), assay_codes]


def _bridged(table: pd.DataFrame, assay_codes: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, ids = table["analyte"].cat.codes.to_numpy(), analytes().index
    assay_codes, value = assay_codes.copy(), value.copy()
    for rule in bridges():
        own = (codes == ids.get_loc(rule.analyte)) & (assay_codes == ASSAYS.index(rule.from_assay))
        value[own] = rule.intercept + rule.slope * value[own]
        assay_codes[own] = ASSAYS.index(rule.to_assay)
    return assay_codes, value


def _refuse_mixture(table: pd.DataFrame, assay_codes: np.ndarray) -> None:
    codes = table["analyte"].cat.codes.to_numpy()
    for i, (analyte, separate) in enumerate(analytes()["separate_assays"].items()):
        used = np.unique(assay_codes[codes == i])
        if separate == "yes" and len(used) > 1:
            names = " and ".join(ASSAYS[code] for code in used)
            remedy = "Set features.assays to `separate` or `bridge`, or give the values of one assay."
            raise DataError(
                f"biomarkers, {analyte}", f"it was measured by {names}, which are not interchangeable", remedy
            )


def _summary(summary: str, cell: np.ndarray, days: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    if summary == "slope":
        slope, _, span = decline(cell, days, value, n)
        return np.where(span >= SLOPE_SPAN_DAYS, -slope, np.nan)
    if summary == "mean":
        return ordered_mean(cell, value, n)
    return last_mean(cell, days if summary == "last" else -days, value, n)


def last_mean(cell: np.ndarray, day: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values on the last day of each of `n` cells, NaN for a cell without values."""
    last = np.full(n, -np.inf)
    np.maximum.at(last, cell, day)
    newest = day == last[cell]
    return ordered_mean(cell[newest], value[newest], n)


def ordered_mean(cell: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """Mean of each of `n` cells, summed in a fixed order: equal bits whatever the order of the rows."""
    order = np.lexsort((value, cell))
    cell, value = cell[order], value[order]
    total, count = np.bincount(cell, value, n), np.bincount(cell, minlength=n)
    return np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
