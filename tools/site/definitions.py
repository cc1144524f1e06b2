"""The pages of definition tables and of features, from the tables themselves."""

import csv
from collections.abc import Sequence
from pathlib import Path

from features.blocks.registry import OURS
from features.blocks.rows import feature_dictionary
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from tools.site.markdown import anchor, cell, code, linked, table

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "features/definitions"
MEANINGS = Path(__file__).parent / "definition_tables.tsv"
# What a page shows of a long text, such as the bases of a gene.
_LONGEST = 160

HEAD = """# Definitions

The tables of `features/definitions/`, each line with its source and a mark: V confirmed there, R
recalled, P a proposal of ours. A laboratory lays lines of its own over them
([extending](../extending.md#a-laboratorys-own-tables)); a model keeps those that it was trained
with. This page is made from the tables.

"""
FEATURES = """# Features

Every column that a model may see, by block (`features.blocks` of a configuration), with the
shipped definitions, the last value of each analyte (`features.biomarker_values` adds first, mean
and slope) and the landmark of 90 days. How a value comes about: [features and
labels](../features.md), [how each number is made](../numbers.md). This page is made from the
feature dictionary, which `als-ml features` writes beside every table of features.

"""


def meanings() -> dict[str, str]:
    """File of a definition table -> what a line of it says."""
    with MEANINGS.open(encoding="utf-8") as file:
        return {row["table"]: row["meaning"] for row in csv.DictReader(file, delimiter="\t")}


def definitions_page() -> str:
    """Every definition table whole."""
    known = meanings()
    paths = [FOLDER / name for name in known]
    index = [
        [f"[`{path.name}`](#{anchor(path.stem)})", cell(known[path.name]), str(len(_rows(path)))]
        for path in paths
    ]
    sections = [_section(path, known[path.name]) for path in paths]
    return HEAD + table(["table", "a line says", "lines"], index) + "".join(sections)


def features_page() -> str:
    """Every column of the feature matrix by block."""
    dictionary = feature_dictionary(FeatureSpec(blocks=OURS), shipped())
    sections = []
    for block in OURS:
        found = [feature for feature in dictionary if feature.block == block]
        rows = [
            [code(one.name), cell(one.unit), cell(one.meaning), linked(one.source)] for one in found
        ]
        heading = f"## {block}\n\n{len(found)} columns.\n\n"
        sections.append(heading + table(["feature", "unit", "meaning", "source"], rows))
    return FEATURES + "".join(sections)


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file, delimiter="\t"))[1:]


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return next(csv.reader(file, delimiter="\t"))


def _section(path: Path, meaning: str) -> str:
    head = _header(path)
    rows = [_cells(head, row) for row in _rows(path)]
    heading = f"## {path.stem}\n\n{cell(meaning)[:1].upper()}{cell(meaning)[1:]}.\n\n"
    return heading + table([code(name) for name in head], rows)


def _cells(head: Sequence[str], row: Sequence[str]) -> list[str]:
    """Cells of a line: its key as code, its source as a link, what is long cut."""
    shown = []
    for i, (name, text) in enumerate(zip(head, row, strict=True)):
        if name == "source":
            shown.append(linked(text))
        elif name in ("bases", "residues", "missense_per_window") or text.count(",") > 20:
            shown.append(cell(f"{text[:24]} ... ({len(text)} characters)"))
        else:
            short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
            shown.append(code(short) if i == 0 else cell(short.replace(";", "; ")))
    return shown
