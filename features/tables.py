"""Read CSV, TSV, Parquet and Excel tables as text and turn their columns into numbers, categories and dates.

An empty cell, NA, N/A, NaN or null means unknown; `none` is a category. Any other text where a number belongs is an
error with its line.
"""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from features.errors import DataError, nearest
from features.problems import Problems

MISSING = frozenset(["", "na", "n/a", "nan", "null", "<na>"])


def read_table(path: Path) -> pd.DataFrame:
    """Read a table whatever its format; cells are text without outer blanks, unknown ones None.

    Raises
    ------
    DataError
        If the file is absent, empty or not what its name says.
    """
    if not path.is_file():
        raise DataError(
            str(path), "there is no such file", "Correct the path in the cohort file or on the command line."
        )
    try:
        table = _read(path)
    except (ValueError, OSError, pa.ArrowException, UnicodeDecodeError, zipfile.BadZipFile, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            str(path), f"this is no readable table ({reason})", "Save it as CSV, TSV, Parquet or xlsx."
        ) from None
    table.columns = pd.Index([str(name).strip().lstrip("\ufeff") for name in table.columns])
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(str(path), f"column {twice!r} occurs twice", "Rename or remove one of them.")
    return table


def _read(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _as_text(pd.read_parquet(path))
    if suffix in (".xlsx", ".xlsm"):
        return _as_text(pd.read_excel(path, dtype=str, keep_default_na=False))
    separator = "\t" if suffix in (".tsv", ".txt") or path.name.endswith(".tsv.gz") else ","
    return _as_text(pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"))


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: _text(column) for name, column in table.items()}, index=range(len(table)))


def _text(column: pd.Series) -> pd.Series:
    """Numbers of a typed file stay numbers; text is stripped and its missing forms become None."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(column.to_numpy(dtype=float, na_value=np.nan))
    codes, levels = pd.factorize(column.astype(object), use_na_sentinel=True)
    clean = [None if str(level).strip().lower() in MISSING else str(level).strip() for level in levels]
    return pd.Series(np.array([*clean, None], dtype=object)[codes], dtype=object)


def rename_columns(table: pd.DataFrame, names: dict[str, str], where: str) -> pd.DataFrame:
    """Apply the cohort file's `columns` block {ours: theirs}.

    Raises
    ------
    DataError
        If a column named there is absent.
    """
    for ours, theirs in names.items():
        if theirs not in table.columns:
            raise DataError(
                f"{where}, columns.{ours}", f"there is no column {theirs!r}", nearest(theirs, table.columns)
            )
    return table.rename(columns={theirs: ours for ours, theirs in names.items()})


def require_columns(table: pd.DataFrame, names: list[str], where: str) -> None:
    """Refuse a table that lacks a column.

    Raises
    ------
    DataError
        With the nearest column that is there.
    """
    for name in names:
        if name not in table.columns:
            remedy = f"{nearest(name, table.columns)} Or map it with a `columns:` block in the cohort file."
            raise DataError(where, f"the column {name!r} is missing", remedy)


def numbers(column: pd.Series, where: str, problems: Problems, low: float = np.nan, high: float = np.nan) -> np.ndarray:
    """Turn a text column into float64, NaN where unknown; other text and values outside the bounds are errors."""
    if column.dtype == float:
        values = column.to_numpy()
        known = ~np.isnan(values)
    else:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
        known = column.notna().to_numpy()
    text = column.to_numpy()
    not_number = known & ~np.isfinite(values)
    problems.reject(
        not_number, where, text, "is no number", "Write a plain number with a decimal point, or leave it empty."
    )
    outside = (values < low) | (values > high)
    bounds = f"must lie between {low:g} and {high:g}" if np.isfinite(low + high) else f"must be <= {high:g}"
    problems.reject(outside, where, text, bounds, "Correct the value or leave it empty.")
    return np.where(not_number | outside, np.nan, values)


def days(column: pd.Series, where: str, problems: Problems, high: float = np.nan) -> np.ndarray:
    """Turn a column of integer days (relative to the index day) into float64, NaN where unknown."""
    values = numbers(column, where, problems, high=high)
    broken = np.isfinite(values) & (values != np.round(values))
    problems.reject(
        broken, where, column.to_numpy(), "is no whole day", "Write days since the index day as an integer."
    )
    return np.where(broken, np.nan, values)


def categories(column: pd.Series, levels: tuple[str, ...], where: str, problems: Problems) -> np.ndarray:
    """Check a column of categories; case and blanks around do not matter, an unknown word is an error."""
    codes, found = pd.factorize(column.astype(object), use_na_sentinel=True)
    lower = [str(word).lower() for word in found]
    unknown = np.array([word not in levels for word in lower] + [False])
    if levels and unknown.any():
        first = str(found[np.flatnonzero(unknown)[0]])
        problems.reject(unknown[codes], where, column.to_numpy(), "is no known value", nearest(first, levels))
    clean = [word if not levels or word in levels else None for word in (lower if levels else map(str, found))]
    return np.array([*clean, None], dtype=object)[codes]


def text(column: pd.Series) -> np.ndarray:
    """Identifiers as text, None where unknown; whole numbers of a typed file lose their `.0`."""
    if column.dtype == float:
        return np.array(
            [None if np.isnan(v) else f"{v:.0f}" if v == round(v) else repr(v) for v in column], dtype=object
        )
    return column.to_numpy(dtype=object)
