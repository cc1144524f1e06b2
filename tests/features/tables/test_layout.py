"""Where in its file a table stands: sheets, title rows, encodings."""

import pandas as pd
import pytest
from openpyxl import Workbook

from features.errors import DataError
from features.tables.convert import read_table
from features.tables.layout import Layout, known_encoding, sheet_names

ROWS = [["id", "Größe"], ["P1", "1,75"], ["P2", "n.b."]]


@pytest.fixture(scope="module")
def workbook(tmp_path_factory):
    """A cover sheet, a table with two title rows, an empty sheet."""
    book = Workbook()
    book.active.title = "Deckblatt"
    book.active.append(["Klinik"])
    sheet = book.create_sheet("Labor")
    for row in (["Export"], [], *ROWS):
        sheet.append(row)
    book.create_sheet("leer")
    path = tmp_path_factory.mktemp("layout") / "klinik.xlsx"
    book.save(path)
    return path


def said(table: pd.DataFrame) -> list[list[object]]:
    return [list(table.columns), *table.to_numpy().tolist()]


@pytest.mark.parametrize("sheet", ["Labor", 2])
def test_a_sheet_and_the_line_of_its_header(workbook, sheet):
    assert said(read_table(workbook, Layout(sheet=sheet, header_row=3))) == ROWS
    assert sheet_names(workbook) == ["Deckblatt", "Labor", "leer"]


def test_the_first_sheet_by_default(workbook):
    assert said(read_table(workbook)) == [["Klinik"]]


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (Layout(sheet="labor"), "no sheet 'labor'; its sheets are 'Deckblatt', 'Labor', 'leer'"),
        (Layout(sheet=0), "no sheet 0"),
        (Layout(sheet=4), "no sheet 4"),
        (Layout(sheet="leer"), "it is empty"),
        (Layout(sheet="Labor", header_row=6), "it ends before its header_row"),
    ],
)
def test_what_is_not_there(workbook, layout, reason):
    with pytest.raises(DataError, match=reason):
        read_table(workbook, layout)


def test_the_last_line_may_be_the_header(workbook):
    assert said(read_table(workbook, Layout(sheet="Labor", header_row=5))) == [ROWS[2]]


def text(rows: list[list[str]]) -> str:
    return "".join(";".join(row) + "\r\n" for row in rows)


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "utf-16", "utf-8", "utf-8-sig", "mac-roman"]
)
@pytest.mark.parametrize("title", [[], [["Export;vom 1.2."], [""]]])
def test_a_text_file_in_any_encoding(tmp_path, encoding, title):
    path = tmp_path / "labor.csv"
    path.write_bytes(text([*title, *ROWS]).encode(encoding))
    layout = Layout(encoding=known_encoding(encoding), header_row=len(title) + 1)
    assert said(read_table(path, layout)) == ROWS


def test_another_encoding_is_said_with_what_to_do(tmp_path):
    path = tmp_path / "labor.csv"
    path.write_bytes(text(ROWS).encode("cp1252"))
    with pytest.raises(DataError, match=r"UTF-8 by default.*encoding: cp1252"):
        read_table(path)
    path.write_bytes(text([["id", "size"], ["P1", "groß"]]).encode("cp1252"))
    with pytest.raises(DataError, match=r"UTF-8 by default.*encoding: cp1252"):
        read_table(path)


@pytest.mark.parametrize("name", ["", "windows", "utf-99", "a\0b"])
def test_no_encoding(name):
    with pytest.raises(ValueError, match="is no encoding"):
        known_encoding(name)


def test_a_workbook_that_is_none(tmp_path):
    for name in ("a.xlsx", "a.xls"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 broken")
        with pytest.raises(DataError, match="not a readable table"):
            read_table(tmp_path / name)
