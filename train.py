"""Train one model from a configuration: python train.py --config configs/progression.yaml."""

import sys

from als_ml.cli import run, single
from als_ml.commands import train


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    return run(train.run, single(train).parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
