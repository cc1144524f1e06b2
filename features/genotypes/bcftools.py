"""Run the bcftools that pysam ships in processes that stay, and stream what it prints.

Why a process: bcftools keeps its state in globals, so two calls at a time in one process disturb
each other; a pipe streams what would otherwise be one string in memory; and a file that makes
htslib crash ends in a message, not in a dead interpreter.

Why not a bcftools that happens to be installed: answers would hang on its version (Debian's 1.16
lacks options of 1.24), and a worker that stays is faster than starting that program for each file.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from features import bounds
from features.errors import DataError

_SCRIPT = Path(__file__).with_name("bcftools_worker.py")
# Pipes that a worker runs before another takes its place, which bounds what bcftools forgets to
# free; its start is then 0.1 ms a pipe.
LIFE = 500


class _Worker:
    """A process that runs one pipe after the other."""

    def __init__(self) -> None:
        self.left = LIFE
        # Empty until a step fails, after which the worker ends.
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self.socket, theirs = socket.socketpair()
        # -P: the folder of the script is not a place to import from.
        numbers = (theirs.fileno(), bounds.GENOME_MEMORY)
        command = [sys.executable, "-P", str(_SCRIPT), *map(str, numbers)]
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own script
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(
        self, steps: Sequence[Sequence[str]], folder: Path | None = None
    ) -> tuple[IO[bytes], IO[bytes]]:
        """Start a pipe; give what it prints and, to be read after it, how it ended."""
        self.left -= 1
        asked, request = os.pipe()
        output, printed = os.pipe()
        status, ended = os.pipe()
        theirs = [asked, printed, self.complaints.fileno(), ended]
        request_text = json.dumps([str(folder or Path.cwd()), [list(step) for step in steps]])
        # A worker that has died is told by the status: nothing is written to it.
        with contextlib.suppress(BrokenPipeError):
            socket.send_fds(self.socket, [b"."], theirs)
        for end in (asked, printed, ended):
            os.close(end)
        with os.fdopen(request, "wb", buffering=0) as file, contextlib.suppress(BrokenPipeError):
            file.write(request_text.encode())
        return os.fdopen(output, "rb"), os.fdopen(status, "rb")

    def error(self, where: str) -> DataError:
        """What a step that failed has said."""
        self.process.wait()
        self.complaints.seek(0)
        return _error(self.complaints.read(), where)

    def close(self) -> None:
        """Let it end by itself."""
        self.socket.close()
        self.process.wait()
        self.complaints.close()

    def end(self) -> None:
        """End it and the steps that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it, and wait until it is gone."""
        self.end()
        self.close()


_idle: deque[_Worker] = deque()


def _worker() -> _Worker:
    while _idle:
        with contextlib.suppress(IndexError):  # Another thread was faster.
            worker = _idle.pop()
            if worker.process.poll() is None:
                return worker
            worker.close()
    return _Worker()


# A process that was forked from this one has no claim on its workers.
_parents: list[_Worker] = []


def _disown() -> None:
    _parents.extend(_idle)
    _idle.clear()


os.register_at_fork(after_in_child=_disown)


@atexit.register
def stop_workers() -> None:
    """End the processes that wait for work; the next pipe starts another."""
    while _idle:
        _idle.pop().close()


@contextmanager
def bcftools(
    *steps: Sequence[str], where: str, folder: Path | None = None, seconds: float | None = None
) -> Iterator[IO[bytes]]:
    """Run commands such as `["query", "-f", "%POS", "file.vcf"]` as a pipe; yield what it prints.

    A step after the first reads `-`. The step `["clean", path]` passes a text on without its blank
    lines, unpacked if it is gzipped, both of which are valid and refused by htslib. Leave the block
    early by an exception and the processes are ended.

    Parameters
    ----------
    *steps : sequences of str
        Each a bcftools command with its arguments, or `["clean", path]`.
    where : str
        File, for the message.
    folder : Path, optional
        Where the steps run; htslib drops the indexes of remote files there.
    seconds : float, optional
        In which the steps must have ended.

    Yields
    ------
    binary file
        What the last step prints, a line at a time.

    Raises
    ------
    DataError
        At the end of the block, with bcftools' own last words, if a step failed or crashed, or if
        the time is over.
    """
    worker = _worker()
    output, status = worker.start(steps, folder)
    try:
        with output, status, _ended_after(worker, seconds) as over:
            yield output
            output.close()
            if status.read() != b"done":
                if seconds is not None and over.is_set():
                    raise _too_slow(where, seconds)
                raise worker.error(where)
    except BaseException:
        worker.kill()
        raise
    if worker.left:
        _idle.append(worker)
    else:
        worker.close()


@contextmanager
def _ended_after(worker: _Worker, seconds: float | None) -> Iterator[threading.Event]:
    """End the steps of a worker when the time is over; the event tells that it was."""
    over = threading.Event()
    if seconds is None:
        yield over
        return

    def end() -> None:
        over.set()
        worker.end()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def _too_slow(where: str, seconds: float) -> DataError:
    return DataError(
        where,
        f"it has no index, and was not read to its end in {seconds / 3600:g} hours",
        "Index it (bcftools index FILE): its blocks in the gene panel alone are read then.",
        code="file_unreadable",
    )


_CRASHED = f"it crashed; a record of more than {bounds.GENOME_MEMORY >> 30} GB lets it"


def _error(complaints: bytes, where: str) -> DataError:
    reason = _reason(complaints)
    remedy = "Repair the file."
    if "faidx" in reason:
        remedy = "The FASTA lacks this place: give the whole reference."
    return DataError(where, f"bcftools cannot read it ({reason})", remedy, code="file_unreadable")


def _reason(complaints: bytes) -> str:
    """Take the last thing that the first failing step said; later steps only follow."""
    first = complaints.decode(errors="replace").partition("\0")[0]
    # pysam wraps what bcftools said: 'bcftools returned with error 1: stdout=..., stderr=...'.
    text = first.rpartition("stderr=")[2].replace("\\n", "\n")
    lines = [line.strip(" '\")") for line in text.splitlines() if line.strip(" '\")")]
    return lines[-1][:300] if lines else _CRASHED
