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
    with pytest.raises(DataError, match=message):
        imported(tmp_path, *packets)
    assert [path.name for path in tmp_path.iterdir()] == ["packets"]


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
