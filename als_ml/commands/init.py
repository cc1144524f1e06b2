"""Propose a cohort file for files that nobody has described."""

import argparse
from pathlib import Path

from als_ml.cli import progress_bar
from features.errors import RequestError, printable

SUMMARY = "look at tables and genomes, and propose a cohort.yaml of them"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="workbook, CSV, TSV, Parquet, VCF; without any, empty tables are written",
    )
    made.add_argument("--output", required=True, help="folder of the cohort; made if it is absent")
    made.add_argument("--name", help="of the cohort (default: the folder's name)")


def run(arguments: argparse.Namespace) -> int:
    """Propose a cohort file and say what was understood, or write empty tables."""
    folder = Path(arguments.output)
    name = arguments.name or folder.resolve().name
    if not arguments.files:
        return _write_templates(folder, name, arguments.quiet)
    return _propose([Path(file) for file in arguments.files], folder, name, arguments.quiet)


def _write_templates(folder: Path, name: str, quiet: bool) -> int:
    from als_ml.proposal.templates import write_templates

    described, book = write_templates(folder, name)
    if not quiet:
        print(f"fill in {book}; then: als-ml check --cohort {described}")
    return 0


def _propose(files: list[Path], folder: Path, name: str, quiet: bool) -> int:
    from als_ml.proposal.from_files import propose
    from als_ml.proposal.writing import CHECK, write_proposal

    absent = [path for path in files if not path.is_file()]
    if absent:
        raise RequestError(
            str(absent[0]), "there is no such file", "Correct the path.", code="file_absent"
        )
    # `folder/*` names the indexes of genomes, too; they are found beside their files.
    files = [path for path in files if path.suffix not in (".tbi", ".csi")]
    with progress_bar(quiet) as progress:
        proposal = propose(files, name, lambda what: progress(what, 0, 0))
        written = write_proposal(proposal, folder)
    if not quiet:
        for one in proposal.tables:
            n = len(one.table.cells)
            shown = printable(one.table.shown)
            print(f"{one.kind}: {shown}, {n} rows, {len(one.columns)} columns known")
        if proposal.variants:
            n = len(proposal.matches)
            print(f"genomes: {n} patients have a name in {len(proposal.variants)} files")
        text = written[0].read_text(encoding="utf-8")
        print(
            f"{text.count(CHECK)} lines to check in {written[0]}; then: als-ml check --cohort "
            f"{written[0]}"
        )
    return 0
