"""Which labels stay in a set, and which values lie outside the training data; all by hand."""

import numpy as np
import pytest

from models.conformal import conformal_limits
from models.fitted import Calibration, FittedModel, joined_sets, recalibrated, training_range
from models.ladder import Ladder

# Ten patients, four of them positive.
PROBABILITY = np.array([0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 0.9])
POSITIVE = np.array([0, 0, 0, 1, 0, 0, 1, 0, 1, 1])


# Vovk 2012: the ceil((n + 1) coverage)-th smallest of 1 - P(label) among the n of the label.
@pytest.mark.parametrize(
    ("coverage", "negative", "positive"),
    [
        # Negatives have 0.05 0.1 0.2 0.35 0.4 0.6, positives 0.1 0.2 0.5 0.7.
        (0.1, 0.05, 0.1),
        (0.2, 0.1, 0.1),
        (0.21, 0.1, 0.2),
        (0.4, 0.2, 0.2),
        (0.5, 0.35, 0.5),
        (0.6, 0.4, 0.5),
        (0.8, 0.6, 0.7),
        (0.81, 0.6, 1.0),  # too few of the label: it is always in the set
        (0.9, 1.0, 1.0),
    ],
)
def test_conformal_limits(coverage, negative, positive):
    found = conformal_limits(PROBABILITY, POSITIVE, coverage)
    assert found == pytest.approx((negative, positive))


def model(limits=(0.4, 0.3), task="progression", low=(), high=(), threshold=0.5) -> FittedModel:
    numbers = Calibration(limits, threshold, low, high, (), "sigmoid", 1.0, 0.0)
    return FittedModel(task, (), numbers)


@pytest.mark.parametrize(
    ("limits", "probability", "labels"),
    [
        # slow is in where P(fast) <= 0.4, fast where P(fast) >= 0.7.
        ((0.4, 0.3), 0.39, "slow"),
        ((0.4, 0.3), 0.4, "slow"),
        ((0.4, 0.3), 0.41, ""),
        ((0.4, 0.3), 0.69, ""),
        ((0.4, 0.25), 0.75, "fast"),
        ((0.4, 0.25), 0.74, ""),
        ((0.4, 0.25), 0.76, "fast"),
        ((0.75, 0.75), 0.24, "slow"),
        ((0.75, 0.75), 0.25, "fast|slow"),
        ((0.75, 0.75), 0.75, "fast|slow"),
        ((0.75, 0.75), 0.76, "fast"),
        ((1.0, 1.0), 0.0, "fast|slow"),
        ((1.0, 1.0), 1.0, "fast|slow"),
    ],
)
def test_conformal_sets(limits, probability, labels):
    assert model(limits).label_sets(np.array([probability])) == [labels]


def test_sets_of_each_task_name_its_labels():
    assert model((1, 1), "familial").label_sets(np.array([0.5, 0.5])) == ["familial|sporadic"] * 2
    assert model((0.4, 0.4), "familial").label_sets(np.array([0.1, 0.9])) == [
        "sporadic",
        "familial",
    ]


@pytest.mark.parametrize(
    ("holds", "text"),
    [
        ([0, 0, 0], ""),
        ([1, 0, 0], "slow"),
        ([0, 1, 0], "intermediate"),
        ([0, 0, 1], "fast"),
        ([1, 1, 0], "intermediate|slow"),
        ([1, 0, 1], "fast|slow"),
        ([0, 1, 1], "fast|intermediate"),
        ([1, 1, 1], "fast|intermediate|slow"),
    ],
)
def test_sets_are_sorted_text(holds, text):
    assert joined_sets(np.array([holds], dtype=bool), ("slow", "intermediate", "fast")) == [text]


class Step:
    """A step of the ladder with a probability of its own."""

    def __init__(self, *probability: float, limits=(0.4, 0.4), threshold=0.5):
        self._probability = np.array(probability)
        self.calibration = model(limits, threshold=threshold).calibration
        self.holds = model(limits).holds

    def probability(self, X: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self._probability, len(X))


@pytest.mark.parametrize(
    ("lower", "top", "level", "labels"),
    [
        (0.1, 0.1, 0, "slow"),
        (0.49, 0.1, 0, ""),
        (0.5, 0.1, 1, ""),
        (0.9, 0.1, 1, "intermediate"),
        (0.9, 0.49, 1, ""),
        (0.9, 0.5, 2, ""),
        (0.9, 0.9, 2, "fast"),
        (0.1, 0.9, 2, "fast|slow"),  # the highest step that is reached counts
    ],
)
def test_a_ladder_of_classes(lower, top, level, labels):
    ladder = Ladder(("slow", "intermediate", "fast"), (Step(lower),))
    found, sets = ladder.assign(np.zeros((2, 3)), Step(top), np.array([top, top]))
    assert found.tolist() == [level, level]
    assert sets == [labels, labels]


def test_each_patient_has_its_own_steps():
    names = ("slow", "intermediate_1", "intermediate_2", "fast")
    second = Step(0.1, 0.7, 0.1, limits=(0.2, 0.2))
    ladder = Ladder(names, (Step(0.1, 0.9, 0.9), second))
    top = np.array([0.1, 0.1, 0.9])
    level, sets = ladder.assign(np.zeros((3, 1)), Step(*top), top)
    assert level.tolist() == [0, 2, 3]
    # Of the second only the step to intermediate_2 can neither be passed nor fail.
    assert sets == ["slow", "", "fast|intermediate_1"]


def test_a_class_needs_the_step_below_and_the_one_above_it():
    ladder = Ladder(("slow", "intermediate", "fast"), (Step(0.5, limits=(0.5, 0.5)),))
    _, sets = ladder.assign(np.zeros((1, 1)), Step(0.1), np.array([0.1]))
    assert sets == ["intermediate|slow"]


@pytest.mark.parametrize(
    ("value", "outside"),
    [(-1.1, True), (-1.0, False), (0.0, False), (2.0, False), (2.1, True), (np.nan, False)],
)
def test_a_value_outside_the_training_data(value, outside):
    fitted = model(low=(-1.0, np.nan), high=(2.0, np.nan))
    assert fitted.outside(np.array([[value, 1e9]])).tolist() == [[outside, False]]


def test_thetraining_range():
    """The central 98 % and half of their width beyond each end; of 0..100 these are 1 and 99."""
    X = np.column_stack(
        [np.arange(101.0), np.arange(101) % 4, np.arange(101) % 5, np.full(101, np.nan)]
    )
    low, high = training_range(X)
    assert low == pytest.approx([1 - 49, np.nan, -2, np.nan], nan_ok=True)
    assert high == pytest.approx([99 + 49, np.nan, 6, np.nan], nan_ok=True)
    X[3:, 0] = np.nan
    assert np.isnan(training_range(X)[0][0])  # three values say nothing of a range


@pytest.mark.parametrize(
    ("slope", "intercept", "probability", "expected"),
    [
        (1.0, 0.0, 0.3, 0.3),
        (2.0, 0.0, 0.5, 0.5),
        (2.0, 0.0, 0.8, 16 / 17),  # odds 4 squared
        (1.0, np.log(2), 0.5, 2 / 3),
        (0.5, np.log(3), 0.8, 6 / 7),  # odds 4 ** 0.5 * 3
    ],
)
def test_a_new_centres_update(slope, intercept, probability, expected):
    numbers = Calibration(
        (1, 1), 0.5, (), (), (), "sigmoid", 1.0, 0.0, update_slope=slope, update_intercept=intercept
    )
    found = recalibrated(np.array([probability]), numbers)
    assert found == pytest.approx([expected])
    assert numbers.updated == (slope != 1 or intercept != 0)


def test_a_model_is_not_updated_until_somebody_does():
    numbers = Calibration((1, 1), 0.5, (), (), (), "sigmoid", 1.0, 0.0)
    assert (numbers.update_slope, numbers.update_intercept) == (1.0, 0.0)
    assert not numbers.updated


def test_an_update_of_a_sure_probability_is_that_of_one_in_1e9():
    numbers = Calibration((1, 1), 0.5, (), (), (), "sigmoid", 1.0, 0.0, update_slope=0.1)
    odds = 1e9**0.1
    found = recalibrated(np.array([0.0, 1.0]), numbers)
    assert found == pytest.approx([1 / (1 + odds), odds / (1 + odds)], abs=1e-6)


def test_an_update_of_a_sure_probability_stays_finite():
    numbers = Calibration((1, 1), 0.5, (), (), (), "sigmoid", 1.0, 0.0, update_slope=2.0)
    assert ((low := recalibrated(np.array([0.0, 1.0]), numbers)) > 0).all()
    assert low[0] < 1e-12
    assert low[1] > 1 - 1e-12
