"""Train one model from a configuration: python train.py --config configs/progression.yaml."""

import signal
import sys

from als_ml.cli import parser, run


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run."""
    made = parser("Train, validate, track and register one model from a configuration file.")
    made.add_argument("--config", required=True, help="configuration, as in configs/")
    made.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one dotted key",
    )
    arguments = made.parse_args(argv)
    from als_ml.commands import train_command

    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # ends like Ctrl-C: the run is KILLED, nothing half-written
    return run(train_command, arguments)


if __name__ == "__main__":
    sys.exit(main())
