"""Many files: the same calls however they are cut and read, and what happens to a bad one."""

import hashlib
import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import gene_names, shipped
from features.errors import DataError, RequestError
from features.genotypes import bcftools as runner
from features.genotypes import extraction
from features.genotypes.bcftools import bcftools, stop_workers
from features.genotypes.coverage import Assayed, Coverage, coverage_of
from features.genotypes.extraction import Panel, extract, gather, read_genotypes
from features.genotypes.gathered import GatheredOnDisk
from features.genotypes.genotype import Genotypes, no_genotypes
from features.genotypes.vcf import CallRule, panel_regions, read_sites, site_query
from features.genotypes.workers import worker_count
from features.tables.problems import Problems
from tests.vcf_files import write_vcf

PANEL = Panel(shipped(), "GRCh38")
SAMPLES = [f"p{i}" for i in range(6)]
# The known SOD1 variant p.Ala5Val is missing in some, filtered records count against all.
GENOTYPES = ["0/0", "0/1", "./.", "1/1", "./1", "0/0"]
SITES = [
    "21 31659783 C T PASS",
    "21 31659790 G A,T PASS",
    "21 31667290 A C low",
    "21 31667290 A C PASS",
    "9 27566000 T G PASS",
    "1 11022418 A G .",
]


def records(samples: list[str] = SAMPLES, sites: list[str] = SITES) -> list[str]:
    """Each site with genotypes that differ from patient to patient; some are missing."""
    numbers = [SAMPLES.index(name) for name in samples]
    return [
        " ".join([site, *(GENOTYPES[(3 * SITES.index(site) + n) % 6] for n in numbers)])
        for site in sites
    ]


def digest(genotypes: Genotypes) -> str:
    """Of sites, alleles, no-calls and coverage, to the last bit."""
    whole = hashlib.sha256(genotypes.assayed.tobytes())
    for table in (genotypes.sites, genotypes.alleles, genotypes.no_calls):
        whole.update(f"{table.to_csv(index=False)}{list(table.dtypes)}".encode())
    return whole.hexdigest()


def read(paths: list[Path], problems: Problems | None = None) -> Genotypes:
    patients = {name: i for i, name in enumerate(SAMPLES)}
    return read_genotypes(PANEL, paths, patients, len(patients), problems or Problems())[0]


@pytest.fixture(scope="module")
def forms(tmp_path_factory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("forms")
    chroms = sorted({site.split()[0] for site in SITES})
    of_chrom = {c: [site for site in SITES if site.split()[0] == c] for c in chroms}
    return {
        "one file": [write_vcf(folder / "one.vcf.gz", SAMPLES, records())],
        "shards": [
            write_vcf(folder / f"{c}.vcf.gz", SAMPLES, records(sites=own))
            for c, own in of_chrom.items()
        ],
        "one a patient": [
            write_vcf(folder / f"{name}.vcf.gz", [name], records([name])) for name in SAMPLES
        ],
        "patients in another order": [
            write_vcf(folder / "turned.vcf.gz", SAMPLES[::-1], records(SAMPLES[::-1]))
        ],
    }


def test_the_cohort_of_these_tests_has_no_calls(forms):
    found = read(forms["one file"])
    assert len(found.no_calls)
    partly = (found.assayed > 0) & (found.assayed < 1)
    assert 0 < partly.any(axis=1).sum() < len(SAMPLES)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(
    "form", ["one file", "shards", "one a patient", "patients in another order"]
)
def test_same_bits_whatever_the_files_the_workers_and_the_parts(forms, form, workers, monkeypatch):
    expected = digest(read(forms["one file"]))
    monkeypatch.setattr("features.genotypes.workers.worker_count", lambda: workers)
    monkeypatch.setattr(extraction, "MANY_SAMPLES", 2)  # so that one file is read in parts
    monkeypatch.setattr(extraction, "SHARDS", 2)  # so that several files are read at a time
    assert digest(read(forms[form])) == expected
    assert digest(read(forms[form][::-1])) == expected


def test_an_indexed_file_of_many_is_read_in_parts(forms, monkeypatch):
    tasks = extraction.tasks
    assert len(tasks(PANEL, forms["one file"])) == 1
    monkeypatch.setattr(extraction, "MANY_SAMPLES", 6)
    parts = tasks(PANEL, forms["one file"])
    assert len(parts) > 10
    regions = [region for _, some in parts for region in some]
    assert regions == panel_regions(shipped(), "GRCh38")
    monkeypatch.setattr(extraction, "MANY_SAMPLES", 7)
    assert len(tasks(PANEL, forms["one file"])) == 1


def test_many_files_are_read_some_at_a_time():
    sizes = {n: len(extraction.tasks(PANEL, [Path(f"{i}.vcf") for i in range(n)])) for n in
             (17, 64, 65, 3_072, 3_073, 10_000)}  # fmt: skip
    assert sizes == {17: 17, 64: 64, 65: 33, 3_072: 64, 3_073: 65, 10_000: 209}


def test_what_travels_does_not_grow_with_the_genes(tmp_path):
    samples = [f"s{i}" for i in range(400)]
    calls = " ".join(["./."] + ["0/0"] * 398 + ["0/1"])
    path = write_vcf(tmp_path / "a.vcf.gz", samples, [f"{site} {calls}" for site in SITES])
    rows = {name: i for i, name in enumerate(samples)}
    (file,) = extract([path], panel_regions(shipped(), "GRCh38"), rows, PANEL).files
    # One patient misses something in each of three genes; nothing is said of the others.
    assert (file.coverage.row == 0).all()
    assert len(file.coverage.row) == 3
    dense = 2 * 8 * len(samples) * len(gene_names(shipped()))
    assert len(pickle.dumps(file)) < dense / 20


def test_coverage_is_that_of_a_plain_count(tmp_path):
    """The expected figures come from a loop over patients and records."""
    path = write_vcf(tmp_path / "a.vcf", SAMPLES, records())
    sites = read_sites(site_query(shipped(), path, "GRCh38"))
    rng = np.random.default_rng(1)
    lost = (rng.integers(0, len(SITES), 12), rng.integers(0, 6, 12).astype(np.int32))
    lost = tuple(np.array(part) for part in zip(*sorted(set(zip(*lost, strict=True))), strict=True))
    first, genes = np.ones(len(SITES), dtype=bool), len(gene_names(shipped()))
    rows = np.arange(6, dtype=np.int32)
    found = coverage_of(sites, first, lost, rows, list(range(genes)), "GRCh38")
    assayed = Assayed(6, genes)
    assayed.add(found)
    for patient in range(6):
        missing = {int(r) for r, p in zip(*lost, strict=True) if p == patient}
        for gene in range(genes):
            own = [i for i in range(len(SITES)) if sites.gene[i] == gene]
            called = sum(bool(sites.passed[i]) for i in own)
            called = max(called - len(missing.intersection(own)), 0)
            assert (assayed.called[patient, gene], assayed.whole[patient, gene]) == (
                called,
                len(own),
            )


def test_coverage_adds_up_in_any_order():
    ones, rows = np.ones(2, dtype=np.int64), np.array([0, 2])
    some = [
        Coverage(rows, 4 * ones, 3 * ones, np.array([2]), np.array([1]), np.array([1])),
        Coverage(np.array([0]), ones, ones, *[np.array([], dtype=np.int64)] * 3),
    ]
    for files in (some, some[::-1]):
        assayed = Assayed(3, 2)
        for file in files:
            assayed.add(file)
        expected = [[4 / 5, 4 / 5], [np.nan, np.nan], [3 / 4, 1 / 4]]
        assert np.array_equal(assayed.fraction(), expected, equal_nan=True)


# What is wrong with a file


@pytest.fixture
def with_bad_files(tmp_path) -> list[Path]:
    good = [write_vcf(tmp_path / f"{n}.vcf.gz", [n], records([n])) for n in SAMPLES[:3]]
    truncated = write_vcf(
        tmp_path / "p3.vcf.gz", ["p3"], [r for r in records(["p3"]) for _ in range(300)]
    )
    truncated.write_bytes(truncated.read_bytes()[:-200])
    (tmp_path / "p4.vcf.gz").write_bytes(b"hello")
    other = write_vcf(tmp_path / "p5.vcf.gz", ["p5"], records(["p5"]), build="GRCh37")
    return [*good, truncated, tmp_path / "p4.vcf.gz", other, tmp_path / "absent.vcf.gz"]


def test_all_files_that_fail_are_named_at_the_end(with_bad_files):
    with pytest.raises(DataError) as error:
        read(with_bad_files)
    text = str(error.value)
    assert text.startswith("variants: 4 of 7 files cannot be used: ")
    for name in ("p3", "p4", "p5", "absent"):
        assert f"{name}.vcf.gz: " in text
    for name in ("p0", "p1", "p2"):
        assert f"{name}.vcf.gz" not in text


def test_one_file_that_fails_is_the_whole_message(with_bad_files):
    with pytest.raises(DataError, match=r"^\S+absent\.vcf\.gz: there is no such file\. Correct"):
        read([*with_bad_files[:3], with_bad_files[-1]])


def test_the_rest_is_kept_where_problems_are_collected(with_bad_files):
    problems = Problems(collect=True)
    found = read(with_bad_files, problems)
    assert sorted({Path(p.where).name for p in problems.errors}) == [
        "absent.vcf.gz",
        "p3.vcf.gz",
        "p4.vcf.gz",
        "p5.vcf.gz",
    ]
    assert np.isfinite(found.assayed).any(axis=1).tolist() == [True] * 3 + [False] * 3
    alone = read(with_bad_files[:3])
    assert digest(found) == digest(alone)


def test_the_same_warning_of_many_files_is_one(tmp_path):
    paths = [write_vcf(tmp_path / f"{n}.vcf.gz", [n], records([n])) for n in SAMPLES]
    problems, patients = Problems(), {name: i for i, name in enumerate(SAMPLES)}
    panel = Panel(shipped(), "GRCh38", CallRule(min_gq=20))
    read_genotypes(panel, paths, patients, len(patients), problems)
    (warning,) = [p for p in problems.found if "threshold on GQ" in p.found]
    assert warning.count == 6
    assert warning.where.endswith("p0.vcf.gz and 5 more")


@pytest.mark.parametrize("kind", [DataError, RequestError])
def test_an_error_comes_back_whole_from_a_worker(kind):
    error = pickle.loads(pickle.dumps(kind("a.vcf", "it is cut off", "Copy it again.")))  # noqa: S301
    assert type(error) is kind
    assert (error.where, error.found, error.remedy) == ("a.vcf", "it is cut off", "Copy it again.")
    assert str(error) == "a.vcf: it is cut off. Copy it again."


# The processes that run bcftools


@pytest.fixture
def no_workers():
    stop_workers()
    yield
    stop_workers()


def positions(path: Path) -> bytes:
    with bcftools(["query", "-f", r"%POS\n", str(path)], where=str(path)) as lines:
        return lines.read()


def test_a_worker_stays_for_the_next_file(forms, no_workers):
    (path,) = forms["one file"]
    assert positions(path) == positions(path)
    (worker,) = runner._idle
    assert worker.left == runner.LIFE - 2


def test_a_worker_that_has_done_enough_is_replaced(forms, no_workers, monkeypatch):
    monkeypatch.setattr(runner, "LIFE", 1)
    assert positions(forms["one file"][0]).count(b"\n") == len(SITES)
    assert not runner._idle


def test_a_worker_that_was_killed_is_replaced(forms, no_workers):
    (path,) = forms["one file"]
    expected = positions(path)
    (worker,) = runner._idle
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert positions(path) == expected


def test_a_crash_is_a_message_and_the_next_file_is_read(forms, tmp_path, no_workers):
    (path,) = forms["one file"]
    positions(path)
    (worker,) = runner._idle
    os.mkfifo(tmp_path / "waits.vcf")  # nobody writes into it
    with (
        pytest.raises(DataError, match=r"^waits: bcftools cannot read it \(it crashed; .*\)"),
        bcftools(["query", "-f", "%POS", str(tmp_path / "waits.vcf")], where="waits"),
    ):
        os.kill(worker.process.pid, signal.SIGKILL)
    assert positions(path).count(b"\n") == len(SITES)


def test_who_leaves_early_leaves_no_process(tmp_path, no_workers):
    os.mkfifo(tmp_path / "waits.vcf")
    worker = runner._Worker()
    runner._idle.append(worker)
    steps = ["view", "-Ou", str(tmp_path / "waits.vcf")], ["query", "-f", "%POS", "-"]
    with pytest.raises(KeyboardInterrupt), bcftools(*steps, where="waits"):
        raise KeyboardInterrupt
    assert worker.process.returncode == -signal.SIGKILL


def test_the_first_step_that_fails_is_quoted(tmp_path, no_workers):
    steps = ["view", "-Ou", str(tmp_path / "absent.vcf")], ["query", "-f", "%POS", "-"]
    with (
        pytest.raises(DataError, match=r"absent\.vcf: No such file or directory"),
        bcftools(*steps, where="a") as lines,
    ):
        lines.read()
    assert not runner._idle  # what a failed step leaves behind is not used again


def test_as_many_workers_as_the_allocation_has():
    own = len(os.sched_getaffinity(0))
    assert worker_count({}) == own
    assert worker_count({"SLURM_CPUS_PER_TASK": "1"}) == 1
    assert worker_count({"SLURM_CPUS_PER_TASK": "0"}) == own
    assert worker_count({"SLURM_CPUS_PER_TASK": "many"}) == own


# A cohort too large for memory


@pytest.mark.parametrize("size", [1, 4, 6, 100])
@pytest.mark.parametrize("form", ["one file", "shards", "one a patient"])
def test_on_disk_each_part_is_that_of_the_whole(forms, form, size, tmp_path):
    whole, patients = read(forms["one file"]), {name: i for i, name in enumerate(SAMPLES)}
    gathered = GatheredOnDisk(shipped(), len(SAMPLES), tmp_path, size)
    gather(PANEL, forms[form], patients, gathered, Problems())
    for number, first in enumerate(range(0, len(SAMPLES), size)):
        rows = np.arange(first, min(first + size, len(SAMPLES)))
        position = np.full(len(SAMPLES), -1)
        position[rows] = np.arange(len(rows))
        assert digest(gathered.part(number)) == digest(whole.take(position, rows))


def test_on_disk_a_cohort_without_genomes_is_unknown(tmp_path):
    gathered = GatheredOnDisk(shipped(), 3, tmp_path, 2)
    assert digest(gathered.part(0)) == digest(no_genotypes(shipped(), 2))
    assert digest(gathered.part(1)) == digest(no_genotypes(shipped(), 1))
    assert digest(GatheredOnDisk(shipped(), 0, tmp_path, 2).part(0)) == digest(
        no_genotypes(shipped(), 0)
    )
