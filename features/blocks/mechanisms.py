"""The mechanism profile: which evidence of a patient points to which disease mechanism.

A summary, no validated score.

Genetic evidence: variants with two or more points of evidence, known causal ones, and an expanded
C9orf72, in genes of the mechanism (`definitions/genes.tsv`). Biomarker evidence: analytes of the
mechanism (`definitions/biomarkers.tsv`) whose last value lies beyond its limit in the direction
that is worse in ALS. The limit is the laboratory's own where the measurement has one, else
`definitions/reference_limits.tsv`, by sex and age. What was not measured is said to be so, never to
be normal.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from features.blocks.clinical import DAYS_PER_YEAR
from features.blocks.dictionary import Feature
from features.blocks.genetics import DAMAGING_FROM, mechanisms
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions, analytes, derived, gene_names
from features.cohort import AnyCohort
from features.genotypes.repeats import STATES, RepeatStates
from features.tables.convert import as_frame, records_of

ASSAYED, NOT_ASSAYED = "nothing found", "not assayed"
BEYOND, WITHIN, NO_LIMIT, NOT_MEASURED = (
    "beyond the limit",
    "within the limit",
    "no limit known",
    "not measured",
)


class Mechanism(NamedTuple):
    """A row of `definitions/mechanisms.tsv`."""

    mechanism: str
    name: str
    meaning: str
    source: str


class Limit(NamedTuple):
    """The limits of an analyte for a patient in its canonical unit (NaN none), and where they come
    from.
    """

    below: float
    above: float
    source: str


@derived
def panel_mechanisms(definitions: Definitions) -> tuple[Mechanism, ...]:
    """Mechanisms of the panel, in the order in which they are shown."""
    return tuple(
        Mechanism(**{name: row[name] for name in Mechanism._fields})
        for row in definitions.rows("mechanisms")
    )


@derived
def mechanism_analytes(definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """Mechanism -> its analytes."""
    owner = analytes(definitions)["mechanism"]
    return {
        m.mechanism: tuple(owner.index[owner == m.mechanism]) for m in panel_mechanisms(definitions)
    }


@derived
def _limit_rows(definitions: Definitions) -> dict[str, tuple[dict[str, str], ...]]:
    rows = definitions.rows("reference_limits")
    return {
        row["analyte"]: tuple(r for r in rows if r["analyte"] == row["analyte"]) for row in rows
    }


def reference_limit(
    definitions: Definitions, analyte: str, sex: "str | None" = None, age: float = np.nan
) -> Limit:
    """The published limit of an analyte for a sex and an age in years; NaN limits where none fits.

    Parameters
    ----------
    definitions : Definitions
        Whose `reference_limits.tsv` counts.
    analyte : str
        Id.
    sex : str or None
        `female` or `male`; None finds the limits that hold for both only.
    age : float
        Years; NaN finds the limits without an age only.

    Returns
    -------
    Limit
        In the canonical unit.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> limit = reference_limit(tables, "nfl_plasma", None, 64.0)
    >>> limit.below, limit.above, limit.source
    (nan, 20.0, 'upper 95th centile of controls; Simren 2022 PMC9297091 (V)')
    >>> (reference_limit(tables, "creatinine_serum").source,
    ...  reference_limit(tables, "creatinine_serum", "male").below)
    ('', 0.82)
    """
    for row in _limit_rows(definitions).get(analyte, ()):
        low, high = (
            float(row[name] or default)
            for name, default in (("age_from", -np.inf), ("age_to", np.inf))
        )
        aged = not (row["age_from"] or row["age_to"]) or low <= age < high
        if aged and row["sex"] in ("", sex):
            below, above = (float(row[name] or np.nan) for name in ("below", "above"))
            return Limit(below, above, f"{row['meaning']}; {row['source']}")
    return Limit(np.nan, np.nan, "")


def last_values(cohort: AnyCohort) -> pd.DataFrame:
    """The last dated value of each patient and analyte: `row`, `analyte`, `value`, `days`, `state`,
    `bound`, `limit` in words.

    Parameters
    ----------
    cohort : Cohort
        n patients, cut where it has to be.

    Returns
    -------
    DataFrame
        One row a patient and analyte, values in the canonical unit, `assay` and `censored` of the
        last
        value.
    """
    table = as_frame(cohort.biomarkers)
    table = table[table["days"].notna()]
    last = table.sort_values(["days", "value"], kind="stable").drop_duplicates(
        ["row", "analyte"], keep="last"
    )
    age = age_at(cohort)
    sexes = cohort.patients["sex"].to_numpy(dtype=object)
    found = [
        _judged(cohort.definitions, measured, sexes[row], age[row])
        for measured, row in zip(_measurements(last), last["row"].to_numpy(dtype=int), strict=True)
    ]
    kept = last[["row", "value", "days", "assay", "censored"]].assign(
        analyte=last["analyte"].astype(object)
    )
    judged = pd.DataFrame(found, columns=["state", "bound", "limit"], index=kept.index)
    return pd.concat([kept, judged], axis=1).reset_index(drop=True)


def age_at(cohort: AnyCohort) -> np.ndarray:
    """Age in years at the index day.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    array (n,)
        Years, NaN unknown.
    """
    patients = cohort.patients
    return patients["age_at_onset"].to_numpy() - patients["onset_days"].to_numpy() / DAYS_PER_YEAR


class _Measurement(NamedTuple):
    """A value and the range that its laboratory states, in the canonical unit."""

    analyte: str
    value: float
    ref_low: float
    ref_high: float


def _measurements(table: pd.DataFrame) -> list[_Measurement]:
    cells = table[list(_Measurement._fields)].astype({"analyte": str})
    return [_Measurement(**row) for row in records_of(cells)]


def _judged(
    definitions: Definitions, measured: _Measurement, sex: "str | None", age: float
) -> tuple[str, float, str]:
    """Where a value lies, its limit (NaN none), and that in words.

    Only the direction that is worse in ALS counts.
    """
    worse = analytes(definitions)["worse"][measured.analyte]
    own = Limit(measured.ref_low, measured.ref_high, "the laboratory's own range")
    limit = (
        own
        if np.isfinite(own.below if worse == "low" else own.above)
        else reference_limit(definitions, measured.analyte, sex, age)
    )
    bound = limit.below if worse == "low" else limit.above if worse == "high" else np.nan
    if not np.isfinite(bound):
        return NO_LIMIT, np.nan, ""
    beyond = measured.value <= bound if worse == "low" else measured.value > bound
    words = f"{'lower' if worse == 'low' else 'upper'} limit {bound:g}, {limit.source}"
    return (BEYOND if beyond else WITHIN), float(bound), words


def mechanism_profiles(cohort: AnyCohort) -> list[list[dict[str, Any]]]:
    """For each patient one entry a mechanism: `mechanism`, `name`, `genetic` and `biomarkers`
    evidence, each a list.

    A genetic entry is `{gene, finding}`, a biomarker entry `{analyte, name, state, value, unit,
    days, limit}`.

    Parameters
    ----------
    cohort : Cohort
        n patients.

    Returns
    -------
    list of n lists of dict
        Values in the canonical unit, days since the index day.
    """
    genetic = _genetic_evidence(cohort)
    measured = [records_of(own) for own in _by_patient(last_values(cohort), len(cohort))]
    return [
        _profile(cohort.definitions, genetic[i], {m["analyte"]: m for m in measured[i]})
        for i in range(len(cohort))
    ]


def _by_patient(table: pd.DataFrame, n: int) -> list[pd.DataFrame]:
    groups = dict(list(table.groupby("row")))
    return [groups.get(i, table.iloc[:0]) for i in range(n)]


def _profile(
    definitions: Definitions, genetic: dict[str, str], measured: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    return [
        {
            "mechanism": m.mechanism,
            "name": m.name,
            "meaning": m.meaning,
            "genetic": [
                {"gene": g, "finding": genetic[g]} for g in _genes_of(definitions, m.mechanism)
            ],
            "biomarkers": [
                _measured(definitions, a, measured.get(a))
                for a in mechanism_analytes(definitions)[m.mechanism]
            ],
        }
        for m in panel_mechanisms(definitions)
    ]


def _genes_of(definitions: Definitions, mechanism: str) -> tuple[str, ...]:
    return mechanisms(definitions).get(mechanism, ())


@derived
def _described(definitions: Definitions) -> dict[str, tuple[str, str]]:
    rows = records_of(analytes(definitions).reset_index())
    return {
        row["analyte"]: (f"{row['name']}, {row['matrix'].replace('_', ' ')}", row["unit"])
        for row in rows
    }


def _measured(
    definitions: Definitions, analyte: str, found: "dict[str, Any] | None"
) -> dict[str, Any]:
    name, unit = _described(definitions)[analyte]
    about = {"analyte": analyte, "name": name, "unit": unit}
    if found is None:
        return about | {"state": NOT_MEASURED, "value": None, "days": None, "limit": ""}
    return about | {
        "state": found["state"],
        "value": found["value"],
        "days": found["days"],
        "limit": found["limit"],
    }


def _genetic_evidence(cohort: AnyCohort) -> list[dict[str, str]]:
    """For each patient: gene -> the variants that count, or that nothing was found, or that it was
    not assayed.
    """
    alleles = cohort.genotypes.alleles
    row, site = alleles["row"].to_numpy(), alleles["site"].to_numpy()
    role, points = (cohort.variants[name].to_numpy() for name in ("role", "points"))
    frequency = cohort.variants["frequency"].to_numpy()
    causal = np.char.startswith(role.astype(str), "causal")
    counts = causal | (
        (points >= DAMAGING_FROM) & (frequency < 0.001) & ~np.isin(role, ["risk", "modifier"])
    )
    found: list[dict[str, str]] = [
        {
            g: ASSAYED if s >= 0.9 else NOT_ASSAYED
            for g, s in zip(gene_names(cohort.definitions), state, strict=True)
        }
        for state in np.nan_to_num(cohort.genotypes.assayed, nan=0.0)
    ]
    genes = cohort.genotypes.genes()
    for i in np.flatnonzero(counts[site]) if len(site) else ():
        words = _words(
            *(cohort.variants[name].to_numpy()[site[i]] for name in ("variant", "assessment"))
        )
        gene, own = gene_names(cohort.definitions)[genes[i]], found[row[i]]
        own[gene] = words if own[gene] in (ASSAYED, NOT_ASSAYED) else f"{own[gene]}; {words}"
    _add_repeats(cohort, found)
    return found


def _words(variant: Any, assessment: Any) -> str:
    return (
        f"{variant.gene} {variant.hgvs_p or variant.hgvs_c or variant.key}:"
        f" {assessment.classification}"
    )


def _add_repeats(cohort: AnyCohort, found: list[dict[str, str]]) -> None:
    state = RepeatStates(cohort.definitions, "C9orf72", cohort.repeats, cohort.patients).state
    for own, s in zip(found, state, strict=True):
        if s:
            own["C9orf72"] = ASSAYED if STATES[s] == "normal" else f"repeat {STATES[s]}"


def mechanism_dictionary(definitions: Definitions) -> list[Feature]:
    """Describe the columns of `mechanism_features`."""
    block, source = "mechanisms", "definitions/reference_limits.tsv and definitions/biomarkers.tsv"
    return [
        Feature(
            name=f"evidence_{m.mechanism}",
            block=block,
            unit="share",
            meaning=f"share of the measured markers of {m.name} beyond their limit",
            source=source,
        )
        for m in panel_mechanisms(definitions)
        if mechanism_analytes(definitions)[m.mechanism]
    ]


def mechanism_features(cohort: AnyCohort) -> dict[str, np.ndarray]:
    """Share of each mechanism's measured analytes that lie beyond their limit; NaN where none with
    a limit was measured.

    Parameters
    ----------
    cohort : Cohort
        Already cut at the landmark.

    Returns
    -------
    dict of arrays (n,)
        `evidence_<mechanism>` -> 0 to 1.
    """
    last = last_values(cohort)
    judged = last[last["state"].isin([BEYOND, WITHIN])]
    owner = judged["analyte"].map(analytes(cohort.definitions)["mechanism"]).to_numpy(dtype=object)
    row, beyond = (
        judged["row"].to_numpy(dtype=int),
        (judged["state"] == BEYOND).to_numpy(dtype=float),
    )
    features = {}
    for feature in mechanism_dictionary(cohort.definitions):
        own = owner == feature.name.removeprefix("evidence_")
        hits, n = (
            np.bincount(row[own], beyond[own], len(cohort)),
            np.bincount(row[own], minlength=len(cohort)),
        )
        features[feature.name] = np.divide(hits, n, out=np.full(len(cohort), np.nan), where=n > 0)
    return features


def _dictionary(spec: FeatureSpec, definitions: Definitions) -> Iterable[Feature]:
    return mechanism_dictionary(definitions)


def _compute(
    cohort: AnyCohort, spec: FeatureSpec, values: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    return mechanism_features(cohort)


BLOCK = Block(name="mechanisms", dictionary=_dictionary, compute=_compute)
