"""How long 100,000 and 500,000 genomes take on 32 and 256 cores, from what is measured here.

python -m benchmarks scale-model [FILES]: some generated files of one patient each are read in
batches, as a worker does, and put together, as the command does; what a batch costs is measured in
CPU, so that other work on the machine counts little. Then tasks with these durations run on a
simulated cluster: one scheduler hands them out, each worker does one at a time, one command puts
the results together. A disk that is slower than the CPU is not in it.
"""

import heapq
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from als_ml.cluster import map_parts, on_cluster
from benchmarks.scale import BUILD, make_files
from features.catalogue import shipped
from features.genotypes.bcftools import stop_workers
from features.genotypes.extraction import BATCH, Extract, Panel, extract
from features.genotypes.gathered import Gathered
from features.genotypes.vcf import panel_regions

GENOMES, CORES = (100_000, 500_000), (32, 256)
# Tasks that do nothing, by which the scheduler is timed.
EMPTY = 1_000


@dataclass(frozen=True)
class Measured:
    """Seconds: of each batch in a worker, of handing out a task, of taking in a batch."""

    batches: np.ndarray
    handing: float
    taking: float


@dataclass(frozen=True)
class Run:
    """Seconds of a simulated run, and the share of it in which each was busy."""

    seconds: float
    workers: float
    scheduler: float
    command: float

    @property
    def bottleneck(self) -> str:
        """Who was busy the longest."""
        shares = {"workers": self.workers, "scheduler": self.scheduler, "command": self.command}
        return max(shares, key=lambda name: shares[name])


def simulate(durations: np.ndarray, cores: int, handing: float, taking: float) -> Run:
    """Run tasks on a simulated cluster, in their order.

    Parameters
    ----------
    durations : array (tasks,)
        Seconds of each in a worker.
    cores : int
        Workers, each with one task at a time.
    handing : float
        Seconds in which the scheduler hands out a task, one after the other.
    taking : float
        Seconds in which the command takes in a result, one after the other.
    """
    free = [0.0] * min(cores, len(durations))
    arrivals, handed = [], 0.0
    for duration in durations.tolist():
        handed = max(handed, 0.0) + handing
        end = max(heapq.heappop(free), handed) + duration
        heapq.heappush(free, end)
        arrivals.append(end)
    done = 0.0
    for arrival in sorted(arrivals):
        done = max(done, arrival) + taking
    n = len(durations)
    return Run(
        seconds=done,
        workers=float(durations.sum()) / (cores * done),
        scheduler=n * handing / done,
        command=n * taking / done,
    )


def cpu() -> float:
    """Seconds of this process and its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in used)


def nothing(_: object, part: int) -> int:
    """A task without work."""
    return part


def measure(files: int) -> Measured:
    """What batches cost here, and what the cluster adds."""
    panel = Panel(shipped(), BUILD)
    rows, regions = {f"S{i:05d}": i for i in range(files)}, panel_regions(panel.definitions, BUILD)
    gathered, batches, takings = Gathered(panel.definitions, files), [], []
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name), files)
        paths = sorted(Path(name).glob("*.vcf.gz"))
        for start in range(0, files, BATCH):
            before = cpu()
            found = extract(paths[start : start + BATCH], regions, rows, panel)
            stop_workers()  # its CPU counts when it has ended; a new one starts with each batch
            batches.append(cpu() - before)
            takings.append(_taken(gathered, found))
    with on_cluster("local:1"):
        list(map_parts()(nothing, 0, [0], lambda *_: None, None))
        # Scheduler and command are threads of this process: its CPU is theirs.
        before = time.process_time()
        list(map_parts()(nothing, 0, list(range(EMPTY)), lambda *_: None, None))
        handing = (time.process_time() - before) / EMPTY
    return Measured(batches=np.array(batches), handing=handing, taking=float(np.median(takings)))


def _taken(gathered: Gathered, found: Extract) -> float:
    before = time.process_time()
    for file in found.files:
        gathered.add(file)
    return time.process_time() - before


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and simulate."""
    measured = measure(int(arguments[0]) if arguments else 1_000)
    print(
        f"a batch of {BATCH} files: {measured.batches.mean() * 1000:.0f} ms of CPU"
        f" ({measured.batches.min() * 1000:.0f}-{measured.batches.max() * 1000:.0f});"
        f" {measured.handing * 1000:.2f} ms to hand out a task,"
        f" {measured.taking * 1000:.2f} ms to take in a batch"
    )
    rng = np.random.default_rng(1)
    for genomes in GENOMES:
        durations = rng.choice(measured.batches, -(-genomes // BATCH))
        for cores in CORES:
            run = simulate(durations, cores, measured.handing, measured.taking)
            print(
                f"  {genomes:,} genomes on {cores} cores: {run.seconds / 60:.1f} minutes,"
                f" {durations.sum() / 3600:.2f} core hours of work, {run.workers:.0%} busy;"
                f" most busy: {run.bottleneck}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
