"""What differs between two models, told before their figures."""

import pytest

from als_ml.lifecycle.differences import Made, other_label, what_differs

CONFIG = {
    "task": "progression",
    "landmark_days": 90,
    "label": {"cutoff": 1.0},
    "model": {"estimator": "elastic_net"},
    "validation": {"seed": 1},
    "tracking": {"note": None},
    "threads": 2,
}
TAGS = {"definitions_version": "d1", "data_digest": "a", "git_commit": "c", "n": "100"}


def of(config=None, tags=None, features=("age", "nfl")) -> Made:
    return Made(config=CONFIG | (config or {}), tags=TAGS | (tags or {}), features=features)


def test_two_models_made_alike():
    assert what_differs(of(), of()) == []


@pytest.mark.parametrize(
    ("other", "about", "what"),
    [
        (of({"label": {"cutoff": 0.8}}), "label", "label.cutoff"),
        (of({"task": "familial"}), "label", "task"),
        (of({"landmark_days": 0}), "features", "landmark_days"),
        (of(features=("age", "fvc")), "features", "only here"),
        (of(tags={"definitions_version": "d2"}), "definitions", "definitions version"),
        (of(tags={"data_digest": "b"}), "data", "data digest"),
        (of(tags={"n": "101"}), "data", "labelled patients"),
        (of({"model": {"estimator": "xgboost"}}), "estimator", "model.estimator"),
        (of(tags={"recalibrated_from": "1"}), "estimator", "recalibrated from"),
        (of({"validation": {"seed": 2}}), "validation", "validation.seed"),
        (of(tags={"als_ml.git_dirty": "true"}), "code", "git dirty"),
    ],
)
def test_a_difference_is_named_with_its_subject(other, about, what):
    (row,) = what_differs(of(), other)
    assert (row["about"], row["what"]) == (about, what)
    assert row["first"] != row["second"]
    assert other_label([row]) == (about == "label")


def test_what_makes_figures_incomparable_comes_first():
    other = of(
        {"label": {"cutoff": 0.8}, "validation": {"seed": 2}, "model": {"estimator": "xgboost"}},
        {"git_commit": "e", "data_digest": "b", "definitions_version": "d2"},
        features=("age",),
    )
    assert [row["about"] for row in what_differs(of(), other)] == [
        "label",
        "features",
        "definitions",
        "data",
        "estimator",
        "validation",
        "code",
    ]


@pytest.mark.parametrize(
    ("change", "there"),
    [({"tracking": {"note": "x"}}, []), ({"threads": 8}, [])],
)
def test_what_changes_no_model_is_not_told(change, there):
    assert what_differs(of(), of(change)) == there


def test_a_setting_that_one_version_did_not_know_is_told():
    """A run of an earlier version has no such key."""
    (row,) = what_differs(of(), of({"label": {"cutoff": 1.0, "scheme": "new"}}))
    assert row == {"about": "label", "what": "label.scheme", "first": "default", "second": "new"}


@pytest.mark.parametrize(("n", "said"), [(5, "f0, f1, f2, f3, f4"), (6, "and 1 more")])
def test_many_features_are_counted(n, said):
    (row,) = what_differs(of(features=tuple(f"f{i}" for i in range(n))), of(features=()))
    assert row["first"].endswith(said)
    assert row["second"] == "none"
