"""Test statistics of a trial against R 4.2.2 with survival 3.5-3 on `tests/fixtures/lung.csv`, of
which every second patient is treated; pairs of the joint rank by hand.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.trials.endpoints import ENDPOINTS, Arms, joint_scores, statistic

LUNG = pd.read_csv(Path(__file__).parents[2] / "fixtures/lung.csv")
TREATED = (np.arange(1, len(LUNG) + 1) % 2 == 0).astype(float)
BESIDE = (np.arange(1, len(LUNG) + 1) % 7).astype(float)[:, None]


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


def test_the_joint_rank_is_that_of_a_loop_over_all_pairs_and_lm():
    """R: every pair compared by its rule, `lm(rank(score) ~ treated + z (+ x))`."""
    i = np.arange(1, len(LUNG) + 1)
    arms = Arms(
        treated=TREATED,
        months=LUNG["time"].to_numpy(float),
        event=LUNG["event"].to_numpy(),
        changes=np.column_stack([-(i % 5.0), np.where(i % 3 == 0, np.nan, -(i % 8.0))]),
        slope=np.zeros(len(LUNG)),
        usual=BESIDE,
        prediction=LUNG["risk_183"].to_numpy(),
    )
    assert statistic(arms, "joint_rank", False) == pytest.approx(-2.5356768237, rel=1e-8)
    assert statistic(arms, "joint_rank", True) == pytest.approx(-2.9517685313, rel=1e-8)


def few(treated, outcome, usual, event=None):
    """A small trial whose outcome is the slope, and the months."""
    n = len(treated)
    return Arms(
        treated=np.array(treated, dtype=float),
        months=np.array(outcome, dtype=float),
        event=np.zeros(n, dtype=int) if event is None else np.array(event),
        changes=np.zeros((n, 1)),
        slope=np.array(outcome, dtype=float),
        usual=np.array(usual, dtype=float).reshape(n, -1),
        prediction=np.zeros(n),
    )


@pytest.mark.parametrize(
    ("n", "t"),
    [
        (3, 0.0),  # as many coefficients as patients
        (4, -0.30151134458),  # R: lm(y ~ treated + z), one degree of freedom
        (5, 0.29880715233),
    ],
)
def test_patients_for_a_regression(n, t):
    arms = few([0, 1, 0, 1, 1][:n], [1, 2, 4, 3, 6][:n], [0, 0, 1, 2, 1][:n])
    assert statistic(arms, "slope", False) == pytest.approx(-t, rel=1e-9)


@pytest.mark.parametrize("endpoint", ["slope", "survival", "joint_rank"])
@pytest.mark.parametrize("value", [0.0, 0.5, 3.1])
def test_where_nothing_differs_nothing_is_seen(endpoint, value):
    assert endpoint in ENDPOINTS  # as `als-ml trial --endpoint` takes them
    arms = few([0, 1] * 4, [value] * 8, [0, 1, 0, 0, 1, 1, 0, 1])
    assert statistic(arms, endpoint, False) == 0


def test_where_nobody_is_treated_no_treatment_is_seen():
    arms = few([0] * 8, [1, 5, 2, 6, 3, 7, 4, 8], [0, 1, 0, 0, 1, 1, 0, 1])
    assert statistic(arms, "slope", False) == 0


@pytest.mark.parametrize(
    ("treated", "event"),
    [
        ([0, 1] * 4, [1, 0] * 4),  # none of the treated has the event: no finite hazard ratio
        ([1] * 8, [1] * 8),  # all are treated
        ([0, 1] * 4, [0] * 8),
    ],
)
def test_a_hazard_ratio_that_cannot_be_found_is_no_evidence(treated, event):
    arms = few(treated, [1, 5, 2, 6, 3, 7, 4, 8], [0, 1, 0, 0, 1, 1, 0, 1], event)
    assert statistic(arms, "survival", False) == 0


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
