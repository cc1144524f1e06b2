"""False alarms and finds of `monitor`: python -m benchmarks drift [TRAINING PATIENTS] [OTHER
PATIENTS].

One simulated source, split by family into the training patients (800) and others (2,400), of whom
cohorts of 50, 100 and 500 are drawn 200 times each, for the features of every shipped
configuration. Then one feature at a time is moved by a standard deviation, or, where it takes few
values, set to the rarest of them in half of the patients.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import CohortFile, open_cohort
from als_ml.config import load_config
from als_ml.lifecycle.monitoring import drift_table, rows_as_seen
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.training_aggregates import training_aggregates
from als_ml.simulate import simulate
from als_ml.training.task_data import prepare
from features.cohort import Cohort

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
SIZES, TIMES = (50, 100, 500), 200


@dataclass(frozen=True)
class Monitored:
    """A model without its estimator (drift asks none), its training rows, and others of the same
    source.
    """

    predictor: Predictor
    own: pd.DataFrame
    others: pd.DataFrame


def main(arguments: Sequence[str] = ()) -> None:
    trained, other = (int(n) for n in (*arguments, 800, 2400)[:2])
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder) / "source", patients=trained + other, seed=1)
        source = open_cohort(Path(folder) / "source/cohort.yaml")
        cohort = read_cohort(source, plain_reading())
        for config in sorted(CONFIGS.glob("*.yaml")):
            report(config.stem, monitored(config, cohort, source.described, trained))


# A configuration for tables of others: its features, but the label and no column that simulated
# patients lack.
WITHOUT_COLUMNS = [
    "label.column=null",
    "label.above=null",
    "features.columns=[]",
    "features.known_at=null",
]


def monitored(config: Path, source: Cohort, described: CohortFile, trained: int) -> Monitored:
    """What `train.py` would keep for `monitor`, and the rows that `monitor` would see of the
    training and other families.
    """
    first = source.families[np.random.default_rng(1).permutation(len(source))[:trained]]
    inside = np.isin(source.families, first)
    cohort, later = (source.take(np.flatnonzero(own)) for own in (inside, ~inside))
    own = load_config(config)
    if own.label.column is not None and own.label.column not in source.patients.columns:
        own = load_config(config, WITHOUT_COLUMNS)
    data = prepare(own, cohort, described)
    predictor = Predictor(
        fitted=SimpleNamespace(task=own.task),
        spec=data.spec,
        lookups=cohort.lookups,
        definitions=cohort.definitions,
        training=training_aggregates(data.rows, data.y),
    )
    return Monitored(predictor, rows_as_seen(predictor, cohort), rows_as_seen(predictor, later))


def report(name: str, model: Monitored) -> None:
    own = flagged(model, model.own)
    print(f"{name}: {len(own)} features; on its own cohort {sum(own.values())} flagged")
    rng = np.random.default_rng(0)
    for size in SIZES:
        features, cohorts = false_alarms(model, size, TIMES, rng)
        found, planted = finds(model, size, rng)
        print(
            f"  {size:4d} patients: {features:.3%} of features, {cohorts:.1%} of cohorts flagged; "
            f"{found} of {planted} planted shifts found",
            flush=True,
        )


def flagged(model: Monitored, rows: pd.DataFrame) -> dict[str, bool]:
    return {
        row["feature"]: row["verdict"] != "stable" for row in drift_table(model.predictor, rows)
    }


def false_alarms(
    model: Monitored, size: int, times: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Share of the features, and of the cohorts, that are flagged though nothing has moved."""
    draws = [
        list(flagged(model, model.others.iloc[_some(model, size, rng)]).values())
        for _ in range(times)
    ]
    return float(np.mean(draws)), float(np.any(draws, axis=1).mean())


def finds(model: Monitored, size: int, rng: np.random.Generator) -> tuple[int, int]:
    """How many of the features, each moved in a cohort of its own, are flagged.

    Those that vary and half of whom know.
    """
    found = planted = 0
    for name, cells in model.predictor.training["shares"].items():
        rows = model.others.iloc[_some(model, size, rng)].copy()
        if rows[name].notna().mean() < 0.5 or max(cells["shares"]) > 0.95:
            continue
        rows[name] = moved(rows[name], cells, rng)
        planted += 1
        found += flagged(model, rows)[name]
    return found, planted


def moved(values: pd.Series, cells: dict[str, list[float]], rng: np.random.Generator) -> pd.Series:
    """By a standard deviation.

    Where a feature takes few values, half of the patients get the rarest of them.
    """
    if "edges" in cells:
        return values + values.std()
    rarest = cells["values"][int(np.argmin(cells["shares"][:-1]))]
    return values.mask((rng.random(len(values)) < 0.5) & values.notna(), rarest)


def _some(model: Monitored, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(len(model.others), size, replace=False)
