"""The care protocol: rules of guidelines as data, decided for each patient.

A rule applies, does not apply, cannot be decided, or is out of date. A missing input decides
nothing. An input that is undated, or older than STALE_DAYS on the day of the report, counts as
missing; where it alone would decide, the rule says "out of date". Nothing here reads a score of a
model.
"""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from als_ml.config import explain
from als_ml.pages.protocol_inputs import Inputs, Value, known_inputs
from features.catalogue import shipped
from features.errors import RequestError, nearest

RULES = Path(__file__).with_name("protocol.yaml")
STALE_DAYS = 90
Status = Literal["applies", "out of date", "cannot be decided", "does not apply"]
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "above": lambda value, bound: value > bound,
    "at_least": lambda value, bound: value >= bound,
    "below": lambda value, bound: value < bound,
    "at_most": lambda value, bound: value <= bound,
    "is_": lambda value, bound: value == bound,
    "in_": lambda value, bound: value in bound,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Part):
    """Exactly one of `input` with one comparison, `all`, `any` and `not`."""

    input: str | None = None
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    is_: str | None = None
    in_: tuple[str, ...] | None = None
    all: "tuple[Condition, ...] | None" = None
    any: "tuple[Condition, ...] | None" = None
    not_: "Condition | None" = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        """YAML says `is`, `in` and `not`, which Python keeps for itself."""
        if not isinstance(given, dict):
            return given
        return {
            f"{key}_" if key in ("is", "in", "not") else key: value for key, value in given.items()
        }

    @model_validator(mode="after")
    def _one_meaning(self) -> "Condition":
        joins = [
            name for name in ("input", "all", "any", "not_") if getattr(self, name) is not None
        ]
        compared = [name for name in _COMPARISONS if getattr(self, name) is not None]
        if len(joins) != 1 or len(compared) != (joins == ["input"]):
            raise ValueError(
                "a condition is one of `all`, `any`, `not`, or an `input` with one comparison"
            )
        return self


class Rule(_Part):
    """A rule of the protocol."""

    id: str
    topic: str
    text: str
    source: str
    year: int
    region: str
    mark: Literal["V", "R", "P"]
    reviewed: date
    genetic: bool = False
    when: Condition


class _RuleFile(_Part):
    replace: bool = False
    rules: tuple[Rule, ...]


class Decision(NamedTuple):
    """What a rule says of a patient: `met` are the values that met it, `missing` what would decide
    it.
    """

    rule: Rule
    status: Status
    met: list[Value]
    missing: list[str]
    stale: list[Value]


def read_rules(own: "Path | None" = None, recalled: bool = False) -> tuple[Rule, ...]:
    """The shipped rules with a clinic's own: one of the same id replaces ours, `replace: true` all
    of them.

    Raises
    ------
    RequestError
        If the file is wrong, with the rule and the key.
    """
    rules = {rule.id: rule for rule in _read(RULES).rules}
    if own is not None:
        given = _read(own)
        rules = {**({} if given.replace else rules), **{rule.id: rule for rule in given.rules}}
    return tuple(rule for rule in rules.values() if recalled or rule.mark != "R")


def _read(path: Path) -> _RuleFile:
    try:
        read = _RuleFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            str(path), f"it cannot be read ({reason})", "Give a YAML file with `rules`."
        ) from None
    except ValidationError as error:
        raise RequestError(*explain(error, _RuleFile, str(path))) from None
    known = known_inputs(shipped())
    for rule in read.rules:
        for leaf in _leaves(rule.when):
            if leaf.input not in known:
                found = f"it asks for the unknown input {leaf.input!r}"
                raise RequestError(
                    f"{path}, rule {rule.id}",
                    found,
                    nearest(str(leaf.input), known),
                )
    return read


def _leaves(condition: Condition) -> Iterator[Condition]:
    if condition.input is not None:
        yield condition
    for part in (
        *(condition.all or ()),
        *(condition.any or ()),
        *([condition.not_] if condition.not_ else []),
    ):
        yield from _leaves(part)


def decide(rule: Rule, inputs: Inputs) -> Decision:
    """Decide a rule for one patient."""
    fresh = {name: value for name, value in inputs.known.items() if not _stale(value, inputs.today)}
    leaves = list(_leaves(rule.when))
    missing = [str(leaf.input) for leaf in leaves if leaf.input not in inputs.known]
    stale = [
        inputs.known[str(leaf.input)]
        for leaf in leaves
        if leaf.input in inputs.known and leaf.input not in fresh
    ]
    missing, stale = list(dict.fromkeys(missing)), list(dict.fromkeys(stale))
    now, ever = _holds(rule.when, fresh), _holds(rule.when, inputs.known)
    if now is not None:
        met = [fresh[str(leaf.input)] for leaf in leaves if _holds(leaf, fresh)] if now else []
        return Decision(
            rule=rule,
            status="applies" if now else "does not apply",
            met=list(dict.fromkeys(met)),
            missing=[],
            stale=[],
        )
    return Decision(
        rule=rule,
        status="cannot be decided" if ever is None else "out of date",
        met=[],
        missing=missing,
        stale=stale,
    )


def _stale(value: Value, today: float) -> bool:
    """Whether a value that changes in time is undated or too old."""
    return value.changes and not (value.days is not None and today - value.days <= STALE_DAYS)


def _holds(condition: Condition, values: dict[str, Value]) -> "bool | None":
    """True, False, or None where it cannot be decided."""
    if condition.input is not None:
        return _leaf(condition, values)
    if condition.not_ is not None:
        held = _holds(condition.not_, values)
        return None if held is None else not held
    parts = [_holds(part, values) for part in condition.all or condition.any or ()]
    decisive = condition.any is not None  # one True decides `any`, one False decides `all`
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _leaf(condition: Condition, values: dict[str, Value]) -> "bool | None":
    found = values.get(str(condition.input))
    if found is None:
        return None
    name = next(name for name in _COMPARISONS if getattr(condition, name) is not None)
    return bool(_COMPARISONS[name](found.value, getattr(condition, name)))
