"""The shape of a patient record as the endpoint announces it.

MLflow validates each request against this model before our code runs, and one bad record would fail
them all. So every field takes what is sent, and `als_ml.cohort.records` validates each patient by
itself.
"""

from pydantic import create_model

from als_ml.cohort.record_keys import PART_FIELDS, Announced
from features.catalogue import patient_columns, shipped
from features.stored import Json

_TYPES: Json = {"number": float | None, "days": int | None}
# MLflow reads the announced shape from classes that exist when the module of the model is imported,
# so the columns are read here, once: they say what this installation takes. What a model makes of a
# record is up to its own definitions.
_COLUMNS: Json = {
    str(name): (_TYPES.get(kind, str | None), None)
    for name, kind in patient_columns(shipped())["type"].items()
}

ServedPatient = create_model("ServedPatient", __base__=Announced, **_COLUMNS, **PART_FIELDS)
