"""Structural variants: what they take of a gene, what that weighs, that the tables have them.

Exons are those of TBK1 (plus strand) and ALS2 (minus) in `gene_models.tsv` on GRCh38; what a lost
or repeated exon weighs is Abou Tayoun 2018, figure 1.
"""

import pandas as pd
import pysam
import pysam.bcftools
import pytest

from als_ml.__main__ import main
from features.catalogue import gene_names, genes, shipped
from features.genotypes.structural import Structural, read_structural
from features.genotypes.vcf import ANY_CALL, site_query
from features.variants.evidence import Sources, assess
from features.variants.gene_models import transcripts
from features.variants.lookups import NO_LOOKUPS, Lookups
from features.variants.structural import (
    changed_bases,
    consequence_of,
    exons_of,
    structural_sites,
)
from features.variants.variant import describe

B = "GRCh38"


def weighed(chrom, start, end, kind, gene, lookups=NO_LOOKUPS):
    """Term and points of a structural variant for a gene."""
    sites = structural_sites(shipped(), [Structural(chrom, start, end, kind)], B)[0]
    key, _, effect = next(s for s in sites if gene_names(shipped())[s[1]] == gene)
    variant = describe(shipped(), key, gene, effect, B, lookups)
    found = assess(variant, Sources(shipped(), B, lookups))
    return variant.consequence, {c.name: c.points for c in found.criteria}


@pytest.mark.parametrize(
    ("start", "end", "kind", "term", "points"),
    [
        # The whole gene; all but a base of its start codon.
        (64455000, 64502000, "DEL", "transcript_ablation", 8),
        (64455871, 64501381, "DEL", "transcript_ablation", 8),
        (64455872, 64501381, "DEL", "exon_loss_variant", 4),
        # An exon of 130 bases: the frame shifts to an early stop.
        (64464300, 64464500, "DEL", "exon_loss_variant", 8),
        (64464334, 64464463, "DEL", "exon_loss_variant", 8),
        # 111 bases in frame, a twentieth of the protein; with the next one of 180 an eighth.
        (64480000, 64480200, "DEL", "exon_loss_variant", 2),
        (64480000, 64482100, "DEL", "exon_loss_variant", 4),
        # A breakpoint in an exon: the frame is not known.
        (64464335, 64464500, "DEL", "exon_loss_variant", 2),
        # The start codon's exon, the last exon.
        (64455800, 64456000, "DEL", "exon_loss_variant", 2),
        (64501300, 64501400, "DEL", "exon_loss_variant", 2),
        # No coding base.
        (64456000, 64460188, "DEL", "structural_variant", 0),
        # Repeated exons: presumably in tandem.
        (64464300, 64464500, "DUP", "feature_elongation", 4),
        (64480000, 64480200, "DUP", "feature_elongation", 0),
        (64464335, 64464500, "DUP", "structural_variant", 0),
        # With the start codon a second one, with the stop codon the first one stays.
        (64455800, 64464500, "DUP", "feature_elongation", 0),
        (64497900, 64501400, "DUP", "feature_elongation", 0),
        (64450000, 64464500, "DUP", "structural_variant", 0),  # it begins outside of the gene
        (64450000, 64509000, "DUP", "transcript_amplification", 0),
        (64464300, 64464500, "INV", "structural_variant", 0),
        (64464300, 64464500, "CNV", "structural_variant", 0),
        (64464400, 64464399, "INS", "structural_variant", 0),
        (64464400, 64464399, "BND", "structural_variant", 0),
    ],
)
def test_what_an_event_in_tbk1_weighs(start, end, kind, term, points):
    found, criteria = weighed("12", start, end, kind, "TBK1")
    assert (found, criteria) == (term, {"PVS1": points} if points else {})


@pytest.mark.parametrize(
    ("gene", "where", "expected"),
    [
        ("SOD1", ("21", 31659000, 31669000), {}),  # loss of function is not how it causes disease
        ("ALS2", ("2", 201700000, 201790000), {"PVS1": 8}),
        ("FUS", ("16", 31180000, 31192000), {}),  # nor does a lost gene gain a function
    ],
)
def test_a_lost_gene_counts_where_loss_causes_disease(gene, where, expected):
    term, criteria = weighed(*where, "DEL", gene)
    assert term == "transcript_ablation"
    assert criteria == expected


def test_frequency_files_of_short_variants_say_nothing_of_it():
    """Absent from a file of short variants is not rare."""
    lookups = Lookups(frequencies={"12-64464400-A-C": 0.1}, reach=50)
    assert weighed("12", 64464300, 64464500, "DEL", "TBK1", lookups)[1] == {"PVS1": 8}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (201706840, 201707022, (4403, 177, True)),
        (201706847, 201707022, (4403, 176, False)),
        (201706847, 201707868, (4403, 176, False)),
        (201706847, 201707869, (4402, 177, False)),
        (201706846, 201707991, (4280, 300, True)),
        (201707023, 201707868, None),
    ],
)
def test_exons_of_a_range_on_the_minus_strand(start, end, expected):
    assert exons_of(transcripts(shipped(), B)["ALS2"], start, end) == expected


def vcf(path, records, header=(), samples=("a", "b")):
    lines = ["##fileformat=VCFv4.3", "##contig=<ID=2>", "##contig=<ID=12>", *header]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">']
    lines += ['##INFO=<ID=END,Number=1,Type=Integer,Description="END">']
    lines += ['##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="SVLEN">']
    lines += ['##FILTER=<ID=low,Description="low">']
    columns = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT"
    lines.append("\t".join([*columns.split(), *samples]))
    for record in records:
        chrom, pos, alt, passed, info, *calls = record.split()
        lines.append("\t".join([chrom, pos, ".", "N", alt, ".", passed, info, "GT", *calls]))
    path.write_text("\n".join(lines) + "\n")
    return path


RECORDS = [
    "2 201700000 <DEL> PASS END=201790000 0/1 1/1",
    "2 201723329 <DEL> PASS SVLEN=-112 0/1 0/0",
    "2 201725000 <DUP:TANDEM>,<DEL> low END=201725500 1/2 0/0",
    "2 201726000 <INV> PASS END=201726600 0/1 0/0",
    "2 201726700 N[12:64464400[ PASS . 0/1 0/0",
    "2 201726800 <INS> PASS SVLEN=300 0/1 ./.",
    "2 201726900 <STR12>,<NON_REF> PASS . 1/2 0/0",
]


@pytest.mark.parametrize("header", [(), ('##ALT=<ID=DEL,Description="d">',)])
def test_reading(tmp_path, header):
    path = vcf(tmp_path / "a.vcf", RECORDS, header)
    query = site_query(shipped(), path, B)
    assert query.header.structural == bool(header)
    found = read_structural(query, ANY_CALL, {"a": 0, "b": 1})
    assert found.variants == [
        ("2", 201700001, 201790000, "DEL"),
        ("2", 201723330, 201723441, "DEL"),
        ("2", 201725001, 201725500, "DUP"),
        ("2", 201725001, 201725500, "DEL"),
        ("2", 201726001, 201726600, "INV"),
        ("2", 201726701, 201726700, "BND"),
        ("2", 201726801, 201726800, "INS"),
    ]
    carried = list(
        zip(*(found.carried[n].tolist() for n in ("row", "site", "copies")), strict=True)
    )
    assert carried == [(0, 0, 1), (1, 0, 2), (0, 1, 1), (0, 4, 1), (0, 5, 1), (0, 6, 1)]


@pytest.mark.parametrize(
    ("alt", "kinds", "carried"),
    [
        ("<CN0>", ["DEL"], [1]),
        ("<CN1>", [], []),  # one copy is what a chromosome has
        ("<CN2>", ["DUP"], [1]),
        ("<CN0>,<CN2>,<CN9>", ["DEL", "DUP", "DUP"], [1]),
        ("<DEL:ME:ALU>", ["DEL"], [1]),
        ("<DUP:TANDEM>", ["DUP"], [1]),
        ("<BND>", ["BND"], [1]),
        ("<TRA>", ["BND"], [1]),
        ("A,<DEL>", ["DEL"], []),
        ("]12:64464400]N", ["BND"], [1]),
        ("<STR12>", [], []),
        ("<DELETION>", [], []),
    ],
)
def test_kinds_of_alternatives(tmp_path, alt, kinds, carried):
    path = vcf(tmp_path / "a.vcf", [f"2 201724294 {alt} PASS END=201724500 0/1 0/0"])
    found = read_structural(site_query(shipped(), path, B), ANY_CALL, {"a": 0, "b": 1})
    assert [variant.kind for variant in found.variants] == kinds
    assert found.carried["copies"].tolist() == carried


def run(path, tmp_path, name="v.csv"):
    given = ["--vcf", str(path), "--genome-build", B, "--quiet", "--output", str(tmp_path / name)]
    return main(["variants", *given, "--carriers", str(tmp_path / "c.csv")])


def test_the_table_and_the_carriers_have_them(tmp_path):
    path = vcf(tmp_path / "a.vcf", RECORDS)
    assert run(path, tmp_path) == 0
    table = pd.read_csv(tmp_path / "v.csv").set_index("variant")
    whole = table.loc["2-201700000-201790000-<DEL>"]
    assert whole[["gene", "consequence", "class"]].tolist() == ["ALS2", "transcript_ablation", "LP"]
    assert whole[["n_heterozygous", "n_homozygous"]].tolist() == [1, 1]
    assert table.loc["2-201725000-201725500-<DUP>", "n_heterozygous"] == 0  # filtered
    carriers = pd.read_csv(tmp_path / "c.csv")
    found = carriers[carriers["class"] == "LP"].groupby("sample_id")["finding"].agg(set)
    assert found["a"] == {"possible compound heterozygote"}
    assert found["b"] == {"causal"}


def test_an_annotated_vcf_has_its_symbolic_allele(tmp_path):
    path = vcf(tmp_path / "a.vcf", RECORDS)
    assert run(path, tmp_path, "v.vcf.gz") == 0
    template = r"%POS\t%REF\t%ALT\t%INFO/END\t%ALS_CONSEQUENCE\n"
    lines = pysam.bcftools.query("-f", template, str(tmp_path / "v.vcf.gz")).splitlines()
    assert lines[0] == "201700000\tN\t<DEL>\t201790000\ttranscript_ablation"
    assert len(lines) == 7


def test_a_deletion_that_begins_before_the_panel(tmp_path):
    header = ['##ALT=<ID=DEL,Description="d">']
    path = vcf(tmp_path / "a.vcf", ["12 60000000 <DEL> PASS END=64464500 0/1 0/0"], header)
    assert run(path, tmp_path) == 0
    table = pd.read_csv(tmp_path / "v.csv").set_index("gene")
    assert table.loc["TBK1", "consequence"] == "exon_loss_variant"


def test_a_deletion_of_two_genes_is_a_row_for_each(tmp_path):
    sites = structural_sites(shipped(), [Structural("9", 1, 138394717, "DEL")], B)[0]
    keys = [key for key, _, _ in sites]
    assert len(set(keys)) == len(keys) > 1
    assert "9-0-138394717-<DEL:C9orf72>" in keys


def genes_met(start, end, kind="DEL", chrom="12") -> list[str]:
    sites = structural_sites(shipped(), [Structural(chrom, start, end, kind)], B)[0]
    return [gene_names(shipped())[gene] for _, gene, _ in sites]


TBK1_BOUNDS = genes(shipped(), B).loc["TBK1", ["start", "end"]].astype(int).tolist()


@pytest.mark.parametrize(
    ("start", "end", "met"),
    [
        # 5,000 bases beside a gene belong to it, on both sides.
        (TBK1_BOUNDS[0] - 5100, TBK1_BOUNDS[0] - 5001, False),
        (TBK1_BOUNDS[0] - 5100, TBK1_BOUNDS[0] - 5000, True),
        (TBK1_BOUNDS[1] + 5000, TBK1_BOUNDS[1] + 5100, True),
        (TBK1_BOUNDS[1] + 5001, TBK1_BOUNDS[1] + 5100, False),
    ],
)
def test_a_variant_meets_a_gene_up_to_its_padding(start, end, met):
    assert ("TBK1" in genes_met(start, end)) == met


def test_a_variant_over_exactly_two_genes_has_a_key_for_each():
    """C9orf72 and SIGMAR1 are the first two of chromosome 9."""
    panel = genes(shipped(), B)
    bounds = int(panel.loc["C9orf72", "start"]), int(panel.loc["SIGMAR1", "end"])
    sites = structural_sites(shipped(), [Structural("9", *bounds, "DEL")], B)[0]
    met = {key.partition("<")[2] for key, _, _ in sites}
    assert met == {"DEL:C9orf72>", "DEL:SIGMAR1>"}


def test_the_kind_of_a_key_is_read_without_its_gene():
    assert changed_bases("9-0-138394717-<DEL:C9orf72>") == (1, 138394717, "DEL")
    assert changed_bases("2-200-300-<DUP>") == (201, 300, "DUP")


def test_a_gene_without_a_model_has_no_exons_to_lose():
    bounds = genes(shipped(), B).loc["ATXN2"]
    event = Structural("12", int(bounds["start"]), int(bounds["end"]), "DEL")
    assert "ATXN2" not in transcripts(shipped(), B)
    assert consequence_of(None, event) == "structural_variant"
    assert "ATXN2" in genes_met(event.start, event.end)


@pytest.mark.parametrize(
    ("first", "last", "term"),
    [
        # From the first or to the last base of the gene on it is the whole gene.
        (0, -100, "transcript_amplification"),
        (1, -100, "feature_elongation"),
        (100, 0, "transcript_amplification"),
        (100, -1, "feature_elongation"),
    ],
)
def test_a_duplication_lies_inside_of_a_gene_or_not(first, last, term):
    """All coding exons of TBK1 lie more than 100 bases inside of it."""
    model = transcripts(shipped(), B)["TBK1"]
    event = Structural("12", model.starts[0] + first, model.ends[-1] + last, "DUP")
    assert consequence_of(model, event) == term


def test_a_deletion_of_the_end_of_fus_gains_no_function():
    """A truncation there does (FUS 495-526); a deletion leaves no shortened protein."""
    model = transcripts(shipped(), B)["FUS"]
    start = next(p for p in range(*model.coding[-1]) if (model.coding_offset(p) or 0) // 3 > 500)
    term, criteria = weighed("16", start, model.ends[-1] + 100, "DEL", "FUS")
    assert (term, criteria) == ("exon_loss_variant", {})
