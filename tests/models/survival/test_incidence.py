"""Absolute risk where death competes: by hand, by R, in simulation and through a stored model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.prediction.storage import _restored_rival, _stored
from models.estimators.registry import names_of_times
from models.members import Recipe
from models.survival.curve import GROUPS, SurvivalCurve
from models.survival.fitted import Rival, competing_risk, fit_survival
from models.survival.incidence import incidence, months_until
from models.survival.partial_likelihood import at_risk_sums, risk_sets
from models.survival.times import YEAR, signed

MGUS = pd.read_csv(Path(__file__).parents[2] / "fixtures/mgus.csv")
TIME, CAUSE = MGUS["time"].to_numpy(float), MGUS["cause"].to_numpy()
# Coefficients of R's CSC (riskRegression 2022.11.28) on these rows, for either cause.
X = MGUS[["age", "male", "mspike", "hgb"]].to_numpy()
TO_CANCER = np.array([0.008164168053, -0.401812899212, 0.955951417291, -0.064965466957])
TO_DEATH = np.array([0.06107235984, 0.48757348234, -0.19203341618, -0.16133752209])


@pytest.mark.parametrize(("own", "other"), [(0.1, 0.1), (0.02, 0.3), (0.2, 0.0), (0.0, 0.2)])
@pytest.mark.parametrize("steps", [1, 7])
def test_constant_hazards_have_a_closed_form(own, other, steps):
    months = np.linspace(0, 24, steps + 1)[None]
    found = incidence(own * months, other * months)
    both = own + other
    expected = own / both * (1 - np.exp(-both * months))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def hazard(of, eta):
    """Breslow's, at each month."""
    sets = risk_sets(TIME, of)
    total = np.cumsum(sets.events / at_risk_sums(sets, np.exp(eta)))
    return np.r_[0.0, total][np.searchsorted(sets.times, np.arange(181.0), side="right")]


def test_the_risk_is_that_of_cause_specific_cox_models_in_r():
    """`predictRisk(CSC(Hist(time, cause) ~ age + male + mspike + hgb), cause = 1, product.limit =
    FALSE)`: hazards step there at each month, and death after the event.
    """
    first, then = X @ TO_CANCER, X @ TO_DEATH
    own = np.exp(first)[:, None] * hazard(CAUSE == 1, first)
    other = np.exp(then)[:, None] * hazard(CAUSE == 2, then)
    steps = np.repeat(own, 2, axis=1)[:, 1:], np.repeat(other, 2, axis=1)[:, :-1]
    risk = incidence(*steps)[:, ::2]
    for at in (60, 120, 180):
        np.testing.assert_allclose(risk[:, at], MGUS[f"risk_{at}"], rtol=0.02)
        assert risk[:, at].mean() == pytest.approx(MGUS[f"risk_{at}"].mean(), rel=0.001)


def test_all_shares_add_up():
    rng = np.random.default_rng(5)
    own, other = rng.exponential(0.05, (2, 30, 40)).cumsum(axis=2)
    left = np.exp(-own - other)
    np.testing.assert_allclose(incidence(own, other) + incidence(other, own) + left, 1)


@pytest.mark.parametrize(
    ("level", "months"),
    [(0.05, 1.0), (0.1, 2.0), (0.2, 3.0), (0.3, 4.0), (0.31, np.nan)],
)
def test_the_month_by_which_a_share_has_it(level, months):
    found = months_until(np.array([[0.0, 0.1, 0.3]]), np.array([0.0, 2.0, 4.0]), level)
    np.testing.assert_allclose(found, [months])


RNG = np.random.default_rng(11)
N = 1500
Z = RNG.normal(size=(N, 3)).astype(np.float32)
TO_EVENT = RNG.exponential(20 * np.exp(-Z[:, 0]))
TO_END = RNG.exponential(14 * np.exp(-0.8 * Z[:, 1]))
LOST = RNG.uniform(6, 60, N)
LIVED = np.minimum(np.minimum(TO_EVENT, TO_END), LOST) + 0.01
EVENT = (TO_EVENT <= TO_END) & (TO_EVENT <= LOST)
OTHER = (TO_END < TO_EVENT) & (TO_END <= LOST)
FEW = {
    "cox": {"C": 1.0},
    "xgboost_cox": {"n_estimators": 25},
    "xgboost_aft": {"n_estimators": 25},
    "discrete_time": {"classifier": "elastic_net", "interval_months": 6},
}


def fitted(*members, rows=slice(None), other=OTHER):
    recipe = Recipe(
        task="niv",
        members=tuple((name, FEW[name]) for name in members),
        seed=1,
        inner_folds=3,
        coverage=0.9,
    )
    learned = signed(LIVED, EVENT)[rows]
    families = np.arange(N)[rows]
    return fit_survival(Z[rows], learned, families, recipe, rival=other[rows])


@pytest.fixture(scope="module")
def model():
    return fitted("cox")


def true_risk(z, months):
    """Of exponential times to the event and to death."""
    own, other = np.exp(z[:, 0]) / 20, np.exp(0.8 * z[:, 1]) / 14
    return own / (own + other) * (1 - np.exp(-(own + other) * months))


def test_the_risk_of_patients_who_may_die_is_found(model):
    risk = model.probability(Z)
    truth = true_risk(Z, YEAR)
    assert risk.mean() == pytest.approx(truth.mean(), rel=0.03)
    assert np.abs(risk - truth).mean() < 0.03
    # One minus the survival of the event alone, which must not be said, is far off.
    naive = model.curve.risk(model.score(Z), np.array([YEAR]))[:, 0]
    assert naive.mean() > 1.25 * truth.mean()


def test_death_counts_by_its_own_hazard(model):
    """Two patients alike in the hazard of the event: the one who dies sooner has it less often."""
    alike = np.array([[0.5, -1.5, 0], [0.5, 1.5, 0]], dtype=np.float32)
    later, sooner = model.probability(alike)
    assert sooner < 0.75 * later
    assert true_risk(alike, YEAR) == pytest.approx([later, sooner], abs=0.06)


@pytest.mark.parametrize("member", names_of_times())
def test_each_estimator_learns_both_hazards_and_says_the_same_alone(member):
    some = fitted(member, rows=slice(0, 500))
    whole = some.outlook(Z[:500])
    for i in (0, 250, 499):
        alone = some.outlook(Z[i : i + 1])
        for name in ("risk_12m", "risk_24m", "q25_months", "risk_group"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[i])
    assert np.isfinite(whole.risk_12m).all()
    # The level of either score, which trees move, is taken out of its curve.
    assert whole.risk_12m.mean() == pytest.approx(true_risk(Z[:500], YEAR).mean(), rel=0.1)
    assert (whole.risk_24m >= whole.risk_12m).all()
    assert np.isnan(whole.survival_low_months).all()
    assert whole.course is None
    np.testing.assert_array_equal(
        some.survival(Z[:5], np.array([YEAR]))[:, 0], 1 - whole.risk_12m[:5]
    )


def test_nothing_is_said_beyond_the_follow_up(model):
    end = model.curve.end
    found = model.risk(Z[:2], np.array([end, end + 0.01]))
    assert np.isfinite(found[:, 0]).all()
    assert np.isnan(found[:, 1]).all()


def test_times_are_those_by_which_a_share_of_all_has_the_event(model):
    outlook = model.outlook(Z)
    known = np.isfinite(outlook.q25_months)
    assert 0.1 < known.mean() < 1
    for i in np.flatnonzero(known)[:5]:
        at = model.risk(Z[i : i + 1], outlook.q25_months[i : i + 1])
        assert at[0, 0] == pytest.approx(0.25, abs=0.002)
    never = model.risk(Z[~known], np.array([model.curve.end]))
    assert (never < 0.25).all()


def test_groups_are_fifths_of_the_risk_not_of_the_hazard(model):
    groups, risk = model.outlook(Z).risk_group, model.probability(Z)
    means = [risk[[g == name for g in groups]].mean() for name in GROUPS]
    assert means == sorted(means)
    shares = [groups.count(name) / N for name in GROUPS]
    assert shares == pytest.approx([0.2] * 5, abs=0.03)


@pytest.mark.parametrize(
    ("risk", "fifth"), [(0.099, 0), (0.1, 1), (0.299, 2), (0.3, 3), (0.4, 4), (1.0, 4)]
)
def test_a_limit_belongs_to_the_group_above(risk, fifth):
    flat = SurvivalCurve(months=(0.0, 1.0), hazard=(0.0, 0.0))
    rival = Rival((), flat, (0.1, 0.2, 0.3, 0.4))
    assert rival.group(np.array([risk])) == [GROUPS[fifth]]
    assert replace(rival, limits=()).group(np.array([risk])) == [None]


@pytest.mark.parametrize(("deaths", "learned"), [(19, False), (20, True), (0, False)])
def test_too_few_deaths_have_one_hazard_for_everyone(deaths, learned):
    some = np.zeros(N, dtype=bool)
    some[np.flatnonzero(OTHER[:600])[:deaths]] = True
    model = fitted("cox", rows=slice(0, 600), other=some)
    assert bool(model.rival.members) is learned
    if not learned:
        assert not model.rival.score(Z).any()
    own = model.curve.risk(model.score(Z), np.array([YEAR]))[:, 0]
    risk = model.probability(Z)
    assert (risk < own).all() if deaths else risk == pytest.approx(own, rel=1e-9)


def test_both_curves_end_where_patients_are_no_longer_followed(model):
    """Deaths are not losses: the table goes on as long as it does without them."""
    assert model.curve.months == model.rival.curve.months
    as_lost = fit_survival(
        Z,
        signed(LIVED, EVENT),
        np.arange(N),
        Recipe(
            task="survival", members=(("cox", FEW["cox"]),), seed=1, inner_folds=3, coverage=0.9
        ),
    )
    assert as_lost.curve.end < model.curve.end


@pytest.mark.parametrize("deaths", [None, 5])
def test_a_stored_rival_is_the_same(model, deaths):
    if deaths is not None:
        some = np.zeros(N, dtype=bool)
        some[np.flatnonzero(OTHER)[:deaths]] = True
        model = fitted("cox", other=some)
    pipelines = [member.pipeline for member in model.rival.members]
    again = replace(model, rival=_restored_rival(pipelines, _stored(model.rival)))
    np.testing.assert_array_equal(again.probability(Z), model.probability(Z))
    assert again.outlook(Z).risk_group == model.outlook(Z).risk_group


def test_the_risk_of_curves_by_hand():
    own = SurvivalCurve(months=(0.0, 10.0, 20.0), hazard=(0.0, 0.5, 1.0))
    other = SurvivalCurve(months=(0.0, 10.0, 20.0), hazard=(0.0, 1.0, 2.0))
    nothing = np.zeros(1)
    found = competing_risk((own, other), (nothing, nothing), np.array([5.0, 20.0, 20.1]))
    expected = [(1 - np.exp(-0.75)) / 3, (1 - np.exp(-3)) / 3, np.nan]
    np.testing.assert_allclose(found[0], expected)
