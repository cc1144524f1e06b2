"""Say how far a cohort has drifted from a model's training patients."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import print_table, progress_bar, report_problems, whole
from als_ml.output import check_output, write_table

if TYPE_CHECKING:
    from als_ml.lifecycle.monitoring import DriftRow

SUMMARY = "say how far a cohort has drifted from a model's training patients"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--model", required=True, help="models:/NAME@ALIAS or models:/NAME/VERSION")
    made.add_argument("--cohort", required=True, help="cohort.yaml")
    made.add_argument("--output", help="drift of every feature, .csv or .parquet")


def run(arguments: argparse.Namespace) -> int:
    """Say how far a cohort has drifted from a model's training patients."""
    if arguments.output:
        check_output(Path(arguments.output))
    import pandas as pd

    from als_ml.cohort.source import open_cohort
    from als_ml.lifecycle.comparison import scored
    from als_ml.lifecycle.monitoring import (
        calibration_now,
        drift_table,
        flags,
        log_monitoring,
        rows_as_seen,
    )
    from als_ml.lifecycle.registry import registered_version, run_config
    from als_ml.tracking.loader import load
    from features.tables.problems import Problems

    with progress_bar(arguments.quiet) as progress:
        progress("reading", 0, 0)
        version, predictor = registered_version(arguments.model), load(arguments.model)
        source = open_cohort(Path(arguments.cohort), arguments.allow_outside)
        config = run_config(version.run_id, arguments.cohort)
        problems = Problems()
        cohort = predictor.read(source, problems)
        now = scored(predictor, config, cohort)
        table = drift_table(predictor, rows_as_seen(predictor, cohort))
        seen, calibration = flags(now), calibration_now(now)
        logged = log_monitoring(version, table, seen, calibration)
    if arguments.output:
        write_table(pd.DataFrame(table), Path(arguments.output))
    if not arguments.quiet:
        report_problems(problems.found)
        _print_drift(table)
        print_table([seen], "patients")
        print(now.labels)
        _print_calibration(calibration)
        if not logged:
            print("not logged in MLflow: figures of so few patients speak of single ones")
    return 0


def _print_drift(table: "list[DriftRow]") -> None:
    """Print the features that have drifted; the first three where none has."""
    moved = [row for row in table if row["verdict"] != "stable"]
    print_table(
        moved[:20] or table[:3],
        f"{len(moved)} of {len(table)} features have drifted "
        "(PSI 0.1 look, 0.25 shifted, and beyond chance)",
    )
    if table and table[0]["basis"] == "deciles":
        print("this model keeps deciles only: PSI is a lower bound; train it again for drift")


def _print_calibration(figures: dict[str, float]) -> None:
    if figures:
        print_table([{**figures, "labelled": whole(figures["labelled"])}], "calibration")
    else:
        print("no calibration: too few labelled patients")
