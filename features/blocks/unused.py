"""What a cohort's tables hold and no feature uses: said, so that nobody thinks it was seen."""

import pandas as pd

from features.biomarkers.derived import derived_values
from features.blocks.biomarkers import feature_keys
from features.blocks.spec import FeatureSpec
from features.catalogue import (
    Definitions,
    analytes,
    assay_names,
    names_assays,
    patient_columns,
)
from features.cohort import AnyCohort
from features.errors import examples
from features.tables.coded import decoded
from features.tables.problems import Problems

_AT_BASELINE = "Name them in features.columns, if they were known at baseline."
# A column of patients has no day: it is never taken for a value of day 0.
_WITH_ITS_DAY = (
    "They are measured in time: give them as rows of biomarkers, with their day, or name them in"
    " features.columns, if they were known at baseline."
)


def name_unused(
    cohort: AnyCohort, spec: FeatureSpec, problems: Problems, labels: frozenset[str] = frozenset()
) -> None:
    """Note the analytes, visits and further columns of patients that reach no feature of a model.

    Parameters
    ----------
    cohort : Cohort
        What was read.
    spec : FeatureSpec
        What the model sees.
    problems : Problems
        Gets a note for each kind.
    labels : frozenset of str
        Columns that the label is made of: used, though by no feature.
    """
    remedy = "A line of biomarkers.tsv with `feature` yes, in a folder of `definitions`, makes one."
    if "biomarkers" not in spec.blocks:
        remedy = "Add biomarkers to features.blocks to use them."
    _name_values("of", unused_analytes(cohort, spec), remedy, problems)
    remedy = "A line of assays.tsv in a folder of `definitions` gives an assay its own feature."
    _name_values("by", other_assays(cohort, spec), remedy, problems)
    if len(cohort.alsfrs) and not {"alsfrs", "prognosis"} & set(spec.blocks):
        remedy = "Add alsfrs to features.blocks to use them."
        n = len(cohort.alsfrs)
        problems.note("alsfrs", f"no feature uses its {n} visits", remedy, n, code="value_unused")
    _name_columns(cohort, spec, problems, labels)


def _name_values(which: str, unused: dict[str, int], remedy: str, problems: Problems) -> None:
    """Note values of analytes, or by assays, that no feature uses."""
    if unused:
        named = examples([f"{name} ({n})" for name, n in unused.items()], 8)
        found = f"no feature uses the values {which} {named}"
        problems.note("biomarkers", found, remedy, sum(unused.values()), code="value_unused")


def _name_columns(
    cohort: AnyCohort, spec: FeatureSpec, problems: Problems, labels: frozenset[str]
) -> None:
    """Note further columns of patients that no feature uses, those of analytes apart."""
    columns = unused_columns(cohort, spec, labels)
    measured = [name for name in columns if name in analytes(cohort.definitions).index]
    others = [name for name in columns if name not in measured]
    for those, advice in ((others, _AT_BASELINE), (measured, _WITH_ITS_DAY)):
        if those:
            reason = f"no feature uses the columns {examples(those, 8)}"
            problems.note("patients", reason, advice, len(those), code="value_unused")


def unused_analytes(cohort: AnyCohort, spec: FeatureSpec) -> dict[str, int]:
    """Analyte -> values of it, of those that neither a feature nor a derived value comes from.

    Parameters
    ----------
    cohort : Cohort
        What was read.
    spec : FeatureSpec
        What the model sees.

    Returns
    -------
    dict of int
        Sorted by analyte.
    """
    used: set[str] = set()
    if {"biomarkers", "prognosis"} & set(spec.blocks):
        used = _used(cohort.definitions)
    counts = pd.Series(decoded(cohort.biomarkers["analyte"])).value_counts()
    return {str(name): int(n) for name, n in sorted(counts.items()) if name not in used and n}


def other_assays(cohort: AnyCohort, spec: FeatureSpec) -> dict[str, int]:
    """Analyte and assay -> values that no feature takes, where assays are not interchangeable and
    the tables do not name this one.
    """
    if not {"biomarkers", "prognosis"} & set(spec.blocks) or not names_assays(cohort.definitions):
        return {}
    table = analytes(cohort.definitions)
    apart = table.index[(table["separate_assays"] == "yes") & (table["feature"] == "yes")]
    analyte, assay = (
        pd.Series(decoded(cohort.biomarkers[name]), dtype=object) for name in ("analyte", "assay")
    )
    named = assay.isna() | assay.isin(assay_names(cohort.definitions))
    other = analyte.isin(apart) & ~named
    counts = (analyte[other].astype(str) + " by " + assay[other].astype(str)).value_counts()
    return {str(name): int(n) for name, n in sorted(counts.items())}


def _used(definitions: Definitions) -> set[str]:
    features = {analyte for analyte, _ in feature_keys(definitions)}
    inputs = {
        name
        for rule in derived_values(definitions)
        if rule.analyte in features
        for name in rule.names
    }
    return features | inputs


def unused_columns(
    cohort: AnyCohort, spec: FeatureSpec, labels: frozenset[str] = frozenset()
) -> list[str]:
    """Further columns of patients, beside those of the contract, with a value that nothing
    reads.

    Parameters
    ----------
    cohort : Cohort
        What was read.
    spec : FeatureSpec
        What the model sees.
    labels : frozenset of str
        Columns that the label is made of.

    Returns
    -------
    list of str
        In the order of the table.
    """
    read = {*patient_columns(cohort.definitions).index, *spec.columns, *spec.levels, *labels}
    read.add("uncertain_dates")  # the reader's own
    return [
        str(name)
        for name in cohort.patients.columns
        if name not in read and not pd.isna(cohort.patients[name].to_numpy()).all()
    ]
