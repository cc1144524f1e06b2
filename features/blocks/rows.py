"""The one path from a patient to a row: training, batch prediction and serving all call
`feature_rows`.
"""

import fnmatch
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from features.alsfrs.mixed_model import Course
from features.blocks.alsfrs import alsfrs_dictionary, alsfrs_features
from features.blocks.biomarkers import biomarker_dictionary, biomarker_features
from features.blocks.clinical import clinical_dictionary, clinical_features, is_one_of
from features.blocks.dictionary import EDITION, Feature
from features.blocks.genetics import genetic_dictionary, genetic_features
from features.blocks.landmark import as_known
from features.blocks.mechanisms import mechanism_dictionary, mechanism_features
from features.blocks.prognosis import prognosis_dictionary, prognosis_features
from features.blocks.vital_capacity import vital_capacity_dictionary, vital_capacity_features
from features.catalogue import Definitions, patient_columns
from features.cohort import AnyCohort
from features.errors import DataError, RequestError, nearest
from features.tables.columns import Frame

BLOCKS = ("genetics", "clinical", "biomarkers", "alsfrs", "prognosis")
# Blocks that a model sees only where its configuration names them.
FURTHER_BLOCKS = ("mechanisms",)


@dataclass(frozen=True)
class FeatureSpec:
    """Which features a model sees; stored with it.

    `columns` are further numeric columns of the patients table, `levels` further categorical ones
    with their known values; `rare_frequency` is the population frequency from which a variant is no
    longer rare, `min_gq` and `min_depth` are the least genotype quality and depth of a call.
    `summaries` says which of several biomarker values count, `assays` what becomes of assays that
    are not interchangeable, `course` is the population's part of the mixed-model slope, fitted on
    training patients. `benign_counted`: models of earlier versions counted (likely) benign variants
    and go on doing so. `edition` is that of the feature dictionary
    (`features.blocks.dictionary.EDITION`): a stored model keeps its own.
    """

    blocks: tuple[str, ...] = BLOCKS
    landmark_days: int = 90
    genome_build: str = "GRCh38"
    rare_frequency: float = 0.001
    min_gq: int = 0
    min_depth: int = 0
    summaries: tuple[str, ...] = ("last",)
    assays: str = "separate"
    course: Course | None = None
    columns: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    benign_counted: bool = False
    edition: int = EDITION

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "FeatureSpec":
        """Rebuild what `dataclasses.asdict` and JSON made lists of."""
        lists: dict[str, Any] = {
            name: tuple(stored[name])
            for name in ("blocks", "summaries", "columns")
            if name in stored
        }
        levels = {name: tuple(values) for name, values in stored["levels"].items()}
        course = Course(**stored["course"]) if stored.get("course") else None
        # What models from before the key did.
        earlier = {
            "benign_counted": stored.get("benign_counted", True),
            "edition": int(stored.get("edition", 1)),
        }
        return cls(**{**stored, **lists, **earlier, "levels": levels, "course": course})


def feature_dictionary(spec: FeatureSpec, definitions: Definitions) -> list[Feature]:
    """One entry a column of `feature_rows`, in its order."""
    described = {
        "genetics": genetic_dictionary(definitions, spec.benign_counted),
        "clinical": clinical_dictionary(spec.edition),
        "biomarkers": [
            *biomarker_dictionary(definitions, spec.summaries),
            *vital_capacity_dictionary(spec.edition),
        ],
        "alsfrs": alsfrs_dictionary(spec.edition),
        "prognosis": prognosis_dictionary(),
        "mechanisms": mechanism_dictionary(definitions),
    }
    own = [
        feature
        for block in (*BLOCKS, *FURTHER_BLOCKS)
        if block in spec.blocks
        for feature in described[block]
    ]
    source = "patients table, known at baseline by the configuration"
    # The first edition named such a column twice.
    taken = {feature.name for feature in own} if spec.edition > 1 else set()
    further = [
        Feature(name, "columns", "as given", f"column {name}", source)
        for name in spec.columns
        if name not in taken
    ]
    levels = [
        Feature(f"{name}={level}", "columns", "0/1", f"column {name} is {level}", source)
        for name, values in spec.levels.items()
        for level in values
    ]
    return own + further + levels


def feature_rows(cohort: AnyCohort, spec: FeatureSpec) -> pd.DataFrame:
    """Compute the feature matrix of a cohort.

    Returns
    -------
    DataFrame (n, p)
        float32, NaN where unknown; index = sample_id; columns as in `feature_dictionary(spec)`.
    """
    names, matrix = feature_matrix(cohort, spec)
    return pd.DataFrame(
        matrix, columns=names, index=pd.Index(cohort.patients["sample_id"], name="sample_id")
    )


def feature_matrix(
    cohort: AnyCohort, spec: FeatureSpec, names: "list[str] | None" = None
) -> tuple[list[str], np.ndarray]:
    """Columns and values of `feature_rows`; `names` are those of `feature_dictionary(spec)`, where
    they are at hand.
    """
    known = as_known(cohort, spec.landmark_days)
    values: dict[str, np.ndarray] = {}
    if "genetics" in spec.blocks:
        values |= genetic_features(
            known, spec.genome_build, spec.rare_frequency, spec.benign_counted
        )
    if {"clinical", "prognosis"} & set(spec.blocks):
        values |= clinical_features(known, spec.landmark_days)
    if {"biomarkers", "prognosis"} & set(spec.blocks):
        values |= _biomarker_values(known, spec)
    if {"alsfrs", "prognosis"} & set(spec.blocks):
        values |= alsfrs_features(known, spec.course, spec.edition)
    if "mechanisms" in spec.blocks:
        values |= mechanism_features(known)
    if "prognosis" in spec.blocks:
        values |= prognosis_features(known, values)
    values |= _further_values(cohort.patients, spec, values)
    names = names or [feature.name for feature in feature_dictionary(spec, cohort.definitions)]
    matrix = np.empty((len(cohort), len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        matrix[:, i] = values[name]
    return names, matrix


def _biomarker_values(known: AnyCohort, spec: FeatureSpec) -> dict[str, np.ndarray]:
    summaries = tuple(dict.fromkeys((*spec.summaries, "last")))
    values = biomarker_features(known, summaries, spec.assays, spec.edition)
    return values | vital_capacity_features(values) if spec.edition > 1 else values


def _further_values(
    patients: Frame, spec: FeatureSpec, values: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Further columns.

    One named as a feature (`fvc_litres`) is that feature where no dated value is known.
    """
    further = _further_columns(patients, spec)
    if spec.edition == 1:
        return further
    return {
        name: np.where(np.isnan(values[name]), given, values[name]) if name in values else given
        for name, given in further.items()
    }


def _further_columns(patients: Frame, spec: FeatureSpec) -> dict[str, np.ndarray]:
    absent = [name for name in (*spec.columns, *spec.levels) if name not in patients.columns]
    if absent:
        remedy = f"{nearest(absent[0], patients.columns)} The model was trained with this column."
        raise DataError(
            "patients", f"{len(absent)} columns are missing, the first is {absent[0]!r}", remedy
        )
    values = {}
    for name in spec.columns:
        cells = patients[name].to_numpy()
        numeric = np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=float)
        broken = np.flatnonzero(np.isnan(numeric) & ~pd.isna(cells))
        if len(broken):
            where = f"patients, column {name}, line {broken[0] + 2}"
            raise DataError(
                where, "the model takes a number here and a text was found", "Write a plain number."
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
) -> FeatureSpec:
    """Resolve the names and globs of further columns; a glob skips what may be no feature, a plain
    name is refused.

    Parameters
    ----------
    never : set of str
        Columns that the label comes from.

    Raises
    ------
    RequestError
        If a plain name is absent, is the label, or has its own meaning in the contract.
    """
    chosen: list[str] = []
    contract = set(patient_columns(definitions).index)
    for pattern in patterns:
        matched = [name for name in patients.columns if fnmatch.fnmatchcase(name, pattern)]
        if not matched:
            raise RequestError(
                f"features.columns {pattern!r}",
                "matches no column",
                nearest(pattern, patients.columns),
            )
        if pattern in matched and pattern in never | contract:
            why = (
                "is what the label is made of"
                if pattern in never
                else "has its own meaning in the patients table"
            )
            raise RequestError(
                f"features.columns {pattern!r}", why, "Remove it from features.columns."
            )
        chosen += [name for name in matched if name not in never | contract and name not in chosen]
    numeric = [
        name
        for name in chosen
        if pd.to_numeric(patients[name], errors="coerce").notna().sum()
        == patients[name].notna().sum()
    ]
    levels = {
        name: tuple(sorted(map(str, patients[name].dropna().unique())))
        for name in chosen
        if name not in numeric
    }
    return replace(spec, columns=tuple(numeric), levels=levels)
