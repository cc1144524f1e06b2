"""The example package of tests/fixtures/plugin_example, as pip would install it."""

import shutil
import tomllib
from pathlib import Path

from tests.conftest import ROOT

EXAMPLE = ROOT / "tests/fixtures/plugin_example"
PIN = "als-ml-example==1.2"


def install_example(folder: Path, version: str = "1.2") -> Path:
    """Put the module and its metadata into a folder for `sys.path`; returns the folder."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copy(EXAMPLE / "als_ml_example.py", folder)
    info = folder / f"als_ml_example-{version}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    (info / "METADATA").write_text(head)
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())])
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups) + "\n")
    return folder
