"""Numbers and pictures of README and docs, written from commands: `make figures`.

`docs/figures.tsv` keeps what was written: the command, the day, a digest of what the figure was
made from (the configurations, the simulator, the templates of the pages) and one of the figure
itself. A quick test compares both with what lies here, so that no figure is changed by hand and
none is left behind by a change of what it was made from; what takes a second is made again by the
test and compared. Figures of long measurements are not made again by `make
figures`: their page is recorded with its day by `python -m tools.figures --measured PAGE`, after
somebody measured.
"""

import argparse
import ast
import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from tools import mlflow_pictures, tutorial
from tools.site import notebooks

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "docs/figures.tsv"
COLUMNS = ("figure", "page", "command", "date", "inputs", "content")
DEMO = ("configs/progression.yaml", "als_ml/simulate/*.py")
REPORT = ("als_ml/templates/report*", "als_ml/templates/patient*", *DEMO, "configs/familial.yaml")
# A line of a page is no longer than this; what is cut ends with three dots.
WIDTH = 118


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A block of text between two marks in a page, or a picture.

    Attributes
    ----------
    name : str
        In the mark `<!-- figure: NAME -->`; the name of a picture's file.
    page : str
        The page, or the picture, below the root.
    command : str
        What it comes from, in words.
    inputs : tuple of str
        Globs of the files whose change makes it stale; without any the test makes it again.
    make : callable
        From the folder of the demo to its content.
    """

    name: str
    page: str
    command: str
    inputs: tuple[str, ...]
    make: Callable[[Path], bytes]

    @property
    def picture(self) -> bool:
        """Whether it is a file of its own, a picture or a notebook."""
        return self.page.startswith(("docs/images/", "docs/notebooks/"))


def digest(content: bytes) -> str:
    """Twelve digits that tell one content from another."""
    return hashlib.sha256(content).hexdigest()[:12]


def inputs_digest(globs: Iterable[str]) -> str:
    """Digest of all files that some globs match, names and contents; of code what it does."""
    paths = sorted({path for glob in globs for path in ROOT.glob(glob)})
    named = (f"{path.relative_to(ROOT)} {digest(_said(path))}" for path in paths)
    return digest("\n".join(named).encode())


def _said(path: Path) -> bytes:
    """A file's content; of code without its comments and docstrings, which change no figure."""
    if path.suffix != ".py":
        return path.read_bytes()
    code = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(code):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(code).encode()


# What a page says.


def _block(name: str) -> re.Pattern[str]:
    mark = re.escape(f"<!-- figure: {name} -->")
    return re.compile(rf"({mark}\n```text\n)(.*?)(```\n)", re.DOTALL)


def marks(page: str) -> list[str]:
    """Names of the figures that a page has."""
    return re.findall(r"<!-- figure: ([\w-]+) -->", page)


def block(page: str, name: str) -> str:
    """Text of a figure in a page."""
    found = _block(name).search(page)
    if found is None:
        raise ValueError(f"there is no ```text block after <!-- figure: {name} -->")
    return found[2]


def with_block(page: str, name: str, text: str) -> str:
    """The page with another text in a figure."""
    block(page, name)
    return _block(name).sub(lambda found: f"{found[1]}{text}{found[3]}", page)


def content(figure: Figure) -> bytes:
    """What lies here of a figure."""
    path = ROOT / figure.page
    return path.read_bytes() if figure.picture else block(path.read_text(), figure.name).encode()


def table_lines(page: str) -> bytes:
    """The rows of a page's tables that hold numbers: what a measurement gave."""
    rows = [line for line in page.splitlines() if line.startswith("|") and re.search(r"\d", line)]
    return "\n".join(rows).encode()


# The record.


def recorded() -> list[dict[str, str]]:
    """The lines of `docs/figures.tsv`."""
    with RECORD.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _record(lines: list[dict[str, str]]) -> None:
    """Put lines in the place of those of the same figure."""
    kept = {line["figure"]: line for line in (recorded() if RECORD.exists() else [])}
    kept |= {line["figure"]: line for line in lines}
    with RECORD.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept[name] for name in sorted(kept))


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


# How figures are made.


def shortened(text: str, width: int = WIDTH) -> str:
    r"""A command's output as a page shows it: no rules, no second lines of cells, no long lines.

    >>> print(shortened("a\n ───\n  b   c  \n      more\n  d   e"), end="")
    a
      b   c ...
      d   e
    """
    lines: list[str] = []
    for line in (line.rstrip() for line in text.splitlines()):
        cell = line.startswith(" " * 6) and lines and lines[-1].startswith("  ")
        if cell and not lines[-1].endswith("..."):
            lines[-1] += " ..."
        elif not cell and not set(line) & {"─"} and (line or lines[-1:] != [""]):
            lines.append(line)
    return "".join(f"{_cut(line, width)}\n" for line in lines).strip("\n") + "\n"


def _cut(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    return line[: width - 4].rsplit(" ", 1)[0].rstrip(" ,;:.") + " ..."


def _run(*arguments: str, folder: Path) -> str:
    """Standard output of a command of ours, in a store of its own."""
    store = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "ALS_ML_PATIENT_KEY": f"{folder}/patients.key",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "als_ml", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | store, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"als-ml {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


@cache
def _demo(folder: Path) -> Path:
    """The first steps of `make demo`, with its output kept, and the report of its cohort."""
    _run("simulate", "--patients", "800", "--seed", "1", "--output", "demo", folder=folder)
    for task in ("familial", "progression"):
        config = ROOT / f"configs/{task}.yaml"
        changes = ["--set", "cohort=demo/cohort.yaml"]
        said = _run("train", "--config", str(config), *changes, folder=folder)
        (folder / f"{task}.txt").write_text(said, encoding="utf-8")
    models = [part for task in TASKS for part in ("--model", f"models:/als-{task}@champion")]
    shown = ["--cohort", "demo/cohort.yaml", "--output", "report.html"]
    _run("report", *shown, *models, folder=folder)
    return folder


TASKS = ("familial", "progression")


def _training(folder: Path) -> bytes:
    """What training says, up to the name of the model."""
    said = (_demo(folder) / "progression.txt").read_text(encoding="utf-8")
    until = [line.partition("; run ")[0] for line in said.splitlines() if line[:6] != "look: "]
    return without_passed(shortened("\n".join(until))).encode()


_VERDICT = re.compile(r"  \S.*\S {2,}(passed|not tried) {2,}\S")


def without_passed(said: str) -> str:
    r"""What training says, with the honesty checks that passed or were not tried counted only.

    >>> print(without_passed("  one  failed  x\n  two  passed  y\n  a b  passed  z\n\nmodel m"))
      one  failed  x
      (not shown: 2 passed)
    <BLANKLINE>
    model m
    """
    kept: list[str] = []
    counts: dict[str, int] = {}
    for line in said.split("\n"):
        if found := _VERDICT.match(line):
            counts[found[1]] = counts.get(found[1], 0) + 1
            continue
        if counts and not line:
            words = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
            kept.append(f"  (not shown: {words})")
            counts = {}
        kept.append(line)
    return "\n".join(kept)


def _curves(folder: Path) -> bytes:
    """The picture of the curves among the run's artifacts: the newest run is the progression's."""
    pictures = sorted(
        _demo(folder).glob("mlruns/**/curves.png"), key=lambda path: path.stat().st_mtime
    )
    return pictures[-1].read_bytes()


# Two known variants: SOD1 A4V and a null variant of TBK1, on GRCh38.
_VCF = """##fileformat=VCFv4.2
##contig=<ID=12,length=133275309>
##contig=<ID=21,length=46709983>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
12\t64464454\t.\tC\tT\t.\tPASS\t.
21\t31659783\t.\tC\tT\t.\tPASS\t.
"""
_SHOWN = ("variant", "gene", "hgvs_p", "legacy_name", "class", "pathogenicity", "evidence")


def _variants(folder: Path) -> bytes:
    """The table of two variants, as columns."""
    (folder / "two.vcf").write_text(_VCF)
    asked = ["--vcf", "two.vcf", "--genome-build", "GRCh38", "--output", "two.csv"]
    _run("variants", *asked, folder=folder)
    with (folder / "two.csv").open(encoding="utf-8") as file:
        rows = [{name: row[name] for name in _SHOWN} for row in csv.DictReader(file)]
    for row in rows:
        row["pathogenicity"] = f"{float(row['pathogenicity']):.3f}"
    cells = [list(_SHOWN), *(list(row.values()) for row in rows)]
    wide = [max(len(line[i]) for line in cells) for i in range(len(_SHOWN) - 1)] + [0]
    lines = ["  ".join(cell.ljust(n) for cell, n in zip(line, wide, strict=True)) for line in cells]
    return "".join(f"{_cut(line.rstrip(), WIDTH + 14)}\n" for line in lines).encode()


def _cohort_page(folder: Path) -> bytes:
    return _screenshot(_demo(folder), width=1280, height=800, patient=False)


def _patient_page(folder: Path) -> bytes:
    return _screenshot(_demo(folder), width=1100, height=1250, patient=True)


def _screenshot(folder: Path, *, width: int, height: int, patient: bool) -> bytes:
    """The report in a browser: the cohort, or the first patient with a found C9orf72 expansion."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("the pictures of the report need Chromium (Debian's package `chromium`)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"file://{folder}/report.html")
        page.wait_for_selector("html[data-ready]")
        if patient:
            page.get_by_label("Search").fill("C9orf72")
            page.locator("#patients tbody tr", has_text="C9orf72").first.locator("a").click()
            page.wait_for_selector("#patient h2")
        taken = page.screenshot(animations="disabled")
        browser.close()
    return bytes(taken)


# The tutorial, and MLflow's pages after it.


@cache
def _hospital(folder: Path) -> dict[str, str]:
    """What the commands of the tutorial print, run in a folder of their own."""
    work = folder / "tutorial"
    shutil.copytree(ROOT / "examples/hospital", work / "hospital")
    printed: dict[str, str] = {}
    for done in tutorial.run((ROOT / TUTORIAL).read_text(encoding="utf-8"), work, {}):
        if done.status:
            raise SystemExit(f"{TUTORIAL}: {done.step.text}\n{done.errors[-3000:]}")
        printed |= dict.fromkeys(done.step.figures, done.printed)
    return printed


def _printed(name: str, folder: Path) -> bytes:
    lines = [line.partition("; run ")[0] for line in _hospital(folder)[name].splitlines()]
    said = "\n".join(line for line in lines if line[:6] != "look: ")
    return without_passed(shortened(said)).encode()


@cache
def _mlflow(folder: Path) -> dict[str, bytes]:
    """Pictures of MLflow's pages, with a second run beside that of the tutorial."""
    _hospital(folder)
    work = folder / "tutorial"
    for done in tutorial.run((ROOT / "docs/mlflow.md").read_text(encoding="utf-8"), work, {}):
        if done.status:
            raise SystemExit(f"docs/mlflow.md: {done.step.text}\n{done.errors[-3000:]}")
    return mlflow_pictures.take(work / "mlflow.db", "als-progression")


def _notebook(name: str, folder: Path) -> bytes:
    """A notebook, run."""
    work = folder / f"notebook-{name}"
    work.mkdir()
    return notebooks.as_bytes(notebooks.run(notebooks.FOLDER / name, work))


TUTORIAL = "docs/hospital-export.md"
SHOWN_BY_TUTORIAL = (
    "hospital-init",
    "hospital-guesses",
    "hospital-check",
    "hospital-dry-run",
    "hospital-train",
    "hospital-predict",
    "hospital-serve",
)
_EXPORT = ("examples/hospital/*", "configs/progression.yaml")
FIGURES = (
    Figure(
        name="demo-progression",
        page="docs/start.md",
        command="make demo",
        inputs=DEMO,
        make=_training,
    ),
    Figure(
        name="variants",
        page="docs/variants.md",
        command="als-ml variants",
        inputs=(),
        make=_variants,
    ),
    Figure(
        name="progression.png",
        page="docs/images/progression.png",
        command="make demo",
        inputs=DEMO,
        make=_curves,
    ),
    Figure(
        name="cohort.png",
        page="docs/images/cohort.png",
        command="als-ml report",
        inputs=REPORT,
        make=_cohort_page,
    ),
    Figure(
        name="report.png",
        page="docs/images/report.png",
        command="als-ml report",
        inputs=REPORT,
        make=_patient_page,
    ),
    *(
        Figure(
            name=name,
            page=TUTORIAL,
            command=TUTORIAL,
            inputs=_EXPORT,
            make=partial(_printed, name),
        )
        for name in SHOWN_BY_TUTORIAL
    ),
    *(
        Figure(
            name=name,
            page=f"docs/images/{name}",
            command="docs/mlflow.md",
            inputs=_EXPORT,
            make=lambda folder, name=name: _mlflow(folder)[name],  # type: ignore[misc]
        )
        for name in mlflow_pictures.NAMES
    ),
    *(
        Figure(
            name=path.name,
            page=f"docs/notebooks/{path.name}",
            command="python -m tools.figures",
            inputs=("als_ml/simulate/*.py",),
            make=partial(_notebook, path.name),
        )
        for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
    ),
)
# Page -> what its tables were measured by: too long for each change, so they carry their day.
MEASURED = {
    "docs/course.md": "python -m benchmarks course, censoring",
    "docs/decisions/clock.md": "python -m benchmarks clock",
    "docs/evidence.md": "python -m benchmarks real, share",
    "docs/models.md": "python -m benchmarks coverage",
    "docs/mutation.md": "make mutate",
    "docs/operations.md": "python -m benchmarks drift, batch, endpoint",
    "docs/scaling.md": "python -m benchmarks scale",
    "docs/security.md": "python -m benchmarks fuzz, models, privacy, worst",
    "docs/simulation.md": "python -m benchmarks share",
    "docs/survival.md": "python -m benchmarks times",
    "docs/variants.md": "python -m benchmarks pathogenicity, population, variants",
}


def write(figure: Figure, made: bytes) -> dict[str, str]:
    """Put a figure where it belongs; its line of the record comes back."""
    path = ROOT / figure.page
    if figure.picture:
        path.write_bytes(made)
    else:
        page = with_block(path.read_text(encoding="utf-8"), figure.name, made.decode())
        path.write_text(page, encoding="utf-8")
    return {
        "figure": figure.name,
        "page": figure.page,
        "command": figure.command,
        "date": _today(),
        "inputs": inputs_digest(figure.inputs),
        "content": digest(made),
    }


def measured(page: str) -> dict[str, str]:
    """The line of the record of a page that was measured today."""
    return {
        "figure": page,
        "page": page,
        "command": MEASURED[page],
        "date": _today(),
        "inputs": "-",
        "content": digest(table_lines((ROOT / page).read_text(encoding="utf-8"))),
    }


def main(argv: list[str] | None = None) -> int:
    """Write the figures anew, or record that pages were measured."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__)
    parser.add_argument("--measured", nargs="+", choices=sorted(MEASURED), default=[])
    names = [figure.name for figure in FIGURES]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FIGURE")
    given = parser.parse_args(argv)
    pages = given.measured
    if pages:
        _record([measured(page) for page in pages])
        return 0
    with tempfile.TemporaryDirectory(prefix="als-ml-figures-") as name:
        folder = Path(name)
        wanted = [figure for figure in FIGURES if figure.name in given.only]
        made = [(figure, figure.make(folder)) for figure in wanted]
    _record([write(*pair) for pair in made])
    print(f"{len(made)} figures written; see `git diff`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
