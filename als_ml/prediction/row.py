"""The prediction row, described once: the columns, the Arrow schema and the announced reply all
follow from it.
"""

from types import NoneType, UnionType
from typing import Any, get_args

import pyarrow as pa
from pydantic import BaseModel


class Driver(BaseModel):
    """A feature that moved the score."""

    feature: str
    value: float
    contribution: float
    text: str


class RowError(BaseModel):
    """Why a patient has no prediction."""

    field: str
    reason: str
    remedy: str


# A `PredictionRow` as a dict: MLflow makes the model of it, and only of what it serves.
Row = dict[str, Any]


class PredictionRow(BaseModel):
    """The reply for one patient; predictions are null where `error` is not."""

    sample_id: str | None
    task: str
    probability: float | None
    predicted_class: str | None
    prediction_set: str | None
    abstained: bool | None
    out_of_distribution: bool | None
    drivers: list[Driver]
    missing_inputs: list[str]
    genetic_cause: str | None
    consent_genetic_return: str | None
    consent_prognosis: str | None
    model_name: str | None
    model_version: str | None
    als_ml_version: str
    definitions_version: str
    error: RowError | None


# Columns of a prediction table, in order.
ROW_FIELDS = tuple(PredictionRow.model_fields)
# Whether a reader may pass the row on to the patient (contract, Consent).
CONSENTS = ("consent_genetic_return", "consent_prognosis")
# What stands empty where a patient has no prediction.
PREDICTED = ("probability", "predicted_class", "prediction_set", "abstained", "out_of_distribution")
_ARROW: dict[object, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def _arrow_type(name: str) -> pa.DataType | None:
    """Type of a field's cells, None for a list or an object."""
    annotation = PredictionRow.model_fields[name].annotation
    named = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = [kind for kind in named if kind is not NoneType]
    return _ARROW.get(kinds[0]) if len(kinds) == 1 else None


# Lists and objects stand as JSON text in the cells of a table.
NESTED = tuple(name for name in ROW_FIELDS if _arrow_type(name) is None)
SCHEMA = pa.schema([(name, _arrow_type(name) or pa.string()) for name in ROW_FIELDS])
