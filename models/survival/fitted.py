"""A fitted model of a time to event: estimators, their weights, and one calibrated curve; a second
set of them for what competes with the event, where something does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from models.course import CourseModel, Expected, Followed, fit_course_model
from models.fitted import (
    Calibration,
    FittedModel,
    fit_members,
    searched,
    stacked,
    training_range,
)
from models.members import Member, Recipe, Trial, family_folds, weighted_sum
from models.survival.choice import choose
from models.survival.conformal import low_risk
from models.survival.curve import GROUPS, SurvivalCurve, fit_curve
from models.survival.incidence import incidence, months_until
from models.survival.partial_likelihood import moments, risk_sets
from models.survival.times import TWO_YEARS, YEAR, signed, unsigned

# How strongly a stack's weights are drawn to equal ones (P), as for labels (`models.fitted`).
_TO_EQUAL = 20.0
_EDGE = 1e-9
# Patients by whom the columns are ordered: contributions of a large cohort take as long as its fit.
_FOR_IMPORTANCE = 2000
# Families with a competing event from which its hazard is learned (P, as many as the event itself
# needs); with fewer it is the same for everyone.
_FEWEST_RIVALS = 20


@dataclass(frozen=True)
class Outlook:
    """What is said of the time and the course of each patient; NaN where the data cannot say it.

    Arrays (n,), named as the columns of a row: risks 0 to 1, times in months after the landmark,
    names of fifths; `course` is null where no course was learned. Where another cause competes,
    risks are the share who have the event by then (who died before it does not), times those by
    which a quarter, half, three quarters of all have it, and no bound of a survival time is said.
    """

    risk_12m: np.ndarray
    risk_24m: np.ndarray
    median_months: np.ndarray
    q25_months: np.ndarray
    q75_months: np.ndarray
    survival_low_months: np.ndarray
    risk_group: list[str | None]
    course: Expected | None = None


@dataclass(frozen=True)
class Rival:
    """The hazard of what makes the event impossible: estimators and their curve.

    Attributes
    ----------
    members : tuple of Member
        None where too few patients had it: its hazard is then the same for everyone.
    curve : SurvivalCurve
        Of the competing event, by the table of times of the event's own curve.
    limits : tuple of 4 float
        Between the fifths of the training patients' risk of the event by month 12, or by the end;
        empty where these do not differ.
    """

    members: tuple[Member, ...]
    curve: SurvivalCurve
    limits: tuple[float, ...] = ()

    def score(self, X: np.ndarray) -> np.ndarray:
        """Log hazard ratio of the competing event.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array (n,)
            0 where it is the same for everyone.
        """
        if not self.members:
            return np.zeros(len(X))
        return weighted_sum(self.members, [member.score(X) for member in self.members])

    def group(self, risk: np.ndarray) -> list[str | None]:
        """Fifth of the training risk of the event that each patient lies in.

        Parameters
        ----------
        risk : array (n,)
            By month 12, or by the end.

        Returns
        -------
        list of n str or None
            Of GROUPS; None where the training patients do not differ.
        """
        if not self.limits:
            return [None] * len(risk)
        return [GROUPS[i] for i in np.searchsorted(self.limits, risk, side="right")]


@dataclass(frozen=True)
class FittedSurvival(FittedModel):
    """Scores patients by log hazard ratio and says it as a curve; with the course of the ALSFRS-R
    where visits after the landmark taught it, and with the hazard of what competes with the event.
    """

    curve: SurvivalCurve
    course: CourseModel | None = None
    rival: Rival | None = None

    def risk(self, X: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Probability of the event until each time, of a patient to whom all causes can happen.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        months : array (k,)
            After the landmark.

        Returns
        -------
        array (n, k)
            0 to 1; NaN beyond the follow-up of the training patients.
        """
        if self.rival is None:
            return self.curve.risk(self.score(X), months)
        scores = (self.score(X), self.rival.score(X))
        return competing_risk((self.curve, self.rival.curve), scores, months)

    def probability(self, X: np.ndarray) -> np.ndarray:
        """Risk of the event within 365 days after the landmark.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array (n,)
            0 to 1; NaN where the training patients were not followed so far.
        """
        return self.risk(X, np.array([YEAR]))[:, 0]

    def survival(self, X: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Probability of no event until each time: that of being alive without it, and of having
        had what competes with it first.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        months : array (k,)
            After the landmark.

        Returns
        -------
        array (n, k)
            1 at time 0, falling; NaN beyond the follow-up of the training patients.
        """
        return 1 - self.risk(X, months)

    def outlook(self, X: np.ndarray) -> Outlook:
        """Everything that a prediction row says of the time of each patient.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        Outlook
            Arrays (n,).
        """
        if self.rival is not None:
            return self._outlook_of_rivals(X, self.rival)
        score = self.score(X)
        risk = self.curve.risk(score, np.array([YEAR, TWO_YEARS]))
        return Outlook(
            risk_12m=risk[:, 0],
            risk_24m=risk[:, 1],
            median_months=self.curve.months_until(score, 0.5),
            q25_months=self.curve.months_until(score, 0.25),
            q75_months=self.curve.months_until(score, 0.75),
            survival_low_months=self.curve.lower_bound(score),
            risk_group=self.curve.group(score),
            course=None if self.course is None else self.course.expected(X, score),
        )

    def _outlook_of_rivals(self, X: np.ndarray, rival: Rival) -> Outlook:
        """The same by the share who have the event; nothing of the course, which the model of the
        survival time says.
        """
        table = np.asarray(self.curve.months)
        at = np.array([YEAR, TWO_YEARS, min(YEAR, self.curve.end)])
        risk, whole = self.risk(X, at), self.risk(X, table)
        return Outlook(
            risk_12m=risk[:, 0],
            risk_24m=risk[:, 1],
            median_months=months_until(whole, table, 0.5),
            q25_months=months_until(whole, table, 0.25),
            q75_months=months_until(whole, table, 0.75),
            survival_low_months=np.full(len(X), np.nan),
            risk_group=rival.group(risk[:, 2]),
        )


def competing_risk(
    curves: tuple[SurvivalCurve, SurvivalCurve],
    scores: tuple[np.ndarray, np.ndarray],
    months: np.ndarray,
) -> np.ndarray:
    """Risk of an event where another may come first (`models.survival.incidence`).

    Parameters
    ----------
    curves : (SurvivalCurve, SurvivalCurve)
        Of the event and of what competes with it, by the same table of times.
    scores : (array, array)
        Of n patients by the two models.
    months : array (k,)
        After the landmark.

    Returns
    -------
    array (n, k)
        0 to 1; NaN beyond the end of the curves.
    """
    end = curves[0].end
    inside = np.minimum(np.asarray(months, dtype=float), end)
    times = np.unique(np.r_[curves[0].months, inside])
    hazards = [curve.cumulative(score, times) for curve, score in zip(curves, scores, strict=True)]
    risk = incidence(hazards[0], hazards[1])[:, np.searchsorted(times, inside)]
    return np.where(np.asarray(months) <= end, risk, np.nan)


def fit_survival(
    X: np.ndarray,
    learned: np.ndarray,
    families: np.ndarray,
    recipe: Recipe,
    seen: Followed | None = None,
    names: Sequence[str] = (),
    trials: list[Trial] | None = None,
    rival: np.ndarray | None = None,
) -> FittedSurvival:
    """Fit the members on all rows.

    Their settings, weights, the baseline, calibration and conformal bound come from folds inside
    these rows.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    learned : array (n,)
        Months after the landmark, negative where no event ended them.
    families : array (n,)
        Relatives share a number.
    recipe : Recipe
        What to fit and how.
    seen : Followed, optional
        What the ALSFRS-R did after the landmark, to learn its course.
    names : sequence of str
        Of the columns of X, for the course.
    trials : list, optional
        Gets the trials of the search.
    rival : array of bool (n,), optional
        Which times ended in what competes with the event; not given where nothing does.

    Returns
    -------
    FittedSurvival
        Calibrated.
    """
    months, event = unsigned(learned)
    recipe = searched(X, event.astype(float), families, recipe, learned, trials)
    ended = event if rival is None else event | rival
    own = _fit_hazard(X, learned, families, recipe, ended)
    if rival is not None:
        fitted = _assembled(recipe.task, own.members, replace(own.curve, groups=()), X)
        return replace(fitted, rival=_fit_rival(X, own, signed(months, rival), families, recipe))
    at_own = _at_own_time(own.curve, own.score, months)
    bound = low_risk(at_own, months, event, recipe.coverage, own.curve.end)
    fitted = _assembled(recipe.task, own.members, replace(own.curve, low_risk=bound), X)
    if seen is None:
        return fitted
    course = fit_course_model(
        X, own.score, seen, families, names, recipe.coverage, recipe.inner_folds, recipe.seed
    )
    return replace(fitted, course=course)


class _Hazard(NamedTuple):
    """Members fitted on all rows, with the out-of-fold scores and the curve that these gave."""

    members: tuple[Member, ...]
    score: np.ndarray
    curve: SurvivalCurve
    ended: np.ndarray


def _fit_hazard(
    X: np.ndarray, learned: np.ndarray, families: np.ndarray, recipe: Recipe, ended: np.ndarray
) -> _Hazard:
    """Fit the hazard of one cause; `ended` says whose time ended in an event of any cause."""
    months, event = unsigned(learned)
    folds = family_folds(event.astype(float), families, recipe.inner_folds, recipe.seed)
    chosen = [
        choose(name, parameters, X, learned, folds, recipe) for name, parameters in recipe.members
    ]
    scores = _centred(np.column_stack([choice.score for choice in chosen]), folds)
    score, weights = stacked(scores, learned, folds, _weights)
    members = fit_members(X, learned, recipe, chosen, weights)
    curve = fit_curve(score, months, event, ended)
    return _Hazard(members=members, score=score, curve=curve, ended=ended)


def _fit_rival(
    X: np.ndarray, own: _Hazard, learned: np.ndarray, families: np.ndarray, recipe: Recipe
) -> Rival:
    """The hazard of what competes with the event, by the same recipe."""
    months, event = unsigned(learned)
    if len(np.unique(families[event])) < max(_FEWEST_RIVALS, recipe.inner_folds):
        none = np.zeros(len(X))
        curve = fit_curve(none, months, event, own.ended)
        other = _Hazard(members=(), score=none, curve=curve, ended=own.ended)
    else:
        other = _fit_hazard(X, learned, families, recipe, own.ended)
    at = np.array([min(YEAR, own.curve.end)])
    risk = competing_risk((own.curve, other.curve), (own.score, other.score), at)[:, 0]
    rival = Rival(other.members, replace(other.curve, groups=()), _limits(risk))
    return replace(rival, curve=replace(rival.curve, centre=float(rival.score(X).mean())))


def _limits(risk: np.ndarray) -> tuple[float, ...]:
    """Between the fifths of the risk; rounded, so that no limit is one patient's risk."""
    limits = np.round(np.quantile(risk, (0.2, 0.4, 0.6, 0.8)), 3)
    return tuple(map(float, limits)) if (np.diff(limits) > 0).all() else ()


def _centred(scores: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Scores less the mean of each tested fold: a log hazard ratio has no level of its own, and
    that of trees moves from fit to fit.
    """
    centred = scores.copy()
    for _, test in folds:
        centred[test] -= scores[test].mean(axis=0)
    return centred


def _assembled(
    task: str, members: tuple[Member, ...], curve: SurvivalCurve, X: np.ndarray
) -> FittedSurvival:
    """With the level of the final members, the range of the training data, and the weight of each
    column.
    """
    low, high = training_range(X)
    plain = Calibration(
        limits=(1.0, 1.0),
        threshold=0.5,
        low=tuple(low),
        high=tuple(high),
        importance=(),
        kind="breslow",
        slope=curve.slopes[0],
        intercept=0.0,
    )
    model = FittedSurvival(task, members, plain, curve)
    model = replace(model, curve=replace(curve, centre=float(model.raw_sum(X).mean())))
    some = X[:: max(len(X) // _FOR_IMPORTANCE, 1)]
    weight = np.abs(model.contributions(some)).mean(axis=0)
    known = replace(plain, importance=tuple(map(float, weight)))
    return replace(model, calibration=known)


def _at_own_time(curve: SurvivalCurve, score: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Risk of each patient at the patient's own time, or at the end of the follow-up."""
    own = np.minimum(months, curve.end)
    table, early, late = curve.table
    first, then = curve.ratios(score)
    total = first * np.interp(own, table, early) + then * np.interp(own, table, late)
    return np.asarray(-np.expm1(-total))


def _weights(scores: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Weights >= 0 by the partial likelihood of the members' scores, drawn to equal ones.

    A member that says the same of everyone out of fold has none: whatever it says of others on all
    rows is not known to be right.
    """
    k, spread = scores.shape[1], scores.std(axis=0)
    scale = np.where(spread > _EDGE, spread + _EDGE, np.inf)
    columns = (scores - scores.mean(axis=0)) / scale
    sets = risk_sets(*unsigned(learned))

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        here = moments(columns, sets, columns @ b)
        pull = b - b.mean()
        value = -here.value + _TO_EQUAL * pull @ pull
        return float(value), -here.gradient + 2 * _TO_EQUAL * pull

    start = np.full(k, 1 / k)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * k)
    return np.asarray(found.x / scale)
