"""The page of commands, from the parsers."""

import argparse
from collections.abc import Iterator

from als_ml.__main__ import COMMANDS, make_parser
from als_ml.cli import add_shared
from tools.site.markdown import cell, code, table

HEAD = """# Commands

`als-ml COMMAND` is the same as `python -m als_ml COMMAND`; `python train.py` and `python
predict.py` in a checkout are `als-ml train` and `als-ml predict`. Exit status: 0 done, 1 the data
has errors, 2 the request is wrong. Results go to standard output, diagnostics to standard error.
This page is made from the parsers, so it says what `--help` says.

"""


def page() -> str:
    """All commands, each with its options."""
    subparsers = next(_subparsers(make_parser()))
    rows = [[f"[`{name}`](#{name})", cell(command.SUMMARY)] for name, command in COMMANDS.items()]
    shared = argparse.ArgumentParser(add_help=False)
    add_shared(shared)
    of_all = "## Options of every command\n\n" + _options(shared, set())
    known = {action.dest for action in shared._actions}  # noqa: SLF001 argparse has no other way
    commands = [_command(name, subparsers.choices[name], known) for name in COMMANDS]
    return HEAD + table(["command", "does"], rows) + of_all + "".join(commands)


def _subparsers(
    parser: argparse.ArgumentParser,
) -> "Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]":
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield action


def _command(name: str, parser: argparse.ArgumentParser, shared: set[str]) -> str:
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    described = f"\n## {name}\n\n{cell(parser.description)}\n\n```sh\n{_folded(usage)}\n```\n\n"
    return described + _options(parser, shared)


def _folded(usage: str, width: int = 96) -> str:
    """A usage over several lines, no option torn from its value."""
    words = _kept_together(usage)
    lines = [next(words)]
    for word in words:
        if len(lines[-1]) + len(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    return "\n".join(lines)


def _kept_together(usage: str) -> Iterator[str]:
    open_brackets, kept = 0, ""
    for word in usage.split():
        kept = f"{kept} {word}".strip()
        open_brackets += word.count("[") - word.count("]")
        if open_brackets == 0 and not (word.startswith("--") and "]" not in word):
            yield kept
            kept = ""
    if kept:
        yield kept


def _options(parser: argparse.ArgumentParser, shared: set[str]) -> str:
    rows = [
        [_spelled(action), cell(_meaning(action))]
        for action in parser._actions  # noqa: SLF001
        if action.dest not in {"help", *shared} and action.help != argparse.SUPPRESS
    ]
    return table(["option", "meaning"], rows) if rows else "No options of its own.\n\n"


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    if isinstance(value, tuple):
        value = " ".join(value)
    if not action.option_strings:
        return code(value if action.metavar else action.dest)
    many = " ..." if action.nargs in ("+", "*") else ""
    choices = action.choices if action.choices is not None and not action.metavar else None
    shown = "{" + ",".join(map(str, choices)) + "}" if choices else value
    return ", ".join(code(f"{name} {shown}{many}".strip()) for name in action.option_strings)


def _meaning(action: argparse.Action) -> str:
    said = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    if action.required:
        return f"{said} (required)".strip()
    named = "default" in said or action.default in (None, False, "", [], argparse.SUPPRESS)
    return said if named else f"{said} (default: {action.default})"
