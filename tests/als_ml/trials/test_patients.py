"""The patients from whom trials are drawn, and what a trial sees of them."""

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


def of_visits(*days):
    """One patient, seen long, with a point lost a month."""
    visits = [{"sample_id": "P0", "days": 0, "total": 44}]
    visits += [{"sample_id": "P0", "days": d, "total": 44 - i - 1} for i, d in enumerate(days)]
    made = cohort({"diagnosis": "als", "last_contact_days": 900}, visits=visits)
    return pool_of(made, TimeRule(), np.array([0.5]), None, ()).at_end(12.0)


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


def test_the_nearest_visit_counts():
    assert of_visits(90 + 60, 90 + 92, 90 + 130).changes[0, 0] == -2


@pytest.mark.parametrize(("last", "known"), [(90 + 20 + 59, False), (90 + 20 + 60, True)])
def test_a_slope_needs_sixty_days(last, known):
    assert np.isfinite(of_visits(90 + 20, last).slope[0]) == known
