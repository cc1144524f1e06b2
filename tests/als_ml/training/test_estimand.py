"""Each configuration names its estimand."""

import pytest

from als_ml.config import Config
from als_ml.training.estimand import estimand


@pytest.mark.parametrize(
    ("task", "label", "attribute", "words"),
    [
        ("progression", {}, "variable", "365 days after it, fast from 1 points a month"),
        ("progression", {}, "start of tofersen or a trial drug", "while untreated"),
        ("progression", {}, "drop-out", "missing at random"),
        (
            "progression",
            {},
            "death, tracheostomy, NIV >= 23 h/day",
            "composite: fast, where it leaves no slope",
        ),
        (
            "progression",
            {"events": "all"},
            "death, tracheostomy, NIV >= 23 h/day",
            "whatever the slope",
        ),
        ("progression", {"events": "none"}, "death, tracheostomy, NIV >= 23 h/day", "while alive"),
        (
            "progression",
            {"cutoff": 0.5, "window_days": 180},
            "variable",
            "180 days after it, fast from 0.5 points",
        ),
        (
            "progression",
            {"column": "late_rate", "below": -0.5},
            "variable",
            "column late_rate below -0.5",
        ),
        ("survival", {"event": "niv"}, "variable", "months from day 90 to the start of NIV"),
        ("survival", {"event": "niv"}, "population", "without any ventilation at day 90"),
        ("survival", {"event": "niv"}, "death or tracheostomy before NIV", "cumulative incidence"),
        ("survival", {"event": "gastrostomy"}, "death before a gastrostomy", "competing"),
        (
            "survival",
            {"event": "gastrostomy", "follow_up_days": 800},
            "variable",
            "months from day 90 to a gastrostomy, at most to day 800",
        ),
        (
            "familial",
            {},
            "variable",
            "reported family history of ALS (first degree or second degree relatives)",
        ),
    ],
)
def test_what_is_estimated(task, label, attribute, words):
    given = {"task": task, "cohort": "c.yaml", "label": label}
    if task == "survival":
        given["model"] = {"estimator": "cox"}
    config = Config.model_validate(given)
    assert words in dict(estimand(config))[attribute]


def test_a_label_of_the_past_ends_at_the_landmark():
    given = {"task": "progression", "cohort": "c.yaml", "features": {"blocks": ["clinical"]}}
    config = Config.model_validate(given | {"label": {"measure": "delta_fs"}})
    assert dict(estimand(config))["variable"] == "dFS up to day 90, fast from 1 points a month"
