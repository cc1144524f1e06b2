"""The simulated cluster against runs that can be reckoned by hand."""

import numpy as np
import pytest

from benchmarks.scale_model import simulate


@pytest.mark.parametrize(
    ("durations", "cores", "handing", "taking", "seconds", "bottleneck"),
    [
        ([1, 1, 1, 1], 1, 0, 0, 4, "workers"),
        ([1, 1, 1, 1], 2, 0, 0, 2, "workers"),
        ([1, 1, 1, 1], 9, 0, 0, 1, "workers"),
        # A long one comes last: the other worker waits.
        ([1, 1, 4], 2, 0, 0, 5, "workers"),
        ([4, 1, 1], 2, 0, 0, 4, "workers"),
        # One is handed out a second; the last starts at 4 and takes 1.
        ([1, 1, 1, 1], 9, 1, 0, 5, "scheduler"),
        # All arrive at 1 and are taken in one after the other, 2 seconds each.
        ([1, 1, 1, 1], 9, 0, 2, 9, "command"),
    ],
)
def test_a_run_by_hand(durations, cores, handing, taking, seconds, bottleneck):
    run = simulate(np.array(durations, dtype=float), cores, handing, taking)
    assert run.seconds == seconds
    assert run.bottleneck == bottleneck
    assert run.workers == pytest.approx(sum(durations) / (cores * seconds))
