"""Import a folder of the OMOP Common Data Model 5.4 as an ordinary cohort folder.

Tables and columns: V, from the field-level specification (OHDSI/CommonDataModel,
`OMOP_CDMv5.4_Field_Level.csv`). Concepts: `omop_concepts.tsv`, each with its source, mostly the
public mapping of Answer ALS; a user's own map goes before it. Only the schema and that mapping are
public, so this was tried on made-up tables, not on a release. A person's first ALSFRS-R visit
becomes day 0; without one, the first measurement. What no concept of ours means is counted.

Two habits of Answer ALS are read: 1900-01-01 stands for a date that nobody knows, and a
`*_source_value` ends in `: value`. A date known to its year stands at 1 January there; those of
onset and death are counted, because nothing tells them from true ones.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from als_ml.imports.left_out import identifier, left_out, number, optional
from als_ml.output import whole_folder
from features.biomarkers.units import unit_factor
from features.catalogue import Definitions, analyte_names, analytes, normal_name, shipped
from features.errors import DataError, RequestError, examples, nearest
from features.tables.files import read_table
from features.tables.formulas import inert
from features.tables.problems import Problems

DAYS_PER_YEAR = 365.25
# Before it no patient was seen: such a date stands for one that nobody knows.
_NOBODY_KNOWS = np.datetime64("1900-01-02")
# Databases write the end of time, 9999-12-31, for what has no end.
_NEVER = np.datetime64("2100-12-31")
NEEDED = {
    "person": ("person_id", "gender_concept_id", "year_of_birth"),
    "condition_occurrence": ("person_id", "condition_concept_id", "condition_start_date"),
    "drug_exposure": ("person_id", "drug_concept_id", "drug_exposure_start_date"),
    "measurement": ("person_id", "measurement_concept_id", "measurement_date", "value_as_number"),
    "observation": ("person_id", "observation_concept_id", "observation_date"),
    "death": ("person_id", "death_date"),
    "concept": ("concept_id", "concept_name"),
}
KINDS = (
    "sex",
    "item",
    "condition",
    "onset",
    "site_question",
    "site",
    "relative",
    "measurement",
    "unit",
    "operator",
    "drug_word",
)
ITEMS = ["q1", "q2", "q3", "q4", "q5a", "q5b", *(f"q{i}" for i in range(6, 13))]
ALS = "als"
_NEAREST_FIRST = ("first_degree", "second_degree", "wider")
# Several parts of one limb or region are one site; two regions are none.
_PARTS = {"limb": ("upper_limb", "lower_limb")}


def import_omop(
    source: Path, output: Path, problems: Problems, concepts: Path | None = None
) -> dict[str, int]:
    """Read the CDM tables of a folder and write a cohort.

    Parameters
    ----------
    source : Path
        Folder with `person` and others, CSV, TSV or Parquet.
    output : Path
        Cohort folder to make.
    problems : Problems
        Gets what was left out.
    concepts : Path, optional
        A table like `omop_concepts.tsv` whose lines count before ours.

    Returns
    -------
    dict of int
        What was imported -> count.

    Raises
    ------
    DataError
        If a table or a column that is needed is absent, or nobody has ALS.
    RequestError
        If the user's concepts do not hold, or the output folder is in use.
    """
    known = read_concepts(concepts)
    with whole_folder(output) as folder:
        release = Release(source, problems)
        visits = _visits(release, known)
        values = _values(shipped(), release, known)
        start = _day_zero(visits, values)
        patients = _patients(release, known, start, visits, values)
        tables = {
            "patients": patients,
            "alsfrs": _in_days(visits, start, patients),
            "biomarkers": _in_days(values, start, patients),
        }
        for name, table in tables.items():
            inert(table).to_csv(folder / f"{name}.csv", index=False)
        described = {"name": source.name, **{name: f"{name}.csv" for name in tables}}
        (folder / "cohort.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    counts = {name: len(table) for name, table in tables.items()}
    counts["with ALS"] = int((patients["diagnosis"] == ALS).sum())
    return counts


@dataclass(frozen=True)
class Concepts:
    """What concepts mean: kind -> {concept as text: ours}."""

    meant: dict[str, dict[str, str]]

    def of(self, kind: str, concept: pd.Series) -> pd.Series:
        """Ours for each concept, None where none is meant."""
        known = self.meant.get(kind, {})
        found = [known.get(identifier(one) or "") for one in concept]
        return pd.Series(found, index=concept.index, dtype=object)


def read_concepts(own: Path | None = None) -> Concepts:
    """The shipped concepts with a user's before them.

    Parameters
    ----------
    own : Path, optional
        Columns kind, concept, ours.

    Raises
    ------
    RequestError
        If the file lacks a column or names an unknown kind.
    """
    tables = [pd.read_csv(Path(__file__).with_name("omop_concepts.tsv"), sep="\t", dtype=str)]
    if own is not None:
        tables.append(_own_concepts(own))
    meant: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for table in tables:
        for kind, concept, ours in zip(table["kind"], table["concept"], table["ours"], strict=True):
            meant[kind][str(concept)] = str(ours)
    return Concepts(meant)


def _own_concepts(path: Path) -> pd.DataFrame:
    table = read_table(path)
    for column in ("kind", "concept", "ours"):
        if column not in table.columns:
            raise RequestError(
                str(path),
                f"the column {column!r} is missing",
                nearest(column, table.columns),
                code="column_missing",
            )
    table["concept"] = table["concept"].map(identifier)
    strange = [kind for kind in table["kind"] if kind not in KINDS]
    if strange:
        raise RequestError(
            f"{path}, column kind",
            f"{strange[0]!r} is not a kind of concept",
            nearest(str(strange[0]), KINDS),
            code="key_value",
        )
    return table


class Release:
    """The tables of a folder; names of files and columns are compared without case."""

    def __init__(self, source: Path, problems: Problems):
        self.problems = problems
        found = sorted(path for path in source.glob("*") if path.is_file())
        self.files = {path.name.lower().partition(".")[0]: path for path in found}
        if "person" not in self.files:
            raise DataError(
                str(source),
                "there is no table `person`",
                "Give the folder with person, observation, measurement, ... (CSV or Parquet).",
                code="file_absent",
            )
        self._read: dict[str, pd.DataFrame] = {}
        self.names = self._concept_names()

    def table(self, name: str) -> pd.DataFrame:
        """A table under lower-case names, empty (with a note) where the folder lacks it."""
        if name not in self._read:
            self._read[name] = self._table(name)
        return self._read[name]

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self.files:
            self.problems.note(
                name, "it is not in the folder", "What it says is unknown.", code="file_absent"
            )
            return pd.DataFrame({column: pd.Series([], dtype=object) for column in NEEDED[name]})
        path = self.files[name]
        table = read_table(path)
        table.columns = pd.Index([str(column).strip().lower() for column in table.columns])
        for column in NEEDED[name]:
            if column not in table.columns:
                raise DataError(
                    path.name,
                    f"the column {column!r} is missing",
                    nearest(column, table.columns),
                    code="column_missing",
                )
        if "person_id" in table.columns:
            table["person_id"] = table["person_id"].map(identifier)
        return table

    def _concept_names(self) -> dict[str, str]:
        """Name of each concept, where the folder has the vocabulary."""
        if "concept" not in self.files:
            return {}
        table = self.table("concept")
        ids = table["concept_id"].map(identifier)
        return dict(zip(ids, table["concept_name"].astype(str), strict=True))

    def dates(self, table: pd.DataFrame, column: str, name: str) -> pd.Series:
        """Dates of a column; those that stand for none are counted."""
        date = pd.to_datetime(table[column].astype(str).str.slice(0, 10), errors="coerce")
        none = (date < _NOBODY_KNOWS) | (date > _NEVER)
        words = f"cells of {column} are 1900-01-01, no date, or before it or after 2100"
        left_out(int(none.sum()), name, words, self.problems)
        broken = date.isna() & table[column].notna()
        left_out(int(broken.sum()), name, f"cells of {column} are not dates", self.problems)
        return date.mask(none)


def _facts(release: Release, table: str) -> pd.DataFrame:
    """Who, which concept, when, and the value columns of observation or measurement."""
    read = release.table(table)
    return pd.DataFrame(
        {
            "sample_id": read["person_id"],
            "concept": read[f"{table}_concept_id"].map(identifier),
            "date": release.dates(read, f"{table}_date", table),
            "value": optional(read, "value_as_number"),
            "text": optional(read, "value_as_string"),
            "answer": optional(read, "value_as_concept_id").map(identifier),
            "unit": optional(read, "unit_concept_id").map(identifier),
            "unit_text": optional(read, "unit_source_value"),
            "operator": optional(read, "operator_concept_id").map(identifier),
        }
    )


def _visits(release: Release, known: Concepts) -> pd.DataFrame:
    """One row a person and date: items and total of the ALSFRS-R."""
    facts = pd.concat([_facts(release, name) for name in ("observation", "measurement")])
    facts["item"] = known.of("item", facts["concept"])
    facts = facts[facts["item"].notna()]
    points = number(facts["value"]).fillna(number(facts["text"]))
    usable = facts["date"].notna() & points.notna() & facts["sample_id"].notna()
    left_out(int((~usable).sum()), "ALSFRS-R", "items have no date or no points", release.problems)
    facts = facts.assign(points=points)[usable]
    keys = ["sample_id", "date", "item"]
    facts = facts.drop_duplicates([*keys, "points"])
    twice = facts.duplicated(keys, keep=False)
    left_out(
        int(twice.sum()), "ALSFRS-R", "items are given twice in other points", release.problems
    )
    wide = facts[~twice].set_index(keys)["points"].unstack("item")  # noqa: PD010
    visits = wide.reindex(columns=[*ITEMS, "total"]).reset_index()
    return _with_agreeing_totals(visits, release.problems)


def _with_agreeing_totals(visits: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Totals that differ from their items, which count, and items that cannot be are left out."""
    for item in ITEMS:
        odd = visits[item].notna() & ~visits[item].isin(range(5))
        left_out(int(odd.sum()), "ALSFRS-R", f"points of {item} are not 0 to 4", problems)
        visits[item] = visits[item].mask(odd)
    both = visits["q5a"].notna() & visits["q5b"].notna() & (visits["q5a"] != visits["q5b"])
    left_out(int(both.sum()), "ALSFRS-R", "visits have q5a and q5b, which differ", problems)
    visits.loc[both, ["q5a", "q5b"]] = np.nan
    others = [item for item in ITEMS if not item.startswith("q5")]
    computed = visits[others].sum(axis=1, skipna=False) + visits["q5a"].fillna(visits["q5b"])
    stated = visits["total"]
    wrong = computed.notna() & stated.notna() & (computed != stated)
    wrong |= stated.notna() & ~stated.between(0, 48)
    left_out(int(wrong.sum()), "ALSFRS-R", "totals differ from their items", problems)
    return visits.assign(scale="alsfrs_r", total=stated.mask(wrong))


def _values(definitions: Definitions, release: Release, known: Concepts) -> pd.DataFrame:
    """Measurements of our analytes in the canonical unit, limits with their sign."""
    facts = _facts(release, "measurement")
    facts = facts[facts["sample_id"].notna() & known.of("item", facts["concept"]).isna()]
    analyte = _analyte_of(definitions, release, known, facts["concept"])
    other = facts["concept"][analyte.isna()].dropna()
    if len(other):
        counts = {str(concept): n for concept, n in other.value_counts().items()}
        named = [f"{release.names.get(concept, concept)}: {n}" for concept, n in counts.items()]
        release.problems.note(
            "measurement",
            f"{len(other)} values are of {other.nunique()} other concepts ({examples(named, 5)})",
            "They are left out; a line of --concepts makes one an analyte.",
            len(other),
            code="left_out",
        )
    facts, analyte = facts[analyte.notna()], analyte.dropna()
    factor = _factors(definitions, release, known, facts, analyte)
    value = number(facts["value"]) * factor
    sign = known.of("operator", facts["operator"]).where(_states(facts["operator"]), "=")
    left_out(
        int(sign.isna().sum()), "measurement", "values have an unknown operator", release.problems
    )
    usable = value.notna() & facts["date"].notna() & sign.notna()
    lost = int((factor.notna() & sign.notna() & ~usable).sum())
    left_out(lost, "measurement", "values have no number or no date", release.problems)
    pairs = zip(sign.replace("=", ""), value, strict=True)
    shown = pd.Series([f"{a}{b:.6g}" for a, b in pairs], index=facts.index, dtype=object)
    return pd.DataFrame(
        {
            "sample_id": facts["sample_id"],
            "date": facts["date"],
            "analyte": analyte,
            "value": shown,
            "unit": analyte.map(analytes(definitions)["unit"]),
        }
    )[usable].drop_duplicates()


def _states(concept: pd.Series) -> pd.Series:
    """Where a concept is stated: 0 means that none is."""
    return concept.notna() & (concept != "0")


def _analyte_of(
    definitions: Definitions, release: Release, known: Concepts, concept: pd.Series
) -> pd.Series:
    """Analyte by the map, else by the name that the vocabulary of the folder gives a concept."""
    names = analyte_names(definitions)
    by_name = {
        one: names.get(normal_name(release.names.get(str(one), "")))
        for one in concept.dropna().unique()
    }
    mapped = known.of("measurement", concept)
    strange = sorted(set(mapped.dropna()) - set(analytes(definitions).index))
    if strange:
        raise RequestError(
            "--concepts",
            f"{strange[0]!r} is not an analyte",
            nearest(strange[0], analytes(definitions).index),
            code="key_value",
        )
    return mapped.where(mapped.notna(), concept.map(by_name))


def _factors(
    definitions: Definitions,
    release: Release,
    known: Concepts,
    facts: pd.DataFrame,
    analyte: pd.Series,
) -> pd.Series:
    """Factor to the canonical unit of each value; what fits no unit is counted."""
    by_concept = known.of("unit", facts["unit"])
    named = facts["unit"].map(release.names)
    written = facts["unit_text"].astype(object).map(_last_part)
    unit = by_concept.where(by_concept.notna(), named.where(named.notna(), written))
    pairs = pd.DataFrame({"analyte": analyte, "unit": unit.astype(object)})
    distinct = pairs.drop_duplicates().dropna()
    factors = {
        (a, u): unit_factor(definitions, a, str(u))
        for a, u in zip(distinct["analyte"], distinct["unit"], strict=True)
    }
    found = [factors.get(pair) for pair in zip(pairs["analyte"], pairs["unit"], strict=True)]
    factor = pd.Series(found, index=pairs.index, dtype=float)
    left_out(
        int(pairs["unit"].isna().sum()), "measurement", "values have no unit", release.problems
    )
    strange = pairs[factor.isna() & pairs["unit"].notna()]
    kinds = (strange["analyte"] + " in " + strange["unit"].astype(str)).value_counts()
    words = [f"{kind}: {n}" for kind, n in kinds.items()]
    left_out(
        len(strange),
        "measurement",
        f"values have a unit that does not fit ({examples(words)})",
        release.problems,
    )
    return factor


def _last_part(text: object) -> str | None:
    """What stands behind the last colon of a source value, or all of it."""
    return None if text is None or text != text else str(text).rpartition(": ")[2].strip() or None


def _day_zero(visits: pd.DataFrame, values: pd.DataFrame) -> pd.Series:
    """Date of each person's first visit, else of the first value."""
    first = visits.groupby("sample_id")["date"].min()
    others = values.groupby("sample_id")["date"].min()
    return first.combine_first(others)


def _in_days(table: pd.DataFrame, start: pd.Series, patients: pd.DataFrame) -> pd.DataFrame:
    """A table with days since day 0 for dates, of the persons that are patients."""
    kept = table[table["sample_id"].isin(patients["sample_id"])].copy()
    first = pd.to_datetime(start.reindex(kept["sample_id"])).to_numpy()
    days = (pd.to_datetime(kept.pop("date")) - first).dt.days
    kept.insert(1, "days", days)
    return kept.sort_values(["sample_id", "days"])


def _patients(
    release: Release,
    known: Concepts,
    start: pd.Series,
    visits: pd.DataFrame,
    values: pd.DataFrame,
) -> pd.DataFrame:
    person = _persons(release)
    patients = pd.DataFrame(index=person.index.rename("sample_id"))
    patients["sex"] = _sex(known, person, release.problems)
    conditions = _conditions(release)
    patients["diagnosis"] = _diagnosis(known, conditions, person, release.problems)
    onset = _first_date(conditions, known.of("onset", conditions["concept"]).notna())
    diagnosed = _first_date(conditions, known.of("condition", conditions["concept"]) == ALS)
    death = _death(release)
    patients["onset_days"] = _days(onset, start, patients)
    patients["diagnosis_days"] = _days(diagnosed, start, patients)
    patients["age_at_onset"] = _age(person, onset, patients, release.problems)
    asked = _facts(release, "observation")
    patients["onset_site"] = _onset_site(known, asked, release.problems)
    patients["family_history"] = _family_history(known, asked)
    for drug, days in _drugs(release, known, start, patients).items():
        patients[drug] = days
    patients["death_days"] = _days(death, start, patients)
    _name_undated(patients, (onset, diagnosed, death), start, release.problems)
    last = _days(_last_seen(visits, values), start, patients)
    patients["last_contact_days"] = np.fmin(last, patients["death_days"])
    _count_new_years_days({"onset": onset, "death": death}, release.problems)
    return _possible(patients, release.problems).reset_index()


def _persons(release: Release) -> pd.DataFrame:
    """The first row of each person, by `person_id`; further ones are counted."""
    person = release.table("person")
    twice = int(person["person_id"].duplicated().sum())
    left_out(twice, "person", "rows repeat a person_id", release.problems)
    return person.drop_duplicates("person_id").set_index("person_id")


def _sex(known: Concepts, person: pd.DataFrame, problems: Problems) -> pd.Series:
    """Sex of each person; what is stated and neither female nor male is counted."""
    sex = known.of("sex", person["gender_concept_id"])
    strange = int((sex.isna() & _states(person["gender_concept_id"])).sum())
    left_out(strange, "person", "genders are neither female nor male", problems)
    return sex


def _name_undated(
    patients: pd.DataFrame,
    events: tuple[pd.Series, ...],
    start: pd.Series,
    problems: Problems,
) -> None:
    """Count who has dates of events and no day 0."""
    dated = pd.Index(np.unique([person for event in events for person in event.index]))
    undated = int(patients.index.isin(dated.difference(start.index)).sum())
    if undated:
        problems.warn(
            "OMOP tables",
            f"{undated} persons have dates, and no visit or value whose day could be day 0",
            "Their days are unknown.",
            undated,
            code="left_out",
        )


def _last_seen(visits: pd.DataFrame, values: pd.DataFrame) -> pd.Series:
    """Date of each person's last visit or value."""
    seen = pd.concat([visits[["sample_id", "date"]], values[["sample_id", "date"]]])
    return seen.groupby("sample_id")["date"].max()


def _conditions(release: Release) -> pd.DataFrame:
    table = release.table("condition_occurrence")
    return pd.DataFrame(
        {
            "sample_id": table["person_id"],
            "concept": table["condition_concept_id"].map(identifier),
            "date": release.dates(table, "condition_start_date", "condition_occurrence"),
        }
    )


def _first_date(table: pd.DataFrame, rows: "pd.Series") -> pd.Series:
    return table[rows].groupby("sample_id")["date"].min()


def _days(date: pd.Series, start: pd.Series, patients: pd.DataFrame) -> pd.Series:
    """Days since day 0; unknown for who has none."""
    there = pd.to_datetime(date.reindex(patients.index))
    days: pd.Series = (there - pd.to_datetime(start.reindex(patients.index))).dt.days
    return days


def _diagnosis(
    known: Concepts, conditions: pd.DataFrame, person: pd.DataFrame, problems: Problems
) -> pd.Series:
    """`als` where a condition says so, else another motor neuron disease, else a control."""
    said = known.of("condition", conditions["concept"])
    has = {ours: set(conditions["sample_id"][said == ours]) for ours in (ALS, "mimic")}
    found = [
        ALS if name in has[ALS] else "mimic" if name in has["mimic"] else "control"
        for name in person.index
    ]
    diagnosis = pd.Series(found, index=person.index, dtype=object)
    if not (diagnosis == ALS).any():
        raise DataError(
            "condition_occurrence",
            f"nobody has a concept of ALS ({', '.join(known.meant['condition'])})",
            "Name the concept of your database in a table that --concepts gives.",
            code="patients_unusable",
        )
    for name, words in (("mimic", "another motor neuron disease"), ("control", "no ALS")):
        n = int((diagnosis == name).sum())
        if n:
            problems.note(
                "condition_occurrence",
                f"{n} persons have {words}",
                "They are neither trained nor scored.",
                n,
                code="left_out",
            )
    return diagnosis


def _age(
    person: pd.DataFrame, onset: pd.Series, patients: pd.DataFrame, problems: Problems
) -> pd.Series:
    """Age at onset; a birth known to the year or month stands at its middle."""
    year, month, day = (
        number(optional(person, f"{part}_of_birth")) for part in ("year", "month", "day")
    )
    vague = int((year.notna() & day.isna()).sum())
    if vague:
        problems.note(
            "person",
            f"{vague} births are known to the year or month",
            "They stand at its middle: ages are right within half a year.",
            vague,
            code="cell_partial_date",
        )
    # The middle of a year is the 1st of July, that of a month its 15th.
    middle = day.where(month.notna(), 1).fillna(15)
    parts = pd.DataFrame({"year": year, "month": month.fillna(7), "day": middle})
    born = pd.to_datetime(parts, errors="coerce")
    stated = pd.concat(
        [optional(person, f"{part}_of_birth") for part in ("year", "month", "day")], axis=1
    )
    read = pd.concat([year, month, day], axis=1)
    unread = (stated.notna().to_numpy() & read.isna().to_numpy()).any(axis=1)
    broken = unread | (born.isna() & year.notna()).to_numpy()
    left_out(int(broken.sum()), "person", "births are no day, month and year", problems)
    there = pd.to_datetime(onset.reindex(patients.index))
    age: pd.Series = (there - born.reindex(patients.index)).dt.days / DAYS_PER_YEAR
    return age.round(2)


def _onset_site(known: Concepts, asked: pd.DataFrame, problems: Problems) -> pd.Series:
    """The one region of onset; several at once stay unknown."""
    rows = asked[known.of("site_question", asked["concept"]).notna()]
    site = known.of("site", rows["answer"])
    named: dict[str, set[str]] = {}
    for name, where in zip(rows["sample_id"], site, strict=True):
        if where is not None and where == where:
            named.setdefault(str(name), set()).add(str(where))
    one = {name: _one_site(sites) for name, sites in named.items()}
    several = sum(where is None for where in one.values())
    left_out(several, "observation", "persons have several sites of onset", problems)
    return pd.Series(one, dtype=object)


def _one_site(sites: set[str]) -> str | None:
    """The site that all agree with: a part of a limb says more than the limb."""
    for whole, parts in _PARTS.items():
        if sites & set(parts):
            sites = sites - {whole}
        if sites == set(parts):
            return whole
    return next(iter(sites)) if len(sites) == 1 else None


def _family_history(known: Concepts, asked: pd.DataFrame) -> pd.Series:
    """Nearest relative with ALS; who names relatives with other diseases alone is unknown."""
    degree = known.of("relative", asked["concept"])
    rows = asked[degree.notna()]
    als = known.of("condition", rows["answer"]) == ALS
    told = pd.Series("unknown", index=pd.Index(rows["sample_id"].unique()), dtype=object)
    for name in reversed(_NEAREST_FIRST):
        told[rows["sample_id"][als & (degree[degree.notna()] == name)].unique()] = name
    return told


def _death(release: Release) -> pd.Series:
    table = release.table("death")
    date = release.dates(table, "death_date", "death")
    return date.groupby(table["person_id"]).min()


def _drugs(
    release: Release, known: Concepts, start: pd.Series, patients: pd.DataFrame
) -> dict[str, pd.Series]:
    """`yes` and the first day of each drug that a name says."""
    table = release.table("drug_exposure")
    written = optional(table, "drug_source_value")
    words = pd.Series(
        [
            f"{release.names.get(identifier(concept) or '', '')} {text}".lower()
            for concept, text in zip(table["drug_concept_id"], written, strict=True)
        ],
        index=table.index,
        dtype=object,
    )
    date = release.dates(table, "drug_exposure_start_date", "drug_exposure")
    found: dict[str, pd.Series] = {}
    for word, drug in known.meant["drug_word"].items():
        rows = words.str.contains(word.lower(), regex=False).astype(bool)
        taken = pd.Series(patients.index.isin(table["person_id"][rows]), index=patients.index)
        first = _days(date[rows].groupby(table["person_id"][rows]).min(), start, patients)
        before = found.get(drug, pd.Series(None, index=patients.index, dtype=object))
        found[drug] = before.mask(taken, "yes")
        earlier = found.get(f"{drug}_start_days", first)
        found[f"{drug}_start_days"] = earlier.where(earlier <= first, first).fillna(earlier)
    return found


def _count_new_years_days(dates: dict[str, pd.Series], problems: Problems) -> None:
    for what, date in dates.items():
        known = pd.to_datetime(date.dropna())
        n = int(((known.dt.month == 1) & (known.dt.day == 1)).sum()) if len(known) else 0
        if n:
            problems.warn(
                "OMOP dates",
                f"{n} dates of {what} are a 1 January: some may be known to the year only",
                "Empty those in the cohort's patients.csv that are.",
                n,
                code="days_doubtful",
            )


def _possible(patients: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """Empty what the contract does not allow, counted."""
    onset, diagnosed = patients["onset_days"], patients["diagnosis_days"]
    age = patients["age_at_onset"]
    bad: dict[str, Any] = {
        "onset_days": onset > 0,
        "diagnosis_days": (diagnosed > 0) | (diagnosed < onset),
        "age_at_onset": age.notna() & ~age.between(1, 110),
    }
    for name, rows in bad.items():
        left_out(int(rows.sum()), "OMOP tables", f"cells of {name} cannot be", problems)
        patients[name] = patients[name].mask(rows)
    return patients
