"""The patients from whom trials are drawn, and what a trial sees of them."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from als_ml.trials.patients import pool_of
from models.survival.labels import TimeRule
from tests.made import cohort


def made_pool(n=200, seed=1):
    """Patients whose slope, and hazard, follow a score in part."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    rate = np.maximum(0.9 + 0.25 * score + rng.normal(0, 0.35, n), 0.05)
    months = rng.exponential(30 / np.exp(0.7 * score))
    lost = rng.uniform(6, 30, n)
    event = months <= lost
    stop = np.minimum(months, lost)
    rows, visits = [], []
    for i in range(n):
        day = 90 + int(stop[i] * 30.4375) + 1
        rows.append(
            {"diagnosis": "als", "onset_days": -365, "onset_site": "lower_limb"}
            | ({"death_days": day} if event[i] else {"last_contact_days": day})
        )
        totals = [(0, 40)] + [
            (90 + 91 * k, float(np.clip(round(40 - rate[i] * 3 * k), 0, 48))) for k in range(1, 5)
        ]
        visits += [{"sample_id": f"P{i}", "days": d, "total": t} for d, t in totals if d < day]
    made = cohort(*rows, visits=visits)
    risk = 1 / (1 + np.exp(-score))
    return pool_of(made, TimeRule(), risk, 0.9 + 0.25 * score, ("total",))


@pytest.fixture(scope="module")
def pool():
    return made_pool()


def test_what_a_trial_sees_until_its_end(pool):
    short = pool.at_end(6.0)
    assert short.changes.shape == (len(pool.months), 2)
    assert short.months.max() == 6
    assert not short.event[pool.months > 6].any()
    assert (short.event == pool.event)[pool.months <= 6].all()
    i = int(np.flatnonzero(pool.months > 12.5)[0])
    own = pool.row == i
    nearest = pool.total[own][np.argmin(np.abs(pool.when[own] - 6))]
    assert short.changes[i, 1] == nearest - pool.baseline[i]
    assert pool.at_end(12.0).changes.shape[1] == 4
    nobody = pool.months < 1.4
    assert np.isnan(short.changes[nobody]).all()


def test_who_has_no_time_no_total_or_no_prediction_is_left_out():
    rows = [{"diagnosis": "als", "last_contact_days": 500} for _ in range(3)]
    rows.append({"diagnosis": "als", "last_contact_days": 80})
    visits = [{"sample_id": f"P{i}", "days": 0, "total": 40} for i in (0, 2, 3)]
    risk = np.array([0.1, 0.2, np.nan, 0.1])
    pool = pool_of(cohort(*rows, visits=visits), TimeRule(), risk, None)
    assert pool.baseline.tolist() == [40]
    assert pool.score == pytest.approx([np.log(0.1 / 0.9)])
    assert np.array_equal(pool.for_slope, pool.score)


def of_visits(*days, end=12.0):
    """One patient, seen long, with a point lost a visit."""
    visits = [{"sample_id": "P0", "days": 0, "total": 44}]
    visits += [{"sample_id": "P0", "days": d, "total": 44 - i - 1} for i, d in enumerate(days)]
    made = cohort({"diagnosis": "als", "last_contact_days": 900}, visits=visits)
    return pool_of(made, TimeRule(), np.array([0.5]), None, ()).at_end(end)


@pytest.mark.parametrize(
    ("day", "planned"),
    [
        (90 + 45, [np.nan] * 4),  # 1.48 months
        (90 + 46, [-1, np.nan, np.nan, np.nan]),  # 1.51
        (90 + 136, [-1, np.nan, np.nan, np.nan]),  # 4.47
        (90 + 137, [np.nan, -1, np.nan, np.nan]),  # 4.50, nearer to none: the later one has it
        (90 + 410, [np.nan, np.nan, np.nan, -1]),  # 13.47
        (90 + 411, [np.nan] * 4),  # 13.50 and a little
    ],
)
def test_a_visit_stands_for_the_planned_one_within_six_weeks(day, planned):
    assert np.array_equal(of_visits(day).changes[0], planned, equal_nan=True)


@pytest.mark.parametrize("quarter", range(1, 9))
def test_a_visit_is_planned_each_quarter_of_two_years(quarter):
    first = 90 + math.ceil((3 * quarter - 1.5) * 30.4375)
    last = 90 + math.floor((3 * quarter + 1.5) * 30.4375)
    known = [
        np.isfinite(of_visits(day, end=24.0).changes[0, quarter - 1])
        for day in (first - 1, first, last, last + 1)
    ]
    assert known == [False, True, True, False]


@pytest.mark.parametrize(("end", "planned"), [(11.9, 3), (12.0, 4), (12.1, 4), (24.1, 8)])
def test_visits_are_planned_until_the_end(end, planned):
    assert of_visits(100, end=end).changes.shape == (1, planned)


def test_the_nearest_visit_counts():
    assert of_visits(90 + 60, 90 + 92, 90 + 130).changes[0, 0] == -2


@pytest.mark.parametrize(("last", "known"), [(90 + 20 + 59, False), (90 + 20 + 60, True)])
def test_a_slope_needs_sixty_days(last, known):
    assert np.isfinite(of_visits(90 + 20, last).slope[0]) == known


def test_hazards_of_the_event_and_of_being_lost_by_hand():
    # Five, four (one of them lost), two and one at risk: 1/5, 1/4, 1/2 of the event; 1/4 lost at
    # month 4. The last is followed to the end: nobody is lost there.
    months, event = np.array([2.0, 4.0, 4.0, 6.0, 8.0]), np.array([1, 1, 0, 1, 0])
    pool = replace(made_pool(5), months=months, event=event)
    for found, steps in ((pool.hazard, [0.2, 0.25, 0.5, 0]), (pool.losses, [0, 0.25, 0, 0])):
        assert found[0].tolist() == [0, 2, 4, 6, 8]
        assert found[1] == pytest.approx([0, *np.cumsum(steps)], abs=1e-10)
        assert (np.diff(found[1]) > 0).all()  # so that a time can be read off
    nobody = pool.take(np.arange(0))
    assert [part.tolist() for part in nobody.losses] == [[0.0], [0.0]]


def test_an_event_on_the_last_day_of_a_trial_counts():
    pool = replace(made_pool(3), months=np.array([11.9, 12.0, 12.1]), event=np.ones(3, dtype=int))
    ended = pool.at_end(12.0)
    assert ended.event.tolist() == [1, 1, 0]
    assert ended.months.tolist() == [11.9, 12.0, 12.0]


def test_some_patients_keep_all_that_is_theirs(pool):
    whole = pool.at_end(12.0)
    assert set(whole.event) == {0, 1}
    rows = np.array([7, 3])
    some = whole.take(rows)
    for field in fields(whole):
        if field.name not in ("row", "when", "total"):
            before, after = getattr(whole, field.name)[rows], getattr(some, field.name)
            np.testing.assert_array_equal(after, before)
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(some.total[some.row == k], whole.total[whole.row == row])
        np.testing.assert_array_equal(some.when[some.row == k], whole.when[whole.row == row])
    assert set(some.row) <= {0, 1}


THREE = [
    {"onset_site": "bulbar", "riluzole": "no", "age_at_onset": 50},
    {"onset_site": "lower_limb", "riluzole": "yes", "age_at_onset": 60},
    {"onset_site": "upper_limb", "riluzole": "yes"},
]


def pool_of_three(adjust, risk=(0.5, 0.5, 0.5), slope=None, rows=THREE):
    """Totals 36, 40, 44 on the day of the baseline, onset 12 months before it."""
    rows = [{"diagnosis": "als", "last_contact_days": 500, "onset_days": -275} | r for r in rows]
    visits = [
        {"sample_id": f"P{i}", "days": d, "total": total - (d > 90)}
        for i, total in enumerate((36, 40, 44))
        for d in (90, 180)
    ]
    made = cohort(*rows, visits=visits)
    return pool_of(made, TimeRule(), np.array(risk), slope, adjust)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # (x - mean) / SD of the three: 4 / sqrt(32 / 3), 5 / sqrt(50 / 3), 1/3 and 2/3 over
        # sqrt(2 / 9).
        ("total", [-1.2247449, 0, 1.2247449]),
        ("delta_fs", [1.2247449, 0, -1.2247449]),  # 12, 8 and 4 points lost in the same time
        ("age", [-1.2247449, 1.2247449, 0]),  # unknown is the mean
        ("bulbar", [1.4142136, -0.7071068, -0.7071068]),
        ("riluzole", [-1.4142136, 0.7071068, 0.7071068]),
    ],
)
def test_a_usual_covariate_is_standardised(name, expected):
    assert pool_of_three((name,)).usual[:, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["age", "bulbar", "riluzole"])
def test_a_covariate_that_is_unknown_or_the_same_for_all_says_nothing(name):
    assert pool_of_three((name,), rows=[{}] * 3).usual.tolist() == [[0.0]] * 3


def test_a_covariate_is_standardised_over_those_with_a_prediction():
    pool = pool_of_three(("total",), risk=(0.5, 0.5, np.nan))
    assert pool.usual[:, 0].tolist() == [-1.0, 1.0]  # 36 and 40
    assert pool_of_three(()).usual.shape == (3, 0)


def test_the_day_of_the_baseline_is_no_visit_of_the_trial():
    pool = pool_of_three(())
    assert pool.baseline.tolist() == [36, 40, 44]
    assert pool.total.tolist() == [35, 39, 43]
    assert pool.when == pytest.approx([90 / 30.4375] * 3)
    assert pool.changes.shape == (3, 0)
    assert np.isnan(pool.slope).all()


def test_a_certain_risk_is_a_finite_score_and_a_rate_stands_beside_it():
    rate = np.array([0.4, np.nan, 0.7])
    pool = pool_of_three((), risk=(0.0, 0.5, 1.0), slope=rate)
    # log(1e-6 / (1 - 1e-6)); the second has no rate.
    assert pool.score == pytest.approx([-13.815510, 13.815510], abs=1e-5)
    assert pool.for_slope.tolist() == [0.4, 0.7]
