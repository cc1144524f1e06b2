"""Identifiers of GA4GH VRS, by the examples of the specification and by its reference
implementation.
"""

import pysam
import pytest

from features.catalogue import shipped
from features.variants.gene_models import transcripts
from features.variants.vrs import (
    allele_id,
    fasta_around,
    known_around,
    sha512t24u,
    trimmed,
    vrs_id,
)


# The published examples of the specification and of its reference implementation.
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("19-44908822-C-T", "ga4gh:VA.0AePZIWZUNsUlQTamyLrjm2HWUw2opLt"),  # rs7412
        ("7-55181320-A-T", "ga4gh:VA.Hy2XU_-rp4IMh6I_1NXNecBo8Qx8n0oE"),
        ("9-128325835-C-T", "ga4gh:VA.SZIS2ua7AL-0YgUTAqyBsFPYK3vE8h_d"),  # ClinVar 383650
    ],
)
def test_identifiers_of_published_examples(key, expected):
    assert vrs_id(shipped(), key, "GRCh38") == expected


# A made-up beginning of chromosome 21; identifiers by the Python package `ga4gh.vrs` 2.3.3.
BASES = "GGATTTACAGCAGCAGTTCATCATGGGAAACCCTAGATTATAAGACC"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("21-7-A-AC", "ga4gh:VA.fLV6ZCdQGGa6szYMamx1TM4G05Q0K68I"),
        ("21-4-T-TT", "ga4gh:VA.xSP3kVypQWd-DNFft1RB1zooOtCyvTwB"),
        ("21-3-A-AT", "ga4gh:VA.xSP3kVypQWd-DNFft1RB1zooOtCyvTwB"),
        ("21-3-AT-A", "ga4gh:VA.v6HQqrfPuW5uEtq0ge2D3LnnNVqs-Kdn"),
        ("21-8-CAGC-C", "ga4gh:VA.f0hIvp_-A82s-187GsQdgcNNdThJxKZA"),
        ("21-8-C-CAGC", "ga4gh:VA.Fa-DV5Ys6JxwHJ8sAezUJ8AqSyNpxHzL"),
        ("21-9-A-AGCAGCA", "ga4gh:VA.26jQWYewEXPx0x_m1GlTPKopj89SYslH"),
        ("21-17-T-TCAT", "ga4gh:VA.YasEXgVNv5beJQrHePPcxw4wifP-2rar"),
        ("21-25-G-GC", "ga4gh:VA.-bDrJO5hF8zbZtXTWeQfE4wpoxxdlrym"),
        ("21-40-A-AAA", "ga4gh:VA.GzQkxt9MzyMrPwbtkkiFreucdkfRQPA4"),
        ("21-10-GC-G", "ga4gh:VA.rAkVxTYw3yN2uHEf6K7e_RfPHucGSsXX"),
        ("21-20-ATCA-A", "ga4gh:VA.o94KVAY3ix2MNNnRmBgaWthtQPt5aBLo"),
        ("21-28-A-AAAAA", "ga4gh:VA.aGWB-CsinTEdSTrV0z6mYjmGGKJ4mwcM"),
        ("21-30-ACC-A", "ga4gh:VA.bCwFNM6jYFUxWdaRgqilA36IVBQUvooT"),
        ("21-12-A-T", "ga4gh:VA.fU7Mie6xcRDyamQsVJPFZMahTbp-h48K"),
        ("21-12-AGC-TT", "ga4gh:VA.JBE8iuaIjPF0dhL5LB42MNU0XWqGfQ_Z"),
        ("21-5-TTA-T", "ga4gh:VA.ZLIH0WpwZ0ZP2MESmcvgxYb4E5Ukw_0D"),
    ],
)
def test_identifiers_of_indels_are_those_of_the_reference_implementation(key, expected):
    def around(_contig: str, pos: int) -> str:
        return BASES[pos - 1] if 1 <= pos <= len(BASES) else ""

    assert vrs_id(shipped(), key, "GRCh38", around) == expected


@pytest.mark.parametrize(
    ("key", "bases", "start", "ref", "alt"),
    [
        # By hand after the specification (Normalization): one more CAG beside GCAG, whose first
        # base is no C, and one less of three.
        ("21-3-G-GCAG", "TTGCAGTT", 2, "GCAG", "GCAGCAG"),
        ("21-2-TCAG-T", "TTCAGCAGCAGTT", 2, "CAGCAGCAG", "CAGCAG"),
    ],
)
def test_a_repeat_is_named_by_its_length_and_unit(key, bases, start, ref, alt):
    found = vrs_id(shipped(), key, "GRCh38", lambda _, pos: bases[pos - 1 : pos])
    accession = shipped().table("contigs").set_index("chrom").loc["21", "refget_grch38"]
    state = {
        "length": len(alt),
        "repeatSubunitLength": 3,
        "type": "ReferenceLengthExpression",
    }
    assert bases[start : start + len(ref)] == ref
    assert found == allele_id(accession, start, start + len(ref), state)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("run", "named"), [(999, True), (1000, True), (1001, False)])
def test_a_variant_that_shifts_further_than_1000_bases_has_no_identifier(side, run, named):
    """A run of T between two A; one T is added at its first or its last base."""
    bases = "CA" + "T" * run + "AC"
    pos = 2 if side == "right" else 2 + run
    key = f"21-{pos}-{bases[pos - 1]}-{bases[pos - 1]}T"
    found = vrs_id(shipped(), key, "GRCh38", lambda _, pos: bases[pos - 1 : pos])
    assert bool(found) == named


@pytest.mark.parametrize(("known", "named"), [((5, 7), True), ((5, 6), False), ((6, 7), False)])
def test_an_identifier_needs_the_bases_up_to_where_a_shift_ends(known, named):
    """One more T in CTTTA, of which only some bases are known: it can shift from 5 to 7."""
    bases = {4: "C", 5: "T", 6: "T", 7: "T", 8: "A"}
    first, last = known[0] - 1, known[1] + 1
    shown = {pos: base for pos, base in bases.items() if first <= pos <= last}
    found = vrs_id(shipped(), "21-6-T-TT", "GRCh38", lambda _, pos: shown.get(pos, ""))
    assert bool(found) == named


@pytest.mark.parametrize("prefix", ["", "chr"])
def test_bases_of_a_fasta(tmp_path, prefix):
    """Across the borders of what is read at a time, in small letters, and masked."""
    text = "A" * 1023 + "CgTN" + "T" * 1100 + "G"
    path = tmp_path / "a.fa"
    path.write_text(f">{prefix}21\n{text}\n")
    pysam.faidx(str(path))
    with fasta_around(path) as around:
        found = [around("21", pos) for pos in (0, 1, 1023, 1024, 1025, 1026, 1027, 1028)]
        assert found == ["", "A", "A", "C", "G", "T", "", "T"]
        assert [around("21", pos) for pos in (len(text), len(text) + 1)] == ["G", ""]
        assert around("1", 5) == ""


def test_a_fasta_tells_the_identifier_of_an_indel(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(f">21\n{BASES}\n")
    pysam.faidx(str(path))
    with fasta_around(path) as around:
        found = vrs_id(shipped(), "21-8-C-CAGC", "GRCh38", around)
    assert found == "ga4gh:VA.Fa-DV5Ys6JxwHJ8sAezUJ8AqSyNpxHzL"


def test_indels_of_a_gene_with_a_sequence_have_an_identifier_inside_of_its_exons():
    """SOD1 c.13del may be shifted no further than its neighbours, c.1del would leave the exon."""
    around = known_around(shipped(), "SOD1", "GRCh38")
    assert around("21", 31659770) == "A"
    assert around("21", 31659769) == ""
    assert vrs_id(shipped(), "21-31659781-GG-G", "GRCh38", around)
    assert not vrs_id(shipped(), "21-31659769-GA-G", "GRCh38", around)
    assert not vrs_id(
        shipped(), "1-11016000-GA-G", "GRCh38", known_around(shipped(), "TARDBP", "GRCh38")
    )


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("21-31659783-C-T", True),
        ("21-31659783-CA-TG", True),
        ("21-31659783-CAG-TT", True),  # nothing of it can be shifted
        ("21-31659783-C-CA", False),  # an insertion can
        ("21-31659783-CA-C", False),
        ("21-31659783-CAG-TG", True),  # the same as CA to T
        ("21-31659783-C-C", False),
        ("21-31659783-C-N", False),
        ("GL000205.2-5-C-T", False),
    ],
)
def test_an_identifier_needs_no_base_around(key, named):
    assert bool(vrs_id(shipped(), key, "GRCh38")) == named


def test_identifiers_name_the_build():
    """As the sequence is named by its own digest, the same place of two builds is not the same."""
    ids = {vrs_id(shipped(), "21-31659783-C-T", build) for build in ("GRCh37", "GRCh38")}
    assert len(ids) == 2
    accession = shipped().table("contigs").set_index("chrom").loc["21", "refget_grch37"]
    state = {"sequence": "T", "type": "LiteralSequenceExpression"}
    assert allele_id(accession, 31659782, 31659783, state) in ids
    # An example of the specification that is named by its length.
    chr1 = shipped().table("contigs").set_index("chrom").loc["1", "refget_grch38"]
    repeated = {"length": 11, "repeatSubunitLength": 3, "type": "ReferenceLengthExpression"}
    by_length = "ga4gh:VA.Oop4kjdTtKcg1kiZjIJAAR3bp7qi4aNT"
    assert allele_id(chr1, 40819438, 40819446, repeated) == by_length
    assert sha512t24u(b"ACGT") == "aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2"  # of the specification


@pytest.mark.parametrize(
    ("ref", "alt", "expected"),
    [
        ("ACCT", "AGCT", (100, "C", "G")),
        ("ACGGT", "ATGGT", (100, "C", "T")),
        ("CAT", "GAT", (99, "C", "G")),
        ("CATT", "CAGTT", (101, "", "G")),
        ("CAAA", "CA", (101, "AA", "")),
    ],
)
def test_what_both_alleles_share_is_left_out(ref, alt, expected):
    assert trimmed(99, ref, alt) == expected


@pytest.mark.parametrize(("gene", "strand"), [("SOD1", "+"), ("VCP", "-"), ("ANXA11", "-")])
def test_bases_of_the_coding_sequence_are_those_of_known_variants(gene, strand):
    """On both strands; REF of the known-variant table is of the genome."""
    assert transcripts(shipped(), "GRCh38")[gene].strand == strand
    rows = shipped().table("known_variants")
    single = rows[
        (rows["gene"] == gene) & (rows["ref"].str.len() == 1) & (rows["pos_grch38"] != "")
    ]
    base = known_around(shipped(), gene, "GRCh38")
    places = zip(single["chrom"], single["pos_grch38"], single["ref"], strict=True)
    known = [(base(chrom, int(pos)), ref) for chrom, pos, ref in places]
    told = [(found, ref) for found, ref in known if found]
    assert len(told) >= 2
    assert all(found == ref for found, ref in told)
