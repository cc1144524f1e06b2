"""Records beyond their contig are counted and named; `test_bounds.py` has other limits."""

import numpy as np
import pytest

from features.catalogue import shipped
from features.genotypes import extraction
from features.genotypes.extraction import Panel, read_genotypes
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
    assert "2 records lie beyond the end of their chromosome" in words


def test_the_lengths_are_those_of_the_assembly_reports():
    for build, length in LENGTH.items():
        assert contig_lengths(shipped(), build)["21"] == length


def test_a_file_read_in_parts_counts_each_record_once(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "MANY_SAMPLES", 2)
    records = ["2 250000000 C T PASS 0/1 0/0", "21 31659783 C T PASS 0/1 0/1"]
    whole = found(tmp_path, records, "a.vcf.gz")[1]
    assert "1 records lie beyond the end of their chromosome" in whole


def test_a_good_file_says_nothing_of_it(tmp_path):
    genotypes, words = found(tmp_path, ["21 31659783 C T PASS 0/1 ./."])
    assert not [w for w in words if "beyond" in w]
    assert np.isfinite(genotypes.assayed).any()


def test_the_variants_command_says_it(tmp_path, capsys):
    from als_ml.__main__ import main

    records = ["21 31659783 C T PASS 0/1 0/1", "21 46709999 C T PASS 0/1 0/0"]
    path = write_vcf(tmp_path / "a.vcf", ["p", "q"], records)
    options = ["--genome-build", "GRCh38", "--output", str(tmp_path / "v.csv")]
    assert main(["variants", "--vcf", str(path), *options]) == 0
    said = capsys.readouterr().err
    assert "1 records lie beyond the end of their chromosome" in said
