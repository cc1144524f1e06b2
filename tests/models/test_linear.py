"""The penalised line and its curves, against scikit-learn's solver, scipy and the definition."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from sklearn.linear_model import LogisticRegression

from models.choice import CURVATURES, PENALTIES, choose, log_loss
from models.curves import Curves
from models.estimators import elastic_net, fit, make_pipeline
from models.linear import ElasticNetLogistic
from models.members import Recipe, family_folds, fit_member

RECIPE = Recipe("progression", (("elastic_net", {}),), 1, 5, 0.9)


def made(n=600, p=6, seed=0):
    """Standardised columns of which the first two count."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, (X[:, 0] - 0.5 * X[:, 1] + rng.logistic(size=n) > 0).astype(float)


@pytest.mark.parametrize("C", [0.003, 0.03, 1.0])
@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 1.0])
def test_the_minimum_is_that_of_scikit_learn(C, l1_ratio):
    X, y = made()
    oracle = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", max_iter=20_000, tol=1e-8
    ).fit(X, y)
    own = ElasticNetLogistic(C=C, l1_ratio=l1_ratio, tol=1e-7).fit(X, y)
    assert own.coef_ == pytest.approx(oracle.coef_, abs=2e-4)
    assert own.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-6)


def test_columns_that_nearly_repeat_each_other_converge():
    """Items, sub-scores and totals do; a fit that ends early warns, and a warning is an error."""
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(300, 1))
    X = shared + 1e-3 * rng.normal(size=(300, 20))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    odds = 2 * shared[:, 0] + 6 * (X[:, 0] - X[:, 1])
    y = (rng.random(300) < 1 / (1 + np.exp(-odds))).astype(float)
    assert np.isfinite(ElasticNetLogistic(C=PENALTIES[-1]).fit(X, y).coef_).all()


def test_an_uncertain_label_is_two_patients_with_weights():
    X, y = made()
    unsure = np.where(y == 1, 0.8, 0.3)
    twice = np.vstack([X, X])
    labels = np.r_[np.ones(len(y)), np.zeros(len(y))]
    oracle = LogisticRegression(C=0.1, l1_ratio=0.5, solver="saga", max_iter=20_000, tol=1e-8)
    oracle.fit(twice, labels, sample_weight=np.r_[unsure, 1 - unsure])
    own = ElasticNetLogistic(C=0.1, tol=1e-7).fit(X, unsure)
    assert own.coef_ == pytest.approx(oracle.coef_, abs=2e-4)


def test_curves_are_natural_cubic_splines():
    """What lines and curves can draw through the knots is scipy's natural spline, linear beyond
    them.
    """
    x = np.random.default_rng(1).normal(size=(500, 1))
    curves = Curves(weight=1.0).fit(x)
    knots = curves.knots_[0]
    heights = np.array([0.3, -1.0, 0.7, 0.2])
    design = np.column_stack([np.ones(4), curves.transform(knots[:, None])])
    weights = np.linalg.solve(design, heights)
    grid = np.linspace(-5, 5, 401)
    drawn = np.column_stack([np.ones(401), curves.transform(grid[:, None])]) @ weights
    oracle = CubicSpline(knots, heights, bc_type="natural")
    inside = (grid >= knots[0]) & (grid <= knots[-1])
    assert drawn[inside] == pytest.approx(oracle(grid[inside]), abs=1e-8)
    for beyond in (grid < knots[0], grid > knots[-1]):
        assert np.abs(np.diff(drawn[beyond], 2)).max() < 1e-8


def test_a_curved_part_is_straight_by_nothing_and_has_its_weight():
    x = np.random.default_rng(2).gamma(2, size=(400, 1))
    bent = Curves(weight=0.3).fit(x).transform(x)[:, 1:]
    assert bent.std(axis=0) == pytest.approx([0.3, 0.3])
    assert np.cov(x[:, 0], bent, rowvar=False)[0, 1:] == pytest.approx([0, 0], abs=1e-9)


def test_a_knot_is_nobodys_value():
    x = np.random.default_rng(3).normal(size=(300, 2))
    assert not np.isin(Curves().fit(x).knots_, x).any()


def test_steps_and_bounded_columns_get_no_curve():
    rng = np.random.default_rng(4)
    X = np.column_stack([rng.integers(0, 9, 200), rng.integers(0, 10, 200), rng.normal(size=200)])
    assert set(Curves().fit(X.astype(float)).source_) == {1, 2}
    assert set(Curves(straight=(2,)).fit(X.astype(float)).source_) == {1}
    assert Curves(weight=0.0).fit(X.astype(float)).transform(X) is X


def test_parts_of_a_curve_add_up_to_the_score_and_one_row_has_the_bits_of_the_batch():
    X, y = made(p=4)
    X[np.random.default_rng(5).random(X.shape) < 0.1] = np.nan
    parameters = {"C": 1.0, "curvature": 0.3}
    unfitted = make_pipeline("elastic_net", parameters, 1, 1, True, related=True)
    pipeline = fit("elastic_net", unfitted, X, y, 1, True)
    whole, score = elastic_net.contributions(pipeline, X), elastic_net.score(pipeline, X)
    assert whole.shape == X.shape
    assert score == pytest.approx(whole.sum(axis=1) + pipeline[-1].intercept_[0], abs=1e-12)
    through = pipeline[-1].decision_function(pipeline[:-1].transform(X))
    assert score == pytest.approx(through, abs=1e-9)
    for i in range(0, len(X), 25):
        assert elastic_net.score(pipeline, X[i : i + 1])[0] == score[i]
        assert np.array_equal(elastic_net.contributions(pipeline, X[i : i + 1])[0], whole[i])


def chosen(X, y, name="elastic_net", **parameters):
    folds = family_folds(y, np.arange(len(y)), 5, 1)
    return choose(name, parameters, X, y, y, folds, RECIPE)


@pytest.mark.parametrize(("n", "p", "worse"), [(200, 60, 3.162278), (3000, 3, 0.001)])
def test_a_penalty_follows_from_the_data(n, p, worse):
    """Many noise columns ask for a strong penalty, few strong ones for a weak one: by 20,000 fresh
    patients.
    """
    X, y = made(n, p)
    fresh, labels = made(20_000, p, seed=1)
    choice = chosen(X, y, curvature=0.0)
    loss = [
        log_loss(fit_member("elastic_net", own, X, y, RECIPE).score(fresh), labels)
        for own in (choice.parameters, {"C": worse})
    ]
    assert choice.parameters["C"] in PENALTIES
    assert loss[0] < loss[1]


def test_curves_are_taken_where_the_truth_is_curved():
    X = made(1500, 3)[0]
    rng = np.random.default_rng(6)
    bent = (2 * np.abs(X[:, 0]) - 2 + rng.logistic(size=1500) > 0).astype(float)
    assert chosen(X, bent).parameters["curvature"] == max(CURVATURES)
    assert chosen(X, bent, curvature=0.0).parameters["curvature"] == 0


def test_what_is_given_is_not_chosen():
    X, y = made(200, 3)
    assert chosen(X, y, C=0.5).parameters == {"C": 0.5}
    assert chosen(X, y, "xgboost", n_estimators=20).parameters == {"n_estimators": 20}


@pytest.mark.parametrize("name", ["elastic_net", "xgboost"])
def test_the_scores_of_a_choice_are_those_of_its_fits(name):
    X, y = made(300, 4)
    choice = chosen(X, y, name)
    for train, test in family_folds(y, np.arange(len(y)), 5, 1):
        member = fit_member(name, choice.parameters, X[train], y[train], RECIPE)
        assert member.score(X[test]) == pytest.approx(choice.score[test], abs=2e-3)
