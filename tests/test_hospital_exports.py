"""From a hospital's export, or another schema, to a model: proposed, checked, mended with at most
five lines, trained, reported, served. What is read is what was simulated.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.cohort.read import plain_reading, read_cohort
from als_ml.cohort.source import open_cohort
from als_ml.serving.server import wait_until_up
from als_ml.tracking.loader import load
from features.tables.problems import Problems
from tests.conftest import ROOT
from tests.exports import EXPORTS, OWN_CONCEPTS, Simulated, numbered, omop, proact
from tests.records import record

pytestmark = pytest.mark.slow
# Lines that a person adds to the proposed cohort file.
BY_HAND = {
    "german": ['exclude: ["0032001"]  # a visit was typed twice'],
    "french": [],
    "american": [],  # a haemolysed sample counts as unknown, as proposed
}
FAST = ["folds=3", "repeats=1", "inner_folds=3", "bootstrap=50", "honesty=false", "sites=false"]
MODEL = "models:/als-quick@champion"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    from als_ml.simulate import simulate

    folder = tmp_path_factory.mktemp("hospital") / "simulated"
    simulate(folder, patients=150, seed=3)
    return Simulated(folder)


@pytest.fixture
def own_store(migrated, tmp_path, monkeypatch):
    """An empty store; commands run in the test's folder."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(cohort: Path) -> None:
    changes = [f"cohort={cohort}", *(f"validation.{change}" for change in FAST)]
    words = [part for change in changes for part in ("--set", change)]
    assert als_ml(["train", "--config", str(ROOT / "configs/quick.yaml"), "--quiet", *words]) == 0


def served(cohort_file: Path) -> list[dict]:
    """Replies of a server to the records of three patients."""
    cohort = read_cohort(open_cohort(cohort_file), plain_reading(), Problems(collect=True))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "als_ml", "serve", "--model", MODEL, "--port", str(port)]
    server = subprocess.Popen(command, env=dict(os.environ), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_until_up(server, ("127.0.0.1", port))
        body = json.dumps({"inputs": [record(cohort, row) for row in range(3)]}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["predictions"]
    finally:
        server.terminate()
        server.wait(40)


def compare(cohort, made: Simulated, ids: dict[str, str]) -> None:
    """What was read of each patient is what was simulated."""
    truth = made.patients.set_index("sample_id")
    index = cohort.patients.set_index("sample_id")
    assert len(index) >= len(truth) - 1
    there = [name for name in truth.index if ids[name] in index.index]
    mine, theirs = truth.loc[there], index.loc[[ids[name] for name in there]]
    assert theirs["sex"].tolist() == mine["sex"].tolist()
    apart = np.abs(theirs["age_at_onset"].to_numpy() - mine["age_at_onset"].to_numpy())
    assert apart.max() < 0.1
    days = np.abs(theirs["onset_days"].to_numpy() - mine["onset_days"].to_numpy())
    assert days.max() <= 16  # a month of onset stands at its middle
    named = dict(enumerate(cohort.patients["sample_id"]))
    back = {ours: name for name, ours in ids.items()}
    seen = {
        (back[named[row]], day): total
        for row, day, total in cohort.alsfrs[["row", "days", "total"]].itertuples(index=False)
    }
    items = [f"q{i}" for i in range(1, 13)]
    for visit in made.visits[made.visits["sample_id"].isin(there)].itertuples():
        total = sum(getattr(visit, item) for item in items)
        read = seen[(visit.sample_id, visit.days)]
        assert read == total or (read != read and total != total)
    drawn = made.drawn()
    drawn = drawn[drawn["sample_id"].isin(there)]
    values = cohort.biomarkers[cohort.biomarkers["analyte"].isin(drawn["analyte"].unique())]
    assert len(values) == len(drawn)
    creatinine = values[values["analyte"] == "creatinine_serum"]["value"]
    own = drawn[drawn["analyte"] == "creatinine_serum"]
    stated = own["value"].astype(float)
    expected = np.where(own["unit"] == "umol/L", stated / 88.4, stated)
    assert np.sort(creatinine) == pytest.approx(np.sort(expected), rel=1e-3)


IDS = {
    "german": lambda name: f"{numbered(name):07d}",
    "french": lambda name: f"SLA-{numbered(name)}",
    "american": lambda name: f"{numbered(name):08d}",
}


@pytest.mark.parametrize("country", EXPORTS)
def test_a_hospitals_export_becomes_a_model(country, made, own_store, capsys):
    export = own_store / "export"
    export.mkdir()
    files = [str(path) for path in EXPORTS[country](made, export)]
    cohort = own_store / "cohort/cohort.yaml"
    assert als_ml(["init", *files, "--output", str(cohort.parent)]) == 0
    lines = BY_HAND[country]
    assert len(lines) <= 5
    with cohort.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    assert (
        als_ml(["check", "--cohort", str(cohort), "--config", str(ROOT / "configs/quick.yaml")])
        == 0
    )
    said = capsys.readouterr()
    assert "0 errors" in said.out
    problems = Problems()
    read = read_cohort(open_cohort(cohort), plain_reading(), problems)
    compare(read, made, {name: IDS[country](name) for name in made.index})
    genotyped = np.isfinite(read.genotypes.assayed).any(axis=1)
    assert genotyped.all()  # each genome was found under its other name
    trained(cohort)
    words = ["report", "--cohort", str(cohort), "--model", MODEL, "--output", "report.html"]
    assert als_ml([*words, "--quiet"]) == 0
    assert "Research use" in (own_store / "report.html").read_text()
    replies = served(cohort) if country == "german" else answered(read)
    assert [reply["error"] for reply in replies] == [None] * 3
    assert all(0 <= reply["probability"] <= 1 for reply in replies)


def answered(cohort) -> list[dict]:
    """What the served model's own code answers, without a server."""
    return list(load(MODEL).predict_records([record(cohort, row) for row in range(3)]))


def test_without_the_lines_by_hand_the_check_names_the_patient(made, own_store, capsys):
    export = own_store / "export"
    export.mkdir()
    files = [str(path) for path in EXPORTS["german"](made, export)]
    assert als_ml(["init", *files, "--output", "cohort", "--quiet"]) == 0
    words = ["check", "--cohort", "cohort/cohort.yaml", "--issues", "issues.csv"]
    assert als_ml(words) == 1
    capsys.readouterr()
    table = pd.read_csv("issues.csv", dtype=str, keep_default_na=False)
    wrong = table[table["severity"] == "error"]
    assert set(wrong["sample_id"]) == {"0032001"}
    assert set(wrong["file"]) == {"klinik.xlsx"}
    assert set(wrong["sheet"]) == {"ALSFRS-R"}
    assert wrong["text"].str.match(r"\d\d\.\d\d\.\d{4}").all()  # the date as it is written


def test_from_omop_to_a_model(made, own_store):
    (own_store / "cdm").mkdir()
    omop(made, own_store / "cdm")
    (own_store / "own.csv").write_text(OWN_CONCEPTS)
    words = ["import-omop", "cdm", "--output", "cohort", "--concepts", "own.csv", "--quiet"]
    assert als_ml(words) == 0
    cohort = own_store / "cohort/cohort.yaml"
    assert als_ml(["check", "--cohort", str(cohort), "--quiet"]) == 0
    read = read_cohort(open_cohort(cohort), plain_reading())
    compare(read, made, {name: str(numbered(name)) for name in made.index})
    trained(cohort)
    assert [reply["error"] for reply in answered(read)] == [None] * 3


def test_from_proact_to_a_model(made, own_store):
    (own_store / "release").mkdir()
    proact(made, own_store / "release")
    assert als_ml(["import-proact", "release", "--output", "cohort", "--quiet"]) == 0
    cohort = own_store / "cohort/cohort.yaml"
    assert als_ml(["check", "--cohort", str(cohort), "--quiet"]) == 0
    read = read_cohort(open_cohort(cohort), plain_reading())
    nfl = read.biomarkers[read.biomarkers["analyte"] == "nfl_serum"]
    assert len(nfl) == (made.drawn()["analyte"] == "nfl_serum").sum()
    trained(cohort)
    assert [reply["error"] for reply in answered(read)] == [None] * 3
