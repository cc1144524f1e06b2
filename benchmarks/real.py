"""Every real table that is there: ours beside plain and tuned logistic regression, forests,
boosting and EBM.

python -m benchmarks real [--quick] [--trials N] [--ours] [casi] [alsml]: 5 x 5 folds, --quick 1 x
5, --ours without the tuned rivals. `python -m benchmarks casi` is `real casi`. Ours runs from the
tables with its shipped configuration, and with the same learner on the raw columns that the rivals
are given. Figures are mean over repeats; differences are of the averaged probabilities, with
intervals from the bootstrap over patients.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import brier_score_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from als_ml.cohort.source import open_cohort
from als_ml.config import Config, load_config
from als_ml.training.folds import plain_logistic
from als_ml.training.metrics import paired_differences
from als_ml.training.task_data import Trainable, prepared, recipe_of
from benchmarks.public_tables import PublicTable, present, reference_data
from benchmarks.rivals import available, tuned_probability
from models.calibration import fit_sigmoid
from models.fitted import fit_model
from models.members import family_folds

DRAWS, SEED, EDGE = 2000, 1, 1e-6
OURS = "als-ml"
Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main(arguments: Sequence[str] = ()) -> None:
    asked = _asked(arguments)
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    with tempfile.TemporaryDirectory() as folder:
        for table in present(tuple(asked.tables), Path(folder)):
            measure(table, asked)


def casi(arguments: Sequence[str] = ()) -> None:
    main(["casi", *arguments])


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks real", description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[[], "casi", "alsml"])
    parser.add_argument("--quick", action="store_true", help="one repeat of the folds")
    parser.add_argument("--ours", action="store_true", help="without the tuned rivals")
    parser.add_argument("--trials", type=int, default=6, help="settings of each rival")
    parser.add_argument("--seed", type=int, default=101, help="of the first repeat")
    return parser.parse_args(arguments)


def measure(table: PublicTable, asked: argparse.Namespace) -> None:
    """Print each method's figures, and ours minus each."""
    config = load_config(table.config, list(table.changes))
    data = prepared(config, open_cohort(Path(config.cohort)))
    order = {name: i for i, name in enumerate(table.ids)}
    own = np.array([order[name] for name in data.rows.index])
    print(
        f"{table.name}: {len(own)} patients, {int(data.y.sum())} positive, {data.rows.shape[1]}"
        f" features of ours, {table.X.shape[1]} raw columns",
        flush=True,
    )
    repeats = 1 if asked.quick else 5
    found = {}
    for name, scorer in scorers(table, own, data, config, asked).items():
        started = time.perf_counter()
        found[name] = [out_of_fold(scorer, data, asked.seed + r) for r in range(repeats)]
        print(
            f"{name:22s} {figures(data.y, found[name])}, {time.perf_counter() - started:.0f} s",
            flush=True,
        )
    differences(data, table.ids[own], found)


def scorers(
    table: PublicTable, own: np.ndarray, data: Trainable, config: Config, asked: argparse.Namespace
) -> dict[str, Scorer]:
    """Train and test patients -> probabilities of the test patients, by method."""
    X, y, likely = table.X[own], data.y, table.likely[own]

    def ours(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        matrix = data.matrix(train)
        return data.fit(matrix, train, config)[0].probability(matrix[test])

    def learner(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        fitted = fit_model(
            X[train], y[train], data.families[train], recipe_of(config), likely[train]
        )
        return fitted.probability(X[test])

    def plain(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        return plain_logistic(X[train], y[train], X[test])

    def rival(name: str) -> Scorer:
        return lambda train, test: tuned_probability(name, X, y, likely, train, test, asked.trials)

    methods: dict[str, Scorer] = {
        OURS: ours,
        f"{OURS}, raw columns": learner,
        "plain logistic": plain,
    }
    return methods | ({} if asked.ours else {name: rival(name) for name in available()})


def out_of_fold(scorer: Scorer, data: Trainable, seed: int) -> np.ndarray:
    """Probabilities of all patients, each by a fit without its fold."""
    splits = family_folds(data.y, data.families, 5, seed)
    parts = Parallel(n_jobs=2, prefer="threads")(
        delayed(_alone)(scorer, *split) for split in splits
    )
    p = np.empty(len(data.y))
    for (_, test), part in zip(splits, parts, strict=True):
        p[test] = part
    return p


def _alone(scorer: Scorer, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    with threadpool_limits(1):
        return scorer(train, test)


def figures(y: np.ndarray, repeats: list[np.ndarray]) -> str:
    auc = np.mean([roc_auc_score(y, p) for p in repeats])
    brier = np.mean([brier_score_loss(y, p) for p in repeats])
    slope = np.mean([fit_sigmoid(_log_odds(p), y)[0] for p in repeats])
    return f"ROC AUC {auc:.4f}, Brier {brier:.4f}, slope {slope:.3f}"


def differences(data: Trainable, ids: np.ndarray, found: dict[str, list[np.ndarray]]) -> None:
    averaged = {name: np.mean(repeats, axis=0) for name, repeats in found.items()}
    ours = [name for name in averaged if name.startswith(OURS)]
    for name in ours:
        for other in (other for other in averaged if other not in ours):
            change = paired_differences(
                data.y, averaged[name], averaged[other], data.families, DRAWS, SEED
            )
            said = ", ".join(
                f"{m} {d:+.4f} ({a:+.4f} to {b:+.4f})"
                for m, (d, a, b) in change.items()
                if m != "log_loss"
            )
            print(f"{name} - {other}: {said}", flush=True)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(p / (1 - p)))


if __name__ == "__main__":
    main(sys.argv[1:])
