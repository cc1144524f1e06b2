"""One training run: config -> cohort -> features -> validation -> honesty checks -> final fit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from als_ml.cohort.check import question_follow_up
from als_ml.cohort.known_patients import patient_key, patient_prints, remembered
from als_ml.cohort.read import read_cohort
from als_ml.cohort.source import CohortSource, open_cohort
from als_ml.config import Config
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.training_aggregates import (
    AlikePatients,
    TrainingAggregates,
    training_aggregates,
)
from als_ml.training.course_estimates import course_estimates, unbeaten_courses
from als_ml.training.denoised import denoised_reliability
from als_ml.training.estimates import (
    baseline_names,
    estimates,
    site_estimates,
    site_table,
    subgroup_table,
    unbeaten,
)
from als_ml.training.folds import Fold, Validated, cross_validate, leave_one_site_out, temporal
from als_ml.training.honesty import Check, honesty_checks
from als_ml.training.importance import importance_table
from als_ml.training.metrics import (
    auc_with_error,
    calibration_bins,
    evaluate,
    family_weights,
    losses,
    share_of_possible,
)
from als_ml.training.miscalibration import smooth_calibration
from als_ml.training.sample_size import effective_parameters, r2_of
from als_ml.training.selection import weighted_estimates
from als_ml.training.survival_estimates import (
    Seen,
    figures_of_others,
    pooled_over_sites,
    seen,
    seen_rows,
    share_by_year,
    survival_figures,
    survival_sites,
)
from als_ml.training.survival_honesty import survival_checks, survival_unbeaten
from als_ml.training.survival_metrics import calibration_table, harrell_c, observed_by
from als_ml.training.tables import RunTables, SiteRow, TrialRow
from als_ml.training.task_data import (
    Trainable,
    check_labels,
    make_labels,
    name_missing_tables,
    prepare,
    reading_of,
    time_rule,
)
from als_ml.training.usefulness import decision_curve, enrichment_table, threshold_table
from features.blocks.unused import name_unused
from features.catalogue import Definitions, progression_schemes
from features.tables.problems import Problem, Problems
from models.labels import Labels, in_words
from models.members import Trial
from models.survival.labels import TimeRule, survival_labels
from models.tasks import FAMILIAL, TASKS, Task

Progress = Callable[[str, int, int], None]
# `name` of a model or a baseline, and its metrics.
SummaryRow = dict[str, str | float]
# Draws for the bands of curves: they are read by eye.
_BAND_DRAWS = 500


@dataclass(frozen=True)
class Training:
    """What a run produced: the final model, and what was found out about it by name.

    `metrics` are single figures, `tables` those of several rows, `checks` the honesty checks.
    `data` holds the labelled patients; nothing of it is logged. `started` is when the training
    began.
    """

    config: Config
    source: CohortSource
    task: Task
    predictor: Predictor
    data: Trainable
    validated: Validated
    metrics: dict[str, float]
    warnings: list[Problem]
    best_possible: tuple[float, float] | None
    started: datetime
    tables: RunTables = field(default_factory=RunTables)
    checks: list[Check] = field(default_factory=list)

    @property
    def labels(self) -> Labels:
        """How the labels came about."""
        return self.data.labels

    @property
    def y(self) -> np.ndarray:
        """0/1 label of each labelled patient."""
        return self.data.y

    @property
    def rows(self) -> pd.DataFrame:
        """Features of the labelled patients."""
        return self.data.rows

    @property
    def simulated(self) -> bool:
        """Whether the cohort is simulated, whatever is asked of it."""
        return self.source.simulated

    @property
    def out_of_fold(self) -> dict[str, np.ndarray]:
        """Probabilities of the model and of its baselines."""
        return {
            name: self.validated.probability[name]
            for name in ["model", *baseline_names(self.validated)]
        }

    def metrics_of(self, name: str) -> dict[str, float]:
        """Metrics of `model` or of a baseline, without the prefix.

        Parameters
        ----------
        name : str
            `model` or a baseline.

        Returns
        -------
        dict of float
            By the names of METRICS.
        """
        prefix = "" if name == "model" else f"baseline_{name}_"
        return {
            key.removeprefix(prefix): value
            for key, value in self.metrics.items()
            if key.startswith(prefix)
        }


def train(
    config: Config,
    progress: Progress = lambda *_: None,
    allow_outside: bool = False,
    say: Callable[[str], None] = lambda _: None,
    extracts: Path | None = None,
    allow_remote: bool = False,
) -> Training:
    """Run everything of a training but its tracking.

    Parameters
    ----------
    config : Config
        Of the run.
    progress : callable
        Told (what, done, of).
    allow_outside : bool
        Whether the cohort file may name files outside its folder.
    say : callable
        Told the labels and their reasons before anything is fitted.
    extracts : Path, optional
        Folder in which what was read of the genomes is kept and found again.
    allow_remote : bool
        Whether it may name genomes behind URLs.

    Returns
    -------
    Training
        For `als_ml.tracking.log.log_training`.

    Raises
    ------
    DataError
        If a file is wrong, or the labels cannot be learned from (one class only, too few families).
    """
    started = datetime.now(UTC)
    # The key is asked for now: without a good one nothing is fitted.
    problems, key = Problems(), patient_key()
    source = open_cohort(Path(config.cohort), allow_outside, extracts, allow_remote)
    data = _read(config, source, problems, progress)
    say(f"labels: {in_words(data.labels, config.question)}")
    check_labels(data.y, data.families, config)
    validated = cross_validate(data, config, progress)
    metrics, tables = _validation(data, validated, config, problems, progress)
    progress("final fit", 0, 0)
    remembers = _remembers(config, source, data, validated, key)
    predictor, tables["trials"] = _final_model(data, config, remembers)
    if config.validation.cohort:
        held_out = open_cohort(Path(config.validation.cohort), allow_outside)
        metrics |= _external_metrics(predictor, config, held_out, problems, progress)
    metrics |= _apparent(predictor, data, validated, metrics)
    checks = _checks(data, validated, config, metrics, tables, progress)
    best = best_possible(config, data, validated.probability["model"])
    return Training(
        config=config,
        source=source,
        task=config.question,
        predictor=predictor,
        data=data,
        validated=validated,
        metrics=metrics | _share_of_possible(best),
        warnings=problems.found,
        best_possible=best,
        started=started,
        tables=tables,
        checks=checks,
    )


def _remembers(
    config: Config, source: CohortSource, data: Trainable, validated: Validated, key: bytes
) -> TrainingAggregates:
    """What a model keeps of its training patients beside their aggregates."""
    return {
        "consequences": source.described.consequences,
        "patients": [remembered(patient_prints(data.cohort, key), key)],
        **_of_readers(config, data, validated),
    }


def _share_of_possible(best: tuple[float, float] | None) -> dict[str, float]:
    """The best possible ROC AUC and the share of it that was reached, of a simulated cohort."""
    return {"best_possible_roc_auc": best[0], "share_of_possible": best[1]} if best else {}


# Training patients with a like score behind one line on a page: fewer would be a chance (P). No
# more lines than that however many they are: a model keeps nothing that grows with them.
_ALIKE, _MOST_ALIKE = 40, 7


def _read(
    config: Config, source: CohortSource, problems: Problems, progress: Progress
) -> Trainable:
    """Read the cohort and keep whom the task can learn from; say what of it is not used."""
    name_missing_tables(config, source.described, problems)
    cohort = read_cohort(source, reading_of(config), problems, partial(_reading, progress))
    data = prepare(config, cohort, source.described)
    _note_scheme(config, cohort.definitions, problems)
    name_unused(cohort, data.spec, problems, frozenset(data.labels.sources))
    if rule := time_rule(config):
        question_follow_up(cohort, rule, problems)
    return data


def _validation(
    data: Trainable, validated: Validated, config: Config, problems: Problems, progress: Progress
) -> tuple[dict[str, float], RunTables]:
    """Figures over the folds, at held-out sites and after a date, as far as they are asked for."""
    progress("intervals", 0, 0)
    metrics, tables = _figures(data, validated, config)
    if config.validation.sites:
        tables["sites"], over_sites = _at_sites(data, leave_one_site_out(data, config, progress))
        metrics |= over_sites
    if config.validation.split_date:
        metrics |= _temporal_metrics(data, config, problems)
    return metrics, tables


def _checks(
    data: Trainable,
    validated: Validated,
    config: Config,
    metrics: dict[str, float],
    tables: RunTables,
    progress: Progress,
) -> list[Check]:
    checked = honesty_checks if data.times is None else survival_checks
    with threadpool_limits(1):
        return checked(data, validated, config, metrics, tables, progress)


def for_readers(config: Config, y: np.ndarray, p: np.ndarray) -> TrainingAggregates:
    """What a page says of the score beside its number: the question, and what was seen of training
    patients with a like score.

    Parameters
    ----------
    y, p : arrays of n
        Labels, and probabilities by models that had not seen the patient.
    """
    alike = calibration_bins(y, p, min(max(1, len(y) // _ALIKE), _MOST_ALIKE))
    firsts = np.cumsum([0, *(row["n"] for row in alike[:-1])])
    ends = np.sort(p)[firsts].round(2).tolist()  # no one patient's score
    label = config.label.model_dump(mode="json") | {"cutoffs": list(config.cutoffs)}
    seen = [AlikePatients({**row, "from": start}) for row, start in zip(alike, ends, strict=True)]
    return {"question": label, "alike": seen}


def _of_readers(config: Config, data: Trainable, validated: Validated) -> TrainingAggregates:
    """`for_readers`; of a survival time with the risk by month 12 that was seen."""
    if data.times is None:
        return for_readers(config, data.y, validated.probability["model"])
    question = config.label.model_dump(mode="json") | {"coverage": config.validation.coverage}
    of = seen(data, validated.curves)
    risks = of.risks("model")
    if 12 not in risks:
        return {"question": question, "alike": []}
    risk = risks[12]
    bins = min(max(1, len(risk) // _ALIKE), _MOST_ALIKE)
    rows = calibration_table(of.months, of.event, risk, 12, bins)
    firsts = np.cumsum([0, *(int(row["n"]) for row in rows[:-1])])
    starts = np.sort(risk)[firsts].round(2).tolist()
    alike = [
        AlikePatients({**row, "n": int(row["n"]), "from": start})  # type: ignore[typeddict-item]
        for row, start in zip(rows, starts, strict=True)
    ]
    one = np.ones((1, len(risk)))
    observed = float(observed_by(of.months, of.event, one, 12)[0])
    return {"question": question, "alike": alike, "positive": observed}


def _figures(
    data: Trainable, validated: Validated, config: Config
) -> tuple[dict[str, float], RunTables]:
    """Single figures of the cross-validation, and its tables."""
    if data.times is not None:
        metrics, tables = survival_figures(data, validated, config)
        courses = [fold.course for fold in validated.folds]
        metrics |= course_estimates(data, courses, config)
        return metrics, {**tables, **_of_folds(data, validated)}
    metrics, tables = estimates(data, validated, config), _tables(data, validated, config)
    tables["reliability"], denoised = denoised_reliability(data, validated, config)
    weighted = weighted_estimates(
        data.y,
        validated.probability["model"],
        validated.predicted["model"],
        data.weights,
        list(validated.by_repeat["model"]),
    )
    return metrics | denoised | weighted, tables


def _final_model(
    data: Trainable, config: Config, remembers: TrainingAggregates
) -> tuple[Predictor, list[TrialRow]]:
    """The model of all labelled patients with what it remembers of them, and the settings tried."""
    trials: list[Trial] = []
    with threadpool_limits(1):
        fitted, ladder = data.fit(data.rows.to_numpy(), np.arange(len(data.y)), config, trials)
    predictor = Predictor(
        fitted=fitted,
        spec=data.spec,
        lookups=data.cohort.lookups,
        definitions=data.cohort.definitions,
        ladder=ladder,
        training={**training_aggregates(data.rows, data.y), **remembers},
    )
    return predictor, [_trial_row(trial) for trial in trials]


def _trial_row(trial: Trial) -> TrialRow:
    return {
        "estimator": trial.estimator,
        "number": trial.number,
        "parameters": trial.parameters,
        "loss": trial.loss,
        "state": trial.state,
        "seconds": trial.seconds,
    }


def _tables(data: Trainable, validated: Validated, config: Config) -> RunTables:
    y, p, v = data.y, validated.probability["model"], config.validation
    weights = family_weights(y, data.families, min(v.bootstrap, _BAND_DRAWS), v.seed)
    return {
        "calibration": calibration_bins(y, p),
        "calibration_curve": smooth_calibration(y, p, weights).curve,
        "subgroups": subgroup_table(data, validated),
        "thresholds": threshold_table(y, p),
        "decision_curve": decision_curve(
            y, {name: validated.probability[name] for name in validated.predicted}, weights
        ),
        "enrichment": enrichment_table(y, p, data.slope, data.by_event, weights),
        **_of_folds(data, validated),
    }


def _of_folds(data: Trainable, validated: Validated) -> RunTables:
    """What the folds lean on, and what each of them chose."""
    return {
        "importance": importance_table(data.cohort.definitions, data.spec, validated.folds),
        "folds": [
            {"fold": i, "calibration": fold.calibration, "members": fold.members}
            for i, fold in enumerate(validated.folds)
        ],
    }


def _at_sites(data: Trainable, folds: dict[str, Fold]) -> tuple[list[SiteRow], dict[str, float]]:
    """Results at each held-out site, and pooled."""
    if data.times is None:
        table = site_table(data, folds)
        return table, site_estimates(table)
    table = survival_sites(data, folds)
    return table, pooled_over_sites(table)


def _apparent(
    predictor: Predictor, data: Trainable, validated: Validated, metrics: dict[str, float]
) -> dict[str, float]:
    """ROC AUC (of times the c-index) of the final model on its own training patients, how much of
    it is optimism, and the parameters it spent.
    """
    if data.times is not None:
        score = predictor.fitted.score(data.rows.to_numpy())
        one, times = np.ones((1, len(score))), data.times
        c = harrell_c(times.months, times.outcome, score, one)[0]
        return {"apparent_harrell_c": float(c), "optimism": float(c) - metrics["harrell_c"]}
    probability = predictor.fitted.probability(data.rows.to_numpy())
    y, repeats = data.y, validated.by_repeat["model"]
    apparent = auc_with_error(y, probability)[0]
    new = float(np.mean([losses(y, p).mean() for p in repeats]))
    return {
        "apparent_roc_auc": apparent,
        "optimism_roc_auc": apparent - metrics["roc_auc"],
        "r2_cox_snell": r2_of(new, float(y.mean())),
        "effective_parameters": effective_parameters(
            len(y), new, float(losses(y, probability).mean())
        ),
    }


def _temporal_metrics(data: Trainable, config: Config, problems: Problems) -> dict[str, float]:
    fold, counts, known = temporal(data, config)
    said = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items())
    remedy = (
        "Embargoed: indexed before the date, but the label was known only after it. "
        "Relatives of a training patient are not tested."
    )
    problems.note("validation.split_date", said, remedy, code="labels_counted")
    if fold is None:
        problems.warn(
            "validation.split_date",
            "a side has too few patients of a label",
            "Choose another date.",
            code="labels_unusable",
        )
        return {}
    if known.times is not None:
        figures = figures_of_others(seen(known, fold.curves, fold.test), config)
        return {f"temporal_{name}": value for name, value in figures.items()}
    return _prefixed(
        "temporal",
        data.y[fold.test],
        fold.probability["model"],
        fold.predicted["model"],
        data.families[fold.test],
        config,
    )


def _prefixed(
    prefix: str,
    y: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    families: np.ndarray,
    config: Config,
) -> dict[str, float]:
    figures = evaluate(
        y, probability, predicted, families, config.validation.bootstrap, config.validation.seed
    )
    return {f"{prefix}_{name}": value for name, value in figures.items()} | {
        f"{prefix}_n": float(len(y))
    }


def _external_metrics(
    predictor: Predictor,
    config: Config,
    source: CohortSource,
    problems: Problems,
    progress: Progress,
) -> dict[str, float]:
    """Metrics of the final model on a held-out cohort."""
    progress("held-out cohort", 0, 0)
    if rule := time_rule(config):
        return _external_times(predictor, config, rule, source, problems)
    y, probability, families = external(predictor, config, source, problems)
    if len(np.unique(y)) < 2:
        problems.warn(
            "validation.cohort",
            f"its {len(y)} labelled patients have one label only",
            "Give a larger one.",
            code="labels_unusable",
        )
        return {}
    predicted = (probability >= predictor.fitted.calibration.threshold).astype(float)
    return _prefixed("external", y, probability, predicted, families, config)


def _external_times(
    predictor: Predictor,
    config: Config,
    rule: TimeRule,
    source: CohortSource,
    problems: Problems,
) -> dict[str, float]:
    """The same of survival times."""
    of = external_times(predictor, rule, source, problems)
    events = of.events
    if not 0 < events < len(of.event):
        problems.warn(
            "validation.cohort",
            f"of its {len(of.event)} patients with a time and a risk {events} have the event",
            "Give a cohort with and without the event, followed beyond the landmark.",
            code="labels_unusable",
        )
        return {}
    figures = figures_of_others(of, config)
    return {f"external_{name}": value for name, value in figures.items()}


def external_times(
    predictor: Predictor, rule: TimeRule, source: CohortSource, problems: Problems
) -> Seen:
    """Time, risks and family of the patients of another cohort who have both.

    Parameters
    ----------
    predictor : Predictor
        The model.
    rule : TimeRule
        How times are made.
    source : CohortSource
        The other cohort.
    problems : Problems
        Gets the count of each reason.

    Returns
    -------
    Seen
        Whom the model had not seen, if the cohort is another one.
    """
    cohort = predictor.read(source, Problems())
    labels, times = survival_labels(cohort, rule)
    said = in_words(labels, TASKS[predictor.fitted.task])
    problems.note("validation.cohort", f"its labels: {said}", "", code="labels_counted")
    return seen_rows(times, cohort.families, predictor.predict_cohort(cohort, drivers=False))


def external(
    predictor: Predictor, config: Config, source: CohortSource, problems: Problems
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, probability and family of the labelled and scored patients of another cohort.

    Parameters
    ----------
    predictor : Predictor
        The model.
    config : Config
        How labels are made.
    source : CohortSource
        The other cohort.

    Returns
    -------
    y, probability, families : arrays
        One entry a labelled and scored patient.
    """
    cohort = predictor.read(source, Problems())
    labels = make_labels(config, cohort)
    said = in_words(labels, config.question)
    problems.note("validation.cohort", f"its labels: {said}", "", code="labels_counted")
    rows = predictor.predict_cohort(cohort, drivers=False)
    probability = np.array(
        [np.nan if row["probability"] is None else row["probability"] for row in rows]
    )
    kept = np.isfinite(labels.judged) & np.isfinite(probability)
    return labels.judged[kept], probability[kept], cohort.families[kept]


def _note_scheme(config: Config, definitions: Definitions, problems: Problems) -> None:
    label = config.label
    if config.task != "progression" or label.column is not None or label.cutoff is not None:
        return
    table = definitions.table("progression_schemes").set_index("scheme")
    measure = table["measure"][label.scheme]
    if measure == label.measure or label.scheme == "default":
        return
    published = {"delta_fs": "for dFS", "slope": "for a prospective slope"}.get(
        measure, "for a measure that we could not confirm"
    )
    here = {"delta_fs": "dFS", "slope": "a prospective slope"}[label.measure]
    cuts = " and ".join(f"{cut:g}" for cut in config.cutoffs)
    reason = (
        f"the cut-offs of {label.scheme} ({cuts} points/month) were published {published}; here"
        f" they cut {here}"
    )
    problems.warn(
        "label.scheme",
        reason,
        "Name them as such where you report the result.",
        code="label_scheme",
    )


def _reading(progress: Progress, what: str) -> None:
    progress(f"reading {what}", 0, 0)


def _as_simulated(config: Config) -> bool:
    """Whether the label is the one that the simulator's truth speaks of."""
    beside = {"cutoff", "scheme", "learn", "uncertain"}
    default = type(config.label)()
    usual = progression_schemes(config.tables())[default.scheme]
    return config.cutoffs[-1] == usual[-1] and (
        config.label.model_dump(exclude=beside) == default.model_dump(exclude=beside)
    )


def best_possible(
    config: Config, data: Trainable, probability: np.ndarray
) -> tuple[float, float] | None:
    """ROC AUC of the simulator's own probability on the same patients (of a time by month 12), and
    the share of it reached; None for real cohorts.

    It is the simulator's `truth.csv`, which is read here only, after everything is fitted.

    Parameters
    ----------
    config : Config
        Of the run.
    data : Trainable
        The labelled patients.
    probability : array (n,)
        Their out-of-fold probabilities.

    Returns
    -------
    auc, share : float
        1 is all that is possible.
    """
    path = Path(config.cohort).parent / "truth.csv"
    column = f"p_{config.task}"
    if (
        not path.is_file()
        or not _as_simulated(config)
        or (config.task != FAMILIAL.name and config.landmark_days != 90)
    ):
        return None
    truth = pd.read_csv(path, dtype={"sample_id": str}).set_index("sample_id")
    if column not in truth.columns:
        return None
    best = truth[column].reindex(data.rows.index).to_numpy(dtype=float)
    known = np.isfinite(data.judged) & np.isfinite(probability)
    if not np.isfinite(best[known]).all() or len(np.unique(data.judged[known])) < 2:
        return None
    if data.times is not None:
        return share_by_year(data.times, probability, best)
    return share_of_possible(data.judged[known], probability[known], best[known])


def unbeaten_of(training: Training) -> list[str]:
    """Sentences on the lack of any signal and on the baselines that the model is not shown to beat.

    Parameters
    ----------
    training : Training
        Of `train`.

    Returns
    -------
    list of str
        Without a full stop; empty if all is well.
    """
    if training.data.times is not None:
        return survival_unbeaten(training.metrics) + unbeaten_courses(training.metrics)
    return unbeaten(training.metrics, training.task.name)


def summary(training: Training) -> list[SummaryRow]:
    """The short table at the end: the model, each baseline, and the best possible score of a
    simulated cohort.

    Parameters
    ----------
    training : Training
        Of `train`.

    Returns
    -------
    list of dict
        Metrics by name.
    """
    names = list(training.out_of_fold)
    table: list[SummaryRow] = [{"name": name, **training.metrics_of(name)} for name in names]
    table[0]["name"] = training.config.model.estimator
    for row, name in zip(table[1:], names[1:], strict=True):
        row["name"] = f"baseline: {name}"
    if training.best_possible:
        metric = "roc_auc" if training.data.times is None else "auc_12m"
        table.append({"name": "best possible (simulated truth)", metric: training.best_possible[0]})
    return table
