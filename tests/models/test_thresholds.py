"""Where a probability becomes a class: by prevalence, cost or sensitivity, every number by hand."""

import numpy as np
import pytest

from models.thresholds import RULES, threshold

# Ten patients, four of them positive.
PROBABILITY = np.array([0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 0.9])
POSITIVE = np.array([0, 0, 0, 1, 0, 0, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("prevalence", float("nan"), 0.4),
        ("cost", 0, 1.0),
        ("cost", 1, 0.5),
        ("cost", 4, 0.2),  # Pauker and Kassirer 1975: 1 / (1 + 4)
        ("cost", 9, 0.1),
        # Positives are at 0.9, 0.8, 0.5, 0.3; the highest threshold that finds the share.
        ("sensitivity", 0.0, 0.9),
        ("sensitivity", 0.25, 0.9),
        ("sensitivity", 0.26, 0.8),
        ("sensitivity", 0.5, 0.8),
        ("sensitivity", 0.51, 0.5),
        ("sensitivity", 0.75, 0.5),
        ("sensitivity", 0.76, 0.3),
        ("sensitivity", 1.0, 0.3),
    ],
)
def test_threshold(rule, value, expected):
    assert threshold(rule, value, PROBABILITY, POSITIVE) == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.25, 0.3, 0.5, 0.75, 0.9, 1.0])
def test_a_sensitivity_is_reached_and_by_the_highest_threshold(share):
    cut = threshold("sensitivity", share, PROBABILITY, POSITIVE)
    assert (PROBABILITY[POSITIVE == 1] >= cut).mean() >= share
    assert (PROBABILITY[POSITIVE == 1] > cut).mean() < share


def test_every_rule_is_in_the_table():
    cases = test_threshold.pytestmark[0].args[1]
    assert {case[0] for case in cases} == set(RULES)
