"""Which model a URI means: where its files are, and what the registry says that they must be."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from als_ml.tracking.model_files import MODEL_DIGEST
from als_ml.tracking.sqlite import version_in
from als_ml.tracking.store import quiet_mlflow, sqlite_file, store_uri, use_store
from features.errors import RequestError

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_REGISTERED = "models:/"
# MLflow's own name of a logged model that need not be registered: models:/m-<32 hexadecimal
# digits>.
_LOGGED = "models:/m-"
# Schemes of a place on this machine: a path, or a file: URI.
_ON_THIS_MACHINE = ("", "file")


@dataclass(frozen=True)
class StoredModel:
    """A model as a store knows it.

    Attributes
    ----------
    uri : str
        Where its files lie: a folder, or a URI that MLflow fetches from.
    digest : str or None
        What its files must be; None where nobody wrote it down.
    name, version : str or None
        As what it is registered.
    """

    uri: str
    digest: str | None
    name: str | None = None
    version: str | None = None


def stored_model(uri: str) -> StoredModel:
    """Look a model up by `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-ID`,
    `runs:/ID/model` or a path.

    Parameters
    ----------
    uri : str
        In any of these forms.

    Returns
    -------
    StoredModel
        With the digest that was registered, None where none was.

    Raises
    ------
    RequestError
        If there is no such model.
    """
    if uri.startswith(_REGISTERED) and not uri.startswith(_LOGGED):
        return _looked_up(uri) or asked_for(uri)
    if uri.startswith(_LOGGED):
        return _logged(uri)
    return StoredModel(uri, digest=None)


def _looked_up(uri: str) -> StoredModel | None:
    """A registered version without MLflow, where the store is a SQLite file that we can read."""
    file, (name, alias, number) = sqlite_file(store_uri()), _parts(uri)
    row = version_in(file, name, alias, number) if file else None
    if row is None or urlsplit(row.place).scheme not in _ON_THIS_MACHINE:
        return None
    return StoredModel(
        uri=row.place, digest=row.tags.get(MODEL_DIGEST), name=name, version=row.version
    )


def asked_for(uri: str) -> StoredModel:
    """A registered version as MLflow knows it.

    Parameters
    ----------
    uri : str
        `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Returns
    -------
    StoredModel
        With the digest that was registered, None where none was.
    """
    version = registered_version(uri)
    digest = version.tags.get(MODEL_DIGEST)
    return StoredModel(
        uri=_where(version), digest=digest, name=version.name, version=str(version.version)
    )


def registered_version(uri: str) -> "ModelVersion":
    """The version that `models:/NAME@ALIAS` or `models:/NAME/VERSION` means.

    Parameters
    ----------
    uri : str
        In either form.

    Returns
    -------
    ModelVersion
        MLflow's own.

    Raises
    ------
    RequestError
        If it is not such a URI, or there is no such version.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with quiet_mlflow():
        store, client = use_store(), MlflowClient()
        name, alias, number = _parts(uri)
        try:
            if alias:
                return client.get_model_version_by_alias(name, alias)
            return client.get_model_version(name, number)
        except MlflowException as error:
            reason = str(error).splitlines()[0]
            raise RequestError(
                f"--model {uri}",
                reason,
                f"See `mlflow ui` (the store is {store}).",
                code="model_absent",
            ) from None


def _parts(uri: str) -> tuple[str, str, str]:
    path = uri.removeprefix(_REGISTERED)
    name, at, alias = path.partition("@")
    if at and name and alias and path != uri:
        return name, alias, ""
    name, slash, number = path.partition("/")
    if not (slash and name and number.isdigit() and path != uri):
        raise RequestError(
            f"--model {uri}",
            "this is not a registered model",
            "Give models:/NAME@ALIAS or models:/NAME/VERSION.",
            code="model_absent",
        )
    return name, "", number


def _where(version: "ModelVersion") -> str:
    from mlflow import MlflowClient

    with quiet_mlflow():
        use_store()
        return MlflowClient().get_model_version_download_uri(version.name, version.version)


def _logged(uri: str) -> StoredModel:
    """A model that is asked for by its own number, registered or not."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with quiet_mlflow():
        use_store()
        try:
            model = MlflowClient().get_logged_model(uri.removeprefix(_REGISTERED))
        except MlflowException as error:
            raise _not_fetched(uri, error) from None
    return StoredModel(uri=model.artifact_location, digest=model.tags.get(MODEL_DIGEST))


def files_of(model: StoredModel, folder: Path) -> Path:
    """Folder with a model's files: where they lie if that is on this machine, else a copy in a
    folder of ours.

    Parameters
    ----------
    model : StoredModel
        As it was looked up.
    folder : Path
        Of ours, for a copy.

    Returns
    -------
    Path
        Of files that are not checked yet.

    Raises
    ------
    RequestError
        If they cannot be had.
    """
    if (local := _local(model.uri)) is not None:
        return local
    import mlflow
    from mlflow.exceptions import MlflowException

    with quiet_mlflow():
        use_store()
        try:
            copied = mlflow.artifacts.download_artifacts(model.uri, dst_path=str(folder))
        except (MlflowException, OSError) as error:
            raise _not_fetched(model.uri, error) from None
    return Path(copied)


def _local(uri: str) -> Path | None:
    """The folder that a path or a `file:` URI names, None for what lies elsewhere."""
    parts = urlsplit(uri)
    if parts.scheme not in _ON_THIS_MACHINE or parts.netloc not in ("", "localhost"):
        return None
    path = Path(url2pathname(parts.path) if parts.scheme else uri)
    if not path.is_dir():
        raise _not_fetched(uri, FileNotFoundError(f"there is no folder {path}"))
    return path


def _not_fetched(uri: str, error: Exception) -> RequestError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    remedy = f"Train one with train.py, or set MLFLOW_TRACKING_URI (now {store_uri()})."
    return RequestError(
        f"--model {uri}", f"it cannot be loaded ({reason})", remedy, code="model_damaged"
    )
