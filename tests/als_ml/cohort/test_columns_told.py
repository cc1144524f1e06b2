"""`check` says of every column what it is read as and how full it is; of one that is not read the
form of its cells, and what it may be.
"""

import json
from functools import partial

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main as als_ml
from als_ml.cohort.check import check_cohort
from als_ml.cohort.columns_told import common_form, form_of
from als_ml.cohort.source import open_cohort
from als_ml.config import Config
from als_ml.training.preview import preview_of
from features.errors import RequestError

PERSON = "Erika Mustermann"
PEOPLE = f"sample_id,sex,Alter bei Beginn,Hausarzt\nA,f,50,{PERSON}\nB,m,,\nC,m,61,{PERSON}\n"
VISITS = "sample_id,days,total,Bemerkung\nA,0,40,x\nA,90,38,\nB,,30,\nC,0,44,\n"


def checked(folder, people=PEOPLE, visits=VISITS, **keys):
    (folder / "p.csv").write_text(people)
    (folder / "v.csv").write_text(visits)
    content = {"patients": "p.csv", "alsfrs": "v.csv", **keys}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(content))
    return check_cohort(open_cohort(folder / "cohort.yaml"))


def told(report, severity: str) -> list[str]:
    return [
        f"{one['where']}: {one['found']}. {one['remedy']}"
        for one in report["problems"]
        if one["severity"] == severity
    ]


def test_every_column_with_its_completeness(tmp_path):
    rows = checked(tmp_path)["columns"]
    assert [(row["column"], row["read_as"], row["filled"]) for row in rows] == [
        ("sample_id", "sample_id", 100.0),
        ("sex", "sex", 100.0),
        ("Alter bei Beginn", "", 66.7),
        ("Hausarzt", "", 66.7),
        ("sample_id", "sample_id", 100.0),
        ("days", "days", 75.0),
        ("total", "total", 100.0),
        ("Bemerkung", "", 25.0),
    ]


def test_a_column_that_looks_like_ours_is_a_warning_with_the_line_to_write(tmp_path):
    report = checked(tmp_path)
    (warned,) = [one for one in told(report, "warning") if "Alter" in one]
    assert warned == (
        "p.csv: the column 'Alter bei Beginn' (99, 67 % filled) is not read. Is it age_at_onset?"
        " Then say `columns: {age_at_onset: Alter bei Beginn}` of this table."
    )
    mapped = {"file": "p.csv", "columns": {"age_at_onset": "Alter bei Beginn"}}
    assert not [
        one for one in told(checked(tmp_path, patients=mapped), "warning") if "Alter" in one
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Age at onsett", "age_onsett", "Edad de inicio", "DOD"])
def test_slips_and_other_languages(tmp_path, name):
    report = checked(tmp_path, PEOPLE.replace("Alter bei Beginn", name))
    (warned,) = [one for one in told(report, "warning") if name in one]
    assert ("death_days" if name == "DOD" else "age_at_onset") in warned


def test_no_cell_is_repeated(tmp_path):
    report = checked(tmp_path)
    assert PERSON not in json.dumps(report)
    assert ("Hausarzt", "abc abc") in [(row["column"], row["form"]) for row in report["columns"]]
    noted = " ".join(told(report, "note"))
    assert "v.csv: 1 columns are not read: 'Bemerkung' (abc, 25 % filled)" in noted


def test_a_visit_without_a_day_is_told(tmp_path):
    warned = told(checked(tmp_path), "warning")
    assert any(
        "v.csv, column days, line 4: is empty: the visit is left out" in one for one in warned
    )


def test_two_scales_are_counted(tmp_path):
    visits = "sample_id,days,total,scale\nA,0,40,\nB,0,30,alsfrs\nC,0,44,\n"
    noted = told(checked(tmp_path, visits=visits), "note")
    assert any("2 on the ALSFRS-R, 1 on the ALSFRS" in one for one in noted)
    one_scale = told(checked(tmp_path, visits=visits.replace("alsfrs\n", "\n")), "note")
    assert not any("two scales" in one for one in one_scale)


def test_the_command_prints_what_is_read(tmp_path, capsys):
    checked(tmp_path)
    assert als_ml(["check", "--cohort", str(tmp_path / "cohort.yaml")]) == 0
    out = capsys.readouterr().out
    assert "p.csv: read, and how full: sample_id 100 %, sex 100 %\n" in out
    assert "p.csv: unknown to the contract: Alter bei Beginn (99) 67 %, Hausarzt (abc abc)" in out
    assert PERSON not in out


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("31.12.2019", "99.99.9999"),
        ("Müller", "abc"),
        ("P-0032_x", "abc-9999_abc"),
        ("", ""),
        ("a b c d e f g h i j", "abc abc abc abc abc abc ..."),
    ],
)
def test_forms(cell, form):
    assert form_of(cell) == form


def test_the_commonest_form():
    assert common_form(pd.Series(["1", "2", "x"])) == "9"
    assert common_form(pd.Series(["x", "y", "1"])) == "abc"
    assert common_form(pd.Series([None, None], dtype=object)) == ""
    assert common_form(pd.Series([1.0, None])) == "a number"


@pytest.mark.parametrize(
    ("task", "keys", "warned"),
    [("progression", {"alsfrs": None}, True), ("progression", {}, False), ("familial", {}, False)],
)
def test_a_table_that_a_task_needs(tmp_path, task, keys, warned):
    checked(tmp_path)
    content = {"patients": "p.csv", "alsfrs": "v.csv", **keys}
    content = {key: value for key, value in content.items() if value}
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump(content))
    config = Config.model_validate({"task": task, "cohort": "c"})
    source = open_cohort(tmp_path / "cohort.yaml")
    report = check_cohort(source, beside=partial(preview_of, config, source.described))
    found = any("it names no alsfrs table" in one for one in told(report, "warning"))
    assert found == warned
    assert any("features of the block biomarkers" in one for one in told(report, "note"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sex": {"f": "femle"}}, "key values.sex.f: 'femle' is not a value of sex. Did you mean"),
        ({"sex": {"f": "Female", "m": "male"}}, None),
        ({"ftd": {"ja": "true"}}, None),
        ({"ftd": {"ja": "hoch"}}, "'hoch' is not a value of ftd"),
    ],
)
def test_words_get_values_that_there_are(tmp_path, values, message):
    people = PEOPLE.replace("Hausarzt", "ftd").replace(PERSON, "ja")
    given = {"ftd": {"ja": "yes"}, **values}
    if message is None:
        assert told(checked(tmp_path, people, values=given), "error") == []
    else:
        with pytest.raises(RequestError, match=message):
            checked(tmp_path, people, values=given)


def test_the_foot_of_a_table_is_asked_about(tmp_path):
    report = checked(tmp_path, f"{PEOPLE}Stand 1.1.2024,,,\n")
    (warned,) = [one for one in told(report, "warning") if "one filled cell" in one]
    assert warned.startswith("p.csv, line 5: has one filled cell alone: is it a patient?")
    assert "one filled cell" not in str(told(checked(tmp_path), "warning"))
    only_ids = checked(tmp_path, "sample_id\nA\nB\nC\n")
    assert "one filled cell" not in str(told(only_ids, "warning"))
