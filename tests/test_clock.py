"""A clock that is set back, before a command and while it runs: nothing is lost, nothing differs.

What Python programs ask for the time is changed in processes of their own; the times of files stay.
(libfaketime makes pysam's pipes fail, so it proves nothing of ours.)
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from als_ml.tracking.loader import load
from tests.als_ml.tracking.test_store import words
from tests.conftest import ROOT
from tests.stores import store_in

MODEL = "models:/als-progression@champion"


# The offset (seconds) is read anew from a file each time.
CODE = """
import sys, time
def back():
    with open("offset") as file:
        return float(file.read())
now, now_ns = time.time, time.time_ns
time.time = lambda: now() + back()
time.time_ns = lambda: now_ns() + int(back() * 1e9)
import predict, train
sys.exit({"predict": predict, "train": train}[sys.argv[1]].main(sys.argv[2:] + ["--quiet"]))
"""
BACK = str(-400 * 86400)


@pytest.fixture
def clock(tmp_path, migrated):
    """Offset of the clock of all that is started; a store is beside it."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return offset


def started(store: Path, *words: str) -> subprocess.Popen:
    more = {"MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=store, env=os.environ | more, stderr=pipe, text=True)


def ended(process: subprocess.Popen) -> None:
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said


@pytest.mark.slow
def test_a_clock_that_is_set_back(clock, demo, tmp_path):
    store, answers = tmp_path, []
    training = [word for word in words(demo) if word != "--quiet"]
    cohort = ["--model", MODEL, "--cohort", f"{demo}/cohort.yaml"]
    ended(started(store, "train", *training))
    for offset in ("0", BACK):
        clock.write_text(offset)
        answers.append(tmp_path / f"at{offset}.csv")
        ended(started(store, "predict", *cohort, "--output", str(answers[-1])))
    assert answers[0].read_bytes() == answers[1].read_bytes()

    # While a second version is trained and logged.
    clock.write_text("0")
    process = started(store, "train", *training)
    time.sleep(3)
    clock.write_text(BACK)
    ended(process)
    with store_in(store):
        client = MlflowClient()
        runs = client.search_runs([client.get_experiment_by_name("als-ml").experiment_id])
        top = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        assert [run.info.status for run in top] == ["FINISHED", "FINISHED"]
        versions = sorted(v.version for v in client.search_model_versions())
        assert [str(version) for version in versions] == ["1", "2"]
        assert load("models:/als-progression@challenger").model_version == "2"
        assert load(MODEL).model_version == "1"
