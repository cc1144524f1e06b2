"""What an import leaves out is counted and named."""

import pandas as pd

from features.tables.problems import Problems


def left_out(n: int, where: str, what: str, problems: Problems) -> None:
    """Warn of what was left out, if anything was.

    Parameters
    ----------
    n : int
        How many.
    where : str
        Table, for the message.
    what : str
        The rest of the sentence.
    problems : Problems
        Gets the warning.
    """
    if n:
        problems.warn(where, f"{n} {what}", "They are left out.", n, code="left_out")


def identifier(value: object) -> str | None:
    """An id as text; one of a typed column loses its `.0`.

    Parameters
    ----------
    value : object
        A cell.

    Examples
    --------
    >>> identifier("7.0"), identifier("P7"), identifier(None)
    ('7', 'P7', None)
    """
    text = None if value is None or value != value else str(value)
    return text.removesuffix(".0") if text else None


def number(column: pd.Series) -> pd.Series:
    """Cells as float64, NaN where they are no finite numbers.

    Parameters
    ----------
    column : Series
        Text or numbers.
    """
    found = pd.to_numeric(column, errors="coerce").astype(float)
    return found.mask(found.abs() == float("inf"))


def optional(table: pd.DataFrame, name: str) -> pd.Series:
    """A column, unknown in every row where a table lacks it.

    Parameters
    ----------
    table : DataFrame
        Any.
    name : str
        Of the column.
    """
    if name in table.columns:
        return table[name]
    return pd.Series([None] * len(table), index=table.index, dtype=object)
