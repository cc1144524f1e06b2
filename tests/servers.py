"""Servers that tests start: a PostgreSQL of the system's packages, and any other command."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def running(command: list[str], port: int, folder: Path, **more: str) -> Iterator[subprocess.Popen]:
    with (folder / f"server-{port}.log").open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | more,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(port, server)
        yield server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_for(port: int, server: subprocess.Popen) -> None:
    for _ in range(900):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "the server ended"
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of the system's packages with a database of its own.

    It refuses to run as root.
    """
    programs = {name: program(name) for name in ("initdb", "postgres")}
    who = {"user": "nobody"} if os.getuid() == 0 else {}
    folder, port = Path(tempfile.mkdtemp(prefix="als-ml-postgres-")), free_port()
    if who:
        shutil.chown(folder, "nobody")
    subprocess.run(
        [programs["initdb"], "-D", folder / "data", "-A", "trust", "-U", "als"],
        check=True,
        capture_output=True,
        **who,
    )
    command = [
        programs["postgres"],
        "-D",
        folder / "data",
        "-p",
        str(port),
        "-h",
        "127.0.0.1",
        "-k",
        folder,
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)
    try:
        wait_for(port, server)
        yield f"postgresql+pg8000://als@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def program(name: str) -> str:
    places = [os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    found = shutil.which(name, path=os.pathsep.join(places))
    if not found:
        pytest.skip(f"no PostgreSQL here ({name} is not installed)")
    return found
