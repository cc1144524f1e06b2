"""Derived values: products of powers of measured ones, declared in `definitions/derived.tsv` (BMI,
NLR, NfL/creatinine), and litres of forced vital capacity as % predicted.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs.slopes import DAYS_PER_MONTH
from features.biomarkers.lung_function import equations, predicted_capacity
from features.biomarkers.measurements import NUMERIC
from features.catalogue import Definitions, derived, recently_derived
from features.tables.coded import codes_of, table_of
from features.tables.columns import Column, Frame, FrameT
from features.tables.days import MOST_DAYS


class Derived(NamedTuple):
    """`analyte` = factor x product of analyte^power.

    The other inputs are the last ones within `tolerance` days of the first.
    """

    analyte: str
    terms: tuple[tuple[str, int], ...]
    factor: float
    tolerance: float

    @property
    def names(self) -> tuple[str, ...]:
        """Its analyte and its inputs."""
        return (self.analyte, *(name for name, _ in self.terms))


@derived
def derived_values(definitions: Definitions) -> tuple[Derived, ...]:
    """Rows of the definition table.

    Parameters
    ----------
    definitions : Definitions
        With the table `derived`.

    Returns
    -------
    tuple of Derived
        In the order of the table.
    """
    return tuple(_rule(row) for _, row in definitions.table("derived").iterrows())


def _rule(row: pd.Series) -> Derived:
    terms = tuple(_term(term) for term in row["terms"].split(";"))
    return Derived(
        analyte=row["analyte"],
        terms=terms,
        factor=float(row["factor"]),
        tolerance=float(row["tolerance_days"]),
    )


def _term(text: str) -> tuple[str, int]:
    name, _, power = text.partition("^")
    return name, int(power)


# From litres and height to % predicted.
LITRES, HEIGHT, PERCENT = "fvc_litres", "height", "fvc_pct"


class _Daily(NamedTuple):
    """Dated values of one analyte, one a patient, day and assay, ordered by patient and day; `line`
    is a row of the table, `moment` one number for the patient and the day.
    """

    row: np.ndarray
    days: np.ndarray
    value: np.ndarray
    line: np.ndarray
    moment: np.ndarray


def with_derived(definitions: Definitions, table: FrameT, patients: Frame) -> FrameT:
    """Add derived values to checked biomarkers, dated like their first input; a measured value of
    the same day wins.

    Parameters
    ----------
    definitions : Definitions
        Whose `derived.tsv` counts.
    table : DataFrame or Table
        Of `features.biomarkers.measurements.checked_biomarkers`.
    patients : DataFrame or Table
        Checked patients: `sex`, `age_at_onset` and `onset_days` say what litres of vital capacity
        mean.

    Returns
    -------
    DataFrame or Table
        The same rows, then the derived ones, in canonical units.
    """
    analyte, names = codes_of(table["analyte"])
    measured = frozenset(names[code] for code in set(analyte.tolist()))
    rules = _possible(definitions, measured)
    used = [name for rule in rules for name in rule.names]
    predicted = {LITRES, HEIGHT} <= measured and bool(equations(definitions))
    used += [LITRES, HEIGHT, PERCENT] if predicted else []
    code = {name: i for i, name in enumerate(names)}
    parts = _parts(table, analyte, {name: code[name] for name in used})
    made = [(code[rule.analyte], *_derive(rule, parts)) for rule in rules]
    if predicted:
        made.append((code[PERCENT], *_percent_predicted(definitions, parts, patients)))
    if not any(len(lines) for _, _, lines in made):
        return table
    codes = np.concatenate([np.full(len(lines), code) for code, _, lines in made])
    return _extended(table, codes, *(np.concatenate([part[i] for part in made]) for i in (1, 2)))


def _parts(table: Frame, analyte: np.ndarray, codes: dict[str, int]) -> dict[str, _Daily]:
    """Dated values of the named analytes."""
    row, days, value = (table[name].to_numpy(dtype=float) for name in ("row", "days", "value"))
    assay, _ = codes_of(table["assay"])
    dated = np.isfinite(days)
    parts: dict[str, _Daily] = {}
    for name, code in codes.items():
        (lines,) = ((analyte == code) & dated).nonzero()
        parts[name] = _daily(row[lines], days[lines], assay[lines], value[lines], lines)
    return parts


def _percent_predicted(
    definitions: Definitions, parts: dict[str, _Daily], patients: Frame
) -> tuple[np.ndarray, np.ndarray]:
    """Litres as % predicted for the patient's sex, age on that day and last known height."""
    litres = _unless_measured(parts[LITRES], parts[PERCENT])
    if not len(litres.row):
        return litres.value, litres.line
    row = litres.row.astype(int)
    sex = patients["sex"].to_numpy(dtype=object)[row]
    onset_age, onset = (patients[n].to_numpy()[row] for n in ("age_at_onset", "onset_days"))
    age = onset_age + (litres.days - onset) / (12 * DAYS_PER_MONTH)
    # An adult's height does not change, so the last known one counts however old it is.
    height = _last_known(parts[HEIGHT], litres, np.inf)
    percent = 100 * litres.value / predicted_capacity(definitions, sex, age, height)
    return _known(percent, litres)


@recently_derived(1024)
def _possible(definitions: Definitions, measured: frozenset[str]) -> tuple[Derived, ...]:
    """Rules whose inputs were all measured in somebody."""
    return tuple(
        rule
        for rule in derived_values(definitions)
        if all(name in measured for name, _ in rule.terms)
    )


def _daily(
    row: np.ndarray, days: np.ndarray, assay: np.ndarray, value: np.ndarray, line: np.ndarray
) -> _Daily:
    """Means of replicates, summed in a fixed order."""
    if len(row) <= 1:
        return _Daily(row=row, days=days, value=value, line=line, moment=_moment(row, days))
    order = np.lexsort((value, assay, days, row))
    row, days, assay, value, line = (array[order] for array in (row, days, assay, value, line))
    new = np.append(True, (np.diff(row) != 0) | (np.diff(days) != 0) | (np.diff(assay) != 0))
    number = np.cumsum(new) - 1
    means = np.bincount(number, value) / np.bincount(number)
    row, days, line = row[new], days[new], line[new]
    order = np.lexsort((means, days, row))
    row, days, means, line = (array[order] for array in (row, days, means, line))
    return _Daily(row=row, days=days, value=means, line=line, moment=_moment(row, days))


def _derive(rule: Derived, parts: dict[str, _Daily]) -> tuple[np.ndarray, np.ndarray]:
    """Derived values, and the row of the table that each takes its date from."""
    dating = rule.terms[0][0]
    first = _unless_measured(parts[dating], parts[rule.analyte])
    if not len(first.row):
        return first.value, first.line
    product = np.full(len(first.row), rule.factor)
    # By a value of 0 or next to it: not a known value.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for name, power in rule.terms:
            own = name == dating
            value = first.value if own else _last_known(parts[name], first, rule.tolerance)
            product = product * value ** float(power)
    return _known(product, first)


def _unless_measured(part: _Daily, measured: _Daily) -> _Daily:
    """The values of days without a measured one of another analyte."""
    missing = np.isnan(_last_known(measured, part, 0.0))
    return _Daily._make(array[missing] for array in part)


def _known(value: np.ndarray, at: _Daily) -> tuple[np.ndarray, np.ndarray]:
    """Known values, and the rows that they take their dates from."""
    known = np.isfinite(value)
    return value[known], at.line[known]


def _moment(row: np.ndarray, days: np.ndarray) -> np.ndarray:
    """One number for a patient and a day, in their order."""
    return row * (4.0 * MOST_DAYS) + days


def _last_known(part: _Daily, at: _Daily, tolerance: float) -> np.ndarray:
    """Last value of each patient on or before the days of `at`, not older than the tolerance; NaN
    where there is none.
    """
    if not len(part.row):
        return np.full(len(at.row), np.nan)
    before = part.moment.searchsorted(at.moment, side="right") - 1
    fits = (before >= 0) & (part.row[before] == at.row) & (at.days - part.days[before] <= tolerance)
    return np.where(fits, part.value[before], np.nan)


def _extended(table: FrameT, codes: np.ndarray, values: np.ndarray, lines: np.ndarray) -> FrameT:
    """Add rows for derived values, like those that they are dated by, without their unit, range and
    batch.
    """
    replaced: dict[str, np.ndarray | float] = {
        "value": values,
        "ref_low": np.nan,
        "ref_high": np.nan,
    }
    replaced |= {"analyte": codes, "unit": -1, "batch": -1}
    columns: dict[str, np.ndarray | Column] = {}
    for name in table.columns:
        cells, levels = (table[name].to_numpy(), None) if name in NUMERIC else codes_of(table[name])
        tail = np.broadcast_to(replaced[name], len(lines)) if name in replaced else cells[lines]
        columns[name] = Column(np.append(cells, tail.astype(cells.dtype)), levels)
    return table_of(columns, table)
