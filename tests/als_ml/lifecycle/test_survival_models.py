"""Models of a time, compared and monitored: who is lost within the year counts as long as seen, and
fifths of the risk stand where others have a class.
"""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import als_ml.commands.predict
import als_ml.lifecycle.lock
from als_ml.commands.predict import _print_predictions
from als_ml.lifecycle.comparison import Scored, compare
from als_ml.lifecycle.monitoring import calibration_now, flags
from als_ml.prediction.row import ROW_FIELDS
from als_ml.training.survival_estimates import known_by_year
from models.survival.curve import GROUPS
from models.survival.labels import Times
from models.survival.times import YEAR


def scored(times: Times, risk: np.ndarray) -> Scored:
    """Patients as a model of a time scores them; their fifth is that of these patients' risk."""
    n, place = len(risk), np.searchsorted(np.quantile(risk, (0.2, 0.4, 0.6, 0.8)), risk)
    early = times.event & (times.months <= YEAR)
    known = early | (times.months >= YEAR)
    empty = dict.fromkeys(ROW_FIELDS) | {"out_of_distribution": False}
    rows = [{**empty, "probability": p, "risk_12m": p, "risk_24m": None} for p in risk]
    return Scored(
        samples=np.array([f"s{i}" for i in range(n)]),
        probability=risk,
        predicted=np.array(GROUPS)[place],
        y=np.where(known, early.astype(float), np.nan),
        families=np.arange(n),
        rows=rows,
        times=times,
    )


@pytest.fixture(scope="module")
def patients():
    """2,000 patients with a known risk by month 12, a third of whom are lost within the year."""
    rng = np.random.default_rng(7)
    risk = rng.uniform(0.05, 0.6, 2000)
    died = rng.exponential(-YEAR / np.log1p(-risk))
    left = rng.uniform(0, 3 * YEAR, 2000)
    return Times(np.minimum(died, left), (died <= left).astype(int)), risk


def test_each_patient_stands_for_those_lost_before():
    """By hand: 7 times; of the 6 that remain after month 3, one is lost at 4 and one at 5; of the 3
    after month 6 one is lost at 9.
    """
    months = np.array([3.0, 6.0, 9.0, 13.0, 14.0, np.nan, 5.0, 4.0])
    times = Times(months, np.array([1, 1, 0, 0, 1, 0, 0, 0]))
    np.testing.assert_allclose(known_by_year(times), [1, 1.5, 0, 2.25, 2.25, 0, 0, 0])


def test_who_is_censored_on_the_last_day_of_the_year_is_known():
    day = 1 / 30.4375
    times = Times(np.array([YEAR - day, YEAR, YEAR + day]), np.zeros(3, dtype=int))
    assert (known_by_year(times) > 0).tolist() == [False, True, True]


def test_observed_by_expected_is_not_moved_by_the_lost(patients):
    """The true risks: among those whose state is known more have the event than are expected."""
    now = scored(*patients)
    known = np.isfinite(now.y)
    assert now.y[known].mean() / now.probability[known].mean() > 1.1
    found = calibration_now(now)
    assert found["observed/expected"] == pytest.approx(1, abs=0.08)
    assert found["o/e low"] < 1 < found["o/e high"]
    assert found["calibration_slope"] == pytest.approx(1, abs=0.15)
    assert found["labelled"] == 2000
    wrong = scored(patients[0], 1 - (1 - patients[1]) ** (1 / 1.6))
    assert calibration_now(wrong)["o/e low"] > 1.2


@pytest.mark.parametrize(("n", "told"), [(19, False), (20, True)])
def test_calibration_of_few_is_not_told(patients, n, told):
    times, risk = patients
    few = np.r_[np.flatnonzero(times.event)[:5], np.flatnonzero(~times.event)][:n]
    assert bool(calibration_now(scored(times.take(few), risk[few]))) == told


@pytest.mark.parametrize("cause", [0, 1])
def test_nor_of_patients_who_all_have_the_event_or_none(patients, cause):
    times, risk = patients
    assert calibration_now(scored(Times(times.months, np.full(2000, cause)), risk)) == {}


def test_a_model_of_a_time_never_abstains(patients):
    seen = flags(scored(*patients))
    assert "abstained" not in seen
    assert seen["scored"] == 2000


def test_two_models_differ_by_what_all_patients_would_show(patients):
    """The Brier score of risks that are all a fifth too high: without the lost, who had fewer
    events in truth, it would look better than it is.
    """
    times, risk = patients
    right, high = scored(times, risk), scored(times, np.minimum(1.2 * risk, 1))
    found = compare(high, right, draws=50).differences["brier"][0]
    error = 0.04 * (risk**2).mean()  # of true risks E(p'-y)^2 - E(p-y)^2 = E(p'-p)^2
    known = np.isfinite(right.y)
    y, p, q = right.y[known], right.probability[known], high.probability[known]
    without = ((q - y) ** 2 - (p - y) ** 2).mean()
    assert found == pytest.approx(error, abs=0.003)
    assert without < error - 0.006


def test_who_changes_fifth_and_the_table_in_their_order(patients):
    times, risk = patients
    other = risk.copy()
    other[:3] = risk[:3][::-1]
    found = compare(scored(times, risk), scored(times, other), draws=5)
    assert found.answer == "risk group"
    assert list(found.classes.index) == list(found.classes.columns) == list(GROUPS)
    assert found.n == 2000
    assert set(found.changed["sample_id"]) <= {"s0", "s2"}


def test_the_summary_of_a_batch_has_the_fifths_in_their_order(monkeypatch):
    kinds = ("scored", "abstained", "out of distribution", "not scored")
    counts = Counter({(task, what): 0 for task in ("survival", "progression") for what in kinds})
    counts.update({("survival", "as highest_fifth"): 3, ("survival", "as lowest_fifth"): 2})
    counts.update({("progression", "as slow"): 1})
    tables: list[dict] = []
    monkeypatch.setattr(als_ml.commands.predict, "print_table", tables.extend)
    _print_predictions(counts, Path("out.csv"), 1.0)
    of_time, of_class = (list(table) for table in tables)
    fifths = [name.replace("_", " ") for name in GROUPS]
    assert of_time == ["task", "scored", *fifths, "out of distribution", "not scored"]
    assert (tables[0]["lowest fifth"], tables[0]["highest fifth"]) == (2, 3)
    assert of_class[2:4] == ["as slow", "abstained"]


@pytest.mark.parametrize(("task", "pinned"), [("survival", "none"), ("progression", "0.4")])
def test_a_lock_pins_a_threshold_where_there_is_a_class(monkeypatch, task, pinned):
    fitted = SimpleNamespace(task=task, calibration=SimpleNamespace(threshold=0.4))
    predictor = SimpleNamespace(fitted=fitted, definitions=SimpleNamespace(version="v"))
    monkeypatch.setattr(als_ml.lifecycle.lock, "_of_files", lambda _: {})
    assert als_ml.lifecycle.lock.facts(None, predictor)["threshold"] == pinned
