"""The counts of `python -m benchmarks style`, each against a source that was counted by hand, and
what they have to be for our own code.
"""

import ast
import re
from pathlib import Path

import pytest

from benchmarks.style import (
    OURS,
    Counts,
    built_by_position,
    columns,
    counted,
    described_parameters,
    longer,
    many_field_records,
    private_of_others,
    taken,
    tuples_of_lambdas,
)
from tests.conftest import ROOT

SOURCE = '''"""A module.

Of some words.
"""

import typing
from typing import Any


class Public:
    """A class."""

    def method(self, first: Any, *, second: typing.Any) -> int:
        """A method.

        Parameters
        ----------
        first, second : object
            Whatever.
        """
        # Why it is so.
        return 1

    def no_words(self, third: int) -> int:
        return third


@decorated
def _private(*args, **kwargs):
    """A text that is no docstring's lines: 3 code lines and the decorator."""
    text = """two
    lines"""  # behind code
    return text


def takes_nothing() -> None:
    """Nothing to say of parameters."""
'''


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Counts:
    folder = tmp_path_factory.mktemp("style")
    (folder / "module.py").write_text(SOURCE)
    (folder / "tests").mkdir()
    (folder / "tests/test_module.py").write_text("import this_is_not_counted\n")
    return counted(folder)


def test_code_lines_are_those_with_code(counts: Counts) -> None:
    assert counts.code[:3] == ["import typing", "from typing import Any", "class Public:"]
    # 2 imports, the class, 2 + 2 of its methods, 5 of the private function, 1 of the last.
    assert len(counts.code) == 2 + 1 + 2 + 2 + 5 + 1


def test_functions_are_as_long_as_their_code(counts: Counts) -> None:
    assert sorted(counts.lengths) == [1, 2, 2, 5]


def test_parameters_are_counted_without_self(counts: Counts) -> None:
    assert sorted(counts.parameters) == [0, 1, 2, 2]


def test_any_counts_where_it_is_used(counts: Counts) -> None:
    assert counts.anys == 2


def test_comments_count_alone_and_behind_code(counts: Counts) -> None:
    assert counts.comments == 2


def test_public_is_what_a_reader_may_call(counts: Counts) -> None:
    # Public, method, no_words, takes_nothing; no_words says nothing, takes_nothing takes nothing.
    assert (counts.public, counts.documented) == (4, 3)
    assert (counts.takes_something, counts.says_parameters) == (1, 1)


def test_columns_are_per_thousand_code_lines(counts: Counts) -> None:
    shown = columns(counts)
    assert shown["Any/1k"] == f"{2 / 13 * 1000:.1f}"
    assert shown["median/p90/max"] == "2/4/5"
    assert shown["docstrings"] == "75%"


@pytest.mark.parametrize(("length", "over"), [(100, 0), (101, 1)])
def test_too_long_is_more_than_a_hundred_characters(tmp_path: Path, length: int, over: int) -> None:
    (tmp_path / "module.py").write_text(f"def f(): pass\n#{'x' * (length - 1)}\n")
    assert columns(counted(tmp_path))[">100/1k"] == f"{over * 1000:.1f}"


RECORDS = """
@dataclass(frozen=True)
class Four:
    a: int
    b: int
    c: int
    d: int = 0

class Three(NamedTuple):
    a: int
    b: int
    c: int

class NoRecord:
    a: int
    b: int
    c: int
    d: int
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("Four(1, 2, c=3)", ["m.py:1: Four is built by position"]),
        ("rooms.Four(*values, 2)", ["m.py:1: rooms.Four is built by position"]),
        ("Four(*values)", ["m.py:1: Four is built by position"]),
        ("Four(1, b=2, c=3)", []),
        ("Three(1, 2, 3)", []),
        ("NoRecord(1, 2, 3, 4)", []),
    ],
)
def test_records_built_by_position_are_found(call: str, expected: list[str]) -> None:
    records = many_field_records([ast.parse(RECORDS)])
    assert built_by_position(ast.parse(call), records, "m.py") == expected


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from elsewhere import _helper", ["_helper"]),
        ("import elsewhere\nelsewhere._helper()", ["_helper"]),
        ("def f(other):\n    return other._secret", ["_secret"]),
        ("class A:\n    _kept: int\n    def f(self, other):\n        return other._kept", []),
        ("class A:\n    def f(self):\n        self._x = 1\n\ndef g(a: A):\n    return a._x", []),
        ("named._replace(a=1)\nfrom x import __version__", []),
    ],
)
def test_private_names_of_others_are_found(source: str, names: list[str]) -> None:
    found = private_of_others(ast.parse(source), "m.py")
    assert [text.split()[1] for text in found] == names


def test_lambdas_in_a_tuple_are_found() -> None:
    assert tuples_of_lambdas(ast.parse("a = (1, lambda: 2)\nb = [lambda: 1]\nc = lambda: 3"), "m")
    assert not tuples_of_lambdas(ast.parse("f(lambda: 1, (2, 3))"), "m")


OUR_COUNTS = counted(ROOT)
# Private names of others that nothing public replaces; each has its reason where it is used.
NEEDED = {"_actions", "_SubParsersAction", "_predictors", "_raw_predict"}


def test_private_names_stay_private() -> None:
    used = {text.split()[1] for text in OUR_COUNTS.private}
    assert used <= NEEDED, [text for text in OUR_COUNTS.private if text.split()[1] not in NEEDED]


def test_records_of_many_fields_name_them() -> None:
    assert not OUR_COUNTS.positional


def test_no_lambda_stands_in_a_tuple() -> None:
    assert not OUR_COUNTS.lambdas


def test_any_is_rare_and_lines_are_short() -> None:
    thousand = len(OUR_COUNTS.code) / 1000
    assert OUR_COUNTS.anys <= 5 * thousand
    assert longer(OUR_COUNTS, 100) == 0


SOURCES = [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]
# Who may take what JSON, YAML, MLflow or a table of unknown columns holds as it comes; everybody
# else says what a record of his has.
AT_THE_EDGE = {
    "als_ml/cohort/": "served records and the cohort file, as they are sent and written",
    "als_ml/commands/": "settings of the server that MLflow starts",
    "als_ml/config.py": "a configuration before it is checked",
    "als_ml/formats.py": "configurations, records and files of earlier releases",
    "als_ml/imports/": "phenopackets as they come",
    "als_ml/lifecycle/": "what a run has logged",
    "als_ml/pages/": "phenopackets, Plotly's figures, rows of the patients table",
    "als_ml/prediction/": "what a model was stored as; what a job was made from",
    "als_ml/references/": "notes of downloads",
    "als_ml/serving/": "requests, JSON Schema and MLflow's own",
    "als_ml/simulate/oracle.py": "some rows of any record, field by field",
    "als_ml/tracking/": "what goes to MLflow and into documents",
    "features/blocks/spec.py": "as a model stores it",
    "features/genotypes/kept.py": "as it is kept",
    "features/tables/coded.py": "rows of a table",
    "features/variants/lookups.py": "as a model stores it",
    "models/stored.py": "as a model stores it",
    "models/survival/curve.py": "as a model stores it",
}


def test_records_of_anything_stay_at_the_edge() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in SOURCES}
    anything = re.compile(r"dict\[str, Any\]|^from features.stored import", re.MULTILINE)
    found = {path for path, text in texts.items() if anything.search(text)}
    inside = {path for path in found if not path.startswith(tuple(AT_THE_EDGE))}
    assert inside == {"features/stored.py"}


def test_everything_public_is_described_most_with_its_parameters() -> None:
    assert OUR_COUNTS.documented == OUR_COUNTS.public
    assert OUR_COUNTS.says_parameters >= 0.7 * OUR_COUNTS.takes_something


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_docstring_names_the_parameters_that_there_are(path: Path) -> None:
    wrong = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            described = described_parameters(ast.get_docstring(node) or "")
            if len(set(described)) < len(described) or not set(described) <= set(taken(node)):
                wrong.append((node.name, described, taken(node)))
    assert not wrong


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A.\n\nParameters\n----------\na, b : int\n    Text.\n*c\n    More.", ["a", "b", "c"]),
        (
            "A.\n\nParameters\n----------\na : int\n    Text.\n\nReturns\n-------\nint\n    B.",
            ["a"],
        ),
        ("A.\n\nReturns\n-------\nint\n    B.", []),
    ],
)
def test_parameters_of_a_docstring(text: str, names: list[str]) -> None:
    assert described_parameters(text) == names
