"""What the report says of each patient, as plain JSON: scores, variants, biomarkers, course,
mechanisms, protocol, next steps.

Individual genetic results, and the familial score that rests on them, are given only where
`consent_genetic_return` is yes. Unaffected relatives have no page.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from als_ml.pages.protocol import Decision, Rule, decide
from als_ml.pages.protocol_inputs import Inputs, Value, cohort_inputs
from als_ml.prediction.next_measurement import next_measurements
from als_ml.prediction.predictor import Predictor
from als_ml.variant_table.carriers import shown_class
from features.alsfrs.slopes import decline
from features.alsfrs.stages import kings_stage, mitos_stage
from features.alsfrs.visits import ITEMS, of_scale
from features.blocks.mechanisms import last_values, mechanism_profiles
from features.catalogue import Definitions, analytes
from features.cohort import Cohort
from features.genotypes.genotype import zygosity
from features.tables.convert import records_of
from features.variants.evidence import Assessment
from features.variants.variant import Variant

Page = dict[str, Any]
Progress = Callable[[str, int, int], None]
NO_CONSENT = "not shown: no consent to the return of genetic results"
# A rule is told to the page unless it is decided and does not apply.
_BENIGN = -7  # points, as for class B: a common allele of a risk gene is no finding
_TOLD = ("applies", "out of date", "cannot be decided")


def patient_pages(
    cohort: Cohort,
    pairs: list[tuple[Predictor, Cohort]],
    rules: tuple[Rule, ...],
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
    cohort = _with_pages(cohort)
    consents = (cohort.patients["consent_genetic_return"] == "yes").to_numpy()
    pages = [
        _patient(row, bool(consent))
        for row, consent in zip(records_of(cohort.patients), consents, strict=True)
    ]
    for number, (predictor, own) in enumerate(pairs):
        progress("scoring", number, len(pairs))
        for page, score in zip(pages, _scores(_with_pages(own), predictor), strict=True):
            page["scores"].append(_shown_score(score, page["consent"]))
    progress("describing patients", 0, 0)
    inputs, profiles = cohort_inputs(cohort), mechanism_profiles(cohort)
    columns = (_variants(cohort), _biomarkers(cohort), _courses(cohort), profiles, inputs)
    for page, variants, markers, course, profile, facts in zip(pages, *columns, strict=True):
        page |= {
            "variants": variants if page["consent"] else None,
            "biomarkers": markers,
            **course,
            "today": facts.today,
        }
        page["mechanisms"] = [_mechanism(m, page["consent"]) for m in profile]
        page["protocol"] = _protocol(rules, facts, page["consent"])
        page["cause"] = facts.known["genetic_cause"].value if page["consent"] else NO_CONSENT
    return pages


def _with_pages(cohort: Cohort) -> Cohort:
    """Those who have a page: not unaffected relatives."""
    kept = np.flatnonzero((cohort.patients["diagnosis"] != "unaffected_relative").to_numpy())
    return cohort.take(kept) if len(kept) < len(cohort) else cohort


def _patient(row: dict[str, Any], consent: bool) -> Page:
    names = (
        "sample_id",
        "site",
        "diagnosis",
        "sex",
        "ancestry",
        "onset_site",
        "el_escorial",
        "family_history",
    )
    numbers = ("age_at_onset", "onset_days", "diagnostic_delay_months")
    page = {name: row[name] if isinstance(row[name], str) else None for name in names}
    return (
        page | {name: _number(row[name]) for name in numbers} | {"consent": consent, "scores": []}
    )


def _number(value: Any) -> "float | None":
    return None if value is None or value != value else float(f"{value:.5g}")


def _scores(cohort: Cohort, predictor: Predictor) -> list[dict[str, Any]]:
    """Prediction rows with their drivers, and what to measure next."""
    trained = predictor.as_trained(cohort)
    X = predictor.cohort_matrix(trained)
    rows = predictor.predict_cohort(trained, matrix=X)
    further = next_measurements(predictor, X)
    genetic = {f.name for f in predictor.described if f.block == "genetics"}
    return [
        {**row, "next": own, "genetic": genetic} for row, own in zip(rows, further, strict=True)
    ]


def _shown_score(row: dict[str, Any], consent: bool) -> dict[str, Any]:
    """A score as the page shows it; without consent nothing that tells the genotype."""
    genetic = row["genetic"]
    shown = {"task": row["task"], "model": f"{row['model_name']} version {row['model_version']}"}
    if row["task"] == "familial" and not consent:
        return shown | {"error": NO_CONSENT}
    if row["error"]:
        return shown | {"error": f"{row['error']['field']} {row['error']['reason']}"}
    drivers = [d for d in row["drivers"] if consent or d["feature"] not in genetic]
    return shown | {
        "error": None,
        "probability": row["probability"],
        "class": row["predicted_class"],
        "set": row["prediction_set"],
        "abstained": row["abstained"],
        "outside": row["out_of_distribution"],
        "drivers": [[d["text"], _number(d["contribution"])] for d in drivers],
        "hidden": len(row["drivers"]) - len(drivers),
        "missing": len(row["missing_inputs"]),
        "next": [
            [n["meaning"], n["changes"]]
            for n in row["next"]
            if consent or n["feature"] not in genetic
        ],
    }


def _variants(cohort: Cohort) -> list[list[list[str]]]:
    """Gene, name, class, zygosity and criteria of each patient's variants.

    Benign ones are counted by the page.
    """
    alleles, sites = cohort.genotypes.alleles, cohort.variants
    names = zygosity(alleles["copies"].to_numpy(), alleles["ploidy"].to_numpy())
    told = [
        _told(cohort.definitions, *pair)
        for pair in zip(sites["variant"], sites["assessment"], strict=True)
    ]
    found: list[list[list[str]]] = [[] for _ in range(len(cohort))]
    for row, site, zygous in zip(alleles["row"], alleles["site"], names, strict=True):
        gene, name, label, text = told[site]
        found[row].append([gene, name, label, str(zygous), text])
    order = {name: i for i, name in enumerate(("P", "LP", "VUS", "risk", "LB", "B"))}
    return [sorted(own, key=lambda one: (order.get(one[2], 9), one[0])) for own in found]


def _told(
    definitions: Definitions, variant: Variant, assessment: Assessment
) -> tuple[str, str, str, str]:
    label = "B" if assessment.points <= _BENIGN else shown_class(definitions, variant, assessment)
    return variant.gene, variant.hgvs_p or variant.hgvs_c or variant.key, label, assessment.text


def _biomarkers(cohort: Cohort) -> list[list[dict[str, Any]]]:
    """Every analyte's dated values with the limit of the last one."""
    judged = {(last["row"], last["analyte"]): last for last in records_of(last_values(cohort))}
    table, described = cohort.biomarkers, analytes(cohort.definitions)
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(cohort))]
    dated = table[table["days"].notna()].sort_values(["row", "analyte", "days"], kind="stable")
    for _, own in dated.groupby(["row", "analyte"], observed=True, sort=False):
        row, analyte = int(own["row"].iloc[0]), str(own["analyte"].iloc[0])
        last, about = judged[row, analyte], described.loc[analyte]
        fluid = "" if about["matrix"] == "none" else f", {about['matrix'].replace('_', ' ')}"
        found[row].append(
            {
                "name": f"{about['name']}{fluid}",
                "unit": "" if about["unit"] == "1" else about["unit"],
                "log": about["scale"] == "log",
                "values": [
                    [int(d), _number(v)] for d, v in zip(own["days"], own["value"], strict=True)
                ],
                "low": _number(own["ref_low"].iloc[-1]),
                "high": _number(own["ref_high"].iloc[-1]),
                "bound": _number(last["bound"]),
                "state": last["state"],
                "limit": last["limit"],
            }
        )
    return found


def _courses(cohort: Cohort) -> list[dict[str, Any]]:
    """ALSFRS-R totals by day, the rate of decline over all visits, and the stages at the last
    one.
    """
    visits = of_scale(cohort.alsfrs, "alsfrs_r")
    known = visits[visits["total"].notna()]
    slope, _, _ = decline(
        known["row"].to_numpy(), known["days"].to_numpy(), known["total"].to_numpy(), len(cohort)
    )
    stages = _stages(visits)
    found: list[dict[str, Any]] = [
        {"alsfrs": [], "slope": _number(s), "stages": None} for s in slope
    ]
    for row, day, total in zip(known["row"], known["days"], known["total"], strict=True):
        found[row]["alsfrs"].append([int(day), int(total)])
    for row, pair in stages.items():
        found[row]["stages"] = pair
    return found


def _stages(visits: pd.DataFrame) -> dict[int, list["float | None"]]:
    last = visits.drop_duplicates("row", keep="last")
    items = {name: last[name].to_numpy() for name in ITEMS["alsfrs_r"]}
    kings, mitos = kings_stage(items, (last["q5_form"] == "b").to_numpy()), mitos_stage(items)
    return {
        int(row): [_number(k), _number(m)]
        for row, k, m in zip(last["row"], kings, mitos, strict=True)
    }


def _mechanism(profile: dict[str, Any], consent: bool) -> dict[str, Any]:
    """A mechanism with its evidence; what says nothing is only counted."""
    genes = profile["genetic"] if consent else []
    silent = [g for g in genes if g["finding"] in ("nothing found", "not assayed")]
    markers = profile["biomarkers"]
    measured = [m for m in markers if m["state"] != "not measured"]
    return {
        "name": profile["name"],
        "genetic": [[g["gene"], g["finding"]] for g in genes if g not in silent],
        "clear": [g["gene"] for g in silent if g["finding"] == "nothing found"],
        "unknown": (
            [g["gene"] for g in silent if g["finding"] == "not assayed"] if consent else None
        ),
        "biomarkers": [
            [m["name"], m["state"], _number(m["value"]), m["unit"], m["limit"]] for m in measured
        ],
        "unmeasured": [m["name"] for m in markers if m["state"] == "not measured"],
    }


def _protocol(rules: tuple[Rule, ...], inputs: Inputs, consent: bool) -> list[list[Any]]:
    """Rule, status, the values that met it, what is missing or old.

    Genetic rules only with consent.
    """
    shown = [rule for rule in rules if consent or not rule.genetic]
    decided = [decide(rule, inputs) for rule in shown]
    return [_decision(decision, consent) for decision in decided if decision.status in _TOLD]


def _decision(decision: Decision, consent: bool) -> list[Any]:
    met = [_value(v) for v in decision.met if consent or v.name != "genetic_cause"]
    return [
        decision.rule.id,
        decision.status,
        met,
        decision.missing,
        [_value(v) for v in decision.stale],
    ]


def _value(value: Value) -> str:
    amount = (
        f"{value.value:.4g}"
        if isinstance(value.value, float | int)
        else str(value.value).replace("_", " ")
    )
    day = (
        ""
        if not value.changes
        else " (undated)"
        if value.days is None
        else f" (day {value.days:.0f})"
    )
    return f"{value.words}: {amount} {value.unit}".rstrip() + day
