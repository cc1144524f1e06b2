"""What the gene model and its coding sequence say of a small variant, without a reference genome.

The place comes from `gene_models`, the effect on the protein from `coding_change`. Where what is
known of the sequence leaves several effects open, each is told and none is chosen.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from features.catalogue import Definitions
from features.variants.coding_change import Edit, NewStop, Outcome, coding_change, new_stop
from features.variants.gene_models import (
    Transcript,
    changed_range,
    in_splice_region,
    place,
    transcripts,
)
from features.variants.hgvs import coding_name, protein_name, substitution_name
from features.variants.sequences import CodingSequence, coding_sequences, reverse_complement

UNDECIDED, SPLICE_REGION, SILENT = (
    "coding_sequence_variant",
    "splice_region_variant",
    "synonymous_variant",
)
_CODING = (UNDECIDED, "start_lost", "frameshift_variant", "inframe_insertion", "inframe_deletion")
NO_STOP = NewStop(())


class Possible(NamedTuple):
    """One possible effect: its term, and the residues before and after of a substitution."""

    consequence: str
    change: tuple[str, str] | None


@dataclass(frozen=True)
class ModelEffect:
    """Effect of a variant by the gene model.

    Attributes
    ----------
    consequence : str
        `coding_sequence_variant` where several terms are possible.
    offset : int or None
        0-based coding offset of the first changed base.
    residue : int or None
        Number of the first changed residue.
    possible : tuple of Possible
        All effects, where there is more than one.
    hgvs_c, hgvs_p : str
        Empty where the name is not known.
    codons : tuple of str
        The codon before and after.
    stop : NewStop
        Where a premature stop may come to lie.
    """

    consequence: str
    offset: int | None = None
    residue: int | None = None
    possible: tuple[Possible, ...] = ()
    hgvs_c: str = ""
    hgvs_p: str = ""
    codons: tuple[str, ...] = ()
    stop: NewStop = field(default=NO_STOP)


def model_effect(
    definitions: Definitions, gene: str, pos: int, ref: str, alt: str, build: str
) -> ModelEffect | None:
    """Effect of a variant (minimal alleles) on a gene; None if the gene has no model.

    Parameters
    ----------
    definitions : Definitions
        With gene models and sequences.
    gene : str
        Of the panel.
    pos : int
        Of the first base of `ref`, from 1.
    ref : str
        Bases of the reference, forward strand.
    alt : str
        Bases instead of them.
    build : str
        GRCh38 or GRCh37.

    Returns
    -------
    ModelEffect or None
        Names are empty where the sequence does not tell them.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> effect = model_effect(shipped(), "SOD1", 31659783, "C", "T", "GRCh38")
    >>> effect.consequence, effect.hgvs_c, effect.hgvs_p, effect.codons
    ('missense_variant', 'c.14C>T', 'p.Ala5Val', ('GCC', 'GTC'))
    """
    where = place(definitions, gene, pos, ref, alt, build)
    if where is None:
        return None
    transcript = transcripts(definitions, build)[gene]
    sequence = coding_sequences(definitions).get(gene)
    plain = ModelEffect(consequence=where.consequence, offset=where.offset, residue=where.residue)
    if sequence is None:
        return plain
    if where.consequence not in _CODING:
        name = substitution_name(transcript, pos, ref, alt) if len(ref) == len(alt) == 1 else ""
        return ModelEffect(
            consequence=where.consequence, offset=where.offset, residue=where.residue, hgvs_c=name
        )
    edit = edit_of(transcript, pos, ref, alt)
    if edit is None:
        return _beyond_the_sequence(transcript, plain, pos, ref, alt)
    at_border = in_splice_region(transcript, *changed_range(pos, ref, alt))
    return _effect(transcript, sequence, edit, plain, at_border)


def edit_of(transcript: Transcript, pos: int, ref: str, alt: str) -> Edit | None:
    """Write a variant on the strand of the gene; None if it is not within one coding exon.

    Parameters
    ----------
    transcript : Transcript
        Of the gene.
    pos : int
        Of the first base of `ref`, from 1.
    ref : str
        Bases of the reference, forward strand.
    alt : str
        Bases instead of them.

    Returns
    -------
    Edit or None
        Without the bases that both begin with.
    """
    start, end = changed_range(pos, ref, alt)
    shared = start - pos
    removed, added = ref[shared:], alt[shared:]
    forward = transcript.strand == "+"
    # An insertion lies before its next coding base: that after it, or on the reverse strand before.
    first, last = (start, end) if forward else (end, start)
    offset = transcript.coding_offset(first)
    if not removed:
        before = transcript.coding_offset(last)
        if offset is None or before != offset - 1:
            return None
    elif offset is None or transcript.coding_offset(last) != offset + len(removed) - 1:
        return None
    if not forward:
        removed, added = reverse_complement(removed), reverse_complement(added)
    return Edit(offset, removed, added)


def _beyond_the_sequence(
    transcript: Transcript, plain: ModelEffect, pos: int, ref: str, alt: str
) -> ModelEffect:
    """A change across an end of the coding sequence takes its start or its stop codon with it."""
    start, end = changed_range(pos, ref, alt)
    forward = transcript.strand == "+"
    at_start = start < transcript.cds_start if forward else end > transcript.cds_end
    at_stop = end > transcript.cds_end if forward else start < transcript.cds_start
    lost = "start_lost" if at_start else "stop_lost" if at_stop else plain.consequence
    return ModelEffect(consequence=lost, offset=plain.offset, residue=plain.residue)


def _effect(
    transcript: Transcript,
    sequence: CodingSequence,
    edit: Edit,
    plain: ModelEffect,
    at_border: bool,
) -> ModelEffect:
    name = coding_name(transcript, sequence, edit)
    change = coding_change(sequence, edit)
    if change is None:
        return ModelEffect(
            consequence=plain.consequence, offset=plain.offset, residue=plain.residue, hgvs_c=name
        )
    protein = protein_name(sequence, change)
    possible = tuple(sorted({_possible(o, at_border, protein) for o in change.outcomes}, key=str))
    terms = {effect.consequence for effect in possible}
    stops = bool(edit.longer % 3) or "stop_gained" in terms
    return ModelEffect(
        consequence=terms.pop() if len(terms) == 1 else _undecided(edit),
        offset=edit.offset,
        residue=edit.offset // 3 + 1,
        possible=possible if len(possible) > 1 else (),
        hgvs_c=name,
        hgvs_p=protein,
        codons=change.codons,
        stop=new_stop(sequence, edit) if stops else NO_STOP,
    )


def _undecided(edit: Edit) -> str:
    return "frameshift_variant" if edit.longer % 3 else UNDECIDED


def _possible(outcome: Outcome, at_border: bool, protein: str) -> Possible:
    term = outcome.consequence
    if term == SILENT and at_border:
        term = SPLICE_REGION
    if term == "frameshift_variant" and protein.endswith("Ter"):
        term = "stop_gained"
    single = len(outcome.before) == len(outcome.after) == 1
    return Possible(term, (outcome.before, outcome.after) if single else None)
