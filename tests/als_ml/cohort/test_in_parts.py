"""A cohort in parts gives what the whole gives: same predictions, same messages."""

import shutil

import pandas as pd
import pytest
import yaml

import predict
from als_ml.cohort import in_parts
from als_ml.cohort.read import plain_reading
from als_ml.cohort.source import open_cohort
from features.tables.problems import Problem, Problems, merged
from tests.cohorts import read

MODEL = "models:/als-progression@champion"


@pytest.fixture
def shuffled(demo, tmp_path):
    """The demo cohort with its long tables in no order, and the parts small."""
    folder = tmp_path / "cohort"
    shutil.copytree(demo, folder)
    for name in ("biomarkers.csv", "alsfrs.csv"):
        table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        table.sample(frac=1, random_state=1).to_csv(folder / name, index=False)
    return folder


def predicted(folder, store, capsys, *more: str) -> tuple[int, str, bytes]:
    output = folder.parent / "out.csv"
    output.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
        words = [
            "--model",
            MODEL,
            "--cohort",
            str(folder / "cohort.yaml"),
            "--output",
            str(output),
            *more,
        ]
        status = predict.main(words)
    return status, capsys.readouterr().err, output.read_bytes() if output.exists() else b""


DEAR = [".tsv", ".csv.gz", ".xlsx"]
WAYS = [".csv", ".parquet", *(pytest.param(way, marks=pytest.mark.slow) for way in DEAR)]


@pytest.mark.parametrize("suffix", WAYS)
def test_parts_are_the_whole(suffix, shuffled, store, capsys, monkeypatch):
    described = yaml.safe_load((shuffled / "cohort.yaml").read_text())
    for kind in ("biomarkers", "alsfrs", "patients"):
        table = pd.read_csv(shuffled / f"{kind}.csv", keep_default_na=suffix == ".parquet")
        path = shuffled / f"{kind}{suffix}"
        if suffix == ".parquet":
            table.to_parquet(path)
        elif suffix == ".xlsx":
            table.head(500).to_excel(path, index=False)
        else:
            table.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
        described[kind] = path.name
    (shuffled / "cohort.yaml").write_text(yaml.safe_dump(described))
    _, _, whole = predicted(shuffled, store, capsys, "--quiet")
    monkeypatch.setattr(in_parts, "LARGE", 100)
    monkeypatch.setattr(in_parts, "PART", 37)
    status, _, parts = predicted(shuffled, store, capsys, "--quiet")
    assert status == 0
    assert parts == whole


def test_each_part_is_the_same_cohort(shuffled):
    whole = read(shuffled / "cohort.yaml")
    source = open_cohort(shuffled / "cohort.yaml")
    with in_parts.large_cohort(source, plain_reading(), Problems(), size=100) as cohort:
        assert cohort.parts == 3
        rows = range(100, 200)
        part, same = cohort.part(1, Problems()), whole.take(list(rows))
    pd.testing.assert_frame_equal(part.patients, same.patients)
    order = ["row", "days", "value"]
    for name in ("biomarkers", "alsfrs"):
        ours, theirs = (getattr(c, name) for c in (part, same))
        keys = order if name == "biomarkers" else order[:2]
        ours, theirs = (
            t.sort_values([*keys, "days"]).reset_index(drop=True)[keys] for t in (ours, theirs)
        )
        pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize(
    ("file", "column", "value", "message"),
    [
        (
            "biomarkers.csv",
            "value",
            "much",
            "biomarkers.csv, column value, line 12: 'much' is not a number",
        ),
        ("alsfrs.csv", "q1", "9", "alsfrs.csv, column q1, line 12: '9' must lie between 0 and 4"),
        ("patients.csv", "sex", "x", "patients.csv, column sex, line 12: 'x' is not a known value"),
    ],
)
def test_a_mistake_has_the_line_of_the_users_file(
    file, column, value, message, shuffled, store, capsys, monkeypatch
):
    table = pd.read_csv(shuffled / file, dtype=str, keep_default_na=False)
    table.loc[10, column] = value
    table.to_csv(shuffled / file, index=False)
    monkeypatch.setattr(in_parts, "LARGE", 100)
    status, error, output = predicted(shuffled, store, capsys, "--quiet")
    assert status == 1
    assert message in error
    assert not output


def test_rows_of_nobody_are_counted(shuffled, store, capsys, monkeypatch):
    table = pd.read_csv(shuffled / "alsfrs.csv", dtype=str, keep_default_na=False)
    table.loc[:4, "sample_id"] = "nobody"
    table.to_csv(shuffled / "alsfrs.csv", index=False)
    problems = Problems()
    source = open_cohort(shuffled / "cohort.yaml")
    with in_parts.large_cohort(source, plain_reading(), problems):
        pass
    assert [p.count for p in problems.found if "of no patient" in p.found] == [5]
    table.assign(sample_id="nobody").to_csv(shuffled / "alsfrs.csv", index=False)
    monkeypatch.setattr(in_parts, "LARGE", 100)
    status, error, _ = predicted(shuffled, store, capsys, "--quiet")
    assert status == 1
    assert "alsfrs.csv: none of its rows belongs to a patient" in error


def test_equal_problems_of_the_parts_become_one():
    part = [
        Problem("warning", f"b.csv, column value, line {i}", f"{i} is odd", "Check it.", i)
        for i in (3, 4)
    ]
    (one,) = merged(part)
    assert (one.count, one.where) == (7, part[0].where)
    assert one.found == "3 is odd (the first of 7 in 2 parts)"
