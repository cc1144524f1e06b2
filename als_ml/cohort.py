"""Read a cohort file (`cohort.yaml`) and the files it names into checked tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from als_ml.config import explain
from features.biomarkers import checked_biomarkers, no_biomarkers
from features.cohort import Cohort
from features.errors import DataError, RequestError, examples
from features.families import family_numbers
from features.patients import checked_patients
from features.problems import Problems
from features.repeats import RepeatStates, read_repeats
from features.tables import numbers, read_table, rename_columns, require_columns, text
from features.vcf import no_genotypes, read_common_variants, read_genotypes, with_targets
from features.visits import checked_visits, no_visits

# A variant below this population frequency is rare (P; the configuration can say otherwise).
RARE_FREQUENCY = 0.001


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Part):
    """Optional reference files."""

    fasta: str | None = None
    clinvar: str | None = None
    frequencies: str | None = None


class CohortFile(_Part):
    """The keys of `cohort.yaml`; paths are relative to it, every part but `patients` is optional."""

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


def read_cohort_file(path: Path) -> CohortFile:
    """Parse a cohort file.

    Raises
    ------
    RequestError
        If it is absent, no YAML, or has an unknown key (with the nearest known one).
    """
    if not path.is_file():
        raise RequestError(str(path), "there is no such cohort file", "Give the path of a cohort.yaml with --cohort.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return CohortFile.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError(str(path), f"this is no YAML ({str(error).splitlines()[0]})", "Correct the file.") from None
    except ValidationError as error:
        raise RequestError(*explain(error, CohortFile, str(path))) from None


def read_cohort(
    path: Path,
    problems: Problems | None = None,
    rare_frequency: float = RARE_FREQUENCY,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Cohort, CohortFile]:
    """Read and check everything that a cohort file names.

    Parameters
    ----------
    problems : Problems, optional
        Where warnings go; by default the first error is raised.
    rare_frequency : float
        Population frequency from which a variant is no longer rare.
    progress : callable
        Told what is being read.
    """
    described, problems = read_cohort_file(path), problems or Problems()
    folder = path.parent
    progress("patients")
    patients = checked_patients(_table(folder, described.patients, described.columns), described.patients, problems)
    rows = {name: i for i, name in enumerate(patients["sample_id"]) if name is not None}
    tables = _long_tables(described, folder, rows, patients, problems, progress)
    vcf_rows = _vcf_rows(described, folder, rows, problems)
    genetics = _genetics(described, folder, vcf_rows, len(patients), rare_frequency, problems, progress)
    families = family_numbers(patients, _kinship(described, folder, rows, problems))
    for name in ("fasta", "clinvar"):
        if getattr(described.reference, name):
            problems.note(
                f"reference.{name}", "is not used by this version", "Known variants come from the definitions."
            )
    cohort = Cohort(described.name, patients, *tables, **genetics, families=families)
    _report_conflicts(cohort, problems)
    return cohort, described


def _table(folder: Path, name: str, columns: dict[str, str]) -> pd.DataFrame:
    table = read_table(folder / name)
    present = {ours: theirs for ours, theirs in columns.items() if theirs in table.columns}
    return rename_columns(table, present, name)


def _long_tables(
    described: CohortFile,
    folder: Path,
    rows: dict[str, int],
    patients: pd.DataFrame,
    problems: Problems,
    progress: Callable[[str], None],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    biomarkers, visits = no_biomarkers(), no_visits()
    if described.biomarkers:
        progress("biomarkers")
        table = _table(folder, described.biomarkers, described.columns)
        biomarkers = checked_biomarkers(table, rows, described.biomarkers, problems)
    if described.alsfrs:
        progress("alsfrs")
        table = _table(folder, described.alsfrs, described.columns)
        visits = checked_visits(table, rows, patients, described.alsfrs, problems)
    return biomarkers, visits


def _genetics(
    described: CohortFile,
    folder: Path,
    vcf_rows: dict[str, int],
    n: int,
    rare_frequency: float,
    problems: Problems,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    build, genotypes, common = described.genome_build, no_genotypes(n), None
    if described.variants:
        paths = _globbed(folder, described.variants, "variants")
        genotypes = read_genotypes(paths, build, vcf_rows, n, problems, progress)
        if described.targets:
            genotypes = with_targets(genotypes, folder / described.targets, build)
    if described.reference.frequencies:
        progress("population frequencies")
        common = read_common_variants(folder / described.reference.frequencies, build, rare_frequency)
    elif described.variants:
        found = "no population frequencies are given (reference.frequencies)"
        problems.note("cohort file", found, "Rare-variant features stay unknown; known variants are read all the same.")
    progress("repeats")
    repeats = read_repeats(_globbed(folder, described.repeats, "repeats"), build, vcf_rows, problems)
    return {"genotypes": genotypes, "repeats": repeats, "common": common}


def _globbed(folder: Path, patterns: tuple[str, ...], key: str) -> list[Path]:
    paths: list[Path] = []
    for pattern in patterns:
        whole = folder / pattern
        found = sorted(whole.parent.glob(whole.name)) if any(c in pattern for c in "*?[") else [whole]
        found = [path for path in found if path.suffix not in (".tbi", ".csi")]
        if not found:
            raise DataError(f"{key}: {pattern}", "matches no file", f"Paths are relative to {folder}.")
        paths += found
    return paths


def _vcf_rows(described: CohortFile, folder: Path, rows: dict[str, int], problems: Problems) -> dict[str, int]:
    """Sample name in the VCF -> patient index: the sample map where it names the patient, else the sample_id itself."""
    if not described.sample_map:
        return rows
    table, where = read_table(folder / described.sample_map), described.sample_map
    require_columns(table, ["sample_id", "vcf_id"], where)
    mapped = dict(zip(text(table["sample_id"]), text(table["vcf_id"]), strict=True))
    unknown = [name for name in mapped if name not in rows]
    if unknown:
        problems.warn(
            where, f"{len(unknown)} sample_id are no patient ({examples(unknown)})", "They are left out.", len(unknown)
        )
    return {mapped.get(name, name): row for name, row in rows.items()}


def _kinship(described: CohortFile, folder: Path, rows: dict[str, int], problems: Problems) -> pd.DataFrame:
    """Pairs of patients (`row1`, `row2`, `kinship`) from the cohort's kinship table."""
    if not described.kinship:
        return pd.DataFrame({"row1": [], "row2": [], "kinship": []})
    table, where = read_table(folder / described.kinship), described.kinship
    require_columns(table, ["id1", "id2", "kinship"], where)
    pairs = {f"row{i}": pd.Series(text(table[f"id{i}"])).map(rows) for i in (1, 2)}
    coefficient = numbers(table["kinship"], f"{where}, column kinship", problems)
    return pd.DataFrame({**pairs, "kinship": coefficient}).dropna()


def _report_conflicts(cohort: Cohort, problems: Problems) -> None:
    for locus in ("C9orf72", "ATXN2"):
        conflicts = int(RepeatStates(locus, cohort.repeats, cohort.patients).conflict.sum())
        if conflicts:
            found = f"laboratory and repeat file disagree on {locus} in {conflicts} patients"
            problems.warn(
                "repeats", found, "The laboratory result counts; repeat the test where it matters.", conflicts
            )
