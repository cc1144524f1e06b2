"""The calls of many files put together as they arrive, in memory or on disk.

Equal alleles of several files become one site, and the same allele of one patient in two files
counts once. Nothing depends on how many files there are or how a file was divided.
"""

import numpy as np

from features.catalogue import Definitions, gene_names
from features.genotypes.calls import together
from features.genotypes.coverage import Assayed
from features.genotypes.file_calls import COUNTS, Agreement, FileCalls
from features.genotypes.genotype import (
    ALLELE_TYPES,
    NO_CALL_TYPES,
    SITE_TYPES,
    DistinctSites,
    Genotypes,
    ordered_alleles,
    typed_table,
)


class Gathered:
    """Calls of `n` patients, of all files so far."""

    def __init__(self, definitions: Definitions, n: int):
        self.assayed = Assayed(n, len(gene_names(definitions)))
        self.counts = dict.fromkeys(COUNTS, 0)
        self.agreement: list[Agreement] = []
        self.no_calls: set[tuple[int, str]] = set()
        self.sites = DistinctSites()
        self.pieces: list[tuple[np.ndarray, ...]] = []

    def add(self, file: FileCalls) -> None:
        """Take over what a file says."""
        self.assayed.add(file.coverage)
        self.no_calls.update(file.no_calls)
        self.agreement.append(file.agreement)
        for name, count in file.counts.items():
            self.counts[name] += count
        number = self.sites.numbers_of(file.sites)
        columns = {**file.alleles, "site": number[file.alleles["site"]]}
        self.pieces.append(tuple(columns[name] for name in ALLELE_TYPES))

    def genotypes(self) -> Genotypes:
        """The genotypes of all patients; nothing can be added afterwards."""
        sites, place = self.sites.ordered()
        alleles = together(self.pieces, ALLELE_TYPES)
        alleles["site"] = place[alleles["site"]]
        return Genotypes(
            sites=typed_table(sites, SITE_TYPES),
            alleles=ordered_alleles(alleles),
            no_calls=typed_table(sorted(self.no_calls), NO_CALL_TYPES),
            assayed=self.assayed.fraction(),
        )
