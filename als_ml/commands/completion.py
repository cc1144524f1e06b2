"""Print what a shell needs to complete the commands and their options."""

import argparse

SUMMARY = "print the completion of a shell: als-ml completion bash >> ~/.bash_completion"
SHELLS = ("bash", "zsh", "tcsh")


def add_options(made: argparse.ArgumentParser) -> None:
    """Describe the command's own options."""
    made.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Print the script of a shell."""
    import shtab

    from als_ml.__main__ import make_parser
    from als_ml.shipped import config_names

    parser = make_parser()
    _complete_files(parser)
    _offer(parser, "config", "name", config_names())
    print(shtab.complete(parser, arguments.shell))
    return 0


def _offer(
    parser: argparse.ArgumentParser, command: str, name: str, words: tuple[str, ...]
) -> None:
    """Let the shell offer some words for an argument of a command, which takes others too."""
    for action in parser._actions:  # noqa: SLF001  as below
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            _offer(action.choices[command], command, name, words)
        elif action.dest == name:
            action.choices = words


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Let the shell offer files after every option that takes free text."""
    import shtab

    # argparse has no public way to its actions; shtab itself goes this one.
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                _complete_files(command)
        elif action.option_strings and action.nargs is None and action.choices is None:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # what shtab reads
