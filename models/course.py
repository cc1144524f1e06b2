"""The course of the ALSFRS-R after the landmark: the rate of decline to come, and the total at 3,
6, 9 and 12 months for a patient who is then alive.

Two steps, both plain sums of features, so that one patient alone gets the same numbers as in a
batch. The rate is learned by ridge regression from all features (the mixed-model slope among them)
and the score of the event, each patient's measured slope weighing as much as its visits say of it.
The total of a visit t months after the landmark then follows

    total = a + b last + c change + d rate + t (e + f last + g change + h rate) + t^2 (i + j rate)

with the last total, its change since the index visit and the learned rate, each visit weighing
alike. That is a regression conditional on being alive and seen (Kurland and Heagerty 2005,
doi:10.1093/biostatistics/kxi006): it says what is found among those who are there, not what would
be found if nobody died, as a random-effects model of all visits would. Who is lost otherwise is
handled as far as the features say who that is; the size of the rest is measured on simulated
cohorts (`python -m benchmarks censoring`).

Intervals are quantiles of out-of-fold errors divided by their expected size, which grows with time
and rate. They are those of a *measured* total and of a slope measured over the label's window.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from features.alsfrs.slopes import DAYS_PER_MONTH, decline
from features.cohort import Cohort
from models.labels import natural_until_days, revised_visits
from models.members import family_folds, varying
from models.stored import StoredNumbers

# Months after the landmark at which a total is predicted.
HORIZONS = (3, 6, 9, 12)
# Visits beyond this month teach nothing about month 12 (P: a visit later than a quarter's delay).
_LAST_MONTH = 15.0
# A slope over less than this is visit noise; over more it weighs by its error (P).
_LEAST_SPAN_DAYS = 60.0
# What the label rule of the contract asks of a measured slope.
_LABEL_VISITS, _LABEL_SPAN_DAYS = 3, 180.0
# Points: SD of a visit's total around the true course, where too few visits tell (P).
_VISIT_SD = 1.6
FEWEST_SLOPES = 50
_FAR = 4.0  # SDs: one patient's outlying value moves nobody's slope further (P)
_PENALTIES = 10.0 ** np.arange(-2.0, 5.0, 0.5)
_FULL, _TYPICAL, _SPREAD = 48.0, 36.0, 10.0


@dataclass(frozen=True)
class Followed:
    """What was seen of n patients after the landmark, untreated.

    `row`, `months` (after the landmark) and `total` (points) of each visit, (v,); `slope` (n,) in
    points lost per month, NaN unknown, its `weight` (n,) and whether it is `measured` (n,) as the
    label rule asks.
    """

    row: np.ndarray
    months: np.ndarray
    total: np.ndarray
    slope: np.ndarray
    weight: np.ndarray
    measured: np.ndarray

    def take(self, rows: np.ndarray) -> "Followed":
        """What was seen of some patients.

        Parameters
        ----------
        rows : array of int (m,)
            Positions, each once.

        Returns
        -------
        Followed
            Of m patients, in that order.
        """
        place = np.full(len(self.slope), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.row] >= 0
        return Followed(
            row=place[self.row[kept]],
            months=self.months[kept],
            total=self.total[kept],
            slope=self.slope[rows],
            weight=self.weight[rows],
            measured=self.measured[rows],
        )


def followed(cohort: Cohort, landmark_days: int) -> Followed:
    """The ALSFRS-R visits after the landmark, until a treatment that ends the natural course.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut.
    landmark_days : int
        Visits on that day belong to the features.

    Returns
    -------
    Followed
        Of the n patients.
    """
    row, days, total = revised_visits(cohort)
    months = (days - landmark_days) / DAYS_PER_MONTH
    kept = (months > 0) & (months <= _LAST_MONTH) & np.isfinite(total)
    kept &= days <= natural_until_days(cohort.patients)[row]
    return followed_visits(row[kept], months[kept], total[kept], len(cohort))


def followed_visits(row: np.ndarray, months: np.ndarray, total: np.ndarray, n: int) -> Followed:
    """The slope of each patient's visits and what it weighs: 1 / (spread of slopes + its error).

    Parameters
    ----------
    row, months, total : arrays (v,)
        Patient, months after the landmark and points of each visit.
    n : int
        Number of patients.

    Returns
    -------
    Followed
        Weights with a mean of 1 over the patients with a slope.
    """
    slope, visits, span = decline(row, months * DAYS_PER_MONTH, total, n)
    slope = np.where(span >= _LEAST_SPAN_DAYS, slope, np.nan)
    centre = np.bincount(row, months, n) / np.maximum(visits, 1)
    spread = np.bincount(row, (months - centre[row]) ** 2, n)
    error = np.divide(_VISIT_SD**2, spread, out=np.full(n, np.inf), where=spread > 0)
    known = np.isfinite(slope)
    measured = known & (visits >= _LABEL_VISITS) & (span >= _LABEL_SPAN_DAYS)
    of_all = np.var(slope[measured]) - error[measured].mean() if measured.any() else 1.0
    weight = np.where(known, 1 / (max(float(of_all), 0.1) + error), 0.0)
    scale = weight[known].mean() if known.any() else 1.0
    return Followed(
        row=row, months=months, total=total, slope=slope, weight=weight / scale, measured=measured
    )


@dataclass(frozen=True)
class Expected:
    """What is predicted for n patients; NaN where nothing can be said.

    `slope` with its bounds (n,), points lost per month; `total` with its bounds (n, 4) at
    `HORIZONS`, points, for a patient who is then alive.
    """

    slope: np.ndarray
    slope_low: np.ndarray
    slope_high: np.ndarray
    total: np.ndarray
    total_low: np.ndarray
    total_high: np.ndarray


@dataclass(frozen=True)
class CourseModel(StoredNumbers):
    """Numbers alone, of training patients.

    `columns` of the matrix with their `centre`, `scale` and `coefficients`, the last of each being
    of the event's score; `level` (10,) of the total; `slope_spread` and `total_spread` of the
    expected squared error, and `slope_quantiles`, `total_quantiles` of what is left of it. `last`
    and `first` are the columns of the last total and of that at the index visit, -1 without.
    """

    columns: tuple[int, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    last: int
    first: int
    level: tuple[float, ...]
    slope_spread: tuple[float, ...]
    total_spread: tuple[float, ...]
    slope_quantiles: tuple[float, float]
    total_quantiles: tuple[float, float]

    def slope(self, X: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Predicted rate of decline.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        score : array (n,)
            Of the event.

        Returns
        -------
        array (n,)
            Points lost per month.
        """
        Z = _standard(X, score, self.columns, np.array(self.centre), np.array(self.scale))
        return np.asarray((Z * np.array(self.coefficients)).sum(axis=1) + self.intercept)

    def expected(self, X: np.ndarray, score: np.ndarray) -> Expected:
        """Rate and totals with their intervals.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        score : array (n,)
            Of the event.

        Returns
        -------
        Expected
            Totals are NaN where no total is known at the landmark.
        """
        slope = self.slope(X, score)
        error = _size(self.slope_spread, _of_slope(slope))
        at = [self.total_at(X, score, np.full(len(X), float(t))) for t in HORIZONS]
        total, low, high = (np.column_stack([one[k] for one in at]) for k in range(3))
        return Expected(
            slope=slope,
            slope_low=slope + self.slope_quantiles[0] * error,
            slope_high=slope + self.slope_quantiles[1] * error,
            total=total,
            total_low=low,
            total_high=high,
        )

    def total_at(
        self, X: np.ndarray, score: np.ndarray, months: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Total of each patient at a time of the patient's own, if alive then.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        score : array (n,)
            Of the event.
        months : array (n,)
            After the landmark, above 0 and up to 15.

        Returns
        -------
        total, low, high : arrays (n,)
            0 to 48 points; NaN where no total is known at the landmark.
        """
        rate = self.slope(X, score)
        last, change = _totals(X, self.last, self.first)
        mean = (_design(last, change, rate, months) * np.array(self.level)).sum(axis=1)
        width = _size(self.total_spread, _of_total(rate, months))
        low, high = (mean + end * width for end in self.total_quantiles)
        return np.clip(mean, 0, _FULL), np.clip(low, 0, _FULL), np.clip(high, 0, _FULL)


def fit_course_model(
    X: np.ndarray,
    score: np.ndarray,
    seen: Followed,
    families: np.ndarray,
    names: Sequence[str],
    coverage: float,
    folds: int = 5,
    seed: int = 1,
) -> CourseModel | None:
    """Learn rate and totals; None where fewer than 50 patients have a slope.

    Parameters
    ----------
    X : array (n, p)
        Features up to the landmark, NaN unknown.
    score : array (n,)
        Of the event, out of fold: that of a model that was not fitted on the patient.
    seen : Followed
        What came after.
    families : int array (n,)
        Relatives share a number; they are kept in one fold.
    names : sequence of str
        Of the columns of X.
    coverage : float
        Of the intervals, 0 to 1.
    folds : int
        Of the choice of the penalty and of the errors.
    seed : int
        Of the folds.

    Returns
    -------
    CourseModel or None
        Of these patients.
    """
    known = np.flatnonzero(np.isfinite(seen.slope))
    if len(known) < FEWEST_SLOPES:
        return None
    columns = _usable(X[known])
    centre, scale = _location(np.column_stack([X[known][:, columns], score[known]]))
    Z = _standard(X, score, tuple(columns), centre, scale)
    of_fold = family_folds((score > np.median(score)).astype(float), families, folds, seed)
    path = _out_of_fold(Z, seen, of_fold)
    best = _best(path, seen, known)
    coefficients, intercept = _ridge(Z[known], seen.slope[known], seen.weight[known])[best]
    ends = ((1 - coverage) / 2, (1 + coverage) / 2)
    last, first = (_place(name, names) for name in ("alsfrs_total", "alsfrs_baseline"))
    level, spread, quantiles = _fit_totals(X, path[best], seen, last, first, ends)
    slope_spread, slope_quantiles = _fit_slopes(path[best], seen, ends)
    return CourseModel(
        columns=tuple(map(int, columns)),
        centre=tuple(map(float, centre)),
        scale=tuple(map(float, scale)),
        coefficients=tuple(map(float, coefficients)),
        intercept=float(intercept),
        last=last,
        first=first,
        level=level,
        slope_spread=slope_spread,
        total_spread=spread,
        slope_quantiles=slope_quantiles,
        total_quantiles=quantiles,
    )


def _best(path: Sequence[np.ndarray], seen: Followed, known: np.ndarray) -> int:
    """Which penalty's rates, out of fold, have the least squared error."""
    errors = [(seen.weight[known] * (seen.slope - rate)[known] ** 2).sum() for rate in path]
    return int(np.argmin(errors))


def _fit_slopes(
    rate: np.ndarray, seen: Followed, ends: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, float]]:
    """Spread of the error of the rates out of fold, and the quantiles of what is left of it."""
    measured = seen.measured
    return _fit_errors((seen.slope - rate)[measured], _of_slope(rate[measured]), ends)


def _place(name: str, names: Sequence[str]) -> int:
    return list(names).index(name) if name in names else -1


def _usable(X: np.ndarray) -> np.ndarray:
    """Columns that vary, and of which every second patient is known: the others would be mostly
    their mean (P).
    """
    some = np.flatnonzero(np.isfinite(X).mean(axis=0) >= 0.5)
    kept = varying(X[:, some], 0.02)
    return np.asarray(some[kept])


def _location(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of each column, 1 where it does not vary."""
    spread = np.nanstd(Z, axis=0)
    return np.nanmean(Z, axis=0), np.where(spread > 1e-9, spread, 1.0)


def _standard(
    X: np.ndarray,
    score: np.ndarray,
    columns: tuple[int, ...],
    centre: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """Standardised columns and score, unknown = the mean, far values drawn in; C-contiguous."""
    chosen = np.column_stack([np.asarray(X[:, list(columns)], dtype=np.float64), score])
    return np.ascontiguousarray(np.clip(np.nan_to_num((chosen - centre) / scale), -_FAR, _FAR))


def _ridge(Z: np.ndarray, y: np.ndarray, weight: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Coefficients and intercept at each penalty, by one decomposition."""
    share = weight / weight.sum()
    middle, mean = share @ Z, float(share @ y)
    root = np.sqrt(weight)[:, None]
    u, d, vt = np.linalg.svd((Z - middle) * root, full_matrices=False)
    onto = u.T @ ((y - mean) * root[:, 0])
    found = []
    for penalty in _PENALTIES:
        b = vt.T @ (d / (d**2 + penalty) * onto)
        found.append((b, mean - float(middle @ b)))
    return found


def _out_of_fold(
    Z: np.ndarray, seen: Followed, folds: list[tuple[np.ndarray, np.ndarray]]
) -> list[np.ndarray]:
    """Predicted rate of each patient by a model without him, at each penalty."""
    path = [np.empty(len(Z)) for _ in _PENALTIES]
    for train, test in folds:
        some = train[np.isfinite(seen.slope[train])]
        fits = _ridge(Z[some], seen.slope[some], seen.weight[some])
        for rate, (b, intercept) in zip(path, fits, strict=True):
            rate[test] = Z[test] @ b + intercept
    return path


def _totals(X: np.ndarray, last: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Last total and its change since the index visit, 0 where that is not known, (n,)."""
    if last < 0:
        return np.full(len(X), np.nan), np.zeros(len(X))
    now = np.asarray(X[:, last], dtype=np.float64)
    change = now - X[:, first] if first >= 0 else np.zeros(len(X))
    return now, np.nan_to_num(np.asarray(change, dtype=np.float64))


def _design(last: np.ndarray, change: np.ndarray, rate: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Columns of the total, (n, 10)."""
    points, year = (last - _TYPICAL) / _SPREAD, t / 12
    level = [np.ones_like(t), points, change, rate]
    columns = [*level, *(year * x for x in level), year**2, year**2 * rate]
    return np.ascontiguousarray(np.column_stack(columns))


def _of_slope(rate: np.ndarray) -> np.ndarray:
    """What the squared error of a slope grows with: columns of a regression without an
    intercept of its own.
    """
    return np.column_stack([np.ones_like(rate), np.maximum(rate, 0.0) ** 2])


def _of_total(rate: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The same of a total: with time, and with the points that are expected to be lost by then."""
    year, fast = t / 12, np.maximum(rate, 0.0)
    return np.column_stack([np.ones_like(t), year**2, (year * fast) ** 2])


def _fit_errors(
    residual: np.ndarray, columns: np.ndarray, ends: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, float]]:
    """How the size of an error grows, and the quantiles of what is left of it."""
    spread = _fit_size(residual, columns)
    return spread, _ends(residual / _size(spread, columns), ends)


def _fit_size(residual: np.ndarray, columns: np.ndarray) -> tuple[float, ...]:
    """Non-negative regression of the squared error on what it grows with; NaN without errors."""
    if not len(residual):
        return (np.nan,) * columns.shape[1]
    return tuple(map(float, nnls(columns, residual**2)[0]))


def _size(spread: tuple[float, ...], columns: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum((columns * np.array(spread)).sum(axis=1), 1e-6))


def _ends(left: np.ndarray, ends: tuple[float, float]) -> tuple[float, float]:
    low, high = np.quantile(left, ends) if len(left) else (np.nan, np.nan)
    return float(low), float(high)


def _fit_totals(
    X: np.ndarray,
    rate: np.ndarray,
    seen: Followed,
    last: int,
    first: int,
    ends: tuple[float, float],
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, float]]:
    """Coefficients of the total, of its error's size, and the quantiles of what is left."""
    now, change = _totals(X, last, first)
    kept = np.isfinite(now[seen.row])
    row, t, total = seen.row[kept], seen.months[kept], seen.total[kept]
    if len(np.unique(row)) < FEWEST_SLOPES:
        return (np.nan,) * 10, (np.nan,) * 3, (np.nan, np.nan)
    design = _design(now[row], change[row], rate[row], t)
    level = np.linalg.lstsq(design, total)[0]
    spread, quantiles = _fit_errors(total - design @ level, _of_total(rate[row], t), ends)
    return tuple(map(float, level)), spread, quantiles
