"""Batch prediction in chunks: the same cells as row by row, whole or not at all, and on after a
kill.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import predict
from als_ml.__main__ import main
from als_ml.output import whole_file
from als_ml.prediction import batch
from als_ml.prediction.batch import SCHEMA, as_table, predicted
from als_ml.tracking.loader import load
from features.errors import RequestError
from tests.test_config import ROOT

MODELS = ("models:/als-familial@champion", "models:/als-progression@champion")


@pytest.fixture(scope="module")
def features(demo, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("features") / "features.parquet"
    assert (
        main(["features", "--cohort", f"{demo}/cohort.yaml", "--output", str(path), "--quiet"]) == 0
    )
    return path


def run(features: Path, output: Path, *more: str) -> int:
    models = [part for model in MODELS for part in ("--model", model)]
    return predict.main(
        [*models, "--features", str(features), "--output", str(output), "--quiet", *more]
    )


@pytest.mark.parametrize("model", MODELS)
def test_columns_are_the_rows(store, features, model):
    """The vectorised cells and those of `predict_table`, one patient after the other, are the same
    to the last bit.
    """
    predictor, table = load(model), pd.read_parquet(features)
    table.loc[3, "on_tofersen"] = 1
    table.loc[4, "age_at_onset"] = 400.0
    rows = as_table(predictor.predict_table(table, drivers=False))
    columns = predicted(predictor, table)
    assert columns.schema == SCHEMA
    for name in SCHEMA.names:
        assert columns[name].equals(rows[name]), name
    assert rows["error"].null_count < len(rows)  # some are not scored
    assert json.loads(rows["missing_inputs"][0].as_py())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_chunks_of_any_size_give_one_file(store, features, tmp_path, monkeypatch, suffix):
    paths = []
    for size in (7, 100_000):
        monkeypatch.setattr(batch.feature_chunks, "__defaults__", (size,))
        monkeypatch.setattr(batch.score_features, "__defaults__", (size,))
        monkeypatch.setattr(batch.chunk_count, "__defaults__", (size,))
        paths.append(tmp_path / f"{size}.{suffix}")
        assert run(features, paths[-1], "--no-drivers") == 0
    read = pd.read_csv if suffix == "csv" else pd.read_parquet
    assert read(paths[0]).equals(read(paths[1]))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)


def test_a_run_that_broke_goes_on(store, features, tmp_path, monkeypatch):
    """The third chunk fails.

    The resumed run scores the rest only, and the file is that of an unbroken run.
    """
    for function in (batch.feature_chunks, batch.score_features, batch.chunk_count):
        monkeypatch.setattr(function, "__defaults__", (50,))
    whole, broken = tmp_path / "whole.parquet", tmp_path / "broken.parquet"
    assert run(features, whole, "--no-drivers") == 0
    own, calls = batch.predicted, []

    def failing(predictor, table):
        calls.append(len(table))
        if len(calls) == 3:
            raise RequestError("disk", "it is full", "Make room.")
        return own(predictor, table)

    monkeypatch.setattr(batch, "predicted", failing)
    assert run(features, broken, "--no-drivers") == 2
    assert not broken.exists()
    assert len(list((tmp_path / ".broken.parquet.parts").glob("[0-9]*"))) == 2
    before = len(calls)
    assert run(features, broken, "--no-drivers", "--resume") == 0
    assert len(calls) - before == 2 * 5 - 2
    assert pq.read_table(broken).equals(pq.read_table(whole))
    assert not list(tmp_path.glob(".*"))


def rows_of(numbers, ids="abc"):
    """Chunks of one row each, from a number on."""
    return lambda first: iter([_row(ids[number]) for number in list(numbers)[first:]])


def _row(sample_id):
    row = dict.fromkeys(batch.SCHEMA.names) | {"sample_id": sample_id, "task": "familial"}
    return batch.pa.Table.from_pylist([row], schema=batch.SCHEMA)


def written(output, chunks=None, resume=True):
    batch.write_parts(chunks or rows_of(range(3)), 3, output, {}, resume, lambda *_: None)
    return pq.read_table(output)["sample_id"].to_pylist()


def test_who_is_killed_while_the_parts_go_is_not_taken_for_unfinished(tmp_path, monkeypatch):
    """The output is whole; a later `--resume` begins anew, and sweeps what was left."""
    output, own = tmp_path / "out.parquet", batch.shutil.rmtree

    def killed(folder):
        batch._part(folder, 0).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(batch.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        written(output, resume=False)
    monkeypatch.setattr(batch.shutil, "rmtree", own)
    assert pq.read_table(output)["sample_id"].to_pylist() == ["a", "b", "c"]
    monkeypatch.setattr("features.temporary.is_alive", lambda _: False)
    assert written(output) == ["a", "b", "c"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_parts_stay_until_what_belongs_beside_the_output_is_written(tmp_path):
    """A disk that is full for the explanations costs neither them nor the predictions."""
    output, beside = tmp_path / "out.parquet", tmp_path / "beside.csv"

    def write(beside, chunks):
        batch.write_parts(chunks, 3, output, {}, True, lambda *_: None, beside)

    def full():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(full, rows_of(range(3)))
    assert [path.name for path in tmp_path.iterdir()] == [".out.parquet.parts"]

    def told():
        with whole_file(beside) as temporary:
            temporary.write_text("whole")
        assert not output.exists()

    write(told, lambda first: iter([] if first == 3 else [1 / 0]))  # nothing is scored again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.csv", "out.parquet"]
    assert pq.read_table(output)["sample_id"].to_pylist() == ["a", "b", "c"]


@pytest.mark.parametrize("numbers", [range(2), range(4)])
def test_chunks_of_another_number_than_announced_give_no_output(numbers, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        written(tmp_path / "out.parquet", rows_of(numbers, ids="abcd"), resume=False)
    assert [path.name for path in tmp_path.iterdir()] == [".out.parquet.parts"]


def test_parts_behind_a_gap_are_made_again(tmp_path):
    """Each part is taken over by its number, however they came to be fewer."""
    output = tmp_path / "out.parquet"
    with pytest.raises(ZeroDivisionError):
        written(output, lambda first: (_row("abc"[n]) if n < 2 else 1 / 0 for n in range(3)), False)
    batch._part(tmp_path / ".out.parquet.parts", 0).unlink()
    assert written(output) == ["a", "b", "c"]


def test_two_writers_of_one_output(tmp_path):
    """The second is refused at once, and the first goes on."""
    output = tmp_path / "out.parquet"

    def chunks(first):
        with pytest.raises(RequestError, match="another command is writing it"):
            written(output)
        return rows_of(range(3))(first)

    assert written(output, chunks) == ["a", "b", "c"]
    assert written(output, rows_of(range(3), "xyz"), resume=False) == ["x", "y", "z"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_who_was_killed_before_the_first_part_is_begun_again(tmp_path):
    (tmp_path / ".out.parquet.parts").mkdir()
    assert written(tmp_path / "out.parquet") == ["a", "b", "c"]


def test_parts_of_something_else_are_not_taken_over(store, features, tmp_path, capsys):
    parts = tmp_path / ".out.parquet.parts"
    parts.mkdir()
    (parts / "state").write_text("another")
    assert run(features, tmp_path / "out.parquet", "--resume") == 2
    assert "made from other inputs or models" in capsys.readouterr().err
    assert run(features, tmp_path / "out.parquet") == 0  # begun again


@pytest.mark.slow
def test_killed_at_any_time(store, features, tmp_path):
    """kill -9 while it scores: no output, or a whole one; and `--resume` ends it."""
    large = tmp_path / "large.parquet"
    table = pd.read_parquet(features)
    pd.concat([table] * 300, ignore_index=True).to_parquet(large)
    output = tmp_path / "out.parquet"
    command = [
        sys.executable,
        str(ROOT / "predict.py"),
        "--model",
        MODELS[1],
        "--features",
        str(large),
    ]
    command += ["--output", str(output), "--no-drivers", "--quiet"]
    server = subprocess.Popen(command, env=os.environ | store)
    until = time.monotonic() + 120
    while (
        not list(tmp_path.glob(".out.parquet.parts/0*"))
        and server.poll() is None
        and time.monotonic() < until
    ):
        time.sleep(0.01)
    server.send_signal(signal.SIGKILL)
    server.wait(20)
    assert not output.exists() or pq.ParquetFile(output).metadata.num_rows == 300 * len(table)
    subprocess.run([*command, "--resume"], env=os.environ | store, timeout=300, check=True)
    assert pq.ParquetFile(output).metadata.num_rows == 300 * len(table)


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet"])
def test_a_broken_feature_table(store, tmp_path, capsys, content):
    (tmp_path / "features.parquet").write_bytes(content)
    assert run(tmp_path / "features.parquet", tmp_path / "out.csv") == 1
    assert "it cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()
    assert run(tmp_path / "none.parquet", tmp_path / "out.csv") == 1
    assert "there is no such file" in capsys.readouterr().err


def test_the_summary_counts_everything(store, demo, tmp_path, capsys):
    """Scored and not scored add up to the patients; the reasons are named."""
    words = [
        "--model",
        MODELS[1],
        "--cohort",
        f"{demo}/cohort.yaml",
        "--output",
        str(tmp_path / "out.csv"),
    ]
    assert predict.main(words) == 0
    text, rows = capsys.readouterr().out, pd.read_csv(tmp_path / "out.csv")
    assert f"{len(rows)} rows" in text
    for reason, n in (
        rows["error"].dropna().map(lambda e: json.loads(e)["reason"]).value_counts().items()
    ):
        assert f"not scored: {n} of progression, {reason}" in text
    assert np.isfinite(rows.loc[rows["error"].isna(), "probability"]).all()
