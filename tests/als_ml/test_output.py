"""Outputs of one command take their places together, or what was there stays."""

import os
import stat

import pandas as pd
import pytest

from als_ml import output
from als_ml.output import check_apart, check_output, together, whole_file, whole_folder, write_table
from features.errors import RequestError

NAMES = ("a.csv", "b.csv", "made")


def write_all(folder, text):
    """Two files and a folder, as a command with three outputs writes them."""
    for name in NAMES[:2]:
        with whole_file(folder / name) as temporary:
            temporary.write_text(text)
    with whole_folder(folder / "made") as made:
        (made / "one").write_text(text)


def write_together(folder, then):
    with together():
        write_all(folder, "new")
        then()


def contents(folder):
    """Name -> text of what is there, hidden things too; None is a folder."""
    there = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): None if p.is_dir() else p.read_text() for p in there}


def test_all_take_their_places_when_the_block_ends(tmp_path):
    with together():
        write_all(tmp_path, "new")
        assert not any((tmp_path / name).exists() for name in NAMES)
    assert contents(tmp_path) == {"a.csv": "new", "b.csv": "new", "made": None, "made/one": "new"}


def full():
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("there", [(), ("a.csv",), ("a.csv", "b.csv")])
def test_a_block_that_fails_changes_nothing(there, tmp_path):
    for name in there:
        (tmp_path / name).write_text("old")
    with pytest.raises(OSError, match="No space"):
        write_together(tmp_path, full)
    assert contents(tmp_path) == dict.fromkeys(there, "old")


@pytest.mark.parametrize("there", [(), ("a.csv",), ("a.csv", "b.csv", "made/")])
@pytest.mark.parametrize("links", [True, False])
def test_what_has_moved_goes_back_when_another_cannot(there, links, tmp_path, monkeypatch):
    """The last place became a folder with something in it while the command worked."""
    for name in there:
        place = tmp_path / name
        place.mkdir() if name.endswith("/") else place.write_text("old")
    if not links:
        monkeypatch.setattr(output.os, "link", no_links)
    before = contents(tmp_path)

    def blocked():
        with whole_file(tmp_path / "last.csv") as temporary:
            temporary.write_text("new")
        (tmp_path / "last.csv/inside").mkdir(parents=True)

    with pytest.raises(IsADirectoryError):
        write_together(tmp_path, blocked)
    assert contents(tmp_path) == before | {"last.csv": None, "last.csv/inside": None}


def no_links(*_):
    raise OSError(1, "Operation not permitted")


def test_a_block_inside_another_belongs_to_it(tmp_path):
    with together():
        with together():
            write_all(tmp_path, "new")
        assert not (tmp_path / "a.csv").exists()
    assert (tmp_path / "a.csv").read_text() == "new"
    with whole_file(tmp_path / "alone.csv"):
        pass
    assert (tmp_path / "alone.csv").exists()


def test_two_outputs_have_two_names(tmp_path):
    first, other = tmp_path / "a.csv", tmp_path / "b.csv"
    (tmp_path / "sub").mkdir()
    check_apart(first, None, other, None)
    for same in (first, tmp_path / "." / "a.csv", tmp_path / "sub/../a.csv"):
        with pytest.raises(RequestError, match="two outputs have this name"):
            check_apart(first, None, same)
    with pytest.raises(RequestError, match="two outputs have this name"):
        write_together(tmp_path, lambda: write_table(pd.DataFrame(), tmp_path / "sub/../a.csv"))
    assert contents(tmp_path) == {"sub": None}


def test_a_folder_is_not_taken_for_a_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(RequestError, match="it is a folder"):
        check_output(tmp_path / "a.csv")
    check_output(tmp_path / "a.csv", ())


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_private_table_is_never_open_to_others(private, mode, tmp_path):
    old = os.umask(0o022)
    try:
        with together():
            write_table(pd.DataFrame({"a": [1]}), tmp_path / "a.csv", private)
            waiting = [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()]
        assert [*waiting, stat.S_IMODE((tmp_path / "a.csv").stat().st_mode)] == [mode, mode]
    finally:
        os.umask(old)
