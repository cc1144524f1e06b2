"""Time and event by hand-made dates: each column on both sides of each boundary."""

import numpy as np
import pytest

from features.alsfrs.slopes import DAYS_PER_MONTH
from models.labels import in_words, out_of_scope
from models.survival.labels import (
    TimeRule,
    Times,
    events_only_beyond,
    last_known_days,
    survival_labels,
)
from models.tasks import GASTROSTOMY, NIV, SURVIVAL
from tests.made import cohort

RULE = TimeRule()  # landmark 90, death, tracheostomy or NIV >= 23 h/day
DEATH = TimeRule(event="death")
CUT = TimeRule(follow_up_days=400)
NATURAL = TimeRule(end_at_treatment=True)
NIV_STARTS, FED = TimeRule(event="niv"), TimeRule(event="gastrostomy")
EARLY, UNDATED = "unlabelled_treated_early", "unlabelled_treatment_undated"


def one(rule, **dates):
    labels, times = survival_labels(cohort({"diagnosis": "als", **dates}), rule)
    branch = [
        name for name in labels.counts if name not in ("positive", "negative", "unlabelled_total")
    ]
    days = times.months[0] * DAYS_PER_MONTH + rule.landmark_days
    return branch, None if np.isnan(days) else round(days, 6), int(times.cause[0])


@pytest.mark.parametrize(
    ("rule", "dates", "branch", "day", "cause"),
    [
        (RULE, {"death_days": 300}, "event_death", 300, 1),
        (RULE, {"death_days": 300, "last_contact_days": 200}, "event_death", 300, 1),
        (RULE, {"tracheostomy_days": 200, "death_days": 300}, "event_tracheostomy", 200, 2),
        (RULE, {"niv_23h_days": 150, "tracheostomy_days": 200}, "event_niv_23h", 150, 3),
        (RULE, {"last_contact_days": 500}, "censored_last_contact", 500, 0),
        # Death alone: other events do not end the time.
        (DEATH, {"niv_23h_days": 150, "death_days": 300}, "event_death", 300, 1),
        (DEATH, {"niv_23h_days": 150, "last_contact_days": 300}, "censored_last_contact", 300, 0),
        # At the landmark, and a day after.
        (RULE, {"death_days": 90}, "excluded_event", None, 0),
        (RULE, {"death_days": 91}, "event_death", 91, 1),
        (RULE, {"last_contact_days": 90}, "excluded_lost", None, 0),
        (RULE, {"last_contact_days": 91}, "censored_last_contact", 91, 0),
        (DEATH, {"niv_23h_days": 80, "death_days": 300}, "excluded_event", None, 0),
        # Nobody knows until when.
        (RULE, {}, "unlabelled_no_follow_up", None, 0),
        # The end of the follow-up for everyone, around it.
        (CUT, {"death_days": 399}, "event_death", 399, 1),
        (CUT, {"death_days": 400}, "event_death", 400, 1),
        (CUT, {"death_days": 401}, "censored_follow_up_end", 400, 0),
        (CUT, {"death_days": 401, "last_contact_days": 395}, "censored_follow_up_end", 400, 0),
        (CUT, {"last_contact_days": 399}, "censored_last_contact", 399, 0),
        (CUT, {"last_contact_days": 400}, "censored_follow_up_end", 400, 0),
        # The start of a trial drug, where the configuration ends the time there.
        (RULE, {"trial_drug_start_days": 200, "death_days": 300}, "event_death", 300, 1),
        (NATURAL, {"trial_drug_start_days": 299, "death_days": 300}, "censored_treated", 299, 0),
        (NATURAL, {"tofersen_start_days": 300, "death_days": 300}, "event_death", 300, 1),
        # On one day the treatment is what ended the time.
        (
            NATURAL,
            {"trial_drug_start_days": 300, "last_contact_days": 300},
            "censored_treated",
            300,
            0,
        ),
        (
            NATURAL,
            {"trial_drug_start_days": 301, "last_contact_days": 300},
            "censored_last_contact",
            300,
            0,
        ),
        (
            NATURAL,
            {"tofersen_start_days": 90, "death_days": 300},
            EARLY,
            None,
            0,
        ),
        (NATURAL, {"tofersen_start_days": 91, "death_days": 300}, "censored_treated", 91, 0),
        (
            NATURAL,
            {"trial_drug": "yes", "death_days": 300},
            UNDATED,
            None,
            0,
        ),
        (RULE, {"diagnosis": "mimic", "death_days": 300}, "other_diagnosis", None, 0),
    ],
)
def test_time_and_event(rule, dates, branch, day, cause):
    assert one(rule, **dates) == ([branch], day, cause)


@pytest.mark.parametrize(
    ("visit", "contact", "branch", "day"),
    [
        (200, None, "censored_last_record", 200),
        (200, 300, "censored_last_contact", 300),
        (300, 200, "censored_last_record", 300),
        (91, None, "censored_last_record", 91),
        (90, None, "unlabelled_no_follow_up", None),
    ],
)
def test_who_is_seen_at_a_visit_is_alive_on_that_day(visit, contact, branch, day):
    dates = {} if contact is None else {"last_contact_days": contact}
    made = cohort({"diagnosis": "als", **dates}, visits=[{"days": visit, "total": 40}])
    labels, times = survival_labels(made, RULE)
    assert branch in labels.counts
    days = times.months[0] * DAYS_PER_MONTH + 90
    assert np.isnan(days) if day is None else round(days, 6) == day


def test_a_measurement_shows_it_too():
    made = cohort({"diagnosis": "als"}, biomarkers=[(0, "nfl_serum", 50.0, 250.0)])
    assert survival_labels(made, RULE)[1].months[0] * DAYS_PER_MONTH == pytest.approx(160)


@pytest.mark.parametrize(
    ("dates", "by_year"),
    [
        ({"death_days": 455}, 1.0),
        ({"death_days": 456}, 0.0),
        ({"last_contact_days": 454}, np.nan),
        ({"last_contact_days": 455}, 0.0),
        ({}, np.nan),
    ],
)
def test_what_a_risk_by_day_365_is_held_against(dates, by_year):
    labels, _ = survival_labels(cohort({"diagnosis": "als", **dates}), RULE)
    np.testing.assert_array_equal(labels.judged, [by_year])


@pytest.mark.parametrize(
    ("rule", "dates", "branch", "day", "outcome"),
    [
        (NIV_STARTS, {"niv_start_days": 200, "death_days": 300}, "event_niv", 200, 1),
        (NIV_STARTS, {"niv_start_days": 300, "death_days": 200}, "ended_by_death", 200, 2),
        # On one day the event comes first.
        (NIV_STARTS, {"niv_start_days": 300, "death_days": 300}, "event_niv", 300, 1),
        (NIV_STARTS, {"death_days": 300, "last_contact_days": 200}, "ended_by_death", 300, 2),
        (NIV_STARTS, {"last_contact_days": 300}, "censored_last_contact", 300, 0),
        # Who is ventilated 23 hours a day has NIV, whichever is recorded first.
        (NIV_STARTS, {"niv_23h_days": 200, "death_days": 300}, "event_niv", 200, 1),
        (NIV_STARTS, {"niv_start_days": 150, "niv_23h_days": 200}, "event_niv", 150, 1),
        (
            NIV_STARTS,
            {"tracheostomy_days": 199, "niv_start_days": 200},
            "ended_by_tracheostomy",
            199,
            2,
        ),
        # A gastrostomy may follow a tracheostomy and NIV, but not death.
        (FED, {"gastrostomy_days": 300, "tracheostomy_days": 200}, "event_gastrostomy", 300, 1),
        (FED, {"gastrostomy_days": 300, "niv_23h_days": 200}, "event_gastrostomy", 300, 1),
        (FED, {"death_days": 200}, "ended_by_death", 200, 2),
        (FED, {"niv_start_days": 80, "last_contact_days": 200}, "censored_last_contact", 200, 0),
        # Who has it at the landmark, and a day after.
        (NIV_STARTS, {"niv_start_days": 90, "death_days": 300}, "excluded_has_niv", None, 0),
        (NIV_STARTS, {"niv_start_days": 91, "death_days": 300}, "event_niv", 91, 1),
        (NIV_STARTS, {"niv_23h_days": 90, "death_days": 300}, "excluded_event", None, 0),
        (FED, {"gastrostomy_days": -20, "death_days": 300}, "excluded_has_gastrostomy", None, 0),
        (FED, {"gastrostomy_days": 90, "death_days": 300}, "excluded_has_gastrostomy", None, 0),
        (FED, {"gastrostomy_days": 91, "death_days": 300}, "event_gastrostomy", 91, 1),
        (FED, {"gastrostomy_days": 91, "death_days": 90}, "excluded_event", None, 0),
        # They end no time where they are not asked for.
        (
            RULE,
            {"niv_start_days": 80, "gastrostomy_days": 90, "death_days": 300},
            "event_death",
            300,
            1,
        ),
        (DEATH, {"niv_start_days": 200, "death_days": 300}, "event_death", 300, 1),
    ],
)
def test_time_to_niv_or_gastrostomy_with_death_beside_it(rule, dates, branch, day, outcome):
    labels, times = survival_labels(cohort({"diagnosis": "als", **dates}), rule)
    assert one(rule, **dates)[:2] == ([branch], day)
    assert list(times.outcome) == [outcome]
    assert list(times.ended) == [outcome > 0]
    assert list(times.of_rivals.outcome) == [
        {0: 0, 1: 2, 2: 1}[outcome] if rule.rivals else 2 * outcome
    ]
    expected = np.nan if day is None else float(outcome == 1)
    np.testing.assert_array_equal(labels.y, [expected])


@pytest.mark.parametrize(
    ("rule", "visit", "dates", "branch", "day"),
    [
        # 3 to 1 points of item 12 are NIV, 4 is none, 0 is invasive ventilation.
        (NIV_STARTS, {"days": 90, "q12": 3}, {}, "excluded_has_niv", None),
        (NIV_STARTS, {"days": 91, "q12": 3}, {}, "event_niv", 91),
        (NIV_STARTS, {"days": 91, "q12": 1}, {}, "event_niv", 91),
        (NIV_STARTS, {"days": 91, "q12": 0}, {}, "censored_last_record", 91),
        (NIV_STARTS, {"days": 91, "q12": 4}, {}, "censored_last_record", 91),
        (NIV_STARTS, {"days": 91}, {}, "censored_last_record", 91),
        (
            NIV_STARTS,
            {"days": None, "q12": 3},
            {"last_contact_days": 200},
            "censored_last_contact",
            200,
        ),
        # The first of what is known.
        (NIV_STARTS, {"days": 300, "q12": 2}, {"niv_start_days": 200}, "event_niv", 200),
        (NIV_STARTS, {"days": 200, "q12": 2}, {"niv_start_days": 300}, "event_niv", 200),
        (NIV_STARTS, {"days": 80, "q12": 3}, {"niv_start_days": 300}, "excluded_has_niv", None),
        (NIV_STARTS, {"days": 200, "q12": 3}, {"death_days": 200}, "event_niv", 200),
        # Form b of item 5 is asked of those with a gastrostomy.
        (FED, {"days": 90, "q5_form": "b"}, {}, "excluded_has_gastrostomy", None),
        (FED, {"days": 91, "q5_form": "b"}, {}, "event_gastrostomy", 91),
        (FED, {"days": 91, "q5_form": "a"}, {}, "censored_last_record", 91),
        (FED, {"days": 90, "q12": 3}, {"last_contact_days": 200}, "censored_last_contact", 200),
        (RULE, {"days": 90, "q12": 3}, {"last_contact_days": 200}, "censored_last_contact", 200),
    ],
)
def test_a_visit_shows_niv_and_a_gastrostomy_too(rule, visit, dates, branch, day):
    made = cohort({"diagnosis": "als", **dates}, visits=[{"total": 40, **visit}])
    labels, times = survival_labels(made, rule)
    assert branch in labels.counts
    days = times.months[0] * DAYS_PER_MONTH + 90
    assert np.isnan(days) if day is None else round(days, 6) == day
    has = branch.removeprefix("excluded_") if branch.startswith("excluded_has") else ""
    task = {"niv": NIV, "gastrostomy": GASTROSTOMY}.get(rule.event, SURVIVAL)
    assert list(out_of_scope(made, task, 90)) == [has]


@pytest.mark.parametrize(
    ("dates", "by_year"),
    [
        ({"niv_start_days": 455}, 1.0),
        ({"niv_start_days": 456}, 0.0),
        ({"death_days": 100}, 0.0),  # never has NIV
        ({"last_contact_days": 100}, np.nan),
        ({"niv_start_days": 90, "death_days": 100}, np.nan),
    ],
)
def test_what_a_risk_of_niv_is_held_against(dates, by_year):
    labels, _ = survival_labels(cohort({"diagnosis": "als", **dates}), NIV_STARTS)
    np.testing.assert_array_equal(labels.judged, [by_year])


def test_who_is_not_scored_for_niv_or_a_gastrostomy():
    made = cohort(
        {"diagnosis": "als", "niv_start_days": 90},
        {"diagnosis": "als", "niv_start_days": 91, "gastrostomy_days": 91},
        {"diagnosis": "als", "gastrostomy_days": 90},
        {"diagnosis": "als", "niv_start_days": 50, "gastrostomy_days": 50, "death_days": 90},
        {"diagnosis": "mimic", "niv_start_days": 50, "gastrostomy_days": 50},
    )
    both = ["landmark", "diagnosis"]
    assert list(out_of_scope(made, NIV, 90)) == ["has_niv", "", "", *both]
    assert list(out_of_scope(made, GASTROSTOMY, 90)) == ["", "", "has_gastrostomy", *both]
    assert list(out_of_scope(made, SURVIVAL, 90)) == ["", "", "", *both]
    labels, _ = survival_labels(made, NIV_STARTS)
    assert in_words(labels, NIV).startswith(
        "1 NIV, 0 no NIV, 4 without a label: 1 excluded event, 1 excluded has niv"
    )


def test_counts_in_words():
    made = cohort(
        {"diagnosis": "als", "death_days": 300},
        {"diagnosis": "als", "last_contact_days": 300},
        {"diagnosis": "als", "last_contact_days": 10},
    )
    labels, _ = survival_labels(made, RULE)
    assert in_words(labels, SURVIVAL) == (
        "1 event, 1 event-free, 1 without a label: 1 excluded lost, 1 event death,"
        " 1 censored last contact"
    )
    assert list(out_of_scope(made, SURVIVAL, 90)) == ["", "", "landmark"]


def followed(events, others, beyond=0):
    """Deaths at given days, and patients without one, last seen at day 365 or beyond."""
    rows = [{"death_days": day, "last_contact_days": 365} for day in events]
    rows += [{"last_contact_days": 365} for _ in range(others)]
    rows += [{"last_contact_days": 800} for _ in range(beyond)]
    return cohort(*({"diagnosis": "als", **row} for row in rows))


@pytest.mark.parametrize(
    ("made", "rule", "found"),
    [
        (followed([500] * 20, 60), RULE, (365, 20)),
        (followed([500] * 19, 60), RULE, None),  # too few to be told from chance
        (followed([500] * 20, 60), TimeRule(follow_up_days=365), None),  # cut for everyone
        (followed([500] * 20, 60), TimeRule(follow_up_days=499), None),
        (followed([500] * 20, 60, 20), RULE, None),  # others are followed as long
        (followed([200] * 40, 60), RULE, None),
        (followed([500] * 20, 19), RULE, None),
        (followed([500] * 20, 20), RULE, (365, 20)),
        (followed([500] * 20, 60), TimeRule(follow_up_days=500), (365, 20)),
        (followed([365] * 5 + [366] * 20, 60), RULE, (365, 20)),  # beyond the day
        # Ninety-nine of a hundred are seen no longer; interpolation would say day 369.
        (followed([500] * 20, 99, 1), RULE, (365, 20)),
        # Of those beyond, 95 % have the event: 57 of 60, not 56 of 59 or 20 of 23.
        (followed([500] * 57, 297, 3), RULE, (365, 57)),
        (followed([500] * 56, 297, 3), RULE, None),
        (followed([500] * 20, 297, 3), RULE, None),
    ],
)
def test_follow_up_of_those_with_an_event_alone(made, rule, found):
    assert events_only_beyond(made, rule) == found


@pytest.mark.parametrize(("days", "found"), [(90, None), (91, (365, 20))])
def test_who_was_lost_by_the_landmark_tells_nothing_of_the_follow_up(days, found):
    """Nineteen without an event are too few, and the twentieth counts from the day after it."""
    rows = [{"death_days": 500, "last_contact_days": 80}] * 20 + [{"last_contact_days": 365}] * 19
    rows.append({"last_contact_days": days})
    assert events_only_beyond(cohort(*({"diagnosis": "als", **row} for row in rows)), RULE) == found


def test_patients_without_als_tell_nothing_of_the_follow_up():
    rows = [{"diagnosis": "mimic", "death_days": 500}] * 20
    rows += [{"diagnosis": "als", "last_contact_days": 365}] * 60
    assert events_only_beyond(cohort(*rows), RULE) is None


def test_what_counts_where_nothing_is_said():
    """The contract: from day 90 to death, tracheostomy or NIV >= 23 h/day, without an end."""
    stated = TimeRule(
        landmark_days=90, event="composite", follow_up_days=None, end_at_treatment=False
    )
    assert TimeRule() == stated


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        (RULE, {"death_days", "tracheostomy_days", "niv_23h_days"}),
        (DEATH, {"death_days"}),
        (
            NIV_STARTS,
            {"niv_start_days", "niv_23h_days", "death_days", "tracheostomy_days"},
        ),
        (FED, {"gastrostomy_days", "death_days"}),
    ],
)
def test_what_a_time_is_made_of(rule, more):
    labels, _ = survival_labels(cohort({"diagnosis": "als", "last_contact_days": 300}), rule)
    assert labels.sources == more | {"last_contact_days"}


THREE = Times(np.array([5.0, 6.0, 7.0]), np.array([4, 0, 1]), ("niv",), ("death", "tracheostomy"))


def test_times_of_some_patients_and_of_what_competes():
    some = THREE.take(np.array([2, 0]))
    assert (some.months.tolist(), some.cause.tolist()) == ([7, 5], [1, 4])
    assert (some.causes, some.rivals) == (("niv",), ("death", "tracheostomy"))
    other = THREE.of_rivals
    assert (other.causes, other.rivals) == (("death", "tracheostomy"), ("niv",))
    assert other.outcome.tolist() == [2, 0, 1]
    assert other.months is THREE.months


@pytest.mark.parametrize(
    ("until", "months", "cause"),
    [(4.9, [4.9] * 3, [0, 0, 0]), (5.0, [5.0] * 3, [4, 0, 0]), (6.5, [5, 6, 6.5], [4, 0, 0])],
)
def test_times_as_they_were_known_earlier(until, months, cause):
    known = THREE.until(np.full(3, until))
    assert (known.months.tolist(), known.cause.tolist()) == (months, cause)
    assert (known.causes, known.rivals) == (THREE.causes, THREE.rivals)


def test_what_has_no_date_shows_nobody_alive():
    measured = [(0, "nfl_serum", 50.0, np.nan), (0, "nfl_serum", 50.0, 30.0)]
    made = cohort({"diagnosis": "als"}, {"diagnosis": "als"}, biomarkers=measured)
    assert last_known_days(made).tolist() == [30, -np.inf]
