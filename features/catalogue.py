"""The definition tables as a value, and what they say: what a laboratory edits instead of code.

Coordinates of genes are 1-based inclusive (Ensembl), those of repeat loci 0-based half-open
(ExpansionHunter catalogue). Every row carries its source; V = verified there, R = recalled, P = a
proposal of ours.

Whatever depends on the tables takes them as its first argument. What is made of them once is kept
with them (`derived`), never in a cache of the process: two models with different tables answer side
by side, each by its own.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache, partial, wraps
from io import StringIO
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pandas as pd

from features.errors import RequestError, nearest

FOLDER = Path(__file__).parent / "definitions"
BUILDS = ("GRCh37", "GRCh38")
_NOT_NAME = re.compile(r"[\W_]+")
# The gene bounds of different annotations differ by some kb at the UTRs, so the
# panel is padded (P).
PADDING = 5_000

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Definitions:
    """The definition tables as a value: a cohort is read with one, a model keeps the one it was
    trained with.

    Attributes
    ----------
    texts : dict
        Name of a table (`genes`, `biomarkers`, ...) -> its TSV, lines ending in a line feed.
    """

    texts: dict[str, str]
    # What was made of the tables: function -> the function with its results. It says nothing that
    # `texts` does not.
    _made: dict[Callable[..., Any], Callable[..., Any]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __reduce__(self) -> tuple[type["Definitions"], tuple[dict[str, str]]]:
        """Travel to another process as the tables alone."""
        return Definitions, (self.texts,)

    @classmethod
    def read(cls, folder: Path) -> "Definitions":
        """Read every table of a folder.

        Parameters
        ----------
        folder : Path
            With one TSV a table.

        Returns
        -------
        Definitions
            Nothing of them is checked yet.
        """
        paths = sorted(folder.glob("*.tsv"))
        return cls({path.stem: path.read_text(encoding="utf-8") for path in paths})

    @cached_property
    def version(self) -> str:
        """Digest of all tables: 12 hexadecimal digits, the same wherever the tables are the
        same.
        """
        digest = hashlib.sha256()
        for name, text in sorted(self.texts.items()):
            digest.update(f"{name}.tsv".encode() + b"\0" + text.encode())
        return digest.hexdigest()[:12]

    def table(self, name: str) -> pd.DataFrame:
        """One table as text, empty where nothing is stated.

        Parameters
        ----------
        name : str
            As `genes` or `biomarkers`.

        Returns
        -------
        DataFrame
            All columns text.

        Raises
        ------
        RequestError
            If there is no such table; the message names the nearest.
        """
        if name not in self.texts:
            raise RequestError(
                f"definitions, {name}",
                "there is no such table",
                nearest(name, self.texts),
                code="name_unknown",
            )
        return _table(self, name)

    def rows(self, name: str) -> list[dict[str, str]]:
        """One table as a dict a row, column -> text, empty where nothing is stated.

        Parameters
        ----------
        name : str
            As `genes` or `biomarkers`.

        Returns
        -------
        list of dict
            In the order of the file.

        Raises
        ------
        RequestError
            If there is no such table.
        """
        return cast("list[dict[str, str]]", self.table(name).to_dict("records"))


def derived(
    function: Callable[Concatenate[Definitions, P], T],
) -> Callable[Concatenate[Definitions, P], T]:
    """Keep with the definitions what a function makes of them.

    Its further arguments are hashable and positional.

    Parameters
    ----------
    function : callable
        Its first argument is the definitions.

    Returns
    -------
    callable
        The same, remembering its results.
    """
    return _kept_with_definitions(function, None)


def recently_derived(
    most: int,
) -> Callable[[Callable[Concatenate[Definitions, P], T]], Callable[Concatenate[Definitions, P], T]]:
    """Like `derived`, but only the latest results: for arguments that come from files and requests
    without end.

    Parameters
    ----------
    most : int
        Results that are kept.

    Returns
    -------
    callable
        A decorator.
    """
    return lambda function: _kept_with_definitions(function, most)


def _kept_with_definitions(
    function: Callable[Concatenate[Definitions, P], T], most: int | None
) -> Callable[Concatenate[Definitions, P], T]:
    @wraps(function)
    def kept(definitions: Definitions, *args: P.args, **kwargs: P.kwargs) -> T:
        made: Callable[P, T] | None = definitions._made.get(function)  # noqa: SLF001
        if made is None:
            remembered = lru_cache(most)(partial(function, definitions))
            # Of two threads that come first together both use the cache that is kept.
            made = definitions._made.setdefault(function, remembered)  # noqa: SLF001
        return made(*args, **kwargs)

    return cast("Callable[Concatenate[Definitions, P], T]", kept)


@derived
def _table(definitions: Definitions, name: str) -> pd.DataFrame:
    text = StringIO(definitions.texts[name])
    return pd.read_csv(text, sep="\t", dtype=str, keep_default_na=False)


# Name, size and time of change of each file of a folder.
_State = tuple[tuple[str, int, int], ...]
_latest: dict[Path, tuple[_State, Definitions]] = {}


def shipped() -> Definitions:
    """The tables of this installation as their files are now, with the sequences that were fetched.

    The same object while no file changes.
    """
    own = own_folder()
    state = _state(FOLDER) + _state(own)
    known = _latest.get(FOLDER)
    if known is None or known[0] != state:
        read = _with_sequences(Definitions.read(FOLDER), own / SEQUENCES)
        known = _latest[FOLDER] = (state, read)
    return known[1]


SEQUENCES = "coding_sequences.tsv"


def own_folder() -> Path:
    """Folder of the user for what was fetched once and holds everywhere.

    Returns
    -------
    Path
        `ALS_ML_DATA`, else `als-ml` where the system keeps a user's data; it may not be there.
    """
    if stated := os.environ.get("ALS_ML_DATA"):
        return Path(stated)
    if kept := os.environ.get("XDG_DATA_HOME"):
        return Path(kept) / "als-ml"
    try:
        return Path("~/.local/share/als-ml").expanduser()
    except RuntimeError:  # a service without a home has no data of its own
        return Path("/nonexistent/als-ml")


def _with_sequences(base: Definitions, path: Path) -> Definitions:
    """Put fetched coding sequences in the place of those that are not whole.

    A line for a transcript that is not ours any more, or that is broken, is passed over: then its
    gene is again among those whose sequence is not here.
    """
    if not path.is_file() or "coding_sequences" not in base.texts:
        return base
    header, *lines = base.texts["coding_sequences"].rstrip("\n").split("\n")
    text = path.read_text(encoding="utf-8", errors="replace")
    rows = [line for line in text.split("\n") if line.count("\t") == header.count("\t")]
    fetched = {tuple(line.split("\t")[:2]): line for line in rows}
    whole = [fetched.get(tuple(line.split("\t")[:2]), line) for line in lines]
    text = "\n".join([header, *whole]) + "\n"
    return Definitions({**base.texts, "coding_sequences": text})


def _state(folder: Path) -> _State:
    stats = ((path.name, path.stat()) for path in sorted(folder.glob("*.tsv")))
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """Write a column, word or analyte without case, blanks and signs, so that spellings meet.

    Parameters
    ----------
    name : str
        As a person or a tool writes it.

    Returns
    -------
    str
        Lower case, words joined by underscores.

    Examples
    --------
    >>> normal_name("Onset Site"), normal_name("NF-L"), normal_name("date_of_death")
    ('onset_site', 'nf_l', 'date_of_death')
    """
    return "_".join(part for part in _NOT_NAME.split(name.strip().lower()) if part)


def checked_build(build: str) -> str:
    """Return the genome build, or refuse an unknown one.

    Parameters
    ----------
    build : str
        As the user writes it.

    Returns
    -------
    str
        GRCh37 or GRCh38.

    Raises
    ------
    RequestError
        For any other, with the nearest.
    """
    if build not in BUILDS:
        raise RequestError(
            "genome_build",
            f"{build!r} is not a known build",
            nearest(build, BUILDS),
            code="genome_build",
        )
    return build


@derived
def genes(definitions: Definitions, build: str) -> pd.DataFrame:
    """Genes read by default, with `start`, `end` (1-based inclusive, unpadded) on one build.

    Index = gene symbol.

    Parameters
    ----------
    definitions : Definitions
        The tables.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    DataFrame
        One row a gene, in the order of the table.
    """
    table = definitions.table("genes")
    table = table[table["read_by_default"] == "yes"].set_index("gene")
    suffix = checked_build(build).lower()
    return table.assign(
        start=table[f"start_{suffix}"].astype(int), end=table[f"end_{suffix}"].astype(int)
    )


@derived
def gene_names(definitions: Definitions) -> tuple[str, ...]:
    """Symbols of the panel, in the order of the table."""
    return tuple(genes(definitions, "GRCh38").index)


@derived
def core_genes(definitions: Definitions) -> tuple[str, ...]:
    """Genes that a genetic test of ALS covers at the least (Roggenbuck 2023,
    doi:10.1002/acn3.51895, V).

    Parameters
    ----------
    definitions : Definitions
        Whose column `core_test` of genes.tsv is read.

    Returns
    -------
    tuple of str
        In panel order.
    """
    table = definitions.table("genes")
    return tuple(table.loc[table["core_test"] == "yes", "gene"])


@derived
def known_variants(definitions: Definitions, build: str) -> pd.DataFrame:
    """Known variants with a position on the build.

    Index = key `chrom-pos-ref-alt`, minimal alleles.

    Parameters
    ----------
    definitions : Definitions
        The tables.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    DataFrame
        With `pos` (1-based), `ref`, `alt`, `gene`, `als_role`, HGVS names and sources.
    """
    table = definitions.table("known_variants")
    position = table[f"pos_{checked_build(build).lower()}"]
    table = table[position != ""].assign(pos=position[position != ""].astype(int))
    keys = [
        variant_key(*site)
        for site in zip(table["chrom"], table["pos"], table["ref"], table["alt"], strict=True)
    ]
    return table.set_index(pd.Index(keys, name="key"))


def variant_key(chrom: str, pos: int, ref: str, alt: str) -> str:
    """Write a variant with minimal alleles and without `chr`: shared ends are trimmed, last bases
    first.

    Parameters
    ----------
    chrom : str
        With or without `chr`.
    pos : int
        1-based position of the first base of `ref`.
    ref, alt : str
        Bases; case does not matter.

    Returns
    -------
    str
        `chrom-pos-ref-alt`.

    Examples
    --------
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


# A file spells a few contigs, each of its records one.
@lru_cache(maxsize=1024)
def plain_contig(name: str) -> str:
    """Contig without `chr`, mitochondrion as MT.

    Parameters
    ----------
    name : str
        As a file spells it.

    Returns
    -------
    str
        As the definitions spell it.

    Examples
    --------
    >>> plain_contig("chr21"), plain_contig("X"), plain_contig("chrM")
    ('21', 'X', 'MT')
    """
    plain = name[3:] if name[:3].lower() == "chr" else name
    return "MT" if plain == "M" else plain


# Of tables of releases without `assays`, where an assay beside them counted as `unknown`.
_FORMER_ASSAYS = ("simoa", "ella", "elisa")
UNKNOWN_ASSAY = "unknown"


@derived
def assay_names(definitions: Definitions) -> tuple[str, ...]:
    """Assays with a feature of their own, where assays are not interchangeable.

    `unknown`, where nobody states one, is the last.

    Parameters
    ----------
    definitions : Definitions
        With the table `assays`, or of an earlier release.

    Returns
    -------
    tuple of str
        In the order of the table.
    """
    named = definitions.table("assays")["assay"] if names_assays(definitions) else _FORMER_ASSAYS
    return (*named, UNKNOWN_ASSAY)


def names_assays(definitions: Definitions) -> bool:
    """Whether the tables name their assays; those of earlier releases did not.

    Parameters
    ----------
    definitions : Definitions
        Of this or an earlier release.

    Returns
    -------
    bool
        False means that the assays of the earlier releases hold.
    """
    return "assays" in definitions.texts


@derived
def _gene_bounds(definitions: Definitions, build: str) -> dict[str, list[tuple[int, int, int]]]:
    """Contig -> index, start and end of its panel genes."""
    panel, bounds = genes(definitions, build), dict[str, list[tuple[int, int, int]]]()
    for index, (chrom, start, end) in enumerate(
        zip(panel["chrom"], panel["start"], panel["end"], strict=True)
    ):
        bounds.setdefault(chrom, []).append((index, int(start), int(end)))
    return bounds


def gene_at(definitions: Definitions, chrom: str, pos: int, build: str) -> int:
    """Index into `gene_names()` of the panel gene at a site, -1 outside.

    The gene bounds are padded by `PADDING`.

    Where two padded genes overlap, the one whose unpadded bounds hold the site wins, else the first
    of the panel.

    Parameters
    ----------
    definitions : Definitions
        The tables.
    chrom : str
        With or without `chr`.
    pos : int
        1-based.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    int
        Index, or -1.
    """
    near = -1
    for index, start, end in _gene_bounds(definitions, build).get(plain_contig(chrom), ()):
        if start <= pos <= end:
            return index
        if near < 0 and start - PADDING <= pos <= end + PADDING:
            near = index
    return near


@derived
def analytes(definitions: Definitions) -> pd.DataFrame:
    """Biomarker definitions.

    Index = analyte id; `other_units` becomes a dict unit -> factor to the canonical unit.

    Parameters
    ----------
    definitions : Definitions
        With the table `biomarkers`.

    Returns
    -------
    DataFrame
        Limits of what is plausible as numbers, in the canonical unit.
    """
    table = definitions.table("biomarkers").set_index("analyte")
    factors = [
        _unit_factors(unit, others)
        for unit, others in zip(table["unit"], table["other_units"], strict=True)
    ]
    bounds = table[["plausible_min", "plausible_max"]].astype(float)
    return table.assign(
        factors=pd.Series(factors, index=table.index, dtype=object),
        plausible_min=bounds["plausible_min"],
        plausible_max=bounds["plausible_max"],
    )


def _unit_factors(unit: str, others: str) -> dict[str, Fraction]:
    pairs = [pair.split("=") for pair in others.split(";") if pair]
    return {unit: Fraction(1), **{name: _ratio(factor) for name, factor in pairs}}


def _ratio(text: str) -> Fraction:
    top, _, bottom = text.partition("/")
    return Fraction(top) / Fraction(bottom or "1")


@derived
def analyte_names(definitions: Definitions) -> dict[str, str]:
    """Normal spellings of an analyte, alone where it needs no matrix, else with the matrix before
    or behind -> id.

    Parameters
    ----------
    definitions : Definitions
        Whose names and aliases count.

    Returns
    -------
    dict of str
        By `normal_name`; an id always means itself.

    Examples
    --------
    >>> names = analyte_names(shipped())
    >>> (names["nfl_serum"],
    ...  names["serum_neurofilament_light"],
    ...  names["ykl_40_csf"],
    ...  names["fvc"],
    ...  "creatinine" in names)
    ('nfl_serum', 'nfl_serum', 'chi3l1_csf', 'fvc_pct', False)
    """
    names: dict[str, str] = {}
    for analyte, row in analytes(definitions).iterrows():
        matrix = row["matrix"]
        bare = str(analyte).removesuffix(f"_{matrix.removeprefix('whole_')}")
        spellings = {
            normal_name(word) for word in (bare, row["name"], *row["aliases"].split(";")) if word
        }
        for word in spellings:
            with_matrix = {word} if matrix == "none" else {f"{word}_{matrix}", f"{matrix}_{word}"}
            names |= dict.fromkeys(with_matrix, str(analyte))
    return names | {
        normal_name(str(analyte)): str(analyte) for analyte in analytes(definitions).index
    }


@derived
def column_aliases(definitions: Definitions, table: str) -> dict[str, str]:
    """Other names of a table's columns in their normal form -> ours.

    Our own names are among them.

    Parameters
    ----------
    definitions : Definitions
        The tables.
    table : str
        `patients`, `biomarkers`, `alsfrs`, ...

    Returns
    -------
    dict
        Normal name -> column of the contract.
    """
    rows = definitions.table("column_aliases")
    rows = rows[rows["table"] == table]
    pairs = zip(rows["column"], rows["aliases"], strict=True)
    contract = (
        {name: name for name in patient_columns(definitions).index} if table == "patients" else {}
    )
    return contract | {
        alias: ours for ours, aliases in pairs for alias in (ours, *aliases.split(";"))
    }


@derived
def value_aliases(definitions: Definitions, column: str) -> dict[str, str]:
    """Other words for the values of a category column in their normal form -> ours.

    Parameters
    ----------
    definitions : Definitions
        The tables.
    column : str
        Of the contract.

    Returns
    -------
    dict
        Normal word -> value of the contract.
    """
    rows = definitions.table("value_aliases")
    rows = rows[rows["column"] == column]
    pairs = zip(rows["value"], rows["aliases"], strict=True)
    return {alias: ours for ours, aliases in pairs for alias in aliases.split(";") if alias}


@derived
def patient_columns(definitions: Definitions) -> pd.DataFrame:
    """Columns of the patients table.

    Index = column; `values` becomes the tuple of allowed categories.

    Parameters
    ----------
    definitions : Definitions
        With the table `patients`.

    Returns
    -------
    DataFrame
        `levels` is empty where a column is not categorical; `min` and `max` are numbers.
    """
    table = definitions.table("patients").set_index("column")
    values = [tuple(v.split(";")) if v not in ("", "*") else () for v in table["values"]]
    return table.assign(
        levels=pd.Series(values, index=table.index, dtype=object),
        min=pd.to_numeric(table["min"]),
        max=pd.to_numeric(table["max"]),
    )


@derived
def progression_schemes(definitions: Definitions) -> dict[str, tuple[float, ...]]:
    """Published cut-offs of progression by name, in points per month, ascending.

    Parameters
    ----------
    definitions : Definitions
        With the table `progression_schemes`.

    Returns
    -------
    dict of tuples
        Points of the ALSFRS-R lost a month.
    """
    table = definitions.table("progression_schemes")
    return {
        name: tuple(map(float, cuts.split(";")))
        for name, cuts in zip(table["scheme"], table["cutoffs"], strict=True)
    }


@derived
def repeat_loci(definitions: Definitions) -> pd.DataFrame:
    """Repeat loci with their thresholds in repeat units (NaN where none is stated).

    Index = locus.

    Parameters
    ----------
    definitions : Definitions
        With the table `repeats`.

    Returns
    -------
    DataFrame
        One row a locus.
    """
    table = definitions.table("repeats").set_index("locus")
    numbers = ["intermediate_min", "risk_min", "expanded_min", "confirm_max"]
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})
