"""Columns of numbers, within their bounds and with one meaning."""

import numpy as np

from features.tables.cells import PLAIN, Dialect, read_values
from features.tables.coded import codes_of, of_rows
from features.tables.columns import Cells
from features.tables.problems import Problems


def numbers(
    column: Cells,
    where: str,
    problems: Problems,
    low: float = np.nan,
    high: float = np.nan,
    dialect: Dialect = PLAIN,
) -> np.ndarray:
    """Turn a column into float64, NaN where unknown.

    Other text and values outside the bounds are errors.

    Parameters
    ----------
    column : Cells
        Numbers or text, k rows.
    where : str
        File and column, for messages.
    problems : Problems
        Gets what is wrong.
    low, high : float
        Bounds, in the column's own unit; they are allowed themselves; NaN: none.
    dialect : Dialect
        What the user says of decimal signs.

    Returns
    -------
    array (k,)
        In the column's own unit.
    """
    if column.dtype == float:
        codes, values = None, column.to_numpy()
        not_number = np.isinf(values)
    else:
        codes, levels = codes_of(column)
        if not len(levels):
            return np.full(len(column), np.nan)
        read = read_values(levels, dialect)
        limits = (read.sign != "") | (read.limit_word != "")
        report_unclear(column, codes, read.unclear, where, problems)
        values = np.where(limits, np.nan, read.value)
        not_number = read.wrong | limits
    outside = ((values < low) | (values > high)) & ~not_number
    if np.count_nonzero(not_number | outside):
        flags = of_rows(not_number, codes), of_rows(outside, codes)
        _reject_numbers(*flags, where, column, (low, high), dialect, problems)
        values = np.where(not_number | outside, np.nan, values)
    return values if codes is None else np.append(values, np.nan)[codes]


def _reject_numbers(
    not_number: np.ndarray,
    outside: np.ndarray,
    where: str,
    column: Cells,
    limits: tuple[float, float],
    dialect: Dialect,
    problems: Problems,
) -> None:
    sign = "comma" if dialect.decimal == "," else "point"
    remedy = f"Write a plain number with a decimal {sign}, or leave it empty."
    problems.reject(not_number, where, column, "is not a number", remedy, code="cell_number")
    low, high = limits
    bounds = (
        f"must lie between {low:g} and {high:g}"
        if np.isfinite(low + high)
        else f"must be <= {high:g}"
    )
    remedy = "Correct the value or leave it empty."
    problems.reject(outside, where, column, bounds, remedy, code="cell_range")


def report_unclear(
    column: Cells, codes: np.ndarray, unclear: np.ndarray, where: str, problems: Problems
) -> None:
    """Refuse cells whose comma or point may be a decimal or a thousands separator.

    Parameters
    ----------
    column : Cells
        For the message.
    codes : array of int
        Cell of each row.
    unclear : array of bool
        Which of the distinct cells are unclear.
    where : str
        File and column, for the message.
    problems : Problems
        Gets the error.
    """
    remedy = "Say `decimal: ','` or `decimal: '.'` in the cohort file."
    problems.reject(
        of_rows(unclear, codes),
        where,
        column,
        "may have a decimal or a thousands separator",
        remedy,
        code="cell_ambiguous",
    )
