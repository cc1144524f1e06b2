"""What happens to a model after its training: promotion, comparison, monitoring, recalibration, a
trial's lock.
"""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from mlflow import MlflowClient
from scipy.special import expit, logit

import predict
import train
from als_ml.__main__ import main
from als_ml.lifecycle.comparison import Scored, compare
from als_ml.lifecycle.monitoring import drift_table, rows_as_seen
from als_ml.lifecycle.promotion import decide
from als_ml.lifecycle.recalibration import recalibration
from als_ml.lifecycle.registry import registered_version, run_metrics
from als_ml.prediction.predictor import Predictor
from als_ml.simulate import simulate
from als_ml.tracking.loader import load
from features.errors import RequestError
from models.fitted import Calibration, recalibrated
from tests.cohorts import read
from tests.stores import store_in
from tests.test_config import ROOT

NAME = "als-progression"
SMALL = ["folds=3", "repeats=1", "inner_folds=3", "bootstrap=50", "honesty=false", "sites=false"]
BLOCKS = "features.blocks=[clinical,biomarkers]"  # the others cost time and show nothing more here


@pytest.fixture(scope="module")
def registry(tmp_path_factory, demo, migrated):
    """A store of its own with three versions of the progression model, the first of them
    champion.
    """
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(migrated, folder / "mlflow.db")
    small = [f"cohort={demo}/cohort.yaml", *(f"validation.{change}" for change in SMALL)]
    for own in ([], ["model.least_share=0"], ["label.learn=slope"]):
        changes = [part for change in [BLOCKS, *small, *own] for part in ("--set", change)]
        with store_in(folder):
            assert (
                train.main(
                    ["--config", str(ROOT / "configs/progression.yaml"), "--quiet", *changes]
                )
                == 0
            )
    return folder


@pytest.fixture(autouse=True)
def _in_the_registry(registry):
    with store_in(registry):
        yield


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """Patients that no model was trained on."""
    folder = tmp_path_factory.mktemp("others") / "cohort"
    simulate(folder, patients=160, seed=77)
    return folder / "cohort.yaml"


def version_of(alias: str) -> str:
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_URI"])
    return str(client.get_model_version_by_alias(NAME, alias).version)


def differences(auc_low=-0.01, loss_high=0.005):
    return {
        "roc_auc": (0.01, auc_low, 0.05),
        "log_loss": (loss_high - 0.01, loss_high - 0.02, loss_high),
        "brier": (0.0, -0.1, 0.1),
    }


GOOD, BAD = (
    {"name": "signal", "verdict": "passed", "found": ""},
    {"name": "leak", "verdict": "failed", "found": "it"},
)


@pytest.mark.parametrize(
    ("found", "checks", "promoted", "reason"),
    [
        (differences(), [GOOD], True, ""),
        (differences(auc_low=-0.0199), [GOOD], True, ""),
        (differences(auc_low=-0.02), [GOOD], False, "lower by more than 0.02"),
        (differences(auc_low=float("nan")), [GOOD], False, "lower by more than 0.02"),
        (differences(loss_high=0.0099), [GOOD], True, ""),
        (differences(loss_high=0.0100), [GOOD], False, "log loss may be worse by 0.01 or more"),
        (differences(loss_high=float("nan")), [GOOD], False, "log loss may be worse"),
        (differences(), [GOOD, BAD], False, r"honesty check failed: leak \(it\)"),
        (differences(), None, False, "no honesty checks"),
        (differences(), [{**GOOD, "verdict": "attention"}], True, ""),
    ],
)
def test_the_rule_of_promotion(found, checks, promoted, reason):
    decision = decide(found, checks)
    assert decision.promoted is promoted
    assert bool(reason) is not promoted
    assert pd.Series("; ".join(decision.reasons)).str.contains(reason).all()


def test_a_promotion_needs_something_to_compare_on(registry, capsys):
    assert main(["promote", "--model", f"models:/{NAME}/2"]) != 0
    assert "--cohort (patients neither was trained on)" in capsys.readouterr().err
    assert version_of("champion") == "1"


def refused_for(capsys, *cohort: str) -> str:
    assert main(["promote", "--model", f"models:/{NAME}/2", *cohort]) != 0
    return str(capsys.readouterr().err)


def test_the_training_patients_are_not_others(registry, demo, capsys):
    said = refused_for(capsys, "--cohort", f"{demo}/cohort.yaml")
    n = run_metrics(registered_version(f"models:/{NAME}/2"))["n"]
    assert f"{n:.0f} of its patients are among those that version 2 was trained" in said
    assert f"{n:.0f} of its patients are among those that version 1 was trained" in said


def test_one_shared_patient_is_found_and_can_be_left_out(registry, demo, others, tmp_path, capsys):
    """A patient of the training, with one visit since, among strangers under another name."""
    mixed = with_patient_of(others.parent, demo, tmp_path / "mixed")
    said = refused_for(capsys, "--cohort", str(mixed))
    assert "1 of its patients are among those that version 2" in said
    assert "--leave-out" in said
    main(["promote", "--model", f"models:/{NAME}/2", "--cohort", str(mixed), "--leave-out"])
    capsys.readouterr()
    (run,) = newest_decisions(1)
    assert run.data.metrics["promotion/patients_left_out"] == 1
    assert run.data.metrics["promotion/patients_not_recognisable"] == 0
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_URI"])
    client.set_registered_model_alias(NAME, "champion", "1")  # whatever the rule said


def with_patient_of(strangers: Path, training: Path, folder: Path) -> Path:
    """Strangers without their genomes, and a labelled patient of the training with a further
    visit.
    """
    folder.mkdir()
    (folder / "cohort.yaml").write_text(
        "patients: patients.csv\nbiomarkers: biomarkers.csv\nalsfrs: alsfrs.csv\n"
    )
    visits = pd.read_csv(training / "alsfrs.csv", dtype=str)
    one = visits["sample_id"].value_counts().index[0]  # with many visits: surely labelled
    for name in ("patients", "biomarkers", "alsfrs"):
        theirs = pd.read_csv(strangers / f"{name}.csv", dtype=str)
        own = pd.read_csv(training / f"{name}.csv", dtype=str)
        own = own[own["sample_id"] == one]
        if name == "alsfrs":
            last = own.iloc[own["days"].astype(int).argmax()].copy()
            last["days"] = str(int(last["days"]) + 30)
            own = pd.concat([own, last.to_frame().T])
        own = own.assign(sample_id="STRANGER-ANEW")
        pd.concat([theirs, own]).to_csv(folder / f"{name}.csv", index=False)
    return folder / "cohort.yaml"


def newest_decisions(n: int):
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("als-ml-promotions").experiment_id
    return client.search_runs([experiment], order_by=["attributes.start_time DESC"], max_results=n)


def test_another_key_cannot_recognise_anyone(registry, others, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ALS_ML_PATIENT_KEY", str(tmp_path / "new/patients.key"))
    said = refused_for(capsys, "--cohort", str(others))
    assert "another key" in said
    assert "ALS_ML_PATIENT_KEY" in said


def test_promotion_by_rule_by_override_and_its_log(registry, others, demo, capsys):
    """On other patients version 2 stands or falls by the rule; an override needs a reason.

    The log keeps every decision.
    """
    outcome = main(
        ["promote", "--model", f"models:/{NAME}/2", "--cohort", str(others), "--by", "ada"]
    )
    captured = capsys.readouterr()
    assert (outcome == 0) == (version_of("champion") == "2")
    assert ("the rule is met" in captured.out) == (outcome == 0)
    assert main(["promote", "--model", f"models:/{NAME}/3", "--override", " "]) != 0
    assert "the reason is empty" in capsys.readouterr().err
    was = version_of("champion")
    assert (
        main(
            [
                "promote",
                "--model",
                f"models:/{NAME}/3",
                "--override",
                "the board says so",
                "--by",
                "bo",
            ]
        )
        == 0
    )
    assert (version_of("champion"), version_of("previous")) == ("3", was)
    assert main(["promote", "--model", f"models:/{NAME}@champion", "--override", "again"]) != 0
    assert "it is the champion already" in capsys.readouterr().err
    back = [
        "promote",
        "--model",
        f"models:/{NAME}/1",
        "--training-cohort",
        f"{demo}/cohort.yaml",
        "--by",
        "cy",
    ]
    refused = main(back) != 0
    capsys.readouterr()
    assert version_of("champion") == ("3" if refused else "1")
    assert main(["promote", "--log", "--name", NAME]) == 0
    log = capsys.readouterr().out
    assert "the board says so" in log
    assert log.index("cy") < log.index("bo") < log.index("ada")  # the newest first
    assert main(["promote", "--log", "--name", "another"]) == 0
    assert "no decision yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "uri", ["models:/nothing@champion", "models:/als-progression/99", "runs:/1/model", "models:/x"]
)
def test_no_such_version(registry, uri, capsys):
    assert main(["lock", "--model", uri, "--output", "lock.json"]) != 0
    assert "error: --model" in capsys.readouterr().err


def test_comparison_on_a_cohort(registry, others, capsys, tmp_path):
    pair = [f"models:/{NAME}/1", f"models:/{NAME}/3"]
    assert (
        main(["compare", *pair, "--cohort", str(others), "--output", str(tmp_path / "changed.csv")])
        == 0
    )
    text, changed = capsys.readouterr().out, pd.read_csv(tmp_path / "changed.csv")
    assert "roc_auc: first minus second" in text
    assert f"{len(changed)} patients change class" in text
    assert (changed["from"] != changed["to"]).all()
    assert text.index("label.learn") < text.index("roc_auc: first minus second")
    assert main(["compare", *pair]) == 0
    text = capsys.readouterr().out
    assert text.startswith("the two models predict different labels")
    assert text.index("label.learn") < text.index("on its own patients")


def scored(probability, y=None, predicted=None):
    p = np.array(probability, dtype=float)
    named = np.where(p >= 0.5, "fast", "slow") if predicted is None else predicted
    y = np.full(len(p), np.nan) if y is None else np.array(y, dtype=float)
    names = np.array([f"s{i}" for i in range(len(p))])
    return Scored(names, p, named, y, np.arange(len(p)), [{} for _ in p])


def test_a_model_compared_with_itself():
    own = scored([0.2, 0.7, 0.4, 0.9], [0, 1, 1, 0])
    found = compare(own, own, draws=50)
    assert (found.correlation, found.largest, len(found.changed)) == (
        pytest.approx(1.0),
        0.0,
        0,
    )
    assert found.differences["roc_auc"] == (0.0, 0.0, 0.0)


def test_who_changes_class():
    found = compare(scored([0.6, 0.2, np.nan]), scored([0.4, 0.3, 0.9]))
    assert found.n == 2
    assert not found.differences
    assert found.changed.to_dict("records") == [
        {
            "sample_id": "s0",
            "from": "slow",
            "to": "fast",
            "probability_from": 0.4,
            "probability_to": 0.6,
        }
    ]
    with pytest.raises(RequestError, match="no patient is scored by both"):
        compare(scored([np.nan]), scored([0.4]))


def test_monitoring_names_what_has_shifted(registry, cohort, others, capsys, tmp_path):
    words = [
        "--model",
        f"models:/{NAME}/1",
        "--cohort",
        str(others),
        "--output",
        str(tmp_path / "drift.csv"),
    ]
    assert main(["monitor", *words]) == 0
    text, table = capsys.readouterr().out, pd.read_csv(tmp_path / "drift.csv")
    predictor: Predictor = load(f"models:/{NAME}/1")
    expected = drift_table(predictor, rows_as_seen(predictor, read(others)))
    assert table["feature"].tolist() == [row["feature"] for row in expected]
    assert table["PSI"].to_numpy() == pytest.approx([row["PSI"] for row in expected], abs=1e-6)
    moved = sum(row["verdict"] != "stable" for row in expected)
    assert f"{moved} of {len(expected)} features have drifted" in text
    assert "observed/expected" in text


def test_drift_of_a_planted_shift(registry, cohort):
    """A registered model is quiet on its own patients and says what has moved."""
    predictor: Predictor = load(f"models:/{NAME}/1")
    rows = rows_as_seen(predictor, cohort)
    still = {row["verdict"] for row in drift_table(predictor, rows)}
    found = drift_table(predictor, rows.assign(age_at_onset=rows["age_at_onset"] + 15))
    assert still == {"stable"}
    assert found[0]["feature"] == "age_at_onset"
    assert found[0]["verdict"] == "shifted"


def calibration(**changes) -> Calibration:
    made = Calibration((0.9, 0.9), 0.4, (), (), (), "sigmoid", 1.0, 0.0)
    return replace(made, **changes)


@pytest.fixture(scope="module")
def centre():
    """400 made-up patients of a centre with twice the odds and a flatter slope than the model
    says.
    """
    rng = np.random.default_rng(8)
    odds = rng.normal(-0.5, 1.5, 400)
    y = (rng.random(400) < expit(0.6 * odds + 0.7)).astype(float)
    return expit(odds), y


def test_the_update_is_that_of_statsmodels(centre):
    """Few events move the intercept alone (a binomial model with an offset), 100 the slope too (a
    plain logit).
    """
    p, y = centre
    few = np.r_[np.flatnonzero(y == 1)[:60], np.flatnonzero(y == 0)[:60]]
    offset = (
        sm.GLM(y[few], np.ones(120), family=sm.families.Binomial(), offset=logit(p[few]))
        .fit()
        .params
    )
    found = recalibration(calibration(), p[few], y[few], 0.9)
    assert (found.update_slope, found.update_intercept) == (1.0, pytest.approx(offset[0], abs=1e-6))
    intercept, slope = sm.Logit(y, sm.add_constant(logit(p))).fit(disp=0).params
    found = recalibration(calibration(), p, y, 0.9)
    assert found.update_slope == pytest.approx(slope, rel=1e-3)
    assert found.update_intercept == pytest.approx(intercept, rel=1e-3)
    assert recalibrated(p, found).mean() == pytest.approx(y.mean(), abs=1e-3)
    assert found.threshold == pytest.approx(y.mean())


def test_a_second_update_builds_on_the_first(centre):
    p, y = centre
    once = recalibration(calibration(), p, y, 0.9)
    twice = recalibration(once, recalibrated(p, once), y, 0.9)
    assert twice.update_slope == pytest.approx(once.update_slope, rel=1e-3)
    assert twice.update_intercept == pytest.approx(once.update_intercept, abs=1e-3)


def test_recalibration_is_a_new_version_of_the_same_ranking(registry, others, capsys):
    from als_ml.tracking.loader import load

    assert main(["recalibrate", "--model", f"models:/{NAME}/1", "--cohort", str(others)]) == 0
    text, number = capsys.readouterr().out, version_of("challenger")
    assert f"version {number}" in text
    assert "no" not in text.split("a fit,")[1].split()[0] or "validation" in text
    old, new = (load(f"models:/{NAME}/{v}") for v in ("1", number))
    rows = np.random.default_rng(0).normal(size=(40, len(old.names)))
    p, q = old.fitted.probability(rows), new.fitted.probability(rows)
    assert (np.argsort(p, kind="stable") == np.argsort(q, kind="stable")).all()
    assert new.fitted.calibration.updated
    assert new.fitted.calibration.limits != old.fitted.calibration.limits
    # Its patients are remembered beside those of the training: it is not judged on them later.
    assert new.training["patients"][0] == old.training["patients"][0]
    assert len(new.training["patients"]) == 2
    assert main(["promote", "--model", f"models:/{NAME}/{number}", "--cohort", str(others)]) != 0
    said = capsys.readouterr().err
    assert f"version {number} was trained or recalibrated on" in said
    assert "version 1 was" not in said


def test_too_few_patients_to_recalibrate(registry, tmp_path, capsys):
    simulate(tmp_path / "few", patients=12, seed=2)
    assert (
        main(
            [
                "recalibrate",
                "--model",
                f"models:/{NAME}/1",
                "--cohort",
                str(tmp_path / "few/cohort.yaml"),
            ]
        )
        != 0
    )
    assert "needs 10 of each label" in capsys.readouterr().err


@pytest.fixture(scope="module")
def lock(registry) -> Path:
    path = registry / "lock.json"
    with store_in(registry):
        assert main(["lock", "--model", f"models:/{NAME}/2", "--output", str(path), "--quiet"]) == 0
    return path


def locked_run(lock: Path, cohort: Path, output: Path) -> int:
    return predict.main(
        ["--lock", str(lock), "--cohort", str(cohort), "--output", str(output), "--quiet"]
    )


def test_a_lock_scores_with_its_model(lock, others, tmp_path):
    assert locked_run(lock, others, tmp_path / "out.csv") == 0
    plain = tmp_path / "plain.csv"
    words = ["--model", f"models:/{NAME}/2", "--cohort", str(others), "--output", str(plain)]
    assert predict.main([*words, "--quiet"]) == 0
    assert (tmp_path / "out.csv").read_bytes() == plain.read_bytes()


@pytest.mark.parametrize("key", ["digest", "threshold", "definitions_version", "als_ml_version"])
def test_a_lock_refuses_anything_else(lock, others, tmp_path, capsys, key):
    other = tmp_path / "lock.json"
    other.write_text(json.dumps(json.loads(lock.read_text()) | {key: "another"}))
    assert locked_run(other, others, tmp_path / "out.csv") != 0
    assert f"{key} is " in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not a lock file"), ("[]", "is missing"), ('{"name": "a"}', "'version' is missing")],
)
def test_a_broken_lock(registry, others, tmp_path, capsys, content, message):
    (tmp_path / "lock.json").write_text(content)
    assert locked_run(tmp_path / "lock.json", others, tmp_path / "out.csv") != 0
    assert message in capsys.readouterr().err


def test_a_changed_file_of_the_model_is_refused(lock, registry, others, tmp_path, capsys):
    """A byte of the registered model is not as it was locked."""
    stored = next(path for path in registry.rglob("requirements.txt") if _is_version(path, "2"))
    before = stored.read_bytes()
    stored.write_bytes(before + b"\n")
    try:
        assert locked_run(lock, others, tmp_path / "out.csv") != 0
    finally:
        stored.write_bytes(before)
    assert "requirements.txt was changed since the registration" in capsys.readouterr().err


def _is_version(path: Path, number: str) -> bool:
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_URI"])
    return client.get_model_version(NAME, number).source.split("/")[-1] in str(path)


@pytest.mark.slow
def test_a_run_is_repeated_to_the_last_figure(registry, demo, others, capsys):
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_URI"])
    run = client.get_model_version(NAME, "1").run_id
    assert main(["reproduce", run, "--cohort", f"{demo}/cohort.yaml", "--quiet"]) == 0
    assert main(["reproduce", run, "--cohort", str(others)]) != 0
    captured = capsys.readouterr()
    assert "the data differ (" in captured.err
    assert "figures that differ" in captured.out
    assert main(["reproduce", "0" * 32, "--cohort", str(others)]) != 0
    assert "error: run 0000" in capsys.readouterr().err


def test_explanations_add_up(registry, others, tmp_path):
    """Contributions by block and by mechanism are those by feature, grouped.

    Who is not scored is not explained.
    """
    out, why = tmp_path / "out.csv", tmp_path / "why.csv"
    words = [
        "--model",
        f"models:/{NAME}/1",
        "--cohort",
        str(others),
        "--output",
        str(out),
        "--explanations",
        str(why),
    ]
    assert predict.main([*words, "--quiet"]) == 0
    rows, table = pd.read_csv(out), pd.read_csv(why)
    sums = table.pivot_table(
        index="sample_id", columns="kind", values="contribution", aggfunc="sum"
    )
    assert np.allclose(sums["block"], sums["feature"])
    assert np.allclose(sums["mechanism"], sums["feature"])
    assert set(table["sample_id"]) == set(rows.loc[rows["error"].isna(), "sample_id"])
    assert rows["error"].notna().any()


@pytest.mark.slow
def test_an_interrupted_run_is_killed_and_registers_nothing(registry, demo, monkeypatch, capsys):
    """Ctrl-C, or SIGTERM, while the run is logged."""
    import als_ml.tracking.log

    def interrupted(*_):
        raise KeyboardInterrupt

    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"], os.environ["MLFLOW_TRACKING_URI"])
    before = len(client.search_model_versions(f"name='{NAME}'"))
    monkeypatch.setattr(als_ml.tracking.log, "_log_model", interrupted)
    changes = [BLOCKS, *(f"validation.{change}" for change in SMALL), f"cohort={demo}/cohort.yaml"]
    words = [part for change in changes for part in ("--set", change)]
    assert (
        train.main(["--config", str(ROOT / "configs/progression.yaml"), "--quiet", *words]) == 130
    )
    assert "interrupted" in capsys.readouterr().err
    experiment = client.get_experiment_by_name("als-ml").experiment_id
    (run,) = client.search_runs([experiment], "attributes.status = 'KILLED'")
    assert run.data.tags["task"] == "progression"
    assert len(client.search_model_versions(f"name='{NAME}'")) == before
