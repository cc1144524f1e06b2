"""A survival time in words: as far as the data reach, and no further."""

import pytest

from als_ml.pages.outlook_words import group_words, short_words, times_words


def row(first, middle, last):
    return {"q25_months": first, "median_months": middle, "q75_months": last}


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (
            (8.4, 15.6, 31.0),
            (
                "The middle half of patients like this one have the event between months 8 and 31;"
                " the median is month 16."
            ),
        ),
        (
            (8.4, 15.6, None),
            (
                "A quarter of patients like this one have the event by month 8, half by month 16"
                " (the median), fewer than three quarters by month 24, where the data end."
            ),
        ),
        (
            (8.4, None, None),
            (
                "A quarter of patients like this one have the event by month 8, fewer than half by"
                " month 24, where the data end."
            ),
        ),
        (
            (None, None, None),
            (
                "Fewer than a quarter of patients like this one have the event by month 24, where"
                " the data end."
            ),
        ),
    ],
)
def test_median_and_middle_half(times, words):
    assert times_words(row(*times), 24.0) == words


def test_nobody_is_told_month_0():
    assert "between months 1 and 2" in times_words(row(0.2, 0.9, 2.1), 24.0)


def test_the_group_is_that_of_the_training_patients():
    assert group_words("highest_fifth") == "highest fifth of the training patients' risk"
    assert group_words(None) is None


@pytest.mark.parametrize(
    ("group", "times", "words"),
    [
        ("second_fifth", (8.4, 15.6, 31.0), "second fifth, months 8 to 31"),
        ("highest_fifth", (0.2, 0.9, 2.1), "highest fifth, months 1 to 2"),
        ("second_fifth", (8.4, 15.6, None), "second fifth, from month 8 on"),
        ("lowest_fifth", (None, None, None), "lowest fifth, after month 24"),
        (None, (8.4, None, None), "from month 8 on"),
    ],
)
def test_a_table_shows_the_group_and_the_middle_half(group, times, words):
    assert short_words({"risk_group": group, **row(*times)}, 24.0) == words
