"""Write a cohort as one HTML file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import progress_bar
from als_ml.output import check_apart, check_output, together, write_table
from features.errors import RequestError

if TYPE_CHECKING:
    from als_ml.pages.facts import Page
    from als_ml.pages.protocol import Rule

SUMMARY = "write a cohort as one HTML file that opens offline, with a page per patient"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--cohort", help="cohort.yaml")
    made.add_argument(
        "--patient",
        metavar="FILE",
        help="instead of a cohort: one patient's record as JSON, as /invocations takes it",
    )
    made.add_argument(
        "--model", action="append", default=[], help="MLflow model URI; may be repeated"
    )
    made.add_argument("--output", required=True, help="report to write, .html")
    made.add_argument(
        "--table",
        help="also write everything that stands on the pages as a table, .csv or .parquet",
    )
    made.add_argument(
        "--rules", help="care protocol of your own, YAML, that extends or replaces the shipped one"
    )
    made.add_argument(
        "--region",
        action="append",
        default=[],
        help="whose licences and coverage are shown: US, EU, UK, Canada or Japan; may be repeated"
        " (default all, each named). Medical rules are shown everywhere",
    )
    made.add_argument(
        "--verified-only",
        action="store_true",
        help="leave out rules whose source was not read, which are marked as to be checked",
    )
    made.add_argument(
        "--phenopackets", metavar="DIR", help="also write each patient as a GA4GH phenopacket"
    )
    made.add_argument(
        "--pseudonymise",
        action="store_true",
        help="replace the samples by numbers; the key goes into OUTPUT.key.csv",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write a cohort report, or the page of one patient."""
    output = Path(arguments.output)
    check_output(output, (".html",))
    table = Path(arguments.table) if arguments.table else None
    if table:
        check_output(table)
    check_apart(output, table, _key_file(output))
    if bool(arguments.cohort) == bool(arguments.patient):
        raise RequestError(
            "report",
            "give either --cohort or --patient",
            "See report --help.",
            code="option_conflict",
        )
    make = _one_patient if arguments.patient else _cohort
    with together():
        pages, key = make(arguments, output)
        if table:
            from als_ml.pages.page_table import page_table

            write_table(page_table(pages), table)
    if not arguments.quiet:
        _say(output, len(pages), key)
    return 0


def _say(output: Path, patients: int, key: dict[str, str]) -> None:
    size = f"{output.stat().st_size / 1e6:.1f} MB, {patients:,} patients"
    print(f"written: {output} ({size}). Research use only.")
    if key:
        print(f"who is who: {_key_file(output)}; keep it apart from the report")


def _one_patient(
    arguments: argparse.Namespace, output: Path
) -> "tuple[list[Page], dict[str, str]]":
    """Write the page of the record in a file; nobody on it has a pseudonym."""
    from als_ml.output import whole_file
    from als_ml.pages.one_patient import one_page, write_patient_page
    from als_ml.pages.patient_pages import Setting
    from als_ml.tracking.loader import load

    if not arguments.model:
        raise RequestError(
            "--patient",
            "it needs a model, which reads the record",
            "Give --model.",
            code="option_conflict",
        )
    if arguments.phenopackets or arguments.pseudonymise:
        raise RequestError(
            "--patient",
            "--phenopackets and --pseudonymise are of a cohort",
            "Leave them out.",
            code="option_conflict",
        )
    rules = _rules(arguments)
    models = [load(uri) for uri in arguments.model]
    answer = one_page(Path(arguments.patient), models, Setting(rules=rules))
    with whole_file(output) as temporary:
        write_patient_page(answer, temporary)
    return [answer["page"]], {}


def _cohort(arguments: argparse.Namespace, output: Path) -> "tuple[list[Page], dict[str, str]]":
    """Write the report of a cohort, and who is who."""
    from als_ml.cohort.source import open_cohort
    from als_ml.output import whole_file
    from als_ml.pages.cohort_page import pseudonymised, write_report
    from als_ml.pages.phenopacket_export import write_phenopackets
    from als_ml.pages.report import make_report
    from als_ml.tracking.loader import load

    rules = _rules(arguments)
    with progress_bar(arguments.quiet) as progress:
        progress("reading", 0, 0)
        source = open_cohort(Path(arguments.cohort), arguments.allow_outside)
        models = {uri: load(uri) for uri in arguments.model}
        report = make_report(source, models, rules, tuple(arguments.region), progress)
        key = pseudonymised(report.pages) if arguments.pseudonymise else {}
        progress("writing", 0, 0)
        with whole_file(output) as temporary:
            write_report(report, temporary)
        if arguments.phenopackets:
            progress("exporting", 0, 0)
            build = source.described.genome_build
            write_phenopackets(report.cohort, build, Path(arguments.phenopackets), key)
        _write_key(key, output)
    return report.pages, key


def _rules(arguments: argparse.Namespace) -> "tuple[Rule, ...]":
    """The care protocol that the options choose."""
    from als_ml.pages.protocol import read_rules

    given = Path(arguments.rules) if arguments.rules else None
    return read_rules(given, tuple(arguments.region), recalled=not arguments.verified_only)


def _write_key(key: dict[str, str], output: Path) -> None:
    """Who is who, in a file that only its owner reads."""
    if not key:
        return
    import pandas as pd

    rows = pd.DataFrame({"sample_id": list(key), "pseudonym": list(key.values())})
    write_table(rows, _key_file(output), private=True)


def _key_file(output: Path) -> Path:
    return output.with_suffix(".key.csv")
