"""Import tables of the AMP ALS data model (LinkML) as an ordinary cohort folder.

Classes and slots: V, from the public model (amp-als/data-model), as `amp_als_slots.tsv` lists them;
a user's own lines go before ours. A table is named as its class (`Subject.csv`,
`ALSFRSAssessment.csv`, `PulmonaryFunction.csv`). Only the model is public, so this was tried on
made-up tables, not on a release.

Day 0 is the first ALSFRS-R assessment. The model dates onset and diagnosis to the year, so that no
rate of decline before day 0 rests on them (`partial_dates: middle` of the cohort file). A disease
such as `C9-ALS` is a label, not a test: it sets no C9orf72 status, and `sporadic ALS` no family
history.
"""

from pathlib import Path

import pandas as pd
import yaml

from als_ml.imports.left_out import identifier, left_out, number
from als_ml.output import whole_folder
from features.catalogue import normal_name
from features.errors import DataError, RequestError, examples, nearest
from features.tables.files import read_table
from features.tables.formulas import inert
from features.tables.problems import Problems

SUBJECT, VISITS = "Subject", "ALSFRSAssessment"
TABLES = ("patients", "alsfrs", "biomarkers")
# Values of DiseaseEnum (amp-als/data-model, modules/entities/Subject.yaml, V).
DIAGNOSES = {
    "control": "control",
    "c9_als": "als",
    "sporadic_als": "als",
    "als": "als",
    "als_ftd": "als_ftd",
    "ftd": "mimic",
    "c9_ftd": "mimic",
}


def import_amp_als(
    source: Path, output: Path, problems: Problems, slots: Path | None = None
) -> dict[str, int]:
    """Read the tables of a folder and write a cohort.

    Parameters
    ----------
    source : Path
        Folder with a table for each class, CSV, TSV or Parquet.
    output : Path
        Cohort folder to make.
    problems : Problems
        Gets what was left out.
    slots : Path, optional
        A table like `amp_als_slots.tsv` whose lines count before ours.

    Returns
    -------
    dict of int
        What was imported -> count.

    Raises
    ------
    DataError
        If there are no subjects, or no visits.
    RequestError
        If the user's slots do not hold, or the output folder is in use.
    """
    known, files = read_slots(slots), _files(source)
    with whole_folder(output) as folder:
        patients = _patients(_renamed(files, known, SUBJECT, "patients", problems), problems)
        visits = _dated(_renamed(files, known, VISITS, "alsfrs", problems), VISITS, problems)
        values = _values(files, known, problems)
        tables = dict(zip(TABLES, (patients, visits, values), strict=True))
        for name, table in tables.items():
            inert(table).to_csv(folder / f"{name}.csv", index=False)
        described = {
            "name": source.name,
            **{name: f"{name}.csv" for name in tables},
            "index_date": "first_visit",
            "partial_dates": "middle",
        }
        (folder / "cohort.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return {name: len(table) for name, table in tables.items()}


def read_slots(own: Path | None = None) -> pd.DataFrame:
    """The shipped slots, a user's before them.

    Parameters
    ----------
    own : Path, optional
        Columns class, slot, table, ours, and unit for an analyte.

    Raises
    ------
    RequestError
        If the file lacks a column or names an unknown table.
    """
    path = Path(__file__).with_name("amp_als_slots.tsv")
    shipped = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if own is None:
        return shipped
    table = read_table(own).fillna("")
    for column in ("class", "slot", "table", "ours"):
        if column not in table.columns:
            raise RequestError(
                str(own),
                f"the column {column!r} is missing",
                nearest(column, table.columns),
                code="column_missing",
            )
    strange = [name for name in table["table"] if name not in TABLES]
    if strange:
        raise RequestError(
            f"{own}, column table",
            f"{strange[0]!r} is not a table of a cohort",
            nearest(str(strange[0]), TABLES),
            code="key_value",
        )
    unit = table["unit"] if "unit" in table.columns else ""
    return pd.concat([table.assign(unit=unit), shipped], ignore_index=True)


def _files(source: Path) -> dict[str, Path]:
    found = {path.name.partition(".")[0].lower(): path for path in sorted(source.glob("*.*"))}
    for needed in (SUBJECT, VISITS):
        if needed.lower() not in found:
            raise DataError(
                str(source),
                f"there is no table {needed}",
                "Name the tables as the classes of the data model: Subject.csv, ...",
                code="file_absent",
            )
    return found


def _renamed(
    files: dict[str, Path], slots: pd.DataFrame, kind: str, table: str, problems: Problems
) -> pd.DataFrame:
    """A table of a class under our names; slots that mean nothing to us are noted."""
    path = files[kind.lower()]
    read = read_table(path)
    ours = slots[(slots["class"] == kind) & slots["table"].isin([table, "biomarkers"])]
    meant = {normal_name(slot): name for slot, name in zip(ours["slot"], ours["ours"], strict=True)}
    named: dict[str, str] = {}
    for column in read.columns:
        name = meant.get(normal_name(str(column)))
        if name and name not in named.values():
            named[str(column)] = name
    others = [str(column) for column in read.columns if str(column) not in named]
    if others:
        problems.note(
            path.name,
            f"{len(others)} slots are not read ({examples(others, 5)})",
            "A line of --slots reads one.",
            len(others),
            code="column_unread",
        )
    if "sample_id" not in named.values():
        raise DataError(
            path.name,
            "no column names the subject",
            "It is globalSubjectId or originalSubjectId.",
            code="column_missing",
        )
    kept = read[list(named)].rename(columns=named)
    return kept.assign(sample_id=kept["sample_id"].map(identifier))


def _patients(table: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Subjects, each once, with a diagnosis of the contract; their height is a measurement."""
    twice = table["sample_id"].duplicated()
    left_out(int(twice.sum()), SUBJECT, "rows repeat a subject", problems)
    patients = table[~twice].drop(columns="height", errors="ignore")
    if "diagnosis" in patients.columns:
        known = {cell: _diagnosis(cell) for cell in patients["diagnosis"].dropna().unique()}
        strange = [cell for cell, meant in known.items() if meant is None]
        n = int(patients["diagnosis"].isin(strange).sum())
        left_out(n, SUBJECT, f"subjects have another disease ({examples(strange)})", problems)
        meant = patients["diagnosis"].map(known)
        kept = ~patients["diagnosis"].isin(strange)
        patients = patients.assign(diagnosis=meant)[kept]
    for name in ("onset_days", "diagnosis_days"):
        if name in patients.columns:
            year = number(patients[name])
            patients[name] = [None if cell != cell else f"{cell:.0f}" for cell in year]
    return patients


def _diagnosis(cell: object) -> str | None:
    """The diagnosis of a cell, which may list several diseases."""
    meant = {DIAGNOSES.get(normal_name(one)) for one in str(cell).strip("[]").split(",")}
    for ours in ("als_ftd", "als", "mimic", "control"):
        if ours in meant:
            return ours
    return None


def _dated(table: pd.DataFrame, kind: str, problems: Problems) -> pd.DataFrame:
    """Rows with a date, which is cut to its day."""
    if "days" not in table.columns:
        raise DataError(
            kind, "the slot 'assessmentDate' is missing", "Nothing dates it.", code="column_missing"
        )
    date = pd.to_datetime(table["days"].astype(str).str.slice(0, 10), errors="coerce")
    left_out(int(date.isna().sum()), kind, "rows have no date", problems)
    return table.assign(days=date.dt.strftime("%Y-%m-%d"))[date.notna()]


def _values(files: dict[str, Path], slots: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Analytes of every class that has a date, one row a value."""
    parts = [pd.DataFrame(columns=["sample_id", "days", "analyte", "value", "unit"])]
    own = slots[slots["table"] == "biomarkers"]
    units = dict(zip(own["ours"], own["unit"], strict=True))
    for kind in own["class"].unique():
        if kind == SUBJECT or kind.lower() not in files:
            continue
        table = _dated(_renamed(files, slots, kind, "biomarkers", problems), kind, problems)
        for analyte in [name for name in table.columns if name not in ("sample_id", "days")]:
            long = table[["sample_id", "days"]].assign(analyte=analyte, value=table[analyte])
            parts.append(long.assign(unit=units[analyte])[long["value"].notna()])
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
