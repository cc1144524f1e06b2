"""A registered version looked up in a SQLite store without MLflow, which takes longer to import
than all else to load.

MLflow's own tables are read, in one read-only transaction, and only where they are those of an
MLflow that we allow (`SCHEMAS`). Wherever anything is not as expected, the answer is None
and MLflow is asked; it also says what is wrong.
"""

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

# Alembic revision of the store's tables in MLflow 3.17 and 3.18, whose registered versions are
# alike; a test asks the installed MLflow and this module the same questions.
SCHEMAS = ("dc11669786a5", "f4a9b2c7d1e6")
# A version that is on its way out of the registry.
_DELETED = "Deleted_Internal"
# These send MLflow to another registry or workspace.
_ELSEWHERE = ("MLFLOW_REGISTRY_URI", "MLFLOW_WORKSPACE")

_BY_ALIAS = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
_VERSION = (
    "SELECT coalesce(storage_location, source) FROM model_versions "
    "WHERE name = ? AND version = ? AND coalesce(current_stage, '') <> ?"
)
_TAGS = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"


@dataclass(frozen=True)
class Row:
    """A registered version: its number, the place of its files and its tags."""

    version: str
    place: str
    tags: dict[str, str]


def version_in(file: Path, name: str, alias: str, number: str) -> Row | None:
    """The version of a model by alias or number; None wherever MLflow has to be asked.

    Parameters
    ----------
    file : Path
        Of the store.
    name : str
        Of the registered model.
    alias : str
        Empty where a number is given.
    number : str
        Of the version; empty where an alias is given.

    Returns
    -------
    Row or None
        Read without MLflow, which takes seconds to import.
    """
    if not file.is_file() or any(os.environ.get(variable) for variable in _ELSEWHERE):
        return None
    try:
        uri = f"{file.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as store:
            return _row(store, name, alias, number)
    except sqlite3.Error:
        return None


def _row(store: sqlite3.Connection, name: str, alias: str, number: str) -> Row | None:
    revisions = store.execute("SELECT version_num FROM alembic_version").fetchall()
    if revisions not in [[(schema,)] for schema in SCHEMAS]:
        return None
    store.execute("BEGIN")  # alias, version and tags as they are at one moment
    numbers = store.execute(_BY_ALIAS, (name, alias)).fetchall() if alias else [(number,)]
    if len(numbers) != 1:
        return None
    version = int(numbers[0][0])
    places = store.execute(_VERSION, (name, version, _DELETED)).fetchall()
    if len(places) != 1:  # none, or one in each of several workspaces
        return None
    tags = dict(store.execute(_TAGS, (name, version)).fetchall())
    return Row(version=str(version), place=str(places[0][0]), tags=tags)
