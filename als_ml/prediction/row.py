"""The prediction row, described once: the columns, the Arrow schema and the announced reply all
follow from it.
"""

from types import NoneType, UnionType
from typing import get_args, get_type_hints

import pyarrow as pa

# pydantic wants this one below Python 3.12.
from typing_extensions import TypedDict

from als_ml.cohort.records import RowError


class Driver(TypedDict):
    """A feature that moved the score."""

    feature: str
    value: float
    contribution: float
    text: str


class PredictionRow(TypedDict):
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
    format: int
    error: RowError | None


def refuse(row: PredictionRow, error: RowError) -> None:
    """Take the prediction out of a row and put the reason in.

    Parameters
    ----------
    row : PredictionRow
        Changed in its place.
    error : RowError
        Why there is no prediction.
    """
    row["probability"] = row["predicted_class"] = row["prediction_set"] = None
    row["abstained"] = row["out_of_distribution"] = None
    row["drivers"], row["missing_inputs"] = [], []
    row["error"] = error


# Columns of a prediction table, in order.
ROW_FIELDS = tuple(get_type_hints(PredictionRow))
# Whether a reader may pass the row on to the patient (contract, Consent).
CONSENTS = ("consent_genetic_return", "consent_prognosis")
# What stands empty where a patient has no prediction.
PREDICTED = ("probability", "predicted_class", "prediction_set", "abstained", "out_of_distribution")
_ARROW: dict[object, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def _arrow_type(name: str) -> pa.DataType | None:
    """Type of a field's cells, None for a list or an object."""
    annotation = get_type_hints(PredictionRow)[name]
    named = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = [kind for kind in named if kind is not NoneType]
    return _ARROW.get(kinds[0]) if len(kinds) == 1 else None


# Lists and objects stand as JSON text in the cells of a table.
NESTED = tuple(name for name in ROW_FIELDS if _arrow_type(name) is None)
SCHEMA = pa.schema([(name, _arrow_type(name) or pa.string()) for name in ROW_FIELDS])
