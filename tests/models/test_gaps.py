"""Scores of patients with unknown values: honest probabilities, on made-up patients of a known
model.
"""

import numpy as np
import pytest

from models.calibration import fit_sigmoid
from models.fitted import Calibration, fit_model
from models.gaps import unknown_share
from models.members import Recipe

RECIPE = Recipe(
    "progression",
    (("elastic_net", {"curvature": 0.0}), ("xgboost", {"n_estimators": 60})),
    seed=1,
    inner_folds=3,
    coverage=0.9,
    related=True,
)


def made(n, seed):
    """Ten columns of equal weight that share nothing, so that a filled value knows nothing of the
    patient.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 10))
    return X, (0.7 * X.sum(axis=1) + rng.logistic(size=n) > 0).astype(float)


def log_odds(p):
    return np.log(p / (1 - p))


@pytest.fixture(scope="module")
def model():
    X, y = made(1500, 0)
    return fit_model(X, y, np.arange(1500), RECIPE)


def test_a_patient_with_half_of_the_values_keeps_an_honest_probability(model):
    X, y = made(6000, 1)
    half = np.where(np.random.default_rng(2).random(X.shape) < 0.5, np.nan, X)
    unfaded = model.calibration.map.probability(model.raw_sum(half))
    assert model.calibration.fade > 0
    assert fit_sigmoid(log_odds(model.probability(half)), y)[0] == pytest.approx(1.0, abs=0.12)
    assert (
        fit_sigmoid(log_odds(unfaded), y)[0] < fit_sigmoid(log_odds(model.probability(half)), y)[0]
    )
    assert fit_sigmoid(log_odds(model.probability(X)), y)[0] == pytest.approx(1.0, abs=0.12)


def test_parts_add_up_to_the_drawn_in_score_and_one_row_has_the_bits_of_the_batch(model):
    X = made(200, 3)[0]
    X[np.random.default_rng(4).random(X.shape) < 0.3] = np.nan
    score, parts = model.score(X), model.contributions(X)
    rest = model.calibration.slope * score - parts.sum(axis=1)
    assert np.ptp(rest) < 1e-4  # TreeSHAP is single precision
    assert rest[0] == pytest.approx(model.calibration.slope * model.calibration.centre, abs=1e-4)
    for i in range(0, 200, 20):
        assert model.score(X[i : i + 1])[0] == score[i]
        assert np.array_equal(model.contributions(X[i : i + 1])[0], parts[i])


def test_a_task_that_may_not_learn_from_gaps_is_not_drawn_in():
    from dataclasses import replace

    X, y = made(300, 5)
    members = (("elastic_net", {}),)
    familial = replace(RECIPE, task="familial", members=members, related=False)
    assert fit_model(X, y, np.arange(300), familial).calibration.fade == 0


def test_shares_of_what_a_model_weighs():
    X = np.array([[1.0, np.nan, 2.0], [np.nan] * 3, [0.0, 0.0, 0.0]])
    assert unknown_share(X, np.array([1.0, 3.0, 0.0])) == pytest.approx([0.75, 1.0, 0.0])
    assert unknown_share(X, np.zeros(3)) == pytest.approx([0.0, 0.0, 0.0])


def test_a_model_stored_before_is_read_without_it():
    stored = Calibration((1.0, 1.0), 0.5, (), (), (), "sigmoid", 1.0, 0.0).to_json()
    del stored["fade"], stored["centre"]
    assert Calibration.from_json(stored).fade == 0
