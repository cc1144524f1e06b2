"""OMOP CDM 5.4: made-up persons in its schema, with the habits of Answer ALS, become an ordinary
cohort.
"""

import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.imports.omop import Release, import_omop, read_concepts
from features.catalogue import analytes, patient_columns, shipped
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from tests.cohorts import read

ITEM = {f"q{i}": 42529071 + i - 1 for i in range(1, 5)} | {"q5a": 42529075, "q5b": 42529076}
ITEM |= {f"q{i}": 42529077 + i - 6 for i in range(6, 13)} | {"total": 42529084}
CREATININE, MG_DL = 3016723, 8840


def person(name=1, sex=8507, **more):
    return {"person_id": name, "gender_concept_id": sex, "year_of_birth": 1960, **more}


def condition(concept, date, name=1):
    return {
        "person_id": name,
        "condition_concept_id": concept,
        "condition_start_date": date,
    }


def observed(concept, date, name=1, **value):
    empty = {"value_as_number": None, "value_as_concept_id": None, "value_as_string": None}
    facts = {"person_id": name, "observation_concept_id": concept, "observation_date": date}
    return {**facts, **empty, **value}


def visit(date, name=1, points=4, skipped=("q5b", "total"), **items):
    given = {item: points for item in ITEM if item not in skipped} | items
    return [observed(ITEM[item], date, name, value_as_number=n) for item, n in given.items()]


def measured(concept=CREATININE, value=1.0, date="2016-02-01", name=1, **more):
    facts = {"person_id": name, "measurement_concept_id": concept, "measurement_date": date}
    beside = {"unit_concept_id": MG_DL, "unit_source_value": None, "operator_concept_id": None}
    return {**facts, "value_as_number": value, **beside, **more}


ONSET = [condition(373182, "2015-06-01"), condition(2000000397, "2015-01-15")]


def imported(folder, concepts=None, kind="csv", **tables):
    source = folder / "cdm"
    source.mkdir(exist_ok=True)
    tables = {"person": [person()], "condition_occurrence": ONSET, **tables}
    tables.setdefault("observation", visit("2016-01-02"))
    for name, rows in tables.items():
        if kind == "csv":
            pd.DataFrame(rows).to_csv(source / f"{name.upper()}.csv", index=False)
        else:
            pd.DataFrame(rows).to_parquet(source / f"{name}.parquet")
    problems = Problems(collect=True)
    import_omop(source, folder / "cohort", problems, concepts)
    return read(folder / "cohort/cohort.yaml"), " ".join(
        f"{one.where}: {one.found}" for one in problems.found
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_days_age_and_items(tmp_path, kind):
    observation = visit("2016-01-02") + visit("2016-04-02", points=3, total=36)
    death = [{"person_id": 1, "death_date": "2017-01-01"}]
    cohort, told = imported(tmp_path, kind=kind, observation=observation, death=death)
    assert cohort.alsfrs["days"].tolist() == [0, 91]
    assert cohort.alsfrs["total"].tolist() == [48, 36]
    one = cohort.patients.iloc[0]
    assert (one["sample_id"], one["sex"], one["diagnosis"]) == ("1", "male", "als")
    assert (one["onset_days"], one["diagnosis_days"], one["death_days"]) == (-352, -215, 365)
    assert one["age_at_onset"] == 54.54  # born on 1 July 1960, onset on 15 January 2015
    assert one["last_contact_days"] == 91
    assert "1 births are known to the year or month" in told
    assert "1 dates of death are a 1 January" in told


def test_an_exact_birth(tmp_path):
    cohort, told = imported(tmp_path, person=[person(month_of_birth=1, day_of_birth=15)])
    assert cohort.patients["age_at_onset"].tolist() == [55.0]
    assert "births are known" not in told


def test_1900_is_no_date(tmp_path):
    conditions = [condition(373182, "1900-01-01"), condition(2000000397, "2015-01-15")]
    labs = [measured(date="1900-01-01"), measured(date="2016-01-03")]
    cohort, told = imported(tmp_path, condition_occurrence=conditions, measurement=labs)
    assert cohort.patients["diagnosis_days"].isna().all()
    assert cohort.biomarkers["days"].tolist() == [1]
    assert "cells of condition_start_date are 1900-01-01, no date" in told
    assert "values have no number or no date" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "value"),
    [
        (measured(value=1.2), 1.2),
        (measured(value=88.4, unit_concept_id=0, unit_source_value="umol/L"), 1.0),
        (measured(value=88.4, unit_concept_id=None, unit_source_value="labs+u (unit): µmol/l"), 1),
        (measured(value=0.2, operator_concept_id=4171756), 0.2 / 2**0.5),
        (measured(value=0.2, operator_concept_id=4172703), 0.2),
        (measured(value=0.2, operator_concept_id=0), 0.2),
    ],
)
def test_a_measurement(tmp_path, row, value):
    cohort, _ = imported(tmp_path, measurement=[row])
    assert cohort.biomarkers["analyte"].tolist() == ["creatinine_serum"]
    assert cohort.biomarkers["value"].tolist() == pytest.approx([value], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "message"),
    [
        (measured(concept=1), "1 values are of 1 other concepts (1: 1)"),
        (measured(value=None), "1 values have no number or no date"),
        (measured(unit_concept_id=None), "1 values have no unit"),
        (measured(unit_concept_id=8645), "a unit that does not fit (creatinine_serum in U/L: 1)"),
        (measured(operator_concept_id=5), "1 values have an unknown operator"),
        (measured(date="soon"), "1 cells of measurement_date are not dates"),
    ],
)
def test_what_is_left_out_is_counted(tmp_path, row, message):
    cohort, told = imported(tmp_path, measurement=[row])
    assert cohort.biomarkers.empty
    assert message in told


def test_the_vocabulary_names_what_the_map_does_not(tmp_path):
    vocabulary = [
        {"concept_id": 7, "concept_name": "Serum albumin"},
        {"concept_id": 8, "concept_name": "g/L"},
        {"concept_id": 9, "concept_name": "riluzole 50 MG Oral Tablet"},
    ]
    drugs = [{"person_id": 1, "drug_concept_id": 9, "drug_exposure_start_date": "2016-02-02"}]
    labs = [measured(concept=7, value=42, unit_concept_id=8)]
    cohort, _ = imported(tmp_path, concept=vocabulary, measurement=labs, drug_exposure=drugs)
    assert cohort.biomarkers["analyte"].tolist() == ["albumin_serum"]
    assert cohort.biomarkers["value"].tolist() == pytest.approx([4.2])
    assert cohort.patients["riluzole"].tolist() == ["yes"]
    assert cohort.patients["riluzole_start_days"].tolist() == [31]


def test_the_first_day_of_a_drug_by_any_of_its_names(tmp_path):
    drug = {"person_id": 1, "drug_concept_id": 0}
    drugs = [
        {**drug, "drug_exposure_start_date": "2016-03-03", "drug_source_value": "Riluzole 50mg"},
        {**drug, "drug_exposure_start_date": "2016-02-02", "drug_source_value": "RILUTEK"},
    ]
    cohort, _ = imported(tmp_path, drug_exposure=drugs)
    assert cohort.patients["riluzole_start_days"].tolist() == [31]
    assert cohort.patients["edaravone"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "site"),
    [
        ([4282006, 4200396, 4286959], "upper_limb"),
        ([2000002017, 4047485], "bulbar"),
        ([4282006], "limb"),
        ([4200396, 4267861], "limb"),
        ([4282006, 4200396, 4267861], "limb"),
        ([2000002017, 4282006], None),
        ([], None),
    ],
)
def test_site_of_onset(tmp_path, answers, site):
    asked = [observed(2000000396, "2016-01-02", value_as_concept_id=answer) for answer in answers]
    cohort, told = imported(tmp_path, observation=visit("2016-01-02") + asked)
    assert cohort.patients["onset_site"].tolist() == [site]
    assert ("several sites of onset" in told) == (len(answers) == 2 and site is None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("relatives", "history"),
    [
        ([(4051255, 373182)], "first_degree"),
        ([(4050943, 373182), (713135, 373182)], "second_degree"),
        ([(713135, 373182)], "wider"),
        ([(4051255, 378419)], "unknown"),  # Alzheimer's disease says nothing of ALS
        ([(4051255, 378419), (4050943, 373182)], "second_degree"),
        ([], None),
    ],
)
def test_family_history(tmp_path, relatives, history):
    asked = [observed(who, "2016-01-02", value_as_concept_id=what) for who, what in relatives]
    cohort, _ = imported(tmp_path, observation=visit("2016-01-02") + asked)
    assert cohort.patients["family_history"].tolist() == [history]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("observation", "message", "visits"),
    [
        (visit("2016-01-02", total=40), "1 totals differ from their items", 1),
        (visit("2016-01-02", q1=5), "1 points of q1 are not 0 to 4", 1),
        (visit("2016-01-02", q5b=2), "1 visits have q5a and q5b, which differ", 1),
        (
            [*visit("2016-01-02"), observed(ITEM["q1"], "2016-01-02", value_as_number=1)],
            "2 items are given twice in other points",
            1,
        ),
        (
            [*visit("2016-01-02"), observed(ITEM["q1"], "2016-03-02", value_as_string="four")],
            "1 items have no date or no points",
            1,
        ),
        ([*visit("2016-01-02"), *visit("1900-01-01")], "are 1900-01-01, no date", 1),
    ],
)
def test_dirt_of_visits(tmp_path, observation, message, visits):
    cohort, told = imported(tmp_path, observation=observation)
    assert len(cohort.alsfrs) == visits
    assert message in told


def test_who_has_no_als_is_neither_trained_nor_scored(tmp_path):
    people = [person(1), person(2), person(3, sex=8532)]
    conditions = [*ONSET, condition(2000002019, "2015-01-15", 2)]
    cohort, told = imported(tmp_path, person=people, condition_occurrence=conditions)
    assert cohort.patients["diagnosis"].tolist() == ["als", "mimic", "control"]
    assert "1 persons have another motor neuron disease" in told
    assert "1 persons have no ALS" in told


def test_concepts_of_ones_own(tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("kind,concept,ours\nmeasurement,77,nfl_serum\nunit,78,pg/mL\n")
    labs = [measured(concept=77, value=40, unit_concept_id=78)]
    cohort, _ = imported(tmp_path, own, measurement=labs)
    assert cohort.biomarkers["analyte"].tolist() == ["nfl_serum"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind,concept\n", "column 'ours' is missing"),
        ("kind,concept,ours\nlab,1,nfl_serum\n", "'lab' is not a kind of concept"),
        ("kind,concept,ours\nmeasurement,3016723,krea\n", "'krea' is not an analyte"),
    ],
)
def test_concepts_that_do_not_hold(tmp_path, text, message):
    own = tmp_path / "own.csv"
    own.write_text(text)
    with pytest.raises(RequestError, match=message):
        imported(tmp_path, own, measurement=[measured()])
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"condition_occurrence": [condition(1, "2015-01-01")]}, "nobody has a concept of ALS"),
        ({"person": [{"person_id": 1}]}, "the column 'gender_concept_id' is missing"),
    ],
)
def test_what_is_no_cohort(tmp_path, tables, message):
    with pytest.raises(DataError, match=message):
        imported(tmp_path, **tables)
    assert not (tmp_path / "cohort").exists()


def test_the_command(tmp_path, capsys):
    (tmp_path / "cdm").mkdir()
    words = ["import-omop", str(tmp_path / "cdm"), "--output", str(tmp_path / "cohort")]
    assert als_ml(words) == 1
    assert "there is no table `person`" in capsys.readouterr().err
    assert als_ml(["import-omop", str(tmp_path / "x"), "--output", str(tmp_path / "y")]) == 2


def test_what_concepts_mean_is_of_the_contract():
    meant = read_concepts().meant
    levels = patient_columns(shipped())["levels"]
    assert set(meant["sex"].values()) <= set(levels["sex"])
    assert set(meant["site"].values()) <= set(levels["onset_site"])
    assert set(meant["relative"].values()) <= set(levels["family_history"])
    assert set(meant["measurement"].values()) <= set(analytes(shipped()).index)
    assert sorted(meant["item"].values()) == sorted([*ITEM])


@pytest.mark.parametrize(
    ("birth", "told"),
    [
        ({"year_of_birth": "Mustermann"}, True),
        ({"year_of_birth": 1960, "month_of_birth": 13, "day_of_birth": 1}, True),
        ({"year_of_birth": 1960, "month_of_birth": 2, "day_of_birth": 30}, True),
        ({"year_of_birth": 1960, "month_of_birth": "May", "day_of_birth": 3}, True),
        ({"year_of_birth": "9" * 400}, True),
        ({"year_of_birth": None}, False),
        ({"year_of_birth": 1960, "month_of_birth": 2, "day_of_birth": 29}, False),
    ],
)
def test_a_birth_that_is_none_is_counted(tmp_path, birth, told):
    _, found = imported(tmp_path, person=[person(**birth)])
    assert ("1 births are no day, month and year" in found) == told
    assert "Mustermann" not in found


@pytest.mark.parametrize(("sex", "told"), [(8507, False), (8532, False), (0, False), (8521, True)])
def test_a_gender_of_neither_kind_is_counted(tmp_path, sex, told):
    _, found = imported(tmp_path, person=[person(sex=sex)])
    assert ("1 genders are neither female nor male" in found) == told


@pytest.mark.parametrize(
    ("date", "days", "told"),
    [
        ("1900-01-01", None, True),
        ("1900-01-02", -42368, False),
        ("2100-12-31", 31044, False),
        ("2101-01-01", None, True),
        ("9999-12-31", None, True),
        ("0001-01-01", None, True),
    ],
)
def test_a_date_that_stands_for_none_is_counted(tmp_path, date, days, told):
    release = Release(written_tables(tmp_path, date), problems := Problems(collect=True))
    found = release.dates(release.table("death"), "death_date", "death")
    expected = [] if days is None else [days]
    assert (found - pd.Timestamp("2016-01-02")).dt.days.dropna().tolist() == expected
    assert any("1900-01-01, no date" in one.found for one in problems.found) == told


def written_tables(folder, date):
    pd.DataFrame([person()]).to_csv(folder / "person.csv", index=False)
    death = [{"person_id": 1, "death_date": date}]
    pd.DataFrame(death).to_csv(folder / "death.csv", index=False)
    return folder


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "Mustermann"])
def test_persons_without_any_day_are_imported_and_told(tmp_path, value):
    """A value that is no number has no day 0 either; an empty table was a traceback."""
    other = [observed(1, "2016-01-02")]
    cohort, found = imported(tmp_path, observation=other, measurement=[measured(value=value)])
    assert "1 persons have dates, and no visit or value whose day could be day 0" in found
    assert len(cohort.patients) == 1
    assert "Mustermann" not in found
