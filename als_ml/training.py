"""One training run: config -> cohort -> features -> cross-validation grouped by family -> final fit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from als_ml.cohort import CohortFile, read_cohort
from als_ml.config import Config
from als_ml.evaluation import class_metrics, evaluate, share_of_possible, slope_metrics
from als_ml.prediction import Predictor
from features.alsfrs import SlopeRule
from features.biomarker_features import feature_name
from features.biomarkers import ASSAYS
from features.cohort import Cohort
from features.course import fit_course, visit_sums
from features.errors import DataError
from features.genetics import genetic_cause
from features.landmark import as_known
from features.problems import Problem, Problems
from features.repeats import RepeatStates
from features.rows import FeatureSpec, feature_rows, with_columns
from features.vcf import CallRule
from features.visits import MIXED, alsfrs_features, mixed_features
from models.estimators import fit, make_pipeline
from models.fitted import FittedModel, Recipe, family_folds, fit_model
from models.ladder import Ladder, fit_ladder
from models.scoring import raw_score
from models.tasks import (
    FAMILIAL,
    TASKS,
    Labels,
    Task,
    column_labels,
    delta_fs_labels,
    familial_labels,
    progression_labels,
)

# Columns of the simple rules that a model must beat. An unknown value counts as the training mean.
BASELINES = {
    "familial": {"carrier": ["genetic_cause_found"]},
    "progression": {
        "nfl": [feature_name("nfl_serum", assay) for assay in ASSAYS],
        "dfs": ["log_delta_fs"],
        "encals": ["encals_lp"],
    },
}


@dataclass(frozen=True)
class Training:
    """What a run produced. `rows`, `y`, `families` are the labelled patients; `out_of_fold` their probabilities by model name."""

    config: Config
    task: Task
    predictor: Predictor
    labels: Labels
    rows: pd.DataFrame
    y: np.ndarray
    families: np.ndarray
    out_of_fold: dict[str, np.ndarray]
    metrics: dict[str, float]
    warnings: list[Problem]
    best_possible: tuple[float, float] | None

    def metrics_of(self, name: str) -> dict[str, float]:
        """Metrics of `model` or of a baseline, without the prefix."""
        prefix = "" if name == "model" else f"baseline_{name}_"
        return {key.removeprefix(prefix): value for key, value in self.metrics.items() if key.startswith(prefix)}


@dataclass(frozen=True)
class Trainable:
    """A cohort turned into a matrix and labels: what the folds see."""

    spec: FeatureSpec
    labels: Labels
    rows: pd.DataFrame
    y: np.ndarray
    families: np.ndarray
    baselines: dict[str, np.ndarray]
    assay_status: np.ndarray
    by_event: np.ndarray
    visits: tuple[np.ndarray, np.ndarray, np.ndarray]
    slope: np.ndarray
    level: np.ndarray

    def fit(self, X: np.ndarray, train: np.ndarray, config: Config) -> tuple[FittedModel, Ladder | None]:
        """Fit the model of the positive class, and the lower steps where all classes are learned, on some patients."""
        y, families, recipe = self.y[train], self.families[train], recipe_of(config)
        target = self.slope[train] if config.label.learn == "slope" else None
        fitted = fit_model(X[train], y, families, recipe, target)
        if config.label.learn != "classes":
            return fitted, None
        return fitted, fit_ladder(X[train], self.level[train], families, recipe, self.labels.classes)

    def matrix(self, train: np.ndarray) -> np.ndarray:
        """The features as a model fitted on some of the patients sees them.

        The mixed-model slope is the one feature that is fitted: its population part comes from these patients alone.
        """
        mixed = [feature.name for feature in MIXED if feature.name in self.rows.columns]
        if not mixed:
            return self.rows.to_numpy()
        own = np.isin(self.visits[0], train)
        row, days, total = (values[own] for values in self.visits)
        course = fit_course(row, days, total)
        return self.rows.assign(**mixed_features(visit_sums(*self.visits, len(self.rows)), course)).to_numpy(np.float32)


def train(config: Config, progress: Callable[[str, int, int], None] = lambda *_: None) -> Training:
    """Run everything of a training but its tracking.

    Parameters
    ----------
    progress : callable
        Told (what, done, of).

    Raises
    ------
    DataError
        If a file is wrong, or the labels cannot be learned from (one class only, too few families).
    """
    task, problems = TASKS[config.task], Problems()
    reading = partial(_reading, progress)
    cohort, described = read_cohort(Path(config.cohort), problems, _call_rule(config), reading)
    data = prepare(config, cohort, described)
    _note_scheme(config, problems)
    check_labels(data.y, data.families, config)
    out_of_fold, metrics = cross_validate(data, config, progress)
    progress("final fit", config.validation.folds, config.validation.folds)
    fitted, ladder = data.fit(data.rows.to_numpy(), np.arange(len(data.y)), config)
    predictor = Predictor(fitted, data.spec, cohort.lookups, ladder)
    best = best_possible(config, data, out_of_fold["model"])
    if best:
        metrics |= {"best_possible_roc_auc": best[0], "share_of_possible": best[1]}
    return Training(
        config,
        task,
        predictor,
        data.labels,
        data.rows,
        data.y,
        data.families,
        out_of_fold,
        metrics,
        problems.found,
        best,
    )


def _note_scheme(config: Config, problems: Problems) -> None:
    label = config.label
    if config.task == "progression" and label.column is None and label.scheme != "default" and label.measure == "slope":
        cuts = " and ".join(f"{cut:g}" for cut in label.cutoffs)
        found = f"the cut-offs of {label.scheme} ({cuts} points/month) were published for dFS; here they cut a prospective slope"
        problems.warn("label.scheme", found, "Name them as such where you report the result.")


def _call_rule(config: Config) -> CallRule:
    return CallRule(config.features.min_gq, config.features.min_depth)


def _reading(progress: Callable[[str, int, int], None], what: str) -> None:
    progress(f"reading {what}", 0, 0)


def prepare(config: Config, cohort: Cohort, described: CohortFile) -> Trainable:
    """Compute features and labels, and keep the labelled patients."""
    labels = make_labels(config, cohort)
    kept = labels.usable
    spec = with_columns(
        spec_of(config, described.genome_build), cohort.patients, list(config.features.columns), labels.sources
    )
    visits = _early_visits(cohort, kept, spec)
    if "alsfrs" in spec.blocks:
        spec = replace(spec, course=fit_course(*visits))
    rows = feature_rows(cohort, spec)
    _refuse_own_rate(config, cohort, rows, labels)
    found = (genetic_cause(cohort, spec.genome_build) == "found").astype(float)
    baselines = {
        name: _baseline_columns(rows, columns, found)[kept] for name, columns in BASELINES[config.task].items()
    }
    baselines = {name: values for name, values in baselines.items() if len(np.unique(values[np.isfinite(values)])) > 1}
    by_event = labels.by_event[kept] if labels.by_event is not None else np.zeros(len(kept), dtype=bool)
    return Trainable(
        spec,
        labels,
        rows.iloc[kept],
        labels.y[kept],
        cohort.families[kept],
        baselines,
        _assay_status(cohort)[kept],
        by_event,
        visits,
        *(_labelled(labels, values) for values in (labels.slope, labels.level)),
    )


def _labelled(labels: Labels, values: np.ndarray | None) -> np.ndarray:
    return np.full(len(labels.usable), np.nan) if values is None else values[labels.usable]


def _refuse_own_rate(config: Config, cohort: Cohort, rows: pd.DataFrame, labels: Labels) -> None:
    """Refuse a column of patients as the label if it is dFS under another name while dFS is a feature.

    Raises
    ------
    DataError
        If the two correlate by 0.99 or more (Pearson).
    """
    if config.label.column is None or "delta_fs" not in rows.columns:
        return
    label = pd.to_numeric(cohort.patients[config.label.column], errors="coerce").to_numpy(dtype=float)
    rate = rows["delta_fs"].to_numpy(dtype=float)
    both = np.isfinite(label) & np.isfinite(rate) & np.isfinite(labels.y)
    if both.sum() > 2 and np.ptp(label[both]) > 0 and abs(np.corrcoef(label[both], rate[both])[0, 1]) >= 0.99:
        found = f"{config.label.column!r} is dFS, which is also a feature (and so is ENCALS, which contains it)"
        raise DataError(
            "label.column", found, "Leave alsfrs and prognosis out of features.blocks, or take another label."
        )


def spec_of(config: Config, genome_build: str) -> FeatureSpec:
    """What the configuration says about features."""
    own = config.features
    return FeatureSpec(
        own.blocks,
        config.landmark_days,
        genome_build,
        own.rare_frequency,
        own.min_gq,
        own.min_depth,
        own.biomarker_values,
        own.assays,
    )


def _early_visits(cohort: Cohort, kept: np.ndarray, spec: FeatureSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position among the kept patients, day and ALSFRS-R total of each visit up to the landmark."""
    visits = as_known(cohort.take(kept), spec.landmark_days).alsfrs
    visits = visits[(visits["scale"] == "alsfrs_r").to_numpy()]
    row, days, total = (visits[name].to_numpy() for name in ("row", "days", "total"))
    return row, days, total


def make_labels(config: Config, cohort: Cohort) -> Labels:
    """Labels by the rule of the task, or from a column of patients."""
    label = config.label
    if label.column is not None:
        return column_labels(cohort, label.column, label.above, label.below)
    if config.task == "familial":
        return familial_labels(cohort, label.familial_degrees)
    if label.measure == "delta_fs":
        rate = alsfrs_features(as_known(cohort, config.landmark_days))["delta_fs"]
        return delta_fs_labels(cohort, rate, label.cutoffs)
    rule = SlopeRule(
        config.landmark_days, label.window_days, label.cutoffs, label.min_visits, label.min_span_days, label.events
    )
    return progression_labels(cohort, rule)


def check_labels(y: np.ndarray, families: np.ndarray, config: Config) -> None:
    """Refuse labels that no fold can learn from.

    Raises
    ------
    DataError
        With the count of both classes.
    """
    task, folds = TASKS[config.task], max(config.validation.folds, config.validation.inner_folds) + 1
    counts = {name: len(np.unique(families[y == value])) for name, value in ((task.positive, 1), (task.negative, 0))}
    few = [name for name, count in counts.items() if count < folds]
    if few:
        n = ", ".join(f"{int((y == value).sum())} {name}" for name, value in ((task.positive, 1), (task.negative, 0)))
        found = f"of {len(y)} labelled patients {n}: {few[0]} has fewer than {folds} families"
        raise DataError(
            f"labels of the task {task.name}", found, "Give more patients, fewer validation.folds or another label."
        )


def recipe_of(config: Config) -> Recipe:
    """What a fold fits."""
    v = config.validation
    return Recipe(
        config.task,
        config.model.estimator,
        dict(config.model.parameters),
        v.seed,
        v.inner_folds,
        v.coverage,
        config.threads,
    )


def cross_validate(
    data: Trainable, config: Config, progress: Callable[[str, int, int], None]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Out-of-fold probabilities of the model and of its baselines, and their metrics with intervals."""
    y = data.y
    folds = family_folds(y, data.families, config.validation.folds, config.validation.seed)
    columns = ["model", "prevalence", *data.baselines]
    probability = {name: np.empty(len(y)) for name in columns}
    predicted = {name: np.empty(len(y)) for name in columns}
    diagnostics = {"assay_status": np.full(len(y), np.nan), "without_events": np.full(len(y), np.nan)}
    inside, graded = np.zeros((len(y), 2), dtype=bool), np.full(len(y), np.nan)
    for i, (train, test) in enumerate(folds):
        progress("cross-validation", i, len(folds))
        X = data.matrix(train)
        fitted, ladder = data.fit(X, train, config)
        probability["model"][test] = fitted.probability(X[test])
        predicted["model"][test] = probability["model"][test] >= fitted.calibration.threshold
        inside[test] = _covered(fitted, probability["model"][test], y[test])
        graded[test] = _graded(fitted, ladder, X[test])
        _fit_baselines(data, train, test, probability, predicted)
        _fit_diagnostics(data, X, train, test, config, diagnostics)
    progress("intervals", len(folds), len(folds))
    metrics = _all_metrics(data, probability, predicted, diagnostics, inside, config)
    if config.label.learn == "slope":
        metrics |= slope_metrics(data.slope, graded)
    if config.label.learn == "classes":
        metrics |= class_metrics(data.level, graded)
    return probability, metrics


def _graded(fitted: FittedModel, ladder: Ladder | None, X: np.ndarray) -> np.ndarray:
    """Predicted class of a ladder, else the raw score (the slope, where that is learned)."""
    return raw_score(fitted.pipeline, X) if ladder is None else ladder.assign(X, fitted, fitted.probability(X))[0]


def _fit_baselines(
    data: Trainable,
    train: np.ndarray,
    test: np.ndarray,
    probability: dict[str, np.ndarray],
    predicted: dict[str, np.ndarray],
) -> None:
    prevalence = data.y[train].mean()
    probability["prevalence"][test] = prevalence
    for name, values in data.baselines.items():
        probability[name][test] = plain_logistic(values[train], data.y[train], values[test])
    for name in ("prevalence", *data.baselines):
        predicted[name][test] = probability[name][test] >= prevalence


def _fit_diagnostics(
    data: Trainable,
    X: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    config: Config,
    diagnostics: dict[str, np.ndarray],
) -> None:
    """Who was tested, as the only input; and the model without the patients labelled by an event."""
    status = data.assay_status
    if len(np.unique(status, axis=0)) > 1:
        diagnostics["assay_status"][test] = plain_logistic(status[train], data.y[train], status[test])
    if data.by_event.any():
        fitted, _ = data.fit(X, train[~data.by_event[train]], config)
        diagnostics["without_events"][test] = fitted.probability(X[test])


def _covered(fitted: FittedModel, probability: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether each patient's own label is in its conformal set, and whether the set is not exactly one label, (n, 2)."""
    negative, positive = fitted.calibration.limits
    holds = np.column_stack([probability <= negative, 1 - probability <= positive])
    return np.column_stack([holds[np.arange(len(y)), y.astype(int)], holds.sum(axis=1) != 1])


def _all_metrics(
    data: Trainable,
    probability: dict[str, np.ndarray],
    predicted: dict[str, np.ndarray],
    diagnostics: dict[str, np.ndarray],
    inside: np.ndarray,
    config: Config,
) -> dict[str, float]:
    v = config.validation
    metrics: dict[str, float] = {}
    for name, values in probability.items():
        found = evaluate(data.y, values, predicted[name], data.families, v.bootstrap, v.seed)
        if name == "prevalence":  # constant in each fold: a slope over the folds means nothing
            found = {key: value for key, value in found.items() if not key.startswith("calibration_slope")}
        metrics |= {key if name == "model" else f"baseline_{name}_{key}": value for key, value in found.items()}
    for name, values in diagnostics.items():
        natural = ~data.by_event if name == "without_events" else np.ones(len(data.y), dtype=bool)
        if np.isfinite(values[natural]).all() and 0 < data.y[natural].mean() < 1:
            found = evaluate(data.y[natural], values[natural], values[natural] > 0.5, data.families[natural], 0, v.seed)
            metrics[f"{name}_roc_auc"] = found["roc_auc"]
    metrics |= {
        "coverage_positive": float(inside[data.y == 1, 0].mean()),
        "coverage_negative": float(inside[data.y == 0, 0].mean()),
    }
    metrics["abstention_rate"] = float(inside[:, 1].mean())
    return metrics | {
        "n": float(len(data.y)),
        "n_positive": float(data.y.sum()),
        "n_families": float(len(np.unique(data.families))),
    }


def plain_logistic(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Probabilities of a nearly unpenalised logistic regression on a few columns."""
    pipeline = make_pipeline("elastic_net", {"C": 10.0, "l1_ratio": 0.0}, 0, 1, learns_missingness=False)
    return np.asarray(expit(raw_score(fit(pipeline, X, y, 0, False), X_test)))


def _baseline_columns(rows: pd.DataFrame, columns: list[str], found: np.ndarray) -> np.ndarray:
    if columns == ["genetic_cause_found"]:
        return found.reshape(-1, 1)
    present = [name for name in columns if name in rows.columns]
    return rows[present].to_numpy(dtype=float)


def _assay_status(cohort: Cohort) -> np.ndarray:
    """Who was tested, (n, 3): never an input, only the diagnostic that each run reports."""
    c9orf72 = RepeatStates("C9orf72", cohort.repeats, cohort.patients)
    laboratory = cohort.patients["c9orf72_status"].isin(["normal", "intermediate", "expanded", "indeterminate"])
    genes = np.nan_to_num(cohort.genotypes.assayed).mean(axis=1)
    return np.column_stack([c9orf72.state > 0, laboratory.to_numpy(), genes]).astype(float)


def _as_simulated(config: Config) -> bool:
    """Whether the label is the one that the simulator's truth speaks of."""
    beside = {"cutoff", "scheme", "learn"}
    default = type(config.label)()
    return config.label.cutoffs[-1] == default.cutoffs[-1] and (
        config.label.model_dump(exclude=beside) == default.model_dump(exclude=beside)
    )


def best_possible(config: Config, data: Trainable, probability: np.ndarray) -> tuple[float, float] | None:
    """ROC AUC of the simulator's own probability on the same patients, and the share of it reached; None for real cohorts.

    A simulated cohort is known by its `truth.csv`; it is read here only, after everything is fitted.
    """
    path = Path(config.cohort).parent / "truth.csv"
    column = f"p_{config.task}"
    if not path.is_file() or not _as_simulated(config) or (config.task != FAMILIAL.name and config.landmark_days != 90):
        return None
    truth = pd.read_csv(path, dtype={"sample_id": str}).set_index("sample_id")
    best = truth[column].reindex(data.rows.index).to_numpy(dtype=float)
    return share_of_possible(data.y, probability, best) if np.isfinite(best).all() else None


def summary(training: Training) -> list[dict[str, Any]]:
    """The short table at the end: the model, each baseline, and the best possible score of a simulated cohort."""
    names = ["model", *(name for name in training.out_of_fold if name != "model")]
    table: list[dict[str, Any]] = [{"name": name, **training.metrics_of(name)} for name in names]
    table[0]["name"] = training.config.model.estimator
    for row, name in zip(table[1:], names[1:], strict=True):
        row["name"] = f"baseline: {name}"
    if training.best_possible:
        table.append({"name": "best possible (simulated truth)", "roc_auc": training.best_possible[0]})
    return table
