"""Patients are recognised without a list of them: with a visit more, in any order.

Strangers, and other keys, are not.
"""

import base64
import stat
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from als_ml.cohort.known_patients import (
    FALSE_POSITIVE,
    key_name,
    key_path,
    patient_key,
    patient_prints,
    recognised,
    remembered,
)
from als_ml.simulate import simulate
from features.errors import RequestError
from tests.cohorts import read

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def memory(cohort):
    return remembered(patient_prints(cohort, KEY), KEY)


def test_everyone_who_was_put_in_is_found(cohort, memory):
    prints = patient_prints(cohort, KEY)
    assert None not in prints
    assert len(set(prints)) == len(cohort)
    assert recognised(prints, memory).all()


def test_a_cohort_minus_one_patient_in_another_order(cohort, memory):
    order = np.random.default_rng(0).permutation(len(cohort))[1:]
    assert recognised(patient_prints(cohort.take(order), KEY), memory).all()


def test_one_visit_and_one_biomarker_since(cohort, memory):
    last = cohort.alsfrs.sort_values("days").drop_duplicates("row", keep="last")
    further = last.assign(days=last["days"] + 30, total=last["total"] - 1)
    grown = replace(cohort, alsfrs=pd.concat([cohort.alsfrs, further], ignore_index=True))
    renamed = grown.patients.assign(sample_id=[f"new{i}" for i in range(len(cohort))])
    assert recognised(patient_prints(replace(grown, patients=renamed), KEY), memory).all()


@pytest.mark.parametrize(
    ("column", "value"),
    [("age_at_onset", 1.0), ("onset_days", -1.0), ("diagnosis_days", 1.0), ("sex", None)],
)
def test_another_value_is_another_patient(cohort, memory, column, value):
    patients = cohort.patients.copy()
    old = patients[column]
    patients[column] = (
        old.map({"female": "male", "male": "female"}) if value is None else old + value
    )
    assert not recognised(patient_prints(replace(cohort, patients=patients), KEY), memory).any()


@pytest.mark.slow
def test_strangers_pass(memory, tmp_path):
    simulate(tmp_path / "strangers", patients=160, seed=77)
    prints = patient_prints(read(tmp_path / "strangers/cohort.yaml"), KEY)
    assert not recognised(prints, memory).any()


def test_the_stated_false_positive_rate(cohort, memory):
    """A stranger passes unless all its bits are set: the share of set bits to the power of the
    hashes.
    """
    bits = np.unpackbits(np.frombuffer(base64.b64decode(memory["bits"]), dtype=np.uint8))
    assert bits.mean() ** memory["hashes"] <= 2 * FALSE_POSITIVE
    assert memory["false_positive"] == FALSE_POSITIVE
    rng = np.random.default_rng(3)
    assert not recognised([rng.bytes(16) for _ in range(50_000)], memory).any()
    # The same at a rate that can be counted: with 3 of the hashes about one stranger in eight is
    # taken for a patient.
    few = recognised([rng.bytes(16) for _ in range(20_000)], memory | {"hashes": 3})
    assert few.mean() == pytest.approx(bits.mean() ** 3, rel=0.1)


def test_without_the_key_nothing_is_told(cohort, memory):
    other = bytes(32)
    assert not recognised(patient_prints(cohort, other), memory).any()
    assert key_name(other) != memory["key"] == key_name(KEY)
    text = str(memory)
    assert KEY.hex() not in text
    assert not [name for name in cohort.patients["sample_id"] if name in text]


def test_who_has_too_few_fields_is_not_guessed(cohort, memory):
    """Two of age, onset, diagnosis and first visit do not tell people apart, three do."""
    patients = cohort.patients.assign(age_at_onset=np.nan)
    three = replace(cohort, patients=patients)
    assert None not in patient_prints(three, KEY)
    two = replace(cohort, patients=patients.assign(diagnosis_days=np.nan))
    prints = patient_prints(two, KEY)
    assert set(prints) == {None}
    assert not recognised(prints, memory).any()
    empty = remembered(prints, KEY)
    assert not recognised(patient_prints(cohort, KEY), empty).any()


def test_the_key_is_made_once_for_the_user_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("ALS_ML_PATIENT_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    key = patient_key()
    assert key_path() == tmp_path / "als-ml/patients.key"
    assert patient_key() == key
    assert stat.S_IMODE(key_path().stat().st_mode) == 0o600
    assert [path.name for path in key_path().parent.iterdir()] == ["patients.key"]
    monkeypatch.setenv("ALS_ML_PATIENT_KEY", str(tmp_path / "own.key"))
    assert patient_key() != key


@pytest.mark.parametrize("content", ["", "zz", "ab" * 31])
def test_a_broken_key(tmp_path, monkeypatch, content):
    path = tmp_path / "patients.key"
    path.write_text(content)
    monkeypatch.setenv("ALS_ML_PATIENT_KEY", str(path))
    with pytest.raises(RequestError, match="this is not a key"):
        patient_key()


def test_a_key_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ALS_ML_PATIENT_KEY", str(tmp_path / "file/patients.key"))
    with pytest.raises(RequestError, match="Set ALS_ML_PATIENT_KEY"):
        patient_key()
