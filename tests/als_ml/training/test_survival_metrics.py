"""Metrics of survival against R 4.2.2: `survival` 3.5-3 and `riskRegression` 2022.11.28.

The patients are R's `survival::lung` (Loprinzi 1994, public), 228 rows: time in days, event = died,
`entry` = a quarter of the time (rounded down) for every third patient, `cause` = 2 for every third
death, and the risks by day 183, 365 and 548 of `coxph(Surv(time, status) ~ age + sex)` with R's
`basehaz`, to six digits. Weights are 1 + row number modulo 4.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from als_ml.training.survival_metrics import (
    aalen_johansen,
    auc_by,
    brier,
    calibration_slope,
    calibration_table,
    d_calibration,
    evaluate_survival,
    harrell_c,
    integrated_brier,
    kaplan_meier,
    largest_tau,
    observed_by,
    observed_by_expected,
    survival_at,
    uno_c,
)

HORIZONS = (183, 365, 548)
LUNG = pd.read_csv(Path(__file__).parents[2] / "fixtures/lung.csv")
TIME, EVENT = LUNG["time"].to_numpy(float), LUNG["event"].to_numpy(float)
ENTRY, RISK = LUNG["entry"].to_numpy(float), LUNG["risk_365"].to_numpy()
ONE = np.ones((1, len(LUNG)))
WEIGHTS = 1.0 + np.arange(1, len(LUNG) + 1)[None] % 4
EXACT = {"rel": 1e-9}


def test_kaplan_meier_and_its_interval_are_those_of_survfit():
    found = np.array([kaplan_meier(TIME, EVENT).at(t) for t in HORIZONS])
    assert found[:, 0] == pytest.approx([0.703515416846, 0.40924162446, 0.255449410812], **EXACT)
    assert found[:, 1] == pytest.approx([0.646362369486, 0.344721581796, 0.196199769408], rel=1e-6)
    assert found[:, 2] == pytest.approx([0.765722085792, 0.485837603547, 0.332591631893], rel=1e-6)


def test_kaplan_meier_with_delayed_entry_is_that_of_survfit():
    curve = kaplan_meier(TIME, EVENT, ENTRY)
    found = [curve.at(t)[0] for t in HORIZONS]
    assert found == pytest.approx([0.668857572184, 0.38802904901, 0.242208480329], **EXACT)


@pytest.mark.parametrize(
    ("entry", "first", "second"),
    [
        (
            None,
            [0.207990924861, 0.386732961226, 0.491359628731],
            [0.0884936582933, 0.2040254143135, 0.2531909604565],
        ),
        (
            ENTRY,
            [0.229694839882, 0.400368521402, 0.499571984262],
            [0.101447587934, 0.211602429588, 0.258219535409],
        ),
    ],
)
def test_cumulative_incidence_is_that_of_survfit(entry, first, second):
    months, incidence = aalen_johansen(TIME, LUNG["cause"].to_numpy(), entry)
    at = incidence[:, np.searchsorted(months, HORIZONS, side="right") - 1]
    assert at[0] == pytest.approx(first, **EXACT)
    assert at[1] == pytest.approx(second, **EXACT)


def test_harrells_c_is_that_of_concordance():
    assert harrell_c(TIME, EVENT, RISK, ONE) == pytest.approx(0.602853002898, **EXACT)
    assert harrell_c(TIME, EVENT, RISK, ONE, ENTRY) == pytest.approx(0.595449561404, **EXACT)
    assert harrell_c(TIME, EVENT, RISK, ONE, tau=365) == pytest.approx(0.604720637313, **EXACT)
    assert harrell_c(TIME, EVENT, RISK, WEIGHTS) == pytest.approx(0.602224967115, **EXACT)


def test_unos_c_is_that_of_concordance_with_its_time_weights():
    """`concordance(..., timewt = "n/G2", ymax = tau)`."""
    assert uno_c(TIME, EVENT, RISK, ONE, np.inf) == pytest.approx(0.596045494807, **EXACT)
    assert uno_c(TIME, EVENT, RISK, ONE, 365) == pytest.approx(0.599319246181, **EXACT)
    assert uno_c(TIME, EVENT, RISK, ONE, 548) == pytest.approx(0.597572624387, **EXACT)
    assert uno_c(TIME, EVENT, RISK, WEIGHTS, 548) == pytest.approx(0.598265580531, **EXACT)


def test_brier_and_auc_are_those_of_risk_regression():
    """`Score(..., metrics = c("auc", "brier"), cens.model = "km")`."""
    risks = [LUNG[f"risk_{t}"].to_numpy() for t in HORIZONS]
    aucs = [auc_by(TIME, EVENT, r, ONE, t)[0] for t, r in zip(HORIZONS, risks, strict=True)]
    assert aucs == pytest.approx([0.637244897213, 0.599122771641, 0.595636945466], **EXACT)
    scores = [brier(TIME, EVENT, r, ONE, t)[0] for t, r in zip(HORIZONS, risks, strict=True)]
    expected = [0.199047018473, 0.236142156898, 0.188324436133]
    assert scores == pytest.approx(expected, **EXACT)
    assert auc_by(TIME, EVENT, RISK, WEIGHTS, 365) == pytest.approx(0.611840130991, **EXACT)
    assert brier(TIME, EVENT, RISK, WEIGHTS, 365) == pytest.approx(0.236420582424, **EXACT)
    survival = 1 - np.column_stack(risks)
    area = (365 - 183) * (expected[0] + expected[1]) / 2 + 183 * (expected[1] + expected[2]) / 2
    found = integrated_brier(TIME, EVENT, np.array(HORIZONS, float), survival, ONE)
    assert found == pytest.approx(area / 365, **EXACT)


def test_the_calibration_slope_is_that_of_glm():
    """`glm(died ~ log(-log(1 - risk)), quasibinomial("cloglog"), weights)`: weights 1 / G of
    `survfit` at the death by the horizon, or at the horizon for those watched beyond it.
    """
    close, of = {"rel": 1e-6}, {t: LUNG[f"risk_{t}"].to_numpy() for t in HORIZONS}
    both = calibration_slope(TIME, EVENT, RISK, np.vstack([ONE, WEIGHTS]), 365)
    assert both == pytest.approx([0.761132168093, 0.856364727094], **close)
    assert calibration_slope(TIME, EVENT, of[183], ONE, 183) == pytest.approx(1.4261765653, **close)
    assert calibration_slope(TIME, EVENT, of[548], ONE, 548) == pytest.approx(0.6205486912, **close)


@pytest.mark.parametrize("hidden", [0.0, 1.2])
def test_true_risks_have_a_slope_of_1_although_hazard_ratios_fade(hidden):
    """Who has an unknown frailty and is still there has less of it: with it, a Cox model of all
    times gives the true risks a slope of 0.92.
    """
    rng = np.random.default_rng(3)
    known, frailty = rng.normal(0, 0.7, 40_000), rng.normal(0, hidden, 40_000)
    died = rng.exponential(np.exp(-known - frailty) * 24)
    left = rng.uniform(6, 60, len(died))
    points, shares = np.polynomial.hermite_e.hermegauss(60)  # of a normal frailty
    rates = np.exp(known[:, None] + hidden * points) * 12 / 24
    risk = 1 - np.exp(-rates) @ shares / shares.sum()
    months, event = np.minimum(died, left), (died <= left).astype(float)
    one = np.ones((1, len(risk)))
    found = calibration_slope(months, event, risk, one, 12.0)[0]
    assert found == pytest.approx(1, abs=0.04)
    spread = 1 - (1 - risk) ** np.exp(0.25 * known)  # a quarter too steep
    assert calibration_slope(months, event, spread, one, 12.0)[0] < 0.9


def test_observed_by_expected_divides_by_the_mean_prediction():
    observed = 1 - 0.40924162446
    assert observed_by(TIME, EVENT, ONE, 365) == pytest.approx(observed, **EXACT)
    found = observed_by_expected(TIME, EVENT, RISK, ONE, 365)
    assert found == pytest.approx(observed / RISK.mean(), **EXACT)
    halved = observed_by_expected(TIME, EVENT, RISK / 2, ONE, 365)
    assert halved == pytest.approx(2 * found, **EXACT)


def test_each_bin_of_the_calibration_curve_is_a_kaplan_meier_estimate():
    table = calibration_table(TIME, EVENT, RISK, 365, bins=3)
    assert [row["n"] for row in table] == [76, 76, 76]
    assert table[0]["predicted"] < table[1]["predicted"] < table[2]["predicted"]
    third = np.argsort(RISK, kind="stable")[-76:]
    value, low, high = kaplan_meier(TIME[third], EVENT[third]).at(365)
    found = [table[2][name] for name in ("observed", "low", "high")]
    assert found == pytest.approx([1 - value, 1 - high, 1 - low], **EXACT)


def test_a_draw_counts_a_patient_as_often_as_if_written_down_so_often():
    times = np.random.default_rng(2).integers(0, 3, (3, len(TIME))).astype(float)
    for draw in times:
        rows = np.repeat(np.arange(len(TIME)), draw.astype(int))
        few = np.ones((1, len(rows)))
        written = [TIME[rows], EVENT[rows], RISK[rows], few]
        for metric, further in ((uno_c, 548), (brier, 365), (auc_by, 365)):
            drawn = metric(TIME, EVENT, RISK, draw[None], further)
            assert drawn == pytest.approx(metric(*written, further), **EXACT)
        drawn = calibration_slope(TIME, EVENT, RISK, draw[None], 365)
        assert drawn == pytest.approx(calibration_slope(*written, 365), rel=1e-6)


def test_more_comparisons_than_fit_at_once_change_nothing(monkeypatch):
    whole = harrell_c(TIME, EVENT, RISK, WEIGHTS, ENTRY)
    monkeypatch.setattr("als_ml.training.survival_metrics._BLOCK", 7)
    assert harrell_c(TIME, EVENT, RISK, WEIGHTS, ENTRY) == pytest.approx(whole, **EXACT)


def test_who_is_censored_is_shared_out_over_the_bins_below():
    """Haider 2020, equation 17: (s - lower) / s in the own bin, width / s in each below it."""
    share, _ = d_calibration(np.array([0]), np.array([0.25]), bins=10)
    assert share == pytest.approx([0.4, 0.4, 0.2, *[0] * 7])
    share, p = d_calibration(np.ones(100), np.arange(1, 101) / 100, bins=10)
    assert share == pytest.approx(np.full(10, 0.1))
    assert p == 1.0
    share, p = d_calibration(np.ones(100), np.full(100, 0.1), bins=10)
    assert share[0] == 1
    assert p == pytest.approx(stats.chi2.sf(900, 9))


def test_a_hazard_off_by_1_6_fails_d_calibration_and_the_true_one_does_not():
    """300 patients, a third censored, 100 cohorts: a right model is called wrong in at most 5 %."""
    rng = np.random.default_rng(5)
    risk = np.exp(rng.normal(0, 0.7, (100, 300))) / 24
    died, left = rng.exponential(1 / risk), rng.exponential(50, risk.shape)
    months, event = np.minimum(died, left), died <= left
    assert 0.25 < 1 - event.mean() < 0.45
    for factor, few, many in ((1.0, 0, 8), (1.6, 95, 100), (1 / 1.6, 95, 100)):
        own = np.exp(-factor * risk * months)
        rejected = sum(
            d_calibration(e, s)[1] < 0.05 for e, s in zip(event.astype(int), own, strict=True)
        )
        assert few <= rejected <= many, factor


def test_survival_is_read_between_the_points_of_the_grid():
    grid, curve = np.array([6.0, 12.0]), np.array([[0.8, 0.5]] * 5)
    times = np.array([0.0, 1.5, 6.0, 10.0, 12.5])
    assert survival_at(grid, curve, times) == pytest.approx([1, 0.95, 0.8, 0.6, 0.5])


def test_tau_is_the_last_event_with_a_tenth_at_risk():
    months = np.arange(1.0, 21.0)
    assert largest_tau(months, np.ones(20)) == 19.0
    assert largest_tau(months, months < 10) == 9.0
    assert np.isnan(largest_tau(months, np.zeros(20)))


def test_what_cannot_be_said_is_nan():
    nobody = np.zeros(len(TIME))
    assert np.isnan(harrell_c(TIME, nobody, RISK, ONE)).all()
    assert np.isnan(uno_c(TIME, nobody, RISK, ONE, 365)).all()
    assert np.isnan(auc_by(TIME, nobody, RISK, ONE, 365)).all()
    assert np.isnan(auc_by(TIME, EVENT, RISK, ONE, TIME.max())).all()  # nobody watched beyond
    assert np.isnan(brier(TIME, EVENT, RISK, ONE, TIME.max())).all()
    assert np.isnan(calibration_slope(TIME, EVENT, np.full(len(TIME), 0.3), ONE, 365)).all()
    assert np.isnan(calibration_slope(TIME, nobody, RISK, ONE, 365)).all()
    assert np.isnan(calibration_slope(TIME, EVENT, RISK, ONE, TIME.max())).all()
    assert kaplan_meier(TIME, EVENT).at(0) == (1.0, 1.0, 1.0)
    dead = kaplan_meier(np.array([1.0, 2.0]), np.ones(2)).at(2)
    assert dead[0] == 0
    assert np.isnan(dead[1:]).all()


def test_risks_of_0_and_1_have_a_finite_slope():
    found = calibration_slope(TIME, EVENT, np.where(RISK > 0.6, 1.0, 0.0), ONE, 365)
    assert np.isfinite(found).all()


def test_intervals_hold_what_they_are_of_and_families_move_together():
    risks = {t: LUNG[f"risk_{t}"].to_numpy() for t in (365, 548)}
    alone = evaluate_survival(TIME, EVENT, risks, np.arange(len(TIME)), 100, 1, 548.0)
    for name in ("c_index", "harrell_c", "brier_365m", "brier_548m", "auc_548m", "oe_365m"):
        assert alone[f"{name}_low"] < alone[name] < alone[f"{name}_high"], name
    assert alone["tau_months"] == 548
    assert alone["calibration_slope"] == pytest.approx(0.761132168093, rel=1e-6)
    assert alone["calibration_slope_548m"] == pytest.approx(0.6205486912, rel=1e-6)
    # R: sqrt(concordance(...)$var) = 0.0254987
    width = alone["harrell_c_high"] - alone["harrell_c_low"]
    assert width == pytest.approx(2 * 1.96 * 0.0254987, rel=0.25)
    families = evaluate_survival(TIME, EVENT, risks, np.arange(len(TIME)) // 6, 100, 1, 548.0)
    assert families["c_index"] == pytest.approx(alone["c_index"], **EXACT)
    assert families["c_index_low"] != alone["c_index_low"]
    point = evaluate_survival(TIME, EVENT, risks, np.arange(len(TIME)), 0, 1, 548.0)
    assert not any(name.endswith("_low") for name in point)
    assert point["c_index"] == pytest.approx(alone["c_index"], **EXACT)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (4.9, (1.0, 1.0, 1.0)),
        # 0.9 with Greenwood's error sqrt(1 / (10 x 9)) on the log scale; no share is above 1.
        (5.0, (0.9, 0.9 / np.exp(1.959964 * np.sqrt(1 / 90)), 1.0)),
        (7.0, (0.8, 0.8 / np.exp(1.959964 * np.sqrt(1 / 90 + 1 / 72)), 1.0)),
        (9.0, (0.8, 0.8 / np.exp(1.959964 * np.sqrt(1 / 90 + 1 / 72)), 1.0)),
    ],
)
def test_a_share_without_the_event_by_hand(at, expected):
    months, event = np.r_[5.0, 7.0, np.full(8, 20.0)], np.r_[1, 1, np.zeros(8)]
    curve = kaplan_meier(months, event)
    assert curve.at(at) == pytest.approx(expected, rel=1e-6)
    assert curve.at_risk.tolist() == [10, 9, 8]


def test_each_cause_has_one_line():
    assert aalen_johansen(TIME, LUNG["cause"].to_numpy())[1].shape[0] == 2


@pytest.mark.parametrize(("horizon", "share"), [(1.9, 0.25), (2.0, 0.5), (4.0, 1.0)])
def test_an_event_on_the_day_of_the_horizon_is_seen(horizon, share):
    months = np.array([1.0, 2.0, 3.0, 4.0])
    assert observed_by(months, np.ones(4), np.ones((1, 4)), horizon) == pytest.approx(share)


@pytest.mark.parametrize(
    ("event", "own", "place"),
    [(1, 0.0, 0), (1, 0.2, 0), (1, 0.2001, 1), (1, 1.0, 4), (0, 0.0, 0)],
)
def test_which_fifth_of_the_survival_a_patient_is_in(event, own, place):
    share, _ = d_calibration(np.array([event]), np.array([own]), bins=5)
    assert share.tolist() == [float(i == place) for i in range(5)]


def test_d_calibration_is_the_chi_squared_test_of_scipy():
    counts = [12, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    own = np.repeat(np.arange(10) / 10 + 0.05, counts)
    share, p = d_calibration(np.ones(30), own)
    assert share.tolist() == [count / 30 for count in counts]
    assert p == pytest.approx(stats.chisquare(counts).pvalue, rel=1e-9)


def test_draws_together_are_those_of_each_alone():
    both = np.vstack([ONE, WEIGHTS])
    for metric in (auc_by, brier, calibration_slope, observed_by_expected):
        together = metric(TIME, EVENT, RISK, both, 365)
        alone = [metric(TIME, EVENT, RISK, one[None], 365)[0] for one in both]
        assert together == pytest.approx(alone, rel=1e-6), metric.__name__


@pytest.mark.parametrize(("events", "known"), [(0, False), (1, True), (19, True), (20, False)])
def test_a_calibration_slope_needs_one_with_and_one_without_the_event(events, known):
    months = np.r_[np.full(events, 5.0), np.full(20 - events, 30.0)]
    event, risk = (np.arange(20) < events).astype(float), 0.1 + 0.04 * (np.arange(20) % 7)
    found = calibration_slope(months, event, risk, np.ones((2, 20)), 12.0)
    assert np.isfinite(found).tolist() == [known, known]


def test_risks_that_do_not_differ_have_no_slope():
    found = calibration_slope(TIME, EVENT, np.full(len(TIME), 0.3), np.vstack([ONE, ONE]), 365)
    assert np.isnan(found).tolist() == [True, True]


def test_the_calibration_curve_has_ten_bins():
    assert len(calibration_table(TIME, EVENT, RISK, 365)) == 10
