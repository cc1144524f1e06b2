"""Who of the population would be called a carrier: gnomAD r2.1 through the product.

For each gene the carriers per 100,000 people of variants called (likely) pathogenic whose one copy
counts, with Poisson bounds, beside what the gene's share of ALS allows: lifetime risk (1 in 350) x
share / penetrance (`genes.tsv`). A gene whose lower bound is above that is of reduced penetrance,
and its finding says so (`gene_rules.tsv`, penetrance). One copy of a recessive allele does not
count. C9orf72 expansions are not in gnomAD.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2

from als_ml.variant_table.carriers import REDUCED, finding, inheritance_of, shown_class
from benchmarks.pathogenicity import BUILD, gnomad_lookups, gnomad_table
from benchmarks.public_tables import reference_data
from features.catalogue import gene_names, shipped, variant_key
from features.variants.evidence import Sources
from features.variants.variant import LIFETIME_RISK
from features.variants.weigh import weigh

PEOPLE = 100_000
COUNTS = ("causal", "reduced penetrance")


class Carriers(NamedTuple):
    """Carriers of a gene's called variants, per 100,000, and what its share of ALS allows."""

    gene: str
    variants: int
    carriers: float
    low: float
    high: float
    allowed: float
    reduced: bool


def called(known: bool) -> pd.DataFrame:
    """Variants of gnomAD of which one copy is called a cause, with their carriers."""
    table = gnomad_table()
    table = table[table["gene"].isin(gene_names(shipped()))]
    columns = zip(
        table["Chromosome"], table["Position"].astype(int), table["Reference"], table["Alternate"],
        strict=True,
    )  # fmt: skip
    sites = pd.DataFrame({
        "key": [variant_key(*site) for site in columns],
        "gene": [gene_names(shipped()).index(gene) for gene in table["gene"]],
        "effect": None,
    })  # fmt: skip
    sources = Sources(shipped(), BUILD, gnomad_lookups(), known=known)
    found = []
    counts = zip(table["AC"].astype(int), table["AN"].astype(int), table["nhomalt"], strict=True)
    for (variant, assessment), (copies, alleles, twice) in zip(
        weigh(sites, sources), counts, strict=True
    ):
        word = shown_class(shipped(), variant, assessment)
        mode = inheritance_of(shipped(), variant)
        said = finding(word, mode, "heterozygous", second=False)
        if said in COUNTS and alleles:
            row = (variant.key, variant.gene, variant.hgvs_p or variant.hgvs_c, said)
            found.append((*row, copies - int(float(twice or 0)), alleles / 2))
    columns_found = ["key", "gene", "name", "finding", "carriers", "people"]
    return pd.DataFrame(found, columns=columns_found)


def by_gene(table: pd.DataFrame) -> list[Carriers]:
    """Carriers of each gene with their 95 % Poisson bounds, most first."""
    genes = shipped().table("genes").set_index("gene")
    rows = []
    for gene, own in table.groupby("gene"):
        carriers, people = own["carriers"].sum(), own["people"].mean()
        low, high = poisson_bounds(int(carriers))
        share, penetrance = genes.loc[gene, "als_share"], genes.loc[gene, "penetrance"]
        rows.append(
            Carriers(
                gene=str(gene),
                variants=len(own),
                carriers=carriers / people * PEOPLE,
                low=low / people * PEOPLE,
                high=high / people * PEOPLE,
                allowed=PEOPLE * LIFETIME_RISK * float(share or "nan") / float(penetrance or "nan"),
                reduced=bool((own["finding"] == "reduced penetrance").all()),
            )
        )
    return sorted(rows, key=lambda row: -row.carriers)


def poisson_bounds(n: int) -> tuple[float, float]:
    """Exact two-sided 95 % bounds of a Poisson mean of which n were seen.

    >>> [round(bound, 2) for bound in poisson_bounds(10)]
    [4.8, 18.39]
    """
    low = chi2.ppf(0.025, 2 * n) / 2 if n else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * n + 2) / 2)


def main(_: Sequence[str] = ()) -> None:
    """Print the carriers per 100,000 by gene, with known variants and without."""
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    for known in (False, True):
        table = called(known)
        print(f"known variants {'on' if known else 'off'}: carriers per 100,000 (95 % bounds)")
        for row in by_gene(table):
            words = REDUCED if row.reduced else ""
            over = "over" if row.low > row.allowed and not row.reduced else words
            print(
                f"  {row.gene:9s} {row.carriers:7.1f} ({row.low:.1f}-{row.high:.1f})"
                f"  allowed {row.allowed:6.1f}  {row.variants:3d} variants  {over}"
            )
        causal = table[table["finding"] == "causal"]
        total = np.sum(causal["carriers"] / causal["people"]) * PEOPLE
        print(f"  called causal in all: {total:.1f} per 100,000")
        if known:
            most = table.sort_values("carriers", ascending=False).head(15)
            for row in most.itertuples():
                print(f"    {row.gene} {row.name or row.key}: {row.carriers} carriers")
