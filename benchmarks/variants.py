"""Who carries what in the panel: our reader beside the `bcftools query` binary and a cyvcf2 loop,
on generated files.

Each reader runs in a process of its own, `REPEATS` times in turn; the best time counts, and the
highest memory of the process and its children. Imports are not counted. Peers that are not
installed are named and left out; cyvcf2 may live in another interpreter:
ALS_ML_PEERS=/path/to/python.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pysam

from features.catalogue import shipped
from features.genotypes.vcf import panel_regions

SAMPLES, REPEATS, BUILD = 2_504, 5, "GRCh38"
_BINARY = [
    "bcftools",
    "query",
    "-f",
    "[%CHROM\t%POS\t%REF\t%ALT\t%SAMPLE\t%GT\n]",
    "-i",
    'GT="alt"',
]
_MEASURE = """
import json, resource, sys, time
def report(seconds, carriers):
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(who).ru_maxrss for who in processes)
    print(json.dumps({"seconds": seconds, "carriers": int(carriers), "mb": peak / 1024}))
path, regions, output = sys.argv[1:]
"""
_OURS = """
from pathlib import Path
from features.catalogue import shipped
from features.genotypes.extraction import Panel, read_genotypes
from features.genotypes.vcf import read_header
from features.tables.problems import Problems
rows = {name: i for i, name in enumerate(read_header(Path(path)).samples)}
start = time.perf_counter()
panel = Panel(shipped(), "GRCh38")
genotypes, _ = read_genotypes(panel, [Path(path)], rows, len(rows), Problems())
report(time.perf_counter() - start, len(genotypes.alleles))
"""
_CYVCF2 = """
import numpy as np, cyvcf2
start, carriers = time.perf_counter(), 0
vcf = cyvcf2.VCF(path)
names = np.array(vcf.samples)
with open(output, "w") as out:
    for region in open(regions):
        chrom, first, last = region.split()
        for variant in vcf(f"{chrom}:{first}-{last}"):
            types = variant.gt_types
            alt = (types == 1) | (types == 3)
            site = f"{variant.CHROM}\\t{variant.POS}\\t{variant.REF}\\t{','.join(variant.ALT)}"
            for name, kind in zip(names[alt], types[alt]):
                out.write(f"{site}\\t{name}\\t{kind}\\n")
            carriers += int(alt.sum())
report(time.perf_counter() - start, carriers)
"""
_BCFTOOLS = f"""
import subprocess
start = time.perf_counter()
with open(output, "wb") as out:
    subprocess.run({_BINARY!r} + ["-R", regions, path], stdout=out, check=True)
report(time.perf_counter() - start, sum(1 for _ in open(output)))
"""


def generate(
    path: Path, records: int, fields: bool, samples: int = SAMPLES, outside: int = 0, seed: int = 1
) -> None:
    """Write a made-up indexed VCF: SNVs spread over the panel, frequencies as 1/x, genotypes in
    Hardy-Weinberg ratio.

    `outside` is the number of records on chromosome 11, which has no panel gene.
    """
    regions = panel_regions(shipped(), BUILD)
    per_region = -(-records // len(regions))
    spread = [
        (c, int(p))
        for c, s, e in regions
        for p in np.linspace(s + 100, e - 100, per_region).astype(int)
    ]
    chosen = sorted(np.random.default_rng(seed).permutation(len(spread))[:records])
    spread += [("11", 1_000 + 10 * i) for i in range(outside)]
    chosen += list(range(len(spread) - outside, len(spread)))
    sites = sorted({spread[i] for i in chosen}, key=lambda site: (_order(site[0]), site[1]))
    plain = path.with_suffix("")
    with plain.open("wb") as out:
        out.write(_header(sites, samples, fields).encode())
        out.writelines(_records(sites, samples, fields, np.random.default_rng(seed)))
    pysam.tabix_index(str(plain), preset="vcf", force=True)


def _order(chrom: str) -> int:
    return int(chrom) if chrom.isdigit() else 99


def _header(sites: list[tuple[str, int]], samples: int, fields: bool) -> str:
    contigs = "".join(f"##contig=<ID={c}>\n" for c in dict.fromkeys(chrom for chrom, _ in sites))
    kinds = {
        "GT": ("1", "String"),
        "DP": ("1", "Integer"),
        "GQ": ("1", "Integer"),
        "AD": ("R", "Integer"),
    }
    formats = [
        f'##FORMAT=<ID={n},Number={c},Type={t},Description="{n}">\n' for n, (c, t) in kinds.items()
    ]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"] + [
        f"S{i:05d}" for i in range(samples)
    ]
    return (
        f"##fileformat=VCFv4.2\n{contigs}{''.join(formats[: None if fields else 1])}"
        + "\t".join(columns)
        + "\n"
    )


def _records(
    sites: list[tuple[str, int]], samples: int, fields: bool, rng: np.random.Generator
) -> Iterator[bytes]:
    """Cells are drawn from a few ready-made ones a genotype, so that writing takes seconds."""
    texts = [b"0/0", b"0/1", b"1/1", b"./."]
    depths = rng.integers(12, 60, 50)
    cells = [
        (
            [t + b":%d:%d:%d,%d" % (d, min(99, 3 * d), d - d // 2 * i, d // 2 * i) for d in depths]
            if fields
            else [t] * 50
        )
        for i, t in enumerate(texts)
    ]
    table = np.array(cells, dtype=object)
    for chrom, pos in sites:
        frequency = float(np.exp(rng.uniform(np.log(1 / (2 * samples)), np.log(0.5))))
        alleles = rng.binomial(2, frequency, samples)
        alleles[rng.random(samples) < 0.002] = 3
        row = table[alleles, rng.integers(0, 50, samples)]
        start = f"{chrom}\t{pos}\t.\tA\tG\t50\tPASS\t.\t{'GT:DP:GQ:AD' if fields else 'GT'}\t"
        yield start.encode() + b"\t".join(row.tolist()) + b"\n"


def compare(path: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Best time and highest memory of each reader on one file."""
    regions = folder / "regions.tsv"
    regions.write_text("".join(f"{c}\t{s}\t{e}\n" for c, s, e in panel_regions(shipped(), BUILD)))
    scripts = {"als-ml": (sys.executable, _OURS), "bcftools query": (sys.executable, _BCFTOOLS)}
    peers = os.environ.get("ALS_ML_PEERS", sys.executable)
    if (
        subprocess.run([peers, "-c", "import cyvcf2"], capture_output=True, check=False).returncode
        == 0
    ):
        scripts["cyvcf2 loop"] = (peers, _CYVCF2)
    if shutil.which("bcftools") is None:
        scripts.pop("bcftools query")
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in scripts}
    for _ in range(REPEATS):
        for name, (python, script) in scripts.items():
            runs[name].append(run_once(python, script, path, folder))
    return {
        name: {
            "seconds": min(r["seconds"] for r in found),
            "mb": max(r["mb"] for r in found),
            "carriers": found[0]["carriers"],
        }
        for name, found in runs.items()
    }


def scaling(folder: Path) -> dict[str, float]:
    """Seconds of our reader with half the samples, half the records, and as many records again
    outside the panel.
    """
    cases = {
        "whole": (5_000, SAMPLES, 0),
        "half the samples": (5_000, SAMPLES // 2, 0),
        "half the records": (2_500, SAMPLES, 0),
    }
    cases["5,000 more records outside the panel"] = (5_000, SAMPLES, 5_000)
    found = {}
    for title, (records, samples, outside) in cases.items():
        path = folder / "scaling.vcf.gz"
        apart(f"generate(Path({str(path)!r}), {records}, True, {samples}, {outside})")
        found[title] = min(
            run_once(sys.executable, _OURS, path, folder)["seconds"] for _ in range(REPEATS)
        )
    return found


def apart(call: str) -> None:
    """Generate in a process of its own: a child's memory is counted from its parent's."""
    subprocess.run([sys.executable, "-c", f"from benchmarks.variants import *; {call}"], check=True)


def run_once(python: str, script: str, path: Path, folder: Path) -> dict[str, float]:
    """Time and memory of one reader."""
    command = [
        python,
        "-c",
        _MEASURE + script,
        str(path),
        str(folder / "regions.tsv"),
        str(folder / "out.tsv"),
    ]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def main(_arguments: Sequence[str] = ()) -> None:
    """Print times, ratios and memory."""
    sizes = {"5,000 records, GT:DP:GQ:AD": (5_000, True), "20,000 records, GT": (20_000, False)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, (records, fields) in sizes.items():
            path = folder / f"{records}.vcf.gz"
            apart(f"generate(Path({str(path)!r}), {records}, {fields})")
            found = compare(path, folder)
            ours = found["als-ml"]
            print(f"{SAMPLES} samples, {title}")
            for reader, run in found.items():
                ratio = (
                    ""
                    if reader == "als-ml"
                    else f"  als-ml takes {ours['seconds'] / run['seconds']:.2f} of it"
                )
                print(
                    f"  {reader:15s} {run['seconds']:6.2f} s {run['mb']:6.0f} MB"
                    f" {run['carriers']:>10,} carriers{ratio}"
                )
        for title, seconds in scaling(folder).items():
            print(f"  als-ml, 5,000 records, {title:40s} {seconds:6.2f} s")
