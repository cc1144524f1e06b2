"""Make a version the champion by the rule."""

import argparse
from pathlib import Path

from als_ml.cli import print_table, progress_bar, said_at_once
from features.errors import DataError

SUMMARY = "make a version the champion by the rule, or print the log of such decisions"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    what.add_argument("--log", action="store_true", help="print who decided what, when and why")
    made.add_argument("--name", help="with --log: of one registered model")
    made.add_argument("--cohort", help="cohort that neither model was trained on")
    made.add_argument(
        "--leave-out",
        action="store_true",
        help="with --cohort: leave out whom either model has seen, instead of refusing",
    )
    made.add_argument(
        "--training-cohort",
        help="instead: refit both configurations on the same folds of this cohort",
    )
    made.add_argument(
        "--override", metavar="REASON", help="promote whatever the rule says; the reason is kept"
    )
    made.add_argument("--by", help="who decides (default: the user name)")


def run(arguments: argparse.Namespace) -> int:
    """Move the champion alias by the rule or an override, or print the log of decisions."""
    from als_ml.cohort.source import open_cohort
    from als_ml.lifecycle.promotion import promote, promotion_log

    if arguments.log:
        entries = promotion_log(arguments.name)
        print_table(entries) if entries else print("no decision yet")
        return 0
    cohort, training = (
        open_cohort(Path(path), arguments.allow_outside) if path else None
        for path in (arguments.cohort, arguments.training_cohort)
    )
    with progress_bar(arguments.quiet) as progress:
        progress("comparing with the champion", 0, 0)
        version, decision = promote(
            arguments.model,
            cohort,
            training,
            arguments.override,
            arguments.by,
            arguments.leave_out,
            said_at_once(arguments.quiet),
        )
    if not decision.promoted:
        remedy = "Improve it, or promote it with --override REASON; the refusal is in the log."
        raise DataError(
            f"{version.name} version {version.version}",
            "; ".join(decision.reasons),
            remedy,
            code="model_refused",
        )
    if not arguments.quiet:
        if decision.figures:
            print_table(
                [
                    {"figure": name.replace("_", " "), "value": value}
                    for name, value in decision.figures.items()
                ]
            )
        why = "; ".join(decision.reasons) or "the rule is met"
        print(f"champion of {version.name}: version {version.version} ({why})")
    return 0
