"""Further splits of a survival run: a date that parts training and test patients, a cohort that is
held out, sites that are left out, a search.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import als_ml.training.folds
from als_ml.config import load_config
from als_ml.prediction.row import ROW_FIELDS
from als_ml.tracking.documents import write_documents
from als_ml.training.folds import Fold, days_to_label, temporal
from als_ml.training.metrics import share_of_possible
from als_ml.training.run import summary, train
from als_ml.training.survival_estimates import figures_of_others, seen_rows, share_by_year
from benchmarks.two_years import lost
from features.alsfrs.slopes import DAYS_PER_MONTH
from models.survival.labels import Times
from models.survival.times import TWO_YEARS, YEAR
from tests.cohorts import trainable
from tests.test_config import ROOT

SURVIVAL = ROOT / "configs/survival.yaml"
SPLIT = pd.Timestamp("2021-06-01")
FAST = [
    "features.blocks=[clinical]",
    "model.estimator=cox",
    "model.parameters={C: 0.1}",
    "validation.folds=3",
    "validation.inner_folds=3",
    "validation.bootstrap=20",
    "validation.honesty=false",
    "validation.sites=false",
]


@pytest.fixture(scope="module")
def data(demo):
    config = load_config(SURVIVAL, [f"cohort={demo}/cohort.yaml", *FAST])
    return trainable(config), config


def split_at(data, config, days: np.ndarray, monkeypatch):
    """What a temporal split trains on, of patients indexed so many days before its date."""
    dates = SPLIT - pd.to_timedelta(pd.Series(days), unit="D")
    patients = data.cohort.patients.assign(index_date=dates.to_numpy())
    moved = replace(data, cohort=replace(data.cohort, patients=patients))
    given = []

    def run_fold(known, train, test, config):
        given.append((known, train, test))
        return Fold(test, {}, {}, np.empty(0), np.empty(0), np.empty(0), [], "")

    monkeypatch.setattr(als_ml.training.folds, "run_fold", run_fold)
    asked = {"validation": config.validation.model_copy(update={"split_date": SPLIT.date()})}
    fold, counts, known = temporal(moved, config.model_copy(update=asked))
    assert (fold is None) == (not given)
    return counts, known, given


def test_a_time_is_known_from_the_day_after_the_landmark_on():
    assert days_to_label(load_config(SURVIVAL, [])) == 91
    assert days_to_label(load_config(SURVIVAL, ["landmark_days=0"])) == 1


def test_training_times_end_on_the_date_and_tested_ones_do_not(data, monkeypatch):
    """Patients whose event is a day before the date, on it, a day after it."""
    data, config = data
    day = np.round(data.times.months * DAYS_PER_MONTH) + config.landmark_days
    days = np.where(np.arange(len(day)) % 2 == 0, 2000.0, -10.0)  # long before the date, after it
    events = np.flatnonzero(data.times.event & (days > 0))[:3]
    days[events] = day[events] + (1, 0, -1)
    counts, known, given = split_at(data, config, days, monkeypatch)
    (_, train_on, test), *_ = given
    assert set(events) <= set(train_on)
    assert known.times.cause[events].astype(bool).tolist() == [True, True, False]
    assert known.y[events].tolist() == [1, 1, 0]
    own = data.times.months[events] - np.array([0, 0, 1 / DAYS_PER_MONTH])
    np.testing.assert_allclose(known.times.months[events], own)
    np.testing.assert_array_equal(known.times.months[test], data.times.months[test])
    np.testing.assert_array_equal(known.y[test], data.y[test])
    assert counts["embargoed"] == 0
    assert sum(counts.values()) == len(day)


def test_who_has_no_day_of_follow_up_before_the_date_does_not_train(data, monkeypatch):
    data, config = data
    days = np.where(np.arange(len(data.y)) % 2 == 0, 2000.0, -10.0)
    days[0], days[2] = 91, 90
    counts, known, given = split_at(data, config, days, monkeypatch)
    (_, train_on, test), *_ = given
    assert 0 in train_on
    assert known.times.months[0] == pytest.approx(1 / DAYS_PER_MONTH)
    assert 2 not in train_on
    assert 2 not in test
    assert counts["embargoed"] == 1


def test_a_date_that_leaves_too_few_events_known_is_told(data, monkeypatch):
    """All are indexed just before the date: by then hardly anybody has had the event."""
    data, config = data
    days = np.where(np.arange(len(data.y)) % 2 == 0, 95.0, -10.0)
    _, known, given = split_at(data, config, days, monkeypatch)
    assert not given
    assert known.y[days > 0].sum() < 10


def rows(risk_12m, risk_24m):
    empty = dict.fromkeys(ROW_FIELDS)
    return [
        {**empty, "risk_12m": a, "risk_24m": b} for a, b in zip(risk_12m, risk_24m, strict=True)
    ]


def test_of_a_held_out_cohort_those_with_a_time_and_a_risk_count():
    times = Times(np.array([5.0, 13.0, np.nan, 30.0]), np.array([1, 0, 0, 1]))
    said = rows([0.4, None, 0.2, 0.1], [None, None, None, None])
    of = seen_rows(times, np.arange(4), said)
    assert of.families.tolist() == [0, 3]
    assert of.grid.tolist() == [YEAR]
    np.testing.assert_allclose(of.risks("model")[12], [0.4, 0.1])
    assert of.months.tolist() == [5.0, 30.0]
    both = seen_rows(times, np.arange(4), rows([0.4, None, 0.2, 0.1], [0.6, None, 0.3, 0.2]))
    assert both.grid.tolist() == [YEAR, TWO_YEARS]
    np.testing.assert_allclose(both.risks("model")[24], [0.6, 0.2])


def test_nobody_with_a_risk_is_no_figure():
    times = Times(np.array([5.0, 13.0]), np.array([1, 0]))
    assert len(seen_rows(times, np.arange(2), rows([None, None], [None, None])).event) == 0


@pytest.mark.slow
def test_a_run_with_every_further_split(demo, tmp_path):
    """A search of two trials, a date, a held-out cohort and the sites, all in one run."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    for name in ("patients", "alsfrs", "biomarkers"):
        table = pd.read_csv(demo / f"{name}.csv", dtype=str)
        if name == "patients":
            rng = np.random.default_rng(4)
            days = pd.to_timedelta(rng.integers(0, 2000, len(table)), unit="D")
            dates = pd.to_datetime("2018-01-01") + days
            table["index_date"] = dates.strftime("%Y-%m-%d")
            table["site"] = np.where(table.index % 2, "north", "south")
        table.to_csv(folder / f"{name}.csv", index=False)
    described = "name: dated\npatients: patients.csv\nalsfrs: alsfrs.csv\n"
    (folder / "cohort.yaml").write_text(described + "biomarkers: biomarkers.csv\n")
    few = [change for change in FAST if not change.startswith(("model", "validation.sites"))]
    changes = [
        f"cohort={folder}/cohort.yaml",
        *few,
        "features.blocks=[clinical,alsfrs]",
        "model.estimator=cox",
        "model.search={trials: 2, folds: 2}",
        "validation.split_date=2022-01-01",
        f"validation.cohort={folder}/cohort.yaml",
    ]
    found = train(load_config(SURVIVAL, changes))
    metrics = found.metrics
    for name in ("c_index", "brier_12m", "oe_12m", "calibration_slope"):
        for prefix in ("temporal", "external"):
            low, high = (metrics[f"{prefix}_{name}_{end}"] for end in ("low", "high"))
            assert low <= metrics[f"{prefix}_{name}"] <= high, (prefix, name)
    assert 0 < metrics["temporal_n"] < metrics["external_n"] == len(found.y)
    # The held-out cohort is the training cohort: its figure is the apparent one.
    assert metrics["external_harrell_c"] == pytest.approx(metrics["apparent_harrell_c"], abs=1e-9)
    assert [trial["number"] for trial in found.tables["trials"]] == [0, 1]
    assert all(len(fold.trials) == 2 for fold in found.validated.folds)
    assert [row["site"] for row in found.tables["sites"]] == ["north", "south"]
    assert metrics["sites_n"] == 2
    assert sum(row["n"] for row in found.tables["sites"]) == len(found.y)
    assert any("embargoed" in problem.found for problem in found.warnings)
    card = write_documents(found, tmp_path, [])[0].read_text()
    for words, prefix in (("the held-out cohort", "external"), ("the split date", "temporal")):
        counts = f"{metrics[f'{prefix}_n']:.0f}, {metrics[f'{prefix}_n_positive']:.0f}"
        assert f"{words} ({counts} with the event): c-index" in card
    late = train(load_config(SURVIVAL, [*changes[:-2], "validation.split_date=2050-01-01"]))
    assert "temporal_n" not in late.metrics
    assert any("too few patients" in problem.found for problem in late.warnings)


@pytest.mark.slow
def test_a_held_out_cohort_without_an_event_is_told(demo, tmp_path):
    patients = pd.read_csv(demo / "patients.csv", dtype=str)
    none = dict.fromkeys(("death_days", "tracheostomy_days", "niv_23h_days"), "")
    patients.assign(**none).to_csv(tmp_path / "patients.csv", index=False)
    (tmp_path / "cohort.yaml").write_text("name: alive\npatients: patients.csv\n")
    held_out = f"validation.cohort={tmp_path}/cohort.yaml"
    found = train(load_config(SURVIVAL, [f"cohort={demo}/cohort.yaml", *FAST, held_out]))
    assert not any(name.startswith("external") for name in found.metrics)
    assert any("0 have the event" in problem.found for problem in found.warnings)


def test_figures_of_others_count_them(data):
    data, config = data
    n = len(data.y)
    risk = np.linspace(0.05, 0.6, n)
    of = seen_rows(data.times, data.families, rows(risk, [None] * n))
    figures = figures_of_others(of, config)
    assert figures["n"] == n
    assert figures["n_positive"] == data.times.event.sum()
    assert figures["c_index_low"] < figures["c_index"] < figures["c_index_high"]
    assert all(np.isfinite(list(figures.values())))


def test_the_benchmark_loses_those_whom_it_says(data):
    """40 % leave before both the event and month 24; by their true risk the well, neither or the
    sick are lost more.
    """
    data, _ = data
    best = np.random.default_rng(2).uniform(0.05, 0.9, 4000)
    died = np.random.default_rng(3).exponential(-TWO_YEARS / np.log1p(-best))
    times = Times(np.minimum(died, 28.0), (died < 28.0).astype(int))
    many = replace(data, times=times, y=times.event.astype(float))
    orders = []
    for pull in (-0.7, 0.0, 0.7):
        fewer = lost(many, best, pull, np.random.default_rng(1)).of_times
        assert (fewer.months <= times.months).all()
        gone = ~fewer.event & (fewer.months < TWO_YEARS)
        assert gone.mean() == pytest.approx(0.4, abs=0.01)
        orders.append(stats.spearmanr(best, gone).statistic)
    assert orders[0] + 0.2 < orders[1] < orders[2] - 0.2


def test_the_share_of_the_possible_by_month_12_counts_the_lost():
    """Where nobody is lost it is that of labels; where some are, it stays about the same."""
    rng = np.random.default_rng(6)
    best = rng.uniform(0.05, 0.9, 3000)
    died = rng.exponential(-YEAR / np.log1p(-best))
    ours = best * rng.uniform(0.5, 1.5, 3000)
    whole = Times(np.minimum(died, 2 * YEAR), (died < 2 * YEAR).astype(int))
    auc, share = share_by_year(whole, ours, best)
    labels = (died <= YEAR).astype(float)
    assert (auc, share) == pytest.approx(share_of_possible(labels, ours, best))
    left = rng.exponential(2 * YEAR, 3000)
    some = Times(np.minimum(whole.months, left), np.where(left < died, 0, whole.cause))
    assert share_by_year(some, ours, best) == pytest.approx((auc, share), abs=0.02)


def test_the_best_possible_stands_under_the_auc_of_a_time(demo):
    config = load_config(SURVIVAL, [f"cohort={demo}/cohort.yaml", *FAST])
    found = train(config)
    row = summary(found)[-1]
    assert row["name"] == "best possible (simulated truth)"
    assert 0.5 < row["auc_12m"] < 0.95
    assert "roc_auc" not in row
