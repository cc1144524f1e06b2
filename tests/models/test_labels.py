"""Labels by configuration: schemes, classes, the slope, events; and what a label of dFS forbids."""

import numpy as np
import pandas as pd
import pytest

from als_ml.config import load_config
from als_ml.prediction.storage import load_predictor, save_predictor
from als_ml.training.run import _note_scheme, train
from als_ml.training.task_data import make_labels, prepare
from features.blocks.landmark import as_known
from features.catalogue import progression_schemes, shipped
from features.errors import RequestError
from features.tables.problems import Problems
from tests.cohorts import read
from tests.test_config import ROOT

PROGRESSION = ROOT / "configs/progression.yaml"


def config(*changes: str):
    return load_config(PROGRESSION, ["label.cutoff=null", *changes])


@pytest.mark.parametrize("scheme", sorted(progression_schemes(shipped())))
def test_each_published_scheme(cohort, scheme):
    labels = make_labels(config(f"label.scheme={scheme}"), cohort)
    slope, cuts = labels.slope, progression_schemes(shipped())[scheme]
    known = np.isfinite(slope)
    assert (labels.y[known] == (slope[known] >= cuts[-1])).all()
    assert (labels.level[known] == (slope[known, None] >= np.array(cuts)).sum(axis=1)).all()
    assert len(labels.classes) == len(cuts) + 1
    assert (labels.level[labels.by_event] == len(cuts)).all()  # an event is the fastest class


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["label.scheme=gordon"], ["were published for dFS; here they cut a prospective slope"]),
        (["label.scheme=precision_als"], ["for a measure that we could not confirm"]),
        (["label.scheme=default"], []),
        (["label.scheme=gordon", "label.measure=delta_fs", "features.blocks=[clinical]"], []),
    ],
)
def test_a_scheme_says_what_it_was_made_for(changes, said):
    problems = Problems()
    _note_scheme(config(*changes), shipped(), problems)
    assert len(problems.found) == len(said)
    assert all(words in problem.found for words, problem in zip(said, problems.found, strict=True))


def test_what_an_event_means(cohort):
    by = {
        rule: make_labels(config(f"label.events={rule}"), cohort)
        for rule in ("without_slope", "all", "none")
    }
    assert by["none"].counts["fast_by_event"] == 0
    assert by["all"].counts["fast_by_event"] > by["without_slope"].counts["fast_by_event"] > 0


def test_the_label_of_a_treated_patient(tmp_path):
    """From files to labels: the same course untreated, treated after enough visits, too early, and
    on no known day.
    """
    rows = [
        ("untreated", "no", ""),
        ("late", "yes", 300),
        ("early", "yes", 150),
        ("by_landmark", "yes", 90),
        ("undated", "yes", ""),
    ]
    patients = pd.DataFrame(rows, columns=["sample_id", "trial_drug", "trial_drug_start_days"])
    # All die on day 400; only before that, and before the treatment, a death or a visit counts.
    patients.assign(death_days=400).to_csv(tmp_path / "patients.csv", index=False)
    visits = [(name, day, 40 - day // 50) for name, *_ in rows for day in (0, 100, 200, 300)]
    table = pd.DataFrame(visits, columns=["sample_id", "days", "total"])
    table.to_csv(tmp_path / "alsfrs.csv", index=False)
    (tmp_path / "cohort.yaml").write_text("patients: patients.csv\nalsfrs: alsfrs.csv\n")
    cohort = read(tmp_path / "cohort.yaml")
    found = make_labels(config("label.cutoff=1"), cohort)
    assert found.y.tolist() == pytest.approx([0, 0, np.nan, np.nan, np.nan], nan_ok=True)
    assert found.counts == {
        "slow_by_slope": 2,
        "fast_by_slope": 0,
        "fast_by_event": 0,
        "unlabelled_treated": 1,
        "unlabelled_treated_early": 1,
        "unlabelled_treatment_undated": 1,
        "positive": 0,
        "negative": 2,
        "unlabelled_total": 3,
    }
    assert found.at_risk.tolist() == [True, True, True, False, False]


def test_every_patient_is_counted_once(cohort):
    """The reasons add up to the patients, for both tasks."""
    totals = {"positive", "negative", "unlabelled_total"}
    for task in ("progression", "familial"):
        counts = make_labels(load_config(ROOT / f"configs/{task}.yaml"), cohort).counts
        assert counts["positive"] + counts["negative"] + counts["unlabelled_total"] == len(cohort)
        reasons = {name: n for name, n in counts.items() if name not in totals}
        labelled = 0 if task == "progression" else counts["positive"] + counts["negative"]
        assert sum(reasons.values()) + labelled == len(cohort)


def test_a_label_of_the_past(cohort):
    own = config("label.measure=delta_fs", "features.blocks=[clinical,biomarkers]")
    labels = make_labels(own, cohort)
    visits = as_known(cohort, 90).alsfrs
    assert np.isfinite(labels.slope).sum() > 0.8 * len(set(visits["row"]))
    assert ((labels.slope >= 1.0) == (labels.y == 1))[np.isfinite(labels.slope)].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["label.measure=delta_fs"],
            "alsfrs and prognosis .ENCALS contains dFS.: leave them out of features.blocks",
        ),
        (["label.learn=classes"], "needs two cut-offs or more"),
        (["label.scheme=gordon", "label.cutoff=1"], "give label.scheme or label.cutoff, not both"),
        (["label.middle_cutoff=0.5"], "goes with a higher label.cutoff"),
        (["label.middle_cutoff=1.5", "label.cutoff=1"], "goes with a higher label.cutoff"),
        (["label.scheme=kimura_tree"], "is not known .Did you mean 'kimura_three'"),
        (["label.scheme=xyz"], "is not known .Known: default, elamin, gordon"),
    ],
)
def test_labels_that_make_no_sense(changes, message):
    with pytest.raises(RequestError, match=message):
        config(*changes)


@pytest.mark.slow
@pytest.mark.parametrize("learn", ["classes", "slope"])
def test_learning_more_than_fast_or_slow(demo, cohort, tmp_path, learn):
    """Simulated patients: machinery, not medicine."""
    changes = [
        f"cohort={demo}/cohort.yaml",
        f"label.learn={learn}",
        "label.scheme=kimura_three",
        "validation.folds=3",
    ]
    quick = [
        "validation.inner_folds=3",
        "validation.repeats=1",
        "validation.bootstrap=50",
        "validation.honesty=false",
        "validation.sites=false",
    ]
    training = train(config(*changes, *quick))
    assert training.metrics["roc_auc"] > 0.6
    assert any("published for dFS" in problem.found for problem in training.warnings)
    rows = training.predictor.predict_cohort(cohort)
    loaded = load_predictor(**save_predictor(training.predictor, tmp_path))
    assert loaded.predict_cohort(cohort) == rows
    scored = [row for row in rows if not row["error"]]
    if learn == "slope":
        assert training.metrics["slope_mae"] < training.metrics["baseline_mean_slope_mae"]
        return
    assert training.metrics["classes_kappa"] > 0.1
    assert {row["predicted_class"] for row in scored} == {"slow", "intermediate", "fast"}
    for row in scored:
        members = row["prediction_set"].split("|") if row["prediction_set"] else []
        assert row["abstained"] == (len(members) != 1)
        assert members == sorted(members)


def test_the_mixed_slope_is_fitted_inside_the_fold(cohort, demo):
    from als_ml.cohort.source import open_cohort

    data = prepare(config(), cohort, open_cohort(demo / "cohort.yaml").described)
    half = np.arange(len(data.y) // 2)
    column = list(data.rows.columns).index("mixed_slope")
    inside, everywhere = data.matrix(half)[:, column], data.rows["mixed_slope"].to_numpy()
    assert np.isfinite(inside).sum() == np.isfinite(everywhere).sum() > 100
    assert not np.array_equal(inside, everywhere, equal_nan=True)


def test_a_column_that_is_dfs_is_no_label_for_dfs(cohort, demo):
    from dataclasses import replace

    from als_ml.cohort.source import open_cohort
    from features.blocks.rows import feature_rows
    from features.blocks.spec import FeatureSpec
    from features.errors import DataError

    rate = feature_rows(cohort, FeatureSpec(blocks=("alsfrs",)))["delta_fs"].to_numpy()
    disguised = replace(cohort, patients=cohort.patients.assign(progression_rate=rate * 2 + 1))
    changes = ["label.column=progression_rate", "label.above=2"]
    with pytest.raises(DataError, match=r"'progression_rate' is dFS, which is also a feature"):
        prepare(config(*changes), disguised, open_cohort(demo / "cohort.yaml").described)
    blind = config(*changes, "features.blocks=[clinical,biomarkers]")
    assert prepare(blind, disguised, open_cohort(demo / "cohort.yaml").described).y.mean() > 0
