"""Calibration maps and conformal limits against scikit-learn, MAPIE and the definition, on made-up
scores.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from als_ml.config import load_config
from features.errors import RequestError
from models.calibration import KINDS, CalibrationMap, choose_map, fit_map, fit_sigmoid
from models.conformal import conformal_limits
from models.fitted import Calibration, recalibrated
from models.members import family_folds
from models.thresholds import threshold
from tests.conftest import ROOT


def scores(n=400, seed=0, bend=0.0):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(1.5 * score + bend * score**3 - 0.5)))).astype(float)
    return score, y


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_rises_keeps_the_mean_and_is_the_same_for_one_score(kind):
    score, y = scores(bend=0.5)
    fitted = fit_map(kind, score, y)
    grid = np.linspace(-6, 6, 1001)
    p = fitted.probability(grid)
    assert (np.diff(p) > 0).all()
    assert ((p > 0) & (p < 1)).all()
    assert fitted.probability(score).mean() == pytest.approx(y.mean(), abs=0.01)
    assert [fitted.probability(grid[i : i + 1])[0] for i in range(0, 1001, 100)] == p[
        ::100
    ].tolist()


@pytest.mark.parametrize(
    ("n", "scale", "shift"), [(40, 1.0, 0.0), (400, 1e-3, 5.0), (400, 80.0, -900)]
)
def test_the_sigmoid_is_that_of_scikit_learn(n, scale, shift):
    score, y = scores(n)
    slope, intercept = fit_sigmoid(shift + scale * score, y)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(score[:, None], y)
    assert slope * scale == pytest.approx(oracle.coef_[0, 0], abs=1e-5)
    assert intercept + slope * shift == pytest.approx(oracle.intercept_[0], abs=1e-5)


def test_scores_that_separate_the_labels_say_neither_0_nor_1():
    score = np.linspace(-2, 2, 50)
    p = fit_map("sigmoid", score, (score > 0).astype(float)).probability(score)
    assert p[0] < 0.01
    assert p[-1] > 0.99
    assert (np.diff(p) > 0).all()
    assert 0 < p.min() < p.max() < 1


@pytest.mark.parametrize("score", [np.zeros(20), -np.repeat([0.0, 1.0], 10)])
def test_a_sigmoid_without_signal_is_the_prevalence(score):
    y = np.repeat([0.0, 1.0], 10)
    y[3] = 1.0
    assert fit_sigmoid(score, y) == pytest.approx((0.0, np.log(11 / 9)))


def test_stored_maps_of_earlier_versions_are_read_as_they_were_fitted():
    """Isotonic and Venn-Abers: by scikit-learn's isotonic regressions, from which the stored
    numbers are made here.
    """
    score, y = scores(60)
    new = np.r_[scores(20, seed=2)[0], score[:3]]
    x = np.sort(score)
    oracle = IsotonicRegression(y_min=1e-6, y_max=1 - 1e-6, out_of_bounds="clip").fit(score, y)
    isotonic = CalibrationMap("isotonic", 1.0, 0.0, tuple(x), tuple(oracle.predict(x)))
    assert isotonic.probability(new) == pytest.approx(oracle.predict(new), abs=1e-9)
    gaps = np.r_[x[0] - 1, (x[:-1] + x[1:]) / 2, x[-1] + 1]
    places = [value for pair in zip(gaps, x, strict=False) for value in pair] + [gaps[-1]]
    stored = tuple(merged(score, y, place) for place in places)
    venn_abers = CalibrationMap("venn_abers", 1.0, 0.0, tuple(x), stored)
    expected = [merged(score, y, value) for value in new]
    assert venn_abers.probability(new) == pytest.approx(expected, abs=1e-9)


def merged(score, y, new):
    """Venn-Abers by its definition: isotonic fits with the new patient as a negative and as a
    positive.
    """
    low, high = (
        IsotonicRegression().fit(np.r_[score, new], np.r_[y, label]).predict([new])[0]
        for label in (0.0, 1.0)
    )
    return float(high / (1 - low + high))


@pytest.mark.parametrize("kind", ["isotonic", "venn_abers"])
def test_a_map_with_plateaus_is_refused_with_the_remedy(kind):
    with pytest.raises(RequestError, match=r"plateaus.*use auto, sigmoid or beta"):
        load_config(ROOT / "configs" / "quick.yaml", [f"model.calibration={kind}"])


def test_beta_rises_at_both_ends_where_the_labels_are_flat():
    """All positives beyond a score, and none below another: an unbounded fit would be flat
    there.
    """
    score = np.linspace(-3, 3, 300)
    y = (score > 0).astype(float)
    y[::7] = 1 - y[::7]
    p = fit_map("beta", score, y).probability(np.linspace(-20, 20, 401))
    assert (np.diff(p) > 0).all()


def test_beta_is_a_logistic_regression_on_both_log_probabilities():
    score, y = scores(2000, bend=0.3)
    fitted = fit_map("beta", score, y)
    u = fitted.slope * score + fitted.intercept
    design = np.column_stack([-np.logaddexp(0, -u), np.logaddexp(0, u)])
    oracle = LogisticRegression(C=np.inf, max_iter=5000, tol=1e-10).fit(design, y)
    assert fitted.y == pytest.approx([*oracle.coef_[0], oracle.intercept_[0]], abs=2e-3)


def test_scores_without_signal_say_the_prevalence():
    score, y = scores()
    for kind in KINDS:
        assert fit_map(kind, -score, y).probability(score) == pytest.approx(
            np.full(len(y), y.mean()), abs=1e-6
        )


def test_the_sigmoid_stays_unless_another_map_is_clearly_better():
    straight, bent = scores(1500, seed=3), scores(1500, seed=3)
    assert choose_map(*straight, family_folds(straight[1], np.arange(1500), 5, 1)).kind == "sigmoid"
    uneven = expit(np.where(bent[0] > 0, 3.0, 0.5) * bent[0])
    drawn = (np.random.default_rng(0).random(1500) < uneven).astype(float)
    assert choose_map(bent[0], drawn, family_folds(drawn, np.arange(1500), 5, 1)).kind == "beta"


@given(st.integers(20, 200), st.integers(0, 1000), st.sampled_from([0.8, 0.9, 0.95]))
def test_limits_are_those_of_mapie_for_each_label(n, seed, coverage):
    """MAPIE has no label-conditional sets: its split-conformal quantile on one label's patients
    alone is the oracle.
    """
    from mapie.conformity_scores import LACConformityScore

    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.5).astype(float)
    p = rng.random(n)
    for label, limit in zip((0, 1), conformal_limits(p, y, coverage), strict=True):
        own = p[y == label] if label == 0 else 1 - p[y == label]
        if np.ceil((len(own) + 1) * coverage) <= len(own):
            oracle = LACConformityScore().get_conformity_score_quantiles(
                own.reshape(-1, 1), np.array([1 - coverage]), cv="prefit"
            )
            assert limit == pytest.approx(float(oracle[0]), abs=1e-12)
        else:
            assert limit == 1.0


@given(st.integers(0, 10_000))
def test_coverage_of_each_label_is_kept(seed):
    """At 10 % prevalence: over many new patients each label is in its set about as often as
    promised.
    """
    rng = np.random.default_rng(seed)
    y, new = ((rng.random(8000) < 0.1).astype(float) for _ in range(2))
    p, q = (1 / (1 + np.exp(-(rng.normal(size=8000) + labels - 2))) for labels in (y, new))
    negative, positive = conformal_limits(p, y, 0.9)
    assert np.mean(q[new == 0] <= negative) == pytest.approx(0.9, abs=0.035)
    assert np.mean(1 - q[new == 1] <= positive) == pytest.approx(0.9, abs=0.09)


def test_an_update_moves_the_log_odds():
    plain = Calibration((1.0, 1.0), 0.5, (), (), (), "sigmoid", 1.0, 0.0)
    p = np.array([0.2, 0.5, 0.9])
    assert recalibrated(p, plain) is p
    moved = Calibration(
        (1.0, 1.0), 0.5, (), (), (), "sigmoid", 1.0, 0.0, update_slope=2.0, update_intercept=1.0
    )
    assert recalibrated(p, moved) == pytest.approx(1 / (1 + np.exp(-(2 * np.log(p / (1 - p)) + 1))))
    assert Calibration.from_json(moved.to_json()) == moved


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("prevalence", np.nan, 0.4),
        ("cost", 4.0, 0.2),
        ("cost", 1.0, 0.5),
        ("sensitivity", 1.0, 0.3),
        ("sensitivity", 0.5, 0.8),
    ],
)
def test_thresholds(rule, value, expected):
    p, y = np.array([0.1, 0.3, 0.6, 0.8, 0.2]), np.array([0, 1, 0, 1, 0])
    assert threshold(rule, value, p, y) == pytest.approx(expected)


def test_a_map_is_plain_numbers():
    fitted = fit_map("beta", *scores())
    assert CalibrationMap(**fitted.__dict__) == fitted
    assert all(isinstance(v, float) for v in (*fitted.x, *fitted.y))
