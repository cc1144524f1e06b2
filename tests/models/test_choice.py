"""What is chosen inside the training part, with toys whose losses are stated: which penalties are
tried, which setting wins, and whose data each fold sees.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from models import choice as of_labels
from models.choice import CURVATURES, PENALTIES, TREES, Prepared
from models.linear import Line
from models.members import Recipe
from models.survival import choice as of_times
from models.survival.times import signed

BOTH = pytest.mark.parametrize("module", [of_labels, of_times])
FOLDS = [(np.array([0, 1, 3]), np.array([2, 4])), (np.array([2, 4]), np.array([0, 1, 3]))]
Y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
RECIPE = Recipe(task="progression", members=(), seed=1, inner_folds=2, coverage=0.9)


def test_what_is_tried():
    """Half a decade a step, from 1/1000 to 10 ** 0.5."""
    steps = [0.001, 0.003162, 0.01, 0.031623, 0.1, 0.316228, 1.0, 3.162278]
    assert list(PENALTIES) == steps
    assert CURVATURES == (0.0, 0.3)
    assert TREES == (50, 100, 150, 200, 300, 400)
    assert of_times.BOOSTED == ("xgboost_cox", "xgboost_aft")


class Linear:
    """Its coefficient is the penalty's number from 1 on, 0 up to `silent`; starts are checked."""

    def __init__(self, module, silent=0):
        self.module, self.silent, self.lines = module, silent, [None]

    def along(self, train, target, strengths, start):
        assert start is self.lines[-1]
        (C,) = strengths
        number = PENALTIES.index(C) + 1
        weight = np.array([0.0 if number <= self.silent else float(number)])
        assert (train.tolist(), target.tolist()) == ([[1.0]], [7.0])
        line = weight if self.module is of_times else Line(weight, 100.0)
        self.lines.append(line)
        return [line]


def sides(module, *silent):
    """A fold a model, each tested on its own two patients, whose column is 1 and 2."""
    return [
        Prepared(
            train=np.array([[1.0]]),
            test=np.array([[1.0], [2.0]]),
            target=np.array([7.0]),
            place=np.array([i, i + len(silent)]),
            model=Linear(module, none),
            lines=1,
        )
        for i, none in enumerate(silent)
    ]


def tried(module, losses, monkeypatch, *silent):
    """Numbers of the penalties that are rated where their losses are these."""
    given, rated = iter(losses), []

    def loss(score, *judged):
        assert all(len(one) == len(score) for one in judged)
        assert len(judged) == (1 if module is of_labels else 2)
        rated.append(score)
        return next(given)

    monkeypatch.setattr(module, "log_loss" if module is of_labels else "cox_loss", loss)
    folds = sides(module, *silent)
    learned = np.ones(2 * len(silent))
    found = list(module._penalties({"curvature": 0.0, "x": 1}, folds, learned))
    assert [score.tolist() for _, score in found] == [score.tolist() for score in rated]
    for settings, score in found:
        assert list(settings) == ["curvature", "x", "C"]
        number = PENALTIES.index(settings["C"]) + 1
        # Of a model that is silent 0, else its coefficient times 1 and 2.
        of = np.array([0.0 if number <= none else number for none in silent])
        expected = np.r_[of, 2 * of] + (100 if module is of_labels else 0)
        np.testing.assert_array_equal(score, expected)
    return [PENALTIES.index(settings["C"]) + 1 for settings, _ in found]


@pytest.mark.parametrize(
    ("losses", "labels", "times"),
    [
        ([9, 8, 7, 6, 5, 4, 3, 2], 8, 8),
        ([9, 8, 7, 8, 9], 5, 4),
        ([9, 8, 8, 8], 4, 3),  # as high is no lower
        ([9, 10, 8, 9, 10], 5, 2),  # what rose once may fall again
        ([9, 11, 10], 3, 2),  # lower than the last, and not than the lowest
        ([9, 8, 7, 6, 5, 4, 3, 4], 8, 8),
        ([9, 8, 7, 6, 5, 4, 5, 6], 8, 7),
    ],
)
def test_a_weaker_penalty_is_tried_until_the_loss_has_risen(losses, labels, times, monkeypatch):
    """Twice in a row for labels, once for times."""
    assert tried(of_labels, losses, monkeypatch, 0, 0) == list(range(1, labels + 1))
    assert tried(of_times, losses, monkeypatch, 0, 0) == list(range(1, times + 1))


@BOTH
@pytest.mark.parametrize(
    ("silent", "rated"),
    [
        ((0, 0), [1, 2, 3, 4, 5, 6, 7, 8]),
        ((3, 0), [4, 5, 6, 7, 8]),  # silent in some fold
        ((0, 3), [4, 5, 6, 7, 8]),
        ((7, 7), [8]),
        ((8, 8), [8]),  # one is rated whatever it says
    ],
)
def test_a_penalty_that_leaves_nothing_is_not_rated(module, silent, rated, monkeypatch):
    assert tried(module, range(9, 0, -1), monkeypatch, *silent) == rated


def test_the_log_loss_of_a_two_by_two_table():
    """Of those scored 0 a quarter is positive, of those scored 1 three quarters: however the scores
    are scaled, the entropy of 1/4, -ln(.25) / 4 - 3 ln(.75) / 4.
    """
    score, y = np.repeat([0.0, 1.0], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0])
    for scale in (1.0, 50.0):
        assert of_labels.log_loss(scale * score + 3, y) == pytest.approx(0.5623351446, abs=1e-9)
    # Without any signal, or with one that is turned, the entropy of one half.
    assert of_labels.log_loss(np.zeros(8), y) == pytest.approx(np.log(2))
    assert of_labels.log_loss(-score, y) == pytest.approx(np.log(2))


@pytest.mark.parametrize(("far", "label"), [(-20.0, 0.0), (21.0, 1.0)])
def test_a_patient_beyond_doubt_costs_nothing(far, label):
    """A ninth patient whose score lies so far off that his log-odds of 43 are no number below 1.
    The search for the sigmoid ends there: the other eight keep their loss to within 2e-4.
    """
    score, y = np.repeat([0.0, 1.0], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0])
    found = of_labels.log_loss(np.r_[score, far], np.r_[y, label])
    assert found == pytest.approx(0.5623351446 * 8 / 9, abs=2e-4)


def test_a_certain_score_has_a_finite_loss():
    y = np.repeat([0.0, 1.0], 50)
    assert 0 <= of_labels.log_loss(1e6 * (y - 0.5), y) < 1e-6


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_setting_with_the_lowest_loss_wins(order):
    """Of a good score, one that knows nothing and one that is turned."""
    rng = np.random.default_rng(1)
    y = np.repeat([0.0, 1.0], 20)
    good = y + rng.normal(0, 0.5, 40)
    three = [({"C": 1}, good), ({"C": 2}, np.zeros(40)), ({"C": 3}, -good)]
    chosen = of_labels._best(iter([three[i] for i in order]), y)
    assert chosen.parameters == {"C": 1}
    assert chosen.score is good
    months, event = np.exp(-good), np.arange(40) % 3 > 0
    times = of_times._best(iter([three[i] for i in order]), signed(months, event))
    assert times.parameters == {"C": 1}
    assert times.score is good


def test_of_equal_losses_the_first_wins():
    """The stronger penalty."""
    y = np.repeat([0.0, 1.0], 20)
    same = [({"C": C}, np.zeros(40)) for C in (1, 2)]
    assert of_labels._best(iter(same), y).parameters == {"C": 1}
    assert of_times._best(iter(same), signed(1 + y, y > 0)).parameters == {"C": 1}


@pytest.mark.parametrize(
    ("weight", "expected"), [(0.0, [[1.0, 2.0]]), (0.3, [[1.0, 2.0, 3.0, 6.0]])]
)
def test_curves_stand_beside_the_lines_at_their_weight(weight, expected):
    fold = SimpleNamespace(lines=2)
    columns = np.array([[1.0, 2.0, 10.0, 20.0]])
    found = of_labels.bent(columns, fold, {"curvature": weight})
    np.testing.assert_allclose(found, expected)


def chosen_by(module, monkeypatch, name, parameters, recipe=RECIPE):
    """Which way a choice goes: penalties, numbers of trees, or a fit as it is."""

    def fit(of, settings, X, learned, given):
        assert (of, settings, given) == (name, parameters, recipe)
        assert learned.tolist() == data[-1][X[:, 0].astype(int)].tolist()
        return SimpleNamespace(score=lambda tested: 100 * len(X) + tested[:, 0])

    monkeypatch.setattr(module, "_best", lambda way, y: (way, y))
    monkeypatch.setattr(module, "_linear", lambda *of: ("linear", of))
    monkeypatch.setattr(module, "_boosted", lambda *of: ("boosted", of))
    monkeypatch.setattr(module, "fit_member", fit)
    X = np.arange(5.0)[:, None]
    data = (X, Y) if module is of_times else (X, Y, Y + 1)
    found = module.choose(name, parameters, *data, FOLDS, recipe)
    if isinstance(found, of_labels.Choice):
        assert found.parameters is parameters
        assert found.score.tolist() == [200, 201, 302, 203, 304]
        return "as it is"
    (way, given), judged = found
    assert judged is Y
    assert given[-2:] == (FOLDS, recipe)
    named = (name, parameters) if module is of_times and way == "boosted" else (parameters,)
    assert given[: len(named)] == named
    rest = given[len(named) : -2]
    assert len(rest) == (2 if module is of_times else 1)
    for one, other in zip(rest if module is of_times else rest[0], data, strict=True):
        assert one is other
    return way


@pytest.mark.parametrize(
    ("name", "parameters", "continuous", "way"),
    [
        ("elastic_net", {}, False, "linear"),
        ("elastic_net", {"curvature": 0.3}, False, "linear"),
        ("elastic_net", {"C": 0.1}, False, "as it is"),
        ("elastic_net", {}, True, "as it is"),
        ("xgboost", {}, False, "boosted"),
        ("xgboost", {"n_estimators": 20}, False, "as it is"),
        ("xgboost", {}, True, "as it is"),
        ("xgboost", {"C": 1}, False, "boosted"),
        ("elastic_net", {"n_estimators": 1}, False, "linear"),
        ("random_forest", {}, False, "as it is"),
    ],
)
def test_what_a_classifier_leaves_open(name, parameters, continuous, way, monkeypatch):
    recipe = replace(RECIPE, continuous=continuous)
    assert chosen_by(of_labels, monkeypatch, name, parameters, recipe) == way


@pytest.mark.parametrize(
    ("name", "parameters", "way"),
    [
        ("cox", {}, "linear"),
        ("cox", {"C": 0.1}, "as it is"),
        ("xgboost_cox", {}, "boosted"),
        ("xgboost_aft", {}, "boosted"),
        ("xgboost_cox", {"n_estimators": 20}, "as it is"),
        ("xgboost_cox", {"C": 1}, "boosted"),
        ("cox", {"n_estimators": 20}, "linear"),
        ("discrete_time", {}, "as it is"),
    ],
)
def test_what_an_estimator_of_times_leaves_open(name, parameters, way, monkeypatch):
    assert chosen_by(of_times, monkeypatch, name, parameters) == way


@BOTH
@pytest.mark.parametrize(
    ("parameters", "curved", "tried"),
    [
        ({}, 1.0, [0.0, 0.3]),
        ({"curvature": 0.0}, 0.0, [0.0]),
        ({"curvature": 0.2}, 1.0, [0.2]),
    ],
)
def test_curves_are_tried_where_nothing_is_said_of_them(
    module, parameters, curved, tried, monkeypatch
):
    """The columns are made once a fold, with a curvature of 1 or none."""
    made, asked = [], []

    def prepare(name, whole, data, fold, recipe):
        made.append((name, whole, fold, recipe))
        assert data[0] is X
        assert data[-1] is learned
        return len(made)

    def penalties(settings, folds, judged):
        asked.append((settings, folds, judged))
        return iter([(settings["curvature"], None)])

    monkeypatch.setattr(module, "prepared", prepare)
    monkeypatch.setattr(module, "_penalties", penalties)
    X, learned = np.zeros((5, 1)), np.arange(5.0)
    data = (X, learned) if module is of_times else ((X, Y, learned),)
    found = list(module._linear({**parameters, "max_iter": 7}, *data, FOLDS, RECIPE))
    assert [curvature for curvature, _ in found] == tried
    name = "cox" if module is of_times else "elastic_net"
    whole = {**parameters, "max_iter": 7, "curvature": curved}
    assert made == [(name, whole, fold, RECIPE) for fold in FOLDS]
    for (settings, folds, judged), curvature in zip(asked, tried, strict=True):
        assert settings == {**parameters, "max_iter": 7, "curvature": curvature}
        assert folds == [1, 2]
        assert judged is (learned if module is of_times else Y)


def test_a_fold_is_prepared_by_its_training_side(monkeypatch):
    """Column 1 does not vary there and is left out; who has no target trains nothing; a training
    mean of 2 and an SD of 1 standardise the tested, and the step after it doubles them.
    """
    X = np.array([[1.0, 5.0], [3.0, 5.0], [9.0, 8.0], [50.0, 5.0], [4.0, 9.0]], dtype=np.float32)
    learned = np.array([0.2, 0.7, 0.9, np.nan, 0.1])
    recipe, given = replace(RECIPE, least_share=0.3), []

    def built(*of):
        given.append(of)
        twice = FunctionTransformer(lambda columns: 2 * columns)
        steps = [("scale", StandardScaler()), ("twice", twice), ("last", Linear(of_labels))]
        return Pipeline(steps)

    monkeypatch.setattr(of_labels, "built", built)
    parameters = {"curvature": 1.0}
    found = of_labels.prepared("cox", parameters, (X, Y, learned), FOLDS[0], recipe)
    np.testing.assert_allclose(found.train, [[-2.0], [2.0]])
    np.testing.assert_allclose(found.test, [[14.0], [4.0]])
    assert found.target.tolist() == [0.2, 0.7]
    assert found.place is FOLDS[0][1]
    assert isinstance(found.model, Linear)
    assert found.lines == 1
    ((name, settings, columns, same),) = given
    assert (name, settings, columns.tolist(), same) == ("cox", parameters, [0], recipe)


@pytest.mark.parametrize(("share", "lines"), [(0.0, 2), (0.3, 1)])
def test_a_column_that_hardly_varies_is_not_used(share, lines, monkeypatch):
    X = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0], [5.0, 1.0]])
    recipe = replace(RECIPE, least_share=share)
    monkeypatch.setattr(
        of_labels, "built", lambda *_: Pipeline([("s", StandardScaler()), ("l", None)])
    )
    fold = (np.arange(5), np.arange(5))
    assert of_labels.prepared("cox", {}, (X, Y, Y), fold, recipe).lines == lines


@BOTH
def test_one_fit_a_fold_serves_every_number_of_trees(module, monkeypatch):
    """The tested get 1,000 x the training patients + trees + their column; 400 trees are grown."""
    name = "xgboost" if module is of_labels else "xgboost_cox"

    def fit(of, settings, X, learned, recipe):
        assert (of, settings) == (name, {"max_depth": 2, "n_estimators": 400})
        assert learned.tolist() == (X[:, 0] + 10).tolist()
        assert recipe is RECIPE
        return SimpleNamespace(pipeline=len(X), own=lambda tested: tested[:, 0])

    def staged(trained, own, trees):
        return np.array([1000 * trained + n + own for n in trees])

    monkeypatch.setattr(module, "fit_member", fit)
    monkeypatch.setattr("models.estimators.xgboost_trees.staged_scores", staged)
    X = np.arange(5.0)[:, None]
    data = (
        ({"max_depth": 2}, (X, Y, X[:, 0] + 10))
        if module is of_labels
        else (name, {"max_depth": 2}, X, X[:, 0] + 10)
    )
    found = list(module._boosted(*data, FOLDS, RECIPE))
    assert [settings for settings, _ in found] == [
        {"max_depth": 2, "n_estimators": n} for n in (50, 100, 150, 200, 300, 400)
    ]
    for settings, score in found:
        trees = settings["n_estimators"]
        trained = np.array([2000, 2000, 3000, 2000, 3000])
        assert score.tolist() == (trained + trees + np.arange(5)).tolist()


def test_accelerated_failure_times_have_their_own_scores(monkeypatch):
    monkeypatch.setattr("models.survival.aft_trees.staged_scores", "own")
    monkeypatch.setattr("models.estimators.xgboost_trees.staged_scores", "cox")
    assert of_times._staged("xgboost_aft") == "own"
    assert of_times._staged("xgboost_cox") == "cox"
    monkeypatch.setattr("models.survival.aft_trees.staged_scores", lambda *of: of)
    fitted = SimpleNamespace(pipeline="trees", own=lambda tested: tested[:, 0].tolist())
    monkeypatch.setattr(of_times, "fit_member", lambda *of: fitted)
    X = np.arange(3.0)[:, None]
    found = of_times.scores_by_trees("xgboost_aft", {}, (X, Y[:3]), X, RECIPE)
    assert found == ("trees", [0, 1, 2], TREES)
