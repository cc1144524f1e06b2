"""Genetic features of a patient, and the genetic finding that is always shown beside a score.

Not assayed is not negative: a count is 0 only where the gene was assayed (at least 90 % of it
called, P), else unknown. A *known pathogenic carrier* has a `causal_*` row of the known-variant
table with the zygosity its role needs: dominant and X-linked one allele, recessive two (or one,
hemizygous). A variant is *rare* below the frequency limit of the model, and *damaging* if it is
rare and has two or more points of evidence (P); risk alleles and modifiers are never either. A
structural variant that is there takes or repeats exons, and counts as rare (P): files of short
variants say nothing of it. Two alleles that are known to lie on one chromosome are one copy of a
recessive gene; where phase is unknown they may be two. A (likely) benign variant is neither, nor
is a short variant in a gene that is read for its repeat only.
"""

from collections.abc import Iterable, Mapping
from functools import reduce

import numpy as np

from features.blocks.dictionary import Feature, Row, described
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.catalogue import (
    Definitions,
    core_genes,
    derived,
    gene_names,
    known_variants,
)
from features.cohort import AnyCohort
from features.genotypes.coverage import ASSAYED_FROM
from features.genotypes.genotype import PHASE_TYPES, Genotypes, zygosity
from features.genotypes.phase import CIS, TRANS, UNPHASED
from features.genotypes.repeats import (
    EXPANDED,
    INDETERMINATE,
    INTERMEDIATE,
    NORMAL,
    NOT_TESTED,
    RISK,
    RepeatStates,
)
from features.tables.columns import Cells, FrameT
from features.variants.structural import is_structural
from features.variants.variant import CAUSAL, inheritance, rules_of

DAMAGING_FROM = 2
_DIPLOID, _OF_ALLELE = 2, ("row", "site", "copies", "ploidy")
# Points up to which a variant is likely benign or benign (contract, section Genetics).
BENIGN_TO = -1
# Weakest first.
GENETIC_CAUSES = ("not_fully_tested", "not_found", "uncertain", "found")
# Where a column comes from, for the dictionary.
KNOWN, EVIDENCE = "definitions/known_variants.tsv", "definitions/evidence.tsv"
_REPEATS, _GENES = "definitions/repeats.tsv", "definitions/genes.tsv (R)"
_FREQUENCIES = "VCF and frequency file"


@derived
def causal_genes(definitions: Definitions) -> tuple[str, ...]:
    """Genes with a causal row in the known-variant table, in panel order.

    Parameters
    ----------
    definitions : Definitions
        Whose known variants (GRCh38) are asked.

    Returns
    -------
    tuple of str
        In panel order.
    """
    table = known_variants(definitions, "GRCh38")
    causal = set(table.loc[table["als_role"].str.startswith("causal"), "gene"])
    return tuple(gene for gene in gene_names(definitions) if gene in causal)


@derived
def scored_genes(definitions: Definitions) -> tuple[str, ...]:
    """Genes in which a variant can be damaging: all but pure risk genes and modifiers.

    Parameters
    ----------
    definitions : Definitions
        Whose panel is asked.

    Returns
    -------
    tuple of str
        In panel order.
    """
    return tuple(
        gene
        for gene in gene_names(definitions)
        if inheritance(definitions, gene) not in ("risk", "modifier")
    )


@derived
def repeat_genes(definitions: Definitions) -> tuple[str, ...]:
    """Genes that ALS is read from by their repeat alone: `repeat` in the inheritance of genes.tsv,
    or a locus.

    Parameters
    ----------
    definitions : Definitions
        Whose tables of genes and loci are asked.

    Returns
    -------
    tuple of str
        In panel order.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> repeat_genes(shipped())
    ('C9orf72', 'ATXN2', 'STMN2', 'NIPA1', 'LRP12')
    """
    table, loci = definitions.table("genes"), set(definitions.table("repeats")["gene"])
    by_repeat = {
        gene
        for gene, said in zip(table["gene"], table["inheritance"], strict=True)
        if "repeat" in said
    }
    return tuple(gene for gene in gene_names(definitions) if gene in by_repeat | loci)


def rising_features(definitions: Definitions) -> frozenset[str]:
    """Columns of which medicine is sure that more of them never speaks against a familial
    disease.

    Parameters
    ----------
    definitions : Definitions
        Whose genes are features.

    Returns
    -------
    frozenset of str
        Columns of the feature matrix.
    """
    names = ("causal_", "rare_", "damaging_", "points_", "biallelic_", "mechanism_")
    single = {"c9orf72_expanded", "oligogenic"}
    return frozenset(
        feature.name
        for feature in genetic_dictionary(definitions)
        if feature.name.startswith(names) or feature.name in single
    )


@derived
def _is_scored(definitions: Definitions) -> np.ndarray:
    return np.array([gene in scored_genes(definitions) for gene in gene_names(definitions)])


@derived
def _by_repeat(definitions: Definitions) -> np.ndarray:
    return np.array([gene in repeat_genes(definitions) for gene in gene_names(definitions)])


@derived
def _core(definitions: Definitions) -> tuple[str, ...]:
    """Core genes that are read as sequence."""
    return tuple(gene for gene in core_genes(definitions) if gene != "C9orf72")


@derived
def _positions(definitions: Definitions, genes: tuple[str, ...]) -> list[int]:
    """Genes as index into `gene_names()`."""
    return [gene_names(definitions).index(gene) for gene in genes]


@derived
def recessive_genes(definitions: Definitions) -> tuple[str, ...]:
    """Genes that need two alleles.

    Parameters
    ----------
    definitions : Definitions
        Whose panel is asked.

    Returns
    -------
    tuple of str
        In panel order.
    """
    return tuple(
        gene for gene in scored_genes(definitions) if inheritance(definitions, gene) == "recessive"
    )


@derived
def mechanisms(definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """Disease mechanism -> its scored genes.

    Parameters
    ----------
    definitions : Definitions
        Whose column `mechanisms` of genes.tsv is read.

    Returns
    -------
    dict of tuples
        Sorted by mechanism; a gene may stand under several.
    """
    table, by_mechanism = definitions.table("genes"), dict[str, list[str]]()
    for gene, listed in zip(table["gene"], table["mechanisms"], strict=True):
        for mechanism in listed.split(";") if gene in scored_genes(definitions) else []:
            by_mechanism.setdefault(mechanism, []).append(gene)
    return {mechanism: tuple(genes) for mechanism, genes in sorted(by_mechanism.items())}


def genetic_dictionary(definitions: Definitions, benign_counted: bool = False) -> list[Feature]:
    """Describe the columns of `genetic_features`; a model that counted benign alleles goes on
    saying so.

    Parameters
    ----------
    definitions : Definitions
        Whose genes are features.
    benign_counted : bool
        Whether the model counts (likely) benign alleles.

    Returns
    -------
    list of Feature
        In the order of the matrix.
    """
    rare = "below the frequency limit of the configuration, or absent from the frequency file"
    if not benign_counted:
        rare += ", and not (likely) benign; none in a gene read for its repeat"
    damaging = f"rare with {DAMAGING_FROM} or more points of evidence, or known causal"
    scored = scored_genes(definitions)
    rows = [
        *_known_rows(definitions),
        *(
            (f"rare_{g}", "alleles", f"rare alleles in {g}: {rare}", _FREQUENCIES)
            for g in gene_names(definitions)
        ),
        ("rare_alleles", "alleles", "rare alleles in all assayed panel genes", _FREQUENCIES),
        *((f"damaging_{g}", "alleles", f"{damaging} alleles in {g}", EVIDENCE) for g in scored),
        ("damaging_alleles", "alleles", f"{damaging} alleles in all assayed genes", EVIDENCE),
        *((f"points_{g}", "points", f"highest evidence points in {g}", EVIDENCE) for g in scored),
        *(
            (f"biallelic_{g}", "0/1", f"two damaging alleles in {g} (recessive)", EVIDENCE)
            for g in recessive_genes(definitions)
        ),
        ("oligogenic", "genes", f"genes with an allele that is {damaging}", EVIDENCE),
        *(
            (f"mechanism_{m}", "alleles", f"{damaging} alleles in genes of {m}", _GENES)
            for m in mechanisms(definitions)
        ),
    ]
    return described("genetics", rows)


def _known_rows(definitions: Definitions) -> list[Row]:
    """What tables of known variants and repeats say."""
    causal = "a known causal variant in any panel gene, or an expanded C9orf72"
    unc13a = "Chio 2013; PMID 40135631 (V)"
    return [
        ("causal_any", "0/1", causal, KNOWN),
        *(
            (f"causal_{g}", "0/1", f"known causal variant in {g}", KNOWN)
            for g in causal_genes(definitions)
        ),
        ("c9orf72_expanded", "0/1", "C9orf72 repeat expanded (>= 31 units)", _REPEATS),
        ("c9orf72_intermediate", "0/1", "C9orf72 repeat of 24-30 units", _REPEATS),
        ("atxn2_risk", "0/1", "ATXN2 repeat of >= 31 units", _REPEATS),
        ("atxn2_longest", "repeat units", "longer ATXN2 allele", "repeat file or laboratory"),
        ("risk_alleles", "alleles", "alleles of the table's risk rows", KNOWN),
        ("rs12608932_c", "alleles", "UNC13A rs12608932 C alleles", unc13a),
    ]


def genetic_features(
    cohort: AnyCohort, build: str, rare_frequency: float, benign_counted: bool = False
) -> dict[str, np.ndarray]:
    """Compute the genetic columns, each of length n, float64 with NaN where unknown.

    Parameters
    ----------
    cohort : Cohort
        Its variants weighed as the model does.
    build : str
        GRCh37 or GRCh38.
    rare_frequency : float
        Population frequency from which a variant is no longer rare, 0 to 1.
    benign_counted : bool
        How earlier versions counted, for models that they stored.

    Returns
    -------
    dict of arrays (n,)
        By the names of `genetic_dictionary`: alleles, points, repeat units, 0/1.
    """
    c9orf72, atxn2 = (
        RepeatStates(cohort.definitions, locus, cohort.repeats, cohort.patients)
        for locus in ("C9orf72", "ATXN2")
    )
    causal = causal_carriers(cohort)
    expanded = _flag(c9orf72, EXPANDED)
    features = {"causal_any": _any_known([*causal.values(), expanded])}
    features |= _named("causal", tuple(causal), [*causal.values()])
    features |= {
        "c9orf72_expanded": expanded,
        "c9orf72_intermediate": _flag(c9orf72, INTERMEDIATE),
    }
    features |= {"atxn2_risk": _flag(atxn2, RISK), "atxn2_longest": atxn2.longest}
    risk = _keys_of(cohort.definitions, build, "risk")
    features["risk_alleles"] = _site_alleles(cohort, risk, build)
    unc13a = _key_of_rsid(cohort.definitions, build, "rs12608932")
    features["rs12608932_c"] = _site_alleles(cohort, unc13a, build)
    counted = np.ones(len(cohort.variants), dtype=bool) if benign_counted else _counted(cohort)
    rare = _rare(cohort, rare_frequency) & counted
    without_role = rare & (cohort.variants["role"].to_numpy() == "")
    features |= _per_gene("rare", cohort, without_role, gene_names(cohort.definitions))
    return features | _burden(cohort, rare, counted)


def causal_carriers(cohort: AnyCohort) -> dict[str, np.ndarray]:
    """For each gene with causal rows: 1 known pathogenic carrier, 0 assayed and none, NaN
    unknown.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    dict of arrays (n,)
        Gene -> 1, 0 or NaN.
    """
    causal = _qualifies(cohort)
    genes, rows = (
        cohort.genotypes.genes()[causal],
        cohort.genotypes.alleles["row"].to_numpy()[causal],
    )
    carriers = _zero_where_assayed(cohort.genotypes.assayed)
    carriers[rows, genes] = 1.0
    names = causal_genes(cohort.definitions)
    positions = _positions(cohort.definitions, names)
    return {name: carriers[:, i] for name, i in zip(names, positions, strict=True)}


def genetic_cause(cohort: AnyCohort) -> np.ndarray:
    """The genetic finding of each patient, without statistics.

    found: a known pathogenic carrier, or C9orf72 expanded. uncertain: a `vus` row, one allele of a
    recessive row, a variant that is (likely) pathogenic by points or may be a stop as far as the
    sequence is known, or a C9orf72 result that is intermediate or indeterminate. not_found: none
    of these, with all core genes assayed and C9orf72 sized. Else not_fully_tested.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    array of str (n,)
        Of GENETIC_CAUSES.
    """
    c9orf72 = RepeatStates(cohort.definitions, "C9orf72", cohort.repeats, cohort.patients)
    row, telling = cohort.genotypes.alleles["row"].to_numpy(), telling_alleles(cohort)
    causal, unsure = (
        np.bincount(row[telling == word], minlength=len(cohort)) > 0
        for word in ("found", "uncertain")
    )
    explained = causal | (c9orf72.state == EXPANDED)
    uncertain = unsure | (c9orf72.state == INDETERMINATE) | (c9orf72.state == INTERMEDIATE)
    # A later one is the stronger finding and takes the place of an earlier one.
    untested, *stronger = GENETIC_CAUSES
    cause = np.full(len(cohort), untested, dtype=object)
    tested = _core_tested(cohort, c9orf72)
    for holds, name in zip((tested, uncertain, explained), stronger, strict=True):
        cause[holds] = name
    return cause


def core_tested(cohort: AnyCohort) -> np.ndarray:
    """Of which patients all core genes were assayed and C9orf72 was sized, whatever was found.

    Parameters
    ----------
    cohort : Cohort or ServedCohort
        With what was assayed, and repeats.

    Returns
    -------
    array of bool (patients,)
        A gene counts as assayed from the share ASSAYED_FROM.
    """
    c9orf72 = RepeatStates(cohort.definitions, "C9orf72", cohort.repeats, cohort.patients)
    return _core_tested(cohort, c9orf72)


def _core_tested(cohort: AnyCohort, c9orf72: RepeatStates) -> np.ndarray:
    core = _positions(cohort.definitions, _core(cohort.definitions))
    assayed = cohort.genotypes.assayed[:, core] >= ASSAYED_FROM
    return np.asarray(assayed.all(axis=1) & (c9orf72.state != NOT_TESTED))


def looked_at(cohort: AnyCohort) -> np.ndarray:
    """Share of each gene that was looked at for what it does in ALS.

    A gene that ALS is read from by its repeat alone was looked at where the repeat was sized: its
    sequence tells nothing of it.

    Parameters
    ----------
    cohort : Cohort or ServedCohort
        n patients, with what was assayed, and repeats.

    Returns
    -------
    array (n, genes)
        0 to 1, genes in panel order; unknown is 0.
    """
    share = np.nan_to_num(cohort.genotypes.assayed, nan=0.0)
    share[:, _by_repeat(cohort.definitions)] = 0.0
    names = gene_names(cohort.definitions)
    for row in cohort.definitions.rows("repeats"):
        states = RepeatStates(cohort.definitions, row["locus"], cohort.repeats, cohort.patients)
        share[:, names.index(row["gene"])] = states.state != NOT_TESTED
    return share


def zygosities(cohort: AnyCohort) -> np.ndarray:
    """What each carried allele is in its patient.

    A man has one X: what a caller that knows no sex writes as two copies there is the only one.

    Parameters
    ----------
    cohort : Cohort or ServedCohort
        With k carried alleles.

    Returns
    -------
    array of str (k,)
        `heterozygous`, `homozygous` or `hemizygous`, in the order of the alleles.
    """
    alleles = cohort.genotypes.alleles
    copies, ploidy = alleles["copies"].to_numpy(), alleles["ploidy"].to_numpy()
    man = cohort.patients["sex"].to_numpy(dtype=object)[alleles["row"].to_numpy()] == "male"
    only = man & _on_x(cohort.definitions)[cohort.genotypes.genes()] & (copies >= ploidy)
    return zygosity(copies, np.where(only, 1, ploidy))


@derived
def _on_x(definitions: Definitions) -> np.ndarray:
    chromosomes = {row["gene"]: row["chrom"] for row in definitions.rows("genes")}
    return np.array([chromosomes[gene] == "X" for gene in gene_names(definitions)])


def paired_alleles(
    definitions: Definitions, genotypes: Genotypes[FrameT], variants: FrameT
) -> np.ndarray:
    """Heterozygous alleles that may be one of two in a gene where two cause disease.

    They are causal, or have the points of a damaging one, and the patient has another in the gene.

    Parameters
    ----------
    definitions : Definitions
        Whose inheritance counts.
    genotypes : Genotypes
        Of n patients.
    variants : DataFrame or Table
        `Cohort.variants`.

    Returns
    -------
    array of bool (alleles,)
        In the order of `genotypes.alleles`.
    """
    role, points = variants["role"].to_numpy(), variants["points"].to_numpy()
    telling = _is_one(role, *CAUSAL) | (points >= DAMAGING_FROM)
    telling &= np.isin(genotypes.sites["gene"].to_numpy(), _of_two(definitions))
    row, site, copies, ploidy = (genotypes.alleles[name].to_numpy() for name in _OF_ALLELE)
    may = telling[site] & (copies == 1) & (ploidy == _DIPLOID)
    group = row.astype(np.int64) * len(gene_names(definitions)) + genotypes.genes()
    distinct, times = np.unique(group[may], return_counts=True)
    return np.asarray(may & np.isin(group, distinct[times > 1]))


@derived
def _of_two(definitions: Definitions) -> tuple[int, ...]:
    """Genes in which two alleles cause disease, as index into `gene_names()`."""
    by_loss = (
        gene
        for gene in scored_genes(definitions)
        if rules_of(definitions, gene)["loss_of_function"] == "recessive"
    )
    return tuple(_positions(definitions, (*recessive_genes(definitions), *by_loss)))


def second_alleles(cohort: AnyCohort) -> np.ndarray:
    """Of each carried allele where another one of a pair lies: `trans`, `cis`, `unphased`, or empty
    without another.

    In trans to one is enough; in cis to all others is no second copy.

    Parameters
    ----------
    cohort : Cohort or ServedCohort
        With classified variants.

    Returns
    -------
    array of str (alleles,)
        In the order of `cohort.genotypes.alleles`.
    """
    chosen = paired_alleles(cohort.definitions, cohort.genotypes, cohort.variants)
    second = np.full(len(chosen), "", dtype=object)
    row, site = (cohort.genotypes.alleles[name].to_numpy().tolist() for name in ("row", "site"))
    gene = cohort.genotypes.genes().tolist()
    known = {(r, *sorted(pair)): cis for r, *pair, cis in _known_pairs(cohort)}
    at = np.flatnonzero(chosen).tolist()
    for i in at:
        others = [j for j in at if j != i and (row[j], gene[j]) == (row[i], gene[i])]
        pairs = [(row[i], *sorted((site[i], site[j]))) for j in others]
        relations = [known.get(pair) for pair in pairs]
        all_cis = all(relation is True for relation in relations)
        second[i] = TRANS if False in relations else CIS if all_cis else UNPHASED
    return second


def _known_pairs(cohort: AnyCohort) -> list[tuple[int, int, int, bool]]:
    """Rows of `Genotypes.phases`; none where phase was not asked for."""
    phases = cohort.genotypes.phases
    if phases is None:
        return []
    columns = (phases[name].to_numpy().tolist() for name in PHASE_TYPES)
    return list(zip(*columns, strict=True))


def _of_alleles(cohort: AnyCohort, column: str) -> np.ndarray:
    """A column of `cohort.variants` for each carried allele."""
    return np.asarray(
        cohort.variants[column].to_numpy()[cohort.genotypes.alleles["site"].to_numpy()]
    )


def _qualifies(cohort: AnyCohort) -> np.ndarray:
    """Which carried alleles are causal rows with the zygosity that their role needs."""
    role, alleles = _of_alleles(cohort, "role"), cohort.genotypes.alleles
    copies, ploidy = alleles["copies"].to_numpy(), alleles["ploidy"].to_numpy()
    one_is_enough = (role == "causal_dominant") | (role == "causal_xlinked")
    two = (copies >= 2) | (ploidy == 1) | _beside_another(cohort)
    return np.asarray(one_is_enough | ((role == "causal_recessive") & two), dtype=bool)


def _beside_another(cohort: AnyCohort) -> np.ndarray:
    """Which carried alleles lie in trans to a recessive row of the known-variant table."""
    recessive = cohort.variants["role"].to_numpy() == "causal_recessive"
    met = {
        (row, one)
        for row, *pair, cis in _known_pairs(cohort)
        for one, other in (pair, pair[::-1])
        if not cis and recessive[other]
    }
    alleles = cohort.genotypes.alleles
    if not met:
        return np.zeros(len(alleles), dtype=bool)
    row, site = (alleles[name].to_numpy().tolist() for name in ("row", "site"))
    return np.array([pair in met for pair in zip(row, site, strict=True)], dtype=bool)


def telling_alleles(cohort: AnyCohort) -> np.ndarray:
    """What each carried allele says by itself: `found`, `uncertain`, or empty.

    found: a causal row of the known-variant table with the zygosity that its role needs. uncertain:
    a `vus` row, one copy of a recessive one, or (likely) pathogenic by points.

    Parameters
    ----------
    cohort : Cohort or ServedCohort
        With classified variants.

    Returns
    -------
    array of str (alleles,)
        In the order of `cohort.genotypes.alleles`.
    """
    role, points = _of_alleles(cohort, "role"), _of_alleles(cohort, "points")
    by_points = (
        (points >= 6)
        & _is_scored(cohort.definitions)[cohort.genotypes.genes()]
        & ~_is_one(role, "risk", "modifier", "other_disease")
    )
    unsure = (role == "vus") | (role == "causal_recessive") | by_points | _may_stop(cohort)
    causal = _qualifies(cohort)
    return np.where(causal, "found", np.where(unsure.astype(bool), "uncertain", ""))


def _may_stop(cohort: AnyCohort) -> np.ndarray:
    """Which carried alleles may be a stop in a scored gene, as far as its sequence is known."""
    variants = cohort.variants["variant"].to_numpy()
    possible = np.array([v is not None and v.may_stop for v in variants], dtype=bool)
    alleles = possible[cohort.genotypes.alleles["site"].to_numpy()]
    return np.asarray(alleles & _is_scored(cohort.definitions)[cohort.genotypes.genes()])


def _is_one(role: np.ndarray, *names: str) -> np.ndarray:
    """Which roles are one of some; np.isin needs ten times as long for a few of them."""
    return np.asarray(np.logical_or.reduce([role == name for name in names]), dtype=bool)


def _zero_where_assayed(fraction: np.ndarray) -> np.ndarray:
    return np.where(fraction >= ASSAYED_FROM, 0.0, np.nan)


def _flag(repeat: RepeatStates, at_least: int) -> np.ndarray:
    """1/0 for a repeat state, NaN where it is not tested or indeterminate; `intermediate` means
    exactly that.
    """
    hit = repeat.state == at_least if at_least == INTERMEDIATE else repeat.state >= at_least
    return np.where(repeat.state >= NORMAL, hit.astype(float), np.nan)


def _any_known(columns: list[np.ndarray]) -> np.ndarray:
    """1 where one is 1, 0 where all are 0, else NaN."""
    stacked = np.array(columns)
    return np.where(
        (stacked == 1).any(axis=0), 1.0, np.where((stacked == 0).all(axis=0), 0.0, np.nan)
    )


@derived
def _keys_of(definitions: Definitions, build: str, role: str) -> frozenset[str]:
    table = known_variants(definitions, build)
    return frozenset(table.index[table["als_role"] == role])


@derived
def _key_of_rsid(definitions: Definitions, build: str, rsid: str) -> frozenset[str]:
    table = known_variants(definitions, build)
    return frozenset(table.index[table["rsid"] == rsid])


@derived
def _genes_of(definitions: Definitions, build: str, keys: frozenset[str]) -> tuple[int, ...]:
    """Genes of some known variants, as index into `gene_names()`."""
    genes = known_variants(definitions, build).loc[list(keys), "gene"]
    return tuple(sorted({gene_names(definitions).index(gene) for gene in genes}))


def _among(column: Cells, keys: frozenset[str]) -> np.ndarray:
    return np.array([key in keys for key in column.to_numpy(dtype=object)], dtype=bool)


def _site_alleles(cohort: AnyCohort, keys: frozenset[str], build: str) -> np.ndarray:
    """Copies of some table alleles, NaN where their genes are not assayed or a site is a
    no-call.
    """
    unknown = cohort.genotypes.no_calls
    covered = [
        _zero_where_assayed(cohort.genotypes.assayed[:, gene])
        for gene in _genes_of(cohort.definitions, build, keys)
    ]
    total = reduce(np.add, covered)
    total[unknown["row"].to_numpy(dtype=int)[_among(unknown["key"], keys)]] = np.nan
    copies = _alleles_per_patient(cohort, _among(cohort.genotypes.sites["key"], keys))
    return np.where(copies > 0, copies, total)


def _alleles_per_patient(cohort: AnyCohort, chosen: np.ndarray) -> np.ndarray:
    """Copies of the chosen sites that each patient carries."""
    alleles = cohort.genotypes.alleles
    hit = chosen[alleles["site"].to_numpy()]
    rows, copies = alleles["row"].to_numpy()[hit], alleles["copies"].to_numpy()[hit]
    return np.bincount(rows, copies.astype(float), len(cohort))


def _rare(cohort: AnyCohort, limit: float) -> np.ndarray:
    """Which sites are known to be rare; one of unknown frequency is not."""
    frequency = cohort.variants["frequency"].to_numpy()
    keys = cohort.genotypes.sites["key"].to_numpy(dtype=object)
    structural = np.array([is_structural(key) for key in keys], dtype=bool)
    return np.asarray((frequency < limit) | structural, dtype=bool)


def _counted(cohort: AnyCohort) -> np.ndarray:
    """Which sites can speak for a cause: not (likely) benign, and not in a gene that is read for
    its repeat only.
    """
    by_repeat = _by_repeat(cohort.definitions)[cohort.genotypes.sites["gene"].to_numpy(dtype=int)]
    benign = cohort.variants["points"].to_numpy() <= BENIGN_TO
    known = _is_one(cohort.variants["role"].to_numpy(), *CAUSAL)
    return np.asarray((~benign | known) & ~by_repeat, dtype=bool)


def _per_gene(
    name: str, cohort: AnyCohort, chosen: np.ndarray, genes: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Copies of the chosen sites in each gene and in all.

    Unknown without frequencies or where nothing was assayed.
    """
    known = (
        cohort.lookups.frequencies is not None
        or np.isfinite(cohort.variants["frequency"].to_numpy()).any()
    )
    counts = _gene_matrix(cohort, chosen, np.add)
    if not known:
        counts = np.where(counts > 0, counts, np.nan)
    counts = _unless_assayed(counts, cohort)[:, _positions(cohort.definitions, genes)]
    finite = np.isfinite(counts)
    total = np.where(finite.any(axis=1), np.where(finite, counts, 0.0).sum(axis=1), np.nan)
    return _named(name, genes, counts.T) | {f"{name}_alleles": total}


def _named(
    name: str, genes: tuple[str, ...], columns: "np.ndarray | list[np.ndarray]"
) -> dict[str, np.ndarray]:
    """A column a gene, under the name of both."""
    return {f"{name}_{gene}": column for gene, column in zip(genes, columns, strict=True)}


def _gene_matrix(
    cohort: AnyCohort, chosen: np.ndarray, how: np.ufunc, values: "np.ndarray | None" = None
) -> np.ndarray:
    """Combine copies (or given values of the sites) of the chosen sites, (n, G), 0 where there is
    none.
    """
    alleles = cohort.genotypes.alleles
    matrix = np.zeros((len(cohort), len(gene_names(cohort.definitions))))
    site = alleles["site"].to_numpy()
    hit = chosen[site]
    amount = alleles["copies"].to_numpy(dtype=float) if values is None else values[site]
    how.at(matrix, (alleles["row"].to_numpy()[hit], cohort.genotypes.genes()[hit]), amount[hit])
    return matrix


def _unless_assayed(counts: np.ndarray, cohort: AnyCohort) -> np.ndarray:
    """Unknown where a gene has nothing and was not assayed."""
    return np.where((counts == 0) & ~(cohort.genotypes.assayed >= ASSAYED_FROM), np.nan, counts)


def _burden(cohort: AnyCohort, rare: np.ndarray, counted: np.ndarray) -> dict[str, np.ndarray]:
    """Damaging alleles, evidence points, biallelic and oligogenic findings, and the burden of each
    mechanism.
    """
    role, points = cohort.variants["role"].to_numpy(), cohort.variants["points"].to_numpy()
    damaging = _is_one(role, *CAUSAL) | (
        rare & (points >= DAMAGING_FROM) & ~_is_one(role, "risk", "modifier")
    )
    scored, recessive = scored_genes(cohort.definitions), recessive_genes(cohort.definitions)
    features = _per_gene("damaging", cohort, damaging, scored)
    weighed = (points > 0) & counted
    strength = _unless_assayed(_gene_matrix(cohort, weighed, np.maximum, points), cohort)
    strength = strength[:, _positions(cohort.definitions, scored)]
    features |= _named("points", scored, strength.T)
    copies = np.array([features[f"damaging_{gene}"] for gene in recessive])
    one = _on_one_chromosome(cohort, damaging)[:, _positions(cohort.definitions, recessive)].T
    two = np.where(np.isnan(copies), np.nan, (copies >= 2) & ~one)
    features |= _named("biallelic", recessive, two)
    return features | _over_genes(cohort.definitions, features)


def _on_one_chromosome(cohort: AnyCohort, chosen: np.ndarray) -> np.ndarray:
    """Of which patients all the chosen alleles of a gene lie on one chromosome, (n, G)."""
    gene = cohort.genotypes.sites["gene"].to_numpy()
    pairs = np.zeros((len(cohort), len(gene_names(cohort.definitions))))
    for row, one, other, cis in _known_pairs(cohort):
        if cis and chosen[one] and chosen[other]:
            pairs[row, gene[one]] += 1
    copies = _gene_matrix(cohort, chosen, np.add) if pairs.any() else pairs
    # Of k alleles, one copy each, k (k - 1) / 2 pairs must be known to lie so.
    return np.asarray((pairs > 0) & (pairs == copies * (copies - 1) / 2))


def _over_genes(definitions: Definitions, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sum over genes what is known; unknown where no gene is."""
    stacked = np.array([features[f"damaging_{gene}"] for gene in scored_genes(definitions)])
    known = np.isfinite(stacked)
    part = _taking_part(definitions)
    burden = np.where(part @ known > 0, part @ np.where(known, stacked, 0.0), np.nan)
    several = {"oligogenic": np.where(known.any(axis=0), (stacked > 0).sum(axis=0), np.nan)}
    return several | {
        f"mechanism_{name}": alleles
        for name, alleles in zip(mechanisms(definitions), burden, strict=True)
    }


@derived
def _taking_part(definitions: Definitions) -> np.ndarray:
    """Whether a scored gene takes part in a mechanism, (mechanisms, scored genes), 1 or 0."""
    return np.array(
        [
            [float(gene in genes) for gene in scored_genes(definitions)]
            for genes in mechanisms(definitions).values()
        ]
    )


def _dictionary(spec: FeatureSpec, definitions: Definitions) -> Iterable[Feature]:
    return genetic_dictionary(definitions, spec.benign_counted)


def _compute(
    cohort: AnyCohort, spec: FeatureSpec, values: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    return genetic_features(cohort, spec.genome_build, spec.rare_frequency, spec.benign_counted)


BLOCK = Block(name="genetics", dictionary=_dictionary, compute=_compute)
