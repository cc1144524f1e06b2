"""MLflow: log a training run, register its model, find a model again. No row or identifier of a patient goes in."""

import contextlib
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException

import als_ml
from als_ml.digests import MODEL_DIGEST, data_digest, tree_digest
from als_ml.documents import without_small_counts, write_documents
from als_ml.example import EXAMPLE
from als_ml.manifest import PACKAGES, git_commit, manifest
from als_ml.pictures import draw_run
from als_ml.prediction import RESEARCH_USE, Predictor, save_predictor
from als_ml.training import Training, summary
from features.catalogue import definitions_version
from features.errors import RequestError
from features.rows import feature_dictionary

DEFAULT_STORE = "sqlite:///mlflow.db"
# What the served model imports; pinned to the versions that it was trained with.
REQUIREMENTS = (
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


def log_training(training: Training) -> dict[str, str]:
    """Log a run with its model.

    Returns
    -------
    dict
        `run_id`, and where the model was registered `name`, `version`, `alias`.
    """
    with quiet_mlflow():
        use_store()
        mlflow.set_experiment(training.config.tracking.experiment)
        name = f"{training.task.name}-{training.config.model.estimator}"
        with mlflow.start_run(run_name=name) as run, _temporary() as folder:
            try:
                logged = _log_run(training, folder)
            except KeyboardInterrupt:
                mlflow.end_run("KILLED")
                raise
        registered = _register(training, logged.model_uri) if training.config.tracking.register_model else {}
        return {"run_id": run.info.run_id, "model_uri": logged.model_uri, **registered}


def _log_run(training: Training, folder: Path) -> Any:
    mlflow.log_params(_flat(training.config.model_dump(mode="json")))
    mlflow.log_metrics({name: value for name, value in training.metrics.items() if np.isfinite(value)})
    mlflow.log_metrics({f"labels_{name}": float(n) for name, n in training.labels.counts.items()})
    tags = _tags(training)
    mlflow.set_tags(tags)
    source = CodeDatasetSource({"definitions_version": tags["definitions_version"]})
    mlflow.log_input(MetaDataset(source, name=f"{training.task.name}-cohort", digest=tags["data_digest"]), "training")
    _log_files(training, folder)
    _log_nested(training)
    return _log_model(training.predictor, folder)


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="als-ml-") as folder:
        yield Path(folder)


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in nested.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list | dict) else str(value)
    return {key: value[:500] for key, value in flat.items() if key != "cohort"}


def _tags(training: Training) -> dict[str, str]:
    tags = {
        "task": training.task.name,
        "als_ml_version": als_ml.__version__,
        "definitions_version": definitions_version(),
        "data_digest": data_digest(training.rows, training.y),
        "research_use": RESEARCH_USE,
    }
    commit = git_commit()
    tags |= {"git_commit": commit} if commit else {}
    return tags | (
        {"simulated": "true: proves the machinery, says nothing of medicine"} if training.best_possible else {}
    )


def _log_files(training: Training, folder: Path) -> None:
    """Log what people read (card, checks, pictures) and what machines do (manifest, tables)."""
    config, dictionary, table = folder / "config.yaml", folder / "feature_dictionary.csv", folder / "summary.csv"
    config.write_text(yaml.safe_dump(training.config.model_dump(mode="json", exclude={"cohort"}), sort_keys=False))
    write_dictionary(training.predictor, dictionary)
    pd.DataFrame(summary(training)).to_csv(table, index=False)
    checks, made_from = folder / "honesty.json", folder / "manifest.json"
    checks.write_text(json.dumps([check.as_dict() for check in training.checks], indent=1))
    made_from.write_text(json.dumps(manifest(training), indent=1))
    pictures = draw_run(training, folder)
    documents = write_documents(training, folder, pictures)
    for path in (config, dictionary, table, checks, made_from, *pictures, *documents):
        mlflow.log_artifact(str(path))
    for name, rows in training.tables.items():
        if rows:
            path = folder / f"{name}.csv"
            pd.DataFrame(without_small_counts(rows)).to_csv(path, index=False)
            mlflow.log_artifact(str(path), "tables")


def write_dictionary(predictor: Predictor, path: Path) -> None:
    """Write the feature dictionary of a model as CSV."""
    pd.DataFrame(feature_dictionary(predictor.spec)).to_csv(path, index=False)


def _log_model(predictor: Predictor, folder: Path) -> Any:
    """Log the model from code: definitions as files, no pickle, requirements pinned, input example made up."""
    artifacts = {name: str(path) for name, path in save_predictor(predictor, folder).items()}
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(PACKAGES / "als_ml" / "served_model.py"),
        artifacts=artifacts,
        code_paths=[str(PACKAGES / name) for name in ("als_ml", "features", "models")],
        pip_requirements=requirements(),
        input_example=([EXAMPLE], {"drivers": True}),
        metadata={"task": predictor.fitted.task, "research_use": RESEARCH_USE},
    )


def requirements() -> list[str]:
    """Pinned requirements of the served model."""
    pins = []
    for name in REQUIREMENTS:
        with contextlib.suppress(PackageNotFoundError):
            pins.append(f"{name}=={version(name)}")
    return pins


def _log_nested(training: Training) -> None:
    """A run below the run for each fold and each trial of the final search, written in one go each."""
    with_trials: list[tuple[str, dict[str, str], dict[str, float]]] = [
        (f"fold {row['fold']}", _flat({"members": row["members"]}), {}) for row in training.tables["folds"]
    ]
    for row in training.tables["trials"]:
        name = f"trial {row['estimator']} {row['number']}"
        with_trials.append((name, _flat(row["parameters"]), {"loss": row["loss"], "seconds": row["seconds"]}))
    for name, parameters, metrics in with_trials:
        with mlflow.start_run(run_name=name, nested=True):
            mlflow.log_params(parameters)
            mlflow.log_metrics({key: value for key, value in metrics.items() if np.isfinite(value)})


def log_predictor(predictor: Predictor, run_id: str, name: str) -> str:
    """Log a changed model under the run that it came from and register it; returns its version."""
    mlflow.set_experiment(experiment_id=MlflowClient().get_run(run_id).info.experiment_id)
    with mlflow.start_run(run_id=run_id), _temporary() as folder:
        logged = _log_model(predictor, folder)
    return str(_registered(logged.model_uri, name).version)


def _registered(model_uri: str, name: str) -> Any:
    """Register a version with the digest of its files, which is checked before anything of it is run."""
    made = mlflow.register_model(model_uri, name)
    with _temporary() as folder:
        files = Path(mlflow.artifacts.download_artifacts(made.source, dst_path=str(folder)))
        MlflowClient().set_model_version_tag(name, made.version, MODEL_DIGEST, tree_digest(files))
    return made


def _register(training: Training, model_uri: str) -> dict[str, str]:
    """Register a finished model: the first version becomes `champion`, later ones `challenger`."""
    client, name = MlflowClient(), training.config.tracking.model_name or training.task.model_name
    registered = _registered(model_uri, name)
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
            raise RequestError(f"--model {uri}", f"it cannot be loaded ({reason})", remedy) from None
        except AttributeError:
            raise RequestError(
                f"--model {uri}", "it is no model of als-ml", "Give one that train.py registered."
            ) from None
