"""Label-conditional conformal limits."""

import numpy as np


def conformal_limits(
    probability: np.ndarray, y: np.ndarray, coverage: float
) -> tuple[float, float]:
    """Label-conditional conformal limits: a label is in the set where 1 - P(label) is at most its
    limit.

    Parameters
    ----------
    probability : array (n,)
        Out-of-fold probability of the positive label.
    y : array (n,)
        0/1 labels.
    coverage : float
        Share of the patients of each label whose set is to hold it, 0 to 1.

    Returns
    -------
    (negative, positive) : float
        The ceil((n + 1) coverage)-th smallest of 1 - P(label) among the n patients of the label, 1
        where n is too small.
        Vovk 2012, "Conditional validity of inductive conformal predictors".
    """
    return _limit(probability[y == 0], coverage), _limit(1 - probability[y == 1], coverage)


def _limit(nonconformity: np.ndarray, coverage: float) -> float:
    rank = int(np.ceil((len(nonconformity) + 1) * coverage))
    return float(np.sort(nonconformity)[rank - 1]) if rank <= len(nonconformity) else 1.0
