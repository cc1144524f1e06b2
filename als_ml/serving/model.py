"""The model that MLflow serves (models from code: this file is what MLflow runs, nothing is
pickled).

POST /invocations with {"inputs": [patient, ...]}; each patient is a record of the contract, each
answer a prediction row. A request in which every record is bad is answered 400, as one error
without the values sent.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR
from mlflow.pyfunc import PythonModel, PythonModelContext

from als_ml.prediction.faults import OURS
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.prediction.storage import load_predictor
from als_ml.serving.schema import ServedPatient
from features.stored import Json


class BadRequest(MlflowException):
    """Answered 400 with our own message only."""

    def __init__(self, message: str):
        super().__init__(message, error_code=BAD_REQUEST)
        self._own = message  # MLflow puts the whole request into `message` afterwards

    def serialize_as_json(self) -> str:
        """Leave out the stack trace and the request, which MLflow would repeat."""
        import json

        return json.dumps({"error_code": "BAD_REQUEST", "message": self._own})


class Failed(MlflowException):
    """Answered 500: no patient was scored, and something of ours failed."""

    def __init__(self, patients: int):
        super().__init__(f"none of {patients} patients was scored", error_code=INTERNAL_ERROR)

    def serialize_as_json(self) -> str:
        """Leave out the stack trace and the request, which MLflow would repeat."""
        import json

        return json.dumps({"error_code": "INTERNAL_ERROR", "message": "The prediction failed."})


class AlsModel(PythonModel):
    """A predictor behind MLflow's pyfunc interface."""

    predictor: Predictor

    def load_context(self, context: PythonModelContext) -> None:
        """Read the pipeline and the definitions that were stored with the model."""
        name, version = registered_as(Path(context.artifacts["model"]))
        self.predictor = load_predictor(
            Path(context.artifacts["pipeline"]), Path(context.artifacts["model"]), name, version
        )

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  MLflow hands it over
        model_input: list[ServedPatient],  # type: ignore[valid-type]
        params: Json | None = None,
    ) -> list[PredictionRow]:
        """Prediction rows, one a record, in order."""
        drivers = (params or {}).get("drivers", True)
        return self.answered([as_record(patient) for patient in model_input], drivers)

    def answered(self, records: Sequence[object], drivers: bool = True) -> list[PredictionRow]:
        """The same of records as they were sent.

        Parameters
        ----------
        records : sequence
            As they came; each should be an object.
        drivers : bool
            Whether contributions are computed.

        Returns
        -------
        list of dict
            Prediction rows, one a record.

        Raises
        ------
        BadRequest, Failed
            If none was scored.
        """
        rows = self.predictor.predict_records(records, drivers)
        errors = [row["error"] for row in rows if row["error"]]
        if rows and len(errors) == len(rows):
            if any(error["field"] == OURS for error in errors):
                raise Failed(len(rows))
            first = errors[0]
            raise BadRequest(
                f"no valid patient among {len(rows)}; the first: {first['field']}"
                f" {first['reason']}. {first['remedy']}"
            )
        return rows


def as_record(patient: object) -> object:
    """Fields as they were sent."""
    if not isinstance(patient, ServedPatient):
        return patient
    given = patient.model_fields_set
    sent = {name: value for name, value in vars(patient).items() if name in given}
    return {**sent, **(patient.__pydantic_extra__ or {})}


def registered_as(artifact: Path) -> tuple[str | None, str | None]:
    """Registered name and version, from the file that MLflow adds when a registered model is
    downloaded.
    """
    for folder in artifact.parents:
        meta = folder / "registered_model_meta"
        if meta.is_file():
            content = yaml.safe_load(meta.read_text()) or {}
            return content.get("model_name"), str(content.get("model_version"))
        if (folder / "MLmodel").is_file():
            break
    return None, None


set_model(AlsModel())
