"""What the pages tell a user to type is typed here: `tools.tutorial` reads it from the pages."""

import csv
import json
import re
import shlex
import shutil
import socket

import openpyxl
import pysam
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.__main__ import make_parser
from features.blocks.rows import feature_dictionary
from features.blocks.spec import FeatureSpec
from features.catalogue import progression_schemes, shipped
from features.overlay import overlaid
from tests.conftest import ROOT
from tests.hospital import write_export
from tools import tutorial

EXPORT = ROOT / "examples/hospital"
HOSPITAL = (ROOT / "docs/hospital-export.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARSER = make_parser()
OURS = re.compile(r"^(?:als-ml|python -m als_ml|python (?=train\.py|predict\.py))\s*")


def commands_of(page: str):
    """Each command of ours in the blocks of a page, as its words."""
    for block in re.findall(r"^```sh[^\n]*\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            command = OURS.sub(lambda found: "", line.strip())
            if command != line.strip():
                yield [word.removesuffix(".py") for word in shlex.split(command, comments=True)]


def until_shell(words):
    """The words before the shell takes over: a redirection, the background, the next command."""
    for i, word in enumerate(words):
        if word in (">", ">>", "|", "&", "&&", "2>"):
            return words[:i]
    return words


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_command_of_a_page_is_one_that_there_is(page, capsys):
    for words in commands_of(page.read_text()):
        given = until_shell(words)
        if "..." in given or given[-1:] in (["--help"], ["--version"]):
            continue
        try:
            PARSER.parse_args(given)
        except SystemExit:
            pytest.fail(f"{page.name}: als-ml {shlex.join(given)}: {capsys.readouterr().err}")


def test_a_command_is_found_wherever_it_stands():
    page = "```sh\nals-ml check --cohort x > y   # why\npython -m als_ml a \\\n  b\nls\n```\n"
    page += "```text\nals-ml no\n```\n```sh\npython train.py --config c\n```\n"
    found = [until_shell(words) for words in commands_of(page)]
    assert found == [["check", "--cohort", "x"], ["a", "b"], ["train", "--config", "c"]]


def test_steps_of_a_page_are_its_commands_and_edits():
    page = "```sh\na\n```\n\n<!-- figure: x -->\n```text\nold\n```\n"
    page += '```yaml title="edit c.yaml"\nk: 1\n```\n```yaml\nshown: 1\n```\n'
    found = tutorial.steps(page)
    assert [(step.text, step.file, step.figures) for step in found] == [
        ("a\n", "", ["x"]),
        ("k: 1\n", "c.yaml", []),
    ]


@pytest.mark.parametrize(
    ("lines", "said"), [("no key\n", "'no key' has no key"), ("a: 2\n", "a is there 2 times")]
)
def test_an_edit_that_cannot_be_made_is_refused(lines, said):
    with pytest.raises(ValueError, match=said):
        tutorial.edited("a: 1\nb:\n  a: 1\n", lines)


def test_every_block_of_the_tutorial_that_shows_an_output_follows_a_command():
    shown = [name for step in tutorial.steps(HOSPITAL) for name in step.figures]
    assert len(shown) == len(set(shown)) == HOSPITAL.count("<!-- figure: ")
    edits = [step.text for step in tutorial.steps(HOSPITAL) if step.file]
    assert sum(text.count("\n") for text in edits) <= 5  # lines to edit by hand


def test_the_lines_that_the_recipes_show_can_be_laid_over_ours(tmp_path):
    lines = re.findall(r"```text\n(.*?)```", (ROOT / "docs/adding.md").read_text(), re.DOTALL)
    for name, text in zip(("biomarkers", "assays", "progression_schemes"), lines, strict=True):
        (tmp_path / f"{name}.tsv").write_text(text)
    tables = overlaid(shipped(), [tmp_path])
    assert progression_schemes(tables)["ours"] == (0.8,)
    columns = {feature.name for feature in feature_dictionary(FeatureSpec(), tables)}
    assert {"log_tau_serum", "log_nfl_serum_lumipulse"} <= columns


@pytest.mark.slow
def test_the_shipped_export_is_what_its_script_writes(tmp_path):
    write_export(tmp_path)
    there = sorted(path.name for path in EXPORT.iterdir())
    assert there == sorted(path.name for path in tmp_path.iterdir())
    assert (tmp_path / "labor.csv").read_bytes() == (EXPORT / "labor.csv").read_bytes()
    assert cells(tmp_path / "klinik.xlsx") == cells(EXPORT / "klinik.xlsx")
    assert records(tmp_path / "genome.vcf.gz") == records(EXPORT / "genome.vcf.gz")


def cells(path):
    book = openpyxl.load_workbook(path)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def records(path):
    with pysam.VariantFile(str(path)) as file:
        return list(file.header.samples), [str(record) for record in file]


@pytest.mark.slow
def test_the_hospital_page_runs_as_it_stands_there(tmp_path):
    shutil.copytree(EXPORT, tmp_path / "hospital")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    printed = {}
    for done in tutorial.run(HOSPITAL, tmp_path, {"5001": port}):
        assert done.status == 0, f"{done.step.text}\n{done.errors[-2000:]}"
        printed |= dict.fromkeys(done.step.figures, done.printed)
    # What the page says of it.
    assert "genomes: 220 patients have a name" in printed["hospital-init"]
    assert printed["hospital-guesses"].count("  # CHECK") == 4
    assert "\n0 errors, " in printed["hospital-check"]
    assert "nothing was stored" in printed["hospital-dry-run"]
    assert "model models:/als-progression@champion (version 1)" in printed["hospital-train"]
    with (tmp_path / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 220
    answer = json.loads((tmp_path / "answer.json").read_text())["predictions"]
    assert [row["error"] for row in answer] == [None]
    assert f'"probability": {answer[0]["probability"]}' in printed["hospital-serve"]
    assert "dataset.ready" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_the_example_of_each_table_is_read_without_an_error(tmp_path, capsys):
    page = (ROOT / "docs/table-examples.md").read_text()
    blocks = re.findall(r'^```\w+ title="([\w.]+)"\n(.*?)^```', page, re.DOTALL | re.MULTILINE)
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    assert als_ml(["check", "--cohort", str(tmp_path / "cohort.yaml"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["samples"]["patients"] == 3
    assert {name for name, _ in blocks} >= {"patients.csv", "repeats.vcf", "kinship.tsv"}
