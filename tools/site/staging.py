"""The pages of the site, put together in one folder: docs/, what the code says, the notebooks."""

import re
import shutil
from pathlib import Path

from tools.site import commands, configuration, definitions, messages
from tools.site.formulas import with_formulas
from tools.site.notebooks import FOLDER as NOTEBOOKS
from tools.site.notebooks import as_page

ROOT = Path(__file__).resolve().parents[2]
ASSETS = Path(__file__).parent / "assets"
# Files of the root that are pages, too.
FROM_ROOT = {"CHANGELOG.md": "project/changelog.md", "CONTRIBUTING.md": "project/contributing.md"}
GENERATED = {
    "reference/commands.md": commands.page,
    "reference/configuration.md": configuration.configuration_page,
    "reference/cohort-file.md": configuration.cohort_page,
    "reference/definitions.md": definitions.definitions_page,
    "reference/features.md": definitions.features_page,
    "reference/messages.md": messages.page,
}
_PICTURES = {".png", ".svg", ".json"}


def stage(folder: Path) -> None:
    """Put every page where the renderer finds it.

    Parameters
    ----------
    folder : Path
        Emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted((ROOT / "docs").rglob("*")):
        target = folder / path.relative_to(ROOT / "docs")
        if path.suffix == ".md":
            _write(target, path.read_text(encoding="utf-8"))
        elif path.suffix in _PICTURES:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for name, to in FROM_ROOT.items():
        _write(folder / to, _moved((ROOT / name).read_text(encoding="utf-8")))
    for to, make in GENERATED.items():
        _write(folder / to, make())
    shutil.copytree(ASSETS, folder / "assets")
    (folder / "notebooks").mkdir(exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        page = as_page(path, folder / "notebooks")
        _write(folder / "notebooks" / f"{path.stem}.md", page)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(with_formulas(text), encoding="utf-8")


def _moved(text: str) -> str:
    """A page of the root, one folder below docs: its links lead up.

    Examples
    --------
    >>> _moved("[map](docs/architecture.md), [same](#x)")
    '[map](../architecture.md), [same](#x)'
    """
    return re.sub(r"\]\(docs/", "](../", text)
