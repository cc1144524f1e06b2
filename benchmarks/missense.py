"""A small missense model of our own, and why it is not in the product.

A logistic regression on starred ClinVar missense of 2020 in panel genes (the unstarred as a
sensitivity analysis). It looks at nothing of the gene as such and never at the variant's own
frequency: the substitution (BLOSUM62, glycine lost, proline gained), how many other missense
variants gnomAD has nearby and around, how near the next common one is, and how varied the sequence
is. Each gene is scored by a model that saw nothing of it, and training leaves out the variants of
the known table. Features and penalty were chosen before any figure was seen, and not changed.

It does not order variants within a gene better than BLOSUM62 alone, so no criterion rests on it.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.pathogenicity import BUILD, described, gnomad_table, interval, records
from benchmarks.public_tables import reference_data
from features.catalogue import Definitions, derived, shipped
from features.variants.annotation import protein_change
from features.variants.consequences import ModelEffect, model_effect
from features.variants.sequences import coding_sequences
from features.variants.variant import known_rows

FEATURES = (
    "blosum62",
    "glycine_lost",
    "proline_gained",
    "missense_nearby",
    "missense_around",
    "log_distance_to_common",
    "entropy",
)
# Residues on both sides that count as nearby, and as around; the sequence is looked at for WINDOW.
NEARBY, AROUND, WINDOW = 10, 50, 15
FARTHEST = 100
# Allele frequency from which a missense variant is called common here (P).
COMMON = 1e-4


class Change(NamedTuple):
    """A missense variant of the population; `after` is `?` where it is not known."""

    residue: int
    after: str
    common: bool


class Model(NamedTuple):
    """Standardised coefficients in the order of FEATURES."""

    mean: np.ndarray
    scale: np.ndarray
    coefficient: np.ndarray
    intercept: float


@cache
def population_changes() -> dict[str, list[Change]]:
    """Passing missense SNVs of gnomAD r2.1 by gene."""
    found: dict[str, list[Change]] = {}
    for row in gnomad_table().itertuples():
        if "PASS" not in (row.Filters_exomes, row.Filters_genomes):
            continue
        alleles = (int(row.Position), row.Reference, row.Alternate)
        effect = model_effect(shipped(), row.gene, *alleles, BUILD)
        after = _residue_after(effect) if effect and len(row.Reference + row.Alternate) == 2 else ""
        if effect and effect.residue and after:
            common = float(row.AF or 0) >= COMMON
            found.setdefault(row.gene, []).append(Change(effect.residue, after, common))
    return found


def _residue_after(effect: ModelEffect) -> str:
    """New residue of a missense change, `?` where several are possible; empty of another."""
    if {p.consequence for p in effect.possible} == {"missense_variant"}:
        afters = {p.change[1] for p in effect.possible if p.change}
        return afters.pop() if len(afters) == 1 else "?"
    change = protein_change(effect.hgvs_p)
    return change[2] if change and effect.consequence == "missense_variant" else ""


def missense_features(
    definitions: Definitions, gene: str, residue: int, change: tuple[str, str]
) -> np.ndarray:
    """Features of a substitution, in the order of FEATURES; NaN where the tables say nothing.

    Parameters
    ----------
    definitions : Definitions
        Whose sequences, matrix and population variants count.
    gene : str
        Symbol.
    residue : int
        The initiator methionine is 1.
    change : (str, str)
        Residue before and after, one letter each.

    Returns
    -------
    ndarray of shape (7,)
    """
    before, after = change
    nearby, around, common = _population(definitions, gene, residue, after)
    return np.array(
        [
            _matrix(definitions)[before, after],
            float(before == "G"),
            float(after == "P"),
            nearby,
            around,
            common,
            _entropy(definitions, gene, residue),
        ]
    )


@derived
def _matrix(definitions: Definitions) -> dict[tuple[str, str], float]:
    table = definitions.table("substitution").set_index("residue")
    return {(a, b): float(table.loc[a, b]) for a in table.index for b in table.columns}


def _population(
    definitions: Definitions, gene: str, residue: int, after: str
) -> tuple[float, float, float]:
    """Missense variants a residue nearby and around, and log distance to the next common one.

    The variant itself is left out, and what may be it.
    """
    changes = population_changes().get(gene)
    if changes is None:
        return float("nan"), float("nan"), float("nan")
    others = [c for c in changes if c.residue != residue or c.after not in (after, "?")]
    distances = np.array([abs(c.residue - residue) for c in others])
    length = len(coding_sequences(definitions)[gene].codons) - 1
    common = [abs(c.residue - residue) for c in others if c.common]
    nearest = min([FARTHEST, *common])
    return (
        _density(distances, residue, NEARBY, length),
        _density(distances, residue, AROUND, length),
        float(np.log1p(nearest)),
    )


def _density(distances: np.ndarray, residue: int, reach: int, length: int) -> float:
    first, last = max(1, residue - reach), min(length, residue + reach)
    return float(np.sum(distances <= reach) / (last - first + 1))


def _entropy(definitions: Definitions, gene: str, residue: int) -> float:
    """Shannon entropy (bits) of the residues around: low in repeats and glycine-rich domains."""
    residues = coding_sequences(definitions)[gene].residues
    around = residues[max(0, residue - 1 - WINDOW) : residue + WINDOW]
    known = [next(iter(possible)) for possible in around if len(possible) == 1]
    if not known:
        return float("nan")
    shares = np.array(list(Counter(known).values())) / len(known)
    return float(-(shares * np.log2(shares)).sum())


def apply(model: Model, features: np.ndarray) -> float:
    """Probability of a row of features; what is not known counts as the mean."""
    standard = np.nan_to_num((features - model.mean) / model.scale)
    return float(1 / (1 + np.exp(-((standard * model.coefficient).sum() + model.intercept))))


# A penalty of 1 on standardised features, not searched for: 100 records choose no better (P).
PENALTY = 1.0


def missense_records() -> pd.DataFrame:
    """Missense records: `gene`, `features`, `pathogenic`, `starred`, `known`, and what it is."""
    table = records()
    variants = described(table, frequencies=True)
    kept = [v.kind == "missense" and v.change is not None for v in variants]
    table = table[kept].assign(variant=[v for v, k in zip(variants, kept, strict=True) if k])
    rows = known_rows(shipped(), BUILD)
    return table.assign(
        known=[key in rows for key in table["key"]],
        starred=~table["revstat"].str.startswith("no assertion"),
        features=[
            missense_features(shipped(), v.gene, v.residue, v.change) for v in table["variant"]
        ],
    ).reset_index(drop=True)


def fit(table: pd.DataFrame) -> Model:
    """Logistic regression on standardised features; what is not known counts as the mean."""
    x = np.stack(table["features"].tolist())
    mean, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    scale[scale == 0] = 1.0
    standard = np.nan_to_num((x - mean) / scale)
    fitted = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=1000)
    fitted.fit(standard, table["pathogenic"])
    return Model(mean, scale, fitted.coef_[0], float(fitted.intercept_[0]))


def scores_out_of_gene(table: pd.DataFrame) -> np.ndarray:
    """Score of each record by a model that saw nothing of its gene, nor of the known table."""
    score = np.empty(len(table))
    for gene in table["gene"].unique():
        own = (table["gene"] == gene).to_numpy()
        model = fit(table[~own & ~table["known"]])
        score[own] = [apply(model, row) for row in table["features"][own]]
    return score


def within_genes(table: pd.DataFrame, score: np.ndarray) -> tuple[float, int]:
    """Share of pairs of a P and a B of one gene in the right order, and the number of pairs."""
    right, pairs = 0.0, 0
    for _, own in table.groupby("gene"):
        truth = own["pathogenic"].to_numpy()
        if truth.any() and not truth.all():
            n = int(truth.sum() * (~truth).sum())
            right += roc_auc_score(truth, score[own.index]) * n
            pairs += n
    return right / pairs, pairs


def main(_: Sequence[str] = ()) -> None:
    """Print the figures out of gene: starred, and with the unstarred."""
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    table = missense_records()
    starred = table[table["starred"]].reset_index(drop=True)
    for title, own in (("starred", starred), ("with unstarred", table)):
        _print(title, own, scores_out_of_gene(own))


def _print(title: str, table: pd.DataFrame, score: np.ndarray) -> None:
    truth = table["pathogenic"].to_numpy()
    rate = table.groupby("gene")["pathogenic"].transform("mean").to_numpy()
    blosum = -np.array([row[0] for row in table["features"]])
    frequency = -np.array([float(v.frequency or 0.0) for v in table["variant"]])
    print(f"{title}: {truth.sum()} P/LP, {(~truth).sum()} B/LB")
    for name, values in (
        ("model, without frequency", score),
        ("frequency alone", frequency),
        ("the gene's own rate", rate),
        ("BLOSUM62 alone", blosum),
    ):
        inside, pairs = within_genes(table, values)
        print(f"  {name:25s} {interval(truth, values)}, within genes {inside:.3f} ({pairs} pairs)")
