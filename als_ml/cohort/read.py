"""Read a cohort file (`cohort.yaml`) and the files it names into checked tables."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from als_ml.config import explain
from features.alsfrs.visits import checked_visits, no_visits
from features.biomarkers.derived import with_derived
from features.biomarkers.measurements import checked_biomarkers, no_biomarkers
from features.biomarkers.wide import Wide, checked_wide
from features.blocks.genetics import weigh_sites
from features.catalogue import column_aliases, shipped
from features.cohort import Cohort
from features.errors import DataError, RequestError, examples
from features.genotypes.extraction import read_genotypes, with_targets
from features.genotypes.families import duplicated, family_numbers
from features.genotypes.genotype import no_genotypes
from features.genotypes.repeats import RepeatStates, read_repeats
from features.genotypes.vcf import ANY_CALL, CallRule
from features.patients import checked_patients
from features.tables.cells import Dialect
from features.tables.convert import (
    numbers,
    read_coded,
    read_table,
    rename_columns,
    require_columns,
    text,
    with_known_names,
)
from features.tables.problems import Problems
from features.tables.reading_rules import ReadingRules
from features.variants.lookups import Lookups, predicted_effects, read_clinvar, read_frequencies

# Set by --allow-outside.
ALLOW_OUTSIDE = "ALS_ML_ALLOW_OUTSIDE"
_PATHS = (
    "patients",
    "biomarkers",
    "alsfrs",
    "sample_map",
    "kinship",
    "targets",
    "variants",
    "repeats",
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Part):
    """Optional reference files; `gff` replaces the shipped gene models in `bcftools csq`."""

    fasta: str | None = None
    gff: str | None = None
    clinvar: str | None = None
    frequencies: str | None = None


class WideColumn(_Part):
    """What is said of one column of a wide biomarker table, or of all of them."""

    analyte: str | None = None
    unit: str | None = None
    matrix: str | None = None
    assay: str | None = None
    days: int | str | None = None


class WideTable(WideColumn):
    """A biomarker table with a column an analyte; what stands beside `columns` holds for all of them."""

    columns: dict[str, WideColumn]

    def facts(self) -> Wide:
        """The block as the reader wants it."""
        own = {name: column.model_dump(exclude_none=True) for name, column in self.columns.items()}
        return Wide(own, self.model_dump(exclude={"columns"}, exclude_none=True))


class CohortFile(_Part):
    """The keys of `cohort.yaml`; paths are relative to it, every part but `patients` is optional.

    `decimal`, `dates`, `policy` and `values` say how the cells of the tables are to be read (`features.tables.reading_rules`).
    """

    name: str = "cohort"
    genome_build: Literal["GRCh37", "GRCh38"] = "GRCh38"
    variants: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    patients: str
    biomarkers: str | None = None
    alsfrs: str | None = None
    sample_map: str | None = None
    kinship: str | None = None
    targets: str | None = None
    reference: Reference = Reference()
    columns: dict[str, str] = {}
    wide: WideTable | None = None
    decimal: Literal[".", ","] | None = None
    dates: Literal["iso", "day_first", "month_first"] | None = None
    policy: Literal["lenient", "strict"] = "lenient"
    values: dict[str, dict[str, str]] = {}

    @property
    def rules(self) -> ReadingRules:
        """How the tables are to be read."""
        return ReadingRules(Dialect(self.decimal, self.dates), self.policy == "strict", self.values)


def read_cohort_file(path: Path) -> CohortFile:
    """Parse a cohort file.

    Raises
    ------
    RequestError
        If it is absent, no YAML, or has an unknown key (with the nearest known one).
    """
    if not path.is_file():
        raise RequestError(
            str(path),
            "there is no such cohort file",
            "Give the path of a cohort.yaml with --cohort.",
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        described = CohortFile.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError(
            str(path), f"this is no YAML ({str(error).splitlines()[0]})", "Correct the file."
        ) from None
    except ValidationError as error:
        raise RequestError(*explain(error, CohortFile, str(path))) from None
    _stay_inside(path, described)
    return described


def _stay_inside(path: Path, described: CohortFile) -> None:
    """Refuse a path that leaves the cohort file's folder, by `..`, by a root or by a link, unless the user allows it."""
    if os.environ.get(ALLOW_OUTSIDE):
        return
    folder = path.parent.resolve()
    named = {key: getattr(described, key) for key in _PATHS}
    named |= {f"reference.{key}": value for key, value in described.reference.model_dump().items()}
    for key, value in named.items():
        for name in (value,) if isinstance(value, str) else value or ():
            if not (folder / name).resolve().is_relative_to(folder):
                remedy = (
                    "Move the file, or allow it with --allow-outside if you trust this cohort file."
                )
                raise RequestError(
                    f"{path}, {key}", f"{name!r} leaves the folder of the cohort file", remedy
                )


def read_cohort(
    path: Path,
    problems: Problems | None = None,
    rule: CallRule = ANY_CALL,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Cohort, CohortFile]:
    """Read and check everything that a cohort file names.

    Parameters
    ----------
    problems : Problems, optional
        Where warnings go; by default the first error is raised.
    rule : CallRule
        Least quality and depth of a genotype.
    progress : callable
        Told what is being read.
    """
    described, problems = read_cohort_file(path), problems or Problems()
    folder = path.parent
    progress("patients")
    table = _table(folder, described.patients, described, "patients", problems)
    patients = checked_patients(table, described.patients, problems, described.rules)
    rows = {name: i for i, name in enumerate(patients["sample_id"]) if name is not None}
    biomarkers, visits = long_tables(described, folder, rows, patients, problems, progress)
    genetics = read_genetics(described, folder, rows, len(patients), problems, rule, progress)
    related = [_kinship(described, folder, rows, problems), duplicated(genetics["genotypes"])]
    _report_duplicates(related[1], problems)
    families = family_numbers(patients, pd.concat(related, ignore_index=True))
    cohort = Cohort(
        name=described.name,
        patients=patients,
        biomarkers=biomarkers,
        alsfrs=visits,
        **genetics,
        families=families,
        definitions=shipped(),
    )
    _report_conflicts(cohort, problems)
    return cohort, described


def _table(
    folder: Path, name: str, described: CohortFile, kind: str, problems: Problems
) -> pd.DataFrame:
    """A table under the column names of the contract."""
    return table_names(read_coded(folder / name), name, described, kind, problems)


def table_names(
    table: pd.DataFrame, name: str, described: CohortFile, kind: str, problems: Problems
) -> pd.DataFrame:
    """Rename what the cohort file maps and what has a known other name; of a wide table, the sample's column only."""
    present = {
        ours: theirs for ours, theirs in described.columns.items() if theirs in table.columns
    }
    aliases = column_aliases(kind)
    if kind == "biomarkers" and described.wide is not None:
        aliases = {other: ours for other, ours in aliases.items() if ours == "sample_id"}
    return with_known_names(rename_columns(table, present, name), aliases, name, problems)


def long_tables(
    described: CohortFile,
    folder: Path,
    rows: dict[str, int],
    patients: pd.DataFrame,
    problems: Problems,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Checked biomarkers and visits; `rows` is sample_id -> position in `patients`."""
    biomarkers, visits = no_biomarkers(), no_visits()
    if described.biomarkers:
        progress("biomarkers")
        biomarkers = with_derived(_biomarkers(described, folder, rows, patients, problems))
    if described.alsfrs:
        progress("alsfrs")
        table = _table(folder, described.alsfrs, described, "alsfrs", problems)
        visits = checked_visits(table, rows, patients, described.alsfrs, problems, described.rules)
    return biomarkers, visits


def _biomarkers(
    described: CohortFile,
    folder: Path,
    rows: dict[str, int],
    patients: pd.DataFrame,
    problems: Problems,
) -> pd.DataFrame:
    where, index_dates = (
        str(described.biomarkers),
        patients["index_date"].to_numpy().astype("datetime64[D]"),
    )
    table = _table(folder, where, described, "biomarkers", problems)
    if described.wide is None:
        return checked_biomarkers(table, rows, where, problems, described.rules, index_dates)
    return checked_wide(
        table, described.wide.facts(), rows, where, problems, described.rules, index_dates
    )


def read_genetics(
    described: CohortFile,
    folder: Path,
    rows: dict[str, int],
    n: int,
    problems: Problems,
    rule: CallRule,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Genotypes, variants, lookups and repeats of a cohort of `n`; `rows` is sample_id -> patient."""
    vcf_rows = _vcf_rows(described, folder, rows, problems)
    build, genotypes = described.genome_build, no_genotypes(n)
    fasta = _reference(described, folder, "fasta")
    if described.variants:
        paths = _globbed(folder, described.variants, "variants")
        genotypes, counts = read_genotypes(
            paths, build, vcf_rows, n, problems, progress, rule, fasta
        )
        problems.note(
            "variants", ", ".join(f"{n} {name}" for name, n in counts.items()) or "nothing read", ""
        )
        if described.targets:
            genotypes = with_targets(genotypes, folder / described.targets, build)
    lookups = _lookups(described, folder, genotypes.sites, fasta, problems, progress)
    progress("repeats")
    repeats = read_repeats(
        _globbed(folder, described.repeats, "repeats"), build, vcf_rows, problems
    )
    weighed = weigh_sites(genotypes.sites, build, lookups)
    return {"genotypes": genotypes, "variants": weighed, "lookups": lookups, "repeats": repeats}


def _reference(described: CohortFile, folder: Path, name: str) -> Path | None:
    given = getattr(described.reference, name)
    if given is None:
        return None
    if not (folder / given).is_file():
        raise DataError(
            f"reference.{name}: {given}",
            "there is no such file",
            f"Paths are relative to {folder}.",
        )
    return folder / given


def _lookups(
    described: CohortFile,
    folder: Path,
    sites: pd.DataFrame,
    fasta: Path | None,
    problems: Problems,
    progress: Callable[[str], None],
) -> Lookups:
    """Read the reference files that the cohort file names."""
    build = described.genome_build
    paths = {
        name: _reference(described, folder, name) for name in ("frequencies", "clinvar", "gff")
    }
    if paths["frequencies"] is None and described.variants:
        found = "no population frequencies are given (reference.frequencies)"
        problems.note(
            "cohort file",
            found,
            "Rare-variant features stay unknown unless the VCF itself has frequencies.",
        )
    progress("reference files")
    return Lookups(
        read_frequencies(paths["frequencies"], build) if paths["frequencies"] else None,
        read_clinvar(paths["clinvar"], build) if paths["clinvar"] else None,
        predicted_effects(list(sites["key"]), build, fasta, paths["gff"]) if fasta else None,
    )


def _globbed(folder: Path, patterns: tuple[str, ...], key: str) -> list[Path]:
    paths: list[Path] = []
    for pattern in patterns:
        whole = folder / pattern
        found = (
            sorted(whole.parent.glob(whole.name)) if any(c in pattern for c in "*?[") else [whole]
        )
        found = [path for path in found if path.suffix not in (".tbi", ".csi")]
        if not found:
            raise DataError(
                f"{key}: {pattern}", "matches no file", f"Paths are relative to {folder}."
            )
        paths += found
    return paths


def _vcf_rows(
    described: CohortFile, folder: Path, rows: dict[str, int], problems: Problems
) -> dict[str, int]:
    """Sample name in the VCF -> patient index: the sample map where it names the patient, else the sample_id itself."""
    if not described.sample_map:
        return rows
    table, where = read_table(folder / described.sample_map), described.sample_map
    require_columns(table, ["sample_id", "vcf_id"], where)
    mapped = dict(zip(text(table["sample_id"]), text(table["vcf_id"]), strict=True))
    unknown = [name for name in mapped if name not in rows]
    if unknown:
        problems.warn(
            where,
            f"{len(unknown)} sample_id are no patient ({examples(unknown)})",
            "They are left out.",
            len(unknown),
        )
    return {mapped.get(name, name): row for name, row in rows.items()}


def _kinship(
    described: CohortFile, folder: Path, rows: dict[str, int], problems: Problems
) -> pd.DataFrame:
    """Pairs of patients (`row1`, `row2`, `kinship`) from the cohort's kinship table."""
    if not described.kinship:
        return pd.DataFrame({"row1": [], "row2": [], "kinship": []})
    table, where = read_table(folder / described.kinship), described.kinship
    require_columns(table, ["id1", "id2", "kinship"], where)
    pairs = {f"row{i}": pd.Series(text(table[f"id{i}"])).map(rows) for i in (1, 2)}
    coefficient = numbers(table["kinship"], f"{where}, column kinship", problems)
    return pd.DataFrame({**pairs, "kinship": coefficient}).dropna()


def _report_duplicates(pairs: pd.DataFrame, problems: Problems) -> None:
    if len(pairs):
        found = f"{len(pairs)} pairs of patients have identical genotypes at 200 or more sites"
        problems.warn(
            "variants",
            found,
            "They are kept in one family; check for one person under two names.",
            len(pairs),
        )


def _report_conflicts(cohort: Cohort, problems: Problems) -> None:
    for locus in ("C9orf72", "ATXN2"):
        conflicts = int(RepeatStates(locus, cohort.repeats, cohort.patients).conflict.sum())
        if conflicts:
            found = f"laboratory and repeat file disagree on {locus} in {conflicts} patients"
            problems.warn(
                "repeats",
                found,
                "The laboratory result counts; repeat the test where it matters.",
                conflicts,
            )
