"""From files to features and report: phase, and exons that are gone.

ALS2 has its exons from `gene_models.tsv` (GRCh38); two frameshifts in one of them are null
alleles. The same answers from one file, from shards, from parts and from a record that says the
same; a model of the second edition knows neither.
"""

from dataclasses import replace

import numpy as np
import pytest

from als_ml.cohort.in_parts import large_cohort
from als_ml.cohort.read import Reading, plain_reading, read_cohort
from als_ml.cohort.records import read_records
from als_ml.cohort.source import open_cohort
from als_ml.pages.genetic_result import genetic_results
from features.blocks.genetics import genetic_features
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from features.genotypes.vcf import ANY_CALL
from features.tables.problems import Problems
from features.variants.gene_models import transcripts
from tests.vcf_files import write_vcf

EXON = transcripts(shipped(), "GRCh38")["ALS2"].coding[10]
FIRST, SECOND = EXON[0] + 20, EXON[0] + 40
CALLS = {
    "cis": ("0|1", "0|1"),
    "trans": ("0|1", "1|0"),
    "unphased": ("0/1", "0/1"),
    "half": ("0|1", "0/1"),
    "two": ("1/1", "0/0"),
    "one": ("0/1", "0/0"),
    "none": ("0/0", "0/0"),
}
BIALLELIC = {"cis": 0, "trans": 1, "unphased": 1, "half": 1, "two": 1, "one": 0, "none": 0}


def records(names) -> list[str]:
    cells = zip(*(CALLS[name] for name in names), strict=True)
    return [
        f"2 {pos} A AC PASS {' '.join(row)}"
        for pos, row in zip((FIRST, SECOND), cells, strict=True)
    ]


def written(folder, files: dict[str, list[str]], extra=()) -> None:
    """A cohort of these files (name -> patients), whose frequency file looked at the exon."""
    for name, patients in files.items():
        write_vcf(folder / name, patients, [*records(patients), *extra])
    write_vcf(folder / "f.vcf.gz", ["x"], [f"2 {FIRST + 9} A C PASS 0/0"])
    rows = "".join(f"{name},male\n" for some in files.values() for name in some)
    (folder / "p.csv").write_text(f"sample_id,sex\n{rows}")
    (folder / "cohort.yaml").write_text(
        f"genome_build: GRCh38\npatients: p.csv\nvariants: [{', '.join(files)}]\n"
    )


def cohort_of(folder, reading: Reading | None = None):
    made = read_cohort(open_cohort(folder / "cohort.yaml"), reading or plain_reading(), Problems())
    # Both are absent from a frequency file that looked there.
    rare = made.variants.assign(frequency=0.0)
    return replace(made, variants=rare)


def biallelic(cohort) -> dict[str, int]:
    values = genetic_features(cohort, "GRCh38", 0.001)["biallelic_ALS2"]
    return dict(zip(cohort.patients["sample_id"], values.astype(int).tolist(), strict=True))


def test_phase_reaches_the_features(tmp_path):
    written(tmp_path, {"a.vcf.gz": list(CALLS)})
    assert biallelic(cohort_of(tmp_path)) == BIALLELIC


def test_one_file_a_patient_says_the_same(tmp_path):
    written(tmp_path, {f"{name}.vcf": [name] for name in CALLS})
    assert biallelic(cohort_of(tmp_path)) == BIALLELIC


def test_check_goes_on_where_another_file_is_broken(tmp_path):
    written(tmp_path, {f"{name}.vcf": [name] for name in ("cis", "trans", "none")})
    (tmp_path / "none.vcf").write_text("no VCF")
    problems = Problems(collect=True)
    made = read_cohort(open_cohort(tmp_path / "cohort.yaml"), plain_reading(), problems)
    assert made.genotypes.phases["cis"].tolist() == [True, False]
    assert [p.where.endswith("none.vcf") for p in problems.found if p.severity == "error"] == [True]


def test_two_files_do_not_share_a_phase_set(tmp_path):
    """Two shards, each phased by itself: nothing tells how the two lie."""
    for name, record in zip(("a.vcf.gz", "b.vcf.gz"), records(["cis"]), strict=True):
        write_vcf(tmp_path / name, ["cis"], [record])
    (tmp_path / "p.csv").write_text("sample_id,sex\ncis,male\n")
    text = "genome_build: GRCh38\npatients: p.csv\nvariants: [a.vcf.gz, b.vcf.gz]\n"
    (tmp_path / "cohort.yaml").write_text(text)
    assert biallelic(cohort_of(tmp_path)) == {"cis": 1}


def test_parts_from_disk_say_the_same(tmp_path):
    written(tmp_path, {"a.vcf.gz": list(CALLS)})
    whole = cohort_of(tmp_path).genotypes.phases
    with large_cohort(
        open_cohort(tmp_path / "cohort.yaml"), plain_reading(), Problems(), size=2
    ) as large:
        parts = [large.part(i, Problems()).genotypes.phases for i in range(large.parts)]
    found = [(2 * i + row, *rest) for i, p in enumerate(parts) for row, *rest in p.to_numpy()]
    assert found == [tuple(row) for row in whole.to_numpy().tolist()]
    assert len(found) == 2  # cis and trans


def test_a_record_that_says_the_same_has_the_same_features(tmp_path):
    written(tmp_path, {"a.vcf.gz": list(CALLS)})
    from_files = cohort_of(tmp_path)
    sent = [
        {
            "sample_id": name,
            "variants": [
                f"2-{pos}-A-AC {call}" for pos, call in zip((FIRST, SECOND), calls, strict=True)
            ],
            "assayed": {"ALS2": "full"},
        }
        for name, calls in CALLS.items()
    ]
    spec = FeatureSpec()
    served = read_records(sent, spec, from_files.lookups, shipped())[0]
    rare = served.variants.assign(frequency=np.zeros(len(served.variants)))
    assert biallelic(replace(served, variants=rare)) == BIALLELIC
    old = replace(spec, edition=2)
    earlier = read_records(sent, old, from_files.lookups, shipped())[0]
    assert earlier.genotypes.phases is None


def test_a_model_of_an_earlier_edition_asks_for_neither(tmp_path):
    gone = f"2 {SECOND + 9} N <DEL> PASS " + " ".join(["0/1"] * len(CALLS))
    written(tmp_path, {"a.vcf.gz": list(CALLS)}, extra=[gone])
    earlier = Reading(definitions=shipped(), rule=ANY_CALL, haplotypes=False)
    cohort = cohort_of(tmp_path, earlier)
    assert cohort.genotypes.phases is None
    assert biallelic(cohort) == {**BIALLELIC, "cis": 1}
    assert not [key for key in cohort.genotypes.sites["key"] if "<" in key]


def test_the_report_says_where_the_second_allele_lies(tmp_path):
    written(tmp_path, {"a.vcf.gz": list(CALLS)})
    cohort = cohort_of(tmp_path)
    meanings = {
        name: {finding["meaning"] for finding in result["findings"]}
        for name, result in zip(cohort.patients["sample_id"], genetic_results(cohort), strict=True)
    }
    words = {
        "cis": "on the same copy of the gene as the other allele: a carrier, not a cause by itself",
        "trans": "with the other allele, on the other copy of the gene: a compound heterozygote",
        "unphased": "a possible compound heterozygote: whether the other allele lies on the other"
        " copy of the gene is not known",
    }
    words["half"] = words["unphased"]
    assert {name: meanings[name] for name in words} == {n: {said} for n, said in words.items()}
    assert meanings["one"] == {"of uncertain meaning"}
    assert not meanings["none"]


@pytest.mark.parametrize(
    ("first", "last", "call", "points", "two"),
    [
        (EXON[0] - 50, EXON[1] + 50, "1/1", True, 1),
        (EXON[0] - 50, EXON[1] + 50, "0/1", True, 0),
        (EXON[1] + 10, EXON[1] + 40, "1/1", False, np.nan),  # takes no exon
    ],
)
def test_a_deleted_exon_is_a_null_allele(tmp_path, first, last, call, points, two):
    path = write_vcf(tmp_path / "a.vcf", ["p"], [f"2 {first - 1} A <DEL> PASS {call}"])
    end = '##INFO=<ID=END,Number=1,Type=Integer,Description="e">\n#CHROM'
    text = path.read_text().replace("#CHROM", end)
    path.write_text(text.replace("PASS\t.\tGT", f"PASS\tEND={last}\tGT"))
    (tmp_path / "p.csv").write_text("sample_id,sex\np,male\n")
    (tmp_path / "cohort.yaml").write_text(
        "genome_build: GRCh38\npatients: p.csv\nvariants: [a.vcf]\n"
    )
    cohort = read_cohort(open_cohort(tmp_path / "cohort.yaml"), plain_reading(), Problems())
    made = genetic_features(cohort, "GRCh38", 0.001)
    assert (made["points_ALS2"][0] >= 2) == points
    assert made["biallelic_ALS2"][0] == pytest.approx(two, nan_ok=True)
    shown = genetic_results(cohort)[0]["findings"]
    assert bool(shown) == (points and made["points_ALS2"][0] >= 6)
