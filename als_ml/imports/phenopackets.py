"""Import GA4GH phenopackets (schema v2, parsed by the `phenopackets` library) as an ordinary cohort
folder.

A phenopacket lists findings, so a sample without a listed variant is unknown there (`./.`), never
reference. It knows ages, not days: the age at the last encounter becomes day 0. Nothing in it tells
the site of onset or a consent. A Family is its proband and its relatives, with one family_id; the
family history of each is the nearest relative whose own phenopacket says ALS.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pysam
import yaml
from google.protobuf.json_format import Parse, ParseError
from phenopackets.schema.v2 import Family, Phenopacket

from als_ml.output import whole_folder
from features.biomarkers.units import unit_factor
from features.catalogue import (
    BUILDS,
    Definitions,
    analyte_names,
    normal_name,
    plain_contig,
    shipped,
)
from features.errors import DataError, examples
from features.genome_build import known_build
from features.tables.formulas import inert
from features.tables.problems import Problems

DAYS_PER_YEAR = 365.25
GENOTYPES = {"GENO:0000135": "0/1", "GENO:0000136": "1/1", "GENO:0000134": "1"}
SEXES = {1: "female", 2: "male"}
FTD = "HP:0002145"
DRUGS = ("riluzole", "edaravone", "tofersen")
REJECTED, DECEASED = 1, 2
# Of a person of a pedigree.
AFFECTED = 2
DEGREES = {1: "first_degree", 2: "second_degree"}
# In what protobuf's reader says: the fields that it went through, and where it stopped.
_FIELD = re.compile(r"Failed to parse (\w+) field")
_PLACE = re.compile(r"""at "?([A-Za-z]\w*(?:[.\[\]\w]*))"?[\s.]""")
_DURATION = re.compile(
    r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
)


class Call(NamedTuple):
    """One variant of one patient."""

    sample: str
    build: str
    chrom: str
    pos: int
    ref: str
    alt: str
    genotype: str


def import_phenopackets(source: Path, output: Path, problems: Problems) -> dict[str, int]:
    """Read every phenopacket below a folder and write a cohort: patients and, where there are any,
    biomarkers and variants.

    Parameters
    ----------
    source : Path
        Folder with JSON files.
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
        For broken JSON, a repeated id, several genome builds, or no phenopacket at all.
    """
    definitions = shipped()
    packets, families = _packets(source, problems)
    patients = pd.DataFrame([_patient(packet) for packet in packets.values()])
    patients = _with_families(patients, families, problems)
    _check_patients(patients, packets, problems)
    values = pd.DataFrame(
        [row for packet in packets.values() for row in _measurements(definitions, packet, problems)]
    )
    calls = [call for packet in packets.values() for call in _calls(packet, problems)]
    described: dict[str, Any] = {
        "name": source.name,
        "genome_build": _build(calls),
        "patients": "patients.csv",
    }
    with whole_folder(output) as folder:
        inert(patients).to_csv(folder / "patients.csv", index=False)
        if len(values):
            inert(values).to_csv(folder / "biomarkers.csv", index=False)
            described["biomarkers"] = "biomarkers.csv"
        if calls:
            _write_variants(
                definitions,
                folder / "variants.vcf.gz",
                calls,
                list(patients["sample_id"]),
                described["genome_build"],
            )
            described["variants"] = ["variants.vcf.gz"]
        (folder / "cohort.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return {"patients": len(patients), "variants": len(calls), "biomarker values": len(values)}


def _packets(source: Path, problems: Problems) -> tuple[dict[Path, Phenopacket], list[Any]]:
    """Phenopackets by their file, those of families among them, and the families."""
    packets, families, others, strange = {}, [], [], list[str]()
    for path in sorted(source.rglob("*.json")):
        text = path.read_text(encoding="utf-8", errors="replace")
        family = _parsed(text, Family(), path)
        packet = _parsed(text, Phenopacket(), path)
        if family.id and family.HasField("proband"):
            families.append(family)
            strange.append(_strange_place(text, Family()))
            for number, member in enumerate((family.proband, *family.relatives)):
                packets[path / str(number)] = member
        elif packet.id and packet.HasField("subject"):
            packets[path] = packet
            strange.append(_strange_place(text, Phenopacket()))
        else:
            others.append(path.name)
    if others:
        problems.note(
            str(source),
            f"{len(others)} JSON files are not phenopackets ({examples(others)})",
            "They are left out.",
            code="left_out",
        )
    if places := [place for place in strange if place]:
        problems.warn(
            str(source),
            f"{len(places)} files have a field or a word that the schema of phenopackets does not"
            f" have ({examples(places)})",
            "It is read as unknown: correct it, such as MALE for male.",
            code="left_out",
        )
    if not packets:
        raise DataError(
            str(source),
            "there is no phenopacket (JSON with an id and a subject) and no family",
            "Give their folder.",
            code="file_absent",
        )
    return packets, families


def _parsed(text: str, message: Any, path: Path) -> Any:
    try:
        return Parse(text, message, ignore_unknown_fields=True)
    except ParseError as error:
        # A field of the one message may have another type in the other.
        if isinstance(message, Family):
            return Family()
        told = str(error)
        # Its words may end in the value: only the fields are ours to repeat.
        fields = ".".join(_FIELD.findall(told))
        reason = f"its field {fields} has another type" if fields else "its JSON is broken"
        raise DataError(
            str(path),
            f"this is not a phenopacket ({reason})",
            "Repair or remove the file.",
            code="file_unreadable",
        ) from None


def _strange_place(text: str, message: Any) -> str:
    """Where a packet first has a field or a word that is not of its schema; empty if nowhere."""
    try:
        Parse(text, message)
    except ParseError as error:
        place = _PLACE.search(str(error))
        return place[1].rstrip(".") if place else type(message).__name__
    return ""


def _with_families(patients: pd.DataFrame, families: list[Any], problems: Problems) -> pd.DataFrame:
    """Relatives in one family, and whose kin have ALS, as far as their own phenopackets say."""
    if not families:
        return patients
    known = patients.set_index("sample_id")
    for family in families:
        people = [family.proband, *family.relatives]
        of = {packet.subject.id: packet.id for packet in people}
        ill = {
            packet.subject.id
            for packet in people
            if _diagnosis(_disease(packet)) in ("als", "als_ftd")
        }
        known.loc[list(of.values()), "family_id"] = family.id
        degrees = kinship_degrees(family.pedigree)
        for person, sample in of.items():
            kin = [degree for other, degree in degrees.get(person, {}).items() if other in ill]
            if kin:
                known.loc[sample, "family_history"] = DEGREES.get(min(kin), "wider")
            elif known.loc[sample, "diagnosis"] == "control":
                known.loc[sample, "diagnosis"] = "unaffected_relative"
        affected = sum(
            person.affected_status == AFFECTED and person.individual_id not in of
            for person in family.pedigree.persons
        )
        if affected:
            problems.note(
                "families",
                f"{affected} affected relatives of a pedigree have no phenopacket",
                "Which disease they have is not said, so no family history follows from them.",
                affected,
                code="left_out",
            )
    return known.reset_index()


def kinship_degrees(pedigree: Any) -> dict[str, dict[str, int]]:
    """Of each person of a pedigree the degree of each relative: 1 for parents, children and full
    siblings, 2 for half-siblings, grandparents, aunts and what else is two steps away.

    Parameters
    ----------
    pedigree : Pedigree
        Of the GA4GH schema, its persons with the ids of their parents.

    Returns
    -------
    dict of dict of int
        Person -> relative -> degree; nobody who is not related.
    """
    parents = {
        person.individual_id: [one for one in (person.paternal_id, person.maternal_id) if one]
        for person in pedigree.persons
    }
    up = {name: _generations(name, parents) for name in parents}
    degrees: dict[str, dict[str, int]] = {name: {} for name in parents}
    for one in parents:
        for other in parents:
            degree = None if one == other else _degree(up[one], up[other])
            if degree is not None:
                degrees[one][other] = degree
    return degrees


def _generations(name: str, parents: dict[str, list[str]]) -> dict[str, int]:
    """Fewest generations up to each ancestor, 0 to the person himself."""
    found, level, steps = {name: 0}, [name], 0
    while level:
        steps += 1
        level = [up for one in level for up in parents.get(one, []) if up not in found]
        found |= dict.fromkeys(level, steps)
    return found


def _degree(one: dict[str, int], other: dict[str, int]) -> int | None:
    """Steps over the nearest ancestor that two people share; two such ancestors are a couple, and
    spare a step.
    """
    shared = {name: one[name] + other[name] for name in one.keys() & other.keys()}
    if not shared:
        return None
    steps = min(shared.values())
    nearest_ones = [name for name in shared if shared[name] == steps and one[name] and other[name]]
    return steps - 1 if len(nearest_ones) > 1 else steps


def _check_patients(
    patients: pd.DataFrame, packets: dict[Path, Phenopacket], problems: Problems
) -> None:
    twice = patients["sample_id"].duplicated()
    if twice.any():
        path = list(packets)[int(twice.to_numpy().argmax())]
        raise DataError(
            str(path),
            "its id is that of another phenopacket",
            "Give each patient an id of his own.",
            code="row_twice",
        )
    facts = {
        "have another disease than ALS": patients["diagnosis"] == "mimic",
        "have no disease at all": patients["diagnosis"] == "control",
    }
    for what, who in facts.items():
        if who.any():
            problems.note(
                "diseases",
                f"{int(who.sum())} patients {what}",
                "They are neither trained nor scored.",
                code="left_out",
            )


def _patient(packet: Phenopacket) -> dict[str, Any]:
    subject, disease = packet.subject, _disease(packet)
    now = _years(subject.time_at_last_encounter)
    onset = _years(disease.onset) if disease is not None and disease.HasField("onset") else None
    days = (
        None
        if now is None or onset is None or onset > now
        else -round((now - onset) * DAYS_PER_YEAR)
    )
    row = {
        "sample_id": packet.id,
        "diagnosis": _diagnosis(disease),
        "sex": SEXES.get(subject.sex),
        "age_at_onset": None if onset is None or not 1 <= onset <= 110 else round(onset, 2),
        "onset_days": days,
        "ftd": _observed(packet, FTD),
        "death_days": _death_days(packet, now),
    }
    taken = {action.treatment.agent.label.lower() for action in packet.medical_actions}
    return row | {drug: "yes" if any(drug in label for label in taken) else None for drug in DRUGS}


def _disease(packet: Phenopacket) -> Any:
    """The ALS among a patient's diseases, else the first that is not excluded."""
    present = [disease for disease in packet.diseases if not disease.excluded]
    return next((d for d in present if _is_als(d.term)), present[0] if present else None)


def _is_als(term: Any) -> bool:
    return (
        term.id in ("MONDO:0004976", "OMIM:105400")
        or "amyotrophic lateral sclerosis" in term.label.lower()
    )


def _diagnosis(disease: Any) -> str:
    """`mimic` for another disease and `control` for none: neither is trained or scored."""
    if disease is None:
        return "control"
    if not _is_als(disease.term):
        return "mimic"
    return "als_ftd" if "frontotemporal dementia" in disease.term.label.lower() else "als"


def _years(time: Any) -> float | None:
    """Age in years from an ISO 8601 duration; ranges and ontology classes give none."""
    duration = _DURATION.fullmatch(time.age.iso8601duration) if time.HasField("age") else None
    if not duration or not any(duration.groups()):
        return None
    years, months, weeks, days = (float(part or 0) for part in duration.groups())
    return years + months / 12 + (7 * weeks + days) / DAYS_PER_YEAR


def _observed(packet: Phenopacket, term: str) -> str | None:
    features = [feature for feature in packet.phenotypic_features if feature.type.id == term]
    return None if not features else "no" if features[0].excluded else "yes"


def _death_days(packet: Phenopacket, now: float | None) -> int | None:
    vital = packet.subject.vital_status
    died = _years(vital.time_of_death) if vital.status == DECEASED else None
    return None if died is None or now is None else round((died - now) * DAYS_PER_YEAR)


def _measurements(
    definitions: Definitions, packet: Phenopacket, problems: Problems
) -> list[dict[str, Any]]:
    """Quantities of our analytes, found by their label; others are counted."""
    rows, now = [], _years(packet.subject.time_at_last_encounter)
    for measurement in packet.measurements:
        analyte = analyte_names(definitions).get(normal_name(measurement.assay.label))
        quantity = measurement.value.quantity
        unit = quantity.unit.label or quantity.unit.id
        if analyte is None or unit_factor(definitions, analyte, unit) is None:
            label = measurement.assay.label or measurement.assay.id
            problems.note(
                "measurements",
                f"{label!r} in {unit!r} is not an analyte and unit of ours",
                "It is left out.",
                code="left_out",
            )
            continue
        seen = _years(measurement.time_observed)
        days = None if seen is None or now is None else round((seen - now) * DAYS_PER_YEAR)
        rows.append(
            {
                "sample_id": packet.id,
                "analyte": analyte,
                "value": quantity.value,
                "unit": unit,
                "days": days,
            }
        )
    return rows


def _calls(packet: Phenopacket, problems: Problems) -> list[Call]:
    calls = []
    for interpretation in packet.interpretations:
        for genomic in interpretation.diagnosis.genomic_interpretations:
            descriptor = genomic.variant_interpretation.variation_descriptor
            record = descriptor.vcf_record
            build = known_build(record.genome_assembly)
            known = build in BUILDS and _is_small(record)
            if genomic.interpretation_status == REJECTED or not known:
                gene = descriptor.gene_context.symbol or "a gene"
                problems.note(
                    "variants",
                    f"one of {gene} is rejected, or has no plain VCF record",
                    "It is left out.",
                    code="left_out",
                )
                continue
            genotype = GENOTYPES.get(descriptor.allelic_state.id, "./1")
            calls.append(
                Call(
                    sample=packet.id,
                    build=build,
                    chrom=plain_contig(record.chrom),
                    pos=int(record.pos),
                    ref=record.ref.upper(),
                    alt=record.alt.upper(),
                    genotype=genotype,
                )
            )
    return calls


def _is_small(record: Any) -> bool:
    return bool(
        record.pos
        and re.fullmatch("[ACGTNacgtn]+", record.ref)
        and re.fullmatch("[ACGTNacgtn]+", record.alt)
    )


def _build(calls: list[Call]) -> str:
    builds = sorted({call.build for call in calls})
    if len(builds) > 1:
        counts = ", ".join(
            f"{sum(call.build == build for call in calls)} on {build}" for build in builds
        )
        raise DataError(
            "variants",
            f"they are on several genome builds ({counts})",
            "Import each build by itself.",
            code="genome_build",
        )
    return builds[0] if builds else "GRCh38"


def _write_variants(
    definitions: Definitions, path: Path, calls: list[Call], samples: list[str], build: str
) -> None:
    """A multi-sample VCF in which everything that is not listed is a missing genotype."""
    lengths = definitions.table("contigs").set_index("chrom")[build.lower()]
    order = {name: i for i, name in enumerate(lengths.index)}
    lines = ["##fileformat=VCFv4.2", '##FILTER=<ID=PASS,Description="All filters passed">']
    lines += [f"##contig=<ID={name},length={length}>" for name, length in lengths.items()]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append(
        "\t".join(
            ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
        )
    )
    sites: dict[tuple[str, int, str, str], dict[str, str]] = {}
    for call in calls:
        if call.chrom in order:
            sites.setdefault((call.chrom, call.pos, call.ref, call.alt), {})[call.sample] = (
                call.genotype
            )
    for (chrom, pos, ref, alt), genotype_of in sorted(
        sites.items(), key=lambda item: (order[item[0][0]], *item[0][1:])
    ):
        genotypes = [genotype_of.get(sample, "./.") for sample in samples]
        lines.append(
            "\t".join([chrom, str(pos), ".", ref, alt, ".", "PASS", ".", "GT", *genotypes])
        )
    plain = path.with_suffix("")
    plain.write_text("\n".join(lines) + "\n")
    pysam.tabix_compress(str(plain), str(path), force=True)
    plain.unlink()
    pysam.tabix_index(str(path), preset="vcf", force=True)
