"""The progression label by hand-made visits."""

import numpy as np
import pytest

from features.alsfrs.slopes import DAYS_PER_MONTH
from models.labels import BRANCHES, SlopeRule, progression

INF = np.inf


def label(days, totals, event=INF, lost=INF, treated=INF, rule=None):
    n = len(days)
    arrays = np.zeros(n, dtype=int), np.array(days, dtype=float), np.array(totals, dtype=float)
    found = progression(
        *arrays, np.array([event]), np.array([lost]), np.array([treated]), rule or SlopeRule()
    )
    return BRANCHES[found.branch[0]], found.label[0]


@pytest.mark.parametrize(
    ("case", "branch"),
    [
        ({"days": [100, 200, 300], "totals": [40, 36, 32]}, "fast_by_slope"),
        ({"days": [100, 200, 300], "totals": [40, 39, 38]}, "slow_by_slope"),
        ({"days": [100, 200], "totals": [40, 30]}, "unlabelled"),  # two visits say too little
        ({"days": [100, 150, 200], "totals": [40, 30, 20]}, "unlabelled"),  # span under 180 days
        (
            {"days": [90, 200, 300], "totals": [40, 36, 32]},
            "unlabelled",
        ),  # day 90 belongs to the features
        (
            {"days": [100, 200, 456], "totals": [40, 36, 32]},
            "unlabelled",
        ),  # day 456 is after the window
        ({"days": [100, 200, 455], "totals": [40, 36, 20]}, "fast_by_slope"),
        (
            {"days": [100, 200, 300], "totals": [40, np.nan, 32]},
            "unlabelled",
        ),  # a missing total is no visit
        ({"days": [100], "totals": [40], "event": 200}, "fast_by_event"),
        ({"days": [100], "totals": [40], "event": 456}, "unlabelled"),
        (
            {"days": [100, 200, 300], "totals": [40, 39, 38], "event": 320},
            "slow_by_slope",
        ),  # the slope comes first
        ({"days": [100, 200, 300], "totals": [40, 36, 32], "event": 90}, "excluded"),
        ({"days": [100, 200, 300], "totals": [40, 36, 32], "lost": 90}, "excluded"),
        (
            {"days": [100, 200, 300], "totals": [40, 36, 32], "treated": 250},
            "unlabelled",
        ),  # visits on tofersen do not count
    ],
)
def test_branch(case, branch):
    found, value = label(**case)
    assert found == branch
    assert {"fast": 1.0, "slow": 0.0}.get(branch[:4], value) == pytest.approx(value, nan_ok=True)


def test_cut_off_is_inclusive_and_unrounded():
    month = DAYS_PER_MONTH
    exactly_one = [48 - d / month for d in (100, 200, 300)]
    assert (
        label([100, 200, 300], exactly_one, rule=SlopeRule(cutoffs=(1.0 - 1e-9,)))[0]
        == "fast_by_slope"
    )
    assert (
        label([100, 200, 300], exactly_one, rule=SlopeRule(cutoffs=(1.0 + 1e-6,)))[0]
        == "slow_by_slope"
    )


def test_patients_do_not_influence_each_other():
    rng = np.random.default_rng(0)
    row, days, total = (
        rng.integers(0, 20, 200),
        rng.integers(91, 450, 200).astype(float),
        rng.uniform(10, 48, 200),
    )
    none = np.full(20, INF)
    together = progression(row, days, total, none, none, none, SlopeRule())
    for i in range(20):
        own = row == i
        alone = progression(
            np.zeros(own.sum(), dtype=int),
            days[own],
            total[own],
            none[:1],
            none[:1],
            none[:1],
            SlopeRule(),
        )
        assert np.array_equal(alone.slope, together.slope[i : i + 1], equal_nan=True)
