"""The progression label by hand-made visits, events and treatments: each dated column on both sides
of each boundary.
"""

import numpy as np
import pandas as pd
import pytest

from features.alsfrs.slopes import DAYS_PER_MONTH
from models.labels import BRANCHES, Labels, SlopeRule, natural_until_days, progression

INF = np.inf
VISITS = {"days": [100, 200, 300], "totals": [40, 36, 32]}  # 1.2 points a month
SLOW = {"days": [100, 200, 300], "totals": [40, 39, 38]}


def label(days, totals, event=INF, lost=INF, treated=INF, rule=None):
    n = len(days)
    arrays = np.zeros(n, dtype=int), np.array(days, dtype=float), np.array(totals, dtype=float)
    found = progression(
        *arrays, np.array([event]), np.array([lost]), np.array([treated]), rule or SlopeRule()
    )
    return BRANCHES[found.branch[0]], found.label[0], found.slope[0]


@pytest.mark.parametrize(
    ("case", "branch"),
    [
        (VISITS, "fast_by_slope"),
        (SLOW, "slow_by_slope"),
        # Too little: visits, days between them, totals.
        ({"days": [100, 200], "totals": [40, 30]}, "unlabelled_few_visits"),
        ({"days": [100, 150, 279], "totals": [40, 30, 20]}, "unlabelled_short_span"),
        ({"days": [100, 150, 280], "totals": [40, 30, 20]}, "fast_by_slope"),
        ({"days": [100, 150, 281], "totals": [40, 30, 20]}, "fast_by_slope"),
        ({"days": [100, 200, 300], "totals": [40, np.nan, 32]}, "unlabelled_few_visits"),
        # A visit at the landmark (day 90) and at the end of the window (day 455).
        ({"days": [89, 200, 300], "totals": [40, 36, 32]}, "unlabelled_few_visits"),
        ({"days": [90, 200, 300], "totals": [40, 36, 32]}, "unlabelled_few_visits"),
        ({"days": [91, 200, 300], "totals": [40, 36, 32]}, "fast_by_slope"),
        ({"days": [100, 200, 454], "totals": [40, 36, 20]}, "fast_by_slope"),
        ({"days": [100, 200, 455], "totals": [40, 36, 20]}, "fast_by_slope"),
        ({"days": [100, 200, 456], "totals": [40, 36, 20]}, "unlabelled_few_visits"),
        # An event at the landmark and at the end of the window.
        (VISITS | {"event": 89}, "excluded_event"),
        (VISITS | {"event": 90}, "excluded_event"),
        ({"days": [], "totals": [], "event": 91}, "fast_by_event"),
        ({"days": [100], "totals": [40], "event": 454}, "fast_by_event"),
        ({"days": [100], "totals": [40], "event": 455}, "fast_by_event"),
        ({"days": [100], "totals": [40], "event": 456}, "unlabelled_few_visits"),
        (SLOW | {"event": 320}, "slow_by_slope"),  # the slope comes first
        # Lost at the landmark and at the end of the window.
        (VISITS | {"lost": 89}, "excluded_lost"),
        (VISITS | {"lost": 90}, "excluded_lost"),
        ({"days": [91], "totals": [40], "lost": 91}, "unlabelled_lost"),
        ({"days": [100], "totals": [40], "lost": 454}, "unlabelled_lost"),
        ({"days": [100], "totals": [40], "lost": 455}, "unlabelled_few_visits"),
        (VISITS | {"lost": 300}, "fast_by_slope"),  # lost, with enough before
    ],
)
def test_branch(case, branch):
    found, value, slope = label(**case)
    assert found == branch
    expected = {"fast": 1.0, "slow": 0.0}.get(branch[:4], np.nan)
    assert value == pytest.approx(expected, nan_ok=True)
    assert np.isfinite(slope) == branch.endswith("by_slope")


@pytest.mark.parametrize(
    ("case", "branch"),
    [
        # The start of treatment at the landmark and at the end of the window.
        (VISITS | {"treated": 89}, "unlabelled_treated_early"),
        (VISITS | {"treated": 90}, "unlabelled_treated_early"),
        (VISITS | {"treated": 91}, "unlabelled_treated"),
        ({"days": [100], "totals": [40], "treated": 454}, "unlabelled_treated"),
        ({"days": [100], "totals": [40], "treated": 455}, "unlabelled_few_visits"),
        ({"days": [100], "totals": [40], "treated": 456}, "unlabelled_few_visits"),
        # A visit before it, on its day, after it.
        (VISITS | {"treated": 299}, "unlabelled_treated"),
        (VISITS | {"treated": 300}, "fast_by_slope"),
        (VISITS | {"treated": 301}, "fast_by_slope"),
        # Enough before it: what comes later counts for nothing, neither visits nor the event.
        (
            {"days": [100, 200, 300, 400], "totals": [40, 39, 38, 8], "treated": 301},
            "slow_by_slope",
        ),
        ({"days": [100, 200, 300, 400], "totals": [40, 39, 38, 8]}, "fast_by_slope"),
        (SLOW | {"treated": 300, "event": 301, "rule": SlopeRule(events="all")}, "slow_by_slope"),
        (SLOW | {"treated": 301, "event": 301, "rule": SlopeRule(events="all")}, "fast_by_event"),
        # An event before it, on its day, after it.
        ({"days": [100], "totals": [40], "treated": 200, "event": 199}, "fast_by_event"),
        ({"days": [100], "totals": [40], "treated": 200, "event": 200}, "fast_by_event"),
        ({"days": [100], "totals": [40], "treated": 200, "event": 201}, "unlabelled_treated"),
        ({"days": [100], "totals": [40], "treated": 89, "event": 120}, "unlabelled_treated_early"),
        ({"days": [100], "totals": [40], "treated": 30, "event": 60}, "excluded_event"),
        # Treated since nobody knows when.
        (VISITS | {"treated": -INF}, "unlabelled_treatment_undated"),
        # Events that do not count.
        (
            {"days": [100], "totals": [40], "event": 200, "rule": SlopeRule(events="none")},
            "unlabelled_event",
        ),
    ],
)
def test_treated(case, branch):
    found, value, _ = label(**case)
    assert found == branch
    expected = {"fast": 1.0, "slow": 0.0}.get(branch[:4], np.nan)
    assert value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("row", "until"),
    [
        ({}, INF),
        ({"tofersen": "no", "trial_drug": "no"}, INF),
        ({"tofersen": "yes", "tofersen_start_days": 120}, 120),
        ({"trial_drug_start_days": 30}, 30),
        ({"tofersen_start_days": 120, "trial_drug_start_days": 30}, 30),
        ({"trial_drug": "yes"}, -INF),
        ({"trial_drug": "yes", "tofersen_start_days": 120}, -INF),
        ({"riluzole": "yes"}, INF),  # standard care is part of the natural course
    ],
)
def test_where_the_natural_course_ends(row, until):
    columns = ["tofersen", "tofersen_start_days", "trial_drug", "trial_drug_start_days"]
    patients = pd.DataFrame([row]).reindex(columns=columns)
    assert natural_until_days(patients).tolist() == [until]


def test_cut_off_is_inclusive_and_unrounded():
    month = DAYS_PER_MONTH
    exactly_one = [48 - d / month for d in (100, 200, 300)]
    for cutoff, branch in ((1.0 - 1e-9, "fast_by_slope"), (1.0 + 1e-6, "slow_by_slope")):
        rule = SlopeRule(cutoffs=(cutoff,))
        assert label([100, 200, 300], exactly_one, rule=rule)[0] == branch


@pytest.mark.parametrize(("rate", "branch"), [(0.95, "slow"), (0.999, "slow"), (1.001, "fast")])
def test_the_default_cut_off_is_one_point_a_month(rate, branch):
    totals = [48 - rate * day / DAYS_PER_MONTH for day in (100, 200, 300)]
    assert label([100, 200, 300], totals)[0] == f"{branch}_by_slope"


def test_a_slope_at_the_cut_off_is_fast():
    slope = label(**VISITS)[2]
    assert label(**VISITS, rule=SlopeRule(cutoffs=(slope,)))[0] == "fast_by_slope"
    assert label(**VISITS, rule=SlopeRule(cutoffs=(np.nextafter(slope, 9),)))[0] == "slow_by_slope"


def test_patients_do_not_influence_each_other():
    rng = np.random.default_rng(0)
    row, days = rng.integers(0, 20, 200), rng.integers(91, 450, 200).astype(float)
    total = rng.uniform(10, 48, 200)
    event, lost, treated = (rng.uniform(50, 900, 20) for _ in range(3))
    together = progression(row, days, total, event, lost, treated, SlopeRule())
    for i in range(20):
        own = row == i
        visits = np.zeros(own.sum(), dtype=int), days[own], total[own]
        dates = (values[i : i + 1] for values in (event, lost, treated))
        alone = progression(*visits, *dates, SlopeRule())
        assert np.array_equal(alone.slope, together.slope[i : i + 1], equal_nan=True)
        assert alone.branch[0] == together.branch[i]


def test_a_probability_is_held_against_the_label_or_against_the_event_within_a_year():
    y, by_year = np.array([1.0, 0.0]), np.array([0.0, np.nan])
    assert Labels(y, {}).judged is y
    assert Labels(y, {}, by_year=by_year).judged is by_year
