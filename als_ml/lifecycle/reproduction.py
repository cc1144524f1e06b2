"""Repeat a run from its manifest and compare every figure."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from als_ml.lifecycle.registry import run_artifact, run_config
from als_ml.tracking.manifest import manifest
from als_ml.training.run import train
from features.errors import DataError
from features.stored import Json

# Figures of equal runs are equal to the last bit on one machine; another BLAS may differ in the
# last digits.
_EQUAL = 1e-9


class ChangedFigure(TypedDict):
    """A figure of both runs, None where one of them has none."""

    figure: str
    then: float | None
    now: float | None


@dataclass(frozen=True)
class Reproduced:
    """A repeated run: sentences on `inputs` that differ, figures `compared`, and those
    `differing`.
    """

    inputs: list[str]
    compared: int
    differing: list[ChangedFigure]


def reproduce(
    run_id: str,
    cohort: str,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    allow_outside: bool = False,
) -> Reproduced:
    """Train again from a run's own configuration, without tracking, and compare every figure.

    Returns
    -------
    Reproduced
        What differs.

    Raises
    ------
    DataError
        If the run has no manifest.
    """
    text = run_artifact(run_id, "manifest.json")
    if text is None:
        raise DataError(
            f"run {run_id}",
            "it has no manifest.json",
            "Give a run of train.py of this version.",
            code="file_absent",
        )
    then = json.loads(text)
    now = manifest(train(run_config(run_id, cohort), progress, allow_outside))
    differing: list[ChangedFigure] = [
        {"figure": name, "then": then["metrics"].get(name), "now": now["metrics"].get(name)}
        for name in sorted(set(then["metrics"]) | set(now["metrics"]))
        if abs(then["metrics"].get(name, np.inf) - now["metrics"].get(name, -np.inf)) > _EQUAL
    ]
    return Reproduced(
        inputs=_other_inputs(then, now), compared=len(then["metrics"]), differing=differing
    )


def _other_inputs(then: Json, now: Json) -> list[str]:
    """Sentences on what is not as it was."""
    said = []
    if then["data_digest"] != now["data_digest"]:
        files = sorted(
            k
            for k in {*then["files"], *now["files"]}
            if then["files"].get(k) != now["files"].get(k)
        )
        said.append(f"the data differ ({', '.join(files) or 'the same files, read otherwise'})")
    named = ("als_ml_version", "definitions_version", "git_commit", "python")
    pairs = [(key, then[key], now[key]) for key in named]
    pairs += [
        (name, was, now["packages"].get(name, "absent")) for name, was in then["packages"].items()
    ]
    return said + [
        f"{name} was {was} and is {is_now}" for name, was, is_now in pairs if was != is_now
    ]
