"""What the shipped configurations reach on simulated cohorts: share of the possible, coverage,
calibration, abstention; of survival Uno's c up to month 12 beside the oracle's, O/E, D-calibration
and the lower bound.

python -m benchmarks share [SEEDS] [PATIENTS ...] [--resume FOLDER]: by default 10 seeds of 800 and
of 3,000 patients. Everything is out of fold. Simulated data: this proves the machinery, not
medicine.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from als_ml.cohort.source import open_cohort
from als_ml.config import Config, load_config
from als_ml.simulate import simulate
from als_ml.training.folds import cross_validate
from als_ml.training.metrics import exact_interval, share_of_possible
from als_ml.training.survival_estimates import survival_figures
from als_ml.training.survival_metrics import uno_c
from als_ml.training.task_data import Trainable, prepared
from benchmarks.kept import Kept, whole_number
from models.conformal import conformal_limits
from models.tasks import SURVIVAL

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"
TASKS = ("familial", "progression", "survival")
FIGURES: tuple[str, ...] = (
    "best",
    "share",
    "abstained",
    "oracle_abstained",
    "holds",
    "holds_positive",
    "holds_negative",
    "slope",
    "slope_holds",
)
OF_TIMES: tuple[str, ...] = (
    "best",
    "share",
    "latent",
    "c",
    "slope",
    "slope_holds",
    "oe",
    "oe_holds",
    "d_calibration",
    "bound",
    "bound_holds",
)
# What a kept result rests on beside the cohort and the configuration.
_SOURCES = (
    *sorted((ROOT / "models").glob("*.py")),
    *sorted((ROOT / "models/survival").glob("*.py")),
    ROOT / "als_ml/training/folds.py",
)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure cohort by cohort, and report each size."""
    asked = _parser().parse_args(arguments)
    kept = Kept(asked.resume)
    for patients in asked.patients or (800, 3000):
        found: dict[str, list[dict[str, float]]] = {task: [] for task in asked.tasks}
        for seed in range(1, asked.seeds + 1):
            with tempfile.TemporaryDirectory() as folder:
                cohort = Path(folder) / "cohort"
                simulate(cohort, patients, seed)
                for task, results in found.items():
                    name = (f"share of {task}", f"{patients}-{seed}")
                    results.append(_measured(task, cohort, asked.set, name, kept))
            shown = {task: round(results[-1]["share"], 3) for task, results in found.items()}
            print(f"  {patients} patients, seed {seed}: {shown}", file=sys.stderr, flush=True)
        for task, results in found.items():
            report(task, patients, pd.DataFrame(results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks share", description=__doc__)
    add = parser.add_argument
    add("seeds", nargs="?", type=whole_number, default=10)
    add("patients", nargs="*", type=whole_number)
    add("--resume", type=Path, metavar="FOLDER", help="keep each cohort's figures, go on from them")
    add("--tasks", nargs="+", choices=TASKS, default=TASKS)
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change the configuration")
    return parser


def _measured(
    task: str, folder: Path, changes: Sequence[str], name: tuple[str, ...], kept: Kept
) -> dict[str, float]:
    """The figures of one cohort, or what is kept of them."""
    config, data, truth = _cohort(task, folder, *changes)
    rests_on = _digest(config, data, truth)

    def make() -> list[np.ndarray]:
        found = _figures(config, data, truth)
        return [np.array([float(found[figure]) for figure in names])]

    names = OF_TIMES if task == SURVIVAL.name else FIGURES
    values = kept.result(name, rests_on, make)[0]
    return dict(zip(names, map(float, values), strict=True))


def _digest(config: Config, data: Trainable, truth: np.ndarray) -> str:
    rows = np.ascontiguousarray(data.rows.to_numpy()).tobytes()
    code = b"".join(path.read_bytes() for path in _SOURCES)
    settings = config.model.model_dump_json() + config.validation.model_dump_json()
    parts = (rows, data.y.tobytes(), truth.tobytes(), code, settings.encode())
    return sha256(b"|".join(parts)).hexdigest()


def report(task: str, patients: int, found: pd.DataFrame) -> None:
    """Print means over the cohorts, and in how many of them a promise held."""

    def mean(name: str) -> str:
        values = found[name]
        if len(found) == 1:
            return f"{values.mean():.3f}"
        spread = f"SD {values.std(ddof=1):.3f}, {values.min():.2f}-{values.max():.2f}"
        return f"{values.mean():.3f} ({spread})"

    if task == SURVIVAL.name:
        found = found.assign(of_c=found["c"] / found["best"])
        print("\n  ".join(_lines_of_times(patients, found, mean)), flush=True)
        return
    held = found[["holds", "holds_positive", "holds_negative"]].astype(bool)
    counts = held.sum()
    slopes = int(found["slope_holds"].sum())
    covered = ", ".join(f"{n} {name.partition('_')[2] or 'overall'}" for name, n in counts.items())
    every = held.all(axis=1).sum()
    lines = [
        f"{task}, {patients} patients, {len(found)} seeds: best possible ROC AUC {mean('best')}",
        f"share of it {mean('share')}",
        f"calibration slope {mean('slope')}, 1 in its 95 % interval in {slopes}",
        f"0.9 in the exact 99 % interval of the coverage in {covered}; all three in {every}",
        f"abstained {mean('abstained')}, the oracle {mean('oracle_abstained')}",
    ]
    print("\n  ".join(lines), flush=True)


def _lines_of_times(patients: int, found: pd.DataFrame, mean: Callable[[str], str]) -> list[str]:
    slopes, ratios, bounds = (
        int(found[f"{name}_holds"].sum()) for name in ("slope", "oe", "bound")
    )
    uniform = int((found["d_calibration"] > 0.05).sum())
    oracle = f"the oracle's c {mean('best')}, with the true rate {mean('latent')}"
    bound = f"live as long as the lower bound {mean('bound')}"
    return [
        f"survival, {patients} patients, {len(found)} seeds: {oracle}; the model's {mean('c')}",
        f"share of its distance from 0.5 {mean('share')}, of the oracle's c {mean('of_c')}",
        f"calibration slope {mean('slope')}, 1 in its 95 % interval in {slopes}",
        f"O/E by month 12 {mean('oe')}, 1 in its 95 % interval in {ratios}",
        f"D-calibration p above 0.05 in {uniform}",
        f"{bound}, 0.9 in its 95 % interval in {bounds}",
    ]


def measure(task: str, folder: Path, *more: str) -> dict[str, Any]:
    """Out-of-fold figures of the shipped configuration on one cohort, and the oracle's on the same
    patients.
    """
    return _figures(*_cohort(task, folder, *more))


def _cohort(task: str, folder: Path, *more: str) -> tuple[Config, Trainable, np.ndarray]:
    """Configuration, patients and their true probability (n,)."""
    changes = [
        f"cohort={folder}/cohort.yaml",
        f"validation.bootstrap={200 if task == SURVIVAL.name else 0}",
        "validation.honesty=false",
        *more,
    ]
    config = load_config(CONFIGS / f"{task}.yaml", changes)
    data = prepared(config, open_cohort(Path(config.cohort)))
    truth = pd.read_csv(folder / "truth.csv").set_index("sample_id")[f"p_{task}"]
    return config, data, truth.reindex(data.rows.index).to_numpy()


def _figures(config: Config, data: Trainable, truth: np.ndarray) -> dict[str, Any]:
    if data.times is not None:
        return _of_times(config, data, truth)
    validated, y = cross_validate(data, config), data.y
    p = validated.probability["model"]
    best, share = share_of_possible(y, p, truth)
    found: dict[str, Any] = {
        "best": best,
        "share": share,
        "abstained": validated.covered[:, 1].mean(),
    }
    low, high = conformal_limits(truth, y, config.validation.coverage)
    found["oracle_abstained"] = ((low >= truth).astype(int) + (high >= 1 - truth) != 1).mean()
    for name, own in (("", y >= 0), ("_positive", y == 1), ("_negative", y == 0)):
        inside = validated.covered[own, 0]
        first, last = exact_interval(round(inside.sum()), len(inside), 0.99)
        found[f"holds{name}"] = first <= config.validation.coverage <= last
    return found | _slope(y, p)


def _of_times(config: Config, data: Trainable, truth: np.ndarray) -> dict[str, Any]:
    """Figures of a survival time; c up to month 12, where everybody's risk is stated."""
    validated, times, one = cross_validate(data, config), data.of_times, np.ones((1, len(truth)))
    metrics, _ = survival_figures(data, validated, config)
    latent = pd.read_csv(Path(config.cohort).parent / "truth.csv").set_index("sample_id")
    scores = {
        "best": truth,
        "latent": latent["p_survival_latent"].reindex(data.rows.index).to_numpy(),
        "c": validated.probability["model"],
    }
    event = times.event.astype(float)
    found = {k: float(uno_c(times.months, event, v, one, 12.0)[0]) for k, v in scores.items()}
    low, high = (metrics.get(f"bound_coverage_{end}", np.nan) for end in ("low", "high"))
    return found | {
        "share": (found["c"] - 0.5) / (found["best"] - 0.5),
        "slope": metrics["calibration_slope"],
        "slope_holds": _holds(metrics, "calibration_slope"),
        "oe": metrics["oe_12m"],
        "oe_holds": _holds(metrics, "oe_12m"),
        "d_calibration": metrics["d_calibration_p"],
        "bound": metrics["bound_coverage"],
        "bound_holds": low <= metrics["bound_asked"] <= high,
    }


def _holds(metrics: dict[str, float], name: str) -> bool:
    return metrics[f"{name}_low"] <= 1 <= metrics[f"{name}_high"]


def _slope(y: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    """Calibration slope with its Wald interval."""
    odds = np.log(p / (1 - p))
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(odds[:, None], y)
    q = fitted.predict_proba(odds[:, None])[:, 1]
    design = np.column_stack([np.ones(len(y)), odds])
    error = np.sqrt(np.linalg.inv(design.T @ (design * (q * (1 - q))[:, None]))[1, 1])
    slope = float(fitted.coef_[0, 0])
    return {"slope": slope, "slope_holds": abs(slope - 1) <= 1.96 * error}


if __name__ == "__main__":
    main(sys.argv[1:])
