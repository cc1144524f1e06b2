"""Say what is in the files of a cohort and what is wrong with them."""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import add_cluster, add_extracts, print_table, progress_bar
from als_ml.config import load_config
from als_ml.output import check_output, write_table
from features.errors import RequestError, examples, printable

if TYPE_CHECKING:
    from als_ml.cohort.check import CheckReport, GeneRow, SiteRow
    from als_ml.config import Config

SUMMARY = "say what is in the files of a cohort and what is wrong with them"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--cohort", required=True, help="cohort.yaml")
    add_extracts(made)
    add_cluster(made)
    made.add_argument("--config", help="also say what labels this configuration makes of it")
    made.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one dotted key of the configuration",
    )
    made.add_argument("--json", action="store_true", help="for machines")
    made.add_argument(
        "--issues", type=Path, help="a line for each row with a problem, .csv or .parquet"
    )


def run(arguments: argparse.Namespace) -> int:
    """Say what is in the files and what is wrong; exit 1 on errors."""
    import pandas as pd

    from als_ml.cohort.check import check_cohort
    from als_ml.cohort.source import open_cohort
    from features.tables.problems import Issue

    if arguments.issues:
        check_output(arguments.issues)
    issues: list[Issue] | None = [] if arguments.issues else None
    source = open_cohort(
        path=Path(arguments.cohort),
        allow_outside=arguments.allow_outside,
        extracts=arguments.extracts,
        allow_remote=arguments.allow_remote,
    )
    with progress_bar(arguments.quiet or arguments.json) as progress:
        check = partial(check_cohort, source, lambda what: progress(f"reading {what}", 0, 0))
        config = _config(arguments)
        if config is None:
            report = check(issues=issues)
        else:
            from als_ml.training.preview import preview_of
            from als_ml.training.task_data import reading_of

            beside = partial(preview_of, config, source.described)
            report = check(reading_of(config), beside, issues)
    if issues is not None:
        write_table(pd.DataFrame(issues, columns=list(Issue._fields)), arguments.issues)
    errors = [problem for problem in report["problems"] if problem["severity"] == "error"]
    if arguments.json:
        print(json.dumps(report, indent=1))
    elif not arguments.quiet:
        _print_check(report)
        print(f"{len(errors)} errors, {len(report['problems']) - len(errors)} warnings and notes")
    return 1 if errors else 0


def _config(arguments: argparse.Namespace) -> "Config | None":
    """The configuration that says how the cohort is read and labelled."""
    if not arguments.config:
        if arguments.changes:
            raise RequestError(
                "--set",
                "there is no --config that it changes",
                "Give --config.",
                code="option_conflict",
            )
        return None
    return load_config(Path(arguments.config), arguments.changes)


def _print_check(report: "CheckReport") -> None:
    if report["contents"]:
        print_table([{"in the files": name, "n": n} for name, n in report["contents"].items()])
        print_table([report["samples"]], "patients found in")
        _print_columns(report["columns"])
        if report["analytes"]:
            print_table(report["analytes"], "biomarkers, in the canonical unit")
        if "labels" in report:
            print(f"labels of {report['labels']['task']}: {report['labels']['in words']}")
        _print_sites(report["sites"])
        _print_genes(report["genes"])
        if report["classes"]:
            print_table(report["classes"], "variants carried, by class")
    for file, problems in report["files"].items():
        print(f"\n{printable(file)}")
        for problem in problems:
            where = str(problem["where"]).removeprefix(file).lstrip(",: ")
            place = f" {where}:" if where else ""
            print(
                f"  {problem['severity']}:{place} {problem['found']}. {problem['remedy']}".rstrip()
            )


def _print_columns(columns: "list[dict[str, str | float]]") -> None:
    """Print what each column is read as, and how full it is, a line for each table."""
    for table in dict.fromkeys(row["table"] for row in columns):
        own = [row for row in columns if row["table"] == table]
        known = [row for row in own if row["read_as"]]
        read = [f"{_shown(row)} {row['filled']:.0f} %" for row in known if row["form"]]
        print(printable(f"{table}: read, and how full: {', '.join(read) or 'nothing'}"))
        if empty := [_shown(row) for row in known if not row["form"]]:
            print(printable(f"{table}: empty: {examples(empty, 20)}"))
        others = [row for row in own if not row["read_as"] and row["form"]]
        if others:
            said = [f"{r['column']} ({r['form']}) {r['filled']:.0f} %" for r in others]
            print(printable(f"{table}: unknown to the contract: {examples(said, 20)}"))


def _shown(row: "dict[str, str | float]") -> str:
    """What a column is read as, and its own name where that is another."""
    same = row["column"] == row["read_as"]
    return str(row["column"]) if same else f"{row['read_as']} ({row['column']})"


def _print_sites(sites: "list[SiteRow]") -> None:
    """Print the median of each analyte by site."""
    names = dict.fromkeys(row["site"] for row in sites)
    analytes = dict.fromkeys(row["analyte"] for row in sites)
    cells = {
        (row["analyte"], row["site"]): f"{row['median']:.3g} ({row['% missing']:.0f} %)"
        for row in sites
    }
    table = [
        {"analyte": a, **{name: cells.get((a, name), "-") for name in names}} for a in analytes
    ]
    if len(names) > 1:
        print_table(table, "median by site (and patients without a value)")


def _print_genes(genes: "list[GeneRow]") -> None:
    """Print the genes that are covered in less than 95 % of the patients, and count the others."""
    patients = (
        sum(genes[0][name] for name in ("unknown", "not covered", "partly", "covered"))
        if genes
        else 0
    )
    shown = [row for row in genes if row["covered"] < 0.95 * patients and row["unknown"] < patients]
    unknown = [row["gene"] for row in genes if row["unknown"] == patients]
    if shown:
        print_table(shown, "genes covered in less than 95 % of the patients")
    covered = len(genes) - len(shown) - len(unknown)
    print(
        f"{covered} genes covered in 95 % or more; unknown in all: {examples(unknown, 5) or 'none'}"
    )
