"""The definition tables in `features/definitions/`, read once: what a laboratory edits instead of code.

Coordinates of genes are 1-based inclusive (Ensembl), those of repeat loci 0-based half-open (ExpansionHunter catalogue).
Every row carries its source; V = verified there, R = recalled, P = a proposal of ours.
"""

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from pathlib import Path

import pandas as pd

from features.errors import RequestError, nearest

FOLDER = Path(__file__).parent / "definitions"
BUILDS = ("GRCh37", "GRCh38")
_NOT_NAME = re.compile(r"[\W_]+")
# The gene bounds of different annotations differ by some kb at the UTRs (dossier section 1), so the panel is padded (P).
PADDING = 5_000


@dataclass(frozen=True, eq=False)
class Definitions:
    """The definition tables as a value: a cohort is read with one, a model keeps the one it was trained with.

    Attributes
    ----------
    texts : dict
        Name of a table (`genes`, `biomarkers`, ...) -> its TSV, lines ending in a line feed.
    """

    texts: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Definitions":
        """Read every table of a folder."""
        paths = sorted(folder.glob("*.tsv"))
        return cls({path.stem: path.read_text(encoding="utf-8") for path in paths})

    @cached_property
    def version(self) -> str:
        """Digest of all tables: 12 hexadecimal digits, the same wherever the tables are the same."""
        digest = hashlib.sha256()
        for name, text in sorted(self.texts.items()):
            digest.update(f"{name}.tsv".encode() + b"\0" + text.encode())
        return digest.hexdigest()[:12]


def shipped() -> Definitions:
    """The tables of this installation, as their files are now."""
    return Definitions.read(FOLDER)


@cache
def definitions(name: str) -> pd.DataFrame:
    """Read one definition table as text, empty where nothing is stated."""
    return pd.read_csv(FOLDER / f"{name}.tsv", sep="\t", dtype=str, keep_default_na=False)


@cache
def definitions_version() -> str:
    """Digest of all definition tables: 12 hexadecimal digits, the same wherever the files are the same."""
    return shipped().version


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """Write a column, word or analyte without case, blanks and signs, so that spellings meet.

    >>> normal_name("Onset Site"), normal_name("NF-L"), normal_name("date_of_death")
    ('onset_site', 'nf_l', 'date_of_death')
    """
    return "_".join(part for part in _NOT_NAME.split(name.strip().lower()) if part)


def checked_build(build: str) -> str:
    """Return the genome build, or refuse an unknown one."""
    if build not in BUILDS:
        raise RequestError("genome_build", f"{build!r} is no known build", nearest(build, BUILDS))
    return build


@cache
def genes(build: str) -> pd.DataFrame:
    """Genes read by default, with `start`, `end` (1-based inclusive, unpadded) on one build; index = gene symbol."""
    table = definitions("genes")
    table = table[table["read_by_default"] == "yes"].set_index("gene")
    suffix = checked_build(build).lower()
    return table.assign(
        start=table[f"start_{suffix}"].astype(int), end=table[f"end_{suffix}"].astype(int)
    )


@cache
def gene_names() -> tuple[str, ...]:
    """Symbols of the panel, in the order of the table."""
    return tuple(genes("GRCh38").index)


@cache
def core_genes() -> tuple[str, ...]:
    """Genes that a genetic test of ALS covers at the least (Roggenbuck 2023, doi:10.1002/acn3.51895, V)."""
    table = definitions("genes")
    return tuple(table.loc[table["core_test"] == "yes", "gene"])


@cache
def known_variants(build: str) -> pd.DataFrame:
    """Known variants with a position on the build; index = key `chrom-pos-ref-alt`, minimal alleles."""
    table = definitions("known_variants")
    position = table[f"pos_{checked_build(build).lower()}"]
    table = table[position != ""].assign(pos=position[position != ""].astype(int))
    keys = [
        variant_key(*site)
        for site in zip(table["chrom"], table["pos"], table["ref"], table["alt"], strict=True)
    ]
    return table.set_index(pd.Index(keys, name="key"))


def variant_key(chrom: str, pos: int, ref: str, alt: str) -> str:
    """Write a variant with minimal alleles and without `chr`: shared ends are trimmed, last bases first.

    >>> variant_key("chr21", 31659783, "C", "T")
    '21-31659783-C-T'
    >>> variant_key("12", 100, "CAAG", "CG")
    '12-100-CAA-C'
    """
    ref, alt = ref.upper(), alt.upper()
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        ref, alt, pos = ref[1:], alt[1:], pos + 1
    return f"{plain_contig(chrom)}-{pos}-{ref}-{alt}"


def plain_contig(name: str) -> str:
    """Contig without `chr`, mitochondrion as MT.

    >>> plain_contig("chr21"), plain_contig("X"), plain_contig("chrM")
    ('21', 'X', 'MT')
    """
    plain = name[3:] if name[:3].lower() == "chr" else name
    return "MT" if plain == "M" else plain


@cache
def _gene_bounds(build: str) -> dict[str, list[tuple[int, int, int]]]:
    """Contig -> index, start and end of its panel genes."""
    panel, found = genes(build), dict[str, list[tuple[int, int, int]]]()
    for index, (chrom, start, end) in enumerate(
        zip(panel["chrom"], panel["start"], panel["end"], strict=True)
    ):
        found.setdefault(chrom, []).append((index, int(start), int(end)))
    return found


def gene_at(chrom: str, pos: int, build: str) -> int:
    """Index into `gene_names()` of the panel gene at a site, -1 outside; the gene bounds are padded by `PADDING`.

    Where two padded genes overlap, the one whose unpadded bounds hold the site wins, else the first of the panel.
    """
    near = -1
    for index, start, end in _gene_bounds(build).get(plain_contig(chrom), ()):
        if start <= pos <= end:
            return index
        if near < 0 and start - PADDING <= pos <= end + PADDING:
            near = index
    return near


@cache
def analytes() -> pd.DataFrame:
    """Biomarker definitions; index = analyte id; `other_units` becomes a dict unit -> factor to the canonical unit."""
    table = definitions("biomarkers").set_index("analyte")
    factors = [
        _unit_factors(unit, others)
        for unit, others in zip(table["unit"], table["other_units"], strict=True)
    ]
    bounds = table[["plausible_min", "plausible_max"]].astype(float)
    return table.assign(
        factors=factors,
        plausible_min=bounds["plausible_min"],
        plausible_max=bounds["plausible_max"],
    )


def _unit_factors(unit: str, others: str) -> dict[str, Fraction]:
    pairs = [pair.split("=") for pair in others.split(";") if pair]
    return {unit: Fraction(1), **{name: _ratio(factor) for name, factor in pairs}}


def _ratio(text: str) -> Fraction:
    top, _, bottom = text.partition("/")
    return Fraction(top) / Fraction(bottom or "1")


@cache
def analyte_names() -> dict[str, str]:
    """Normal spellings of an analyte, alone where it needs no matrix, else with the matrix before or behind -> id.

    >>> names = analyte_names()
    >>> names["nfl_serum"], names["serum_neurofilament_light"], names["ykl_40_csf"], names["fvc"], "creatinine" in names
    ('nfl_serum', 'nfl_serum', 'chi3l1_csf', 'fvc_pct', False)
    """
    names: dict[str, str] = {}
    for analyte, row in analytes().iterrows():
        matrix = row["matrix"]
        bare = str(analyte).removesuffix(f"_{matrix.removeprefix('whole_')}")
        spellings = {
            normal_name(word) for word in (bare, row["name"], *row["aliases"].split(";")) if word
        }
        for word in spellings:
            with_matrix = {word} if matrix == "none" else {f"{word}_{matrix}", f"{matrix}_{word}"}
            names |= dict.fromkeys(with_matrix, str(analyte))
    return names | {normal_name(str(analyte)): str(analyte) for analyte in analytes().index}


@cache
def column_aliases(table: str) -> dict[str, str]:
    """Other names of a table's columns in their normal form -> ours; our own names are among them."""
    rows = definitions("column_aliases")
    rows = rows[rows["table"] == table]
    pairs = zip(rows["column"], rows["aliases"], strict=True)
    own = {name: name for name in patient_columns().index} if table == "patients" else {}
    return own | {alias: ours for ours, aliases in pairs for alias in (ours, *aliases.split(";"))}


@cache
def value_aliases(column: str) -> dict[str, str]:
    """Other words for the values of a category column in their normal form -> ours."""
    rows = definitions("value_aliases")
    rows = rows[rows["column"] == column]
    pairs = zip(rows["value"], rows["aliases"], strict=True)
    return {alias: ours for ours, aliases in pairs for alias in aliases.split(";") if alias}


@cache
def patient_columns() -> pd.DataFrame:
    """Columns of the patients table; index = column; `values` becomes the tuple of allowed categories."""
    table = definitions("patients").set_index("column")
    values = [tuple(v.split(";")) if v not in ("", "*") else () for v in table["values"]]
    return table.assign(
        levels=values, min=pd.to_numeric(table["min"]), max=pd.to_numeric(table["max"])
    )


@cache
def progression_schemes() -> dict[str, tuple[float, ...]]:
    """Published cut-offs of progression by name, in points per month, ascending."""
    table = definitions("progression_schemes")
    return {
        name: tuple(map(float, cuts.split(";")))
        for name, cuts in zip(table["scheme"], table["cutoffs"], strict=True)
    }


@cache
def repeat_loci() -> pd.DataFrame:
    """Repeat loci with their thresholds in repeat units (NaN where none is stated); index = locus."""
    table = definitions("repeats").set_index("locus")
    numbers = ["intermediate_min", "risk_min", "expanded_min", "confirm_max"]
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})
