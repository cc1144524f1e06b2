"""Write a cohort folder whole or not at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from features.errors import RequestError
from features.temporary import owned, sweep


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
        To write to; takes the target's place when the block ends well.

    Raises
    ------
    RequestError
        If the target exists and is not empty, or its parent is absent.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RequestError(
            f"--output {output}",
            "it exists and is not empty",
            "Give a new folder.",
            code="output_refused",
        )
    if not output.parent.is_dir():
        raise RequestError(
            f"--output {output}",
            f"the folder {output.parent} is absent",
            "Make it first.",
            code="output_refused",
        )
    beginning = f".{output.name}"
    sweep(output.parent, beginning)
    temporary = Path(tempfile.mkdtemp(dir=output.parent, prefix=owned(beginning)))
    try:
        yield temporary
        temporary.chmod(0o755)
        if output.exists():
            output.rmdir()
        temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
