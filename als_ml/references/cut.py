"""Cut FASTA and VCF files to regions.

Coordinates stay those of the whole genome, which in the FASTA is N outside them.
"""

import contextlib
import gzip
import io
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pysam

from als_ml.references.folder import Progress, unwritable
from als_ml.references.regions import Span, by_chromosome
from features.catalogue import plain_contig
from features.errors import DataError
from features.genotypes.vcf import Region

# gnomAD calls the genetic ancestry group with the highest frequency popmax up to v3, grpmax from v4
# on.
FREQUENCY_FIELDS = frozenset(
    {"AC", "AN", "AF", "faf95", "faf95_popmax", "fafmax_faf95_max"}
    | {f"{n}{group}" for n in ("", "AC_", "AN_", "AF_") for group in ("grpmax", "popmax")}
)


def cut_fasta(
    files: list[Path], target: Path, regions: list[Region], progress: Progress = lambda *_: None
) -> dict[str, int]:
    """Join FASTA files and turn the bases outside the regions into N.

    Capitals, bgzipped, with .fai and .gzi.

    Parameters
    ----------
    files : list of Path
        FASTA, plain or compressed.
    target : Path
        Ends in .fa.gz.
    regions : list of (chromosome without chr, start, end)
        1-based inclusive; they may overlap.

    Returns
    -------
    dict
        Contig as the files spell it -> length in bases.

    Raises
    ------
    DataError
        If a file is not a FASTA or damaged, or a region lies outside what they hold.
    """
    lengths: dict[str, int] = {}
    with _whole_files(target) as temporary:
        with pysam.BGZFile(str(temporary), "wb", None) as written:
            for done, path in enumerate(files, 1):
                for line in masked_lines(
                    _lines(path, b">", "FASTA"), by_chromosome(regions), lengths
                ):
                    written.write(line)
                progress(f"cutting {target.name} to the panel", done, len(files))
        _check_lengths(lengths, regions, files)
        pysam.faidx(str(temporary))
    return lengths


def masked_lines(
    lines: Iterable[bytes], spans: dict[str, list[Span]], lengths: dict[str, int]
) -> Iterator[bytes]:
    """Yield the lines of a FASTA with N for each base outside the spans.

    Parameters
    ----------
    lines : iterable of bytes
        Of the FASTA.
    spans : dict of lists
        Contig without `chr` -> first and last positions from 1, sorted.
    lengths : dict of int
        Filled with bases by the contig's name in the file.

    Yields
    ------
    bytes
        A line with its end; as many bases as it had.
    """
    name, position, waiting = "", 1, list[Span]()
    for line in lines:
        if line.startswith(b">"):
            name, position = line[1:].split(maxsplit=1)[0].decode(errors="replace"), 1
            waiting = list(reversed(spans.get(plain_contig(name), [])))
            lengths[name] = 0
            yield line.rstrip() + b"\n"
            continue
        bases = line.rstrip()
        while waiting and waiting[-1][1] < position:
            waiting.pop()
        yield _masked(bases, position, waiting)
        position += len(bases)
        lengths[name] = position - 1


def _masked(bases: bytes, position: int, waiting: list[Span]) -> bytes:
    """Mask one line that begins at `position`; the next span is the last of `waiting`."""
    kept = bytearray(b"N" * len(bases))
    for start, end in reversed(waiting):
        if start >= position + len(bases):
            break
        part = slice(max(start - position, 0), min(end - position + 1, len(bases)))
        kept[part] = bases[part].upper()
    return bytes(kept) + b"\n"


def _check_lengths(lengths: dict[str, int], regions: list[Region], files: list[Path]) -> None:
    ends = {plain_contig(name): length for name, length in lengths.items()}
    for chrom, start, end in regions:
        if ends.get(chrom, 0) < end:
            has = f"{ends[chrom]} bases of" if chrom in ends else "no"
            where = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
            reason = f"there is {has} chromosome {chrom}, of which {start}-{end} is needed"
            raise DataError(
                where,
                reason,
                "Check that this is the genome build asked for, and the whole of it.",
                code="file_unreadable",
            )


def cut_vcf(
    files: list[Path],
    target: Path,
    regions: list[Region],
    fields: frozenset[str] | None = None,
    progress: Progress = lambda *_: None,
) -> int:
    """Join the records of VCF files that overlap the regions: sites without samples, sorted,
    bgzipped, with .tbi.

    Parameters
    ----------
    files : list of Path
        VCF, plain or compressed.
    target : Path
        Ends in .vcf.gz.
    regions : list of (chromosome without chr, start, end)
        1-based inclusive.
    fields : frozenset of str, optional
        INFO fields to keep; None: all.

    Returns
    -------
    int
        Number of records.

    Raises
    ------
    DataError
        If a file is not a VCF or damaged, or has no record in the regions.
    """
    header, records = dict[bytes, bytes](), set[bytes]()
    for done, path in enumerate(files, 1):
        _read_records(path, by_chromosome(regions), fields, header, records)
        progress(f"cutting {target.name} to the panel", done, len(files))
    order = list(dict.fromkeys(chrom for chrom, _, _ in regions))
    with _whole_files(target) as temporary:
        with pysam.BGZFile(str(temporary), "wb", None) as written:
            columns = header.pop(b"#CHROM", b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
            for line in [
                *header.values(),
                columns,
                *sorted(records, key=lambda r: _place_of(r, order)),
            ]:
                written.write(line)
        pysam.tabix_index(str(temporary), preset="vcf", force=True)
    return len(records)


def _read_records(
    path: Path,
    spans: dict[str, list[Span]],
    fields: frozenset[str] | None,
    header: dict[bytes, bytes],
    records: set[bytes],
) -> None:
    count, wanted = 0, dict[bytes, list[Span]]()
    for line in _lines(path, b"##fileformat=VCF", "VCF"):
        if line.startswith(b"#"):
            if is_kept(line, fields):
                header.setdefault(
                    _header_key(line), b"\t".join(line.rstrip().split(b"\t")[:8]) + b"\n"
                )
            continue
        contig = line[: line.find(b"\t")]
        if contig not in wanted:
            wanted[contig] = spans.get(plain_contig(contig.decode(errors="replace")), [])
        if wanted[contig] and _overlaps(line, wanted[contig], path):
            records.add(shortened(line, fields))
            count += 1
    if not count:
        remedy = "Check that it is of the genome build asked for, and the whole file."
        raise DataError(
            str(path), "none of its records lies in the gene panel", remedy, code="genome_panel"
        )


def _header_key(line: bytes) -> bytes:
    """Whole of an unstructured line, `##INFO=<ID=AF` of a structured one: files of one release
    repeat each other's.
    """
    if line.startswith(b"#CHROM"):
        return b"#CHROM"
    return (
        b"##fileformat"
        if line.startswith(b"##fileformat")
        else re.split(rb"[,>]", line, maxsplit=1)[0]
    )


def is_kept(line: bytes, fields: frozenset[str] | None) -> bool:
    """Whether a header line stays: all but those of INFO fields that are not wanted.

    Parameters
    ----------
    line : bytes
        Of the header.
    fields : set of str, optional
        INFO fields that are wanted; all without it.

    Returns
    -------
    bool
        True for what is not of an INFO field.
    """
    match = re.match(rb"##INFO=<ID=([^,>]+)", line)
    return match is None or fields is None or match[1].decode() in fields


def _overlaps(line: bytes, spans: list[Span], path: Path) -> bool:
    try:
        _, position, _, ref, _ = line.split(b"\t", 4)
        first = int(position)
    except ValueError:
        raise DataError(
            str(path),
            f"this is not a VCF record: {line!r:.80}",
            "Repair the file.",
            code="file_unreadable",
        ) from None
    return any(first <= end and first + len(ref) - 1 >= start for start, end in spans)


def shortened(line: bytes, fields: frozenset[str] | None) -> bytes:
    """Record without samples and without the INFO fields that are not wanted.

    Parameters
    ----------
    line : bytes
        A record.
    fields : set of str, optional
        INFO fields that are wanted; all without it.

    Returns
    -------
    bytes
        Eight columns and the end of the line.
    """
    columns = line.rstrip(b"\r\n").split(b"\t")[:8]
    if fields is not None and len(columns) == 8:
        kept = [
            part for part in columns[7].split(b";") if part.partition(b"=")[0].decode() in fields
        ]
        columns[7] = b";".join(kept) or b"."
    return b"\t".join(columns) + b"\n"


def _place_of(record: bytes, order: list[str]) -> tuple[int, bytes, int, bytes]:
    contig, position, rest = record.split(b"\t", 2)
    return order.index(plain_contig(contig.decode())), contig, int(position), rest


def _lines(path: Path, start: bytes, what: str) -> Iterator[bytes]:
    """Stream the lines of a file, plain or compressed, that has to begin like one of its kind."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with (
            gzip.open(path, "rb") if packed else path.open("rb") as opened,
            io.BufferedReader(opened) as file,
        ):
            if not file.peek(len(start)).startswith(start):
                raise DataError(
                    str(path),
                    f"this is not a {what}",
                    "Delete it, and correct its address or the file.",
                    code="file_unreadable",
                )
            yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            str(path),
            f"it is damaged ({error})",
            "Delete it and run the command again.",
            code="file_unreadable",
        ) from None


@contextlib.contextmanager
def _whole_files(target: Path) -> Iterator[Path]:
    """Yield a path in a folder of its own.

    When the block ends well, it and its indexes move to the target, itself last.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        temporary = Path(folder) / target.name
        try:
            yield temporary
        except OSError as error:
            raise unwritable(target, error) from None
        for path in sorted(Path(folder).iterdir(), key=lambda p: p == temporary):
            path.replace(target.parent / path.name)
