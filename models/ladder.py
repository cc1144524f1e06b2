"""Ordered classes as a ladder of yes-no models: P(rate reaches a cut-off) for each cut-off (Frank
and Hall 2001).

The top step is the model of the positive class (fast); the lower steps tell the classes below it
apart.
"""

from dataclasses import dataclass

import numpy as np

from models.fitted import FittedModel, fit_model, joined_sets
from models.members import Recipe


@dataclass(frozen=True)
class Ladder:
    """`classes` from slowest to fastest; `lower` holds the model of each cut-off but the highest,
    ascending.
    """

    classes: tuple[str, ...]
    lower: tuple[FittedModel, ...]

    def assign(
        self, X: np.ndarray, top: FittedModel, probability: np.ndarray
    ) -> tuple[np.ndarray, list[str]]:
        """Class (index) and conformal set of each patient, from the top model's probability and the
        lower models.

        A patient belongs to the highest class whose threshold is reached; a class is in the set if
        the step below it can be passed and the step above it can fail.

        Parameters
        ----------
        X : array (n, p)
            Features, NaN unknown.
        top : FittedModel
            Model of the highest cut-off.
        probability : array (n,)
            Of `top` for these rows.

        Returns
        -------
        level : array of int (n,)
            Index into `classes`.
        sets : list of str
            Labels joined by `|`.
        """
        steps = [(model, model.probability(X)) for model in self.lower] + [(top, probability)]
        reached = np.column_stack([p >= model.calibration.threshold for model, p in steps])
        level = np.where(
            reached.any(axis=1), reached.shape[1] - np.argmax(reached[:, ::-1], axis=1), 0
        )
        holds = np.stack(
            [model.holds(p) for model, p in steps], axis=1
        )  # (n, steps, fails / passes)
        always = np.ones((len(X), 1), dtype=bool)
        inside = np.hstack([always, holds[:, :, 1]]) & np.hstack([holds[:, :, 0], always])
        return level, joined_sets(inside, self.classes)


def fit_ladder(
    X: np.ndarray, level: np.ndarray, families: np.ndarray, recipe: Recipe, classes: tuple[str, ...]
) -> Ladder:
    """Fit the lower steps.

    Parameters
    ----------
    X : array (n, p)
        Features, NaN unknown.
    level : array of int (n,)
        Index into `classes`.
    families : array of int (n,)
        Relatives share a number.
    recipe : Recipe
        As of the top model.
    classes : tuple of str
        Slowest first.

    Returns
    -------
    Ladder
        Without a lower model where there are two classes.
    """
    steps = range(1, len(classes) - 1)
    return Ladder(
        classes,
        tuple(fit_model(X, (level >= step).astype(float), families, recipe) for step in steps),
    )
