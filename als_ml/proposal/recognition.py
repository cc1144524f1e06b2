"""What a found table is, what its columns mean, and in whose words its cells are written.

A column is known by its name; where a name is only like one that we know, or its cells alone say
what it is, the proposal says so. A table is known by its columns: items or totals of the
ALSFRS(-R), analytes with values, a column an analyte, or facts of patients.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

import pandas as pd

from als_ml.cohort.read import without_zeros
from als_ml.proposal.analyte_headers import AnalyteName, analyte_name, is_unit
from als_ml.proposal.dialect import is_dated
from als_ml.proposal.sheets import FoundTable
from als_ml.proposal.words import (
    column_words,
    core_words,
    plain_name,
    reader_knows,
    value_words,
    without_fillers,
)
from features.catalogue import analyte_names, normal_name, patient_columns, shipped

Kind = Literal["patients", "biomarkers", "wide", "alsfrs"]
# How like a known name another one must be to be proposed, 0 to 1 (P).
_LIKE = 0.86
_NUMBERED = "alsfrs_r|alsfrsr|alsfrs|q|item|frage|question|pregunta|domanda|vraag"
_PART = "(?:items?|fragen?|questions?|q)"
_ITEM = re.compile(rf"^(?:{_NUMBERED})(?:_{_PART})?_?(\d{{1,2}})(?:_.*)?$")
# Of the values of a column, how many must be patients to take it for their names (P).
_SHARE_OF_IDS = 0.5
# A place in the text of a cohort file: `sex`, `wide.CK`, `values.analyte.CK`.
Key = str


@dataclass
class Recognised:
    """A table and what it is taken for.

    `columns` maps ours to theirs, `wide` a column to its facts, `words` a column of the contract
    to words and what they mean; `likely` explains what should be looked at, by the key that it is
    written under; `unread` are columns that mean nothing to us, `unknown` words per column.
    """

    table: FoundTable
    kind: Kind
    columns: dict[str, str]
    wide: dict[str, dict[str, str]] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    likely: dict[Key, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=dict)


def recognise(table: FoundTable, ids: Collection[str] = ()) -> Recognised | None:
    """What a table is, None where nothing of it is known, or nobody is named in it.

    Parameters
    ----------
    table : FoundTable
        Of `als_ml.proposal.sheets.find_tables`.
    ids : collection of str
        Patients by another table: a column without a known name that has them names them, too.

    Returns
    -------
    Recognised or None
        With all that was understood.
    """
    readings = [_read_as(table, kind, ids) for kind in ("alsfrs", "biomarkers", "wide", "patients")]
    fitting = [reading for reading in readings if reading is not None]
    return fitting[0] if fitting else None


def _read_as(table: FoundTable, kind: Kind, ids: Collection[str]) -> Recognised | None:
    names = [str(name) for name in table.cells.columns]
    columns, likely = _named(table, "biomarkers" if kind == "wide" else kind)
    found = Recognised(table=table, kind=kind, columns=columns, likely=likely)
    _compare_with_cells(found)
    if "sample_id" not in columns:
        _find_ids(found, ids)
    if "sample_id" not in found.columns or not _FITS[kind](found):
        return None
    found.unread = _unread(names, found)
    return found


def _named(table: FoundTable, kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """Ours -> theirs by name, and those that are only like a known name, with why."""
    words, cores = column_words(kind), core_words(kind)
    names = [str(name) for name in table.cells.columns]
    columns: dict[str, str] = {}
    likely: dict[str, str] = {}
    for known, form in ((words, plain_name), (cores, without_fillers), (words, table.last_part)):
        for name in names:
            ours = known.get(form(name))
            if ours and ours not in columns and name not in columns.values():
                columns[ours] = name
    for name in names:
        near = get_close_matches(plain_name(name), list(words), n=1, cutoff=_LIKE)
        if name in columns.values() or not near or words[near[0]] in columns:
            continue
        columns[words[near[0]]] = name
        likely[words[near[0]]] = f"only like {near[0]!r}"
    return columns, likely


# A day and the category beside it: `PEG` may be a date, and `Onset` a place.
_TWINS = {
    "riluzole_start_days": "riluzole",
    "edaravone_start_days": "edaravone",
    "tofersen_start_days": "tofersen",
    "onset_days": "onset_site",
}
# Of the cells of a column of days, how many must have a digit (P).
_SHARE_OF_DAYS = 0.5


def _compare_with_cells(found: Recognised) -> None:
    """Correct what names alone say: words are no days, and dates no categories."""
    kinds = patient_columns(shipped())["type"]
    for ours in [name for name in found.columns if kinds.get(name) in ("days", "category")]:
        cells = found.table.cells[found.columns[ours]].dropna().astype(str)
        is_days = kinds[ours] == "days"
        wrong = is_days and cells.str.contains(r"\d").mean() < _SHARE_OF_DAYS
        if not len(cells) or not (wrong or (not is_days and is_dated(cells))):
            continue
        others = _TWINS if is_days else {name: days for days, name in _TWINS.items()}
        theirs, twin = found.columns.pop(ours), others.get(ours)
        found.likely.pop(ours, None)
        if twin and twin not in found.columns:
            found.columns[twin] = theirs
            found.likely[twin] = f"its cells are {'words' if is_days else 'dates'}"


def _find_ids(found: Recognised, ids: Collection[str]) -> None:
    """The column whose cells are names of patients."""
    known = {without_zeros(one) for one in ids}
    shares = {
        str(name): cells.dropna().astype(str).map(without_zeros).isin(known).mean()
        for name, cells in found.table.cells.items()
        if len(cells.dropna())
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    if best is not None and known and shares[best] >= _SHARE_OF_IDS:
        found.columns["sample_id"] = best
        found.likely["sample_id"] = f"{100 * shares[best]:.0f} % of its cells are patients"


def _is_alsfrs(found: Recognised) -> bool:
    """Visits with a total, or with items by number, by name, or by twelve columns of points."""
    names = [str(name) for name in found.table.cells.columns]
    taken = set(found.columns.values())
    for name in names:
        match = _ITEM.match(plain_name(name)) or _ITEM.match(f"q{found.table.last_part(name)}")
        if match and 1 <= int(match[1]) <= 12 and name not in taken:
            found.columns.setdefault(f"q{int(match[1])}", name)
    items = [ours for ours in found.columns if ours.startswith("q")]
    points = [name for name in names if _has_points(found.table.cells[name])]
    if not items and len(points) == 12:
        for number, name in enumerate(points, start=1):
            found.columns[f"q{number}"] = name
            found.likely[f"q{number}"] = "by its place among twelve columns of 0 to 4"
        items = points
    _find_days(found)
    return "total" in found.columns or len(items) >= 6


def _has_points(cells: pd.Series) -> bool:
    """Whether all cells are points of an item."""
    known = pd.to_numeric(cells.dropna(), errors="coerce")
    return len(known) > 0 and bool(known.isin(range(5)).all())


def _find_days(found: Recognised) -> None:
    """The one column of dates, where no name says which it is."""
    taken = {*found.columns.values(), *found.wide}
    dated = [
        str(name)
        for name, cells in found.table.cells.items()
        if str(name) not in taken and is_dated(cells.dropna().astype(str))
    ]
    if "days" not in found.columns and len(dated) == 1:
        found.columns["days"] = dated[0]
        found.likely["days"] = "the only column of dates"


def _is_long(found: Recognised) -> bool:
    """A row a value."""
    if not {"analyte", "value"} <= set(found.columns):
        return False
    _find_days(found)
    _understand_analytes(found)
    _understand_words(found, ("matrix",))
    return True


def _is_wide(found: Recognised) -> bool:
    """A column an analyte, with its unit in the header or in a column beside it."""
    found.columns = {
        ours: found.columns[ours] for ours in ("sample_id", "days") if ours in found.columns
    }
    names = [str(name) for name in found.table.cells.columns]
    taken = set(found.columns.values())
    analyte = {name: known for name in names if name not in taken and (known := analyte_name(name))}
    for name, known in analyte.items():
        facts = {"analyte": known.analyte}
        if known.unit:
            facts["unit"] = known.unit
        elif beside := _column_of_units(found.table.cells, known, set(analyte) | taken):
            facts["unit_from"] = beside
        else:
            found.likely[f"wide.{name}"] = "its unit is not said"
        if not known.is_fluid_said:
            found.likely.setdefault(f"wide.{name}", "is it serum, plasma or CSF?")
        found.wide[name] = facts
    _find_days(found)
    of_patients, _ = _named(found.table, "patients")
    return len(found.wide) > 0 and len(of_patients) - 1 <= len(found.wide)


def _column_of_units(cells: pd.DataFrame, known: AnalyteName, taken: set[str]) -> str | None:
    """The column whose cells are units of an analyte: first one that is named after it."""
    fitting = [
        str(name)
        for name, column in cells.items()
        if str(name) not in taken
        and len(units := column.dropna().astype(str).unique())
        and all(is_unit(unit, known.analyte) for unit in units)
    ]
    named = [name for name in fitting if known.bare in plain_name(name)]
    own = [name for name in fitting if _own_analyte(name) == known.bare]
    return next(iter([*own, *named, *fitting]), None)


def _own_analyte(name: str) -> str | None:
    """The analyte in the name of a column of units, as `Unité créatinine`."""
    words = re.split(r"[\s_]+", name)
    known = (analyte_name(word) for word in words)
    return next((one.bare for one in known if one), None)


def _is_of_patients(found: Recognised) -> bool:
    """At least one fact beside the name."""
    kinds = patient_columns(shipped())["type"]
    _understand_words(found, [ours for ours in found.columns if kinds.get(ours) == "category"])
    return len(found.columns) >= 2


_FITS = {
    "alsfrs": _is_alsfrs,
    "biomarkers": _is_long,
    "wide": _is_wide,
    "patients": _is_of_patients,
}


def _understand_words(found: Recognised, columns: Collection[str]) -> None:
    """Words of the columns of categories; what the reader knows by itself is not written."""
    for ours in columns:
        known, theirs = value_words(ours), found.columns.get(ours)
        if theirs is None or not known:
            continue
        cells = sorted(set(map(str, found.table.cells[theirs].dropna())))
        meant = {cell: known.get(plain_name(cell)) for cell in cells}
        unknown = [cell for cell, value in meant.items() if value is None]
        others = {
            cell: value for cell, value in meant.items() if value and not reader_knows(ours, cell)
        }
        found.unknown |= {ours: unknown} if unknown else {}
        found.words |= {ours: others} if others else {}


def _understand_analytes(found: Recognised) -> None:
    """Names of analytes that are not ours; the fluid comes from the table where it says it."""
    names = sorted(set(map(str, found.table.cells[found.columns["analyte"]].dropna())))
    ours = set(analyte_names(shipped()))
    meant = {name: analyte_name(name) for name in names if normal_name(name) not in ours}
    known: dict[str, str] = {}
    for name, one in meant.items():
        if one is None:
            found.unknown.setdefault("analyte", []).append(name)
            continue
        from_table = "matrix" in found.columns and not one.is_fluid_said
        known[name] = one.bare if from_table else one.analyte
        if not one.is_fluid_said and not from_table:
            found.likely[f"values.analyte.{name}"] = "is it serum, plasma or CSF?"
    found.words |= {"analyte": known} if known else {}


def _unread(names: list[str], found: Recognised) -> list[str]:
    beside = [facts["unit_from"] for facts in found.wide.values() if "unit_from" in facts]
    used = {*found.columns.values(), *found.wide, *beside}
    return [name for name in names if name not in used]
