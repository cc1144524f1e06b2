"""Write result files whole or not at all, and those of one command together.

Each is written beside its place under a name of this process. `whole_file` and `whole_folder` move
it there when it is whole; inside `together` they wait until all are, and then all move or none.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from features.errors import RequestError
from features.temporary import owned, sweep

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".parquet", ".csv")


class _Written(NamedTuple):
    """What is whole under a name of ours, and where it belongs."""

    temporary: Path
    path: Path


# What waits for its place inside `together`; None outside.
_WAITING: ContextVar[list[_Written] | None] = ContextVar("_WAITING", default=None)


def check_output(path: Path, suffixes: tuple[str, ...] = TABLE_SUFFIXES) -> None:
    """Refuse an output that could not be written, before the work begins.

    Parameters
    ----------
    path : Path
        What the user named.
    suffixes : tuple of str
        Endings that are allowed; any where it is empty.

    Raises
    ------
    RequestError
        For an unknown ending, a folder of that name, or a missing or read-only folder around it.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise _refused(
            path, f"the ending {path.suffix!r} is not known", f"Use {' or '.join(suffixes)}."
        )
    if suffixes and path.is_dir():
        raise _refused(path, "it is a folder", "Name a file.")
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise _refused(path, f"the folder {folder} is absent or read-only", "Make it first.")


def check_apart(*paths: Path | None) -> None:
    """Refuse two outputs of one command in one place, before the work begins.

    Parameters
    ----------
    paths : Path or None
        What the user named, None for what was not asked for.

    Raises
    ------
    RequestError
        If two are the same: the later one would replace the other.

    Examples
    --------
    >>> check_apart(Path("a.csv"), None, Path("b.csv"))
    >>> check_apart(Path("a.csv"), Path("./a.csv"))
    Traceback (most recent call last):
    features.errors.RequestError: --output a.csv: two outputs have this name. Name another.
    """
    met: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        if path.resolve() in met:
            raise _refused(path, "two outputs have this name", "Name another.")
        met.add(path.resolve())


def _refused(path: Path, found: str, remedy: str) -> RequestError:
    return RequestError(f"--output {path}", found, remedy, code="output_refused")


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Whatever is written whole inside takes its place when the block ends well: all or none.

    A block inside another belongs to it. A process that is killed while the files move (a rename
    each, which needs no room on the disk) may leave some of them in place, each of them whole.
    """
    if _WAITING.get() is not None:
        yield
        return
    waiting: list[_Written] = []
    token = _WAITING.set(waiting)
    try:
        yield
        check_apart(*(one.path for one in waiting))
        _move(waiting)
    finally:
        _WAITING.reset(token)
        for one in waiting:
            _remove(one.temporary)


def _take_place(temporary: Path, path: Path) -> None:
    """Move what is whole to its place, at once or with all others of the command."""
    waiting = _WAITING.get()
    if waiting is None:
        temporary.replace(path)
    else:
        waiting.append(_Written(temporary=temporary, path=path))


def _move(waiting: list[_Written]) -> None:
    """Move all to their places; if one cannot be moved, those before it go back.

    What was there is kept aside first, since a copy of it may need room.
    """
    with contextlib.ExitStack() as tidied:
        kept = [tidied.enter_context(_kept_aside(one.path)) for one in waiting[:-1]]
        try:
            for one in waiting:
                one.temporary.replace(one.path)
        except BaseException:
            for one, old in zip(waiting, kept, strict=False):
                if not one.temporary.exists():
                    one.path.rename(one.temporary)
                    if old:
                        old.replace(one.path)
            raise


@contextlib.contextmanager
def _kept_aside(path: Path) -> Iterator[Path | None]:
    """Yield a second name of what is there, for the time of the block; None if nothing is there."""
    if not path.exists():
        yield None
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=owned(f".{path.stem}")) as folder:
        old = Path(folder) / path.name
        if path.is_dir():
            old.mkdir()  # only an empty one may be there
        else:
            link_or_copy(path, old)
        yield old


def link_or_copy(path: Path, to: Path) -> None:
    """Make a second name of a file, or a copy where the disk knows no such thing.

    Parameters
    ----------
    path : Path
        What is there.
    to : Path
        Where nothing is.
    """
    try:
        os.link(path, to)
    except OSError:
        shutil.copy2(path, to)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_file(path: Path, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside the target that takes its place when the block ends well, and
    is removed when not.

    Parameters
    ----------
    path : Path
        The target, in a folder that exists.
    private : bool
        Whether its owner alone may read it.

    Yields
    ------
    Path
        To write to.
    """
    beginning = f".{path.stem}"
    sweep(path.parent, beginning)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=owned(beginning), suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    with _removed_on_failure(temporary):
        yield temporary
        temporary.chmod(0o600 if private else 0o666 & ~_umask())
        _take_place(temporary, path)


@contextlib.contextmanager
def whole_folder(output: Path) -> Iterator[Path]:
    """Yield a temporary folder beside the target that takes its place when the block ends well, and
    is removed when not.

    Parameters
    ----------
    output : Path
        The target, absent or empty.

    Yields
    ------
    Path
        To write to.

    Raises
    ------
    RequestError
        If the target exists and is not empty, or its parent is absent.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise _refused(output, "it exists and is not empty", "Give a new folder.")
    if not output.parent.is_dir():
        raise _refused(output, f"the folder {output.parent} is absent", "Make it first.")
    beginning = f".{output.name}"
    sweep(output.parent, beginning)
    temporary = Path(tempfile.mkdtemp(dir=output.parent, prefix=owned(beginning)))
    with _removed_on_failure(temporary):
        yield temporary
        temporary.chmod(0o755)
        _take_place(temporary, output)


@contextlib.contextmanager
def _removed_on_failure(temporary: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _remove(temporary)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_table(table: "pd.DataFrame", path: Path, private: bool = False) -> None:
    """Write CSV or Parquet by the ending of the path.

    Parameters
    ----------
    table : DataFrame
        Written without its index; no spreadsheet runs a cell of the CSV.
    path : Path
        .csv or .parquet.
    private : bool
        Whether the file's owner alone may read it.
    """
    from features.tables.formulas import inert

    with whole_file(path, private) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            inert(table).to_csv(temporary, index=False)
