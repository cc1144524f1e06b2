"""The prediction row of the contract, in its order, with its types.

All that follows from its one description.
"""

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from als_ml.prediction.row import NESTED, PREDICTED, ROW_FIELDS, SCHEMA, PredictionRow

# Contract, section "Patient record (served) and prediction row".
CONTRACT = (
    "sample_id, task, probability, predicted_class, prediction_set, abstained, out_of_distribution,"
    " drivers, missing_inputs, genetic_cause,"
    " consent_genetic_return, consent_prognosis, model_name, model_version, als_ml_version,"
    " definitions_version, format, risk_12m, risk_24m, median_months, q25_months, q75_months,"
    " survival_low_months, risk_group,"
    " slope_predicted, slope_predicted_low, slope_predicted_high,"
    " total_3m, total_3m_low, total_3m_high, total_6m, total_6m_low, total_6m_high,"
    " total_9m, total_9m_low, total_9m_high, total_12m, total_12m_low, total_12m_high,"
    " error"
)


def test_the_columns_are_those_of_the_contract():
    assert ", ".join(ROW_FIELDS) == CONTRACT
    assert tuple(SCHEMA.names) == ROW_FIELDS


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sample_id", pa.string()),
        ("probability", pa.float64()),
        ("abstained", pa.bool_()),
        ("out_of_distribution", pa.bool_()),
        ("missing_inputs", pa.string()),
        ("error", pa.string()),
    ],
)
def test_types_of_the_cells(name, kind):
    assert SCHEMA.field(name).type == kind


def test_lists_and_objects_are_json_text():
    assert NESTED == ("drivers", "missing_inputs", "error")


def test_a_refused_patient_has_no_prediction_and_keeps_the_rest():
    row = {
        "sample_id": "P1",
        "task": "familial",
        "drivers": [],
        "missing_inputs": [],
        "genetic_cause": "found",
        "consent_genetic_return": "yes",
        "consent_prognosis": None,
        "model_name": None,
        "model_version": None,
        "als_ml_version": "0",
        "definitions_version": "0",
        "format": 1,
        "error": {"field": "diagnosis", "reason": "only als is scored", "remedy": "None."},
    }
    whole = {**row, **dict.fromkeys(PREDICTED)}
    assert TypeAdapter(PredictionRow).validate_python(whole) == whole
    assert {*row, *PREDICTED} == set(ROW_FIELDS)
