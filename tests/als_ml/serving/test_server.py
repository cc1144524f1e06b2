"""The guarded endpoint: limits, redacted errors, the digest before the code, and the same answers
over real HTTP.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient

import predict
from als_ml.__main__ import main
from als_ml.prediction.example import EXAMPLE
from als_ml.serving.body import BodyLimits, deeper_than
from als_ml.serving.guard import Guard, Watch
from als_ml.serving.server import Edge, checked, curl, serving, wait_until_up
from als_ml.simulate import simulate
from als_ml.tracking.loader import load
from als_ml.tracking.model_files import MODEL_DIGEST
from benchmarks import worst
from features.errors import RequestError
from tests.cohorts import read
from tests.records import record
from tests.stores import store_in
from tests.tls import certificates

MODEL = "models:/als-progression@champion"
JSON = {"content-type": "application/json", "host": "localhost:5001"}


def ask(
    app, body: bytes = b"", path="/invocations", method="POST", headers=JSON, chunk=None
) -> tuple[int, bytes]:
    """Send one request to an ASGI app."""
    size = chunk or max(len(body), 1)
    parts = [body[i : i + size] for i in range(0, max(len(body), 1), size)]
    waiting = [
        {"type": "http.request", "body": p, "more_body": i < len(parts) - 1}
        for i, p in enumerate(parts)
    ]
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "method": method, "headers": raw}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def answering(status: int, body: bytes, failing: bool = False):
    """An inner app that notes what reaches it."""

    async def app(scope, receive, send):
        app.seen.append((await receive())["body"] if scope["method"] == "POST" else b"")
        if failing:
            raise ValueError("patient P-1 has a value of 42")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    app.seen = []
    return app


GOOD = json.dumps({"inputs": [{"sample_id": "a"}]}).encode()


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_a_good_request_reaches_the_model_as_it_was_sent(chunk):
    inner = answering(200, b'{"predictions": []}')
    assert ask(Guard(inner), GOOD, chunk=chunk) == (200, b'{"predictions": []}')
    assert inner.seen == [GOOD]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b'{"inputs": [NaN]}', 400, "not JSON"),
        (b'{"inputs": [{"age_at_onset": Infinity}]}', 400, "not JSON"),
        (b"[]", 400, "no list of patients"),
        (b'{"inputs": []}', 400, "no list of patients"),
        (b'{"inputs": "x"}', 400, "no list of patients"),
        (b'{"inputs": ["x"]}', 400, "no list of patients"),
        (b'{"inputs": [{"a": ' + b"[" * 20 + b"]" * 20 + b"}]}", 400, "nested deeper than 16"),
        (b"[" * 100_000, 400, "nested deeper than 16"),
        (b'{"inputs": [' + b"{}," * 20 + b"{}]}", 413, "more than 10 patients"),
        (b'{"inputs": [{"a": "' + b"x" * 20_000 + b'"}]}', 413, "larger than 0.01 MB"),
    ],
)
def test_a_bad_request_never_reaches_the_model(body, status, message):
    inner = answering(200, b"")
    found, text = ask(
        Guard(inner, BodyLimits(0.2 if len(body) == 100_000 else 0.01, patients=10)), body
    )
    assert found == status
    assert message in json.loads(text)["message"]
    assert inner.seen == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"path": "/docs"}, 404),
        ({"path": "/openapi.json", "method": "GET"}, 404),
        ({"method": "GET"}, 405),
        ({"headers": JSON | {"content-type": "text/csv"}}, 415),
        ({"headers": {"host": "localhost"}}, 415),
        ({"headers": JSON | {"content-length": "99999999999"}}, 413),
        ({"headers": JSON | {"content-length": "-1"}}, 413),
        ({"headers": JSON | {"host": "evil.example"}}, 421),
    ],
)
def test_what_is_not_served(change, status):
    inner = answering(200, b"")
    assert ask(Guard(inner, watch=Watch(hosts=("localhost",))), GOOD, **change)[0] == status
    assert inner.seen == []
    assert ask(Guard(answering(200, b"\n")), path="/ping", method="GET") == (200, b"\n")


@pytest.mark.parametrize("status", [400, 422, 500, 504])
def test_an_error_repeats_nothing(status):
    """Whatever the app says of the patient: in JSON, in plain text, in a stack trace."""
    for said in (
        b'{"message": "Failed to predict P-1: 42", "stack_trace": "P-1 42"}',
        b"P-1 42",
        b"",
        b'["P-1 42"]',
    ):
        found, text = ask(Guard(answering(status, said)), GOOD)
        assert found == status
        assert b"P-1" not in text
        assert b"42" not in text
        assert json.loads(text)["message"]


def test_an_exception_repeats_nothing(capsys):
    status, text = ask(Guard(answering(0, b"", failing=True)), GOOD)
    assert status == 500
    assert b"P-1" not in text
    assert "P-1" not in capsys.readouterr().err


def test_the_models_own_message_goes_out():
    own = {
        "error_code": "BAD_REQUEST",
        "message": "no valid patient among 1; the first: sex is unknown.",
    }
    assert json.loads(ask(Guard(answering(400, json.dumps(own).encode())), GOOD)[1]) == own


@given(
    st.recursive(
        st.none() | st.integers(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=20,
    )
)
def test_depth_is_that_of_the_text(value):
    def depth(inner):
        children = (
            inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ()
        )
        return 1 + max(map(depth, children), default=0) if isinstance(inner, dict | list) else 0

    assert all(deeper_than(value, limit) == (depth(value) > limit) for limit in range(1, 6))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_guard(body):
    status, text = ask(Guard(answering(200, b"{}")), body)
    assert status in (200, 400)
    json.loads(text)


@pytest.fixture(scope="module")
def served(store, tmp_path_factory):
    """`als_ml serve` in a process of its own, with its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("served") / "server.log"
    command = [sys.executable, "-m", "als_ml", "serve", "--model", MODEL, "--port", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(command, env=os.environ | store, stdout=output, stderr=output)
        try:
            wait_until_up(server, ("127.0.0.1", port))
            yield port, log
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(40) == 0


@pytest.mark.slow
def test_a_killed_server_leaves_nothing(store, tmp_path):
    """kill -9 of the command under load: its processes end, its copy of the model goes, the port is
    free again.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "als_ml",
        "serve",
        "--model",
        MODEL,
        "--port",
        str(port),
        "--quiet",
    ]
    server = subprocess.Popen(
        command, env=os.environ | store | {"TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL
    )
    wait_until_up(server, ("127.0.0.1", port))
    assert list(tmp_path.glob("als-ml-serve-*"))
    post(port, {"inputs": [EXAMPLE] * 50})
    server.kill()
    server.wait()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) and not list(tmp_path.glob("als-ml-serve-*")):
                break
        time.sleep(0.1)
    else:
        pytest.fail("the server is still there")


def post(port: int, body) -> tuple[int, dict]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(
        "POST", "/invocations", json.dumps(body), {"Content-Type": "application/json"}
    )
    reply = connection.getresponse()
    content = json.loads(reply.read())
    connection.close()
    return reply.status, content


def test_served_equals_the_library_to_the_last_bit(served, store, cohort):
    records = [record(cohort, i) for i in range(0, len(cohort), 6)]
    status, reply = post(served[0], {"inputs": records})
    assert status == 200
    assert reply["predictions"] == json.loads(json.dumps(load(MODEL).predict_records(records)))


def test_no_patient_is_in_errors_or_the_log(served):
    secret = {"sample_id": "SECRET-77", "sex": "SECRET-78", "age_at_onset": 7777.5}
    strange = {
        "sample_id": "SECRET-79",
        "biomarkers": [{"analyte": "nfl_serum", "value": "SECRET-80", "unit": "pg/mL"}],
    }
    status, reply = post(served[0], {"inputs": [secret, strange]})
    assert status == 400
    assert "SECRET" not in json.dumps(reply)
    assert "7777" not in json.dumps(reply)
    assert post(served[0], {"inputs": [EXAMPLE]})[0] == 200
    assert "SECRET" not in served[1].read_text()
    assert "Traceback" not in served[1].read_text()


def test_the_curl_that_it_prints_works(served):
    while not (
        printed := [line for line in served[1].read_text().splitlines() if line.startswith("curl ")]
    ):
        time.sleep(0.1)  # it is printed once the server is up
    (command,) = printed
    assert command == curl(f"http://127.0.0.1:{served[0]}")
    if shutil.which("curl"):
        reply = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=60)
        assert json.loads(reply.stdout)["predictions"][0]["sample_id"] == EXAMPLE["sample_id"]


def test_a_digest_of_ones_own(store):
    with pytest.raises(RequestError, match="since the registration"):
        checked(MODEL, digest="0" * 64)


def test_a_model_without_a_digest_is_refused(store):
    client = MlflowClient(store["MLFLOW_TRACKING_URI"], store["MLFLOW_TRACKING_URI"])
    version = client.get_model_version_by_alias("als-familial", "champion")
    client.delete_model_version_tag("als-familial", version.version, MODEL_DIGEST)
    try:
        with pytest.raises(RequestError, match="registered without a digest"):
            checked("models:/als-familial@champion")
    finally:
        client.set_model_version_tag(
            "als-familial", version.version, MODEL_DIGEST, version.tags[MODEL_DIGEST]
        )


def test_serve_says_what_is_wrong(store, capsys):
    assert main(["serve"]) == 2
    assert "give either --model or --lock" in capsys.readouterr().err
    assert main(["serve", "--model", "models:/nothing@champion"]) == 2
    assert "nothing" in capsys.readouterr().err


def test_a_taken_port(served, store, capsys):
    assert main(["serve", "--model", MODEL, "--port", str(served[0]), "--quiet"]) == 2
    assert "it cannot be listened on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_thousand_patients_library_batch_and_served(served, store, tmp_path):
    """Equal to the last bit; and no name of a patient is in an error reply or the log."""
    simulate(tmp_path / "cohort", patients=1000, seed=31)
    cohort = read(tmp_path / "cohort/cohort.yaml")
    records = [record(cohort, i) for i in range(len(cohort))]
    predictor = load(MODEL)
    library = json.loads(json.dumps(predictor.predict_records(records)))
    status, reply = post(served[0], {"inputs": records})
    assert status == 200
    assert reply["predictions"] == library
    assert json.loads(json.dumps(predictor.predict_cohort(cohort))) == library
    words = [
        "--model",
        MODEL,
        "--cohort",
        str(tmp_path / "cohort/cohort.yaml"),
        "--output",
        str(tmp_path / "o.parquet"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
        patch.chdir(store["folder"])
        assert predict.main([*words, "--quiet"]) == 0
    table = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [row["probability"] for row in table] == [row["probability"] for row in library]
    assert [json.loads(row["drivers"]) for row in table] == [row["drivers"] for row in library]
    bad = [{**one, "sex": "unheard of"} for one in records[:50]]
    status, refusal = post(served[0], {"inputs": bad})
    assert status == 400
    said = json.dumps(refusal) + served[1].read_text()
    assert not [name for name in cohort.patients["sample_id"] if name in said]


@pytest.mark.slow
def test_mlflow_models_predict(store, tmp_path):
    """MLflow's own batch command on the logged model."""
    request, answer = tmp_path / "request.json", tmp_path / "answer.json"
    request.write_text(json.dumps({"inputs": [EXAMPLE]}))
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "predict",
        "-m",
        MODEL,
        "--env-manager",
        "local",
    ]
    subprocess.run(
        [*command, "-i", str(request), "-o", str(answer), "-t", "json"],
        env=os.environ | store,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(answer.read_text())["predictions"] == json.loads(
        json.dumps(load(MODEL).predict_records([EXAMPLE]))
    )


def test_two_models_in_one_process_do_not_disturb_each_other(store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        first, second = (
            load(f"models:/als-{task}@champion") for task in ("familial", "progression")
        )
        alone = [first.predict_records([EXAMPLE]), second.predict_records([EXAMPLE])]
        again = load("models:/als-familial@champion")
    assert [first.predict_records([EXAMPLE]), second.predict_records([EXAMPLE])] == alone
    assert again.predict_records([EXAMPLE]) == alone[0]


@pytest.mark.slow
def test_spark(store, monkeypatch):
    """spark_udf wants the whole record as one struct and an explicit result type."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if not shutil.which("java"):
        pytest.skip("no Java here")
    import mlflow

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    spark = sql.SparkSession.builder.master("local[1]").getOrCreate()
    try:
        plain = {key: value for key, value in EXAMPLE.items() if isinstance(value, str | int)}
        table = spark.createDataFrame([plain])
        udf = mlflow.pyfunc.spark_udf(
            spark, MODEL, result_type="probability double", env_manager="local"
        )
        (row,) = table.select(udf(sql.functions.struct(*table.columns)).alias("p")).collect()
    finally:
        spark.stop()
    assert row.p.probability == load(MODEL).predict_records([plain])[0]["probability"]


@pytest.mark.slow
def test_mutual_tls_two_workers_and_drain(store, tmp_path):
    """Who has no certificate of the site's authority is not heard; both workers are counted, and a
    server that is told to end answers what it has.
    """
    files = certificates(tmp_path)
    tls = {
        "certificate": files["server.pem"],
        "key": files["server.key"],
        "client_ca": files["authority.pem"],
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", free.getsockname()[1])

    def asked(path, client="client", body=None):
        context = ssl.create_default_context(cafile=files["authority.pem"])
        if client:
            context.load_cert_chain(tmp_path / f"{client}.pem", tmp_path / f"{client}.key")
        connection = HTTPSConnection(*address, timeout=60, context=context)
        kind = {"Content-Type": "application/json"}
        connection.request("POST" if body else "GET", path, body, kind)
        reply = connection.getresponse()
        told = reply.read()
        connection.close()
        return reply.status, told

    edge = Edge(tls=tls, drain_seconds=2)
    with store_in(Path(store["folder"])), serving(MODEL, address, 2, edge=edge) as server:
        wait_until_up(server, address, tls=True)
        for stranger in (None, "stranger"):
            with pytest.raises(OSError, match=r"(?i)certificate|alert|reset|closed|eof"):
                asked("/ping", stranger)
        many = json.dumps({"inputs": [EXAMPLE] * 2}).encode()
        for _ in range(20):
            assert asked("/invocations", body=many)[0] == 200
        assert b'als_ml_patients_total{outcome="scored"} 40' in asked("/metrics")[1]
        long, told = json.dumps({"inputs": [EXAMPLE] * 3000}).encode(), []
        ask_it = threading.Thread(target=lambda: told.append(asked("/invocations", body=long)))
        ask_it.start()
        time.sleep(0.3)
    ask_it.join()
    status, reply = told[0]
    assert status == 200
    assert len(json.loads(reply)["predictions"]) == 3000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux has it")
def test_the_worst_requests_that_are_taken_stay_under_a_gigabyte(store):
    """Each as large as the bounds allow; `python -m benchmarks worst` times them too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", free.getsockname()[1])
    with store_in(Path(store["folder"])), serving(MODEL, address) as server:
        wait_until_up(server, address)
        for name, body in worst.requests():
            status = worst.answered(f"http://127.0.0.1:{address[1]}", body)
            assert status in (200, 400), name
            assert worst.peak_megabytes(server.pid) < 1000, name
