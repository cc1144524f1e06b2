"""What is in the files of a cohort, and what is wrong with them."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import pandas as pd

from als_ml.cohort.columns_told import told_columns
from als_ml.cohort.read import Reading, plain_reading, read_cohort
from als_ml.cohort.source import CohortSource
from als_ml.variant_table.carriers import CLASS_NAMES, shown_class
from features.biomarkers.derived import PERCENT, derived_values
from features.biomarkers.measurements import implausible
from features.blocks.landmark import on_tofersen
from features.blocks.spec import FeatureSpec
from features.blocks.unused import name_unused
from features.catalogue import Definitions, analytes, gene_names
from features.cohort import Cohort
from features.errors import DataError, examples
from features.genotypes.coverage import STATES, UNKNOWN, coverage_state
from features.tables.coded import decoded
from features.tables.problems import Issue, Problem, ProblemRow, Problems, issue_of
from models.survival.labels import TimeRule, events_only_beyond

# A site is compared with the others from this many values on; its ratio must meet a factor within
# this share of ln(factor) (P).
SITE_VALUES, FACTOR_TOLERANCE = 5, 0.15


# An analyte of a cohort, or of one of its sites; medians are in the canonical unit.
_Spread = TypedDict(
    "_Spread",
    {"analyte": str, "n": int, "% missing": float, "median": float},
)
_Seen = TypedDict("_Seen", {"unit": str, "units seen": str})


class AnalyteRow(_Spread, _Seen):
    """Values of an analyte: units, assays and tubes that were seen, censored and implausible."""

    assays: str
    tubes: str
    censored: int
    implausible: int


class SiteRow(_Spread):
    """Values of an analyte at one site."""

    site: str
    censored: int
    implausible: int


# Patients in whom a gene is covered, partly, not, or not known to be; the rate of missing calls.
GeneRow = TypedDict(
    "GeneRow",
    {
        "gene": str,
        "unknown": int,
        "not covered": int,
        "partly": int,
        "covered": int,
        "no-call rate": float | None,
    },
)


class ClassRow(TypedDict):
    """Variants of a class, and patients who carry one of them."""

    variant_class: str
    variants: int
    patients: int


# Labels that a configuration makes of a cohort: how many have which and why, and the same in words.
LabelCounts = TypedDict("LabelCounts", {"task": str, "counts": dict[str, int], "in words": str})


class CheckReport(TypedDict, total=False):
    """What is in the files of a cohort, and what is wrong with them.

    `contents` and `samples` are counts, `columns` what each column of a table is read as and how
    full it is, `files` the problems of each file; `labels` stands only
    where a configuration was given and labels can be made.
    """

    contents: dict[str, int]
    samples: dict[str, int]
    columns: list[dict[str, str | float]]
    analytes: list[AnalyteRow]
    sites: list[SiteRow]
    genes: list[GeneRow]
    classes: list[ClassRow]
    labels: LabelCounts
    files: dict[str, list[ProblemRow]]
    problems: list[ProblemRow]


# What a configuration adds to a report.
Beside = Callable[[Cohort, Problems], LabelCounts | None]


def _unused(cohort: Cohort, problems: Problems) -> None:
    """Name what none of the standard features uses; nothing to report beside."""
    name_unused(cohort, FeatureSpec(), problems)


def check_cohort(
    source: CohortSource,
    progress: Callable[[str], None] = lambda _: None,
    reading: Reading | None = None,
    beside: Beside = _unused,
    issues: list[Issue] | None = None,
) -> CheckReport:
    """Read a cohort and report on it.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    progress : callable
        Told what is being read.
    reading : Reading, optional
        How a configuration wants the cohort to be read; by default every call counts.
    beside : callable
        What else to say of the cohort, for a configuration (`als_ml.training.preview`): it adds to
        the report and to the problems.
    issues : list, optional
        Gets every row of a file that a problem is about, and one line for what is of no row.

    Returns
    -------
    CheckReport
        Plain values for JSON.
    """
    problems = Problems(collect=True, issues=issues)
    report: CheckReport = {
        "contents": {},
        "samples": {},
        "columns": [],
        "analytes": [],
        "sites": [],
        "genes": [],
        "classes": [],
    }
    try:
        cohort = read_cohort(source, reading or plain_reading(), problems, progress)
    except DataError as error:
        problems.error(error.where, error.found, error.remedy, code=error.code)
    else:
        rows = told_columns(source, cohort.definitions, problems)
        report["columns"] = [row._asdict() for row in rows]
        _question(cohort, problems)
        labels = beside(cohort, problems)
        if labels:
            report["labels"] = labels
        report |= {
            "contents": contents(cohort),
            "samples": samples(cohort),
            "analytes": analyte_table(cohort),
            "sites": site_table(cohort),
            "genes": gene_coverage(cohort),
            "classes": class_yield(cohort),
        }
    met = [problem.as_dict() for problem in problems.found]
    if issues is not None:
        issues += [issue_of(problem) for problem in problems.found if not _has_line(problem)]
    return {**report, "files": _by_file(met), "problems": met}


def _question(cohort: Cohort, problems: Problems) -> None:
    """Point at what is not wrong, and doubtful."""
    _question_dates(cohort, problems)
    _note_scales(cohort, problems)
    question_follow_up(cohort, TimeRule(landmark_days=0), problems)
    _question_duplicates(cohort, problems)
    _hint_at_units(cohort, problems)
    _question_tubes(cohort, problems)


def _has_line(problem: Problem) -> bool:
    return ", line " in problem.where


def _by_file(met: list[ProblemRow]) -> dict[str, list[ProblemRow]]:
    """Problems under the file or part that they are about, errors first."""
    order = {"error": 0, "warning": 1, "note": 2}
    files: dict[str, list[ProblemRow]] = {}
    for problem in sorted(met, key=lambda problem: order[problem["severity"]]):
        files.setdefault(str(problem["where"]).split(",")[0].split(":")[0], []).append(problem)
    return files


def contents(cohort: Cohort) -> dict[str, int]:
    """Counts of what was read.

    Parameters
    ----------
    cohort : Cohort
        What was read.

    Returns
    -------
    dict of int
        Words -> count.
    """
    visits, genotypes, biomarkers = cohort.alsfrs, cohort.genotypes, cohort.biomarkers
    return {
        "patients": len(cohort),
        "families": len(np.unique(cohort.families)),
        "biomarker values": len(biomarkers),
        "analytes": int(biomarkers["analyte"].nunique()),
        "values without a day": int(biomarkers["days"].isna().sum()),
        "values on tofersen (kept apart)": int(on_tofersen(cohort).sum()),
        "ALSFRS visits": len(visits),
        "visits without a total": int(visits["total"].isna().sum()),
        "patients with visits": int(visits["row"].nunique()),
        "patients with genotypes": int(np.isfinite(genotypes.assayed).any(axis=1).sum()),
        "panel alleles carried": len(genotypes.alleles),
        "known variants missing": len(genotypes.no_calls),
        "distinct panel alleles": len(genotypes.sites),
        "pathogenic by points": int((cohort.variants["points"] >= 6).sum()),
        "patients with repeat calls": int(cohort.repeats["row"].nunique()),
    }


def samples(cohort: Cohort) -> dict[str, int]:
    """How many patients are in each part, and in all parts that are there.

    Parameters
    ----------
    cohort : Cohort
        What was read.

    Returns
    -------
    dict of int
        Part -> patients.
    """
    seen = {
        "biomarkers": np.unique(cohort.biomarkers["row"]),
        "alsfrs": np.unique(cohort.alsfrs["row"]),
        "variants": np.flatnonzero(np.isfinite(cohort.genotypes.assayed).any(axis=1)),
        "repeats": np.unique(cohort.repeats["row"]),
    }
    present = {name: rows for name, rows in seen.items() if len(rows)}
    everywhere = set(range(len(cohort))).intersection(*map(set, present.values()))
    return {
        "patients": len(cohort),
        **{name: len(rows) for name, rows in present.items()},
        "in all": len(everywhere),
    }


def analyte_table(cohort: Cohort) -> list[AnalyteRow]:
    """Of each analyte: values, units and assays seen, and the share of patients without it,
    censored and implausible counts.

    Parameters
    ----------
    cohort : Cohort
        What was read.

    Returns
    -------
    list of dict
        One an analyte; medians in the canonical unit.
    """
    table = cohort.biomarkers.assign(implausible=implausible(cohort.definitions, cohort.biomarkers))
    return [
        _analyte_row(cohort.definitions, str(name), measured, len(cohort))
        for name, measured in table.groupby("analyte", observed=True)
    ]


def _analyte_row(
    definitions: Definitions, name: str, measured: pd.DataFrame, patients: int
) -> AnalyteRow:
    derived = {PERCENT, *(rule.analyte for rule in derived_values(definitions))}
    return {
        "analyte": name,
        "n": len(measured),
        "% missing": round(100 * (1 - measured["row"].nunique() / max(patients, 1)), 1),
        "unit": analytes(definitions)["unit"][name],
        "units seen": (
            examples(sorted(map(str, decoded(measured["unit"]).dropna().unique())), 4)
            or ("derived" if name in derived else "none stated")
        ),
        "assays": examples(sorted(set(decoded(measured["assay"]).dropna()) - {"unknown"}), 4)
        or "-",
        "tubes": examples([f"{tube} ({n})" for tube, n in tube_counts(measured).items()], 4) or "-",
        "median": float(measured["value"].median()),
        "censored": int((measured["censored"] != "none").sum()),
        "implausible": int(measured["implausible"].sum()),
    }


def tube_counts(measured: pd.DataFrame) -> dict[str, int]:
    """Values of each stated tube, by name.

    Parameters
    ----------
    measured : DataFrame
        Checked biomarkers.

    Returns
    -------
    dict of int
        Sorted by name.
    """
    counts = decoded(measured["tube"]).value_counts()
    return {str(tube): int(n) for tube, n in sorted(counts.items())}


def _question_tubes(cohort: Cohort, problems: Problems) -> None:
    """Analytes from several tubes: what one tube adds or holds back looks like a difference of
    patients.
    """
    for analyte, measured in cohort.biomarkers.groupby("analyte", observed=True):
        tubes = tube_counts(measured)
        if len(tubes) > 1:
            counted = ", ".join(f"{n} {tube}" for tube, n in tubes.items())
            reason = f"{analyte} was drawn into {len(tubes)} kinds of tube: {counted}"
            remedy = "They share a column; give one kind, or see that no site stands for its tube."
            problems.warn("biomarkers", reason, remedy, len(measured), code="tubes_mixed")


def site_table(cohort: Cohort) -> list[SiteRow]:
    """Of each analyte and site: patients, share of them without a value, and the median.

    Empty without sites.

    Parameters
    ----------
    cohort : Cohort
        What was read.

    Returns
    -------
    list of dict
        One an analyte and site; medians in the canonical unit.
    """
    site = cohort.patients["site"]
    if site.isna().all():
        return []
    size = site.value_counts()
    table = cohort.biomarkers.assign(site=site.to_numpy()[cohort.biomarkers["row"]])
    groups = table.groupby(["analyte", "site"], observed=True)
    return [
        {
            "analyte": str(analyte),
            "site": str(place),
            "n": len(measured),
            "% missing": round(100 * (1 - measured["row"].nunique() / size.loc[str(place)]), 1),
            "censored": int((measured["censored"] != "none").sum()),
            "implausible": int(implausible(cohort.definitions, measured).sum()),
            "median": float(measured["value"].median()),
        }
        for (analyte, place), measured in groups
    ]


def _hint_at_units(cohort: Cohort, problems: Problems) -> None:
    """Sites whose median is off from the other sites' by a known conversion factor."""
    site = cohort.patients["site"].to_numpy()[cohort.biomarkers["row"]]
    for analyte, measured in cohort.biomarkers.assign(site=site).groupby("analyte", observed=True):
        for place, values in measured.groupby("site"):
            others = measured.loc[measured["site"] != place, "value"]
            if (
                min(len(values), len(others)) >= SITE_VALUES
                and others.median() > 0
                and values["value"].median() > 0
            ):
                _hint_at_unit(
                    cohort.definitions,
                    str(analyte),
                    str(place),
                    values["value"].median() / others.median(),
                    problems,
                )


def _hint_at_unit(
    definitions: Definitions, analyte: str, site: str, ratio: float, problems: Problems
) -> None:
    known = {
        name: float(factor)
        for name, factor in analytes(definitions)["factors"][analyte].items()
        if factor != 1
    }
    for unit, factor in known.items():
        for off, words in (
            (factor, f"stated in {unit} but given in"),
            (1 / factor, f"given in {unit} but stated in"),
        ):
            if abs(np.log(ratio / off)) < FACTOR_TOLERANCE * abs(np.log(off)):
                reason = (
                    f"the median of {analyte} at site {site} is {ratio:.3g} times that of the"
                    " others"
                )
                remedy = (
                    f"{off:.3g} is a conversion factor: are its values {words}"
                    f" {analytes(definitions)['unit'][analyte]}?"
                )
                problems.warn("biomarkers", reason, remedy, code="unit_doubtful")
                return


def _question_dates(cohort: Cohort, problems: Problems) -> None:
    """Days that cannot be: measured after death, before birth or before onset; a treatment that
    ends before it begins.
    """
    patients = cohort.patients
    death, onset = (patients[name].to_numpy() for name in ("death_days", "onset_days"))
    birth = onset - patients["age_at_onset"].to_numpy() * 365.25
    for name, table in (("biomarkers", cohort.biomarkers), ("alsfrs", cohort.alsfrs)):
        row, day = table["row"].to_numpy(dtype=int), table["days"].to_numpy()
        with np.errstate(invalid="ignore"):
            _count(day > death[row], name, "lie after the patient's death", problems)
            _count(day < birth[row], name, "lie before the patient's birth", problems)
            if name == "alsfrs":
                _count(day < onset[row], name, "lie before symptom onset", problems)
    for drug in ("riluzole", "edaravone", "tofersen", "trial_drug"):
        start, stop = (patients[f"{drug}_{end}_days"].to_numpy() for end in ("start", "stop"))
        with np.errstate(invalid="ignore"):
            _count(stop < start, "patients", f"end {drug} before it begins", problems)


def question_follow_up(cohort: Cohort, rule: TimeRule, problems: Problems) -> None:
    """Warn where a follow-up beyond a day is known of those with an event alone: a model of times
    would have everyone die after it.

    Parameters
    ----------
    cohort : Cohort
        n patients, uncut.
    rule : TimeRule
        What counts as the event, and until when.
    problems : Problems
        Gets the warning.
    """
    found = events_only_beyond(cohort, rule)
    if found is None:
        return
    day, n = found
    problems.warn(
        "patients",
        f"after day {day} only patients with an event are followed, {n} of them",
        f"Give the last contact of the others, or set label.follow_up_days: {day} in a"
        " configuration of the survival task.",
        n,
        code="days_doubtful",
    )


def _count(bad: np.ndarray, where: str, what: str, problems: Problems) -> None:
    n = int(bad.sum())
    if n:
        problems.warn(
            where,
            f"{n} rows {what}",
            "Correct the days or the index date.",
            n,
            code="days_doubtful",
        )


def _note_scales(cohort: Cohort, problems: Problems) -> None:
    """Count the visits of the older scale beside those of the newer one."""
    counts = cohort.alsfrs["scale"].value_counts()
    if len(counts) > 1:
        said = ", ".join(f"{n} on the {_SCALES[str(name)]}" for name, n in counts.items())
        problems.note(
            "alsfrs",
            f"its visits are of two scales: {said}",
            "A total, a slope and a label never mix them.",
            len(cohort.alsfrs),
            code="value_unused",
        )


_SCALES = {"alsfrs_r": "ALSFRS-R", "alsfrs": "ALSFRS"}


def _question_duplicates(cohort: Cohort, problems: Problems) -> None:
    table = cohort.biomarkers
    keys = ["row", "analyte", "days", "assay"]
    same = int(table.duplicated([*keys, "value"]).sum())
    if same:
        problems.warn(
            "biomarkers",
            f"{same} rows repeat another exactly",
            "They count once in the mean of the day.",
            same,
            code="row_twice",
        )


def class_yield(cohort: Cohort) -> list[ClassRow]:
    """Variants that the patients carry by class, and how many patients carry one.

    Parameters
    ----------
    cohort : Cohort
        With classified variants.

    Returns
    -------
    list of dict
        One a class, in the order of `CLASS_NAMES`; none without genotypes.
    """
    pairs = zip(cohort.variants["variant"], cohort.variants["assessment"], strict=True)
    named = np.array([shown_class(cohort.definitions, *pair) for pair in pairs], dtype=object)
    alleles = cohort.genotypes.alleles
    site, row = (alleles[name].to_numpy() for name in ("site", "row"))
    if not np.isfinite(cohort.genotypes.assayed).any():
        return []
    return [
        {
            "variant_class": name,
            "variants": len(np.unique(site[named[site] == name])),
            "patients": len(np.unique(row[named[site] == name])),
        }
        for name in CLASS_NAMES
    ]


def gene_coverage(cohort: Cohort) -> list[GeneRow]:
    """In how many patients each gene is covered, partly, not, or unknown, and the rate of missing
    calls.

    Parameters
    ----------
    cohort : Cohort
        What was read.

    Returns
    -------
    list of dict
        One a gene, in panel order.
    """
    state = coverage_state(cohort.genotypes.assayed)
    table: list[GeneRow] = []
    for i, gene in enumerate(gene_names(cohort.definitions)):
        unknown, absent, partly, covered = np.bincount(state[:, i], minlength=len(STATES)).tolist()
        known = cohort.genotypes.assayed[state[:, i] != UNKNOWN, i]
        missing = round(1 - float(known.mean()), 4) if len(known) else None
        table.append(
            {
                "gene": gene,
                "unknown": unknown,
                "not covered": absent,
                "partly": partly,
                "covered": covered,
                "no-call rate": missing,
            }
        )
    return table
