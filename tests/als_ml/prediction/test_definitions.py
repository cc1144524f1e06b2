"""A model answers by the definitions that it was trained with, whatever is installed or asked
beside it.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from als_ml.cohort import in_parts
from als_ml.cohort.source import open_cohort
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.job import Job, score_source
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.storage import load_predictor, save_predictor
from als_ml.tracking.loader import load
from features import catalogue
from features.blocks.rows import feature_dictionary
from features.catalogue import Definitions, shipped
from features.errors import DataError
from tests.definitions import with_cell, with_line

SESTRIN = {
    "analyte": "sestrin_serum",
    "name": "Sestrin",
    "matrix": "serum",
    "unit": "ng/mL",
    "scale": "log",
    "separate_assays": "no",
    "plausible_min": "0",
    "plausible_max": "900",
    "feature": "yes",
    "slope": "no",
}
EXPANDED = EXAMPLE | {"variants": [], "repeats": {"C9orf72": {"alleles": [2, 700]}}}


@pytest.fixture(scope="module")
def ours(store) -> Predictor:
    """A familial model, which sees the C9orf72 state."""
    return load("models:/als-familial@champion")


@pytest.fixture(scope="module")
def theirs(ours) -> Predictor:
    """The same model, as a centre that calls C9orf72 expanded from 100,000 units on would have
    it.
    """
    other = with_cell(ours.definitions, "repeats", "C9orf72", "expanded_min", "100000")
    return replace(ours, definitions=other)


def of_cohort(predictor: Predictor, demo: Path) -> list[dict[str, Any]]:
    return predictor.predict_cohort(predictor.read(open_cohort(demo / "cohort.yaml")))


def of_record(predictor: Predictor) -> dict[str, Any]:
    return predictor.predict_records([EXPANDED])[0]


def test_two_models_answer_side_by_side_as_each_does_alone(ours, theirs, demo):
    alone = {id(p): (of_cohort(p, demo), of_record(p)) for p in (ours, theirs)}
    for predictor in (theirs, ours, ours, theirs):
        assert of_record(predictor) == alone[id(predictor)][1]
    for predictor in (theirs, ours):
        assert of_cohort(predictor, demo) == alone[id(predictor)][0]
    causes = [
        {row["sample_id"]: row["genetic_cause"] for row in alone[id(p)][0]} for p in (ours, theirs)
    ]
    changed = {(causes[0][i], causes[1][i]) for i in causes[0] if causes[0][i] != causes[1][i]}
    # Expanded has become intermediate, which is uncertain.
    assert changed == {("found", "uncertain")}
    assert [alone[id(p)][1]["genetic_cause"] for p in (ours, theirs)] == ["found", "uncertain"]


def test_a_row_tells_the_definitions_of_its_model(ours, theirs, demo):
    for predictor in (ours, theirs):
        version = predictor.definitions.version
        rows = [*of_cohort(predictor, demo), *predictor.predict_records([EXPANDED, {}])]
        assert {row["definitions_version"] for row in rows} == {version}
    assert ours.definitions.version != theirs.definitions.version


def test_a_cohort_read_with_other_definitions_is_refused(ours, theirs, demo):
    cohort = ours.read(open_cohort(demo / "cohort.yaml"))
    with pytest.raises(ValueError, match=r"read with other definitions: use Predictor\.read"):
        theirs.predict_cohort(cohort)
    # The same tables read twice are the same definitions.
    again = replace(cohort, definitions=Definitions(ours.definitions.texts))
    assert ours.predict_cohort(again) == ours.predict_cohort(cohort)


def scored(predictors: list[Predictor], demo: Path, output: Path) -> pd.DataFrame:
    """The rows that a batch job writes."""
    job = Job(predictors=predictors, named=[str(i) for i in range(len(predictors))], output=output)
    score_source(job, open_cohort(demo / "cohort.yaml"))
    return pd.read_parquet(output)


@pytest.mark.slow
@pytest.mark.parametrize("large", [False, True])
def test_one_job_scores_both_as_each_does_alone(ours, theirs, demo, tmp_path, monkeypatch, large):
    if large:
        monkeypatch.setattr(in_parts, "LARGE", 1)
        monkeypatch.setattr(in_parts, "PART", 100)
    alone = [scored([p], demo, tmp_path / f"{i}.parquet") for i, p in enumerate((ours, theirs))]
    both = scored([ours, theirs], demo, tmp_path / "both.parquet")
    assert both.equals(pd.concat(alone, ignore_index=True))
    assert not alone[0]["genetic_cause"].equals(alone[1]["genetic_cause"])


@pytest.fixture(scope="module")
def trained(store) -> Predictor:
    """A progression model, which sees every analyte that is a feature."""
    return load("models:/als-progression@champion")


@pytest.fixture
def stored(trained, tmp_path) -> dict[str, Path]:
    """The files of that model."""
    return save_predictor(trained, tmp_path)


@pytest.fixture
def gained(tmp_path, monkeypatch) -> Definitions:
    """This installation with one analyte more, which is a feature."""
    more = with_line(shipped(), "biomarkers", **SESTRIN)
    folder = tmp_path / "definitions"
    shutil.copytree(catalogue.FOLDER, folder)
    (folder / "biomarkers.tsv").write_text(more.texts["biomarkers"])
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    assert shipped().version == more.version
    return more


def test_a_line_gained_since_changes_no_answer(trained, stored, gained, demo):
    predictor = load_predictor(
        stored["pipeline"], stored["model"], trained.model_name, trained.model_version
    )
    assert any("sestrin" in f.name for f in feature_dictionary(trained.spec, gained))
    assert predictor.names == trained.names
    assert of_record(predictor) == of_record(trained)
    assert of_cohort(predictor, demo) == of_cohort(trained, demo)


def test_a_model_stored_without_definitions_takes_those_that_it_is_given(trained, stored, gained):
    early = json.loads(stored["model"].read_text())
    del early["definitions"]
    stored["model"].write_text(json.dumps(early))
    with pytest.raises(DataError, match=r"other features .*log_sestrin_serum"):
        load_predictor(stored["pipeline"], stored["model"])
    predictor = load_predictor(**stored, definitions=trained.definitions)
    assert (
        predictor.predict_records([EXPANDED])[0]["probability"] == of_record(trained)["probability"]
    )


def test_a_model_with_definitions_of_its_own_keeps_them(trained, stored):
    other = with_line(shipped(), "biomarkers", **SESTRIN)
    predictor = load_predictor(**stored, definitions=other)
    assert predictor.definitions.version == trained.definitions.version


def test_features_that_this_version_does_not_compute_are_refused(stored):
    changed = json.loads(stored["model"].read_text())
    changed["columns"][3] = "no_such_feature"
    stored["model"].write_text(json.dumps(changed))
    with pytest.raises(DataError, match=r"trained with other features \(2 differ"):
        load_predictor(stored["pipeline"], stored["model"])


def test_damaged_definitions_are_told(stored):
    changed = json.loads(stored["model"].read_text())
    changed["definitions"] = ["genes"]
    stored["model"].write_text(json.dumps(changed))
    with pytest.raises(DataError, match="damaged"):
        load_predictor(stored["pipeline"], stored["model"])
