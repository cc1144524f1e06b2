"""Text columns as codes of their distinct cells, and tables of such columns: a DataFrame where a
file was read, a `Table` of arrays where a request was.
"""

from collections.abc import Mapping
from typing import cast, overload

import numpy as np
import pandas as pd

from features.stored import Record
from features.tables.columns import Cells, Column, Frame, FrameT, Table, factorized


def codes_of(column: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Codes (-1 unknown) and distinct cells of any column.

    Parameters
    ----------
    column : Cells
        Text or codes.

    Returns
    -------
    codes : array of int
        One a row.
    levels : array of object
        Text.
    """
    if isinstance(column, Column):
        return factorized(column.cells) if column.levels is None else (column.cells, column.levels)
    if isinstance(column, pd.Series) and isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories.to_numpy(dtype=object)
    codes, levels = pd.factorize(column.to_numpy(dtype=object), use_na_sentinel=True)
    return codes, np.asarray(levels, dtype=object)


def of_rows(flags: np.ndarray, codes: "np.ndarray | None") -> np.ndarray:
    """Flags of the distinct cells of a column as flags of its rows.

    Parameters
    ----------
    flags : array of bool (distinct cells,)
        Or of the rows, where there are no codes.
    codes : array of int (rows,), optional
        Cell of each row, -1 unknown.

    Returns
    -------
    array of bool
        One a row, False where unknown.

    Examples
    --------
    >>> of_rows(np.array([False, True]), np.array([1, -1, 0])).tolist()
    [True, False, False]
    """
    if codes is None:
        return flags
    if not flags.any():  # as a rule, and a million rows need not be looked up for it
        return np.zeros(len(codes), dtype=bool)
    return np.asarray(np.append(flags, False)[codes])


def no_cells(n: int) -> Column:
    """A column of text in which nothing is known, as of a table that lacks it.

    Parameters
    ----------
    n : int
        Its rows.

    Returns
    -------
    Column
        Without levels.
    """
    return Column(np.full(n, -1, dtype=np.int8), np.empty(0, dtype=object))


@overload
def decoded(column: pd.Series) -> pd.Series: ...


@overload
def decoded(column: Cells) -> Cells: ...


def decoded(column: Cells) -> Cells:
    """A text column as plain objects, None where unknown; numbers stay as they are.

    Parameters
    ----------
    column : Cells
        Numbers, text or codes.

    Returns
    -------
    Cells
        A Series for a Series, else a Column.
    """
    if isinstance(column, Column):
        return Column(column.to_numpy())
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    codes, levels = codes_of(column)
    return pd.Series(np.array([*levels, None], dtype=object)[codes], dtype=object)


def text(column: Cells) -> np.ndarray:
    """Identifiers as text, None where unknown; whole numbers of a typed file lose their `.0`.

    Parameters
    ----------
    column : Cells
        Any.

    Returns
    -------
    array of object
        One a row.
    """
    if column.dtype == float:
        return np.array(
            [None if np.isnan(v) else f"{v:.0f}" if v == round(v) else repr(v) for v in column],
            dtype=object,
        )
    return decoded(column).to_numpy(dtype=object)


@overload
def table_of(columns: "Mapping[str, np.ndarray | Column]") -> pd.DataFrame: ...


@overload
def table_of(columns: "Mapping[str, np.ndarray | Column]", like: FrameT) -> FrameT: ...


def table_of(columns: "Mapping[str, np.ndarray | Column]", like: Frame | None = None) -> Frame:
    """Arrays as a DataFrame, or as a Table where `like` is one; coded columns become Categorical.

    Arrays of objects stay objects, which pandas would otherwise look through for text.

    Parameters
    ----------
    columns : dict of arrays or Columns
        All of one length.
    like : DataFrame or Table, optional
        What kind of table to make; a DataFrame without it.

    Returns
    -------
    DataFrame or Table
        The arrays themselves, not copies.
    """
    return (
        Table(columns)
        if isinstance(like, Table)
        else pd.DataFrame({n: _series(c) for n, c in columns.items()}, copy=False)
    )


def _series(column: "np.ndarray | Column") -> "pd.Series | pd.Categorical[object] | np.ndarray":
    if isinstance(column, Column) and column.levels is None:
        column = column.cells
    if isinstance(column, Column):
        levels: pd.Index = pd.Index(column.levels, dtype=object)
        return pd.Categorical.from_codes(column.cells, levels)
    return pd.Series(column, dtype=object) if column.dtype == object else column


def as_frame(table: Frame) -> pd.DataFrame:
    """A table as a DataFrame.

    Parameters
    ----------
    table : DataFrame or Table
        Any.

    Returns
    -------
    DataFrame
        The table itself where it is one.
    """
    if isinstance(table, Table):
        return table_of(dict(table.items()))
    return cast("pd.DataFrame", table)


def records_of(table: pd.DataFrame) -> list[Record]:
    """The rows of a table, each as column -> cell.

    Parameters
    ----------
    table : DataFrame
        Any.

    Returns
    -------
    list of dict
        In the order of the table.
    """
    return cast("list[Record]", table.to_dict("records"))
