"""What runs the commands elsewhere: a Snakemake workflow, recipes of containers, a profile.

Containers are not built here: their recipes are held to what they copy and run.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main
from als_ml.slurm import read_profile
from tests.conftest import ROOT
from tests.features.genotypes.test_extraction import SAMPLES, records
from tests.vcf_files import write_vcf

FOLDER = ROOT / "workflows"
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD"}
INSTALL = "python -m pip install --no-cache-dir"


def lines(name: str) -> list[str]:
    """Lines that are not comments, those that go on joined."""
    text = (FOLDER / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_docker_file_copies_what_is_there_and_installs_by_hash() -> None:
    steps = [line.split(maxsplit=1) for line in lines("Dockerfile")]
    assert {name for name, _ in steps} == INSTRUCTIONS
    copied = [word for name, rest in steps if name == "COPY" for word in rest.split()[:-1]]
    assert all((ROOT / word).exists() for word in copied)
    runs = [rest for name, rest in steps if name == "RUN"]
    assert runs[0] == f"{INSTALL} --require-hashes --no-deps -r requirements.lock"
    assert runs[1].startswith(f"{INSTALL} --no-deps --no-build-isolation .")
    names = [name for name, _ in steps]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_both_recipes_hold_the_same() -> None:
    apptainer, docker = "\n".join(lines("als-ml.def")), "\n".join(lines("Dockerfile"))
    sections = re.split(r"^%(\w+)$", apptainer, flags=re.MULTILINE)
    parts = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert set(parts) == {"files", "post", "runscript"}
    pairs = [line.split() for line in parts["files"].strip().splitlines()]
    assert all((ROOT / source).exists() for source, _ in pairs)
    assert all(target == f"/opt/als-ml/{source}" for source, target in pairs)
    copied = re.findall(r"^COPY (.*) \S+$", docker, flags=re.MULTILINE)
    assert sorted(source for source, _ in pairs) == sorted(" ".join(copied).split())
    base = re.search(r"^FROM (\S+)$", docker, flags=re.MULTILINE)[1]
    assert f"From: {base}" in sections[0]
    assert f"{INSTALL} --require-hashes --no-deps -r requirements.lock" in parts["post"]


def test_the_profile_that_is_shipped_holds() -> None:
    assert read_profile(FOLDER / "slurm.yaml").jobs == 32


SNAKEMAKE = os.environ.get("ALS_ML_SNAKEMAKE") or shutil.which("snakemake")


@pytest.mark.slow
@pytest.mark.skipif(
    SNAKEMAKE is None, reason="no snakemake here; ALS_ML_SNAKEMAKE may name one elsewhere"
)
def test_the_workflow_gives_the_features_of_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in SAMPLES:
        write_vcf(folder / f"{name}.vcf.gz", [name], records([name]))
    pd.DataFrame({"sample_id": SAMPLES}).to_csv(folder / "patients.csv", index=False)
    described = {"patients": "patients.csv", "variants": ["*.vcf.gz"]}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(described))
    cohort = f"cohort={folder}/cohort.yaml"
    given = [cohort, "output=features.csv", "shares=2", f"als_ml={sys.executable} -m als_ml"]
    subprocess.run(
        [SNAKEMAKE, "-s", str(FOLDER / "Snakefile"), "--cores", "2", "--config", *given],
        cwd=tmp_path,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    words = ["features", "--cohort", str(folder / "cohort.yaml"), "--quiet"]
    assert main([*words, "--output", str(tmp_path / "here.csv")]) == 0
    assert (tmp_path / "features.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert (tmp_path / "extracts").stat().st_mode & 0o077 == 0
