"""What the report says of each patient, as plain JSON: the genetic result, scores, what would
change them, course, markers, mechanisms and the care protocol.

Consent (contract): individual genetic results, what rests on them and what tells them are given
only where `consent_genetic_return` is yes; scores of what is to come are left out where
`consent_prognosis` is no. What is withheld says so. Unaffected relatives have no page; the page of
who died is closed: no score and no rule, only what is on record, and a finding for the kin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, cast

import numpy as np
import pandas as pd

from als_ml.pages.driver_words import driver_words
from als_ml.pages.facts import Answered, Page, PageDates, RuleLine, Score
from als_ml.pages.genetic_result import CONFIRM, KIN, genetic_results
from als_ml.pages.markers import marker_cards
from als_ml.pages.mechanism_cards import mechanism_cards
from als_ml.pages.outlook_words import outlook_words
from als_ml.pages.patient_state import (
    STATE_WORDS,
    calendar,
    day_zero,
    patient_events,
    spoken,
)
from als_ml.pages.protocol import MOTOR_NEURON_DISEASE, Decision, Rule, decide
from als_ml.pages.protocol_inputs import GENETIC_INPUTS, Inputs, Value, cohort_inputs, input_words
from als_ml.pages.score_words import alike, answer, definition, hundred, sentence
from als_ml.prediction.next_measurement import next_measurements
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow
from als_ml.prediction.withhold import (
    GENETIC_TASK,
    allows_genetics,
    allows_prognosis,
    genetic_features,
    withheld,
)
from als_ml.variant_table.carriers import shown_class
from features.alsfrs.slopes import decline
from features.alsfrs.stages import kings_stage, mitos_stage
from features.alsfrs.visits import ITEMS, of_scale
from features.blocks.genetics import zygosities
from features.blocks.landmark import on_tofersen
from features.catalogue import Definitions
from features.cohort import AnyCohort, Cohort
from features.stored import Record
from features.tables.coded import as_frame, records_of
from features.tables.columns import FrameT
from features.variants.evidence import Assessment
from features.variants.variant import Variant
from models.labels import event_days, start_days
from models.survival.fitted import FittedSurvival
from models.tasks import TASKS

Progress = Callable[[str, int, int], None]
NO_CONSENT = "not shown: no consent to the return of genetic results"
NO_PROGNOSIS = "not shown: no consent to a prognosis"
CLOSED = "not shown: the patient died"
HAPPENED = "not shown: what it foretells has happened"
# A rule is told to the page unless it is decided and does not apply.
_BENIGN = -7  # points, as for class B: a common allele of a risk gene is not a finding
_TOLD = ("applies", "out of date", "cannot be decided", "expired")


@dataclass(frozen=True)
class Setting:
    """What the pages of one report share: rules, and the day they are written."""

    rules: tuple[Rule, ...]
    written: date = field(default_factory=date.today)


def patient_pages(
    cohort: AnyCohort,
    pairs: Sequence[tuple[Predictor, AnyCohort]],
    setting: Setting,
    progress: Progress = lambda *_: None,
) -> list[Page]:
    """One page a patient, in the order of the cohort.

    Parameters
    ----------
    cohort : Cohort
        What the pages show.
    pairs : list of (Predictor, Cohort)
        Each model with the same patients as it reads them.
    """
    return pages_and_scores(cohort, pairs, setting, progress)[0]


def pages_and_scores(
    cohort: AnyCohort,
    pairs: Sequence[tuple[Predictor, AnyCohort]],
    setting: Setting,
    progress: Progress = lambda *_: None,
) -> tuple[list[Page], dict[str, np.ndarray]]:
    """`patient_pages`, and the scores behind them for figures of the whole cohort.

    A page leaves out the score of who has died, or has had what it foretells. A figure that left
    them out would set the expected share beside an observed one of survivors.

    Parameters
    ----------
    cohort, pairs, setting, progress
        As for `patient_pages`.

    Returns
    -------
    pages : list of Page
        One a patient.
    scores : dict of arrays (pages,)
        Task -> probability; NaN where there is no score, or consent withholds it.
    """
    shown = _framed(_with_pages(cohort))
    patients = records_of(shown.patients)
    landmark = pairs[0][0].spec.landmark_days if pairs else None
    pages = [_patient(patient) for patient in patients]
    scores: dict[str, np.ndarray] = {}
    for number, (predictor, cohort_of_model) in enumerate(pairs):
        progress("scoring", number, len(pairs))
        found = _add_scores(pages, _with_pages(cohort_of_model), predictor)
        scores[predictor.fitted.task] = found
    progress("describing patients", 0, 0)
    inputs = cohort_inputs(shown)
    for page, patient, facts in zip(pages, patients, inputs, strict=True):
        _add_state(page, patient, facts)
        page["dates"] = _dates(patient, facts.today, landmark, setting.written)
    _add_genetics(pages, shown)
    _add_measurements(pages, shown)
    for page, facts in zip(pages, inputs, strict=True):
        page["protocol"] = _protocol(setting, facts, page["consent"], shown.definitions)
        if page["closed"]:
            _close(page)
        page["needs"] = _needs(page, setting.rules)
    return pages, scores


def _with_pages(cohort: Cohort[FrameT]) -> Cohort[FrameT]:
    """Those who have a page: not unaffected relatives."""
    diagnosis = cohort.patients["diagnosis"].to_numpy(dtype=object)
    kept = np.flatnonzero(diagnosis != "unaffected_relative")
    return cohort.take(kept) if len(kept) < len(cohort) else cohort


def _framed(cohort: AnyCohort) -> Cohort:
    """A cohort of files or of a request, its tables as DataFrames."""
    names = ("patients", "biomarkers", "alsfrs", "repeats", "variants")
    frames: Record = {name: as_frame(getattr(cohort, name)) for name in names}
    return cast("Cohort", replace(cohort, **frames))


def _patient(row: Record) -> Page:
    return {
        "sample_id": row["sample_id"],
        "site": _text(row["site"]),
        "diagnosis": _text(row["diagnosis"]),
        "sex": _text(row["sex"]),
        "ancestry": _text(row["ancestry"]),
        "onset_site": _text(row["onset_site"]),
        "el_escorial": _text(row["el_escorial"]),
        "family_history": _text(row["family_history"]),
        "age_at_onset": _number(row["age_at_onset"]),
        "onset_days": _number(row["onset_days"]),
        "diagnostic_delay_months": _number(row["diagnostic_delay_months"]),
        "consent": allows_genetics(row["consent_genetic_return"]),
        "prognosis": allows_prognosis(row.get("consent_prognosis")),
        "scores": [],
        "next": [],
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else float(f"{value:.5g}")


# --- state and dates


def _add_state(page: Page, patient: Record, facts: Inputs) -> None:
    """What the patient has and takes, and what happened, with days and dates."""
    consent = page["consent"]
    states = [
        words
        for name, words in STATE_WORDS.items()
        if name in facts.known and facts.known[name].value == "yes"
    ]
    drugs = [
        value.words
        for name, value in facts.known.items()
        if name.startswith("on_") and value.value == "yes" and name not in STATE_WORDS
        if consent or name not in GENETIC_INPUTS
    ]
    page["events"] = [
        (event.days, event.words, calendar(patient["index_date"], event.days))
        for event in patient_events(patient, consent)
    ]
    page["closed"] = facts.known["dead"].value == "yes"
    page["ill"] = patient["diagnosis"] in MOTOR_NEURON_DISEASE
    page["state"] = [*states, *drugs]
    page["today"], page["age"] = facts.today, _age(facts)


def _age(facts: Inputs) -> float | None:
    """Age on the day of the data, years."""
    age = facts.known.get("age")
    return _number(age.value) if age and isinstance(age.value, float | int) else None


def _dates(patient: Record, today: float, landmark: int | None, written: date) -> PageDates:
    """When the report was written, up to when there are data, and where the scores look from.

    `old` says that the data are older than the rules allow on the day of the report.
    """
    first = patient["index_date"]
    data = calendar(first, today)
    age = None if data is None else _days_since(first, today, written)
    return {
        "report": spoken(written),
        "data_day": int(today),
        "data": data,
        "old": age if age is not None and age > _OLD_DAYS else None,
        "landmark_day": landmark,
        "landmark": calendar(first, landmark),
        "index": calendar(first, 0),
    }


# Data that are older than this on the day of the report are pointed at, as values are (P).
_OLD_DAYS = 90


def _days_since(index_date: Any, day: float, written: date) -> int:
    return int((written - day_zero(index_date)).days - day)


# --- scores


def _add_scores(pages: list[Page], cohort: AnyCohort, predictor: Predictor) -> np.ndarray:
    """Put a model's score on each page, and what would change it, as consent allows.

    Returns
    -------
    array (pages,)
        Probabilities, those of patients who have had what is foretold among them.
    """
    trained = predictor.as_trained(cohort)
    X = predictor.cohort_matrix(trained)
    rows = predictor.predict_cohort(trained, matrix=X)
    genetic = genetic_features(predictor)
    shown = [_score(predictor, row, genetic, x) for row, x in zip(rows, X, strict=True)]
    probabilities = np.array([score.get("probability", np.nan) for score in shown], dtype=float)
    for i in np.flatnonzero(has_happened(predictor, trained)):
        shown[i] = shown[i] if shown[i]["error"] else _without_answer(shown[i], HAPPENED)
    further = next_measurements(predictor, X)
    for page, score, tests in zip(pages, shown, further, strict=True):
        page["scores"].append(score)
        page["next"] += [
            {"task": score["task"], **test}
            for test in ([] if score["error"] else tests)
            if page["consent"] or not test["genetic"]
        ]
        page["next"].sort(key=lambda test: -test["changes"])
    return probabilities


def has_happened(predictor: Predictor, cohort: AnyCohort) -> np.ndarray:
    """Who is known to have had the event whose time a model foretells; nobody for other models.

    Death closes the whole page.

    Parameters
    ----------
    predictor : Predictor
        With the question that it was trained for.
    cohort : Cohort
        n patients.

    Returns
    -------
    array of bool (n,)
        On whatever day it was.
    """
    event = (predictor.training.get("question") or {}).get("event", "composite")
    if not TASKS[predictor.fitted.task].of_time or event == "death":
        return np.zeros(len(cohort), dtype=bool)
    if event != "composite":
        return np.isfinite(start_days(cohort, str(event)))
    happened = np.isfinite(event_days(cohort.patients))
    visits = cohort.alsfrs
    # Ventilated through a tube, as the state at the head of the page has it.
    happened[visits["row"].to_numpy(dtype=int)[visits["q12"].to_numpy(dtype=float) == 0]] = True
    return happened


def _score(
    predictor: Predictor, row: PredictionRow, genetic: frozenset[str], x: np.ndarray
) -> Score:
    """A score as the page shows it: what is wrong with it before its number."""
    task = TASKS[row["task"]]
    kept = withheld(row, genetic)
    shown: Score = {
        "task": task.name,
        "positive": task.positive,
        "negative": task.negative,
        "model": f"{row['model_name']} version {row['model_version']}",
        "error": _refused(kept, row),
    }
    if kept["error"]:
        return shown
    described = {feature.name: feature for feature in predictor.described}
    moved = [d for d in kept["drivers"] if d["contribution"] != 0]
    return {
        **shown,
        "outside": kept["out_of_distribution"],
        "reasons": [d["text"] for d in kept["drivers"] if d["contribution"] == 0],
        **_answered(predictor, kept, x),
        "drivers": [
            (driver_words(described.get(d["feature"]), d, task), _number(d["contribution"]))
            for d in moved
        ],
        "missing": len(kept["missing_inputs"]),
    }


def _answered(predictor: Predictor, kept: PredictionRow, x: np.ndarray) -> Answered:
    """A class with its probability, or a time; its risk by month 12 where the data reach so far."""
    probability, task = kept["probability"], TASKS[kept["task"]]
    if isinstance(predictor.fitted, FittedSurvival):
        said: Answered = {"outlook": outlook_words(predictor, kept, x), "abstained": None}
        risk: Answered = (
            {}
            if probability is None
            else {"probability": probability, "alike": alike(predictor, probability)}
        )
        return said | risk
    if probability is None:
        raise ValueError("a row without an error has a probability")
    meaning = definition(predictor)
    return {
        "sentence": sentence(probability, meaning),
        "definition": f"{task.positive}: patients who {meaning}",
        "probability": probability,
        "hundred": hundred(probability),
        "threshold": round(predictor.fitted.calibration.threshold, 4),
        "class": kept["predicted_class"],
        "set": kept["prediction_set"],
        "abstained": kept["abstained"],
        "answer": answer(predictor, kept),
        "alike": alike(predictor, probability),
    }


def _refused(kept: PredictionRow, row: PredictionRow) -> str | None:
    """Why there is no score: what consent withholds, or the model's own reason."""
    if not kept["error"]:
        return None
    if row["error"]:
        return f"{row['error']['field']}: {row['error']['reason']}"
    return NO_CONSENT if row["task"] == GENETIC_TASK else NO_PROGNOSIS


# --- genetics


def _add_genetics(pages: list[Page], cohort: Cohort) -> None:
    results = genetic_results(cohort)
    for page, result, variants in zip(pages, results, _variants(cohort), strict=True):
        consent = page["consent"]
        for finding in [*result["findings"], *result["risk"]]:
            if "tempo" in finding:
                course = finding["tempo"] if page["prognosis"] else NO_PROGNOSIS
                finding["tempo"] = f"Course seen in groups of carriers: {course}"
                finding["meaning"] += f". {finding['tempo']}"
        listed = [one for one in variants if one[2] not in _NO_FINDING]
        page["genetics"] = result if consent else None
        page["variants"] = listed if consent else None
        page["benign"] = len(variants) - len(listed) if consent else None
        page["cause"] = _CAUSES[result["status"]] if consent else NO_CONSENT


_CAUSES = {
    "positive": "found",
    "uncertain": "uncertain",
    "negative": "not_found",
    "incomplete": "not_fully_tested",
}


# Classes that a page counts and does not list.
_NO_FINDING = ("LB", "B")


def _variants(cohort: Cohort) -> list[list[tuple[str, str, str, str, str]]]:
    """Gene, name, class, zygosity and criteria of each patient's variants."""
    alleles, sites = cohort.genotypes.alleles, cohort.variants
    names = zygosities(cohort)
    summaries = [
        _described(cohort.definitions, *pair)
        for pair in zip(sites["variant"], sites["assessment"], strict=True)
    ]
    shown: list[list[tuple[str, str, str, str, str]]] = [[] for _ in range(len(cohort))]
    for row, site, zygous in zip(alleles["row"], alleles["site"], names, strict=True):
        gene, name, label, text = summaries[site]
        shown[row].append((gene, name, label, str(zygous), text))
    order = {name: i for i, name in enumerate(("P", "LP", "VUS", "risk", "LB", "B"))}
    return [sorted(listed, key=lambda one: (order.get(one[2], 9), one[0])) for listed in shown]


def _described(
    definitions: Definitions, variant: Variant, assessment: Assessment
) -> tuple[str, str, str, str]:
    label = "B" if assessment.points <= _BENIGN else shown_class(definitions, variant, assessment)
    return variant.gene, variant.hgvs_p or variant.hgvs_c or variant.key, label, assessment.text


# --- what was measured


def _add_measurements(pages: list[Page], cohort: Cohort) -> None:
    markers, courses = marker_cards(cohort), _courses(cohort)
    undated, lowered = _undated(cohort), _treated_values(cohort)
    consents = [page["consent"] for page in pages]
    cards = mechanism_cards(cohort, markers, consents)
    for i, page in enumerate(pages):
        page["alsfrs"], page["slope"] = courses[i].totals, courses[i].slope
        page["stages"] = courses[i].stages
        page["biomarkers"] = markers[i]
        page["undated"] = int(undated[i])
        page["lowered"] = bool(lowered[i]) if page["consent"] else None
        page["mechanisms"] = cards[i] if page["ill"] else []


def _undated(cohort: Cohort) -> np.ndarray:
    """How many values of each patient have no day: they are counted, not shown."""
    table = cohort.biomarkers
    rows = table["row"].to_numpy(dtype=int)[np.isnan(table["days"].to_numpy(dtype=float))]
    return np.bincount(rows, minlength=len(cohort))


def _treated_values(cohort: Cohort) -> np.ndarray:
    """Whose values were measured on tofersen, which lowers NfL."""
    rows = cohort.biomarkers["row"].to_numpy(dtype=int)[on_tofersen(cohort)]
    return np.bincount(rows, minlength=len(cohort)) > 0


@dataclass
class _Course:
    """ALSFRS-R totals as (day, total), points lost a month, King's and MiToS stage."""

    totals: list[tuple[int, int]]
    slope: float | None
    stages: list[float | None] | None


def _courses(cohort: Cohort) -> list[_Course]:
    """ALSFRS-R totals by day, the rate of decline over all visits, and the stages at the last
    one.
    """
    visits = of_scale(cohort.alsfrs, "alsfrs_r")
    known = visits[visits["total"].notna()]
    slope, _, _ = decline(
        known["row"].to_numpy(), known["days"].to_numpy(), known["total"].to_numpy(), len(cohort)
    )
    stages = _stages(visits)
    courses = [_Course(totals=[], slope=_number(s), stages=None) for s in slope]
    for row, day, total in zip(known["row"], known["days"], known["total"], strict=True):
        courses[row].totals.append((int(day), int(total)))
    for row, pair in stages.items():
        courses[row].stages = pair
    return courses


def _stages(visits: pd.DataFrame) -> dict[int, list[float | None]]:
    last = visits.drop_duplicates("row", keep="last")
    items = {name: last[name].to_numpy() for name in ITEMS["alsfrs_r"]}
    kings, mitos = kings_stage(items, (last["q5_form"] == "b").to_numpy()), mitos_stage(items)
    return {
        int(row): [_number(k), _number(m)]
        for row, k, m in zip(last["row"], kings, mitos, strict=True)
    }


# --- the protocol


def _protocol(
    setting: Setting, inputs: Inputs, consent: bool, definitions: Definitions
) -> list[RuleLine]:
    """Each rule that speaks of the patient: status, the values that met it, what is missing or old.

    Genetic rules only with consent.
    """
    shown = [rule for rule in setting.rules if consent or not rule.genetic]
    decided = [decide(rule, inputs, setting.written) for rule in shown]
    return [
        _decision(one, consent, definitions, setting.written)
        for one in decided
        if one.status in _TOLD
    ]


def _decision(
    decision: Decision, consent: bool, definitions: Definitions, written: date
) -> RuleLine:
    rule = decision.rule
    met = [v for v in decision.met if consent or v.name not in GENETIC_INPUTS]
    return {
        "rule": rule.id,
        "level": rule.level,
        "status": decision.status,
        "because": [_value(value) for value in met],
        "missing": [input_words(name, definitions) for name in decision.missing],
        "old": [_value(value) for value in decision.stale],
        "expired": spoken(rule.valid_until) if rule.expired(written) else None,
    }


def _value(value: Value) -> str:
    number = isinstance(value.value, float | int)
    amount = f"{value.value:.4g}" if number else str(value.value).replace("_", " ")
    day = "" if value.days is None else f" (day {value.days:.0f})"
    undated = " (undated)" if value.changes and value.days is None else day
    return f"{value.words}: {amount} {value.unit}".rstrip() + (undated if value.changes else "")


def _close(page: Page) -> None:
    """Take from the page of who died everything that looks ahead."""
    page["scores"] = [_without_answer(score, CLOSED) for score in page["scores"]]
    page["next"], page["protocol"], page["mechanisms"] = [], [], []
    page["state"] = [words for words in page["state"] if not words.startswith("on ")]
    if page["genetics"] and page["genetics"]["advice"]:
        page["genetics"]["advice"] = [CONFIRM, KIN]


def _without_answer(score: Score, why: str) -> Score:
    return {
        "task": score["task"],
        "positive": score["positive"],
        "negative": score["negative"],
        "model": score["model"],
        "error": why,
    }


def _needs(page: Page, rules: tuple[Rule, ...]) -> list[str]:
    """Why somebody should look at this patient, the most urgent first."""
    topics = {rule.id: rule.topic for rule in rules}
    urgent = [
        topics[one["rule"]]
        for one in page["protocol"]
        if one["level"] == "act" and one["status"] == "applies"
    ]
    needs = [f"act: {topic.lower()}" for topic in dict.fromkeys(urgent)]
    positive = page["genetics"] is not None and page["genetics"]["status"] == "positive"
    if positive and page["family_history"] == "none":
        needs.append("genetic finding, no family history")
    elif positive:
        needs.append("genetic finding to return")
    return needs
