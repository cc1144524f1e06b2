"""Partial likelihood and elastic net against R 4.2.2 (survival 3.5.3 with ties = "breslow", glmnet
4.1.6 with standardize = FALSE) on 20 made-up patients.
"""

import numpy as np
import pytest

from models.survival.elastic_net_cox import ElasticNetCox
from models.survival.partial_likelihood import (
    cox_loss,
    cumulated,
    moments,
    risk_sets,
    slope_of,
    value_of,
)
from models.survival.times import signed, unsigned

# a, b, c, months, event, entry.
TABLE = np.array(
    [
        [0.4423, 0.401, -0.1974, 5, 1, 1],
        [-0.6699, -0.4099, -1.0274, 6, 0, 1],
        [0.5158, 1.5218, -0.4497, 1, 1, 0],
        [-0.333, 0.6066, 0.5326, 1, 1, 0],
        [0.5722, -0.9219, 0.0859, 1, 1, 0],
        [1.3078, -1.3672, -0.4096, 1, 1, 0],
        [-1.9302, -1.3084, -2.0109, 15, 1, 2],
        [0.1476, -1.2846, 0.4336, 1, 1, 0],
        [0.6362, -0.1217, -2.7918, 9, 0, 3],
        [-0.231, 0.0272, 0.2509, 1, 1, 0],
        [-1.4674, -0.4347, -1.0123, 15, 0, 6],
        [-0.5679, 1.2212, -0.8145, 5, 0, 2],
        [0.4002, 1.0312, -0.5554, 12, 1, 2],
        [0.3015, 0.1983, 0.1936, 1, 1, 0],
        [-1.087, 0.1614, 1.6918, 11, 0, 4],
        [-1.4886, 1.0043, 0.2578, 5, 0, 2],
        [-0.3592, 2.2323, 1.0016, 24, 0, 1],
        [-1.0548, 0.1596, 0.7869, 6, 0, 2],
        [0.2053, 0.8144, 0.0428, 6, 0, 2],
        [1.2728, 1.6276, -0.6619, 6, 0, 2],
    ]
)
X, MONTHS, EVENT, ENTRY = TABLE[:, :3], TABLE[:, 3], TABLE[:, 4] == 1, TABLE[:, 5]


def climbed(entry):
    sets, line = risk_sets(MONTHS, EVENT, entry), np.zeros(3)
    for _ in range(20):
        here = moments(X, sets, X @ line)
        line = line + np.linalg.solve(here.curvature, here.gradient)
    return line, value_of(sets, X @ line)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (None, [0.81459349, -0.56818168, 0.37919683]),
        (ENTRY, [0.339893144, -0.046877625, -0.190233676]),  # at risk from the entry on only
    ],
)
def test_the_likelihood_is_highest_where_coxph_finds_it(entry, expected):
    np.testing.assert_allclose(climbed(entry)[0], expected, rtol=1e-7)


def test_the_likelihood_is_that_of_coxph():
    sets = risk_sets(MONTHS, EVENT)
    assert value_of(sets, np.zeros(20)) == pytest.approx(-26.01998192, abs=1e-8)
    assert climbed(None)[1] == pytest.approx(-22.57059073, abs=1e-8)


def test_the_curvature_is_the_inverse_of_the_variance_of_coxph():
    line = climbed(None)[0]
    variance = np.linalg.inv(moments(X, risk_sets(MONTHS, EVENT), X @ line).curvature)
    expected = [
        [0.162408222, -0.008822998, 0.014281245],
        [-0.008822998, 0.101222448, -0.046367914],
        [0.014281245, -0.046367914, 0.153216703],
    ]
    np.testing.assert_allclose(variance, expected, atol=1e-8)


@pytest.mark.parametrize(
    ("eta", "value"),
    [
        # The first of two dies: eta1 - log(exp(eta1) + exp(eta2)).
        ((-29.95, 0.0), -29.95),
        ((-30.05, 0.0), -30.0),
        ((0.0, 29.95), -29.95),
        ((0.0, 30.05), -30.0),
        ((0.0, 1000.0), -30.0),
    ],
)
def test_a_log_hazard_ratio_counts_up_to_30(eta, value):
    sets = risk_sets(np.array([1.0, 2.0]), np.array([True, False]))
    assert value_of(sets, np.array(eta)) == pytest.approx(value, abs=1e-9)
    assert moments(np.ones((2, 1)), sets, np.array(eta)).value == pytest.approx(value, abs=1e-9)


def test_who_enters_and_leaves_between_two_events_has_no_hazard():
    # Events at 2 and 8 with increments 0.1 and 0.4: at risk at both, at neither, at the second,
    # at the first.
    months, entry = np.array([8.0, 6.0, 9.0, 2.0]), np.array([0.0, 3.0, 2.0, 1.0])
    sets = risk_sets(months, np.array([True, False, False, True]), entry)
    assert cumulated(sets, np.array([0.1, 0.4])).tolist() == [0.5, 0.0, 0.4, 0.1]


@pytest.mark.parametrize(
    ("l1_ratio", "penalty", "expected"),
    [
        (1.0, 0.3, [0, 0, 0]),
        (1.0, 0.1, [0.46996684, -0.26433177, 0.02283784]),
        (1.0, 0.02, [0.7422100, -0.5068314, 0.2976540]),
        (0.5, 0.3, [0.2063581, -0.1013102, 0]),
        (0.5, 0.1, [0.5507276, -0.3677426, 0.1506827]),
        (0.5, 0.02, [0.7523770, -0.5225926, 0.3217397]),
    ],
)
def test_the_elastic_net_is_that_of_glmnet(l1_ratio, penalty, expected):
    # glmnet divides the likelihood by the number of patients.
    cox = ElasticNetCox(C=1 / (penalty * 20), l1_ratio=l1_ratio, tol=1e-9)
    np.testing.assert_allclose(cox.fit(X, signed(MONTHS, EVENT)).coef_, expected, atol=2e-6)


def test_a_path_ends_where_each_fit_alone_does():
    learned = signed(MONTHS, EVENT)
    path = ElasticNetCox(tol=1e-9).along(X, learned, (0.1, 1.0))
    for C, line in zip((0.1, 1.0), path, strict=True):
        alone = ElasticNetCox(C=C, tol=1e-9).fit(X, learned).coef_
        np.testing.assert_allclose(line, alone, atol=1e-6)


def test_the_slope_of_one_score_is_that_of_coxph():
    assert slope_of(X[:, 0], MONTHS, EVENT) == pytest.approx(0.70534233, abs=1e-6)
    assert slope_of(X[:, 2], MONTHS, EVENT) == pytest.approx(0.1132014938, abs=1e-6)
    assert slope_of(X[:, 0], MONTHS, EVENT, ENTRY) == pytest.approx(0.3356587122, abs=1e-6)


# One value is far from the others: a whole step of Newton's goes too far and does not come back.
FAR_OUT = (
    np.array([-31.3, 500.0, -1.4, -11.9, 1.2, -12.3, 16.1, 8.6]),
    np.array([10.0, 1, 15, 2, 4, 18, 20, 2]),
    np.ones(8, dtype=bool),
)


def test_a_step_too_far_is_halved():
    # R: coxph(..., ties = "breslow", control = coxph.control(iter.max = 50)).
    assert slope_of(*FAR_OUT) == pytest.approx(0.008758684523, rel=1e-7)


@pytest.mark.parametrize(("C", "expected"), [(1.0, 0.8497), (10.0, 1.3100), (100.0, 1.4457)])
def test_the_ridge_of_one_column_is_the_minimum_of_optimize(C, expected):
    # R: optimize() of C x negative log partial likelihood + b^2 / 2, the column standardised.
    score, months, event = FAR_OUT
    z = (score - score.mean()) / score.std()
    cox = ElasticNetCox(C=C, l1_ratio=0.0, tol=1e-9).fit(z[:, None], signed(months, event))
    assert cox.coef_[0] == pytest.approx(expected, abs=2e-4)
    assert cox.intercept_ == 0


def test_without_columns_there_are_no_coefficients():
    assert ElasticNetCox().fit(np.empty((20, 0)), signed(MONTHS, EVENT)).coef_.shape == (0,)


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_a_fit_is_by_default_within_a_thousandth_of_the_exact_one(C):
    exact = ElasticNetCox(C=C, tol=1e-9).fit(X, signed(MONTHS, EVENT)).coef_
    found = ElasticNetCox(C=C).fit(X, signed(MONTHS, EVENT)).coef_
    np.testing.assert_allclose(found, exact, atol=1e-3)


def test_the_default_penalty_leaves_nothing_of_20_patients():
    # glmnet at 1 / (0.1 x 20) = 0.5.
    assert ElasticNetCox().fit(X, signed(MONTHS, EVENT)).coef_.tolist() == [0, 0, 0]


def test_two_columns_that_are_nearly_one_share_its_coefficient():
    # Slow for coordinate descent: it would stop with a warning after scikit-learn's 1,000 sweeps.
    twins = np.column_stack([X, X[:, 0] + 0.01 * X[:, 1]])
    first, _, _, last = ElasticNetCox(C=100.0).fit(twins, signed(MONTHS, EVENT)).coef_
    alone = ElasticNetCox(C=100.0).fit(X, signed(MONTHS, EVENT)).coef_[0]
    assert first + last == pytest.approx(alone, abs=0.02)


def test_a_fit_goes_on_from_its_start(monkeypatch):
    learned = signed(MONTHS, EVENT)
    exact = ElasticNetCox(C=10.0, tol=1e-9).fit(X, learned).coef_
    monkeypatch.setattr("models.survival.elastic_net_cox._MOST_ROUNDS", 1)
    cox = ElasticNetCox(tol=1e-9)
    near, far = (cox.along(X, learned, (10.0,), start)[0] for start in (exact, None))
    assert np.abs(near - exact).max() < 1e-6
    assert np.abs(far - exact).max() > 1e-3


def test_a_score_that_says_nothing_or_the_opposite_has_no_slope():
    assert slope_of(np.ones(20), MONTHS, EVENT) == 0
    assert slope_of(-X[:, 0], MONTHS, EVENT) == 0
    assert slope_of(X[:, 0], MONTHS, np.zeros(20, dtype=bool)) == 0


def test_the_scale_of_a_score_does_not_count_in_its_loss():
    assert cox_loss(7 * X[:, 0], MONTHS, EVENT) == pytest.approx(cox_loss(X[:, 0], MONTHS, EVENT))
    assert cox_loss(X[:, 0], MONTHS, EVENT) < cox_loss(np.ones(20), MONTHS, EVENT)


def test_the_loss_is_that_of_coxph_an_event():
    assert cox_loss(X[:, 0], MONTHS, EVENT) == pytest.approx(24.35945018 / 10, abs=1e-8)
    one = np.arange(20) == 2  # dies in the first month, as the first of 20 alike
    assert cox_loss(np.ones(20), MONTHS, one) == pytest.approx(np.log(20), abs=1e-12)
    assert cox_loss(np.ones(20), MONTHS, np.zeros(20, dtype=bool)) == 0


def test_a_column_that_does_not_vary_gets_no_coefficient():
    constant = np.hstack([X, np.zeros((20, 1))])
    assert ElasticNetCox(C=10.0).fit(constant, signed(MONTHS, EVENT)).coef_[3] == 0


def test_a_time_and_its_end_are_one_number():
    months, event = unsigned(signed(MONTHS, EVENT))
    np.testing.assert_array_equal(months, MONTHS)
    np.testing.assert_array_equal(event, EVENT)
