"""The files of a model: what counts as a change, whoever makes it, and what is read."""

import json
import os
from pathlib import Path

import pytest

from als_ml.tracking import model_files
from als_ml.tracking.model_files import (
    LIST,
    MODEL,
    PIPELINE,
    checked,
    list_digest,
    list_files,
    tree_digest,
    written,
)
from features.errors import RequestError

TABLE = "code/features/definitions/genes.tsv"
CODE = "code/als_ml/serving/model.py"
CONTENT = {
    PIPELINE: b"a zip",
    MODEL: b"{}",
    "MLmodel": b"flavors: {}",
    TABLE: b"gene\n",
    CODE: b"code\n",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, content in CONTENT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def digest(folder) -> str:
    """As at registration."""
    (folder / LIST).write_bytes(listed := list_files(folder))
    return list_digest(listed)


def test_an_unchanged_model_gives_its_data_and_no_code(folder, digest):
    files = checked(folder, digest, "m")
    assert files.data == {name: CONTENT[name] for name in CONTENT if name != CODE}
    assert (files.digest, files.vouched, files.unlisted) == (digest, True, ())


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("change", ["changed", "gone", "a folder"])
def test_a_listed_file_that_is_not_as_it_was_is_named(folder, digest, name, change):
    (folder / name).unlink() if change != "changed" else (folder / name).write_bytes(b"x")
    if change == "a folder":
        (folder / name).mkdir()
    what = "was changed" if change == "changed" else "is gone"
    with pytest.raises(RequestError, match=f"^m: {name} {what} since the registration") as said:
        checked(folder, digest, "m")
    assert said.value.exit_status == 2


def test_the_list_cannot_be_made_again_for_changed_files(folder, digest):
    """The registry keeps its digest, which no writer of files can change."""
    (folder / MODEL).write_bytes(b'{"changed": 1}')
    (folder / LIST).write_bytes(list_files(folder))
    with pytest.raises(RequestError, match=f"m: {LIST} .*since the registration"):
        checked(folder, digest, "m")
    (folder / LIST).unlink()
    with pytest.raises(RequestError, match="the model was changed"):
        checked(folder, digest, "m")


def test_what_the_tree_digest_is_made_of_is_no_list(folder):
    """Its preimage is known to whoever reads the files, and has the digest that the registry
    keeps.
    """
    parts = [
        f"{name}\0".encode() + bytes.fromhex(model_files._read(folder, name)[0])
        for name in sorted(CONTENT, key=lambda name: Path(name).parts)
    ]
    digest = tree_digest(folder)
    assert list_digest(b"".join(parts)) == digest
    (folder / LIST).write_bytes(b"".join(parts))
    (folder / MODEL).write_bytes(b"changed")
    with pytest.raises(RequestError, match=f"{LIST} was damaged since the registration"):
        checked(folder, digest, "m")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"files": 3}', b"\xff", b"[" * 100_000])
def test_a_damaged_list(folder, content):
    (folder / LIST).write_bytes(content)
    with pytest.raises(RequestError, match=f"{LIST} was damaged"):
        checked(folder, None, "m")


def test_files_that_are_not_listed_are_named_and_never_read(folder, digest):
    """A bytecode file, a module, a table and a pipe; the pipe would block whoever reads it."""
    planted = ["code/als_ml/__pycache__/x.pyc", "code/als_ml/x.py", f"{TABLE[:-9]}own.tsv"]
    for name in planted:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("planted")
    os.mkfifo(folder / "artifacts/pipe")
    files = checked(folder, digest, "m")
    assert files.unlisted == tuple(sorted(planted))
    assert f"{TABLE[:-9]}own.tsv" not in files.data


def test_names_of_a_list_lead_nowhere_else(folder):
    """Without a registry the list is anybody's."""
    outside = folder.parent / "outside.txt"
    outside.write_text("secret")
    listed = {"files": {"../outside.txt": model_files._read(folder.parent, "outside.txt")[0]}}
    (folder / LIST).write_text(json.dumps(listed))
    with pytest.raises(RequestError, match=r"\.\./outside\.txt is gone"):
        checked(folder, None, "m")


def test_bytecode_is_no_part_of_a_model(folder, digest):
    (folder / "code/als_ml/__pycache__").mkdir()
    (folder / "code/als_ml/__pycache__/x.pyc").write_bytes(b"x")
    (folder / "registered_model_meta").write_text("model_name: x")
    assert list_files(folder) == (folder / LIST).read_bytes()
    (folder / LIST).unlink()
    before = tree_digest(folder)
    (folder / "code/als_ml/__pycache__/x.pyc").write_bytes(b"y")
    assert tree_digest(folder) == before


def test_models_registered_before_there_were_lists(folder):
    """Known by the digest of the whole folder: a change, or a further file that is not bytecode, is
    refused.
    """
    digest = tree_digest(folder)
    (folder / "code/als_ml/__pycache__").mkdir()
    (folder / "code/als_ml/__pycache__/x.pyc").write_bytes(b"x")
    files = checked(folder, digest, "m")
    assert files.data[TABLE] == CONTENT[TABLE]
    assert files.unlisted == ("code/als_ml/__pycache__/x.pyc",)
    for name in (*CONTENT, "code/als_ml/more.py"):
        before = (folder / name).read_bytes() if name in CONTENT else None
        (folder / name).write_bytes(b"other")
        with pytest.raises(RequestError, match="the model was changed"):
            checked(folder, digest, "m")
        (folder / name).unlink() if before is None else (folder / name).write_bytes(before)
    assert checked(folder, digest, "m").digest == digest


def test_without_a_registry_nobody_vouches(folder, digest):
    assert not checked(folder, None, "m").vouched
    (folder / CODE).write_bytes(b"damaged")
    with pytest.raises(RequestError, match=f"{CODE} was changed"):
        checked(folder, None, "m")


@pytest.mark.parametrize("name", [PIPELINE, MODEL])
def test_a_folder_that_is_no_model_of_ours(folder, name):
    (folder / name).unlink()
    with pytest.raises(RequestError, match=f"it has no {name}"):
        checked(folder, None, "m")


def test_what_is_written_for_a_server_is_checked_by_it(folder, digest, tmp_path):
    files = checked(folder, digest, "m")
    copy = tmp_path / "copy"
    handed_on = written(files.data, copy)
    assert checked(copy, handed_on, "copy").data == files.data
    assert not list(copy.rglob("*.py"))
    (copy / MODEL).write_bytes(b"swapped")
    with pytest.raises(RequestError, match=f"{MODEL} was changed"):
        checked(copy, handed_on, "copy")
