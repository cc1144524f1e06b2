"""What each part of a phenopacket says, one at a time; no file is read."""

import json

import pandas as pd
import pytest
from google.protobuf.json_format import Parse
from phenopackets.schema.v2 import Family, Phenopacket

from als_ml.imports import phenopackets as of
from features.catalogue import shipped
from features.errors import DataError
from features.tables.problems import Problems

ALS = {"term": {"id": "OMIM:105400", "label": "x"}}
PAGET = {"term": {"id": "OMIM:1", "label": "Paget disease"}}


def packet(**content):
    return Parse(json.dumps({"id": "p1", **content}), Phenopacket())


def age(text):
    return {"age": {"iso8601duration": text}}


def subject(now=None, **more):
    return {"id": "s1", **({"timeAtLastEncounter": age(now)} if now else {}), **more}


def told(problems):
    return [(one.severity, one.where, one.found, one.count) for one in problems.found]


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("P60Y", 60.0),
        ("P60Y6M", 60.5),
        ("P3M", 0.25),
        ("P2W", 14 / 365.25),
        ("P10D", 10 / 365.25),
        ("P1Y1M1W1D", 1 + 1 / 12 + 8 / 365.25),
        ("P60.5Y", 60.5),
        ("P", None),  # of nothing
        ("P0D", 0.0),
        ("P60", None),
        ("60Y", None),
        ("P6M60Y", None),
        ("P60YT", None),
        ("", None),
    ],
)
def test_an_age(text, years):
    found = of._years(packet(subject=subject(text or "x")).subject.time_at_last_encounter)
    assert found == (None if years is None else pytest.approx(years, abs=1e-12))


def test_another_kind_of_time_has_no_age():
    when = {"timestamp": "2020-01-01T00:00:00Z"}
    given = packet(subject={"id": "s", "timeAtLastEncounter": when})
    assert of._years(given.subject.time_at_last_encounter) is None
    assert of._years(packet().subject.time_at_last_encounter) is None


@pytest.mark.parametrize(
    ("term", "diagnosis"),
    [
        (("OMIM:105400", ""), "als"),
        (("MONDO:0004976", ""), "als"),
        (("OMIM:1", "Amyotrophic Lateral Sclerosis 6"), "als"),
        (("OMIM:105400", "FrontoTemporal Dementia and/or ALS"), "als_ftd"),
        (("OMIM:1", "frontotemporal dementia"), "mimic"),
        (("OMIM:10540", "ALS"), "mimic"),
    ],
)
def test_a_disease(term, diagnosis):
    given = packet(diseases=[{"term": {"id": term[0], "label": term[1]}}])
    assert of._diagnosis(of._disease(given)) == diagnosis


@pytest.mark.parametrize(
    ("diseases", "number"),
    [
        ([PAGET, ALS], 1),
        ([ALS, PAGET], 0),
        ([PAGET], 0),
        ([{**PAGET, "excluded": True}, PAGET], 1),
        ([{**ALS, "excluded": True}, PAGET], 1),
        ([{**ALS, "excluded": True}], None),
        ([], None),
    ],
)
def test_the_disease_that_counts(diseases, number):
    given = packet(diseases=diseases)
    found = of._disease(given)
    assert found == (None if number is None else given.diseases[number])
    assert (of._diagnosis(found) == "control") == (number is None)


@pytest.mark.parametrize(
    ("now", "onset", "years", "days"),
    [
        ("P60Y", "P58Y6M", 58.5, -548),  # 1.5 x 365.25
        ("P60Y", "P60Y", 60, 0),
        ("P60Y", "P61Y", 61, None),  # after the last encounter
        (None, "P58Y", 58, None),
        ("P60Y", None, None, None),
        ("P1Y", "P1Y", 1, 0),
        ("P1Y", "P11M", None, -30),  # an age below 1
        ("P110Y", "P110Y", 110, 0),
        ("P110Y1M", "P110Y1M", None, 0),
        ("P60Y", "P58Y4M", 58.33, -609),
    ],
)
def test_onset(now, onset, years, days):
    disease = {**ALS, **({"onset": age(onset)} if onset else {})}
    row = of._patient(packet(subject=subject(now), diseases=[disease]))
    assert (row["age_at_onset"], row["onset_days"]) == (years, days)
    assert of._patient(packet(subject=subject(now)))["onset_days"] is None


def test_a_patient():
    features = [{"type": {"id": "HP:1"}}, {"type": {"id": "HP:0002145"}}]
    actions = [
        {"treatment": {"agent": {"id": "d", "label": label}}}
        for label in ("Riluzole 50 mg", "Vitamin", "TOFERSEN")
    ]
    of_packet = packet(
        subject=subject(
            "P60Y", sex="MALE", vitalStatus={"status": "DECEASED", "timeOfDeath": age("P61Y")}
        ),
        diseases=[ALS],
        phenotypicFeatures=features,
        medicalActions=actions,
    )
    assert of._patient(of_packet) == {
        "sample_id": "p1",
        "diagnosis": "als",
        "sex": "male",
        "age_at_onset": None,
        "onset_days": None,
        "ftd": "yes",
        "death_days": 365,
        "riluzole": "yes",
        "edaravone": None,
        "tofersen": "yes",
    }
    edaravone = [{"treatment": {"agent": {"id": "d", "label": "edaravone"}}}]
    other = of._patient(packet(subject=subject(sex="FEMALE"), medicalActions=edaravone))
    assert (other["sex"], other["ftd"], other["edaravone"]) == ("female", None, "yes")
    assert (other["diagnosis"], other["riluzole"]) == ("control", None)
    assert of._patient(packet(subject=subject(sex="OTHER_SEX")))["sex"] is None


@pytest.mark.parametrize(("excluded", "word"), [(True, "no"), (False, "yes")])
def test_a_finding_that_was_looked_for(excluded, word):
    features = [
        {"type": {"id": "HP:1"}, "excluded": not excluded},
        {"type": {"id": "HP:0002145"}, "excluded": excluded},
        {"type": {"id": "HP:0002145"}, "excluded": not excluded},
    ]
    assert of._observed(packet(phenotypicFeatures=features), "HP:0002145") == word
    assert of._observed(packet(), "HP:0002145") is None


@pytest.mark.parametrize(
    ("status", "died", "now", "days"),
    [
        ("DECEASED", "P62Y", 60.0, 730),  # 2 x 365.25 is 730.5: to the even day
        ("DECEASED", "P61Y", 60.0, 365),
        ("DECEASED", "P60Y", 60.0, 0),
        ("ALIVE", "P61Y", 60.0, None),
        ("DECEASED", None, 60.0, None),
        ("DECEASED", "P61Y", None, None),
    ],
)
def test_a_death(status, died, now, days):
    vital = {"status": status, **({"timeOfDeath": age(died)} if died else {})}
    given = packet(subject=subject(vitalStatus=vital))
    assert of._death_days(given, now) == days


def measured(label, unit, value=80, seen="P59Y", **more):
    quantity = {"unit": unit, "value": value}
    time = {"timeObserved": age(seen)} if seen else {}
    return {"assay": {"label": label, **more}, "value": {"quantity": quantity}, **time}


def test_measurements():
    """By the label of the assay; the unit by its label, else its id. What is not ours is told."""
    given = packet(
        subject=subject("P60Y"),
        measurements=[
            measured("Sodium", {"label": "mmol/L"}),
            measured("Serum NfL", {"label": "ng/L", "id": "x"}),
            measured("serum nfl", {"id": "pg/mL"}, 9.5, None),
            measured("Serum NfL", {"label": "furlong"}),
            measured("", {"label": "ng/L"}, id="LOINC:1"),
            measured("Serum NfL", {"label": "pg/mL"}, 7, "P60Y"),
        ],
    )
    problems = Problems(collect=True)
    rows = of._measurements(shipped(), given, problems)
    assert [tuple(row.values()) for row in rows] == [
        ("p1", "nfl_serum", 80, "ng/L", -365),
        ("p1", "nfl_serum", 9.5, "pg/mL", None),
        ("p1", "nfl_serum", 7, "pg/mL", 0),
    ]
    assert list(rows[0]) == ["sample_id", "analyte", "value", "unit", "days"]
    left = [("Sodium", "mmol/L"), ("Serum NfL", "furlong"), ("LOINC:1", "ng/L")]
    what = [f"{label!r} in {unit!r} is not an analyte and unit of ours" for label, unit in left]
    assert told(problems) == [("note", "measurements", found, 1) for found in what]
    unseen = packet(measurements=[measured("Serum NfL", {"label": "ng/L"})])
    assert of._measurements(shipped(), unseen, problems)[0]["days"] is None


A4V = {"genomeAssembly": "hg38", "chrom": "chr21", "pos": 31659783, "ref": "c", "alt": "T"}


def with_variants(*given):
    """Records with the state of their alleles and whether they are rejected."""
    genomic = [
        {
            "interpretationStatus": status,
            "variantInterpretation": {
                "variationDescriptor": {
                    "id": "v",
                    "vcfRecord": record,
                    "geneContext": {"symbol": symbol},
                    "allelicState": {"id": state},
                }
            },
        }
        for record, state, status, symbol in given
    ]
    one = {"id": "i", "diagnosis": {"genomicInterpretations": genomic}}
    return packet(interpretations=[one])


@pytest.mark.parametrize(
    ("state", "genotype"),
    [
        ("GENO:0000135", "0/1"),
        ("GENO:0000136", "1/1"),
        ("GENO:0000134", "1"),
        ("", "./1"),
        ("GENO:1", "./1"),
    ],
)
def test_a_call(state, genotype):
    """Of a capital letter each, without the prefix of the contig."""
    problems = Problems(collect=True)
    given = with_variants((A4V, state, "CAUSATIVE", "SOD1"))
    expected = of.Call("p1", "GRCh38", "21", 31659783, "C", "T", genotype)
    assert of._calls(given, problems) == [expected]
    assert told(problems) == []


@pytest.mark.parametrize(
    ("change", "status", "kept"),
    [
        ({}, "CONTRIBUTORY", True),
        ({}, "UNKNOWN_STATUS", True),
        ({}, "REJECTED", False),
        ({"genomeAssembly": "GRCh37"}, "CAUSATIVE", True),
        ({"genomeAssembly": "T2T"}, "CAUSATIVE", False),
        ({"ref": "CNGa", "alt": "acgtn"}, "CAUSATIVE", True),
        ({"ref": "<DEL>"}, "CAUSATIVE", False),
        ({"alt": "<DEL>"}, "CAUSATIVE", False),
        ({"ref": ""}, "CAUSATIVE", False),
        ({"alt": ""}, "CAUSATIVE", False),
        ({"alt": "C*"}, "CAUSATIVE", False),
        ({"pos": 0}, "CAUSATIVE", False),
        ({"pos": 1}, "CAUSATIVE", True),
    ],
)
def test_what_is_no_plain_record_is_left_out(change, status, kept):
    """The one after it is read."""
    problems = Problems(collect=True)
    record, other = {**A4V, **change}, {**A4V, "pos": 5}
    given = with_variants((record, "", status, ""), (other, "", "CAUSATIVE", "FUS"))
    calls = of._calls(given, problems)
    assert len(calls) == 1 + kept
    assert calls[-1].pos == 5
    found = "one of a gene is rejected, or has no plain VCF record"
    assert told(problems) == ([] if kept else [("note", "variants", found, 1)])
    named = Problems(collect=True)
    of._calls(with_variants((record, "", status, "SOD1")), named)
    assert [one.found.split(" is ")[0] for one in named.found] == ["one of SOD1"] * (not kept)


def called(*builds):
    return [of.Call("p", build, "1", 1, "A", "C", "0/1") for build in builds]


def test_all_variants_are_of_one_build():
    assert of._build([]) == "GRCh38"
    assert of._build(called("GRCh37", "GRCh37")) == "GRCh37"
    with pytest.raises(DataError, match="several genome builds \\(2 on GRCh37, 1 on GRCh38\\)"):
        of._build(called("GRCh37", "GRCh38", "GRCh37"))


# A grandfather G with a daughter M (her mother unknown) and a son U by two wives; M and F have A
# and B; F has H by another wife X; U has C. Nobody is related to S; D's mother Q
# is not of the pedigree.
PEDIGREE = {
    "G": (None, None),
    "W": (None, None),
    "V": (None, None),
    "M": ("G", "W"),
    "T": ("G", "W"),
    "U": ("G", "V"),
    "F": (None, None),
    "X": (None, None),
    "A": ("F", "M"),
    "B": ("F", "M"),
    "H": ("F", "X"),
    "C": ("U", None),
    "D": ("A", "Q"),
    "S": (None, None),
    "K": (None, "B"),
}


def persons(affected=(), people=PEDIGREE):
    return [
        {
            "individualId": name,
            **({"paternalId": father} if father else {}),
            **({"maternalId": mother} if mother else {}),
            "affectedStatus": "AFFECTED" if name in affected else "UNAFFECTED",
        }
        for name, (father, mother) in people.items()
    ]


@pytest.mark.parametrize(
    ("one", "other", "degree"),
    [
        ("A", "M", 1),
        ("A", "B", 1),  # full siblings share a couple
        ("A", "H", 2),  # half-siblings one of it
        ("A", "G", 2),
        ("M", "T", 1),
        ("M", "U", 2),
        ("A", "T", 2),  # an aunt
        ("A", "U", 3),  # a half-uncle
        ("A", "C", 4),  # a half-cousin
        ("D", "K", 3),  # first cousins
        ("D", "M", 2),
        ("D", "G", 3),
        ("A", "S", None),
        ("A", "X", None),
        ("F", "M", None),
    ],
)
def test_degrees_of_kinship(one, other, degree):
    pedigree = Parse(json.dumps({"pedigree": {"persons": persons()}}), Family()).pedigree
    degrees = of.kinship_degrees(pedigree)
    assert degrees[one].get(other) == degree
    assert degrees[other].get(one) == degree
    assert one not in degrees[one]
    assert set(degrees) == set(PEDIGREE)


def family(ill, affected=(), members="ABGUCDS", disease=ALS):
    """Samples named as the persons, in small letters; who is not ill has no disease."""
    packets = [
        {"id": name.lower(), "subject": {"id": name}, "diseases": [disease] if name in ill else []}
        for name in members
    ]
    content = {
        "id": "fam",
        "proband": packets[0],
        "relatives": packets[1:],
        "pedigree": {"persons": persons(affected)},
    }
    return Parse(json.dumps(content), Family())


def families_of(*given, extra=()):
    rows = [
        {"sample_id": packet.id, "diagnosis": of._diagnosis(of._disease(packet))}
        for one in given
        for packet in (one.proband, *one.relatives)
    ]
    problems = Problems(collect=True)
    table = pd.DataFrame([*rows, *extra])
    return of._with_families(table, list(given), problems).set_index("sample_id"), problems


def test_the_nearest_relative_with_als_is_the_family_history():
    found, problems = families_of(family("AU"), extra=[{"sample_id": "z", "diagnosis": "control"}])
    assert found["family_id"].to_dict() == {
        **dict.fromkeys("abgucds", "fam"),
        "z": pytest.approx(float("nan"), nan_ok=True),
    }
    history = {name: text for name, text in found["family_history"].items() if text == text}
    assert history == {
        "a": "wider",
        "b": "first_degree",
        "g": "first_degree",
        "u": "wider",
        "c": "first_degree",
        "d": "first_degree",
    }
    # Who is related to nobody with ALS and has no disease is an unaffected relative.
    assert found["diagnosis"].to_dict() == {
        **dict.fromkeys("au", "als"),
        **dict.fromkeys("bgcdz", "control"),
        "s": "unaffected_relative",
    }
    assert told(problems) == []


def test_a_grandchild_has_a_history_of_the_second_degree():
    found, _ = families_of(family("G", members="AG"))
    assert found["family_history"].iloc[0] == "second_degree"


def test_who_is_not_in_the_pedigree_has_no_kin():
    found, _ = families_of(family("AZ", members="ABZ"))
    assert found["family_history"].fillna("").tolist() == ["", "first_degree", ""]
    assert found["family_id"].tolist() == ["fam"] * 3


def test_als_with_dementia_is_als_of_a_family():
    both = {"term": {"id": "OMIM:1", "label": "Frontotemporal dementia and "}}
    both["term"]["label"] += "amyotrophic lateral sclerosis"
    found, _ = families_of(family("A", members="AB", disease=both))
    assert found["diagnosis"].tolist() == ["als_ftd", "control"]
    assert found["family_history"].fillna("").tolist() == ["", "first_degree"]


def test_affected_people_without_a_phenopacket_are_counted():
    found, problems = families_of(
        family("A", affected="AMT"), family("", affected="X", members="H")
    )
    assert len(found) == 8
    what = "affected relatives of a pedigree have no phenopacket"
    assert told(problems) == [
        ("note", "families", f"2 {what}", 2),
        ("note", "families", f"1 {what}", 1),
    ]


def test_patients_without_a_family_stay_as_they_are():
    table = pd.DataFrame({"sample_id": ["a"], "diagnosis": ["als"]})
    assert of._with_families(table, [], Problems()) is table


def test_ids_are_told_apart_and_diseases_counted():
    problems = Problems(collect=True)
    words = ["mimic", "als", "control", "mimic", "als_ftd"]
    table = pd.DataFrame({"sample_id": list("abcde"), "diagnosis": words})
    of._check_patients(table, {}, problems)
    assert [of_three[:3] for of_three in told(problems)] == [
        ("note", "diseases", "2 patients have another disease than ALS"),
        ("note", "diseases", "1 patients have no disease at all"),
    ]
    none = Problems(collect=True)
    of._check_patients(table.iloc[[1, 4]], {}, none)
    assert told(none) == []
    twice = table.assign(sample_id=list("abcbe"))
    paths = {f"{number}.json": None for number in range(5)}
    with pytest.raises(DataError, match=r"^3\.json: its id is that of another"):
        of._check_patients(twice, paths, Problems())
