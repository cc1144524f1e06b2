"""The variants command, annotation with a FASTA, and public files, end to end."""

import gzip
import json
from dataclasses import replace

import pandas as pd
import pysam
import pytest

from als_ml.__main__ import main
from benchmarks import conformance, pathogenicity
from features.catalogue import shipped
from features.errors import DataError
from features.genotypes.extraction import Panel, read_genotypes
from features.genotypes.vcf import read_header
from features.tables.problems import Problems
from features.variants.lookups import Lookups, predicted_effects, read_clinvar
from tests.vcf_files import write_vcf

# The first coding bases of SOD1 (NM_000454.5, c.1-c.72), and a made-up repeat before them to shift
# an insertion in.
SOD1 = "ATGGCGACGAAGGCCGTGTGCGTGCTGAAGGGCGACGGCCCAGTGCAGGGCATCATCAATTTCGAGCAGAAG"
A5V = "21 31659783 C T"


def variants(tmp_path, path, *options, build="GRCh38"):
    output, carriers = tmp_path / "v.csv", tmp_path / "c.csv"
    arguments = [
        "--vcf",
        str(path),
        "--genome-build",
        build,
        "--output",
        str(output),
        "--carriers",
        str(carriers),
    ]
    status = main(["variants", *arguments, *options])
    return status, output, carriers


def test_variants_and_their_carriers(tmp_path, capsys):
    records = [
        f"{A5V} PASS 0/1 0/0",
        "21 31667290 A C PASS 0/1 1/1",
        "2 201701850 A C PASS 0/1 0/1",
    ]
    status, output, carriers = variants(
        tmp_path, write_vcf(tmp_path / "a.vcf.gz", ["a", "b"], records)
    )
    assert status == 0
    table = pd.read_csv(output).set_index("variant")
    assert table.loc["21-31659783-C-T", ["gene", "hgvs_p", "legacy_name", "class"]].tolist() == [
        "SOD1",
        "p.Ala5Val",
        "A4V",
        "P",
    ]
    assert table.loc["21-31667290-A-C", ["n_heterozygous", "n_homozygous"]].tolist() == [1, 1]
    assert table["pathogenicity"].between(0, 1).all()
    found = pd.read_csv(carriers).set_index(["sample_id", "variant"])["finding"]
    assert found["a", "21-31659783-C-T"] == "causal"
    assert found["a", "21-31667290-A-C"] == "carrier of one recessive allele"  # D91A needs two
    assert found["b", "21-31667290-A-C"] == "causal"
    assert "note: no population frequencies are known" in capsys.readouterr().err


def test_carriers_count_once_and_compound_heterozygotes_are_possible(tmp_path):
    stops = [
        "2 201724310 CA C PASS 0/1 1/1",
        "2 201768880 CA C PASS 0/1 0/0",
    ]  # made-up frameshifts in ALS2, recessive
    path = write_vcf(
        tmp_path / "a.vcf", ["a", "b"], [f"{A5V} PASS 0/1 0/0", f"{A5V} PASS 1/1 0/0", *stops]
    )
    arguments = ["--vcf", str(path), "--genome-build", "GRCh38", "--quiet"]
    files = [tmp_path / "v.parquet", tmp_path / "c.parquet"]
    assert (
        main(["variants", *arguments, "--output", str(files[0]), "--carriers", str(files[1])]) == 0
    )
    table, carriers = (pd.read_parquet(file) for file in files)
    counts = table.set_index("variant").loc["21-31659783-C-T", ["n_heterozygous", "n_homozygous"]]
    assert counts.tolist() == [0, 1]  # twice in the file: the larger number of copies
    of_als2 = carriers[carriers["gene"] == "ALS2"].astype({"finding": str})
    found = of_als2.groupby("sample_id", observed=True)["finding"].agg(set)
    assert found["a"] == {"possible compound heterozygote"}
    assert found["b"] == {"causal"}


def test_parts_of_a_file_and_of_its_samples_give_the_same_carriers(tmp_path, monkeypatch):
    names = ["a", "b", "c", "d", "e"]
    records = [
        "2 201701850 A C,G PASS 0/1 1/2 0/0 ./. 2/2",
        "2 201724310 CA C PASS 0/1 1/1 0/1 0/0 .",
        "2 201768880 CA C PASS 0/1 0/0 0/1 0/0 0/0",
        "9 27573529 A T PASS 0/0 0/0 0/0 0/0 0/0",
        f"{A5V} PASS 0/1 0/0 0/0 0/1 0/0",
        f"{A5V} PASS 1/1 0/0 0/0 0/0 0/0",
        "21 31667290 A C q10 0/1 1/1 0/0 0/0 0/0",
    ]
    path = write_vcf(tmp_path / "a.vcf.gz", names, records)
    assert variants(tmp_path, path)[0] == 0
    whole = [(tmp_path / name).read_text() for name in ("v.csv", "c.csv")]
    # Nobody carries this one; it is a variant of the file all the same.
    assert "9-27573529-A-T" in whole[0]
    assert len(whole[1].splitlines()) == 1 + 11
    monkeypatch.setattr("features.genotypes.extraction.MANY_SAMPLES", 2)
    monkeypatch.setattr("als_ml.variant_table.table.PATIENTS", 2)
    assert variants(tmp_path, path)[0] == 0
    parts = [(tmp_path / name).read_text() for name in ("v.csv", "c.csv")]
    assert parts[0] == whole[0]
    # Each two samples are written together.
    assert sorted(parts[1].splitlines()) == sorted(whole[1].splitlines())


def test_what_counts_once_and_what_no_threshold_can_test_is_told(tmp_path, capsys):
    records = [f"{A5V} PASS 0/1 ./.", f"{A5V} PASS 1/1 0/0", "21 31667290 A C q10 0/1 ./."]
    path = write_vcf(tmp_path / "a.vcf", ["a", "b"], records)
    assert variants(tmp_path, path, "--min-gq", "20")[0] == 0
    said = capsys.readouterr().err
    assert "2 samples, 1 missing genotypes" in said
    assert "1 carried alleles are in more than one record of their sample" in said
    assert "1 of 3 panel records have a FILTER other than PASS" in said
    assert "the threshold on GQ cannot be applied: there is no FORMAT/GQ" in said


def test_sites_without_samples_and_a_panel_without_records(tmp_path):
    path = write_vcf(tmp_path / "a.vcf", [], [])
    path.write_text(
        path.read_text().replace("\tFORMAT", "") + "21\t31659783\t.\tC\tT\t.\tPASS\t.\n"
    )
    assert variants(tmp_path, path)[0] == 0
    assert pd.read_csv(tmp_path / "v.csv")["known_role"].tolist() == ["causal_dominant"]
    empty = write_vcf(tmp_path / "b.vcf", ["p"], ["3 100 A C PASS 0/1"])
    assert variants(tmp_path, empty)[0] == 0
    assert pd.read_csv(tmp_path / "v.csv").empty


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fasta", "nowhere.fa"], "--fasta nowhere.fa: there is no such file"),
        (["--clinvar", "nowhere.vcf"], "--clinvar nowhere.vcf: there is no such file"),
    ],
)
def test_wrong_requests(tmp_path, capsys, options, words):
    path = write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS 0/1"])
    status, output, _ = variants(tmp_path, path, *options)
    assert status == 1
    assert words in capsys.readouterr().err
    assert not output.exists()


def test_the_wrong_build_stops(tmp_path, capsys):
    path = write_vcf(tmp_path / "a.vcf", ["p"], [f"{A5V} PASS 0/1"], build="GRCh37")
    assert variants(tmp_path, path)[0] == 1
    assert "as in GRCh37, but the cohort file says GRCh38" in capsys.readouterr().err


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    """Chromosome 21 of N, with the first coding bases of SOD1 in their place and a run of A 60
    bases before.
    """
    path, bases = tmp_path_factory.mktemp("fasta") / "ref.fa", bytearray(b"N" * 46_709_983)
    bases[31659769 : 31659769 + len(SOD1)] = SOD1.encode()
    bases[31659690:31659710] = b"GCAAAAAAAACGTGTGTGTC"
    path.write_bytes(b">chr21\n" + bytes(bases) + b"\n")
    pysam.faidx(str(path))
    return path


def test_consequences_by_bcftools_csq(fasta):
    keys = ["21-31659783-C-T", "21-31659784-G-A", "21-31659785-T-TA", "21-31659842-G-A", "1-5-A-C"]
    found = predicted_effects(shipped(), keys[:1], "GRCh38", fasta)
    assert found["21-31659783-C-T"][:2] == ("missense_variant", "ENST00000270142.10")
    assert found["21-31659783-C-T"].hgvs_p == "p.Ala5Val"
    assert (
        predicted_effects(shipped(), ["1-5-A-C"], "GRCh38", fasta) == {}
    )  # this FASTA has no chromosome 1


def test_a_fasta_that_cannot_be_read(tmp_path):
    (tmp_path / "a.fa").write_text("no fasta")
    with pytest.raises(DataError, match="this FASTA cannot be read"):
        predicted_effects(shipped(), ["21-31659783-C-T"], "GRCh38", tmp_path / "a.fa")


def test_a_fasta_of_the_other_build_or_without_a_chromosome(tmp_path, fasta, capsys):
    path = write_vcf(tmp_path / "a.vcf", ["p"], ["1 11022418 A G PASS 0/1"], build="GRCh37")
    assert variants(tmp_path, path, "--fasta", str(fasta), build="GRCh37")[0] == 1
    assert "contig 21 has 46709983 bases, as in GRCh38" in capsys.readouterr().err
    path = write_vcf(tmp_path / "b.vcf", ["p"], ["1 11022418 A G PASS 0/1"])
    assert variants(tmp_path, path, "--fasta", str(fasta))[0] == 1
    assert "faidx_fetch_seq failed" in capsys.readouterr().err
    assert not (tmp_path / "v.csv").exists()


def test_left_normalisation_against_a_fasta(tmp_path, fasta):
    # Three spellings of one more A in the run of eight: only a reference tells that they are one
    # variant.
    spelled = ["21 31659692 C CA", "21 31659696 A AA", "21 31659700 A AA"]
    panel = Panel(shipped(), "GRCh38", fasta=fasta)
    rows, keys = {"p": 0}, []
    for i, site in enumerate(spelled):
        path = write_vcf(tmp_path / f"{i}.vcf", ["p"], [f"{site} PASS 0/1"])
        found, _ = read_genotypes(panel, [path], rows, 1, Problems())
        keys += found.keys().tolist()
    assert keys == ["21-31659692-C-CA"] * 3


def test_check_tells_the_coverage_of_each_gene(demo, capsys):
    assert main(["check", "--cohort", f"{demo}/cohort.yaml", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    sod1 = next(row for row in found["genes"] if row["gene"] == "SOD1")
    assert (
        sum(sod1[name] for name in ("unknown", "not covered", "partly", "covered"))
        == found["contents"]["patients"]
    )
    assert 0 < sod1["no-call rate"] < 0.2
    assert any("panel records" in problem["found"] for problem in found["problems"])


def test_clinvar_of_2020_by_position(reference_data):
    """Not SOD1: this export writes it on the wrong strand (`benchmarks/pathogenicity.py`)."""
    found = read_clinvar(
        shipped(), reference_data / "clinvar" / "clinvar_als_2020.GRCh38.vcf.gz", "GRCh38"
    )
    assert found["1-11022418-A-G"] == ("Pathogenic", 1)  # TARDBP p.Met337Val
    assert Lookups.from_json(Lookups({}, found).as_json()).clinvar == found


def test_pathogenicity_on_clinvar_without_clinvar(reference_data):
    """Floors of all records with consequences and gnomAD, and of the starred in a bare VCF."""
    from sklearn.metrics import roc_auc_score

    table = pathogenicity.records()
    described = pathogenicity.described(table)
    scores = pathogenicity.scores(described)["pathogenicity"]
    assert roc_auc_score(table["pathogenic"], scores) > 0.97
    starred = ~table["revstat"].str.startswith("no assertion")
    bare = pathogenicity.described(table[starred], annotated=False, frequencies=False)
    alone = [found.pathogenicity for found in pathogenicity.assessed(bare)]
    assert roc_auc_score(table["pathogenic"][starred], alone) > 0.97
    rare = [v for v in described if v.kind == "missense" and (v.frequency or 0) < 0.01]
    made_up = [replace(v, scores={"revel": 0.99}) for v in rare]
    before, after = (
        pathogenicity.scores(some)["pathogenicity"].to_numpy() for some in (rare, made_up)
    )
    assert (after > before).all()


def test_public_conformance_files_end_in_a_table_or_a_message(reference_data):
    """Every thirtieth; `python -m benchmarks conformance` reads all of them."""
    chosen = conformance.files()[::30]
    assert len(chosen) > 30
    outcomes = {path.name: conformance.outcome(path) for path in chosen}
    assert not {name: end for name, end in outcomes.items() if end.startswith("BUG")}


@pytest.mark.parametrize(
    "name", ["ann_and_csq.vcf", "with-bcsq.vcf", "test.snpeff.vcf", "homo_sapiens_GRCh37.vcf"]
)
def test_public_annotated_files(reference_data, tmp_path, name):
    assert variants(tmp_path, reference_data / "annotated" / name, build="GRCh37")[0] == 0


@pytest.mark.parametrize(
    ("name", "field", "symbol"),
    [
        ("ann_and_csq.vcf", "CSQ", 4),
        ("ann_and_csq.vcf", "ANN", 3),
        ("with-bcsq.vcf", "BCSQ", 1),
        ("test.snpeff.vcf", "EFF", None),
        ("sample.gnomad.exomes.r2.1.1.sites.chr1.vcf.gz", "vep", 3),
    ],
)
def test_public_annotations_are_understood(reference_data, tmp_path, name, field, symbol):
    """Each record's first effect has a term that the definitions know, whichever gene it is on."""
    from features.variants.annotation import effect_of

    understood, total = 0, 0
    raw = (reference_data / "annotated" / name).read_bytes()
    (tmp_path / "a.vcf").write_bytes(gzip.decompress(raw) if name.endswith(".gz") else raw)
    with pysam.VariantFile(str(tmp_path / "a.vcf")) as file:
        description = {field: file.header.info[field].description}
        for record in file:
            if field not in record.info or record.alts is None:
                continue
            value = record.info[field]
            text = value if isinstance(value, str) else ",".join(value)
            gene = text.split("|")[5] if symbol is None else text.split(",")[0].split("|")[symbol]
            found = [
                effect_of(shipped(), {field: text}, description, alt, i, gene, record.ref)
                for i, alt in enumerate(record.alts)
            ]
            total += 1
            understood += any(effect is not None and effect.consequence for effect in found)
    assert total > 0
    assert understood / total > 0.95, f"{understood} of {total}"


def test_residues_agree_with_gnomad(reference_data):
    """gnomAD's own protein positions of missense variants, for the transcripts that it uses too."""
    from features.variants.gene_models import place

    path = reference_data / "gnomad" / "gnomad_r2.1_als_genes.GRCh37.tsv.gz"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table = table[(table["Annotation"] == "missense_variant") & (table["Reference"].str.len() == 1)]
    for gene in ("SOD1", "FUS", "VCP", "KIF5A", "NEK1", "SPG11"):
        own = table[table["gene"] == gene]
        told = own["Protein_Consequence"].where(
            own["Protein_Consequence"] != "", own["Consequence"]
        )
        residue = told.str.extract(r"p\.[A-Za-z]{3}(\d+)")[0].astype(float)
        sites = zip(own["Position"].astype(int), own["Reference"], own["Alternate"], strict=True)
        found = [place(shipped(), gene, pos, ref, alt, "GRCh37").residue for pos, ref, alt in sites]
        agree = sum(a == b for a, b in zip(found, residue, strict=True))
        assert agree / len(own) > 0.98, gene


def test_the_header_of_a_file_is_read_once_for_all(reference_data):
    assert read_header(reference_data / "cohorts" / "ashk-trio.vcf.gz").samples == (
        "HG002",
        "HG003",
        "HG004",
    )
