"""Import the PRO-ACT release: its CSV tables as an ordinary cohort folder.

Tables and columns: V, from public curation code. Only the schema is public,
so nothing here was tried on the real data. Deltas are days from the start of the trial; the first
ALSFRS visit of a patient becomes day 0. PRO-ACT has almost no genotype, and NfL of few subjects
(`F_PROACT_Neurofilament`): use it for progression only. What is left out is counted and named in
`problems`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from als_ml.output import whole_folder
from features.biomarkers.units import unit_factor
from features.catalogue import Definitions, analyte_names, analytes, normal_name, shipped
from features.errors import DataError, RequestError, examples, nearest
from features.tables.cells import Dialect, read_values
from features.tables.days import MOST_DAYS
from features.tables.files import read_table
from features.tables.formulas import inert
from features.tables.problems import Problems

DAYS_PER_YEAR = 365.25
COMMON = {
    "q1_speech": "q1",
    "q2_salivation": "q2",
    "q3_swallowing": "q3",
    "q4_handwriting": "q4",
    "q5a_cutting_without_gastrostomy": "q5a",
    "q5b_cutting_with_gastrostomy": "q5b",
    "q6_dressing_and_hygiene": "q6",
    "q7_turning_in_bed": "q7",
    "q8_walking": "q8",
    "q9_climbing_stairs": "q9",
    "q10_respiratory": "q10_alsfrs",
    "r_1_dyspnea": "q10",
    "r_2_orthopnea": "q11",
    "r_3_respiratory_insufficiency": "q12",
}
# Without one of these a table would be read as if nothing had been measured.
NEEDED = {
    "ALSFRS": ("alsfrs_delta", *(name for name in COMMON if name[:3] not in ("q5b", "q10"))),
    "ALSHISTORY": ("onset_delta", "diagnosis_delta"),
    "DEMOGRAPHICS": ("age", "sex"),
    "FAMILYHISTORY": ("neurological_disease",),
    "FVC": ("forced_vital_capacity_delta", "pct_of_normal_trial_1"),
    "SVC": ("slow_vital_capacity_delta", "pct_of_normal_trial_1"),
    "LABS": ("laboratory_delta", "test_name", "test_result", "test_unit"),
    "VITALSIGNS": ("vital_signs_delta", "weight", "weight_units"),
    "DEATHDATA": ("subject_died", "death_days"),
    "ELESCORIAL": ("el_escorial",),
    "RILUZOLE": ("subject_used_riluzole",),
    "TREATMENT": ("study_arm", "treatment_group_delta"),
    # Columns: V, from public analyses of a release that has the table.
    "NEUROFILAMENT": ("collection_delta", "analyte", "matrix", "result"),
}
# Half of it, so that a day counted from another day stays one that the tables accept.
FARTHEST_DAY = MOST_DAYS // 2
NOT_FLAGGED = ("", "0", "0.0", "no", "n", "false", "nan", "none")
ONSET_SITES = {"bulbar": "bulbar", "limb": "limb", "spine": "axial"}
DEGREES = {
    "first_degree": (
        "mother",
        "father",
        "brother",
        "sister",
        "sibling",
        "son",
        "daughter",
        "child",
        "parent",
    ),
    "second_degree": ("aunt", "uncle", "grand", "nephew", "niece"),
}


def import_proact(source: Path, output: Path, problems: Problems) -> dict[str, int]:
    """Read the PRO-ACT tables of a folder and write cohort.yaml, patients.csv, biomarkers.csv and
    alsfrs.csv.

    Parameters
    ----------
    source : Path
        Folder with the CSV files of PRO-ACT.
    output : Path
        Cohort folder to make.
    problems : Problems
        Gets what was left out.

    Returns
    -------
    dict of int
        What was imported -> count.

    Raises
    ------
    DataError
        If the ALSFRS table or a column that is needed (`NEEDED`) is absent.
    RequestError
        If `source` is not a folder, or the output folder is in use.
    """
    with whole_folder(output) as folder:
        definitions, release = shipped(), Release(source, problems)
        visits, start = _visits(release)
        death = _death(release, start)
        visits = _before_death(visits, death, problems)
        values = _biomarkers(definitions, release, start, problems)
        patients = _patients(release, start, death, values, problems)
        tables = {"patients": patients, "alsfrs": visits, "biomarkers": values}
        for name, table in tables.items():
            inert(table).to_csv(folder / f"{name}.csv", index=False)
        described = {"name": "PRO-ACT", **{name: f"{name}.csv" for name in tables}}
        (folder / "cohort.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return {"patients": len(patients), "visits": len(visits), "biomarker values": len(values)}


class Release:
    """The tables of a release.

    Names of files and columns are compared without case, blanks and underscores.
    """

    def __init__(self, source: Path, problems: Problems):
        if not source.is_dir():
            raise RequestError(
                str(source),
                "there is no such folder",
                "Give the folder of the PRO-ACT release.",
                code="file_absent",
            )
        self.problems, self.seen = problems, pd.Series(dtype=float)
        # Some downloads name their files F_PROACT_ALSFRS.csv.
        self.files = {
            path.stem.upper().removeprefix("F_").removeprefix("PROACT_"): path
            for path in sorted(source.glob("*.csv"))
        }
        if "ALSFRS" not in self.files:
            raise DataError(
                str(source),
                "there is no PROACT_ALSFRS.csv",
                "Give the folder of the PRO-ACT release.",
                code="file_absent",
            )

    def table(self, name: str) -> pd.DataFrame:
        """A table with normal column names, empty (with a note) where the release lacks it."""
        if name not in self.files:
            self.problems.note(
                f"PROACT_{name}.csv",
                "it is not in the folder",
                "What comes from it stays unknown.",
                code="file_absent",
            )
            return pd.DataFrame({"subject_id": pd.Series([], dtype=object)})
        table, where = read_table(self.files[name]), self.files[name].name
        table.columns = pd.Index([normal_name(column) for column in table.columns])
        for column in ("subject_id", *NEEDED[name]):
            if column not in table.columns:
                raise DataError(
                    where,
                    f"the column {column!r} is missing",
                    nearest(column, table.columns),
                    code="column_missing",
                )
        table["subject_id"] = table["subject_id"].map(_identifier)
        for column in [name for name in table.columns if name.endswith(("_delta", "_days"))]:
            table[column] = self._days(table[column], where)
            if column != "death_days":
                self._see(table["subject_id"], table[column])
        return table

    def _days(self, column: pd.Series, where: str) -> pd.Series:
        """Days of the trial; those farther off than a life is long are slips."""
        days = _number(column)
        far = days.abs() > FARTHEST_DAY
        _left_out(
            int(far.sum()), where, f"cells of {column.name} are not numbers of days", self.problems
        )
        return days.mask(far)

    def _see(self, subject: pd.Series, days: pd.Series) -> None:
        """Remember the last day on which each subject was seen in any table."""
        last = pd.concat([self.seen, days.groupby(subject).max()])
        self.seen = last.groupby(level=0).max()


def _identifier(value: object) -> str | None:
    """Subject numbers as text; those of a typed column lose their `.0`."""
    text = None if value is None or value != value else str(value)
    return text.removesuffix(".0") if text else None


def _number(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return (
        table[name] if name in table.columns else pd.Series(np.nan, index=table.index, dtype=object)
    )


def _first(table: pd.DataFrame, name: str) -> pd.Series:
    """First known cell of each subject; several rows a subject are usual."""
    column = _column(table, name)
    return column.where(column.notna()).groupby(table["subject_id"]).first()


def _death(release: "Release", start: pd.Series) -> pd.Series:
    """Day of death of those who died; the release also dates the last contact of others there."""
    table = release.table("DEATHDATA")
    died = (
        _column(table, "subject_died")
        .astype(str)
        .str.lower()
        .isin(["yes", "y", "1", "1.0", "true"])
    )
    return _shifted(table[died], "death_days", start)


def _shifted(table: pd.DataFrame, column: str, start: pd.Series) -> pd.Series:
    """A day of each subject, counted from his first visit."""
    days = _number(_first(table, column))
    return (days - start.reindex(days.index).fillna(0)).round()


def _visits(release: Release) -> tuple[pd.DataFrame, pd.Series]:
    """ALSFRS visits, and each subject's first delta."""
    table, problems = release.table("ALSFRS"), release.problems
    delta = table["alsfrs_delta"].round()
    dated = delta.notna() & table["subject_id"].notna()
    _left_out(int((~dated).sum()), "PROACT_ALSFRS.csv", "visits have no day", problems)
    table, delta = table[dated], delta[dated]
    start = delta.groupby(table["subject_id"]).min()
    visits = pd.DataFrame(
        {
            "sample_id": table["subject_id"],
            "days": (delta - table["subject_id"].map(start)).astype(int),
        }
    )
    for theirs, ours in COMMON.items():
        visits[ours] = _points(_column(table, theirs), theirs, problems)
    both = visits["q5a"].notna() & visits["q5b"].notna() & (visits["q5a"] != visits["q5b"])
    _left_out(
        int(both.sum()),
        "PROACT_ALSFRS.csv",
        "visits have both Q5a and Q5b, which differ; item 5 is left empty",
        problems,
    )
    visits.loc[both, ["q5a", "q5b"]] = np.nan
    revised = visits[["q10", "q11", "q12"]].notna().any(axis=1)
    revised |= visits["q10_alsfrs"].isna() & _number(_column(table, "alsfrs_r_total")).notna()
    visits["scale"] = np.where(revised, "alsfrs_r", "alsfrs")
    visits["total"] = _totals(table, visits, revised, problems)
    visits.loc[revised, "q10_alsfrs"] = np.nan
    again = visits.duplicated(["sample_id", "days"])
    _left_out(
        int(again.sum()), "PROACT_ALSFRS.csv", "visits repeat a day of their subject", problems
    )
    return visits[~again].sort_values(["sample_id", "days"]), start


def _points(column: pd.Series, name: str, problems: Problems) -> pd.Series:
    points = _number(column)
    odd = points.notna() & ~points.isin([0, 1, 2, 3, 4])
    _left_out(
        int(odd.sum()),
        "PROACT_ALSFRS.csv",
        f"cells of {name} are not whole points from 0 to 4",
        problems,
    )
    return points.mask(odd)


def _totals(
    table: pd.DataFrame, visits: pd.DataFrame, revised: pd.Series, problems: Problems
) -> pd.Series:
    """Stated totals where no item is given, and where they agree with the items."""
    stated = _number(_column(table, "alsfrs_r_total")).where(
        revised, _number(_column(table, "alsfrs_total"))
    )
    q5 = visits["q5a"].fillna(visits["q5b"])
    common = visits[[f"q{i}" for i in (1, 2, 3, 4, 6, 7, 8, 9)]].sum(axis=1, skipna=False) + q5
    computed = (
        visits[["q10", "q11", "q12"]].sum(axis=1, skipna=False).where(revised, visits["q10_alsfrs"])
        + common
    )
    possible = stated.between(0, np.where(revised, 48, 40))
    _left_out(
        int((~possible & stated.notna()).sum()), "PROACT_ALSFRS.csv", "totals cannot be", problems
    )
    stated = stated.where(possible)
    differs = computed.notna() & stated.notna() & (computed != stated)
    _left_out(
        int(differs.sum()),
        "PROACT_ALSFRS.csv",
        "totals differ from their items, which count",
        problems,
    )
    return stated.mask(differs)


def _before_death(visits: pd.DataFrame, death: pd.Series, problems: Problems) -> pd.DataFrame:
    late = visits["days"] > visits["sample_id"].map(death)
    _left_out(
        int(late.sum()), "PROACT_ALSFRS.csv", "visits lie after the subject's death", problems
    )
    return visits[~late]


def _left_out(n: int, where: str, what: str, problems: Problems) -> None:
    if n:
        problems.warn(where, f"{n} {what}", "They are left out.", n, code="left_out")


def _biomarkers(
    definitions: Definitions, release: Release, start: pd.Series, problems: Problems
) -> pd.DataFrame:
    parts = [
        _labs(definitions, release, problems),
        *(_capacity(release, name) for name in ("FVC", "SVC")),
        *_size(definitions, release),
        _neurofilaments(definitions, release, problems),
    ]
    table = pd.concat(parts, ignore_index=True)
    known = table["value"].notna() & table["days"].notna() & table["sample_id"].notna()
    _left_out(
        int((~known & table["value"].notna()).sum()),
        "PROACT tables",
        "values have no day or no subject",
        problems,
    )
    table = table[known]
    table["days"] = (table["days"] - table["sample_id"].map(start).fillna(0)).round().astype(int)
    return table.sort_values(["sample_id", "analyte", "days"])


def _long(
    subject: pd.Series, days: pd.Series, value: pd.Series, analyte: object, unit: object
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": subject,
            "analyte": analyte,
            "value": value,
            "unit": unit,
            "days": _number(days),
        }
    )


def _labs(definitions: Definitions, release: Release, problems: Problems) -> pd.DataFrame:
    """Laboratory values of our analytes, in the canonical unit; limits keep their sign."""
    table, where = release.table("LABS"), "PROACT_LABS.csv"
    labs = _spellings("labs")
    names = dict(zip(labs["test_name"].map(normal_name), labs["analyte"], strict=True))
    test = _column(table, "test_name").astype(object)
    analyte = test.map({name: names.get(normal_name(str(name))) for name in test.dropna().unique()})
    other = test[analyte.isna()].dropna()
    if len(other):
        reason = (
            f"{len(other)} values of {other.nunique()} other tests"
            f" ({examples(sorted(other.unique()))})"
        )
        problems.note(
            where,
            reason,
            "They are not analytes of ours and are left out.",
            len(other),
            code="left_out",
        )
    table, analyte = table[analyte.notna()], analyte.dropna()
    factor = _lab_factors(definitions, analyte, _column(table, "test_unit"), where, problems)
    value = _lab_values(_column(table, "test_result"), factor, where, problems)
    unit = analyte.map(analytes(definitions)["unit"])
    return _long(table["subject_id"], _column(table, "laboratory_delta"), value, analyte, unit)


# Names that the unit of a neurofilament may have; public analyses found pg/mL throughout.
_UNIT_COLUMNS = ("unit", "units", "result_unit", "test_unit")


def _neurofilaments(definitions: Definitions, release: Release, problems: Problems) -> pd.DataFrame:
    """Neurofilaments by their analyte and matrix, which never share an id."""
    table, where = release.table("NEUROFILAMENT"), "PROACT_NEUROFILAMENT.csv"
    names = analyte_names(definitions)
    said = zip(_column(table, "analyte"), _column(table, "matrix"), strict=True)
    meant = [names.get(f"{normal_name(str(a))}_{normal_name(str(m))}") for a, m in said]
    analyte = pd.Series(meant, index=table.index, dtype=object)
    _left_out(int(analyte.isna().sum()), where, "values are of another analyte or matrix", problems)
    table, analyte = table[analyte.notna()], analyte.dropna()
    column = next((name for name in _UNIT_COLUMNS if name in table.columns), None)
    if column is None and len(table):
        problems.note(
            where,
            f"{len(table)} values have no column of units",
            "They are taken for pg/mL, as public analyses of the release found.",
            len(table),
            code="unit_doubtful",
        )
    unit = _column(table, column) if column else pd.Series("pg/mL", index=table.index)
    factor = _lab_factors(definitions, analyte, unit, where, problems)
    value = _lab_values(_column(table, "result"), factor, where, problems)
    canonical = analyte.map(analytes(definitions)["unit"])
    return _long(table["subject_id"], _column(table, "collection_delta"), value, analyte, canonical)


def _lab_factors(
    definitions: Definitions, analyte: pd.Series, unit: pd.Series, where: str, problems: Problems
) -> pd.Series:
    pairs, written = pd.DataFrame({"analyte": analyte, "unit": unit.astype(object)}), _units()
    distinct = pairs.drop_duplicates().dropna()
    known = {
        (a, u): unit_factor(definitions, a, _unit(u, written))
        for a, u in zip(distinct["analyte"], distinct["unit"], strict=True)
    }
    keys = pd.Series(
        list(zip(pairs["analyte"], pairs["unit"], strict=True)), index=pairs.index, dtype=object
    )
    factor = keys.map(known).astype(float)
    none = unit.isna()
    _left_out(int(none.sum()), where, "values have no unit", problems)
    strange = pairs[factor.isna() & ~none].value_counts()
    named = examples(f"{a} in {u!r}: {n}" for (a, u), n in zip(strange.index, strange, strict=True))
    _left_out(
        int(strange.sum()), where, f"values have a unit that does not fit ({named})", problems
    )
    return factor


def _units() -> dict[str, str]:
    """A unit as the release writes it -> as our definitions spell it."""
    table = _spellings("units")
    return dict(zip(table["written"], table["unit"], strict=True))


def _spellings(name: str) -> pd.DataFrame:
    """One of the two tables beside this module: `labs` (tests) or `units`."""
    return pd.read_csv(Path(__file__).with_name(f"proact_{name}.tsv"), sep="\t", dtype=str)


def _unit(stated: object, known: dict[str, str]) -> str:
    """A unit as our definitions spell it, by `_units`."""
    return known.get("".join(str(stated).lower().split()).removesuffix("."), str(stated))


def _lab_values(result: pd.Series, factor: pd.Series, where: str, problems: Problems) -> pd.Series:
    """Canonical values as text, with the sign of a limit before them."""
    codes, cells = pd.factorize(result.astype(object), use_na_sentinel=True)
    # `6,900` stands in the release beside `12.5`: a comma there separates thousands.
    read = read_values(np.array([str(cell) for cell in cells], dtype=object), Dialect("."))
    value = np.append(read.value, np.nan)[codes] * factor.to_numpy()
    sign = np.append(read.sign, "")[codes]
    bad = ~np.isfinite(read.value) | (read.value < 0)
    value[np.append(bad, False)[codes]] = np.nan
    broken = int(np.append(bad, False)[codes].sum())
    _left_out(broken, where, "results are not numbers (such as NEG or Trace) or below 0", problems)
    text = pd.Series(sign, index=result.index, dtype=object) + pd.Series(
        value, index=result.index
    ).map("{:.6g}".format)
    return text.where(np.isfinite(value))


def _capacity(release: Release, name: str) -> pd.DataFrame:
    """Best of three trials in percent of predicted, or litres over the subject's normal."""
    table, kind = release.table(name), {"FVC": "forced", "SVC": "slow"}[name]
    trials = range(1, 4)
    percent = pd.DataFrame(
        {i: _number(_column(table, f"pct_of_normal_trial_{i}")) for i in trials}
    ).max(axis=1)
    litres = pd.DataFrame(
        {i: _number(_column(table, f"subject_liters_trial_{i}")) for i in trials}
    ).max(axis=1)
    best = percent.fillna(100 * litres / _number(_column(table, "subject_normal"))).round(2)
    return _long(
        table["subject_id"],
        _column(table, f"{kind}_vital_capacity_delta"),
        best,
        f"{name.lower()}_pct",
        "%",
    )


def _size(definitions: Definitions, release: Release) -> list[pd.DataFrame]:
    table = release.table("VITALSIGNS")
    days, written = _column(table, "vital_signs_delta"), _units()
    parts = []
    for name, canonical in (("weight", "kg"), ("height", "cm")):
        unit, raw = _column(table, f"{name}_units").astype(object), _number(_column(table, name))
        factor = unit.map(
            {
                u: unit_factor(definitions, name, _unit(u, written).lower())
                for u in unit.dropna().unique()
            }
        ).astype(float)
        # 180 without a unit may be kilograms or pounds; a guess would be an unseen error.
        lost = int((raw.notna() & factor.isna()).sum())
        _left_out(
            lost,
            "PROACT_VITALSIGNS.csv",
            f"{name}s have no unit, or an unknown one",
            release.problems,
        )
        value = (raw * factor).round(2)
        parts.append(_long(table["subject_id"], days, value, name, canonical))
    return parts


def _patients(
    release: Release,
    start: pd.Series,
    death: pd.Series,
    values: pd.DataFrame,
    problems: Problems,
) -> pd.DataFrame:
    demographics, history = release.table("DEMOGRAPHICS"), release.table("ALSHISTORY")
    onset, diagnosis = (
        _shifted(history, f"{name}_delta", start) for name in ("onset", "diagnosis")
    )
    ids = sorted({*start.index, *demographics["subject_id"].dropna(), *values["sample_id"]})
    patients = pd.DataFrame({"sample_id": ids}).set_index("sample_id")
    patients["sex"] = _first(demographics, "sex").str.lower()
    patients["onset_days"], patients["diagnosis_days"] = onset, diagnosis
    patients["age_at_onset"] = _age(demographics).add(onset / DAYS_PER_YEAR).round(2)
    patients["onset_site"] = _onset_site(history, problems)
    patients["family_history"] = _family_history(release.table("FAMILYHISTORY"))
    patients["el_escorial"] = _escorial(_first(release.table("ELESCORIAL"), "el_escorial"))
    patients["riluzole"] = _ever(release.table("RILUZOLE"), "subject_used_riluzole")
    first = start.reindex(patients.index).fillna(0)
    patients["trial_drug"], begin = _trial_drug(release.table("TREATMENT"), start, problems)
    # An undated treatment counts from the start of the trial, lest treated visits pass for the
    # natural course.
    treated = patients["trial_drug"] == "yes"
    patients["trial_drug_start_days"] = (
        begin.reindex(patients.index).fillna(0 - first).where(treated)
    )
    patients["death_days"] = death
    patients["last_contact_days"] = np.fmin(
        (release.seen.reindex(patients.index) - first).round(), patients["death_days"]
    )
    return _possible(patients, problems).reset_index()


def _trial_drug(
    treatment: pd.DataFrame, start: pd.Series, problems: Problems
) -> tuple[pd.Series, pd.Series]:
    """Whether a subject ever had the drug, and the first day on it: a placebo arm may go over to it
    in an extension.
    """
    arm = _column(treatment, "study_arm").astype(object).str.lower()
    arm = arm.map({"active": "yes", "placebo": "no"})
    drug = arm.groupby(treatment["subject_id"]).max()
    on_drug = treatment[arm == "yes"]
    begin = _number(_column(on_drug, "treatment_group_delta")).groupby(on_drug["subject_id"]).min()
    treated = int((drug == "yes").sum())
    if treated:
        problems.note(
            "PROACT_TREATMENT.csv",
            f"{treated} subjects had the trial drug",
            "Their progression label ends where it starts; what comes later does not count.",
            treated,
            code="left_out",
        )
    return drug, (begin - start.reindex(begin.index).fillna(0)).round()


def _ever(table: pd.DataFrame, name: str) -> pd.Series:
    """`yes` where any row of a subject says so, else `no`."""
    words = _column(table, name).astype(object).dropna().str.lower()
    return words.groupby(table["subject_id"]).max()


def _age(demographics: pd.DataFrame) -> pd.Series:
    """Age at the start of the trial in years; `Date_of_Birth` is a (negative) number of days."""
    age, birth = (
        _number(_first(demographics, "age")),
        _number(_first(demographics, "date_of_birth")),
    )
    return age.fillna(birth.abs() / DAYS_PER_YEAR)


def _possible(patients: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Empty what the contract does not allow: an onset or a diagnosis after day 0, a diagnosis
    before onset.
    """
    late = {
        "onset_days": patients["onset_days"] > 0,
        "diagnosis_days": (
            (patients["diagnosis_days"] > 0) | (patients["diagnosis_days"] < patients["onset_days"])
        ),
        "age_at_onset": (
            ~patients["age_at_onset"].between(1, 110) & patients["age_at_onset"].notna()
        ),
        "sex": ~patients["sex"].isin(["female", "male"]) & patients["sex"].notna(),
        "riluzole": ~patients["riluzole"].isin(["yes", "no"]) & patients["riluzole"].notna(),
    }
    for name, bad in late.items():
        _left_out(int(bad.sum()), "PROACT tables", f"cells of {name} cannot be", problems)
        patients[name] = patients[name].mask(bad)
    return patients


def _onset_site(history: pd.DataFrame, problems: Problems) -> pd.Series:
    """Site of onset from the text or the flags; several sites at once stay unknown."""
    words = _first(history, "site_of_onset").astype(object).str.lower().fillna("")
    flags = {key: _number(_first(history, f"site_of_onset_{key}")) == 1 for key in ONSET_SITES}
    flagged = pd.DataFrame(
        {key: flags[key].reindex(words.index, fill_value=False) for key in ONSET_SITES}
    )
    named = pd.DataFrame({key: words.str.contains(key) for key in ONSET_SITES})
    sites = named.where(named.sum(axis=1) == 1, flagged, axis=0)
    several = (sites.sum(axis=1) != 1) & ((named.sum(axis=1) > 1) | (flagged.sum(axis=1) > 1))
    _left_out(
        int(several.sum()),
        "PROACT_ALSHISTORY.csv",
        "subjects have several sites of onset",
        problems,
    )
    site = sites.idxmax(axis=1).map(ONSET_SITES) if len(sites) else pd.Series([], dtype=object)
    return site.where(sites.any(axis=1) & ~several)


def _family_history(table: pd.DataFrame) -> pd.Series:
    """Nearest relative with ALS; a relative with another disease says nothing of ALS, so it is
    `unknown`.
    """
    fields = ("neurological_disease", "neurological_disease_other", "family_hx_of_neuro_disease")
    disease = [_column(table, name).astype(object).fillna("").str.lower() for name in fields]
    pattern = r"(?<!no )(?<!non-)(?<!not )\bals\b|amyotrophic|motor neuron"
    first, *others = disease
    joined = first
    for other in others:
        joined = joined.str.cat(other, sep=" | ")
    als = joined.str.contains(pattern, regex=True)
    subject = table["subject_id"]
    degree = pd.Series("unknown", index=pd.Index(subject.dropna().unique()), dtype=object)
    words = [word for degree in DEGREES.values() for word in degree]
    relatives = [name for name in table.columns if any(word in name for word in (*words, "cousin"))]
    for nearest_last in ("wider", "second_degree", "first_degree"):
        columns = [name for name in relatives if _degree(name) == nearest_last]
        mentioned = table[columns].astype(object).fillna("")
        silent = mentioned.apply(lambda cells: cells.astype(str).str.lower().isin(NOT_FLAGGED))
        hit = als & ~silent.all(axis=1)
        degree[subject[hit].dropna().unique()] = nearest_last
    return degree


def _degree(relative: str) -> str:
    """Degree of a relative's column; `grandmother` is not a mother."""
    words = ("second_degree", "first_degree")
    return next(
        (name for name in words if any(word in relative for word in DEGREES[name])), "wider"
    )


def _escorial(column: pd.Series) -> pd.Series:
    words = column.astype(object).str.lower().fillna("")
    kinds = [("laboratory", "probable_lab"), ("definite", "definite"), ("probable", "probable")]
    kinds += [("possible", "possible"), ("suspected", "suspected")]
    categories = [next((ours for word, ours in kinds if word in text), None) for text in words]
    return pd.Series(categories, index=column.index, dtype=object)
