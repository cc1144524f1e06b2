"""Two alleles of a recessive gene, on one chromosome or on both, and exons that are gone.

In trans is a compound heterozygote, in cis is none, unphased is possible (issue and contract).
"""

from dataclasses import replace

import numpy as np
import pytest

from features.blocks.genetics import (
    genetic_cause,
    genetic_features,
    paired_alleles,
    second_alleles,
    telling_alleles,
)
from tests.made import Allele, cohort

ALS2 = {"ALS2": 1.0}
# Damaging by points and rarity; the second of a known recessive row.
RARE = Allele("ALS2", points=8, frequency=0.0)
KNOWN = Allele("ALS2", "causal_recessive", points=8)
CIS, TRANS = True, False


def biallelic(alleles, phases=None, gene="ALS2") -> float:
    made = cohort({}, {}, alleles=alleles, assayed={gene: 1.0}, phases=phases)
    return float(genetic_features(made, "GRCh38", 0.001)[f"biallelic_{gene}"][0])


@pytest.mark.parametrize(
    ("n", "pairs", "expected"),
    [
        (1, [], 0),
        (2, None, 1),  # an earlier model, or a file without phase: two as far as is known
        (2, [], 1),
        (2, [(0, 0, 1, TRANS)], 1),
        (2, [(0, 0, 1, CIS)], 0),
        (2, [(1, 0, 1, CIS)], 1),  # another patient's
        (3, [(0, 0, 1, CIS)], 1),  # the third may lie on the other chromosome
        (3, [(0, 0, 1, CIS), (0, 0, 2, CIS)], 1),
        (3, [(0, 0, 1, CIS), (0, 0, 2, CIS), (0, 1, 2, CIS)], 0),
        (3, [(0, 0, 1, CIS), (0, 0, 2, TRANS), (0, 1, 2, TRANS)], 1),
    ],
)
def test_two_damaging_alleles_of_a_recessive_gene(n, pairs, expected):
    assert biallelic([RARE] * n, pairs) == expected


def test_a_homozygous_allele_is_two_whatever_lies_beside_it():
    alleles = [RARE._replace(copies=2), RARE]
    assert biallelic(alleles, [(0, 0, 1, CIS)]) == 1


def test_a_pair_with_an_allele_that_is_not_damaging_says_nothing():
    common = Allele("ALS2", points=8, frequency=0.01)
    assert biallelic([RARE, common], [(0, 0, 1, CIS)]) == 0  # one damaging allele
    assert biallelic([RARE, RARE, common], [(0, 0, 2, CIS), (0, 1, 2, CIS)]) == 1


@pytest.mark.parametrize(
    ("second", "pairs", "expected"),
    [
        (KNOWN, [], "uncertain"),
        (KNOWN, None, "uncertain"),
        (KNOWN, [(0, 0, 1, CIS)], "uncertain"),
        (KNOWN, [(0, 0, 1, TRANS)], "found"),
        (RARE, [(0, 0, 1, TRANS)], "uncertain"),  # likely pathogenic by points is no known cause
        (KNOWN._replace(role="vus"), [(0, 0, 1, TRANS)], "uncertain"),
    ],
)
def test_two_known_recessive_alleles_are_a_cause_in_trans(second, pairs, expected):
    alleles = [allele._replace(gene="SOD1") for allele in (KNOWN, second)]
    made = cohort(alleles=alleles, assayed={"SOD1": 1.0}, phases=pairs)
    assert genetic_cause(made)[0] == expected
    assert telling_alleles(made).tolist()[0] == expected
    causal = genetic_features(made, "GRCh38", 0.001)["causal_SOD1"][0]
    assert causal == (expected == "found")


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (None, ["unphased", "unphased"]),
        ([(0, 0, 1, TRANS)], ["trans", "trans"]),
        ([(0, 1, 0, CIS)], ["cis", "cis"]),
    ],
)
def test_where_the_second_allele_lies(pairs, expected):
    made = cohort(alleles=[RARE, KNOWN], assayed=ALS2, phases=pairs)
    assert second_alleles(made).tolist() == expected


def test_of_three_one_in_trans_is_enough_and_one_unknown_leaves_it_open():
    three = cohort(alleles=[RARE] * 3, assayed=ALS2, phases=[(0, 0, 1, CIS), (0, 0, 2, TRANS)])
    assert second_alleles(three).tolist() == ["trans", "unphased", "trans"]


@pytest.mark.parametrize(
    ("alleles", "paired"),
    [
        ([RARE], [False]),
        ([RARE, RARE], [True, True]),
        ([RARE, RARE._replace(row=1)], [False, False]),
        ([RARE, Allele("ALS2", points=1, frequency=0.0)], [False, False]),
        ([RARE, Allele("ALS2", points=2, frequency=0.0)], [True, True]),
        ([RARE, RARE._replace(copies=2)], [False, False]),
        ([RARE, RARE._replace(ploidy=1)], [False, False]),
        ([RARE, Allele("SPG11", points=8)], [False, False]),
        ([Allele("TBK1", points=8)] * 2, [False, False]),  # one copy is enough there
        ([Allele("OPTN", points=8)] * 2, [True, True]),  # null alleles of OPTN cause by two
    ],
)
def test_which_alleles_may_be_a_pair(alleles, paired):
    made = cohort({}, {}, alleles=alleles)
    found = paired_alleles(made.definitions, made.genotypes, made.variants)
    assert found.tolist() == paired


def test_an_exon_deletion_is_rare_though_no_file_says_its_frequency():
    gone = Allele("ALS2", points=8, key="2-201700000-201710000-<DEL>")
    assert biallelic([gone, RARE]) == 1
    assert biallelic([gone._replace(copies=2)]) == 1
    plain = gone._replace(key="2-201700000-A-C")
    assert biallelic([plain, RARE]) == 0


def test_phases_go_with_their_patients():
    made = cohort({}, {}, alleles=[RARE._replace(row=1)] * 2, assayed=ALS2, phases=[(1, 0, 1, CIS)])
    taken = made.take(np.array([1]))
    assert taken.genotypes.phases.to_numpy().tolist() == [[0, 0, 1, True]]
    assert genetic_features(taken, "GRCh38", 0.001)["biallelic_ALS2"][0] == 0
    assert len(made.take(np.array([0])).genotypes.phases) == 0
    unknown = replace(made, genotypes=replace(made.genotypes, phases=None))
    assert unknown.take(np.array([1])).genotypes.phases is None
