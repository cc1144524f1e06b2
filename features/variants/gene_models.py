"""Where a variant lies in the transcript of its gene, and what its place alone says of it.

One transcript a gene, `definitions/gene_models.tsv` (1-based inclusive, both builds; each row says
where it is from). By its place a substitution in the coding sequence is a `coding_sequence_variant`
and no more: `consequences` adds the sequence. Terms are those of the Sequence Ontology
(sequenceontology.org), splice region as Ensembl defines it: 3 exonic and 8 intronic bases beside a
splice site, of which the first two intronic ones are the site.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.catalogue import Definitions, checked_build, derived, genes

SPLICE_EXON, SPLICE_INTRON, SPLICE_SITE = 3, 8, 2


@dataclass(frozen=True)
class Transcript:
    """Exons and coding range of one transcript, in genomic order, 1-based inclusive."""

    gene: str
    name: str
    refseq: str
    chrom: str
    strand: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    cds_start: int
    cds_end: int

    @cached_property
    def coding(self) -> list[tuple[int, int]]:
        """Coding part of each exon that has one."""
        parts = [
            (max(s, self.cds_start), min(e, self.cds_end))
            for s, e in zip(self.starts, self.ends, strict=True)
        ]
        return [(start, end) for start, end in parts if start <= end]

    @cached_property
    def coding_length(self) -> int:
        """Bases of the coding sequence, stop codon included."""
        return sum(end - start + 1 for start, end in self.coding)

    @cached_property
    def _bases_before(self) -> list[int]:
        return [0, *np.cumsum([end - start + 1 for start, end in self.coding]).tolist()]

    def coding_offset(self, pos: int) -> int | None:
        """0-based position in the coding sequence, 5' to 3', of a genomic position; None outside of
        it.

        Parameters
        ----------
        pos : int
            Genomic, 1-based.

        Returns
        -------
        int or None
            Bases.
        """
        index = bisect_right([start for start, _ in self.coding], pos) - 1
        if index < 0 or pos > self.coding[index][1]:
            return None
        offset = self._bases_before[index] + pos - self.coding[index][0]
        return offset if self.strand == "+" else self.coding_length - 1 - offset

    @cached_property
    def introns(self) -> list[tuple[int, int]]:
        """First and last base of each intron."""
        return [
            (end + 1, start - 1) for end, start in zip(self.ends[:-1], self.starts[1:], strict=True)
        ]

    def introns_near(self, start: int, end: int) -> list[tuple[int, int]]:
        """Introns that a changed range meets or that begin or end within SPLICE_EXON bases of
        it.

        Parameters
        ----------
        start, end : int
            Genomic, 1-based inclusive; an insertion has start = end + 1.

        Returns
        -------
        list of (int, int)
            First and last base of each.
        """
        first, last = min(start, end) - SPLICE_EXON, max(start, end) + SPLICE_EXON
        return [(low, high) for low, high in self.introns if first <= high and last >= low]

    @cached_property
    def decay_from(self) -> int:
        """Coding offset from which a premature stop escapes nonsense-mediated decay.

        The last 50 bases of the penultimate coding exon and all of the last one (Abou Tayoun 2018,
        PMC6185798, V).
        """
        last = self.coding[-1] if self.strand == "+" else self.coding[0]
        length = last[1] - last[0] + 1
        return (
            self.coding_length
            if len(self.starts) == 1
            else max(0, self.coding_length - length - 50)
        )


class Place(NamedTuple):
    """What the gene model says of a variant.

    `consequence` is a term of the Sequence Ontology, `offset` the 0-based coding offset of its
    first changed base (None outside the coding sequence).
    """

    consequence: str
    offset: int | None

    @property
    def residue(self) -> int | None:
        """Number of the amino acid, from 1."""
        return None if self.offset is None else self.offset // 3 + 1


@derived
def transcripts(definitions: Definitions, build: str) -> dict[str, Transcript]:
    """Transcripts by gene, on one build.

    Parameters
    ----------
    definitions : Definitions
        Whose `gene_models.tsv` counts.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict of Transcript
        One a gene.
    """
    suffix = checked_build(build).lower()
    return {row["gene"]: _transcript(row, suffix) for row in definitions.rows("gene_models")}


def _transcript(row: dict[str, str], suffix: str) -> Transcript:
    return Transcript(
        gene=row["gene"],
        name=row["transcript"],
        refseq=row["refseq"],
        chrom=row["chrom"],
        strand=row["strand"],
        starts=tuple(map(int, row[f"exon_starts_{suffix}"].split(","))),
        ends=tuple(map(int, row[f"exon_ends_{suffix}"].split(","))),
        cds_start=int(row[f"cds_start_{suffix}"]),
        cds_end=int(row[f"cds_end_{suffix}"]),
    )


def place(
    definitions: Definitions, gene: str, pos: int, ref: str, alt: str, build: str
) -> Place | None:
    """Locate a variant in the transcript of a gene.

    Parameters
    ----------
    definitions : Definitions
        Whose gene models count.
    gene : str
        Symbol.
    pos : int
        1-based position of the first base of `ref`.
    ref, alt : str
        Minimal alleles.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    Place or None
        None if the gene has no model.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> place(tables, "SOD1", 31659783, "C", "T", "GRCh38")
    Place(consequence='coding_sequence_variant', offset=13)
    >>> place(tables, "SOD1", 31659842, "G", "A", "GRCh38").consequence
    'splice_donor_variant'
    """
    transcript = transcripts(definitions, build).get(gene)
    if transcript is None:
        return None
    start, end = changed_range(pos, ref, alt)
    inside = [transcript.coding_offset(p) for p in range(start, min(end, start + 10_000) + 1)]
    offsets = [offset for offset in inside if offset is not None]
    if (
        start > end
    ):  # An insertion changes no base: it lies in the coding sequence if both its neighbours do.
        beside = [transcript.coding_offset(p) for p in (end, start)]
        offsets = [max(o for o in beside if o is not None)] if None not in beside else []
    longer = len(alt) - len(ref)
    consequence = _splice_site(transcript, start, end) or _coding(offsets, longer)
    if not consequence:
        near = in_splice_region(transcript, start, end)
        consequence = "splice_region_variant" if near else _outside(transcript, start, end)
    return Place(consequence, min(offsets) if offsets else None)


def changed_range(pos: int, ref: str, alt: str) -> tuple[int, int]:
    """First and last reference base that a variant changes.

    An insertion changes none: first = last + 1.

    Parameters
    ----------
    pos : int
        1-based position of the first base of `ref`.
    ref, alt : str
        Minimal alleles.

    Returns
    -------
    start, end : int
        1-based inclusive.

    Examples
    --------
    >>> changed_range(100, "C", "T"), changed_range(100, "CAG", "C"), changed_range(100, "C", "CAG")
    ((100, 100), (101, 102), (101, 100))
    """
    shared = 1 if len(ref) != len(alt) and ref[0] == alt[0] else 0
    return pos + shared, pos + len(ref) - 1


def _overlap(start: int, end: int, low: int, high: int) -> bool:
    """Whether the changed range meets [low, high]; an insertion must lie strictly inside of it."""
    return start <= high and end >= low if start <= end else low < start <= high


def _splice_site(transcript: Transcript, start: int, end: int) -> str | None:
    names = ("splice_donor_variant", "splice_acceptor_variant")
    left, right = names if transcript.strand == "+" else names[::-1]
    for low, high in transcript.introns_near(start, end):
        if _overlap(start, end, low, low + SPLICE_SITE - 1):
            return left
        if _overlap(start, end, high - SPLICE_SITE + 1, high):
            return right
    return None


def skipped_exon(transcript: Transcript, start: int, end: int) -> tuple[int, int] | None:
    """Coding offset and length of the exon whose splice site a changed range meets.

    None if the exon has no coding base. The donor belongs to the exon before it, the acceptor to
    that after it.
    """
    for index, (low, high) in enumerate(transcript.introns):
        at_left = _overlap(start, end, low, low + SPLICE_SITE - 1)
        if at_left or _overlap(start, end, high - SPLICE_SITE + 1, high):
            exon = index if at_left else index + 1
            first = max(transcript.starts[exon], transcript.cds_start)
            last = min(transcript.ends[exon], transcript.cds_end)
            if first > last:
                return None
            offsets = [transcript.coding_offset(pos) for pos in (first, last)]
            return min(o for o in offsets if o is not None), last - first + 1
    return None


def deep_in_intron(transcript: Transcript, start: int, end: int) -> bool:
    """Whether a change lies in an intron at or beyond +7 and -21 of its exons.

    There, and not nearer, an intronic change is held silent without a splice score (Walker 2023,
    PMC9980257, V).
    """
    donor, acceptor = (7, 21) if transcript.strand == "+" else (21, 7)
    low_end, high_end = min(start, end), max(start, end)
    return any(
        low + donor - 1 <= low_end and high_end <= high - acceptor + 1
        for low, high in transcript.introns
    )


def _coding(offsets: list[int], longer: int) -> str | None:
    if not offsets:
        return None
    if longer % 3:
        return "frameshift_variant"
    if min(offsets) < 3 and longer <= 0:
        return "start_lost"
    if longer:
        return "inframe_insertion" if longer > 0 else "inframe_deletion"
    return "coding_sequence_variant"


def in_splice_region(transcript: Transcript, start: int, end: int) -> bool:
    """Whether a changed range lies within SPLICE_EXON or SPLICE_INTRON bases of a splice site.

    Parameters
    ----------
    transcript : Transcript
        Of the gene.
    start : int
        First changed position, from 1.
    end : int
        Last changed position; before `start` for an insertion.

    Returns
    -------
    bool
        Of an intron's own first and last two bases too.
    """
    for low, high in transcript.introns_near(start, end):
        beside = (
            (low - SPLICE_EXON, low + SPLICE_INTRON - 1),
            (high - SPLICE_INTRON + 1, high + SPLICE_EXON),
        )
        if any(_overlap(start, end, *bounds) for bounds in beside):
            return True
    return False


def _outside(transcript: Transcript, start: int, end: int) -> str:
    """Name what is neither coding nor near a splice site."""
    upstream, downstream = ("upstream_gene_variant", "downstream_gene_variant")[
        :: 1 if transcript.strand == "+" else -1
    ]
    five, three = ("5_prime_UTR_variant", "3_prime_UTR_variant")[
        :: 1 if transcript.strand == "+" else -1
    ]
    if max(start, end) < transcript.starts[0]:
        return upstream
    if min(start, end) > transcript.ends[-1]:
        return downstream
    exonic = any(
        start <= e and max(start, end) >= s
        for s, e in zip(transcript.starts, transcript.ends, strict=True)
    )
    if not exonic:
        return "intron_variant"
    return five if start < transcript.cds_start else three


def coding_bases(definitions: Definitions, gene: str, build: str) -> list[tuple[int, int]]:
    """Coding ranges of a gene (1-based inclusive), its whole bounds where it has no model.

    Parameters
    ----------
    definitions : Definitions
        Whose gene models count.
    gene : str
        Symbol.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    list of (start, end)
        In genomic order.
    """
    transcript = transcripts(definitions, build).get(gene)
    if transcript is not None:
        return transcript.coding
    panel = genes(definitions, build)
    return [(int(panel["start"][gene]), int(panel["end"][gene]))]


def write_gff(
    definitions: Definitions,
    path: Path,
    build: str,
    prefix: str = "",
    contigs: frozenset[str] | None = None,
) -> None:
    """Write the gene models as the GFF3 that `bcftools csq` wants.

    Parameters
    ----------
    definitions : Definitions
        With gene models.
    path : Path
        Of the GFF3; it is overwritten.
    build : str
        GRCh38 or GRCh37.
    prefix : str
        What the FASTA puts before a contig: `chr` or nothing.
    contigs : set of str, optional
        Contigs of the FASTA; genes outside of them are left out.
    """
    lines = ["##gff-version 3"]
    for t in (
        t for t in transcripts(definitions, build).values() if contigs is None or t.chrom in contigs
    ):
        common, span = f"{prefix}{t.chrom}\tals-ml", f"{t.starts[0]}\t{t.ends[-1]}\t.\t{t.strand}"
        lines.append(
            f"{common}\tgene\t{span}\t.\tID=gene:{t.gene};Name={t.gene};biotype=protein_coding"
        )
        attributes = f"ID=transcript:{t.name};Parent=gene:{t.gene};biotype=protein_coding"
        lines.append(f"{common}\tmRNA\t{span}\t.\t{attributes}")
        lines += [
            f"{common}\texon\t{s}\t{e}\t.\t{t.strand}\t.\tParent=transcript:{t.name}"
            for s, e in _exons(t)
        ]
        lines += [f"{common}\t{kind}\t{s}\t{e}\t.\t{t.strand}\t{phase}\tParent=transcript:{t.name}"
                  for kind, s, e, phase in _parts(t)]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")


def _exons(transcript: Transcript) -> list[tuple[int, int]]:
    return list(zip(transcript.starts, transcript.ends, strict=True))


def _parts(t: Transcript) -> list[tuple[str, int, int, int | str]]:
    """CDS parts with their phase, and UTR parts without one."""
    five, three = ("five_prime_UTR", "three_prime_UTR")[:: 1 if t.strand == "+" else -1]
    parts: list[tuple[str, int, int, int | str]] = []
    for start, end in t.coding:
        offset = t.coding_offset(start if t.strand == "+" else end) or 0
        parts.append(("CDS", start, end, -offset % 3))
    parts += [(five, s, min(e, t.cds_start - 1), ".") for s, e in _exons(t) if s < t.cds_start]
    return parts + [(three, max(s, t.cds_end + 1), e, ".") for s, e in _exons(t) if e > t.cds_end]
