"""`import als_ml`: every public name is documented, works, and answers as its command does."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import als_ml
from als_ml.__main__ import main
from als_ml.prediction.example import EXAMPLE
from features.errors import DataError, RequestError
from tests.conftest import ROOT
from tests.stores import store_in

QUICK = ROOT / "configs/quick.yaml"
MODEL = "models:/als-progression@champion"
PUBLIC = [name for name in als_ml.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_documented(name):
    thing = getattr(als_ml, name)
    assert thing.__doc__
    assert f"`{name}`" in (ROOT / "docs/python.md").read_text()
    if inspect.isfunction(thing):
        parameters = inspect.signature(thing).parameters
        assert parameters.keys() <= {
            word.strip(",") for line in thing.__doc__.splitlines() for word in line.split()
        }
        assert inspect.signature(thing).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", [name for name in PUBLIC if name.islower()])
def test_each_public_function_has_an_example_that_runs(name):
    """pytest runs them: `als_ml` is one of its `testpaths`."""
    calls = [line for line in getattr(als_ml, name).__doc__.splitlines() if ">>>" in line]
    assert any(f"{name}(" in call for call in calls) or name == "load_config"


# Imports every module, then calls each public function; what it prints is looked at.
CALLS = """
import importlib, pathlib, pkgutil, sys
import als_ml, features.errors
names = list(als_ml.__all__)
for package in ("features", "models", "als_ml"):
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")
    for module in found:
        if module.name not in ("als_ml.serving.model", "als_ml.__main__"):
            importlib.import_module(module.name)
from als_ml.prediction.example import EXAMPLE, example_cohort
from als_ml.shipped import config_path
path, config = example_cohort(pathlib.Path(sys.argv[1])), config_path("familial")
model = als_ml.load(sys.argv[2])
small = {"cohort": str(path)}
def refused():
    try:
        return als_ml.train(config, small, track=False)
    except features.errors.UserError as error:
        return error.code
answers = {
    "read_cohort": len(als_ml.read_cohort(path)),
    "check": als_ml.check(path)["contents"]["patients"],
    "features": len(als_ml.features(path)),
    "labels": als_ml.labels(path, config).sum(),
    "train": refused(),
    "load": type(model) is als_ml.Predictor,
    "predict": als_ml.predict(model, [EXAMPLE])["probability"].between(0, 1).sum(),
    "explain": len(als_ml.explain(model, path).columns),
    "report": als_ml.report(path, path.with_name("page.html")).stat().st_size > 50_000,
    "load_config": type(als_ml.load_config(config)) is als_ml.Config,
}
types = {"CheckReport", "Cohort", "Config", "Predictor", "Training"}
missing = set(names) - set(answers) - types - {"__version__"}
print({name: int(x) if name != "train" else x for name, x in answers.items()}, missing)
"""


@pytest.mark.slow
def test_each_public_function_works_when_every_module_is_imported(tmp_path):
    """In a process of its own: the import of a module must not take the place of a function."""
    model = ROOT / "tests/fixtures/models_format_1/progression"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CALLS, str(tmp_path), str(model)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = {"read_cohort": 2, "check": 2, "features": 2, "labels": 1, "train": LABELS}
    expected |= {"load": 1, "predict": 1, "explain": 5, "report": 1, "load_config": 1}
    assert done.stdout.strip() == f"{expected} set()"


LABELS = "labels_unusable"


def test_import_loads_nothing_heavy():
    """In a process of its own: pandas alone takes two seconds."""
    code = "import als_ml, sys; print({'pandas', 'sklearn', 'mlflow'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == "set()"


def test_a_cohort_is_read_with_what_was_noticed(demo):
    noticed = []
    cohort = als_ml.read_cohort(demo / "cohort.yaml", problems=noticed)
    assert len(cohort) == len(cohort.patients) == 240
    assert all(problem.where and problem.found for problem in noticed)


@pytest.mark.slow
def test_check_reports_what_the_command_prints(demo, capsys):
    import json

    report = als_ml.check(str(demo / "cohort.yaml"))
    assert main(["check", "--cohort", str(demo / "cohort.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(report))


@pytest.mark.parametrize("how", ["plain", "model"])
def test_features_are_those_of_the_command(demo, store, tmp_path, how):
    path, output = demo / "cohort.yaml", tmp_path / "features.parquet"
    with store_in(Path(store["folder"])):
        model = als_ml.load(MODEL) if how == "model" else None
        asked = ["--model", MODEL] if model else []
        flags = ["features", "--quiet", "--cohort", str(path), "--output", str(output), *asked]
        assert main(flags) == 0
    rows = als_ml.features(path, model=model)
    written = pd.read_parquet(output).set_index("sample_id")[list(rows.columns)]
    assert list(rows.index) == list(written.index)
    assert np.array_equal(rows.to_numpy(), written.to_numpy(), equal_nan=True)
    assert [feature.name for feature in rows.attrs["dictionary"]] == list(rows.columns)


def test_labels_are_those_of_the_command(demo, tmp_path):
    path, output = demo / "cohort.yaml", tmp_path / "features.csv"
    config = ROOT / "configs/progression.yaml"
    flags = ["--cohort", str(path), "--output", str(output), "--labels", str(config), "--quiet"]
    assert main(["features", *flags]) == 0
    written = pd.read_csv(tmp_path / "features.labels.csv").set_index("sample_id")["progression"]
    labels = als_ml.labels(path, config)
    assert list(labels.index) == list(written.index)
    assert np.array_equal(labels, written, equal_nan=True)
    counts = labels.attrs["counts"]
    assert sum(counts.values()) >= labels.notna().sum() > 100
    assert counts["slow_by_slope"] == (labels == 0).sum()
    starts = als_ml.labels(path, ROOT / "configs/survival.yaml", {"label.event": "niv"})
    assert starts.name == "niv"
    assert starts.attrs["counts"]["event_niv"] == (starts == 1).sum()
    stricter = als_ml.labels(path, config, {"label.cutoff": 2.0})
    assert (stricter == 1).sum() < (labels == 1).sum()


def test_labels_with_another_landmark_than_the_features_are_refused(demo, tmp_path, capsys):
    flags = ["--cohort", str(demo / "cohort.yaml"), "--output", str(tmp_path / "x.csv")]
    config = ["--labels", str(ROOT / "configs/progression.yaml"), "--landmark-days", "120"]
    assert main(["features", *flags, *config]) == 2
    assert "Leave --landmark-days out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_trained_predicted_and_explained(demo, tmp_path):
    """The ten lines of the README."""
    path = demo / "cohort.yaml"
    small = {"cohort": str(path), "validation.honesty": False, "validation.sites": False}
    training = als_ml.train(QUICK, small, track=False)
    assert 0.5 < training.metrics["roc_auc"] < 1
    rows = als_ml.predict(training.predictor, path)
    assert rows["probability"].between(0, 1).sum() > 150
    parts = als_ml.explain(training.predictor, path)
    assert set(parts["kind"]) == {"feature", "block", "mechanism"}


def test_a_stored_model_answers_cohort_and_record_as_predict_py(demo, store, tmp_path):
    path, output = demo / "cohort.yaml", tmp_path / "rows.csv"
    with store_in(Path(store["folder"])):
        arguments = ["--model", MODEL, "--cohort", str(path), "--output", str(output), "--quiet"]
        assert main(["predict", *arguments]) == 0
        rows = als_ml.predict(MODEL, path)
        model = als_ml.load(MODEL)
    written = pd.read_csv(output)
    assert np.array_equal(rows["probability"], written["probability"], equal_nan=True)
    (one,) = model.predict_records([EXAMPLE])
    assert als_ml.predict(model, [EXAMPLE])["probability"].tolist() == [one["probability"]]


def test_a_report_is_written_whole(demo, tmp_path):
    path = als_ml.report(demo / "cohort.yaml", tmp_path / "cohort.html")
    assert path.read_text().lower().startswith("<!doctype html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["cohort.html"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: als_ml.read_cohort("absent.yaml"), "there is no such cohort file"),
        (lambda: als_ml.labels("absent.yaml", "configs/absent.yaml"), "no such configuration"),
        (lambda: als_ml.train(QUICK, {"model.estimater": 1}), r"not known.*estimator"),
        (lambda: als_ml.train(QUICK, {"task.x": 1}), "task has no keys"),
        (lambda: als_ml.features(ROOT / "absent.yaml", values=("median",)), "no such cohort"),
        (lambda: als_ml.report("absent.yaml", "page.txt"), r"\.html"),
    ],
)
def test_what_is_wrong_is_said_as_by_the_commands(call, said):
    with pytest.raises((RequestError, DataError), match=said):
        call()


def test_unknown_values_of_a_biomarker_are_refused(demo):
    with pytest.raises(RequestError, match=r"'median' is not one of them.*last, first"):
        als_ml.features(demo / "cohort.yaml", values=("median",))


def snippet(page: str) -> str:
    return (ROOT / page).read_text().split("```python\n")[1].split("```")[0]


def test_the_lines_of_the_readme_are_those_of_its_page():
    assert snippet("README.md") == snippet("docs/python.md")
    assert sum(bool(line) for line in snippet("README.md").splitlines()) == 10


@pytest.mark.slow
def test_the_lines_of_the_readme_run(demo, tmp_path, monkeypatch, capsys):
    """In a folder that has a cohort and the configurations where the README has them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/demo").symlink_to(demo)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet("README.md"), "README.md", "exec"), {})  # noqa: S102  # our own lines
    printed = capsys.readouterr().out
    assert "probability" in printed
    assert "contribution" in printed


def test_what_was_noticed_comes_with_each_table(demo):
    """The demo has values outside their plausible range: the command prints them."""
    path, noticed = demo / "cohort.yaml", []
    als_ml.read_cohort(path, problems=noticed)
    assert noticed
    labels = als_ml.labels(path, ROOT / "configs/progression.yaml")
    for table in (als_ml.features(path), labels):
        assert table.attrs["problems"] == noticed


def test_what_was_noticed_comes_with_the_predictions(demo, store):
    with store_in(Path(store["folder"])):
        model = als_ml.load(MODEL)
    noticed, path = [], demo / "cohort.yaml"
    als_ml.read_cohort(path, model, problems=noticed)
    for table in (als_ml.predict(model, path), als_ml.explain(model, path)):
        assert table.attrs["problems"] == noticed != []
