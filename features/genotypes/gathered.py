"""The calls of many files put together as they arrive, in memory or on disk.

Equal alleles of several files become one site, and the same allele of one patient in two files
counts once. Nothing depends on how many files there are or how a file was divided.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from features.catalogue import Definitions, gene_names
from features.genotypes.calls import together
from features.genotypes.coverage import Assayed
from features.genotypes.file_calls import COUNTS, NAMED, Agreement, FileCalls
from features.genotypes.genotype import (
    ALLELE_TYPES,
    SITE_TYPES,
    DistinctSites,
    Genotypes,
    Types,
    no_call_table,
    ordered_alleles,
    typed_table,
)

Columns = dict[str, np.ndarray]
# A patient and the number of a known variant that is missing in it.
_MISSING_TYPES: Types = {"row": np.int32, "key": np.int32}


class Gathered:
    """Calls of `n` patients, of all files so far.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel was read.
    n : int
        Number of patients.
    """

    def __init__(self, definitions: Definitions, n: int):
        self.assayed = Assayed(n, len(gene_names(definitions)))
        self.counts = dict.fromkeys(COUNTS, 0)
        self.named: dict[str, list[str]] = {}
        self.agreement: list[Agreement] = []
        self.sites = DistinctSites()
        self.missing_keys: dict[str, int] = {}
        self._alleles: list[tuple[np.ndarray, ...]] = []
        self._missing: list[tuple[np.ndarray, ...]] = []

    def add(self, file: FileCalls) -> None:
        """Take over what a file says.

        Parameters
        ----------
        file : FileCalls
            Its sites are numbered within it; here they get the numbers of all files.
        """
        self.assayed.add(file.coverage)
        self.agreement.append(file.agreement)
        for name, count in file.counts.items():
            self.counts[name] += count
        for name, places in file.named.items():
            named = self.named.setdefault(name, [])
            named += [place for place in places if place not in named][: NAMED - len(named)]
        number = self.sites.numbers_of(file.sites)
        self._keep_alleles({**file.alleles, "site": number[file.alleles["site"]]})
        for key, rows in file.no_calls.items():
            code = self.missing_keys.setdefault(key, len(self.missing_keys))
            self._keep_missing({"row": rows, "key": np.full(len(rows), code)})

    def _keep_alleles(self, columns: Columns) -> None:
        self._alleles.append(tuple(columns[name] for name in ALLELE_TYPES))

    def _keep_missing(self, columns: Columns) -> None:
        self._missing.append(tuple(columns[name] for name in _MISSING_TYPES))

    def genotypes(self) -> Genotypes:
        """The genotypes of all patients; nothing can be added afterwards."""
        sites, place = self.sites.ordered()
        return self._genotypes(
            typed_table(sites, SITE_TYPES),
            place,
            together(self._alleles, ALLELE_TYPES),
            together(self._missing, _MISSING_TYPES),
            slice(None),
        )

    def _genotypes(
        self,
        sites: pd.DataFrame,
        place: np.ndarray,
        alleles: Columns,
        missing: Columns,
        rows: slice,
    ) -> Genotypes:
        alleles["site"] = place[alleles["site"]]
        return Genotypes(
            sites=sites,
            alleles=ordered_alleles(alleles),
            no_calls=no_call_table(missing["row"], missing["key"], list(self.missing_keys)),
            assayed=self.assayed.fraction(rows),
        )


class GatheredOnDisk(Gathered):
    """The same with the alleles of each `size` patients in a file of their own.

    The coverage lies in two mapped files. What stays in memory is the sites, and the calls of the
    files that are being read.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel was read.
    n : int
        Number of patients.
    folder : Path
        Where the files go; whoever gives it removes it.
    size : int
        Patients in a part.
    """

    def __init__(self, definitions: Definitions, n: int, folder: Path, size: int):
        super().__init__(definitions, n)
        self.folder, self.size, self.n = folder, size, n
        self.assayed = Assayed(n, len(gene_names(definitions)), folder)
        self._ordered: tuple[pd.DataFrame, np.ndarray] | None = None

    def _keep_alleles(self, columns: Columns) -> None:
        self._append("alleles", ALLELE_TYPES, columns)

    def _keep_missing(self, columns: Columns) -> None:
        self._append("missing", _MISSING_TYPES, columns)

    def _append(self, name: str, types: Types, columns: Columns) -> None:
        """Put rows behind those that the files of their patients hold already."""
        part = columns["row"] // self.size
        for number in np.unique(part).tolist():
            of_part = part == number
            rows = np.empty(int(of_part.sum()), dtype=_row_type(types))
            for column in types:
                rows[column] = columns[column][of_part]
            with self._file(name, number).open("ab") as out:
                rows.tofile(out)

    def _file(self, name: str, number: int) -> Path:
        return self.folder / f"{name}-{number:05d}.bin"

    def _columns(self, name: str, types: Types, number: int) -> Columns:
        """Rows of one part; patients count from its first."""
        path = self._file(name, number)
        kind = _row_type(types)
        rows = np.fromfile(path, dtype=kind) if path.is_file() else np.empty(0, dtype=kind)
        columns = {column: np.ascontiguousarray(rows[column]) for column in types}
        return {**columns, "row": columns["row"] - np.int32(number * self.size)}

    def all_sites(self) -> pd.DataFrame:
        """The sites of all patients, in genomic order; nothing can be added afterwards."""
        return self._final()[0]

    def _final(self) -> tuple[pd.DataFrame, np.ndarray]:
        if self._ordered is None:
            sites, place = self.sites.ordered()
            self._ordered = typed_table(sites, SITE_TYPES), place
        return self._ordered

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.n // self.size)

    def part_alleles(self, number: int) -> tuple[pd.DataFrame, int]:
        """Who carries what in one part of the patients, without their coverage.

        Parameters
        ----------
        number : int
            From 0.

        Returns
        -------
        alleles : DataFrame
            `row` (from the first patient of the part), `site` (in `all_sites`), `copies`, `ploidy`.
        repeated : int
            Alleles that were there again, and count once.
        """
        columns = self._columns("alleles", ALLELE_TYPES, number)
        columns["site"] = self._final()[1][columns["site"]]
        alleles = ordered_alleles(columns)
        return alleles, len(columns["site"]) - len(alleles)

    def part(self, number: int) -> Genotypes:
        """The genotypes of one part of the patients; `sites` is that of all.

        Parameters
        ----------
        number : int
            From 0; a part has `size` patients, the last one what is left.

        Returns
        -------
        Genotypes
            The same as `genotypes` of everything at once gives these patients.
        """
        sites, place = self._final()
        rows = slice(number * self.size, min((number + 1) * self.size, self.n))
        alleles = self._columns("alleles", ALLELE_TYPES, number)
        missing = self._columns("missing", _MISSING_TYPES, number)
        return self._genotypes(sites, place, alleles, missing, rows)


def _row_type(types: Types) -> np.dtype:
    return np.dtype(list(types.items()))
