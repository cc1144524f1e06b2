"""The served patient record: one JSON object a patient, turned into the same tables that files
become.

The checks are those of the file readers; what they find is attached to the patient instead of a
line number, and the values themselves are left out of the message.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any

import numpy as np

# pydantic wants this one below Python 3.12.
from typing_extensions import TypedDict

from als_ml.cohort.record_keys import (
    BIOMARKER_KEYS,
    PAGE_FIELDS,
    PARTS,
    REPEAT_KEYS,
    TREATMENT_KEYS,
    VISIT_KEYS,
)
from als_ml.formats import FORMATS, is_known, with_removed_keys
from features.alsfrs.visits import checked_visits, no_visits
from features.biomarkers.derived import with_derived
from features.biomarkers.measurements import checked_biomarkers, no_biomarkers
from features.blocks.dictionary import HAPLOTYPES_FROM
from features.blocks.spec import FeatureSpec
from features.catalogue import (
    Definitions,
    analytes,
    derived,
    gene_at,
    gene_names,
    patient_columns,
    repeat_loci,
    variant_key,
)
from features.codes import DATA
from features.cohort import Cohort, ServedCohort
from features.errors import RequestError, nearest, resembling
from features.genome_build import known_build
from features.genotypes.genotype import (
    NO_CALL_TYPES,
    PHASE_TYPES,
    SITE_TYPES,
    DistinctSites,
    Genotype,
    Genotypes,
    ordered_alleles,
    parse_genotype,
    typed_table,
)
from features.genotypes.repeats import CALL_TYPES
from features.patients import checked_patients
from features.stored import Json
from features.tables.columns import Cells, Column, Table
from features.tables.problems import Problems
from features.variants.lookups import Lookups
from features.variants.variant import find_known
from features.variants.weigh import weigh_sites

ASSAYED = {"full": 1.0, "partial": 0.5, "none": 0.0}
_NUMBERS = (int, float, type(None))
_PLAIN = (str, int, type(None))  # by far the most cells; a bool is an int, but its type is not
NO_ROWS = Table({})  # what the tables of a request are like
_HALF = re.compile("[\ud800-\udfff]")  # half of a pair, which is no character
_LONGEST_METHOD = 60  # characters: a name, not a report
TREATMENTS = ("riluzole", "edaravone", "tofersen", "trial_drug")


# Gene (index into the panel), key, copies and ploidy of a carried allele.
# Gene, key, copies, ploidy, and the chromosome (0 or 1) that a phased genotype says, else -1.
Allele = tuple[int, str, int, int, int]
# Locus, short and long allele, interval of the longer one (repeat units), whether both are called.
Repeat = tuple[str, float, float, float, float, bool]


class RowError(TypedDict):
    """Why a patient has no prediction."""

    field: str
    reason: str
    remedy: str


class RecordError(ValueError):
    """What is wrong with one patient's record: field, reason, remedy, without any value of the
    patient.
    """

    def __init__(self, field_name: str, reason: str, remedy: str):
        super().__init__(f"{field_name}: {reason}. {remedy}")
        self.as_dict: RowError = {"field": field_name, "reason": reason, "remedy": remedy}


@dataclass
class RowProblems(Problems):
    """Keeps the first error of each patient; `owner` is the patient of each row of the table being
    checked.
    """

    owner: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    by_patient: dict[int, RowError] = field(default_factory=dict)

    def reject(
        self,
        bad: np.ndarray,
        where: str,
        values: "np.ndarray | Cells | None",  # noqa: ARG002  never repeated to its sender
        what: str,
        remedy: str,
        *,
        code: str = DATA,  # noqa: ARG002  a record's error names its field
    ) -> None:
        """Note an error of the patients whose table rows are flagged."""
        for line in bad.nonzero()[0].tolist():
            self.add(
                int(self.owner[line]), RecordError(where.replace(", column ", "."), what, remedy)
            )

    def question(
        self,
        bad: np.ndarray,
        where: str,
        values: "np.ndarray | Cells | None",
        what: str,
        remedy: str,
        *,
        code: str = DATA,
    ) -> None:
        """Warnings do not stop a prediction and are not kept."""

    def add(self, patient: int, error: RecordError) -> None:
        """Note an error of one patient, unless it has one already.

        Parameters
        ----------
        patient : int
            Position among the records.
        error : RecordError
            What is wrong with it.
        """
        self.by_patient.setdefault(patient, error.as_dict)


def read_records(
    records: Sequence[object], spec: FeatureSpec, lookups: Lookups, definitions: Definitions
) -> tuple[ServedCohort, np.ndarray, dict[int, RowError]]:
    """Turn records into a cohort of the valid ones.

    Parameters
    ----------
    records : sequence
        As they came; each should be an object.
    spec : FeatureSpec
        What the model sees.
    lookups : Lookups
        The model's references.
    definitions : Definitions
        The model's tables.

    Returns
    -------
    cohort : Cohort
        The valid patients.
    rows : array
        Their positions among the records.
    errors : dict
        Position of each other record -> {field, reason, remedy}.
    """
    problems = RowProblems(collect=True, silent=True, repeats=False)
    parsed = [_parsed(definitions, record, i, spec, problems) for i, record in enumerate(records)]
    cohort = _cohort(parsed, problems, spec, lookups, definitions)
    errors = problems.by_patient
    rows = np.array([i for i in range(len(records)) if i not in errors], dtype=int)
    return cohort if not errors else cohort.take(rows), rows, errors


@dataclass
class _Record:
    """Rows of one patient for each table."""

    patient: Json = field(default_factory=dict)
    biomarkers: list[Json] = field(default_factory=list)
    visits: list[Json] = field(default_factory=list)
    alleles: list[Allele] = field(default_factory=list)
    no_calls: list[str] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    assayed: dict[str, float] = field(default_factory=dict)


def _parsed(
    definitions: Definitions, record: object, index: int, spec: FeatureSpec, problems: RowProblems
) -> _Record:
    try:
        return _parse(definitions, record, spec)
    except RecordError as error:
        problems.add(index, error)
        return _Record()


def _parse(definitions: Definitions, record: object, spec: FeatureSpec) -> _Record:
    if not isinstance(record, dict):
        raise RecordError("record", "is not an object", "Send a JSON object per patient.")
    _check_plain(record)
    if not isinstance(record.get("sample_id"), str) or not record["sample_id"].strip():
        raise RecordError("sample_id", "is missing or not text", "Give each patient a sample_id.")
    _check_format(record.get("format"))
    record = _renamed(record)
    given = {key: value for key, value in record.items() if value is not None}
    parts = {key: given.pop(key) for key in PARTS if key in given}
    known = {*_kinds(definitions), *spec.columns, *spec.levels}
    if set(given) - known:
        raise _unknown("record", set(given) - known, {*known, *PARTS})
    for name in given:
        _check_scalar(definitions, name, given[name])
    _check_build(parts.get("genome_build"), spec)
    given |= _as_of(parts.get("as_of_days"))
    given |= _treatments(definitions, parts.get("treatments", {}))
    given |= _further(definitions, given, spec)
    repeats = _repeats(definitions, parts.get("repeats", {}))
    given |= _methods(parts.get("repeats", {}))
    visits = _objects(parts.get("alsfrs", []), "alsfrs", VISIT_KEYS)
    alleles, no_calls = _variants(definitions, parts.get("variants", []), spec.genome_build)
    biomarkers = _biomarkers(definitions, parts.get("biomarkers", []))
    return _Record(
        patient=given,
        biomarkers=biomarkers,
        visits=visits,
        alleles=alleles,
        no_calls=no_calls,
        repeats=repeats,
        assayed=_assayed(definitions, parts.get("assayed", {})),
    )


def _unknown(where: str, names: Iterable[object], known: Iterable[str]) -> RecordError:
    """What is said of unknown names: one that resembles a known name is a slip of the pen and is
    repeated; any other may be anything, a patient's name too, and is counted only.
    """
    unknown, choices = sorted(map(str, names)), sorted(known)
    slips = {name: resembling(name, choices) for name in unknown[:3]}  # it takes time
    for name, meant in slips.items():
        if meant is not None:
            place = name if where == "record" else f"{where}.{name}"
            return RecordError(place, "is not known", f"Did you mean {meant!r}?")
    count = f"{len(unknown)} fields" if len(unknown) > 1 else "a field"
    return RecordError(where, f"has {count} that nothing reads", f"Known: {', '.join(choices)}.")


_MOST = 2**63  # more than that no array of whole numbers holds


def _check_plain(record: Json) -> None:
    """Refuse what no table holds, wherever it stands: half a character, a number without end."""
    for name, part in record.items():
        level: list[Any] = [name, part]
        while level:
            value = level.pop()
            kind = type(value)
            if kind is str:
                if not value.isascii() and _HALF.search(value):
                    raise RecordError("record", "holds half a character", "Send whole Unicode.")
            elif kind is int and not -_MOST < value < _MOST:
                raise RecordError("record", "holds a number that is too large", "Correct it.")
            elif kind is dict:
                level += [*value, *value.values()]
            elif kind is list:
                level += value


def _check_format(stated: object) -> None:
    if stated is not None and not is_known("record", stated):
        remedy = f"Send format {FORMATS['record']}, or ask a later als-ml."
        raise RecordError("format", "is not one that this release reads", remedy)


def _renamed(record: Json) -> Json:
    """The record with keys that this release removed under their new names."""
    try:
        return with_removed_keys("record", record, "record")
    except RequestError as error:
        field_name = error.where.rpartition(" ")[2]
        raise RecordError(field_name, error.found, error.remedy) from None


def _check_scalar(definitions: Definitions, name: str, value: object) -> None:
    """A number where a number belongs, text where text does.

    Never an object, a list or a truth value.
    """
    kind = _kinds(definitions).get(name, "any")
    finite = (
        isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
    )
    if kind in ("number", "days") and not finite:
        raise RecordError(name, "is not a finite number", "Send a JSON number or null.")
    if kind not in ("number", "days", "any") and not isinstance(value, str):
        raise RecordError(name, "is not text", "Send a JSON string or null.")
    if kind == "any" and not (isinstance(value, str) or finite):
        raise RecordError(
            name, "is neither a finite number nor text", "Send a JSON number, a string or null."
        )


def _further(definitions: Definitions, given: Json, spec: FeatureSpec) -> Json:
    """The further columns that a model was trained with, None where the record has none."""
    columns = {name: given.get(name) for name in spec.columns}
    for name, value in columns.items():
        if isinstance(value, str):
            raise RecordError(name, "is not a finite number", "Send a JSON number or null.")
    words = {name: _word(given.get(name)) for name in spec.levels}
    return {
        name: value
        for name, value in (columns | words).items()
        if name not in _kinds(definitions)  # those of the contract are always there
    }


def _word(value: float | str | None) -> str | None:
    """A category as a table's text would have it: 1, 1.0 and "1" are one."""
    if value is None or isinstance(value, str):
        return value
    return f"{value:.0f}" if value == round(value) else repr(value)


@derived
def _kinds(definitions: Definitions) -> dict[str, str]:
    """Column of patients, or field that only the pages read -> what it holds."""
    return PAGE_FIELDS | dict(patient_columns(definitions)["type"])


def _as_of(days: object) -> Json:
    """Day on which the record was made, as a column beside the contract's."""
    if days is None:
        return {}
    if isinstance(days, bool) or not isinstance(days, int):
        raise RecordError(
            "as_of_days", "is not a whole day", "Send an integer, days since the index day."
        )
    return {"as_of_days": float(days)}


def _check_build(build: object, spec: FeatureSpec) -> None:
    known = known_build(build) if isinstance(build, str) else build
    if known is not None and known != spec.genome_build:
        remedy = f"Send variants on {spec.genome_build}, the build of this model."
        raise RecordError("genome_build", f"is not {spec.genome_build}", remedy)


def _treatments(definitions: Definitions, treatments: object) -> Json:
    """`{drug: {start_days, stop_days}}` or a list of objects with `drug`, as columns of the
    patients table.
    """
    remedy = "Send {drug: {start_days, stop_days}}."
    if isinstance(treatments, list) and all(isinstance(t, dict) for t in treatments):
        treatments = {
            str(t.get("drug")): {k: v for k, v in t.items() if k != "drug"} for t in treatments
        }
    if not isinstance(treatments, dict):
        raise RecordError("treatments", "is not an object", remedy)
    columns: Json = {}
    for drug, dates in treatments.items():
        if drug not in TREATMENTS:
            raise _unknown("treatments", [drug], TREATMENTS)
        if dates is not None and not isinstance(dates, dict):
            raise RecordError(f"treatments.{drug}", "is not an object", remedy)
        columns |= _dates_of(definitions, drug, dates or {})
    return columns


def _dates_of(definitions: Definitions, drug: str, dates: Json) -> Json:
    """Start and stop of a drug, as columns of the patients table."""
    known = {key: value for key, value in dates.items() if value is not None}
    for key in dates:
        if key not in TREATMENT_KEYS:
            raise _unknown(f"treatments.{drug}", [key], TREATMENT_KEYS)
    for key, value in known.items():
        _check_scalar(definitions, f"{drug}_{key}", value)
    return {f"{drug}_{key}": value for key, value in known.items()}


def _biomarkers(definitions: Definitions, biomarkers: object) -> list[Json]:
    """A list of measurements, or a plain map {id: value} in canonical units at day 0."""
    if isinstance(biomarkers, dict):
        unit = analytes(definitions)["unit"]
        unknown = [name for name in biomarkers if name not in unit.index]
        if unknown:
            raise RecordError(
                "biomarkers.analyte", "is not a known analyte", nearest(str(unknown[0]), unit.index)
            )
        given = {name: value for name, value in biomarkers.items() if value is not None}
        biomarkers = [
            {"analyte": n, "value": v, "unit": unit[n], "days": 0} for n, v in given.items()
        ]
    rows = _objects(biomarkers, "biomarkers", BIOMARKER_KEYS)
    for row in rows:
        if "analyte" not in row or "value" not in row:
            raise RecordError("biomarkers", "a measurement lacks analyte or value", "Send both.")
        if isinstance(row["value"], bool) or not isinstance(row["value"], int | float | str):
            raise RecordError(
                "biomarkers.value",
                "is neither a number nor text",
                "Send a number, or a limit such as '<2.7'.",
            )
    return rows


def _objects(value: object, name: str, keys: tuple[str, ...]) -> list[Json]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RecordError(
            name, "is not a list of objects", f"Send [{{{', '.join(keys[:3])}, ...}}, ...]."
        )
    for item in value:
        for key, cell in item.items():
            if key not in keys:
                raise _unknown(name, [key], keys)
            if type(cell) in _PLAIN:
                continue
            if isinstance(cell, dict | list | bool) or (
                isinstance(cell, float) and not math.isfinite(cell)
            ):
                raise RecordError(
                    f"{name}.{key}",
                    "is neither a finite number nor text",
                    "Send a JSON number, a string or null.",
                )
    return [{key: cell for key, cell in item.items() if cell is not None} for item in value]


# Which chromosome has the allele: all phased ones of a record are one set, as without PS in a VCF.
_PHASED = {"1|0": 0, "0|1": 1}


def _variants(
    definitions: Definitions, variants: object, build: str
) -> tuple[list[Allele], list[str]]:
    """`chrom-pos-ref-alt genotype` strings as alleles and no-calls.

    Variants outside the panel are of no use and left out.

    A known variant may be named by its protein change instead: `SOD1:p.Ala5Val 0/1` or, in SOD1's
    older numbers, `SOD1:A4V 0/1`.
    """
    if not isinstance(variants, list):
        raise RecordError("variants", "is not a list", 'Send ["21-31667299-G-C 0/1", ...].')
    sites = [_variant(definitions, item, build) for item in variants]
    alleles, no_calls = [], []
    for chrom, pos, ref, alt, genotype, chromosome in sites:
        gene, key = gene_at(definitions, chrom, pos, build), variant_key(chrom, pos, ref, alt)
        if gene >= 0 and genotype.copies.get(1):
            alleles.append((gene, key, genotype.copies[1], genotype.ploidy, chromosome))
        if gene >= 0 and genotype.missing:
            no_calls.append(key)
    return alleles, no_calls


def _variant(
    definitions: Definitions, item: object, build: str
) -> tuple[str, int, str, str, Genotype, int]:
    remedy = (
        "Write chrom-pos-ref-alt and a genotype, as in '21-31667299-G-C 0/1', or a known one, as in"
        " 'SOD1:p.Ala5Val 0/1'."
    )
    try:
        site, text = str(item).split()
        gene, colon, name = site.partition(":")
        site = find_known(definitions, gene, name, build) if colon else site
        chrom, pos, ref, alt = site.split("-")
        genotype = parse_genotype(text)
        if (
            not isinstance(item, str)
            or max(genotype.copies, default=1) > 1
            or not set(ref + alt) <= set("ACGTNacgtn")
        ):
            raise ValueError
        return chrom, int(pos), ref, alt, genotype, _PHASED.get(text, -1)
    except (ValueError, RequestError):
        raise RecordError("variants", "an entry is not a variant with a genotype", remedy) from None


def _repeats(definitions: Definitions, repeats: object) -> list[Repeat]:
    """`{locus: {alleles, ci?, status?}}`, or a plain list of alleles, as repeat calls without the
    patient.
    """
    if not isinstance(repeats, dict):
        raise RecordError("repeats", "is not an object", "Send {locus: {alleles: [2, 8]}}.")
    calls = []
    for locus, call in repeats.items():
        if locus not in repeat_loci(definitions).index:
            raise RecordError(
                "repeats",
                "names an unknown locus",
                nearest(str(locus), repeat_loci(definitions).index),
            )
        if call is not None:
            calls += _repeat_call(locus, {"alleles": call} if isinstance(call, list) else call)
    return calls


def _repeat_call(locus: str, call: object) -> list[Repeat]:
    remedy = "Send {alleles: [short, long], ci: [low, high], method, status}."
    if not isinstance(call, dict) or set(call) - set(REPEAT_KEYS):
        raise RecordError(f"repeats.{locus}", "is not a repeat call", remedy)
    alleles, interval = call.get("alleles") or [], call.get("ci") or []
    numbers = (
        [*alleles, *interval] if isinstance(alleles, list) and isinstance(interval, list) else ["?"]
    )
    if not all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 1e6 for v in numbers
    ):
        raise RecordError(f"repeats.{locus}", "holds something that is not a repeat size", remedy)
    if len(alleles) > 2 or len(interval) not in (0, 2):
        raise RecordError(
            f"repeats.{locus}", "has more than two alleles or half an interval", remedy
        )
    if not alleles:
        return []
    low, high = interval or (max(alleles), max(alleles))
    status = call.get("status") or "PASS"
    if not isinstance(status, str):
        raise RecordError(f"repeats.{locus}.status", "is not text", remedy)
    passed = status.upper() in ("PASS", "OK")
    complete = passed and len(alleles) == 2
    return [
        (locus, min(alleles) if len(alleles) == 2 else np.nan, max(alleles), low, high, complete)
    ]


def _methods(repeats: object) -> Json:
    """How each repeat was sized, as columns beside the contract's: pages say it, no model reads
    it.
    """
    methods = {}
    for locus, call in repeats.items() if isinstance(repeats, dict) else ():
        method = call.get("method") if isinstance(call, dict) else None
        if method is None:
            continue
        if not isinstance(method, str) or len(method) > _LONGEST_METHOD:
            raise RecordError(
                f"repeats.{locus}.method",
                "is not the name of a method",
                "Send rp_pcr, southern, short_read, long_read, or another one in few words.",
            )
        methods[f"{str(locus).lower()}_call_method"] = method.strip()
    return methods


def _assayed(definitions: Definitions, assayed: object) -> dict[str, float]:
    if not isinstance(assayed, dict):
        raise RecordError("assayed", "is not an object", "Send {gene: full | partial | none}.")
    for gene, state in assayed.items():
        if gene not in gene_names(definitions):
            raise RecordError(
                "assayed",
                "names a gene outside the panel",
                nearest(str(gene), gene_names(definitions)),
            )
        if not isinstance(state, str) or state not in ASSAYED:
            raise RecordError(
                f"assayed.{gene}", "is not a known state", nearest(str(state), ASSAYED)
            )
    return {gene: ASSAYED[state] for gene, state in assayed.items()}


def _cohort(
    parsed: list[_Record],
    problems: RowProblems,
    spec: FeatureSpec,
    lookups: Lookups,
    definitions: Definitions,
) -> ServedCohort:
    problems.owner = np.arange(len(parsed))
    ids = [str(i) for i in range(len(parsed))]
    numbered = [
        {**record.patient, "sample_id": name} for record, name in zip(parsed, ids, strict=True)
    ]
    patients = checked_patients(definitions, _table(numbered), "patient", problems)
    patients = patients.assign(
        sample_id=np.array([r.patient.get("sample_id", "?") for r in parsed], dtype=object)
    )
    rows = {name: i for i, name in enumerate(ids)}
    biomarkers = _checked_biomarkers(definitions, parsed, rows, patients, problems)
    visits = _checked_visits(definitions, parsed, rows, patients, problems)
    genotypes = _genotypes(definitions, parsed, spec.edition >= HAPLOTYPES_FROM)
    return Cohort(
        name="request",
        patients=patients,
        biomarkers=biomarkers,
        alsfrs=visits,
        genotypes=genotypes,
        variants=weigh_sites(definitions, genotypes.sites, spec.genome_build, lookups),
        lookups=lookups,
        repeats=_repeat_table(parsed),
        families=np.arange(len(parsed)),
        definitions=definitions,
    )


def _checked_biomarkers(
    definitions: Definitions,
    parsed: list[_Record],
    rows: dict[str, int],
    patients: Table,
    problems: RowProblems,
) -> Table:
    measured, problems.owner = _long(parsed, "biomarkers")
    if not len(measured):
        return no_biomarkers(definitions, measured)
    dates = patients["index_date"].to_numpy().astype("datetime64[D]")
    return with_derived(
        definitions,
        checked_biomarkers(definitions, measured, rows, "biomarkers", problems, index_dates=dates),
        patients,
    )


def _checked_visits(
    definitions: Definitions,
    parsed: list[_Record],
    rows: dict[str, int],
    patients: Table,
    problems: RowProblems,
) -> Table:
    seen, problems.owner = _long(parsed, "visits")
    return (
        checked_visits(definitions, _with_days(seen), rows, patients, "alsfrs", problems)
        if len(seen)
        else no_visits(seen)
    )


def _table(rows: list[Json]) -> Table:
    names = dict.fromkeys(chain.from_iterable(rows))
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Table({name: _column(values) for name, values in columns.items()})


def _column(values: Sequence[object]) -> np.ndarray:
    """Numbers as float64, anything else as text; the readers take both."""
    if all(issubclass(kind, _NUMBERS) for kind in set(map(type, values))):
        return np.array(values, dtype=float)  # NaN for None
    return np.array([None if value is None else str(value) for value in values], dtype=object)


def _long(parsed: list[_Record], name: str) -> tuple[Table, np.ndarray]:
    parts = [getattr(record, name) for record in parsed]
    owner = np.repeat(np.arange(len(parts)), np.array([len(part) for part in parts], dtype=int))
    ids = np.array([str(i) for i in range(len(parts))], dtype=object)
    table = _table([row for part in parts for row in part])
    return table.assign(sample_id=Column(owner, ids)), owner


def _with_days(visits: Table) -> Table:
    return visits if "days" in visits.columns else visits.assign(days=np.full(len(visits), np.nan))


def _genotypes(
    definitions: Definitions, parsed: list[_Record], haplotypes: bool
) -> Genotypes[Table]:
    assayed = np.full((len(parsed), len(gene_names(definitions))), np.nan)
    carried = [(i, *allele) for i, record in enumerate(parsed) for allele in record.alleles]
    no_calls = [(i, key) for i, record in enumerate(parsed) for key in record.no_calls]
    for i, record in enumerate(parsed):
        for gene, fraction in record.assayed.items():
            assayed[i, gene_names(definitions).index(gene)] = fraction
    distinct = DistinctSites()
    number = distinct.numbers_of([(key, gene, None) for _, gene, key, *_ in carried])
    sites, place = distinct.ordered()
    arrays = {
        "row": np.array([c[0] for c in carried], dtype=int),
        "site": place[number],
        "copies": np.array([c[3] for c in carried], dtype=int),
        "ploidy": np.array([c[4] for c in carried], dtype=int),
    }
    return Genotypes(
        sites=typed_table(sites, SITE_TYPES, NO_ROWS),
        alleles=ordered_alleles(arrays, NO_ROWS),
        no_calls=typed_table(no_calls, NO_CALL_TYPES, NO_ROWS),
        assayed=assayed,
        phases=_phases(carried, arrays["site"]) if haplotypes else None,
    )


def _phases(carried: list[tuple[int, int, str, int, int, int]], site: np.ndarray) -> Table:
    """Pairs of alleles of a patient in one gene, where both are phased."""
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (row, gene, _, _, _, chromosome), number in zip(carried, site.tolist(), strict=True):
        if chromosome >= 0:
            groups.setdefault((row, gene), []).append((number, chromosome))
    pairs = [
        (row, one, other, of_one == of_other)
        for (row, _), alleles in groups.items()
        for (one, of_one), (other, of_other) in combinations(alleles, 2)
        if one != other
    ]
    return typed_table(pairs, PHASE_TYPES, NO_ROWS)


def _repeat_table(parsed: list[_Record]) -> Table:
    calls = [(i, *call) for i, record in enumerate(parsed) for call in record.repeats]
    return typed_table(calls, CALL_TYPES, NO_ROWS)
