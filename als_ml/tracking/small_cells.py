"""Tables of a run without small cells: no count of 1 to 4 patients is shown, nor given back by
subtraction.

The totals of a run are known, so that hiding one cell of a partition hides nothing. Rows are hidden
until what is hidden together stands for no small count either; of rows along a threshold, those
that differ from the one before by 1 to 4 patients go too. Figures that follow from a hidden count
are hidden with it.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from als_ml.training.run import Training
from als_ml.training.tables import CalibrationBin, Counted, Figures, GroupRow, RunTables

# Counts of patients below this are not shown, so that no row of a table points at a person (P).
FEWEST = 5
HIDDEN = "not shown"
# A row as it is shown: any of `als_ml.training.tables`, or what is left of it.
Shown = Mapping[str, object]
# Digits of figures from which counts could be computed back.
_DIGITS = 3


def is_small(count: float) -> bool:
    """Whether a count is of 1 to 4 patients.

    Parameters
    ----------
    count : float
        Patients.

    Returns
    -------
    bool
        False for none.

    Examples
    --------
    >>> [n for n in (0, 1, 4, 5) if is_small(n)]
    [1, 4]
    """
    return 0 < count < FEWEST


def shown_tables(training: Training) -> dict[str, Sequence[Shown]]:
    """Every table of a run, without small cells.

    Parameters
    ----------
    training : Training
        The run.

    Returns
    -------
    dict of list of dict
        Names as in `training.tables`, which stay whole.
    """
    tables, y = training.tables, training.y
    probability = training.out_of_fold
    return {
        **tables,  # type: ignore[dict-item]  # mypy takes the values of a TypedDict for objects
        "subgroups": _subgroups(tables.get("subgroups", [])),
        "sites": without_small_rows(tables.get("sites", []), ("site",)),
        "calibration": _bins(tables.get("calibration", [])),
        **({} if training.data.times is None else _of_times(tables, len(y))),
        "reliability": _bins(tables.get("reliability", [])),
        "thresholds": _at_cuts(tables.get("thresholds", []), "threshold", y, probability["model"]),
        "enrichment": _enrichment(tables.get("enrichment", []), y, probability["model"]),
        "decision_curve": _net_benefit(tables.get("decision_curve", []), y, probability),
    }


def _of_times(tables: RunTables, n: int) -> dict[str, Sequence[Shown]]:
    """Tables of a survival time: shares of which a small count would follow are left out."""
    by_cause = [
        {
            name: None if name != "months" and is_small(round(value * n)) else value
            for name, value in row.items()
        }
        for row in tables.get("incidence", [])
    ]
    return {
        "calibration_24m": _bins(tables.get("calibration_24m", [])),
        "risk_groups": _steps(tables.get("risk_groups", [])),
        "incidence": by_cause,
        "from_onset": _from_onset(tables.get("from_onset", [])),
    }


def _from_onset(rows: list[Figures]) -> list[Shown]:
    """Share without the event by month from onset, where 1 to 4 events since the row that was shown
    before do not follow.
    """
    shown: list[Shown] = []
    since = 0.0
    for row in rows:
        since += row["events"]
        if is_small(since):
            gone = dict.fromkeys(("events", "observed", "low", "high"))
            shown.append({**row, **gone})
        else:
            shown.append({**row, "events": since})
            since = 0.0
    return shown


def _steps(rows: list[Figures]) -> list[Shown]:
    """Observed survival of a group by time, where no step to the one shown before is of 1 to 4
    patients.
    """
    shown: list[Shown] = []
    before: dict[float, int] = {}
    for row in rows:
        gone = round((1 - row["observed"]) * row["n"])
        if is_small(gone - before.get(row["fifth"], 0)):
            shown.append({**row, "observed": None, "low": None, "high": None})
        else:
            shown.append(row)
            before[row["fifth"]] = gone
    return shown


def _subgroups(rows: list[GroupRow]) -> list[Shown]:
    """Each variable is a partition of the patients."""
    return [
        row
        for group in sorted({row["group"] for row in rows})
        for row in without_small_rows(
            [row for row in rows if row["group"] == group], ("group", "level")
        )
    ]


def _at_cuts(rows: list[Figures], key: str, y: np.ndarray, probability: np.ndarray) -> list[Shown]:
    """Rows along a threshold."""
    kept = shown_cuts(y, probability, [row[key] for row in rows])
    return [
        row if is_shown else _emptied(row, (key,)) for row, is_shown in zip(rows, kept, strict=True)
    ]


def _enrichment(rows: list[Figures], y: np.ndarray, probability: np.ndarray) -> list[Shown]:
    """A trial by the cut from which it enrols, without the share of few event patients."""
    key = "enrol from"
    shown = _at_cuts(rows, key, y, probability)
    few = [_few_events(row, y) for row in rows]
    return [
        {**row, "events": None} if is_few else row for row, is_few in zip(shown, few, strict=True)
    ]


def without_small_rows(rows: Sequence[Counted], names: tuple[str, ...]) -> list[Shown]:
    """Rows of a partition of the patients, with `n` and `positive`.

    Of a hidden one only the `names` are left.

    Parameters
    ----------
    rows : list of dict
        With `n` and `positive`; each patient is in one row.
    names : tuple of str
        Columns that say which row it is.

    Returns
    -------
    list of dict
        As many, in the same order.

    Examples
    --------
    >>> rows = [
    ...     {"site": s, "n": n, "positive": k}
    ...     for s, n, k in (("a", 60, 30), ("b", 40, 3), ("c", 20, 10))
    ... ]
    >>> [row["n"] for row in without_small_rows(rows, ("site",))]
    [60, 'not shown', 'not shown']
    """
    counts = [(row["positive"], row["n"] - row["positive"]) for row in rows]
    hidden = hidden_rows(counts)
    return [_emptied(row, names) if i in hidden else row for i, row in enumerate(rows)]


def hidden_rows(counts: list[tuple[int, int]]) -> set[int]:
    """Which rows of a partition must go: those with a small cell, and the smallest others until
    their sums are not small.

    Parameters
    ----------
    counts : list of (int, int)
        Positive and negative patients of each row.

    Returns
    -------
    set of int
        Positions.
    """
    hidden = {i for i, cells in enumerate(counts) if any(is_small(cell) for cell in cells)}
    rest = sorted(set(range(len(counts))) - hidden, key=lambda i: sum(counts[i]))
    while hidden and rest:
        sums = [sum(counts[i][k] for i in hidden) for k in (0, 1)]
        if len(hidden) > 1 and not any(is_small(total) for total in sums):
            break
        hidden.add(rest.pop(0))
    return hidden


def shown_cuts(y: np.ndarray, probability: np.ndarray, cuts: Iterable[float]) -> list[bool]:
    """Which cuts of a score may be shown: no small cell of called or not by label, nor between one
    shown and the next.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        0 to 1.
    cuts : iterable of float
        In the order of the table.

    Returns
    -------
    list of bool
        One a cut.
    """
    shown, before = [], None
    for cut in cuts:
        cells = _cells(y, probability >= cut)
        steps = () if before is None else (abs(a - b) for a, b in zip(cells, before, strict=True))
        shown.append(not any(is_small(count) for count in (*cells, *steps)))
        if shown[-1]:
            before = cells
    return shown


def _cells(y: np.ndarray, called: np.ndarray) -> tuple[int, int, int, int]:
    """Patients by label, called and not."""
    return (
        int((called & (y == 1)).sum()),
        int((called & (y == 0)).sum()),
        int((~called & (y == 1)).sum()),
        int((~called & (y == 0)).sum()),
    )


def _bins(rows: Sequence[CalibrationBin]) -> list[Shown]:
    """Patients in bins of their probability: the positives of a bin follow from its share."""
    counts = [
        (round(row["observed"] * row["n"]), round((1 - row["observed"]) * row["n"])) for row in rows
    ]
    hidden = hidden_rows(counts)
    return [
        _emptied(row, ("label", "n", "predicted")) if i in hidden else row
        for i, row in enumerate(rows)
    ]


def _net_benefit(
    rows: list[Figures], y: np.ndarray, probability: dict[str, np.ndarray]
) -> list[Shown]:
    """Net benefit, rounded, without that of a score that calls few, or all but few, at a
    threshold.
    """
    shown: list[Shown] = []
    for row in rows:
        small = {
            name
            for name, p in probability.items()
            if name in row and any(map(is_small, _cells(y, p >= row["threshold"])))
        }
        beside = ("model_low", "model_high", "gain", "gain_low", "gain_high")
        gone = small | (set(beside) if "model" in small else set())
        shown.append(
            {name: None if name in gone else round(value, _DIGITS) for name, value in row.items()}
        )
    return shown


def _few_events(row: Figures, y: np.ndarray) -> bool:
    """Whether the event patients of a cut are few."""
    return is_small(round(row["events"] * row["enrolled"] * len(y)))


def _emptied(row: Shown, names: tuple[str, ...]) -> Shown:
    """A row of which only the names are left; counts say that they are not shown."""
    return {
        name: value if name in names else (HIDDEN if isinstance(value, int) else None)
        for name, value in row.items()
    }
