"""Read CSV, TSV, Parquet and Excel tables as text.

An empty cell, NA, N/A, NaN or null means unknown; `none` is a category. Text stands as codes of
distinct cells (pandas Categorical), so that a column of a million rows is checked and converted
through its few distinct cells.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from features.errors import DataError
from features.tables.coded import decoded
from features.tables.columns import factorized
from features.tables.delimited import Options, check_quotes, delimited, has_lines, readable
from features.tables.formulas import unescaped
from features.tables.layout import (
    WHOLE_FILE,
    Layout,
    engine_of,
    is_workbook,
    joined_names,
    sheet_number,
)
from features.tables.unpacked import check_unpacked

MISSING = frozenset(["", "na", "n/a", "n.a.", "#n/a", "nan", "null", "<na>", "nat"])
# Where a table whose empty rows were left out keeps the places of the others, from 0.
PLACES = "places of its rows"
_CLEAN, _MISSING_FORMS = r"^([!-&(-~]([ -~]*[!-~])?)?$", pa.array(sorted(MISSING))


def read_table(path: Path, layout: Layout = WHOLE_FILE) -> pd.DataFrame:
    """Read a table whatever its format.

    Cells are text without outer blanks, unknown ones None, numbers of a typed file float64.

    Parameters
    ----------
    path : Path
        .csv, .tsv, .txt (or .gz of them), .parquet, .xlsx, .xls, .ods.
    layout : Layout
        Where in the file the table stands.

    Returns
    -------
    DataFrame
        In the order of the file.

    Raises
    ------
    DataError
        If the file is absent, empty or not what its name says.
    """
    table = read_coded(path, layout)
    plain = pd.DataFrame(
        {name: decoded(column) for name, column in table.items()}, index=table.index
    )
    plain.attrs |= table.attrs
    return plain


def read_coded(path: Path, layout: Layout = WHOLE_FILE) -> pd.DataFrame:
    """Read a table as `read_table`, text columns as Categorical.

    Parameters
    ----------
    path, layout
        As for `read_table`.

    Returns
    -------
    DataFrame
        In the order of the file.

    Raises
    ------
    DataError
        As `read_table`.
    """
    if not path.is_file():
        raise DataError(
            str(path),
            "there is no such file",
            "Correct the path in the cohort file or on the command line.",
            code="file_absent",
        )
    with readable(path, layout):
        check_unpacked(path)
        names, columns = _read(path, layout)
    names, columns = _named([str(name).strip().lstrip("\ufeff") for name in names], columns)
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise DataError(
            str(path),
            f"column {twice[0]!r} occurs twice",
            "Rename or remove one of them.",
            code="column_twice",
        )
    return _without_empty_rows(pd.DataFrame(dict(zip(names, columns, strict=True))))


def _named(names: list[str], columns: list[pd.Series]) -> tuple[list[str], list[pd.Series]]:
    """Columns without a name are left out where they are empty, else named by their place."""
    kept = [bool(name) or column.notna().any() for name, column in zip(names, columns, strict=True)]
    shown = [name or f"column {place}" for place, name in enumerate(names, start=1)]
    return (
        [name for name, keep in zip(shown, kept, strict=True) if keep],
        [column for column, keep in zip(columns, kept, strict=True) if keep],
    )


def _without_empty_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in which some cell is filled; their places among all stand in `attrs[PLACES]`."""
    empty = table.isna().all(axis=1).to_numpy()
    if not len(table.columns) or not empty.any():
        return table
    kept = table[~empty].reset_index(drop=True)
    kept.attrs[PLACES] = np.flatnonzero(~empty)
    return kept


def _read(path: Path, layout: Layout) -> tuple[list[str], list[pd.Series]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        typed = pd.read_parquet(path)
        return list(typed.columns), [_typed(column) for _, column in typed.items()]
    if is_workbook(path):
        sheet = read_sheet(path, layout.sheet)
        if len(sheet) < layout.above:
            raise ValueError("it is empty" if sheet.empty else "it ends before its header_row")
        header = sheet.iloc[layout.header_row - 1 : layout.above]
        names, cells = joined_names(header.to_numpy().tolist()), sheet.iloc[layout.above :]
        return names, [_typed(column) for _, column in cells.items()]
    return _read_delimited(path, layout)


def read_sheet(path: Path, sheet: str | int | None = None) -> pd.DataFrame:
    """All cells of a sheet as text, empty ones as empty text, from its first line on.

    Parameters
    ----------
    path : Path
        A workbook.
    sheet : str or int, optional
        Its name, or its number from 1; the first by default.

    Returns
    -------
    DataFrame
        Columns are numbered.

    Raises
    ------
    ValueError
        If it is no workbook, or has no such sheet.
    """
    number = sheet_number(path, sheet)
    try:
        return pd.read_excel(
            path,
            sheet_name=number,
            dtype=str,
            keep_default_na=False,
            header=None,
            engine=engine_of(path),
        )
    except Exception as error:  # noqa: BLE001  its reader raises whatever its parts raise
        raise ValueError(f"not a sheet: {type(error).__name__}") from None


def _read_delimited(path: Path, layout: Layout) -> tuple[list[str], list[pd.Series]]:
    """CSV or TSV by Arrow, each column as codes of its distinct cells."""
    names, options = delimited(path, layout)
    columns: list[list[pa.Array]] = [[] for _ in names]
    lines = False
    for coded in _coded_blocks(path, options, len(names)):
        for blocks, cells in zip(columns, coded, strict=True):
            blocks.append(cells)
            lines |= has_lines(cells.dictionary)
    if lines:
        check_quotes(path, layout)
    read = [_arrow_column(columns.pop()) for _ in names][::-1]
    pa.default_memory_pool().release_unused()  # it keeps what it had at most
    return names, read


def _coded_blocks(path: Path, options: Options, n: int) -> Iterator[list[pa.Array]]:
    """The `n` columns of each block, coded while Arrow reads the next: the text of a file is never
    held whole.
    """
    kinds = dict.fromkeys(map(str, range(n)), pa.string())
    convert = arrow_csv.ConvertOptions(column_types=kinds, strings_can_be_null=False)
    with arrow_csv.open_csv(path, *options, convert) as reader:
        for block in reader:
            yield [column.dictionary_encode() for column in block.columns]


def _arrow_column(blocks: list[pa.Array]) -> pd.Series:
    """Coded blocks of a column as one, whose levels stand in the order of their first rows."""
    if not blocks:
        return _coded(np.empty(0, dtype=np.int32), np.empty(0, dtype=object))
    column = pa.chunked_array(blocks).unify_dictionaries()
    codes = np.concatenate([np.asarray(block.indices) for block in column.chunks])
    levels = column.chunk(0).dictionary
    # What is empty, or begins and ends in print and not with an apostrophe, is clean.
    clean = pc.match_substring_regex(levels, _CLEAN)
    if not pc.all(clean).as_py():
        return _coded(codes, np.asarray(levels, dtype=object))
    missing = pc.is_in(pc.ascii_lower(levels), value_set=_MISSING_FORMS).to_numpy(False)
    known = np.asarray(levels.filter(pa.array(~missing)), dtype=object)
    number = np.where(missing, -1, np.cumsum(~missing, dtype=np.int32) - 1)
    return _categorical(number, codes, known)


def _typed(column: pd.Series) -> pd.Series:
    """Numbers of a typed file stay numbers; anything else becomes text."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(column.to_numpy(dtype=float, na_value=np.nan))
    codes, levels = pd.factorize(column.astype(object), use_na_sentinel=True)
    return _coded(codes, np.array([str(level) for level in levels], dtype=object))


def _coded(codes: np.ndarray, levels: np.ndarray) -> pd.Series:
    """Codes and their text as a Categorical: blanks around are cut, missing forms become
    unknown.
    """
    clean = [unescaped(level.strip()) for level in levels.tolist()]
    known = [None if cell.lower() in MISSING else cell for cell in clean]
    recoded, distinct = factorized(np.array([*known, None], dtype=object)[:-1])
    return _categorical(recoded, codes, distinct)


def _categorical(number: np.ndarray, codes: np.ndarray, known: np.ndarray) -> pd.Series:
    """Codes by the number of each level (-1 unknown) among those that are known."""
    recoded = np.append(number, -1)[codes]
    return pd.Series(pd.Categorical.from_codes(recoded, pd.Index(known, dtype=object)))
