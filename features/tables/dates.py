"""Columns of calendar dates: whole ones, and those known to the month or the year."""

import re

import numpy as np

from features.tables.cells import PLAIN, YEARS, Dialect, read_dates, read_months
from features.tables.coded import codes_of
from features.tables.columns import Cells
from features.tables.problems import Problems

_MAY_BE_DATE = re.compile(r"\d{4}.*[-/. ]|[-/. ].*\d{4}")
_SAY_ORDER = (
    "Say `dates: day_first` or `dates: month_first` in the cohort file, or write 2024-12-31."
)


def dates(column: Cells, where: str, problems: Problems, dialect: Dialect = PLAIN) -> np.ndarray:
    """Turn a column of calendar dates into datetime64[D], NaT where unknown.

    Parameters
    ----------
    column : Cells
        Text, k rows.
    where : str
        File and column, for messages.
    problems : Problems
        Gets what is wrong.
    dialect : Dialect
        What the user says of the order of day and month.

    Returns
    -------
    array of datetime64[D] (k,)
        NaT unknown or refused.
    """
    codes, levels = codes_of(column)
    read = read_dates(levels, dialect)
    _reject_unclear(np.append(read.unclear, False)[codes], column, where, problems, dialect)
    problems.reject(
        np.append(read.wrong, False)[codes],
        where,
        column,
        "is not a date known to the day",
        "Write 2024-12-31, or leave it empty: days are counted from it.",
        code="cell_day",
    )
    today = np.datetime64("today", "D")
    date = np.append(read.date, np.datetime64("NaT"))[codes]
    odd = (date > today) | (date < np.datetime64("1900-01-01"))
    problems.reject(
        odd,
        where,
        column,
        "lies in the future or before 1900",
        "Correct the date.",
        code="cell_range",
    )
    date[odd] = np.datetime64("NaT")
    return date


def _reject_unclear(
    unclear: np.ndarray, column: Cells, where: str, problems: Problems, dialect: Dialect
) -> None:
    remedy = "Write 2024-12-31." if dialect.apart else _SAY_ORDER
    problems.reject(
        unclear, where, column, "may be day or month first", remedy, code="cell_ambiguous"
    )


def has_dates(column: Cells) -> bool:
    """Whether some cell is a calendar date, or a month and its year.

    Parameters
    ----------
    column : Cells
        Any.

    Returns
    -------
    bool
        True too for a date that may be read in two ways.
    """
    if column.dtype == float:
        return False
    candidates = [str(level) for level in codes_of(column)[1]]
    candidates = [level for level in candidates if _MAY_BE_DATE.search(level)]
    if not candidates:
        return False
    cells = np.array(candidates, dtype=object)
    read = read_dates(cells, Dialect())
    return bool((~np.isnat(read.date) | read.unclear | ~np.isnat(read_months(cells)[0])).any())


def calendar(
    column: Cells, where: str, problems: Problems, dialect: Dialect
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last day of each cell that is a date or a month, and which cells may be two dates.

    Parameters
    ----------
    column : Cells
        Any, k rows.
    where : str
        File and column, for messages.
    problems : Problems
        Gets the cells that may be two dates.
    dialect : Dialect
        What the user says of the order of day and month.

    Returns
    -------
    first, last : arrays of datetime64[D] (k,)
        NaT for any other cell.
    unclear : array of bool (k,)
        Which cells may be two dates.
    """
    none = np.full(len(column), np.datetime64("NaT"), dtype="datetime64[D]")
    none_unclear = np.zeros(len(column), dtype=bool)
    if column.dtype == float:
        return none, none, none_unclear
    codes, levels = codes_of(column)
    at = np.flatnonzero([_MAY_BE_DATE.search(str(level)) is not None for level in levels])
    if not len(at):
        return none, none, none_unclear
    first, last = (np.full(len(levels) + 1, np.datetime64("NaT"), "datetime64[D]") for _ in "fl")
    first[at], last[at] = read_months(levels[at])
    read = read_dates(levels[at], dialect)
    whole = ~np.isnat(read.date)
    first[at[whole]] = last[at[whole]] = read.date[whole]
    unclear = np.zeros(len(levels) + 1, dtype=bool)
    unclear[at] = read.unclear
    _reject_unclear(unclear[codes], column, where, problems, dialect)
    return first[codes], last[codes], unclear[codes]


def with_years(
    values: np.ndarray, year: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add the first and last day of the cells that are years.

    Parameters
    ----------
    values : array (k,)
        Numbers of the cells.
    year : array of bool (k,)
        Which of them are years.
    first, last : arrays of datetime64[D] (k,)
        Of `calendar`.

    Returns
    -------
    first, last : arrays of datetime64[D] (k,)
        1 January and 31 December where the cell is a year.
    """
    number = np.where(year, values, YEARS[0]).astype(int) - 1970
    begin, after = (
        (number + more).astype("datetime64[Y]").astype("datetime64[D]") for more in (0, 1)
    )
    return np.where(year, begin, first), np.where(year, after - np.timedelta64(1, "D"), last)
