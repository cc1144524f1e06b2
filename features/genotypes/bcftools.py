"""Run the bcftools that pysam ships, each call in a process of its own, and stream what it prints.

Why a process: bcftools keeps its state in globals, so two calls in one process disturb each other;
a pipe streams what would otherwise be one string in memory; and a file that makes htslib crash ends
in a message, not in a dead interpreter.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, cast

from features.errors import DataError

_CLEAN = r"""
import gzip, sys
with open(sys.argv[1], "rb") as raw:
    packed = raw.read(2) == b"\x1f\x8b"
with (gzip.open if packed else open)(sys.argv[1], "rb") as lines:
    sys.stdout.buffer.writelines(line for line in lines if line.strip())
"""
_CHILD = (
    "import sys, pysam.bcftools as b; getattr(b, sys.argv[1])(*sys.argv[2:], catch_stdout=False)"
)


@contextmanager
def bcftools(*steps: Sequence[str], where: str) -> Iterator[IO[bytes]]:
    """Run commands such as `["query", "-l", "file.vcf"]` as a pipe and yield what the last one
    prints.

    A step after the first reads `-`. The step `["clean", path]` passes a text on without its blank
    lines, unpacked if it is gzipped, both of which are valid and refused by htslib. Leave the block
    early and the processes are ended.

    Parameters
    ----------
    *steps : sequences of str
        Each a bcftools command with its arguments, or `["clean", path]`.
    where : str
        File, for the message.

    Yields
    ------
    binary file
        What the last step prints, a line at a time.

    Raises
    ------
    DataError
        At the end of the block, with bcftools' own last words, if a step failed or crashed.
    """
    with tempfile.TemporaryFile() as complaints:
        children: list[subprocess.Popen[bytes]] = []
        for step in steps:
            source = children[-1].stdout if children else subprocess.DEVNULL
            command = [sys.executable, "-c", *_command(step)]
            # No shell, and the arguments are ours: paths are passed as they are, never interpreted.
            children.append(
                subprocess.Popen(  # noqa: S603
                    command, stdin=source, stdout=subprocess.PIPE, stderr=complaints
                )
            )
            if len(children) > 1:
                _close(children[-2])
        try:
            yield cast("IO[bytes]", children[-1].stdout)
            statuses = [child.wait() for child in children]
        finally:
            for child in children:
                child.kill()
                _close(child)
                child.wait()
        if any(statuses):
            complaints.seek(0)
            reason = _reason(complaints.read())
            remedy = (
                "The FASTA lacks this place: give the whole reference."
                if "faidx" in reason
                else "Repair the file."
            )
            raise DataError(where, f"bcftools cannot read it ({reason})", remedy)


def _command(step: Sequence[str]) -> list[str]:
    return [_CLEAN, step[1]] if step[0] == "clean" else [_CHILD, *step, "-o", "/dev/stdout"]


def _close(child: subprocess.Popen[bytes]) -> None:
    if child.stdout is not None:
        child.stdout.close()


def _reason(complaints: bytes) -> str:
    """Take the last thing that the first failing step said.

    Pysam wraps it into `stderr=...`, later steps only follow.
    """
    parts = complaints.decode(errors="replace").replace("\\n", "\n").split("stderr=")
    text = parts[min(1, len(parts) - 1)].partition("\nTraceback")[0]
    lines = [line.strip(" '\")") for line in text.splitlines() if line.strip(" '\")")]
    return lines[-1][:300] if lines else "it crashed"
