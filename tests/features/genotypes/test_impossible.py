"""Records beyond their contig, and calls to an allele that is not there, are counted and named, and
the rest is kept; `test_bounds.py` has other limits.
"""

import gzip

import numpy as np
import pysam
import pytest

from features import bounds
from features.catalogue import gene_names, shipped
from features.errors import DataError
from features.genotypes import extraction, positions
from features.genotypes.extraction import Panel, read_genotypes
from features.genotypes.positions import far_positions
from features.genotypes.vcf import contig_lengths
from features.tables.problems import Problems
from tests.vcf_files import write_vcf

LENGTH = {"GRCh37": 48_129_895, "GRCh38": 46_709_983}  # of chromosome 21, the assembly reports


def found(tmp_path, records, name="a.vcf", build="GRCh38", prefix=False):
    path = write_vcf(tmp_path / name, ["p", "q"], records, build=build, chr_prefix=prefix)
    problems = Problems()
    genotypes, _ = read_genotypes(Panel(shipped(), build), [path], {"p": 0, "q": 1}, 2, problems)
    return genotypes, [problem.found for problem in problems.found]


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
@pytest.mark.parametrize("build", LENGTH)
def test_records_beyond_the_contig_are_counted(tmp_path, build, name, prefix):
    last = LENGTH[build]
    records = [f"21 {pos} C T PASS 0/1 0/0" for pos in (last - 1, last, last + 1, last + 9)]
    _, words = found(tmp_path, records, name, build, prefix)
    contig = "chr21" if prefix else "21"
    named = f"{contig}:{last + 1}, {contig}:{last + 9}"
    assert f"2 records lie beyond the end of their chromosome ({named})" in words


def test_the_lengths_are_those_of_the_assembly_reports():
    for build, length in LENGTH.items():
        assert contig_lengths(shipped(), build)["21"] == length


def test_a_file_read_in_parts_counts_each_record_once(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "MANY_SAMPLES", 2)
    records = ["2 250000000 C T PASS 0/1 0/0", "21 31659783 C T PASS 0/1 0/1"]
    whole = found(tmp_path, records, "a.vcf.gz")[1]
    assert "1 records lie beyond the end of their chromosome (2:250000000)" in whole


FAR = [2**29, 2**31 - 1, 2**31, 2**31 + 1, 2**32 + 31659783, 2**40]


@pytest.mark.parametrize("pos", FAR)
@pytest.mark.parametrize("kind", ["text", "packed", "indexed", "in parts"])
def test_positions_beyond_32_bits_are_not_read_and_named(tmp_path, pos, kind, monkeypatch):
    """bcftools prints 32 bits of a position: 2**32 + x would be read as x, here in SOD1.

    An index of the CSI kind can hold them, where a header claims a contig of that length.
    """
    records = ["21 31659783 C T PASS 0/1 0/1", f"21 {pos} G C PASS 0/1 0/0"]
    path = write_vcf(tmp_path / "a.vcf", ["p", "q"], records)
    text = path.read_text().replace("46709983", str(2**41))
    if kind == "packed":
        path = tmp_path / "b.vcf.gz"
        path.write_bytes(gzip.compress(path.with_name("a.vcf").read_bytes()))
    elif kind != "text":
        path = tmp_path / "c.vcf.gz"
        with pysam.BGZFile(str(path), "wb", None) as written:
            written.write(text.encode())
        pysam.tabix_index(str(path), preset="vcf", csi=True)
        monkeypatch.setattr(extraction, "check_build", lambda *_: None)
    if kind == "in parts":
        monkeypatch.setattr(extraction, "MANY_SAMPLES", 2)
    problems, panel = Problems(), Panel(shipped(), "GRCh38")
    genotypes, _ = read_genotypes(panel, [path], {"p": 0, "q": 1}, 2, problems)
    assert set(genotypes.keys()) == {KNOWN}
    words = [problem.found for problem in problems.found]
    assert f"1 records lie beyond the end of their chromosome (21:{pos})" in words


def test_positions_are_searched_for_within_bounds(tmp_path, monkeypatch):
    far = "\n21\t2147483648\tx\n21\t2147483647\tx\n21\t1\t2147483648\t" + "x" * 400
    far += "\n9\tchr99999999999\tx\nchr9\t99999999999\tx\nHLA\t99999999999\tx"
    plain, packed, where = tmp_path / "a.vcf", tmp_path / "b.vcf.gz", ["9", "21"]
    plain.write_text(far)
    packed.write_bytes(gzip.compress(far.encode()))
    found = [("21", 2**31), ("chr9", 99999999999)]
    assert far_positions(plain, where) == far_positions(packed, where) == found
    assert far_positions(plain, ["21"]) == found[:1]
    with monkeypatch.context() as small:
        for size in (3, 50, 61):
            small.setattr(positions, "_CHUNK", size)
            assert far_positions(plain, where) == found
    monkeypatch.setattr(bounds, "FAR_RECORDS", 2)
    assert far_positions(plain, where) == found
    monkeypatch.setattr(bounds, "FAR_RECORDS", 1)
    with pytest.raises(DataError, match=r"more than 1 of its records lie beyond position 2\^31"):
        far_positions(plain, where)
    plain.write_text("BCF\0" + far)
    packed.write_bytes(packed.read_bytes()[:30])
    assert far_positions(plain, where) == far_positions(packed, where) == []


def test_a_good_file_says_nothing_of_it(tmp_path):
    genotypes, words = found(tmp_path, ["21 31659783 C T PASS 0/1 ./."])
    assert not [w for w in words if "beyond" in w or "alternative" in w]
    assert np.isfinite(genotypes.assayed).any()


def test_the_variants_command_says_it(tmp_path, capsys):
    from als_ml.__main__ import main

    records = ["21 31659783 C T PASS 0/1 0/1", "21 46709999 C T PASS 0/1 0/0"]
    path = write_vcf(tmp_path / "a.vcf", ["p", "q"], records)
    options = ["--genome-build", "GRCh38", "--output", str(tmp_path / "v.csv")]
    assert main(["variants", "--vcf", str(path), *options]) == 0
    said = capsys.readouterr().err
    assert "1 records lie beyond the end of their chromosome" in said


# SOD1 p.Ala5Val, and beside it a record of two alternatives in the same gene.
KNOWN, BESIDE = "21-31659783-C-T", "21 31667299 G C,A PASS"


@pytest.mark.parametrize(
    ("alt", "call", "carried", "missing", "counted"),
    [
        ("T", "0/1", {KNOWN: 1}, False, 0),
        ("T", "1/2", {KNOWN: 1}, True, 1),
        ("T", "2|1", {KNOWN: 1}, True, 1),
        ("T", "0/2", {}, True, 1),
        ("T", "99/99", {}, True, 1),
        ("T", "98/99", {}, True, 1),
        ("T", "2", {}, True, 1),
        ("T", "./2", {}, True, 1),
        ("T", "./.", {}, True, 0),
        ("A,T", "1/2", {KNOWN: 1, "21-31659783-C-A": 1}, False, 0),
        ("A,T", "2/3", {KNOWN: 1}, True, 1),
        (".", "0/1", {}, False, 1),  # not a spelling of the known variant, so not its no-call
        (".", "0/0", {}, False, 0),
    ],
)
@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz"])
def test_a_call_to_no_allele_is_missing_and_counted(
    tmp_path, name, alt, call, carried, missing, counted
):
    """The other patient, and the other record of this one, stay as they are."""
    records = [f"21 31659783 C {alt} PASS {call} 0/0", f"{BESIDE} 0/2 0/1"]
    genotypes, words = found(tmp_path, records, name)
    row, copies = (genotypes.alleles[n].to_numpy() for n in ("row", "copies"))
    mine = dict(zip(genotypes.keys()[row == 0], copies[row == 0].tolist(), strict=True))
    assert mine == {**carried, "21-31667299-G-A": 1}
    assert genotypes.keys()[row == 1].tolist() == ["21-31667299-G-C"]
    assert genotypes.no_calls.to_numpy().tolist() == ([[0, KNOWN]] if missing else [])
    said = [w for w in words if "alternative that their record does not have" in w]
    assert [w.split()[0] for w in said] == ([str(counted)] if counted else [])
    assert all("(21:31659783)" in w for w in said)


def test_calls_to_no_allele_make_a_gene_less_assayed(tmp_path):
    records = ["21 31659783 C T PASS 0/2 0/1", f"{BESIDE} 0/0 0/0"]
    genotypes, _ = found(tmp_path, records)
    sod1 = list(gene_names(shipped())).index("SOD1")
    assert genotypes.assayed[:, sod1].tolist() == [0.5, 1.0]


def test_three_places_are_named_and_all_calls_counted(tmp_path):
    places = range(31659783, 31659788)
    records = [f"21 {pos} C T PASS 0/7 7/7" for pos in places]
    words = " ".join(found(tmp_path, records)[1])
    assert "10 genotypes name an alternative" in words
    assert "(21:31659783, 21:31659784, 21:31659785)" in words


def test_files_and_parts_are_named_together(tmp_path):
    paths = [
        write_vcf(tmp_path / f"{s}.vcf.gz", [s], [f"21 {31659783 + i} C T PASS 0/9"])
        for i, s in enumerate("pqrs")
    ]
    problems, rows = Problems(), {s: i for i, s in enumerate("pqrs")}
    read_genotypes(Panel(shipped(), "GRCh38"), paths, rows, 4, problems)
    words = " ".join(p.found for p in problems.found)
    assert "4 genotypes name an alternative" in words
    assert "(21:31659783, 21:31659784, 21:31659785)" in words


def test_check_says_it_and_goes_on(tmp_path, capsys):
    from als_ml.__main__ import main

    write_vcf(tmp_path / "v.vcf", ["p", "q"], ["21 31659783 C T PASS 99/99 0/1"])
    (tmp_path / "p.csv").write_text("sample_id,sex\np,male\nq,male\n")
    cohort = tmp_path / "cohort.yaml"
    cohort.write_text("genome_build: GRCh38\npatients: p.csv\nvariants: [v.vcf]\n")
    assert main(["check", "--cohort", str(cohort)]) == 0
    told = capsys.readouterr()
    assert "1 genotypes name an alternative that their record does not have" in told.out + told.err
