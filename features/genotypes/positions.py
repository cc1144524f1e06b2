"""Positions that no VCF can have: htslib keeps 64 bits of them, bcftools prints 32."""

import gzip
import re
import zlib
from pathlib import Path
from typing import IO

from features import bounds
from features.genotypes.vcf import LAST_POSITION, has_index

# Contig and position of a line; 10 digits are 1,000,000,000 or more.
_FAR = re.compile(rb"\n([^\t\n]{1,255})\t([0-9]{10,19})\t")
_CHUNK = 1 << 24
_BEGINNING = 300


def far_positions(path: Path) -> list[tuple[str, int]]:
    """Contig and position of each record beyond the last position that a VCF can have.

    A file with an index has none, since no index can be made of it. A compressed file without one
    is unpacked once more for this, if it is no larger than `bounds.FAR_BYTES`.

    Parameters
    ----------
    path : Path
        VCF or BCF.

    Returns
    -------
    list of (contig, position)
        In the order of the file; bcftools reads none of them.
    """
    if has_index(path):
        return []
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed and path.stat().st_size > bounds.FAR_BYTES:
        return []
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            return _found(file)
    except (OSError, EOFError, zlib.error):
        return []  # htslib says what is wrong with it


def _found(file: "IO[bytes] | gzip.GzipFile") -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    begun = b"\n"
    while text := file.read(_CHUNK):
        if b"\0" in text:
            return found  # BCF, whose positions have 32 bits
        lines = begun + text
        # The beginning of the last line is read with what follows, however long that line is.
        last = lines.rfind(b"\n")
        whole = last if len(lines) - last < _BEGINNING else len(lines)
        found += _far_in(lines[:whole])
        begun = lines[whole:]
    return found + _far_in(begun)


def _far_in(lines: bytes) -> list[tuple[str, int]]:
    places = ((m[1].decode(errors="replace"), int(m[2])) for m in _FAR.finditer(lines))
    return [place for place in places if place[1] > LAST_POSITION]
