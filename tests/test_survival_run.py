"""A survival model from its configuration to a table, a page and a reply: the same numbers to the
last bit; and tables that no model can be made of.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import predict
import train
from als_ml.__main__ import main as als_ml
from als_ml.cohort.source import open_cohort
from als_ml.prediction.row import ROW_FIELDS
from als_ml.serving.server import wait_until_up
from als_ml.tracking.loader import load
from models.survival.curve import GROUPS
from tests.records import record

ROOT = Path(__file__).resolve().parent.parent
URI = "models:/als-survival@champion"
TIMES = ("risk_12m", "median_months", "q25_months", "survival_low_months")
SMALL = [
    "validation.folds=3",
    "validation.inner_folds=3",
    "validation.bootstrap=20",
    "validation.honesty=false",
    "validation.sites=false",
]
CONFIG = str(ROOT / "configs/survival.yaml")


def changes(*more: str) -> list[str]:
    return [part for change in (*SMALL, *more) for part in ("--set", change)]


@pytest.fixture(scope="module")
def survival(demo, migrated, tmp_path_factory):
    """The shipped model on the shared cohort, registered in a store of its own."""
    folder = tmp_path_factory.mktemp("survival")
    shutil.copy(migrated, folder / "mlflow.db")
    before, here = os.environ.get("MLFLOW_TRACKING_URI"), Path.cwd()
    os.chdir(folder)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    try:
        made = ["--config", CONFIG, "--quiet", *changes(f"cohort={demo}/cohort.yaml")]
        assert train.main(made) == 0
        yield folder
    finally:
        os.chdir(here)
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture(scope="module")
def batch(survival, demo):
    path = survival / "predictions.parquet"
    arguments = ["--model", URI, "--cohort", f"{demo}/cohort.yaml", "--output", str(path)]
    assert predict.main([*arguments, "--quiet"]) == 0
    return pd.read_parquet(path)


@pytest.fixture(scope="module")
def endpoint(survival):
    """The server of this model in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "als_ml", "serve", "--model", URI, "--page"]
    command += ["--port", str(port)]
    with (survival / "server.log").open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            wait_until_up(server, ("127.0.0.1", port))
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            server.terminate()
            server.wait(40)


def asked(url: str, records: list[dict]) -> list[dict]:
    body = json.dumps({"inputs": records}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)["predictions"]


def page_of(url: str, patient: dict, part: str = "page") -> dict:
    body = json.dumps({"inputs": [patient]}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)[part]


@pytest.fixture(scope="module")
def rows(survival, cohort):
    return load(URI).predict_cohort(cohort)


@pytest.mark.slow
def test_the_row_of_a_survival_model(batch):
    assert tuple(batch.columns) == ROW_FIELDS
    scored = batch[batch["error"].isna()]
    assert len(scored) > 200
    assert scored[["predicted_class", "prediction_set", "abstained"]].isna().all(axis=None)
    assert scored["risk_12m"].between(0, 1).all()
    assert (scored["probability"] == scored["risk_12m"]).all()
    assert scored["risk_24m"].isna().all()  # nobody is followed so far
    assert set(scored["risk_group"]) <= set(GROUPS)
    assert (scored["survival_low_months"] > 0).all()
    assert batch[batch["error"].notna()][list(TIMES)].isna().all(axis=None)


@pytest.mark.slow
def test_alone_in_a_batch_from_a_table_and_in_a_reply_the_same_bits(
    survival, batch, rows, cohort, demo, endpoint
):
    kept = batch.set_index("sample_id")
    predictor = load(URI)
    scored = [i for i, row in enumerate(rows) if row["error"] is None][:40]
    records = [record(cohort, i) for i in scored]
    replies = asked(endpoint, records)
    for i, reply in zip(scored, replies, strict=True):
        alone = predictor.predict_records([record(cohort, i)])[0]
        for name in (*TIMES, "risk_group", "slope_predicted", "total_6m"):
            told = rows[i][name]
            assert reply[name] == told == alone[name]
            written = kept.loc[rows[i]["sample_id"], name]
            assert (pd.isna(written) and told is None) or written == told
    features, again = survival / "f.parquet", survival / "again.parquet"
    made = ["features", "--cohort", f"{demo}/cohort.yaml", "--model", URI, "--quiet"]
    assert als_ml([*made, "--output", str(features)]) == 0
    scores = ["--model", URI, "--features", str(features), "--output", str(again), "--quiet"]
    assert predict.main(scores) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(again)[list(TIMES)], batch[list(TIMES)])


@pytest.mark.slow
def test_the_page_of_one_patient_tells_the_time_unless_prognosis_is_declined(
    rows, cohort, endpoint
):
    """Of the same patient, as scored in the batch; a value that cannot be is named."""
    i = next(i for i, row in enumerate(rows) if row["error"] is None)
    url = endpoint.replace("/invocations", "/page")
    for consent in ("yes", "no"):
        (told,) = page_of(url, {**record(cohort, i), "consent_prognosis": consent})["scores"]
        assert told["task"] == "survival"
        assert (rows[i]["risk_group"].replace("_", " ") in json.dumps(told)) == (consent == "yes")
    wrong = page_of(url, {**record(cohort, i), "age_at_onset": 600}, "error")
    assert wrong["field"] == "patient.age_at_onset"


@pytest.mark.slow
def test_what_mlflow_keeps_of_the_run(survival, cohort):
    from mlflow import MlflowClient

    client = MlflowClient()
    version = client.get_model_version_by_alias("als-survival", "champion")
    metrics = client.get_run(version.run_id).data.metrics
    for name in ("c_index", "brier_12m", "oe_12m", "calibration_slope"):
        assert {name, f"{name}_low", f"{name}_high"} <= set(metrics)
    assert {"baseline_cox_c_index", "baseline_kaplan_meier_brier_12m"} <= set(metrics)
    assert "brier_24m" not in metrics
    artifacts = {item.path for item in client.list_artifacts(version.run_id)}
    assert {"model_card.md", "tripod_ai.md", "curves.png", "manifest.json"} <= artifacts
    ids = [name.encode() for name in cohort.patients["sample_id"]]
    for path in survival.rglob("*"):
        if path.is_file() and path.name in ("model.json", "model_card.html", "mlflow.db"):
            content = path.read_bytes()
            assert not any(name in content for name in ids), path


@pytest.mark.slow
def test_the_page_shows_the_group_first_and_nothing_without_consent(survival, demo, browser):
    folder = survival / "cohort"
    shutil.copytree(demo, folder)
    patients = pd.read_csv(folder / "patients.csv", dtype=str)
    patients["consent_prognosis"] = np.where(patients.index < 100, "no", "")
    patients.to_csv(folder / "patients.csv", index=False)
    page, table = survival / "report.html", survival / "report.csv"
    made = ["report", "--cohort", f"{folder}/cohort.yaml", "--model", URI, "--quiet"]
    assert als_ml([*made, "--output", str(page), "--table", str(table)]) == 0
    facts = pd.read_csv(table, dtype=str)
    told = facts[facts.iloc[:, 1].str.startswith("scores/1/outlook")]
    silent = set(patients["sample_id"][patients["consent_prognosis"] == "no"])
    # Nor is anybody foretold what is on record.
    over = patients[["death_days", "tracheostomy_days", "niv_23h_days"]].notna().any(axis=1)
    visits = pd.read_csv(folder / "alsfrs.csv")
    over |= patients["sample_id"].isin(visits["sample_id"][visits["q12"] == 0])
    happened = set(patients["sample_id"][over])
    assert len(happened - silent) > 10
    assert len(set(told["sample_id"]) | (happened - silent)) > 100
    assert not set(told["sample_id"]) & (silent | happened)
    of_fifths_in_order(browser.new_page(), page.as_uri())


def of_fifths_in_order(shown, address: str) -> None:
    """The table has the group and the middle half; the risk is two clicks away."""
    shown.goto(address)
    shown.wait_for_selector("html[data-ready]")
    heads = shown.locator("#patients thead th").all_inner_texts()
    assert "Risk by month 12" not in heads
    head = shown.get_by_role("columnheader", name="Risk group")
    head.click()
    shown.wait_for_selector("#patients th[aria-sort=ascending]")
    head.click()  # who has none stands first
    shown.wait_for_selector("#patients th[aria-sort=descending]")
    number = heads.index("Risk group") + 1
    cells = shown.locator(f"#patients tbody tr td:nth-child({number})").all_inner_texts()
    assert all(
        re.fullmatch(r"\w+ fifth, (months? \d+ to \d+|\w+ month \d+( on)?)", c) for c in cells
    )
    names = [group.replace("_", " ") for group in GROUPS]
    places = [names.index(cell.partition(",")[0]) for cell in cells]
    assert places == sorted(places, reverse=True)
    shown.locator("#patients tbody a").first.click()
    shown.wait_for_selector("#patient h2")
    risk = shown.get_by_text("by month 12:")
    assert risk.count() == 1
    assert not risk.is_visible()
    shown.get_by_text("The curve, the risks and the lower bound").click()
    risk.wait_for(state="visible")


def _one_event(patients: pd.DataFrame) -> pd.DataFrame:
    none = patients.assign(death_days="", tracheostomy_days="", niv_23h_days="")
    none.loc[none.index[5], "death_days"] = "300"
    return none


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.assign(tracheostomy_days="30"), "of 0 patients with a follow-up"),
        (
            lambda p: p.assign(death_days="", tracheostomy_days="", niv_23h_days=""),
            "0 have the event",
        ),
        (_one_event, "1 have the event"),
        (lambda p: p.assign(last_contact_days="-4"), "of 0 patients with a follow-up"),
    ],
    ids=["before the landmark", "all censored", "one event", "negative times"],
)
def test_tables_that_no_model_can_be_made_of(survival, demo, tmp_path, spoil, message, capsys):
    folder = tmp_path / "cohort"
    shutil.copytree(demo, folder)
    patients = pd.read_csv(folder / "patients.csv", dtype=str)
    spoil(patients).to_csv(folder / "patients.csv", index=False)
    made = ["--config", CONFIG, *changes(f"cohort={folder}/cohort.yaml")]
    assert train.main(made) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_cohort_of_nobody(survival, demo, tmp_path):
    """No row, as of the other tasks, whose estimators take an empty matrix."""
    patients = pd.read_csv(demo / "patients.csv", dtype=str).head(0)
    patients.to_csv(tmp_path / "patients.csv", index=False)
    (tmp_path / "cohort.yaml").write_text("genome_build: GRCh38\npatients: patients.csv\n")
    output = str(tmp_path / "rows.csv")
    asked = ["--model", URI, "--cohort", f"{tmp_path}/cohort.yaml", "--output", output, "--quiet"]
    assert predict.main(asked) == 0
    assert pd.read_csv(output).empty


def test_a_survival_model_is_not_recalibrated(survival, demo, capsys):
    assert als_ml(["recalibrate", "--model", URI, "--cohort", f"{demo}/cohort.yaml"]) == 2
    assert "is not recalibrated" in capsys.readouterr().err


@pytest.mark.slow
def test_a_trial_is_planned_with_predictions_of_unknown_patients(survival, demo, capsys):
    """The cohort is the training cohort: the configuration is cross-validated on it."""
    plan = survival / "plan"
    asked = ["trial", "--cohort", f"{demo}/cohort.yaml", "--model", URI, "--output", str(plan)]
    assert als_ml([*asked, "--endpoint", "slope", "--simulations", "50"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "cross-validated on the cohort (out of fold)" in said
    assert "0 patients of the cohort are known" not in said
    table = pd.read_csv(plan / "trial.tsv", sep="\t")
    whole = table[table["not_enrolled_share"] == 0].set_index("prediction")
    assert 0 < whole.loc["with", "r2"] < 0.6
    assert whole.loc["with", "enrolled"] < whole.loc["without", "enrolled"]
    lock = plan / "covariate.lock.json"
    scored = ["--lock", str(lock), "--cohort", f"{demo}/cohort.yaml", "--quiet"]
    assert predict.main([*scored, "--output", str(survival / "locked.csv")]) == 0
    pinned = json.loads(lock.read_text()) | {"digest": "0" * 64}
    lock.write_text(json.dumps(pinned))
    assert predict.main([*scored, "--output", str(survival / "other.csv")]) == 2
    assert "digest is" in capsys.readouterr().err
    assert "SIMULATED" in said
    assert "simulated" in (plan / "protocol.md").read_text()


@pytest.fixture(scope="module")
def niv(survival, demo):
    """A model of the time to NIV on a cohort in which some have NIV at the landmark, and those with
    a bulbar onset soon after it.
    """
    folder = survival / "niv"
    shutil.copytree(demo, folder)
    patients = pd.read_csv(folder / "patients.csv", dtype=str)
    had = patients.index < 40
    soon = (patients["onset_site"] == "bulbar") & (patients.index % 3 > 0)
    day = np.where(soon, (91 + patients.index % 7).astype(str), patients["niv_start_days"])
    patients["niv_start_days"] = np.where(had, "90", day)
    patients.to_csv(folder / "patients.csv", index=False)
    asked = changes(
        f"cohort={folder}/cohort.yaml",
        "label.event=niv",
        "model.estimator=cox",
        "model.parameters={C: 0.3}",
    )
    assert train.main(["--config", CONFIG, "--quiet", *asked]) == 0
    return folder


@pytest.mark.slow
def test_the_time_to_niv_from_its_configuration_to_a_page(niv, capsys):
    """Named by its event, with death beside it; alone, in a batch and from a table the same."""
    uri, cohort_file = "models:/als-niv@champion", f"{niv}/cohort.yaml"
    path, page, table = niv / "p.parquet", niv / "r.html", niv / "r.csv"
    scored = ["--model", uri, "--cohort", cohort_file, "--output", str(path), "--quiet"]
    assert predict.main(scored) == 0
    batch = pd.read_parquet(path)
    assert set(batch["task"]) == {"niv"}
    refused = batch["error"].dropna().str.contains("had NIV at the landmark")
    visits, patients = pd.read_csv(niv / "alsfrs.csv"), pd.read_csv(niv / "patients.csv")
    by_item = visits[(visits["days"] <= 90) & visits["q12"].between(1, 3)]["sample_id"]
    by_date = patients[patients["niv_start_days"] <= 90]["sample_id"]
    named = set(batch.loc[refused[refused].index, "sample_id"])
    assert len(set(by_date) & named) > 20
    assert named <= set(by_item) | set(by_date)
    assert set(by_item) | set(by_date) <= set(batch.loc[batch["error"].notna(), "sample_id"])
    good = batch[batch["error"].isna()].set_index("sample_id")
    assert good["risk_12m"].between(0, 1, inclusive="neither").all()
    assert good[["survival_low_months", "slope_predicted", "total_3m"]].isna().all(axis=None)
    assert set(good["risk_group"]) == set(GROUPS)

    predictor = load(uri)
    whole = predictor.read(open_cohort(Path(cohort_file)))
    rows = predictor.predict_cohort(whole)
    for i in [i for i, row in enumerate(rows) if row["error"] is None][:20]:
        alone = predictor.predict_records([record(whole, i)])[0]
        told = good.loc[rows[i]["sample_id"], "risk_12m"]
        assert alone["risk_12m"] == rows[i]["risk_12m"] == told
    features, again = niv / "f.parquet", niv / "again.parquet"
    made = ["features", "--cohort", cohort_file, "--model", uri, "--quiet"]
    assert als_ml([*made, "--output", str(features)]) == 0
    scores = ["--model", uri, "--features", str(features), "--output", str(again), "--quiet"]
    assert predict.main(scores) == 0
    pd.testing.assert_frame_equal(
        pd.read_parquet(again)[["risk_12m", "error"]], batch[["risk_12m", "error"]]
    )

    made = ["report", "--cohort", cohort_file, "--model", uri, "--quiet"]
    assert als_ml([*made, "--output", str(page), "--table", str(table)]) == 0
    facts = pd.read_csv(table, dtype=str)
    told = facts[facts.iloc[:, 1] == "scores/1/outlook/share"]
    assert set(told.iloc[:, 2]) == {"no NIV so far, alive or dead"}
    # Nobody is foretold the NIV that is on record.
    has = set(patients["sample_id"][patients["niv_start_days"].notna()])
    has |= set(visits["sample_id"][visits["q12"].between(1, 3)])
    assert len(has & set(good.index)) > 20
    assert not has & set(told["sample_id"])
    assert "Time to NIV" in page.read_text()


@pytest.mark.slow
def test_the_card_of_the_time_to_niv_says_what_its_risk_is(niv):
    from mlflow import MlflowClient

    client = MlflowClient()
    run = client.get_run(client.get_model_version_by_alias("als-niv", "champion").run_id)
    metrics = run.data.metrics
    assert 0.8 < metrics["oe_12m"] < 1.25
    assert {"baseline_aalen_johansen_brier_12m", "baseline_cox_c_index"} <= set(metrics)
    assert not {"d_calibration_p", "bound_coverage", "slope_rmse"} & set(metrics)
    card = Path(client.download_artifacts(run.info.run_id, "model_card.md")).read_text()
    assert card.startswith("# Model card: time to NIV")
    # No oracle knows the risk of NIV; that the patients are simulated is said all the same.
    assert "best_possible_roc_auc" not in metrics
    assert "**SIMULATED PATIENTS.**" in card
    assert run.data.tags["simulated"].startswith("true")
    assert "share of **all** patients who have the event by then (cumulative incidence)" in card
    assert "| excluded has niv |" in card
    assert "| by month | NIV | death | tracheostomy |" in card
    assert "observed (Aalen-Johansen, 95 %)" in card
    assert "Lower bound of the survival time" not in card


@pytest.fixture(scope="module")
def second(survival, demo, tmp_path_factory):
    """A second version of the model (Cox alone), and a cohort that neither has seen."""
    from als_ml.simulate import simulate

    others = tmp_path_factory.mktemp("others") / "cohort"
    simulate(others, patients=240, seed=9)
    made = ["--config", CONFIG, "--quiet", *changes(f"cohort={demo}/cohort.yaml")]
    assert train.main([*made, "--set", "model.estimator=cox"]) == 0
    return "models:/als-survival/2", f"{others}/cohort.yaml"


@pytest.mark.slow
def test_two_survival_models_are_compared(survival, second, capsys):
    uri, others = second
    assert als_ml(["compare", "models:/als-survival/1", uri]) == 0
    said = capsys.readouterr().out
    assert "model.estimator" in said
    figures = [line for line in said.splitlines() if line.strip().startswith("c_index")]
    assert "-" not in figures[0].split()[1:]
    changed = survival / "changed.csv"
    pair = ["compare", "models:/als-survival/1", uri, "--cohort", others]
    assert als_ml([*pair, "--output", str(changed)]) == 0
    said = capsys.readouterr().out
    assert "roc_auc: first minus second" in said
    assert "patients change risk group" in said
    assert set(pd.read_csv(changed)["from"]) <= set(GROUPS)
    assert als_ml(["compare", "models:/als-survival/1", "models:/als-survival/99"]) == 2
    assert "version=99) not found" in capsys.readouterr().err


@pytest.mark.slow
def test_a_survival_model_is_promoted_by_the_rule_or_by_a_reason(survival, second, demo, capsys):
    from mlflow import MlflowClient

    uri, others = second
    assert als_ml(["promote", "--model", uri, "--cohort", f"{demo}/cohort.yaml"]) == 2
    assert "are among those that version" in capsys.readouterr().err
    assert als_ml(["promote", "--model", uri, "--cohort", others]) == 1
    assert "the log loss may be worse by 0.01 or more" in capsys.readouterr().err
    refitted = ["promote", "--model", uri, "--training-cohort", f"{demo}/cohort.yaml"]
    assert als_ml(refitted) == 1
    assert "the refusal is in the log" in capsys.readouterr().err
    assert als_ml(["promote", "--model", uri, "--override", "  "]) == 2
    assert "the reason is empty" in capsys.readouterr().err
    assert als_ml(["promote", "--model", uri, "--override", "a trial of the command"]) == 0
    client = MlflowClient()
    assert client.get_model_version_by_alias("als-survival", "champion").version == 2
    assert als_ml(["promote", "--model", "models:/als-survival/1", "--override", "back"]) == 0
    capsys.readouterr()
    assert als_ml(["promote", "--log", "--name", "als-survival"]) == 0
    assert "override: back" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.slow
def test_a_survival_model_is_monitored(survival, second, capsys):
    _, others = second
    assert als_ml(["monitor", "--model", URI, "--cohort", others]) == 0
    said = capsys.readouterr().out
    assert "features have drifted" in said
    assert "c_index" in said
    assert "observed/expected" in said.replace("\n", " ")
    assert "abstained" not in said
    assert als_ml(["monitor", "--model", URI, "--cohort", "nowhere.yaml"]) == 2
    assert "there is no such cohort file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_survival_model_is_locked_and_scores_as_locked(survival, demo, capsys):
    lock, output = survival / "trial.lock.json", survival / "trial.csv"
    assert als_ml(["lock", "--model", URI, "--output", str(lock)]) == 0
    pinned = json.loads(lock.read_text())
    assert pinned["threshold"] == "none"
    scored = ["--cohort", f"{demo}/cohort.yaml", "--output", str(output), "--quiet"]
    assert predict.main(["--lock", str(lock), *scored]) == 0
    for key, other in (("digest", "0" * 64), ("threshold", "0.5")):
        lock.write_text(json.dumps(pinned | {key: other}))
        assert predict.main(["--lock", str(lock), *scored]) == 2
        assert f"{key} is" in capsys.readouterr().err


@pytest.mark.slow
def test_a_survival_run_is_reproduced(survival, second, demo, capsys):
    from mlflow import MlflowClient

    run_id = MlflowClient().get_model_version("als-survival", "2").run_id
    assert als_ml(["reproduce", run_id, "--cohort", f"{demo}/cohort.yaml"]) == 0
    assert "figures are the same" in capsys.readouterr().out
    assert als_ml(["reproduce", run_id, "--cohort", second[1]]) == 1
    assert "the data differ" in capsys.readouterr().err
    assert als_ml(["reproduce", "0123456789", "--cohort", second[1]]) == 2
    assert "not found" in capsys.readouterr().err
