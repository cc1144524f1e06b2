"""A package of others: found, allowed by the site or not, trained, scored and served."""

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest

from als_ml.config import load_config
from als_ml.prediction.example import EXAMPLE as RECORD
from features import plugins
from features.blocks import FeatureSpec, feature_dictionary, feature_rows, registry
from features.blocks.registry import needed
from features.catalogue import shipped
from features.errors import RequestError
from models.estimators import estimator, fit, make_pipeline, names, plugin_of
from tests.conftest import ROOT
from tests.plugins import PIN, install_example

PROGRESSION = ROOT / "configs/progression.yaml"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The example package is installed; what it needs is the test's own business."""
    monkeypatch.syspath_prepend(str(install_example(tmp_path)))
    forget()
    yield monkeypatch
    monkeypatch.undo()
    forget()


def forget():
    for remembered in (plugins.installed, estimator, registry.block):
        remembered.cache_clear()


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("", False),
        (PIN, True),
        (f"other==0.3, {PIN}", True),
        ("ALS_ML.example==1.2", True),  # names as packaging normalises them
        ("als-ml-example==1.3", False),
        ("als-ml-example==1.1", False),
    ],
)
def test_only_the_listed_version_is_registered(here, listed, there):
    here.setenv(plugins.ALLOW_LIST, listed)
    assert ("ridge" in names()) is there
    assert ("body" in registry.names()) is there


@pytest.mark.parametrize("entry", ["als-ml-example", "als-ml-example>=1.2", "a==1,!=2", "==1"])
def test_a_list_that_pins_nothing_is_refused(here, entry):
    here.setenv(plugins.ALLOW_LIST, entry)
    with pytest.raises(RequestError, match=r"ALS_ML_PLUGINS.*Write package==version"):
        names()


@pytest.mark.parametrize("change", ["model.estimator=ridge", "features.blocks=[clinical,body]"])
def test_a_configuration_says_what_would_allow_it(here, change):
    with pytest.raises(RequestError, match=rf"not a registered.*set ALS_ML_PLUGINS={PIN}"):
        load_config(PROGRESSION, [change])
    here.setenv(plugins.ALLOW_LIST, PIN)
    load_config(PROGRESSION, [change])


def test_its_estimator_keeps_the_contract(here):
    here.setenv(plugins.ALLOW_LIST, PIN)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = (X[:, 0] > 0).astype(float)
    X[::7, 1] = np.nan
    kind = estimator("ridge")
    pipeline = fit("ridge", make_pipeline("ridge", {}, 1, 1, True), X, y, 1, True)
    for scored in (kind.score, kind.contributions):
        assert np.array_equal(scored(pipeline, X[:1])[0], scored(pipeline, X)[0])
    assert plugin_of("ridge").pin == PIN


def test_its_block_adds_a_column(here, cohort):
    here.setenv(plugins.ALLOW_LIST, PIN)
    assert needed(["body"]) == ["biomarkers", "body"]
    spec = FeatureSpec(blocks=("biomarkers", "body"))
    assert feature_dictionary(spec, shipped())[-1].name == "metabolic_mass"
    rows = feature_rows(cohort, spec)
    expected = rows["weight"] ** 0.75
    assert rows["metabolic_mass"].to_numpy() == pytest.approx(
        expected.to_numpy(), rel=1e-6, nan_ok=True
    )
    assert rows["metabolic_mass"].between(10, 50).sum() > 100


def test_two_blocks_with_one_column_are_refused(here):
    here.setenv(plugins.ALLOW_LIST, PIN)
    twin = registry.Block(name="body", dictionary=doubled, compute=dict)
    here.setattr("als_ml_example.BODY", twin, raising=True)
    with pytest.raises(RequestError, match=r"'metabolic_mass'.*both have it.*features\.blocks"):
        feature_dictionary(FeatureSpec(blocks=("body",)), shipped())


def doubled(spec, definitions):
    import als_ml_example

    return 2 * als_ml_example.columns(spec, definitions)


@pytest.mark.parametrize(
    ("needs", "listed", "said"),
    [
        ([PIN], PIN, None),
        ([PIN], "", rf"{PIN}, which this site does not allow.*ALS_ML_PLUGINS={PIN}"),
        (["als-ml-example==1.3"], PIN, r"1\.3, and als-ml-example 1\.2 is installed.*Install"),
        (["gone==1"], PIN, r"gone==1, and it is not installed.*Install gone==1"),
        ([], "", None),
    ],
)
def test_a_model_names_what_it_needs_and_the_site_decides(here, needs, listed, said):
    here.setenv(plugins.ALLOW_LIST, listed)
    if said is None:
        plugins.check_needed(needs, "model M")
    else:
        with pytest.raises(RequestError, match=rf"model M.*{said}"):
            plugins.check_needed(needs, "model M")


def run(arguments, environment, folder):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_trained_scored_and_served_with_the_package(tmp_path, demo, migrated):
    """By train.py, predict.py and plain `mlflow models serve`, each a process of its own."""
    (tmp_path / "mlflow.db").write_bytes(migrated.read_bytes())
    (tmp_path / "site").mkdir()
    environment = os.environ | {
        "PYTHONPATH": f"{install_example(tmp_path / 'site')}:{ROOT}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        plugins.ALLOW_LIST: PIN,
    }
    quick = ["folds=3", "repeats=1", "inner_folds=3", "bootstrap=50", "honesty=false"]
    changes = [
        f"cohort={demo}/cohort.yaml",
        "model.estimator=ridge",
        "features.blocks=[clinical,body]",
        "validation.sites=false",
        *(f"validation.{change}" for change in quick),
    ]
    flags = [part for change in changes for part in ("--set", change)]
    trained = run(
        [ROOT / "train.py", "--config", PROGRESSION, "--quiet", *flags], environment, tmp_path
    )
    assert trained.returncode == 0, trained.stderr
    model = "models:/als-progression@champion"
    scored = [ROOT / "predict.py", "--model", model, "--cohort", demo / "cohort.yaml", "--output"]
    done = run([*scored, tmp_path / "rows.csv"], environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "rows.csv").read_text().splitlines()) > 200

    refused = run([*scored, tmp_path / "no.csv"], environment | {plugins.ALLOW_LIST: ""}, tmp_path)
    assert refused.returncode == 2
    assert f"set ALS_ML_PLUGINS={PIN}" in refused.stderr
    assert not (tmp_path / "no.csv").exists()
    absent = run([*scored, tmp_path / "no.csv"], environment | {"PYTHONPATH": ""}, tmp_path)
    assert absent.returncode == 2
    assert f"Install {PIN}" in absent.stderr

    models = ["--model", model, "--cohort", demo / "cohort.yaml", "--output"]
    for door, name in (("features", "x.parquet"), ("report", "page.html")):
        opened = run(["-m", "als_ml", door, *models, tmp_path / name], environment, tmp_path)
        assert opened.returncode == 0, opened.stderr
    probability = served(model, environment, tmp_path)
    asked = f"import als_ml; print(als_ml.predict({model!r}, [{RECORD!r}])['probability'][0])"
    told = run(["-c", asked], environment, tmp_path)
    assert float(told.stdout) == probability


def clean_environment(folder: Path, plugin: str) -> Path:
    """An interpreter with the packages of this one but without als-ml, as a model's host has it.

    A folder that a .pth file adds is searched, and its own .pth files, which name the checkout, are
    not read.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "theirs.pth").write_text(f"{sysconfig.get_path('purelib')}\n{plugin}\n")
    server = f"#!{python}\nfrom uvicorn.main import main\nmain()\n"
    (folder / "bin/uvicorn").write_text(server)
    (folder / "bin/uvicorn").chmod(0o755)
    absent = subprocess.run(
        [python, "-I", "-c", "import als_ml.cli"], capture_output=True, check=False
    )
    assert b"No module named 'als_ml.cli'" in absent.stderr
    return python


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def served(model: str, environment: dict[str, str], folder: Path) -> float:
    """The probability that plain MLflow answers for the example record, without als-ml installed:
    the model brings its code, the site the package and its word that it may run.
    """
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    port, plugin = free_port(), environment["PYTHONPATH"].partition(":")[0]
    python = clean_environment(folder / "clean", plugin)
    command = [python, "-m", "mlflow", "models", "serve", "-m", model]
    command += ["--env-manager", "local", "--port", str(port)]
    body = json.dumps({"inputs": [RECORD]}).encode()
    asked = Request(
        f"http://127.0.0.1:{port}/invocations", body, {"content-type": "application/json"}
    )
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = environment | {"PATH": path, "PYTHONPATH": ""}
    with subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True) as server:
        try:
            for _ in range(120):
                try:
                    with urlopen(asked, timeout=10) as reply:
                        return json.load(reply)["predictions"][0]["probability"]
                except (URLError, ConnectionError):
                    time.sleep(0.5)
            raise AssertionError("the server did not come up")
        finally:
            os.killpg(server.pid, 15)
