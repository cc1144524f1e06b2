"""The mixed-model course of the ALSFRS-R: a patient's slope, drawn towards the population's by as
much as visit noise demands.

total_ij = (b0 + u0_i) + (b1 + u1_i) t_ij + e_ij, t in months since the index day, u ~ N(0, D), e ~
N(0, residual variance) (Laird and Ware 1982, doi:10.2307/2529876). b, D and the residual variance
are estimated by REML **from training patients only** and stored with the model. A patient's own
slope then needs only the sums of his visits, so one patient alone gets the same slope as in a
batch; and the fit needs no more of any patient, so all patients together are a few arrays.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from features.alsfrs.slopes import DAYS_PER_MONTH

# Fewer patients with two visits say too little of the spread of slopes (P).
FEWEST_PATIENTS = 20
# Points^2: totals are whole points, so visits with less scatter than this are made up, and say
# nothing of the patients' own slopes (P).
_LEAST_NOISE = 1e-6
# The search ends when the criterion moves by less than 1e-12 of itself, or its gradient is this
# small a part of it: both are far below what the estimates are known to.
_STILL, _FLAT, _MOST_STEPS = 1e-12, 1e-7, 500
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


def fit_course(row: np.ndarray, days: np.ndarray, total: np.ndarray) -> Course | None:
    """Estimate the population's course by REML; None with too few patients, or where no estimate is
    reached.

    Parameters
    ----------
    row, days, total : arrays
        Patient, day and ALSFRS-R total of each visit.

    Returns
    -------
    Course or None
        In points and months.
    """
    known = np.isfinite(total)
    row, days, total = row[known], days[known], total[known]
    patient, visits = np.unique(row, return_inverse=True, return_counts=True)[1:]
    if (visits >= 2).sum() < FEWEST_PATIENTS:
        return None
    order = np.lexsort((total, days, patient))
    # In years both random effects are of one size; in months the search often stops before the
    # optimum.
    return _reml(patient[order], days[order] / DAYS_PER_MONTH / 12, total[order])


class _Sums(NamedTuple):
    """Of each of m patients, with Z = (1, t): Z'Z (m, 2, 2), Z'y (m, 2); y'y and visits of all."""

    zz: np.ndarray
    zy: np.ndarray
    yy: float
    visits: int


class _Solved(NamedTuple):
    """At a relative spread: minus twice the restricted log likelihood up to a constant, its
    derivative by the spread (2, 2), effects (2,) and residual variance.
    """

    criterion: float
    slope: np.ndarray
    effects: np.ndarray
    noise: float


def _reml(patient: np.ndarray, years: np.ndarray, total: np.ndarray) -> Course | None:
    """Search over D / residual variance = L L', L lower triangular: at a spread of 0, where
    patients hardly differ, nothing ends or breaks.
    """
    # Around the line of all visits, so that large totals cancel nothing.
    from scipy.optimize import minimize  # 36 MB, for training alone

    design = np.column_stack([np.ones(len(years)), years])
    line = np.linalg.lstsq(design, total)[0]
    left = total - design @ line
    sums = _sums(patient, years, left)

    def criterion(parts: np.ndarray) -> tuple[float, np.ndarray]:
        root = _root(parts)
        solved = _solved(sums, root @ root.T)
        return solved.criterion, 2 * (solved.slope @ root)[np.tril_indices(2)]

    how = {"ftol": _STILL, "gtol": _FLAT, "maxiter": _MOST_STEPS}
    try:
        with np.errstate(all="ignore"):  # visits without scatter have no finite estimate
            found = minimize(criterion, _start(left), jac=True, method="L-BFGS-B", options=how)
            spread = _root(found.x) @ _root(found.x).T
            solved = _solved(sums, spread)
    except np.linalg.LinAlgError:
        return None
    course = _in_months(line + solved.effects, solved.noise * spread, solved.noise)
    known = np.isfinite(list(course.to_json().values())).all()
    return course if found.success and known and solved.noise >= _LEAST_NOISE else None


def _sums(patient: np.ndarray, years: np.ndarray, y: np.ndarray) -> _Sums:
    n, t = np.bincount(patient).astype(float), np.bincount(patient, years)
    tt = np.bincount(patient, years * years)
    zy = np.column_stack([np.bincount(patient, y), np.bincount(patient, years * y)])
    zz = np.stack([np.stack([n, t], axis=1), np.stack([t, tt], axis=1)], axis=1)
    return _Sums(zz=zz, zy=zy, yy=float(y @ y), visits=len(y))


def _root(parts: np.ndarray) -> np.ndarray:
    return np.array([[parts[0], 0.0], [parts[1], parts[2]]])


def _start(left: np.ndarray) -> np.ndarray:
    """Rough moments: most of the scatter around the common line is between patients (P)."""
    spread = float(np.var(left))
    noise = max(spread * 0.05, 0.5)
    return np.array([np.sqrt(spread / noise), 0.0, np.sqrt(2 * spread / noise)])


def _solved(sums: _Sums, spread: np.ndarray) -> _Solved:
    """The restricted likelihood with effects and residual variance at their best for a spread.

    With W = (I + Z spread Z')^-1 of a patient: Z'WZ = (I + Z'Z spread)^-1 Z'Z, Z'Wy likewise, and
    det W^-1 = det(I + Z'Z spread).
    """
    around = np.eye(2) + sums.zz @ spread
    zwz = np.linalg.solve(around, sums.zz)
    zwy = np.linalg.solve(around, sums.zy[:, :, None])[:, :, 0]
    total = zwz.sum(axis=0)
    effects = np.linalg.solve(total, zwy.sum(axis=0))
    # y'Wy = y'y - y'Z spread Z'Wy
    squares = sums.yy - float(((sums.zy @ spread) * zwy).sum()) - float(effects @ zwy.sum(axis=0))
    free = sums.visits - len(effects)
    logs = float(np.linalg.slogdet(around)[1].sum()) + float(np.linalg.slogdet(total)[1])
    left = zwy - zwz @ effects
    slope = (zwz - zwz @ np.linalg.solve(total, zwz)).sum(axis=0) - free / squares * left.T @ left
    return _Solved(
        criterion=free * float(np.log(squares)) + logs,
        slope=slope,
        effects=effects,
        noise=squares / free,
    )


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
