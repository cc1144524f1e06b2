"""Unknown values from known ones, against the conditional mean of a normal distribution and the
plain mean.
"""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.impute import SimpleImputer

from als_ml.config import load_config
from als_ml.training.task_data import recipe_of
from models.estimators import fit, make_pipeline
from models.estimators.elastic_net import contributions, score
from models.imputation import RelatedImputer, patterns
from tests.conftest import ROOT

CONFIGS = ROOT / "configs"
COVARIANCE = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.1], [0.3, 0.1, 1.0]])
MEAN, SD = np.array([10.0, -2.0, 100.0]), np.array([1.0, 3.0, 20.0])


def made(n: int, seed: int, unknown: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns and a 0/1 column, whole and with unknown values."""
    rng = np.random.default_rng(seed)
    whole = np.column_stack(
        [MEAN + SD * rng.multivariate_normal(np.zeros(3), COVARIANCE, n), rng.integers(0, 2, n)]
    )
    return whole, np.where(rng.random(whole.shape) < unknown, np.nan, whole)


def imputer() -> RelatedImputer:
    return RelatedImputer(strategy="mean", keep_empty_features=True)


def test_the_conditional_mean_of_a_normal_distribution():
    """Of the distribution that 20,000 patients were drawn from; a 0/1 column gets its mean."""
    fitted = imputer().fit(made(20_000, 1, unknown=0.1)[1])
    assert fitted.related_.tolist() == [0, 1, 2]
    assert np.allclose(fitted.covariance_, COVARIANCE, atol=0.03)
    z = np.array([1.5, -0.5])
    filled = fitted.transform(np.array([[*(MEAN[:2] + SD[:2] * z), np.nan, np.nan]]))[0]
    expected = MEAN[2] + SD[2] * COVARIANCE[2, :2] @ np.linalg.solve(COVARIANCE[:2, :2], z)
    assert filled[2] == pytest.approx(expected, abs=1.5)
    assert filled[3] == pytest.approx(0.5, abs=0.02)


def test_a_mean_of_what_is_measured_in_the_severe_is_mended():
    """Missing at random: the worse the known column, the likelier the other is measured (r = 0.7,
    half unknown).
    """
    rng = np.random.default_rng(0)
    severity = rng.normal(size=4_000)
    marker = 1 + 0.7 * severity + np.sqrt(1 - 0.7**2) * rng.normal(size=4_000)
    unknown = rng.random(4_000) < expit(-2 * severity)
    X = np.column_stack([severity, np.where(unknown, np.nan, marker)])
    assert np.nanmean(X[:, 1]) > 1.3
    fitted = imputer().fit(X)
    assert fitted.statistics_[1] == pytest.approx(1.0, abs=0.06)
    error = (fitted.transform(X)[:, 1] - marker)[unknown]
    assert error.mean() == pytest.approx(0.0, abs=0.06)


def test_an_item_takes_part_and_a_count_of_alleles_does_not():
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(0, 5, 300), rng.integers(0, 3, 300), rng.normal(size=300)])
    assert imputer().fit(X.astype(float)).related_.tolist() == [0, 2]


def test_nearer_to_the_truth_than_the_mean():
    whole, known = made(2_000, 2)
    own, plain = (
        i.fit(known).transform(known) for i in (imputer(), SimpleImputer(keep_empty_features=True))
    )
    error = [np.abs(filled - whole)[:, :2].mean() for filled in (own, plain)]
    assert error[0] < 0.8 * error[1]
    assert np.array_equal(own[np.isfinite(known)], whole[np.isfinite(known)])


@pytest.mark.parametrize("lacking", [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4]])
def test_few_or_many_unknown_columns_have_their_conditional_mean(lacking):
    """By its definition, with fewer and with more known than unknown ones."""
    X = np.random.default_rng(0).multivariate_normal(np.arange(5), np.eye(5) + 0.5, 300)
    fitted = imputer().fit(X)
    row = X[:1].copy()
    row[0, lacking] = np.nan
    rest = np.setdiff1d(np.arange(5), lacking)
    spread = np.outer(fitted.spread_, fitted.spread_) * fitted.covariance_
    weight = spread[np.ix_(lacking, rest)] @ np.linalg.inv(spread[np.ix_(rest, rest)])
    expected = fitted.statistics_[lacking] + weight @ (X[0] - fitted.statistics_)[rest]
    assert fitted.transform(row)[0, lacking] == pytest.approx(expected)


def test_a_filled_total_is_the_sum_of_the_filled_items():
    """Filling is linear, so what is a sum of known columns stays one where some are unknown, up to
    the ridge: half a point of totals that differ by 36. Means, one by one, are points off.
    """
    rng = np.random.default_rng(0)
    severity = rng.normal(size=(400, 1))
    items = np.clip(np.round(2 - severity + 0.7 * rng.normal(size=(400, 9))), 0, 4)
    known = np.where(rng.random(items.shape) < 0.1, np.nan, items)
    X = np.column_stack([known, known.sum(axis=1)])
    filled, by_mean = imputer().fit_transform(X), SimpleImputer().fit_transform(X)
    assert filled[:, 9] == pytest.approx(filled[:, :9].sum(axis=1), abs=0.5)
    assert np.abs(by_mean[:, 9] - by_mean[:, :9].sum(axis=1)).max() > 5


def test_one_patient_alone_gets_the_bits_of_the_batch():
    X = made(500, 3)[1]
    X[0] = np.nan
    y = (np.nan_to_num(X[:, 0], nan=10.0) > 10).astype(float)
    unfitted = make_pipeline("elastic_net", {}, 1, 1, True, related=True)
    pipeline = fit("elastic_net", unfitted, X, y, 1, True)
    for scored in (score, contributions):
        batch = scored(pipeline, X)
        assert np.isfinite(batch).all()
        assert all(
            np.array_equal(scored(pipeline, X[i : i + 1])[0], batch[i]) for i in range(len(X))
        )
    assert np.array_equal(pipeline[0].transform(X[:1])[0], pipeline[0].statistics_)


@pytest.mark.parametrize("columns", [[], [3], [0]])
def test_with_few_related_columns_the_mean(columns):
    X = made(100, 4)[1][:, columns or [3, 3]]
    assert np.array_equal(imputer().fit(X).transform(X), SimpleImputer().fit(X).transform(X))


def test_an_empty_column_and_few_patients():
    X = np.column_stack([made(12, 5)[1], np.full(12, np.nan)])
    assert np.isfinite(imputer().fit(X).transform(X)).all()


def test_the_shipped_progression_model_uses_it():
    assert recipe_of(load_config(CONFIGS / "progression.yaml", [])).related
    assert not recipe_of(load_config(CONFIGS / "familial.yaml", [])).related


@pytest.mark.parametrize(
    ("n", "columns", "share"),
    [(300, 60, 0.1), (50, 9, 0.5), (50, 8, 0.5), (10, 1, 0.5), (9, 17, 0)],
)
def test_patterns_are_those_of_numpy_in_its_order(n, columns, share):
    """`np.unique` by rows is the rule; bits of a model rest on the order of its patterns."""
    unknown = np.random.default_rng(n).random((n, columns)) < share
    unknown[n // 2 :] = unknown[: n - n // 2]
    masks, number = patterns(np.asfortranarray(unknown))  # in whatever order of memory
    expected, inverse = np.unique(unknown, axis=0, return_inverse=True)
    assert np.array_equal(masks, expected)
    assert np.array_equal(number, inverse.ravel())
