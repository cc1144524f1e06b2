"""Turn GA4GH phenopackets (v2 JSON) into a cohort folder."""

import argparse

from als_ml.cli import import_folder

SUMMARY = "turn GA4GH phenopackets (v2 JSON) into a cohort folder"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("folder", metavar="DIR", help="folder to read")
    made.add_argument("--output", required=True, help="cohort folder to make")


def run(arguments: argparse.Namespace) -> int:
    """Import a folder."""
    from als_ml.imports.phenopackets import import_phenopackets

    return import_folder(import_phenopackets, arguments)
