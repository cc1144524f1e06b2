"""How many patients a trial needs, at each cut of the score by which it could enrol.

Trials are drawn from the patients of a cohort, with replacement; the treatment slows what happened
to them: rates and losses x (1 - effect), and the hazard x (1 - effect), which moves an event to the
time at which the cohort's cumulative hazard is 1 / (1 - effect) times as high. Who was lost in the
cohort is lost in the trial, and whose event comes later may be lost before it. A slope's size comes
from the formula of `als_ml.trials.sizes` with the variance that the covariates leave; the sizes of
the other two from the mean test statistic of simulated trials, which grows with the square root of
the size. The power at that size is then simulated for all three.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from scipy.stats import norm

from als_ml.training.metrics import divided, exact_interval, percentiles
from als_ml.trials.endpoints import ENDPOINTS, Arms, statistic
from als_ml.trials.patients import Pool
from als_ml.trials.sizes import ALPHA, drawn_r2, partial_r2, patients_for_difference, residual_sd

# Shares of the screened, lowest score first, that are not enrolled. Fixed beforehand: a cut that is
# chosen after seeing flatters itself (P).
CUTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
# Patients of the first trials whose mean statistic gives the size, the largest trial that is
# simulated, and the fewest patients of the cohort above a cut (P).
_PILOT, _MOST, FEWEST = 400, 4000, 50
_DRAWS = 500
# The analysis without and with the prediction as a covariate.
_USED = (False, True)
_NOTHING = (float("nan"),) * 3
# What rounding leaves of the spread of slopes that are the same for all, as a share of their mean.
_ALIKE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is assumed of a trial: all are proposals (P), for its own statistician to replace.

    Attributes
    ----------
    endpoints : tuple of str
        Of ENDPOINTS.
    effect : float
        Relative slowing, 0 to 1; hazard ratio 1 - effect.
    power : float
        0 to 1.
    months : float
        From baseline to the end of each patient's follow-up.
    screened_monthly : float
        Patients screened a month at all centres together.
    simulations : int
        Trials of each size.
    seed : int
        Of the draws.
    """

    endpoints: tuple[str, ...] = ENDPOINTS
    effect: float = 0.3
    power: float = 0.8
    months: float = 12.0
    screened_monthly: float = 20.0
    simulations: int = 400
    seed: int = 1


class PlanRow(TypedDict):
    """One line of a plan: an endpoint, a cut, and an analysis without or with the prediction.

    `r2` is that of the prediction beyond the usual covariates (slope alone); `enrolled` patients of
    both arms are needed, NaN where more than 4,000 would be; `events` among as many untreated
    patients; `power` is simulated, and so is `false_positive`, without an effect (no cut alone).
    """

    endpoint: str
    not_enrolled_share: float
    cut: float
    prediction: str
    r2: float
    r2_low: float
    r2_high: float
    enrolled: float
    screened: float
    excluded: float
    months_to_recruit: float
    events: float
    power: float
    power_low: float
    power_high: float
    false_positive: float


def plan(
    pool: Pool, settings: Settings, progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[PlanRow]:
    """Size, power and recruitment by endpoint, cut and analysis.

    Parameters
    ----------
    pool : Pool
        Patients of the cohort.
    settings : Settings
        Of the trial.
    progress : callable
        Told what is done.

    Returns
    -------
    list of dict
        Two lines for each endpoint and cut: without and with the prediction.
    """
    table: list[PlanRow] = []
    steps = len(settings.endpoints) * len(CUTS)
    for endpoint in settings.endpoints:
        of = pool.at_end(settings.months)
        for share in CUTS:
            progress(f"simulating trials: {endpoint}", len(table) // 2, steps)
            cut = float(np.quantile(of.score, share))
            kept = of.take(np.flatnonzero(of.score >= cut)) if share else of
            if len(kept.months) < FEWEST:
                break
            if _too_many(len(kept.months), len(of.months), share):
                continue
            table += _rows(kept, endpoint, share, cut if share else float("nan"), settings)
    return table


def _too_many(kept: int, n: int, share: float) -> bool:
    """Whether patients with the same score lie on both sides of a cut, which leaves fewer out than
    it says.
    """
    return kept >= n * (1 - share) + 1  # where all differ it is half a patient at most


def _rows(pool: Pool, endpoint: str, share: float, cut: float, settings: Settings) -> list[PlanRow]:
    seeds = np.random.SeedSequence([settings.seed, ENDPOINTS.index(endpoint), round(100 * share)])
    pilot, *checks = seeds.generate_state(5)
    sizes, r2 = _sizes(pool, endpoint, settings, np.random.default_rng(pilot))
    rows = []
    for used, size in zip(_USED, sizes, strict=True):
        hits = _rejected(pool, endpoint, size, settings, checks[used], used)
        low, high = _interval(hits, settings.simulations)
        screened = float(np.ceil(size / (1 - share)))
        # The level is looked at once an endpoint and analysis: no cut should change it.
        null = replace(settings, effect=0.0)
        looked = float("nan") if share else size
        alarms = _rejected(pool, endpoint, looked, null, checks[2 + used], used)
        rows.append(
            PlanRow(
                endpoint=endpoint,
                not_enrolled_share=share,
                cut=cut,
                prediction="with" if used else "without",
                **_r2(r2 if used else _NOTHING),
                enrolled=size,
                screened=screened,
                excluded=screened - size,
                months_to_recruit=screened / settings.screened_monthly,
                events=float(size * pool.event.mean()),
                power=hits,
                power_low=low,
                power_high=high,
                false_positive=alarms,
            )
        )
    return rows


class _R2(TypedDict):
    r2: float
    r2_low: float
    r2_high: float


def _r2(values: tuple[float, ...]) -> _R2:
    return _R2(r2=values[0], r2_low=values[1], r2_high=values[2])


def _interval(share: float, n: int) -> tuple[float, float]:
    if not np.isfinite(share):
        return float("nan"), float("nan")
    return exact_interval(round(share * n), n)


def _sizes(
    pool: Pool, endpoint: str, settings: Settings, rng: np.random.Generator
) -> tuple[list[float], tuple[float, float, float]]:
    """Patients to enrol in both arms without and with the prediction, and its R2."""
    if endpoint == "slope":
        return _slope_sizes(pool, settings, rng)
    size = float(_PILOT)
    for _ in range(2):  # a second time near the size that the first one gives, where it is surer
        needed = _by_drift(pool, endpoint, int(size), settings, rng)
        known = needed[np.isfinite(needed)]
        size = float(np.clip(known.mean() if len(known) else _MOST, 2 * FEWEST, _MOST))
    return [_even(one) for one in needed], _NOTHING


def _by_drift(
    pool: Pool, endpoint: str, size: int, settings: Settings, rng: np.random.Generator
) -> np.ndarray:
    """Size without and with the prediction from the mean statistic of trials of one size."""
    trials = [_drawn(pool, endpoint, size, settings, rng) for _ in _times(settings)]
    found = np.array([[statistic(one, endpoint, used) for used in _USED] for one in trials])
    drift = found.mean(axis=0) / np.sqrt(size)
    z = norm.isf(ALPHA / 2) + norm.ppf(settings.power)
    return np.square(divided(np.full(2, z), drift))


def _times(settings: Settings) -> range:
    return range(settings.simulations)


def _slope_sizes(
    pool: Pool, settings: Settings, rng: np.random.Generator
) -> tuple[list[float], tuple[float, float, float]]:
    """By formula: the variance that the covariates leave, over the share who have a slope."""
    known = np.flatnonzero(np.isfinite(pool.slope))
    if len(known) < FEWEST:
        return [float("nan")] * 2, _NOTHING
    y, usual, covariate = pool.slope[known], pool.usual[known], pool.for_slope[known]
    if not _loses_unevenly(y, usual):
        return [float("nan")] * 2, _NOTHING
    r2 = partial_r2(y, usual, covariate)
    difference = settings.effect * float(y.mean())
    # The treated lose less, and differ less: the mean of both arms' variances.
    shrunk = np.sqrt((1 + (1 - settings.effect) ** 2) / 2)
    sd = residual_sd(y, usual) * shrunk
    stay = len(known) / len(pool.slope)
    sizes = [
        _even(2 * patients_for_difference(sd * factor, difference, settings.power) / stay)
        for factor in (1.0, np.sqrt(1 - r2))
    ]
    names, families = np.unique(pool.families[known], return_inverse=True)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=_DRAWS)
    drawn = drawn_r2(y, usual, covariate, times[:, families].astype(float))
    return sizes, (r2, *percentiles(drawn))


def _loses_unevenly(slope: np.ndarray, usual: np.ndarray) -> bool:
    """Whether there is a loss that a treatment could slow, and patients differ in it."""
    return bool(slope.mean() > 0 and residual_sd(slope, usual) > _ALIKE * slope.mean())


def _even(size: float) -> float:
    """Rounded up to two equal arms; NaN where more would be needed than is simulated."""
    if not np.isfinite(size) or size > _MOST:
        return float("nan")
    return float(2 * np.ceil(max(size, 10.0) / 2))


def _rejected(
    pool: Pool, endpoint: str, size: float, settings: Settings, seed: int, used: bool
) -> float:
    """Share of simulated trials of a size in which the treated do better, significantly."""
    if not np.isfinite(size):
        return float("nan")
    limit, rng = norm.isf(ALPHA / 2), np.random.default_rng(seed)
    hits = [
        statistic(_drawn(pool, endpoint, int(size), settings, rng), endpoint, used) > limit
        for _ in _times(settings)
    ]
    return float(np.mean(hits))


def _drawn(
    pool: Pool, endpoint: str, size: int, settings: Settings, rng: np.random.Generator
) -> Arms:
    """One trial: patients with replacement, every second one treated."""
    rows = rng.integers(0, len(pool.months), size)
    treated = np.arange(size) % 2 == 1
    pace = np.where(treated, 1 - settings.effect, 1.0)
    months, event = _later(pool, rows, pace, settings.months, rng)
    changes = pool.changes[rows]
    loses = np.where(changes < 0, changes * pace[:, None], changes)
    slope = pool.slope[rows]
    return Arms(
        treated=treated.astype(float),
        months=months,
        event=event,
        changes=loses,
        slope=np.where(slope > 0, slope * pace, slope),
        usual=pool.usual[rows],
        prediction=(pool.for_slope if endpoint == "slope" else pool.score)[rows],
    )


def _later(
    pool: Pool, rows: np.ndarray, pace: np.ndarray, end: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Time and event when the hazard is `pace` times as high.

    A censoring stays where it was. Whose event comes later may be lost before it, as others of the
    cohort are: without that the treated who stay are those with an event, and the effect shrinks.
    """
    months, event = pool.months[rows], pool.event[rows]
    times, hazard = pool.hazard
    reached = np.interp(months, times, hazard) / pace
    moved = np.interp(reached, hazard, times, right=np.inf)
    moved = np.where((event == 1) & (pace < 1), moved, months)
    stay = np.where(moved > months, _lost_after(pool, months, rng), np.inf)
    last = np.minimum(stay, end)
    return np.minimum(moved, last), np.where(moved > last, 0, event)


def _lost_after(pool: Pool, months: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw when patients who are still there would be lost; infinite: not in the cohort's time."""
    times, hazard = pool.losses
    drawn = np.interp(months, times, hazard) + rng.exponential(size=len(months))
    return np.interp(drawn, hazard, times, right=np.inf)
