"""What a table holds and no feature uses is named."""

import numpy as np
import pytest

from als_ml.cohort.read import Reading, read_cohort
from als_ml.cohort.source import open_cohort
from features.blocks.rows import feature_rows
from features.blocks.spec import FeatureSpec
from features.blocks.unused import name_unused, other_assays, unused_analytes, unused_columns
from features.catalogue import Definitions, shipped
from features.genotypes.vcf import ANY_CALL
from features.tables.problems import Problems
from tests import cohorts
from tests.definitions import with_line

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


def test_a_column_named_like_an_analyte_is_no_value_of_day_0_and_said(tmp_path):
    (tmp_path / "p.csv").write_text("sample_id,grip,fvc_litres\nP1,12,2.75\n")
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\n")
    cohort = cohorts.read(tmp_path / "cohort.yaml", Problems())
    rows = feature_rows(cohort, FeatureSpec())
    assert rows.filter(like="fvc").isna().all(axis=None)
    problems = Problems()
    name_unused(cohort, FeatureSpec(), problems)
    said = {problem.found: problem.remedy for problem in problems.found}
    assert said["no feature uses the columns grip"].startswith("Name them in features.columns")
    assert "rows of biomarkers" in said["no feature uses the columns fvc_litres"]


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


ASSAYS = """sample_id,analyte,value,unit,days,assay
P1,nfl_serum,60,pg/mL,0,Simoa
P1,nfl_serum,70,pg/mL,30,Lumipulse
P1,nfl_serum,71,pg/mL,60,lumipulse
P1,nfl_serum,80,pg/mL,90,
P1,albumin_serum,40,g/L,0,BCG
"""


@pytest.fixture
def by_assays(tmp_path):
    (tmp_path / "p.csv").write_text("sample_id\nP1\n")
    (tmp_path / "b.csv").write_text(ASSAYS)
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\nbiomarkers: b.csv\n")
    return lambda definitions: read_cohort(
        open_cohort(tmp_path / "cohort.yaml"), Reading(definitions, ANY_CALL), Problems()
    )


def values(cohort):
    rows = feature_rows(cohort, FeatureSpec(blocks=("biomarkers",), summaries=("mean",)))
    known = rows.iloc[0].dropna()
    return {name: round(float(np.exp(v))) for name, v in known.items() if "nfl_serum" in name}


def test_an_assay_that_no_table_names_is_pooled_with_none_and_said(by_assays):
    cohort = by_assays(shipped())
    assert values(cohort) == {"log_nfl_serum_simoa_mean": 60, "log_nfl_serum_unknown_mean": 80}
    assert other_assays(cohort, FeatureSpec()) == {"nfl_serum by lumipulse": 2}
    assert other_assays(cohort, FeatureSpec(blocks=("clinical",))) == {}
    problems = Problems()
    name_unused(cohort, FeatureSpec(), problems)
    (said,) = [p for p in problems.found if "lumipulse" in p.found]
    assert "assays.tsv in a folder of `definitions`" in said.remedy


def test_a_line_of_the_table_gives_an_assay_its_feature(by_assays):
    cohort = by_assays(with_line(shipped(), "assays", assay="lumipulse", name="L", source="P"))
    expected = {"simoa": 60, "lumipulse": 70, "unknown": 80}
    assert values(cohort) == {f"log_nfl_serum_{a}_mean": v for a, v in expected.items()}
    assert other_assays(cohort, FeatureSpec()) == {}


def test_tables_of_earlier_releases_go_on_pooling_it_with_unknown(by_assays):
    earlier = {name: text for name, text in shipped().texts.items() if name != "assays"}
    cohort = by_assays(Definitions(earlier))
    assert values(cohort) == {"log_nfl_serum_simoa_mean": 60, "log_nfl_serum_unknown_mean": 74}
    assert other_assays(cohort, FeatureSpec()) == {}
