"""What a score is good for: operating points, net benefit, and a trial that enrols by it."""

import numpy as np
from scipy.stats import norm

_STEPS = np.round(np.arange(0.05, 0.96, 0.05), 2)


def threshold_table(y: np.ndarray, probability: np.ndarray) -> list[dict[str, float]]:
    """Sensitivity, specificity and predictive values at each probability threshold."""
    table = []
    for cut in _STEPS:
        called = probability >= cut
        hits, alarms = float((called & (y == 1)).sum()), float((called & (y == 0)).sum())
        misses, rest = float((~called & (y == 1)).sum()), float((~called & (y == 0)).sum())
        table.append(
            {
                "threshold": float(cut),
                "called": int(called.sum()),
                "sensitivity": _share(hits, hits + misses),
                "specificity": _share(rest, rest + alarms),
                "ppv": _share(hits, hits + alarms),
                "npv": _share(rest, rest + misses),
            }
        )
    return table


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def decision_curve(y: np.ndarray, probability: dict[str, np.ndarray]) -> list[dict[str, float]]:
    """Net benefit per patient at each threshold (Vickers and Elkin 2006), beside calling everyone and no one.

    True positives / n - false positives / n x threshold / (1 - threshold).
    """
    table = []
    for cut in _STEPS[_STEPS <= 0.8]:
        odds = cut / (1 - cut)
        row = {"threshold": float(cut), "all": float(y.mean() - (1 - y.mean()) * odds), "none": 0.0}
        for name in ("model", "nfl", "dfs", "encals", "carrier", "logistic"):
            if name in probability:
                called = probability[name] >= cut
                row[name] = float((called & (y == 1)).mean() - (called & (y == 0)).mean() * odds)
        table.append(row)
    return table


def enrichment_table(
    y: np.ndarray,
    probability: np.ndarray,
    slope: np.ndarray,
    effect: float = 0.25,
    power: float = 0.8,
) -> list[dict[str, float]]:
    """What a trial gains that enrols patients from a score upwards.

    Parameters
    ----------
    slope : array (n,)
        Points lost per month, NaN unknown; without it the outcome is the label.
    effect : float
        Relative slowing that the trial wants to show (P); two arms, two-sided 5 %.

    Returns
    -------
    list of dict
        Per cut: share enrolled, patients screened for each one enrolled, share of positives among them, patients a trial
        needs, and how many fewer than without the score. The number for a slope is 4 (z_a + z_b)^2 SD^2 / (effect x mean)^2
        (two arms, normal approximation); for the label, the usual one for two proportions.
    """
    everyone = _needed(y, slope, effect, power)
    table = []
    for cut in (0.0, *np.round(np.arange(0.1, 0.91, 0.1), 1)):
        own = probability >= cut
        if own.sum() < 20:
            break
        needed = _needed(y[own], slope[own], effect, power)
        table.append(
            {
                "enrol from": float(cut),
                "enrolled": float(own.mean()),
                "screened for each": float(1 / own.mean()),
                "positive": float(y[own].mean()),
                "trial needs": needed,
                "saved": everyone - needed,
                "screened in all": needed / float(own.mean()),
            }
        )
    return table


def _needed(y: np.ndarray, slope: np.ndarray, effect: float, power: float) -> float:
    z = float(norm.ppf(0.975) + norm.ppf(power))
    known = slope[np.isfinite(slope)]
    if len(known) >= 10:
        difference = effect * known.mean()
        return (
            float(np.ceil(4 * z**2 * known.var(ddof=1) / difference**2))
            if difference > 0
            else float("nan")
        )
    rate, treated = y.mean(), y.mean() * (1 - effect)
    spread = rate * (1 - rate) + treated * (1 - treated)
    return (
        float(np.ceil(2 * z**2 * spread / (rate - treated) ** 2))
        if rate > treated
        else float("nan")
    )
