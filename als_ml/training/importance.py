"""Which features, blocks and disease mechanisms a model leans on, with their spread over folds; contributions per patient."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from als_ml.training.folds import Fold
from features.blocks.biomarkers import SUMMARIES, feature_keys, feature_name
from features.blocks.dictionary import Feature
from features.blocks.rows import FeatureSpec, feature_dictionary
from features.catalogue import analytes, genes


@cache
def _biomarker_mechanisms() -> dict[str, str]:
    table = analytes()["mechanism"]
    return {
        feature_name(analyte, assay, summary): str(table[analyte])
        for analyte, assay in feature_keys()
        for summary in SUMMARIES
    }


@cache
def _gene_mechanisms() -> dict[str, str]:
    return {str(gene): str(text) for gene, text in genes("GRCh38")["mechanisms"].items()}


def mechanisms_of(feature: Feature) -> tuple[str, ...]:
    """Disease mechanisms that a feature speaks of: of its gene, of its analyte, or `none`."""
    if feature.block == "biomarkers":
        return _split(_biomarker_mechanisms().get(feature.name, ""))
    if feature.block != "genetics":
        return ("none",)
    if feature.name.startswith("mechanism_"):
        return (feature.name.removeprefix("mechanism_"),)
    named = [gene for gene in _gene_mechanisms() if gene.lower() in feature.name.lower().split("_")]
    return _split(_gene_mechanisms()[named[0]]) if named else ("none",)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(";") if part and part != "nan") or ("none",)


def grouped(
    values: np.ndarray, features: list[Feature], of: Callable[[Feature], tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """Sum contributions (..., p) by group; a feature of several groups is split evenly among them."""
    total: dict[str, np.ndarray] = {}
    for j, feature in enumerate(features):
        groups = of(feature)
        for group in groups:
            total[group] = total.get(group, np.zeros(values.shape[:-1])) + values[..., j] / len(
                groups
            )
    return total


def block_of(feature: Feature) -> tuple[str, ...]:
    """The block of a feature, as a group."""
    return (feature.block,)


def importance_table(spec: FeatureSpec, folds: list[Fold]) -> list[dict[str, Any]]:
    """Share of each feature, block and mechanism in the mean absolute contributions, with its range over the folds."""
    features = feature_dictionary(spec)
    values = np.array([fold.importance for fold in folds])
    total = values.sum(axis=1, keepdims=True)
    share = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    table = [
        _row("feature", feature.name, share[:, j])
        for j, feature in enumerate(features)
        if share[:, j].any()
    ]
    for kind, of in (("block", block_of), ("mechanism", mechanisms_of)):
        table += [
            _row(kind, name, found)
            for name, found in grouped(share, features, of).items()
            if found.any()
        ]
    return sorted(table, key=lambda row: (row["kind"], -row["share"]))


def _row(kind: str, name: str, share: np.ndarray) -> dict[str, Any]:
    """Mean over folds with a 95 % interval of the folds' spread."""
    half = 1.96 * share.std(ddof=1) if len(share) > 1 else float("nan")
    low, high = max(share.mean() - half, 0.0), share.mean() + half
    return {
        "kind": kind,
        "name": name,
        "share": float(share.mean()),
        "low": float(low),
        "high": float(high),
    }


def contribution_table(
    samples: list[str], contributions: np.ndarray, features: list[Feature]
) -> pd.DataFrame:
    """Contributions (n, p) as rows of sample_id, kind (feature, block, mechanism), name, contribution; zeros left out."""
    parts = {("feature", feature.name): contributions[:, j] for j, feature in enumerate(features)}
    for kind, of in (("block", block_of), ("mechanism", mechanisms_of)):
        parts |= {
            (kind, name): values for name, values in grouped(contributions, features, of).items()
        }
    rows = [
        pd.DataFrame({"sample_id": samples, "kind": kind, "name": name, "contribution": values})
        for (kind, name), values in parts.items()
        if values.any()
    ]
    table = pd.concat(rows, ignore_index=True)
    return table[table["contribution"] != 0].reset_index(drop=True)
