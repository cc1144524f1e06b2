"""Pin a model for a trial."""

import argparse
from pathlib import Path

from als_ml.cli import print_table
from als_ml.output import check_output

SUMMARY = "pin a model's version, digest, threshold and definitions for a trial"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--model", required=True, help="models:/NAME@ALIAS or models:/NAME/VERSION")
    made.add_argument("--output", required=True, help="lock file to write, .json")


def run(arguments: argparse.Namespace) -> int:
    """Write a trial's lock file."""
    path = Path(arguments.output)
    check_output(path, (".json",))
    from als_ml.lifecycle.lock import write_lock

    pinned = write_lock(arguments.model, path)
    if not arguments.quiet:
        print_table([{"pinned": name, "value": value} for name, value in pinned.items()])
        print(
            f"written: {path}. Score with: python predict.py --lock {path} --cohort ..."
            " --output ..."
        )
    return 0
