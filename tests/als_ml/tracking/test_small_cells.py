"""No table gives a cell of 1 to 4 patients away, alone or by subtraction from what is shown and
from the totals.
"""

import numpy as np
import pytest

from als_ml.tracking.small_cells import hidden_rows, shown_cuts, shown_tables, without_small_rows


def test_the_cell_that_subtraction_gave_back():
    """Ancestry by label: AFR alone was hidden, and 100 - 10 - 79 - 7 told that it was 4."""
    rows = [
        {"level": level, "n": n, "positive": positive, "brier": 0.2}
        for level, n, positive in (
            ("AFR", 20, 4),
            ("EAS", 30, 10),
            ("EUR", 400, 79),
            ("SAS", 25, 7),
        )
    ]
    shown = without_small_rows(rows, ("level",))
    assert [row["n"] for row in shown] == ["not shown", 30, 400, "not shown"]
    assert [row["positive"] for row in shown] == ["not shown", 10, 79, "not shown"]
    assert shown[0]["brier"] is None
    assert shown[1] is rows[1]


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ([(50, 50), (5, 5)], set()),  # five are enough
        ([(50, 50), (4, 50), (30, 30)], {1, 2}),
        ([(50, 50), (50, 4), (30, 30)], {1, 2}),  # the other label counts as well
        ([(50, 50), (0, 50), (30, 30)], set()),  # none is not few
        ([(50, 50), (1, 40), (1, 40)], {0, 1, 2}),  # two of one: their sum is known
        ([(50, 50), (3, 40), (2, 40), (30, 30)], {1, 2}),
        ([(4, 50)], {0}),
        ([], set()),
    ],
)
def test_rows_go_until_their_sum_is_not_small(counts, hidden):
    assert hidden_rows(counts) == hidden


@pytest.mark.parametrize("seed", range(20))
def test_what_is_hidden_together_is_never_small(seed):
    """Random partitions: the totals minus what is shown leave nothing, or five and more of each
    label, of two rows at least.
    """
    rng = np.random.default_rng(seed)
    counts = [(int(a), int(b)) for a, b in rng.integers(0, 25, (6, 2))]
    hidden = hidden_rows(counts)
    for cells in (counts[i] for i in range(6) if i not in hidden):
        assert not any(0 < cell < 5 for cell in cells)
    if hidden and len(hidden) < 6:
        assert len(hidden) > 1
        assert not any(0 < sum(counts[i][k] for i in hidden) < 5 for k in (0, 1))


def test_thresholds_that_differ_by_few():
    """623 of 625 called tell of two; so do two thresholds of which one calls two more."""
    y = np.r_[np.ones(100), np.zeros(525)]
    p = np.r_[
        np.full(1, 0.01), np.full(97, 0.9), np.full(2, 0.52), np.full(1, 0.01), np.full(524, 0.3)
    ]
    assert shown_cuts(y, p, [0.005, 0.05, 0.4, 0.55]) == [True, False, False, False]
    p = np.r_[np.full(20, 0.1), np.full(78, 0.9), np.full(2, 0.52), np.full(525, 0.3)]
    assert shown_cuts(y, p, [0.005, 0.2, 0.4, 0.5, 0.55]) == [True, True, True, True, False]


def test_every_shown_count_of_a_run_can_be_shown(training):
    """From sensitivity and specificity, bins and net benefit: recomputed from the patients, no cell
    is small.
    """
    tables, y, p = shown_tables(training), training.y, training.out_of_fold["model"]
    assert {"not shown"} < {row["called"] for row in tables["thresholds"]}
    for row in tables["thresholds"]:
        if row["sensitivity"] is not None:
            called = p >= row["threshold"]
            hits, alarms = (called & (y == 1)).sum(), (called & (y == 0)).sum()
            cells = (hits, alarms, y.sum() - hits, (1 - y).sum() - alarms)
            assert not any(0 < cell < 5 for cell in cells)
    for row in tables["calibration"]:
        if row["observed"] is not None:
            positives = round(row["observed"] * row["n"])
            assert not any(0 < cell < 5 for cell in (positives, row["n"] - positives))
    for row in tables["decision_curve"]:
        called = p >= row["threshold"]
        if 0 < (called & (y == 1)).sum() < 5:
            assert row["model"] is None
            assert row["gain"] is None


def test_hiding_changes_nothing_in_the_run(training):
    before = str(training.tables)
    shown_tables(training)
    assert str(training.tables) == before
