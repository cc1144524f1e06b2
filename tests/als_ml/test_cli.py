"""Where a command says what: results on standard output, diagnostics on standard error."""

import argparse
import io
import logging
from functools import partial

import pytest
import rich.console
import yaml

from als_ml import cli
from als_ml.__main__ import main, make_parser
from features.errors import DataError, RequestError
from features.tables.problems import Problem

PROBLEMS = [
    Problem(severity="warning", where="a.csv", found="3 values differ", remedy="Look."),
    Problem(severity="note", where="b.csv", found="2 rows are equal", remedy=""),
]


def shout(arguments: argparse.Namespace) -> int:
    """A command with a result, diagnostics of each kind and two steps."""
    with cli.progress_bar(arguments.quiet) as progress:
        progress("reading", 0, 0)
        for done in range(3):
            progress("scoring", done, 3)
    cli.report_problems(PROBLEMS)
    print("the result")
    return 0


def said(capsys, *flags: str, command=shout) -> tuple[int, str, list[str]]:
    arguments = argparse.Namespace(quiet="--quiet" in flags, verbose="--verbose" in flags)
    status = cli.run(command, arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err.splitlines()


def test_warnings_and_notes_go_to_standard_error(capsys):
    status, out, lines = said(capsys)
    assert (status, out) == (0, "the result\n")
    assert lines[-2:] == [
        "warning: a.csv: 3 values differ. Look.",
        "note: b.csv: 2 rows are equal.",
    ]


def test_quiet_leaves_the_result(capsys):
    assert said(capsys, "--quiet") == (0, "the result\n", [])


def test_verbose_says_each_step_once_with_its_time(capsys):
    _, out, lines = said(capsys, "--verbose")
    assert out == "the result\n"
    assert [line.partition(" (")[0] for line in lines[:2]] == ["step: reading", "step: scoring"]
    assert lines[1].startswith("step: scoring (3) (")
    assert all(line.endswith(" s)") for line in lines[:2])
    assert [line.partition(":")[0] for line in lines[2:]] == ["warning", "note"]


@pytest.mark.parametrize("flags", [(), ("--quiet",), ("--verbose",)])
@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DataError("a.csv", "it is empty", "Fill it."), 1, "error: a.csv: it is empty. Fill it."),
        (RequestError("--x", "it is odd", "Drop it."), 2, "error: --x: it is odd. Drop it."),
    ],
)
def test_an_error_is_always_said(capsys, flags, error, status, line):
    def refuse(_: argparse.Namespace) -> int:
        raise error

    assert said(capsys, *flags, command=refuse) == (status, "", [line])


def test_an_error_of_the_machine_is_said_in_one_line(capsys):
    def fail(_: argparse.Namespace) -> int:
        raise OSError(28, "No space left on device", "out.csv")

    status, _, lines = said(capsys, command=fail)
    assert status == 1
    assert lines == [f"error: {cli.explained(OSError(28, 'No space left on device', 'out.csv'))}"]


def test_the_logger_is_as_it_was_afterwards(capsys):
    before = (cli.LOG.level, cli.LOG.propagate, list(cli.LOG.handlers))
    said(capsys, "--verbose")
    assert (cli.LOG.level, cli.LOG.propagate, list(cli.LOG.handlers)) == before
    assert not logging.getLogger("als_ml").isEnabledFor(logging.DEBUG)


def test_quiet_and_verbose_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(["simulate", "--output", "x", "--quiet", "--verbose"])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


# Of a file that somebody else wrote: it clears the screen, sets the window's title, turns the line
# round, and is markup and an emoji to the library that draws tables.
HOSTILE = "x\x1b[2J\x1b]0;own\x07\u202egnp[/red][bold]:heart:"


def hostile_cohort(folder):
    """A cohort with it in each text: ids, columns, words, sites, the names of files."""
    told = HOSTILE.replace("/", "")
    name = f"{told}.csv"
    (folder / name).write_text(
        f'sample_id,sex,site,"{HOSTILE}"\n"A{HOSTILE}",female,"{HOSTILE}",1\nB,male,[/red],2\n',
        newline="",
    )
    (folder / "b.csv").write_text(
        f'sample_id,analyte,value,unit,days,assay\n"A{HOSTILE}",nfl_serum,10,pg/mL,0,simoa\n'
        "B,nfl_serum,20,pg/mL,0,simoa\n",
        newline="",
    )
    described = {"name": HOSTILE, "patients": name, "biomarkers": "b.csv"}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(described))
    return folder / "cohort.yaml", folder / name


def test_nothing_of_a_file_acts_on_the_terminal(tmp_path, capsys):
    cohort, table = hostile_cohort(tmp_path)
    commands = [
        ["check", "--cohort", str(cohort)],
        ["features", "--cohort", str(cohort), "--output", str(tmp_path / "f.csv")],
        ["init", str(table), "--output", str(tmp_path / "made")],
    ]
    for words in commands:
        assert main(words) == 0
        told = capsys.readouterr()
        assert all(char.isprintable() for char in (told.out + told.err).replace("\n", "")), words
    assert "[/red]" in checked(cohort, capsys)


def checked(cohort, capsys):
    main(["check", "--cohort", str(cohort)])
    return capsys.readouterr().out


def test_a_cell_of_a_million_characters_is_not_repeated(tmp_path, capsys):
    (tmp_path / "p.csv").write_text(f"sample_id,sex\nA,{'f' * 1_000_000}\n")
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\n")
    told = checked(tmp_path / "cohort.yaml", capsys)
    assert "and 999,920 characters more is not a known value" in told
    assert len(told) < 5_000


@pytest.mark.parametrize("name", ["[red]", "[/red]", "a[link=x]"])
def test_the_bar_shows_the_name_of_a_file_as_it_is(name, monkeypatch):
    """Drawn as on a terminal."""
    drawn = io.StringIO()
    console = partial(rich.console.Console, file=drawn, force_terminal=True, width=100)
    monkeypatch.setattr("rich.console.Console", lambda **_: console())
    with cli.progress_bar(quiet=False) as progress:
        progress(name, 0, 0)
    assert name in drawn.getvalue()
