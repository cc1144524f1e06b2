"""The course model number by number: by hand, and against scikit-learn's ridge regression."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from models.course import (
    CourseModel,
    _location,
    _ridge,
    _usable,
    fit_course_model,
    followed_visits,
)

# Columns of the matrix: total at the index visit, last total, a marker.
HAND = CourseModel(
    columns=(2,),
    centre=(2.0, 0.0),
    scale=(2.0, 1.0),
    coefficients=(0.5, 0.25),
    intercept=0.25,
    last=1,
    first=0,
    level=(30.0, 2.0, 0.5, -1.0, -3.0, 1.0, 0.25, -6.0, 0.5, 2.0),
    slope_spread=(0.04, 0.16),
    total_spread=(4.0, 8.0, 16.0),
    slope_quantiles=(-1.5, 1.0),
    total_quantiles=(-1.0, 2.0),
)
PATIENT, SCORE = np.array([[44.0, 41.0, 6.0]]), np.array([1.0])


def test_a_rate_by_hand():
    # 0.5 (6 - 2) / 2 + 0.25 x 1 + 0.25; its error sqrt(0.04 + 0.16 x 1.5^2) = sqrt(0.4).
    expected = HAND.expected(PATIENT, SCORE)
    assert expected.slope[0] == pytest.approx(1.5)
    assert expected.slope_low[0] == pytest.approx(1.5 - 1.5 * 0.6324555)
    assert expected.slope_high[0] == pytest.approx(1.5 + 0.6324555)


def test_a_total_by_hand():
    # Half a year, 5 points over 36, 3 points lost since the index visit, rate 1.5:
    # 30 + 2 x 0.5 - 0.5 x 3 - 1.5 = 28; 0.5 (-3 + 0.5 - 0.75 - 9) = -6.125;
    # 0.25 (0.5 + 2 x 1.5) = 0.875. Error sqrt(4 + 8 x 0.25 + 16 x 0.75^2) = sqrt(15).
    total, low, high = HAND.total_at(PATIENT, SCORE, np.array([6.0]))
    assert total[0] == pytest.approx(22.75)
    assert low[0] == pytest.approx(22.75 - 3.8729833)
    assert high[0] == pytest.approx(22.75 + 2 * 3.8729833)
    assert HAND.expected(PATIENT, SCORE).total[0, 1] == total[0]


def test_an_error_does_not_grow_with_a_gain_and_is_never_nothing():
    gaining = replace(HAND, intercept=-1.75)  # a rate of -0.5
    expected = gaining.expected(PATIENT, SCORE)
    assert expected.slope_high[0] == pytest.approx(-0.5 + 0.2)  # sqrt(0.04)
    total, low, _ = gaining.total_at(PATIENT, SCORE, np.array([6.0]))
    assert total[0] - low[0] == pytest.approx(np.sqrt(6.0))
    sure = replace(HAND, slope_spread=(0.0, 0.0)).expected(PATIENT, SCORE)
    assert sure.slope_high[0] == pytest.approx(1.5 + 0.001)


@pytest.mark.parametrize(
    ("marker", "rate"),
    [
        (2 + 2 * 3.95, 0.5 * 3.95),
        (2 + 2 * 4.05, 0.5 * 4.0),
        (2 - 2 * 3.95, -0.5 * 3.95),
        (2 - 2 * 4.05, -0.5 * 4.0),
        (np.nan, 0.0),  # unknown is the mean
    ],
)
def test_a_value_moves_the_rate_by_four_sd_at_most(marker, rate):
    X = np.array([[44.0, 41.0, marker]])
    assert HAND.slope(X, np.zeros(1))[0] == pytest.approx(0.25 + rate)


@pytest.mark.parametrize(
    ("mean", "shown"),
    [
        (47.0, (47.0, 46.0, 48.0)),
        (47.95, (47.95, 46.95, 48.0)),
        (48.05, (48.0, 47.05, 48.0)),
        (49.05, (48.0, 48.0, 48.0)),
        (0.5, (0.5, 0.0, 1.5)),
        (-0.5, (0.0, 0.0, 0.5)),
        (-1.5, (0.0, 0.0, 0.0)),
    ],
)
def test_a_total_lies_between_0_and_48(mean, shown):
    flat = replace(
        HAND,
        level=(mean, *(0.0,) * 9),
        total_spread=(1.0, 0.0, 0.0),
        total_quantiles=(-1.0, 1.0),
    )
    found = flat.total_at(PATIENT, SCORE, np.array([6.0]))
    assert [of[0] for of in found] == pytest.approx(shown)


@pytest.mark.parametrize(
    ("last", "first", "X", "total"),
    [
        (0, 1, [[41.0, 44.0, 6.0]], 22.75),  # the columns change places
        (1, -1, [[44.0, 41.0, 6.0]], 22.75 + 1.5 + 0.375),  # no index visit: no change
        (1, 0, [[np.nan, 41.0, 6.0]], 22.75 + 1.5 + 0.375),
        (-1, -1, [[44.0, 41.0, 6.0]], np.nan),
    ],
)
def test_a_change_since_the_index_visit_that_is_not_known_is_none(last, first, X, total):
    model = replace(HAND, last=last, first=first)
    found = model.total_at(np.array(X), SCORE, np.array([6.0]))[0]
    assert found[0] == pytest.approx(total, nan_ok=True)


def test_the_rate_is_learned_as_by_the_ridge_of_scikit_learn():
    rng = np.random.default_rng(3)
    Z, weight = rng.normal(1.0, 2.0, (40, 3)), rng.uniform(0.2, 3.0, 40)
    y = Z @ np.array([0.5, -0.2, 0.0]) + rng.normal(5.0, 1.0, 40)
    half_powers = [0.01, 0.0316228, 0.1, 0.316228, 1, 3.16228, 10, 31.6228, 100, 316.228]
    half_powers += [1000, 3162.28, 10000, 31622.8]
    for penalty, (b, intercept) in zip(half_powers, _ridge(Z, y, weight), strict=True):
        ridge = Ridge(alpha=penalty, tol=1e-12).fit(Z, y, weight)
        np.testing.assert_allclose(b, ridge.coef_, rtol=1e-4, atol=1e-9)
        assert intercept == pytest.approx(float(ridge.intercept_), rel=1e-5)


def visits(*of_patients, n=None):
    """Visits (months, total) of some patients, as `followed_visits` takes them."""
    row = np.repeat(np.arange(len(of_patients)), [len(one) for one in of_patients])
    months, total = (np.array([v[k] for one in of_patients for v in one], float) for k in (0, 1))
    return followed_visits(row, months, total, n or len(of_patients))


def test_a_slope_weighs_by_its_error_by_hand():
    # Spread of months 0, 3, 6: 18, of 0, 3: 4.5; errors 1.6^2 / 18 and 1.6^2 / 4.5. Slopes 0.5 and
    # 1.5 are measured as the label rule asks: variance 0.25 - 0.142222. Weights 1 / (0.107778 +
    # 0.142222) twice and 1 / (0.107778 + 0.568889), over their mean 3.159278.
    seen = visits(
        [(0, 40), (3, 38.5), (6, 37)],
        [(0, 40), (3, 35.5), (6, 31)],
        [(0, 40), (3, 37)],
        [(2, 40)],
        n=5,
    )
    np.testing.assert_allclose(seen.slope, [0.5, 1.5, 1.0, np.nan, np.nan])
    np.testing.assert_allclose(seen.weight, [1.266112, 1.266112, 0.467775, 0, 0], rtol=1e-5)


def test_slopes_that_hardly_differ_weigh_as_if_by_a_tenth():
    # 1 / (0.1 + 0.142222) and 1 / (0.1 + 0.568889).
    seen = visits([(0, 40), (3, 38.5), (6, 37)], [(0, 40), (3, 38.5)])
    assert seen.weight[0] / seen.weight[1] == pytest.approx(0.668889 / 0.242222, rel=1e-5)
    assert seen.weight.mean() == pytest.approx(1.0)


def test_without_a_measured_slope_slopes_differ_as_if_by_one():
    # 1 / (1 + 0.142222) and 1 / (1 + 0.568889): two visits each.
    seen = visits([(0, 40), (6, 37)], [(0, 40), (3, 38.5)])
    assert seen.weight[0] / seen.weight[1] == pytest.approx(1.568889 / 1.142222, rel=1e-5)


def test_nobody_with_a_slope_has_no_weight():
    assert visits([(1, 40)], [(2, 40)]).weight.tolist() == [0.0, 0.0]


def test_some_patients_keep_all_that_is_theirs():
    seen = visits([(0, 40), (3, 38)], [(1, 30), (2, 29), (8, 20)], [(5, 10)])
    some = seen.take(np.array([2, 1]))
    assert (some.row.tolist(), some.months.tolist()) == ([1, 1, 1, 0], [1, 2, 8, 5])
    for name in ("slope", "weight", "measured"):
        np.testing.assert_array_equal(getattr(some, name), getattr(seen, name)[[2, 1]])


@pytest.mark.parametrize(("known", "used"), [(9, False), (10, True)])
def test_a_column_is_used_where_half_of_the_patients_are_known(known, used):
    some = np.where(np.arange(20) < known, np.arange(20.0), np.nan)
    assert (1 in _usable(np.column_stack([np.arange(20.0), some]))) == used


@pytest.mark.parametrize(("others", "used"), [(1, False), (2, True)])
def test_a_column_is_used_where_a_fiftieth_differs(others, used):
    rare = (np.arange(100) < others).astype(float)
    assert (1 in _usable(np.column_stack([np.arange(100.0), rare]))) == used


def test_a_column_that_does_not_vary_is_not_scaled():
    centre, scale = _location(np.array([[1.0, 3.0, 0.0], [1.0, 3.5, np.nan], [1.0, np.nan, 4.0]]))
    assert centre.tolist() == [1.0, 3.25, 2.0]
    assert scale.tolist() == [1.0, 0.25, 2.0]


def learned(signal, noise, n=60, of=4, unknown=0):
    """A course model of rates 1 + signal x the third column + noise; 20 columns say nothing."""
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.uniform(30, 44, (n, 2)), rng.normal(size=(n, 21))])
    rate = 1 + signal * X[:, 2] + noise * rng.normal(size=n)
    row, months = np.repeat(np.arange(n), of), np.tile(3.0 * np.arange(1, of + 1), n)
    seen = followed_visits(row, months, X[row, 1] - rate[row] * months, n)
    X[:unknown, 1] = np.nan
    names = ["alsfrs_baseline", "alsfrs_total", *(f"x{i}" for i in range(21))]
    return fit_course_model(X, np.zeros(n), seen, np.arange(n), names, 0.9)


def test_the_penalty_is_chosen_by_what_it_says_of_others():
    sure, noise = learned(0.3, 0.01), learned(0.0, 0.3)
    place = sure.columns.index(2)
    assert sure.coefficients[place] / sure.scale[place] == pytest.approx(0.3, abs=0.02)
    assert np.abs(noise.coefficients).max() < 0.01
    assert (sure.last, sure.first) == (1, 0)


@pytest.mark.parametrize(("unknown", "known"), [(0, True), (1, False)])
def test_totals_are_learned_of_50_patients_with_one_at_the_landmark(unknown, known):
    model = learned(0.3, 0.1, n=50, unknown=unknown)
    assert np.isfinite([*model.level, *model.total_quantiles]).all() == known
    assert np.isfinite(model.coefficients).all()


def test_slopes_of_which_none_is_measured_have_no_interval():
    model = learned(0.3, 0.1, of=2)
    assert np.isnan([*model.slope_spread, *model.slope_quantiles]).all()
    stored = json.dumps(model.to_json(), allow_nan=False)  # null, not NaN
    again = CourseModel.from_json(json.loads(stored))
    X = np.full((1, 23), 35.0)
    expected = again.expected(X, np.zeros(1))
    assert np.isnan([expected.slope_low[0], expected.slope_high[0]]).all()
    assert np.isfinite(expected.slope[0])
    assert np.isfinite([*expected.total[0], *expected.total_low[0], *expected.total_high[0]]).all()
