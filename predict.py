"""Score a cohort in batch: python predict.py --model models:/als-progression@champion --cohort cohort.yaml --output out.csv."""

import sys

from als_ml.cli import parser, run


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    made = parser("Score every patient of a cohort with one or several models.")
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", action="append", help="MLflow model URI; may be repeated")
    which.add_argument(
        "--lock", action="append", help="a trial's lock file instead; any other model is refused"
    )
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--cohort", help="cohort.yaml")
    source.add_argument("--features", help="table made by `python -m als_ml features`")
    made.add_argument("--output", required=True, help="predictions, .csv or .parquet")
    made.add_argument(
        "--explanations",
        help="also write contributions by feature, block and mechanism, .csv or .parquet",
    )
    made.add_argument(
        "--no-drivers", action="store_true", help="leave the contributions out; faster"
    )
    made.add_argument(
        "--resume",
        action="store_true",
        help="go on with an interrupted run: finished chunks are kept",
    )
    arguments = made.parse_args(argv)
    from als_ml.commands import predict_command

    return run(predict_command, arguments)


if __name__ == "__main__":
    sys.exit(main())
