"""A cohort and a configuration that bring tables of their own, from the file to the row."""

from pathlib import Path

import numpy as np
import pytest

import als_ml
from als_ml.config import load_config
from als_ml.training.task_data import make_labels
from features.catalogue import analytes
from features.errors import RequestError
from tests.conftest import ROOT
from tests.features.test_overlay import NAMES, SESTRIN
from tests.stores import store_in

PROGRESSION = ROOT / "configs/progression.yaml"
BIOMARKERS = """sample_id,analyte,value,unit,days
P1,serum sestrin,20,ng/mL,0
P1,neurofil serum,40,ours,0
"""


@pytest.fixture
def cohort_file(tmp_path) -> Path:
    """One patient, one analyte of the laboratory's own and one name and unit of ours."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/biomarkers.tsv").write_text(SESTRIN)
    (tmp_path / "names").mkdir()
    (tmp_path / "names/biomarkers.tsv").write_text(NAMES)
    (tmp_path / "p.csv").write_text("sample_id\nP1\n")
    (tmp_path / "b.csv").write_text(BIOMARKERS)
    text = "patients: p.csv\nbiomarkers: b.csv\ndefinitions: [ours, names]\n"
    (tmp_path / "cohort.yaml").write_text(text)
    return tmp_path / "cohort.yaml"


def test_an_analyte_of_the_laboratory_becomes_a_feature(cohort_file):
    rows = als_ml.features(cohort_file, values=("last",))
    known = rows.iloc[0].dropna()
    assert known["log_sestrin_serum"] == pytest.approx(np.log(20))
    assert known["log_nfl_serum_unknown"] == pytest.approx(np.log(80))
    assert len(known) == 2 + sum(name.startswith(("c9orf72", "on_")) for name in known.index)


def test_tables_outside_the_folder_of_the_cohort_are_refused(cohort_file):
    cohort_file.write_text(cohort_file.read_text().replace("ours,", "../ours,"))
    with pytest.raises(RequestError, match=r"definitions.*leaves the folder"):
        als_ml.read_cohort(cohort_file)


def test_a_scheme_of_the_laboratory_labels(tmp_path, demo):
    (tmp_path / "progression_schemes.tsv").write_text(
        "scheme\tcutoffs\tmeasure\tsource\nours\t0.4;0.8\tslope\tours (P)\n"
    )
    scheme = ["label.cutoff=null", "label.scheme=ours"]
    changes = [f"definitions=[{tmp_path}]", *scheme]
    config = load_config(PROGRESSION, changes)
    assert config.cutoffs == (0.4, 0.8)
    stated = load_config(PROGRESSION, ["label.cutoff=0.8"])
    cohort = als_ml.read_cohort(demo / "cohort.yaml")
    by_scheme, by_number = (make_labels(c, cohort).y for c in (config, stated))
    assert np.array_equal(by_scheme, by_number, equal_nan=True)
    with pytest.raises(RequestError, match=r"label\.scheme 'ours' is not known"):
        load_config(PROGRESSION, scheme)


def test_a_stored_model_reads_names_and_units_of_a_cohort_and_keeps_its_tables(cohort_file, store):
    with store_in(Path(store["folder"])):
        model = als_ml.load("models:/als-progression@champion")
    cohort_file.write_text(cohort_file.read_text().replace("[ours, names]", "[names]"))
    table = cohort_file.parent / "b.csv"
    table.write_text("\n".join(BIOMARKERS.splitlines()[::2]) + "\n")
    cohort = als_ml.read_cohort(cohort_file, model)
    assert cohort.definitions.version == model.definitions.version
    assert cohort.biomarkers["value"].tolist() == [80]
    assert als_ml.predict(model, cohort_file)["error"].notna().sum() <= 1


def test_a_stored_model_says_what_it_does_not_know(cohort_file, store):
    with store_in(Path(store["folder"])):
        model = als_ml.load("models:/als-progression@champion")
    noticed = []
    cohort = als_ml.read_cohort(cohort_file, model, problems=noticed)
    line, values = [problem for problem in noticed if problem.code == "definition_unknown"]
    assert (line.where, values.where) == ("definitions", "b.csv")
    assert "sestrin_serum" in line.found
    assert values.found == "the model does not know the analyte of 1 values: sestrin_serum (1)"
    assert cohort.biomarkers["analyte"].tolist() == ["nfl_serum"]
    assert list(cohort.biomarkers["analyte"].cat.categories) == list(
        analytes(model.definitions).index
    )
    assert als_ml.predict(model, cohort_file)["sample_id"].tolist() == ["P1"]
