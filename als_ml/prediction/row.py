"""The prediction row, described once: the columns, the Arrow schema and the announced reply all
follow from it.
"""

from types import NoneType, UnionType
from typing import cast, get_args, get_type_hints

import numpy as np
import pyarrow as pa

# pydantic wants this one below Python 3.12.
from typing_extensions import TypedDict

from als_ml.cohort.records import RowError
from models.course import HORIZONS, Expected
from models.survival.fitted import Outlook


class Driver(TypedDict):
    """A feature that moved the score."""

    feature: str
    value: float
    contribution: float
    text: str


class _Whose(TypedDict):
    sample_id: str | None
    task: str


class OfClasses(TypedDict):
    """Columns of a model of two or more classes, which one of a survival time leaves null."""

    probability: float | None
    predicted_class: str | None
    prediction_set: str | None
    abstained: bool | None


class _Beside(TypedDict):
    out_of_distribution: bool | None
    drivers: list[Driver]
    missing_inputs: list[str]
    genetic_cause: str | None
    consent_genetic_return: str | None
    consent_prognosis: str | None
    model_name: str | None
    model_version: str | None
    als_ml_version: str
    definitions_version: str
    format: int


class OfTimes(TypedDict):
    """Columns of a survival time: risks 0 to 1, months after the landmark."""

    risk_12m: float | None
    risk_24m: float | None
    median_months: float | None
    q25_months: float | None
    q75_months: float | None
    survival_low_months: float | None
    risk_group: str | None


class OfCourse(TypedDict):
    """Columns of the ALSFRS-R to come: points lost a month, totals of a patient then alive."""

    slope_predicted: float | None
    slope_predicted_low: float | None
    slope_predicted_high: float | None
    total_3m: float | None
    total_3m_low: float | None
    total_3m_high: float | None
    total_6m: float | None
    total_6m_low: float | None
    total_6m_high: float | None
    total_9m: float | None
    total_9m_low: float | None
    total_9m_high: float | None
    total_12m: float | None
    total_12m_low: float | None
    total_12m_high: float | None


class Later(OfTimes, OfCourse):
    """Columns of what is to come, which a model of two classes leaves null."""


class Said(OfClasses, Later):
    """The part of a row that a model says: a class, or a time."""


class PredictionRow(_Whose, OfClasses, _Beside, Later):
    """The reply for one patient; predictions are null where `error` is not.

    A model of two classes leaves the columns from `risk_12m` on null, one of a survival time
    `predicted_class`, `prediction_set` and `abstained`. Times are months after the landmark, slopes
    points of the ALSFRS-R lost per month, totals those of a patient who is then alive; `_low` and
    `_high` bound what would be measured.
    """

    error: RowError | None


def nothing_later() -> Later:
    """Null in each column of what is to come."""
    return cast("Later", dict.fromkeys((*OF_TIMES, *OF_COURSE)))


def of_classes(probability: np.ndarray, classes: list[str], sets: list[str]) -> list[Said]:
    """What a model of two or more classes says of each patient.

    Parameters
    ----------
    probability : array (n,)
        Of the positive class.
    classes, sets : list of n str
        Of `Predictor.classes`.

    Returns
    -------
    list of n dict
        Parts of prediction rows.
    """
    return [
        {
            "probability": float(p),
            "predicted_class": name,
            "prediction_set": labels,
            "abstained": labels.count("|") != 0 or not labels,
            **nothing_later(),
        }
        for p, name, labels in zip(probability, classes, sets, strict=True)
    ]


def of_times(outlook: Outlook) -> list[Said]:
    """What a model of a survival time says of each patient; null where its data do not reach.

    Parameters
    ----------
    outlook : Outlook
        Of `FittedSurvival.outlook`, n patients.

    Returns
    -------
    list of n dict
        Parts of prediction rows.
    """
    return [
        {
            "probability": _known(outlook.risk_12m[i]),
            "predicted_class": None,
            "prediction_set": None,
            "abstained": None,
            "risk_12m": _known(outlook.risk_12m[i]),
            "risk_24m": _known(outlook.risk_24m[i]),
            "median_months": _known(outlook.median_months[i]),
            "q25_months": _known(outlook.q25_months[i]),
            "q75_months": _known(outlook.q75_months[i]),
            "survival_low_months": _known(outlook.survival_low_months[i]),
            "risk_group": outlook.risk_group[i],
            **_of_course(outlook.course, i),
        }
        for i in range(len(outlook.risk_12m))
    ]


def course_columns(course: Expected) -> dict[str, np.ndarray]:
    """The columns of OF_COURSE.

    Parameters
    ----------
    course : Expected
        Of n patients.

    Returns
    -------
    dict of arrays (n,)
        Points a month, and points; NaN where nothing can be said.
    """
    slope = (course.slope, course.slope_low, course.slope_high)
    totals = (course.total, course.total_low, course.total_high)
    columns = [*slope, *(of[:, k] for k in range(len(HORIZONS)) for of in totals)]
    return dict(zip(OF_COURSE, columns, strict=True))


def _of_course(course: Expected | None, i: int) -> OfCourse:
    """The part of one patient's row; null where no course was learned."""
    if course is None:
        return cast("OfCourse", dict.fromkeys(OF_COURSE))
    columns = course_columns(course)
    return cast("OfCourse", {name: _known(values[i]) for name, values in columns.items()})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def refuse(row: PredictionRow, error: RowError) -> None:
    """Take the prediction out of a row and put the reason in.

    Parameters
    ----------
    row : PredictionRow
        Changed in its place.
    error : RowError
        Why there is no prediction.
    """
    for name in PREDICTED:
        row[name] = None  # type: ignore[literal-required]
    row["drivers"], row["missing_inputs"] = [], []
    row["error"] = error


# Columns of a prediction table, in order.
ROW_FIELDS = tuple(get_type_hints(PredictionRow))
# Whether a reader may pass the row on to the patient (contract, Consent).
CONSENTS = ("consent_genetic_return", "consent_prognosis")
# What a model of a survival time says, and what is said of the course of the ALSFRS-R.
OF_TIMES = tuple(get_type_hints(OfTimes))
OF_COURSE = tuple(get_type_hints(OfCourse))
# What a model says of a patient, and what stands empty where there is no prediction.
SAID = tuple(get_type_hints(Said))
PREDICTED = (*SAID, "out_of_distribution")
_ARROW: dict[object, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def _arrow_type(name: str) -> pa.DataType | None:
    """Type of a field's cells, None for a list or an object."""
    annotation = get_type_hints(PredictionRow)[name]
    named = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    kinds = [kind for kind in named if kind is not NoneType]
    return _ARROW.get(kinds[0]) if len(kinds) == 1 else None


# Lists and objects stand as JSON text in the cells of a table.
NESTED = tuple(name for name in ROW_FIELDS if _arrow_type(name) is None)
SCHEMA = pa.schema([(name, _arrow_type(name) or pa.string()) for name in ROW_FIELDS])
