"""How many patients a model needs: Riley's four criteria for a binary outcome (BMJ 2020,
doi:10.1136/bmj.m441).
"""

from math import ceil, exp, log

import numpy as np

# What the criteria ask: predictors shrunk by at most 10 %, an optimism of Nagelkerke's R2 of at
# most 0.05, the mean risk to within 0.05, and a mean absolute error of the probabilities of at most
# 0.05.
_SHRINKAGE, _OPTIMISM, _RISK, _ERROR = 0.9, 0.05, 0.05, 0.05


def sample_sizes(parameters: float, prevalence: float, r2: float) -> dict[str, int]:
    """Patients needed by each criterion.

    Parameters
    ----------
    parameters : float
        Degrees of freedom of the model.
    prevalence : float
        Share of positives; the fourth criterion takes that of the rarer label.
    r2 : float
        Cox and Snell's R2 that the model has in new patients, above 0.

    Returns
    -------
    dict
        `shrinkage` (Riley 2019, doi:10.1002/sim.7992, equation 11), `optimism` (equations 11 and
        23), `mean risk`
        (1.96 / 0.05)^2 phi (1 - phi), and `error` (van Smeden 2019, doi:10.1177/0962280218784726,
        equation of the mean
        absolute prediction error, made for up to 30 parameters).

    Examples
    --------
    The example of the program pmsampsize:

    >>> sample_sizes(24, 0.174, 0.288)
    {'shrinkage': 623, 'optimism': 662, 'mean risk': 221, 'error': 801}
    """
    largest = 1 - exp(2 * (prevalence * log(prevalence) + (1 - prevalence) * log(1 - prevalence)))
    rarer = min(prevalence, 1 - prevalence)
    error = (-0.508 + 0.259 * log(rarer) + 0.504 * log(parameters) - log(_ERROR)) / 0.544
    return {
        "shrinkage": _for_shrinkage(parameters, r2, _SHRINKAGE),
        "optimism": _for_shrinkage(parameters, r2, r2 / (r2 + _OPTIMISM * largest)),
        "mean risk": ceil((1.96 / _RISK) ** 2 * prevalence * (1 - prevalence)),
        "error": ceil(exp(error)),
    }


def _for_shrinkage(parameters: float, r2: float, shrinkage: float) -> int:
    return ceil(parameters / ((shrinkage - 1) * log(1 - r2 / shrinkage)))


def r2_of(loss: float, prevalence: float) -> float:
    """Cox and Snell's R2 from a mean log loss: 1 - exp(2 (loss - loss of the prevalence)).

    Parameters
    ----------
    loss : float
        Mean log loss, nats.
    prevalence : float
        Of the positive label, 0 to 1.

    Returns
    -------
    float
        Negative where the prevalence alone is better.

    Examples
    --------
    >>> round(r2_of(0.5, 0.5), 4), r2_of(0.7, 0.5) < 0
    (0.3204, True)
    """
    null = -(prevalence * log(prevalence) + (1 - prevalence) * log(1 - prevalence))
    return 1 - exp(2 * (loss - null))


def effective_parameters(n: int, new: float, apparent: float) -> float:
    """Degrees of freedom that a fit spent, whatever was fitted: n x (log loss in new patients -
    apparent log loss).

    The log-likelihood of a maximum-likelihood fit is too good by its number of parameters (Akaike
    1973); cross-validation measures the same (Stone 1977). Never below one.

    Parameters
    ----------
    n : int
        Patients.
    new, apparent : float
        Mean log loss in new and in training patients, nats.

    Returns
    -------
    float
        1 or more.
    """
    return float(np.maximum(n * (new - apparent), 1.0))
