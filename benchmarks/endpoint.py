"""The served model against a bare MLflow pyfunc of an XGBoost model with a flat 60-column DataFrame
signature.

Both behind the same MLflow scoring server on this machine, over HTTP, asked in turns in one run.
Ours gets one full record (50 biomarkers, 20 variants, 8 visits), another one each time, and does
everything: features, model, drivers, conformal set. Once the variants are known ones, which it has
met before and need not weigh again, once coding ones that it has never met. Beside the time that a
client waits stands the processor's of the server, which a busy machine changes less. Then 1,000
patients in one request against the same vectorised prediction in process; 8 and 200 clients at
once, while `/ping` is asked beside them; a cold start, and the first answer after it.

python -m benchmarks endpoint [SECONDS of load, default 60]
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from xgboost import XGBClassifier

import train
from als_ml.serving.server import serving, wait_until_up
from als_ml.simulate import simulate
from als_ml.tracking.loader import load
from als_ml.tracking.store import quiet_mlflow
from benchmarks.worst import Pinging
from features.catalogue import analytes, known_variants, shipped
from features.variants.gene_models import transcripts

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
COLUMNS = 60


def main(arguments: Sequence[str] = ()) -> None:
    seconds = float(arguments[0]) if arguments else 60.0
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        os.chdir(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        prepare(folder)
        started = time.perf_counter()
        ours = stack.enter_context(our_server())
        print(f"cold start of als_ml serve {time.perf_counter() - started:.0f} s", flush=True)
        first_answer(ours[0])
        started = time.perf_counter()
        plain = stack.enter_context(mlflow_server("models:/als-xgboost@champion"))
        print(
            f"cold start of mlflow models serve {time.perf_counter() - started:.0f} s", flush=True
        )
        bare = stack.enter_context(mlflow_server("models:/bare/1"))
        one_record(ours, plain, bare)
        thousand(ours[0])
        parallel(ours, seconds)
        parallel(ours, seconds, clients=200)


def prepare(folder: Path) -> None:
    """Our XGBoost model on the demo cohort, and the bare one on 60 columns."""
    simulate(folder / "cohort", 400, 1)
    changes = [
        f"cohort={folder}/cohort/cohort.yaml",
        "tracking.model_name=als-xgboost",
        "validation.honesty=false",
        "validation.sites=false",
    ]
    assert (
        train.main(
            [
                "--config",
                str(CONFIGS / "quick.yaml"),
                "--quiet",
                *[p for c in changes for p in ("--set", c)],
            ]
        )
        == 0
    )
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        rng.normal(size=(400, COLUMNS)), columns=[f"feature_{i}" for i in range(COLUMNS)]
    )
    model = XGBClassifier(n_estimators=300, max_depth=3, n_jobs=1).fit(X, rng.integers(0, 2, 400))
    with quiet_mlflow():
        signature = mlflow.models.infer_signature(X, model.predict_proba(X)[:, 1])
        mlflow.xgboost.log_model(
            model,
            name="bare",
            signature=signature,
            registered_model_name="bare",
            pip_requirements=["xgboost-cpu"],
        )


@contextmanager
def our_server() -> Iterator[tuple[int, int]]:
    port = free_port()
    with serving("models:/als-xgboost@champion", ("127.0.0.1", port)) as server:
        wait_until_up(server, ("127.0.0.1", port))
        yield port, server.pid


@contextmanager
def mlflow_server(uri: str) -> Iterator[tuple[int, int]]:
    """Plain `mlflow models serve`."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        uri,
        "--env-manager",
        "local",
        "-p",
        str(port),
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    server = subprocess.Popen(
        command,
        env=os.environ | {"PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_up(server, ("127.0.0.1", port))
        yield port, server.pid
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@cache
def _coding(build: str) -> list[tuple[str, list[int]]]:
    """Contig and coding bases of the first 20 genes that have a model."""
    models = list(transcripts(shipped(), build).values())[:20]
    return [
        (m.chrom, [pos for low, high in m.coding for pos in range(low, high + 1)]) for m in models
    ]


def full_record(i: int = 0, met: bool = True) -> dict[str, Any]:
    """A made-up patient with 50 biomarkers, 20 variants (known ones, or those of no patient before)
    and 8 visits.
    """
    table, rng = analytes(shipped()), np.random.default_rng(i)
    named = table[table["unit"].notna()].head(50)
    biomarkers = []
    for analyte, row in named.iterrows():
        value = {
            "analyte": analyte,
            "value": round(float(rng.uniform(20, 40)), 2),
            "unit": row["unit"],
            "days": 0,
        }
        biomarkers.append(value | ({"assay": "simoa"} if str(analyte).startswith("nfl") else {}))
    known = known_variants(shipped(), "GRCh38").head(20)
    variants = [f"{row.chrom}-{row.pos}-{row.ref}-{row.alt} 0/1" for row in known.itertuples()]
    if not met:
        variants = [f"{chrom}-{bases[i]}-A-G 0/1" for chrom, bases in _coding("GRCh38")]
    visits = [{"days": 12 * k, "total": 44 - k} for k in range(8)]
    return {
        "sample_id": f"made-up-{i}",
        "genome_build": "GRCh38",
        "sex": "female",
        "age_at_onset": 58,
        "onset_days": -420,
        "onset_site": "bulbar",
        "biomarkers": biomarkers,
        "variants": variants,
        "assayed": {"SOD1": "full"},
        "alsfrs": visits,
    }


def post(connection: HTTPConnection, body: bytes) -> dict[str, Any]:
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    content = reply.read()
    assert reply.status == 200, content[:300]
    return json.loads(content)


# Port and first process of a server.
Server = tuple[int, int]


def one_record(ours: Server, plain: Server, bare: Server, n: int = 300) -> None:
    row = {f"feature_{i}": 0.1 * i for i in range(COLUMNS)}
    asked: dict[str, tuple[Server, Callable[[int], Any]]] = {
        "als_ml serve": (ours, lambda i: {"inputs": [full_record(i)]}),
        "als_ml serve, variants never met": (
            ours,
            lambda i: {"inputs": [full_record(i, met=False)]},
        ),
        "mlflow models serve": (plain, lambda i: {"inputs": [full_record(i)]}),
        "bare XGBoost pyfunc": (bare, lambda _: {"dataframe_records": [row]}),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    connections = {name: HTTPConnection("127.0.0.1", of[0]) for name, (of, _) in asked.items()}
    processes = {name: group(of[1]) for name, (of, _) in asked.items()}
    for i in range(n + 20):
        for name, (_, body) in asked.items():
            encoded = json.dumps(body(i)).encode()
            before, started = processor(processes[name]), time.perf_counter()
            reply = post(connections[name], encoded)["predictions"][0]
            took = time.perf_counter() - started
            time.sleep(0.002)  # what the server does behind its answer counts, too
            if i >= 20:
                times[name].append((took, processor(processes[name]) - before))
            assert not isinstance(reply, dict) or reply["error"] is None
    base, base_cpu = np.median(times["bare XGBoost pyfunc"], axis=0)
    for name, own in times.items():
        p50, p99 = np.percentile([took for took, _ in own], [50, 99])
        cpu = float(np.median([cpu for _, cpu in own]))
        print(
            f"one record, {name:33s} p50 {1000 * p50:5.1f} ms, p99 {1000 * p99:5.1f} ms,"
            f" {p50 / base:.2f} x; processor {1000 * cpu:4.1f} ms, {cpu / base_cpu:.2f} x",
            flush=True,
        )


def group(leader: int) -> list[int]:
    """The processes that a server consists of."""
    stats = (path.read_text() for path in Path("/proc").glob("[0-9]*/stat"))
    fields = (text.split(" ")[0:1] + text.rpartition(")")[2].split() for text in stats)
    return [int(pid) for pid, _, _, in_group, *_ in fields if int(in_group) == leader]


def processor(processes: list[int]) -> float:
    """Seconds that the threads of some processes have run, whatever else the machine does."""
    threads = (path for pid in processes for path in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((path / "schedstat").read_text().split()[0]) for path in threads) / 1e9


def first_answer(port: int) -> None:
    """What the first patient after a start waits."""
    started = time.perf_counter()
    post(HTTPConnection("127.0.0.1", port), json.dumps({"inputs": [full_record()]}).encode())
    print(f"first answer {1000 * (time.perf_counter() - started):.0f} ms", flush=True)


def thousand(port: int) -> None:
    """1,000 patients in one request against the same prediction in process plus JSON."""
    records = [full_record(i) for i in range(1000)]
    body, predictor = (
        json.dumps({"inputs": records}).encode(),
        load("models:/als-xgboost@champion"),
    )
    connection, ratios = HTTPConnection("127.0.0.1", port, timeout=120), []
    for _ in range(4):
        started = time.perf_counter()
        rows = predictor.predict_records(json.loads(body)["inputs"])
        json.dumps(rows)
        alone = time.perf_counter() - started
        started = time.perf_counter()
        reply = post(connection, body)["predictions"]
        ratios.append((time.perf_counter() - started, alone))
        assert [r["probability"] for r in reply] == [r["probability"] for r in rows]
    served, alone = np.median(np.array(ratios[1:]), axis=0)
    print(
        f"1,000 patients in one request {served:.2f} s, in process with JSON {alone:.2f} s,"
        f" {served / alone:.2f} x",
        flush=True,
    )


def parallel(server: tuple[int, int], seconds: float, clients: int = 8) -> None:
    """Clients that ask one after the other for some time: errors, rate, memory, and how long
    `/ping` waits meanwhile.
    """
    until, told = time.monotonic() + seconds, [Counter[str]() for _ in range(clients)]
    before, ping = memory(server[1]), Pinging(f"http://127.0.0.1:{server[0]}")
    threads = [threading.Thread(target=ask_until, args=(server[0], until, c)) for c in told]
    for thread in (ping, *threads):
        thread.start()
    time.sleep(seconds / 4)
    early = memory(server[1])
    for thread in threads:
        thread.join()
    ping.wanted = False
    all_told = sum(told, Counter[str]())
    answered, busy = all_told.pop("200", 0), all_told.pop("503", 0)
    print(
        f"{clients} clients for {seconds:.0f} s: {answered / seconds:.0f} requests/s,"
        f" {busy} told to come back, errors {dict(all_told)}, /ping at most {ping.longest:.2f} s,"
        f" memory {before:.0f} MB before, {early:.0f} MB after a quarter,"
        f" {memory(server[1]):.0f} MB at the end",
        flush=True,
    )


def ask_until(port: int, until: float, told: "Counter[str]") -> None:
    """Ask for one patient until a time, and count the statuses.

    Who is told to come back (503) waits for the second that Retry-After says.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"inputs": [full_record()]}).encode()
    while time.monotonic() < until:
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
        except OSError as error:
            told[repr(error)] += 1
            return
        told[str(reply.status)] += 1
        if reply.status == 503:
            connection.close()
            time.sleep(1.0)


def memory(pid: int) -> float:
    """Resident MB of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
