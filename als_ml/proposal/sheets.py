"""The tables of files that nobody has described: sheets, titles above the header, encodings."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from als_ml.proposal.words import column_words, plain_name
from features.errors import DataError
from features.tables.convert import read_coded, read_sheet
from features.tables.layout import UTF_8, Layout, is_workbook, sheet_names

# A header is looked for in so many lines: exports have a few titles (P).
_LOOKED_AT = 20
# Encodings that are tried in turn. cp1252 takes nearly any bytes, so it is the last.
_ENCODINGS = (UTF_8, "utf-16", "cp1252")


@dataclass(frozen=True)
class FoundTable:
    """A table of a file: where it stands, and its cells as text (None unknown).

    `sheet` is None in a file without sheets, or with one alone.
    """

    path: Path
    sheet: str | None
    header_row: int
    encoding: str
    cells: pd.DataFrame

    @property
    def shown(self) -> str:
        """As messages name it."""
        return self.path.name if self.sheet is None else f"{self.path.name}[{self.sheet}]"


def find_tables(path: Path) -> tuple[list[FoundTable], list[str]]:
    """The tables of a file, and what of it is none.

    Parameters
    ----------
    path : Path
        A workbook, CSV, TSV or Parquet.

    Returns
    -------
    tables : list of FoundTable
        In the order of the file.
    left : list of str
        Sheets without a table, in words.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if is_workbook(path):
        return _of_workbook(path)
    if path.suffix.lower() == ".parquet":
        return [_found(path, None, 1, UTF_8)], []
    encoding = _encoding(path)
    lines = path.read_bytes()[:1_000_000].decode(encoding, errors="replace").splitlines()
    row = _header_row([_split(line) for line in lines[:_LOOKED_AT]])
    return [_found(path, None, row, encoding)], []


def _of_workbook(path: Path) -> tuple[list[FoundTable], list[str]]:
    try:
        names = sheet_names(path)
    except (ValueError, OSError, BadZipFile) as error:
        reason = f"this is not a readable workbook ({error})"
        raise DataError(
            str(path), reason, "Save it again, or as CSV.", code="file_unreadable"
        ) from None
    tables, left = [], []
    for name in names:
        raw = read_sheet(path, name)
        lines = raw.head(_LOOKED_AT).astype(str).to_numpy().tolist()
        row = _header_row(lines)
        if row == 0 or len(raw) <= row:
            left.append(f"{path.name}, sheet {name!r}: no table in it")
            continue
        tables.append(_found(path, name if len(names) > 1 else None, row, UTF_8))
    return tables, left


def _found(path: Path, sheet: str | None, row: int, encoding: str) -> FoundTable:
    cells = read_coded(path, Layout(sheet=sheet, header_row=max(row, 1), encoding=encoding))
    named = cells[[name for name in cells.columns if name]]
    return FoundTable(
        path=path,
        sheet=sheet,
        header_row=max(row, 1),
        encoding=encoding,
        cells=named.astype(object).where(named.notna(), None),
    )


def _encoding(path: Path) -> str:
    """The first encoding in which all of a text file can be read; UTF-16 only with its mark."""
    content = path.read_bytes()
    for encoding in _ENCODINGS:
        if encoding == "utf-16" and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            continue
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _split(line: str) -> list[str]:
    separator = max(",;\t|", key=line.count)
    return [cell.strip().strip('"') for cell in line.split(separator)]


def _header_row(lines: list[list[str]]) -> int:
    """Line of the header, from 1; 0 where no line has two names.

    The line with most names that we know; among lines without any the first that is as wide as the
    widest.
    """
    filled = [[cell for cell in line if cell.strip()] for line in lines]
    width = max((len(set(cells)) for cells in filled), default=0)
    if width < 2:
        return 0
    known = [sum(_is_known(cell) for cell in cells) for cells in filled]
    if max(known) >= 2:
        return known.index(max(known)) + 1
    return next(i for i, cells in enumerate(filled, start=1) if len(set(cells)) >= 0.8 * width)


def _is_known(cell: str) -> bool:
    plain = plain_name(cell)
    return any(plain in column_words(kind) for kind in ("patients", "biomarkers", "alsfrs"))
