"""Turn tables of the OMOP CDM 5.4 into a cohort folder."""

import argparse
from functools import partial
from pathlib import Path

from als_ml.cli import import_folder

SUMMARY = "turn tables of the OMOP CDM 5.4 into a cohort folder"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("folder", metavar="DIR", help="folder with person, observation, ...")
    made.add_argument("--output", required=True, help="cohort folder to make")
    made.add_argument(
        "--concepts", type=Path, help="table of your own concepts: kind, concept, ours"
    )


def run(arguments: argparse.Namespace) -> int:
    """Import a folder."""
    from als_ml.imports.omop import import_omop

    return import_folder(partial(import_omop, concepts=arguments.concepts), arguments)
