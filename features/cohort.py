"""The checked tables of a cohort: what stands between the file formats and the features."""

from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from features.catalogue import Definitions
from features.genotypes.genotype import Genotypes, moved_rows
from features.tables.columns import Frame, FrameT_co, Table, rows_of
from features.variants.lookups import Lookups


@dataclass(frozen=True)
class Cohort(Generic[FrameT_co]):
    """Everything known of `n` patients.

    Child tables point to a patient by `row`, its position in `patients`.

    The tables are DataFrames; those of a served request are `features.tables.columns.Table` with
    the same columns.

    Attributes
    ----------
    patients : DataFrame
        n rows, typed by `features.patients.checked_patients`.
    biomarkers : DataFrame
        `row`, `analyte`, `value` (canonical unit), `days` (NaN undated), `assay`, `censored`.
    alsfrs : DataFrame
        `row`, `days`, `scale`, items, `total`; one row a visit.
    genotypes : Genotypes
        Panel alleles, no-calls and coverage.
    variants : DataFrame
        One row a site of `genotypes`: what is known of it and how it is weighed
        (`features.variants.weigh.weigh_sites`).
    lookups : Lookups
        Population frequencies and ClinVar, as far as they were given.
    repeats : DataFrame
        Calls of `features.genotypes.repeats.read_repeats`.
    families : array of n
        Relatives share a number (`features.genotypes.families`).
    definitions : Definitions
        The tables that it was read with.
    """

    name: str
    patients: FrameT_co
    biomarkers: FrameT_co
    alsfrs: FrameT_co
    genotypes: Genotypes[FrameT_co]
    variants: FrameT_co
    lookups: Lookups
    repeats: FrameT_co
    families: np.ndarray
    definitions: Definitions

    def __len__(self) -> int:
        return len(self.patients)

    def take(self, rows: np.ndarray) -> "Cohort[FrameT_co]":
        """The cohort of some patients, in the order given.

        Parameters
        ----------
        rows : array of int
            Patient indices.

        Returns
        -------
        Cohort
            Patient i is the old patient `rows[i]`; child tables follow.
        """
        position = np.full(len(self), -1)
        position[rows] = np.arange(len(rows))
        return replace(
            self,
            patients=rows_of(self.patients, rows),
            biomarkers=moved_rows(self.biomarkers, position),
            alsfrs=moved_rows(self.alsfrs, position),
            genotypes=self.genotypes.take(position, rows),
            repeats=moved_rows(self.repeats, position),
            families=self.families[rows],
        )


# From files (`Cohort` alone: its tables are DataFrames) or from a request.
AnyCohort = Cohort[Frame]
ServedCohort = Cohort[Table]
