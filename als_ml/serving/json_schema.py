"""JSON Schema of a patient record and of a prediction row, written from their one description.

Served at `/schema/record.json` and `/schema/row.json`, and shipped in `docs/schema`
(`python -m als_ml.serving.json_schema docs/schema`). The record's checks are those of
`als_ml.cohort.records`, which know more than a schema can say.
"""

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter, create_model

from als_ml.cohort.record_keys import PAGE_FIELDS, PART_FIELDS
from als_ml.prediction.row import PredictionRow
from features.catalogue import Definitions, patient_columns, shipped
from features.stored import Json
from features.tables.coded import records_of

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {"number": "number", "days": "integer", "date": "string"}


def record_schema(definitions: Definitions) -> Json:
    """Schema of a patient record: columns of the patients table, parts, and what pages ask for."""
    parts = create_model("Parts", **PART_FIELDS).model_json_schema()
    properties = {
        **{row["column"]: _column(row) for row in _columns(definitions)},
        **{name: _page_field(name, kind) for name, kind in PAGE_FIELDS.items()},
        **parts["properties"],
    }
    values = {"type": ["number", "string", "null"], "description": "a number, or a limit: <2.7"}
    parts["$defs"]["Measurement"]["properties"]["value"] = values
    properties["biomarkers"] = {
        "description": "measurements, or a map of analyte to value in its own unit on day 0",
        "anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/Measurement"}},
            {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
            {"type": "null"},
        ],
    }
    properties["sample_id"] = {"type": "string", "minLength": 1}
    return {
        "$schema": _DIALECT,
        "title": "Patient record",
        "description": "Days count from the index visit, day 0. Null or absent means unknown.",
        "type": "object",
        "required": ["sample_id"],
        "properties": properties,
        "additionalProperties": True,
        "$defs": parts["$defs"],
    }


def row_schema() -> Json:
    """Schema of a prediction row."""
    return {"$schema": _DIALECT, **TypeAdapter(PredictionRow).json_schema()}


def _columns(definitions: Definitions) -> list[Json]:
    return records_of(patient_columns(definitions).rename_axis("column").reset_index())


def _column(row: Json) -> Json:
    """Type, limits, values and meaning of a column, null allowed."""
    unit = f" ({row['unit']})" if row["unit"] else ""
    about: Json = {"description": f"{row['meaning']}{unit}"}
    if row["levels"]:
        return about | {"enum": [*row["levels"], None]}
    about["type"] = [_TYPES.get(row["type"], "string"), "null"]
    if row["type"] == "date":
        about["format"] = "date"
    limits = {"minimum": row["min"], "maximum": row["max"]}
    return about | {name: limit for name, limit in limits.items() if limit == limit}


def _page_field(name: str, kind: str) -> Json:
    """A sign or a consent that only a page reads."""
    words = name.replace("_", " ")
    if kind == "days":
        return {"type": ["integer", "null"], "description": f"day of: {words}"}
    return {"enum": ["yes", "no", None], "description": words}


def schemas(definitions: Definitions) -> dict[str, str]:
    """File name -> JSON text of both schemas."""
    both = {"record.json": record_schema(definitions), "row.json": row_schema()}
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in both.items()}


if __name__ == "__main__":
    for file, text in schemas(shipped()).items():
        (Path(sys.argv[1]) / file).write_text(text, encoding="utf-8")
