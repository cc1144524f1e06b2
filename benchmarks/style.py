"""How dense the code is: `python -m benchmarks style [FOLDER ...]`, one line a folder.

Without a folder: the three packages of this repository, and a line for each thing left to mend.
The definitions are the same for every code base; tests are left out.

- A code line holds code: it is not blank, not only a comment, not in a docstring.
- "per 1,000" is per 1,000 code lines; characters are those of code lines, indentation apart.
- Too long may be any line.
- The length of a function is its code lines: signature, decorators, nested functions included.
- Parameters are counted without `self` and `cls`.
- `Any` counts wherever it is used as a name, imports apart.
- A function, method or class is public where neither it nor its class begins with an underscore;
  nothing inside a function is public.
- "Parameters" is the share with such a section among documented public functions and methods that
  take something.

Left to mend are records of more than three fields that are built by position, private names of
another module that are used, and tuples of lambdas.
"""

import ast
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np

OURS = ("als_ml", "features", "models")
# From how many fields on a record must name them; three can be read at a glance.
NAMED_FROM = 4
# Public in spite of their name: methods of every named tuple, and what ends a process at once.
NOT_PRIVATE = {"_replace", "_asdict", "_fields", "_make", "_exit"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Counts:
    """What is counted in a folder."""

    lines: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    comments: int = 0
    anys: int = 0
    lengths: list[int] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    public: int = 0
    documented: int = 0
    takes_something: int = 0
    says_parameters: int = 0
    positional: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)
    lambdas: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] = ()) -> None:
    folders = [Path(name) for name in arguments] or [Path()]
    table = {folder.resolve().name: counted(folder) for folder in folders}
    print("  ".join(["folder", *next(iter(map(columns, table.values())))]))
    for name, counts in table.items():
        print("  ".join([name, *columns(counts).values()]))
    for counts in table.values() if not arguments else ():
        print(*counts.positional, *counts.private, *counts.lambdas, sep="\n")


def columns(counts: Counts) -> dict[str, str]:
    """Column -> what stands there for a folder."""
    thousand = len(counts.code) / 1000
    lengths = np.array(counts.lengths)
    length = f"{np.median(lengths):.0f}/{np.quantile(lengths, 0.9):.0f}/{lengths.max()}"
    return {
        "functions": str(len(lengths)),
        "median/p90/max": length,
        "most parameters": str(max(counts.parameters)),
        "Any/1k": f"{counts.anys / thousand:.1f}",
        ">100/1k": f"{longer(counts, 100) / thousand:.1f}",
        ">110/1k": f"{longer(counts, 110) / thousand:.1f}",
        "characters": f"{np.mean([len(line.strip()) for line in counts.code]):.1f}",
        "comments/1k": f"{counts.comments / thousand:.0f}",
        "docstrings": _share(counts.documented, counts.public),
        "Parameters": _share(counts.says_parameters, counts.takes_something),
        "by position": str(len(counts.positional)),
        "private": str(len(counts.private)),
        "lambdas": str(len(counts.lambdas)),
    }


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def longer(counts: Counts, than: int) -> int:
    """Lines of more characters, of every kind."""
    return sum(len(line) > than for line in counts.lines)


def counted(folder: Path) -> Counts:
    """Count every module below a folder; below this repository only the three packages."""
    counts = Counts()
    roots = [folder / name for name in OURS] if (folder / "als_ml").is_dir() else [folder]
    paths = sorted(p for root in roots for p in root.rglob("*.py") if "tests" not in p.parts)
    modules = {path: ast.parse(path.read_bytes()) for path in paths}
    records = many_field_records(modules.values())
    for path, tree in modules.items():
        name = str(path.relative_to(folder))
        _count_lines(counts, path.read_bytes(), tree)
        _count_functions(counts, tree)
        _count_public(counts, tree.body)
        counts.positional += built_by_position(tree, records, name)
        counts.private += private_of_others(tree, name)
        counts.lambdas += tuples_of_lambdas(tree, name)
    return counts


def code_lines(source: bytes, tree: ast.AST) -> tuple[set[int], int]:
    """Numbers of the lines that hold code, and how many comments there are."""
    held: set[int] = set()
    comments = 0
    for token in tokenize.tokenize(BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments += 1
        elif token.string.strip() and token.type != tokenize.ENCODING:
            held |= set(range(token.start[0], token.end[0] + 1))
    return held - docstring_lines(tree), comments


def docstring_lines(tree: ast.AST) -> set[int]:
    """Numbers of the lines of all docstrings."""
    held: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, Documented | ast.Module) and ast.get_docstring(node, clean=False):
            text = node.body[0]
            held |= set(range(text.lineno, int(text.end_lineno or 0) + 1))
    return held


def _count_lines(counts: Counts, source: bytes, tree: ast.Module) -> None:
    lines = source.decode().splitlines()
    held, comments = code_lines(source, tree)
    counts.lines += lines
    counts.code += [lines[number - 1] for number in sorted(held) if number <= len(lines)]
    counts.comments += comments
    counts.anys += sum(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, Function):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            own = range(first, int(node.end_lineno or first) + 1)
            counts.lengths.append(len(held.intersection(own)))


def taken(function: Function) -> list[str]:
    """Names of a function's parameters but `self` and `cls`."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [extra for extra in (given.vararg, given.kwarg) if extra]
    return [one.arg for one in every if one.arg not in ("self", "cls")]


def _count_functions(counts: Counts, tree: ast.Module) -> None:
    counts.parameters += [len(taken(n)) for n in ast.walk(tree) if isinstance(n, Function)]


def public_definitions(body: Sequence[ast.stmt]) -> Iterator[Documented]:
    """Public functions, classes and methods of a module's body."""
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            if any("overload" in ast.unparse(mark) for mark in node.decorator_list):
                continue  # The implementation has the words.
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body)


def _count_public(counts: Counts, body: Sequence[ast.stmt]) -> None:
    for node in public_definitions(body):
        text = ast.get_docstring(node)
        counts.public += 1
        counts.documented += text is not None
        if isinstance(node, Function) and taken(node) and text:
            counts.takes_something += 1
            counts.says_parameters += "Parameters\n----------" in text


def described_parameters(text: str) -> list[str]:
    """Names in the Parameters section of a docstring."""
    section = text.partition("Parameters\n----------\n")[2]
    section = re.split(r"\n\n\w+\n---|\n\n?>>>", section)[0]
    heads = [line for line in section.splitlines() if line and not line.startswith(" ")]
    return [name.strip(" *") for head in heads for name in head.split(" : ")[0].split(",")]


def many_field_records(trees: Iterable[ast.Module]) -> set[str]:
    """Names of dataclasses and named tuples with many fields."""
    return {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and _is_record(node) and len(_fields(node)) >= NAMED_FROM
    }


def _is_record(node: ast.ClassDef) -> bool:
    marks = [ast.unparse(mark) for mark in (*node.decorator_list, *node.bases)]
    return any(mark.split("(")[0].split(".")[-1] in ("dataclass", "NamedTuple") for mark in marks)


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [inner for inner in node.body if isinstance(inner, ast.AnnAssign)]


def built_by_position(tree: ast.Module, records: set[str], where: str) -> list[str]:
    """Records with many fields that are built by position; the first value may, as a name does."""
    small = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    small -= many_field_records([tree])
    return [
        f"{where}:{node.lineno}: {ast.unparse(node.func)} is built by position"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in records - small
        and (len(node.args) > 1 or any(isinstance(arg, ast.Starred) for arg in node.args))
    ]


def private_of_others(tree: ast.Module, where: str) -> list[str]:
    """Private names that a module uses and does not define itself."""
    own = set(_defined_names(tree))
    return [
        f"{where}:{node.lineno}: {name} is private elsewhere"
        for node, name in _used_names(tree)
        if name.startswith("_") and not name.endswith("_") and name not in own | NOT_PRIVATE
    ]


def _used_names(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and not _of_this_object(node):
            yield node, node.attr


def _defined_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, Documented):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and _of_this_object(node):
            yield node.attr


def _of_this_object(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def tuples_of_lambdas(tree: ast.AST, where: str) -> list[str]:
    """Tuples or lists with a lambda among their elements."""
    return [
        f"{where}:{node.lineno}: a lambda in a tuple"
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple | ast.List)
        and any(isinstance(element, ast.Lambda) for element in node.elts)
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
