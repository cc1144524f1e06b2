"""How rare each kind of variant is in gnomAD r2.1, beside silent variants: where the priors of
`definitions/consequences.tsv` come from.

Selection keeps what harms rare, so that more of a harmful kind is seen in one person only (after
MAPS: Lek 2016, Karczewski 2020, R). Each variant is compared with silent ones of its own kind of
change, transition or transversion, since transitions arise more often. No label of ClinVar is used.
The prior of a kind is that of all variants (0.10) times its excess over that of missense variants,
at least FLOOR (P).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.pathogenicity import BUILD, gnomad_table
from benchmarks.public_tables import reference_data
from features.catalogue import gene_at, gene_names, shipped, variant_key
from features.variants.evidence import PRIOR
from features.variants.lookups import NO_LOOKUPS
from features.variants.variant import describe

FLOOR = 0.01
# A place that few people were looked at for has few singletons for that reason alone (P).
LEAST_ALLELES = 100_000
_TRANSITIONS = {("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")}


def excess(table: pd.DataFrame) -> pd.DataFrame:
    """Singletons of each kind beyond those of silent variants.

    Parameters
    ----------
    table : DataFrame
        `kind`, `transition` and `count` (alleles seen) of each variant.

    Returns
    -------
    DataFrame
        By kind: `n`, `excess`, its standard error `se`, and `prior`.
    """
    single = table["count"] == 1
    silent = table["kind"] == "synonymous"
    expected = single[silent].groupby(table["transition"][silent]).mean()
    more = single.astype(float) - table["transition"].map(expected)
    found = more.groupby(table["kind"]).agg(n="size", excess="mean", se="sem")
    share = found["excess"] / found["excess"]["missense"]
    return found.assign(prior=np.clip(PRIOR * share, FLOOR, PRIOR))


def observed() -> pd.DataFrame:
    """Substitutions of gnomAD r2.1 in panel genes: `kind`, `transition`, `count`."""
    table = gnomad_table()
    table = table[(table["Reference"].str.len() == 1) & (table["Alternate"].str.len() == 1)]
    table = table[table["AN"].astype(float) >= LEAST_ALLELES]
    rows = []
    for chrom, pos, ref, alt, count in zip(
        *(table[n] for n in ("Chromosome", "Position", "Reference", "Alternate", "AC")), strict=True
    ):
        gene = gene_at(shipped(), chrom, int(pos), BUILD)
        if gene >= 0 and int(count) > 0:
            key, name = variant_key(chrom, int(pos), ref, alt), gene_names(shipped())[gene]
            kind = describe(shipped(), key, name, None, BUILD, NO_LOOKUPS).kind
            rows.append((kind, (ref, alt) in _TRANSITIONS, int(count)))
    return pd.DataFrame(rows, columns=["kind", "transition", "count"])


def main(_: Sequence[str] = ()) -> None:
    """Print the excess and the prior of each kind."""
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    print(excess(observed()).round(3).to_string())
