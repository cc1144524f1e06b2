"""Repeat calls in every form that the contract names, through files."""

import pytest

from features.catalogue import shipped
from features.genotypes.repeats import STATES, RepeatStates, read_repeats
from features.tables.problems import Problems

HEADER = """##fileformat=VCFv4.1
##contig=<ID=9,length=138394717>
##contig=<ID=12,length=133275309>
##FILTER=<ID=LowDepth,Description="x">
##ALT=<ID=STR8,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##INFO=<ID=REF,Number=1,Type=Integer,Description="x">
##INFO=<ID=RU,Number=1,Type=String,Description="x">
##INFO=<ID=VARID,Number=1,Type=String,Description="x">
##INFO=<ID=REPID,Number=1,Type=String,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=REPCN,Number=1,Type=String,Description="x">
##FORMAT=<ID=REPCI,Number=1,Type=String,Description="x">
##FORMAT=<ID=CN,Number=1,Type=String,Description="x">
##FORMAT=<ID=CI,Number=1,Type=String,Description="x">
##INFO=<ID=TRID,Number=1,Type=String,Description="x">
##INFO=<ID=MOTIFS,Number=.,Type=String,Description="x">
##FORMAT=<ID=MC,Number=.,Type=String,Description="x">
##FORMAT=<ID=ALLR,Number=.,Type=String,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tp
"""
NEW, OLD, LONG = "GT:REPCN:REPCI", "GT:CN:CI", "GT:MC:ALLR"


def state(tmp_path, locus, passed, formats, call, patients):
    info = (
        f"END=27573546;REF=3;RU=GGCCCC;VARID={locus};REPID={locus}"
        if formats != LONG
        else f"TRID={locus};MOTIFS=GGCCCC"
    )
    chrom = "9" if locus == "C9orf72" else "12"
    path = tmp_path / "r.vcf"
    path.write_text(
        HEADER + f"{chrom}\t27573528\t.\tC\t<STR8>\t.\t{passed}\t{info}\t{formats}\t{call}\n"
    )
    calls = read_repeats(shipped(), [path], "GRCh38", {"p": 0}, Problems())
    return STATES[RepeatStates(shipped(), locus, calls, patients).state[0]]


@pytest.fixture
def patients(cohort):
    columns = [f"{locus}_allele{i}" for locus in ("c9orf72", "atxn2") for i in (1, 2)]
    columns += ["c9orf72_status", "c9orf72_method"]
    return (
        cohort.patients.iloc[:1]
        .assign(**dict.fromkeys(columns, float("nan")))
        .reset_index(drop=True)
    )


@pytest.mark.parametrize(
    ("locus", "passed", "formats", "call", "expected"),
    [
        ("C9orf72", "PASS", NEW, "0/1:2/8:2-2/8-8", "normal"),
        ("C9orf72", "PASS", OLD, "0/1:2/8:2-2/8-8", "normal"),
        ("C9orf72", "PASS", LONG, "0/1:2,8:12-12,48-48", "normal"),
        ("C9orf72", "PASS", NEW, "0/1:2/27:2-2/25-29", "intermediate"),
        ("C9orf72", "PASS", NEW, "0/1:2/349:2-2/323-376", "expanded"),
        ("C9orf72", "PASS", LONG, "0/1:2,900:12-12,5000-5800", "expanded"),
        ("C9orf72", "PASS", NEW, "0/1:2/28:2-2/22-40", "indeterminate"),  # straddles two boundaries
        ("C9orf72", "LowDepth", NEW, "0/1:2/8:2-2/8-8", "indeterminate"),
        (
            "C9orf72",
            "LowDepth",
            NEW,
            "0/1:2/349:2-2/323-376",
            "expanded",
        ),  # its lower end is expanded already
        ("C9orf72", "PASS", NEW, "0/0:2:2-2", "indeterminate"),  # one allele
        ("C9orf72", "PASS", NEW, "./.:.:.", "not_tested"),
        ("ATXN2", "PASS", NEW, "0/1:22/22:22-22/22-22", "normal"),
        ("ATXN2", "PASS", NEW, "0/1:22/32:22-22/31-33", "risk"),
        ("ATXN2", "PASS", NEW, "0/1:22/37:22-22/36-38", "expanded"),
    ],
)
def test_a_call_becomes_a_state(tmp_path, patients, locus, passed, formats, call, expected):
    assert state(tmp_path, locus, passed, formats, call, patients) == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [("rp_pcr", "normal"), ("southern", "normal"), ("short_read", "expanded")],
)
def test_the_laboratory_overrides_short_reads(tmp_path, patients, method, expected):
    tested = patients.assign(c9orf72_status="normal", c9orf72_method=method)
    assert state(tmp_path, "C9orf72", "PASS", NEW, "0/1:2/349:2-2/323-376", tested) == expected
