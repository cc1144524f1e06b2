"""Read CSV, TSV, Parquet and Excel tables as text and turn their columns into numbers, categories,
days and dates.

An empty cell, NA, N/A, NaN or null means unknown; `none` is a category. Text stands as codes of
distinct cells (pandas Categorical), so that a column of a million rows is checked and converted
through its few distinct cells.
"""

import gzip
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from features import bounds
from features.catalogue import normal_name
from features.errors import DataError, nearest
from features.stored import Record
from features.tables.cells import PLAIN, YEARS, Dialect, read_dates, read_months, read_values
from features.tables.columns import Cells, Column, Frame, FrameT, Table, factorized
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
from features.tables.open_document import check_open_document
from features.tables.problems import Problems

MISSING = frozenset(["", "na", "n/a", "n.a.", "#n/a", "nan", "null", "<na>", "nat"])
# More days than a life has: a calendar date or a spreadsheet's serial number stands where days
# belong, or a date that stands for no day, such as 9999-12-31 or 1900-01-01 (P).
MOST_DAYS = 40_000
# Where a table whose empty rows were left out keeps the places of the others, from 0.
PLACES = "places of its rows"
_MAY_BE_DATE = re.compile(r"\d{4}.*[-/. ]|[-/. ].*\d{4}")


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
        _check_unpacked(path)
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


def _most_unpacked(path: Path) -> int:
    return max(bounds.MOST_UNPACKED, bounds.MOST_RATIO * path.stat().st_size)


def _check_unpacked(path: Path) -> None:
    """Refuse an archive that is small on disk and huge in memory."""
    suffix, most = path.suffix.lower(), _most_unpacked(path)
    if suffix == ".gz":
        with gzip.open(path) as file:
            size = sum(
                len(block)
                for block in iter(lambda: file.read(1 << 20) if file.tell() <= most else b"", b"")
            )
    elif suffix in (".xlsx", ".xlsm", ".ods"):
        check = check_open_document if suffix == ".ods" else _check_extent
        with zipfile.ZipFile(path) as file:
            size = sum(part.file_size for part in file.infolist())
            if size <= most:
                check(file)
    elif suffix == ".parquet":
        metadata = pq.read_metadata(path)
        size = metadata.num_rows * metadata.num_columns  # a cell takes a byte or more in memory
    else:
        return
    if size > most:
        raise ValueError(
            f"it unpacks to more than {bounds.MOST_RATIO} times its size; unpack it yourself if you"
            " trust it"
        )


_PLACE = re.compile(rb'<(?:c|row|dimension) r(?:ef)?="(?:[A-Z]+\d+:)?([A-Z]*)(\d+)"')


def _check_extent(file: zipfile.ZipFile) -> None:
    """Refuse a sheet whose cells, or the extent that it states, span more than any table has: what
    reads it makes every cell in between.
    """
    rows = columns = 1
    for part in file.infolist():
        if part.filename.startswith("xl/worksheets/"):
            for letters, number in _PLACE.findall(file.read(part)):
                rows = max(rows, int(number[:12]))
                columns = max(columns, _column_number(letters[:6]))
    if rows * columns > bounds.MOST_CELLS:
        raise ValueError(f"a sheet of it spans {rows:,} rows and {columns:,} columns")


def _column_number(letters: bytes) -> int:
    """Number of a column of a sheet.

    >>> _column_number(b"A"), _column_number(b"XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number


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


_CLEAN, _MISSING_FORMS = r"^([!-&(-~]([ -~]*[!-~])?)?$", pa.array(sorted(MISSING))


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


def rename_columns(table: pd.DataFrame, names: dict[str, str], where: str) -> pd.DataFrame:
    """Apply the cohort file's `columns` block {ours: theirs}.

    Parameters
    ----------
    table : DataFrame
        As the file has it.
    names : dict
        Our name -> theirs.
    where : str
        File, for the message.

    Returns
    -------
    DataFrame
        With our names.

    Raises
    ------
    DataError
        If a column named there is absent.
    """
    for ours, theirs in names.items():
        if theirs not in table.columns:
            raise DataError(
                f"{where}, columns.{ours}",
                f"there is no column {theirs!r}",
                nearest(theirs, table.columns),
                code="column_missing",
            )
    return table.rename(columns={theirs: ours for ours, theirs in names.items()})


def with_known_names(
    table: pd.DataFrame, aliases: dict[str, str], where: str, problems: Problems
) -> pd.DataFrame:
    """Give columns their name in the contract: case, blanks and signs do not matter, and `aliases`
    {normal name: ours} count.

    A column that already has its own name wins; two columns that could both be one of ours are an
    error.

    Parameters
    ----------
    table : DataFrame
        As the file has it, or already renamed.
    aliases : dict
        Normal name -> ours.
    where : str
        File, for messages.
    problems : Problems
        Gets a note of what was read under another name.

    Returns
    -------
    DataFrame
        With our names.
    """
    ours = {
        name: aliases[normal_name(name)] for name in table.columns if normal_name(name) in aliases
    }
    ours = {name: meant for name, meant in ours.items() if meant not in table.columns}
    for meant in dict.fromkeys(ours.values()):
        rivals = [name for name in ours if ours[name] == meant]
        if len(rivals) > 1:
            reason = f"the columns {' and '.join(map(repr, rivals))} could both be {meant!r}"
            problems.error(
                where,
                reason,
                f"Say which: `columns: {{{meant}: {rivals[0]}}}` in the cohort file.",
                code="column_twice",
            )
            ours = {name: kept for name, kept in ours.items() if kept != meant}
    if ours:
        read = ", ".join(f"{name!r} as {meant}" for name, meant in ours.items())
        problems.note(
            where,
            f"columns are read under other names: {read}",
            "Map them with `columns:` if that is wrong.",
            code="column_renamed",
        )
    return table.rename(columns=ours)


def require_columns(table: Frame, names: list[str], where: str) -> None:
    """Refuse a table that lacks a column.

    Parameters
    ----------
    table : DataFrame or Table
        Any.
    names : list of str
        Columns that it must have.
    where : str
        File, for the message.

    Raises
    ------
    DataError
        With the nearest column that is there.
    """
    for name in names:
        if name not in table.columns:
            remedy = (
                f"{nearest(name, table.columns)} Or map it with a `columns:` block in the cohort"
                " file."
            )
            raise DataError(where, f"the column {name!r} is missing", remedy, code="column_missing")


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
    first, last, unclear = _calendar(column, where, problems, dialect)
    is_date = ~np.isnat(first)
    plain: Cells = column
    if np.count_nonzero(is_date | unclear):
        cells = pd.Series(decoded(column).to_numpy(dtype=object), dtype=object)
        plain = cells.mask(is_date | unclear, None)
    values = _whole_days(plain, where, problems, dialect)
    year = (values >= YEARS[0]) & (values <= YEARS[1])
    if np.count_nonzero(year):
        year &= _in_calendar(is_date, dialect, index_dates)
        first, last = _with_years(values, year, first, last)
    if not np.count_nonzero(is_date | year):
        late = values > high
        _reject_late(late, where, column, high, problems)
        value = np.where(late, np.nan, values)
        return Days(value=value, first=value, last=value, vague=np.zeros(len(value), dtype=bool))
    if dialect.partial_dates == "refuse":
        remedy = _SEND_DAYS if dialect.apart else _SAY_PARTIAL
        first, last = _whole_dates(first, last, year, column, where, problems, remedy)
    lag = _since_index(first, last, column, index_dates, where, problems)
    begin, end = (np.where(is_date | year, bound, values) for bound in lag)
    far = is_date & (np.abs(begin) > farthest)
    problems.reject(
        far,
        where,
        column,
        f"lies more than {MOST_DAYS // 365} years from the index date",
        "Correct the date; leave the cell empty where it stands for an unknown day.",
        code="cell_day",
    )
    begin = np.where(far, np.nan, begin)
    late = begin > high
    _reject_late(late, where, column, high, problems)
    none = far | late
    begin, end = np.where(none, np.nan, begin), np.where(none, np.nan, np.fmin(end, high))
    return Days(
        value=middle(begin, end),
        first=begin,
        last=end,
        vague=year & np.isfinite(begin),
    )


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


def _calendar(
    column: Cells, where: str, problems: Problems, dialect: Dialect
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last day of each cell that is a date or a month, NaT for any other, and which cells
    may be two dates.
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
    remedy = "Write 2024-12-31." if dialect.apart else _SAY_ORDER
    problems.reject(
        unclear[codes], where, column, "may be day or month first", remedy, code="cell_ambiguous"
    )
    return first[codes], last[codes], unclear[codes]


def _with_years(
    values: np.ndarray, year: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add the first and last day of the cells that are years."""
    number = np.where(year, values, YEARS[0]).astype(int) - 1970
    begin, after = (
        (number + more).astype("datetime64[Y]").astype("datetime64[D]") for more in (0, 1)
    )
    return np.where(year, begin, first), np.where(year, after - np.timedelta64(1, "D"), last)


_SAY_ORDER = (
    "Say `dates: day_first` or `dates: month_first` in the cohort file, or write 2024-12-31."
)
_SAY_PARTIAL = (
    "Write the whole date, as 2024-12-31, or say `partial_dates: middle` in the cohort file."
)
# What a served record can do.
_SEND_DAYS = "Send days since the index day, and what they may be as `uncertain_dates`."


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
    remedy = "Write 2024-12-31." if dialect.apart else _SAY_ORDER
    problems.reject(
        np.append(read.unclear, False)[codes],
        where,
        column,
        "may be day or month first",
        remedy,
        code="cell_ambiguous",
    )
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


def categories(
    column: Cells,
    levels: tuple[str, ...],
    where: str,
    problems: Problems,
    aliases: "dict[str, str] | None" = None,
) -> np.ndarray:
    """Check a column of categories.

    Case and blanks around do not matter, an unknown word is an error.

    Parameters
    ----------
    column : Cells
        Text, k rows.
    levels : tuple of str
        Words of the contract; any word is taken where there are none.
    where : str
        File and column, for messages.
    problems : Problems
        Gets the unknown words.
    aliases : dict, optional
        Other words in their normal form -> level.

    Returns
    -------
    array of object (k,)
        Words of the contract, None unknown or refused.
    """
    codes, words = coded_categories(column, levels, where, problems, aliases)
    return np.array([*words, None], dtype=object)[codes]


def coded_categories(
    column: Cells,
    levels: tuple[str, ...],
    where: str,
    problems: Problems,
    aliases: "dict[str, str] | None" = None,
) -> tuple[np.ndarray, list[str | None]]:
    """Check a column as `categories` does.

    Parameters
    ----------
    column, levels, where, problems, aliases
        As for `categories`.

    Returns
    -------
    codes : array of int (k,)
        Distinct cell of each row, -1 unknown.
    words : list
        What each distinct cell means: a word of the contract, None refused.
    """
    codes, stated = codes_of(column)
    words = [_level(word, levels, aliases or {}) if levels else str(word) for word in stated]
    if None in words:
        unknown = np.array([word is None for word in words], dtype=bool)
        first = str(stated[np.flatnonzero(unknown)[0]])
        remedy = (
            f"{nearest(first, levels)} Or say what it means with a `values:` block in the cohort"
            " file."
        )
        problems.reject(
            of_rows(unknown, codes), where, column, "is not a known value", remedy, code="cell_word"
        )
    return codes, words


def _level(word: object, levels: tuple[str, ...], aliases: dict[str, str]) -> str | None:
    lower, normal = str(word).lower(), normal_name(str(word))
    return lower if lower in levels else normal if normal in levels else aliases.get(normal)


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
