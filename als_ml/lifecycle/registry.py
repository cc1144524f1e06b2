"""The run behind a registered version: its tags, metrics, configuration and checks."""

import json
import tempfile
from pathlib import Path

import mlflow
import yaml
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from als_ml.config import Config, checked
from als_ml.tracking.store import quiet_mlflow, use_store
from als_ml.tracking.versions import registered_version
from als_ml.tracking.view import plain_names
from features.errors import DataError, RequestError

__all__ = [
    "registered_version",
    "run_artifact",
    "run_checks",
    "run_config",
    "run_metrics",
    "run_tags",
]


def run_tags(version: ModelVersion) -> dict[str, str]:
    """Tags of the run that made a version.

    Parameters
    ----------
    version : ModelVersion
        Registered in MLflow.

    Returns
    -------
    dict of str
        By name.
    """
    with quiet_mlflow():
        use_store()
        return dict(MlflowClient().get_run(version.run_id).data.tags)


def run_metrics(version: ModelVersion) -> dict[str, float]:
    """Metrics of the run that made a version, by the names that `train` gives them.

    Parameters
    ----------
    version : ModelVersion
        Registered in MLflow.

    Returns
    -------
    dict of float
        By name.
    """
    with quiet_mlflow():
        use_store()
        return plain_names(MlflowClient().get_run(version.run_id).data.metrics)


def run_artifact(run_id: str, name: str) -> str | None:
    """Text of an artifact of a run, None where it has none.

    Parameters
    ----------
    run_id : str
        Of MLflow.
    name : str
        Path among the run's artifacts.

    Returns
    -------
    str or None
        The whole text.

    Raises
    ------
    RequestError
        If there is no such run.
    """
    with quiet_mlflow(), tempfile.TemporaryDirectory() as folder:
        use_store()
        try:
            MlflowClient().get_run(run_id)
        except MlflowException as error:
            raise RequestError(
                f"run {run_id}",
                str(error).splitlines()[0],
                "See `mlflow ui`.",
                code="store_failed",
            ) from None
        try:
            path = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=name, dst_path=folder
            )
            return Path(path).read_text(encoding="utf-8")
        except (MlflowException, OSError):
            return None


def run_config(run_id: str, cohort: str) -> Config:
    """The configuration of a run, for another cohort file.

    Parameters
    ----------
    run_id : str
        Of MLflow.
    cohort : str
        Path of the cohort file to use.

    Returns
    -------
    Config
        Otherwise as it was trained.

    Raises
    ------
    DataError
        If the run logged none.
    """
    text = run_artifact(run_id, "config.yaml")
    if text is None:
        raise DataError(
            f"run {run_id}", "it has no config.yaml", "Give a run of train.py.", code="file_absent"
        )
    return checked({**yaml.safe_load(text), "cohort": cohort}, f"run {run_id}, config.yaml")


def run_checks(run_id: str) -> list[dict[str, str]] | None:
    """Honesty checks of a run, None where it logged none.

    Parameters
    ----------
    run_id : str
        Of MLflow.

    Returns
    -------
    list of dict or None
        One a check: name, verdict, what was found, remedy.
    """
    text = run_artifact(run_id, "honesty.json")
    return None if text is None else list(json.loads(text))
