"""Each measured marker of a patient against what is normal: the laboratory's own range, else a
reference limit of the patient's sex, age and assay, else none.

A diagnostic or prognostic cut-off stands beside it by its name; it is never a limit of normal.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from features.blocks.mechanisms import REFERENCE, age_at, limits_of
from features.catalogue import Definitions, analytes, derived, shipped
from features.cohort import Cohort
from features.stored import Record
from features.tables.convert import as_frame, records_of

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


def marker_cards(cohort: Cohort) -> list[list[Record]]:
    """Of each patient one entry a dated analyte: name, unit, `values` as (day, value), `low` and
    `high` of what is normal with its `source`, where the last value lies, and `cutoffs`.

    Parameters
    ----------
    cohort : Cohort
        With checked biomarkers.

    Returns
    -------
    list of lists of dict
        One list a patient, sorted by analyte.
    """
    table = as_frame(cohort.biomarkers)
    dated = table[table["days"].notna()].assign(analyte=table["analyte"].astype(str))
    dated = dated.sort_values(["row", "analyte", "days"], kind="stable")
    columns = [dated[name].to_numpy() for name in _COLUMNS]
    ages, sexes = age_at(cohort), cohort.patients["sex"].to_numpy(dtype=object)
    tables = _with_kinds(cohort.definitions)
    ranges = lru_cache(maxsize=None)(lambda *key: _published(tables, *key))
    cards: list[list[Record]] = [[] for _ in range(len(cohort))]
    last: tuple[int, str] | None = None
    for row, analyte, day, value, assay, low, high in zip(*columns, strict=True):
        if (row, analyte) != last:
            last = (row, analyte)
            cards[row].append({"id": analyte, "values": []})
        card = cards[row][-1]
        card["values"].append([int(day), _plain(value)])
        card["measured"] = (float(value), str(assay), float(low), float(high))
    for row, of_patient in enumerate(cards):
        year = float(np.floor(ages[row])) if np.isfinite(ages[row]) else np.nan
        for card in of_patient:
            value, assay, low, high = card.pop("measured")
            published = ranges(card["id"], sexes[row], year, assay)
            card.update(_judged(cohort.definitions, card["id"], value, low, high, published))
    return cards


_COLUMNS = ("row", "analyte", "days", "value", "assay", "ref_low", "ref_high")


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
    definitions: Definitions, analyte: str, value: float, low: float, high: float, known: Range
) -> Record:
    has_range = np.isfinite(low) or np.isfinite(high)
    below, above = (low, high) if has_range else (known.low, known.high)
    state = _state(value, below, above)
    about = _described(definitions)[analyte]
    return {
        **about,
        "low": _plain(below),
        "high": _plain(above),
        "source": LABORATORY_RANGE if has_range else known.source,
        "state": state,
        # A recalled limit says where a value lies and is evidence of nothing.
        "worse": state == {"high": ABOVE, "low": BELOW}.get(about["direction"])
        and (bool(has_range) or _RECALLED not in known.source),
        "cutoffs": [[words, _plain(bound)] for words, bound in known.cutoffs],
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


@derived
def _described(definitions: Definitions) -> dict[str, Record]:
    """Analyte -> how it is called, its unit, scale, mechanism and the direction that is worse."""
    rows = records_of(analytes(definitions).reset_index())
    return {
        row["analyte"]: {
            "name": _name(row["name"], row["matrix"]),
            "unit": "" if row["unit"] == "1" else row["unit"],
            "log": row["scale"] == "log",
            "mechanism": row["mechanism"],
            "direction": row["worse"],
        }
        for row in rows
    }


def _name(name: str, matrix: str) -> str:
    return name if matrix == "none" else f"{name}, {matrix.replace('_', ' ')}"


def _plain(value: float) -> float | None:
    """A number as it is shown, None where there is none."""
    return None if value != value else float(f"{value:.5g}")
