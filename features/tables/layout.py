"""Where in its file a table stands: the sheet, the line of its header, and the encoding of a text
file.
"""

import codecs
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Workbooks; `.xls` is that of Excel before 2007, `.ods` that of LibreOffice.
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
_BY_CALAMINE = (".xls", ".ods")
UTF_8 = "utf-8-sig"  # with or without a mark at its beginning


@dataclass(frozen=True)
class Layout:
    """Where in its file a table stands.

    Attributes
    ----------
    sheet : str or int, optional
        Name of a sheet, or its number from 1; the first by default.
    header_row : int
        Line with the names of the columns, from 1; what stands above is left out.
    header_rows : int
        Lines that the names take; a name is what stands above each other, as in `Onset Date` under
        a merged cell `Onset`.
    encoding : str
        Of a text file, by Python's names.
    """

    sheet: str | int | None = None
    header_row: int = 1
    header_rows: int = 1
    encoding: str = UTF_8

    @property
    def above(self) -> int:
        """Lines before the first row of data."""
        return self.header_row + self.header_rows - 1


WHOLE_FILE = Layout()


def is_workbook(path: Path) -> bool:
    """Whether a file has sheets."""
    return path.suffix.lower() in WORKBOOKS


def engine_of(path: Path) -> Literal["calamine", "openpyxl"]:
    """The reader of a workbook, as pandas names it."""
    return "calamine" if path.suffix.lower() in _BY_CALAMINE else "openpyxl"


def joined_names(lines: Sequence[Sequence[str]]) -> list[str]:
    """Names of columns from the lines of a header, the upper ones first.

    A cell of an upper line holds for the empty ones to its right, as merged cells are stored, but
    not where nothing stands below itself: that one was merged downwards.

    Parameters
    ----------
    lines : sequence of sequences of str
        Of one width or shorter; empty text for an empty cell.

    Returns
    -------
    list of str
        What stands above each other, joined by a blank.

    Examples
    --------
    >>> joined_names([["Id", "Onset", "", "Sex"], ["", "Date", "Region", ""]])
    ['Id', 'Onset Date', 'Onset Region', 'Sex']
    """
    width = max(map(len, lines), default=0)
    filled = [
        [*(str(cell).strip() for cell in line), *[""] * (width - len(line))] for line in lines
    ]
    names = filled[-1]
    for upper in reversed(filled[:-1]):
        names = _under(upper, names)
    return names


def _under(upper: list[str], lower: list[str]) -> list[str]:
    """Names of a line under those of the line above it."""
    over, named = "", []
    for above, below in zip(upper, lower, strict=True):
        over = (above if below else "") if above else over if below else ""
        named.append(" ".join(filter(None, (above or over, below))))
    return named


def check_layout(path: Path, layout: Layout) -> None:
    """Refuse what a kind of file does not have, since it would be passed over in silence.

    Parameters
    ----------
    path : Path
        A table.
    layout : Layout
        What is said of it.

    Raises
    ------
    ValueError
        For a sheet of a text, or anything at all of a Parquet file.
    """
    if path.suffix.lower() == ".parquet" and layout != WHOLE_FILE:
        raise ValueError("a Parquet file has no sheet, header or encoding; name the file alone")
    if layout.sheet is not None and not is_workbook(path):
        raise ValueError("it has no sheets; leave `sheet` out")


def sheet_names(path: Path) -> list[str]:
    """Names of the sheets of a workbook, in its order.

    Parameters
    ----------
    path : Path
        .xlsx, .xlsm, .xls or .ods.

    Returns
    -------
    list of str
        Hidden ones too.

    Raises
    ------
    ValueError
        If it is no workbook.
    """
    import pandas as pd

    try:
        with pd.ExcelFile(path, engine=engine_of(path)) as book:
            return [str(name) for name in book.sheet_names]
    except (OSError, zipfile.BadZipFile):
        raise
    except Exception as error:  # noqa: BLE001  its reader raises whatever its parts raise
        raise ValueError(f"not a workbook: {type(error).__name__}") from None


def sheet_number(path: Path, sheet: str | int | None) -> int:
    """Place of a sheet in its workbook, from 0.

    Parameters
    ----------
    path : Path
        The workbook.
    sheet : str or int, optional
        Its name, or its number from 1; the first where it is not given.

    Returns
    -------
    int
        For pandas.

    Raises
    ------
    ValueError
        If there is no such sheet, with the names of those that there are.
    """
    if sheet is None:
        return 0
    names = sheet_names(path)
    if isinstance(sheet, int):
        if 1 <= sheet <= len(names):
            return sheet - 1
    elif sheet in names:
        return names.index(sheet)
    known = ", ".join(map(repr, names))
    raise ValueError(f"it has no sheet {sheet!r}; its sheets are {known}")


def known_encoding(name: str) -> str:
    """An encoding by the name that Python and Arrow know it by.

    Parameters
    ----------
    name : str
        As a user writes it: cp1252, latin-1, UTF-16.

    Returns
    -------
    str
        Of UTF-8 the one that takes a mark at the beginning, too.

    Raises
    ------
    ValueError
        If nobody knows it.

    Examples
    --------
    >>> known_encoding("UTF-8"), known_encoding("Latin-1"), known_encoding("cp1252")
    ('utf-8-sig', 'iso8859-1', 'cp1252')
    """
    try:
        found = codecs.lookup(name).name
        "".encode(found)  # refused by what turns no text into bytes, such as rot13 and zlib
    except (LookupError, ValueError):
        raise ValueError(f"{name!r} is no encoding; common are utf-8, cp1252, utf-16") from None
    return UTF_8 if found in ("utf-8", "ascii") else found
