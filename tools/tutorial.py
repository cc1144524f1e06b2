"""Pages whose commands are run as they stand there, with what they printed put beside them.

A block of `sh` is run; a block of `yaml` with the title `edit FILE` changes lines of a file, each
found by its key; a block of `text` under `<!-- figure: NAME -->` is what the block of `sh` before
it printed. `make figures` writes the outputs, a slow test runs the page.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(
    r"(?:<!-- figure: (?P<figure>[\w-]+) -->\n)?"
    r"^```(?P<kind>sh|yaml|text)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_KEY = re.compile(r"^\s*(?:# )?(?P<key>[\w ]+):")


@dataclass(kw_only=True)
class Step:
    """A block of a page: commands, or lines of a file that they replace.

    Attributes
    ----------
    text : str
        Of the block.
    file : str
        What is edited; empty for commands.
    figures : list of str
        Names under which the page shows what the commands printed.
    """

    text: str
    file: str
    figures: list[str]


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that was run: its exit status, what it printed, and its seconds."""

    step: Step
    status: int
    printed: str
    errors: str
    seconds: float


def steps(page: str) -> list[Step]:
    """The blocks of a page that are run, in their order.

    Parameters
    ----------
    page : str
        Markdown.

    Returns
    -------
    list of Step
        Blocks of `sh`, and of `yaml` that edit a file.
    """
    found: list[Step] = []
    for block in _BLOCK.finditer(page):
        title = block["title"] or ""
        if block["kind"] == "sh":
            found.append(Step(text=block["text"], file="", figures=[]))
        elif block["kind"] == "yaml" and title.startswith("edit "):
            found.append(Step(text=block["text"], file=title.removeprefix("edit "), figures=[]))
        elif block["kind"] == "text" and block["figure"]:
            found[-1].figures.append(block["figure"])
    return found


def edited(text: str, lines: str) -> str:
    r"""A file with lines in the place of those of the same key; a new key comes first.

    Parameters
    ----------
    text : str
        Of the file.
    lines : str
        As they shall stand there.

    Returns
    -------
    str
        Of the changed file.

    Raises
    ------
    ValueError
        If a line has no key, or several lines of the file have it.

    Examples
    --------
    >>> edited("a: 1\nb:\n  # c:  # CHECK\n", "  c: 3\nd: 4\n")
    'd: 4\na: 1\nb:\n  c: 3\n'
    """
    there = text.splitlines()
    for line in lines.splitlines():
        found = _KEY.match(line)
        if found is None:
            raise ValueError(f"{line!r} has no key")
        at = [
            i for i, old in enumerate(there) if (m := _KEY.match(old)) and m["key"] == found["key"]
        ]
        if len(at) > 1:
            raise ValueError(f"{found['key']} is there {len(at)} times")
        if at:
            there[at[0]] = line
        else:
            there.insert(0, line)
    return "\n".join(there) + "\n"


def run(page: str, folder: Path, replaced: Mapping[str, str]) -> Iterator[Done]:
    """Run a page in a folder, step by step, with a store of its own.

    Parameters
    ----------
    page : str
        Markdown.
    folder : Path
        Where its commands run.
    replaced : mapping
        Words of the page -> what stands for them here, such as a port.

    Yields
    ------
    Done
        Of each step.
    """
    here = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ALS_ML_PATIENT_KEY": str(folder / "patients.key"),
        "PYTHONPATH": str(ROOT),
    }
    environment = {
        name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"
    } | here
    for step in steps(page):
        began = time.monotonic()
        if step.file:
            path = folder / step.file
            path.write_text(edited(path.read_text(encoding="utf-8"), step.text), encoding="utf-8")
            yield Done(step=step, status=0, printed="", errors="", seconds=0.0)
            continue
        text = step.text
        for word, other in replaced.items():
            text = text.replace(word, other)
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        yield Done(
            step=step,
            status=done.returncode,
            printed=done.stdout,
            errors=done.stderr,
            seconds=time.monotonic() - began,
        )
