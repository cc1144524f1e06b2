"""The shape of a patient record as the endpoint announces it.

MLflow validates each request against this model before our code runs, and one bad record would fail them all. So every
field takes what is sent, and `als_ml.cohort.records` validates each patient by itself.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, create_model, field_validator

from features.alsfrs.visits import ALL_ITEMS
from features.catalogue import patient_columns


class _Announced(BaseModel):
    model_config = ConfigDict(extra="allow")

    @field_validator("*", mode="plain")
    @classmethod
    def _as_sent(cls, value: Any) -> Any:
        return value


class Measurement(_Announced):
    """One biomarker value."""

    analyte: str | None = None
    value: float | None = None
    unit: str | None = None
    matrix: str | None = None
    assay: str | None = None
    days: int | None = None
    censored: str | None = None
    limit: float | None = None
    ref_low: float | None = None
    ref_high: float | None = None


class RepeatCall(_Announced):
    """Sizes of both alleles of a repeat locus and the interval of the longer one, in repeat units."""

    alleles: list[float] | None = None
    ci: list[float] | None = None
    method: str | None = None
    status: str | None = None


class Treatment(_Announced):
    """When a drug was given."""

    start_days: int | None = None
    stop_days: int | None = None


_POINTS: dict[str, Any] = dict.fromkeys(ALL_ITEMS, (int | None, None))
Visit = create_model(
    "Visit",
    __base__=_Announced,
    days=(int | None, None),
    scale=(str | None, None),
    **_POINTS,
    q5a=(int | None, None),
    q5b=(int | None, None),
    q5_form=(str | None, None),
    total=(float | None, None),
)

_TYPES: dict[str, Any] = {"number": float | None, "days": int | None}
_COLUMNS: dict[str, Any] = {
    name: (_TYPES.get(kind, str | None), None) for name, kind in patient_columns()["type"].items()
}
_PARTS: dict[str, Any] = {
    "genome_build": (str | None, None),
    "as_of_days": (int | None, None),
    "biomarkers": (list[Measurement] | None, None),
    "variants": (list[str] | None, None),
    "repeats": (dict[str, RepeatCall] | None, None),
    "assayed": (dict[str, str] | None, None),
    "alsfrs": (list[Visit] | None, None),  # type: ignore[valid-type]
    "treatments": (dict[str, Treatment] | None, None),
}

ServedPatient = create_model("ServedPatient", __base__=_Announced, **_COLUMNS, **_PARTS)


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
    model_name: str | None
    model_version: str | None
    als_ml_version: str
    definitions_version: str
    error: RowError | None
