"""The missense score that a cohort file chooses is read, counts, and is kept with what a model
stores.
"""

import pytest

from features.errors import DataError, RequestError
from features.variants.lookups import Lookups
from tests.cohorts import read
from tests.vcf_files import write_vcf

A5G = "21-31659783-C-G"


def cohort(tmp_path, reference: str, scores: str = f"variant\tscore\n{A5G}\t0.95\n"):
    write_vcf(tmp_path / "v.vcf", ["a"], ["21 31659783 C G PASS 0/1"])
    (tmp_path / "patients.csv").write_text("sample_id\na\n")
    (tmp_path / "scores.tsv").write_text(scores)
    (tmp_path / "cohort.yaml").write_text(
        f"patients: patients.csv\nvariants: [v.vcf]\nreference: {{{reference}}}\n"
    )
    return read(tmp_path / "cohort.yaml")


def criteria(of) -> dict[str, int]:
    return {c.name: c.points for c in of.variants["assessment"][0].criteria}


@pytest.mark.parametrize(
    ("reference", "points"),
    [
        ("scores: scores.tsv, missense_score: revel", 4),
        ("scores: scores.tsv, missense_score: cadd", None),  # 0.95 is no high CADD score
        ("missense_score: revel", None),
    ],
)
def test_the_chosen_score_counts_and_is_kept(tmp_path, reference, points):
    found = cohort(tmp_path, reference)
    assert criteria(found).get("PP3") == points
    again = Lookups.from_json(found.lookups.as_json())
    assert again.missense == found.lookups.missense is not None


def test_without_a_choice_nothing_is_kept(tmp_path):
    assert cohort(tmp_path, "").lookups.missense is None


@pytest.mark.parametrize(
    ("reference", "error", "words"),
    [
        ("scores: absent.tsv, missense_score: revel", DataError, "there is no such file"),
        ("scores: scores.tsv", RequestError, "does not say which score it has"),
        ("missense_score: polyphen", RequestError, "missense_score"),
        ("scores: ../scores.tsv, missense_score: revel", RequestError, "scores"),
    ],
)
def test_a_choice_that_does_not_hold(tmp_path, reference, error, words):
    with pytest.raises(error, match=words):
        cohort(tmp_path, reference)
