"""Biomarkers: units, limits, matrices, assays, wide tables, derived values, and which value
counts.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.biomarkers.derived import with_derived
from features.biomarkers.measurements import checked_biomarkers
from features.biomarkers.units import unit_factor
from features.biomarkers.wide import Wide, checked_wide
from features.blocks.biomarkers import biomarker_features, feature_name
from features.blocks.landmark import as_known, on_tofersen
from features.catalogue import analytes, shipped
from features.errors import DataError
from features.tables.cells import Dialect
from features.tables.problems import Problems
from features.tables.reading_rules import ReadingRules
from tests.definitions import with_line

ROWS = {"a": 0, "b": 1}


NOBODY = pd.DataFrame(
    {"sex": [None, None], "age_at_onset": [np.nan, np.nan], "onset_days": [np.nan, np.nan]}
)


def check(rules=None, problems=None, definitions=None, **columns) -> pd.DataFrame:
    n = max(len(value) if isinstance(value, list) else 1 for value in columns.values())
    filled = {
        k: v if isinstance(v, list) else [v] * n
        for k, v in {"sample_id": "a", "days": "0", **columns}.items()
    }
    table = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in filled.items()})
    return checked_biomarkers(
        definitions or shipped(),
        table,
        ROWS,
        "b.csv",
        problems or Problems(),
        rules or ReadingRules(Dialect()),
    )


def rows_of(cohort, table: pd.DataFrame, **more) -> dict[str, np.ndarray]:
    return biomarker_features(replace(cohort, biomarkers=table), **more)


@pytest.mark.parametrize(
    ("analyte", "unit", "factor"),
    [
        ("creatinine_serum", "umol/L", 1 / 88.4),
        ("creatinine_serum", "\u00b5mol/l", 1 / 88.4),
        ("creatinine_serum", "mmol/L", 1000 / 88.4),
        ("creatinine_serum", "mg/L", 0.1),
        ("albumin_serum", "G/L", 0.1),
        ("uric_acid_serum", "mg/dl", 59.48),
        ("nfl_serum", "ng/mL", 1000.0),
        ("nfl_serum", "fg/mL", 0.001),
        ("ck_serum", "IU/L", 1.0),
        ("ck_serum", "nkat/L", 0.06),
        ("neutrophils_blood", "x10E9/L", 1.0),
        ("neutrophils_blood", "K/uL", 1.0),
        ("neutrophils_blood", "cells/uL", 0.001),
        ("weight", "lbs", 0.45359237),
        ("weight", "g", 0.001),
        ("height", "mm", 0.1),
        ("bmi", "kg/m\u00b2", 1.0),
        ("snip", "mmHg", 1.35951),
        ("fvc_pct", "% predicted", 1.0),
        ("p75ecd_urine", "ug/g", 1.0),
        ("albumin_serum", "umol/L", None),  # no molar mass in the definitions
        ("albumin_serum", "furlong", None),
        ("ck_serum", "K/L", None),
        ("nfl_serum", "9" * 500, None),
        ("nfl_serum", "10^9^9^9", None),
    ],
)
def test_units(analyte, unit, factor):
    found = unit_factor(shipped(), analyte, unit)
    assert found is factor if factor is None else found == pytest.approx(factor, rel=1e-5)


@given(st.sampled_from(sorted(analytes(shipped()).index)), st.floats(0.001, 1e5), st.data())
def test_any_unit_and_back(analyte, value, data):
    factors = analytes(shipped())["factors"][analyte]
    unit = data.draw(st.sampled_from(sorted(factors)))
    there = value / float(factors[unit])
    assert there * unit_factor(shipped(), analyte, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("columns", "value", "censored"),
    [
        ({"value": "2.7"}, 2.7, "none"),
        ({"value": "<2.7"}, 2.7 / np.sqrt(2), "below"),
        ({"value": ">500"}, 500, "above"),
        ({"value": "2.7", "censored": "below"}, 2.7 / np.sqrt(2), "below"),
        ({"value": "500", "censored": "right"}, 500, "above"),
        ({"value": "LOD", "limit": "2.7"}, 2.7 / np.sqrt(2), "below"),
        ({"value": "<LLOQ", "limit": "2,7"}, 2.7 / np.sqrt(2), "below"),
        ({"value": None, "censored": "below", "limit": "2.7"}, 2.7 / np.sqrt(2), "below"),
    ],
)
def test_limits(columns, value, censored):
    table = check(analyte="nfl_serum", unit="pg/mL", **columns)
    assert table["value"][0] == pytest.approx(value)
    assert table["censored"][0] == censored


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"value": "LOD"},
            "line 2: 'LOD' names a limit that is not stated. Write <2.7, or add a column `limit`",
        ),
        (
            {"value": "1,234"},
            "line 2: '1,234' may have a decimal or a thousands separator. Say `decimal",
        ),
        ({"value": "ND"}, "line 2: 'ND' is not a number"),
        (
            {"value": "5", "unit": "mmol/L"},
            "measured in 'mmol/L', which does not fit. Known units of nfl_serum: pg/mL",
        ),
        ({"value": "5", "unit": None}, "has no unit. Known units of nfl_serum"),
        (
            {"value": "5", "analyte": "NfL"},
            "'NfL' is not a known analyte. Say which by `matrix`: nfl_serum, nfl_plasma",
        ),
        ({"value": "5", "analyte": "nfl", "matrix": "saliva"}, "'nfl' is not a known analyte"),
        ({"value": "5", "analyte": "creatinin_serum"}, "Did you mean 'creatinine_serum'"),
        (
            {"value": "5", "censored": "maybe"},
            "column censored, line 2: 'maybe' is not a known value",
        ),
        ({"value": "5", "days": "2024-01-01"}, "is a date of a patient without index_date"),
    ],
)
def test_what_is_refused_with_its_address(columns, message):
    with pytest.raises(DataError, match=message):
        check(**{"analyte": "nfl_serum", "unit": "pg/mL", **columns})


@pytest.mark.parametrize(
    ("name", "matrix", "analyte"),
    [
        ("NF-L", "Serum", "nfl_serum"),
        ("neurofilament light", "plasma", "nfl_plasma"),
        ("Serum NfL", None, "nfl_serum"),
        ("NfL", "Liquor", "nfl_csf"),
        ("YKL-40", "CSF", "chi3l1_csf"),
        ("FVC", None, "fvc_pct"),
        ("Urate", "serum", "uric_acid_serum"),
        ("albumin", "serum", "albumin_serum"),
    ],
)
def test_names_of_analytes(name, matrix, analyte):
    unit = analytes(shipped())["unit"][analyte]
    assert check(analyte=name, matrix=matrix, unit=unit, value="50")["analyte"][0] == analyte


def test_implausible_values_are_kept_or_refused_as_the_user_says():
    problems = Problems()
    kept = check(analyte="albumin_serum", unit="g/dL", value="42", problems=problems)
    assert kept["value"][0] == 42
    assert "albumin_serum 42" in problems.found[0].found
    with pytest.raises(
        DataError, match=r"lies outside the plausible range. Correct the value or its unit"
    ):
        check(ReadingRules(strict=True), analyte="albumin_serum", unit="g/dL", value="42")


def test_values_that_reach_no_feature_are_counted():
    problems = Problems()
    check(
        analyte="crp_serum",
        unit="mg/L",
        value=["0", "2", "3"],
        days=["0", "0", None],
        problems=problems,
    )
    found = [problem.found for problem in problems.found]
    assert found == ["1 values have no day", "1 values on log scale are not above 0"]


def test_rows_of_nobody_are_one_warning_whatever_their_cells():
    table = pd.DataFrame(
        {
            "sample_id": ["a", "z"],
            "NfL": ["5", "6"],
            "Crea": ["1", "1"],
            "days": ["3", "2024-01-01"],
        }
    )
    facts = {name: {"unit": unit} for name, unit in (("NfL", "pg/mL"), ("Crea", "mg/dL"))}
    problems, none = Problems(), np.full(2, np.datetime64("NaT"), dtype="datetime64[D]")
    found = checked_wide(
        shipped(),
        table,
        Wide(facts, {"days": "days", "matrix": "serum"}),
        ROWS,
        "w",
        problems,
        ReadingRules(),
        none,
    )
    assert found["analyte"].tolist() == ["nfl_serum", "creatinine_serum"]
    assert [problem.found for problem in problems.found] == ["'z' is not a patient"]


def test_wide_and_long_give_the_same_rows():
    wide = pd.DataFrame(
        {
            "sample_id": ["a", "b"],
            "NfL": ["<5", "60"],
            "Crea": ["66,3", None],
            "drawn": ["3", "9"],
            "x": ["?", "?"],
        }
    )
    columns = {"NfL": {"analyte": "nfl_serum", "unit": "pg/mL", "assay": "Quanterix"}}
    columns["Crea"] = {"analyte": "creatinine", "matrix": "serum", "unit": "umol/L"}
    problems = Problems()
    rules = ReadingRules(Dialect())
    from_wide = checked_wide(
        shipped(), wide, Wide(columns, {"days": "drawn"}), ROWS, "w.csv", problems, rules, None
    )
    from_long = check(
        sample_id=["a", "b", "a"],
        analyte=["nfl_serum", "nfl_serum", "creatinine_serum"],
        value=["<5", "60", "66,3"],
        unit=["pg/mL", "pg/mL", "umol/L"],
        assay=["simoa", "simoa", None],
        days=["3", "9", "3"],
    )
    same = ["row", "analyte", "value", "days", "assay", "censored"]
    for name in same:
        assert list(from_wide[name]) == list(from_long[name])
    assert "1 columns are not named in the `wide` block and not read (x)" in problems.found[0].found


NUMBER = st.floats(0.01, 1000).map(lambda value: f"{value:.4g}")
CELL = st.one_of(
    st.none(), NUMBER, NUMBER.map(lambda text: f"<{text}"), NUMBER.map(lambda text: f"> {text}")
)


@given(st.lists(st.tuples(CELL, CELL, st.integers(-500, 500)), min_size=1, max_size=8))
def test_any_wide_table_is_its_long_one(lines):
    names = {"NfL": ("nfl_serum", "ng/L"), "Crea": ("creatinine_serum", "mmol/L")}
    wide = pd.DataFrame(lines, columns=["NfL", "Crea", "days"]).astype(object).assign(sample_id="a")
    wide["days"] = wide["days"].astype(float)
    facts = Wide(
        {name: {"analyte": analyte, "unit": unit} for name, (analyte, unit) in names.items()},
        {"days": "days"},
    )
    rules = ReadingRules(Dialect("."))
    from_wide = checked_wide(shipped(), wide, facts, ROWS, "w", Problems(), rules, None)
    parts = [
        wide[["sample_id", "days"]].assign(analyte=a, unit=u, value=wide[name])
        for name, (a, u) in names.items()
    ]
    long = checked_biomarkers(
        shipped(), pd.concat(parts, ignore_index=True), ROWS, "l", Problems(), rules
    )
    columns = ["row", "value", "days"]
    assert from_wide[columns].equals(long[columns])
    assert list(from_wide["analyte"]) == list(long["analyte"])
    assert list(from_wide["censored"]) == list(long["censored"])


def test_a_message_names_the_cell_of_the_wide_file():
    wide = pd.DataFrame({"sample_id": ["a", "b"], "NfL": ["5", "high"]})
    facts = Wide({"NfL": {"analyte": "nfl_serum", "unit": "pg/mL"}})
    with pytest.raises(DataError, match=r"w.csv, column NfL, line 3: 'high' is not a number"):
        checked_wide(shipped(), wide, facts, ROWS, "w.csv", Problems(), ReadingRules(), None)
    with pytest.raises(DataError, match=r"there is no column 'NFL'. Did you mean 'NfL'"):
        checked_wide(
            shipped(), wide, Wide({"NFL": {}}), ROWS, "w.csv", Problems(), ReadingRules(), None
        )


def test_assays_and_matrices_are_never_pooled(cohort):
    table = check(
        analyte=["nfl_serum", "nfl_serum", "nfl_plasma"], unit="pg/mL", value=["10", "20", "40"],
        assay=["simoa", "ella", "simoa"],
    )  # fmt: skip
    apart = rows_of(cohort, table)
    values = [
        apart[feature_name(shipped(), n, s)][0]
        for n, s in (("nfl_serum", "simoa"), ("nfl_serum", "ella"), ("nfl_plasma", "simoa"))
    ]
    assert np.exp(values) == pytest.approx([10, 20, 40])
    assert np.isnan(apart[feature_name(shipped(), "nfl_serum", "unknown")][0])
    with pytest.raises(
        DataError,
        match=r"nfl_serum: it was measured by simoa and ella, which are not interchangeable",
    ):
        rows_of(cohort, table, assays="refuse")


def test_a_bridge_with_a_source_converts(cohort):
    """Serum = -0.33 + 1.11 x plasma (doi:10.3389/fneur.2022.894119); Ella has no such equation and
    stays apart.
    """
    table = check(
        analyte=["nfl_plasma", "nfl_serum"],
        unit="pg/mL",
        value=["40", "20"],
        assay=["simoa", "ella"],
    )
    bridged = rows_of(cohort, table, assays="bridge")
    assert np.exp(bridged[feature_name(shipped(), "nfl_serum", "simoa")][0]) == pytest.approx(
        -0.33 + 1.11 * 40
    )
    assert np.exp(bridged[feature_name(shipped(), "nfl_serum", "ella")][0]) == pytest.approx(20)
    assert np.isnan(bridged[feature_name(shipped(), "nfl_plasma", "simoa")][0])


def test_which_value_counts(cohort):
    table = check(
        analyte="albumin_serum",
        unit="g/dL",
        value=["4.0", "4.4", "4.6", "3.6"],
        days=["0", "30", "30", "60"],
    )
    found = rows_of(cohort, table, summaries=("last", "first", "mean", "slope"))
    names = [
        feature_name(shipped(), "albumin_serum", summary=s)
        for s in ("last", "first", "mean", "slope")
    ]
    slope = np.polyfit(np.array([0, 30, 30, 60]) / 30.4375, [4.0, 4.4, 4.6, 3.6], 1)[0]
    assert [found[name][0] for name in names] == pytest.approx([3.6, 4.0, 4.15, slope])


def test_replicates_of_a_skewed_analyte_are_averaged_geometrically(cohort):
    table = check(analyte="nfl_serum", unit="pg/mL", value=["10", "40"], assay="simoa")
    assert np.exp(rows_of(cohort, table)["log_nfl_serum_simoa"][0]) == pytest.approx(20)


def test_derived_values():
    table = check(
        analyte=[
            "weight",
            "height",
            "weight",
            "neutrophils_blood",
            "lymphocytes_blood",
            "lymphocytes_blood",
        ],
        unit=["kg", "m", "kg", "10^9/L", "10^9/L", "10^9/L"],
        value=["81", "1.80", "72", "6", "2", "3"],
        days=["0", "0", "60", "10", "10", "40"],
    )
    derived = with_derived(shipped(), table, NOBODY)
    bmi = derived[derived["analyte"] == "bmi"]
    assert bmi["value"].tolist() == pytest.approx([25.0, 72 / 1.8**2])
    assert bmi["days"].tolist() == [0, 60]
    assert derived.loc[derived["analyte"] == "nlr_blood", "value"].tolist() == [3.0]


def test_a_measured_value_wins_over_a_derived_one():
    table = check(
        analyte=["weight", "height", "bmi"],
        unit=["kg", "m", "kg/m2"],
        value=["81", "1.80", "24"],
        days="0",
    )
    derived = with_derived(shipped(), table, NOBODY)
    assert derived.loc[derived["analyte"] == "bmi", "value"].tolist() == [24.0]


@pytest.mark.parametrize(("height", "bmi"), [("1.80", 1), ("0", 0), ("1e-170", 0)])
def test_a_quotient_beyond_all_numbers_is_not_derived(height, bmi):
    table = check(analyte=["weight", "height"], unit=["kg", "m"], value=["81", height], days="0")
    assert (with_derived(shipped(), table, NOBODY)["analyte"] == "bmi").sum() == bmi


def test_two_assays_of_a_day_are_derived_from_each():
    table = check(
        analyte=["nfl_serum", "nfl_serum", "creatinine_serum"],
        unit=["pg/mL", "pg/mL", "mg/dL"],
        value=["10", "20", "0.5"],
        assay=["simoa", "ella", None],
        days="0",
    )
    derived = with_derived(shipped(), table, NOBODY)
    ratio = derived[derived["analyte"] == "nfl_creatinine_serum"]
    assert sorted(ratio["value"]) == pytest.approx([20.0, 40.0])
    assert sorted(ratio["assay"]) == ["ella", "simoa"]


def test_values_on_tofersen_are_kept_apart(cohort):
    table = check(
        analyte="nfl_serum", unit="pg/mL", value=["80", "30"], assay="simoa", days=["0", "60"]
    )
    patients = cohort.patients.copy()
    patients.loc[0, "tofersen_start_days"] = 30.0
    treated = replace(cohort, biomarkers=table, patients=patients)
    assert on_tofersen(treated).tolist() == [False, True]
    assert np.exp(
        biomarker_features(as_known(treated, 90))["log_nfl_serum_simoa"][0]
    ) == pytest.approx(80)


def test_an_analyte_is_a_line_of_the_definitions(cohort):
    ours = with_line(
        shipped(), "biomarkers",
        analyte="sestrin_serum", name="Sestrin", matrix="serum", unit="ng/mL", scale="log",
        separate_assays="no", plausible_min="0", plausible_max="900", feature="yes", slope="no",
    )  # fmt: skip
    table = check(definitions=ours, analyte="Serum Sestrin", unit="ug/L", value="7,5")
    features = rows_of(replace(cohort, definitions=ours), table)
    assert np.exp(features["log_sestrin_serum"][0]) == pytest.approx(7.5)
    assert "sestrin_serum" not in analytes(shipped()).index


@pytest.mark.parametrize("summary", ["first", "mean", "slope"])
def test_each_summary_leaves_the_prognosis_as_it_is(cohort, summary):
    from features.blocks.rows import feature_rows
    from features.blocks.spec import FeatureSpec

    last, other = (
        feature_rows(cohort, FeatureSpec(summaries=(name,))) for name in ("last", summary)
    )
    assert other["encals_lp"].equals(last["encals_lp"])
    assert "fvc_pct" not in other.columns
