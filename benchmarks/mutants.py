"""Mutants of the decision code, one change each: mutmut's operators, and numbers of our own.

mutmut's own runner makes no mutant of a decorated function (here: all that is `@derived`) nor of a
module's constants, and works on a copy of the whole tree. So its operators are used and its runner
is not. Left out, because no decision rests on them: text with a blank or a slash in it (prose,
paths), annotations, decorators, `strict=` and `dtype=`, numpy's `errstate`, descriptions of
features, the words of an error and its code, which tests/test_compatibility.py compares with the
table of codes.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import libcst as cst
from mutmut.mutation.mutators import mutation_operators

# Calls whose texts people read.
_PROSE = {
    "Feature",
    "DataError",
    "RequestError",
    "RecordError",
    "ValueError",
    "examples",
    "nearest",
}
# Arguments that are a matter of types, or are compared with a table by a test of their own.
_HELD_ELSEWHERE = ("strict", "dtype", "code")
_SPEAKING = {"error", "warn", "note", "reject", "question", "reasons"}
_SKIPPED = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom, cst.FormattedString)
_UNTOUCHED_CALLS = {"Block", "len", "isinstance", "errstate", "cast", "TypeVar", "compile"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


@dataclass(frozen=True)
class Mutant:
    """One change: `where` is a function, class or `module`, or the row and column of a table."""

    path: str
    where: str
    before: str
    after: str
    original: cst.CSTNode | None = None
    changed: cst.CSTNode | None = None

    @property
    def in_table(self) -> bool:
        """Whether a cell of the definitions is changed instead of code."""
        return self.path.endswith(".tsv")


class _Maker(cst.CSTVisitor):
    """Walks a module and collects its mutants."""

    def __init__(self, path: str, module: cst.Module, only: tuple[str, ...], skip: tuple[str, ...]):
        self.path, self.module, self.only, self.skip = path, module, only, skip
        self.place: list[str] = []
        self.functions = 0
        self.made: list[Mutant] = []

    @property
    def where(self) -> str:
        return ".".join(self.place) or "module"

    def _wanted(self) -> bool:
        name = self.place[0] if self.place else "module"
        return name not in self.skip and (not self.only or name in self.only)

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self.place.append(node.name.value)
            self.functions += isinstance(node, cst.FunctionDef)
            return True
        if _is_skipped(node):
            return False
        if self._wanted():
            for changed in self._changes(node):
                self.made.append(self._mutant(node, changed))
        return True

    def on_leave(self, node: cst.CSTNode) -> None:  # type: ignore[override]
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self.place.pop()
            self.functions -= isinstance(node, cst.FunctionDef)

    def _changes(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        if isinstance(node, cst.Call) and _is_prose_call(node):
            return
        if isinstance(node, cst.Integer | cst.Float) and not self.functions:
            yield from map(cst.parse_expression, nudged(node.value))
            return
        if not self.functions and not isinstance(node, cst.BaseString):
            return
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                changes = (c for c in operator(node) if not _concerns_a_type(node, c))
                # One wrong name is as wrong as another.
                yield from islice(changes, 1) if isinstance(node, cst.BaseString) else changes

    def _mutant(self, node: cst.CSTNode, changed: cst.CSTNode) -> Mutant:
        before, after = (" ".join(self.module.code_for_node(n).split()) for n in (node, changed))
        return Mutant(self.path, self.where, before, after, node, changed)


def _is_skipped(node: cst.CSTNode) -> bool:
    if isinstance(node, _SKIPPED):
        return True
    if isinstance(node, cst.SimpleString):
        return bool(set(" /") & set(node.value)) or node.quote in ('"""', "'''")
    if isinstance(node, cst.Arg) and node.keyword is not None:
        return node.keyword.value in _HELD_ELSEWHERE
    return isinstance(node, cst.Call) and _called(node) in _UNTOUCHED_CALLS


def _concerns_a_type(node: cst.CSTNode, changed: cst.CSTNode) -> bool:
    """Whether a call is changed in an argument that is held elsewhere."""
    if not isinstance(node, cst.Call) or not isinstance(changed, cst.Call):
        return False
    kept = [
        [a for a in call.args if a.keyword is not None and a.keyword.value in _HELD_ELSEWHERE]
        for call in (node, changed)
    ]
    return kept[0] != kept[1]


def _called(node: cst.Call) -> str:
    function = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
    return function.value if isinstance(function, cst.Name) else ""


def _is_prose_call(node: cst.Call) -> bool:
    """Whether a call itself, not what stands inside, is about words, lengths or types."""
    if _called(node) in _PROSE | {"zip", "astype"}:
        return True
    return isinstance(node.func, cst.Attribute) and _called(node) in _SPEAKING


def code_mutants(
    path: Path, only: tuple[str, ...] = (), skip: tuple[str, ...] = ()
) -> tuple[cst.Module, list[Mutant]]:
    """A module and its mutants: of `only` these functions and classes, or of all but `skip`.

    The module's constants are named `module`.
    """
    module = cst.parse_module(path.read_text(encoding="utf-8"))
    maker = _Maker(str(path), module, only, skip)
    module.visit(maker)
    return module, maker.made


def mutated(module: cst.Module, mutant: Mutant) -> str:
    """The text of the module with the change in it."""
    assert mutant.original is not None
    assert mutant.changed is not None
    changed = module.deep_replace(mutant.original, mutant.changed)
    assert isinstance(changed, cst.Module)
    return changed.code


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """The lines that differ, without their indentation."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    lines = [line for line in lines if line[:1] in "+-"]
    old, new = ([line[2:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return " ".join(old), " ".join(new)


def nudged(number: str) -> list[str]:
    """A number one lower and one higher in its last digit.

    >>> nudged("0.9"), nudged("31"), nudged("1e-3"), nudged("5_000")
    (['0.8', '1.0'], ['30', '32'], ['0.5e-3', '2e-3'], ['4999', '5001'])
    """
    digits, e, exponent = number.replace("_", "").partition("e")
    decimals = len(digits.partition(".")[2])
    if e and digits == "1":
        return [f"0.5e{exponent}", f"2e{exponent}"]  # not 0: that is no small change
    step = 10.0**-decimals
    return [f"{float(digits) + sign * step:.{decimals}f}{e}{exponent}" for sign in (-1, 1)]


def table_mutants(path: Path, columns: tuple[str, ...]) -> list[Mutant]:
    """Every number in some columns of a table, one lower and one higher in its last digit."""
    header, *lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    names, made = header.split("\t"), []
    for number, line in enumerate(lines):
        cells = line.split("\t")
        for name in columns:
            cell = cells[names.index(name)]
            for match in _NUMBER.finditer(cell):
                for text in nudged(match[0]):
                    new = cell[: match.start()] + text + cell[match.end() :]
                    where = f"line {number + 2} ({cells[0]}), {name}"
                    made.append(Mutant(str(path), where, cell, new))
    return made


def mutated_table(text: str, mutant: Mutant) -> str:
    """The text of the table with the change in it."""
    lines = text.split("\n")
    number = int(mutant.where.split()[1]) - 1
    at = lines[0].split("\t").index(mutant.where.rpartition(", ")[2])
    cells = lines[number].split("\t")
    cells[at] = mutant.after
    return "\n".join([*lines[:number], "\t".join(cells), *lines[number + 1 :]])
