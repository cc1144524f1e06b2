"""The course of the disease: rates before and after the index day, visits, events and drop-out.

True loss at index L0 = past rate x months from onset; after it the loss grows by the future rate. A
visit's total is 48 - loss plus noise, rounded. Items are ancillary: given the totals and the onset
site they say nothing more.
"""

from dataclasses import dataclass

import numpy as np

from als_ml.simulate import constants as c
from als_ml.simulate.genetics import CAUSES, Genome, People, Repeats
from features.alsfrs.slopes import DAYS_PER_MONTH
from models.labels import SlopeRule, progression

RULE = SlopeRule()
HORIZON = int(np.ceil(c.LAST_VISIT / DAYS_PER_MONTH)) + 1


@dataclass
class Course:
    """Arrays of n: true rates (ln points/month), months from onset, true loss at index, early visit
    and its two totals.
    """

    shift: np.ndarray
    past: np.ndarray
    future: np.ndarray
    months: np.ndarray
    loss: np.ndarray
    early_day: np.ndarray
    early_totals: np.ndarray
    early_event: np.ndarray
    early_lost: np.ndarray


def rate_shift(
    people: People, genome: Genome, c9orf72: np.ndarray, atxn2: np.ndarray
) -> np.ndarray:
    """Shift of the ln rate by what is known of a patient."""
    s = c.SHIFTS
    shift = (
        s["bulbar"] * (people.onset_site == "bulbar")
        + s["age_decade"] * (people.age - c.MEAN_AGE) / 10
    )
    shift = (
        shift
        + s["ftd"] * people.ftd
        + s["unc13a_cc"] * (genome.unc13a == 2)
        + s["ala5val"] * genome.ala5val
    )
    return shift + s["c9orf72"] * c9orf72 + s["atxn2"] * atxn2


def draw_course(
    people: People, genome: Genome, repeats: Repeats, rng: np.random.Generator
) -> Course:
    """Draw rates, the loss at index, the two visits up to the landmark, and events and drop-out
    before it.
    """
    n = len(people.family)
    shift = rate_shift(people, genome, people.cause == CAUSES.index("C9orf72"), repeats.atxn2_true)
    past = rng.normal(np.log(c.PAST_MEDIAN) + shift, c.PAST_SD)
    future = rng.normal(future_mean(past, shift), c.FUTURE_SD)
    median, slope, sd = c.DISEASE_MONTHS
    months = np.exp(rng.normal(np.log(median) + slope * (past - np.log(c.PAST_MEDIAN)), sd)).clip(
        2, 240
    )
    months = np.round(months * DAYS_PER_MONTH) / DAYS_PER_MONTH
    loss = np.minimum(np.exp(past) * months, c.LARGEST_LOSS)
    day = rng.integers(c.EARLY_VISIT[0], c.EARLY_VISIT[1] + 1, n).astype(float)
    day[rng.random(n) < c.MISSED_VISIT] = np.nan
    true = np.column_stack([loss, loss + np.exp(future) * np.nan_to_num(day) / DAYS_PER_MONTH])
    totals = np.where(np.isnan(np.column_stack([np.zeros(n), day])), np.nan, noisy_total(true, rng))
    event, lost = (
        _early_day(monthly_hazard(figures, future, loss), rng)
        for figures in (c.EVENT_HAZARD, c.DROP_OUT)
    )
    return Course(
        shift=shift,
        past=past,
        future=future,
        months=months,
        loss=loss,
        early_day=day,
        early_totals=totals,
        early_event=event,
        early_lost=lost,
    )


def future_mean(past: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Mean ln future rate, given the ln past rate and the covariates."""
    return (
        c.FUTURE_LOG_MEAN
        + c.SHIFT_LASTS * shift
        + c.FUTURE_ON_PAST * (past - np.log(c.PAST_MEDIAN) - shift)
    )


def noisy_total(loss: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Total of a visit: rounded, 0-48."""
    return np.clip(np.round(48 - loss + rng.normal(0, c.VISIT_SD, loss.shape)), 0, 48)


def monthly_hazard(
    figures: tuple[float, float, float], rate: np.ndarray, loss: np.ndarray, months: int = HORIZON
) -> np.ndarray:
    """Hazard in each month after index, (n, months), for ln rates and losses at index."""
    level, on_rate, on_loss = figures
    month = np.arange(months)
    later = np.minimum(loss[:, None] + np.exp(rate)[:, None] * month, 48.0)
    return np.exp(level + on_rate * rate[:, None] + on_loss * later)


def treatment_shares(people: People, genome: Genome) -> dict[str, np.ndarray]:
    """P(treatment ever starts), by drug, from what the files say of a patient."""
    sod1_found = genome.cause_seen[:, CAUSES.index("SOD1")]
    trial = c.TRIAL_DRUG
    return {
        "tofersen": np.where(sod1_found, c.TOFERSEN, 0.0),
        "trial_drug": np.where(people.age < 65, trial["under_65"], trial["other"]),
    }


def draw_start(
    share: np.ndarray, rng: np.random.Generator, after: int = c.TREATMENT_START[0] - 1
) -> np.ndarray:
    """Day on which a treatment starts, of patients who had not started by the day `after`.

    Inf if never.
    """
    low, high = c.TREATMENT_START
    early = share * (after - low + 1) / (high - low + 1)
    later = (share - early) / (1 - early)
    day = rng.integers(after + 1, high + 1, len(share))
    return np.where(rng.random(len(share)) < later, day, np.inf)


@dataclass
class Future:
    """What happens after the landmark, for n patients.

    Visits (n, k) with NaN where missed; days of the event, of drop-out and of the first treatment
    that ends the label.
    """

    days: np.ndarray
    totals: np.ndarray
    event_days: np.ndarray
    lost_days: np.ndarray
    natural_until_days: np.ndarray

    def label(self) -> np.ndarray:
        """The label by the contract's rule: 1 fast, 0 slow, NaN none."""
        n, k = self.days.shape
        row = np.repeat(np.arange(n), k)
        day = self.days.ravel()
        kept = np.isfinite(day)
        return progression(
            row[kept],
            day[kept],
            self.totals.ravel()[kept],
            self.event_days,
            np.full(n, np.inf),
            self.natural_until_days,
            RULE,
        ).label


def draw_future(
    rate: np.ndarray, loss: np.ndarray, natural_until: np.ndarray, rng: np.random.Generator
) -> Future:
    """Draw visits, event and drop-out after the landmark for patients who reached it.

    Treated ones decline more slowly.
    """
    n = len(rate)
    event = _first_day(monthly_hazard(c.EVENT_HAZARD, rate, loss), rng, _early_months())
    lost = _first_day(monthly_hazard(c.DROP_OUT, rate, loss), rng, _early_months())
    planned = np.arange(c.FIRST_LATE_VISIT, c.LAST_VISIT, c.VISIT_EVERY)
    days = np.round(planned + rng.uniform(-c.VISIT_JITTER, c.VISIT_JITTER, (n, len(planned))))
    absent = (rng.random(days.shape) < c.MISSED_VISIT) | (days >= np.minimum(event, lost)[:, None])
    # An event after the patient was lost is not known to the centre.
    return Future(
        days=np.where(absent, np.nan, days),
        totals=_totals(rate, loss, natural_until, days, rng),
        event_days=np.where(event < lost, event, np.inf),
        lost_days=lost,
        natural_until_days=natural_until,
    )


def _totals(
    rate: np.ndarray,
    loss: np.ndarray,
    natural_until: np.ndarray,
    days: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """ALSFRS-R totals at visits on days (n, k)."""
    treated = np.maximum(days - natural_until[:, None], 0.0)
    natural_months = (days - (1 - c.TREATED_PACE) * treated) / DAYS_PER_MONTH
    return noisy_total(loss[:, None] + np.exp(rate)[:, None] * natural_months, rng)


def prolonged(
    future: Future, rate: np.ndarray, loss: np.ndarray, months: int, rng: np.random.Generator
) -> Future:
    """The same futures with visits until so many months after the landmark, and with the events and
    drop-outs of whoever is still there; nothing that was drawn before moves.
    """
    last = RULE.landmark_days + months * DAYS_PER_MONTH
    # As many months of hazards beyond the last visit as without.
    end = int(np.ceil(last / DAYS_PER_MONTH)) + 1
    event, lost = (
        _first_day(monthly_hazard(figures, rate, loss, end), rng, HORIZON)
        for figures in (c.EVENT_HAZARD, c.DROP_OUT)
    )
    there = np.isinf(future.event_days) & np.isinf(future.lost_days)
    event = np.where(there & (event < lost), event, future.event_days)
    lost = np.where(there, lost, future.lost_days)
    planned = np.arange(c.FIRST_LATE_VISIT, last, c.VISIT_EVERY)[future.days.shape[1] :]
    shape = (len(rate), len(planned))
    days = np.round(planned + rng.uniform(-c.VISIT_JITTER, c.VISIT_JITTER, shape))
    absent = (rng.random(shape) < c.MISSED_VISIT) | (days >= np.minimum(event, lost)[:, None])
    totals = _totals(rate, loss, future.natural_until_days, days, rng)
    return Future(
        days=np.hstack([future.days, np.where(absent, np.nan, days)]),
        totals=np.hstack([future.totals, totals]),
        event_days=event,
        lost_days=lost,
        natural_until_days=future.natural_until_days,
    )


def _first_day(hazard: np.ndarray, rng: np.random.Generator, from_month: int) -> np.ndarray:
    """Day of the first event from a month after the index day on, by monthly hazards.

    Inf if none within the horizon.
    """
    cumulative = np.cumsum(hazard[:, from_month:], axis=1)
    threshold = rng.exponential(size=(len(hazard), 1))
    month = (cumulative < threshold).sum(axis=1)
    day = np.floor((from_month + month + rng.random(len(hazard))) * DAYS_PER_MONTH)
    return np.where(month < cumulative.shape[1], day, np.inf)


def event_risk(rate: np.ndarray, loss: np.ndarray, days: float) -> np.ndarray:
    """P(event within so many days after the landmark) of who reached it and is not lost, given the
    ln rate and the loss at index, (n,).

    Exactly as `_first_day` draws it: an event month has its day at random.
    """
    first, last = _early_months(), RULE.landmark_days + np.floor(days)
    months = max(HORIZON, int(np.ceil((last + 1) / DAYS_PER_MONTH)))
    hazard = monthly_hazard(c.EVENT_HAZARD, rate, loss, months)[:, first:]
    passed = np.clip((last + 1) / DAYS_PER_MONTH - first - np.arange(hazard.shape[1]), 0, 1)
    alive = np.exp(-(np.cumsum(hazard, axis=1) - hazard))
    return np.asarray((alive * -np.expm1(-hazard) * passed).sum(axis=1))


def _early_day(hazard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Day of a first event at or before the landmark, inf if there is none."""
    months = _early_months()
    cumulative = np.cumsum(hazard[:, :months], axis=1)
    month = (cumulative < rng.exponential(size=(len(hazard), 1))).sum(axis=1)
    day = np.minimum(
        np.floor((month + rng.random(len(hazard))) * DAYS_PER_MONTH) + 1, RULE.landmark_days
    )
    return np.where(month < months, day, np.inf)


def _early_months() -> int:
    return int(RULE.landmark_days / DAYS_PER_MONTH) + 1


def log_survival_to_landmark(rate: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Log probability to reach the landmark without event or drop-out."""
    total = monthly_hazard(c.EVENT_HAZARD, rate, loss) + monthly_hazard(c.DROP_OUT, rate, loss)
    return -total[:, : _early_months()].sum(axis=1)


def draw_items(totals: np.ndarray, onset_site: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split totals (n, k) into 12 items (n, k, 12): each patient loses the 48 points in an order
    drawn by onset site.
    """
    n, item = len(totals), np.repeat(np.arange(12), 4)
    domain = item // 3
    first = {"bulbar": 0, "upper_limb": 1, "lower_limb": 2, "axial": 2, "respiratory": 3}
    weight = np.array(
        [
            [4.0 if domain[t] == first[s] else (0.5 if domain[t] == 3 else 1.0) for t in range(48)]
            for s in first
        ]
    )
    codes = np.array([list(first).index(str(s)) for s in onset_site])
    rank = np.argsort(np.argsort(rng.exponential(size=(n, 48)) / weight[codes], axis=1), axis=1)
    lost = rank[:, None, :] < (48 - np.nan_to_num(totals, nan=48.0))[:, :, None]
    return 4 - lost.reshape(n, totals.shape[1], 12, 4).sum(axis=3)
