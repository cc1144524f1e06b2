"""The site says what the code says, leaves nothing out, and fetches nothing."""

import importlib
import json
import re
import subprocess
import sys

import pytest
import yaml

from als_ml.__main__ import COMMANDS
from als_ml.cohort.source import CohortFile
from als_ml.config import Config
from features.codes import CODES, DATA, REQUEST
from tests.conftest import ROOT
from tools.site import checks, commands, configuration, definitions, messages
from tools.site.bad_cohort import examples
from tools.site.formulas import with_formulas
from tools.site.notebooks import as_page, run
from tools.site.staging import FROM_ROOT, GENERATED

NUMBERS = (ROOT / "docs/numbers.md").read_text()


def test_every_key_of_a_configuration_is_described():
    assert configuration.undescribed(Config) == []
    assert "label.min_visits" in configuration.keys(Config)


def test_every_key_of_a_cohort_file_is_described():
    """A new key needs a line of `tools/site/cohort_keys.tsv`."""
    meanings = configuration.cohort_meanings()
    assert configuration.undescribed(CohortFile, meanings) == []
    gone = configuration.undescribed(CohortFile, meanings | {"no_such_key": "x"})
    assert gone == ["no_such_key"]
    assert configuration.undescribed(CohortFile, meanings | {"decimal": ""}) == ["decimal"]


def test_the_configuration_page_has_every_key_with_its_default():
    page = configuration.configuration_page()
    assert "| `landmark_days` | integer | `90` |" in page
    assert "| `miss_cost` | number | `4.0` |" in page
    (task,) = re.findall(r"^\| `task` \| (.*) \| \*\*required\*\* \|", page, re.MULTILINE)
    assert task.startswith("`familial`, `progression`")
    for key in configuration.keys(Config):
        assert f"| `{key.rpartition('.')[2]}` |" in page
    for path in (ROOT / "configs").glob("*.yaml"):
        assert path.read_text() in page


def test_the_command_page_has_every_command_and_option():
    page = commands.page()
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == list(COMMANDS)
    check = page.partition("\n## check\n")[2].partition("\n## ")[0]
    assert "| `--cohort COHORT` | cohort.yaml (required) |" in check
    assert "--quiet" not in check.partition("| option")[2]
    assert "%(default)s" not in page


def test_every_definition_table_is_on_the_page():
    """A new table needs a line of `tools/site/definition_tables.tsv`."""
    there = {path.name for path in definitions.FOLDER.glob("*.tsv")}
    assert set(definitions.meanings()) == there


def test_a_source_can_be_opened():
    page = definitions.definitions_page()
    assert "[doi:10.1136/jnnp-2018-318704](https://doi.org/10.1136/jnnp-2018-318704) (V)" in page
    assert "[PMC9297091](https://pmc.ncbi.nlm.nih.gov/articles/PMC9297091)" in page


def test_every_code_has_its_messages():
    said = messages.messages()
    assert {one.code for one in said} == set(CODES) - {DATA, REQUEST}
    assert {one.severity for one in said} == {"error", "warning", "note"}
    page = messages.page()
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == list(CODES)


def test_a_message_reads_as_its_receiver_reads_it():
    found = {(one.code, one.found): one for one in messages.messages()}
    one = found["column_missing", "the column 'sample_id' is missing"]
    assert (one.severity, one.where) == ("error", "<where>")
    assert "<" not in found["option_conflict", "there is no --config that it changes"].found
    names = [one.remedy for one in messages.messages() if "nearest" in one.remedy]
    assert all("the nearest that is known" in remedy for remedy in names)


def test_every_error_says_what_to_do():
    mute = [one for one in messages.messages() if one.severity == "error" and not one.remedy]
    assert mute == []


def test_messages_are_shown_as_they_are_read():
    shown = examples()
    told = [one for of_code in shown.values() for one in of_code]
    assert len(shown) >= 36
    assert len(told) >= 60
    assert DATA not in shown, "a message has no code of its own"
    assert REQUEST not in shown
    assert {one["severity"] for one in told} == {"error", "warning", "note"}
    page = messages.page()
    assert "als-ml-bad-" not in page, "a message names the folder in which it was made"
    assert "'m/w' is not a known value. Known: female, male." in page
    assert "error: --part 0/3: it is not a share such as 3/10. Count from 1." in page


def test_a_message_that_is_shown_stands_in_the_table_of_its_code():
    """Word for word but for what it takes from the data."""
    said = [one for one in messages.messages() if " / " not in one.found]
    forms = {code: [_form(one.found) for one in said if one.code == code] for code in examples()}
    found = [
        one["found"]
        for code, of_code in examples().items()
        for one in of_code
        if any(form.fullmatch(one["found"]) for form in forms[code])
    ]
    assert len(found) >= 50


def _form(template: str) -> re.Pattern[str]:
    parts = re.split(r"<[^<>]*>", template)
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL)


def test_every_page_is_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    listed = {page for part in nav for value in part.values() for page in pages_of(value)}
    docs = ROOT / "docs"
    there = {str(path.relative_to(docs)) for path in docs.rglob("*.md")}
    there = {name for name in there if not name.startswith("decisions/")} | {"decisions/README.md"}
    notebooks = {f"notebooks/{path.stem}.md" for path in docs.glob("notebooks/*.ipynb")}
    assert listed == there | notebooks | set(GENERATED) | set(FROM_ROOT.values())


def pages_of(value):
    if isinstance(value, str):
        return [value]
    return [page for part in value for inner in part.values() for page in pages_of(inner)]


def test_the_places_that_the_page_of_numbers_names_are_there():
    places = re.findall(r"`((?:als_ml|features|models)\.[\w.]+):([\w.]+)`", NUMBERS)
    assert len(places) > 20
    for module, name in places:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)


# A test as a page names it: its file, its name, or `file::name`.
NAMED = re.compile(r"`(?:([\w/]*\btest_\w+\.py)(?:::)?)?(test_\w+)?`")
DEFINED = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def absent_tests(page: str) -> list[str]:
    """The tests that a page names and that are not there."""
    paths = (ROOT / "tests").rglob("test_*.py")
    there = {f"/{path.relative_to(ROOT)}": DEFINED.findall(path.read_text()) for path in paths}
    absent = []
    for file, name in NAMED.findall(page):
        files = [path for path in there if path.endswith(f"/{file}")] if file else list(there)
        if not files or (name and not any(name in there[path] for path in files)):
            absent.append(f"{file}::{name}")
    return absent


def test_every_test_that_a_page_names_is_there():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("deploy/*.md")]
    assert {path.name: absent for path in pages if (absent := absent_tests(path.read_text()))} == {}


def test_a_test_that_is_not_there_is_found():
    here = "`test_site.py::test_a_test_that_is_not_there_is_found` and `tests/test_site.py`"
    other = "`test_style.py::test_a_test_that_is_not_there_is_found`"
    gone = "`test_gone_of_no_file` (`tests/test_gone.py`)"
    assert absent_tests(here) == []
    assert absent_tests(other) == ["test_style.py::test_a_test_that_is_not_there_is_found"]
    assert absent_tests(gone) == ["::test_gone_of_no_file", "tests/test_gone.py::"]


def test_a_formula_is_drawn_without_a_script():
    drawn = with_formulas(NUMBERS)
    assert drawn.count("<math") > NUMBERS.count("```math") > 10
    assert "```math" not in drawn
    assert "$`" not in drawn


GOOD = '<h1 id="a b">A</h1><a href="#a%20b">here</a><a href="https://example.org/x">there</a>'
MACHINE = "/" + "home/somebody/x"
REGISTRY = "files.python" + "hosted.org/x"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("", None),
        ('<a href="sub/other.html#b">x</a><img src="p.svg">', None),
        ('<a href="gone.html">x</a>', "index.html: no file gone.html"),
        ('<a href="#b">x</a>', "index.html: no anchor #b"),
        ('<a href="sub/other.html#c">x</a>', "index.html: no anchor sub/other.html#c"),
        ('<img src="gone.png">', "index.html: no file gone.png"),
        ('<script src="https://example.org/x.js"></script>', "index.html: fetches https://exam"),
        ('<link rel="stylesheet" href="//example.org/x">', "index.html: fetches //example.org/x"),
        ('<link rel="canonical" href="https://example.org/x">', None),
        (f"<p>{MACHINE}</p>", f"index.html: names a machine or registry: {GOOD[-20:]}<p>{MACHINE}"),
        (f"<p>{REGISTRY}</p>", "index.html: names a machine or registry: "),
        ("<p>../root/x</p>", None),
    ],
)
def test_what_does_not_hold_of_a_site_is_found(more, found, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/other.html").write_text('<p id="b"></p><a href="../index.html">up</a>')
    (tmp_path / "p.svg").write_text("<svg/>")
    (tmp_path / "index.html").write_text(GOOD + more)
    said = checks.wrong(tmp_path)
    assert len(said) == (found is not None)
    assert all(line.startswith(found[:40]) for line in said)


def test_a_style_sheet_that_fetches_is_found(tmp_path):
    (tmp_path / "a.css").write_text("@font-face {src: url(https://example.org/f.woff)}")
    (tmp_path / "b.css").write_text("a {background: url(data:image/png;base64,x)}")
    assert checks.wrong(tmp_path) == ["a.css: a style sheet fetches"]


NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_what_it_printed(path, tmp_path):
    page = as_page(path, tmp_path)
    assert page.startswith("# ")
    assert page.count("```python") > 4
    assert page.count("```text title") + page.count('class="output"') > 2
    assert "Traceback" not in page
    pictures = re.findall(r"\]\((\S+\.png)\)", page)
    assert {path.name for path in tmp_path.iterdir()} == set(pictures)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(path, tmp_path):
    kept = json.loads(path.read_text())["cells"]
    made = run(path, tmp_path).cells
    assert [len(cell.get("outputs", [])) for cell in made] == [
        len(cell.get("outputs", [])) for cell in kept
    ]


@pytest.fixture(scope="module")
def site():
    done = subprocess.run(
        [sys.executable, "-m", "tools.site"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return ROOT / "site"


@pytest.mark.slow
def test_the_site_is_read_and_searched_without_a_server_or_a_network(site, browser):
    said: list[str] = []
    page = browser.new_context(offline=True).new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto((site / "reference/messages.html").as_uri())
    page.locator("[data-md-component=search] button").first.click()
    page.get_by_role("combobox", name="Search").fill("cell_partial_date")
    hits = page.get_by_role("option")
    hits.first.wait_for()
    addresses = [hit.get_attribute("href") or "" for hit in hits.all()]
    assert any(re.search(r"messages\.html.*#cell_partial_date$", one) for one in addresses)
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 844})
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    assert said == []
