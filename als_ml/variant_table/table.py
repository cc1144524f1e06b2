"""Every panel variant of a VCF with its evidence, and what it means for each carrier."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.output import write_table
from als_ml.variant_table.carriers import (
    CARRIER_COLUMNS,
    ZYGOSITIES,
    count_carriers,
    shown_class,
)
from features.catalogue import Definitions
from features.errors import DataError
from features.genotypes.file_calls import check_reference, reference_agreement
from features.genotypes.genotype import SITE_TYPES, DistinctSites, Site, typed_table
from features.genotypes.vcf import CallRule, Sites, read_sites, site_query
from features.tables.problems import Problems
from features.variants.evidence import Assessment, Sources
from features.variants.lookups import Lookups, predicted_effects
from features.variants.sequences import unresolved_genes
from features.variants.variant import Variant, inheritance
from features.variants.weigh import Weighed, weigh

COLUMNS = (
    "variant",
    "gene",
    "consequence",
    "consequence_origin",
    "transcript",
    "hgvs_c",
    "hgvs_p",
    "codons",
    "possible_consequences",
    "legacy_name",
    "known_role",
    "frequency",
    "frequency_origin",
    "revel",
    "alphamissense",
    "cadd",
    "spliceai",
    "clinvar",
    "clinvar_stars",
    "inheritance",
    "points",
    "class",
    "pathogenicity",
    "evidence",
)


def variant_table(
    path: Path,
    build: str,
    lookups: Lookups,
    sources: Sources,
    rule: CallRule,
    fasta: Path | None,
    gff: Path | None,
    carriers: Path | None = None,
) -> tuple[pd.DataFrame, Problems]:
    """Describe and assess every panel variant of a VCF, with or without samples.

    Write who carries what to `carriers`.

    Returns
    -------
    variants : DataFrame
        One row a variant (`COLUMNS`), with the number of carriers by zygosity where the file has
        genotypes.
    problems : Problems
        Counts and warnings of the reading.
    """
    definitions, problems = sources.definitions, Problems()
    query = site_query(definitions, path, build, fasta)
    sites = read_sites(query)
    agrees = reference_agreement(definitions, sites.names())
    check_reference([agrees], build, str(path), problems)
    distinct, repeated = _distinct_sites(sites)
    if fasta is not None:
        effects = predicted_effects(definitions, list(distinct["key"]), build, fasta, gff)
        lookups = replace(lookups, effects=effects)
    weighed = weigh(distinct, replace(sources, lookups=lookups))
    rows = [_row(definitions, *pair) for pair in weighed]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if query.header.samples and "GT" in query.header.formats:
        counts, missing = count_carriers(query, rule, weighed, repeated, carriers)
        table = table.assign(**{f"n_{name}": counts[:, i] for i, name in enumerate(ZYGOSITIES)})
        problems.note(
            str(path), f"{len(query.header.samples)} samples, {missing} missing genotypes", ""
        )
    elif carriers is not None:
        write_table(pd.DataFrame(columns=list(CARRIER_COLUMNS)), carriers)
    inside = sites.gene >= 0
    reason = (
        f"{int(inside.sum())} panel records, {int((inside & ~sites.passed).sum())} of them filtered"
        " (not called)"
    )
    problems.note(str(path), f"{reason}, {len(repeated)} alleles in more than one record", "")
    _note_missing_sequences(definitions, path, weighed, problems)
    return table, problems


def _note_missing_sequences(
    definitions: Definitions, path: Path, weighed: list[Weighed], problems: Problems
) -> None:
    """Say once of which genes the file's consequences rest on less than their sequence."""
    by_model = {v.gene for v, _ in weighed if v.consequence_origin == "gene model"}
    lacking = {g: p for g, p in unresolved_genes(definitions).items() if g in by_model}
    ways = {True: "consequences by protein", False: "consequences mostly unresolved"}
    for by_protein, words in ways.items():
        names = sorted(gene for gene, protein in lacking.items() if protein == by_protein)
        if names:
            remedy = "A FASTA (--fasta) or an annotated VCF completes them."
            problems.note(
                str(path), f"coding sequence of {', '.join(names)} not here: {words}", remedy
            )


def _distinct_sites(sites: Sites) -> tuple[pd.DataFrame, set[str]]:
    """Each allele of the panel once, in genomic order, and the keys that several records have."""
    rows: list[Site] = [
        (key, int(sites.gene[i]), sites.effect(i, index))
        for i in np.flatnonzero(sites.gene >= 0).tolist()
        for index, key in enumerate(sites.keys(i))
        if key
    ]
    distinct = DistinctSites()
    distinct.numbers_of(rows)
    times = Counter(row[0] for row in rows)
    return typed_table(distinct.ordered()[0], SITE_TYPES), {
        key for key, n in times.items() if n > 1
    }


def _possible_terms(variant: Variant) -> list[str]:
    """Possible consequences, where there is more than one."""
    terms = sorted({effect.consequence for effect in variant.possible})
    return terms if len(terms) > 1 else []


def _row(definitions: Definitions, variant: Variant, assessment: Assessment) -> tuple[object, ...]:
    scores = (variant.scores.get(name) for name in ("revel", "alphamissense", "cadd", "spliceai"))
    asserted = (
        (variant.clinvar.significance, variant.clinvar.stars) if variant.clinvar else (None, None)
    )
    weighed = (
        assessment.points,
        shown_class(definitions, variant, assessment),
        assessment.pathogenicity,
        assessment.text,
    )
    return (
        variant.key,
        variant.gene,
        variant.consequence or None,
        variant.consequence_origin or None,
        variant.transcript or None,
        variant.hgvs_c or None,
        variant.hgvs_p or None,
        ">".join(variant.codons) or None,
        "|".join(_possible_terms(variant)) or None,
        variant.legacy_name or None,
        variant.role or None,
        variant.frequency,
        variant.frequency_origin or None,
        *scores,
        *asserted,
        inheritance(definitions, variant.gene),
        *weighed,
    )


def reference_path(path: str | None, option: str) -> Path | None:
    """Path of an optional reference file.

    Raises
    ------
    DataError
        If it was given and is absent.
    """
    if path is not None and not Path(path).is_file():
        raise DataError(f"{option} {path}", "there is no such file", "Correct the path.")
    return Path(path) if path else None
