"""MLflow: log a training run, register its model, find a model again. No row or identifier of a patient goes in."""

import contextlib
import io
import logging
import os
import re
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from als_ml.cohort.digests import MODEL_DIGEST, tree_digest
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.predictor import RESEARCH_USE, Predictor
from als_ml.prediction.storage import save_predictor
from als_ml.tracking.manifest import PACKAGES
from als_ml.tracking.run_folder import read_run, write_run
from als_ml.training.run import Training
from features.errors import RequestError

DEFAULT_STORE = "sqlite:///mlflow.db"
# Tag of a run: the machine and process that write it.
PROCESS = "als_ml.process"
# How a store that is lost, full or broken shows itself.
STORE_FAILURES = (MlflowException, SQLAlchemyError, OSError)
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
    "xgboost-cpu",
    "xgboost",
)


@contextlib.contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's own progress and migration messages off the terminal; errors still come through."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's seven tries take four minutes to say that a server is gone; five take half a one.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def use_store() -> str:
    """Select the tracking store: MLFLOW_TRACKING_URI if set, else SQLite in the working directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    mlflow.set_tracking_uri(uri)
    return uri


def check_store() -> None:
    """Fail before the work begins if the store does not answer; a SQLite file that is not there yet is made later.

    Raises
    ------
    RequestError
        With the store, its password left out, and why.
    """
    uri = use_store()
    if (
        uri.startswith("sqlite:///")
        and not Path(uri.removeprefix("sqlite:///").split("?")[0]).exists()
    ):
        return
    try:
        with quiet_mlflow():
            MlflowClient().search_experiments(max_results=1)
    except STORE_FAILURES as error:
        remedy = "Start it, or set MLFLOW_TRACKING_URI to another store."
        raise RequestError(*_store_and_reason(error, "it cannot be used"), remedy) from None


def _store_and_reason(error: Exception, found: str) -> tuple[str, str]:
    uri = re.sub(r"(?<=:)[^:/@]+(?=@)", "***", use_store())
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"tracking store {uri}", f"{found} ({lines[0][:200]})"


def log_training(training: Training) -> dict[str, str]:
    """Log a run with its model; if the store is lost meanwhile, the finished run stays in a folder.

    Returns
    -------
    dict
        `run_id`, `model_uri`, and where the model was registered `name`, `version`, `alias`.

    Raises
    ------
    RequestError
        If the store fails, with the folder to push.
    """
    with _temporary() as folder:
        write_run(training, folder)
        try:
            return push(folder)
        except STORE_FAILURES as error:
            kept = _kept(folder, training.task.name)
            remedy = f"The finished run is kept in {kept}; when the store is back: python -m als_ml push {kept}"
            raise RequestError(
                *_store_and_reason(error, "the run could not be logged"), remedy
            ) from None


def _kept(folder: Path, task: str) -> Path:
    """Move a finished run to where the user finds it."""
    kept = Path("als-ml-runs") / f"{task}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    kept.parent.mkdir(exist_ok=True)
    shutil.copytree(folder, kept)
    return kept


def push(folder: Path) -> dict[str, str]:
    """Log the run of a folder that `write_run` made and register its model."""
    stored = read_run(folder)
    with quiet_mlflow():
        use_store()
        with _started(stored) as run:
            try:
                logged = _log_run(stored, folder)
            except KeyboardInterrupt:
                mlflow.end_run("KILLED")
                raise
        registered = (
            _register(stored["register_as"], logged.model_uri) if stored["register_as"] else {}
        )
        return {"run_id": run.info.run_id, "model_uri": logged.model_uri, **registered}


def _started(stored: dict[str, Any]) -> Any:
    """A new run in the configured experiment; under `mlflow run` the one that MLflow has made."""
    mine = {PROCESS: _process(os.getpid())}
    if given := os.environ.pop(
        "MLFLOW_RUN_ID", None
    ):  # left there, each nested run would be taken for it
        return mlflow.start_run(run_id=given, tags={**mine, "mlflow.runName": stored["run_name"]})
    experiment = mlflow.set_experiment(stored["experiment"])
    _end_dead_runs(experiment.experiment_id)
    return mlflow.start_run(run_name=stored["run_name"], tags=mine)


def _process(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}"


def _end_dead_runs(experiment_id: str) -> None:
    """End runs that their process could not end: killed by SIGKILL on this machine, or cut off from the store."""
    client = MlflowClient()
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        host, _, pid = run.data.tags.get(PROCESS, "").rpartition(":")
        if host == socket.gethostname() and not (pid.isdigit() and _alive(int(pid))):
            client.set_terminated(run.info.run_id, "KILLED")


def _alive(pid: int) -> bool:
    """Whether a process is there; this one has no run while it asks."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _log_run(stored: dict[str, Any], folder: Path) -> Any:
    mlflow.log_params(stored["parameters"])
    mlflow.log_metrics(stored["metrics"])
    tags = stored["tags"]
    mlflow.set_tags(tags)
    source = CodeDatasetSource({"definitions_version": tags["definitions_version"]})
    mlflow.log_input(
        MetaDataset(source, name=f"{stored['task']}-cohort", digest=tags["data_digest"]), "training"
    )
    mlflow.log_artifacts(str(folder / "artifacts"))
    for row in stored["nested"]:
        with mlflow.start_run(
            run_name=row["name"], nested=True, tags={PROCESS: _process(os.getpid())}
        ):
            mlflow.log_params(row["parameters"])
            mlflow.log_metrics(row["metrics"])
    return _log_model(folder / "model", stored["task"])


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="als-ml-") as folder:
        yield Path(folder)


def _log_model(files: Path, task: str) -> Any:
    """Log the model from code: definitions as files, no pickle, requirements pinned, input example made up."""
    artifacts = {"pipeline": str(files / "pipeline.skops"), "model": str(files / "model.json")}
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(PACKAGES / "als_ml" / "serving" / "model.py"),
        artifacts=artifacts,
        code_paths=[str(PACKAGES / name) for name in ("als_ml", "features", "models")],
        pip_requirements=requirements(),
        input_example=([EXAMPLE], {"drivers": True}),
        metadata={"task": task, "research_use": RESEARCH_USE},
    )


def requirements() -> list[str]:
    """Pinned requirements of the served model."""
    pins = []
    for name in REQUIREMENTS:
        with contextlib.suppress(PackageNotFoundError):
            pins.append(f"{name}=={version(name)}")
    return pins


def log_predictor(predictor: Predictor, run_id: str, name: str) -> str:
    """Log a changed model under the run that it came from and register it; returns its version."""
    mlflow.set_experiment(experiment_id=MlflowClient().get_run(run_id).info.experiment_id)
    with mlflow.start_run(run_id=run_id), _temporary() as folder:
        save_predictor(predictor, folder)
        logged = _log_model(folder, predictor.fitted.task)
    return str(_registered(logged.model_uri, name).version)


def _registered(model_uri: str, name: str) -> Any:
    """Register a version together with the digest of its files, which is checked before anything of it is run."""
    with _temporary() as folder:
        files = Path(mlflow.artifacts.download_artifacts(model_uri, dst_path=str(folder)))
        return mlflow.register_model(model_uri, name, tags={MODEL_DIGEST: tree_digest(files)})


def _register(name: str, model_uri: str) -> dict[str, str]:
    """Register a finished model: the first version becomes `champion`, later ones `challenger`."""
    client, registered = MlflowClient(), _registered(model_uri, name)
    alias = "challenger" if "champion" in client.get_registered_model(name).aliases else "champion"
    client.set_registered_model_alias(name, alias, registered.version)
    return {"name": name, "version": str(registered.version), "alias": alias}


def load_model(uri: str) -> Predictor:
    """Load the predictor of a logged or registered model.

    Raises
    ------
    RequestError
        If there is no such model, or it is none of als-ml.
    """
    with quiet_mlflow():
        store = use_store()
        try:
            model = mlflow.pyfunc.load_model(uri)
            return model.unwrap_python_model().predictor
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0]
            remedy = f"Train one with train.py, or set MLFLOW_TRACKING_URI (now {store})."
            raise RequestError(
                f"--model {uri}", f"it cannot be loaded ({reason})", remedy
            ) from None
        except AttributeError:
            raise RequestError(
                f"--model {uri}", "it is no model of als-ml", "Give one that train.py registered."
            ) from None
