"""Folders and files of a command while it works, and what a killed one left behind.

A name says which process of which machine made it. `kill -9` lets nobody tidy up, so the next
command does: what belongs to a process of this machine that is gone is removed.
"""

import contextlib
import glob
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

_HERE = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:20] or "host"
_NAMED = re.compile(r"-([A-Za-z0-9]+)-p(\d+)-[^/]*$")


@contextlib.contextmanager
def working_folder(kind: str) -> Iterator[str]:
    """A folder for the time of a block; those of killed commands go first.

    Parameters
    ----------
    kind : str
        What it is for, a word of its name.

    Yields
    ------
    str
        Its path.
    """
    sweep(Path(tempfile.gettempdir()), f"als-ml-{kind}-")
    with tempfile.TemporaryDirectory(prefix=owned(f"als-ml-{kind}")) as name:
        yield name


def owned(beginning: str) -> str:
    """The beginning of a name with this machine and process in it.

    Parameters
    ----------
    beginning : str
        Of the name.

    Returns
    -------
    str
        Ends in a hyphen.
    """
    return f"{beginning}-{_HERE}-p{os.getpid()}-"


def sweep(folder: Path, beginning: str) -> list[str]:
    """Remove what a process of this machine and user left that is no more.

    Parameters
    ----------
    folder : Path
        Where it lies.
    beginning : str
        Of the names that count.

    Returns
    -------
    list of str
        Names that were removed.
    """
    gone = []
    for path in folder.glob(f"{glob.escape(beginning)}*"):
        match = _NAMED.search(path.name)
        if match and match[1] == _HERE and not is_alive(int(match[2])) and _ours(path):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
            gone.append(path.name)
    return gone


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there.

    Parameters
    ----------
    process : int
        Its id.

    Returns
    -------
    bool
        Also for one of another user.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ours(path: Path) -> bool:
    try:
        return not path.is_symlink() and path.stat().st_uid == os.getuid()
    except OSError:
        return False
