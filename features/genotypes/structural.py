"""Structural variants of a file: symbolic alleles and breakends, and who carries them.

VCF 4.5, sections 1.4.5 and 3: `<DEL>`, `<DUP>`, `<INV>`, `<INS>`, `<CNV>` with INFO END or SVLEN;
POS is the base before the event. `<CN0>`, `<CN2>` and so on are the 1000 Genomes' alleles of so
many copies: none is a deletion, two and more a duplication. `<BND>` and `<TRA>` are breakends. A
variant that is written out in bases is read as any other. `<NON_REF>`, `<*>` and the `<STR..>` of
repeat callers are none of these.
"""

import re
from typing import NamedTuple

import numpy as np

from features.catalogue import plain_contig
from features.genotypes.genotype import ALLELE_TYPES, Types, parse_genotype
from features.genotypes.vcf import PASSING, CallRule, Query

DELETION, DUPLICATION = "DEL", "DUP"
_KINDS = re.compile(r"^<(DEL|DUP|INV|INS|CNV|BND|TRA)(:[^>]*)?>$")
_COPIES = re.compile(r"^<CN(\d+)>$")
_ADJACENCY = re.compile(r"[\[\]]")
BREAKEND, INSERTION = "BND", "INS"
_SYMBOLIC = r'ALT~"<[DICBT]" || ALT~"\[" || ALT~"\]"'
# Cells before those of the samples: CHROM, POS, REF, ALT, FILTER, END, SVLEN.
_CELLS = 7


class Structural(NamedTuple):
    """One alternative of a record: the bases that it changes, from 1, both inclusive, and its kind.

    `kind` is DEL, DUP, INV, INS, CNV or BND.
    """

    chrom: str
    start: int
    end: int
    kind: str


class StructuralCalls(NamedTuple):
    """Structural variants of the panel, and who carries them (`site`: a position in `variants`)."""

    variants: list[Structural]
    carried: dict[str, np.ndarray]


def read_structural(query: Query, rule: CallRule, vcf_rows: dict[str, int]) -> StructuralCalls:
    """Read the structural variants that meet the panel.

    Parameters
    ----------
    query : Query
        The file and the regions.
    rule : CallRule
        Thresholds below which a genotype is missing.
    vcf_rows : dict
        Sample name in the VCF -> patient index.

    Returns
    -------
    StructuralCalls
        Those of filtered records are listed and carried by nobody.
    """
    names = [name for name in query.header.samples if query.header.has_calls]
    info = [f"%INFO/{n}" if n in query.header.info else "." for n in ("END", "SVLEN")]
    columns = ["%CHROM", "%POS", "%REF", "%ALT", "%FILTER", *info]
    template = r"\t".join(columns) + (r"[\t%GT]" if names else "") + r"\n"
    variants: list[Structural] = []
    rows: list[tuple[int, int, int, int]] = []
    with query.lines("-i", _SYMBOLIC, "-f", template, rule=rule) as lines:
        for line in lines:
            cells = line.decode(errors="replace").rstrip("\n").split("\t")
            calls = zip(names, cells[_CELLS:], strict=True) if cells[4] in PASSING else ()
            genotypes = [(vcf_rows[n], parse_genotype(t)) for n, t in calls if n in vcf_rows]
            for allele, variant in _alternatives(cells):
                rows += [
                    (row, len(variants), genotype.copies[allele], genotype.ploidy)
                    for row, genotype in genotypes
                    if genotype.copies.get(allele)
                ]
                variants.append(variant)
    return StructuralCalls(variants, _columns(rows, ALLELE_TYPES))


def _alternatives(cells: list[str]) -> list[tuple[int, Structural]]:
    """The structural alternatives of a record with their numbers."""
    chrom, pos, ref, alts, _, end, lengths = cells[:_CELLS]
    found = []
    for allele, alt in enumerate(alts.split(","), 1):
        kind = _kind(alt)
        if not kind:
            continue
        last = _last(int(pos), ref, end, lengths.split(","), allele)
        # What is inserted or joined lies between two bases.
        last = int(pos) if kind in (INSERTION, BREAKEND) else last
        variant = Structural(chrom=plain_contig(chrom), start=int(pos) + 1, end=last, kind=kind)
        found.append((allele, variant))
    return found


def _kind(alt: str) -> str:
    """Kind of an alternative; empty for one that is no structural variant."""
    if _ADJACENCY.search(alt):
        return BREAKEND
    copies, symbol = _COPIES.match(alt), _KINDS.match(alt)
    if copies:
        number = int(copies[1])
        return DELETION if number == 0 else DUPLICATION if number > 1 else ""
    if not symbol:
        return ""
    return BREAKEND if symbol[1] == "TRA" else symbol[1]


def _last(pos: int, ref: str, end: str, lengths: list[str], allele: int) -> int:
    if end.isdigit():
        return int(end)
    length = lengths[min(allele, len(lengths)) - 1].lstrip("-")
    return pos + int(length) if length.isdigit() else pos + len(ref) - 1


def _columns(rows: list[tuple[int, int, int, int]], types: Types) -> dict[str, np.ndarray]:
    cells = np.array(rows, dtype=np.int64).reshape(-1, len(types))
    return {name: cells[:, i].astype(kind) for i, (name, kind) in enumerate(types.items())}
