"""PRO-ACT: made-up subjects in its public schema, with its dirt, become an ordinary cohort and a
trained model.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.config import load_config
from als_ml.imports.proact import import_proact
from als_ml.training.run import train
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from models.labels import SlopeRule, progression_labels
from tests.cohorts import read
from tests.test_config import ROOT

ITEMS = [
    "Q1_Speech",
    "Q2_Salivation",
    "Q3_Swallowing",
    "Q4_Handwriting",
    "Q5a_Cutting_without_Gastrostomy",
    "Q6_Dressing_and_Hygiene",
    "Q7_Turning_in_Bed",
    "Q8_Walking",
    "Q9_Climbing_Stairs",
    "R_1_Dyspnea",
    "R_2_Orthopnea",
    "R_3_Respiratory_Insufficiency",
]


def visit(subject, delta, points=4, **cells):
    return {"subject_id": subject, "ALSFRS_Delta": delta, **dict.fromkeys(ITEMS, points), **cells}


def write(folder: Path, **tables) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"PROACT_{name}.csv", index=False)
    return folder


def imported(tmp_path, **tables):
    problems = Problems(collect=True)
    tables = {"ALSFRS": [visit(1, 0), visit(1, 90)], **tables}
    import_proact(write(tmp_path / "release", **tables), tmp_path / "cohort", problems)
    cohort = read(tmp_path / "cohort/cohort.yaml")
    return cohort, " ".join(f"{p.where} {p.found}" for p in problems.found)


@pytest.mark.parametrize(
    ("row", "analyte", "value"),
    [
        (
            {"Test_Name": "Creatinine", "Test_Result": "88.4", "Test_Unit": "umol/L"},
            "creatinine_serum",
            1.0,
        ),
        (
            {"Test_Name": "Creatinine", "Test_Result": "<18", "Test_Unit": "UMOL/L"},
            "creatinine_serum",
            18 / 88.4 / 2**0.5,
        ),
        ({"Test_Name": "CK", "Test_Result": "1,230", "Test_Unit": "U/L"}, "ck_serum", 1230),
        ({"Test_Name": "Albumin", "Test_Result": "42", "Test_Unit": "G/L"}, "albumin_serum", 4.2),
        (
            {"Test_Name": "Bilirubin (total)", "Test_Result": "0.5", "Test_Unit": "mg/dl"},
            "bilirubin_serum",
            0.5,
        ),
        (
            {"Test_Name": "Absolute Neutrophil Count", "Test_Result": "4.1", "Test_Unit": "10E9/L"},
            "neutrophils_blood",
            4.1,
        ),
    ],
)
def test_a_laboratory_value(tmp_path, row, analyte, value):
    cohort, _ = imported(tmp_path, LABS=[{"subject_id": 1, "Laboratory_Delta": 7, **row}])
    own = cohort.biomarkers[cohort.biomarkers["analyte"] == analyte]
    assert own["value"].tolist() == pytest.approx([value], rel=1e-4)
    assert own["days"].tolist() == [7]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"Test_Name": "Creatinine", "Test_Result": "5", "Test_Unit": "%"},
            "do not fit|does not fit",
        ),
        (
            {"Test_Name": "Creatinine", "Test_Result": "Trace", "Test_Unit": "mg/dL"},
            "1 results are not numbers",
        ),
        (
            {"Test_Name": "Creatinine", "Test_Result": "1", "Test_Unit": None},
            "1 values have no unit",
        ),
        (
            {"Test_Name": "Sodium", "Test_Result": "140", "Test_Unit": "mmol/L"},
            "1 values of 1 other tests .Sodium.",
        ),
    ],
)
def test_what_is_left_out_is_counted(tmp_path, row, message):
    import re

    cohort, found = imported(tmp_path, LABS=[{"subject_id": 1, "Laboratory_Delta": 7, **row}])
    assert cohort.biomarkers.empty
    assert re.search(message, found)


def test_both_forms_of_cutting_and_of_the_scale(tmp_path):
    old = visit(2, 5, Q10_Respiratory=3) | {
        "R_1_Dyspnea": None,
        "R_2_Orthopnea": None,
        "R_3_Respiratory_Insufficiency": None,
    }
    tube = visit(1, 90, Q5b_Cutting_with_Gastrostomy=2) | {"Q5a_Cutting_without_Gastrostomy": None}
    clash = visit(3, 0, Q5b_Cutting_with_Gastrostomy=1)
    cohort, found = imported(tmp_path, ALSFRS=[visit(1, 0), tube, old, clash])
    visits = cohort.alsfrs
    assert visits["q5_form"].tolist()[:3] == ["a", "b", "a"]
    assert visits["total"].tolist()[:3] == [48, 46, 39]
    assert visits["scale"].tolist() == ["alsfrs_r", "alsfrs_r", "alsfrs", "alsfrs_r"]
    assert np.isnan(visits["total"].iloc[3])
    assert "1 visits have both Q5a and Q5b, which differ" in found


def test_dirty_visits(tmp_path):
    rows = [
        visit(1, -3),
        visit(1, 87, Q1_Speech=2.5),
        visit(1, 87),
        visit(1, None),
        visit(1, 400),
        visit(1, 200, ALSFRS_R_Total=30),
    ]
    cohort, found = imported(
        tmp_path,
        ALSFRS=rows,
        DEATHDATA=[{"subject_id": 1, "Subject_Died": "Yes", "Death_Days": 300}],
    )
    assert cohort.alsfrs["days"].tolist() == [0, 90, 203]  # the first visit is day 0
    assert np.isnan(cohort.alsfrs["total"].iloc[1])  # half a point is no point, and never 0
    assert cohort.alsfrs["total"].iloc[2] == 48
    assert cohort.patients["death_days"].tolist() == [303]
    for words in (
        "1 cells of q1_speech are not whole points",
        "1 visits repeat a day",
        "1 visits have no day",
        "1 visits lie after the subject's death",
        "1 totals differ from their items",
    ):
        assert words in found


def test_the_patients_table(tmp_path):
    cohort, _ = imported(
        tmp_path,
        DEMOGRAPHICS=[{"subject_id": 1, "Age": 60, "Sex": "Female"}],
        ALSHISTORY=[
            {
                "subject_id": 1,
                "Site_of_Onset": "Onset: Bulbar",
                "Onset_Delta": -365.25,
                "Diagnosis_Delta": -100,
            }
        ],
        ELESCORIAL=[
            {"subject_id": 1, "el_escorial": "Probable Laboratory Supported", "delta_days": 0}
        ],
        RILUZOLE=[{"subject_id": 1, "Subject_used_Riluzole": "Yes", "Riluzole_use_Delta": 0}],
        TREATMENT=[{"subject_id": 1, "Study_Arm": "Active", "Treatment_Group_Delta": 4}],
        FAMILYHISTORY=[
            {
                "subject_id": 1,
                "Grandmother__Maternal_": 1,
                "Mother": None,
                "Neurological_Disease": "ALS",
            },
            {
                "subject_id": 1,
                "Grandmother__Maternal_": None,
                "Mother": 1,
                "Neurological_Disease": "Stroke",
            },
        ],
        FVC=[
            {
                "subject_id": 1,
                "Forced_Vital_Capacity_Delta": 2,
                "pct_of_Normal_Trial_1": 80,
                "pct_of_Normal_Trial_2": 84,
            }
        ],
        VITALSIGNS=[
            {"subject_id": 1, "Vital_Signs_Delta": 1, "Weight": 154, "Weight_Units": "Pounds"}
            | {"Height": 70, "Height_Units": "Inches"}
        ],
    )
    row = cohort.patients.iloc[0]
    facts = row[
        ["sex", "onset_site", "el_escorial", "riluzole", "trial_drug", "family_history"]
    ].tolist()
    assert facts == ["female", "bulbar", "probable_lab", "yes", "yes", "second_degree"]
    assert (row["age_at_onset"], row["onset_days"], row["trial_drug_start_days"]) == (59.0, -365, 4)
    measured = cohort.biomarkers.set_index("analyte")["value"]
    assert measured[["fvc_pct", "weight", "height"]].tolist() == pytest.approx([84, 69.85, 177.8])
    assert measured["bmi"] == pytest.approx(22.1, abs=0.05)


HISTORY = {"subject_id": 1, "Onset_Delta": -300, "Diagnosis_Delta": -100}
ARM = {"subject_id": 1, "Study_Arm": "Active", "Treatment_Group_Delta": None}
DEATH = {"subject_id": 1, "Subject_Died": "Yes", "Death_Days": 300}
CK = {"subject_id": 1, "Test_Name": "CK", "Test_Result": "5", "Test_Unit": "U/L"}
KIN = {"subject_id": 1, "Neurological_Disease": "ALS", "Mother": 0.0, "Aunt": 1.0}


@pytest.mark.parametrize(
    ("tables", "column", "value"),
    [
        (
            {"DEATHDATA": [DEATH | {"Subject_Died": "No"}]},
            "death_days",
            None,
        ),  # the day of the last contact
        ({"DEATHDATA": [DEATH | {"Death_Days": 10**6}]}, "death_days", None),
        (
            {"DEATHDATA": [DEATH], "LABS": [CK | {"Laboratory_Delta": 400}]},
            "last_contact_days",
            300,
        ),
        ({"LABS": [CK | {"Laboratory_Delta": 200}]}, "last_contact_days", 200),
        ({"LABS": [CK | {"Laboratory_Delta": 10**6}]}, "last_contact_days", 90),
        (
            {"TREATMENT": [ARM]},
            "trial_drug_start_days",
            0,
        ),  # undated: treated from the start of the trial
        # A subject who goes over to the drug in an extension is treated from there.
        (
            {
                "TREATMENT": [
                    ARM | {"Study_Arm": "Placebo", "Treatment_Group_Delta": 0},
                    ARM | {"Treatment_Group_Delta": 60},
                ]
            },
            "trial_drug_start_days",
            60,
        ),
        (
            {"TREATMENT": [ARM | {"Study_Arm": "Placebo", "Treatment_Group_Delta": 5}]},
            "trial_drug_start_days",
            None,
        ),
        ({"FAMILYHISTORY": [KIN]}, "family_history", "second_degree"),  # 0.0 is no flag
        ({"FAMILYHISTORY": [KIN | {"Aunt": "No"}]}, "family_history", "unknown"),
        ({"ALSHISTORY": [HISTORY | {"Onset_Delta": -(10**6)}]}, "onset_days", None),
        (
            {"ALSHISTORY": [HISTORY | {"Site_of_Onset": "Onset: Limb and Bulbar"}]},
            "onset_site",
            None,
        ),
        (
            {
                "ALSHISTORY": [
                    HISTORY | {"Site_of_Onset": "Onset: Limb and Bulbar", "Site_of_Onset___Limb": 1}
                ]
            },
            "onset_site",
            "limb",
        ),
        (
            {
                "RILUZOLE": [
                    {"subject_id": 1, "Subject_used_Riluzole": word} for word in ("No", "Yes")
                ]
            },
            "riluzole",
            "yes",
        ),
    ],
)
def test_a_dirty_cell_of_a_subject(tmp_path, tables, column, value):
    cohort, _ = imported(tmp_path, **tables)
    found = cohort.patients[column].iloc[0]
    assert pd.isna(found) if value is None else found == value


def test_the_active_arm_is_not_fast_by_construction(tmp_path):
    """Both arms decline and die alike: deaths on the drug are no labels while visits on it are
    none.

    The drug starts on day 5 for half of the active arm, which then has no label, and on day 320 for
    the other half, whose label is made of the visits before it.
    """
    visits, deaths, arms = [], [], []
    for subject in range(60):
        active, late, fast = subject < 30, subject % 2 == 0, subject % 3 == 0
        delta = 320 if late else 5
        arms.append(
            ARM
            | {
                "subject_id": subject,
                "Study_Arm": "Active" if active else "Placebo",
                "Treatment_Group_Delta": delta,
            }
        )
        for day in (0, 100, 200, 300):
            lost = day // 50 if fast else day // 100
            items = {
                "Q6_Dressing_and_Hygiene": 4 - min(lost, 4),
                "Q8_Walking": 4 - max(lost - 4, 0),
            }
            visits.append(visit(subject, day, **items))
        if subject % 5 == 0:
            deaths.append(DEATH | {"subject_id": subject, "Death_Days": 400})
    cohort, found = imported(tmp_path, ALSFRS=visits, TREATMENT=arms, DEATHDATA=deaths)
    labels = progression_labels(cohort, SlopeRule(cutoffs=(0.5,)))
    active = (cohort.patients["trial_drug"] == "yes").to_numpy()
    assert "30 subjects had the trial drug" in found
    assert labels.counts["unlabelled_treated_early"] == 15
    assert labels.counts["fast_by_event"] == 0
    shares = [np.nanmean(labels.y[arm]) for arm in (active, ~active)]
    assert shares == pytest.approx([1 / 3, 1 / 3])


def test_the_old_scale_beside_a_total_of_the_new(tmp_path):
    none = {"R_1_Dyspnea": None, "R_2_Orthopnea": None, "R_3_Respiratory_Insufficiency": None}
    rows = [
        visit(1, 0, Q10_Respiratory=4, ALSFRS_R_Total=48, **none),
        visit(2, 0, ALSFRS_R_Total=480),
    ]
    cohort, found = imported(tmp_path, ALSFRS=rows)
    assert cohort.alsfrs[["scale", "total"]].to_numpy().tolist() == [
        ["alsfrs", 40],
        ["alsfrs_r", 48],
    ]
    assert "1 totals cannot be" in found


def test_a_weight_without_unit_is_no_weight(tmp_path):
    row = {"subject_id": 1, "Vital_Signs_Delta": 1, "Weight": 180, "Weight_Units": None}
    cohort, found = imported(tmp_path, VITALSIGNS=[row])
    assert cohort.biomarkers.empty
    assert "1 weights have no unit" in found


@pytest.mark.parametrize("unit", ["10E3/mm3", "GI/L", "thou/uL", "X10E3/UL", "10E9/L"])
def test_spellings_of_a_count(tmp_path, unit):
    row = {
        "Test_Name": "Absolute Neutrophil Count",
        "Test_Result": "4.1",
        "Test_Unit": unit,
        "Laboratory_Delta": 1,
    }
    cohort, _ = imported(tmp_path, LABS=[{"subject_id": 1, **row}])
    assert cohort.biomarkers["value"].tolist() == [4.1]


def test_files_of_a_download_with_another_prefix(tmp_path):
    source = write(tmp_path / "release", ALSFRS=[visit(1, 0)])
    (source / "PROACT_ALSFRS.csv").rename(source / "F_PROACT_ALSFRS.csv")
    assert import_proact(source, tmp_path / "cohort", Problems(collect=True))["visits"] == 1
    with pytest.raises(RequestError, match="there is no such folder"):
        import_proact(tmp_path / "absent", tmp_path / "other", Problems(collect=True))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {
                "ALSFRS": [
                    {
                        "Q7_Tutning_in_Bed" if k == "Q7_Turning_in_Bed" else k: v
                        for k, v in visit(1, 0).items()
                    }
                ]
            },
            "'q7_turning_in_bed' is missing. Did you mean 'q7_tutning_in_bed'",
        ),
        (
            {"ALSFRS": [visit(1, 0)], "LABS": [CK | {"Lab_Delta": 3}]},
            "PROACT_LABS.csv: the column 'laboratory_delta' is missing. Did you mean 'lab_delta'",
        ),
        (
            {"ALSFRS": [{"subject_id": 1, "Delta": 3}]},
            "PROACT_ALSFRS.csv: the column 'alsfrs_delta' is missing",
        ),
        (
            {"ALSFRS": [{"patient": 1, "ALSFRS_Delta": 3}]},
            "PROACT_ALSFRS.csv: the column 'subject_id' is missing",
        ),
        ({"LABS": [{"subject_id": 1}]}, "there is no PROACT_ALSFRS.csv"),
    ],
)
def test_another_schema_is_refused(tmp_path, tables, message):
    with pytest.raises(DataError, match=message):
        import_proact(
            write(tmp_path / "release", **tables), tmp_path / "cohort", Problems(collect=True)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["release"]  # nothing half-written


def test_a_folder_that_is_in_use_stays_as_it_is(tmp_path):
    source = write(tmp_path / "release", ALSFRS=[visit(1, 0)])
    with pytest.raises(RequestError, match="it exists and is not empty"):
        import_proact(source, source, Problems(collect=True))


@pytest.mark.slow
def test_from_the_release_to_a_trained_model(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    rate = np.exp(rng.normal(-0.1, 0.7, 160))
    visits, labs = [], []
    for subject, own in enumerate(rate):
        for delta in (0, 60, 120, 210, 300, 390):
            lost = own * (delta + 365) / 30.4375 / 12 + rng.normal(0, 0.1)
            points = np.clip(np.floor(4 - lost + rng.uniform(0, 1, 12)), 0, 4)
            visits.append(visit(subject, delta) | dict(zip(ITEMS, points, strict=True)))
        result = f"{70 - 12 * np.log(own) + rng.normal(0, 6):.1f}"
        test = {"Test_Name": "Creatinine", "Test_Result": result, "Test_Unit": "umol/L"}
        labs.append({"subject_id": subject, "Laboratory_Delta": 1, **test})
    history = [{"subject_id": i, "Onset_Delta": -365, "Diagnosis_Delta": -100} for i in range(160)]
    release = write(tmp_path / "release", ALSFRS=visits, LABS=labs, ALSHISTORY=history)
    import_proact(release, tmp_path / "cohort", Problems(collect=True))
    monkeypatch.chdir(tmp_path)
    changes = [
        "cohort=cohort/cohort.yaml",
        "features.blocks=[clinical,biomarkers,alsfrs]",
        "validation.bootstrap=50",
    ]
    found = train(load_config(ROOT / "configs/quick.yaml", changes))
    assert found.metrics["n"] == 160
    assert found.metrics["roc_auc"] > 0.7


def nfl(result="40", matrix="Serum", **more):
    facts = {"subject_id": 1, "Analyte": "Neurofilament light chain", "Matrix": matrix}
    return {**facts, "Result": result, "Collection_Delta": 7, **more}


@pytest.mark.parametrize(
    ("row", "analyte", "value"),
    [
        (nfl(), "nfl_serum", 40),
        (nfl(matrix="CSF"), "nfl_csf", 40),
        (nfl(matrix="SERUM", Unit="pg/mL"), "nfl_serum", 40),
        (nfl("<4", Unit="ng/L"), "nfl_serum", 4 / 2**0.5),
    ],
)
def test_neurofilaments_of_newer_releases(tmp_path, row, analyte, value):
    cohort, found = imported(tmp_path, Neurofilament=[row])
    own = cohort.biomarkers[cohort.biomarkers["analyte"] == analyte]
    assert own["value"].tolist() == pytest.approx([value])
    assert own["days"].tolist() == [7]
    assert ("no column of units" in found) == ("Unit" not in row)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (nfl(Analyte="Tau"), "1 values are of another analyte or matrix"),
        (nfl(matrix="Tears"), "1 values are of another analyte or matrix"),
        (nfl(Unit="U/L"), "a unit that does not fit"),
        (nfl("Trace"), "1 results are not numbers"),
    ],
)
def test_neurofilaments_that_are_left_out(tmp_path, row, message):
    cohort, found = imported(tmp_path, Neurofilament=[row])
    assert cohort.biomarkers.empty
    assert message in found


@pytest.mark.parametrize("lacks", ["subject_id", "Laboratory_Delta"])
def test_a_value_of_nobody_or_of_no_day_is_counted(tmp_path, lacks):
    row = {"subject_id": 1, "Laboratory_Delta": 0, "Test_Name": "Creatinine"}
    row |= {"Test_Result": "88.4", "Test_Unit": "umol/L"}
    cohort, told = imported(tmp_path, LABS=[row, {**row, lacks: None}])
    assert "1 values have no day or no subject" in told
    assert len(cohort.biomarkers) == 1
