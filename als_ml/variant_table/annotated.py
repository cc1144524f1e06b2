"""The variant table as an annotated VCF: one site a row, each column an INFO field.

Specification: VCF 4.3 (samtools.github.io/hts-specs), which has percent encoding for characters
with a meaning of their own (section 1.2) and lets blanks stand. Sites only: who carries what is the
carriers table. A structural variant has its symbolic allele, REF N and END.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml import __version__
from als_ml.output import together, whole_file
from als_ml.variant_table.columns import COUNTED, DESCRIBED, Column
from features.catalogue import plain_contig
from features.variants.structural import is_structural

if TYPE_CHECKING:
    import pandas as pd

SUFFIX = ".vcf.gz"
INDEX = ".tbi"
# Before each field of ours, so that none is taken for one of another tool.
PREFIX = "ALS_"
_SPECIAL = {char: f"%{ord(char):02X}" for char in "%;=,\t\r\n"}


def is_annotated(path: Path) -> bool:
    """Whether an output is to be an annotated VCF.

    Parameters
    ----------
    path : Path
        As the user named it.

    Returns
    -------
    bool
        By its ending.
    """
    return path.name.lower().endswith(SUFFIX)


def write_annotated(table: "pd.DataFrame", path: Path, contigs: dict[str, int], build: str) -> None:
    """Write the variant table as a VCF with its index.

    Parameters
    ----------
    table : DataFrame
        Of `variant_table`, in genomic order.
    path : Path
        Ends in .vcf.gz.
    contigs : dict of int
        Contig as it is to be spelled -> length, 0 where it is not known. What the table has beside
        them is added.
    build : str
        For the header.
    """
    import pysam

    met = dict.fromkeys(key.split("-")[0] for key in table["variant"])
    spelled = {plain_contig(name): name for name in contigs}
    contigs = {**contigs, **{chrom: 0 for chrom in met if chrom not in spelled}}
    fields = [c for c in (*DESCRIBED, *COUNTED) if c.name in table.columns]
    place = path.with_name(path.name + INDEX)
    with together(), whole_file(place) as index, whole_file(path) as temporary:
        with pysam.BGZFile(str(temporary), "wb", None) as written:
            for line in (*_header(contigs, fields, build), *_records(table, fields, spelled)):
                written.write(line.encode() + b"\n")
        pysam.tabix_index(str(temporary), preset="vcf", force=True, index=str(index))


def field_name(column: str) -> str:
    """Name of the INFO field of a column.

    Parameters
    ----------
    column : str
        Of the variant table.

    Returns
    -------
    str
        In capitals, ours.
    """
    return PREFIX + column.upper()


def encoded(text: str) -> str:
    """A text as a value of INFO.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    str
        With percent encoding of what has a meaning in INFO.

    Examples
    --------
    >>> encoded("p.Ala5=; 50%")
    'p.Ala5%3D%3B 50%25'
    """
    return "".join(_SPECIAL.get(char, char) for char in text)


def _header(contigs: dict[str, int], fields: list[Column], build: str) -> Iterator[str]:
    yield "##fileformat=VCFv4.3"
    yield f"##source=als-ml {__version__}, research use only"
    yield f"##reference={build}"
    for name, length in contigs.items():
        yield f"##contig=<ID={name}{f',length={length}' if length else ''}>"
    for column in fields:
        told = f'Number=1,Type={column.kind},Description="{column.meaning}"'
        yield f"##INFO=<ID={field_name(column.name)},{told}>"
    yield '##INFO=<ID=END,Number=1,Type=Integer,Description="last base of a structural variant">'
    yield "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def _records(table: "pd.DataFrame", fields: list[Column], spelled: dict[str, str]) -> Iterator[str]:
    columns = [table[column.name].tolist() for column in fields]
    for key, *cells in zip(table["variant"], *columns, strict=True):
        chrom, pos, ref, alt = key.split("-")
        told = [
            f"{field_name(column.name)}={_value(cell, column)}"
            for column, cell in zip(fields, cells, strict=True)
            if not _is_missing(cell)
        ]
        if is_structural(key):
            told = [f"END={ref}", *told]
            ref = "N"
        yield "\t".join([spelled.get(chrom, chrom), pos, ".", ref, alt, ".", ".", ";".join(told)])


def _value(cell: object, column: Column) -> str:
    if column.kind == "String":
        return encoded(str(cell))
    return f"{int(float(str(cell)))}" if column.kind == "Integer" else f"{cell:.9g}"


def _is_missing(cell: object) -> bool:
    return cell is None or cell == "" or cell != cell
