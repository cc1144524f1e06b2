"""Format numbers of what people keep and programs exchange, and the keys that were removed.

A file without a number is of format 1. A release reads every format up to its own; a key that a
release removed still works in it, with a warning, and is refused by the next one
(`docs/compatibility.md`).
"""

import logging
from dataclasses import dataclass
from functools import cache

from packaging.version import Version

import als_ml
from features.errors import RequestError
from features.stored import Json

# The newest of each kind. Only a change that an older reader would misread makes a new number.
FORMATS = {"cohort file": 1, "configuration": 1, "record": 1, "row": 1, "model": 3}


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A key that is no longer there.

    Attributes
    ----------
    kind : str
        Of `FORMATS`.
    key : str
        Dotted.
    since : str
        The release that removed it, in which it still works.
    instead : str
        The dotted key that takes its value; empty where nothing does.
    """

    kind: str
    key: str
    since: str
    instead: str = ""


# Nothing has been removed yet.
REMOVED: tuple[Removed, ...] = ()


def is_known(kind: str, stated: object) -> bool:
    """Whether a format number is one that this release reads.

    >>> is_known("record", 1), is_known("record", 2), is_known("record", True)
    (True, False, False)
    """
    return type(stated) is int and 1 <= stated <= FORMATS[kind]


def check_format(kind: str, content: Json, where: str) -> None:
    """Refuse a file of a format that a later release made.

    Parameters
    ----------
    kind : str
        Of `FORMATS`.
    content : dict
        Of the file; without `format` it is of format 1.
    where : str
        How a message names the file.

    Raises
    ------
    RequestError
        With the formats that this release reads.
    """
    stated = content.get("format", 1)
    if not is_known(kind, stated):
        reads = f"this als-ml {als_ml.__version__} reads 1 to {FORMATS[kind]}"
        raise RequestError(
            f"{where}, key format",
            f"the format of this {kind} is {stated!r}, and {reads}",
            "Install a later als-ml, or write the file in a format that this one reads.",
            code="format_unknown",
        )


def with_removed_keys(kind: str, content: Json, where: str) -> Json:
    """What a file says, with the keys that this release removed under their new names.

    Parameters
    ----------
    kind : str
        Of `FORMATS`.
    content : dict
        Of the file.
    where : str
        How a message names the file.

    Returns
    -------
    dict
        `content` itself where no such key is in it.

    Raises
    ------
    RequestError
        If an earlier release removed a key, or both the old and the new one are there.
    """
    for removed in REMOVED:
        if removed.kind == kind and _has(content, removed.key):
            content = _moved(content, removed, where)
    return content


def _moved(content: Json, removed: Removed, where: str) -> Json:
    place = f"{where}, key {removed.key}"
    remedy = f"Write {removed.instead} instead." if removed.instead else "Leave it out."
    told = f"this key was removed in als-ml {removed.since}"
    if _release(als_ml.__version__) > _release(removed.since):
        raise RequestError(place, told, remedy, code="key_removed")
    if removed.instead and _has(content, removed.instead):
        reason = f"it is the former name of {removed.instead}, which is there too"
        raise RequestError(place, reason, "Leave it out.", code="key_removed")
    _warn(f"{place}: {told} and the next release refuses it. {remedy}")
    rest, value = _without(content, removed.key.split("."))
    return _put(rest, removed.instead.split("."), value) if removed.instead else rest


def _release(version: str) -> tuple[int, ...]:
    """Major and minor number: repairs of a release remove nothing."""
    return Version(version).release[:2]


@cache
def _warn(text: str) -> None:
    """Once in a process: a server meets the same key in each request."""
    logging.getLogger("als_ml").warning("%s", text)


def _has(content: object, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def _without(content: Json, path: list[str]) -> tuple[Json, object]:
    """The mapping without what a path leads to, and what that was; a part left empty goes too."""
    first, *rest = path
    others = {key: value for key, value in content.items() if key != first}
    if not rest:
        return others, content[first]
    inner, value = _without(content[first], rest)
    return (others | {first: inner} if inner else others), value


def _put(content: Json, path: list[str], value: object) -> Json:
    first, *rest = path
    if not rest:
        return content | {first: value}
    return content | {first: _put(content.get(first) or {}, rest, value)}
