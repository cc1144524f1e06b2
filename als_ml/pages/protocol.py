"""The care protocol: rules of guidelines as data, decided for each patient.

A rule applies, does not apply, cannot be decided, is out of date, or has expired. A missing input
decides nothing. An input that is undated, or older than STALE_DAYS on the day of the data, counts
as missing; where it alone would decide, the rule says "out of date". What the patient's state rules
out (`unless`, another diagnosis, death) does not apply, whatever else is known. Nothing here reads
a score of a model.

Levels: *act* is a dated value over a threshold, *consider* is to be thought of, *background* is the
same for nearly everybody. A rule whose source was not read (mark R) never acts.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from als_ml.config import wrong_key
from als_ml.pages.protocol_inputs import Inputs, Value, known_inputs
from als_ml.pages.sources import sources
from features.catalogue import shipped
from features.errors import RequestError, nearest
from features.yaml_text import read_yaml

RULES = Path(__file__).with_name("protocol.yaml")
REGIONS = ("US", "EU", "UK", "Canada", "Japan")
MOTOR_NEURON_DISEASE = ("als", "als_ftd", "pls", "pma")
Status = Literal["applies", "out of date", "cannot be decided", "expired", "does not apply"]
Level = Literal["act", "consider", "background"]
LEVELS: tuple[Level, ...] = ("act", "consider", "background")
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
    def _named(cls, given: object) -> object:
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

    @cached_property
    def comparison(self) -> tuple[Callable[[Any, Any], bool], Any]:
        """How an input is compared, and with what."""
        name = next(name for name in _COMPARISONS if getattr(self, name) is not None)
        return _COMPARISONS[name], getattr(self, name)


class Rule(_Part):
    """A rule of the protocol.

    Attributes
    ----------
    level : str
        What a patient's page makes of it where it applies.
    source : str
        Key of `sources.tsv`, or the source itself in words.
    mark : str
        V read in the source, R recalled and to be checked, P a proposal of ours.
    region : tuple of str
        Where a licence or a coverage holds; empty everywhere.
    scope : str
        `medical` rules are shown in every region; `--region` chooses among the others.
    reviewed, valid_until : date
        When its source was last read, and the day after which the rule says that it has expired.
    safety : bool
        Decided even when it has expired, and marked so.
    genetic : bool
        Shown only where the return of genetic results is consented to.
    diagnoses : tuple of str
        Of whom it speaks.
    when, unless : Condition
        Where it applies, and what rules it out; an unknown `unless` rules nothing out.
    """

    id: str
    topic: str
    level: Level
    text: str
    source: str
    year: int
    mark: Literal["V", "R", "P"]
    region: tuple[Literal["US", "EU", "UK", "Canada", "Japan"], ...] = ()
    scope: Literal["medical", "licence", "coverage"] = "medical"
    reviewed: date
    valid_until: date
    safety: bool = False
    genetic: bool = False
    diagnoses: tuple[str, ...] = MOTOR_NEURON_DISEASE
    when: Condition
    unless: Condition | None = None

    @field_validator("valid_until")
    @classmethod
    def _after_its_review(cls, until: date, info: ValidationInfo) -> date:
        if "reviewed" in info.data and until <= info.data["reviewed"]:
            raise ValueError("lies before the day of the review")
        return until

    @model_validator(mode="after")
    def _checked_to_act(self) -> "Rule":
        if self.mark == "R" and self.level == "act":
            raise ValueError("a recalled rule (mark R) never acts: check its source, or consider")
        if self.scope != "medical" and not self.region:
            raise ValueError(f"a rule of {self.scope} names its region")
        return self

    @property
    def cited(self) -> str:
        """Its source in words."""
        known = sources().get(self.source)
        return known.title if known else self.source

    @property
    def address(self) -> str:
        """Where its source is read, empty if it has no address."""
        known = sources().get(self.source)
        return known.address if known else ""

    @cached_property
    def leaves(self) -> tuple[Condition, ...]:
        """Every comparison of `when`, in order."""
        return tuple(_leaves(self.when))

    def expired(self, today: date) -> bool:
        """Whether its validity has ended.

        Parameters
        ----------
        today : date
            Of the report.

        Returns
        -------
        bool
            False on its last day.
        """
        return today > self.valid_until


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


def read_rules(
    site_rules: Path | None = None, regions: tuple[str, ...] = (), recalled: bool = True
) -> tuple[Rule, ...]:
    """The shipped rules with a clinic's own: one of the same id replaces ours, `replace: true` all
    of them.

    Parameters
    ----------
    site_rules : Path, optional
        A user's rules, beside or instead of ours.
    recalled : bool
        Whether rules whose source was not checked count.
    regions : tuple of str
        Whose licences and coverage are shown; all if empty. A medical rule is always shown.

    Returns
    -------
    tuple of Rule
        In the order of the file.

    Raises
    ------
    RequestError
        If the file is wrong, with the rule and the key, or a region is unknown.
    """
    for region in regions:
        if region not in REGIONS:
            raise RequestError(
                "--region",
                f"{region!r} is not known",
                nearest(region, REGIONS),
                code="name_unknown",
            )
    rules = {rule.id: rule for rule in _read(RULES).rules}
    if site_rules is not None:
        given = _read(site_rules)
        rules = {**({} if given.replace else rules), **{rule.id: rule for rule in given.rules}}
    return tuple(
        rule
        for rule in rules.values()
        if (recalled or rule.mark != "R") and _holds_in(rule, regions)
    )


def _holds_in(rule: Rule, regions: tuple[str, ...]) -> bool:
    """Whether a rule is shown in some regions: only licence and coverage depend on the place."""
    return rule.scope == "medical" or not regions or bool(set(rule.region) & set(regions))


def _read(path: Path) -> _RuleFile:
    try:
        read = _RuleFile.model_validate(read_yaml(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            str(path),
            f"it cannot be read ({reason})",
            "Give a YAML file with `rules`.",
            code="file_unreadable",
        ) from None
    except ValidationError as error:
        raise wrong_key(error, _RuleFile, str(path)) from None
    known = known_inputs(shipped())
    for rule in read.rules:
        for leaf in (*_leaves(rule.when), *(_leaves(rule.unless) if rule.unless else ())):
            if leaf.input not in known:
                unknown = f"it asks for the unknown input {leaf.input!r}"
                raise RequestError(
                    f"{path}, rule {rule.id}",
                    unknown,
                    nearest(str(leaf.input), known),
                    code="name_unknown",
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


def decide(rule: Rule, inputs: Inputs, today: date) -> Decision:
    """Decide a rule for one patient.

    Parameters
    ----------
    rule : Rule
        Of `read_rules`.
    inputs : Inputs
        Of one patient.
    today : date
        Day of the report, on which a rule may have expired.

    Returns
    -------
    Decision
        Whether it applies, and on what that rests.
    """
    if _ruled_out(rule, inputs.known):
        return Decision(rule=rule, status="does not apply", met=[], missing=[], stale=[])
    if rule.expired(today) and not rule.safety:
        return Decision(rule=rule, status="expired", met=[], missing=[], stale=[])
    fresh = inputs.fresh
    now = _holds(rule.when, fresh)
    if now is False:
        return Decision(rule=rule, status="does not apply", met=[], missing=[], stale=[])
    if now:
        met = [fresh[str(leaf.input)] for leaf in rule.leaves if _holds(leaf, fresh)]
        return Decision(
            rule=rule, status="applies", met=list(dict.fromkeys(met)), missing=[], stale=[]
        )
    names = dict.fromkeys(str(leaf.input) for leaf in rule.leaves)
    ever = _holds(rule.when, inputs.known)
    return Decision(
        rule=rule,
        status="cannot be decided" if ever is None else "out of date",
        met=[],
        missing=[name for name in names if name not in inputs.known],
        stale=[inputs.known[name] for name in names if name in inputs.known and name not in fresh],
    )


def _ruled_out(rule: Rule, known: Mapping[str, Value]) -> bool:
    """Whether the patient's state takes a rule away: death, another diagnosis, or its `unless`."""
    dead, diagnosis = known.get("dead"), known.get("diagnosis")
    if dead is not None and dead.value == "yes":
        return True
    if diagnosis is not None and diagnosis.value not in rule.diagnoses:
        return True
    return rule.unless is not None and _holds(rule.unless, known) is True


def _holds(condition: Condition, values: Mapping[str, Value]) -> "bool | None":
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


def _leaf(condition: Condition, values: Mapping[str, Value]) -> "bool | None":
    value = values.get(str(condition.input))
    if value is None:
        return None
    compare, bound = condition.comparison
    return bool(compare(value.value, bound))
