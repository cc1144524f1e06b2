"""What every command shares: errors as one message, diagnostics, progress, tables on the terminal.

Results go to standard output. Diagnostics go through `logging` to standard error, a line each that
begins with its level: errors always, warnings and notes unless `--quiet`, steps with `--verbose`.
Imports nothing heavy.
"""

import argparse
import contextlib
import errno
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from als_ml.cluster import on_cluster
from features.errors import RequestError, UserError, printable

if TYPE_CHECKING:
    from features.tables.problems import Problem, Problems

# Told what is being done, how much of it is done, and of how much (0: not known).
Progress = Callable[[str, int, int], None]
LOG = logging.getLogger("als_ml")
# What a line of diagnostics begins with.
LEVELS = {
    logging.DEBUG: "step",
    logging.INFO: "note",
    logging.WARNING: "warning",
    logging.ERROR: "error",
}
_LEVEL_OF = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}
EPILOG = "Research use only; not for diagnosis or treatment."


def single(command: ModuleType) -> argparse.ArgumentParser:
    """Make the parser of a script that is one command of `als_ml.commands`."""
    summary = command.SUMMARY
    sentence = f"{summary[:1].upper()}{summary[1:]}."
    made = argparse.ArgumentParser(description=sentence, epilog=EPILOG)
    add_shared(made)
    command.add_options(made)
    return made


def add_shared(made: argparse.ArgumentParser) -> None:
    """Options of every command.

    Parameters
    ----------
    made : ArgumentParser
        Of a command.
    """
    loudness = made.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="print nothing but errors")
    loudness.add_argument(
        "--verbose", action="store_true", help="say each step and when it began, on standard error"
    )
    made.add_argument(
        "--allow-outside",
        action="store_true",
        help="let a cohort file name files outside its own folder",
    )
    made.add_argument(
        "--allow-remote",
        action="store_true",
        help="let `variants` name genomes behind https://, s3:// or gs:// (needs als-ml[remote])",
    )


def add_extracts(made: argparse.ArgumentParser) -> None:
    """The option of a command that reads a cohort whose genomes may have been read ahead."""
    made.add_argument(
        "--extracts",
        type=Path,
        help="folder of `als-ml extract`: what is there is not read again, the rest is put there",
    )


def add_cluster(made: argparse.ArgumentParser) -> None:
    """The option of a command whose work may be done by a cluster."""
    made.add_argument(
        "--cluster",
        metavar="WHERE",
        help="let Dask do the work: local[:N] processes of this machine, tls://HOST:PORT or"
        " tcp://HOST:PORT of a scheduler that runs, slurm:PROFILE.yaml (needs als-ml[cluster])",
    )


def run(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a command; a user's mistake ends in one message on standard error and its exit status,
    never in a traceback.

    Parameters
    ----------
    command : callable
        `run` of a module of `als_ml.commands`.
    arguments : Namespace
        What the user said.

    Returns
    -------
    int
        Exit status: 0 done, 1 the data has errors, 2 the request is wrong, 130 interrupted.
    """
    with diagnostics(arguments.quiet, arguments.verbose):
        try:
            with on_cluster(getattr(arguments, "cluster", None)):
                return command(arguments)
        except UserError as error:
            return _ended(arguments, error)
        except KeyboardInterrupt:
            print("interrupted: nothing was written", file=sys.stderr)
            return 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            return _ended(arguments, explained(error))


def _ended(arguments: argparse.Namespace, error: UserError) -> int:
    """Say what ended the command: in words, and with `--json` on standard output too."""
    LOG.error("%s", error)
    if getattr(arguments, "json", False):
        print(json.dumps({"error": error.as_dict()}, indent=1))
    return error.exit_status


class _Line(logging.Formatter):
    """`warning: text`, and for a step the seconds since the command began."""

    def __init__(self, begun: float):
        super().__init__()
        self.begun = begun

    def format(self, record: logging.LogRecord) -> str:
        text = f"{LEVELS.get(record.levelno, 'error')}: {printable(record.getMessage())}"
        if record.levelno > logging.DEBUG:
            return text
        return f"{text} ({record.created - self.begun:.1f} s)"


@contextlib.contextmanager
def diagnostics(quiet: bool, verbose: bool = False) -> Iterator[None]:
    """Show what the application says of its work on standard error, one line each.

    Parameters
    ----------
    quiet : bool
        Errors alone.
    verbose : bool
        Each step too.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Line(time.time()))
    before, level = LOG.propagate, LOG.level
    LOG.propagate = False
    LOG.setLevel(logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO)
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.propagate = before
        LOG.setLevel(level)


def explained(error: OSError) -> UserError:
    """A full disk, a read-only folder and their like: what, where, and what to do."""
    remedies = {
        errno.ENOSPC: "Free space on that disk",
        errno.EDQUOT: "Free space in your quota",
        errno.EFBIG: "The limit on the size of a file is too small",
        errno.EROFS: "Name a folder that can be written",
        errno.EACCES: "Ask for the rights, or name another place",
        errno.EPERM: "Ask for the rights, or name another place",
        errno.EMFILE: "Raise the limit on open files (ulimit -n)",
    }
    remedy = remedies.get(error.errno or 0, "Check the path and the disk")
    return UserError(
        str(error.filename or "a file"),
        str(error.strerror or error),
        f"{remedy}; what was there before is as it was.",
        code="machine_failed",
    )


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (what, done, of) that draws a progress bar on standard error.

    With `--verbose` a line for each step instead, which stays.

    Parameters
    ----------
    quiet : bool
        Draw nothing.
    """
    if LOG.isEnabledFor(logging.DEBUG):
        yield _steps()
        return
    if quiet:
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),  # a file may be called [red]
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, count="")

        def report(what: str, done: int = 0, of: int = 0) -> None:
            progress.update(
                task,
                description=printable(what),
                completed=done,
                total=of or None,
                count=f"{done}/{of}" if of else "",
            )

        yield report


def _steps() -> Callable[[str, int, int], None]:
    """A function that logs each step once, when it begins."""
    latest = [""]

    def report(what: str, _done: int = 0, of: int = 0) -> None:
        if what != latest[0]:
            latest[0] = what
            LOG.debug("%s%s", what, f" ({of})" if of else "")

    return report


def print_table(rows: Sequence[Mapping[str, object]], title: str = "") -> None:
    """Print records as a table: numbers with three decimals, missing ones as a dash."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=SIMPLE_HEAD)
    for name in names:
        table.add_column(
            printable(name),
            justify="left" if isinstance(rows[0].get(name), str) else "right",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    width = None if sys.stdout.isatty() else 120
    # A site may be called [red] or :heart:, and means it.
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    if title:
        console.print(printable(title), style="bold", soft_wrap=True)
    console.print(table)


def whole(value: float | None) -> int | None:
    """A count that is kept as a float, for a table that people read; None where there is none.

    Examples
    --------
    >>> whole(217.0), whole(float("nan")), whole(None)
    (217, None, None)
    """
    return None if value is None or value != value else round(value)


def _cell(value: object) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


def said_at_once(quiet: bool) -> Callable[[str], None]:
    """A function that prints a sentence while work goes on; nothing of it where it is to be
    quiet.
    """
    return (lambda _: None) if quiet else partial(print, flush=True)


def report_problems(problems: "Iterable[Problem]") -> None:
    """Say what was met in the files, one line each, on standard error.

    Parameters
    ----------
    problems : iterable of Problem
        Notes and warnings; errors ended the command.
    """
    for problem in problems:
        text = f"{problem.where}: {problem.found}. {problem.remedy}".rstrip()
        LOG.log(_LEVEL_OF[problem.severity], "%s", text)


def import_folder(
    imported: "Callable[[Path, Path, Problems], dict[str, int]]", arguments: argparse.Namespace
) -> int:
    """Turn a folder in another format into a cohort folder, and say what came of it."""
    from features.tables.problems import Problems

    problems, source = Problems(collect=True), Path(arguments.folder)
    if not source.is_dir():
        raise RequestError(
            str(source),
            "there is no such folder",
            "Give the folder that holds the files.",
            code="file_absent",
        )
    with progress_bar(arguments.quiet) as progress:
        progress(f"importing {source.name}", 0, 0)
        counts = imported(source, Path(arguments.output), problems)
    if not arguments.quiet:
        report_problems(problems.found)
        print_table([{"imported": name, "n": n} for name, n in counts.items()])
        print(
            f"written: {arguments.output}."
            f" Next: python -m als_ml check --cohort {arguments.output}/cohort.yaml"
        )
    return 0
