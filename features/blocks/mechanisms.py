"""The mechanism profile: which evidence of a patient points to which disease mechanism.

A summary, no validated score.

Genetic evidence: variants with two or more points of evidence, known causal ones, modifiers carried
twice and an expanded C9orf72, in genes of the mechanism (`definitions/genes.tsv`; those that
`definitions/mechanisms.tsv` adds are shown and not a feature). Biomarker evidence: analytes of the
mechanism (`definitions/biomarkers.tsv`) whose last value lies beyond its limit in the direction
that is worse in ALS. The limit is the laboratory's own where the measurement has one, else a
*reference* limit of `definitions/reference_limits.tsv`, by sex, age and assay: a diagnostic or
prognostic cut-off is neither a limit of normal nor evidence of a mechanism. What was not measured
is said to be so, never to be normal.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.blocks.clinical import DAYS_PER_YEAR
from features.blocks.dictionary import Feature
from features.blocks.genetics import DAMAGING_FROM, looked_at, mechanisms
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions, analytes, derived, gene_names
from features.cohort import AnyCohort
from features.genotypes.coverage import ASSAYED_FROM
from features.genotypes.repeats import NORMAL, NOT_TESTED, STATES, RepeatStates
from features.tables.coded import as_frame, records_of
from features.variants.evidence import Assessment
from features.variants.variant import Variant

ASSAYED, NOT_ASSAYED = "nothing found", "not assayed"
BEYOND, WITHIN, NO_LIMIT = "beyond the limit", "within the limit", "no limit known"
REFERENCE = "reference"


class Mechanism(NamedTuple):
    """A row of `definitions/mechanisms.tsv`; `genes` adds to those that `genes.tsv` names."""

    mechanism: str
    name: str
    meaning: str
    source: str
    genes: str = ""


class Limit(NamedTuple):
    """The limits of an analyte for a patient in its canonical unit (NaN none), and where they come
    from.
    """

    below: float
    above: float
    source: str


@derived
def panel_mechanisms(definitions: Definitions) -> tuple[Mechanism, ...]:
    """Mechanisms of the panel, in the order in which they are shown.

    Parameters
    ----------
    definitions : Definitions
        With the table `mechanisms`.

    Returns
    -------
    tuple of Mechanism
        In the order of the table.
    """
    return tuple(
        Mechanism(**{name: row[name] for name in Mechanism._fields if name in row})
        for row in definitions.rows("mechanisms")
    )


@derived
def mechanism_analytes(definitions: Definitions) -> dict[str, tuple[str, ...]]:
    """Mechanism -> its analytes.

    Parameters
    ----------
    definitions : Definitions
        Whose column `mechanism` of biomarkers.tsv is read.

    Returns
    -------
    dict of tuples
        Of every mechanism of the panel; empty where none is measured.
    """
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


def limits_of(
    definitions: Definitions,
    analyte: str,
    sex: str | None = None,
    age: float = np.nan,
    assay: str = "unknown",
) -> list[dict[str, str]]:
    """Rows of `definitions/reference_limits.tsv` that hold for a sex, an age in years and an assay.

    A limit of one assay holds for an unknown assay too, for no other. A model's own table of
    earlier releases knows neither assays nor kinds.

    Parameters
    ----------
    definitions : Definitions
        With the table `reference_limits`.
    analyte : str
        Its id.
    sex : str, optional
        `male` or `female`; where unknown, only limits of both hold.
    age : float
        Years; NaN where unknown.
    assay : str
        `unknown` where none is stated.

    Returns
    -------
    list of dict
        Cells as they stand in the table.
    """
    return [
        row
        for row in _limit_rows(definitions).get(analyte, ())
        if _in_years(row, age)
        and row["sex"] in ("", sex)
        and (row.get("assay", "") in ("", assay) or assay == "unknown")
    ]


def _in_years(row: dict[str, str], age: float) -> bool:
    if not (row["age_from"] or row["age_to"]):
        return True
    return float(row["age_from"] or -np.inf) <= age < float(row["age_to"] or np.inf)


def reference_limit(
    definitions: Definitions,
    analyte: str,
    sex: str | None = None,
    age: float = np.nan,
    assay: str = "unknown",
) -> Limit:
    """The published limit of normal of an analyte; NaN limits where none fits.

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
    assay : str
        What measured it; a limit of another assay does not fit.

    Returns
    -------
    Limit
        In the canonical unit.

    Examples
    --------
    >>> from features.catalogue import shipped
    >>> tables = shipped()
    >>> limit = reference_limit(tables, "nfl_plasma", None, 64.0, "simoa")
    >>> limit.below, limit.above, limit.source
    (nan, 20.0, '95th centile of controls of this age, Simoa; Simren 2022 PMC9297091 (V)')
    >>> reference_limit(tables, "nfl_plasma", None, 64.0, "ella").source
    ''
    >>> reference_limit(tables, "creatinine_serum", "male").source  # only a prognostic cut-off
    ''
    """
    for row in limits_of(definitions, analyte, sex, age, assay):
        if row.get("kind", REFERENCE) == REFERENCE:
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
    verdicts = [
        _judged(cohort.definitions, measured, sexes[row], age[row])
        for measured, row in zip(_measurements(last), last["row"].to_numpy(dtype=int), strict=True)
    ]
    kept = last[["row", "value", "days", "assay", "censored"]].assign(
        analyte=last["analyte"].astype(object)
    )
    judged = pd.DataFrame(verdicts, columns=["state", "bound", "limit"], index=kept.index)
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
    assay: str
    value: float
    ref_low: float
    ref_high: float


def _measurements(table: pd.DataFrame) -> list[_Measurement]:
    cells = table[list(_Measurement._fields)].astype({"analyte": str, "assay": str})
    return [_Measurement(**row) for row in records_of(cells)]


def _judged(
    definitions: Definitions, measured: _Measurement, sex: "str | None", age: float
) -> tuple[str, float, str]:
    """Where a value lies, its limit (NaN none), and that in words.

    Only the direction that is worse in ALS counts.
    """
    worse = analytes(definitions)["worse"][measured.analyte]
    stated = Limit(measured.ref_low, measured.ref_high, "the laboratory's own range")
    limit = (
        stated
        if np.isfinite(stated.below if worse == "low" else stated.above)
        else reference_limit(definitions, measured.analyte, sex, age, measured.assay)
    )
    bound = limit.below if worse == "low" else limit.above if worse == "high" else np.nan
    if not np.isfinite(bound):
        return NO_LIMIT, np.nan, ""
    beyond = measured.value <= bound if worse == "low" else measured.value > bound
    words = f"{'lower' if worse == 'low' else 'upper'} limit {bound:g}, {limit.source}"
    return (BEYOND if beyond else WITHIN), float(bound), words


def mechanism_genes(definitions: Definitions, mechanism: Mechanism) -> tuple[str, ...]:
    """Genes that are shown with a mechanism, in panel order.

    Parameters
    ----------
    definitions : Definitions
        Whose panel gives the order.
    mechanism : Mechanism
        It may name genes of its own.

    Returns
    -------
    tuple of str
        Scored genes of the mechanism, and those that it names.
    """
    named = {*mechanisms(definitions).get(mechanism.mechanism, ()), *mechanism.genes.split(";")}
    return tuple(gene for gene in gene_names(definitions) if gene in named)


def genetic_evidence(cohort: AnyCohort) -> list[dict[str, str]]:
    """For each patient: gene -> the variants that count, or that nothing was found, or that it was
    not assayed.

    Parameters
    ----------
    cohort : Cohort or ServedCohort
        With classified variants, what was assayed, and repeats.

    Returns
    -------
    list of dict
        One a patient, with every gene of the panel.
    """
    alleles = cohort.genotypes.alleles
    row, site = alleles["row"].to_numpy(), alleles["site"].to_numpy()
    counts = _counting(cohort)[site]
    modifying = (cohort.variants["role"].to_numpy() == "modifier")[site]
    counts |= modifying & (alleles["copies"].to_numpy() >= 2)
    evidence: list[dict[str, str]] = [
        {
            g: ASSAYED if s >= ASSAYED_FROM else NOT_ASSAYED
            for g, s in zip(gene_names(cohort.definitions), state, strict=True)
        }
        for state in looked_at(cohort)
    ]
    genes = cohort.genotypes.genes()
    described = list(zip(cohort.variants["variant"], cohort.variants["assessment"], strict=True))
    for i in np.flatnonzero(counts):
        words = _words(*described[site[i]])
        gene, findings = gene_names(cohort.definitions)[genes[i]], evidence[row[i]]
        findings[gene] = (
            words if findings[gene] in (ASSAYED, NOT_ASSAYED) else f"{findings[gene]}; {words}"
        )
    _add_repeats(cohort, evidence)
    return evidence


def _counting(cohort: AnyCohort) -> np.ndarray:
    """Which sites count where they are carried: causal rows, and rare ones with evidence."""
    role, points = (cohort.variants[name].to_numpy() for name in ("role", "points"))
    frequency = cohort.variants["frequency"].to_numpy()
    causal = np.char.startswith(role.astype(str), "causal")
    rare = (points >= DAMAGING_FROM) & (frequency < 0.001) & ~np.isin(role, ["risk", "modifier"])
    return np.asarray(causal | rare, dtype=bool)


def _words(variant: Variant, assessment: Assessment) -> str:
    """A variant as evidence; a modifier is counted when it is carried twice."""
    name = variant.hgvs_p or variant.hgvs_c or variant.legacy_name or variant.key
    label = "modifier, 2 copies" if variant.role == "modifier" else assessment.classification
    return f"{variant.gene} {name}: {label}"


def _add_repeats(cohort: AnyCohort, evidence: list[dict[str, str]]) -> None:
    for row in cohort.definitions.rows("repeats"):
        states = RepeatStates(cohort.definitions, row["locus"], cohort.repeats, cohort.patients)
        for findings, state in zip(evidence, states.state, strict=True):
            if state not in (NOT_TESTED, NORMAL):
                findings[row["gene"]] = f"repeat {STATES[state]}"


def mechanism_dictionary(definitions: Definitions) -> list[Feature]:
    """Describe the columns of `mechanism_features`.

    Parameters
    ----------
    definitions : Definitions
        Whose mechanisms are described.

    Returns
    -------
    list of Feature
        Only of mechanisms with an analyte.
    """
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
        of_mechanism = owner == feature.name.removeprefix("evidence_")
        hits, n = (
            np.bincount(row[of_mechanism], beyond[of_mechanism], len(cohort)),
            np.bincount(row[of_mechanism], minlength=len(cohort)),
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
