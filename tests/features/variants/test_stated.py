"""One missense score, functional scores and a laboratory's own criteria: how they are read, and
what they weigh on both sides of each limit.

Limits: Pejaver 2022 (PMC9748256, table 2) for REVEL; Brnich 2019 for functional scores, which are
the odds 350^(points/8) of Tavtigian 2018.
"""

import gzip
from dataclasses import replace

import pandas as pd
import pytest

from als_ml.__main__ import main
from features.catalogue import shipped
from features.errors import DataError, RequestError
from features.variants.evidence import Sources, assess
from features.variants.lookups import NO_LOOKUPS, Lookups, Stated
from features.variants.observed import STRENGTHS, own_criteria, read_observed
from features.variants.scores import (
    MissenseScore,
    read_likelihoods,
    read_missense_score,
)
from features.variants.variant import describe
from tests.vcf_files import write_vcf

B = "GRCh38"
A5G = "21-31659783-C-G"  # SOD1 p.Ala5Gly, not in the known-variant table
D91A = "21-31667290-A-C"
ALS2 = "2-201701850-A-C"


def points(lookups: Lookups, key=A5G, gene="SOD1", **cells) -> dict[str, int]:
    variant = replace(describe(shipped(), key, gene, None, B, lookups), **cells)
    found = assess(variant, Sources(shipped(), B, lookups, known=False))
    return {criterion.name: criterion.points for criterion in found.criteria}


def chosen(name: str, value: float) -> Lookups:
    return Lookups(missense=MissenseScore(name, {A5G: value}))


def test_strengths_are_the_points_of_tavtigian_2020():
    assert STRENGTHS == {"supporting": 1, "moderate": 2, "strong": 4, "very_strong": 8}


@pytest.mark.parametrize(
    ("score", "weighs"),
    [
        (0.003, -8), (0.0031, -4), (0.016, -4), (0.0161, -2), (0.183, -2), (0.184, -1),
        (0.29, -1), (0.291, 0), (0.643, 0), (0.644, 1), (0.772, 1), (0.773, 2), (0.931, 2),
        (0.932, 4), (1.0, 4),
    ],
)  # fmt: skip
def test_the_chosen_score_by_its_calibrated_limits(score, weighs):
    found = points(chosen("revel", score))
    assert found.get("PP3", 0) + found.get("BP4", 0) == weighs


@pytest.mark.parametrize(
    ("name", "scores", "weighs"),
    [
        ("revel", {"alphamissense": 0.99}, 0),  # another score does not stand in for it
        ("revel", {"revel": 0.95, "alphamissense": 0.0}, 4),
        ("alphamissense", {"revel": 0.95, "alphamissense": 0.05}, -2),
        ("cadd", {"revel": 0.95, "cadd": 30.0}, 2),
        ("cadd", {}, 0),  # nor does the substitution matrix
        ("", {"alphamissense": 0.95, "cadd": 1.0}, 2),  # without a choice the first that is there
    ],
)
def test_one_score_and_no_other(name, scores, weighs):
    lookups = Lookups(missense=MissenseScore(name, {})) if name else NO_LOOKUPS
    found = points(lookups, scores=scores)
    assert found.get("PP3", 0) + found.get("BP4", 0) == weighs


def test_the_file_comes_before_the_vcf_and_is_kept_with_a_model():
    lookups = chosen("revel", 0.95)
    assert describe(shipped(), A5G, "SOD1", None, B, lookups).scores == {"revel": 0.95}
    again = Lookups.from_json(lookups.as_json())
    assert again.missense == lookups.missense
    assert again.digest == lookups.digest != NO_LOOKUPS.digest == "none"
    assert not again.same_references(lookups)  # equal, but not the same object
    assert replace(lookups, effects={}).same_references(lookups)
    assert "missense" not in NO_LOOKUPS.as_json()


ALPHA = (
    "# Copyright\n#CHROM\tPOS\tREF\tALT\tgenome\tuniprot_id\ttranscript_id\tprotein_variant\t"
    "am_pathogenicity\tam_class\n"
    "chr1\t69094\tG\tT\thg38\tQ8NH21\tENST1\tV2L\t0.2937\tlikely_benign\n"
    "chr21\t31659783\tC\tG\thg38\tP00441\tENST2\tA5G\t0.91\tlikely_pathogenic\n"
)
REVEL = (
    "chr,hg19_pos,grch38_pos,ref,alt,aaref,aaalt,REVEL,Ensembl_transcriptid\n"
    "1,35142,35142,G,A,T,M,0.027,ENST1\n"
    "21,33032096,31659783,C,G,A,G,0.8,ENST2\n"
    "21,33032096,31659783,C,G,A,G,0.9,ENST3\n"
    "21,33032097,.,C,G,A,G,0.9,ENST3\n"
)
OWN = "variant\tscore\n21-31659783-C-G\t0.7\nchr21-31659783-CA-GA\t0.6\n1-5-A-C\t0.1\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (ALPHA, "", ("alphamissense", {A5G: 0.91})),
        (ALPHA, "alphamissense", ("alphamissense", {A5G: 0.91})),
        (REVEL, "", ("revel", {A5G: 0.9})),  # the highest of its transcripts
        (OWN, "cadd", ("cadd", {A5G: 0.7})),  # the same variant, written longer
    ],
)
def test_score_files(tmp_path, packed, text, name, expected):
    path = tmp_path / "scores"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_missense_score(shipped(), path, name, B) == expected


def test_revel_on_the_other_build(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(REVEL)
    found = read_missense_score(shipped(), path, "revel", "GRCh37")
    assert found is not None
    assert found.by_key == {"21-33032096-C-G": 0.9, "21-33032097-C-G": 0.9}


@pytest.mark.parametrize(
    ("text", "name", "build", "error", "words"),
    [
        (ALPHA, "revel", B, DataError, "table of alphamissense, not of revel"),
        (ALPHA, "", "GRCh37", DataError, "line 3: it is of GRCh38, but GRCh37"),
        (OWN, "", B, RequestError, "does not say which score"),
        (OWN, "cad", B, RequestError, "Did you mean 'cadd'"),
        (OWN, "spliceai", B, RequestError, "this score is not known"),
        ("a\tb\n1\t2\n", "revel", B, DataError, "columns are not those of a known table"),
        ("", "revel", B, DataError, "columns are not those of a known table"),
        ("variant\tscore\n1-5-A-C\t0.1\n", "revel", B, DataError, "none of its variants"),
        (OWN.replace("0.7", "high"), "revel", B, DataError, "line 2: 'high' is not a score"),
        (OWN.replace("0.7", "nan"), "revel", B, DataError, "line 2: 'nan' is not a score"),
        (OWN.replace("C-G", "C-<DEL>", 1), "revel", B, DataError, "is not chrom-pos-ref-alt"),
    ],
)
def test_score_files_that_do_not_hold(tmp_path, text, name, build, error, words):
    path = tmp_path / "scores"
    path.write_text(text)
    with pytest.raises(error, match=words):
        read_missense_score(shipped(), path, name, build)


def test_a_damaged_score_file(tmp_path):
    path = tmp_path / "scores.gz"
    path.write_bytes(gzip.compress(ALPHA.encode())[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_missense_score(shipped(), path, "", B)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (350.0, {"PS3": 4}), (350.1, {"PS3": 8}), (18.7, {"PS3": 2}), (18.8, {"PS3": 4}),
        (4.33, {"PS3": 1}), (4.4, {"PS3": 2}), (2.08, {}), (2.1, {"PS3": 1}), (1.0, {}),
        (0.481, {}), (0.48, {"BS3": -1}), (0.231, {"BS3": -1}), (0.23, {"BS3": -2}),
        (0.053, {"BS3": -2}), (0.052, {"BS3": -4}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", [A5G, "SOD1:A5G"])
def test_functional_scores_by_likelihood_ratio(name, ratio, expected):
    found = points(Lookups(likelihoods={name: ratio}))
    assert {k: v for k, v in found.items() if k in ("PS3", "BS3")} == expected


def test_the_limits_of_likelihood_ratios_are_the_odds_of_their_points():
    table = shipped().table("predictors")
    rows = table[table["score"] == "likelihood_ratio"].to_dict("records")
    for row in rows:
        odds = 350.0 ** (int(row["points"]) / 8)
        assert float(row["threshold"]) == pytest.approx(odds, rel=0.01)
    assert len(rows) == 7


def test_functional_files(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(
        "gene,hgvs_p,variant,likelihood_ratio\nSOD1,p.Ala5Gly,,20\nBRCA1,p.Met1Val,,9\n"
        ",,21-31659783-C-T,0.1\n"
    )
    assert read_likelihoods(shipped(), path) == {"SOD1:A5G": 20.0, "21-31659783-C-T": 0.1}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("SOD1,p.Ala5Gly,0\n", "line 2: '0' is not a number above 0"),
        ("SOD1,p.Ala5Gly,\n", "line 2: '' is not a number above 0"),
        ("SOD1,p.Ala5fs,3\n", "line 2: it names no variant"),
        (",p.Ala5Gly,3\n", "line 2: it names no variant"),
        ("SOD1,p.Ala5Gly,3\nSOD1,A5G,4\n", "line 3: SOD1:A5G is there with two ratios"),
        ("BRCA1,p.Met1Val,9\n", "none of its variants is of the panel"),
    ],
)
def test_functional_files_that_do_not_hold(tmp_path, rows, words):
    path = tmp_path / "f.csv"
    path.write_text("gene,hgvs_p,likelihood_ratio\n" + rows)
    with pytest.raises(DataError, match=words):
        read_likelihoods(shipped(), path)


def stated(tmp_path, header: str, row: str) -> dict[str, tuple[Stated, ...]]:
    path = tmp_path / "own.tsv"
    path.write_text(f"{header}\n{row}\n".replace(" ", "\t"))
    return read_observed(shipped(), path, B)


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("name", ["PS2", "PS3", "PS4", "PP1", "BS3", "BS4"])
def test_own_criteria_up_to_their_strongest(tmp_path, name, strength):
    most = {"PS2": 8}.get(name, 4)
    if STRENGTHS[strength] > most:
        with pytest.raises(DataError, match=f"{name} is never {strength}"):
            stated(tmp_path, f"variant {name}", f"{A5G} {strength}")
        return
    found = stated(tmp_path, f"variant {name}", f"{A5G} {strength}")
    weighed = points(Lookups(stated=found))
    sign = -1 if name.startswith("B") else 1
    assert weighed[name] == sign * STRENGTHS[strength]


@pytest.mark.parametrize(
    ("key", "gene", "allowed"),
    [
        (ALS2, "ALS2", True),  # recessive
        (D91A, "SOD1", True),  # a recessive allele of a dominant gene
        ("10-13112467-C-T", "OPTN", True),  # two null alleles are a cause
        (A5G, "SOD1", False),
        ("12-64464454-C-T", "TBK1", False),
    ],
)
def test_in_trans_counts_for_recessive_disease_only(tmp_path, key, gene, allowed):
    if not allowed:
        with pytest.raises(DataError, match=f"PM3 needs a recessive gene, {gene} is not one"):
            stated(tmp_path, "variant PM3", f"{key} moderate")
        return
    found = stated(tmp_path, "variant PM3", f"{key} very_strong")
    assert points(Lookups(stated=found), key, gene)["PM3"] == 8


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("variant PS5", f"{A5G} strong", "the column PS5 is not known"),
        ("key PS2", f"{A5G} strong", "it has no column variant"),
        ("variant PS2", f"{A5G} certain", "PS2: 'certain' is no strength"),
        ("variant PS2", "SOD1:A5Q strong", "no known variant has this name"),
        ("variant PS2", "21:31659783 strong", "no known variant of this gene"),
        # The first colon ends the gene; the message names the gene and what was asked of it.
        ("variant PS2", "SOD1:p.A:A4V strong", "SOD1 p.A:A4V|no known variant has this name"),
        ("variant PS2", "1-5-A-C strong", "is not in a gene of the panel"),
        ("variant PS2", f"{A5G} strong\n{A5G} strong", "line 3: .* is there twice"),
    ],
)
def test_own_criteria_that_do_not_hold(tmp_path, header, row, words):
    with pytest.raises(DataError, match=words):
        stated(tmp_path, header, row)


def test_a_known_variant_by_its_name_and_a_note(tmp_path):
    found = stated(tmp_path, "variant PS4 PP1 note", "SOD1:A4V strong  seen")
    ((key, (criterion,)),) = found.items()
    assert (key, criterion.name, criterion.points) == ("21-31659783-C-T", "PS4", 4)
    assert criterion.reason.endswith("stated by the laboratory: seen")
    ((_, (without,)),) = stated(tmp_path, "variant PS4", "SOD1:A4V strong").items()
    assert without.reason.endswith("stated by the laboratory")


def test_a_laboratorys_functional_study_takes_the_place_of_a_score():
    lookups = Lookups(likelihoods={A5G: 400.0}, stated={A5G: (Stated("BS3", -1, "x"),)})
    found = points(lookups)
    assert found["BS3"] == -1
    assert "PS3" not in found


def test_stated_criteria_do_not_outweigh_a_frequency_that_stands_alone():
    lookups = Lookups(frequencies={A5G: 0.06}, stated={A5G: (Stated("PS4", 4, "x"),)})
    assert points(lookups) == {"BA1": -8}


def test_earlier_models_have_no_own_criteria():
    from features.catalogue import Definitions

    texts = {name: text for name, text in shipped().texts.items() if name != "own_criteria"}
    assert own_criteria(Definitions(texts)) == {}


def test_the_command_reads_all_three(tmp_path, capsys):
    vcf = write_vcf(tmp_path / "a.vcf", ["p"], ["21 31659783 C G PASS 0/1"])
    (tmp_path / "s.tsv").write_text(ALPHA)
    (tmp_path / "f.csv").write_text("variant,likelihood_ratio\n21-31659783-C-G,5\n")
    (tmp_path / "e.tsv").write_text("variant\tPS2\n21-31659783-C-G\tmoderate\n1-11022418-A-G\t\n")
    given = {"vcf": vcf, "genome-build": B, "output": tmp_path / "v.csv"}
    given |= {"scores": tmp_path / "s.tsv", "functional": tmp_path / "f.csv"}
    given |= {"evidence": tmp_path / "e.tsv"}
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
    assert main(["variants", *options, "--clinvar-off"]) == 0
    row = pd.read_csv(tmp_path / "v.csv").iloc[0]
    assert row["alphamissense"] == 0.91
    assert {"PP3 +2", "PS3 +2", "PS2 +2"} <= {e.split(":")[0] for e in row["evidence"].split("; ")}
    assert "1 of 2 variants are not in the VCF" in capsys.readouterr().err
