"""The mechanism profile: what points to a mechanism, and what was not measured."""

import numpy as np
import pytest

from features.blocks.mechanisms import (
    genetic_evidence,
    last_values,
    mechanism_analytes,
    mechanism_dictionary,
    mechanism_features,
    mechanism_genes,
    panel_mechanisms,
    reference_limit,
)
from features.blocks.rows import feature_rows
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions, analytes, shipped
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


def last(cohort, analyte: str, patient: int = 0):
    table = last_values(cohort)
    return table[(table["row"] == patient) & (table["analyte"] == analyte)].squeeze()


@pytest.mark.parametrize(
    ("row", "state", "limit"),
    [
        ("P1,nfl_plasma,20,pg/mL,0,,", "within the limit", "upper limit 20, 95th centile"),
        ("P1,nfl_plasma,20.1,pg/mL,0,,", "beyond the limit", "upper limit 20,"),
        (
            "P1,nfl_plasma,30,pg/mL,0,5,40",
            "within the limit",
            "upper limit 40, the laboratory's own range",
        ),
    ],
)
def test_a_value_against_its_limit(read, row, state, limit):
    judged = last(read(row), "nfl_plasma")
    assert judged["state"] == state
    assert judged["limit"].startswith(limit)


def test_an_undated_value_is_not_judged(read):
    assert last_values(read("P1,nfl_plasma,30,pg/mL,,,")).empty


@pytest.mark.parametrize(
    "row",
    [
        "P1,albumin_serum,4.2,g/dL,0,,",  # the cut-off 4.3 is prognostic
        "P1,nfl_serum,70,pg/mL,0,,",  # 62 is diagnostic
        "P1,uric_acid_serum,280,umol/L,0,,",  # 292 is prognostic, in men
    ],
)
def test_a_cutoff_is_no_limit(read, row):
    assert last(read(row), row.split(",")[1])["state"] in ("no limit known", "within the limit")


def test_the_last_value_counts(read):
    cohort = read("P1,crp_serum,9,mg/L,0,,", "P1,crp_serum,3,mg/L,9,,")
    assert last(cohort, "crp_serum")["value"] == 3
    assert last(cohort, "crp_serum")["state"] == "within the limit"


@pytest.mark.parametrize(
    ("assay", "age", "limit"),
    [
        ("simoa", 17.9, 7.0),
        ("simoa", 18.0, 10.0),
        ("simoa", 51.0, 15.0),
        ("simoa", 70.9, 20.0),
        ("simoa", 71.0, 35.0),
        ("unknown", 64.0, 20.0),
        ("ella", 64.0, np.nan),
        ("simoa", np.nan, np.nan),
    ],
)
def test_limits_by_age_and_assay(assay, age, limit):
    above = reference_limit(shipped(), "nfl_plasma", None, age, assay).above
    assert np.array_equal(above, limit, equal_nan=True)


def test_a_model_of_an_earlier_release_keeps_its_limits():
    """Its table knows neither kinds nor assays: every row is a limit."""
    lines = ["analyte\tsex\tage_from\tage_to\tbelow\tabove\tmeaning\tsource"]
    lines += ["nfl_serum\t\t\t\t\t62\tcut-off\tsomewhere"]
    old = Definitions({**shipped().texts, "reference_limits": "\n".join(lines) + "\n"})
    assert reference_limit(old, "nfl_serum").above == 62


def test_the_genetic_side(read):
    first, second = genetic_evidence(read("P1,crp_serum,3,mg/L,0,,"))
    assert first["C9orf72"] == "repeat expanded"
    assert first["TARDBP"] == second["C9orf72"] == "not assayed"


def test_the_genes_of_a_mechanism():
    named = {m.mechanism: mechanism_genes(shipped(), m) for m in panel_mechanisms(shipped())}
    assert "SOD1" in named["oxidative_stress"]
    assert set(named["tdp43_loss_of_function"]) == {"TARDBP", "UNC13A", "STMN2"}
    assert all(named.values())


def test_a_carrier_is_shown_with_its_class(cohort):
    shown = {said for own in genetic_evidence(cohort) for said in own.values()}
    assert any(text.startswith("SOD1 p.") and text.endswith((": P", ": LP")) for text in shown)
    assert any(text.startswith("UNC13A") and "modifier, 2 copies" in text for text in shown)
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
    kinds = shipped().table("reference_limits")["kind"]
    assert set(kinds) == {"reference", "diagnostic", "prognostic"}
    assert sum(map(len, mechanism_analytes(shipped()).values())) > 20
