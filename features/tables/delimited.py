"""How a CSV or TSV file is parsed, and why a table cannot be read: its line, never a cell."""

import csv
import gzip
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from features import bounds
from features.errors import DataError
from features.tables.layout import UTF_8, WHOLE_FILE, Layout, check_layout, joined_names

# What Excel takes for its separator, and no other program.
_SEPARATOR_LINE = re.compile(r"sep=.", re.IGNORECASE)
# What Arrow says of a line of more or fewer cells than the header; the line itself follows.
_UNEVEN = re.compile(r"Expected (\d+) columns, got (\d+)")
# How Arrow reads and parses a file.
Options = tuple[arrow_csv.ReadOptions, arrow_csv.ParseOptions]
# Bytes that are parsed at a time; a row must fit, and so does the longest header.
BLOCK = 1 << 24
_SAVE = "Save it as CSV (UTF-8), TSV, Parquet or xlsx."


def delimited(path: Path, layout: Layout = WHOLE_FILE) -> tuple[list[str], Options]:
    """Column names of a CSV or TSV file, and how Arrow is to read and parse it: columns are
    numbered, all text.

    Parameters
    ----------
    path : Path
        CSV or TSV, plain or gzipped.
    layout : Layout
        Its encoding and the line of its header.

    Returns
    -------
    names : list of str
        Of the header line.
    options : pair
        For `pyarrow.csv.read_csv`.

    Raises
    ------
    ValueError
        If it is empty, or its first line has no end.
    """
    names, separator = _header(path, layout)
    numbered = [str(i) for i in range(len(names))]
    read = arrow_csv.ReadOptions(
        skip_rows=layout.above,
        column_names=numbered,
        block_size=BLOCK,
        encoding="utf8" if layout.encoding == UTF_8 else layout.encoding,
    )
    return names, (read, arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True))


def _header(path: Path, layout: Layout) -> tuple[list[str], str]:
    """Column names, and the separator: a tab for .tsv and .txt, else whichever of comma, semicolon,
    tab and bar splits best.
    """
    with _opened(path, layout) as file:
        lines = [file.readline(bounds.LONGEST_HEADER) for _ in range(layout.above)]
    line = lines[-1]
    if len(line) == bounds.LONGEST_HEADER:
        raise ValueError("its first line has no end")
    if not line.strip():
        raise ValueError("it is empty")
    if layout.header_row == 1 and (said := _SEPARATOR_LINE.match(line)):
        raise ValueError(f"its first line is {said[0]!r}; say {{file: NAME, header_row: 2}} of it")
    tab = path.suffix.lower() in (".tsv", ".txt") or path.name.endswith(".tsv.gz")
    separator = "\t" if tab else max(",;\t|", key=line.count)
    if line.count(separator) >= bounds.MOST_COLUMNS:
        raise ValueError(f"it has more than {bounds.MOST_COLUMNS:,} columns")
    header = csv.reader(lines[layout.header_row - 1 :], delimiter=separator)
    return joined_names(list(header)), separator


def _opened(path: Path, layout: Layout) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=layout.encoding, newline="")
    return path.open(encoding=layout.encoding, newline="")


@contextmanager
def readable(path: Path, layout: Layout = WHOLE_FILE) -> Iterator[None]:
    """Say which table cannot be read, and why, where a block that reads it fails.

    Parameters
    ----------
    path : Path
        The table.
    layout : Layout
        Where in the file it stands.

    Raises
    ------
    DataError
        In words of ours: those of a reader may repeat a line of the table.
    """
    try:
        check_layout(path, layout)
        yield
    except (
        ValueError,
        OSError,
        pa.ArrowException,
        zipfile.BadZipFile,
        csv.Error,
        EOFError,
        KeyError,
    ) as error:
        reason, remedy = _reason(error, path, layout)
        raise DataError(
            str(path),
            f"this is not a readable table ({reason})",
            remedy,
            code="file_unreadable",
        ) from None


def _reason(error: Exception, path: Path, layout: Layout) -> tuple[str, str]:
    """Why a file cannot be read, and what to do."""
    told = str(error)
    if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in told:
        reason = "its text is not in the encoding that it is read in, which is UTF-8 by default"
        return reason, (
            "Say its encoding in the cohort file, such as {file: NAME, encoding: cp1252}, or save"
            " it as UTF-8."
        )
    if uneven := _UNEVEN.search(told):
        line = _uneven_line(path, layout, int(uneven[1]))
        reason = f"{line} has {uneven[2]} cells, and its header {uneven[1]}"
        return reason, "Correct that line; a cell with a separator in it stands in quotes."
    if isinstance(error, pa.ArrowException | KeyError):
        return f"its content is broken: {type(error).__name__}", _SAVE
    return told.splitlines()[0] if told else type(error).__name__, _SAVE


def _uneven_line(path: Path, layout: Layout, cells: int) -> str:
    """The first line of a CSV or TSV file with another number of cells."""
    with suppress(DataError, UnicodeDecodeError):
        for line, row in _rows(path, layout):
            if row and len(row) != cells:
                return f"line {line}"
    return "a line"


def has_lines(cells: pa.Array) -> bool:
    """Whether some cell has several lines.

    Parameters
    ----------
    cells : Array
        Of text.

    Returns
    -------
    bool
        Then `check_quotes` tells whether they are meant.
    """
    return bool(pc.any(pc.match_substring_regex(cells, "[\n\r]")).as_py())


def check_quotes(path: Path, layout: Layout = WHOLE_FILE) -> None:
    """Refuse a quote that nothing closes: all lines up to the next one are in its cell.

    It is slow, so it is asked where some cell has several lines.

    Parameters
    ----------
    path : Path
        CSV or TSV, plain or gzipped.
    layout : Layout
        Its encoding and the line of its header.

    Raises
    ------
    DataError
        With the line in which that cell begins.
    """
    for _ in _rows(path, layout, strict=True):
        pass


def _rows(path: Path, layout: Layout, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Number of the line in which a row begins, and its cells."""
    _, separator = _header(path, layout)
    with _opened(path, layout) as file:
        for _ in range(layout.above):
            file.readline()
        reader = csv.reader(file, delimiter=separator, strict=strict)
        begins = layout.above + 1
        try:
            for row in reader:
                yield begins, row
                begins = layout.above + reader.line_num + 1
        except csv.Error:
            raise DataError(
                f"{path}, line {begins}",
                "a quote opens a cell and none closes it where it ends",
                "Close it, or double a quote that belongs to the text.",
                code="file_unreadable",
            ) from None
