"""How the training patients were spread over each feature: what a later cohort's drift is measured
against.

Shares of cells, never a patient's value: each edge is the mean of several neighbouring values, and
no cell stands for fewer than five people (a smaller one is merged, so that subtraction does not
give it back either).
"""

import numpy as np
import pandas as pd

from features.stored import Json

# Known in fewer, a feature has no cells; a column of at most ten different values is counted value
# by value (P).
FEWEST_KNOWN, MOST_VALUES = 50, 10
# No cell, no edge and no missing share stands for fewer people.
FEWEST = 5


def training_shares(rows: pd.DataFrame) -> dict[str, Json]:
    """Cells of each feature known in 50 patients or more.

    Parameters
    ----------
    rows : DataFrame (n, p)
        Features of the training patients.

    Returns
    -------
    dict
        Feature -> `n` known; `shares` of the cells; and `edges` (a cell reaches from one, excluded,
        to the next, included)
        or `values` (a cell for each, and one for all others).
    """
    shares = {}
    for name in rows.columns:
        known = rows[name].dropna().to_numpy(dtype=np.float32).astype(float)
        if len(known) >= FEWEST_KNOWN:
            values, counts = np.unique(known, return_counts=True)
            cells = _by_value(values, counts) if len(values) <= MOST_VALUES else _by_edge(known)
            shares[str(name)] = {"n": len(known), **cells}
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


def _by_value(values: np.ndarray, counts: np.ndarray) -> Json:
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


def _by_edge(known: np.ndarray) -> Json:
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


def in_cells(known: np.ndarray, cells: Json) -> np.ndarray:
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
