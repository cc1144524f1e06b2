"""Features from checked biomarkers: a value (or several) per patient and analyte, assays apart
unless a rule bridges them.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs.slopes import decline
from features.biomarkers.measurements import is_log
from features.blocks.dictionary import EDITION, Feature
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.blocks.vital_capacity import vital_capacity_dictionary, vital_capacity_features
from features.catalogue import (
    UNKNOWN_ASSAY,
    Definitions,
    analytes,
    assay_names,
    derived,
    names_assays,
)
from features.cohort import AnyCohort
from features.errors import DataError
from features.tables.coded import codes_of
from features.tables.columns import Cells, Frame

# Which of several values counts. The slope is per month by least squares over at least 30 days (P).
SUMMARIES = ("last", "first", "mean", "slope")
SLOPE_SPAN_DAYS = 30


class Bridge(NamedTuple):
    """A value in terms of another matrix or assay: intercept + slope x value, in canonical units.

    `tube` is what the equation was fitted on: a value from another stated tube is not bridged.
    """

    analyte: str
    assay: str
    to_analyte: str
    to_assay: str
    intercept: float
    slope: float
    tube: str = ""


@derived
def bridges(definitions: Definitions) -> tuple[Bridge, ...]:
    """Rules of `definitions/bridges.tsv`: only equations whose coefficients and direction have a
    source.

    Parameters
    ----------
    definitions : Definitions
        With the table `bridges`.

    Returns
    -------
    tuple of Bridge
        May be empty.
    """
    return tuple(_bridge(row) for _, row in definitions.table("bridges").iterrows())


def _bridge(row: pd.Series) -> Bridge:
    return Bridge(
        analyte=row["analyte"],
        assay=row["assay"],
        to_analyte=row["to_analyte"],
        to_assay=row["to_assay"],
        intercept=float(row["intercept"]),
        slope=float(row["slope"]),
        tube=str(row.get("tube", "")),  # tables of earlier releases say none
    )


@derived
def feature_keys(definitions: Definitions) -> tuple[tuple[str, str], ...]:
    """Analyte and assay of each feature; the assay is empty where assays are interchangeable.

    Parameters
    ----------
    definitions : Definitions
        Whose analytes with `feature` = yes count.

    Returns
    -------
    tuple of (str, str)
        In the order of the analytes, then of the assays.
    """
    table = analytes(definitions)
    table = table[table["feature"] == "yes"]
    return tuple(
        (str(analyte), assay)
        for analyte, separate in table["separate_assays"].items()
        for assay in (assay_names(definitions) if separate == "yes" else ("",))
    )


@derived
def feature_name(
    definitions: Definitions, analyte: str, assay: str = "", summary: str = "last"
) -> str:
    """Name of a biomarker feature.

    Parameters
    ----------
    definitions : Definitions
        Whose scale of the analyte counts.
    analyte : str
        Id.
    assay : str
        One of ASSAYS, empty where assays share a column.
    summary : str
        One of SUMMARIES.

    Returns
    -------
    str
        Column of the feature matrix.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> feature_name(tables, "nfl_serum", "simoa"), feature_name(tables, "albumin_serum")
    ('log_nfl_serum_simoa', 'albumin_serum')
    >>> feature_name(tables, "bmi", summary="slope")
    'bmi_slope'
    """
    scale = "log_" if analytes(definitions).loc[analyte, "scale"] == "log" else ""
    return (
        f"{scale}{analyte}"
        + (f"_{assay}" if assay else "")
        + ("" if summary == "last" else f"_{summary}")
    )


@derived
def _columns(
    definitions: Definitions, summaries: tuple[str, ...]
) -> tuple[tuple[str, str, str], ...]:
    """Analyte, assay and summary of each column; some analytes have a slope by their definition."""
    sloped = set(analytes(definitions).index[analytes(definitions)["slope"] == "yes"])
    keys = feature_keys(definitions)
    asked = [(analyte, assay, summary) for summary in summaries for analyte, assay in keys]
    declared = [(analyte, assay, "slope") for analyte, assay in keys if analyte in sloped]
    return tuple(dict.fromkeys(asked + declared))


@derived
def _named_columns(
    definitions: Definitions, summaries: tuple[str, ...]
) -> tuple[tuple[str, str, int], ...]:
    """Name, summary and position among `feature_keys` of each column."""
    position = {key: i for i, key in enumerate(feature_keys(definitions))}
    return tuple(
        (feature_name(definitions, *column), column[2], position[column[:2]])
        for column in _columns(definitions, summaries)
    )


@derived
def biomarker_dictionary(
    definitions: Definitions, summaries: tuple[str, ...] = ("last",)
) -> tuple[Feature, ...]:
    """Describe the columns of `biomarker_features`.

    Parameters
    ----------
    definitions : Definitions
        Whose analytes are features.
    summaries : tuple of str
        Of SUMMARIES.

    Returns
    -------
    tuple of Feature
        In the order of the matrix.
    """
    return tuple(_described(definitions, *column) for column in _columns(definitions, summaries))


def _described(definitions: Definitions, analyte: str, assay: str, summary: str) -> Feature:
    row = analytes(definitions).loc[analyte]
    unit = f"ln({row['unit']})" if row["scale"] == "log" else row["unit"]
    unit += "/month" if summary == "slope" else ""
    words = {"slope": f"change over at least {SLOPE_SPAN_DAYS} days", "mean": "mean"}.get(
        summary, f"{summary} value"
    )
    fluid = "" if row["matrix"] == "none" else f", {row['matrix'].replace('_', ' ')}"
    meaning = f"{row['name']}{fluid}{', ' + assay if assay else ''}: {words} up to the landmark"
    return Feature(
        name=feature_name(definitions, analyte, assay, summary),
        block="biomarkers",
        unit=str(unit),
        meaning=meaning,
        source=str(row["source"]),
    )


def biomarker_features(
    cohort: AnyCohort,
    summaries: tuple[str, ...] = ("last",),
    assays: str = "separate",
    edition: int = EDITION,
) -> dict[str, np.ndarray]:
    """Summaries of each analyte's dated values, on log scale where skewed; NaN where never
    measured.

    Several values of one day are replicates: their mean on that scale (so a geometric mean where
    skewed).

    Parameters
    ----------
    cohort : Cohort
        Already cut at the landmark.
    summaries : tuple of str
        Of SUMMARIES.
    assays : str
        `separate`: a feature an assay; `bridge`: converted where `definitions/bridges.tsv` has an
        equation, else apart;
        `refuse`: two assays, or two stated tubes, of one analyte in the cohort are an error.
    edition : int
        Of the feature dictionary: 1 did not look at tubes.

    Raises
    ------
    DataError
        With `refuse`, naming the analyte and its assays or tubes.
    """
    table, keys = cohort.biomarkers, feature_keys(cohort.definitions)
    analyte, assay, value = (
        codes_of(table["analyte"])[0],
        _assay_codes(cohort.definitions, table),
        table["value"].to_numpy(),
    )
    if assays == "bridge":
        analyte, assay, value = _bridged(cohort.definitions, analyte, assay, value, table["tube"])
    if assays == "refuse":
        _refuse_mixture(cohort.definitions, analyte, assay)
        if edition > 1:
            _refuse_tubes(cohort.definitions, analyte, table["tube"])
    at = _column_numbers(cohort.definitions, keys)[analyte, assay]
    scaled = is_log(cohort.definitions)[analyte]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(scaled, np.log(value), value)
    kept = (at >= 0) & np.isfinite(value)
    column, days, value = at[kept], table["days"].to_numpy()[kept], value[kept]
    cell = table["row"].to_numpy(dtype=int)[kept] * len(keys) + column
    n, summarised = len(cohort) * len(keys), {}
    for summary in {*summaries, "slope"}:
        # A slope wants a sort, and as a rule few analytes have one.
        read = _is_read(cohort.definitions, summaries, summary)[column]
        used, numbered = _numbered(cell[read], n)
        found = _summary(summary, numbered, days[read], value[read], len(used))
        summarised[summary] = _spread(found, used, n).reshape(-1, len(keys))
    named = _named_columns(cohort.definitions, summaries)
    return {name: summarised[summary][:, i] for name, summary, i in named}


@derived
def _is_read(definitions: Definitions, summaries: tuple[str, ...], summary: str) -> np.ndarray:
    """Of which keys some column is that summary."""
    columns = _columns(definitions, summaries)
    read = {(analyte, assay) for analyte, assay, of in columns if of == summary}
    return np.array([key in read for key in feature_keys(definitions)])


def _assay_codes(definitions: Definitions, table: Frame) -> np.ndarray:
    """Index into `assay_names`, one beyond it for an assay that the tables do not name.

    It was `unknown` for the tables of earlier releases.
    """
    codes, levels = codes_of(table["assay"])
    names = assay_names(definitions)
    unknown = names.index(UNKNOWN_ASSAY)
    other = len(names) if names_assays(definitions) else unknown
    known = [names.index(name) if name in names else other for name in levels]
    return np.array([*known, unknown])[codes]


@derived
def _column_numbers(definitions: Definitions, keys: tuple[tuple[str, str], ...]) -> np.ndarray:
    """Column of each analyte and assay, (analytes + 1, assays + 1); -1 where none reads it."""
    ids, names = analytes(definitions).index, assay_names(definitions)
    number = np.full((len(ids) + 1, len(names) + 1), -1)
    for i, (analyte, assay) in enumerate(keys):
        number[ids.get_loc(analyte), names.index(assay) if assay else slice(None)] = i
    return number


def _bridged(
    definitions: Definitions,
    analyte: np.ndarray,
    assay: np.ndarray,
    value: np.ndarray,
    tubes: Cells,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, names = analytes(definitions).index, assay_names(definitions)
    new_analyte, new_assay, new_value = analyte.astype(int), assay.copy(), value.copy()
    for rule in bridges(definitions):
        bridged = (analyte == ids.get_loc(rule.analyte)) & (assay == names.index(rule.assay))
        bridged &= _may_be(tubes, rule.tube)
        new_value[bridged] = rule.intercept + rule.slope * value[bridged]
        new_analyte[bridged] = ids.get_loc(rule.to_analyte)
        new_assay[bridged] = names.index(rule.to_assay)
    return new_analyte, new_assay, new_value


def _may_be(tubes: Cells, tube: str) -> np.ndarray:
    """Which values are from a tube, or from one that nobody states."""
    codes, levels = codes_of(tubes)
    fits = [not tube or level == tube for level in levels]
    return np.array([*fits, True])[codes]


def _refuse_tubes(definitions: Definitions, analyte: np.ndarray, tubes: Cells) -> None:
    codes, levels = codes_of(tubes)
    for i, (name, separate) in enumerate(analytes(definitions)["separate_assays"].items()):
        used = np.unique(codes[(analyte == i) & (codes >= 0)])
        if separate == "yes" and len(used) > 1:
            reason = (
                f"it was drawn into {' and '.join(sorted(levels[used]))}, which are not"
                " interchangeable"
            )
            remedy = "Set features.assays to `separate`, or give the values of one tube."
            raise DataError(f"biomarkers, {name}", reason, remedy, code="assays_mixed")


def _refuse_mixture(definitions: Definitions, analyte: np.ndarray, assay: np.ndarray) -> None:
    names = (*assay_names(definitions), "another assay")
    for i, (name, separate) in enumerate(analytes(definitions)["separate_assays"].items()):
        used = np.unique(assay[analyte == i])
        if separate == "yes" and len(used) > 1:
            reason = (
                f"it was measured by {' and '.join(names[code] for code in used)}, which are not"
                " interchangeable"
            )
            remedy = (
                "Set features.assays to `separate` or `bridge`, or give the values of one assay."
            )
            raise DataError(f"biomarkers, {name}", reason, remedy, code="assays_mixed")


def _numbered(cell: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The cells that have a value, in order, and the place of each value among them.

    Most of a cohort's cells are empty: nobody measures every analyte.
    """
    seen = np.zeros(n, dtype=bool)
    seen[cell] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[cell]


def _spread(values: np.ndarray, used: np.ndarray, n: int) -> np.ndarray:
    """Values of the cells that have one among all cells, NaN elsewhere."""
    spread = np.full(n, np.nan)
    spread[used] = values
    return spread


def _summary(
    summary: str, cell: np.ndarray, days: np.ndarray, value: np.ndarray, n: int
) -> np.ndarray:
    if summary == "slope":
        order = np.lexsort((value, days, cell))  # a fixed order of summation
        cell, days, value = cell[order], days[order], value[order]
        slope, _, span = decline(cell, days, value, n)
        return np.where(span >= SLOPE_SPAN_DAYS, -slope, np.nan)
    if summary == "mean":
        return ordered_mean(cell, value, n)
    return last_mean(cell, days if summary == "last" else -days, value, n)


def last_mean(cell: np.ndarray, day: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values on the last day of each of `n` cells, NaN for a cell without values.

    Parameters
    ----------
    cell : array of int (v,)
        Cell of each value, 0 to n - 1.
    day : array (v,)
        Day of each value.
    value : array (v,)
        In any unit.
    n : int
        Number of cells.

    Returns
    -------
    array (n,)
        In the unit of the values.
    """
    last = np.full(n, -np.inf)
    np.maximum.at(last, cell, day)
    newest = day == last[cell]
    return ordered_mean(cell[newest], value[newest], n)


def ordered_mean(cell: np.ndarray, value: np.ndarray, n: int) -> np.ndarray:
    """Mean of each of `n` cells, summed in a fixed order: equal bits whatever the order of the
    rows.

    Parameters
    ----------
    cell : array of int (v,)
        Cell of each value, 0 to n - 1.
    value : array (v,)
        In any unit.
    n : int
        Number of cells.

    Returns
    -------
    array (n,)
        In the unit of the values; NaN for a cell without values.
    """
    count = np.bincount(cell, minlength=n)
    several = count[cell] > 1
    if several.any():
        order = np.lexsort((value[several], cell[several]))
        cell = np.append(cell[~several], cell[several][order])
        value = np.append(value[~several], value[several][order])
    total = np.bincount(cell, value, n)
    return np.divide(total, count, out=np.full(n, np.nan), where=count > 0)


def _dictionary(spec: FeatureSpec, definitions: Definitions) -> Iterable[Feature]:
    columns = biomarker_dictionary(definitions, spec.summaries)
    return (*columns, *vital_capacity_dictionary(spec.edition))


def _compute(
    cohort: AnyCohort, spec: FeatureSpec, values: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    # Other blocks read the last value, whichever of them the model sees.
    summaries = tuple(dict.fromkeys((*spec.summaries, "last")))
    measured = biomarker_features(cohort, summaries, spec.assays, spec.edition)
    return measured | vital_capacity_features(measured) if spec.edition > 1 else measured


BLOCK = Block(name="biomarkers", dictionary=_dictionary, compute=_compute)
