"""Say whether all genomes of a cohort have been read ahead."""

import argparse

from als_ml.commands.extract import SHOWN, add_plan_options, planned
from features.errors import DataError, examples

SUMMARY = "say whether all parts of `extract` are there, and which files are missing"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    add_plan_options(made)


def run(arguments: argparse.Namespace) -> int:
    """Exit 0 if all are there, else 1 with the files that are missing."""
    plan = planned(arguments)
    absent = plan.absent()
    if absent:
        raise DataError(
            arguments.extracts,
            f"{len(absent)} files have not been read: {examples(absent, SHOWN)}",
            "Run `als-ml extract` again; what is there is not read again.",
            code="file_absent",
        )
    if not arguments.quiet:
        print(f"all {len(plan.tasks)} parts are there")
        print(f"next: features, check, train or predict with --extracts {arguments.extracts}")
    return 0
