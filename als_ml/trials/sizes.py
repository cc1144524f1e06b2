"""Sizes of trials by formula: two arms of equal size, two-sided.

The difference of two means as R's `power.t.test` has it (the noncentral t distribution), the events
of a survival trial after Schoenfeld 1981 (doi:10.1093/biomet/68.1.316). Adjusting for a covariate
leaves the share 1 - R2 of the outcome's variance, for a linear outcome alone (PROCOVA; EMA
qualification opinion of 2022, Schuler 2022, doi:10.1515/ijb-2021-0072); R2 counts beyond what the
trial adjusts for anyway.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, norm
from scipy.stats import t as t_distribution

# Two-sided level, and the largest trial that is looked for (P).
ALPHA, LARGEST = 0.05, 100_000.0


def power_of_difference(per_arm: float, sd: float, difference: float) -> float:
    """Power of the t test for the difference of two means.

    Parameters
    ----------
    per_arm : float
        Patients in each arm.
    sd : float
        Of the outcome, within arms.
    difference : float
        That there is, in the same unit.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    R 4.2.2: `power.t.test(n = 20, delta = 1, sd = 1)$power` is 0.8689528.

    >>> round(power_of_difference(20, 1.0, 1.0), 7)
    0.8689528
    """
    freedom = 2 * (per_arm - 1)
    limit = t_distribution.isf(ALPHA / 2, freedom)
    shift = np.sqrt(per_arm / 2) * abs(difference) / sd
    return float(nct.sf(limit, freedom, shift))


def patients_for_difference(sd: float, difference: float, power: float) -> float:
    """Patients in each arm that the t test needs, not rounded.

    Parameters
    ----------
    sd, difference : float
        As in `power_of_difference`.
    power : float
        0 to 1.

    Returns
    -------
    float
        NaN where no trial is large enough.

    Examples
    --------
    R 4.2.2: `power.t.test(power = 0.9, delta = 1)$n` is 22.02110.

    >>> round(patients_for_difference(1.0, 1.0, 0.9), 3)
    22.021
    """
    if not abs(difference) > 0 or power_of_difference(LARGEST, sd, difference) < power:
        return float("nan")
    if power_of_difference(2.0, sd, difference) >= power:
        return 2.0
    return float(
        brentq(lambda n: power_of_difference(n, sd, difference) - power, 2.0, LARGEST, xtol=1e-6)
    )


def events_for_hazard_ratio(ratio: float, power: float) -> float:
    """Events in both arms that the log-rank test needs (Schoenfeld 1981), not rounded.

    Parameters
    ----------
    ratio : float
        Hazard of the treated over that of the others.
    power : float
        0 to 1.

    Returns
    -------
    float
        Infinite for a ratio of 1.

    Examples
    --------
    By hand, 4 (1.95996 + 0.84162)^2 / ln(1.5)^2 events in all.

    >>> round(events_for_hazard_ratio(1.5, 0.8), 1)
    191.0
    """
    z = norm.isf(ALPHA / 2) + norm.ppf(power)
    with np.errstate(divide="ignore"):
        return float(4 * z**2 / np.log(ratio) ** 2)


def partial_r2(outcome: np.ndarray, usual: np.ndarray, covariate: np.ndarray) -> float:
    """Share of the variance that the usual covariates leave which one more explains, with the
    freedom that it costs.

    Parameters
    ----------
    outcome : array (n,)
        Known.
    usual : array (n, k)
        What the trial adjusts for anyway.
    covariate : array (n,)
        The prediction, out of fold.

    Returns
    -------
    float
        0 to 1; 0 where it explains nothing.
    """
    before = _residual_variance(outcome, usual)
    after = _residual_variance(outcome, np.column_stack([usual, covariate]))
    return max(0.0, 1 - after / before) if before > 0 else 0.0


def drawn_r2(
    outcome: np.ndarray, usual: np.ndarray, covariate: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """`partial_r2` of each draw of a bootstrap.

    Parameters
    ----------
    outcome, usual, covariate : arrays
        As in `partial_r2`.
    weights : array (draws, n)
        How often each patient is drawn.

    Returns
    -------
    array (draws,)
        0 to 1.
    """
    before, after = (
        _drawn_variance(outcome, columns, weights)
        for columns in (usual, np.column_stack([usual, covariate]))
    )
    return np.maximum(0.0, 1 - after / before)


def _drawn_variance(outcome: np.ndarray, columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Residual variance of each draw by its normal equations."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    y, p = outcome - outcome.mean(), design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(y), -1)
    left = np.linalg.pinv((weights @ products).reshape(-1, p, p), hermitian=True)
    right = weights @ (design * y[:, None])
    explained = np.einsum("mi,mij,mj->m", right, left, right)
    return (weights @ y**2 - explained) / (weights.sum(axis=1) - p)


def residual_sd(outcome: np.ndarray, columns: np.ndarray) -> float:
    """SD of an outcome around its regression on some columns.

    Parameters
    ----------
    outcome : array (n,)
        Known.
    columns : array (n, k)
        Without gaps; no column is the mean alone.

    Returns
    -------
    float
        In the outcome's unit.
    """
    return float(np.sqrt(_residual_variance(outcome, columns)))


def _residual_variance(outcome: np.ndarray, columns: np.ndarray) -> float:
    design = np.column_stack([np.ones(len(outcome)), columns])
    left = outcome - design @ np.linalg.lstsq(design, outcome)[0]
    return float(left @ left) / max(len(outcome) - design.shape[1], 1)
