"""What the evidence makes of variants whose answer is known, and that its rules are the tables'."""

from dataclasses import replace
from functools import cache

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import priors
from features.catalogue import Definitions, gene_names, known_variants, shipped
from features.errors import RequestError
from features.variants.annotation import Effect, effect_of, protein_change
from features.variants.consequences import Possible
from features.variants.evidence import Sources, assess, classify, posterior
from features.variants.gene_models import place, transcripts
from features.variants.lookups import NO_LOOKUPS, Assertion, Lookups, population_lookups
from features.variants.variant import describe, find_known, gene_rules

B = "GRCh38"
A5V = "21-31659783-C-T"
NOWHERE = Lookups(frequencies={})  # a frequency file in which nothing of this is found


def weighed(
    key,
    gene,
    consequence="",
    protein="",
    lookups=NOWHERE,
    frequency=None,
    scores=(None,) * 4,
    **sources,
):
    effect = Effect(
        consequence, hgvs_p=protein, scores=scores, frequency=frequency, origin="VCF CSQ"
    )
    variant = describe(shipped(), key, gene, effect, B, lookups)
    return assess(variant, Sources(shipped(), B, lookups, **sources))


def names(assessment):
    return [c.name for c in assessment.criteria]


TBK1_STOP = ("12-64464454-C-T", "TBK1", "stop_gained", "p.Arg117Ter")


@pytest.mark.parametrize(
    ("case", "expected", "points"),
    [
        (TBK1_STOP, ["PVS1", "PM2"], 9),  # loss of function is how TBK1 causes disease
        (
            ("21-31659790-G-GA", "SOD1", "frameshift_variant", "p.Val8fs"),
            ["PM2"],
            1,
        ),  # not how SOD1 does
        (("16-31191400-C-T", "FUS", "stop_gained", "p.Arg495Ter"), ["PVS1_GOF", "PM2"], 5),
        (("12-57582601-G-A", "KIF5A", "splice_acceptor_variant", ""), ["PVS1_GOF", "PM2"], 5),
        (("12-64497000-C-T", "TBK1", "synonymous_variant", "p.Gly700="), ["BP7"], -1),
        (("12-64464460-CAAA-C", "TBK1", "inframe_deletion", "p.Lys119del"), ["PM2", "PM4"], 2),
    ],
)
def test_criteria_without_known_variants(case, expected, points):
    found = weighed(*case, known=False)
    assert (names(found), found.points) == (expected, points)


def test_known_neighbours_count_and_never_the_variant_itself():
    found = weighed("21-31659783-C-G", "SOD1", "missense_variant", "p.Ala5Gly")
    assert names(found)[0] == "PM5"
    assert all("21-31659783-C-G" not in c.reason for c in found.criteria)
    same = weighed(
        "21-31663829-G-T", "SOD1", "missense_variant", "p.Gly38Arg"
    )  # made up: the same change by another base
    assert "PS1" in names(same)


def test_clinvar_off_uses_no_known_variant():
    on, off = (
        weighed(A5V, "SOD1", "missense_variant", "p.Ala5Val", known=known)
        for known in (True, False)
    )
    assert (on.classification, off.classification) == ("P", "VUS")
    assert not {"KNOWN", "PS1", "PM5"} & set(names(off))


# What ClinVar may have said of a causal row, and what the row then weighs.
SAID = (
    ("Pathogenic", 8),
    ("Pathogenic (2 stars)", 8),
    ("Pathogenic/Likely pathogenic", 8),
    ("Likely pathogenic", 6),
    ("Pathogenic (recalled)", 6),
    ("Pathogenic / likely pathogenic (recalled)", 6),
    ("Conflicting classifications of pathogenicity", 6),
    ("", 6),
)


@cache
def tables_of_what_was_said() -> tuple[Definitions, Definitions, tuple[str, ...]]:
    """Tables in which causal rows of SOD1 have these words, those of an earlier model, and the
    variants.
    """
    rows = shipped().table("known_variants").copy()
    own = (rows["gene"] == "SOD1") & (rows["als_role"] == "causal_dominant")
    at = rows.index[own][: len(SAID)]
    rows.loc[at, "clinvar_significance"] = [said for said, _ in SAID]
    text = rows.to_csv(sep="\t", index=False, lineterminator="\n")
    tables = Definitions({**shipped().texts, "known_variants": text})
    lines = tables.texts["evidence"].split("\n")
    earlier = "\n".join(line for line in lines if not line.startswith("KNOWN_likely"))
    terms = [line.split("\t") for line in tables.texts["consequences"].splitlines()]
    without = "\n".join("\t".join([*cells[:3], *cells[4:]]) for cells in terms)
    former = Definitions({**tables.texts, "evidence": earlier, "consequences": without})
    keys = rows.loc[at, ["chrom", "pos_grch38", "ref", "alt"]].agg("-".join, axis=1)
    return tables, former, tuple(keys)


@pytest.mark.parametrize(("number", "said", "points"), [(i, *pair) for i, pair in enumerate(SAID)])
def test_the_known_table_counts_by_its_source(number, said, points):
    tables, former, keys = tables_of_what_was_said()
    key = keys[number]
    variant = describe(tables, key, "SOD1", None, B, NO_LOOKUPS)
    found = assess(variant, Sources(tables, B))
    known = next(c for c in found.criteria if c.name == "KNOWN")
    assert known.points == points
    assert (said or "not in ClinVar") in known.reason
    # The tables of an earlier model have one weight.
    weighed_then = assess(describe(former, key, "SOD1", None, B, NO_LOOKUPS), Sources(former, B))
    assert next(c.points for c in weighed_then.criteria if c.name == "KNOWN") == 8


@pytest.mark.parametrize(
    ("word", "points"),
    [("Pathogenic", 1), ("Likely_benign", -1), ("Conflicting_interpretations", 0)],
)
def test_clinvars_own_word_is_off_unless_asked_for(word, points):
    lookups = Lookups({}, {"12-64497000-C-T": Assertion(word, 2)})
    case = ("12-64497000-C-T", "TBK1", "missense_variant", "p.Gly700Ser")
    without, asked = (weighed(*case, lookups=lookups, assertions=on).points for on in (False, True))
    assert asked - without == points


@pytest.mark.parametrize(
    ("frequency", "criterion"),
    [(0.0, "PM2"), (2e-5, None), (2e-4, "BS1"), (2e-3, "BS1"), (0.06, "BA1"), (None, None)],
)
def test_frequency(frequency, criterion):
    lookups = NO_LOOKUPS if frequency is None else NOWHERE
    found = weighed("12-64497000-C-T", "TBK1", "coding_sequence_variant", "", lookups, frequency)
    assert names(found) == ([criterion] if criterion else [])


def test_a_recessive_founder_allele_is_not_benign_by_frequency():
    found = weighed("21-31667290-A-C", "SOD1", "missense_variant", "p.Asp91Ala", frequency=0.02)
    assert not {"BA1", "BS1"} & set(names(found))


@pytest.mark.parametrize(
    ("scores", "points"),
    [
        ((0.95, None, None, None), 4),
        ((0.7, 0.99, 30, None), 1),
        ((None, 0.95, None, None), 2),
        ((0.1, None, None, None), -2),
        ((None, None, 5.0, None), -2),
        ((None, None, None, 0.5), 1),
    ],
)
def test_a_present_predictor_is_used_the_first_one_only(scores, points):
    case = ("12-64497000-C-T", "TBK1", "missense_variant", "p.Gly700Thr")
    without = weighed(*case, known=False).points
    predicted = [
        c.points
        for c in weighed(*case, scores=scores, known=False).criteria
        if c.name in ("PP3", "BP4")
    ]
    assert sum(predicted) == points or (
        scores[3] and weighed(*case, scores=scores, known=False).points - without == points
    )


def test_pp3_is_left_out_beside_pvs1_and_capped_with_pm1():
    assert "PP3" not in names(weighed(*TBK1_STOP, scores=(None, None, None, 0.9)))
    found = weighed(
        "21-31659783-C-G", "SOD1", "missense_variant", "p.Ala5Gly", scores=(0.95, None, None, None)
    )
    assert sum(c.points for c in found.criteria if c.name in ("PM1", "PP3")) <= 4


@given(st.integers(-20, 30))
def test_class_and_posterior_grow_with_the_points(points):
    order = ["B", "LB", "VUS", "LP", "P"]
    assert 0 < posterior(points) < posterior(points + 1) < 1
    assert order.index(classify(points)) <= order.index(classify(points + 1))


def test_every_known_causal_variant_is_pathogenic_or_likely_so_with_the_table():
    table = known_variants(shipped(), B)
    for key, row in table[table["als_role"].str.startswith("causal")].iterrows():
        found = assess(
            describe(shipped(), key, row["gene"], None, B, NOWHERE), Sources(shipped(), B, NOWHERE)
        )
        assert found.classification in ("P", "LP"), (key, found.text)


def test_both_numberings_of_sod1():
    names_of_one = ("A4V", "p.Ala5Val", "p.A5V", "A5V", "p.(Ala5Val)")
    assert {find_known(shipped(), "SOD1", name, B) for name in names_of_one} == {A5V}
    with pytest.raises(RequestError, match=r"no known variant has this name\. Did you mean"):
        find_known(shipped(), "SOD1", "A5W", B)


def test_each_gene_of_the_panel_has_its_rules():
    assert set(gene_names(shipped())) <= set(gene_rules(shipped()).index)


@pytest.mark.parametrize(
    ("gene", "pos", "ref", "alt", "consequence", "residue"),
    [
        ("SOD1", 31659770, "A", "G", "start_lost", 1),
        ("SOD1", 31659783, "C", "T", "coding_sequence_variant", 5),
        ("SOD1", 31659783, "CG", "C", "frameshift_variant", 5),
        ("SOD1", 31659783, "C", "CGAG", "inframe_insertion", 5),
        ("SOD1", 31659842, "G", "A", "splice_donor_variant", None),
        ("SOD1", 31659845, "G", "A", "splice_region_variant", None),
        ("SOD1", 31659900, "G", "A", "intron_variant", None),
        ("SOD1", 31659700, "G", "A", "5_prime_UTR_variant", None),
        ("SOD1", 31655000, "G", "A", "upstream_gene_variant", None),
        ("VCP", 35065364, "G", "A", "coding_sequence_variant", 155),  # on the reverse strand
        ("TARDBP", 11022418, "A", "G", "coding_sequence_variant", 337),
    ],
)
def test_the_gene_model_alone(gene, pos, ref, alt, consequence, residue):
    found = place(shipped(), gene, pos, ref, alt, B)
    assert (found.consequence, found.residue) == (consequence, residue)


def test_residues_of_known_variants_agree_with_the_gene_models():
    for build in ("GRCh37", "GRCh38"):
        for key, row in known_variants(shipped(), build).iterrows():
            change, model = (
                protein_change(row["hgvs_p"]),
                transcripts(shipped(), build).get(row["gene"]),
            )
            if change and model:
                found = place(
                    shipped(), row["gene"], int(key.split("-")[1]), *key.split("-")[2:], build
                )
                assert found.residue == change[1], (build, row["gene"], row["hgvs_p"])


def test_an_effect_on_another_gene_or_allele_is_left_out():
    header = {"CSQ": "Format: Allele|Consequence|SYMBOL"}
    info = {"CSQ": "T|stop_gained|XYZ,G|missense_variant|SOD1,T|synonymous_variant|SOD1"}
    assert (
        effect_of(shipped(), info, header, "T", 0, "SOD1", "C").consequence == "synonymous_variant"
    )
    assert effect_of(shipped(), info, header, "A", 0, "SOD1", "C") is None


def test_a_served_record_may_name_a_known_variant_by_its_protein_change():
    from als_ml.cohort.records import read_records
    from features.blocks.spec import FeatureSpec
    from features.catalogue import shipped

    names = ["SOD1:p.Ala5Val 0/1", "SOD1:A4V 0/1", "21-31659783-C-T 0/1", "SOD1:A9Z 0/1"]
    records = [{"sample_id": str(i), "variants": [name]} for i, name in enumerate(names)]
    cohort, rows, errors = read_records(records, FeatureSpec(), NO_LOOKUPS, shipped())
    assert (list(rows), cohort.genotypes.keys().tolist()) == ([0, 1, 2], [A5V] * 3)
    assert errors[3]["field"] == "variants"


def test_the_protein_may_leave_a_stop_open_which_is_then_never_benign():
    """ALS2 p.Arg1421: C>T gives Cys, Trp or a stop, and the sequence is not known here."""
    key = "2-201709900-G-A"
    variant = describe(shipped(), key, "ALS2", None, B, Lookups(frequencies={key: 0.02}))
    assert variant.may_stop
    assert variant.consequence == "coding_sequence_variant"
    found = assess(variant, Sources(shipped(), B))
    assert (found.classification, names(found)) == ("VUS", ["BS1", "UNRESOLVED"])
    assert found.points == 0


def test_a_criterion_counts_only_if_every_possible_effect_meets_it():
    variant = describe(shipped(), "2-201709900-G-A", "ALS2", None, B, NOWHERE)
    assert names(assess(variant, Sources(shipped(), B))) == ["PM2"]  # PVS1 for the stop alone


@pytest.mark.parametrize(
    ("pos", "frequency"), [(1000, 0.0), (1050, 0.0), (1051, None), (950, 0.0), (949, None)]
)
def test_a_frequency_file_covers_what_is_near_its_records(pos, frequency):
    lookups = Lookups(frequencies={"1-1000-A-G": 0.1}, reach=50)
    assert lookups.frequency(f"1-{pos}-A-T") == frequency
    assert lookups.frequency(f"2-{pos}-A-T") is None
    assert Lookups(frequencies={"1-1000-A-G": 0.1}).frequency(f"1-{pos}-A-T") == 0.0


def test_few_chromosomes_tell_no_rare_frequency_and_the_lower_bound_decides():
    alleles = {"1-1-A-G": 1_999.0, "1-2-A-G": 2_000.0, "1-3-A-G": 1_999.0, "1-4-A-G": 1e5}
    known = {"1-1-A-G": 5e-4, "1-2-A-G": 5e-4, "1-3-A-G": 1e-3, "1-4-A-G": 3e-5}
    groups = {"1-4-A-G": 2e-4}
    lookups = population_lookups(known, {"AN": alleles, "AF_popmax": groups}, None)
    assert [lookups.frequency(key) for key in known] == [None, 5e-4, 1e-3, 3e-5]
    highest, at_least = lookups.bounds("1-4-A-G")
    assert highest == 2e-4
    assert at_least == pytest.approx(0.8177 / 1e5, rel=1e-3)  # lower bound of 3: R, qgamma(.05, 3)
    again = Lookups.from_json(lookups.as_json())
    assert (again.reach, again.population) == (lookups.reach, lookups.population)


@pytest.mark.parametrize(("frequency", "role"), [(1e-4, "causal_dominant"), (1.1e-4, "vus")])
def test_a_frequency_that_rules_it_out_outweighs_the_known_table(frequency, role):
    found = describe(shipped(), A5V, "SOD1", None, B, Lookups(frequencies={A5V: frequency}))
    assert found.role == role
    assessed = assess(found, Sources(shipped(), B))
    assert (assessed.classification in ("P", "LP")) == (role != "vus")
    assert "KNOWN" in names(assessed)  # said, with no points


@pytest.mark.parametrize(
    ("key", "gene", "criteria"),
    [
        ("21-31659784-C-T", "SOD1", ["BP7"]),  # silent
        ("21-31659841-G-A", "SOD1", ["PM2"]),  # silent, last base of the exon
        ("21-31659900-G-A", "SOD1", ["BP7"]),  # deep in the intron
        ("21-31659847-G-A", "SOD1", ["PM2"]),  # +6
        ("21-31659700-G-A", "SOD1", []),  # 5' UTR
    ],
)
def test_silent_variants_far_from_splice_sites_count_as_benign_and_rarity_does_not(
    key, gene, criteria
):
    found = describe(shipped(), key, gene, None, B, NOWHERE)
    assert names(assess(found, Sources(shipped(), B, known=False))) == criteria


def test_one_null_allele_of_optn_is_a_risk_and_two_are_a_cause():
    from als_ml.variant_table.carriers import finding, inheritance_of

    variant = describe(shipped(), "10-13112541-C-CA", "OPTN", None, B, NOWHERE)
    assert variant.kind == "null"
    mode = inheritance_of(shipped(), variant)
    word = assess(variant, Sources(shipped(), B)).classification
    assert word in ("P", "LP")
    says = [finding(word, mode, z, second="none") for z in ("heterozygous", "homozygous")]
    assert says == ["risk allele", "causal"]


def test_a_null_allele_of_tbk1_is_of_reduced_penetrance():
    from als_ml.variant_table.carriers import finding, inheritance_of

    # Neither known nor in a table of frequencies; p.Arg444Ter of the known table.
    for key in ("12-64464400-C-CA", "12-64486007-C-T"):
        variant = describe(shipped(), key, "TBK1", None, B, NOWHERE)
        mode = inheritance_of(shipped(), variant)
        assert finding("LP", mode, "heterozygous", second="none") == "reduced penetrance"


@pytest.mark.slow
def test_no_gene_makes_more_carriers_causal_than_its_share_of_als_allows(reference_data):
    """gnomAD r2.1, known variants off: lower Poisson bound against share / penetrance."""
    from benchmarks.population import by_gene, called

    rows = by_gene(called(known=False))
    assert [row.gene for row in rows if row.reduced] == ["TBK1"]
    assert all(row.low <= row.allowed for row in rows if not row.reduced)
    assert all(row.low > row.allowed for row in rows if row.reduced)


SILENT = ("12-64497000-C-T", "TBK1", "synonymous_variant", "p.Gly700=")
MISSENSE = ("12-64497000-C-T", "TBK1", "missense_variant", "p.Gly700Thr")


def by_hand(points, prior):
    odds = 350 ** (points / 8) * prior / (1 - prior)
    return odds / (1 + odds)


@pytest.mark.parametrize(
    ("consequence", "prior"),
    [
        ("synonymous_variant", 0.01),
        ("intron_variant", 0.01),
        ("5_prime_UTR_variant", 0.01),
        ("upstream_gene_variant", 0.01),
        ("splice_region_variant", 0.08),
        ("missense_variant", 0.10),
        ("inframe_deletion", 0.10),
        ("coding_sequence_variant", 0.10),
    ],
)
def test_prior_is_that_of_the_consequence(consequence, prior):
    found = weighed("12-64497000-C-T", "TBK1", consequence, lookups=NO_LOOKUPS, known=False)
    assert found.pathogenicity == pytest.approx(by_hand(found.points, prior))


@pytest.mark.parametrize(("strength", "prior"), [(1, 0.01), (2, 0.10), (4, 0.10), (-1, 0.01)])
def test_prior_of_the_consequence_counts_beside_supporting_evidence_alone(strength, prior):
    """A criterion of more than one point tells more than the place."""
    said = Lookups(stated={SILENT[0]: (("PS4", strength, "stated"),)})
    found = weighed(*SILENT, lookups=said, known=False)
    assert found.points == strength - 1
    assert found.pathogenicity == pytest.approx(by_hand(strength - 1, prior))


def test_prior_of_several_possible_effects_is_their_mean():
    variant = describe(shipped(), "9-132334966-G-A", "SETX", Effect(""), B, NO_LOOKUPS)
    some = ("synonymous_variant", None), ("missense_variant", ("L", "F"))
    open_ = replace(variant, possible=tuple(Possible(*one) for one in some))
    found = assess(open_, Sources(shipped(), B, known=False))
    assert found.points == 0
    assert found.pathogenicity == pytest.approx((0.01 + 0.10) / 2)


def test_an_earlier_model_has_one_prior():
    _, tables, _ = tables_of_what_was_said()
    variant = describe(tables, SILENT[0], "TBK1", Effect(SILENT[2]), B, NO_LOOKUPS)
    assert assess(variant, Sources(tables, B, known=False)).pathogenicity == posterior(-1)


def test_prior_is_the_share_of_the_excess_of_singletons():
    """By hand: half of silent changes are singletons, 3/4 of missense, 5/8 beside splice sites."""
    counts = {
        "synonymous": [1, 1, 2, 2],
        "missense": [1, 1, 1, 9],
        "splice_region": [1] * 5 + [2] * 3,
        "utr": [2, 2],
    }
    rows = [(kind, False, n) for kind, seen in counts.items() for n in seen]
    # Among transitions all silent ones are singletons, so that a missense singleton is no more.
    rows += [("synonymous", True, 1), ("missense", True, 1)]
    found = priors.excess(pd.DataFrame(rows, columns=["kind", "transition", "count"]))
    assert found["excess"].round(3).to_dict() == {
        "missense": 0.2,
        "splice_region": 0.125,
        "synonymous": 0.0,
        "utr": -0.5,
    }
    assert found["prior"].round(4).to_dict() == {
        "missense": 0.1,
        "splice_region": 0.0625,
        "synonymous": 0.01,
        "utr": 0.01,
    }
