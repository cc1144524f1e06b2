"""What to measure next: which unknown input of a model would most likely change its answer.

Each unknown input is set to each decile of the training patients in turn, the others kept; a change
of the class or of the conformal set counts. An approximation: features that are computed from
several inputs are not computed again.
"""

from typing import Any

import numpy as np

from als_ml.prediction.predictor import Predictor

# Unknown inputs tried per patient, by the model's own order of importance; and shown (P).
TRIED, SHOWN = 8, 3


def next_measurements(predictor: Predictor, X: np.ndarray) -> list[list[dict[str, Any]]]:
    """For each row of a model's matrix the unknown inputs by how often they would change the
    answer.

    Returns
    -------
    list of lists of dict
        `feature`, `meaning`, `changes` (share of the training deciles that change class or set), at
        most SHOWN.
    """
    deciles = predictor.training["deciles"]
    tried = [j for j in predictor.used if predictor.names[j] in deciles]
    pairs = [(i, j) for i in range(len(X)) for j in [j for j in tried if np.isnan(X[i, j])][:TRIED]]
    changes = _changes(predictor, X, pairs)
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(X))]
    for (i, j), share in zip(pairs, changes, strict=True):
        if share > 0:
            told = predictor.described[j]
            found[i].append(
                {"feature": told.name, "meaning": told.meaning, "changes": float(share)}
            )
    return [sorted(own, key=lambda one: -one["changes"])[:SHOWN] for own in found]


def _changes(
    predictor: Predictor, X: np.ndarray, pairs: list[tuple[int, int]], size: int = 4000
) -> np.ndarray:
    """Share of the deciles of each (row, column) that change the answer, some at a time."""
    answers = (
        np.array(list(zip(*_answers(predictor, X), strict=True)), dtype=object)
        if len(X)
        else np.empty((0, 2))
    )
    found = np.zeros(len(pairs))
    for start in range(0, len(pairs), size):
        some = pairs[start : start + size]
        cuts = np.array([predictor.training["deciles"][predictor.names[j]] for _, j in some])
        tried = np.repeat(X[[i for i, _ in some]], cuts.shape[1], axis=0)
        columns = np.repeat([j for _, j in some], cuts.shape[1])
        tried[np.arange(len(tried)), columns] = cuts.ravel()
        classes, sets = (
            np.array(a, dtype=object).reshape(cuts.shape) for a in _answers(predictor, tried)
        )
        before = answers[[i for i, _ in some]]
        found[start : start + size] = ((classes != before[:, :1]) | (sets != before[:, 1:])).mean(
            axis=1
        )
    return found


def _answers(predictor: Predictor, X: np.ndarray) -> tuple[list[str], list[str]]:
    return predictor.classes(X, predictor.fitted.probability(X))
