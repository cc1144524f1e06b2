"""One contract over every registered feature block, ours and those of other packages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import features.blocks.rows as rows_room
from features.blocks import FeatureSpec, feature_dictionary, feature_rows
from features.blocks.landmark import as_known as known
from features.blocks.registry import block, names
from features.catalogue import shipped
from features.errors import DataError
from tests import made
from tests.cohorts import read

EACH = [FeatureSpec(blocks=(name,)) for name in names()]


def same_bits(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Names, order and bits; NaN is NaN."""
    return list(first.columns) == list(second.columns) and np.array_equal(
        first.to_numpy().view(np.uint32), second.to_numpy().view(np.uint32)
    )


@pytest.fixture(scope="module")
def rows(cohort):
    """Block -> its rows of the demo cohort."""
    return {spec.blocks[0]: feature_rows(cohort, spec) for spec in EACH}


@pytest.fixture(scope="module")
def nothing_known(tmp_path_factory):
    """A cohort of one patient of whom a name is known."""
    folder = tmp_path_factory.mktemp("nobody")
    (folder / "patients.csv").write_text("sample_id\nP1\n")
    (folder / "cohort.yaml").write_text("patients: patients.csv\n")
    return read(folder / "cohort.yaml")


@pytest.mark.parametrize("spec", EACH, ids=names())
def test_what_is_described_is_what_is_computed(rows, spec):
    (name,) = spec.blocks
    described = feature_dictionary(spec, shipped())
    assert [feature.name for feature in described] == list(rows[name].columns) != []
    for feature in described:
        assert feature.block == name
        assert feature.meaning
        assert feature.source
    assert set(block(name).needs) <= set(names())


@pytest.mark.parametrize("spec", EACH, ids=names())
def test_one_patient_has_the_bits_of_the_batch_and_so_in_any_order(cohort, rows, spec):
    batch = rows[spec.blocks[0]]
    for i in (0, 17, 120):
        assert same_bits(feature_rows(cohort.take(np.array([i])), spec), batch.iloc[[i]])
    backwards = np.arange(len(cohort))[::-1]
    assert same_bits(feature_rows(cohort.take(backwards), spec), batch.iloc[::-1])


@pytest.mark.parametrize("at_a_time", [239, 240, 241, 100])
def test_some_patients_at_a_time_have_the_bits_of_all(cohort, monkeypatch, at_a_time):
    assert len(cohort) == 240
    given = replace(cohort, patients=cohort.patients.assign(grip=np.arange(240.0)))
    spec = FeatureSpec(columns=("grip",))
    together = feature_rows(given, spec)
    assert together["grip"].tolist() == list(range(240))
    asked = []
    monkeypatch.setattr(rows_room, "AT_A_TIME", at_a_time)
    monkeypatch.setattr(rows_room, "as_known", lambda c, day: asked.append(len(c)) or known(c, day))
    assert same_bits(feature_rows(given, spec), together)
    assert asked == {239: [239, 1], 100: [100, 100, 40]}.get(at_a_time, [240])


def test_assays_are_refused_in_whom_ever_they_stand(monkeypatch):
    two = made.cohort({}, {}, biomarkers=[(i, "nfl_serum", 20.0, 0.0) for i in (0, 1)])
    assays = pd.Categorical(["simoa", "ella"])
    mixed = replace(two, biomarkers=two.biomarkers.assign(assay=assays))
    monkeypatch.setattr(rows_room, "AT_A_TIME", 1)
    with pytest.raises(DataError, match="measured by simoa and ella"):
        feature_rows(mixed, FeatureSpec(assays="refuse"))


@pytest.mark.parametrize("spec", EACH, ids=names())
def test_values_are_numbers_or_unknown(rows, spec, nothing_known):
    values = rows[spec.blocks[0]]
    assert (values.dtypes == np.float32).all()
    assert not np.isinf(values.to_numpy()).any()
    assert values.notna().to_numpy().any()
    alone = feature_rows(nothing_known, spec)
    assert list(alone.columns) == list(values.columns)
    assert not np.isinf(alone.to_numpy()).any()


def test_of_nobody_nothing_measured_is_known(nothing_known):
    """A treatment that no record names is not there (0); no
    measurement is.
    """
    known = feature_rows(nothing_known, FeatureSpec()).iloc[0].dropna()
    assert [name for name in known.index if not name.startswith(STATES)] == []


STATES = ("on_riluzole", "on_edaravone", "on_gastrostomy", "on_niv")
