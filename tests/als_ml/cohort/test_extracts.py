"""Genomes read ahead by the tasks of a job array, and what takes them over."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main
from als_ml.cohort.digests import file_digests, files_digest, genomes_digest
from als_ml.cohort.source import open_cohort
from features.genotypes import extraction, kept
from tests.features.genotypes.test_extraction import SAMPLES, records
from tests.vcf_files import write_vcf


@pytest.fixture
def folder(tmp_path) -> Path:
    """A cohort with one file a patient."""
    for name in SAMPLES:
        write_vcf(tmp_path / f"{name}.vcf.gz", [name], records([name]))
    pd.DataFrame({"sample_id": SAMPLES}).to_csv(tmp_path / "patients.csv", index=False)
    described = {"patients": "patients.csv", "variants": ["*.vcf.gz"]}
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump(described))
    return tmp_path


def ran(command: str, folder: Path, *more: str) -> int:
    words = [command, "--cohort", str(folder / "cohort.yaml"), "--quiet", *more]
    return main([*words, "--extracts", str(folder / "kept")])


def no_reading(*_: object, **__: object) -> None:
    raise AssertionError("it was read again")


def test_a_job_array_reads_each_file_once_and_features_takes_it_over(folder, monkeypatch, capsys):
    monkeypatch.setattr(extraction, "BATCH", 1)
    assert ran("gather", folder) == 1
    assert "6 files have not been read: " in capsys.readouterr().err
    counts = []
    for part in ("1/4", "2/4", "3/4", "4/4"):
        assert ran("extract", folder, "--part", part) == 0
        counts.append(len(list((folder / "kept").iterdir())))
    assert counts == [2, 4, 5, 6]
    assert ran("gather", folder) == 0
    whole = ["features", "--cohort", str(folder / "cohort.yaml"), "--quiet", "--output"]
    assert main([*whole, str(folder / "plain.csv")]) == 0
    monkeypatch.setattr(extraction, "extract", no_reading)
    assert ran("features", folder, "--output", str(folder / "kept.csv")) == 0
    assert (folder / "kept.csv").read_bytes() == (folder / "plain.csv").read_bytes()


def test_a_share_with_a_bad_file_ends_with_its_name_and_keeps_the_rest(folder, capsys):
    (folder / "p3.vcf.gz").write_bytes(b"hello")
    assert ran("extract", folder) == 1
    said = capsys.readouterr().err
    assert "p3.vcf.gz: this is n" in said
    assert "p2.vcf.gz" not in said
    assert len(list((folder / "kept").iterdir())) == 5
    assert ran("gather", folder) == 1
    assert "1 files have not been read: " in capsys.readouterr().err


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "x/2", "1/x", "-1/2", ""])
def test_a_share_that_is_none_is_refused(folder, part, capsys):
    assert ran("extract", folder, f"--part={part}") == 2
    assert "it is not a share such as 3/10" in capsys.readouterr().err
    assert not (folder / "kept").exists()


def test_predictions_keep_what_was_read_until_they_are_written(demo, store, tmp_path, monkeypatch):
    shutil.copytree(demo, tmp_path / "cohort")
    output, seen = tmp_path / "out.csv", []
    put = kept.KeptExtracts.put
    monkeypatch.setattr(
        kept.KeptExtracts, "put", lambda self, *a: (seen.append(self.folder), put(self, *a))
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    words = ["predict", "--model", "models:/als-progression@champion", "--output", str(output)]
    words += ["--cohort", str(tmp_path / "cohort" / "cohort.yaml"), "--quiet"]
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("als_ml.prediction.batch.write_parts", no_reading)
        with pytest.raises(AssertionError, match="read again"):
            main(words)
    assert set(seen) == {tmp_path / ".out.csv.extracts"}
    monkeypatch.setattr(extraction, "extract", no_reading)
    assert main([*words, "--resume"]) == 0
    assert output.is_file()
    assert not (tmp_path / ".out.csv.extracts").exists()


# Digests


def test_genomes_are_told_by_size_and_index_or_read_in_full(folder, monkeypatch):
    path, other = folder / "p0.vcf.gz", folder / "other.vcf.gz"
    index = Path(f"{path}.tbi")
    first = genomes_digest([path])
    assert first.startswith("index-")
    read = []
    plain = files_digest

    def noting(files: list[Path]) -> str:
        read.extend(files)
        return plain(files)

    monkeypatch.setattr("als_ml.cohort.digests.files_digest", noting)
    assert genomes_digest([path]) == first
    assert read == [index]
    # A copy elsewhere and later is the same file.
    shutil.copy(path, other)
    shutil.copy(index, f"{other}.tbi")
    assert genomes_digest([other]) == first
    # A file that is newer than its index is read in full.
    os.utime(path, ns=(index.stat().st_mtime_ns + 5 * 10**9,) * 2)
    assert genomes_digest([path]) != first
    assert read[-1] == path
    write_vcf(other, ["p0"], records(["p0"])[:3])
    assert genomes_digest([other]) != first


def test_the_full_digest_is_asked_for(folder):
    source = open_cohort(folder / "cohort.yaml")
    quick, full = file_digests(source), file_digests(source, full=True)
    assert quick["patients"] == full["patients"]
    assert full["variants"] == files_digest(source.files("variants"))
    assert quick["variants"] == genomes_digest(source.files("variants"))
