"""`python -m als_ml serve`: a registered model behind MLflow's scoring app and our guard.

The model's files are read once and compared with what was stored at registration (or in a trial's
lock). The server gets a copy of the data among them, and scores with the installed code; the code
inside the model is not copied and never run.
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from als_ml.prediction.example import EXAMPLE
from als_ml.serving.app import SETTINGS
from als_ml.tracking.loader import CheckedModel, checked_model
from als_ml.tracking.model_files import MODEL_DIGEST, written
from als_ml.tracking.versions import registered_version
from features.errors import RequestError

# Where the installed als_ml lies: a server process imports it from there, whatever folder it works
# in.
_INSTALLED = Path(__file__).resolve().parents[2]


def checked(uri: str, digest: str | None = None) -> CheckedModel:
    """The registered model to serve, its files compared with what they must be.

    Parameters
    ----------
    digest : str, optional
        What it must be; by default the tag of the registered version.

    Raises
    ------
    RequestError
        If the files are others, or nothing says what they must be.
    """
    version = registered_version(uri)
    if not (digest or version.tags.get(MODEL_DIGEST)):
        raise RequestError(
            f"--model {uri}",
            "it was registered without a digest",
            "Give --digest, or train it again.",
            code="model_changed",
        )
    model = checked_model(uri, digest)
    model.predictor()  # what it cannot be read as is said here, not in the log of a process
    return model


@dataclass(frozen=True)
class Extras:
    """What a server does beside scoring: `page` serves the page for one patient, with the licences
    and coverage of `regions` and the scores of the models `beside` too; `withhold` leaves out of
    rows what consent does.
    """

    page: bool = False
    regions: tuple[str, ...] = ()
    withhold: bool = False
    beside: tuple[str, ...] = ()


@contextmanager
def serving(
    uri: str,
    address: tuple[str, int],
    workers: int = 1,
    digest: str | None = None,
    extras: Extras | None = None,
    **limits: Any,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the server in a process of its own.

    It ends, and its copy of the model goes, with the block.

    Parameters
    ----------
    extras : Extras, optional
        The page and what is withheld.
    limits
        Of `als_ml.serving.guard.Guard`: megabytes, depth, patients, hosts.
    """
    _check_free(address)
    with tempfile.TemporaryDirectory(prefix="als-ml-serve-") as name:
        folder, extras = Path(name), extras or Extras()
        beside = [checked(other) for other in extras.beside]
        settings = {
            **asdict(extras),
            **_copied(checked(uri, digest), folder / "model"),
            "beside": [_copied(m, folder / f"beside-{i}") for i, m in enumerate(beside)],
            "parent": os.getpid(),
            "limits": limits,
        }
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "als_ml.serving.app:make_app",
            "--factory",
            "--app-dir",
            str(_INSTALLED),
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
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        environment = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
        server = subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=name, start_new_session=True
        )
        try:
            yield server
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(30)


def _copied(model: CheckedModel, folder: Path) -> dict[str, str | None]:
    """What a process needs to read the model again, after its data were written to a folder."""
    return {
        "folder": str(folder),
        "digest": written(model.files.data, folder),
        "name": model.stored.name,
        "version": model.stored.version,
    }


def _check_free(address: tuple[str, int]) -> None:
    """Refuse an address that cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except (OSError, OverflowError) as error:
            what = f"it cannot be listened on ({error})"
            raise RequestError(
                f"{address[0]}:{address[1]}",
                what,
                "Choose another --port or --host.",
                code="server_failed",
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
    raise RequestError(
        f"serve on {address[0]}:{address[1]}",
        "the server did not start",
        remedy,
        code="server_failed",
    )


def curl(address: tuple[str, int]) -> str:
    """A ready-made request with the made-up example patient."""
    body = shlex.quote(json.dumps({"inputs": [EXAMPLE]}))
    return (
        f"curl -s http://{address[0]}:{address[1]}/invocations -H 'Content-Type: application/json'"
        f" -d {body}"
    )
