"""Everything fitted is fitted inside the training part: a leak planted into each step is caught,
and none is there.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

import models.calibration
import models.fitted
import models.members
import models.search
from models.conformal import conformal_limits
from models.estimators import estimator
from models.fitted import FittedModel, fit_model
from models.members import Recipe, Search, family_folds, varying
from models.thresholds import threshold

TRAIN, TEST = np.arange(0, 90), np.arange(90, 120)


@pytest.fixture(scope="module")
def data():
    """120 made-up patients with gaps, and the same with other test patients."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 6))
    y = (X[:, 0] + rng.normal(size=120) > 0).astype(float)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 5] = 0.0
    X[:4, 5] = 1.0  # too rare for a selection of 8 %, unless the test patients count
    X_other, y_other = X.copy(), y.copy()
    X_other[TEST] = X_other[TEST][:, ::-1] * 50 + 20
    y_other[TEST] = 1.0
    families = np.arange(120)
    return [SimpleNamespace(X=a, y=b, families=families) for a, b in ((X, y), (X_other, y_other))]


RECIPE = Recipe(
    task="progression",
    members=(("elastic_net", {"C": 0.3}),),
    seed=1,
    inner_folds=3,
    coverage=0.9,
    least_share=0.08,
    search=Search(trials=12, folds=3),
)


def numbers(fitted: FittedModel) -> dict[str, bytes]:
    """What each fitted step of a model came to."""
    pipeline, calibration = fitted.members[0].pipeline, fitted.calibration
    steps = {
        "selection": np.array(fitted.members[0].columns, dtype=float),
        "search": np.array(
            sorted(v for v in fitted.members[0].parameters.values() if isinstance(v, float))
        ),
        "calibration": np.array(
            [calibration.slope, calibration.intercept, *calibration.x, *calibration.y]
        ),
        "conformal limits": np.array(calibration.limits),
        "threshold": np.array([calibration.threshold]),
        "training range": np.array([*calibration.low, *calibration.high]),
        "model": estimator(fitted.members[0].name).score(
            pipeline, np.eye(len(fitted.members[0].columns))
        ),
    }
    if "impute" in pipeline.named_steps:
        steps["imputation"] = pipeline["impute"].statistics_
        steps["scaling"] = np.array([pipeline["scale"].mean_, pipeline["scale"].scale_])
    return {name: np.asarray(values, dtype=float).tobytes() for name, values in steps.items()}


def moved(data, leak=lambda whole, patch: None, recipe: Recipe = RECIPE) -> set[str]:
    """Steps of a model of the training patients that change when only the test patients do."""
    found = []
    for whole in data:
        with pytest.MonkeyPatch.context() as patch:
            leak(whole, patch)
            found.append(
                numbers(fit_model(whole.X[TRAIN], whole.y[TRAIN], whole.families[TRAIN], recipe))
            )
    return {name for name in found[0] if found[0][name] != found[1][name]}


def test_nothing_of_the_test_patients_reaches_a_fit(data):
    assert moved(data) == set()


@pytest.mark.parametrize("name", ["random_forest", "histogram_boosting", "xgboost", "stack"])
def test_whatever_the_estimator(data, name):
    few = {"n_estimators": 10} if name in ("random_forest", "xgboost") else {}
    members = ((name, few),)
    if name == "stack":
        members = (("elastic_net", {}), ("xgboost", {"n_estimators": 10}))
    assert moved(data, recipe=replace(RECIPE, members=members, search=None)) == set()


def _imputation(whole, patch):
    def fit(self, X, y=None):
        return _FIT_IMPUTER(self, whole.X[:, : X.shape[1]])

    patch.setattr(SimpleImputer, "fit", fit)
    patch.setattr(SimpleImputer, "fit_transform", lambda self, X, y=None: self.fit(X).transform(X))


def _scaling(whole, patch):
    filled = np.nan_to_num(whole.X)
    patch.setattr(
        StandardScaler,
        "fit",
        lambda self, X, y=None, w=None: _FIT_SCALER(self, filled[:, : X.shape[1]]),
    )
    patch.setattr(
        StandardScaler, "fit_transform", lambda self, X, y=None, **_: self.fit(X).transform(X)
    )


def _selection(whole, patch):
    patch.setattr(models.members, "varying", lambda X, share: varying(whole.X, share))


def _search(whole, patch):
    own, filled = models.search.tuned, np.nan_to_num(whole.X)

    def tuned(X, y, families, recipe, learned):
        return own(filled, whole.y, whole.families, recipe, whole.y)

    patch.setattr(models.search, "tuned", tuned)


def _calibration(whole, patch):
    own = models.calibration.fit_map
    patch.setattr(
        models.fitted,
        "choose_map",
        lambda score, y, folds: own("sigmoid", np.resize(score, 120), whole.y),
    )


def _conformal(whole, patch):
    patch.setattr(
        models.fitted,
        "conformal_limits",
        lambda p, y, c: conformal_limits(np.resize(p, 120), whole.y, c),
    )


def _threshold(whole, patch):
    patch.setattr(
        models.fitted, "threshold", lambda rule, value, p, y: threshold(rule, value, p, whole.y)
    )


_FIT_IMPUTER, _FIT_SCALER = SimpleImputer.fit, StandardScaler.fit


@pytest.mark.parametrize(
    ("step", "leak"),
    [
        ("imputation", _imputation),
        ("scaling", _scaling),
        ("selection", _selection),
        ("search", _search),
        ("calibration", _calibration),
        ("conformal limits", _conformal),
        ("threshold", _threshold),
    ],
)
def test_a_planted_leak_is_caught(data, step, leak):
    assert step in moved(data, leak)


def test_calibration_and_limits_come_from_whole_families():
    """With every family twice in the data, an in-fold twin would make out-of-fold scores as good as
    apparent ones.
    """
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 30)), rng.integers(0, 2, 60).astype(float)
    X, y, families = np.vstack([X, X]), np.r_[y, y], np.tile(np.arange(60), 2)
    recipe = replace(
        RECIPE, members=(("xgboost", {"n_estimators": 30}),), search=None, least_share=0.0
    )
    apart, together = (
        fit_model(X, y, own, recipe).calibration for own in (np.arange(120), families)
    )
    assert together.slope < 0.3 * apart.slope
    for train, test in family_folds(y, families, 3, 1):
        assert not set(families[train]) & set(families[test])
