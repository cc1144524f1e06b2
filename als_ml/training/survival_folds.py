"""What one fold says of the survival time of its test patients: the model and the simple rules that
it must beat.
"""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from als_ml.config import Config
from als_ml.training.task_data import Trainable
from models.survival.curve import SurvivalCurve, fit_curve, table_months
from models.survival.elastic_net_cox import ElasticNetCox
from models.survival.fitted import competing_risk
from models.survival.labels import Times
from models.survival.times import YEAR, signed

# Curves that are the same for every patient: what is seen of all, without or with competing events.
OF_ALL = ("kaplan_meier", "aalen_johansen")
# Of the rules with one or two columns hardly any penalty, of all columns one that lets a few
# hundred events carry a hundred of them (P).
_RULE, _ALL = 1e3, 0.1


def months_of(data: Trainable) -> np.ndarray:
    """Times at which out-of-fold curves are kept.

    Parameters
    ----------
    data : Trainable
        Patients with a time.

    Returns
    -------
    array (k,)
        Months after the landmark, 0 first, as far as enough patients were followed.
    """
    return table_months(data.of_times.months, data.of_times.ended)


def seen_by(times: Times) -> str:
    """By which estimate the share with the event is seen.

    Parameters
    ----------
    times : Times
        Of a run.

    Returns
    -------
    str
        For a document.
    """
    return "Aalen-Johansen" if times.rivals else "Kaplan-Meier"


def baseline_curves(
    data: Trainable, X: np.ndarray, train: np.ndarray, test: np.ndarray, config: Config
) -> dict[str, np.ndarray]:
    """Survival of the test patients by Kaplan-Meier, the simple rules, and Cox on all features.

    Where an event competes it is one minus the cumulative incidence, by Aalen and Johansen and by
    Cox's model of each cause.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    X : array (n, p)
        Of `Trainable.matrix`.
    train, test : array of int
        Positions.
    config : Config
        Of the run.

    Returns
    -------
    dict of array (m, k)
        Name -> survival at each of `months_of`.
    """
    months, times = months_of(data), data.of_times.take(train)
    nothing, of_nothing = np.zeros((len(train), 0)), np.zeros((len(test), 0))
    alike = _by_rule(nothing, times, of_nothing, months, _RULE)
    curves = {OF_ALL[1 if times.rivals else 0]: alike}
    for name, columns in data.baselines.items():
        curves[name] = _by_rule(columns[train], times, columns[test], months, _RULE)
    if config.validation.honesty:
        curves["cox_all"] = _by_rule(X[train], times, X[test], months, _ALL)
    return curves


def _by_rule(
    columns: np.ndarray, times: Times, of_test: np.ndarray, months: np.ndarray, C: float
) -> np.ndarray:
    """Curves of Cox's model on standardised columns; an unknown value is the training mean."""
    cox, curve = plain_cox(columns, times, C)
    if not times.rivals:
        return curve.survival(cox(of_test), months)
    other, of_other = plain_cox(columns, times.of_rivals, C)
    scores = (cox(of_test), other(of_test))
    return 1 - competing_risk((curve, of_other), scores, months)


class PlainCox:
    """Cox's model on mean-imputed, standardised columns, nearly without a penalty.

    Parameters
    ----------
    columns : array (n, p)
        NaN unknown.
    times : Times
        Of the same patients.
    C : float
        Inverse strength of the ridge.
    """

    def __init__(self, columns: np.ndarray, times: Times, C: float) -> None:
        self._line = np.zeros(columns.shape[1])
        if not columns.shape[1] or not times.event.any():
            return
        self._steps = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        X = self._steps.fit_transform(columns.astype(float))
        cox = ElasticNetCox(C=C, l1_ratio=0.0)
        self._line = cox.fit(X, signed(times.months, times.event)).coef_

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        """Log hazard ratio of each patient (m,)."""
        if not self._line.any():
            return np.zeros(len(columns))
        return np.asarray(self._steps.transform(columns.astype(float)) @ self._line)


def plain_cox(
    columns: np.ndarray, times: Times, C: float = _RULE
) -> tuple[PlainCox, SurvivalCurve]:
    """Fit Cox's model on some columns.

    Parameters
    ----------
    columns : array (n, p)
        NaN unknown.
    times : Times
        Of the same patients.
    C : float
        Inverse strength of the ridge.

    Returns
    -------
    cox : PlainCox
        Columns -> log hazard ratio.
    curve : SurvivalCurve
        With its baseline.
    """
    cox = PlainCox(columns, times, C)
    return cox, fit_curve(cox(columns), times.months, times.event, times.ended)


def risks_at_year(curves: dict[str, np.ndarray], months: np.ndarray) -> dict[str, np.ndarray]:
    """Risk by day 365 of each method; NaN where no curve reaches so far.

    Parameters
    ----------
    curves : dict of array (m, k)
        Survival by method.
    months : array (k,)
        Of `months_of`.

    Returns
    -------
    dict of array (m,)
        0 to 1.
    """
    at = np.flatnonzero(months == YEAR)
    return {
        name: 1 - survival[:, at[0]] if len(at) else np.full(len(survival), np.nan)
        for name, survival in curves.items()
    }
