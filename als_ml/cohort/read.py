"""Read the files that a cohort file names into checked tables."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from als_ml import cluster
from als_ml.cohort.anchors import with_age_at_onset, with_first_visits
from als_ml.cohort.source import TABLES, CohortFile, CohortSource, TableKind
from features.alsfrs.visits import after_visits, checked_visits, no_visits
from features.biomarkers.derived import with_derived
from features.biomarkers.measurements import checked_biomarkers, no_biomarkers
from features.biomarkers.wide import checked_wide
from features.blocks.genetics import paired_alleles
from features.catalogue import Definitions, analytes, column_aliases, normal_name, shipped
from features.cohort import Cohort
from features.errors import DataError, UserError, examples, nearest
from features.genotypes.coverage import targeted_fraction
from features.genotypes.extraction import Panel, gather, phases_of, with_targets
from features.genotypes.families import duplicated, family_numbers
from features.genotypes.gathered import Gathered
from features.genotypes.genotype import Genotypes
from features.genotypes.kept import KeptExtracts
from features.genotypes.phase import phase_pairs
from features.genotypes.repeats import RepeatStates, read_repeats
from features.genotypes.vcf import ANY_CALL, CallRule
from features.overlay import overlaid, with_names
from features.patients import checked_patients, has_calendar
from features.tables.coded import codes_of, text
from features.tables.columns import Column
from features.tables.files import PLACES, read_coded, read_table
from features.tables.layout import is_workbook, sheet_names
from features.tables.names import rename_columns, require_columns, with_known_names
from features.tables.numbers import numbers
from features.tables.problems import Problem, Problems
from features.tables.reading_rules import ReadingRules
from features.variants.lookups import (
    Lookups,
    predicted_effects,
    read_lookups,
)
from features.variants.scores import read_missense_score
from features.variants.structural import is_structural
from features.variants.weigh import weigh_sites

Progress = Callable[[str], None]


def _silent(_: str) -> None:
    """Nobody wants to know what is being read."""


@dataclass(frozen=True)
class Reading:
    """How files become a cohort. A model is scored on cohorts that were read as its own was.

    Attributes
    ----------
    definitions : Definitions
        The tables of the laboratory.
    rule : CallRule
        Least quality and depth of a genotype.
    lookups : Lookups, optional
        Population frequencies and ClinVar that a model was trained with; None: those that the
        cohort file names.
    of_model : bool
        Whether the tables are those of a model, to which a cohort may add names and units only.
    haplotypes : bool
        Whether phase and structural variants are read; models before edition 3 know neither.
    """

    definitions: Definitions
    rule: CallRule
    lookups: Lookups | None = None
    of_model: bool = False
    haplotypes: bool = True

    def tables(self, source: CohortSource, problems: Problems) -> tuple[Definitions, Definitions]:
        """By which tables the cells of a cohort are read, and by which its values are judged.

        Both are ours with the cohort's own over them; for a model the second are the model's.

        Raises
        ------
        RequestError
            If the cohort's tables do not hold, or change what the model uses.
        """
        folders = source.definition_folders()
        if not self.of_model:
            made = overlaid(self.definitions, folders)
            return made, made
        _, unknown = with_names(self.definitions, folders)
        if unknown:
            problem = f"the model does not know {examples(unknown, 5)}"
            problems.note(
                "definitions",
                problem,
                "Train a model with these tables.",
                len(unknown),
                code="definition_unknown",
            )
        # Read with the unknown lines, so that their rows are known for what they are and left out.
        return overlaid(self.definitions, folders), self.definitions


def plain_reading() -> Reading:
    """For a look at the files: the tables of this installation, every call, the cohort's own
    references.
    """
    return Reading(definitions=shipped(), rule=ANY_CALL)


def read_cohort(
    source: CohortSource,
    reading: Reading,
    problems: Problems | None = None,
    progress: Progress = _silent,
) -> Cohort:
    """Read and check everything that a cohort file names.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    reading : Reading
        Definitions, thresholds and references; a model's own come from `Predictor.read`.
    problems : Problems, optional
        Where warnings go; by default the first error is raised.
    progress : callable
        Told what is being read.
    """
    problems = Problems() if problems is None else problems
    progress("patients")
    tables, judged = reading.tables(source, problems)
    reading = replace(reading, definitions=judged)
    source, problems = without_errors(tables, source, problems)
    patients = read_patients(tables, source, problems)
    rows = {name: i for i, name in enumerate(patients["sample_id"]) if name is not None}
    biomarkers, visits = long_tables(
        tables, source, rows, patients, problems, progress, judged=judged
    )
    genetics = read_genetics(source, reading, rows, len(patients), problems, progress)
    related = [_kinship(source, rows, problems), duplicated(genetics["genotypes"])]
    _report_duplicates(related[1], problems)
    cohort = Cohort(
        name=source.described.name,
        patients=after_visits(patients, visits),
        biomarkers=biomarkers,
        alsfrs=visits,
        **genetics,
        families=family_numbers(patients, pd.concat(related, ignore_index=True)),
        definitions=judged,
    )
    _report_conflicts(cohort, problems)
    return cohort


def read_patients(
    definitions: Definitions, source: CohortSource, problems: Problems
) -> pd.DataFrame:
    """The checked patients table.

    Parameters
    ----------
    definitions : Definitions
        Columns and words.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    problems : Problems
        Gets what is wrong.

    Returns
    -------
    DataFrame
        Of `features.patients.checked_patients`.
    """
    described, where = source.described, source.described.shown("patients")
    table = _table(definitions, source, "patients", problems)
    if described.index_date == "first_visit" and described.alsfrs:
        quiet = Problems(collect=True, silent=True)
        visits = _table(definitions, source, "alsfrs", quiet)
        named = dict.fromkeys(map(str, text(table["sample_id"])), 0)
        visits = _with_zeros(visits, named, where, described, quiet)
        table = with_first_visits(table, visits, where, problems, described.rules)
    table = with_age_at_onset(table, where, problems, described.rules)
    return checked_patients(definitions, table, where, problems, described.rules)


def without_errors(
    definitions: Definitions, source: CohortSource, problems: Problems
) -> tuple[CohortSource, Problems]:
    """A cohort and its problems as `exclude` and `on_error` of its file say: what is left out is
    counted.

    Parameters
    ----------
    definitions : Definitions
        By which its cells are read.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    problems : Problems
        Gets the counts.

    Returns
    -------
    source : CohortSource
        That excludes the patients with errors, where they are to be dropped.
    problems : Problems
        The same, or one that takes a wrong cell for unknown.
    """
    described = source.described
    if described.exclude:
        _count_excluded(source, problems)
    problems = replace(problems, drops_values=described.on_error == "drop_value")
    if described.on_error != "drop_patient":
        return source, problems
    wrong = _with_errors(definitions, source)
    if wrong:
        kinds = Counter(kind for kinds in wrong.values() for kind in sorted(kinds))
        counted = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common())
        problems.warn(
            "cohort file, key on_error",
            f"{len(wrong)} patients with an error in a table are left out ({counted})",
            "`check --issues FILE` names them where `on_error` is stop.",
            len(wrong),
            code="left_out",
        )
    left = described.model_copy(update={"exclude": (*described.exclude, *wrong)})
    return replace(source, described=left), problems


def _count_excluded(source: CohortSource, problems: Problems) -> None:
    """Say how many of the patients that `exclude` names there are."""
    described = source.described
    table = source.described.table("patients")
    if table is None:
        return
    read = read_coded(source.file(table.file, "patients"), table.layout)
    known = set(_owners(described, "patients", read))
    there = [name for name in described.exclude if name in known]
    problems.note(
        "cohort file, key exclude",
        f"{len(there)} patients are left out",
        "With all that the other tables say of them.",
        len(there),
        code="left_out",
    )
    if absent := [name for name in described.exclude if name not in known]:
        problems.warn(
            "cohort file, key exclude",
            f"{len(absent)} of its names are of no patient ({examples(absent)})",
            "Write them as the patients table does.",
            len(absent),
            code="row_of_no_patient",
        )


def _with_errors(definitions: Definitions, source: CohortSource) -> dict[str, set[str]]:
    """Patients with an error in a row of a table, and of which kinds."""
    trial = Problems(collect=True, issues=[])
    _read_tables(definitions, source, trial)
    found: dict[str, set[str]] = {}
    for issue in trial.issues or []:
        if issue.severity == "error" and issue.sample_id:
            found.setdefault(issue.sample_id, set()).add(issue.code)
    return found


def _read_tables(definitions: Definitions, source: CohortSource, problems: Problems) -> None:
    patients = read_patients(definitions, source, problems)
    rows = {name: i for i, name in enumerate(patients["sample_id"]) if name is not None}
    long_tables(definitions, source, rows, patients, problems)


def table_errors(source: CohortSource) -> list[Problem]:
    """What is wrong with the tables of a cohort, its genomes aside.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.

    Returns
    -------
    list of Problem
        Errors alone.
    """
    problems = Problems(collect=True)
    tables, _ = plain_reading().tables(source, problems)
    dropping = replace(problems, drops_values=source.described.on_error == "drop_value")
    try:
        _read_tables(tables, source, dropping)
    except UserError as error:
        problems.error(error.where, error.found, error.remedy, code=error.code)
    return problems.errors


def _table(
    definitions: Definitions, source: CohortSource, kind: TableKind, problems: Problems
) -> pd.DataFrame:
    """A table under the column names of the contract."""
    where = source.described.shown(kind)
    table = read_as_described(source, kind, problems)
    return table_names(definitions, table, where, source.described, kind, problems)


def read_as_described(source: CohortSource, kind: TableKind, problems: Problems) -> pd.DataFrame:
    """The cells of a table, from where the cohort file says that it stands.

    Sheets of a workbook that nobody named are noted; lines in messages are those of the file.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    kind : str
        patients, biomarkers or alsfrs.
    problems : Problems
        Gets what is left out.

    Returns
    -------
    DataFrame
        Under the names that the file has.
    """
    described = source.described.table(kind)
    if described is None:
        raise ValueError(f"the cohort has no {kind}")
    path, where = source.file(described.file, kind), source.described.shown(kind)
    table = read_coded(path, described.layout)
    lines = table.attrs.get(PLACES, np.arange(len(table))) + described.layout.above - 1
    if problems.issues is not None or source.described.exclude:
        owners = _owners(source.described, kind, table)
        kept = ~is_excluded(owners, source.described)
        table, lines = table[kept].reset_index(drop=True), lines[kept]
        problems.owners[where] = owners[kept]
    if len(lines) and (lines != np.arange(len(lines))).any():
        problems.sources.setdefault(where, (where, lines))
    if described.sheet is None and is_workbook(path):
        _name_other_sheets(path, where, kind, problems)
    return table


def is_excluded(ids: np.ndarray, described: CohortFile) -> np.ndarray:
    """Which names are those of patients that the cohort file leaves out.

    Parameters
    ----------
    ids : array of object
        As a table writes them; None unknown.
    described : CohortFile
        With `exclude`.

    Returns
    -------
    array of bool
        One a name.
    """
    written = np.array([str(name) for name in ids], dtype=object)
    if described.leading_zeros == "kept":
        return np.isin(written, described.exclude)
    bare = [without_zeros(name) for name in described.exclude]
    return np.isin([without_zeros(name) for name in written], bare)


def without_zeros(name: str) -> str:
    """A name without the zeros before it.

    >>> without_zeros("0032"), without_zeros("A01"), without_zeros("00")
    ('32', 'A01', '0')
    """
    return name.lstrip("0") or name[-1:]


def names_without_zeros(names: Iterable[str]) -> dict[str, str]:
    """A name without the zeros before it -> the name, where it is that of one alone."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(without_zeros(name), []).append(name)
    return {bare: alike[0] for bare, alike in found.items() if len(alike) == 1}


def _with_zeros(
    table: pd.DataFrame, rows: dict[str, int], where: str, described: CohortFile, problems: Problems
) -> pd.DataFrame:
    """A table whose names of patients have the zeros before them that they lost, as the cohort file
    allows.
    """
    if described.leading_zeros == "kept" or "sample_id" not in table.columns:
        return table
    codes, levels = codes_of(Column(text(table["sample_id"])))
    full = names_without_zeros(rows)
    meant = [name if name in rows else full.get(without_zeros(name), name) for name in levels]
    n = sum(name != given for name, given in zip(meant, levels, strict=True))
    if n:
        problems.note(
            where,
            f"{n} names of patients lack the zeros before them",
            "`leading_zeros: ignored` lets them stand for the patient.",
            n,
            code="column_renamed",
        )
    ids = np.array([*meant, None], dtype=object)[codes]
    return table.assign(sample_id=pd.Series(ids, dtype=object, index=table.index))


def _owners(described: CohortFile, kind: TableKind, table: pd.DataFrame) -> np.ndarray:
    """Whose each row of a table is, as the file writes it; None where no column says it."""
    place = described.table(kind)
    named = {**described.columns, **(place.columns if place else {})}
    aliases = column_aliases(shipped(), kind)
    mapped = named.get("sample_id")
    ids = [
        name
        for name in table.columns
        if name == mapped or aliases.get(normal_name(name)) == "sample_id"
    ]
    if not ids:
        return np.full(len(table), None, dtype=object)
    return np.asarray(text(table[ids[0]]), dtype=object)


def _name_other_sheets(path: Path, where: str, kind: str, problems: Problems) -> None:
    others = sheet_names(path)[1:]
    if others:
        problems.note(
            where,
            f"only its first sheet is read, not {examples(others, 5)}",
            f"Name the sheet: `{kind}: {{file: {where}, sheet: NAME}}`.",
            len(others),
            code="value_unused",
        )


def table_names(
    definitions: Definitions,
    table: pd.DataFrame,
    name: str,
    described: CohortFile,
    kind: TableKind,
    problems: Problems,
) -> pd.DataFrame:
    """Rename what the cohort file maps and what has a known other name.

    Of a wide table, the sample's column only.
    """
    place = described.table(kind)
    named = place.columns if place else {}
    _check_named(named, table, name, kind)
    present = {
        ours: theirs for ours, theirs in described.columns.items() if theirs in table.columns
    } | named
    _question_columns(definitions, described, table, name, kind, problems)
    aliases = column_aliases(definitions, kind)
    if kind == "biomarkers" and described.wide is not None:
        aliases = {other: ours for other, ours in aliases.items() if ours == "sample_id"}
    return with_known_names(rename_columns(table, present, name), aliases, name, problems)


def _check_named(named: dict[str, str], table: pd.DataFrame, where: str, kind: str) -> None:
    """Refuse a name that a table's own `columns` gives and its header does not have."""
    for ours, theirs in named.items():
        if theirs not in table.columns:
            raise DataError(
                f"{where}, key {kind}.columns.{ours}",
                f"there is no column {theirs!r}",
                nearest(theirs, table.columns),
                code="column_missing",
            )


def _question_columns(
    definitions: Definitions,
    described: CohortFile,
    table: pd.DataFrame,
    where: str,
    kind: TableKind,
    problems: Problems,
) -> None:
    """Point at what `columns` of the cohort file says of this table alone and its header lacks.

    A name that several tables have, such as sample_id, may be that of another one.
    """
    ours_of = {one: set(column_aliases(definitions, one).values()) for one in TABLES}
    elsewhere = set().union(*(ours_of[one] for one in TABLES if one != kind))
    known = elsewhere | ours_of[kind]
    for ours, theirs in described.columns.items():
        here = ours in ours_of[kind] - elsewhere or (kind == "patients" and ours not in known)
        if here and theirs not in table.columns:
            problems.warn(
                f"cohort file, key columns.{ours}",
                f"{where} has no column {theirs!r}, so nothing is read for {ours}",
                nearest(theirs, table.columns),
                code="column_missing",
            )


def long_tables(
    definitions: Definitions,
    source: CohortSource,
    rows: dict[str, int],
    patients: pd.DataFrame,
    problems: Problems,
    progress: Progress = _silent,
    calendar: bool | None = None,
    judged: Definitions | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Checked biomarkers and visits; `rows` is sample_id -> position in `patients`.

    `calendar` says whether the cohort has calendar dates; by default these patients tell.

    Parameters
    ----------
    definitions : Definitions
        Analytes, units and words.
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    rows : dict
        sample_id -> patient index.
    patients : DataFrame
        Checked patients.
    problems : Problems
        Gets what is wrong.
    progress : callable
        Told what is being read.
    calendar : bool, optional
        Whether the cohort has calendar dates; by default these patients say so.
    judged : Definitions, optional
        Of a model, where those by which the cells are read know more analytes: their values are
        left out and counted.

    Returns
    -------
    biomarkers, visits : DataFrame
        Empty where the cohort has none.
    """
    described = source.described
    rules = described.rules.in_calendar(has_calendar(patients) if calendar is None else calendar)
    judged = judged or definitions
    biomarkers, visits = no_biomarkers(judged), no_visits()
    if described.biomarkers:
        progress("biomarkers")
        biomarkers = _biomarkers(definitions, source, rows, patients, problems, rules)
        if judged.version != definitions.version:
            biomarkers = _known_to(judged, biomarkers, described.shown("biomarkers"), problems)
        biomarkers = with_derived(judged, biomarkers, patients)
    if described.alsfrs:
        progress("alsfrs")
        table = _table(definitions, source, "alsfrs", problems)
        where = described.shown("alsfrs")
        table = _with_zeros(table, rows, where, described, problems)
        visits = checked_visits(definitions, table, rows, patients, where, problems, rules)
    return biomarkers, visits


def _biomarkers(
    definitions: Definitions,
    source: CohortSource,
    rows: dict[str, int],
    patients: pd.DataFrame,
    problems: Problems,
    rules: ReadingRules,
) -> pd.DataFrame:
    described = source.described
    where = described.shown("biomarkers")
    index_dates = patients["index_date"].to_numpy().astype("datetime64[D]")
    table = _table(definitions, source, "biomarkers", problems)
    table = _with_zeros(table, rows, where, described, problems)
    if described.wide is None:
        return checked_biomarkers(definitions, table, rows, where, problems, rules, index_dates)
    return checked_wide(
        definitions, table, described.wide.facts(), rows, where, problems, rules, index_dates
    )


def _known_to(
    judged: Definitions, measured: pd.DataFrame, where: str, problems: Problems
) -> pd.DataFrame:
    """The values whose analyte a model knows; the others are counted by analyte."""
    known = analytes(judged).index
    strange = ~measured["analyte"].isin(known).to_numpy()
    if strange.any():
        counts = measured.loc[strange, "analyte"].value_counts()
        named = examples([f"{name} ({n})" for name, n in counts.items() if n], 8)
        problems.note(
            where,
            f"the model does not know the analyte of {int(strange.sum())} values: {named}",
            "They are left out.",
            int(strange.sum()),
            code="definition_unknown",
        )
    kept = measured[~strange].reset_index(drop=True)
    return kept.assign(analyte=kept["analyte"].cat.set_categories(known))


class Beside(TypedDict):
    """What a cohort knows of its genomes beside the genotypes."""

    variants: pd.DataFrame
    lookups: Lookups
    repeats: pd.DataFrame


class Genetics(Beside):
    """What genomes and references say of the patients of a cohort."""

    genotypes: Genotypes


def read_genetics(
    source: CohortSource,
    reading: Reading,
    rows: dict[str, int],
    n: int,
    problems: Problems,
    progress: Progress,
) -> Genetics:
    """Genotypes, variants, lookups and repeats of a cohort of `n`; `rows` is sample_id ->
    patient.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    reading : Reading
        Definitions, thresholds and references.
    rows : dict
        sample_id -> patient index.
    n : int
        Number of patients.
    problems : Problems
        Gets what is wrong.
    progress : callable
        Told what is being read.

    Returns
    -------
    Genetics
        Everything unknown where there is no VCF.
    """
    gathered = Gathered(reading.definitions, n)
    targeted, vcf_rows = gather_genotypes(source, reading, rows, gathered, problems, progress)
    genotypes = gathered.genotypes()
    if targeted is not None:
        genotypes = with_targets(genotypes, targeted)
    others = beside_genotypes(source, reading, genotypes.sites, vcf_rows, problems, progress)
    genotypes = with_phases(genotypes, others["variants"], source, reading, by_row(vcf_rows, n))
    return Genetics(genotypes=genotypes, **others)


def by_row(vcf_rows: dict[str, int], n: int) -> list[str]:
    """Sample name of each patient in the genetic files, empty where another has the same."""
    names = [""] * n
    for name, row in vcf_rows.items():
        names[row] = name
    return names


def with_phases(
    genotypes: Genotypes,
    variants: pd.DataFrame,
    source: CohortSource,
    reading: Reading,
    names: list[str],
) -> Genotypes:
    """Ask the files of the phase of alleles that may be two of a recessive gene.

    Parameters
    ----------
    genotypes : Genotypes
        Of n patients.
    variants : DataFrame
        What they are and weigh.
    source : CohortSource
        With the files.
    reading : Reading
        Whether phase is wanted.
    names : list of str
        Sample name of each patient in the files.

    Returns
    -------
    Genotypes
        With `phases`; as given where it is not wanted.
    """
    if not reading.haplotypes:
        return genotypes
    chosen = paired_alleles(reading.definitions, genotypes, variants)
    asked = partial(
        phases_of,
        source.files("variants"),
        panel=panel_of(source, reading),
        parents={},
    )
    return replace(genotypes, phases=phase_pairs(genotypes, chosen, names, asked))


def gather_genotypes(
    source: CohortSource,
    reading: Reading,
    rows: dict[str, int],
    into: Gathered,
    problems: Problems,
    progress: Progress,
) -> tuple[np.ndarray | None, dict[str, int]]:
    """Read who carries what, and where it was looked for, into `into`.

    Returns
    -------
    targeted : array of G, optional
        Fraction of each gene that was sequenced, where the cohort file says so.
    vcf_rows : dict
        Sample name in the genetic files -> patient index.
    """
    vcf_rows = vcf_patients(source, rows, problems)
    described = source.described
    if not described.variants:
        return None, vcf_rows
    targeted = None
    if described.targets is not None:
        path = source.file(described.targets, "targets")
        targeted = targeted_fraction(reading.definitions, path, described.genome_build)
    panel = panel_of(source, reading)
    kept = None
    if source.extracts is not None:
        kept = KeptExtracts(source.extracts, panel, vcf_rows)
    gather(
        panel=panel,
        paths=source.files("variants"),
        patients=vcf_rows,
        into=into,
        problems=problems,
        progress=progress,
        kept=kept,
        map_parts=cluster.map_parts(),
    )
    counted = ", ".join(f"{n} {name}" for name, n in into.counts.items())
    problems.note("variants", counted, "", code="genome_counted")
    return targeted, vcf_rows


def panel_of(source: CohortSource, reading: Reading) -> Panel:
    """What is asked of every genome of a cohort."""
    return Panel(
        definitions=reading.definitions,
        build=source.described.genome_build,
        rule=reading.rule,
        fasta=source.reference("fasta"),
        structural=reading.haplotypes,
    )


def beside_genotypes(
    source: CohortSource,
    reading: Reading,
    sites: pd.DataFrame,
    vcf_rows: dict[str, int],
    problems: Problems,
    progress: Progress,
) -> Beside:
    """Lookups, variants and repeats of a cohort whose genotypes have been read."""
    build = source.described.genome_build
    lookups = _lookups(source, reading, sites, problems, progress)
    progress("repeats")
    repeats = read_repeats(reading.definitions, source.files("repeats"), build, vcf_rows, problems)
    weighed = weigh_sites(reading.definitions, sites, build, lookups)
    return Beside(variants=weighed, lookups=lookups, repeats=repeats)


def _lookups(
    source: CohortSource,
    reading: Reading,
    sites: pd.DataFrame,
    problems: Problems,
    progress: Progress,
) -> Lookups:
    """The model's references, else those of the cohort file.

    Consequences come from the cohort's FASTA.
    """
    progress("reference files")
    lookups = reading.lookups
    if lookups is None:
        lookups = _own_lookups(reading.definitions, source, problems)
    fasta, gff = source.reference("fasta"), source.reference("gff")
    if fasta is None:
        return lookups
    keys = [key for key in sites["key"] if not is_structural(key)]
    effects = predicted_effects(
        reading.definitions, keys, source.described.genome_build, fasta, gff
    )
    return replace(lookups, effects=effects)


def _own_lookups(definitions: Definitions, source: CohortSource, problems: Problems) -> Lookups:
    """Population frequencies and ClinVar as far as the cohort file names them."""
    build = source.described.genome_build
    frequencies, clinvar = source.reference("frequencies"), source.reference("clinvar")
    if frequencies is None and source.described.variants:
        problems.note(
            "cohort file",
            "no population frequencies are given (reference.frequencies)",
            "Rare-variant features stay unknown unless the VCF itself has frequencies.",
            code="reference_absent",
        )
    lookups = read_lookups(definitions, build, frequencies, clinvar)
    chosen = source.described.reference.missense_score or ""
    missense = read_missense_score(definitions, source.reference("scores"), chosen, build)
    return replace(lookups, missense=missense)


def vcf_patients(source: CohortSource, rows: dict[str, int], problems: Problems) -> dict[str, int]:
    """Sample name in the VCF -> patient index: the sample map where it names the patient, else the
    sample_id itself.
    """
    where = source.described.sample_map
    if where is None:
        return rows
    table = read_table(source.file(where, "sample_map"))
    require_columns(table, ["sample_id", "vcf_id"], where)
    samples, genomes = text(table["sample_id"]), text(table["vcf_id"])
    stated = [(a, b) for a, b in zip(samples, genomes, strict=True) if a and b]
    if empty := len(table) - len(stated):
        problems.warn(
            where,
            f"{empty} rows lack a sample_id or a vcf_id",
            "They are left out.",
            empty,
            code="left_out",
        )
    pairs = list(dict.fromkeys(stated))  # a line that is there twice says nothing else
    _check_once([name for name, _ in pairs], "sample_id", where)
    mapped = dict(pairs)
    unknown = [name for name in mapped if name not in rows]
    if unknown:
        problems.warn(
            where,
            f"{len(unknown)} sample_id are not patients ({examples(unknown)})",
            "They are left out.",
            len(unknown),
            code="row_of_no_patient",
        )
    named = [mapped.get(name, name) for name in rows]
    _check_once(named, "vcf_id", where)
    return dict(zip(named, rows.values(), strict=True))


def _check_once(names: list[str], column: str, where: str) -> None:
    """Refuse a name that stands for two: one of them would have the genome of the other."""
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise DataError(
            f"{where}, column {column}",
            f"{len(twice)} are there twice, or are the names of two patients ({examples(twice)})",
            "Leave one line for each patient and each genome.",
            code="name_twice",
        )


def _kinship(source: CohortSource, rows: dict[str, int], problems: Problems) -> pd.DataFrame:
    """Pairs of patients (`row1`, `row2`, `kinship`) from the cohort's kinship table."""
    where = source.described.kinship
    if where is None:
        return pd.DataFrame({"row1": [], "row2": [], "kinship": []})
    table = read_table(source.file(where, "kinship"))
    require_columns(table, ["id1", "id2", "kinship"], where)
    pairs = {f"row{i}": pd.Series(text(table[f"id{i}"])).map(rows) for i in (1, 2)}
    coefficient = numbers(table["kinship"], f"{where}, column kinship", problems)
    found = pd.DataFrame({**pairs, "kinship": coefficient})
    known = found.dropna()
    if lost := len(found) - len(known):
        problems.note(
            where,
            f"{lost} pairs lack a kinship, or are not of two patients",
            "They are left out.",
            lost,
            code="left_out",
        )
    return known


def _report_duplicates(pairs: pd.DataFrame, problems: Problems) -> None:
    if len(pairs):
        reason = f"{len(pairs)} pairs of patients have identical genotypes at 200 or more sites"
        problems.warn(
            "variants",
            reason,
            "They are kept in one family; check for one person under two names.",
            len(pairs),
            code="patients_related",
        )


def _report_conflicts(cohort: Cohort, problems: Problems) -> None:
    for locus in ("C9orf72", "ATXN2"):
        conflicts = int(
            RepeatStates(cohort.definitions, locus, cohort.repeats, cohort.patients).conflict.sum()
        )
        if conflicts:
            reason = f"laboratory and repeat file disagree on {locus} in {conflicts} patients"
            problems.warn(
                "repeats",
                reason,
                "The laboratory result counts; repeat the test where it matters.",
                conflicts,
                code="row_contradiction",
            )
