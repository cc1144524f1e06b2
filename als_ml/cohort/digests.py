"""Digests that say whether data, files or a model are what they were; none holds a row or a name of a patient."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.cohort.read import read_cohort_file

# Tag of a registered version: the digest of its files.
MODEL_DIGEST = "als_ml.digest"


def data_digest(rows: pd.DataFrame, y: np.ndarray) -> str:
    """Digest of features and labels, whatever the order of the patients; it holds no row and no identifier."""
    matrix = np.column_stack([rows.to_numpy(dtype=np.float64), y])
    lines = sorted(hashlib.sha256(row.tobytes()).digest() for row in matrix)
    return hashlib.sha256(b"".join([",".join(rows.columns).encode(), *lines])).hexdigest()[:16]


def files_digest(files: list[Path]) -> str:
    """SHA-256 over the contents of files, in order."""
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            whole.update(hashlib.file_digest(handle, "sha256").digest())
    return whole.hexdigest()[:16]


def file_digests(path: Path) -> dict[str, str]:
    """SHA-256 of each table of a cohort by its role, and of all its VCFs together; no name of a file."""
    described, folder = read_cohort_file(path), path.parent
    tables = {
        role: getattr(described, role)
        for role in ("patients", "biomarkers", "alsfrs", "kinship", "sample_map")
    }
    found = {role: files_digest([folder / name]) for role, name in tables.items() if name}
    for role in ("variants", "repeats"):
        patterns = getattr(described, role)
        files = [
            file
            for pattern in patterns
            for file in sorted((folder / pattern).parent.glob(Path(pattern).name))
        ]
        found |= {role: files_digest(files)} if files else {}
    return found


def tree_digest(root: Path) -> str:
    """SHA-256 over the relative paths and contents of a folder's files, in order."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if (
            path.is_file()
            and path.name != "registered_model_meta"
            and "__pycache__" not in path.parts
        ):
            whole.update(
                f"{path.relative_to(root).as_posix()}\0".encode()
                + hashlib.sha256(path.read_bytes()).digest()
            )
    return whole.hexdigest()
