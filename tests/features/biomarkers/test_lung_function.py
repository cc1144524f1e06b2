"""Litres of forced vital capacity as % predicted: the equation by hand, and when it may be used."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.cohort.check import check_cohort
from als_ml.cohort.records import read_records
from als_ml.cohort.source import open_cohort
from features.biomarkers.lung_function import equations, predicted_capacity
from features.blocks.rows import FeatureSpec, feature_rows
from features.catalogue import Definitions, shipped
from features.variants.lookups import NO_LOOKUPS
from tests import cohorts

# What the project was given; tests that need it skip where it is absent.
_GIVEN = Path(os.environ.get("ALS_ML_REFERENCE_DATA", "../shared/data")).parent / "domain"
SPEC = FeatureSpec(blocks=("biomarkers", "prognosis"), landmark_days=0)
HEADER = "sample_id,analyte,value,unit,days\n"


@pytest.mark.parametrize(
    ("sex", "age", "height", "litres"),
    [
        # -0.1933 + 0.0384 - 0.9684 + 5.7091125
        ("male", 60, 175, 4.5858125),
        # -0.3560 + 1.1220 - 1.3752 + 3.8880486
        ("female", 60, 162, 3.2788486),
        # From 20 (men) and 18 (women) to 80 years.
        ("male", 20, 175, -0.1933 + 0.0128 - 0.1076 + 5.7091125),
        ("male", 19.9, 175, np.nan),
        ("female", 18, 162, -0.3560 + 0.3366 - 0.123768 + 3.8880486),
        ("female", 17.9, 162, np.nan),
        ("male", 80, 175, -0.1933 + 0.0512 - 1.7216 + 5.7091125),
        ("male", 80.1, 175, np.nan),
        ("female", 80.1, 162, np.nan),
        ("male", np.nan, 175, np.nan),
        ("male", 60, np.nan, np.nan),
        (None, 60, 175, np.nan),
    ],
)
def test_the_equation_by_hand(sex, age, height, litres):
    people = np.array([sex], dtype=object), np.array([float(age)]), np.array([float(height)])
    assert predicted_capacity(shipped(), *people)[0] == pytest.approx(litres, abs=1e-6, nan_ok=True)


def test_coefficients_are_those_of_the_reference():
    path = _GIVEN / "lung_function.tsv"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    table = pd.read_csv(path, sep="\t").query("group == 'Caucasian'").set_index("sex")
    for equation in equations(shipped()):
        row = table.loc[equation.sex]
        assert equation[3:] == (row["b0"], row["b1_age"], row["b2_age2"], row["b3_height2"])
        assert f"{equation.age_min:g}-{equation.age_max:g}" == row["ages"]
    assert {equation.sex for equation in equations(shipped())} == {"male", "female"}


@pytest.fixture
def read(tmp_path):
    def made(*rows: str, patient="male,59,-365.25"):
        """A man of 60 on day 0."""
        sex, age, onset = patient.split(",")
        onset = f"{float(onset):.0f}" if onset else ""
        text = f"sample_id,sex,age_at_onset,onset_days\nP1,{sex},{age},{onset}\nP2,,,\n"
        (tmp_path / "p.csv").write_text(text)
        (tmp_path / "b.csv").write_text(HEADER + "\n".join(rows) + "\n")
        (tmp_path / "cohort.yaml").write_text("patients: p.csv\nbiomarkers: b.csv\n")
        return cohorts.read(tmp_path / "cohort.yaml")

    return made


FVC, TALL = "P1,fvc_litres,3.2,L,0", "P1,height,175,cm,0"
OF_PREDICTED = 100 * 3.2 / 4.5858125


@pytest.mark.parametrize(
    ("rows", "patient", "percent"),
    [
        ([FVC, TALL], None, OF_PREDICTED),
        (["P1,fvc_litres,3200,mL,0", "P1,height,1.75,m,0"], None, OF_PREDICTED),
        ([FVC, "P1,height,175,cm,-900"], None, OF_PREDICTED),  # height does not change
        ([FVC, "P1,height,175,cm,1"], None, np.nan),  # known only later
        ([FVC, "P2,height,175,cm,0"], None, np.nan),  # another patient's
        ([FVC, TALL, "P1,fvc_pct,81,%,0"], None, 81),  # measured on that day
        ([FVC, TALL, "P1,fvc_pct,81,%,-1"], None, OF_PREDICTED),  # the day before
        (["P1,fvc_litres,3.2,L,1", TALL], None, np.nan),  # after the landmark
        (["P1,svc_litres,3.2,L,0", TALL], None, np.nan),  # the equation is of the forced one
        ([FVC, TALL], ",59,-365.25", np.nan),
        ([FVC, TALL], "male,,-365.25", np.nan),
        ([FVC, TALL], "male,59,", np.nan),
    ],
)
def test_where_litres_become_percent(rows, patient, percent, read):
    cohort = read(*rows, **({} if patient is None else {"patient": patient}))
    row = feature_rows(cohort, SPEC).loc["P1"]
    assert row["fvc_pct"] == pytest.approx(percent, rel=1e-4, nan_ok=True)
    assert row["vital_capacity_pct"] == pytest.approx(percent, rel=1e-4, nan_ok=True)


def test_check_says_that_it_is_derived(read, tmp_path):
    read(FVC, TALL)
    table = check_cohort(open_cohort(tmp_path / "cohort.yaml"))["analytes"]
    (row,) = [row for row in table if row["analyte"] == "fvc_pct"]
    assert (row["n"], row["units seen"]) == (1, "derived")


def test_a_served_record_as_a_file(read):
    values = [("fvc_litres", 3.2, "L"), ("height", 175, "cm")]
    record = {
        "sample_id": "P1",
        "sex": "male",
        "age_at_onset": 59,
        "onset_days": -365,
        "biomarkers": [{"analyte": a, "value": v, "unit": u, "days": 0} for a, v, u in values],
    }
    served, _, errors = read_records([record], SPEC, NO_LOOKUPS, shipped())
    assert not errors
    expected = feature_rows(read(FVC, TALL), SPEC).loc["P1"].to_numpy()
    np.testing.assert_array_equal(feature_rows(served, SPEC).loc["P1"].to_numpy(), expected)


def test_a_model_from_before_the_table_keeps_litres():
    texts = {name: text for name, text in shipped().texts.items() if name != "lung_function"}
    assert equations(Definitions(texts)) == ()
