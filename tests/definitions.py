"""Other definitions than the shipped ones, for tests."""

from features.catalogue import Definitions


def with_line(definitions: Definitions, table: str, **cells: str) -> Definitions:
    """Definitions with one more line in a table; what is not stated is empty."""
    text = definitions.texts[table]
    header = text.split("\n", 1)[0].split("\t")
    assert set(cells) <= set(header), sorted(set(cells) - set(header))
    line = "\t".join(cells.get(name, "") for name in header)
    return Definitions({**definitions.texts, table: f"{text}{line}\n"})


def with_cell(
    definitions: Definitions, table: str, key: str, column: str, value: str
) -> Definitions:
    """Definitions with another cell in the line that begins with `key`."""
    header, *lines = definitions.texts[table].rstrip("\n").split("\n")
    at, found = header.split("\t").index(column), 0
    for i, line in enumerate(lines):
        cells = line.split("\t")
        if cells[0] == key:
            found, cells[at] = found + 1, value
            lines[i] = "\t".join(cells)
    assert found == 1, f"{table}: {found} lines begin with {key}"
    return Definitions({**definitions.texts, table: "\n".join([header, *lines]) + "\n"})
