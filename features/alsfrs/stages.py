"""Clinical stages from the items of the ALSFRS-R.

King's stage (Balendra 2015; V as implemented in public code) and MiToS (Chio
2015; V from the published table). Where public implementations disagree:

- a gastrostomy (item 5b used) is King's stage 4 even if every other item is full;
- non-invasive ventilation is read from item 12 < 4, not from a date;
- no region involved in a symptomatic patient (trunk, stairs or mild breathing only) is King's stage
  1, not 0;
- MiToS counts communicating as lost when speech *and* writing are, as the published table says;
  some code says "or".

A stage whose items are not all known is NaN, unless what is known decides it. Stage 5 (death) is
not a matter of items.
"""

from functools import reduce

import numpy as np

KINGS_ITEMS = ("q1", "q2", "q3", "q4", "q5", "q8", "q10", "q12")


def kings_stage(items: dict[str, np.ndarray], gastrostomy: np.ndarray) -> np.ndarray:
    """King's stage 1-4, one a visit.

    Parameters
    ----------
    items : dict of arrays
        `q1` ... `q12`, points 0-4, NaN unknown.
    gastrostomy : array of bool
        Whether item 5b was the one asked.

    >>> full = {f"q{i}": np.array([4.0]) for i in range(1, 13)}
    >>> (kings_stage(full, np.array([False])),
    ...  kings_stage(full | {"q4": np.array([3.0])}, np.array([False])))
    (array([1.]), array([1.]))
    """
    fourth = gastrostomy | (items["q10"] == 0) | (items["q12"] < 4)
    bulbar = items["q1"] + items["q2"] + items["q3"] < 12
    involved = bulbar.astype(float) + (items["q4"] + items["q5"] < 8) + (items["q8"] < 4)
    known = np.isfinite(np.array([items[name] for name in KINGS_ITEMS])).all(axis=0)
    return np.where(fourth, 4.0, np.where(known, np.maximum(involved, 1.0), np.nan))


def mitos_stage(items: dict[str, np.ndarray]) -> np.ndarray:
    """MiToS stage 0-4: how many of moving, swallowing, communicating and breathing are lost, one a
    visit.

    Parameters
    ----------
    items : dict of arrays (v,)
        `q1` ... `q12`, points 0-4, NaN unknown.

    Returns
    -------
    array (v,)
        Stage, NaN where an item that decides is unknown.

    Examples
    --------
    >>> full = {f"q{i}": np.array([4.0]) for i in range(1, 13)}
    >>> (mitos_stage(full),
    ...  mitos_stage(full | {"q1": np.array([1.0])}),
    ...  mitos_stage(full | {"q12": np.array([2.0])}))
    (array([0.]), array([0.]), array([1.]))
    """
    domains = [
        _either(items["q8"] <= 1, items["q6"] <= 1, items["q8"], items["q6"]),
        _lost(items["q3"] <= 1, items["q3"]),
        1 - _either(items["q1"] > 1, items["q4"] > 1, items["q1"], items["q4"]),
        _either(items["q10"] <= 1, items["q12"] <= 2, items["q10"], items["q12"]),
    ]
    return reduce(np.add, domains)


def _lost(lost: np.ndarray, item: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(item), lost.astype(float), np.nan)


def _either(first: np.ndarray, second: np.ndarray, *items: np.ndarray) -> np.ndarray:
    """1 if either holds, 0 if both are known not to, else NaN."""
    known = np.isfinite(np.array(items)).all(axis=0)
    return np.where(first | second, 1.0, np.where(known, 0.0, np.nan))
