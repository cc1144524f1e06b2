"""The one door to a model: every command that uses one reads checked data, and runs nothing that
lies in the model.
"""

import importlib.util
import json
import marshal
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
import skops.io
from mlflow import MlflowClient

import predict
from als_ml.__main__ import main
from als_ml.cli import diagnostics
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.storage import read_predictor, trusted_types
from als_ml.serving import app
from als_ml.serving.server import Edge, Extras, serving, wait_until_up
from als_ml.tracking import loader, model_files
from als_ml.tracking.loader import checked_model, load, model_in
from als_ml.tracking.model_files import LIST, MODEL, MODEL_DIGEST, PIPELINE
from als_ml.tracking.sqlite import SCHEMAS, version_in
from als_ml.tracking.store import quiet_mlflow
from als_ml.tracking.versions import _looked_up, asked_for
from benchmarks import mutated_models
from features.errors import DataError, RequestError
from models.estimators import names

ROOT = Path(__file__).resolve().parents[3]
NAME = "als-progression"
URI = f"models:/{NAME}@champion"
FORMAT_1 = ROOT / "tests/fixtures/models_format_1"


# --- models of earlier releases


@pytest.mark.parametrize("task", ["familial", "progression"])
def test_models_of_format_1_score_as_they_did(task):
    """Against what the code that trained them said of 20 simulated patients (README.md there).

    Another processor may end in other last bits: OpenBLAS picks its kernel by the machine, and the
    unknown values of the progression model come from a linear solver.
    """
    records = json.loads((FORMAT_1 / "records.json").read_text())
    expected = json.loads((FORMAT_1 / "expected.json").read_text())[task]
    rows = model_in(FORMAT_1 / task).predictor().predict_records(records)
    then = [float.fromhex(row.pop("probability")) for row in expected]
    assert [row["probability"] for row in rows] == pytest.approx(then, rel=1e-12, abs=0)
    assert [{name: row[name] for name in expected[0]} for row in rows] == expected
    assert len({row["probability"] for row in rows}) >= 10


@pytest.mark.parametrize("task", ["familial", "progression"])
def test_models_of_format_1_bring_their_own_definitions(task):
    """From the tables among their code, read as data."""
    stored = json.loads((FORMAT_1 / task / MODEL).read_text())
    assert "format" not in stored
    predictor = model_in(FORMAT_1 / task).predictor()
    assert predictor.definitions.version == stored["definitions_version"]
    assert "genes" in predictor.definitions.texts


def test_a_model_says_its_format_and_a_newer_one_is_refused():
    pipeline, model = ((FORMAT_1 / "familial" / name).read_bytes() for name in (PIPELINE, MODEL))
    stored = json.loads(model)
    for number in (1, 2, 3):
        assert read_predictor(pipeline, json.dumps(stored | {"format": number}).encode())
    for number in (0, 4, "2", None, True and 99):
        newer = stored | {"format": number, "als_ml_version": "7.1.0"}
        with pytest.raises(DataError, match=r"its format is .*Install als-ml 7\.1\.0"):
            read_predictor(pipeline, json.dumps(newer).encode())


class Stranger:
    """A type that is none of a pipeline's."""


def test_a_pipeline_holds_only_types_that_we_trust():
    ours = {name.split(".")[0] for name in trusted_types(names())}
    assert ours == {"models", "numpy", "xgboost", "sklearn"}
    model = (FORMAT_1 / "familial" / MODEL).read_bytes()
    with pytest.raises(DataError, match=r"holds what no model of ours does.*Stranger"):
        read_predictor(skops.io.dumps([[Stranger()]]), model)


# --- which model a URI means


def test_sqlite_answers_as_mlflow_does(registry):
    """Each alias and version of the store, asked of both."""
    file = Path(registry["folder"]) / "mlflow.db"
    client = client_of(registry)
    for model in client.search_registered_models():
        for end in ("@champion", "/1", "/01"):
            uri = f"models:/{model.name}{end}"
            assert _looked_up(uri) == asked_for(uri)
            assert _looked_up(uri).digest
    version = client.create_model_version(
        NAME, client.get_model_version(NAME, "1").source, tags={"a": "b"}
    )
    number = str(version.version)
    assert version_in(file, NAME, "", number).tags == {"a": "b"}
    client.delete_model_version(NAME, number)
    assert version_in(file, NAME, "", number) is None
    assert version_in(file, NAME, "nobody", "") is None
    assert version_in(file, "nothing", "champion", "") is None


@pytest.mark.parametrize("variable", ["MLFLOW_REGISTRY_URI", "MLFLOW_WORKSPACE"])
def test_mlflow_is_asked_where_sqlite_cannot_know(registry, variable, monkeypatch, tmp_path):
    file = Path(registry["folder"]) / "mlflow.db"
    assert version_in(file, NAME, "champion", "")
    monkeypatch.setenv(variable, "x")
    assert version_in(file, NAME, "champion", "") is None
    monkeypatch.delenv(variable)
    other = Path(shutil.copy(file, tmp_path / "other.db"))
    with closing(sqlite3.connect(other)) as store, store:
        (revision,) = store.execute("SELECT version_num FROM alembic_version").fetchone()
        assert revision in SCHEMAS
        for schema in SCHEMAS:
            store.execute("UPDATE alembic_version SET version_num = ?", (schema,))
            store.commit()
            assert version_in(other, NAME, "champion", "")
        store.execute("UPDATE alembic_version SET version_num = 'newer'")
    assert version_in(other, NAME, "champion", "") is None
    other.write_text("no database")
    assert version_in(other, NAME, "champion", "") is None
    assert version_in(tmp_path / "absent.db", NAME, "champion", "") is None
    assert not (tmp_path / "absent.db").exists()


def test_every_way_to_name_a_model(registry, caplog):
    version = client_of(registry).get_model_version(NAME, "1")
    source, run, folder = version.source, version.run_id, model_folder(registry)
    uris = [URI, f"models:/{NAME}/1", source, str(folder), f"runs:/{run}/model"]
    alone = [load(uri) for uri in uris]
    assert [p.model_version for p in alone] == ["1", "1", None, None, None]
    warned = [f"--model {uri}: nothing says what its files must be" in caplog.text for uri in uris]
    assert warned == [False, False, False, True, True]
    assert len({json.dumps(p.training) for p in alone}) == 1


@pytest.mark.parametrize(
    "uri",
    ["models:/nothing@champion", f"models:/{NAME}/99", "models:/m-nothing", "runs:/1/model", "./x"],
)
def test_no_such_model(registry, uri):
    with pytest.raises(RequestError, match="--model") as said:
        load(uri)
    assert said.value.exit_status == 2


# --- every door


@pytest.fixture(scope="module")
def tampered(store, tmp_path_factory) -> dict[str, str]:
    """A copy of the store, its model loaded once by plain MLflow, which leaves bytecode in it."""
    copy = copied(store, tmp_path_factory.mktemp("tampered"))
    loaded_by_plain_mlflow(copy)
    return copy


def copied(store: dict[str, str], folder: Path) -> dict[str, str]:
    """A store of its own: MLflow keeps absolute paths."""
    shutil.copytree(store["folder"], folder, dirs_exist_ok=True)
    moves = {
        "model_versions": "storage_location",
        "logged_models": "artifact_location",
        "runs": "artifact_uri",
        "experiments": "artifact_location",
    }
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        for table, column in moves.items():
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608
                (store["folder"], str(folder)),
            )
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "folder": str(folder)}


@pytest.fixture
def registry(tampered) -> Iterator[dict[str, str]]:
    """The store of the doors, each test with the files as they were."""
    kept = {path: path.read_bytes() for path in model_folder(tampered).rglob("*") if path.is_file()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tampered["folder"])
        patch.setenv("MLFLOW_TRACKING_URI", tampered["MLFLOW_TRACKING_URI"])
        yield tampered
    for path in [path for path in model_folder(tampered).rglob("*") if path.is_file()]:
        if path not in kept:
            path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)


def client_of(store: dict[str, str]) -> MlflowClient:
    uri = store["MLFLOW_TRACKING_URI"]
    return MlflowClient(uri, uri)


def model_folder(store: dict[str, str], name: str = NAME) -> Path:
    with closing(sqlite3.connect(Path(store["folder"]) / "mlflow.db")) as database:
        found = database.execute(
            "SELECT storage_location FROM model_versions WHERE name = ? AND version = 1", (name,)
        )
        return Path(found.fetchone()[0])


def door(*command: str) -> Callable[[Path, Path], int]:
    """A command with the cohort and a folder for what it writes."""

    def run(cohort: Path, folder: Path) -> int:
        words = [word.format(cohort=cohort, folder=folder) for word in command]
        return predict.main(words[1:]) if words[0] == "predict" else main(words)

    return run


def serve(cohort: Path, folder: Path) -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    try:
        with diagnostics(quiet=False), serving(URI, address) as server:
            wait_until_up(server, address)
    except RequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


COHORT = ("--cohort", "{cohort}")
DOORS = {
    "predict": door("predict", "--model", URI, *COHORT, "--output", "{folder}/p.csv"),
    "predict --lock": door("predict", "--lock", "lock.json", *COHORT, "--output", "{folder}/p.csv"),
    "report": door("report", "--model", URI, *COHORT, "--output", "{folder}/r.html"),
    "compare": door("compare", URI, URI, *COHORT),
    "promote": door("promote", "--model", f"models:/{NAME}/1", "--override", "tried"),
    "monitor": door("monitor", "--model", URI, *COHORT),
    "recalibrate": door("recalibrate", "--model", URI, *COHORT),
    "lock": door("lock", "--model", URI, "--output", "{folder}/l.json"),
    "serve": serve,
}


@pytest.fixture
def ready(registry, demo, tmp_path, request) -> Callable[[str], int]:
    """Opens a door by its name; `lock.json` was made when all was well, and the champion is version
    1.
    """
    if not Path("lock.json").exists():
        assert main(["lock", "--model", URI, "--output", "lock.json", "--quiet"]) == 0
    return lambda name: DOORS[name](demo / "cohort.yaml", tmp_path)


def loaded_by_plain_mlflow(store: dict[str, str]) -> None:
    """With bytecode written, as for most people."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    code = f"import mlflow; mlflow.pyfunc.load_model({URI!r})"
    subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment | {"MLFLOW_TRACKING_URI": store["MLFLOW_TRACKING_URI"]},
        cwd=store["folder"],
        check=True,
        capture_output=True,
    )


def plant(folder: Path, marker: Path) -> int:
    """Make unchecked bytecode that leaves a mark for every module in the model.

    Returns how many.
    """
    code = compile(f"open({str(marker)!r}, 'w').close()", "planted", "exec")
    unchecked = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
    modules = list(folder.rglob("*.py"))
    for module in modules:
        cache = Path(importlib.util.cache_from_source(str(module)))
        cache.parent.mkdir(exist_ok=True)
        cache.write_bytes(unchecked + marshal.dumps(code))
    return len(modules)


@pytest.mark.slow
def test_the_planted_bytecode_runs_in_plain_mlflow(registry, tmp_path):
    """Else the tests below would show nothing."""
    plant(model_folder(registry), tmp_path / "ran")
    with pytest.raises(subprocess.CalledProcessError):
        loaded_by_plain_mlflow(registry)
    assert (tmp_path / "ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_no_door_runs_planted_bytecode(name, ready, registry, tmp_path, capfd):
    """And each still works after a plain load, and names the files."""
    if name == "promote":
        another_is_champion(registry)
    assert len(list(model_folder(registry).rglob("*.pyc"))) > 50
    planted = plant(model_folder(registry), tmp_path / "ran")
    try:
        assert ready(name) == 0
    finally:
        the_first_is_champion(registry)
    assert not (tmp_path / "ran").exists()
    warning = f"{planted} files were not there when it was registered"
    said = capfd.readouterr().err
    assert said.count(warning) == (2 if name == "compare" else 1)  # two models, two warnings
    assert "Traceback" not in said


def another_is_champion(store: dict[str, str]) -> None:
    """Move the alias away from version 1, to one of the same files if there is no other yet."""
    client = client_of(store)
    others = [v for v in client.search_model_versions(f"name = '{NAME}'") if str(v.version) != "1"]
    first = client.get_model_version(NAME, "1")
    other = (
        others[0]
        if others
        else client.create_model_version(NAME, first.source, first.run_id, tags=first.tags)
    )
    client.set_registered_model_alias(NAME, "champion", other.version)


def the_first_is_champion(store: dict[str, str]) -> None:
    client_of(store).set_registered_model_alias(NAME, "champion", "1")


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize(
    "changed", ["model.py", "code/als_ml/prediction/predictor.py", PIPELINE, MODEL, LIST]
)
def test_no_door_reads_a_changed_model(name, changed, ready, registry, tmp_path, capsys):
    if name == "promote":
        another_is_champion(registry)
    path = model_folder(registry) / changed
    ran = f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n".encode()
    path.write_bytes(path.read_bytes() + (ran if changed.endswith(".py") else b" "))
    try:
        assert ready(name) == 2
    finally:
        the_first_is_champion(registry)
    said = capsys.readouterr().err
    assert "since the registration" in said
    assert changed in said
    assert not (tmp_path / "ran").exists()
    assert not list(tmp_path.glob("[prl].*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_a_swap_after_the_check_changes_nothing(name, ready, registry, tmp_path, monkeypatch):
    """The bytes that were hashed are the bytes that are read."""
    if name == "promote":
        another_is_champion(registry)
    folder, read, seen = model_folder(registry), [], []

    def swapped(pipeline: bytes, model: bytes, *more) -> Predictor:
        read.append((pipeline, model))
        (folder / PIPELINE).write_bytes(b"swapped")
        (folder / MODEL).write_bytes(b"{}")
        return read_predictor(pipeline, model, *more)

    real = model_files.checked
    kept = (folder / PIPELINE).read_bytes(), (folder / MODEL).read_bytes()

    def noted(*arguments):
        seen.append(True)
        (folder / PIPELINE).write_bytes(kept[0])
        (folder / MODEL).write_bytes(kept[1])
        return real(*arguments)

    monkeypatch.setattr(loader, "read_predictor", swapped)
    monkeypatch.setattr(loader, "checked", noted)
    try:
        assert ready(name) == 0
    finally:
        the_first_is_champion(registry)
    assert seen
    assert set(read) <= {kept}
    assert bool(read) == (name != "promote")


def test_a_server_process_refuses_a_copy_that_was_swapped(tmp_path, monkeypatch):
    """Between the command that checked it and the process that reads it."""
    files = model_in(FORMAT_1 / "familial").files
    folder = tmp_path / "model"
    settings = {"folder": str(folder), "digest": model_files.written(files.data, folder)}
    settings |= {"name": "n", "version": "1", "parent": os.getpid(), "access_log": False}
    monkeypatch.chdir(tmp_path)
    (tmp_path / app.SETTINGS).write_text(json.dumps(settings))
    (folder / MODEL).write_bytes(b"{}")
    with quiet_mlflow(), pytest.raises(RequestError, match=f"{MODEL} was changed"):
        app.make_app()


@pytest.mark.usefixtures("registry")
def test_a_server_process_has_scored_the_example_before_it_is_asked(tmp_path, monkeypatch):
    """No first patient waits for what is made once."""
    files, scored = checked_model(URI).files, []
    digest = model_files.written(files.data, tmp_path / "model")
    model = {"folder": str(tmp_path / "model"), "digest": digest, "name": "n", "version": "1"}
    edge = asdict(Edge()) | {"parent": os.getpid(), "workers": 1, "beside": []}
    monkeypatch.chdir(tmp_path)
    (tmp_path / app.SETTINGS).write_text(json.dumps(asdict(Extras()) | edge | model))
    monkeypatch.setattr(app.Predictor, "predict_records", lambda _, sent: scored.append(sent))
    for of_a_process in ("log_to_standard_error", "_look_for_garbage_less_often", "_end_with"):
        monkeypatch.setattr(app, of_a_process, lambda *_: None)
    with quiet_mlflow():
        app.make_app()
    assert scored == [[EXAMPLE]]


def test_a_version_of_an_old_release_is_known_by_its_tree(registry, capfd):
    """Without a list, by the tag that it has; bytecode is named, any other file is refused."""
    folder = model_folder(registry)
    client = client_of(registry)
    before = client.get_model_version(NAME, "1").tags[MODEL_DIGEST]
    expected = load(URI).training
    (folder / LIST).unlink()
    client.set_model_version_tag(NAME, "1", MODEL_DIGEST, model_files.tree_digest(folder))
    try:
        assert load(URI).training == expected
        (folder / "code/als_ml/more.py").write_text("")
        with pytest.raises(RequestError, match="the model was changed"):
            load(URI)
    finally:
        client.set_model_version_tag(NAME, "1", MODEL_DIGEST, before)


@pytest.mark.slow
def test_loading_a_model_imports_neither_mlflow_nor_the_training(registry, demo, tmp_path):
    """What predict.py has imported when it is done; xgboost only if a pipeline holds it, and
    nothing that scikit-learn would import for a list of its estimators.
    """
    code = (
        "import sys, predict; assert predict.main(sys.argv[1:]) == 0; "
        "print([n for n in sys.modules if n in ('mlflow', 'sqlalchemy', 'matplotlib', 'optuna', "
        "'statsmodels', 'dask', 'pytest') or n.startswith('als_ml.training')])"
    )
    words = ["--model", URI, "--cohort", f"{demo}/cohort.yaml", "--output", f"{tmp_path}/p.csv"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--quiet"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


@pytest.mark.slow
def test_mutated_models_are_refused_or_give_the_same_answer():
    """`python -m benchmarks models` tries 1,000."""
    told, wrong = mutated_models.run(60, seed=3)
    assert not wrong
    assert told["refused"] > 40
    assert told["the same answer"] > 0
