"""What the import of PRO-ACT concludes of points, days, sites, relatives and words, by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from als_ml.imports import proact as of
from features.tables.problems import Problems

ITEMS = [f"q{i}" for i in (1, 2, 3, 4, 6, 7, 8, 9)]


def told(problems):
    return [(one.severity, one.where, one.found, one.count) for one in problems.found]


def table(*subjects, **columns):
    return pd.DataFrame({"subject_id": list(subjects), **columns})


def test_the_first_known_cell_of_each_subject():
    rows = table("a", "a", "b", "b", "c", x=[None, "1", "2", "3", None])
    assert of._first(rows, "x").fillna("").to_dict() == {"a": "1", "b": "2", "c": ""}
    lacking = of._first(rows, "y")
    assert lacking.index.tolist() == ["a", "b", "c"]
    assert lacking.isna().all()


def test_days_count_from_the_first_visit():
    """Who has no visit counts from day 0 of the release; to whole days."""
    rows = table("a", "b", "c", "d", day=["100", "100.6", "x", "7"])
    found = of._shifted(rows, "day", pd.Series({"a": 30.0, "c": 3.0, "d": np.nan}))
    np.testing.assert_array_equal(found.to_numpy(), [70, 101, np.nan, 7])
    assert found.index.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("word", "died"),
    [("Yes", 1), ("y", 1), ("1", 1), ("1.0", 1), ("TRUE", 1), ("No", 0), ("0", 0), (None, 0)],
)
def test_a_day_of_death_is_of_those_who_died(word, died):
    rows = table("a", subject_died=[word], death_days=[400])
    release = SimpleNamespace(table={"DEATHDATA": rows}.get)
    assert of._death(release, pd.Series({"a": 10.0})).to_dict() == ({"a": 390} if died else {})


def test_points_are_whole_and_from_0_to_4():
    problems = Problems(collect=True)
    cells = pd.Series(["0", "1", "2", "3", "4", "5", "-1", "3.5", "x", None])
    found = of._points(cells, "q1", problems)
    np.testing.assert_array_equal(found.to_numpy(), [0, 1, 2, 3, 4, *[np.nan] * 5])
    what = "3 cells of q1 are not whole points from 0 to 4"
    assert told(problems) == [("warning", "PROACT_ALSFRS.csv", what, 3)]


def total(stated, revised=True, other=None, **items):
    """The total of one visit, all of whose items have 3 points but where stated."""
    problems = Problems(collect=True)
    of_items = {**dict.fromkeys([*ITEMS, "q5a", "q10", "q11", "q12"], 3.0), "q5b": np.nan}
    visits = pd.DataFrame([{**of_items, "q10_alsfrs": 3.0, **items}])
    name, another = ("alsfrs_r_total", "alsfrs_total")
    given = {name: [stated], another: [other]} if revised else {another: [stated], name: [other]}
    rows = table("a", **given)
    found = of._totals(rows, visits, pd.Series([revised]), problems)
    assert {where for _, where, _, _ in told(problems)} <= {"PROACT_ALSFRS.csv"}
    return found.iloc[0], [text for _, _, text, _ in told(problems)]


NONE = dict.fromkeys(ITEMS, np.nan)
CANNOT, DIFFERS = "1 totals cannot be", "1 totals differ from their items, which count"


@pytest.mark.parametrize(
    ("stated", "revised", "items", "found", "said"),
    [
        ("36", True, {}, 36, []),  # 12 items
        ("35", True, {}, np.nan, [DIFFERS]),
        ("30", False, {}, 30, []),  # 10 items
        ("36", False, {}, np.nan, [DIFFERS]),
        ("33", True, {"q10": 0.0}, 33, []),
        ("29", False, {"q10_alsfrs": 2.0}, 29, []),
        ("36", True, {"q5a": np.nan, "q5b": 3.0}, 36, []),
        ("35", True, {"q5a": np.nan, "q5b": 3.0}, np.nan, [DIFFERS]),
        *[("34", True, {name: 1.0}, 34, []) for name in (*ITEMS, "q10", "q11", "q12")],
        ("34", True, {"q5a": 1.0, "q5b": 3.0}, 34, []),  # the cutting without a tube counts
        # Without an item nothing contradicts a total that can be.
        ("20", True, {"q12": np.nan}, 20, []),
        ("48", True, NONE, 48, []),
        ("49", True, NONE, np.nan, [CANNOT]),
        ("40", False, NONE, 40, []),
        ("41", False, NONE, np.nan, [CANNOT]),
        ("0", True, NONE, 0, []),
        ("-1", True, NONE, np.nan, [CANNOT]),
        (None, True, {}, np.nan, []),
        ("49", True, {}, np.nan, [CANNOT]),
    ],
)
def test_a_total_agrees_with_its_items(stated, revised, items, found, said):
    value, words = total(stated, revised, **items)
    np.testing.assert_equal(value, found)
    assert words == said
    # The total of the other scale is not asked.
    np.testing.assert_equal(total(stated, revised, other="7", **items)[0], found)


def test_each_visit_has_its_own_total():
    """36 points and 35 of two visits: the second differs from its items."""
    points = {name: [3.0, 3.0] for name in (*ITEMS, "q5a", "q10", "q11", "q12", "q10_alsfrs")}
    visits = pd.DataFrame({**points, "q5b": [np.nan] * 2, "q1": [3.0, 1.0]})
    rows = table("a", "b", alsfrs_r_total=["36", "35"])
    problems = Problems(collect=True)
    found = of._totals(rows, visits, pd.Series([True, True]), problems)
    np.testing.assert_array_equal(found.to_numpy(), [36, np.nan])
    assert told(problems) == [("warning", "PROACT_ALSFRS.csv", DIFFERS, 1)]


def test_nobody_is_seen_after_his_death():
    problems = Problems(collect=True)
    visits = pd.DataFrame({"sample_id": list("aaab"), "days": [99.0, 100.0, 101.0, 500.0]})
    found = of._before_death(visits, pd.Series({"a": 100.0}), problems)
    assert found["days"].tolist() == [99, 100, 500]
    what = "1 visits lie after the subject's death"
    assert told(problems) == [("warning", "PROACT_ALSFRS.csv", what, 1)]
    none = Problems(collect=True)
    of._before_death(visits[:2], pd.Series({"a": 100.0}), none)
    assert told(none) == []


@pytest.mark.parametrize(
    ("stated", "unit"),
    [("u/l", "U/L"), (" U / L ", "U/L"), ("u/l.", "U/L"), ("furlong", "furlong"), (None, "None")],
)
def test_a_unit(stated, unit):
    assert of._unit(stated, {"u/l": "U/L"}) == unit


def test_who_ever_had_it():
    rows = table("a", "a", "b", "c", "c", used=["No", "YES", "no", None, "No"])
    assert of._ever(rows, "used").to_dict() == {"a": "yes", "b": "no", "c": "no"}


def test_an_age():
    """As stated, else by the days since birth, of either sign."""
    rows = table(*"abcd", age=["60.5", None, "x", None])
    rows["date_of_birth"] = ["-9999", "-21915", "21915", None]
    found = of._age(rows)
    np.testing.assert_allclose(found.to_numpy(), [60.5, 60.0, 60.0, np.nan])
    assert of._age(rows.drop(columns="date_of_birth")).notna().tolist() == [True] + [False] * 3


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("onset_days", 0.0, True),
        ("onset_days", 1.0, False),
        ("diagnosis_days", 0.0, True),
        ("diagnosis_days", 1.0, False),
        ("diagnosis_days", -100.0, True),
        ("diagnosis_days", -101.0, False),
        ("age_at_onset", 1.0, True),
        ("age_at_onset", 0.9, False),
        ("age_at_onset", 110.0, True),
        ("age_at_onset", 110.1, False),
        ("age_at_onset", np.nan, True),
        ("sex", "female", True),
        ("sex", "male", True),
        ("sex", "f", False),
        ("sex", None, True),
        ("riluzole", "yes", True),
        ("riluzole", "no", True),
        ("riluzole", "unknown", False),
        ("riluzole", None, True),
    ],
)
def test_what_cannot_be_is_emptied(name, value, kept):
    problems = Problems(collect=True)
    usual = {"onset_days": -100.0, "diagnosis_days": -50.0, "age_at_onset": 60.0}
    usual |= {"sex": "male", "riluzole": "no"}
    row = {**usual, name: value}
    if name == "onset_days":
        row["diagnosis_days"] = np.nan
    found = of._possible(pd.DataFrame([row, usual]), problems)
    first = found[name].iloc[0]
    assert pd.isna(first) if not kept or pd.isna(value) else first == value
    assert found.iloc[1].to_dict() == usual
    expected = ("warning", "PROACT tables", f"1 cells of {name} cannot be", 1)
    assert told(problems) == ([] if kept else [expected])


@pytest.mark.parametrize(
    ("words", "flags", "site", "several"),
    [
        ("Onset: Bulbar", "", "bulbar", 0),
        ("onset: limb", "", "limb", 0),
        ("SPINE", "", "axial", 0),
        (None, "b", "bulbar", 0),
        (None, "l", "limb", 0),
        (None, "s", "axial", 0),
        ("Other", "l", "limb", 0),
        ("bulbar", "l", "bulbar", 0),  # the text goes before the flags
        ("limb and bulbar", "", None, 1),
        ("limb and bulbar", "l", "limb", 0),  # the flag settles it
        (None, "bl", None, 1),
        (None, "", None, 0),
        ("Other", "", None, 0),
    ],
)
def test_a_site_of_onset(words, flags, site, several):
    problems = Problems(collect=True)
    columns = {
        f"site_of_onset_{key}": ["1" if key[0] in flags else "0", "0"]
        for key in ("bulbar", "limb", "spine")
    }
    rows = table("a", "z", site_of_onset=[words, None], **columns)
    found = of._onset_site(rows, problems)
    assert found.index.tolist() == ["a", "z"]
    assert (found["a"] if site else found["a"] != found["a"]) == (site or True)
    assert pd.isna(found["z"])
    what = ("warning", "PROACT_ALSHISTORY.csv", "1 subjects have several sites of onset", 1)
    assert told(problems) == [what] * several


def test_each_subject_has_his_own_site():
    """Named, flagged, flagged twice, named twice, nothing, and named once but flagged twice."""
    named = ["Bulbar", None, None, "limb, bulbar", None, "Limb"]
    rows = table(*"abcdef", site_of_onset=named)
    rows["site_of_onset_limb"] = ["0", "1", "1", "0", "0", "1"]
    rows["site_of_onset_bulbar"] = ["0", "0", "1", "0", "0", "1"]
    problems = Problems(collect=True)
    found = of._onset_site(rows, problems)
    assert found.fillna("").tolist() == ["bulbar", "limb", "", "", "", "limb"]
    what = "2 subjects have several sites of onset"
    assert told(problems) == [("warning", "PROACT_ALSHISTORY.csv", what, 2)]


def test_nobody_has_no_site():
    assert len(of._onset_site(table(site_of_onset=[]), Problems())) == 0


@pytest.mark.parametrize(
    ("relative", "degree"),
    [
        *[(name, "first_degree") for name in ("mother", "father", "brother", "sister", "sibling")],
        *[(name, "first_degree") for name in ("son", "daughter", "child", "parent")],
        *[(name, "second_degree") for name in ("aunt_maternal", "uncle", "nephew", "niece")],
        ("grandmother", "second_degree"),
        ("grandfather_maternal", "second_degree"),
        ("cousin", "wider"),
    ],
)
def test_the_degree_of_a_relative(relative, degree):
    assert of._degree(relative) == degree
    rows = table("a", "b", neurological_disease=["ALS", "Stroke"], **{relative: ["1", "1"]})
    assert of._family_history(rows).to_dict() == {"a": degree, "b": "unknown"}


@pytest.mark.parametrize(
    ("first", "other", "last", "als"),
    [
        ("ALS", None, None, True),
        (None, "als", None, True),
        (None, None, "Als", True),
        ("Amyotrophic lateral sclerosis", None, None, True),
        ("other motor neuron disease", None, None, True),
        ("no ALS", None, None, False),
        ("non-ALS dementia", None, None, False),
        ("not ALS", None, None, False),
        ("false", None, None, False),  # a word that holds the letters
        ("Stroke", "Parkinson", None, False),
        ("Stroke", None, "ALS", True),
        ("no", "ALS", None, True),  # of another cell
    ],
)
def test_a_relative_with_als(first, other, last, als):
    rows = table(
        "a",
        neurological_disease=[first],
        neurological_disease_other=[other],
        family_hx_of_neuro_disease=[last],
        mother=["1"],
    )
    assert of._family_history(rows).to_dict() == {"a": "first_degree" if als else "unknown"}


@pytest.mark.parametrize("cell", ["1", "Yes", "2"])
def test_a_relative_is_flagged(cell):
    rows = table("a", neurological_disease=["ALS"], mother=[cell])
    assert of._family_history(rows).to_dict() == {"a": "first_degree"}


@pytest.mark.parametrize("cell", ["0", "0.0", "No", "n", "False", "nan", "None", "", None])
def test_a_relative_is_not_flagged(cell):
    rows = table("a", neurological_disease=["ALS"], mother=[cell])
    assert of._family_history(rows).to_dict() == {"a": "unknown"}


def test_the_nearest_of_several_relatives_counts():
    rows = table("a", "a", "b", "b", neurological_disease=["ALS"] * 4)
    rows["cousin"] = ["1", None, "1", None]
    rows["aunt"] = [None, "1", None, "1"]
    rows["father"] = ["1", None, None, None]
    rows["other"] = "1"  # no relative
    assert of._family_history(rows).to_dict() == {"a": "first_degree", "b": "second_degree"}
    assert set(of._family_history(rows.drop(columns=["cousin", "aunt", "father"]))) == {"unknown"}


def test_the_words_of_el_escorial():
    words = ["Probable Laboratory Supported", "Definite", "PROBABLE", "possible", "Suspected"]
    found = of._escorial(pd.Series([*words, "none", None], index=list("abcdefg")))
    meant = ["probable_lab", "definite", "probable", "possible", "suspected", None, None]
    assert found.tolist() == meant
    assert found.index.tolist() == list("abcdefg")
