"""Log a training run, with its model, and register the model.

No row or identifier of a patient goes in.
"""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import ActiveRun, MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities import Metric
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.model import ModelInfo
from mlflow.tracking.context.registry import resolve_tags

from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.predictor import RESEARCH_USE, Predictor
from als_ml.prediction.storage import save_predictor
from als_ml.tracking.manifest import PACKAGES
from als_ml.tracking.model_files import LIST, MODEL_DIGEST, list_digest, list_files
from als_ml.tracking.run_folder import StoredRun, read_run, write_run
from als_ml.tracking.store import quiet_mlflow, store_and_reason, store_failures, use_store
from als_ml.tracking.view import (
    FOLDS,
    NOTE,
    CohortDataset,
    mark_as_training,
    model_description,
    shown_metrics,
    version_description,
)
from features.errors import RequestError
from features.temporary import is_alive, working_folder
from models.estimators import estimator

if TYPE_CHECKING:
    from als_ml.training.run import Training

# Tag of a run: the machine and process that write it.
PROCESS = "als_ml.process"
# SQLAlchemy's name for a row that is there already; over HTTP only the text comes back.
_NOT_UNIQUE = "IntegrityError"
# MLflow takes no more figures at once.
_BATCH = 1000
# What the served model imports; pinned to the versions that it was trained with.
REQUIREMENTS = (
    "lazy-loader",
    "mlflow",
    "numpy",
    "pandas",
    "pint",
    "pyarrow",
    "pydantic",
    "pysam",
    "pyyaml",
    "scikit-learn",
    "scipy",
    "skops",
)


def log_training(training: "Training") -> dict[str, str]:
    """Log a run with its model; if the store is lost meanwhile, the finished run stays in a folder.

    Parameters
    ----------
    training : Training
        A finished run.

    Returns
    -------
    dict
        `experiment_id`, `run_id`, `model_uri`, and where the model was registered `name`,
        `version`, `alias`.

    Raises
    ------
    RequestError
        If the store fails, with the folder to push.
    """
    with _temporary() as folder:
        write_run(training, folder)
        try:
            return push(folder)
        except store_failures() as error:
            kept = _kept(folder, training.task.name)
            remedy = (
                f"The finished run is kept in {kept}; when the store is back: python -m als_ml push"
                f" {kept}"
            )
            raise RequestError(
                *store_and_reason(error, "the run could not be logged"),
                remedy,
                code="store_failed",
            ) from None


def _kept(folder: Path, task: str) -> Path:
    """Move a finished run to where the user finds it."""
    kept = Path("als-ml-runs") / f"{task}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    kept.parent.mkdir(exist_ok=True)
    shutil.copytree(folder, kept)
    return kept


def push(folder: Path) -> dict[str, str]:
    """Log the run of a folder that `write_run` made and register its model.

    Parameters
    ----------
    folder : Path
        Of `write_run`.

    Returns
    -------
    dict of str
        As `log_training` returns it.
    """
    stored = read_run(folder)
    with quiet_mlflow():
        use_store()
        with _started(stored) as run:
            try:
                logged, digest = _log_run(stored, folder)
            except KeyboardInterrupt:
                mlflow.end_run("KILLED")
                raise
        if stored["finished"] is not None:
            MlflowClient().set_terminated(run.info.run_id, end_time=stored["finished"])
        registered = _register(stored, logged.model_uri, digest)
        return {
            "experiment_id": run.info.experiment_id,
            "run_id": run.info.run_id,
            "model_uri": logged.model_uri,
            **registered,
        }


def _started(stored: StoredRun) -> ActiveRun:
    """A new run in the configured experiment; under `mlflow run` the one that MLflow has made."""
    mine = {PROCESS: _process(os.getpid())}
    if given := os.environ.pop(
        "MLFLOW_RUN_ID", None
    ):  # left there, each nested run would be taken for it
        return mlflow.start_run(run_id=given, tags={**mine, "mlflow.runName": stored["run_name"]})
    experiment = mlflow.set_experiment(stored["experiment"])
    _end_dead_runs(experiment.experiment_id)
    client = MlflowClient()
    mark_as_training(client, experiment.experiment_id)
    made = client.create_run(
        experiment.experiment_id,
        start_time=stored["started"],
        run_name=stored["run_name"],
        tags=resolve_tags(mine),  # with user and source, as `start_run` has them
    )
    return mlflow.start_run(run_id=made.info.run_id)


def _process(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}"


def _end_dead_runs(experiment_id: str) -> None:
    """End runs that their process could not end: killed by SIGKILL on this machine, or cut off from
    the store.
    """
    client = MlflowClient()
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        host, _, pid = run.data.tags.get(PROCESS, "").rpartition(":")
        if host == socket.gethostname() and not (pid.isdigit() and _alive(int(pid))):
            client.set_terminated(run.info.run_id, "KILLED")


def _alive(pid: int) -> bool:
    """Whether another process is there; this one has no run while it asks."""
    return pid != os.getpid() and is_alive(pid)


def _log_run(stored: StoredRun, folder: Path) -> tuple[ModelInfo, str]:
    mlflow.log_params(stored["parameters"])
    # Before the model, which takes over what its run holds by then.
    mlflow.log_metrics(shown_metrics(stored["metrics"]))
    mlflow.set_tags(stored["tags"] | ({NOTE: stored["note"]} if stored["note"] else {}))
    _log_dataset(_dataset(stored))
    mlflow.log_artifacts(str(folder / "artifacts"))
    _log_folds(stored)
    for row in stored["nested"]:
        if not row["metrics"]:  # a fold of a folder that an earlier version wrote
            continue
        with mlflow.start_run(
            run_name=row["name"], nested=True, tags={PROCESS: _process(os.getpid())}
        ):
            mlflow.log_params(row["parameters"])
            mlflow.log_metrics(row["metrics"])
    return _log_model(folder / "model", stored["task"])


def _dataset(stored: StoredRun) -> CohortDataset:
    tags = stored["tags"]
    return CohortDataset(
        source=CodeDatasetSource({"definitions_version": tags["definitions_version"]}),
        name=f"{stored['task']}-cohort",
        digest=tags["data_digest"],
        features=stored["features"],
        profile=stored["profile"],
    )


def _log_dataset(dataset: CohortDataset) -> None:
    """Link the dataset to the run.

    MLflow keeps one row for a dataset in an experiment, looks for it and writes it if it is
    not there. Another training on the same data may write it between the two; then it is there.
    """
    try:
        mlflow.log_input(dataset, "training")
    except MlflowException as error:
        if _NOT_UNIQUE not in str(error):
            raise
        mlflow.log_input(dataset, "training")


def _log_folds(stored: StoredRun) -> None:
    """Figures by fold: the step is the fold, counted over the repeats."""
    metrics = [
        Metric(f"{FOLDS}/{name}", value, stored["finished"] or 0, step)
        for step, fold in enumerate(stored["folds"])
        for name, value in fold.items()
    ]
    run_id = mlflow.active_run().info.run_id
    for first in range(0, len(metrics), _BATCH):
        MlflowClient().log_batch(run_id, metrics[first : first + _BATCH])


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with working_folder("log") as folder:
        yield Path(folder)


def _log_model(files: Path, task: str) -> tuple[ModelInfo, str]:
    """Log the model from code: no pickle, requirements pinned, input example made up.

    With the digest of its files.
    """
    artifacts = {"pipeline": str(files / "pipeline.skops"), "model": str(files / "model.json")}
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(PACKAGES / "als_ml" / "serving" / "model.py"),
        artifacts=artifacts,
        code_paths=[str(PACKAGES / name) for name in ("als_ml", "features", "models")],
        pip_requirements=requirements(files / "model.json"),
        input_example=([EXAMPLE], {"drivers": True}),
        metadata={"task": task, "research_use": RESEARCH_USE},
    )
    return logged, _vouched(logged)


def _vouched(logged: ModelInfo) -> str:
    """Keep a list of the model's files beside them, and its digest where only the store can be
    asked.
    """
    client = MlflowClient()
    with _temporary() as folder:
        copy = mlflow.artifacts.download_artifacts(logged.model_uri, dst_path=str(folder))
        listed = list_files(Path(copy))
    with _temporary() as folder:
        (folder / LIST).write_bytes(listed)
        client.log_model_artifact(logged.model_id, str(folder / LIST))
    digest = list_digest(listed)
    client.set_logged_model_tags(logged.model_id, {MODEL_DIGEST: digest})
    return digest


def requirements(model: Path) -> list[str]:
    """Pinned requirements of a served model, by its `model.json`: ours, those of its estimators,
    and the packages of others that it runs.

    Parameters
    ----------
    model : Path
        Its `model.json`.

    Returns
    -------
    list of str
        `NAME==VERSION`, as installed here.
    """
    stored = json.loads(model.read_text(encoding="utf-8"))
    members = {member["name"] for part in stored["models"] for member in part["members"]}
    named = [name for member in sorted(members) for name in estimator(member).requirements]
    pins = []
    for name in dict.fromkeys((*REQUIREMENTS, *named)):
        with contextlib.suppress(PackageNotFoundError):
            pins.append(f"{name}=={version(name)}")
    return [*pins, *stored["plugins"]]


def log_predictor(predictor: Predictor, run_id: str, name: str) -> str:
    """Log a changed model under the run that it came from and register it.

    Parameters
    ----------
    predictor : Predictor
        The changed model.
    run_id : str
        Of the run that trained it.
    name : str
        Of the registered model.

    Returns
    -------
    str
        Number of the new version.
    """
    client = MlflowClient()
    run = client.get_run(run_id).info
    mlflow.set_experiment(experiment_id=run.experiment_id)
    with mlflow.start_run(run_id=run_id), _temporary() as folder:
        save_predictor(predictor, folder)
        logged, digest = _log_model(folder, predictor.fitted.task)
    client.set_terminated(run_id, end_time=run.end_time)
    return str(_registered(logged.model_uri, name, digest).version)


def _registered(model_uri: str, name: str, digest: str) -> ModelVersion:
    """Register a version together with the digest of its files, which is checked before anything of
    it is read.
    """
    return mlflow.register_model(model_uri, name, tags={MODEL_DIGEST: digest})


def _register(stored: StoredRun, model_uri: str, digest: str) -> dict[str, str]:
    """Register a finished model, if the run wants that: the first version becomes `champion`, later
    ones `challenger`.
    """
    name = stored["register_as"]
    if not name:
        return {}
    client, registered = MlflowClient(), _registered(model_uri, name, digest)
    model = client.get_registered_model(name)
    alias = "challenger" if "champion" in model.aliases else "champion"
    client.set_registered_model_alias(name, alias, registered.version)
    client.update_model_version(name, registered.version, version_description(stored))
    if not model.description:  # what somebody wrote there stays
        client.update_registered_model(name, model_description(stored["task"]))
    return {"name": name, "version": str(registered.version), "alias": alias}
