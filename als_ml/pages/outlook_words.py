"""A survival time in plain words: the group and the range first, the curve for who asks.

The communication guide of ENCALS (BMC Neurology 2020, as an earlier reading has it: R) shows risk
group and median with the middle half of patients, not the curve; a patient may not want to know.
The groups are fifths of the training patients' risk: ENCALS publishes no cut-offs.
"""

from typing import TypedDict

import numpy as np

from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from models.survival.fitted import FittedSurvival
from models.tasks import TASKS

_EVENTS = {
    "composite": "death, tracheostomy or ventilation for 23 hours a day, whichever comes first",
    "death": "death",
    "niv": "the start of NIV; who dies before it never has it",
    "gastrostomy": "a gastrostomy; who dies before it never has one",
}
# Months between two points of the drawn curve: finer ones look surer than they are (P).
_STEP = 3.0


class OutlookWords(TypedDict):
    """What a page says of a survival time, in the order in which it says it.

    `curve` are (month, share without the event) and `course` lines on the ALSFRS-R, behind a click;
    `share` says what that share is.
    """

    event: str
    share: str
    short: str
    group: str | None
    times: str
    low: str | None
    risks: list[str]
    course: list[str]
    curve: list[tuple[float, float]]
    end: float


def outlook_words(predictor: Predictor, row: PredictionRow, x: np.ndarray) -> OutlookWords:
    """A survival time as a page shows it.

    Parameters
    ----------
    predictor : Predictor
        Of the survival task.
    row : dict
        A prediction row without an error.
    x : array (p,)
        The patient's row of the model's matrix.

    Returns
    -------
    OutlookWords
        Plain values.
    """
    model = predictor.fitted
    if not isinstance(model, FittedSurvival):
        raise TypeError(f"{predictor.fitted.task} is not a time")
    end = model.curve.end
    months = np.append(np.arange(0.0, end, _STEP), end)
    shares = model.survival(x[None, :], months)[0]
    asked = predictor.training.get("question") or {}
    return {
        "event": _EVENTS[str(asked.get("event", "composite"))],
        "share": _share_words(model),
        "short": short_words(row, end) if model.rival is None else group_short(row),
        "group": group_words(row["risk_group"]),
        "times": times_words(row, end),
        "low": _low_words(predictor, row),
        "risks": _risk_words(row),
        "course": course_words(row),
        "curve": [
            (round(float(m), 2), round(float(s), 4)) for m, s in zip(months, shares, strict=True)
        ],
        "end": round(end, 2),
    }


def _share_words(model: FittedSurvival) -> str:
    """What one minus the risk is the share of."""
    if model.rival is None:
        return "without the event"
    return f"{TASKS[model.task].negative} so far, alive or dead"


def group_words(group: str | None) -> str | None:
    """The fifth of the training risk in words.

    Examples
    --------
    >>> group_words("second_fifth"), group_words(None)
    ("second fifth of the training patients' risk", None)
    """
    return None if group is None else f"{group.replace('_', ' ')} of the training patients' risk"


def group_short(row: PredictionRow) -> str:
    """The group alone: where death competes, who is not in a range may never have the event.

    >>> group_short({"risk_group": "lowest_fifth"}), group_short({"risk_group": None})
    ('lowest fifth', '')
    """
    return (row["risk_group"] or "").replace("_", " ")


def short_words(row: PredictionRow, end: float) -> str:
    """Group and middle half for a table: no risk and no median stand there.

    Parameters
    ----------
    row : dict
        A prediction row of the survival task.
    end : float
        Months of the training follow-up.

    Returns
    -------
    str
        Whole months after the landmark.
    """
    group = [group_short(row)] if row["risk_group"] else []
    return ", ".join([*group, _range_words(row["q25_months"], row["q75_months"], end)])


def _range_words(first: float | None, last: float | None, end: float) -> str:
    if first is None:
        return f"after month {_month(end)}"
    if last is None:
        return f"from month {_month(first)} on"
    return f"months {_month(first)} to {_month(last)}"


def times_words(row: PredictionRow, end: float) -> str:
    """Median and middle half of patients like this one, as far as the data reach.

    Parameters
    ----------
    row : dict
        A prediction row of the survival task.
    end : float
        Months of the training follow-up.

    Returns
    -------
    str
        One sentence, in months after the landmark.
    """
    first, middle, last = (row["q25_months"], row["median_months"], row["q75_months"])
    until = f"month {_month(end)}, where the data end"
    if first is None:
        return f"Fewer than a quarter of patients like this one have the event by {until}."
    if middle is None:
        return (
            f"A quarter of patients like this one have the event by month {_month(first)}, fewer"
            f" than half by {until}."
        )
    if last is None:
        return (
            f"A quarter of patients like this one have the event by month {_month(first)}, half by"
            f" month {_month(middle)} (the median), fewer than three quarters by {until}."
        )
    return (
        f"The middle half of patients like this one have the event between months"
        f" {_month(first)} and {_month(last)}; the median is month {_month(middle)}."
    )


def course_words(row: PredictionRow) -> list[str]:
    """Expected totals of the ALSFRS-R and the rate of decline, in whole points and tenths.

    Parameters
    ----------
    row : dict
        A prediction row of the survival task.

    Returns
    -------
    list of str
        Empty where no course was learned.
    """
    said = []
    totals = (
        (3, row["total_3m"], row["total_3m_low"], row["total_3m_high"]),
        (6, row["total_6m"], row["total_6m_low"], row["total_6m_high"]),
        (9, row["total_9m"], row["total_9m_low"], row["total_9m_high"]),
        (12, row["total_12m"], row["total_12m_low"], row["total_12m_high"]),
    )
    for months, total, low, high in totals:
        if total is not None and low is not None and high is not None:
            said.append(f"month {months}: {round(total)} ({round(low)} to {round(high)})")
    slope, least, most = (
        row["slope_predicted"],
        row["slope_predicted_low"],
        row["slope_predicted_high"],
    )
    if slope is not None and least is not None and most is not None:
        said.append(f"points lost a month: {slope:z.1f} ({least:z.1f} to {most:z.1f})")
    return said


def _month(value: float) -> int:
    return max(round(value), 1)


def _low_words(predictor: Predictor, row: PredictionRow) -> str | None:
    """The conformal bound as a share of patients; in whole months, rounded down."""
    low = row["survival_low_months"]
    if low is None:
        return None
    share = float((predictor.training.get("question") or {}).get("coverage", 0.9))
    said = (
        f"{share:.0%} of such patients are without the event until month {int(low)}"
        if low >= 1
        else f"There is no whole month for which {share:.0%} of such patients are without the event"
    )
    return f"{said}; approximate where patients are lost for reasons that go with their prognosis."


def _risk_words(row: PredictionRow) -> list[str]:
    named = {12: row["risk_12m"], 24: row["risk_24m"]}
    return [f"by month {months}: {risk:.0%}" for months, risk in named.items() if risk is not None]
