"""Where a command says what: results on standard output, diagnostics on standard error."""

import argparse
import logging

import pytest

from als_ml import cli
from als_ml.__main__ import make_parser
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
