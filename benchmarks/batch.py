"""One million patients from a feature table: time and memory of predict.py, against the booster alone on the ready matrix.

python -m benchmarks batch [PATIENTS]. The rival reads nothing and writes nothing: XGBoost's own `inplace_predict`, on two cores.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import train
from als_ml.__main__ import main as als_ml
from als_ml.simulate import simulate
from als_ml.tracking import load_model

ROOT = Path(__file__).resolve().parent.parent
MODEL = "models:/als-xgboost@champion"


def main(arguments: Sequence[str] = ()) -> None:
    patients = int(arguments[0]) if arguments else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        table = prepare(folder)
        enlarge(table, folder / "large.parquet", patients)
        alone = booster_alone(table, patients)
        print(f"inplace_predict alone, {patients:,} patients: {alone:.1f} s", flush=True)
        for label, more in (("drivers off", ["--no-drivers"]), ("drivers on", [])):
            if more or patients <= 1_000_000:
                seconds, megabytes = scored(folder, more)
                print(f"predict.py, {label}: {seconds:.1f} s, {patients / seconds:,.0f} patients a second, {megabytes:.0f} MB; "
                      f"{alone / seconds:.2f} x the booster alone", flush=True)  # fmt: skip


def prepare(folder: Path) -> Path:
    simulate(folder / "cohort", 800, 1)
    changes = [f"cohort={folder}/cohort/cohort.yaml", "tracking.model_name=als-xgboost", "validation.honesty=false",
               "validation.sites=false", "model.parameters={n_estimators: 300}"]  # fmt: skip
    words = [part for change in changes for part in ("--set", change)]
    assert train.main(["--config", str(ROOT / "configs/quick.yaml"), "--quiet", *words]) == 0
    table = folder / "features.parquet"
    assert als_ml(["features", "--cohort", f"{folder}/cohort/cohort.yaml", "--output", str(table), "--quiet"]) == 0
    return table


def enlarge(table: Path, target: Path, patients: int) -> None:
    """The demo's patients again and again, with identifiers of their own."""
    small, written = pq.read_table(table), 0
    with pq.ParquetWriter(target, small.schema) as writer:
        while written < patients:
            part = small.slice(0, min(len(small), patients - written))
            names = pa.array([f"made-up-{written + i}" for i in range(len(part))], small.schema.field("sample_id").type)
            part = part.set_column(part.schema.get_field_index("sample_id"), "sample_id", names)
            writer.write_table(part.cast(small.schema))
            written += len(part)


def booster_alone(table: Path, patients: int) -> float:
    predictor = load_model(MODEL)
    small = predictor.matrix(predictor.own_columns(pq.read_table(table).to_pandas()))
    X = np.ascontiguousarray(np.resize(small, (patients, small.shape[1])))
    booster = predictor.fitted.members[0].pipeline[-1].get_booster()
    booster.set_param({"nthread": 2})
    started = time.perf_counter()
    booster.inplace_predict(X[:, list(predictor.fitted.members[0].columns)])
    return time.perf_counter() - started


def scored(folder: Path, more: list[str]) -> tuple[float, float]:
    """Seconds and peak MB of predict.py in a process of its own."""
    command = [sys.executable, str(ROOT / "predict.py"), "--model", MODEL, "--features", str(folder / "large.parquet")]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.perf_counter()
    subprocess.run([*command, "--output", str(folder / "out.parquet"), "--quiet", *more], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.perf_counter() - started, max(peak, before) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
