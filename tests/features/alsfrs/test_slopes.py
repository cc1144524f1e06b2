"""Rates of decline by hand-made visits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress

from features.alsfrs.slopes import (
    DAYS_PER_MONTH,
    decline,
    decline_error,
    delta_fs,
    last_visit,
    slope_scatter,
)


@given(
    st.lists(
        st.tuples(st.integers(-300, 800), st.floats(0, 48)),
        min_size=3,
        max_size=8,
        unique_by=lambda v: v[0],
    )
)
def test_slope_is_that_of_numpy_polyfit(visits):
    days, totals = map(np.array, zip(*visits, strict=True))
    slope, count, span = decline(np.zeros(len(days), dtype=int), days.astype(float), totals, 1)
    assert slope[0] == pytest.approx(-np.polyfit(days / DAYS_PER_MONTH, totals, 1)[0], abs=1e-6)
    assert (count[0], span[0]) == (len(days), days.max() - days.min())


@pytest.mark.parametrize(
    ("months", "rate"),
    [(0.0, np.nan), (0.99, np.nan), (0.9999, np.nan), (1.0, 8.0), (1.01, 8 / 1.01), (16.0, 0.5)],
)
def test_delta_fs_needs_a_month(months, rate):
    found = delta_fs(np.array([40.0]), np.array([months]))
    assert found.tolist() == pytest.approx([rate], nan_ok=True)
    original = delta_fs(np.array([32.0]), np.array([months]), 40.0)
    assert original.tolist() == pytest.approx([rate], nan_ok=True)


MONTH = 30.4375


def several():
    """Three patients: three visits off a line, two visits, one; a visit without a total."""
    row = np.array([0, 1, 0, 2, 0, 1, 2])
    days = np.array([0.0, 0.0, 2 * MONTH, 5.0, 4 * MONTH, 3 * MONTH, 9.0])
    total = np.array([40.0, 30.0, 39.0, 20.0, 34.0, 27.0, np.nan])
    return row, days, total


def test_a_slope_of_days_in_a_row():
    row, days, total = np.zeros(3, dtype=int), np.array([0.0, 1.0, 2.0]), np.array([40.0, 39, 37])
    slope, _, _ = decline(row[:2], days[:2], total[:2], 1)
    assert slope[0] == pytest.approx(MONTH)  # a point a day
    slope, _, _ = decline(row, days, total, 1)
    error = decline_error(row, days, total, slope, 1)
    line = linregress(days / MONTH, total)
    assert (slope[0], error[0]) == pytest.approx((-line.slope, line.stderr))


def test_slopes_visits_and_spans_by_hand():
    slope, visits, span = decline(*several(), 4)
    assert slope.tolist() == pytest.approx([1.5, 1.0, np.nan, np.nan], nan_ok=True)
    assert visits.tolist() == [3, 2, 1, 0]
    assert span.tolist() == pytest.approx([4 * MONTH, 3 * MONTH, 0, 0])


def test_the_scatter_and_the_error_of_a_slope_by_hand():
    """Residuals of the first patient are -2/3, 4/3 and -2/3 points around a line of 1.5 a month."""
    slope = decline(*several(), 4)[0]
    found = slope_scatter(*several(), slope, 4)
    expected = [[8, 24 / 9, 1], [4.5, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert found == pytest.approx(np.array(expected, dtype=float))
    error = decline_error(*several(), slope, 4)
    expected = [np.sqrt(24 / 9 / 8), np.nan, np.nan, np.nan]
    assert error.tolist() == pytest.approx(expected, nan_ok=True)


def test_three_visits_on_one_day_have_no_slope_and_no_error():
    visits = np.zeros(3, dtype=int), np.full(3, 7.0), np.array([40.0, 39.0, 38.0])
    slope = decline(*visits, 1)[0]
    assert np.isnan(slope[0])
    assert np.isnan(decline_error(*visits, slope, 1)[0])


@pytest.mark.parametrize(
    ("until", "expected"),
    [(-1, [-1, -1, -1]), (0, [0, 1, -1]), (2 * MONTH, [2, 1, 3]), (1e9, [4, 5, 3])],
)
def test_the_last_visit_with_a_total(until, expected):
    row, days, total = several()
    assert last_visit(row, days, until, np.isfinite(total), 3).tolist() == expected
    back = slice(None, None, -1)  # in any order of the rows
    found = last_visit(row[back], days[back], until, np.isfinite(total[back]), 3)
    assert [6 - i if i >= 0 else -1 for i in found] == expected


def test_of_two_visits_on_one_day_the_later_row_is_the_last():
    row, days = np.array([0, 0, 0, 1]), np.array([5.0, 9.0, 9.0, 1.0])
    assert last_visit(row, days, np.inf, np.ones(4, dtype=bool), 2).tolist() == [2, 3]
