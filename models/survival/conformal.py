"""A lower bound of the survival time that holds for a stated share of patients.

Conformal, from out-of-fold curves (Candes, Lei and Ren 2023, doi:10.1093/jrsssb/qkac004): the bound
lies where a patient's own risk reaches a level a, and a is the highest at which events before the
bound are no more than 1 - coverage of the patients. Events count by the inverse probability of not
being censored before them, which is exact for censoring that does not depend on the prognosis and
approximate under general censoring.
"""

import numpy as np

# 1 - 0.9 is a little below 0.1.
_ROUNDING = 1e-12


def low_risk(
    risk: np.ndarray, months: np.ndarray, event: np.ndarray, coverage: float, end: float
) -> float:
    """Risk at which the lower bound lies.

    Parameters
    ----------
    risk : array (n,)
        Out-of-fold risk of each patient at the patient's own time.
    months : array (n,)
        Time of event or censoring.
    event : array of bool (n,)
        Which of the two.
    coverage : float
        Share of the patients whose time is to lie above the bound, 0 to 1.
    end : float
        Months of follow-up: later events do not count, and no bound lies beyond.

    Returns
    -------
    float
        0 to 1; 1 where the bound lies beyond the follow-up of everyone.
    """
    seen = event & (months <= end)
    order = np.argsort(risk[seen], kind="stable")
    weight = 1 / uncensored(months, event, months[seen])[order]
    # The patient who is to come counts as one that the bound misses.
    missed = (np.cumsum(weight) + 1) / (len(months) + 1)
    allowed = int(np.searchsorted(missed, 1 - coverage + _ROUNDING, side="right"))
    level = risk[seen][order]
    if 1 / (len(months) + 1) > 1 - coverage + _ROUNDING:
        return 0.0
    return float(level[allowed]) if allowed < len(level) else 1.0


def uncensored(months: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Kaplan-Meier probability of not being censored before each time.

    Parameters
    ----------
    months : array (n,)
        Time of event or censoring.
    event : array of bool (n,)
        Which of the two.
    at : array (k,)
        Times.

    Returns
    -------
    array (k,)
        Above 0 at any time that somebody was followed to. An event at the time of a censoring comes
        first.
    """
    times, ends = np.unique(months[~event], return_counts=True)
    followed = len(months) - np.searchsorted(np.sort(months), times, side="left")
    gone = np.searchsorted(np.sort(months[event]), times, side="right") - np.searchsorted(
        np.sort(months[event]), times, side="left"
    )
    kept = np.cumprod(1 - ends / np.maximum(followed - gone, 1))
    return np.asarray(np.r_[1.0, kept][np.searchsorted(times, at, side="left")])
