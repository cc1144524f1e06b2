"""What the import of OMOP tables concludes of dates, conditions, births, sites and relatives."""

import numpy as np
import pandas as pd
import pytest

from als_ml.imports import omop as of
from features.errors import DataError
from features.tables.problems import Problems

KNOWN = of.Concepts(
    {
        "condition": {"1": "als", "2": "mimic", "3": "other"},
        "site_question": {"10": "yes"},
        "site": {"11": "upper_limb", "12": "lower_limb", "13": "limb", "14": "bulbar"},
        "relative": {"20": "first_degree", "21": "second_degree", "22": "wider"},
    }
)


def told(problems):
    return [(one.severity, one.where, one.found, one.count) for one in problems.found]


def dates(**days):
    return pd.Series({name: pd.Timestamp(day) if day else pd.NaT for name, day in days.items()})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ALSFRS: speech: 4", "4"),
        ("4", "4"),
        ("a:4", "a:4"),
        ("speech: ", None),
        ("", None),
        (" 4 ", "4"),
        (7, "7"),
        (None, None),
        (np.nan, None),
    ],
)
def test_what_stands_behind_the_last_colon(text, part):
    assert of._last_part(text) == part


def test_the_first_of_the_rows_that_count():
    table = pd.DataFrame(
        {
            "sample_id": ["a", "a", "b", "a"],
            "date": pd.to_datetime(["2020-05-01", "2020-03-01", "2020-01-01", "2020-02-01"]),
        }
    )
    found = of._first_date(table, pd.Series([True, True, True, False]))
    assert found.to_dict() == dates(a="2020-03-01", b="2020-01-01").to_dict()


def test_days_since_day_0():
    patients = pd.DataFrame(index=["a", "b", "c", "d"])
    start = dates(b="2020-01-01", a="2020-03-01", c=None, e="2020-01-01")
    found = of._days(
        dates(d="2020-01-01", c="2020-01-01", a="2020-02-28", b="2021-01-01", z="2020-01-01"),
        start,
        patients,
    )
    assert found.index.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(found.to_numpy(float), [-2, 366, np.nan, np.nan])


def conditions(**concepts):
    rows = [(name, one) for name, all_of in concepts.items() for one in all_of]
    return pd.DataFrame(rows, columns=["sample_id", "concept"])


def test_als_goes_before_another_disease():
    problems = Problems(collect=True)
    person = pd.DataFrame(index=list("abcdef"))
    asked = conditions(a=["1"], b=["2", "1"], c=["2"], d=["3", "9"], f=["2"])
    found = of._diagnosis(KNOWN, asked, person, problems)
    assert found.to_dict() == {
        "a": "als",
        "b": "als",
        "c": "mimic",
        "d": "control",
        "e": "control",
        "f": "mimic",
    }
    assert told(problems) == [
        ("note", "condition_occurrence", "2 persons have another motor neuron disease", 2),
        ("note", "condition_occurrence", "2 persons have no ALS", 2),
    ]
    all_ill = Problems(collect=True)
    of._diagnosis(KNOWN, asked, person.loc[["a", "b"]], all_ill)
    assert told(all_ill) == []


def test_nobody_with_als_is_no_cohort():
    words = r"condition_occurrence: nobody has a concept of ALS \(1, 2, 3\)"
    with pytest.raises(DataError, match=words):
        of._diagnosis(KNOWN, conditions(a=["2"]), pd.DataFrame(index=["a"]), Problems())


@pytest.mark.parametrize(
    ("birth", "age", "vague", "broken"),
    [
        # On 2020-07-01.
        (("1960", "7", "1"), 60.0, 0, 0),
        (("1960", "1", "1"), 60.5, 0, 0),
        (("1960", "7", None), 59.96, 1, 0),  # on the 15th
        (("1960", None, None), 60.0, 1, 0),  # on the 1st of July
        (("1960", None, "20"), 60.0, 0, 0),  # a day of no month says nothing
        ((None, "7", "1"), np.nan, 0, 0),
        ((None, None, None), np.nan, 0, 0),
        (("1960", "13", "1"), np.nan, 0, 1),
        (("1960", "2", "30"), np.nan, 0, 1),
        (("196x", "7", "1"), np.nan, 0, 1),
        (("1960", "x", "1"), 60.0, 0, 1),
        (("1960", "7", "x"), 59.96, 1, 1),
    ],
)
def test_an_age_at_onset(birth, age, vague, broken):
    problems = Problems(collect=True)
    parts = dict(zip(("year_of_birth", "month_of_birth", "day_of_birth"), birth, strict=True))
    person = pd.DataFrame([parts], index=["a"], dtype=object)
    patients = pd.DataFrame(index=["a"])
    found = of._age(person, dates(a="2020-07-01"), patients, problems)
    np.testing.assert_array_equal(found.to_numpy(), [age])
    expected = [("note", "person", "1 births are known to the year or month", 1)] * vague
    expected += [("warning", "person", "1 births are no day, month and year", 1)] * broken
    assert told(problems) == expected


def test_ages_are_of_each_patient():
    """Of persons in another order; who has no onset has no age at it; months may lack."""
    person = pd.DataFrame({"year_of_birth": ["1960", "1950", "1940", "x"]}, index=list("bacy"))
    onset = dates(a="2020-07-01", c=None, b="2019-07-01", z="2020-01-01")
    problems = Problems(collect=True)
    found = of._age(person, onset, pd.DataFrame(index=["a", "b", "c"]), problems)
    assert found.index.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found.to_numpy(), [70.0, 59.0, np.nan])
    assert told(problems) == [
        ("note", "person", "3 births are known to the year or month", 3),
        ("warning", "person", "1 births are no day, month and year", 1),
    ]


@pytest.mark.parametrize(("onset", "age"), [("2020-07-02", 60.0), ("2020-07-03", 60.01)])
def test_the_middle_is_a_day(onset, age):
    """60 years and 1 or 2 days: 60.003 and 60.005. The year's is 1 July, that of July the 15th."""
    year = pd.DataFrame({"year_of_birth": [1960]}, index=["a"])
    patients = pd.DataFrame(index=["a"])
    assert of._age(year, dates(a=onset), patients, Problems()).tolist() == [age]
    later = dates(a=pd.Timestamp(onset) + pd.Timedelta(days=14))
    month = year.assign(month_of_birth=7)
    assert of._age(month, later, patients, Problems()).tolist() == [age]


@pytest.mark.parametrize(
    ("sites", "one"),
    [
        ({"bulbar"}, "bulbar"),
        ({"upper_limb"}, "upper_limb"),
        ({"limb"}, "limb"),
        ({"limb", "lower_limb"}, "lower_limb"),
        ({"upper_limb", "lower_limb"}, "limb"),
        ({"limb", "upper_limb", "lower_limb"}, "limb"),
        ({"bulbar", "limb"}, None),
        ({"bulbar", "upper_limb"}, None),
        ({"bulbar", "upper_limb", "lower_limb"}, None),
        (set(), None),
    ],
)
def test_a_site_that_all_agree_with(sites, one):
    assert of._one_site(sites) == one


def answers(*rows):
    return pd.DataFrame(rows, columns=["sample_id", "concept", "answer"])


def test_a_site_of_onset():
    problems = Problems(collect=True)
    asked = answers(
        ("a", "10", "14"),
        ("b", "10", "11"),
        ("b", "10", "12"),
        ("c", "10", "14"),
        ("c", "10", "12"),
        ("d", "9", "14"),
        ("e", "10", "99"),
        ("f", "10", None),
    )
    found = of._onset_site(KNOWN, asked, problems)
    assert found.to_dict() == {"a": "bulbar", "b": "limb", "c": None}
    assert found.dtype == object
    assert told(problems) == [
        ("warning", "observation", "1 persons have several sites of onset", 1)
    ]
    none = Problems(collect=True)
    assert len(of._onset_site(KNOWN, asked[:3], none)) == 2
    assert told(none) == []


def test_the_nearest_relative_with_als():
    asked = answers(
        ("a", "22", "1"),
        ("a", "20", "1"),
        ("a", "21", "1"),
        ("b", "21", "1"),
        ("b", "22", "1"),
        ("c", "22", "1"),
        ("d", "20", "2"),  # a relative with another disease
        ("d", "21", "1"),
        ("e", "20", "3"),
        ("f", "9", "1"),  # not asked of a relative
    )
    found = of._family_history(KNOWN, asked)
    assert found.to_dict() == {
        "a": "first_degree",
        "b": "second_degree",
        "c": "wider",
        "d": "second_degree",
        "e": "unknown",
    }


def test_dates_on_a_new_years_day_are_counted():
    problems = Problems(collect=True)
    onset = dates(a="2020-01-01", b="2020-01-02", c="2020-02-01", d=None, e="2019-01-01")
    given = {"onset": onset, "death": dates(a="2020-12-31"), "none": dates(a=None)}
    of._count_new_years_days(given, problems)
    what = "2 dates of onset are a 1 January: some may be known to the year only"
    assert told(problems) == [("warning", "OMOP dates", what, 2)]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("onset_days", 0.0, True),
        ("onset_days", 1.0, False),
        ("diagnosis_days", 0.0, True),
        ("diagnosis_days", 1.0, False),
        ("diagnosis_days", -100.0, True),  # on the day of onset
        ("diagnosis_days", -101.0, False),
        ("age_at_onset", 1.0, True),
        ("age_at_onset", 0.9, False),
        ("age_at_onset", 110.0, True),
        ("age_at_onset", 110.1, False),
        ("age_at_onset", np.nan, True),
    ],
)
def test_what_cannot_be_is_emptied(name, value, kept):
    problems = Problems(collect=True)
    usual = {"onset_days": -100.0, "diagnosis_days": -50.0, "age_at_onset": 60.0}
    row = {**usual, name: value}
    if name == "onset_days":
        row["diagnosis_days"] = np.nan
    found = of._possible(pd.DataFrame([row, usual]), problems)
    np.testing.assert_array_equal(found[name], [value if kept else np.nan, usual[name]])
    others = [other for other in usual if other != name]
    assert found[others].iloc[1].tolist() == [usual[other] for other in others]
    expected = ("warning", "OMOP tables", f"1 cells of {name} cannot be", 1)
    assert told(problems) == ([] if kept else [expected])
