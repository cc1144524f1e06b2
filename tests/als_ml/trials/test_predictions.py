"""Whose predictions a plan rests on: of patients whom the model does not know, or out of fold."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from als_ml.trials import predictions
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from models.survival.labels import TimeRule

CONFIG = SimpleNamespace(landmark_days=30)
SOURCE = SimpleNamespace(path=Path("folder/mine.yaml"))
PROBLEMS = Problems()


class Model:
    """Knows the first of its patients; says .1, .2, ... and nothing of the second."""

    def __init__(self, n, known, slope, task="survival"):
        self.fitted = SimpleNamespace(task=task)
        self.n, self.known, self.slope = n, known, slope

    def read(self, source, problems):
        assert (source, problems) == (SOURCE, PROBLEMS)
        return self

    def predict_cohort(self, cohort, drivers):
        assert cohort is self
        assert drivers is False
        risk = [None if i == 1 else (i + 1) / 1000 for i in range(self.n)]
        return [{"probability": p, "slope_predicted": self.slope} for p in risk]


@pytest.fixture
def asked(monkeypatch):
    """Predict with a model that was put in place; pools are the patients with a risk."""

    def run(n, known, slope=None, folds=0, rule=None, task="survival"):
        model = Model(n, known, slope, task)
        version = SimpleNamespace(run_id="run", version=3)
        monkeypatch.setattr(predictions, "registered_version", {"models:/m/3": version}.get)
        monkeypatch.setattr("als_ml.tracking.loader.load", {"models:/m/3": model}.get)
        monkeypatch.setattr(
            predictions, "run_config", lambda *of: {("run", str(SOURCE.path)): CONFIG}[of]
        )

        def known_to(predictor, number, cohort):
            assert (predictor, number, cohort) == (model, "3", model)
            return np.arange(n) < known

        checked = []

        def cross_validate(data, config):
            assert checked == [folds]  # of what no fold can learn from nothing is fitted
            assert config is CONFIG
            assert data.cohort == "labelled"
            fold = SimpleNamespace(test=np.array([2, 0]), slope=np.array([[0.7, 9], [0.5, 9]]))
            return SimpleNamespace(
                folds=[SimpleNamespace(course=None), SimpleNamespace(course=fold)],
                probability={"model": np.full(folds, 0.25)},
            )

        def prepared(config, source):
            assert (config, source) == (CONFIG, SOURCE)
            return SimpleNamespace(cohort="labelled", y=np.zeros(folds), families="kin")

        def check_labels(y, families, config):
            assert (len(y), families, config) == (folds, "kin", CONFIG)
            checked.append(folds)

        def pool_of(cohort, given, risk, slopes, adjust):
            return SimpleNamespace(
                months=risk[np.isfinite(risk)],
                of=(cohort, given, slopes, adjust),
            )

        monkeypatch.setattr("als_ml.lifecycle.promotion.known_to", known_to)
        monkeypatch.setattr(predictions, "cross_validate", cross_validate)
        monkeypatch.setattr(predictions, "prepared", prepared)
        monkeypatch.setattr(predictions, "check_labels", check_labels)
        monkeypatch.setattr(predictions, "time_rule", lambda config: {id(CONFIG): rule}[id(config)])
        monkeypatch.setattr(predictions, "pool_of", pool_of)
        found = predictions.predicted_pool("models:/m/3", SOURCE, ("total",), PROBLEMS)
        assert found.task == "survival"
        assert found.known == known
        return model, found

    return run


def test_fifty_whom_the_model_does_not_know_are_enough(asked):
    """Of 52 it knows two, of one of whom it says nothing."""
    model, found = asked(52, 2, slope=0.8)
    assert found.how == "the model, on patients that it was not trained on"
    np.testing.assert_allclose(found.pool.months, np.arange(3, 53) / 1000)
    cohort, rule, slope, adjust = found.pool.of
    assert cohort is model
    assert rule == TimeRule(landmark_days=30)
    assert slope.tolist() == [0.8] * 52
    assert adjust == ("total",)


def test_with_fewer_the_configuration_is_cross_validated(asked):
    _, found = asked(51, 2, slope=0.8, folds=50)
    assert found.how.startswith("the configuration of the model's run, cross-validated")
    assert found.pool.months.tolist() == [0.25] * 50
    cohort, rule, slope, adjust = found.pool.of
    assert cohort == "labelled"
    assert rule == TimeRule(landmark_days=30)
    # Each by the course of the fold that tested him.
    np.testing.assert_array_equal(slope[:4], [0.5, np.nan, 0.7, np.nan])
    assert adjust == ("total",)


def test_forty_nine_out_of_fold_are_refused(asked):
    words = "cohort mine.yaml: 49 patients have a follow-up, a total at day 30"
    with pytest.raises(DataError, match=words):
        asked(51, 2, folds=49)


def test_a_model_of_a_time_has_its_own_rule_and_no_slope_may_be_known(asked):
    own = TimeRule(event="death")
    _, found = asked(60, 0, rule=own)
    assert found.pool.of[1] is own
    assert found.pool.of[2] is None
    assert len(found.pool.months) == 59


@pytest.mark.parametrize("task", ["familial", "niv", "gastrostomy"])
def test_a_model_of_something_else_is_refused(asked, task):
    with pytest.raises(RequestError, match="models:/m/3"):
        asked(60, 0, task=task)


@pytest.mark.parametrize("task", ["survival", "progression"])
def test_a_model_of_the_course_is_not(task):
    predictions._refuse_other_tasks("models:/x", task)
