"""Results of single fits in files, so that a killed run goes on where it ended.

A result is made anew where what it rests on (data, settings, code of the method) has changed.
"""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from features.errors import RequestError


class Kept:
    """Results by name in a folder; without a folder nothing is kept.

    Parameters
    ----------
    folder : Path or None
        Made where it is not there.

    Attributes
    ----------
    read, made, outdated : int
        Results taken from the folder, made now, and those of `made` that replaced an older one.

    Raises
    ------
    RequestError
        If the folder's name is that of a file.
    """

    def __init__(self, folder: Path | None):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise RequestError("--resume", f"{folder} is a file", "Name a folder.")
        self.folder = folder
        self.read = self.made = self.outdated = 0

    def result(
        self, name: Sequence[str], rests_on: str, make: Callable[[], list[np.ndarray]]
    ) -> list[np.ndarray]:
        """The arrays kept under a name, or those that `make` gives, kept from now on.

        Raises
        ------
        RequestError
            If a file of the folder cannot be read.
        """
        if self.folder is None:
            self.made += 1
            return make()
        path = self.folder.joinpath(*map(_as_name, name)).with_suffix(".npz")
        digest = sha256(rests_on.encode()).hexdigest()
        known = self._known(path, digest)
        if known is not None:
            self.read += 1
            return known
        made = make()
        self.made += 1
        _write(path, digest, made)
        return made

    def _known(self, path: Path, digest: str) -> list[np.ndarray] | None:
        if not path.exists():
            return None
        try:
            with path.open("rb") as file, np.load(file) as stored:
                same = str(stored["digest"]) == digest
                parts = [stored[f"part{i}"] for i in range(len(stored.files) - 1)]
        except Exception as error:
            found = f"cannot be read: {error}"
            raise RequestError(str(path), found, "Delete it, and it is made anew.") from error
        self.outdated += not same
        return parts if same else None


def whole_number(text: str) -> int:
    """A whole number from 1 on, of a command line."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return int(text)


def _as_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)


def _write(path: Path, digest: str, parts: list[np.ndarray]) -> None:
    """Whole or not at all: a killed run leaves no half of a file under the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        named = {f"part{i}": part for i, part in enumerate(parts)}
        np.savez(file, allow_pickle=False, digest=np.array(digest), **named)
    partial.replace(path)
