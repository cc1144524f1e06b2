"""Finished parts: the same bits again, and nothing that was made from anything else."""

import os
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import shipped
from features.genotypes import extraction
from features.genotypes.extraction import Panel, gather, tasks
from features.genotypes.gathered import Gathered
from features.genotypes.kept import KeptExtracts
from features.genotypes.vcf import CallRule
from features.tables.problems import Problems
from tests.features.genotypes.test_extraction import SAMPLES, SITES, digest, records
from tests.vcf_files import write_vcf

PANEL = Panel(shipped(), "GRCh38")
PATIENTS = {name: i for i, name in enumerate(SAMPLES)}


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """One file a patient; the last three are annotated."""
    folder = tmp_path / "vcf"
    folder.mkdir()
    return [write_vcf(folder / f"{name}.vcf.gz", [name], records([name])) for name in SAMPLES]


def read(paths: list[Path], kept: KeptExtracts | None = None) -> Gathered:
    into = Gathered(shipped(), len(SAMPLES))
    gather(PANEL, paths, PATIENTS, into, Problems(), kept=kept)
    return into


def no_reading(*_: object) -> None:
    raise AssertionError("it was read again")


def test_what_is_kept_gives_the_same_bits_and_is_not_read_again(paths, tmp_path, monkeypatch):
    fresh = read(paths)
    kept = KeptExtracts(tmp_path / "kept", PANEL, PATIENTS)
    assert digest(read(paths, kept).genotypes()) == digest(fresh.genotypes())
    monkeypatch.setattr(extraction, "extract", no_reading)
    again = read(paths, kept)
    assert again.counts == fresh.counts
    assert again.agreement == fresh.agreement
    assert digest(again.genotypes()) == digest(read(paths, kept).genotypes())


def test_effects_come_back_as_they_were(tmp_path):
    text = write_vcf(tmp_path / "a.vcf", ["p0"], ["21 31659783 C T PASS 0/1"]).read_text()
    description = '##INFO=<ID=ANN,Number=.,Type=String,Description="snpEff">\n#CHROM'
    told = "ANN=T|missense_variant|MODERATE|SOD1|G|transcript|ENST00000270142.10|protein_coding"
    annotated = f"{told}|1/5|c.14C>T|p.Ala5Val;AF=0.1\tGT"
    path = tmp_path / "b.vcf"
    path.write_text(text.replace("#CHROM", description).replace(".\tGT", annotated))
    kept = KeptExtracts(tmp_path / "kept", PANEL, PATIENTS)
    first = read([path], kept).genotypes().sites["effect"][0]
    assert first.hgvs_p == "p.Ala5Val"
    again = read([path], kept).genotypes().sites["effect"][0]
    assert again == first
    assert type(again) is type(first)
    assert type(again.scores) is tuple


@pytest.mark.parametrize(
    "change",
    ["nothing", "time", "content", "index", "patients", "threshold", "build", "regions"],
)
def test_what_was_made_from_anything_else_is_not_taken(change, paths, tmp_path):
    (task, *_) = tasks(PANEL, paths)
    kept = KeptExtracts(tmp_path / "kept", PANEL, PATIENTS)
    kept.put(task, extraction.extract(*task, PATIENTS, PANEL))
    path, index, panel, patients = paths[0], Path(f"{paths[0]}.tbi"), PANEL, PATIENTS
    if change == "time":
        os.utime(path, ns=(1, 1))
    elif change == "content":
        write_vcf(path, ["p0"], records(["p0"], SITES[:2]))
    elif change == "index":
        index.unlink()
    elif change == "patients":
        patients = {**PATIENTS, "p0": 9}
    elif change == "threshold":
        panel = Panel(shipped(), "GRCh38", CallRule(min_gq=1))
    elif change == "build":
        panel = Panel(shipped(), "GRCh37")
    elif change == "regions":
        task = (task[0], task[1][1:])
    found = KeptExtracts(tmp_path / "kept", panel, patients).get(task)
    assert (found is None) == (change != "nothing")


def test_a_part_that_was_cut_off_is_read_again(paths, tmp_path):
    kept = KeptExtracts(tmp_path / "kept", PANEL, PATIENTS)
    expected = digest(read(paths, kept).genotypes())
    for file in (tmp_path / "kept").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert digest(read(paths, kept).genotypes()) == expected


def test_a_file_that_failed_is_not_kept_and_the_others_are(paths, tmp_path):
    good = paths[1].read_bytes()
    paths[1].write_bytes(b"hello")
    kept = KeptExtracts(tmp_path / "kept", PANEL, PATIENTS)
    into = Gathered(shipped(), len(SAMPLES))
    gather(PANEL, paths, PATIENTS, into, Problems(collect=True), kept=kept)
    absent = [task for task in tasks(PANEL, paths) if kept.get(task) is None]
    assert [task[0] for task in absent] == [[paths[1]]]
    assert np.isnan(into.genotypes().assayed[1]).all()
    paths[1].write_bytes(good)
    assert digest(read(paths, kept).genotypes()) == digest(read(paths).genotypes())


def test_only_the_owner_may_look_and_nothing_is_half_written(paths, tmp_path, monkeypatch):
    folder = tmp_path / "kept"
    kept = KeptExtracts(folder, PANEL, PATIENTS)
    assert folder.stat().st_mode & 0o077 == 0
    (task, *_) = tasks(PANEL, paths)
    found = extraction.extract(*task, PATIENTS, PANEL)
    monkeypatch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        kept.put(task, found)
    assert not list(folder.iterdir())
