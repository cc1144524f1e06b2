"""How much of each gene was assayed in a patient: from called records, from the blocks of a gVCF,
from the targets.

Not assayed is not negative. In a joint VCF a gene's fraction is that of its records which are
called in the patient; in a gVCF it is the fraction of its coding bases under called blocks
(`features.variants.gene_models`; the whole gene where it has no model). `ASSAYED_FROM` and more is
covered, nothing is not covered, between is partly, and no record at all is unknown.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.catalogue import Definitions, gene_names, genes, plain_contig
from features.errors import DataError
from features.genotypes.vcf import Region, Sites
from features.variants.gene_models import coding_bases, transcripts

ASSAYED_FROM = 0.9
BLOCK_ALLELES = ("<NON_REF>", "<*>", ".")
STATES = ("unknown", "not covered", "partly", "covered")
UNKNOWN, NOT_COVERED, PARTLY, COVERED = range(len(STATES))


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
        return np.select(
            [np.isnan(fraction), fraction <= 0, fraction < ASSAYED_FROM],
            [UNKNOWN, NOT_COVERED, PARTLY],
            COVERED,
        )


class Coverage(NamedTuple):
    """How much of each gene was called in the patients of a file (G genes): the same in most.

    Attributes
    ----------
    rows : array
        The patients.
    whole : array of G
        Records, or coding bases where the file has reference blocks.
    called : array of G
        How much of it was called in a patient who misses nothing.
    row, gene, less : arrays
        Who misses something where, and what was called there instead.
    """

    rows: np.ndarray
    whole: np.ndarray
    called: np.ndarray
    row: np.ndarray
    gene: np.ndarray
    less: np.ndarray


def coverage_of(
    sites: Sites,
    first: np.ndarray,
    lost: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    in_file: list[int],
    build: str,
) -> Coverage:
    """Called part and whole of each gene for the patients of a file.

    Parameters
    ----------
    build : str
        GRCh37 or GRCh38.
    sites : Sites
        Records of the file.
    first : array of bool
        Records that do not repeat an earlier one.
    lost : pair of arrays
        Record and patient of each missing genotype.
    rows : array
        Patients of the file.
    in_file : list of int
        Genes that were asked for.
    """
    weights, whole = _weights(sites, first, in_file, build)
    passed = sites.passed[weights.record]
    called = _sums(weights.gene[passed], weights.amount[passed], len(whole))
    row, gene, missed = _missed(weights, lost, len(whole))
    less = np.minimum(np.maximum(called[gene] - missed, 0), whole[gene])
    return Coverage(
        rows=rows, whole=whole, called=np.minimum(called, whole), row=row, gene=gene, less=less
    )


class Weights(NamedTuple):
    """How much of a gene a record speaks for; in the order of the records."""

    record: np.ndarray
    gene: np.ndarray
    amount: np.ndarray


def _weights(
    sites: Sites, first: np.ndarray, in_file: list[int], build: str
) -> tuple[Weights, np.ndarray]:
    """How much of each gene the records speak for, and how much there is of it (G)."""
    genes_of_panel = len(gene_names(sites.definitions))
    if not _has_blocks(sites):
        record = np.flatnonzero((sites.gene >= 0) & first)
        gene = sites.gene[record]
        weights = Weights(record, gene, np.ones(len(record), dtype=np.int64))
        return weights, _sums(gene, weights.amount, genes_of_panel)
    whole = np.zeros(genes_of_panel, dtype=np.int64)
    chroms = np.array([plain_contig(chrom) for chrom in sites.chrom], dtype=object)
    pieces = []
    for index in in_file:
        name = gene_names(sites.definitions)[index]
        ranges = coding_bases(sites.definitions, name, build)
        whole[index] = _length(ranges)
        on = np.flatnonzero((chroms == genes(sites.definitions, build).loc[name, "chrom"]) & first)
        amount = _bases_up_to(ranges, sites.end[on]) - _bases_up_to(ranges, sites.pos[on] - 1)
        pieces.append((on[amount != 0], np.full((amount != 0).sum(), index), amount[amount != 0]))
    columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Weights(*(column[order] for column in columns)), whole


def _missed(
    weights: Weights, lost: tuple[np.ndarray, np.ndarray], genes_of_panel: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patient, gene, and how much of it missing genotypes take away."""
    record, row = lost
    start = np.searchsorted(weights.record, record, side="left")
    times = np.searchsorted(weights.record, record, side="right") - start
    # The weights of each lost record, one after the other.
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    which = np.repeat(start, times) + within
    pair = np.repeat(row.astype(np.int64), times) * genes_of_panel + weights.gene[which]
    distinct, inverse = np.unique(pair, return_inverse=True)
    missed = _sums(inverse, weights.amount[which], len(distinct))
    return distinct // genes_of_panel, distinct % genes_of_panel, missed


def _sums(place: np.ndarray, amount: np.ndarray, length: int) -> np.ndarray:
    """Add up whole numbers by place."""
    total = np.zeros(length, dtype=np.int64)
    np.add.at(total, place, amount)
    return total


class Assayed:
    """Coverage of `n` patients, added up as files arrive; the order does not matter.

    Two whole numbers for each of G genes: what was called and what there was.

    Parameters
    ----------
    n : int
        Number of patients.
    genes_of_panel : int
        G.
    folder : Path, optional
        Where the numbers are to lie if not in memory.
    """

    def __init__(self, n: int, genes_of_panel: int, folder: Path | None = None):
        shape = (n, genes_of_panel)
        self.called = _zeros(shape, folder and folder / "called.bin")
        self.whole = _zeros(shape, folder and folder / "whole.bin")

    def add(self, file: Coverage) -> None:
        """Add what one file says.

        Parameters
        ----------
        file : Coverage
            What was called in its patients; adds to what other files said of them.
        """
        self.whole[file.rows] += file.whole.astype(np.int32)
        self.called[file.rows] += file.called.astype(np.int32)
        less = file.less - file.called[file.gene]
        self.called[file.row, file.gene] += less.astype(np.int32)

    def fraction(self, rows: slice = slice(None)) -> np.ndarray:
        """Fraction that was called of each gene, NaN where there was nothing to call.

        Parameters
        ----------
        rows : slice
            Which patients; all of them by default.

        Returns
        -------
        array (patients, genes)
            0 to 1.
        """
        called, whole = np.asarray(self.called[rows]), np.asarray(self.whole[rows])
        fraction = np.full(called.shape, np.nan)
        return np.divide(called, whole, out=fraction, where=whole > 0)


def _zeros(shape: tuple[int, int], path: Path | None) -> np.ndarray:
    if path is None or not all(shape):  # A file without a byte cannot be mapped.
        return np.zeros(shape, dtype=np.int32)
    return np.memmap(path, dtype=np.int32, mode="w+", shape=shape)


def _has_blocks(sites: Sites) -> bool:
    """Whether any record is a reference block that spans more than its REF."""
    spans = sites.end > sites.pos + np.array([len(ref) for ref in sites.ref], dtype=int) - 1
    return bool(np.any(spans & np.isin(sites.alt, BLOCK_ALLELES)))


def _length(ranges: list[tuple[int, int]]) -> int:
    return sum(end - start + 1 for start, end in ranges)


def _bases_up_to(ranges: list[tuple[int, int]], position: np.ndarray) -> np.ndarray:
    bases = np.zeros(len(position), dtype=np.int64)
    for start, end in ranges:
        bases += np.clip(position - start + 1, 0, end - start + 1)
    return bases


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
        If the file is absent or a line is not an interval.
    """
    if not path.is_file():
        raise DataError(
            str(path),
            "there is no such file",
            "Correct `targets` in the cohort file.",
            code="file_absent",
        )
    lines = path.read_text(errors="replace").splitlines()
    intervals = [
        i for i in (_interval(line, number, path) for number, line in enumerate(lines, 1)) if i
    ]
    return np.array(
        [_targeted(definitions, name, intervals, build) for name in gene_names(definitions)]
    )


def _targeted(definitions: Definitions, name: str, intervals: list[Region], build: str) -> float:
    ranges = coding_bases(definitions, name, build)
    targets = _merged(
        [
            (start + 1, end)
            for chrom, start, end in intervals
            if chrom == genes(definitions, build).loc[name, "chrom"]
        ]
    )
    covered = sum(
        max(0, min(e, high) - max(s, low) + 1) for s, e in targets for low, high in ranges
    )
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
            f"{path}, line {number}",
            "this is not an interval",
            "BED wants chrom, start and end.",
            code="file_unreadable",
        )
    return plain_contig(fields[0]), int(fields[1]), int(fields[2])
