"""A laboratory's own definition tables, laid over those that we ship.

A folder holds tables of the same names and columns with only the lines that differ. A line whose
key we have changes the cells that it fills, and adds to the names and units that we know; any other
is a new line, and states its source. What it
says is checked as ours is: columns, numbers, and words that the code knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.catalogue import Definitions
from features.errors import RequestError, nearest

Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a table takes from a laboratory.

    Attributes
    ----------
    key : tuple of str
        Columns that tell a line from the others.
    words : tuple of str
        Columns that hold one of the words that ours hold.
    numbers : tuple of str
        Columns that hold a number; several with semicolons between.
    links : mapping
        Column -> the table whose first column must know its word.
    names : tuple of str
        Columns that say how something is called or measured: they change no value that a stored
        model uses.
    """

    key: tuple[str, ...]
    words: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()


LAYERS = {
    "biomarkers": Layer(
        key=("analyte",),
        words=(
            "matrix",
            "scale",
            "separate_assays",
            "worse",
            "mechanism",
            "feature",
            "slope",
        ),
        numbers=("plausible_min", "plausible_max"),
        names=("name", "aliases", "other_units", "source"),
    ),
    "assays": Layer(key=("assay",), names=("name", "source")),
    "bridges": Layer(
        key=("analyte", "assay", "tube", "to_analyte", "to_assay"),
        numbers=("intercept", "slope"),
        links={
            "analyte": "biomarkers",
            "to_analyte": "biomarkers",
            "assay": "assays",
            "to_assay": "assays",
        },
    ),
    "column_aliases": Layer(key=("table", "column"), words=("table",), names=("aliases",)),
    "value_aliases": Layer(key=("column", "value"), names=("aliases",)),
    "progression_schemes": Layer(key=("scheme",), words=("measure",), numbers=("cutoffs",)),
    "reference_limits": Layer(
        key=("analyte", "assay", "sex", "age_from", "age_to", "meaning"),
        words=("sex", "kind"),
        numbers=("age_from", "age_to", "below", "above"),
        links={"analyte": "biomarkers"},
    ),
    "known_variants": Layer(
        key=("gene", "hgvs_c", "hgvs_p", "rsid"),
        words=("chrom", "als_role", "zygosity"),
        numbers=("pos_grch37", "pos_grch38"),
        links={"gene": "genes"},
    ),
}


def overlaid(base: Definitions, folders: Sequence[Path]) -> Definitions:
    """The tables with those of some folders laid over them, one after the other.

    Parameters
    ----------
    base : Definitions
        Ours, or those of a model.
    folders : sequence of Path
        Each with tables `NAME.tsv`; an empty sequence gives `base` itself.

    Returns
    -------
    Definitions
        Its version is the digest of the whole.

    Raises
    ------
    RequestError
        If a folder is absent, a table or column is not known, or a line does not hold.
    """
    made = base
    for folder in folders:
        for path in _tables(folder):
            made = _laid_over(made, path)
    return made


def with_names(base: Definitions, folders: Sequence[Path]) -> tuple[Definitions, list[str]]:
    """The tables of a model with further names and units, by which a cohort is read for it.

    Parameters
    ----------
    base : Definitions
        Of the model.
    folders : sequence of Path
        With tables of a laboratory; a later one lies over an earlier one.

    Returns
    -------
    Definitions, list of str
        The tables, and the lines that the model does not know and that stay out: `TABLE: KEY`.

    Raises
    ------
    RequestError
        If a line changes what the model uses.
    """
    made, unknown = base, list[str]()
    for folder in folders:
        for path in _tables(folder):
            known, new = _split(made, path)
            unknown += new
            made = _joined(made, path.stem, known)
    return made, unknown


def _tables(folder: Path) -> list[Path]:
    if not folder.is_dir():
        remedy = "Name a folder with tables such as biomarkers.tsv."
        raise RequestError(
            f"definitions: {folder}", "there is no such folder", remedy, code="file_absent"
        )
    paths = sorted(folder.glob("*.tsv"))
    for path in paths:
        if path.stem not in LAYERS:
            remedy = f"{nearest(path.stem, LAYERS)} A laboratory may add to: {', '.join(LAYERS)}."
            raise RequestError(
                str(path),
                "this table takes no lines of a laboratory",
                remedy,
                code="definition_refused",
            )
    return paths


def _laid_over(base: Definitions, path: Path) -> Definitions:
    return _joined(base, path.stem, dict(_checked(base, path)))


def _joined(base: Definitions, name: str, lines: Mapping[tuple[str, ...], Row]) -> Definitions:
    """A table with some lines changed by their filled cells, and the others behind them."""
    if not lines:
        return base
    layer, left, rows = LAYERS[name], dict(lines), list[Row]()
    for row in base.rows(name):
        given = left.pop(_key(row, layer), {})
        rows.append(row | {c: _merged(c, row[c], cell) for c, cell in given.items() if cell})
    header = list(base.table(name).columns)
    rows += [{column: row.get(column, "") for column in header} for row in left.values()]
    text = "\n".join("\t".join(cells) for cells in (header, *(row.values() for row in rows)))
    return Definitions({**base.texts, name: f"{text}\n"})


# Columns that hold several words with semicolons between: a laboratory's come to ours.
_SEVERAL = ("aliases", "other_units")


def _merged(column: str, ours: str, given: str) -> str:
    """The cell of a line that both have.

    >>> _merged("aliases", "nf-l;nefl", "neurofil;nefl"), _merged("unit", "pg/mL", "ng/L")
    ('nf-l;nefl;neurofil', 'ng/L')
    """
    if column not in _SEVERAL or not ours:
        return given
    return ";".join(dict.fromkeys([*ours.split(";"), *given.split(";")]))


def _changes(layer: Layer, column: str, before: str, cell: str) -> bool:
    """Whether a filled cell would change a value that a model reads."""
    if column == "other_units":
        known = dict(pair.split("=", 1) for pair in before.split(";") if pair)
        given = (pair.partition("=") for pair in cell.split(";") if pair)
        return any(known.get(unit, factor) != factor for unit, _, factor in given)
    return column not in layer.names and cell != before


def _split(base: Definitions, path: Path) -> tuple[dict[tuple[str, ...], Row], list[str]]:
    """The lines that a model may be read with, and the names of those that it does not know."""
    layer, ours = LAYERS[path.stem], _by_key(base, path.stem)
    known, unknown = dict[tuple[str, ...], Row](), list[str]()
    for key, row in _checked(base, path):
        if key not in ours and path.stem not in ("column_aliases", "value_aliases"):
            unknown.append(f"{path.stem}: {' '.join(part for part in key if part)}")
            continue
        for column, cell in row.items():
            before = ours.get(key, row)[column]
            if cell and _changes(layer, column, before, cell):
                problem = f"{column} is {cell!r} here and {before!r} in the model"
                remedy = "Train a model with these tables, or leave the line out for this one."
                raise RequestError(
                    f"{path}, {' '.join(key)}", problem, remedy, code="definition_refused"
                )
        known[key] = row
    return known, unknown


def _by_key(base: Definitions, name: str) -> dict[tuple[str, ...], Row]:
    return {_key(row, LAYERS[name]): row for row in base.rows(name)}


def _key(row: Row, layer: Layer) -> tuple[str, ...]:
    return tuple(row.get(column, "") for column in layer.key)


def _checked(base: Definitions, path: Path) -> Iterator[tuple[tuple[str, ...], Row]]:
    """Key and cells of each line of a laboratory's table, once they hold."""
    layer, columns = LAYERS[path.stem], list(base.table(path.stem).columns)
    ours, seen = _by_key(base, path.stem), set[tuple[str, ...]]()
    for number, row in _lines(path, columns, layer):
        where, key = f"{path}, line {number}", _key(row, layer)
        if key in seen:
            raise RequestError(
                where,
                f"{' '.join(key)} stands here twice",
                "Leave one line.",
                code="definition_refused",
            )
        seen.add(key)
        _check_cells(base, path.stem, row, where)
        if key not in ours and "source" in columns and not row.get("source"):
            remedy = "State it, with V (confirmed there), R (recalled) or P (a proposal)."
            raise RequestError(
                where, "a new line without a source", remedy, code="definition_refused"
            )
        yield key, row


def _lines(path: Path, columns: list[str], layer: Layer) -> Iterator[tuple[int, Row]]:
    try:
        text = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise RequestError(
            str(path), "this is not UTF-8", "Save it as UTF-8.", code="file_unreadable"
        ) from None
    header = text[0].split("\t") if text else [""]
    for name in filter(None, header):
        if name not in columns:
            raise RequestError(
                str(path), f"no column is {name!r}", nearest(name, columns), code="column_missing"
            )
    missing = [name for name in layer.key if name not in header and name not in _MAY_BE_ABSENT]
    if missing:
        remedy = f"Its lines are told apart by {', '.join(layer.key)}."
        raise RequestError(
            str(path), f"the column {missing[0]} is missing", remedy, code="column_missing"
        )
    for number, line in enumerate(text[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(header):
            problem = f"{len(cells)} cells under {len(header)} columns"
            raise RequestError(
                f"{path}, line {number}",
                problem,
                "Put a tab between cells.",
                code="definition_refused",
            )
        yield number, dict(zip(header, (cell.strip() for cell in cells), strict=True))


# Parts of a key that most lines leave empty.
_MAY_BE_ABSENT = ("tube", "sex", "age_from", "age_to", "rsid", "hgvs_c")


def _check_cells(base: Definitions, name: str, row: Row, where: str) -> None:
    layer, table = LAYERS[name], base.table(name)
    for column, cell in row.items():
        if not cell:
            continue
        _check_text(column, cell, where)
        if column in layer.words and cell not in set(table[column]):
            known = sorted(set(table[column]) - {""})
            raise RequestError(
                where,
                f"{column} {cell!r} is not known",
                nearest(cell, known),
                code="definition_refused",
            )
        if column in layer.links:
            known = list(base.table(layer.links[column]).iloc[:, 0])
            if cell not in known:
                remedy = f"{nearest(cell, known)} Lines of {layer.links[column]}.tsv name them."
                raise RequestError(
                    where, f"{column} {cell!r} is not known", remedy, code="definition_refused"
                )
        if column in layer.numbers and not all(map(_is_number, cell.split(";"))):
            raise RequestError(
                where,
                f"{column} {cell!r} is not a number",
                "Write it as 1.5.",
                code="definition_refused",
            )


def _check_text(column: str, cell: str, where: str) -> None:
    if '"' in cell or not cell.isprintable():
        raise RequestError(
            where,
            f"{column} holds a quote or a character that is not printed",
            "Leave it out: cells are texts without quotes, with a tab between.",
            code="definition_refused",
        )
    if column == "other_units" and not all(map(_is_unit, cell.split(";"))):
        raise RequestError(
            where,
            f"{column} {cell!r} is not a unit with its factor",
            "Write it as ng/mL=1000 or mg/dL=5/443, several with semicolons between.",
            code="definition_refused",
        )


def _is_unit(text: str) -> bool:
    """Whether it is a name and what one of it is in the canonical unit: 1000, 0.5 or 5/443."""
    name, equals, factor = text.partition("=")
    top, _, bottom = factor.partition("/")
    parts = (top, bottom or "1")
    return bool(name and equals) and all(_is_number(one) and float(one) > 0 for one in parts)


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
