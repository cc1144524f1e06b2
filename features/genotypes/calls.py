"""Who is not plain reference where: genotypes of a file as arrays, read through `bcftools
query`.
"""

from array import array
from typing import NamedTuple

import numpy as np

from features.errors import DataError
from features.genotypes.genotype import MOST_ALLELES, Genotype, Types, parse_genotype
from features.genotypes.vcf import (
    PASSING,
    SITE_CELLS,
    CallRule,
    Kept,
    Query,
    Sites,
    known_fields,
    site_template,
    sites_of,
)

Record = tuple[str, int, str, str]
Columns = dict[str, np.ndarray]
CARRIED_TYPES: Types = {
    "record": np.int32,
    "row": np.int32,
    "allele": np.int16,
    "copies": np.int8,
    "ploidy": np.int8,
}
MISSING_TYPES: Types = {"record": np.int32, "row": np.int32}
# Calls decoded at a time: large enough for numpy, small beside the panel of a large cohort.
CHUNK = 1 << 18
# Without the first sample, whatever its genotype, records at which all are reference would be left
# out. `|` asks each sample by itself; after `||` all samples of a record pass.
_ANY_RECORD = 'GT!="ref" | GT[0]="ref"'
_FILTER = 4
_PASSING = frozenset(name.encode() for name in PASSING)


class Calls(NamedTuple):
    """Genotypes that are not plain reference. `record` is a position in `records`.

    `carried`: `record`, `row`, `allele` (from 1), `copies`, `ploidy`; `missing`: `record`, `row` of
    a missing allele.
    """

    records: list[Record]
    carried: dict[str, np.ndarray]
    missing: dict[str, np.ndarray]


class _Tokens(dict[bytes, int]):
    """Number the different `sample=GT` tokens; -1 is a sample that is not a patient."""

    def __init__(self, vcf_rows: dict[str, int]):
        self.vcf_rows, self.rows = vcf_rows, array("i")
        self.texts, self.numbers = array("i"), dict[str, int]()
        self.genotypes: list[Genotype] = []

    def __missing__(self, token: bytes) -> int:
        sample, _, text = token.decode(errors="replace").rpartition("=")
        row = self.vcf_rows.get(sample)
        number = -1 if row is None else len(self.rows)
        if row is not None:
            self.rows.append(row)
            if text not in self.numbers:
                self.numbers[text] = len(self.genotypes)
                self.genotypes.append(_genotype(text))
            self.texts.append(self.numbers[text])
        self[token] = number
        return number

    def decoded(
        self, codes: "array[int]", counts: "array[int]", first: int = 0
    ) -> "tuple[Columns, Columns]":
        """Alleles and missing genotypes of some records, numbered from `first`."""
        code = np.frombuffer(codes, dtype=np.int32) if codes else np.empty(0, np.int32)
        numbers = np.arange(first, first + len(counts), dtype=np.int32)
        record = np.repeat(numbers, np.array(counts, dtype=int))
        record, code = record[code >= 0], code[code >= 0]
        row, text = (np.array(of, dtype=np.int32)[code] for of in (self.rows, self.texts))
        missing = np.array([g.missing for g in self.genotypes], dtype=bool)[text]
        ploidy = np.array([g.ploidy for g in self.genotypes], dtype=np.int8)
        pieces: list[tuple[np.ndarray, ...]] = []
        for allele in sorted({a for g in self.genotypes for a in g.copies}):
            copies = np.array([g.copies.get(allele, 0) for g in self.genotypes], dtype=np.int8)[
                text
            ]
            at = np.flatnonzero(copies)
            pieces.append(
                (record[at], row[at], np.full(len(at), allele), copies[at], ploidy[text[at]])
            )
        return together(pieces, CARRIED_TYPES), {"record": record[missing], "row": row[missing]}


def _genotype(text: str) -> Genotype:
    try:
        return parse_genotype(text)
    except ValueError:
        found = f"a genotype of {len(text)} characters is not one of up to {MOST_ALLELES} alleles"
        raise DataError("variants", found, "Repair the record.", code="file_unreadable") from None


def no_calls(records: list[Record]) -> Calls:
    """The calls of a file without genotypes.

    Parameters
    ----------
    records : list of Record
        Of the file.
    """
    nothing: list[tuple[np.ndarray, ...]] = []
    return Calls(records, together(nothing, CARRIED_TYPES), together(nothing, MISSING_TYPES))


def read_panel(query: Query, rule: CallRule, vcf_rows: dict[str, int]) -> tuple[Sites, Calls]:
    """Read the panel of a file in one pass: its records, and who is not plain reference at them.

    Records with a FILTER are among the sites and have no calls. A genotype takes a dozen bytes for
    each allele carried; its text is never kept.

    Parameters
    ----------
    query : Query
        The file and the regions.
    rule : CallRule
        Thresholds below which a genotype is missing.
    vcf_rows : dict
        Sample name in the VCF -> patient index; other samples are left out.

    Returns
    -------
    sites : Sites
        One entry a record.
    calls : Calls
        `record` is a position in `sites`.

    Raises
    ------
    DataError
        If bcftools cannot read the file.
    """
    fields = known_fields(query)
    width = SITE_CELLS + len(fields)
    tokens, codes, counts = _Tokens(vcf_rows), array("i"), array("i")
    kept = Kept(str(query.path))
    pieces: list[tuple[Columns, Columns]] = []
    template = site_template(query, fields) + r"[\t%SAMPLE=%GT]\n"
    with query.lines("-f", template, "-i", _ANY_RECORD, rule=rule) as lines:
        for line in lines:
            cells = line.rstrip(b"\n").split(b"\t")
            called = cells[width:] if cells[_FILTER] in _PASSING else []
            kept.add(cells[:width])
            codes.extend(map(tokens.__getitem__, called))
            counts.append(len(called))
            if len(codes) > CHUNK:
                pieces.append(tokens.decoded(codes, counts, len(kept.rows) - len(counts)))
                codes, counts = array("i"), array("i")
    pieces.append(tokens.decoded(codes, counts, len(kept.rows) - len(counts)))
    sites = sites_of(query, fields, kept.rows)
    carried, missing = ([tuple(piece[i].values()) for piece in pieces] for i in (0, 1))
    calls = Calls(sites.names(), together(carried, CARRIED_TYPES), together(missing, MISSING_TYPES))
    return sites, calls


def together(pieces: list[tuple[np.ndarray, ...]], types: Types) -> dict[str, np.ndarray]:
    """Join pieces of a table, column by column, and empty the list of pieces.

    Parameters
    ----------
    pieces : list of tuples of arrays
        Each has the columns of `types`, in its order; emptied here.
    types : dict
        Column -> type of its cells.

    Returns
    -------
    dict of arrays
        One array a column.
    """
    columns = list(zip(*pieces, strict=True)) or [()] * len(types)
    pieces.clear()
    joined: dict[str, np.ndarray] = {}
    for name, kind in types.items():
        joined[name] = np.concatenate([np.empty(0, kind), *columns.pop(0)]).astype(kind, copy=False)
    return joined
