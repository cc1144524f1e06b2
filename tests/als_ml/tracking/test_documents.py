"""The model card and the checklist: filled from the run, safe against what stands in a table,
without a patient.
"""

import json
import re
from dataclasses import replace

import pytest

from als_ml.cohort.source import open_cohort
from als_ml.commands import train
from als_ml.tracking.documents import as_page, write_documents
from als_ml.tracking.manifest import manifest
from als_ml.tracking.pictures import draw_run
from als_ml.tracking.small_cells import shown_tables
from als_ml.training.honesty import Check
from als_ml.training.run import Training
from features.tables.problems import DROPPED, Problem


@pytest.fixture(scope="module")
def written(training: Training, tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    write_documents(training, folder, draw_run(training, folder))
    return folder


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("simulated: true\n", ["SIMULATED cohort. This proves the machinery, not medicine."]),
        ("", []),
    ],
)
def test_the_terminal_says_it_of_a_simulated_cohort_without_its_truth(
    said, line, training, tmp_path
):
    (tmp_path / "cohort.yaml").write_text(f"patients: p.csv\n{said}")
    (tmp_path / "p.csv").write_text("sample_id\nA\n")
    source = open_cohort(tmp_path / "cohort.yaml")
    assert train._of_the_possible(replace(training, source=source, best_possible=None)) == line


def test_the_card_says_what_was_found(written, training):
    text = (written / "model_card.md").read_text()
    assert "SIMULATED PATIENTS" in text
    assert "Research use only" in text
    assert f"{training.metrics['roc_auc']:.3f} (" in text
    for check in training.checks:
        assert f"| {check.name.replace('_', chr(92) + '_')} | {check.verdict} |" in text
    for row in training.tables["sites"]:
        assert f"| {row['site']} |" in text


def test_the_card_counts_what_the_cohort_file_left_out(training, tmp_path):
    facts = {"severity": "warning", "remedy": "", "code": "left_out"}
    excluded = Problem(**facts, where="cohort file, key exclude", found="", count=7)
    cells = Problem(**facts, where="p.csv, column sex", found=f"'x' is, {DROPPED}", count=4)
    write_documents(replace(training, warnings=[excluded, cells, cells]), tmp_path, [])
    text = (tmp_path / "model_card.md").read_text()
    assert "Left out: 7 patients named under `exclude` of the cohort file." in text
    assert "Left out: 8 cells that could not be read (`on_error: drop_value`)." in text
    assert "Left out" not in (tmp_path / "tripod_ai.md").read_text()


def test_the_checklist_has_its_27_items(written):
    text = (written / "tripod_ai.md").read_text()
    items = [int(item) for item in re.findall(r"^\| (\d+)[a-g–]* \|", text, re.MULTILINE)]
    assert sorted(set(items)) == list(range(1, 28))
    assert items == sorted(items)
    assert "{{" not in text


def test_pages_are_whole_and_run_nothing(written):
    for name in ("model_card", "tripod_ai"):
        page = (written / f"{name}.html").read_text()
        assert "<script" not in page
        assert not re.search(r"(src|href)=.(?!data:)", page)  # opens offline
    assert (written / "model_card.html").read_text().count("data:image/png;base64,") >= 4
    assert '<td class="passed">passed</td>' in (written / "model_card.html").read_text()


def test_no_patient_is_in_it(written, training, cohort):
    """No identifier, and no small cell, in a document, the manifest or a table."""
    texts = [path.read_text() for path in written.glob("*.md")] + [json.dumps(manifest(training))]
    texts += [str(rows) for rows in shown_tables(training).values()]
    for text in texts:
        assert not [sample for sample in cohort.patients["sample_id"] if sample in text]
    few = [
        row for row in training.tables["subgroups"] if 0 < row["n"] < 5 or 0 < row["positive"] < 5
    ]
    assert few
    shown = {(row["group"], row["level"]): row["n"] for row in shown_tables(training)["subgroups"]}
    assert {shown[row["group"], row["level"]] for row in few} == {"not shown"}
    assert "not shown" in (written / "model_card.md").read_text()


def test_names_from_tables_stay_in_their_cells(training, tmp_path):
    site = {
        **training.tables["sites"][0],
        "site": "<script>alert(1)</script> | x | [a](javascript:b)",
    }
    changed = replace(training, tables={**training.tables, "sites": [site]})
    write_documents(changed, tmp_path, [])
    page = (tmp_path / "model_card.html").read_text()
    assert "<script" not in page
    assert "href=" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | x | [a](javascript:b)</td>" in page


def test_what_is_wrong_comes_first(training, tmp_path):
    metrics = training.metrics | {
        "difference_nfl_roc_auc": -0.02,
        "difference_nfl_roc_auc_low": -0.05,
    }
    checks = [*training.checks, Check("circularity", "failed", "age tells it", "Leave age out.")]
    write_documents(replace(training, metrics=metrics, checks=checks), tmp_path, [])
    text = (tmp_path / "model_card.md").read_text()
    first = text.split("## What to know first")[1].strip().splitlines()
    assert first[0].startswith("- **the model ")
    assert any("does not beat the baseline nfl" in line for line in first[:3])
    assert text.index("Honesty check failed: circularity") < text.index("Out-of-fold ROC AUC")
    assert '<td class="failed">failed</td>' in (tmp_path / "model_card.html").read_text()


def test_html_in_markdown_is_text():
    assert "&lt;img src=x&gt;" in as_page("t", "a <img src=x> b", [])


def test_the_manifest_says_what_the_run_was_made_from(training, demo):
    found = manifest(training)
    assert found["n"] == len(training.y)
    assert set(found["files"]) == {"patients", "biomarkers", "alsfrs", "variants", "repeats"}
    assert str(demo) not in json.dumps(found)  # no path of this machine
    assert found["metrics"]["roc_auc"] == training.metrics["roc_auc"]
    assert manifest(training) == found
