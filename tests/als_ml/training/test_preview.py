"""Label counts by reason, before anything is trained: `check --config`, and the first word of a
run.
"""

import json
import re

import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.config import load_config
from als_ml.training.run import train
from features.errors import DataError
from tests.conftest import ROOT

PROGRESSION = str(ROOT / "configs/progression.yaml")
# Loses 2 points in 100 days: .61 a month, slow.
SLOW = ((0, 40), (100, 38), (200, 36), (300, 34))
FAST = tuple((day, 40 - day // 20) for day, _ in SLOW)  # 5 points in 100 days


@pytest.fixture
def path(tmp_path):
    """Two slow, one fast, one with too few visits, one control."""
    pd.DataFrame(
        {"sample_id": list("ABCDE"), "diagnosis": ["als"] * 4 + ["control"], "grip": range(5)}
    ).to_csv(tmp_path / "patients.csv", index=False)
    courses = {"A": SLOW, "B": SLOW, "C": FAST, "D": SLOW[:2], "E": SLOW}
    visits = [(name, *visit) for name, course in courses.items() for visit in course]
    table = pd.DataFrame(visits, columns=["sample_id", "days", "total"])
    table.to_csv(tmp_path / "alsfrs.csv", index=False)
    (tmp_path / "cohort.yaml").write_text("patients: patients.csv\nalsfrs: alsfrs.csv\n")
    return str(tmp_path / "cohort.yaml")


SAID = (
    "1 fast, 2 slow, 2 without a label: 0 fast by event, 1 fast by slope, 2 slow by slope, "
    "1 unlabelled few visits, 1 other diagnosis"
)


def checked(path, capsys, *words):
    status = als_ml(["check", "--cohort", path, "--json", "--config", PROGRESSION, *words])
    return status, json.loads(capsys.readouterr().out)


def test_check_counts_labels_by_reason(path, capsys):
    status, report = checked(path, capsys)
    assert report["labels"]["task"] == "progression"
    assert report["labels"]["in words"] == SAID
    assert report["labels"]["counts"]["unlabelled_few_visits"] == 1
    # Nobody can learn from one fast patient, and check says it before the training would.
    assert status == 1
    (problem,) = [one for one in report["problems"] if one["severity"] == "error"]
    assert problem["found"].startswith("of 3 labelled patients 1 fast, 2 slow: fast has fewer than")


def test_the_table_names_them_too(path, capsys):
    als_ml(["check", "--cohort", path, "--config", PROGRESSION])
    assert f"labels of progression: {SAID}" in capsys.readouterr().out


def test_another_cutoff_makes_other_labels(path, capsys):
    _, report = checked(path, capsys, "--set", "label.cutoff=0.5")
    assert report["labels"]["in words"].startswith("3 fast, 0 slow, 2 without a label")


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (["label.column=absent", "label.above=1"], "the label's column 'absent' is missing"),
        (["features.columns=[grib]", "features.known_at=baseline"], "grib"),
    ],
)
def test_what_the_configuration_asks_and_the_cohort_lacks(path, capsys, changes, found):
    words = [word for change in changes for word in ("--set", change)]
    status, report = checked(path, capsys, *words)
    assert status == 1
    assert found in str(report["problems"])


def test_a_further_column_that_the_configuration_uses_is_not_named_as_unused(path, capsys):
    words = ["--set", "features.columns=[grip]", "--set", "features.known_at=baseline"]
    assert "grip" not in str(checked(path, capsys, *words)[1]["problems"])
    assert "grip" in str(checked(path, capsys)[1]["problems"])


def test_a_change_without_a_configuration(path, capsys):
    assert als_ml(["check", "--cohort", path, "--set", "label.cutoff=1"]) == 2
    assert "--set" in capsys.readouterr().err


def test_a_run_says_them_before_it_trains(path):
    said: list[str] = []
    with pytest.raises(DataError, match="fewer than"):
        train(load_config(ROOT / "configs/progression.yaml", [f"cohort={path}"]), say=said.append)
    assert said == [f"labels: {SAID}"]


def test_a_dry_run_says_what_would_be_trained_and_stores_nothing(
    demo, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    config = str(ROOT / "configs" / "familial.yaml")
    words = ["--config", config, "--set", f"cohort={demo / 'cohort.yaml'}", "--dry-run"]
    assert als_ml(["train", *words]) == 0
    shown = capsys.readouterr().out
    assert "labelled patients" in shown
    assert re.search(r"features: \d+ \(.*\d+ genetics", shown)
    assert re.search(r"about \d+ fits of \d+\.\d s", shown)
    assert "nothing was stored" in shown
    assert list(tmp_path.iterdir()) == []
