"""Tables of the AMP ALS data model: made-up subjects of its classes become an ordinary cohort."""

import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.imports.amp_als import import_amp_als, read_slots
from features.catalogue import analytes, patient_columns, shipped
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from tests.cohorts import read

ITEMS = ["speech", "salivation", "swallowing", "handwriting", "cuttingFood", "dressing"]
ITEMS += ["turningInBed", "walking", "climbingStairs", "dyspnea", "orthopnea"]
ITEMS += ["respiratoryInsufficiency"]


def subject(name="S1", **more):
    facts = {"globalSubjectId": name, "sex": "Female", "disease": "sporadic ALS"}
    return {**facts, "ageDiseaseOnset": 60, **more}


def visit(date, name="S1", points=4, **more):
    return {"globalSubjectId": name, "assessmentDate": date, **dict.fromkeys(ITEMS, points), **more}


def imported(folder, slots=None, **tables):
    source = folder / "amp"
    source.mkdir(exist_ok=True)
    given = {"Subject": [subject()], "ALSFRSAssessment": [visit("2020-01-01")], **tables}
    for name, rows in given.items():
        pd.DataFrame(rows).to_csv(source / f"{name}.csv", index=False)
    problems = Problems(collect=True)
    import_amp_als(source, folder / "cohort", problems, slots)
    told = " ".join(f"{one.where}: {one.found}" for one in problems.found)
    return read(folder / "cohort/cohort.yaml"), told


def test_visits_count_from_the_first(tmp_path):
    rows = [visit("2020-01-01"), visit("2020-04-01T10:00:00", points=3, alsfrsTotal=36)]
    cohort, _ = imported(tmp_path, ALSFRSAssessment=rows)
    assert cohort.alsfrs["days"].tolist() == [0, 91]
    assert cohort.alsfrs["total"].tolist() == [48, 36]
    one = cohort.patients.iloc[0]
    assert (one["sex"], one["diagnosis"], one["age_at_onset"]) == ("female", "als", 60)
    assert one["family_history"] is None


def test_a_year_of_onset_carries_no_rate(tmp_path):
    cohort, _ = imported(tmp_path, Subject=[subject(yearOfSymptomOnset=2018)])
    assert cohort.patients["onset_days"].between(-730, -366).all()
    assert "onset_days" in cohort.patients["uncertain_dates"].iloc[0]


def test_vital_capacity(tmp_path):
    rows = [{"globalSubjectId": "S1", "assessmentDate": "2020-01-11", "fvcPercent": 80}]
    rows.append({**rows[0], "fvcPercent": None, "svcLiters": 3.1})
    cohort, _ = imported(tmp_path, PulmonaryFunction=rows)
    values = cohort.biomarkers.set_index("analyte")["value"]
    assert (values["fvc_pct"], values["svc_litres"]) == (80, 3.1)
    assert cohort.biomarkers["days"].tolist() == [10, 10]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disease", "diagnosis"),
    [
        ("C9-ALS", "als"),
        ("ALS-FTD", "als_ftd"),
        ("C9-FTD", "mimic"),
        ("Control", "control"),
        ("FTD, sporadic ALS", "als"),
        ("Gout", None),
    ],
)
def test_diseases(tmp_path, disease, diagnosis):
    rows = [subject(), subject("S2", disease=disease)]
    cohort, told = imported(tmp_path, Subject=rows)
    found = cohort.patients.set_index("sample_id")["diagnosis"]
    assert found.get("S2") == diagnosis
    assert ("1 subjects have another disease (Gout)" in told) == (diagnosis is None)
    assert cohort.patients["c9orf72_status"].isna().all()


def test_what_is_not_read_is_named(tmp_path):
    cohort, told = imported(
        tmp_path,
        Subject=[subject(zipCode="1"), subject(zipCode="1")],
        ALSFRSAssessment=[visit("2020-01-01"), visit("")],
    )
    assert "Subject.csv: 1 slots are not read (zipCode)" in told
    assert "1 rows repeat a subject" in told
    assert "1 rows have no date" in told
    assert len(cohort) == len(cohort.alsfrs) == 1


def test_slots_of_ones_own(tmp_path):
    own = tmp_path / "own.csv"
    own.write_text(
        "class,slot,table,ours,unit\nLab,globalSubjectId,biomarkers,sample_id,\n"
        "Lab,assessmentDate,biomarkers,days,\nLab,nfl,biomarkers,nfl_serum,pg/mL\n"
    )
    rows = [{"globalSubjectId": "S1", "assessmentDate": "2020-01-01", "nfl": 40}]
    cohort, _ = imported(tmp_path, own, Lab=rows)
    assert cohort.biomarkers["analyte"].tolist() == ["nfl_serum"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,slot\n", "column 'table' is missing"),
        ("class,slot,table,ours\nLab,nfl,lab,nfl_serum\n", "'lab' is not a table of a cohort"),
    ],
)
def test_slots_that_do_not_hold(tmp_path, text, message):
    own = tmp_path / "own.csv"
    own.write_text(text)
    with pytest.raises(RequestError, match=message):
        imported(tmp_path, own)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"Subject": [{"sex": "Female"}]}, "no column names the subject"),
        ({"ALSFRSAssessment": [{"globalSubjectId": "S1"}]}, "'assessmentDate' is missing"),
    ],
)
def test_what_is_no_cohort(tmp_path, tables, message):
    with pytest.raises(DataError, match=message):
        imported(tmp_path, **tables)
    assert not (tmp_path / "cohort").exists()


def test_the_command(tmp_path, capsys):
    (tmp_path / "amp").mkdir()
    words = ["import-amp-als", str(tmp_path / "amp"), "--output", str(tmp_path / "cohort")]
    assert als_ml(words) == 1
    assert "there is no table Subject" in capsys.readouterr().err


def test_slots_mean_columns_of_the_contract():
    slots = read_slots()
    of_patients = set(slots["ours"][slots["table"] == "patients"])
    assert of_patients <= set(patient_columns(shipped()).index)
    values = slots[(slots["table"] == "biomarkers") & (slots["unit"] != "")]
    assert set(values["ours"]) <= set(analytes(shipped()).index)
