"""Two models on one cohort: differences with paired intervals, and who changes class."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from als_ml.cohort.source import CohortSource
from als_ml.config import Config
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.training.metrics import paired_differences
from als_ml.training.task_data import make_labels
from features.cohort import Cohort
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from models.labels import in_words
from models.tasks import TASKS


@dataclass(frozen=True)
class Scored:
    """A cohort as one model scores it.

    Arrays of n, NaN where the model gives no probability or the patient has no label; `labels`
    says how many have which and why, or why there is none.
    """

    samples: np.ndarray
    probability: np.ndarray
    predicted: np.ndarray
    y: np.ndarray
    families: np.ndarray
    rows: list[PredictionRow]
    labels: str = ""

    def of(self, kept: np.ndarray) -> "Scored":
        """Some of the patients.

        Parameters
        ----------
        kept : array of bool (n,)
            Who stays.

        Returns
        -------
        Scored
            In the same order.
        """
        return Scored(
            samples=self.samples[kept],
            probability=self.probability[kept],
            predicted=self.predicted[kept],
            y=self.y[kept],
            families=self.families[kept],
            rows=[row for row, is_kept in zip(self.rows, kept, strict=True) if is_kept],
            labels=self.labels,
        )


@dataclass(frozen=True)
class Compared:
    """Two models on the `n` patients whom both score, `n_labelled` of them labelled.

    `largest` difference and `correlation` of the probabilities (NaN where one does not vary);
    `differences` maps a metric to difference, low and high, and is empty unless both labels occur;
    `classes` counts the patients by both classes, `changed` names those whose class differs.
    """

    n: int
    n_labelled: int
    largest: float
    correlation: float
    differences: dict[str, tuple[float, float, float]]
    classes: pd.DataFrame
    changed: pd.DataFrame


def scored_cohort(
    predictor: Predictor, config: Config, source: CohortSource, problems: Problems
) -> Scored:
    """Score a cohort and label it as the model's own run did.

    Parameters
    ----------
    predictor : Predictor
        The model.
    config : Config
        Of the run that made it: how labels are made.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    problems : Problems
        Gets what was noticed in its files.

    Returns
    -------
    Scored
        All patients, those not scored with NaN.
    """
    return scored(predictor, config, predictor.read(source, problems))


def scored(predictor: Predictor, config: Config, cohort: Cohort) -> Scored:
    """The same for a cohort that `predictor.read` gave.

    Parameters
    ----------
    predictor : Predictor
        The model.
    config : Config
        Of the run that made it: how labels are made.
    cohort : Cohort
        Of `predictor.read`.

    Returns
    -------
    Scored
        All patients, those not scored with NaN.
    """
    rows = predictor.predict_cohort(cohort, drivers=False)
    probability = np.array(
        [np.nan if row["probability"] is None else row["probability"] for row in rows]
    )
    samples = np.array([row["sample_id"] for row in rows])
    predicted = np.array([row["predicted_class"] or "" for row in rows])
    y, said = _labelled(predictor, config, cohort)
    return Scored(
        samples=samples,
        probability=probability,
        predicted=predicted,
        y=y,
        families=cohort.families,
        rows=rows,
        labels=said,
    )


def _labelled(predictor: Predictor, config: Config, cohort: Cohort) -> tuple[np.ndarray, str]:
    """Labels of the patients and what is said of them; NaN for a cohort that lacks their source."""
    try:
        labels = make_labels(config, cohort)
    except DataError as error:
        return np.full(len(cohort), np.nan), f"labels: none ({error})"
    return labels.judged, f"labels: {in_words(labels, TASKS[predictor.fitted.task])}"


def labels_or_none(config: Config, cohort: Cohort) -> np.ndarray:
    """Labels of the patients; all NaN for a cohort without what they are made of.

    Parameters
    ----------
    config : Config
        How labels are made.
    cohort : Cohort
        n patients.

    Returns
    -------
    array (n,)
        1, 0 or NaN.
    """
    try:
        return make_labels(config, cohort).judged
    except DataError:
        return np.full(len(cohort), np.nan)


def compare(ours: Scored, theirs: Scored, draws: int = 2000, seed: int = 1) -> Compared:
    """Differences of the first model to the second on the patients that both score.

    Parameters
    ----------
    ours, theirs : Scored
        Two models on the same n patients.
    draws : int
        Of the bootstrap over families.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Compared
        On the patients that both score.

    Raises
    ------
    RequestError
        If no patient is scored by both.
    """
    both = np.isfinite(ours.probability) & np.isfinite(theirs.probability)
    if not both.any():
        raise RequestError(
            "--cohort",
            "no patient is scored by both models",
            "Give a cohort that both can score.",
            code="patients_unusable",
        )
    p, q = ours.probability[both], theirs.probability[both]
    varied = np.ptp(p) > 0 and np.ptp(q) > 0
    known = both & np.isfinite(ours.y)
    differences = {}
    if len(np.unique(ours.y[known])) == 2:
        y, families = ours.y[known], ours.families[known]
        differences = paired_differences(
            y, ours.probability[known], theirs.probability[known], families, draws, seed
        )
    return Compared(
        n=int(both.sum()),
        n_labelled=int(known.sum()),
        largest=float(np.abs(p - q).max()),
        correlation=float(np.corrcoef(p, q)[0, 1]) if varied else float("nan"),
        differences=differences,
        classes=pd.crosstab(pd.Series(theirs.predicted[both]), pd.Series(ours.predicted[both])),
        changed=_changed(ours, theirs, both & (ours.predicted != theirs.predicted)),
    )


def _changed(ours: Scored, theirs: Scored, moved: np.ndarray) -> pd.DataFrame:
    """The patients whose class differs."""
    return pd.DataFrame(
        {
            "sample_id": ours.samples[moved],
            "from": theirs.predicted[moved],
            "to": ours.predicted[moved],
            "probability_from": theirs.probability[moved],
            "probability_to": ours.probability[moved],
        }
    )
