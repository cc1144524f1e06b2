"""The genetic finding and each genetic column, each threshold at both sides.

Expected values are those of the contract, section Genetics; fractions, points and sizes are
written here and not read from the code, so that a threshold that moves fails.
"""

import numpy as np
import pytest

from features.blocks.genetics import (
    causal_carriers,
    causal_genes,
    genetic_cause,
    genetic_dictionary,
    genetic_features,
    mechanisms,
    recessive_genes,
    repeat_genes,
    rising_features,
    scored_genes,
    telling_alleles,
)
from features.catalogue import core_genes, gene_names, known_variants, shipped
from features.variants.lookups import Lookups
from tests.made import Allele, Call, cohort

CORE = {"SOD1": 1.0, "TARDBP": 1.0, "FUS": 1.0, "C9orf72": 1.0}
NORMAL = Call("C9orf72", 8, 8)
BUILD = "GRCh38"
# Kept apart from the code: a model's limit of "rare" in the shipped configurations.
RARE = 0.001


def cause(*alleles: Allele, assayed=CORE, calls=(NORMAL,), row=None) -> str:
    made = cohort(row or {}, alleles=list(alleles), assayed=dict(assayed), calls=list(calls))
    return str(genetic_cause(made)[0])


def says(allele: Allele) -> str:
    """What an allele says by itself, without the rest of the patient."""
    (word,) = telling_alleles(cohort(alleles=[allele]))
    return str(word) or "not_found"


def features(*alleles: Allele, assayed=CORE, calls=(), row=None, **more) -> dict[str, float]:
    """Of the first patient."""
    counted = more.pop("benign_counted", False)
    made = cohort(
        row or {}, alleles=list(alleles), assayed=dict(assayed), calls=list(calls), **more
    )
    found = genetic_features(made, BUILD, RARE, counted)
    return {name: float(values[0]) for name, values in found.items()}


def approx(value: float):
    return pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("role", "copies", "ploidy", "expected"),
    [
        ("causal_dominant", 1, 2, "found"),
        ("causal_dominant", 2, 2, "found"),
        ("causal_xlinked", 1, 1, "found"),  # a hemizygous man
        ("causal_xlinked", 1, 2, "found"),  # a heterozygous woman
        ("causal_recessive", 1, 2, "uncertain"),  # a carrier, not a finding
        ("causal_recessive", 2, 2, "found"),
        ("causal_recessive", 1, 1, "found"),
        ("causal_recessive", 2, 3, "found"),
        ("vus", 1, 2, "uncertain"),
        ("vus", 2, 2, "uncertain"),
        ("risk", 2, 2, "not_found"),
        ("modifier", 2, 2, "not_found"),
        ("other_disease", 1, 2, "not_found"),
        ("benign", 2, 2, "not_found"),
        ("", 1, 2, "not_found"),
    ],
)
def test_a_role_with_its_zygosity(role, copies, ploidy, expected):
    allele = Allele("SOD1", role, copies=copies, ploidy=ploidy)
    assert cause(allele) == expected
    assert says(allele) == expected


# Likely pathogenic is 6 points and more (contract).
@pytest.mark.parametrize(
    ("points", "expected"),
    [(5, "not_found"), (6, "uncertain"), (7, "uncertain"), (12, "uncertain")],
)
def test_points_without_a_role(points, expected):
    assert cause(Allele("FUS", "", points)) == expected
    assert says(Allele("FUS", "", points)) == expected
    assert cause(Allele("ALS2", "", points)) == expected


@pytest.mark.parametrize("role", ["risk", "modifier", "other_disease"])
def test_points_do_not_lift_a_role_that_is_not_causal(role):
    assert cause(Allele("FUS", role, 12)) == "not_found"


@pytest.mark.parametrize(
    ("gene", "expected"), [("NEK1", "not_found"), ("UNC13A", "not_found"), ("TBK1", "uncertain")]
)
def test_points_in_a_gene_of_risk_alone_are_no_finding(gene, expected):
    assert cause(Allele(gene, "", 12)) == expected


@pytest.mark.parametrize("gene", ["SOD1", "TARDBP", "FUS"])
@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.0, "not_fully_tested"),
        (0.89, "not_fully_tested"),
        (0.9, "not_found"),
        (0.91, "not_found"),
        (np.nan, "not_fully_tested"),
    ],
)
def test_each_core_gene_must_have_been_looked_at(gene, fraction, expected):
    assert cause(assayed=CORE | {gene: fraction}) == expected
    # What was found stands, whatever else was not looked at.
    assert cause(Allele("SOD1", "causal_dominant"), assayed=CORE | {gene: fraction}) == "found"
    assert cause(Allele("SOD1", "vus"), assayed=CORE | {gene: fraction}) == "uncertain"


def test_the_core_genes_are_those_of_a_clinical_panel():
    """Roggenbuck 2023, doi:10.1002/acn3.51895; C9orf72 is read from its repeat."""
    assert set(core_genes(shipped())) == set(CORE)
    assert cause(assayed=CORE | {"C9orf72": 0.0, "TBK1": 0.0}) == "not_found"


# Repeat set als-ml-1: normal <= 23, intermediate 24-30, expanded >= 31 units (contract).
@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([], "not_fully_tested"),
        ([Call("C9orf72", 23, 23)], "not_found"),
        ([Call("C9orf72", 24, 24)], "uncertain"),
        ([Call("C9orf72", 30, 30)], "uncertain"),
        ([Call("C9orf72", 31, 31)], "found"),
        (
            [Call("C9orf72", 22, 25)],
            "uncertain",
        ),  # indeterminate: the interval lies across a boundary
        ([Call("C9orf72", 8, 8, complete=False)], "uncertain"),
        ([Call("C9orf72", 45, 900, complete=False)], "found"),
        ([Call("ATXN2", 34, 34)], "not_fully_tested"),  # another locus does not stand for C9orf72
    ],
)
def test_c9orf72(calls, expected):
    assert cause(calls=calls) == expected


@pytest.mark.parametrize("assayed", [{}, {"SOD1": 1.0}])
def test_c9orf72_where_the_genes_were_not_looked_at(assayed):
    assert cause(assayed=assayed) == "not_fully_tested"
    assert cause(assayed=assayed, calls=[Call("C9orf72", 24, 24)]) == "uncertain"
    assert cause(assayed=assayed, calls=[Call("C9orf72", 8, 40)]) == "uncertain"
    assert cause(assayed=assayed, calls=[Call("C9orf72", 31, 40)]) == "found"


def test_found_comes_before_uncertain_and_patients_stay_apart():
    alleles = [Allele("FUS", "vus", row=1), Allele("SOD1", "causal_dominant", row=1)]
    alleles.append(Allele("FUS", "vus", row=2))
    calls = [Call("C9orf72", 8, 8, row=0), Call("C9orf72", 8, 8, row=2)]
    made = cohort({}, {}, {}, alleles=alleles, assayed=CORE, calls=calls)
    assert genetic_cause(made).tolist() == ["not_found", "found", "uncertain"]


@pytest.mark.parametrize(
    ("fraction", "alleles", "expected"),
    [
        (0.89, [], np.nan),
        (0.9, [], 0),
        (np.nan, [], np.nan),
        (np.nan, [Allele("SOD1", "causal_dominant")], 1),
        (1.0, [Allele("SOD1", "causal_recessive")], 0),
        (1.0, [Allele("SOD1", "causal_recessive", copies=2)], 1),
        (1.0, [Allele("SOD1", "vus", 12)], 0),
    ],
)
def test_a_known_carrier_of_a_gene(fraction, alleles, expected):
    found = features(*alleles, assayed={"SOD1": fraction})
    assert found["causal_SOD1"] == approx(expected)
    assert np.isnan(found["causal_FUS"])
    made = cohort(alleles=alleles, assayed={"SOD1": fraction})
    assert causal_carriers(made)["SOD1"].tolist() == approx([expected])


EVERY = dict.fromkeys(gene_names(shipped()), 1.0)


@pytest.mark.parametrize(
    ("alleles", "calls", "assayed", "expected"),
    [
        ([], [NORMAL], EVERY, 0),
        ([], [NORMAL], EVERY | {"FUS": 0.5}, np.nan),  # one gene unknown: not known to have none
        ([], [], EVERY, np.nan),
        ([Allele("SOD1", "causal_dominant")], [], {}, 1),
        ([], [Call("C9orf72", 31, 31)], {}, 1),
        ([], [Call("C9orf72", 30, 30)], EVERY, 0),
    ],
)
def test_any_known_cause(alleles, calls, assayed, expected):
    assert features(*alleles, assayed=assayed, calls=calls)["causal_any"] == approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expanded", "intermediate"),
    [
        (23, 23, 0, 0),
        (24, 24, 0, 1),
        (30, 30, 0, 1),
        (31, 31, 1, 0),
        (8, 40, np.nan, np.nan),
    ],
)
def test_c9orf72_columns(low, high, expanded, intermediate):
    found = features(calls=[Call("C9orf72", low, high)])
    assert found["c9orf72_expanded"] == approx(expanded)
    assert found["c9orf72_intermediate"] == approx(intermediate)
    assert np.isnan(found["atxn2_risk"])
    untested = features()
    assert np.isnan(untested["c9orf72_expanded"])
    assert np.isnan(untested["c9orf72_intermediate"])


# ATXN2: normal <= 28, intermediate 29-30, risk 31-34, SCA2 range >= 35 (contract).
@pytest.mark.parametrize(("size", "risk"), [(28, 0), (29, 0), (30, 0), (31, 1), (34, 1), (35, 1)])
def test_atxn2_columns(size, risk):
    found = features(calls=[Call("ATXN2", size, size)])
    assert found["atxn2_risk"] == risk
    assert found["atxn2_longest"] == size
    assert np.isnan(found["c9orf72_expanded"])
    assert np.isnan(features()["atxn2_longest"])


def key_of(**cells: str) -> tuple[str, str]:
    table = known_variants(shipped(), BUILD)
    for name, value in cells.items():
        table = table[table[name] == value]
    return str(table.index[0]), str(table["gene"].iloc[0])


RISK, RISK_GENE = key_of(als_role="risk", gene="NEK1")
UNC13A, _ = key_of(rsid="rs12608932")
RISK_GENES = dict.fromkeys(("NEK1", "KIF5A", "CFAP410", "ANG", "PFN1"), 1.0)


@pytest.mark.parametrize(
    ("alleles", "assayed", "no_calls", "expected"),
    [
        ([], RISK_GENES, [], 0),
        ([], RISK_GENES | {"ANG": 0.5}, [], np.nan),
        ([], RISK_GENES, [(0, RISK)], np.nan),
        ([], RISK_GENES, [(0, "1-1-A-C")], 0),  # a no-call elsewhere
        ([Allele("NEK1", "risk", key=RISK)], RISK_GENES, [], 1),
        ([Allele("NEK1", "risk", key=RISK, copies=2)], RISK_GENES, [], 2),
        ([Allele("NEK1", "risk", key=RISK, copies=2)], {}, [], 2),
        ([Allele("NEK1", "", key="4-1-A-C", copies=2)], RISK_GENES, [], 0),
    ],
)
def test_risk_alleles(alleles, assayed, no_calls, expected):
    found = features(*alleles, assayed=assayed, no_calls=no_calls)
    assert found["risk_alleles"] == approx(expected)


@pytest.mark.parametrize(
    ("alleles", "fraction", "no_calls", "expected"),
    [
        ([], 0.9, [], 0),
        ([], 0.89, [], np.nan),
        ([], 1.0, [(0, UNC13A)], np.nan),
        ([Allele("UNC13A", "modifier", key=UNC13A, copies=2)], 1.0, [], 2),
        ([Allele("UNC13A", "modifier", copies=2)], 1.0, [], 0),
    ],
)
def test_the_common_unc13a_allele(alleles, fraction, no_calls, expected):
    found = features(*alleles, assayed={"UNC13A": fraction}, no_calls=no_calls)
    assert found["rs12608932_c"] == approx(expected)


@pytest.mark.parametrize(
    ("allele", "rare", "damaging", "points"),
    [
        # Frequency below, at and above the limit; unknown is not rare.
        (Allele("FUS", "", 2, 0.0), 1, 1, 2),
        (Allele("FUS", "", 2, 0.00099), 1, 1, 2),
        (Allele("FUS", "", 2, 0.001), 0, 0, 2),
        (Allele("FUS", "", 2, 0.002), 0, 0, 2),
        # Damaging from two points on.
        (Allele("FUS", "", 0, 0.0), 1, 0, 0),
        (Allele("FUS", "", 1, 0.0), 1, 0, 1),
        (Allele("FUS", "", 3, 0.0), 1, 1, 3),
        # (Likely) benign is -1 and less.
        (Allele("FUS", "", -1, 0.0), 0, 0, 0),
        (Allele("FUS", "", -2, 0.0), 0, 0, 0),
        # A known cause counts however frequent, but not among the rare ones without a role.
        (Allele("FUS", "causal_dominant", 1, 0.2), 0, 1, 1),
        (Allele("FUS", "causal_recessive", -4, 0.2), 0, 1, 0),
        (Allele("FUS", "vus", 3, 0.0), 0, 1, 3),
        (Allele("FUS", "risk", 3, 0.0), 0, 0, 3),
        (Allele("FUS", "modifier", 3, 0.0), 0, 0, 3),
        # Copies count.
        (Allele("FUS", "", 2, 0.0, copies=2), 2, 2, 2),
    ],
)
def test_what_counts_in_a_gene(allele, rare, damaging, points):
    found = features(allele, assayed={"FUS": 1.0}, lookups=Lookups(frequencies={}))
    assert (found["rare_FUS"], found["rare_alleles"]) == (rare, rare)
    assert (found["damaging_FUS"], found["damaging_alleles"]) == (damaging, damaging)
    assert found["points_FUS"] == points
    assert found["oligogenic"] == (damaging > 0)
    assert np.isnan(found["rare_SOD1"])
    assert np.isnan(found["points_SOD1"])


def test_a_frequency_that_nobody_knows_is_not_rare():
    found = features(Allele("FUS", "", 2), assayed={"FUS": 1.0}, lookups=Lookups(frequencies={}))
    assert (found["rare_FUS"], found["damaging_FUS"], found["points_FUS"]) == (0, 0, 2)


@pytest.mark.parametrize(("points", "rare"), [(-1, 1), (-7, 1), (0, 1)])
def test_earlier_models_counted_benign_alleles(points, rare):
    found = features(
        Allele("FUS", "", points, 0.0),
        assayed={"FUS": 1.0},
        benign_counted=True,
        lookups=Lookups(frequencies={}),
    )
    assert found["rare_FUS"] == rare


@pytest.mark.parametrize(
    ("lookups", "alleles", "fraction", "expected"),
    [
        (Lookups(frequencies={}), [], 0.9, 0),
        (Lookups(frequencies={}), [], 0.89, np.nan),
        (Lookups(frequencies={}), [], np.nan, np.nan),
        (Lookups(), [], 1.0, np.nan),  # without any frequency nobody knows what is rare
        (Lookups(), [Allele("SOD1", "", 0, 0.5)], 1.0, 0),  # a VCF that states frequencies itself
        (
            Lookups(frequencies={}),
            [Allele("FUS", "", 0, 0.0)],
            0.0,
            1,
        ),  # what was found was looked at
    ],
)
def test_a_count_is_0_only_where_it_was_looked_for(lookups, alleles, fraction, expected):
    assert features(*alleles, assayed={"FUS": fraction}, lookups=lookups)["rare_FUS"] == approx(
        expected
    )


def test_a_gene_read_for_its_repeat_has_no_rare_alleles():
    assert repeat_genes(shipped()) == ("C9orf72", "ATXN2", "STMN2", "NIPA1", "LRP12")
    for gene in repeat_genes(shipped()):
        found = features(
            Allele(gene, "", 3, 0.0), assayed={gene: 1.0}, lookups=Lookups(frequencies={})
        )
        assert found[f"rare_{gene}"] == 0
    known = Allele("C9orf72", "causal_dominant", 8, 0.0)
    assert features(known, assayed={"C9orf72": 1.0})["damaging_C9orf72"] == 1


def test_totals_over_genes_are_of_those_that_are_known():
    alleles = [
        Allele("FUS", "", 4, 0.0),
        Allele("SOD1", "", 2, 0.0, copies=2),
        Allele("SOD1", "", 7, 0.0),
    ]
    found = features(*alleles, assayed={"FUS": 1.0, "VCP": 1.0}, lookups=Lookups(frequencies={}))
    assert (found["rare_alleles"], found["damaging_alleles"]) == (4, 4)
    assert found["points_SOD1"] == 7  # the strongest, not the sum
    assert found["oligogenic"] == 2
    assert found["damaging_VCP"] == 0
    none = features(lookups=Lookups(frequencies={}), assayed={})
    assert all(np.isnan(none[name]) for name in ("rare_alleles", "damaging_alleles", "oligogenic"))


def test_genes_of_pure_risk_carry_rare_alleles_but_none_that_is_damaging():
    found = features(
        Allele("NEK1", "", 4, 0.0),
        assayed={"NEK1": 1.0, "FUS": 1.0},
        lookups=Lookups(frequencies={}),
    )
    assert (found["rare_NEK1"], found["damaging_alleles"]) == (1, 0)
    assert "damaging_NEK1" not in found
    assert "points_NEK1" not in found


@pytest.mark.parametrize(
    ("alleles", "expected"),
    [
        ([Allele("ALS2", "", 4, 0.0)], 0),
        ([Allele("ALS2", "", 4, 0.0, copies=2)], 1),
        ([Allele("ALS2", "", 4, 0.0), Allele("ALS2", "", 2, 0.0)], 1),  # two different alleles
        ([Allele("ALS2", "", 4, 0.0, copies=2), Allele("ALS2", "", 2, 0.0)], 1),
        ([Allele("ALS2", "", 1, 0.0, copies=2)], 0),
        ([], 0),
    ],
)
def test_two_damaging_alleles_of_a_recessive_gene(alleles, expected):
    found = features(*alleles, assayed={"ALS2": 1.0}, lookups=Lookups(frequencies={}))
    assert found["biallelic_ALS2"] == expected
    assert np.isnan(found["biallelic_SPG11"])


def test_the_burden_of_a_mechanism():
    """SOD1 takes part in oxidative stress and FUS does not (genes.tsv)."""
    alleles = [Allele("FUS", "", 4, 0.0), Allele("SOD1", "", 2, 0.0, copies=2)]
    found = features(*alleles, assayed={"FUS": 1.0}, lookups=Lookups(frequencies={}))
    assert found["mechanism_oxidative_stress"] == 2
    assert found["mechanism_dna_repair"] == 1
    assert found["mechanism_protein_aggregation_proteostasis_autophagy"] == 3
    assert np.isnan(found["mechanism_excitotoxicity"])  # DAO was not looked at
    assert mechanisms(shipped())["excitotoxicity"] == ("DAO",)
    assert mechanisms(shipped())["oxidative_stress"] == ("SOD1",)


def test_points_in_a_gene_read_for_its_repeat_do_not_count():
    found = features(Allele("C9orf72", "", 3, 0.0), assayed={"C9orf72": 1.0})
    assert found["points_C9orf72"] == 0


def test_a_known_cause_counts_where_no_frequency_is_known():
    assert features(Allele("FUS", "causal_dominant", 8))["damaging_FUS"] == 1


def test_benign_alleles_are_left_out_unless_asked_for():
    made = cohort(alleles=[Allele("FUS", "", -1, 0.0)], assayed={"FUS": 1.0})
    assert genetic_features(made, BUILD, RARE)["rare_FUS"].tolist() == [0]


def test_patients_do_not_influence_each_other():
    alleles = [Allele("FUS", "causal_dominant", 9, 0.0, row=1), Allele("SOD1", "", 2, 0.0, row=1)]
    made = cohort(
        {},
        {},
        {},
        alleles=alleles,
        assayed=[{"SOD1": 0.5}, CORE, EVERY],
        calls=[Call("C9orf72", 8, 8, row=2)],
        lookups=Lookups(frequencies={}),
    )
    assert genetic_cause(made).tolist() == ["not_fully_tested", "found", "not_found"]
    found = genetic_features(made, BUILD, RARE)
    assert found["causal_any"].tolist() == approx([np.nan, 1, 0])
    assert found["rare_alleles"].tolist() == approx([np.nan, 1, 0])
    assert found["damaging_alleles"].tolist() == approx([np.nan, 2, 0])
    assert found["oligogenic"].tolist() == approx([np.nan, 2, 0])
    assert found["points_FUS"].tolist() == approx([np.nan, 9, 0])


def test_which_genes_are_which():
    tables = shipped()
    assert {"SOD1", "TARDBP", "FUS", "UBQLN2"} <= set(causal_genes(tables))
    assert not {"NEK1", "UNC13A", "C9orf72"} & set(causal_genes(tables))
    assert not {"NEK1", "UNC13A", "EPHA4", "ATXN2"} & set(scored_genes(tables))
    assert recessive_genes(tables) == ("ALS2", "SPG11", "FIG4", "SIGMAR1")
    order = gene_names(tables)
    for genes in (causal_genes(tables), scored_genes(tables)):
        assert list(genes) == sorted(genes, key=order.index)


def test_every_column_is_described_once_and_in_order():
    made = genetic_features(cohort(), BUILD, RARE)
    named = [feature.name for feature in genetic_dictionary(shipped())]
    assert set(named) == set(made)
    assert len(set(named)) == len(named)


def test_more_of_what_never_speaks_against_a_familial_disease():
    rising = rising_features(shipped())
    assert {
        "causal_any",
        "causal_SOD1",
        "c9orf72_expanded",
        "rare_FUS",
        "damaging_FUS",
        "points_FUS",
    } <= rising
    assert {"biallelic_ALS2", "oligogenic", "mechanism_oxidative_stress", "rare_alleles"} <= rising
    assert (
        not {"c9orf72_intermediate", "atxn2_risk", "atxn2_longest", "risk_alleles", "rs12608932_c"}
        & rising
    )
