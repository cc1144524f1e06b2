"""Columns of days since the index day, written as numbers, dates, months or years."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.tables.cells import PLAIN, YEARS, Dialect
from features.tables.coded import decoded
from features.tables.columns import Cells
from features.tables.dates import calendar, with_years
from features.tables.numbers import numbers
from features.tables.problems import Problems

# More days than a life has: a calendar date or a spreadsheet's serial number stands where days
# belong, or a date that stands for no day, such as 9999-12-31 or 1900-01-01 (P).
MOST_DAYS = 40_000
_SAY_PARTIAL = (
    "Write the whole date, as 2024-12-31, or say `partial_dates: middle` in the cohort file."
)
# What a served record can do.
_SEND_DAYS = "Send days since the index day, and what they may be as `uncertain_dates`."


@dataclass(frozen=True)
class Days:
    """Days since the index day, NaN unknown: `value`, and the `first` and `last` day that it may
    be.

    `vague` marks what is known to the year only. A date without its day stands at the middle of
    what it may be.
    """

    value: np.ndarray
    first: np.ndarray
    last: np.ndarray
    vague: np.ndarray


def days(
    column: Cells,
    where: str,
    problems: Problems,
    high: float = np.nan,
    dialect: Dialect = PLAIN,
    index_dates: "np.ndarray | None" = None,
) -> np.ndarray:
    """Turn a column of days of visits or measurements into float64 as `dated_days`.

    One known to the year is undated.

    Parameters
    ----------
    column : Cells
        Days, dates, months or years, k rows.
    where : str
        File and column, for messages.
    problems : Problems
        Gets what is wrong.
    high : float
        Last day that is allowed.
    dialect : Dialect
        How numbers and dates are written.
    index_dates : array of datetime64[D] (k,), optional
        Index date of each row's patient, NaT unknown.

    Returns
    -------
    array (k,)
        Days since the index day, NaN undated.
    """
    dated = dated_days(column, where, problems, high, dialect, index_dates)
    if not dated.vague.any():
        return dated.value
    remedy = "It counts as undated; write the date, or at least its month."
    problems.question(
        dated.vague, where, column, "is known to the year only", remedy, code="cell_partial_date"
    )
    return np.where(dated.vague, np.nan, dated.value)


def dated_days(
    column: Cells,
    where: str,
    problems: Problems,
    high: float = np.nan,
    dialect: Dialect = PLAIN,
    index_dates: "np.ndarray | None" = None,
    farthest: float = MOST_DAYS,
) -> Days:
    """Turn a column of whole days since the index day into float64, NaN where unknown.

    Calendar dates count from the patient's own index date. A bare number from 1900 to 2100 in a
    column that has, or whose cohort has, calendar dates is a year. A date without its day (`2020`,
    `06/2020`, `Mar 2019`) is refused, or taken at the middle of what it may be, which ends at
    `high`.

    Parameters
    ----------
    column : Cells
        Days, dates, months or years, k rows.
    where : str
        File and column, for messages.
    problems : Problems
        Gets what is wrong.
    dialect : Dialect
        How numbers and dates are written.
    high : float
        Last day that is allowed.
    index_dates : array of datetime64[D], optional
        Index date of each row's patient, NaT where unknown.
    farthest : float
        Days from the index date beyond which a date stands for none.

    Returns
    -------
    Days
        Arrays (k,).
    """
    first, last, unclear = calendar(column, where, problems, dialect)
    is_date = ~np.isnat(first)
    values = _whole_days(_without(column, is_date | unclear), where, problems, dialect)
    year = _years(values, is_date, dialect, index_dates)
    if not np.count_nonzero(is_date | year):
        return _by_number(values, high, column, where, problems)
    if np.count_nonzero(year):
        first, last = with_years(values, year, first, last)
    if dialect.partial_dates == "refuse":
        remedy = _SEND_DAYS if dialect.apart else _SAY_PARTIAL
        first, last = _whole_dates(first, last, year, column, where, problems, remedy)
    lag = _since_index(first, last, column, index_dates, where, problems)
    begin, end = (np.where(is_date | year, bound, values) for bound in lag)
    far = is_date & (np.abs(begin) > farthest)
    begin, end = _within(begin, end, far, high, column, where, problems)
    return Days(
        value=middle(begin, end),
        first=begin,
        last=end,
        vague=year & np.isfinite(begin),
    )


def _without(column: Cells, read: np.ndarray) -> Cells:
    """A column without the cells that were read as dates; itself where there are none."""
    if not np.count_nonzero(read):
        return column
    return pd.Series(decoded(column).to_numpy(dtype=object), dtype=object).mask(read, None)


def _years(
    values: np.ndarray, is_date: np.ndarray, dialect: Dialect, index_dates: "np.ndarray | None"
) -> np.ndarray:
    """Which bare numbers are years: those that look so, in a cohort with calendar dates."""
    year = (values >= YEARS[0]) & (values <= YEARS[1])
    return year & _in_calendar(is_date, dialect, index_dates) if np.count_nonzero(year) else year


def _by_number(
    values: np.ndarray, high: float, column: Cells, where: str, problems: Problems
) -> Days:
    """Days of a column without a date."""
    late = values > high
    _reject_late(late, where, column, high, problems)
    value = np.where(late, np.nan, values)
    return Days(value=value, first=value, last=value, vague=np.zeros(len(value), dtype=bool))


def _within(
    begin: np.ndarray,
    end: np.ndarray,
    far: np.ndarray,
    high: float,
    column: Cells,
    where: str,
    problems: Problems,
) -> tuple[np.ndarray, np.ndarray]:
    """First and last days without those too far from the index date or after `high`, at which the
    others end.
    """
    problems.reject(
        far,
        where,
        column,
        f"lies more than {MOST_DAYS // 365} years from the index date",
        "Correct the date; leave the cell empty where it stands for an unknown day.",
        code="cell_day",
    )
    late = np.where(far, np.nan, begin) > high
    _reject_late(late, where, column, high, problems)
    none = far | late
    return np.where(none, np.nan, begin), np.where(none, np.nan, np.fmin(end, high))


def _in_calendar(
    is_date: np.ndarray, dialect: Dialect, index_dates: "np.ndarray | None"
) -> np.ndarray:
    """Rows of a cohort with calendar dates: all or none, or those of patients with their own."""
    none = np.zeros(len(is_date), dtype=bool)
    dated = none if index_dates is None else ~np.isnat(index_dates.astype("datetime64[D]"))
    if dialect.apart:
        return dated
    return none | (dialect.calendar or bool(is_date.any() or dated.any()))


def middle(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The whole day in the middle of an interval, the earlier of two.

    Parameters
    ----------
    first, last : array
        Days, NaN unknown.

    Returns
    -------
    array
        Whole days.
    """
    return np.asarray(np.floor((first + last) / 2))


def _reject_late(
    late: np.ndarray, where: str, column: Cells, high: float, problems: Problems
) -> None:
    if not np.count_nonzero(late):  # the words take time
        return
    problems.reject(
        late,
        where,
        column,
        f"must be <= {high:g}",
        "Correct the day, or the index day.",
        code="cell_range",
    )


def _whole_days(plain: Cells, where: str, problems: Problems, dialect: Dialect) -> np.ndarray:
    """Cells that are not dates as whole numbers."""
    values = numbers(plain, where, problems, dialect=dialect)
    broken = np.isfinite(values) & (values != np.rint(values))
    far = np.abs(values) > MOST_DAYS
    if not np.count_nonzero(broken | far):
        return values
    problems.reject(
        broken,
        where,
        plain,
        "is not a whole day",
        "Write days since the index day as an integer.",
        code="cell_day",
    )
    problems.reject(
        far,
        where,
        plain,
        "is not a number of days",
        "Write days since the index day, or a date as 2024-12-31.",
        code="cell_day",
    )
    return np.where(broken | far, np.nan, values)


def _whole_dates(
    first: np.ndarray,
    last: np.ndarray,
    year: np.ndarray,
    column: Cells,
    where: str,
    problems: Problems,
    remedy: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Refuse years and months where days belong."""
    partial = ~np.isnat(first) & (first != last)
    problems.reject(
        year,
        where,
        column,
        "is a year, not a day: the cohort has dates",
        remedy,
        code="cell_partial_date",
    )
    problems.reject(
        partial & ~year, where, column, "is a month, not a day", remedy, code="cell_partial_date"
    )
    unknown = np.datetime64("NaT")
    return np.where(partial, unknown, first), np.where(partial, unknown, last)


def _since_index(
    first: np.ndarray,
    last: np.ndarray,
    column: Cells,
    index_dates: "np.ndarray | None",
    where: str,
    problems: Problems,
) -> tuple[np.ndarray, np.ndarray]:
    """Days from the index date to the first and the last day of each date, NaN where there is
    none.
    """
    unknown = np.full(len(first), np.datetime64("NaT"), dtype="datetime64[D]")
    start = unknown if index_dates is None else index_dates.astype("datetime64[D]")
    problems.reject(
        ~np.isnat(first) & np.isnat(start),
        where,
        column,
        "is a date of a patient without index_date",
        "Give the patients table an index_date, or write days since the index day.",
        code="cell_day",
    )
    lags = (first - start, last - start)
    begin, end = (np.where(np.isnat(lag), np.nan, lag.astype(float)) for lag in lags)
    return begin, end
