"""One million patients from a feature table: time and memory of predict.py, against the booster
alone on the ready matrix.

python -m benchmarks batch [PATIENTS]. The rival reads nothing and writes nothing: XGBoost's own
`inplace_predict`, on two cores.
"""

import os
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
from als_ml.tracking.loader import load

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
        seconds, megabytes = scored(folder, "large.parquet", ["--no-drivers"])
        print(
            f"predict.py, drivers off: {seconds:.1f} s, {patients / seconds:,.0f} patients a"
            f" second, {megabytes:.0f} MB; {alone / seconds:.2f} x the booster alone",
            flush=True,
        )
        few = min(patients, 50_000)
        enlarge(table, folder / "few.parquet", few)
        seconds, megabytes = scored(folder, "few.parquet", [])
        print(
            f"predict.py, drivers on, {few:,}: {seconds:.1f} s, {few / seconds:,.0f} patients a"
            " second",
            flush=True,
        )


def prepare(folder: Path) -> Path:
    simulate(folder / "cohort", 800, 1)
    changes = [
        f"cohort={folder}/cohort/cohort.yaml",
        "tracking.model_name=als-xgboost",
        "validation.honesty=false",
        "validation.sites=false",
        "model.parameters={n_estimators: 300}",
    ]
    words = [part for change in changes for part in ("--set", change)]
    assert train.main(["--config", str(ROOT / "configs/quick.yaml"), "--quiet", *words]) == 0
    table = folder / "features.parquet"
    assert (
        als_ml(
            [
                "features",
                "--cohort",
                f"{folder}/cohort/cohort.yaml",
                "--output",
                str(table),
                "--quiet",
            ]
        )
        == 0
    )
    return table


def enlarge(table: Path, target: Path, patients: int) -> None:
    """The demo's patients again and again, with identifiers of their own."""
    small, written = pq.read_table(table), 0
    copies = pa.concat_tables([small] * (50_000 // len(small)))
    with pq.ParquetWriter(target, small.schema) as writer:
        while written < patients:
            part = copies.slice(0, min(len(copies), patients - written))
            names = pa.array(
                [f"made-up-{written + i}" for i in range(len(part))],
                small.schema.field("sample_id").type,
            )
            part = part.set_column(part.schema.get_field_index("sample_id"), "sample_id", names)
            writer.write_table(part.cast(small.schema))
            written += len(part)


def booster_alone(table: Path, patients: int) -> float:
    predictor = load(MODEL)
    small = predictor.matrix(predictor.own_columns(pq.read_table(table).to_pandas()))
    member = predictor.fitted.members[0]
    chosen = small[:, list(member.columns)]
    X = np.ascontiguousarray(np.resize(chosen, (patients, chosen.shape[1])))
    booster = member.pipeline[-1].get_booster()
    booster.set_param({"nthread": 2})
    started = time.perf_counter()
    booster.inplace_predict(X)
    return time.perf_counter() - started


# What /proc says of the process itself: ru_maxrss starts from what its parent had.
CHILD = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import predict
assert predict.main(sys.argv[1:]) == 0
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def scored(folder: Path, name: str, more: list[str]) -> tuple[float, float]:
    """Seconds and peak MB of predict.py in a process of its own."""
    words = [
        "--model",
        MODEL,
        "--features",
        str(folder / name),
        "--output",
        str(folder / "out.parquet"),
        "--quiet",
        *more,
    ]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOT), *words], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - started, int(done.stdout) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
