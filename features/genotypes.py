"""Genotype arithmetic: from GT text to alleles carried. No files here.

`0` is the reference allele, `.` a missing one, `/` unphased, `|` phased; one allele alone is haploid (VCF 4.5, section 1.6.2).
A missing allele is never taken for the reference. Columns of an *alleles* table: `row` (patient), `gene` (index into
`gene_names()`), `key` (chrom-pos-ref-alt, minimal), `copies` (of this allele), `ploidy` (alleles in the genotype).
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.catalogue import gene_at, variant_key

_GENOTYPE = re.compile(r"^(\.|\d+)([/|](\.|\d+))*$")
_BASES = re.compile(r"^[ACGTN]+$", re.IGNORECASE)
ALLELE_COLUMNS = ["row", "gene", "key", "copies", "ploidy"]


class Genotype(NamedTuple):
    """What one GT says: copies of each alternative allele, number of alleles, whether one is missing."""

    copies: dict[int, int]
    ploidy: int
    missing: bool


def parse_genotype(text: str) -> Genotype:
    """Count the alternative alleles of a GT value.

    >>> parse_genotype("0/1"), parse_genotype("1|1").copies, parse_genotype("./.").missing
    (Genotype(copies={1: 1}, ploidy=2, missing=False), {1: 2}, True)
    >>> parse_genotype("1")          # haploid: male X, mitochondrion
    Genotype(copies={1: 1}, ploidy=1, missing=False)
    >>> parse_genotype("./2")        # half call: the allele is carried, the other one unknown
    Genotype(copies={2: 1}, ploidy=2, missing=True)
    """
    if not _GENOTYPE.match(text):
        raise ValueError(f"{text!r} is no genotype")
    alleles = re.split(r"[/|]", text)
    called = [int(allele) for allele in alleles if allele != "."]
    copies = {allele: called.count(allele) for allele in sorted(set(called)) if allele}
    return Genotype(copies, len(alleles), len(called) < len(alleles))


def zygosity(copies: np.ndarray, ploidy: np.ndarray) -> np.ndarray:
    """Name the zygosity of carried alleles.

    >>> zygosity(np.array([1, 2, 1]), np.array([2, 2, 1])).tolist()
    ['heterozygous', 'homozygous', 'hemizygous']
    """
    return np.select([ploidy == 1, copies >= ploidy], ["hemizygous", "homozygous"], default="heterozygous")


def carried_alleles(calls: pd.DataFrame, build: str) -> pd.DataFrame:
    """Turn calls (`row`, `chrom`, `pos`, `ref`, `alt`, `gt`; alternatives joined by commas) into an alleles table.

    Symbolic alleles (`<DEL>`), `*` and breakends carry no key that could be matched and are left out here; repeat
    expansions are read by `features.repeats`. Calls outside the panel are left out too.
    """
    site, sites = _sites(calls)
    sites = sites.assign(gene=gene_at(sites["chrom"], sites["pos"], build))
    code, texts = pd.factorize(calls["gt"])
    genotypes = [parse_genotype(text) for text in texts]
    row, ploidy = calls["row"].to_numpy(dtype=int), np.array([g.ploidy for g in genotypes], dtype=int)[code]
    carried = []
    for allele in sorted({allele for genotype in genotypes for allele in genotype.copies}):
        copies = np.array([g.copies.get(allele, 0) for g in genotypes], dtype=int)[code]
        keys = np.array(_allele_keys(sites, allele), dtype=object)
        at = np.flatnonzero((copies > 0) & (keys[site] != "") & (sites["gene"].to_numpy()[site] >= 0))
        gene = sites["gene"].to_numpy()[site[at]]
        carried.append(_alleles_table(row[at], gene, keys[site[at]], copies[at], ploidy[at]))
    return one_per_allele(pd.concat(carried) if carried else _alleles_table([], [], [], [], []))


def one_per_allele(alleles: pd.DataFrame) -> pd.DataFrame:
    """Sort; the same allele in two records of one patient (shards, duplicates) counts once, with its larger copies."""
    merged = alleles.sort_values("copies", kind="stable").drop_duplicates(["row", "key"], keep="last")
    return merged.sort_values(["row", "gene", "key"], ignore_index=True)


def _alleles_table(*columns: "np.ndarray | list[int]") -> pd.DataFrame:
    table = pd.DataFrame(dict(zip(ALLELE_COLUMNS, columns, strict=True)))
    return table.astype({"row": int, "gene": int, "key": object, "copies": int, "ploidy": int})


def _sites(calls: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Number the different sites of the calls; return each call's number and the table of sites."""
    columns = ["chrom", "pos", "ref", "alt"]
    site = calls.groupby(columns, sort=False).ngroup().to_numpy()
    return site, calls[columns].drop_duplicates().reset_index(drop=True)


def _allele_keys(sites: pd.DataFrame, allele: int) -> list[str]:
    """Key of the n-th alternative of each site, empty where it has none or where it is symbolic."""
    keys = []
    for chrom, pos, ref, alts in zip(sites["chrom"], sites["pos"], sites["ref"], sites["alt"], strict=True):
        alt = (alts.split(",") + [""] * allele)[allele - 1]
        keys.append(variant_key(chrom, pos, ref, alt) if _BASES.match(alt) else "")
    return keys
