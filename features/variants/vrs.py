"""Computed identifiers of alleles: GA4GH VRS 2.0 (vrs.ga4gh.org, section Computed Identifiers).

The digest sha512t24u of the canonical JSON of an allele, whose sequence is named by the digest of
its contig (`definitions/contigs.tsv`). VRS names an allele by the widest place in which it can be
written. Of a substitution, or a replacement whose alleles share neither end, that is the place
itself. What only adds or only removes bases can mostly be shifted: its place needs the bases
around it, which are not here, and it has no identifier.
"""

import base64
import hashlib
import json
from collections.abc import Mapping

from features.catalogue import Definitions, derived

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


def vrs_id(definitions: Definitions, key: str, build: str) -> str:
    """Computed identifier of a variant.

    Parameters
    ----------
    definitions : Definitions
        Whose `contigs.tsv` names the sequences.
    key : str
        chrom-pos-ref-alt, minimal.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    str
        `ga4gh:VA.` and 32 characters; empty where the bases around decide, for a base that is not
        A, C, G or T, and without the digest of the contig.

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
    first, last = ref[0] == alt[0], ref[-1] == alt[-1]
    if not accession or first or last or not set(ref + alt) <= set("ACGT"):
        return ""
    start = int(pos) - 1
    return allele_id(accession, start, start + len(ref), alt)


def allele_id(accession: str, start: int, end: int, sequence: str) -> str:
    """Computed identifier of a sequence at a place that is as wide as it can be.

    Parameters
    ----------
    accession : str
        Refget digest of the contig, `SQ.` before it.
    start, end : int
        Between bases, from 0.
    sequence : str
        What stands there.

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
    state = {"sequence": sequence, "type": "LiteralSequenceExpression"}
    allele = {"location": digest(location), "state": state, "type": "Allele"}
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


@derived
def _accessions(definitions: Definitions, build: str) -> dict[str, str]:
    """Refget digest of each contig; none with the tables of an earlier model."""
    column = f"refget_{build.lower()}"
    rows = definitions.rows("contigs")
    return {row["chrom"]: row[column] for row in rows if row.get(column)}
