"""Positions that no chromosome has: htslib keeps 64 bits of them, bcftools prints 32 in a table."""

import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from features import bounds
from features.catalogue import plain_contig
from features.errors import DataError
from features.genotypes.bcftools import bcftools
from features.genotypes.vcf import LAST_POSITION, has_index, indexes_of

# Contig and position of a line; 10 digits are 1,000,000,000 or more.
_FAR = re.compile(rb"\n([^\t\n]{1,255})\t([0-9]{10,19})\t")
_CHUNK = 1 << 24
_BEGINNING = 300
Place = tuple[str, int]


def far_positions(path: Path, contigs: Collection[str]) -> list[Place]:
    """Contig and position of each record beyond the last position that bcftools can print.

    A file without an index is read once more for this: 2 s a gigabyte of text, where reading its
    records takes 30 s. Of the indexes only CSI can hold such a position, and finds it.

    Parameters
    ----------
    path : Path
        VCF or BCF.
    contigs : collection of str
        Where to look, without `chr`.

    Returns
    -------
    list of (contig, position)
        In the order of the file; none of them is read as a variant.

    Raises
    ------
    DataError
        If there are more than `bounds.FAR_RECORDS`.
    """
    found = []
    for place in _in_index(path, contigs) if has_index(path) else _in_text(path):
        if place[1] > LAST_POSITION and plain_contig(place[0]) in contigs:
            found.append(place)
            if len(found) > bounds.FAR_RECORDS:
                raise _too_many(path)
    return found


def _too_many(path: Path) -> DataError:
    return DataError(
        str(path),
        f"more than {bounds.FAR_RECORDS:,} of its records lie beyond position 2^31",
        "Make the file again: no chromosome is as long.",
        code="file_unreadable",
    )


def _in_index(path: Path, contigs: Collection[str]) -> Iterator[Place]:
    if not contigs or all(index.suffix != ".csi" for index in indexes_of(path)):
        return
    regions = [f"{p}{c}:{LAST_POSITION + 1}-" for c in sorted(contigs) for p in ("", "chr")]
    view = ["view", "--no-header", "--drop-genotypes", "--regions", ",".join(regions), str(path)]
    with bcftools(view, where=str(path)) as lines:
        for line in lines:
            contig, pos = line.split(b"\t", 2)[:2]
            yield contig.decode(errors="replace"), int(pos)


def _in_text(path: Path) -> Iterator[Place]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            yield from _found(file)
    except (OSError, EOFError, zlib.error):
        return  # htslib says what is wrong with it


def _found(file: "IO[bytes] | gzip.GzipFile") -> Iterator[Place]:
    begun = b"\n"
    while text := file.read(_CHUNK):
        if b"\0" in text:
            return  # BCF, whose positions have 32 bits
        lines = begun + text
        # The beginning of the last line is read with what follows, however long that line is.
        last = lines.rfind(b"\n")
        whole = last if len(lines) - last < _BEGINNING else len(lines)
        yield from _far_in(lines[:whole])
        begun = lines[whole:]
    yield from _far_in(begun)


def _far_in(lines: bytes) -> Iterator[Place]:
    for match in _FAR.finditer(lines):
        yield match[1].decode(errors="replace"), int(match[2])
