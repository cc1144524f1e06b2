"""Computed identifiers of alleles: GA4GH VRS 2.0 (vrs.ga4gh.org, section Computed Identifiers).

The digest sha512t24u of the canonical JSON of an allele, whose sequence is named by the digest of
its contig (`definitions/contigs.tsv`). VRS names an allele by the widest place in which it can be
written (section Normalization). Of a substitution, or a replacement whose alleles share neither
end, that is the place itself. What only adds or only removes bases is shifted both ways by the
bases around it, and where those are not known it has no identifier. What is removed, or added in
the rhythm of the reference, is named by its length and the length of its unit
(ReferenceLengthExpression).
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pysam

from features.catalogue import Definitions, derived
from features.genotypes.vcf import fasta_prefix
from features.variants.gene_models import transcripts
from features.variants.sequences import coding_sequences, reverse_complement

# Base of a contig (without `chr`) at a position from 1; empty where it is not known.
Around = Callable[[str, int], str]
PREFIX = "ga4gh:VA."
DIGEST_BYTES = 24


def sha512t24u(blob: bytes) -> str:
    """Digest of GA4GH: the first 24 bytes of SHA-512 in base64 for addresses.

    Parameters
    ----------
    blob : bytes
        What is named.

    Returns
    -------
    str
        32 characters.

    Examples
    --------
    >>> sha512t24u(b""), sha512t24u(b"ACGT")
    ('z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXc', 'aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2')
    """
    return base64.urlsafe_b64encode(hashlib.sha512(blob).digest()[:DIGEST_BYTES]).decode()


def unknown(_contig: str, _pos: int) -> str:
    """Base where nothing is known."""
    return ""


def vrs_id(definitions: Definitions, key: str, build: str, around: Around = unknown) -> str:
    """Computed identifier of a variant.

    Parameters
    ----------
    definitions : Definitions
        Whose `contigs.tsv` names the sequences.
    key : str
        chrom-pos-ref-alt, minimal.
    build : str
        GRCh37 or GRCh38.
    around : callable
        Bases of the reference.

    Returns
    -------
    str
        `ga4gh:VA.` and 32 characters; empty where bases that decide are not known, for a base that
        is not A, C, G or T, and without the digest of the contig.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> vrs_id(shipped(), "19-44908822-C-T", "GRCh38")  # rs7412, an example of the specification
    'ga4gh:VA.0AePZIWZUNsUlQTamyLrjm2HWUw2opLt'
    >>> vrs_id(shipped(), "21-31659790-G-GA", "GRCh38")
    ''
    """
    chrom, pos, ref, alt = key.split("-")
    accession = _accessions(definitions, build).get(chrom, "")
    if not accession or ref == alt or not set(ref + alt) <= set("ACGT"):
        return ""
    start, ref, alt = trimmed(int(pos) - 1, ref, alt)
    if ref and alt:
        return allele_id(accession, start, start + len(ref), _literal(alt))
    widest = justified(start, ref, alt, lambda place: around(chrom, place))
    if widest is None:
        return ""
    start, whole, changed = widest
    state = _state(whole, changed, len(ref or alt))
    return allele_id(accession, start, start + len(whole), state)


def trimmed(start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """A variant without the bases that both alleles begin or end with.

    Parameters
    ----------
    start : int
        Between bases, from 0.
    ref, alt : str
        Different alleles.

    Returns
    -------
    (int, str, str)
        The new start and alleles, of which one may be empty.

    Examples
    --------
    >>> trimmed(99, "CAG", "C"), trimmed(99, "CAG", "CTG")
    ((100, 'AG', ''), (100, 'A', 'T'))
    """
    while ref and alt and ref[0] == alt[0]:
        start, ref, alt = start + 1, ref[1:], alt[1:]
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return start, ref, alt


# A variant that can be shifted further than this has no identifier here (P).
FURTHEST = 1000


def justified(
    start: int, ref: str, alt: str, base: Callable[[int], str]
) -> tuple[int, str, str] | None:
    """What is added or removed, at the widest place in which it can be written.

    Parameters
    ----------
    start : int
        Between bases, from 0.
    ref, alt : str
        One of them is empty.
    base : callable
        Base of the reference at a position from 1; empty where it is not known.

    Returns
    -------
    (int, str, str) or None
        Start and both alleles; None where a base that decides is not known.

    Examples
    --------
    >>> justified(3, "", "A", lambda place: "CAAAG"[place - 1])  # one more A in a run of three
    (1, 'AAA', 'AAAA')
    """
    seed, left, right = ref or alt, "", ""
    while True:
        found = base(start - len(left))
        if not found or len(left) > FURTHEST:
            return None
        if found != seed[-1 - len(left) % len(seed)]:
            break
        left = found + left
    while True:
        found = base(start + len(ref) + len(right) + 1)
        if not found or len(right) > FURTHEST:
            return None
        if found != seed[len(right) % len(seed)]:
            break
        right += found
    return start - len(left), left + ref + right, left + alt + right


def _state(ref: str, alt: str, seed: int) -> dict[str, object]:
    """A length where bases are removed, or added in the rhythm of the reference; else the bases.

    What is added keeps the rhythm if it repeats the last bases of the reference, as many as divide
    the number of bases that were added: the most that do are the unit (Normalization, step 5).
    """
    unit = _rhythm(ref, alt, seed)
    if not unit:
        return _literal(alt)
    return {
        "length": len(alt),
        "repeatSubunitLength": unit,
        "type": "ReferenceLengthExpression",
    }


def _rhythm(ref: str, alt: str, seed: int) -> int:
    """Bases of the unit that the added bases repeat; 0 if they do not.

    Where bases are removed, none are added, and it is as many as are removed.
    """
    for unit in range(min(seed, len(ref)), 0, -1):
        if seed % unit == 0 and all(alt[i] == alt[i - unit] for i in range(len(ref), len(alt))):
            return unit
    return 0


def _literal(sequence: str) -> dict[str, object]:
    return {"sequence": sequence, "type": "LiteralSequenceExpression"}


def allele_id(accession: str, start: int, end: int, state: Mapping[str, object]) -> str:
    """Computed identifier of what stands at a place that is as wide as it can be.

    Parameters
    ----------
    accession : str
        Refget digest of the contig, `SQ.` before it.
    start, end : int
        Between bases, from 0.
    state : mapping
        What stands there, as VRS writes it.

    Returns
    -------
    str
        `ga4gh:VA.` and 32 characters.
    """
    reference = {"refgetAccession": accession, "type": "SequenceReference"}
    location = {
        "end": end,
        "sequenceReference": reference,
        "start": start,
        "type": "SequenceLocation",
    }
    allele = {"location": digest(location), "state": dict(state), "type": "Allele"}
    return PREFIX + digest(allele)


def digest(item: Mapping[str, object]) -> str:
    """Digest of the canonical JSON of an object: keys in order, no blanks.

    Parameters
    ----------
    item : mapping
        Objects inside of it that have identifiers are given by their digests.

    Returns
    -------
    str
        32 characters.
    """
    return sha512t24u(json.dumps(item, sort_keys=True, separators=(",", ":")).encode())


def known_around(definitions: Definitions, gene: str, build: str) -> Around:
    """Bases of the reference as far as the coding sequence of a gene tells them.

    Parameters
    ----------
    definitions : Definitions
        With gene models and sequences.
    gene : str
        Symbol.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    callable
        Empty outside of its coding exons, and where a base is not known.
    """
    model = transcripts(definitions, build).get(gene)
    sequence = coding_sequences(definitions).get(gene)
    if model is None or sequence is None:
        return unknown

    def base(_contig: str, pos: int) -> str:
        offset = model.coding_offset(pos)
        possible = sequence.base_sets[offset] if offset is not None else ()
        if len(possible) != 1:
            return ""
        (letter,) = possible
        return letter if model.strand == "+" else reverse_complement(letter)

    return base


# Bases of a FASTA that are read at a time.
_CHUNK = 1024


@contextmanager
def fasta_around(fasta: Path) -> Iterator[Around]:
    """Bases of the reference genome, while the block lasts.

    Parameters
    ----------
    fasta : Path
        With its index.

    Yields
    ------
    callable
        Empty outside of the FASTA, and where it is masked.
    """
    prefix = fasta_prefix(fasta)
    with pysam.FastaFile(str(fasta)) as file:
        names = frozenset(file.references)

        @lru_cache(maxsize=256)
        def chunk(name: str, number: int) -> str:
            return str(file.fetch(name, number * _CHUNK, (number + 1) * _CHUNK)).upper()

        def base(contig: str, pos: int) -> str:
            name = prefix + contig
            if pos < 1 or name not in names:
                return ""
            number, place = divmod(pos - 1, _CHUNK)
            letter = chunk(name, number)[place : place + 1]
            return letter if letter in ("A", "C", "G", "T") else ""

        yield base


@derived
def _accessions(definitions: Definitions, build: str) -> dict[str, str]:
    """Refget digest of each contig; none with the tables of an earlier model."""
    column = f"refget_{build.lower()}"
    rows = definitions.rows("contigs")
    return {row["chrom"]: row[column] for row in rows if row.get(column)}
