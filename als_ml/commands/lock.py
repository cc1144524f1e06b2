"""Pin a model for a trial."""

import argparse
from pathlib import Path

from als_ml.cli import print_table
from als_ml.output import check_output
from features.errors import RequestError

SUMMARY = "pin a model's version, digest, threshold and definitions for a trial"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("--model", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    made.add_argument("--output", help="lock file to write, .json")
    made.add_argument(
        "--sign", metavar="KEY", help="sign it with an Ed25519 private key, a PEM file"
    )
    made.add_argument(
        "--new-key",
        metavar="FILE",
        help="make such a key instead, and print its public key for a site's list of trusted ones",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write a trial's lock file."""
    if arguments.new_key:
        from als_ml.lifecycle.signature import new_key

        print(new_key(Path(arguments.new_key)))
        return 0
    if not (arguments.model and arguments.output):
        raise RequestError(
            "lock",
            "give --model and --output",
            "See python -m als_ml lock --help.",
            code="option_conflict",
        )
    path = Path(arguments.output)
    check_output(path, (".json",))
    from als_ml.lifecycle.lock import write_lock

    pinned = write_lock(arguments.model, path, Path(arguments.sign) if arguments.sign else None)
    if not arguments.quiet:
        print_table([{"pinned": name, "value": value} for name, value in pinned.items()])
        print(
            f"written: {path}. Score with: python predict.py --lock {path} --cohort ..."
            " --output ..."
        )
    return 0
