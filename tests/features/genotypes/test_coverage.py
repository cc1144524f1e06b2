"""How much of a gene was looked at: records, blocks and targets, every base counted by hand.

SOD1 has five coding exons of 72, 97, 70, 118 and 108 bases, 465 in all, a multiple of three with
the stop codon of its 154 residues (NM_000454.5).
"""

import numpy as np
import pytest

from features.catalogue import gene_names, shipped
from features.errors import DataError
from features.genotypes.coverage import (
    STATES,
    Assayed,
    coverage_of,
    coverage_state,
    targeted_fraction,
)
from features.genotypes.vcf import Sites

SOD1, FUS, ATXN2 = (gene_names(shipped()).index(name) for name in ("SOD1", "FUS", "ATXN2"))
CODING = 465
# First and last base of exons 1 and 2 on GRCh38, 1-based inclusive.
EXON1, EXON2 = (31659770, 31659841), (31663790, 31663886)


@pytest.mark.parametrize(
    ("fraction", "state"),
    [
        (np.nan, "unknown"),
        (-0.1, "not covered"),
        (0.0, "not covered"),
        (0.001, "partly"),
        (0.89, "partly"),
        (0.9, "covered"),
        (0.91, "covered"),
        (1.0, "covered"),
    ],
)
def test_state(fraction, state):
    assert STATES[coverage_state(np.array([fraction]))[0]] == state


def sites(*records: tuple, chrom: str = "21") -> Sites:
    """Records are (gene, pos, end, alt, passed)."""
    gene, pos, end, alt, passed = (list(column) for column in zip(*records, strict=True))
    return Sites(
        definitions=shipped(),
        chrom=np.array([chrom] * len(records), dtype=object),
        pos=np.array(pos),
        ref=np.array(["G"] * len(records), dtype=object),
        alt=np.array(alt, dtype=object),
        passed=np.array(passed, dtype=bool),
        end=np.array(end),
        gene=np.array(gene),
        info=[{}] * len(records),
        descriptions={},
    )


def parts(found: Sites, lost=((), ()), patients=(0,), first=None, own=(SOD1, FUS)):
    record, row = (np.array(values, dtype=int) for values in lost)
    first = np.ones(len(found), dtype=bool) if first is None else np.array(first)
    rows = np.array(patients)
    assayed = Assayed(int(rows.max()) + 1, len(gene_names(shipped())))
    assayed.add(coverage_of(found, first, (record, row), rows, list(own), "GRCh38"))
    return assayed.called[rows], assayed.whole[rows]


def at(pos: int, gene: int = SOD1, passed: bool = True) -> tuple:
    return (gene, pos, pos, "A", passed)


@pytest.mark.parametrize(
    ("records", "lost", "first", "called", "whole"),
    [
        ([at(1), at(2), at(3)], ((), ()), None, 3, 3),
        ([at(1), at(2), at(3)], ((1,), (0,)), None, 2, 3),  # one no-call
        ([at(1), at(2), at(3)], ((0, 1, 2), (0, 0, 0)), None, 0, 3),
        ([at(1), at(2, passed=False)], ((), ()), None, 1, 2),  # a filtered record is not called
        ([at(1), at(2, passed=False)], ((1,), (0,)), None, 0, 2),
        ([at(1), at(1)], ((), ()), [True, False], 1, 1),  # a duplicate speaks for nothing
        ([at(1), at(2, gene=-1)], ((), ()), None, 1, 1),  # outside the panel
        ([at(1, gene=-1)], ((), ()), None, 0, 0),
    ],
)
def test_records_that_are_called(records, lost, first, called, whole):
    found = parts(sites(*records), lost, first=first)
    assert (found[0][0, SOD1], found[1][0, SOD1]) == (called, whole)
    assert found[0].sum() == called
    assert found[1].sum() == whole


def test_each_patient_has_its_own_no_calls():
    called, whole = parts(sites(at(1), at(2)), ((0, 0, 1), (5, 3, 5)), patients=(3, 5, 4))
    assert called[:, SOD1].tolist() == [1, 0, 2]
    assert whole[:, SOD1].tolist() == [2, 2, 2]


def block(start: int, end: int, alt: str = "<NON_REF>", passed: bool = True) -> tuple:
    return (SOD1, start, end, alt, passed)


@pytest.mark.parametrize("alt", ["<NON_REF>", "<*>", "."])
@pytest.mark.parametrize(
    ("start", "end", "bases"),
    [
        (EXON1[0], EXON1[1], 72),
        (EXON1[0] - 1, EXON1[1] + 1, 72),
        (EXON1[0] + 1, EXON1[1], 71),
        (EXON1[0], EXON1[1] - 1, 71),
        (EXON1[0], EXON1[0] + 1, 2),  # a base longer than its REF
        (EXON1[0], EXON1[0] + 2, 3),
        (EXON1[1], EXON1[1] + 50, 1),
        (EXON1[1] + 1, EXON2[0] - 1, 0),
        (EXON1[1], EXON2[0], 2),
        (EXON1[0], EXON2[1], 169),
        (31659000, 31669000, CODING),
    ],
)
def test_blocks_count_coding_bases(start, end, bases, alt):
    called, whole = parts(sites(block(start, end, alt)))
    assert (called[0, SOD1], whole[0, SOD1]) == (bases, CODING)
    assert called[0, FUS] == 0
    assert whole[0, FUS] > 0
    assert whole[0, ATXN2] == 0  # not asked for


@pytest.mark.parametrize(
    ("records", "called", "whole"),
    [
        # A record as long as its REF is no block, whatever its alternatives.
        ([block(31659770, 31659770)], 1, 1),
        ([(SOD1, 31659770, 31659771, "A", True)], 1, 1),  # a deletion is none either
        ([block(EXON1[0], EXON1[1]), block(EXON1[0], EXON1[1])], 144, CODING),
        ([block(31659000, 31669000), block(31659000, 31669000)], CODING, CODING),  # never beyond
        ([block(31659000, 31669000, passed=False)], 0, CODING),
    ],
)
def test_what_is_a_block(records, called, whole):
    found = parts(sites(*records))
    assert (found[0][0, SOD1], found[1][0, SOD1]) == (called, whole)


def test_a_block_that_is_not_called_is_taken_away():
    called, _ = parts(sites(block(31659000, 31669000), block(*EXON1)), ((1,), (0,)))
    assert called[0, SOD1] == CODING
    called, _ = parts(sites(block(31659000, 31669000)), ((0,), (0,)))
    assert called[0, SOD1] == 0
    # Two no-calls of one stretch do not make less than nothing.
    called, _ = parts(sites(block(*EXON1), block(*EXON1)), ((0, 0, 1), (0, 0, 0)))
    assert called[0, SOD1] == 0


def test_a_block_of_another_chromosome_covers_nothing():
    called, whole = parts(sites(block(31659000, 31669000), chrom="chr1"))
    assert (called[0, SOD1], whole[0, SOD1]) == (0, CODING)
    called, _ = parts(sites(block(31659000, 31669000), chrom="chr21"))
    assert called[0, SOD1] == CODING


def test_a_repeated_block_speaks_once():
    found = sites(block(*EXON1), block(*EXON1))
    called, _ = parts(found, first=[True, False])
    assert called[0, SOD1] == 72


# BED is 0-based half-open: start 31659769 is base 31659770.
@pytest.mark.parametrize(
    ("lines", "bases"),
    [
        (["chr21\t31659769\t31659841"], 72),
        (["21 31659769 31659841"], 72),
        (["21 31659770 31659841"], 71),
        (["21 31659769 31659840"], 71),
        (["21 31659841 31663789"], 0),
        (["21 31659840 31663790"], 2),
        (["21 31659000 31669000"], CODING),
        (["21 31659769 31659800", "21 31659790 31659841"], 72),  # overlapping targets count once
        (["21 31659800 31659841", "21 31659769 31659800"], 72),  # adjacent, in any order
        (["21 31659769 31659841", "21 31659780 31659790"], 72),  # one within the other
        (["21 31659769 31659779", "21 31659831 31659841"], 20),
        (["21 31659769 31659779", "21 31659780 31659790"], 20),  # a base apart
        (["21 31659769 31659779", "21 31659778 31659788"], 19),  # one base in both
        (["1 31659769 31659841"], 0),
        (["# comment", "", "track name=x", "browser x", "21 31659769 31659841 exon1 0 +"], 72),
    ],
)
def test_targets(tmp_path, lines, bases):
    path = tmp_path / "targets.bed"
    path.write_text("\n".join(lines) + "\n")
    found = targeted_fraction(shipped(), path, "GRCh38")
    assert found[SOD1] == pytest.approx(bases / CODING)
    assert found[FUS] == 0


@pytest.mark.parametrize(("start", "end", "whole"), [(1, 2, 0.0), (111450000, 111450001, 1.0)])
def test_a_gene_without_a_model_is_hit_or_not(tmp_path, start, end, whole):
    path = tmp_path / "targets.bed"
    path.write_text(f"12\t{start}\t{end}\n")
    assert targeted_fraction(shipped(), path, "GRCh38")[ATXN2] == whole


@pytest.mark.parametrize("line", ["21 5", "21 x 9", "21 5 x", "21 -5 9"])
def test_what_is_no_interval(tmp_path, line):
    path = tmp_path / "targets.bed"
    path.write_text(f"21 1 2\n{line}\n")
    with pytest.raises(DataError, match=r"targets\.bed, line 2"):
        targeted_fraction(shipped(), path, "GRCh38")


def test_targets_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        targeted_fraction(shipped(), tmp_path / "absent.bed", "GRCh38")


def said(found: Sites, rows: list[int], lost=((), ())):
    first = np.ones(len(found), dtype=bool)
    pair = tuple(np.array(values, dtype=int) for values in lost)
    return coverage_of(found, first, pair, np.array(rows), [FUS, SOD1], "GRCh38")


@pytest.mark.parametrize("on_disk", [False, True])
def test_files_add_up_in_any_order(tmp_path, on_disk):
    """Two records of one file and three of another; the second patient is in the second only."""
    one = said(sites(at(1), at(2)), [0], ((1,), (0,)))
    two = said(sites(at(3), at(4), at(5), at(6, gene=FUS)), [1, 0], ((0, 3), (1, 1)))
    for files in ((one, two), (two, one)):
        assayed = Assayed(3, len(gene_names(shipped())), tmp_path if on_disk else None)
        for file in files:
            assayed.add(file)
        fraction = assayed.fraction()
        assert fraction[:, SOD1].tolist() == pytest.approx([4 / 5, 2 / 3, np.nan], nan_ok=True)
        assert fraction[:, FUS].tolist() == pytest.approx([1, 0, np.nan], nan_ok=True)
        assert np.isnan(fraction[:, ATXN2]).all()
        assert assayed.fraction(slice(1, 2))[:, SOD1] == pytest.approx([2 / 3])
        assert isinstance(assayed.called, np.memmap) == on_disk
    names = {path.name for path in tmp_path.iterdir()}
    assert names == ({"called.bin", "whole.bin"} if on_disk else set())


def test_a_block_may_cover_one_gene_and_be_lost_in_another():
    """Records of two chromosomes, those of SOD1 before and after that of FUS."""
    records = [block(*EXON1), (FUS, 31180000, 31200000, "<NON_REF>", True), block(*EXON2)]
    found = sites(*records)
    found.chrom[:] = ["21", "16", "21"]
    assayed = Assayed(2, len(gene_names(shipped())))
    assayed.add(said(found, [0, 1], ((0, 1, 2), (0, 1, 1))))
    called = np.asarray(assayed.called)
    assert called[:, SOD1].tolist() == [97, 72]
    whole = assayed.whole[0, FUS]
    assert called[:, FUS].tolist() == [whole, 0]


def test_a_block_over_two_genes_is_lost_in_both():
    """SIGMAR1 and VCP lie 0.4 Mb apart on chromosome 9."""
    both = [gene_names(shipped()).index(name) for name in ("SIGMAR1", "VCP")]
    found = sites((both[0], 34_000_000, 36_000_000, "<NON_REF>", True), chrom="9")
    for lost, share in ((((), ()), 1), (((0,), (0,)), 0)):
        called, whole = parts(found, lost, own=both)
        assert (called[0, both] == share * whole[0, both]).all()
        assert (whole[0, both] > 0).all()
