"""Score a cohort: python predict.py --model models:/als-progression@champion --cohort cohort.yaml
--output out.csv.
"""

import sys

from als_ml.cli import run, single
from als_ml.commands import predict


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    return run(predict.run, single(predict).parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
