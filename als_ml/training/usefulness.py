"""What a score is good for: operating points, net benefit, and a trial that enrols by it."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from als_ml.training.metrics import divided, percentiles

_STEPS = np.round(np.arange(0.05, 0.96, 0.05), 2)


def threshold_table(y: np.ndarray, probability: np.ndarray) -> list[dict[str, float]]:
    """Sensitivity, specificity and predictive values at each probability threshold.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : array (n,)
        Of the positive class.

    Returns
    -------
    list of dict
        One a threshold; shares 0 to 1.
    """
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


def decision_curve(
    y: np.ndarray, probability: dict[str, np.ndarray], weights: np.ndarray | None = None
) -> list[dict[str, float]]:
    """Net benefit per patient at each threshold (Vickers and Elkin 2006), beside calling everyone
    and no one.

    True positives / n - false positives / n x threshold / (1 - threshold). With the weights of a
    bootstrap, (draws, n), also 95 % intervals of the model's (`model_low`, `model_high`) and of its
    gain over the better of everyone and no one (`gain`, `gain_low`, `gain_high`).

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    probability : dict of arrays (n,)
        Of the model and of baselines, by name.
    weights : array (draws, n), optional
        Of a bootstrap over families.

    Returns
    -------
    list of dict
        One a threshold; true positives per patient.
    """
    names = [
        name
        for name in ("model", "nfl", "dfs", "encals", "carrier", "logistic")
        if name in probability
    ]
    one = np.ones((1, len(y)))
    table = []
    for cut in _STEPS[_STEPS <= 0.8]:
        odds = float(cut / (1 - cut))
        everyone = np.ones(len(y), dtype=bool)
        row = {
            "threshold": float(cut),
            "all": float(net_benefit(y, everyone, odds, one)[0]),
            "none": 0.0,
        }
        row |= {
            name: float(net_benefit(y, probability[name] >= cut, odds, one)[0]) for name in names
        }
        if weights is not None and len(weights) and "model" in probability:
            ours = net_benefit(y, probability["model"] >= cut, odds, weights)
            others = np.maximum(net_benefit(y, everyone, odds, weights), 0.0)
            row["gain"] = row["model"] - max(row["all"], 0.0)
            row["model_low"], row["model_high"] = percentiles(ours)
            row["gain_low"], row["gain_high"] = percentiles(ours - others)
        table.append(row)
    return table


def net_benefit(y: np.ndarray, called: np.ndarray, odds: float, weights: np.ndarray) -> np.ndarray:
    """Net benefit of calling some patients, for each row of an (m, n) weight matrix.

    Parameters
    ----------
    y : array (n,)
        0/1 labels.
    called : array of bool (n,)
        Who is called positive.
    odds : float
        Threshold / (1 - threshold).
    weights : array (m, n)
        One row a draw.

    Returns
    -------
    array (m,)
        True positives per patient.
    """
    worth = np.where(y == 1, 1.0, -odds) * called
    return np.asarray(weights @ worth / weights.sum(axis=1))


@dataclass(frozen=True)
class Trial:
    """What is assumed of a trial: all are proposals (P), to be replaced by the trial's own
    statistician.

    Attributes
    ----------
    effect : float
        Relative slowing that it wants to show; two arms of equal size, two-sided 5 %.
    power : float
    dropout : float
        Share of the enrolled who leave without the outcome for other reasons than an event: a
        fifth, as in ALS trials.
    screening : float
        Cost of screening one patient, in units of the cost of one enrolled patient.
    """

    effect: float = 0.25
    power: float = 0.8
    dropout: float = 0.2
    screening: float = 0.1


def enrichment_table(
    y: np.ndarray,
    probability: np.ndarray,
    slope: np.ndarray,
    by_event: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    trial: Trial | None = None,
) -> list[dict[str, float]]:
    """What a trial gains that enrols patients from a score upwards, at cuts fixed beforehand.

    None of them is chosen here.

    Parameters
    ----------
    slope : array (n,)
        Points lost per month, NaN unknown; without it the outcome is the label.
    by_event : array (n,), optional
        Who was labelled by death, tracheostomy or ventilation: enrolled, but without a slope.
    weights : array (draws, n), optional
        Of a bootstrap over families, for 95 % intervals.

    Returns
    -------
    list of dict
        Per cut: share enrolled, patients screened for each one enrolled, share of positives and of
        event patients among them,
        patients a trial needs to enrol (`needs low`, `needs high`), how many fewer than without the
        score, how many it
        screens, and what it costs in units of the trial without the score (`cost low`, `cost
        high`). The number for a slope
        is 4 (z_a + z_b)^2 SD^2 / (effect x mean)^2 (two arms, normal approximation); for the label,
        the usual one for two
        proportions; both divided by the share who stay with an outcome, (1 - dropout) (1 - event
        patients).
    """
    trial = trial or Trial()
    event = np.zeros(len(y), dtype=bool) if by_event is None else by_event & ~np.isfinite(slope)
    draws = np.ones((1, len(y)))
    if weights is not None and len(weights):
        draws = np.vstack([draws, weights])
    alone, _ = _needed(y, slope, event, draws, trial)
    table = []
    for cut in (0.0, *np.round(np.arange(0.1, 0.91, 0.1), 1)):
        enrolled = probability >= cut
        if enrolled.sum() < 20:
            break
        needed, events = _needed(y, slope, event, draws * enrolled, trial)
        share = draws @ enrolled / draws.sum(axis=1)
        cost = needed * (1 + trial.screening / share) / (alone * (1 + trial.screening))
        row = {
            "enrol from": float(cut),
            "enrolled": float(share[0]),
            "screened for each": float(1 / share[0]),
            "positive": float(y[enrolled].mean()),
            "events": float(events[0]),
            "trial needs": float(np.ceil(needed[0])),
            "saved": float(np.ceil(alone[0]) - np.ceil(needed[0])),
            "screened in all": float(np.ceil(needed[0] / share[0])),
            "cost": float(cost[0]),
        }
        if len(draws) > 1:
            row["needs low"], row["needs high"] = percentiles(needed[1:])
            row["cost low"], row["cost high"] = percentiles(cost[1:])
        table.append(row)
    return table


def _needed(
    y: np.ndarray, slope: np.ndarray, event: np.ndarray, weights: np.ndarray, trial: Trial
) -> tuple[np.ndarray, np.ndarray]:
    """Patients to enrol, NaN where no number would do, and share of event patients, for each row of
    weights.
    """
    z = float(norm.ppf(0.975) + norm.ppf(trial.power))
    total = weights.sum(axis=1)
    events = divided(weights @ event, total)
    known = np.isfinite(slope)
    if known.sum() >= 10:
        values, known_weights = slope[known], weights[:, known]
        size = known_weights.sum(axis=1)
        mean = divided(known_weights @ values, size)
        variance = divided(known_weights @ values**2 - size * mean**2, size - 1)
        outcome = divided(4 * z**2 * variance, np.where(mean > 0, trial.effect * mean, 0.0) ** 2)
    else:
        rate = divided(weights @ y, total)
        treated = rate * (1 - trial.effect)
        spread = rate * (1 - rate) + treated * (1 - treated)
        outcome = divided(2 * z**2 * spread, (rate - treated) ** 2)
    stay = (1 - trial.dropout) * (1 - events)
    return divided(outcome, stay), events
