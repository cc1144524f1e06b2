"""Cohorts made by hand, cell by cell: no file is read and no evidence weighed."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs.visits import checked_visits, no_visits
from features.biomarkers.measurements import COLUMNS as MEASURED
from features.biomarkers.measurements import no_biomarkers
from features.catalogue import gene_names, shipped
from features.cohort import Cohort
from features.genotypes.genotype import (
    ALLELE_TYPES,
    NO_CALL_TYPES,
    PHASE_TYPES,
    SITE_TYPES,
    Genotypes,
    typed_table,
)
from features.genotypes.repeats import CALL_TYPES
from features.patients import checked_patients
from features.tables.problems import Problems
from features.variants.lookups import NO_LOOKUPS, Lookups
from features.variants.weigh import VARIANT_TYPES


class Allele(NamedTuple):
    """A carried allele: what is known of it is stated, not found out."""

    gene: str
    role: str = ""
    points: float = 0.0
    frequency: float = np.nan
    copies: int = 1
    ploidy: int = 2
    row: int = 0
    key: str = ""


class Call(NamedTuple):
    """A repeat call of the first patient."""

    locus: str
    low: float
    high: float
    complete: bool = True
    short: float = 2.0
    row: int = 0


def patients(*rows: dict[str, Any]) -> pd.DataFrame:
    """The checked patients table; what is not stated is unknown."""
    table = as_read([{"sample_id": f"P{i}", **row} for i, row in enumerate(rows)])
    return checked_patients(shipped(), table, "patients", Problems())


def as_read(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A table as the readers give it: numbers as floats, anything else as text."""
    table = pd.DataFrame(rows)
    numeric = table.select_dtypes("number").columns
    empty = {
        name: table[name].astype(object).where(table[name].notna(), None)
        for name in table.columns.difference(numeric)
    }
    return table.assign(**empty).astype(dict.fromkeys(numeric, float))


def genotypes(
    alleles: list[Allele], assayed: list[dict[str, float]], no_calls: list[tuple[int, str]]
):
    """Each allele at a site of its own; genes that `assayed` does not name are unknown."""
    names = gene_names(shipped())
    fraction = np.full((len(assayed), len(names)), np.nan)
    for row, genes in enumerate(assayed):
        for gene, part in genes.items():
            fraction[row, names.index(gene)] = part
    sites = [(a.key or f"1-{i}-A-C", names.index(a.gene), None) for i, a in enumerate(alleles)]
    carried = [(a.row, i, a.copies, a.ploidy) for i, a in enumerate(alleles)]
    return Genotypes(
        sites=typed_table(sites, SITE_TYPES),
        alleles=typed_table(carried, ALLELE_TYPES),
        no_calls=typed_table(no_calls, NO_CALL_TYPES),
        assayed=fraction,
    )


def cohort(
    *rows: dict[str, Any],
    alleles: list[Allele] | None = None,
    assayed: "list[dict[str, float]] | dict[str, float] | None" = None,
    no_calls: list[tuple[int, str]] | None = None,
    calls: list[Call] | None = None,
    biomarkers: list[tuple[int, str, float, float]] | None = None,
    visits: list[dict[str, Any]] | None = None,
    lookups: Lookups = NO_LOOKUPS,
    phases: "list[tuple[int, int, int, bool]] | None" = None,
) -> Cohort:
    """A cohort of some patients (one without any cell, where none is stated).

    Biomarkers are (row, analyte, value, days); visits are rows of the contract's table; phases are
    (row, allele, allele, whether in cis).
    """
    rows = rows or ({},)
    table = patients(*rows)
    assayed = assayed if isinstance(assayed, list) else [assayed or {}] * len(rows)
    alleles = alleles or []
    known = [(None, None, a.role, a.points, a.frequency) for a in alleles]
    sizes = [(c.row, c.locus, c.short, c.high, c.low, c.high, c.complete) for c in calls or []]
    seen = no_visits()
    if visits:
        number = {name: i for i, name in enumerate(table["sample_id"])}
        stated = as_read([{"sample_id": "P0", **visit} for visit in visits])
        seen = checked_visits(shipped(), stated, number, table, "alsfrs", Problems())
    return Cohort(
        name="made",
        patients=table,
        biomarkers=_measured(biomarkers or []),
        alsfrs=seen,
        genotypes=replace(
            genotypes(alleles, assayed, no_calls or []),
            phases=None if phases is None else typed_table(phases, PHASE_TYPES),
        ),
        variants=typed_table(known, VARIANT_TYPES),
        lookups=lookups,
        repeats=typed_table(sizes, CALL_TYPES),
        families=np.arange(len(rows)),
        definitions=shipped(),
    )


def _measured(rows: list[tuple[int, str, float, float]]) -> pd.DataFrame:
    if not rows:
        return no_biomarkers(shipped())
    table = pd.DataFrame(rows, columns=["row", "analyte", "value", "days"])
    return table.assign(assay="simoa", censored="none", unit="").reindex(columns=MEASURED)
