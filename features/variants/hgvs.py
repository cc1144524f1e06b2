"""Names of variants after HGVS, in the coding sequence (`c.`) and the protein (`p.`).

Rules: the HGVS nomenclature (hgvs-nomenclature.org, version 21, R): positions count from the A of
the start codon, `*` after the stop codon, `+` and `-` into introns from the nearest exon; a change
lies as far 3' as it can; a copy of what stands before it is a `dup`. A frameshift names the first
changed residue and the distance to the new stop. Without the bases beside an exon a change that
could shift out of it is left without a name, and where residues are not known so is the protein's.
"""

from bisect import bisect_left
from typing import NamedTuple

from features.variants.annotation import THREE
from features.variants.coding_change import CodingChange, Edit
from features.variants.gene_models import Transcript
from features.variants.sequences import GENETIC_CODE, CodingSequence, reverse_complement


class _Shifted(NamedTuple):
    """A change moved 3', and whether unknown bases could move it further."""

    edit: Edit
    certain: bool


def coding_position(transcript: Transcript, pos: int) -> str:
    """Position in the coding sequence as HGVS writes it; empty outside of the transcript.

    Parameters
    ----------
    transcript : Transcript
        Of the gene.
    pos : int
        On its chromosome, from 1.

    Returns
    -------
    str
        Without `c.`.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> from features.variants.gene_models import transcripts
    >>> sod1 = transcripts(shipped(), "GRCh38")["SOD1"]
    >>> [coding_position(sod1, pos) for pos in (31659770, 31659769, 31659842, 31668579)]
    ['1', '-1', '72+1', '*1']
    """
    if not transcript.starts[0] <= pos <= transcript.ends[-1]:
        return ""
    index = bisect_left(transcript.ends, pos)
    if pos >= transcript.starts[index]:
        return _exonic(transcript, pos)
    before, after = transcript.ends[index - 1], transcript.starts[index]
    from_left, from_right = pos - before, after - pos
    forward = transcript.strand == "+"
    # Of the two bases in the middle the one nearer to the 5' end counts from the exon before it.
    left = from_left <= from_right if forward else from_left < from_right
    exon, distance = (before, from_left) if left else (after, from_right)
    return f"{_exonic(transcript, exon)}{'+' if left == forward else '-'}{distance}"


def _exonic(transcript: Transcript, pos: int) -> str:
    offset = transcript.coding_offset(pos)
    if offset is not None:
        return str(offset + 1)
    five_prime = (pos < transcript.cds_start) == (transcript.strand == "+")
    low, high = (
        (pos, transcript.cds_start) if pos < transcript.cds_start else (transcript.cds_end, pos)
    )
    between = _exonic_bases(transcript, low, high) - 1
    return f"-{between}" if five_prime else f"*{between}"


def _exonic_bases(transcript: Transcript, low: int, high: int) -> int:
    pairs = zip(transcript.starts, transcript.ends, strict=True)
    return sum(max(0, min(high, end) - max(low, start) + 1) for start, end in pairs)


def substitution_name(transcript: Transcript, pos: int, ref: str, alt: str) -> str:
    """`c.` name of a single-base change anywhere in the transcript; empty outside of it.

    Parameters
    ----------
    transcript : Transcript
        Of the gene.
    pos : int
        On its chromosome, from 1.
    ref : str
        One base, forward strand.
    alt : str
        One base, forward strand.

    Returns
    -------
    str
        On the strand of the gene.
    """
    position = coding_position(transcript, pos)
    if transcript.strand == "-":
        ref, alt = reverse_complement(ref), reverse_complement(alt)
    return f"c.{position}{ref}>{alt}" if position else ""


def coding_name(transcript: Transcript, sequence: CodingSequence, edit: Edit) -> str:
    """`c.` name of a change inside a coding exon; empty if it could shift out of what is known.

    Parameters
    ----------
    transcript : Transcript
        With the exons that a name must not shift across.
    sequence : CodingSequence
        Of the gene.
    edit : Edit
        Inside of one exon.

    Returns
    -------
    str
        Shifted to the 3' end, as HGVS asks.
    """
    if len(edit.removed) == len(edit.added) == 1:
        return f"c.{edit.offset + 1}{edit.removed}>{edit.added}"
    edit = _trimmed(edit)
    if not edit.removed or not edit.added:
        exon = _exon_of(transcript, edit)
        shifted = _shift(sequence, edit, exon)
        if not shifted.certain:
            return ""
        copied = None if edit.removed else _is_copy(sequence, shifted.edit, exon)
        return _length_name(shifted.edit, copied)
    span = _span(edit.offset + 1, edit.offset + len(edit.removed))
    if len(edit.removed) > 1 and edit.added == reverse_complement(edit.removed):
        return f"c.{span}inv"
    return f"c.{span}delins{edit.added}"


def _trimmed(edit: Edit) -> Edit:
    """Without bases that both alleles share, at the start first."""
    offset, removed, added = edit
    while removed and added and removed[0] == added[0]:
        offset, removed, added = offset + 1, removed[1:], added[1:]
    while removed and added and removed[-1] == added[-1]:
        removed, added = removed[:-1], added[:-1]
    return Edit(offset, removed, added)


def _exon_of(transcript: Transcript, edit: Edit) -> tuple[int, int]:
    """Coding offsets [first, end) of the exon in which a change lies."""
    first = 0
    lengths = [end - start + 1 for start, end in transcript.coding]
    for length in lengths if transcript.strand == "+" else lengths[::-1]:
        if edit.offset <= first + length - (1 if edit.removed else 0):
            return first, first + length
        first += length
    return first, first


def _shift(sequence: CodingSequence, edit: Edit, exon: tuple[int, int]) -> _Shifted:
    """Move a deletion or an insertion 3' within its exon."""
    offset, removed, added = edit
    end = offset + len(removed)
    moving = removed or added
    while end < exon[1]:
        possible = sequence.base_sets[end]
        if moving[0] not in possible:
            return _Shifted(_moved(offset, removed, moving), certain=True)
        if len(possible) > 1:
            return _Shifted(_moved(offset, removed, moving), certain=False)
        moving, offset, end = moving[1:] + moving[0], offset + 1, end + 1
    return _Shifted(_moved(offset, removed, moving), certain=False)


def _moved(offset: int, removed: str, moving: str) -> Edit:
    return Edit(offset, moving, "") if removed else Edit(offset, "", moving)


def _is_copy(sequence: CodingSequence, edit: Edit, exon: tuple[int, int]) -> bool | None:
    """Whether an insertion copies what stands before it; None if that is not known."""
    first = edit.offset - len(edit.added)
    if first < exon[0]:
        return None
    before = sequence.base_sets[first : edit.offset]
    if any(base not in bases for base, bases in zip(edit.added, before, strict=True)):
        return False
    return True if all(len(bases) == 1 for bases in before) else None


def _length_name(edit: Edit, copied: bool | None) -> str:
    if edit.removed:
        return f"c.{_span(edit.offset + 1, edit.offset + len(edit.removed))}del"
    if copied is None:
        return ""
    if copied:
        return f"c.{_span(edit.offset - len(edit.added) + 1, edit.offset)}dup"
    return f"c.{edit.offset}_{edit.offset + 1}ins{edit.added}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}_{last}"


def protein_name(sequence: CodingSequence, change: CodingChange) -> str:
    """`p.` name of a change; empty if its residues are not known.

    Parameters
    ----------
    sequence : CodingSequence
        Of the gene.
    change : CodingChange
        Of `coding_change`.

    Returns
    -------
    str
        Three letters a residue, predicted: without the brackets that HGVS puts.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> from features.variants.coding_change import coding_change
    >>> from features.variants.sequences import coding_sequences
    >>> sod1 = coding_sequences(shipped())["SOD1"]
    >>> [protein_name(sod1, coding_change(sod1, Edit(*edit)))
    ...  for edit in ((13, "C", "T"), (21, "", "A"), (0, "A", "G"), (9, "AAG", ""))]
    ['p.Ala5Val', 'p.Val8SerfsTer20', 'p.Met1?', 'p.Lys4del']
    """
    if change.consequences == ("start_lost",):
        return "p.Met1?"
    if change.edit.longer % 3:
        return _frameshift_name(sequence, change.edit)
    if len(change.outcomes) != 1:
        return ""
    outcome = change.outcomes[0]
    first, before, after = _changed_residues(outcome.before, outcome.after)
    number = outcome.number + first
    if not before and not after:
        return f"p.{_three(outcome.before)}{outcome.number}=" if len(outcome.before) == 1 else "p.="
    if before.startswith("*"):
        return f"p.Ter{number}{_three(after[:1])}extTer?"
    if "*" in after:
        between_codons = not change.edit.removed and change.edit.offset % 3 == 0 and first == 0
        return _stopped_name(sequence, number, before, after, between_codons)
    if before and after:
        return _replaced_name(number, before, after)
    return _length_changed_name(sequence, number, before, after)


def _stopped_name(
    sequence: CodingSequence, number: int, before: str, after: str, between_codons: bool
) -> str:
    """Name of a stop, alone or behind other residues."""
    if after.startswith("*"):
        stopped = before[:1] or _residue(sequence, number)
        return f"p.{_three(stopped)}{number}Ter" if stopped else ""
    if between_codons:
        return _inserted_name(sequence, number, after)
    return _replaced_name(number, before, after)


def _three(residues: str) -> str:
    return "".join(THREE[residue] for residue in residues)


def _changed_residues(before: str, after: str) -> tuple[int, str, str]:
    """Number of residues shared at the start, and what differs; nothing counts after a stop."""
    protein, stop, _ = after.partition("*")
    after = protein + stop
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    before, after = before[first:], after[first:]
    if stop and not before.endswith("*"):
        return first, before, after
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return first, before, after


def _replaced_name(number: int, before: str, after: str) -> str:
    """Name of residues that become others, the last of which may be a stop."""
    if len(before) == len(after) == 1:
        return f"p.{_three(before[:1])}{number}{_three(after[:1])}"
    if not before:
        return ""
    return f"p.{_residue_span(number, before)}delins{_three(after)}"


def _residue_span(number: int, residues: str) -> str:
    first = f"{_three(residues[0])}{number}"
    if len(residues) == 1:
        return first
    return f"{first}_{_three(residues[-1])}{number + len(residues) - 1}"


def _length_changed_name(sequence: CodingSequence, number: int, before: str, after: str) -> str:
    """Name of residues lost or gained, moved towards the end of the protein as far as they can."""
    moving = before or after
    following = number + len(before)
    while (residue := _residue(sequence, following)) == moving[0]:
        moving, number, following = moving[1:] + moving[0], number + 1, following + 1
    if not residue:
        return ""
    if before:
        return f"p.{_residue_span(number, moving)}del"
    copied = [_residue(sequence, n) for n in range(number - len(moving), number)]
    if copied == list(moving):
        return f"p.{_residue_span(number - len(moving), moving)}dup"
    return _inserted_name(sequence, number, moving) if all(copied) else ""


def _inserted_name(sequence: CodingSequence, number: int, inserted: str) -> str:
    """Name of residues put before that of a number; they may end in a stop."""
    left, right = (_residue(sequence, n) for n in (number - 1, number))
    if not left or not right:
        return ""
    return f"p.{_three(left)}{number - 1}_{_three(right)}{number}ins{_three(inserted)}"


def _residue(sequence: CodingSequence, number: int) -> str:
    """Residue of a number; empty if it is not known, or there is none."""
    if not 1 <= number <= len(sequence.residues):
        return ""
    possible = sequence.residues[number - 1]
    return next(iter(possible)) if len(possible) == 1 else ""


def _frameshift_name(sequence: CodingSequence, edit: Edit) -> str:
    """Name of a frameshift by its first changed residue; empty if a base on the way is unknown."""
    first = edit.offset // 3
    altered = _altered_from(sequence, edit, 3 * first)
    changed = None
    for index in range(len(altered) // 3):
        residue = GENETIC_CODE.get(altered[3 * index : 3 * index + 3], "")
        number = first + index + 1
        if not residue:
            return ""
        before = _residue(sequence, number)
        if changed is None and residue != before:
            changed = (before, number, residue)
        if residue == "*":
            return _shifted_name(*changed, number) if changed and changed[0] else ""
    return _shifted_name(*changed, None) if changed and changed[0] else ""


def _altered_from(sequence: CodingSequence, edit: Edit, start: int) -> str:
    end = edit.offset + len(edit.removed)
    return sequence.bases[start : edit.offset] + edit.added + sequence.bases[end:]


def _shifted_name(before: str, number: int, after: str, stop: int | None) -> str:
    if after == "*":
        return f"p.{_three(before)}{number}Ter"
    if before == "*":
        return f"p.Ter{number}{_three(after)}extTer?"
    distance = "?" if stop is None else str(stop - number + 1)
    return f"p.{_three(before)}{number}{_three(after)}fsTer{distance}"
