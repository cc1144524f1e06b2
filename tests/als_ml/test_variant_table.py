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
from features.catalogue import shipped
from features.variants.variant import known_rows, known_tempo
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


@pytest.mark.parametrize(
    ("key", "tempo", "source"),
    [
        ("21-31659783-C-T", "fast", "verified; Bali 2017 JNNP 88:99 (+ AAN abstract P3.185)"),
        (
            "21-31667290-A-C",
            "slow when homozygous",
            "mixed; Maier 2023 doi:10.1002/mus.27818; Andersen 1996",
        ),
        # Shorter in those with two copies (Chio 2013).
        (
            "19-17641880-A-C",
            "shorter survival when homozygous",
            "verified; Chio 2013 (population study of 500)",
        ),
        ("21-31667346-G-T", None, None),  # p.Asp110Tyr, of which the table knows no course
        ("21-31659783-C-G", None, None),
    ],
)
def test_tempo_of_known_variants(key, tempo, source):
    assert known_tempo(shipped(), key, "GRCh38") == (tempo, source)


def test_the_source_of_a_course_says_nothing_of_coordinates():
    tables = shipped()
    rows = known_rows(tables, "GRCh38")
    sources = [known_tempo(tables, key, "GRCh38")[1] or "" for key in rows]
    assert sum(map(bool, sources)) > 20
    assert not [source for source in sources if "match" in source or "shift" in source]
