"""Sizes of a trial and what a prediction explains, against R 4.2.2 (`power.t.test`, `lm`)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.trials.sizes import (
    drawn_r2,
    events_for_hazard_ratio,
    partial_r2,
    patients_for_difference,
    power_of_difference,
    residual_sd,
)

LUNG = pd.read_csv(Path(__file__).parents[2] / "fixtures/lung.csv")
TREATED = (np.arange(1, len(LUNG) + 1) % 2 == 0).astype(float)
BESIDE = (np.arange(1, len(LUNG) + 1) % 7).astype(float)[:, None]


@pytest.mark.parametrize(
    ("sd", "difference", "power", "per_arm"),
    [
        (0.62, 0.27, 0.8, 83.74518843),
        (0.5, 0.1, 0.9, 526.3333712),
        (1.0, 3.0, 0.9, 3.62481805),
        (1.0, 4.0, 0.9, 2.72672121),
    ],
)
def test_sizes_of_a_difference_are_those_of_power_t_test(sd, difference, power, per_arm):
    assert patients_for_difference(sd, difference, power) == pytest.approx(per_arm, rel=1e-5)
    assert power_of_difference(per_arm, sd, difference) == pytest.approx(power, rel=1e-5)


def test_no_difference_has_no_size():
    assert np.isnan(patients_for_difference(1.0, 0.0, 0.8))
    assert np.isnan(patients_for_difference(1.0, 0.001, 0.8))
    assert patients_for_difference(1.0, 100.0, 0.8) == 2.0
    assert events_for_hazard_ratio(1.0, 0.8) == np.inf


@pytest.mark.parametrize(
    ("ratio", "power", "events"),
    [
        # R: 4 * (qnorm(0.975) + qnorm(power))^2 / log(ratio)^2 (Schoenfeld 1981).
        (0.5, 0.8, 65.3456593),
        (2.0, 0.8, 65.3456593),
        (0.7, 0.9, 330.377914),
    ],
)
def test_events_for_a_hazard_ratio_are_those_of_schoenfeld(ratio, power, events):
    assert events_for_hazard_ratio(ratio, power) == pytest.approx(events, rel=1e-8)


def test_spread_around_a_regression_of_three_by_hand():
    # 1 alone, 2 and 4 around 3: squares of 2 over the one degree of freedom that is left.
    y, x = np.array([1.0, 2.0, 4.0]), np.array([[0.0], [1.0], [1.0]])
    assert residual_sd(y, x) == pytest.approx(np.sqrt(2.0))
    assert residual_sd(y[:2], x[:2]) == pytest.approx(0.0, abs=1e-12)
    assert partial_r2(np.zeros(4), np.arange(4.0)[:, None], np.array([0.0, 1, 0, 1])) == 0


def test_r2_beyond_the_usual_covariates_costs_its_freedom():
    """R: 1 - summary(larger)$sigma^2 / summary(smaller)$sigma^2."""
    y, usual = np.log(LUNG["time"].to_numpy(float)), np.column_stack([BESIDE, TREATED])
    found = partial_r2(y, usual, LUNG["risk_183"].to_numpy())
    assert found == pytest.approx(0.05765310754, rel=1e-7)
    assert residual_sd(y, usual) == pytest.approx(0.9010998073, rel=1e-9)
    assert partial_r2(y, usual, BESIDE[:, 0]) == 0
    weights = 1.0 + np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    risk = LUNG["risk_183"].to_numpy()
    drawn = drawn_r2(y, usual, risk, np.stack([np.ones(len(y)), weights]))
    written = partial_r2(y[rows], usual[rows], risk[rows])
    assert drawn == pytest.approx([found, written], rel=1e-7)
