"""Rates of decline by hand-made visits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.alsfrs.slopes import DAYS_PER_MONTH, decline, delta_fs


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
