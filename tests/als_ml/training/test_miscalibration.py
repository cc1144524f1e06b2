"""The smooth calibration curve against statsmodels and patsy, and the sample sizes against
published examples.
"""

import numpy as np
import patsy
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from als_ml.training.metrics import losses
from als_ml.training.miscalibration import smooth_calibration, spline
from als_ml.training.sample_size import effective_parameters, r2_of, sample_sizes


def cohort(n=2000, seed=0, bend=0.0):
    """Log-odds that a model says, and labels whose log-odds bend away from them."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-0.5, 1.2, n)
    y = (rng.random(n) < expit(odds - bend * odds**2)).astype(float)
    return y, expit(odds)


def test_the_curve_is_a_logistic_regression_on_a_natural_spline():
    """patsy's `cr` spans the same functions: cubic between the knots, linear beyond the outer
    two.
    """
    y, p = cohort(bend=0.3)
    odds = logit(p)
    knots = np.percentile(odds, [5, 35, 65, 95])
    words = "cr(x, knots=inner, lower_bound=low, upper_bound=high) - 1"
    space = {"x": odds, "inner": knots[1:3], "low": knots[0], "high": knots[3]}
    fitted = sm.GLM(y, np.asarray(patsy.dmatrix(words, space)), sm.families.Binomial()).fit()
    distance = np.abs(fitted.fittedvalues - p)
    found = smooth_calibration(y, p)
    assert found.distances["ici"] == pytest.approx(distance.mean(), abs=1e-5)
    assert found.distances["e50"] == pytest.approx(np.median(distance), abs=1e-5)
    assert found.distances["e90"] == pytest.approx(np.percentile(distance, 90), abs=1e-5)
    row = found.curve[len(found.curve) // 2]
    at = patsy.dmatrix(words, space | {"x": np.array([logit(row["predicted"])] * 2)})
    assert row["observed"] == pytest.approx(fitted.predict(np.asarray(at))[0], abs=1e-5)


def test_a_spline_is_linear_beyond_its_outer_knots():
    knots = np.array([-1.0, 0.0, 1.0, 2.0])
    bends = np.diff(spline(np.arange(3.0, 9.0), knots), n=2, axis=0)
    assert bends == pytest.approx(np.zeros_like(bends), abs=1e-9)
    assert (spline(np.array([-9.0, -5.0]), knots)[:, 2:] == 0).all()


def test_a_bent_model_is_further_off_than_a_sound_one():
    sound, bent = (smooth_calibration(*cohort(bend=bend)).distances for bend in (0.0, 0.3))
    assert sound["ici"] < 0.02 < 0.05 < bent["ici"]


@pytest.mark.slow
def test_the_band_holds_the_truth():
    """Pointwise 95 %: over 100 cohorts of 500 at the middle of the curve, with two standard
    errors.
    """
    inside = []
    for seed in range(100):
        y, p = cohort(500, seed)
        weights = np.random.default_rng(seed).multinomial(500, np.full(500, 1 / 500), 200)
        rows = smooth_calibration(y, p, weights.astype(float)).curve
        row = min(rows, key=lambda row: abs(row["predicted"] - 0.4))
        inside.append(row["low"] <= row["predicted"] <= row["high"])
    assert np.mean(inside) == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize("p", [np.full(50, 0.3), np.repeat([0.2, 0.6], 25)])
def test_few_different_probabilities_have_a_simple_curve(p):
    """One probability: a constant; two: their own shares."""
    y = (np.arange(50) % 2 == 0).astype(float)
    shares = np.array([y[p == one].mean() for one in p])
    found = smooth_calibration(y, p).distances
    assert found["ici"] == pytest.approx(np.abs(shares - p).mean(), abs=1e-4)


def test_sample_sizes_of_the_published_examples():
    """pmsampsize's own (24 parameters, R2 .288, prevalence .174) and Riley's pre-eclampsia (30,
    .05, .05; BMJ 2020).
    """
    found = sample_sizes(24, 0.174, 0.288)
    assert (found["shrinkage"], found["optimism"], found["mean risk"]) == (623, 662, 221)
    found = sample_sizes(30, 0.05, 0.05)
    assert (found["shrinkage"], found["mean risk"], found["error"]) == (5249, 73, 544)


def test_the_error_is_of_the_rarer_label():
    assert sample_sizes(10, 0.2, 0.1)["error"] == sample_sizes(10, 0.8, 0.1)["error"]


def test_effective_parameters_of_a_plain_regression_are_its_parameters():
    """Ten columns and an intercept, maximum likelihood: eleven, as the mean over 40 cohorts of
    800.
    """
    rng, spent = np.random.default_rng(1), []
    beta = rng.normal(0, 0.3, 10)
    for _ in range(40):
        X = rng.normal(size=(1600, 10))
        y = (rng.random(1600) < expit(X @ beta)).astype(float)
        fitted = LogisticRegression(C=np.inf).fit(X[:800], y[:800])
        p = fitted.predict_proba(X)[:, 1]
        new, apparent = losses(y[800:], p[800:]).mean(), losses(y[:800], p[:800]).mean()
        spent.append(800 * (new - apparent))
    assert np.mean(spent) == pytest.approx(11, abs=2 * np.std(spent) / np.sqrt(40))
    assert effective_parameters(800, 0.5, 0.6) == 1.0


def test_r2_is_that_of_the_likelihoods():
    y, p = cohort()
    null = losses(y, np.full(len(y), y.mean())).sum()
    expected = 1 - np.exp(2 / len(y) * (losses(y, p).sum() - null))
    assert r2_of(losses(y, p).mean(), y.mean()) == pytest.approx(expected)
