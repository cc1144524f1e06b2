"""One simulated trial, analysed: the test statistic of the treatment for each endpoint, without and
with the prediction as a covariate. Positive = the treated do better.

Slope: analysis of covariance of each patient's rate of decline. Survival: Cox's model, ties after
Breslow. Joint rank (CAFS, Berry 2013, doi:10.3109/21678421.2013.779290): each patient is compared
with every other: who dies first while the other is known to live does worse; else the change of the
ALSFRS-R from baseline to the last visit that both have decides; analysis of covariance of the ranks
of the sums.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from models.survival.partial_likelihood import moments, risk_sets

ENDPOINTS = ("slope", "survival", "joint_rank")
# Newton steps of Cox's model with a few covariates (five are usual), and the move at which it ends.
_STEPS, _STILL = 25, 1e-8
# What rounding leaves of an outcome that is the same for all, as a share of its square.
_ROUNDED = 1e-20


@dataclass(frozen=True)
class Arms:
    """Patients of one trial: `treated` (n,) 0/1; `months` and `event` (n,); `changes` (n, k) of the
    total at each planned visit, NaN missing; `slope` (n,) lost a month, NaN unknown; `usual` (n, c)
    covariates and the `prediction` (n,).
    """

    treated: np.ndarray
    months: np.ndarray
    event: np.ndarray
    changes: np.ndarray
    slope: np.ndarray
    usual: np.ndarray
    prediction: np.ndarray


def statistic(arms: Arms, endpoint: str, with_prediction: bool) -> float:
    """The test statistic of the treatment.

    Parameters
    ----------
    arms : Arms
        One trial.
    endpoint : str
        One of ENDPOINTS.
    with_prediction : bool
        Whether the prediction is a covariate beside the usual ones.

    Returns
    -------
    float
        About standard normal where the treatment does nothing.
    """
    columns = np.column_stack([arms.usual, arms.prediction]) if with_prediction else arms.usual
    if endpoint == "survival":
        return -_cox(arms.treated, columns, arms.months, arms.event)
    if endpoint == "slope":
        kept = np.isfinite(arms.slope)
        return -_linear(arms.treated[kept], columns[kept], arms.slope[kept])
    ranks = rankdata(joint_scores(arms.months, arms.event, arms.changes))
    return _linear(arms.treated, columns, ranks)


def joint_scores(months: np.ndarray, event: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Pairs that each patient wins minus those that he loses.

    Parameters
    ----------
    months, event : arrays (n,)
        Time followed, and whether it ended in the event.
    changes : array (n, k)
        Change of the total from baseline at each planned visit, in order; NaN missing.

    Returns
    -------
    array (n,)
        -(n - 1) to n - 1.

    Examples
    --------
    The first dies; the second has lost more than the third at the last visit that both have.

    >>> months, event = np.array([4.0, 12.0, 12.0]), np.array([1, 0, 0])
    >>> changes = np.array([[-2.0, np.nan], [-3.0, -8.0], [-4.0, -5.0]])
    >>> joint_scores(months, event, changes).tolist()
    [-2.0, 0.0, 2.0]
    """
    result = np.zeros((len(months), len(months)))
    for change in changes.T:
        difference = np.sign(change[:, None] - change[None])
        result = np.where(np.isnan(difference), result, difference)
    dies = (event == 1)[:, None]
    first = dies & (months[:, None] < months[None])
    # Somebody censored on the day of the other's event is known to have lived through it.
    first |= dies & (months[:, None] == months[None]) & (event == 0)[None]
    result = np.where(first, -1.0, np.where(first.T, 1.0, result))
    return np.asarray(result.sum(axis=1))


def _linear(treated: np.ndarray, columns: np.ndarray, outcome: np.ndarray) -> float:
    """T of the treatment in a regression; 0 where it cannot be fitted, or nothing varies."""
    design = np.column_stack([treated, np.ones(len(treated)), columns])
    freedom = len(outcome) - design.shape[1]
    if freedom < 1:
        return 0.0
    inverse = np.linalg.pinv(design.T @ design)
    fitted = inverse @ (design.T @ outcome)
    left = outcome - design @ fitted
    unexplained = float(left @ left)
    if unexplained <= _ROUNDED * float(outcome @ outcome):
        return 0.0
    error = np.sqrt(inverse[0, 0] * unexplained / freedom)
    return float(fitted[0] / error) if error > 0 else 0.0


def _cox(treated: np.ndarray, columns: np.ndarray, months: np.ndarray, event: np.ndarray) -> float:
    """Wald's z of the treatment; 0 where there are no events, or the search does not end."""
    if not event.any():
        return 0.0
    design = np.column_stack([treated, columns])
    design = (design - design.mean(axis=0)) / np.maximum(design.std(axis=0), 1e-9)
    sets, beta = risk_sets(months, event), np.zeros(design.shape[1])
    for _ in range(_STEPS):
        now = moments(design, sets, design @ beta)
        step = np.linalg.pinv(now.curvature) @ now.gradient
        beta = beta + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < _STILL:
            variance = float(np.linalg.pinv(now.curvature)[0, 0])
            return float(beta[0] / np.sqrt(variance)) if variance > 0 else 0.0
    return 0.0
