"""Clinical features: the time since onset at the landmark."""

import numpy as np
import pytest

from features.blocks.clinical import clinical_dictionary, clinical_features
from features.blocks.landmark import as_known
from features.tables.problems import Problems
from tests import cohorts
from tests.made import cohort

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


ONE_OF = {
    ("sex", "female"): {"female": 1},
    ("sex", "male"): {"female": 0},
    ("onset_site", "bulbar"): {"onset_bulbar": 1},
    ("onset_site", "upper_limb"): {"onset_limb": 1},
    ("onset_site", "lower_limb"): {"onset_limb": 1},
    ("onset_site", "limb"): {"onset_limb": 1},
    ("onset_site", "respiratory"): {"onset_respiratory": 1},
    ("onset_site", "axial"): {"onset_other": 1},
    ("onset_site", "generalised"): {"onset_other": 1},
    ("el_escorial", "definite"): {"el_escorial_definite": 1},
    ("el_escorial", "probable"): {"el_escorial_definite": 0},
    ("el_escorial", "suspected"): {"el_escorial_definite": 0},
    ("ftd", "yes"): {"ftd": 1},
    ("ftd", "no"): {"ftd": 0},
}
SITES = ("onset_bulbar", "onset_limb", "onset_respiratory", "onset_other")
WORDS = ("female", *SITES, "el_escorial_definite", "ftd")


@pytest.mark.parametrize("cell", list(ONE_OF))
def test_a_word_is_one_column(cell):
    column, value = cell
    found = clinical_features(cohort({column: value}, {}), 0)
    expected = dict.fromkeys(WORDS, np.nan)
    if column == "onset_site":
        expected |= dict.fromkeys(SITES, 0)  # one site is not another
    expected |= ONE_OF[cell]
    assert {name: found[name][0] for name in WORDS} == pytest.approx(expected, nan_ok=True)
    assert all(np.isnan(found[name][1]) for name in WORDS)


@pytest.mark.parametrize(
    ("state", "cells", "on"),
    [
        ("riluzole", {"riluzole_start_days": -10}, 1),
        ("riluzole", {"riluzole_start_days": -10, "riluzole_stop_days": -1}, 0),
        ("riluzole", {"riluzole_stop_days": -1}, 0),
        ("riluzole", {"riluzole": "yes"}, 0),  # undated: nobody knows since when
        ("edaravone", {"edaravone_start_days": 0}, 1),
        ("edaravone", {"edaravone_start_days": 0, "edaravone_stop_days": 0}, 0),
        ("edaravone", {"riluzole_start_days": 0}, 0),
        ("gastrostomy", {"gastrostomy_days": -5}, 1),
        ("gastrostomy", {}, 0),
        ("niv", {"niv_start_days": -5}, 1),
        ("niv", {"gastrostomy_days": -5}, 0),
    ],
)
def test_what_is_in_place(state, cells, on):
    assert clinical_features(cohort(cells), 0)[f"on_{state}"].tolist() == [on]


@pytest.mark.parametrize(
    ("onset", "landmark", "months"),
    [(-1, 0, 1 / MONTH), (0, 0, 0), (0, 90, 90 / MONTH), (0, -1, np.nan), (-30, -30, 0)],
)
def test_a_landmark_before_the_onset_has_no_months(onset, landmark, months):
    found = clinical_features(cohort({"onset_days": onset}), landmark)
    assert found["months_since_onset"].tolist() == pytest.approx([months], nan_ok=True)
    assert found["log_months_since_onset"].tolist() == pytest.approx(
        [np.log(months + 1)], nan_ok=True
    )


@pytest.mark.parametrize(
    ("cells", "age"),
    [
        ({"age_at_onset": 60, "onset_days": -1461}, 64),  # four years have 1461 days
        ({"age_at_onset": 60, "onset_days": -36525}, 160),
        ({"age_at_onset": 60, "onset_days": 0}, 60),
        ({"age_at_onset": 60}, np.nan),
        ({"onset_days": -1461}, np.nan),
    ],
)
def test_age_at_index(cells, age):
    found = clinical_features(cohort(cells), 0)
    assert found["age_at_index"].tolist() == pytest.approx([age], nan_ok=True, abs=1e-9)
    stated = cells.get("age_at_onset", np.nan)
    assert found["age_at_onset"].tolist() == pytest.approx([stated], nan_ok=True)


def test_every_column_is_described():
    for edition, without in ((1, {"months_since_onset", "log_months_since_onset"}), (2, set())):
        named = [feature.name for feature in clinical_dictionary(edition)]
        assert set(named) == set(clinical_features(cohort(), 0)) - without
        assert len(set(named)) == len(named)
