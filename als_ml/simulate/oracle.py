"""The best possible score: P(label | everything written to the files up to the landmark).

Familial: Bayes' rule over the causes, exact but for rounding of ages. Inputs that the contract
forbids (who was tested, family_id, family history itself) are not used; a missing test is missing
at random. Progression: the posterior of the true loss at index and the future rate on a grid, with
unknown C9orf72 and ATXN2 states summed over, then futures drawn from it through the same code that
made the cohort and its labels; a treatment that starts in a future ends its label. Survival: the
risk of the event within 365 days (730 where the follow-up is that long) after the landmark,
averaged over the same posterior, with nobody lost.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy.stats import binom, norm, truncnorm

from als_ml.simulate import constants as c
from als_ml.simulate.course import (
    RULE,
    Course,
    draw_future,
    draw_start,
    event_risk,
    future_mean,
    log_survival_to_landmark,
    rate_shift,
    treatment_shares,
)
from als_ml.simulate.genetics import (
    CAUSE_SHARES,
    CAUSES,
    UNEXPLAINED,
    Genome,
    People,
    Repeats,
    age_parameters,
    ftd_share,
)
from als_ml.simulate.panel import Panel, log_likelihood
from features.alsfrs.slopes import DAYS_PER_MONTH

Record = TypeVar("Record", People, Genome, Repeats, Course, Panel)
DRAWS = 1000
# The survival task's `probability`: the event within a year after the landmark (contract); and
# within two, of cohorts that are followed so long.
RISK_DAYS = {"survival": 365.0}
LATE_RISK_DAYS = {"survival_24m": 730.0}
LOSS_STEPS = np.arange(-4.5, 4.51, 0.5)
RATES = np.linspace(-3.2, 2.4, 45)
_CHUNK = 150


@dataclass
class Best:
    """Probability, its Monte-Carlo standard error, and the probability given the true latents;
    arrays of n.
    """

    p: np.ndarray
    se: np.ndarray
    latent: np.ndarray


def familial_prior() -> float:
    """Share of familial patients: families weighted by their size."""
    size = float(np.dot(c.FAMILY_SIZES, [1, 2, 3]))
    return c.FAMILIAL_SHARE * size / (c.FAMILIAL_SHARE * size + 1 - c.FAMILIAL_SHARE)


def cause_shares(familial: int) -> np.ndarray:
    """P(cause of the patient | familial or not); a phenocopy has none."""
    shares = CAUSE_SHARES[familial].copy()
    if familial:
        shares *= 1 - c.PHENOCOPY
        shares[UNEXPLAINED] += c.PHENOCOPY
    return shares


def familial_best(people: People, genome: Genome, repeats: Repeats) -> Best:
    """P(familial) from genotypes and repeat results as written, age, sex and FTD."""
    joint = np.zeros((2, len(people.family), len(CAUSES)))
    for familial in (0, 1):
        prior = familial_prior() if familial else 1 - familial_prior()
        for cause in range(len(CAUSES)):
            clinical = _clinical_likelihood(people, cause, familial)
            joint[familial, :, cause] = (
                prior
                * cause_shares(familial)[cause]
                * clinical
                * _genetic_likelihood(genome, repeats, cause)
            )
    by_label = joint.sum(axis=2)
    at_cause = joint[:, np.arange(joint.shape[1]), people.cause]
    p = by_label[1] / by_label.sum(axis=0)
    return Best(p, np.zeros_like(p), at_cause[1] / np.maximum(at_cause.sum(axis=0), 1e-300))


def c9orf72_probability(people: People, genome: Genome, repeats: Repeats) -> np.ndarray:
    """P(C9orf72 expanded | everything written), for patients whose files do not tell."""
    total, expanded = np.zeros(len(people.family)), np.zeros(len(people.family))
    for familial in (0, 1):
        here = people.familial == bool(familial)
        for cause in range(len(CAUSES)):
            term = cause_shares(familial)[cause] * _clinical_likelihood(people, cause, familial)
            term = np.where(here, term * _genetic_likelihood(genome, repeats, cause), 0.0)
            total, expanded = total + term, expanded + (term if CAUSES[cause] == "C9orf72" else 0.0)
    return expanded / total


def _clinical_likelihood(people: People, cause: int, familial: int) -> np.ndarray:
    causes, history = (
        np.full(len(people.family), cause),
        np.full(len(people.family), bool(familial)),
    )
    mean, sd = age_parameters(causes, history, people.female)
    low, high = (np.array(c.AGE_RANGE)[:, None] - mean) / sd
    ftd = ftd_share(causes)
    return truncnorm.pdf(people.age, low, high, loc=mean, scale=sd) * np.where(
        people.ftd, ftd, 1 - ftd
    )


def _genetic_likelihood(genome: Genome, repeats: Repeats, cause: int) -> np.ndarray:
    """P(what the files show of the causal genes | cause): second hits and novel alleles summed
    over.
    """
    shown = np.zeros(len(genome.rare))
    genes = range(1, UNEXPLAINED)
    for second in (*genes, UNEXPLAINED):
        weight = 1 - c.SECOND_HIT if second == UNEXPLAINED else c.SECOND_HIT / (UNEXPLAINED - 1)
        for novel, share in ((False, 1 - c.NOVEL), (True, c.NOVEL)):
            known = {second, *(() if novel else (cause,))} - {0, UNEXPLAINED}
            term = np.ones(len(genome.rare))
            for gene in genes:
                rare = _rare_pmf(genome.rare[:, gene], one_more=novel and gene == cause)
                term = term * (genome.cause_seen[:, gene] == (gene in known)) * rare
            shown = shown + weight * share * term
    return shown * _repeat_likelihood(repeats, cause)


def _rare_pmf(count: np.ndarray, one_more: bool) -> np.ndarray:
    """P(count of rare alleles shown), where a novel causal one may stand among them, unless it was
    not called.
    """
    background = binom.pmf(count, 2 * c.RARE_SITES, c.RARE_FREQUENCY * (1 - c.NO_CALL))
    if not one_more:
        return background
    with_it = binom.pmf(count - 1, 2 * c.RARE_SITES, c.RARE_FREQUENCY * (1 - c.NO_CALL))
    return with_it * (1 - c.NO_CALL) + background * c.NO_CALL


def _repeat_likelihood(repeats: Repeats, cause: int) -> np.ndarray:
    """Of the C9orf72 result: definite results have their emission probabilities, an unknown one is
    missing at random.
    """
    is_c9, tested = CAUSES[cause] == "C9orf72", repeats.lab != ""
    expanded = (
        np.where(tested, 1.0, c.SHORT_READ_SENSITIVITY * (1 - c.STRADDLES))
        if is_c9
        else np.zeros(len(tested))
    )
    unsized = (
        c.SHORT_READ_SENSITIVITY * c.STRADDLES + (1 - c.SHORT_READ_SENSITIVITY) * c.ONE_ALLELE
        if is_c9
        else c.ONE_ALLELE
    )
    called = np.isfinite(repeats.c9_long)
    unknown = np.where(called, unsized, 1.0)
    normal = 1 - expanded - np.where(tested, 0.0, unsized)
    return np.select([repeats.c9_state == 1, repeats.c9_state == 0], [expanded, normal], unknown)


def course_best(
    people: People,
    genome: Genome,
    repeats: Repeats,
    course: Course,
    panel: Panel,
    rng: np.random.Generator,
    risk_days: dict[str, float],
) -> dict[str, Best]:
    """P(fast | files up to the landmark, labelled) and P(event within so many days after it | the
    same files, not lost), by name, in chunks of patients.
    """
    n = len(people.family)
    c9 = c9orf72_probability(people, genome, repeats)
    parts = []
    for start in range(0, n, _CHUNK):
        rows = slice(start, start + _CHUNK)
        chunk = (
            _rows(people, rows),
            _rows(genome, rows),
            _rows(repeats, rows),
            _rows(course, rows),
            _rows(panel, rows),
        )
        parts.append(_chunk_best(*chunk, c9[rows], rng, risk_days))
    return {task: _joined([part[task] for part in parts]) for task in parts[0]}


def _joined(parts: list[Best]) -> Best:
    return Best(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("p", "se", "latent"))
    )


def _rows(part: Record, rows: slice) -> Record:
    """The same record for some patients."""
    chosen: dict[str, Any] = {}
    for name, value in part.__dict__.items():
        if name in ("sites", "copies"):
            chosen[name] = value
        else:
            chosen[name] = (
                {k: v[rows] for k, v in value.items()} if isinstance(value, dict) else value[rows]
            )
    return type(part)(**chosen)


def _chunk_best(
    people: People,
    genome: Genome,
    repeats: Repeats,
    course: Course,
    panel: Panel,
    c9: np.ndarray,
    rng: np.random.Generator,
    risk_days: dict[str, float],
) -> dict[str, Best]:
    posterior = _posterior(people, genome, repeats, course, panel, c9)
    loss, rate = _posterior_draws(*posterior, rng)
    natural_until = _untreated_until(treatment_shares(people, genome), rng.spawn(1)[0])
    p, se = _fast_share(rate, loss, natural_until, rng)
    true_rate, true_loss = (
        np.repeat(x[:, None], DRAWS, axis=1) for x in (course.future, course.loss)
    )
    latent, _ = _fast_share(true_rate, true_loss, natural_until, rng)
    risks = {name: _survival_best(course, *posterior, days) for name, days in risk_days.items()}
    return {"progression": Best(p, se, latent), **risks}


def _survival_best(course: Course, loss: np.ndarray, p: np.ndarray, days: float) -> Best:
    """The risk at each point of the grid, weighted by its posterior: no number is drawn, so that
    there is no Monte-Carlo error and no other stream moves.
    """
    rates, losses = np.meshgrid(RATES, np.arange(loss.shape[1]))
    at = event_risk(
        np.broadcast_to(rates.ravel(), p.shape).ravel(), loss[:, losses.ravel()].ravel(), days
    )
    latent = event_risk(course.future, course.loss, days)
    return Best((p * at.reshape(p.shape)).sum(axis=1), np.zeros(len(p)), latent)


def _untreated_until(shares: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Start of the first treatment in DRAWS futures of each patient who reached the landmark
    untreated.
    """
    starts = [
        draw_start(np.repeat(share, DRAWS), rng, RULE.landmark_days) for share in shares.values()
    ]
    return np.minimum(*starts).reshape(-1, DRAWS)


def _fast_share(
    rate: np.ndarray, loss: np.ndarray, natural_until: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Share of fast among the labelled futures of (n, draws) latents, with its standard error."""
    future = draw_future(rate.ravel(), loss.ravel(), natural_until.ravel(), rng)
    label = future.label().reshape(rate.shape)
    labelled = np.isfinite(label).sum(axis=1)
    p = np.nansum(label, axis=1) / np.maximum(labelled, 1)
    return p, np.sqrt(np.maximum(p * (1 - p), 1e-6) / np.maximum(labelled, 1))


def _posterior(
    people: People,
    genome: Genome,
    repeats: Repeats,
    course: Course,
    panel: Panel,
    c9: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Losses at index (n, steps), and the posterior of each with each rate (n, steps x rates)."""
    loss = np.maximum((48 - course.early_totals[:, 0])[:, None] + LOSS_STEPS, 0.05)
    past = np.log(loss / course.months[:, None])
    states = [(a, b) for a in (0, 1) for b in (0, 1)]
    weight = [
        _state_weight(repeats.c9_state, c9, a) * _state_weight(repeats.atxn2_state, c.ATXN2_RISK, b)
        for a, b in states
    ]
    n, size = len(loss), loss.shape[1] * len(RATES)
    log_p = np.full((n, len(states), size), -np.inf)
    fixed = _without_shift(course, loss)
    for k, (a, b) in enumerate(states):
        shift = rate_shift(people, genome, np.full(n, a), np.full(n, b))[:, None, None]
        grid = fixed + _log_posterior(people, course, panel, past, shift)
        with np.errstate(divide="ignore"):
            log_p[:, k] = grid.reshape(n, size) + np.log(weight[k])[:, None]
    p = np.exp(log_p - log_p.max(axis=(1, 2), keepdims=True)).sum(axis=1)
    return loss, p / p.sum(axis=1, keepdims=True)


def _posterior_draws(
    loss: np.ndarray, p: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """DRAWS samples of (loss at index, ln future rate) per patient from their posterior on the
    grid.
    """
    n, size = p.shape
    cumulative = np.cumsum(p, axis=1)
    node = np.array([np.searchsorted(row, rng.random(DRAWS)) for row in cumulative]).clip(
        0, size - 1
    )
    i, j = np.divmod(node, len(RATES))
    jitter = rng.uniform(-0.5, 0.5, (2, n, DRAWS))
    drawn = np.take_along_axis(loss, i, axis=1) + jitter[0] * (LOSS_STEPS[1] - LOSS_STEPS[0])
    return np.maximum(drawn, 0.05), RATES[j] + jitter[1] * (RATES[1] - RATES[0])


def _state_weight(state: np.ndarray, probability: np.ndarray | float, value: int) -> np.ndarray:
    """1 for the state that the files tell, its probability where they do not."""
    unknown = probability if value else 1 - np.asarray(probability)
    return np.where(state == -1, unknown, (state == value).astype(float))


def _log_posterior(
    people: People, course: Course, panel: Panel, past: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Log posterior on the grid (n, loss, rate), up to a constant: what depends on the covariates'
    shift of the rates.
    """
    before, after = past[:, :, None], np.broadcast_to(RATES, (len(past), 1, len(RATES)))
    prior = norm.logpdf(before, np.log(c.PAST_MEDIAN) + shift, c.PAST_SD)
    prior = prior + norm.logpdf(after, future_mean(before, shift), c.FUTURE_SD)
    return prior + log_likelihood(panel, people, course.early_totals[:, 0], before, after, shift)


def _without_shift(course: Course, loss: np.ndarray) -> np.ndarray:
    """Log posterior terms that do not depend on the covariates: duration, visits, survival.

    Change of variable to loss.
    """
    at_index, after = loss[:, :, None], np.broadcast_to(RATES, (len(loss), 1, len(RATES)))
    past = np.log(at_index / course.months[:, None, None])
    median, slope, sd = c.DISEASE_MONTHS
    mean = np.log(median) + slope * (past - np.log(c.PAST_MEDIAN))
    duration = norm.logpdf(np.log(course.months)[:, None, None], mean, sd) - np.log(at_index)
    visits = _visit_likelihood(course, at_index, after)
    flat = [np.broadcast_to(x, visits.shape).ravel() for x in (after, at_index)]
    return duration + visits + log_survival_to_landmark(*flat).reshape(visits.shape)


def _visit_likelihood(course: Course, loss: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Of the rounded totals at the index day and at the early visit."""
    total = np.zeros(np.broadcast_shapes(loss.shape, rate.shape))
    for visit, day in enumerate((np.zeros(len(loss)), course.early_day)):
        seen = course.early_totals[:, visit][:, None, None]
        mean = 48 - loss - np.exp(rate) * np.nan_to_num(day)[:, None, None] / DAYS_PER_MONTH
        upper = np.where(seen >= 48, 1.0, norm.cdf(seen + 0.5, mean, c.VISIT_SD))
        lower = np.where(seen <= 0, 0.0, norm.cdf(seen - 0.5, mean, c.VISIT_SD))
        total = total + np.where(np.isnan(seen), 0.0, np.log(np.maximum(upper - lower, 1e-300)))
    return total
