"""`als-ml doctor`: what is wrong with an installation is said, with what to do."""

import pytest

from als_ml import health
from als_ml.__main__ import main as als_ml
from als_ml.health import disk_finding, examine


def verdicts(self_test: bool = False) -> dict[str, str]:
    return {one.what: one.verdict for one in examine(self_test)}


def test_a_sound_installation(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    found = verdicts()
    assert set(found.values()) <= {"good", "look"}
    assert {"als-ml", "Python", "pysam", "bcftools", "MLflow store", "this folder"} <= set(found)
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("free", "verdict"), [(0.0, "bad"), (0.49, "bad"), (0.5, "look"), (4.99, "look"), (5.0, "good")]
)
def test_free_space(free, verdict):
    assert disk_finding("disk", free).verdict == verdict


def test_what_is_missing_is_bad_and_ends_with_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(health, "_PACKAGES", ("numpy", "no-such-package"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://nobody:secret@127.0.0.1:9/none")
    assert als_ml(["doctor", "--fast"]) == 1
    shown = capsys.readouterr().out
    assert "not installed" in shown
    assert "secret" not in shown
    found = verdicts()
    assert found["no-such-package"] == found["MLflow store"] == "bad"


def test_a_folder_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr(health.os, "access", lambda *_: False)
    assert verdicts()["this folder"] == "bad"


def test_a_job_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(health, "_small_job", lambda: 1 / 0)
    last = list(examine())[-1]
    assert (last.what, last.verdict) == ("self-test", "bad")
    assert last.found == "ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_the_small_job(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    last = list(examine())[-1]
    assert (last.what, last.verdict) == ("self-test", "good")
