"""The stored curve: Breslow's baseline against R, and what is read off it, around each limit."""

import json

import numpy as np
import pytest

from models.survival.curve import (
    FEWEST_FOLLOWED,
    GROUPS,
    SurvivalCurve,
    fit_curve,
    table_months,
)
from models.survival.times import TWO_YEARS, YEAR
from tests.models.survival.test_cox import EVENT, MONTHS, X

# 30 % a year in the first year, then twice the hazard.
RATE = -np.log(0.7) / 12
FLAT = SurvivalCurve(
    months=(0.0, 12.0, 24.0), hazard=(0.0, 12 * RATE, 36 * RATE), groups=(-1.0, 0.0, 1.0, 2.0)
)


def test_the_baseline_is_that_of_basehaz():
    # R 4.2.2, survival 3.5.3: basehaz(coxph(Surv(months, event) ~ a, ties = "breslow"), FALSE),
    # with all times cut at day 365. Ten patients are followed to month 6; R's hazard is that of
    # a = 0, ours that of the mean score.
    curve = fit_curve(X[:, 0], MONTHS, EVENT)
    at = dict(zip(curve.months, curve.hazard, strict=True))
    shift = np.exp(-0.77095807 * X[:, 0].mean())
    assert curve.slopes == pytest.approx((0.77095807, 0.77095807), abs=1e-6)
    assert at[1.0] * shift == pytest.approx(0.321713594, abs=1e-6)
    assert at[5.0] * shift == pytest.approx(0.405170758, abs=1e-6)
    assert at[0.5] == 0
    assert curve.end == 6.0


def test_nothing_is_said_beyond_the_time_that_enough_were_followed_to():
    months = np.r_[np.full(FEWEST_FOLLOWED - 1, 30.0), np.full(50, 13.3)]
    event = np.ones(len(months), dtype=bool)
    assert table_months(months, event)[-1] == 13.0
    months, event = np.r_[months, 30.0], np.r_[event, True]
    assert table_months(months, event)[-1] == 30.0
    assert {YEAR, TWO_YEARS} <= set(table_months(months, event))


@pytest.mark.parametrize(("others", "end"), [(2, 30.0), (1, 13.0)])
def test_nor_beyond_the_time_to_which_those_without_the_event_were(others, end):
    # 20 have the event at month 30; of 200 without it two, or one, are followed as long and the
    # rest to month 13.2: a tenth of all is left, or less.
    months = np.r_[np.full(20 + others, 30.0), np.full(200 - others, 13.2)]
    assert table_months(months, np.arange(220) < 20)[-1] == end


def test_a_follow_up_of_365_days_has_a_risk_at_day_365_and_none_at_day_730():
    curve = fit_curve(np.linspace(-1, 1, 40), np.full(40, YEAR), np.arange(40) % 4 == 0)
    assert curve.end == YEAR
    risk = curve.risk(np.zeros(1), np.array([YEAR, TWO_YEARS]))[0]
    assert risk[0] > 0
    assert np.isnan(risk[1])


def test_risks_between_and_at_the_times_of_the_table():
    risk = FLAT.risk(np.zeros(1), np.array([0.0, 6.0, 12.0, 24.0, 24.1]))[0]
    np.testing.assert_allclose(risk[:4], [0, 1 - np.sqrt(0.7), 0.3, 1 - 0.7**3], rtol=1e-12)
    assert np.isnan(risk[4])


def test_a_score_multiplies_the_hazard():
    risk = FLAT.risk(np.array([np.log(2.0)]), np.array([12.0]))[0, 0]
    assert risk == pytest.approx(1 - 0.7**2)


def test_the_second_year_has_a_slope_of_its_own():
    curve = SurvivalCurve(months=(0.0, YEAR, 24.0), hazard=(0.0, 0.3, 0.6), slopes=(1.0, 0.0))
    survival = curve.survival(np.array([0.0, np.log(2.0)]), np.array([YEAR, 24.0]))
    np.testing.assert_allclose(-np.log(survival), [[0.3, 0.6], [0.6, 0.9]])


def test_times_at_which_a_risk_is_reached():
    at = FLAT.months_until(np.array([0.0, np.log(2.0), -9.0]), 0.51)  # 0.49 = 0.7 twice
    np.testing.assert_allclose(at[:2], [18.0, 12.0], rtol=1e-12)
    assert np.isnan(at[2])
    assert np.isnan(FLAT.months_until(np.zeros(1), 1.0)).all()
    assert FLAT.months_until(np.zeros(1), 0.0)[0] == 0


def test_quartiles_rise():
    at = [FLAT.months_until(np.array([1.0]), level)[0] for level in (0.25, 0.5, 0.75)]
    assert at == sorted(at)


def test_a_lower_bound_beyond_the_follow_up_is_its_end():
    bounds = SurvivalCurve(FLAT.months, FLAT.hazard, low_risk=0.3).lower_bound(np.array([0.0, -9]))
    np.testing.assert_allclose(bounds, [12.0, 24.0])


@pytest.mark.parametrize(
    ("score", "group"),
    [
        (-1.01, GROUPS[0]),
        (-1.0, GROUPS[1]),
        (-0.01, GROUPS[1]),
        (0.0, GROUPS[2]),
        (1.0, GROUPS[3]),
        (2.0, GROUPS[4]),
    ],
)
def test_fifths_around_each_limit(score, group):
    assert FLAT.group(np.array([score])) == [group]


def test_without_a_signal_there_are_no_groups_and_one_curve():
    rng = np.random.default_rng(0)
    curve = fit_curve(np.zeros(60), rng.exponential(12, 60), rng.random(60) < 0.5)
    assert curve.slopes == (0.0, 0.0)
    assert curve.group(np.zeros(2)) == [None, None]


def test_a_curve_is_the_same_after_storing():
    curve = fit_curve(X[:, 0], MONTHS, EVENT)
    assert SurvivalCurve.from_json(json.loads(json.dumps(curve.to_json()))) == curve


def test_one_patient_has_the_same_bits_as_many():
    score = np.random.default_rng(1).normal(size=999)
    months = np.array([YEAR, 18.3])
    whole = FLAT.risk(score, months), FLAT.months_until(score, 0.5), FLAT.lower_bound(score)
    for i in range(0, 999, 37):
        one = score[i : i + 1]
        alone = FLAT.risk(one, months), FLAT.months_until(one, 0.5), FLAT.lower_bound(one)
        for many, single in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(many[i], single[0])
