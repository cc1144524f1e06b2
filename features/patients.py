"""The patients table: one row per sample, typed and checked by `definitions/patients.tsv` (the contract's table)."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs.slopes import DAYS_PER_MONTH
from features.catalogue import Definitions, derived, patient_columns
from features.tables.convert import (
    categories,
    dates,
    days,
    decoded,
    numbers,
    require_columns,
    table_of,
    text,
)
from features.tables.problems import Problems
from features.tables.reading_rules import AS_IN_CONTRACT, ReadingRules

SCORED_DIAGNOSES = ("als", "als_ftd")


def checked_patients(
    definitions: Definitions,
    table: pd.DataFrame,
    where: str,
    problems: Problems,
    rules: ReadingRules = AS_IN_CONTRACT,
) -> pd.DataFrame:
    """Type every column of the contract (absent ones become unknown) and check the rows; further columns stay as they are.

    Returns
    -------
    DataFrame
        Row i is patient i; days and numbers are float64 (NaN unknown), dates datetime64, the rest object (None unknown).
    """
    require_columns(table, ["sample_id"], where)
    index_dates = _index_dates(table, where, problems, rules)
    typed = {
        name: _typed(definitions, table, name, where, problems, rules, index_dates)
        for name in _rules(definitions)
    }
    others = {name: _plain(column) for name, column in table.items() if name not in typed}
    _check_ids(typed["sample_id"], where, problems)
    _check_dates(typed, where, problems)
    return table_of({**_completed(typed), **others}, table)


def _index_dates(
    table: pd.DataFrame, where: str, problems: Problems, rules: ReadingRules
) -> np.ndarray:
    if "index_date" not in table.columns or table["index_date"].dtype == float:
        return np.full(len(table), np.datetime64("NaT"), dtype="datetime64[D]")
    return dates(table["index_date"], f"{where}, column index_date", problems, rules.dialect)


def _typed(
    definitions: Definitions,
    table: pd.DataFrame,
    name: str,
    where: str,
    problems: Problems,
    rules: ReadingRules,
    index_dates: np.ndarray,
) -> np.ndarray:
    rule = _rules(definitions)[name]
    cell = f"{where}, column {name}"
    if rule.kind == "date":
        return index_dates
    if name not in table.columns:
        numeric = rule.kind in ("number", "days")
        return np.full(len(table), np.nan) if numeric else np.full(len(table), None, dtype=object)
    if rule.kind == "number":
        return numbers(table[name], cell, problems, rule.low, rule.high, rules.dialect)
    if rule.kind == "days":
        return days(table[name], cell, problems, rule.high, rules.dialect, index_dates)
    if rule.levels:
        return categories(table[name], rule.levels, cell, problems, rules.words(definitions, name))
    return text(table[name])


def _plain(column: pd.Series) -> np.ndarray:
    """A further column: numbers as they are, text as objects."""
    plain = decoded(column)
    return (
        plain.to_numpy() if pd.api.types.is_numeric_dtype(plain) else plain.to_numpy(dtype=object)
    )


class _Rule(NamedTuple):
    kind: str
    low: float
    high: float
    levels: tuple[str, ...]


@derived
def _rules(definitions: Definitions) -> dict[str, _Rule]:
    """What the contract says of each column."""
    table = patient_columns(definitions)
    rows = zip(table["type"], table["min"], table["max"], table["levels"], strict=True)
    return {name: _Rule(*row) for name, row in zip(table.index, rows, strict=True)}


def _check_ids(ids: np.ndarray, where: str, problems: Problems) -> None:
    empty = pd.isna(ids)
    problems.reject(
        empty, f"{where}, column sample_id", None, "is empty", "Give every row its sample_id."
    )
    twice = _occurs_before(ids) & ~empty
    remedy = "Keep one row per sample; put what changes in time into biomarkers or alsfrs."
    problems.reject(twice, f"{where}, column sample_id", ids, "occurs more than once", remedy)


def _occurs_before(ids: np.ndarray) -> np.ndarray:
    """Which ids stand in an earlier row too."""
    if len(set(ids)) == len(ids):
        return np.zeros(len(ids), dtype=bool)
    return np.asarray(pd.Series(ids, dtype=object).duplicated())


def _check_dates(patients: dict[str, np.ndarray], where: str, problems: Problems) -> None:
    onset, diagnosis = patients["onset_days"], patients["diagnosis_days"]
    remedy = "Days are relative to the index day: onset <= diagnosis <= 0."
    problems.reject(
        diagnosis < onset,
        f"{where}, column diagnosis_days",
        diagnosis,
        "lies before onset_days",
        remedy,
    )
    apart = np.abs((diagnosis - onset) / DAYS_PER_MONTH - patients["diagnostic_delay_months"]) > 1
    cell = f"{where}, column diagnostic_delay_months"
    remedy = "Correct one of onset_days, diagnosis_days and diagnostic_delay_months."
    problems.reject(
        apart,
        cell,
        patients["diagnostic_delay_months"],
        "is more than 1 month from the days",
        remedy,
    )
    for locus in ("c9orf72", "atxn2"):
        short, long = (patients[f"{locus}_allele{i}"] for i in (1, 2))
        cell = f"{where}, column {locus}_allele1"
        problems.reject(
            short > long, cell, short, "is longer than allele 2", "Write the shorter allele first."
        )


def _completed(patients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fill what follows from other columns: the diagnosis (empty = als) and the diagnostic delay."""
    delay = (patients["diagnosis_days"] - patients["onset_days"]) / DAYS_PER_MONTH
    stated, named = patients["diagnostic_delay_months"], patients["diagnosis"]
    filled = {"diagnostic_delay_months": np.where(np.isnan(stated), delay, stated)}
    return {
        **patients,
        **filled,
        "diagnosis": np.where(pd.isna(named), "als", named).astype(object),
    }
