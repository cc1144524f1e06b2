"""The stored curve: Breslow's baseline against R, and what is read off it, around each limit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.survival.curve import GROUPS, SurvivalCurve, _fifths, fit_curve, table_months
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


LUNG = pd.read_csv(Path(__file__).parents[2] / "fixtures/lung.csv")
SCORE = 4 * LUNG["risk_183"].to_numpy()


def lung():
    """Months and events of the lung cancer trial; the first dies on day 365, where a year ends."""
    days, event = LUNG["time"].to_numpy(float), LUNG["event"].to_numpy() == 1
    days[0] = 365
    return days / 30.4375, event


def test_both_periods_are_those_of_coxph_and_survfit():
    # R 4.2.2, survival 3.5.3, ties = "breslow": coxph(Surv(pmin(time, 365), event & time <= 365) ~
    # s), coxph(Surv(time, event) ~ s, subset = time > 365), 65 patients with 44 events; survfit of
    # each at mean(s), stype = 2, ctype = 1; quantile(s - mean(s)) rounded.
    curve = fit_curve(SCORE, *lung())
    assert curve.slopes == pytest.approx((1.133402254, 0.7491391769), abs=1e-6)
    at = dict(zip(curve.months, curve.hazard, strict=True))
    found = [at[months] for months in (3.0, 6.0, YEAR, 18.0, TWO_YEARS)]
    expected = [0.1211130454, 0.3346138479, 0.8758257164, 1.349120648, 2.144884011]
    assert found == pytest.approx(expected, abs=1e-6)
    assert curve.groups == (-0.31, -0.12, 0.13, 0.29)


@pytest.mark.parametrize(("late", "own"), [(19, False), (20, True)])
def test_a_slope_after_the_first_year_needs_20_events(late, own):
    months, event = lung()
    after = np.flatnonzero(event & (months > YEAR))
    event[after[late:]] = False
    first, then = fit_curve(SCORE, months, event).slopes
    assert (first != then) == own


@pytest.mark.parametrize(("early", "groups"), [(True, True), (False, False)])
def test_fifths_are_those_of_the_first_year(early, groups):
    # The score says something of one of the two periods, and the opposite in the other.
    months, event = lung()
    score = np.where((months <= YEAR) == early, SCORE, 2 * SCORE.mean() - SCORE)
    assert bool(fit_curve(score, months, event).groups) == groups


@pytest.mark.parametrize(
    ("step", "slope", "limits"),
    [
        (1.0, 0.5, (2.0, 4.0, 6.0, 8.0)),  # of 0, 1, ... 10
        (0.01, 0.5, (0.02, 0.04, 0.06, 0.08)),
        (0.0123, 2.0, (0.02, 0.05, 0.07, 0.1)),  # 0.0246, 0.0492, 0.0738, 0.0984
        (1 / 300, 0.5, ()),  # 0.0067 and 0.0133 are 0.01 both
        (1.0, 0.0, ()),
    ],
)
def test_limits_of_fifths_by_hand(step, slope, limits):
    assert _fifths(step * np.arange(11), slope) == pytest.approx(limits)


def test_nothing_is_said_beyond_the_time_that_enough_were_followed_to():
    months = np.r_[np.full(9, 30.0), np.full(50, 13.3)]
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


@pytest.mark.parametrize(
    ("score", "exponent"),
    [(2.0, 0.0), (-27.95, -29.95), (-28.05, -30.0), (31.95, 29.95), (32.05, 30.0)],
)
def test_a_hazard_ratio_counts_from_the_centre_up_to_e_30(score, exponent):
    curve = SurvivalCurve(months=(0.0, 12.0), hazard=(0.0, 0.3), centre=2.0)
    for ratio in curve.ratios(np.array([score])):
        assert np.log(ratio[0]) == pytest.approx(exponent, abs=1e-9)


def test_who_had_what_competes_with_the_event_was_not_lost():
    # Of 140 who have nothing until month 13.2 a sixth is followed on; if the 100 with another
    # event at month 5 had been lost, it would be 22 of 240, less than a tenth.
    months = np.r_[np.full(22, 30.0), np.full(118, 13.2), np.full(100, 5.0)]
    event = np.arange(240) < 12
    ended = event | (np.arange(240) >= 140)
    assert fit_curve(np.zeros(240), months, event, ended).end == 30.0
    assert fit_curve(np.zeros(240), months, event).end == 13.0


def test_by_default_the_score_is_a_log_hazard_ratio_and_there_is_no_bound():
    curve = SurvivalCurve(months=(0.0, 12.0, 24.0), hazard=(0.0, 0.3, 0.6))
    survival = curve.survival(np.array([np.log(2.0)]), np.array([11.0, 24.0]))[0]
    np.testing.assert_allclose(-np.log(survival), [2 * 0.3 * 11 / 12, 1.2])
    assert curve.lower_bound(np.zeros(1)).tolist() == [0.0]


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


def test_a_risk_that_stands_still_is_reached_when_it_first_is():
    h = -np.log1p(-0.3)
    curve = SurvivalCurve(months=(0.0, 6.0, 8.0, 10.0), hazard=(0.0, h, h, 2 * h))
    assert curve.months_until(np.zeros(1), 0.3).tolist() == [6.0]


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
    moved = replace(FLAT, centre=2.0)
    assert moved.group(np.array([score + 2.0])) == [group]


def test_without_a_signal_there_are_no_groups_and_one_curve():
    rng = np.random.default_rng(0)
    curve = fit_curve(np.zeros(60), rng.exponential(12, 60), rng.random(60) < 0.5)
    assert curve.slopes == (0.0, 0.0)
    assert curve.group(np.zeros(2)) == [None, None]


def test_a_curve_is_the_same_after_storing():
    curve = replace(fit_curve(SCORE, *lung()), low_risk=0.2)
    assert curve.groups
    stored = curve.to_json()
    assert SurvivalCurve.from_json(json.loads(json.dumps(stored))) == curve
    assert stored["slopes"] == list(curve.slopes)


def test_one_patient_has_the_same_bits_as_many():
    score = np.random.default_rng(1).normal(size=999)
    months = np.array([YEAR, 18.3])
    whole = FLAT.risk(score, months), FLAT.months_until(score, 0.5), FLAT.lower_bound(score)
    for i in range(0, 999, 37):
        one = score[i : i + 1]
        alone = FLAT.risk(one, months), FLAT.months_until(one, 0.5), FLAT.lower_bound(one)
        for many, single in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(many[i], single[0])
