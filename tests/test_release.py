"""What `make release` asks of version, changelog and commit, and that CI runs what `make` has."""

import re

import pytest
import yaml

import als_ml
from tests.conftest import ROOT
from tools.release import sections, wrong_changelog, wrong_commit, wrong_version

HEAD = "# Changelog\n\n## [Unreleased]\n"
DATED = HEAD + "\n## [1.2.0] - 2026-12-01\n### Added\n- x\n\n## [1.1.0] - 2026-11-01\n- y\n"


@pytest.mark.parametrize(
    ("version", "right"),
    [
        ("0.2.0", True),
        ("10.20.30", True),
        ("0.2", False),
        ("0.2.0.dev1", False),
        ("0.2.0rc1", False),
        ("0.2.0+local", False),
        ("v0.2.0", False),
        ("next", False),
    ],
)
def test_a_release_has_three_numbers(version, right):
    assert (wrong_version(version) == []) is right


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (DATED, []),
        (DATED.replace("[1.2.0]", "[1.3.0]"), ["no section", "not the newest"]),
        (DATED.replace(" - 2026-12-01", ""), ["lacks its date"]),
        (DATED.replace("### Added\n- x\n", ""), ["is empty"]),
        (DATED.replace("ased]\n", "ased]\n- z\n"), ["what is Unreleased"]),
        (DATED.replace("[1.1.0]", "[1.3.0]"), ["not the newest"]),
        (HEAD, ["no section", "not the newest"]),
    ],
)
def test_the_changelog_has_a_dated_section_of_it(changelog, said):
    wrong = wrong_changelog("1.2.0", changelog)
    assert len(wrong) == len(said)
    for line, words in zip(wrong, said, strict=True):
        assert words in line


@pytest.mark.parametrize(
    ("tags", "changed", "said"),
    [
        (["v1.2.0"], [], []),
        (["latest", "v1.2.0"], [], []),
        ([], [], ["no tag v1.2.0"]),
        (["v1.2.1", "1.2.0"], [], ["no tag v1.2.0"]),
        (["v1.2.0"], [" M a.py", "?? b"], ["2 files differ"]),
    ],
)
def test_the_commit_has_its_tag_and_nothing_beside(tags, changed, said):
    wrong = wrong_commit("1.2.0", tags, changed)
    assert len(wrong) == len(said)
    for line, words in zip(wrong, said, strict=True):
        assert words in line


def test_our_changelog_and_version_can_be_read():
    assert wrong_version(als_ml.__version__) == []
    assert als_ml.__version__ != "0.1.0"
    named = sections((ROOT / "CHANGELOG.md").read_text())
    assert next(iter(named)) == "Unreleased"


def test_the_version_stands_in_one_place():
    stated = re.compile(rf"[\"' ]{re.escape(als_ml.__version__)}[\"'\n]")
    files = [ROOT / name for name in ("pyproject.toml", "CITATION.cff", "README.md", "Makefile")]
    files += [*(ROOT / "als_ml").glob("*.py"), *(ROOT / "docs").glob("*.md")]
    assert [path.name for path in files if stated.search(path.read_text())] == ["__init__.py"]


CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
MAKE = (ROOT / "Makefile").read_text()


def test_each_step_of_ci_is_a_target_of_make():
    steps = [step["run"] for job in CI["jobs"].values() for step in job["steps"] if "run" in step]
    assert {"make lint", "make test", "make test-slow", "make test-lowest"} <= set(steps)
    targets = set(re.findall(r"^([\w-]+):(?!=)", MAKE, re.MULTILINE))
    assert {step.removeprefix("make ") for step in steps} <= targets
    named = set(re.search(r"\.PHONY:((?:.*\\\n)*.*)", MAKE)[1].replace("\\", " ").split())
    assert targets == named


def test_ci_tries_what_the_package_and_the_lock_are_for():
    matrix = CI["jobs"]["all"]["strategy"]["matrix"]
    pythons = re.findall(r"Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert matrix["python"] == pythons == ["3.11", "3.12", "3.13", "3.14"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest"]
    locked = re.search(r"WHEEL_PYTHONS := (.*)\nWHEEL_PLATFORMS := (.*)", MAKE)
    assert locked[1].split() == pythons
    assert {"darwin" in name for name in locked[2].split()} == {True, False}
