"""Finished parts of an extraction as files, so that nothing is read twice.

A folder holds one `.npz` file for each part: some files, or some regions of one. Its name says what
it was made from: the files by name, size, time of change and index, the patients, the panel, the
thresholds and the FASTA. What was made from anything else is never found, so the folder can be
filled by several machines and used after an interruption. The files name patients and say what
they carry: they are as confidential as the genomes.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pysam.version import __bcftools_version__

from features.genotypes.coverage import Coverage
from features.genotypes.extraction import Extract, Panel, Task
from features.genotypes.file_calls import Agreement, FileCalls
from features.genotypes.genotype import ALLELE_TYPES, Site
from features.genotypes.remote import is_remote, state_of
from features.genotypes.vcf import indexes_of
from features.stored import Json
from features.tables.problems import Problem
from features.variants.annotation import Effect

# Counted up when what is written, or how a file is read, changes.
FORMAT = 2


class KeptExtracts:
    """Extracts in a folder, found by what they were made from.

    Parameters
    ----------
    folder : Path
        Made where it is absent, for nobody but its owner.
    panel : Panel
        What was asked of every genome.
    patients : dict
        Sample name in the files -> patient index.
    """

    def __init__(self, folder: Path, panel: Panel, patients: dict[str, int]):
        self.folder = folder
        self._remote: dict[Path, list[str | int]] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fasta = None if panel.fasta is None else _stamp(panel.fasta)
        made_from = [
            FORMAT,
            __bcftools_version__,
            panel.definitions.version,
            panel.build,
            panel.rule,
            panel.every,
            panel.structural,
        ]
        self._same = json.dumps([*made_from, fasta, sorted(patients.items())]).encode()

    def file(self, task: Task) -> Path:
        """Where the extract of a task lies, whether it is there or not.

        Parameters
        ----------
        task : Task
            Files and regions; the files' sizes and times of change are part of the name.

        Returns
        -------
        Path
            A `.npz` in the folder.
        """
        paths, regions = task
        of_task = json.dumps([[self._stamp(path) for path in paths], regions]).encode()
        name = hashlib.sha256(self._same + of_task).hexdigest()[:32]
        return self.folder / f"{name}.npz"

    def _stamp(self, path: Path) -> Sequence[object]:
        """What tells whether a file has changed; a store is asked once."""
        if not is_remote(path):
            return _stamp(path)
        if path not in self._remote:
            self._remote[path] = state_of(path)
        return self._remote[path]

    def has(self, task: Task) -> bool:
        """Whether there is a file for a task; `get` tells whether it can be read.

        Parameters
        ----------
        task : Task
            Files and regions that are read together.
        """
        return self.file(task).is_file()

    def get(self, task: Task) -> Extract | None:
        """The extract of a task, None where it is not there or cannot be read.

        Parameters
        ----------
        task : Task
            Files and regions that are read together.

        Returns
        -------
        Extract or None
            Made from the same files by the same rules and version.
        """
        try:
            with (
                self.file(task).open("rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                return _extract(arrays)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def put(self, task: Task, extract: Extract) -> None:
        """Keep an extract, whole or not at all; one with a file that failed is not kept.

        Parameters
        ----------
        task : Task
            Files and regions that were read together.
        extract : Extract
            What came of it.
        """
        if any(problem.severity == "error" for problem in extract.problems):
            return
        with _whole(self.file(task)) as path, path.open("wb") as out:
            np.savez(out, allow_pickle=False, **_arrays(extract))


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside the target that takes its place when all is written."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    os.close(handle)
    try:
        yield Path(name)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _stamp(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of a file and of its indexes."""
    files = [file for file in (path, *indexes_of(path)) if file.is_file()]
    states = [(file, file.stat()) for file in files]
    return [(str(f.resolve()), state.st_size, state.st_mtime_ns) for f, state in states]


def _arrays(extract: Extract) -> dict[str, np.ndarray]:
    facts = {
        "files": [_facts(file) for file in extract.files],
        "strangers": sorted(extract.strangers),
        "unread": sorted(extract.unread),
        "unindexed": [str(path) for path in extract.unindexed],
        "problems": [asdict(problem) for problem in extract.problems],
    }
    arrays = {"facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)}
    for i, file in enumerate(extract.files):
        missing = list(file.no_calls.values())
        arrays |= {f"{i} alleles {name}": column for name, column in file.alleles.items()}
        arrays |= {f"{i} coverage {name}": a for name, a in file.coverage._asdict().items()}
        arrays |= {f"{i} missing {k}": rows for k, rows in enumerate(missing)}
    return arrays


def _facts(file: FileCalls) -> Json:
    return {
        "sites": file.sites,
        "no_calls": list(file.no_calls),
        "counts": file.counts,
        "agreement": file.agreement,
        "named": file.named,
    }


def _extract(arrays: Mapping[str, np.ndarray]) -> Extract:
    facts = json.loads(arrays["facts"].tobytes())
    return Extract(
        files=[_file_calls(arrays, i, file) for i, file in enumerate(facts["files"])],
        strangers=set(facts["strangers"]),
        unread=set(facts["unread"]),
        unindexed=[Path(name) for name in facts["unindexed"]],
        problems=[Problem(**problem) for problem in facts["problems"]],
    )


def _file_calls(arrays: Mapping[str, np.ndarray], i: int, facts: Json) -> FileCalls:
    coverage = {name: arrays[f"{i} coverage {name}"] for name in Coverage._fields}
    return FileCalls(
        sites=[_site(*cells) for cells in facts["sites"]],
        alleles={name: arrays[f"{i} alleles {name}"] for name in ALLELE_TYPES},
        no_calls={key: arrays[f"{i} missing {k}"] for k, key in enumerate(facts["no_calls"])},
        coverage=Coverage(**coverage),
        counts=facts["counts"],
        agreement=Agreement._make(facts["agreement"]),
        named=facts["named"],
    )


def _site(key: str, gene: int, facts: list[Any] | None) -> Site:
    """A site; JSON makes lists of the tuples of an effect."""
    if facts is None:
        return key, gene, None
    stored = dict(zip(Effect._fields, facts, strict=True))
    return key, gene, Effect(**{**stored, "scores": tuple(stored["scores"])})
