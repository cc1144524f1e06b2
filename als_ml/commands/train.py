"""Train one model from a configuration."""

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import (
    LOG,
    add_cluster,
    add_extracts,
    print_table,
    progress_bar,
    report_problems,
    said_at_once,
)
from als_ml.cluster import on_cluster
from als_ml.config import Config, load_config

if TYPE_CHECKING:
    from als_ml.training.run import Training

SUMMARY = "train, validate, track and register one model from a configuration file"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    add_extracts(made)
    add_cluster(made)
    made.add_argument("--config", required=True, help="configuration, as in configs/")
    made.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one dotted key",
    )

    made.add_argument(
        "--dry-run",
        action="store_true",
        help="read the cohort, say what would be trained and about how long; nothing is stored",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, track and register one model."""
    # SIGTERM ends like Ctrl-C: the run is KILLED, and nothing is half-written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config = load_config(Path(arguments.config), arguments.changes)
    # The first word, before anything heavy is imported.
    LOG.info("training %s on %s", config.question.name, config.cohort)
    with on_cluster(None if arguments.cluster else config.cluster.where):
        return _plan(arguments, config) if arguments.dry_run else _run(arguments, config)


def _plan(arguments: argparse.Namespace, config: Config) -> int:
    """Say what would be trained."""
    from als_ml.cohort.read import read_cohort
    from als_ml.cohort.source import open_cohort
    from als_ml.training.preview import plan_of
    from als_ml.training.task_data import check_labels, prepare, reading_of
    from features.tables.problems import Problems

    problems = Problems()
    with progress_bar(arguments.quiet) as progress:
        progress("reading", 0, 0)
        source = open_cohort(Path(config.cohort), arguments.allow_outside, arguments.extracts)
        data = prepare(config, read_cohort(source, reading_of(config), problems), source.described)
        check_labels(data.y, data.families, config)
        progress("one fit, to tell the time", 0, 0)
        plan = plan_of(config, data)
    report_problems(problems.found)
    blocks = ", ".join(f"{n} {block}" for block, n in plan.blocks.items())
    print(f"{config.question.name} on {config.cohort}: {plan.patients} labelled patients")
    print(f"labels: {plan.labels}")
    print(f"features: {sum(plan.blocks.values())} ({blocks}), {plan.known:.0%} of them known")
    print(
        f"{plan.estimator}: about {plan.fits} fits of {plan.seconds_a_fit:.1f} s,"
        f" {plan.minutes:.1f} minutes on one processor; intervals come on top"
    )
    print("nothing was stored")
    return 0


def _run(arguments: argparse.Namespace, config: Config) -> int:
    with progress_bar(arguments.quiet) as progress:
        from als_ml.tracking.store import check_store
        from als_ml.training.run import summary, train

        check_store()
        say = said_at_once(arguments.quiet)
        training = train(
            config=config,
            progress=progress,
            allow_outside=arguments.allow_outside,
            say=say,
            extracts=arguments.extracts,
            allow_remote=arguments.allow_remote,
        )
        progress("logging to MLflow", 0, 0)
        from als_ml.tracking.log import log_training

        logged = log_training(training)
    if not arguments.quiet:
        report_problems(training.warnings)
        _print_training(training, summary(training), logged)
    return 0


# Metric -> head of its column in the short table.
_SHOWN = {
    "roc_auc": "roc_auc",
    "roc_auc_low": "95 % low",
    "roc_auc_high": "high",
    "average_precision": "avg precision",
    "brier": "brier",
    "calibration_slope": "cal. slope",
}


_SHOWN_OF_TIMES = {
    "c_index": "c-index",
    "c_index_low": "95 % low",
    "c_index_high": "high",
    "auc_12m": "AUC 12m",
    "brier_12m": "brier 12m",
    "brier_24m": "brier 24m",
    "calibration_slope": "cal. slope",
    "oe_12m": "O/E 12m",
}


def _print_training(
    training: "Training", table: list[dict[str, str | float]], logged: dict[str, str]
) -> None:
    """Print what a reader needs first: what is not shown, the figures, the checks, the model."""
    from als_ml.tracking.view import where_to_look
    from als_ml.training.run import unbeaten_of

    metrics, task, times = training.metrics, training.task, training.data.times is not None
    for sentence in unbeaten_of(training):
        print(f"NOTE: {sentence}.")
    print(f"\ntime to {task.event_words}" if times else f"\n{task.positive} v {task.negative}")
    print_table(_figures(table, metrics, _SHOWN_OF_TIMES if times else _SHOWN))
    for sentence in (
        *_of_the_possible(training),
        *_of_slopes_and_classes(metrics),
        *_of_the_assay(metrics),
        *_beside_the_label(metrics, task.positive),
        *_of_sites(metrics),
    ):
        print(sentence)
    if courses := _of_courses(metrics):
        print_table(courses, "ALSFRS-R out of fold: error, beside naive courses")
    print_table(
        [{"honesty check": c.name, "verdict": c.verdict, "found": c.found} for c in training.checks]
    )
    print(f"model {_model(logged)}; run {logged['run_id']}")
    print(where_to_look(logged))


def _figures(
    table: list[dict[str, str | float]], metrics: dict[str, float], shown: dict[str, str]
) -> list[dict[str, object]]:
    """One line for the model and each baseline."""
    from als_ml.training.metrics import interval_words

    rough = interval_words(metrics["n"], metrics["n_positive"])
    heads = {
        metric: f"{head} {rough}".rstrip() if head == "95 % low" else head
        for metric, head in shown.items()
    }
    return [
        {"out of fold": row["name"], **{head: row.get(metric) for metric, head in heads.items()}}
        for row in table
    ]


def _of_the_possible(training: "Training") -> list[str]:
    """How much of the possible a simulated cohort gave."""
    if not training.simulated:
        return []
    best, reached = training.best_possible, ""
    if best:
        reached = f": reached {best[1]:.0%} of the possible (AUC - 0.5)"
    return [f"SIMULATED cohort{reached}. This proves the machinery, not medicine."]


def _of_courses(metrics: dict[str, float]) -> list[dict[str, object]]:
    """A line for the slope and each total that a survival model predicts."""
    return [
        {
            "course": name,
            "measured": int(metrics[f"{name}_n"]),
            "error": metrics[f"{name}_rmse"],
            "last total": metrics.get(f"baseline_last_total_{name}_rmse"),
            "early slope": metrics.get(f"baseline_early_slope_{name}_rmse"),
            "in the interval": metrics[f"{name}_coverage"],
        }
        for name in ("slope", "total_3m", "total_6m", "total_9m", "total_12m")
        if f"{name}_rmse" in metrics
    ]


def _of_slopes_and_classes(metrics: dict[str, float]) -> list[str]:
    """Agreement of rates and classes, where they are learned."""
    if "slope_rmse" in metrics:  # of a survival model: a table of its own
        return []
    prefixes = ("slope_", "baseline_mean_", "classes_")
    further = {name: value for name, value in metrics.items() if name.startswith(prefixes)}
    words = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in further.items()]
    return ["; ".join(words)] if words else []


def _of_the_assay(metrics: dict[str, float]) -> list[str]:
    """How much it says of a patient that somebody had a test made."""
    if "assay_status_roc_auc" not in metrics:
        return []
    auc = metrics["assay_status_roc_auc"]
    return [f"AUC of assay status alone: {auc:.3f} (who was tested is never an input)"]


def _of_sites(metrics: dict[str, float]) -> list[str]:
    """What is to be expected at a site that trained nothing."""
    if "sites_harrell_c" in metrics:
        first, last = metrics["sites_harrell_c_low"], metrics["sites_harrell_c_high"]
        pooled = f"{metrics['sites_harrell_c']:.3f} ({first:.3f}-{last:.3f})"
        return [f"held-out sites: pooled c-index (Harrell) {pooled}"]
    if "sites_roc_auc" not in metrics:
        return []
    auc, low, high = (metrics.get(f"sites_roc_auc{end}") for end in ("", "_low", "_high"))
    return [f"held-out sites: pooled ROC AUC {auc:.3f} ({low:.3f}-{high:.3f})"]


def _model(logged: dict[str, str]) -> str:
    """The model as other commands take it."""
    if "name" not in logged:
        return logged["model_uri"]
    return f"models:/{logged['name']}@{logged['alias']} (version {logged['version']})"


def _beside_the_label(metrics: dict[str, float], positive: str) -> list[str]:
    """What the label hides: its noise, and who has none."""
    sentences = []
    if "denoised_fast" in metrics:
        n, labelled, truly = (metrics[f"denoised_{name}"] for name in ("n", "labelled", "fast"))
        sentences.append(
            f"the label is noisy: of {n:.0f} patients with a slope {labelled:.0%} are labelled"
            f" {positive}, {truly:.0%} truly so (de-noised; tables/reliability.csv); probability is"
            " that of the label"
        )
    if "ipl_roc_auc" in metrics:
        auc, brier = metrics["ipl_roc_auc"], metrics["ipl_brier"]
        slope = metrics["ipl_calibration_slope"]
        sentences.append(
            f"weighted by the inverse probability of labelling: ROC AUC {auc:.3f},"
            f" Brier {brier:.3f}, cal. slope {slope:.3f}"
        )
    return sentences
