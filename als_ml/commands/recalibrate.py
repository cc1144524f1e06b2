"""Recalibrate a model for a new centre."""

import argparse
from pathlib import Path

from als_ml.cli import print_table, progress_bar

SUMMARY = "update a model's calibration for a new centre, as a new version"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--model", required=True, help="models:/NAME@ALIAS or models:/NAME/VERSION")
    made.add_argument("--cohort", required=True, help="labelled patients of the new centre")


def run(arguments: argparse.Namespace) -> int:
    """Recalibrate a model for a new centre as a new version."""
    from als_ml.cohort.source import open_cohort
    from als_ml.lifecycle.recalibration import recalibrate

    with progress_bar(arguments.quiet) as progress:
        progress("recalibrating", 0, 0)
        source = open_cohort(Path(arguments.cohort), arguments.allow_outside)
        done = recalibrate(arguments.model, source)
    if not arguments.quiet:
        print(done.labels)
        rows = [
            {"on these patients": "before", **done.before},
            {"on these patients": "after", **done.after},
        ]
        print_table(
            rows,
            f"{done.n} patients, {done.n_positive} positive; after is a fit, not a validation",
        )
        print(f"model models:/{done.name}@challenger (version {done.version})")
    return 0
