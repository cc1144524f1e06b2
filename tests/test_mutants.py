"""The tool that asks whether the decision tables notice a change: what it changes, and where."""

import ast
import sys
import types

import pytest
import yaml

from benchmarks.mutant_runs import put_code
from benchmarks.mutants import (
    Mutant,
    changed_lines,
    code_mutants,
    mutated,
    mutated_table,
    nudged,
    table_mutants,
)
from benchmarks.mutate import DECISIONS, HAND, ROOT, changed_since, reasons

CODE = '''"""Prose stays."""
from functools import lru_cache
LIMIT = 0.9
@lru_cache
def decide(x: float, least: int = 3) -> bool:
    "Prose stays."
    if x >= LIMIT:
        raise ValueError(f"too much: {x}", "words of an error")
    return x > 2
class Rule:
    """Prose stays."""
    window: int = 365
'''


def made(tmp_path, only=(), skip=()):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    module, mutants = code_mutants(path, only, skip)
    return {(m.where, *changed_lines(CODE, mutated(module, m))) for m in mutants}


def test_what_is_changed(tmp_path):
    assert made(tmp_path) == {
        ("module", "LIMIT = 0.9", "LIMIT = 0.8"),
        ("module", "LIMIT = 0.9", "LIMIT = 1.0"),
        # A default is a constant, whatever decorates the function.
        (
            "decide",
            "def decide(x: float, least: int = 3) -> bool:",
            "def decide(x: float, least: int = 4) -> bool:",
        ),
        ("decide", "if x >= LIMIT:", "if x > LIMIT:"),
        ("decide", "return x > 2", "return x >= 2"),
        ("decide", "return x > 2", "return x > 3"),
        ("Rule", "window: int = 365", "window: int = 364"),
        ("Rule", "window: int = 365", "window: int = 366"),
    }


def test_some_functions_only(tmp_path):
    assert {where for where, *_ in made(tmp_path, only=("Rule",))} == {"Rule"}
    assert {where for where, *_ in made(tmp_path, skip=("Rule",))} == {"module", "decide"}


@pytest.mark.parametrize(
    ("number", "moved"),
    [
        ("31", ["30", "32"]),
        ("0.9", ["0.8", "1.0"]),
        ("0.0442", ["0.0441", "0.0443"]),
        ("5_000", ["4999", "5001"]),
        ("1e-3", ["0.5e-3", "2e-3"]),
        ("0", ["-1", "1"]),
    ],
)
def test_a_number_moves_in_its_last_digit(number, moved):
    assert nudged(number) == moved


def test_cells_of_a_table(tmp_path):
    path = tmp_path / "schemes.tsv"
    path.write_text("scheme\tcutoffs\tsource\ngordon\t0.5\t2006\nkimura\t0.5;1.0\t2006\n")
    found = table_mutants(path, ("cutoffs",))
    assert [m.after for m in found] == ["0.4", "0.6", "0.4;1.0", "0.6;1.0", "0.5;0.9", "0.5;1.1"]
    assert found[4].where == "line 3 (kimura), cutoffs"
    text = mutated_table(path.read_text(), found[4])
    assert text == path.read_text().replace("0.5;1.0", "0.5;0.9")


@pytest.fixture
def loaded(monkeypatch):
    """A module that was loaded, and one that imported everything from it."""
    modules = [types.ModuleType(name) for name in ("made_code", "made_user")]
    modules[0].__file__ = "made_code.py"
    exec(CODE, modules[0].__dict__)  # noqa: S102
    modules[0].Rule.__module__ = "made_code"
    modules[1].__dict__.update({n: vars(modules[0])[n] for n in ("LIMIT", "decide", "Rule")})
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return modules


def defaults(user):
    return user.decide.__wrapped__.__defaults__


@pytest.mark.parametrize(
    ("old", "new", "asked", "before", "after"),
    [
        ("x > 2", "x > -5", lambda user: user.decide(-1.0), False, True),
        ("LIMIT = 0.9", "LIMIT = 0.8", lambda user: user.LIMIT, 0.9, 0.8),
        ("least: int = 3", "least: int = 4", defaults, (3,), (4,)),
        ("365", "366", lambda user: user.Rule().window, 365, 366),
    ],
)
def test_a_change_reaches_who_has_imported_the_code(loaded, old, new, asked, before, after):
    user = loaded[1]
    assert asked(user) == before
    user.decide.cache_clear()
    put_code("made_code.py", CODE.replace(old, new))
    assert asked(user) == after


def test_a_mutant_of_a_table_knows_that_it_is_one():
    assert Mutant("a.tsv", "", "", "").in_table
    assert not Mutant("a.py", "", "", "").in_table


def test_decisions_and_their_tests_are_there():
    for decision in DECISIONS:
        assert (ROOT / decision.path).is_file()
        assert all((ROOT / test).is_file() for test in decision.tests)
    for row in yaml.safe_load(HAND.read_text()):
        assert all((ROOT / path).is_file() for path in (row["path"], *row["tests"]))
    assert {path for path, *_ in reasons()} <= {decision.path for decision in DECISIONS}


def test_functions_whose_mutants_are_asked_for_are_there():
    for decision in (one for one in DECISIONS if one.only):
        nodes = ast.parse((ROOT / decision.path).read_text()).body
        names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert set(decision.only) - {"module"} <= names, decision.path


def test_what_changed_since_a_commit():
    assert changed_since("no-such-commit") is None
