"""Which features, blocks and disease mechanisms a model leans on, with their spread over folds."""

from functools import partial

import numpy as np

from als_ml.prediction.explanations import block_of, grouped, mechanisms_of
from als_ml.training.folds import Fold
from als_ml.training.tables import ImportanceRow
from features.blocks.rows import feature_dictionary
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions


def importance_table(
    definitions: Definitions, spec: FeatureSpec, folds: list[Fold]
) -> list[ImportanceRow]:
    """Share of each feature, block and mechanism in the mean absolute contributions, with its range
    over the folds.
    """
    features = feature_dictionary(spec, definitions)
    values = np.array([fold.importance for fold in folds])
    total = values.sum(axis=1, keepdims=True)
    share = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    table = [
        _row("feature", feature.name, share[:, j])
        for j, feature in enumerate(features)
        if share[:, j].any()
    ]
    for kind, of in (("block", block_of), ("mechanism", partial(mechanisms_of, definitions))):
        table += [
            _row(kind, name, share_of)
            for name, share_of in grouped(share, features, of).items()
            if share_of.any()
        ]
    return sorted(table, key=lambda row: (row["kind"], -row["share"]))


def _row(kind: str, name: str, share: np.ndarray) -> ImportanceRow:
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
