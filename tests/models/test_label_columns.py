"""Labels of a whole cohort: family history, a column, dFS, events, and what a noisy slope says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from features.errors import DataError
from models.labels import (
    SlopeRule,
    class_names,
    classes_of,
    column_labels,
    delta_fs_labels,
    event_days,
    familial_labels,
    label_visits,
    last_seen_days,
    likely_labels,
    out_of_scope,
    progression_labels,
    revised_visits,
    scored,
)
from models.tasks import FAMILIAL, PROGRESSION
from tests.made import cohort

DEGREES = ("first_degree", "second_degree")
DIAGNOSES = {
    "als": True,
    "als_ftd": True,
    None: True,  # empty means als
    "pls": False,
    "pma": False,
    "mimic": False,
    "control": False,
    "unaffected_relative": False,
}


def approx(values):
    return pytest.approx(values, nan_ok=True)


def stated(**cells) -> dict:
    return {name: value for name, value in cells.items() if value is not None}


@pytest.mark.parametrize("diagnosis", list(DIAGNOSES))
def test_who_is_trained_or_scored(diagnosis):
    made = cohort(stated(diagnosis=diagnosis, family_history="none"))
    assert scored(made).tolist() == [DIAGNOSES[diagnosis]]
    found = familial_labels(made, DEGREES)
    assert found.y.tolist() == approx([0.0 if DIAGNOSES[diagnosis] else np.nan])
    other = 0 if DIAGNOSES[diagnosis] else 1
    assert found.counts.get("other_diagnosis", 0) == other
    expected = "" if DIAGNOSES[diagnosis] else "diagnosis"
    for task in (FAMILIAL, PROGRESSION):
        assert out_of_scope(made, task, 90).tolist() == [expected]


@pytest.mark.parametrize(
    ("history", "degrees", "y", "reason"),
    [
        ("first_degree", DEGREES, 1, None),
        ("second_degree", DEGREES, 1, None),
        ("second_degree", ("first_degree",), np.nan, "unlabelled_second_degree"),
        ("none", DEGREES, 0, None),
        ("wider", DEGREES, np.nan, "unlabelled_wider"),
        ("wider", (*DEGREES, "wider"), 1, None),
        ("unknown", DEGREES, np.nan, "unlabelled_unknown"),
        (None, DEGREES, np.nan, "unlabelled_empty"),
    ],
)
def test_family_history(history, degrees, y, reason):
    found = familial_labels(cohort(stated(family_history=history)), degrees)
    assert found.y.tolist() == approx([y])
    expected = {"positive": int(y == 1), "negative": int(y == 0), "unlabelled_total": int(y != y)}
    assert found.counts == expected | ({reason: 1} if reason else {})
    assert found.sources == {"family_history"}
    assert found.usable.tolist() == ([] if y != y else [0])


def test_counts_of_several():
    rows = ["none", "none", "first_degree", "wider", "wider", "unknown", None]
    others = [{"family_history": "first_degree", "diagnosis": "control"}]
    made = cohort(*[stated(family_history=row) for row in rows], *others)
    found = familial_labels(made, DEGREES)
    assert found.counts == {
        "unlabelled_wider": 2,
        "unlabelled_unknown": 1,
        "unlabelled_empty": 1,
        "other_diagnosis": 1,
        "positive": 1,
        "negative": 2,
        "unlabelled_total": 5,
    }
    assert found.usable.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("cells", "day"),
    [
        ({}, np.inf),
        ({"death_days": 100}, 100),
        ({"tracheostomy_days": 90}, 90),
        ({"niv_23h_days": 80}, 80),
        ({"niv_start_days": 70}, np.inf),  # at night only
        ({"gastrostomy_days": 70}, np.inf),
        ({"death_days": 100, "tracheostomy_days": 90}, 90),
        ({"death_days": 100, "niv_23h_days": 95, "tracheostomy_days": 120}, 95),
    ],
)
def test_the_first_event(cells, day):
    patients = cohort(cells, {"death_days": 7}).patients
    assert event_days(patients).tolist() == [day, 7]


def test_the_last_contact():
    patients = cohort({"last_contact_days": 300}, {"death_days": 7}).patients
    assert last_seen_days(patients).tolist() == [300, np.inf]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({}, ""),
        ({"death_days": 89}, "landmark"),
        ({"death_days": 90}, "landmark"),
        ({"death_days": 91}, ""),
        ({"niv_23h_days": 90}, "landmark"),
        ({"last_contact_days": 89}, "landmark"),
        ({"last_contact_days": 90}, "landmark"),
        ({"last_contact_days": 91}, ""),
        ({"death_days": 10, "diagnosis": "pls"}, "diagnosis"),
    ],
)
def test_out_of_scope(cells, reason):
    made = cohort(cells, {})
    assert out_of_scope(made, PROGRESSION, 90).tolist() == [reason, ""]
    expected = "diagnosis" if reason == "diagnosis" else ""
    assert out_of_scope(made, FAMILIAL, 90).tolist() == [expected, ""]


@pytest.mark.parametrize(
    ("value", "above", "below", "y", "beyond"),
    [
        (1.9, 2.0, None, 0, -0.1),
        (2.0, 2.0, None, 0, 0.0),
        (2.1, 2.0, None, 1, 0.1),
        (1.9, None, 2.0, 1, 0.1),
        (2.0, None, 2.0, 0, 0.0),
        (2.1, None, 2.0, 0, -0.1),
        (-0.1, None, 0.0, 1, 0.1),
        (0.1, 0.0, None, 1, 0.1),
        (None, 2.0, None, np.nan, np.nan),
    ],
)
def test_a_column_and_its_threshold(value, above, below, y, beyond):
    made = cohort({"rate": np.nan if value is None else value}, {"rate": 50.0})
    found = column_labels(made, "rate", above, below)
    assert found.y[:1].tolist() == approx([y])
    assert found.slope[:1].tolist() == approx([beyond])
    assert found.likely[:1].tolist() == approx([y])
    assert found.sources == {"rate"}
    assert found.counts.get("unlabelled_empty", 0) == (value is None)
    # With the error of a value, how sure the label is: two errors beyond are 97.7 %.
    with_error = column_labels(made, "rate", above, below, error=0.05)
    assert with_error.likely[:1].tolist() == approx([norm.cdf(beyond / 0.05)])
    assert with_error.y[:1].tolist() == approx([y])


def test_a_column_of_other_diagnoses_is_no_label():
    made = cohort({"rate": 3.0, "diagnosis": "pls"}, {"rate": 3.0})
    found = column_labels(made, "rate", 2.0, None, error=1.0)
    assert found.y.tolist() == approx([np.nan, 1])
    assert found.slope.tolist() == approx([np.nan, 1])
    assert found.likely.tolist() == approx([np.nan, norm.cdf(1)])


def test_a_column_that_is_no_label():
    with pytest.raises(DataError, match="the label's column 'rat' is missing"):
        column_labels(cohort({"rate": 1.0}), "rat", 1, None)
    made = cohort({"rate": "1"}, {"rate": "x"}, {"rate": None})
    with pytest.raises(DataError, match=r"patients, column rate, line 3: a label must be a number"):
        column_labels(made, "rate", 1, None)


@pytest.mark.parametrize(
    ("rate", "cutoffs", "y", "level", "classes"),
    [
        (0.99, (1.0,), 0, 0, ("slow", "fast")),
        (1.0, (1.0,), 1, 1, ("slow", "fast")),
        (0.49, (0.5, 1.0), 0, 0, ("slow", "intermediate", "fast")),
        (0.5, (0.5, 1.0), 0, 1, ("slow", "intermediate", "fast")),
        (0.99, (0.5, 1.0), 0, 1, ("slow", "intermediate", "fast")),
        (1.0, (0.5, 1.0), 1, 2, ("slow", "intermediate", "fast")),
        (np.nan, (1.0,), np.nan, np.nan, ("slow", "fast")),
    ],
)
def test_a_label_of_dfs(rate, cutoffs, y, level, classes):
    found = delta_fs_labels(cohort({}, {}), np.array([rate, 0.1]), cutoffs)
    assert found.y.tolist() == approx([y, 0])
    assert found.level.tolist() == approx([level, 0])
    assert found.slope.tolist() == approx([rate, 0.1])
    assert found.classes == classes
    assert found.counts.get("unlabelled_no_dfs", 0) == (rate != rate)
    assert found.sources == {"alsfrs"}
    counted = {name: n for name, n in found.counts.items() if name.startswith("class_")}
    expected = [0] * len(classes)
    for own in (level, 0):
        if own == own:
            expected[int(own)] += 1
    names = [f"class_{name}" for name in classes]
    assert counted == (dict(zip(names, expected, strict=True)) if len(classes) > 2 else {})


def test_dfs_of_another_diagnosis():
    found = delta_fs_labels(cohort({"diagnosis": "mimic"}), np.array([2.0]), (1.0,))
    assert found.y.tolist() == approx([np.nan])
    assert found.slope.tolist() == approx([np.nan])


def test_names_of_classes():
    assert class_names(2) == ("slow", "fast")
    assert class_names(4) == ("slow", "intermediate_1", "intermediate_2", "fast")
    assert classes_of(np.array([0.5, np.nan, 1.1]), (0.5, 1.0)).tolist() == approx([1, np.nan, 2])


def course(row: int, *totals: float, step: int = 100, start: int = 100, **more) -> list[dict]:
    return [
        {"sample_id": f"P{row}", "days": start + step * i, "total": total, **more}
        for i, total in enumerate(totals)
    ]


FAST, SLOW = (40, 36, 32), (40, 39, 38)  # 1.2 and 0.3 points a month


def test_progression_of_a_cohort():
    rows = [
        {},
        {},
        {"death_days": 200},
        {"death_days": 50},
        {"diagnosis": "pls"},
        {"trial_drug_start_days": 90},
        {"tofersen": "yes"},
        {"last_contact_days": 90},
        {"tofersen_start_days": 250},
        {},
        {"diagnosis": "control"},
    ]
    visits = [*course(0, *FAST), *course(1, *SLOW), *course(4, *FAST), *course(5, *FAST)]
    visits += [*course(6, *FAST), *course(7, *FAST), *course(8, *FAST)]
    # On the other scale nothing is a label.
    visits += course(9, *FAST, scale="alsfrs")
    found = progression_labels(cohort(*rows, visits=visits), SlopeRule())
    nan = np.nan
    assert found.y.tolist() == approx([1, 0, 1, *[nan] * 8])
    assert found.counts == {
        "excluded_event": 1,
        "excluded_lost": 1,
        "unlabelled_treatment_undated": 1,
        "unlabelled_treated_early": 1,
        "fast_by_event": 1,
        "fast_by_slope": 1,
        "slow_by_slope": 1,
        "unlabelled_treated": 1,
        "unlabelled_few_visits": 1,
        "other_diagnosis": 2,
        "positive": 2,
        "negative": 1,
        "unlabelled_total": 8,
    }
    month = 30.4375
    slopes = [0.04 * month, 0.01 * month, nan, nan, nan, *[nan] * 6]
    # Who is treated from the landmark on or since nobody knows when has no slope either.
    assert found.slope.tolist() == approx(slopes)
    assert found.level.tolist() == approx([1, 0, 1, *[nan] * 8])
    assert found.by_event.tolist() == [False, False, True, *[False] * 8]
    assert found.at_risk.tolist() == [True, True, True, *[False] * 5, True, True, False]
    assert found.classes == ("slow", "fast")
    assert found.sources == {"alsfrs"}
    assert np.isfinite(found.scatter).all(axis=1).tolist()[:3] == [True, True, False]


def test_an_event_of_another_diagnosis_is_no_event_of_the_label():
    found = progression_labels(cohort({"death_days": 200, "diagnosis": "pls"}), SlopeRule())
    assert found.by_event.tolist() == [False]
    assert found.at_risk.tolist() == [False]
    assert found.counts["fast_by_event"] == 0


def test_an_event_is_the_fastest_class():
    rule = SlopeRule(cutoffs=(0.5, 1.0))
    made = cohort({"death_days": 200}, {}, visits=course(1, 40, 38, 36))
    found = progression_labels(made, rule)
    assert found.level.tolist() == [2, 1]
    assert found.y.tolist() == [1, 0]
    assert found.counts["class_intermediate"] == 1
    assert (rule.cutoff, rule.end_days) == (1.0, 455)


def test_visits_of_the_label():
    made = cohort(
        {"trial_drug_start_days": 300}, visits=course(0, 40, 39, np.nan, 37, 36, start=90)
    )
    row, days, total = label_visits(made, SlopeRule())
    assert (row.tolist(), days.tolist(), total.tolist()) == ([0], [190], [39])
    assert revised_visits(made)[1].tolist() == [90, 190, 290, 390, 490]


def test_a_noisy_slope_says_how_likely_the_label_is():
    """Two patients, residual variance (4 + 2) / (3 + 0), of errors s / sqrt(spread)."""
    y, slope = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.2, 0.7, np.nan, 0.9])
    scatter = np.array([[16.0, 4.0, 2.0], [4.0, 2.0, 1.0], [9.0, 90.0, 9.0], [0.0, 0.0, 0.0]])
    s = np.sqrt(6 / 3)
    expected = [norm.cdf(0.2 / (s / 4)), norm.cdf(-0.3 / (s / 2)), 1.0, 0.0]
    assert likely_labels(y, slope, scatter, 1.0).tolist() == approx(expected)


@pytest.mark.parametrize(
    ("noise", "freedom", "kept"),
    [(4.0, 0.0, True), (0.0, 3.0, True), (4.0, 1.0, False), (0.5, 3.0, False)],
)
def test_without_an_error_the_label_stays(noise, freedom, kept):
    y, slope = np.array([1.0]), np.array([1.2])
    found = likely_labels(y, slope, np.array([[1.0, noise, freedom]]), 1.0)
    assert (found[0] == 1.0) == kept


def test_labels_are_of_their_own_patients():
    made = cohort({}, {}, visits=[*course(1, *FAST)])
    found = progression_labels(replace(made, name="other"), SlopeRule())
    assert found.y.tolist() == approx([np.nan, 1])
    assert isinstance(made.patients, pd.DataFrame)
