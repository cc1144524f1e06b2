"""The decision tree of PVS1, each branch at and beside its border."""

from dataclasses import replace

import pytest

from features.catalogue import gene_names, shipped
from features.variants.coding_change import NewStop
from features.variants.evidence import Sources, assess
from features.variants.gene_models import deep_in_intron, skipped_exon, transcripts
from features.variants.lookups import NO_LOOKUPS
from features.variants.null_variants import null_strength, validity
from features.variants.variant import describe
from tests.definitions import with_cell

B = "GRCh38"
MODELS = transcripts(shipped(), B)


def described(gene, key):
    return describe(shipped(), key, gene, None, B, NO_LOOKUPS)


def strength(gene, key, definitions=None, **changed):
    variant = replace(described(gene, key), **changed)
    found = null_strength(definitions or shipped(), variant, B, known=False)
    return found[0] if found else None


def key_at(gene, offset, ref, alt):
    """Key of a change on the gene's strand, for a gene on the forward strand."""
    model = MODELS[gene]
    pos = next(
        p
        for start, end in model.coding
        for p in range(start, end + 1)
        if model.coding_offset(p) == offset
    )
    return f"{model.chrom}-{pos}-{ref}-{alt}"


TBK1 = MODELS["TBK1"]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (300, "PVS1"),
        (TBK1.decay_from - 1, "PVS1"),
        (TBK1.decay_from, "PVS1_moderate"),  # 5 % of the protein is behind it
    ],
)
def test_a_stop_counts_in_full_before_the_decay_boundary(offset, expected):
    assert strength("TBK1", key_at("TBK1", offset, "A", "T"), consequence="stop_gained") == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0.101, "PVS1_strong"), (0.1, "PVS1_moderate"), (0.09, "PVS1_moderate")]
)
def test_beyond_it_by_the_share_of_the_protein_that_is_lost(share, expected):
    offset = round((1 - share) * TBK1.coding_length)
    changed = {"consequence": "frameshift_variant", "offset": offset, "stop": NewStop(())}
    assert strength("TBK1", key_at("TBK1", 300, "A", "T"), **changed) == expected


@pytest.mark.parametrize(
    ("chance", "expected"), [(0.9991, "PVS1"), (0.999, "PVS1_strong"), (0.5, "PVS1_strong")]
)
def test_a_frameshift_counts_in_full_where_a_stop_is_as_good_as_certain(chance, expected):
    changed = {"consequence": "frameshift_variant", "stop": NewStop(((330, chance),))}
    assert strength("TBK1", key_at("TBK1", 300, "A", "T"), **changed) == expected


def test_a_skipped_exon_counts_by_its_frame():
    """TBK1 exon of c.992+1 has 98 * 3 bases; SPG11's second exon shifts the frame early."""
    lengths = [end - start + 1 for start, end in TBK1.coding]
    for index, length in enumerate(lengths[1:-1], 1):
        pos = TBK1.coding[index][1] + 1  # first base of the intron: the donor
        found = strength("TBK1", f"12-{pos}-G-A")
        if length % 3 == 0:
            share = length / TBK1.coding_length
            assert found == ("PVS1_strong" if share > 0.1 else "PVS1_moderate")
    assert skipped_exon(TBK1, 64451000, 64451000) is None  # before the gene


def test_the_skipped_exon_is_that_of_the_splice_site():
    sod1 = MODELS["SOD1"]
    second = (72, 97)
    assert skipped_exon(sod1, 31663789, 31663789) == second  # acceptor of the second exon
    assert skipped_exon(sod1, 31663887, 31663887) == second  # its donor
    assert skipped_exon(sod1, 31663889, 31663889) is None
    spg11 = strength("SPG11", f"15-{MODELS['SPG11'].coding[-2][0] - 1}-C-A")
    assert spg11 == "PVS1"


@pytest.mark.parametrize(
    ("valid", "expected"),
    [
        ("definitive", "PVS1"),
        ("strong", "PVS1"),
        ("moderate", "PVS1_strong"),
        ("limited", None),
        ("none", None),
        ("", None),
    ],
)
def test_validity_takes_steps_off(valid, expected):
    definitions = with_cell(shipped(), "genes", "TBK1", "validity_loss", valid)
    key = key_at("TBK1", 300, "A", "T")
    assert strength("TBK1", key, definitions, consequence="stop_gained") == expected


def test_a_lost_start_is_supporting_without_known_variants_before_the_next_methionine():
    assert strength("TBK1", key_at("TBK1", 0, "A", "G")) == "PVS1_supporting"


def test_each_gene_has_its_validity_and_reason():
    rows = {row["gene"]: row for row in shipped().rows("genes")}
    assert set(gene_names(shipped())) <= set(rows)
    for gene, row in rows.items():
        assert row["validity_reason"].endswith("(P) in the classes of ClinGen"), gene
    assert validity(shipped())["DAO", "loss"] == "limited"


@pytest.mark.parametrize("gene", ["DAO", "ERBB4", "GLT8D1"])
def test_a_frameshift_in_a_gene_of_limited_evidence_is_no_finding(gene):
    model = MODELS[gene]
    start = model.coding[len(model.coding) // 2][0] + 6
    variant = described(gene, f"{model.chrom}-{start}-C-CA")
    assert variant.consequence in ("frameshift_variant", "stop_gained")
    assert assess(variant, Sources(shipped(), B)).classification == "VUS"


@pytest.mark.parametrize(
    ("strand", "pos", "deep"),
    [
        ("+", 106, False), ("+", 107, True), ("+", 179, True), ("+", 180, True), ("+", 181, False),
        ("-", 120, False), ("-", 121, True), ("-", 194, True), ("-", 195, False),
    ],
)  # fmt: skip
def test_deep_in_an_intron_is_from_7_after_and_21_before_an_exon(strand, pos, deep):
    """The intron is 101-200: +7 is 107 forward and 194 reverse, -21 is 180 forward, 121 reverse."""
    model = replace(MODELS["SOD1"], strand=strand, starts=(1, 201), ends=(100, 300))
    assert deep_in_intron(model, pos, pos) == deep
