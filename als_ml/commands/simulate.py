"""Write a made-up cohort."""

import argparse
from pathlib import Path

from als_ml.cli import add_cluster, print_table, progress_bar
from features import bounds
from features.errors import RequestError, printable

SUMMARY = "write a realistic made-up cohort with truth.csv"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--patients", type=int, default=800, help="how many (default 800)")
    made.add_argument("--seed", type=int, default=1, help="same seed, same cohort (default 1)")
    made.add_argument(
        "--follow-up-months",
        type=int,
        default=14,
        help="months after the landmark until which patients are seen: 30 shows risks by month 24"
        " (default 14)",
    )
    made.add_argument("--output", required=True, help="folder to make")
    made.add_argument(
        "--block",
        type=int,
        metavar="N",
        help="make N patients at a time, side by side, each block with random numbers and genome"
        " files of its own: another cohort of the seed than without",
    )
    add_cluster(made)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what no cohort can be made of."""
    for name in ("patients", "block"):
        number = getattr(arguments, name)
        if number is not None and number < 1:
            raise RequestError(
                f"--{name} {number}",
                "must be at least 1",
                "Give how many patients to make.",
                code="option_value",
            )
    if not 0 <= arguments.seed <= bounds.MOST_SEED:
        raise RequestError(
            printable(f"--seed {arguments.seed}", 40),
            "the value is not possible",
            f"Give a whole number from 0 to {bounds.MOST_SEED}.",
            code="option_value",
        )
    if arguments.cluster and arguments.block is None:
        raise RequestError(
            f"--cluster {arguments.cluster}",
            "the random numbers of this cohort are one stream, which cannot be divided",
            "Add --block 5000: each block then has a stream of its own.",
            code="option_conflict",
        )


def run(arguments: argparse.Namespace) -> int:
    """Write a made-up cohort."""
    _check(arguments)
    from als_ml.simulate import simulate

    with progress_bar(arguments.quiet) as progress:
        made = simulate(
            folder=Path(arguments.output),
            patients=arguments.patients,
            seed=arguments.seed,
            progress=progress,
            follow_up_months=arguments.follow_up_months,
            block=arguments.block,
        )
    if not arguments.quiet:
        print_table(
            [
                {"simulated cohort": name.replace("_", " "), "value": value}
                for name, value in made.items()
            ]
        )
        print(
            f"written: {arguments.output}. Made-up patients: they prove that the machinery works,"
            " not medicine."
        )
    return 0
