"""Rules that hold over the whole repository: who imports whom, what files may name, what the lock
pins, what help loads.
"""

import ast
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

# What a file may import of ours. A name that is no key here is not ours.
MAY_IMPORT = {
    "features": {"features"},
    "models": {"features", "models"},
    "als_ml": {"als_ml", "features", "models"},
    "train": {"als_ml"},
    "predict": {"als_ml"},
}
OURS = {*MAY_IMPORT, "tests", "benchmarks", "tools"}
PACKAGES = ["als_ml", "features", "models"]
SOURCES = sorted(
    str(path.relative_to(ROOT))
    for path in [
        *(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")),
        *ROOT.glob("*.py"),
    ]
)


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every module that a source imports by an absolute name, wherever
    it stands.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, str(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {
            "import_module",
            "__import__",
        }:
            yield from (
                (node.lineno, str(arg.value))
                for arg in node.args[:1]
                if isinstance(arg, ast.Constant)
            )


def uphill(source: str, importer: str) -> list[str]:
    """Tell the imports of ours that `importer`, a package or a script of ours, may not make."""
    allowed = MAY_IMPORT[importer]
    return [
        f"line {line}: {name}"
        for line, name in imported(source)
        if name.split(".")[0] in OURS and name.split(".")[0] not in allowed
    ]


@pytest.mark.parametrize("path", SOURCES)
def test_imports_only_go_downhill(path: str) -> None:
    importer = Path(path.removesuffix(".py")).parts[0]
    assert importer in MAY_IMPORT, f"{path} is a new script: say in MAY_IMPORT what it may import"
    wrong = uphill((ROOT / path).read_text(encoding="utf-8"), importer)
    assert not wrong, f"{path} imports uphill (als_ml -> models -> features): {wrong}"


def test_every_package_was_looked_at() -> None:
    assert {Path(path.removesuffix(".py")).parts[0] for path in SOURCES} >= MAY_IMPORT.keys()


@pytest.mark.parametrize(
    ("source", "importer", "expected"),
    [
        ("import models", "features", ["line 1: models"]),
        ("def f():\n    from als_ml.config import load", "models", ["line 2: als_ml.config"]),
        (
            "import importlib\nimportlib.import_module('models.tasks')",
            "features",
            ["line 2: models.tasks"],
        ),
        (
            "import tests.helpers, benchmarks",
            "als_ml",
            ["line 1: tests.helpers", "line 1: benchmarks"],
        ),
        ("from features.errors import UserError", "train", ["line 1: features.errors"]),
        ("from . import models\nimport modelsmith\nfrom features import rows", "models", []),
    ],
)
def test_uphill_imports_are_found_wherever_they_stand(
    source: str, importer: str, expected: list[str]
) -> None:
    assert uphill(source, importer) == expected


ROOMS = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for package in PACKAGES
    for path in (ROOT / package).rglob("__init__.py")
)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_says_its_purpose_and_its_public_names(name: str) -> None:
    room = importlib.import_module(name)
    assert room.__doc__
    assert room.__doc__.splitlines()[0].endswith((".", ":"))
    modules = {info.name for info in pkgutil.iter_modules(room.__path__)}
    assert not modules & set(room.__all__), "the import of the module would replace the function"
    for public in room.__all__:
        assert not isinstance(getattr(room, public), ModuleType), public


@pytest.mark.slow
def test_names_are_what_they_were_when_every_module_is_imported() -> None:
    """In a process of its own: an import that comes later must not replace a public name."""
    lines = [
        "import importlib, pkgutil, sys",
        f"rooms = {ROOMS!r}",
        "names = [(r, n) for r in rooms for n in importlib.import_module(r).__all__]",
        "before = {p: getattr(sys.modules[p[0]], p[1]) for p in names}",
        "for r in rooms:",
        "    for info in pkgutil.iter_modules(sys.modules[r].__path__, r + '.'):",
        "        if info.name not in ('als_ml.serving.model', 'als_ml.__main__'):",
        "            importlib.import_module(info.name)",
        "lost = [p for p in names if getattr(sys.modules[p[0]], p[1]) is not before[p]]",
        "sys.exit(str(lost) if lost else 0)",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]


# Written in pieces, since this file is tracked too.
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "ana" + "conda.org",
    "pytorch" + ".org/whl",
    "py" + "pi.nvidia.com",
    "npm" + "js.org",
]
HERE_ONLY = re.compile(
    "|".join(re.escape(host) for host in REGISTRIES)
    + r"|(?<![\w.~})-])/(?:work|root|tmp|home|Users)/[\w.]",
    re.IGNORECASE,
)


def tracked_files() -> list[str]:
    """List the files tracked by git; skip where this is no checkout."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: no list of tracked files")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for name in tracked_files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            lines = content.decode("utf-8", errors="replace").splitlines()
            found += [
                f"{name}:{number}: {line.strip()[:100]}"
                for number, line in enumerate(lines, 1)
                if HERE_ONLY.search(line)
            ]
    assert not found, "a host or path that other machines lack:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://" + REGISTRIES[0] + "/simple",
        "open('/" + "work/x.vcf')",
        "at /" + "tmp/x",
    ],
)
def test_a_host_or_path_of_one_machine_is_recognised(text: str) -> None:
    assert HERE_ONLY.search(text)


@pytest.mark.parametrize(
    "text",
    ["data/work/x.vcf", "https://example.org/home/x", "{folder}/tmp/x", "/dev/stdin", "../root/x"],
)
def test_other_paths_pass(text: str) -> None:
    assert not HERE_ONLY.search(text)


def locked() -> dict[Requirement, list[str]]:
    """Read requirements.lock: each requirement with its options."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    split = [re.split(r"\s+(?=--)", line) for line in lines if line and not line.startswith("#")]
    return {Requirement(requirement): options for requirement, *options in split}


def test_every_locked_requirement_is_pinned_with_hashes() -> None:
    pins = locked()
    assert len(pins) > 50
    for requirement, options in pins.items():
        assert re.fullmatch(r"==[\w.+!]+", str(requirement.specifier)), f"not pinned: {requirement}"
        assert requirement.url is None, f"names a host: {requirement}"
        assert options, f"no hash: {requirement}"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), (
            f"{requirement}: {options}"
        )


def declared() -> list[str]:
    """List what pyproject.toml asks for, with what a build without isolation needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["dependency-groups"]
    groups = [*project["project"]["dependencies"], *named["test"]]
    groups += [wanted for wanted in named["dev"] if isinstance(wanted, str)]
    return [*groups, *project["build-system"]["requires"], "editables"]


@pytest.mark.parametrize("wanted", sorted(set(declared())))
def test_the_lock_keeps_up_with_pyproject(wanted: str) -> None:
    asked = Requirement(wanted)
    pins = [pin for pin in locked() if canonicalize_name(pin.name) == canonicalize_name(asked.name)]
    assert pins, f"requirements.lock lacks {asked.name}: run make lock"
    for pin in pins:
        version = str(pin.specifier).removeprefix("==")
        assert asked.specifier.contains(version, prereleases=True), (
            f"locked {version}, wanted {wanted}: run make lock"
        )


OLD = """case "$1" in --version) echo Python 3.9.18;; *) exit 1;; esac"""
WITHOUT_VENV = """case "$2" in *ensurepip*) exit 1;; esac"""


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
@pytest.mark.parametrize(
    ("python", "says"),
    [
        (OLD, "als-ml needs Python 3.11 or newer, and './python --version' says: Python 3.9.18."),
        (WITHOUT_VENV, "./python has no venv or no pip"),
    ],
    ids=["old", "without-venv"],
)
def test_make_refuses_a_python_that_cannot_do(tmp_path: Path, python: str, says: str) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(f"#!/bin/sh\n{python}\n")
    (tmp_path / "python").chmod(0o755)
    made = subprocess.run(
        ["make", "test", "PYTHON=./python"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 2
    assert made.stderr.startswith(says)
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("script", ["train.py", "predict.py"])
def test_a_python_without_the_packages_is_told_where_one_is(script: str) -> None:
    """`-S`: no site-packages, as a system's Python has none of ours."""
    done = subprocess.run(
        [sys.executable, "-S", script, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: this Python lacks the package ")
    assert f".venv/bin/python {script}" in done.stderr


HEAVY = {
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "mlflow",
    "xgboost",
    "matplotlib",
    "pysam",
    "pyarrow",
    "skops",
}


@pytest.mark.parametrize(
    "command",
    [["-m", "als_ml"], ["-m", "als_ml", "check"], ["train.py"], ["predict.py"]],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", *command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr[-2000:]
    assert shown.stdout.startswith("usage:")
    timed = [
        line.split("|")[-1].strip()
        for line in shown.stderr.splitlines()
        if line.startswith("import time:")
    ]
    assert "argparse" in timed, "python -X importtime printed something else than it used to"
    heavy = sorted({name.split(".")[0] for name in timed} & HEAVY)
    assert not heavy, (
        f"{' '.join(command)} --help imports {heavy}: import them inside the function that needs"
        " them"
    )


# What a module may open while it is imported: code, not the definitions, templates or tables beside
# it, nor scratch files.
AUDIT = """
import importlib, sys
opened = []
def hook(event, args):
    if event not in ("open", "tempfile.mkdtemp", "tempfile.mkstemp"):
        return
    path = str(args[0])
    ours = path.startswith(sys.argv[1]) and ".py" not in path
    # matplotlib makes itself a folder where it may not write to the user's home.
    if ours or (event != "open" and "matplotlib" not in path):
        opened.append((event, path))
sys.addaudithook(hook)
for name in sys.argv[2:]:
    before = len(opened)
    importlib.import_module(name)
    for event, path in opened[before:]:
        print(name, event, path)
"""
# MLflow runs it to make the model; it announces a record's fields from a class, so it reads the
# installed tables.
READS = {"als_ml.serving.schema", "als_ml.serving.model"}


def modules_of(package: str) -> list[str]:
    """Every module of a package but those that start something when they are imported."""
    paths = [path.removesuffix(".py") for path in SOURCES if path.startswith(f"{package}/")]
    names = [path.removesuffix("/__init__").replace("/", ".") for path in paths]
    return [name for name in names if not name.endswith("__main__")]


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_module_touches_no_file(package: str) -> None:
    names = [name for name in modules_of(package) if name not in READS]
    command = [sys.executable, "-c", AUDIT, str(ROOT / package), *names]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout == ""


def test_the_audit_of_imports_sees_a_table() -> None:
    command = [sys.executable, "-c", AUDIT, str(ROOT), "als_ml.serving.schema"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "als_ml.serving.schema open" in found.stdout
    assert "patients.tsv" in found.stdout


# What runs a text or bytes as code, by the end of its dotted name.
RUNS = {"eval", "exec", "compile", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
RUNS |= {"yaml.full_load", "joblib.load", "marshal.loads", "runpy.run_path", "subprocess.getoutput"}
# Between the processes of one cluster, over TLS unless its address says tcp:// (docs/scaling.md).
MAY_PICKLE = {"als_ml/cluster.py"}


def runs_code(source: str) -> set[str]:
    """Calls of a text of Python that run what they are given, and its imports of pickle."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            shell = [k for k in node.keywords if k.arg in ("shell", "allow_pickle")]
            found |= {name} & RUNS
            found |= {f"{k.arg} of {name}" for k in shell if ast.unparse(k.value) != "False"}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names} & {"pickle", "cloudpickle", "dill", "shelve"}
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("eval(x)", {"eval"}),
        ("yaml.load(x)", {"yaml.load"}),
        ("yaml.safe_load(x); re.compile(x)", set()),
        ("run(x, shell=True)", {"shell of run"}),
        ("np.load(x, allow_pickle=False)", set()),
        ("np.load(x, allow_pickle=y)", {"allow_pickle of np.load"}),
        ("import pickle", {"pickle"}),
    ],
)
def test_what_runs_code_is_found(source, found):
    assert runs_code(source) == found


@pytest.mark.parametrize("path", SOURCES)
def test_nothing_of_ours_runs_what_it_reads(path):
    allowed = {"pickle"} if path in MAY_PICKLE else set()
    assert runs_code((ROOT / path).read_text()) <= allowed
