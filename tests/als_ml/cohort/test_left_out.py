"""What a cohort file leaves out: named patients, cells that cannot be read, patients with an error.
Nothing by default, and never without a count.
"""

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main as als_ml
from als_ml.cohort.check import check_cohort
from als_ml.cohort.in_parts import large_cohort
from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import open_cohort
from als_ml.tracking.documents import left_out
from features.errors import DataError, RequestError
from features.tables.problems import Problem, Problems
from tests import cohorts
from tests.vcf_files import write_vcf

PATIENTS = "sample_id,sex,age_at_onset\nA,female,50\nB,divers,x\nC,male,60\n007,male,70\n"
VISITS = "sample_id,days,total\nA,0,40\nB,0,41\nC,0,42\nC,90,high\nC,180,30\n007,0,33\n"


def written(folder, patients=PATIENTS, visits=VISITS, **keys):
    (folder / "p.csv").write_text(patients)
    (folder / "v.csv").write_text(visits)
    content = {"patients": "p.csv", "alsfrs": "v.csv", **keys}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(content))
    return open_cohort(folder / "cohort.yaml")


def read(folder, **keys):
    problems = Problems()
    return read_cohort(written(folder, **keys), plain_reading(), problems), problems.found


def test_the_first_wrong_cell_stops_by_default(tmp_path):
    with pytest.raises(DataError, match="'divers' is not a known value"):
        read(tmp_path)


def test_a_wrong_cell_counts_as_unknown_where_the_user_says_so(tmp_path):
    cohort, found = read(tmp_path, on_error="drop_value")
    assert cohort.patients["sex"].tolist() == ["female", None, "male", "male"]
    assert cohort.patients["age_at_onset"].isna().tolist() == [False, True, False, False]
    assert cohort.alsfrs["total"].isna().sum() == 1
    dropped = [one for one in found if one.code == "left_out"]
    assert [(one.severity, one.count) for one in dropped] == [("warning", 1)] * 3
    assert all("so it counts as unknown" in one.found for one in dropped)
    assert left_out(found) == {"cells that could not be read (`on_error: drop_value`)": 3}


def test_what_contradicts_itself_is_no_wrong_cell(tmp_path):
    twice = VISITS.replace("C,90,high\n", "C,0,39\n")
    with pytest.raises(DataError, match="occurs twice with other points"):
        read(tmp_path, visits=twice, on_error="drop_value")


def test_a_patient_with_an_error_is_left_out_where_the_user_says_so(tmp_path):
    cohort, found = read(tmp_path, on_error="drop_patient")
    assert cohort.patients["sample_id"].tolist() == ["A", "007"]
    assert cohort.alsfrs["total"].tolist() == [40, 33]
    (dropped,) = [one for one in found if one.code == "left_out"]
    assert (dropped.severity, dropped.count) == ("warning", 2)
    assert "2 patients with an error" in dropped.found
    assert "cell_number 2, cell_word 1" in dropped.found
    assert left_out(found) == {
        "patients with an error in a table (`on_error: drop_patient`)": 2,
    }


@pytest.mark.parametrize("twice", ["C,0,39\n", "C,-400,39\n"])
def test_so_is_one_who_contradicts_himself(tmp_path, twice):
    visits = VISITS.replace("C,90,high\n", twice) + "B,-400,1\nB,-400,2\n"
    cohort, _ = read(tmp_path, visits=visits, on_error="drop_patient")
    kept = ["A", "007"] if ",0," in twice else ["A", "C", "007"]
    assert cohort.patients["sample_id"].tolist() == kept


def test_nothing_is_left_out_where_nothing_is_wrong(tmp_path):
    right = PATIENTS.replace("divers,x", "female,40")
    visits = VISITS.replace("high", "38")
    for policy in ("stop", "drop_value", "drop_patient"):
        cohort, found = read(tmp_path, patients=right, visits=visits, on_error=policy)
        assert len(cohort) == 4
        assert left_out(found) == {}


def test_named_patients_are_left_out_of_all_tables(tmp_path):
    cohort, found = read(tmp_path, exclude=["B", "C"], patients=PATIENTS, visits=VISITS + "Z,0,1\n")
    assert cohort.patients["sample_id"].tolist() == ["A", "007"]
    assert cohort.alsfrs["row"].tolist() == [0, 1]
    told = {one.where: (one.count, one.found) for one in found}
    assert told["cohort file, key exclude"] == (2, "2 patients are left out")
    assert told["v.csv, column sample_id, line 8"][0] == 1  # Z alone is of no patient


def test_an_id_is_compared_as_it_is_written(tmp_path):
    text = "patients: p.csv\nalsfrs: v.csv\non_error: drop_value\nexclude: [007, A]\n"
    written(tmp_path)
    (tmp_path / "cohort.yaml").write_text(text)
    cohort = read_cohort(open_cohort(tmp_path / "cohort.yaml"), plain_reading())
    assert cohort.patients["sample_id"].tolist() == ["B", "C"]


def test_a_name_that_nobody_has_is_told(tmp_path):
    _, found = read(tmp_path, exclude=["B", "C", "7"])
    assert any("1 of its names are of no patient (7)" in one.found for one in found)


def test_a_line_is_that_of_the_file_though_rows_before_it_are_left_out(tmp_path):
    source = written(tmp_path, exclude=["A"])
    where = [one["where"] for one in check_cohort(source)["problems"] if one["severity"] == "error"]
    assert where == [
        "p.csv, column sex, line 3",
        "p.csv, column age_at_onset, line 3",
        "v.csv, column total, line 5",
    ]


def test_issues_name_file_sheet_line_patient_and_cell(tmp_path):
    written(tmp_path)
    issues = tmp_path / "issues.csv"
    words = ["check", "--cohort", str(tmp_path / "cohort.yaml"), "--issues", str(issues), "--quiet"]
    assert als_ml(words) == 1
    table = pd.read_csv(issues, dtype=str, keep_default_na=False)
    columns = ["file", "sheet", "line", "sample_id", "column", "text"]
    assert table.loc[table["severity"] == "error", columns].to_numpy().tolist() == [
        ["p.csv", "", "3", "B", "sex", "divers"],
        ["p.csv", "", "3", "B", "age_at_onset", "x"],
        ["v.csv", "", "5", "C", "total", "high"],
    ]


def test_a_large_cohort_leaves_out_the_same(tmp_path):
    source = written(tmp_path, exclude=["A"], on_error="drop_value")
    problems = Problems()
    with large_cohort(source, plain_reading(), problems, size=2) as cohort:
        parts = [cohort.part(number, problems) for number in range(cohort.parts)]
    assert [part.patients["sample_id"].tolist() for part in parts] == [["B", "C"], ["007"]]
    assert [part.alsfrs["days"].tolist() for part in parts] == [[0, 0, 90, 180], [0]]
    assert sum(left_out(problems.found).values()) == 4  # one patient, three cells
    refused = written(tmp_path, on_error="drop_patient")
    with (
        pytest.raises(RequestError, match="drop_patient is not for a cohort that is read in parts"),
        large_cohort(refused, plain_reading(), problems, size=2),
    ):
        pass


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"on_error": "ignore"}, "key on_error: 'ignore'"), ({"exclude": "A"}, "key exclude")],
)
def test_what_cannot_be_said(tmp_path, keys, message):
    with pytest.raises(RequestError, match=message):
        written(tmp_path, **keys)


def test_records_of_genomes_do_not_count(tmp_path):
    made = {"severity": "warning", "found": "3 records", "remedy": "", "count": 3}
    genome = Problem(**made, where="a.vcf.gz", code="left_out")
    assert left_out([genome, Problem(**made, where="a.csv", code="row_twice")]) == {}


def with_map(folder, lines):
    """A cohort of two patients, a genome each, and a map of names."""
    write_vcf(folder / "v.vcf", ["x", "B"], ["21 31659783 C T PASS 0/1 0/0"])
    (folder / "p.csv").write_text("sample_id,sex\nA,female\nB,male\n")
    (folder / "m.csv").write_text("sample_id,vcf_id\n" + lines)
    path = folder / "cohort.yaml"
    path.write_text("patients: p.csv\nvariants: v.vcf\nsample_map: m.csv\n")
    problems = Problems(collect=True)
    cohort = cohorts.read(path, problems)
    ids = cohort.patients["sample_id"].tolist()
    carriers = [ids[row] for row in cohort.genotypes.alleles["row"]]
    return carriers, [one.found for one in problems.found]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("A,x\n", None),
        ("A,x\nA,x\n", None),
        ("A,x\nB,B\n", None),
        ("A,x\nB,\n", "1 rows lack a sample_id or a vcf_id"),
        ("A,x\n,B\n", "1 rows lack a sample_id or a vcf_id"),
    ],
)
def test_a_map_of_names_with_empty_cells_is_read_and_they_are_counted(lines, told, tmp_path):
    carriers, found = with_map(tmp_path, lines)
    assert carriers == ["A"]
    assert [one for one in found if "lack a sample_id" in one] == ([told] if told else [])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("A,x\nA,B\n", r"m.csv, column sample_id: 1 are there twice.*\(A\)"),
        ("A,x\nB,x\n", r"m.csv, column vcf_id: 1 are there twice.*\(x\)"),
        ("A,B\n", r"m.csv, column vcf_id: .* the names of two patients \(B\)"),
    ],
)
def test_no_patient_gets_the_genome_of_another(lines, message, tmp_path):
    """The later line won, and the other patient had no genome, without a word."""
    with pytest.raises(DataError, match=message):
        with_map(tmp_path, lines)


def test_pairs_of_others_are_counted(tmp_path):
    (tmp_path / "p.csv").write_text("sample_id,sex\nA,female\nB,male\n")
    (tmp_path / "k.tsv").write_text("id1\tid2\tkinship\nA\tB\t0.25\nA\tZ\t0.25\nA\tB\t\n")
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\nkinship: k.tsv\n")
    problems = Problems(collect=True)
    cohorts.read(tmp_path / "cohort.yaml", problems)
    told = [one.found for one in problems.found]
    assert "2 pairs lack a kinship, or are not of two patients" in told
