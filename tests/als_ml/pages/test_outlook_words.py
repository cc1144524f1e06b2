"""A survival time in words: as far as the data reach, and no further."""

from types import SimpleNamespace

import pytest

from als_ml.pages.cohort_page import _event_words, _score_heads
from als_ml.pages.outlook_words import (
    _low_words,
    _share_words,
    group_words,
    short_words,
    times_words,
)
from als_ml.tracking.view import model_description
from models.tasks import TASKS


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


@pytest.mark.parametrize(
    ("low", "words"),
    [
        (0.0, "There is no whole month for which 90% of such patients are without the event; "),
        (0.99, "There is no whole month for which 90% of such patients are without the event; "),
        (1.0, "90% of such patients are without the event until month 1; "),
        (8.99, "90% of such patients are without the event until month 8; "),
    ],
)
def test_the_lower_bound_is_never_month_0(low, words):
    model = SimpleNamespace(training={"question": {"coverage": 0.9}})
    assert _low_words(model, {"survival_low_months": low}).startswith(words)


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


@pytest.mark.parametrize(
    ("task", "share", "of", "event"),
    [
        ("survival", "without the event", "", "the event by month 12"),
        ("niv", "no NIV so far, alive or dead", " of NIV", "NIV by month 12"),
        (
            "gastrostomy",
            "no gastrostomy so far, alive or dead",
            " of gastrostomy",
            "gastrostomy by month 12",
        ),
    ],
)
def test_a_page_says_of_what_a_time_and_a_risk_are(task, share, of, event):
    model = SimpleNamespace(task=task, rival=None if task == "survival" else object())
    assert _share_words(model) == share
    assert _score_heads(task) == (f"Risk group{of}", f"Risk{of} by month 12")
    assert _event_words(task) == event
    said = model_description(task)
    assert ("who may die before it (cumulative incidence)" in said) is (task != "survival")
    assert TASKS[task].event_words in said
