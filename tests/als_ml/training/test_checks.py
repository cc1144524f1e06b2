"""The honesty checks see what is planted, say "no signal" where there is none, and pass where all
is well.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from als_ml.config import load_config
from als_ml.training.estimates import unbeaten
from als_ml.training.folds import cross_validate, leave_one_site_out, site_splits, temporal
from als_ml.training.run import Training, train
from tests.cohorts import trainable
from tests.test_config import ROOT

QUICK = [
    "validation.folds=3",
    "validation.repeats=1",
    "validation.inner_folds=3",
    "validation.bootstrap=100",
    "validation.honesty=false",
]
FEW = "features.blocks=[clinical,biomarkers]"


def run(folder: Path, *changes: str) -> Training:
    cohort = f"cohort={folder}/cohort.yaml"
    return train(load_config(ROOT / "configs/progression.yaml", [cohort, FEW, *QUICK, *changes]))


def verdict(training: Training, name: str) -> tuple[str, str]:
    check = next(check for check in training.checks if check.name == name)
    return check.verdict, check.found


@pytest.fixture
def spoiled(demo, tmp_path):
    """A copy of the demo cohort without genetics, a function that changes one of its tables, and
    the labels.
    """
    folder = tmp_path / "cohort"
    shutil.copytree(demo, folder)
    described = yaml.safe_load((folder / "cohort.yaml").read_text())
    kept = {
        k: v
        for k, v in described.items()
        if k not in ("variants", "repeats", "reference", "genome_build")
    }
    (folder / "cohort.yaml").write_text(yaml.safe_dump(kept))

    def change(name: str, how) -> Path:
        table = pd.read_csv(folder / f"{name}.csv", dtype={"sample_id": str})
        how(table).to_csv(folder / f"{name}.csv", index=False)
        return folder

    return change


@pytest.fixture(scope="module")
def label(demo) -> pd.Series:
    """1 fast, 0 slow by patient; the others are absent."""
    config = load_config(ROOT / "configs/progression.yaml", [f"cohort={demo}/cohort.yaml", FEW])
    data = trainable(config)
    return pd.Series(data.y, index=data.rows.index)


def of(table: pd.DataFrame, label: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """The label of each row's patient, a coin where there is none."""
    known = table["sample_id"].map(label)
    return known.where(known.notna(), pd.Series(rng.integers(0, 2, len(table)))).to_numpy()


def test_a_sound_run_fails_nothing(training):
    assert [check.name for check in training.checks if check.verdict == "failed"] == []
    names = [check.name for check in training.checks]
    assert len(names) == len(set(names))
    assert {
        "label noise",
        "without the event patients",
        "held-out sites",
        "subgroups",
        "optimism",
    } <= set(names)
    assert [row["patients"] for row in training.tables["learning_curve"]] == sorted(
        row["patients"] for row in training.tables["learning_curve"]
    )


@pytest.mark.slow
def test_a_planted_leak(spoiled, label):
    rng = np.random.default_rng(1)
    folder = spoiled(
        "patients", lambda t: t.assign(handgrip=of(t, label, rng) + rng.normal(0, 0.1, len(t)))
    )
    found = run(folder, "features.columns=[handgrip]", "features.known_at=baseline")
    said = verdict(found, "circularity")
    assert said[0] == "failed"
    assert "handgrip" in said[1]
    assert found.metrics["roc_auc"] > 0.95


@pytest.mark.slow
def test_a_planted_site_effect(spoiled):
    """One laboratory reports creatinine threefold: the features tell the site."""
    folder = spoiled("patients", lambda t: t)
    site = pd.read_csv(folder / "patients.csv").set_index("sample_id")["site"]
    spoiled(
        "biomarkers", lambda t: t.assign(value=_times(t, t["sample_id"].map(site) == "site2", 3))
    )
    said = verdict(run(folder), "features tell the site")
    assert said[0] == "attention"
    assert "highest site2" in said[1]


def _times(table: pd.DataFrame, rows: pd.Series, factor: float) -> pd.Series:
    value, numeric = table["value"].astype(object), pd.to_numeric(table["value"], errors="coerce")
    own = (
        rows
        & numeric.notna()
        & table["analyte"].isin(["creatinine", "creatinine_serum", "ck_serum"])
    )
    return value.mask(own, numeric * factor)


@pytest.mark.slow
def test_sites_confounded_with_the_label(spoiled, label):
    """Nearly all fast patients come from one site: its name says the label, and its risk is far off
    when it is held out.
    """
    rng = np.random.default_rng(2)

    def moved(table):
        fast = of(table, label, rng) == 1
        usual = rng.random(len(table)) < 0.85
        return table.assign(site=np.where(fast == usual, "siteA", "siteB"))

    found = run(spoiled("patients", moved))
    assert verdict(found, "site and label")[0] == "attention"
    assert verdict(found, "held-out sites")[0] == "attention"


@pytest.mark.slow
def test_a_planted_batch_effect(spoiled):
    rng = np.random.default_rng(3)

    def measured(table):
        late = pd.Series(rng.random(len(table)) < 0.5)
        return table.assign(batch=np.where(late, "B2", "B1"), value=_times(table, late, 2))

    said = verdict(run(spoiled("biomarkers", measured)), "batch effects")
    assert said[0] == "attention"
    assert "creatinine_serum" in said[1]


@pytest.mark.slow
def test_batches_without_an_effect(spoiled):
    rng = np.random.default_rng(3)
    folder = spoiled(
        "biomarkers", lambda t: t.assign(batch=np.where(rng.random(len(t)) < 0.5, "B2", "B1"))
    )
    assert verdict(run(folder), "batch effects")[0] == "passed"


@pytest.mark.slow  # many fits
def test_shuffled_labels_have_no_signal(demo):
    """20 shuffles: the mean AUC is that of chance, and the run says so."""
    changes = [
        f"cohort={demo}/cohort.yaml",
        FEW,
        *QUICK,
        "label.uncertain=false",
        "model.calibration=sigmoid",
    ]
    config = load_config(ROOT / "configs/progression.yaml", changes)
    data = trainable(config)
    from als_ml.training.estimates import estimates

    rng, aucs, said = np.random.default_rng(5), [], []
    for _ in range(20):
        shuffled = replace(
            data, y=rng.permutation(data.y), by_event=np.zeros(len(data.y), dtype=bool)
        )
        metrics = estimates(shuffled, cross_validate(shuffled, config), config)
        aucs.append(metrics["roc_auc"])
        said.append(any("no signal" in sentence for sentence in unbeaten(metrics, "progression")))
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.02)
    assert np.mean(said) >= 0.9


def test_relatives_of_a_held_out_site_do_not_train(training):
    data = training.data
    splits = site_splits(data)
    assert len(splits) == 6
    for site, (train_part, test) in splits.items():
        assert set(data.column("site")[test]) == {site}
        assert not set(data.families[train_part]) & set(data.families[test])


@pytest.mark.slow
def test_a_temporal_split(spoiled):
    rng = np.random.default_rng(4)

    def dated(table):
        days = pd.to_datetime("2018-01-01") + pd.to_timedelta(
            rng.integers(0, 2000, len(table)), unit="D"
        )
        return table.assign(
            index_date=days.strftime("%Y-%m-%d").where(rng.random(len(table)) > 0.05, None)
        )

    folder = spoiled("patients", dated)
    found = run(folder, "validation.split_date=2021-06-01")
    assert found.metrics["temporal_n"] > 50
    assert 0.4 < found.metrics["temporal_roc_auc"] < 1
    config = load_config(
        ROOT / "configs/progression.yaml",
        [f"cohort={folder}/cohort.yaml", FEW, *QUICK, "validation.split_date=2021-06-01"],
    )
    _, counts, _ = temporal(found.data, config)
    assert counts["without_date"] > 0
    assert counts["embargoed"] > 0
    assert any("embargoed" in problem.found for problem in found.warnings)
    assert sum(counts.values()) == len(found.y)
    empty = run(folder, "validation.split_date=2050-01-01")
    assert "temporal_n" not in empty.metrics
    assert any("too few patients" in problem.found for problem in empty.warnings)


@pytest.mark.slow
def test_a_held_out_cohort(spoiled, demo):
    folder = spoiled("patients", lambda t: t)
    found = run(folder, f"validation.cohort={demo}/cohort.yaml")
    assert found.metrics["external_n"] == len(found.y)
    assert found.metrics["external_roc_auc"] == pytest.approx(
        found.metrics["apparent_roc_auc"], abs=0.02
    )


@pytest.mark.slow
def test_threads_change_no_bit(training, demo):
    """The same folds on one thread and on two."""
    changes = [f"cohort={demo}/cohort.yaml", FEW, *QUICK]
    found = []
    for threads in (1, 2):
        config = load_config(ROOT / "configs/progression.yaml", [*changes, f"threads={threads}"])
        data = trainable(config)
        found.append(
            (cross_validate(data, config).probability["model"], leave_one_site_out(data, config))
        )
    assert np.array_equal(found[0][0], found[1][0])
    for one, two in zip(found[0][1].values(), found[1][1].values(), strict=True):
        assert np.array_equal(one.probability["model"], two.probability["model"])


def test_out_of_distribution_says_why(training):
    rows = training.rows.iloc[:2].copy()
    rows.iloc[0, list(rows.columns).index("age_at_onset")] = 250.0
    strange, usual = training.predictor.predict_rows(rows)
    assert strange["out_of_distribution"]
    reason = next(
        driver for driver in strange["drivers"] if "outside the training data" in driver["text"]
    )
    assert (reason["feature"], reason["value"], reason["contribution"]) == (
        "age_at_onset",
        250.0,
        0.0,
    )
    assert usual["out_of_distribution"] == any(
        "outside" in driver["text"] for driver in usual["drivers"]
    )


def test_importance_adds_up(training):
    table = pd.DataFrame(training.tables["importance"])
    for _, own in table.groupby("kind"):
        assert own["share"].sum() == pytest.approx(1.0)
    assert (table["low"] <= table["share"]).all()
    assert (table["share"] <= table["high"]).all()
