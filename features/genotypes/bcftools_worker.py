"""The process that runs bcftools for `features.genotypes.bcftools`, one pipe after the other.

It is started as a script, loads pysam once and stays: a small file then takes a millisecond, where
a Python that first imports pysam takes 45. For each pipe it is sent one byte that brings four open
files: the request (JSON), where the last step prints, where all complain, and where it says how the
pipe ended. It runs the last step itself and forks for those before it.
"""

import gzip
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import pysam.bcftools

FILES = 4
GZIP = b"\x1f\x8b"


def serve(client: socket.socket) -> None:
    """Run pipes until the client is gone or a step fails: what a failed one leaves is not kept.

    Parameters
    ----------
    client : socket
        Sends four files for each pipe: request, output, complaints and status.
    """
    # Python ignores a reader that has gone; a step of a pipe must end by it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    failed = False
    while not failed:
        byte, files, _, _ = socket.recv_fds(client, 1, FILES)
        if not byte:
            return
        request, output, complaints, status = files
        with os.fdopen(request, "rb") as asked:
            folder, steps = json.load(asked)
        os.chdir(folder)
        failed = _run_pipe(steps, output, complaints)
        os.write(status, b"failed" if failed else b"done")
        os.close(status)


def limit_memory(most: int) -> None:
    """Let a record of a gigabyte, which packs into one megabyte, end the step and no more.

    Parameters
    ----------
    most : int
        Bytes.
    """
    here = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = most if here == resource.RLIM_INFINITY else min(most, here)
    resource.setrlimit(resource.RLIMIT_DATA, (most, here))


def _run_pipe(steps: list[list[str]], output: int, complaints: int) -> bool:
    """Run the steps of a pipe, the last one in this process; whether any failed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    _take(complaints, 2)
    others = [_beside(step, output) for step in steps[:-1]]
    _take(output, 1)
    failed = run_step(steps[-1])
    # The reader sees the end, and whoever still writes to this process shall not wait for it.
    for file in (0, 1, 2):
        os.dup2(nothing, file)
    os.close(nothing)
    statuses = [os.waitpid(other, 0)[1] for other in others]
    return failed or any(statuses)


def _take(file: int, place: int) -> None:
    os.dup2(file, place)
    os.close(file)


def _beside(step: list[str], output: int) -> int:
    """Start a step whose output becomes the input of this process; give its process number."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(output)
        os.close(read)
        _take(write, 1)
        os._exit(run_step(step))
    os.close(write)
    _take(read, 0)
    return child


def run_step(step: list[str]) -> bool:
    """Run one command; whether it failed. What it says then ends in a zero byte.

    Parameters
    ----------
    step : list of str
        A command of bcftools with its arguments, or `clean` and a path.

    Returns
    -------
    bool
        True if it failed.
    """
    try:
        if step[0] == "clean":
            clean(Path(step[1]))
        else:
            command = getattr(pysam.bcftools, step[0])
            command(*step[1:], "-o", "/dev/stdout", catch_stdout=False)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the client must hear of it
        os.write(2, f"{error or type(error).__name__}\0".encode())
        return True
    return False


def clean(path: Path) -> None:
    """Pass a text on without its blank lines, unpacked if it is gzipped.

    Parameters
    ----------
    path : Path
        Of a text, gzipped or not; it is written to standard output.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP
    with (
        gzip.open(path, "rb") if packed else path.open("rb") as lines,
        os.fdopen(1, "wb", closefd=False) as out,
    ):
        out.writelines(line for line in lines if line.strip())


if __name__ == "__main__":
    limit_memory(int(sys.argv[2]))
    serve(socket.socket(fileno=int(sys.argv[1])))
