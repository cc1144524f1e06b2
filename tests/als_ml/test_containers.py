"""Made-up variants of the gene models end in a table, with the same class in every container and in
both builds.

The quick suite takes some, the slow one 10,000. A variant lies at the same offset of the same exon
in both builds; REF is the base of the coding sequence where it is known, so that both builds speak
of one variant.
"""

import gzip
import random
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pysam
import pysam.bcftools
import pytest

from als_ml.__main__ import main
from features.catalogue import gene_names, shipped, variant_key
from features.variants.gene_models import Transcript, transcripts
from features.variants.sequences import coding_sequences, reverse_complement
from tests.vcf_files import write_vcf

BUILDS = ("GRCh37", "GRCh38")
AROUND = 30


class Made(NamedTuple):
    """A variant in both builds."""

    places: dict[str, tuple[str, int]]
    ref: str
    alt: str


def variants(n: int, seed: int = 1) -> list[Made]:
    """Substitutions, insertions and deletions in and around exons, no place twice."""
    rng = random.Random(seed)  # noqa: S311, made-up variants are no secret
    by_build = {build: transcripts(shipped(), build) for build in BUILDS}
    # Exons that both builds have at the same length.
    alike = [
        (gene, i)
        for gene, model in by_build["GRCh37"].items()
        if gene in gene_names(shipped())
        for i, (a, b) in enumerate(zip(exons(model), exons(by_build["GRCh38"][gene]), strict=True))
        if a[1] - a[0] == b[1] - b[0]
    ]
    made: dict[tuple[str, int], Made] = {}
    while len(made) < n:
        gene, i = rng.choice(alike)
        of = {build: by_build[build][gene] for build in BUILDS}
        start, end = exons(of["GRCh37"])[i]
        offset = rng.randint(-AROUND, end - start + AROUND)
        places = {b: (m.chrom, exons(m)[i][0] + offset) for b, m in of.items()}
        ref, alt = alleles(rng, of["GRCh38"], places["GRCh38"][1])
        made.setdefault(places["GRCh38"], Made(places=places, ref=ref, alt=alt))
    return list(made.values())


def exons(model: Transcript) -> list[tuple[int, int]]:
    return list(zip(model.starts, model.ends, strict=True))


def alleles(rng: random.Random, model: Transcript, pos: int) -> tuple[str, str]:
    longer = "".join(rng.choices("ACGT", k=rng.randint(1, 5)))
    ref, kind = base(model, pos) or rng.choice("ACGT"), rng.random()
    if kind < 0.8:
        return ref, rng.choice([b for b in "ACGT" if b != ref])
    if kind < 0.9:
        return ref, ref + longer
    deleted = "".join(base(model, pos + i) or rng.choice("ACGT") for i in range(1, len(longer) + 1))
    return ref + deleted, ref


def base(model: Transcript, pos: int) -> str:
    """Base on the forward strand where the coding sequence tells it alone."""
    offset, sequence = model.coding_offset(pos), coding_sequences(shipped()).get(model.gene)
    if offset is None or sequence is None or len(sequence.base_sets[offset]) != 1:
        return ""
    (letter,) = sequence.base_sets[offset]
    return letter if model.strand == "+" else reverse_complement(letter)


def written(folder: Path, made: list[Made], build: str) -> Path:
    """As a plain VCF in genomic order."""
    rows = sorted((*one.places[build], one.ref, one.alt) for one in made)
    order = list(shipped().table("contigs")["chrom"])
    rows.sort(key=lambda row: (order.index(row[0]), row[1]))
    records = [f"{chrom} {pos} {ref} {alt} PASS 0/1" for chrom, pos, ref, alt in rows]
    return write_vcf(folder / f"{build}.vcf", ["p"], records, build=build)


def containers(folder: Path, plain: Path) -> list[Path]:
    """The same records plain, gzipped, bgzipped with an index, and as BCF."""
    packed = folder / "gzip.vcf.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    blocks, bcf = folder / "blocks.vcf.gz", folder / "b.bcf"
    pysam.tabix_compress(str(plain), str(blocks), force=True)
    pysam.tabix_index(str(blocks), preset="vcf", force=True)
    pysam.bcftools.view("-Ob", "-o", str(bcf), str(plain), catch_stdout=False)
    pysam.bcftools.index(str(bcf))
    return [plain, packed, blocks, bcf]


def table(path: Path, build: str) -> pd.DataFrame:
    output = path.with_suffix(".parquet")
    given = ["--vcf", str(path), "--genome-build", build, "--output", str(output), "--quiet"]
    assert main(["variants", *given]) == 0
    return pd.read_parquet(output)


# What a row says of the variant and not of the build.
SAME = ["gene", "consequence", "hgvs_c", "hgvs_p", "points", "class", "evidence"]


def check(folder: Path, n: int) -> None:
    made = variants(n)
    tables = {}
    for build in BUILDS:
        (folder / build).mkdir()
        plain = written(folder / build, made, build)
        first, *others = [table(path, build) for path in containers(folder / build, plain)]
        assert len(first) == n
        for other in others:
            pd.testing.assert_frame_equal(first, other)
        tables[build] = first.set_index("variant")
    keys = {
        build: [variant_key(*one.places[build], one.ref, one.alt) for one in made]
        for build in BUILDS
    }
    old, new = (of_the_variant(tables[build].loc[keys[build], SAME]) for build in BUILDS)
    pd.testing.assert_frame_equal(old, new)


def of_the_variant(rows: pd.DataFrame) -> pd.DataFrame:
    """Without the places of other variants that the evidence names."""
    plain = rows["evidence"].str.replace(r"[\dX]+-\d+-[ACGT]+-[ACGT]+", "a variant", regex=True)
    return rows.assign(evidence=plain).reset_index(drop=True)


@pytest.mark.slow
def test_some_made_up_variants_are_the_same_everywhere(tmp_path):
    check(tmp_path, 300)


@pytest.mark.slow
def test_ten_thousand_made_up_variants_are_the_same_everywhere(tmp_path):
    check(tmp_path, 10_000)
