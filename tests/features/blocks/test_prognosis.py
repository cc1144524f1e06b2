"""The ENCALS score by the published formula in scalar arithmetic, and what unknown inputs do to it.

Westeneng 2018, doi:10.1016/S1474-4422(18)30089-9, as public research code writes it; the numbers
stand here a second time, so that one that changes in the code alone fails.
"""

from math import exp, log

import numpy as np
import pytest

from features.alsfrs.encals import _MONTHLY_ODDS, linear_predictor, median_months, survival
from features.blocks.prognosis import prognosis_dictionary, prognosis_features
from tests.made import Call, cohort

PATIENT = {
    "delta_fs": 0.6,
    "diagnostic_delay_months": 12.0,
    "age_at_onset": 62.0,
    "fvc_pct": 85.0,
    "onset_bulbar": 0.0,
    "el_escorial_definite": 0.0,
    "ftd": 0.0,
    "c9orf72_expanded": 0.0,
}


def by_hand(delta_fs, delay, age, fvc, bulbar, definite, ftd, c9orf72=None) -> float:
    """The full model, or the TRICALS profile where C9orf72 is unknown."""
    full = c9orf72 is not None
    b = (
        (-1.837, -2.373, -0.267, 0.477, 0.269, 0.233, 0.388, 0.256)
        if full
        else (-1.839, -2.376, -0.264, 0.474, 0.271, 0.238, 0.415, 0.0)
    )
    delay, fvc = delay / 10, fvc / 100
    terms = (
        (max(delta_fs, 0) + 0.1) ** -0.5,
        delay**-0.5 + log(delay),
        (age / 100) ** -2,
        1 / fvc + fvc**-0.5,
        bulbar,
        definite,
        ftd,
        c9orf72 or 0,
    )
    return sum(x * y for x, y in zip(b, terms, strict=True))


def predictor(**changes: float) -> float:
    values = {name: np.array([value]) for name, value in (PATIENT | changes).items()}
    return float(prognosis_features(cohort(), values)["encals_lp"][0])


@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({}, (0.6, 12, 62, 85, 0, 0, 0, 0)),
        ({"delta_fs": 1.5}, (1.5, 12, 62, 85, 0, 0, 0, 0)),
        ({"delta_fs": 0.0}, (0.0, 12, 62, 85, 0, 0, 0, 0)),
        ({"delta_fs": -0.3}, (0.0, 12, 62, 85, 0, 0, 0, 0)),  # a rise counts as none
        ({"diagnostic_delay_months": 3}, (0.6, 3, 62, 85, 0, 0, 0, 0)),
        ({"age_at_onset": 40}, (0.6, 12, 40, 85, 0, 0, 0, 0)),
        ({"fvc_pct": 120}, (0.6, 12, 62, 120, 0, 0, 0, 0)),
        ({"onset_bulbar": 1}, (0.6, 12, 62, 85, 1, 0, 0, 0)),
        ({"el_escorial_definite": 1}, (0.6, 12, 62, 85, 0, 1, 0, 0)),
        ({"ftd": 1}, (0.6, 12, 62, 85, 0, 0, 1, 0)),
        ({"c9orf72_expanded": 1}, (0.6, 12, 62, 85, 0, 0, 0, 1)),
        ({"c9orf72_expanded": np.nan}, (0.6, 12, 62, 85, 0, 0, 0)),
        ({"c9orf72_expanded": np.nan, "onset_bulbar": 1}, (0.6, 12, 62, 85, 1, 0, 0)),
        (
            {"c9orf72_expanded": np.nan, "el_escorial_definite": 1, "ftd": 1},
            (0.6, 12, 62, 85, 0, 1, 1),
        ),
        ({"c9orf72_expanded": np.nan, "fvc_pct": 50}, (0.6, 12, 62, 50, 0, 0, 0)),
    ],
)
def test_the_linear_predictor(changes, arguments):
    assert predictor(**changes) == pytest.approx(by_hand(*arguments), abs=1e-12)


@pytest.mark.parametrize("name", [name for name in PATIENT if name != "c9orf72_expanded"])
def test_an_unknown_input_leaves_no_score(name):
    values = {key: np.array([value]) for key, value in (PATIENT | {name: np.nan}).items()}
    found = prognosis_features(cohort(), values)
    assert np.isnan(found["encals_lp"][0])
    assert np.isnan(found["encals_median_months"][0])


@pytest.mark.parametrize("name", ["diagnostic_delay_months", "fvc_pct"])
@pytest.mark.parametrize(("value", "known"), [(-1.0, False), (0.0, False), (0.1, True)])
def test_what_must_be_positive(name, value, known):
    found = predictor(**{name: value})
    assert np.isfinite(found) if known else np.isnan(found)


# Where the genetic block is off, the score reads C9orf72 itself.
@pytest.mark.parametrize(
    ("calls", "expanded"),
    [
        ([], None),
        ([Call("C9orf72", 8, 8)], 0),
        ([Call("C9orf72", 24, 24)], 0),
        ([Call("C9orf72", 30, 30)], 0),
        ([Call("C9orf72", 31, 31)], 1),
        ([Call("C9orf72", 8, 40)], None),  # indeterminate
        ([Call("ATXN2", 40, 40)], None),
    ],
)
def test_c9orf72_without_the_genetic_block(calls, expanded):
    known = {name: np.array([value]) for name, value in PATIENT.items()}
    del known["c9orf72_expanded"]
    found = prognosis_features(cohort(calls=calls), known)["encals_lp"][0]
    arguments = (0.6, 12, 62, 85, 0, 0, 0)
    assert found == pytest.approx(
        by_hand(*arguments) if expanded is None else by_hand(*arguments, expanded)
    )


def log_odds(month: float) -> float:
    """Restricted cubic spline of ln(months) with four knots."""
    knots, weights = (0.081, 3.108, 3.638, 5.917), (0.481323, 0.390507)
    x = log(month)
    cubes = [max(x - knot, 0) ** 3 for knot in knots]
    waves = [
        cubes[i + 1] - weight * cubes[0] - (1 - weight) * cubes[3]
        for i, weight in enumerate(weights)
    ]
    return -6.409 + 2.643 * x - 0.546 * waves[0] + 0.585 * waves[1]


@pytest.mark.parametrize("month", [1, 12, 24, 36, 60, 120, 480])
@pytest.mark.parametrize("score", [-6.0, -4.5, -2.0])
def test_survival(month, score):
    expected = 1 / (1 + exp(log_odds(month) + score))
    assert survival(np.array([month]), np.array([score]))[0] == pytest.approx(expected)


@pytest.mark.parametrize("score", [-9.0, -6.0, -4.5, -2.0, 0.0, 7.0])
def test_the_median_is_the_first_month_below_one_half(score):
    month = next((m for m in range(1, 600) if log_odds(m) + score > 0), 600)
    assert median_months(np.array([score])).tolist() == [month]


def test_a_survival_of_exactly_one_half_is_not_below_it():
    """The odds of month 12 with their sign turned are a predictor that halves survival there."""
    assert median_months(-_MONTHLY_ODDS[11:12]).tolist() == [13]
    assert survival(12.0, -_MONTHLY_ODDS[11]) == pytest.approx(0.5, abs=1e-15)


def test_the_median_ends_at_50_years():
    assert median_months(np.array([-50.0, np.nan])).tolist() == pytest.approx(
        [600, np.nan], nan_ok=True
    )
    assert 1 < median_months(np.array([5.0]))[0] < 600


def test_survival_at_the_median_is_just_below_one_half():
    for score in (-6.0, -4.5, -2.0):
        month = median_months(np.array([score]))
        assert survival(month, np.array([score]))[0] < 0.5 <= survival(month - 1, np.array([score]))


def test_a_larger_risk_is_a_shorter_survival():
    pairs = [[0.6, 1.5], [12, 6], [62, 70], [85, 60], [0, 1], [0, 1], [0, 1], [0, 1]]
    columns = [np.array(pair, dtype=float) for pair in pairs]
    low, high = linear_predictor(*columns)
    assert low < high
    assert median_months(np.array([low]))[0] > median_months(np.array([high]))[0]


def test_both_columns_are_described():
    values = {name: np.array([value]) for name, value in PATIENT.items()}
    found = prognosis_features(cohort(), values)
    assert [feature.name for feature in prognosis_dictionary()] == list(found)
