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
    loss, gradient, curvature = _derivatives(patient, t, y, parameters, n)
    for _ in range(_STEPS):
        if done.all():
            break
        step = _step(gradient, curvature, damping)
        tried = parameters + np.where(done, 0.0, _held(step, 1.0))
        new_loss, new_gradient, new_curvature = _derivatives(patient, t, y, tried, n)
        better = (new_loss <= loss) & ~done
        parameters = np.where(better, tried, parameters)
        done |= better & (np.abs(step).max(axis=0) < _TOLERANCE)
        damping = np.where(better, damping / 5, damping * 4)
        loss = np.where(better, new_loss, loss)
        gradient = np.where(better, new_gradient, gradient)
        curvature = np.where(better, new_curvature, curvature)
    return parameters, damping, done


def _derivatives(
    patient: np.ndarray, t: np.ndarray, y: np.ndarray, parameters: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum of squares, its gradient (2, n) and the Gauss-Newton curvature (3, n) in ln D50 and ln
    dx.
    """
    d50, dx = np.exp(_held(parameters, 20))[:, patient]
    z = _held((t - d50) / dx, 500)
    share = 1 / (1 + np.exp(z))
    residual = y - FULL * share
    slope = FULL * share * (1 - share)
    by_d50, by_dx = slope * d50 / dx, slope * z
    gradient = np.array(
        [np.bincount(patient, by_d50 * residual, n), np.bincount(patient, by_dx * residual, n)]
    )
    products = (by_d50**2, by_d50 * by_dx, by_dx**2)
    return (
        np.bincount(patient, residual**2, n),
        gradient,
        np.array([np.bincount(patient, p, n) for p in products]),
    )


def _held(values: np.ndarray, most: float) -> np.ndarray:
    """Values between -most and most; np.clip needs five times as long for a few of them."""
    return np.minimum(np.maximum(values, -most), most)


def _step(gradient: np.ndarray, curvature: np.ndarray, damping: np.ndarray) -> np.ndarray:
    a, b, d = curvature
    a, d = a * (1 + damping) + 1e-12, d * (1 + damping) + 1e-12
    determinant = np.maximum(a * d - b * b, 1e-18)
    return (
        np.array([d * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]])
        / determinant
    )
