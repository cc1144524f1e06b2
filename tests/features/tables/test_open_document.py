"""OpenDocument spreadsheets: read as any workbook, and refused where they ask for more cells than
any table has, before a reader makes them.
"""

import zipfile
from pathlib import Path

import pytest

from features import bounds
from features.errors import DataError
from features.tables.files import read_table
from features.tables.layout import Layout, sheet_names

_SPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)
_MANIFEST = (
    '<?xml version="1.0"?><manifest:manifest '
    'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
)


def cell(text: str, times: int = 1) -> str:
    repeated = f'table:number-columns-repeated="{times}"'
    if not text:
        return f"<table:table-cell {repeated}/>"
    kind = 'office:value-type="string"'
    return f"<table:table-cell {repeated} {kind}><text:p>{text}</text:p></table:table-cell>"


def row(*cells: str, times: int = 1) -> str:
    inside = "".join(one if one.startswith("<") else cell(one) for one in cells)
    return f'<table:table-row table:number-rows-repeated="{times}">{inside}</table:table-row>'


def written(path: Path, **sheets: str) -> Path:
    tables = "".join(
        f'<table:table table:name="{name}">{rows}</table:table>' for name, rows in sheets.items()
    )
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    content = f"<office:document-content {_SPACES}>{body}</office:document-content>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr("content.xml", f'<?xml version="1.0" encoding="UTF-8"?>{content}')
        file.writestr("META-INF/manifest.xml", _MANIFEST)
    return path


HEAD, PATIENT = row("sample_id", "sex"), row("A", "male")
# What LibreOffice writes after the last row.
REST = row(cell("", 16384), times=1_048_574)


def test_a_spreadsheet_is_a_workbook(tmp_path):
    path = written(
        tmp_path / "k.ods", Deckblatt=row("Klinik"), Stamm=row("Export") + HEAD + PATIENT
    )
    assert sheet_names(path) == ["Deckblatt", "Stamm"]
    table = read_table(path, Layout(sheet="Stamm", header_row=2))
    assert table.to_dict("list") == {"sample_id": ["A"], "sex": ["male"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (HEAD + PATIENT, None),
        (HEAD + PATIENT + REST, None),
        (row("sample_id", "sex", cell("", 16382)) + PATIENT + REST, None),
        (HEAD + row(cell("", 2), times=9) + PATIENT, None),
        (row(cell("x", 16384), times=1_048_576), "spans 1,048,576 rows and 16,384 columns"),
        (HEAD + REST + row(cell("", 16383), "x"), "rows and 16,384 columns"),
        (row(cell("", bounds.MOST_CELLS), "x"), "spans 1 rows and 50,000,001 columns"),
        (row(cell("x"), times=bounds.MOST_CELLS + 1), "spans 50,000,001 rows and 1 columns"),
        (row(cell("x", 10**15)), "columns"),
        ("<table:table-row>", "content is broken"),
    ],
)
def test_what_a_spreadsheet_may_ask_for(tmp_path, rows, message):
    path = written(tmp_path / "k.ods", Stamm=rows)
    if message is None:
        assert len(read_table(path)) == 1
    else:
        with pytest.raises(DataError, match=message):
            read_table(path)


def test_what_is_no_spreadsheet(tmp_path):
    (tmp_path / "a.ods").write_bytes(b"PK\x03\x04 broken")
    with zipfile.ZipFile(tmp_path / "b.ods", "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    for name in ("a.ods", "b.ods"):
        with pytest.raises(DataError, match="not a readable table"):
            read_table(tmp_path / name)


@pytest.mark.parametrize("broken", ["&Mustermann;", "<Mustermann>", "Mustermann</x>"])
def test_a_broken_one_is_told_by_the_place(broken, tmp_path):
    path = written(tmp_path / "k.ods", Stamm=HEAD + row(broken.replace("<", "<text:p><", 1)))
    with pytest.raises(DataError, match=r"its content is broken at line 1, column \d+") as told:
        read_table(path)
    assert "Mustermann" not in str(told.value)
