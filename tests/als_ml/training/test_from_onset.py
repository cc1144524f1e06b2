"""What is counted from onset: delayed entry as R has it, and ENCALS from the landmark on."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from als_ml.config import Config
from als_ml.tracking.small_cells import _from_onset
from als_ml.training.from_onset import encals_curve, from_onset, months_to_landmark
from als_ml.training.metrics import family_weights, percentiles
from als_ml.training.survival_estimates import Seen, _beside_encals
from als_ml.training.survival_metrics import auc_by, brier, kaplan_meier, uno_c
from features.alsfrs.encals import survival
from features.alsfrs.slopes import DAYS_PER_MONTH
from models.survival.labels import Times
from models.survival.times import TWO_YEARS, YEAR
from tests.made import cohort

MGUS = pd.read_csv(Path(__file__).parents[2] / "fixtures/mgus.csv")


def test_a_curve_from_birth_is_that_of_survfit_with_delayed_entry():
    """`survfit(Surv(pmax(age, 42), age + years, cause > 0) ~ 1)` of R 4.2.2, survival 3.5-3, on 680
    people of `mgus2` who are watched from a first visit on, as patients are from the landmark.
    """
    years, died = MGUS["time"].to_numpy() / 12, (MGUS["cause"] > 0).to_numpy().astype(int)
    rows = {r["months"]: r for r in from_onset(Times(years, died), MGUS["age"].to_numpy(float))}
    # From the first multiple of 6 at which ten are watched to the last.
    assert list(rows) == [float(at) for at in range(36, 97, 6)]
    assert [rows[at]["watched"] for at in (36.0, 42.0, 48.0)] == [13, 14, 19]
    expected = {
        48.0: (0.9473684210526, 0.8521012377320, 1.0),
        60.0: (0.5630911994063, 0.4402587421612, 0.7201939870456),
        72.0: (0.3014376238620, 0.2263106271530, 0.4015040841105),
        84.0: (0.0904650993140, 0.0650720525848, 0.1257672667267),
        90.0: (0.0355593937423, 0.0243564719614, 0.0519151741405),
    }
    for at, values in expected.items():
        found = [rows[at][name] for name in ("observed", "low", "high")]
        assert found == pytest.approx(values, rel=1e-6)
    # As if all had been watched from birth, nobody could have died young: 0.85 for 0.30.
    whole = kaplan_meier(MGUS["age"].to_numpy() + years, died).at(72)[0]
    assert whole == pytest.approx(0.847286498015, rel=1e-9)


@pytest.mark.parametrize(("watched", "months"), [(9, []), (10, [12.0, 18.0]), (11, [12.0, 18.0])])
def test_a_curve_needs_ten_who_are_watched(watched, months):
    """From month 7 from onset to month 20: at 12 and 18 they are at risk, at 6 and 24 not."""
    times = Times(np.full(watched, 13.0), np.zeros(watched, dtype=int))
    assert [r["months"] for r in from_onset(times, np.full(watched, 7.0))] == months


def test_an_event_in_the_month_of_a_row_is_counted_there_and_once():
    months = np.r_[5.0, 11.0, np.full(12, 17.5)]  # from onset 12, 18 and 24.5
    times = Times(months, np.r_[1, 1, np.zeros(12, dtype=int)])
    rows = from_onset(times, np.full(14, 7.0))
    assert [(r["months"], r["events"]) for r in rows] == [(12.0, 0.0), (18.0, 1.0), (24.0, 0.0)]


def test_a_curve_ends_where_nine_are_left():
    times = Times(np.r_[np.full(9, 40.0), 13.0, 40.0], np.zeros(11, dtype=int))
    entry = np.r_[np.full(10, 7.0), 25.0]
    rows = from_onset(times, entry)
    assert [r["months"] for r in rows] == [12.0, 18.0]  # ten again from month 30 on


def test_who_has_no_onset_to_the_month_is_not_in_it():
    made = cohort(
        {"diagnosis": "als", "onset_days": -275},
        {"diagnosis": "als"},
        {"diagnosis": "als", "onset_days": -275, "uncertain_dates": "onset_days -365..-1"},
        {"diagnosis": "als", "onset_days": 0},
    )
    found = months_to_landmark(made.patients, 90)
    np.testing.assert_allclose(found * DAYS_PER_MONTH, [365, np.nan, np.nan, 90])
    assert np.isnan(months_to_landmark(made.patients, 0)[3])  # onset on the landmark


def test_few_events_between_two_rows_are_not_shown():
    def row(events, observed):
        return {"months": 6.0, "watched": 30.0, "events": events, "observed": observed} | {
            "low": 0.1,
            "high": 0.9,
        }

    shown = _from_onset([row(0.0, 1.0), row(5.0, 0.9), row(4.0, 0.8), row(1.0, 0.7), row(1.0, 0.6)])
    assert [r["observed"] for r in shown] == [1.0, 0.9, None, 0.7, None]
    assert [r["events"] for r in shown] == [0.0, 5.0, None, 5.0, None]
    assert shown[2]["low"] is shown[2]["high"] is None


def test_encals_is_taken_from_the_landmark_on():
    """Its curve is from onset; who is here has come so far."""
    entry, lp = np.array([12.0, 36.0, np.nan, 12.0]), np.array([-4.5, -4.5, -4.5, np.nan])
    found = encals_curve(lp, entry, np.array([12.0, 24.0]))
    by_hand = [[0.816 / 0.979, 0.505 / 0.979], [survival(48.0, -4.5) / 0.505, 0.159 / 0.505]]
    np.testing.assert_allclose(found[:2], by_hand, atol=0.002)
    assert np.isnan(found[2:]).all()


RNG = np.random.default_rng(8)
N = 300
ENTRY = RNG.uniform(6, 40, N)
LP = RNG.normal(-4.0, 1.0, N)
GRID = np.array([6.0, YEAR, 18.0, TWO_YEARS])


def seen(rivals=()):
    life = RNG.exponential(20, N) * np.exp(-0.5 * (LP + 4))
    months, event = np.minimum(life, 26.0), (life < 26).astype(int)
    risk = np.clip(RNG.normal(0.2, 0.05, (N, 1)) + 0.1 * (LP + 4)[:, None], 0.01, 0.4)
    return Seen(
        months=months,
        times=Times(months=months, cause=event, rivals=rivals),
        families=np.arange(N),
        grid=GRID,
        curves={"model": 1 - risk * np.array([0.5, 1.0, 1.4, 1.8])},
    )


def data(known):
    lp = np.where(known, LP, np.nan)[:, None]
    onset = 90 - ENTRY * DAYS_PER_MONTH
    made = cohort(*({"diagnosis": "als", "onset_days": day} for day in onset.round()))
    return SimpleNamespace(
        baselines={"encals": lp}, cohort=made, spec=SimpleNamespace(landmark_days=90)
    )


CONFIG = Config.model_validate(
    {
        "task": "survival",
        "cohort": "c.yaml",
        "model": {"estimator": "cox"},
        "validation": {"bootstrap": 50},
    }
)


def test_the_model_and_encals_are_compared_on_the_patients_of_whom_both_speak():
    of, known = seen(), np.arange(N) % 3 > 0
    given = data(known)
    found = _beside_encals(given, of, CONFIG)
    assert found["encals_published_n"] == known.sum()
    part, one = of.take(known), np.ones((1, known.sum()))
    entry = months_to_landmark(given.cohort.patients, 90)[known]
    theirs = 1 - encals_curve(LP[known], entry, np.array([YEAR]))[:, 0]
    ours = part.risks("model")[12]
    for prefix, risk in (("baseline_encals_published_", theirs), ("encals_published_model_", ours)):
        score = brier(part.months, part.event, risk, one, 12)[0]
        assert found[f"{prefix}brier_12m"] == pytest.approx(score)
    weights = family_weights(part.event == 1, part.families, 50, CONFIG.validation.seed)
    for name, metric, by in (
        ("auc_12m", auc_by, 12),
        ("brier_12m", brier, 12),
        ("c_index", uno_c, found["encals_published_model_tau_months"]),
    ):
        change = [
            metric(part.months, part.event, ours, w, by)
            - metric(part.months, part.event, theirs, w, by)
            for w in (one, weights)
        ]
        low, high = percentiles(change[1])
        key = f"difference_encals_published_{name}"
        assert found[key] == pytest.approx(change[0][0])
        assert (found[f"{key}_low"], found[f"{key}_high"]) == pytest.approx((low, high))


def test_too_few_complete_cases_are_counted_only():
    of = seen()
    for events, told in ((9, False), (10, True)):
        known = np.zeros(N, dtype=bool)
        known[np.flatnonzero(of.event == 1)[:events]] = True
        known[np.flatnonzero(of.event == 0)[:30]] = True
        found = _beside_encals(data(known), of, CONFIG)
        assert found["encals_published_n"] == events + 30
        assert ("difference_encals_published_c_index" in found) is told


def test_encals_says_nothing_of_niv():
    known = np.ones(N, dtype=bool)
    assert _beside_encals(data(known), seen(rivals=("niv",)), CONFIG) == {}
    without = SimpleNamespace(baselines={})
    assert _beside_encals(without, seen(), CONFIG) == {}
