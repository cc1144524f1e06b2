"""What MLflow's user sees of a run, a model and an experiment."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from als_ml.__main__ import main as als_ml
from als_ml.config import Config
from als_ml.lifecycle.monitoring import log_monitoring
from als_ml.lifecycle.registry import registered_version, run_metrics
from als_ml.tracking.log import push
from als_ml.tracking.manifest import git_dirty
from als_ml.tracking.run_folder import FEWEST, _folds, read_run, write_run
from als_ml.tracking.view import (
    HEADLINES,
    logged_model_id,
    mark_as_training,
    shown_name,
    where_to_look,
)
from features.errors import RequestError

KIND = "mlflow.experimentKind"
# What run folders of earlier versions do not have.
SINCE = ("note", "started", "finished", "features", "profile", "folds")


@pytest.fixture(scope="module")
def kept(training, tmp_path_factory) -> Path:
    """The folder of a finished run with a name and a note."""
    folder = tmp_path_factory.mktemp("kept")
    tracking = training.config.tracking.model_copy(
        update={"run_name": "first look", "note": "Does NfL help?"}
    )
    config = training.config.model_copy(update={"tracking": tracking})
    write_run(type(training)(**{**vars(training), "config": config}), folder)
    return folder


@pytest.fixture(scope="module")
def pushed(kept, migrated, tmp_path_factory):
    """That run in a store of its own: client, run, version."""
    place = tmp_path_factory.mktemp("view")
    shutil.copy(migrated, place / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db")
        logged = push(kept)
        client = MlflowClient()
        version = client.get_model_version(logged["name"], logged["version"])
        yield client, client.get_run(logged["run_id"]), version


def test_headlines_come_first_and_the_rest_in_groups(pushed):
    names = list(pushed[1].data.metrics)
    assert tuple(names[: len(HEADLINES)]) == HEADLINES
    bare = [name for name in names if "/" not in name and not name.startswith("baseline_")]
    ends = ("", "_low", "_high")
    assert set(bare) == {f"{m}{end}" for m in (*HEADLINES, "balanced_accuracy") for end in ends}
    assert {"cohort/n", "sites/roc_auc", "labels/fast_by_event"} <= set(names)
    assert not [name for name in names if name.startswith("others/")]


def test_figures_are_read_back_under_their_own_names(pushed, training):
    found = run_metrics(pushed[2])
    assert found["n"] == len(training.y)
    assert set(training.metrics) >= set(found) - {
        name for name in found if name.startswith("labels_")
    }


def test_a_figure_that_nobody_has_placed_is_not_in_front():
    assert shown_name("something_new") == "others/something_new"


def test_folds_are_steps_of_the_one_run(pushed, training):
    client, run, _ = pushed
    history = client.get_metric_history(run.info.run_id, "folds/roc_auc")
    assert [point.step for point in history] == list(range(len(training.validated.folds)))
    nested = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    )
    assert len(nested) == len(training.tables["trials"])


@pytest.mark.parametrize(("positive", "told"), [(4, False), (5, True), (6, True)])
def test_a_fold_with_few_of_a_label_tells_nothing(positive, told, training):
    fold = training.validated.folds[0]
    y = training.y.copy()
    y[fold.test] = 0
    y[fold.test[:positive]] = 1
    data = type(training.data)(**{**vars(training.data), "y": y})
    assert bool(_folds(type(training)(**{**vars(training), "data": data}))[0]) == told
    assert FEWEST == 5


def test_name_note_and_length_of_a_run(pushed, kept):
    info, tags = pushed[1].info, pushed[1].data.tags
    stored = read_run(kept)
    assert info.run_name == "first look"
    assert tags["mlflow.note.content"] == "Does NfL help?"
    assert "mlflow.user" in tags
    assert (info.start_time, info.end_time) == (stored["started"], stored["finished"])
    assert info.status == "FINISHED"


def test_a_model_and_its_version_are_described(pushed, training):
    client, _, version = pushed
    assert "fast rather than slow" in client.get_registered_model(version.name).description
    said = version.description
    assert said.startswith(f"{len(training.y)} labelled patients, {int(training.y.sum())} of them")
    assert f"roc auc {training.metrics['roc_auc']:.3f} (" in said
    assert "Simulated data" in said
    assert "Does NfL help?" in said
    assert "Research use only" in said


def test_the_data_set_has_features_and_counts(pushed, training):
    (used,) = pushed[1].inputs.dataset_inputs
    columns = json.loads(used.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == list(training.predictor.names)
    profile = json.loads(used.dataset.profile)
    assert profile["patients"] == profile["fast"] + profile["slow"] == len(training.y)
    assert all(isinstance(count, int) for count in profile.values())


def test_the_experiment_is_shown_as_model_training(pushed):
    client, run, _ = pushed
    assert client.get_experiment(run.info.experiment_id).tags[KIND] == "custom_model_development"


@pytest.mark.parametrize(
    ("store", "begins"),
    [
        (
            "sqlite:///mlflow.db",
            "look: mlflow ui --backend-store-uri sqlite:///mlflow.db, then http://127.0.0.1:5000/#/",
        ),
        (
            "postgresql://me:secret@db/runs",
            "look: mlflow ui --backend-store-uri postgresql://me:***@",
        ),
        ("https://me:secret@runs.example/", "look at https://me:***@runs.example/#/experiments"),
    ],
)
def test_the_address_of_a_run_opens_it_as_model_training(store, begins, monkeypatch):
    """MLflow's pages ignore the kind of the experiment; they obey the address (looked at, 3.17)."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    said = where_to_look({"experiment_id": "7", "run_id": "abc"})
    assert said.startswith(begins)
    assert said.endswith("/#/experiments/7/runs/abc?workflowType=machine_learning")
    assert "secret" not in said


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("no_inferred_type", "custom_model_development"),
        ("genai_development_inferred", "custom_model_development"),
        ("genai_development", "genai_development"),
    ],
)
def test_the_user_s_own_choice_of_a_view_stays(kind, after, pushed):
    client = pushed[0]
    experiment = client.create_experiment(f"of {kind}", tags={KIND: kind})
    mark_as_training(client, experiment)
    assert client.get_experiment(experiment).tags[KIND] == after


def test_a_description_that_somebody_wrote_stays_and_old_folders_are_pushed(pushed, kept, tmp_path):
    """A folder as earlier versions wrote it: a run for each fold without a figure, and none of the
    new keys.
    """
    client, _, version = pushed
    before = client.get_registered_model(version.name).description
    client.update_registered_model(version.name, "Ours.")
    old = shutil.copytree(kept, tmp_path / "old")
    stored = json.loads((old / "run.json").read_text())
    for name in SINCE:
        del stored[name]
    stored["nested"] = [{"name": "fold 0", "parameters": {"members": "[]"}, "metrics": {}}]
    (old / "run.json").write_text(json.dumps(stored))
    logged = push(old)
    run = client.get_run(logged["run_id"])
    assert "cohort/n" in run.data.metrics
    assert run.info.status == "FINISHED"
    runs = client.search_runs([run.info.experiment_id])
    assert "fold 0" not in [other.info.run_name for other in runs]
    assert client.get_registered_model(version.name).description == "Ours."
    client.update_registered_model(version.name, before)


TABLE = [
    {"feature": "age", "PSI": 0.3, "verdict": "shifted"},
    {"feature": "nfl", "PSI": float("nan"), "verdict": "look"},
]


@pytest.mark.parametrize(("scored", "logged"), [(19, False), (20, True), (21, True)])
def test_monitoring_stands_with_the_model(scored, logged, pushed):
    client, _, version = pushed
    seen = {"scored": scored, "not scored": 1, "out_of_distribution": 0.1, "abstained": 0.2}
    assert (
        log_monitoring(version, TABLE, seen, {"observed/expected": 1.1, "o/e low": 0.9}) == logged
    )
    if logged:
        experiment = client.get_experiment_by_name("als-ml-monitoring").experiment_id
        run = client.search_runs([experiment], max_results=1)[0]
        assert run.data.metrics["monitoring/features_shifted"] == 1
        assert run.data.metrics["monitoring/largest_psi"] == 0.3
        assert run.data.metrics["monitoring/oe"] == 1.1
        linked = client.get_logged_model(logged_model_id(version)).metrics
        assert "monitoring/oe_low" in {metric.key for metric in linked}


@pytest.mark.slow
def test_a_promotion_stands_with_the_model(pushed, kept, demo, capsys):
    name = pushed[2].name
    number = push(kept)["version"]
    words = ["promote", "--model", f"models:/{name}/{number}", "--training-cohort"]
    als_ml([*words, f"{demo}/cohort.yaml"])
    capsys.readouterr()
    version = registered_version(f"models:/{name}/{number}")
    linked = pushed[0].get_logged_model(logged_model_id(version)).metrics
    assert "promotion/roc_auc_difference" in {metric.key for metric in linked}


def test_compare_says_first_what_differs(pushed, capsys):
    name = pushed[2].name
    assert als_ml(["compare", f"models:/{name}/1", f"models:/{name}/1"]) == 0
    assert capsys.readouterr().out.startswith("both were made alike")


def checkout(folder: Path) -> Path:
    (folder / "als_ml").mkdir()
    for name in ("features", "models"):
        (folder / name).mkdir()
    (folder / "als_ml" / "a.py").write_text("1\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def test_a_dirty_checkout_is_known(tmp_path):
    folder = checkout(tmp_path)
    assert git_dirty(folder) is False
    (folder / "cohort.csv").write_text("not code")
    assert git_dirty(folder) is False
    (folder / "als_ml" / "b.py").write_text("2\n")
    assert git_dirty(folder) is True
    (folder / "als_ml" / "b.py").unlink()
    (folder / "als_ml" / "a.py").write_text("3\n")
    assert git_dirty(folder) is True


def test_outside_a_checkout_nothing_is_said(tmp_path):
    assert git_dirty(tmp_path) is None


def test_a_name_and_a_note_are_optional():
    tracking = Config(task="familial", cohort="c").tracking
    assert (tracking.run_name, tracking.note) == (None, None)


def test_monitoring_says_when_the_store_cannot_be_written(pushed, monkeypatch):
    def lost(*_):
        raise OSError("gone")

    monkeypatch.setattr("als_ml.lifecycle.monitoring.log_linked", lost)
    seen = {"scored": 20, "not scored": 0}
    with pytest.raises(RequestError, match="the figures could not be logged"):
        log_monitoring(pushed[2], TABLE, seen, {})
