"""Metrics and intervals against scikit-learn, statsmodels and MAPIE.

Bootstrap weights against their definition.
"""

import numpy as np
import pytest
import statsmodels.api as sm
from mapie.metrics.calibration import expected_calibration_error
from scipy import stats
from scipy.special import expit, logit
from sklearn import metrics
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from als_ml.training.metrics import (
    METRICS,
    _logit_bounds,
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
from als_ml.training.miscalibration import (
    calibration_intercept,
    calibration_slope,
    drawn_intercepts,
    weighted_calibration,
)
from als_ml.training.usefulness import (
    Trial,
    _needed,
    decision_curve,
    enrichment_table,
    threshold_table,
)


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
    expected = {
        "roc_auc": metrics.roc_auc_score(y, p, sample_weight=weights),
        "average_precision": metrics.average_precision_score(y, p, sample_weight=weights),
        "brier": metrics.brier_score_loss(y, p, sample_weight=weights),
        "log_loss": metrics.log_loss(y, p, sample_weight=weights),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, predicted, sample_weight=weights),
    }
    assert set(ours) == set(expected)
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, rel=1e-5), name


def test_the_slope_and_its_error_over_families_are_those_of_statsmodels(scored):
    y, p, _, _ = scored
    families = np.arange(300) // 3
    theirs = sm.Logit(y, sm.add_constant(logit(p))).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": families, "use_correction": False}
    )
    assert calibration_slope(y, p, families) == pytest.approx(
        (theirs.params[1], theirs.bse[1]), rel=1e-5
    )


def test_the_intercept_and_its_error_are_those_of_statsmodels(scored):
    """A binomial model with the log-odds as offset.

    The larger of its own error and the one over families.
    """
    y, p, _, weights = scored
    families = np.arange(300) // 3
    model = sm.GLM(y, np.ones(300), family=sm.families.Binomial(), offset=logit(p))
    own = model.fit()
    over = model.fit(cov_type="cluster", cov_kwds={"groups": families, "use_correction": False})
    found = calibration_intercept(y, p, families)
    assert found.value == pytest.approx(own.params[0], abs=1e-6)
    assert found.error == pytest.approx(max(own.bse[0], over.bse[0]), rel=1e-4)
    weighted = sm.GLM(
        y, np.ones(300), family=sm.families.Binomial(), offset=logit(p), freq_weights=weights
    ).fit()
    drawn = drawn_intercepts(y, logit(p), weights[None])
    assert drawn[0] == pytest.approx(weighted.params[0], abs=1e-6)
    both = weighted_calibration(y, p, weights)
    assert both["calibration_intercept"] == pytest.approx(weighted.params[0], abs=1e-6)
    slope = sm.GLM(y, sm.add_constant(logit(p)), sm.families.Binomial(), freq_weights=weights)
    assert both["calibration_slope"] == pytest.approx(slope.fit().params[1], rel=1e-4)


def test_calibration_intercept_is_zero_when_the_mean_is_right():
    y = np.array([0.0, 0.0, 1.0, 0.0])
    found = evaluate(y, np.full(4, 0.25), np.zeros(4), np.arange(4), 0, 0)
    assert found["calibration_intercept"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(found["calibration_slope"])  # a constant has no slope


def test_bounds_enclose_the_estimate(scored):
    y, p, predicted, _ = scored
    found = evaluate(y, p, predicted, np.arange(300), 400, 1)
    for name in METRICS:
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_calibration_is_that_of_the_repeats_and_averaged_after(scored):
    """The mean of noisy log-odds is steeper than each of them.

    Discrimination is that of the mean.
    """
    y, p, predicted, _ = scored
    rng, families = np.random.default_rng(5), np.arange(300)
    repeats = [expit(logit(p) + rng.normal(0, 1, 300)) for _ in range(3)]
    mean = np.mean(repeats, axis=0)
    found = evaluate(y, mean, predicted, families, 300, 1, repeats)
    slopes = [calibration_slope(y, q, families) for q in repeats]
    own = np.mean([slope.value for slope in slopes])
    assert found["calibration_slope"] == pytest.approx(own)
    assert own < 0.8 * calibration_slope(y, mean, families).value
    half = 1.959964 * np.mean([slope.error for slope in slopes])
    assert found["calibration_slope_high"] == pytest.approx(own + half)
    shifts = [calibration_intercept(y, q, families).value for q in repeats]
    assert found["calibration_intercept"] == pytest.approx(np.mean(shifts))
    assert (
        found["calibration_intercept_low"] < np.mean(shifts) < found["calibration_intercept_high"]
    )
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, mean))


def test_average_precision_by_hand_on_the_logit_scale():
    """Draws of log-odds -1, 0 and 1 have a standard deviation of 1; 1 + 8 / 100 of it on each side
    of 0.
    """
    found = _logit_bounds(0.5, expit([-1.0, 0.0, 1.0]), 100)
    assert found == pytest.approx(tuple(expit([-1.959964 * 1.08, 1.959964 * 1.08])))
    assert np.isnan(_logit_bounds(1.0, np.array([0.9, 1.0]), 100)).all()


def test_families_are_drawn_together_and_labels_are_not_strata():
    y = np.array([1.0, 1, 0, 0, 0, 1])
    families = np.array([7, 7, 8, 9, 10, 11])
    weights = family_weights(y, families, 2000, 2)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    # Five families are drawn each time, of them Binomial(5, 2 / 5) positive, but not none and not
    # all.
    assert set(weights[:, [0, 2, 3, 4, 5]].sum(axis=1)) == {5.0}
    positive = weights[:, [0, 5]].sum(axis=1)
    k = np.arange(1, 5)
    chance = stats.binom(5, 0.4).pmf(k) / stats.binom(5, 0.4).pmf(k).sum()
    observed = np.bincount(positive.astype(int), minlength=6) / 2000
    assert observed[k] == pytest.approx(chance, abs=0.04)


def test_a_draw_without_both_labels_is_drawn_again():
    """One positive among twenty is absent from a third of the draws."""
    y = np.r_[1.0, np.zeros(19)]
    weights = family_weights(y, np.arange(20), 500, 3)
    assert (weights @ y > 0).all()
    assert (weights @ (1 - y) > 0).all()
    assert family_weights(np.zeros(5), np.arange(5), 10, 1).shape == (10, 5)  # nothing to wait for


def test_share_of_possible():
    y = np.array([0.0, 0, 1, 1])
    assert share_of_possible(y, np.array([0.1, 0.4, 0.3, 0.9]), np.array([0.1, 0.2, 0.3, 0.4])) == (
        1.0,
        0.5,
    )


def test_delong_by_its_definition(scored):
    """DeLong 1988 written out: the variance of the placements of every pair of a positive and a
    negative patient.
    """
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
    """At a threshold of 0.2 the odds are 1 / 4: 2 of 5 hit, 1 of 5 a false alarm, so 0.4 - 0.2 /
    4.
    """
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


def test_net_benefit_has_intervals_of_the_same_draws(scored):
    """Against the percentiles of each draw's own patients, written out."""
    y, p, _, _ = scored
    weights = family_weights(y, np.arange(300) // 2, 100, 1)
    row = next(r for r in decision_curve(y, {"model": p}, weights) if r["threshold"] == 0.25)
    ours, gain = [], []
    for draw in weights.astype(int):
        drawn, called = np.repeat(y, draw), np.repeat(p, draw) >= 0.25
        ours.append((called & (drawn == 1)).mean() - (called & (drawn == 0)).mean() / 3)
        gain.append(ours[-1] - max(drawn.mean() - (1 - drawn.mean()) / 3, 0))
    assert (row["model_low"], row["model_high"]) == pytest.approx(
        tuple(np.percentile(ours, [2.5, 97.5]))
    )
    assert (row["gain_low"], row["gain_high"]) == pytest.approx(
        tuple(np.percentile(gain, [2.5, 97.5]))
    )
    assert row["gain"] == pytest.approx(row["model"] - max(row["all"], 0))


@pytest.fixture
def candidates():
    """400 made-up patients of a trial: slope, label, score, and 40 who died before they had a
    slope.
    """
    rng = np.random.default_rng(2)
    slope = rng.gamma(3, 0.3, 400)
    y, p = (slope > 1).astype(float), np.clip(slope / 3 + rng.normal(0, 0.05, 400), 0, 1)
    event = np.zeros(400, dtype=bool)
    event[np.argsort(-p)[:80:2]] = True
    return y, p, slope, event


def test_patients_of_an_enriched_trial_are_those_of_statsmodels(candidates):
    y, p, slope, _ = candidates
    for row in enrichment_table(y, p, slope, trial=Trial(dropout=0.0, screening=0.0)):
        own = slope[p >= row["enrol from"]]
        effect = 0.25 * own.mean() / own.std(ddof=1)
        arm = NormalIndPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)
        assert row["trial needs"] == pytest.approx(2 * arm, abs=1.5)
        assert row["screened for each"] == pytest.approx(1 / np.mean(p >= row["enrol from"]))


def test_event_patients_dropout_and_screening_cost_a_trial_something(candidates):
    """Who dies gives no slope and must be enrolled besides; so must who leaves.

    Screening is paid for all.
    """
    y, p, slope, event = candidates
    measured = np.where(event, np.nan, slope)
    small = 0.02  # an effect that needs thousands, so that rounding up does not matter
    free = enrichment_table(y, p, measured, trial=Trial(small, dropout=0.0))
    paid = enrichment_table(y, p, measured, event, trial=Trial(small, dropout=0.2, screening=0.5))
    assert len(free) == len(paid) > 3
    for one, two in zip(free, paid, strict=True):
        own = p >= two["enrol from"]
        assert two["events"] == pytest.approx(event[own].mean())
        stay = 0.8 * (1 - event[own].mean())
        assert two["trial needs"] == pytest.approx(one["trial needs"] / stay, abs=4)
        cost = two["trial needs"] * (1 + 0.5 / own.mean()) / (paid[0]["trial needs"] * 1.5)
        assert two["cost"] == pytest.approx(cost, rel=0.02)
    assert paid[0]["cost"] == pytest.approx(1.0)


def test_an_enriched_trial_has_intervals_and_no_best_cut(candidates):
    y, p, slope, event = candidates
    measured = np.where(event, np.nan, slope)
    weights = family_weights(y, np.arange(400), 200, 1)
    table = enrichment_table(y, p, measured, event, weights)
    assert not any("best" in name for name in table[0])
    for row in table:
        assert row["needs low"] < row["trial needs"] < row["needs high"]
        assert row["cost low"] <= row["cost"] <= row["cost high"]
    draw = weights[7].astype(int)
    again = enrichment_table(
        np.repeat(y, draw), np.repeat(p, draw), np.repeat(measured, draw), np.repeat(event, draw)
    )
    # The draw written out as a cohort of its own needs what the weights say.
    own, _ = _needed(y, measured, event, weights[7:8] * (p >= 0.3), Trial())
    assert next(r for r in again if r["enrol from"] == 0.3)["trial needs"] == np.ceil(own[0])


def test_a_trial_of_a_label_without_slopes(candidates):
    """Two proportions: 0.4 against 0.3, 80 % power, two-sided 5 % need 356 an arm (normal
    approximation, Fleiss).
    """
    y = np.r_[np.ones(400), np.zeros(600)]
    row, *_ = enrichment_table(
        y, np.full(1000, 0.05), np.full(1000, np.nan), trial=Trial(dropout=0.0)
    )
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    arm = z**2 * (0.4 * 0.6 + 0.3 * 0.7) / 0.1**2
    assert row["trial needs"] == np.ceil(2 * arm)
