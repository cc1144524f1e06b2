"""The conformal lower bound: against R's Kaplan-Meier, by hand, and by simulation."""

import numpy as np
import pytest

from models.survival.conformal import low_risk, uncensored
from tests.models.survival.test_cox import EVENT, MONTHS


def test_the_share_not_censored_is_that_of_survfit():
    # R 4.2.2, survival 3.5.3: survfit(Surv(months, 1 - event) ~ 1), each value just before a time;
    # R counts the one who dies at month 5 as at risk there, we take events before censorings.
    at = uncensored(MONTHS, EVENT, np.array([0.5, 1.0, 5.0, 5.5, 100.0]))
    np.testing.assert_allclose(at[:4], [1, 1, 1, 10 / 12])
    assert at[4] == 0


def test_the_bound_by_hand():
    # 19 patients, none censored: (events below + 1) / 20 may be 0.1, which is one event.
    months, risk = np.arange(1.0, 20), np.arange(1, 20) / 20
    assert low_risk(risk, months, np.ones(19, dtype=bool), 0.9, 100.0) == risk[1]
    assert low_risk(risk, months, np.ones(19, dtype=bool), 0.86, 100.0) == risk[1]
    assert low_risk(risk, months, np.ones(19, dtype=bool), 0.85, 100.0) == risk[2]


@pytest.mark.parametrize(("n", "bound"), [(8, 0.0), (9, 1 / 20), (18, 1 / 20), (19, 2 / 20)])
def test_the_bound_around_each_number_of_patients(n, bound):
    # Of n patients, none censored, (events below + 1) / (n + 1) is to be 0.1 at most: 1/9 is more,
    # 1/10 and 1/19 allow no event, 2/20 allows one.
    months, risk = np.arange(1.0, n + 1), np.arange(1, n + 1) / 20
    assert low_risk(risk, months, np.ones(n, dtype=bool), 0.9, 100.0) == bound


@pytest.mark.parametrize(("coverage", "bound"), [(0.61, 0.1), (0.6, 0.2), (0.31, 0.2), (0.3, 0.3)])
def test_an_event_after_a_censoring_counts_for_those_who_were_lost(coverage, bound):
    # The second of four is censored, so that each later event counts 1 / (2/3) = 1.5 patients:
    # (1 + 1) / 5 = 0.4, (2.5 + 1) / 5 = 0.7, (4 + 1) / 5 = 1.
    months, event = np.arange(1.0, 5), np.array([True, False, True, True])
    risk = np.array([0.1, 0.15, 0.2, 0.3])
    assert low_risk(risk, months, event, coverage, 9.0) == bound


@pytest.mark.parametrize(("end", "bound"), [(2.9, 1.0), (3.0, 0.3)])
def test_an_event_on_the_last_day_of_the_follow_up_counts(end, bound):
    months, risk = np.arange(1.0, 4), np.array([0.1, 0.2, 0.3])
    assert low_risk(risk, months, np.ones(3, dtype=bool), 0.25, end) == bound


def test_too_few_patients_give_no_bound_and_few_events_one_beyond_the_follow_up():
    assert low_risk(np.array([0.5]), np.array([3.0]), np.array([True]), 0.9, 9.0) == 0
    months, event = np.arange(1.0, 101), np.arange(100) < 3
    assert low_risk(months / 200, months, event, 0.9, 200.0) == 1


def test_events_after_the_follow_up_do_not_count():
    months = np.r_[np.full(50, 10.0), np.full(50, 30.0)]
    event = np.ones(100, dtype=bool)
    risk = np.r_[np.full(50, 0.6), np.full(50, 0.4)]
    assert low_risk(risk, months, event, 0.6, 20.0) == 0.6


@pytest.mark.parametrize("distortion", [1.0, 1.6])
def test_the_bound_holds_under_censoring_though_the_hazard_is_off(distortion):
    # Exponential times with a known risk; the model's hazard is off by a factor.
    rng = np.random.default_rng(3)
    hazard = 0.05 * np.exp(rng.normal(size=4000))
    life, lost = rng.exponential(1 / hazard), rng.exponential(25, 4000)
    months, event = np.minimum(life, lost), life <= lost
    known, new = np.arange(2000), np.arange(2000, 4000)
    risk = 1 - np.exp(-distortion * hazard * months)
    level = low_risk(risk[known], months[known], event[known], 0.9, 60.0)
    bound = -np.log1p(-level) / (distortion * hazard[new])
    # 0.9 with a standard error of about 0.01 from both halves.
    assert np.mean(life[new] >= bound) == pytest.approx(0.9, abs=0.025)
