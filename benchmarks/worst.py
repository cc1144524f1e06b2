"""The worst requests that a server takes: python -m benchmarks worst.

Each is as large as the bounds allow. Printed are the status, the seconds, the longest `/ping` that
was asked meanwhile, and the peak memory of the process.
"""

import json
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from als_ml.prediction.example import EXAMPLE
from als_ml.serving.server import serving, wait_until_up
from benchmarks.faults import MODEL, made
from features import bounds

_HALF = bounds.REQUEST_ELEMENTS // 2 - 10


def requests() -> Iterator[tuple[str, bytes]]:
    """Name and body of each."""

    def one(rest: str) -> bytes:
        return f'{{"inputs":[{{"sample_id":"a",{rest}}}]}}'.encode()

    yield "empty lists", one(f'"x":[{",".join(["[]"] * _HALF)}]')
    yield "empty objects", one(f'"variants":[{",".join(["{}"] * _HALF)}]')
    yield "one text", one(f'"sex":"{"x" * int(bounds.REQUEST_MEGABYTES * 1e6 - 100)}"')
    # What is scored before anything else is answered (bounds.SMALL_BODY).
    unseen = ",".join(f'"21-{31_659_700 + i}-A-C 0/1"' for i in range(330))
    yield "small, variants not seen before", one(f'"genome_build":"GRCh38","variants":[{unseen}]')
    visits = ['{"days":1}'] * (_HALF * 2 // 3)
    yield "visits of one patient", one(f'"alsfrs":[{",".join(visits)}]')
    patients = [json.dumps(EXAMPLE)] * bounds.REQUEST_PATIENTS
    yield "as many patients", f'{{"inputs":[{",".join(patients)}]}}'.encode()
    slips = [f'{{"sample_id":"a","agee_at_onst{i}":1}}' for i in range(bounds.REQUEST_PATIENTS)]
    yield "as many slips of the pen", f'{{"inputs":[{",".join(slips)}]}}'.encode()


def answered(address: str, body: bytes) -> int:
    """Status of the answer."""
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/invocations", body, kind)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=300) as reply:  # noqa: S310
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def peak_megabytes(process: int) -> float:
    """Most memory that a process has had (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


class Pinging(threading.Thread):
    """Asks whether the server lives, again and again; `longest` in seconds."""

    def __init__(self, address: str):
        super().__init__(daemon=True)
        self.address, self.longest, self.wanted = address, 0.0, True

    def run(self) -> None:
        """Ask until nobody wants to know."""
        while self.wanted:
            began = time.monotonic()
            urllib.request.urlopen(f"{self.address}/ping", timeout=60).close()  # noqa: S310
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.05)


def main(arguments: Sequence[str]) -> None:  # noqa: ARG001  one shape for all
    """Print what each request costs."""
    folder = tempfile.TemporaryDirectory(prefix="als-ml-")
    with folder as name, pytest.MonkeyPatch.context() as set_:
        place, _ = made(Path(name))
        for key, value in place.environment.items():
            set_.setenv(key, value)
        where = ("127.0.0.1", 5199)
        with serving(MODEL, where) as server:
            wait_until_up(server, where)
            for what, body in requests():
                ping = Pinging("http://127.0.0.1:5199")
                ping.start()
                began = time.monotonic()
                status = answered(ping.address, body)
                seconds, ping.wanted = time.monotonic() - began, False
                ping.join()
                print(
                    f"{what}: {len(body) / 1e6:.1f} MB, {status} in {seconds:.1f} s, ping at most"
                    f" {ping.longest:.2f} s, peak {peak_megabytes(server.pid):.0f} MB",
                    flush=True,
                )
