"""Where a probability becomes a class: by prevalence, by the stated cost of a miss, or by a wanted
sensitivity.
"""

import numpy as np

RULES = ("prevalence", "cost", "sensitivity")


def threshold(rule: str, value: float, probability: np.ndarray, y: np.ndarray) -> float:
    """Probability from which a patient is called positive.

    Parameters
    ----------
    rule : str
        `prevalence`: the share of positives, for a calibrated probability the threshold of the
        highest balanced accuracy.
        `cost`: a missed positive costs `value` false alarms, so the threshold is 1 / (1 + value)
        (Pauker and Kassirer 1975).
        `sensitivity`: the highest threshold that finds a share `value` of the positives.
    probability : array (n,)
        Calibrated, out of fold.

    >>> threshold("cost", 4, np.array([0.1, 0.9]), np.array([0, 1]))
    0.2
    """
    if rule == "cost":
        return 1 / (1 + value)
    if rule == "sensitivity":
        positives = np.sort(probability[y == 1])[::-1]
        return float(positives[max(int(np.ceil(value * len(positives))), 1) - 1])
    return float(y.mean())
