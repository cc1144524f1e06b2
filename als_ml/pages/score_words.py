"""A score in one plain sentence, with what it means, from when to when, and how sure it is.

What was asked and what was seen of training patients with a like score is stored with the model
(`als_ml.training.run.for_readers`); a model of an earlier release has neither, and its page says
less.
"""

from collections.abc import Sequence

from als_ml.pages.facts import Alike
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.prediction.training_aggregates import AlikePatients
from features.stored import Json
from models.tasks import TASKS, Task

_DEGREES = {"first_degree": "first", "second_degree": "second"}
_EVENT = "die or need a tracheostomy or ventilation for 23 hours a day"


def definition(predictor: Predictor) -> str:
    """What the positive class of a model does, in words that follow "patients".

    Parameters
    ----------
    predictor : Predictor
        With the question that it was trained for.

    Returns
    -------
    str
        In the present tense.
    """
    asked: Json = predictor.training.get("question") or {}
    task = predictor.fitted.task
    if asked.get("column"):
        bound, word = (
            (asked["above"], "above") if asked["above"] is not None else (asked["below"], "below")
        )
        return f"have {asked['column']} {word} {bound:g}"
    if not asked:
        return f"are {TASKS[task].positive}, as defined when this model was trained"
    if task == "familial":
        return familial_definition(asked)
    return progression_definition(asked, predictor.spec.landmark_days)


def familial_definition(asked: Json) -> str:
    """Who is called familial.

    Parameters
    ----------
    asked : dict
        The question of the label, as trained.

    Returns
    -------
    str
        In words that follow "patients".

    Examples
    --------
    >>> familial_definition({"familial_degrees": ["first_degree", "second_degree"]})
    'report ALS in a first- or second-degree relative'
    """
    degrees = [f"{_DEGREES[name]}-" for name in asked["familial_degrees"]]
    return f"report ALS in a {' or '.join(degrees)}degree relative"


def progression_definition(asked: Json, landmark_days: int) -> str:
    """Who is called fast, and from when to when.

    Parameters
    ----------
    asked : dict
        The question of the label, as trained.
    landmark_days : int
        Days from the index date at which the model predicts.

    Returns
    -------
    str
        In words that follow "patients".

    Examples
    --------
    >>> asked = {"cutoffs": [1.0], "events": "none", "window_days": 365, "measure": "slope"}
    >>> progression_definition(asked, 90)
    'lose at least 1 point a month from day 90 to day 455'
    """
    cutoff = asked["cutoffs"][-1]
    points = f"lose at least {cutoff:g} point{'' if cutoff == 1 else 's'} a month"
    if asked["measure"] == "delta_fs":
        return f"{points} from onset to day {landmark_days}"
    when = f"from day {landmark_days} to day {landmark_days + asked['window_days']}"
    return f"{points} {when}" if asked["events"] == "none" else f"{points}, or {_EVENT}, {when}"


def sentence(probability: float, meaning: str) -> str:
    """The score as a count of people.

    Parameters
    ----------
    probability : float
        0 to 1.
    meaning : str
        Of `definition`.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> sentence(0.618, "lose at least 1 point a month")
    'Of 100 patients like this one, about 62 lose at least 1 point a month.'
    """
    return f"Of 100 patients like this one, about {hundred(probability)} {meaning}."


def hundred(probability: float) -> int:
    """How many of a hundred; nobody is told 0 or 100.

    Parameters
    ----------
    probability : float
        0 to 1.

    Returns
    -------
    int
        1 to 99.
    """
    return min(max(round(probability * 100), 1), 99)


def answer(predictor: Predictor, row: PredictionRow) -> str:
    """What the model says, and whether it can.

    Parameters
    ----------
    predictor : Predictor
        That scored the patient.
    row : dict
        A prediction row with a score.

    Returns
    -------
    str
        One or two sentences.
    """
    task, threshold = TASKS[predictor.fitted.task], predictor.fitted.calibration.threshold
    said = f"From {threshold:.0%} on the model says {task.positive}: here {row['predicted_class']}."
    if not row["abstained"]:
        return said
    if not row["prediction_set"]:
        return f"{said} But the score fits neither class well: the model abstains."
    classes = row["prediction_set"].replace("|", " from ")
    return f"{said} But it cannot tell {classes} for this patient: the model abstains."


def alike(predictor: Predictor, probability: float) -> Alike | None:
    """What was seen of training patients with a like score: n, share and its 95 % interval.

    Parameters
    ----------
    predictor : Predictor
        With what was seen in training.
    probability : float
        0 to 1.

    Returns
    -------
    Alike or None
        None after a recalibration: what was seen does not hold of it.
    """
    rows = predictor.training.get("alike") or []
    if not rows or predictor.fitted.calibration.updated:
        return None
    at = max(sum(row["from"] <= probability for row in rows) - 1, 0)
    row, what = rows[at], _seen_words(TASKS[predictor.fitted.task])
    text = (
        f"Of {row['n']} training patients {_like_scores(rows, at)}{row['observed']:.0%} {what}"
        f" (95 % interval {row['low']:.0%} to {row['high']:.0%})."
    )
    return {"low": round(row["low"], 4), "high": round(row["high"], 4), "text": text}


def _like_scores(rows: Sequence[AlikePatients], at: int) -> str:
    """Which scores count as like: the highest of seven groups may reach from 27 % to 98 %.

    >>> rows = [AlikePatients({"from": start}) for start in (0.02, 0.09, 0.27)]
    >>> [_like_scores(rows, at) for at in range(3)], _like_scores(rows[:1], 0)
    (['with a score below 9%, ', 'with a score of 9% to 27%, ', 'with a score from 27% on, '], '')
    """
    start = rows[at]["from"]
    end = rows[at + 1]["from"] if at + 1 < len(rows) else None
    if at and end is not None:
        return f"with a score of {start:.0%} to {end:.0%}, "
    if end is not None:
        return f"with a score below {end:.0%}, "
    return f"with a score from {start:.0%} on, " if at else ""


def _seen_words(task: Task) -> str:
    """What was seen of the positive.

    >>> _seen_words(TASKS["niv"]), _seen_words(TASKS["familial"])
    ('had NIV by month 12', 'were familial')
    """
    if not task.of_time:
        return f"were {task.positive}"
    return f"had {task.event_words} by month 12"
