"""What a found table is, what its columns mean, and in whose words its cells are written.

A column is known by its name; where a name is only like one that we know, the proposal says so. A
table is known by its columns: items or totals of the ALSFRS(-R), analytes with values, a column an
analyte, or facts of patients.
"""

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from als_ml.proposal.sheets import FoundTable
from als_ml.proposal.words import analyte_words, column_words, plain_name, value_words
from features.biomarkers.units import unit_factor
from features.catalogue import (
    analyte_names,
    analytes,
    normal_name,
    patient_columns,
    shipped,
)

Kind = Literal["patients", "biomarkers", "wide", "alsfrs"]
# How like a known name another one must be to be proposed, 0 to 1 (P).
_LIKE = 0.86
_NUMBERED = "alsfrs_r|alsfrsr|alsfrs|q|item|frage|question|pregunta|domanda|vraag"
_ITEM = re.compile(rf"^(?:{_NUMBERED})_?(\d{{1,2}})(?:_.*)?$")
_UNIT = re.compile(r"[\[(]([^\])]*)[\])]\s*$")
_MATRICES = {
    **dict.fromkeys(("serum", "suero", "siero"), "serum"),
    **dict.fromkeys(("plasma", "plasme"), "plasma"),
    **dict.fromkeys(("csf", "liquor", "lcr"), "csf"),
}


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
    likely: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=dict)


def recognise(table: FoundTable) -> Recognised | None:
    """What a table is, None where nothing of it is known, or nobody is named in it.

    Parameters
    ----------
    table : FoundTable
        Of `als_ml.proposal.sheets.find_tables`.

    Returns
    -------
    Recognised or None
        With all that was understood.
    """
    readings = [_read_as(table, kind) for kind in ("alsfrs", "biomarkers", "wide", "patients")]
    fitting = [reading for reading in readings if reading is not None]
    return fitting[0] if fitting else None


def _read_as(table: FoundTable, kind: Kind) -> Recognised | None:
    names = [str(name) for name in table.cells.columns]
    base = "biomarkers" if kind == "wide" else kind
    columns, likely = _named(names, base)
    if "sample_id" not in columns:
        return None
    found = Recognised(table=table, kind=kind, columns=columns, likely=likely)
    if kind == "alsfrs":
        found.columns |= _items(names)
        fits = "total" in found.columns or sum(name.startswith("q") for name in found.columns) >= 6
    elif kind == "biomarkers":
        fits = {"analyte", "value"} <= set(columns)
        if fits:
            _understand_analytes(found)
    elif kind == "wide":
        found.columns = {ours: columns[ours] for ours in ("sample_id", "days") if ours in columns}
        found.wide = _wide(names, set(found.columns.values()), found.likely)
        fits = len(found.wide) >= 1 and not _mostly_patients(names, found.wide)
    else:
        fits = len(columns) >= 2
        _understand_words(found)
    found.unread = _unread(names, found)
    return found if fits else None


def _named(names: list[str], kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """Ours -> theirs by name, and those that are only like a known name, with why."""
    words = column_words(kind)
    columns: dict[str, str] = {}
    likely: dict[str, str] = {}
    for name in names:
        ours = words.get(plain_name(name))
        if ours and ours not in columns:
            columns[ours] = name
    for name in names:
        near = get_close_matches(plain_name(name), list(words), n=1, cutoff=_LIKE)
        if name in columns.values() or not near or words[near[0]] in columns:
            continue
        columns[words[near[0]]] = name
        likely[words[near[0]]] = f"only like {near[0]!r}"
    return columns, likely


def _items(names: list[str]) -> dict[str, str]:
    """Items of the ALSFRS(-R) that are numbered."""
    items: dict[str, str] = {}
    for name in names:
        match = _ITEM.match(plain_name(name))
        if match and 1 <= int(match[1]) <= 12:
            items.setdefault(f"q{int(match[1])}", name)
    return items


def _wide(names: list[str], taken: set[str], likely: dict[str, str]) -> dict[str, dict[str, str]]:
    """Facts of each column that is an analyte."""
    found = {}
    for name in names:
        facts = _analyte(name) if name not in taken else None
        if facts:
            found[name] = facts
            if "unit" not in facts:
                likely[f"wide.{name}"] = "its unit is not said"
            elif "matrix" in facts and facts["matrix"] == "?":
                likely[f"wide.{name}"] = "is it serum, plasma or CSF?"
    return found


def _analyte(name: str) -> dict[str, str] | None:
    """Analyte, unit and matrix that a header says, such as `Kreatinin Serum (mg/dL)`."""
    unit = _UNIT.search(name)
    bare = plain_name(_UNIT.sub("", name))
    parts = bare.split("_")
    matrix = next((_MATRICES[part] for part in parts if part in _MATRICES), None)
    without = "_".join(part for part in parts if part not in _MATRICES)
    known = analyte_words().get(bare) or analyte_words().get(without) or without
    ids = set(analytes(shipped()).index)
    spelled = (known, *(f"{known}_{kind}" for kind in (matrix or "serum", "pct", "blood", "kg")))
    analyte = next((one for one in spelled if one in ids), None)
    if analyte is None:
        return None
    facts = {"analyte": analyte}
    said = unit[1].strip() if unit else ""
    if said and unit_factor(shipped(), analyte, said) is not None:
        facts["unit"] = said
    elif analytes(shipped())["unit"][analyte] in ("1", "%"):
        facts["unit"] = str(analytes(shipped())["unit"][analyte])
    if matrix is None and analytes(shipped())["matrix"][analyte] == "serum":
        facts["matrix"] = "?"
    return facts


def _mostly_patients(names: list[str], wide: dict[str, dict[str, str]]) -> bool:
    """Whether a table says more of patients than of analytes."""
    of_patients, _ = _named(names, "patients")
    return len(of_patients) - 1 > len(wide)


def _understand_words(found: Recognised) -> None:
    """Words of the columns of categories."""
    kinds = patient_columns(shipped())["type"]
    for ours, theirs in found.columns.items():
        if kinds.get(ours) != "category" or not value_words(ours):
            continue
        cells = sorted(set(map(str, found.table.cells[theirs].dropna())))
        known = value_words(ours)
        meant = {cell: known.get(plain_name(cell)) for cell in cells}
        unknown = [cell for cell, value in meant.items() if value is None]
        others = {cell: value for cell, value in meant.items() if value and value != cell}
        found.unknown |= {ours: unknown} if unknown else {}
        found.words |= {ours: others} if others else {}


def _understand_analytes(found: Recognised) -> None:
    """Names of analytes that are not ours."""
    names = sorted(set(map(str, found.table.cells[found.columns["analyte"]].dropna())))
    ours = set(analyte_names(shipped()))
    meant = {name: _analyte(name) for name in names if normal_name(name) not in ours}
    known = {name: facts["analyte"] for name, facts in meant.items() if facts}
    unknown = [name for name, facts in meant.items() if not facts]
    found.words |= {"analyte": known} if known else {}
    found.unknown |= {"analyte": unknown} if unknown else {}


def _unread(names: list[str], found: Recognised) -> list[str]:
    used = {*found.columns.values(), *found.wide}
    return [name for name in names if name not in used]
