"""Where the statements of the pages come from: one table for rules, limits, treatments and trials.

Mark V: the statement was read at the address. R: recalled, the text was not at hand; it is shown as
to be checked and never acts.
"""

import sys
from functools import cache
from importlib.resources import files
from typing import NamedTuple

TABLE = "sources.tsv"


class Source(NamedTuple):
    """A row of `sources.tsv`."""

    key: str
    title: str
    address: str
    mark: str
    seen: str
    says: str


def tsv_rows(name: str) -> list[dict[str, str]]:
    """Rows of a table of this package, by column."""
    text = (files(__package__) / name).read_text(encoding="utf-8")
    heads, *lines = (line.split("\t") for line in text.splitlines() if line)
    return [dict(zip(heads, cells, strict=True)) for cells in lines]


@cache
def sources() -> dict[str, Source]:
    """Key -> source."""
    return {row["key"]: Source(**row) for row in tsv_rows(TABLE)}


def cited(key: str) -> str:
    """A source in words: its title, or what stands there if it has no row."""
    known = sources().get(key)
    return known.title if known else key


def as_markdown() -> str:
    """`docs/sources.md`: every source with its address, when it was read and what it says."""
    lines = [_HEAD, "| key | source | address | mark | read | what it says |"]
    lines.append("|---|---|---|---|---|---|")
    for one in sorted(sources().values()):
        address = f"<{one.address}>" if one.address.startswith("http") else one.address
        cells = (one.key, one.title, address, one.mark, one.seen, one.says)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


_HEAD = """# Sources of the pages

What the care protocol, the limits of markers, the treatments and the table of trials rest on:
`als_ml/pages/sources.tsv`, which this page is made of (`python -m als_ml.pages.sources`). V: the
statement was read at the address on that day. R: recalled; it is shown as *to be checked* and never
acts. P: a proposal of ours. Check a statement at its source before you rely on it.
"""

if __name__ == "__main__":
    sys.stdout.write(as_markdown())
