"""How many variants of each class a cohort carries, and in how many patients."""

from als_ml.cohort.check import class_yield
from tests.cohorts import read
from tests.vcf_files import write_vcf

# SOD1 p.Ala5Val (P), SOD1 p.Ala5Gly (uncertain), UNC13A rs12608932 (a modifier), and one that only
# a sample carries who is not a patient.
RECORDS = [
    "19 17641880 A C PASS 0/1 1/1 0/1 0/0",
    "21 31659783 C T PASS 0/1 0/0 0/1 0/0",
    "21 31659783 C G PASS 0/0 0/1 0/0 0/0",
    "21 31659785 G T PASS 0/0 0/0 0/0 0/1",
]


def found(tmp_path, records) -> dict[str, tuple[int, int]]:
    write_vcf(tmp_path / "v.vcf", ["a", "b", "c", "other"], records)
    (tmp_path / "patients.csv").write_text("sample_id\na\nb\nc\n")
    (tmp_path / "cohort.yaml").write_text("patients: patients.csv\nvariants: [v.vcf]\n")
    rows = class_yield(read(tmp_path / "cohort.yaml"))
    return {row["variant_class"]: (row["variants"], row["patients"]) for row in rows}


def test_variants_and_patients_by_class(tmp_path):
    assert found(tmp_path, RECORDS) == {
        "P": (1, 2),
        "LP": (0, 0),
        "VUS": (1, 1),
        "LB": (0, 0),
        "B": (0, 0),
        "risk": (1, 3),
    }


def test_a_cohort_without_genotypes_has_none(tmp_path):
    (tmp_path / "patients.csv").write_text("sample_id\na\n")
    (tmp_path / "cohort.yaml").write_text("patients: patients.csv\n")
    assert class_yield(read(tmp_path / "cohort.yaml")) == []
