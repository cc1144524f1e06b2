"""A patient of a request is read as alone: no other record of it has a say in what a cell means."""

from dataclasses import replace

import numpy as np
import pytest

from als_ml.cohort.records import read_records
from als_ml.prediction.predictor import Predictor
from features.blocks.rows import FeatureSpec, feature_rows
from features.catalogue import shipped
from features.tables.coded import decoded
from features.variants.lookups import NO_LOOKUPS

SPEC = FeatureSpec(blocks=("clinical", "biomarkers", "alsfrs"))
OTHER = {"sample_id": "B", "index_date": "2020-01-01"}


def read(*records, spec=SPEC):
    return read_records(list(records), spec, NO_LOOKUPS, shipped())


def value(analyte="bmi", value=20, unit="kg/m2", days=0, **more):
    return {"analyte": analyte, "value": value, "unit": unit, "days": days, **more}


def nfl(tube=None, assay="simoa"):
    return value("nfl_plasma", 20.0, "pg/mL", tube=tube, assay=assay)


# --- days, dates and years ---


@pytest.mark.parametrize(
    ("index_date", "day", "refused"),
    [
        # The same bounds as in files: a bare number from 1900 to 2100 beside a date is a year.
        ("2020-01-01", 1899, False),
        ("2020-01-01", 1900, True),
        ("2020-01-01", 2100, True),
        ("2020-01-01", 2101, False),
        (None, 1900, False),
        (None, 2022, False),
        (None, 2100, False),
    ],
)
def test_a_year_is_one_where_the_patient_has_a_date(index_date, day, refused):
    """In the patient's columns, in a visit and in a measurement alike."""
    for own in (
        {"death_days": day},
        {"alsfrs": [{"days": day, "total": 40}]},
        {"biomarkers": [value(days=day)]},
    ):
        error = read({"sample_id": "A", "index_date": index_date, **own})[2].get(0)
        assert bool(error) == refused
        if error:
            assert error["reason"] == "is a year, not a day: the cohort has dates"
            assert "uncertain_dates" in error["remedy"]
            assert "cohort file" not in error["remedy"]


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ({"death_days": 1950}, {}),
        ({"alsfrs": [{"days": 1950, "total": 40}]}, {"alsfrs": [{"days": 0, "total": 40}]}),
        ({"biomarkers": [value(days=1950)]}, {"biomarkers": [value(days=0)]}),
        ({"biomarkers": [value(days=1950)]}, {"biomarkers": [value(days="2020-02-01")]}),
        (
            {"biomarkers": [value(days="03/02/2020")], "index_date": "2020-01-01"},
            {"biomarkers": [value(days="13/02/2020")]},
        ),
        ({"biomarkers": [value(value="20.123")]}, {"biomarkers": [value(value="20,5")]}),
    ],
)
def test_no_other_record_has_a_say(own, others):
    record = {"sample_id": "A", "onset_days": -400, "age_at_onset": 60, **own}
    alone, _, refused = read(record)
    beside, _, errors = read(record, OTHER | others)
    assert refused.get(0) == errors.get(0)
    if not refused:
        row, same = (feature_rows(cohort, SPEC).loc["A"] for cohort in (alone, beside))
        np.testing.assert_array_equal(row.to_numpy(), same.to_numpy())


@pytest.mark.parametrize(
    ("interval", "rate"),
    [
        (None, True),
        ("onset_days -415..-385", True),  # a month: 31 days
        ("onset_days -416..-385", False),  # a day more
        ("onset_days -565..-200", False),  # a year
    ],
)
def test_an_onset_known_to_the_year_carries_no_rate(interval, rate):
    record = {
        "sample_id": "A",
        "onset_days": -400,
        "uncertain_dates": interval,
        "alsfrs": [{"days": 0, "total": 36}],
    }
    cohort, _, errors = read(record)
    assert not errors
    assert np.isfinite(feature_rows(cohort, SPEC).loc["A", "log_delta_fs"]) == rate


# --- tubes ---


@pytest.mark.parametrize(
    ("tube", "kept", "bridged"),
    [("K2-EDTA", "edta", True), (None, None, True), ("heparin", "heparin", False)],
)
def test_a_tube_is_kept_and_bridged_as_in_files(tube, kept, bridged):
    cohort, _, errors = read({"sample_id": "A", "biomarkers": [nfl(tube)]})
    assert not errors
    assert decoded(cohort.biomarkers["tube"]).to_numpy().tolist() == [kept]
    row = feature_rows(cohort, replace(SPEC, assays="bridge")).loc["A"]
    assert np.isfinite(row["log_nfl_serum_simoa"]) == bridged
    assert np.isfinite(row["log_nfl_plasma_simoa"]) != bridged


class Readable(Predictor):
    """Answers with the patient's plasma NfL instead of a model's score."""

    def predict_cohort(self, cohort, drivers=True):
        rows = feature_rows(cohort, self.spec)["log_nfl_plasma_simoa"]
        return [{"sample_id": name, "error": None, "nfl": nfl} for name, nfl in rows.items()]

    def _failed(self, record, error):
        return {"sample_id": record["sample_id"], "error": error}


@pytest.mark.parametrize(
    ("first", "second"),
    [(nfl("edta"), nfl("heparin")), (nfl(), nfl(assay="ella"))],
)
def test_what_one_patient_may_not_mix_two_may_have(first, second):
    """`assays: refuse`: each patient of a request is answered as alone, a mixture in its place."""
    predictor = Readable(None, replace(SPEC, assays="refuse"), NO_LOOKUPS, shipped())
    a, b = ({"sample_id": name, "biomarkers": [own]} for name, own in (("A", first), ("B", second)))
    mixed = {"sample_id": "C", "biomarkers": [first, {**second, "days": 1}]}
    rows = predictor.predict_records([a, b, mixed])
    alone = [predictor.predict_records([one])[0] for one in (a, b, mixed)]
    assert rows == alone or str(rows) == str(alone)  # NaN
    assert [row["error"] is None for row in rows] == [True, True, False]
    assert rows[2]["error"]["field"] == "biomarkers, nfl_plasma"
    assert "not interchangeable" in rows[2]["error"]["reason"]
    assert "heparin" not in str(rows[2])


# --- further columns of a model ---

FURTHER = replace(SPEC, columns=("grip_kg",), levels={"hospital_type": ("1", "2")})


@pytest.mark.parametrize(
    ("given", "grip", "first", "second"),
    [
        ({}, np.nan, np.nan, np.nan),
        ({"grip_kg": None, "hospital_type": None}, np.nan, np.nan, np.nan),
        ({"grip_kg": 21.5, "hospital_type": "2"}, 21.5, 0, 1),
        ({"grip_kg": 21, "hospital_type": 1}, 21, 1, 0),
        ({"hospital_type": 1.0}, np.nan, 1, 0),
    ],
)
def test_a_further_column_may_be_absent_or_null(given, grip, first, second):
    """Alone, and beside one who has words where this patient has numbers."""
    other = {"sample_id": "B", "grip_kg": 3, "hospital_type": "north"}
    for records in ([{"sample_id": "A", **given}], [{"sample_id": "A", **given}, other]):
        cohort, _, errors = read(*records, spec=FURTHER)
        assert not errors
        row = feature_rows(cohort, FURTHER).loc["A"]
        found = [row["grip_kg"], row["hospital_type=1"], row["hospital_type=2"]]
        np.testing.assert_array_equal(found, np.array([grip, first, second], dtype=np.float32))


def test_a_text_in_a_further_column_of_numbers_is_that_patient_s_error():
    bad, good = {"sample_id": "A", "grip_kg": "strong"}, {"sample_id": "B", "grip_kg": 20}
    _, rows, errors = read(bad, good, spec=FURTHER)
    assert (list(rows), list(errors)) == ([1], [0])
    assert errors[0] == {
        "field": "grip_kg",
        "reason": "is not a finite number",
        "remedy": "Send a JSON number or null.",
    }


# --- what was dropped in silence ---


@pytest.mark.parametrize(
    ("own", "field"),
    [
        ({"treatments": {"riluzole": 5}}, "treatments.riluzole"),
        ({"treatments": {"riluzole": [30]}}, "treatments.riluzole"),
        ({"treatments": [{"drug": "riluzole"}, "tofersen"]}, "treatments"),
        ({"repeats": {"C9orf72": {"alleles": [2, 8], "method": 5}}}, "repeats.C9orf72.method"),
        ({"repeats": {"C9orf72": {"alleles": [2], "method": "a" * 61}}}, "repeats.C9orf72.method"),
    ],
)
def test_what_would_be_dropped_is_refused(own, field):
    assert read({"sample_id": "A", **own})[2][0]["field"] == field


def test_treatments_may_be_null_or_a_list():
    for given in ({"riluzole": None}, [{"drug": "riluzole"}], {"riluzole": {"stop_days": None}}):
        assert not read({"sample_id": "A", "treatments": given})[2]
