"""The pages of the two files that a user writes: configuration and cohort file, from pydantic."""

import csv
import types
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from als_ml.cohort.source import CohortFile
from als_ml.config import Config
from tools.site.markdown import cell, code, table

ROOT = Path(__file__).resolve().parents[2]
COHORT_KEYS = Path(__file__).parent / "cohort_keys.tsv"
_SIGNS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))

CONFIGURATION = """# Configuration reference

A configuration is one YAML file a run: `als-ml train --config FILE`, and `--set dotted.key=value`
changes a key for one run. An unknown key is refused with the nearest known one. `als-ml config
progression > mine.yaml` starts one. Paths are relative to the folder that the command is run in.
This page is made from the code that reads the file.

"""
COHORT = """# Cohort file reference

`cohort.yaml` says where the files of a cohort are and how their cells are to be read. Paths are
relative to it. `als-ml init` proposes one; [tables](../tables.md) says what each table may hold.
This page is made from the code that reads the file.

"""


def configuration_page() -> str:
    """Every key of a configuration, then the shipped ones whole."""
    sections = [_section(names, model) for model, names in _parts(Config).items()]
    shipped = [
        f"### configs/{path.name}\n\n```yaml\n{path.read_text(encoding='utf-8')}```\n\n"
        for path in sorted((ROOT / "configs").glob("*.yaml"))
    ]
    return CONFIGURATION + "".join(sections) + "## Shipped configurations\n\n" + "".join(shipped)


def cohort_page() -> str:
    """Every key of a cohort file."""
    meanings = cohort_meanings()
    sections = [_section(names, model, meanings) for model, names in _parts(CohortFile).items()]
    return COHORT + "".join(sections)


def cohort_meanings() -> dict[str, str]:
    """Dotted key of a cohort file -> what it means."""
    with COHORT_KEYS.open(encoding="utf-8") as file:
        return {row["key"]: row["meaning"] for row in csv.DictReader(file, delimiter="\t")}


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Every dotted key of a file that a model describes; of like parts those of the first.

    Parameters
    ----------
    model : type
        `Config` or `CohortFile`.

    Returns
    -------
    dict
        Dotted key -> its field.
    """
    return {
        f"{names[0]}.{key}".lstrip("."): field
        for part, names in _parts(model).items()
        for key, field in part.model_fields.items()
    }


def undescribed(model: type[BaseModel], meanings: dict[str, str] | None = None) -> list[str]:
    """Dotted keys that nothing is said of, and meanings of no key.

    Parameters
    ----------
    model : type
        `Config` or `CohortFile`.
    meanings : dict, optional
        Dotted key -> what it means, for those that do not say it themselves.

    Returns
    -------
    list of str
        Empty where all is well.
    """
    known, there = meanings or {}, keys(model)
    lacking = [
        key
        for key, field in there.items()
        if not known.get(key, field.description) and not _models(field.annotation)
    ]
    return lacking + sorted(set(known) - set(there))


def _parts(model: type[BaseModel]) -> dict[type[BaseModel], list[str]]:
    """The model and those that its keys hold, each with the dotted names that it has."""
    found: dict[type[BaseModel], list[str]] = {}
    left = [("", model)]
    while left:
        name, part = left.pop(0)
        found.setdefault(part, []).append(name)
        left += [
            (f"{name}.{key}".lstrip("."), inner)
            for key, field in part.model_fields.items()
            for inner in _models(field.annotation)
        ]
    return found


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, type):
        return []
    return [model for part in get_args(annotation) for model in _models(part)]


def _section(
    names: list[str], model: type[BaseModel], meanings: dict[str, str] | None = None
) -> str:
    known, name = meanings or {}, names[0]
    rows = [
        [
            code(key),
            _shape(field),
            _default(field),
            cell(_meaning(field, known.get(f"{name}.{key}".lstrip(".")))),
        ]
        for key, field in model.model_fields.items()
    ]
    said = "" if name == "" else f"{_plain(model)}\n\n"
    heading = f"## {', '.join(names) if name else 'Top level'}\n\n{said}"
    return heading + table(["key", "type", "default", "meaning"], rows)


def _plain(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def _meaning(field: FieldInfo, known: str | None) -> str:
    said = known or field.description or ""
    inner = _models(field.annotation)
    if inner and not said:
        said = f"{_plain(inner[0])} Below."
    bounds = [
        f"{sign} {value}"
        for part in field.metadata
        for name, sign in _SIGNS
        if (value := getattr(part, name, None)) is not None
    ]
    return f"{said} ({', '.join(bounds)})" if bounds else said


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if isinstance(value, BaseModel) or value is None:
        return ""
    return code(_written(value))


def _written(value: object) -> str:
    """A default as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    return str(value.value if isinstance(value, Enum) else value)


def _shape(field: FieldInfo) -> str:
    return cell(_words(field.annotation))


_NAMES: dict[object, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}


def _words(annotation: object) -> str:
    """A type as a reader would say it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(parts[0])
    if origin is Literal:
        return ", ".join(code(_written(part)) for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(p) for p in parts if p is not type(None)))
    if origin in (tuple, list):
        return f"list of {_words(parts[0])}"
    if origin is dict:
        return f"map of {_words(parts[0])} to {_words(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys of its own"
    return _NAMES.get(annotation) or str(getattr(annotation, "__name__", annotation))
