"""A search inside the fold: seeded, resumable, bounded; stacks.

Labels learned as far as their error lets them be known.
"""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from als_ml.config import load_config
from als_ml.training.task_data import recipe_of
from features.errors import RequestError
from models.choice import TREES
from models.estimators import as_certain, names, names_of_times
from models.fitted import fit_model
from models.labels import likely_labels
from models.members import Search, Trial, family_folds, fit_member, varying
from models.search import tuned
from models.survival.fitted import fit_survival
from models.survival.partial_likelihood import cox_loss
from models.survival.times import signed, unsigned
from tests.test_config import ROOT

PROGRESSION = ROOT / "configs/progression.yaml"


def patients(n=240, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).astype(np.float32)
    X[rng.random(X.shape) < 0.05] = np.nan
    y = (rng.random(n) < 1 / (1 + np.exp(-2 * np.nan_to_num(X[:, 0])))).astype(float)
    return X, y, np.arange(n)


def recipe(*changes):
    return recipe_of(load_config(PROGRESSION, ["validation.inner_folds=3", *changes]))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name == "random_forest" else [])
        for name in names()
    ],
)
def test_each_estimator_is_searched_and_the_same_seed_gives_the_same_bits(name):
    made = recipe(
        f"model.estimator={name}", "model.search={trials: 2, folds: 2}", "validation.inner_folds=2"
    )
    first, second = (fit_model(*patients(100), made) for _ in range(2))
    assert first.members[0].parameters == second.members[0].parameters
    assert np.array_equal(
        first.probability(patients(seed=1)[0]), second.probability(patients(seed=1)[0])
    )


def test_the_first_trial_is_what_the_configuration_says():
    made = recipe(
        "model.estimator=elastic_net",
        "model.parameters={C: 0.2}",
        "model.search={trials: 1, folds: 2}",
    )
    found, trials = tuned(*patients(), made, patients()[1])
    assert found.members[0][1]["C"] == 0.2
    assert [trial.state for trial in trials] == ["COMPLETE"]


def test_trees_are_stopped_early():
    made = recipe("model.estimator=xgboost", "model.search={trials: 2, folds: 2}")
    found, _ = tuned(*patients(), made, patients()[1])
    assert 1 <= found.members[0][1]["n_estimators"] < 600


def test_an_interrupted_search_goes_on_as_if_uninterrupted(tmp_path):
    X, y, families = patients()
    made = recipe("model.estimator=elastic_net")
    journal = str(tmp_path / "search.journal")
    whole = tuned(X, y, families, replace(made, search=Search(6, folds=2)), y)
    part = tuned(X, y, families, replace(made, search=Search(2, folds=2, journal=journal)), y)
    rest = tuned(X, y, families, replace(made, search=Search(6, folds=2, journal=journal)), y)
    assert len(part[1]) == 2
    assert [trial.loss for trial in rest[1]] == pytest.approx(
        [trial.loss for trial in whole[1]], nan_ok=True
    )
    assert rest[0].members == whole[0].members


def test_other_patients_have_a_journal_of_their_own(tmp_path):
    made = replace(
        recipe("model.estimator=elastic_net"),
        search=Search(2, folds=2, journal=str(tmp_path / "j")),
    )
    for seed in (0, 1):
        X, y, families = patients(seed=seed)
        assert len(tuned(X, y, families, made, y)[1]) == 2


def test_time_ends_a_search():
    made = replace(
        recipe("model.estimator=elastic_net"), search=Search(1000, seconds=0.01, folds=2)
    )
    X, y, families = patients()
    assert len(tuned(X, y, families, made, y)[1]) < 10


def times(n=160, seed=0):
    """Patients whose hazard rises with the first column; a third are lost before the event."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).astype(np.float32)
    died, left = rng.exponential(12 * np.exp(-1.5 * X[:, 0])), rng.exponential(30, n)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, signed(np.minimum(died, left) + 0.01, died <= left), np.arange(n)


def recipe_of_times(name, *changes):
    only = [f"model.estimator={name}", "validation.inner_folds=2"]
    return recipe_of(load_config(ROOT / "configs/survival.yaml", [*only, *changes]))


@pytest.mark.parametrize("name", names_of_times())
def test_each_estimator_of_times_is_searched_and_the_same_seed_gives_the_same_bits(name):
    few = "{classifier: elastic_net, interval_months: 6}" if name == "discrete_time" else "{}"
    made = recipe_of_times(name, f"model.parameters={few}", "model.search={trials: 2, folds: 2}")
    tried: list[Trial] = []
    first, second = (fit_survival(*times(90), made, trials=tried) for _ in range(2))
    assert first.members[0].parameters == second.members[0].parameters
    assert np.array_equal(first.probability(times(seed=1)[0]), second.probability(times(seed=1)[0]))
    assert [trial.number for trial in tried] == [0, 1, 0, 1]


def test_of_times_the_best_trial_orders_the_held_out_best():
    """The loss of a trial is Cox's of its held-out scores, computed here from the fits."""
    X, learned, families = times()
    made = recipe_of_times("cox", "model.search={trials: 4, folds: 2}")
    event = (learned > 0).astype(float)
    found, trials = tuned(X, event, families, made, learned)
    folds = family_folds(event, families, 2, made.seed)
    for trial in [one for one in trials if one.state == "COMPLETE"]:
        scores = [
            fit_member("cox", trial.parameters, X[a], learned[a], made).score(X[b])
            for a, b in folds
        ]
        losses = [
            cox_loss(score, *unsigned(learned[b]))
            for score, (_, b) in zip(scores, folds, strict=True)
        ]
        assert trial.loss == pytest.approx(np.mean(losses))
    best = min(trials, key=lambda one: one.loss if one.state == "COMPLETE" else np.inf)
    assert found.members[0][1] == best.parameters
    assert trials[0].parameters == {"l1_ratio": 0.5}  # what the configuration says


@pytest.mark.parametrize("name", ["xgboost_cox", "xgboost_aft"])
def test_trees_of_times_are_as_many_as_the_held_out_choose(name):
    X, learned, families = times()
    made = recipe_of_times(name, "model.search={trials: 1, folds: 2}")
    found, trials = tuned(X, (learned > 0).astype(float), families, made, learned)
    trees = found.members[0][1]["n_estimators"]
    assert TREES[0] <= trees <= TREES[-1]
    # A hundred and sixty patients with one signal need few trees, and more of them are worse.
    assert trees < 200
    assert trials[0].parameters["n_estimators"] == trees


def test_a_stack_leans_on_the_member_that_knows():
    made = recipe(
        "model.estimator=stack",
        "model.members={elastic_net: {C: 1.0}, random_forest: {n_estimators: 30}}",
    )
    X, y, families = patients(400)
    fitted = fit_model(X, y, families, made)
    # A part is a weight times the spread of the scores that it weighs: here the truth is linear.
    parts = {m.name: m.weight * m.score(X).std() for m in fitted.members}
    assert parts["elastic_net"] > parts["random_forest"] >= 0
    assert roc_auc_score(y, fitted.probability(X)) > 0.8


def test_an_uncertain_label_weighs_as_two_patients():
    X = np.arange(3.0).reshape(3, 1)
    more, labels, weights = as_certain(X, np.array([1.0, 0.0, 0.7]))
    assert labels.tolist() == [1, 0, 1, 0]
    assert weights == pytest.approx([1, 1, 0.7, 0.3])
    assert more[:, 0].tolist() == [0, 1, 2, 2]
    assert as_certain(X, np.array([1.0, 0.0, 1.0]))[2] is None


def test_how_likely_a_label_is():
    """Three visits over six months (spread 18 month^2) with a residual SD of 1.5: the slope's error
    is 0.354.
    """
    slope, y = np.array([1.0, 2.0, 0.3, np.nan]), np.array([1.0, 1.0, 0.0, 1.0])
    scatter = np.array([[18.0, 2.25, 1.0]] * 4)
    found = likely_labels(y, slope, scatter, 1.0)
    assert found[0] == pytest.approx(0.5)
    assert found[1] == pytest.approx(0.99766, abs=1e-4)  # Phi(1 / 0.35355), R 4.2.2 pnorm
    assert found[2] == pytest.approx(0.02386, abs=1e-4)
    assert found[3] == 1.0


def test_what_hardly_varies_is_left_out():
    X = np.zeros((100, 3), dtype=np.float32)
    X[:1, 0], X[:5, 1], X[:, 2] = 1, 1, np.arange(100)
    assert varying(X, 0.02).tolist() == [1, 2]
    assert varying(X, 0.0).tolist() == [0, 1, 2]
    member = fit_member(
        "elastic_net", {}, X, (np.arange(100) > 50).astype(float), recipe("model.least_share=0.02")
    )
    assert member.columns == (1, 2)
    assert member.contributions(X)[:, 0].tolist() == [0] * 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["model.estimator=stack", "model.members={xgboost: {}}"],
            "a stack takes two or more `members`",
        ),
        (["model.estimator=stack", "model.parameters={C: 1}"], "and no `parameters`"),
        (["model.estimator=svm"], "is not a registered estimator"),
        (["model.search={trials: 0}"], "greater than or equal to 1"),
        (["model.search={trails: 3}"], "Did you mean 'trials'"),
        (["model.calibration=platt"], "input should be"),
        (["decision.sensitivity=1.5"], "less than or equal to 1"),
        (["decision.miss_cost=0"], "greater than 0"),
        (["validation.split_date=soon"], "split_date"),
        (["label.error=0.3"], "label.error goes with label.column"),
    ],
)
def test_a_configuration_that_makes_no_sense(changes, message):
    with pytest.raises(RequestError, match=message):
        load_config(PROGRESSION, changes)
