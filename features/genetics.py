"""Genetic features of a patient, and the genetic finding that is always shown beside a score.

Not assayed is not negative: a count is 0 only where the gene was assayed (at least 90 % of its records called, P), else
unknown. A *known pathogenic carrier* has a `causal_*` row of the known-variant table with the zygosity its role needs:
dominant and X-linked one allele, recessive two (or one, hemizygous).
"""

from functools import cache

import numpy as np
import pandas as pd

from features.catalogue import core_genes, gene_names, known_variants
from features.cohort import Cohort
from features.dictionary import Feature
from features.repeats import STATES, RepeatStates

ASSAYED_FROM = 0.9
GENETIC_CAUSES = ("not_fully_tested", "not_found", "uncertain", "found")
KNOWN = "definitions/known_variants.tsv"
_INTERMEDIATE, _RISK, _EXPANDED = STATES.index("intermediate"), STATES.index("risk"), STATES.index("expanded")


@cache
def causal_genes() -> tuple[str, ...]:
    """Genes with a causal row in the known-variant table, in panel order."""
    table = known_variants("GRCh38")
    causal = set(table.loc[table["als_role"].str.startswith("causal"), "gene"])
    return tuple(gene for gene in gene_names() if gene in causal)


@cache
def _roles(build: str) -> pd.DataFrame:
    return known_variants(build)[["als_role", "rsid"]]


def genetic_dictionary() -> list[Feature]:
    """Describe the columns of `genetic_features`."""
    rare = "allele below the frequency limit of the configuration, or absent from the frequency file"
    block = "genetics"
    return [
        Feature("causal_any", block, "0/1", "a known causal variant in any panel gene, or an expanded C9orf72", KNOWN),
        *(Feature(f"causal_{g}", block, "0/1", f"known causal variant in {g}", KNOWN) for g in causal_genes()),
        Feature("c9orf72_expanded", block, "0/1", "C9orf72 repeat expanded (>= 31 units)", "definitions/repeats.tsv"),
        Feature("c9orf72_intermediate", block, "0/1", "C9orf72 repeat of 24-30 units", "definitions/repeats.tsv"),
        Feature("atxn2_risk", block, "0/1", "ATXN2 repeat of >= 31 units", "definitions/repeats.tsv"),
        Feature("atxn2_longest", block, "repeat units", "longer ATXN2 allele", "repeat file or laboratory"),
        Feature("risk_alleles", block, "alleles", "alleles of the table's risk rows", KNOWN),
        Feature("rs12608932_c", block, "alleles", "UNC13A rs12608932 C alleles", "Chio 2013; PMID 40135631 (V)"),
        *(
            Feature(f"rare_{g}", block, "alleles", f"rare alleles in {g}: {rare}", "VCF and frequency file")
            for g in gene_names()
        ),
        Feature("rare_alleles", block, "alleles", "rare alleles in all assayed panel genes", "VCF and frequency file"),
    ]


def genetic_features(cohort: Cohort, build: str) -> dict[str, np.ndarray]:
    """Compute the genetic columns, each of length n, float64 with NaN where unknown."""
    c9orf72, atxn2 = (RepeatStates(locus, cohort.repeats, cohort.patients) for locus in ("C9orf72", "ATXN2"))
    causal = causal_carriers(cohort, build)
    expanded = _flag(c9orf72, _EXPANDED)
    features = {"causal_any": _any_known([*causal.values(), expanded])}
    features |= {f"causal_{gene}": values for gene, values in causal.items()}
    features |= {"c9orf72_expanded": expanded, "c9orf72_intermediate": _flag(c9orf72, _INTERMEDIATE)}
    features |= {"atxn2_risk": _flag(atxn2, _RISK), "atxn2_longest": atxn2.longest}
    features["risk_alleles"] = _site_alleles(cohort, _keys_of(build, "risk"), build)
    features["rs12608932_c"] = _site_alleles(cohort, _key_of_rsid(build, "rs12608932"), build)
    return features | _rare_alleles(cohort, build)


def causal_carriers(cohort: Cohort, build: str) -> dict[str, np.ndarray]:
    """For each gene with causal rows: 1 known pathogenic carrier, 0 assayed and none, NaN unknown."""
    alleles = cohort.genotypes.alleles
    causal = _qualifies(alleles, build)
    genes = alleles["gene"].to_numpy(dtype=int)[causal]
    rows = alleles["row"].to_numpy(dtype=int)[causal]
    carriers = {}
    for gene in causal_genes():
        index = gene_names().index(gene)
        values = _zero_where_assayed(cohort.genotypes.assayed[:, index])
        values[rows[genes == index]] = 1.0
        carriers[gene] = values
    return carriers


def genetic_cause(cohort: Cohort, build: str) -> np.ndarray:
    """The genetic finding of each patient, without statistics.

    found: a known pathogenic carrier, or C9orf72 expanded. uncertain: a `vus` row, one allele of a recessive row, or a
    C9orf72 result that is intermediate or indeterminate. not_found: none of these, with all core genes assayed and C9orf72
    sized. Else not_fully_tested.
    """
    c9orf72 = RepeatStates("C9orf72", cohort.repeats, cohort.patients)
    causal = np.column_stack([*causal_carriers(cohort, build).values()])
    found = (causal == 1).any(axis=1) | (c9orf72.state == _EXPANDED)
    uncertain = _uncertain_alleles(cohort, build) | np.isin(
        c9orf72.state, [STATES.index("indeterminate"), _INTERMEDIATE]
    )
    core = [gene_names().index(gene) for gene in core_genes() if gene != "C9orf72"]
    with np.errstate(invalid="ignore"):
        tested = (cohort.genotypes.assayed[:, core] >= ASSAYED_FROM).all(axis=1) & (c9orf72.state != 0)
    return np.select([found, uncertain, tested], ["found", "uncertain", "not_found"], "not_fully_tested").astype(object)


def _qualifies(alleles: pd.DataFrame, build: str) -> np.ndarray:
    """Which carried alleles are causal rows with the zygosity that their role needs."""
    role = alleles["key"].map(_roles(build)["als_role"]).to_numpy(dtype=object)
    copies, ploidy = alleles["copies"].to_numpy(), alleles["ploidy"].to_numpy()
    one_is_enough = (role == "causal_dominant") | (role == "causal_xlinked")
    return np.asarray(one_is_enough | ((role == "causal_recessive") & ((copies >= 2) | (ploidy == 1))), dtype=bool)


def _uncertain_alleles(cohort: Cohort, build: str) -> np.ndarray:
    alleles = cohort.genotypes.alleles
    role = alleles["key"].map(_roles(build)["als_role"]).to_numpy(dtype=object)
    unsure = (role == "vus") | ((role == "causal_recessive") & ~_qualifies(alleles, build))
    return np.bincount(alleles["row"].to_numpy(dtype=int)[unsure], minlength=len(cohort)) > 0


def _zero_where_assayed(fraction: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(fraction >= ASSAYED_FROM, 0.0, np.nan)


def _flag(repeat: RepeatStates, at_least: int) -> np.ndarray:
    """1/0 for a repeat state, NaN where it is not tested or indeterminate; `intermediate` means exactly that."""
    hit = repeat.state == at_least if at_least == _INTERMEDIATE else repeat.state >= at_least
    return np.where(repeat.state > 1, hit.astype(float), np.nan)


def _any_known(columns: list[np.ndarray]) -> np.ndarray:
    """1 where one is 1, 0 where all are 0, else NaN."""
    stacked = np.column_stack(columns)
    return np.where((stacked == 1).any(axis=1), 1.0, np.where((stacked == 0).all(axis=1), 0.0, np.nan))


@cache
def _keys_of(build: str, role: str) -> frozenset[str]:
    table = _roles(build)
    return frozenset(table.index[table["als_role"] == role])


@cache
def _key_of_rsid(build: str, rsid: str) -> frozenset[str]:
    table = _roles(build)
    return frozenset(table.index[table["rsid"] == rsid])


def _site_alleles(cohort: Cohort, keys: frozenset[str], build: str) -> np.ndarray:
    """Copies of some table alleles, NaN where their genes are not assayed or a site is a no-call."""
    alleles, unknown = cohort.genotypes.alleles, cohort.genotypes.no_calls
    genes = {gene_names().index(gene) for gene in known_variants(build).loc[list(keys), "gene"]}
    covered = [_zero_where_assayed(cohort.genotypes.assayed[:, gene]) for gene in sorted(genes)]
    total = np.sum(covered, axis=0)
    total[unknown.loc[unknown["key"].isin(keys), "row"].to_numpy(dtype=int)] = np.nan
    hit = alleles[alleles["key"].isin(keys)]
    copies = np.bincount(hit["row"].to_numpy(dtype=int), hit["copies"].to_numpy(dtype=float), len(cohort))
    return np.where(copies > 0, copies, total)


def _rare_alleles(cohort: Cohort, build: str) -> dict[str, np.ndarray]:
    """Rare alleles outside the known-variant table, per gene and in all; unknown without population frequencies."""
    n, names = len(cohort), gene_names()
    counts = np.zeros((n, len(names)))
    if cohort.common is None:
        counts[:] = np.nan
    else:
        alleles = cohort.genotypes.alleles
        rare = alleles[~(alleles["key"].isin(cohort.common) | alleles["key"].isin(_roles(build).index)).to_numpy()]
        np.add.at(
            counts, (rare["row"].to_numpy(dtype=int), rare["gene"].to_numpy(dtype=int)), rare["copies"].to_numpy()
        )
        with np.errstate(invalid="ignore"):
            counts[(counts == 0) & ~(cohort.genotypes.assayed >= ASSAYED_FROM)] = np.nan
    known = np.isfinite(counts)
    burden = np.where(known.any(axis=1), np.where(known, counts, 0.0).sum(axis=1), np.nan)
    return {f"rare_{gene}": counts[:, i] for i, gene in enumerate(names)} | {"rare_alleles": burden}
