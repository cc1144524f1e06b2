"""Which parts of the genome are kept.

Regions and spans are 1-based inclusive; chromosomes are written without chr.
"""

from features.catalogue import BUILDS, PADDING, Definitions, known_variants
from features.genotypes.vcf import Region, panel_regions

Span = tuple[int, int]


def fasta_regions(definitions: Definitions, build: str) -> list[Region]:
    """Regions whose bases are kept: wherever `features.genotypes.vcf` reads a record, each side
    padded once more.

    A record is left-aligned against the bases before it, and one that overlaps a gene may begin
    before it. The known positions of the other build are read as well, to tell a file of that
    build.

    Parameters
    ----------
    definitions : Definitions
        With the panel and its known variants.
    build : str
        GRCh38 or GRCh37.

    Returns
    -------
    list of (str, int, int)
        Chromosome without `chr`, first and last position from 1; none touch.
    """
    other = known_variants(definitions, next(b for b in BUILDS if b != build))
    sites = [
        (chrom, int(pos), int(pos)) for chrom, pos in zip(other["chrom"], other["pos"], strict=True)
    ]
    padded = [
        (chrom, max(1, s - PADDING), e + PADDING)
        for chrom, s, e in [*panel_regions(definitions, build), *sites]
    ]
    return [(chrom, *span) for chrom, spans in by_chromosome(padded).items() for span in spans]


def by_chromosome(regions: list[Region]) -> dict[str, list[Span]]:
    """Chromosome -> its regions sorted, those that touch or overlap joined.

    Parameters
    ----------
    regions : list of (str, int, int)
        Chromosome, first and last position.

    Returns
    -------
    dict of lists
        First and last positions.
    """
    return {
        chrom: _merged([(s, e) for c, s, e in regions if c == chrom]) for chrom, _, _ in regions
    }


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
