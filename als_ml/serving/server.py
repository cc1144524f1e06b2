"""`python -m als_ml serve`: a registered model behind MLflow's scoring app and our guard.

The model's files are fetched once, their digest is compared with the one stored at registration (or in a trial's lock),
and only then a server is started that loads the model's own code from that copy.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow

from als_ml.cohort.digests import MODEL_DIGEST, tree_digest
from als_ml.lifecycle.registry import registered_version
from als_ml.prediction.example import EXAMPLE
from als_ml.tracking.store import quiet_mlflow, use_store
from features.errors import RequestError

GUARD = Path(__file__).with_name("guard.py")


def fetch(uri: str, folder: Path, digest: str | None = None) -> Path:
    """Download a registered model and check its digest, before anything of it is run.

    Parameters
    ----------
    digest : str, optional
        What it must be; by default the tag of the registered version.

    Raises
    ------
    RequestError
        If the digest is another, or none is known.
    """
    version = registered_version(uri)
    with quiet_mlflow():
        use_store()
        fixed = f"models:/{version.name}/{version.version}"
        root = Path(mlflow.artifacts.download_artifacts(fixed, dst_path=str(folder)))
    expected = digest or version.tags.get(MODEL_DIGEST)
    if expected is None:
        raise RequestError(
            f"--model {uri}",
            "it was registered without a digest",
            "Give --digest, or train it again.",
        )
    found = tree_digest(root)
    if found != expected:
        what = f"its files have the digest {found[:16]}..., expected {expected[:16]}..."
        raise RequestError(
            f"--model {uri}", what, "Do not run it: its files were changed after registration."
        )
    return root


@contextmanager
def serving(
    uri: str, address: tuple[str, int], workers: int = 1, digest: str | None = None, **limits: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the server in a process of its own; it ends, and its copy of the model goes, with the block.

    Parameters
    ----------
    limits
        Of `als_ml.serving.guard.Guard`: megabytes, depth, patients, hosts.
    """
    _check_free(address)
    with tempfile.TemporaryDirectory(prefix="als-ml-serve-") as name:
        folder = Path(name)
        settings = {
            "model": str(fetch(uri, folder / "model", digest)),
            "parent": os.getpid(),
            **limits,
        }
        shutil.copy(GUARD, folder / "als_ml_guard.py")
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "als_ml_guard:make_app",
            "--factory",
            "--app-dir",
            name,
        ]
        command += [
            "--host",
            address[0],
            "--port",
            str(address[1]),
            "--workers",
            str(workers),
            "--log-level",
            "warning",
        ]
        environment = os.environ | {
            "ALS_ML_GUARD": json.dumps(settings),
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        }
        server = subprocess.Popen(command, env=environment, cwd=name, start_new_session=True)  # noqa: S603
        try:
            yield server
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(30)


def _check_free(address: tuple[str, int]) -> None:
    """Refuse an address that cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except (OSError, OverflowError) as error:
            what = f"it cannot be listened on ({error})"
            raise RequestError(
                f"{address[0]}:{address[1]}", what, "Choose another --port or --host."
            ) from None


def wait_until_up(
    server: "subprocess.Popen[bytes]", address: tuple[str, int], seconds: float = 180
) -> None:
    """Return when the server answers.

    Raises
    ------
    RequestError
        If it ends before, or does not answer in time.
    """
    host = "127.0.0.1" if address[0] in ("0.0.0.0", "::") else address[0]  # noqa: S104
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{host}:{address[1]}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    remedy = "Is the port taken? See the lines above."
    raise RequestError(f"serve on {address[0]}:{address[1]}", "the server did not start", remedy)


def curl(address: tuple[str, int]) -> str:
    """A ready-made request with the made-up example patient."""
    body = shlex.quote(json.dumps({"inputs": [EXAMPLE]}))
    return f"curl -s http://{address[0]}:{address[1]}/invocations -H 'Content-Type: application/json' -d {body}"
