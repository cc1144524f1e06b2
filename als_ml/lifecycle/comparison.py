"""Two models on one cohort: differences with paired intervals, and who changes class."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from als_ml.cohort.source import CohortSource
from als_ml.config import Config
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.training.metrics import paired_differences
from als_ml.training.survival_estimates import known_by_year
from als_ml.training.task_data import make_labels, time_rule
from features.cohort import Cohort
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from models.labels import in_words
from models.survival.curve import GROUPS
from models.survival.labels import Times, survival_labels
from models.tasks import TASKS


@dataclass(frozen=True)
class Scored:
    """A cohort as one model scores it.

    Arrays of n, NaN where the model gives no probability or the patient has no label; `predicted`
    is a class, of a survival time the fifth of the training risk. `labels` says how many have which
    and why, or why there is none; `times` are those of a survival time.
    """

    samples: np.ndarray
    probability: np.ndarray
    predicted: np.ndarray
    y: np.ndarray
    families: np.ndarray
    rows: list[PredictionRow]
    labels: str = ""
    times: Times | None = None

    @property
    def labelled(self) -> np.ndarray:
        """Who counts, bool (n,): who has a label, or a time, however early it is censored."""
        return np.isfinite(self.y if self.times is None else self.times.months)

    @property
    def stands_for(self) -> np.ndarray:
        """How many patients each labelled one stands for (n,): more than one where some are lost
        too early for a label.
        """
        return np.ones(len(self.y)) if self.times is None else known_by_year(self.times)

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
            times=None if self.times is None else self.times.take(kept),
        )


@dataclass(frozen=True)
class Compared:
    """Two models on the `n` patients whom both score, `n_labelled` of them labelled.

    `largest` difference and `correlation` of the probabilities (NaN where one does not vary);
    `differences` maps a metric to difference, low and high, and is empty unless both labels occur;
    `classes` counts the patients by both answers, `changed` names those whose answer differs;
    `answer` says what it is: a class, or of a time the fifth of the risk.
    """

    n: int
    n_labelled: int
    largest: float
    correlation: float
    differences: dict[str, tuple[float, float, float]]
    classes: pd.DataFrame
    changed: pd.DataFrame
    answer: str = "class"


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
    predicted = np.array([row["predicted_class"] or row["risk_group"] or "" for row in rows])
    y, said = _labelled(predictor, config, cohort)
    rule = time_rule(config)
    return Scored(
        samples=samples,
        probability=probability,
        predicted=predicted,
        y=y,
        families=cohort.families,
        rows=rows,
        labels=said,
        times=None if rule is None else survival_labels(cohort, rule)[1],
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
    ours, theirs = ours.of(both), theirs.of(both)
    p, q = ours.probability, theirs.probability
    varied = np.ptp(p) > 0 and np.ptp(q) > 0
    known, differences = np.isfinite(ours.y), {}
    if len(np.unique(ours.y[known])) == 2:
        y, families, stands_for = ours.y[known], ours.families[known], ours.stands_for[known]
        differences = paired_differences(y, p[known], q[known], families, draws, seed, stands_for)
    return Compared(
        n=int(both.sum()),
        n_labelled=int(known.sum()),
        largest=float(np.abs(p - q).max()),
        correlation=float(np.corrcoef(p, q)[0, 1]) if varied else float("nan"),
        differences=differences,
        classes=_crossed(theirs.predicted, ours.predicted),
        changed=_changed(ours, theirs, ours.predicted != theirs.predicted),
        answer="class" if ours.times is None else "risk group",
    )


def _crossed(rows: np.ndarray, columns: np.ndarray) -> pd.DataFrame:
    """Patients by both answers; fifths of the risk in their order, not the alphabet's."""
    table = pd.crosstab(pd.Series(rows), pd.Series(columns))
    places = {name: i for i, name in enumerate(GROUPS)}
    down, across = (sorted(at, key=lambda name: places.get(name, -1)) for at in table.axes)
    return table.loc[down, across]


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
