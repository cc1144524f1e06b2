"""Every panel variant of a VCF with its evidence, and what it means for each carrier."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.catalogue import gene_names
from features.errors import DataError
from features.evidence import Assessment, Sources, assess
from features.genotypes import SITE_TYPES, Genotypes, numbered_sites, typed_table
from features.lookups import Lookups, predicted_effects
from features.problems import Problems
from features.reading import read_genotypes
from features.variants import Variant, describe, inheritance
from features.vcf import CallRule, read_header, read_sites, site_query

COLUMNS = (
    "variant",
    "gene",
    "consequence",
    "consequence_origin",
    "transcript",
    "hgvs_c",
    "hgvs_p",
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
CARRIER_COLUMNS = ("sample_id", "variant", "gene", "zygosity", "class", "inheritance", "finding")
ZYGOSITIES = ("heterozygous", "homozygous", "hemizygous")


def variant_tables(
    path: Path, build: str, lookups: Lookups, sources: Sources, rule: CallRule, fasta: Path | None, gff: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, Problems]:
    """Describe and assess every panel variant of a VCF, with or without samples.

    Returns
    -------
    variants : DataFrame
        One row a variant (`COLUMNS`), with the number of carriers by zygosity where the file has genotypes.
    carriers : DataFrame
        One row a carried variant and sample (`CARRIER_COLUMNS`).
    problems : Problems
        Counts and warnings of the reading.
    """
    problems, header = Problems(), read_header(path)
    sites = _all_sites(path, build, fasta)
    if fasta is not None:
        lookups = replace(lookups, effects=predicted_effects(list(sites["key"]), build, fasta, gff))
    described = [
        describe(key, gene_names()[gene], effect, build, lookups)
        for key, gene, effect in zip(sites["key"], sites["gene"], sites["effect"], strict=True)
    ]
    assessed = [assess(variant, replace(sources, lookups=lookups)) for variant in described]
    table = pd.DataFrame([_row(v, a) for v, a in zip(described, assessed, strict=True)], columns=list(COLUMNS))
    if not header.samples or "GT" not in header.formats:
        return table, pd.DataFrame(columns=list(CARRIER_COLUMNS)), problems
    rows = {name: i for i, name in enumerate(header.samples)}
    genotypes, counts = read_genotypes([path], build, rows, len(rows), problems, rule=rule, fasta=fasta)
    problems.note(str(path), ", ".join(f"{n} {name}" for name, n in counts.items()), "")
    carriers = carrier_table(genotypes, dict(zip(sites["key"], zip(described, assessed, strict=True), strict=True)))
    carriers["sample_id"] = pd.Categorical.from_codes(carriers.pop("row").to_numpy(dtype=int), list(header.samples))
    return _with_counts(table, carriers), carriers[list(CARRIER_COLUMNS)], problems


def _all_sites(path: Path, build: str, fasta: Path | None) -> pd.DataFrame:
    """Each allele of the panel once, in genomic order."""
    sites = read_sites(site_query(path, build, fasta))
    rows = [
        (key, int(sites.gene[i]), sites.effect(i, index))
        for i in np.flatnonzero(sites.gene >= 0).tolist()
        for index, key in enumerate(sites.keys(i))
        if key
    ]
    none = {name: np.empty(0, dtype=int) for name in ("row", "site", "copies", "ploidy")}
    return numbered_sites(typed_table(rows, SITE_TYPES), none)[0]


def _row(variant: Variant, assessment: Assessment) -> tuple[Any, ...]:
    scores = (variant.scores.get(name) for name in ("revel", "alphamissense", "cadd", "spliceai"))
    asserted = (variant.clinvar.significance, variant.clinvar.stars) if variant.clinvar else (None, None)
    weighed = (assessment.points, shown_class(variant, assessment), assessment.pathogenicity, assessment.text)
    return (
        variant.key,
        variant.gene,
        variant.consequence or None,
        variant.consequence_origin or None,
        variant.transcript or None,
        variant.hgvs_c or None,
        variant.hgvs_p or None,
        variant.legacy_name or None,
        variant.role or None,
        variant.frequency,
        variant.frequency_origin or None,
        *scores,
        *asserted,
        inheritance(variant.gene),
        *weighed,
    )


def shown_class(variant: Variant, assessment: Assessment) -> str:
    """Class of a variant; alleles of risk genes and modifiers are never given a Mendelian one."""
    if variant.role in ("risk", "modifier") or inheritance(variant.gene) in ("risk", "modifier"):
        return "risk"
    return assessment.classification


def carrier_table(genotypes: Genotypes, weighed: dict[str, tuple[Variant, Assessment]]) -> pd.DataFrame:
    """What each carried variant means for its carrier: `row`, `variant`, `gene`, `zygosity`, `class`, `finding`, ...

    Texts are categories, so that millions of carriers take some bytes each.
    """
    alleles, pairs = genotypes.alleles, [weighed[key] for key in genotypes.sites["key"]]
    site = alleles["site"].to_numpy()
    per_site = {
        "variant": [variant.key for variant, _ in pairs],
        "gene": [variant.gene for variant, _ in pairs],
        "class": [shown_class(*pair) for pair in pairs],
        "inheritance": [_inheritance_of(variant) for variant, _ in pairs],
    }
    found = pd.DataFrame({"row": alleles["row"].to_numpy()})
    for name, values in per_site.items():
        found[name] = pd.Categorical(values).take(site)
    copies, ploidy = alleles["copies"].to_numpy(), alleles["ploidy"].to_numpy()
    code = np.select([ploidy == 1, copies >= ploidy], [np.int8(2), np.int8(1)], np.int8(0))
    found["zygosity"] = pd.Categorical.from_codes(code, list(ZYGOSITIES))
    found["second"] = _second_allele(found)
    return found.assign(finding=_findings(found)).drop(columns="second")


def _second_allele(found: pd.DataFrame) -> np.ndarray:
    """Whether the carrier has another (likely) pathogenic variant in the same gene, both of recessive kind."""
    chosen = (found["class"].isin(["P", "LP"]) & (found["inheritance"] == "recessive")).to_numpy()
    pair = found["row"].to_numpy(dtype=np.int64) * (len(gene_names()) + 1) + found["gene"].cat.codes.to_numpy()
    distinct, times = np.unique(pair[chosen], return_counts=True)
    return chosen & np.isin(pair, distinct[times >= 2])


def _findings(found: pd.DataFrame) -> pd.Categorical:
    """Ask `finding` once for each combination that occurs."""
    columns = [found[name].cat for name in ("class", "inheritance", "zygosity")]
    number = found["second"].to_numpy().astype(np.int16)
    for column in columns:
        number = number * np.int16(len(column.categories)) + column.codes.to_numpy().astype(np.int16)
    _, first, inverse = np.unique(number, return_index=True, return_inverse=True)
    rows = found.iloc[first][["class", "inheritance", "zygosity", "second"]].itertuples(index=False)
    told = [finding(*values) for values in rows]
    names = sorted(set(told))
    return pd.Categorical.from_codes(np.array([names.index(t) for t in told], dtype=np.int8)[inverse], names)


def _inheritance_of(variant: Variant) -> str:
    """Inheritance that a variant follows: its own role's, else its gene's."""
    own = {"causal_dominant": "dominant", "causal_recessive": "recessive", "causal_xlinked": "x_linked"}
    return own.get(variant.role, inheritance(variant.gene))


def finding(classification: str, mode: str, zygous: str, second: bool) -> str:
    """Say what a class means for a carrier, by zygosity and inheritance.

    >>> finding("P", "dominant", "heterozygous", False), finding("P", "recessive", "heterozygous", False)
    ('causal', 'carrier of one recessive allele')
    >>> finding("LP", "recessive", "heterozygous", True), finding("risk", "dominant", "homozygous", False)
    ('possible compound heterozygote', 'risk allele')
    """
    if classification == "risk":
        return "risk allele"
    if classification not in ("P", "LP"):
        return "uncertain" if classification == "VUS" else "benign"
    if mode != "recessive" or zygous != "heterozygous":
        return "causal"
    return "possible compound heterozygote" if second else "carrier of one recessive allele"


def _with_counts(table: pd.DataFrame, carriers: pd.DataFrame) -> pd.DataFrame:
    counts = pd.crosstab(carriers["variant"], carriers["zygosity"]).reindex(columns=list(ZYGOSITIES), fill_value=0)
    counts = counts.reindex(table["variant"], fill_value=0).reset_index(drop=True)
    return table.assign(**{f"n_{name}": counts[name].to_numpy() for name in ZYGOSITIES})


def check_reference(path: str | None, option: str) -> Path | None:
    """Path of an optional reference file.

    Raises
    ------
    DataError
        If it was given and is absent.
    """
    if path is not None and not Path(path).is_file():
        raise DataError(f"{option} {path}", "there is no such file", "Correct the path.")
    return Path(path) if path else None
