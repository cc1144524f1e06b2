"""kill -9 on the real thing, three times each; `python -m benchmarks faults` does it a hundred."""

import pytest

from benchmarks import faults


@pytest.mark.slow
@pytest.mark.parametrize("target", ["batch", "training", "endpoint"])
def test_nothing_is_lost_half_written_or_left_behind(target):
    told = faults.run(target, kills=3)
    assert told["killed"] == 3
    assert faults.wrong(told) == {}
