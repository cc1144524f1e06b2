"""The wheel: what is in it, and the main job in an empty folder from nothing but it."""

import os
import pty
import select
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import als_ml
from als_ml.__main__ import COMMANDS, main
from als_ml.shipped import config_names
from tests.conftest import ROOT


def run(command, folder, **environment):
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from the files that git keeps, as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", "HEAD"], check=False, capture_output=True
    )
    if archive.returncode:
        pytest.skip("this is not a git checkout, so what a release holds is not known")
    (folder / "source").mkdir()
    subprocess.run(["tar", "-x", "-C", folder / "source"], input=archive.stdout, check=True)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    run([*build, "--wheel-dir", folder, folder / "source"], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_what_the_product_needs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"als_ml-{als_ml.__version__}-py3-none-any.whl"
    needed = {f"als_ml/configs/{name}.yaml" for name in config_names()}
    needed |= {f"{package}/py.typed" for package in ("als_ml", "features", "models")}
    needed |= {"als_ml/configs/references/sources.yaml", "als_ml/templates/report.html.j2"}
    needed |= {
        f"features/definitions/{path.name}"
        for path in (ROOT / "features/definitions").glob("*.tsv")
    }
    metadata = f"als_ml-{als_ml.__version__}.dist-info"
    needed |= {f"{metadata}/sboms/als-ml.cdx.json", f"{metadata}/licenses/NOTICE"}
    assert needed <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "data/"))]


@pytest.mark.slow
def test_the_main_job_from_the_wheel_alone(wheel, tmp_path, migrated):
    """Away from the checkout: the packages come from the wheel, their dependencies from here."""
    site, work = tmp_path / "site", tmp_path / "work"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    run(install, tmp_path)
    work.mkdir()
    (work / "mlflow.db").write_bytes(migrated.read_bytes())
    store = {"PYTHONPATH": str(site), "MLFLOW_TRACKING_URI": f"sqlite:///{work}/mlflow.db"}

    def als(*arguments):
        return run([sys.executable, "-m", "als_ml", *arguments], work, **store)

    where = [sys.executable, "-c", "import als_ml; print(als_ml.__file__)"]
    assert run(where, work, **store).strip() == str(site / "als_ml/__init__.py")
    als("simulate", "--patients", "150", "--seed", "3", "--output", "cohort", "--quiet")
    (work / "mine.yaml").write_text(als("config", "quick"))
    changes = ["cohort=cohort/cohort.yaml", "validation.bootstrap=50"]
    changes += ["tracking.register_model=true", "tracking.model_name=als-wheel"]
    changes = [part for change in changes for part in ("--set", change)]
    als("train", "--config", "mine.yaml", "--quiet", *changes)
    name = "models:/als-wheel@champion"
    als("predict", "--model", name, "--cohort", "cohort/cohort.yaml", "--output", "rows.csv")
    assert len((work / "rows.csv").read_text().splitlines()) == 151
    als("report", "--model", name, "--cohort", "cohort/cohort.yaml", "--output", "page.html")
    assert (work / "page.html").stat().st_size > 100_000


def test_the_version_is_one(capsys):
    from importlib.metadata import version

    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"als-ml {als_ml.__version__}\n"
    assert version("als-ml") == als_ml.__version__


def test_a_configuration_is_printed_as_it_is_shipped(capsys):
    assert main(["config", "progression"]) == 0
    assert capsys.readouterr().out == (ROOT / "configs/progression.yaml").read_text()
    assert main(["config"]) == 0
    assert capsys.readouterr().out.split() == list(config_names())


def test_an_unknown_configuration_is_refused_with_the_nearest(capsys):
    assert main(["config", "progresion"]) == 2
    assert "progression" in capsys.readouterr().err


def completed(tmp_path, line: str) -> list[str]:
    """What bash offers at the end of a line, by running its own completion function."""
    script = tmp_path / "completion.bash"
    printed = run([sys.executable, "-m", "als_ml", "completion", "bash"], ROOT)
    script.write_text(printed)
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        "$(complete -p als-ml | sed 's/.*-F \\([^ ]*\\).*/\\1/') als-ml; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return run(["bash", "-c", program], tmp_path).split()


@pytest.mark.slow
def test_bash_completes_commands_options_and_choices(tmp_path):
    assert set(completed(tmp_path, "als-ml ")) >= set(COMMANDS)
    assert completed(tmp_path, "als-ml pred") == ["predict"]
    assert "--cohort" in completed(tmp_path, "als-ml predict --c")
    assert completed(tmp_path, "als-ml completion b") == ["bash"]
    assert completed(tmp_path, "als-ml config prog") == ["progression", "progression-day0"]
    (tmp_path / "cohort.yaml").touch()
    assert completed(tmp_path, "als-ml check --cohort coh") == ["cohort.yaml"]


def typed(tmp_path, keys: str, wanted: str) -> bool:
    """Whether an interactive bash that has the completion shows a text after some keys."""
    script = tmp_path / "completion.bash"
    script.write_text(run([sys.executable, "-m", "als_ml", "completion", "bash"], ROOT))
    (tmp_path / "rc").write_text(f"PS1='ready '\nsource {script}\n")
    child, terminal = pty.fork()
    if not child:
        os.chdir(tmp_path)
        shell = ["bash", "--rcfile", "rc", "-i"]
        os.execvpe("bash", shell, os.environ | {"TERM": "dumb"})  # noqa: S606
    try:
        ready = shown(terminal, "ready ")
        os.write(terminal, keys.encode())
        return ready and shown(terminal, wanted)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def shown(terminal: int, wanted: str) -> bool:
    """Whether a text appears on a terminal before it has been silent for half a minute."""
    seen = ""
    while wanted not in seen:
        if not select.select([terminal], [], [], 30)[0]:
            return False
        seen += os.read(terminal, 4096).decode(errors="replace")
    return True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("als-ml pred\t", "als-ml predict "),
        ("als-ml predict --out\t", "--output "),
        ("als-ml config prog\t", "ression"),
    ],
)
def test_an_interactive_bash_completes(tmp_path, keys, wanted):
    assert typed(tmp_path, keys, wanted)
