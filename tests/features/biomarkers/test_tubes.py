"""The tube is kept beside the matrix: counted, and bridged or refused like an assay."""

import numpy as np
import pandas as pd
import pytest

from als_ml.cohort.check import check_cohort
from als_ml.cohort.source import open_cohort
from features.blocks.landmark import as_known
from features.blocks.rows import feature_rows
from features.blocks.spec import FeatureSpec
from features.errors import DataError
from features.tables.coded import decoded
from features.tables.problems import Problems
from tests import cohorts

HEADER = "sample_id,analyte,value,unit,days,matrix,assay,tube\n"


@pytest.fixture
def folder(tmp_path):
    def made(*rows: str, header: str = HEADER):
        (tmp_path / "p.csv").write_text("sample_id\nP1\nP2\n")
        (tmp_path / "b.csv").write_text(header + "\n".join(rows) + "\n")
        (tmp_path / "cohort.yaml").write_text("patients: p.csv\nbiomarkers: b.csv\n")
        return tmp_path / "cohort.yaml"

    return made


def tubes(path) -> list:
    table = cohorts.read(path, Problems()).biomarkers
    return [None if pd.isna(tube) else tube for tube in decoded(table["tube"])]


@pytest.mark.parametrize(
    ("matrix", "tube", "kept"),
    [
        ("plasma", "", None),
        ("edta_plasma", "", "edta"),
        ("heparin plasma", "", "heparin"),
        ("citrate_plasma", "", "citrate"),
        ("plasma", "K2-EDTA", "edta"),
        ("plasma", "lithium heparin", "heparin"),
        ("serum", "SST", "serum_separator"),
        ("edta_plasma", "heparin", "heparin"),  # the column is more exact than the word
        ("plasma", "P800", "p800"),  # any tube may be named
    ],
)
def test_a_tube_by_its_column_or_by_the_word_for_the_matrix(folder, matrix, tube, kept):
    assert tubes(folder(f"P1,nfl,20,pg/mL,0,{matrix},simoa,{tube}")) == [kept]


def test_tubes_without_the_column_and_by_another_name(folder):
    assert tubes(folder("P1,nfl_plasma,20,pg/mL", header="sample_id,analyte,value,unit\n")) == [
        None
    ]
    header = HEADER.replace("tube", "anticoagulant")
    assert tubes(folder("P1,nfl,20,pg/mL,0,plasma,simoa,EDTA", header=header)) == ["edta"]


@pytest.mark.parametrize(
    ("tube", "bridged"), [("edta", True), ("", True), ("heparin", False), ("citrate", False)]
)
def test_the_bridge_is_that_of_its_tube(folder, tube, bridged):
    """Serum = -0.33 + 1.11 x EDTA plasma (definitions/bridges.tsv)."""
    cohort = cohorts.read(folder(f"P1,nfl_plasma,20,pg/mL,0,,simoa,{tube}"), Problems())
    row = feature_rows(cohort, FeatureSpec(blocks=("biomarkers",), assays="bridge")).loc["P1"]
    serum, plasma = row["log_nfl_serum_simoa"], row["log_nfl_plasma_simoa"]
    if bridged:
        assert serum == pytest.approx(np.log(-0.33 + 1.11 * 20), rel=1e-6)
        assert np.isnan(plasma)
    else:
        assert np.isnan(serum)
        assert plasma == pytest.approx(np.log(20), rel=1e-6)


def test_two_tubes_of_one_analyte_are_refused_where_mixtures_are(folder):
    rows = ["P1,nfl_plasma,20,pg/mL,0,,simoa,edta", "P2,nfl_plasma,20,pg/mL,0,,simoa,heparin"]
    cohort = cohorts.read(folder(*rows), Problems())
    spec = FeatureSpec(blocks=("biomarkers",), assays="refuse")
    with pytest.raises(DataError, match=r"nfl_plasma.*edta and heparin"):
        feature_rows(cohort, spec)
    old = FeatureSpec(blocks=("biomarkers",), assays="refuse", edition=1)
    assert len(feature_rows(cohort, old)) == 2
    assert len(feature_rows(as_known(cohort.take(np.array([1])), 0), spec)) == 1


@pytest.mark.parametrize(
    ("block", "kept"),
    [
        ("tube: EDTA, columns: {NfL: {analyte: nfl_plasma}}", ["edta"]),
        ("columns: {NfL: {analyte: nfl_plasma, tube: heparin}}", ["heparin"]),
        ("tube: EDTA, columns: {NfL: {analyte: nfl_plasma, tube: heparin}}", ["heparin"]),
        ("columns: {NfL: {analyte: nfl, matrix: citrate_plasma}}", ["citrate"]),
        ("columns: {NfL: {analyte: nfl_plasma}}", [None]),
    ],
)
def test_the_tube_of_a_wide_table(block, kept, folder):
    path = folder("P1,20", header="sample_id,NfL\n")
    path.write_text(path.read_text() + f"wide: {{unit: pg/mL, assay: simoa, days: 0, {block}}}\n")
    assert tubes(path) == kept


def test_check_counts_and_names_them(folder):
    rows = ["P1,nfl_plasma,20,pg/mL,0,,simoa,edta", "P2,nfl_plasma,20,pg/mL,0,,simoa,heparin"]
    report = check_cohort(open_cohort(folder(*rows)))
    (row,) = report["analytes"]
    assert row["tubes"] == "edta (1), heparin (1)"
    found = [problem["found"] for problem in report["problems"] if "tube" in problem["found"]]
    assert found == ["nfl_plasma was drawn into 2 kinds of tube: 1 edta, 1 heparin"]
    report = check_cohort(open_cohort(folder(rows[0])))
    assert not [problem for problem in report["problems"] if "tube" in problem["found"]]
