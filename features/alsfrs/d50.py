"""The D50 model: ALSFRS-R as a falling sigmoid of the months since onset, y(t) = 48 / (1 + exp((t -
D50) / dx)).

D50 is the month in which half of the function is lost, dx the time constant of the loss, and rD50 =
t / (2 D50) places a visit on the course. The formula is V in public research code, its meaning (the
month of ALSFRS-R 24) in the Jena group's talk at ENCALS 2017; rD50 is recalled (R). Full function
at onset is one more observation (P), since patients are first seen late. Nonlinear least squares,
all patients at once (Levenberg-Marquardt in ln D50 and ln dx); the result is NaN with fewer than
two visits, without a loss, or where no minimum is reached.
"""

import numpy as np

FULL = 48.0
# A D50 beyond a human life with ALS says only that nothing has been lost yet (P).
LONGEST_MONTHS = 600.0
_ROUNDS, _STEPS, _TOLERANCE = 20, 10, 1e-6
# Of a patient, products of residual, slope by ln D50 and slope by ln dx: the sum of squares, two of
# its gradient, three of its curvature, the mixed one last.
_LEFT, _RIGHT = np.array([0, 1, 2, 1, 2, 1]), np.array([0, 0, 0, 1, 2, 2])
_SUMS = len(_LEFT)


def fit_d50(
    row: np.ndarray, months: np.ndarray, total: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit D50 and dx, both in months, of `n` patients.

    Parameters
    ----------
    row, months, total : arrays, one entry a visit
        Patient, months since onset, ALSFRS-R total; unknown ones are left out.
    """
    known = np.isfinite(months) & np.isfinite(total) & (months > 0)
    row, months, total = row[known], months[known], total[known]
    able = np.bincount(row, minlength=n) >= 2
    lost = np.bincount(row, FULL - total, n)
    able &= lost > 0
    mine = able[row]
    at = np.flatnonzero(able)
    number = np.full(n, -1)
    number[at] = np.arange(len(at))
    patient = np.append(number[row[mine]], np.arange(len(at)))
    t, y = (
        np.append(months[mine], np.zeros(len(at))),
        np.append(total[mine], np.full(len(at), FULL)),
    )
    fitted = _levenberg(patient, t, y, _start(patient, t, y, len(at)))
    d50, dx = np.full(n, np.nan), np.full(n, np.nan)
    d50[at], dx[at] = fitted
    return d50, dx


def _start(patient: np.ndarray, t: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    """Ln D50 and ln dx: half of function lost at the mean rate so far, a quarter of that as the
    time constant.
    """
    rate = np.bincount(patient, FULL - y, n) / np.bincount(patient, t, n)
    d50 = np.clip(FULL / 2 / rate, 2.0, LONGEST_MONTHS)
    return np.log(np.stack([d50, d50 / 4]))


def _levenberg(patient: np.ndarray, t: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Minimise each patient's sum of squares.

    Patients who have arrived are left out of the next round.
    """
    fitted, left = np.full(start.shape, np.nan), np.arange(start.shape[1])
    parameters, damping = start, np.full(start.shape[1], 1e-2)
    for _ in range(_ROUNDS):
        if not len(left):
            break
        number = np.full(start.shape[1], -1)
        number[left] = np.arange(len(left))
        number = number[patient]
        mine = number >= 0
        number = number[mine]
        parameters, damping, done = _round(number, t[mine], y[mine], parameters, damping)
        fitted[:, left[done]] = np.exp(parameters[:, done])
        left, parameters, damping = left[~done], parameters[:, ~done], damping[~done]
    return np.where(fitted[0] <= LONGEST_MONTHS, fitted, np.nan)


def _round(
    patient: np.ndarray, t: np.ndarray, y: np.ndarray, parameters: np.ndarray, damping: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = parameters.shape[1]
    done = np.zeros(n, dtype=bool)
    # The sums of all patients are taken at once: each has a place of its own for each of them.
    place = (patient + n * np.arange(_SUMS)[:, None]).ravel()
    sums = _derivatives(patient, place, t, y, parameters)
    for _ in range(_STEPS):
        if np.count_nonzero(done) == n:
            break
        step = _step(sums, damping)
        tried = parameters + _held(step, 1.0)
        new = _derivatives(patient, place, t, y, tried)
        better = (new[0] <= sums[0]) & ~done
        done |= better & (np.maximum.reduce(np.abs(step)) < _TOLERANCE)
        if np.count_nonzero(better) == n:  # as a rule, where a patient is alone
            parameters, sums, damping = tried, new, damping / 5.0
            continue
        parameters, sums = np.where(better, tried, parameters), np.where(better, new, sums)
        damping = damping / np.where(better, 5.0, 0.25)
    return parameters, damping, done


def _derivatives(
    patient: np.ndarray, place: np.ndarray, t: np.ndarray, y: np.ndarray, parameters: np.ndarray
) -> np.ndarray:
    """Of each of n patients (6, n): sum of squares, its gradient (2) and the Gauss-Newton curvature
    (3) in ln D50 and ln dx.
    """
    d50, dx = np.exp(_held(parameters, 20.0)).take(patient, axis=1)
    z = _held((t - d50) / dx, 500.0)
    share = 1.0 / (1.0 + np.exp(z))
    points = FULL * share
    slope = points * (1.0 - share)
    of_visit = np.empty((3, len(t)))  # residual, slope by ln D50 and by ln dx
    np.subtract(y, points, out=of_visit[0])
    np.divide(slope * d50, dx, out=of_visit[1])
    np.multiply(slope, z, out=of_visit[2])
    products = of_visit.take(_LEFT, axis=0) * of_visit.take(_RIGHT, axis=0)
    n = parameters.shape[1]
    return np.bincount(place, products.ravel(), _SUMS * n).reshape(_SUMS, n)


def _held(values: np.ndarray, most: float) -> np.ndarray:
    """Values between -most and most; np.clip needs five times as long for a few of them."""
    return np.minimum(np.maximum(values, -most), most)


def _step(sums: np.ndarray, damping: np.ndarray) -> np.ndarray:
    gradient, mixed = sums[1:3], sums[5]
    own = sums[3:5] * (1.0 + damping) + 1e-12
    determinant = np.maximum(own[0] * own[1] - mixed * mixed, 1e-18)
    return (own[::-1] * gradient - mixed * gradient[::-1]) / determinant
