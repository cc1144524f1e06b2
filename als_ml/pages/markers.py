"""Each measured marker of a patient against what is normal: the laboratory's own range, else a
reference limit of the patient's sex, age and assay, else none.

A diagnostic or prognostic cut-off stands beside it by its name; it is never a limit of normal.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from als_ml.pages.facts import MarkerCard
from features.blocks.mechanisms import REFERENCE, age_at, limits_of
from features.catalogue import Definitions, analytes, derived, shipped
from features.cohort import Cohort
from features.tables.coded import as_frame, records_of

ABOVE, BELOW, WITHIN, NO_RANGE = "above the range", "below the range", "within the range", ""
LABORATORY_RANGE = "the laboratory's own range"
_RECALLED = "(R)"
# A tube whose limits by age are published, for one whose are not: a hint of the order of magnitude.
_LIKE = {"nfl_serum": "nfl_plasma"}


class Range(NamedTuple):
    """What is normal in the canonical unit (NaN open), where that comes from, and cut-offs that
    are not limits of normal.
    """

    low: float
    high: float
    source: str
    cutoffs: tuple[tuple[str, float], ...]
    note: str


def marker_cards(cohort: Cohort) -> list[list[MarkerCard]]:
    """Of each patient a card of each dated analyte.

    Parameters
    ----------
    cohort : Cohort
        With checked biomarkers.

    Returns
    -------
    list of lists of MarkerCard
        One list a patient, sorted by analyte.
    """
    table = as_frame(cohort.biomarkers)
    dated = table[table["days"].notna()].assign(analyte=table["analyte"].astype(str))
    dated = dated.sort_values(["row", "analyte", "days"], kind="stable")
    columns = [dated[name].to_numpy() for name in _COLUMNS]
    ages, sexes = age_at(cohort), cohort.patients["sex"].to_numpy(dtype=object)
    tables = _with_kinds(cohort.definitions)
    ranges = lru_cache(maxsize=None)(lambda *key: _published(tables, *key))
    measured: dict[tuple[int, str], list[_Measured]] = {}
    for row, analyte, days, value, assay, low, high in zip(*columns, strict=True):
        one = _Measured(days=days, value=value, assay=assay, ref_low=low, ref_high=high)
        measured.setdefault((row, analyte), []).append(one)
    cards: list[list[MarkerCard]] = [[] for _ in range(len(cohort))]
    for (row, analyte), values in measured.items():
        year = float(np.floor(ages[row])) if np.isfinite(ages[row]) else np.nan
        published = ranges(analyte, sexes[row], year, str(values[-1].assay))
        cards[row].append(_judged(cohort.definitions, analyte, values, published))
    return cards


class _Measured(NamedTuple):
    """A value with its day and assay, and the laboratory's own range (NaN where not stated)."""

    days: float
    value: float
    assay: str
    ref_low: float
    ref_high: float


_COLUMNS = ("row", "analyte", *_Measured._fields)


def _with_kinds(definitions: Definitions) -> Definitions:
    """The cohort's own limits, unless its table is of a release that mixed cut-offs with limits."""
    has_kinds = "kind" in definitions.table("reference_limits").columns
    return definitions if has_kinds else shipped()


def _published(
    definitions: Definitions, analyte: str, sex: str | None, age: float, assay: str
) -> Range:
    """The reference limit that fits, and every cut-off."""
    rows = limits_of(definitions, analyte, sex, age, assay)
    normal = next((row for row in rows if row["kind"] == REFERENCE), None)
    low, high = (
        (float(normal["below"] or np.nan), float(normal["above"] or np.nan))
        if normal
        else (np.nan, np.nan)
    )
    cutoffs = tuple(
        (f"{row['kind']}: {row['meaning']}; {row['source']}", float(row["below"] or row["above"]))
        for row in rows
        if row["kind"] != REFERENCE
    )
    source = f"{normal['meaning']}; {normal['source']}" if normal else ""
    note = "" if normal else _like(definitions, analyte, sex, age)
    return Range(low=low, high=high, source=source, cutoffs=cutoffs, note=note)


def _like(definitions: Definitions, analyte: str, sex: str | None, age: float) -> str:
    """The limit of another tube, where this one has none of its own."""
    other = _LIKE.get(analyte)
    rows = limits_of(definitions, other, sex, age) if other else []
    if not rows or not np.isfinite(age):
        return ""
    return (
        "no limit by age is known for this tube; the order of magnitude: in plasma the"
        f" {rows[0]['meaning']} is {float(rows[0]['above']):g}"
    )


def _judged(
    definitions: Definitions, analyte: str, values: list[_Measured], known: Range
) -> MarkerCard:
    """The card of an analyte: its values, the last of them against what is normal."""
    last = values[-1]
    has_range = bool(np.isfinite(last.ref_low) or np.isfinite(last.ref_high))
    below, above = (last.ref_low, last.ref_high) if has_range else (known.low, known.high)
    state = _state(last.value, below, above)
    about = _described(definitions)[analyte]
    return {
        "id": analyte,
        "values": [(int(one.days), _plain(one.value)) for one in values],
        "name": about.name,
        "unit": about.unit,
        "log": about.log,
        "mechanism": about.mechanism,
        "direction": about.direction,
        "low": _plain(below),
        "high": _plain(above),
        "source": LABORATORY_RANGE if has_range else known.source,
        "state": state,
        # A recalled limit says where a value lies and is evidence of nothing.
        "worse": state == {"high": ABOVE, "low": BELOW}.get(about.direction)
        and (has_range or _RECALLED not in known.source),
        "cutoffs": [(words, _plain(bound)) for words, bound in known.cutoffs],
        "note": "" if has_range else known.note,
    }


def _state(value: float, low: float, high: float) -> str:
    """Where a value lies; a limit itself is normal.

    >>> [_state(value, 3.5, 5.0) for value in (3.4, 3.5, 5.0, 5.1)]
    ['below the range', 'within the range', 'within the range', 'above the range']
    >>> _state(80.0, float("nan"), float("nan"))
    ''
    """
    if np.isnan(low) and np.isnan(high):
        return NO_RANGE
    if value < low:
        return BELOW
    return ABOVE if value > high else WITHIN


class _Described(NamedTuple):
    """How an analyte is called, its unit, scale, mechanism and the direction that is worse."""

    name: str
    unit: str
    log: bool
    mechanism: str
    direction: str


@derived
def _described(definitions: Definitions) -> dict[str, _Described]:
    """Analyte -> its description."""
    rows = records_of(analytes(definitions).reset_index())
    return {
        row["analyte"]: _Described(
            name=_name(row["name"], row["matrix"]),
            unit="" if row["unit"] == "1" else row["unit"],
            log=row["scale"] == "log",
            mechanism=row["mechanism"],
            direction=row["worse"],
        )
        for row in rows
    }


def _name(name: str, matrix: str) -> str:
    return name if matrix == "none" else f"{name}, {matrix.replace('_', ' ')}"


def _plain(value: float) -> float | None:
    """A number as it is shown, None where there is none."""
    return None if value != value else float(f"{value:.5g}")
