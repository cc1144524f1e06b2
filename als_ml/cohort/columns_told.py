"""What each column of a cohort's tables is read as, how full it is, and which ones nobody reads.

Of a column that is not read the form of its cells is told, never a cell: letters and digits stand
for themselves as kinds.
"""

import re
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
import pandas as pd

from als_ml.cohort.read import read_as_described, table_names
from als_ml.cohort.record_keys import BIOMARKER_KEYS, PAGE_FIELDS, VISIT_KEYS
from als_ml.cohort.source import TABLES, CohortSource, TableKind
from als_ml.proposal.words import column_words, core_words, plain_name, without_fillers
from features.catalogue import Definitions, patient_columns
from features.errors import examples
from features.tables.coded import codes_of, decoded
from features.tables.problems import Problems

# Longer forms are cut: they are free text.
_LONGEST_FORM = 24
# How like a known name another one must be to be asked about, 0 to 1 (P).
_LIKE = 0.8
# Columns that are used before the contract's are made (`als_ml.cohort.anchors`).
_BEFORE_IT = ("birth_date", "age_at_index")


class ColumnRow(NamedTuple):
    """A column of a table: what it is read as (empty: not read), how full it is, and the form of
    its cells.
    """

    table: str
    column: str
    read_as: str
    filled: float
    form: str


def told_columns(
    source: CohortSource, definitions: Definitions, problems: Problems
) -> list[ColumnRow]:
    """Every column of the tables of a cohort; those that are not read are told.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    definitions : Definitions
        Names of columns.
    problems : Problems
        Gets a warning for a column that looks like one of ours, and a note of the others.

    Returns
    -------
    list of ColumnRow
        In the order of the files.
    """
    rows = []
    for kind in TABLES:
        if source.described.table(kind) is None:
            continue
        of_table = _columns(source, definitions, kind)
        _tell_unread(of_table, source, kind, problems)
        rows += of_table
    _tell_bare_rows(source, problems)
    return rows


def _tell_bare_rows(source: CohortSource, problems: Problems) -> None:
    """Ask about rows of patients in which one cell alone is filled: the foot of an export is no
    patient.
    """
    table = read_as_described(source, "patients", problems)
    filled = table.notna().sum(axis=1).to_numpy()
    if len(table.columns) > 1:
        problems.question(
            filled == 1,
            source.described.shown("patients"),
            None,
            "has one filled cell alone: is it a patient?",
            "If it is the foot of the table, remove the row or name it under `exclude`.",
            code="values_doubtful",
        )


def _columns(source: CohortSource, definitions: Definitions, kind: TableKind) -> list[ColumnRow]:
    quiet, where = Problems(collect=True, silent=True), source.described.shown(kind)
    table = read_as_described(source, kind, quiet)
    named = table_names(definitions, table, where, source.described, kind, quiet)
    known = _known(source, definitions, kind)
    return [
        ColumnRow(
            table=where,
            column=str(theirs),
            read_as=known.get(str(ours), ""),
            filled=round(100 * float(table[theirs].notna().mean()), 1) if len(table) else 0.0,
            form=common_form(table[theirs]),
        )
        for theirs, ours in zip(table.columns, named.columns, strict=True)
    ]


def _known(source: CohortSource, definitions: Definitions, kind: TableKind) -> dict[str, str]:
    """Name in the renamed table -> what it is read as."""
    of_patients = (*patient_columns(definitions).index, *_BEFORE_IT, *PAGE_FIELDS)
    of_values = ("sample_id", *BIOMARKER_KEYS, "replicate", "batch")
    names: dict[str, tuple[str, ...]] = {
        "patients": of_patients,
        "biomarkers": of_values,
        "alsfrs": ("sample_id", *VISIT_KEYS),
    }
    wide = source.described.wide
    if kind != "biomarkers" or wide is None:
        return {name: name for name in names[kind]}
    facts = wide.facts()
    known = {"sample_id": "sample_id"}
    for name, said in facts.columns.items():
        known[name] = str(said.get("analyte", name))
        for key in ("days", "unit_from"):
            beside = said.get(key, facts.common.get(key))
            known |= {beside: key} if isinstance(beside, str) else {}
    return known


def common_form(column: pd.Series) -> str:
    """The commonest form of the cells of a column: 9 for a digit, `abc` for letters.

    Parameters
    ----------
    column : Series
        Text, codes or numbers.

    Returns
    -------
    str
        Empty where no cell is filled.

    Examples
    --------
    >>> common_form(pd.Series(["31.12.2019", "01.02.2020", None]))
    '99.99.9999'
    >>> common_form(pd.Series(["Frau Dr. Beispiel"])), common_form(pd.Series([1.5, 2.0]))
    ('abc abc. abc', 'a number')
    """
    if column.dtype == float:
        return "a number" if column.notna().any() else ""
    codes, levels = codes_of(decoded(column))
    if not len(levels):
        return ""
    forms = pd.Series([form_of(str(level)) for level in levels], dtype=object)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    return str(pd.Series(counts).groupby(forms).sum().idxmax())


def form_of(cell: str) -> str:
    """The form of a cell.

    Parameters
    ----------
    cell : str
        Any text.

    Returns
    -------
    str
        Digits are 9, runs of letters `abc`; cut where it is long.

    Examples
    --------
    >>> form_of("P-0032"), form_of("<2,7 pg/mL")
    ('abc-9999', '<9,9 abc/abc')
    """
    form = re.sub(r"[^\W\d_]+", "abc", re.sub(r"\d", "9", cell))
    return form if len(form) <= _LONGEST_FORM else f"{form[:_LONGEST_FORM]}..."


def _tell_unread(
    rows: list[ColumnRow], source: CohortSource, kind: TableKind, problems: Problems
) -> None:
    """Warn of columns that look like ours and are not read; note the others."""
    read = {row.read_as for row in rows}
    where, others = source.described.shown(kind), []
    for row in rows:
        if row.read_as or not row.form:
            continue
        like = _looks_like(row.column, kind)
        if like is None or like in read:
            others.append(f"{row.column!r} ({row.form}, {row.filled:.0f} % filled)")
            continue
        problems.warn(
            where,
            f"the column {row.column!r} ({row.form}, {row.filled:.0f} % filled) is not read",
            f"Is it {like}? Then say `columns: {{{like}: {row.column}}}` of this table.",
            code="column_unread",
        )
    # Of patients, and beside a wide table's columns, others say what is not used.
    if others and (kind == "alsfrs" or (kind == "biomarkers" and not source.described.wide)):
        problems.note(
            where,
            f"{len(others)} columns are not read: {examples(others, 8)}",
            "They mean nothing to als-ml.",
            len(others),
            code="column_unread",
        )


def _looks_like(name: str, kind: TableKind) -> str | None:
    """The column of ours that a name may mean, in any of six languages."""
    words = column_words(kind)
    exact = words.get(plain_name(name)) or core_words(kind).get(without_fillers(name))
    if exact:
        return exact
    near = get_close_matches(plain_name(name), list(words), n=1, cutoff=_LIKE)
    return words[near[0]] if near else None
