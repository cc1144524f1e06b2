"""The table of visits: ALSFRS-R and ALSFRS, checked."""

from functools import reduce
from typing import overload

import numpy as np
import pandas as pd

from features.alsfrs.slopes import FULL_SCORE, decline
from features.biomarkers.measurements import dates_of_rows, patient_rows
from features.catalogue import Definitions
from features.patients import day_bounds
from features.tables.categories import categories
from features.tables.coded import no_cells, table_of
from features.tables.columns import Cells, Column, Frame, FrameT, rows_of
from features.tables.days import days, middle
from features.tables.names import require_columns
from features.tables.numbers import numbers
from features.tables.problems import Problems
from features.tables.reading_rules import AS_IN_CONTRACT, ReadingRules

COMMON_ITEMS = [f"q{i}" for i in range(1, 10)]
ITEMS = {"alsfrs_r": [*COMMON_ITEMS, "q10", "q11", "q12"], "alsfrs": [*COMMON_ITEMS, "q10_alsfrs"]}
ALL_ITEMS = [*ITEMS["alsfrs_r"], "q10_alsfrs"]
COLUMNS = ["row", "days", "scale", *ALL_ITEMS, "q5_form", "total"]


def of_scale(visits: FrameT, scale: str) -> FrameT:
    """The visits on one scale, a DataFrame or a Table as given; no slope or total mixes two scales.

    Parameters
    ----------
    visits : DataFrame or Table
        Checked visits with a column `scale`.
    scale : str
        `alsfrs_r` or `alsfrs`.

    Returns
    -------
    DataFrame or Table
        As given, numbered anew.

    Raises
    ------
    ValueError
        For another scale.

    Examples
    --------
    >>> visits = pd.DataFrame({"scale": ["alsfrs_r", "alsfrs"], "total": [40.0, 35.0]})
    >>> of_scale(visits, "alsfrs")["total"].tolist()
    [35.0]
    """
    if scale not in ITEMS:
        raise ValueError(f"{scale!r} is not a scale: {', '.join(ITEMS)}")
    return rows_of(visits, visits["scale"].to_numpy() == scale)


@overload
def no_visits() -> pd.DataFrame: ...


@overload
def no_visits(like: FrameT) -> FrameT: ...


def no_visits(like: Frame | None = None) -> Frame:
    """An empty, typed table: a DataFrame, or a Table where `like` is one.

    Parameters
    ----------
    like : DataFrame or Table, optional
        What kind of table to make; a DataFrame without it.

    Returns
    -------
    DataFrame or Table
        Columns COLUMNS, no rows.
    """
    kinds = {"row": int, "scale": object, "q5_form": object}
    empty: dict[str, np.ndarray | Column] = {
        name: np.empty(0, dtype=kinds.get(name, float)) for name in COLUMNS
    }
    return table_of(empty) if like is None else table_of(empty, like)


def checked_visits(
    definitions: Definitions,
    table: FrameT,
    rows: dict[str, int],
    patients: Frame,
    where: str,
    problems: Problems,
    rules: ReadingRules = AS_IN_CONTRACT,
) -> FrameT:
    """Check ALSFRS-R visits.

    The total comes from the items, or stands alone where no item is given.

    A missing item is never 0: the total is then missing. One row a day; equal duplicates merge,
    others are an error. Columns `q5a` and `q5b` may stand for `q5` with its form.

    Parameters
    ----------
    definitions : Definitions
        For other words of `scale` and `q5_form`.
    table : DataFrame or Table
        `sample_id`, `days` (or dates), and where known `scale`, `q1` ... `q12`, `q10_alsfrs`,
        `q5a`,
        `q5b`, `q5_form`, `total`.
    rows : dict
        sample_id -> patient index.
    patients : DataFrame or Table
        Checked patients, for index dates and deaths.
    where : str
        File, for messages.
    problems : Problems
        Gets what is wrong.
    rules : ReadingRules
        How the user wants cells to be read.

    Returns
    -------
    DataFrame or Table
        Columns COLUMNS, ordered by patient and day; days and points float64, NaN unknown.

    Raises
    ------
    DataError
        Unless problems are collected: at the first error.
    """
    require_columns(table, ["sample_id", "days"], where)
    row = patient_rows(table["sample_id"], rows, where, problems)
    index_dates = dates_of_rows(patients["index_date"].to_numpy(), row)
    visits = _as_stated(definitions, table, row, index_dates, where, problems, rules)
    original = visits["scale"] == "alsfrs"
    order = np.lexsort((original, visits["days"], row))
    _check_course(visits, original, order, table["days"], patients, where, problems)
    kept = _each_once(row, visits["days"], original, order)
    in_order = len(kept) == len(row) and bool((kept[1:] > kept[:-1]).all())
    rows_kept = slice(None) if in_order else kept  # a large table is not copied for nothing
    return table_of({name: visits[name][rows_kept] for name in COLUMNS}, table)


def _as_stated(
    definitions: Definitions,
    table: Frame,
    row: np.ndarray,
    index_dates: np.ndarray,
    where: str,
    problems: Problems,
    rules: ReadingRules,
) -> dict[str, np.ndarray]:
    """Columns of the visits, in the rows of the table."""
    visits = {"row": row}
    visits["days"] = days(
        table["days"],
        f"{where}, column days",
        problems,
        dialect=rules.dialect,
        index_dates=index_dates,
    )
    _name_undated(table["days"], row, where, problems)
    scale = _word(definitions, table, "scale", tuple(FULL_SCORE), where, problems, rules)
    visits["scale"] = np.where(pd.isna(scale), "alsfrs_r", scale)
    unknown = np.full(len(table), np.nan)
    for item in ALL_ITEMS:
        given = item in table.columns
        visits[item] = (
            _points(table[item], f"{where}, column {item}", problems) if given else unknown
        )
    form = _word(definitions, table, "q5_form", ("a", "b"), where, problems, rules)
    visits["q5"], visits["q5_form"] = _cutting(table, visits["q5"], form, where, problems)
    cells = _cells(table, "total")
    stated = numbers(cells, f"{where}, column total", problems, 0, 48, rules.dialect)
    visits["total"] = _totals(visits, stated, where, problems)
    return visits


def _word(
    definitions: Definitions,
    table: Frame,
    name: str,
    known: tuple[str, ...],
    where: str,
    problems: Problems,
    rules: ReadingRules,
) -> np.ndarray:
    """One of the known words in each row, None where the column or the cell is empty."""
    words = rules.words(definitions, name)
    return categories(_cells(table, name), known, f"{where}, column {name}", problems, words)


def _cells(table: Frame, name: str) -> Cells:
    return table[name] if name in table.columns else no_cells(len(table))


def _name_undated(written: Cells, row: np.ndarray, where: str, problems: Problems) -> None:
    """Count the visits without a day, which nothing can use."""
    if problems.silent:
        return
    cells = written if isinstance(written, pd.Series) else written.to_numpy(object)
    empty = np.asarray(pd.isna(cells)) & (row >= 0)
    problems.question(
        empty,
        f"{where}, column days",
        None,
        "is empty: the visit is left out",
        "Give the day or the date of the visit.",
        code="cell_empty",
    )


def _each_once(
    row: np.ndarray, day: np.ndarray, original: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Visits of known patients and days, by patient and day, each once."""
    order = order[(row[order] >= 0) & np.isfinite(day[order])]
    return order[~_repeats_previous(row[order], day[order], original[order])]


def _points(column: Cells, where: str, problems: Problems) -> np.ndarray:
    points = numbers(column, where, problems, 0, 4)
    broken = np.isfinite(points) & (points != np.round(points))
    problems.reject(
        broken,
        where,
        column,
        "is not a whole point",
        "An item has 0, 1, 2, 3 or 4 points.",
        code="cell_number",
    )
    return points


def _cutting(
    table: Frame, q5: np.ndarray, form: np.ndarray, where: str, problems: Problems
) -> tuple[np.ndarray, np.ndarray]:
    """Item 5 and its form: from `q5a` or `q5b` where `q5` itself is not given.

    Exactly one of the two counts.
    """
    asked = {
        name: _points(table[f"q5{name}"], f"{where}, column q5{name}", problems)
        for name in "ab"
        if f"q5{name}" in table.columns
    }
    for name, points in asked.items():
        given = np.isfinite(points)
        clash = given & np.isfinite(q5) & (q5 != points)
        remedy = (
            "A visit has one of q5a (without gastrostomy) and q5b (with gastrostomy); empty the"
            " other."
        )
        problems.reject(
            clash,
            f"{where}, column q5{name}",
            table[f"q5{name}"],
            "differs from the other form",
            remedy,
            code="row_contradiction",
        )
        form = np.where(given & np.isnan(q5), name, form)
        q5 = np.where(given, points, q5)
    return q5, form


def _totals(
    visits: dict[str, np.ndarray], stated: np.ndarray, where: str, problems: Problems
) -> np.ndarray:
    total, any_item = np.full(len(stated), np.nan), np.zeros(len(stated), dtype=bool)
    for scale, items in ITEMS.items():
        of_scale_rows = visits["scale"] == scale
        points = reduce(np.add, [visits[item] for item in items])
        total = np.where(of_scale_rows, points, total)  # NaN if an item is missing
        for item in items:
            any_item |= of_scale_rows & np.isfinite(visits[item])
    differs = np.isfinite(total) & np.isfinite(stated) & (total != stated)
    remedy = "The total must be the sum of the items; correct one of them."
    problems.reject(
        differs,
        f"{where}, column total",
        stated,
        "is not the sum of the items",
        remedy,
        code="row_contradiction",
    )
    return np.where(any_item, total, stated)


def _check_course(
    visits: dict[str, np.ndarray],
    original: np.ndarray,
    order: np.ndarray,
    written: Cells,
    patients: Frame,
    where: str,
    problems: Problems,
) -> None:
    """What a patient's visits say together; messages show their days as they are `written`.

    `order` is that by patient, day and whether the scale is the `original` one.
    """
    row, day, total = (visits[name] for name in ("row", "days", "total"))
    # Known to a month or a year, death is where a visit may still be before it.
    latest = day_bounds(patients, "death_days")[1]
    death = np.where(np.isnan(latest), patients["death_days"].to_numpy(), latest)
    death = np.append(death, np.nan)[row]
    place = f"{where}, column days"
    problems.reject(
        day > death,
        place,
        written,
        "is a visit after death",
        "Correct the day.",
        code="row_contradiction",
    )
    _check_once_a_day(visits, original, order, written, where, problems)
    if problems.silent:
        return
    _ask_for_rises(visits, original, order, f"{where}, column total", problems)
    _ask_for_ventilation(visits, order, patients, f"{where}, column q12", problems)
    _ask_for_months(row, day, total, original, (place, written), problems)


def _ask_for_rises(
    visits: dict[str, np.ndarray],
    original: np.ndarray,
    order: np.ndarray,
    place: str,
    problems: Problems,
) -> None:
    """Ask for totals that are better than the last one on the same scale by more than 4."""
    row, total = visits["row"], visits["total"]
    jumps = np.zeros(len(row), dtype=bool)
    counted = order[np.isfinite(total[order]) & (row[order] >= 0)]
    for of_scale_rows in (original, ~original):
        course = counted[of_scale_rows[counted]]
        rises = (np.diff(row[course]) == 0) & (np.diff(total[course]) > 4)
        jumps[course[1:][rises]] = True
    shown, remedy = _as_points(total, jumps), "Check the items."
    problems.question(jumps, place, shown, "rises by more than 4", remedy, code="values_doubtful")


def _as_points(points: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Points of the flagged rows as people write them: 46, not 46.0; empty elsewhere."""
    shown = np.full(len(points), "", dtype=object)
    shown[flagged] = [f"{value:g}" for value in points[flagged]]
    return shown


# Item 12 of the ALSFRS-R (Cedarbaum 1999): 1 is BiPAP by day and by night, 0 invasive ventilation;
# 2 is BiPAP by night alone.
_DAY_AND_NIGHT = 1
# Any of them ends the time to death or permanent ventilation.
_ENDS = ("death_days", "niv_23h_days", "tracheostomy_days")


def _ask_for_ventilation(
    visits: dict[str, np.ndarray],
    order: np.ndarray,
    patients: Frame,
    place: str,
    problems: Problems,
) -> None:
    """Warn of who is ventilated day and night at a visit, and has no date of it or of death.

    The event "death or ventilation" goes by dates: it never happens to such a patient. The first
    such visit of each is named, so that the count is of patients.
    """
    row, item = visits["row"], visits["q12"]
    dates = np.column_stack([patients[name].to_numpy(dtype=float) for name in _ENDS])
    undated = np.append(np.isnan(dates).all(axis=1), False)  # the last is a visit of nobody known
    shown = undated[row] & np.isfinite(visits["days"]) & (item <= _DAY_AND_NIGHT)
    of_shown = order[shown[order]]
    first = np.zeros(len(row), dtype=bool)
    first[of_shown[np.diff(row[of_shown], prepend=-1) != 0]] = True
    problems.question(
        first,
        place,
        _as_points(item, first),
        "says ventilated day and night, of a patient with no date of it and none of death",
        "Give niv_23h_days or tracheostomy_days: the event of death or ventilation goes by dates.",
        code="row_contradiction",
    )


def _check_once_a_day(
    visits: dict[str, np.ndarray],
    original: np.ndarray,
    order: np.ndarray,
    written: Cells,
    where: str,
    problems: Problems,
) -> None:
    """Refuse two visits of a day that differ; count those that repeat another exactly."""
    row = visits["row"]
    same_day = _repeated(order, row, visits["days"], original) & (row >= 0)
    if not same_day.any():
        return
    table = pd.DataFrame(visits)
    same_all = table.duplicated(COLUMNS, keep=False).to_numpy()
    problems.reject(
        same_day & ~same_all,
        f"{where}, column days",
        written,
        "occurs twice with other points",
        "Keep one row per patient and day.",
        code="row_contradiction",
    )
    merged = int((table[same_day & same_all].duplicated(["row", "days", "scale"])).sum())
    if merged:
        problems.note(
            where,
            f"{merged} rows repeat a visit exactly",
            "They are merged.",
            merged,
            code="row_twice",
        )


# More than 10 points a month over three visits: 95 % of 7,030 patients lose 0.04 to 1.96 (van Eijk
# 2025, the PRECISION-ALS Extant Study, abstract); the limit leaves room for visit noise over short
# spans (P). When nobody is followed for 49 "days", they are months of up to four years (P).
_FASTEST, _SHORTEST_DAYS = 10.0, 49


def _ask_for_months(
    row: np.ndarray,
    day: np.ndarray,
    total: np.ndarray,
    original: np.ndarray,
    shown: tuple[str, Cells],
    problems: Problems,
) -> None:
    """Warn of days that are months: a decline that cannot be, or nobody followed for long.

    `shown` is where the days stand, and how they are written.
    """
    place, written = shown
    n = int(row.max(initial=-1)) + 1
    revised = (row >= 0) & np.isfinite(day) & ~original
    slope, visits, span = decline(row[revised], day[revised], total[revised], n)
    several = visits >= 3
    if not several.any():
        return
    fast = several & (slope > _FASTEST)
    remedy = "Days since the index day are needed: a month is 30.4375 of them."
    problems.question(
        revised & fast[row],
        place,
        written,
        f"is of a patient who loses more than {_FASTEST:g} points a month: are these months?",
        remedy,
        code="values_doubtful",
    )
    if span[several].max() < _SHORTEST_DAYS and not fast.any():
        reason = (
            f"no patient with three visits is followed for {_SHORTEST_DAYS} days: are these months?"
        )
        problems.warn(place, reason, remedy, int(several.sum()), code="values_doubtful")


def after_visits(patients: FrameT, visits: Frame) -> FrameT:
    """Patients whose death, where it is known to a month or a year, comes after their last
    visit.

    Parameters
    ----------
    patients : DataFrame or Table
        Checked patients.
    visits : DataFrame or Table
        Their checked visits.

    Returns
    -------
    DataFrame or Table
        The patients with another `death_days` where it was an interval.
    """
    first, last = day_bounds(patients, "death_days")
    partial = np.isfinite(first)
    if not partial.any():
        return patients
    seen = np.full(len(patients), -np.inf)
    np.maximum.at(seen, visits["row"].to_numpy(), visits["days"].to_numpy())
    death = np.where(
        partial, middle(np.maximum(first, seen), last), patients["death_days"].to_numpy()
    )
    return patients.assign(death_days=death)


def _repeated(order: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """Which rows share all keys, by which they are in `order`, with another row."""
    equal = _repeats_previous(*(key[order] for key in keys))
    repeated = np.zeros(len(order), dtype=bool)
    repeated[order[equal]] = repeated[order[np.flatnonzero(equal) - 1]] = True
    return repeated


def _repeats_previous(*keys: np.ndarray) -> np.ndarray:
    """Which rows have the keys of the row before."""
    equal = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    return np.append(False, equal)[: len(keys[0])]
