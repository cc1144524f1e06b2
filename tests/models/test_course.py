"""The course learner on made-up patients whose true course is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from als_ml.commands.train import _of_courses
from als_ml.training.course_estimates import (
    CourseOfFold,
    _compared,
    course_estimates,
    unbeaten_courses,
)
from models.course import (
    CourseModel,
    Followed,
    fit_course_model,
    followed,
    followed_visits,
)
from tests.made import cohort

NAMES = ["alsfrs_baseline", "alsfrs_total", "marker", "noise", "rare"]
CONFIG = SimpleNamespace(
    landmark_days=90, validation=SimpleNamespace(bootstrap=20, seed=1, coverage=0.9)
)
DAYS = (125, 216, 307, 398)


def made(n=400, seed=1, noise=1.6):
    """Total = baseline - rate x months; `marker` says the rate but for an error."""
    rng = np.random.default_rng(seed)
    rate, base = np.exp(rng.normal(-0.2, 0.5, n)), rng.uniform(30, 44, n)
    measured = [base + rng.normal(0, noise, n), base - 3 * rate + rng.normal(0, noise, n)]
    marker = np.log(rate) + rng.normal(0, 0.3, n)
    rare = np.where(rng.random(n) < 0.3, 1.0, np.nan)
    X = np.column_stack([*measured, marker, rng.normal(size=n), rare]).astype(np.float32)
    months = np.repeat(np.array([(day - 90) / 30.4375 for day in DAYS])[None], n, axis=0)
    total = base[:, None] - rate[:, None] * (months + 3) + rng.normal(0, noise, months.shape)
    row = np.repeat(np.arange(n), len(DAYS))
    total = total.clip(0, 48)
    return X, followed_visits(row, months.ravel(), total.ravel(), n), rate, base


@pytest.fixture(scope="module")
def fitted():
    X, seen, rate, base = made()
    model = fit_course_model(X, np.zeros(len(X)), seen, np.arange(len(X)), NAMES, 0.9)
    return model, X, seen, rate, base


def test_rate_and_totals_are_found_and_intervals_hold(fitted):
    model, *_ = fitted
    X, seen, rate, base = made(2000, seed=2)
    expected = model.expected(X, np.zeros(len(X)))
    # The totals add to what the marker says alone.
    by_marker = np.corrcoef(X[:, 2], rate)[0, 1]
    assert np.corrcoef(expected.slope, rate)[0, 1] > by_marker + 0.02
    inside = (expected.slope_low <= seen.slope) & (seen.slope <= expected.slope_high)
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    for k, months in enumerate((3, 6, 9, 12)):
        truth = (base - rate * (months + 3)).clip(0, 48)
        assert np.sqrt(((expected.total[:, k] - truth) ** 2).mean()) < 0.6 * truth.std()
        assert abs((expected.total[:, k] - truth).mean()) < 0.4
        new = np.clip(truth + np.random.default_rng(3).normal(0, 1.6, len(truth)), 0, 48)
        held = (expected.total_low[:, k] <= new) & (new <= expected.total_high[:, k])
        assert held.mean() == pytest.approx(0.9, abs=0.04), months
    assert (np.diff(expected.total, axis=1) <= 1e-9).mean() > 0.95


def test_one_patient_alone_gets_the_same_numbers_as_in_a_batch(fitted):
    model, X, *_ = fitted
    score = np.linspace(-1, 1, len(X))
    whole = model.expected(X, score)
    for i in (0, 17, 399):
        alone = model.expected(X[i : i + 1], score[i : i + 1])
        for name in vars(whole):
            assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[i])


def test_stored_and_read_again(fitted):
    model, *_ = fitted
    again = CourseModel.from_json(model.to_json())
    assert again == model
    assert 4 not in model.columns  # known of a third only


def test_without_a_total_at_the_landmark_the_slope_remains(fitted):
    model, X, *_ = fitted
    unknown = X.copy()
    unknown[:, :2] = np.nan
    expected = model.expected(unknown, np.zeros(len(X)))
    assert np.isnan(expected.total).all()
    assert np.isfinite(expected.slope).all()


def test_a_matrix_without_alsfrs_teaches_the_slope_alone():
    X, seen, rate, _ = made()
    model = fit_course_model(X[:, 2:], np.zeros(len(X)), seen, np.arange(len(X)), NAMES[2:], 0.9)
    again = CourseModel.from_json(model.to_json())
    expected = again.expected(X[:, 2:], np.zeros(len(X)))
    assert np.isnan(expected.total).all()
    assert np.corrcoef(expected.slope, rate)[0, 1] > 0.6


def test_too_few_slopes_teach_nothing():
    X, seen, *_ = made(n=50)
    assert fit_course_model(X, np.zeros(50), seen, np.arange(50), NAMES, 0.9) is not None
    fewer = np.arange(49)
    assert fit_course_model(X[:49], np.zeros(49), seen.take(fewer), fewer, NAMES, 0.9) is None


def test_visits_after_the_landmark_until_a_treatment_count():
    days = (90, 91, 150, 200, 240, 546, 547)
    one = {"diagnosis": "als", "trial_drug_start_days": 200}
    visits = [{"sample_id": f"P{p}", "days": d, "total": 40} for p in (0, 1) for d in days]
    seen = followed(cohort({"diagnosis": "als"}, one, visits=visits), 90)
    found = [
        (np.round(seen.months[seen.row == p] * 30.4375) + 90).astype(int).tolist() for p in (0, 1)
    ]
    # 15 months after day 90 is day 546.56; the visit on the day of the first dose comes before it.
    assert found == [[91, 150, 200, 240, 546], [91, 150, 200]]


@pytest.mark.parametrize(
    ("days", "known", "measured"),
    [
        ((100, 159), False, False),
        ((100, 160), True, False),
        ((100, 190, 279), True, False),
        ((100, 190, 280), True, True),
        ((100, 280), True, False),
    ],
)
def test_what_makes_a_slope(days, known, measured):
    months = (np.array(days) - 90) / 30.4375
    seen = followed_visits(np.zeros(len(days), int), months, 40 - months, 1)
    assert (np.isfinite(seen.slope[0]), seen.measured[0]) == (known, measured)
    assert (seen.weight[0] > 0) == known


def test_some_patients_are_taken_with_their_visits():
    _, seen, *_ = made(n=6)
    some = seen.take(np.array([4, 1]))
    assert_array_equal(some.total[some.row == 0], seen.total[seen.row == 4])
    assert_array_equal(some.total[some.row == 1], seen.total[seen.row == 1])
    assert some.slope.tolist() == seen.slope[[4, 1]].tolist()


def test_errors_by_hand():
    seen = np.repeat([30.0, 20.0, 25.0], 5)
    predicted = np.repeat([[31.0, 29, 33], [18.0, 19, 22], [25.0, 26, 30]], 5, axis=0)
    found = _compared(
        "total_3m",
        np.arange(15),
        np.repeat([0, 0, 1], 5),
        seen,
        predicted,
        {"last_total": np.repeat([33.0, 24.0, np.nan], 5)},
        np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 1.0]]),
    )
    assert found["total_3m_rmse"] == pytest.approx(np.sqrt(5 / 3))
    assert found["total_3m_mae"] == pytest.approx(1.0)
    assert found["total_3m_coverage"] == pytest.approx(2 / 3)
    assert found["baseline_last_total_total_3m_rmse"] == pytest.approx(np.sqrt(12.5))
    # Of the visits that the baseline knows.
    assert found["difference_last_total_total_3m_rmse"] == pytest.approx(
        np.sqrt(2.5) - np.sqrt(12.5)
    )


@pytest.mark.parametrize(("places", "known"), [(np.arange(9), False), (np.arange(10), True)])
def test_fewer_than_ten_values_have_no_figure(places, known):
    predicted = np.zeros((10, 3))
    rows, weights = np.arange(len(places)), np.ones((1, 10))
    found = _compared("slope", places, rows, np.arange(10.0), predicted, {}, weights)
    assert ("slope_rmse" in found) == known


def test_folds_are_joined_and_a_lost_comparison_is_said(monkeypatch):
    monkeypatch.setattr("als_ml.training.course_estimates._FEWEST", 2)
    seen = Followed(
        row=np.array([0, 0, 1, 1]),
        months=np.array([3.0, 6.0, 3.0, 6.0]),
        total=np.array([40.0, 38.0, 30.0, 20.0]),
        slope=np.array([0.5, 2.0]),
        weight=np.ones(2),
        measured=np.ones(2, dtype=bool),
    )
    monkeypatch.setattr("als_ml.training.course_estimates.followed", lambda *_: seen)
    right = seen.total[:, None] + np.array([0.0, -1, 1])
    folds = [
        CourseOfFold(
            test=np.array([i]),
            visits=np.array([2 * i, 2 * i + 1]),
            slope=seen.slope[[i], None] + np.array([0.1, -1, 1]),
            slopes={"early_slope": seen.slope[[i]], "mean_slope": np.array([9.0])},
            total=right[2 * i : 2 * i + 2],
            totals={
                "last_total": seen.total[2 * i : 2 * i + 2] + 5,
                "early_slope": seen.total[2 * i : 2 * i + 2],
            },
        )
        for i in (0, 1)
    ]
    data = SimpleNamespace(cohort=None, families=np.arange(2), y=np.array([0.0, 1.0]))
    metrics = course_estimates(data, [*folds, None], CONFIG)
    assert metrics["total_3m_rmse"] == 0
    assert metrics["baseline_last_total_total_6m_rmse"] == pytest.approx(5)
    assert metrics["slope_rmse"] == pytest.approx(0.1)
    assert "total_9m_n" not in metrics
    assert unbeaten_courses(metrics) == [
        "slope does not beat the baseline early_slope (error +0.100, +0.100 to +0.100)",
        "total_3m does not beat the baseline early_slope (error +0.000, +0.000 to +0.000)",
        "total_6m does not beat the baseline early_slope (error +0.000, +0.000 to +0.000)",
    ]
    assert course_estimates(data, [None], CONFIG) == {}
    shown = _of_courses(metrics)
    assert [row["course"] for row in shown] == ["slope", "total_3m", "total_6m"]
    assert shown[2] == {
        "course": "total_6m",
        "measured": 2,
        "error": 0,
        "last total": pytest.approx(5),
        "early slope": 0,
        "in the interval": 1,
    }
    assert _of_courses({"slope_mae": 0.4}) == []
