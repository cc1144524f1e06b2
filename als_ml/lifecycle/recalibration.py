"""A new centre's labelled patients move a model's intercept (and slope, from 100 events), as a new
version.
"""

from dataclasses import dataclass, replace

import numpy as np
from mlflow import MlflowClient
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from als_ml.cohort.known_patients import patient_key, patient_prints, remembered
from als_ml.cohort.source import CohortSource
from als_ml.lifecycle.comparison import scored as scored_by
from als_ml.lifecycle.registry import registered_version, run_config
from als_ml.prediction.predictor import RESEARCH_USE, Predictor
from als_ml.prediction.training_aggregates import TrainingAggregates
from als_ml.tracking.loader import load
from als_ml.tracking.log import log_predictor
from als_ml.tracking.store import quiet_mlflow, use_store
from als_ml.training.metrics import evaluate
from features.cohort import Cohort
from features.errors import DataError, RequestError
from models.conformal import conformal_limits
from models.fitted import Calibration, recalibrated
from models.tasks import TASKS

_FEWEST, _SLOPE_FROM = 10, 100
_SHOWN = ("calibration_intercept", "calibration_slope", "brier", "log_loss")
_EDGE = 1e-9


def recalibration(
    calibration: Calibration, probability: np.ndarray, y: np.ndarray, coverage: float
) -> Calibration:
    """Update the log-odds of a calibrated model on labelled patients of a new centre.

    The intercept always, by maximum likelihood with the slope held at 1; from 100 positives on the
    slope too. Limits of the conformal sets come from these patients; the threshold follows the
    prevalence if it did before.

    Parameters
    ----------
    probability, y : arrays (n,)
        What the model says of the new patients, and their 0/1 labels.
    """
    odds = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    slope, intercept = _slope(odds, y) if y.sum() >= _SLOPE_FROM else (1.0, _intercept(odds, y))
    moved = replace(
        calibration,
        update_slope=slope * calibration.update_slope,
        update_intercept=slope * calibration.update_intercept + intercept,
    )
    plain = replace(calibration, update_slope=slope, update_intercept=intercept)
    return replace(
        moved,
        limits=conformal_limits(recalibrated(probability, plain), y, coverage),
        threshold=float(y.mean()),
    )


def _slope(odds: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(odds.reshape(-1, 1), y.astype(int))
    return max(float(fitted.coef_[0, 0]), 0.0), float(fitted.intercept_[0])


def _intercept(odds: np.ndarray, y: np.ndarray) -> float:
    """Newton's method on the one free number."""
    shift = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(odds + shift)))
        step = float((y - p).sum() / max((p * (1 - p)).sum(), _EDGE))
        shift += float(np.clip(step, -2, 2))
        if abs(step) < 1e-10:
            break
    return shift


@dataclass(frozen=True)
class Recalibrated:
    """A model after its recalibration: registered as `name`, `version`, on `n` patients of whom
    `n_positive` are positive.

    `labels` says how these came about; `before` and `after` are metrics on these patients: the
    fit, no validation.
    """

    name: str
    version: str
    n: int
    n_positive: int
    labels: str
    before: dict[str, float]
    after: dict[str, float]


def recalibrate(uri: str, source: CohortSource) -> Recalibrated:
    """Recalibrate a registered model on a cohort and register the result as a challenger.

    Parameters
    ----------
    uri : str
        `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
    source : CohortSource
        Patients of the new centre.

    Returns
    -------
    Recalibrated
        With what changed.

    Raises
    ------
    DataError
        With fewer than 10 patients of a label.
    """
    version, predictor = registered_version(uri), load(uri)
    _check_task(uri, predictor)
    config = run_config(version.run_id, str(source.path))
    cohort = predictor.read(source)
    scored = scored_by(predictor, config, cohort)
    known = np.isfinite(scored.y) & np.isfinite(scored.probability)
    y, p = scored.y[known], scored.probability[known]
    _check_labels(source, y)
    old = predictor.fitted.calibration
    new = recalibration(old, p, y, config.validation.coverage)
    if config.decision.threshold != "prevalence":
        new = replace(new, threshold=old.threshold)
    changed = replace(
        predictor,
        fitted=replace(predictor.fitted, calibration=new),
        training=_with_patients(predictor.training, cohort.take(np.flatnonzero(known))),
    )
    tags = {
        "recalibrated_from": str(version.version),
        "n": str(len(y)),
        "n_positive": str(int(y.sum())),
    }
    registered = _registered(changed, version.name, version.run_id, tags)
    moved = recalibrated(p, _from(old, changed.fitted.calibration))
    families = scored.families[known]
    return Recalibrated(
        name=version.name,
        version=registered,
        n=len(y),
        n_positive=int(y.sum()),
        labels=scored.labels,
        before=_shown(y, p, families),
        after=_shown(y, moved, families),
    )


def _check_task(uri: str, predictor: Predictor) -> None:
    if TASKS[predictor.fitted.task].of_time:
        raise RequestError(
            uri,
            "a model of survival times is not recalibrated: its curve would need a new baseline",
            "Train it on the new centre's patients.",
            code="option_conflict",
        )


def _check_labels(source: CohortSource, y: np.ndarray) -> None:
    if min(y.sum(), (1 - y).sum()) < _FEWEST:
        reason = f"{len(y)} labelled and scored patients, {int(y.sum())} of them positive"
        remedy = f"Recalibration needs {_FEWEST} of each label."
        raise DataError(str(source.path), reason, remedy, code="labels_unusable")


def _from(old: Calibration, new: Calibration) -> Calibration:
    """The new calibration as a change of what the old one says."""
    slope, intercept = _relative(old, new)
    return replace(new, update_slope=slope, update_intercept=intercept)


def _shown(y: np.ndarray, p: np.ndarray, families: np.ndarray) -> dict[str, float]:
    found = evaluate(y, p, p >= 0.5, families, 0, 0)
    return {metric: found[metric] for metric in _SHOWN}


def _with_patients(training: TrainingAggregates, cohort: Cohort) -> TrainingAggregates:
    """Aggregates that also remember the patients of a recalibration: no model is judged on them
    later.
    """
    key = patient_key()
    seen = [*training.get("patients", []), remembered(patient_prints(cohort, key), key)]
    # What was seen of patients with a like score was seen at another centre's scale.
    return {**training, "patients": seen, "alike": []}


def _relative(old: Calibration, new: Calibration) -> tuple[float, float]:
    slope = new.update_slope / old.update_slope if old.update_slope else 0.0
    return slope, new.update_intercept - slope * old.update_intercept


def _description(tags: dict[str, str]) -> str:
    return (
        f"Version {tags['recalibrated_from']} recalibrated on {tags['n']} patients, "
        f"{tags['n_positive']} of them positive; nothing else was fitted. {RESEARCH_USE}"
    )


def _registered(predictor: Predictor, name: str, run_id: str, tags: dict[str, str]) -> str:
    with quiet_mlflow():
        use_store()
        number = log_predictor(predictor, run_id, name)
        client = MlflowClient()
        client.set_registered_model_alias(name, "challenger", number)
        client.update_model_version(name, number, _description(tags))
        for key, value in tags.items():
            client.set_model_version_tag(name, number, key, value)
    return number
