"""Configurations: the shipped ones load, mistakes are named."""

from pathlib import Path

import pytest

from als_ml.config import load_config
from features.errors import RequestError

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "path",
    [*sorted(ROOT.glob("configs/*.yaml")), ROOT / "benchmarks/casi.yaml"],
    ids=lambda p: p.stem,
)
def test_shipped_configurations_load(path):
    assert load_config(path).task in ("familial", "progression", "survival")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "landmark_day=0",
            r"key landmark_day: this key is not known. Did you mean 'landmark_days'\?",
        ),
        (
            "validation.fold=3",
            r"key validation.fold: this key is not known. Did you mean 'folds'\?",
        ),
        (
            "model.estimator=xgbost",
            r"key model.estimator: 'xgbost': is not a registered estimator.*xgboost",
        ),
        ("validation.folds=many", r"key validation.folds: 'many': input should be a valid integer"),
        (
            "validation.folds=1",
            r"key validation.folds: 1: input should be greater than or equal to 2",
        ),
        ("features.columns=[weight]", r"key features: features.columns needs `known_at: baseline`"),
        (
            "label.column=dFRS",
            r"key label: label.column goes with exactly one of label.above and label.below",
        ),
        ("task.name=x", r"task has no keys"),
        ("seed", r"this is not a dotted.key=value"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(RequestError, match=message):
        load_config(ROOT / "configs/progression.yaml", [change])


def test_set_changes_one_key():
    assert (
        load_config(ROOT / "configs/progression.yaml", ["validation.seed=7"]).validation.seed == 7
    )


@pytest.mark.parametrize(
    ("content", "message"), [("a: [", "this is not YAML"), ("- 1", "this is not a configuration")]
)
def test_broken_files(tmp_path, content, message):
    path = tmp_path / "c.yaml"
    path.write_text(content)
    with pytest.raises(RequestError, match=message):
        load_config(path)
    with pytest.raises(RequestError, match="there is no such configuration"):
        load_config(tmp_path / "absent.yaml")


_WITH_COX = ["model.estimator=stack", "model.members.cox={}", "model.members.xgboost={}"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("survival", ["model.estimator=elastic_net"], "does not fit the task survival; use cox"),
        ("progression", ["model.estimator=cox"], "does not fit the task progression; use elastic"),
        ("progression", _WITH_COX, "cox does not fit the task progression"),
        ("survival", ["label.column=x", "label.above=1"], "two classes, not a time"),
        ("survival", ["label.follow_up_days=90"], "is not after landmark_days 90"),
        ("survival", ["label.event=alive"], "'composite', 'death', 'niv' or 'gastrostomy'"),
    ],
)
def test_what_does_not_go_with_a_task_is_refused(name, changes, message):
    with pytest.raises(RequestError, match=message):
        load_config(ROOT / f"configs/{name}.yaml", changes)


def test_a_follow_up_may_end_a_day_after_the_landmark():
    config = load_config(ROOT / "configs/survival.yaml", ["label.follow_up_days=91"])
    assert config.label.follow_up_days == 91
