"""The tracking store: a real PostgreSQL, a server over HTTP, a store that is lost, two trainings at
once, broken files.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import train
from als_ml.__main__ import main as als_ml
from als_ml.prediction.storage import load_predictor
from als_ml.tracking import log as tracking
from als_ml.tracking.loader import load
from als_ml.tracking.model_files import MODEL_DIGEST
from als_ml.tracking.run_folder import FILES
from features.errors import DataError
from tests.servers import free_port, postgres, running

ROOT = Path(__file__).resolve().parents[3]
SMALL = (
    "features.blocks=[clinical, alsfrs]",
    "model.estimator=elastic_net",
    "validation.folds=3",
    "validation.repeats=1",
    "validation.inner_folds=2",
    "validation.bootstrap=20",
    "validation.honesty=false",
    "validation.sites=false",
)


def words(demo: Path, *more: str) -> list[str]:
    changes = [*SMALL, f"cohort={demo}/cohort.yaml", *more]
    return [
        "--config",
        str(ROOT / "configs/progression.yaml"),
        "--quiet",
        *[part for change in changes for part in ("--set", change)],
    ]


def finished(uri: str) -> tuple[list[str], list[str]]:
    """Statuses of the top runs, and versions of the model."""
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name("als-ml")
    runs = [
        r
        for r in client.search_runs([experiment.experiment_id])
        if "mlflow.parentRunId" not in r.data.tags
    ]
    return [r.info.status for r in runs], sorted(
        str(v.version) for v in client.search_model_versions()
    )


@contextmanager
def tracking_server(folder: Path, port: int) -> Iterator[subprocess.Popen]:
    store = [
        f"--backend-store-uri=sqlite:///{folder}/server.db",
        f"--artifacts-destination={folder}/artifacts",
    ]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host=127.0.0.1",
        f"--port={port}",
        "--workers=1",
        *store,
    ]
    with running(command, port, folder) as server:
        yield server


@pytest.fixture
def empty_store(migrated, tmp_path) -> Path:
    """A store without a run."""
    return shutil.copy(migrated, tmp_path / "mlflow.db")


@contextmanager
def at(folder: Path, uri: str) -> Iterator[None]:
    """Work in a folder with a store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        yield


@pytest.mark.slow
def test_postgresql(demo, tmp_path):
    with postgres() as uri, at(tmp_path, uri):
        assert train.main(words(demo)) == 0
        assert finished(uri) == (["FINISHED"], ["1"])
        assert load("models:/als-progression@champion").model_version == "1"
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.slow
def test_a_server_that_is_lost_costs_no_work(demo, empty_store, tmp_path, monkeypatch, capsys):
    """Over HTTP: it dies while the run is logged, the finished run is kept, and pushed when it is
    back.
    """
    empty_store.rename(tmp_path / "server.db")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    real = tracking._log_model
    with at(tmp_path, uri):
        with tracking_server(tmp_path, port) as server:

            def lost(*arguments):
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
                return real(*arguments)

            monkeypatch.setattr(tracking, "_log_model", lost)
            assert train.main(words(demo)) == 2
            monkeypatch.setattr(tracking, "_log_model", real)
        message = capsys.readouterr().err
        (kept,) = (tmp_path / "als-ml-runs").iterdir()
        assert f"python -m als_ml push als-ml-runs/{kept.name}" in message
        assert f"tracking store {uri}: the run could not be logged" in message
        assert als_ml(["push", f"als-ml-runs/{kept.name}"]) == 2
        assert "Start it, or set MLFLOW_TRACKING_URI" in capsys.readouterr().err
        while mlflow.active_run():  # in a new process there is none
            monkeypatch.setattr(
                mlflow.tracking.client.MlflowClient, "set_terminated", lambda *_: None
            )
            mlflow.end_run("FAILED")
        monkeypatch.undo()
    with at(tmp_path, uri), tracking_server(tmp_path, port):
        patched_pid(monkeypatch)
        assert als_ml(["push", f"als-ml-runs/{kept.name}"]) == 0
        statuses, versions = finished(uri)
        assert sorted(statuses) == ["FINISHED", "KILLED"]
        assert versions == ["1"]
        assert load("models:/als-progression@champion").model_version == "1"


def patched_pid(monkeypatch) -> None:
    """The run that was cut off belongs to another process, which is gone."""
    monkeypatch.setattr(tracking, "_alive", lambda _: False)


@pytest.mark.slow
def test_under_mlflow_run_its_own_run_is_used(demo, empty_store, tmp_path, monkeypatch):
    """`mlflow run .` makes a run in its own experiment and names it in the environment."""
    uri = f"sqlite:///{empty_store}"
    client = MlflowClient(uri, uri)
    made = client.create_run("0")
    with at(tmp_path, uri):
        monkeypatch.setenv("MLFLOW_RUN_ID", made.info.run_id)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
        monkeypatch.setattr(
            "mlflow.tracking.fluent._active_experiment_id", None
        )  # as in a new process
        assert train.main(words(demo)) == 0
    run = client.get_run(made.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.runName"] == "progression-elastic_net"
    assert client.search_model_versions()[0].run_id == made.info.run_id


@pytest.mark.parametrize("missing", [*FILES, "everything"])
def test_only_a_whole_run_is_pushed(missing, tmp_path, empty_store, capsys):
    folder = tmp_path / "run"
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).mkdir() if name == "artifacts" else (folder / name).write_text("{}")
    if missing == "everything":
        shutil.rmtree(folder)
    else:
        shutil.rmtree(folder / missing) if missing == "artifacts" else (folder / missing).unlink()
    with at(tmp_path, f"sqlite:///{empty_store}"):
        assert als_ml(["push", str(folder)]) == 2
    assert (
        "no such folder" if missing == "everything" else f"{missing} is missing"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"task": 1}', "\x00"])
def test_a_broken_run_is_not_pushed(content, tmp_path, empty_store, capsys):
    for name in FILES:
        (tmp_path / "run" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "run" / name).write_text(content)
    with at(tmp_path, f"sqlite:///{empty_store}"):
        assert als_ml(["push", str(tmp_path / "run")]) == 2
    assert "run.json: it is broken" in capsys.readouterr().err


@pytest.mark.slow
def test_two_trainings_at_once(demo, empty_store, tmp_path):
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{empty_store}"}
    command = [sys.executable, str(ROOT / "train.py"), *words(demo)]
    both = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [(p.communicate()[1], p.returncode) for p in both] == [("", 0), ("", 0)]
    assert finished(f"sqlite:///{empty_store}") == (["FINISHED"] * 2, ["1", "2"])


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        ([], 1),
        (["IntegrityError: UNIQUE constraint failed: datasets"], 2),  # the other run wrote it
        (["IntegrityError: UNIQUE constraint failed: datasets"] * 2, 2),
        (["OperationalError: database is locked"], 1),
    ],
)
def test_dataset_that_another_training_has_just_written(monkeypatch, failures, asked):
    calls = []

    def log_input(dataset, context):
        calls.append(context)
        if len(calls) <= len(failures):
            raise MlflowException(failures[len(calls) - 1])

    monkeypatch.setattr(mlflow, "log_input", log_input)
    given_up = asked == len(failures)
    with pytest.raises(MlflowException) if given_up else nullcontext():
        tracking._log_dataset(None)
    assert calls == ["training"] * asked


@pytest.mark.slow
def test_killed_at_any_time(demo, empty_store, tmp_path):
    """kill -9 before, while and after the run is logged: whole versions only, and dead runs are
    ended by the next training.
    """
    uri = f"sqlite:///{empty_store}"
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri}
    client = MlflowClient(uri, uri)
    for rounds, wait in enumerate((0.2, 1.5)):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *words(demo)], cwd=tmp_path, env=environment
        )
        while process.poll() is None and len(running_or_not(client)) < rounds + 1:
            time.sleep(0.05)
        time.sleep(wait)
        process.kill()
        process.wait()
        assert all(MODEL_DIGEST in version.tags for version in client.search_model_versions())
    with at(tmp_path, uri):
        assert train.main(words(demo)) == 0
    statuses = finished(uri)[0]
    assert statuses.count("RUNNING") == 0
    assert statuses[0] == "FINISHED"
    assert "KILLED" in statuses
    assert not list((tmp_path).glob("*.json"))


def running_or_not(client: MlflowClient) -> list:
    experiment = client.get_experiment_by_name("als-ml")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags]


@pytest.mark.parametrize(
    ("content", "uri"),
    [
        ("this is no database", "sqlite:///{}"),
        (None, "http://127.0.0.1:9"),
        (None, "postgresql+pg8000://als:secret@127.0.0.1:9/x"),
    ],
)
def test_a_store_that_does_not_answer(content, uri, demo, tmp_path, monkeypatch, capsys):
    """Said before the training, without the password."""
    broken = tmp_path / "broken.db"
    broken.write_text(content or "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)
    with at(tmp_path, uri.format(broken)):
        assert train.main(words(demo)) == 2
    message = capsys.readouterr().err
    assert "tracking store" in message
    assert "it cannot be used" in message
    assert "secret" not in message
    assert broken.read_text() == (content or "")


@pytest.mark.parametrize("name", ["model.json", "pipeline.skops"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"half"])
def test_a_damaged_model_says_so(name, damage, store, tmp_path):
    files = next(Path(store["folder"]).rglob("model.json"))
    folder = shutil.copytree(files.parent, tmp_path / "model")
    (folder / name).write_bytes(damage)
    with pytest.raises(DataError, match="its files are damaged"):
        load_predictor(folder / "pipeline.skops", folder / "model.json")


def limited(size: int):
    """A file system that is full after some bytes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.slow
def test_a_full_disk_leaves_what_was_there(store, demo, tmp_path):
    output = tmp_path / "out.csv"
    output.write_text("yesterday's\n")
    command = [sys.executable, str(ROOT / "predict.py"), "--model", "models:/als-familial@champion"]
    command += ["--cohort", f"{demo}/cohort.yaml", "--output", str(output)]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": store["MLFLOW_TRACKING_URI"],
        "MPLCONFIGDIR": str(tmp_path),
    }
    done = subprocess.run(
        command,
        check=False,
        cwd=store["folder"],
        env=environment,
        capture_output=True,
        text=True,
        preexec_fn=limited(4096),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "what was there before is as it was" in done.stderr
    assert output.read_text() == "yesterday's\n"


@pytest.mark.slow
def test_locale_and_clock_change_nothing(store, demo, tmp_path):
    answers = []
    for i, change in enumerate(
        [
            {},
            {
                "LC_ALL": "C",
                "PYTHONCOERCECLOCALE": "0",
                "PYTHONUTF8": "0",
                "TZ": "Pacific/Kiritimati",
            },
            {
                "LC_ALL": "tr_TR.UTF-8",
                "LANG": "de_DE.UTF-8",
                "TZ": "America/Los_Angeles",
                "PYTHONHASHSEED": "7",
            },
        ]
    ):
        output = tmp_path / f"{i}.csv"
        command = [
            sys.executable,
            str(ROOT / "predict.py"),
            "--model",
            "models:/als-familial@champion",
            "--quiet",
        ]
        command += ["--cohort", f"{demo}/cohort.yaml", "--output", str(output)]
        environment = os.environ | {"MLFLOW_TRACKING_URI": store["MLFLOW_TRACKING_URI"]} | change
        subprocess.run(command, cwd=store["folder"], env=environment, check=True)
        answers.append(output.read_bytes())
    assert answers[0] == answers[1] == answers[2]
