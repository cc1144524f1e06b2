"""Open VCF and BCF files and read the records of the gene panel, with the bcftools that pysam
ships.

Specification: VCF 4.5 (samtools.github.io/hts-specs). Checked: contig lengths against the build.
Lenient: `chr21` and `21` are the same contig; a file without an index, or whose index is older than
itself, is read from end to end; records may be in any order. What is not checked: anything htslib
does not mind.
"""

import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pysam

from features import bounds
from features.catalogue import (
    BUILDS,
    PADDING,
    Definitions,
    derived,
    gene_at,
    gene_names,
    genes,
    known_variants,
    plain_contig,
    recently_derived,
)
from features.errors import DataError
from features.genotypes.bcftools import bcftools
from features.genotypes.genotype import allele_key
from features.temporary import working_folder
from features.variants.annotation import INFO_FIELDS, Effect, effect_of

Region = tuple[str, int, int]

# An index lies beside its file and is found by it.
INDEXES = (".tbi", ".csi")
# Symbolic alleles of structural variants (VCF 4.5, section 1.4.5).
_STRUCTURAL = re.compile(r"(DEL|DUP|INV|INS|CNV|BND|TRA|CN\d+)\b")
# The last position that a VCF can have (POS is an integer of 32 bits: VCF 4.5, section 1.3).
LAST_POSITION = 2**31 - 1
PASSING = frozenset(["PASS", "."])
# Cells of `site_template` before those of INFO: CHROM, POS, REF, ALT, FILTER, END.
SITE_CELLS = 6


class CallRule(NamedTuple):
    """Least genotype quality (GQ) and depth (DP) of a call.

    Below it a genotype counts as missing. 0: no threshold.
    """

    min_gq: int = 0
    min_depth: int = 0


ANY_CALL = CallRule()


@dataclass(frozen=True)
class Header:
    """What the header of a VCF states; contig lengths are 0 where it does not.

    `structural`: whether it speaks of structural variants.
    """

    samples: tuple[str, ...]
    contigs: dict[str, int]
    info: dict[str, str]
    formats: frozenset[str]
    blocks: bool
    spelled: tuple[str, ...]
    structural: bool

    @property
    def has_calls(self) -> bool:
        """Whether the file has samples with genotypes."""
        return bool(self.samples) and "GT" in self.formats


def read_header(path: Path) -> Header:
    """Open a VCF or BCF and read its header.

    Parameters
    ----------
    path : Path
        VCF or BCF, plain or compressed.

    Returns
    -------
    Header
        Contigs without `chr`.

    Raises
    ------
    DataError
        If the file is absent or no VCF.
    """
    if not path.is_file():
        raise DataError(
            str(path),
            "there is no such file",
            "Correct `variants` in the cohort file.",
            code="file_absent",
        )
    state = path.stat()
    return _read_header(path, state.st_mtime_ns, state.st_size)


# The parts of a file share its header: with a million samples it takes a second to read.
@lru_cache(maxsize=4)
def _read_header(path: Path, _changed: int, _size: int) -> Header:
    pysam.set_verbosity(0)
    try:
        _check_header(path)
        with _header_file(path) as source, _without_index(source) as file:
            header = file.header
            names = tuple(map(str, header.contigs.keys()))
            lengths = {plain_contig(name): header.contigs[name].length or 0 for name in names}
            info = {name: str(field.description) for name, field in header.info.items()}
            blocks = any(alt in header.alts for alt in ("NON_REF", "*"))
            return Header(
                samples=tuple(header.samples),
                contigs=lengths,
                info=info,
                formats=frozenset(header.formats),
                blocks=blocks,
                spelled=names,
                structural="SVTYPE" in info or any(map(_STRUCTURAL.match, header.alts)),
            )
    except (
        ValueError,
        OSError,
        EOFError,
        zlib.error,
        NotImplementedError,
        UnicodeDecodeError,
        AssertionError,
    ) as error:
        remedy = "Give a VCF or BCF, plain or bgzipped."
        raise DataError(
            str(path),
            f"this is not a VCF or BCF file that htslib can read ({_named(error, path)})",
            remedy,
            code="file_unreadable",
        ) from None


@contextmanager
def _without_index(path: Path) -> Iterator[pysam.VariantFile]:
    """Open a file under a name beside which htslib finds no index.

    It would read that for nothing: 1 ms of CPU, a fifth of what the file of one patient takes.
    """
    with path.open("rb") as opened, pysam.VariantFile(f"/dev/fd/{opened.fileno()}") as file:
        yield file


def _named(error: Exception, path: Path) -> str:
    """What htslib says of a file, with the name that the user knows."""
    return re.sub(r"/dev/fd/\d+", lambda _: str(path), str(error))


def _check_header(path: Path) -> None:
    """Refuse a text whose header has more lines or bytes than any cohort's."""
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    lines = 0
    with gzip.open(path) if packed else path.open("rb") as file:
        while (line := file.readline(1 << 20)).startswith(b"##"):
            lines += 1
            if lines > bounds.MOST_HEADER_LINES:
                raise ValueError(f"its header has more than {bounds.MOST_HEADER_LINES:,} lines")
            if len(line) == 1 << 20:
                raise ValueError("a line of its header has no end")


@contextmanager
def _header_file(path: Path) -> Iterator[Path]:
    """Yield a file whose header htslib can open: the file itself, or its header lines in a copy."""
    if not needs_cleaning(path):
        yield path
        return
    with (
        working_folder("vcf") as folder,
        bcftools(["clean", str(path)], where=str(path)) as lines,
    ):
        copy = Path(folder) / "header.vcf"
        header: list[bytes] = list(itertools.takewhile(_is_header, lines))
        copy.write_bytes(b"".join(header))
        for _ in lines:  # A pipe that is read to its end closes in peace.
            pass
        yield copy


def _is_header(line: bytes) -> bool:
    return line.startswith(b"#")


def needs_cleaning(path: Path) -> bool:
    """Whether a text is valid VCF that htslib refuses: gzipped but not in blocks, or with blank
    lines.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    bool
        Remembered while time and size of the file stay.
    """
    state = path.stat()
    return _needs_cleaning(path, state.st_mtime_ns, state.st_size)


@cache
def _needs_cleaning(path: Path, _changed: int, _size: int) -> bool:
    """Kept by the time of change and the size, so that a file written anew is read anew."""
    with path.open("rb") as file:
        start = file.read(1 << 20)
        if start.startswith(b"\x1f\x8b"):
            return start[12:14] != b"BC"
        while start and b"\0" not in start:
            if b"\n\n" in start:
                return True
            start = file.read(1 << 20)
    return False


def check_build(definitions: Definitions, header: Header, build: str, where: str) -> None:
    """Compare the contig lengths of a header with those of the build that the cohort file claims.

    Parameters
    ----------
    definitions : Definitions
        Whose contig lengths count.
    header : Header
        Of the file.
    build : str
        What the cohort file says.
    where : str
        File, for the message.

    Raises
    ------
    DataError
        With both builds, if the lengths are those of the other one.
    """
    builds = _builds_by_length(definitions)
    for name, length in header.contigs.items():
        matching = builds.get((name, length), [])
        if matching and build not in matching:
            reason = (
                f"contig {name} has {length} bases, as in {matching[0]}, but the cohort file says"
                f" {build}"
            )
            raise DataError(where, reason, other_build(matching[0], build), code="genome_build")


@derived
def _builds_by_length(definitions: Definitions) -> dict[tuple[str, int], list[str]]:
    """Builds in which a chromosome has a length."""
    builds: dict[tuple[str, int], list[str]] = {}
    for row in definitions.rows("contigs"):
        for build in BUILDS:
            builds.setdefault((row["chrom"], int(row[build.lower()])), []).append(build)
    return builds


@derived
def contig_lengths(definitions: Definitions, build: str) -> dict[str, int]:
    """Length of each chromosome.

    Parameters
    ----------
    definitions : Definitions
        Whose `contigs.tsv` counts.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict of int
        Contig without `chr` -> bases.
    """
    return {row["chrom"]: int(row[build.lower()]) for row in definitions.rows("contigs")}


def other_build(found: str, build: str) -> str:
    """Say what to do about files of another build.

    Parameters
    ----------
    found : str
        Build of the files.
    build : str
        What the cohort file says.

    Returns
    -------
    str
        The remedy of a message.
    """
    return f"Set `genome_build: {found}` or give the files called on {build}."


def panel_regions(definitions: Definitions, build: str) -> list[Region]:
    """Padded gene bounds (1-based inclusive), overlapping ones merged, in genomic order.

    Parameters
    ----------
    definitions : Definitions
        Whose genes count.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    list of (contig, start, end)
        1-based inclusive, contigs without `chr`.
    """
    return list(_panel_regions(definitions, build))


@derived
def _panel_regions(definitions: Definitions, build: str) -> tuple[Region, ...]:
    panel = genes(definitions, build)
    bounds = list(
        zip(panel["chrom"], panel["start"] - PADDING, panel["end"] + PADDING, strict=True)
    )
    bounds.sort(key=lambda bound: (int(bound[0]) if bound[0].isdigit() else 99, bound))
    merged: list[Region] = []
    for chrom, start, end in bounds:
        if merged and merged[-1][0] == chrom and start <= merged[-1][2]:
            merged[-1] = (chrom, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((chrom, int(start), int(end)))
    return tuple(merged)


def has_index(path: Path) -> bool:
    """Whether a file has an index that is not older than itself (an old one could hide records).

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    bool
        False too for a file that htslib needs cleaned.
    """
    if needs_cleaning(path):
        return False
    changed = path.stat().st_mtime
    return any(index.stat().st_mtime >= changed - 1 for index in indexes_of(path))


def indexes_of(path: Path) -> list[Path]:
    """The indexes that lie beside a file.

    Parameters
    ----------
    path : Path
        VCF or BCF.

    Returns
    -------
    list of Path
        None, one or both kinds.
    """
    return [index for suffix in INDEXES if (index := Path(f"{path}{suffix}")).is_file()]


@dataclass(frozen=True)
class Sites:
    """Panel records of a file, one an entry of each array, in the order of the file.

    Attributes
    ----------
    definitions : Definitions
        The panel that they were read for.
    chrom, ref, alt : arrays of str
        As the record writes them; alternatives joined by commas.
    pos, end : arrays of int
        1-based inclusive; `end` is INFO/END where it is given.
    passed : array of bool
        FILTER is PASS or `.`.
    gene : array of int
        Index into `gene_names()`, -1 outside the panel.
    info : list of dict
        The annotation fields of each record.
    descriptions : dict
        INFO field -> description in the header.
    """

    definitions: Definitions
    chrom: np.ndarray
    pos: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    passed: np.ndarray
    end: np.ndarray
    gene: np.ndarray
    info: list[dict[str, str]]
    descriptions: dict[str, str]

    def __len__(self) -> int:
        return len(self.pos)

    def names(self) -> list[tuple[str, int, str, str]]:
        """Chromosome, position, reference and alternatives of each record."""
        return list(
            zip(
                self.chrom.tolist(),
                self.pos.tolist(),
                self.ref.tolist(),
                self.alt.tolist(),
                strict=True,
            )
        )

    def keys(self, i: int) -> list[str]:
        """Key of each alternative of a record.

        Parameters
        ----------
        i : int
            Number of the record.

        Returns
        -------
        list of str
            Empty text for an alternative that has no key.
        """
        alts = self.alt[i].split(",")
        return [allele_key(self.chrom[i], int(self.pos[i]), self.ref[i], alt) for alt in alts]

    def effect(self, i: int, index: int) -> Effect | None:
        """What the record itself says of one of its alternatives.

        Parameters
        ----------
        i : int
            Number of the record.
        index : int
            Number of the alternative, from 0.

        Returns
        -------
        Effect or None
            None outside the panel, or where the record says nothing.
        """
        if not self.info[i] or self.gene[i] < 0:
            return None
        alt = self.alt[i].split(",")[index]
        return effect_of(
            self.definitions,
            self.info[i],
            self.descriptions,
            alt,
            index,
            gene_names(self.definitions)[self.gene[i]],
            self.ref[i],
        )


@contextmanager
def _scratch(needed: bool) -> Iterator[Path | None]:
    """A folder for what a step must read from a file; making one costs as much as a small file."""
    if not needed:
        yield None
        return
    with working_folder("vcf") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Query:
    """How a file is asked: which part of it, and through which bcftools steps."""

    definitions: Definitions
    path: Path
    regions: list[Region]
    header: Header
    build: str
    fasta: Path | None = None

    @contextmanager
    def lines(
        self, *query: str, rule: CallRule = ANY_CALL, sites_only: bool = False
    ) -> Iterator[Iterator[bytes]]:
        """What `bcftools query` prints of the file, with the regions and the rule applied.

        Parameters
        ----------
        *query : str
            Arguments of `bcftools query`.
        rule : CallRule
            Thresholds below which a genotype is missing.
        sites_only : bool
            Whether genotypes are left out early, which is faster.

        Yields
        ------
        iterator of bytes
            A line at a time.

        Raises
        ------
        DataError
            At the end of the block, if bcftools cannot read the file; within it, at a line that is
            longer than `bounds.RECORD_BYTES`.
        """
        with _scratch(self.fasta is not None) as folder:
            called = [] if sites_only else self._quality(rule)
            normalised = self._normalised(folder, sites_only)
            steps = self._steps([*called, *normalised, ["query", *query]])
            seconds = None if has_index(self.path) else bounds.GENOME_SECONDS
            with bcftools(*steps, where=str(self.path), seconds=seconds) as lines:
                yield _bounded(lines, str(self.path))

    def _steps(self, wanted: list[list[str]]) -> list[list[str]]:
        """Steps of the pipe; the first one reads the file, restricted to the regions."""
        first, *rest = wanted
        begun = [*_streamed(first), *self._restriction()]
        piped = [[*_streamed(step), "-"] for step in rest]
        if needs_cleaning(self.path):
            return [["clean", str(self.path)], [*begun, "-"], *piped]
        return [[*begun, str(self.path)], *piped]

    def _normalised(self, scratch: Path | None, sites_only: bool) -> list[list[str]]:
        """Split and left-align the alleles, with the contigs called as the FASTA calls them.

        REF is compared with the build by `features.genotypes.extraction`; a FASTA that is cut to
        the panel has N elsewhere, which is not a mismatch to stop at.
        """
        if self.fasta is None or scratch is None:
            return []
        names = scratch / "contigs.txt"
        names.write_text(contig_names(self.definitions, fasta_prefix(self.fasta)))
        named = ["annotate", "--rename-chrs", str(names)]
        split = ["norm", "-f", str(self.fasta), "-c", "w", "-m", "-any"]
        # `annotate` cannot be restricted to targets, `view` can.
        return [["view", *(["-G"] if sites_only else [])], named, split]

    def _quality(self, rule: CallRule) -> list[list[str]]:
        least = {"GQ": rule.min_gq, "DP": max(rule.min_depth, 1 if self.header.blocks else 0)}
        failed = [
            f"FMT/{tag}<{least[tag]}" for tag in least if least[tag] and tag in self.header.formats
        ]
        return [["filter", "-S", ".", "-e", " | ".join(failed)]] if failed else []

    def _restriction(self) -> list[str]:
        kind = "regions" if has_index(self.path) else "targets"
        return restriction(self.definitions, self.regions, self.build, kind)

    def gene_indices(self) -> list[int]:
        """Genes whose bounds lie in the regions, as indices into `gene_names()`."""
        return list(_genes_within(self.definitions, tuple(self.regions), self.build))


def restriction(
    definitions: Definitions, regions: list[Region], build: str, kind: str = "regions"
) -> list[str]:
    """Arguments by which bcftools reads some regions alone.

    The known positions of the other build are read too: their REF tells a file of that build
    (`features.genotypes.file_calls.check_reference`).

    Parameters
    ----------
    definitions : Definitions
        Whose known variants count.
    regions : list of Region
        Of `panel_regions`, or some of them.
    build : str
        GRCh37 or GRCh38.
    kind : str
        `regions` by the index, `targets` without one.
    """
    return [f"--{kind}", _spelled(definitions, tuple(regions), build), f"--{kind}-overlap", "1"]


# Each file of a cohort is asked for the same regions.
@recently_derived(64)
def _spelled(definitions: Definitions, regions: tuple[Region, ...], build: str) -> str:
    other = known_reference(definitions, next(b for b in BUILDS if b != build))
    wanted = [*regions, *((chrom, pos, pos) for chrom, pos in other)]
    lengths = contig_lengths(definitions, build)
    wanted += [
        (chrom, lengths[chrom] + 1, LAST_POSITION)
        for chrom in contigs_begun(definitions, list(regions), build)
    ]
    return ",".join(f"{p}{c}:{s}-{e}" for c, s, e in wanted for p in ("", "chr"))


@recently_derived(64)
def _genes_within(
    definitions: Definitions, regions: tuple[Region, ...], build: str
) -> tuple[int, ...]:
    """Genes whose bounds lie in some regions, as indices into `gene_names()`."""
    return tuple(
        i
        for i, (chrom, start, end) in enumerate(_gene_bounds(definitions, build))
        if any(c == chrom and s <= start and end <= e for c, s, e in regions)
    )


def contigs_begun(definitions: Definitions, regions: list[Region], build: str) -> list[str]:
    """Contigs beyond whose end is looked, where nothing lies in a good file.

    Of the parts of a file, that with the first region of a contig looks there.

    Parameters
    ----------
    definitions : Definitions
        Whose panel counts.
    regions : list of Region
        Of `panel_regions`, or some of them.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    list of str
        Without `chr`.
    """
    first = dict[str, Region]()
    for region in panel_regions(definitions, build):
        first.setdefault(region[0], region)
    return [chrom for chrom, region in first.items() if region in regions]


@derived
def _gene_bounds(definitions: Definitions, build: str) -> list[Region]:
    """Chromosome, start and end of each gene, in the order of `gene_names()`."""
    panel = genes(definitions, build)
    return list(zip(panel["chrom"], panel["start"], panel["end"], strict=True))


def fasta_contigs(fasta: Path) -> dict[str, int]:
    """Contigs of an indexed FASTA and their lengths.

    Parameters
    ----------
    fasta : Path
        With its index.

    Returns
    -------
    dict of int
        Name as the file spells it -> bases.

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    try:
        with pysam.FastaFile(str(fasta)) as file:
            return dict(zip(file.references, file.lengths, strict=True))
    except (OSError, ValueError) as error:
        remedy = (
            "Give the reference genome as FASTA, plain or bgzipped, with `samtools faidx` run"
            " on it."
        )
        raise DataError(
            str(fasta), f"this FASTA cannot be read ({error})", remedy, code="file_unreadable"
        ) from None


def check_fasta(definitions: Definitions, fasta: Path, build: str) -> None:
    """Compare the lengths of a FASTA's contigs with those of the build.

    Parameters
    ----------
    definitions : Definitions
        Whose contig lengths count.
    fasta : Path
        With its index.
    build : str
        What the cohort file says.

    Raises
    ------
    DataError
        With both builds, if the lengths are those of the other one.
    """
    lengths = {plain_contig(name): n for name, n in fasta_contigs(fasta).items()}
    check_build(
        definitions,
        Header(
            samples=(),
            contigs=lengths,
            info={},
            formats=frozenset(),
            blocks=False,
            spelled=(),
            structural=False,
        ),
        build,
        str(fasta),
    )


def fasta_prefix(fasta: Path) -> str:
    """What a FASTA puts before the number of a chromosome: `chr` or nothing.

    Parameters
    ----------
    fasta : Path
        With its index.

    Returns
    -------
    str
        `chr` or empty.
    """
    return "chr" if any(name.startswith("chr") for name in fasta_contigs(fasta)) else ""


def contig_names(definitions: Definitions, prefix: str) -> str:
    """The table by which `bcftools annotate` renames contigs to those of a FASTA with the
    prefix.

    Parameters
    ----------
    definitions : Definitions
        Whose contigs are renamed.
    prefix : str
        Of `fasta_prefix`.

    Returns
    -------
    str
        One line a contig: old name, blank, new name.
    """
    chroms = definitions.table("contigs")["chrom"]
    pairs = [(c, f"chr{c}") if prefix else (f"chr{c}", c) for c in chroms]
    return "".join(f"{old} {new}\n" for old, new in pairs)


def _streamed(step: list[str]) -> list[str]:
    """Make a step pass its records on uncompressed; `query` prints text."""
    return step if step[0] == "query" else [step[0], "-Ou", *step[1:]]


def site_query(
    definitions: Definitions, path: Path, build: str, fasta: Path | None = None
) -> Query:
    """Ask a file for the records of the whole panel.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel is asked for.
    path : Path
        VCF or BCF.
    build : str
        GRCh37 or GRCh38.
    fasta : Path, optional
        Reference genome to split and left-align against.

    Returns
    -------
    Query
        Not yet run.

    Raises
    ------
    DataError
        If it is absent, no VCF, or its contig lengths are those of the other build.
    """
    header = read_header(path)
    check_build(definitions, header, build, str(path))
    if fasta is not None:
        check_fasta(definitions, fasta, build)
    return Query(
        definitions=definitions,
        path=path,
        regions=panel_regions(definitions, build),
        header=header,
        build=build,
        fasta=fasta,
    )


def read_sites(query: Query, wanted: tuple[str, ...] = INFO_FIELDS) -> Sites:
    """Read the records of the panel without their genotypes; `info` holds the wanted fields that
    the header knows.

    Parameters
    ----------
    query : Query
        The file and the regions.
    wanted : tuple of str
        INFO fields.

    Returns
    -------
    Sites
        One entry a record.

    Raises
    ------
    DataError
        If bcftools cannot read the file.
    """
    fields = known_fields(query, wanted)
    kept = Kept(str(query.path))
    with query.lines("-f", site_template(query, fields) + r"\n", sites_only=True) as lines:
        for line in lines:
            kept.add(line.rstrip(b"\n").split(b"\t"))
    return sites_of(query, fields, kept.rows)


class Kept:
    """Cells of the panel's records, as many as memory is for."""

    def __init__(self, where: str):
        self.where, self.rows, self.size = where, list[list[bytes]](), 0

    def add(self, cells: list[bytes]) -> None:
        """Keep the cells of one more record.

        Parameters
        ----------
        cells : list of bytes
            Of `site_template`.

        Raises
        ------
        DataError
            If there is too much of it (`features.bounds`).
        """
        length = sum(map(len, cells))
        if length > bounds.ANNOTATION_BYTES:
            place = b":".join(cells[:2]).decode(errors="replace")
            raise _too_much(self.where, f"the record at {place} has {length:,} characters")
        self.size += length + bounds.EACH_RECORD
        if self.size > bounds.PANEL_BYTES:
            most = f"{bounds.PANEL_BYTES >> 30} GB"
            found = f"its {len(self.rows):,} first records in the gene panel alone take {most}"
            raise _too_much(self.where, found)
        self.rows.append(cells)


def _bounded(lines: IO[bytes], where: str) -> Iterator[bytes]:
    while line := lines.readline(bounds.RECORD_BYTES + 1):
        if len(line) > bounds.RECORD_BYTES:
            found = f"a record prints more than {bounds.RECORD_BYTES >> 20} MB"
            raise _too_much(where, found)
        yield line


def _too_much(where: str, found: str) -> DataError:
    remedy = "Split the file, or leave the annotations out; no genome has that much."
    return DataError(where, found, remedy, code="file_unreadable")


def known_fields(query: Query, wanted: tuple[str, ...] = INFO_FIELDS) -> list[str]:
    """The wanted INFO fields that the header of a file knows.

    Parameters
    ----------
    query : Query
        With the header of the file.
    wanted : tuple of str
        Names of INFO fields.

    Returns
    -------
    list of str
        In the order in which they are wanted.
    """
    return [name for name in wanted if name in query.header.info]


def site_template(query: Query, fields: list[str]) -> str:
    """What `bcftools query` shall print of a record: `SITE_CELLS` cells and one an INFO field.

    Parameters
    ----------
    query : Query
        With the header of the file.
    fields : list of str
        INFO fields that the header knows.

    Returns
    -------
    str
        Cells with a tab between them.
    """
    end = "%INFO/END" if "END" in query.header.info else "."
    columns = ["%CHROM", "%POS", "%REF", "%ALT", "%FILTER", end, *(f"%INFO/{n}" for n in fields)]
    return r"\t".join(columns)


def sites_of(query: Query, fields: list[str], rows: list[list[bytes]]) -> Sites:
    """Records from the cells that `site_template` prints.

    Parameters
    ----------
    query : Query
        With build and regions.
    fields : list of str
        INFO fields that the template names.
    rows : list of lists of bytes
        Cells of each record.

    Returns
    -------
    Sites
        Genes are positions in the panel, -1 outside of it.
    """
    texts = [b"\t".join(row).decode(errors="replace").split("\t") for row in rows]
    columns = list(zip(*(row[:SITE_CELLS] for row in texts), strict=True)) or [()] * SITE_CELLS
    chrom, ref, alt, last = (np.array(columns[i], dtype=object) for i in (0, 2, 3, 5))
    pos = np.array(columns[1], dtype=np.int64)
    end_of = [
        int(e) if e.isdigit() else p + len(r) - 1
        for e, p, r in zip(last.tolist(), pos.tolist(), columns[2], strict=True)
    ]
    gene = [
        gene_at(query.definitions, c, p, query.build)
        for c, p in zip(columns[0], pos.tolist(), strict=True)
    ]
    in_regions = np.isin(gene, query.gene_indices())
    return Sites(
        definitions=query.definitions,
        chrom=chrom,
        pos=pos,
        ref=ref,
        alt=alt,
        passed=np.array([filters in PASSING for filters in columns[4]], dtype=bool),
        end=np.array(end_of, dtype=np.int64),
        gene=np.where(in_regions, np.array(gene, dtype=int), -1),
        info=[dict(zip(fields, row[SITE_CELLS:], strict=True)) for row in texts],
        descriptions=query.header.info,
    )


@derived
def known_reference(definitions: Definitions, build: str) -> dict[tuple[str, int], str]:
    """Reference base at the positions of the known variants.

    Parameters
    ----------
    definitions : Definitions
        Whose known variants count.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict
        (contig, position) -> base.
    """
    table = known_variants(definitions, build)
    return {
        (c, int(p)): r[0]
        for c, p, r in zip(table["chrom"], table["pos"], table["ref"], strict=True)
    }
