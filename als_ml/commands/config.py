"""Print a shipped configuration, to start one of your own from."""

import argparse

SUMMARY = "print a shipped configuration: als-ml config progression > mine.yaml"


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("name", nargs="?", help="without it the names are listed")


def run(arguments: argparse.Namespace) -> int:
    """Print a configuration, or the names of all."""
    from als_ml.shipped import config_names, config_path

    if arguments.name is None:
        print("\n".join(config_names()))
    else:
        print(config_path(arguments.name).read_text(encoding="utf-8"), end="")
    return 0
