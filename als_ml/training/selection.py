"""Who has a label at all: results weighted back to everybody whose window of untreated days began.

Where treatment or drop-out ends labels, the labelled are a selection.
Inverse-probability-of-labelling weights make them stand for the others as far as the features tell
who they are (Robins, Rotnitzky and Zhao 1994, doi:10.1080/01621459.1994.10476818): a logistic
regression of being labelled, fitted without the patient's own family, gives P(labelled | features
up to the landmark); the weight is the share labelled over it. What is not in the features stays
unaccounted for.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from als_ml.config import Config
from als_ml.training.metrics import weighted_metrics
from als_ml.training.miscalibration import weighted_calibration
from models.labels import Labels
from models.members import family_folds

# Weights are cut at these percentiles (Cole and Hernan 2008, doi:10.1093/aje/kwn164): a few
# patients must not carry it all.
PERCENTILES = (1, 99)
# Ridge as of the other diagnostics that see all features: with some hundred columns, less overfits
# (P).
_RIDGE = 0.1
# Branches whose patients were at risk and lost their label to a treatment.
_ENDED_BY_TREATMENT = "unlabelled_treated"


def labelling_weights(
    rows: pd.DataFrame, labels: Labels, families: np.ndarray, config: Config
) -> np.ndarray | None:
    """Weight of each labelled patient, in the order of `labels.usable`; None where no treatment
    ended a label.

    Parameters
    ----------
    rows : DataFrame (n, p)
        Features of all patients of the cohort, labelled or not.
    families : array (n,)
        Relatives share a number.
    """
    if labels.at_risk is None or not labels.counts.get(_ENDED_BY_TREATMENT):
        return None
    at_risk = np.flatnonzero(labels.at_risk)
    labelled = np.isfinite(labels.y[at_risk]).astype(float)
    folds = config.validation.folds
    if min(labelled.sum(), len(labelled) - labelled.sum()) < 2 * folds:
        return None
    chance = _labelling_probability(
        rows.to_numpy()[at_risk], labelled, families[at_risk], folds, config.validation.seed
    )
    weight = labelled.mean() / chance[labelled == 1]
    return np.asarray(np.clip(weight, *np.percentile(weight, PERCENTILES)))


def _labelling_probability(
    X: np.ndarray, labelled: np.ndarray, families: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """P(labelled | features) of each patient by a model that saw nobody of his family."""
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=_RIDGE, max_iter=2000),
    )
    chance = np.empty(len(labelled))
    with threadpool_limits(1):
        for train, test in family_folds(labelled, families, folds, seed):
            chance[test] = model.fit(X[train], labelled[train]).predict_proba(X[test])[:, 1]
    return np.clip(chance, 1e-3, 1.0)


def weighted_estimates(
    y: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray | None,
    repeats: Sequence[np.ndarray] = (),
) -> dict[str, float]:
    """Metrics weighted by the inverse probability of labelling, as `ipl_*`, with the largest weight
    and the effective n.

    Parameters
    ----------
    repeats : arrays (n,)
        As of `als_ml.training.metrics.evaluate`: calibration is that of each repeat, averaged.
    """
    if weights is None:
        return {}
    each = list(repeats) or [probability]
    figures = weighted_metrics(y, probability, predicted, weights[None, :])
    metrics = {f"ipl_{name}": float(values[0]) for name, values in figures.items()}
    calibration = [weighted_calibration(y, p, weights) for p in each]
    for name in ("calibration_slope", "calibration_intercept"):
        metrics[f"ipl_{name}"] = float(np.mean([one[name] for one in calibration]))
    return metrics | {
        "ipl_largest_weight": float(weights.max()),
        "ipl_n": float(weights.sum() ** 2 / (weights**2).sum()),
    }
