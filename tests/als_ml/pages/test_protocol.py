"""Each rule at, below and above its threshold and with its input missing.

What is old, recalled or a clinic's own.
"""

from pathlib import Path

import pytest
import yaml

from als_ml.pages.protocol import RULES, decide, read_rules
from als_ml.pages.protocol_inputs import Inputs, Value, cohort_inputs, known_inputs
from features.catalogue import shipped
from features.errors import RequestError
from features.tables.problems import Problems
from tests.cohorts import read

ALL = {rule.id: rule for rule in read_rules(recalled=True)}
ALS = {"diagnosis": "als"}
SOD1 = {**ALS, "pathogenic_sod1": "yes", "age": 40}
STUDY_19 = {
    "lowest_item": 2,
    "fvc_pct": 80,
    "el_escorial": "probable",
    "months_since_onset": 24,
    "age": 60,
    "decline_12_weeks": 1,
}
JETALS = {"months_since_onset": 12, "decline_12_weeks": 1, "fvc_pct": 60}
NIV = {
    "q10": 3,
    "fvc_pct": 80,
    "paco2_blood": 6.5,
    "snip": 90,
    "nocturnal_desaturation": "no",
    "q11": 4,
}
NIV |= {"respiratory_symptoms": "no"}
BREATHING = {"fvc_pct": 90, "mip": 90, "spo2": 97, "paco2_blood": 5}
NICE = {**BREATHING, "snip": 90, "q10": 4, "q11": 4}
FED = {"weight_loss_pct": 0, "bmi": 22, "q3": 4}
ARMS, LEGS, SPEECH = ({f"q{i}": 4 for i in items} for items in ((4, 5, 6), (7, 8, 9), (1, 2, 3)))


def inputs(changes: dict, days=0.0, today=0.0) -> Inputs:
    return Inputs(
        {name: Value(name, name, value, "", days) for name, value in changes.items()}, today
    )


def status(rule: str, values: dict, days=0.0, today=0.0) -> str:
    return decide(ALL[rule], inputs(values, days, today)).status


@pytest.mark.parametrize(
    ("rule", "others", "name", "applies", "not_"),
    [
        ("GEN-01", {}, "genetic_cause", ["not_fully_tested"], ["found", "not_found", "uncertain"]),
        ("GEN-02", SOD1, "pathogenic_sod1", ["yes"], ["no"]),
        ("GEN-02", SOD1, "diagnosis", ["als", "als_ftd"], ["control", "unaffected_relative"]),
        ("GEN-03", {}, "genetic_cause", ["found"], ["not_found"]),
        ("RIL-01", ALS, "on_riluzole", ["no"], ["yes"]),
        ("RIL-02", {}, "on_riluzole", ["yes"], ["no"]),
        ("RIL-03", {"bilirubin_times_limit": 1}, "alt_times_limit", [5.01, 9], [4.9, 5]),
        ("RIL-03", {"alt_times_limit": 5}, "bilirubin_times_limit", [1.01], [0.9, 1]),
        ("RIL-04", {"on_riluzole": "yes", "fever": "no"}, "neutrophils_blood", [0.49], [0.5, 0.51]),
        ("RIL-04", {"on_riluzole": "yes", "neutrophils_blood": 3}, "fever", ["yes"], ["no"]),
        ("RIL-05", {}, "diagnosis", ["als"], ["control"]),
        ("EDA-01", STUDY_19, "lowest_item", [2, 3], [1]),
        ("EDA-01", STUDY_19, "fvc_pct", [80, 81], [79.9]),
        ("EDA-01", STUDY_19, "months_since_onset", [23.9, 24], [24.1]),
        ("EDA-01", STUDY_19, "age", [20, 75], [19.9, 75.1]),
        ("EDA-01", STUDY_19, "decline_12_weeks", [1, 4], [0, 5]),
        ("EDA-01", STUDY_19, "el_escorial", ["definite"], ["possible", "suspected"]),
        ("EDA-02", {}, "on_edaravone", ["yes"], ["no"]),
        ("EDA-03", {}, "on_edaravone", ["yes"], ["no"]),
        ("TOF-01", SOD1, "age", [18, 19], [17.9]),
        ("TOF-01", SOD1, "pathogenic_sod1", ["yes"], ["no"]),
        ("TOF-02", {}, "on_tofersen", ["yes"], ["no"]),
        ("TOF-03", {}, "pathogenic_sod1", ["yes"], ["no"]),
        ("AMX-01", {}, "diagnosis", ["als"], ["pls"]),
        ("MEC-01", JETALS, "months_since_onset", [11, 12], [12.1]),
        ("MEC-01", JETALS, "decline_12_weeks", [1, 2], [0, 3]),
        ("MEC-01", JETALS, "fvc_pct", [60, 61], [59.9]),
        ("FUS-01", {**ALS}, "pathogenic_fus", ["yes"], ["no"]),
        ("C9-01", {}, "c9orf72_expanded", ["yes"], ["no", "indeterminate"]),
        ("STEM-01", {}, "diagnosis", ["als"], ["mimic"]),
        ("PBA-01", {}, "pseudobulbar_affect", ["yes"], ["no"]),
        ("NIV-01", NIV, "q10", [3, 0], [4]),
        ("NIV-01", NIV, "fvc_pct", [80, 79], [80.1]),
        ("NIV-01", {**NIV, "fvc_pct": 95}, "snip", [40, 39], [40.1]),
        ("NIV-01", NIV, "paco2_blood", [6.5, 6.6], [6.4]),
        ("NIV-02", BREATHING, "fvc_pct", [49.9], [50, 51]),
        ("NIV-02", BREATHING, "mip", [59], [60, 61]),
        ("NIV-02", BREATHING, "spo2", [88, 87], [88.1]),
        ("NIV-02", BREATHING, "paco2_blood", [6.1], [6.0, 5.9]),
        ("NIV-03", {"q11": 4}, "snip", [39.9], [40, 41]),
        ("NIV-03", {"snip": 60}, "q11", [3, 0], [4]),
        ("NIV-04", NICE, "fvc_pct", [49.9], [50, 80]),
        ("NIV-04", {**NICE, "q10": 3}, "fvc_pct", [79.9], [80]),
        ("NIV-04", NICE, "snip", [39], [40]),
        ("NIV-04", NICE, "mip", [39], [40]),
        ("NIV-04", NICE, "paco2_blood", [6.1], [6]),
        ("PEG-01", FED, "weight_loss_pct", [5, 6], [4.9]),
        ("PEG-01", FED, "bmi", [18.4], [18.5]),
        ("PEG-01", FED, "q3", [2, 0], [3]),
        ("NUT-01", {}, "weight_loss_pct", [0.1], [0, -1]),
        ("MDT-01", {}, "diagnosis", ["als"], ["control"]),
        ("SCR-01", {}, "diagnosis", ["als_ftd"], ["control"]),
        ("PT-01", LEGS, "q8", [3, 0], [4]),
        ("OT-01", ARMS, "q4", [3, 0], [4]),
        ("SLT-01", SPEECH, "q1", [3, 0], [4]),
    ],
)
def test_each_rule_at_its_threshold(rule, others, name, applies, not_):
    assert {status(rule, {**others, name: value}) for value in applies} == {"applies"}
    assert {status(rule, {**others, name: value}) for value in not_} == {"does not apply"}
    without = decide(
        ALL[rule], inputs({key: value for key, value in others.items() if key != name})
    )
    assert without.status == "cannot be decided"
    assert name in without.missing


def test_every_rule_is_tested():
    table = test_each_rule_at_its_threshold.pytestmark[0].args[1]
    assert {row[0] for row in table} == set(ALL)


@pytest.mark.parametrize(
    ("day", "expected"), [(0.0, "out of date"), (10.0, "applies"), (None, "out of date")]
)
def test_what_is_old_or_undated_is_out_of_date(day, expected):
    decision = decide(ALL["NIV-02"], inputs({**BREATHING, "fvc_pct": 40}, day, today=100.0))
    assert decision.status == expected
    assert ("fvc_pct" in {value.name for value in decision.stale}) == (expected == "out of date")


def test_an_old_value_does_not_hide_a_new_one_that_decides():
    values = inputs({"snip": 90}, 0.0).known | inputs({"q11": 2}, 95.0).known
    decision = decide(ALL["NIV-03"], Inputs(values, 100.0))
    assert decision.status == "applies"
    assert [value.name for value in decision.met] == ["q11"]


def test_recalled_rules_are_off():
    assert {rule.id for rule in read_rules()} == {
        name for name, rule in ALL.items() if rule.mark != "R"
    }
    assert {"SCR-01", "PBA-01", "NIV-04", "PEG-01", "GEN-03"} == {
        name for name, rule in ALL.items() if rule.mark == "R"
    }


def test_no_rule_knows_a_score():
    assert not [
        name
        for name in known_inputs(shipped())
        if "probab" in name or "score" in name or "familial" in name
    ]


def own_rules(tmp_path: Path, *rules: dict, **more) -> Path:
    path = tmp_path / "ours.yaml"
    path.write_text(yaml.safe_dump({**more, "rules": list(rules)}))
    return path


OURS = {
    "id": "NIV-02",
    "topic": "Breathing",
    "text": "Ours.",
    "source": "clinic",
    "year": 2026,
    "region": "here",
    "mark": "P",
    "reviewed": "2026-11-01",
    "when": {"input": "fvc_pct", "below": 60},
}


def test_a_clinics_own_rules(tmp_path):
    extended = {
        rule.id: rule for rule in read_rules(own_rules(tmp_path, OURS, {**OURS, "id": "OWN-1"}))
    }
    assert extended["NIV-02"].text == "Ours."
    assert len(extended) == len(read_rules()) + 1
    assert [rule.id for rule in read_rules(own_rules(tmp_path, OURS, replace=True))] == ["NIV-02"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"when": {"input": "fvc", "below": 60}},
            "rule NIV-02: it asks for the unknown input 'fvc'.*fvc_pct",
        ),
        (
            {"when": {"input": "fvc_pct"}},
            "one of `all`, `any`, `not`, or an `input` with one comparison",
        ),
        ({"when": {"input": "fvc_pct", "below": 60, "above": 3}}, "one comparison"),
        ({"when": {"all": [], "any": []}}, "one of"),
        ({"mark": "X"}, "mark"),
        ({"reviewed": "soon"}, "reviewed"),
        ({"extra": 1}, "extra"),
    ],
)
def test_wrong_rules_are_named(change, message, tmp_path):
    with pytest.raises(RequestError, match=message):
        read_rules(own_rules(tmp_path, {**OURS, **change}))


@pytest.mark.parametrize(
    "content", ["rules: [", "", "- 1", "!!python/object/apply:os.system ['true']"]
)
def test_what_is_no_rule_file(content, tmp_path):
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(RequestError):
        read_rules(tmp_path / "r.yaml")
    with pytest.raises(RequestError, match="cannot be read"):
        read_rules(tmp_path / "absent.yaml")


def test_every_rule_has_its_source():
    for rule in yaml.safe_load(RULES.read_text())["rules"]:
        assert rule["source"]
        assert rule["year"] >= 2000
        assert rule["mark"] in "VRP"


def test_the_inputs_of_a_patient(tmp_path):
    files = {
        "patients.csv": (
            "sample_id,sex,age_at_onset,onset_days,riluzole_start_days,"
            "el_escorial,fever,fever_days\n"
            "P1,male,60,-365,-10,definite,yes,80\nP2,female,,,,,,\n"
        ),
        "biomarkers.csv": (
            "sample_id,analyte,value,unit,days,ref_low,ref_high\nP1,alt_serum,300,U/L,84,10,50\n"
            "P1,weight,80,kg,0,,\nP1,weight,76,kg,84,,\nP1,fvc_pct,88,%,,,\nP1,fvc_pct,70,%,84,,\n"
        ),
        "alsfrs.csv": "sample_id,days,total\nP1,0,40\nP1,84,36\n",
        "cohort.yaml": "patients: patients.csv\nbiomarkers: biomarkers.csv\nalsfrs: alsfrs.csv\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    cohort = read(tmp_path / "cohort.yaml", Problems())
    first, second = cohort_inputs(cohort)
    found = {name: value.value for name, value in first.known.items()}
    assert first.today == 84
    assert found["alt_times_limit"] == 6
    assert found["weight_loss_pct"] == pytest.approx(5)
    assert found["fvc_pct"] == 70
    assert found["decline_12_weeks"] == 4
    assert found["on_riluzole"] == "yes"
    assert found["fever"] == "yes"
    assert found["months_since_onset"] == pytest.approx(449 / 30.4375)
    assert found["age"] == pytest.approx(60 + 449 / 365.25)
    assert found["genetic_cause"] == "not_fully_tested"
    assert "pathogenic_sod1" not in found
    assert set(second.known) == {"diagnosis", "genetic_cause"}
    assert decide(ALL["RIL-03"], first).status == "applies"
