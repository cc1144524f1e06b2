"""A cohort turned into a matrix and labels: what the folds see, and how a model is fitted on some
of its patients.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from als_ml.cohort.read import Reading, read_cohort
from als_ml.cohort.record_keys import PAGE_FIELDS
from als_ml.cohort.source import CohortFile, CohortSource
from als_ml.config import STACK, Config
from als_ml.training.selection import labelling_weights
from features.alsfrs.mixed_model import fit_course, visit_sums
from features.alsfrs.visits import of_scale
from features.blocks.alsfrs import MIXED, RATES, alsfrs_features, mixed_features
from features.blocks.biomarkers import feature_name
from features.blocks.genetics import genetic_cause, rising_features
from features.blocks.landmark import as_known, known_visits
from features.blocks.rows import feature_rows, with_columns
from features.blocks.spec import FeatureSpec
from features.catalogue import assay_names
from features.cohort import Cohort
from features.errors import DataError
from features.genotypes.repeats import NOT_TESTED, RepeatStates
from features.genotypes.vcf import CallRule
from features.tables.problems import Problems
from models.course import followed
from models.estimators import names, names_of_times
from models.estimators.registry import Parameters
from models.fitted import FittedModel, fit_model
from models.labels import (
    Labels,
    SlopeRule,
    column_labels,
    delta_fs_labels,
    familial_labels,
    likely_labels,
    progression_labels,
)
from models.ladder import Ladder, fit_ladder
from models.members import Recipe, Search, Trial
from models.survival.fitted import FittedSurvival, fit_survival
from models.survival.labels import TimeRule, Times, survival_labels
from models.survival.times import signed
from models.tasks import FAMILIAL, SURVIVAL, TASKS


class MixedSlopes:
    """The mixed-model slope of each patient, its population part fitted on some of them.

    What was fitted is kept.

    Parameters
    ----------
    visits : arrays (v,)
        Position of the patient, day and ALSFRS-R total of each visit up to the landmark.
    n : int
        Patients.
    """

    def __init__(self, visits: tuple[np.ndarray, np.ndarray, np.ndarray], n: int):
        self.row, self.days, self.total = visits
        self.sums = visit_sums(self.row, self.days, self.total, n)
        self._fitted: dict[bytes, dict[str, np.ndarray]] = {}

    def of(self, train: np.ndarray) -> dict[str, np.ndarray]:
        """The columns of all patients with the population part of those at the positions
        `train`.

        Parameters
        ----------
        train : array of int
            Positions of the training patients.

        Returns
        -------
        dict of arrays (n,)
            Points lost per month and its error.
        """
        key = train.tobytes()  # the honesty checks fit the same folds again
        if key not in self._fitted:
            trains = np.isin(self.row, train)
            course = fit_course(self.row[trains], self.days[trains], self.total[trains])
            self._fitted[key] = mixed_features(self.sums, course)
        return self._fitted[key]


@dataclass(frozen=True)
class Trainable:
    """The labelled patients of a cohort as a matrix; every array has one entry a patient.

    `cohort` holds their tables, for subgroups and honesty checks: it is never logged. `weights` are
    those of `als_ml.training.selection`, None where no treatment ended a label.
    """

    spec: FeatureSpec
    labels: Labels
    cohort: Cohort
    rows: pd.DataFrame
    y: np.ndarray
    families: np.ndarray
    baselines: dict[str, np.ndarray]
    assay_status: np.ndarray
    by_event: np.ndarray
    mixed: MixedSlopes
    slope: np.ndarray
    scatter: np.ndarray
    level: np.ndarray
    weights: np.ndarray | None = None
    times: Times | None = None

    def fit(
        self, X: np.ndarray, train: np.ndarray, config: Config, trials: list[Trial] | None = None
    ) -> tuple[FittedModel, Ladder | None]:
        """Fit the model of the positive class, and the lower steps where all classes are learned,
        on some patients.

        Parameters
        ----------
        X : array (n, p)
            Of `matrix`.
        train : array of int
            Positions of the training patients.
        config : Config
            Of the run.
        trials : list, optional
            Gets the trials of a search.

        Returns
        -------
        model : FittedModel
            Of the positive class.
        ladder : Ladder or None
            The lower steps.
        """
        if self.times is not None:
            return self.fit_times(X, train, config, trials), None
        y, families = self.y[train], self.families[train]
        recipe = replace(recipe_of(config), rising=self.rising(config.task))
        fitted = fit_model(X[train], y, families, recipe, self.learned(train, config), trials)
        if config.label.learn != "classes":
            return fitted, None
        return fitted, fit_ladder(
            X[train], self.level[train], families, recipe, self.labels.classes
        )

    def fit_times(
        self, X: np.ndarray, train: np.ndarray, config: Config, trials: list[Trial] | None = None
    ) -> FittedSurvival:
        """Fit the model of a survival time on some patients.

        Parameters
        ----------
        X : array (n, p)
            Of `matrix`.
        train : array of int
            Positions of the training patients.
        config : Config
            Of the run.
        trials : list, optional
            Gets the trials of a search.

        Returns
        -------
        FittedSurvival
            Calibrated.
        """
        times = self.of_times.take(train)
        learned = signed(times.months, times.event)
        seen = followed(self.cohort, config.landmark_days).take(train)
        columns = list(self.rows.columns)
        recipe, families = recipe_of(config), self.families[train]
        rival = times.outcome == 2 if times.rivals else None
        return fit_survival(X[train], learned, families, recipe, seen, columns, trials, rival)

    @property
    def judged(self) -> np.ndarray:
        """What a probability is held against (n,), NaN where nobody knows (`Labels.judged`)."""
        return np.asarray(self.labels.judged[self.labels.usable])

    @property
    def of_times(self) -> Times:
        """The times of the survival task."""
        if self.times is None:
            raise ValueError("this task has labels of two classes, not times")
        return self.times

    def learned(self, train: np.ndarray, config: Config) -> np.ndarray:
        """What a model of these patients learns: the slope, or the label as far as its own error
        lets it be known.

        Parameters
        ----------
        train : array of int
            Positions of the training patients.
        config : Config
            Of the run.

        Returns
        -------
        array
            Labels, probabilities of labels, or points per month.
        """
        if config.label.learn == "slope":
            return self.slope[train]
        if not config.label.uncertain:
            return self.y[train]
        if self.labels.likely is not None:
            return self.labels.likely[self.labels.usable][train]
        slope = np.where(self.by_event[train], np.nan, self.slope[train])
        return likely_labels(self.y[train], slope, self.scatter[train], config.cutoffs[-1])

    def rising(self, task: str) -> tuple[int, ...]:
        """Columns that may only raise the score: genetic evidence, of the familial task.

        Parameters
        ----------
        task : str
            `familial` or `progression`.

        Returns
        -------
        tuple of int
            Columns of the matrix.
        """
        if task != FAMILIAL.name:
            return ()
        names = rising_features(self.cohort.definitions)
        return tuple(i for i, name in enumerate(self.rows.columns) if name in names)

    def matrix(self, train: np.ndarray) -> np.ndarray:
        """The features as a model fitted on some of the patients sees them.

        The mixed-model slope is the one feature that is fitted: its population part comes from
        these patients alone.

        Parameters
        ----------
        train : array of int
            Positions of the training patients.

        Returns
        -------
        array (n, p)
            float32, NaN unknown.
        """
        mixed = [name for name in MIXED if name in self.rows.columns]
        if not mixed:
            return self.rows.to_numpy()
        return self.rows.assign(**self.mixed.of(train)).to_numpy(np.float32)

    def column(self, name: str) -> np.ndarray:
        """Name a column of the patients table as text, `unknown` where empty."""
        return (
            self.cohort.patients[name]
            .astype(object)
            .where(self.cohort.patients[name].notna(), "unknown")
            .to_numpy()
        )


def reading_of(config: Config) -> Reading:
    """How a configuration wants its cohort to be read; the references are the cohort's own.

    Parameters
    ----------
    config : Config
        Of the run.

    Returns
    -------
    Reading
        With the installed definitions.
    """
    asked = config.features
    return Reading(definitions=config.tables(), rule=CallRule(asked.min_gq, asked.min_depth))


def prepared(config: Config, source: CohortSource) -> Trainable:
    """Read a cohort as a configuration wants it, and prepare it.

    Parameters
    ----------
    config : Config
        Of the run.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.

    Returns
    -------
    Trainable
        The labelled patients.
    """
    return prepare(config, read_cohort(source, reading_of(config)), source.described)


def prepare(config: Config, cohort: Cohort, described: CohortFile) -> Trainable:
    """Compute features and labels, and keep the labelled patients.

    Parameters
    ----------
    config : Config
        Of the run.
    cohort : Cohort
        n patients, uncut.
    described : CohortFile
        The cohort file.

    Returns
    -------
    Trainable
        The labelled patients.

    Raises
    ------
    DataError
        If no fold can learn from the labels.
    """
    labels = make_labels(config, cohort)
    kept = labels.usable
    rule = time_rule(config)
    spec = _asked_features(config, cohort, described, labels)
    visits = _early_visits(cohort, kept, spec)
    if "alsfrs" in spec.blocks:
        spec = replace(spec, course=fit_course(*visits))
    rows = feature_rows(cohort, spec)
    _refuse_own_rate(config, cohort, rows, labels)
    n = len(kept)
    return Trainable(
        spec=spec,
        labels=labels,
        cohort=cohort.take(kept),
        rows=rows.iloc[kept],
        y=labels.y[kept],
        families=cohort.families[kept],
        baselines=_varying(_baselines(config, cohort, rows), kept),
        assay_status=_assay_status(cohort)[kept],
        by_event=np.zeros(n, dtype=bool) if labels.by_event is None else labels.by_event[kept],
        mixed=MixedSlopes(visits, n),
        slope=_labelled(labels, labels.slope),
        scatter=np.full((n, 3), np.nan) if labels.scatter is None else labels.scatter[kept],
        level=_labelled(labels, labels.level),
        weights=labelling_weights(rows, labels, cohort.families, config),
        times=None if rule is None else survival_labels(cohort, rule)[1].take(kept),
    )


def _labelled(labels: Labels, values: np.ndarray | None) -> np.ndarray:
    return np.full(len(labels.usable), np.nan) if values is None else values[labels.usable]


def _refuse_own_rate(config: Config, cohort: Cohort, rows: pd.DataFrame, labels: Labels) -> None:
    """Refuse a column of patients as the label if it is dFS under another name while dFS is a
    feature.

    Raises
    ------
    DataError
        If the two correlate by 0.99 or more (Pearson).
    """
    rates = [name for name in RATES if name in rows.columns]
    if config.label.column is None or not rates:
        return
    label = pd.to_numeric(cohort.patients[config.label.column], errors="coerce").to_numpy(
        dtype=float
    )
    if any(
        _same_up_to_scale(label[labels.usable], rows[name].to_numpy(dtype=float)[labels.usable])
        for name in rates
    ):
        reason = (
            f"{config.label.column!r} is dFS, which is also a feature (and so is ENCALS, which"
            " contains it)"
        )
        raise DataError(
            "label.column",
            reason,
            "Leave alsfrs and prognosis out of features.blocks, or take another label.",
            code="key_value",
        )


def _same_up_to_scale(label: np.ndarray, rate: np.ndarray) -> bool:
    """Whether two columns correlate by 0.99 or more where both are known and the label varies."""
    both = np.isfinite(label) & np.isfinite(rate)
    if both.sum() <= 2 or np.ptp(label[both]) == 0 or np.ptp(rate[both]) == 0:
        return False
    return bool(abs(np.corrcoef(label[both], rate[both])[0, 1]) >= 0.99)


def spec_of(config: Config, genome_build: str) -> FeatureSpec:
    """What the configuration says about features.

    Parameters
    ----------
    config : Config
        Of the run.
    genome_build : str
        GRCh37 or GRCh38, of the genomes.

    Returns
    -------
    FeatureSpec
        Without further columns, which need a cohort.
    """
    asked = config.features
    return FeatureSpec(
        blocks=asked.blocks,
        landmark_days=config.landmark_days,
        genome_build=genome_build,
        rare_frequency=asked.rare_frequency,
        min_gq=asked.min_gq,
        min_depth=asked.min_depth,
        summaries=asked.biomarker_values,
        assays=asked.assays,
    )


def _early_visits(
    cohort: Cohort, kept: np.ndarray, spec: FeatureSpec
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position among the kept patients, day and ALSFRS-R total of each visit up to the landmark."""
    visits = of_scale(known_visits(cohort.take(kept), spec.landmark_days), "alsfrs_r")
    row, days, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    return row, days, total


def name_missing_tables(config: Config, described: CohortFile, problems: Problems) -> None:
    """Warn where a cohort has no table that the labels or the features of a run come from.

    Parameters
    ----------
    config : Config
        Of the run.
    described : CohortFile
        Of the cohort.
    problems : Problems
        Gets a warning for the labels, a note for each block of features.
    """
    if config.task == "progression" and config.label.column is None and not described.alsfrs:
        problems.warn(
            "cohort file",
            "it names no alsfrs table, and fast or slow is told by visits",
            "Name it (`alsfrs: FILE`); without it only deaths and ventilation make labels.",
            code="file_absent",
        )
    sources = {
        "biomarkers": described.biomarkers,
        "alsfrs": described.alsfrs,
        "genetics": described.variants or described.repeats,
    }
    for block, there in sources.items():
        if block in config.features.blocks and not there:
            problems.note(
                "cohort file",
                f"it names nothing that the features of the block {block} come from",
                "They are unknown in all patients; leave the block out, or name the files.",
                code="file_absent",
            )


def make_labels(config: Config, cohort: Cohort) -> Labels:
    """Labels by the rule of the task, or from a column of patients.

    Parameters
    ----------
    config : Config
        Of the run.
    cohort : Cohort
        n patients, uncut.

    Returns
    -------
    Labels
        Arrays (n,).
    """
    label = config.label
    if label.column is not None:
        return column_labels(cohort, label.column, label.above, label.below, label.error)
    if config.task == "familial":
        return familial_labels(cohort, label.familial_degrees)
    if until := time_rule(config):
        return survival_labels(cohort, until)[0]
    if rule := slope_rule(config):
        return progression_labels(cohort, rule)
    rate = alsfrs_features(as_known(cohort, config.landmark_days))["delta_fs"]
    return delta_fs_labels(cohort, rate, config.cutoffs)


def slope_rule(config: Config) -> SlopeRule | None:
    """How the label is made of visits after the landmark; None where it is made otherwise.

    Parameters
    ----------
    config : Config
        Of the run.

    Returns
    -------
    SlopeRule or None
        With the cut-offs of its scheme.
    """
    label = config.label
    if config.task != "progression" or label.column is not None or label.measure != "slope":
        return None
    return SlopeRule(
        landmark_days=config.landmark_days,
        window_days=label.window_days,
        cutoffs=config.cutoffs,
        min_visits=label.min_visits,
        min_span_days=label.min_span_days,
        events=label.events,
    )


def time_rule(config: Config) -> TimeRule | None:
    """How the time to an event is made; None for the other tasks.

    Parameters
    ----------
    config : Config
        Of the run.

    Returns
    -------
    TimeRule or None
        With the landmark at which time starts.
    """
    if config.task != SURVIVAL.name:
        return None
    return TimeRule(
        landmark_days=config.landmark_days,
        event=config.label.event,
        follow_up_days=config.label.follow_up_days,
        end_at_treatment=config.label.end_at_treatment,
    )


def check_labels(y: np.ndarray, families: np.ndarray, config: Config) -> None:
    """Refuse labels, or times, that no fold can learn from.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    families : array of int (n,)
        Relatives share a number.
    config : Config
        With the number of folds.

    Raises
    ------
    DataError
        With the count of both classes.
    """
    if config.task == SURVIVAL.name:
        _check_events(y, families, config)
        return
    task, folds = (
        TASKS[config.task],
        max(config.validation.folds, config.validation.inner_folds) + 1,
    )
    counts = {
        name: len(np.unique(families[y == value]))
        for name, value in ((task.positive, 1), (task.negative, 0))
    }
    few = [name for name, count in counts.items() if count < folds]
    if few:
        n = ", ".join(
            f"{int((y == value).sum())} {name}"
            for name, value in ((task.positive, 1), (task.negative, 0))
        )
        reason = f"of {len(y)} labelled patients {n}: {few[0]} has fewer than {folds} families"
        raise DataError(
            f"labels of the task {task.name}",
            reason,
            "Give more patients, fewer validation.folds or another label.",
            code="labels_unusable",
        )


# Events that a survival model needs at least, in as many families: five in each inner fold of an
# outer one would be too few to learn from, and one or two end every search (P).
_FEWEST_EVENTS = 20


def _check_events(y: np.ndarray, families: np.ndarray, config: Config) -> None:
    """Refuse times without events enough; nobody needs to be censored."""
    folds = max(config.validation.folds, config.validation.inner_folds) + 1
    events, needed = len(np.unique(families[y == 1])), max(_FEWEST_EVENTS, folds)
    if events < needed:
        raise DataError(
            f"times of the task {SURVIVAL.name}",
            f"of {len(y)} patients with a follow-up {int((y == 1).sum())} have the event"
            f" ({config.label.event}), in {events} families: fewer than {needed}",
            "Give more patients or a longer follow-up; look at `als-ml check --config` for why"
            " patients have no time.",
            code="labels_unusable",
        )


def recipe_of(config: Config) -> Recipe:
    """What a fold fits.

    Parameters
    ----------
    config : Config
        Of the run.

    Returns
    -------
    Recipe
        Without the columns that may only rise, which need the features.
    """
    v, model, decision = config.validation, config.model, config.decision
    members: tuple[tuple[str, Parameters], ...] = ((model.estimator, dict(model.parameters)),)
    if model.estimator == STACK:
        members = tuple(
            (name, dict(model.members[name]))
            for name in (*names(), *names_of_times())
            if name in model.members
        )
    search = None
    if model.search is not None:
        seconds = None if model.search.minutes is None else 60 * model.search.minutes
        search = Search(
            trials=model.search.trials,
            seconds=seconds,
            folds=model.search.folds,
            journal=model.search.journal,
        )
    return Recipe(
        task=config.question.name,
        members=members,
        seed=v.seed,
        inner_folds=v.inner_folds,
        coverage=v.coverage,
        continuous=config.label.learn == "slope",
        least_share=model.least_share,
        calibration=model.calibration,
        threshold=decision.threshold,
        threshold_value=(
            decision.miss_cost if decision.threshold == "cost" else decision.sensitivity
        ),
        search=search,
        related=model.imputation == "related",
    )


def _asked_features(
    config: Config, cohort: Cohort, described: CohortFile, labels: Labels
) -> FeatureSpec:
    return with_columns(
        cohort.definitions,
        spec_of(config, described.genome_build),
        cohort.patients,
        list(config.features.columns),
        labels.sources,
        aside=PAGE_FIELDS,
    )


def _varying(baselines: dict[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
    """Those of which the kept patients have two different values."""
    of_kept = {name: values[kept] for name, values in baselines.items()}
    return {
        name: values
        for name, values in of_kept.items()
        if len(np.unique(values[np.isfinite(values)])) > 1
    }


def _baselines(config: Config, cohort: Cohort, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Columns of the simple rules that a model must beat.

    An unknown value counts as the training mean.
    """
    if config.task == "familial":
        found = genetic_cause(cohort) == "found"
        return {"carrier": found.astype(float).reshape(-1, 1)}
    summary = config.features.biomarker_values[0]
    columns = {
        "nfl": [
            feature_name(cohort.definitions, "nfl_serum", assay, summary)
            for assay in assay_names(cohort.definitions)
        ],
        "dfs": ["log_delta_fs"],
        "encals": ["encals_lp"],
    }
    if config.task == SURVIVAL.name:
        rates = ["log_delta_fs", "original_log_delta_fs"]  # a patient has one of the scales
        columns = {"cox": [*rates, "age_at_index"], "encals": ["encals_lp"]}
        columns = {name: _known(rows, inputs) for name, inputs in columns.items()}
    if config.label.measure == "delta_fs":
        columns = {"nfl": columns["nfl"]}
    present = {
        name: [column for column in inputs if column in rows.columns]
        for name, inputs in columns.items()
    }
    return {name: rows[inputs].to_numpy(dtype=float) for name, inputs in present.items() if inputs}


def _known(rows: pd.DataFrame, names: list[str]) -> list[str]:
    """Those of the columns that are known of anybody."""
    return [name for name in names if name in rows.columns and rows[name].notna().any()]


def _assay_status(cohort: Cohort) -> np.ndarray:
    """Who was tested, (n, 3): never an input, only the diagnostic that each run reports."""
    c9orf72 = RepeatStates(cohort.definitions, "C9orf72", cohort.repeats, cohort.patients)
    laboratory = cohort.patients["c9orf72_status"].isin(
        ["normal", "intermediate", "expanded", "indeterminate"]
    )
    genes = np.nan_to_num(cohort.genotypes.assayed).mean(axis=1)
    return np.column_stack([c9orf72.state != NOT_TESTED, laboratory.to_numpy(), genes]).astype(
        float
    )
