"""Metrics of predicted survival, where some patients are known only to have lived until a day.

All times are months from where time starts (the landmark), `event` is 1 for the event, 0 for
censored and 2 for an event after which it can no longer come (competing causes): who had that is
known not to have the event by any later time, and every figure is of the share of all patients who
have it, as in R's riskRegression and pec. Everything that is drawn by the bootstrap takes a
(draws, n) matrix of weights, how often each patient counts, and computes all draws at once, as
`als_ml.training.metrics` does; a weight of 2 is the same as writing the patient twice.

What depends on the distribution of censoring (Uno's c, Brier score, time-dependent AUC) weights
each patient by 1 / G, the Kaplan-Meier estimate of remaining uncensored: right where censoring does
not depend on prognosis, biased where it does. At equal times events come before censorings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from als_ml.training.metrics import divided, family_weights, percentiles

# At most that many patients' comparisons are held at once: 256 x 20,000 in 40 MB.
_BLOCK = 256
# Draws are computed side by side as far as their weights fit into 32 MB.
_CELLS = 4_000_000
_Z = 1.959964
# Ten bins, as Haider 2020 has them.
D_BINS = 10
_EDGE = 1e-9
# Steps of the calibration slope (six are usual), and the move at which they end.
_MOST_STEPS, _STILL = 50, 1e-9
# exp(-30) and exp(30) are no other risk than 0 and 1.
_FARTHEST = 30.0


@dataclass(frozen=True)
class Curve:
    """Kaplan-Meier estimate: arrays (k,) at each time of an event or a censoring.

    `error` is Greenwood's standard error of the log of the survival, infinite at 0.
    """

    months: np.ndarray
    at_risk: np.ndarray
    survival: np.ndarray
    error: np.ndarray

    def at(self, months: float) -> tuple[float, float, float]:
        """Survival at a time, with its 95 % interval on the log scale (as R's `survfit`).

        Parameters
        ----------
        months : float
            At or after 0.

        Returns
        -------
        survival, low, high : float
            0 to 1.
        """
        last = np.searchsorted(self.months, months, side="right") - 1
        if last < 0:
            return 1.0, 1.0, 1.0
        value, error = float(self.survival[last]), float(self.error[last])
        if value == 0:
            return 0.0, float("nan"), float("nan")
        factor = float(np.exp(_Z * error))
        return value, value / factor, min(value * factor, 1.0)


def kaplan_meier(months: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None) -> Curve:
    """Share still without the event (Kaplan and Meier 1958), with delayed entry where it is given.

    Parameters
    ----------
    months : array (n,)
        Time of the event or of censoring.
    event : array (n,)
        1 event, 0 censored.
    entry : array (n,), optional
        Time from which a patient is watched; at risk at t are those with entry < t <= months.

    Returns
    -------
    Curve
        At each different time.

    Examples
    --------
    >>> curve = kaplan_meier(np.array([1.0, 2.0, 2.0, 4.0]), np.array([1, 1, 0, 1]))
    >>> curve.survival.tolist()
    [0.75, 0.5, 0.0]
    """
    one = np.ones((1, len(months)))
    times, at_risk, events, _ = _counts(months, event, one, entry)
    risk, died = at_risk[0], events[0]
    with np.errstate(divide="ignore"):
        error = np.sqrt(np.cumsum(died / (risk * np.maximum(risk - died, 0.0))))
    survival = np.cumprod(1 - divided(died, risk, empty=0.0))
    return Curve(months=times, at_risk=risk, survival=survival, error=error)


def aalen_johansen(
    months: np.ndarray, cause: np.ndarray, entry: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative incidence of each of several causes that exclude each other (Aalen, Johansen
    1978).

    Parameters
    ----------
    months : array (n,)
        Time of the first event or of censoring.
    cause : int array (n,)
        0 censored, 1 to K the cause.
    entry : array (n,), optional
        As in `kaplan_meier`.

    Returns
    -------
    months : array (k,)
        Each different time.
    incidence : array (K, k)
        Share who have had that cause first by then; with those without any they add up to 1.
    """
    one = np.ones((1, len(months)))
    times, at_risk, events, _ = _counts(months, cause > 0, one, entry)
    before = np.r_[1.0, np.cumprod(1 - divided(events[0], at_risk[0], empty=0.0))[:-1]]
    of_cause = [
        _counts(months, cause == k, one, entry)[2][0] for k in range(1, int(np.max(cause)) + 1)
    ]
    steps = [before * divided(events, at_risk[0], empty=0.0) for events in of_cause]
    return times, np.cumsum(np.array(steps).reshape(-1, len(times)), axis=1)


def without_event(months: np.ndarray, event: np.ndarray, at: float) -> tuple[float, float, float]:
    """Share of patients who have not had the event by a time, with its 95 % interval on the log
    scale.

    By Kaplan and Meier; where another event competes one minus the cumulative incidence of Aalen
    and Johansen, with the variance of Gaynor 1993 (doi:10.1080/01621459.1993.10476289; R's
    prodlim), which is Greenwood's where nothing competes.

    Parameters
    ----------
    months : array (n,)
        Time of the first event or of censoring.
    event : array (n,)
        1 event, 0 censored, 2 competing event.
    at : float
        Months.

    Returns
    -------
    share, low, high : float
        0 to 1.
    """
    if not (event == 2).any():
        return kaplan_meier(months, event).at(at)
    share, error = _incidence_with_error(months, event, at)
    if share == 1:
        return 0.0, float("nan"), float("nan")
    factor = float(np.exp(_Z * error / (1 - share)))
    return 1 - share, (1 - share) / factor, min((1 - share) * factor, 1.0)


def _incidence_with_error(months: np.ndarray, event: np.ndarray, at: float) -> tuple[float, float]:
    """Cumulative incidence of the event by a time and its standard error."""
    one = np.ones((1, len(months)))
    times, at_risk, any_event, _ = _counts(months, event > 0, one, None)
    kept = times <= at
    n, both = at_risk[0][kept], any_event[0][kept]
    own = _counts(months, event == 1, one, None)[2][0][kept]
    before = np.r_[1.0, np.cumprod(1 - both / n)[:-1]][: len(n)]
    so_far = np.cumsum(before * own / n)
    share = float(so_far[-1]) if len(n) else 0.0
    rest = share - so_far
    variance = (
        divided(rest**2 * both, n * (n - both), empty=0.0)
        + before**2 * (n - own) * own / n**3
        - 2 * rest * before * own / n**2
    )
    return share, float(np.sqrt(variance.sum()))


def survival_at(grid: np.ndarray, survival: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Each patient's predicted survival at his own time, linear between the points of the grid.

    Parameters
    ----------
    grid : array (k,)
        Months, rising, above 0; at 0 survival is 1.
    survival : array (n, k)
        Predicted, one row a patient.
    months : array (n,)
        Times; beyond the grid the last value stands.

    Returns
    -------
    array (n,)
        0 to 1.

    Examples
    --------
    >>> survival_at(np.array([6.0, 12.0]), np.array([[0.8, 0.6]] * 3), np.array([3.0, 9.0, 24.0]))
    array([0.9, 0.7, 0.6])
    """
    points = np.r_[0.0, grid]
    values = np.column_stack([np.ones(len(survival)), survival])
    right = np.clip(np.searchsorted(points, months), 1, len(points) - 1)
    row = np.arange(len(values))
    share = np.clip((months - points[right - 1]) / (points[right] - points[right - 1]), 0, 1)
    return np.asarray(values[row, right - 1] * (1 - share) + values[row, right] * share)


def _counts(
    months: np.ndarray, flag: np.ndarray, weights: np.ndarray, entry: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Different times (k,); weight at risk, of events and of all who leave at each, (draws, k)."""
    times, place = np.unique(months, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(times)))
    sorted_weights = weights[:, order]
    leaving = np.add.reduceat(sorted_weights, starts, axis=1)
    events = np.add.reduceat(sorted_weights * np.asarray(flag)[order], starts, axis=1)
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    if entry is not None:
        at_risk = at_risk - _not_yet(times, entry, weights)
    return times, at_risk, events, leaving


def _not_yet(times: np.ndarray, entry: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of patients who enter at or after each time, (draws, k)."""
    order = np.argsort(entry, kind="stable")
    above = np.cumsum(weights[:, order[::-1]], axis=1)[:, ::-1]
    above = np.column_stack([above, np.zeros(len(weights))])
    return np.asarray(above[:, np.searchsorted(entry[order], times, side="left")])


@dataclass(frozen=True)
class Censoring:
    """P(not yet censored) by Kaplan-Meier, each draw with its own: times (k,), values (draws,
    k + 1), the first of which holds before the first time.
    """

    times: np.ndarray
    values: np.ndarray

    def before(self, months: np.ndarray | float) -> np.ndarray:
        """Just before each time, (draws, m)."""
        return self.values[:, np.atleast_1d(np.searchsorted(self.times, months, side="left"))]

    def at(self, months: float) -> np.ndarray:
        """At a time, (draws,)."""
        return self.values[:, int(np.searchsorted(self.times, months, side="right"))]


def censoring(months: np.ndarray, event: np.ndarray, weights: np.ndarray) -> Censoring:
    """Estimate how many remain uncensored.

    Who has the event, or a competing one, at a time is no longer at risk of censoring there.

    Parameters
    ----------
    months, event : arrays (n,)
        As in `kaplan_meier`.
    weights : array (draws, n)
        How often each patient counts.

    Returns
    -------
    Censoring
        Of each draw.
    """
    times, at_risk, events, leaving = _counts(months, event > 0, weights, None)
    steps = 1 - divided(leaving - events, at_risk - events, empty=0.0)
    values = np.column_stack([np.ones(len(weights)), np.cumprod(steps, axis=1)])
    return Censoring(times=times, values=values)


def harrell_c(
    months: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    weights: np.ndarray,
    entry: np.ndarray | None = None,
    tau: float = np.inf,
) -> np.ndarray:
    """Harrell's c: of the pairs whose order is known, the share in which the higher risk has the
    earlier event (Harrell 1982); equal risks count half.

    A pair is usable where one has the event while the other is at risk and leaves later; someone
    censored on the day of the event leaves later. So does everyone with a competing event, who
    never has this one (Wolbers 2014, doi:10.1093/biostatistics/kxt059). Depends on the distribution
    of censoring.

    Parameters
    ----------
    months, event : arrays (n,)
        As in `without_event`.
    risk : array (n,)
        Higher = earlier event.
    weights : array (draws, n)
        How often each patient counts.
    entry : array (n,), optional
        As in `kaplan_meier`.
    tau : float
        Only events at or before it count, in months.

    Returns
    -------
    array (draws,)
        0 to 1; NaN without a pair.
    """
    return _concordance(months, event, risk, weights, entry, [_plain(event, tau)])[0]


def uno_c(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, weights: np.ndarray, tau: float
) -> np.ndarray:
    """Uno's c up to `tau`: Harrell's pairs, each event weighted by 1 / G(t-)^2 (Uno 2011,
    doi:10.1002/sim.4154); beside who had a competing event at s <= t by 1 / (G(t-) G(s-)) (Wolbers
    2014).

    Does not depend on the distribution of censoring, where that is independent of prognosis.

    Parameters
    ----------
    months, event, risk, weights : arrays
        As in `harrell_c`.
    tau : float
        Months; some patient must be uncensored beyond it.

    Returns
    -------
    array (draws,)
        0 to 1; NaN without a pair.
    """
    return _concordance(months, event, risk, weights, None, [_uno(months, event, weights, tau)])[0]


@dataclass(frozen=True)
class _Pairs:
    """How pairs count: `later` (draws, n) of an event beside whoever leaves later, `gone` (draws,
    n) of both of a pair in which the other has had a competing event; events up to `tau`.
    """

    later: np.ndarray
    gone: np.ndarray
    tau: float


def _plain(event: np.ndarray, tau: float = np.inf) -> _Pairs:
    """Each pair once."""
    one = np.ones((1, len(event)))
    return _Pairs(later=one, gone=one, tau=tau)


def _uno(months: np.ndarray, event: np.ndarray, weights: np.ndarray, tau: float) -> _Pairs:
    """By G just before each patient's time; it is 0 only for those a draw left out."""
    g = censoring(months, event, weights).before(months)
    one = np.ones_like(g)
    return _Pairs(later=divided(one, g**2, empty=0.0), gone=divided(one, g, empty=0.0), tau=tau)


def _concordance(
    months: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    weights: np.ndarray,
    entry: np.ndarray | None,
    kinds: list[_Pairs],
) -> list[np.ndarray]:
    """Weighted concordant over weighted usable pairs, for each kind of weight of an event and last
    time: comparing every pair is what costs, so it is done once.
    """
    below = _lower_risk_later(months, event, risk, weights, entry)
    times, at_risk, events, _ = _counts(months, event > 0, weights, entry)
    later = (at_risk - events)[:, np.searchsorted(times, months)]
    found = []
    for pairs in kinds:
        early = (event == 1) & (months <= pairs.tau)
        mass = weights * (pairs.later * early)
        right, usable = (mass * below).sum(axis=1), (mass * later).sum(axis=1)
        if (event == 2).any():
            mass = weights * (pairs.gone * early)
            lower, all_gone = _lower_risk_gone(months, event, risk, weights * pairs.gone)
            right = right + (mass * lower).sum(axis=1)
            usable = usable + (mass * all_gone).sum(axis=1)
        found.append(divided(right, usable))
    return found


def _lower_risk_gone(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each patient with the event: weight of those who had a competing one by then with a lower
    risk, an equal one half, and of all of these, (draws, n) each.
    """
    lower, whole = np.zeros(weights.shape), np.zeros(weights.shape)
    gone, events = np.flatnonzero(event == 2), np.flatnonzero(event == 1)
    for start in range(0, len(events), _BLOCK):
        of = events[start : start + _BLOCK]
        some = of[:, None]
        before = months[gone] <= months[some]
        share = ((risk[gone] < risk[some]) + 1.0 * (risk[gone] <= risk[some])) / 2
        lower[:, of] = weights[:, gone] @ (share * before).T
        whole[:, of] = weights[:, gone] @ before.T.astype(float)
    return lower, whole


def _lower_risk_later(
    months: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    weights: np.ndarray,
    entry: np.ndarray | None,
) -> np.ndarray:
    """Of each patient with the event: weight of those who leave later with a lower risk, an equal
    one half, (draws, n).
    """
    rank = np.unique(risk, return_inverse=True)[1].astype(np.int32)
    # Sorted so that whoever leaves later stands behind: a censoring after the events of its day.
    key = (2 * np.unique(months, return_inverse=True)[1] + (event == 0)).astype(np.int32)
    order = np.argsort(key, kind="stable")
    narrow = weights[:, order].astype(np.float32)
    found = np.zeros(weights.shape)
    events = np.flatnonzero(event[order] == 1)
    for start in range(0, len(events), _BLOCK):
        of = events[start : start + _BLOCK]
        rest = order[of[0] :]
        some = order[of][:, None]
        twice = (rank[rest] < rank[some]).astype(np.float32)
        twice += rank[rest] <= rank[some]
        twice *= key[rest] > key[some]
        if entry is not None:
            twice *= entry[rest] < months[some]
        found[:, order[of]] = narrow[:, of[0] :] @ twice.T / 2
    return found


def brier(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, weights: np.ndarray, horizon: float
) -> np.ndarray:
    """Mean squared error of the predicted risk by `horizon`, weighted for censoring (Graf 1999).

    An event by then weighs 1 / G(t-), a competing one too (who had it is without the event), who is
    watched beyond it 1 / G(horizon), who is censored before it nothing.

    Parameters
    ----------
    months, event, weights : arrays
        As in `harrell_c`.
    risk : array (n,)
        Predicted probability of the event by `horizon`.
    horizon : float
        Months.

    Returns
    -------
    array (draws,)
        Lower is better; NaN where nobody is watched beyond the horizon and some were censored
        before it.
    """
    case, gone, control, g = by_horizon(months, event, weights, horizon)
    error = case @ (1 - risk) ** 2 + control @ risk**2 * divided(np.ones_like(g), g)
    error = error + gone @ risk**2
    return np.asarray(error / weights.sum(axis=1))


def by_horizon(
    months: np.ndarray, event: np.ndarray, weights: np.ndarray, horizon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights of the events and the competing ones by the horizon, and of those watched beyond it;
    G(horizon).

    Parameters
    ----------
    months, event, weights : arrays
        As in `harrell_c`.
    horizon : float
        Months.

    Returns
    -------
    case, gone, control : arrays (draws, n)
        The first two over G just before each patient's own time, the last as they are.
    g : array (draws,)
        Share that is not censored by the horizon.
    """
    estimate = censoring(months, event, weights)
    before, early = estimate.before(months), months <= horizon
    case = divided(weights * (early & (event == 1)), before, empty=0.0)
    gone = divided(weights * (early & (event == 2)), before, empty=0.0)
    return case, gone, weights * (months > horizon), estimate.at(horizon)


def integrated_brier(
    months: np.ndarray,
    event: np.ndarray,
    grid: np.ndarray,
    survival: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Brier score averaged over the grid by the trapezoidal rule.

    Parameters
    ----------
    months, event, weights : arrays
        As in `harrell_c`.
    grid : array (k,)
        Months, rising, two or more.
    survival : array (n, k)
        Predicted.

    Returns
    -------
    array (draws,)
        Lower is better.
    """
    scores = [brier(months, event, 1 - survival[:, k], weights, t) for k, t in enumerate(grid)]
    return np.asarray(np.trapezoid(np.array(scores), grid, axis=0) / (grid[-1] - grid[0]))


def auc_by(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, weights: np.ndarray, horizon: float
) -> np.ndarray:
    """Cumulative-dynamic ROC AUC: who has the event by `horizon` against who is watched beyond it
    or had a competing event by then, weighted for censoring (Uno 2007, Blanche 2013; R's timeROC
    and riskRegression).

    Parameters
    ----------
    months, event, risk, weights : arrays
        As in `harrell_c`.
    horizon : float
        Months.

    Returns
    -------
    array (draws,)
        0 to 1; NaN without cases or controls.
    """
    case, gone, control, g = by_horizon(months, event, weights, horizon)
    control = control + gone * g[:, None]
    order = np.argsort(risk, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(risk[order]) != 0])
    cases = np.add.reduceat(case[:, order], starts, axis=1)
    controls = np.add.reduceat(control[:, order], starts, axis=1)
    below = np.cumsum(controls, axis=1) - controls / 2
    pairs = cases.sum(axis=1) * controls.sum(axis=1)
    return divided((cases * below).sum(axis=1), pairs)


def observed_by(
    months: np.ndarray, event: np.ndarray, weights: np.ndarray, horizon: float
) -> np.ndarray:
    """Share who have the event by `horizon`: by Kaplan and Meier, with a competing event by Aalen
    and Johansen.

    Parameters
    ----------
    months, event, weights : arrays
        As in `harrell_c`.
    horizon : float
        Months.

    Returns
    -------
    array (draws,)
        0 to 1.
    """
    times, at_risk, either, _ = _counts(months, event > 0, weights, None)
    own = _counts(months, event == 1, weights, None)[2]
    kept = times <= horizon
    left = np.cumprod(1 - divided(either[:, kept], at_risk[:, kept], empty=0.0), axis=1)
    before = np.column_stack([np.ones(len(weights)), left])[:, : kept.sum()]
    return np.asarray((before * divided(own[:, kept], at_risk[:, kept], empty=0.0)).sum(axis=1))


def observed_by_expected(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, weights: np.ndarray, horizon: float
) -> np.ndarray:
    """Share seen with the event by `horizon` over the mean predicted one (McLernon 2023,
    doi:10.7326/M22-0844; with competing events van Geloven 2022, doi:10.1136/bmj-2021-069249).

    Parameters
    ----------
    months, event, weights : arrays
        As in `harrell_c`.
    risk : array (n,)
        Predicted probability of the event by `horizon`.
    horizon : float
        Months.

    Returns
    -------
    array (draws,)
        1 is right, above 1 too few were expected.
    """
    expected = divided(weights @ risk, weights.sum(axis=1))
    return divided(observed_by(months, event, weights, horizon), expected)


def calibration_slope(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, weights: np.ndarray, horizon: float
) -> np.ndarray:
    """Slope of log(-log(1 - risk)) in a regression of the event by `horizon` with that link,
    weighted for censoring as the Brier score is; below 1 the risks lie too far apart.

    A Cox model of all times would ask for proportional hazards, and answer for what comes after the
    horizon as well: where hazard ratios fade with time, true risks have a slope below 1 in it.

    Who had a competing event is without the event (van Geloven 2022, doi:10.1136/bmj-2021-069249).

    Parameters
    ----------
    months, event, weights : arrays
        As in `harrell_c`.
    risk : array (n,)
        Predicted probability of the event by `horizon`.
    horizon : float
        Months.

    Returns
    -------
    array (draws,)
        NaN where the risks do not differ, or one of event and none by the horizon is not seen.
    """
    x = np.log(-np.log1p(-np.clip(risk, _EDGE, 1 - _EDGE)))
    spread = float(x.std())
    if spread == 0:
        return np.full(len(weights), np.nan)
    z = (x - x.mean()) / spread
    case, gone, control, g = by_horizon(months, event, weights, horizon)
    control = control * divided(np.ones_like(g), g)[:, None] + gone
    events, free = case.sum(axis=1), control.sum(axis=1)
    share = np.clip(divided(events, events + free), _EDGE, 1 - _EDGE)
    level = np.log(-np.log1p(-share))
    slope = np.zeros(len(weights))
    for _ in range(_MOST_STEPS):
        up, steeper = _step(z, case, control, level, slope)
        level, slope = level + up, slope + steeper
        if not (np.maximum(np.abs(up), np.abs(steeper)) > _STILL).any():
            break
    return np.where((events > 0) & (free > 0), slope / spread, np.nan)


def _step(
    z: np.ndarray, case: np.ndarray, control: np.ndarray, level: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fisher's scoring of P(event) = 1 - exp(-exp(level + slope z)), one step of each draw, never
    longer than 1: a long one may overshoot where few have the event.
    """
    hazard = np.exp(np.clip(level[:, None] + slope[:, None] * z, -_FARTHEST, _FARTHEST))
    # (1 - p) / p of the event; a hazard of which it is 0 in floats is past any doubt.
    odds = 1 / np.expm1(np.minimum(hazard, _FARTHEST))
    pull = hazard * (case * odds - control)
    bend = hazard**2 * odds * (case + control)
    s0, s1, s2 = bend.sum(axis=1), bend @ z, bend @ z**2
    g0, g1 = pull.sum(axis=1), pull @ z
    whole = s0 * s2 - s1**2
    up, steeper = divided(s2 * g0 - s1 * g1, whole), divided(s0 * g1 - s1 * g0, whole)
    return np.clip(up, -1.0, 1.0), np.clip(steeper, -1.0, 1.0)


def calibration_table(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, bins: int = 10
) -> list[dict[str, float]]:
    """Calibration curve at a horizon: patients in equally filled bins of the predicted risk.

    Parameters
    ----------
    months, event : arrays (n,)
        As in `kaplan_meier`.
    risk : array (n,)
        Predicted probability of the event by `horizon`.
    horizon : float
        Months.
    bins : int
        At most.

    Returns
    -------
    list of dict
        `n`, mean `predicted`, share `observed` with the event (Kaplan-Meier, or Aalen-Johansen),
        with its 95 % interval `low` and `high`.
    """
    table = []
    order = np.argsort(risk, kind="stable")
    for members in np.array_split(order, min(bins, len(order))):
        value, low, high = without_event(months[members], event[members], horizon)
        row = {"n": float(len(members)), "predicted": float(risk[members].mean())}
        table.append(row | {"observed": 1 - value, "low": 1 - high, "high": 1 - low})
    return table


def d_calibration(
    event: np.ndarray, own: np.ndarray, bins: int = D_BINS
) -> tuple[np.ndarray, float]:
    """Whether the predicted survival at patients' own times is uniform, as it is where the
    distributions are right (Haider 2020, jmlr.org/papers/v21/18-772).

    A censored patient is shared out over the bins at and below his survival: he would have had the
    event at some later time. The test is conservative with much censoring.

    Parameters
    ----------
    event : array (n,)
        1 event, 0 censored.
    own : array (n,)
        Predicted survival at the time of the event or of censoring; whoever is watched beyond the
        last time of a prediction counts as censored there.
    bins : int
        Equally wide.

    Returns
    -------
    share : array (bins,)
        Of patients in each bin, lowest survival first; all alike if calibrated.
    p : float
        Of the chi-squared test with `bins` - 1 degrees of freedom; small = not calibrated.

    Examples
    --------
    >>> share, p = d_calibration(np.array([1, 0]), np.array([0.95, 0.2]), bins=5)
    >>> share.round(2).tolist()
    [0.5, 0.0, 0.0, 0.0, 0.5]
    """
    lower = np.arange(bins) / bins
    own = np.clip(own, _EDGE, 1.0)
    place = np.clip(np.ceil(own * bins).astype(int) - 1, 0, bins - 1)
    inside = np.arange(bins) == place[:, None]
    below = np.arange(bins) < place[:, None]
    shared = np.where(inside, (own[:, None] - lower) / own[:, None], 0.0)
    shared = shared + below / (bins * own[:, None])
    counts = np.where((event == 1)[:, None], inside.astype(float), shared).sum(axis=0)
    expected = len(own) / bins
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return counts / len(own), float(chi2.sf(statistic, bins - 1))


def largest_tau(months: np.ndarray, event: np.ndarray, least: float = 0.1) -> float:
    """Last event at which so large a share of the patients is still watched; beyond it 1 / G^2
    would rest on a few.

    Parameters
    ----------
    months, event : arrays (n,)
        As in `kaplan_meier`.
    least : float
        Share of the patients (P: a tenth).

    Returns
    -------
    float
        Months; NaN without an event.
    """
    times, at_risk, events, _ = _counts(months, event == 1, np.ones((1, len(months))), None)
    kept = times[(events[0] > 0) & (at_risk[0] >= least * len(months))]
    return float(kept[-1]) if len(kept) else float("nan")


def evaluate_survival(
    months: np.ndarray,
    event: np.ndarray,
    risks: Mapping[int, np.ndarray],
    families: np.ndarray,
    draws: int,
    seed: int,
    tau: float,
) -> dict[str, float]:
    """The contract's metrics of a survival model, each with `_low` and `_high` (95 %, sampling of
    families with the model fixed).

    Parameters
    ----------
    months, event : arrays (n,)
        As in `kaplan_meier`, from the landmark.
    risks : mapping of int to array (n,)
        Predicted probability of the event by each horizon in months (12, 24); the first is the
        score that the c-indices order by.
    families : int array (n,)
        Relatives share a number and are drawn together.
    draws : int
        Bootstrap draws; 0 leaves the bounds out.
    seed : int
        Of the draws.
    tau : float
        Of Uno's c, months; also a metric, `tau_months`.

    Returns
    -------
    dict of float
        `c_index`, `harrell_c`, `calibration_slope` of the first horizon, and of each horizon
        `brier_12m`, `auc_12m`, `oe_12m`, and `calibration_slope_24m` of a further one.
    """
    weights = np.ones((1, len(months)))
    if draws:
        drawn = family_weights(np.asarray(event == 1, dtype=float), families, draws, seed)
        weights = np.concatenate([weights, drawn])
    chunk = max(_CELLS // len(months), 1)
    parts = [
        _all_metrics(months, event, risks, weights[start : start + chunk], tau)
        for start in range(0, draws + 1, chunk)
    ]
    result = {"tau_months": tau}
    for name in parts[0]:
        values = np.concatenate([part[name] for part in parts])
        result[name] = float(values[0])
        if draws:
            result[f"{name}_low"], result[f"{name}_high"] = percentiles(values[1:])
    return result


def _all_metrics(
    months: np.ndarray,
    event: np.ndarray,
    risks: Mapping[int, np.ndarray],
    weights: np.ndarray,
    tau: float,
) -> dict[str, np.ndarray]:
    score = next(iter(risks.values()))
    kinds = [_uno(months, event, weights, tau), _plain(event)]
    uno, harrell = _concordance(months, event, score, weights, None, kinds)
    found = {
        "c_index": uno,
        "harrell_c": harrell,
    }
    for place, (horizon, risk) in enumerate(risks.items()):
        name = f"calibration_slope_{horizon}m" if place else "calibration_slope"
        found[name] = calibration_slope(months, event, risk, weights, horizon)
        found[f"brier_{horizon}m"] = brier(months, event, risk, weights, horizon)
        found[f"auc_{horizon}m"] = auc_by(months, event, risk, weights, horizon)
        found[f"oe_{horizon}m"] = observed_by_expected(months, event, risk, weights, horizon)
    return found
