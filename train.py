"""Train one model from a configuration: python train.py --config configs/progression.yaml."""

import sys

try:
    from als_ml.cli import run, single
    from als_ml.commands import train
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: this Python lacks the package {missing.name}. `make setup` makes one that has all:"
        " .venv/bin/python train.py, or `source .venv/bin/activate` first."
    )


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    return run(train.run, single(train).parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
