"""A classifier of the event in each interval of time: discrete-time hazards, by any estimator of a
label.

A patient is a row for each interval that he enters (Allison 1982, doi:10.2307/270718), with the
interval beside the features. The score is the mean log-odds over the intervals of the first year;
what the interval itself adds is the same for everybody.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from models.estimators.pipeline import fit as fit_pipeline
from models.estimators.pipeline import make_pipeline
from models.estimators.registry import OURS, Estimator, Value, estimator
from models.survival.times import YEAR, unsigned

if TYPE_CHECKING:
    import optuna

# Intervals that get a column: of three months, three years (P).
MOST = 12
_FIRST = "histogram_boosting"


class Periods(NamedTuple):
    """A row for each patient and interval: whose it is, which interval, whether the event is in
    it.
    """

    row: np.ndarray
    interval: np.ndarray
    event: np.ndarray


def periods(learned: np.ndarray, width: float, most: int = MOST) -> Periods:
    """The intervals that each patient enters.

    One in which a patient is censored counts if the patient was followed through its middle.

    Parameters
    ----------
    learned : array (n,)
        Months, negative where censored.
    width : float
        Months of an interval.
    most : int
        Intervals; what comes later is not used.

    Returns
    -------
    Periods
        In the order of the patients, each from the first interval on.
    """
    months, event = unsigned(learned)
    # An event at the border of two intervals ends the earlier one.
    last = np.ceil(months / width).astype(int) - 1
    half = ~event & (months - last * width < width / 2)
    entered = np.clip(last + 1 - half, 0, most)
    row = np.repeat(np.arange(len(months)), entered)
    starts = np.cumsum(entered) - entered
    interval = np.arange(len(row)) - np.repeat(starts, entered)
    return Periods(row, interval, event[row] & (interval == last[row]))


class DiscreteTime(BaseEstimator):
    """Hazard of each interval by a classifier.

    Parameters
    ----------
    classifier : str
        A registered estimator of labels, with its defaults.
    interval_months : float
        Width of an interval.
    seed, threads : int
        Of the fit.
    """

    def __init__(
        self,
        classifier: str = _FIRST,
        interval_months: float = 3.0,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.classifier = classifier
        self.interval_months = interval_months
        self.seed = seed
        self.threads = threads

    def fit(self, X: np.ndarray, learned: np.ndarray) -> "DiscreteTime":
        """Fit on an (n, p) matrix and signed times (n,).

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        learned : array (n,)
            Months, negative where censored (`models.survival.times`).

        Returns
        -------
        DiscreteTime
            This one.
        """
        seen = periods(learned, self.interval_months)
        self.intervals_ = int(seen.interval.max(initial=0)) + 1
        long = self.beside(X[seen.row], seen.interval)
        made = make_pipeline(self.classifier, {}, self.seed, self.threads, True)
        target = seen.event.astype(float)
        self.pipeline_ = fit_pipeline(self.classifier, made, long, target, self.seed, True)
        return self

    def beside(self, X: np.ndarray, interval: np.ndarray) -> np.ndarray:
        """Features with a column for each interval.

        Parameters
        ----------
        X : array (m, p)
            Features.
        interval : array of int (m,)
            Which interval each row is of.

        Returns
        -------
        array (m, p + intervals)
            Float32.
        """
        which = interval[:, None] == np.arange(self.intervals_)
        return np.ascontiguousarray(np.hstack([X, which]), dtype=np.float32)

    @property
    def of_the_year(self) -> range:
        """The intervals that begin in the first year, as far as there are."""
        return range(min(int(np.ceil(YEAR / self.interval_months)), self.intervals_))


def _build(seed: int, threads: int) -> DiscreteTime:
    return DiscreteTime(seed=seed, threads=threads)


def _space(trial: "optuna.Trial", continuous: bool) -> dict[str, Value]:
    return {"interval_months": trial.suggest_categorical("interval_months", [2.0, 3.0, 6.0])}


def score(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Mean log-odds of the event over the intervals of the first year, (n,)."""
    model: DiscreteTime = pipeline[-1]
    kind, total = estimator(model.classifier), np.zeros(len(X))
    for interval in model.of_the_year:
        long = model.beside(X, np.full(len(X), interval))
        total = total + kind.score(model.pipeline_, long)
    return np.asarray(total / len(model.of_the_year))


def contributions(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """What each feature adds to the score, without the intervals, (n, p)."""
    model: DiscreteTime = pipeline[-1]
    kind, total = estimator(model.classifier), np.zeros(X.shape)
    for interval in model.of_the_year:
        long = model.beside(X, np.full(len(X), interval))
        total = total + kind.contributions(model.pipeline_, long)[:, : X.shape[1]]
    return np.asarray(total / len(model.of_the_year))


ESTIMATOR = Estimator(
    name="discrete_time",
    classifier=_build,
    regressor=_build,
    space=_space,
    score=score,
    contributions=contributions,
    learns_probability=True,
    trusted=(
        "models.survival.discrete_time.DiscreteTime",
        *(kind for name in OURS for kind in estimator(name).trusted),
    ),
    requirements=("scikit-learn", "xgboost-cpu", "xgboost"),
)
