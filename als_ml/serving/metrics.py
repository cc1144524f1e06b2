"""What a server has done, counted: Prometheus reads it at `/metrics`.

Each process keeps its counts in a file of its own in the server's folder, and whichever process is
asked adds them up, those of processes that ended too, so that no count goes back. Counts are of
requests and patients; no value, name or identifier is among them.
"""

import contextlib
import json
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from als_ml.prediction.faults import OURS
from als_ml.prediction.row import PredictionRow
from features.stored import Json

# Upper ends of the cells, in seconds and in probability.
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TENTHS = tuple(round(0.1 * i, 1) for i in range(1, 11))
_HELP = {
    "als_ml_requests_total": ("counter", "Requests by address and status."),
    "als_ml_refused_total": ("counter", "Requests that did not reach the model, by reason."),
    "als_ml_request_seconds": ("histogram", "Seconds from the headers to the whole answer."),
    "als_ml_patients_total": ("counter", "Patients by what became of them."),
    "als_ml_abstained_total": ("counter", "Scored patients whom the model cannot tell apart."),
    "als_ml_out_of_distribution_total": ("counter", "Scored patients unlike those trained on."),
    "als_ml_probability": ("histogram", "Probabilities given: their drift is the model's."),
    "als_ml_missing_total": ("counter", "Scored patients by an input that was unknown."),
    "als_ml_errors_total": ("counter", "Requests that failed in a way nobody foresaw."),
    "als_ml_open_requests": ("gauge", "Requests that are being read or answered."),
    "als_ml_model_info": ("gauge", "The model that is served."),
}
Name = tuple[str, str]  # of a metric, and its labels as they are written


class Metrics:
    """Counts of one process, and the sum of all that share its folder.

    Parameters
    ----------
    folder : Path, optional
        Where the counts are kept; without one they are this process's own.
    model : mapping of str
        Name, version and digest of the model that is served.
    """

    def __init__(self, folder: Path | None = None, model: Mapping[str, str | None] | None = None):
        self.folder, self.model = folder, dict(model or {})
        self.counts: Counter[Name] = Counter()

    def add(self, name: str, by: float = 1, **labels: str) -> None:
        """Count something.

        Parameters
        ----------
        name : str
            Of a metric.
        by : float
            How much.
        labels : str
            That tell its kinds apart.
        """
        self.counts[name, _labels(*labels.items())] += by  # type: ignore[assignment]

    def observe(self, name: str, value: float, ends: tuple[float, ...]) -> None:
        """Count a value in the cell where it belongs.

        Parameters
        ----------
        name : str
            Of a histogram.
        value : float
            In the unit of its cells.
        ends : tuple of float
            Upper ends of the cells.
        """
        self.add(f"{name}_sum", value)
        self.add(f"{name}_count")
        at = bisect_left(ends, value)
        self.add(f"{name}_bucket", le=f"{ends[at]:g}" if at < len(ends) else "+Inf")

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered, and keep the counts.

        Parameters
        ----------
        path : str
            A known address; any other is `other`.
        status : int
            Of the answer.
        seconds : float
            That it took.
        """
        self.add("als_ml_requests_total", path=path, status=str(status))
        self.observe("als_ml_request_seconds", seconds, SECONDS)
        self._keep()

    def rows(self, rows: Iterable[PredictionRow]) -> None:
        """Count patients by what became of them.

        Parameters
        ----------
        rows : iterable of dict
            Prediction rows.
        """
        counted: Counter[tuple[str, str, str]] = Counter()
        for row in rows:
            if row["error"]:
                ours = row["error"]["field"] == OURS
                outcome = "failed" if ours else "refused"
                counted["als_ml_patients_total", "outcome", outcome] += 1
                continue
            counted["als_ml_patients_total", "outcome", "scored"] += 1
            self.add("als_ml_abstained_total", by=bool(row["abstained"]))
            self.add("als_ml_out_of_distribution_total", by=bool(row["out_of_distribution"]))
            if row["probability"] is not None:
                self.observe("als_ml_probability", row["probability"], TENTHS)
            counted.update(
                ("als_ml_missing_total", "feature", name) for name in row["missing_inputs"] or ()
            )
        for (name, label, value), times in counted.items():
            self.add(name, times, **{label: value})

    def text(self, open_requests: int) -> str:
        """All counts in the text format of Prometheus.

        Parameters
        ----------
        open_requests : int
            Of this process.

        Returns
        -------
        str
            A line each, in order.
        """
        counts = self._together()
        counts["als_ml_open_requests", ""] = open_requests
        counts["als_ml_model_info", _labels(*((k, v or "") for k, v in self.model.items()))] = 1
        lines = []
        for name, (kind, says) in _HELP.items():
            lines += [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]
            lines += _histogram(counts, name) if kind == "histogram" else _plain(counts, name)
        return "\n".join([*lines, ""])

    def _keep(self) -> None:
        if self.folder is None:
            return
        now = dict(self.counts)  # copied at once: a large request is counted in a thread meanwhile
        kept = [[name, labels, value] for (name, labels), value in now.items()]
        path = self.folder / f"counts-{os.getpid()}.json"
        beside = path.with_suffix(".part")
        with contextlib.suppress(OSError):  # a full disk, or the end: no request fails by it
            beside.write_text(json.dumps(kept), encoding="utf-8")
            beside.replace(path)

    def _together(self) -> "Counter[Name]":
        counts = Counter(self.counts)
        for path in self.folder.glob("counts-*.json") if self.folder else ():
            if path.stem != f"counts-{os.getpid()}":
                kept: list[Json] = json.loads(path.read_text(encoding="utf-8"))
                counts.update({(name, labels): value for name, labels, value in kept})
        return counts


@lru_cache(1024)  # addresses, outcomes and inputs of the model: some hundreds
def _labels(*labels: tuple[str, str]) -> str:
    """Labels as they are written.

    >>> _labels(("status", "200"), ("path", "/")), _labels()
    ('{path="/",status="200"}', '')
    """
    escaped = {k: v.replace("\\", r"\\").replace('"', r"\"") for k, v in labels}
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(escaped.items()))
    return f"{{{inside}}}" if inside else ""


def _plain(counts: "Counter[Name]", name: str) -> list[str]:
    return [f"{n}{labels} {value:g}" for (n, labels), value in sorted(counts.items()) if n == name]


def _histogram(counts: "Counter[Name]", name: str) -> list[str]:
    """Cells added up from the lowest on, as Prometheus has them."""
    ends = SECONDS if name.endswith("seconds") else TENTHS
    lines, so_far = [], 0.0
    for end in (*(f"{end:g}" for end in ends), "+Inf"):
        so_far += counts[f"{name}_bucket", _labels(("le", end))]
        lines.append(f'{name}_bucket{{le="{end}"}} {so_far:g}')
    total, number = (counts[f"{name}_{part}", ""] for part in ("sum", "count"))
    return [*lines, f"{name}_sum {total:.6g}", f"{name}_count {number:g}"]
