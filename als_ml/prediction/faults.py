"""What we did not foresee: told by an id, a kind and a place, never by a value of a patient."""

import logging
import secrets
import traceback
from pathlib import Path

from als_ml.cohort.records import RowError

# The field of an error that is ours, not the sender's.
OURS = "als_ml"
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("als_ml", "features", "models")
_log = logging.getLogger("als_ml")


def unforeseen(error: Exception) -> RowError:
    """Log an error by kind and place, and give what its patient is told.

    The text of an exception may hold what was sent, so it goes nowhere.

    Parameters
    ----------
    error : Exception
        That nothing of ours expects.

    Returns
    -------
    dict of str
        `field` (`OURS`), `reason` with the id that the log has, `remedy`.
    """
    name = secrets.token_hex(4)
    _log.error("error %s: %s at %s", name, type(error).__name__, _place(error))
    return {
        "field": OURS,
        "reason": f"failed on this record in a way that nobody foresaw (error {name})",
        "remedy": "Give the id to who runs the server: the log has its kind and place.",
    }


def _place(error: Exception) -> str:
    """File and line of the innermost frame of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _ours(frame.filename)] or list(frames)
    if not ours:
        return "an unknown place"
    return f"{_relative(ours[-1].filename)}:{ours[-1].lineno}"


def _ours(name: str) -> bool:
    path = Path(name)
    return path.is_relative_to(_ROOT) and path.relative_to(_ROOT).parts[0] in _PACKAGES


def _relative(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
