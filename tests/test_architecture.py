"""The map of docs/architecture.md is that of the code: its rooms are there, and each walk goes
where the code goes.

A station may be reached by any station before it, through helpers of that station's own module.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
STATION = re.compile(r"^\d+\. `([\w.]+):([\w.]+)`", re.MULTILINE)
# MLflow calls these, not our own code.
CALLED_BY_MLFLOW = {"AlsModel.predict"}
# The rows ask each registered block for its columns (`features.blocks.registry`).
REGISTERED = {"alsfrs_features"}


def walks() -> dict[str, list[tuple[str, str]]]:
    """Title of each walk -> its stations, module and name."""
    parts = PAGE.split("\n### ")[1:]
    return {part.splitlines()[0]: STATION.findall(part) for part in parts}


@cache
def defined(module: str) -> dict[str, ast.AST]:
    """Name -> definition of every function and class of a module; methods as `Class.method`."""
    path = ROOT / f"{module.replace('.', '/')}.py"
    found: dict[str, ast.AST] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        for inner in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{node.name}.{inner.name}"] = inner
    return found


def named(node: ast.AST) -> Iterator[str]:
    """Every name and attribute that a definition uses."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr


def reached(module: str, name: str) -> set[str]:
    """Names used by a function and by the helpers of its module that it uses, however deep."""
    own, seen, left = defined(module), set(), [name]
    methods = {key.partition(".")[2]: key for key in own if "." in key}
    while left:
        for used in named(own[left.pop()]):
            if used not in seen:
                seen.add(used)
                left += [key for key in (used, methods.get(used, "")) if key in own]
    return seen


def test_there_are_five_walks() -> None:
    assert len(walks()) == 5
    assert all(len(stations) >= 5 for stations in walks().values())


@pytest.mark.parametrize("title", walks())
def test_each_station_is_called_by_one_before_it(title: str) -> None:
    before: list[tuple[str, str]] = []
    for module, name in walks()[title]:
        assert name in defined(module), f"{module} has no {name}"
        bare = name.rpartition(".")[2]
        known = set().union(*(reached(*station) for station in before)) if before else {bare}
        assert bare in known or name in CALLED_BY_MLFLOW | REGISTERED, (
            f"nothing before it calls {module}:{name}"
        )
        before.append((module, name))


def test_a_station_that_nothing_calls_is_seen() -> None:
    assert "kings_stage" not in reached("als_ml.cohort.read", "read_patients")
    assert "extract" in reached("features.genotypes.extraction", "gather")


def test_every_room_stands_in_the_table() -> None:
    listed = set(re.findall(r"^\| `([\w/]+)` \|", PAGE, re.MULTILINE))
    rooms = {
        str(path.parent.relative_to(ROOT))
        for package in ("features", "models", "als_ml")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert listed == rooms - {"features", "als_ml"}


def test_the_picture_names_every_room_of_als_ml_and_features() -> None:
    picture = (ROOT / "docs/images/layers.svg").read_text(encoding="utf-8")
    shown = set(re.findall(r">([\w ]+)</text>", picture))
    folders = [path for package in ("als_ml", "features") for path in (ROOT / package).iterdir()]
    rooms = {path.name for path in folders if (path / "__init__.py").is_file()}
    assert rooms <= shown
    assert "definitions" in shown
