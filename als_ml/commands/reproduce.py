"""Repeat a run from its manifest and compare every figure."""

import argparse

from als_ml.cli import print_table, progress_bar
from features.errors import DataError

SUMMARY = "repeat a run from its manifest and compare every figure"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("run_id", metavar="RUN_ID", help="run of train.py")
    made.add_argument(
        "--cohort", required=True, help="the cohort file of that run (its path is not logged)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Repeat a run and compare every figure."""
    from als_ml.lifecycle.reproduction import reproduce

    with progress_bar(arguments.quiet) as progress:
        reproduced = reproduce(
            arguments.run_id, arguments.cohort, progress, arguments.allow_outside
        )
    for difference in reproduced.inputs:
        print(f"note: {difference}")
    if reproduced.differing:
        if not arguments.quiet:
            print_table(reproduced.differing[:20], "figures that differ")
        what = f"{len(reproduced.differing)} of {reproduced.compared} figures differ"
        raise DataError(
            f"run {arguments.run_id}",
            what,
            "; ".join(reproduced.inputs) or "Nothing known explains it: please report it.",
            code="not_reproduced",
        )
    if not arguments.quiet:
        print(f"all {reproduced.compared} figures are the same")
    return 0
