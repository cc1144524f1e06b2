"""Turn tables of the AMP ALS data model into a cohort folder."""

import argparse
from functools import partial
from pathlib import Path

from als_ml.cli import import_folder

SUMMARY = "turn tables of the AMP ALS data model (LinkML) into a cohort folder"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("folder", metavar="DIR", help="folder with Subject.csv, ...")
    made.add_argument("--output", required=True, help="cohort folder to make")
    made.add_argument(
        "--slots", type=Path, help="table of further slots: class, slot, table, ours, unit"
    )


def run(arguments: argparse.Namespace) -> int:
    """Import a folder."""
    from als_ml.imports.amp_als import import_amp_als

    return import_folder(partial(import_amp_als, slots=arguments.slots), arguments)
