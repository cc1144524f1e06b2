"""What each step of the import of AMP ALS tables keeps, cell by cell."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.imports.amp_als import (
    DIAGNOSES,
    SUBJECT,
    TABLES,
    VISITS,
    _dated,
    _diagnosis,
    _files,
    _patients,
    _renamed,
    _values,
    import_amp_als,
    read_slots,
)
from features.errors import DataError, RequestError, nearest
from features.tables.problems import Problems

COLUMNS = ["class", "slot", "table", "ours", "unit"]
SLOTS = pd.DataFrame(
    [
        ("Subject", "globalId", "patients", "sample_id", ""),
        ("Subject", "ownId", "patients", "sample_id", ""),
        ("Subject", "heightCm", "biomarkers", "height", "cm"),
        ("Subject", "total", "alsfrs", "total", ""),
        ("Lab", "globalId", "biomarkers", "sample_id", ""),
        ("Lab", "day", "biomarkers", "days", ""),
        ("Lab", "nfl", "biomarkers", "nfl_serum", "pg/mL"),
        ("Lab", "ck", "biomarkers", "ck_serum", "U/L"),
        ("Other", "nfl", "biomarkers", "nfl_csf", "ng/L"),
    ],
    columns=COLUMNS,
)


def told(problems):
    return [(one.severity, one.where, one.found, one.count) for one in problems.found]


def written(folder, **tables):
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    return {path.stem.lower(): path for path in folder.glob("*.csv")}


@pytest.mark.parametrize(
    ("cell", "diagnosis"),
    [
        ("Control", "control"),
        ("C9-ALS", "als"),
        ("sporadic ALS", "als"),
        ("ALS", "als"),
        ("ALS-FTD", "als_ftd"),
        ("FTD", "mimic"),
        ("C9-FTD", "mimic"),
        ("Gout", None),
        ("", None),
        # Of several the one that says most of ALS.
        ("FTD,ALS", "als"),
        ("ALS, ALS-FTD", "als_ftd"),
        ("[Control, FTD]", "mimic"),
        ("[ALS]", "als"),
        ("Gout, Control", "control"),
    ],
)
def test_a_diagnosis(cell, diagnosis):
    assert _diagnosis(cell) == diagnosis
    assert set(DIAGNOSES.values()) == {"als", "als_ftd", "mimic", "control"}
    assert (SUBJECT, VISITS) == ("Subject", "ALSFRSAssessment")
    assert TABLES == ("patients", "alsfrs", "biomarkers")


def test_subjects_count_once_and_have_a_disease_that_is_known():
    problems = Problems(collect=True)
    table = pd.DataFrame(
        {
            "sample_id": ["A", "B", "A", "C", "D"],
            "height": [170, 171, 172, 173, 174],
            "diagnosis": ["ALS", "Gout", "Control", None, "Gout"],
            "onset_days": ["2018", "2019.0", "2020", "x", ""],
            "sex": list("fmfmf"),
        }
    )
    found = _patients(table, problems)
    assert found.columns.tolist() == ["sample_id", "diagnosis", "onset_days", "sex"]
    assert found["sample_id"].tolist() == ["A", "C"]
    assert found["diagnosis"].isna().tolist() == [False, True]
    assert found["diagnosis"].iloc[0] == "als"
    assert found["onset_days"].iloc[0] == "2018"
    assert found["onset_days"].isna().tolist() == [False, True]
    assert told(problems) == [
        ("warning", "Subject", "1 rows repeat a subject", 1),
        ("warning", "Subject", "2 subjects have another disease (Gout)", 2),
    ]


def test_subjects_of_whom_little_is_known():
    problems = Problems(collect=True)
    table = pd.DataFrame({"sample_id": ["A", "B"], "diagnosis_days": [2017.0, np.nan]})
    found = _patients(table, problems)
    assert found["diagnosis_days"].iloc[0] == "2017"
    assert found["diagnosis_days"].isna().tolist() == [False, True]
    assert found.columns.tolist() == ["sample_id", "diagnosis_days"]
    assert told(problems) == []


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2020-01-31", "2020-01-31"),
        ("2020-01-31T23:59:00+05:00", "2020-01-31"),  # its own day, not that of Greenwich
        ("2020-01-31 10:00", "2020-01-31"),
        ("2020-02-30", None),
        ("soon", None),
        (None, None),
        (np.nan, None),
    ],
)
def test_a_row_counts_on_the_day_of_its_date(cell, day):
    problems = Problems(collect=True)
    table = pd.DataFrame({"sample_id": ["A", "B"], "days": ["2019-05-01", cell]})
    found = _dated(table, "Lab", problems)
    assert found["days"].tolist() == ["2019-05-01", *([day] if day else [])]
    assert found["sample_id"].tolist() == ["A", "B"][: len(found)]
    assert told(problems) == ([] if day else [("warning", "Lab", "1 rows have no date", 1)])


def test_a_table_that_nothing_dates():
    with pytest.raises(DataError, match="Lab: the slot 'assessmentDate' is missing"):
        _dated(pd.DataFrame({"sample_id": ["A"]}), "Lab", Problems())


def test_columns_get_our_names(tmp_path):
    """However they are spelled, of this class, for this table or a measurement; the first of two
    that mean the same.
    """
    rows = [{"OwnID": 8, "globalid": 7.0, "zip": "1", "HEIGHTCM": 170, "total": 3, "nfl": 4}]
    problems = Problems(collect=True)
    found = _renamed(written(tmp_path, Subject=rows), SLOTS, "Subject", "patients", problems)
    assert found.to_dict("list") == {"sample_id": ["8"], "height": ["170"]}
    what = "4 slots are not read (globalid, zip, total, nfl)"
    assert told(problems) == [("note", "Subject.csv", what, 4)]
    assert problems.found[0].remedy == "A line of --slots reads one."


def test_every_column_may_be_read(tmp_path):
    problems = Problems(collect=True)
    rows = [{"globalId": "A.0", "heightCm": 170}, {"globalId": None, "heightCm": 1}]
    found = _renamed(written(tmp_path, Subject=rows), SLOTS, "Subject", "patients", problems)
    assert found["sample_id"].iloc[0] == "A"
    assert found["sample_id"].isna().tolist() == [False, True]
    assert told(problems) == []


def test_a_table_without_subjects(tmp_path):
    files = written(tmp_path, Subject=[{"heightCm": 170}])
    with pytest.raises(DataError, match=r"Subject\.csv: no column names the subject"):
        _renamed(files, SLOTS, "Subject", "patients", Problems())


def test_values_of_every_class_that_is_there(tmp_path):
    """One row a value, with the unit of its slot; subjects have no date, `Other` has no table."""
    lab = [
        {"globalId": "A", "day": "2020-01-01", "nfl": "40", "ck": "150", "zip": "1"},
        {"globalId": "A", "day": "2020-02-01", "nfl": None, "ck": "200"},
        {"globalId": "B", "day": None, "nfl": 1, "ck": 2},
    ]
    subject = [{"globalId": "A", "heightCm": 170}]
    problems = Problems(collect=True)
    found = _values(written(tmp_path, Lab=lab, Subject=subject), SLOTS, problems)
    assert found.to_numpy().tolist() == [
        ["A", "2020-01-01", "nfl_serum", "40", "pg/mL"],
        ["A", "2020-01-01", "ck_serum", "150", "U/L"],
        ["A", "2020-02-01", "ck_serum", "200", "U/L"],
    ]
    columns = ["sample_id", "days", "analyte", "value", "unit"]
    assert found.columns.tolist() == columns
    assert found.index.tolist() == [0, 1, 2]
    assert told(problems) == [
        ("note", "Lab.csv", "1 slots are not read (zip)", 1),
        ("warning", "Lab", "1 rows have no date", 1),
    ]
    none = _values({}, SLOTS, problems)
    assert (len(none), none.columns.tolist()) == (0, columns)


@pytest.mark.parametrize("lacks", ["Subject", "ALSFRSAssessment"])
def test_subjects_and_visits_are_needed(tmp_path, lacks):
    for name in ("Subject", "ALSFRSAssessment", "Lab"):
        (tmp_path / f"{name}.release.1.csv").touch()
    (tmp_path / "README").touch()
    found = _files(tmp_path)
    assert sorted(found) == ["alsfrsassessment", "lab", "subject"]
    assert found["lab"] == tmp_path / "Lab.release.1.csv"
    (tmp_path / f"{lacks}.release.1.csv").unlink()
    with pytest.raises(DataError, match=f"there is no table {lacks}") as told_of:
        _files(tmp_path)
    assert str(tmp_path) in str(told_of.value)


def test_lines_of_ones_own_count_before_ours(tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("class,slot,table,ours,unit\nLab,nfl,biomarkers,nfl_serum,\n")
    shipped = read_slots()
    found = read_slots(own)
    assert found[COLUMNS].iloc[0].tolist() == ["Lab", "nfl", "biomarkers", "nfl_serum", ""]
    assert found.index.tolist() == list(range(len(shipped) + 1))
    assert found["slot"].tolist()[1:] == shipped["slot"].tolist()
    assert not shipped.isna().any().any()
    own.write_text("class,slot,table,ours\nLab,nfl,patients,sex\n")
    assert read_slots(own)["unit"].iloc[0] == ""


@pytest.mark.parametrize("lacks", ["class", "slot", "table", "ours"])
def test_slots_need_four_columns(tmp_path, lacks):
    own = tmp_path / "own.csv"
    row = {"class": "Lab", "slot": "nfl", "table": "biomarkers", "ours": "nfl_serum", "unit": ""}
    pd.DataFrame([row]).drop(columns=lacks).to_csv(own, index=False)
    with pytest.raises(RequestError, match=f"the column '{lacks}' is missing") as told_of:
        read_slots(Path(own))
    assert str(own) in str(told_of.value)


def test_slots_of_a_table_that_there_is_not(tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("class,slot,table,ours\nLab,a,patients,sex\nLab,b,alsfr,q1\nLab,c,no,q1\n")
    with pytest.raises(RequestError, match="column table: 'alsfr' is not a table") as told_of:
        read_slots(own)
    assert str(told_of.value).endswith(nearest("alsfr", TABLES))


def test_a_cohort_as_it_is_written(tmp_path):
    source = tmp_path / "release"
    source.mkdir()
    of = {"globalSubjectId": "A"}
    written(
        source,
        Subject=[{**of, "sex": "Female"}],
        ALSFRSAssessment=[{**of, "assessmentDate": "2020-01-01", "alsfrsTotal": "40", "mood": "1"}],
        PulmonaryFunction=[{**of, "assessmentDate": "2020-01-02", "fvcPercent": "80", "sex": "f"}],
    )
    problems = Problems(collect=True)
    counts = import_amp_als(source, tmp_path / "cohort", problems)
    assert counts == {"patients": 1, "alsfrs": 1, "biomarkers": 1}
    text = {path.name: path.read_text() for path in (tmp_path / "cohort").iterdir()}
    assert text == {
        "patients.csv": "sample_id,sex\nA,Female\n",
        "alsfrs.csv": "sample_id,days,total\nA,2020-01-01,40\n",
        "biomarkers.csv": "sample_id,days,analyte,value,unit\nA,2020-01-02,fvc_pct,80,%\n",
        "cohort.yaml": "name: release\npatients: patients.csv\nalsfrs: alsfrs.csv\n"
        "biomarkers: biomarkers.csv\nindex_date: first_visit\npartial_dates: middle\n",
    }
    unread = (("ALSFRSAssessment", "mood"), ("PulmonaryFunction", "sex"))
    assert told(problems) == [
        ("note", f"{table}.csv", f"1 slots are not read ({slot})", 1) for table, slot in unread
    ]
