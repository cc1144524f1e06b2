"""Cut a table of missense scores to the gene panel: AlphaMissense's or REVEL's.

One is separated by tabs, the other by commas and in a zip. Lines stay as they are, and the comments
before the header; the result is gzipped.
"""

import gzip
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from als_ml.output import whole_file
from als_ml.references.folder import Progress, unwritable
from als_ml.references.regions import Span, by_chromosome
from features.catalogue import plain_contig
from features.errors import DataError
from features.genotypes.vcf import Region

# Columns of contig and position, by the first column of the header and the build.
_PLACES = {
    "#CHROM": {"GRCh37": ("#CHROM", "POS"), "GRCh38": ("#CHROM", "POS")},
    "chr": {"GRCh37": ("chr", "hg19_pos"), "GRCh38": ("chr", "grch38_pos")},
}
_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"


def cut_table(
    files: list[Path],
    target: Path,
    regions: list[Region],
    build: str,
    progress: Progress = lambda *_: None,
) -> int:
    """Keep the lines of a table of scores that lie in some regions.

    Parameters
    ----------
    files : list of Path
        The table, plain, gzipped or as the one member of a zip.
    target : Path
        Is written gzipped.
    regions : list of (chromosome without chr, start, end)
        1-based inclusive.
    build : str
        Whose positions count, where the table has both.
    progress : callable
        Told when a file is done.

    Returns
    -------
    int
        Lines kept, without the header.

    Raises
    ------
    DataError
        If a file is damaged or not such a table, or has nothing in the regions.
    """
    spans, kept = by_chromosome(regions), 0
    try:
        with whole_file(target) as temporary, gzip.open(temporary, "wb") as out:
            for done, path in enumerate(files, 1):
                with _opened(path) as lines:
                    for line, counts in _kept(lines, spans, build, path):
                        out.write(line)
                        kept += counts
                progress(f"cutting {target.name} to the panel", done, len(files))
            if not kept:
                raise DataError(
                    str(files[0]),
                    "none of its lines lies in the gene panel",
                    "Check that it is of the genome build asked for, and the whole file.",
                    code="file_unreadable",
                )
    except OSError as error:
        raise unwritable(target, error) from None
    return kept


def _kept(
    lines: IO[bytes], spans: dict[str, list[Span]], build: str, path: Path
) -> Iterator[tuple[bytes, bool]]:
    """Comments and header, which do not count, and the lines of the regions."""
    separator, contig, place = b"\t", -1, -1
    for line in lines:
        if contig < 0:
            yield line, False
            if line.startswith(b"#") and not line.startswith(b"#CHROM"):
                continue
            separator, contig, place = _columns(line, build, path)
            continue
        cells = line.rstrip(b"\r\n").split(separator)
        if len(cells) > place and cells[place].isdigit():
            name = plain_contig(cells[contig].decode(errors="replace"))
            if _inside(spans.get(name, []), int(cells[place])):
                yield line, True


def _columns(header: bytes, build: str, path: Path) -> tuple[bytes, int, int]:
    separator = b"\t" if b"\t" in header else b","
    names = header.rstrip(b"\r\n").decode(errors="replace").split(separator.decode())
    wanted = _PLACES.get(names[0], {}).get(build, ("", ""))
    if not set(wanted) <= set(names):
        raise DataError(
            str(path),
            "its columns are not those of a table of scores that is known",
            "Delete it, and correct its address or the file.",
            code="file_unreadable",
        )
    return separator, names.index(wanted[0]), names.index(wanted[1])


def _inside(spans: list[Span], pos: int) -> bool:
    at = bisect_right(spans, (pos, 1 << 62)) - 1
    return at >= 0 and spans[at][0] <= pos <= spans[at][1]


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Lines of a file, unpacked."""
    with path.open("rb") as file:
        start = file.read(4)
    try:
        if start == _ZIP:
            with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
                yield member
        elif start.startswith(_GZIP):
            with gzip.open(path, "rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            with path.open("rb") as plain:
                yield plain
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, IndexError) as error:
        raise DataError(
            str(path),
            f"it is damaged ({error})",
            "Delete it and run the command again.",
            code="file_unreadable",
        ) from None
