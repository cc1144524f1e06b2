"""The one path from a patient to a row: training, batch prediction and serving all call
`feature_rows`.
"""

import fnmatch
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from features.blocks.clinical import is_one_of
from features.blocks.dictionary import Feature
from features.blocks.landmark import as_known
from features.blocks.registry import block, needed
from features.blocks.registry import names as block_names
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions, patient_columns
from features.cohort import AnyCohort
from features.errors import DataError, RequestError, nearest
from features.tables.columns import Frame


def feature_dictionary(spec: FeatureSpec, definitions: Definitions) -> list[Feature]:
    """One entry a column of `feature_rows`, in its order.

    Parameters
    ----------
    spec : FeatureSpec
        Blocks, summaries, further columns and edition of the model.
    definitions : Definitions
        The tables that the model was trained with.

    Returns
    -------
    list of Feature
        p entries.
    """
    of_blocks = [
        feature
        for name in block_names()
        if name in spec.blocks
        for feature in block(name).dictionary(spec, definitions)
    ]
    _check_names(of_blocks)
    source = "patients table, known at baseline by the configuration"
    # The first edition named such a column twice.
    taken = {feature.name for feature in of_blocks} if spec.edition > 1 else set()
    further = [
        Feature(
            name=name, block="columns", unit="as given", meaning=f"column {name}", source=source
        )
        for name in spec.columns
        if name not in taken
    ]
    levels = [
        Feature(
            name=f"{name}={level}",
            block="columns",
            unit="0/1",
            meaning=f"column {name} is {level}",
            source=source,
        )
        for name, values in spec.levels.items()
        for level in values
    ]
    return of_blocks + further + levels


def _check_names(features: list[Feature]) -> None:
    """Two blocks may not name a column alike: one would hide the other."""
    twice = [name for name, n in Counter(f.name for f in features).items() if n > 1]
    if twice:
        blocks = " and ".join(f.block for f in features if f.name == twice[0])
        remedy = "Leave one of them out of features.blocks."
        raise RequestError(
            f"feature {twice[0]!r}", f"the blocks {blocks} both have it", remedy, code="name_twice"
        )


def feature_rows(cohort: AnyCohort, spec: FeatureSpec) -> pd.DataFrame:
    """Compute the feature matrix of a cohort.

    Parameters
    ----------
    cohort : Cohort
        n patients from files, uncut: the landmark is applied here.
    spec : FeatureSpec
        What the model sees.

    Returns
    -------
    DataFrame (n, p)
        float32, NaN where unknown; index = sample_id; columns as in `feature_dictionary(spec)`.
    """
    names, matrix = feature_matrix(cohort, spec)
    index = pd.Index(cohort.patients["sample_id"], name="sample_id")
    return pd.DataFrame(matrix, columns=names, index=index, copy=False)


def feature_matrix(
    cohort: AnyCohort, spec: FeatureSpec, names: "list[str] | None" = None
) -> tuple[list[str], np.ndarray]:
    """Columns and values of `feature_rows`.

    Parameters
    ----------
    cohort : Cohort
        n patients from files or a request, uncut: the landmark is applied here.
    spec : FeatureSpec
        What the model sees.
    names : list of str, optional
        Columns of `feature_dictionary(spec)`, where they are at hand.

    Returns
    -------
    names : list of str
        p columns.
    matrix : array (n, p)
        float32, NaN where unknown.

    Raises
    ------
    DataError
        If a further column is missing, or holds text where the model takes a number.
    """
    names = names or [feature.name for feature in feature_dictionary(spec, cohort.definitions)]
    further = _further_columns(cohort.patients, spec)
    matrix = np.empty((len(cohort), len(names)), dtype=np.float32)
    # All at once where assays may not be mixed, which is asked of the whole cohort.
    size = max(len(cohort), 1) if spec.assays == "refuse" else AT_A_TIME
    for start in range(0, max(len(cohort), 1), size):
        rows = slice(start, start + size)
        part = {name: column[rows] for name, column in further.items()}
        _compute(_some(cohort, rows), spec, part, names, matrix[rows])
    return names, matrix


# Patients at a time: their values are float64 and those of all blocks are held together, which for
# 50,000 patients would be more memory than their tables; so few stay in a processor's cache, too.
AT_A_TIME = 10_000


def _some(cohort: AnyCohort, rows: slice) -> AnyCohort:
    some = np.arange(len(cohort))[rows]
    return cohort if len(some) == len(cohort) else cohort.take(some)


def _compute(
    cohort: AnyCohort,
    spec: FeatureSpec,
    further: dict[str, np.ndarray],
    names: list[str],
    into: np.ndarray,
) -> None:
    """Fill the rows of some patients: the columns of the blocks and the further ones, of which one
    named as a feature (`fvc_litres`) is that feature where no dated value is known.
    """
    known = as_known(cohort, spec.landmark_days)
    values: dict[str, np.ndarray] = {}
    for name in needed(spec.blocks):
        values |= block(name).compute(known, spec, values)
    for name, given in further.items():
        stands = name in values and spec.edition > 1
        values[name] = np.where(np.isnan(values[name]), given, values[name]) if stands else given
    into[:] = np.concatenate([values[name] for name in names]).reshape(len(names), -1).T


def _further_columns(patients: Frame, spec: FeatureSpec) -> dict[str, np.ndarray]:
    absent = [name for name in (*spec.columns, *spec.levels) if name not in patients.columns]
    if absent:
        remedy = f"{nearest(absent[0], patients.columns)} The model was trained with this column."
        raise DataError(
            "patients",
            f"{len(absent)} columns are missing, the first is {absent[0]!r}",
            remedy,
            code="column_missing",
        )
    values = {}
    for name in spec.columns:
        cells = patients[name].to_numpy()
        numeric = np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=float)
        broken = np.flatnonzero(np.isnan(numeric) & ~pd.isna(cells))
        if len(broken):
            where = f"patients, column {name}, line {broken[0] + 2}"
            raise DataError(
                where,
                "the model takes a number here and a text was found",
                "Write a plain number.",
                code="cell_number",
            )
        values[name] = numeric
    for name, levels in spec.levels.items():
        values |= {f"{name}={level}": is_one_of(patients[name], (level,)) for level in levels}
    return values


def with_columns(
    definitions: Definitions,
    spec: FeatureSpec,
    patients: pd.DataFrame,
    patterns: list[str],
    never: set[str],
    aside: Iterable[str] = (),
) -> FeatureSpec:
    """Resolve the names and globs of further columns.

    A glob skips what may not be a feature; a plain name of it is refused.

    Parameters
    ----------
    definitions : Definitions
        For the columns of the contract, which have a meaning of their own.
    spec : FeatureSpec
        What the columns are added to.
    patients : DataFrame
        Training patients.
    patterns : list of str
        Names or globs, of `features.columns` in the configuration.
    never : set of str
        Columns that the label comes from.
    aside : iterable of str
        Columns that a glob does not mean, because they tell of any day: name them to have them.

    Returns
    -------
    FeatureSpec
        With `columns` and `levels`.

    Raises
    ------
    RequestError
        If a plain name is absent, is the label, or has its own meaning in the contract.
    """
    chosen: list[str] = []
    contract = set(patient_columns(definitions).index)
    for pattern in patterns:
        matched = _matched(pattern, patients, never, contract)
        left_out = never | contract | (set(aside) - {pattern})
        chosen += [name for name in matched if name not in left_out and name not in chosen]
    numeric = [name for name in chosen if _is_numeric(patients[name])]
    levels = {
        name: tuple(sorted(map(str, patients[name].dropna().unique())))
        for name in chosen
        if name not in numeric
    }
    return replace(spec, columns=tuple(numeric), levels=levels)


def _matched(
    pattern: str, patients: pd.DataFrame, never: set[str], contract: set[str]
) -> list[str]:
    """Columns that a name or a glob means; refused are none at all, and a plain name that may not
    be a feature.
    """
    matched = [name for name in patients.columns if fnmatch.fnmatchcase(name, pattern)]
    if not matched:
        raise RequestError(
            f"features.columns {pattern!r}",
            "matches no column",
            nearest(pattern, patients.columns),
            code="column_missing",
        )
    if pattern in matched and pattern in never | contract:
        why = (
            "is what the label is made of"
            if pattern in never
            else "has its own meaning in the patients table"
        )
        raise RequestError(
            f"features.columns {pattern!r}",
            why,
            "Remove it from features.columns.",
            code="column_refused",
        )
    return matched


def _is_numeric(column: "pd.Series") -> bool:
    """Whether every known cell is a number."""
    return bool(pd.to_numeric(column, errors="coerce").notna().sum() == column.notna().sum())
