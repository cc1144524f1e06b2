"""What a row keeps where its patient did not agree to have it returned (contract, Consent)."""

import json
from pathlib import Path

import pandas as pd
import pytest

import predict
from als_ml.__main__ import main as als_ml
from als_ml.prediction.row import OF_COURSE, OF_TIMES, PREDICTED
from als_ml.prediction.withhold import genetic_features, withheld
from als_ml.tracking.loader import load
from tests.stores import store_in

ROW = {
    "sample_id": "P1",
    "probability": 0.4,
    "predicted_class": "slow",
    "prediction_set": "slow",
    "abstained": False,
    "out_of_distribution": True,
    "drivers": [
        {"feature": "rare_SOD1", "value": 1.0, "contribution": 0.5, "text": "rare in SOD1"},
        {"feature": "age_at_onset", "value": 60.0, "contribution": 0.2, "text": "age"},
        {"feature": "tofersen", "value": 1.0, "contribution": 0.0, "text": "tofersen started"},
    ],
    "missing_inputs": ["points_FUS", "ftd"],
    "genetic_cause": "found",
    "error": None,
}
# What a survival model says in place of a class.
TIME = {
    **dict.fromkeys(("predicted_class", "prediction_set", "abstained")),
    **dict.fromkeys(OF_TIMES, 12.5),
    **dict.fromkeys(OF_COURSE, 30.0),
    "risk_group": "middle_fifth",
}
CLASS = ("probability", "predicted_class", "prediction_set", "abstained", "out_of_distribution")
GENETIC = frozenset(["rare_SOD1", "points_FUS", "tofersen"])


def row(task: str, genetics: str | None, prognosis: str | None, **more) -> dict:
    consents = {"consent_genetic_return": genetics, "consent_prognosis": prognosis}
    return ROW | {"task": task} | consents | more


@pytest.mark.parametrize("consent", ["no", None])
@pytest.mark.parametrize("task", ["familial", "progression"])
def test_without_consent_nothing_tells_the_genotype(task, consent):
    kept = withheld(row(task, consent, None), GENETIC)
    assert kept["genetic_cause"] is None
    told = json.dumps([kept["drivers"], kept["missing_inputs"]])
    assert "SOD1" not in told
    assert "FUS" not in told
    assert "tofersen" not in told
    assert (kept["probability"] is None) == (task == "familial")
    assert (kept["error"] is not None) == (task == "familial")


def test_a_flag_stays_without_its_genetic_reason():
    assert withheld(row("progression", None, None), GENETIC)["out_of_distribution"] is True


def test_with_consent_all_is_kept():
    for task in ("familial", "progression"):
        whole = row(task, "yes", "yes")
        assert withheld(whole, GENETIC) == whole


@pytest.mark.parametrize(("consent", "shown"), [("no", False), ("yes", True), (None, True)])
def test_a_prognosis_is_withheld_by_a_no_alone(consent, shown):
    kept = withheld(row("progression", "yes", consent), GENETIC)
    assert all((kept[name] is not None) == shown for name in CLASS)
    assert (kept["error"] is None) == shown
    assert withheld(row("familial", "yes", consent), GENETIC)["probability"] == 0.4


@pytest.mark.parametrize(("consent", "shown"), [("no", False), ("yes", True), (None, True)])
@pytest.mark.parametrize("task", ["survival", "niv", "gastrostomy"])
def test_so_is_everything_that_a_time_says(task, consent, shown):
    kept = withheld(row(task, "yes", consent, **TIME), GENETIC)
    said = [name for name in PREDICTED if kept[name] is not None]
    assert said == ([name for name in PREDICTED if name not in CLASS[1:4]] if shown else [])
    assert (kept["error"] is None) == shown


def test_the_models_own_reason_goes_first():
    own = {"field": "diagnosis", "reason": "only als is scored", "remedy": "None."}
    empty = dict.fromkeys(PREDICTED)
    kept = withheld(row("familial", "no", None, error=own) | empty, GENETIC)
    assert kept["error"] == own
    assert kept["genetic_cause"] is None


@pytest.mark.parametrize("way", ["cohort", "features"])
def test_the_command(way, store, demo, tmp_path):
    model = "models:/als-progression@champion"
    given = f"{demo}/cohort.yaml"
    whole, kept = tmp_path / "whole.csv", tmp_path / "kept.csv"
    with store_in(Path(store["folder"])):
        if way == "features":
            given = str(tmp_path / "f.parquet")
            words = ["features", "--cohort", f"{demo}/cohort.yaml", "--model", model]
            assert als_ml([*words, "--output", given, "--quiet"]) == 0
        words = ["--model", model, f"--{way}", given, "--quiet"]
        assert predict.main([*words, "--output", str(whole)]) == 0
        assert predict.main([*words, "--output", str(kept), "--withhold"]) == 0
        genetic = genetic_features(load(model))
    before, after = (pd.read_csv(path, keep_default_na=False) for path in (whole, kept))
    no = before["consent_genetic_return"] != "yes"
    assert set(before["consent_genetic_return"]) == {"yes", "no"}
    assert (after.loc[no, "genetic_cause"] == "").all()
    assert (before.loc[no, "genetic_cause"] != "").all()
    assert (before["probability"] == after["probability"]).all()
    told = {d["feature"] for cell in after.loc[no, "drivers"] for d in json.loads(cell)}
    assert not told & genetic
    assert before[~no].equals(after[~no])


def test_explanations_are_not_withheld(store, demo, tmp_path, capsys):
    words = ["--model", "models:/als-progression@champion", "--cohort", f"{demo}/cohort.yaml"]
    words += ["--output", str(tmp_path / "a.csv"), "--explanations", str(tmp_path / "b.csv")]
    assert predict.main([*words, "--withhold"]) == 2
    assert "--explanations" in capsys.readouterr().err
