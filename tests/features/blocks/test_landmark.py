"""What is known on the landmark: each dated column, value and visit a day before, on and after.

Expected roles are those of the contract, section Tables: starts and stops are features only as
state at the landmark, outcomes and censoring never are.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.blocks.clinical import clinical_features
from features.blocks.landmark import as_known, known_visits, on_tofersen
from features.catalogue import patient_columns, shipped
from features.tables.columns import Table
from tests.made import cohort

LANDMARK = 90
STATES = [
    "onset_days",
    "diagnosis_days",
    "family_history_days",
    *(f"{d}_{e}_days" for d in ("riluzole", "edaravone", "trial_drug") for e in ("start", "stop")),
    "tofersen_start_days",
    "tofersen_stop_days",
    "gastrostomy_days",
    "niv_start_days",
]
OUTCOMES = ["niv_23h_days", "tracheostomy_days", "death_days", "last_contact_days"]
NEVER = {
    "genetic_test_reason": "research",
    "riluzole": "yes",
    "edaravone": "yes",
    "tofersen": "yes",
    "trial_drug": "yes",
}


def known(landmark: float = LANDMARK, **cells):
    return as_known(cohort(cells), landmark).patients.iloc[0]


def test_every_dated_column_is_in_the_table_of_cases():
    table = patient_columns(shipped())
    assert set(table.index[table["type"] == "days"]) == {*STATES, *OUTCOMES}
    assert set(table.index[table["role"] == "never"]) == set(NEVER)


@pytest.mark.parametrize("column", STATES)
@pytest.mark.parametrize("after", [-1, 0, 1])
def test_a_date_up_to_the_landmark_is_known(column, after):
    # Onset and diagnosis are never after the index day, so their landmark is before it.
    landmark = -30 if column in ("onset_days", "diagnosis_days") else LANDMARK
    day = landmark + after
    expected = day if after <= 0 else np.nan
    assert known(landmark, **{column: day})[column] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(known(landmark)[column])


@pytest.mark.parametrize("column", OUTCOMES)
@pytest.mark.parametrize("after", [-1000, -1, 0, 1])
def test_an_outcome_is_never_known(column, after):
    assert np.isnan(known(**{column: LANDMARK + after})[column])


@pytest.mark.parametrize("column", list(NEVER))
def test_what_is_never_a_feature_is_emptied(column):
    assert known(**{column: NEVER[column]})[column] is None


def test_what_has_no_date_stays():
    own = known(sex="female", age_at_onset=61, onset_site="bulbar", c9orf72_allele2=8, ftd="no")
    assert (own["sex"], own["age_at_onset"], own["onset_site"]) == ("female", 61, "bulbar")
    assert (own["c9orf72_allele2"], own["ftd"], own["sample_id"]) == (8, "no", "P0")


def test_a_later_start_and_none_look_alike():
    later, none = known(gastrostomy_days=LANDMARK + 1), known()
    assert later.astype(str).equals(none.astype(str))


def test_patients_do_not_influence_each_other():
    made = cohort({"niv_start_days": 91}, {"niv_start_days": 90}, {"gastrostomy_days": 91})
    own = as_known(made, LANDMARK).patients
    assert own["niv_start_days"].tolist() == pytest.approx([np.nan, 90, np.nan], nan_ok=True)
    assert own["gastrostomy_days"].isna().all()
    assert made.patients["niv_start_days"].tolist()[:2] == [91, 90]  # the cohort itself stays


@pytest.mark.parametrize(
    ("start", "stop", "on"),
    [
        (89, None, 1),
        (90, None, 1),
        (91, None, 0),
        (None, None, 0),
        (10, 89, 0),
        (10, 90, 0),
        (10, 91, 1),  # it is still given on the landmark
        (91, 95, 0),
    ],
)
@pytest.mark.parametrize("drug", ["riluzole", "edaravone"])
def test_a_drug_is_a_state_at_the_landmark(drug, start, stop, on):
    cells = {f"{drug}_start_days": start, f"{drug}_stop_days": stop}
    made = as_known(cohort({k: v for k, v in cells.items() if v is not None}), LANDMARK)
    assert clinical_features(made, LANDMARK)[f"on_{drug}"].tolist() == [on]


@pytest.mark.parametrize(
    ("day", "start", "kept"),
    [
        (89, None, True),
        (90, None, True),
        (91, None, False),
        (np.nan, None, False),  # undated: nobody knows when
        # Tofersen lowers NfL: its own day counts as treated.
        (49, 50, True),
        (50, 50, False),
        (51, 50, False),
        (50, 200, True),
    ],
)
def test_a_biomarker_counts_up_to_the_landmark_and_before_tofersen(day, start, kept):
    cells = {} if start is None else {"tofersen_start_days": start}
    made = cohort(cells, biomarkers=[(0, "nfl_serum", 20.0, day)])
    assert len(as_known(made, LANDMARK).biomarkers) == kept
    treated = start is not None and day >= start
    assert on_tofersen(made).tolist() == [treated]


def test_tofersen_of_one_patient_does_not_treat_another():
    rows = [(0, "nfl_serum", 20.0, 60), (1, "nfl_serum", 21.0, 60), (-1, "nfl_serum", 22.0, 60)]
    made = cohort({"tofersen_start_days": 50}, {}, biomarkers=rows)
    assert on_tofersen(made).tolist() == [True, False, False]
    assert as_known(made, LANDMARK).biomarkers["value"].tolist() == [21.0, 22.0]


@pytest.mark.parametrize(("day", "kept"), [(-400, True), (89, True), (90, True), (91, False)])
def test_a_visit_counts_up_to_the_landmark(day, kept):
    made = cohort(visits=[{"days": day, "total": 40}, {"days": 500, "total": 20}])
    for seen in (as_known(made, LANDMARK).alsfrs, known_visits(made, LANDMARK)):
        assert seen["total"].tolist() == ([40] if kept else [])


def test_a_visit_without_a_day_is_left_out():
    made = cohort(visits=[{"days": 10, "total": 40}])
    undated = made.alsfrs.assign(days=np.nan)
    assert known_visits(replace(made, alsfrs=undated), LANDMARK).empty


def test_a_request_is_cut_like_a_file():
    cells = {"tofersen": "yes", "niv_start_days": 91, "riluzole_start_days": 90, "death_days": 500}
    rows = [(0, "nfl_serum", 20.0, 60), (0, "nfl_serum", 21.0, 91)]
    made = cohort(cells, {}, biomarkers=rows, visits=[{"days": 91, "total": 40}])
    tables = {
        name: Table({c: getattr(made, name)[c].to_numpy() for c in getattr(made, name).columns})
        for name in ("patients", "biomarkers", "alsfrs")
    }
    of_file, of_request = (as_known(one, LANDMARK) for one in (made, replace(made, **tables)))
    for name in tables:
        kept, table = getattr(of_file, name), getattr(of_request, name)
        assert list(kept.columns) == list(table.columns)
        for column in kept.columns:
            assert repr(kept[column].to_numpy().tolist()) == repr(table[column].to_numpy().tolist())


def test_a_cohort_without_later_dates_is_not_copied():
    made = cohort({"sex": "male"})
    assert as_known(made, LANDMARK).patients is made.patients
    assert isinstance(made.patients, pd.DataFrame)
