"""Genotypes from small files: each form of a genotype and each container."""

import numpy as np
import pysam
import pysam.bcftools
import pytest

from features.catalogue import gene_names, known_variants
from features.errors import DataError
from features.lookups import read_frequencies
from features.problems import Problems
from features.reading import read_genotypes
from features.vcf import panel_regions
from tests.vcf_files import write_vcf

A5V = "21 31659783 C T"  # SOD1 p.Ala5Val, dominant
D91A = "21 31667290 A C"  # SOD1 p.Asp91Ala, recessive
SOD1 = gene_names().index("SOD1")


def read(path, samples, build="GRCh38", problems=None):
    rows = {name: i for i, name in enumerate(samples)}
    paths = path if isinstance(path, list) else [path]
    return read_genotypes(paths, build, rows, len(rows), problems or Problems())[0]


@pytest.mark.parametrize(
    ("gt", "copies", "ploidy", "no_call"),
    [
        ("0/0", 0, None, False),
        ("0|1", 1, 2, False),
        ("1/0", 1, 2, False),
        ("1/1", 2, 2, False),
        ("1", 1, 1, False),
        ("0", 0, None, False),
        ("./.", 0, None, True),
        (".", 0, None, True),
        ("./1", 1, 2, True),
    ],
)
def test_each_form_of_a_genotype(tmp_path, gt, copies, ploidy, no_call):
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS {gt}"]), ["p"])
    assert found.alleles["copies"].sum() == copies
    if copies:
        assert (found.keys()[0], found.alleles["ploidy"][0], found.genes()[0]) == ("21-31659783-C-T", ploidy, SOD1)
    assert list(found.no_calls["key"]) == (["21-31659783-C-T"] if no_call else [])
    assert found.assayed[0, SOD1] == (0.0 if no_call else 1.0)
    assert np.isnan(np.delete(found.assayed[0], SOD1)).all()  # a gene without a record stays unknown


def test_multiallelic_symbolic_and_star_alleles(tmp_path):
    records = ["21 31659783 C A,T PASS 1/2", "21 31660000 G <DEL> PASS 0/1", "21 31660100 G *,A PASS 1/2"]
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], records), ["p"])
    assert list(found.keys()) == ["21-31659783-C-A", "21-31659783-C-T", "21-31660100-G-A"]


def test_a_longer_spelling_is_the_same_variant(tmp_path):
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], ["21 31659782 GCG GTG PASS 0/1"]), ["p"])
    assert list(found.keys()) == ["21-31659783-C-T"]


def test_a_filtered_record_is_not_called(tmp_path):
    problems = Problems()
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} low 0/1"]), ["p"], problems=problems)
    assert found.alleles.empty
    assert found.assayed[0, SOD1] == 0
    assert any("1 of 1 panel records have a FILTER other than PASS" in p.found for p in problems.found)


def test_every_container_gives_the_same(tmp_path):
    samples, records = ["a", "b"], [f"{A5V} PASS 0/1 ./.", f"{D91A} PASS 0/0 1/1", "1 11022418 A G PASS 0/1 0/0"]
    expected = read(write_vcf(tmp_path / "plain.vcf", samples, records), samples)
    bcf = tmp_path / "c.bcf"
    with (
        pysam.VariantFile(str(tmp_path / "plain.vcf")) as source,
        pysam.VariantFile(str(bcf), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    shards = [
        write_vcf(tmp_path / f"shard{i}.vcf.gz", samples, part) for i, part in enumerate((records[:2], records[2:]))
    ]
    alone = [write_vcf(tmp_path / f"{s}.vcf", [s], [_only(r, i) for r in records]) for i, s in enumerate(samples)]
    forms = {
        "indexed": write_vcf(tmp_path / "i.vcf.gz", samples, records),
        "chr": write_vcf(tmp_path / "chr.vcf.gz", samples, records, chr_prefix=True),
        "bcf": bcf,
        "shards": shards,
        "one file a patient": alone,
    }
    for name, paths in forms.items():
        found = read(paths, samples)
        assert found.alleles.equals(expected.alleles), name
        assert found.sites.equals(expected.sites), name
        assert found.no_calls.equals(expected.no_calls), name
        assert np.array_equal(found.assayed, expected.assayed, equal_nan=True), name


def _only(record: str, sample: int) -> str:
    *site, first, second = record.split()
    return " ".join([*site, (first, second)[sample]])


def test_the_other_build_is_refused_with_both_names(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS 0/1"], build="GRCh37")
    with pytest.raises(DataError, match=r"has 249250621 bases, as in GRCh37, but the cohort file says GRCh38"):
        read(path, ["p"])


def test_names_that_match_nowhere(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", ["S1", "S2"], [f"{A5V} PASS 0/1 0/0"])
    with pytest.raises(DataError, match=r"none of the 1 patients \(p\) is a sample of it \(S1, S2\).*sample_map"):
        read(path, ["p"])
    problems = Problems()
    read(path, ["S1", "p"], problems=problems)
    assert "1 of 2 patients are no sample of it (p)" in problems.found[0].found


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x1f\x8b\x08\x04broken", b"##fileformat=VCFv4.2\n"])
def test_what_is_no_vcf(tmp_path, content):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.vcf\.gz: "):
        read(path, ["p"])


def test_common_variants(tmp_path):
    path = write_vcf(tmp_path / "f.vcf", [], [])
    path.write_text(path.read_text().replace("\tFORMAT", "") + "21\t31660000\t.\tG\tA,T\t.\tPASS\tAF=0.2,0.0001\n")
    assert read_frequencies(path, "GRCh38") == {"21-31660000-G-A": 0.2, "21-31660000-G-T": 0.0001}


def test_panel_regions_cover_every_known_variant():
    regions = panel_regions("GRCh38")
    for _, row in known_variants("GRCh38").iterrows():
        if row["gene"] in gene_names():
            assert any(c == row["chrom"] and s <= row["pos"] <= e for c, s, e in regions), row["hgvs_p"]
