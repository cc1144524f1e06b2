"""`als-ml COMMAND`, the same as `python -m als_ml COMMAND`: every command is a file of
`als_ml.commands`.
"""

import argparse
import sys
from types import ModuleType

from als_ml import __version__
from als_ml.cli import EPILOG, add_shared, run
from als_ml.commands import (
    check,
    compare,
    completion,
    config,
    doctor,
    extract,
    features,
    gather,
    import_amp_als,
    import_omop,
    import_phenopackets,
    import_proact,
    init,
    lock,
    monitor,
    predict,
    promote,
    push,
    recalibrate,
    references,
    report,
    reproduce,
    serve,
    simulate,
    train,
    trial,
    variants,
)

# In the order of a user's day.
COMMANDS: dict[str, ModuleType] = {
    "simulate": simulate,
    "init": init,
    "check": check,
    "features": features,
    "variants": variants,
    "extract": extract,
    "gather": gather,
    "train": train,
    "predict": predict,
    "report": report,
    "serve": serve,
    "compare": compare,
    "promote": promote,
    "monitor": monitor,
    "recalibrate": recalibrate,
    "lock": lock,
    "trial": trial,
    "reproduce": reproduce,
    "push": push,
    "references": references,
    "import-proact": import_proact,
    "import-omop": import_omop,
    "import-amp-als": import_amp_als,
    "import-phenopackets": import_phenopackets,
    "config": config,
    "doctor": doctor,
    "completion": completion,
}


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    made = argparse.ArgumentParser(
        prog="als-ml",
        description="ALS patients from files to answers: familial or sporadic, fast or slow.",
        epilog=EPILOG,
    )
    made.add_argument("--version", action="version", version=f"als-ml {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = command.SUMMARY
        sentence = f"{summary[:1].upper()}{summary[1:]}."
        parser = commands.add_parser(name, help=summary, description=sentence, epilog=EPILOG)
        add_shared(parser)
        command.add_options(parser)
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    arguments = make_parser().parse_args(argv)
    return run(COMMANDS[arguments.command].run, arguments)


if __name__ == "__main__":
    sys.exit(main())
