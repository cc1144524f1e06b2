"""From a cohort to prediction rows: the same code for a batch, a served request and one patient
alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

import als_ml
from als_ml.cohort.in_parts import LargeCohort, large_cohort
from als_ml.cohort.read import Reading, read_cohort
from als_ml.cohort.records import RecordError, RowError, read_records
from als_ml.cohort.source import CohortSource
from als_ml.formats import FORMATS
from als_ml.prediction.faults import unforeseen
from als_ml.prediction.row import (
    CONSENTS,
    Driver,
    PredictionRow,
    Said,
    nothing_later,
    of_classes,
    of_times,
    refuse,
)
from als_ml.prediction.training_aggregates import TrainingAggregates, no_aggregates
from features.alsfrs.mixed_model import SUMS
from features.blocks.alsfrs import mixed_features, revised_sums
from features.blocks.dictionary import HAPLOTYPES_FROM, Feature
from features.blocks.genetics import genetic_cause
from features.blocks.rows import feature_dictionary, feature_matrix
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions
from features.cohort import AnyCohort, Cohort
from features.errors import DataError, RequestError
from features.genotypes.vcf import CallRule
from features.tables.columns import FrameT
from features.tables.problems import Problems
from features.variants.lookups import Lookups
from features.variants.weigh import weigh_sites
from models.fitted import FittedModel
from models.labels import out_of_scope
from models.ladder import Ladder
from models.survival.fitted import FittedSurvival
from models.tasks import TASKS

# Columns of a feature table that are not features.
BESIDE = (
    "genetic_cause",
    "landmark_days",
    "read_as",
    "on_tofersen",
    "too_early",
    *CONSENTS,
    *(f"not_scored_{name}" for name in TASKS),
    *SUMS,
)
DRIVERS = 5
RESEARCH_USE = "Research use only; not for diagnosis or treatment."
SCOPE: dict[str, RowError] = {
    "diagnosis": {
        "field": "diagnosis",
        "reason": "only als and als_ftd are scored",
        "remedy": "Correct the diagnosis if it is one of these.",
    },
    "landmark": {
        "field": "landmark",
        "reason": "the patient died, was ventilated or was lost at or before the landmark",
        "remedy": "No score is possible.",
    },
    "has_niv": {
        "field": "niv_start_days",
        "reason": "the patient had NIV at the landmark, by its date or item 12",
        "remedy": "No score is possible.",
    },
    "has_gastrostomy": {
        "field": "gastrostomy_days",
        "reason": "the patient had a gastrostomy at the landmark, by its date or item 5b",
        "remedy": "No score is possible.",
    },
}

_FLAGS = {
    "tofersen": "tofersen started by the landmark",
    "as_of_days": "the record ends before the landmark",
}


@dataclass(frozen=True)
class Predictor:
    """A fitted model with everything it needs to turn raw inputs into prediction rows.

    `training` holds aggregates of the training patients, never a row of one.
    """

    fitted: FittedModel
    spec: FeatureSpec
    lookups: Lookups
    definitions: Definitions
    ladder: Ladder | None = None
    training: TrainingAggregates = field(default_factory=no_aggregates)
    model_name: str | None = None
    model_version: str | None = None

    @cached_property
    def described(self) -> list[Feature]:
        """The feature dictionary."""
        return feature_dictionary(self.spec, self.definitions)

    @cached_property
    def names(self) -> list[str]:
        """Columns of the feature matrix, in order."""
        return [feature.name for feature in self.described]

    @cached_property
    def used(self) -> list[int]:
        """Columns that the model leans on, the most important first."""
        importance = np.asarray(self.fitted.calibration.importance)
        return [int(j) for j in np.argsort(-importance, kind="stable") if importance[j] > 0]

    @cached_property
    def reading(self) -> Reading:
        """How a cohort is read for this model: definitions, thresholds and references as
        trained.
        """
        return Reading(
            definitions=self.definitions,
            rule=CallRule(min_gq=self.spec.min_gq, min_depth=self.spec.min_depth),
            lookups=self.lookups,
            of_model=True,
            haplotypes=self.spec.edition >= HAPLOTYPES_FROM,
        )

    @property
    def reads_like(self) -> tuple[str, str, CallRule, bool]:
        """Models that agree in this can share a cohort: references are weighed anew by
        `as_trained`.
        """
        reading = self.reading
        build, version = self.spec.genome_build, self.definitions.version
        return build, version, reading.rule, reading.haplotypes

    @property
    def read_as(self) -> str:
        """What this model's rows depend on beside the files (`read_as`)."""
        return read_as(self.spec, self.definitions, self.lookups)

    def read(
        self,
        source: CohortSource,
        problems: Problems | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Cohort:
        """The one way from files to a cohort that this model scores.

        Parameters
        ----------
        source : CohortSource
            Of `als_ml.cohort.source.open_cohort`.
        problems : Problems, optional
            Gets what is wrong; by default the first error is raised.
        progress : callable
            Told what is being read.

        Returns
        -------
        Cohort
            As the model was trained: thresholds, definitions and references.

        Raises
        ------
        RequestError
            If the genomes are on another build than the model's.
        """
        self.check_build(source)
        self._compare_consequences(source, problems)
        return read_cohort(source, self.reading, problems, progress)

    @contextmanager
    def read_in_parts(
        self,
        source: CohortSource,
        problems: Problems,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Iterator[LargeCohort]:
        """The same for a cohort that is too large for memory.

        Parameters
        ----------
        source : CohortSource
            Of `als_ml.cohort.source.open_cohort`.
        problems : Problems
            Gets what is wrong.
        progress : callable
            Told what is being read.

        Yields
        ------
        LargeCohort
            Usable inside the block only.
        """
        self.check_build(source)
        self._compare_consequences(source, problems)
        with large_cohort(source, self.reading, problems, progress) as cohort:
            yield cohort

    def _compare_consequences(self, source: CohortSource, problems: Problems | None) -> None:
        """Say where the genes of a cohort are read with other references than those of training."""
        trained = self.training.get("consequences")  # models of earlier releases do not say
        stated = source.described.consequences
        if problems is None or not source.described.variants or trained in (None, stated):
            return
        problems.warn(
            "reference",
            f"consequences of variants come from {stated}, those of the model's patients from"
            f" {trained}",
            "Name the same references, or take drift of the genes for one of the reading.",
            code="reference_other",
        )

    def check_build(self, source: CohortSource) -> None:
        """Refuse genomes on another build than the model's.

        Parameters
        ----------
        source : CohortSource
            Of `als_ml.cohort.source.open_cohort`.

        Raises
        ------
        RequestError
            With both builds.
        """
        described = source.described
        if described.variants and described.genome_build != self.spec.genome_build:
            raise RequestError(
                "genome_build",
                f"the cohort is on {described.genome_build}, the model on {self.spec.genome_build}",
                "Give the files called on the model's build.",
                code="genome_build",
            )

    def predict_cohort(
        self, cohort: AnyCohort, drivers: bool = True, matrix: np.ndarray | None = None
    ) -> list[PredictionRow]:
        """One row a patient, in the cohort's order.

        Parameters
        ----------
        cohort : Cohort
            Of `Predictor.read`.
        drivers : bool
            Whether to say what drove each score.
        matrix : array (n, p), optional
            Of `cohort_matrix`, where it is at hand.
        """
        cohort = self.as_trained(cohort)
        X = self.cohort_matrix(cohort) if matrix is None else matrix
        ids = cohort.patients["sample_id"].to_numpy(dtype=object)
        rows = self.predict_matrix(ids, X, drivers)
        told = _told(cohort, self.spec, (self.fitted.task,))
        return self._completed(rows, told, drivers)

    def cohort_matrix(self, cohort: AnyCohort) -> np.ndarray:
        """The model's matrix (n, p) float32 of a cohort, NaN where unknown.

        Parameters
        ----------
        cohort : Cohort
            Of `read`, n patients.

        Returns
        -------
        array (n, p)
            float32.
        """
        _, X = feature_matrix(self.as_trained(cohort), self.spec, self.names)
        return X

    def predict_table(self, table: pd.DataFrame, drivers: bool = True) -> list[PredictionRow]:
        """Prediction rows from a table of `python -m als_ml features`.

        Parameters
        ----------
        table : DataFrame
            Of `als-ml features`.
        drivers : bool
            Whether contributions are computed.

        Returns
        -------
        list of dict
            Prediction rows, in the order of the table.

        Raises
        ------
        DataError
            If the model cannot use it.
        """
        kept = self.own_table(table).set_index("sample_id")
        beside = {name: kept[name].to_numpy() for name in BESIDE if name in kept.columns}
        return self._completed(self.predict_rows(self.own_columns(kept), drivers), beside, drivers)

    def own_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table, if the model can use it.

        Parameters
        ----------
        table : DataFrame
            Of `als-ml features`.

        Returns
        -------
        DataFrame
            The same.

        Raises
        ------
        DataError
            If a column is missing, or the features end at another landmark than the model's.
        """
        # A table of an earlier release does not know of every task.
        of_others = {f"not_scored_{name}" for name in TASKS if name != self.fitted.task}
        needed = [name for name in ("sample_id", *BESIDE) if name not in of_others]
        absent = [name for name in needed if name not in table.columns]
        if absent:
            reason = f"the column {absent[0]!r} is missing"
            raise DataError(
                "features",
                reason,
                "Make the table with `python -m als_ml features`.",
                code="column_missing",
            )
        others = sorted({str(text) for text in table["read_as"].unique()} - {self.read_as})
        if others:
            reason = f"they were made as `{others[0]}`, the model's as `{self.read_as}`"
            raise DataError(
                "features",
                reason,
                "Make the table with `features --model URI`.",
                code="model_other_data",
            )
        landmarks = set(table["landmark_days"].astype(float).unique())
        if landmarks - {float(self.spec.landmark_days)}:
            reason = (
                f"they end at day {min(landmarks):g}, the model's at day {self.spec.landmark_days}"
            )
            raise DataError(
                "features",
                reason,
                f"Make the table with --landmark-days {self.spec.landmark_days}.",
                code="model_other_data",
            )
        return table

    def own_columns(self, table: pd.DataFrame) -> pd.DataFrame:
        """The model's columns of a feature table.

        The mixed-model slope comes from the model's own course.

        Parameters
        ----------
        table : DataFrame
            Of `als-ml features`.

        Returns
        -------
        DataFrame
            Columns of the model that are there.
        """
        sums = {name: table[name].to_numpy(dtype=float) for name in SUMS}
        mixed = mixed_features(sums, self.spec.course) if "alsfrs" in self.spec.blocks else {}
        return table[[name for name in self.names if name in table.columns]].assign(**mixed)

    def _completed(
        self, result: list[PredictionRow], beside: dict[str, np.ndarray], drivers: bool
    ) -> list[PredictionRow]:
        """Add the genetic finding, flag tofersen and early records, and take the score from those
        who are out of scope.
        """
        reasons = beside[f"not_scored_{self.fitted.task}"]
        flags = zip(
            beside["genetic_cause"],
            beside["on_tofersen"],
            beside["too_early"],
            reasons,
            strict=True,
        )
        genetics, prognosis = (beside[name] for name in CONSENTS)
        for row, for_genetics, for_prognosis in zip(result, genetics, prognosis, strict=True):
            row["consent_genetic_return"] = for_genetics
            row["consent_prognosis"] = for_prognosis
        for row, (cause, tofersen, early, reason) in zip(result, flags, strict=True):
            row["genetic_cause"] = cause
            for flag, name in ((tofersen, "tofersen"), (early, "as_of_days")):
                if flag == 1:
                    row["out_of_distribution"] = True
                    row["drivers"] += [_reason(name, 1.0, _FLAGS[name])] if drivers else []
            if isinstance(reason, str) and reason:
                refuse(row, SCOPE[reason])
        return result

    def predict_rows(self, rows: pd.DataFrame, drivers: bool = True) -> list[PredictionRow]:
        """Prediction rows from a feature table.

        Columns may come in any order, further ones are ignored.

        Parameters
        ----------
        rows : DataFrame (n, p)
            Features; index = sample_id.
        drivers : bool
            Whether contributions are computed.

        Returns
        -------
        list of n dict
            Prediction rows.
        """
        return self.predict_matrix(rows.index.to_numpy(dtype=object), self.matrix(rows), drivers)

    def predict_matrix(
        self, ids: np.ndarray, X: np.ndarray, drivers: bool = True
    ) -> list[PredictionRow]:
        """Prediction rows from the model's own matrix.

        Parameters
        ----------
        ids : array of n str
            sample_id.
        X : array (n, p)
            float32, columns of `names`, NaN unknown.
        drivers : bool
            Whether contributions are computed.

        Returns
        -------
        list of n dict
            Prediction rows.
        """
        if not len(X):  # some estimators take no empty matrix
            return []
        said, shares = self._said(X, drivers)
        outside = self.fitted.outside(X)
        far = np.asarray(outside.any(axis=1))
        explained = [[] for _ in range(len(X))] if shares is None else self._drivers(X, shares)
        missing = self._missing(X)
        return [
            {
                **self._blank(str(sample)),
                **said[i],
                "out_of_distribution": bool(far[i]),
                "drivers": explained[i]
                + (self._reasons(X[i], outside[i]) if drivers and far[i] else []),
                "missing_inputs": missing[i],
            }
            for i, sample in enumerate(ids)
        ]

    def _said(self, X: np.ndarray, drivers: bool) -> tuple[list[Said], np.ndarray | None]:
        """What the model says of each patient, a class or a time, and what each feature adds to it
        where drivers are asked for.
        """
        shares = None
        if isinstance(self.fitted, FittedSurvival):
            shares = self.fitted.contributions(X) if drivers else None
            return of_times(self.fitted.outlook(X)), shares
        if drivers:
            probability, shares = self.fitted.explained(X)
        else:
            probability = self.fitted.probability(X)
        classes, sets = self.classes(X, probability)
        return of_classes(probability, classes, sets), shares

    def matrix(self, rows: pd.DataFrame) -> np.ndarray:
        """The model's matrix (n, p) float32.

        Parameters
        ----------
        rows : DataFrame
            With all columns of `names`, in any order.

        Returns
        -------
        array (n, p)
            float32.

        Raises
        ------
        DataError
            If a column of the model is missing.
        """
        absent = [name for name in self.names if name not in rows.columns]
        if absent:
            reason = (
                f"{len(absent)} of the model's {len(self.names)} columns are missing, the first is"
                f" {absent[0]!r}"
            )
            raise DataError(
                "features",
                reason,
                "Make the table with `python -m als_ml features` of this version.",
                code="column_missing",
            )
        return np.ascontiguousarray(rows[self.names].to_numpy(dtype=np.float32))

    def predict_records(
        self, records: Sequence[object], drivers: bool = True
    ) -> list[PredictionRow]:
        """Prediction rows from served records, each bad record in its place with its error.

        What is refused of patients together (two assays, `features.assays: refuse`) is not refused
        of each: they are then scored one by one, so that each gets its answer alone. So are they
        where something fails that we did not foresee: only the patient whom it concerns carries
        the error, with an id under which the log has its kind and place, and no value.

        Parameters
        ----------
        records : sequence
            As they came; each should be an object.
        drivers : bool
            Whether contributions are computed.

        Returns
        -------
        list of dict
            Prediction rows, one a record.
        """
        try:
            return self._predicted(records, drivers)
        except DataError as error:
            if len(records) == 1:
                reason = "is by two assays, or from two tubes, which are not interchangeable"
                refused = RecordError(error.where, reason, "Send the values of one.")
                return [self._failed(records[0], refused.as_dict)]
        except Exception as error:  # noqa: BLE001  one patient may not refuse the others
            if len(records) == 1:
                return [self._failed(records[0], unforeseen(error))]
        return [row for record in records for row in self.predict_records([record], drivers)]

    def _predicted(self, records: Sequence[object], drivers: bool) -> list[PredictionRow]:
        cohort, rows, errors = read_records(records, self.spec, self.lookups, self.definitions)
        good = iter(self.predict_cohort(cohort, drivers)) if len(rows) else iter(())
        return [
            next(good) if i not in errors else self._failed(record, errors[i])
            for i, record in enumerate(records)
        ]

    def as_trained(self, cohort: Cohort[FrameT]) -> Cohort[FrameT]:
        """Weigh variants by the references that the model was trained with, so that a patient alone
        gets the same row.

        Parameters
        ----------
        cohort : Cohort
            Read with the model's definitions.

        Returns
        -------
        Cohort
            Of the same kind.

        Raises
        ------
        ValueError
            If it was read with other definitions.
        """
        if cohort.definitions.version != self.definitions.version:
            raise ValueError("this cohort was read with other definitions: use Predictor.read")
        if self.lookups.same_references(cohort.lookups):
            return cohort
        lookups = replace(self.lookups, effects=cohort.lookups.effects)
        weighed = weigh_sites(
            cohort.definitions, cohort.genotypes.sites, self.spec.genome_build, lookups
        )
        return replace(cohort, lookups=lookups, variants=weighed)

    def classes(self, X: np.ndarray, probability: np.ndarray) -> tuple[list[str], list[str]]:
        """Predicted class and conformal set of each patient.

        Parameters
        ----------
        X : array (n, p)
            The model's matrix.
        probability : array (n,)
            Of the positive class.

        Returns
        -------
        classes : list of str
            One a patient.
        sets : list of str
            Labels joined by `|`.
        """
        if self.ladder is not None:
            level, sets = self.ladder.assign(X, self.fitted, probability)
            return [self.ladder.classes[i] for i in level], sets
        task, threshold = TASKS[self.fitted.task], self.fitted.calibration.threshold
        classes = [task.positive if p >= threshold else task.negative for p in probability]
        return classes, self.fitted.label_sets(probability)

    def _blank(self, sample_id: str | None) -> PredictionRow:
        return {
            "sample_id": sample_id,
            "task": self.fitted.task,
            "probability": None,
            "predicted_class": None,
            "prediction_set": None,
            "abstained": None,
            "out_of_distribution": None,
            "drivers": [],
            "missing_inputs": [],
            "genetic_cause": None,
            "consent_genetic_return": None,
            "consent_prognosis": None,
            "model_name": self.model_name,
            "model_version": self.model_version,
            "als_ml_version": als_ml.__version__,
            "definitions_version": self.definitions.version,
            "format": FORMATS["row"],
            **nothing_later(),
            "error": None,
        }

    def _failed(self, record: object, error: RowError) -> PredictionRow:
        name = record.get("sample_id") if isinstance(record, dict) else None
        row = self._blank(name if isinstance(name, str) else None)
        row["error"] = error
        return row

    def _drivers(self, X: np.ndarray, shares: np.ndarray) -> list[list[Driver]]:
        """The measured features that moved each score most."""
        shares = np.where(np.isnan(X), 0.0, shares)
        order = np.argsort(-np.abs(shares), axis=1, kind="stable")[:, :DRIVERS]
        return [
            [
                self._driver(self.described[j], X[i, j], shares[i, j])
                for j in order[i]
                if shares[i, j] != 0
            ]
            for i in range(len(X))
        ]

    def _driver(self, feature: Feature, value: float, share: float) -> Driver:
        task = TASKS[self.fitted.task]
        towards = task.positive if share > 0 else task.negative
        unit = "" if feature.unit in ("0/1", "as given") else f" {feature.unit}"
        words = f"{feature.meaning}: {value:.4g}{unit}, towards {towards}"
        if isinstance(self.fitted, FittedSurvival):
            words += f" (hazard x {np.exp(share):.2f})"
        return {
            "feature": feature.name,
            "value": float(value),
            "contribution": float(share),
            "text": words,
        }

    def _reasons(self, values: np.ndarray, outside: np.ndarray) -> list[Driver]:
        """Why a patient is out of distribution: entries that contribute nothing to the score and
        name each input.
        """
        return [
            _reason(
                self.described[j].name,
                float(values[j]),
                f"{self.described[j].meaning}: {values[j]:.4g}",
            )
            for j in np.flatnonzero(outside)
        ]

    def _missing(self, X: np.ndarray) -> list[list[str]]:
        """Unknown inputs that the model uses, the most important first."""
        names, unknown, used = self.names, np.isnan(X), self.used
        return [[names[j] for j in used if unknown[i, j]] for i in range(len(X))]


def _reason(feature: str, value: float, words: str) -> Driver:
    text = f"{words}, outside the training data"
    return {"feature": feature, "value": value, "contribution": 0.0, "text": text}


def read_as(spec: FeatureSpec, definitions: Definitions, lookups: Lookups) -> str:
    """What feature rows depend on beside the files and the landmark, in words.

    A feature table carries it, so that no model scores rows that were made by other thresholds,
    tables or references.

    Parameters
    ----------
    spec : FeatureSpec
        What the model sees.
    definitions : Definitions
        Its tables.
    lookups : Lookups
        Its references.

    Returns
    -------
    str
        Equal for models that make the same rows.
    """
    # Rows of the first edition were written before it had a number.
    edition = f" edition {spec.edition}" if spec.edition > 1 else ""
    return (
        f"{spec.genome_build} gq {spec.min_gq} depth {spec.min_depth}"
        f" rare {spec.rare_frequency:g} assays {spec.assays}"
        f" definitions {definitions.version} references {lookups.digest}{edition}"
    )


def beside_features(cohort: Cohort, spec: FeatureSpec) -> pd.DataFrame:
    """What a prediction needs beside the features: the genetic finding, the landmark, tofersen, and
    who is not scored.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    spec : FeatureSpec
        What the model sees.

    Returns
    -------
    DataFrame
        Columns BESIDE; index = sample_id.
    """
    return pd.DataFrame(_beside(cohort, spec), index=cohort.patients["sample_id"])


def _beside(cohort: AnyCohort, spec: FeatureSpec) -> dict[str, np.ndarray]:
    told = _told(cohort, spec, tuple(TASKS))
    return {
        "genetic_cause": told.pop("genetic_cause"),
        "landmark_days": np.full(len(cohort), spec.landmark_days),
        "read_as": np.full(len(cohort), read_as(spec, cohort.definitions, cohort.lookups)),
        **told,
        **revised_sums(cohort, spec.landmark_days),
    }


def _told(cohort: AnyCohort, spec: FeatureSpec, tasks: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What a row of some tasks says beside the model: columns of BESIDE."""
    tofersen = cohort.patients["tofersen_start_days"].to_numpy() <= spec.landmark_days
    return {
        "genetic_cause": genetic_cause(cohort),
        **{name: _said(cohort, name) for name in CONSENTS},
        "on_tofersen": tofersen.astype(int),
        "too_early": _too_early(cohort, spec),
        **{
            f"not_scored_{name}": out_of_scope(cohort, TASKS[name], spec.landmark_days)
            for name in tasks
        },
    }


def _said(cohort: AnyCohort, name: str) -> np.ndarray:
    """A consent as yes, no or None; tables of earlier releases know but one of the two."""
    if name not in cohort.patients.columns:
        return np.full(len(cohort), None, dtype=object)
    cells = cohort.patients[name].to_numpy(dtype=object)
    words = [cell.strip().lower() if isinstance(cell, str) else None for cell in cells]
    return np.array([word if word in ("yes", "no") else None for word in words], dtype=object)


def _too_early(cohort: AnyCohort, spec: FeatureSpec) -> np.ndarray:
    """Whether a record was made before the landmark: the model was trained on patients who had
    reached it.
    """
    if "as_of_days" not in cohort.patients.columns:
        return np.zeros(len(cohort), dtype=int)
    return (cohort.patients["as_of_days"].to_numpy(dtype=float) < spec.landmark_days).astype(int)
