"""Cells that a spreadsheet would run: written with an apostrophe before them, read without it.

A text that begins with `=`, `+`, `-`, `@`, a tab or a line end is a formula to a spreadsheet,
unless it is a plain number (OWASP, CSV injection).
"""

import re

import pandas as pd

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def inert_cell(cell: object) -> object:
    """A cell as it is written.

    Parameters
    ----------
    cell : object
        Anything but text stays what it is.

    Returns
    -------
    object
        Text with an apostrophe before it where a spreadsheet would run it.

    Examples
    --------
    >>> [inert_cell(cell) for cell in ("=1+1", "-2+3", "-2.5", "+49 30", "@x", "a=b", -1.0)]
    ["'=1+1", "'-2+3", '-2.5', "'+49 30", "'@x", 'a=b', -1.0]
    """
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def unescaped(cell: str) -> str:
    """A cell as it was before `inert_cell` wrote it.

    Parameters
    ----------
    cell : str
        As it is read.

    Returns
    -------
    str
        Without the apostrophe that kept a spreadsheet from running it.

    Examples
    --------
    >>> [unescaped(cell) for cell in ("'=1+1", "'-2+3", "-2.5", "'a", "'", "''=1")]
    ['=1+1', '-2+3', '-2.5', "'a", "'", "''=1"]
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell


def inert(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts, and names of columns, no spreadsheet runs.

    Parameters
    ----------
    table : DataFrame
        To be written as CSV.

    Returns
    -------
    DataFrame
        The same, its columns of text changed where they must be.
    """
    columns = {inert_cell(name): _inert_column(column) for name, column in table.items()}
    return pd.DataFrame(columns, index=table.index)


def _inert_column(column: pd.Series) -> pd.Series:
    if column.dtype.kind in "biufcM":
        return column
    if column.dtype == object:  # lists among them have no distinct values
        return column.map(inert_cell)
    distinct = column.dropna().unique()
    changed = {cell: inert_cell(cell) for cell in distinct if inert_cell(cell) is not cell}
    return column.astype(object).replace(changed) if changed else column
