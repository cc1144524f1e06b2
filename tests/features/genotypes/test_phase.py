"""Phase of two alleles of a patient: each way in which a file or parents tell it, and the finding.

What a genotype means is VCF 4.5, section 1.6.2 (GT, PS); PGT and PID are GATK's.
"""

import itertools
from collections import Counter

import pandas as pd
import pysam
import pytest

from als_ml.__main__ import main
from features.catalogue import shipped, variant_key
from features.errors import DataError
from features.genotypes.phase import CIS, TRANS, UNPHASED, Parents, Phases, read_ped, read_phases
from features.genotypes.vcf import site_query

# Two lost splice sites of ALS2, a recessive gene, and what a carrier of both is called.
ONE, OTHER = "2-201724310-CA-C", "2-201768880-CA-C"
FINDINGS = {
    UNPHASED: "possible compound heterozygote",
    CIS: "carrier of one recessive allele",
    TRANS: "compound heterozygote",
}


def vcf(path, samples, rows, contig="2"):
    """Rows are 'pos ref alt format cell cell ...'."""
    lines = ["##fileformat=VCFv4.3", f"##contig=<ID={contig}>"]
    for name, number, kind in (
        ("GT", 1, "String"),
        ("PS", 1, "Integer"),
        ("PGT", 1, "String"),
        ("PID", 1, "String"),
    ):
        lines.append(f'##FORMAT=<ID={name},Number={number},Type={kind},Description="{name}">')
    columns = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT"
    lines.append("\t".join([*columns.split(), *samples]))
    for row in rows:
        pos, ref, alt, form, *cells = row.split()
        lines.append("\t".join([contig, pos, ".", ref, alt, ".", "PASS", ".", form, *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


def two(form: str, one: str, other: str) -> list[str]:
    return [f"201724310 CA C {form} {one}", f"201768880 CA C {form} {other}"]


def related(path, sample="a", parents=None, one=ONE, other=OTHER):
    query = site_query(shipped(), path, "GRCh38")
    phases = read_phases(query, {sample: {one, other}}, parents or {})
    assert phases.relation(sample, one, other) == phases.relation(sample, other, one)
    return phases.relation(sample, one, other)


PHASED = [
    ("GT", "0/1", "0/1", UNPHASED),
    ("GT", "0|1", "0|1", CIS),  # no PS: one set of the contig
    ("GT", "0|1", "1|0", TRANS),
    ("GT", "1|0", "1|0", CIS),
    ("GT", "0|1", "0/1", UNPHASED),
    ("GT:PS", "0|1:5", "0|1:5", CIS),
    ("GT:PS", "0|1:5", "1|0:5", TRANS),
    ("GT:PS", "0|1:5", "1|0:6", UNPHASED),  # other sets have no order between them
    ("GT:PS", "0|1:5", "1|0:.", UNPHASED),
    ("GT:PS", "0/1:5", "0/1:5", UNPHASED),  # PS of an unphased call says nothing
    ("GT:PGT:PID", "0/1:0|1:5_A_C", "0/1:0|1:5_A_C", CIS),
    ("GT:PGT:PID", "0/1:0|1:5_A_C", "0/1:1|0:5_A_C", TRANS),
    ("GT:PGT:PID", "0/1:0|1:5_A_C", "0/1:1|0:6_A_C", UNPHASED),
    ("GT:PGT:PID", "0/1:0|1:.", "0/1:1|0:.", UNPHASED),
    ("GT:PGT:PID", "0/1:.:.", "0/1:0|1:5_A_C", UNPHASED),
    ("GT:PGT:PID", "0/1:0/1:5_A_C", "0/1:0/1:5_A_C", UNPHASED),
]


@pytest.mark.parametrize(("form", "one", "other", "expected"), PHASED)
@pytest.mark.parametrize("contig", ["2", "chr2"])
def test_phase_that_the_file_tells(tmp_path, contig, form, one, other, expected):
    path = vcf(tmp_path / "a.vcf", ["a"], two(form, one, other), contig)
    assert related(path) == expected


@pytest.mark.parametrize(("form", "one", "other", "expected"), PHASED[:3])
def test_the_finding_follows_the_phase(tmp_path, form, one, other, expected):
    path = vcf(tmp_path / "a.vcf", ["a"], two(form, one, other))
    assert findings(tmp_path, path)["a"] == {FINDINGS[expected]}


def findings(tmp_path, path, *options) -> dict[str, set[str]]:
    given = ["--vcf", str(path), "--genome-build", "GRCh38", "--quiet"]
    given += ["--output", str(tmp_path / "v.csv"), "--carriers", str(tmp_path / "c.csv")]
    assert main(["variants", *given, *options]) == 0
    table = pd.read_csv(tmp_path / "c.csv")
    return table.groupby("sample_id")["finding"].agg(set).to_dict()


def test_two_alleles_of_one_genotype_are_in_trans(tmp_path):
    path = vcf(tmp_path / "a.vcf", ["a"], ["201724310 CAA C,CA GT 1/2"])
    alleles = {"one": "2-201724310-CAA-C", "other": "2-201724310-CA-C"}
    assert related(path, **alleles) == TRANS


@pytest.mark.parametrize(
    ("father", "mother", "expected"),
    [
        (("0/1", "0/0"), ("0/0", "0/1"), TRANS),
        (("0/0", "1/1"), ("0/1", "0/0"), TRANS),
        (("0/1", "0/1"), ("0/0", "0/0"), CIS),
        (("0/0", "0/0"), ("0/1", "0/1"), CIS),
        (("0/1", "0/1"), ("0/1", "0/0"), UNPHASED),  # the first may be of either
        (("0/1", "0/0"), ("0/0", "0/0"), UNPHASED),  # the second is new
        (("0/1", "0/0"), ("./.", "0/1"), UNPHASED),  # the mother was not called at the first
        (("0/1", "0/."), ("0/0", "0/1"), UNPHASED),
    ],
)
def test_phase_by_parents(tmp_path, father, mother, expected):
    rows = two("GT", f"0/1 {father[0]} {mother[0]}", f"0/1 {father[1]} {mother[1]}")
    path = vcf(tmp_path / "a.vcf", ["a", "f", "m"], rows)
    assert related(path, parents={"a": Parents("f", "m")}) == expected
    assert related(path, parents={"a": Parents("f", "absent")}) == UNPHASED


def test_the_finding_by_parents(tmp_path):
    path = vcf(tmp_path / "a.vcf", ["a", "f", "m"], two("GT", "0/1 0/1 0/0", "0/1 0/0 0/1"))
    ped = tmp_path / "a.ped"
    ped.write_text("# a family\nx a f m 1 2\nx f 0 0 1 0\nx m 0 0 2 0\n")
    assert findings(tmp_path, path, "--ped", str(ped))["a"] == {FINDINGS[TRANS]}
    assert findings(tmp_path, path)["a"] == {FINDINGS[UNPHASED]}


@pytest.mark.parametrize(
    ("third", "expected"),
    [
        ("1|0", {"compound heterozygote"}),  # in trans to both: so are they to it
        ("0|1", {"carrier of one recessive allele"}),
        ("0/1", {"possible compound heterozygote"}),
    ],
)
def test_a_third_allele(tmp_path, third, expected):
    """In trans to one is two copies, in cis to all one, in cis to one and else unknown possible."""
    rows = [*two("GT", "0|1", "0|1"), f"201709900 AC A GT {third}"]
    path = vcf(tmp_path / "a.vcf", ["a"], rows)
    assert findings(tmp_path, path)["a"] == expected


def test_only_heterozygous_diploid_alleles_have_a_phase(tmp_path):
    path = vcf(tmp_path / "a.vcf", ["a"], two("GT", "1|1", "0|1"))
    assert related(path) == UNPHASED
    assert findings(tmp_path, path)["a"] == {"causal", "possible compound heterozygote"}


def test_a_ped_names_the_patients_of_two_known_parents(tmp_path):
    path = tmp_path / "a.ped"
    path.write_text("# family\n\nx a Björn m 1 2\nx f 0 0 1 1\nx b f 0 1 1\nx c 0 m\n", "utf-8")
    assert read_ped(path) == {"a": Parents("Björn", "m")}


def test_the_parent_that_alone_has_an_allele(tmp_path):
    rows = two("GT", "0/1 0/1 0/0", "0/1 0/0 0/1")
    query = site_query(shipped(), vcf(tmp_path / "a.vcf", ["a", "f", "m"], rows), "GRCh38")
    phases = read_phases(query, {"a": {ONE, OTHER}}, {"a": Parents("f", "m")})
    assert phases.inherited == {("a", ONE): "father", ("a", OTHER): "mother"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x a f\n", "line 1: it has 3 columns"),
        ("x a f m\nx a f m\n", "line 2: this individual is there twice"),
        ("x a a m\n", "line 1: this individual is its own parent"),
    ],
)
def test_a_ped_that_does_not_hold(tmp_path, text, words):
    path = tmp_path / "a.ped"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_ped(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        read_ped(path)


def test_physical_phase_and_parents_agree_in_the_public_trio(reference_data):
    """Genome in a Bottle's son: GATK's physical phase and his parents are told apart and agree."""
    path = reference_data / "cohorts" / "ashk-trio.vcf.gz"
    sets = physical_sets(path, "HG002")
    query = site_query(shipped(), path, "GRCh37")
    wanted = {"HG002": {key for keys in sets for key in keys}}
    phases = read_phases(query, wanted, read_ped(path.with_name("ashk-trio.ped")))
    by_file, by_parents = Phases(phases.of, {}), Phases({}, phases.inherited)
    told = Counter(
        (by_file.relation("HG002", *pair), by_parents.relation("HG002", *pair))
        for keys in sets
        for pair in itertools.combinations(keys, 2)
    )
    assert (told[CIS, CIS], told[TRANS, TRANS]) == (102, 8)
    assert told[CIS, TRANS] + told[TRANS, CIS] == 0


def physical_sets(path, sample: str) -> list[list[str]]:
    """Heterozygous alleles of a sample in each of GATK's phase sets, read by pysam."""
    sets: dict[tuple[str, str], list[str]] = {}
    with pysam.VariantFile(str(path)) as file:
        for record in file:
            call, alt = record.samples[sample], record.alts[0]
            if call.get("PID") and call["GT"] in ((0, 1), (1, 0)) and len(record.alts) == 1:
                key = variant_key(record.contig, record.pos, record.ref, alt)
                sets.setdefault((record.contig, call["PID"]), []).append(key)
    return list(sets.values())
