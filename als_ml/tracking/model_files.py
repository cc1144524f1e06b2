"""The files of a stored model: what each was at registration, and whether it still is.

A model is data. Its folder also holds a copy of the code that made it, for plain `mlflow models
serve`; nothing here runs it.

At registration `list_files` makes a list of the files and their SHA-256, which is kept beside them
(`LIST`), and the registry keeps the SHA-256 of that list (the tag `MODEL_DIGEST`). Who can write
files but not the registry can change neither a file nor the list, and add no file to it. `checked`
reads each file once and hands on the very bytes that it hashed, so a file that is swapped
afterwards changes nothing.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from features.errors import RequestError

# Tag of a version: the SHA-256 of its list, or the `tree_digest` of a model of a release that made
# no list.
MODEL_DIGEST = "als_ml.digest"
# The list of files, in the model's folder: {"files": {path: SHA-256}}.
LIST = "als_ml_files.json"
PIPELINE, MODEL, DESCRIPTION = "artifacts/pipeline.skops", "artifacts/model.json", "MLmodel"
# Models of format 1 keep their definition tables as files of their code.
DEFINITIONS = "code/features/definitions/"
# Bytecode that Python writes beside code which plain MLflow runs; it changes whenever a model is
# loaded.
_BYTECODE = "__pycache__"
# MLflow adds the registered name and version when it downloads a model; we take both from the
# registry.
_MLFLOW_ADDS = "registered_model_meta"
_REMEDY = "Restore it from a backup or train again; do not use the model as it is."
_BLOCK = 1 << 20  # bytes read at once from a file that is hashed only


@dataclass(frozen=True)
class ModelFiles:
    """The data of a model, as they were when they were compared with the registry.

    Attributes
    ----------
    data : dict
        Path in the model's folder -> content: pipeline, `model.json`, MLmodel and the definition
        tables.
    digest : str
        SHA-256 that stands for all files.
    vouched : bool
        Whether the registry vouches for them.
    unlisted : tuple of str
        Files that were not there at registration; they are neither read nor run.
    """

    data: dict[str, bytes]
    digest: str
    vouched: bool
    unlisted: tuple[str, ...]


def list_files(folder: Path) -> bytes:
    """The list of a model's files, as it is kept beside them; bytecode is never part of it.

    Parameters
    ----------
    folder : Path
        Of the model.

    Returns
    -------
    bytes
        JSON: name and SHA-256 of each file.
    """
    files = {
        name: _read(folder, name)[0]
        for name in _files(folder)
        if not _is_bytecode(name) and name not in (LIST, _MLFLOW_ADDS)
    }
    return json.dumps({"files": files}, indent=1).encode() + b"\n"


def list_digest(listed: bytes) -> str:
    """SHA-256 of a list: what the registry keeps.

    Parameters
    ----------
    listed : bytes
        Of `list_files`.

    Returns
    -------
    str
        Hexadecimal.
    """
    return hashlib.sha256(listed).hexdigest()


def written(data: dict[str, bytes], folder: Path) -> str:
    """Write a model's data into a new folder, with their list, for another process to check.

    Parameters
    ----------
    data : dict of bytes
        Relative name -> content.
    folder : Path
        New, or empty.

    Returns
    -------
    str
        Digest of the list.
    """
    for name, content in data.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / LIST).write_bytes(listed := list_files(folder))
    return list_digest(listed)


def checked(folder: Path, digest: str | None, where: str) -> ModelFiles:
    """Read a model's data, if its files are those that were registered.

    Parameters
    ----------
    digest : str, optional
        What the registry keeps. Without it nothing vouches for the files: the list beside them
        shows damage, but not
        a change by somebody who changed the list, too.
    where : str
        How messages name the model.

    Raises
    ------
    RequestError
        If a listed file is absent or was changed, or the list itself was; it names the file.
    """
    names = _files(folder)
    listed = (folder / LIST).read_bytes() if LIST in names else None
    if listed is not None and digest in (None, list_digest(listed)):
        return _checked_by_list(folder, names, listed, digest is not None, where)
    actual, data = _tree(folder, names)
    if digest not in (None, actual):
        what = "the model was" if listed is None else f"{LIST} was"
        actual = actual if listed is None else list_digest(listed)
        digests = f"its digest is {actual[:16]}..., and {str(digest)[:16]}... is expected"
        raise _changed(where, f"{what} changed ({digests})")
    unlisted = tuple(name for name in names if _is_bytecode(name))
    return _with_data(
        ModelFiles(data=data, digest=actual, vouched=digest is not None, unlisted=unlisted), where
    )


def _checked_by_list(
    folder: Path, names: list[str], listed: bytes, vouched: bool, where: str
) -> ModelFiles:
    expected, data = _parsed(listed, where), dict[str, bytes]()
    for name, sha256 in expected.items():
        if name not in names:
            raise _changed(where, f"{name} is gone")
        actual, content = _read(folder, name)
        if actual != sha256:
            raise _changed(where, f"{name} was changed")
        if content is not None:
            data[name] = content
    unlisted = tuple(sorted({*names} - {*expected} - {LIST, _MLFLOW_ADDS}))
    return _with_data(
        ModelFiles(data=data, digest=list_digest(listed), vouched=vouched, unlisted=unlisted), where
    )


def _changed(where: str, what: str) -> RequestError:
    return RequestError(where, f"{what} since the registration", _REMEDY, code="model_changed")


def _with_data(files: ModelFiles, where: str) -> ModelFiles:
    for name in (PIPELINE, MODEL):
        if name not in files.data:
            raise RequestError(
                where, f"it has no {name}", "Give a model that train.py made.", code="model_damaged"
            )
    return files


def _parsed(listed: bytes, where: str) -> dict[str, str]:
    try:
        files = json.loads(listed)["files"]
        return {str(name): str(sha256) for name, sha256 in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _changed(where, f"{LIST} was damaged") from None


def tree_digest(folder: Path) -> str:
    """SHA-256 over the relative paths and contents of a folder's files, in order, without bytecode.

    Models that were registered before there were lists are known by it.

    Parameters
    ----------
    folder : Path
        Of the model.

    Returns
    -------
    str
        Hexadecimal.
    """
    return _tree(folder, _files(folder))[0]


def _tree(folder: Path, names: list[str]) -> tuple[str, dict[str, bytes]]:
    """Digest of the whole folder, and the data in it, each file read once."""
    whole, data = hashlib.sha256(), dict[str, bytes]()
    for name in sorted(names, key=lambda name: Path(name).parts):
        if _is_bytecode(name) or Path(name).name == _MLFLOW_ADDS:
            continue
        sha256, content = _read(folder, name)
        whole.update(f"{name}\0".encode() + bytes.fromhex(sha256))
        if content is not None:
            data[name] = content
    return whole.hexdigest(), data


def _files(folder: Path) -> list[str]:
    """Paths of the files in a folder, in order; links to folders are not followed."""
    paths = [
        path.relative_to(folder).as_posix()
        for here, _, names in os.walk(folder)
        for path in (Path(here, name) for name in names)
        if path.is_file()
    ]
    return sorted(paths)


def _is_bytecode(name: str) -> bool:
    return _BYTECODE in name.split("/")


def _is_data(name: str) -> bool:
    table = name.startswith(DEFINITIONS) and name.endswith(".tsv")
    return table or name in (PIPELINE, MODEL, DESCRIPTION)


def _read(folder: Path, name: str) -> tuple[str, bytes | None]:
    """SHA-256 of a file, and its content where it is data.

    Read once, so that both are of the same bytes.
    """
    path = folder / name
    if _is_data(name):
        content = path.read_bytes()
        return hashlib.sha256(content).hexdigest(), content
    hashed = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            hashed.update(block)
    return hashed.hexdigest(), None
