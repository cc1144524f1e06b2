"""A store that was lost comes back from its copy, with its models as they were."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults import MODEL, made

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_a_restored_store_scores_the_same(tmp_path):
    """As docs/operations.md has it: database and artifacts, copied together, put back in place."""
    folder = tmp_path / "place"
    folder.mkdir()
    place, _ = made(folder)
    cohort = str(folder / "cohort/cohort.yaml")
    words = [str(ROOT / "predict.py"), "--model", MODEL, "--cohort", cohort, "--quiet"]
    place.run(*words, "--output", str(tmp_path / "before.csv"))
    backup = tmp_path / "backup.tar"
    subprocess.run(["tar", "-cf", backup, "-C", folder, "mlflow.db", "mlruns"], check=True)
    (folder / "mlflow.db").unlink()
    shutil.rmtree(folder / "mlruns")
    lost = subprocess.run(
        [sys.executable, *words, "--output", str(tmp_path / "x.csv")],
        env=place.environment,
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert lost.returncode == 2
    (folder / "mlflow.db").unlink(missing_ok=True)
    subprocess.run(["tar", "-xf", backup, "-C", folder], check=True)
    place.run(*words, "--output", str(tmp_path / "after.csv"))
    assert (tmp_path / "after.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
