"""The cohort report: what it says, what it hides, and how it behaves in a browser without a
network.
"""

import base64
import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main as als_ml
from als_ml.pages.cohort_page import (
    Report,
    as_what,
    cohort_facts,
    figures,
    pseudonymised,
    subgroups,
    write_report,
)
from als_ml.pages.patient_pages import CLOSED, HAPPENED, NO_CONSENT, Setting, patient_pages
from als_ml.pages.protocol import read_rules
from als_ml.tracking.loader import load
from features.blocks.genetics import BENIGN_TO, CAUSAL
from features.catalogue import gene_names
from features.tables.problems import Problems
from tests.cohorts import read

EVIL = "<script>alert('DEMO')</script>"
SETTING = Setting(rules=read_rules())


@pytest.fixture(scope="module")
def written(store, demo, tmp_path_factory):
    """A report of the demo cohort, in which one patient and one site are called like a script."""
    folder = tmp_path_factory.mktemp("report") / "cohort"
    shutil.copytree(demo, folder)
    patients = pd.read_csv(folder / "patients.csv", dtype=str, keep_default_na=False)
    first = patients.loc[0, "sample_id"]
    patients.loc[0, ["sample_id", "site", "family_id", "ancestry"]] = EVIL
    patients.loc[0, "consent_genetic_return"] = "yes"
    patients.to_csv(folder / "patients.csv", index=False)
    for name in ("biomarkers.csv", "alsfrs.csv"):
        table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        table.assign(sample_id=table["sample_id"].replace(first, EVIL)).to_csv(
            folder / name, index=False
        )
    described = yaml.safe_load((folder / "cohort.yaml").read_text())
    (folder / "cohort.yaml").write_text(yaml.safe_dump({**described, "name": EVIL}))
    output = folder / "report.html"
    models = [
        part
        for task in ("familial", "progression")
        for part in ("--model", f"models:/als-{task}@champion")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
        assert (
            als_ml(
                [
                    "report",
                    "--cohort",
                    str(folder / "cohort.yaml"),
                    *models,
                    "--output",
                    str(output),
                    "--quiet",
                ]
            )
            == 0
        )
    return output


@pytest.fixture(scope="module")
def pages(written):
    return payload(written)["pages"]


def payload(path):
    """The overview, with the pages from all parts."""
    packed = dict(re.findall(r'id="(payload|pages-\d+)">([^<]*)<', path.read_text()))
    found = {
        name: json.loads(gzip.decompress(base64.b64decode(text))) for name, text in packed.items()
    }
    return {
        **found["payload"],
        "pages": [page for name, part in found.items() if name != "payload" for page in part],
    }


def test_a_page_a_patient_but_none_of_a_relative(pages, cohort):
    patients = cohort.patients[cohort.patients["diagnosis"] != "unaffected_relative"]
    assert [page["sample_id"] for page in pages[1:]] == list(patients["sample_id"])[1:]
    assert len(patients) < len(cohort)


def test_scores_are_those_of_the_library(pages, cohort, store):
    rows = load("models:/als-progression@champion").predict_cohort(cohort)
    expected = {row["sample_id"]: row for row in rows}
    for page in pages[1:]:
        (score,) = [one for one in page["scores"] if one["task"] == "progression"]
        row = expected[page["sample_id"]]
        if page["closed"]:
            assert score["error"] == CLOSED
            continue
        assert (score["error"] is None) == (row["error"] is None)
        if row["error"] is None:
            assert score["probability"] == row["probability"]
            assert score["set"] == row["prediction_set"]


@pytest.mark.parametrize("task", ["familial", "progression"])
def test_every_probability_is_distinct_where_the_scores_are(task, cohort, store):
    """No plateau: the highest familial score of a demo once stood on nine pages."""
    predictor = load(f"models:/als-{task}@champion")
    X = predictor.cohort_matrix(cohort)
    score, probability = predictor.fitted.score(X), predictor.fitted.probability(X)
    distinct, first = np.unique(score, return_index=True)
    assert len(distinct) > 0.9 * len(np.unique(X, axis=0)) > 100
    assert (np.diff(probability[first]) > 0).all()


def test_no_familial_driver_rests_on_a_benign_variant(cohort, store):
    """In 12 of 12 pages "rare alleles in GENE" once rested on (likely) benign variants.

    Looked up in the tables of the cohort, where a driver speaks of alleles of one gene.
    """
    predictor = load("models:/als-familial@champion")
    own = predictor.as_trained(cohort)
    genes = gene_names(own.definitions)
    alleles = own.genotypes.alleles
    site = alleles["site"].to_numpy()
    gene = own.genotypes.sites["gene"].to_numpy()[site]
    counts = own.variants["points"].to_numpy()[site] > BENIGN_TO
    known = np.isin(own.variants["role"].to_numpy(dtype=object)[site], CAUSAL)
    speaking = set(zip(alleles["row"][counts | known], gene[counts | known], strict=True))
    carried = set(zip(alleles["row"], gene, strict=True))
    seen = 0
    for row, prediction in enumerate(predictor.predict_cohort(cohort)):
        for driver in prediction["drivers"]:
            kind, _, name = driver["feature"].partition("_")
            if kind in ("rare", "damaging", "causal") and name in genes and driver["value"] > 0:
                assert (row, genes.index(name)) in speaking, driver
                seen += 1
    assert seen > 5
    assert len(carried - speaking) > 100  # alleles enough that must not count


def test_without_consent_nothing_tells_the_genotype(pages):
    silent = [page for page in pages if not page["consent"]]
    assert silent
    for page in silent:
        assert page["variants"] is None
        assert page["cause"] == NO_CONSENT
        assert page["genetics"] is None
        (familial,) = [one for one in page["scores"] if one["task"] == "familial"]
        assert familial["error"] in (NO_CONSENT, CLOSED) or "only als" in familial["error"]
        assert "probability" not in familial
        told = [page[name] for name in ("protocol", "scores", "next", "needs", "state", "events")]
        told += [{**one, "meaning": ""} for one in page["mechanisms"]]
        text = json.dumps(told)
        assert not re.search(
            r"SOD1|FUS|C9orf72|TARDBP|GEN-02|TOF-0|carrier|rare_|allele|tofersen", text
        )
    assert any(page["variants"] for page in pages)


def test_everything_shown_has_its_genetic_finding(pages):
    for page in pages:
        if page["consent"]:
            assert page["cause"] in ("found", "not_found", "uncertain", "not_fully_tested")


def test_what_to_measure_next_would_change_the_answer(pages):
    tests = [test for page in pages for test in page["next"]]
    assert tests
    assert all(0 < test["changes"] <= 1 for test in tests)
    assert all(0 <= test["low"] <= test["high"] <= 1 for test in tests)
    for page in pages:
        named = [(test["task"], test["test"]) for test in page["next"]]
        assert len(set(named)) == len(named)


def test_the_answers_are_counted(pages, written):
    good = [
        score
        for page in pages
        for score in page["scores"]
        if score["task"] == "progression" and not score["error"]
    ]
    abstained, outside = (sum(score[name] for score in good) for name in ("abstained", "outside"))
    counted = f"<td>progression</td><td>{len(good)}</td>.*?<td>{abstained}</td><td>{outside}</td>"
    assert re.search(counted, written.read_text())


def test_the_figures_count_those_whose_page_is_closed(pages, written, cohort, store):
    """Without the dead, 29 % of the demo's patients were fast and 37 % expected."""
    rows = load("models:/als-progression@champion").predict_cohort(cohort)
    scored = {row["sample_id"] for row in rows if not row["error"]}
    names = [page["sample_id"] for page in pages]
    closed = {page["sample_id"] for page in pages if page["closed"]} & scored
    assert closed
    (told,) = [
        one["words"] for one in payload(written)["figures"] if one["title"] == "Probability of fast"
    ]
    counted = len(scored & {*names[1:]}) + (pages[0]["scores"][1]["error"] is None)
    assert told.startswith(f"{counted} patients, of whom {len(closed)} have no score on their page")


def _page(error: str | None, task: str) -> dict:
    return {"scores": [{"task": task, "error": error}], "sex": "female"}


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("progression", "40 labelled patients: 75% fast, 70% expected."),
        ("survival", "40 labelled patients: 75% had the event by month 12, 70% expected."),
    ],
)
def test_observed_and_expected_are_of_the_same_patients(task, says):
    """Ten open pages, all without the event; 30 of patients who had it, their scores hidden."""
    hidden = [_page(CLOSED, task)] * 20 + [_page(HAPPENED, task)] * 10
    report = Report(
        "made up",
        None,
        [_page(None, task)] * 10 + hidden,
        (),
        labels={task: np.repeat([0.0, 1.0], [10, 30])},
        scores={task: np.repeat([0.4, 0.8], [10, 30])},
    )
    shares, calibrated = (one["words"] for one in figures(report))
    assert shares.startswith("40 patients, of whom 30 have no score on their page any more; ")
    assert calibrated.startswith(says)
    (of_women,) = subgroups(report, "sex")
    assert (of_women["scored"], of_women["mean score"]) == (40, "0.70")
    assert of_women["observed"].startswith("0.75 (")


def test_fifths_are_counted_from_the_lowest_risk_on():
    order = ("lowest", "second", "middle", "fourth", "highest")
    said = [f"{name} fifth of the training patients' risk" for name in sorted([*order, "fourth"])]
    counted = as_what(said).split(", ")
    assert [one.split(" as ")[1].split()[0] for one in counted] == list(order)
    assert [int(one.split()[0]) for one in counted] == [1, 1, 1, 2, 1]
    assert as_what(["one group"]) == "1 as one group"
    assert not as_what([])


def test_names_are_text(written):
    text = written.read_text()
    assert EVIL not in text
    assert "&lt;script&gt;alert(&#39;DEMO&#39;)" in text
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in text


def test_nothing_is_fetched(written):
    own = re.sub(r"(?s)<style>.*?</style>|<script>.*?</script>", "", written.read_text(), count=2)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//", own)


def test_pseudonyms_replace_every_name(cohort):
    pages = patient_pages(cohort, [], SETTING)
    names = [page["sample_id"] for page in pages]
    key = pseudonymised(pages)
    assert set(key) == set(names)
    assert sorted(key.values()) == sorted(page["sample_id"] for page in pages)
    assert [key[name] for name in names] == [page["sample_id"] for page in pages]
    told = json.dumps(pages)
    assert not [name for name in names if name in told]
    assert [key[name] for name in names] != sorted(key.values())


@pytest.mark.slow
def test_the_command_with_pseudonyms(demo, tmp_path, capsys):
    output = tmp_path / "r.html"
    assert (
        als_ml(
            ["report", "--cohort", f"{demo}/cohort.yaml", "--output", str(output), "--pseudonymise"]
        )
        == 0
    )
    assert "keep it apart from the report" in capsys.readouterr().out
    key = pd.read_csv(tmp_path / "r.key.csv")
    assert (tmp_path / "r.key.csv").stat().st_mode & 0o077 == 0
    shown = {page["sample_id"] for page in payload(output)["pages"]}
    assert shown == set(key["pseudonym"])
    assert not [name for name in key["sample_id"] if name in output.read_text()]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--output", "r.pdf"], "the ending '.pdf' is not known"),
        (["--output", "absent/r.html"], "absent or read-only"),
        (["--output", "r.html", "--rules", "none.yaml"], "none.yaml: it cannot be read"),
        (
            ["--output", "r.html", "--model", "models:/nothing@champion"],
            "--model models:/nothing@champion",
        ),
    ],
)
def test_wrong_requests(more, message, demo, store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    assert als_ml(["report", "--cohort", f"{demo}/cohort.yaml", "--quiet", *more]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.html"))


def test_the_facts_of_the_cohort(demo):
    cohort = read(demo / "cohort.yaml", Problems())
    pages = patient_pages(cohort, [], SETTING)
    facts = cohort_facts(
        Report("demo", cohort, pages, read_rules(), labels={"progression": np.ones(len(pages))})
    )
    assert sum(row["patients"] for row in facts["sites"]) == len(pages)
    assert [pages[index]["sample_id"] for _, index in facts["discordant"]] == [
        p["sample_id"] for p in pages if p["cause"] == "found" and p["family_history"] == "none"
    ]
    assert facts["answers"] == []
    assert facts["carriers"][0]["patients"] >= facts["carriers"][-1]["patients"]
    assert [row["rule"] for row in facts["rules"]] == [rule.id for rule in read_rules()]
    assert {row["as_of"] for row in facts["emerging"]} >= {"2026-11-24"}
    assert {"Riluzole", "Edaravone", "Tofersen (SOD1 alone)"} <= {
        row["name"] for row in facts["treatments"]
    }


def test_an_empty_and_a_bare_cohort(tmp_path):
    (tmp_path / "p.csv").write_text("sample_id\nA\n")
    (tmp_path / "cohort.yaml").write_text("patients: p.csv\n")
    cohort = read(tmp_path / "cohort.yaml", Problems())
    write_report(
        Report("bare", cohort, patient_pages(cohort, [], SETTING), read_rules()),
        tmp_path / "r.html",
    )
    (page,) = payload(tmp_path / "r.html")["pages"]
    assert page["alsfrs"] == []
    assert page["cause"] == NO_CONSENT


@pytest.mark.slow
def test_phenopackets_can_be_read_back(demo, tmp_path):
    words = [
        "report",
        "--cohort",
        f"{demo}/cohort.yaml",
        "--output",
        str(tmp_path / "r.html"),
        "--quiet",
    ]
    assert als_ml([*words, "--phenopackets", str(tmp_path / "packets"), "--pseudonymise"]) == 0
    assert (
        als_ml(
            [
                "import-phenopackets",
                str(tmp_path / "packets"),
                "--output",
                str(tmp_path / "back"),
                "--quiet",
            ]
        )
        == 0
    )
    key = pd.read_csv(tmp_path / "r.key.csv").set_index("pseudonym")["sample_id"]
    before = read(demo / "cohort.yaml", Problems())
    after = read(tmp_path / "back/cohort.yaml", Problems())
    ours = before.patients.set_index("sample_id").loc[after.patients["sample_id"].map(key)]
    ill = (
        ours["diagnosis"].isin(["als", "als_ftd"]).to_numpy()
    )  # others have no disease of ours that has an onset
    ages = after.patients["age_at_onset"].to_numpy()[ill], ours["age_at_onset"].to_numpy()[ill]
    assert np.allclose(*ages, atol=0.01, equal_nan=True)
    assert list(after.patients["sex"]) == list(ours["sex"])
    shown = set(
        before.patients.index[
            (before.patients["consent_genetic_return"] == "yes")
            & (before.patients["diagnosis"] != "unaffected_relative")
        ]
    )
    assert len(after.genotypes.alleles) == before.genotypes.alleles["row"].isin(shown).sum()
    values = before.biomarkers[
        ~before.biomarkers["analyte"].isin(["bmi", "nlr_blood", "nfl_creatinine_serum"])
    ]
    related = before.patients.index[before.patients["diagnosis"] == "unaffected_relative"]
    assert (~values["row"].isin(related)).sum() == (
        ~after.biomarkers["analyte"].isin(["bmi", "nlr_blood", "nfl_creatinine_serum"])
    ).sum()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser, written, scheme, tmp_path):
    """Opens offline, sorts, filters, opens a patient, prints.

    No error in the console, no request, no serious axe fault.
    """
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect

    page = browser.new_context(color_scheme=scheme, accept_downloads=True, offline=True).new_page()
    faults, asked = [], []
    page.on(
        "console",
        lambda message: (
            faults.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    page.on("dialog", lambda dialog: faults.append("a name was run as a script"))
    page.goto(f"file://{written}")
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#patients tbody tr")).to_have_count(25)
    expect(page.locator("h1")).to_have_text(EVIL)
    needs = page.locator("#patients tbody tr td:nth-child(1)").all_inner_texts()
    assert needs[0]  # who needs somebody stands first
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    age, shown = page.get_by_role("columnheader", name="Age at onset"), page.locator("#shown")
    age.click()
    expect(age).to_have_attribute(
        "aria-sort", "ascending"
    )  # the table sorts after the click has returned
    ages = [
        float(text) for text in page.locator("#patients tbody tr td:nth-child(9)").all_inner_texts()
    ]
    assert ages == sorted(ages)
    page.get_by_label("Search").fill("DEMO-00010")
    expect(shown).to_have_text(re.compile("^1 of "))
    page.get_by_label("Search").fill("")
    expect(shown).not_to_have_text(re.compile("^1 of "))
    page.get_by_label("Search").fill("SOD1")
    expect(shown).to_have_text(re.compile("^[1-9]"))
    assert set(page.locator("#patients tbody tr td:nth-child(4)").all_inner_texts()) >= {"SOD1"}
    page.get_by_label("Search").fill("")
    expect(shown).to_have_text(re.compile(r"^(\d+) of \1 "))
    everyone = shown.inner_text()
    page.get_by_label("Show", exact=False).first.select_option("abstained")
    expect(shown).not_to_have_text(everyone)
    assert 0 < int(shown.inner_text().split()[0]) < int(everyone.split()[0])
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert pd.read_csv(download.value.path())["progression set"].str.contains(" or |none").any()
    serious(Axe().run(page))
    page.get_by_label("Show", exact=False).first.select_option("")
    page.get_by_label("Search").fill("script")
    expect(shown).to_have_text(re.compile("^1 of "))
    page.locator("#patients tbody a").first.focus()
    page.keyboard.press("Enter")
    name = page.locator("#patient h2").first
    expect(name).to_have_text(f"Patient {EVIL}")
    expect(name).to_be_focused()
    expect(page.get_by_role("heading", name="Genetic result")).to_be_visible()
    serious(Axe().run(page))
    pdf = tmp_path / "patient.pdf"
    page.pdf(path=pdf, format="A4", prefer_css_page_size=True)
    sheets = printed(pdf)
    assert len(sheets) <= 2
    assert all(sheet.startswith(f"Patient {EVIL}") for sheet in sheets)
    page.get_by_role("link", name="All patients").click()
    expect(page.locator("#cohort")).to_be_visible()
    assert not faults
    assert set(asked) <= {"file", "data", "blob"}


@pytest.mark.slow
def test_every_page_is_printed_on_two_sheets_with_its_name(browser, written, tmp_path):
    """Of each tenth patient, who needs most first."""
    from playwright.sync_api import expect

    page = browser.new_page()
    page.goto(f"file://{written}")
    page.wait_for_selector("#patients tbody a")
    heading, before = page.locator("#patient h2").first, "nobody"
    for index in range(0, 230, 10):
        page.evaluate(f"location.hash = '#patient={index}'")
        expect(heading).not_to_have_text(before)
        before = heading.inner_text()
        page.pdf(path=tmp_path / "p.pdf", format="A4", prefer_css_page_size=True)
        sheets = printed(tmp_path / "p.pdf")
        assert len(sheets) <= 2, index
        assert all(sheet.startswith("Patient ") for sheet in sheets), index
    page.close()


def printed(pdf: Path) -> list[str]:
    """The text of each sheet."""
    if not shutil.which("pdftotext"):
        pytest.skip("no pdftotext here (Debian's package is poppler-utils)")
    words = ["pdftotext", "-layout", str(pdf), "-"]
    text = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    return [sheet.lstrip() for sheet in text.split("\f")[:-1]]


def serious(found) -> None:
    faults = [
        (v["id"], v["nodes"][0]["html"])
        for v in found.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert not faults
