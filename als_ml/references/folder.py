"""The folder of a run: what is downloaded to it, what is ours of that, and what it must hash to.

Beside NAME in `downloads` stand NAME.part while it is incomplete and NAME.json, its note: address,
version and size. A file without a note, or whole beside a part, was put there by hand and is never
removed.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from als_ml.output import whole_file
from features.errors import DataError
from features.stored import Json

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Job:
    """What one run of the command shares."""

    output: Path
    build: str
    progress: Progress
    keep: bool

    @property
    def downloads(self) -> Path:
        """Folder of the files as the servers have them."""
        return self.output / "downloads"


def part_of(target: Path) -> Path:
    """Beside what is downloaded: the bytes there so far.

    Parameters
    ----------
    target : Path
        The file when it is whole.

    Returns
    -------
    Path
        `NAME.part`.
    """
    return target.with_name(target.name + ".part")


def note_of(target: Path) -> Path:
    """Beside what is downloaded: its address, version and size.

    Parameters
    ----------
    target : Path
        The file when it is whole.

    Returns
    -------
    Path
        `NAME.json`.
    """
    return target.with_name(target.name + ".json")


def is_ours(target: Path) -> bool:
    """Whether a file was downloaded.

    Beside the rest of a broken download it was put there by hand since.

    Parameters
    ----------
    target : Path
        The file when it is whole.

    Returns
    -------
    bool
        False for a file that somebody put there.
    """
    return note_of(target).is_file() and not part_of(target).is_file()


def read_note(target: Path) -> Json:
    """Note of a download; empty where there is none.

    Parameters
    ----------
    target : Path
        The file that it is about.

    Returns
    -------
    dict
        As it was written.
    """
    try:
        return dict(json.loads(note_of(target).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_note(target: Path, note: Json) -> None:
    """Write the note of a download.

    Parameters
    ----------
    target : Path
        The file that it is about.
    note : dict
        For JSON.
    """
    with whole_file(note_of(target)) as temporary:
        temporary.write_text(json.dumps(note), encoding="utf-8")


def remove_ours(files: list[Path]) -> None:
    """Remove what was downloaded, and what a broken download left where the file was then put by
    hand.

    Parameters
    ----------
    files : list of Path
        Those that are not there are passed over.
    """
    for file in files:
        if is_ours(file):
            file.unlink(missing_ok=True)
        part_of(file).unlink(missing_ok=True)
        note_of(file).unlink(missing_ok=True)


def file_digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file.

    Parameters
    ----------
    path : Path
        Of the file.
    algorithm : str
        `md5` or `sha256`.

    Returns
    -------
    str
        Small letters.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def difference(path: Path, expected: tuple[str, str] | None) -> str:
    """Say how the digest of a file differs from the expected one.

    Empty if it does not, or none is stated.

    Parameters
    ----------
    path : Path
        Of the file.
    expected : (str, str), optional
        Algorithm and hexadecimal digest.

    Returns
    -------
    str
        For a message.
    """
    if expected is None:
        return ""
    algorithm, digest = expected
    actual = file_digest(path, algorithm)
    return "" if actual == digest else f"its {algorithm} is {actual}, but {digest} was expected"


def unwritable(path: Path, error: OSError) -> DataError:
    """Error for a file that the disk does not take.

    Parameters
    ----------
    path : Path
        Of the file.
    error : OSError
        What the system said.

    Returns
    -------
    DataError
        To be raised.
    """
    return DataError(
        str(path),
        f"it cannot be written ({error.strerror or error})",
        "Make room and run the command again.",
        code="output_refused",
    )
