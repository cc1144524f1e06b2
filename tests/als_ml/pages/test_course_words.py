"""What a page says of the course to come."""

import pytest

from als_ml.pages.outlook_words import course_words
from als_ml.prediction.row import OF_COURSE, nothing_later


def row(**known):
    return {**nothing_later(), **known}


def test_totals_and_rate_with_their_ranges():
    course = {"total_3m": 36.4, "total_3m_low": 29.5, "total_3m_high": 41.6}
    course |= {"total_12m": 30.5, "total_12m_low": 17.4, "total_12m_high": 38.6}
    rate = {"slope_predicted": 0.93, "slope_predicted_low": -0.04, "slope_predicted_high": 1.88}
    assert course_words(row(**course, **rate)) == [
        "month 3: 36 (30 to 42)",
        "month 12: 30 (17 to 39)",
        "points lost a month: 0.9 (0.0 to 1.9)",
    ]


@pytest.mark.parametrize("name", ["total_6m", "slope_predicted"])
def test_nothing_without_its_range(name):
    assert course_words(row(**{name: 1.0})) == []
    assert set(OF_COURSE) >= {name, f"{name}_low", f"{name}_high"}
