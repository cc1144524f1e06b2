"""The checked tables of a cohort: what stands between the file formats and the features."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from features.vcf import Genotypes


@dataclass(frozen=True)
class Cohort:
    """Everything known of `n` patients. Child tables point to a patient by `row`, its position in `patients`.

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
    repeats : DataFrame
        Calls of `features.repeats.read_repeats`.
    common : frozenset of str or None
        Keys of variants that are common in the population; None if no frequencies were given.
    families : array of n
        Relatives share a number (`features.families`).
    """

    name: str
    patients: pd.DataFrame
    biomarkers: pd.DataFrame
    alsfrs: pd.DataFrame
    genotypes: Genotypes
    repeats: pd.DataFrame
    common: frozenset[str] | None
    families: np.ndarray

    def __len__(self) -> int:
        return len(self.patients)

    def take(self, rows: np.ndarray) -> "Cohort":
        """The cohort of some patients, in the order given."""
        position = np.full(len(self), -1)
        position[rows] = np.arange(len(rows))
        genotypes = Genotypes(
            _moved(self.genotypes.alleles, position),
            _moved(self.genotypes.no_calls, position),
            self.genotypes.assayed[rows],
        )
        tables: dict[str, Any] = {
            name: _moved(getattr(self, name), position) for name in ("biomarkers", "alsfrs", "repeats")
        }
        patients = self.patients.iloc[rows].reset_index(drop=True)
        return replace(self, patients=patients, genotypes=genotypes, families=self.families[rows], **tables)


def _moved(table: pd.DataFrame, position: np.ndarray) -> pd.DataFrame:
    row = position[table["row"].to_numpy(dtype=int)]
    return table.assign(row=row)[row >= 0].reset_index(drop=True)
