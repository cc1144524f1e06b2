"""Every estimator of times: one contract, on made-up patients whose hazard is known."""

import numpy as np
import pytest

from features.errors import RequestError
from models.estimators import estimator, names, names_of_times
from models.members import Recipe
from models.survival.discrete_time import periods
from models.survival.fitted import fit_survival
from models.survival.times import YEAR, signed

N = 160
RNG = np.random.default_rng(4)
X = RNG.normal(size=(N, 3)).astype(np.float32)
LIFE = RNG.exponential(14 * np.exp(-1.2 * X[:, 0]))
LOST = RNG.uniform(2, 40, N)
MONTHS, EVENT = np.minimum(LIFE, LOST) + 0.01, LIFE <= LOST
X[RNG.random(X.shape) < 0.1] = np.nan
FAMILIES = np.arange(N)
FEW = {
    "cox": {"C": 0.3},
    "xgboost_cox": {"n_estimators": 25},
    "xgboost_aft": {"n_estimators": 25},
    "discrete_time": {"classifier": "elastic_net", "interval_months": 6},
}


def fitted(*members):
    recipe = Recipe(
        task="survival",
        members=tuple((name, FEW[name]) for name in members),
        seed=1,
        inner_folds=3,
        coverage=0.9,
    )
    return fit_survival(X, signed(MONTHS, EVENT), FAMILIES, recipe)


@pytest.fixture(scope="module", params=[*names_of_times(), "stack"])
def model(request):
    return fitted(*(("cox", "xgboost_cox") if request.param == "stack" else (request.param,)))


def test_a_higher_hazard_has_a_higher_risk(model):
    known = ~np.isnan(X[:, 0])
    assert np.corrcoef(model.probability(X)[known], X[known, 0])[0, 1] > 0.5


def test_risks_are_about_as_many_as_events(model):
    # Kaplan-Meier's risk by day 365 of these patients is 0.6108 (R 4.2.2, survival 3.5.3).
    assert model.probability(X).mean() == pytest.approx(0.6108, abs=0.04)


def test_a_curve_falls_and_ends_where_the_follow_up_does(model):
    months = np.linspace(0, model.curve.end, 40)
    survival = model.survival(X, months)
    assert (survival[:, 0] == 1).all()
    assert (np.diff(survival, axis=1) <= 0).all()
    assert np.isnan(model.survival(X, np.array([model.curve.end + 0.1]))).all()


def test_contributions_add_up_to_the_score(model):
    parts = model.contributions(X).sum(axis=1)
    moved = model.calibration.slope * model.score(X)
    # What is left is the same for everybody: the level of the members.
    np.testing.assert_allclose(np.ptp(moved - parts), 0, atol=1e-4)


@pytest.mark.parametrize("name", names_of_times())
def test_drivers_name_what_moves_the_hazard(name, monkeypatch):
    """As shipped: the first column alone moves it, and drivers count from the usual patient."""
    monkeypatch.setitem(FEW, "discrete_time", {"interval_months": 6})
    model = fitted(name)
    parts = model.contributions(X)
    spread = (model.calibration.slope * model.score(X)).std()
    weighs = parts.std(axis=0)
    assert weighs[0] > 2 * weighs[1:].max()
    assert weighs[0] < 1.5 * spread
    # XGBoost weighs the patients of a node by their curvature, others count them.
    assert np.abs(parts.mean(axis=0)).max() < (0.6 if "xgboost" in name else 0.3) * spread


def test_alone_in_a_batch_and_in_another_order_the_same_bits(model):
    whole = model.outlook(X)
    for i in range(0, N, 23):
        alone = model.outlook(X[i : i + 1])
        assert alone.risk_group[0] == whole.risk_group[i]
        for name in ("risk_12m", "median_months", "q25_months", "survival_low_months"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[i])
    np.testing.assert_array_equal(model.outlook(X[::-1]).risk_12m[::-1], whole.risk_12m)


def test_names_do_not_overlap_with_estimators_of_labels():
    assert not set(names_of_times()) & set(names())
    assert all(estimator(name).name == name for name in names_of_times())
    with pytest.raises(RequestError, match="there is no such estimator"):
        estimator("coks")


def test_a_patient_is_a_row_for_each_interval_that_he_enters():
    learned = np.array([3.0, 3.1, -4.4, -4.5, -6.0, 100.0])
    found = periods(learned, 3.0, most=4)
    rows = [found.interval[found.row == i].tolist() for i in range(6)]
    assert rows == [[0], [0, 1], [0], [0, 1], [0, 1], [0, 1, 2, 3]]
    events = [found.event[found.row == i].tolist() for i in range(6)]
    assert events == [[True], [False, True], [False], [False] * 2, [False] * 2, [False] * 4]


def test_nobody_is_told_a_risk_by_day_365_from_half_a_year_of_follow_up():
    months, event = np.minimum(MONTHS, 6.0), EVENT & (MONTHS <= 6)
    recipe = Recipe(
        task="survival", members=(("cox", FEW["cox"]),), seed=1, inner_folds=3, coverage=0.9
    )
    model = fit_survival(X, signed(months, event), FAMILIES, recipe)
    assert model.curve.end == 6.0 < YEAR
    assert np.isnan(model.probability(X)).all()
    assert (model.outlook(X).survival_low_months <= 6).all()
