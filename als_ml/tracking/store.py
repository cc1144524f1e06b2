"""The tracking store: which it is, whether it answers, and MLflow kept quiet while it is asked.

MLflow, with SQLAlchemy, takes seconds to import, so that is done only where the store is really
asked.
"""

import contextlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from features.errors import RequestError

DEFAULT_STORE = "sqlite:///mlflow.db"


@contextlib.contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's own progress and migration messages off the terminal.

    Errors still come through.
    """
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


def store_uri() -> str:
    """The tracking store: MLFLOW_TRACKING_URI if set, else SQLite in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE


def use_store() -> str:
    """Select the tracking store."""
    import mlflow

    mlflow.set_tracking_uri(store_uri())
    return store_uri()


def store_failures() -> tuple[type[Exception], ...]:
    """How a store that is lost, full or broken, or whose driver is not installed, shows itself."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError, ImportError)


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite store, None for any other store.

    Parameters
    ----------
    uri : str
        Of a tracking store.

    Returns
    -------
    Path or None
        Whether it exists or not.
    """
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix).split("?")[0]) if uri.startswith(prefix) else None


def check_store() -> None:
    """Fail before the work begins if the store does not answer; a SQLite file that is not there yet
    is made later.

    Raises
    ------
    RequestError
        With the store, its password left out, and why.
    """
    file = sqlite_file(store_uri())
    if file is not None and not file.exists():
        return
    from mlflow import MlflowClient

    use_store()
    try:
        with quiet_mlflow():
            MlflowClient().search_experiments(max_results=1)
    except store_failures() as error:
        remedy = "Start it, or set MLFLOW_TRACKING_URI to another store."
        raise RequestError(
            *store_and_reason(error, "it cannot be used"), remedy, code="store_failed"
        ) from None


def shown_store() -> str:
    """The tracking store, its password left out."""
    return re.sub(r"(?<=:)[^:/@]+(?=@)", "***", store_uri())


def store_and_reason(error: Exception, found: str) -> tuple[str, str]:
    """Name the store, its password left out, and say what was found of it.

    Parameters
    ----------
    error : Exception
        That the store raised.
    found : str
        What could not be done.

    Returns
    -------
    where, found : str
        For a RequestError.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"tracking store {shown_store()}", f"{found} ({lines[0][:200]})"
