"""The patients table: one row per sample, typed and checked by `definitions/patients.tsv` (the
contract's table).
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs.slopes import DAYS_PER_MONTH
from features.catalogue import Definitions, derived, patient_columns
from features.tables.categories import categories
from features.tables.coded import codes_of, decoded, table_of, text
from features.tables.columns import Cells, Frame, FrameT, Table
from features.tables.dates import dates, has_dates
from features.tables.days import Days, dated_days, middle
from features.tables.names import require_columns
from features.tables.numbers import numbers
from features.tables.problems import Problems
from features.tables.reading_rules import AS_IN_CONTRACT, ReadingRules

# A month has at most so many days, the first and the last included.
LONGEST_MONTH = 31
_INTERVAL = r"(-?\d+)\.\.(-?\d+)"
_INTERVALS = rf"[a-z0-9_]+ {_INTERVAL}(?:; [a-z0-9_]+ {_INTERVAL})*"
SCORED_DIAGNOSES = ("als", "als_ftd")


def checked_patients(
    definitions: Definitions,
    table: FrameT,
    where: str,
    problems: Problems,
    rules: ReadingRules = AS_IN_CONTRACT,
) -> FrameT:
    """Type every column of the contract (absent ones become unknown) and check the rows.

    Further columns stay as they are.

    Parameters
    ----------
    definitions : Definitions
        Whose `patients.tsv` counts.
    table : DataFrame or Table
        With `sample_id`; other columns as far as they are there.
    where : str
        File, for messages.
    problems : Problems
        Gets what is wrong.
    rules : ReadingRules
        How the user wants cells to be read.

    Returns
    -------
    DataFrame
        Row i is patient i; days and numbers are float64 (NaN unknown), dates datetime64, the rest
        object (None unknown).

    Raises
    ------
    DataError
        Unless problems are collected: at the first error.
    """
    require_columns(table, ["sample_id"], where)
    if not rules.dialect.apart:
        rules = rules.in_calendar(_has_dates(definitions, table))
    index_dates = _index_dates(table, where, problems, rules)
    given = {name: rule for name, rule in _rules(definitions).items() if name in table.columns}
    dated = _ordered_onset(_dated(table, given, where, problems, rules, index_dates))
    typed = _unknown(definitions, len(table))
    typed |= {
        name: _typed(definitions, table[name], name, where, problems, rules)
        for name, rule in given.items()
        if rule.kind not in ("date", "days")
    }
    typed |= {"index_date": index_dates, **{name: days.value for name, days in dated.items()}}
    stated = typed["uncertain_dates"]
    typed["uncertain_dates"] = _uncertain_dates(stated, dated, where, problems)
    others = {str(name): _plain(column) for name, column in table.items() if name not in typed}
    _check_ids(typed["sample_id"], where, problems)
    _check_dates(typed, where, problems)
    _ask_for_years(dated, where, problems)
    _name_wide(dated, table, where, problems)
    return table_of({**_completed(typed), **others}, table)


def _dated(
    table: Frame,
    given: "dict[str, _Rule]",
    where: str,
    problems: Problems,
    rules: ReadingRules,
    index_dates: np.ndarray,
) -> dict[str, Days]:
    """Each column of days that the table has."""
    return {
        name: dated_days(
            table[name],
            f"{where}, column {name}",
            problems,
            rule.high,
            rules.dialect,
            index_dates,
        )
        for name, rule in given.items()
        if rule.kind == "days"
    }


def _unknown(definitions: Definitions, n: int) -> dict[str, np.ndarray]:
    """Every column of the contract with nothing known of n patients; they share their arrays."""
    nothing, no_number = np.full(n, None, dtype=object), np.full(n, np.nan)
    unknown = {
        name: no_number if rule.kind in ("number", "days") else nothing
        for name, rule in _rules(definitions).items()
    }
    # The tables of a model from before have no such column.
    unknown.setdefault("uncertain_dates", nothing)
    return unknown


def has_calendar(patients: Frame) -> bool:
    """Whether patients have an index date, so that bare numbers from 1900 to 2100 are years where
    days belong.

    Parameters
    ----------
    patients : DataFrame or Table
        Checked.

    Returns
    -------
    bool
        Whether at least one has an index date.
    """
    return not bool(np.isnat(patients["index_date"].to_numpy().astype("datetime64[D]")).all())


def day_bounds(patients: Frame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """First and last day that a partial date may be (`uncertain_dates`), NaN where the day is
    known.

    Parameters
    ----------
    patients : DataFrame or Table
        With `uncertain_dates`.
    column : str
        Of days, as `onset_days`.

    Returns
    -------
    first, last : arrays (n,)
        Days since the index day.

    Examples
    --------
    >>> patients = pd.DataFrame(
    ...     {"uncertain_dates": ["onset_days -365..-1; death_days 0..30", None]}
    ... )
    >>> first, last = day_bounds(patients, "onset_days")
    >>> first.tolist(), last.tolist()
    ([-365.0, nan], [-1.0, nan])
    """
    first, last = np.full(len(patients), np.nan), np.full(len(patients), np.nan)
    cells = patients["uncertain_dates"].to_numpy(dtype=object)
    for i, cell in enumerate(cells.tolist()):
        if isinstance(cell, str) and (interval := re.search(rf"\b{column} {_INTERVAL}", cell)):
            first[i], last[i] = map(float, interval.groups())
    return first, last


def is_uncertain(patients: Frame, column: str) -> np.ndarray:
    """Of which patients a day is known less well than to the month.

    Parameters
    ----------
    patients : DataFrame or Table
        With `uncertain_dates`.
    column : str
        Of days, as `onset_days`.

    Returns
    -------
    array of bool (n,)
        Whether the interval is longer than a month.

    Examples
    --------
    >>> patients = pd.DataFrame(
    ...     {"uncertain_dates": ["onset_days -365..-1; death_days 0..30", None]}
    ... )
    >>> is_uncertain(patients, "onset_days"), is_uncertain(patients, "death_days")
    (array([ True, False]), array([False, False]))
    """
    first, last = day_bounds(patients, column)
    return np.asarray(last - first >= LONGEST_MONTH)


def _has_dates(definitions: Definitions, table: Frame) -> bool:
    """Whether the table has an index date, or a calendar date where days or dates belong (a column
    named so).
    """
    if "index_date" in table.columns and (codes_of(table["index_date"])[0] >= 0).any():
        return True
    named = [
        name
        for name in table.columns
        if str(name).lower().endswith("date") or _rules(definitions).get(name, _ANY).kind == "days"
    ]
    return any(has_dates(table[name]) for name in named)


def _index_dates(table: Frame, where: str, problems: Problems, rules: ReadingRules) -> np.ndarray:
    if "index_date" not in table.columns:
        return np.full(len(table), np.datetime64("NaT"), dtype="datetime64[D]")
    column, cell = table["index_date"], f"{where}, column index_date"
    if column.dtype == float:
        # Years, or a spreadsheet's serial numbers.
        known = np.isfinite(column.to_numpy())
        problems.reject(
            known,
            cell,
            column,
            "is not a date known to the day",
            "Write 2024-12-31.",
            code="cell_day",
        )
        return np.full(len(table), np.datetime64("NaT"), dtype="datetime64[D]")
    return dates(column, cell, problems, rules.dialect)


def _typed(
    definitions: Definitions,
    column: Cells,
    name: str,
    where: str,
    problems: Problems,
    rules: ReadingRules,
) -> np.ndarray:
    """A column that holds no day and no date."""
    rule, cell = _rules(definitions)[name], f"{where}, column {name}"
    if rule.kind == "number":
        return numbers(column, cell, problems, rule.low, rule.high, rules.dialect)
    if rule.levels:
        return categories(column, rule.levels, cell, problems, rules.words(definitions, name))
    return text(column)


def _uncertain_dates(
    stated: np.ndarray, dated: dict[str, Days], where: str, problems: Problems
) -> np.ndarray:
    """Columns of partial dates with the first and the last day that they may be, beside those that
    the table states.
    """
    wrong = [bool(cell) and not re.fullmatch(_INTERVALS, cell) for cell in stated]
    cell = f"{where}, column uncertain_dates"
    remedy = "Write for example `onset_days -365..-1`, or leave it empty."
    problems.reject(
        np.array(wrong, dtype=bool),
        cell,
        stated,
        "is not an interval of days",
        remedy,
        code="cell_day",
    )
    partial = {name: days for name, days in dated.items() if (days.first < days.last).any()}
    if not partial:
        return stated
    cells = np.array(["" if text is None else text for text in stated], dtype=object)
    for name, days in partial.items():
        for i in np.flatnonzero(days.first < days.last):
            said = f"{name} {days.first[i]:.0f}..{days.last[i]:.0f}"
            cells[i] = f"{cells[i]}; {said}" if cells[i] else said
    return np.array([cell or None for cell in cells], dtype=object)


def _ordered_onset(dated: dict[str, Days]) -> dict[str, Days]:
    """Keep a partial onset before the diagnosis, and a partial diagnosis after the onset, where
    both can be.
    """
    onset, diagnosis = dated.get("onset_days"), dated.get("diagnosis_days")
    if onset is None or diagnosis is None:
        return dated
    both = (diagnosis.value < onset.value) & (diagnosis.last >= onset.first)
    return dated | {
        "onset_days": _narrowed(onset, both, onset.first, np.fmin(onset.last, diagnosis.last)),
        "diagnosis_days": _narrowed(
            diagnosis, both, np.fmax(diagnosis.first, onset.first), diagnosis.last
        ),
    }


def _narrowed(days: Days, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> Days:
    """Days with another interval in some rows, and its middle."""
    return Days(
        value=np.where(rows, middle(first, last), days.value),
        first=np.where(rows, first, days.first),
        last=np.where(rows, last, days.last),
        vague=days.vague,
    )


def _name_wide(dated: dict[str, Days], table: Frame, where: str, problems: Problems) -> None:
    """Count the partial dates that are taken at the middle of more than a month."""
    for name, days in dated.items():
        wide = days.last - days.first >= LONGEST_MONTH
        if not wide.any():
            continue
        remedy = "It stands at the middle, marked in `uncertain_dates`; write the date."
        if name == "onset_days":
            remedy = f"No rate of decline (dFS) rests on it. {remedy}"
        problems.question(
            wide,
            f"{where}, column {name}",
            table[name],
            "is known less well than to a month",
            remedy,
            code="cell_partial_date",
        )


# Fewer years in a column may be days by chance (P).
_FEWEST_YEARS = 3


def _ask_for_years(dated: dict[str, Days], where: str, problems: Problems) -> None:
    """Warn of a column of a cohort without calendar dates that has nothing but numbers like those
    of years so far.
    """
    for name, days in dated.items():
        known = days.value[np.isfinite(days.value)]
        if len(known) >= _FEWEST_YEARS and ((known >= 1950) & (known <= _this_year())).all():
            problems.warn(
                f"{where}, column {name}",
                f"all {len(known)} days lie between 1950 and this year",
                "Write dates where these are years; they are read as days since the index day.",
                len(known),
                code="days_doubtful",
            )


def _this_year() -> int:
    return int(np.datetime64("today", "Y").astype(int)) + 1970


def _plain(column: Cells) -> np.ndarray:
    """A further column: numbers as they are, text as objects."""
    plain = decoded(column)
    cells = plain.to_numpy()
    return cells if pd.api.types.is_numeric_dtype(cells) else plain.to_numpy(dtype=object)


class _Rule(NamedTuple):
    kind: str
    low: float
    high: float
    levels: tuple[str, ...]


_ANY = _Rule(kind="", low=np.nan, high=np.nan, levels=())


@derived
def _rules(definitions: Definitions) -> dict[str, _Rule]:
    """What the contract says of each column."""
    table = patient_columns(definitions)
    rows = zip(table.index, table["type"], table["min"], table["max"], table["levels"], strict=True)
    return {
        name: _Rule(kind=kind, low=low, high=high, levels=levels)
        for name, kind, low, high, levels in rows
    }


def _check_ids(ids: np.ndarray, where: str, problems: Problems) -> None:
    empty = pd.isna(ids)
    problems.reject(
        empty,
        f"{where}, column sample_id",
        None,
        "is empty",
        "Give every row its sample_id.",
        code="cell_empty",
    )
    twice = _occurs_before(ids) & ~empty
    remedy = "Keep one row per sample; put what changes in time into biomarkers or alsfrs."
    problems.reject(
        twice, f"{where}, column sample_id", ids, "occurs more than once", remedy, code="row_twice"
    )


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
        code="row_contradiction",
    )
    apart = np.abs((diagnosis - onset) / DAYS_PER_MONTH - patients["diagnostic_delay_months"]) > 1
    if apart.any():
        stated = Table({"uncertain_dates": patients["uncertain_dates"]})
        apart &= ~is_uncertain(stated, "onset_days") & ~is_uncertain(stated, "diagnosis_days")
    cell = f"{where}, column diagnostic_delay_months"
    remedy = "Correct one of onset_days, diagnosis_days and diagnostic_delay_months."
    problems.reject(
        apart,
        cell,
        patients["diagnostic_delay_months"],
        "is more than 1 month from the days",
        remedy,
        code="row_contradiction",
    )
    for locus in ("c9orf72", "atxn2"):
        short, long = (patients[f"{locus}_allele{i}"] for i in (1, 2))
        cell = f"{where}, column {locus}_allele1"
        problems.reject(
            short > long,
            cell,
            short,
            "is longer than allele 2",
            "Write the shorter allele first.",
            code="row_contradiction",
        )


def _completed(patients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fill what follows from other columns: the diagnosis (empty = als) and the diagnostic
    delay.
    """
    delay = (patients["diagnosis_days"] - patients["onset_days"]) / DAYS_PER_MONTH
    stated, named = patients["diagnostic_delay_months"], patients["diagnosis"]
    filled = {"diagnostic_delay_months": np.where(np.isnan(stated), delay, stated)}
    return {
        **patients,
        **filled,
        "diagnosis": np.where(pd.isna(named), "als", named).astype(object),
    }
