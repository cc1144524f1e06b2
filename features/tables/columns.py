"""What a feature needs of a table, and a table of arrays that offers just that.

Files become DataFrames. A served request becomes a `Table`, so that files and requests take the
same path: pandas needs 10 to 500 us for each operation whatever the number of rows, which would be
three quarters of the time of one patient's request.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, KeysView, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import TypeVar

    FrameT = TypeVar("FrameT", bound="Frame", default=pd.DataFrame)
    # The tables of a cohort, which are read and never written to.
    FrameT_co = TypeVar("FrameT_co", bound="Frame", default=pd.DataFrame, covariant=True)
else:
    # Python's own has no default before 3.13.
    from typing import TypeVar

    FrameT = TypeVar("FrameT")
    FrameT_co = TypeVar("FrameT_co", covariant=True)


# From here on pandas is faster than a dict.
FEW_CELLS = 2000


class Cells(Protocol):
    """A column of a table: a Series or a `Column`."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    @property
    def dtype(self) -> object:
        """Type of the cells; float64 for numbers."""
        ...

    def to_numpy(self, dtype: type | None = None) -> np.ndarray:
        """The cells as an array, converted where a type is given.

        Parameters
        ----------
        dtype : type, optional
            `float`, `object`, ...

        Returns
        -------
        array
            A copy where it had to be converted.
        """
        ...


class Frame(Protocol):
    """A table with named columns of one length: a DataFrame or a `Table`."""

    def __len__(self) -> int: ...

    @property
    def columns(self) -> Collection[str]:
        """Names, in order."""
        ...

    def __getitem__(self, name: str, /) -> Cells: ...

    def items(self) -> Iterable[tuple[Hashable, Cells]]:
        """Names and columns."""
        ...

    def assign(self, **columns: np.ndarray) -> Self:
        """The table with further or other columns.

        Parameters
        ----------
        **columns : array
            One cell a row.

        Returns
        -------
        DataFrame or Table
            As given.
        """
        ...


class Column:
    """Values of one column, or codes (-1 unknown) of its levels."""

    __slots__ = ("cells", "levels")

    def __init__(self, values: np.ndarray, levels: "np.ndarray | None" = None):
        self.cells, self.levels = values, levels

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_numpy())

    @property
    def dtype(self) -> np.dtype:
        """Type of the cells."""
        return self.cells.dtype if self.levels is None else np.dtype(object)

    def to_numpy(self, dtype: type | None = None) -> np.ndarray:
        """The cells; the column's own array where it has their type.

        Parameters
        ----------
        dtype : type, optional
            `float`, `object`, ...

        Returns
        -------
        array
            Text with None where unknown for a coded column.
        """
        cells = (
            self.cells
            if self.levels is None
            else np.array([*self.levels, None], dtype=object)[self.cells]
        )
        return cells if dtype is None else cells.astype(dtype, copy=False)

    def take(self, rows: "np.ndarray | list[int]") -> "Column":
        """Some rows, by position or by a mask.

        Parameters
        ----------
        rows : array or list of int
            Positions, or a mask.

        Returns
        -------
        Column
            With the same levels.
        """
        return Column(self.cells[rows], self.levels)


class Table:
    """Columns of one length by name."""

    __slots__ = ("_columns", "_length")

    def __init__(self, columns: "Mapping[str, Column | np.ndarray]"):
        self._columns = {
            name: c if isinstance(c, Column) else Column(c) for name, c in columns.items()
        }
        self._length = len(next(iter(self._columns.values()))) if columns else 0

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> KeysView[str]:
        """Names, in order."""
        return self._columns.keys()

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def items(self) -> Iterable[tuple[str, Column]]:
        """Names and columns."""
        return self._columns.items()

    def take(self, rows: "np.ndarray | list[int]") -> "Table":
        """Some rows, by position or by a mask.

        Parameters
        ----------
        rows : array or list of int
            Positions, or a mask.

        Returns
        -------
        Table
            With the same columns.
        """
        return Table({name: column.take(rows) for name, column in self._columns.items()})

    def assign(self, **columns: "np.ndarray | Column") -> "Table":
        """The table with further or other columns.

        Parameters
        ----------
        **columns : array or Column
            One cell a row.

        Returns
        -------
        Table
            This one stays as it is.
        """
        return Table({**self._columns, **columns})


def rows_of(table: FrameT, rows: "np.ndarray | list[int]") -> FrameT:
    """Some rows of a DataFrame or a Table, by position or by a mask, numbered anew.

    The table itself where a mask takes all.

    Parameters
    ----------
    table : DataFrame or Table
        Any.
    rows : array or list of int
        Positions, or a mask.

    Returns
    -------
    DataFrame or Table
        As given.
    """
    if isinstance(rows, np.ndarray) and rows.dtype == bool and np.count_nonzero(rows) == len(rows):
        return table
    if isinstance(table, Table):
        return cast("FrameT", table.take(rows))
    frame = cast("pd.DataFrame", table)
    return cast("FrameT", frame.iloc[rows].reset_index(drop=True))


def factorized(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes (-1 for None and NaN) and distinct cells of an array of text or numbers, in the order
    of their first occurrence.

    Parameters
    ----------
    cells : array of object, int or float (k,)
        Text, numbers, None or NaN.

    Returns
    -------
    codes : array of int (k,)
        Position among the distinct cells.
    levels : array of object
        The distinct cells.

    Examples
    --------
    >>> factorized(np.array(["b", None, "a", "b"], dtype=object))
    (array([ 0, -1,  1,  0]), array(['b', 'a'], dtype=object))
    """
    if len(cells) > FEW_CELLS:
        from pandas import factorize  # a request has no such column, and needs no pandas

        found, distinct = factorize(cells, use_na_sentinel=True)
        return found, np.asarray(distinct, dtype=object)
    number: dict[object, int] = {}
    codes = [
        -1 if cell is None or cell != cell else number.setdefault(cell, len(number))
        for cell in cells.tolist()
    ]
    return np.array(codes, dtype=int), np.array([*number, None], dtype=object)[:-1]
