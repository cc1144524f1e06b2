"""Metrics where another event competes, against R 4.2.2: `survival` 3.5-3, `riskRegression`
2022.11.28, `prodlim` 2019.11.13 and `pec` 2022.5.4.

The patients are every second complete row of R's `survival::mgus2` (Kyle 2002, public), 680 people:
time in months to a plasma-cell malignancy (`cause` 1, 56 of them) or death without one (2, 431);
the risks are those of `CSC(Hist(time, cause) ~ age + male + mspike + hgb)` by
`predictRisk(..., product.limit = FALSE)`, to six digits. Weights are 1 + row number modulo 4.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.training.survival_metrics import (
    auc_by,
    brier,
    calibration_slope,
    calibration_table,
    evaluate_survival,
    harrell_c,
    kaplan_meier,
    largest_tau,
    observed_by,
    observed_by_expected,
    uno_c,
    without_event,
)

HORIZONS = (60, 120, 180)
MGUS = pd.read_csv(Path(__file__).parents[2] / "fixtures/mgus.csv")
TIME, CAUSE = MGUS["time"].to_numpy(float), MGUS["cause"].to_numpy()
RISKS = [MGUS[f"risk_{t}"].to_numpy() for t in HORIZONS]
RISK = RISKS[1]
ONE = np.ones((1, len(MGUS)))
WEIGHTS = 1.0 + np.arange(1, len(MGUS) + 1)[None] % 4
EXACT = {"rel": 1e-9}


def test_brier_and_auc_are_those_of_risk_regression():
    """`Score(..., cause = 1, metrics = c("auc", "brier"), cens.model = "km")`."""
    aucs = [auc_by(TIME, CAUSE, r, ONE, t)[0] for t, r in zip(HORIZONS, RISKS, strict=True)]
    assert aucs == pytest.approx([0.724683128107, 0.704452825649, 0.717492471221], **EXACT)
    scores = [brier(TIME, CAUSE, r, ONE, t)[0] for t, r in zip(HORIZONS, RISKS, strict=True)]
    assert scores == pytest.approx([0.0319769799722, 0.0566452243789, 0.0740404331724], **EXACT)
    assert auc_by(TIME, CAUSE, RISK, WEIGHTS, 120) == pytest.approx(0.701167176806, **EXACT)
    assert brier(TIME, CAUSE, RISK, WEIGHTS, 120) == pytest.approx(0.0545011887406, **EXACT)


def test_observed_is_the_cumulative_incidence_of_survfit_with_prodlims_error():
    expected = [0.0339785585072, 0.0619924870198, 0.0841151486745]
    assert [observed_by(TIME, CAUSE, ONE, t)[0] for t in HORIZONS] == pytest.approx(
        expected, **EXACT
    )
    assert observed_by(TIME, CAUSE, WEIGHTS, 120) == pytest.approx(0.0589363817318, **EXACT)
    errors = [0.00696386229932, 0.00952608567990, 0.01157544588115]
    for at, risk, error in zip(HORIZONS, expected, errors, strict=True):
        share, low, high = without_event(TIME, CAUSE, at)
        assert share == pytest.approx(1 - risk, **EXACT)
        half = np.log(high / low) / 2  # of the interval on the log scale
        assert half == pytest.approx(1.959964 * error / (1 - risk), rel=1e-6)
    found = observed_by_expected(TIME, CAUSE, RISK, ONE, 120)
    assert found == pytest.approx(expected[1] / RISK.mean(), **EXACT)


def test_one_minus_kaplan_meier_is_not_the_risk():
    """Who dies first cannot have the event: 1 - S says half as much again."""
    naive = 1 - kaplan_meier(TIME, CAUSE == 1).at(180)[0]
    assert naive > 1.4 * observed_by(TIME, CAUSE, ONE, 180)[0]


def test_the_calibration_slope_is_that_of_glm():
    """`glm(had it by then ~ log(-log(1 - risk)), quasibinomial("cloglog"), weights)`: who died
    before it is without the event, with the weight of that day.
    """
    both = calibration_slope(TIME, CAUSE, RISK, np.vstack([ONE, WEIGHTS]), 120)
    assert both == pytest.approx([0.991926255595, 0.965791537766], rel=1e-6)
    found = calibration_slope(TIME, CAUSE, RISK, ONE, 60)
    assert found == pytest.approx(1.13079791268, rel=1e-6)


def test_unos_c_is_that_of_pec():
    """`cindex(Hist(time, cause) ~ 1, cause = 1, cens.model = "marginal")`, times of the censored
    half a month later: pec weights the later of a pair by G(t), Uno and we by G(t-).
    """
    later = TIME + 0.5 * (CAUSE == 0)
    assert uno_c(later, CAUSE, RISK, ONE, 120) == pytest.approx(0.705352467635, **EXACT)
    assert uno_c(later, CAUSE, RISK, ONE, 180) == pytest.approx(0.722872418139, **EXACT)


@pytest.mark.parametrize("block", [256, 7])
def test_harrells_c_compares_with_who_left_later_or_had_the_other_event(block, monkeypatch):
    monkeypatch.setattr("als_ml.training.survival_metrics._BLOCK", block)
    right = usable = 0.0
    for i in np.flatnonzero(CAUSE == 1):
        later = (TIME[i] < TIME) | ((TIME[i] == TIME) & (CAUSE == 0))
        beside = later | ((CAUSE == 2) & (TIME[i] >= TIME))
        usable += beside.sum()
        right += (RISK[beside] < RISK[i]).sum() + (RISK[beside] == RISK[i]).sum() / 2
    assert harrell_c(TIME, CAUSE, RISK, ONE) == pytest.approx(right / usable, **EXACT)


def test_a_draw_counts_a_patient_as_often_as_if_written_down_so_often():
    draw = np.random.default_rng(2).integers(0, 3, len(TIME)).astype(float)
    rows = np.repeat(np.arange(len(TIME)), draw.astype(int))
    few = np.ones((1, len(rows)))
    written = [TIME[rows], CAUSE[rows], RISK[rows], few]
    for metric in (uno_c, brier, auc_by, calibration_slope):
        drawn = metric(TIME, CAUSE, RISK, draw[None], 120)
        assert drawn == pytest.approx(metric(*written, 120), **EXACT)


def test_each_bin_of_the_calibration_curve_is_a_cumulative_incidence():
    table = calibration_table(TIME, CAUSE, RISK, 120, bins=2)
    half = np.argsort(RISK, kind="stable")[340:]
    value, low, high = without_event(TIME[half], CAUSE[half], 120)
    found = [table[1][name] for name in ("observed", "low", "high")]
    assert found == pytest.approx([1 - value, 1 - high, 1 - low], **EXACT)


def test_without_a_competing_event_they_are_the_metrics_of_survival():
    """Death as a censoring: the same numbers as where 2 never stands."""
    event = (CAUSE == 1).astype(int)
    assert without_event(TIME, event, 120) == kaplan_meier(TIME, event).at(120)
    risk = 1 - kaplan_meier(TIME, event).at(120)[0]
    assert observed_by(TIME, event, ONE, 120) == pytest.approx(risk, **EXACT)


def test_all_metrics_of_a_run_with_their_intervals():
    tau = largest_tau(TIME, CAUSE)
    assert tau == max(TIME[CAUSE == 1][[(t <= TIME).mean() >= 0.1 for t in TIME[CAUSE == 1]]])
    families = np.arange(len(TIME))
    found = evaluate_survival(TIME, CAUSE, {120: RISK}, families, 40, 1, tau)
    assert found["auc_120m"] == pytest.approx(0.704452825649, **EXACT)
    for name in ("c_index", "harrell_c", "calibration_slope", "brier_120m", "auc_120m", "oe_120m"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]


@pytest.mark.parametrize(
    ("months", "event", "at", "share"),
    [
        ([1.0, 2.0, 3.0, 4.0], [2, 1, 2, 1], 0.5, 1.0),  # nothing yet
        ([1.0, 2.0, 3.0, 4.0], [2, 1, 2, 1], 1.0, 1.0),  # the other event
        ([1.0, 2.0, 3.0, 4.0], [2, 1, 2, 1], 2.0, 0.75),
        ([1.0, 2.0, 3.0, 4.0], [2, 1, 2, 1], 9.0, 0.5),
        ([1.0, 1.0, 2.0, 2.0], [2, 1, 2, 0], 2.0, 0.75),
    ],
)
def test_the_share_without_the_event_by_hand(months, event, at, share):
    found = without_event(np.array(months), np.array(event), at)
    assert found[0] == pytest.approx(share, **EXACT)
    assert found[1] <= found[0] <= found[2]
