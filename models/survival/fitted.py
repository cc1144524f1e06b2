"""A fitted model of a time to event: estimators, their weights, and one calibrated curve."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from models.course import CourseModel, Expected, Followed, fit_course_model
from models.fitted import Calibration, FittedModel, searched, training_range
from models.members import Member, Recipe, Trial, family_folds, fit_member
from models.survival.choice import choose
from models.survival.conformal import low_risk
from models.survival.curve import SurvivalCurve, fit_curve
from models.survival.partial_likelihood import moments, risk_sets
from models.survival.times import TWO_YEARS, YEAR, unsigned
from models.tasks import SURVIVAL

# How strongly a stack's weights are drawn to equal ones (P), as for labels (`models.fitted`).
_TO_EQUAL = 20.0
_EDGE = 1e-9
# Patients by whom the columns are ordered: contributions of a large cohort take as long as its fit.
_FOR_IMPORTANCE = 2000


@dataclass(frozen=True)
class Outlook:
    """What is said of the time and the course of each patient; NaN where the data cannot say it.

    Arrays (n,), named as the columns of a row: risks 0 to 1, times in months after the landmark,
    names of fifths; `course` is null where no course was learned.
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
class FittedSurvival(FittedModel):
    """Scores patients by log hazard ratio and says it as a curve; with the course of the ALSFRS-R
    where visits after the landmark taught it.
    """

    curve: SurvivalCurve
    course: CourseModel | None = None

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
        return self.curve.risk(self.score(X), np.array([YEAR]))[:, 0]

    def survival(self, X: np.ndarray, months: np.ndarray) -> np.ndarray:
        """Probability of no event until each time.

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
        return self.curve.survival(self.score(X), months)

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


def fit_survival(
    X: np.ndarray,
    learned: np.ndarray,
    families: np.ndarray,
    recipe: Recipe,
    seen: Followed | None = None,
    names: Sequence[str] = (),
    trials: list[Trial] | None = None,
) -> FittedSurvival:
    """Fit the members on all rows.

    Their settings, weights, the baseline, calibration and conformal bound come from folds inside
    these rows.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    learned : array (n,)
        Months after the landmark, negative where censored.
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

    Returns
    -------
    FittedSurvival
        Calibrated.
    """
    months, event = unsigned(learned)
    recipe = searched(X, event.astype(float), families, recipe, learned, trials)
    folds = family_folds(event.astype(float), families, recipe.inner_folds, recipe.seed)
    chosen = [
        choose(name, parameters, X, learned, folds, recipe) for name, parameters in recipe.members
    ]
    scores = _centred(np.column_stack([choice.score for choice in chosen]), folds)
    score, weights = _stacked(scores, learned, folds)
    members = tuple(
        replace(fit_member(name, choice.parameters, X, learned, recipe), weight=float(weight))
        for (name, _), choice, weight in zip(recipe.members, chosen, weights, strict=True)
    )
    curve = fit_curve(score, months, event)
    at_own = _at_own_time(curve, score, months)
    bound = low_risk(at_own, months, event, recipe.coverage, curve.end)
    fitted = _assembled(members, replace(curve, low_risk=bound), X)
    if seen is None:
        return fitted
    course = fit_course_model(
        X, score, seen, families, names, recipe.coverage, recipe.inner_folds, recipe.seed
    )
    return replace(fitted, course=course)


def _centred(scores: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Scores less the mean of each tested fold: a log hazard ratio has no level of its own, and
    that of trees moves from fit to fit.
    """
    centred = scores.copy()
    for _, test in folds:
        centred[test] -= scores[test].mean(axis=0)
    return centred


def _assembled(members: tuple[Member, ...], curve: SurvivalCurve, X: np.ndarray) -> FittedSurvival:
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
    model = FittedSurvival(SURVIVAL.name, members, plain, curve)
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


def _stacked(
    scores: np.ndarray, learned: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted out-of-fold score, each row by weights that were fitted without its fold, and the
    weights of all rows.
    """
    if scores.shape[1] == 1:
        return scores[:, 0], np.ones(1)
    score = np.empty(len(learned))
    for train, test in folds:
        score[test] = scores[test] @ _weights(scores[train], learned[train])
    return score, _weights(scores, learned)


def _weights(scores: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Weights >= 0 by the partial likelihood of the members' scores, drawn to equal ones."""
    k = scores.shape[1]
    scale = scores.std(axis=0) + _EDGE
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
