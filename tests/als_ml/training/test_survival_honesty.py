"""The checks of a time decide where they say: each at, below and above its limit, by hand."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from als_ml.config import load_config
from als_ml.training import survival_honesty as honesty
from als_ml.training.survival_estimates import Seen
from models.members import family_folds
from models.survival.labels import Times
from tests.made import cohort
from tests.test_config import ROOT

CONFIG = load_config(ROOT / "configs/survival.yaml", ["validation.folds=3", "validation.seed=1"])


@dataclass(frozen=True)
class Patients:
    """As many as there are times, everyone a family of his own."""

    times: Times
    rows: pd.DataFrame
    y: np.ndarray
    families: np.ndarray

    @property
    def of_times(self) -> Times:
        return self.times


def patients(months, event, **columns) -> Any:
    months, event = np.asarray(months, dtype=float), np.asarray(event, dtype=int)
    rows = pd.DataFrame(columns, index=range(len(months)))
    return Patients(Times(months, event), rows, event.astype(float), np.arange(len(months)))


def with_events(n, of=None):
    """n events, the first of so many patients."""
    of = n if of is None else of
    return patients(np.arange(1, of + 1), np.arange(of) < n)


def said(check):
    return check.name, check.verdict, check.found, bool(check.remedy)


# The half width of a 99 % interval is 2.576 / 1.96 of that of 95 %: .0644 where that is .049, and
# .0657 where no interval is known and .05 stands for it.
@pytest.mark.parametrize(
    ("metrics", "none"),
    [
        ({"c_index": 0.56438, "c_index_low": 0.51538}, True),
        ({"c_index": 0.56442, "c_index_low": 0.51542}, False),
        ({"c_index": 0.5, "c_index_low": 0.5}, True),
        ({"c_index": 0.501, "c_index_low": 0.501}, False),
        ({"c_index": 0.5656}, True),
        ({"c_index": 0.5658}, False),
    ],
)
def test_no_signal(metrics, none):
    words = "no signal: the 99 % interval of the c-index reaches 0.5"
    assert honesty.survival_unbeaten(metrics) == ([words] if none else [])
    found = words if none else f"c-index {metrics['c_index']:.3f}"
    verdict = "failed" if none else "passed"
    assert said(honesty._signal(metrics)) == ("signal", verdict, found, none)
    assert honesty._baselines(metrics).found == "the model beats each baseline"


@pytest.mark.parametrize(
    ("low", "value", "high", "words"),
    [
        (0.001, 0.02, 0.04, None),
        (0.0, 0.02, 0.04, "is not shown to beat the baseline age (c-index +0.020, +0.000 to +0.04"),
        (-0.01, 0.001, 0.02, "is not shown to beat the baseline age (c-index +0.001, -0.010 to +"),
        (-0.03, 0.0, 0.02, "does not beat the baseline age (c-index +0.000, -0.030 to +0.020)"),
        (-0.05, -0.01, 0.02, "does not beat the baseline age (c-index -0.010, -0.050 to +0.020)"),
        (None, 0.001, None, None),
        (None, 0.0, None, "does not beat the baseline age (c-index +0.000, +0.000 to +0.000)"),
    ],
)
def test_a_baseline_is_beaten_where_the_interval_lies_above_0(low, value, high, words):
    of = {"difference_age_c_index": value, "difference_age_auc_12m": -1.0}
    of |= {} if low is None else {"difference_age_c_index_low": low}
    of |= {} if high is None else {"difference_age_c_index_high": high}
    # What comes after counts too, and a key that names another figure does not.
    metrics = {"c_index": 0.8, **of, "difference_sex_c_index": -0.1, "age_c_index": -1.0}
    *found, last = honesty.survival_unbeaten(metrics)
    assert "baseline sex" in last
    assert [text.startswith(f"the model {words}") for text in found] == [True] * bool(words)
    check = honesty._baselines(metrics)
    assert said(check) == ("baselines", "attention", "; ".join([*found, last]), True)
    alone = honesty._baselines({"c_index": 0.8, **of})
    assert (alone.verdict, bool(alone.remedy)) == (
        ("attention", True) if words else ("passed", False)
    )


def nearly_in_order(turned, swapped, n=25):
    """Of 300 pairs of 25 patients, those within the turned (6: 15) and the swapped lie wrong."""
    order = np.arange(n, dtype=float)
    order[:turned] = order[:turned][::-1].copy()
    order[-1 - swapped :] = order[-1 - swapped :][::-1].copy()
    return order


@pytest.mark.parametrize(
    ("turned", "swapped", "c", "failed"),
    [(6, 0, "0.950", True), (6, 1, "0.947", False), (5, 1, "0.963", True)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_feature_is_the_time_from_a_c_index_of_95_percent_on(turned, swapped, c, failed, sign):
    values = sign * nearly_in_order(turned, swapped)
    data = patients(np.arange(1, 26), np.ones(25), other=np.r_[1:13, 1:14], own=values, twin=values)
    found = f"the strongest single feature is own (c-index {c})"
    verdict = "failed" if failed else "passed"
    assert said(honesty._circular(data)) == ("circularity", verdict, found, failed)
    assert ("own" in honesty._circular(data).remedy) == failed


@pytest.mark.parametrize(
    ("known", "events", "named"),
    [(20, 20, "own"), (19, 19, "none"), (25, 10, "own"), (25, 9, "none")],
)
def test_a_feature_is_judged_by_20_patients_of_whom_10_have_the_event(known, events, named):
    values = np.where(np.arange(25) < known, np.arange(25.0) / (known - 1), np.nan)
    data = patients(np.arange(1, 26), np.arange(25) < events, gone=np.nan, same=1.0, own=values)
    check = honesty._circular(data)
    assert f"feature is {named} (c-index {1 if named == 'own' else 0.5:.3f})" in check.found


def test_no_more_than_2000_patients_judge_a_feature():
    """Of 2,100 whose feature is their time the last hundred, drawn by seed 0, are not looked at."""
    left = np.random.default_rng(0).permutation(2100)[2000:]
    values = np.arange(2100.0)
    values[left] = values[left][::-1].copy()
    assert "c-index 1.000" in honesty._circular(patients(values, values > -1, own=values)).found
    months = np.arange(1.0, 2101)
    assert "c-index 1.000" in honesty._circular(patients(months, months > 0, own=values)).found


def of_deaths(n):
    rows = [{"death_days": 500, "last_contact_days": 365}] * n + [{"last_contact_days": 365}] * 60
    return SimpleNamespace(cohort=cohort(*({"diagnosis": "als", **row} for row in rows)))


def test_follow_up_of_those_with_an_event_alone():
    check = honesty._follow_up(of_deaths(20), CONFIG)
    found = "after day 365 only patients with an event are followed (20 of them)"
    assert said(check) == ("follow-up", "failed", found, True)
    assert check.remedy.startswith("Set label.follow_up_days: 365;")
    found = "patients without an event are followed as long as those with one"
    assert said(honesty._follow_up(of_deaths(19), CONFIG)) == ("follow-up", "passed", found, False)
    no_time = load_config(ROOT / "configs/familial.yaml", [])
    assert honesty._follow_up(of_deaths(20), no_time).verdict == "passed"


def watched(risk, lost, months, end=None):
    months = np.asarray(months, dtype=float)
    grid = np.array([1.0, 2.0, months.max() + 1 if end is None else end])
    curves = {"model": np.column_stack([np.ones((len(risk), 2)), 1 - np.asarray(risk)])}
    times = Times(months, 1 - np.asarray(lost, dtype=int))
    return Seen(months, times, np.arange(len(months)), grid, curves)


def one_step(z, lost):
    """Score by information of Cox's partial likelihood at 0, patients in the order of their times:
    the sums over those at risk of z - mean and of the variance.
    """
    z = (z - z.mean()) / z.std()
    u = sum(z[i] - z[i:].mean() for i in np.flatnonzero(lost))
    v = sum(z[i:].var() for i in np.flatnonzero(lost))
    return u / v, v


def drawn(pull, n, seed):
    """Risks whose logarithm of the hazard of being lost is a pull a standard deviation."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    leaves = rng.exponential(np.exp(-pull * z))
    risk = 0.5 + 0.1 * z[np.argsort(leaves)]
    return risk, rng.random(n) < 0.5


@pytest.mark.parametrize(
    ("pull", "n", "seed", "depends"),
    [
        (0.0, 200, 0, False),
        (0.085, 6000, 0, False),  # sure, but of less than a tenth: x 1.0998
        (0.1, 6000, 0, True),
        (-0.12, 6000, 1, True),
        (0.2, 200, 5, False),  # of more than a tenth, but not sure: 2.46 errors
        (0.2, 200, 1, True),  # 2.62 errors
    ],
)
def test_who_is_lost_may_not_have_another_risk(pull, n, seed, depends):
    risk, lost = drawn(pull, n, seed)
    ratio, information = one_step(risk, lost)
    sure, large = abs(ratio) * np.sqrt(information) > 2.576, abs(ratio) > np.log(1.1)
    assert (sure and large) == depends
    assert sure == (n == 6000 or depends)
    check = honesty._censoring(watched(risk, lost, np.arange(1, n + 1)))
    found = f"hazard of being lost x {np.exp(ratio):.2f} a standard deviation of the risk"
    verdict = "attention" if depends else "passed"
    assert said(check) == ("censoring and prognosis", verdict, found, depends)
    if depends:
        assert f"too {'low' if pull > 0 else 'high'}:" in check.remedy


@pytest.mark.parametrize(("lost", "found"), [(20, "hazard"), (19, "19 patients are lost")])
def test_twenty_who_are_lost_before_the_end_can_be_judged(lost, found):
    months = np.arange(1, 41)
    risk = np.linspace(0.2, 0.4, 40)
    check = honesty._censoring(watched(risk, months <= lost, months))
    assert check.found.startswith(found)
    # Who is there at the end was not lost.
    ends = honesty._censoring(watched(risk, months <= 20, months, end=20))
    few = ("censoring and prognosis", "passed", "19 patients are lost before the end", False)
    assert said(ends) == few
    same = honesty._censoring(watched(np.full(40, 0.3), months <= 10, months))
    assert same.verdict == "passed"


def test_what_is_missing_of_some_and_not_of_all():
    gone = [np.nan, 1.0, 2.0]
    data = patients([1, 2, 3], [1, 1, 1], a=[1.0, 2.0, 3.0], b=gone, c=[np.nan] * 3)
    assert honesty._missing(data).tolist() == [[1.0], [0.0], [0.0]]


# With 100 events 1.96 errors of .05 are .098.
@pytest.mark.parametrize(
    ("c", "own", "verdict"),
    [
        (0.70, 0.70, "failed"),
        (0.70, 0.701, "attention"),
        (0.599, 0.599, "failed"),
        (0.597, 0.597, "passed"),  # reaches 0.5
        (0.649, 0.9, "attention"),
        (0.647, 0.9, "passed"),  # reaches 0.55
    ],
)
def test_what_was_measured_alone(c, own, verdict, monkeypatch):
    monkeypatch.setattr(honesty, "_c", lambda *_: c)
    monkeypatch.setattr(honesty, "plain_cox", lambda *_: (lambda values: values[:, 0], None))
    data = with_events(100, 120)
    values = np.arange(120.0)[:, None] % 2
    check = honesty._alone("assay status", values, data, CONFIG, {"harrell_c": own})
    found = f"c-index of assay status alone {c:.3f}, the model's {own:.3f}"
    assert said(check) == ("assay status alone", verdict, found, verdict != "passed")
    assert ("as much as" in check.remedy) == (verdict == "failed")


def test_nobody_scores_himself_by_what_was_measured(monkeypatch):
    """Each fold of three is scored by the other two; the order of all is that of the column."""
    given = []

    def fitted(values, times, strength):
        given.append((set(values[:, 0]), set(times.months), strength))
        return (lambda tested: -tested[:, 0] if set(tested[:, 0]) & given[-1][0] else tested[:, 0],)

    monkeypatch.setattr(honesty, "plain_cox", fitted)
    data = with_events(15, 30)
    check = honesty._alone("x", 31 - data.of_times.months[:, None], data, CONFIG, {"harrell_c": 1})
    assert "alone 1.000, the model's 1.000" in check.found
    folds = family_folds(data.y, data.families, 3, 1)
    assert [len(values) for values, *_ in given] == [20, 20, 20]
    for (values, months, strength), (train, _) in zip(given, folds, strict=True):
        assert months == set(data.of_times.months[train])
        assert len(months & set(range(1, 16))) == 10  # a third of the events is tested
        assert months == {31 - value for value in values}
        assert strength == 0.1


@pytest.mark.parametrize("values", [np.empty((30, 0)), np.ones((30, 2))])
def test_what_does_not_vary_is_not_tried(values):
    check = honesty._alone("missingness", values, with_events(30), CONFIG, {"harrell_c": 0.7})
    assert said(check) == ("missingness alone", "not tried", "it does not vary", False)


@pytest.mark.parametrize(
    ("events", "columns", "found", "few"),
    [
        (20, {"a": [1, 2], "b": [1, 2], "c": [1, 1]}, "20 events, 2 features that vary: 10.0", 0),
        (19, {"a": [1, 2], "b": [1, 2], "c": [1, 1]}, "19 events, 2 features that vary: 9.5", 1),
        (3, {"c": [1, 1]}, "3 events, 0 features that vary: 3.0", 0),
    ],
)
def test_ten_events_a_feature(events, columns, found, few):
    columns = {name: values * 20 for name, values in columns.items()}
    check = honesty._events_per_parameter(
        patients(np.arange(1, 41), np.arange(40) < events, **columns)
    )
    verdict = "attention" if few else "passed"
    assert said(check) == ("events per parameter", verdict, f"{found} each", bool(few))


@pytest.mark.parametrize(
    ("apparent", "c", "large"), [(0.1, 0.0, False), (0.79, 0.7, False), (0.81, 0.7, True)]
)
def test_optimism_of_more_than_a_tenth(apparent, c, large):
    check = honesty._optimism({"apparent_harrell_c": apparent, "harrell_c": c})
    found = f"apparent c-index {apparent:.3f}, out of fold {c:.3f}"
    assert said(check) == ("optimism", "attention" if large else "passed", found, large)


@pytest.mark.parametrize(
    ("p", "off", "wrong"),
    [(0.0099, 0.034, True), (0.01, 0.034, False), (0.0099, 1 / 30, False), (0.5, 0.2, False)],
)
def test_curves_are_wrong_where_it_is_sure_and_a_third_of_a_tenth(p, off, wrong):
    check = honesty._distribution({"d_calibration_p": p, "d_calibration_largest": off})
    found = f"p {p:.2g}, the share of a tenth is off by up to {off:.3f}"
    assert said(check) == ("D-calibration", "attention" if wrong else "passed", found, wrong)


@pytest.mark.parametrize(("high", "short"), [(0.899, True), (0.9, False), (0.95, False)])
def test_a_bound_is_short_where_its_interval_lies_below_what_was_asked(high, short):
    of = {"bound_coverage": 0.85, "bound_coverage_low": 0.8, "bound_coverage_high": high}
    check = honesty._bound({**of, "bound_asked": 0.9})
    found = f"85.0% live as long (80.0% to {high:.1%}; 90% asked)"
    assert said(check) == ("lower bound", "attention" if short else "passed", found, short)


@pytest.mark.parametrize(
    ("function", "name", "found"),
    [
        (honesty._distribution, "D-calibration", "it is not defined where another event competes"),
        (honesty._bound, "lower bound", "there is none"),
        (
            honesty._sites,
            "held-out sites",
            "there are not two sites with 10 events and 10 without",
        ),
    ],
)
def test_what_has_no_figure_is_not_tried(function, name, found):
    assert said(function({})) == (name, "not tried", found, False)


# Observed by expected of 1.5: its logarithm is .4055, which has p 0.05 (1.960 errors of
# 1 / sqrt(events)) at 23.4 events, and 0.025 (2.241 errors, the first of two by Holm) at 30.6.
@pytest.mark.parametrize(
    ("rows", "off"),
    [
        ([(1.5, 23)], []),
        ([(1.5, 24)], ["sex a (observed by expected 1.50)"]),
        ([(1.5, 30), (1.0, 30)], []),
        ([(1.5, 31), (1.0, 30)], ["sex a (observed by expected 1.50)"]),
        ([(1 / 1.5, 24)], ["sex a (observed by expected 0.67)"]),
        ([(1.0, 30), (1 / 1.5, 31)], ["sex b (observed by expected 0.67)"]),
        # However sure, less than a quarter is not worth a word.
        ([(1.25, 10**6)], []),
        ([(1.26, 10**6)], ["sex a (observed by expected 1.26)"]),
        ([(0.81, 10**6)], []),
        ([(0.79, 10**6)], ["sex a (observed by expected 0.79)"]),
    ],
)
def test_subgroups_whose_risk_is_off(rows, off):
    table: list[Any] = [
        {"group": "sex", "level": level, "oe": oe, "positive": n}
        for level, (oe, n) in zip("ab", rows, strict=False)
    ]
    # Those without a figure are not tried.
    table += [{"group": "x", "level": "1"}, {"group": "x", "level": "2", "oe": 0.0, "positive": 90}]
    found = "; ".join(off) or f"nothing beyond chance in {len(rows)} groups"
    verdict = "attention" if off else "passed"
    assert said(honesty._subgroups(table)) == ("subgroups", verdict, found, bool(off))
    none = ("subgroups", "not tried", "no subgroup has 10 events and 10 without", False)
    assert said(honesty._subgroups(table[len(rows) :])) == none


@pytest.mark.parametrize(
    ("own", "c", "worse"), [(0.05, 0.0, False), (0.7, 0.651, False), (0.7, 0.649, True)]
)
def test_new_sites_lose_more_than_5_points(own, c, worse):
    of = {"sites_harrell_c": c, "sites_harrell_c_low": 0.1, "sites_harrell_c_high": 0.8}
    check = honesty._sites({**of, "harrell_c": own, "sites_n": 3.0})
    found = f"pooled c-index over 3 held-out sites {c:.3f} (0.100-0.800)"
    assert said(check) == ("held-out sites", "attention" if worse else "passed", found, worse)


# With 75 events the error of chance is 1 / sqrt(900): .5 + 2.576 / 30 = .585867.
@pytest.mark.parametrize(("c", "leaks"), [(0.58585, False), (0.58588, True), (0.3, False)])
def test_shuffled_times(c, leaks, monkeypatch):
    monkeypatch.setattr(honesty, "_c", lambda *_: c)
    monkeypatch.setattr(honesty, "scores_for", lambda data, config: (config.task, data.y))
    check = honesty._shuffled(with_events(75, 100), CONFIG)
    found = f"c-index {c:.3f} after refits with times dealt out at random"
    assert said(check) == ("shuffled times", "failed" if leaks else "passed", found, leaks)


def test_times_are_dealt_out_with_their_events(monkeypatch):
    """The model sees the times that its scores are held against, and no patient keeps his own."""
    given = []

    def scores(data, _):
        given.append(data)
        return -data.of_times.months

    monkeypatch.setattr(honesty, "scores_for", scores)
    data = with_events(60, 100)
    assert "c-index 1.000" in honesty._shuffled(data, CONFIG).found
    honesty._shuffled(data, CONFIG)
    dealt, again = given
    assert dealt.y.tolist() == again.y.tolist()  # by the run's seed
    assert dealt.y.tolist() == dealt.of_times.event.astype(float).tolist()
    assert sorted(dealt.of_times.months) == data.of_times.months.tolist()
    assert (dealt.of_times.months == data.of_times.months).mean() < 0.1


def test_refits_are_made_without_a_search_and_put_in_their_place(monkeypatch):
    """Of 30 patients in three folds; of those who may train, ten of each fold of twenty."""
    given = []

    def each_part(function, data, parts, threads, progress, what):
        given.extend(parts)
        assert function is honesty._refitted
        assert threads == CONFIG.threads
        assert len(data.y) == 30
        progress(what, 0, 3)
        return [10.0 * i + np.arange(len(test)) for i, (_, _, test, _) in enumerate(parts)]

    monkeypatch.setattr(honesty, "each_part", each_part)
    searching = load_config(
        ROOT / "configs/survival.yaml",
        ["validation.folds=3", "model.search={trials: 2, folds: 2}"],
    )
    kept = np.arange(30) % 2 == 0
    score = honesty.scores_for(with_events(30), searching, kept)
    for i, (whole, train, test, plain) in enumerate(given):
        assert plain.model.search is None
        assert sorted([*whole, *test]) == list(range(30))
        assert train.tolist() == [row for row in whole if row % 2 == 0]
        assert score[test].tolist() == [10.0 * i + k for k in range(10)]
    assert score.dtype == float
    assert searching.model.search is not None
    given.clear()
    data = with_events(15, 30)
    honesty.scores_for(data, CONFIG)
    assert all(train is whole for whole, train, *_ in given)
    folds = family_folds(data.y, data.families, 3, 1)
    for (_, train, test, _), fold in zip(given, folds, strict=True):
        np.testing.assert_array_equal(train, fold[0])
        np.testing.assert_array_equal(test, fold[1])


@dataclass(frozen=True)
class Fitting(Patients):
    """Patients whose model is 2 x (score - 5), the score the first column."""

    def matrix(self, whole: np.ndarray) -> np.ndarray:
        return 10.0 * np.arange(len(self.y))[:, None] + len(whole)

    def fit_times(self, X: np.ndarray, train: np.ndarray, config: Any) -> Any:
        assert config is CONFIG
        assert X.tolist() == self.matrix(np.arange(20)).tolist()
        curve = SimpleNamespace(slopes=(2.0, 9.0), centre=5.0)
        return SimpleNamespace(curve=curve, score=lambda rows: rows[:, 0] + len(train))


@pytest.mark.parametrize(("families", "fitted"), [(6, True), (5, False)])
def test_six_families_with_the_event_can_be_refitted(families, fitted):
    """More than the five inner folds; relatives count once."""
    assert CONFIG.validation.inner_folds == 5
    of = with_events(12, 20)
    numbers = np.where(np.arange(20) < 12, np.arange(20) % families, np.arange(20) + 100)
    data: Any = Fitting(of.times, of.rows, of.y, numbers)
    train, test = np.arange(18), np.array([18, 19])
    found = honesty._refitted(data, (np.arange(20), train, test, CONFIG))
    expected = [2 * (180 + 20 + 18 - 5), 2 * (190 + 20 + 18 - 5)] if fitted else [np.nan] * 2
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("gap", "rows"), [(None, 4), (1, 3), (3, 3)])
def test_a_learning_curve(gap, rows, monkeypatch):
    """A quarter, half, three quarters of 40 families, then all by what is known of the run. The
    error of 12 events is .5 / sqrt(36) = 1 / 12, and 1.96 of them .1633.
    """
    given = []

    def scores(data, config, kept):
        assert config is CONFIG
        given.append(kept)
        score = -data.of_times.months
        return np.where(np.arange(40) == 7, np.nan, score) if len(given) == gap else score

    monkeypatch.setattr(honesty, "scores_for", scores)
    table = honesty.learning_curve(with_events(12, 40), CONFIG, {"harrell_c": 0.7})
    assert [int(kept.sum()) for kept in given] == [10, 20, 30]
    # Who trains with few trains with more, too, and the same each time.
    assert (given[0] <= given[1]).all()
    assert (given[1] <= given[2]).all()
    first = [kept.tolist() for kept in given]
    given.clear()
    honesty.learning_curve(with_events(12, 40), CONFIG, {"harrell_c": 0.7})
    assert [kept.tolist() for kept in given] == first
    assert len(table) == rows
    # Each of three folds trains on two thirds of them.
    known = [n for i, n in enumerate((10, 20, 30, 40), 1) if i != gap]
    assert [row["patients"] for row in table] == pytest.approx([n * 2 / 3 for n in known])
    assert [row["c_index"] for row in table] == [1.0] * (rows - 1) + [0.7]
    for row in table:
        assert row["c_index"] - row["low"] == pytest.approx(1.96 / 12)
        assert row["high"] - row["c_index"] == pytest.approx(1.96 / 12)


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(("events", "width"), [(1, 0.5658), (2, 0.4001)])
def test_the_error_of_one_event(events, width, monkeypatch):
    """1.96 x .5 / sqrt(3), and by the root of 2 less."""
    monkeypatch.setattr(honesty, "scores_for", lambda data, *_: -data.of_times.months)
    table = honesty.learning_curve(with_events(events, 40), CONFIG, {"harrell_c": 0.7})
    assert table[-1]["high"] - 0.7 == pytest.approx(width, abs=1e-4)
