"""The steps of a plan, each by hand: whom a trial draws, what its treatment moves, its size."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from als_ml.trials import planning
from als_ml.trials.patients import Pool
from als_ml.trials.planning import CUTS, Settings

SETTINGS = Settings()


def _rng():
    return np.random.default_rng(1)


def pool_of(months, event, slope=None, **columns):
    n = len(months)
    own = {
        "months": np.asarray(months, dtype=float),
        "event": np.asarray(event, dtype=int),
        "row": np.empty(0, dtype=int),
        "when": np.empty(0),
        "total": np.empty(0),
        "baseline": np.full(n, 40.0),
        "usual": np.empty((n, 0)),
        "score": np.arange(n, dtype=float),
        "for_slope": np.arange(n) + 1000.0,
        "families": np.arange(n),
        "changes": np.empty((n, 0)),
        "slope": np.full(n, np.nan) if slope is None else np.asarray(slope, dtype=float),
    }
    return Pool(**{**own, **columns})


def test_what_is_assumed_where_nothing_is_said():
    """As docs/trials.md and the command's help state it."""
    assert Settings() == Settings(
        endpoints=("slope", "survival", "joint_rank"),
        effect=0.3,
        power=0.8,
        months=12.0,
        screened_monthly=20.0,
        simulations=400,
        seed=1,
    )
    assert CUTS == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


# Nelson and Aalen's hazard of four patients who die in months 1 to 4: 1/4, 7/12, 13/12, 25/12.
@pytest.mark.parametrize(
    ("month", "pace", "end", "expected"),
    [
        # Half the hazard: it is .25 when it was .5, three quarters on the way from month 1 to 2.
        (1, 0.5, 9.0, (1.75, 1)),
        (1, 1.0, 9.0, (1.0, 1)),
        # 7/6 lies a twelfth of the way from month 3 to 4.
        (2, 0.5, 9.0, (3 + 1 / 12, 1)),
        (2, 0.5, 3.0, (3.0, 0)),
        (2, 0.5, 3 + 1 / 13, (3 + 1 / 13, 0)),
        # Nobody in the cohort lives to see twice 13/12.
        (3, 0.5, 9.0, (9.0, 0)),
        (3, 1.0, 3.0, (3.0, 1)),
        (3, 1.0, 2.9, (2.9, 0)),
    ],
)
def test_an_event_moves_to_where_the_hazard_is_as_high(month, pace, end, expected):
    pool = pool_of([1, 2, 3, 4], [1, 1, 1, 1])
    rows, paces = np.array([month - 1, 0]), np.array([pace, 1.0])
    months, event = planning._later(pool, rows, paces, end, np.random.default_rng(1))
    assert (months[0], event[0]) == (pytest.approx(expected[0]), expected[1])
    assert (months[1], event[1]) == (1.0, 1)


@pytest.mark.parametrize(("pace", "end", "expected"), [(0.5, 9.0, 2.0), (0.5, 1.5, 1.5)])
def test_a_censoring_stays_where_it_was(pace, end, expected):
    pool = pool_of([1, 2, 3, 4], [1, 0, 1, 1])
    months, event = planning._later(
        pool, np.array([1]), np.array([pace]), end, np.random.default_rng(1)
    )
    assert (months.tolist(), event.tolist()) == ([expected], [0])


def drawing(*drawn):
    """A generator whose exponential draws are these."""

    def exponential(size):
        assert size == len(drawn)
        return np.array(drawn)

    return SimpleNamespace(exponential=exponential)


# Four of whom those of months 1 and 3 are lost: the hazard of that is 1/4, then 3/4.
@pytest.mark.parametrize(
    ("month", "drawn", "lost"),
    [
        (0.0, 0.125, 0.5),
        (0.0, 0.25, 1.0),
        (0.0, 0.5, 2.0),
        (1.0, 0.25, 2.0),
        (2.0, 0.24, 2.96),
        (2.0, 0.26, np.inf),
        (1.0, 0.6, np.inf),
    ],
)
def test_who_is_still_there_is_lost_as_others_are(month, drawn, lost):
    # The second step is 1/2 of the two who are left, in month 3; interpolated from month 1 on.
    pool = pool_of([1, 3, 1.0001, 5], [0, 0, 1, 0])
    hazard = planning._lost_after(pool, np.array([month]), drawing(drawn))
    assert hazard[0] == pytest.approx(lost, abs=2e-3)


def test_an_event_that_comes_later_may_be_preceded_by_a_loss():
    """A death of month 2 would come in month 3.08; lost in month 2.5 it is not seen."""
    pool = pool_of([1, 2, 3, 4, 9], [1, 1, 1, 1, 0])
    rows, pace = np.array([1, 1, 1]), np.array([0.5, 0.5, 1.0])
    after = {"months": None}

    def lost(_, months, rng):
        after["months"] = months.tolist()
        return np.array([2.5, 8.0, 2.1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_lost_after", lost)
        months, event = planning._later(pool, rows, pace, 9.0, np.random.default_rng(1))
    assert after["months"] == [2.0, 2.0, 2.0]
    # With a fifth who lives: hazards 1/5, 9/20, 47/60, 77/60; .9 lies .2333 beyond month 3.
    assert months == pytest.approx([2.5, 3 + (0.9 - 47 / 60) / 0.5, 2.0])
    assert event.tolist() == [0, 1, 1]


def test_every_second_patient_of_a_trial_is_treated():
    """Changes below 0 and losses above 0 are a quarter smaller in the treated, gains are not."""
    pool = pool_of(
        [20, 20],
        [0, 0],
        slope=[0.5, -1.0],
        changes=np.array([[-4.0, 0.5, np.nan], [0.0, -8.0, 4.0]]),
        usual=np.array([[5.0], [6.0]]),
    )
    settings = Settings(effect=0.25, months=12.0)
    arms = planning._drawn(pool, "slope", 41, settings, np.random.default_rng(3))
    assert arms.treated.tolist() == [0.0, 1.0] * 20 + [0.0]
    first = arms.usual[:, 0] == 5
    assert 10 < first.sum() < 31
    for own, slope, changes in ((first, 0.5, [-4, 0.5, np.nan]), (~first, -1.0, [0, -8, 4])):
        for treated in (0, 1):
            of = own & (arms.treated == treated)
            pace = 1 - 0.25 * treated
            assert set(arms.slope[of]) == {slope * pace if slope > 0 else slope}
            expected = [c * pace if c < 0 else c for c in changes]
            assert all(np.array_equal(row, expected, equal_nan=True) for row in arms.changes[of])
    assert set(arms.months) == {12.0}
    assert not arms.event.any()
    assert arms.prediction.tolist() == np.where(first, 1000.0, 1001.0).tolist()
    for endpoint in ("survival", "joint_rank"):
        same = planning._drawn(pool, endpoint, 41, settings, np.random.default_rng(3))
        assert same.prediction.tolist() == np.where(first, 0.0, 1.0).tolist()


@pytest.mark.parametrize(
    ("size", "even"),
    [
        (1.0, 10.0),
        (10.0, 10.0),
        (10.1, 12.0),
        (12.0, 12.0),
        (13.0, 14.0),
        (4000.0, 4000.0),
        (4000.1, np.nan),
        (np.inf, np.nan),
        (np.nan, np.nan),
    ],
)
def test_two_equal_arms_of_up_to_2000(size, even):
    np.testing.assert_equal(planning._even(size), even)


@pytest.mark.parametrize(
    ("share", "n", "interval"),
    [
        # Clopper and Pearson 1934; R: binom.test(8, 10), binom.test(0, 10).
        (0.8, 10, (0.4439045, 0.9747893)),
        (0.0, 10, (0.0, 0.3084971)),
        (np.nan, 10, (np.nan, np.nan)),
    ],
)
def test_the_interval_of_a_power(share, n, interval):
    assert planning._interval(share, n) == pytest.approx(interval, abs=1e-6, nan_ok=True)


# 1.959964 is the limit of a two-sided level of 5 %.
@pytest.mark.parametrize(
    ("found", "share"),
    [
        ([1.9599, 1.96, -5.0, 3.0], 0.5),
        ([norm.isf(0.025), 0, 0, 0], 0.0),  # on the limit it does not
        ([1.96, 2, 2, 2], 1.0),
    ],
)
def test_a_trial_rejects_where_the_treated_do_better_significantly(found, share, monkeypatch):
    asked = []
    monkeypatch.setattr(planning, "_drawn", lambda *of: asked.append(of) or len(asked) - 1)
    monkeypatch.setattr(
        planning, "statistic", lambda trial, *of: asked.append(of) or found[trial // 2]
    )
    settings = Settings(simulations=4)
    assert planning._rejected("pool", "survival", 200.0, settings, 7, True) == share
    assert [of for of in asked if len(of) == 2] == [("survival", True)] * 4
    drawn = [of for of in asked if len(of) != 2]
    assert len(drawn) == 4
    for pool, endpoint, size, same, rng in drawn:
        assert (pool, endpoint, size, same) == ("pool", "survival", 200, settings)
        assert isinstance(size, int)
        assert rng.bit_generator.seed_seq.entropy == 7
    assert np.isnan(planning._rejected("pool", "survival", np.nan, settings, 7, True))


@pytest.mark.parametrize(
    ("means", "sizes"),
    [
        # 2.801585 is what a power of 80 % needs: found at 100 patients, 100 are enough; at half
        # of it four times as many; without an effect, or against it, none.
        ((2.801585, 2.801585 / 2), [100.0, 400.0]),
        ((2.801585 * 2, 0.0), [25.0, np.nan]),
        ((-1.0, 2.801585), [np.nan, 100.0]),
    ],
)
def test_a_size_by_the_mean_statistic_of_trials(means, sizes, monkeypatch):
    """Two trials that lie .1 beside the mean; without the prediction, then with it."""
    asked = []
    monkeypatch.setattr(planning, "_drawn", lambda *of: asked.append(of) or len(asked))
    off = {1: 0.1, 2: -0.1}
    monkeypatch.setattr(
        planning, "statistic", lambda *of: means[of[2]] + off[of[0]] if of[1] == "survival" else 0
    )
    rng = np.random.default_rng(1)
    found = planning._by_drift("pool", "survival", 100, Settings(simulations=2), rng)
    np.testing.assert_allclose(found, sizes, rtol=1e-5)
    assert asked == [("pool", "survival", 100, Settings(simulations=2), rng)] * 2


@pytest.mark.parametrize(
    ("first", "second", "pilot", "sizes"),
    [
        ([300.0, 200.9], [310.0, 190.0], 250, [310.0, 190.0]),
        ([np.nan, 150.0], [11.0, np.nan], 150, [12.0, np.nan]),
        ([np.nan, np.nan], [np.nan, np.nan], 4000, [np.nan, np.nan]),
        ([9000.0, 8000.0], [5000.0, 3999.0], 4000, [np.nan, 4000.0]),
        ([60.0, 30.0], [60.0, 30.0], 100, [60.0, 30.0]),
    ],
)
def test_the_second_trials_are_of_the_size_that_the_first_give(
    first, second, pilot, sizes, monkeypatch
):
    asked, given = [], [np.array(first), np.array(second)]

    def by_drift(pool, endpoint, size, settings, rng):
        asked.append((pool, endpoint, size, settings, rng))
        return given[len(asked) - 1]

    monkeypatch.setattr(planning, "_by_drift", by_drift)
    found, r2 = planning._sizes("pool", "survival", SETTINGS, "rng")
    np.testing.assert_equal(found, sizes)
    of = [("pool", "survival", size, SETTINGS, "rng") for size in (400, pilot)]
    assert asked == of
    assert np.isnan(r2).all()
    assert len(r2) == 3
    monkeypatch.setattr(planning, "_slope_sizes", lambda *of: of)
    assert planning._sizes("pool", "slope", SETTINGS, "rng") == ("pool", SETTINGS, "rng")


def of_slopes(known=60, unknown=15, effect=0.3):
    """Slopes .9 up or down by as much that what the two arms differ in has an SD of .62, which
    R's power.t.test(delta = .27, sd = .62, power = .8) needs 83.745 an arm for. A covariate that
    agrees with 48 of 60 correlates by .6.
    """
    sd = 0.62 / np.sqrt((1 + (1 - effect) ** 2) / 2)
    up = np.where(np.arange(known) % 2 == 0, 1.0, -1.0)
    slope = 0.9 + up * sd * np.sqrt((known - 1) / known)
    says = np.where(np.arange(known) < known * 0.2, -up, up)
    none = np.full(unknown, np.nan)
    n = known + unknown
    return pool_of(
        np.full(n, 20.0),
        np.zeros(n),
        slope=np.r_[slope, none],
        for_slope=np.r_[says, np.full(unknown, 7.0)],
    )


def test_the_size_for_a_slope():
    """60 of 75 have a slope: 2 x 83.745 / .8 = 209.4, two even arms of 105. The prediction leaves
    .64 of the sum of squares and takes a degree of freedom: x 59 / 58, so that its R2 is .3490, and
    statsmodels' TTestIndPower (0.27 / (0.62 x .80687), 0.8) needs 54.87 an arm, 137.2 in all.
    """
    sizes, (r2, low, high) = planning._slope_sizes(of_slopes(), SETTINGS, _rng())
    assert sizes == [210.0, 138.0]
    assert r2 == pytest.approx(1 - 0.64 * 59 / 58)
    # The error of a squared correlation is 2 x .6 x .64 / sqrt(57) = .10: .15 to .55, about.
    assert (low, high) == pytest.approx((0.15, 0.55), abs=0.09)
    # For a power of 90 % 111.78 an arm: 279.4 in all.
    sizes, _ = planning._slope_sizes(of_slopes(), replace(SETTINGS, power=0.9), _rng())
    assert sizes[0] == 280


def test_families_are_drawn_whole():
    """Of one family alone every draw is the same."""
    pool = of_slopes()
    one = replace(pool, families=np.zeros(75, dtype=int))
    _, (r2, low, high) = planning._slope_sizes(one, SETTINGS, _rng())
    assert (low, high) == pytest.approx((r2, r2))
    # Of two, one may be drawn twice. The first 12 of 60 disagree: the covariate correlates by .2 in
    # the first half, by 1 in the second. Of the first, twice, it leaves .96 x 59 / 58.
    two = replace(pool, families=np.arange(75) // 30 * 5)
    _, (r2, low, high) = planning._slope_sizes(two, SETTINGS, _rng())
    assert (low, r2, high) == pytest.approx((1 - 0.96 * 59 / 58, 1 - 0.64 * 59 / 58, 1.0))


@pytest.mark.parametrize(("known", "finite"), [(50, True), (49, False)])
def test_fifty_slopes_are_enough(known, finite):
    sizes, r2 = planning._slope_sizes(of_slopes(known, 30), SETTINGS, _rng())
    assert np.isfinite(sizes).tolist() == [finite] * 2
    assert np.isfinite(r2).tolist() == [finite] * 3


def rows_of(share, sizes, monkeypatch, endpoint="survival"):
    """Rows of a plan whose sizes are given, with what was asked of the simulated trials."""
    asked, state = [], {}

    settings = Settings(simulations=40)

    def rejected(of_pool, of, size, given, seed, used):
        assert of_pool is pool
        assert replace(given, effect=0.3) == settings
        asked.append((of, size, given.effect, seed, used))
        return 0.75 if given.effect else 0.025

    def given(*of_sizes):
        *stated, rng = of_sizes
        assert stated == [pool, endpoint, settings]
        state["rng"] = rng.bit_generator.seed_seq.entropy
        return sizes, (0.3, 0.2, 0.4)

    monkeypatch.setattr(planning, "_sizes", given)
    monkeypatch.setattr(planning, "_rejected", rejected)
    pool = pool_of(np.full(80, 20.0), np.arange(80) < 20)
    rows = planning._rows(pool, endpoint, share, 1.5, settings)
    return rows, asked, state["rng"]


def test_a_row_of_a_plan(monkeypatch):
    """Of the screened 30 % are not enrolled; 20 a month are screened; a quarter has the event."""
    rows, asked, _ = rows_of(0.3, [210.0, 138.0], monkeypatch)
    assert [row["prediction"] for row in rows] == ["without", "with"]
    without, beside = rows
    assert without["endpoint"] == "survival"
    assert (without["not_enrolled_share"], without["cut"]) == (0.3, 1.5)
    assert np.isnan([without[name] for name in ("r2", "r2_low", "r2_high")]).all()
    assert [beside[name] for name in ("r2", "r2_low", "r2_high")] == [0.3, 0.2, 0.4]
    assert [row["enrolled"] for row in rows] == [210, 138]
    assert [row["screened"] for row in rows] == [300, 198]  # 138 / .7 = 197.1
    assert [row["excluded"] for row in rows] == [90, 60]
    assert [row["months_to_recruit"] for row in rows] == [15, 9.9]
    assert [row["events"] for row in rows] == [52.5, 34.5]
    # R: binom.test(30, 40).
    for row in rows:
        assert row["power"] == 0.75
        assert (row["power_low"], row["power_high"]) == pytest.approx((0.5880, 0.8731), abs=1e-4)
        assert row["false_positive"] == 0.025
    assert [(one[0], one[4]) for one in asked] == [("survival", u) for u in (0, 0, 1, 1)]
    # The level is looked at without an effect, and without a cut alone.
    assert [one[2] for one in asked] == [0.3, 0.0] * 2
    np.testing.assert_equal([one[1] for one in asked], [210, np.nan, 138, np.nan])
    whole = rows_of(0.0, [210.0, 138.0], monkeypatch)[1]
    assert [one[1] for one in whole] == [210, 210, 138, 138]


def test_no_two_figures_share_their_draws(monkeypatch):
    seeds = []
    for endpoint in ("slope", "survival"):
        for share in (0.0, 0.1):
            _, asked, pilot = rows_of(share, [100.0, 100.0], monkeypatch, endpoint)
            seeds += [pilot, *(one[3] for one in asked)]
    assert len(set(seeds)) == len(seeds) == 20
    _, asked, pilot = rows_of(0.1, [100.0, 100.0], monkeypatch, "survival")
    assert [pilot, *(one[3] for one in asked)] == seeds[-5:]  # and each is drawn the same again


@pytest.mark.parametrize(
    ("n", "shares", "kept"),
    [
        # Scores 0, 1, ...: a tenth of 100 lies below 9.9, so that 10 and more are kept.
        (100, CUTS, [100, 90, 80, 70, 60, 50]),
        (98, CUTS[:5], [98, 88, 78, 68, 59]),  # 49 would be left by the half
        (50, CUTS[:1], [50]),
        (49, (), []),
        (101, CUTS, [101, 91, 81, 71, 61, 51]),  # who lies on the cut is kept
    ],
)
def test_who_lies_above_a_cut_is_enrolled(n, shares, kept, monkeypatch):
    asked, told = [], []

    def rows(pool, endpoint, share, cut, given):
        assert given is settings
        asked.append((endpoint, share, cut, len(pool.months), pool.months.max()))
        assert share == 0 or pool.score.min() >= cut
        return [{}, {}]

    monkeypatch.setattr(planning, "_rows", rows)
    pool = pool_of(np.full(n, 20.0), np.zeros(n))
    settings = Settings(endpoints=("slope", "joint_rank"), months=9.0)
    table = planning.plan(pool, settings, lambda *of: told.append(of))
    assert len(table) == 2 * len(asked) == 4 * len(shares)
    for half, endpoint in enumerate(settings.endpoints):
        own = asked[half * len(shares) :][: len(shares)]
        assert [one[:2] for one in own] == [(endpoint, share) for share in shares]
        assert [one[3] for one in own] == kept
        assert {one[4] for one in own} <= {9.0}
        cuts = [one[2] for one in own]
        np.testing.assert_allclose(cuts, [np.nan, *(np.array(CUTS[1:]) * (n - 1))][: len(cuts)])
    assert all(isinstance(done, int) for _, done, _ in told)
    steps = [(f"simulating trials: {one[0]}", i, 12) for i, one in enumerate(asked)]
    assert [of for of in told if of in steps] == steps
