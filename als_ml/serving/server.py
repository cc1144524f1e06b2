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
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from als_ml.prediction.example import EXAMPLE
from als_ml.serving.app import DRAINING, SETTINGS
from als_ml.serving.body import BodyLimits
from als_ml.tracking.loader import CheckedModel, checked_model
from als_ml.tracking.model_files import MODEL_DIGEST, written
from als_ml.tracking.versions import registered_version
from features import bounds
from features.errors import RequestError
from features.temporary import working_folder

# Seconds that a request in flight may still take when the server ends.
_LONGEST_ANSWER = 70
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


@dataclass(frozen=True)
class Edge:
    """Who may ask a server, how much at once, and what it says.

    Attributes
    ----------
    hosts : tuple of str
        Names by which it may be called; any if empty.
    keys : tuple of str
        Digests of `als_ml.serving.access.read_keys`.
    tls : dict of str
        Files: `certificate`, `key`, and `client_ca` where a client's certificate is asked for.
    at_once : int
        Requests that a process reads or answers at one time.
    drain_seconds : float
        In which it answers but is not ready, before it takes no more.
    access_log : bool
        Whether each request has a line on standard error.
    limits : BodyLimits
        What a body may have.
    """

    hosts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tls: dict[str, str] = field(default_factory=dict)
    at_once: int = bounds.REQUESTS_AT_ONCE
    drain_seconds: float = 0.0
    access_log: bool = True
    limits: BodyLimits = field(default_factory=BodyLimits)


@contextmanager
def serving(
    uri: str,
    address: tuple[str, int],
    workers: int = 1,
    digest: str | None = None,
    extras: Extras | None = None,
    edge: Edge | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the server in a process of its own.

    It ends, and its copy of the model goes, with the block.

    Parameters
    ----------
    extras : Extras, optional
        The page and what is withheld.
    edge : Edge, optional
        Who may ask and how much.
    """
    _check_free(address)
    with working_folder("serve") as name:
        folder, extras, edge = Path(name), extras or Extras(), edge or Edge()
        beside = [checked(other) for other in extras.beside]
        settings = {
            **asdict(extras),
            **asdict(edge),
            **_copied(checked(uri, digest), folder / "model"),
            "beside": [_copied(m, folder / f"beside-{i}") for i, m in enumerate(beside)],
            "parent": os.getpid(),
            "host": address[0],
            "port": address[1],
            "workers": workers,
        }
        (folder / SETTINGS).touch(mode=0o600)  # it names where keys and certificates are
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        server = _started(folder)
        try:
            yield server
        finally:
            if server.poll() is None:
                (folder / DRAINING).touch()
                time.sleep(edge.drain_seconds)
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(_LONGEST_ANSWER)


def _started(folder: Path) -> "subprocess.Popen[bytes]":
    """The server's first process, which works in the folder with the installed code."""
    paths = [str(_INSTALLED), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    command = [sys.executable, "-m", "als_ml.serving.process"]
    return subprocess.Popen(  # noqa: S603
        command, env=environment, cwd=folder, start_new_session=True
    )


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
    server: "subprocess.Popen[bytes]",
    address: tuple[str, int],
    seconds: float = 180,
    tls: bool = False,
) -> None:
    """Return when the server answers.

    Raises
    ------
    RequestError
        If it ends before, or does not answer in time.
    """
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        if _answers(address, tls):
            return
        time.sleep(0.2)
    remedy = "Is the port taken? See the lines above."
    raise RequestError(
        f"serve on {address[0]}:{address[1]}",
        "the server did not start",
        remedy,
        code="server_failed",
    )


def _answers(address: tuple[str, int], tls: bool) -> bool:
    """Whether something answers; of TLS a handshake is enough, since it may ask for a certificate
    that we do not have.
    """
    host = "127.0.0.1" if address[0] in ("0.0.0.0", "::") else address[0]  # noqa: S104
    try:
        if tls:
            return _shakes_hands((host, address[1]))
        with urllib.request.urlopen(f"http://{host}:{address[1]}/ping", timeout=5):
            return True
    except OSError:
        return False


def _shakes_hands(address: tuple[str, int]) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # our own, just started
    with socket.create_connection(address, timeout=5) as plain:
        try:
            context.wrap_socket(plain).close()
        except ssl.SSLError:  # it speaks TLS, and wants something else of it
            return True
    return True


def curl(where: str, key: bool = False) -> str:
    """A ready-made request with the made-up example patient.

    Parameters
    ----------
    where : str
        Address of the server, with its scheme.
    key : bool
        Whether it asks for a key.

    Returns
    -------
    str
        One line for a shell; it names no key.
    """
    body = shlex.quote(json.dumps({"inputs": [EXAMPLE]}))
    asked = ' -H "Authorization: Bearer $KEY"' if key else ""
    return f"curl -s {where}/invocations -H 'Content-Type: application/json'{asked} -d {body}"
