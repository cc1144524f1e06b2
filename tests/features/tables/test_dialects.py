"""The demo cohort written in three dirty dialects gives the same features; `check` says what is
wrong with a spoiled one.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from als_ml.__main__ import main as als_ml
from features.blocks.landmark import as_known
from features.blocks.rows import feature_rows
from features.blocks.spec import FeatureSpec
from features.catalogue import patient_columns, shipped
from features.errors import DataError
from features.tables.coded import decoded
from features.tables.files import read_coded
from features.tables.problems import Problems
from tests.cohorts import read

SPEC = FeatureSpec(blocks=("clinical", "biomarkers", "alsfrs"))
START = pd.Timestamp("2021-03-05")


def tables(demo: Path) -> dict[str, pd.DataFrame]:
    return {
        name: pd.read_csv(demo / f"{name}.csv", dtype=str, keep_default_na=False)
        for name in ("patients", "biomarkers", "alsfrs")
    }


def index_dates(ids: pd.Series) -> pd.Series:
    """A calendar day 0 for each patient."""
    return START + pd.to_timedelta(pd.factorize(ids)[0] % 700, unit="D")


def dated(
    table: pd.DataFrame, column: str, form: str, ids: pd.Series, dates: pd.Series
) -> pd.Series:
    """A column of days as calendar dates."""
    start = ids.map(dates)
    days = pd.to_numeric(table[column], errors="coerce")
    written = (start + pd.to_timedelta(days, unit="D")).dt.strftime(form)
    return written.where(days.notna(), "")


def rewrite(table: pd.DataFrame, analyte: str, was: str, unit: str, factor: float) -> None:
    """State an analyte in another unit.

    Limits keep their sign, and what is in that unit already keeps its value.
    """
    own = table["analyte"] == analyte
    sign = table["value"].str.extract("^([<>]?)")[0]
    value = pd.to_numeric(table["value"].str.lstrip("<>"))
    changed = own & (table["unit"] == was)
    table.loc[changed, "value"] = (sign + (value * factor).map("{:.12g}".format))[changed]
    table.loc[own, "unit"] = unit


def german(demo: Path, folder: Path) -> None:
    """Semicolons, decimal commas, dates with dots, German words, SI units."""
    t = tables(demo)
    ids = t["patients"]["sample_id"]
    dates = pd.Series(index_dates(ids), index=ids)
    for name in ("biomarkers", "alsfrs"):
        t[name]["days"] = dated(t[name], "days", "%d.%m.%Y", t[name]["sample_id"], dates)
    for column in ("onset_days", "diagnosis_days"):
        t["patients"][column] = dated(t["patients"], column, "%d.%m.%Y", ids, dates)
    t["patients"]["index_date"] = dates.dt.strftime("%d.%m.%Y").to_numpy()
    t["patients"]["sex"] = t["patients"]["sex"].map({"female": "weiblich", "male": "m\u00e4nnlich"})
    rewrite(t["biomarkers"], "albumin_serum", "g/dL", "g/L", 10)
    rewrite(t["biomarkers"], "creatinine_serum", "mg/dL", "\u00b5mol/l", 88.4)
    for column in ("value", "ref_low", "ref_high"):
        t["biomarkers"][column] = t["biomarkers"][column].str.replace(".", ",")
    t["patients"]["age_at_onset"] = t["patients"]["age_at_onset"].str.replace(".", ",")
    names = {"sample_id": "Patient", "sex": "Geschlecht", "days": "Datum", "value": "Ergebnis"}
    for name, table in t.items():
        table.rename(columns=names).to_csv(folder / f"{name}.csv", index=False, sep=";")
    words = {"sex": {"weiblich": "female", "m\u00e4nnlich": "male"}}
    write_cohort(folder, "csv", columns=names, values=words, decimal=",")


def american(demo: Path, folder: Path) -> None:
    """Month first, pounds and milligrams, thousands separators, other column names and words,
    tabs.
    """
    t = tables(demo)
    ids = t["patients"]["sample_id"]
    dates = pd.Series(index_dates(ids), index=ids)
    for name in ("biomarkers", "alsfrs"):
        t[name]["days"] = dated(t[name], "days", "%m/%d/%Y", t[name]["sample_id"], dates)
    t["patients"]["index_date"] = dates.dt.strftime("%m/%d/%Y").to_numpy()
    t["patients"]["sex"] = t["patients"]["sex"].str[:1].str.upper()
    rewrite(t["biomarkers"], "weight", "kg", "lb", 1 / 0.45359237)
    rewrite(t["biomarkers"], "uric_acid_serum", "umol/L", "mg/dl", 1 / 59.48)
    rewrite(t["biomarkers"], "nfl_serum", "pg/mL", "fg/mL", 1000)
    fine = (t["biomarkers"]["unit"] == "fg/mL") & ~t["biomarkers"]["value"].str.startswith("<")
    t["biomarkers"].loc[fine, "value"] = pd.to_numeric(t["biomarkers"]["value"][fine]).map(
        "{:,.6f}".format
    )
    t["patients"] = t["patients"].rename(
        columns={"sample_id": "Subject ID", "sex": "Gender", "onset_site": "Site of Onset"}
    )
    theirs = {"analyte": "Test Name", "value": "Result", "unit": "Units", "days": "Collection Date"}
    t["biomarkers"] = t["biomarkers"].rename(columns={"sample_id": "Subject ID", **theirs})
    t["alsfrs"] = t["alsfrs"].rename(
        columns={"sample_id": "Subject ID", "days": "Visit Date", "q1": "Q1_Speech"}
    )
    for name, table in t.items():
        table.to_csv(folder / f"{name}.tsv", index=False, sep="\t")
    write_cohort(folder, "tsv", dates="month_first", decimal=".")


def spreadsheet(demo: Path, folder: Path) -> None:
    """Excel and Parquet; biomarkers wide, one line a patient and day; item 5 by its form.

    Missing forms.
    """
    t = tables(demo)
    long = t["biomarkers"]
    rewrite(long, "creatinine_serum", "umol/L", "mg/dL", 1 / 88.4)
    rewrite(long, "uric_acid_serum", "mg/dL", "umol/L", 59.48)
    facts = long.drop_duplicates(["analyte", "assay"])
    long["column"] = long["analyte"].where(
        long["assay"] == "", long["analyte"] + " " + long["assay"]
    )
    keys = ["sample_id", "days"]
    wide = (
        long.pivot_table(index=keys, columns="column", values="value", aggfunc="first")
        .fillna("NA")
        .reset_index()
    )
    wide.to_excel(folder / "biomarkers.xlsx", index=False)
    t["alsfrs"].rename(columns={"q5": "q5a"}).drop(columns="q5_form").replace("", "-").to_excel(
        folder / "alsfrs.xlsx", index=False
    )
    t["patients"].replace("", None).to_parquet(folder / "patients.parquet")
    columns = {
        (row.analyte if not row.assay else f"{row.analyte} {row.assay}"): {
            "analyte": row.analyte,
            "unit": row.unit,
        }
        | ({"assay": row.assay} if row.assay else {})
        for row in facts.itertuples()
    }
    described = {
        "patients": "patients.parquet",
        "biomarkers": "biomarkers.xlsx",
        "alsfrs": "alsfrs.xlsx",
    }
    (folder / "cohort.yaml").write_text(
        yaml.safe_dump({**described, "wide": {"days": "days", "columns": columns}})
    )


def write_cohort(folder: Path, suffix: str, **more) -> None:
    files = {name: f"{name}.{suffix}" for name in ("patients", "biomarkers", "alsfrs")}
    (folder / "cohort.yaml").write_text(yaml.safe_dump({**files, **more}))


@pytest.mark.parametrize("dialect", [german, american, spreadsheet])
def test_a_dirty_dialect_gives_the_same_features(cohort, demo, tmp_path, dialect):
    dialect(demo, tmp_path)
    dirty = read(tmp_path / "cohort.yaml", Problems())
    clean, same = feature_rows(cohort, SPEC), feature_rows(dirty, SPEC)
    assert list(clean.index) == list(same.index)
    for name in clean.columns:
        assert np.allclose(clean[name], same[name], rtol=1e-4, atol=1e-5, equal_nan=True), name


@pytest.fixture
def folder(demo, tmp_path):
    for name, table in tables(demo).items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    write_cohort(tmp_path, "csv")
    return tmp_path


def checked(folder: Path, capsys) -> tuple[int, dict]:
    status = als_ml(["check", "--cohort", str(folder / "cohort.yaml"), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_check_tells_what_is_in_the_files(folder, capsys):
    status, report = checked(folder, capsys)
    assert status == 0
    assert (
        report["samples"]["patients"]
        == report["samples"]["alsfrs"]
        == report["contents"]["patients"]
    )
    creatinine = next(row for row in report["analytes"] if row["analyte"] == "creatinine_serum")
    assert creatinine["units seen"] == "mg/dL, umol/L"
    assert 0 < creatinine["% missing"] < 30
    crp = next(row for row in report["analytes"] if row["analyte"] == "crp_serum")
    assert crp["censored"] > 0
    assert len({row["site"] for row in report["sites"]}) == 6
    assert als_ml(["check", "--cohort", str(folder / "cohort.yaml")]) == 0
    assert "median by site" in capsys.readouterr().out


def test_check_hints_at_a_site_whose_unit_is_wrong(folder, capsys):
    patients, values = (
        pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        for name in ("patients", "biomarkers")
    )
    there = values["sample_id"].isin(patients.loc[patients["site"] == "site2", "sample_id"])
    own = there & (values["analyte"] == "albumin_serum")
    values.loc[own, "value"] = (pd.to_numeric(values["value"][own]) * 10).astype(
        str
    )  # g/L under the name of g/dL
    values.to_csv(folder / "biomarkers.csv", index=False)
    _, report = checked(folder, capsys)
    hints = [
        p for p in report["problems"] if "the median of albumin_serum at site site2" in p["found"]
    ]
    assert len(hints) == 1
    assert (
        "10 is a conversion factor: are its values given in g/L but stated in g/dL?"
        in hints[0]["remedy"]
    )
    assert (
        next(row for row in report["analytes"] if row["analyte"] == "albumin_serum")["implausible"]
        == own.sum()
    )


def test_check_groups_every_cause(folder, capsys):
    values = pd.read_csv(folder / "biomarkers.csv", dtype=str, keep_default_na=False)
    values.loc[3:5, "unit"] = "furlong"
    values.loc[10, "value"] = "high"
    values = pd.concat([values, values.tail(2)])
    values.to_csv(folder / "biomarkers.csv", index=False)
    patients = pd.read_csv(folder / "patients.csv", dtype=str, keep_default_na=False)
    patients.loc[0, ["riluzole_start_days", "riluzole_stop_days"]] = ["20", "10"]
    patients.loc[1, "age_at_onset"] = "1"
    patients.to_csv(folder / "patients.csv", index=False)
    status, report = checked(folder, capsys)
    assert status == 1
    errors = [
        (p["found"], p["count"])
        for p in report["files"]["biomarkers.csv"]
        if p["severity"] == "error"
    ]
    assert (
        sum(
            count
            for found, count in errors
            if "is measured in 'furlong', which does not fit" in found
        )
        == 3
    )
    assert ("'high' is not a number", 1) in errors
    everything = " ".join(p["found"] for p in report["problems"])
    assert "2 rows repeat another exactly" in everything
    assert "1 rows end riluzole before it begins" in everything


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decimal": ";"}, "key decimal"),
        (
            {"wide": {"columns": {"NfL": {"units": "pg/mL"}}}},
            "units: this key is not known. Did you mean 'unit'",
        ),
        (
            {"wide": {"columns": {"NfL": {"analyte": "nfl_serum", "unit": "pg/mL"}}}},
            "there is no column 'NfL'",
        ),
        ({"policy": "strict"}, "lies outside the plausible range. Correct the value or its unit"),
        ({"columns": {"sample_id": "nobody"}}, ""),
    ],
)
def test_a_spoiled_description(folder, capsys, change, message):
    described = yaml.safe_load((folder / "cohort.yaml").read_text())
    (folder / "cohort.yaml").write_text(yaml.safe_dump({**described, **change}))
    output = folder / "out.csv"
    status = als_ml(
        ["features", "--cohort", str(folder / "cohort.yaml"), "--output", str(output), "--quiet"]
    )
    error = capsys.readouterr().err
    assert message in error
    assert output.exists() == (status == 0) == (not message)


def test_the_landmark_takes_later_rows_from_each_table(cohort):
    known = as_known(cohort, 90)
    assert (cohort.biomarkers["days"] > 90).any()
    assert (cohort.alsfrs["days"] > 90).any()
    assert known.biomarkers["days"].max() <= 90
    assert known.alsfrs["days"].max() <= 90
    days = [
        name
        for name in patient_columns(shipped()).index  # a sign's day is a further column
        if name.endswith("_days") and known.patients[name].notna().any()
    ]
    assert "death_days" not in days
    assert all((known.patients[name].dropna() <= 90).all() for name in days)
    for name in (
        "death_days",
        "tracheostomy_days",
        "niv_23h_days",
        "last_contact_days",
        "riluzole",
        "genetic_test_reason",
    ):
        assert known.patients[name].isna().all()


def test_an_ambiguous_cell_is_refused_with_its_address(folder):
    values = pd.read_csv(folder / "biomarkers.csv", dtype=str, keep_default_na=False)
    values.loc[7, "value"] = "1,234"
    values.to_csv(folder / "biomarkers.csv", index=False)
    with pytest.raises(
        DataError,
        match=r"biomarkers.csv, column value, line 9: '1,234' may have a decimal or a thousands",
    ):
        read(folder / "cohort.yaml")
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("a", "a"),
        ("a b", "a b"),
        (" a", "a"),
        ("a\u00a0", "a"),
        ("\u00e9", "\u00e9"),
        ("'=1", "=1"),
        ("'a", "'a"),
        ("NA", None),
        (" na ", None),
        ("n/a", None),
        ("", None),
        ("-", "-"),
        ("~", "~"),
    ],
)
@pytest.mark.parametrize("beside", ["a", " a", "NA"])
def test_a_cell_is_read_the_same_beside_any_other(tmp_path, cell, read, beside):
    """Whether a column is clean or not: a cell, the same again, and another that may mean it."""
    path = tmp_path / "t.csv"
    path.write_text(f'x,y\n1,"{cell}"\n2,"{beside}"\n3,"{cell}"\n', encoding="utf-8")
    found = decoded(read_coded(path)["y"]).tolist()
    assert found == [read, {"NA": None}.get(beside, "a"), read]
