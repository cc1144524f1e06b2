"""What a fitted model of a time says and how its parts are put together, by hand with toys."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

from models.choice import Choice
from models.fitted import Calibration
from models.members import Recipe
from models.survival import fitted as of
from models.survival.curve import GROUPS, SurvivalCurve
from models.survival.fitted import FittedSurvival, Rival, competing_risk
from models.survival.times import TWO_YEARS, YEAR

RECIPE = Recipe(
    task="niv", members=(("a", {"x": 1}), ("b", {"x": 2})), seed=3, inner_folds=5, coverage=0.9
)
NUMBERS = Calibration((1.0, 1.0), 0.5, (), (), (), "breslow", 1.0, 0.0)
X = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
# A hazard of 1/20 a month for 40 months; the rival's is twice as high.
MONTHS = (0.0, 10.0, YEAR, TWO_YEARS, 40.0)
OWN = SurvivalCurve(months=MONTHS, hazard=tuple(t / 20 for t in MONTHS), centre=1.0)
OTHER = SurvivalCurve(months=MONTHS, hazard=tuple(t / 10 for t in MONTHS), centre=0.0)


class Column:
    """A member whose score is a column, with a weight."""

    def __init__(self, column, weight):
        self.column, self.weight = column, weight

    def score(self, X):
        return X[:, self.column]

    def contributions(self, X):
        return X * (np.arange(X.shape[1]) == self.column)


def model(curve=OWN, **more):
    return FittedSurvival("survival", (Column(0, 0.5),), NUMBERS, curve, **more)


def test_the_score_of_a_rival_is_the_weighted_sum_of_its_members():
    rival = Rival((Column(0, 2.0), Column(1, 3.0)), OTHER)
    assert rival.score(X).tolist() == [3.0, 5.0, 7.0]
    assert Rival((), OTHER).score(X).tolist() == [0.0, 0.0, 0.0]
    assert rival.limits == ()
    assert rival.group(np.zeros(2)) == [None, None]


@pytest.mark.parametrize(
    ("risk", "fifth"),
    [(0.0, 0), (0.099, 0), (0.1, 1), (0.199, 1), (0.2, 2), (0.3, 3), (0.399, 3), (0.4, 4), (1, 4)],
)
def test_a_risk_on_a_limit_lies_above_it(risk, fifth):
    assert Rival((), OTHER, (0.1, 0.2, 0.3, 0.4)).group(np.array([risk])) == [GROUPS[fifth]]


def alone(score, months, rate=1 / 20):
    return 1 - np.exp(-np.exp(score - 1) * rate * months)


def together(score, months, rate=1 / 20, rival=1 / 10):
    """Constant hazards: the share of the event in both, of those who had either."""
    own = np.exp(score - 1) * rate
    return own / (own + rival) * (1 - np.exp(-(own + rival) * months))


def test_risks_of_a_model_without_a_rival():
    score, at = np.array([0.0, 0.5, 1.0]), np.array([5.0, 40.0, 40.1])
    risk = model().risk(X, at)
    np.testing.assert_allclose(risk[:, :2], alone(score[:, None], at[:2]))
    assert np.isnan(risk[:, 2]).all()
    np.testing.assert_allclose(model().probability(X), alone(score, YEAR))
    np.testing.assert_allclose(model().survival(X, at[:2]), 1 - risk[:, :2])


def test_the_outlook_of_a_model_without_a_rival():
    """Times are log(1 / share) / hazard; the bound lies at a risk of a tenth, or at the end."""
    score = np.array([0.0, 0.5, 1.0])
    hazard = np.exp(score - 1) / 20
    curve = replace(OWN, groups=(-0.9, -0.6, -0.3, 0.5), low_risk=0.1)
    found = model(curve).outlook(X)
    np.testing.assert_allclose(found.risk_12m, alone(score, YEAR))
    np.testing.assert_allclose(found.risk_24m, alone(score, TWO_YEARS))
    for months, share in (
        (found.median_months, 0.5),
        (found.q25_months, 0.75),
        (found.q75_months, 0.25),
        (found.survival_low_months, 0.9),
    ):
        own = -np.log(share) / hazard
        beyond = 40.0 if share == 0.9 else np.nan
        np.testing.assert_allclose(months, np.where(own <= 40, own, beyond))
    assert found.risk_group == [GROUPS[0], GROUPS[2], GROUPS[3]]
    assert found.course is None
    given = []
    course = SimpleNamespace(expected=lambda *of: given.append(of) or "course")
    assert model(course=course).outlook(X).course == "course"
    ((features, scores),) = given
    assert features is X
    assert scores.tolist() == score.tolist()


def test_the_outlook_beside_a_rival():
    score = np.array([0.0, 0.5, 1.0])
    risk = together(score, YEAR)
    rival = Rival((Column(1, 0.0),), OTHER, tuple(np.r_[risk[0], 0.5, 0.6, 0.7]))
    both = model(rival=rival, course=SimpleNamespace())
    np.testing.assert_allclose(both.probability(X), risk)
    at = np.array([3.0, 30.0])
    np.testing.assert_allclose(both.survival(X, at), 1 - together(score[:, None], at))
    found = both.outlook(X)
    np.testing.assert_allclose(found.risk_12m, risk)
    np.testing.assert_allclose(found.risk_24m, together(score, TWO_YEARS))
    assert found.risk_group == [GROUPS[1]] * 3
    assert np.isnan(found.survival_low_months).all()
    assert found.course is None
    # At most a third ever have it (half as often as the rival): a quarter the last patient alone.
    for months, share in ((found.q25_months, 0.25), (found.median_months, 0.5)):
        known = np.isfinite(months)
        assert known.tolist() == (together(score, 40.0) >= share).tolist()
        exact = together(score[known], months[known])
        np.testing.assert_allclose(exact, share, atol=0.01)
    assert np.isnan(found.q75_months).all()


def test_quartiles_beside_a_rival():
    """Where it is rare a quarter, half and three quarters have the event in their order."""
    rare = replace(OTHER, hazard=tuple(t / 1000 for t in MONTHS))
    fast = replace(OWN, centre=-1.0)
    found = model(fast, rival=Rival((), rare)).outlook(X[2:])
    own = np.exp(2.0) / 20  # of a score of 1
    for months, share in (
        (found.q25_months, 0.25),
        (found.median_months, 0.5),
        (found.q75_months, 0.75),
    ):
        exact = own / (own + 0.001) * (1 - np.exp(-(own + 0.001) * 10.0))
        assert months[0] == pytest.approx(share / exact * 10.0)  # linear to the first time


def test_groups_of_a_short_follow_up_are_by_the_risk_at_its_end():
    short = {"months": (0.0, 6.0), "hazard": (0.0, 0.3)}
    own, other = replace(OWN, **short), replace(OTHER, months=(0.0, 6.0), hazard=(0.0, 0.6))
    risk = together(np.array([0.0]), 6.0)[0]
    for limit, group in ((risk - 1e-6, GROUPS[1]), (risk + 1e-6, GROUPS[0])):
        rival = Rival((), other, (limit, 0.5, 0.6, 0.7))
        found = model(own, rival=rival).outlook(X[:1])
        assert found.risk_group == [group]
        assert np.isnan(found.risk_12m).all()


def test_the_risk_of_two_causes_by_hand():
    scores = (np.array([0.0, 1.0]), np.array([0.0, 0.0]))
    found = competing_risk((OWN, OTHER), scores, np.array([0.0, 7.0, 40.0, 40.001]))
    at = np.array([0.0, 7.0, 40.0])
    np.testing.assert_allclose(found[:, :3], together(scores[0][:, None], at))
    assert np.isnan(found[:, 3]).all()


@pytest.mark.parametrize(
    ("risk", "limits"),
    [
        # Quantiles .2 to .8 of 0, .1, ..., 1 are .2, .4, .6, .8.
        (np.arange(11) / 10, (0.2, 0.4, 0.6, 0.8)),
        (np.arange(11) / 10 + 0.0004, (0.2, 0.4, 0.6, 0.8)),
        (np.arange(11) / 10 + 0.0006, (0.201, 0.401, 0.601, 0.801)),
        (np.full(11, 0.3), ()),
        (np.repeat([0.1, 0.3], [8, 3]), ()),  # all but the last are one
        (np.arange(11) / 5500 + 0.1, ()),  # one after rounding
    ],
)
def test_limits_of_the_fifths(risk, limits):
    found = of._limits(risk)
    assert found == pytest.approx(limits)
    assert all(type(limit) is float for limit in found)


def test_scores_lose_the_mean_of_their_fold():
    scores = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 50.0], [9.0, 90.0]])
    folds = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    found = of._centred(scores, folds)
    assert found.tolist() == [[-1, -10], [1, 10], [-2, -20], [2, 20]]
    assert scores[0].tolist() == [1.0, 10.0]


def test_the_risk_at_ones_own_time():
    """With its own slope after the first year; beyond the end of the curve, at the end."""
    curve = replace(OWN, slopes=(1.0, 3.0))
    score, months = np.array([1.5, 1.5, 1.5, 1.0]), np.array([6.0, 20.0, 99.0, 20.0])
    first, then = np.exp(0.5) / 20, np.exp(1.5) / 20
    hazard = [
        first * 6,
        first * YEAR + then * (20 - YEAR),
        first * YEAR + then * (40 - YEAR),
        20 / 20,
    ]
    np.testing.assert_allclose(of._at_own_time(curve, score, months), 1 - np.exp(-np.array(hazard)))


def test_the_weights_of_a_stack_minimise_what_is_stated():
    """Against scipy's simplex search on the definition: the negative log partial likelihood of
    Cox, risk sets one after the other, + 20 x the squared distances from the mean weight.
    """
    rng = np.random.default_rng(2)
    good = rng.normal(size=120)
    scores = np.column_stack([good, 5 * (0.5 * good + rng.normal(size=120))])
    months = rng.exponential(np.exp(-good))
    event = rng.random(120) < 0.7
    z = (scores - scores.mean(axis=0)) / scores.std(axis=0)

    def loss(b):
        eta = z @ b
        own = [
            eta[i] - np.log(np.exp(eta[months >= months[i]]).sum()) for i in np.flatnonzero(event)
        ]
        return -sum(own) + 20 * ((b - b.mean()) ** 2).sum()

    oracle = minimize(loss, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-8}).x
    found = of._weights(scores, np.where(event, months, -months)) * scores.std(axis=0)
    assert found == pytest.approx(oracle, abs=1e-3)


@pytest.mark.parametrize(("spread", "counts"), [(0.0, False), (0.9e-9, False), (1.1e-9, True)])
def test_a_member_that_says_the_same_of_everyone_has_no_weight(spread, counts):
    """An elastic net that its penalty empties in each fold may say something on all rows: by one
    over its spread that would be all that counts.
    """
    rng = np.random.default_rng(4)
    good = rng.normal(size=300)
    months = rng.exponential(np.exp(-good))
    same = np.where(np.arange(300) % 2 == 0, spread, -spread)
    first, second = of._weights(np.column_stack([good, same]), months)
    assert 0.3 < first < 2
    assert (second > 0) == counts


def test_a_member_that_is_wrong_gets_nothing():
    rng = np.random.default_rng(3)
    good = rng.normal(size=3000)
    wrong = np.column_stack([good, rng.normal(size=3000) - 2 * good])
    assert of._weights(wrong, rng.exponential(np.exp(-good)))[1] == 0


@pytest.mark.parametrize(
    ("families", "inner", "learned"),
    [(20, 5, True), (19, 5, False), (25, 25, True), (24, 25, False)],
)
def test_a_rival_is_learned_from_twenty_families_and_one_a_fold(
    families, inner, learned, monkeypatch
):
    """Relatives count once; 60 patients, 30 of whom the rival ended."""
    n, asked = 60, []
    numbers = np.r_[np.arange(30) % families, np.arange(100, 130)]
    own = of._Hazard((), np.linspace(-1, 1, n), replace(OWN, groups=(1.0,)), np.ones(n, dtype=bool))
    signs = np.where(np.arange(n) < 30, 1.0, -1.0) * np.linspace(1, 50, n)
    features = np.column_stack([np.linspace(0, 6, n), np.ones(n)])

    def fit(*given):
        asked.append(given)
        return of._Hazard(
            (Column(0, 0.5),), own.score * 0, replace(OTHER, groups=(2.0,)), own.ended
        )

    def curve(score, months, event, ended):
        assert score.tolist() == [0.0] * n
        assert months.tolist() == np.abs(signs).tolist()
        assert event.tolist() == (signs > 0).tolist()
        assert ended is own.ended
        return replace(OTHER, groups=(3.0,))

    monkeypatch.setattr(of, "_fit_hazard", fit)
    monkeypatch.setattr(of, "fit_curve", curve)
    recipe = replace(RECIPE, inner_folds=inner)
    found = of._fit_rival(features, own, signs, numbers, recipe)
    assert bool(found.members) == learned
    if learned:
        ((X_, learned_, families_, recipe_, ended),) = asked
        assert (X_ is features, learned_ is signs, families_ is numbers) == (True,) * 3
        assert (recipe_ is recipe, ended is own.ended) == (True, True)
    # The level of its own members, half of a column from 0 to 6.
    assert found.curve == replace(OTHER, groups=(), centre=1.5 if learned else 0.0)
    risk = np.quantile(together(own.score, YEAR), (0.2, 0.4, 0.6, 0.8))
    assert found.limits == pytest.approx(risk, abs=0.0005)


def test_the_hazard_of_a_cause_is_put_together(monkeypatch):
    """Members are chosen in the same folds, lose the level of each, and are weighed; the curve is
    of the weighted out-of-fold score.
    """
    n = 40
    features, families = np.zeros((n, 2)), np.arange(n)
    event = np.arange(n) % 2 == 0
    learned = np.where(event, 1.0, -1.0) * np.arange(1, n + 1)
    ended, given = np.ones(n, dtype=bool), {}

    def choose(name, parameters, X, signed, folds, recipe):
        given.setdefault("folds", folds)
        assert folds is given["folds"]
        assert (X is features, signed is learned, recipe is RECIPE) == (True,) * 3
        number = {"a": 1.0, "b": 2.0}[name]
        assert parameters == {"x": number}
        return Choice({"of": name}, number * np.arange(n))

    def stacked(scores, signed, folds, weigh):
        assert (signed is learned, folds is given["folds"], weigh is of._weights) == (True,) * 3
        for _, test in folds:
            np.testing.assert_allclose(scores[test].mean(axis=0), [0, 0], atol=1e-12)
        np.testing.assert_allclose(scores[:, 1], 2 * scores[:, 0])
        return scores[:, 0], np.array([0.7, 0.3])

    def members(X, signed, recipe, chosen, weights):
        assert (X is features, signed is learned, recipe is RECIPE) == (True,) * 3
        assert [choice.parameters["of"] for choice in chosen] == ["a", "b"]
        assert weights.tolist() == [0.7, 0.3]
        return ("members",)

    def curve(*of_curve):
        given["curve"] = of_curve
        return OWN

    monkeypatch.setattr(of, "choose", choose)
    monkeypatch.setattr(of, "stacked", stacked)
    monkeypatch.setattr(of, "fit_members", members)
    monkeypatch.setattr(of, "fit_curve", curve)
    found = of._fit_hazard(features, learned, families, RECIPE, ended)
    assert found.members == ("members",)
    assert found.curve is OWN
    assert found.ended is ended
    score, months, events, given_ended = given["curve"]
    assert score is found.score
    assert months.tolist() == list(range(1, n + 1))
    assert events.tolist() == event.tolist()
    assert given_ended is ended
    assert len(given["folds"]) == 5
    again = of.family_folds(event.astype(float), families, 5, 3)
    for (train, test), (other, tested) in zip(given["folds"], again, strict=True):
        assert (train.tolist(), test.tolist()) == (other.tolist(), tested.tolist())


def test_a_model_is_centred_on_its_training_patients():
    """5 x half of 0 to 100 is at most 250; the mean of a column's parts is its importance."""
    rows = np.column_stack([np.arange(101.0), np.arange(101) % 2])
    curve = replace(OWN, slopes=(2.0, 9.0), centre=77.0)
    found = of._assembled("niv", (Column(0, 0.5), Column(1, -3.0)), curve, rows)
    assert found.task == "niv"
    assert found.curve == replace(curve, centre=pytest.approx(25.0 - 3 * 50 / 101))
    assert found.course is None
    assert found.rival is None
    numbers = found.calibration
    assert (numbers.kind, numbers.slope, numbers.intercept) == ("breslow", 2.0, 0.0)
    assert (numbers.limits, numbers.threshold) == ((1.0, 1.0), 0.5)
    # Log hazard ratios in the first year: twice the score's parts.
    assert numbers.importance == pytest.approx((2 * 25.0, 2 * 3 * 50 / 101))
    assert all(type(value) is float for value in numbers.importance)
    # The central 98 % and half their width beyond.
    assert numbers.low == pytest.approx((1 - 49, np.nan), nan_ok=True)
    assert numbers.high == pytest.approx((99 + 49, np.nan), nan_ok=True)


@pytest.mark.parametrize(("n", "step"), [(3999, 1), (4000, 2), (5999, 2), (6000, 3), (10, 1)])
def test_at_least_2000_patients_order_the_columns(n, step):
    rows = np.arange(float(n))[:, None]
    found = of._assembled("survival", (Column(0, 1.0),), OWN, rows)
    assert found.calibration.importance[0] == pytest.approx(np.arange(0, n, step).mean())


def parts(monkeypatch, members=("m",)):
    """The steps of a fit, told apart."""
    told = {}

    def hazard(*given):
        told["hazard"] = given
        score = np.array([0.1, 0.2, 0.3])
        return of._Hazard(members, score, replace(OWN, groups=(5.0,)), given[-1])

    def assembled(task, given, curve, X):
        told["assembled"] = (task, given, curve, X)
        return FittedSurvival(task, given, NUMBERS, curve)

    def low_risk(*given):
        told["bound"] = given
        return 0.07

    def searched(*given):
        told["searched"] = given
        return replace(given[3], seed=99)

    def rival(*given):
        told["rival"] = given
        return "rival"

    def course(*given):
        told["course"] = given
        return "course"

    for name, step in (
        ("_fit_hazard", hazard),
        ("_assembled", assembled),
        ("low_risk", low_risk),
        ("searched", searched),
        ("_fit_rival", rival),
        ("fit_course_model", course),
        ("_at_own_time", lambda *given: given),
    ):
        monkeypatch.setattr(of, name, step)
    return told


LEARNED, FAMILIES = np.array([5.0, -6.0, 7.0]), np.array([1, 2, 3])


def test_a_model_of_one_cause_has_a_bound(monkeypatch):
    told = parts(monkeypatch)
    trials = []
    found = of.fit_survival(X, LEARNED, FAMILIES, RECIPE, trials=trials)
    features, y, families, recipe, learned, kept = told["searched"]
    assert (features is X, families is FAMILIES, recipe is RECIPE) == (True,) * 3
    assert (learned is LEARNED, kept is trials) == (True, True)
    assert (y.tolist(), y.dtype) == ([1.0, 0.0, 1.0], float)
    features, learned, families, recipe, ended = told["hazard"]
    assert (features is X, learned is LEARNED, families is FAMILIES) == (True,) * 3
    assert recipe.seed == 99
    assert ended.tolist() == [True, False, True]
    at_own, months, event, coverage, end = told["bound"]
    curve = replace(OWN, groups=(5.0,))
    assert (at_own[0], at_own[1].tolist(), at_own[2].tolist()) == (
        curve,
        [0.1, 0.2, 0.3],
        [5, 6, 7],
    )
    assert (months.tolist(), event.tolist()) == ([5, 6, 7], [True, False, True])
    assert (coverage, end) == (0.9, 40.0)
    assert told["assembled"][:3] == ("niv", ("m",), replace(curve, low_risk=0.07))
    assert told["assembled"][3] is X
    assert (found.course, found.rival) == (None, None)
    assert "course" not in told


def test_a_course_is_learned_where_visits_followed(monkeypatch):
    told = parts(monkeypatch)
    found = of.fit_survival(X, LEARNED, FAMILIES, RECIPE, "seen", ("p", "q"))
    assert found.course == "course"
    features, score, seen, families, names, coverage, folds, seed = told["course"]
    assert (features is X, families is FAMILIES) == (True, True)
    assert score.tolist() == [0.1, 0.2, 0.3]
    assert (seen, names, coverage, folds, seed) == ("seen", ("p", "q"), 0.9, 5, 99)


def test_a_model_beside_a_rival_has_neither_bound_nor_groups(monkeypatch):
    """The third patient had the event, the second died, the first was lost."""
    told = parts(monkeypatch)
    died = np.array([False, True, False])
    learned = np.array([-5.0, -6.0, 7.0])
    found = of.fit_survival(X, learned, FAMILIES, RECIPE, "seen", rival=died)
    assert told["hazard"][-1].tolist() == [False, True, True]
    assert told["assembled"][:3] == ("niv", ("m",), OWN)
    assert told["assembled"][3] is X
    features, own, signs, families, recipe = told["rival"]
    assert (features is X, families is FAMILIES, recipe.seed) == (True, True, 99)
    assert own.members == ("m",)
    assert signs.tolist() == [-5.0, 6.0, -7.0]
    assert (found.rival, found.course) == ("rival", None)
    assert "bound" not in told
    assert "course" not in told
