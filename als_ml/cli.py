"""What every command shares: errors as one message, progress, and tables on the terminal.

Imports nothing heavy.
"""

import argparse
import contextlib
import errno
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from features.errors import RequestError, UserError
from features.stored import Record

if TYPE_CHECKING:
    from features.tables.problems import Problem, Problems

# Told what is being done, how much of it is done, and of how much (0: not known).
Progress = Callable[[str, int, int], None]
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
    """Options of every command."""
    made.add_argument("--quiet", action="store_true", help="print nothing but errors")
    made.add_argument(
        "--allow-outside",
        action="store_true",
        help="let a cohort file name files outside its own folder",
    )


def run(command: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a command; a user's mistake ends in one message on standard error and its exit status,
    never in a traceback.
    """
    try:
        with warnings_shown(arguments.quiet):
            return command(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def warnings_shown(quiet: bool) -> Iterator[None]:
    """Show what the application warns of on standard error, one line each.

    Nothing of it where it is to be quiet.
    """
    logger, handler = logging.getLogger("als_ml"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    handler.setLevel(logging.ERROR if quiet else logging.WARNING)
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def explained(error: OSError) -> str:
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
    return (
        f"{error.filename or 'a file'}: {error.strerror or error}. {remedy}; what was there before"
        " is as it was."
    )


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (what, done, of) that draws a progress bar on standard error."""
    if quiet:
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, count="")

        def report(what: str, done: int = 0, of: int = 0) -> None:
            progress.update(
                task,
                description=what,
                completed=done,
                total=of or None,
                count=f"{done}/{of}" if of else "",
            )

        yield report


def print_table(rows: list[Record], title: str = "") -> None:
    """Print records as a table: numbers with three decimals, missing ones as a dash."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=SIMPLE_HEAD)
    for name in names:
        table.add_column(
            name, justify="left" if isinstance(rows[0].get(name), str) else "right", overflow="fold"
        )
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    if title:
        console.print(title, style="bold", soft_wrap=True)
    console.print(table)


def _cell(value: object) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def said_at_once(quiet: bool) -> Callable[[str], None]:
    """A function that prints a sentence while work goes on; nothing of it where it is to be
    quiet.
    """
    return (lambda _: None) if quiet else partial(print, flush=True)


def print_problems(problems: "Iterable[Problem]") -> None:
    """Print what was found in the files, one line each."""
    for problem in problems:
        print(f"{problem.severity}: {problem.where}: {problem.found}. {problem.remedy}".rstrip())


def import_folder(
    imported: "Callable[[Path, Path, Problems], dict[str, int]]", arguments: argparse.Namespace
) -> int:
    """Turn a folder in another format into a cohort folder, and say what came of it."""
    from features.tables.problems import Problems

    problems, source = Problems(collect=True), Path(arguments.folder)
    if not source.is_dir():
        raise RequestError(
            str(source), "there is no such folder", "Give the folder that holds the files."
        )
    with progress_bar(arguments.quiet) as progress:
        progress(f"importing {source.name}", 0, 0)
        counts = imported(source, Path(arguments.output), problems)
    if not arguments.quiet:
        print_problems(problems.found)
        print_table([{"imported": name, "n": n} for name, n in counts.items()])
        print(
            f"written: {arguments.output}."
            f" Next: python -m als_ml check --cohort {arguments.output}/cohort.yaml"
        )
    return 0
