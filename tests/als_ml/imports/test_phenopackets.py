"""GA4GH phenopackets: made-up ones for each rule and each mistake, and 59 published patients."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.imports.phenopackets import import_phenopackets
from features.blocks.genetics import genetic_cause
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from tests.cohorts import read

ALS = {"term": {"id": "OMIM:105400", "label": "Amyotrophic lateral sclerosis 1"}}
A4V = {"genomeAssembly": "hg38", "chrom": "chr21", "pos": 31659783, "ref": "C", "alt": "T"}


def variant(record, state="GENO:0000135", status="CAUSATIVE"):
    descriptor = {
        "id": "v",
        "vcfRecord": record,
        "geneContext": {"symbol": "SOD1"},
        "allelicState": {"id": state},
    }
    return {
        "interpretationStatus": status,
        "variantInterpretation": {"variationDescriptor": descriptor},
    }


def packet(name="p1", age="P60Y", onset="P58Y6M", diseases=None, variants=(), **more):
    subject = {"id": "s", "sex": "FEMALE", "timeAtLastEncounter": {"age": {"iso8601duration": age}}}
    own = [{**ALS, "onset": {"age": {"iso8601duration": onset}}}] if diseases is None else diseases
    diagnosis = {"genomicInterpretations": list(variants)}
    return {
        "id": name,
        "subject": subject,
        "diseases": own,
        "interpretations": [{"id": "i", "diagnosis": diagnosis}],
        **more,
    }


def imported(tmp_path: Path, *packets):
    source = tmp_path / "packets"
    source.mkdir(exist_ok=True)
    for i, content in enumerate(packets):
        (source / f"{i}.json").write_text(
            content if isinstance(content, str) else json.dumps(content)
        )
    problems = Problems(collect=True)
    import_phenopackets(source, tmp_path / "cohort", problems)
    cohort = read(tmp_path / "cohort/cohort.yaml")
    return cohort, " ".join(problem.found for problem in problems.found)


def test_ages_become_days_before_the_last_encounter(tmp_path):
    row = imported(tmp_path, packet())[0].patients.iloc[0]
    assert row[["sex", "diagnosis"]].tolist() == ["female", "als"]
    assert (row["age_at_onset"], row["onset_days"]) == (58.5, -round(1.5 * 365.25))


@pytest.mark.parametrize(
    ("diseases", "diagnosis"),
    [
        ([ALS], "als"),
        ([{"term": {"id": "OMIM:1", "label": "Paget disease"}}, ALS], "als"),
        (
            [
                {
                    "term": {
                        "id": "MONDO:1",
                        "label": "Frontotemporal dementia and/or amyotrophic lateral sclerosis 1",
                    }
                }
            ],
            "als_ftd",
        ),
        ([{"term": {"id": "OMIM:1", "label": "Paget disease"}}], "mimic"),
        ([{**ALS, "excluded": True}], "control"),
        ([], "control"),
    ],
)
def test_diagnosis(tmp_path, diseases, diagnosis):
    assert imported(tmp_path, packet(diseases=diseases))[0].patients["diagnosis"].tolist() == [
        diagnosis
    ]


def test_what_is_not_listed_is_unknown_and_never_reference(tmp_path):
    import pysam

    other = variant({**A4V, "pos": 31659784, "ref": "C", "alt": "A"}, "GENO:0000136")
    imported(
        tmp_path,
        packet("p1", variants=[variant(A4V)]),
        packet("p2", variants=[other]),
        packet("p3"),
    )
    with pysam.VariantFile(str(tmp_path / "cohort/variants.vcf.gz")) as file:
        calls = [{name: sample["GT"] for name, sample in record.samples.items()} for record in file]
    assert calls == [
        {"p1": (0, 1), "p2": (None, None), "p3": (None, None)},
        {"p1": (None, None), "p2": (1, 1), "p3": (None, None)},
    ]


def test_a_known_variant_is_found(tmp_path):
    cohort, _ = imported(tmp_path, packet("p1", variants=[variant(A4V)]), packet("p2"))
    assert genetic_cause(cohort).tolist() == ["found", "not_fully_tested"]


@pytest.mark.parametrize(
    "left_out",
    [
        variant(A4V, status="REJECTED"),
        variant({**A4V, "genomeAssembly": "T2T"}),
        variant({**A4V, "alt": "<DEL>"}),
        variant({}),
    ],
)
def test_variants_that_are_left_out_are_counted(tmp_path, left_out):
    cohort, found = imported(tmp_path, packet(variants=[left_out]))
    assert len(cohort.genotypes.alleles) == 0
    assert "one of SOD1 is rejected, or has no plain VCF record" in found


def test_measurements_findings_and_death(tmp_path):
    more = {
        "measurements": [
            {
                "assay": {"label": "Serum NfL"},
                "value": {"quantity": {"unit": {"label": "ng/L"}, "value": 80}},
                "timeObserved": {"age": {"iso8601duration": "P59Y"}},
            },
            {
                "assay": {"label": "Sodium"},
                "value": {"quantity": {"unit": {"label": "mmol/L"}, "value": 140}},
            },
        ],
        "phenotypicFeatures": [{"type": {"id": "HP:0002145"}, "excluded": True}],
        "medicalActions": [{"treatment": {"agent": {"id": "x", "label": "Riluzole"}}}],
    }
    content = packet(**more)
    content["subject"]["vitalStatus"] = {
        "status": "DECEASED",
        "timeOfDeath": {"age": {"iso8601duration": "P61Y"}},
    }
    cohort, found = imported(tmp_path, content)
    assert cohort.biomarkers[["analyte", "value", "days"]].to_numpy().tolist() == [
        ["nfl_serum", 80.0, -365.0]
    ]
    assert cohort.patients.loc[0, ["ftd", "riluzole", "death_days"]].tolist() == [
        "no",
        "yes",
        365.0,
    ]
    assert "'Sodium' in 'mmol/L' is not an analyte and unit of ours" in found


@pytest.mark.parametrize(
    ("packets", "message"),
    [
        (["{"], r"0.json: this is not a phenopacket"),
        (['{"id": 3, "subject": []}'], r"0.json: this is not a phenopacket"),
        (['{"id": "x", "subject": {"id": "Mustermann"}} Mustermann'], r"\(its JSON is broken\)"),
        (
            ['{"id": "x", "subject": {"dateOfBirth": "Mustermann"}}'],
            r"\(its field subject.dateOfBirth has another type\)",
        ),
        (["[" * 100_000], r"0.json: this is not a phenopacket"),
        (['{"cohortType": "mendelian"}'], r"there is no phenopacket"),
        ([packet("a"), packet("a")], r"1.json: its id is that of another phenopacket"),
        (
            [
                packet("a", variants=[variant(A4V)]),
                packet("b", variants=[variant({**A4V, "genomeAssembly": "hg19"})]),
            ],
            r"several genome builds \(1 on GRCh37, 1 on GRCh38\)",
        ),
    ],
)
def test_mistakes_leave_nothing_behind(tmp_path, packets, message):
    with pytest.raises(DataError, match=message) as told:
        imported(tmp_path, *packets)
    assert "Mustermann" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["packets"]


@pytest.mark.parametrize(
    ("subject", "place"),
    [
        ({"sex": "male"}, "Phenopacket.subject.sex"),
        ({"vitalStatus": {"status": "Mustermann"}}, "Phenopacket.subject.vitalStatus.status"),
        ({"Mustermann": 1}, "Phenopacket.subject"),
        ({"sex": "MALE"}, None),
    ],
)
def test_what_the_schema_does_not_know_is_told_by_its_place(tmp_path, subject, place):
    """protobuf passes over it, and the patient has no sex then."""
    content = packet()
    content["subject"] |= subject
    _, found = imported(tmp_path, content, packet("other"))
    told = f"1 files have a field or a word that the schema of phenopackets does not have ({place})"
    assert (told in found) == (place is not None)
    assert "Mustermann" not in str(found)


def test_an_output_in_use_and_a_missing_folder(tmp_path, capsys):
    imported(tmp_path, packet())
    with pytest.raises(RequestError, match="it exists and is not empty"):
        import_phenopackets(tmp_path / "packets", tmp_path / "cohort", Problems(collect=True))
    assert (
        als_ml(["import-phenopackets", str(tmp_path / "absent"), "--output", str(tmp_path / "c")])
        == 2
    )
    assert "there is no such folder" in capsys.readouterr().err


def test_published_patients(reference_data, tmp_path, capsys):
    """Counts from summary.tsv, which was made from the same files by another program."""
    source = reference_data / "phenopackets"
    assert als_ml(["import-phenopackets", str(source), "--output", str(tmp_path / "cohort")]) == 0
    assert "58 patients have another disease than ALS" in capsys.readouterr().err
    cohort = read(tmp_path / "cohort/cohort.yaml")
    summary = pd.read_csv(source / "summary.tsv", sep="\t").set_index("id")
    patients = cohort.patients.set_index("sample_id")
    assert sorted(patients.index) == sorted(summary.index)
    sexes = summary["sex"].str.lower().reindex(patients.index)
    assert (patients["sex"] == sexes).sum() == sexes.isin(["female", "male"]).sum()
    assert patients.index[patients["diagnosis"] == "als"].tolist() == ["PMID_30236613_patient"]
    assert "21-31667337-C-CT" in set(cohort.genotypes.sites["key"])  # his frameshift in SOD1
    assert not np.isnan(patients.loc["PMID_30236613_patient", "age_at_onset"])


# --- families


def member(name, diseases=None, **more):
    made = packet(name, diseases=diseases, **more)
    return {**made, "subject": {**made["subject"], "id": f"s-{name}"}}


def person(name, father="", mother="", status="UNAFFECTED"):
    return {
        "familyId": "F1",
        "individualId": f"s-{name}",
        "paternalId": f"s-{father}" if father else "",
        "maternalId": f"s-{mother}" if mother else "",
        "affectedStatus": status,
    }


PEDIGREE = [
    person("grandfather"),
    person("grandmother"),
    person("father", "grandfather", "grandmother"),
    person("mother"),
    person("aunt", "grandfather", "grandmother"),
    person("child", "father", "mother"),
    person("sister", "father", "mother"),
    person("half", "father", "other"),
    person("other"),
    person("cousin", "", "aunt"),
]


def family(*relatives, proband=None, persons=PEDIGREE):
    return {
        "id": "F1",
        "proband": proband or member("child"),
        "relatives": list(relatives),
        "pedigree": {"persons": persons},
    }


@pytest.mark.parametrize(
    ("ill", "history"),
    [
        ("father", "first_degree"),
        ("sister", "first_degree"),
        ("half", "second_degree"),
        ("aunt", "second_degree"),
        ("grandmother", "second_degree"),
        ("cousin", "wider"),
        ("other", None),  # the mother of a half-sibling is no kin
    ],
)
def test_a_family_history_by_the_nearest_relative_with_als(tmp_path, ill, history):
    cohort, _ = imported(tmp_path, family(member(ill)))
    patients = cohort.patients.set_index("sample_id")
    assert patients.loc["child", "family_history"] == history
    assert patients["family_id"].tolist() == ["F1", "F1"]
    assert cohort.families[0] == cohort.families[1]


def test_the_nearest_of_several_counts(tmp_path):
    cohort, _ = imported(tmp_path, family(member("cousin"), member("father"), member("aunt")))
    assert cohort.patients["family_history"].tolist()[0] == "first_degree"


def test_a_relative_without_als_is_no_patient(tmp_path):
    cohort, _ = imported(tmp_path, family(member("mother", diseases=[])))
    patients = cohort.patients.set_index("sample_id")
    assert patients.loc["mother", "diagnosis"] == "control"  # no kin of hers has ALS but her child
    assert patients["family_history"].isna().tolist()[0]


def test_an_affected_person_of_a_pedigree_alone_says_no_disease(tmp_path):
    persons = [
        {**one, "affectedStatus": "AFFECTED"} if one["individualId"] == "s-father" else one
        for one in PEDIGREE
    ]
    cohort, told = imported(tmp_path, family(persons=persons))
    assert cohort.patients["family_history"].isna().all()
    assert "1 affected relatives of a pedigree have no phenopacket" in told


def test_families_beside_single_phenopackets(tmp_path):
    cohort, _ = imported(tmp_path, family(member("father")), packet("alone"))
    assert cohort.patients["sample_id"].tolist() == ["child", "father", "alone"]
    assert len(set(cohort.families)) == 2
