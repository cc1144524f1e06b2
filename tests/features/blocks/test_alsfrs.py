"""ALSFRS features of both scales: the formulas by hand, and nothing that mixes what may not be
mixed.
"""

import numpy as np
import pytest

from features.blocks.alsfrs import alsfrs_dictionary, alsfrs_features
from features.blocks.landmark import as_known
from features.blocks.rows import feature_dictionary, feature_rows
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from features.tables.problems import Problems
from tests import cohorts

ITEMS = [*(f"q{i}" for i in range(1, 13)), "q10_alsfrs"]
# Points of a visit: items 1-9, then what the scale asks beside them.
REVISED = {"scale": "alsfrs_r"} | {f"q{i}": 4 for i in range(1, 13)}
ORIGINAL = {"scale": "alsfrs", "q10_alsfrs": 4} | {f"q{i}": 4 for i in range(1, 10)}
MONTH = 30.4375


def visit(day: int, like: dict, **points) -> dict:
    return {"sample_id": "P1", "days": day, **like, **points}


@pytest.fixture
def read(tmp_path):
    def made(*visits: dict, onset: str = "-365"):
        (tmp_path / "patients.csv").write_text(f"sample_id,onset_days\nP1,{onset}\nP2,-365\n")
        columns = ["sample_id", "days", "scale", *ITEMS, "q5_form", "total"]
        lines = [",".join(str(v.get(name, "")) for name in columns) for v in visits]
        (tmp_path / "v.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")
        (tmp_path / "cohort.yaml").write_text("patients: patients.csv\nalsfrs: v.csv\n")
        return cohorts.read(tmp_path / "cohort.yaml", Problems())

    return made


def features(cohort, landmark: int = 0, edition: int = 2) -> dict[str, float]:
    """Of the first patient."""
    found = alsfrs_features(as_known(cohort, landmark), None, edition)
    assert all(np.isnan(values[1]) for values in found.values())  # P2 was never seen
    return {name: float(values[0]) for name, values in found.items()}


def approx(value: float):
    return pytest.approx(value, nan_ok=True, rel=1e-12)


def test_the_original_scale_by_hand(read):
    own = features(read(visit(0, ORIGINAL, q1=3, q4=2, q7=1, q10_alsfrs=3)))
    months = 365 / MONTH
    assert own["original_total"] == own["original_baseline"] == 40 - 1 - 2 - 3 - 1
    assert own["original_delta_fs"] == approx((40 - 33) / months)
    assert own["original_log_delta_fs"] == approx(np.log(7 / months + 0.1))
    assert own["original_respiratory"] == 3
    assert own["common_total"] == 30
    assert own["common_rate"] == approx((36 - 30) / months)
    assert own["log_common_rate"] == approx(np.log(6 / months + 0.1))
    assert (own["alsfrs_bulbar"], own["alsfrs_fine_motor"], own["alsfrs_gross_motor"]) == (
        11,
        10,
        9,
    )
    assert [own[f"alsfrs_q{i}"] for i in range(1, 10)] == [3, 4, 4, 2, 4, 4, 1, 4, 4]
    assert own["disease_months"] == approx(months)


def test_no_total_nor_rate_of_one_scale_is_that_of_the_other(read):
    original, revised = features(read(visit(0, ORIGINAL))), features(read(visit(0, REVISED)))
    of_revised = [
        "alsfrs_total",
        "alsfrs_baseline",
        "delta_fs",
        "alsfrs_respiratory",
        "mitos_stage",
    ]
    of_revised += ["alsfrs_q10", "alsfrs_q11", "alsfrs_q12", "kings_stage", "d50_months"]
    assert all(np.isnan(original[name]) for name in of_revised)
    of_original = [name for name in revised if name.startswith("original_")]
    assert len(of_original) == 7
    assert all(np.isnan(revised[name]) for name in of_original)
    shared = ["common_total", "common_rate", "alsfrs_bulbar", "alsfrs_q9", "disease_months"]
    assert all(original[name] == revised[name] for name in shared)


def test_both_scales_in_one_patient(read):
    """The shared items are those of the later visit, each scale's own those of its own last one."""
    own = features(read(visit(-90, REVISED, q1=3, q11=2), visit(0, ORIGINAL, q1=2, q10_alsfrs=3)))
    assert own["alsfrs_q1"] == 2
    assert own["common_total"] == 34
    assert own["common_rate"] == approx((36 - 34) / (365 / MONTH))
    assert own["alsfrs_total"] == 48 - 1 - 2
    assert own["delta_fs"] == approx(3 / (275 / MONTH))
    assert own["original_total"] == 40 - 2 - 1
    assert own["alsfrs_respiratory"] == 10
    assert own["alsfrs_q11"] == 2
    assert np.isnan(own["early_slope"])
    assert np.isnan(own["original_early_slope"])


def test_of_one_day_the_revised_visit_counts(read):
    own = features(read(visit(0, ORIGINAL, q1=2), visit(0, REVISED, q1=3)))
    assert (own["alsfrs_q1"], own["common_total"]) == (3, 35)


def test_a_slope_is_of_one_scale(read):
    visits = [visit(0, ORIGINAL), visit(60, ORIGINAL, q1=2), visit(30, REVISED, q1=0)]
    own = features(read(*visits), landmark=60)
    assert own["original_early_slope"] == approx(2 / (60 / MONTH))
    assert np.isnan(own["early_slope"])
    short = features(read(visit(0, ORIGINAL), visit(29, ORIGINAL, q1=2)), landmark=60)
    assert np.isnan(short["original_early_slope"])


@pytest.mark.parametrize(("day", "points"), [(29, 2), (30, 2), (31, 4)])
@pytest.mark.parametrize("scale", [ORIGINAL, REVISED])
def test_the_last_visit_at_or_before_the_landmark(read, scale, day, points):
    own = features(read(visit(0, scale), visit(day, scale, q3=2)), landmark=30)
    assert own["alsfrs_q3"] == points
    assert own["common_total"] == 32 + points


@pytest.mark.parametrize("scale", [ORIGINAL, REVISED])
def test_a_missing_item_is_never_0(read, scale):
    own = features(read(visit(-30, scale), visit(0, scale, q2="", q5=3)))
    assert np.isnan(own["alsfrs_q2"])
    assert np.isnan(own["alsfrs_bulbar"])
    assert own["alsfrs_fine_motor"] == 11
    # Totals are of the last visit that has one.
    assert own["common_total"] == 36
    assert own["common_rate"] == 0


def test_a_visit_with_its_total_alone_has_no_items(read):
    total = {"sample_id": "P1", "days": 0, "scale": "alsfrs", "total": 31}
    own = features(read(visit(-30, ORIGINAL, q1=3), total))
    assert own["original_total"] == 31
    assert own["alsfrs_q1"] == 3
    assert own["common_total"] == 35
    assert own["disease_months"] == approx(365 / MONTH)


@pytest.mark.parametrize(
    ("onset", "rate"), [("-30", np.nan), ("-31", 2 / (31 / MONTH)), ("", np.nan)]
)
def test_a_rate_from_one_month_on(read, onset, rate):
    own = features(read(visit(0, ORIGINAL, q1=2), onset=onset))
    assert own["original_delta_fs"] == approx(rate)
    assert own["common_rate"] == approx(rate)


def test_stages_where_their_items_exist(read):
    """The original scale asks neither dyspnoea nor ventilation: of the stages only a gastrostomy
    decides one.
    """
    assert np.isnan(features(read(visit(0, ORIGINAL, q1=0)))["kings_stage"])
    assert features(read(visit(0, ORIGINAL, q5_form="b")))["kings_stage"] == 4
    fed = read(visit(-30, REVISED), visit(0, ORIGINAL, q5_form="b"))
    assert features(fed)["kings_stage"] == 1  # that of the ALSFRS-R, where there is one
    own = features(read(visit(0, REVISED, q1=1, q8=1)))
    assert (own["kings_stage"], own["mitos_stage"]) == (2, 1)


def test_the_first_edition_is_what_it_was(read):
    cohort = read(visit(-30, REVISED, q1=2), visit(0, REVISED, q2="", q10=""))
    own = features(cohort, edition=1)
    assert list(own) == [feature.name for feature in alsfrs_dictionary(1)]
    # Sub-scores and stages of the last visit with a total, not of the one with items.
    assert own["alsfrs_bulbar"] == 10
    assert own["alsfrs_total"] == 46
    assert own["disease_months"] == approx(335 / MONTH)
    later = features(cohort)
    assert np.isnan(later["alsfrs_bulbar"])
    assert later["disease_months"] == approx(365 / MONTH)


def test_a_stored_model_without_an_edition_is_of_the_first():
    spec = FeatureSpec.from_json({"blocks": ["clinical", "alsfrs"], "levels": {}})
    assert spec.edition == 1
    old = [feature.name for feature in feature_dictionary(spec, shipped())]
    new = [
        feature.name for feature in feature_dictionary(FeatureSpec(blocks=spec.blocks), shipped())
    ]
    assert set(old) < set(new)
    assert "common_rate" in new
    assert "log_months_since_onset" in new
    assert FeatureSpec.from_json({"levels": {}, "edition": 2}).edition == 2


def test_every_column_is_described_and_every_description_a_column(read):
    cohort = read(visit(0, ORIGINAL), visit(0, REVISED))
    for edition in (1, 2):
        named = {feature.name for feature in alsfrs_dictionary(edition)}
        assert named == set(alsfrs_features(cohort, None, edition))
        assert len(named) == len(alsfrs_dictionary(edition))
    spec = FeatureSpec(blocks=("alsfrs",), landmark_days=0)
    assert feature_rows(cohort, spec)["common_total"].iloc[0] == 36
