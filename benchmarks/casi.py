"""The published ALS table of Efron & Hastie: our configuration beside four estimators tuned on the same folds.

The rivals are what a user would pick instead: random forest, histogram boosting and elastic net of scikit-learn, and
LightGBM, each with a random search of 10 settings on 3 inner folds inside every training part, their probabilities behind
scikit-learn's own sigmoid calibration. Ours is tuned by as many trials with `--set model.search.trials=10`.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from lightgbm import LGBMClassifier
from scipy.stats import loguniform, randint, uniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.training.folds import cross_validate
from als_ml.training.metrics import calibration_errors, evaluate, paired_differences
from als_ml.training.task_data import prepared
from models.members import family_folds

HERE = Path(__file__).resolve().parent
SETTINGS = 10
RIVALS: dict[str, tuple[Any, dict[str, Any]]] = {
    "random forest": (
        RandomForestClassifier(n_estimators=200, random_state=1, n_jobs=1),
        {"min_samples_leaf": randint(1, 20), "max_features": uniform(0.02, 0.18)},
    ),
    "histogram boosting": (
        HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=1),
        {
            "learning_rate": loguniform(0.02, 0.1),
            "max_leaf_nodes": randint(3, 12),
            "max_features": uniform(0.05, 0.2),
        },
    ),
    "LightGBM": (
        LGBMClassifier(n_estimators=200, subsample_freq=1, random_state=1, n_jobs=1, verbose=-1),
        {
            "learning_rate": loguniform(0.01, 0.1),
            "num_leaves": randint(3, 20),
            "colsample_bytree": uniform(0.1, 0.6),
            "subsample": uniform(0.5, 0.5),
            "reg_lambda": loguniform(0.1, 30),
        },
    ),
    "elastic net": (
        make_pipeline(
            StandardScaler(),
            LogisticRegression(solver="saga", max_iter=500, tol=1e-3, random_state=1),
        ),
        {
            "logisticregression__C": loguniform(1e-3, 0.3),
            "logisticregression__l1_ratio": uniform(0, 1),
        },
    ),
}


def reference_data() -> Path:
    return Path(os.environ.get("ALS_ML_REFERENCE_DATA", HERE.parent.parent / "shared" / "data"))


def write_cohort(folder: Path) -> Path:
    """The cohort file that the configuration is given."""
    path = folder / "cohort.yaml"
    table = reference_data().resolve() / "casi" / "als_train.csv"
    path.write_text(f"name: casi\npatients: {table}\ncolumns: {{sample_id: patient_id}}\n")
    return path


def tuned_probability(
    name: str, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Probabilities of a rival that was tuned and calibrated on the training part."""
    estimator, space = RIVALS[name]
    with threadpool_limits(1):
        search = RandomizedSearchCV(
            estimator, space, n_iter=SETTINGS, cv=3, scoring="neg_log_loss", random_state=1
        )
        best = search.fit(X[train], y[train]).best_estimator_
        return (
            CalibratedClassifierCV(best, cv=5, ensemble=False)
            .fit(X[train], y[train])
            .predict_proba(X[test])[:, 1]
        )


def main(arguments: Sequence[str] = ()) -> None:
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(
            HERE / "casi.yaml", [f"cohort={write_cohort(Path(folder))}", *arguments]
        )
        data = prepared(config, open_cohort(Path(config.cohort)))
    v, X, y, started = config.validation, data.rows.to_numpy(), data.y, time.perf_counter()
    found = {f"als-ml {config.model.estimator}": cross_validate(data, config).probability["model"]}
    print(
        f"{len(y)} patients, {X.shape[1]} features, {int(y.sum())} fast; {v.repeats} x {v.folds} folds",
        flush=True,
    )
    report(found, y, data.families, v, started)
    splits = [
        split
        for r in range(v.repeats)
        for split in family_folds(y, data.families, v.folds, v.seed + r)
    ]
    for name in RIVALS:
        started = time.perf_counter()
        parts = Parallel(n_jobs=2)(
            delayed(tuned_probability)(name, X, y, *split) for split in splits
        )
        total = np.zeros(len(y))
        for (_, test), p in zip(splits, parts, strict=True):
            total[test] += p / v.repeats
        found[name] = total
        report({name: total}, y, data.families, v, started)
    ours, *rivals = found
    for name in rivals:
        change = paired_differences(y, found[ours], found[name], data.families, v.bootstrap, v.seed)
        print(
            f"ours - {name}: "
            + ", ".join(f"{m} {d:+.4f} ({a:+.4f} to {b:+.4f})" for m, (d, a, b) in change.items())
        )


def report(
    found: dict[str, np.ndarray], y: np.ndarray, families: np.ndarray, v: Any, started: float
) -> None:
    for name, p in found.items():
        m = evaluate(y, p, p >= y.mean(), families, v.bootstrap, v.seed) | calibration_errors(y, p)
        print(f"{name:20s} ROC AUC {m['roc_auc']:.4f} ({m['roc_auc_low']:.3f}-{m['roc_auc_high']:.3f}), Brier {m['brier']:.4f}, "
              f"log loss {m['log_loss']:.4f}, slope {m['calibration_slope']:.3f}, ECE {m['ece']:.3f}, "
              f"{time.perf_counter() - started:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
