"""Clinical features: the time since onset at the landmark."""

import numpy as np
import pytest

from features.blocks.clinical import clinical_dictionary, clinical_features
from features.blocks.landmark import as_known
from features.tables.problems import Problems
from tests import cohorts

MONTH = 30.4375


@pytest.fixture
def read(tmp_path):
    def made(onset: str, more: str = ""):
        (tmp_path / "patients.csv").write_text(
            f"sample_id,onset_days,diagnosis_days,index_date\nP1,{onset},-100,2020-06-30\n"
        )
        (tmp_path / "cohort.yaml").write_text(f"patients: patients.csv\n{more}")
        return cohorts.read(tmp_path / "cohort.yaml", Problems())

    return made


@pytest.mark.parametrize(
    ("onset", "landmark", "months"),
    [
        ("-365", 0, 365 / MONTH),
        ("-365", 90, 455 / MONTH),
        ("-100", 0, 100 / MONTH),
        ("", 0, np.nan),
    ],
)
def test_months_run_from_onset_to_the_landmark(read, onset, landmark, months):
    found = clinical_features(as_known(read(onset), landmark), landmark)
    assert found["months_since_onset"][0] == pytest.approx(months, nan_ok=True)
    logged = found["log_months_since_onset"][0]
    assert logged == pytest.approx(np.log(months + 1), nan_ok=True)


def test_an_onset_known_to_the_year_keeps_its_months(read):
    """Its middle, 1 July: 365 days before the index day less one; the dFS goes (test_dates)."""
    found = clinical_features(read("2019", "partial_dates: middle\n"), 0)
    assert found["months_since_onset"][0] == pytest.approx(364 / MONTH, abs=1.5 / MONTH)


def test_delay_is_from_onset_to_diagnosis(read):
    found = clinical_features(read("-365"), 0)
    assert found["diagnostic_delay_months"][0] == pytest.approx(265 / MONTH)
    assert found["log_diagnostic_delay"][0] == pytest.approx(np.log(265 / MONTH + 1))


def test_the_first_edition_has_no_months():
    first, second = (
        {feature.name for feature in clinical_dictionary(edition)} for edition in (1, 2)
    )
    assert second - first == {"months_since_onset", "log_months_since_onset"}
