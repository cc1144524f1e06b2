"""kill -9 on the real thing: python -m benchmarks faults [TARGET] [KILLS].

TARGET is batch, training or endpoint (all three without one); KILLS is 100, and 3 in CI. Each kill
comes at a time drawn over the whole run, in training every second one while the run is logged.
Counted are results that were lost, half written or differ, versions without their digest, runs that
stay open, processes and folders left behind: none may be.
"""

import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.prediction.example import EXAMPLE
from als_ml.tracking.model_files import MODEL_DIGEST
from benchmarks.privacy import CONFIGS
from features.stored import Json

ROOT = Path(__file__).resolve().parents[1]
MODEL = "models:/als-progression@champion"
_QUICK = ("folds=3", "repeats=1", "inner_folds=2", "bootstrap=20", "honesty=false", "sites=false")
# Rows of the batch: a dozen chunks.
_ROWS = 240_000


@dataclass(frozen=True)
class Place:
    """A folder with a simulated cohort, a store and a trained model, and how to run there."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """With a store, a key and a place for temporary folders of its own."""
        return os.environ | {
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder}/mlflow.db",
            "ALS_ML_PATIENT_KEY": str(self.folder / "key"),
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """A command of ours."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *words: str) -> float:
        """Run one to its end, and give the seconds that it took."""
        began = time.monotonic()
        if self.start(*words).wait():
            raise RuntimeError(f"{words[0]} failed")
        return time.monotonic() - began

    def left(self) -> int:
        """Temporary folders that are there."""
        return len(list((self.folder / "tmp").glob("als-ml-*")))


def training_words(place: Place) -> list[str]:
    """A short training."""
    changes = [f"cohort={place.folder}/cohort/cohort.yaml", *(f"validation.{x}" for x in _QUICK)]
    words = [str(ROOT / "train.py"), "--config", str(CONFIGS / "progression.yaml"), "--quiet"]
    return [*words, *(part for change in changes for part in ("--set", change))]


def made(folder: Path) -> tuple[Place, float]:
    """A place with a trained model, and how long a training takes there.

    Parameters
    ----------
    folder : Path
        Empty.

    Returns
    -------
    Place, float
        Seconds of one training.
    """
    place = Place(folder)
    (folder / "tmp").mkdir()
    place.run("-m", "als_ml", "simulate", "--patients", "240", "--output", str(folder / "cohort"))
    return place, place.run(*training_words(place))


def batch(place: Place, kills: int, rng: np.random.Generator) -> "Counter[str]":
    """Kill predict.py over its run, resume it, and compare what it ends with.

    Parameters
    ----------
    place : Place
        Of `made`.
    kills : int
        How many.
    rng : Generator
        When.

    Returns
    -------
    Counter
        What was found.
    """
    rows = _feature_rows(place)
    words = [str(ROOT / "predict.py"), "--model", MODEL, "--features", str(rows), "--no-drivers"]
    whole, output = place.folder / "whole.parquet", place.folder / "out.parquet"
    seconds = place.run(*words, "--quiet", "--output", str(whole))
    told: Counter[str] = Counter()
    while told["killed"] < kills:
        process = place.start(*words, "--quiet", "--resume", "--output", str(output))
        # Most of a short run is its start, so every second one is killed while it scores.
        if told["killed"] % 2:
            _until(process, lambda: bool(_parts(place)))
            time.sleep(rng.uniform(0, seconds / 3))
        else:
            time.sleep(rng.uniform(0, seconds))
        if process.poll() is None:
            process.kill()
            told["killed"] += 1
            told["after a part was written"] += bool(_parts(place))
        process.wait()
        if output.exists():
            told["ended whole" if _digest(output) == _digest(whole) else "WRONG OUTPUT"] += 1
            output.unlink()
    place.run(*words, "--quiet", "--resume", "--output", str(output))
    told["WRONG OUTPUT"] += _digest(output) != _digest(whole)
    told["LEFT BEHIND"] += place.left() + len(list(place.folder.glob(".out*")))
    return told


def _parts(place: Place) -> list[Path]:
    return list(place.folder.glob(".out*.parts/*.parquet"))


def _until(process: "subprocess.Popen[bytes]", holds: Callable[[], bool]) -> None:
    """Wait until something holds, or the process has ended."""
    while process.poll() is None and not holds():
        time.sleep(0.01)


def _feature_rows(place: Place) -> Path:
    features, rows = place.folder / "features.parquet", place.folder / "rows.parquet"
    cohort = str(place.folder / "cohort/cohort.yaml")
    words = ["features", "--cohort", cohort, "--model", MODEL, "--output", str(features)]
    place.run("-m", "als_ml", *words)
    table = pd.read_parquet(features)
    pd.concat([table] * (_ROWS // len(table)), ignore_index=True).to_parquet(rows)
    return rows


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def training(place: Place, kills: int, rng: np.random.Generator, seconds: float) -> "Counter[str]":
    """Kill train.py, every second time while it logs, and look at the store.

    Parameters
    ----------
    place : Place
        Of `made`.
    kills : int
        How many.
    rng : Generator
        When.
    seconds : float
        That a training takes.

    Returns
    -------
    Counter
        What was found.
    """
    told: Counter[str] = Counter()
    while told["killed"] < kills:
        known = len(_asked(place, "SELECT run_uuid FROM runs"))
        process = place.start(*training_words(place))
        logs = told["killed"] % 2 == 1
        if logs:
            _until(process, partial(_logs, place, known))
        time.sleep(rng.uniform(0, 1 if logs else seconds))
        alive = process.poll() is None
        told["killed"] += alive
        told["while it logged"] += alive and logs
        process.kill()
        process.wait()
        told["BROKEN STORE"] += _asked(place, "PRAGMA integrity_check") != [("ok",)]
        told["HALF A VERSION"] += _without_digest(place)
    place.run(*training_words(place))
    running = _asked(place, "SELECT run_uuid FROM runs WHERE status = 'RUNNING'")
    told["OPEN RUN"] += len(running)
    told["LEFT BEHIND"] += place.left()
    return told


def _asked(place: Place, question: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(place.folder / "mlflow.db", timeout=60) as store:
        return store.execute(question).fetchall()


def _logs(place: Place, known: int) -> bool:
    """Whether there is a run more than were known, or the store is being written."""
    return _runs(place) != known


def _runs(place: Place) -> int:
    try:
        return len(_asked(place, "SELECT run_uuid FROM runs"))
    except sqlite3.OperationalError:  # busy: it is being written
        return -1


def _without_digest(place: Place) -> int:
    versions = "SELECT name, version FROM model_versions"
    tagged = f"SELECT name, version FROM model_version_tags WHERE key = '{MODEL_DIGEST}'"  # noqa: S608
    return len(_asked(place, f"{versions} EXCEPT {tagged}"))


def endpoint(place: Place, kills: int, rng: np.random.Generator) -> "Counter[str]":
    """Kill `als-ml serve` under load, and look whether anything of it lives.

    Parameters
    ----------
    place : Place
        Of `made`.
    kills : int
        How many.
    rng : Generator
        When.

    Returns
    -------
    Counter
        What was found.
    """
    told: Counter[str] = Counter()
    for _ in range(kills):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = ["serve", "--model", MODEL, "--port", str(port), "--quiet", "--workers", "2"]
        process = place.start("-m", "als_ml", *words)
        until = time.monotonic() + 180
        while not _answers(port) and time.monotonic() < until:
            time.sleep(0.1)
        stop = threading.Event()
        load = threading.Thread(target=_load, args=(port, stop, told))
        load.start()
        time.sleep(rng.uniform(0, 2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        told["killed"] += 1
        until = time.monotonic() + 60
        while (_answers(port) or place.left()) and time.monotonic() < until:
            time.sleep(0.1)
        stop.set()
        load.join()
        told["LEFT BEHIND"] += place.left() + _answers(port)
    return told


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2):
            return True
    except OSError:
        return False


def _load(port: int, stop: threading.Event, told: "Counter[str]") -> None:
    import json

    body: Json = {"inputs": [EXAMPLE] * 20}
    content = json.dumps(body).encode()
    while not stop.is_set():
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", content, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
                rows = json.loads(reply.read())["predictions"]
            told["answered"] += 1
            told["HALF AN ANSWER"] += len(rows) != len(body["inputs"])
        except (OSError, ValueError):
            time.sleep(0.05)


def run(target: str, kills: int, seed: int = 1) -> "Counter[str]":
    """Try one target in a place of its own.

    Parameters
    ----------
    target : str
        batch, training or endpoint.
    kills : int
        How many.
    seed : int
        Of the times.

    Returns
    -------
    Counter
        What was found; what may not be is in capitals.
    """
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="als-ml-") as name:
        place, seconds = made(Path(name))
        if target == "training":
            return training(place, kills, rng, seconds)
        return {"batch": batch, "endpoint": endpoint}[target](place, kills, rng)


def wrong(told: "Counter[str]") -> dict[str, int]:
    """What may not be and was found."""
    return {what: count for what, count in told.items() if what.isupper() and count}


def main(arguments: Sequence[str]) -> None:
    """Print what was found."""
    targets = arguments[:1] or ["batch", "training", "endpoint"]
    kills = int(arguments[1]) if len(arguments) > 1 else 100
    for target in targets:
        told = run(target, kills)
        print(f"{target}: " + ", ".join(f"{n:,} {what}" for what, n in sorted(told.items())))
        print(f"{target}: {wrong(told) or 'nothing lost, half written or left behind'}", flush=True)
