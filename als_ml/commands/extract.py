"""Read the genomes of a cohort ahead, whole or as one task of a job array."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cli import add_cluster, progress_bar, report_problems
from features.errors import DataError, RequestError, examples

if TYPE_CHECKING:
    from als_ml.cohort.extracts import Plan

SUMMARY = "read the genomes of a cohort ahead, whole or as one task of a job array"
# Files that a message names.
SHOWN = 20


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    add_plan_options(made)
    add_cluster(made)
    made.add_argument(
        "--slurm",
        metavar="PROFILE",
        help="read nothing, print the script of a job array by this profile for `sbatch`",
    )
    made.add_argument(
        "--part", default="1/1", metavar="K/N", help="only the K-th of N shares (default 1/1)"
    )


def add_plan_options(made: argparse.ArgumentParser) -> None:
    """Options that say what is to be read and where it goes."""
    made.add_argument("--cohort", required=True, help="cohort.yaml")
    made.add_argument("--extracts", required=True, help="folder of the parts; made where absent")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--model", help="with the thresholds and definitions of this model")
    how.add_argument("--config", help="with those of this configuration")


def run(arguments: argparse.Namespace) -> int:
    """Read one share; exit 1, with the name of each, if files cannot be used."""
    if arguments.slurm:
        print(_script(arguments), end="")
        return 0
    number, of = _share(arguments.part)
    plan = planned(arguments)
    from als_ml.cohort.extracts import extract_share

    with progress_bar(arguments.quiet) as progress:
        problems = extract_share(plan, number, of, lambda what: progress(f"reading {what}", 0, 0))
    files = sum(len(paths) for paths, _ in plan.share(number, of))
    errors = [problem for problem in problems if problem.severity == "error"]
    report_problems(problem for problem in problems if problem.severity != "error")
    if errors:
        raise DataError(
            "variants",
            f"{len(errors)} of {files} files cannot be used: "
            + examples((f"{problem.where}: {problem.found}" for problem in errors), SHOWN),
            "The others are kept: correct these, or leave them out, and run it again.",
            code="file_unreadable",
        )
    if not arguments.quiet:
        print(f"kept: {len(plan.share(number, of))} parts in {arguments.extracts}")
    return 0


def _script(arguments: argparse.Namespace) -> str:
    """The job array that does what was asked; paths hold wherever a task runs."""
    from als_ml.slurm import array_script, read_profile

    paths = {
        "cohort": arguments.cohort,
        "extracts": arguments.extracts,
        "config": arguments.config,
    }
    words = [
        word
        for name, path in paths.items()
        if path is not None
        for word in (f"--{name}", str(Path(path).resolve()))
    ]
    words += ["--model", arguments.model] if arguments.model else []
    flags = ("allow_outside", "allow_remote", "quiet", "verbose")
    words += [f"--{name.replace('_', '-')}" for name in flags if getattr(arguments, name)]
    return array_script(read_profile(Path(arguments.slurm)), ["extract", *words])


def planned(arguments: argparse.Namespace) -> "Plan":
    """What the command is to read."""
    from als_ml.cohort.extracts import plan_extraction
    from als_ml.cohort.read import plain_reading
    from als_ml.cohort.source import open_cohort

    source = open_cohort(
        path=Path(arguments.cohort),
        allow_outside=arguments.allow_outside,
        allow_remote=arguments.allow_remote,
    )
    reading = plain_reading()
    if arguments.model:
        from als_ml.tracking.loader import load

        predictor = load(arguments.model)
        predictor.check_build(source)
        reading = predictor.reading
    elif arguments.config:
        from als_ml.config import load_config
        from als_ml.training.task_data import reading_of

        reading = reading_of(load_config(Path(arguments.config), []))
    return plan_extraction(source, reading, Path(arguments.extracts))


def _share(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    if number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of):
        return int(number), int(of)
    raise RequestError(
        f"--part {text}", "it is not a share such as 3/10", "Count from 1.", code="option_value"
    )
