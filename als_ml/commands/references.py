"""Fetch the reference files, cut to the gene panel."""

import argparse
from pathlib import Path

from als_ml.cli import LOG, progress_bar
from features.errors import RequestError
from features.genome_build import known_build

SEQUENCES_KEY = "sequences"
SUMMARY = "fetch FASTA, ClinVar and gnomAD, cut to the gene panel, or missing coding sequences"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--output", help="folder to fill (not for sequences)")
    made.add_argument(
        "--genome-build",
        default="GRCh38",
        type=known_build,
        choices=("GRCh37", "GRCh38"),
        help="default GRCh38",
    )
    made.add_argument("--sources", help="where to fetch them from (default: the shipped list)")
    made.add_argument(
        "--only",
        default="",
        help="some of fasta,clinvar,frequencies,alphamissense,revel; or sequences: the coding"
        " sequences that are not shipped, kept in your data folder and used from then on",
    )
    made.add_argument(
        "--accept-licence",
        default="",
        help="some of alphamissense,revel, whose licence you have read and accept",
    )
    made.add_argument(
        "--into-package",
        action="store_true",
        help="for maintainers: write fetched sequences into the definition tables",
    )


def run(arguments: argparse.Namespace) -> int:
    """Fetch the reference files, or the missing sequences."""
    only = tuple(name for name in arguments.only.split(",") if name)
    if only == (SEQUENCES_KEY,):
        return _run_sequences(arguments)
    _check(arguments, only)
    from als_ml.references import cohort_block, fetch_references

    with progress_bar(arguments.quiet) as progress:
        paths = fetch_references(
            Path(arguments.output),
            arguments.genome_build,
            _sources(arguments.sources),
            only,
            progress,
            accepted=tuple(arguments.accept_licence.split(",")),
        )
    if not arguments.quiet:
        print(f"written to {arguments.output}. For your cohort.yaml:\n\n{cohort_block(paths)}")
        print("A cohort file in another folder needs --allow-outside to name them.")
    return 0


def _check(arguments: argparse.Namespace, only: tuple[str, ...]) -> None:
    if SEQUENCES_KEY in only:
        raise RequestError(
            f"--only {arguments.only}",
            "sequences are kept elsewhere than reference files",
            "Fetch them by a run of their own.",
            code="option_conflict",
        )
    if arguments.into_package:
        raise RequestError(
            "--into-package", "it is for --only sequences", "Leave it out.", code="option_conflict"
        )
    if arguments.output is None:
        raise RequestError(
            "--output", "it is missing", "Name a folder to fill.", code="option_value"
        )


def _run_sequences(arguments: argparse.Namespace) -> int:
    from als_ml.references.sequences import fetch_sequences
    from als_ml.references.sources import sequence_addresses
    from features.catalogue import shipped

    addresses = sequence_addresses(_sources(arguments.sources))
    with progress_bar(arguments.quiet) as progress:
        fetched = fetch_sequences(shipped(), addresses, progress, arguments.into_package)
    for gene, reason in fetched.refused.items():
        LOG.warning("%s: not fetched (%s)", gene, reason)
    if not arguments.quiet:
        compared = sum(checked.compared for checked in fetched.kept.values())
        different = sum(checked.different for checked in fetched.kept.values())
        names = ", ".join(fetched.kept) or "nothing was missing"
        print(f"written to {fetched.path}: {names}")
        print(f"{compared} known bases compared, {different} differ.")
    return 0


def _sources(named: str | None) -> Path:
    if named is not None:
        return Path(named)
    from als_ml.shipped import config_folder

    return config_folder() / "references" / "sources.yaml"
