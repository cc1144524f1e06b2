"""No figure of README and docs is changed by hand, and none is stale: `make figures`."""

import re

import pytest

from tests.conftest import ROOT
from tools import figures
from tools.figures import FIGURES, MEASURED, Figure

LINES = {line["figure"]: line for line in figures.recorded()}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Drawn by hand: it shows no number.
DRAWN = {"layers.svg"}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_figure_is_what_its_command_wrote(figure):
    line = LINES[figure.name]
    assert (line["page"], line["command"]) == (figure.page, figure.command)
    assert line["content"] == figures.digest(figures.content(figure)), "it was changed by hand"
    assert line["inputs"] == figures.inputs_digest(figure.inputs), "stale: run `make figures`"


@pytest.mark.parametrize(
    "figure", [figure for figure in FIGURES if not figure.inputs], ids=lambda figure: figure.name
)
def test_a_quick_figure_is_what_its_command_writes_now(figure, tmp_path):
    assert figure.make(tmp_path) == figures.content(figure), "stale: run `make figures`"


@pytest.mark.parametrize("page", sorted(MEASURED))
def test_a_measured_page_is_what_was_recorded(page):
    found = figures.digest(figures.table_lines((ROOT / page).read_text()))
    assert LINES[page]["content"] == found, (
        f"its tables changed: once measured, `python -m tools.figures --measured {page}`"
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", LINES[page]["date"])
    assert LINES[page]["command"] == MEASURED[page]


def test_every_figure_of_every_page_is_known():
    marked = {name for path in PAGES for name in figures.marks(path.read_text())}
    assert marked == {figure.name for figure in FIGURES if not figure.picture}
    pictures = {path.name for path in (ROOT / "docs/images").iterdir()} - DRAWN
    pictures |= {path.name for path in (ROOT / "docs/notebooks").iterdir()}
    assert pictures == {figure.name for figure in FIGURES if figure.picture}
    assert set(LINES) == {figure.name for figure in FIGURES} | set(MEASURED)


def test_every_output_in_the_readme_comes_from_a_command():
    """A block of text is a figure, but for the tree of folders."""
    pages = ("README.md", "docs/start.md", "docs/hospital-export.md")
    page = "".join((ROOT / name).read_text() for name in pages)
    outputs = re.findall(r"(.*)\n```text\n(\S*)", page)
    assert [first for mark, first in outputs if not figures.marks(mark)] == ["train.py"]


def test_every_page_with_a_benchmark_is_recorded():
    named = {
        str(path.relative_to(ROOT))
        for path in PAGES
        if re.search(r"^\|.*\d", path.read_text(), re.MULTILINE)
        and re.search(r"`(python -m benchmarks (?!same)|make mutate`)", path.read_text())
    }
    assert named <= set(MEASURED)


PAGE = "a\n<!-- figure: x -->\n```text\nold 1\n```\nb\n```text\nother\n```\n"


def test_a_block_is_put_in_its_place():
    assert figures.marks(PAGE) == ["x"]
    assert figures.block(PAGE, "x") == "old 1\n"
    assert figures.with_block(PAGE, "x", "new\\1\n") == PAGE.replace("old 1", "new\\1")
    with pytest.raises(ValueError, match="no ```text block after <!-- figure: y -->"):
        figures.with_block(PAGE, "y", "new\n")


@pytest.mark.parametrize("file", ["a.tsv", "b.tsv"])
def test_inputs_change_with_name_and_content(file, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    for name in ("a.tsv", "b.tsv", "c.txt"):
        (tmp_path / name).write_text(name)
    before = figures.inputs_digest(["*.tsv"])
    (tmp_path / "c.txt").write_text("other")
    assert figures.inputs_digest(["*.tsv", "a.*"]) == before
    (tmp_path / file).write_text("other")
    changed = figures.inputs_digest(["*.tsv"])
    (tmp_path / file).rename(tmp_path / "z.tsv")
    assert len({before, changed, figures.inputs_digest(["*.tsv"])}) == 3


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ('"""Other."""\n\nX = 1  # why\n\n\ndef f():\n    """Says."""\n', True),
        ("X = 2\n\n\ndef f():\n    pass\n", False),
        ("X = 1\n\n\ndef f():\n    return 1\n", False),
    ],
)
def test_words_in_code_change_no_figure(code, same, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text('"""One."""\nX = 1\n\n\ndef f():\n    """Does."""\n')
    before = figures.inputs_digest(["*.py"])
    (tmp_path / "a.py").write_text(code)
    assert (figures.inputs_digest(["*.py"]) == before) is same


def test_a_figure_is_written_and_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    monkeypatch.setattr(figures, "RECORD", tmp_path / "figures.tsv")
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "in").write_text("1")
    figure = Figure(name="x", page="page.md", command="c", inputs=("in",), make=lambda _: b"n\n")
    figures._record([figures.write(figure, figure.make(tmp_path))])
    (line,) = figures.recorded()
    assert figures.content(figure) == b"n\n"
    assert line["content"] == figures.digest(b"n\n")
    assert line["inputs"] == figures.inputs_digest(("in",))
    figures._record([line | {"content": "0"}, line | {"figure": "w"}])
    assert [(line["figure"], line["content"]) for line in figures.recorded()] == [
        ("w", line["content"]),
        ("x", "0"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a" * 20, "a" * 20),
        ("a" * 9 + " " + "b" * 11, "a" * 9 + " ..."),
        ("a, " * 9, "a, a, a, a, a ..."),
    ],
)
def test_a_line_that_is_too_long_is_cut_at_a_word(line, expected):
    assert figures.shortened(line.strip(), 20) == f"{expected}\n"


def test_only_rows_with_numbers_are_measurements():
    page = "| a | b |\n|---|---|\n| x | 1.5 |\n| y | - |\ntext 3\n"
    assert figures.table_lines(page) == b"| x | 1.5 |"
