"""Each rule at, below and above its threshold and with its input missing.

What is old, recalled or a clinic's own.
"""

from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from als_ml.pages.patient_state import patient_states
from als_ml.pages.protocol import REGIONS, _leaves, decide, read_rules
from als_ml.pages.protocol_inputs import Inputs, Value, cohort_inputs, known_inputs
from als_ml.pages.sources import as_markdown, sources
from features.catalogue import shipped
from features.errors import RequestError
from features.tables.problems import Problems
from tests.cohorts import read

ROOT = Path(__file__).resolve().parents[3]
ALL = {rule.id: rule for rule in read_rules()}
TODAY = date(2026, 12, 1)
ALS = {"diagnosis": "als"}
ON, OFF = {**ALS, "on_riluzole": "yes"}, {**ALS, "on_riluzole": "no"}
SOD1 = {**ALS, "pathogenic_sod1": "yes", "age": 40}
STUDY_19 = {
    "lowest_item": 2,
    "vital_capacity_pct": 80,
    "el_escorial": "probable",
    "months_since_onset": 24,
    "age": 60,
    "decline_12_weeks": 1,
}
JETALS = {
    "months_since_onset": 12,
    "decline_12_weeks": 1,
    "vital_capacity_pct": 60,
    "el_escorial": "definite",
}
QUIET = {"q10": 4, "q11": 4, "respiratory_symptoms": "no"}
NIV = {**QUIET, "q10": 3, "vital_capacity_pct": 80, "snip": 90, "paco2_blood": 6.5}
NIV |= {"nocturnal_desaturation": "no"}
CMS = {**QUIET, "q11": 3, "vital_capacity_pct": 90, "mip": 90, "paco2_blood": 5}
CMS |= {"nocturnal_desaturation": "no"}
NICE = {**QUIET, "vital_capacity_pct": 90, "snip": 90, "mip": 90, "sex": "male"}
FED = {"weight_loss_pct": 0, "bmi": 22, "q3": 4}
TUBE = {"vital_capacity_pct": 29, "weight_loss_pct": 0, "q3": 2}
ON_TOFERSEN = {
    "on_tofersen": "yes",
    "headache": "no",
    "visual_change": "no",
    "back_or_leg_pain": "no",
    "fever": "no",
}
HANDS, LEGS = {f"q{i}": 4 for i in (4, 5, 6)}, {"q8": 4, "q9": 4}
# Rule, what else is known, the input that is moved, where it applies and where it does not.
CASES = [
    ("GEN-01", {}, "genetic_cause", ["not_fully_tested"], ["found", "not_found", "uncertain"]),
    ("GEN-02", SOD1, "pathogenic_sod1", ["yes"], ["no"]),
    ("GEN-03", {}, "genetic_cause", ["found"], ["not_found", "uncertain"]),
    ("GEN-04", {}, "genetic_cause", ["uncertain"], ["not_found", "found"]),
    ("GEN-05", {}, "age_at_onset", [24.9, 12], [25, 60]),
    ("GEN-06", {"genetic_consent": "no"}, "genetically_tested", ["no"], ["yes"]),
    ("GEN-06", {"genetically_tested": "no"}, "genetic_consent", ["no"], ["yes"]),
    ("RIL-01", ALS, "on_riluzole", ["no"], ["yes"]),
    ("RIL-02", ON, "months_on_riluzole", [0, 3], [3.1]),
    ("RIL-03", ON, "months_on_riluzole", [3.1, 12], [3, 12.1]),
    ("RIL-04", ON, "liver_times_limit", [5.01, 9], [4.9, 5]),
    ("RIL-04", {**ALS, "liver_times_limit": 6}, "on_riluzole", ["yes"], ["no"]),
    ("RIL-05", ON, "liver_times_limit", [3.01, 4, 5], [3, 5.01]),
    ("RIL-06", OFF, "liver_times_limit", [3.01, 6], [2.9, 3]),
    ("RIL-06", {**ALS, "liver_times_limit": 4}, "on_riluzole", ["no"], ["yes"]),
    ("RIL-07", ON, "bilirubin_times_limit", [1.01], [0.9, 1]),
    ("RIL-08", OFF, "bilirubin_times_limit", [1.01], [0.9, 1]),
    ("RIL-09", ON, "fever", ["yes"], ["no"]),
    ("RIL-10", ON, "neutrophils_blood", [0.49], [0.5, 0.51]),
    ("RIL-11", ON, "dry_cough", ["yes"], ["no"]),
    ("RIL-12", {}, "diagnosis", ["als", "als_ftd"], ["control", "pls"]),
    ("RIL-13", {}, "pregnant", ["yes"], ["no"]),
    ("EDA-01", STUDY_19, "lowest_item", [2, 3], [1]),
    ("EDA-01", STUDY_19, "vital_capacity_pct", [80, 81], [79.9]),
    ("EDA-01", STUDY_19, "el_escorial", ["definite", "probable"], ["possible", "probable_lab"]),
    ("EDA-01", STUDY_19, "months_since_onset", [23.9, 24], [24.1]),
    ("EDA-01", STUDY_19, "age", [20, 75], [19.9, 75.1]),
    ("EDA-01", STUDY_19, "decline_12_weeks", [1, 4], [0, 5]),
    ("EDA-02", {}, "on_edaravone", ["yes"], ["no"]),
    ("EDA-03", {}, "diagnosis", ["als"], ["mimic"]),
    ("EDA-04", {}, "on_edaravone", ["yes"], ["no"]),
    ("EDA-05", {"on_edaravone": "yes"}, "sulfite_allergy", ["yes"], ["no"]),
    ("TOF-01", SOD1, "pathogenic_sod1", ["yes"], ["no"]),
    ("TOF-01", SOD1, "age", [18, 40], [17.9]),
    ("TOF-02", ON_TOFERSEN, "headache", ["yes"], ["no"]),
    ("TOF-02", ON_TOFERSEN, "fever", ["yes"], ["no"]),
    ("TOF-02", {**ON_TOFERSEN, "headache": "yes"}, "on_tofersen", ["yes"], ["no"]),
    ("TOF-03", {}, "pathogenic_sod1", ["yes"], ["no"]),
    ("TOF-04", {}, "pathogenic_sod1", ["yes"], ["no"]),
    ("AMX-01", {}, "on_amx0035", ["yes"], ["no"]),
    ("MEC-01", JETALS, "months_since_onset", [11, 12], [12.1]),
    ("MEC-01", JETALS, "decline_12_weeks", [1, 2], [0, 3]),
    ("MEC-01", JETALS, "vital_capacity_pct", [60, 61], [59.9]),
    ("MEC-01", JETALS, "el_escorial", ["definite", "probable_lab"], ["possible", "suspected"]),
    ("FUS-01", ALS, "pathogenic_fus", ["yes"], ["no"]),
    ("C9-01", {}, "c9orf72_expanded", ["yes"], ["no", "indeterminate"]),
    ("STEM-01", {}, "diagnosis", ["als"], ["mimic"]),
    ("NIV-01", NIV, "q10", [3, 0], [4]),
    ("NIV-01", NIV, "vital_capacity_pct", [80, 79], [80.1]),
    ("NIV-01", {**NIV, "vital_capacity_pct": 95}, "snip", [40, 39], [40.1]),
    ("NIV-01", NIV, "paco2_blood", [6.5, 6.6], [6.4]),
    ("NIV-02", CMS, "vital_capacity_pct", [49.9], [50, 51]),
    ("NIV-02", CMS, "mip", [59], [60, 61]),
    ("NIV-02", CMS, "paco2_blood", [6.0, 5.9996], [5.99]),
    ("NIV-02", CMS, "nocturnal_desaturation", ["yes"], ["no"]),
    ("NIV-02", {**CMS, "mip": 50}, "q11", [3, 0], [4]),
    ("NIV-03", {}, "snip", [39.9], [40, 41]),
    ("NIV-04", NICE, "vital_capacity_pct", [49.9], [50, 80]),
    ("NIV-04", {**NICE, "q10": 3}, "vital_capacity_pct", [79.9], [80]),
    ("NIV-04", NICE, "snip", [39], [40]),
    ("NIV-04", NICE, "mip", [39], [40]),
    ("NIV-04", {**NICE, "q10": 3}, "snip", [64.9], [65]),
    ("NIV-04", {**NICE, "q10": 3, "sex": "female"}, "snip", [54.9], [55]),
    ("NIV-05", {}, "paco2_blood", [6.01], [6, 5.9]),
    ("NIV-06", {}, "q11", [3, 0], [4]),
    ("NIV-07", {}, "spo2", [93.9], [94, 97]),
    ("NIV-08", {}, "vital_capacity_pct", [49.9], [50, 51]),
    ("RES-01", {}, "diagnosis", ["als"], ["pls"]),
    ("TRA-01", {"on_niv": "yes"}, "q12", [1, 0], [2, 3]),
    ("TRA-02", {}, "invasive_ventilation", ["yes"], ["no"]),
    ("COU-01", {}, "weak_cough", ["yes"], ["no"]),
    ("PEG-01", {}, "weight_loss_pct", [10.1], [10, 9]),
    ("PEG-02", FED, "weight_loss_pct", [5, 6], [4.9]),
    ("PEG-02", FED, "bmi", [18.4], [18.5]),
    ("PEG-02", FED, "q3", [2, 0], [3]),
    ("PEG-03", TUBE, "vital_capacity_pct", [29.9], [30, 31]),
    ("PEG-03", TUBE, "q3", [2, 0], [3]),
    ("NUT-01", {}, "weight_loss_pct", [5], [4.9, 0, -1]),
    ("NUT-02", {}, "gastrostomy", ["yes"], ["no"]),
    ("SWA-01", {}, "q3", [3, 1], [4, 0]),
    ("SAL-01", {"drooling": "no"}, "q2", [2, 0], [3]),
    ("VOI-01", {}, "q1", [3, 2], [4, 1]),
    ("SLT-01", {}, "q1", [2, 0], [3]),
    ("PT-01", LEGS, "q8", [3, 1], [4, 0]),
    ("PT-02", {}, "q7", [1, 0], [2]),
    ("OT-01", HANDS, "q4", [3, 1], [4, 0]),
    ("SPA-01", {}, "spasticity", ["yes"], ["no"]),
    ("CRA-01", {}, "cramps", ["yes"], ["no"]),
    ("PBA-01", {}, "pseudobulbar_affect", ["yes"], ["no"]),
    ("MOO-01", {}, "low_mood", ["yes"], ["no"]),
    ("VTE-01", {}, "leg_swelling", ["yes"], ["no"]),
    ("MDT-01", {}, "diagnosis", ["als"], ["control"]),
    ("SCR-01", {}, "diagnosis", ["als_ftd"], ["control"]),
    ("PAL-01", {}, "diagnosis", ["als_ftd"], ["control"]),
    ("PAL-02", {"on_niv": "no", "q3": 4}, "vital_capacity_pct", [49.9], [50]),
    ("PAL-02", {"vital_capacity_pct": 80, "q3": 4}, "on_niv", ["yes"], ["no"]),
]
VENTILATED = [("on_niv", "yes"), ("invasive_ventilation", "yes")]
# Rule, where it would apply, and what takes it away.
RULED_OUT = [
    ("GEN-02", SOD1, [("on_tofersen", "yes"), ("diagnosis", "mimic")]),
    (
        "RIL-01",
        OFF,
        [
            ("liver_times_limit", 3.01),
            ("bilirubin_times_limit", 1.01),
            ("neutrophils_blood", 0.49),
            ("invasive_ventilation", "yes"),
            ("pregnant", "yes"),
            ("age", 17.9),
            ("diagnosis", "pls"),
        ],
    ),
    ("EDA-01", STUDY_19, [("on_edaravone", "yes"), ("sulfite_allergy", "yes"), *VENTILATED]),
    ("MEC-01", JETALS, VENTILATED),
    ("NIV-01", NIV, VENTILATED),
    ("NIV-02", {**CMS, "mip": 50}, VENTILATED),
    ("NIV-03", {"snip": 30}, VENTILATED),
    ("NIV-04", {**NICE, "snip": 30}, VENTILATED),
    ("NIV-05", {"paco2_blood": 7}, VENTILATED[1:]),
    ("NIV-06", {"q11": 2}, VENTILATED),
    ("NIV-07", {"spo2": 90}, VENTILATED[1:]),
    ("NIV-08", {"vital_capacity_pct": 40}, VENTILATED),
    ("RES-01", ALS, VENTILATED[1:]),
    ("TRA-01", {"on_niv": "yes", "q12": 1}, VENTILATED[1:]),
    ("COU-01", {"weak_cough": "yes"}, VENTILATED[1:]),
    ("PEG-01", {"weight_loss_pct": 12}, [("gastrostomy", "yes")]),
    ("PEG-02", {**FED, "bmi": 17}, [("gastrostomy", "yes")]),
    ("PEG-03", TUBE, [("gastrostomy", "yes"), ("invasive_ventilation", "yes")]),
]


def inputs(changes: dict, days=0.0, today=0.0) -> Inputs:
    return Inputs(
        {name: Value(name, name, value, "", days) for name, value in changes.items()}, today
    )


def status(rule: str, values: dict, days=0.0, today=0.0) -> str:
    return decide(ALL[rule], inputs(values, days, today), TODAY).status


@pytest.mark.parametrize(("rule", "others", "name", "applies", "not_"), CASES)
def test_each_rule_at_its_threshold(rule, others, name, applies, not_):
    assert {status(rule, {**others, name: value}) for value in applies} == {"applies"}
    assert {status(rule, {**others, name: value}) for value in not_} == {"does not apply"}
    known = {key: value for key, value in others.items() if key != name}
    without = decide(ALL[rule], inputs(known), TODAY)
    assert without.status == "cannot be decided"
    assert name in without.missing


@pytest.mark.parametrize(("rule", "values", "reasons"), RULED_OUT)
def test_what_the_patient_has_takes_a_rule_away(rule, values, reasons):
    assert status(rule, values) == "applies"
    for name, value in reasons:
        assert status(rule, {**values, name: value}) == "does not apply", name
        # An old value rules out as well: who was ventilated is ventilated.
        old = inputs(values, 100.0, 100.0).known | inputs({name: value}, 0.0).known
        assert decide(ALL[rule], Inputs(old, 100.0), TODAY).status == "does not apply", name


def test_every_unless_is_tested():
    assert {row[0] for row in RULED_OUT} == {name for name, rule in ALL.items() if rule.unless}
    for name, _, reasons in RULED_OUT:
        tried = {reason for reason, _ in reasons}
        assert {str(leaf.input) for leaf in _leaves(ALL[name].unless)} <= tried, name


@pytest.mark.parametrize(("rule", "others", "name", "applies", "not_"), CASES)
def test_no_rule_speaks_of_the_dead_or_of_a_mimic(rule, others, name, applies, not_):
    values = {**others, name: applies[0]}
    assert status(rule, {**values, "dead": "yes"}) == "does not apply"
    assert status(rule, {**values, "diagnosis": "mimic"}) == "does not apply"
    assert status(rule, {**values, "diagnosis": "control"}) == "does not apply"


def test_every_rule_is_tested():
    assert {row[0] for row in CASES} == set(ALL)


@pytest.mark.parametrize(
    ("day", "expected"), [(9.9, "out of date"), (10.0, "applies"), (None, "out of date")]
)
def test_what_is_old_or_undated_is_out_of_date(day, expected):
    values = inputs({"vital_capacity_pct": 40}, day, today=100.0)
    decision = decide(ALL["NIV-08"], values, TODAY)
    assert decision.status == expected
    stale = {value.name for value in decision.stale}
    assert ("vital_capacity_pct" in stale) == (expected == "out of date")


def test_an_old_value_does_not_hide_a_new_one_that_decides():
    values = inputs({"weight_loss_pct": 0, "bmi": 22}, 0.0).known | inputs({"q3": 1}, 95.0).known
    decision = decide(ALL["PEG-02"], Inputs(values, 100.0), TODAY)
    assert decision.status == "applies"
    assert [value.name for value in decision.met] == ["q3"]


def test_a_rule_expires_and_a_safety_rule_stays():
    after = ALL["PEG-02"].valid_until + timedelta(days=1)
    weak = inputs({**FED, "q3": 1, "snip": 30})
    assert decide(ALL["PEG-02"], weak, after - timedelta(days=1)).status == "applies"
    assert decide(ALL["PEG-02"], weak, after).status == "expired"
    assert decide(ALL["NIV-03"], weak, after).status == "applies"
    assert ALL["NIV-03"].safety
    assert ALL["NIV-03"].expired(after)


def test_recalled_rules_are_marked_and_never_act():
    recalled = {name for name, rule in ALL.items() if rule.mark == "R"}
    assert {rule.id for rule in read_rules(recalled=False)} == set(ALL) - recalled
    assert {"NIV-04", "PEG-02"} <= recalled  # breathing and swallowing are shown even so
    assert not [name for name in recalled if ALL[name].level == "act"]


def test_a_region_chooses_licences_and_coverage_alone():
    for region in REGIONS:
        chosen = {rule.id for rule in read_rules(regions=(region,))}
        left_out = set(ALL) - chosen
        assert all(ALL[name].scope != "medical" for name in left_out)
        assert all(region not in ALL[name].region for name in left_out)
    assert "NIV-02" in {rule.id for rule in read_rules(regions=("US",))}
    assert "NIV-02" not in {rule.id for rule in read_rules(regions=("EU",))}
    assert {rule.id for rule in read_rules(regions=REGIONS)} == set(ALL)
    with pytest.raises(RequestError, match="'Europe' is not known"):
        read_rules(regions=("Europe",))


def test_the_levels_tell_patients_apart():
    """Act needs a dated value or a sign, background is decided without one."""
    for rule in ALL.values():
        asked = {str(leaf.input) for leaf in _leaves(rule.when)}
        if rule.level == "act":
            assert asked - {"on_riluzole", "on_edaravone", "on_tofersen", "diagnosis"}, rule.id


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
    "mark": "P",
    "level": "consider",
    "reviewed": "2026-11-01",
    "valid_until": "2027-11-01",
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
        ({"valid_until": "2026-11-01"}, "lies before the day of the review"),
        ({"level": "act", "mark": "R"}, "never acts"),
        ({"level": "urgent"}, "level"),
        ({"scope": "licence"}, "a rule of licence names its region"),
        ({"region": ["here"]}, "region"),
        ({"unless": {"input": "niv", "is": "yes"}}, "unknown input 'niv'"),
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
    known = sources()
    for rule in ALL.values():
        source = known[rule.source]
        assert rule.year >= 2000
        assert source.address
        # A rule is no surer than its source.
        assert rule.mark != "V" or source.mark == "V", rule.id
        assert "dossier" not in f"{source.title} {source.address} {source.says}".lower()


def test_the_page_of_sources_is_the_table():
    assert (ROOT / "docs/sources.md").read_text() == as_markdown()


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
    known = {name: value.value for name, value in first.known.items()}
    assert first.today == 84
    assert known["alt_times_limit"] == known["liver_times_limit"] == 6
    assert known["weight_loss_pct"] == pytest.approx(5)
    assert known["fvc_pct"] == known["vital_capacity_pct"] == 70
    assert known["decline_12_weeks"] == 4
    assert known["on_riluzole"] == "yes"
    assert known["months_on_riluzole"] == pytest.approx(94 / 30.4375)
    assert known["fever"] == "yes"
    assert known["months_since_onset"] == pytest.approx(449 / 30.4375)
    assert known["age"] == pytest.approx(60 + 449 / 365.25)
    assert known["genetic_cause"] == "not_fully_tested"
    assert known["dead"] == "no"
    assert "pathogenic_sod1" not in known
    told = {"genetic_cause", "genetically_tested", "genetic_consent"}
    assert set(second.known) == {"diagnosis", "sex", "dead", *told}
    assert decide(ALL["RIL-04"], first, TODAY).status == "applies"


@pytest.mark.parametrize(
    ("forced", "slow", "expected"),
    [
        ((70, 84), (45, 84), 45),  # of one day the lower
        ((70, 84), (45, 20), 70),  # else the later
        ((70, 20), (45, 84), 45),
        (None, (45, 84), 45),
    ],
)
def test_vital_capacity_is_forced_or_slow(forced, slow, expected, tmp_path):
    rows = [
        f"P1,{name},{pair[0]},%,{pair[1]}"
        for name, pair in (("fvc_pct", forced), ("svc_pct", slow))
        if pair
    ]
    (tmp_path / "p.csv").write_text("sample_id\nP1\n")
    (tmp_path / "b.csv").write_text("\n".join(["sample_id,analyte,value,unit,days", *rows]) + "\n")
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\nbiomarkers: b.csv\n")
    (one,) = cohort_inputs(read(tmp_path / "cohort.yaml", Problems()))
    assert one.known["vital_capacity_pct"].value == expected


@pytest.mark.parametrize(
    ("patient", "visit", "expected"),
    [
        ("niv_start_days=10", "", {"on_niv": "yes"}),
        ("niv_23h_days=10", "", {"on_niv": "yes"}),
        ("tracheostomy_days=10", "q12=1", {"invasive_ventilation": "yes", "on_niv": "no"}),
        ("", "q12=3", {"on_niv": "yes", "invasive_ventilation": "no"}),
        ("", "q12=4", {"on_niv": "no", "invasive_ventilation": "no"}),
        ("", "q12=0", {"on_niv": "no", "invasive_ventilation": "yes"}),
        ("gastrostomy_days=10", "q12=4", {"gastrostomy": "yes"}),
        ("", "q12=4,q5_form=b", {"gastrostomy": "yes"}),
        ("", "q12=4,q5_form=a", {"gastrostomy": "no"}),
        ("death_days=10", "", {"dead": "yes"}),
        ("", "", {"dead": "no", "on_niv": None, "gastrostomy": None}),
    ],
)
def test_the_state_of_a_patient(patient, visit, expected, tmp_path):
    def table(name: str, *cells: str) -> None:
        pairs = [cell.split("=") for cell in cells if cell]
        lines = [",".join(part) for part in zip(*pairs, strict=True)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")

    table("p.csv", "sample_id=P1", *patient.split(","))
    items = [f"q{i}=3" for i in range(1, 12)]
    known = visit.split(",") if visit else ["q12="]
    table("a.csv", "sample_id=P1", "days=5", *items, *known)
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\nalsfrs: a.csv\n")
    (state,) = patient_states(read(tmp_path / "cohort.yaml", Problems()))
    assert {name: state[name] for name in expected} == expected
