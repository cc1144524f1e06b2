"""The mechanism profile: what points to a mechanism, and what was not measured."""

import numpy as np
import pytest

from features.blocks.mechanisms import (
    mechanism_analytes,
    mechanism_dictionary,
    mechanism_features,
    mechanism_profiles,
    panel_mechanisms,
    reference_limit,
)
from features.blocks.rows import feature_rows
from features.blocks.spec import FeatureSpec
from features.catalogue import analytes, shipped
from features.tables.problems import Problems
from tests import cohorts

PATIENTS = "sample_id,sex,age_at_onset,onset_days,c9orf72_status,c9orf72_method\n"
PATIENTS += "P1,male,63,-365,expanded,rp_pcr\nP2,female,63,-365,,\n"


@pytest.fixture
def read(tmp_path):
    def made(*rows: str):
        (tmp_path / "patients.csv").write_text(PATIENTS)
        header = "sample_id,analyte,value,unit,days,ref_low,ref_high\n"
        (tmp_path / "b.csv").write_text(header + "\n".join(rows) + "\n")
        (tmp_path / "cohort.yaml").write_text("patients: patients.csv\nbiomarkers: b.csv\n")
        return cohorts.read(tmp_path / "cohort.yaml", Problems())

    return made


def evidence(cohort, mechanism: str, analyte: str, patient: int = 0) -> dict:
    (profile,) = [m for m in mechanism_profiles(cohort)[patient] if m["mechanism"] == mechanism]
    (found,) = [b for b in profile["biomarkers"] if b["analyte"] == analyte]
    return found


@pytest.mark.parametrize(
    ("row", "state", "limit"),
    [
        ("P1,nfl_plasma,20,pg/mL,0,,", "within the limit", "upper limit 20, upper 95th centile"),
        ("P1,nfl_plasma,20.1,pg/mL,0,,", "beyond the limit", "upper limit 20,"),
        (
            "P1,nfl_plasma,30,pg/mL,0,5,40",
            "within the limit",
            "upper limit 40, the laboratory's own range",
        ),
        ("P1,nfl_plasma,30,pg/mL,,,", "not measured", ""),  # undated: no one knows when
    ],
)
def test_a_value_against_its_limit(read, row, state, limit):
    found = evidence(read(row), "cytoskeleton_axonal_transport", "nfl_plasma")
    assert found["state"] == state
    assert found["limit"].startswith(limit)


def test_the_limit_is_that_of_the_sex_and_the_last_value_counts(read):
    cohort = read(
        "P1,uric_acid_serum,292,umol/L,0,,",
        "P2,uric_acid_serum,200,umol/L,0,,",
        "P1,uric_acid_serum,300,umol/L,9,,",
    )
    assert evidence(cohort, "oxidative_stress", "uric_acid_serum", 0)["state"] == "within the limit"
    assert evidence(cohort, "oxidative_stress", "uric_acid_serum", 0)["value"] == 300
    assert evidence(cohort, "oxidative_stress", "uric_acid_serum", 1)["state"] == "no limit known"


def test_the_genetic_side(read):
    first, second = mechanism_profiles(read("P1,crp_serum,3,mg/L,0,,"))
    by_name = {m["mechanism"]: {g["gene"]: g["finding"] for g in m["genetic"]} for m in first}
    assert by_name["rna_metabolism"]["C9orf72"] == "repeat expanded"
    assert by_name["rna_metabolism"]["TARDBP"] == "not assayed"
    assert [m["mechanism"] for m in second] == [m.mechanism for m in panel_mechanisms(shipped())]


def test_a_carrier_is_shown_with_its_class(cohort):
    profiles = mechanism_profiles(cohort)
    shown = {g["finding"] for profile in profiles for m in profile for g in m["genetic"]}
    assert any(text.startswith("SOD1 p.") and text.endswith((": P", ": LP")) for text in shown)
    assert "nothing found" in shown


def test_features_are_the_share_beyond_the_limit(read):
    cohort = read("P1,crp_serum,9,mg/L,0,,", "P1,albumin_serum,4.5,g/dL,0,,", "P1,nlr_blood,2,,0,,")
    features = mechanism_features(cohort)
    assert features["evidence_neuroinflammation"][0] == pytest.approx(1 / 3)
    assert np.isnan(features["evidence_neuroinflammation"][1])
    assert np.isnan(features["evidence_oxidative_stress"]).all()
    named = [feature.name for feature in mechanism_dictionary(shipped())]
    assert list(feature_rows(cohort, FeatureSpec(blocks=("mechanisms",))).columns) == named
    assert not set(named) & set(feature_rows(cohort, FeatureSpec()).columns)


def test_the_definitions_agree():
    assert set(shipped().table("reference_limits")["analyte"]) <= set(analytes(shipped()).index)
    assert all(
        row["below"] or row["above"]
        for row in shipped().table("reference_limits").to_dict("records")
    )
    for analyte in shipped().table("reference_limits")["analyte"]:
        worse = analytes(shipped()).loc[analyte, "worse"]
        limit = reference_limit(shipped(), analyte, "male", 65.0)
        assert np.isfinite(limit.below if worse == "low" else limit.above), analyte
    assert sum(map(len, mechanism_analytes(shipped()).values())) > 20
