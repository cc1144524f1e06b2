"""Pieces of Markdown that the generated pages are made of."""

import re
from collections.abc import Iterable, Sequence

# What a source names -> where it can be read.
_PLACES = (
    (re.compile(r"(?:doi:|https?://doi\.org/)(10\.\d{4,}/[^\s;,()]+[^\s;,().])"), "doi.org/"),
    (re.compile(r"\b(PMC\d{5,})\b"), "pmc.ncbi.nlm.nih.gov/articles/"),
    (re.compile(r"\bPMID:? ?(\d{6,})\b"), "pubmed.ncbi.nlm.nih.gov/"),
)


def cell(text: object) -> str:
    r"""Text as a cell of a table: one line, no sign that Markdown or HTML would read.

    Parameters
    ----------
    text : object
        What the cell says; lines may be several.

    Returns
    -------
    str
        One line; what stands between back quotes stays as it is.

    Examples
    --------
    >>> cell("a | b"), cell("x < 3_per_*"), cell("`<2.7`")
    ('a \\| b', 'x &lt; 3\\_per\\_\\*', '`<2.7`')
    """
    line = " ".join(str(text).split()).replace("|", r"\|")
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([*_\[\]#~])", r"\\\1", escaped)


def code(text: object) -> str:
    """Text between back quotes; nothing where there is none.

    Examples
    --------
    >>> code("a|b"), code("")
    ('`a|b`', '')
    """
    return f"`{text}`" if str(text) else ""


def linked(text: str) -> str:
    """A source as a cell, with what can be opened as links.

    Examples
    --------
    >>> linked("doi:10.1136/jnnp-2018-318704 (V)")
    '[doi:10.1136/jnnp-2018-318704](https://doi.org/10.1136/jnnp-2018-318704) (V)'
    """
    marks: list[str] = []

    def keep(host: str, found: re.Match[str]) -> str:
        marks.append(f"[{found[0]}](https://{host}{found[1]})")
        return f"\0{len(marks) - 1}\0"

    for pattern, host in _PLACES:
        text = pattern.sub(lambda found, host=host: keep(host, found), text)  # type: ignore[misc]
    return re.sub(r"\0(\d+)\0", lambda found: marks[int(found[1])], cell(text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown already.

    Parameters
    ----------
    head : sequence of str
        Names of k columns.
    rows : iterable of sequences
        Each of k cells.

    Returns
    -------
    str
        With an empty line after it.

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "2"]]), end="")
    | a | b |
    |---|---|
    | 1 | 2 |
    <BLANKLINE>
    """
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n\n"


def anchor(name: str) -> str:
    """The address of a heading inside its page.

    Examples
    --------
    >>> anchor("Import-PROACT of x")
    'import-proact-of-x'
    """
    return re.sub(r"[^\w-]+", "-", name.lower()).strip("-")
