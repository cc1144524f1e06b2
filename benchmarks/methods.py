"""Ours and what it is compared with, as one call: learn from some patients, score others.

A method learns from one version of a table and scores one or more versions of it (complete, with
gaps, on the other scale) in the same patients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from als_ml.cohort.source import open_cohort
from als_ml.config import Config, load_config
from als_ml.training.folds import plain_logistic
from als_ml.training.task_data import Trainable, prepared, recipe_of
from benchmarks.public_tables import PublicTable
from benchmarks.rivals import available, tuned_probability
from models.fitted import fit_model

OURS, RAW, PLAIN = "als-ml", "als-ml, raw columns", "plain logistic"
ROOT = Path(__file__).resolve().parent.parent
# What a kept result rests on beside the data: a change of these files makes it anew.
_LEARNER = (*sorted((ROOT / "models").glob("*.py")), ROOT / "als_ml/training/task_data.py")
_PLAIN = (ROOT / "als_ml/training/folds.py",)
_RIVALS = (ROOT / "benchmarks/rivals.py",)


@dataclass(frozen=True)
class Version:
    """A version of a table as both sides see it, the patients in one order.

    `X` (n, p) are the raw columns, `y` (n,) the label, `likely` (n,) what ours learns of it; `data`
    is what ours makes of the cohort files.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    likely: np.ndarray
    ids: np.ndarray
    data: Trainable
    config: Config

    @cached_property
    def digests(self) -> tuple[str, str]:
        """Of the raw columns, and of our features, each with the labels."""
        own = np.ascontiguousarray(self.data.rows.to_numpy())
        labels = self.y.tobytes() + self.likely.tobytes()
        theirs = np.ascontiguousarray(self.X)
        raw, ours = (sha256(part.tobytes() + labels).hexdigest() for part in (theirs, own))
        return raw, ours


# Of (learned from, scored versions, train, test): probabilities of the test patients by version.
Scorer = Callable[[Version, Sequence[Version], np.ndarray, np.ndarray], list[np.ndarray]]


class Method(NamedTuple):
    """`scorer`, and a text that changes with whatever its results rest on beside the fold."""

    scorer: Scorer
    rests_on: Callable[[Version, Sequence[Version]], str]


def version_of(table: PublicTable, folder: Path, *changes: str) -> Version:
    """Read a table as both sides see it; `folder` takes the cohort files."""
    cohort = table.written(folder)
    config = load_config(table.config, [f"cohort={cohort}", *table.changes, *changes])
    data = prepared(config, open_cohort(cohort))
    order = {name: i for i, name in enumerate(table.ids)}
    own = np.array([order[name] for name in data.rows.index])
    _, likely = table.labels()
    return Version(
        name=table.name,
        X=table.columns().to_numpy(np.float32)[own],
        y=data.y,
        likely=likely[own],
        ids=table.ids[own],
        data=data,
        config=config,
    )


def methods(trials: int) -> dict[str, Method]:
    """Every method that is installed, the quick ones first."""
    found = {
        PLAIN: Method(_plain, _text(_PLAIN, 0)),
        OURS: Method(_ours, _text(_LEARNER, 1)),
        RAW: Method(_learner, _text(_LEARNER, 0)),
    }
    for name in available():
        found[name] = Method(_rival(name, trials), _text(_RIVALS, 0, f"{trials} trials"))
    return found


def _text(
    sources: Sequence[Path], which: int, more: str = ""
) -> Callable[[Version, Sequence[Version]], str]:
    """Sources, settings and data in one text; ours also rests on its configuration."""
    code = sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()

    def rests_on(learned: Version, scored: Sequence[Version]) -> str:
        data = [version.digests[which] for version in (learned, *scored)]
        model = learned.config.model.model_dump_json() if sources == _LEARNER else ""
        return "|".join([code, more, model, *data])

    return rests_on


def _ours(
    learned: Version, scored: Sequence[Version], train: np.ndarray, test: np.ndarray
) -> list[np.ndarray]:
    model = learned.data.fit(learned.data.matrix(train), train, learned.config)[0]
    return [model.probability(version.data.matrix(train)[test]) for version in scored]


def _learner(
    learned: Version, scored: Sequence[Version], train: np.ndarray, test: np.ndarray
) -> list[np.ndarray]:
    model = fit_model(
        learned.X[train],
        learned.y[train],
        learned.data.families[train],
        recipe_of(learned.config),
        learned.likely[train],
    )
    return [model.probability(version.X[test]) for version in scored]


def _plain(
    learned: Version, scored: Sequence[Version], train: np.ndarray, test: np.ndarray
) -> list[np.ndarray]:
    X, y = learned.X[train], learned.y[train]
    return [plain_logistic(X, y, version.X[test]) for version in scored]


def _rival(name: str, trials: int) -> Scorer:
    def scorer(
        learned: Version, scored: Sequence[Version], train: np.ndarray, test: np.ndarray
    ) -> list[np.ndarray]:
        probability = tuned_probability(
            name, learned.X[train], learned.y[train], learned.likely[train], trials
        )
        return [probability(version.X[test]) for version in scored]

    return scorer
