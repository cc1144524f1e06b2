"""Write result files whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import RequestError
from features.temporary import owned, sweep

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".parquet", ".csv")


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
        For an unknown ending or a missing or read-only folder.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise RequestError(
            f"--output {path}",
            f"the ending {path.suffix!r} is not known",
            f"Use {' or '.join(suffixes)}.",
            code="output_refused",
        )
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise RequestError(
            f"--output {path}",
            f"the folder {folder} is absent or read-only",
            "Make it first.",
            code="output_refused",
        )


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside the target that takes its place when the block ends well, and
    is removed when not.

    Parameters
    ----------
    path : Path
        The target, in a folder that exists.

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
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write CSV or Parquet by the ending of the path.

    Parameters
    ----------
    table : DataFrame
        Written without its index; no spreadsheet runs a cell of the CSV.
    path : Path
        .csv or .parquet.
    """
    from features.tables.formulas import inert

    with whole_file(path) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            inert(table).to_csv(temporary, index=False)
