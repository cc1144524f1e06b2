"""The main job: a cohort in, two tracked models, batch predictions, and the same answer from a
request.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import predict
from als_ml.__main__ import main as als_ml
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.row import ROW_FIELDS
from als_ml.tracking.loader import load
from features.blocks.rows import feature_rows
from models.estimators import names
from models.labels import out_of_scope
from models.tasks import FAMILIAL, PROGRESSION
from tests.records import record

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("models:/als-familial@champion", "models:/als-progression@champion")


@pytest.fixture(scope="module")
def batch(store, demo, tmp_path_factory):
    path = tmp_path_factory.mktemp("batch") / "predictions.csv"
    arguments = [part for uri in MODELS for part in ("--model", uri)]
    assert (
        predict.main(
            [*arguments, "--cohort", f"{demo}/cohort.yaml", "--output", str(path), "--quiet"]
        )
        == 0
    )
    return pd.read_csv(path)


@pytest.fixture(scope="module")
def predictor(store):
    return load(MODELS[1])


def test_batch_has_one_row_a_patient_and_task(batch, cohort):
    assert list(batch.columns) == list(ROW_FIELDS)
    assert len(batch) == 2 * len(cohort)
    assert not batch.duplicated(["sample_id", "task"]).any()
    scored = batch[batch["error"].isna()]
    assert scored["probability"].between(0, 1).all()
    assert set(scored["predicted_class"]) == {"familial", "sporadic", "fast", "slow"}
    assert set(scored["model_name"]) == {"als-familial", "als-progression"}
    refused = batch[batch["error"].notna()]
    assert refused["probability"].isna().all()
    # Refused is who is out of scope by the contract, and nobody else.
    for task in (FAMILIAL, PROGRESSION):
        reason = out_of_scope(cohort, task, 90)
        own = refused[refused["task"] == task.name]["sample_id"]
        assert sorted(own) == sorted(cohort.patients["sample_id"][reason != ""])
    assert len(refused) > 0
    assert set(batch["genetic_cause"]) <= {"found", "uncertain", "not_found", "not_fully_tested"}


def test_patient_alone_in_a_batch_and_by_predict_py_is_the_same(batch, cohort, predictor):
    probability = batch[batch["task"] == "progression"].set_index("sample_id")["probability"]
    records = [record(cohort, i) for i in range(len(cohort))]
    together = predictor.predict_records(records)
    assert sum(row["error"] is None for row in together) > 200
    for i in (0, 7, 100, 239):
        alone = predictor.predict_records([records[i]])[0]
        assert alone["probability"] == together[i]["probability"]
        assert alone["drivers"] == together[i]["drivers"]
        assert alone["genetic_cause"] == together[i]["genetic_cause"]
    written = probability.reindex([row["sample_id"] for row in together]).to_numpy(dtype=float)
    served = np.array([np.nan if row["error"] else row["probability"] for row in together])
    assert np.array_equal(written, served, equal_nan=True)  # to the last bit


def test_order_of_columns_and_rows_changes_nothing(cohort, predictor):
    rows = feature_rows(cohort, predictor.spec)
    plain = [row["probability"] for row in predictor.predict_rows(rows)]
    mixed = predictor.predict_rows(rows.iloc[::-1, ::-1])
    assert [row["probability"] for row in mixed][::-1] == plain
    reversed_cohort = cohort.take(np.arange(len(cohort))[::-1])
    again = predictor.predict_cohort(reversed_cohort)[::-1]
    assert [r["probability"] for r in again] == [
        r["probability"] for r in predictor.predict_cohort(cohort)
    ]


def test_a_feature_table_gives_the_same_predictions(batch, store, demo, tmp_path, capsys):
    features, output = tmp_path / "f.parquet", tmp_path / "p.csv"
    assert (
        als_ml(
            ["features", "--cohort", f"{demo}/cohort.yaml", "--output", str(features), "--quiet"]
        )
        == 0
    )
    models = [part for uri in MODELS for part in ("--model", uri)]
    assert (
        predict.main([*models, "--features", str(features), "--output", str(output), "--quiet"])
        == 0
    )
    pd.testing.assert_frame_equal(pd.read_csv(output), batch)
    arguments = [
        "features",
        "--cohort",
        f"{demo}/cohort.yaml",
        "--output",
        str(features),
        "--landmark-days",
        "0",
        "--quiet",
    ]
    assert als_ml(arguments) == 0
    assert (
        predict.main([*models, "--features", str(features), "--output", str(output), "--quiet"])
        == 1
    )
    assert "they end at day 0, the model's at day 90" in capsys.readouterr().err


@pytest.mark.slow
def test_estimators_agree_alone_and_in_a_batch(cohort):
    from als_ml.config import load_config
    from als_ml.training.task_data import make_labels, recipe_of
    from features.blocks.spec import FeatureSpec
    from models.fitted import fit_model

    config = load_config(ROOT / "configs/progression.yaml", ["validation.inner_folds=3"])
    labels, rows = make_labels(config, cohort), feature_rows(cohort, FeatureSpec())
    kept = labels.usable
    X, y, families = rows.to_numpy()[kept], labels.y[kept], cohort.families[kept]
    small = {
        "random_forest": {"n_estimators": 30},
        "histogram_boosting": {"max_iter": 30},
        "xgboost": {"n_estimators": 30},
    }
    for name in (*names(), "stack"):
        own = {
            "estimator": name,
            "parameters": small.get(name, {}),
            "members": {"elastic_net": {}, **small},
        }
        changed = config.model.model_copy(update=own)
        model = fit_model(X, y, families, recipe_of(config.model_copy(update={"model": changed})))
        together = model.probability(X)
        assert np.array_equal(
            together, np.array([model.probability(X[i : i + 1])[0] for i in range(len(X))])
        ), name
        assert np.array_equal(
            model.contributions(X)[:5],
            np.vstack([model.contributions(X[i : i + 1]) for i in range(5)]),
        ), name


def test_models_hold_no_pickle_and_no_patient(store, cohort):
    folder = Path(store["folder"])
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    ids = [name.encode() for name in cohort.patients["sample_id"]]
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".py":
            content = path.read_bytes()
            assert not any(name in content for name in ids), path
    runs = sqlite3.connect(folder / "mlflow.db").execute("select key, value from params").fetchall()
    assert runs


def test_the_run_is_tracked(store):
    from mlflow import MlflowClient

    client = MlflowClient(store["MLFLOW_TRACKING_URI"], store["MLFLOW_TRACKING_URI"])
    version = client.get_model_version_by_alias("als-progression", "champion")
    metrics = client.get_run(version.run_id).data.metrics
    for name in (
        "roc_auc",
        "average_precision",
        "brier",
        "log_loss",
        "balanced_accuracy",
        "calibration_slope",
    ):
        assert {name, f"{name}_low", f"{name}_high"} <= set(metrics)
    assert {
        "baseline_nfl_roc_auc",
        "baseline_dfs_roc_auc",
        "baseline_encals_known",
        "baseline_prevalence_brier",
        "labels/fast_by_event",
    } <= set(metrics)
    (used,) = client.get_run(version.run_id).inputs.dataset_inputs
    assert used.dataset.digest == client.get_run(version.run_id).data.tags["data_digest"]
    artifacts = {item.path for item in client.list_artifacts(version.run_id)}
    assert {"curves.png", "config.yaml", "feature_dictionary.csv", "summary.csv"} <= artifacts


@pytest.fixture(scope="module")
def endpoint(store):
    """Plain `mlflow models serve` on a free port."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        MODELS[1],
        "--env-manager",
        "local",
        "-p",
        str(port),
    ]
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", **store}
    log = Path(store["folder"]) / "server.log"
    with log.open("w") as output:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        server = subprocess.Popen(
            command,
            env={**environment, "PATH": path},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield _wait(port, server, log)
        finally:
            os.killpg(server.pid, 15)
            server.wait(20)


def _wait(port: int, server: subprocess.Popen, log: Path) -> str:
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{url}/ping", timeout=2)
            return url
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def _post(url: str, body: object) -> tuple[int, dict]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{url}/invocations", data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.slow
def test_served_over_http_equals_the_batch(endpoint, cohort, predictor):
    records = [record(cohort, i) for i in range(40)]
    status, reply = _post(endpoint, {"inputs": records})
    assert status == 200
    assert reply["predictions"] == json.loads(json.dumps(predictor.predict_records(records)))


@pytest.mark.slow
def test_a_bad_patient_stays_in_its_place(endpoint):
    bad = {
        **EXAMPLE,
        "sample_id": "bad",
        "biomarkers": [{"analyte": "nfl_serun", "value": 3, "unit": "pg/mL"}],
    }
    status, reply = _post(endpoint, {"inputs": [EXAMPLE, bad], "params": {"drivers": False}})
    good, refused = reply["predictions"]
    assert status == 200
    assert good["error"] is None
    assert 0 < good["probability"] < 1
    assert good["drivers"] == []
    assert refused["probability"] is None
    assert refused["error"]["field"] == "biomarkers.analyte"
    assert "nfl_serum" in refused["error"]["remedy"]


@pytest.mark.parametrize(
    "body", [{"inputs": [{"sample_id": "x", "sex": "unknown"}]}, {"inputs": "x"}, b"{"]
)
@pytest.mark.slow
def test_a_wholly_bad_request_is_400(endpoint, body):
    status, _ = _post(endpoint, body)
    assert status == 400
