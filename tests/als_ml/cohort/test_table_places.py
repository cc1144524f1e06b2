"""A cohort whose tables are sheets of one workbook, under title rows, or in other encodings."""

import pandas as pd
import pytest
import yaml
from openpyxl import Workbook

from als_ml.__main__ import main as als_ml
from als_ml.cohort.check import check_cohort
from als_ml.cohort.in_parts import large_cohort
from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import open_cohort
from features.errors import RequestError
from features.tables.problems import Problems

PATIENTS = [["sample_id", "sex", "site"], ["P1", "female", "Köln"], ["P2", "male", "Köln"]]
VISITS = [["sample_id", "days", "total"], ["P1", 0, 40], ["P2", 0, 44], ["P2", 90, 41]]
LABOR = [
    ["sample_id", "analyte", "value", "unit", "days"],
    ["P1", "nfl_serum", "70,5", "pg/mL", 0],
    ["P2", "nfl_serum", "31,0", "pg/mL", 0],
]


def written(folder, sheets: dict[str, list], **keys) -> None:
    book = Workbook()
    book.active.title = "Deckblatt"
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(folder / "klinik.xlsx")
    (folder / "cohort.yaml").write_text(yaml.safe_dump({"name": "klinik", **keys}))


@pytest.fixture
def clinic(tmp_path):
    title = [["Export der Klinik"], []]
    sheets = {"Stamm": [*title, *PATIENTS], "ALSFRS": VISITS, "Labor": LABOR}
    written(
        tmp_path,
        sheets,
        patients={"file": "klinik.xlsx", "sheet": "Stamm", "header_row": 3},
        alsfrs={"file": "klinik.xlsx", "sheet": "ALSFRS"},
        biomarkers={"file": "klinik.xlsx", "sheet": "Labor"},
    )
    return tmp_path / "cohort.yaml"


def test_three_tables_of_one_workbook(clinic):
    cohort = read_cohort(open_cohort(clinic), plain_reading())
    assert cohort.patients["site"].tolist() == ["Köln", "Köln"]
    assert cohort.alsfrs["total"].tolist() == [40, 44, 41]
    assert cohort.biomarkers["value"].tolist() == [70.5, 31.0]


def test_a_large_cohort_is_read_from_the_same_places(clinic):
    problems = Problems()
    with large_cohort(open_cohort(clinic), plain_reading(), problems, size=1) as cohort:
        parts = [cohort.part(number, problems) for number in range(cohort.parts)]
    assert [part.patients["sample_id"].tolist() for part in parts] == [["P1"], ["P2"]]
    assert [part.alsfrs["total"].tolist() for part in parts] == [[40], [44, 41]]
    assert [part.biomarkers["value"].tolist() for part in parts] == [[70.5], [31.0]]


@pytest.mark.parametrize(("header_row", "line"), [(1, 3), (3, 5)])
def test_a_line_in_a_message_is_that_of_the_file(tmp_path, header_row, line):
    title = [[""]] * (header_row - 1)
    rows = [*PATIENTS[:2], ["P2", "divers", "Köln"]]
    place = {"file": "klinik.xlsx", "sheet": "Stamm", "header_row": header_row}
    written(tmp_path, {"Stamm": [*title, *rows]}, patients=place)
    report = check_cohort(open_cohort(tmp_path / "cohort.yaml"))
    wrong = [one for one in report["problems"] if one["severity"] == "error"]
    assert [one["where"] for one in wrong] == [f"klinik.xlsx[Stamm], column sex, line {line}"]


def test_sheets_that_nobody_named_are_noted(tmp_path):
    written(tmp_path, {"Labor": LABOR}, patients="klinik.xlsx")
    book = pd.DataFrame(PATIENTS[1:], columns=PATIENTS[0])
    with pd.ExcelWriter(tmp_path / "klinik.xlsx") as writer:
        book.to_excel(writer, sheet_name="Stamm", index=False)
        pd.DataFrame(LABOR).to_excel(writer, sheet_name="Labor", index=False)
    report = check_cohort(open_cohort(tmp_path / "cohort.yaml"))
    noted = [one for one in report["problems"] if one["code"] == "value_unused"]
    assert any("only its first sheet is read, not Labor" in one["found"] for one in noted)
    assert report["contents"]["patients"] == 2


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"file": "klinik.xlsx", "header_row": 0}, "header_row"),
        ({"file": "klinik.xlsx", "header_row": 1001}, "header_row"),
        ({"file": "p.csv", "encoding": "windows"}, "is no encoding"),
        ({"sheet": "Stamm"}, "file"),
        ({"file": "klinik.xlsx", "sheets": "Stamm"}, "sheet"),
        ({"file": "../klinik.xlsx"}, "leaves the folder"),
    ],
)
def test_what_is_no_place(tmp_path, place, said):
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump({"patients": place}))
    with pytest.raises(RequestError, match=said):
        open_cohort(tmp_path / "cohort.yaml")


def test_a_table_may_name_its_own_columns(tmp_path):
    german = [["Fallnummer", "Geschlecht"], ["P1", "female"], ["P2", "male"]]
    visits = [["PatID", "Tag", "Summe"], ["P1", 0, 40], ["P2", 0, 44]]
    mapped = {"sample_id": "PatID", "days": "Tag", "total": "Summe"}
    written(
        tmp_path,
        {"Stamm": german, "ALSFRS": visits},
        patients={
            "file": "klinik.xlsx",
            "sheet": "Stamm",
            "columns": {"sample_id": "Fallnummer", "sex": "Geschlecht"},
        },
        alsfrs={"file": "klinik.xlsx", "sheet": "ALSFRS", "columns": mapped},
    )
    cohort = read_cohort(open_cohort(tmp_path / "cohort.yaml"), plain_reading())
    assert cohort.patients["sex"].tolist() == ["female", "male"]
    assert cohort.alsfrs["total"].tolist() == [40, 44]


def test_a_column_that_a_table_does_not_have_is_refused(tmp_path):
    place = {"file": "klinik.xlsx", "sheet": "Stamm", "columns": {"sex": "Geschlecht"}}
    written(tmp_path, {"Stamm": PATIENTS}, patients=place)
    report = check_cohort(open_cohort(tmp_path / "cohort.yaml"))
    assert [one["where"] for one in report["problems"] if one["severity"] == "error"] == [
        "klinik.xlsx[Stamm], key patients.columns.sex"
    ]


@pytest.mark.parametrize(
    ("columns", "questioned"),
    [
        ({"sex": "Geschlecht"}, ["cohort file, key columns.sex"]),
        ({"agee": "Alter"}, ["cohort file, key columns.agee"]),
        ({"sex": "sex"}, []),
        ({"sample_id": "PatID"}, []),  # of another table
        ({"total": "Summe"}, []),  # of visits, which this cohort has not
    ],
)
def test_a_shared_name_that_no_table_has_is_pointed_at(tmp_path, columns, questioned):
    place = {"file": "klinik.xlsx", "sheet": "Stamm"}
    written(tmp_path, {"Stamm": PATIENTS}, patients=place, columns=columns)
    report = check_cohort(open_cohort(tmp_path / "cohort.yaml"))
    warned = [one["where"] for one in report["problems"] if one["severity"] == "warning"]
    assert warned == questioned


def test_every_row_of_a_problem_is_written_with_its_patient(tmp_path, capsys):
    people = [["Fallnr", "sex"], ["P1", "female"], ["P2", "divers"], ["P3", "x"], ["P4", "male"]]
    place = {"file": "klinik.xlsx", "sheet": "Stamm", "header_row": 2}
    place["columns"] = {"sample_id": "Fallnr"}
    written(tmp_path, {"Stamm": [["Export"], *people]}, patients=place)
    cohort, issues = str(tmp_path / "cohort.yaml"), tmp_path / "issues.csv"
    assert als_ml(["check", "--cohort", cohort, "--issues", str(issues), "--quiet"]) == 1
    table = pd.read_csv(issues, dtype=str, keep_default_na=False)
    columns = ["file", "sheet", "line", "sample_id", "column", "text"]
    assert table.loc[table["severity"] == "error", columns].to_numpy().tolist() == [
        ["klinik.xlsx", "Stamm", "4", "P2", "sex", "divers"],
        ["klinik.xlsx", "Stamm", "5", "P3", "sex", "x"],
    ]
    assert (table["remedy"] != "").any()


@pytest.mark.parametrize("name", ["issues.txt", "absent/issues.csv"])
def test_issues_that_cannot_be_written_are_refused_before_anything_is_read(tmp_path, name):
    written(tmp_path, {"Stamm": PATIENTS}, patients={"file": "klinik.xlsx", "sheet": "Stamm"})
    words = ["check", "--cohort", str(tmp_path / "cohort.yaml"), "--quiet"]
    assert als_ml([*words, "--issues", str(tmp_path / name)]) == 2
