"""Dirty cells and what becomes of each: a number, unknown, unclear (refused with its address) or
wrong.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import DataError
from features.tables.cells import Dialect, read_dates, read_values
from features.tables.days import days
from features.tables.files import read_coded
from features.tables.names import with_known_names
from features.tables.numbers import numbers
from features.tables.problems import Problems

ANY, POINT, COMMA = Dialect(), Dialect("."), Dialect(",")


def one(cell: str, dialect: Dialect, *others: str):
    read = read_values(np.array([cell, *others], dtype=object), dialect)
    if read.unclear[0] or read.wrong[0]:
        return "unclear" if read.unclear[0] else "wrong"
    return read.limit_word[0] or read.sign[0] + (
        "" if np.isnan(read.value[0]) else f"{read.value[0]:g}"
    )


@pytest.mark.parametrize(
    ("cell", "unstated", "point", "comma"),
    [
        ("1.5", "1.5", "1.5", "wrong"),
        ("1,5", "1.5", "wrong", "1.5"),
        ("0,125", "0.125", "wrong", "0.125"),
        ("1,234", "unclear", "1234", "1.234"),
        ("1.234", "1.234", "1.234", "1234"),
        ("1.234,5", "1234.5", "wrong", "1234.5"),
        ("1,234.5", "1234.5", "1234.5", "wrong"),
        ("1,234,567", "1.23457e+06", "1.23457e+06", "wrong"),
        ("1.234.567", "1.23457e+06", "wrong", "1.23457e+06"),
        ("1 234", "1234", "1234", "1234"),
        ("1\u00a0234\u00a0567", "1.23457e+06", "1.23457e+06", "1.23457e+06"),
        ("1'234.5", "1234.5", "1234.5", "wrong"),
        ("<2.7", "<2.7", "<2.7", "wrong"),
        ("< 2,7", "<2.7", "wrong", "<2.7"),
        ("\u2265500", ">500", ">500", ">500"),
        ("LOD", "below", "below", "below"),
        ("<LLOQ", "below", "below", "below"),
        ("> ULOQ", "above", "above", "above"),
        ("-", "", "", ""),
        ("not done", "", "", ""),
        ("ND", "wrong", "wrong", "wrong"),  # not done or not detected?
        ("haemolysed", "wrong", "wrong", "wrong"),
        ("12,34,5", "wrong", "wrong", "wrong"),
        ("inf", "wrong", "wrong", "wrong"),
        ("1e3", "1000", "1000", "1000"),
        ("+3", "3", "3", "3"),
    ],
)
def test_a_cell(cell, unstated, point, comma):
    assert [one(cell, dialect) for dialect in (ANY, POINT, COMMA)] == [unstated, point, comma]


def test_a_program_s_cell_has_no_thousands_separator():
    assert [one(cell, Dialect("plain")) for cell in ("1.5", "1,5", "1,234", "<2.7")] == [
        "1.5",
        "wrong",
        "wrong",
        "<2.7",
    ]


def test_other_cells_of_the_column_make_a_point_unclear():
    assert one("1.234", ANY) == "1.234"
    assert (
        one("1.234", ANY, "7,5") == "unclear"
    )  # a decimal comma in the column: 1.234 may be thousands
    assert one("<1.234", ANY, "7,5") == "unclear"
    assert one("1.23", ANY, "7,5") == "1.23"


@given(st.floats(-1e9, 1e9).map(lambda v: round(v, 4)))
def test_a_number_survives_each_dialect(value):
    plain = f"{value:.4f}"
    grouped = f"{value:,.4f}"
    german = grouped.replace(",", "_").replace(".", ",").replace("_", ".")
    assert read_values(np.array([plain], dtype=object), POINT).value[0] == value
    assert read_values(np.array([grouped], dtype=object), POINT).value[0] == value
    assert read_values(np.array([german], dtype=object), COMMA).value[0] == value


@pytest.mark.parametrize(
    ("cell", "dialect", "found"),
    [
        ("2024-02-29", ANY, "2024-02-29"),
        ("2024-02-29 00:00:00", ANY, "2024-02-29"),
        ("2024/2/9", ANY, "2024-02-09"),
        ("31.12.2024", ANY, "2024-12-31"),
        ("03.04.2024", ANY, "2024-04-03"),
        ("5-Jan-2024", ANY, "2024-01-05"),
        ("31/12/2024", ANY, "2024-12-31"),
        ("12/31/2024", ANY, "2024-12-31"),
        ("03/04/2024", ANY, "unclear"),
        ("03/04/2024", Dialect(dates="day_first"), "2024-04-03"),
        ("03/04/2024", Dialect(dates="month_first"), "2024-03-04"),
        ("2023-02-29", ANY, "wrong"),
        ("31.02.2024", ANY, "wrong"),
        ("3.4.24", ANY, "wrong"),
        ("soon", ANY, "wrong"),
    ],
)
def test_a_date(cell, dialect, found):
    read = read_dates(np.array([cell], dtype=object), dialect)
    assert found == (
        "unclear" if read.unclear[0] else "wrong" if read.wrong[0] else str(read.date[0])
    )


def test_one_plain_date_tells_the_order_of_the_column():
    read = read_dates(np.array(["03/04/2024", "25/04/2024"], dtype=object), ANY)
    assert list(read.date.astype(str)) == ["2024-04-03", "2024-04-25"]
    mixed = read_dates(np.array(["03/04/2024", "25/04/2024", "04/25/2024"], dtype=object), ANY)
    assert mixed.unclear.tolist() == [True, False, False]


def test_dates_become_days_since_the_own_index_date():
    column = pd.Series(["2024-01-11", "15", None, "11.01.2024"], dtype=object)
    index = np.array(["2024-01-01", "2024-01-01", "NaT", "2023-12-31"], dtype="datetime64[D]")
    found = days(column, "t", Problems(), dialect=ANY, index_dates=index)
    assert found.tolist()[:2] == [10, 15]
    assert np.isnan(found[2])
    assert found[3] == 11


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("2024-01-11", "line 2: '2024-01-11' is a date of a patient without index_date"),
        ("03/04/2024", "line 2: '03/04/2024' may be day or month first. Say `dates: day_first`"),
        ("45301", "line 2: '45301' is not a number of days"),  # a spreadsheet's serial number
        ("1.5", "line 2: '1.5' is not a whole day"),
        ("2024-13-01", "line 2: '2024-13-01' is not a number"),
    ],
)
def test_a_day_that_cannot_be(cell, message):
    with pytest.raises(DataError, match=message):
        days(pd.Series([cell], dtype=object), "t", Problems(), dialect=ANY)


def test_a_limit_is_no_plain_number():
    with pytest.raises(DataError, match="'<5' is not a number"):
        numbers(pd.Series(["4", "<5"], dtype=object), "t", Problems())


def test_csv_dialects_of_separators(tmp_path):
    for separator, suffix in ((";", "csv"), ("\t", "csv"), ("\t", "tsv"), (",", "csv")):
        path = tmp_path / f"t.{suffix}"
        path.write_bytes(
            f'\ufeffa{separator}"b c"\n 1 {separator}"x{separator}y"\nNA{separator}z\n'.encode()
        )
        table = read_coded(path)
        assert list(table.columns) == ["a", "b c"]
        assert [table["a"].iloc[0], table["b c"].iloc[0]] == ["1", f"x{separator}y"]
        assert [table["a"].isna().tolist(), table["b c"].iloc[1]] == [[False, True], "z"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this is not a readable table"),
        (b"a,b\n1\n", "this is not a readable table"),
        (b"a,a\n1,2\n", "column 'a' occurs twice"),
        (b"a,b\n1,\xb5mol\n", "save it as UTF-8"),
    ],
)
def test_a_broken_csv(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_coded(path)


def test_columns_under_other_names():
    problems = Problems(collect=True)
    table = pd.DataFrame({"Patient ID": ["a"], "Gender": ["f"], "sex": ["m"]})
    renamed = with_known_names(table, {"patient_id": "sample_id", "gender": "sex"}, "t", problems)
    assert list(renamed.columns) == [
        "sample_id",
        "Gender",
        "sex",
    ]  # a column with its own name wins
    assert "'Patient ID' as sample_id" in problems.found[0].found
    with pytest.raises(DataError, match=r"'Gender' and 'GENDER' could both be 'sex'. Say which"):
        with_known_names(
            pd.DataFrame({"Gender": [], "GENDER": []}), {"gender": "sex"}, "t", Problems()
        )
