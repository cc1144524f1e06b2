"""What a patient has and takes, as inputs of every rule, and what has happened, as marks on the
course.

A recorded day of an event means that it has happened, even after the last visit: who died is dead
on the page. Item 12 of the ALSFRS-R below 4 is non-invasive ventilation, 0 is ventilation through a
tube; item 5b is asked of those with a gastrostomy.
"""

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from features.alsfrs.visits import of_scale
from features.cohort import Cohort
from features.stored import Record
from features.tables.coded import records_of

STATE_WORDS = {
    "dead": "died",
    "on_niv": "non-invasive ventilation",
    "invasive_ventilation": "invasive ventilation",
    "gastrostomy": "gastrostomy",
}
# Column of the patients table -> what happened on that day.
_EVENTS = {
    "onset_days": "onset",
    "diagnosis_days": "diagnosis",
    "riluzole_start_days": "riluzole started",
    "riluzole_stop_days": "riluzole stopped",
    "edaravone_start_days": "edaravone started",
    "edaravone_stop_days": "edaravone stopped",
    "tofersen_start_days": "tofersen started",
    "tofersen_stop_days": "tofersen stopped",
    "trial_drug_start_days": "trial drug started",
    "trial_drug_stop_days": "trial drug stopped",
    "gastrostomy_days": "gastrostomy",
    "niv_start_days": "non-invasive ventilation",
    "niv_23h_days": "non-invasive ventilation 23 h a day",
    "tracheostomy_days": "tracheostomy",
    "death_days": "died",
    "last_contact_days": "last contact",
}
# What a page without consent to genetic results leaves out: tofersen tells a SOD1 variant.
GENETIC_EVENTS = ("tofersen_start_days", "tofersen_stop_days")


class Event(NamedTuple):
    """Something that happened: column, words, and day since the index day."""

    column: str
    words: str
    days: int


def patient_events(patient: Record, consent: bool) -> list[Event]:
    """What happened to a patient, in the order of the days.

    Parameters
    ----------
    patient : dict
        Row of the patients table; days from the index date, NaN where unknown.
    consent : bool
        Whether events that tell a genetic result may be shown.

    Returns
    -------
    list of Event
        Empty where none is dated.

    Examples
    --------
    >>> patient_events({"death_days": 140.0, "tofersen_start_days": 30.0}, consent=False)
    [Event(column='death_days', words='died', days=140)]
    """
    events = [
        Event(column=column, words=words, days=int(patient[column]))
        for column, words in _EVENTS.items()
        if column in patient and patient[column] == patient[column]
        if consent or column not in GENETIC_EVENTS
    ]
    return sorted(events, key=lambda event: event.days)


def patient_states(cohort: Cohort) -> list[dict[str, str | None]]:
    """Of each patient whether dead, ventilated and fed by tube: `yes`, `no`, or None unknown.

    `no` is said only where the last visit's items say so; that nobody recorded an event is not
    that there was none, except for death.

    Parameters
    ----------
    cohort : Cohort
        With ALSFRS-R visits.

    Returns
    -------
    list of dict
        One a patient.
    """
    last = _last_visits(cohort)
    return [
        _state(patient, last.get(row, {}))
        for row, patient in enumerate(records_of(cohort.patients))
    ]


def _state(patient: Record, visit: Record) -> dict[str, str | None]:
    def recorded(*columns: str) -> bool:
        return any(patient[column] == patient[column] for column in columns)

    item = visit.get("q12", np.nan)
    tube = visit.get("q5_form")
    invasive = recorded("tracheostomy_days") or item == 0
    niv = recorded("niv_start_days", "niv_23h_days") or 0 < item < 4
    return {
        "dead": "yes" if recorded("death_days") else "no",
        "on_niv": _word(niv and not invasive, item == 4 or invasive),
        "invasive_ventilation": _word(invasive, item > 0),
        "gastrostomy": _word(recorded("gastrostomy_days") or tube == "b", tube == "a"),
    }


def _word(holds: bool, refuted: bool) -> str | None:
    return "yes" if holds else "no" if refuted else None


def _last_visits(cohort: Cohort) -> dict[int, Record]:
    """Row -> item 12 and the form of item 5 where they were last known."""
    visits = of_scale(cohort.alsfrs, "alsfrs_r")
    if not len(visits):
        return {}
    table = pd.DataFrame({name: visits[name].to_numpy() for name in ("row", "days", "q12")})
    table["q5_form"] = visits["q5_form"].to_numpy() if "q5_form" in visits.columns else None
    ordered = table.sort_values(["row", "days"], kind="stable")
    last = ordered.groupby("row")[["q12", "q5_form"]].last()
    rows = last.index.to_numpy(dtype=int)
    return dict(zip(rows.tolist(), records_of(last), strict=True))


def calendar(index_date: Any, days: float | None) -> str | None:
    """Calendar date of a day, where the index date is known.

    Parameters
    ----------
    index_date : date or datetime64
        NaT or None where unknown.
    days : float, optional
        From the index date.

    Returns
    -------
    str or None
        As `spoken` writes it.

    Examples
    --------
    >>> calendar(np.datetime64("2024-01-31"), 30), calendar(np.datetime64("NaT"), 30)
    ('1 Mar 2024', None)
    """
    if days is None or index_date is None or index_date != index_date:
        return None
    return spoken(day_zero(index_date) + timedelta(days=int(days)))


def day_zero(index_date: Any) -> date:
    """The index date, as a table or a Timestamp holds it.

    Parameters
    ----------
    index_date : date or datetime64
        Known.

    Returns
    -------
    date
        Without a time.
    """
    return date.fromisoformat(str(np.datetime64(index_date, "D")))


def spoken(day: date) -> str:
    """A date that nobody reads the other way round.

    Parameters
    ----------
    day : date
        Any.

    Returns
    -------
    str
        Day, month in letters, year.

    Examples
    --------
    >>> spoken(date(2026, 3, 4))
    '4 Mar 2026'
    """
    return f"{day.day} {day:%b %Y}"
