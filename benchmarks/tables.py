"""A million biomarker rows and half a million visits to a patient matrix, beside the same job in
plain pandas idioms.

python -m benchmarks tables [PATIENTS]: made-up values. Reading, checking and features from CSV,
each way in its own process, so that the peak of memory is its own. The plain way does less: no
limits, dates, implausible values or stages, one numeric slope.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

UNITS = {
    "nfl_serum": ("pg/mL", 60.0),
    "creatinine_serum": ("umol/L", 60.0),
    "albumin_serum": ("g/L", 42.0),
    "ck_serum": ("U/L", 200.0),
    "crp_serum": ("mg/L", 3.0),
    "ferritin_serum": ("ug/L", 120.0),
    "uric_acid_serum": ("umol/L", 300.0),
    "fvc_pct": ("%", 80.0),
    "weight": ("kg", 70.0),
    "neutrophils_blood": ("10^9/L", 5.0),
}


def main(arguments: Sequence[str] = ()) -> None:
    if arguments[:1] == ["run"]:
        run(arguments[1], Path(arguments[2]))
        return
    patients = int(arguments[0]) if arguments else 50_000
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), patients)
        ours, theirs = (best_of(way, folder) for way in ("als-ml", "pandas"))
    seconds, memory = (mine / plain for mine, plain in zip(ours, theirs, strict=True))
    print(f"als-ml takes {seconds:.2f} x the time and {memory:.2f} x the memory of plain pandas")


def best_of(way: str, folder: str, times: int = 3) -> tuple[float, float]:
    """Best wall time of three runs, and its peak memory, MB."""
    runs = []
    for _ in range(times):
        command = [sys.executable, "-m", "benchmarks", "tables", "run", way, folder]
        words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        runs.append((float(words[-2]), float(words[-1])))
    seconds, memory = min(runs)
    print(f"{way:7s} {seconds:6.2f} s, peak {memory:5.0f} MB", flush=True)
    return seconds, memory


def run(way: str, folder: Path) -> None:
    """One run: seconds without imports, peak megabytes."""
    job = {"als-ml": ours, "pandas": plain}[way]
    job(folder / "small")  # what is imported on first use is not the job
    start = time.perf_counter()
    shape = job(folder)
    seconds = time.perf_counter() - start
    # What /proc says of the process itself: ru_maxrss starts from what its parent had.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1e3
    print(shape, f"{seconds:.3f} {peak:.0f}")


def ours(folder: Path) -> tuple[int, int]:
    """Read, check and compute every feature."""
    from als_ml.cohort.read import plain_reading, read_cohort
    from als_ml.cohort.source import open_cohort
    from features.blocks.rows import feature_rows
    from features.blocks.spec import FeatureSpec

    cohort = read_cohort(open_cohort(folder / "cohort.yaml"), plain_reading())
    return feature_rows(cohort, FeatureSpec()).shape


def plain(folder: Path) -> tuple[int, int]:
    """What one would write in a notebook: read_csv, apply a factor, last value by pivot, polyfit by
    group is left out.
    """
    factor = {"creatinine_serum": 1 / 88.4, "albumin_serum": 0.1}
    table = pd.read_csv(folder / "biomarkers.csv")
    text = table["value"].astype(str)
    low = text.str.startswith("<")
    table["value"] = pd.to_numeric(text.str.lstrip("<")) * np.where(low, 1 / np.sqrt(2), 1.0)
    table["value"] *= table["analyte"].map(factor).fillna(1.0)
    table["name"] = table["analyte"] + "_" + table["assay"].fillna("")
    early = table[table["days"] <= 90].sort_values(["sample_id", "name", "days"])
    wide = (
        early.groupby(["sample_id", "name"])["value"]
        .last()
        .reset_index()
        .pivot_table(index="sample_id", columns="name", values="value")
    )
    visits = pd.read_csv(folder / "alsfrs.csv")
    items = [f"q{i}" for i in range(1, 13)]
    visits["total"] = visits[items].sum(axis=1, skipna=False)
    visits = visits[visits["days"] <= 90].sort_values(["sample_id", "days"])
    last = visits.groupby("sample_id")[[*items, "total", "days"]].last()
    slope = visits.groupby("sample_id").apply(_slope)
    patients = pd.read_csv(folder / "patients.csv").set_index("sample_id")
    return patients.join(wide).join(last).assign(slope=slope).shape


def _slope(visits: pd.DataFrame) -> float:
    return (
        float(np.polyfit(visits["days"], visits["total"], 1)[0])
        if len(visits) > 1
        else float("nan")
    )


def write_tables(folder: Path, patients: int) -> None:
    """20 values and 10 visits a patient, and a small cohort beside them."""
    for place, n in ((folder, patients), (folder / "small", 500)):
        place.mkdir(exist_ok=True)
        _write(place, n, np.random.default_rng(1))


def _write(folder: Path, n: int, rng: np.random.Generator) -> None:
    ids = np.array([f"P{i:06d}" for i in range(n)])
    columns = {
        "sample_id": ids,
        "age_at_onset": rng.normal(62, 8, n).round(1),
        "onset_days": -rng.integers(60, 1500, n),
    }
    pd.DataFrame(columns).to_csv(folder / "patients.csv", index=False)
    names = rng.choice(list(UNITS), 20 * n)
    value = pd.Series(
        np.array([UNITS[name][1] for name in names]) * np.exp(rng.normal(0, 0.12, 20 * n))
    ).round(3)
    columns = {
        "sample_id": rng.choice(ids, 20 * n),
        "analyte": names,
        "unit": [UNITS[name][0] for name in names],
    }
    written = np.where(rng.random(20 * n) < 0.02, "<", "") + value.astype(str).to_numpy()
    assay = np.where(names == "nfl_serum", rng.choice(["simoa", "ella"], 20 * n), "")
    table = pd.DataFrame(
        {**columns, "value": written, "assay": assay, "days": rng.integers(-200, 400, 20 * n)}
    )
    table.to_csv(folder / "biomarkers.csv", index=False)
    days = np.tile(np.arange(10) * 45 - 30, n) + rng.integers(0, 30, 10 * n)
    points = np.clip(
        4 - (rng.gamma(2, 0.4, (10 * n, 12)) + (days[:, None] + 100) / 400).astype(int), 0, 4
    )
    visits = pd.DataFrame(points, columns=[f"q{i}" for i in range(1, 13)])
    visits.insert(0, "days", days)
    visits.insert(0, "sample_id", np.repeat(ids, 10))
    visits.to_csv(folder / "alsfrs.csv", index=False)
    (folder / "cohort.yaml").write_text(
        "patients: patients.csv\nbiomarkers: biomarkers.csv\nalsfrs: alsfrs.csv\n"
    )
