"""Wide biomarker tables: one row a patient or visit, one column an analyte, described by the cohort
file's `wide` block.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from features.biomarkers.measurements import checked_biomarkers, no_biomarkers
from features.catalogue import Definitions
from features.errors import DataError, RequestError, examples, nearest
from features.tables.coded import codes_of, decoded
from features.tables.names import require_columns
from features.tables.problems import Problems
from features.tables.reading_rules import ReadingRules

# What a `wide` block may say of a column, or of all of them.
FACTS = ("analyte", "unit", "matrix", "assay", "tube", "days")


@dataclass(frozen=True)
class Wide:
    """Facts of all columns and of single ones: {column: {FACT: value}}.

    `days` is a day since the index day, or the name of a column with days or dates; `unit_from` is
    the name of a column with the unit of each row.
    """

    columns: dict[str, dict[str, str | int]]
    common: dict[str, str | int] = field(default_factory=dict)


def checked_wide(
    definitions: Definitions,
    table: pd.DataFrame,
    wide: Wide,
    rows: dict[str, int],
    where: str,
    problems: Problems,
    rules: ReadingRules,
    index_dates: "np.ndarray | None",
) -> pd.DataFrame:
    """Check a wide table column by column, so that a message names the file's own cell.

    The result is that of a long table.

    Parameters
    ----------
    definitions : Definitions
        Whose analytes and units count.
    table : DataFrame
        One row a patient or visit, with `sample_id`.
    wide : Wide
        What its columns are.
    rows : dict
        sample_id -> patient index.
    where : str
        File, for messages.
    problems : Problems
        Gets what is wrong and what is not read.
    rules : ReadingRules
        How the user wants cells to be read.
    index_dates : array of datetime64 (n,) or None
        Index date of each patient, for columns of dates.

    Returns
    -------
    DataFrame
        As of `features.biomarkers.measurements.checked_biomarkers`.

    Raises
    ------
    DataError
        If a column that the block names is absent.
    """
    require_columns(table, ["sample_id"], where)
    absent = [name for name in wide.columns if name not in table.columns]
    if absent:
        raise DataError(
            f"{where}, wide.columns",
            f"there is no column {absent[0]!r}",
            nearest(absent[0], table.columns),
            code="column_missing",
        )
    facts = {name: _facts(name, wide, said) for name, said in wide.columns.items()}
    parts = []
    for name, said in facts.items():
        long = _long(table, name, said, where)
        parts.append(
            checked_biomarkers(
                definitions, long, rows, where, problems, rules, index_dates, shown=name
            )
        )
    beside = [said.get(key) for said in facts.values() for key in _BESIDE]
    used = {*wide.columns, "sample_id", *beside}
    _note_unused([name for name in table.columns if name not in used], where, problems)
    return _joined(definitions, parts)


def _long(table: pd.DataFrame, name: str, said: dict[str, str | int], where: str) -> pd.DataFrame:
    """One column as a long table with the same lines."""
    long = {"sample_id": table["sample_id"], "value": table[name]}
    for fact in FACTS:
        if fact in said and fact != "days":
            long[fact] = (
                pd.Series(pd.Categorical([str(said[fact])]))
                .repeat(len(table))
                .reset_index(drop=True)
            )
    for key, fact in _BESIDE.items():
        column = said.get(key)
        if isinstance(column, str):
            long[fact] = _beside(table, column, key, where)
    if isinstance(day := said.get("days"), int | float):
        long["days"] = pd.Series(np.full(len(table), float(day)))
    return pd.DataFrame(long)


# What another column of the table may say, and which fact that is.
_BESIDE = {"days": "days", "unit_from": "unit"}


def _facts(name: str, wide: Wide, said: dict[str, str | int]) -> dict[str, str | int]:
    """All that is said of a column; a unit of its own, in either way, wins over that of all."""
    common = dict(wide.common)
    if {"unit", "unit_from"} & said.keys():
        common.pop("unit", None)
        common.pop("unit_from", None)
    return {"analyte": name, **common, **said}


def _beside(table: pd.DataFrame, column: str, key: str, where: str) -> pd.Series:
    if column not in table.columns:
        raise RequestError(
            f"{where}, wide {key}",
            f"there is no column {column!r}",
            nearest(column, table.columns),
            code="column_missing",
        )
    return table[column]


def _note_unused(names: list[str], where: str, problems: Problems) -> None:
    if names:
        reason = (
            f"{len(names)} columns are not named in the `wide` block and not read"
            f" ({examples(names)})"
        )
        problems.note(where, reason, "Name those that are analytes.", code="column_unread")


def _joined(definitions: Definitions, parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables of several columns as one, in the order of the file's lines within each column."""
    if not parts:
        return no_biomarkers(definitions)
    first = parts[0]
    coded = [name for name in first.columns if isinstance(first[name].dtype, pd.CategoricalDtype)]
    plain = [part.assign(**{name: decoded(part[name]) for name in coded}) for part in parts]
    table = pd.concat(plain, ignore_index=True)
    for name in coded:
        # Every analyte of the definitions is a level, whichever of them the table has.
        levels = codes_of(first[name])[1] if name == "analyte" else None
        table[name] = pd.Categorical(table[name], categories=levels)
    return table
