"""D50 and dx of a few patients beside scipy's `least_squares`, and who has none."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from features.alsfrs.d50 import LONGEST_MONTHS, fit_d50

# Months since onset and totals: slow, fast, scattered, late, few points lost, a rise.
COURSES = (
    ((12.0, 18.0, 24.0, 30.0), (44.0, 41.0, 36.0, 31.0)),
    ((3.0, 5.0, 7.0, 9.0), (40.0, 31.0, 20.0, 11.0)),
    ((10.0, 13.0, 16.0, 19.0, 22.0), (43.0, 38.0, 39.0, 30.0, 31.0)),
    ((60.0, 66.0, 72.0), (20.0, 17.0, 15.0)),
    ((20.0, 26.0), (47.0, 46.0)),
    ((8.0, 14.0, 20.0), (35.0, 37.0, 33.0)),
    ((1.5, 2.5), (30.0, 12.0)),
    # Where a step may lead away from the minimum, or to another one.
    ((50.2, 52.6), (38.0, 25.0)),
    ((37.4, 40.6, 44.0, 83.5), (46.0, 29.0, 46.0, 0.0)),
    ((7.3, 17.2, 84.2), (26.0, 6.0, 21.0)),
    ((36.7, 41.7, 42.6, 75.1), (31.0, 17.0, 14.0, 11.0)),
)


def apart(t, y):
    """By scipy, in months, with full function at onset; from several starts, since there may be
    more than one minimum.
    """
    t, y = np.r_[t, 0.0], np.r_[y, 48.0]

    def left(parameters):
        d50, dx = np.exp(parameters)
        return 48 / (1 + np.exp(np.clip((t - d50) / dx, -500, 500))) - y

    starts = [(np.log(d50), np.log(d50 * share)) for d50 in (5, 20, 60) for share in (0.15, 0.3)]
    found = [least_squares(left, start, xtol=1e-12, ftol=1e-12, gtol=1e-12) for start in starts]
    return np.exp(min(found, key=lambda one: one.cost).x)


def fitted(*courses):
    row = np.repeat(np.arange(len(courses)), [len(t) for t, _ in courses])
    t, y = (np.concatenate([one[k] for one in courses]).astype(float) for k in (0, 1))
    mixed = np.random.default_rng(2).permutation(len(row))
    return np.array(fit_d50(row[mixed], t[mixed], y[mixed], len(courses)))


def test_each_of_many_patients_has_the_minimum_that_scipy_finds():
    expected = np.array([apart(*course) for course in COURSES]).T
    np.testing.assert_allclose(fitted(*COURSES), expected, rtol=1e-5)


@pytest.mark.parametrize("course", COURSES)
def test_a_patient_alone_has_the_same(course):
    np.testing.assert_allclose(fitted(course)[:, 0], apart(*course), rtol=1e-5)


def test_who_has_no_visit_leaves_the_others_theirs():
    """Patients 0, 2 and 4 of 5 have none."""
    t, y = np.r_[COURSES[0][0], COURSES[1][0]], np.r_[COURSES[0][1], COURSES[1][1]]
    d50, dx = fit_d50(np.repeat([3, 1], 4), t, y, 5)
    np.testing.assert_array_equal(np.isnan([d50, dx]), [[True, False] * 2 + [True]] * 2)
    assert (d50[3], dx[3]) == pytest.approx(apart(*COURSES[0]), rel=1e-5)
    assert (d50[1], dx[1]) == pytest.approx(apart(*COURSES[1]), rel=1e-5)


@pytest.mark.parametrize(
    ("months", "totals", "known"),
    [
        ((10.0, 20.0), (40.0, 30.0), True),
        ((10.0,), (40.0,), False),  # of one visit, none
        ((42.8,), (7.0,), False),
        ((0.0, 20.0), (40.0, 30.0), False),  # at onset, and before it, is no visit
        ((0.1, 20.0), (40.0, 30.0), True),
        ((-1.0, 20.0), (40.0, 30.0), False),
        ((10.0, np.nan), (40.0, 30.0), False),
        ((10.0, 20.0), (40.0, np.nan), False),
        ((10.0, 20.0, 30.0), (40.0, np.nan, 30.0), True),
        ((10.0, 20.0), (48.0, 48.0), False),  # nothing lost
        ((10.0, 20.0), (47.9, 47.5), True),
        ((10.0, 20.0), (48.0, 47.0), False),  # the steeper the better, without an end
        ((), (), False),
    ],
)
def test_two_visits_after_onset_and_a_loss_are_needed(months, totals, known):
    found = fitted((np.array(months), np.array(totals)), COURSES[0])
    assert np.isfinite(found[:, 0]).tolist() == [known] * 2
    assert found[:, 1] == pytest.approx(apart(*COURSES[0]), rel=1e-5)
    if known:
        of = np.isfinite(months) & np.isfinite(totals)
        expected = apart(np.array(months)[of], np.array(totals)[of])
        assert found[:, 0] == pytest.approx(expected, rel=1e-4)


def on_a_course(d50):
    """Visits that lie on a sigmoid whose value at onset is full to within rounding."""
    t = d50 * np.array([0.9, 0.95, 1.0, 1.05, 1.1])
    return t, 48 / (1 + np.exp((t - d50) / (d50 / 40)))


@pytest.mark.parametrize(("d50", "known"), [(599.0, True), (600.0 - 1e-3, True), (601.0, False)])
def test_a_d50_beyond_600_months_is_none(d50, known):
    assert LONGEST_MONTHS == 600
    expected = (d50, d50 / 40) if known else (np.nan, np.nan)
    assert fitted(on_a_course(d50))[:, 0] == pytest.approx(expected, rel=1e-6, nan_ok=True)
