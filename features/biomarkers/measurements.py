"""Biomarker measurements: from a laboratory's table to checked values in canonical units.

Serum, plasma and CSF are different analytes. A value below a limit counts as limit / sqrt(2), one
above as the limit (contract, section Tables). Text columns are Categorical and every rule is
applied to distinct cells, never row by row.
"""

from functools import cache
from typing import overload

import numpy as np
import pandas as pd

from features.biomarkers.units import known_units, unit_factor
from features.catalogue import Definitions, analyte_names, analytes, derived, normal_name
from features.errors import nearest
from features.tables.categories import coded_categories
from features.tables.cells import Values, read_values
from features.tables.coded import codes_of, no_cells, of_rows, table_of, text
from features.tables.columns import Cells, Column, Frame, FrameT, factorized, rows_of
from features.tables.days import days
from features.tables.names import require_columns
from features.tables.numbers import numbers, report_unclear
from features.tables.problems import Problems
from features.tables.reading_rules import AS_IN_CONTRACT, ReadingRules

# In the analyte's own unit; sums and squares of what is less stay numbers (P).
_MOST = 1e15
CENSORED = ("none", "below", "above")
EXACT, BELOW, ABOVE = range(len(CENSORED))
LIMIT_FACTOR = np.array([1.0, 1 / np.sqrt(2), 1.0])  # by CENSORED
COLUMNS = [
    "row",
    "analyte",
    "value",
    "days",
    "assay",
    "censored",
    "unit",
    "ref_low",
    "ref_high",
    "batch",
    "tube",
]
NUMERIC = {"row": int, "value": float, "days": float, "ref_low": float, "ref_high": float}


@overload
def no_biomarkers(definitions: Definitions) -> pd.DataFrame: ...


@overload
def no_biomarkers(definitions: Definitions, like: FrameT) -> FrameT: ...


def no_biomarkers(definitions: Definitions, like: Frame | None = None) -> Frame:
    """An empty, typed table: a DataFrame, or a Table where `like` is one.

    Parameters
    ----------
    definitions : Definitions
        Whose analytes are the levels of `analyte`.
    like : DataFrame or Table, optional
        What kind of table to make; a DataFrame without it.

    Returns
    -------
    DataFrame or Table
        Columns COLUMNS, no rows.
    """
    none, levels = np.empty(0, dtype=int), {"analyte": _ids(definitions)}
    empty: dict[str, np.ndarray | Column] = {
        n: none.astype(NUMERIC[n]) if n in NUMERIC else _coded(none, levels.get(n, ()))
        for n in COLUMNS
    }
    return table_of(empty) if like is None else table_of(empty, like)


@derived
def _ids(definitions: Definitions) -> tuple[str, ...]:
    return tuple(analytes(definitions).index)


def _coded(codes: np.ndarray, levels: "tuple[str, ...] | np.ndarray") -> Column:
    return Column(codes, _levels(levels) if isinstance(levels, tuple) else levels)


@cache
def _levels(names: tuple[str, ...]) -> np.ndarray:
    return np.array(names, dtype=object)


def checked_biomarkers(
    definitions: Definitions,
    table: FrameT,
    rows: dict[str, int],
    where: str,
    problems: Problems,
    rules: ReadingRules = AS_IN_CONTRACT,
    index_dates: "np.ndarray | None" = None,
    shown: str = "value",
) -> FrameT:
    """Check a long biomarker table and convert it to canonical units.

    Parameters
    ----------
    table : DataFrame
        Columns `sample_id`, `analyte`, `value`, and where known `unit`, `matrix`, `assay`, `days`
        (or dates), `censored`, `limit`
        (of the assay, for cells such as LOD), `ref_low`, `ref_high`, `batch`, `tube`.
    rows : dict
        sample_id -> patient index.
    index_dates : array of datetime64[D], optional
        Index date of each patient.
    shown : str
        What the file calls the column of values, for messages.

    Returns
    -------
    DataFrame
        Columns COLUMNS; `value`, `ref_low` and `ref_high` in the canonical unit (a limit already
        replaced), `analyte` an id,
        `censored` one of CENSORED, `unit` as it was stated, `tube` what the blood was drawn into,
        None where nobody says.
    """
    require_columns(table, ["sample_id", "analyte", "value"], where)
    row = patient_rows(table["sample_id"], rows, where, problems)
    analyte = _analytes(definitions, table, where, problems, rules)
    value, censored = _values(definitions, table, where, shown, problems, rules)
    asked = _with_unit(table, analyte, value)
    factor = _factors(definitions, asked, _column(table, "unit"), where, problems)
    _check_size(table, value * factor, where, problems)
    checked = table_of(
        {
            "row": row,
            "analyte": _coded(analyte, _ids(definitions)),
            "value": value * factor * LIMIT_FACTOR[censored],
            "days": _days(table, row, where, problems, rules, index_dates),
            "assay": _coded(*_assays(definitions, _column(table, "assay"), rules)),
            "censored": _coded(censored, CENSORED),
            "unit": _coded(*codes_of(_column(table, "unit"))),
            **_own_ranges(table, factor, where, problems, rules),
            "batch": _coded(*codes_of(_column(table, "batch"))),
            "tube": _coded(*_tubes(definitions, table, rules)),
        },
        table,
    )
    _flag_implausible(definitions, checked, f"{where}, column {shown}", problems, rules)
    usable = (row >= 0) & (analyte >= 0) & np.isfinite(checked["value"].to_numpy())
    kept = rows_of(checked, usable)
    _note_unused(definitions, kept, where, problems)
    return kept


def _with_unit(table: Frame, analyte: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Analyte of each row whose unit is asked for, -1 of the others: an empty cell needs none, one
    that cannot be read does, to be told of both at once.
    """
    is_text = table["value"].dtype != float
    given = np.isfinite(value) | (is_text and codes_of(table["value"])[0] >= 0)
    return np.where(given, analyte, -1)


def _days(
    table: Frame,
    row: np.ndarray,
    where: str,
    problems: Problems,
    rules: ReadingRules,
    index_dates: "np.ndarray | None",
) -> np.ndarray:
    """Days since the index day of the row's own patient."""
    return days(
        _column(table, "days"),
        f"{where}, column days",
        problems,
        dialect=rules.dialect,
        index_dates=None if index_dates is None else dates_of_rows(index_dates, row),
    )


def _check_size(table: Frame, value: np.ndarray, where: str, problems: Problems) -> None:
    too_large = np.abs(value) > _MOST
    if too_large.any():  # the cells as text take time
        problems.reject(
            too_large,
            f"{where}, column value",
            _column(table, "value"),
            "is more than anything measures",
            "Correct the value or its unit.",
            code="cell_range",
        )


def _column(table: Frame, name: str) -> Cells:
    """A column as text, empty if it is absent.

    Numbers of a typed file stand as they would in a text file.
    """
    if name not in table.columns:
        return no_cells(len(table))
    typed = table[name].dtype == float and name not in ("days", "ref_low", "ref_high")
    return Column(text(table[name])) if typed else table[name]


def patient_rows(column: Cells, rows: dict[str, int], where: str, problems: Problems) -> np.ndarray:
    """Patient index of each row of a table, -1 for a sample_id that is not a patient.

    Those rows are counted and left out.

    Parameters
    ----------
    column : Cells
        `sample_id` of each row.
    rows : dict
        sample_id -> patient index.
    where : str
        File, for messages.
    problems : Problems
        Gets an error if no row belongs to a patient, else a warning for those that do not.

    Returns
    -------
    array of int (rows of the table,)
        Patient index or -1.
    """
    codes, levels = codes_of(Column(text(column)) if column.dtype == float else column)
    row = np.array([*(rows.get(name, -1) for name in levels), -1], dtype=int)[codes]
    if len(row) and not (row >= 0).any():
        known, ours = [str(name) for name in levels[:3]], list(rows)[:3]
        reason = (
            f"none of its {len(row)} rows belongs to a patient (here {', '.join(known)}; patients"
            f" {', '.join(ours)})"
        )
        problems.error(
            where, reason, "Use the sample_id of the patients table.", code="row_of_no_patient"
        )
    else:
        remedy = "These rows are left out; add the patients or correct the ids."
        problems.question(
            row < 0,
            f"{where}, column sample_id",
            column,
            "is not a patient",
            remedy,
            code="row_of_no_patient",
        )
    return row


def dates_of_rows(index_dates: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Index date of each row's patient.

    Rows of nobody, which are left out anyway, get a day so that they raise no error.

    Parameters
    ----------
    index_dates : array of datetime64 (n,)
        Index date of each patient, NaT unknown.
    row : array of int
        Patient of each row, -1 for nobody.

    Returns
    -------
    array of datetime64[D]
        One a row.
    """
    return np.append(index_dates.astype("datetime64[D]"), np.datetime64("1970-01-01"))[row]


def _pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Number the distinct pairs of two codes (-1 unknown): the number of each row, and the
    pairs.
    """
    width = int(second.max(initial=-1)) + 2
    numbered, keys = factorized((first.astype(np.int64) + 1) * width + second + 1)
    return numbered, [(key // width - 1, key % width - 1) for key in keys.tolist()]


def _analytes(
    definitions: Definitions,
    table: Frame,
    where: str,
    problems: Problems,
    rules: ReadingRules,
) -> np.ndarray:
    """Code of each row's analyte among the ids, -1 if it is unknown; a bare name is completed by
    its matrix.
    """
    codes, names = codes_of(table["analyte"])
    matrix_codes, matrices = codes_of(_column(table, "matrix"))
    number, pairs = _pairs(codes, matrix_codes)
    stated = [(names[a] if a >= 0 else "", matrices[m] if m >= 0 else "") for a, m in pairs]
    analyte = np.array([*_numbered(definitions, stated, rules), -1])[number]
    unknown = analyte < 0
    if unknown.any():
        first = str(names[codes[np.flatnonzero(unknown)[0]]])
        remedy = (
            f"{_suggestion(definitions, first)} A new analyte is a line of"
            " biomarkers.tsv in a folder that `definitions` names."
        )
        problems.reject(
            unknown,
            f"{where}, column analyte",
            table["analyte"],
            "is not a known analyte",
            remedy,
            code="cell_word",
        )
    return analyte


def _numbered(
    definitions: Definitions, stated: list[tuple[object, object]], rules: ReadingRules
) -> list[int]:
    """Code of the analyte of each pair of a name and a matrix."""
    words, code = rules.words(definitions, "matrix"), _codes(definitions)
    meant = rules.words(definitions, "analyte")
    numbered = []
    for name, matrix in stated:
        spelled = normal_name(str(name))
        spelled = meant.get(spelled, spelled)
        if spelled not in code:
            fluid = normal_name(str(matrix))
            spelled = f"{spelled}_{words.get(fluid, fluid)}"
        numbered.append(code.get(spelled, -1))
    return numbered


@derived
def _codes(definitions: Definitions) -> dict[str, int]:
    """Every normal name of an analyte -> its index among the ids."""
    position = {name: i for i, name in enumerate(_ids(definitions))}
    return {name: position[meant] for name, meant in analyte_names(definitions).items()}


def _suggestion(definitions: Definitions, name: str) -> str:
    """The nearest id, or the ids of the same analyte in each matrix."""
    spelled_name = normal_name(name)
    same = [
        analyte
        for spelled, analyte in analyte_names(definitions).items()
        if spelled.startswith(f"{spelled_name}_")
    ]
    same = list(dict.fromkeys(same))
    return (
        f"Say which by `matrix`: {', '.join(same)}." if same else nearest(name, _ids(definitions))
    )


def _values(
    definitions: Definitions,
    table: Frame,
    where: str,
    shown: str,
    problems: Problems,
    rules: ReadingRules,
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and whether each is below or above a limit (code of CENSORED)."""
    column, place = table["value"], f"{where}, column {shown}"
    codes, words = coded_categories(
        _column(table, "censored"),
        CENSORED,
        f"{where}, column censored",
        problems,
        rules.words(definitions, "censored"),
    )
    meant = [CENSORED.index(word) if word else EXACT for word in words]
    censored = np.array([*meant, EXACT])[codes]
    if column.dtype == float:
        return column.to_numpy(), censored
    limit = numbers(
        _column(table, "limit"), f"{where}, column limit", problems, dialect=rules.dialect
    )
    value, by_sign = _texts(column, censored, limit, place, problems, rules)
    return value, np.where(censored != EXACT, censored, by_sign)


def _texts(
    column: Cells,
    censored: np.ndarray,
    limit: np.ndarray,
    place: str,
    problems: Problems,
    rules: ReadingRules,
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a column of texts, and what they say themselves of a limit (code of CENSORED).

    A word such as "below limit", and an empty value that another column calls censored, stand for
    `limit`.
    """
    codes, levels = codes_of(column)
    read = read_values(levels, rules.dialect)
    report_unclear(column, codes, read.unclear, place, problems)
    remedy = "Write a plain number with a decimal point, or a limit such as <2.7."
    problems.reject(
        of_rows(read.wrong, codes),
        place,
        column,
        "is not a number",
        remedy,
        code="cell_number",
    )
    value = np.append(read.value, np.nan)[codes]
    by_sign = np.append(_by_sign(read), EXACT)[codes]
    word = of_rows(read.limit_word != "", codes)
    value = np.where(word | (np.isnan(value) & (censored != EXACT)), limit, value)
    problems.reject(
        word & np.isnan(limit),
        place,
        column,
        "names a limit that is not stated",
        "Write <2.7, or add a column `limit`.",
        code="cell_number",
    )
    return value, by_sign


def _by_sign(read: Values) -> np.ndarray:
    """What each distinct cell says itself of a limit (code of CENSORED)."""
    return np.select(
        [
            (read.sign == "<") | (read.limit_word == "below"),
            (read.sign != "") | (read.limit_word != ""),
        ],
        [BELOW, ABOVE],
        EXACT,
    )


def _factors(
    definitions: Definitions, analyte: np.ndarray, unit: Cells, where: str, problems: Problems
) -> np.ndarray:
    """Factor to the canonical unit; a dimensionless analyte needs no unit, any other does."""
    codes, units = codes_of(unit)
    number, pairs = _pairs(analyte, codes)
    ids, dimensionless = _ids(definitions), _is_dimensionless(definitions)
    factor = np.full(len(pairs), np.nan)
    for i, (a, u) in enumerate(pairs):
        if a < 0:
            continue
        stated = str(units[u]) if u >= 0 else "1" if dimensionless[a] else None
        converted = unit_factor(definitions, ids[a], stated) if stated is not None else None
        if converted is not None:
            factor[i] = converted
            continue
        named = f"is measured in {stated!r}, which" if problems.repeats else "has a unit that"
        what = "has no unit" if stated is None else f"{named} does not fit"
        names = _coded(analyte, ids).to_numpy()
        remedy = f"Known units of {ids[a]}: {known_units(definitions, ids[a])}."
        problems.reject(number == i, f"{where}, column unit", names, what, remedy, code="cell_unit")
    return factor[number]


def _assays(
    definitions: Definitions, column: Cells, rules: ReadingRules
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and names of the assays; any assay may be named, none stated is `unknown`."""
    codes, levels = codes_of(column)
    words = rules.words(definitions, "assay")
    names = [words.get(normal_name(str(level)), str(level).strip().lower()) for level in levels]
    recoded, distinct = factorized(np.array([*names, "unknown"], dtype=object))
    return recoded[codes], distinct


def _tubes(
    definitions: Definitions, table: Frame, rules: ReadingRules
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and names of the tubes: of the column `tube`, else of the matrix where its own word
    says it (EDTA plasma).
    """
    words = rules.words(definitions, "tube")
    if "tube" not in table.columns and "matrix" not in table.columns:
        return codes_of(no_cells(len(table)))
    stated_codes, levels = codes_of(_column(table, "tube"))
    matrix, matrices = codes_of(_column(table, "matrix"))
    stated = [words.get(normal_name(str(level)), normal_name(str(level))) for level in levels]
    implied = [words.get(normal_name(str(level))) for level in matrices]
    recoded, names = factorized(np.array([*stated, *implied, None], dtype=object))
    unknown = len(stated) + len(implied)
    position = np.where(
        stated_codes >= 0,
        stated_codes,
        np.where(matrix >= 0, len(stated) + matrix.astype(int), unknown),
    )
    return recoded[position], names


def _own_ranges(
    table: Frame, factor: np.ndarray, where: str, problems: Problems, rules: ReadingRules
) -> dict[str, np.ndarray]:
    return {
        name: (
            numbers(table[name], f"{where}, column {name}", problems, dialect=rules.dialect)
            * factor
            if name in table.columns
            else np.full(len(table), np.nan)
        )
        for name in ("ref_low", "ref_high")
    }


def implausible(definitions: Definitions, table: Frame) -> np.ndarray:
    """Which values of a checked table lie outside the bounds of their analyte.

    Parameters
    ----------
    definitions : Definitions
        Whose bounds count.
    table : DataFrame or Table
        Checked biomarkers, `value` in the canonical unit.

    Returns
    -------
    array of bool
        One a row.
    """
    low, high = _bounds(definitions)
    code, value = codes_of(table["analyte"])[0], table["value"].to_numpy()
    return np.asarray((value < low[code]) | (value > high[code]))


@derived
def _bounds(definitions: Definitions) -> tuple[np.ndarray, np.ndarray]:
    """Plausible minimum and maximum of each analyte, and NaN for an unknown one."""
    low, high = (
        np.append(analytes(definitions)[name].to_numpy(dtype=float), np.nan)
        for name in ("plausible_min", "plausible_max")
    )
    return low, high


@derived
def _is_dimensionless(definitions: Definitions) -> np.ndarray:
    return (analytes(definitions)["unit"] == "1").to_numpy()


@derived
def is_log(definitions: Definitions) -> np.ndarray:
    """Whether each analyte is read on log scale.

    Parameters
    ----------
    definitions : Definitions
        With the column `scale` of biomarkers.tsv.

    Returns
    -------
    array of bool (analytes,)
        In the order of the table.
    """
    return (analytes(definitions)["scale"] == "log").to_numpy()


def _note_unused(definitions: Definitions, usable: Frame, where: str, problems: Problems) -> None:
    """Count the values that are read but reach no feature."""
    if problems.silent:
        return
    undated = int(np.isnan(usable["days"].to_numpy()).sum())
    if undated:
        problems.note(
            where,
            f"{undated} values have no day",
            "No model sees them; give their days or dates.",
            undated,
            code="cell_empty",
        )
    log = is_log(definitions)[codes_of(usable["analyte"])[0]]
    none = int((log & (usable["value"].to_numpy() <= 0)).sum())
    if none:
        problems.warn(
            where,
            f"{none} values on log scale are not above 0",
            "No model sees them; write a limit, as <0.1.",
            none,
            code="cell_range",
        )


def _labels(checked: Frame, outside: np.ndarray) -> np.ndarray:
    """Analyte and value of the first rows that are outside, for a message."""
    codes, names = codes_of(checked["analyte"])
    value = checked["value"].to_numpy()
    labels = np.full(len(checked), None, dtype=object)
    for row in np.flatnonzero(outside)[:50]:
        labels[row] = f"{names[codes[row]]} {value[row]:.3g}"
    return labels


def _flag_implausible(
    definitions: Definitions,
    checked: Frame,
    where: str,
    problems: Problems,
    rules: ReadingRules,
) -> None:
    """Implausible values are flagged, never deleted; a strict user takes them for errors."""
    outside = implausible(definitions, checked) & (checked["row"].to_numpy() >= 0)
    if not outside.any() or (problems.silent and not rules.strict):
        return
    labels = _labels(checked, outside)
    found = "lies outside the plausible range"
    if rules.strict:
        remedy = "Correct the value or its unit."
        problems.reject(outside, where, labels, found, remedy, code="cell_range")
    else:
        remedy = "Check the unit; the value is kept."
        problems.question(outside, where, labels, found, remedy, code="values_doubtful")
