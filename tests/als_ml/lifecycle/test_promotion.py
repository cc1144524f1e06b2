"""The rule of promotion (contract, section Estimates): both bounds at their limits; checks."""

import pytest

from als_ml.lifecycle.promotion import decide

PASSED = [{"name": "permuted labels", "found": "0.50", "verdict": "passed"}]
FAILED = [{"name": "permuted labels", "found": "0.70", "verdict": "failed"}]
SKIPPED = [{"name": "sites", "found": "one site", "verdict": "not done"}]


def differences(auc=(0.0, 0.0, 0.0), loss=(0.0, 0.0, 0.0)):
    return {"roc_auc": auc, "log_loss": loss}


@pytest.mark.parametrize(
    ("low", "promoted"),
    [
        (-0.021, False),
        (-0.02, False),
        (-0.0199, True),
        (0.0, True),
        (0.3, True),
        (float("nan"), False),
    ],
)
def test_the_lower_bound_of_the_auc_difference(low, promoted):
    found = decide(differences(auc=(0.01, low, 0.05)), PASSED)
    assert found.promoted is promoted
    assert len(found.reasons) == (not promoted)


@pytest.mark.parametrize(
    ("high", "promoted"),
    [(-0.5, True), (0.0099, True), (0.01, False), (0.011, False), (float("nan"), False)],
)
def test_the_upper_bound_of_the_log_loss_difference(high, promoted):
    found = decide(differences(loss=(-0.1, -0.2, high)), PASSED)
    assert found.promoted is promoted
    assert len(found.reasons) == (not promoted)


def test_only_the_bound_that_matters_counts():
    """A worse estimate or a bad other bound refuses nothing by itself."""
    assert decide(differences(auc=(-0.01, -0.015, -0.005)), PASSED).promoted
    assert decide(differences(loss=(0.009, -0.9, 0.0095)), PASSED).promoted
    assert not decide(differences(auc=(0.5, -0.5, 0.6)), PASSED).promoted
    assert not decide(differences(loss=(-0.5, -0.6, 0.5)), PASSED).promoted


@pytest.mark.parametrize(
    ("checks", "promoted", "reasons"),
    [
        (PASSED, True, ()),
        (SKIPPED, True, ()),
        ([], True, ()),
        (None, False, ("its run has no honesty checks",)),
        (FAILED, False, ("honesty check failed: permuted labels (0.70)",)),
        (PASSED + FAILED, False, ("honesty check failed: permuted labels (0.70)",)),
    ],
)
def test_checks(checks, promoted, reasons):
    found = decide(differences(), checks)
    assert (found.promoted, found.reasons) == (promoted, reasons)


def test_every_reason_is_kept_with_its_figures():
    found = decide(differences((-0.1, -0.2, -0.05), (0.3, 0.1, 0.5)), FAILED)
    assert len(found.reasons) == 3
    assert "-0.100" in found.reasons[0]
    assert "-0.200" in found.reasons[0]
    assert "+0.3000" in found.reasons[1]
    assert "+0.5000" in found.reasons[1]
    assert found.figures == {
        "roc_auc_difference": -0.1,
        "roc_auc_difference_low": -0.2,
        "roc_auc_difference_high": -0.05,
        "log_loss_difference": 0.3,
        "log_loss_difference_low": 0.1,
        "log_loss_difference_high": 0.5,
    }
