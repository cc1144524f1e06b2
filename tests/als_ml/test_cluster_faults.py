"""What becomes of work on a cluster that meets a fault: of the machine, which is tried again, and
of the data, which is not. No test depends on how long something takes.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main
from als_ml.cluster import TRIES
from features.genotypes import extraction
from tests import faults
from tests.conftest import ROOT
from tests.features.genotypes.test_extraction import SAMPLES, records
from tests.vcf_files import write_vcf

# Python's own processes leave a pipe open where one of them is killed.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BOTH = ("features", "--cluster", "local:2")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A cohort with one file a patient, each a task, whose reading may meet a fault."""
    for name in SAMPLES:
        write_vcf(tmp_path / f"{name}.vcf.gz", [name], records([name]))
    pd.DataFrame({"sample_id": SAMPLES}).to_csv(tmp_path / "patients.csv", index=False)
    described = {"patients": "patients.csv", "variants": [f"{n}.vcf.gz" for n in SAMPLES]}
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump(described))
    assert written(tmp_path, "here.csv", "features") == 0
    monkeypatch.setattr(extraction, "BATCH", 1)
    monkeypatch.setattr(extraction, "_read", faults.reading)
    monkeypatch.setenv(faults.FOLDER, str(tmp_path))
    return tmp_path


def written(folder: Path, output: str, command: str, *more: str) -> int:
    words = [command, "--cohort", str(folder / "cohort.yaml"), "--quiet", *more]
    return main([*words, "--output", str(folder / output)])


def same(folder: Path) -> bool:
    return (folder / "there.csv").read_bytes() == (folder / "here.csv").read_bytes()


def test_workers_that_are_killed_twice_change_no_bit(folder):
    (folder / "die-p1.vcf.gz").write_text("1")
    (folder / "die-p4.vcf.gz").write_text("1")
    assert written(folder, "there.csv", *BOTH) == 0
    assert same(folder)
    tried = Counter(faults.tries(folder))
    # Once more where a worker that died had the result and had not yet handed it over.
    assert 2 <= tried["p1.vcf.gz"] <= TRIES
    assert 2 <= tried["p4.vcf.gz"] <= TRIES
    assert set(tried) == {f"{name}.vcf.gz" for name in SAMPLES}


def test_a_worker_that_is_ended_for_its_memory_changes_no_bit(folder):
    """Dask's keeper of a worker ends it at a share of what it may have; here half of what the
    fault takes, beyond what the worker has anyway.
    """
    import dask
    import psutil

    allowed = psutil.virtual_memory().total / 2  # of two workers
    share = (400_000_000 + faults.EATEN / 2) / allowed
    (folder / "eat-p3.vcf.gz").write_text("1")
    with dask.config.set({"distributed.worker.memory.terminate": share}):
        assert written(folder, "there.csv", *BOTH) == 0
    assert same(folder)
    tried = Counter(faults.tries(folder))
    assert tried["p3.vcf.gz"] == 2
    assert set(tried) == {f"{name}.vcf.gz" for name in SAMPLES}


def test_a_file_that_kills_each_worker_is_named_and_the_rest_kept(folder, capsys):
    (folder / "die-p2.vcf.gz").write_text("99")
    kept = ("--extracts", str(folder / "kept"))
    assert written(folder, "there.csv", *BOTH, *kept) == 1
    said = capsys.readouterr().err
    assert "p2.vcf.gz: the process that worked on it died each of the 4 times it was tried" in said
    assert Counter(faults.tries(folder))["p2.vcf.gz"] == 4
    assert len(list((folder / "kept").iterdir())) == len(SAMPLES) - 1
    # The machine is mended: only that file is read.
    (folder / "die-p2.vcf.gz").unlink()
    (folder / "tries").unlink()
    assert written(folder, "there.csv", "features", *kept) == 0
    assert faults.tries(folder) == ["p2.vcf.gz"]
    assert same(folder)


def test_bad_files_are_named_as_in_process_and_tried_once(folder, capsys):
    whole = (folder / "p1.vcf.gz").read_bytes()
    (folder / "p1.vcf.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "p2.vcf.gz").unlink()
    write_vcf(folder / "p3.vcf.gz", ["p3"], records(["p3"]), build="GRCh37")
    said = []
    for command in (("features",), BOTH):
        assert written(folder, "there.csv", *command) == 1
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert said[0].startswith("error: variants: 3 of 6 files cannot be used: ")
    for words in (
        "p1.vcf.gz: this is not a VCF or BCF file",
        "p2.vcf.gz: there is no such file",
        "p3.vcf.gz: contig ",
    ):
        assert words in said[0]
    assert set(Counter(faults.tries(folder)).values()) == {len(said)}
    assert not (folder / "there.csv").exists()


def test_a_shard_that_is_ready_last_holds_up_no_other(folder):
    others = [folder / f"read-{name}.vcf.gz" for name in SAMPLES[1:]]
    # The first file waits for the last, which the other worker comes to in the end.
    (folder / "wait-p0.vcf.gz").write_text(str(others[-1]))
    assert written(folder, "there.csv", *BOTH) == 0
    assert all(path.exists() for path in others)
    assert same(folder)


CLIENT = """
import sys
from als_ml.__main__ import main
from features.genotypes import extraction
from tests import faults
if __name__ == "__main__":
    extraction.BATCH, extraction._read = 1, faults.reading
    sys.exit(main(sys.argv[1:]))
"""


def client(folder: Path, *more: str) -> subprocess.Popen[str]:
    """`extract` in a process of its own."""
    words = ["extract", "--cohort", str(folder / "cohort.yaml"), "--quiet", *more]
    script = folder / "client.py"
    script.write_text(CLIENT)
    return subprocess.Popen(
        [sys.executable, str(script), *words, "--extracts", str(folder / "kept")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kept(folder: Path) -> list[Path]:
    return list((folder / "kept").glob("*.npz"))


@pytest.mark.parametrize("where", [(), ("--cluster", "local:2")], ids=["here", "cluster"])
def test_a_client_that_is_killed_goes_on_where_it_was(folder, where):
    (folder / "wait-p5.vcf.gz").write_text(str(folder / "never"))
    running = client(folder, *where)
    try:
        faults.until(lambda: len(kept(folder)) == len(SAMPLES) - 1 or running.poll() is not None)
        assert running.poll() is None, running.communicate()[0]
    finally:
        running.kill()
        running.communicate()
    faults.until(lambda: not processes_of(folder))
    (folder / "wait-p5.vcf.gz").unlink()
    (folder / "tries").unlink()
    assert written(folder, "there.csv", "features", "--extracts", str(folder / "kept")) == 0
    assert faults.tries(folder) == ["p5.vcf.gz"]
    assert same(folder)


def processes_of(folder: Path) -> list[int]:
    """Processes that inherited the folder of faults from a client, but for this one."""
    mark, found = f"{faults.FOLDER}={folder}".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in environment.split(b"\0") and state != "Z" and int(path.name) != os.getpid():
            found.append(int(path.name))
    return found


def test_a_scheduler_that_is_gone_ends_the_command_with_what_to_do(folder):
    (folder / "wait-p5.vcf.gz").write_text(str(folder / "never"))
    place = folder / "scheduler.json"
    of_dask = [sys.executable, "-m", "dask"]
    quiet = ["--no-dashboard", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(place)]
    scheduler = subprocess.Popen(
        [*of_dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *quiet],
        stderr=subprocess.DEVNULL,
    )
    workers = None
    try:
        faults.until(place.exists)
        two = ["--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)]
        workers = subprocess.Popen(
            [*of_dask, "worker", "--no-dashboard", "--scheduler-file", str(place), *two],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        address = json.loads(place.read_text())["address"]
        running = client(folder, "--cluster", address)
        faults.until(lambda: len(kept(folder)) == 5 or running.poll() is not None)
        scheduler.send_signal(signal.SIGKILL)
        said = running.communicate()[0]
    finally:
        for process in filter(None, (scheduler, workers)):
            process.kill()
            process.wait()
    assert running.returncode == 1
    assert "--cluster: the cluster is gone" in said
    assert "--resume or --extracts" in said
    faults.until(lambda: not processes_of(folder))
