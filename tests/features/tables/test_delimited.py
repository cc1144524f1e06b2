"""A table that cannot be read is told by its line; no reader's words repeat a cell of it."""

import gzip

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.cohort import in_parts
from features.errors import DataError
from features.tables.files import read_table
from features.tables.layout import Layout

NAME = "Mustermann"


def csv_text(line):
    """Line 4 is the one; a blank line and a cell of two lines come before it."""
    return f'sample_id,sex,note\n\nA,female,"two\nlines"\n{line}\nC,male,\n'


def packed(path, text):
    path.write_bytes(gzip.compress(text.encode()))


def plain(path, text):
    path.write_text(text)


def tabs(path, text):
    path.write_text(text.replace(",", "\t"))


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.csv", plain), ("a.csv.gz", packed), ("a.tsv", tabs), ("a.txt", tabs)],
)
@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"B,{NAME},,", "(line 5 has 4 cells, and its header 3)"),
        (f"{NAME},male", "(line 5 has 2 cells, and its header 3)"),
        (NAME, "(line 5 has 1 cells, and its header 3)"),
        (f'"{NAME}"x,male,,', "(line 5 has 4 cells, and its header 3)"),
        (f'B,male,"{NAME}', "line 5: a quote opens a cell and none closes it"),
        (f'B,male,"{NAME}\nD,male,"x', "line 5: a quote opens a cell and none closes it"),
        (f'B,male,"{NAME}"x', "line 5: a quote opens a cell and none closes it"),
        (f"B,male,{NAME}", None),
        (f'B,male,5" {NAME}', None),
        (f'B,male,"""{NAME}"" and\nmore"', None),
    ],
)
def test_a_broken_line_is_named_and_not_repeated(name, write, line, found, tmp_path):
    path = tmp_path / name
    write(path, csv_text(line))
    if found is None:
        assert read_table(path)["sample_id"].tolist() == ["A", "B", "C"]
        return
    with pytest.raises(DataError) as told:
        read_table(path)
    assert found in str(told.value)
    assert NAME not in str(told.value)


def test_a_quote_that_nothing_closes_costs_no_patient_in_silence(tmp_path, capsys):
    """Arrow reads the rest of the file as one cell of a column that nobody asks for."""
    rows = "".join(f"P{i},male,ok\n" for i in range(50))
    (tmp_path / "p.csv").write_text('sample_id,sex,note\nA,male,"open\n' + rows)
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\n")
    assert als_ml(["check", "--cohort", str(tmp_path / "cohort.yaml")]) == 1
    assert "line 2: a quote opens a cell" in capsys.readouterr().out


def test_lines_are_those_of_the_file_where_the_header_is_not_its_first(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"Clinic\n\na,b\n1,2\n{NAME}\n")
    with pytest.raises(DataError, match=r"line 5 has 1 cells, and its header 2"):
        read_table(path, Layout(header_row=3))


def test_a_line_of_another_count_that_python_counts_otherwise_has_no_number(tmp_path):
    """A cell longer than Python's reader takes, before the broken line."""
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n1,{'x' * 200_000}\n{NAME}\n")
    with pytest.raises(DataError, match=r"\(a line has 1 cells, and its header 2\)"):
        read_table(path)


def workbook(path):
    pd.DataFrame({"sample_id": [NAME]}).to_excel(path, index=False)


def parquet(path):
    """A day that nanoseconds cannot hold, which is what Arrow says with the day's number."""
    days = pa.array([-62135596800000000], pa.timestamp("us"))
    pq.write_table(pa.table({"sample_id": [NAME], "day": days}), path)


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.xlsx", workbook), ("a.parquet", parquet)],
)
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_a_typed_file_that_is_cut_repeats_nothing(name, write, cut, tmp_path):
    path = tmp_path / name
    write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(DataError, match="not a readable table") as told:
        read_table(path)
    assert NAME not in str(told.value)


def test_a_day_of_year_one_is_read_from_parquet(tmp_path):
    parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["day"].tolist()[0].startswith("0001-01-01")


@pytest.mark.parametrize("line", [f"B,{NAME},,", f'B,male,"{NAME}', f'B,"{NAME}\nx"y,'])
def test_a_large_table_that_is_read_in_parts_is_told_alike(line, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(csv_text(line))
    with pytest.raises(DataError, match="line 5") as told:
        list(in_parts._delimited_batches(path, Layout()))
    assert NAME not in str(told.value)
    path.write_text(csv_text("B,male,"))
    assert sum(len(batch) for batch in in_parts._delimited_batches(path, Layout())) == 3
