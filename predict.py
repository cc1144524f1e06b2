"""Score a cohort: python predict.py --model models:/als-progression@champion --cohort cohort.yaml
--output out.csv.
"""

import sys

try:
    from als_ml.cli import run, single
    from als_ml.commands import predict
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: this Python lacks the package {missing.name}. `make setup` makes one that has all:"
        " .venv/bin/python predict.py, or `source .venv/bin/activate` first."
    )


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    return run(predict.run, single(predict).parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
