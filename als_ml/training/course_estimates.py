"""What was predicted of the course of the ALSFRS-R, beside what a clinic would say without a model:
the last total stays, or the early slope goes on.

Everything is out of fold. A total is compared at the time of its visit, within six weeks of each
horizon, which only those have who are then alive and seen.
"""

from dataclasses import dataclass

import numpy as np

from als_ml.config import Config
from als_ml.training.metrics import divided, family_weights, percentiles
from als_ml.training.task_data import Trainable
from models.course import HORIZONS, Followed, followed
from models.survival.fitted import FittedSurvival

# Months around a horizon in which a visit counts: half of a quarter's distance between visits.
_NEAR = 1.5
BASELINES = ("last_total", "early_slope")
_FULL = 48.0
# Fewer visits or slopes say little, and might betray whose they are (P).
_FEWEST = 10
# Enough for a 95 % percentile interval to two digits (P).
_MOST_DRAWS = 500


@dataclass(frozen=True)
class CourseOfFold:
    """Of the tested patients: `slope` (m, 3) predicted with its bounds, by baseline `slopes` (m,);
    of their visits, at the positions `visits`, `total` (w, 3) and by baseline `totals` (w,).
    """

    test: np.ndarray
    visits: np.ndarray
    slope: np.ndarray
    slopes: dict[str, np.ndarray]
    total: np.ndarray
    totals: dict[str, np.ndarray]


def course_of_fold(
    data: Trainable,
    X: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    fitted: FittedSurvival,
    landmark_days: int,
) -> CourseOfFold | None:
    """Predict slope and visits of the test patients.

    Parameters
    ----------
    data : Trainable
        All patients.
    X : array (n, p)
        Of `data.matrix(train)`.
    train, test : arrays of int
        Positions.
    fitted : FittedSurvival
        On the training patients.
    landmark_days : int
        Where time starts.

    Returns
    -------
    CourseOfFold or None
        None where no course was learned.
    """
    if fitted.course is None:
        return None
    seen, score = followed(data.cohort, landmark_days), fitted.score(X)
    visits = np.flatnonzero(np.isin(seen.row, test))
    of, months = seen.row[visits], seen.months[visits]
    expected = fitted.course.expected(X[test], score[test])
    slopes = _baseline_slopes(data, X, train, seen)
    last = _column(data, X, "alsfrs_total")
    return CourseOfFold(
        test=test,
        visits=visits,
        slope=np.column_stack([expected.slope, expected.slope_low, expected.slope_high]),
        slopes={name: values[test] for name, values in slopes.items()},
        total=np.column_stack(fitted.course.total_at(X[of], score[of], months)),
        totals={
            "last_total": last[of],
            "early_slope": np.clip(last[of] - slopes["early_slope"][of] * months, 0, _FULL),
        },
    )


def _column(data: Trainable, X: np.ndarray, name: str) -> np.ndarray:
    columns = list(data.rows.columns)
    if name not in columns:
        return np.full(len(X), np.nan)
    return np.asarray(X[:, columns.index(name)], dtype=float)


def _baseline_slopes(
    data: Trainable, X: np.ndarray, train: np.ndarray, seen: Followed
) -> dict[str, np.ndarray]:
    """The early slope goes on, and everybody declines like the training patients (which is also
    said where no early slope is known).
    """
    slope = seen.slope[train]
    mean = float(np.nanmean(slope)) if np.isfinite(slope).any() else np.nan
    early = _column(data, X, "early_slope")
    return {
        "early_slope": np.where(np.isfinite(early), early, mean),
        "mean_slope": np.full(len(X), mean),
    }


def course_estimates(
    data: Trainable, folds: list[CourseOfFold | None], config: Config
) -> dict[str, float]:
    """Errors of slope and totals, their difference to the baselines with 95 % intervals, and how
    often the intervals hold what was measured.

    Parameters
    ----------
    data : Trainable
        The patients.
    folds : list of CourseOfFold or None
        Of each fold of each repeat; predictions of several repeats are averaged.
    config : Config
        Of the run.

    Returns
    -------
    dict of float
        `slope_rmse` (points a month), `total_12m_rmse` (points) and so on; empty without a course.
    """
    known = [fold for fold in folds if fold is not None]
    if not known:
        return {}
    n = len(data.families)
    seen, v = followed(data.cohort, config.landmark_days), config.validation
    event, draws = np.asarray(data.y, dtype=float), min(v.bootstrap, _MOST_DRAWS)
    weights = np.concatenate([np.ones((1, n)), family_weights(event, data.families, draws, v.seed)])
    tests, visits = ([getattr(fold, name) for fold in known] for name in ("test", "visits"))
    slope = _mean([fold.slope for fold in known], tests, n)
    total = _mean([fold.total for fold in known], visits, len(seen.row))
    slopes = {
        name: _mean([fold.slopes[name] for fold in known], tests, n) for name in known[0].slopes
    }
    totals = {
        name: _mean([fold.totals[name] for fold in known], visits, len(seen.row))
        for name in BASELINES
    }
    metrics = {"course_coverage_claimed": v.coverage}
    measured = np.flatnonzero(seen.measured)
    metrics |= _compared("slope", measured, measured, seen.slope, slope, slopes, weights)
    for months in HORIZONS:
        near = np.flatnonzero((np.abs(seen.months - months) <= _NEAR) & np.isfinite(total[:, 0]))
        name, rows = f"total_{months}m", seen.row[near]
        metrics |= _compared(name, near, rows, seen.total, total, totals, weights)
    return metrics


def _mean(parts: list[np.ndarray], places: list[np.ndarray], n: int) -> np.ndarray:
    """Mean of what the folds said of each place; NaN where none did."""
    total, count = np.zeros((n, *parts[0].shape[1:])), np.zeros(n)
    for part, place in zip(parts, places, strict=True):
        total[place] += part
        count[place] += 1
    count[count == 0] = np.nan
    return np.asarray((total.T / count).T)


def _compared(
    name: str,
    places: np.ndarray,
    rows: np.ndarray,
    measured: np.ndarray,
    predicted: np.ndarray,
    baselines: dict[str, np.ndarray],
    weights: np.ndarray,
) -> dict[str, float]:
    """Figures of one quantity: `places` of its values, `rows` of their patients."""
    y = measured[places]
    value, low, high = predicted[places].T
    if len(places) < _FEWEST:
        return {}
    metrics = {f"{name}_n": float(len(places))}
    drawn = _root_mean_square(y - value, rows, weights)
    metrics |= _with_bounds(f"{name}_rmse", drawn)
    metrics[f"{name}_mae"] = float(np.abs(y - value).mean())
    metrics[f"{name}_coverage"] = float(((low <= y) & (y <= high)).mean())
    for baseline, values in baselines.items():
        known = np.isfinite(values[places])
        if known.sum() < _FEWEST:
            continue
        theirs = _root_mean_square((y - values[places])[known], rows[known], weights)
        ours = _root_mean_square((y - value)[known], rows[known], weights)
        metrics[f"baseline_{baseline}_{name}_rmse"] = float(theirs[0])
        metrics |= _with_bounds(f"difference_{baseline}_{name}_rmse", ours - theirs)
    if name == "slope":
        metrics["slope_r2"] = 1 - float(((y - value) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    return metrics


def _root_mean_square(error: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of each draw; a patient's visits are drawn together."""
    of = weights[:, rows]
    return np.sqrt(divided(of @ error**2, of.sum(axis=1)))


def _with_bounds(name: str, drawn: np.ndarray) -> dict[str, float]:
    found = {name: float(drawn[0])}
    if len(drawn) > 1:
        found[f"{name}_low"], found[f"{name}_high"] = percentiles(drawn[1:])
    return found


def unbeaten_courses(metrics: dict[str, float]) -> list[str]:
    """Sentences on the naive courses that the model is not shown to beat; empty if all is well.

    Parameters
    ----------
    metrics : dict of float
        Of `course_estimates`.

    Returns
    -------
    list of str
        Without a full stop.

    Examples
    --------
    >>> unbeaten_courses({"difference_last_total_total_3m_rmse": -0.2,
    ...     "difference_last_total_total_3m_rmse_low": -0.5,
    ...     "difference_last_total_total_3m_rmse_high": 0.1})
    ['total_3m is not shown to beat the baseline last_total (error -0.200, -0.500 to +0.100)']
    """
    said = []
    for key, value in metrics.items():
        if not (key.startswith("difference_") and key.endswith("_rmse")):
            continue
        baseline, name = _of_key(key)
        high = metrics.get(f"{key}_high", value)
        if high >= 0:
            verb = "does not beat" if value >= 0 else "is not shown to beat"
            low = metrics.get(f"{key}_low", value)
            said.append(
                f"{name} {verb} the baseline {baseline} (error {value:+.3f}, {low:+.3f} to"
                f" {high:+.3f})"
            )
    return said


def _of_key(key: str) -> tuple[str, str]:
    """Baseline and quantity of a difference's name."""
    rest = key.removeprefix("difference_").removesuffix("_rmse")
    known = (*BASELINES, "mean_slope")
    baseline = next(name for name in known if rest.startswith(f"{name}_"))
    return baseline, rest.removeprefix(f"{baseline}_")
