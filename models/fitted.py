"""A fitted model: estimators, calibration, conformal limits, threshold and the range of its
training data.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from models.calibration import CalibrationMap, choose_map, fit_map
from models.choice import Choice, choose
from models.conformal import conformal_limits
from models.gaps import fitted_fade, unknown_share
from models.members import Member, Recipe, Trial, family_folds, fit_member, weighted_sum
from models.stored import StoredNumbers
from models.tasks import TASKS
from models.thresholds import threshold

# A value is outside the training data if it lies beyond the central 98 % by more than half of their
# width (P).
_CENTRAL, _BEYOND = (1.0, 99.0), 0.5
_EDGE = 1e-9
# How strongly a stack's weights are drawn to equal ones. On the even halves of three real questions
# the AUC rises from 1 (.7058, .7796, .8135) to 20 (.7072, .7801, .8141) and on to equal weights
# (.8143); at 20 a few hundred patients can still drop a member that knows nothing.
_TO_EQUAL = 20.0


@dataclass(frozen=True)
class Calibration(StoredNumbers):
    """Numbers stored beside the estimators.

    `kind`, `slope`, `intercept`, `x`, `y`: the calibration map (`models.calibration`).
    `update_slope`, `update_intercept`: what a new centre changed of its log-odds. Limits are per
    label (negative, positive); ranges are (p,), NaN where unknown. `fade`, `centre`: how far the
    score is drawn in where values are unknown, and to where (`models.gaps`).
    """

    limits: tuple[float, float]
    threshold: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    importance: tuple[float, ...]
    kind: str
    slope: float
    intercept: float
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()
    update_slope: float = 1.0
    update_intercept: float = 0.0
    fade: float = 0.0
    centre: float = 0.0

    @property
    def map(self) -> CalibrationMap:
        """From a score to a probability."""
        return CalibrationMap(
            kind=self.kind, slope=self.slope, intercept=self.intercept, x=self.x, y=self.y
        )

    @property
    def updated(self) -> bool:
        """Whether a new centre has recalibrated the model."""
        return (self.update_slope, self.update_intercept) != (1.0, 0.0)


@dataclass(frozen=True)
class FittedModel:
    """Scores patients; everything in it was fitted on one set of training patients."""

    task: str
    members: tuple[Member, ...]
    calibration: Calibration

    def score(self, X: np.ndarray) -> np.ndarray:
        """Raw score of each row: the members' weighted sum, in a fixed order, drawn in where values
        are unknown.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array (n,)
            On the scale of the members; log-odds before calibration.
        """
        return self.faded(X, self.raw_sum(X))

    def faded(self, X: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Scores drawn towards the centre by the weighted share of unknown values.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        score : array (n,)
            Log-odds before unknown values count.

        Returns
        -------
        array (n,)
            Log-odds; as given where the model does not learn from gaps.
        """
        if self.calibration.fade == 0:
            return score
        return self.calibration.centre + (score - self.calibration.centre) * self._kept(X)

    def _kept(self, X: np.ndarray) -> np.ndarray:
        """The part of its distance from the centre that each row's score keeps."""
        return 1 - self.calibration.fade * unknown_share(X, self._weight)

    @cached_property
    def _weight(self) -> np.ndarray:
        return np.asarray(self.calibration.importance)

    def raw_sum(self, X: np.ndarray) -> np.ndarray:
        """The members' weighted sum, in a fixed order.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array (n,)
            Log-odds before unknown values count.
        """
        return weighted_sum(self.members, [member.score(X) for member in self.members])

    def probability(self, X: np.ndarray) -> np.ndarray:
        """Calibrated probability of the positive class for an (n, p) matrix.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array (n,)
            0 to 1.
        """
        return self._probability(self.score(X))

    def _probability(self, score: np.ndarray) -> np.ndarray:
        return recalibrated(self.calibration.map.probability(score), self.calibration)

    def explained(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`probability` and `contributions` of each row, to the same bits.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        probability : array (n,)
            0 to 1.
        contributions : array (n, p)
            Positive = towards the positive class.
        """
        scores, shares = zip(*(member.explained(X) for member in self.members), strict=True)
        return self._probability(self.faded(X, weighted_sum(self.members, scores))), self._scaled(
            X, shares
        )

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Contribution of each feature to the log-odds behind Platt's sigmoid (to the votes, for a
        random forest), (n, p).

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array (n, p)
            Positive = towards the positive class; 0 for a column that no member uses.
        """
        return self._scaled(X, [member.contributions(X) for member in self.members])

    def _scaled(self, X: np.ndarray, shares: Sequence[np.ndarray]) -> np.ndarray:
        """The members' contributions as they stand in the calibrated log-odds."""
        total = weighted_sum(self.members, shares)
        if self.calibration.fade:
            total = total * self._kept(X)[:, None]
        return total * (self.calibration.slope * self.calibration.update_slope)

    def label_sets(self, probability: np.ndarray) -> list[str]:
        """Conformal set of each patient: labels joined by `|`, sorted, empty if none fits.

        Parameters
        ----------
        probability : array (n,)
            Of the positive class.

        Returns
        -------
        list of str
            As `familial`, `familial|sporadic` or empty.
        """
        task = TASKS[self.task]
        return joined_sets(self.holds(probability), (task.negative, task.positive))

    def holds(self, probability: np.ndarray) -> np.ndarray:
        """Whether the negative and the positive label are in each patient's conformal set, (n, 2)
        bool.

        Parameters
        ----------
        probability : array (n,)
            Of the positive class.

        Returns
        -------
        array of bool (n, 2)
            Negative, positive.
        """
        negative, positive = self.calibration.limits
        return np.column_stack([negative >= probability, positive >= 1 - probability])

    def outside(self, X: np.ndarray) -> np.ndarray:
        """Which values lie far outside the training data, (n, p) bool.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.

        Returns
        -------
        array of bool (n, p)
            False where unknown.
        """
        low, high = self._range
        return np.asarray((low > X) | (high < X))

    @cached_property
    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.calibration.low), np.asarray(self.calibration.high)


def recalibrated(probability: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Apply a new centre's update to the log-odds; the same numbers where there is none.

    Parameters
    ----------
    probability : array (n,)
        By the model's own map.
    calibration : Calibration
        With `update_slope` and `update_intercept`.

    Returns
    -------
    array (n,)
        0 to 1.
    """
    if not calibration.updated:
        return probability
    odds = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    return np.asarray(expit(calibration.update_slope * odds + calibration.update_intercept))


def joined_sets(holds: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Label sets as text: the labels of each patient, sorted and joined by `|`, empty if none
    fits.

    Parameters
    ----------
    holds : array of bool (n, k)
        Whether each label is in each patient's set.
    names : tuple of k str
        The labels.

    Returns
    -------
    list of str
        One a patient.
    """
    codes = holds @ (1 << np.arange(len(names)))
    texts = [
        "|".join(sorted(n for k, n in enumerate(names) if code >> k & 1))
        for code in range(1 << len(names))
    ]
    return [texts[code] for code in codes]


def fit_model(
    X: np.ndarray,
    y: np.ndarray,
    families: np.ndarray,
    recipe: Recipe,
    learned: np.ndarray | None = None,
    trials: list[Trial] | None = None,
) -> FittedModel:
    """Fit the members on all rows.

    Their parameters, weights, calibration, limits and threshold inside these rows.

    Parameters
    ----------
    recipe : Recipe
        What to fit and how.
    X : array (n, p)
        Features, NaN unknown.
    y : array (n,)
        0/1.
    families : array (n,)
        Relatives share a number.
    learned : array (n,), optional
        What to learn instead of `y`: the probability of the label where it is uncertain, or a
        continuous target
        (`recipe.continuous`), NaN where unknown (those rows still calibrate).
    trials : list, optional
        Gets the trials of the search.

    Returns
    -------
    FittedModel
        Calibrated.
    """
    learned = y if learned is None else learned
    recipe = searched(X, y, families, recipe, learned, trials)
    folds = family_folds(y, families, recipe.inner_folds, recipe.seed)
    chosen = [
        choose(name, parameters, X, y, learned, folds, recipe)
        for name, parameters in recipe.members
    ]
    scores = np.column_stack([choice.score for choice in chosen])
    score, weights = stacked(scores, y, folds, _weights)
    members = fit_members(X, learned, recipe, chosen, weights)
    model = _with_gaps(FittedModel(recipe.task, members, _unfitted(X)), X, y, recipe)
    return _calibrated(model, model.faded(X, score), y, folds, recipe)


def searched(
    X: np.ndarray,
    y: np.ndarray,
    families: np.ndarray,
    recipe: Recipe,
    learned: np.ndarray,
    trials: list[Trial] | None,
) -> Recipe:
    """The recipe with the parameters that its search finds on these patients; as it is without a
    search.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    y : array (n,)
        0/1 labels that judge; of times, whether each ended in the event.
    families : array (n,)
        Relatives share a number.
    recipe : Recipe
        What to fit and how.
    learned : array (n,)
        What is learned: see `fit_model`, or signed times.
    trials : list, optional
        Gets the trials.

    Returns
    -------
    Recipe
        Without a search.
    """
    if recipe.search is None:
        return recipe
    from models.search import tuned  # a served model needs no Optuna

    recipe, tried = tuned(X, y, families, recipe, learned)
    if trials is not None:
        trials += tried
    return recipe


def _unfitted(X: np.ndarray) -> Calibration:
    """Nothing but the range of the training data."""
    low, high = training_range(X)
    return Calibration(
        limits=(1.0, 1.0),
        threshold=0.5,
        low=tuple(low),
        high=tuple(high),
        importance=(),
        kind="sigmoid",
        slope=1.0,
        intercept=0.0,
    )


def _with_gaps(model: FittedModel, X: np.ndarray, y: np.ndarray, recipe: Recipe) -> FittedModel:
    """Weigh the columns, and learn how far unknown ones draw a score in, where a task may learn
    from gaps.
    """
    parts = model.contributions(X)
    weight = np.abs(parts).mean(axis=0)
    known = replace(model.calibration, importance=tuple(map(float, weight)))
    if not TASKS[recipe.task].learns_missingness:
        return replace(model, calibration=known)
    centre = float((model.raw_sum(X) - parts.sum(axis=1)).mean())
    fade = fitted_fade(model.raw_sum, centre, X, y, weight, recipe.seed)
    return replace(model, calibration=replace(known, fade=fade, centre=centre))


def _calibrated(
    model: FittedModel,
    score: np.ndarray,
    y: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    recipe: Recipe,
) -> FittedModel:
    """Map, conformal limits and threshold from out-of-fold scores; importance in log-odds."""
    auto = recipe.calibration == "auto"
    fitted = choose_map(score, y, folds) if auto else fit_map(recipe.calibration, score, y)
    probability = fitted.probability(score)
    importance = tuple(abs(fitted.slope) * value for value in model.calibration.importance)
    calibration = replace(
        model.calibration,
        limits=conformal_limits(probability, y, recipe.coverage),
        threshold=threshold(recipe.threshold, recipe.threshold_value, probability, y),
        importance=importance,
        **asdict(fitted),
    )
    return replace(model, calibration=calibration)


def stacked(
    scores: np.ndarray,
    y: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    weigh: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted out-of-fold score, each row by weights that were fitted without its fold, and the
    weights of all rows.

    Parameters
    ----------
    scores : array (n, k)
        Out of fold, of the members.
    y : array (n,)
        Labels, or signed times.
    folds : list of (train, test)
        Of the scores.
    weigh : callable
        Weights (k,) from some rows of the scores and of y.

    Returns
    -------
    score : array (n,)
        Of all members.
    weights : array (k,)
        1 of a member alone.
    """
    if scores.shape[1] == 1:
        return scores[:, 0], np.ones(1)
    score = np.empty(len(y))
    for train, test in folds:
        score[test] = scores[test] @ weigh(scores[train], y[train])
    return score, weigh(scores, y)


def fit_members(
    X: np.ndarray, learned: np.ndarray, recipe: Recipe, chosen: list[Choice], weights: np.ndarray
) -> tuple[Member, ...]:
    """The members on all rows, with what was chosen for each.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    learned : array (n,)
        What is learned.
    recipe : Recipe
        With k members.
    chosen : list of k Choice
        Their parameters.
    weights : array (k,)
        Of `stacked`.

    Returns
    -------
    tuple of k Member
        With their weights.
    """
    return tuple(
        replace(fit_member(name, choice.parameters, X, learned, recipe), weight=float(weight))
        for (name, _), choice, weight in zip(recipe.members, chosen, weights, strict=True)
    )


def _weights(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights >= 0 of a logistic regression of the label on the members' scores, drawn to equal
    ones: with the error of a few hundred patients they choose worse than the mean does.
    """
    k = scores.shape[1]
    scale = scores.std(axis=0) + _EDGE

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        eta = scores / scale @ b[:-1] + b[-1]
        pull = b[:-1] - b[:-1].mean()
        value = np.logaddexp(0, eta).sum() - y @ eta + _TO_EQUAL * pull @ pull
        gradient = (expit(eta) - y) @ np.column_stack([scores / scale, np.ones(len(y))])
        return float(value), gradient + np.r_[2 * _TO_EQUAL * pull, 0.0]

    optimum = minimize(
        loss,
        np.r_[np.full(k, 1 / k), 0.0],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * k + [(None, None)],
    )
    return np.asarray(optimum.x[:-1] / scale)


def training_range(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Limits from percentiles, never from one patient's value.

    No limit for a feature that hardly varies.

    Parameters
    ----------
    X : array (n, p)
        Of the training patients, NaN unknown.

    Returns
    -------
    low, high : arrays (p,)
        NaN where there is no limit.
    """
    low, high = np.full(X.shape[1], np.nan), np.full(X.shape[1], np.nan)
    for j in range(X.shape[1]):
        known = X[~np.isnan(X[:, j]), j].astype(float)
        if len(np.unique(known)) > 4:
            first, last = np.percentile(known, _CENTRAL)
            low[j], high[j] = first - _BEYOND * (last - first), last + _BEYOND * (last - first)
    return low, high
