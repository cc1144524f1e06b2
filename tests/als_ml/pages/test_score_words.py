"""What was seen of training patients with a like score: which of the groups, and from where to
where it reaches.
"""

from types import SimpleNamespace

import pytest

from als_ml.pages.score_words import alike

GROUPS = [
    {"n": 50, "predicted": 0.1, "observed": 0.1, "low": 0.04, "high": 0.2, "from": 0.02},
    {"n": 60, "predicted": 0.2, "observed": 0.2, "low": 0.1, "high": 0.3, "from": 0.15},
    {"n": 70, "predicted": 0.5, "observed": 0.53, "low": 0.4, "high": 0.6, "from": 0.27},
]


def said(probability: float, groups=GROUPS, updated: bool = False) -> str | None:
    fitted = SimpleNamespace(task="familial", calibration=SimpleNamespace(updated=updated))
    told = alike(SimpleNamespace(training={"alike": groups}, fitted=fitted), probability)
    return told and told["text"]


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "Of 50 training patients with a score below 15%, 10% were familial"),
        (0.149, "Of 50 training patients with a score below 15%, 10% were familial"),
        (0.15, "Of 60 training patients with a score of 15% to 27%, 20% were familial"),
        (0.269, "Of 60 training patients with a score of 15% to 27%, 20% were familial"),
        (0.27, "Of 70 training patients with a score from 27% on, 53% were familial"),
        (0.98, "Of 70 training patients with a score from 27% on, 53% were familial"),
    ],
)
def test_the_group_of_a_score_is_named_with_its_reach(probability, words):
    assert said(probability).startswith(f"{words} (95 % interval ")


def test_one_group_is_of_all_scores():
    assert said(0.5, GROUPS[:1]).startswith("Of 50 training patients 10% were familial")


def test_nothing_is_said_where_nothing_was_seen_or_it_holds_no_more():
    assert said(0.5, []) is None
    assert said(0.5, updated=True) is None
