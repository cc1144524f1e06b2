"""Numbers of the definitions, written a second time from their sources: a cell that moves fails.

A test that reads its threshold from the table moves with it; these do not.
"""

import numpy as np
import pytest

from features.blocks.mechanisms import limits_of, reference_limit
from features.catalogue import patient_columns, progression_schemes, shipped
from features.patients import checked_patients
from features.tables.problems import Problems
from tests.made import as_read

# Points a month, ascending; the papers stand in progression_schemes.tsv.
SCHEMES = {
    "default": (1.0,),
    "kimura_two": (0.67,),
    "kimura_three": (0.5, 1.0),
    "gordon": (0.5,),
    "elamin": (0.25, 0.5, 1.0),
    "labra": (0.47, 1.11),
    "lisbon": (1.03,),
    "tofersen": (0.9,),
    "precision_als": (0.68, 1.26),
}


def test_the_published_cut_offs():
    assert progression_schemes(shipped()) == SCHEMES


@pytest.mark.parametrize(
    ("column", "value", "wrong"),
    [
        ("age_at_onset", 0.99, True),
        ("age_at_onset", 1, False),
        ("age_at_onset", 110, False),
        ("age_at_onset", 110.01, True),
        ("diagnostic_delay_months", -0.01, True),
        ("diagnostic_delay_months", 0, False),
        ("diagnostic_delay_months", 600, False),
        ("diagnostic_delay_months", 600.01, True),
        ("onset_days", 0, False),
        ("onset_days", 1, True),
        ("onset_days", -1, False),
        ("diagnosis_days", 0, False),
        ("diagnosis_days", 1, True),
        *(
            (f"{locus}_allele{i}", value, wrong)
            for locus in ("c9orf72", "atxn2")
            for i in (1, 2)
            for value, wrong in ((-0.1, True), (0, False), (20000, False), (20000.1, True))
        ),
    ],
)
def test_a_cell_of_patients_within_its_bounds(column, value, wrong):
    """Contract, section Tables."""
    problems = Problems(collect=True)
    table = as_read([{"sample_id": "P0", column: value}])
    checked_patients(shipped(), table, "patients", problems)
    assert bool(problems.found) == wrong
    assert all(column in problem.where for problem in problems.found)


def test_every_bound_is_in_the_table_above():
    table = patient_columns(shipped())
    bounded = {
        name
        for name in table.index
        if np.isfinite(table.loc[name, ["min", "max"]].astype(float)).any()
    }
    cases = test_a_cell_of_patients_within_its_bounds.pytestmark[0].args[1]
    assert bounded == {case[0] for case in cases}


# Simren 2022, PMC9297091: 95th centiles of plasma NfL in controls, pg/mL.
NFL_PLASMA = [(5, 18, 7), (18, 51, 10), (51, 61, 15), (61, 71, 20), (71, 120, 35)]


@pytest.mark.parametrize(("first", "beyond", "limit"), NFL_PLASMA)
def test_the_limit_of_an_age(first, beyond, limit):
    for age in (first, beyond - 0.01):
        assert reference_limit(shipped(), "nfl_plasma", None, age).above == limit
    younger = reference_limit(shipped(), "nfl_plasma", None, first - 0.01).above
    assert younger != limit
    assert np.isnan(younger) == (first == 5)


@pytest.mark.parametrize(
    ("analyte", "sex", "kind", "below", "above"),
    [
        ("nfl_serum", None, "diagnostic", np.nan, 62),
        ("nfl_csf", None, "diagnostic", np.nan, 1431),
        ("pnfh_csf", None, "diagnostic", np.nan, 568.5),
        ("creatinine_serum", "male", "prognostic", 0.82, np.nan),
        ("creatinine_serum", "female", "prognostic", 0.65, np.nan),
        ("albumin_serum", None, "reference", 3.5, 5.0),
        ("albumin_serum", None, "prognostic", 4.3, np.nan),
        ("uric_acid_serum", "male", "prognostic", 292, np.nan),
        ("ctnt_serum", None, "diagnostic", np.nan, 8.35),
        ("ctnt_plasma", None, "diagnostic", np.nan, 8.35),
        ("crp_serum", None, "reference", np.nan, 5),
        ("nlr_blood", None, "reference", np.nan, 3),
        ("p75ecd_urine", None, "reference", np.nan, 3.6 + 2 * 1.4),  # mean + 2 SD of controls
        ("fvc_pct", None, "reference", 80, np.nan),
        ("svc_pct", None, "reference", 80, np.nan),
        ("snip", None, "diagnostic", 40, np.nan),
        ("paco2_blood", None, "reference", np.nan, 6.0),  # 45 mmHg
        ("spo2", None, "reference", 94, np.nan),
        ("bmi", None, "reference", 18.5, np.nan),
    ],
)
def test_a_limit_without_an_age(analyte, sex, kind, below, above):
    rows = limits_of(shipped(), analyte, sex, np.nan, "unknown")
    (own,) = [row for row in rows if row["kind"] == kind]
    found = [float(own[name] or np.nan) for name in ("below", "above")]
    assert found == pytest.approx([below, above], nan_ok=True)
    normal = reference_limit(shipped(), analyte, sex)
    if kind == "reference":
        assert (normal.below, normal.above) == pytest.approx((below, above), nan_ok=True)
    elif analyte != "albumin_serum":
        assert np.isnan([normal.below, normal.above]).all()  # no limit of normal


@pytest.mark.parametrize(
    ("analyte", "sex"), [("creatinine_serum", None), ("uric_acid_serum", "female")]
)
def test_a_limit_of_one_sex_is_not_that_of_another(analyte, sex):
    assert not limits_of(shipped(), analyte, sex, np.nan, "unknown")


# Bases of the chromosomes 1-22, X and Y of each assembly less those of Y (Genome Reference
# Consortium; UCSC's hg19 and hg38 chrom.sizes give the same).
@pytest.mark.parametrize(
    ("build", "bases"),
    [("grch37", 3_095_677_412 - 59_373_566), ("grch38", 3_088_269_832 - 57_227_415)],
)
def test_the_chromosomes_add_up_to_the_assembly(build, bases):
    table = shipped().table("contigs")
    assert table["chrom"].tolist() == [*map(str, range(1, 23)), "X"]
    assert table[build].astype(int).sum() == bases
