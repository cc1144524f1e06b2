"""What a structural variant does to the genes of the panel, by the gene models.

A deletion takes coding exons, or the whole gene, or none; a duplication inside of a gene repeats
whole exons, or breaks one, or holds the whole gene. Its key is `chrom-POS-END-<KIND>`, with the
gene behind the kind where it meets several. What has no coding exon of the gene, an inversion, an
insertion, a breakend and a copy number without a direction are listed and not weighed.
"""

from typing import NamedTuple

from features.catalogue import PADDING, Definitions, gene_names, genes
from features.genotypes.genotype import Site
from features.genotypes.structural import DELETION, DUPLICATION, Structural
from features.variants.annotation import Effect
from features.variants.gene_models import Transcript, transcripts

ABLATION, EXON_LOSS = "transcript_ablation", "exon_loss_variant"
ELONGATION, AMPLIFICATION = "feature_elongation", "transcript_amplification"
LISTED = "structural_variant"
ORIGIN = "structural variant"


class Exons(NamedTuple):
    """What an event takes of the coding sequence: first offset, bases, and whether whole exons."""

    first: int
    length: int
    whole: bool


def structural_key(variant: Structural, gene: str = "") -> str:
    """Key of a structural variant.

    Parameters
    ----------
    variant : Structural
        As a file has it.
    gene : str
        Named where the variant meets several genes.

    Returns
    -------
    str
        chrom-POS-END-<KIND>.

    Examples
    --------
    >>> structural_key(Structural("2", 201, 300, "DEL")), is_structural("2-200-300-<DEL>")
    ('2-200-300-<DEL>', True)
    """
    kind = f"{variant.kind}:{gene}" if gene else variant.kind
    return f"{variant.chrom}-{variant.start - 1}-{variant.end}-<{kind}>"


def is_structural(key: str) -> bool:
    """Whether a key is one of a structural variant.

    Parameters
    ----------
    key : str
        Of a variant.

    Returns
    -------
    bool
        By its symbolic allele.
    """
    return key.endswith(">")


def changed_bases(key: str) -> tuple[int, int, str]:
    """First and last base, from 1, and kind of a structural variant.

    Parameters
    ----------
    key : str
        Of `structural_key`.

    Returns
    -------
    (int, int, str)
        An event between two bases has its end before its start.
    """
    _, pos, end, kind = key.split("-")
    return int(pos) + 1, int(end), kind.strip("<>").partition(":")[0]


def exons_of(transcript: Transcript, start: int, end: int) -> Exons | None:
    """What a range of bases takes of the coding sequence.

    Parameters
    ----------
    transcript : Transcript
        Of the gene.
    start, end : int
        First and last base, from 1.

    Returns
    -------
    Exons or None
        None where it meets no coding base.
    """
    parts = [(max(start, s), min(end, e), s, e) for s, e in transcript.coding]
    met = [part for part in parts if part[0] <= part[1]]
    if not met:
        return None
    offsets = [transcript.coding_offset(pos) for low, high, _, _ in met for pos in (low, high)]
    return Exons(
        first=min(offset for offset in offsets if offset is not None),
        length=sum(high - low + 1 for low, high, _, _ in met),
        whole=all((low, high) == (s, e) for low, high, s, e in met),
    )


def structural_sites(
    definitions: Definitions, variants: list[Structural], build: str
) -> list[list[Site]]:
    """Sites of each structural variant: one for each gene of the panel that it meets.

    Parameters
    ----------
    definitions : Definitions
        Panel and gene models.
    variants : list of Structural
        Of a file.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    list of lists of Site
        In the order of the variants.
    """
    return [_sites(definitions, variant, build) for variant in variants]


def _sites(definitions: Definitions, variant: Structural, build: str) -> list[Site]:
    panel = genes(definitions, build)
    met = [
        gene
        for gene, chrom, start, end in zip(
            panel.index, panel["chrom"], panel["start"], panel["end"], strict=True
        )
        if chrom == variant.chrom
        and variant.start <= int(end) + PADDING
        and max(variant.end, variant.start) >= int(start) - PADDING
    ]
    names = gene_names(definitions)
    sites: list[Site] = []
    for gene in met:
        key = structural_key(variant, gene if len(met) > 1 else "")
        term = consequence_of(transcripts(definitions, build).get(gene), variant)
        sites.append((key, names.index(gene), Effect(consequence=term, origin=ORIGIN)))
    return sites


def consequence_of(transcript: Transcript | None, variant: Structural) -> str:
    """Term of a structural variant for one gene.

    Parameters
    ----------
    transcript : Transcript or None
        None where the gene has no model.
    variant : Structural
        Any.

    Returns
    -------
    str
        Of the Sequence Ontology; `structural_variant` where no more is known than its place.
    """
    exons = exons_of(transcript, variant.start, variant.end) if transcript else None
    if transcript is None or exons is None:
        return LISTED
    every = exons.length == transcript.coding_length
    if variant.kind == DELETION:
        return ABLATION if every else EXON_LOSS
    if variant.kind != DUPLICATION:
        return LISTED
    inside = transcript.starts[0] < variant.start and variant.end < transcript.ends[-1]
    if every and not inside:
        return AMPLIFICATION
    return ELONGATION if inside and exons.whole else LISTED
