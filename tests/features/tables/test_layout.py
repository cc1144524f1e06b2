"""Where in its file a table stands: sheets, title rows, encodings."""

import pandas as pd
import pytest
from openpyxl import Workbook

from features.errors import DataError
from features.tables import delimited
from features.tables.files import PLACES, read_coded, read_table
from features.tables.layout import Layout, joined_names, known_encoding, sheet_names

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


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([["id", "sex"]], ["id", "sex"]),
        ([["id", "onset", "", "sex"], ["", "date", "site", ""]], "id|onset date|onset site|sex"),
        ([["id", "", "onset", ""], ["", "sex", "date", "site"]], "id|sex|onset date|onset site"),
        ([["A", "", "", ""], ["B", "", "C", ""], ["1", "2", "3", "4"]], "A B 1|A B 2|A C 3|A C 4"),
        ([["NfL", "CK"], ["pg/mL", "U/L"]], ["NfL pg/mL", "CK U/L"]),
        ([["long"], ["a", "b"]], ["long a", "long b"]),
    ],
)
def test_a_name_is_what_stands_above_each_other(lines, names):
    assert joined_names(lines) == (names.split("|") if isinstance(names, str) else names)


def test_a_header_of_two_lines_in_a_workbook_and_in_a_text_file(tmp_path):
    rows = [["Export"], ["id", "Beginn", None], [None, "Tag", "Ort"], ["P1", "-400", "Arm"]]
    book = Workbook()
    for line in rows:
        book.active.append(line)
    book.active.merge_cells("B2:C2")
    book.active.merge_cells("A2:A3")
    book.save(tmp_path / "k.xlsx")
    (tmp_path / "k.csv").write_text(text([[cell or "" for cell in line] for line in rows]))
    for name in ("k.xlsx", "k.csv"):
        table = read_table(tmp_path / name, Layout(header_row=2, header_rows=2))
        assert said(table) == [["id", "Beginn Tag", "Beginn Ort"], ["P1", "-400", "Arm"]]


def test_empty_columns_and_rows_are_none(tmp_path):
    rows = [["id", "", "sex", ""], ["", "", "", ""], ["P1", "", "f", "x"], ["", "", "", ""]]
    (tmp_path / "k.csv").write_text(text(rows))
    table = read_table(tmp_path / "k.csv")
    assert said(table) == [["id", "sex", "column 4"], ["P1", "f", "x"]]
    assert table.attrs[PLACES].tolist() == [1]


def test_bars_and_the_separator_line_of_excel(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text("id|sex\nP1|f\n")
    assert said(read_table(path)) == [["id", "sex"], ["P1", "f"]]
    path.write_text("sep=;\nid;sex\nP1;f\n")
    with pytest.raises(DataError, match=r"first line is 'sep=;'; say .*header_row: 2"):
        read_table(path)
    assert said(read_table(path, Layout(header_row=2))) == [["id", "sex"], ["P1", "f"]]


@pytest.mark.parametrize("block", [16, 60, 1 << 24])
def test_a_file_is_the_same_in_blocks_of_any_size(tmp_path, monkeypatch, block):
    """Levels stand in the order of their first rows, whichever block has them."""
    monkeypatch.setattr(delimited, "BLOCK", block)
    cells = ["b", "a", "b", "NA", "c", " c", "a", "", "d", "b"]
    lines = [f"{number},{cell}" for number, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["n,word", *lines]) + "\n")
    word = read_coded(tmp_path / "t.csv")["word"]
    assert word.cat.categories.tolist() == ["b", "a", "c", "d"]
    assert word.cat.codes.tolist() == [0, 1, 0, -1, 2, 2, 1, -1, 3, 0]


@pytest.mark.parametrize(
    ("name", "layout", "message"),
    [
        ("a.csv", Layout(sheet="x"), "it has no sheets"),
        ("a.csv", Layout(sheet=1), "it has no sheets"),
        ("a.csv", Layout(header_row=1), None),
        ("a.parquet", Layout(sheet=1), "no sheet, header or encoding"),
        ("a.parquet", Layout(header_row=2), "no sheet, header or encoding"),
        ("a.parquet", Layout(encoding="cp1252"), "no sheet, header or encoding"),
        ("a.parquet", Layout(), None),
    ],
)
def test_what_a_kind_of_file_does_not_have_is_refused(name, layout, message, tmp_path):
    path = tmp_path / name
    table = pd.DataFrame({"a": ["x"]})
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    if message is None:
        assert read_table(path, layout)["a"].tolist() == ["x"]
        return
    with pytest.raises(DataError, match=message):
        read_table(path, layout)
