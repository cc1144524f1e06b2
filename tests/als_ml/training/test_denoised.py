"""De-noised reliability against the simulator's true rates: the machinery, not medicine."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from statsmodels.regression.mixed_linear_model import MixedLM

from als_ml.config import Config
from als_ml.simulate import constants as c
from als_ml.simulate.course import RULE, draw_future
from als_ml.training.denoised import (
    BINS,
    denoised_reliability,
    design,
    fit_population,
    rates,
    sums_of,
    truly_fast,
)
from features.alsfrs.slopes import DAYS_PER_MONTH
from models.labels import BY_EVENT, progression

# Shares by fifth: mean over seeds of 2,000 patients (standard error of a fifth 0.008) and one
# cohort of 700.
TOLERANCE, OF_ONE = 0.05, 0.12


def simulated(n, seed, known=0.7):
    """Late visits of the simulator, and the exact P(rate >= 1) given what a score knows of the ln
    rate.
    """
    rng = np.random.default_rng(seed)
    spread = np.hypot(c.FUTURE_SD, c.FUTURE_ON_PAST * c.PAST_SD)
    score = rng.normal(0, known * spread, n)
    rest = spread * np.sqrt(1 - known**2)
    mean = c.FUTURE_LOG_MEAN + score
    rate = mean + rng.normal(0, rest, n)
    future = draw_future(rate, rng.uniform(5, 20, n), np.full(n, np.inf), rng)
    row, visit = np.nonzero(np.isfinite(future.days) & (future.days <= RULE.end_days))
    days, total = future.days[row, visit], future.totals[row, visit]
    none = np.full(n, np.inf)
    label = progression(row, days, total, future.event_days, none, none, RULE)
    return norm.sf(-mean / rest), rate >= 0, (row, days, total), label


def shares(p, fast, visits, label):
    """Perfect p, de-noised and true share of fast by fifth of those with a slope."""
    sums, X = sums_of(*visits, len(p)), design(p)
    population = fit_population(sums, X, (sums.n > 0).astype(float))
    found = truly_fast(sums, X, population, RULE.cutoff)
    own = np.flatnonzero(np.isfinite(label.slope))
    fifths = np.array_split(own[np.argsort(p[own])], BINS)
    return np.array([[p[f].mean(), found[f].mean(), fast[f].mean()] for f in fifths]).T


@pytest.mark.parametrize("known", [0.8, 0.7, 0.45])
def test_a_perfect_probability_reads_as_what_it_is(known):
    """For a score that knows much or little of the rate: neither drawn together nor apart, fifth by
    fifth.
    """
    found = np.mean([shares(*simulated(2000, seed, known)) for seed in range(4)], axis=0)
    perfect, denoised, truth = found
    assert np.abs(denoised - truth).max() < TOLERANCE
    # Those who die before they have a slope are mostly fast: the others are a little slower than p
    # says.
    assert np.abs(denoised - perfect).max() < TOLERANCE + 0.03
    # The spread of the fifths is kept: .14 to .69 must not read .21 to .61.
    assert np.ptp(denoised) > 0.9 * np.ptp(truth)


@pytest.mark.parametrize("seed", range(3))
def test_one_cohort_of_the_usual_size(seed):
    _, denoised, truth = shares(*simulated(700, 50 + seed))
    assert np.abs(denoised - truth).max() < OF_ONE


def test_the_best_score_on_the_demo_cohort(demo):
    """From the files: the simulator's P(label) is too high against the true rates, and the
    de-noised share shows it.
    """
    truth = pd.read_csv(demo / "truth.csv").dropna(subset="progression").reset_index(drop=True)
    visits = pd.read_csv(demo / "alsfrs.csv")
    visits["total"] = visits[[f"q{i}" for i in range(1, 13)]].sum(axis=1)
    patients = pd.read_csv(demo / "patients.csv").set_index("sample_id")
    until = patients[["tofersen_start_days", "trial_drug_start_days"]].min(axis=1).fillna(np.inf)
    late = (visits["days"] > 90) & (
        visits["days"] <= np.minimum(455, visits["sample_id"].map(until))
    )
    row = visits["sample_id"].map(dict(zip(truth["sample_id"], truth.index, strict=True)))
    own = visits[late & row.notna()]
    p, fast = truth["p_progression"].to_numpy(), truth["future_rate"].to_numpy() >= 1
    sums = sums_of(
        row[own.index].to_numpy(int), own["days"].to_numpy(), own["total"].to_numpy(), len(p)
    )
    found = truly_fast(sums, design(p), fit_population(sums, design(p), (sums.n > 0) * 1.0), 1.0)
    slope = sums.n >= 3
    assert found[slope].mean() == pytest.approx(fast[slope].mean(), abs=0.06)


def test_the_estimates_are_those_of_statsmodels():
    """Without a score: the same model as MixedLM by maximum likelihood (statsmodels, an independent
    implementation).
    """
    _, _, (row, days, total), _ = simulated(300, 7)
    sums, X = sums_of(row, days, total, 300), design(np.full(300, 0.5))
    own = fit_population(sums, X, (sums.n > 0).astype(float))
    months = (days - days.mean()) / DAYS_PER_MONTH
    lines = np.column_stack([np.ones(len(months)), months])
    theirs = MixedLM(total, lines, groups=row, exog_re=lines).fit(reml=False, method="powell")
    assert [own.level[0], own.rate[0]] == pytest.approx(theirs.fe_params, abs=0.02)
    assert np.exp(2 * own.spread[4]) == pytest.approx(theirs.scale, rel=0.02)
    assert np.exp(2 * own.spread[:2]) == pytest.approx(np.diag(theirs.cov_re), rel=0.03)
    groups = theirs.random_effects
    mean, _ = rates(sums, X, own)
    ours = [-mean[i] - own.rate[0] for i in groups]
    assert ours == pytest.approx([groups[i].iloc[1] for i in groups], abs=0.02)


def test_a_patient_without_a_visit_has_the_rate_of_his_score():
    p, _, visits, _ = simulated(400, 3)
    sums, X = sums_of(*visits, 400), design(p)
    population = fit_population(sums, X, (sums.n > 0).astype(float))
    nobody = np.flatnonzero(sums.n == 0)
    mean, _ = rates(sums, X, population)
    assert len(nobody) > 3
    assert mean[nobody] == pytest.approx(-(X @ population.rate)[nobody])


def a_run(n=300, seed=1):
    """What a run knows, of made-up patients of whom some have their label by an event."""
    p, _, (row, days, total), label = simulated(n, seed)
    keep = np.isfinite(label.label)
    position = np.cumsum(keep) - 1
    row, days, total = (values[keep[row]] for values in (position[row], days, total))
    visits = pd.DataFrame({"row": row, "days": days, "total": total, "scale": "alsfrs_r"})
    columns = ["tofersen", "tofersen_start_days", "trial_drug", "trial_drug_start_days"]
    patients = pd.DataFrame(index=range(keep.sum()), columns=columns, dtype=float)
    data = SimpleNamespace(
        y=label.label[keep],
        slope=label.slope[keep],
        by_event=label.branch[keep] == BY_EVENT,
        cohort=SimpleNamespace(alsfrs=visits, patients=patients),
        families=np.arange(keep.sum()),
    )
    return data, SimpleNamespace(probability={"model": p[keep]})


def config(**label):
    return Config.model_validate(
        {"task": "progression", "cohort": "c.yaml", "label": label, "validation": {"bootstrap": 40}}
    )


def test_the_table_of_a_run():
    data, validated = a_run()
    table, metrics = denoised_reliability(data, validated, config())
    assert [row["label"] for row in table] == ["by slope"] * BINS + ["by event"]
    assert sum(row["n"] for row in table) == len(data.y)
    assert table[-1]["observed"] == 1.0  # an event is a fast label, without a rate
    assert "denoised" not in table[-1]
    for row in table[:-1]:
        assert 0 <= row["denoised_low"] <= row["denoised"] <= row["denoised_high"] <= 1
        assert row["low"] <= row["observed"] <= row["high"]
    assert metrics["denoised_n"] == (~data.by_event).sum()
    assert metrics["denoised_labelled"] == pytest.approx(data.y[~data.by_event].mean())


@pytest.mark.parametrize(
    ("n", "label", "found"),
    [
        (300, {"column": "x", "above": 1.0}, False),  # not of the course
        (300, {"events": "all"}, True),
        (40, {}, False),  # too few
    ],
)
def test_where_there_is_nothing_to_denoise(n, label, found):
    data, validated = a_run(n)
    table, metrics = denoised_reliability(data, validated, config(**label))
    assert (bool(table), bool(metrics)) == (found, found)


def test_a_score_that_says_nothing_is_no_error():
    data, _ = a_run()
    same = SimpleNamespace(probability={"model": np.full(len(data.y), 0.4)})
    table, metrics = denoised_reliability(data, same, config())
    assert len(table) == BINS + 1
    assert 0 < metrics["denoised_fast"] < metrics["denoised_labelled"] + 0.1
