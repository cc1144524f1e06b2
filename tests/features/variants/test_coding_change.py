"""What a change does to the protein, against a plain translation of the whole changed sequence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import shipped
from features.variants.coding_change import Edit, coding_change, new_stop
from features.variants.sequences import coding_sequences, translate

SOD1 = coding_sequences(shipped())["SOD1"]
BASES = SOD1.bases
PROTEIN = translate(BASES)


@pytest.mark.parametrize(
    ("edit", "consequence"),
    [
        (Edit(0, "A", "G"), "start_lost"),
        (Edit(3, "GCG", ""), "inframe_deletion"),
        (Edit(3, "", "GCG"), "inframe_insertion"),
        (Edit(3, "", "TAA"), "stop_gained"),
        (Edit(3, "G", ""), "frameshift_variant"),
        (Edit(13, "C", "T"), "missense_variant"),
        (Edit(14, "C", "T"), "synonymous_variant"),
        (Edit(13, "CC", "TT"), "missense_variant"),
        (Edit(9, "A", "T"), "stop_gained"),  # AAG, TAG
        (Edit(462, "T", "C"), "stop_lost"),
        (Edit(463, "A", "G"), "stop_retained_variant"),  # TAA, TGA
        (Edit(0, "", "ATGATG"), "inframe_insertion"),  # the start codon stays
    ],
)
def test_consequences(edit, consequence):
    assert edit.removed == BASES[edit.offset : edit.offset + len(edit.removed)]
    assert coding_change(SOD1, edit).consequences == (consequence,)


def edits():
    added = st.text("ACGT", max_size=5)
    return st.tuples(st.integers(3, len(BASES) - 6), st.integers(0, 5), added)


@given(edits())
def test_a_new_stop_is_where_the_whole_sequence_has_it(drawn):
    offset, length, added = drawn
    removed = BASES[offset : offset + length]
    if removed == added:
        return
    altered = translate(BASES[:offset] + added + BASES[offset + length :])
    stop = 3 * altered.find("*")
    in_frame = (len(added) - length) % 3 == 0
    found = new_stop(SOD1, Edit(offset, removed, added)).certain
    if stop < 0 or (in_frame and stop == 3 * len(altered) - 3):
        assert found is None
    elif stop < offset:
        assert found == stop
    elif stop >= offset + len(added):
        assert found == stop - len(added) + length
    else:
        assert offset <= found <= offset + length


@given(edits())
def test_the_residues_of_an_outcome_are_those_of_the_sequence(drawn):
    offset, length, added = drawn
    removed = BASES[offset : offset + length]
    if removed == added:
        return
    (outcome,) = coding_change(SOD1, Edit(offset, removed, added)).outcomes
    altered = translate(BASES[:offset] + added + BASES[offset + length :])
    first = outcome.number - 1
    assert PROTEIN[first : first + len(outcome.before)] == outcome.before
    assert altered[first : first + len(outcome.after)] == outcome.after
    assert altered[:first] == PROTEIN[:first]
