"""Scores of variants from a file of the user's: one missense score, or functional scores.

A missense score is read from AlphaMissense's table (`#CHROM POS REF ALT genome ...
am_pathogenicity`), REVEL's (`chr,hg19_pos,grch38_pos,ref,alt,...,REVEL`), or any table with the
columns `variant` and `score`. Functional scores (MAVE) are read as likelihood ratios of
pathogenicity, calibrated by whoever gives them: `likelihood_ratio`, and `variant` or `gene` and
`hgvs_p`. Tables are separated by tabs or commas, plain or gzipped. Only the panel is kept; of
several scores of a variant (one a transcript) the highest counts.
"""

import csv
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO, cast

from features.catalogue import Definitions, gene_at, gene_names, variant_key
from features.errors import DataError, RequestError, nearest
from features.genotypes.vcf import panel_regions
from features.variants.annotation import protein_change

Cells = dict[str, str]
# Missense scores that `definitions/predictors.tsv` has limits for and that can be chosen.
MISSENSE_SCORES = ("revel", "alphamissense", "cadd")
_GENOMES = {"hg38": "GRCh38", "hg19": "GRCh37", "GRCh38": "GRCh38", "GRCh37": "GRCh37"}
_GZIP = b"\x1f\x8b"


class MissenseScore(NamedTuple):
    """The one score that is PP3 and BP4 of missense variants, and its values.

    `by_key` holds scores by key (chrom-pos-ref-alt), beside those that the VCF itself has.
    """

    name: str
    by_key: dict[str, float]


def read_missense_score(
    definitions: Definitions, path: Path | None, name: str, build: str
) -> MissenseScore | None:
    """The chosen missense score, with the values of a file where one is given.

    Parameters
    ----------
    definitions : Definitions
        Whose panel is kept.
    path : Path, optional
        AlphaMissense's or REVEL's table, or one with the columns `variant` and `score`.
    name : str
        One of MISSENSE_SCORES; may be empty where the file says which it is.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    MissenseScore or None
        None where nothing is chosen.

    Raises
    ------
    RequestError
        For an unknown score, or a file that does not say which score it has.
    DataError
        If the file cannot be understood, is of another build or score, or has nothing of the panel.
    """
    if name and name not in MISSENSE_SCORES:
        raise RequestError(
            f"--missense-score {name}",
            "this score is not known",
            nearest(name, MISSENSE_SCORES),
            code="name_unknown",
        )
    if path is None:
        return MissenseScore(name, {}) if name else None
    form = _form(path)
    if form.score and name and form.score != name:
        raise DataError(
            str(path),
            f"this is a table of {form.score}, not of {name}",
            "Choose one.",
            code="file_unreadable",
        )
    chosen = form.score or name
    if not chosen:
        raise RequestError(
            "--scores",
            f"{path} does not say which score it has",
            f"Name it by --missense-score: {', '.join(MISSENSE_SCORES)}.",
            code="option_conflict",
        )
    return MissenseScore(chosen, _panel_scores(definitions, path, form, build))


def read_likelihoods(definitions: Definitions, path: Path) -> dict[str, float]:
    """Functional scores as likelihood ratios of pathogenicity.

    Parameters
    ----------
    definitions : Definitions
        Whose panel is kept.
    path : Path
        Columns `likelihood_ratio`, and `variant` or `gene` and `hgvs_p`.

    Returns
    -------
    dict of float
        By key (chrom-pos-ref-alt), or by `GENE:A5V` for a protein change.

    Raises
    ------
    DataError
        If a column is missing, a ratio is not above 0, a change is not understood, or a variant is
        there twice with different ratios.
    """
    found: dict[str, float] = {}
    for line, cells in table_rows(path):
        name = _likelihood_name(definitions, cells, f"{path}, line {line}")
        ratio = _number(cells.get("likelihood_ratio"), path, line, above=0.0)
        if name and found.setdefault(name, ratio) != ratio:
            raise DataError(
                f"{path}, line {line}",
                f"{name} is there with two ratios",
                "Leave one of them.",
                code="row_contradiction",
            )
    if not found:
        raise DataError(
            str(path),
            "none of its variants is of the panel",
            "Check the file.",
            code="genome_panel",
        )
    return found


def protein_name(gene: str, change: tuple[str, int, str]) -> str:
    """Name by which a protein change is looked up.

    Parameters
    ----------
    gene : str
        Symbol.
    change : tuple
        Residue, number, residue, as `protein_change` gives them.

    Returns
    -------
    str
        As `SOD1:A5V`.
    """
    before, number, after = change
    return f"{gene}:{before}{number}{after}"


def _likelihood_name(definitions: Definitions, cells: Cells, where: str) -> str:
    if cells.get("variant"):
        return plain_key(cells["variant"], where)
    gene, change = cells.get("gene", ""), protein_change(cells.get("hgvs_p", ""))
    if not gene or change is None:
        raise DataError(
            where,
            "it names no variant",
            "Give `variant` (chrom-pos-ref-alt), or `gene` and `hgvs_p` of a substitution.",
            code="line_refused",
        )
    return protein_name(gene, change) if gene in gene_names(definitions) else ""


def plain_key(text: str, where: str) -> str:
    """A variant that a user wrote, as its minimal key.

    Parameters
    ----------
    text : str
        chrom-pos-ref-alt, with or without `chr`.
    where : str
        For the message.

    Returns
    -------
    str
        Key of `features.catalogue.variant_key`.

    Raises
    ------
    DataError
        If it is not of this form.
    """
    parts = text.strip().split("-")
    if (
        len(parts) != 4
        or not parts[1].isdigit()
        or not set((parts[2] + parts[3]).upper()) <= set("ACGT")
    ):
        raise DataError(
            where,
            f"{text!r:.60} is not chrom-pos-ref-alt",
            "As 21-31659783-C-T.",
            code="line_refused",
        )
    return variant_key(parts[0], int(parts[1]), parts[2].upper(), parts[3].upper())


class _Form(NamedTuple):
    """How a table spells a variant and its score; `score` is its name, empty if not said."""

    score: str
    column: str
    variant: Callable[[Cells, str], tuple[str, str, str, str] | None]


def _form(path: Path) -> _Form:
    _, first = next(table_rows(path), (0, None))
    columns = set(first or ())
    forms = {
        ("#CHROM", "POS", "REF", "ALT", "genome", "am_pathogenicity"): _Form(
            "alphamissense", "am_pathogenicity", _alphamissense_variant
        ),
        ("chr", "hg19_pos", "grch38_pos", "ref", "alt", "REVEL"): _Form(
            "revel", "REVEL", _revel_variant
        ),
        ("variant", "score"): _Form("", "score", _own_variant),
    }
    for needed, form in forms.items():
        if set(needed) <= columns:
            return form
    raise DataError(
        str(path),
        "its columns are not those of a known table of scores",
        "Give AlphaMissense's or REVEL's table, or one with the columns variant and score.",
        code="column_missing",
    )


def _alphamissense_variant(cells: Cells, build: str) -> tuple[str, str, str, str] | None:
    stated = _GENOMES.get(cells["genome"], cells["genome"])
    if stated != build:
        raise DataError(
            "",
            f"it is of {stated}, but {build} was asked for",
            "Give the other one.",
            code="genome_build",
        )
    return cells["#CHROM"], cells["POS"], cells["REF"], cells["ALT"]


def _revel_variant(cells: Cells, build: str) -> tuple[str, str, str, str] | None:
    pos = cells["grch38_pos" if build == "GRCh38" else "hg19_pos"]
    return (cells["chr"], pos, cells["ref"], cells["alt"]) if pos.isdigit() else None


def _own_variant(cells: Cells, _: str) -> tuple[str, str, str, str] | None:
    chrom, pos, ref, alt = plain_key(cells["variant"], "").split("-")
    return chrom, pos, ref, alt


def _panel_scores(
    definitions: Definitions, path: Path, form: _Form, build: str
) -> dict[str, float]:
    spans = _spans(definitions, build)
    found: dict[str, float] = {}
    for line, cells in table_rows(path):
        try:
            place = form.variant(cells, build)
        except DataError as error:
            raise DataError(
                f"{path}, line {line}", error.found, error.remedy, code=error.code
            ) from None
        if place is None or not _in_panel(definitions, place, build, spans):
            continue
        key = variant_key(place[0], int(place[1]), place[2], place[3])
        score = _number(cells[form.column], path, line)
        found[key] = max(score, found.get(key, score))
    if not found:
        raise DataError(
            str(path),
            f"none of its variants is of the panel on {build}",
            "Check the build.",
            code="genome_panel",
        )
    return found


def _spans(definitions: Definitions, build: str) -> dict[str, tuple[int, int]]:
    """First and last base of the panel on each chromosome: a cheap look before the exact one."""
    spans: dict[str, tuple[int, int]] = {}
    for chrom, start, end in panel_regions(definitions, build):
        low, high = spans.get(chrom, (start, end))
        spans[chrom] = (min(low, start), max(high, end))
    return spans


def _in_panel(
    definitions: Definitions,
    place: tuple[str, str, str, str],
    build: str,
    spans: dict[str, tuple[int, int]],
) -> bool:
    chrom, pos = place[0].removeprefix("chr"), int(place[1])
    low, high = spans.get(chrom, (1, 0))
    return low <= pos <= high and gene_at(definitions, chrom, pos, build) >= 0


def _number(text: str | None, path: Path, line: int, above: float = -1.0) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not above < value < float("inf"):
        wanted = f"a number above {above:g}" if above >= 0 else "a score"
        raise DataError(
            f"{path}, line {line}",
            f"{text!r:.30} is not {wanted}",
            "Correct it.",
            code="line_refused",
        )
    return value


def table_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    """Number and cells of each line of a table; comments before its header are passed over.

    Parameters
    ----------
    path : Path
        Separated by tabs or commas, plain or gzipped.

    Yields
    ------
    (int, dict of str)
        Line from 1, and column -> text.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with _opened(path) as lines:
            numbered = enumerate(lines, 1)
            head = next((text for _, text in numbered if not _is_comment(text)), "")
            separator = "\t" if "\t" in head else ","
            header = next(csv.reader([head.rstrip("\r\n")], delimiter=separator), [])
            for line, text in numbered:
                cells = next(csv.reader([text.rstrip("\r\n")], delimiter=separator), [])
                if cells:
                    yield line, dict(zip(header, cells, strict=False))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            str(path), f"this table cannot be read ({error})", "Repair it.", code="file_unreadable"
        ) from None


def _is_comment(text: str) -> bool:
    return text.startswith("#") and not text.startswith("#CHROM")


def _opened(path: Path) -> TextIO:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if packed:
        return cast("TextIO", gzip.open(path, "rt", encoding="utf-8"))
    return path.open(encoding="utf-8")
