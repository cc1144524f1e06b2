"""What a table holds and no feature uses is named."""

import pytest

from features.blocks.spec import FeatureSpec
from features.blocks.unused import name_unused, unused_analytes, unused_columns
from features.tables.problems import Problems
from tests import cohorts

BIOMARKERS = """sample_id,analyte,value,unit,days
P1,snip,60,cmH2O,0
P1,snip,50,cmH2O,30
P1,weight,70,kg,0
P1,neutrophils_blood,4,10^9/L,0
P1,lymphocytes_blood,2,10^9/L,0
"""


@pytest.fixture
def cohort(tmp_path):
    (tmp_path / "p.csv").write_text("sample_id,onset_days,grip,empty\nP1,-365,12,\n")
    (tmp_path / "b.csv").write_text(BIOMARKERS)
    (tmp_path / "v.csv").write_text("sample_id,days,scale,total\nP1,0,alsfrs,30\n")
    text = "patients: p.csv\nbiomarkers: b.csv\nalsfrs: v.csv\n"
    (tmp_path / "cohort.yaml").write_text(text)
    return cohorts.read(tmp_path / "cohort.yaml", Problems())


def test_an_analyte_is_used_by_a_feature_or_by_what_is_derived_of_it(cohort):
    assert unused_analytes(cohort, FeatureSpec()) == {"snip": 2}
    without = unused_analytes(cohort, FeatureSpec(blocks=("clinical",)))
    assert {name: without[name] for name in ("snip", "weight")} == {"snip": 2, "weight": 1}


def test_a_column_is_used_by_a_feature_or_by_the_label(cohort):
    assert unused_columns(cohort, FeatureSpec()) == ["grip"]
    assert unused_columns(cohort, FeatureSpec(columns=("grip",))) == []
    assert unused_columns(cohort, FeatureSpec(), frozenset({"grip"})) == []


def test_each_table_is_named_once(cohort):
    def said(spec):
        problems = Problems()
        name_unused(cohort, spec, problems)
        assert {problem.severity for problem in problems.found} == {"note"}
        return {problem.where: problem.found for problem in problems.found}

    assert said(FeatureSpec()) == {
        "biomarkers": "no feature uses the values of snip (2)",
        "patients": "no feature uses the columns grip",
    }
    assert said(FeatureSpec(blocks=("biomarkers",)))["alsfrs"] == "no feature uses its 1 visits"
    assert "alsfrs" not in said(FeatureSpec(blocks=("alsfrs",)))
