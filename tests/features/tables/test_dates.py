"""Days, dates, years and partial dates (contract, section Dates): a table of cases, cell by cell
and as a cohort.
"""

import numpy as np
import pandas as pd
import pytest

from features.alsfrs.visits import checked_visits
from features.blocks.alsfrs import alsfrs_features
from features.blocks.landmark import as_known
from features.catalogue import shipped
from features.errors import DataError
from features.patients import checked_patients, is_uncertain
from features.tables.cells import Dialect
from features.tables.days import dated_days, days
from features.tables.problems import Problems
from features.tables.reading_rules import ReadingRules
from tests.cohorts import read

INDEX = np.array(["2020-01-01"], dtype="datetime64[D]")
MIDDLE, REFUSE = Dialect(partial_dates="middle"), Dialect()
OF_FILES = ReadingRules(REFUSE)


def one(cell, dialect=MIDDLE, index=INDEX, high=np.nan):
    """The day, the first and the last that it may be, and whether it is vague, of one cell."""
    column = pd.Series([cell], dtype=float if isinstance(cell, float) else object)
    found = dated_days(column, "p.csv, column x", Problems(), high, dialect, index)
    return tuple(float(v[0]) for v in (found.value, found.first, found.last)), bool(found.vague[0])


@pytest.mark.parametrize(
    ("cell", "expected", "vague"),
    [
        # 2020 was a leap year: day 0 is 1 January, day 365 the last of December.
        ("45", (45, 45, 45), False),
        ("-45", (-45, -45, -45), False),
        ("2020-02-01", (31, 31, 31), False),
        ("01.02.2020", (31, 31, 31), False),
        # A bare number of a cohort with dates: a day up to 1899, a year from 1900 to 2100, a day
        # from 2101.
        ("1899", (1899, 1899, 1899), False),
        ("1900", (-43647, -43829, -43465), True),
        ("2019", (-183, -365, -1), True),
        ("2020", (182, 0, 365), True),
        ("2021", (548, 366, 730), True),
        ("2100", (29402, 29220, 29584), True),
        ("2101", (2101, 2101, 2101), False),
        (2020.0, (182, 0, 365), True),  # a number of a typed file
        ("2020.0", (182, 0, 365), True),  # and its text
        ("-2020", (-2020, -2020, -2020), False),
        # A month.
        ("02/2020", (45, 31, 59), False),
        ("2/2020", (45, 31, 59), False),
        ("2020-02", (45, 31, 59), False),
        ("02.2020", (45, 31, 59), False),
        ("Feb 2020", (45, 31, 59), False),
        ("february 2020", (45, 31, 59), False),
        ("Mar 2019", (-291, -306, -276), False),
        ("Mar-2019", (-291, -306, -276), False),
        ("12/2019", (-16, -31, -1), False),
    ],
)
def test_a_cell_at_its_middle(cell, expected, vague):
    found, uncertain = one(cell)
    assert found == expected
    assert uncertain == vague


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("2020", "'2020' is a year, not a day: the cohort has dates.*partial_dates: middle"),
        ("2022", "column x, line 2: '2022' is a year"),
        ("06/2020", "'06/2020' is a month, not a day.*partial_dates: middle"),
        ("Mar 2019", "'Mar 2019' is a month, not a day"),
        ("13/2020", "is not a number"),
        ("2020.5", "is not a whole day"),
    ],
)
def test_a_partial_date_is_refused_by_default(cell, message):
    with pytest.raises(DataError, match=message):
        one(cell, REFUSE)


@pytest.mark.parametrize(
    ("cells", "index", "dialect", "year"),
    [
        (["2020"], "NaT", REFUSE, False),  # no date anywhere: day 2020
        (["2020"], "NaT", Dialect(calendar=True), True),  # the cohort has dates
        (["2020", "2020-02-01"], "2020-01-01", REFUSE, True),  # the column has one
        (["2020"], "2020-01-01", REFUSE, True),  # the patients have an index date
        (["1899"], "2020-01-01", REFUSE, False),
        (["2101"], "2020-01-01", REFUSE, False),
    ],
)
def test_when_a_number_is_a_year(cells, index, dialect, year):
    problems = Problems(collect=True)
    dates = np.full(len(cells), index, dtype="datetime64[D]")
    found = days(
        pd.Series(cells, dtype=object), "p.csv, column x", problems, np.nan, dialect, dates
    )
    assert any("is a year" in problem.found for problem in problems.errors) == year
    assert np.isnan(found[0]) == year


@pytest.mark.parametrize(
    ("cell", "high", "expected"),
    [
        ("2020", 0, (0, 0, 0)),  # of a year that begins on the index day only that day is left
        ("2019", 0, (-183, -365, -1)),
        ("01/2020", 0, (0, 0, 0)),
        ("2021", 0, None),
        ("02/2020", 0, None),
    ],
)
def test_the_middle_of_what_is_possible(cell, high, expected):
    """An onset in the year of the first visit lies before it."""
    if expected is None:
        with pytest.raises(DataError, match="must be <= 0"):
            one(cell, high=high)
    else:
        assert one(cell, high=high)[0] == expected


def test_a_partial_date_needs_an_index_date():
    with pytest.raises(DataError, match="is a date of a patient without index_date"):
        one("06/2020", index=np.array(["NaT"], dtype="datetime64[D]"))


def test_a_visit_known_to_the_year_is_undated():
    problems = Problems()
    column = pd.Series(["2020", "02/2020"], dtype=object)
    found = days(column, "v.csv, column days", problems, np.nan, MIDDLE, np.repeat(INDEX, 2))
    assert found.tolist() == pytest.approx([np.nan, 45], nan_ok=True)
    assert [p.found for p in problems.found] == ["'2020' is known to the year only"]


RULES = ReadingRules(Dialect(partial_dates="middle"))


def patients(rules=RULES, problems=None, **cells):
    table = pd.DataFrame([{"sample_id": "A", "index_date": "2020-06-01", **cells}], dtype=object)
    return checked_patients(shipped(), table, "p.csv", problems or Problems(), rules).iloc[0]


@pytest.mark.parametrize(
    ("cells", "onset", "diagnosis", "uncertain"),
    [
        # Day 0 is 1 June 2020; 1 January 2019 is day -517, its last day -153.
        ({"onset_days": "2019"}, -335, np.nan, "onset_days -517..-153"),
        ({"onset_days": "06/2019"}, -352, np.nan, "onset_days -366..-337"),
        ({"onset_days": "2019-06-15"}, -352, np.nan, None),
        ({"onset_days": "2020"}, -76, np.nan, "onset_days -152..0"),  # no later than day 0
        # Diagnosed in March of the year of onset: onset lies before.
        (
            {"onset_days": "2019", "diagnosis_days": "2019-03-01"},
            -488,
            -458,
            "onset_days -517..-458",
        ),
        (
            {"onset_days": "06/2019", "diagnosis_days": "2019-06-10"},
            -362,
            -357,
            "onset_days -366..-357",
        ),
        (
            {"onset_days": "2019-03-20", "diagnosis_days": "03/2019"},
            -439,
            -434,
            "diagnosis_days -439..-428",
        ),
        (
            {"onset_days": "2019", "death_days": "2021", "uncertain_dates": "niv_start_days 3..40"},
            -335,
            np.nan,
            "niv_start_days 3..40; onset_days -517..-153; death_days 214..578",
        ),
    ],
)
def test_partial_onset_and_diagnosis(cells, onset, diagnosis, uncertain):
    found = patients(**cells)
    assert [found["onset_days"], found["diagnosis_days"]] == pytest.approx(
        [onset, diagnosis], nan_ok=True
    )
    assert found["uncertain_dates"] == uncertain


@pytest.mark.parametrize(
    ("first", "last", "wide"), [(-30, 0, False), (-31, 0, True), (1, 31, False), (1, 32, True)]
)
def test_wider_than_a_month(first, last, wide):
    """From day 1 to day 31 is a month of 31 days; to day 32 is more."""
    table = pd.DataFrame({"uncertain_dates": [f"onset_days {first}..{last}"]})
    assert is_uncertain(table, "onset_days").tolist() == [wide]


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        ({"onset_days": "2019"}, ["onset_days"]),
        ({"onset_days": "05/2019"}, []),  # 31 days, a month
        ({"onset_days": "2019-05-02"}, []),
        ({"death_days": "2021", "onset_days": "2018"}, ["death_days", "onset_days"]),
        # A year of which a month is left: the diagnosis bounds the onset.
        ({"onset_days": "2019", "diagnosis_days": "2019-01-31"}, []),
        ({"onset_days": "2019", "diagnosis_days": "2019-02-01"}, ["onset_days"]),
    ],
)
def test_what_is_taken_at_the_middle_of_more_than_a_month_is_named(cells, named):
    problems = Problems()
    patients(problems=problems, **cells)
    wide = [one for one in problems.found if "less well than to a month" in one.found]
    assert sorted(one.where.split("column ")[1].split(",")[0] for one in wide) == named
    for one in wide:
        assert ("dFS" in one.remedy) == ("onset" in one.where)


def test_a_stated_interval_is_checked():
    with pytest.raises(DataError, match="uncertain_dates, line 2: 'about 2019' is not an interval"):
        patients(uncertain_dates="about 2019")


def test_a_diagnosis_in_the_year_before_onset_stays_an_error():
    with pytest.raises(DataError, match="lies before onset_days"):
        patients(onset_days="2019", diagnosis_days="2018-12-31")


def test_a_stated_delay_is_not_held_against_a_year():
    assert (
        patients(onset_days="2019", diagnosis_days="2019-12-01", diagnostic_delay_months="10")[
            "diagnostic_delay_months"
        ]
        == 10
    )
    with pytest.raises(DataError, match="more than 1 month from the days"):
        patients(onset_days="06/2019", diagnosis_days="2019-12-01", diagnostic_delay_months="10")


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("onset_date", ["2019-02-03", None]),
        ("date_of_birth_date", ["1950-02-03", None]),  # a further column, read by nothing
        ("index_date", ["2020-06-01", None]),
    ],
)
def test_what_gives_a_cohort_calendar_dates(column, cells):
    column = {"onset_date": "onset_days"}.get(column, column)
    table = pd.DataFrame({"sample_id": ["A", "B"], column: cells, "death_days": ["100", "2022"]})
    table = table.assign(index_date=table.get("index_date", pd.Series(["2020-06-01", None])))
    with pytest.raises(DataError, match="column death_days, line 3: '2022' is a year"):
        checked_patients(shipped(), table.astype(object), "p.csv", Problems(), OF_FILES)


def test_an_index_date_is_known_to_the_day():
    for cell in ("2020", "06/2020", 2020.0):
        table = pd.DataFrame({"sample_id": ["A"], "index_date": [cell]})
        with pytest.raises(
            DataError, match=r"index_date, line 2: '\S+' is not a date known to the day"
        ):
            checked_patients(shipped(), table, "p.csv", Problems(), RULES)


def test_a_column_of_years_without_any_date_is_asked_about():
    table = pd.DataFrame({"sample_id": list("ABC"), "death_days": ["2019", "2020", "2021"]})
    problems = Problems()
    found = checked_patients(shipped(), table.astype(object), "p.csv", problems)
    assert found["death_days"].tolist() == [2019, 2020, 2021]
    assert "all 3 days lie between 1950 and this year" in problems.found[0].found
    for cells in (["2019", "2020", None], ["2019", "2020", "700"]):
        quiet = Problems()
        checked_patients(shipped(), table.assign(death_days=cells).astype(object), "p.csv", quiet)
        assert quiet.found == []


# --- whole cohorts ---


def write(folder, n=60, partial="", **columns):
    """A cohort with index dates: two visits by day 85, three after the landmark, deaths as the
    columns say.
    """
    dates = pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(n), "D")
    table = {"sample_id": [f"P{i}" for i in range(n)], "index_date": dates.strftime("%Y-%m-%d")}
    pd.DataFrame(table | columns).to_csv(folder / "patients.csv", index=False)
    visits = [(f"P{i}", day, 42 - day // 60) for i in range(n) for day in (0, 85, 100, 200, 300)]
    pd.DataFrame(visits, columns=["sample_id", "days", "total"]).to_csv(
        folder / "alsfrs.csv", index=False
    )
    (folder / "cohort.yaml").write_text(f"patients: patients.csv\nalsfrs: alsfrs.csv\n{partial}")
    return folder / "cohort.yaml"


def test_years_of_death_do_not_lose_their_deaths(tmp_path):
    """49 patients died, 2020 to 2022.

    Read as day numbers none died within two years, and nobody was told.
    """
    years = [str(2020 + i % 3) if i < 49 else "" for i in range(60)]
    path = write(tmp_path, death_date=years)
    with pytest.raises(DataError, match="'2020', '2021', '2022' is a year, not a day") as error:
        read(path)
    assert "column death_days, line 2 and 48 more" in str(error.value)
    assert "partial_dates: middle" in str(error.value)
    cohort = read(write(tmp_path, partial="partial_dates: middle\n", death_date=years))
    death = cohort.patients["death_days"].to_numpy()
    assert np.isfinite(death).sum() == 49
    assert np.nanmax(death) < 3 * 366
    assert is_uncertain(cohort.patients, "death_days").sum() == 49
    # Whoever was seen on day 300 died after it: in the middle of what is left of the year.
    assert np.nanmin(death) > 300


def test_a_visit_in_the_year_of_death_is_none_after_it(tmp_path):
    """Day 0 is 1 January 2020 and later; all are seen on day 300, in 2020 at the earliest."""
    years = ["2020", "2021", *[""] * 58]
    cohort = read(write(tmp_path, partial="partial_dates: middle\n", death_date=years))
    # 2020 leaves day 300 to 365, 2021 (first visit on 2 January 2020) day 365 to 729.
    assert cohort.patients["death_days"].tolist()[:2] == [332, 547]
    years[0] = "2019"
    with pytest.raises(DataError, match="is a visit after death"):
        read(write(tmp_path, partial="partial_dates: middle\n", death_date=years))


def test_an_onset_known_to_the_year_carries_no_rate(tmp_path):
    onset = ["2018" if i % 2 else "2018-07-01" for i in range(60)]
    cohort = read(write(tmp_path, partial="partial_dates: middle\n", onset_date=onset))
    features = alsfrs_features(as_known(cohort, 90))  # as every feature is made
    year = np.arange(60) % 2 == 1
    for name in ("delta_fs", "log_delta_fs", "d50_relative"):
        assert np.isnan(features[name][year]).all()
    assert np.isfinite(features["delta_fs"][~year]).all()
    assert np.isfinite(features["disease_months"]).all()  # to within half a year


@pytest.mark.parametrize(
    ("days", "totals", "message"),
    [
        # Visits at months 0, 3, 6, 9 and 12, entered as days.
        (
            [0, 3, 6, 9, 12],
            [44, 41, 38, 35, 32],
            "loses more than 10 points a month: are these months?",
        ),
        (
            [0, 3, 6, 9, 12],
            [44, 44, 44, 43, 43],
            "no patient with three visits is followed for 49 days",
        ),
        ([0, 24, 48], [44, 43, 43], "no patient with three visits is followed for 49 days"),
        ([0, 24, 49], [44, 43, 43], None),
        ([0, 91, 183, 274, 365], [44, 41, 38, 35, 32], None),
        ([0, 3], [44, 41], None),  # two visits say nothing
        # 10 points a month, and a little more.
        ([0, 61, 122], [40, 20, 0], None),
        ([0, 60, 120], [40, 20, 0], "loses more than 10 points a month"),
    ],
)
def test_months_entered_as_days_are_asked_about(days, totals, message):
    table = pd.DataFrame({"sample_id": "A", "days": map(float, days), "total": map(float, totals)})
    problems = Problems()
    own = checked_patients(shipped(), pd.DataFrame({"sample_id": ["A"]}), "p.csv", problems)
    checked_visits(shipped(), table, {"A": 0}, own, "v.csv", problems)
    found = [problem.found for problem in problems.found if "months" in problem.found]
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


@pytest.mark.parametrize(
    ("cell", "refused"),
    [
        ("2129-07-08", False),  # 40,000 days after 2020-01-01
        ("2129-07-09", True),
        ("1910-06-27", False),  # 40,000 before it
        ("1910-06-26", True),
        ("0001-01-01", True),
        ("9999-12-31", True),  # how a database writes that nobody has died
        ("01.01.1900", True),  # how a spreadsheet shows a zero
    ],
)
def test_a_date_that_stands_for_none_is_refused(cell, refused):
    if not refused:
        assert abs(one(cell)[0][0]) == 40_000
        return
    with pytest.raises(DataError, match=f"'{cell}' lies more than 109 years from the index date"):
        one(cell)


def test_a_death_in_the_year_9999_is_no_follow_up(tmp_path):
    """It was a patient who is followed for 8,000 years."""
    text = "sample_id,index_date,death_days\nA,2020-01-01,9999-12-31\nB,2020-01-01,\n"
    (tmp_path / "p.csv").write_text(text)
    cohort = tmp_path / "cohort.yaml"
    cohort.write_text("patients: p.csv\n")
    with pytest.raises(DataError, match=r"death_days, line 2: .9999-12-31. lies more than"):
        read(cohort)
    cohort.write_text("patients: p.csv\non_error: drop_value\n")
    assert read(cohort).patients["death_days"].isna().all()
