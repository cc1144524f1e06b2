"""What a small variant does to the protein: every outcome that the known bases leave possible.

Works on the strand of the gene, with offsets in the coding sequence. Where the sequence is known
there is one outcome; where only the protein is known there is one for each set of codons that fits
it. Terms are those of the Sequence Ontology.
"""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import NamedTuple

from features.variants.sequences import START, STOPS, CodingSequence, translate

# REF tells the codons of a changed range but for its borders: more combinations than this come
# only of a range that is no small variant (P).
MOST_COMBINATIONS = 4096


class Edit(NamedTuple):
    """A change on the gene's own strand: `removed`, which begins at `offset`, becomes `added`."""

    offset: int
    removed: str
    added: str

    @property
    def longer(self) -> int:
        """Bases gained; less than 0 if bases are lost."""
        return len(self.added) - len(self.removed)


class Outcome(NamedTuple):
    """One possible effect on the protein.

    Attributes
    ----------
    consequence : str
    number : int
        Of the first touched codon; the initiator methionine is 1.
    before, after : str
        Residues of the touched codons, `after` as far as its codons are whole.
    """

    consequence: str
    number: int
    before: str
    after: str


@dataclass(frozen=True)
class NewStop:
    """Where a premature stop may lie.

    Attributes
    ----------
    places : tuple of (int, float)
        Offset in the unchanged sequence, and the chance that the codon which comes to lie there is
        a stop, every possible codon being equally likely. Ends with the first certain stop.
    """

    places: tuple[tuple[int, float], ...]

    @property
    def certain(self) -> int | None:
        """Offset of the one new stop; None if it is not known or there is none."""
        return self.places[0][0] if self.places and self.places[0][1] == 1 else None

    def reading_reaches(self, offset: int) -> float:
        """Chance that no stop comes before an offset.

        Parameters
        ----------
        offset : int
            Bases from the start of the coding sequence, of the unchanged one.

        Returns
        -------
        float
            0 to 1.
        """
        return prod(1 - chance for place, chance in self.places if place < offset)


@dataclass(frozen=True)
class CodingChange:
    """Every possible outcome of a change.

    Attributes
    ----------
    edit : Edit
    outcomes : tuple of Outcome
    codons : tuple of str
        The codon before and after (`GCC`, `GTC`) where the change lies in one codon that is known.
    """

    edit: Edit
    outcomes: tuple[Outcome, ...]
    codons: tuple[str, ...] = ()

    @property
    def consequences(self) -> tuple[str, ...]:
        """Possible terms, sorted."""
        return tuple(sorted({outcome.consequence for outcome in self.outcomes}))


@dataclass(frozen=True)
class _Touched:
    """The touched codons in every possible reading, unchanged and changed."""

    first: int
    following: int
    before: tuple[str, ...]
    after: tuple[str, ...]


def coding_change(sequence: CodingSequence, edit: Edit) -> CodingChange | None:
    """Outcomes of a change inside of the coding sequence; None if too many are possible.

    Parameters
    ----------
    sequence : CodingSequence
        Of the gene.
    edit : Edit
        On the strand of the gene.

    Returns
    -------
    CodingChange or None
        Several outcomes where the sequence is known by its residues alone.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> from features.variants.sequences import coding_sequences
    >>> sod1 = coding_sequences(shipped())["SOD1"]
    >>> coding_change(sod1, Edit(13, "C", "T")).outcomes
    (Outcome(consequence='missense_variant', number=5, before='A', after='V'),)
    """
    touched = _touched(sequence, edit)
    if touched is None:
        return None
    readings = zip(touched.before, touched.after, strict=True)
    outcomes = {
        outcome
        for before, after in readings
        for outcome in _outcomes(sequence, edit, touched, before, after)
    }
    one_codon = edit.longer == 0 and len(touched.before) == 1 and len(touched.before[0]) == 3
    codons = (touched.before[0], touched.after[0]) if one_codon else ()
    return CodingChange(edit, tuple(sorted(outcomes)), codons)


def _touched(sequence: CodingSequence, edit: Edit) -> _Touched | None:
    """Readings of the touched codons that agree with REF; an insertion touches the next codon."""
    first = edit.offset // 3
    last = max(edit.offset, edit.offset + len(edit.removed) - 1) // 3
    reference = dict(enumerate(edit.removed, edit.offset))
    fitting = [
        sequence.fitting(i, {p: reference[3 * i + p] for p in range(3) if 3 * i + p in reference})
        for i in range(first, last + 1)
    ]
    if prod(map(len, fitting)) > MOST_COMBINATIONS:
        return None
    before = tuple(map("".join, product(*fitting)))
    start, end = edit.offset - 3 * first, edit.offset - 3 * first + len(edit.removed)
    after = tuple(bases[:start] + edit.added + bases[end:] for bases in before)
    return _Touched(first=first, following=last + 1, before=before, after=after)


def _outcomes(
    sequence: CodingSequence, edit: Edit, touched: _Touched, before: str, after: str
) -> list[Outcome]:
    """One outcome, or two where the codon that follows a shifted frame may be a stop."""
    residues, changed = translate(before), translate(after)
    terms = {_term(edit, touched, residues, changed, after, sequence)}
    if terms == {"frameshift_variant"} and residues.startswith(changed):
        terms = set(_bridged(sequence, touched, after))
    number = touched.first + 1
    return [
        Outcome(consequence=term, number=number, before=residues, after=changed) for term in terms
    ]


def _bridged(sequence: CodingSequence, touched: _Touched, after: str) -> list[str]:
    """Terms of a frameshift whose touched codons keep their residues: the next may be a stop."""
    missing = -len(after) % 3
    if touched.following >= len(sequence.codons):
        return ["frameshift_variant"]
    ends = {after[len(after) + missing - 3 :] + codon[:missing]
            for codon in sequence.codons[touched.following]}  # fmt: skip
    return sorted({"stop_gained" if end in STOPS else "frameshift_variant" for end in ends})


def _term(
    edit: Edit, touched: _Touched, before: str, after: str, bases: str, sequence: CodingSequence
) -> str:
    """Consequence of residues that become others; of several that of the first changed residue."""
    if touched.first == 0 and not bases.startswith(START):
        return "start_lost"
    at_end = touched.following == len(sequence.codons)
    if at_end and before.endswith("*"):
        return _term_at_end(edit, before, after)
    same = len(_common_start(before, after))
    if after[same : same + 1] == "*" or ("*" in after and edit.longer % 3 == 0):
        return "stop_gained"
    return "frameshift_variant" if edit.longer % 3 else _term_of_length(edit, before, after)


def _term_at_end(edit: Edit, before: str, after: str) -> str:
    """Consequence of a change that touches the last codon."""
    protein, stop, _ = after.partition("*")
    if not stop:
        return "frameshift_variant" if edit.longer % 3 and len(before) > 1 else "stop_lost"
    if protein == before[:-1]:
        return "stop_retained_variant"
    if before.startswith(protein):
        return "stop_gained"
    return "frameshift_variant" if edit.longer % 3 else _term_of_length(edit, before, after)


def _term_of_length(edit: Edit, before: str, after: str) -> str:
    if edit.longer:
        return "inframe_insertion" if edit.longer > 0 else "inframe_deletion"
    return "synonymous_variant" if before == after else "missense_variant"


def _common_start(left: str, right: str) -> str:
    n = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        n += 1
    return left[:n]


def new_stop(sequence: CodingSequence, edit: Edit) -> NewStop:
    """Where reading may end too early after a change.

    Parameters
    ----------
    sequence : CodingSequence
        Of the gene.
    edit : Edit
        On the strand of the gene.

    Returns
    -------
    NewStop
        Offsets in the unchanged sequence, each with its chance.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> from features.variants.sequences import coding_sequences
    >>> new_stop(coding_sequences(shipped())["SOD1"], Edit(21, "", "A")).certain
    77
    """
    touched = _touched(sequence, edit)
    if touched is None:
        return NewStop(())
    phase = len(touched.after[0]) % 3
    heads = touched.after
    following = touched.following
    if phase and following < len(sequence.codons):
        heads = tuple(head + codon for head in heads for codon in sequence.codons[following])
        following += 1
    places = [
        (_unchanged_offset(edit, 3 * touched.first + place), _share_of_stops(heads, place))
        for place in range(0, len(heads[0]) - 2, 3)
    ]
    if phase:
        places += _shifted(sequence, phase, following - 1)
    elif touched.following == len(sequence.codons):
        places = [(offset, chance) for offset, chance in places if offset < len(sequence) - 3]
    return NewStop(tuple(_until_certain(places)))


def _unchanged_offset(edit: Edit, altered: int) -> int:
    """Offset in the unchanged sequence of one in the changed one."""
    if altered < edit.offset + len(edit.added):
        return min(altered, edit.offset + len(edit.removed))
    return altered - edit.longer


def _share_of_stops(heads: tuple[str, ...], place: int) -> float:
    return sum(head[place : place + 3] in STOPS for head in heads) / len(heads)


def _shifted(sequence: CodingSequence, phase: int, index: int) -> list[tuple[int, float]]:
    """Offsets and chances of stops from a codon on, read with `3 - phase` bases of it gone."""
    gone = 3 - phase
    return [(3 * i + gone, chance)
            for i, chance in enumerate(sequence.shifted_stops[gone - 1][index:], index)
            if chance]  # fmt: skip


def _until_certain(places: list[tuple[int, float]]) -> list[tuple[int, float]]:
    possible = [(offset, chance) for offset, chance in places if chance]
    end = next((i for i, (_, chance) in enumerate(possible) if chance == 1), len(possible))
    return possible[: end + 1]


def stop_after_skipping(sequence: CodingSequence, first: int, length: int) -> NewStop:
    """Where reading may end after the loss of `length` bases, no multiple of 3, from `first` on.

    The codon that joins both sides is not looked at: a stop there would only come earlier.
    """
    resumed = first + length + (-first) % 3
    gone = resumed % 3
    return NewStop(tuple(_until_certain(_shifted(sequence, 3 - gone, resumed // 3))))
