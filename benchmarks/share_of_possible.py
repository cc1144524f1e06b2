"""Share of the possible that the shipped configurations reach on simulated cohorts, honestly cross-validated.

python -m benchmarks share [SEEDS] [PATIENTS ...]: by default 10 seeds of 800 and of 3,000 patients. Simulated data: this
proves the machinery, not medicine.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.cohort import read_cohort
from als_ml.config import load_config
from als_ml.evaluation import share_of_possible
from als_ml.simulate import simulate
from als_ml.trainable import prepare
from als_ml.validation import cross_validate

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def main(arguments: Sequence[str] = ()) -> None:
    seeds = int(arguments[0]) if arguments else 10
    for patients in map(int, arguments[1:] or (800, 3000)):
        found: dict[str, list[tuple[float, float]]] = {"familial": [], "progression": []}
        for seed in range(1, seeds + 1):
            with tempfile.TemporaryDirectory() as folder:
                simulate(Path(folder) / "cohort", patients, seed)
                for task, results in found.items():
                    results.append(measure(task, Path(folder) / "cohort"))
            print(f"  {patients} patients, seed {seed}: {[r[-1] for r in found.values()]}", file=sys.stderr, flush=True)
        for task, results in found.items():
            best, share = np.array(results).T
            spread = f"SD {share.std(ddof=1):.3f}, " if seeds > 1 else ""
            print(f"{task:12s} {patients:5d} patients, {seeds} seeds: best possible ROC AUC {best.mean():.3f}, "
                  f"share of it {share.mean():.3f} ({spread}{share.min():.2f}-{share.max():.2f})", flush=True)  # fmt: skip


def measure(task: str, folder: Path) -> tuple[float, float]:
    """Best ROC AUC and the share reached, from the out-of-fold probabilities of the shipped configuration."""
    changes = [f"cohort={folder}/cohort.yaml", "validation.bootstrap=0", "validation.honesty=false"]
    config = load_config(CONFIGS / f"{task}.yaml", changes)
    data = prepare(config, *read_cohort(Path(config.cohort)))
    probability = cross_validate(data, config).probability
    truth = pd.read_csv(folder / "truth.csv").set_index("sample_id")[f"p_{task}"]
    best, share = share_of_possible(data.y, probability["model"], truth.reindex(data.rows.index).to_numpy())
    return round(best, 4), round(share, 4)
