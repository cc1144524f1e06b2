"""`check` warns where a follow-up beyond a day is known of those with an event alone."""

from als_ml.cohort.check import question_follow_up
from features.tables.problems import Problems
from models.survival.labels import TimeRule
from tests.models.survival.test_times_of_patients import followed


def met(made, rule) -> list[str]:
    problems = Problems(collect=True)
    question_follow_up(made, rule, problems)
    return [f"{one.severity} {one.code}: {one.found} {one.remedy}" for one in problems.found]


def test_the_day_and_the_number_are_named():
    (said,) = met(followed([500] * 25, 60), TimeRule(landmark_days=0))
    assert said.startswith(
        "warning days_doubtful: after day 365 only patients with an event are followed, 25 of them"
    )
    assert "label.follow_up_days: 365" in said


def test_nothing_is_said_of_others_or_once_it_is_cut():
    assert met(followed([300] * 25, 60), TimeRule(landmark_days=0)) == []
    assert met(followed([500] * 25, 60), TimeRule(landmark_days=0, follow_up_days=365)) == []
