"""Score a feature table that lies in many Parquet files: each becomes a file of the same name.

A file is scored by one process, in threads of this one or by the workers of a cluster, and is
written whole or not at all by the process that scored it: only counts travel back, so the folders
must be on a file system that all see. Each output says, in its metadata, what it was made from;
`--resume` keeps those for which that still holds.
"""

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from als_ml import cluster
from als_ml.output import whole_file
from als_ml.prediction import batch
from als_ml.prediction.job import Done, Job
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import SCHEMA
from features.errors import DataError, RequestError, UserError, examples

MADE_FROM = b"als-ml made from"
# Files that a message names.
SHOWN = 20


@dataclass(frozen=True)
class Partition:
    """One file of the table, where its predictions go, and a digest of what they are made from."""

    source: Path
    output: Path
    made_from: str

    def is_done(self) -> bool:
        """Whether its predictions are there and were made from the same."""
        try:
            metadata = pq.read_schema(self.output).metadata or {}
        except (OSError, pa.ArrowInvalid):
            return False
        return metadata.get(MADE_FROM) == self.made_from.encode()


@dataclass(frozen=True)
class Scored:
    """What came of a partition: rows by task and kind, or why there are none."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    error: str = ""


def score_partitions(job: Job, folder: Path) -> Done:
    """Score every Parquet file of a folder into a file of the same name.

    Parameters
    ----------
    job : Job
        Models and options; `output` is a folder.
    folder : Path
        With `*.parquet`, each a table of `als-ml features`.

    Returns
    -------
    Done
        Counts and seconds.

    Raises
    ------
    DataError
        After all were tried, with the name of each that cannot be scored.
    RequestError
        If the output holds files already and nothing is to be resumed.
    """
    started = time.perf_counter()
    partitions = _partitions(job, folder)
    kept = [part for part in partitions if job.resume and part.is_done()]
    todo = [part for part in partitions if part not in kept]
    job.output.mkdir(exist_ok=True)
    counts: Counter[tuple[str, str]] = Counter()
    for part in kept:
        batch.count_rows(pq.read_table(part.output), counts)
    done, errors = len(kept), []

    def arrived(_: Partition, __: Scored) -> None:
        nonlocal done
        done += 1
        job.progress("scoring", done, len(partitions))

    job.progress("scoring", done, len(partitions))
    scored = cluster.map_parts()(_score, (job.predictors, job.content), todo, arrived, _lost)
    for part, result in zip(todo, scored, strict=True):
        counts.update(result.counts)
        errors += [f"{part.source.name}: {result.error}"] if result.error else []
    if errors:
        reason = f"{len(errors)} of {len(partitions)} files cannot be scored"
        remedy = "The others are written: correct these and run it again with --resume."
        raise DataError(
            str(folder), f"{reason}: {examples(errors, SHOWN)}", remedy, code="file_unreadable"
        )
    return Done(counts=counts, seconds=time.perf_counter() - started)


def _partitions(job: Job, folder: Path) -> list[Partition]:
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise DataError(
            str(folder),
            "it holds no .parquet file",
            "Give a folder of features.",
            code="file_absent",
        )
    if job.output.is_dir() and any(job.output.iterdir()) and not job.resume:
        remedy = "Name another folder, empty this one, or go on with --resume."
        raise RequestError(
            f"--output {job.output}", "there are files in it already", remedy, code="output_refused"
        )
    return [_partition(job, file) for file in files]


def _partition(job: Job, file: Path) -> Partition:
    state = file.stat()
    facts = [job.made_from(), str(file.resolve()), state.st_size, state.st_mtime_ns]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return Partition(source=file, output=job.output / file.name, made_from=digest)


def _score(with_what: tuple[list[Predictor], batch.Content], part: Partition) -> Scored:
    """Score a partition; what is wrong with it is its result."""
    counts: Counter[tuple[str, str]] = Counter()
    schema = SCHEMA.with_metadata({MADE_FROM: part.made_from.encode()})
    try:
        with whole_file(part.output) as path, pq.ParquetWriter(path, schema) as writer:
            for table in batch.score_features(part.source, *with_what, first=0, threads=1):
                batch.count_rows(table, counts)
                writer.write_table(table.cast(schema))
    except UserError as error:
        return Scored(error=f"{error.found}. {error.remedy}")
    return Scored(counts=counts)


def _lost(_: Partition, reason: str) -> Scored:
    return Scored(error=f"{reason}. Give the workers more memory.")
