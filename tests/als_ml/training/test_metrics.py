"""Metrics and intervals against scikit-learn, statsmodels and MAPIE; bootstrap weights against their definition."""

import numpy as np
import pytest
from mapie.metrics.calibration import expected_calibration_error
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from als_ml.training.metrics import (
    METRICS,
    auc_with_error,
    calibration_errors,
    evaluate,
    exact_interval,
    family_weights,
    paired_differences,
    pooled,
    share_of_possible,
    weighted_metrics,
    wilson,
)
from als_ml.training.usefulness import decision_curve, enrichment_table, threshold_table


@pytest.fixture
def scored():
    rng = np.random.default_rng(3)
    y = (rng.random(300) < 0.3).astype(float)
    p = np.clip(0.3 + 0.2 * (y - 0.3) + rng.normal(0, 0.12, 300), 0.02, 0.98).round(
        2
    )  # rounded: with ties
    return y, p, (p >= 0.3).astype(float), rng.integers(1, 4, 300).astype(float)


def test_metrics_are_those_of_scikit_learn(scored):
    y, p, predicted, weights = scored
    ours = {
        name: values[0] for name, values in weighted_metrics(y, p, predicted, weights[None]).items()
    }
    z = np.log(p / (1 - p)).reshape(-1, 1)
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(z, y, sample_weight=weights)
    expected = {
        "roc_auc": metrics.roc_auc_score(y, p, sample_weight=weights),
        "average_precision": metrics.average_precision_score(y, p, sample_weight=weights),
        "brier": metrics.brier_score_loss(y, p, sample_weight=weights),
        "log_loss": metrics.log_loss(y, p, sample_weight=weights),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, predicted, sample_weight=weights),
        "calibration_slope": fitted.coef_[0, 0],
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, rel=1e-5), name


def test_calibration_intercept_is_zero_when_the_mean_is_right():
    y = np.array([0.0, 0.0, 1.0, 0.0])
    found = weighted_metrics(y, np.full(4, 0.25), np.zeros(4), np.ones((1, 4)))
    assert found["calibration_intercept"][0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(found["calibration_slope"][0])  # a constant has no slope


def test_bounds_enclose_the_estimate(scored):
    y, p, predicted, _ = scored
    found = evaluate(y, p, predicted, np.arange(300), 400, 1)
    for name in METRICS:
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_families_are_drawn_together_and_strata_keep_their_size():
    y = np.array([1.0, 1, 0, 0, 0, 1])
    families = np.array([7, 7, 8, 9, 10, 11])
    weights = family_weights(y, families, 50, 2)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert set(weights[:, [0, 5]].sum(axis=1)) == {2.0}  # two positive families in each draw
    assert set(weights[:, [2, 3, 4]].sum(axis=1)) == {3.0}


def test_share_of_possible():
    y = np.array([0.0, 0, 1, 1])
    assert share_of_possible(y, np.array([0.1, 0.4, 0.3, 0.9]), np.array([0.1, 0.2, 0.3, 0.4])) == (
        1.0,
        0.5,
    )


def test_delong_by_its_definition(scored):
    """DeLong 1988 written out: the variance of the placements of every pair of a positive and a negative patient."""
    y, p, _, _ = scored
    above = (p[y == 1][:, None] > p[y == 0]) + 0.5 * (p[y == 1][:, None] == p[y == 0])
    m, n = above.shape
    variance = above.mean(axis=1).var(ddof=1) / m + above.mean(axis=0).var(ddof=1) / n
    auc, error = auc_with_error(y, p)
    assert auc == pytest.approx(metrics.roc_auc_score(y, p))
    assert error == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0])
def test_pooling_is_that_of_statsmodels(spread):
    rng = np.random.default_rng(4)
    error = rng.uniform(0.1, 0.4, 7)
    estimate = 0.8 + rng.normal(0, spread, 7) + rng.normal(0, error)
    theirs = combine_effects(estimate, error**2, method_re="dl", use_t=True)
    ours = pooled(estimate, error, prediction=True)
    low, high = theirs.conf_int()[3]  # random effects, scaled as by Hartung and Knapp
    assert ours["tau"] ** 2 == pytest.approx(max(theirs.tau2, 0.0), abs=1e-12)
    assert ours["mean"] == pytest.approx(theirs.mean_effect_re)
    assert (ours["low"], ours["high"]) == (pytest.approx(low), pytest.approx(high))
    half = stats.t.ppf(0.975, 5) * np.sqrt(
        max(theirs.tau2, 0.0) + 1 / (1 / (error**2 + max(theirs.tau2, 0.0))).sum()
    )
    assert ours["prediction_high"] == pytest.approx(theirs.mean_effect_re + half)


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 9), (9, 9), (40, 300)])
def test_intervals_of_a_share_are_those_of_statsmodels(hits, n):
    assert exact_interval(hits, n) == pytest.approx(proportion_confint(hits, n, method="beta"))
    assert exact_interval(hits, n, 0.99) == pytest.approx(
        proportion_confint(hits, n, 0.01, method="beta")
    )
    assert wilson(hits, n) == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-7)


def test_the_calibration_error_is_that_of_mapie(scored):
    y, p, _, _ = scored
    p = p + np.arange(300) * 1e-9
    order = np.argsort(p)  # MAPIE splits the patients as they come
    theirs = expected_calibration_error(
        y[order].astype(int), p[order], num_bins=10, split_strategy="array split"
    )
    assert calibration_errors(y, p)["ece"] == pytest.approx(theirs)


def test_the_parts_of_the_brier_score_add_up():
    """Exactly so where all patients of a bin have one probability."""
    rng = np.random.default_rng(0)
    p = np.repeat(np.arange(0.05, 1, 0.1), 40)
    y = (rng.random(400) < p**1.5).astype(float)
    found = calibration_errors(y, p)
    total = found["brier_reliability"] - found["brier_resolution"] + found["brier_uncertainty"]
    assert total == pytest.approx(metrics.brier_score_loss(y, p))


def test_paired_differences_hold_the_same_patients(scored):
    y, p, _, _ = scored
    other = np.random.default_rng(1).permutation(p)
    found = paired_differences(y, p, other, np.arange(300), 200, 1)
    difference, low, high = found["roc_auc"]
    assert difference == pytest.approx(
        metrics.roc_auc_score(y, p) - metrics.roc_auc_score(y, other)
    )
    assert low < difference < high
    assert paired_differences(y, p, p, np.arange(300), 50, 1)["brier"] == (0.0, 0.0, 0.0)


def test_net_benefit_by_hand():
    """At a threshold of 0.2 the odds are 1 / 4: 2 of 5 hit, 1 of 5 a false alarm, so 0.4 - 0.2 / 4."""
    y, p = np.array([1.0, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.25, 0.1, 0.05])
    row = next(row for row in decision_curve(y, {"model": p}) if row["threshold"] == 0.2)
    assert row["model"] == pytest.approx(0.4 - 0.2 / 4)
    assert row["all"] == pytest.approx(0.4 - 0.6 / 4)
    assert row["none"] == 0.0


def test_operating_points_are_those_of_scikit_learn(scored):
    y, p, _, _ = scored
    for row in threshold_table(y, p):
        called = p >= row["threshold"]
        if called.any() and not called.all():
            assert row["sensitivity"] == pytest.approx(metrics.recall_score(y, called))
            assert row["specificity"] == pytest.approx(metrics.recall_score(1 - y, ~called))
            assert row["ppv"] == pytest.approx(metrics.precision_score(y, called))
            assert row["npv"] == pytest.approx(metrics.precision_score(1 - y, ~called))


def test_patients_of_an_enriched_trial_are_those_of_statsmodels():
    rng = np.random.default_rng(2)
    slope = rng.gamma(3, 0.3, 400)
    y, p = (slope > 1).astype(float), np.clip(slope / 3 + rng.normal(0, 0.05, 400), 0, 1)
    for row in enrichment_table(y, p, slope):
        own = slope[p >= row["enrol from"]]
        effect = 0.25 * own.mean() / own.std(ddof=1)
        arm = NormalIndPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)
        assert row["trial needs"] == pytest.approx(2 * arm, abs=1.5)
        assert row["screened for each"] == pytest.approx(1 / np.mean(p >= row["enrol from"]))
