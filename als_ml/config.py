"""The configuration of a run: frozen pydantic models, one YAML file a run.

An unknown key is refused with the nearest name.

Paths are relative to the folder that the command is run in.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from als_ml.formats import FORMATS, check_format, with_removed_keys
from als_ml.shipped import config_names
from features import bounds
from features.blocks.registry import BLOCKS, GROUP, names
from features.errors import RequestError, nearest
from features.plugins import not_allowed
from features.stored import Json
from features.yaml_text import line_of, read_yaml, text_of, yaml_fault
from models.tasks import SURVIVAL, TASKS, Task

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from features.catalogue import Definitions


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Features(_Part):
    """Which features the model may see."""

    blocks: tuple[str, ...] = Field(
        default=BLOCKS, description="groups of features; `mechanisms` only where it is named"
    )
    biomarker_values: tuple[Literal["last", "first", "mean", "slope"], ...] = Field(
        default=("last",),
        min_length=1,
        description="which of several values up to the landmark count",
    )
    assays: Literal["separate", "bridge", "refuse"] = Field(
        default="separate",
        description=(
            "assays that are not interchangeable: apart, by definitions/bridges.tsv, or refused"
        ),
    )
    columns: tuple[str, ...] = Field(
        default=(), description="further columns of patients: names or globs"
    )
    known_at: Literal["baseline"] | None = Field(
        default=None, description="required with `columns`: nothing else dates them"
    )
    rare_frequency: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="population frequency from which no variant is rare (P)",
    )
    min_gq: int = Field(
        default=0,
        ge=0,
        description="genotype quality (GQ) below which a call is missing; 0: no threshold",
    )
    min_depth: int = Field(
        default=0, ge=0, description="depth (DP) below which a call is missing; 0: no threshold"
    )

    @field_validator("blocks")
    @classmethod
    def _registered(cls, blocks: tuple[str, ...]) -> tuple[str, ...]:
        known = names()
        for name in blocks:
            if name not in known:
                hint = not_allowed(GROUP, name) or nearest(name, known)
                raise ValueError(f"{name!r} is not a registered block ({hint.rstrip('.')})")
        return blocks

    @model_validator(mode="after")
    def _dated(self) -> "Features":
        if self.columns and self.known_at is None:
            raise ValueError(
                "features.columns needs `known_at: baseline`, because a further column is dated by"
                " nothing"
            )
        return self


class Label(_Part):
    """How the label is made: by the contract's rule of the task, or from a column of patients with
    a threshold.

    Of a progression label, tofersen and a trial drug end what is seen (while untreated), death and
    ventilation make it fast or end it (`events`), drop-out leaves it missing: the estimand, in the
    words of ICH E9(R1), stands in docs/models.md.
    """

    familial_degrees: tuple[Literal["first_degree", "second_degree"], ...] = Field(
        default=("first_degree", "second_degree"),
        description="relatives with ALS who make a patient familial",
    )
    scheme: str = Field(
        default="default",
        description="published cut-offs by name (features/definitions/progression_schemes.tsv)",
    )
    cutoff: float | None = Field(
        default=None, description="points lost per month from which progression is fast"
    )
    middle_cutoff: float | None = Field(
        default=None, description="a lower cut-off, for three classes"
    )
    measure: Literal["slope", "delta_fs"] = Field(
        default="slope",
        description="the prospective slope, or dFS at the landmark (then no ALSFRS-R feature)",
    )
    learn: Literal["fast", "classes", "slope"] = Field(
        default="fast",
        description="fast or not, all classes of the scheme, or the continuous slope",
    )
    events: Literal["without_slope", "all", "none"] = Field(
        default="without_slope",
        description=(
            "who is fast by death, tracheostomy or NIV >= 23 h/day in the window: those without a"
            " slope or all (composite), or none (while alive)"
        ),
    )
    uncertain: bool = Field(
        default=True,
        description=(
            "learn the probability of the label given the error of the slope, not the bare label"
        ),
    )
    window_days: int = Field(
        default=365, gt=0, description="the label's visits end so long after the landmark"
    )
    min_visits: int = Field(default=3, ge=2, description="visits that a slope needs in the window")
    min_span_days: int = Field(
        default=180, gt=0, description="days from the first to the last of them"
    )
    event: Literal["composite", "death", "niv", "gastrostomy"] = Field(
        default="composite",
        description=(
            "of a survival time: death, tracheostomy or NIV >= 23 h/day, whichever first; death"
            " alone; or the start of NIV or a gastrostomy, with which death competes"
        ),
    )
    follow_up_days: int | None = Field(
        default=None,
        gt=0,
        description=(
            "day since the index day at which the follow-up of a survival time ends for everyone"
        ),
    )
    end_at_treatment: bool = Field(
        default=False,
        description="whether tofersen or a trial drug ends the follow-up of a survival time",
    )
    column: str | None = Field(
        default=None, description="a numeric column of patients to use instead"
    )
    above: float | None = Field(default=None, description="positive where column > above")
    below: float | None = Field(default=None, description="positive where column < below")
    error: float | None = Field(
        default=None,
        gt=0,
        description=(
            "standard error of the column's values, in its unit; without it labels are certain"
        ),
    )

    @property
    def stated(self) -> tuple[float, ...]:
        """Cut-offs that are stated here, ascending; empty where the scheme has them."""
        if self.cutoff is None:
            return ()
        return (self.cutoff,) if self.middle_cutoff is None else (self.middle_cutoff, self.cutoff)

    @model_validator(mode="after")
    def _ordered(self) -> "Label":
        if self.cutoff is not None and self.scheme != "default":
            raise ValueError("give label.scheme or label.cutoff, not both")
        if self.middle_cutoff is not None and (
            self.cutoff is None or self.middle_cutoff >= self.cutoff
        ):
            raise ValueError("label.middle_cutoff goes with a higher label.cutoff")
        return self

    @model_validator(mode="after")
    def _one_direction(self) -> "Label":
        if (self.column is None) == (self.above is not None or self.below is not None):
            raise ValueError("label.column goes with exactly one of label.above and label.below")
        if self.error is not None and self.column is None:
            raise ValueError(
                "label.error goes with label.column; the error of a slope is computed from its"
                " visits"
            )
        if self.above is not None and self.below is not None:
            raise ValueError("give one of label.above and label.below, not both")
        return self


class Search(_Part):
    """A search for parameters with Optuna, inside each training part."""

    trials: int = Field(
        default=30, ge=1, description="an estimator; the first is what `parameters` says"
    )
    minutes: float | None = Field(
        default=None, gt=0, description="no further trial of an estimator after this time"
    )
    folds: int = Field(default=3, ge=2, description="inner folds of a trial")
    journal: str | None = Field(
        default=None,
        description="file that keeps finished trials, so that an interrupted search goes on",
    )


STACK = "stack"
Parameters = dict[str, float | int | str | bool | None]


class Model(_Part):
    """Which estimator, with parameters that replace its defaults."""

    estimator: str = Field(
        default="xgboost", description="a registered estimator, or a stack of several"
    )
    parameters: Parameters = Field(default={}, description="of the estimator, by their own names")
    members: dict[str, Parameters] = Field(
        default={"elastic_net": {}, "random_forest": {}, "histogram_boosting": {}, "xgboost": {}},
        description="of a stack, with their parameters",
    )
    least_share: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="a column that is off its most common value in fewer patients is not used",
    )
    imputation: Literal["mean", "related"] = Field(
        default="mean",
        description=(
            "an unknown value is the training mean (trees: a value of its own), or follows from the"
            " known ones"
        ),
    )
    calibration: Literal["auto", "sigmoid", "beta"] = Field(
        default="auto",
        description="auto: the sigmoid unless beta has the clearly lower out-of-fold log loss",
    )
    search: Search | None = None

    @field_validator("calibration", mode="before")
    @classmethod
    def _rising(cls, value: object) -> object:
        if value in ("isotonic", "venn_abers"):
            raise ValueError(
                "this map has plateaus and stores a number for each training patient; "
                "use auto, sigmoid or beta"
            )
        return value

    @field_validator("estimator")
    @classmethod
    def _estimator(cls, name: str) -> str:
        return name if name == STACK else _registered_estimator(name)

    @field_validator("members")
    @classmethod
    def _members(cls, members: dict[str, Parameters]) -> dict[str, Parameters]:
        for name in members:
            _registered_estimator(name)
        return members

    @model_validator(mode="after")
    def _of_a_stack(self) -> "Model":
        if self.estimator == STACK and (self.parameters or len(self.members) < 2):
            raise ValueError(
                "a stack takes two or more `members`, each with its own parameters, and no"
                " `parameters`"
            )
        return self


def _registered_estimator(name: str) -> str:
    from models.estimators import registry

    known = (*registry.names(), *registry.names_of_times())
    if name not in known:
        hint = not_allowed(registry.GROUP, name) or nearest(name, (*known, STACK))
        raise ValueError(f"is not a registered estimator ({hint.rstrip('.')})")
    return name


class Decision(_Part):
    """Where a probability becomes a class."""

    threshold: Literal["prevalence", "cost", "sensitivity"] = Field(
        default="prevalence",
        description="as many positives as there are, least cost, or a share of positives found",
    )
    miss_cost: float = Field(
        default=4.0, gt=0, description="false alarms that a missed positive is worth (cost)"
    )
    sensitivity: float = Field(
        default=0.9, gt=0, le=1, description="share of positives to find (sensitivity)"
    )


class Validation(_Part):
    """Cross-validation, stratified by label and grouped by family; further splits beside it."""

    folds: int = Field(default=5, ge=2, description="of the cross-validation; families stay whole")
    repeats: int = Field(
        default=1, ge=1, description="of the cross-validation; averaged per patient"
    )
    inner_folds: int = Field(
        default=5,
        ge=2,
        description="folds inside a training part, for calibration and conformal sets",
    )
    bootstrap: int = Field(
        default=2000, ge=0, description="family-bootstrap draws of each interval"
    )
    coverage: float = Field(
        default=0.9, gt=0.5, lt=1, description="of the label-conditional conformal sets"
    )
    seed: int = Field(default=1, ge=0, le=bounds.MOST_SEED, description="same seed, same figures")
    sites: bool = Field(default=True, description="leave one site out, where there are two or more")
    cohort: str | None = Field(default=None, description="a cohort file that is held out")
    split_date: date | None = Field(
        default=None, description="train before this index_date, test from it"
    )
    honesty: bool = Field(
        default=True, description="refits that ask whether the estimate can be believed"
    )


class Tracking(_Part):
    """Where the run is logged."""

    experiment: str = Field(default="als-ml", description="MLflow's group of runs")
    model_name: str | None = Field(
        default=None, description="registered name; by default als- and the task"
    )
    run_name: str | None = Field(
        default=None, description="name of the run; by default the task and the estimator"
    )
    note: str | None = Field(
        default=None,
        description="what the run is for; shown with the run and the version, so name no patient",
    )
    register_model: bool = Field(default=True, description="false: a run without a model version")
    full_digests: bool = Field(
        default=False,
        description="read every byte of the genomes for the manifest, not their sizes and indexes",
    )


class Cluster(_Part):
    """Who does the work; no result depends on it."""

    where: str | None = Field(
        default=None,
        description="local:N, tls://HOST:PORT or slurm:PROFILE.yaml, as `--cluster`, which wins",
    )


class Config(_Part):
    """A whole run."""

    format: int = Field(
        default=FORMATS["configuration"], description="of this file (docs/compatibility.md)"
    )
    task: Literal["familial", "progression", "survival"] = Field(
        description="familial v sporadic, fast v slow, or the time to an event"
    )
    cohort: str = Field(description="the cohort file that is trained on")
    landmark_days: int = Field(
        default=90, ge=0, description="features end here, the progression label begins after it"
    )
    definitions: tuple[str, ...] = Field(
        default=(), description="folders of the laboratory's own tables, laid over ours"
    )
    features: Features = Features()
    label: Label = Label()
    model: Model = Model()
    decision: Decision = Decision()
    validation: Validation = Validation()
    tracking: Tracking = Tracking()
    threads: int = Field(default=2, ge=1, description="no figure depends on them")
    cluster: Cluster = Cluster()

    def tables(self) -> "Definitions":
        """Our definition tables with the laboratory's own laid over them."""
        from features.catalogue import shipped
        from features.overlay import overlaid

        return overlaid(shipped(), [Path(folder) for folder in self.definitions])

    @property
    def question(self) -> Task:
        """What is learned: the task, or the time until NIV or a gastrostomy (`label.event`), which
        rows, models and pages name so.
        """
        asked_of_time = self.task == SURVIVAL.name and self.label.event in TASKS
        return TASKS[self.label.event if asked_of_time else self.task]

    @property
    def cutoffs(self) -> tuple[float, ...]:
        """Ascending cut-offs of progression in points a month: the stated ones, else those of the
        scheme.
        """
        from features.catalogue import progression_schemes

        return self.label.stated or progression_schemes(self.tables())[self.label.scheme]

    @model_validator(mode="after")
    def _scheme(self) -> "Config":
        # The default scheme is always there, and reading the tables takes a second.
        if self.label.scheme != "default":
            from features.catalogue import progression_schemes

            known = progression_schemes(self.tables())
            if self.label.scheme not in known:
                hint = nearest(self.label.scheme, known).rstrip(".")
                raise ValueError(
                    f"label.scheme {self.label.scheme!r} is not known ({hint}; one of"
                    " your own stands in a folder that `definitions` of the configuration names)"
                )
        if self.label.learn == "classes" and len(self.cutoffs) < 2:
            raise ValueError(
                "label.learn: classes needs two cut-offs or more: a scheme such as kimura_three, or"
                " middle_cutoff"
            )
        return self

    @model_validator(mode="after")
    def _of_the_task(self) -> "Config":
        """Estimators of times answer the survival task, all others the other two."""
        from models.estimators import registry

        of_times = self.task == "survival"
        fitting = registry.names_of_times() if of_times else registry.names()
        named = (
            self.model.members if self.model.estimator == STACK else {self.model.estimator: None}
        )
        for name in named:
            if name not in fitting:
                raise ValueError(
                    f"model: {name} does not fit the task {self.task}; use"
                    f" {', '.join(fitting)} or a {STACK} of several as `members`"
                )
        return self

    @model_validator(mode="after")
    def _of_a_time(self) -> "Config":
        label, end = self.label, self.label.follow_up_days
        if self.task == "survival" and label.column is not None:
            raise ValueError(
                "label.column makes a label of two classes, not a time: it goes with the other"
                " tasks"
            )
        if self.task == "survival" and end is not None and end <= self.landmark_days:
            raise ValueError(
                f"label.follow_up_days {end} is not after landmark_days {self.landmark_days}: no"
                " time is left"
            )
        return self

    @model_validator(mode="after")
    def _no_circle(self) -> "Config":
        blocks = {"alsfrs", "prognosis"} & set(self.features.blocks)
        if self.task == "progression" and self.label.measure == "delta_fs" and blocks:
            raise ValueError(
                "label.measure: delta_fs is made of the ALSFRS-R up to the landmark, and so are"
                f" the feature blocks {' and '.join(sorted(blocks))} (ENCALS contains dFS): leave"
                " them out of features.blocks"
            )
        return self


def load_config(path: Path, changes: list[str] | None = None) -> Config:
    """Read a configuration and apply `--set dotted.key=value` changes.

    Parameters
    ----------
    path : Path
        YAML.
    changes : list of str
        `dotted.key=value`, later ones win.

    Returns
    -------
    Config
        Frozen and checked.

    Raises
    ------
    RequestError
        If the file is absent, no YAML, or a key or value does not fit.
    """
    if not path.is_file():
        remedy = f"`als-ml config NAME > {path.name}` writes one: {', '.join(config_names())}."
        raise RequestError(str(path), "there is no such configuration", remedy, code="file_absent")
    text = ""
    try:
        text = text_of(path)
        content = read_yaml(text)
    except yaml.YAMLError as error:
        raise RequestError(str(path), *yaml_fault(error, text), code="file_unreadable") from None
    if not isinstance(content, dict):
        raise RequestError(
            str(path),
            "this is not a configuration",
            "Start from one of configs/*.yaml.",
            code="file_unreadable",
        )
    for change in changes or []:
        _apply(content, change)
    return checked(content, str(path), text)


def checked(content: Json, where: str, text: str = "") -> Config:
    """What the keys of a configuration say.

    Parameters
    ----------
    content : dict
        Of its file.
    where : str
        How a message names it.
    text : str
        That it was read from, for the lines in messages.

    Raises
    ------
    RequestError
        If its format is not known, or a key or value does not fit.
    """
    check_format("configuration", content, where)
    content = with_removed_keys("configuration", content, where)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise wrong_key(error, Config, where, text) from None


def changed(config: Config, changes: Mapping[str, object]) -> Config:
    """A configuration with other values under some dotted keys.

    Raises
    ------
    RequestError
        If a key or value does not fit.
    """
    content = config.model_dump(exclude_unset=True)
    for key, value in changes.items():
        _put(content, key, value, f"change of {key}")
    return checked(content, "the changed configuration")


def _apply(content: Json, change: str) -> None:
    key, separator, value = change.partition("=")
    if not separator or not key:
        raise RequestError(
            f"--set {change}",
            "this is not a dotted.key=value",
            "For example: --set model.estimator=elastic_net",
            code="option_value",
        )
    try:
        parsed = read_yaml(value)
    except yaml.YAMLError:
        raise RequestError(
            f"--set {change}", "the value is not YAML", "Quote it.", code="option_value"
        ) from None
    _put(content, key, parsed, f"--set {change}")


def _put(content: Json, key: str, value: object, where: str) -> None:
    *parents, last = key.split(".")
    part = content
    for parent in parents:
        part = part.setdefault(parent, {})
        if not isinstance(part, dict):
            raise RequestError(
                where, f"{parent} has no keys", "Check the dotted key.", code="key_value"
            )
    part[last] = value


def wrong_key(
    error: ValidationError, model: type[BaseModel], where: str, text: str = ""
) -> RequestError:
    """Turn one of pydantic's complaints into ours: an unknown key first, which is often the
    misspelt one that another complaint misses.

    Parameters
    ----------
    error : ValidationError
        Of `model`.
    model : type
        What the file should be.
    where : str
        The file, for the message.
    text : str
        YAML that it was read from, for the line; none is said without it.
    """
    complaints = error.errors()
    unknown = [one for one in complaints if one["type"] == "extra_forbidden"]
    first = (unknown or complaints)[0]
    location = [str(part) for part in first["loc"]]
    line = line_of(text, first["loc"]) if text else None
    place = where if line is None else f"{where}, line {line}"
    place = f"{place}, key {'.'.join(location)}" if location else place
    if first["type"] == "extra_forbidden":
        hint = nearest(location[-1], _keys_at(model, location[:-1]))
        return RequestError(place, "this key is not known", hint, code="key_unknown")
    if first["type"] == "missing":
        return RequestError(place, "this key is missing", "Add it.", code="key_missing")
    reason = first["msg"].removeprefix("Value error, ")
    shown = f"{first['input']!r}: " if not isinstance(first["input"], dict) else ""
    found = f"{shown}{reason[:1].lower()}{reason[1:]}"
    return RequestError(place, found, _remedy_of_value(first), code="key_value")


def _remedy_of_value(complaint: "ErrorDetails") -> str:
    """The nearest word where only some are allowed."""
    allowed = re.findall("'([^']*)'", str(complaint.get("ctx", {}).get("expected", "")))
    if allowed and isinstance(complaint["input"], str):
        return nearest(complaint["input"], allowed)
    return "Correct the value."


def _keys_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Keys of the part that a location leads to.

    The names in a mapping of parts are the user's own.
    """
    for name in location:
        if name in model.model_fields:
            model = next(_models_in(model.model_fields[name].annotation), model)
    return list(model.model_fields)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models inside an annotation such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
