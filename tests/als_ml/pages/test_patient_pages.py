"""Hand-made patients, and what the page of each must and must not show.

No model: what a page says of scores is in test_scores.py. The patients are made up.
"""

import json
from datetime import date
from types import SimpleNamespace

import pytest

from als_ml.cohort.records import read_records
from als_ml.pages.cohort_page import gene_cell
from als_ml.pages.page_table import page_table
from als_ml.pages.patient_pages import NO_CONSENT, Setting, has_happened, patient_pages
from als_ml.pages.protocol import read_rules
from features.blocks.spec import FeatureSpec
from features.catalogue import analytes, gene_names, shipped
from features.variants.lookups import NO_LOOKUPS
from tests.made import cohort

RULES = read_rules()
WRITTEN = date(2026, 12, 1)
ALL_GENES = dict.fromkeys(gene_names(shipped()), "full")
# Points of the items at a visit; the last is item 12.
FULL = {f"q{i}": 4 for i in range(1, 13)}
PATIENT = {
    "sample_id": "P1",
    "sex": "male",
    "age_at_onset": 60,
    "onset_days": -365,
    "diagnosis_days": -100,
    "onset_site": "lower_limb",
    "family_history": "none",
    "consent_genetic_return": "yes",
    "assayed": ALL_GENES,
    "repeats": {"C9orf72": [2, 8]},
    "alsfrs": [{"days": 0, **FULL}, {"days": 84, **FULL, "q8": 3}],
}


def page_of(**changes) -> dict:
    """The page of the patient with some fields changed; None takes a field away."""
    record = {name: value for name, value in (PATIENT | changes).items() if value is not None}
    cohort, _, errors = read_records([record], FeatureSpec(), NO_LOOKUPS, shipped())
    assert not errors
    (page,) = patient_pages(cohort, [], Setting(rules=RULES, written=WRITTEN))
    return page


def visit(day: int = 84, **points: int) -> dict:
    return {"days": day, **FULL, **points}


def marker(analyte: str, value: float, day: int = 84, **more) -> dict:
    unit = analytes(shipped()).loc[analyte, "unit"]
    return {"analyte": analyte, "value": value, "days": day, "unit": unit} | more


def rules(page: dict, status: str = "applies", level: str | None = None) -> set[str]:
    return {
        one["rule"]
        for one in page["protocol"]
        if one["status"] == status and level in (None, one["level"])
    }


# --- the patient's state


def test_the_page_of_the_dead_is_closed_and_keeps_a_finding_for_the_kin():
    page = page_of(
        death_days=140,
        variants=["SOD1:p.Ala5Val 0/1"],
        alsfrs=[visit(q11=0, q12=1, q3=0)],
        riluzole_start_days=10,
    )
    assert page["closed"]
    assert page["protocol"] == page["mechanisms"] == page["next"] == page["scores"] == []
    assert (140, "died", None) in page["events"]
    assert page["state"] == ["died", "non-invasive ventilation"]
    assert page["genetics"]["status"] == "positive"
    assert any("kin" in text for text in page["genetics"]["advice"])
    assert not any("to the patient" in text for text in page["genetics"]["advice"])


def test_a_ventilated_patient_is_not_told_to_consider_ventilation():
    weak = {"biomarkers": [marker("fvc_pct", 35), marker("snip", 25)]}
    before = page_of(alsfrs=[visit(q11=2)], **weak)
    assert {"NIV-03", "NIV-06", "NIV-08", "NIV-04"} <= rules(before)
    for state in ({"niv_start_days": 20}, {"alsfrs": [visit(q11=2, q12=3)]}):
        page = page_of(**({"alsfrs": [visit(q11=2)]} | weak | state))
        assert not {name for name in rules(page) if name.startswith("NIV")}
        assert "non-invasive ventilation" in page["state"]
    page = page_of(tracheostomy_days=30, alsfrs=[visit(q11=2, q12=0)], **weak)
    assert "TRA-02" in rules(page)
    assert not {name for name in rules(page) if name.startswith(("NIV", "RIL-01"))}


def test_a_gastrostomy_is_not_discussed_with_who_has_one():
    starved = {"biomarkers": [marker("weight", 80, 0), marker("weight", 71)]}
    assert {"PEG-01", "PEG-02", "NUT-01"} <= rules(page_of(**starved))
    for state in ({"gastrostomy_days": 40}, {"alsfrs": [visit(q3=0, q5_form="b")]}):
        page = page_of(**starved, **state)
        assert not {name for name in rules(page) if name.startswith("PEG")}
        assert "NUT-02" in rules(page)
        assert "gastrostomy" in page["state"]


@pytest.mark.parametrize("diagnosis", ["mimic", "control"])
def test_a_mimic_gets_no_rule_of_als(diagnosis):
    page = page_of(
        diagnosis=diagnosis, assayed=None, repeats=None, alsfrs=[visit(q11=0, q1=1, q3=1)]
    )
    assert page["protocol"] == page["mechanisms"] == []
    assert not page["ill"]


def test_an_unaffected_relative_has_no_page_and_a_carriers_page_speaks_to_the_kin():
    record = PATIENT | {"diagnosis": "unaffected_relative"}
    cohort, _, _ = read_records([record], FeatureSpec(), NO_LOOKUPS, shipped())
    assert patient_pages(cohort, [], Setting(rules=RULES, written=WRITTEN)) == []
    page = page_of(variants=["SOD1:p.Ala5Val 0/1"])
    assert {"GEN-03", "TOF-04"} <= rules(page)
    assert any("relatives" in text for text in page["genetics"]["advice"])


# --- the genetic result and consent


def finding(page: dict) -> dict:
    (one,) = page["genetics"]["findings"]
    return one


@pytest.mark.parametrize(
    ("variant", "course", "source"),
    [
        ("SOD1:p.Ala5Val", "fast", "verified; Bali 2017"),
        ("SOD1:p.Ala5Thr", "fast", "recalled)"),
        ("SOD1:p.Asp91Ala", "slow when homozygous", "mixed; "),
        ("SOD1:p.Asp110Tyr", None, None),  # nothing is known of its course
    ],
)
def test_the_known_course_of_a_variant_stands_beside_it_with_its_source(variant, course, source):
    found = finding(page_of(variants=[f"{variant} 0/1"]))
    if course is None:
        assert "tempo" not in found
    else:
        words = f"Course seen in groups of carriers: {course} ({source}"
        assert found["tempo"].startswith(words)
        # On the page it stands behind what the variant means.
        assert f". {words}" in found["meaning"]


@pytest.mark.parametrize("consent", ["yes", "no"])
def test_the_course_of_a_variant_is_a_prognosis(consent):
    found = finding(page_of(variants=["SOD1:p.Ala5Val 0/1"], consent_prognosis=consent))
    assert ("fast" in found["tempo"]) == (consent == "yes")
    assert ("no consent to a prognosis" in found["tempo"]) == (consent == "no")
    assert found["what"] == "p.Ala5Val (A4V)"


def test_an_expanded_c9orf72_is_named_with_its_size():
    page = page_of(repeats={"C9orf72": {"alleles": [2, 300], "ci": [250, 400]}})
    assert page["genetics"]["status"] == "positive"
    assert finding(page)["gene"] == "C9orf72"
    assert finding(page)["what"] == (
        "GGGGCC repeat expanded, 300 repeat units (interval 250 to 400)"
    )
    assert page["cause"] == "found"
    assert gene_cell(page) == "C9orf72"
    assert "genetic finding, no family history" in page["needs"]
    assert "C9-01" in rules(page)


@pytest.mark.parametrize(
    ("repeats", "status", "words"),
    [
        ({"C9orf72": [2, 26]}, "uncertain", "intermediate, 26 repeat units"),
        ({"C9orf72": {"alleles": [2, 28], "ci": [20, 40]}}, "uncertain", "indeterminate"),
        ({"C9orf72": [2, 23]}, "negative", None),
        ({"C9orf72": {"alleles": [2, 31], "ci": [31, 31]}}, "positive", "expanded, 31 repeat"),
    ],
)
def test_c9orf72_by_size(repeats, status, words):
    page = page_of(repeats=repeats)
    assert page["genetics"]["status"] == status
    assert [words in one["what"] for one in page["genetics"]["findings"]] == [True] * bool(words)


def test_a_short_expansion_is_confirmed_by_another_method():
    short = page_of(repeats={"C9orf72": {"alleles": [2, 45], "ci": [40, 50]}})
    long = page_of(repeats={"C9orf72": {"alleles": [2, 300], "ci": [250, 400]}})
    assert "repeat-primed PCR" in finding(short)["meaning"]
    assert "repeat-primed PCR" not in finding(long)["meaning"]


@pytest.mark.parametrize(
    ("method", "shown"),
    [(None, "short reads"), ("rp_pcr", "repeat-primed PCR"), ("ExpansionHunter", None)],
)
def test_the_method_of_a_sent_repeat_is_shown(method, shown):
    page = page_of(repeats={"C9orf72": {"alleles": [2, 45], "method": method}})
    assert finding(page)["method"] == (shown or method)
    # What a laboratory sized itself needs no second look by the same means.
    assert ("confirm by" in finding(page)["meaning"]) == (method != "rp_pcr")
    page = page_of(repeats={"C9orf72": [2, 8], "ATXN2": {"alleles": [22, 33], "method": method}})
    assert page["genetics"]["risk"][0]["method"] == (shown or method if method else "repeat call")


@pytest.mark.parametrize(
    ("locus", "size", "words"),
    [
        ("NIPA1", 10, None),
        ("NIPA1", 11, "proposed modifier"),
        ("LRP12", 45, None),
        ("LRP12", 61, "of uncertain meaning"),
        ("LRP12", 94, "another disease"),
    ],
)
def test_long_repeats_of_other_loci_stand_aside_and_are_no_cause(locus, size, words):
    genetics = page_of(repeats={"C9orf72": [2, 8], locus: [7, size]})["genetics"]
    assert not genetics["findings"]
    assert [found["gene"] for found in genetics["risk"]] == [locus] * (words is not None)
    assert all(words in found["meaning"] for found in genetics["risk"])


def test_two_methods_that_disagree_are_said():
    page = page_of(
        repeats={"C9orf72": [2, 8]}, c9orf72_status="expanded", c9orf72_method="southern"
    )
    assert page["genetics"]["status"] == "positive"
    expanded, conflict = page["genetics"]["findings"]
    assert expanded["method"] == "Southern blot"
    # The 8 units are those of the other result.
    assert expanded["what"] == "GGGGCC repeat expanded, size not stated"
    assert expanded["zygosity"] == ""
    assert "disagree" in conflict["what"]
    assert "8 repeat units" in conflict["what"]


SOUTHERN = {"c9orf72_method": "southern"}
LONG = {"c9orf72_allele1": 2, "c9orf72_allele2": 800}
IN_FILE = {"C9orf72": {"alleles": [2, 300], "ci": [250, 400]}}


@pytest.mark.parametrize(
    ("changes", "what", "method"),
    [
        # The laboratory's own sizes, with its word or without it.
        ({"repeats": None, **SOUTHERN, **LONG}, "expanded, 800 repeat units", "Southern blot"),
        (
            {"repeats": None, "c9orf72_status": "expanded", **LONG},
            "expanded, 800 repeat units",
            "the laboratory",
        ),
        ({"repeats": IN_FILE, **SOUTHERN, **LONG}, "expanded, 800 repeat units", "Southern blot"),
        ({"repeats": {"C9orf72": [2, 8]}, **SOUTHERN, **LONG}, "800 repeat units", "Southern blot"),
        (
            {"repeats": None, **SOUTHERN, "c9orf72_allele1": 2, "c9orf72_allele2": 27},
            "intermediate, 27 repeat units",
            "Southern blot",
        ),
        # A file that agrees lends its size, and is named.
        (
            {"repeats": IN_FILE, **SOUTHERN, "c9orf72_status": "expanded"},
            "expanded, 300 repeat units (interval 250 to 400) by short reads",
            "Southern blot",
        ),
        # A result that counts less lends nothing.
        (
            {"c9orf72_status": "indeterminate", "c9orf72_method": "rp_pcr"},
            "indeterminate, size not stated",
            "repeat-primed PCR",
        ),
    ],
)
def test_a_size_is_of_the_result_that_counts(changes, what, method):
    found = page_of(**changes)["genetics"]["findings"][0]
    assert found["what"].endswith(what)
    assert found["method"] == method


def test_whose_result_counts_is_said_of_two_that_disagree():
    laboratory = page_of(repeats={"C9orf72": [2, 8]}, **SOUTHERN, **LONG)["genetics"]
    assert laboratory["findings"][1]["what"] == (
        "two results disagree: the laboratory (by Southern blot) says expanded, the repeat file"
        " 8 repeat units"
    )
    assert "the laboratory's result counts" in laboratory["findings"][1]["meaning"]
    short = {"c9orf72_status": "normal", "c9orf72_method": "short_read"}
    ours = page_of(repeats=IN_FILE, **short)["genetics"]
    assert ours["status"] == "positive"
    assert "the repeat file's call counts" in ours["findings"][1]["meaning"]


@pytest.mark.parametrize(
    ("shorter", "copies"), [(30, "one copy"), (31, "two copies"), (45, "two copies")]
)
def test_in_how_many_copies_c9orf72_is_expanded(shorter, copies):
    assert copies in finding(page_of(repeats={"C9orf72": [shorter, 60]}))["zygosity"]


@pytest.mark.parametrize(("method", "again"), [("rp_pcr", False), ("short_read", True)])
def test_nobody_is_sent_to_the_test_that_has_just_failed(method, again):
    page = page_of(repeats=None, c9orf72_status="indeterminate", c9orf72_method=method)
    assert ("by repeat-primed PCR" in finding(page)["meaning"]) == again


def test_a_size_of_atxn2_is_of_the_result_that_counts():
    page = page_of(repeats={"ATXN2": [22, 22]}, atxn2_allele1=22, atxn2_allele2=33)
    (risk,) = page["genetics"]["risk"]
    assert risk["what"] == "CAG repeat risk, 33 repeat units"
    assert risk["method"] == "the laboratory"


@pytest.mark.parametrize(
    ("variant", "inheritance"),
    [
        ("SOD1:p.Ala5Val 0/1", "dominant"),
        ("TBK1:p.Arg117Ter 0/1", "dominant (reduced penetrance)"),
        ("UBQLN2:p.Pro497His 0/1", "X-linked"),
        ("SOD1:p.Asp91Ala 1/1", "recessive"),
        ("OPTN:p.Gln398Ter 1/1", "recessive"),
        # A frameshift of OPTN, of which one copy is a risk and two are a cause.
        ("10-13112500-A-AAA 0/1", "recessive (one copy a risk)"),
    ],
)
def test_the_inheritance_of_a_cause_is_not_called_a_risk(variant, inheritance):
    assert finding(page_of(variants=[variant]))["inheritance"] == inheritance


@pytest.mark.parametrize(
    ("sex", "genotype", "zygosity"),
    [
        # Callers that know no sex write the one X of a man as two copies.
        ("male", "1/1", "hemizygous"),
        ("male", "1", "hemizygous"),
        ("male", "0/1", "heterozygous"),
        ("female", "1/1", "homozygous"),
        ("female", "0/1", "heterozygous"),
        (None, "1/1", "homozygous"),
    ],
)
def test_a_man_has_one_x(sex, genotype, zygosity):
    page = page_of(sex=sex, variants=[f"UBQLN2:p.Pro497His {genotype}"])
    assert zygosity in finding(page)["zygosity"]
    assert [one[3] for one in page["variants"]] == [zygosity]


def test_a_man_has_two_of_the_others():
    page = page_of(sex="male", variants=["SOD1:p.Asp91Ala 1/1"])
    assert "homozygous" in finding(page)["zygosity"]


@pytest.mark.parametrize(
    ("genotype", "status", "meaning"),
    [("0/1", "uncertain", "carrier, not a cause"), ("1/1", "positive", "known cause of ALS")],
)
def test_one_copy_of_a_recessive_variant_is_no_cause(genotype, status, meaning):
    page = page_of(variants=[f"SOD1:p.Asp91Ala {genotype}"])
    assert page["genetics"]["status"] == status
    assert meaning in finding(page)["meaning"]
    assert ("one copy" in finding(page)["zygosity"]) == (genotype == "0/1")
    # A carrier is not told that SOD1 is affected, nor of its treatment.
    assert ({"GEN-02", "TOF-01"} <= rules(page)) == (genotype == "1/1")
    assert bool({"GEN-02", "TOF-01", "TOF-03"} & rules(page)) == (genotype == "1/1")
    assert ("genetic finding, no family history" in page["needs"]) == (status == "positive")


def test_a_variant_of_uncertain_meaning_is_not_called_benign():
    # p.Glu101Ala of SOD1 is in no table.
    page = page_of(variants=["21-31667320-A-C 0/1"])
    assert [one[2] for one in page["variants"]] == ["VUS"]
    assert page["genetics"]["status"] == "negative"
    assert page["needs"] == []


def test_what_was_not_assayed_is_listed_the_core_genes_first():
    some = {gene: state for gene, state in ALL_GENES.items() if gene not in ("FUS", "ALS2")}
    page = page_of(assayed=some | {"OPTN": "partial"})
    assert page["genetics"]["status"] == "incomplete"
    repeats = ["ATXN2 (repeat)", "LRP12 (repeat)", "NIPA1 (repeat)", "STMN2 (repeat)"]
    assert page["genetics"]["not_assayed"] == ["FUS", "ALS2", *repeats]
    assert page["genetics"]["partly"] == ["OPTN"]
    assert "GEN-01" in rules(page)
    assert gene_cell(page) == "incomplete"


@pytest.mark.parametrize(
    ("task", "event", "patient", "visit", "happened"),
    [
        ("survival", "composite", {"tracheostomy_days": 200}, {}, True),
        ("survival", "composite", {"niv_23h_days": 0}, {}, True),
        ("survival", "composite", {"niv_start_days": 200}, {"q12": 3}, False),
        ("survival", "composite", {}, {}, False),
        ("survival", "composite", {}, {"q12": 1}, False),
        ("survival", "composite", {}, {"q12": 0}, True),
        ("survival", None, {"tracheostomy_days": 200}, {}, True),  # a model of an earlier release
        ("survival", "death", {"tracheostomy_days": 200}, {}, False),
        ("niv", "niv", {"niv_start_days": 200}, {}, True),
        ("niv", "niv", {}, {"q12": 3}, True),
        ("niv", "niv", {}, {"q12": 4}, False),
        ("gastrostomy", "gastrostomy", {"gastrostomy_days": 40}, {}, True),
        ("gastrostomy", "gastrostomy", {"niv_start_days": 40}, {"q12": 3}, False),
        ("progression", None, {"tracheostomy_days": 200}, {}, False),
    ],
)
def test_what_has_happened_is_not_foretold(task, event, patient, visit, happened):
    question = {} if event is None else {"event": event}
    model = SimpleNamespace(training={"question": question}, fitted=SimpleNamespace(task=task))
    made = cohort({"diagnosis": "als", **patient}, visits=[{"days": 84, "total": 40, **visit}])
    assert has_happened(model, made).tolist() == [happened]


REPEAT_ONLY = {"C9orf72", "ATXN2", "LRP12", "NIPA1", "STMN2"}
UNSIZED = {f"{gene} (repeat)" for gene in REPEAT_ONLY}


@pytest.mark.parametrize(
    ("changes", "sized"),
    [
        # However much of the gene is sequenced: its repeat was looked at, or it was not.
        ({"repeats": None}, set()),
        ({"repeats": {"C9orf72": [2, 8]}}, {"C9orf72"}),
        ({"repeats": {"C9orf72": [2, 8], "ATXN2": [22, 22]}}, {"C9orf72", "ATXN2"}),
        ({"repeats": None, "c9orf72_status": "normal", "c9orf72_method": "rp_pcr"}, {"C9orf72"}),
        ({"repeats": None, "c9orf72_status": "not_tested"}, set()),
    ],
)
@pytest.mark.parametrize("sequenced", ["full", "partial", "none"])
def test_a_gene_known_by_its_repeat_is_assayed_where_that_was_sized(changes, sized, sequenced):
    page = page_of(assayed=ALL_GENES | dict.fromkeys(REPEAT_ONLY, sequenced), **changes)
    genetics = page["genetics"]
    assert set(genetics["not_assayed"]) == UNSIZED - {f"{gene} (repeat)" for gene in sized}
    assert genetics["partly"] == []
    assert genetics["status"] == ("negative" if "C9orf72" in sized else "incomplete")
    clear = {gene for one in page["mechanisms"] for gene in one["clear"]} & REPEAT_ONLY
    assert clear <= sized
    assert ("C9orf72" in clear) == ("C9orf72" in sized)
    unknown = {gene for one in page["mechanisms"] for gene in one["unknown"]}
    assert not unknown & sized


def test_a_long_repeat_of_another_gene_is_not_called_nothing_found():
    page = page_of(repeats={"C9orf72": [2, 8], "LRP12": [20, 70]})
    (told,) = [one["genetic"] for one in page["mechanisms"] if one["id"] == "rna_metabolism"]
    assert told == ["LRP12 repeat risk"]
    assert "LRP12" not in {gene for one in page["mechanisms"] for gene in one["clear"]}


GENETIC = ("SOD1", "C9orf72", "FUS", "tofersen", "Tofersen", "GEN-01", "GEN-02", "carrier")


@pytest.mark.parametrize("consent", ["no", None])
def test_without_consent_nothing_tells_the_genotype(consent):
    page = page_of(
        consent_genetic_return=consent,
        variants=["SOD1:p.Ala5Val 0/1"],
        repeats={"C9orf72": [2, 300]},
        tofersen_start_days=-10,
        headache="yes",
        headache_days=84,
        biomarkers=[marker("nfl_serum", 20)],
    )
    assert page["genetics"] is page["variants"] is page["benign"] is None
    assert page["cause"] == NO_CONSENT
    assert gene_cell(page) == "not shown"
    assert page["needs"] == []
    told = json.dumps(page | {"mechanisms": [one | {"meaning": ""} for one in page["mechanisms"]]})
    assert not [word for word in GENETIC if word in told]
    # The same page as somebody's without any finding, but for the consent itself.
    other = page_of(
        consent_genetic_return=consent,
        headache="yes",
        headache_days=84,
        biomarkers=[marker("nfl_serum", 20)],
    )
    assert page == other


def test_with_consent_the_same_patient_has_all_of_it():
    page = page_of(
        variants=["SOD1:p.Ala5Val 0/1"],
        tofersen_start_days=-10,
        headache="yes",
        headache_days=84,
        biomarkers=[marker("nfl_serum", 20)],
    )
    assert "on tofersen" in page["state"]
    assert page["lowered"]
    assert "TOF-02" in rules(page, level="act")
    assert "act: tofersen" in page["needs"]
    assert "GEN-02" not in rules(page)  # it is on it


def test_an_incomplete_test_without_consent_is_offered_on_what_was_assayed_alone():
    for found in (None, ["SOD1:p.Ala5Val 0/1"]):
        page = page_of(consent_genetic_return=None, assayed=None, repeats=None, variants=found)
        assert "GEN-06" in rules(page)
    assert "GEN-06" not in rules(page_of(consent_genetic_return=None))


# --- drugs and liver


def liver(times: float, **more) -> dict:
    return page_of(biomarkers=[marker("alt_serum", 40 * times, ref_low=5, ref_high=40)], **more)


@pytest.mark.parametrize(
    ("times", "riluzole", "shown", "hidden"),
    [
        (4, "yes", {"RIL-05"}, {"RIL-01", "RIL-04", "RIL-06"}),
        (6, "yes", {"RIL-04"}, {"RIL-01", "RIL-05", "RIL-06"}),
        (4, "no", {"RIL-06"}, {"RIL-01", "RIL-04", "RIL-05"}),
        (6, "no", {"RIL-06"}, {"RIL-01", "RIL-04", "RIL-05"}),
        (1, "no", {"RIL-01"}, {"RIL-04", "RIL-05", "RIL-06"}),
        (1, "yes", set(), {"RIL-01", "RIL-04", "RIL-05", "RIL-06"}),
    ],
)
def test_liver_values_on_and_off_riluzole(times, riluzole, shown, hidden):
    page = liver(times, riluzole=riluzole)
    assert shown <= rules(page)
    assert not hidden & rules(page)
    assert ("act: riluzole" in page["needs"]) == bool(shown & {"RIL-04", "RIL-06"})


@pytest.mark.parametrize(("ast_day", "acts"), [(53, True), (52, False)])
def test_the_higher_enzyme_of_one_liver_test_counts(ast_day, acts):
    """An AST of six times the limit counts beside an ALT that is up to a month newer."""
    tests = [
        marker("alt_serum", 40, 84, ref_high=40),
        marker("ast_serum", 240, ast_day, ref_high=40),
    ]
    page = page_of(riluzole="yes", biomarkers=tests)
    assert ("RIL-04" in rules(page)) == acts


def test_a_stale_value_does_not_act():
    fresh = page_of(biomarkers=[marker("fvc_pct", 40, 84)])
    stale = page_of(biomarkers=[marker("fvc_pct", 40, -10)])
    assert "NIV-08" in rules(fresh)
    assert "NIV-08" in rules(stale, "out of date")
    assert "NIV-08" not in rules(stale)
    (one,) = [one for one in stale["protocol"] if one["rule"] == "NIV-08"]
    assert one["old"] == ["Forced vital capacity: 40 % (day -10)"]


def test_slow_vital_capacity_counts_as_well():
    page = page_of(biomarkers=[marker("svc_pct", 45)])
    assert {"NIV-08", "NIV-04"} <= rules(page)
    assert "act: breathing" in page["needs"]


def test_a_juvenile_onset():
    page = page_of(age_at_onset=14, riluzole="no")
    assert "GEN-05" in rules(page)
    assert "RIL-01" not in rules(page)


def test_pregnancy():
    page = page_of(sex="female", age_at_onset=30, riluzole="no", pregnant="yes", pregnant_days=84)
    assert "RIL-13" in rules(page)
    assert "RIL-01" not in rules(page)


def test_nothing_measured():
    page = page_of(
        **dict.fromkeys(
            ("sex", "age_at_onset", "onset_days", "diagnosis_days", "onset_site", "assayed")
        ),
        repeats=None,
        alsfrs=None,
        consent_genetic_return=None,
    )
    assert rules(page, level="act") == set()
    assert page["alsfrs"] == page["biomarkers"] == page["events"] == []
    assert page["needs"] == []
    assert page["age"] is None
    assert json.dumps(page, allow_nan=False)


# --- markers


def card(page: dict, analyte: str) -> dict:
    (one,) = [one for one in page["biomarkers"] if one["id"] == analyte]
    return one


def test_a_young_patients_neurofilament_is_not_within_an_adults_limit():
    young = {"age_at_onset": 27}
    page = page_of(biomarkers=[marker("nfl_serum", 58)], **young)
    serum = card(page, "nfl_serum")
    assert serum["state"] == ""
    assert (serum["low"], serum["high"]) == (None, None)
    assert serum["cutoffs"][0][0].startswith("diagnostic")
    assert "is 10" in serum["note"]
    plasma = card(
        page_of(biomarkers=[marker("nfl_plasma", 12, assay="simoa")], **young), "nfl_plasma"
    )
    assert plasma["state"] == "above the range"
    assert plasma["high"] == 10


def test_a_prognostic_cutoff_is_no_evidence_of_a_mechanism():
    page = page_of(biomarkers=[marker("albumin_serum", 4.2)])
    assert card(page, "albumin_serum")["state"] == "within the range"
    assert "prognostic" in card(page, "albumin_serum")["cutoffs"][0][0]
    assert not [one for one in page["mechanisms"] if one["biomarkers"]]


def test_the_laboratorys_own_range_goes_first_in_both_directions():
    page = page_of(
        biomarkers=[
            marker("alt_serum", 160, ref_low=5, ref_high=40),
            marker("bilirubin_serum", 1.5, ref_high=1.2),
            marker("albumin_serum", 3.0, ref_low=3.4, ref_high=5.1),
        ]
    )
    assert card(page, "alt_serum")["state"] == "above the range"
    assert card(page, "bilirubin_serum")["state"] == "above the range"
    assert card(page, "albumin_serum")["state"] == "below the range"
    assert card(page, "albumin_serum")["source"] == "the laboratory's own range"
    (inflamed,) = [one for one in page["mechanisms"] if one["biomarkers"]]
    assert inflamed["id"] == "neuroinflammation"


def test_several_values_are_a_course_and_undated_ones_are_counted():
    page = page_of(
        biomarkers=[
            marker("nfl_serum", 40, 0),
            marker("nfl_serum", 60, 84),
            {"analyte": "nfl_serum", "value": 50, "unit": "pg/mL"},
        ]
    )
    assert card(page, "nfl_serum")["values"] == [(0, 40.0), (84, 60.0)]
    assert page["undated"] == 1


# --- dates, table


def test_every_page_has_its_dates():
    page = page_of(index_date="2026-01-10")
    assert page["dates"] == {
        "report": "1 Dec 2026",
        "data_day": 84,
        "data": "4 Apr 2026",
        "old": 241,
        "landmark_day": None,
        "landmark": None,
        "index": "10 Jan 2026",
    }
    assert page_of(index_date="2026-08-10")["dates"]["old"] is None
    assert page_of()["dates"]["data"] is None


def test_everything_on_a_page_is_in_the_table():
    page = page_of(
        variants=["SOD1:p.Ala5Val 0/1"],
        death_days=None,
        biomarkers=[marker("fvc_pct", 40), marker("nfl_serum", 58)],
    )
    table = page_table([page])
    values = set(table["value"].dropna())
    for part in ("genetics", "protocol", "mechanisms", "biomarkers", "events", "dates", "needs"):
        assert any(place.startswith(part) for place in table["place"]), part

    def leaves(value) -> list:
        if isinstance(value, dict):
            return [leaf for inner in value.values() for leaf in leaves(inner)]
        if isinstance(value, list | tuple):
            return [leaf for inner in value for leaf in leaves(inner)]
        return [] if value is None else [value]

    shown = {repr(leaf) if isinstance(leaf, float) else str(leaf) for leaf in leaves(page)}
    assert shown == values
