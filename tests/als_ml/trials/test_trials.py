"""Plans of trials: formulas and test statistics are R's, simulated power is what was asked for.

R 4.2.2 with survival 3.5-3; the patients are `tests/fixtures/lung.csv`.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from als_ml.__main__ import main
from als_ml.trials import predictions
from als_ml.trials.endpoints import Arms, joint_scores, statistic
from als_ml.trials.patients import pool_of
from als_ml.trials.planning import CUTS, Settings, _drawn, _later, plan
from als_ml.trials.sizes import (
    drawn_r2,
    events_for_hazard_ratio,
    partial_r2,
    patients_for_difference,
    power_of_difference,
    residual_sd,
)
from features.errors import RequestError
from features.tables.problems import Problems
from models.survival.labels import TimeRule
from tests.made import cohort

LUNG = pd.read_csv(Path(__file__).parents[2] / "fixtures/lung.csv")
TREATED = (np.arange(1, len(LUNG) + 1) % 2 == 0).astype(float)
BESIDE = (np.arange(1, len(LUNG) + 1) % 7).astype(float)[:, None]


def made_pool(n=200, seed=1):
    """Patients whose slope, and hazard, follow a score in part."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    rate = np.maximum(0.9 + 0.25 * score + rng.normal(0, 0.35, n), 0.05)
    months = rng.exponential(30 / np.exp(0.7 * score))
    lost = rng.uniform(6, 30, n)
    event = months <= lost
    stop = np.minimum(months, lost)
    rows, visits = [], []
    for i in range(n):
        day = 90 + int(stop[i] * 30.4375) + 1
        rows.append(
            {"diagnosis": "als", "onset_days": -365, "onset_site": "lower_limb"}
            | ({"death_days": day} if event[i] else {"last_contact_days": day})
        )
        totals = [(0, 40)] + [
            (90 + 91 * k, float(np.clip(round(40 - rate[i] * 3 * k), 0, 48))) for k in range(1, 5)
        ]
        visits += [{"sample_id": f"P{i}", "days": d, "total": t} for d, t in totals if d < day]
    made = cohort(*rows, visits=visits)
    risk = 1 / (1 + np.exp(-score))
    return pool_of(made, TimeRule(), risk, 0.9 + 0.25 * score, ("total",))


@pytest.fixture(scope="module")
def pool():
    return made_pool()


@pytest.mark.parametrize(
    ("sd", "difference", "power", "per_arm"),
    [(0.62, 0.27, 0.8, 83.74518843), (0.5, 0.1, 0.9, 526.3333712), (1.0, 3.0, 0.9, 3.62481805)],
)
def test_sizes_of_a_difference_are_those_of_power_t_test(sd, difference, power, per_arm):
    assert patients_for_difference(sd, difference, power) == pytest.approx(per_arm, rel=1e-5)
    assert power_of_difference(per_arm, sd, difference) == pytest.approx(power, rel=1e-5)


def test_no_difference_has_no_size():
    assert np.isnan(patients_for_difference(1.0, 0.0, 0.8))
    assert np.isnan(patients_for_difference(1.0, 0.001, 0.8))
    assert patients_for_difference(1.0, 100.0, 0.8) == 2.0
    assert events_for_hazard_ratio(1.0, 0.8) == np.inf


def test_test_statistics_are_those_of_coxph_and_lm():
    """`coxph(Surv(time, event) ~ treated + z (+ x), ties = "breslow")`, `lm(log(time) ~ ...)`."""
    time, event = LUNG["time"].to_numpy(float), LUNG["event"].to_numpy()
    arms = Arms(
        treated=TREATED,
        months=time,
        event=event,
        changes=np.empty((len(time), 0)),
        slope=np.log(time),
        usual=BESIDE,
        prediction=LUNG["risk_183"].to_numpy(),
    )
    # A higher hazard, and a higher slope, is worse.
    assert statistic(arms, "survival", False) == pytest.approx(-2.583317516, rel=1e-6)
    assert statistic(arms, "survival", True) == pytest.approx(-3.006237122, rel=1e-6)
    assert statistic(arms, "slope", False) == pytest.approx(2.146440051, rel=1e-6)
    assert statistic(arms, "slope", True) == pytest.approx(2.522495109, rel=1e-6)
    unknown = replace(arms, slope=np.where(np.arange(len(time)) < 5, np.nan, arms.slope))
    assert statistic(unknown, "slope", True) != statistic(arms, "slope", True)


def test_r2_beyond_the_usual_covariates_costs_its_freedom():
    """R: 1 - summary(larger)$sigma^2 / summary(smaller)$sigma^2."""
    y, usual = np.log(LUNG["time"].to_numpy(float)), np.column_stack([BESIDE, TREATED])
    found = partial_r2(y, usual, LUNG["risk_183"].to_numpy())
    assert found == pytest.approx(0.05765310754, rel=1e-7)
    assert residual_sd(y, usual) == pytest.approx(0.9010998073, rel=1e-9)
    assert partial_r2(y, usual, BESIDE[:, 0]) == 0
    weights = 1.0 + np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    risk = LUNG["risk_183"].to_numpy()
    drawn = drawn_r2(y, usual, risk, np.stack([np.ones(len(y)), weights]))
    written = partial_r2(y[rows], usual[rows], risk[rows])
    assert drawn == pytest.approx([found, written], rel=1e-7)


@pytest.mark.parametrize(
    ("months", "event", "changes", "scores"),
    [
        # The earlier of two deaths does worse, whatever they had lost.
        ([3, 5], [1, 1], [[-1], [-9]], [-1, 1]),
        # On the same day neither does: the loss decides.
        ([5, 5], [1, 1], [[-1], [-9]], [1, -1]),
        # Lost before the death of the other: what both had decides.
        ([3, 5], [0, 1], [[-1], [-9]], [1, -1]),
        # Watched through the day of the death.
        ([5, 5], [0, 1], [[-9], [-1]], [1, -1]),
        # The last visit that both have: the second is one's alone.
        ([9, 9], [0, 0], [[-2, -3], [-1, np.nan]], [-1, 1]),
        ([9, 9], [0, 0], [[-2, -3], [-1, -4]], [1, -1]),
        ([9, 9], [0, 0], [[-2], [-2]], [0, 0]),
        ([9, 9], [0, 0], [[np.nan], [-2]], [0, 0]),
    ],
)
def test_pairs_of_the_joint_rank(months, event, changes, scores):
    found = joint_scores(np.array(months), np.array(event), np.array(changes, dtype=float))
    assert found.tolist() == scores


def test_what_a_trial_sees_until_its_end(pool):
    short = pool.at_end(6.0)
    assert short.changes.shape == (len(pool.months), 2)
    assert short.months.max() == 6
    assert not short.event[pool.months > 6].any()
    assert (short.event == pool.event)[pool.months <= 6].all()
    i = int(np.flatnonzero(pool.months > 12.5)[0])
    own = pool.row == i
    nearest = pool.total[own][np.argmin(np.abs(pool.when[own] - 6))]
    assert short.changes[i, 1] == nearest - pool.baseline[i]
    assert pool.at_end(12.0).changes.shape[1] == 4
    nobody = pool.months < 1.4
    assert np.isnan(short.changes[nobody]).all()


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


def test_who_has_no_time_no_total_or_no_prediction_is_left_out():
    rows = [{"diagnosis": "als", "last_contact_days": 500} for _ in range(3)]
    rows.append({"diagnosis": "als", "last_contact_days": 80})
    visits = [{"sample_id": f"P{i}", "days": 0, "total": 40} for i in (0, 2, 3)]
    risk = np.array([0.1, 0.2, np.nan, 0.1])
    pool = pool_of(cohort(*rows, visits=visits), TimeRule(), risk, None)
    assert pool.baseline.tolist() == [40]
    assert pool.score == pytest.approx([np.log(0.1 / 0.9)])
    assert np.array_equal(pool.for_slope, pool.score)


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
    source = SimpleNamespace(described=SimpleNamespace(name="mine", simulated=False))
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


def of_visits(*days):
    """One patient, seen long, with a point lost a month."""
    visits = [{"sample_id": "P0", "days": 0, "total": 44}]
    visits += [{"sample_id": "P0", "days": d, "total": 44 - i - 1} for i, d in enumerate(days)]
    made = cohort({"diagnosis": "als", "last_contact_days": 900}, visits=visits)
    return pool_of(made, TimeRule(), np.array([0.5]), None, ()).at_end(12.0)


@pytest.mark.parametrize(
    ("day", "planned"),
    [
        (90 + 45, [np.nan] * 4),  # 1.48 months
        (90 + 46, [-1, np.nan, np.nan, np.nan]),  # 1.51
        (90 + 136, [-1, np.nan, np.nan, np.nan]),  # 4.47
        (90 + 137, [np.nan, -1, np.nan, np.nan]),  # 4.50, nearer to none: the later one has it
        (90 + 410, [np.nan, np.nan, np.nan, -1]),  # 13.47
        (90 + 411, [np.nan] * 4),  # 13.50 and a little
    ],
)
def test_a_visit_stands_for_the_planned_one_within_six_weeks(day, planned):
    assert np.array_equal(of_visits(day).changes[0], planned, equal_nan=True)


def test_the_nearest_visit_counts():
    assert of_visits(90 + 60, 90 + 92, 90 + 130).changes[0, 0] == -2


@pytest.mark.parametrize(("last", "known"), [(90 + 20 + 59, False), (90 + 20 + 60, True)])
def test_a_slope_needs_sixty_days(last, known):
    assert np.isfinite(of_visits(90 + 20, last).slope[0]) == known


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
