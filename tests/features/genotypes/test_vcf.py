"""Genotypes from small files: each form of a genotype and each container."""

import gzip
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import gene_names, known_variants, shipped
from features.errors import DataError
from features.genotypes.coverage import targeted_fraction
from features.genotypes.extraction import Panel, read_genotypes, with_targets
from features.genotypes.families import duplicated
from features.genotypes.genotype import (
    ALLELE_TYPES,
    SITE_TYPES,
    no_genotypes,
    typed_table,
    zygosity,
)
from features.genotypes.vcf import CallRule, panel_regions, read_header
from features.tables.problems import Problems
from features.variants.lookups import NO_LOOKUPS, read_frequencies
from features.variants.weigh import weigh_sites
from tests.conftest import ROOT
from tests.vcf_files import write_vcf

A5V = "21 31659783 C T"  # SOD1 p.Ala5Val, dominant
D91A = "21 31667290 A C"  # SOD1 p.Asp91Ala, recessive
SOD1 = gene_names(shipped()).index("SOD1")


def read(path, samples, build="GRCh38", problems=None):
    rows = {name: i for i, name in enumerate(samples)}
    paths = path if isinstance(path, list) else [path]
    return read_genotypes(Panel(shipped(), build), paths, rows, len(rows), problems or Problems())[
        0
    ]


def documented_genotypes():
    lines = (ROOT / "docs" / "genotypes.md").read_text().splitlines()
    rows = [
        [cell.strip() for cell in line.replace(r"\|", "@").split("|")[1:-1]]
        for line in lines
        if line.startswith("| `")
    ]
    return [[cell.strip("`").replace("@", "|") for cell in row] for row in rows if len(row) == 7]


@pytest.mark.parametrize(
    ("gt", "meaning", "carried", "ploidy", "zygous", "no_call", "assayed"), documented_genotypes()
)
def test_each_form_of_a_genotype_is_as_documented(
    tmp_path, gt, meaning, carried, ploidy, zygous, no_call, assayed
):
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS {gt}"]), ["p"])
    assert found.alleles["copies"].sum() == int(carried)
    if int(carried):
        assert (found.keys()[0], found.alleles["ploidy"][0], found.genes()[0]) == (
            "21-31659783-C-T",
            int(ploidy),
            SOD1,
        )
        assert zygosity(
            found.alleles["copies"].to_numpy(), found.alleles["ploidy"].to_numpy()
        ).tolist() == [zygous]
    assert list(found.no_calls["key"]) == (["21-31659783-C-T"] if no_call == "yes" else [])
    assert found.assayed[0, SOD1] == float(assayed)
    assert np.isnan(
        np.delete(found.assayed[0], SOD1)
    ).all()  # a gene without a record stays unknown


def test_multiallelic_symbolic_and_star_alleles(tmp_path):
    records = [
        "21 31659783 C A,T PASS 1/2",
        "21 31660000 G <DEL> PASS 0/1",
        "21 31660100 G *,A PASS 1/2",
    ]
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
    assert any(
        "1 of 1 panel records have a FILTER other than PASS" in p.found for p in problems.found
    )


def test_every_container_gives_the_same(tmp_path):
    samples, records = (
        ["a", "b"],
        [f"{A5V} PASS 0/1 ./.", f"{D91A} PASS 0/0 1/1", "1 11022418 A G PASS 0/1 0/0"],
    )
    expected = read(write_vcf(tmp_path / "plain.vcf", samples, records), samples)
    bcf = tmp_path / "c.bcf"
    with (
        pysam.VariantFile(str(tmp_path / "plain.vcf")) as source,
        pysam.VariantFile(str(bcf), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    shards = [
        write_vcf(tmp_path / f"shard{i}.vcf.gz", samples, part)
        for i, part in enumerate((records[:2], records[2:]))
    ]
    alone = [
        write_vcf(tmp_path / f"{s}.vcf", [s], [_only(r, i) for r in records])
        for i, s in enumerate(samples)
    ]
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
    with pytest.raises(
        DataError, match=r"has 249250621 bases, as in GRCh37, but the cohort file says GRCh38"
    ):
        read(path, ["p"])


def test_names_that_match_nowhere(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", ["S1", "S2"], [f"{A5V} PASS 0/1 0/0"])
    with pytest.raises(
        DataError, match=r"none of the 1 patients \(p\) is a sample of it \(S1, S2\).*sample_map"
    ):
        read(path, ["p"])
    problems = Problems()
    read(path, ["S1", "p"], problems=problems)
    assert "1 of 2 patients are not samples of it (p)" in problems.found[0].found


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"\x1f\x8b\x08\x04broken", b"##fileformat=VCFv4.2\n"]
)
def test_what_is_no_vcf(tmp_path, content):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.vcf\.gz: "):
        read(path, ["p"])


def test_common_variants(tmp_path):
    path = write_vcf(tmp_path / "f.vcf", [], [])
    path.write_text(
        path.read_text().replace("\tFORMAT", "")
        + "21\t31660000\t.\tG\tA,T\t.\tPASS\tAF=0.2,0.0001\n"
    )
    assert read_frequencies(shipped(), path, "GRCh38") == {
        "21-31660000-G-A": 0.2,
        "21-31660000-G-T": 0.0001,
    }


def test_panel_regions_cover_every_known_variant():
    regions = panel_regions(shipped(), "GRCh38")
    for _, row in known_variants(shipped(), "GRCh38").iterrows():
        if row["gene"] in gene_names(shipped()):
            assert any(c == row["chrom"] and s <= row["pos"] <= e for c, s, e in regions), row[
                "hgvs_p"
            ]


FORMATS = """##fileformat=VCFv4.2
##contig=<ID=21>
##ALT=<ID=NON_REF,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	p
"""


def written(path, *records, header=FORMATS):
    path.write_text(header + "".join("\t".join(record.split()) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    ("rule", "carried"),
    [
        (CallRule(), 1),
        (CallRule(20, 0), 1),
        (CallRule(31, 0), 0),
        (CallRule(0, 9), 0),
        (CallRule(0, 8), 1),
    ],
)
def test_quality_and_depth_below_the_threshold_are_missing(tmp_path, rule, carried):
    header = FORMATS.replace('##ALT=<ID=NON_REF,Description="x">\n', "")
    path = written(
        tmp_path / "a.vcf", "21 31659783 . C T . PASS . GT:GQ:DP 0/1:30:8", header=header
    )
    found, _ = read_genotypes(Panel(shipped(), "GRCh38", rule), [path], {"p": 0}, 1, Problems())
    assert (len(found.alleles), found.assayed[0, SOD1]) == (carried, float(carried))


def test_a_threshold_without_its_field_is_said(tmp_path):
    problems = Problems()
    path = write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS 0/1"])
    read_genotypes(Panel(shipped(), "GRCh38", CallRule(20, 0)), [path], {"p": 0}, 1, problems)
    assert any("there is no FORMAT/GQ" in p.found for p in problems.found)


def test_a_record_without_gt_is_missing(tmp_path):
    found = read(written(tmp_path / "a.vcf", "21 31659783 . C T . PASS . GQ 30"), ["p"])
    assert found.assayed[0, SOD1] == 0


@pytest.mark.parametrize(
    ("blocks", "fraction"),
    [
        (["31659000 31669000 0/0:50:30"], 1.0),
        (["31659000 31669000 0/0:50:0"], 0.0),  # no depth: nothing was seen
        (["31659000 31669000 ./.:0:30"], 0.0),
        (
            ["31659000 31659841 0/0:50:30"],
            72 / 465,
        ),  # exon 1 holds 72 of the 465 coding bases of SOD1
        (["31659000 31659841 0/0:50:30", "31659842 31669000 ./.:.:."], 72 / 465),
    ],
)
def test_gvcf_blocks_say_what_was_called(tmp_path, blocks, fraction):
    records = []
    for block in blocks:
        start, end, call = block.split()
        records.append(f"21 {start} . G <NON_REF> . . END={end} GT:GQ:DP {call}")
    found = read(written(tmp_path / "a.g.vcf", *records), ["p"])
    assert found.assayed[0, SOD1] == pytest.approx(fraction)
    assert found.alleles.empty


def test_the_other_build_is_told_by_ref_where_lengths_are_not_stated(tmp_path):
    table = known_variants(shipped(), "GRCh37")
    sod1 = table[table["gene"] == "SOD1"].iloc[:6]
    records = [
        f"21 {pos} . {r} {a} . PASS . GT 0/1"
        for pos, r, a in zip(sod1["pos"], sod1["ref"], sod1["alt"], strict=True)
    ]
    path = written(tmp_path / "a.vcf", *records)
    with pytest.raises(
        DataError,
        match=r"REF is that of GRCh37 at \d known positions, but the cohort file says GRCh38",
    ):
        read(path, ["p"])
    assert len(read(path, ["p"], build="GRCh37").alleles) == 6


def test_records_out_of_order_and_twice(tmp_path):
    problems = Problems()
    records = [f"{D91A} PASS 0/1", f"{A5V} PASS 0/1", f"{A5V} PASS 1/1"]
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], records), ["p"], problems=problems)
    assert dict(zip(found.keys(), found.alleles["copies"], strict=True)) == {
        "21-31659783-C-T": 2,
        "21-31667290-A-C": 1,
    }
    assert any("1 panel records are there more than once" in p.found for p in problems.found)


def test_an_old_index_is_not_trusted(tmp_path):
    path = write_vcf(tmp_path / "a.vcf.gz", ["p"], [f"{A5V} PASS 0/1"])
    index = tmp_path / "a.vcf.gz.tbi"
    os.utime(index, (index.stat().st_atime, path.stat().st_mtime - 100))
    problems = Problems()
    assert len(read(path, ["p"], problems=problems).alleles) == 1
    assert any("have no index, or one older than the file" in p.found for p in problems.found)


@pytest.mark.parametrize("form", ["gzip", "blank lines"])
def test_valid_texts_that_htslib_refuses(tmp_path, form):
    text = write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS 0/1"]).read_text()
    path = tmp_path / "b.vcf.gz"
    if form == "gzip":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path = tmp_path / "b.vcf"
        path.write_text(text.replace("#CHROM", "#CHROM") + "\n\n")
    assert list(read(path, ["p"]).keys()) == ["21-31659783-C-T"]


def test_near_misses_of_names_are_suggested_and_not_applied(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", ["0_p1", "P2_S7"], [f"{A5V} PASS 0/1 0/1"])
    with pytest.raises(DataError, match=r"Near misses.*sample_map.*P1 -> 0_p1, p2 -> P2_S7"):
        read(path, ["P1", "p2"])


def test_no_samples_and_no_genotypes(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", [], [])
    path.write_text(path.read_text().replace("\tFORMAT", ""))
    with pytest.raises(DataError, match="no samples"):
        read(path, ["p"])
    header = FORMATS.replace("ID=GT", "ID=XX")
    with pytest.raises(DataError, match="no genotypes"):
        read(written(tmp_path / "b.vcf", "21 31659783 . C T . PASS . GQ 30", header=header), ["p"])


def test_targets_bound_what_was_assayed(tmp_path):
    found = read(write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS 0/1"]), ["p"])
    bed = tmp_path / "t.bed"
    bed.write_text("chr21\t31659700\t31659841\n")
    assayed = with_targets(found, targeted_fraction(shipped(), bed, "GRCh38")).assayed[0]
    assert assayed[SOD1] == pytest.approx(72 / 465)
    assert assayed[gene_names(shipped()).index("FUS")] == 0


def test_duplicates_share_a_family():
    n, sites = 3, 250
    alleles = pd.DataFrame(
        [
            (row, site, 1 + (site % 2 if row < 2 else 0), 2)
            for row in range(n)
            for site in range(sites)
        ]
    )
    table = typed_table([(f"21-{i}-A-C", 0, None) for i in range(sites)], SITE_TYPES)
    genotypes = replace(
        no_genotypes(shipped(), n),
        sites=table,
        alleles=alleles.set_axis(list(ALLELE_TYPES), axis=1).astype(ALLELE_TYPES),
    )
    assert duplicated(genotypes)[["row1", "row2"]].to_numpy().tolist() == [[0, 1]]
    fewer = replace(genotypes, alleles=genotypes.alleles[genotypes.alleles["site"] < 199])
    assert duplicated(fewer).empty


ANNOTATIONS = {
    "none": ("", ""),
    "CSQ": (
        (
            '##INFO=<ID=CSQ,Number=.,Type=String,Description="VEP. Format:'
            ' Allele|Consequence|SYMBOL|Feature|HGVSp">'
        ),
        "CSQ=T|intron_variant|XYZ|ENST1|,T|missense_variant|SOD1|ENST00000270142|p.Ala5Val",
    ),
    "ANN": (
        '##INFO=<ID=ANN,Number=.,Type=String,Description="snpEff">',
        (
            "ANN=T|missense_variant|MODERATE|SOD1|G|transcript|ENST00000270142.10"
            "|protein_coding|1/5|c.14C>T|p.Ala5Val"
        ),
    ),
    "EFF": (
        '##INFO=<ID=EFF,Number=.,Type=String,Description="snpEff">',
        (
            "EFF=NON_SYNONYMOUS_CODING(MODERATE|MISSENSE|gCg/gTg|A5V|154|SOD1"
            "|protein_coding|CODING|ENST00000270142|1)"
        ),
    ),
    "BCSQ": (
        '##INFO=<ID=BCSQ,Number=.,Type=String,Description="csq">',
        "BCSQ=missense|SOD1|ENST00000270142|protein_coding|+|5A>5V|31659783C>T",
    ),
}


@given(
    form=st.sampled_from(["vcf", "vcf.gz", "bcf"]),
    style=st.sampled_from(sorted(ANNOTATIONS)),
    prefix=st.sampled_from(["", "chr"]),
    order=st.permutations([0, 1, 2]),
    split=st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_one_cohort_in_every_form_gives_the_same_rows(form, style, prefix, order, split):
    description, info = ANNOTATIONS[style]
    records = [
        f"21 31659783 . C T . PASS {info or '.'} GT 0/1",
        "21 31667290 . A C . PASS . GT 1/1",
        "9 130000 . A C . . . GT 0/1",
    ]
    header = FORMATS.replace("#CHROM", f"{description}\n#CHROM" if description else "#CHROM")
    header = header.replace(
        "##contig=<ID=21>", f"##contig=<ID={prefix}21>\n##contig=<ID={prefix}9>"
    )
    records = [prefix + records[i] for i in (sorted(order) if form != "vcf" else order)]
    with tempfile.TemporaryDirectory() as name:
        parts = [records[:1], records[1:]] if split else [records]
        paths = [
            _in_form(written(Path(name) / f"{i}.vcf", *part, header=header), form)
            for i, part in enumerate(parts)
        ]
        found = read(paths, ["p"])
    assert dict(zip(found.keys(), found.alleles["copies"], strict=True)) == {
        "21-31659783-C-T": 1,
        "21-31667290-A-C": 2,
    }
    weighed = weigh_sites(shipped(), found.sites, "GRCh38", NO_LOOKUPS)
    assert [v.consequence for v in weighed["variant"]] == ["missense_variant", "missense_variant"]
    assert [v.hgvs_p for v in weighed["variant"]] == ["p.Ala5Val", "p.Asp91Ala"]
    origin = weighed["variant"][0].consequence_origin
    assert origin == ("gene model" if style == "none" else f"VCF {style}")


def _in_form(path, form):
    if form == "vcf":
        return path
    target, mode = path.with_suffix(f".{form}"), "wz" if form == "vcf.gz" else "wb"
    with (
        pysam.VariantFile(str(path)) as source,
        pysam.VariantFile(str(target), mode, header=source.header) as out,
    ):
        for record in source:
            out.write(record)
    return target


def test_what_is_no_vcf_is_told_by_its_own_name(tmp_path):
    path = tmp_path / "p1.vcf"
    path.write_text("hello\n")
    with pytest.raises(DataError) as refused:
        read_header(path)
    assert f"invalid file `b'{path}'`" in str(refused.value)
    assert "/dev/fd" not in str(refused.value)


def test_a_header_is_read_without_the_index_beside_it(tmp_path):
    path = write_vcf(tmp_path / "p1.vcf.gz", ["P1"], [])
    index = Path(f"{path}.tbi")
    index.unlink(missing_ok=True)
    os.mkfifo(index)  # whoever opens it waits for ever
    assert read_header(path).samples == ("P1",)
