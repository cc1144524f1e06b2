"""Say whether this installation can do its work."""

import argparse

from als_ml.cli import print_table, progress_bar

SUMMARY = "say whether this installation can work: versions, store, disk, a small job"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument(
        "--fast", action="store_true", help="without the small job, which takes up to 20 seconds"
    )


def run(arguments: argparse.Namespace) -> int:
    """Examine the installation; exit 1 where something is bad."""
    from als_ml.health import examine

    findings = []
    with progress_bar(arguments.quiet) as progress:
        for finding in examine(self_test=not arguments.fast):
            progress(finding.what, 0, 0)
            findings.append(finding)
    bad = [finding for finding in findings if finding.verdict == "bad"]
    if not arguments.quiet or bad:
        shown = bad if arguments.quiet else findings
        print_table(
            [{"what": f.what, "": f.verdict, "found": f.found, "to do": f.remedy} for f in shown]
        )
    return 1 if bad else 0
