"""Fetch the reference files, cut to the gene panel."""

import argparse
from pathlib import Path

from als_ml.cli import progress_bar

SUMMARY = "fetch FASTA, ClinVar and gnomAD, cut to the gene panel"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--output", required=True, help="folder to fill")
    made.add_argument(
        "--genome-build", default="GRCh38", choices=("GRCh37", "GRCh38"), help="default GRCh38"
    )
    made.add_argument("--sources", help="where to fetch them from (default: the shipped list)")
    made.add_argument("--only", default="", help="some of fasta,clinvar,frequencies")


def run(arguments: argparse.Namespace) -> int:
    """Fetch the reference files."""
    from als_ml.references import cohort_block, fetch_references

    only = tuple(name for name in arguments.only.split(",") if name)
    with progress_bar(arguments.quiet) as progress:
        paths = fetch_references(
            Path(arguments.output),
            arguments.genome_build,
            _sources(arguments.sources),
            only,
            progress,
        )
    if not arguments.quiet:
        print(f"written to {arguments.output}. For your cohort.yaml:\n\n{cohort_block(paths)}")
        print("A cohort file in another folder needs --allow-outside to name them.")
    return 0


def _sources(named: str | None) -> Path:
    if named is not None:
        return Path(named)
    from als_ml.shipped import config_folder

    return config_folder() / "references" / "sources.yaml"
