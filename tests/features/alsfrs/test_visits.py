"""The table of visits: each check at, below and above its limit, and what is not stated."""

import numpy as np
import pandas as pd
import pytest

from features.alsfrs.visits import after_visits, checked_visits, no_visits, of_scale
from features.catalogue import shipped
from features.errors import DataError
from features.tables.columns import Table
from features.tables.problems import Problems
from tests.made import as_read, patients

FULL = {f"q{i}": 4 for i in range(1, 13)}
ORIGINAL = {f"q{i}": 4 for i in range(1, 10)} | {"q10_alsfrs": 4, "scale": "alsfrs"}


def checked(*visits: dict, of=({},)) -> tuple[pd.DataFrame, list[tuple[str, str, int]]]:
    """The visits and what was said of them: severity, column, how many."""
    problems = Problems(collect=True)
    stated = as_read([{"sample_id": "P0", "days": 0, **visit} for visit in visits])
    table = patients(*of)
    rows = {name: i for i, name in enumerate(table["sample_id"])}
    found = checked_visits(shipped(), stated, rows, table, "v", problems)
    said = [(p.severity, p.where.split()[-1].rstrip(","), p.count) for p in problems.found]
    return found, [(severity, where, count) for severity, where, count in said]


def errors(*visits: dict, of=({},)) -> list[str]:
    """Columns with an error."""
    problems = Problems(collect=True)
    stated = as_read([{"sample_id": "P0", "days": 0, **visit} for visit in visits])
    table = patients(*of)
    rows = {name: i for i, name in enumerate(table["sample_id"])}
    checked_visits(shipped(), stated, rows, table, "v", problems)
    wrong = [p.where for p in problems.found if p.severity == "error"]
    assert all(where.startswith("v, column ") for where in wrong)
    return sorted({where.split("column ")[1].split(",")[0] for where in wrong})


def asked(*visits: dict) -> list[str]:
    """What was only asked or noted."""
    problems = Problems(collect=True)
    stated = as_read([{"sample_id": "P0", "days": 0, **visit} for visit in visits])
    checked_visits(shipped(), stated, {"P0": 0}, patients({}), "v", problems)
    return [f"{p.severity} {p.found}" for p in problems.found if p.severity != "error"]


def totals(*visits: dict) -> list[float]:
    return checked(*visits)[0]["total"].tolist()


@pytest.mark.parametrize("item", [*FULL, "q10_alsfrs"])
@pytest.mark.parametrize(
    ("points", "wrong"),
    [(-1, True), (0, False), (3, False), (3.5, True), (4, False), (4.5, True), (5, True)],
)
def test_an_item_has_whole_points_from_0_to_4(item, points, wrong):
    assert errors({item: points}) == ([item] if wrong else [])


@pytest.mark.parametrize(("total", "wrong"), [(-1, True), (0, False), (48, False), (49, True)])
def test_a_total_is_from_0_to_48(total, wrong):
    assert errors({"total": total}) == (["total"] if wrong else [])


@pytest.mark.parametrize(
    ("visit", "total"),
    [
        (FULL, 48),
        (FULL | {"q1": 1, "q12": 0}, 41),
        (FULL | {"total": 48}, 48),
        ({"total": 40}, 40),  # without any item the total stands alone
        (FULL | {"q7": np.nan}, np.nan),  # a missing item is never 0
        (FULL | {"q7": np.nan, "total": 47}, np.nan),
        ({"q1": 4, "total": 40}, np.nan),
        (ORIGINAL, 40),
        (ORIGINAL | {"q10_alsfrs": 1}, 37),
        ({**FULL, "scale": "alsfrs", "q10_alsfrs": 2}, 38),  # its own tenth item, not the others
        ({**ORIGINAL, "scale": "alsfrs_r"}, np.nan),
        ({"scale": "alsfrs", "total": 33}, 33),
        ({"scale": "alsfrs_r", "total": 33}, 33),
    ],
)
def test_a_total_comes_from_the_items(visit, total):
    assert totals(visit) == pytest.approx([total], nan_ok=True)


@pytest.mark.parametrize("stated", [47, 48, 49 - 0.5])
def test_a_stated_total_is_the_sum_of_the_items(stated):
    assert errors(FULL | {"total": stated}) == ([] if stated == 48 else ["total"])


def test_each_visit_has_its_own_total():
    visits = [FULL, {"days": 1, "total": 33}, FULL | {"days": 2, "q1": 0}, ORIGINAL | {"days": 3}]
    assert totals(*visits) == [48, 33, 44, 40]


def test_a_scale_that_is_not_stated_is_the_revised_one():
    found, _ = checked({"total": 30}, {"days": 1, "total": 30, "scale": "alsfrs"})
    assert found["scale"].tolist() == ["alsfrs_r", "alsfrs"]
    assert errors({"scale": "norris"}) == ["scale"]
    in_words, _ = checked({"total": 30, "scale": "original", "q5_form": "with gastrostomy"})
    assert in_words[["scale", "q5_form"]].to_numpy().tolist() == [["alsfrs", "b"]]
    assert errors({"q5_form": "c"}) == ["q5_form"]


@pytest.mark.parametrize(
    ("visit", "points", "form"),
    [
        (FULL | {"q5": 3}, 3, None),
        (FULL | {"q5": 3, "q5_form": "b"}, 3, "b"),
        (FULL | {"q5": 3, "q5_form": "a"}, 3, "a"),
        (FULL | {"q5": 3, "q5_form": "b", "q5b": 3}, 3, "b"),
        (FULL | {"q5": np.nan, "q5a": 2}, 2, "a"),
        (FULL | {"q5": np.nan, "q5b": 2}, 2, "b"),
        (FULL | {"q5": np.nan, "q5a": np.nan, "q5b": 1}, 1, "b"),
        (FULL | {"q5": 3, "q5b": 3}, 3, None),  # q5 itself comes first
        (FULL | {"q5": np.nan, "q5a": np.nan}, np.nan, None),
    ],
)
def test_cutting_has_one_form(visit, points, form):
    found, said = checked(visit)
    assert not [severity for severity, *_ in said if severity == "error"]
    assert found["q5"].tolist() == pytest.approx([points], nan_ok=True)
    assert (found["q5_form"].tolist()[0] or None) == form


@pytest.mark.parametrize(
    "visit",
    [
        FULL | {"q5": 3, "q5b": 2},
        FULL | {"q5": 3, "q5a": 4},
        FULL | {"q5": np.nan, "q5a": 3, "q5b": 2},
    ],
)
def test_two_forms_that_differ(visit):
    assert [name for name in errors(visit) if name.startswith("q5")]


@pytest.mark.parametrize(
    ("death", "wrong"), [(99, True), (100, False), (101, False), (None, False)]
)
def test_no_visit_after_death(death, wrong):
    of = ({} if death is None else {"death_days": death},)
    assert errors({"days": 100, "total": 40}, of=of) == (["days"] if wrong else [])


def test_the_death_of_another_does_not_count():
    visit = {"sample_id": "P1", "days": 100, "total": 40}
    assert errors(visit, of=({"death_days": 50}, {})) == []
    assert errors(visit, of=({}, {"death_days": 50})) == ["days"]


@pytest.mark.parametrize(
    ("first", "second", "kept", "wrong"),
    [
        (FULL, FULL, 1, []),
        ({"total": 40}, {"total": 40}, 1, []),
        (FULL, FULL | {"q1": 3}, 1, ["days"]),
        ({"total": 40}, {"total": 39}, 1, ["days"]),
        (FULL, FULL | {"days": 1}, 2, []),
        (FULL, ORIGINAL, 2, []),  # both scales may be asked on one day
    ],
)
def test_one_row_a_day(first, second, kept, wrong):
    assert errors(first, second) == wrong
    assert len(checked(first, second)[0]) == kept


def test_equal_duplicates_are_merged_and_counted():
    problems = Problems(collect=True)
    stated = as_read([{"sample_id": "P0", "days": 7, "total": 40}] * 2)
    found = checked_visits(shipped(), stated, {"P0": 0}, patients({}), "v", problems)
    assert len(found) == 1
    (note,) = problems.found
    assert (note.severity, note.count) == ("note", 1)
    assert note.found.startswith("1 rows")


@pytest.mark.parametrize(("rise", "questioned"), [(-30, False), (0, False), (4, False), (5, True)])
def test_a_rise_of_more_than_4(rise, questioned):
    visits = {"days": 0, "total": 40 - max(rise, 0)}, {"days": 60, "total": 40 + min(rise, 0)}
    assert [text for text in asked(*visits) if "rises by more than 4" in text] == (
        [text for text in asked(*visits) if text.startswith("warning")] if questioned else []
    )
    assert bool([text for text in asked(*visits) if "rises" in text]) == questioned


def test_a_rise_is_shown_in_whole_points():
    (said,) = asked({"days": 0, "total": 30}, {"days": 60, "total": 46})
    assert said == "warning '46' rises by more than 4"


VENTILATED = "says ventilated day and night, of a patient with no date of it and none of death"


@pytest.mark.parametrize(
    ("points", "dates", "counted"),
    [
        (0, {}, 1),
        (1, {}, 1),
        (2, {}, 0),  # BiPAP by night alone
        (None, {}, 0),
        # Any of the three dates is one of the event, wherever it lies; that of NIV is not.
        (1, {"niv_23h_days": 0}, 0),
        (1, {"tracheostomy_days": -9}, 0),
        (1, {"death_days": 900}, 0),
        (1, {"niv_start_days": 0, "last_contact_days": 900}, 1),
    ],
)
def test_ventilation_by_a_visit_without_any_date(points, dates, counted):
    found, said = checked({"q12": points}, of=(dates,))
    assert said == [("warning", "2", 1)] * counted
    assert len(found) == 1


def test_who_is_ventilated_is_counted_once_at_the_first_visit():
    problems = Problems(collect=True)
    visits = [
        ("P0", 60, 0),
        ("P0", 30, 1),  # the first by its day, line 3
        ("P0", 0, 2),
        ("P1", None, 0),  # without a day a visit is left out
        ("P2", 0, 1),
        ("P3", 0, 0),  # has died
        ("nobody", 0, 0),
    ]
    stated = as_read(
        [dict(zip(("sample_id", "days", "q12"), each, strict=True)) for each in visits]
    )
    of = patients({}, {}, {}, {"death_days": 90})
    rows = {f"P{i}": i for i in range(4)}
    checked_visits(shipped(), stated, rows, of, "v", problems)
    (warning,) = [one for one in problems.found if VENTILATED in one.found]
    assert (warning.where, warning.count) == ("v, column q12, line 3 and 1 more", 2)
    assert (warning.severity, warning.code) == ("warning", "row_contradiction")
    assert warning.found.startswith("'1' says")
    assert "niv_23h_days" in warning.remedy
    assert "tracheostomy_days" in warning.remedy


def test_a_rise_is_of_one_patient_and_one_scale():
    scales = {"days": 0, "total": 20}, {"days": 60, "total": 40, "scale": "alsfrs"}
    assert not [text for text in asked(*scales) if "rises" in text]
    table = as_read([{"sample_id": f"P{i}", "days": i, "total": 20 + 20 * i} for i in (0, 1)])
    problems = Problems(collect=True)
    checked_visits(shipped(), table, {"P0": 0, "P1": 1}, patients({}, {}), "v", problems)
    assert problems.found == []


@pytest.mark.parametrize(
    ("visits", "questioned"),
    [
        # A visit on the other scale, or without a total, between two hides nothing.
        ([(0, 20, "alsfrs_r"), (30, 20, "alsfrs"), (60, 30, "alsfrs_r")], True),
        ([(0, 20, "alsfrs_r"), (30, np.nan, "alsfrs_r"), (60, 30, "alsfrs_r")], True),
        ([(0, 20, "alsfrs"), (60, 30, "alsfrs")], True),
        # Both scales at both visits: each is asked for itself.
        (
            [
                (0, 40, "alsfrs_r"),
                (0, 20, "alsfrs"),
                (60, 39, "alsfrs_r"),
                (60, 30, "alsfrs"),
            ],
            True,
        ),
        ([(60, 30, "alsfrs_r"), (0, 20, "alsfrs_r")], True),  # in any order
        ([(0, 30, "alsfrs_r"), (30, 29, "alsfrs_r"), (60, 33, "alsfrs_r")], False),
    ],
)
def test_a_rise_is_from_the_visit_before(visits, questioned):
    rows = [{"days": day, "total": total, "scale": scale} for day, total, scale in visits]
    assert bool([text for text in asked(*rows) if "rises" in text]) == questioned


def test_two_patients_may_be_seen_on_one_day():
    table = as_read([{"sample_id": f"P{i}", "days": 5, "total": 20 + i} for i in (0, 1)])
    problems = Problems(collect=True)
    found = checked_visits(shipped(), table, {"P0": 0, "P1": 1}, patients({}, {}), "v", problems)
    assert problems.found == []
    assert found["total"].tolist() == [20, 21]


def test_what_repeats_exactly_is_counted_apart_from_what_differs():
    problems = Problems(collect=True)
    rows = [(0, 40), (0, 40), (60, 39), (60, 38), (90, 37)]
    table = as_read([{"sample_id": "P0", "days": day, "total": total} for day, total in rows])
    checked_visits(shipped(), table, {"P0": 0}, patients({}), "v", problems)
    counts = {problem.severity: problem.count for problem in problems.found}
    assert counts == {"error": 2, "note": 1}


@pytest.mark.parametrize(("day", "wrong"), [(110, False), (120, False), (121, True)])
def test_a_death_known_to_the_month_is_at_its_end_at_the_latest(day, wrong):
    of = ({"death_days": 105, "uncertain_dates": "death_days 91..120"},)
    assert errors({"days": day, "total": 40}, of=of) == (["days"] if wrong else [])


def test_a_day_may_be_a_date():
    table = pd.DataFrame({"sample_id": ["P0"], "days": ["2020-01-31"], "total": [40.0]})
    of = patients({"index_date": "2020-01-01"})
    found = checked_visits(shipped(), table, {"P0": 0}, of, "v", Problems())
    assert found["days"].tolist() == [30]


def test_a_request_is_checked_like_a_file():
    seen = Table({"sample_id": np.array(["P0"], dtype=object), "days": np.array([3.0]),
                  "total": np.array([40.0])})  # fmt: skip
    found = checked_visits(shipped(), seen, {"P0": 0}, patients({}), "v", Problems())
    assert isinstance(found, Table)
    assert isinstance(no_visits(seen), Table)
    assert list(no_visits(seen).columns) == list(found.columns)
    assert {no_visits()[name].dtype for name in ("scale", "q5_form")} == {np.dtype(object)}


def test_a_table_without_rows():
    table = pd.DataFrame({"sample_id": np.empty(0, dtype=object), "days": np.empty(0)})
    problems = Problems()
    found = checked_visits(shipped(), table, {"P0": 0}, patients({}), "v", problems)
    assert len(found) == len(problems.found) == 0


def course(*totals: float, step: int) -> list[dict]:
    return [{"days": step * i, "total": total} for i, total in enumerate(totals)]


# 10 points a month over 60.875 days are 20 points.
@pytest.mark.parametrize(
    ("visits", "questioned"),
    [
        (course(46, 36, 26.0, step=30), True),  # 10.1 a month
        (course(46, 36, 26, step=31), False),  # 9.8
        (course(46, 26, step=31), False),  # two visits say too little
        (course(40, 39, 38, step=24), True),  # nobody is followed for 49 days
        (course(40, 39, 38, step=25), False),
        (course(40, 39, step=24), False),
        ([{"days": 0, "total": 40}, {"days": 9, "total": 40}, {"days": 48, "total": 40}], True),
        ([{"days": 0, "total": 40}, {"days": 9, "total": 40}, {"days": 49, "total": 40}], False),
    ],
)
def test_days_that_are_months(visits, questioned):
    assert bool([text for text in asked(*visits) if "are these months?" in text]) == questioned


def test_days_that_are_months_are_asked_about_once():
    """A course that cannot be is asked about by its rows, not by the cohort's shortness too."""
    (said,) = [text for text in asked(*course(46, 36, 26, step=20)) if "months?" in text]
    assert "loses more than 10 points a month" in said


def test_rows_of_nobody_and_of_no_day_are_left_out():
    table = as_read(
        [
            {"sample_id": "P0", "days": 50, "total": 38},
            {"sample_id": "XX", "days": 3, "total": 40},
            {"sample_id": "P0", "days": 10, "total": 40},
            {"sample_id": "P0", "days": np.nan, "total": 39},
        ]
    )
    problems = Problems(collect=True)
    found = checked_visits(shipped(), table, {"P0": 0}, patients({}), "v", problems)
    assert found["days"].tolist() == [10, 50]
    assert found["row"].tolist() == [0, 0]
    assert all(problem.where.startswith("v") for problem in problems.found)
    assert problems.found


def test_visits_are_in_order_of_patient_day_and_scale():
    table = as_read(
        [
            {"sample_id": "P1", "days": 0, "total": 30, "scale": "alsfrs"},
            {"sample_id": "P0", "days": 9, "total": 31, "scale": "alsfrs"},
            {"sample_id": "P0", "days": 9, "total": 32, "scale": "alsfrs_r"},
            {"sample_id": "P0", "days": -9, "total": 33, "scale": "alsfrs_r"},
        ]
    )
    rows = {"P0": 0, "P1": 1}
    found = checked_visits(shipped(), table, rows, patients({}, {}), "v", Problems())
    assert found["total"].tolist() == [33, 32, 31, 30]


def test_both_columns_are_needed():
    for missing in ("sample_id", "days"):
        table = as_read([{"sample_id": "P0", "days": 0}]).drop(columns=missing)
        with pytest.raises(DataError, match=f"^v.*{missing}"):
            checked_visits(shipped(), table, {"P0": 0}, patients({}), "v", Problems())


def test_of_scale():
    found, _ = checked({"total": 40}, {"days": 1, "total": 30, "scale": "alsfrs"})
    assert of_scale(found, "alsfrs_r")["total"].tolist() == [40]
    assert of_scale(found, "alsfrs")["total"].tolist() == [30]
    with pytest.raises(ValueError, match="'norris' is not a scale: alsfrs_r, alsfrs"):
        of_scale(found, "norris")


def test_no_visits_have_every_column():
    empty = no_visits()
    assert list(empty.columns) == list(checked({"total": 40})[0].columns)
    assert len(empty) == 0
    assert empty["row"].dtype == int
    assert empty["total"].dtype == float


@pytest.mark.parametrize(
    ("uncertain", "seen", "death"),
    [
        (None, 120, 100),  # a known day stays
        ("death_days 91..120", 90, 105),
        ("death_days 91..120", 100, 110),  # after the last visit
        ("death_days 91..120", 120, 120),
        ("onset_days -365..-1", 120, 100),
    ],
)
def test_a_partial_death_comes_after_the_last_visit(uncertain, seen, death):
    stated = {"death_days": 100} | ({"uncertain_dates": uncertain} if uncertain else {})
    table = patients(stated, {"death_days": 55})
    visits = pd.DataFrame({"row": [0, 0], "days": [float(seen), 0.0]})
    found = after_visits(table, visits)["death_days"].tolist()
    assert found == pytest.approx([death, 55], abs=0.51)


def test_a_partial_death_comes_after_the_last_visit_of_its_own_patient():
    table = patients(*[{"death_days": 100, "uncertain_dates": "death_days 91..120"}] * 2)
    visits = pd.DataFrame({"row": [0, 1], "days": [100.0, 0.0]})
    found = after_visits(table, visits)["death_days"].tolist()
    assert found == pytest.approx([110, 105], abs=0.51)
