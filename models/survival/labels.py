"""Time to event of each patient of a cohort (contract, Time to event).

Time runs from the landmark, so that nobody is at risk before it is observed. The event is death,
tracheostomy or NIV >= 23 h/day, whichever comes first, or death alone; or the start of NIV or a
gastrostomy, which death ends otherwise (so does a tracheostomy the wait for NIV, which it replaces;
a gastrostomy may follow one). Who has none of these is censored at
the last contact (where the last visit or measurement is later, or no contact is recorded, there),
or earlier where the configuration ends the follow-up: at a day for everyone, or where tofersen or a
trial drug starts.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from features.alsfrs.slopes import DAYS_PER_MONTH
from features.cohort import AnyCohort, Cohort
from models.labels import (
    STARTS,
    Labels,
    event_days,
    last_seen_days,
    natural_until_days,
    scored,
    start_days,
)
from models.survival.times import YEAR

# What may end a time; 0 is a censoring. Of two on one day the event itself comes first.
CAUSES = ("death", "tracheostomy", "niv_23h", "niv", "gastrostomy")
_DATES = {name: STARTS.get(name, (f"{name}_days",)) for name in CAUSES}
# What is the event by a rule, and what ends the time otherwise.
_EVENTS = {
    "composite": ("death", "tracheostomy", "niv_23h"),
    "death": ("death",),
    "niv": ("niv",),
    "gastrostomy": ("gastrostomy",),
}
_RIVALS = {"niv": ("death", "tracheostomy"), "gastrostomy": ("death",)}
# Why a patient has a time or none, first come first served.
BRANCHES = (
    "excluded_event",  # at or before the landmark
    "excluded_lost",  # at or before the landmark
    "excluded_has_niv",  # by the landmark, where NIV is the event
    "excluded_has_gastrostomy",  # by the landmark, where that is the event
    "unlabelled_treatment_undated",  # treated, and nobody knows since when
    "unlabelled_treated_early",  # at or before the landmark
    "unlabelled_no_follow_up",  # no event, and nothing known of any day after the landmark
    "event_death",
    "event_tracheostomy",
    "event_niv_23h",
    "event_niv",
    "event_gastrostomy",
    "ended_by_death",  # before NIV or a gastrostomy, where that is the event
    "ended_by_tracheostomy",  # before NIV, where that is the event
    "censored_treated",
    "censored_follow_up_end",
    "censored_last_contact",
    "censored_last_record",  # or measurement, later than any contact that is recorded
)
_LABELLED = range(BRANCHES.index("event_death"), len(BRANCHES))
_ENDED = range(BRANCHES.index("event_death"), BRANCHES.index("censored_treated"))
# Follow-up of those with an event alone is told from chance by so many of them (P).
_FEWEST_BEYOND, _SHARE_BEYOND = 20, 0.95


@dataclass(frozen=True, kw_only=True)
class TimeRule:
    """How a time is made of what happens after the landmark.

    Attributes
    ----------
    landmark_days : int
        Where time starts, in days since the index day.
    event : str
        `composite`: death, tracheostomy or NIV >= 23 h/day; `death`: death alone; `niv` or
        `gastrostomy`: its start.
    follow_up_days : int, optional
        Day since the index day after which nothing counts.
    end_at_treatment : bool
        Whether tofersen or a trial drug ends the follow-up.
    """

    landmark_days: int = 90
    event: str = "composite"
    follow_up_days: int | None = None
    end_at_treatment: bool = False

    @property
    def causes(self) -> tuple[str, ...]:
        """What counts as the event."""
        return _EVENTS[self.event]

    @property
    def rivals(self) -> tuple[str, ...]:
        """What ends the time otherwise, so that the event can no longer come."""
        return _RIVALS.get(self.event, ())


@dataclass(frozen=True)
class Times:
    """Of each patient with a time.

    `months` after the landmark, above 0; `cause` (int) 0 censored, else 1 + index into CAUSES;
    `causes` the names of those that are the event, `rivals` of those that compete with it.
    """

    months: np.ndarray
    cause: np.ndarray
    causes: tuple[str, ...] = _EVENTS["composite"]
    rivals: tuple[str, ...] = ()

    @property
    def outcome(self) -> np.ndarray:
        """How each time ended: 0 censored, 1 in the event, 2 in what competes with it."""
        other = np.isin(self.cause, [1 + CAUSES.index(name) for name in self.rivals])
        return np.where(other, 2, (self.cause > 0).astype(int))

    @property
    def ended(self) -> np.ndarray:
        """Whether the time ended in an event of any cause."""
        return np.asarray(self.cause > 0)

    @property
    def event(self) -> np.ndarray:
        """Whether the time ended in the event."""
        return np.asarray(self.outcome == 1)

    @property
    def of_rivals(self) -> "Times":
        """The same times until what competes with the event."""
        return replace(self, causes=self.rivals, rivals=self.causes)

    def take(self, kept: np.ndarray) -> "Times":
        """The times of some patients.

        Parameters
        ----------
        kept : array of int or bool
            Which.
        """
        return replace(self, months=self.months[kept], cause=self.cause[kept])

    def until(self, months: np.ndarray) -> "Times":
        """The times as they were known earlier: who had no event by then was censored there.

        Parameters
        ----------
        months : array (n,)
            After the landmark, above 0.

        Examples
        --------
        >>> known = Times(np.array([5.0, 5.0, 5.0]), np.array([1, 1, 0])).until(np.array([5, 4, 9]))
        >>> known.months.tolist(), known.cause.tolist()
        ([5.0, 4.0, 5.0], [1, 0, 0])
        """
        cause = np.where(self.months <= months, self.cause, 0)
        return replace(self, months=np.minimum(self.months, months), cause=cause)


def survival_labels(cohort: Cohort, rule: TimeRule) -> tuple[Labels, Times]:
    """Time and event of each patient, with the count of each reason.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut.
    rule : TimeRule
        What counts, and until when.

    Returns
    -------
    labels : Labels
        `y` is 1 with the event, 0 censored or ended otherwise, NaN without a time.
    times : Times
        Arrays (n,), months NaN without a time.
    """
    seen = _seen(cohort, rule)
    branch = _branches(cohort, rule, seen)
    branch[~scored(cohort)] = -1
    timed, ended = np.isin(branch, _LABELLED), np.isin(branch, _ENDED)
    stop = np.minimum(np.minimum(seen.followed, seen.treated), seen.end)
    months = np.where(timed, (stop - rule.landmark_days) / DAYS_PER_MONTH, np.nan)
    times = Times(
        months=months,
        cause=np.where(ended, seen.cause, 0),
        causes=rule.causes,
        rivals=rule.rivals,
    )
    y = np.where(timed, times.event.astype(float), np.nan)
    labels = Labels(y=y, counts=_counts(branch, y), sources=_sources(rule), by_year=_by_year(times))
    return labels, times


def _by_year(times: Times) -> np.ndarray:
    """Whether the event comes within 365 days; NaN where that is not known."""
    early = times.months <= YEAR
    # Who is censored on day 365 was without the event through it; who died before it never has it.
    lost = (times.outcome == 0) & (times.months < YEAR)
    known = np.where(times.event & early, 1.0, np.where(lost, np.nan, 0.0))
    return np.where(np.isnan(times.months), np.nan, known)


class _Seen(NamedTuple):
    """Days of each patient since the index day, inf where there is none.

    `first` event with its `cause` (0 none), `followed`: the event, else the last day of which
    anything is known (a death is known although the last contact was before it), `treated` and
    `end` of what counts.
    """

    first: np.ndarray
    cause: np.ndarray
    followed: np.ndarray
    treated: np.ndarray
    end: float


def _seen(cohort: AnyCohort, rule: TimeRule) -> _Seen:
    first, cause = _first_events(cohort, rule)
    natural = natural_until_days(cohort.patients)
    return _Seen(
        first=first,
        cause=cause,
        followed=np.where(np.isfinite(first), first, last_known_days(cohort)),
        treated=natural if rule.end_at_treatment else np.full(len(first), np.inf),
        end=np.inf if rule.follow_up_days is None else float(rule.follow_up_days),
    )


def last_known_days(cohort: AnyCohort) -> np.ndarray:
    """Last day on which a patient is known to have been alive: last contact, visit or measurement.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut.

    Returns
    -------
    array (n,)
        Days since the index day; -inf where nothing is dated.
    """
    last = np.full(len(cohort), -np.inf)
    for table in (cohort.alsfrs, cohort.biomarkers):
        days = table["days"].to_numpy(dtype=float)
        dated = np.isfinite(days)
        np.maximum.at(last, table["row"].to_numpy(dtype=int)[dated], days[dated])
    contact = last_seen_days(cohort.patients)
    return np.maximum(last, np.where(np.isinf(contact), -np.inf, contact))


def _sources(rule: TimeRule) -> set[str]:
    dates = {date for cause in (*rule.causes, *rule.rivals) for date in _DATES[cause]}
    return dates | {"last_contact_days"}


def _first_events(cohort: AnyCohort, rule: TimeRule) -> tuple[np.ndarray, np.ndarray]:
    """Day of the first event (inf: none known) and its cause, 0 where there is none."""
    ends = (*rule.causes, *rule.rivals)
    days = np.column_stack([_days_of(cohort, name) for name in ends])
    codes = np.array([1 + CAUSES.index(name) for name in ends])
    first = days.min(axis=1)
    return first, np.where(np.isfinite(first), codes[days.argmin(axis=1)], 0)


def _days_of(cohort: AnyCohort, cause: str) -> np.ndarray:
    if cause in STARTS:
        return start_days(cohort, cause)
    days = cohort.patients[f"{cause}_days"].to_numpy(dtype=float)
    return np.where(np.isnan(days), np.inf, days)


def _branches(cohort: AnyCohort, rule: TimeRule, seen: _Seen) -> np.ndarray:
    """Index into BRANCHES of each patient."""
    patients, landmark = cohort.patients, rule.landmark_days
    happened = np.isfinite(seen.first) & (seen.first <= np.minimum(seen.treated, seen.end))

    def by(name: str) -> np.ndarray:
        return np.asarray(happened & (seen.cause == 1 + CAUSES.index(name)))

    reasons = {
        "excluded_event": event_days(patients) <= landmark,
        "excluded_lost": last_seen_days(patients) <= landmark,
        **{
            f"excluded_has_{name}": (rule.event == name) & (start_days(cohort, name) <= landmark)
            for name in _RIVALS
        },
        "unlabelled_treatment_undated": np.isneginf(seen.treated),
        "unlabelled_treated_early": seen.treated <= landmark,
        "unlabelled_no_follow_up": seen.followed <= landmark,
        **{f"event_{name}": by(name) & (name in rule.causes) for name in CAUSES},
        **{f"ended_by_{name}": by(name) for name in ("death", "tracheostomy")},
        "censored_treated": seen.treated <= np.minimum(seen.followed, seen.end),
        "censored_follow_up_end": seen.end <= seen.followed,
        "censored_last_contact": last_seen_days(patients) == seen.followed,
        "censored_last_record": np.ones(len(seen.first), dtype=bool),
    }
    chosen = np.select([reasons[name] for name in BRANCHES], np.arange(len(BRANCHES)).tolist())
    return np.asarray(chosen, dtype=int)


def _counts(branch: np.ndarray, y: np.ndarray) -> dict[str, int]:
    counts = {name: int((branch == i).sum()) for i, name in enumerate(BRANCHES)}
    counts["other_diagnosis"] = int((branch == -1).sum())
    return {name: n for name, n in counts.items() if n} | {
        "positive": int((y == 1).sum()),
        "negative": int((y == 0).sum()),
        "unlabelled_total": int(np.isnan(y).sum()),
    }


def events_only_beyond(cohort: AnyCohort, rule: TimeRule) -> tuple[int, int] | None:
    """Day beyond which follow-up is known of those with an event alone, and how many these are.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    rule : TimeRule
        What counts, and until when.

    Returns
    -------
    (day, n) or None
        None where those without an event are followed as long.
    """
    plain = replace(rule, follow_up_days=None)
    first, _ = _first_events(cohort, plain)
    last = last_known_days(cohort)
    end = np.inf if rule.follow_up_days is None else float(rule.follow_up_days)
    mine = scored(cohort) & (np.where(np.isfinite(first), first, last) > rule.landmark_days)
    censored = mine & np.isinf(first)
    if censored.sum() < _FEWEST_BEYOND:
        return None
    day = float(np.quantile(last[censored], 0.99, method="inverted_cdf"))
    beyond = int((mine & np.isfinite(first) & (first > day) & (first <= end)).sum())
    others = int((censored & (last > day)).sum()) if end > day else 0
    if beyond < _FEWEST_BEYOND or beyond < _SHARE_BEYOND * (beyond + others):
        return None
    return int(day), beyond
