"""The tables of files that nobody has described: sheets, titles above the header, encodings."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from als_ml.proposal.analyte_headers import analyte_name
from als_ml.proposal.words import column_words, core_words, plain_name, without_fillers
from features import bounds
from features.errors import DataError
from features.tables.files import read_coded, read_sheet
from features.tables.layout import UTF_8, Layout, is_workbook, joined_names, sheet_names

# A header is looked for in so many lines: exports have a few titles (P).
_LOOKED_AT = 20
# Encodings that are tried in turn. cp1252 takes nearly any bytes, so it is the last.
_ENCODINGS = (UTF_8, "utf-16", "cp1252")


@dataclass(frozen=True)
class FoundTable:
    """A table of a file: where it stands, and its cells as text (None unknown).

    `sheet` is None in a file without sheets, or with one alone. `last` is the lowest part of each
    name of a header of several lines.
    """

    path: Path
    sheet: str | None
    header_row: int
    encoding: str
    cells: pd.DataFrame
    header_rows: int = 1
    last: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """As messages name it."""
        return self.path.name if self.sheet is None else f"{self.path.name}[{self.sheet}]"

    def last_part(self, name: str) -> str:
        """The lowest part of a name in its plain spelling; empty where it has but one."""
        return plain_name(self.last.get(name, ""))


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
        return [_found(path, None, (1, 1), UTF_8, [])], []
    encoding = _encoding(path)
    text = path.read_bytes()[:1_000_000].decode(encoding, errors="replace").splitlines()
    lines = [_split(line) for line in text[:_LOOKED_AT]]
    return [_found(path, None, _header(lines), encoding, lines)], []


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
        row, rows = _header(lines)
        if row == 0 or len(raw) < row + rows:
            left.append(f"{path.name}, sheet {name!r}: no table in it")
            continue
        sheet = name if len(names) > 1 else None
        tables.append(_found(path, sheet, (row, rows), UTF_8, lines))
    return tables, left


def _found(
    path: Path, sheet: str | None, header: tuple[int, int], encoding: str, lines: list[list[str]]
) -> FoundTable:
    row, rows = max(header[0], 1), max(header[1], 1)
    layout = Layout(sheet=sheet, header_row=row, header_rows=rows, encoding=encoding)
    cells = read_coded(path, layout)
    last = {}
    if rows > 1:
        joined = joined_names(lines[row - 1 : row + rows - 1])
        last = dict(zip(joined, map(str.strip, lines[row + rows - 2]), strict=False))
    return FoundTable(
        path=path,
        sheet=sheet,
        header_row=row,
        encoding=encoding,
        cells=cells.astype(object).where(cells.notna(), None),
        header_rows=rows,
        last=last,
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


def _header(lines: list[list[str]]) -> tuple[int, int]:
    """Line of the header, from 1, and how many lines it takes; 0 where there is none.

    A second line belongs to it where nothing stands under its first name, as nothing does above
    merged cells or in a line of units, and where more names are known so.
    """
    lines = [line[: bounds.PROPOSED_COLUMNS] for line in lines]
    first = _header_row(lines)
    if first == 0:
        return 0, 0
    found = [(first, 1)]
    if first < len(lines) and _goes_on(lines[first - 1], lines[first]):
        found.append((first, 2))
    if first > 1 and _goes_on(lines[first - 1], lines[first - 2]):
        found.append((first - 1, 2))
    return max(found, key=lambda header: (_names_known(lines, header), -header[1]))


def _goes_on(header: list[str], other: list[str]) -> bool:
    """Whether a line beside the header is a part of it: words, and none at the first name."""
    filled = [cell.strip() for cell in other if cell.strip()]
    start = next((i for i, cell in enumerate(header) if cell.strip()), 0)
    under = other[start].strip() if start < len(other) else ""
    return bool(filled) and not under and not any(_DATA.match(cell) for cell in filled)


# What stands in rows of data: numbers of more than two digits, decimals, dates.
_DATA = re.compile(r"^[<>]?\s*-?\d[\d.,/: -]{2,}$")


def _names_known(lines: list[list[str]], header: tuple[int, int]) -> float:
    """How many names of a header are known; a unit in it counts by half."""
    row, rows = header
    known = 0.0
    lowest = lines[row + rows - 2]
    for i, name in enumerate(joined_names(lines[row - 1 : row + rows - 1])):
        part = lowest[i] if rows > 1 and i < len(lowest) else name
        analyte = analyte_name(name)
        known += _is_known(name) or _is_known(part) or analyte is not None
        known += 0.5 * (analyte is not None and analyte.unit is not None)
    return known


def _header_row(lines: list[list[str]]) -> int:
    """Line with most names that we know, from 1; among lines without any the first that is as wide
    as the widest; 0 where no line has two names.
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
    plain, core = plain_name(cell), without_fillers(cell)
    return any(plain in column_words(kind) or core in core_words(kind) for kind in _KINDS)


_KINDS = ("patients", "biomarkers", "alsfrs")
