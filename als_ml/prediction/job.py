"""A whole batch job: the cohort read once for all models that read it alike, scored in chunks,
written in one piece.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from als_ml.cohort import in_parts
from als_ml.cohort.digests import GENOMES, file_digests, times_digest
from als_ml.cohort.source import CohortSource
from als_ml.output import write_table
from als_ml.prediction import batch
from als_ml.prediction.explanations import explanations
from als_ml.prediction.predictor import Predictor
from features.cohort import Cohort
from features.errors import DataError
from features.stored import Json
from features.tables.problems import Problem, Problems, merged

Read = TypeVar("Read")


@dataclass(frozen=True)
class Job:
    """What is to be scored, with what, and where to.

    Attributes
    ----------
    predictors : list of Predictor
        One after the other.
    named : list of str
        How the user named them: URIs or lock files; a resumed job must agree.
    output : Path
        Predictions, CSV or Parquet.
    explanations : Path, optional
        Contributions by feature, block and mechanism, which appear with the predictions.
    content : Content
        Whether the rows say what drove the score, and keep what a consent withholds.
    resume : bool
        Whether finished chunks of an interrupted job are kept.
    progress : callable
        Told (what, done, of).
    """

    predictors: list[Predictor]
    named: list[str]
    output: Path
    explanations: Path | None = None
    content: batch.Content = field(default_factory=batch.Content)
    resume: bool = False
    progress: batch.Progress = lambda *_: None

    def made_from(self) -> Json:
        """What the finished chunks depend on beside the data."""
        versions = [[p.fitted.task, p.model_name, p.model_version] for p in self.predictors]
        return {"models": self.named, **asdict(self.content), "versions": versions}


@dataclass(frozen=True)
class Done:
    """What became of a job: rows by task and kind, seconds, and problems of the files."""

    counts: Counter[tuple[str, str]]
    seconds: float
    problems: list[Problem] = field(default_factory=list)


def score_table(job: Job, path: Path) -> Done:
    """Score a table of `als-ml features`.

    Parameters
    ----------
    job : Job
        Models, output and options.
    path : Path
        Table of `als-ml features`.

    Returns
    -------
    Done
        Counts, seconds and problems.

    Raises
    ------
    DataError
        If there is no such table, or a model cannot use it.
    """
    started = time.perf_counter()
    if not path.is_file():
        raise DataError(
            str(path),
            "there is no such file",
            "Make one with `als-ml features`.",
            code="file_absent",
        )
    status = path.stat()
    made_from = job.made_from()
    made_from["features"] = [str(path.resolve()), status.st_size, status.st_mtime_ns]
    counts = batch.write_parts(
        chunks=lambda first: batch.score_features(path, job.predictors, job.content, first),
        of=batch.chunk_count(path, job.predictors),
        output=job.output,
        made_from=made_from,
        resume=job.resume,
        progress=job.progress,
    )
    return Done(counts=counts, seconds=time.perf_counter() - started)


def score_source(job: Job, source: CohortSource) -> Done:
    """Score the cohort of a cohort file; a large one part by part, unless explanations are asked
    for.

    Parameters
    ----------
    job : Job
        Models, output and options.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.

    Returns
    -------
    Done
        Counts, seconds and problems.
    """
    job.progress("reading", 0, 0)
    with _extracts_kept(job, source) as kept_job:
        return _scored(job, kept_job)


@contextmanager
def _extracts_kept(job: Job, source: CohortSource) -> Iterator[CohortSource]:
    """Keep what is read of the genomes beside the output until that is written.

    A folder that the user names stays.
    """
    if source.extracts is not None or not source.described.variants:
        yield source
        return
    folder = job.output.with_name(f".{job.output.name}.extracts")
    if not job.resume:
        shutil.rmtree(folder, ignore_errors=True)
    yield replace(source, extracts=folder)
    shutil.rmtree(folder)


def _scored(job: Job, source: CohortSource) -> Done:
    started, problems = time.perf_counter(), Problems()
    made_from = job.made_from() | {"cohort": file_digests(source), "changed": _changed(source)}
    if job.explanations is None and in_parts.patient_count(source) >= in_parts.LARGE:
        counts = _scored_in_parts(job, source, made_from, problems)
        seconds = time.perf_counter() - started
        return Done(counts=counts, seconds=seconds, problems=merged(problems.found))
    pairs = cohorts_for(job.predictors, source, problems)
    counts = batch.write_parts(
        chunks=lambda first: batch.score_cohorts(pairs, job.content, first),
        of=batch.cohort_chunks(pairs),
        output=job.output,
        made_from=made_from,
        resume=job.resume,
        progress=job.progress,
        beside=lambda: _explain(job, pairs),
    )
    seconds = time.perf_counter() - started
    return Done(counts=counts, seconds=seconds, problems=problems.found)


def _explain(job: Job, pairs: list[batch.Scoring]) -> None:
    if job.explanations is not None:
        write_table(explanations(pairs), job.explanations)


def _changed(source: CohortSource) -> list[str]:
    """When the genomes were last changed."""
    return [times_digest(source.files(role)) for role in GENOMES if getattr(source.described, role)]


def cohorts_for(
    predictors: list[Predictor], source: CohortSource, problems: Problems
) -> list[tuple[Predictor, Cohort]]:
    """Each model with the cohort read as it was trained; models that read alike share one.

    Parameters
    ----------
    predictors : list of Predictor
        The models.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    problems : Problems
        Gets what is wrong, of the first reading.

    Returns
    -------
    list of (Predictor, Cohort)
        In the order of the models.
    """

    def read(predictor: Predictor, into: Problems) -> Cohort:
        return predictor.read(source, into)

    return _read_for(predictors, read, problems)


def _scored_in_parts(
    job: Job, source: CohortSource, made_from: Json, problems: Problems
) -> Counter[tuple[str, str]]:
    """Score a cohort that is too large for memory."""
    with ExitStack() as stack:

        def read(predictor: Predictor, into: Problems) -> in_parts.LargeCohort:
            return stack.enter_context(predictor.read_in_parts(source, into))

        pairs = _read_for(job.predictors, read, problems)
        sizes = {cohort.size for _, cohort in pairs}
        return batch.write_parts(
            chunks=lambda first: batch.score_parts(pairs, job.content, problems, first),
            of=sum(cohort.parts for _, cohort in pairs),
            output=job.output,
            made_from=made_from | {"part": max(sizes)},
            resume=job.resume,
            progress=job.progress,
        )


def _read_for(
    predictors: Iterable[Predictor],
    read: Callable[[Predictor, Problems], Read],
    problems: Problems,
) -> list[tuple[Predictor, Read]]:
    """Read once for all models that read alike.

    Only the first reading tells what is wrong with the files.
    """
    known: dict[tuple[object, ...], Read] = {}
    for predictor in predictors:
        key = predictor.reads_like
        if key not in known:
            known[key] = read(predictor, Problems(silent=True) if known else problems)
    return [(predictor, known[predictor.reads_like]) for predictor in predictors]
