"""How much of each gene was assayed in a patient: from called records, from the blocks of a gVCF,
from the targets.

Not assayed is not negative. In a joint VCF a gene's fraction is that of its records which are
called in the patient; in a gVCF it is the fraction of its coding bases under called blocks
(`features.variants.gene_models`; the whole gene where it has no model). `ASSAYED_FROM` and more is
covered, nothing is not covered, between is partly, and no record at all is unknown.
"""

from pathlib import Path

import numpy as np

from features.catalogue import Definitions, gene_names, genes, plain_contig
from features.errors import DataError
from features.genotypes.vcf import Region, Sites
from features.variants.gene_models import coding_bases, transcripts

ASSAYED_FROM = 0.9
BLOCK_ALLELES = ("<NON_REF>", "<*>", ".")
STATES = ("unknown", "not covered", "partly", "covered")


def coverage_state(fraction: np.ndarray) -> np.ndarray:
    """Index into STATES of each fraction.

    Parameters
    ----------
    fraction : array
        Called part of a gene, 0 to 1, NaN unknown.

    Returns
    -------
    array of int
        Of the same shape.

    Examples
    --------
    >>> [STATES[i] for i in coverage_state(np.array([np.nan, 0.0, 0.5, 0.9]))]
    ['unknown', 'not covered', 'partly', 'covered']
    """
    with np.errstate(invalid="ignore"):
        return np.select([np.isnan(fraction), fraction <= 0, fraction < ASSAYED_FROM], [0, 1, 2], 3)


def assayed_parts(
    sites: Sites,
    first: np.ndarray,
    lost: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    own: list[int],
    build: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Called part and whole of each gene for the patients of a file.

    Parameters
    ----------
    build : str
        GRCh37 or GRCh38.
    sites : Sites
        Records of the file.
    first : array of bool
        Records that are no duplicate of an earlier one.
    lost : pair of arrays
        Record and patient of each missing genotype.
    rows : array
        Patients of the file.
    own : list of int
        Genes that were asked for.

    Returns
    -------
    called, whole : arrays (patients of the file, G)
        Records, or coding bases where the file has reference blocks.
    """
    weight, whole = _weights(sites, first, own, build)
    called = np.tile(weight[sites.passed].sum(axis=0), (len(rows), 1))
    place = np.full(rows.max(initial=0) + 1, -1)
    place[rows] = np.arange(len(rows))
    record, row = lost
    np.subtract.at(called, place[row], weight[record])
    return np.minimum(np.clip(called, 0, None), whole), np.tile(whole, (len(rows), 1))


def _weights(
    sites: Sites, first: np.ndarray, own: list[int], build: str
) -> tuple[np.ndarray, np.ndarray]:
    """How much of each gene a record speaks for (records, G), and how much there is of it (G)."""
    weight = np.zeros((len(sites), len(gene_names(sites.definitions))))
    if not _has_blocks(sites):
        inside = np.flatnonzero((sites.gene >= 0) & first)
        weight[inside, sites.gene[inside]] = 1.0
        return weight, weight.sum(axis=0)
    whole = np.zeros(weight.shape[1])
    chroms = np.array([plain_contig(chrom) for chrom in sites.chrom], dtype=object)
    for index in own:
        name = gene_names(sites.definitions)[index]
        ranges = coding_bases(sites.definitions, name, build)
        whole[index] = _length(ranges)
        on = (chroms == genes(sites.definitions, build).loc[name, "chrom"]) & first
        weight[on, index] = _bases_up_to(ranges, sites.end[on]) - _bases_up_to(
            ranges, sites.pos[on] - 1
        )
    return weight, whole


def _has_blocks(sites: Sites) -> bool:
    """Whether any record is a reference block that spans more than its REF."""
    spans = sites.end > sites.pos + np.array([len(ref) for ref in sites.ref], dtype=int) - 1
    return bool(np.any(spans & np.isin(sites.alt, BLOCK_ALLELES)))


def _length(ranges: list[tuple[int, int]]) -> int:
    return sum(end - start + 1 for start, end in ranges)


def _bases_up_to(ranges: list[tuple[int, int]], position: np.ndarray) -> np.ndarray:
    return np.sum(
        [np.clip(position - start + 1, 0, end - start + 1) for start, end in ranges], axis=0
    )


def targeted_fraction(definitions: Definitions, path: Path, build: str) -> np.ndarray:
    """Fraction of each gene's coding bases that a BED file (0-based half-open) targets.

    A gene without a model counts as whole if any target hits it.

    Parameters
    ----------
    definitions : Definitions
        Whose genes and gene models count.
    path : Path
        BED file.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    array (G,)
        0 to 1, in the order of `gene_names()`.

    Raises
    ------
    DataError
        If the file is absent or a line is no interval.
    """
    if not path.is_file():
        raise DataError(str(path), "there is no such file", "Correct `targets` in the cohort file.")
    lines = path.read_text(errors="replace").splitlines()
    intervals = [
        i for i in (_interval(line, number, path) for number, line in enumerate(lines, 1)) if i
    ]
    return np.array(
        [_targeted(definitions, name, intervals, build) for name in gene_names(definitions)]
    )


def _targeted(definitions: Definitions, name: str, intervals: list[Region], build: str) -> float:
    ranges = coding_bases(definitions, name, build)
    own = _merged(
        [
            (start + 1, end)
            for chrom, start, end in intervals
            if chrom == genes(definitions, build).loc[name, "chrom"]
        ]
    )
    covered = sum(max(0, min(e, high) - max(s, low) + 1) for s, e in own for low, high in ranges)
    return (
        covered / _length(ranges) if name in transcripts(definitions, build) else float(covered > 0)
    )


def _merged(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _interval(line: str, number: int, path: Path) -> Region | None:
    if not line.strip() or line.startswith(("#", "track", "browser")):
        return None
    fields = line.split()
    if len(fields) < 3 or not fields[1].isdigit() or not fields[2].isdigit():
        raise DataError(
            f"{path}, line {number}", "this is no interval", "BED wants chrom, start and end."
        )
    return plain_contig(fields[0]), int(fields[1]), int(fields[2])
