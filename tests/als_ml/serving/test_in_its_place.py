"""Every patient is answered in its place, whatever a record holds, and no answer repeats it."""

import json
import logging
from pathlib import Path

import pytest

from als_ml.prediction import predictor as predictor_module
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.faults import OURS
from als_ml.tracking.loader import model_in
from benchmarks import fuzz

ROOT = Path(__file__).resolve().parents[3]
HALF = "SECRET\ud800"  # half of a pair of UTF-16, as JSON may hold it
NFL = {"analyte": "nfl_serum", "value": 30, "unit": "pg/mL", "assay": "simoa", "days": 0}


@pytest.fixture(scope="module")
def predictor():
    return model_in(ROOT / "tests/fixtures/models_format_1/progression").predictor()


def nfl(**changes):
    return {"biomarkers": [NFL | changes]}


# What is wrong with a record, and the field that the answer names.
WRONG = [
    ({"age_at_onset": 2**63}, "record"),
    ({"age_at_onset": 2**64}, "record"),
    ({"age_at_onset": -(2**70)}, "record"),
    ({"age_at_onset": 10**400}, "record"),
    ({"age_at_onset": 2**63 - 1}, "patient.age_at_onset"),
    ({"age_at_onset": [1]}, "age_at_onset"),
    ({"age_at_onset": True}, "age_at_onset"),
    ({"sample_id": HALF}, "record"),
    ({"sample_id": ["SECRET"]}, "sample_id"),
    ({"sex": ["SECRET"]}, "sex"),
    ({"sex": {"SECRET": 1}}, "sex"),
    ({"index_date": HALF}, "record"),
    ({HALF: 1}, "record"),
    ({"treatments": {"riluzole": {"start_days": 2**64}}}, "record"),
    ({"treatments": {"SECRET": {}}}, "treatments"),
    ({"treatments": {"riluzole": {"SECRET": 1}}}, "treatments.riluzole"),
    ({"assayed": {"SOD1": ["SECRET"]}}, "assayed.SOD1"),
    ({"assayed": {"SOD1": {}}}, "assayed.SOD1"),
    ({"assayed": {"SECRET": "full"}}, "assayed"),
    ({"repeats": {"C9orf72": {"alleles": [2, 8], "status": ["SECRET"]}}}, "repeats.C9orf72.status"),
    ({"repeats": {"C9orf72": [["SECRET"], 2]}}, "repeats.C9orf72"),
    ({"repeats": {"SECRET": [2, 8]}}, "repeats"),
    ({"variants": ["SECRET 0/1"]}, "variants"),
    ({"alsfrs": [{"days": HALF, "total": 4}]}, "record"),
    ({"alsfrs": [{"SECRET": 4}]}, "alsfrs"),
    (nfl(value=10**400), "record"),
    (nfl(value="1e999"), "biomarkers.value"),
    (nfl(value=1e308), "biomarkers.value"),
    (nfl(value=-1e16), "biomarkers.value"),
    (nfl(value=1.1e15), "biomarkers.value"),
    (nfl(value="<" + "9" * 400), "biomarkers.value"),
    (nfl(value=HALF), "record"),
    (nfl(value=["SECRET"]), "biomarkers.value"),
    (nfl(unit="nan"), "biomarkers.unit"),
    (nfl(unit="inf"), "biomarkers.unit"),
    (nfl(unit="1e999"), "biomarkers.unit"),
    (nfl(unit="1e-999"), "biomarkers.unit"),
    (nfl(unit="SECRET"), "biomarkers.unit"),
    (nfl(unit="10**10**10"), "biomarkers.unit"),
    (nfl(days=2**64), "record"),
    (nfl(analyte="SECRET"), "biomarkers.analyte"),
    (nfl(SECRET=1), "biomarkers"),
    (nfl(ref_high="SECRET"), "biomarkers.ref_high"),
    ({"SECRET": "SECRET"}, "record"),
    ({"MRS_MILLER": 1, "JOHN": 2}, "record"),
]


@pytest.mark.parametrize(("change", "field"), WRONG)
def test_a_bad_patient_beside_a_good_one(change, field, predictor):
    good, bad = predictor.predict_records([EXAMPLE, EXAMPLE | change])
    assert good == predictor.predict_records([EXAMPLE])[0]
    assert bad["error"]["field"] == field
    assert bad["probability"] is None
    told = json.dumps(bad["error"])
    assert "SECRET" not in told
    assert "MILLER" not in told
    assert predictor.predict_records([EXAMPLE | change]) == [bad]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("age_at_onst", "age_at_onst"),  # a slip of the pen is named
        ("Age_At_Onset", "Age_At_Onset"),
        ("note", "record"),
        ("age_at_onset" * 40, "record"),
    ],
)
def test_an_unknown_field_is_named_where_it_resembles_a_known_one(name, told, predictor):
    (row,) = predictor.predict_records([EXAMPLE | {name: 1}])
    assert row["error"]["field"] == told
    assert ("Did you mean" in row["error"]["remedy"]) == (told != "record")


def test_unknown_fields_are_counted(predictor):
    (row,) = predictor.predict_records([EXAMPLE | {"xx": 1, "yyy": 2}])
    assert row["error"]["reason"] == "has 2 fields that nothing reads"


# --- what nobody foresaw

# A patient who makes an error of ours, which none can foresee: planted here.
FATAL = EXAMPLE | {"sample_id": "SECRET-FATAL"}


@pytest.fixture
def failing(monkeypatch):
    own = predictor_module.read_records

    def read(records, *more):
        if any(record.get("sample_id") == FATAL["sample_id"] for record in records):
            raise ZeroDivisionError(f"{FATAL['sample_id']} is 61")
        return own(records, *more)

    monkeypatch.setattr(predictor_module, "read_records", read)


def test_only_the_patient_who_raises_carries_the_error(failing, predictor, caplog):
    with caplog.at_level(logging.ERROR, logger="als_ml"):
        first, fatal, last = predictor.predict_records([EXAMPLE, FATAL, EXAMPLE])
    assert first == last
    assert first["error"] is None
    assert fatal["error"]["field"] == OURS
    (line,) = caplog.messages
    name = line.split()[1].rstrip(":")
    assert f"(error {name})" in fatal["error"]["reason"]
    assert "ZeroDivisionError at als_ml/prediction/predictor.py:" in line
    assert "SECRET" not in line + json.dumps(fatal["error"])
    # Between the id, which may hold any digits, and the line of the code.
    assert "61" not in line.partition(": ")[2].rpartition(":")[0]


# MLflow says this of any model from code when its module is first read.
@pytest.mark.filterwarnings("ignore:.*Any type hint")
def test_500_only_if_all_fail(failing, predictor):
    from als_ml.serving.model import AlsModel, BadRequest, Failed

    model = AlsModel()
    model.predictor = predictor
    rows = model.predict(None, [EXAMPLE, FATAL])
    assert [row["error"] is None for row in rows] == [True, False]
    with pytest.raises(Failed) as failed:
        model.predict(None, [FATAL])
    assert failed.value.get_http_status_code() == 500
    # An error of ours is never told as one of the sender's.
    with pytest.raises(Failed):
        model.predict(None, [EXAMPLE | {"sex": 5}, FATAL])
    with pytest.raises(BadRequest):
        model.predict(None, [EXAMPLE | {"sex": 5}])


@pytest.mark.slow
def test_mutated_records_are_answered_alike():
    """Alone, in a batch and as files; `python -m benchmarks fuzz` tries 10,000."""
    told, wrong = fuzz.run(300, seed=7)
    assert not wrong
    assert min(told["refused"], told["scored"]) > 50
    assert told["as files"] > 0
