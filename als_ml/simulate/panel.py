"""The biomarker panel: values with units, assays, limits and gaps, and their likelihood for the
oracle.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from als_ml.simulate import constants as c
from als_ml.simulate.course import Course
from als_ml.simulate.genetics import People

# SD of ln future rate around its covariate mean: from the past rate and by itself.
_FUTURE_SPREAD = float(np.hypot(c.FUTURE_SD, c.FUTURE_ON_PAST * c.PAST_SD))


@dataclass
class Panel:
    """Values up to the landmark: `nfl` (n, 2) in pg/mL as the site's assay reads it, `analytes`
    {id: (n,)}; NaN missing.

    `nfl_day` and `later_nfl` (after the landmark) complete what is written.
    """

    nfl: np.ndarray
    nfl_day: np.ndarray
    later_nfl: np.ndarray
    analytes: dict[str, np.ndarray]


def standardised_future(future: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Ln future rate minus its mean by covariates, in SD."""
    return (future - c.FUTURE_LOG_MEAN - c.SHIFT_LASTS * shift) / _FUTURE_SPREAD


def nfl_mean(people: People, past: np.ndarray, future: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Mean of ln NfL; latents may carry further axes behind the first."""
    extra = (slice(None),) + (None,) * (np.ndim(past) - 1)
    age = (c.NFL_AGE * (people.age - c.MEAN_AGE))[extra]
    ella = (np.log(c.ELLA_FACTOR) * np.isin(people.site, c.ELLA_SITES))[extra]
    past_z = (past - np.log(c.PAST_MEDIAN) - shift) / c.PAST_SD
    return (
        c.NFL_MEAN
        + age
        + ella
        + c.NFL_PAST * past_z
        + c.NFL_FUTURE * standardised_future(future, shift)
    )


def draw_panel(people: People, course: Course, rng: np.random.Generator) -> Panel:
    """Measure the panel."""
    n = len(people.family)
    mean = nfl_mean(people, course.past, course.future, course.shift)[:, None]
    nfl = np.exp(mean + rng.normal(0, c.NFL_SD, (n, 3)))
    measured = rng.random((n, 3)) < [c.NFL_MEASURED, c.EARLY_REPEAT, c.AFTER_LANDMARK]
    nfl = np.where(measured, nfl.round(2), np.nan)
    day = rng.integers(30, 85, n)
    values = {name: _draw(name, people, course, rng) for name in c.PANEL}
    return Panel(nfl=nfl[:, :2], nfl_day=day, later_nfl=nfl[:, 2], analytes=values)


def _draw(name: str, people: People, course: Course, rng: np.random.Generator) -> np.ndarray:
    _, _, sd, _, measured, log = c.PANEL[name]
    mean = panel_mean(name, people, course.early_totals[:, 0], course.future, course.shift)
    value = rng.normal(mean, sd)
    value = np.exp(value).round(2) if log else np.maximum(value, 0.1).round(2)
    return np.where(rng.random(len(value)) < measured, value, np.nan)


def panel_mean(
    name: str, people: People, first_total: np.ndarray, future: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Mean of an analyte (of its logarithm on log scale).

    Latents may carry further axes behind the first.
    """
    men, women, _, loading, _, _ = c.PANEL[name]
    extra = (slice(None),) + (None,) * (np.ndim(future) - 1)
    base = np.where(people.female, women, men)
    if name == "fvc_pct":
        base = base - c.FVC_PER_POINT * (48 - first_total)
    return base[extra] + loading * standardised_future(future, shift)


def log_likelihood(
    panel: Panel,
    people: People,
    first_total: np.ndarray,
    past: np.ndarray,
    future: np.ndarray,
    shift: np.ndarray,
) -> np.ndarray:
    """Log likelihood of everything measured up to the landmark; latents of shape (n, ...)."""
    extra = (slice(None),) + (None,) * (np.ndim(past) - 1)
    total = np.zeros(np.broadcast_shapes(past.shape, future.shape))
    mean = nfl_mean(people, past, future, shift)
    limit = np.where(np.isin(people.site, c.ELLA_SITES), np.log(c.ELLA_LIMIT), -np.inf)
    for j in range(2):
        total = total + _term(np.log(panel.nfl[:, j]), limit, mean, c.NFL_SD, extra)
    for name, (_, _, sd, loading, _, log) in c.PANEL.items():
        if loading == 0:
            continue
        value = np.log(panel.analytes[name]) if log else panel.analytes[name]
        limit = np.full(len(value), np.log(c.CRP_LIMIT) if name == "crp_serum" else -np.inf)
        total = total + _term(
            value, limit, panel_mean(name, people, first_total, future, shift), sd, extra
        )
    return total


def _term(
    value: np.ndarray,
    limit: np.ndarray,
    mean: np.ndarray,
    sd: float,
    extra: tuple[slice | None, ...],
) -> np.ndarray:
    """Normal log density, or log distribution below a limit; 0 where nothing was measured."""
    value, limit = value[extra], limit[extra]
    density = np.where(np.isnan(value), 0.0, norm.logpdf(value, mean, sd))
    censored = np.flatnonzero((value < limit).ravel())
    if len(censored):
        density[censored] = norm.logcdf(limit[censored], mean[censored], sd)
    return density
