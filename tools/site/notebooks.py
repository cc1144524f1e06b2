"""Notebooks: run, and shown as pages with what they printed.

`docs/notebooks/*.ipynb` are kept with their outputs (`make figures`). A slow test runs each again,
in an empty folder.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/notebooks"
# No cell of ours takes longer, on a busy machine.
_SECONDS = 600
# A table of pandas comes with a look of its own; the site has one for all tables.
_LOOK = re.compile(
    r"<style scoped>.*?</style>|</?div>"
    r'| border="1" class="dataframe"| style="text-align: right;"',
    re.DOTALL,
)


class Output(TypedDict, total=False):
    """What a cell printed or gave back."""

    output_type: str
    text: str | list[str]
    data: dict[str, str | list[str]]


class Cell(TypedDict, total=False):
    """A cell of a notebook as its file has it."""

    cell_type: str
    source: str | list[str]
    outputs: list[Output]


def run(path: Path, folder: Path) -> "NotebookNode":
    """Run a notebook from its first cell to its last.

    Parameters
    ----------
    path : Path
        The notebook.
    folder : Path
        An empty one, in which it works.

    Returns
    -------
    NotebookNode
        With outputs, and without times and the names of this machine.

    Raises
    ------
    CellExecutionError
        Where a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=_SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return _plain(notebook)


def _plain(notebook: "NotebookNode") -> "NotebookNode":
    """Without what differs between two machines: times, progress, versions."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    return notebook


def as_bytes(notebook: "NotebookNode") -> bytes:
    """A notebook as its file has it.

    Parameters
    ----------
    notebook : NotebookNode
        With outputs.

    Returns
    -------
    bytes
        JSON.
    """
    import nbformat

    return str(nbformat.writes(notebook)).encode()


def as_page(path: Path, images: Path) -> str:
    """A notebook as Markdown; its pictures are written beside it.

    Parameters
    ----------
    path : Path
        The notebook, with outputs.
    images : Path
        Folder of the page.

    Returns
    -------
    str
        The page.
    """
    cells: list[Cell] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    said: list[str] = []
    for number, cell in enumerate(cells):
        source = _joined(cell["source"])
        if cell["cell_type"] == "markdown":
            said.append(source)
        else:
            said.append(f"```python\n{source}\n```")
            stem = f"{path.stem}-{number}"
            said += _outputs(cell.get("outputs", []), images, stem)
    beside = f"This page is the notebook `docs/notebooks/{path.name}`, with what it printed."
    return "\n\n".join([said[0], beside, *said[1:]]) + "\n"


def _outputs(outputs: list[Output], images: Path, stem: str) -> Iterator[str]:
    for number, output in enumerate(outputs):
        data = output.get("data", {})
        if "image/png" in data:
            name = f"{stem}-{number}.png"
            (images / name).write_bytes(base64.b64decode(_joined(data["image/png"])))
            yield f"![Picture of the cell above]({name})"
        elif "text/html" in data:
            yield f'<div class="output">{_LOOK.sub("", _joined(data["text/html"]))}</div>'
        else:
            text = _joined(output.get("text", data.get("text/plain", "")))
            yield f'```text title="Output"\n{text.rstrip()}\n```'


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
