"""King's and MiToS stages: each item at the points on both sides of its rule, and unknown.

King's: Balendra 2015, a region is involved below full points, stage 4 is nutritional or respiratory
failure. MiToS: Chio 2015, a domain is lost at 1 point or less (2 for ventilation).
"""

import numpy as np
import pytest

from features.alsfrs.stages import kings_stage, mitos_stage

FULL = {f"q{i}": 4.0 for i in range(1, 13)}
UNKNOWN = dict.fromkeys(FULL, np.nan)


def arrays(items: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: np.array([points]) for name, points in items.items()}


def kings(fed: bool = False, like=FULL, **items: float) -> float:
    return kings_stage(arrays(like | items), np.array([fed]))[0]


def mitos(like=FULL, **items: float) -> float:
    return mitos_stage(arrays(like | items))[0]


def approx(value: float):
    return pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("items", "stage"),
    [
        ({}, 1),  # symptoms elsewhere only
        ({"q6": 0, "q7": 0, "q9": 0, "q11": 0}, 1),  # trunk, stairs, orthopnoea are no region
        ({"q1": 3}, 1),
        ({"q1": 3, "q4": 3}, 2),
        ({"q2": 3, "q5": 3}, 2),
        ({"q3": 3, "q8": 3}, 2),
        ({"q4": 3, "q5": 0}, 1),  # one region, whichever item
        ({"q1": 0, "q2": 0, "q3": 0}, 1),
        ({"q1": 3, "q4": 3, "q8": 3}, 3),
        ({"q10": 1}, 1),
        ({"q10": 0}, 4),
        ({"q12": 3}, 4),
        ({"q12": 4}, 1),
        ({"q1": 3, "q4": 3, "q8": 3, "q12": 3}, 4),
    ],
)
def test_kings(items, stage):
    assert kings(**items) == stage
    assert kings(fed=True, **items) == 4


@pytest.mark.parametrize("item", ["q1", "q2", "q3", "q4", "q5", "q8", "q10", "q12"])
def test_kings_needs_its_items(item):
    assert np.isnan(kings(**{item: np.nan}))
    assert kings(fed=True, **{item: np.nan}) == 4


@pytest.mark.parametrize("item", ["q6", "q7", "q9", "q11"])
def test_kings_does_not_need_the_others(item):
    assert kings(**{item: np.nan}) == 1


@pytest.mark.parametrize("decisive", [{"q10": 0}, {"q12": 3}])
def test_kings_4_is_decided_by_one_item(decisive):
    assert kings(like=UNKNOWN, **decisive) == 4


@pytest.mark.parametrize(
    ("items", "stage"),
    [
        ({}, 0),
        # Moving: walking or dressing.
        ({"q8": 2}, 0),
        ({"q8": 1}, 1),
        ({"q6": 2}, 0),
        ({"q6": 1}, 1),
        ({"q6": 0, "q8": 0}, 1),
        # Swallowing.
        ({"q3": 2}, 0),
        ({"q3": 1}, 1),
        # Communicating: speech and writing.
        ({"q1": 1}, 0),
        ({"q4": 1}, 0),
        ({"q1": 1, "q4": 1}, 1),
        ({"q1": 2, "q4": 1}, 0),
        ({"q1": 1, "q4": 2}, 0),
        # Breathing: dyspnoea or ventilation.
        ({"q10": 2}, 0),
        ({"q10": 1}, 1),
        ({"q12": 3}, 0),
        ({"q12": 2}, 1),
        ({"q8": 1, "q3": 1}, 2),
        ({"q8": 1, "q3": 1, "q12": 0}, 3),
        (dict.fromkeys(FULL, 0), 4),
    ],
)
def test_mitos(items, stage):
    assert mitos(**items) == stage


@pytest.mark.parametrize(
    ("items", "stage"),
    [
        ({"q8": np.nan}, np.nan),
        ({"q8": np.nan, "q6": 1}, 1),  # the other item decides
        ({"q6": np.nan, "q8": 1}, 1),
        ({"q3": np.nan}, np.nan),
        ({"q1": np.nan}, 0),  # writing is there, so communicating is not lost
        ({"q4": np.nan}, 0),
        ({"q1": np.nan, "q4": 1}, np.nan),
        ({"q1": 1, "q4": np.nan}, np.nan),
        ({"q10": np.nan}, np.nan),
        ({"q12": np.nan}, np.nan),
        ({"q10": np.nan, "q12": 2}, 1),
        ({"q12": np.nan, "q10": 1}, 1),
        ({"q2": np.nan, "q5": np.nan, "q7": np.nan, "q9": np.nan, "q11": np.nan}, 0),
    ],
)
def test_mitos_with_unknown_items(items, stage):
    assert mitos(**items) == approx(stage)


def test_visits_do_not_influence_each_other():
    items = {name: np.array([4.0, np.nan, 0.0]) for name in FULL}
    fed = np.array([False, False, False])
    assert kings_stage(items, fed) == approx([1, np.nan, 4])
    assert mitos_stage(items) == approx([0, np.nan, 4])
