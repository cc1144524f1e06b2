"""Digests that say whether data, files or a model are what they were.

None holds a row or a name of a patient.
"""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from als_ml.cohort.source import TABLES, CohortSource
from features.genotypes.remote import is_remote, state_of
from features.genotypes.vcf import has_index, indexes_of

GENOMES: tuple[Literal["variants"], Literal["repeats"]] = ("variants", "repeats")


def data_digest(rows: pd.DataFrame, y: np.ndarray) -> str:
    """Digest of features and labels, whatever the order of the patients.

    It holds no row and no identifier.

    Parameters
    ----------
    rows : DataFrame (n, p)
        Features, NaN unknown.
    y : array (n,)
        Labels.

    Returns
    -------
    str
        Hexadecimal.
    """
    matrix = np.column_stack([rows.to_numpy(dtype=np.float64), y])
    lines = sorted(hashlib.sha256(row.tobytes()).digest() for row in matrix)
    return hashlib.sha256(b"".join([",".join(rows.columns).encode(), *lines])).hexdigest()[:16]


def files_digest(files: list[Path]) -> str:
    """SHA-256 over the contents of files, in order.

    Parameters
    ----------
    files : list of Path
        In the order that counts.

    Returns
    -------
    str
        Hexadecimal.
    """
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            whole.update(hashlib.file_digest(handle, "sha256").digest())
    return whole.hexdigest()[:16]


def genomes_digest(files: list[Path]) -> str:
    """Digest of genomes by their sizes and indexes, without reading them.

    Of a remote file it is made from what the store says: size, ETag, time of change.

    An index holds where each block of its file begins, so it changes with the file. What has no
    index, or one that is older than the file, is read in full: the reader does so, too.

    Parameters
    ----------
    files : list of Path
        In the order that counts.

    Returns
    -------
    str
        Hexadecimal, marked as made from the indexes.
    """
    whole = hashlib.sha256()
    for file in files:
        if is_remote(file):
            whole.update(f"{state_of(file)[1:]}\n".encode())
            continue
        indexes = [path for path in indexes_of(file) if has_index(file)]
        whole.update(f"{file.stat().st_size} {files_digest(indexes or [file])}\n".encode())
    return f"index-{whole.hexdigest()[:16]}"


def times_digest(files: list[Path]) -> str:
    """Digest of when files were last changed: to go on with a run only if nothing was touched.

    Parameters
    ----------
    files : list of Path
        In the order that counts.

    Returns
    -------
    str
        Hexadecimal.
    """
    here = [file for file in files if not is_remote(file)]
    times: list[object] = [
        path.stat().st_mtime_ns for file in here for path in (file, *indexes_of(file))
    ]
    times += [state_of(file) for file in files if is_remote(file)]
    return hashlib.sha256(repr(times).encode()).hexdigest()[:16]


def file_digests(source: CohortSource, full: bool = False) -> dict[str, str]:
    """SHA-256 of each table of a cohort by its role, and one digest of all its VCFs together.

    No name of a file.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    full : bool
        Whether every byte of the genomes is read, too (`genomes_digest`).

    Returns
    -------
    dict of str
        Key of the cohort file -> hexadecimal digest.
    """
    digests: dict[str, str] = {}
    for kind in TABLES:
        if table := source.described.table(kind):
            digests[kind] = files_digest([source.file(table.file, kind)])
    for role in ("kinship", "sample_map"):
        if name := getattr(source.described, role):
            digests[role] = files_digest([source.file(name, role)])
    for role in GENOMES:
        if getattr(source.described, role):
            files = source.files(role)
            whole = full and not any(map(is_remote, files))
            digests[role] = (files_digest if whole else genomes_digest)(files)
    return digests
