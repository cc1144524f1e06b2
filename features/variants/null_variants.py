"""How strongly a null variant speaks for disease: the decision tree of PVS1.

After Abou Tayoun 2018 (PMC6185798, V): a premature stop counts in full where the transcript is
expected to decay, else by the share of the protein that it removes; a splice variant by the frame
of the exon that is skipped; a lost start by what lies before the next methionine. The gene's
validity for loss of function (`genes.tsv`) then takes steps off: full strength only at definitive
or strong, one step less at moderate, none below.
"""

from typing import NamedTuple

from features.catalogue import Definitions, derived
from features.genotypes.structural import DUPLICATION
from features.variants.coding_change import NewStop, stop_after_skipping
from features.variants.gene_models import Transcript, changed_range, skipped_exon, transcripts
from features.variants.sequences import coding_sequences
from features.variants.structural import Exons, changed_bases, exons_of, is_structural
from features.variants.variant import Variant, causal_residues

STRENGTHS = ("PVS1", "PVS1_strong", "PVS1_moderate", "PVS1_supporting")
# A stop before the decay boundary is taken as certain where reading on to the boundary has less
# than this chance (P). Of 9,447 such frameshifts in the 14 genes with a sequence, none read on.
READ_THROUGH = 1e-3
STEPS = {"definitive": 0, "strong": 0, "moderate": 1}


class Null(NamedTuple):
    """A place in STRENGTHS, and why."""

    step: int
    reason: str


@derived
def validity(definitions: Definitions) -> dict[tuple[str, str], str]:
    """Class of each (gene, mechanism): `loss`, `gain` or `repeat`; empty for an earlier model."""
    table = definitions.table("genes")
    names = ("loss", "gain", "repeat")
    if not {f"validity_{name}" for name in names} <= set(table.columns):
        return {}
    return {
        (row["gene"], name): row[f"validity_{name}"]
        for row in definitions.rows("genes")
        for name in names
    }


def null_strength(
    definitions: Definitions, variant: Variant, build: str, known: bool
) -> tuple[str, str] | None:
    """Rule of `evidence.tsv` that a null variant meets, and why; None if it meets none.

    Parameters
    ----------
    definitions : Definitions
        Gene models, validity and known variants.
    variant : Variant
        A null variant.
    build : str
        GRCh37 or GRCh38.
    known : bool
        Whether the known-variant table counts.

    Returns
    -------
    (str, str) or None
        One of STRENGTHS and the reason in words.
    """
    valid = validity(definitions)[variant.gene, "loss"]
    if valid not in STEPS:
        return None
    found = _null(definitions, variant, build, known)
    step = found.step + STEPS[valid] if found else len(STRENGTHS)
    if not found or step >= len(STRENGTHS):
        return None
    less = f"; validity {valid}: one step less" if STEPS[valid] else ""
    return STRENGTHS[step], f"{found.reason}{less}"


def _null(definitions: Definitions, variant: Variant, build: str, known: bool) -> Null | None:
    transcript = transcripts(definitions, build).get(variant.gene)
    if variant.kind == "start_lost":
        return _lost_start(definitions, variant, build, known)
    if transcript is None:
        return Null(0, "no gene model here tells its place")
    if is_structural(variant.key):
        return _structural(definitions, transcript, variant.key)
    if variant.consequence.startswith("splice"):
        return _splice(definitions, transcript, variant)
    return _stopped(definitions, transcript, variant)


def _lost_start(definitions: Definitions, variant: Variant, build: str, known: bool) -> Null:
    sequence = coding_sequences(definitions).get(variant.gene)
    residues = sequence.residues if sequence else ()
    following = (i + 1 for i, r in enumerate(residues[1:], 1) if r == frozenset("M"))
    restart = next(following, len(residues))
    before = [r for r in causal_residues(definitions, build, variant.gene) if r < restart]
    if known and before:
        return Null(2, f"lost start, known causal changes before the next methionine ({restart})")
    return Null(3, "lost start")


def _stopped(definitions: Definitions, transcript: Transcript, variant: Variant) -> Null:
    """By the place of the new stop, which is the variant's own for `stop_gained`."""
    offset = variant.offset
    if offset is None:
        return Null(0, "its place in the gene model is not known")
    if variant.consequence == "stop_gained" or not variant.stop.places:
        decays = offset < transcript.decay_from and variant.consequence == "stop_gained"
    else:
        decays = variant.stop.reading_reaches(transcript.decay_from) < READ_THROUGH
    if decays:
        return Null(0, "the new stop lies before the decay boundary")
    return _truncated(definitions, transcript, offset, "the transcript may escape decay")


def _truncated(definitions: Definitions, transcript: Transcript, offset: int, why: str) -> Null:
    share = 1 - offset / transcript.coding_length
    return _by_share(definitions, share, f"{why}; {share:.0%} of the protein is lost or changed")


def _by_share(definitions: Definitions, share: float, reason: str) -> Null:
    return Null(1 if share > _large_share(definitions) else 2, reason)


@derived
def _large_share(definitions: Definitions) -> float:
    """Share of the protein whose loss is strong evidence (evidence.tsv, PVS1_strong)."""
    rows = definitions.rows("evidence")
    return next(float(row["threshold"]) for row in rows if row["rule"] == "PVS1_strong")


def _splice(definitions: Definitions, transcript: Transcript, variant: Variant) -> Null | None:
    _, pos, ref, alt = variant.key.split("-")
    exon = skipped_exon(transcript, *changed_range(int(pos), ref, alt))
    if exon is None:
        return None
    return _without(definitions, transcript, *exon)


def _without(definitions: Definitions, transcript: Transcript, first: int, length: int) -> Null:
    """By what is lost with whole exons: the start, the end, or the frame."""
    share = length / transcript.coding_length
    if first == 0:
        return Null(2, "the exon of the start codon is lost")
    if first + length == transcript.coding_length:
        return _by_share(
            definitions, share, f"the last coding exon is lost, {share:.0%} of the protein"
        )
    if length % 3 == 0:
        return _by_share(
            definitions, share, f"an exon in frame is skipped, {share:.0%} of the protein"
        )
    sequence = coding_sequences(definitions).get(transcript.gene)
    stop = stop_after_skipping(sequence, first, length) if sequence else NewStop(())
    if stop.reading_reaches(transcript.decay_from) < READ_THROUGH:
        return Null(0, "a skipped exon shifts the frame to a stop before the decay boundary")
    return _truncated(
        definitions, transcript, first, "a skipped exon shifts the frame, decay is not certain"
    )


def _structural(definitions: Definitions, transcript: Transcript, key: str) -> Null | None:
    """A deletion by the exons that it takes, a duplication inside of the gene by its frame.

    That a duplication lies in tandem is presumed, which is one step less.
    """
    start, end, kind = changed_bases(key)
    exons = exons_of(transcript, start, end)
    if exons is None:
        return None
    if kind == DUPLICATION:
        return _repeated(definitions, transcript, exons)
    share = exons.length / transcript.coding_length
    if share == 1:
        return Null(0, "the whole coding sequence is deleted")
    if not exons.whole:
        reason = f"a breakpoint lies inside an exon; {share:.0%} of the protein is deleted"
        return _by_share(definitions, share, reason)
    return _without(definitions, transcript, exons.first, exons.length)


def _repeated(definitions: Definitions, transcript: Transcript, exons: Exons) -> Null | None:
    sequence = coding_sequences(definitions).get(transcript.gene)
    # A second start restores the frame, and the first stop ends the protein as it did.
    at_end = exons.first == 0 or exons.first + exons.length == transcript.coding_length
    if exons.length % 3 == 0 or sequence is None or at_end:
        return None
    # Reading goes on at the first repeated base, as if a negative number of bases were skipped.
    stop = stop_after_skipping(sequence, exons.first + exons.length, -exons.length)
    if stop.reading_reaches(transcript.decay_from) >= READ_THROUGH:
        return None
    return Null(1, "exons repeated, presumably in tandem, shift the frame to an early stop")
