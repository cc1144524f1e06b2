"""Exports as three hospitals send them, made of a simulated cohort: other words, other forms,
several files, and the dirt that comes with them.

German: a workbook with a cover sheet, title rows, merged headers, dates of birth, dates without a
day; laboratory values in a text file of Windows whose ids lost their zeros; a visit that was typed
twice. French: text files with semicolons, day first, units in a column beside. American: month
first, an OpenDocument file with a haemolysed sample, genomes named by the sequencer.

Also the tables of the OMOP CDM and of PRO-ACT, as far as they say the same.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from openpyxl import Workbook

from tests.features.tables.test_open_document import row as ods_row
from tests.features.tables.test_open_document import written as ods_file

ITEMS = [f"q{number}" for number in range(1, 13)]
DRAWN = ("nfl_serum", "creatinine_serum", "ck_serum", "fvc_pct")


class Simulated:
    """The tables of a simulated cohort, with calendar dates in them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.patients = pd.read_csv(folder / "patients.csv", dtype={"index_date": str})
        self.visits = pd.read_csv(folder / "alsfrs.csv")
        self.values = pd.read_csv(folder / "biomarkers.csv")
        self.index = dict(
            zip(
                self.patients["sample_id"],
                self.patients["index_date"].to_numpy("datetime64[D]"),
                strict=True,
            )
        )

    def day(self, patient: str, days: float, form: str) -> str:
        """A day of a patient as a date; empty where it is not known."""
        if days != days:
            return ""
        return pd.Timestamp(self.index[patient] + np.timedelta64(int(days), "D")).strftime(form)

    def born(self, patient: "pd.Series", form: str) -> str:
        """A date of birth that gives the age at onset."""
        days = patient["onset_days"] - round(365.25 * patient["age_at_onset"])
        return self.day(patient["sample_id"], days, form)

    def drawn(self) -> pd.DataFrame:
        """One row a patient and day with values, a column an analyte and one with its unit."""
        kept = self.values[self.values["analyte"].isin(DRAWN)]
        return kept.drop_duplicates(["sample_id", "days", "analyte"])

    def genomes(self, path: Path, names: dict[str, str]) -> None:
        """The VCF under other names of its samples."""
        lines = gzipped_lines(self.folder / "variants.vcf.gz")
        head = next(i for i, line in enumerate(lines) if line.startswith("#CHROM"))
        fixed, samples = lines[head].split("\t")[:9], lines[head].split("\t")[9:]
        lines[head] = "\t".join([*fixed, *(names[name] for name in samples)])
        path.with_suffix("").write_text("\n".join(lines) + "\n")
        pysam.tabix_compress(str(path.with_suffix("")), str(path), force=True)
        path.with_suffix("").unlink()
        pysam.tabix_index(str(path), preset="vcf", force=True)


def gzipped_lines(path: Path) -> list[str]:
    with pysam.BGZFile(str(path)) as file:
        return [line.decode() for line in file]


def numbered(name: str) -> int:
    return 32000 + int(name.rpartition("-")[2])


def text_file(path: Path, rows: Sequence[Sequence[object]], separator: str, encoding: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)


def comma(value: object) -> str:
    return str(value).replace(".", ",")


# --- German

_SEX = {"female": "w", "male": "m"}
_SITE = {
    "bulbar": "bulbär",
    "upper_limb": "obere Extremität",
    "lower_limb": "untere Extremität",
    "limb": "spinal",
    "respiratory": "respiratorisch",
    "axial": "Rumpf",
}
_KIN = {
    "none": "keine",
    "first_degree": "1. Grades",
    "second_degree": "2. Grades",
    "wider": "entfernt",
    "unknown": "unbekannt",
}
_YES = {"yes": "ja", "no": "nein"}
_DAY = "%d.%m.%Y"


def german(made: Simulated, folder: Path, typed_twice: bool = True) -> list[Path]:
    """A workbook of three sheets, a text file beside it, genomes."""
    book = Workbook()
    book.active.title = "Deckblatt"
    book.active.append(["Universitätsklinikum Musterstadt, ALS-Ambulanz"])
    book.active.append(["Stand:", "01.09.2026"])
    people = book.create_sheet("Stammdaten")
    people.append(["Stammdaten der ALS-Ambulanz"])
    people.append([])
    head = ["Pat.-Nr.", "Geschlecht", "Geburtsdatum", "Erkrankungsbeginn", None, "Diagnosedatum"]
    people.append([*head, "Familienanamnese", "Demenz", "PEG am", "Verstorben am", "Bemerkung"])
    people.append([None, None, None, "Datum", "Region"])
    people.merge_cells("D3:E3")
    for column in "ABCFGHIJK":
        people.merge_cells(f"{column}3:{column}4")
    for i, one in made.patients.iterrows():
        name = one["sample_id"]
        onset = made.day(name, one["onset_days"], "%m/%Y" if i % 3 == 0 else _DAY)
        death = made.day(name, one["death_days"], _DAY if i % 4 else "%Y")
        facts = [f"{numbered(name):07d}", _SEX[one["sex"]], made.born(one, _DAY), onset]
        facts += [_SITE[one["onset_site"]], made.day(name, one["diagnosis_days"], _DAY)]
        facts += [_KIN[one["family_history"]], _YES[one["ftd"]]]
        facts += [made.day(name, one["gastrostomy_days"], _DAY), death, "Frau Dr. Beispiel"]
        people.append([fact or None for fact in facts])
    visits = book.create_sheet("ALSFRS-R")
    visits.append(["Pat.-Nr.", "Untersuchungsdatum", *(f"Frage {i}" for i in range(1, 13))])
    for _, one in made.visits.iterrows():
        name = one["sample_id"]
        points = [None if one[item] != one[item] else int(one[item]) for item in ITEMS]
        visits.append([f"{numbered(name):07d}", made.day(name, one["days"], _DAY), *points])
    if typed_twice:
        first = [cell.value for cell in visits[2]]
        visits.append([*first[:2], *(4 - int(point or 0) for point in first[2:])])
    book.create_sheet("leer")
    book.save(folder / "klinik.xlsx")
    words = {
        "nfl_serum": "NfL",
        "creatinine_serum": "Kreatinin",
        "ck_serum": "CK",
        "fvc_pct": "FVC",
    }
    rows: list[list[object]] = [["Fallnr", "Abnahmedatum", "Parameter", "Messwert", "Einheit"]]
    rows[0].append("Material")
    for _, one in made.drawn().iterrows():
        fluid = "" if one["matrix"] == "none" else "Serum"
        unit = one["unit"].replace("umol", "µmol")
        day = made.day(one["sample_id"], one["days"], _DAY)
        what = [numbered(one["sample_id"]), day, words[one["analyte"]], comma(one["value"])]
        rows.append([*what, unit, fluid])
    text_file(folder / "labor.csv", rows, ";", "cp1252")
    genomes = folder / "genome.vcf.gz"
    made.genomes(genomes, {n: f"ALS-{numbered(n)}_S{i}" for i, n in enumerate(made.index)})
    return [folder / "klinik.xlsx", folder / "labor.csv", genomes]


# --- French

_FRENCH_SITE = {
    "bulbar": "bulbaire",
    "upper_limb": "membre supérieur",
    "lower_limb": "membre inférieur",
    "limb": "spinale",
    "respiratory": "respiratoire",
    "axial": "tronc",
}
_FRENCH_KIN = {
    "none": "aucun",
    "first_degree": "premier degré",
    "second_degree": "deuxième degré",
    "wider": "éloigné",
    "unknown": "inconnu",
}
_FRENCH_ITEMS = [
    "Parole",
    "Salivation",
    "Déglutition",
    "Écriture",
    "Couper les aliments",
    "Habillage et hygiène",
    "Se tourner dans le lit",
    "Marche",
    "Monter les escaliers",
    "Dyspnée",
    "Orthopnée",
    "Insuffisance respiratoire",
]
_SLASHED = "%d/%m/%Y"


def french(made: Simulated, folder: Path) -> list[Path]:
    """Three text files of Windows, genomes."""
    head = "Numéro patient;Sexe;Date de naissance;Date d'inclusion;Date des premiers symptômes"
    head += ";Site de début;Date du diagnostic;Antécédents familiaux;Démence;Date de décès"
    head += ";Médecin traitant"
    rows: list[list[object]] = [["Export du registre SLA"], [""], head.split(";")]
    for _, one in made.patients.iterrows():
        name = one["sample_id"]
        facts: list[object] = [f"SLA-{numbered(name)}", {"female": "F", "male": "H"}[one["sex"]]]
        facts += [made.born(one, _SLASHED), made.day(name, 0, _SLASHED)]
        facts += [made.day(name, one["onset_days"], _SLASHED), _FRENCH_SITE[one["onset_site"]]]
        facts += [made.day(name, one["diagnosis_days"], _SLASHED)]
        facts += [_FRENCH_KIN[one["family_history"]], {"yes": "oui", "no": "non"}[one["ftd"]]]
        rows.append([*facts, made.day(name, one["death_days"], _SLASHED), "Dr Exemple"])
    text_file(folder / "patients.csv", rows, ";", "cp1252")
    rows = [["N° patient", "Date de visite", *_FRENCH_ITEMS]]
    for _, one in made.visits.iterrows():
        name = one["sample_id"]
        points = ["" if one[item] != one[item] else int(one[item]) for item in ITEMS]
        rows.append([f"SLA-{numbered(name)}", made.day(name, one["days"], _SLASHED), *points])
    text_file(folder / "alsfrs.csv", rows, ";", "cp1252")
    names = {"nfl_serum": "NfL sérum (pg/mL)", "creatinine_serum": "Créatinine sérum"}
    names |= {"ck_serum": "CK sérum (UI/L)", "fvc_pct": "CVF (%)"}
    wide = made.drawn().pivot(  # noqa: PD010
        index=["sample_id", "days"], columns="analyte", values=["value", "unit"]
    )
    rows = [["Identifiant patient", "Date de prélèvement", names["nfl_serum"]]]
    rows[0] += [names["creatinine_serum"], "Unité créatinine", names["ck_serum"], names["fvc_pct"]]
    for (name, days), one in wide.iterrows():
        cells = {
            c: "" if one["value", c] != one["value", c] else comma(one["value", c]) for c in DRAWN
        }
        unit = one["unit", "creatinine_serum"]
        line = [f"SLA-{numbered(name)}", made.day(name, days, _SLASHED), cells["nfl_serum"]]
        line += [cells["creatinine_serum"], "" if unit != unit else unit.replace("umol", "µmol")]
        rows.append([*line, cells["ck_serum"], cells["fvc_pct"]])
    text_file(folder / "biologie.csv", rows, ";", "cp1252")
    genomes = folder / "genomes.vcf.gz"
    made.genomes(genomes, {name: f"sla_{numbered(name)}.sorted" for name in made.index})
    return [folder / name for name in ("patients.csv", "alsfrs.csv", "biologie.csv", genomes.name)]


# --- American

_AMERICAN_SITE = {
    "bulbar": "Bulbar",
    "upper_limb": "Limb - Upper",
    "lower_limb": "Limb - Lower",
    "limb": "Limb",
    "respiratory": "Respiratory",
    "axial": "Axial",
}
_MONTH_FIRST = "%m/%d/%Y"


def american(made: Simulated, folder: Path) -> list[Path]:
    """Two text files, an OpenDocument spreadsheet, genomes."""
    head = "MRN,Gender,DOB,Race,Symptom Onset Date,Site of Onset,Date of Diagnosis,Family History"
    rows: list[list[object]] = [[*head.split(","), "Date of Death", "Insurance"]]
    for _, one in made.patients.iterrows():
        name = one["sample_id"]
        facts: list[object] = [f"{numbered(name):08d}", one["sex"].title()]
        facts += [made.born(one, _MONTH_FIRST), "White"]
        facts += [made.day(name, one["onset_days"], _MONTH_FIRST)]
        facts += [_AMERICAN_SITE[one["onset_site"]]]
        facts += [made.day(name, one["diagnosis_days"], _MONTH_FIRST)]
        facts += [one["family_history"].replace("_", " ").title()]
        rows.append([*facts, made.day(name, one["death_days"], _MONTH_FIRST), "Aetna"])
    text_file(folder / "demographics.csv", rows, ",", "utf-8-sig")
    rows = [["MRN", "Visit Date", *(f"ALSFRS-R Q{i}" for i in range(1, 13)), "ALSFRS-R Total"]]
    for _, one in made.visits.iterrows():
        name, points = one["sample_id"], [one[item] for item in ITEMS]
        known = not any(point != point for point in points)
        shown = ["" if point != point else int(point) for point in points]
        line = [f"{numbered(name):08d}", made.day(name, one["days"], _MONTH_FIRST), *shown]
        rows.append([*line, int(sum(points)) if known else ""])
    text_file(folder / "alsfrs.csv", rows, ",", "utf-8")
    words = {"nfl_serum": "NfL", "creatinine_serum": "Creatinine", "ck_serum": "CPK"}
    words["fvc_pct"] = "FVC % predicted"
    lines = [ods_row("Lab export"), ods_row("MRN", "Collection Date", "Test", "Result", "Units")]
    for _, one in made.drawn().iterrows():
        day = made.day(one["sample_id"], one["days"], _MONTH_FIRST)
        what = [f"{numbered(one['sample_id']):08d}", day, words[one["analyte"]]]
        lines.append(ods_row(*what, str(one["value"]), one["unit"]))
    first = f"{numbered(made.patients['sample_id'][0]):08d}"
    day = made.day(made.patients["sample_id"][0], 0, _MONTH_FIRST)
    lines.append(ods_row(first, day, "CPK", "hemolyzed", "U/L"))
    labs = ods_file(folder / "labs.ods", Cover=ods_row("Neuromuscular Center"), Labs="".join(lines))
    genomes = folder / "cohort.vcf.gz"
    made.genomes(genomes, {name: f"{numbered(name)}-WGS" for name in made.index})
    return [folder / "demographics.csv", folder / "alsfrs.csv", labs, genomes]


# --- others' schemas

_CONCEPTS = {"nfl_serum": 2100000001, "creatinine_serum": 3016723, "ck_serum": 3007220}
_CONCEPTS["fvc_pct"] = 2100000002
_UNITS = {"pg/mL": 2100000003, "mg/dL": 8840, "umol/L": 0, "U/L": 8645, "%": 2100000004}
_SITES = {"bulbar": 2000002017, "upper_limb": 4200396, "lower_limb": 4267861}
_SITES |= {"limb": 4282006, "respiratory": 4156081, "axial": 4086896}
_RELATIVES = {"first_degree": 4051255, "second_degree": 4050943, "wider": 713135}
_ITEM_CONCEPTS = dict(
    zip(ITEMS, (*range(42529071, 42529076), *range(42529077, 42529084)), strict=True)
)
_ISO = "%Y-%m-%d"
# What the map of als-ml does not have.
OWN_CONCEPTS = """kind,concept,ours
measurement,2100000001,nfl_serum
measurement,2100000002,fvc_pct
unit,2100000003,pg/mL
unit,2100000004,%
"""


def omop(made: Simulated, folder: Path) -> None:
    """Tables of the OMOP CDM, Parquet and CSV."""
    person, condition, observation, death = [], [], [], []
    for _, one in made.patients.iterrows():
        name, key = one["sample_id"], numbered(one["sample_id"])
        born = pd.Timestamp(made.born(one, _ISO))
        sex = {"male": 8507, "female": 8532}[one["sex"]]
        parts = {"year_of_birth": born.year, "month_of_birth": born.month}
        person.append(
            {"person_id": key, "gender_concept_id": sex, **parts, "day_of_birth": born.day}
        )
        about = {"person_id": key, "condition_concept_id": 373182}
        day = made.day(name, one["diagnosis_days"], _ISO)
        condition.append({**about, "condition_start_date": day})
        onset = {"condition_concept_id": 2000000397}
        day = made.day(name, one["onset_days"], _ISO)
        condition.append({**about, **onset, "condition_start_date": day})
        seen = {"person_id": key, "observation_date": made.day(name, 0, _ISO)}
        site = {"observation_concept_id": 2000000396}
        site["value_as_concept_id"] = _SITES[one["onset_site"]]
        observation.append({**seen, **site})
        if one["family_history"] in _RELATIVES:
            relative = {"observation_concept_id": _RELATIVES[one["family_history"]]}
            observation.append({**seen, **relative, "value_as_concept_id": 373182})
        if died := made.day(name, one["death_days"], _ISO):
            death.append({"person_id": key, "death_date": died})
    for _, one in made.visits.iterrows():
        seen = {"person_id": numbered(one["sample_id"])}
        seen["observation_date"] = made.day(one["sample_id"], one["days"], _ISO)
        for item, concept in _ITEM_CONCEPTS.items():
            points = {"observation_concept_id": concept, "value_as_number": one[item]}
            observation += [{**seen, **points}] if one[item] == one[item] else []
    measurement = [
        {
            "person_id": numbered(one["sample_id"]),
            "measurement_concept_id": _CONCEPTS[one["analyte"]],
            "measurement_date": made.day(one["sample_id"], one["days"], _ISO),
            "value_as_number": float(str(one["value"]).lstrip("<>")),
            "operator_concept_id": {"<": 4171756, ">": 4172704}.get(str(one["value"])[0], 4172703),
            "unit_concept_id": _UNITS[one["unit"]],
            "unit_source_value": one["unit"],
        }
        for _, one in made.drawn().iterrows()
    ]
    pd.DataFrame(person).to_csv(folder / "PERSON.csv", index=False)
    pd.DataFrame(condition).to_csv(folder / "CONDITION_OCCURRENCE.csv", index=False)
    pd.DataFrame(death).to_csv(folder / "death.csv", index=False)
    pd.DataFrame(observation).to_parquet(folder / "observation.parquet")
    pd.DataFrame(measurement).to_parquet(folder / "measurement.parquet")


_PROACT_ITEMS = [
    "Q1_Speech",
    "Q2_Salivation",
    "Q3_Swallowing",
    "Q4_Handwriting",
    "Q5a_Cutting_without_Gastrostomy",
    "Q6_Dressing_and_Hygiene",
    "Q7_Turning_in_Bed",
    "Q8_Walking",
    "Q9_Climbing_Stairs",
    "R_1_Dyspnea",
    "R_2_Orthopnea",
    "R_3_Respiratory_Insufficiency",
]


def proact(made: Simulated, folder: Path) -> None:
    """Tables of PRO-ACT with its newer one of neurofilaments."""
    patients = made.patients
    key = patients["sample_id"].map(numbered)
    site = patients["onset_site"].replace({"upper_limb": "Limb", "lower_limb": "Limb"})
    tables = {
        "DEMOGRAPHICS": pd.DataFrame(
            {
                "subject_id": key,
                "Age": (patients["age_at_onset"] - patients["onset_days"] / 365.25).round(2),
                "Sex": patients["sex"].str.title(),
            }
        ),
        "ALSHISTORY": pd.DataFrame(
            {
                "subject_id": key,
                "Site_of_Onset": "Onset: " + site.str.title(),
                "Onset_Delta": patients["onset_days"],
                "Diagnosis_Delta": patients["diagnosis_days"],
            }
        ),
        "DEATHDATA": pd.DataFrame(
            {
                "subject_id": key,
                "Subject_Died": np.where(patients["death_days"].notna(), "Yes", "No"),
                "Death_Days": patients["death_days"],
            }
        ),
        "ALSFRS": made.visits[ITEMS]
        .rename(columns=dict(zip(ITEMS, _PROACT_ITEMS, strict=True)))
        .assign(
            subject_id=made.visits["sample_id"].map(numbered),
            ALSFRS_Delta=made.visits["days"],
        ),
    }
    values = made.drawn()
    nfl = values[values["analyte"] == "nfl_serum"]
    tables["Neurofilament"] = pd.DataFrame(
        {
            "subject_id": nfl["sample_id"].map(numbered),
            "Analyte": "Neurofilament light chain",
            "Matrix": "Serum",
            "Result": nfl["value"],
            "Collection_Delta": nfl["days"],
        }
    )
    fvc = values[values["analyte"] == "fvc_pct"]
    tables["FVC"] = pd.DataFrame(
        {
            "subject_id": fvc["sample_id"].map(numbered),
            "pct_of_Normal_Trial_1": fvc["value"],
            "Forced_Vital_Capacity_Delta": fvc["days"],
        }
    )
    for name, table in tables.items():
        table.to_csv(folder / f"F_PROACT_{name}.csv", index=False)


EXPORTS = {"german": german, "french": french, "american": american}
