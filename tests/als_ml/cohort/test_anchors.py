"""Days from the dates that a hospital has: day 0 by the first visit, the age at onset by a date of
birth.
"""

import pytest
import yaml

from als_ml.cohort.check import check_cohort
from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import open_cohort
from features.errors import DataError
from features.tables.problems import Problems

VISITS = "sample_id,days,total\nA,01.03.2020,40\nA,01.02.2020,41\nB,15.02.2020,30\n"


def written(folder, patients: str, visits: str = VISITS, **keys):
    (folder / "p.csv").write_text(patients)
    (folder / "v.csv").write_text(visits)
    content = {"patients": "p.csv", "alsfrs": "v.csv", **keys}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(content))
    return open_cohort(folder / "cohort.yaml")


def read(folder, patients: str, **keys):
    problems = Problems()
    cohort = read_cohort(written(folder, patients, **keys), plain_reading(), problems)
    return cohort, " ".join(f"{one.where}: {one.found}" for one in problems.found)


FIRST = {"index_date": "first_visit"}


def test_the_first_visit_is_day_0(tmp_path):
    patients = "sample_id,onset_days\nA,01.02.2019\nB,\n"
    cohort, told = read(tmp_path, patients, **FIRST)
    assert cohort.alsfrs["days"].tolist() == [0, 29, 0]  # 2020 is a leap year
    assert cohort.patients["onset_days"].tolist()[0] == -365
    assert "day 0 of 2 patients is their first ALSFRS visit" in told
    with pytest.raises(DataError, match="patient without index_date"):
        read(tmp_path, patients)


def test_a_stated_index_date_wins(tmp_path):
    patients = "sample_id,index_date\nA,2020-01-01\nB,\n"
    cohort, told = read(tmp_path, patients, **FIRST)
    assert cohort.alsfrs["days"].tolist() == [31, 60, 0]
    assert "day 0 of 1 patients" in told


def test_who_has_no_dated_visit_is_told(tmp_path):
    cohort, told = read(tmp_path, "sample_id,sex\nA,male\nB,male\nC,male\n", **FIRST)
    assert cohort.patients["index_date"].isna().tolist() == [False, False, True]
    assert "line 4: is empty, and the patient has no dated visit" in told


def test_age_at_onset_by_the_date_of_birth_which_is_not_kept(tmp_path):
    patients = "sample_id,Date of Birth,onset_days\nA,01.02.1960,01.02.2019\nB,,01.01.2019\n"
    cohort, told = read(tmp_path, patients, **FIRST)
    assert cohort.patients["age_at_onset"].round(1).tolist()[0] == 59.0
    assert cohort.patients["age_at_onset"].isna().tolist() == [False, True]
    assert not [name for name in cohort.patients if "birth" in str(name).lower()]
    assert "age_at_onset of 1 patients follows from birth_date" in told


def test_a_stated_age_wins_and_is_compared(tmp_path):
    head = "sample_id,birth_date,onset_days,age_at_onset\n"
    cohort, _ = read(tmp_path, f"{head}A,1960-02-01,2019-02-01,61\nB,,,\n", **FIRST)
    assert cohort.patients["age_at_onset"].tolist()[0] == 61  # 2.0 years apart
    with pytest.raises(DataError, match=r"'61\.1' is more than 2 years from what birth_date"):
        read(tmp_path, f"{head}A,1960-02-01,2019-02-01,61.1\nB,,,\n", **FIRST)


@pytest.mark.parametrize(
    ("born", "message"),
    [
        ("2018-06-01", "gives an age at onset below 1 or above 110"),
        ("1908-01-01", "gives an age at onset below 1 or above 110"),
        ("1960", "is a year, not a day"),
        ("02/1960", "is a month, not a day"),
    ],
)
def test_a_date_of_birth_that_cannot_be(tmp_path, born, message):
    patients = f"sample_id,birth_date,onset_days\nA,{born},2019-02-01\nB,,\n"
    with pytest.raises(DataError, match=message) as raised:
        read(tmp_path, patients, **FIRST)
    assert born not in str(raised.value) or len(born) < 10  # a whole one names a person


def test_a_year_of_birth_stands_at_its_middle_where_that_is_said(tmp_path):
    patients = "sample_id,birth_date,onset_days\nA,1960,2019-07-01\nB,,\n"
    cohort, _ = read(tmp_path, patients, partial_dates="middle", **FIRST)
    assert cohort.patients["age_at_onset"].round(1).tolist()[0] == 59.0


def test_without_an_index_date_no_age_follows(tmp_path):
    patients = "sample_id,birth_date,onset_days\nA,1960-01-01,-365\nB,,\n"
    visits = "sample_id,days,total\nA,0,40\n"
    cohort, told = read(tmp_path, patients, visits=visits)
    assert cohort.patients["age_at_onset"].isna().all()
    assert "no age follows from it: no patient has an index date" in told


@pytest.mark.parametrize("decimal", [None, ",", "."])
def test_age_at_onset_by_the_age_at_day_0(tmp_path, decimal):
    patients = "sample_id,age_at_baseline,onset_days\nA,60,01.02.2019\nB,,\n"
    keys = FIRST if decimal is None else {**FIRST, "decimal": decimal}
    cohort, told = read(tmp_path, patients, **keys)
    assert cohort.patients["age_at_onset"].round(2).tolist()[0] == 59.0
    assert "follows from age_at_index" in told


def test_check_reads_them_too(tmp_path):
    patients = "sample_id,birth_date,onset_days\nA,1960-02-01,2019-02-01\nB,,\n"
    report = check_cohort(written(tmp_path, patients, **FIRST))
    assert [one for one in report["problems"] if one["severity"] == "error"] == []


def test_a_date_of_two_meanings_is_told_once(tmp_path):
    patients = "sample_id,index_date,death_days\nA,2020-01-01,05-06-2021\n"
    visits = "sample_id,days,total\nA,2020-01-01,40\n"
    report = check_cohort(written(tmp_path, patients, visits))
    wrong = [one["found"] for one in report["problems"] if one["severity"] == "error"]
    assert wrong == ["'05-06-2021' may be day or month first"]
