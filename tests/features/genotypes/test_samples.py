"""Names of samples and patients: what is the same name, what is a near miss, and who is missed."""

from pathlib import Path

import pytest

from features.errors import DataError
from features.genotypes.samples import check_match, near_misses, normal_name
from features.tables.problems import Problems


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("ALS-001", "als-001"),
        (" ALS 001\t", "als001"),
        ("0_ALS-001", "als-001"),
        ("00_ALS-001", "00_als-001"),
        ("ALS-001_ALS-001", "als-001"),  # PLINK's family and individual
        ("ALS-ALS", "als"),
        ("AB_AC", "ab_ac"),
        ("ABxAB", "abxab"),
        ("0_A_A", "a"),
        ("A", "a"),
        ("", ""),
    ],
)
def test_what_is_around_a_name_goes(name, plain):
    assert normal_name(name) == plain


@pytest.mark.parametrize(
    ("patient", "samples", "sample"),
    [
        ("P1", ["p1"], "p1"),
        ("P1", ["0_P1"], "0_P1"),
        ("P1", ["P1_S14_L001"], "P1_S14_L001"),
        ("P1", ["P1.bam"], "P1.bam"),
        ("p 1", ["P1"], "P1"),
        ("P1", ["P1_a", "P1_b"], None),  # two may be meant: none is proposed
        ("P1", ["p1", "P2"], "p1"),
        ("P1", ["P10"], None),
        ("P1", ["XP1"], None),
        ("P1_S14", ["P1"], None),  # a longer name of a patient is not that sample
        ("P1", [], None),
    ],
)
def test_a_near_miss(patient, samples, sample):
    assert near_misses([patient], samples) == ({} if sample is None else {patient: sample})


ONE, TWO = [Path("a.vcf")], [Path("a.vcf"), Path("b.vcf"), Path("c.vcf")]


def match(patients: dict[str, int], samples: set[str], paths: list[Path], problems: Problems):
    """As the extraction asks, of files that hold these samples."""
    absent = [name for name in patients if name not in samples]
    check_match(patients, absent, samples - set(patients), paths, problems)


def test_everybody_is_there():
    problems = Problems(collect=True)
    match({"P1": 0, "P2": 1}, {"P1", "P2", "other"}, ONE, problems)
    assert problems.found == []


def test_nobody_is_there():
    with pytest.raises(DataError, match=r"none of the 2 patients \(P1, P2\)") as caught:
        match({"P1": 0, "P2": 1}, {"x", "y"}, ONE, Problems())
    assert "Give the pairs in a `sample_map` table (sample_id, vcf_id)." in str(caught.value)
    with pytest.raises(DataError, match=r"if they are right: P1 -> p1\."):
        match({"P1": 0}, {"p1"}, ONE, Problems())


@pytest.mark.parametrize(
    ("samples", "advice"),
    [
        ({"P1", "x"}, "Their genotypes stay unknown."),
        (
            {"P1", "p2"},
            (
                "Their genotypes stay unknown. Near misses, to be put into a `sample_map` table "
                "(sample_id, vcf_id) if they are right: P2 -> p2."
            ),
        ),
        # A sample that has its patient is no near miss of another one.
        ({"P1", "P1_P2"}, "Their genotypes stay unknown."),
    ],
)
def test_some_are_not_there(samples, advice):
    problems = Problems(collect=True)
    match({"P1": 0, "P2": 1, "P3": 2}, samples, ONE, problems)
    (found,) = problems.found
    assert (found.severity, found.where, found.count) == ("warning", "a.vcf", 2)
    assert found.found.startswith("2 of 3 patients are")
    assert "(P2, P3)" in found.found
    assert found.remedy == advice


def test_a_sample_of_a_patient_is_not_offered_to_another():
    problems = Problems(collect=True)
    match({"P1": 0, "p1": 1}, {"P1"}, ONE, problems)
    assert "Near misses" not in problems.found[0].remedy


def test_many_files_are_counted():
    problems = Problems(collect=True)
    match({"P1": 0, "P2": 1}, {"P1"}, TWO, problems)
    assert problems.found[0].where == "a.vcf and 2 more"
