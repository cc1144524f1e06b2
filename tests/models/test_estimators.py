"""One contract over every registered estimator, ours and those of other packages."""

import numpy as np
import pytest
import skops.io

from als_ml.prediction.storage import trusted_types
from features.errors import RequestError
from models.estimators import estimator, fit, make_pipeline, names
from models.fitted import fit_model
from models.members import Recipe

# Fewer trees than the defaults: the promises do not hang on how many there are.
FEW = {
    "random_forest": {"n_estimators": 20},
    "histogram_boosting": {"max_iter": 20},
    "xgboost": {"n_estimators": 20},
}


def made(n=160, p=5, unknown=0.15, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).astype(np.float32)
    y = (X[:, 0] + 0.5 * X[:, 1] ** 2 + rng.normal(size=n) > 0.5).astype(float)
    X[rng.random(X.shape) < unknown] = np.nan
    return X, y


def fitted(name, X, y, seed=1, continuous=False):
    pipeline = make_pipeline(name, FEW.get(name, {}), seed, 1, True, continuous)
    return fit(name, pipeline, X, y, seed, True)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("name", names())
def test_gaps_are_scored_and_one_row_has_the_bits_of_the_batch(name, continuous):
    X, y = made()
    X[0] = np.nan
    kind, pipeline = estimator(name), fitted(name, X, y + 0.1 * continuous, continuous=continuous)
    for scored in (kind.score, kind.contributions):
        batch = scored(pipeline, X)
        assert np.isfinite(batch).all()
        for i in range(0, len(X), 16):
            assert np.array_equal(scored(pipeline, X[i : i + 1])[0], batch[i])


@pytest.mark.parametrize("name", [name for name in names() if estimator(name).explained])
@pytest.mark.parametrize("rows", [1, 160])
def test_score_and_contributions_at_once_are_those_of_each(name, rows):
    X, y = made()
    kind, pipeline = estimator(name), fitted(name, X, y)
    score, parts = kind.explained(pipeline, X[:rows])
    assert np.array_equal(score, kind.score(pipeline, X[:rows]))
    assert np.array_equal(parts, kind.contributions(pipeline, X[:rows]))


@pytest.mark.parametrize("members", [("xgboost",), ("xgboost", "elastic_net")])
def test_a_model_explains_what_it_scores(members):
    """Also of a stack, of which one member alone has both at once."""
    X, y = made()
    recipe = Recipe(
        task="progression",
        members=tuple((name, FEW.get(name, {})) for name in members),
        seed=1,
        inner_folds=3,
        coverage=0.9,
    )
    model = fit_model(X, y, np.arange(len(X)), recipe)
    probability, parts = model.explained(X)
    assert np.array_equal(probability, model.probability(X))
    assert np.array_equal(parts, model.contributions(X))


@pytest.mark.parametrize("name", names())
def test_contributions_differ_from_the_score_by_one_number(name):
    """By the intercept; a forest's are shares of votes, its score their log-odds."""
    X, y = made()
    kind, pipeline = estimator(name), fitted(name, X, y)
    score, parts = kind.score(pipeline, X), kind.contributions(pipeline, X)
    assert parts.shape == X.shape
    if name == "random_forest":
        score = 1 / (1 + np.exp(-score))
    assert np.ptp(score - parts.sum(axis=1)) < 1e-4


@pytest.mark.parametrize("name", names())
def test_the_features_that_count_weigh_most(name):
    """The first moves the label by itself, the second by its square, the others not at all."""
    X, y = made(n=600, unknown=0.0)
    weighs = estimator(name).contributions(fitted(name, X, y), X).std(axis=0)
    assert weighs[0] > 2 * weighs[2:].max()
    assert name == "elastic_net" or weighs[1] > weighs[2:].max()


@pytest.mark.parametrize("continuous", [False, True])
def test_what_boosting_says_of_a_feature_is_measured_from_the_training_patients(continuous):
    """A node's value is the mean of the training patients who pass it, so that the steps away from
    it add up to 0 over them, whatever the learning rate, and none is longer than the scores differ.
    """
    X, y = made(unknown=0.0)
    kind = estimator("histogram_boosting")
    pipeline = fitted("histogram_boosting", X, y, continuous=continuous)
    parts, score = kind.contributions(pipeline, X), kind.score(pipeline, X)
    assert np.abs(parts.mean(axis=0)).max() < 1e-6
    assert np.abs(parts).max() < np.ptp(score)
    assert parts[:, :2].std(axis=0).min() > parts[:, 2:].std(axis=0).max()


def test_what_boosting_says_of_a_feature_by_hand():
    """One stump: who is above the split has the score of those above, less the mean of all."""
    X = np.repeat([[0.0, 3.0], [1.0, 3.0]], [30, 10], axis=0).astype(np.float32)
    y = np.repeat([0.0, 1.0], [30, 10])
    parameters = {"max_iter": 1, "learning_rate": 0.5, "max_features": 1.0}
    pipeline = make_pipeline("histogram_boosting", parameters, 1, 1, True)
    fit("histogram_boosting", pipeline, X, y, 1, True)
    kind = estimator("histogram_boosting")
    score, parts = kind.score(pipeline, X), kind.contributions(pipeline, X)
    assert parts[:, 1].tolist() == [0.0] * 40
    assert parts[:, 0] == pytest.approx(score - (0.75 * score[0] + 0.25 * score[-1]))


@pytest.mark.parametrize("name", names())
def test_it_is_stored_without_a_pickle_and_comes_back_the_same(name):
    X, y = made()
    kind, pipeline = estimator(name), fitted(name, X, y)
    content = skops.io.dumps(pipeline)
    back = skops.io.loads(content, trusted=trusted_types([name]))
    assert np.array_equal(kind.score(back, X), kind.score(pipeline, X))


@pytest.mark.parametrize("name", names())
def test_the_same_seed_gives_the_same_bits(name):
    X, y = made()
    kind = estimator(name)
    first, second = (kind.score(fitted(name, X, y), X) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", names())
def test_its_score_follows_the_label(name):
    X, y = made()
    score = estimator(name).score(fitted(name, X, y), X)
    assert score[y == 1].mean() > score[y == 0].mean()


class Midpoint:
    """Stands in for a trial of Optuna: the middle of each range."""

    def suggest_float(self, key, low, high, log=False):
        return (low * high) ** 0.5 if log else (low + high) / 2

    def suggest_int(self, key, low, high, step=1, log=False):
        return low


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("name", names())
def test_what_a_search_tries_are_parameters_of_it(name, continuous):
    space = estimator(name).space(Midpoint(), continuous)
    assert space
    make_pipeline(name, space, 1, 1, True, continuous)


@pytest.mark.parametrize("name", names())
def test_an_unknown_parameter_is_refused(name):
    with pytest.raises(RequestError, match=rf"parameters\.depht.*{name} has no such parameter"):
        make_pipeline(name, {"depht": 3}, 1, 1, True)


def test_an_unknown_estimator_is_refused():
    with pytest.raises(RequestError, match=r"no such estimator.*elastic_net"):
        estimator("elastic_nett")
