"""Reliability against the de-noised rate: how often the true rate reaches the cut-off, beside how
often the label says so.

A slope over a year of visits is measured with error, so that P(label) is the probability of a noisy
label: many "fast" labels are truly slow. The share of truly fast patients among those with about
the same score comes from a mixed model of the label window's visits (Laird and Ware 1982,
doi:10.2307/2529876) whose mean level and mean rate depend on the out-of-fold score:

    total_ij = a(z_i) + u0_i - (b(z_i) + u1_i) t_ij + e_ij,    z = standardised log-odds of the
    score

a and b are quadratic in z, and the spread of the rates is log-linear in it, because fast groups are
the more mixed. Given a patient's visits and score his rate is then normal, which gives P(rate >=
cut-off). A prior for everybody alike, as the features use, will not do: it draws the groups
together. It is tested against the simulator's true rates, which are log-normal: shares by fifth
within 0.05 on average (`tests/als_ml/training/test_denoised.py`).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import logit
from scipy.stats import norm

from als_ml.config import Config
from als_ml.training.folds import Validated
from als_ml.training.metrics import wilson
from als_ml.training.tables import ReliabilityRow
from als_ml.training.task_data import Trainable, slope_rule
from features.alsfrs.mixed_model import SUMS, visit_sums
from models.labels import label_visits

BINS = 5
# Ten patients a fifth (P); a smaller cohort says too little of five shares.
FEWEST_PATIENTS = 50
# Enough for a 95 % percentile interval to two digits; each refit takes about 10 ms (P).
MOST_DRAWS = 200
# A score of 0 or 1 has no log-odds; farther out than this one patient would bend the quadratic
# curve (P).
_CLIP, _FARTHEST = 0.005, 3.0
_POINTS, _MONTHLY, _VISIT = 8.0, 0.6, 1.6  # start of the search: SD of levels, of rates, of visits


@dataclass(frozen=True)
class Visits:
    """Sums over each patient's visits: number, t, t^2, y, t y and y^2 (t months, y points).

    Arrays of patients.
    """

    n: np.ndarray
    t: np.ndarray
    tt: np.ndarray
    y: np.ndarray
    ty: np.ndarray
    yy: np.ndarray


@dataclass(frozen=True)
class Population:
    """Fixed effects (level and rate, each for 1, z, z^2) and the five numbers of the variances."""

    level: np.ndarray
    rate: np.ndarray
    spread: np.ndarray


def sums_of(row: np.ndarray, days: np.ndarray, total: np.ndarray, n: int) -> Visits:
    """Sums of the visits of `n` patients, days counted from their mean, which keeps level and rate
    apart.

    Parameters
    ----------
    row : array (v,)
        Patient of each visit.
    days : array (v,)
        Days since the index day.
    total : array (v,)
        Points.
    n : int
        Number of patients.

    Returns
    -------
    Visits
        Arrays (n,), months and points.
    """
    sums = visit_sums(row, days - days.mean(), total, n)
    count, t, tt, y, ty = (sums[name] for name in SUMS)
    return Visits(n=count, t=t, tt=tt, y=y, ty=ty, yy=np.bincount(row, total**2, n))


def design(score: np.ndarray) -> np.ndarray:
    """1, z and z^2 of each score (n, 3)."""
    odds = logit(np.clip(score, _CLIP, 1 - _CLIP))
    spread = odds.std()
    z = (odds - odds.mean()) / spread if spread > 1e-9 else np.zeros_like(odds)
    z = np.clip(z, -_FARTHEST, _FARTHEST)
    return np.column_stack([np.ones_like(z), z, z * z])


def fit_population(
    visits: Visits, X: np.ndarray, weights: np.ndarray, start: np.ndarray | None = None
) -> Population:
    """Maximum likelihood.

    The fixed effects are solved for exactly at each step of the search over the variances.

    Parameters
    ----------
    X : array (n, 3)
        Of `design`.
    weights : array (n,)
        How often each patient counts.
    """
    if start is None:
        start = np.array([np.log(_POINTS), np.log(_MONTHLY), 0.0, 0.0, np.log(_VISIT)])
    optimum = minimize(
        lambda spread: _deviance(visits, X, weights, spread), start, method="L-BFGS-B"
    ).x
    level, rate = np.split(_fixed_effects(visits, X, weights, optimum)[0], 2)
    return Population(level=level, rate=rate, spread=optimum)


def rates(visits: Visits, X: np.ndarray, population: Population) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of each patient's rate (points lost per month) given his visits and score.

    The group's without a visit.

    Parameters
    ----------
    visits : Visits
        Of n patients.
    X : array (n, 3)
        Of `design`.
    population : Population
        Of `fit_population`.

    Returns
    -------
    mean, sd : arrays (n,)
        Points lost per month.
    """
    noise, _, p01, p11, _ = _shrinkage(visits, X, population.spread)
    level, slope = X @ population.level, X @ population.rate
    residual = visits.y - level * visits.n - slope * visits.t
    by_time = visits.ty - level * visits.t - slope * visits.tt
    difference = p01 * residual + p11 * by_time
    return -(slope + difference), np.sqrt(np.maximum(noise * p11, 1e-12))


def _shrinkage(visits: Visits, X: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, ...]:
    """Residual variance s, the matrix P = (s I + D Z'Z)^-1 D of each patient (p00, p01, p11), and
    det(s I + D Z'Z).
    """
    points, monthly, by_score, correlation, visit = spread
    noise, level = np.exp(2 * visit), np.exp(points)
    slope_spread = np.exp(monthly + by_score * X[:, 1])
    d00, d01, d11 = level**2, np.tanh(correlation) * level * slope_spread, slope_spread**2
    a, b = noise + d00 * visits.n + d01 * visits.t, d00 * visits.t + d01 * visits.tt
    c, d = d01 * visits.n + d11 * visits.t, noise + d01 * visits.t + d11 * visits.tt
    determinant = a * d - b * c
    p00, p01 = (d * d00 - b * d01) / determinant, (d * d01 - b * d11) / determinant
    return noise, p00, p01, (a * d11 - c * d01) / determinant, determinant


def _fixed_effects(
    visits: Visits, X: np.ndarray, weights: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, float]:
    """Generalised least squares of level and rate, and -2 log likelihood there up to a constant."""
    noise, p00, p01, p11, determinant = _shrinkage(visits, X, spread)

    def product(
        u: tuple[np.ndarray, np.ndarray], v: tuple[np.ndarray, np.ndarray], uv: np.ndarray
    ) -> np.ndarray:
        """Weighted u'V^-1 v of each patient from Z'u, Z'v and u'v."""
        shrunk = u[0] * (p00 * v[0] + p01 * v[1]) + u[1] * (p01 * v[0] + p11 * v[1])
        return np.asarray(weights * (uv - shrunk) / noise)

    ones, time, total = (visits.n, visits.t), (visits.t, visits.tt), (visits.y, visits.ty)
    cross = product(ones, time, visits.t)
    blocks = [[product(ones, ones, visits.n), cross], [cross, product(time, time, visits.tt)]]
    left = np.block([[X.T @ (X * w[:, None]) for w in line] for line in blocks])
    right = np.concatenate(
        [X.T @ product(ones, total, visits.y), X.T @ product(time, total, visits.ty)]
    )
    # A score that hardly varies has a singular design: the smallest solution is as good as any.
    effects = np.linalg.lstsq(left, right, rcond=1e-12)[0]
    # log det V = (visits - 2) log s + log det(s I + D Z'Z)
    size = weights @ (np.log(determinant) + (visits.n - 2) * np.log(noise))
    rest = product(total, total, visits.yy).sum() - right @ effects
    return effects, float(size + rest)


def _deviance(visits: Visits, X: np.ndarray, weights: np.ndarray, spread: np.ndarray) -> float:
    return _fixed_effects(visits, X, weights, spread)[1]


def truly_fast(visits: Visits, X: np.ndarray, population: Population, cutoff: float) -> np.ndarray:
    """P(true rate >= cut-off | visits, score) of each patient.

    Parameters
    ----------
    visits : Visits
        Of n patients.
    X : array (n, 3)
        Of `design`.
    population : Population
        Of `fit_population`.
    cutoff : float
        Points per month.

    Returns
    -------
    array (n,)
        0 to 1.
    """
    mean, error = rates(visits, X, population)
    return np.asarray(norm.sf((cutoff - mean) / error))


def denoised_reliability(
    data: Trainable, validated: Validated, config: Config
) -> tuple[list[ReliabilityRow], dict[str, float]]:
    """Predicted, labelled and de-noised share of fast by fifths of the score.

    Patients labelled by an event apart.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    validated : Validated
        Their out-of-fold results.
    config : Config
        Of the run.

    Returns
    -------
    list of dict, dict
        The table, and the metrics `denoised_*`; both empty where the label is not of a slope, or
        too few patients have one.
    """
    by_slope = np.isfinite(data.slope) & ~data.by_event
    rule = slope_rule(config)
    if rule is None or by_slope.sum() < FEWEST_PATIENTS:
        return [], {}
    p = validated.probability["model"]
    visits, X = sums_of(*label_visits(data.cohort, rule), len(p)), design(p)
    seen = (visits.n > 0).astype(float)
    population = fit_population(visits, X, seen)
    fast = truly_fast(visits, X, population, rule.cutoff)
    fifths = _fifths(p, by_slope)
    table = [_row("by slope", data.y[members], p[members]) for members in fifths]
    draws = _drawn(data, visits, X, population, rule.cutoff, fifths, config)
    for row, members, drawn in zip(table, fifths, draws.T, strict=True):
        low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
        row["denoised"] = float(fast[members].mean())
        row["denoised_low"], row["denoised_high"] = float(low), float(high)
    metrics = _metrics(p, data.y, fast, by_slope, table)
    if data.by_event.any():
        table.append(_row("by event", data.y[data.by_event], p[data.by_event]))
    return table, metrics


def _fifths(p: np.ndarray, by_slope: np.ndarray) -> list[np.ndarray]:
    """Patients in equally filled bins of the score."""
    members = np.flatnonzero(by_slope)
    return np.array_split(members[np.argsort(p[members], kind="stable")], BINS)


def _row(label: str, y: np.ndarray, p: np.ndarray) -> ReliabilityRow:
    low, high = wilson(float(y.sum()), len(y))
    return {
        "label": label,
        "n": len(y),
        "predicted": float(p.mean()),
        "observed": float(y.mean()),
        "low": low,
        "high": high,
    }


def _drawn(
    data: Trainable,
    visits: Visits,
    X: np.ndarray,
    population: Population,
    cutoff: float,
    fifths: list[np.ndarray],
    config: Config,
) -> np.ndarray:
    """De-noised share of each fifth, refitted on families drawn with replacement, (draws,
    fifths).
    """
    rng = np.random.default_rng(config.validation.seed)
    names, family = np.unique(data.families, return_inverse=True)
    shares = []
    for _ in range(min(config.validation.bootstrap, MOST_DRAWS)):
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))[family]
        population_drawn = fit_population(visits, X, drawn * (visits.n > 0), population.spread)
        fast = truly_fast(visits, X, population_drawn, cutoff)
        counts = [np.maximum(drawn[bin_].sum(), 1) for bin_ in fifths]
        shares.append([fast[b] @ drawn[b] / n for b, n in zip(fifths, counts, strict=True)])
    return np.array(shares).reshape(-1, len(fifths))


def _metrics(
    p: np.ndarray,
    y: np.ndarray,
    fast: np.ndarray,
    by_slope: np.ndarray,
    table: list[ReliabilityRow],
) -> dict[str, float]:
    """Of patients with a slope: mean probability, labelled and de-noised share of fast, and both
    calibration errors.
    """
    share = np.array([row["n"] for row in table]) / by_slope.sum()
    predicted = np.array([row["predicted"] for row in table])
    observed = np.array([row["observed"] for row in table])
    denoised = np.array([row["denoised"] for row in table])
    return {
        "denoised_n": float(by_slope.sum()),
        "denoised_predicted": float(p[by_slope].mean()),
        "denoised_labelled": float(y[by_slope].mean()),
        "denoised_fast": float(fast[by_slope].mean()),
        "denoised_ece": float(share @ np.abs(predicted - denoised)),
        "denoised_ece_labelled": float(share @ np.abs(predicted - observed)),
    }
