"""Subgroups and sites: flags that a sound model seldom gets, pooled figures, and who may train
before a date.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from als_ml.config import load_config
from als_ml.training.estimates import site_estimates, subgroup_table, unknown_group
from als_ml.training.folds import days_to_label, temporal
from als_ml.training.honesty import _sites, _subgroups
from als_ml.training.metrics import expected_auc, holm
from tests.test_config import ROOT


def judged(seed: int, n: int = 500, shift: float = 0.0, noise: float = 0.0):
    """A run of made-up patients: the model is true but for women, whose log-odds are off by `shift`
    and `noise`.
    """
    rng = np.random.default_rng(seed)
    columns = {
        "sex": rng.choice(["female", "male"], n),
        "ancestry": rng.choice(["A", "B", "C"], n, p=[0.7, 0.2, 0.1]),
        "site": rng.choice([f"s{i}" for i in range(6)], n),
    }
    age = rng.normal(62, 11, n)
    odds = -0.6 + 0.03 * (age - 62) + rng.normal(0, 0.9, n)
    y = (rng.random(n) < expit(odds)).astype(float)
    women = columns["sex"] == "female"
    said = odds + np.where(women, shift + rng.normal(0, noise + 1e-9, n), 0.0)
    data = SimpleNamespace(
        y=y,
        families=np.arange(n),
        cohort=SimpleNamespace(patients=pd.DataFrame({"age_at_onset": age})),
        assay_status=rng.integers(0, 2, (n, 3)).astype(float),
        column=columns.__getitem__,
        rows=pd.DataFrame(np.where(rng.random((n, 9)) < 0.3, np.nan, 1.0)),
    )
    validated = SimpleNamespace(probability={"model": expit(said)}, covered=np.ones((n, 2)))
    return data, validated


@pytest.mark.slow  # many fits
def test_a_sound_model_is_flagged_in_at_most_one_run_of_twenty():
    """300 runs with 15 groups each; two standard errors beside the 5 %."""
    flagged = [_subgroups(subgroup_table(*judged(seed))).verdict != "passed" for seed in range(300)]
    assert np.mean(flagged) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)


def test_a_group_whose_risk_is_off_is_named():
    check = _subgroups(subgroup_table(*judged(1, n=1500, shift=0.8)))
    assert check.verdict == "attention"
    assert "sex female (intercept -0." in check.found
    assert "sex male" not in check.found


def test_a_group_whose_score_is_noise_is_named():
    check = _subgroups(subgroup_table(*judged(1, n=3000, noise=1.5)))
    assert check.verdict == "attention"
    assert "sex female (AUC" in check.found
    assert "promised" in check.found


def test_small_differences_are_not_worth_a_word():
    """Odds off by a tenth in 40,000 patients are sure, and small."""
    rows = subgroup_table(*judged(1, n=40_000, shift=0.1))
    women = next(row for row in rows if row["level"] == "female")
    assert women["intercept_p"] < 1e-4
    assert _subgroups(rows).verdict == "passed"


@pytest.mark.parametrize(
    ("unknown", "names"),
    [
        ([0, 4, 5, 9, 10, 40], ["0-4", "0-4", "5-9", "5-9", "10 or more", "10 or more"]),
        ([7, 7, 7, 7], ["0-7"] * 4),
        ([0, 0, 0, 0, 0, 3], ["0-0"] * 5 + ["1 or more"]),
    ],
)
def test_thirds_by_unknown_features(unknown, names):
    """No name gives away the largest count, which is one patient's."""
    assert unknown_group(np.array(unknown)).tolist() == names


def test_performance_by_unknown_features_is_reported():
    rows = subgroup_table(*judged(1, n=1500))
    own = [row for row in rows if row["group"] == "unknown features"]
    assert len(own) == 3
    assert sum(row["n"] for row in own) == 1500
    assert all({"roc_auc", "oe", "calibration_slope"} <= set(row) for row in own)


def test_the_promised_auc_by_its_definition():
    """Over every pair of patients: the chance that the higher is positive and the lower negative.

    Ties count half.
    """
    p = np.random.default_rng(0).random(40).round(1).clip(0.05, 0.95)
    up = p[:, None] * (1 - p[None, :]) * (1 - np.eye(40))
    order = (p[:, None] > p[None, :]) + 0.5 * (p[:, None] == p[None, :])
    assert expected_auc(p) == pytest.approx((up * order).sum() / up.sum())


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_that_of_statsmodels(seed):
    p = np.random.default_rng(seed).random(20) ** 4
    assert holm(p).tolist() == multipletests(p, 0.05, method="holm")[0].tolist()
    assert not holm(np.array([np.nan, np.nan])).any()


def site_rows(k: int, spread: float = 0.3):
    rng = np.random.default_rng(k)
    return [
        {
            "site": f"s{i}",
            "n": 100,
            "positive": 40,
            "roc_auc": float(expit(1 + rng.normal(0, spread))),
            "error": 0.04,
            "calibration_slope": float(1 + rng.normal(0, spread)),
            "slope_error": float(rng.uniform(0.1, 0.3)),
            "calibration_intercept": 0.0,
            "intercept_p": 1.0,
            "oe": float(np.exp(rng.normal(0, spread))),
            "oe_error": float(rng.uniform(0.05, 0.2)),
        }
        for i in range(k)
    ]


def test_slope_and_observed_by_expected_are_pooled_like_statsmodels():
    rows = site_rows(6)
    found = site_estimates(rows)
    for name, value, error, back in (
        ("calibration_slope", [r["calibration_slope"] for r in rows], "slope_error", float),
        ("oe", np.log([r["oe"] for r in rows]), "oe_error", np.exp),
        (
            "roc_auc",
            logit([r["roc_auc"] for r in rows]),
            None,
            expit,
        ),
    ):
        errors = (
            [r[error] for r in rows]
            if error
            else [r["error"] / (r["roc_auc"] * (1 - r["roc_auc"])) for r in rows]
        )
        theirs = combine_effects(np.array(value), np.array(errors) ** 2, method_re="dl", use_t=True)
        low, high = theirs.conf_int()[3]
        assert found[f"sites_{name}"] == pytest.approx(back(theirs.mean_effect_re))
        assert found[f"sites_{name}_low"] == pytest.approx(back(low))
        assert found[f"sites_{name}_high"] == pytest.approx(back(high))
        assert found[f"sites_{name}_prediction_low"] < found[f"sites_{name}_low"]
    assert "sites_oe_prediction_low" not in site_estimates(site_rows(4))
    assert site_estimates(site_rows(1)) == {}


def test_a_site_is_off_only_if_it_is_surely_so():
    metrics = {"roc_auc": 0.73, **site_estimates(site_rows(6, 0.01))}
    rows = site_rows(6, 0.01)
    assert _sites(metrics, rows).verdict == "passed"
    rows[2] |= {"calibration_intercept": 1.2, "intercept_p": 0.2}
    assert _sites(metrics, rows).verdict == "passed"
    rows[2] |= {"intercept_p": 0.001}
    assert "far off at s2" in _sites(metrics, rows).found


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        (["task=progression"], 90 + 365),
        (["task=progression", "landmark_days=0", "label.window_days=200"], 200),
        (["task=familial"], 90),
        (["task=progression", "label.column=rate", "label.above=1"], 90),
    ],
)
def test_when_a_label_is_known(changes, days):
    assert days_to_label(load_config(ROOT / "configs/quick.yaml", changes)) == days


def test_an_embargo_lies_before_the_date(training):
    """A label that is known on the date trains, one that is known a day later does not, and each is
    counted.
    """
    data, config = (
        training.data,
        load_config(ROOT / "configs/quick.yaml", ["validation.split_date=2021-06-01"]),
    )
    split = pd.Timestamp("2021-06-01")
    before = {0: 455, 1: 454, 2: 1, 3: 456}
    dates = [
        split - pd.Timedelta(days=before[i]) if i in before else pd.NaT for i in range(len(data.y))
    ]
    patients = data.cohort.patients.assign(index_date=pd.to_datetime(dates))
    moved = replace(data, cohort=replace(data.cohort, patients=patients))
    fold, counts, _ = temporal(moved, config)
    assert fold is None
    assert counts == {
        "train": 2,
        "test": 0,
        "without_date": len(data.y) - 4,
        "embargoed": 2,
        "related": 0,
    }
