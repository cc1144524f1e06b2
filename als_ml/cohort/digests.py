"""Digests that say whether data, files or a model are what they were.

None holds a row or a name of a patient.
"""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from als_ml.cohort.source import CohortSource

_GENOMES: tuple[Literal["variants"], Literal["repeats"]] = ("variants", "repeats")


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


def file_digests(source: CohortSource) -> dict[str, str]:
    """SHA-256 of each table of a cohort by its role, and of all its VCFs together.

    No name of a file.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.

    Returns
    -------
    dict of str
        Key of the cohort file -> hexadecimal digest.
    """
    digests = {}
    for role in ("patients", "biomarkers", "alsfrs", "kinship", "sample_map"):
        if name := getattr(source.described, role):
            digests[role] = files_digest([source.file(name, role)])
    for role in _GENOMES:
        if getattr(source.described, role):
            digests[role] = files_digest(source.files(role))
    return digests
