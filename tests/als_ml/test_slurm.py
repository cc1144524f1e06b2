"""SLURM profiles: the scripts that are made from them, which bash reads and runs."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main
from als_ml.cluster import slurm_cluster
from als_ml.slurm import array_script, read_profile
from features.errors import RequestError
from tests.conftest import ROOT
from tests.features.genotypes.test_extraction import SAMPLES, records
from tests.vcf_files import write_vcf

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="there is no bash")
WHOLE = {
    "jobs": 3,
    "cores": 2,
    "memory": "8G",
    "walltime": "1-02:00:00",
    "partition": "long",
    "account": "als",
    "directives": ["--constraint=avx2"],
    "prologue": ["export OMP_NUM_THREADS=1", "cd 'a folder' 2>/dev/null || true"],
}


# As a shell is told of `a b'c`, and of the share of a task.
SPELLED = """'a b'"'"'c'"""
PART = '"$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"'


def profile(tmp_path: Path, **given: object) -> Path:
    path = tmp_path / "profile.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "jobs"),
        ({"jobs": 0}, "jobs"),
        ({"jobs": 1, "memory": "8"}, "memory"),
        ({"jobs": 1, "memory": "8 GB"}, "memory"),
        ({"jobs": 1, "walltime": "2h"}, "walltime"),
        ({"jobs": 1, "partition": "a\nrm -rf /"}, "partition"),
        ({"jobs": 1, "account": "a; rm"}, "account"),
        ({"jobs": 1, "directives": ["--x\nrm -rf /"]}, "directives"),
        ({"jobs": 1, "python": "python; rm"}, "python"),
        ({"jobs": 1, "job": 2}, "Did you mean 'jobs'"),
    ],
)
def test_a_profile_that_does_not_hold_is_refused(tmp_path, given, words):
    with pytest.raises(RequestError, match=words):
        read_profile(profile(tmp_path, **given))


def test_no_profile_and_no_yaml_are_told(tmp_path, capsys):
    assert main(["check", "--cohort", "x", "--cluster", "slurm:nowhere.yaml"]) == 2
    assert "nowhere.yaml: there is no such profile" in capsys.readouterr().err
    (tmp_path / "p.yaml").write_text("a: [")
    with pytest.raises(RequestError, match="this is not YAML"):
        read_profile(tmp_path / "p.yaml")


@needs_bash
def test_the_script_says_what_the_profile_says(tmp_path):
    script = array_script(read_profile(profile(tmp_path, **WHOLE)), ["extract", "--x", "a b'c"])
    assert script.splitlines() == [
        "#!/bin/bash",
        "#SBATCH --job-name=als-ml-extract",
        "#SBATCH --array=1-3",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem=8G",
        "#SBATCH --time=1-02:00:00",
        "#SBATCH --partition=long",
        "#SBATCH --account=als",
        "#SBATCH --constraint=avx2",
        "set -euo pipefail",
        "export OMP_NUM_THREADS=1",
        "cd 'a folder' 2>/dev/null || true",
        f"exec python -m als_ml extract --x {SPELLED} --part {PART}",
    ]
    subprocess.run([BASH, "-n"], input=script, text=True, check=True)


@pytest.mark.slow
@needs_bash
def test_the_tasks_of_the_script_read_each_file_once(tmp_path, capsys):
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in SAMPLES:
        write_vcf(folder / f"{name}.vcf.gz", [name], records([name]))
    pd.DataFrame({"sample_id": SAMPLES}).to_csv(folder / "patients.csv", index=False)
    described = {"patients": "patients.csv", "variants": ["*.vcf.gz"]}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(described))
    kept = folder / "kept"
    words = ["--cohort", str(folder / "cohort.yaml"), "--extracts", str(kept), "--quiet"]
    given = profile(tmp_path, jobs=2, python=sys.executable)
    assert main(["extract", *words, "--slurm", str(given)]) == 0
    script = capsys.readouterr().out
    assert not kept.exists()
    for number in ("1", "2"):
        task = {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_COUNT": "2"}
        environment = {**os.environ, **task, "PYTHONPATH": str(ROOT)}
        subprocess.run([BASH], input=script, text=True, check=True, env=environment)
    assert main(["gather", *words]) == 0


@needs_bash
@pytest.mark.slow
def test_the_script_of_the_workers_is_quiet_and_its_keys_go(tmp_path):
    pytest.importorskip("dask_jobqueue", reason="als-ml[cluster] is not installed")
    given = read_profile(profile(tmp_path, **WHOLE, shared=str(tmp_path)))
    with ExitStack() as stack:
        cluster = stack.enter_context(slurm_cluster(given, stack))
        script = cluster.job_script()
        [keys] = [path for path in tmp_path.iterdir() if path.is_dir()]
        assert keys.stat().st_mode & 0o077 == 0
        assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    assert list(tmp_path.iterdir()) == [tmp_path / "profile.yaml"]
    subprocess.run([BASH, "-n"], input=script, text=True, check=True)
    for words in (
        "#SBATCH -p long",
        "#SBATCH -A als",
        "#SBATCH --mem=8G",
        "#SBATCH --constraint=avx2",
        "export DASK_DISTRIBUTED__WORKER__MEMORY__SPILL=False",
        "--nworkers 2",
        "--nthreads 1",
        "tls://",
        f"--tls-key {keys}/key.pem",
    ):
        assert words in script, words
