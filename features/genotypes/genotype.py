"""Genotype arithmetic: from GT text to alleles carried. No files here.

`0` is the reference allele, `.` a missing one, `/` unphased, `|` phased; one allele alone is
haploid (VCF 4.5, section 1.6.2). A missing allele is never taken for the reference.
`docs/genotypes.md` lists every form and the feature value it becomes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Generic, NamedTuple, overload

import numpy as np
import pandas as pd

from features.catalogue import Definitions, gene_names, variant_key
from features.tables.coded import table_of
from features.tables.columns import Column, Frame, FrameT, FrameT_co, rows_of
from features.variants.annotation import Effect

_GENOTYPE = re.compile(r"^[|/]?(\.|\d+)([/|](\.|\d+))*$")
_BASES = re.compile(r"^[ACGTN]+$", re.IGNORECASE)
# Column -> type of its cells.
Types = Mapping[str, type]
# Alleles of a genotype, and alternatives of a record: more than any record has, and less than the
# types of the columns hold.
MOST_ALLELES, MOST_ALTERNATIVES = 100, 10_000
ALLELE_TYPES: Types = {"row": np.int32, "site": np.int32, "copies": np.int8, "ploidy": np.int8}
SITE_TYPES: Types = {"key": object, "gene": np.int64, "effect": object}
NO_CALL_TYPES: Types = {"row": np.int64, "key": object}
PHASE_TYPES: Types = {"row": np.int32, "site": np.int32, "other": np.int32, "cis": np.bool_}
# `key`, `gene` (index into `gene_names()`), `effect` of an alternative allele.
Site = tuple[str, int, Effect | None]


class Genotype(NamedTuple):
    """What one GT says: copies of each alternative allele, number of alleles, whether one is
    missing.
    """

    copies: dict[int, int]
    ploidy: int
    missing: bool


@lru_cache(maxsize=4096)
def parse_genotype(text: str) -> Genotype:
    """Count the alternative alleles of a GT value.

    Parameters
    ----------
    text : str
        FORMAT/GT of one sample.

    Returns
    -------
    Genotype
        Copies by number of the alternative, from 1.

    Raises
    ------
    ValueError
        If it is not a genotype.

    Examples
    --------
    >>> parse_genotype("0/1"), parse_genotype("1|1").copies, parse_genotype("./.").missing
    (Genotype(copies={1: 1}, ploidy=2, missing=False), {1: 2}, True)
    >>> parse_genotype("1")  # haploid
    Genotype(copies={1: 1}, ploidy=1, missing=False)
    >>> parse_genotype("./2")  # half call: the allele is carried, the other one unknown
    Genotype(copies={2: 1}, ploidy=2, missing=True)
    """
    if not _GENOTYPE.match(text):
        raise ValueError(f"{text!r} is not a genotype")
    alleles = re.split(r"[/|]", text.lstrip("/|"))
    called = [int(allele) for allele in alleles if allele != "."]
    if len(alleles) > MOST_ALLELES or max(called, default=0) > MOST_ALTERNATIVES:
        raise ValueError(f"a genotype of {len(alleles)} alleles, or of one without number")
    copies = {allele: called.count(allele) for allele in sorted(set(called)) if allele}
    return Genotype(copies, len(alleles), len(called) < len(alleles))


def zygosity(copies: np.ndarray, ploidy: np.ndarray) -> np.ndarray:
    """Name the zygosity of carried alleles.

    Parameters
    ----------
    copies : array of int
        Copies of the allele.
    ploidy : array of int
        Alleles in the genotype.

    Returns
    -------
    array of str
        `heterozygous`, `homozygous` or `hemizygous`.

    Examples
    --------
    >>> zygosity(np.array([1, 2, 1]), np.array([2, 2, 1])).tolist()
    ['heterozygous', 'homozygous', 'hemizygous']
    """
    return np.select(
        [ploidy == 1, copies >= ploidy], ["hemizygous", "homozygous"], default="heterozygous"
    )


def allele_key(chrom: str, pos: int, ref: str, alt: str) -> str:
    """Key of an allele of a record, empty for one that could not be matched: `*`, `<DEL>`, a
    breakend, `.`.

    Parameters
    ----------
    chrom : str
        With or without `chr`.
    pos : int
        1-based.
    ref, alt : str
        One alternative, as the record writes it.

    Returns
    -------
    str
        Key of `features.catalogue.variant_key`, or empty.

    Examples
    --------
    >>> (allele_key("chr21", 100, "CA", "TA"),
    ...  allele_key("21", 100, "C", "<DEL>"),
    ...  allele_key("21", 100, "C", "*"))
    ('21-100-C-T', '', '')
    """
    return variant_key(chrom, pos, ref, alt) if _BASES.match(alt) and _BASES.match(ref) else ""


@dataclass(frozen=True)
class Genotypes(Generic[FrameT_co]):
    """Genotypes of a cohort on the panel, for `n` patients and G genes.

    Attributes
    ----------
    sites : DataFrame
        The alternative alleles met, each once: `key` (chrom-pos-ref-alt, minimal), `gene` (index
        into `gene_names()`),
        `effect` (`features.variants.annotation.Effect` from the VCF itself, or None).
    alleles : DataFrame
        Who carries them: `row` (patient), `site` (position in `sites`), `copies` (of this allele),
        `ploidy` (alleles in
        the genotype).
    no_calls : DataFrame
        `row`, `key`: known variants at which the patient's genotype is missing or filtered.
    assayed : array (n, G)
        Fraction of a gene that was called in the patient: 0 none, 1 all, NaN unknown.
    phases : DataFrame, optional
        Pairs of heterozygous alleles of a patient whose phase is known: `row`, `site`, `other`, and
        whether both lie on one chromosome (`cis`). None where phase is not asked for.
    """

    sites: FrameT_co
    alleles: FrameT_co
    no_calls: FrameT_co
    assayed: np.ndarray
    phases: FrameT_co | None = None

    def keys(self) -> np.ndarray:
        """Key of each row of `alleles`."""
        return self.sites["key"].to_numpy(dtype=object)[self.alleles["site"].to_numpy()]

    def genes(self) -> np.ndarray:
        """Gene of each row of `alleles`, as index into `gene_names()`."""
        return self.sites["gene"].to_numpy(dtype=int)[self.alleles["site"].to_numpy()]

    def take(self, position: np.ndarray, rows: np.ndarray) -> "Genotypes[FrameT_co]":
        """Genotypes of some patients.

        Parameters
        ----------
        position : array of int (n,)
            New row of each patient.
        rows : array of int
            The old rows that are kept, in their new order.

        Returns
        -------
        Genotypes
            Sites stay as they are.
        """
        return replace(
            self,
            alleles=moved_rows(self.alleles, position),
            no_calls=moved_rows(self.no_calls, position),
            assayed=self.assayed[rows],
            phases=None if self.phases is None else moved_rows(self.phases, position),
        )


def moved_rows(table: FrameT, position: np.ndarray) -> FrameT:
    """Rows of a table with their patients renumbered.

    Those of a patient at position -1 are left out.

    Parameters
    ----------
    table : DataFrame or Table
        With the patient of each row as `row`.
    position : array of int (n,)
        New row of each patient, -1 where it is left out.

    Returns
    -------
    DataFrame or Table
        As given, in the old order.
    """
    row = position[table["row"].to_numpy(dtype=int)]
    kept = row >= 0
    return rows_of(table, kept).assign(row=row[kept].astype(table["row"].dtype))


def no_genotypes(definitions: Definitions, n: int) -> Genotypes:
    """Genotypes of a cohort without any VCF: nothing carried, everything unknown.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel counts.
    n : int
        Number of patients.

    Returns
    -------
    Genotypes
        Empty tables, `assayed` all NaN.
    """
    return Genotypes(
        sites=typed_table([], SITE_TYPES),
        alleles=typed_table([], ALLELE_TYPES),
        no_calls=typed_table([], NO_CALL_TYPES),
        assayed=np.full((n, len(gene_names(definitions))), np.nan),
    )


@overload
def typed_table(rows: "Sequence[tuple[object, ...]]", types: Types) -> pd.DataFrame: ...


@overload
def typed_table(rows: "Sequence[tuple[object, ...]]", types: Types, like: FrameT) -> FrameT: ...


def typed_table(
    rows: "Sequence[tuple[object, ...]]", types: Types, like: Frame | None = None
) -> Frame:
    """Make a table with stated columns and types, however many rows there are.

    Parameters
    ----------
    rows : sequence of tuples
        Cells in the order of the columns.
    types : dict
        Column -> type of its cells.
    like : DataFrame or Table, optional
        What kind of table to make; a DataFrame without it.

    Returns
    -------
    DataFrame or Table
        One row a tuple.
    """
    cells = zip(*rows, strict=True) if rows else ([] for _ in types)
    columns = {
        name: _column(values, kind)
        for (name, kind), values in zip(types.items(), cells, strict=True)
    }
    return table_of(columns) if like is None else table_of(columns, like)


def _column(values: Iterable[object], kind: type) -> np.ndarray:
    cells = list(values)
    if kind is not object:
        return np.array(cells, dtype=kind)
    column = np.empty(
        len(cells), dtype=object
    )  # an Effect is a tuple, which np.array would take apart
    column[:] = cells
    return column


class DistinctSites:
    """Alternative alleles, each once, numbered as they are met.

    >>> sites = DistinctSites()
    >>> sites.numbers_of([("10-1-A-C", 0, None), ("9-7-A-T", 1, None), ("10-1-A-C", 0, None)])
    array([0, 1, 0], dtype=int32)
    >>> sites.ordered()
    ([('9-7-A-T', 1, None), ('10-1-A-C', 0, None)], array([1, 0], dtype=int32))
    """

    def __init__(self) -> None:
        self.met: list[Site] = []
        self.numbers: dict[str, int] = {}

    def numbers_of(self, sites: list[Site]) -> np.ndarray:
        """Number of each site; of a site that is met again, the first effect that is told stays.

        Parameters
        ----------
        sites : list of Site
            Of one file.

        Returns
        -------
        array of int32 (sites,)
            From 0, in the order in which sites are first met.
        """
        return np.array([self._number(site) for site in sites], dtype=np.int32)

    def _number(self, site: Site) -> int:
        key, _, effect = site
        number = self.numbers.setdefault(key, len(self.met))
        if number == len(self.met):
            self.met.append(site)
        elif effect is not None and self.met[number][2] is None:
            self.met[number] = site
        return number

    def ordered(self) -> tuple[list[Site], np.ndarray]:
        """The sites in genomic order, and the place of each number among them."""
        places = [_place(key) for key, _, _ in self.met]
        order = sorted(range(len(places)), key=places.__getitem__)
        place = np.empty(len(order), dtype=np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        return [self.met[i] for i in order], place


@overload
def ordered_alleles(columns: dict[str, np.ndarray]) -> pd.DataFrame: ...


@overload
def ordered_alleles(columns: dict[str, np.ndarray], like: FrameT) -> FrameT: ...


def ordered_alleles(columns: dict[str, np.ndarray], like: Frame | None = None) -> Frame:
    """Put alleles in the order of sites and patients.

    The same allele in two records of one patient (shards, duplicates) counts once, with its larger
    copies. Of millions, those that come in order already are not sorted again.

    Parameters
    ----------
    columns : dict of arrays
        `row` (patient), `site`, `copies`, `ploidy`.
    like : DataFrame or Table, optional
        What kind of table is wanted.

    Returns
    -------
    DataFrame or Table
        With the columns of `ALLELE_TYPES`.
    """
    site, row = columns["site"], columns["row"]
    if not ((site[1:] > site[:-1]) | ((site[1:] == site[:-1]) & (row[1:] > row[:-1]))).all():
        rank = site * np.int64(row.max(initial=0) + 1) + row
        taken = np.lexsort((-columns["copies"], rank))
        taken = taken[np.r_[True, np.diff(rank[taken]) > 0]] if len(taken) else taken
        columns = {name: column[taken] for name, column in columns.items()}
    typed: dict[str, np.ndarray | Column] = {
        name: columns[name].astype(kind, copy=False) for name, kind in ALLELE_TYPES.items()
    }
    return table_of(typed) if like is None else table_of(typed, like)


def no_call_table(row: np.ndarray, key: np.ndarray, keys: list[str]) -> pd.DataFrame:
    """Put missing known variants in order, each patient and variant once.

    Parameters
    ----------
    row, key : arrays
        Patient, and position of the variant in `keys`; in any order, some more than once.
    keys : list of str
        The known variants.

    Returns
    -------
    DataFrame
        `row`, `key`, in this order.

    Examples
    --------
    >>> no_call_table(np.array([1, 0, 1, 1]), np.array([0, 0, 1, 0]), ["b", "a"]).values.tolist()
    [[0, 'b'], [1, 'a'], [1, 'b']]
    """
    names = sorted(keys)
    place = np.array([names.index(name) for name in keys], dtype=np.int64)
    pair = np.unique(row.astype(np.int64) * max(len(keys), 1) + place[key])
    rows_keys, which = np.divmod(pair, max(len(keys), 1))
    texts = np.array([*names, ""], dtype=object)[which]
    return table_of({"row": rows_keys.astype(NO_CALL_TYPES["row"]), "key": texts})


def _place(key: str) -> tuple[int, str, int, str]:
    """Sort key of a variant: chromosome, position, alleles."""
    chrom, pos, alleles = key.split("-", 2)
    return int(chrom) if chrom.isdigit() else 99, chrom, int(pos), alleles
