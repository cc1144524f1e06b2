"""What the shipped configurations reach on simulated cohorts: share of the possible, coverage,
calibration, abstention.

python -m benchmarks share [SEEDS] [PATIENTS ...]: by default 10 seeds of 800 and of 3,000 patients.
Everything is out of fold. Simulated data: this proves the machinery, not medicine.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.simulate import simulate
from als_ml.training.folds import cross_validate
from als_ml.training.metrics import exact_interval, share_of_possible
from als_ml.training.task_data import prepared
from models.conformal import conformal_limits

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
TASKS = ("familial", "progression")


def main(arguments: Sequence[str] = ()) -> None:
    seeds = int(arguments[0]) if arguments else 10
    for patients in map(int, arguments[1:] or (800, 3000)):
        found: dict[str, list[dict[str, Any]]] = {task: [] for task in TASKS}
        for seed in range(1, seeds + 1):
            with tempfile.TemporaryDirectory() as folder:
                simulate(Path(folder) / "cohort", patients, seed)
                for task, results in found.items():
                    results.append(measure(task, Path(folder) / "cohort"))
            shown = {task: round(results[-1]["share"], 3) for task, results in found.items()}
            print(f"  {patients} patients, seed {seed}: {shown}", file=sys.stderr, flush=True)
        for task, results in found.items():
            report(task, patients, pd.DataFrame(results))


def report(task: str, patients: int, found: pd.DataFrame) -> None:
    def mean(name: str) -> str:
        spread = (
            f" (SD {found[name].std(ddof=1):.3f}, {found[name].min():.2f}-{found[name].max():.2f})"
        )
        return f"{found[name].mean():.3f}{spread if len(found) > 1 else ''}"

    print(
        f"{task}, {patients} patients, {len(found)} seeds: best possible ROC AUC {mean('best')}\n "
        f" share of it {mean('share')}\n  calibration slope {mean('slope')}, 1 in its 95 % interval"
        f" in {found['slope_holds'].sum()}\n  0.9 in the exact 99 % interval of the coverage in"
        f" {found['holds'].sum()} overall, {found['holds_positive'].sum()} positive,"
        f" {found['holds_negative'].sum()} negative; all three in"
        f" {(found['holds'] & found['holds_positive'] & found['holds_negative']).sum()}\n "
        f" abstained {mean('abstained')}, the oracle {mean('oracle_abstained')}",
        flush=True,
    )


def measure(task: str, folder: Path, *more: str) -> dict[str, Any]:
    """Out-of-fold figures of the shipped configuration on one cohort, and the oracle's on the same
    patients.
    """
    changes = [
        f"cohort={folder}/cohort.yaml",
        "validation.bootstrap=0",
        "validation.honesty=false",
        *more,
    ]
    config = load_config(CONFIGS / f"{task}.yaml", changes)
    data = prepared(config, open_cohort(Path(config.cohort)))
    validated, y = cross_validate(data, config), data.y
    p = validated.probability["model"]
    truth = (
        pd.read_csv(folder / "truth.csv")
        .set_index("sample_id")[f"p_{task}"]
        .reindex(data.rows.index)
        .to_numpy()
    )
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
