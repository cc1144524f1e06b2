"""Export patients as GA4GH phenopackets (schema v2): subject, disease, measurements, and variants
where there is consent.

What the schema has no place for (visits, scores, family history) stays out. Times are ages, so a
patient without an age at onset has none. `python -m als_ml import-phenopackets` reads the files
back.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from google.protobuf.json_format import MessageToJson, ParseDict
from phenopackets.schema.v2 import Phenopacket

import als_ml
from als_ml.output import whole_folder
from als_ml.pages.protocol_inputs import last_days
from features.blocks.clinical import DAYS_PER_YEAR
from features.blocks.genetics import zygosities
from features.blocks.mechanisms import age_at
from features.catalogue import analytes
from features.cohort import Cohort
from features.stored import Json
from features.tables.coded import records_of
from features.variants.structural import changed_bases, is_structural

ALS = {"id": "MONDO:0004976", "label": "amyotrophic lateral sclerosis"}
ALS_FTD = {
    "id": "MONDO:0004976",
    "label": "amyotrophic lateral sclerosis with frontotemporal dementia",
}
_SEX = {"female": "FEMALE", "male": "MALE"}
_ZYGOSITY = {
    "heterozygous": "GENO:0000135",
    "homozygous": "GENO:0000136",
    "hemizygous": "GENO:0000134",
}
_STATUS = {
    "P": "PATHOGENIC",
    "LP": "LIKELY_PATHOGENIC",
    "VUS": "UNCERTAIN_SIGNIFICANCE",
    "LB": "LIKELY_BENIGN",
    "B": "BENIGN",
}
_RESOURCES = [
    {
        "id": name.lower(),
        "name": name,
        "url": f"http://purl.obolibrary.org/obo/{name.lower()}.owl",
        "version": "unstated",
        "namespacePrefix": name,
        "iriPrefix": f"http://purl.obolibrary.org/obo/{name}_",
    }
    for name in ("MONDO", "GENO")
]


def write_phenopackets(
    cohort: Cohort, build: str, folder: Path, names: "dict[str, str] | None" = None
) -> int:
    """Write one JSON file a patient into a new folder; `names` are pseudonyms.

    Unaffected relatives have none.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    build : str
        GRCh37 or GRCh38, of the genomes.
    folder : Path
        To make, one JSON file a patient.
    names : dict of str, optional
        sample_id -> pseudonym.

    Returns
    -------
    int
        Files written.
    """
    number = 0
    with whole_folder(folder) as made:
        for number, packet in enumerate(phenopackets(cohort, build, names), start=1):
            text = MessageToJson(ParseDict(packet, Phenopacket()))
            (made / f"patient-{number:05d}.json").write_text(text + "\n", encoding="utf-8")
    return number


def phenopackets(
    cohort: Cohort, build: str, names: "dict[str, str] | None" = None
) -> Iterator[Json]:
    """A phenopacket a patient, as JSON, in the order of the cohort.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    build : str
        GRCh37 or GRCh38, of the genomes.
    names : dict of str, optional
        sample_id -> pseudonym.

    Yields
    ------
    dict
        Phenopacket v2 as JSON; unaffected relatives have none.
    """
    age, today = age_at(cohort), last_days(cohort)
    calls, values = _calls(cohort, build), _measurements(cohort, age)
    for i, patient in enumerate(records_of(cohort.patients)):
        if patient["diagnosis"] == "unaffected_relative":
            continue
        name = str((names or {}).get(patient["sample_id"], patient["sample_id"]))
        packet: Json = {
            "id": name,
            "subject": _subject(patient, name, _age(age[i] + today[i] / DAYS_PER_YEAR)),
        }
        packet["diseases"] = _diseases(patient)
        packet["measurements"] = values[i]
        consent = patient["consent_genetic_return"] == "yes"
        if consent and calls[i]:
            diagnosis = {
                "disease": ALS,
                "genomicInterpretations": [{"subjectOrBiosampleId": name, **c} for c in calls[i]],
            }
            packet["interpretations"] = [
                {"id": f"{name}-1", "progressStatus": "UNKNOWN_PROGRESS", "diagnosis": diagnosis}
            ]
        yield {**packet, "metaData": _about()}


def _about() -> Json:
    return {
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "createdBy": f"als-ml {als_ml.__version__}",
        "resources": _RESOURCES,
        "phenopacketSchemaVersion": "2.0",
    }


def _age(years: float) -> "Json | None":
    """An age as ISO 8601 duration, to the day.

    >>> _age(60.5), _age(float("nan"))
    ({'age': {'iso8601duration': 'P60Y183D'}}, None)
    """
    if not np.isfinite(years) or years < 0:
        return None
    whole = int(years)
    days = round((years - whole) * DAYS_PER_YEAR)
    return {"age": {"iso8601duration": f"P{whole}Y{days}D" if days else f"P{whole}Y"}}


def _subject(patient: Json, name: str, last: "Json | None") -> Json:
    subject = {"id": name, "sex": _SEX.get(patient["sex"] or "", "UNKNOWN_SEX")}
    return subject | ({"timeAtLastEncounter": last} if last else {})


def _diseases(patient: Json) -> list[Json]:
    term = {"als": ALS, "als_ftd": ALS_FTD}.get(patient["diagnosis"])
    if term is None:
        return []
    onset = _age(patient["age_at_onset"])
    return [{"term": term} | ({"onset": onset} if onset else {})]


def _measurements(cohort: Cohort, age: np.ndarray) -> list[list[Json]]:
    """Dated values in canonical units under the analyte's id."""
    units = analytes(cohort.definitions)["unit"]
    measured: list[list[Json]] = [[] for _ in range(len(cohort))]
    table = cohort.biomarkers
    columns = (table["row"], table["analyte"].astype(object), table["value"], table["days"])
    for row, analyte, value, days in zip(*columns, strict=True):
        seen = _age(age[row] + days / DAYS_PER_YEAR)
        unit = {"id": "als-ml:unit", "label": units[analyte]}
        one = {
            "assay": {"id": f"als-ml:{analyte}", "label": analyte},
            "value": {"quantity": {"unit": unit, "value": value}},
        }
        measured[row].append(one | ({"timeObserved": seen} if seen else {}))
    return measured


def _vcf_record(key: str, build: str) -> Json:
    chrom, pos, ref, alt = key.split("-")
    record: Json = {"genomeAssembly": build, "chrom": chrom, "pos": int(pos)}
    if is_structural(key):
        # The first base of a structural variant is not here; the specification has N for it.
        return {**record, "ref": "N", "alt": alt.partition(":")[0].rstrip(">") + ">"} | {
            "info": f"SVTYPE={changed_bases(key)[2]};END={ref}"
        }
    return {**record, "ref": ref, "alt": alt}


def _calls(cohort: Cohort, build: str) -> list[list[Json]]:
    alleles, sites = cohort.genotypes.alleles, cohort.variants
    calls: list[list[Json]] = [[] for _ in range(len(cohort))]
    carried = zip(alleles["row"], alleles["site"], zygosities(cohort), strict=True)
    for row, site, zygous in carried:
        variant, assessment = sites["variant"].iloc[site], sites["assessment"].iloc[site]
        named = {
            "id": re.sub(r"\W", "-", variant.key),
            "vcfRecord": _vcf_record(variant.key, build),
            "allelicState": {"id": _ZYGOSITY[str(zygous)], "label": str(zygous)},
            "moleculeContext": "genomic",
        }
        named["geneContext"] = {"valueId": variant.gene, "symbol": variant.gene}
        interpretation = {
            "acmgPathogenicityClassification": _STATUS[assessment.classification],
            "variationDescriptor": named,
        }
        calls[row].append(
            {"interpretationStatus": "UNKNOWN_STATUS", "variantInterpretation": interpretation}
        )
    return calls
