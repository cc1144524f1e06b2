"""What a large cohort costs on one machine: many shards, one file a patient.

python -m benchmarks scale [shards N | files N | cluster N | weak N | patients N | share N], N
patients; the data are made up and small. Each figure is of a process of its own; CPU includes its
children.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pysam

from benchmarks.variants import BUILD, _header, _order, _records, generate
from features.catalogue import shipped
from features.genotypes.vcf import panel_regions

# About 30 records a shard: enough that genotypes, not headers, are what is read.
SHARDS, RECORDS = 64, 30 * 64
MEASURE = """
import json, resource, sys, time
from pathlib import Path

def cpu():
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

def report(**more):
    from features.genotypes.bcftools import stop_workers
    stop_workers()  # their time counts when they have ended
    figures = {"cpu": cpu() - begun, "wall": time.perf_counter() - clock, "mb": peak()}
    print(json.dumps({**figures, **more}))

begun, clock = cpu(), time.perf_counter()
"""
EXTRACT = """
import hashlib
from features.catalogue import shipped
from features.genotypes.extraction import Panel, read_genotypes
from features.tables.problems import Problems
folder, pattern, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
paths = sorted(folder.glob(pattern))
rows = {f"S{i:05d}": i for i in range(n)}
begun, clock = cpu(), time.perf_counter()
found, counts = read_genotypes(Panel(shipped(), "GRCh38"), paths, rows, n, Problems())
whole = hashlib.sha256(found.assayed.tobytes())
whole.update(found.alleles.to_numpy().tobytes())
whole.update(found.no_calls.to_csv().encode())
report(files=len(paths), alleles=len(found.alleles), digest=whole.hexdigest()[:12])
"""


# Genotypes held whole, or put on disk and taken 20,000 patients at a time.
PATIENTS = """
import tempfile
import numpy as np
from features.catalogue import shipped
from features.genotypes.extraction import Panel, gather
from features.genotypes.gathered import Gathered, GatheredOnDisk
from features.tables.problems import Problems
folder, n, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rows, panel = {f"S{i:05d}": i for i in range(n)}, Panel(shipped(), "GRCh38")
before = peak()
with tempfile.TemporaryDirectory() as scratch:
    into = (
        Gathered(panel.definitions, n)
        if where == "memory"
        else GatheredOnDisk(panel.definitions, n, Path(scratch), 20_000)
    )
    gather(panel, sorted(folder.glob("*.vcf.gz")), rows, into, Problems())
    if where == "memory":
        parts = [into.genotypes()]
    else:
        parts = (into.part(number) for number in range(into.parts))
    alleles, assayed = 0, 0.0
    for part in parts:
        alleles += len(part.alleles)
        assayed += float(np.nansum(part.assayed))
    report(alleles=alleles, assayed=round(assayed, 3), before=before)
"""
# The first N files by two workers of Dask, what travels for it, and so many tasks of nothing.
CLUSTER = """
import hashlib
from als_ml.cluster import Outcome, map_parts, on_cluster
from features.catalogue import shipped
from features.genotypes import extraction
from features.genotypes.extraction import Panel, gather, tasks
from features.genotypes.gathered import Gathered
from features.tables.problems import Problems

def nothing(_, part):
    return part

def run(where):
    n, idle = int(sys.argv[3]), int(sys.argv[5])
    paths = sorted(Path(sys.argv[1]).glob(sys.argv[2]))[:n]
    rows, panel = {f"S{i:05d}": i for i in range(n)}, Panel(shipped(), "GRCh38")
    gathered, sizes, facts = Gathered(panel.definitions, n), [], {}
    started = time.perf_counter()
    with on_cluster(where):
        ready = time.perf_counter()
        plain = map_parts()
        def noting(function, shared, parts, arrived, lost):
            def weighed(part, result):
                sizes.append(len(Outcome.of(result).packed))
                arrived(part, result)
            return plain(function, shared, parts, weighed, lost)
        gather(panel, paths, rows, gathered, Problems(), map_parts=noting)
        done = time.perf_counter()
        if where:
            facts["worker_mb"] = max(plain.client.run(peak).values())
        if where and idle:
            started_idle = time.perf_counter()
            list(plain(nothing, 0, list(range(idle)), lambda *_: None, None))
            facts["overhead_ms"] = 1_000 * (time.perf_counter() - started_idle) / idle
    found = gathered.genotypes()
    whole = hashlib.sha256(found.assayed.tobytes())
    whole.update(found.alleles.to_numpy().tobytes())
    whole.update(found.no_calls.to_csv().encode())
    facts |= {"start": ready - started, "work": done - ready, "tasks": len(sizes)}
    report(most=max(sizes), digest=whole.hexdigest()[:12], **facts)

if __name__ == "__main__":
    run(sys.argv[4] or None)
"""
# Bytes that the bcftools process reads of a file of which a part lies in the panel.
SHARE = """
from features.catalogue import shipped
from features.genotypes import bcftools
from features.genotypes.extraction import Panel, extract
from features.genotypes.vcf import panel_regions
path, n = Path(sys.argv[1]), int(sys.argv[2])
rows, panel = {f"S{i:05d}": i for i in range(n)}, Panel(shipped(), "GRCh38")
read = []
for _ in range(2):  # the first time Python and its libraries are read too
    extract([path], panel_regions(panel.definitions, panel.build), rows, panel)
    [worker] = bcftools._idle
    io = Path(f"/proc/{worker.process.pid}/io").read_text()
    read.append(int(io.split("rchar: ")[1].split()[0]))
report(bytes=read[1] - read[0])
"""


def measured(script: str, *arguments: object) -> dict[str, float]:
    """Figures of a process that runs a script."""
    command = [sys.executable, "-c", MEASURE + script, *map(str, arguments)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def made_sites(records: int) -> list[tuple[str, int]]:
    """Sites spread over the panel, in genomic order."""
    regions = panel_regions(shipped(), BUILD)
    each = -(-records // len(regions))
    spread = {
        (chrom, int(pos))
        for chrom, start, end in regions
        for pos in np.linspace(start + 100, end - 100, each).astype(int)
    }
    return sorted(spread, key=lambda site: (_order(site[0]), site[1]))[:records]


def make_shards(folder: Path, patients: int) -> None:
    """The same records once in one file and once in `SHARDS`."""
    sites = made_sites(RECORDS)
    lines = _records(sites, patients, False, np.random.default_rng(1))
    header = _header(sites, patients, False).encode()
    with pysam.BGZFile(str(folder / "whole.vcf.gz"), "wb") as whole:
        whole.write(header)
        for i in range(SHARDS):
            with pysam.BGZFile(str(folder / f"shard{i:02d}.vcf.gz"), "wb") as shard:
                shard.write(header)
                for _ in range(len(sites) // SHARDS):
                    line = next(lines)
                    whole.write(line)
                    shard.write(line)
    for path in folder.glob("*.vcf.gz"):
        pysam.tabix_index(str(path), preset="vcf", force=True)


def make_files(folder: Path, number: int, records: int = 200) -> None:
    """One file a patient, of the size that the panel has in an exome."""
    sites = made_sites(records)
    text = _header(sites, 1, True)
    columns = [
        line.rstrip(b"\n").split(b"\t")
        for line in _records(sites, min(number, 1_000), True, np.random.default_rng(1))
    ]
    for i in range(number):
        path = folder / f"S{i:05d}.vcf.gz"
        cells = [b"\t".join([*row[:9], row[9 + i % (len(row) - 9)]]) + b"\n" for row in columns]
        with pysam.BGZFile(str(path), "wb") as out:
            out.write(text.replace("S00000", path.name[:6]).encode())
            out.write(b"".join(cells))
        pysam.tabix_index(str(path), preset="vcf", force=True)


def shards(patients: int) -> None:
    """Peak memory of 64 shards beside that of one file."""
    with tempfile.TemporaryDirectory() as name:
        make_shards(Path(name), patients)
        one = measured(EXTRACT, name, "whole.vcf.gz", patients)
        many = measured(EXTRACT, name, "shard*.vcf.gz", patients)
    assert one["digest"] == many["digest"]
    print(f"{patients:,} patients, {RECORDS:,} records")
    for title, run in (("one file", one), (f"{SHARDS} shards", many)):
        print(f"  {title:10s} {run['cpu']:6.1f} CPU s {run['wall']:6.1f} s {run['mb']:6.0f} MB")
    print(f"  {many['mb'] / one['mb']:.2f} x the memory of one file", flush=True)


def files(number: int) -> None:
    """CPU of a cohort with one file a patient."""
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name), number)
        run = measured(EXTRACT, name, "*.vcf.gz", number)
    each = 1_000 * run["cpu"] / number
    print(
        f"{number:,} files of one patient: {each:.1f} ms of CPU a file,"
        f" {run['wall']:.1f} s, {run['mb']:.0f} MB",
        flush=True,
    )


def cluster(patients: int) -> None:
    """64 shards in this process and by two workers of Dask, in turn, three times."""
    with tempfile.TemporaryDirectory() as name:
        make_shards(Path(name), patients)
        arguments = (name, "shard*.vcf.gz", patients)
        runs = [
            (
                measured(CLUSTER, *arguments, "", 0),
                measured(CLUSTER, *arguments, "local:2", 1_000),
            )
            for _ in range(3)
        ]
    here, there = (min(side, key=lambda run: run["work"]) for side in zip(*runs, strict=True))
    assert here["digest"] == there["digest"]
    print(f"{patients:,} patients in {SHARDS} shards, {there['tasks']} tasks, best of three")
    for title, run in (("in process", here), ("2 workers", there)):
        print(
            f"  {title:10s} {run['work']:6.1f} s {run['cpu']:6.1f} CPU s {run['mb']:6.0f} MB,"
            f" start {run['start']:.1f} s"
        )
    print(
        f"  {there['work'] / here['work']:.2f} x the wall time; {there['overhead_ms']:.2f} ms a"
        f" task of nothing; {there['most'] / 1000:.0f} kB the largest result",
        flush=True,
    )


def weak(most: int) -> None:
    """More and more files of one patient by two workers: time a file and memory of a worker.

    The files are made once, some 8 kB each with their index; the first of them are read.
    """
    sizes = [n for n in (1_000, 5_000, 20_000, 50_000) if n < most] + [most]
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name), most)
        print("files of one patient by two workers", flush=True)
        for n in sizes:
            run = measured(CLUSTER, name, "*.vcf.gz", n, "local:2", 0)
            print(
                f"  {n:6,} {run['work']:6.1f} s, {1_000 * run['work'] / n:.2f} ms a file,"
                f" {run['cpu']:6.1f} CPU s in all, {run['worker_mb']:.0f} MB a worker,"
                f" {run['mb']:.0f} MB the command",
                flush=True,
            )


def patients(number: int, records: int = 64) -> None:
    """Peak memory of genotypes in memory and on disk, in one indexed file."""
    with tempfile.TemporaryDirectory() as name:
        path, sites = Path(name) / "whole.vcf.gz", made_sites(records)
        with pysam.BGZFile(str(path), "wb") as whole:
            whole.write(_header(sites, number, False).encode())
            for line in _records(sites, number, False, np.random.default_rng(1)):
                whole.write(line)
        pysam.tabix_index(str(path), preset="vcf", force=True)
        runs = {where: measured(PATIENTS, name, number, where) for where in ("memory", "disk")}
    assert len({(run["alleles"], run["assayed"]) for run in runs.values()}) == 1
    print(f"{number:,} patients, {records} records, {runs['disk']['alleles']:,} alleles")
    for where, run in runs.items():
        print(
            f"  in {where:6s} {run['cpu']:6.1f} CPU s, {run['mb']:6.0f} MB at most,"
            f" {run['before']:.0f} MB before reading",
            flush=True,
        )


def share(samples: int, records: int = 2_000, outside: int = 18_000) -> None:
    """Bytes read of a file of which a tenth of the records lies in the panel."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "whole.vcf.gz"
        generate(path, records, False, samples=samples, outside=outside)
        run = measured(SHARE, path, samples)
        size = path.stat().st_size
    print(
        f"{samples:,} samples, {records / (records + outside):.0%} of the records in the panel:"
        f" {run['bytes'] / size:.1%} of {size / 1e6:.0f} MB read, {run['cpu']:.1f} CPU s",
        flush=True,
    )


PARTS = {
    "shards": shards,
    "files": files,
    "cluster": cluster,
    "weak": weak,
    "patients": patients,
    "share": share,
}


def main(arguments: Sequence[str] = ()) -> None:
    """All of it, or one part with its size."""
    if arguments:
        PARTS[arguments[0]](int(arguments[1]))
        return
    shards(20_000)
    cluster(20_000)
    share(2_000)
    patients(1_000_000)
    files(1_000)
    files(10_000)
    weak(50_000)


if __name__ == "__main__":
    main(sys.argv[1:])
