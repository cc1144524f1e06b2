"""Train one model from a configuration."""

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import LOG, print_table, progress_bar, report_problems, said_at_once
from als_ml.config import load_config
from features.stored import Record

if TYPE_CHECKING:
    from als_ml.training.run import Training

SUMMARY = "train, validate, track and register one model from a configuration file"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--config", required=True, help="configuration, as in configs/")
    made.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one dotted key",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, track and register one model."""
    # SIGTERM ends like Ctrl-C: the run is KILLED, and nothing is half-written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config = load_config(Path(arguments.config), arguments.changes)
    # The first word, before anything heavy is imported.
    LOG.info("training %s on %s", config.task, config.cohort)
    with progress_bar(arguments.quiet) as progress:
        from als_ml.tracking.store import check_store
        from als_ml.training.run import summary, train

        check_store()
        training = train(config, progress, arguments.allow_outside, said_at_once(arguments.quiet))
        progress("logging to MLflow", 0, 0)
        from als_ml.tracking.log import log_training

        logged = log_training(training)
    if not arguments.quiet:
        report_problems(training.warnings)
        _print_training(training, summary(training), logged)
    return 0


def _print_training(training: "Training", table: list[Record], logged: dict[str, str]) -> None:
    from als_ml.tracking.view import where_to_look
    from als_ml.training.estimates import unbeaten
    from als_ml.training.metrics import interval_words

    rough = interval_words(training.metrics["n"], training.metrics["n_positive"])
    task = training.task
    for sentence in unbeaten(training.metrics, task.name):
        print(f"NOTE: {sentence}.")
    print(f"\n{task.positive} v {task.negative}")
    shown = (
        "roc_auc",
        "roc_auc_low",
        "roc_auc_high",
        "average_precision",
        "brier",
        "calibration_slope",
    )
    names = {
        "roc_auc_low": f"95 % low {rough}".rstrip(),
        "roc_auc_high": "high",
        "average_precision": "avg precision",
        "calibration_slope": "cal. slope",
    }
    rows = [
        {"out of fold": row["name"], **{names.get(m, m): row.get(m) for m in shown}}
        for row in table
    ]
    print_table(rows)
    if training.best_possible:
        share = training.best_possible[1]
        print(
            f"SIMULATED cohort: reached {share:.0%} of the possible (AUC - 0.5). This proves the"
            " machinery, not medicine."
        )
    extra = {
        name: value
        for name, value in training.metrics.items()
        if name.startswith(("slope_", "baseline_mean_", "classes_"))
    }
    if extra:
        print("; ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in extra.items()))
    if "assay_status_roc_auc" in training.metrics:
        print(
            f"AUC of assay status alone: {training.metrics['assay_status_roc_auc']:.3f} (who was"
            " tested is never an input)"
        )
    for sentence in _beside_the_label(training.metrics, task.positive):
        print(sentence)
    if "sites_roc_auc" in training.metrics:
        low, high = (training.metrics.get(f"sites_roc_auc_{end}") for end in ("low", "high"))
        print(
            f"held-out sites: pooled ROC AUC {training.metrics['sites_roc_auc']:.3f}"
            f" ({low:.3f}-{high:.3f})"
        )
    print_table(
        [{"honesty check": c.name, "verdict": c.verdict, "found": c.found} for c in training.checks]
    )
    model = (
        f"models:/{logged['name']}@{logged['alias']} (version {logged['version']})"
        if "name" in logged
        else logged["model_uri"]
    )
    print(f"model {model}; run {logged['run_id']}")
    print(where_to_look(logged))


def _beside_the_label(m: dict[str, float], positive: str) -> list[str]:
    """What the label hides: its noise, and who has none."""
    said = []
    if "denoised_fast" in m:
        said.append(
            f"the label is noisy: of {m['denoised_n']:.0f} patients with a slope"
            f" {m['denoised_labelled']:.0%} are labelled {positive}, {m['denoised_fast']:.0%} truly"
            " so (de-noised; tables/reliability.csv); probability is that of the label"
        )
    if "ipl_roc_auc" in m:
        said.append(
            f"weighted by the inverse probability of labelling: ROC AUC {m['ipl_roc_auc']:.3f}, "
            f"Brier {m['ipl_brier']:.3f}, cal. slope {m['ipl_calibration_slope']:.3f}"
        )
    return said
