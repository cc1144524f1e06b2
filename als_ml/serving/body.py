"""The body of a request, checked before anything else sees it: bytes, elements, depth, patients.

What is counted in bytes comes before the parser, whose memory follows from it.
"""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from features import bounds
from features.stored import Json

SHAPE = (
    'Send {"inputs": [patient, ...]} with Content-Type: application/json; a patient is an object'
    " with a sample_id."
)
# Whole numbers of more digits than any field takes: read as this one, which no table holds, so that
# their patient is answered in its place.
_DIGITS, _TOO_LARGE = 30, 10**30


class RefusedError(Exception):
    """A request that does not reach the model."""

    def __init__(self, status: int, reason: str, remedy: str, why: str = "shape"):
        super().__init__(reason)
        self.status, self.why = status, why
        self.body = told(f"{reason}. {remedy}")


def told(message: str, code: str = "BAD_REQUEST") -> bytes:
    """An error as MLflow writes one.

    >>> told("no")
    b'{"error_code": "BAD_REQUEST", "message": "no"}'
    """
    return json.dumps({"error_code": code, "message": message}).encode()


class Body(NamedTuple):
    """A body that may go on: its bytes, the patients in it, and whether it holds nothing else."""

    sent: bytes
    patients: list[Json]
    alone: bool


@dataclass(frozen=True)
class BodyLimits:
    """What a body may have: bytes (in MB), levels of its JSON, elements, patients."""

    megabytes: float = bounds.REQUEST_MEGABYTES
    depth: int = bounds.REQUEST_DEPTH
    elements: int = bounds.REQUEST_ELEMENTS
    patients: int = bounds.REQUEST_PATIENTS

    @property
    def size(self) -> int:
        """Most bytes."""
        return int(self.megabytes * 1e6)

    def too_large(self) -> RefusedError:
        """The refusal of a body by its bytes."""
        reason = f"the body is larger than {self.megabytes:g} MB"
        return RefusedError(413, reason, "Send fewer patients, or use predict.py.", why="bytes")

    def checked(self, body: bytes) -> Body:
        """A body that may go on.

        Parameters
        ----------
        body : bytes
            No longer than `size`.

        Returns
        -------
        Body
            With the same bytes, unless a number of theirs is beyond all use.

        Raises
        ------
        RefusedError
            If it is not a list of patients within the limits.
        """
        self._check_elements(body)
        content, body = self._parsed(body)
        inputs = content.get("inputs") if isinstance(content, dict) else None
        if (
            not isinstance(inputs, list)
            or not inputs
            or not all(isinstance(patient, dict) for patient in inputs)
        ):
            raise RefusedError(400, "there is no list of patients", SHAPE)
        if len(inputs) > self.patients:
            reason, remedy = f"more than {self.patients:,} patients", "Send fewer at a time"
            raise RefusedError(413, reason, f"{remedy}, or use predict.py.", why="patients")
        if deeper_than(content, self.depth):
            raise self._too_deep()
        return Body(sent=body, patients=inputs, alone=len(content) == 1)

    def _check_elements(self, body: bytes) -> None:
        """By its signs, those inside of texts among them: no parser is asked yet."""
        if sum(body.count(sign) for sign in (b",", b"[", b"{")) > self.elements:
            reason = f"the body has more than {self.elements:,} elements"
            remedy = "Send fewer patients, or use predict.py."
            raise RefusedError(413, reason, remedy, why="elements")

    def _parsed(self, body: bytes) -> tuple[Any, bytes]:
        try:
            return json.loads(body, parse_constant=_no_number), body
        except RecursionError:
            raise self._too_deep() from None
        except ValueError:
            return self._read_again(body)

    def _read_again(self, body: bytes) -> tuple[Any, bytes]:
        """A body that is JSON but for the length of a number."""
        try:
            content = json.loads(body, parse_constant=_no_number, parse_int=_whole)
        except (ValueError, RecursionError):
            reason = "the body is not JSON (UTF-8, finite numbers)"
            raise RefusedError(400, reason, SHAPE, why="not JSON") from None
        return content, json.dumps(content).encode()

    def _too_deep(self) -> RefusedError:
        reason = f"the JSON is nested deeper than {self.depth} levels"
        return RefusedError(400, reason, SHAPE, why="depth")


def _no_number(name: str) -> float:
    raise ValueError(name)


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS else _TOO_LARGE


def deeper_than(value: object, limit: int) -> bool:
    """Whether lists and objects are nested deeper than a limit.

    Level by level, so that no depth can break it.

    Parameters
    ----------
    value : object
        Parsed JSON.
    limit : int
        Levels that are allowed.

    Returns
    -------
    bool
        Any depth is measured.

    Examples
    --------
    >>> deeper_than([[1], {"a": []}], 3), deeper_than([[1], {"a": []}], 2)
    (False, True)
    """
    level: list[Any] = [value] if type(value) in (dict, list) else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True
