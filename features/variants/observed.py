"""What a laboratory knows of a variant and no file can compute: PS2, PS3, PS4, PM3, PP1, BS3, BS4.

A table with the column `variant` (chrom-pos-ref-alt, or the name of a known variant as `SOD1:A4V`)
and a column for each criterion, whose cells are strengths: supporting, moderate, strong,
very_strong, or nothing. `definitions/own_criteria.tsv` says how strong each may be. It counts where
variants are listed, never as a feature of a model: it mostly rests on the patients themselves.
"""

from collections.abc import Iterator
from pathlib import Path

from features.catalogue import Definitions, derived, gene_at, gene_names
from features.errors import DataError, RequestError, nearest
from features.variants.lookups import Stated
from features.variants.scores import Cells, plain_key, table_rows
from features.variants.variant import find_known, known_row, rules_of

STRENGTHS = {"supporting": 1, "moderate": 2, "strong": 4, "very_strong": 8}
KEY = "variant"
NOTE = "note"


def read_observed(
    definitions: Definitions, path: Path, build: str
) -> dict[str, tuple[Stated, ...]]:
    """Criteria of a laboratory by variant.

    Parameters
    ----------
    definitions : Definitions
        Panel, known variants and `own_criteria.tsv`.
    path : Path
        The table.
    build : str
        GRCh37 or GRCh38, of its variants.

    Returns
    -------
    dict of tuples
        Key -> what is stated of it.

    Raises
    ------
    DataError
        With the line, for a column, strength or variant that is not known, a criterion that the
        gene does not allow, or a variant that is there twice.
    """
    found: dict[str, tuple[Stated, ...]] = {}
    for line, cells in table_rows(path):
        where = f"{path}, line {line}"
        _check_columns(definitions, cells, str(path))
        key = _key(definitions, cells[KEY], build, where)
        if key in found:
            raise DataError(
                where, f"{cells[KEY]} is there twice", "Give one line a variant.", code="row_twice"
            )
        found[key] = tuple(_stated(definitions, cells, key, build, where))
    return found


@derived
def own_criteria(definitions: Definitions) -> dict[str, dict[str, str]]:
    """Rows of `own_criteria.tsv` by criterion; none with the tables of an earlier model.

    Parameters
    ----------
    definitions : Definitions
        With the table.

    Returns
    -------
    dict of dict
        Criterion -> column -> text.
    """
    if "own_criteria" not in definitions.texts:
        return {}
    return {row["criterion"]: row for row in definitions.rows("own_criteria")}


def _check_columns(definitions: Definitions, cells: Cells, where: str) -> None:
    known = (KEY, NOTE, *own_criteria(definitions))
    if KEY not in cells:
        raise DataError(
            where, f"it has no column {KEY}", "Name each variant there.", code="column_missing"
        )
    for column in cells:
        if column not in known:
            raise DataError(
                where,
                f"the column {column} is not known",
                nearest(column, known),
                code="column_missing",
            )


def _key(definitions: Definitions, text: str, build: str, where: str) -> str:
    gene, colon, name = text.partition(":")
    try:
        key = find_known(definitions, gene, name, build) if colon else plain_key(text, where)
    except RequestError as error:
        raise DataError(where, error.found, error.remedy, code=error.code) from None
    chrom, pos, _, _ = key.split("-")
    if gene_at(definitions, chrom, int(pos), build) < 0:
        raise DataError(
            where,
            f"{text} is not in a gene of the panel",
            f"Check it on {build}.",
            code="line_refused",
        )
    return key


def _stated(
    definitions: Definitions, cells: Cells, key: str, build: str, where: str
) -> Iterator[Stated]:
    chrom, pos, _, _ = key.split("-")
    gene = gene_names(definitions)[gene_at(definitions, chrom, int(pos), build)]
    for name, row in own_criteria(definitions).items():
        word = cells.get(name, "").strip().lower()
        if not word:
            continue
        if word not in STRENGTHS:
            raise DataError(
                where,
                f"{name}: {word!r:.30} is no strength",
                nearest(word, STRENGTHS),
                code="cell_word",
            )
        if STRENGTHS[word] > int(row["strongest"]):
            raise DataError(
                where, f"{name} is never {word}", f"At most {_word(row)}.", code="line_refused"
            )
        if row["needs"] and not _allows(definitions, gene, key, build, row["needs"]):
            found = f"{name} needs a {row['needs']} gene, {gene} is not one"
            raise DataError(where, found, "Leave it empty.", code="line_refused")
        note = cells.get(NOTE, "").strip()
        reason = f"{row['meaning']}, {word}, stated by the laboratory{': ' if note else ''}{note}"
        yield Stated(name, int(row["sign"]) * STRENGTHS[word], reason)


def _word(row: dict[str, str]) -> str:
    return next(w for w, points in STRENGTHS.items() if points == int(row["strongest"]))


def _allows(definitions: Definitions, gene: str, key: str, build: str, needed: str) -> bool:
    """Whether disease needs two alleles of a gene, of any kind or null ones, or of this variant."""
    rules, known = rules_of(definitions, gene), known_row(definitions, key, build)
    by_role = known is not None and known["als_role"] == f"causal_{needed}"
    return by_role or needed in (rules["inheritance"], rules["loss_of_function"])
