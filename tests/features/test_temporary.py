"""What a killed command left behind goes with the next one, and nothing else does."""

import os
import subprocess
import sys
from pathlib import Path

from als_ml.output import whole_file, whole_folder
from features import temporary
from features.temporary import owned, sweep, working_folder

_KILLED = """
import os, signal, sys
from pathlib import Path
from als_ml.output import whole_folder
from als_ml.output import whole_file
from features.temporary import working_folder
output = Path(sys.argv[1])
with (
    working_folder("test"),
    whole_file(output) as file,
    whole_folder(output.with_name("made")) as folder,
):
    file.write_text("half")
    (folder / "half").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def gone() -> int:
    """Number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_command_left_is_swept(tmp_path, monkeypatch):
    output = tmp_path / "out[1].csv"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", _KILLED, str(output)], env=environment, check=False)
    assert len(list(tmp_path.iterdir())) == 3
    assert not output.exists()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = tmp_path / "made"
    with working_folder("test"), whole_file(output) as file, whole_folder(made) as folder:
        file.write_text("whole")
        (folder / "whole").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out[1].csv"]
    assert [path.name for path in made.iterdir()] == ["whole"]


def test_nothing_of_others_is_swept(tmp_path, monkeypatch):
    """Of a process that lives, of another machine, of another kind, and what is only called so."""
    mine = owned("als-ml-test")
    other = mine.replace(f"-p{os.getpid()}-", f"-p{gone()}-")
    names = [
        f"{mine}x",
        other.replace(temporary._HERE, "elsewhere") + "x",
        other.replace("als-ml-test", "als-ml-other") + "x",
        "als-ml-test-of-mine",
        "als-ml-test-p99-x",
    ]
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / f"{other}link").symlink_to(tmp_path / names[0])
    (tmp_path / f"{other}x").mkdir()
    assert sweep(tmp_path, "als-ml-test-") == [f"{other}x"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names, f"{other}link"])


def test_a_folder_of_ours_goes_with_its_block():
    with working_folder("test") as name:
        assert Path(name).is_dir()
        assert f"-p{os.getpid()}-" in name
    assert not Path(name).exists()


def test_two_writers_of_one_output(tmp_path):
    """Each writes a file of its own; the last one's stands, whole."""
    output = tmp_path / "out.csv"
    with whole_file(output) as first, whole_file(output) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
        assert not output.exists()
    assert output.read_text() == "first"  # whose block ended last
    assert list(tmp_path.iterdir()) == [output]
