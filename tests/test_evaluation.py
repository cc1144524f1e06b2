"""Metrics against scikit-learn, bootstrap weights against their definition."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from als_ml.evaluation import METRICS, evaluate, family_weights, share_of_possible, weighted_metrics


@pytest.fixture
def scored():
    rng = np.random.default_rng(3)
    y = (rng.random(300) < 0.3).astype(float)
    p = np.clip(0.3 + 0.2 * (y - 0.3) + rng.normal(0, 0.12, 300), 0.02, 0.98).round(2)  # rounded: with ties
    return y, p, (p >= 0.3).astype(float), rng.integers(1, 4, 300).astype(float)


def test_metrics_are_those_of_scikit_learn(scored):
    y, p, predicted, weights = scored
    ours = {name: values[0] for name, values in weighted_metrics(y, p, predicted, weights[None]).items()}
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
    assert share_of_possible(y, np.array([0.1, 0.4, 0.3, 0.9]), np.array([0.1, 0.2, 0.3, 0.4])) == (1.0, 0.5)
