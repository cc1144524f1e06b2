"""`python -m als_ml COMMAND`: everything that is neither training nor batch prediction."""

import argparse
import sys

from als_ml.cli import EPILOG, run


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    made = argparse.ArgumentParser(
        prog="python -m als_ml", description="ALS stratification: cohorts and features.", epilog=EPILOG
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    simulate = _add(commands, "simulate", "write a realistic made-up cohort with truth.csv")
    simulate.add_argument("--patients", type=int, default=800, help="how many (default 800)")
    simulate.add_argument("--seed", type=int, default=1, help="same seed, same cohort (default 1)")
    simulate.add_argument("--output", required=True, help="folder to make")

    check = _add(commands, "check", "say what is in the files of a cohort and what is wrong with them")
    check.add_argument("--cohort", required=True, help="cohort.yaml")
    check.add_argument("--json", action="store_true", help="for machines")

    features = _add(commands, "features", "write the rows a model would see, with a feature dictionary beside them")
    features.add_argument("--cohort", required=True, help="cohort.yaml")
    features.add_argument("--output", required=True, help="features, .parquet or .csv")
    features.add_argument("--landmark-days", type=int, default=90, help="features end here (default 90)")
    return made


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, does: str
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=does, description=does[:1].upper() + does[1:] + ".", epilog=EPILOG)
    made.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    arguments = make_parser().parse_args(argv)
    from als_ml import commands

    return run(getattr(commands, f"{arguments.command}_command"), arguments)


if __name__ == "__main__":
    sys.exit(main())
