"""Compare two models."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import print_table, progress_bar, report_problems
from als_ml.output import check_output, write_table

if TYPE_CHECKING:
    from als_ml.lifecycle.comparison import Compared

SUMMARY = "compare two models: what differs, how good they are, and who changes class"


# Figures of two runs side by side, of classes and of a time.
_OF_CLASSES = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_slope",
    "coverage",
    "sites_roc_auc",
    "n",
)
_OF_TIMES = (
    "c_index",
    "harrell_c",
    "auc_12m",
    "brier_12m",
    "calibration_slope",
    "oe_12m",
    "bound_coverage",
    "sites_harrell_c",
    "n",
)


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument(
        "models", nargs=2, metavar="MODEL", help="models:/NAME@ALIAS or models:/NAME/VERSION"
    )
    made.add_argument(
        "--cohort", help="cohort to score with both; without it, the figures of their runs"
    )
    made.add_argument("--output", help="patients who change class, .csv or .parquet")


def run(arguments: argparse.Namespace) -> int:
    """Compare two models, on a cohort or by the metrics of their runs."""
    if arguments.output:
        check_output(Path(arguments.output))
    if not arguments.cohort:
        return _compare_runs(arguments)
    from als_ml.cohort.source import open_cohort
    from als_ml.lifecycle.comparison import compare, scored_cohort
    from als_ml.lifecycle.differences import made, what_differs
    from als_ml.lifecycle.registry import registered_version, run_config
    from als_ml.tracking.loader import load
    from features.tables.problems import Problems

    with progress_bar(arguments.quiet) as progress:
        progress("scoring with both models", 0, 0)
        source = open_cohort(Path(arguments.cohort), arguments.allow_outside)
        versions = [registered_version(uri) for uri in arguments.models]
        differences = what_differs(*(made(version) for version in versions))
        config = run_config(versions[0].run_id, arguments.cohort)
        problems = Problems()
        ours, theirs = (
            scored_cohort(load(uri), config, source, problems) for uri in arguments.models
        )
        compared = compare(ours, theirs)
        labels = ours.labels
    report_problems(problems.found)
    if arguments.output:
        write_table(compared.changed, Path(arguments.output))
    if not arguments.quiet:
        _print_differences(differences, "the patients are labelled as the first model's run did")
        print(labels)
        _print_comparison(compared, arguments)
    return 0


def _print_differences(differences: list[dict[str, str]], other_label: str) -> None:
    """Say what differs, and what models of different labels mean for the figures."""
    if not differences:
        print("both were made alike: label, features, definitions, data and estimator")
        return
    from als_ml.lifecycle.differences import other_label as asked_otherwise

    if asked_otherwise(differences):
        print(f"the two models predict different labels; {other_label}")
    print_table(differences, "what differs")


def _print_comparison(found: "Compared", arguments: argparse.Namespace) -> None:
    from features.tables.coded import records_of

    print(
        f"{found.n} patients scored by both, {found.n_labelled} labelled; "
        f"probabilities correlate {found.correlation:.3f}"
    )
    for metric, (difference, low, high) in found.differences.items():
        print(f"{metric}: first minus second {difference:+.4f} ({low:+.4f} to {high:+.4f})")
    if not found.differences:
        print("no differences of performance: the labelled patients do not have both labels")
    print_table(
        records_of(found.classes.rename_axis("second \\ first").reset_index()),
        "predicted classes" if found.answer == "class" else f"{found.answer}s",
    )
    where = f"written: {arguments.output}" if arguments.output else "name them with --output FILE"
    print(f"{len(found.changed)} patients change {found.answer}; {where}. Research use only.")


def _compare_runs(arguments: argparse.Namespace) -> int:
    from als_ml.lifecycle.differences import made, what_differs
    from als_ml.lifecycle.registry import registered_version, run_metrics

    versions = [registered_version(uri) for uri in arguments.models]
    differences = what_differs(*(made(version) for version in versions))
    first, second = (run_metrics(version) for version in versions)
    names = _OF_TIMES if "c_index" in first else _OF_CLASSES
    rows = [
        {"metric": name, "first": first.get(name), "second": second.get(name)} for name in names
    ]
    if not arguments.quiet:
        _print_differences(differences, "neither figure says which of them is better")
        print_table(
            rows,
            "each run's own figures, on its own patients; --cohort FILE compares on the same ones",
        )
    return 0
