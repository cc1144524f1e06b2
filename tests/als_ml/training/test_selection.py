"""Inverse-probability-of-labelling weights give back what a selection of patients hides."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit

from als_ml.config import Config
from als_ml.training.selection import labelling_weights, weighted_estimates
from models.labels import Labels

CONFIG = Config(task="progression", cohort="cohort.yaml")


def selected(n=4000, seed=0, strength=1.5):
    """Patients whose label is the likelier to be there the lower x is; x also decides the label.

    Full and labelled y.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < expit(1.5 * x)).astype(float)
    labelled = rng.random(n) < expit(0.5 - strength * x)
    labels = Labels(
        y=np.where(labelled, y, np.nan),
        counts={"unlabelled_treated": int((~labelled).sum())},
        at_risk=np.ones(n, dtype=bool),
    )
    return pd.DataFrame({"x": x, "noise": rng.normal(size=n)}), y, labels


def test_the_results_of_all_come_back():
    rows, y, labels = selected()
    p = expit(1.5 * np.minimum(rows["x"], 0.0).to_numpy())  # blind where few have a label
    own = labels.usable
    weights = labelling_weights(rows, labels, np.arange(len(y)), CONFIG)
    found = weighted_estimates(y[own], p[own], (p[own] >= 0.5).astype(float), weights)
    full, naive = ((p - y) ** 2).mean(), ((p[own] - y[own]) ** 2).mean()
    assert abs(naive - full) > 0.02
    assert found["ipl_brier"] == pytest.approx(full, abs=0.008)
    assert len(own) > found["ipl_n"] > 0.2 * len(own)


def test_chance_alone_weighs_all_alike():
    rows, y, labels = selected(strength=0.0)
    weights = labelling_weights(rows, labels, np.arange(len(y)), CONFIG)
    assert weights == pytest.approx(np.ones(len(weights)), abs=0.1)


def test_the_largest_weights_are_cut():
    rows, y, labels = selected(strength=4.0)
    weights = labelling_weights(rows, labels, np.arange(len(y)), CONFIG)
    # Cut at the 99th percentile, that many patients share the largest weight.
    assert (weights == weights.max()).sum() >= 0.009 * len(weights)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {}},  # no label was ended by a treatment
        {"at_risk": None},  # not a label of the course
    ],
)
def test_no_weights_where_nothing_is_selected(change):
    from dataclasses import replace

    rows, y, labels = selected(n=200)
    weights = labelling_weights(rows, replace(labels, **change), np.arange(len(y)), CONFIG)
    assert weights is None
    assert weighted_estimates(y, y, y, weights) == {}


def test_who_was_never_at_risk_says_nothing():
    """Patients treated by the landmark have no window: the weights are those without them."""
    rows, _, labels = selected(n=400)
    more = pd.concat([rows, rows.assign(x=9.0)], ignore_index=True)
    counted = Labels(
        y=np.concatenate([labels.y, np.full(400, np.nan)]),
        counts=labels.counts,
        at_risk=np.repeat([True, False], 400),
    )
    families = np.arange(800)
    with_them = labelling_weights(more, counted, families, CONFIG)
    assert np.array_equal(with_them, labelling_weights(rows, labels, families[:400], CONFIG))


def test_the_weighted_slope_is_that_of_statsmodels():
    rng = np.random.default_rng(5)
    probability = rng.uniform(0.05, 0.95, 300)
    y = (rng.uniform(size=300) < probability**2).astype(float)
    weights = rng.uniform(0.5, 3.0, 300)
    odds = np.log(probability / (1 - probability))
    family = sm.families.Binomial()
    both = sm.GLM(y, sm.add_constant(odds), family=family, freq_weights=weights).fit()
    large = sm.GLM(y, np.ones(300), family=family, freq_weights=weights, offset=odds).fit()
    found = weighted_estimates(y, probability, (probability > 0.5).astype(float), weights)
    assert found["ipl_calibration_slope"] == pytest.approx(both.params[1], rel=1e-6)
    assert found["ipl_calibration_intercept"] == pytest.approx(large.params[0], rel=1e-6)


def test_calibration_is_that_of_each_repeat():
    """Two repeats whose errors cancel: their mean looks better calibrated than either."""
    rng = np.random.default_rng(6)
    truth = rng.normal(0, 1, 400)
    y, weights = (rng.random(400) < expit(truth)).astype(float), rng.uniform(0.5, 2.0, 400)
    noise = rng.normal(0, 1, 400)
    both = [expit(truth + noise), expit(truth - noise)]
    mean = (both[0] + both[1]) / 2
    of_each = [weighted_estimates(y, p, p > 0.5, weights)["ipl_calibration_slope"] for p in both]
    found = weighted_estimates(y, mean, mean > 0.5, weights, both)
    assert found["ipl_calibration_slope"] == pytest.approx(np.mean(of_each))
    flattered = weighted_estimates(y, mean, mean > 0.5, weights)["ipl_calibration_slope"]
    assert flattered > found["ipl_calibration_slope"] + 0.2
