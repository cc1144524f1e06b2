"""The mixed-model course of the ALSFRS-R: a patient's slope, drawn towards the population's by as
much as visit noise demands.

total_ij = (b0 + u0_i) + (b1 + u1_i) t_ij + e_ij, t in months since the index day, u ~ N(0, D), e ~
N(0, residual variance) (Laird and Ware 1982, doi:10.2307/2529876). statsmodels' MixedLM estimates
b, D and the residual variance by REML **from training patients only**; they are stored with the
model. A patient's own slope then needs only the sums of his visits, so one patient alone gets the
same slope as in a batch.
"""

import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.alsfrs.slopes import DAYS_PER_MONTH

if TYPE_CHECKING:
    from statsmodels.regression.mixed_linear_model import MixedLMParams

# Fewer patients with two visits say too little of the spread of slopes; more than these add time,
# not precision (P).
FEWEST_PATIENTS, MOST_PATIENTS = 20, 250
SUMS = ("visit_n", "visit_t", "visit_tt", "visit_y", "visit_ty")


@dataclass(frozen=True)
class Course:
    """Population parameters: points and points per month; variances in their squares."""

    intercept: float
    slope: float
    var_intercept: float
    covariance: float
    var_slope: float
    var_residual: float

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


def visit_sums(
    row: np.ndarray, days: np.ndarray, total: np.ndarray, n: int
) -> dict[str, np.ndarray]:
    """What the model needs of each patient's visits: their number and the sums of t, t^2, y and t y
    (t in months).

    Parameters
    ----------
    row : array (v,)
        Patient of each visit.
    days : array (v,)
        Days since the index day.
    total : array (v,)
        ALSFRS-R total, 0-48 points; NaN unknown, which is left out.
    n : int
        Number of patients.

    Returns
    -------
    dict of arrays (n,)
        By the names in SUMS: visits, months, months^2, points, points x months.
    """
    known = np.isfinite(total)
    row, t, y = row[known], days[known] / DAYS_PER_MONTH, total[known]
    return {
        "visit_n": np.bincount(row, minlength=n).astype(float),
        "visit_t": np.bincount(row, t, n),
        "visit_tt": np.bincount(row, t * t, n),
        "visit_y": np.bincount(row, y, n),
        "visit_ty": np.bincount(row, t * y, n),
    }


def patient_slopes(
    sums: dict[str, np.ndarray], course: Course | None
) -> tuple[np.ndarray, np.ndarray]:
    """Best linear unbiased prediction of each patient's slope, in points lost per month, and its
    standard error.

    NaN without a visit or without a course. The error is that of the random slope given the
    population's parameters.

    Parameters
    ----------
    sums : dict of arrays (n,)
        Of `visit_sums`.
    course : Course or None
        The population's part.

    Returns
    -------
    slope : array (n,)
        Points lost per month, positive = decline.
    error : array (n,)
        Its standard error in the same unit.
    """
    n, t, tt, y, ty = (sums[name] for name in SUMS)
    if course is None:
        return np.full(len(n), np.nan), np.full(len(n), np.nan)
    # What the population's line leaves of each patient's totals, Z'r.
    residual = y - course.intercept * n - course.slope * t
    residual_by_time = ty - course.intercept * t - course.slope * tt

    # u = (noise I + D Z'Z)^-1 D Z'r, which holds for a singular D too. The left side, a 2 x 2
    # matrix of each patient:
    noise, d00, d01, d11 = _variances(course)
    m00 = noise + d00 * n + d01 * t
    m01 = d00 * t + d01 * tt
    m10 = d01 * n + d11 * t
    m11 = noise + d01 * t + d11 * tt
    determinant = m00 * m11 - m01 * m10

    # Its second row solved: the patient's own part of the slope, and the variance that is left.
    for_intercept = d00 * residual + d01 * residual_by_time
    for_slope = d01 * residual + d11 * residual_by_time
    difference = (m00 * for_slope - m10 * for_intercept) / determinant
    variance = noise * (m00 * d11 - m10 * d01) / determinant

    seen = n > 0
    slope = np.where(seen, -(course.slope + difference), np.nan)
    error = np.where(seen, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    return slope, error


def _variances(course: Course) -> tuple[float, float, float, float]:
    """Residual variance, and D: variance of the intercept, covariance, variance of the slope."""
    return course.var_residual, course.var_intercept, course.covariance, course.var_slope


def fit_course(
    row: np.ndarray, days: np.ndarray, total: np.ndarray, seed: int = 0
) -> Course | None:
    """Estimate the population's course by REML; None with too few patients, or where no estimate is
    reached.

    Parameters
    ----------
    row, days, total : arrays
        Patient, day and ALSFRS-R total of each visit.
    seed : int
        Chooses MOST_PATIENTS of a larger cohort.
    """
    known = np.isfinite(total)
    row, days, total = row[known], days[known], total[known]
    patients, visits = np.unique(row, return_counts=True)
    if (visits >= 2).sum() < FEWEST_PATIENTS:
        return None
    if len(patients) > MOST_PATIENTS:
        chosen = np.random.default_rng(seed).choice(patients, MOST_PATIENTS, replace=False)
        kept = np.isin(row, chosen)
        row, days, total = row[kept], days[kept], total[kept]
    order = np.lexsort((total, days, row))
    return _reml(row[order], days[order] / DAYS_PER_MONTH, total[order])


def _reml(row: np.ndarray, months: np.ndarray, total: np.ndarray) -> Course | None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    # In years both random effects are of one size; in months the optimiser often stops before the
    # optimum.
    years = months / 12
    design = np.column_stack([np.ones(len(years)), years])
    with warnings.catch_warnings():
        # A variance at its bound (patients hardly differ) is an estimate too; statsmodels warns of
        # it.
        warnings.simplefilter("ignore")
        try:
            model = MixedLM(total, design, groups=row, exog_re=design)
            result = model.fit(
                reml=True, method=["lbfgs", "bfgs", "powell"], start_params=_start(years, total)
            )
        except (np.linalg.LinAlgError, ValueError):
            return None
    course = _in_months(result.fe_params, np.asarray(result.cov_re), float(result.scale))
    known = result.converged and np.isfinite(list(course.to_json().values())).all()
    return course if known else None


def _in_months(means: np.ndarray, spread: np.ndarray, residual: float) -> Course:
    """The course of a fit in years: means (2,), covariance (2, 2) and residual variance."""
    return Course(
        intercept=float(means[0]),
        slope=float(means[1] / 12),
        var_intercept=float(spread[0, 0]),
        covariance=float(spread[0, 1] / 12),
        var_slope=float(spread[1, 1] / 144),
        var_residual=residual,
    )


def _start(years: np.ndarray, total: np.ndarray) -> "MixedLMParams":
    """Rough moments to start from: from its own start MixedLM needs six times as long, and often
    ends without an estimate.
    """
    from statsmodels.regression.mixed_linear_model import MixedLMParams

    line = np.polyfit(years, total, 1)
    spread = float(np.var(total - np.polyval(line, years)))
    noise = max(spread * 0.05, 0.5)
    return MixedLMParams.from_components(
        fe_params=line[::-1], cov_re=np.diag([spread, 2 * spread]) / noise
    )
