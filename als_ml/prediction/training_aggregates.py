"""What a model keeps of its training patients: how they were spread over each feature, which is
what a later cohort's drift is measured against, and what its readers and promotions ask for.

Shares of cells, never a patient's value: each edge is the mean of several neighbouring values, and
no cell stands for fewer than five people (a smaller one is merged, so that subtraction does not
give it back either).
"""

from typing import TypedDict

import numpy as np
import pandas as pd

from als_ml.cohort.known_patients import Remembered
from features.stored import Json

# Known in fewer, a feature has no cells; a column of at most ten different values is counted value
# by value (P).
FEWEST_KNOWN, MOST_VALUES = 50, 10
# No cell, no edge and no missing share stands for fewer people.
FEWEST = 5


class Cells(TypedDict, total=False):
    """Cells of a feature: `shares` of the `n` in whom it is known, by `edges` (a cell reaches from
    one, excluded, to the next, included) or by `values` (a cell for each, and one for all others).
    """

    n: int
    shares: list[float]
    edges: list[float]
    values: list[float]


# `from` is a word of Python's own.
_From = TypedDict("_From", {"from": float})


class AlikePatients(_From):
    """Training patients with a score of `from` and above: how many, their mean probability, and the
    share of positives with its 95 % interval.
    """

    n: int
    predicted: float
    observed: float
    low: float
    high: float


class TrainingAggregates(TypedDict, total=False):
    """What a model keeps of its training patients: `n`, the share that is `positive`, and of each
    feature known in 50 patients or more its `deciles`, cells (`shares`) and `missing` share.

    `consequences` says where those of variants came from, `patients` recognises who was trained on,
    `question` is the configured label, and `alike` what was seen by score. Models of earlier
    releases lack some.
    """

    n: int
    positive: float
    deciles: dict[str, list[float]]
    shares: dict[str, Cells]
    missing: dict[str, float]
    consequences: str
    patients: list[Remembered]
    question: Json
    alike: list[AlikePatients]


def no_aggregates() -> TrainingAggregates:
    """Of a model that was not trained here."""
    return {}


def training_aggregates(rows: pd.DataFrame, y: np.ndarray) -> TrainingAggregates:
    """What later cohorts are compared with: n, share of positives, and per feature its cells,
    deciles and missing share.

    Only of features known in 50 patients or more; no figure shows one patient's value or stands for
    fewer than five people.

    Parameters
    ----------
    rows : DataFrame (n, p)
        Features of the training patients.
    y : array (n,)
        Their labels.

    Returns
    -------
    dict
        For JSON.
    """
    deciles: dict[str, list[float]] = {}
    for name in rows.columns:
        known = rows[name].dropna().to_numpy(dtype=float)
        if len(known) >= FEWEST_KNOWN:
            deciles[str(name)] = [
                float(v)
                for v in np.quantile(known, np.arange(0.1, 0.91, 0.1), method="inverted_cdf")
            ]
    return {
        "n": len(rows),
        "positive": float(y.mean()),
        "deciles": deciles,
        "shares": training_shares(rows),
        "missing": missing_shares(rows),
    }


def training_shares(rows: pd.DataFrame) -> dict[str, Cells]:
    """Cells of each feature known in 50 patients or more.

    Parameters
    ----------
    rows : DataFrame (n, p)
        Features of the training patients.

    Returns
    -------
    dict
        Feature -> its cells.
    """
    shares: dict[str, Cells] = {}
    for name in rows.columns:
        known = rows[name].dropna().to_numpy(dtype=np.float32).astype(float)
        if len(known) >= FEWEST_KNOWN:
            values, counts = np.unique(known, return_counts=True)
            cells = _by_value(values, counts) if len(values) <= MOST_VALUES else _by_edge(known)
            cells["n"] = len(known)
            shares[str(name)] = cells
    return shares


def missing_shares(rows: pd.DataFrame) -> dict[str, float]:
    """Share of patients in whom each feature is unknown; 0 or 1 where fewer than five are, or are
    not.

    Parameters
    ----------
    rows : DataFrame (n, p)
        Features.

    Returns
    -------
    dict of float
        Feature -> 0 to 1.
    """
    unknown = rows.isna().sum()
    unknown = unknown.mask(unknown < FEWEST, 0).mask(len(rows) - unknown < FEWEST, len(rows))
    return {str(name): float(n / max(len(rows), 1)) for name, n in unknown.items()}


def _by_value(values: np.ndarray, counts: np.ndarray) -> Cells:
    """A cell for each value of five people or more.

    The others are one, or part of the largest if they are too few.
    """
    kept = counts >= FEWEST
    others = int(counts[~kept].sum())
    cells = np.r_[counts[kept], others]
    if 0 < others < FEWEST:
        cells[-1] = 0
        cells[np.argmax(cells)] += others
    return {"values": values[kept].tolist(), "shares": (cells / cells.sum()).tolist()}


def _by_edge(known: np.ndarray) -> Cells:
    """Ten cells about equally filled, fewer where values repeat."""
    ordered = np.sort(known)
    at = np.searchsorted(np.arange(1, len(ordered) + 1) / len(ordered), np.arange(0.1, 0.91, 0.1))
    near = [ordered[max(i - FEWEST // 2, 0) : i + FEWEST // 2 + 1] for i in at]
    edges = np.unique([float(some.mean()) for some in near])
    counts = in_cells(known, {"edges": edges.tolist()})
    while len(edges) and counts.min() < FEWEST:
        small = int(np.argmin(counts))
        edges = np.delete(edges, min(small, len(edges) - 1))
        counts = in_cells(known, {"edges": edges.tolist()})
    return {"edges": edges.tolist(), "shares": (counts / counts.sum()).tolist()}


def in_cells(known: np.ndarray, cells: Cells) -> np.ndarray:
    """How many known values fall into each cell.

    Parameters
    ----------
    known : array
        Values of one feature, none unknown.
    cells : dict
        With `edges` or `values`, of `training_shares`.

    Returns
    -------
    array of int
        Count of each cell.

    Examples
    --------
    >>> in_cells(np.array([0.0, 1, 1, 7]), {"values": [0.0, 1.0]}).tolist()
    [1, 2, 1]
    >>> in_cells(np.array([1.0, 2, 3]), {"edges": [2.0]}).tolist()
    [2, 1]
    """
    if "edges" in cells:
        at = np.searchsorted(cells["edges"], known, side="left")
        return np.bincount(at, minlength=len(cells["edges"]) + 1)
    equal = known[:, None] == np.array(cells["values"], dtype=float)
    counts = equal.sum(axis=0)
    return np.r_[counts, len(known) - counts.sum()]
