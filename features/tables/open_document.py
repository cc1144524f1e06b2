"""How much an OpenDocument spreadsheet (`.ods`) asks for, before anything reads it.

OASIS OpenDocument 1.3, part 3, section 9: a cell or row may say that it stands there many times
(`number-columns-repeated`, `number-rows-repeated`), so that a few bytes ask for all cells of a
sheet. What is repeated and empty up to the end of a row or a sheet is made by no reader and is not
counted.
"""

import zipfile
from xml.etree import ElementTree

from features import bounds

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")


def check_open_document(file: zipfile.ZipFile) -> None:
    """Refuse a spreadsheet that spans more cells than any table has.

    Parameters
    ----------
    file : ZipFile
        Whose unpacked size was checked.

    Raises
    ------
    ValueError
        If it is broken, or a sheet of it is too large.
    """
    rows = widest = 0
    try:
        with file.open("content.xml") as content:
            # Expat itself refuses entities that grow without end (2.4.1 and later).
            for _, element in ElementTree.iterparse(content):  # noqa: S314
                if element.tag == f"{_TABLE}table-row":
                    width = _width(element)
                    rows, widest = rows + _times(element, "rows"), max(widest, width)
                    _check_extent(rows if width else 0, widest)
                elif element.tag == f"{_TABLE}table":
                    rows = widest = 0
                else:
                    continue
                element.clear()
    except ElementTree.ParseError as error:
        line, column = error.position  # its words may name an entity of the file
        raise ValueError(f"its content is broken at line {line}, column {column}") from None


def _check_extent(rows: int, columns: int) -> None:
    if rows * columns > bounds.MOST_CELLS:
        raise ValueError(f"a sheet of it spans {rows:,} rows and {columns:,} columns")


def _width(row: ElementTree.Element) -> int:
    """Cells of a row up to the last one that is filled."""
    at = filled = 0
    for cell in row:
        if cell.tag in _CELLS:
            at += _times(cell, "columns")
            filled = at if len(cell) or cell.attrib.keys() - _SILENT else filled
    return filled


# What an empty cell may say.
_SILENT = {f"{_TABLE}number-columns-repeated", f"{_TABLE}style-name"}


def _times(element: ElementTree.Element, what: str) -> int:
    """How many times a cell or row stands there."""
    said = element.get(f"{_TABLE}number-{what}-repeated", "1")
    return int(said[:12]) if said.isdigit() else 1
