"""How far a score is to be believed where values are unknown, learned from masked copies of the
training patients.

A model that was trained on nearly complete patients says too much of one with half of the values
unknown: filled values stand for the truth. Its log-odds are drawn towards their centre by `fade` x
the share of the model that is unknown.
"""

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression

# Shares of the values that are removed from the copies, and the most that is taken from a score
# (P).
REMOVED = (0.2, 0.4, 0.6)
MOST_FADE = 0.95
# Patients of whom copies are made; more of them tell the fade no better (P).
MOST_COPIED = 1000
# Rows whose weights stay in a processor's cache.
_ROWS = 512


def unknown_share(X: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Share of the model's weight in the unknown values of each row of an (n, p) matrix.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    weight : array (p,)
        Weight of each column in the model.

    Returns
    -------
    array (n,)
        0 to 1.
    """
    lost = np.empty(len(X))
    for start in range(0, len(X), _ROWS):
        rows = slice(start, start + _ROWS)
        unknown = np.ascontiguousarray(np.isnan(X[rows]))
        lost[rows] = (unknown * weight).sum(axis=1)
    return lost / max(float(weight.sum()), np.finfo(float).tiny)


def fitted_fade(
    score: Callable[[np.ndarray], np.ndarray],
    centre: float,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    seed: int,
) -> float:
    """Fade of a model's scores, 0..MOST_FADE: the ratio in log-odds = a + b (score - centre) (1 -
    fade x share).

    Parameters
    ----------
    centre : float
        Log-odds that scores are drawn to.
    seed : int
        Chooses what is masked.
    score : callable
        Raw scores of a matrix.
    X, y, weight : arrays (n, p), (n,), (p,)
        Training patients and the weight of each column in the model.

    Returns
    -------
    float
        0 where unknown values do not spoil the score.
    """
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(X))[:MOST_COPIED]
    copies = [_masked(X[some], share, rng) for share in REMOVED]
    moved = np.concatenate([score(copy) for copy in copies]) - centre
    share = np.concatenate([unknown_share(copy, weight) for copy in copies])
    labels = np.tile(y[some], len(copies)).astype(int)
    if len(np.unique(labels)) < 2 or not np.ptp(moved):
        return 0.0
    spread = moved.std()
    design = np.column_stack([moved / spread, -moved / spread * share])
    whole, taken = LogisticRegression(C=np.inf, max_iter=1000).fit(design, labels).coef_[0]
    return float(np.clip(taken / whole, 0.0, MOST_FADE)) if whole > 0 else 0.0


def _masked(X: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(X.shape) < share, np.nan, X)
