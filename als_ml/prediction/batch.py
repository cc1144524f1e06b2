"""Batch prediction in chunks: bounded memory, whole files or none, and a way on after a kill.

Finished chunks lie as Parquet parts in a hidden folder beside the output, with what they were made
from; `--resume` takes them over if nothing of that has changed. The output appears when all are
there.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import als_ml
from als_ml.cohort.in_parts import LargeCohort
from als_ml.formats import FORMATS
from als_ml.output import together, whole_file
from als_ml.prediction.predictor import BESIDE, SCOPE, Predictor
from als_ml.prediction.row import (
    CONSENTS,
    NESTED,
    OF_TIMES,
    PREDICTED,
    SAID,
    SCHEMA,
    PredictionRow,
    course_columns,
)
from als_ml.prediction.withhold import genetic_features, withheld
from features.cohort import Cohort
from features.errors import DataError, RequestError
from features.genotypes.workers import worker_count
from features.stored import Json
from features.tables.files import read_table
from features.tables.formulas import inert
from features.tables.problems import Problems
from features.temporary import owned
from models.survival.fitted import FittedSurvival, Outlook
from models.tasks import TASKS

Progress = Callable[[str, int, int], None]
# A model and the cohort that was read for it.
Scoring = tuple[Predictor, Cohort]
# Rows of a feature table, and patients of a cohort, at a time.
CHUNK, PATIENTS = 20_000, 5_000


@dataclass(frozen=True)
class Content:
    """What the rows of a job hold: drivers, and nothing that a patient's consent withholds."""

    drivers: bool = True
    withhold: bool = False

    def table(self, predictor: Predictor, rows: list[PredictionRow]) -> pa.Table:
        """Prediction rows as they are written."""
        if not self.withhold:
            return as_table(rows)
        genetic = genetic_features(predictor)
        return as_table([withheld(row, genetic) for row in rows])


def as_table(rows: list[PredictionRow]) -> pa.Table:
    """Prediction rows as a table; lists and objects as JSON text.

    Parameters
    ----------
    rows : list of dict
        Prediction rows.

    Returns
    -------
    Arrow table
        With `als_ml.prediction.row.SCHEMA`.
    """
    cells = [
        {k: json.dumps(v) if k in NESTED and v is not None else v for k, v in row.items()}
        for row in rows
    ]
    return pa.Table.from_pylist(cells, schema=SCHEMA)


def predicted(predictor: Predictor, table: pd.DataFrame) -> pa.Table:
    """Prediction rows of a feature table without drivers, column by column: the same cells as
    `predict_table` makes.

    Parameters
    ----------
    predictor : Predictor
        The model.
    table : DataFrame
        Of `python -m als_ml features`, checked by `predictor.own_table`.

    Returns
    -------
    Arrow table
        With `als_ml.prediction.row.SCHEMA`, one row a patient.
    """
    kept = table.set_index("sample_id")
    X = predictor.matrix(predictor.own_columns(kept))
    beside = kept[[name for name in BESIDE if name in kept.columns]]
    reason = beside[f"not_scored_{predictor.fitted.task}"].fillna("").to_numpy(dtype=object)
    refused = reason != ""
    flagged = ((beside[["on_tofersen", "too_early"]] == 1).any(axis=1)).to_numpy()
    n = len(kept)
    columns = {
        "sample_id": pa.array(kept.index.astype(str), pa.string()),
        "task": _same(predictor.fitted.task, n),
        **_said(predictor, X),
        "out_of_distribution": pa.array(predictor.fitted.outside(X).any(axis=1) | flagged),
        "drivers": _same("[]", n),
        "missing_inputs": _missing(predictor, X),
        "genetic_cause": _text_column(beside["genetic_cause"]),
        **{name: _text_column(beside[name]) for name in CONSENTS},
        "model_name": _same(predictor.model_name, n),
        "model_version": _same(predictor.model_version, n),
        "als_ml_version": _same(als_ml.__version__, n),
        "definitions_version": _same(predictor.definitions.version, n),
        "format": pa.repeat(pa.scalar(FORMATS["row"], pa.int64()), n),
        "error": _errors(reason) if refused.any() else _same(None, n),
    }
    if refused.any():
        gone = pa.array(refused)
        for name in PREDICTED:
            columns[name] = pc.if_else(gone, pa.scalar(None, columns[name].type), columns[name])
        columns["missing_inputs"] = pc.if_else(gone, "[]", columns["missing_inputs"])
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _said(predictor: Predictor, X: np.ndarray) -> dict[str, pa.Array]:
    """What the model says of each patient, column by column; null in the columns of others."""
    columns = {name: pa.nulls(len(X), SCHEMA.field(name).type) for name in SAID}
    if isinstance(predictor.fitted, FittedSurvival):
        return columns | _times(predictor.fitted.outlook(X))
    probability = predictor.fitted.probability(X)
    classes, sets = predictor.classes(X, probability)
    joined = pa.array(sets, pa.string())
    return columns | {
        "probability": pa.array(probability, pa.float64()),
        "predicted_class": pa.array(classes, pa.string()),
        "prediction_set": joined,
        "abstained": pc.or_(pc.match_substring(joined, "|"), pc.equal(joined, "")),
    }


def _times(outlook: Outlook) -> dict[str, pa.Array]:
    numbers = {name: getattr(outlook, name) for name in OF_TIMES if name != "risk_group"}
    if outlook.course is not None:
        numbers |= course_columns(outlook.course)
    columns = {
        name: pa.array(values, pa.float64(), from_pandas=True) for name, values in numbers.items()
    }
    columns["probability"] = columns["risk_12m"]
    return columns | {"risk_group": pa.array(outlook.risk_group, pa.string())}


def _text_column(cells: pd.Series) -> pa.Array:
    """Text, null where it is missing."""
    return pa.array(cells, pa.string(), from_pandas=True)


def _same(value: str | None, n: int) -> pa.Array:
    return (
        pa.nulls(n, pa.string()) if value is None else pa.repeat(pa.scalar(value, pa.string()), n)
    )


def _errors(reasons: np.ndarray) -> pa.Array:
    """The error of each row; there are few different ones."""
    distinct = pa.array(reasons, pa.string()).dictionary_encode()
    texts = pa.array([_error(name) for name in distinct.dictionary.to_pylist()], pa.string())
    return texts.take(distinct.indices)


def _error(reason: str) -> str | None:
    return json.dumps(SCOPE[reason]) if reason else None


def _missing(predictor: Predictor, X: np.ndarray) -> pa.Array:
    """Unknown inputs that the model uses, the most important first, as JSON text."""
    used = predictor.used
    unknown = np.isnan(X)[:, used]
    offsets = np.append(0, np.cumsum(unknown.sum(axis=1))).astype(np.int32)
    column = np.nonzero(unknown)[1]
    names = pa.array([json.dumps(predictor.names[j]) for j in used], pa.string())
    lists = pa.ListArray.from_arrays(offsets, names.take(pa.array(column)))
    return pc.binary_join_element_wise("[", pc.binary_join(lists, ", "), "]", "")


def feature_chunks(path: Path, predictor: Predictor, size: int = CHUNK) -> Iterator[pd.DataFrame]:
    """The columns of a feature table that a model needs, some patients at a time; CSV is read
    whole.

    Parameters
    ----------
    path : Path
        Table of `als-ml features`, .csv or .parquet.
    predictor : Predictor
        The model.
    size : int
        Patients at a time.

    Yields
    ------
    DataFrame
        Checked by `predictor.own_table`.
    """
    if path.suffix.lower() != ".parquet":
        yield predictor.own_table(read_table(path))
        return
    # pre_buffer keeps the raw file in memory.
    with _opened(path) as file:
        present = set(file.schema_arrow.names)
        wanted = [name for name in ("sample_id", *BESIDE, *predictor.names) if name in present]
        for batch in file.iter_batches(size, columns=wanted):
            yield predictor.own_table(batch.to_pandas())


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            str(path),
            f"it cannot be read ({type(error).__name__})",
            "Give a table of `python -m als_ml features`.",
            code="file_unreadable",
        ) from None


def score_features(
    path: Path,
    predictors: list[Predictor],
    content: Content,
    first: int,
    size: int = CHUNK,
    *,
    threads: int | None = None,
) -> Iterator[pa.Table]:
    """Prediction rows of a feature table, chunk by chunk, one model after the other, from a chunk
    on.

    Parameters
    ----------
    path : Path
        Table of `als-ml features`, .csv or .parquet.
    predictors : list of Predictor
        The models.
    content : Content
        What a row holds: contributions, what is withheld.
    first : int
        Chunk to begin with.
    size : int
        Patients at a time.
    threads : int, optional
        Chunks that are scored at once; by default as many as there are processors.

    Yields
    ------
    Arrow table
        One a chunk.
    """
    chunks = (
        (predictor, chunk)
        for predictor in predictors
        for chunk in feature_chunks(path, predictor, size)
    )
    jobs = (
        partial(_scored_chunk, predictor, chunk, content)
        for predictor, chunk in islice(chunks, first, None)
    )
    yield from _side_by_side(jobs, threads or worker_count())


def _scored_chunk(predictor: Predictor, chunk: pd.DataFrame, content: Content) -> pa.Table:
    if content.drivers or content.withhold:
        rows = predictor.predict_table(chunk, content.drivers)
        return content.table(predictor, rows)
    return predicted(predictor, chunk)


def _side_by_side(jobs: Iterable[Callable[[], pa.Table]], threads: int) -> Iterator[pa.Table]:
    """Results of jobs in their order, a few at a time: while one is written the next are made."""
    waiting: deque[Future[pa.Table]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(job))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def score_cohorts(pairs: list[Scoring], content: Content, first: int) -> Iterator[pa.Table]:
    """Prediction rows of each model on its cohort, chunk by chunk, one model after the other, from
    a chunk on.

    Parameters
    ----------
    pairs : list of (Predictor, Cohort)
        Each model with the patients as it reads them.
    content : Content
        What a row holds: contributions, what is withheld.
    first : int
        Chunk to begin with.

    Yields
    ------
    Arrow table
        One a chunk.
    """
    starts = ((p, c, start) for p, c in pairs for start in _starts(c))
    for predictor, cohort, start in islice(starts, first, None):
        end = min(start + PATIENTS, len(cohort))
        some = cohort if len(_starts(cohort)) == 1 else cohort.take(np.arange(start, end))
        yield content.table(predictor, predictor.predict_cohort(some, content.drivers))


def score_parts(
    pairs: list[tuple[Predictor, LargeCohort]], content: Content, problems: Problems, first: int
) -> Iterator[pa.Table]:
    """The same for a cohort that is too large for memory, part by part, from a part on.

    Parameters
    ----------
    pairs : list of (Predictor, LargeCohort)
        Each model with the patients as it reads them.
    problems : Problems
        Gets what is wrong with a part.
    content : Content
        What a row holds: contributions, what is withheld.
    first : int
        Part to begin with.

    Yields
    ------
    Arrow table
        One a part.
    """
    numbers = ((p, c, number) for p, c in pairs for number in range(c.parts))
    for predictor, cohort, number in islice(numbers, first, None):
        part = cohort.part(number, problems)
        yield content.table(predictor, predictor.predict_cohort(part, content.drivers))


def cohort_chunks(pairs: list[Scoring]) -> int:
    """How many chunks the cohorts make.

    Parameters
    ----------
    pairs : list of (Predictor, Cohort)
        As for `score_cohorts`.

    Returns
    -------
    int
        Over all models.
    """
    return sum(len(_starts(cohort)) for _, cohort in pairs)


def _starts(cohort: Cohort) -> range:
    return range(0, max(len(cohort), 1), PATIENTS)


def chunk_count(path: Path, predictors: list[Predictor], size: int = CHUNK) -> int:
    """How many chunks a feature table makes.

    Parameters
    ----------
    path : Path
        Table of `als-ml features`.
    predictors : list of Predictor
        The models.
    size : int
        Patients at a time.

    Returns
    -------
    int
        Over all models.
    """
    if path.suffix.lower() != ".parquet":
        return len(predictors)
    with _opened(path) as file:
        return len(predictors) * max(1, -(-file.metadata.num_rows // size))


def write_parts(
    chunks: Callable[[int], Iterator[pa.Table]],
    of: int,
    output: Path,
    made_from: Json,
    resume: bool,
    progress: Progress,
    beside: Callable[[], None] = lambda: None,
) -> Counter[tuple[str, str]]:
    """Write chunks as parts and, when all are there, the output.

    Parameters
    ----------
    of : int
        Chunks in all.
    output : Path
        .csv or .parquet.
    resume : bool
        Whether finished chunks of an earlier run are taken over.
    progress : callable
        Told how many chunks are done.
    chunks : callable
        Gives the chunks from a number on.
    made_from : dict
        What the parts depend on; a resumed run must agree.
    beside : callable
        Writes what is to appear together with the output.

    Returns
    -------
    Counter
        (task, what) -> rows, for the summary.
    """
    folder = output.with_name(f".{output.name}.parts")
    state = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    counts: Counter[tuple[str, str]] = Counter()
    with _only_writer(folder, output):
        done, joined = _taken_over(folder, state, resume), folder / f"joined{output.suffix}"
        with _joining(joined, counts) as join:
            for number in range(done):
                join(pq.read_table(_part(folder, number)))
            for number, chunk in zip(range(done, of), chunks(done), strict=True):
                progress("scoring", number, of)
                with whole_file(_part(folder, number)) as temporary:
                    pq.write_table(chunk, temporary)
                join(chunk)
        progress("writing", of, of)
        with together():
            with whole_file(output) as temporary:
                joined.replace(temporary)
            beside()
        _remove(folder, output)
    return counts


@contextlib.contextmanager
def _only_writer(folder: Path, output: Path) -> Iterator[None]:
    """Hold the folder of the parts: two commands of other inputs would mix theirs in it."""
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        remedy = "Wait for it, or name another output."
        raise RequestError(
            f"--output {output}", "another command is writing it", remedy, code="output_refused"
        ) from None
    finally:
        os.close(handle)


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.parquet"


def _remove(folder: Path, output: Path) -> None:
    """Remove the parts, under another name first: who is killed meanwhile leaves no folder that is
    taken for an unfinished run, and the next command sweeps it.
    """
    gone = output.with_name(f"{owned(f'.{output.stem}')}parts")
    folder.rename(gone)
    shutil.rmtree(gone)


def _taken_over(folder: Path, state: str, resume: bool) -> int:
    """Number of finished parts; an unfinished run is begun again unless it is to be resumed.

    Raises
    ------
    RequestError
        If the parts were made from something else.
    """
    note = folder / "state"
    if resume and note.is_file():
        if note.read_text() != state:
            remedy = "Leave --resume out to begin again."
            raise RequestError(
                "--resume",
                "the finished parts were made from other inputs or models",
                remedy,
                code="option_conflict",
            )
        for leftover in folder.glob(".*"):
            leftover.unlink()
        # Those after a gap are made again: a part is taken over by its number.
        return next(number for number in count() if not _part(folder, number).exists())
    for earlier in folder.iterdir():
        earlier.unlink()
    with whole_file(note) as temporary:
        temporary.write_text(state)
    return 0


@contextlib.contextmanager
def _joining(
    target: Path, counts: Counter[tuple[str, str]]
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield what adds the rows of a part to a file, while the next parts are scored."""
    target.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        if target.suffix.lower() == ".parquet":
            write = stack.enter_context(pq.ParquetWriter(target, SCHEMA)).write_table
        else:
            write = partial(_append, target)

        def join(table: pa.Table) -> None:
            count_rows(table, counts)
            write(table)

        yield join


def _append(target: Path, table: pa.Table) -> None:
    first = not target.exists()
    inert(table.to_pandas()).to_csv(target, index=False, header=first, mode="a")


def count_rows(table: pa.Table, counts: Counter[tuple[str, str]]) -> None:
    """Add up what the summary says of each task.

    Parameters
    ----------
    table : Arrow table
        Prediction rows.
    counts : Counter
        (task, what) -> rows; added to.
    """
    for task in pc.unique(table["task"]).to_pylist():
        of_task = table.filter(pc.equal(table["task"], task))
        counts[task, "not scored"] += len(of_task) - of_task["error"].null_count
        good = of_task.filter(pc.is_null(of_task["error"]))
        counts[task, "scored"] += len(good)
        for name in ("abstained", "out_of_distribution"):
            counts[task, name.replace("_", " ")] += pc.sum(good[name]).as_py() or 0
        # A survival time has no class; its fifths of the training risk stand in its place.
        answers = "risk_group" if TASKS[task].of_time else "predicted_class"
        for item in pc.value_counts(good[answers]).to_pylist():
            counts[task, f"as {item['values']}"] += item["counts"]
        for item in pc.value_counts(of_task["error"]).to_pylist():
            if item["values"] is not None:
                counts[task, f"reason {json.loads(item['values'])['reason']}"] += item["counts"]
