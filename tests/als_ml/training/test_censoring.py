"""What censoring does to the figures, by simulation (`python -m benchmarks censoring`): where it
depends on prognosis plain weights are biased, and weights by a model of censoring are not, as far
as the model knows the prognosis.
"""

import pytest

from benchmarks.censoring import bias

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    return bias(12, 400)


def test_without_censoring_nothing_is_biased(found):
    assert all(
        abs(m) < 1e-9
        for name, (m, _) in found["none"].items()
        if "fails" not in name and "1.6" not in name
    )


def test_weights_hold_where_censoring_is_independent(found):
    independent = found["independent"]
    assert independent["lost"][0] == pytest.approx(0.4, abs=0.02)
    for name in ("Uno's c", "AUC, IPCW", "Brier, IPCW", "O/E, Kaplan-Meier"):
        mean, error = independent[name]
        assert abs(mean) < 3 * error + 0.005, name
    assert independent["O/E, known states"][0] > 0.1  # what leaving out the lost does


def test_a_model_of_censoring_mends_what_the_prognosis_explains(found):
    by_risk, hidden = found["by the known risk"], found["by what nobody knows"]
    assert by_risk["AUC, IPCW"][0] > 0.03
    assert abs(by_risk["AUC, IPCW by risk"][0]) < 0.02
    assert by_risk["O/E, Kaplan-Meier"][0] < -0.04
    assert abs(by_risk["O/E, IPCW by risk"][0]) < 0.04
    assert hidden["O/E, IPCW by risk"][0] < -0.05  # nothing known helps


def test_a_hazard_off_by_1_6_fails_d_calibration_under_every_censoring(found):
    for kind, figures in found.items():
        assert figures["D-calibration fails"][0] <= 0.1, kind
        assert figures["... hazard x 1.6"][0] >= 0.5, kind
