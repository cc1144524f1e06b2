"""Mutated records, told three ways: alone, in a batch, and as the files that predict.py reads.

python -m benchmarks fuzz [RECORDS] [SEED]

A record is the made-up example with one or two places changed: a hostile or a plausible value, a
key gone, a part twice, a key more. Every record is answered alone and in a batch of a hundred, to
the last bit alike; one in ten of those that are answered with a score is written as a cohort of its
own and read as predict.py reads it. No exception is unaccounted for. The test in CI sends 300.
"""

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from als_ml.cohort.source import open_cohort
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.faults import OURS
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.tracking.loader import model_in
from features.errors import DataError
from features.stored import Json

MODEL = Path(__file__).resolve().parent.parent / "tests/fixtures/models_format_1/progression"
BATCH = 100
# One in so many answered records is also written as files.
AS_FILES = 10
# Parts that no table of a cohort without genomes holds.
_GENOMES = ("variants", "repeats", "assayed")
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    "",
    " ",
    "x" * 500,
    "\x00",
    "\ud800",
    "=1+1",
    "<script>",
    "nan",
    "inf",
    "1e999",
    "<2.7",
    "1,5",
    "2020-02-30",
    "2024-01-31",
    "yes",
    "9" * 400,
    -1,
    0,
    0.5,
    1e308,
    -1e-320,
    float("inf"),
    float("nan"),
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    [],
    {},
    [[]],
    [None],
    {"a": [{}]},
    {"": ""},
)
_SHARES = (0.25, 0.05, 0.05, 0.4, 0.25)
Place = tuple[Any, Any]  # a list or an object, and a key of it


def places(value: object) -> list[Place]:
    """Every place of a record.

    Parameters
    ----------
    value : object
        A record, or a part of one.

    Returns
    -------
    list of (container, key)
        From the outside in.
    """
    if isinstance(value, dict):
        own: list[Place] = [(value, key) for key in value]
    elif isinstance(value, list):
        own = [(value, i) for i in range(len(value))]
    else:
        return []
    return own + [place for container, key in own for place in places(container[key])]


def mutated(rng: np.random.Generator, name: str) -> Json:
    """The example with some places changed.

    Parameters
    ----------
    rng : Generator
        Whose numbers are drawn.
    name : str
        Its sample_id, unless that is changed too.

    Returns
    -------
    dict
        A record of its own.
    """
    record = copy.deepcopy(EXAMPLE) | {"sample_id": name}
    if rng.random() < 0.5:  # so that there are many that files hold too
        record = {key: value for key, value in record.items() if key not in _GENOMES}
    for _ in range(rng.integers(1, 3)):
        found = places(record)
        if found:
            container, key = found[rng.integers(len(found))]
            _changed(container, key, rng)
    return record


def _changed(container: Any, key: Any, rng: np.random.Generator) -> None:
    kind = rng.choice(["gone", "twice", "more", "other number", "hostile"], p=_SHARES)
    value = container[key]
    if kind == "gone":
        del container[key]
    elif kind == "twice" and isinstance(container, list):
        container.append(copy.deepcopy(value))
    elif kind == "more" and isinstance(container, dict):
        container[f"{key}_"] = value
    elif kind == "hostile" or isinstance(value, bool) or not isinstance(value, int | float):
        container[key] = copy.deepcopy(HOSTILE[rng.integers(len(HOSTILE))])
    elif isinstance(value, int):
        container[key] = max(value + int(rng.integers(-2, 2)), 0)
    else:
        container[key] = value * float(rng.choice([-1, 0.1, 0.9, 1.1, 2, 1000]))


def differences(predictor: Predictor, records: list[Json], told: "Counter[str]") -> list[str]:
    """What is not the same in a batch as alone, and what raised.

    Parameters
    ----------
    predictor : Predictor
        Of one model.
    records : list of dict
        A batch.
    told : Counter
        Gets what became of them.

    Returns
    -------
    list of str
        A line each, the record as JSON at its end.
    """
    together = predictor.predict_records(records)
    wrong = []
    for record, row in zip(records, together, strict=True):
        (alone,) = predictor.predict_records([record])
        error = alone["error"]
        told["refused" if error else "scored"] += 1
        if error and error["field"] == OURS:
            wrong.append(f"nobody foresaw: {_text(record)}")
        elif _text(alone) != _text(row):
            wrong.append(f"alone and in a batch differ: {_text(record)}")
        json.dumps(alone, allow_nan=False).encode()  # it can be sent
    return wrong


def as_files(predictor: Predictor, record: Json, folder: Path) -> PredictionRow | None:
    """The row that predict.py gives for the files of a record.

    Parameters
    ----------
    predictor : Predictor
        Of one model.
    record : dict
        That is answered with a score.
    folder : Path
        To write to.

    Returns
    -------
    dict or None
        None where files cannot hold the record, or refuse it.
    """
    if set(record) & {*_GENOMES, "as_of_days", "treatments"} or isinstance(
        record.get("biomarkers"), dict
    ):
        return None
    parts = {name: record.get(name) for name in ("biomarkers", "alsfrs")}
    patient = {k: v for k, v in record.items() if k not in (*parts, "genome_build")}
    described = ["genome_build: GRCh38", "patients: patients.csv"]
    pd.DataFrame([patient]).to_csv(folder / "patients.csv", index=False)
    for name, rows in parts.items():
        if rows:
            table = pd.DataFrame([{"sample_id": record["sample_id"], **row} for row in rows])
            table.to_csv(folder / f"{name}.csv", index=False)
            described.append(f"{name}: {name}.csv")
    (folder / "cohort.yaml").write_text("\n".join(described) + "\n")
    try:
        cohort = predictor.read(open_cohort(folder / "cohort.yaml"))
    except DataError:
        return None
    (row,) = predictor.predict_cohort(cohort)
    return row


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def run(count: int, seed: int) -> tuple["Counter[str]", list[str]]:
    """Mutate, ask and compare.

    Parameters
    ----------
    count : int
        Records.
    seed : int
        Same seed, same records.

    Returns
    -------
    told : Counter
        What became of them.
    wrong : list of str
        Empty if every record was answered alike.
    """
    rng, predictor = np.random.default_rng(seed), model_in(MODEL).predictor()
    told: Counter[str] = Counter()
    wrong: list[str] = []
    for begin in range(0, count, BATCH):
        records = [mutated(rng, f"P{begin + i}") for i in range(min(BATCH, count - begin))]
        wrong += differences(predictor, records, told)
        wrong += _unlike_files(predictor, records[::AS_FILES], told)
    return told, wrong


def _unlike_files(predictor: Predictor, records: list[Json], told: "Counter[str]") -> list[str]:
    wrong = []
    for record in records:
        (row,) = predictor.predict_records([record])
        if row["error"]:
            continue
        with tempfile.TemporaryDirectory(prefix="als-ml-") as folder:
            other = as_files(predictor, record, Path(folder))
        told["as files"] += other is not None
        if other is not None and other["probability"] != row["probability"]:
            wrong.append(f"the files differ: {_text(record)}")
    return wrong


def main(arguments: Sequence[str]) -> None:
    """Print what became of the records, and each that was answered in two ways."""
    count, seed = (int(word) for word in [*arguments, "10000", "1"][:2])
    told, wrong = run(count, seed)
    print(f"{count:,} records: " + ", ".join(f"{n:,} {what}" for what, n in sorted(told.items())))
    for line in wrong[:20]:
        print(line[:600])
    print(f"{len(wrong)} answered in two ways or not foreseen")
