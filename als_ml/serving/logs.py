"""What a server says on standard error: one line an event, with the time and no value sent."""

import logging
import sys


def log_to_standard_error(access: bool) -> None:
    """Send the lines of our loggers and of the server there.

    Parameters
    ----------
    access : bool
        Whether each request has a line.
    """
    # No line names a thread or a process: what is not told is not looked up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    levels = {"als_ml": logging.INFO, "uvicorn": logging.WARNING}
    levels["als_ml.access"] = logging.INFO if access else logging.CRITICAL
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for name in ("als_ml", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [lines], False
