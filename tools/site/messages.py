"""The page of messages: every error, warning and note of the product, from the code that says it.

A message has three parts: where, what was found, what to do. What a message takes from the data
stands as its name in angle brackets.
"""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from features.codes import CODES
from tools.site.bad_cohort import examples
from tools.site.markdown import cell, table

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("als_ml", "features", "models")
# What a call is of, by the last part of its name.
_ERRORS = {"DataError": "error", "RequestError": "error", "UserError": "error"}
_NOTED = {
    "error": "error",
    "reject": "error",
    "warn": "warning",
    "question": "warning",
    "note": "note",
}
# Real texts of one code: more would hide the table below them.
_MOST_SHOWN = 4
_COLLECTORS = ("problems", "self", "noticed")
_PARTS = ("where", "found", "remedy")
# What is noted of the flagged rows of a table.
_OF_ROWS = ("bad", "where", "values", "found", "remedy")

HEAD = """# Messages

Every message of als-ml has three parts: **where** (file, line, column or key), **what was
found**, **what to do**. Errors end a command with exit status 1 (the data) or 2 (the request);
warnings and notes do not. `check --json`, replies of the server and `--issues` carry the code,
which programs may rely on ([compatibility](../compatibility.md)); the words may change. What a
message takes from your data stands here in angle brackets. This page is made from the code: each
message stands once; those in a grey box are as they are read, of made-up cohorts, configurations
and commands in which much is wrong (`tools/site/bad_cohort.py`).

"""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one place of the code says: code, severity, and three parts as templates."""

    code: str
    severity: str
    where: str
    found: str
    remedy: str
    module: str


def page() -> str:
    """Every code, with the messages that carry it."""
    said = messages()
    index = [
        [f"[`{name}`](#{name})", cell(meaning), str(sum(one.code == name for one in said))]
        for name, meaning in CODES.items()
    ]
    sections = [_section(name, [one for one in said if one.code == name]) for name in CODES]
    return HEAD + table(["code", "meaning", "messages"], index) + "".join(sections)


@cache
def messages() -> list[Message]:
    """Every message that the code can say, in the order of its files; each once."""
    found: dict[Message, None] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            # Reading all of the code takes seconds, and most of it says nothing.
            if "code=" in text:
                module = str(path.relative_to(ROOT))
                found |= dict.fromkeys(_of_file(ast.parse(text), module))
    return list(found)


def _section(name: str, said: list[Message]) -> str:
    rows = [
        [one.severity, cell(one.where), cell(one.found), cell(one.remedy)]
        for one in sorted(said, key=lambda one: list(_NOTED.values()).index(one.severity))
    ]
    heading = f"## {name}\n\n{cell(CODES[name])[:1].upper()}{cell(CODES[name])[1:]}.\n\n"
    if not rows:
        return heading + "Passed on from another package, or from a rule that a table states.\n\n"
    return heading + _example(name) + table(["", "where", "found", "what to do"], rows)


def _example(name: str) -> str:
    """How some of them are read by their receiver, where something made up has them."""
    told = examples().get(name, [])[:_MOST_SHOWN]
    if not told:
        return ""
    said = [f"{one['severity']}: {one['where']}: {one['found']}. {one['remedy']}" for one in told]
    lines = "\n".join(textwrap.fill(text.rstrip(), 100) for text in said)
    return f'```text title="As it is read"\n{lines}\n```\n\n'


def _of_file(tree: ast.Module, module: str) -> Iterator[Message]:
    constants = _assigned(tree.body)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body):
        if isinstance(node, ast.FunctionDef):
            inside = list(ast.walk(node))
            calls = [one for one in inside if isinstance(one, ast.Call) and _severity(one)]
            known = constants | _assigned(inside) if calls else constants
            yield from filter(None, (_message(call, known, module) for call in calls))


def _assigned(nodes: Sequence[ast.AST]) -> dict[str, ast.expr]:
    """Name -> what it is, where it is assigned once."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            for name, value in _pairs(node.targets[0], node.value):
                found.setdefault(name, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _pairs(names: ast.Tuple, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(value, ast.Tuple) and len(value.elts) == len(names.elts):
        for name, part in zip(names.elts, value.elts, strict=True):
            if isinstance(name, ast.Name):
                yield name.id, part


def _severity(node: ast.Call) -> str | None:
    if not isinstance(node.func, ast.Name | ast.Attribute):
        return None
    *owner, name = ast.unparse(node.func).split(".")
    if name in _ERRORS:
        return _ERRORS[name]
    return _NOTED.get(name) if owner and owner[-1] in _COLLECTORS else None


def _message(node: ast.Call, known: dict[str, ast.expr], module: str) -> Message | None:
    severity = _severity(node)
    by_row = ast.unparse(node.func).endswith((".reject", ".question"))
    given = dict(zip(_OF_ROWS if by_row else _PARTS, _unpacked(node.args), strict=False))
    given |= {word.arg: word.value for word in node.keywords if word.arg}
    stated = given.get("code")
    if severity is None or not isinstance(stated, ast.Constant) or "found" not in given:
        return None
    where, found, remedy = (_said(given.get(part), known) for part in _PARTS)
    if by_row:
        where, found = f"{where}, line <number>", f"<value> {found}"
    return Message(
        code=str(stated.value),
        severity=severity,
        where=where,
        found=found,
        remedy=remedy,
        module=module,
    )


def _unpacked(given: list[ast.expr]) -> list[ast.expr]:
    """Arguments with `*place_and_reason` as the two that it is."""
    two = (ast.Name(id="where"), ast.Name(id="reason"))
    return [part for one in given for part in (two if isinstance(one, ast.Starred) else (one,))]


def _said(node: ast.expr | None, known: dict[str, ast.expr], depth: int = 0) -> str:
    """An expression as words: its text, and in angle brackets what it takes from the data."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_said(part, known, depth) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _named(node.value, known, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _said(node.left, known, depth) + _said(node.right, known, depth)
    if isinstance(node, ast.IfExp):
        parts = (_said(part, known, depth) for part in (node.body, node.orelse))
        return " / ".join(part for part in parts if part)
    return _named(node, known, depth)


# Names of names go no deeper than this.
_DEEPEST = 3


def _named(node: ast.expr, known: dict[str, ast.expr], depth: int) -> str:
    if isinstance(node, ast.Name) and node.id in known and depth < _DEEPEST:
        value = known[node.id]
        if isinstance(value, ast.Constant | ast.JoinedStr | ast.IfExp):
            return _said(value, known, depth + 1)
    if isinstance(node, ast.IfExp):
        return _said(node, known, depth)
    return f"<{_subject(node)}>"


def _subject(node: ast.expr) -> str:
    """What an expression is about, in a word or two."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").replace("_", " ")
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_").replace("_", " ")
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("nearest"):
        return "the nearest that is known"
    if isinstance(node, ast.Call):
        about = [*node.args, node.func]
        return _subject(about[0]) if node.args else _subject(node.func)
    if isinstance(node, ast.Subscript):
        return _subject(node.value)
    if isinstance(node, ast.BinOp):
        return _subject(node.left)
    if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
        return _subject(node.generators[0].iter)
    return "..."
