"""A feature table in many files, scored into as many: the rows of one file, and faults by file."""

from pathlib import Path

import pandas as pd
import pytest

from als_ml.__main__ import main
from als_ml.prediction import partitions
from tests.als_ml.prediction.test_batch import features  # noqa: F401 - a fixture

MODELS = ("models:/als-familial@champion", "models:/als-progression@champion")
PARTS = 4


@pytest.fixture
def folder(store, features, tmp_path, monkeypatch) -> Path:  # noqa: F811
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store["MLFLOW_TRACKING_URI"])
    table = pd.read_parquet(features)
    (tmp_path / "in").mkdir()
    for number in range(PARTS):
        table.iloc[number::PARTS].to_parquet(tmp_path / f"in/{number}.parquet", index=False)
    return tmp_path


def scored(source: Path, output: Path, *more: str) -> int:
    models = [part for model in MODELS for part in ("--model", model)]
    words = [*models, "--features", str(source), "--output", str(output), "--quiet", "--no-drivers"]
    return main(["predict", *words, *more])


def rows(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path).sort_values(["task", "sample_id"]).reset_index(drop=True)


def test_a_folder_gives_the_rows_of_one_file(folder, features, capsys):  # noqa: F811
    assert scored(features, folder / "whole.parquet") == 0
    words = ["predict", "--model", MODELS[1], "--features", str(folder / "in"), "--no-drivers"]
    assert main([*words, "--output", str(folder / "one")]) == 0
    assert "(240 rows, " in capsys.readouterr().out
    assert scored(folder / "in", folder / "out") == 0
    assert sorted(p.name for p in (folder / "out").iterdir()) == [
        f"{number}.parquet" for number in range(PARTS)
    ]
    pd.testing.assert_frame_equal(rows(folder / "out"), rows(folder / "whole.parquet"))


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(folder):
    assert scored(folder / "in", folder / "here") == 0
    assert scored(folder / "in", folder / "there", "--cluster", "local:2") == 0
    for number in range(PARTS):
        one, two = (folder / where / f"{number}.parquet" for where in ("here", "there"))
        assert one.read_bytes() == two.read_bytes()


def test_a_bad_file_is_named_the_others_are_kept_and_it_goes_on(folder, capsys, monkeypatch):
    bad = folder / "in/2.parquet"
    good = bad.read_bytes()
    bad.write_bytes(good[: len(good) // 2])
    assert scored(folder / "in", folder / "out") == 1
    said = capsys.readouterr().err
    assert "1 of 4 files cannot be scored: 2.parquet: it cannot be read" in said
    assert len(list((folder / "out").iterdir())) == PARTS - 1
    bad.write_bytes(good)
    assert scored(folder / "in", folder / "out") == 2
    assert "there are files in it already" in capsys.readouterr().err
    own, again = partitions._score, []

    def noting(shared, part):
        again.append(part.source.name)
        return own(shared, part)

    monkeypatch.setattr(partitions, "_score", noting)
    assert scored(folder / "in", folder / "out", "--resume") == 0
    assert again == ["2.parquet"]
    # What was scored by another model, or from another file, is scored again.
    (folder / "in/0.parquet").touch()
    assert scored(folder / "in", folder / "out", "--resume") == 0
    assert sorted(again) == ["0.parquet", "2.parquet"]
    assert scored(folder / "in", folder / "out", "--resume", "--withhold") == 0
    assert len(again) == 2 + PARTS


def test_a_folder_without_a_table_is_told(folder, capsys):
    (folder / "empty").mkdir()
    assert scored(folder / "empty", folder / "out") == 1
    assert "it holds no .parquet file" in capsys.readouterr().err
    assert not (folder / "out").exists()
