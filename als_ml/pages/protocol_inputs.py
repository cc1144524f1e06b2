"""What the care protocol may ask of a patient: the state, and values with their unit and day, from
the checked tables of a cohort.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from als_ml.cohort.record_keys import SYMPTOMS
from als_ml.pages.patient_state import STATE_WORDS, patient_states
from features.alsfrs.slopes import DAYS_PER_MONTH
from features.alsfrs.visits import ITEMS, of_scale
from features.blocks.clinical import DAYS_PER_YEAR
from features.blocks.genetics import (
    causal_carriers,
    core_tested,
    genetic_cause,
    telling_alleles,
)
from features.catalogue import Definitions, analytes, derived, gene_names
from features.cohort import Cohort
from features.genotypes.repeats import EXPANDED, INDETERMINATE, RepeatStates
from features.stored import Record
from features.tables.coded import records_of
from features.variants.evidence import CLASSES

DRUGS = ("riluzole", "edaravone", "tofersen", "trial_drug")
# Columns that do not go out of date: input -> column.
LASTING = {"sulfite_allergy": "sulfite_allergy", "on_amx0035": "amx0035"}
_LIKELY_PATHOGENIC = next(least for least, name in CLASSES if name == "LP")
# The visit 12 weeks before: within two weeks of it (P).
TWELVE_WEEKS, TWO_WEEKS = 84, 14
_STATIC = {
    "diagnosis": "diagnosis",
    "sex": "sex",
    "el_escorial": "El Escorial category",
    "age": "age",
    "age_at_onset": "age at onset",
    "months_since_onset": "months since onset",
    "genetic_cause": "genetic finding",
    "genetically_tested": "core genes assayed and C9orf72 sized",
    "genetic_consent": "consent to the return of genetic results",
    "pathogenic_sod1": "(likely) pathogenic SOD1 variant",
    "pathogenic_fus": "(likely) pathogenic FUS variant",
    "c9orf72_expanded": "C9orf72 expanded",
    **{f"on_{drug}": f"on {drug.replace('_', ' ')}" for drug in DRUGS},
    "months_on_riluzole": "months on riluzole",
    **{name: column.replace("_", " ") for name, column in LASTING.items()},
    **STATE_WORDS,
}
_DERIVED = {
    "lowest_item": "lowest item of the ALSFRS-R",
    "decline_12_weeks": "points lost in 12 weeks",
    "vital_capacity_pct": "vital capacity",
    "weight_loss_pct": "weight lost",
    "alt_times_limit": "ALT / upper limit of the laboratory",
    "ast_times_limit": "AST / upper limit of the laboratory",
    "liver_times_limit": "higher of ALT and AST / upper limit of the laboratory",
    "bilirubin_times_limit": "bilirubin / upper limit of the laboratory",
}
# Inputs that tell the genotype: what a page without consent does not name.
GENETIC_INPUTS = frozenset(
    ["genetic_cause", "pathogenic_sod1", "pathogenic_fus", "c9orf72_expanded", "on_tofersen"]
)


class Value(NamedTuple):
    """An input of a rule.

    `days` since the index day (None undated); `changes`: whether it can be out of date.
    """

    name: str
    words: str
    value: Any
    unit: str = ""
    days: "float | None" = None
    changes: bool = True


# A clinic sees its patients every two to three months (P): older values are out of date.
STALE_DAYS = 90


@dataclass(frozen=True)
class Inputs:
    """Everything known of one patient by name, and the day of the data."""

    known: dict[str, Value]
    today: float

    @cached_property
    def fresh(self) -> dict[str, Value]:
        """What is known and not out of date."""
        return {name: value for name, value in self.known.items() if not self._stale(value)}

    def _stale(self, value: Value) -> bool:
        """Whether a value that changes in time is undated or too old."""
        return value.changes and not (
            value.days is not None and self.today - value.days <= STALE_DAYS
        )


@derived
def known_inputs(definitions: Definitions) -> frozenset[str]:
    """Names that a rule may use.

    Parameters
    ----------
    definitions : Definitions
        Whose analytes may be used.

    Returns
    -------
    set of str
        Analytes, items, facts of the patient, and what is derived.
    """
    return frozenset(
        [*analytes(definitions).index, *ITEMS["alsfrs_r"], *_STATIC, *_DERIVED, *SYMPTOMS]
    )


def input_words(name: str, definitions: Definitions) -> str:
    """What a reader calls an input.

    Parameters
    ----------
    name : str
        Of an input.
    definitions : Definitions
        Whose analytes are named.

    Returns
    -------
    str
        The name itself with blanks, where nothing better is known.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> input_words("q11", shipped()), input_words("fvc_pct", shipped())
    ('orthopnoea (item 11)', 'Forced vital capacity')
    """
    if name in described(definitions):
        return described(definitions)[name][0]
    known = _ITEM_WORDS | _STATIC | _DERIVED
    return known.get(name, name.replace("_", " "))


_ITEM_WORDS = {
    f"q{number}": f"{words} (item {number})"
    for number, words in enumerate(
        (
            "speech",
            "saliva",
            "swallowing",
            "handwriting",
            "cutting food",
            "dressing",
            "turning in bed",
            "walking",
            "climbing stairs",
            "dyspnoea",
            "orthopnoea",
            "respiratory insufficiency",
        ),
        start=1,
    )
}


def cohort_inputs(cohort: Cohort) -> list[Inputs]:
    """The inputs of each patient.

    The day of the report is `as_of_days`, else the last day on record.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    list of n Inputs
        In the order of the cohort.
    """
    today = last_days(cohort)
    genetics = _genetics(cohort)
    measured, visits = _measured(cohort), _visits_of(cohort)
    patients = records_of(cohort.patients)
    states = patient_states(cohort)
    inputs = []
    for i, patient in enumerate(patients):
        values = [*_static(patient, today[i]), *genetics[i], *_symptoms(patient)]
        values += [v for name, said in states[i].items() for v in _known(name, said, days=None)]
        values += _analytes(cohort.definitions, measured[i])
        values += _visits(visits[i]) if i in visits else []
        inputs.append(Inputs({value.name: value for value in values}, today[i]))
    return inputs


def last_days(cohort: Cohort) -> np.ndarray:
    """Day up to which each patient is known: `as_of_days`, else the last visit or measurement, else
    day 0.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    array (n,)
        Days since the index day.
    """
    last = np.zeros(len(cohort))
    for table in (cohort.biomarkers, cohort.alsfrs):
        dated = table[table["days"].notna()]
        np.maximum.at(last, dated["row"].to_numpy(dtype=int), dated["days"].to_numpy())
    if "as_of_days" in cohort.patients.columns:
        stated = pd.to_numeric(cohort.patients["as_of_days"], errors="coerce").to_numpy(dtype=float)
        last = np.where(np.isnan(stated), last, stated)
    return last


def _known(name: str, value: Any, unit: str = "", days: "float | None" = 0.0) -> list[Value]:
    """A value that does not go out of date, if it is known."""
    return (
        []
        if value is None or value != value
        else [
            Value(name=name, words=_STATIC[name], value=value, unit=unit, days=days, changes=False)
        ]
    )


def _static(patient: Record, today: float) -> list[Value]:
    onset = patient["onset_days"]
    age = patient["age_at_onset"] + (today - onset) / DAYS_PER_YEAR
    drugs = [
        v for drug in DRUGS for v in _known(f"on_{drug}", _on(patient, drug, today), days=None)
    ]
    return [
        *_known("diagnosis", patient["diagnosis"]),
        *_known("sex", patient["sex"]),
        *_known("el_escorial", patient["el_escorial"]),
        *_known("age", age, "years", today),
        *_known("age_at_onset", patient["age_at_onset"], "years"),
        *_known("months_since_onset", (today - onset) / DAYS_PER_MONTH, "months", today),
        *drugs,
        *_months_on_riluzole(patient, today),
        *(v for name, column in LASTING.items() for v in _known(name, _yes_or_no(patient, column))),
    ]


def _months_on_riluzole(patient: Record, today: float) -> list[Value]:
    """Months since riluzole was started, where it is taken and its start is known."""
    start = patient["riluzole_start_days"]
    if _on(patient, "riluzole", today) != "yes" or start != start:
        return []
    return _known("months_on_riluzole", (today - start) / DAYS_PER_MONTH, "months")


def _yes_or_no(patient: Record, column: str) -> str | None:
    """A further column's word, None unless it is yes or no."""
    stated = patient.get(column)
    word = stated.strip().lower() if isinstance(stated, str) else None
    return word if word in ("yes", "no") else None


def _on(patient: Record, drug: str, today: float) -> "str | None":
    """Whether a drug is taken on a day: by its dates, else as stated."""
    start, stop = patient[f"{drug}_start_days"], patient[f"{drug}_stop_days"]
    if start == start:
        return "yes" if start <= today and not stop <= today else "no"
    stated = patient[drug]
    return stated if isinstance(stated, str) else None


def _number(cell: object) -> float:
    """A further column's cell as a number, NaN where it is none."""
    try:
        return float(str(cell))
    except ValueError:
        return np.nan


def _symptoms(patient: Record) -> list[Value]:
    values = []
    for name in SYMPTOMS:
        word = _yes_or_no(patient, name)
        if word is not None:
            days = _day(_number(patient.get(f"{name}_days")))
            values.append(
                Value(name=name, words=name.replace("_", " "), value=word, unit="", days=days)
            )
    return values


class Measured(NamedTuple):
    """A value of a patient as it counts here; `days` and `high` are NaN where unknown."""

    analyte: str
    value: float
    days: float
    high: float

    @property
    def dated(self) -> bool:
        """Whether its day is known."""
        return self.days == self.days


def _measured(cohort: Cohort) -> list[list[Measured]]:
    """Of each patient the values, undated ones first, then by day."""
    table = cohort.biomarkers
    rows = table["row"].to_numpy(dtype=int)
    names = table["analyte"].to_numpy(dtype=object)
    numbers = (table[name].to_numpy(dtype=float) for name in ("value", "days", "ref_high"))
    of_patient: list[list[Measured]] = [[] for _ in range(len(cohort))]
    for row, name, value, days, high in zip(rows, names, *numbers, strict=True):
        of_patient[row].append(
            Measured(analyte=str(name), value=float(value), days=float(days), high=float(high))
        )
    for values in of_patient:
        values.sort(key=lambda m: (m.dated, m.days if m.dated else 0.0, m.value))
    return of_patient


def _analytes(definitions: Definitions, ordered: list[Measured]) -> list[Value]:
    """The last value of each analyte, an undated one only where there is no other.

    And what follows from several.
    """
    last = {one.analyte: one for one in ordered}
    named = described(definitions)
    values = [
        Value(
            name=name,
            words=named[name][0],
            value=one.value,
            unit=named[name][1],
            days=_day(one.days),
        )
        for name, one in last.items()
    ]
    return [*values, *_vital_capacity(values), *_times_limit(last), *_weight_loss(ordered)]


def _vital_capacity(values: list[Value]) -> list[Value]:
    """Forced or slow, in percent of the expected: the later one, of one day the lower one."""
    capacities = [value for value in values if value.name in ("fvc_pct", "svc_pct")]
    if not capacities:
        return []
    dated = [value for value in capacities if value.days is not None] or capacities
    last = max(value.days or 0.0 for value in dated)
    lowest = min((v for v in dated if (v.days or 0.0) == last), key=lambda v: v.value)
    return [lowest._replace(name="vital_capacity_pct", words=lowest.words)]


@derived
def described(definitions: Definitions) -> dict[str, tuple[str, str]]:
    """Analyte -> its name and unit.

    Parameters
    ----------
    definitions : Definitions
        With the table `biomarkers`.

    Returns
    -------
    dict of (str, str)
        In the order of the table.
    """
    table = analytes(definitions)
    return dict(zip(table.index, zip(table["name"], table["unit"], strict=True), strict=True))


def _day(days: float) -> "float | None":
    return None if days != days else float(days)


_LIVER = {"alt_serum": "alt_times_limit", "ast_serum": "ast_times_limit"}
_LIMITED = {**_LIVER, "bilirubin_serum": "bilirubin_times_limit"}


# Enzymes of one test may be dated apart: the older one counts beside the newer one so long (P).
_ONE_LIVER_TEST = 31


def _times_limit(last: dict[str, Measured]) -> list[Value]:
    """Liver values as multiples of the laboratory's own upper limit, and the higher enzyme."""
    values = [
        Value(
            name=name,
            words=_DERIVED[name],
            value=last[analyte].value / last[analyte].high,
            unit="times",
            days=_day(last[analyte].days),
        )
        for analyte, name in _LIMITED.items()
        if analyte in last and last[analyte].high > 0
    ]
    enzymes = [value for value in values if value.name in _LIVER.values()]
    if not enzymes:
        return values
    newest = max(value.days if value.days is not None else -np.inf for value in enzymes)
    of_one_test = [
        value
        for value in enzymes
        if value.days is not None and newest - value.days <= _ONE_LIVER_TEST
    ]
    highest = max(of_one_test or enzymes, key=lambda value: value.value)
    return [*values, highest._replace(name="liver_times_limit")]


def _weight_loss(ordered: list[Measured]) -> list[Value]:
    """Loss in percent of the first dated weight, or as it was stated against the usual one."""
    weights = [one for one in ordered if one.analyte == "weight" and one.dated]
    stated = [one for one in ordered if one.analyte == "weight_change"]
    if len(weights) >= 2:
        loss, last = 100 * (1 - weights[-1].value / weights[0].value), weights[-1]
    elif stated:
        loss, last = -stated[-1].value, stated[-1]
    else:
        return []
    return [
        Value(
            name="weight_loss_pct",
            words=_DERIVED["weight_loss_pct"],
            value=loss,
            unit="%",
            days=_day(last.days),
        )
    ]


class Visits(NamedTuple):
    """The visits of a patient in the order of their days: items (k, 12), totals and days (k,)."""

    points: np.ndarray
    totals: np.ndarray
    days: np.ndarray


def _visits_of(cohort: Cohort) -> dict[int, Visits]:
    """Row -> the visits by the revised scale."""
    revised = of_scale(cohort.alsfrs, "alsfrs_r").sort_values(["row", "days"], kind="stable")
    rows = revised["row"].to_numpy(dtype=int)
    points = revised[ITEMS["alsfrs_r"]].to_numpy(dtype=float)
    totals, days = (revised[name].to_numpy(dtype=float) for name in ("total", "days"))
    seen, starts, counts = np.unique(rows, return_index=True, return_counts=True)
    return {
        int(row): Visits(points=points[a : a + n], totals=totals[a : a + n], days=days[a : a + n])
        for row, a, n in zip(seen, starts, counts, strict=True)
    }


def _visits(visits: Visits) -> list[Value]:
    """Items of the last visit that has them, and the decline over 12 weeks."""
    points, totals, days = visits
    known, values = np.isfinite(points), []
    for j, item in enumerate(ITEMS["alsfrs_r"]):
        if known[:, j].any():
            at = np.flatnonzero(known[:, j])[-1]
            values.append(
                Value(
                    name=item,
                    words=_ITEM_WORDS[item],
                    value=float(points[at, j]),
                    unit="points",
                    days=float(days[at]),
                )
            )
    whole = np.flatnonzero(known.all(axis=1))
    if len(whole):
        lowest = float(points[whole[-1]].min())
        values.append(
            Value(
                name="lowest_item",
                words=_DERIVED["lowest_item"],
                value=lowest,
                unit="points",
                days=float(days[whole[-1]]),
            )
        )
    return [*values, *_decline(days[np.isfinite(totals)], totals[np.isfinite(totals)])]


def _decline(day: np.ndarray, total: np.ndarray) -> list[Value]:
    if len(total) < 2:
        return []
    gap = day[-1] - day
    near = np.flatnonzero(np.abs(gap - TWELVE_WEEKS) <= TWO_WEEKS)
    if not len(near):
        return []
    before = near[np.argmin(np.abs(gap[near] - TWELVE_WEEKS))]
    words = _DERIVED["decline_12_weeks"]
    return [
        Value(
            name="decline_12_weeks",
            words=words,
            value=float(total[before] - total[-1]),
            unit="points",
            days=float(day[-1]),
        )
    ]


def _genetics(cohort: Cohort) -> list[list[Value]]:
    cause, carriers = genetic_cause(cohort), causal_carriers(cohort)
    tested = core_tested(cohort)
    consents = (cohort.patients["consent_genetic_return"] == "yes").to_numpy()
    points = _strongest(cohort)
    c9orf72 = RepeatStates(cohort.definitions, "C9orf72", cohort.repeats, cohort.patients).state
    stated = {INDETERMINATE: "indeterminate", EXPANDED: "yes"}
    findings = []
    for i in range(len(cohort)):
        values = _known("genetic_cause", cause[i], days=None)
        for name, holds in (("genetically_tested", tested[i]), ("genetic_consent", consents[i])):
            values += _known(name, "yes" if holds else "no", days=None)
        for gene in ("SOD1", "FUS"):
            known = carriers[gene][i]
            hit = known == 1 or points.get((i, gene), 0) >= _LIKELY_PATHOGENIC
            values += _known(
                f"pathogenic_{gene.lower()}",
                "yes" if hit else "no" if known == 0 else None,
                days=None,
            )
        state = stated.get(int(c9orf72[i]), "no") if c9orf72[i] else None
        findings.append([*values, *_known("c9orf72_expanded", state, days=None)])
    return findings


def _strongest(cohort: Cohort) -> dict[tuple[int, str], float]:
    """(patient, gene) -> the highest points of evidence among the variants carried, for SOD1 and
    FUS.

    One copy of a recessive variant makes a carrier, whatever its points.
    """
    alleles, site = cohort.genotypes.alleles, cohort.genotypes.alleles["site"].to_numpy()
    points, role = (cohort.variants[name].to_numpy()[site] for name in ("points", "role"))
    carrier = (role == "causal_recessive") & (telling_alleles(cohort) != "found")
    weights = np.where(carrier, -np.inf, points)
    strongest: dict[tuple[int, str], float] = {}
    for row, gene, weight in zip(alleles["row"], cohort.genotypes.genes(), weights, strict=True):
        key = (int(row), gene_names(cohort.definitions)[gene])
        strongest[key] = (
            max(strongest.get(key, -np.inf), weight) if key[1] in ("SOD1", "FUS") else -np.inf
        )
    return strongest
