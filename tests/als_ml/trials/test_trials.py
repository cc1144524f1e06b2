"""Plans of trials: the simulated power is what was asked for, and what the command writes."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from als_ml.__main__ import main
from als_ml.trials import predictions
from als_ml.trials.planning import CUTS, Settings, _drawn, _later, plan
from als_ml.trials.sizes import events_for_hazard_ratio
from als_ml.trials.writing import protocol_text
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from tests.als_ml.trials.test_patients import made_pool


@pytest.fixture(scope="module")
def pool():
    return made_pool()


def test_a_hazard_ratio_is_what_it_says():
    """A constant hazard: half of it doubles the times; a censoring stays."""
    rng = np.random.default_rng(4)
    months, n = rng.exponential(10, 4000), 4000
    whole = made_pool(20).take(np.arange(0))
    pool = replace(whole, months=months, event=np.ones(n, dtype=int))
    moved, event = _later(pool, np.arange(n), np.full(n, 0.5), 20.0, rng)
    early = months < 8
    assert (moved / months)[early & (months > 1)] == pytest.approx(2.0, rel=0.12)
    assert not event[months > 11].any()
    assert moved.max() == 20
    censored = replace(pool, event=np.zeros(n, dtype=int))
    stays, none = _later(censored, np.arange(n), np.full(n, 0.5), 20.0, rng)
    assert np.array_equal(stays, np.minimum(months, 20))
    assert not none.any()


@pytest.mark.parametrize("effect", [0.0, 0.2, 0.4])
def test_the_treated_are_lost_as_often_as_others(effect):
    """Constant hazards, of the event 1/10 and of being lost 1/15 a month: events and losses by the
    months watched give them back in either arm. Were those whose event comes later followed for
    sure, a hazard ratio of 0.6 would come out as 0.63 and the losses too low.
    """
    rng, n = np.random.default_rng(6), 60_000
    life, lost = rng.exponential(10, n), rng.exponential(15, n)
    months, event = np.minimum(life, lost), (life <= lost).astype(int)
    pool = replace(made_pool(20).take(np.arange(0)), months=months, event=event)
    moved, still = _later(pool, np.arange(n), np.full(n, 1 - effect), 20.0, rng)
    assert still.sum() / moved.sum() == pytest.approx((1 - effect) / 10, rel=0.012)
    left = (still == 0) & (moved < 20)
    assert left.sum() / moved.sum() == pytest.approx(1 / 15, rel=0.012)


def test_the_treated_lose_less_and_nobody_else(pool):
    settings = Settings(effect=0.4)
    arms = _drawn(pool.at_end(12), "slope", 4000, settings, np.random.default_rng(1))
    treated = arms.treated == 1
    slopes = [np.nanmean(arms.slope[of]) for of in (treated, ~treated)]
    assert slopes[0] / slopes[1] == pytest.approx(0.6, abs=0.03)
    assert arms.event[treated].mean() < arms.event[~treated].mean()
    assert treated.mean() == 0.5


def test_the_power_is_what_was_asked_for_and_the_prediction_saves_patients(pool):
    settings = Settings(endpoints=("slope",), simulations=150, effect=0.25)
    rows = plan(pool, settings)
    assert [r["not_enrolled_share"] for r in rows[::2]] == list(CUTS)
    without, with_it = rows[:2]
    for row in (without, with_it):
        assert row["power"] == pytest.approx(0.8, abs=0.1)  # three standard errors
        assert row["false_positive"] < 0.06
    assert 0.15 < with_it["r2_low"] < with_it["r2"] < with_it["r2_high"] < 0.6
    # x (1 - R2), but for rounding to even numbers and the t distribution.
    assert with_it["enrolled"] / without["enrolled"] == pytest.approx(1 - with_it["r2"], abs=0.06)
    half = rows[-1]
    assert half["screened"] == 2 * half["enrolled"]
    assert half["excluded"] == half["enrolled"]
    assert half["months_to_recruit"] == half["screened"] / 20
    assert half["cut"] == pytest.approx(np.median(pool.score))


def test_same_seed_same_plan(pool, monkeypatch):
    monkeypatch.setattr("als_ml.trials.planning.CUTS", (0.0,))
    settings = Settings(endpoints=("slope",), simulations=3)
    assert str(plan(pool, settings)) == str(plan(pool, settings))
    other = plan(pool, replace(settings, seed=2))
    assert str(other) != str(plan(pool, settings))


@pytest.mark.slow
def test_simulated_survival_needs_the_events_of_schoenfeld():
    pool = made_pool(1000, seed=3)
    row = plan(pool, Settings(endpoints=("survival",), simulations=600, effect=0.4))[0]
    treated = 0.6**0.85  # share of the events that the treated still have, about
    events = row["events"] * (1 + treated) / 2
    assert events == pytest.approx(events_for_hazard_ratio(0.6, 0.8), rel=0.2)
    assert row["power"] == pytest.approx(0.8, abs=0.07)


@pytest.fixture
def command(monkeypatch, tmp_path, pool):
    """The command with a made pool in place of a registered model."""
    found = predictions.Predicted(pool, "the model", 0, "survival")
    monkeypatch.setattr(predictions, "predicted_pool", lambda *_: found)
    pinned = {"name": "als-survival", "version": "3", "digest": "abc"}

    def lock(uri, path):
        path.write_text(uri)
        return pinned

    monkeypatch.setattr("als_ml.lifecycle.lock.write_lock", lock)
    source = SimpleNamespace(described=SimpleNamespace(name="mine"), simulated=False)
    monkeypatch.setattr("als_ml.cohort.source.open_cohort", lambda *_: source)

    def run(*more):
        asked = ["trial", "--cohort", "c.yaml", "--model", "models:/als-survival/3"]
        return main([*asked, "--output", str(tmp_path / "plan"), "--quiet", *more])

    return run


def test_table_picture_text_and_lock_are_written(command, tmp_path):
    assert command("--endpoint", "slope", "--simulations", "50", "--adjust", "total") == 0
    folder = tmp_path / "plan"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["covariate.lock.json", "protocol.md", "trial.svg", "trial.tsv"]
    table = pd.read_csv(folder / "trial.tsv", sep="\t")
    assert len(table) == 2 * len(CUTS)
    text = (folder / "protocol.md").read_text()
    for words in ("als-survival, version 3", "digest abc", "(1 - R2)", "total of the ALSFRS-R"):
        assert words in text
    assert "simulated: these" not in text
    assert f"{table['enrolled'][1]:.0f} patients in both arms" in text
    picture = (folder / "trial.svg").read_text()
    assert "enrolled, with prediction" in picture
    assert "<dc:date>" not in picture


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--effect", "0"), "a treatment without an effect"),
        (("--effect", "0.96"), "--effect 0.96: the value is not possible"),
        (("--power", "0.3"), "Give a number from 0.5 to 0.99"),
        (("--months", "2.9"), "--months 2.9"),
        (("--months", "24.1"), "--months 24.1"),
        (("--simulations", "49"), "--simulations 49"),
        (("--simulations", "0"), "--simulations 0: the value is not possible"),
        (("--simulations", "9" * 400), "the value is not possible"),
        (("--screened-monthly", "0"), "--screened-monthly 0"),
    ],
)
def test_what_cannot_be_is_one_message(command, more, words, capsys, tmp_path):
    assert command(*more) == 2
    said = capsys.readouterr().err
    assert words in said
    assert not (tmp_path / "plan").exists()


def test_nobody_was_followed_as_long(command, pool, monkeypatch, capsys, tmp_path):
    short = predictions.Predicted(pool.at_end(10.0), "the model", 0, "survival")
    monkeypatch.setattr(predictions, "predicted_pool", lambda *_: short)
    assert command("--months", "12") == 2
    assert "followed longer than 10.0 months" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_refused(command, tmp_path, capsys):
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan/mine").write_text("precious")
    assert command() == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("familial", "says nothing of the course"),
        ("niv", "predicts NIV, which is no endpoint"),
        ("gastrostomy", "predicts gastrostomy, which is no endpoint"),
    ],
)
def test_a_model_of_something_else_plans_no_trial(monkeypatch, task, words):
    model = SimpleNamespace(fitted=SimpleNamespace(task=task))
    monkeypatch.setattr("als_ml.tracking.loader.load", lambda _: model)
    monkeypatch.setattr(predictions, "registered_version", lambda _: None)
    with pytest.raises(RequestError, match=words):
        predictions.predicted_pool("models:/f/1", None, (), Problems())


def test_a_cut_that_leaves_fewer_than_fifty_ends_the_table(pool):
    settings = Settings(endpoints=("slope",), simulations=2)
    hundred = pool.take(np.arange(100))
    assert len(plan(hundred, settings)) == 2 * len(CUTS)
    fewer = plan(pool.take(np.arange(98)), settings)
    assert [row["not_enrolled_share"] for row in fewer[::2]] == [0.0, 0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(("end", "code"), [(11.5, 0), (11.4, 2)])
def test_half_a_month_of_follow_up_may_lack(command, pool, monkeypatch, end, code):
    monkeypatch.setattr("als_ml.trials.planning.CUTS", (0.0,))
    followed = predictions.Predicted(pool.at_end(end), "the model", 0, "survival")
    monkeypatch.setattr(predictions, "predicted_pool", lambda *_: followed)
    assert command("--endpoint", "slope", "--simulations", "50") == code


def test_more_than_4000_patients_are_not_simulated(pool):
    rows = plan(pool, Settings(endpoints=("slope",), simulations=2, effect=0.01))
    assert np.isnan(rows[0]["enrolled"])
    assert np.isnan(rows[0]["power"])
    assert np.isfinite(rows[1]["r2"])


@pytest.mark.parametrize("seed", ["-1", "2147483648", "9" * 400])
def test_a_seed_that_is_none_is_one_message(command, seed, capsys, tmp_path):
    assert command("--seed", seed) == 2
    assert "Give a number from 0 to 2147483647." in capsys.readouterr().err
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize("seed", ["0", "2147483647"])
def test_the_first_and_the_last_seed(command, seed, monkeypatch):
    monkeypatch.setattr("als_ml.trials.planning.CUTS", (0.0,))
    assert command("--endpoint", "slope", "--simulations", "50", "--seed", seed) == 0


def test_a_covariate_that_is_named_twice_is_one(command, tmp_path, monkeypatch):
    monkeypatch.setattr("als_ml.trials.planning.CUTS", (0.0,))
    asked = ("--endpoint", "slope", "--simulations", "50", "--adjust", "age", "total", "age")
    assert command(*asked) == 0
    text = (tmp_path / "plan/protocol.md").read_text()
    assert "adjusts for age at onset, total of the ALSFRS-R; with" in text


def test_a_name_of_a_cohort_is_text_in_a_protocol():
    facts = {"cohort": "a\n# b <script>", "patients": "9", "how": "", "simulated": ""}
    facts |= {"model": "", "digest": ""}
    text = protocol_text([], Settings(), facts, ())
    assert "of the cohort a\\n# b &lt;script&gt;, drawn" in text


@pytest.mark.parametrize("lost", [0.0, -0.5])
def test_who_does_not_lose_needs_no_trial(pool, lost):
    """No loss for a treatment to slow: 10 patients were said to do where all get better."""
    better = replace(pool, total=pool.baseline[pool.row] - lost * pool.when)
    rows = plan(better, Settings(endpoints=("slope",), simulations=2))
    assert len(rows) == 2 * len(CUTS)
    assert all(np.isnan(row[name]) for row in rows for name in ("enrolled", "r2", "power"))


def test_a_loss_that_is_the_same_for_all_has_no_size(pool):
    alike = replace(pool, total=pool.baseline[pool.row] - pool.when)
    rows = plan(alike, Settings(endpoints=("slope",), simulations=2))
    assert all(np.isnan(row["enrolled"]) for row in rows)


@pytest.mark.parametrize(
    ("alike", "cuts"),
    [(0, CUTS), (1, (0.0, 0.2, 0.3, 0.4, 0.5)), (107, (0.0,))],
)
def test_a_cut_through_patients_of_one_score_is_not_made(pool, alike, cuts):
    """The first cut leaves out 12 of 120; so many on either side of it share a score. Half of the
    screened were said to be left out where all had one, and nobody was.
    """
    scores = np.arange(120.0)
    scores[max(0, 12 - alike) : 13 + alike] = 12.0
    some = replace(pool.take(np.arange(120)), score=scores)
    rows = plan(some, Settings(endpoints=("slope",), simulations=2))
    assert tuple(row["not_enrolled_share"] for row in rows[::2]) == cuts
    for row in rows[::2]:
        share, cut = row["not_enrolled_share"], row["cut"]
        above = (scores >= cut).sum() if share else 120
        assert above == pytest.approx(120 * (1 - share), abs=1)


@pytest.mark.parametrize("many", [0, 1, 49])
def test_fewer_than_fifty_are_told_before_anything_is_fitted(many, monkeypatch):
    """Of nobody, or of one, no folds can be made."""
    data = SimpleNamespace(y=np.ones(many), families=np.arange(many), cohort=None)
    config = SimpleNamespace(landmark_days=90)
    version = SimpleNamespace(run_id="", version=1)
    model = SimpleNamespace(
        fitted=SimpleNamespace(task="survival"),
        read=lambda *_: None,
        predict_cohort=lambda *_, **__: [],
    )
    monkeypatch.setattr("als_ml.tracking.loader.load", lambda _: model)
    monkeypatch.setattr("als_ml.lifecycle.promotion.known_to", lambda *_: np.zeros(0, dtype=bool))
    for name, made in (
        ("registered_version", lambda _: version),
        ("run_config", lambda *_: config),
        ("prepared", lambda *_: data),
        ("_pool", lambda *_: SimpleNamespace(months=np.zeros(0))),
    ):
        monkeypatch.setattr(predictions, name, made)
    source = SimpleNamespace(path=Path("cohort.yaml"))
    with pytest.raises(DataError, match=f"{many} patients have a follow-up.*fewer than 50"):
        predictions.predicted_pool("models:/s/1", source, (), Problems())
