"""The two errors a user meets.

Their text is the whole message: where, what was found, what to do.
"""

import difflib
from collections.abc import Iterable, Sequence

from features.codes import DATA, REQUEST

# Of a cell that a message repeats, and of a message: a cell may have a million characters, and no
# message of ours is as long (P).
_CELL, _MESSAGE = 80, 10_000


def printable(text: str, most: int = _MESSAGE) -> str:
    r"""A text as a terminal may show it: nothing in it moves the cursor, turns the line round or
    hides.

    Parameters
    ----------
    text : str
        Of a file, or with words of one.
    most : int
        Characters that are shown; the others are counted.

    Returns
    -------
    str
        On one line.

    Examples
    --------
    >>> print(printable("Zoë" + chr(27) + "[2J" + chr(0x202E)), printable("abcdef", 4))
    Zoë\x1b[2J\u202e abcd... (6 characters)
    """
    if len(text) > most:
        text = f"{text[:most]}... ({len(text):,} characters)"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shown_cell(value: object) -> str:
    """A cell as a message repeats it: in quotes, cut where it is long.

    Parameters
    ----------
    value : object
        Of a table.

    Returns
    -------
    str
        On one line.

    Examples
    --------
    >>> shown_cell("m/w"), len(shown_cell("x" * 1_000_000))
    ("'m/w'", 110)
    """
    text = str(value)
    if len(text) <= _CELL:
        return printable(repr(text))
    return f"{printable(repr(text[:_CELL]))} and {len(text) - _CELL:,} characters more"


class UserError(Exception):
    """A mistake the user can mend. Commands print it on standard error and end with `exit_status`.

    Parameters
    ----------
    where : str
        File, row, column or key.
    found : str
        What stands there.
    remedy : str
        What to do next.
    code : str, optional
        What kind of thing is wrong, of `features.codes`; by default that of the class.
    """

    exit_status = 1
    code = DATA

    def __init__(self, where: str, found: str, remedy: str, *, code: str | None = None):
        self.where, self.found, self.remedy = map(printable, (where, found, remedy))
        super().__init__(f"{self.where}: {self.found}. {self.remedy}")
        self.code = code or type(self).code

    def as_dict(self) -> dict[str, str]:
        """Give the code and the three parts of the message for JSON."""
        parts = {"where": self.where, "found": self.found, "remedy": self.remedy}
        return {"code": self.code, **parts}

    def __reduce__(self) -> tuple[object, ...]:
        """Let it travel from a worker process; by default only the message would."""
        return type(self), (self.where, self.found, self.remedy), {"code": self.code}


class DataError(UserError):
    """The data has an error: exit status 1."""


class RequestError(UserError):
    """The request is wrong (configuration, path, option): exit status 2."""

    exit_status = 2
    code = REQUEST


def nearest(name: str, known: Iterable[str]) -> str:
    """Name what is nearest to a mistyped word, as the second half of a message.

    Parameters
    ----------
    name : str
        What the user wrote.
    known : iterable of str
        What there is.

    Returns
    -------
    str
        `Did you mean 'x'?`, or all that is known.

    Examples
    --------
    >>> nearest("landmark_day", ["landmark_days", "model"])
    "Did you mean 'landmark_days'?"
    >>> nearest("x", ["abc", "def"])
    'Known: abc, def.'
    """
    choices = sorted(known)
    close = resembling(name, choices)
    return f"Did you mean {close!r}?" if close else f"Known: {', '.join(choices)}."


# No word of ours is so long: what is longer resembles none, and comparing it takes time.
_LONGEST_WORD = 80


def resembling(name: str, known: Sequence[str]) -> str | None:
    """Give the known word that a word is a slip of, if there is one.

    Parameters
    ----------
    name : str
        What the user wrote.
    known : sequence of str
        What there is.

    Returns
    -------
    str or None
        None where nothing is near.

    Examples
    --------
    >>> resembling("Landmark_Day", ["landmark_days", "model"]), resembling("x" * 99, ["x"])
    ('landmark_days', None)
    """
    if len(name) > _LONGEST_WORD:
        return None
    found = difflib.get_close_matches(name, known, n=1)
    found = found or difflib.get_close_matches(name.lower(), known, n=1)
    return found[0] if found else None


def examples(values: Iterable[object], n: int = 3) -> str:
    """Join the first few values for a message and count the rest.

    Parameters
    ----------
    values : iterable
        What is to be shown.
    n : int
        How many are.

    Returns
    -------
    str
        Joined by commas.

    Examples
    --------
    >>> examples(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = [printable(str(value)) for value in values]
    rest = f" and {len(shown) - n} more" if len(shown) > n else ""
    return ", ".join(shown[:n]) + rest
