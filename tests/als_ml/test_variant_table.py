"""The variant table as an annotated VCF, by bcftools; identifiers and tempo by what was
published.
"""

import urllib.parse

import pandas as pd
import pysam
import pysam.bcftools
import pytest

from als_ml.__main__ import main
from als_ml.variant_table.annotated import encoded, field_name
from als_ml.variant_table.columns import COUNTED, DESCRIBED
from als_ml.variant_table.table import known_tempo
from features.catalogue import shipped
from features.variants.vrs import (
    allele_id,
    fasta_around,
    known_around,
    sha512t24u,
    vrs_id,
)
from tests.vcf_files import write_vcf

RECORDS = [
    "2 201701850 A C PASS 0/1",
    "12 64464460 CAAA C PASS 0/1",
    "21 31659783 C T PASS 0/1",
    "21 31659790 G GA,T PASS 1/2",
    "21 31667290 A C PASS 1/1",
]


def run(vcf, output, *options, build="GRCh38"):
    arguments = ["--vcf", str(vcf), "--genome-build", build, "--output", str(output)]
    return main(["variants", *arguments, *options])


def queried(path, fields: list[str]) -> pd.DataFrame:
    """The INFO fields as `bcftools query` prints them, decoded."""
    names = ["CHROM", "POS", "REF", "ALT", *map(field_name, fields)]
    template = r"\t".join(f"%{name}" for name in names) + r"\n"
    text = pysam.bcftools.query("-f", template, str(path))
    rows = [line.split("\t") for line in text.splitlines()]
    table = pd.DataFrame(rows, columns=["chrom", "pos", "ref", "alt", *fields])
    return table.map(urllib.parse.unquote)


@pytest.mark.parametrize("prefixed", [False, True])
def test_the_annotated_vcf_says_what_the_table_says(tmp_path, prefixed):
    vcf = write_vcf(tmp_path / "a.vcf.gz", ["p"], RECORDS, chr_prefix=prefixed)
    assert run(vcf, tmp_path / "v.csv") == run(vcf, tmp_path / "v.vcf.gz") == 0
    fields = [column.name for column in (*DESCRIBED, *COUNTED)]
    table = pd.read_csv(tmp_path / "v.csv", dtype=str, keep_default_na=False)
    found = queried(tmp_path / "v.vcf.gz", fields)
    assert len(found) == 6
    assert set(found["chrom"]) == ({"chr2", "chr12", "chr21"} if prefixed else {"2", "12", "21"})
    place = found["chrom"].str.removeprefix("chr") + "-" + found["pos"]
    assert (place + "-" + found["ref"] + "-" + found["alt"] == table["variant"]).all()
    for column in (*DESCRIBED, *COUNTED):
        told = table[column.name].to_list()
        back = ["" if cell == "." else cell for cell in found[column.name]]
        if column.kind == "String":
            assert back == told, column.name
        else:
            assert [c and pytest.approx(float(c), rel=1e-5) for c in told] == [
                c and float(c) for c in back
            ], column.name


def test_the_annotated_vcf_is_indexed_and_survives_bcf(tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf.gz", ["p"], RECORDS)
    out, bcf = tmp_path / "v.vcf.gz", tmp_path / "v.bcf"
    assert run(vcf, out) == 0
    pysam.bcftools.view("-Ob", "-o", str(bcf), str(out), catch_stdout=False)
    plain, again = (pysam.bcftools.view("-H", str(path)) for path in (out, bcf))
    assert plain == again
    assert plain.count("\n") == 6
    in_region = pysam.bcftools.view("-H", "-r", "21:31659783-31659783", str(out))
    assert in_region.count("\n") == 1
    header = pysam.VariantFile(str(out)).header
    described = {name: str(field.description) for name, field in header.info.items()}
    assert described.pop("END") == "last base of a structural variant"
    assert set(described.values()) == {column.meaning for column in (*DESCRIBED, *COUNTED)}


def test_a_coding_change_without_a_name_says_why(tmp_path):
    """SOD1 c.72del lies at the end of its exon; of TARDBP there is no sequence."""
    records = [
        "1 11018763 CA C PASS 0/1",
        "21 31659783 C T PASS 0/1",
        "21 31659790 G GA PASS 0/1",
        "21 31659840 AG A PASS 0/1",
        "21 31660000 A AT PASS 0/1",
    ]
    vcf = write_vcf(tmp_path / "a.vcf.gz", ["p"], records)
    assert run(vcf, tmp_path / "v.csv") == 0
    table = pd.read_csv(tmp_path / "v.csv", keep_default_na=False)
    starts = ["the coding sequence is not here", "", "", "it reaches beyond its exon", ""]
    for note, start in zip(table["hgvs_note"], starts, strict=True):
        assert note.startswith(start)
        assert bool(note) == bool(start)


def test_a_file_without_samples_or_panel_records_gives_a_valid_vcf(tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", ["p"], ["1 1000 A C PASS 0/1"])
    assert run(vcf, tmp_path / "v.vcf.gz") == 0
    assert pysam.bcftools.view("-H", str(tmp_path / "v.vcf.gz")) == ""


@pytest.mark.parametrize("name", ["v.vcf", "v.bcf", "v.txt", "v.gz"])
def test_other_endings_are_refused_before_reading(tmp_path, capsys, name):
    assert run(tmp_path / "absent.vcf", tmp_path / name) == 2
    assert ".parquet or .csv or .vcf.gz" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["a;b=c,d%e", "p.Ala5=", "two words: ok", "tab\there", "é"])
def test_percent_encoding_is_undone_by_a_reader(text):
    assert not set(encoded(text)) & set(";=,\t\n")
    assert urllib.parse.unquote(encoded(text)) == text


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
    ("key", "tempo", "source"),
    [
        ("21-31659783-C-T", "fast", "verified; Bali 2017"),
        ("21-31667290-A-C", "slow when homozygous", "mixed; Maier 2023"),
        ("21-31667346-G-T", None, None),  # p.Asp110Tyr, of which the table knows no course
        ("21-31659783-C-G", None, None),
    ],
)
def test_tempo_of_known_variants(key, tempo, source):
    found = known_tempo(shipped(), key, "GRCh38")
    assert found[0] == tempo
    assert (found[1] or "").startswith(source or "")
    assert bool(found[1]) == bool(source)
