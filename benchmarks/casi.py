"""The published ALS table of Efron & Hastie: our shipped configuration beside scikit-learn's random forest, same folds."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from als_ml.cohort import read_cohort
from als_ml.config import load_config
from als_ml.evaluation import METRICS, evaluate
from als_ml.trainable import prepare
from als_ml.validation import cross_validate
from models.members import family_folds

HERE = Path(__file__).resolve().parent


def reference_data() -> Path:
    return Path(os.environ.get("ALS_ML_REFERENCE_DATA", HERE.parent.parent / "shared" / "data"))


def write_cohort(folder: Path) -> Path:
    """The cohort file that the configuration is given."""
    path = folder / "cohort.yaml"
    table = reference_data().resolve() / "casi" / "als_train.csv"
    path.write_text(f"name: casi\npatients: {table}\ncolumns: {{sample_id: patient_id}}\n")
    return path


def main(arguments: Sequence[str] = ()) -> None:
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(HERE / "casi.yaml", [f"cohort={write_cohort(Path(folder))}", *arguments])
        data = prepare(config, *read_cohort(Path(config.cohort)))
    probability = cross_validate(data, config).probability
    seed, X = config.validation.seed, data.rows.to_numpy()
    forest = np.empty(len(data.y))
    for train, test in family_folds(data.y, data.families, config.validation.folds, seed):
        fitted = RandomForestClassifier(n_estimators=500, random_state=seed, n_jobs=2).fit(X[train], data.y[train])
        forest[test] = fitted.predict_proba(X[test])[:, 1]
    print(f"{len(data.y)} patients, {X.shape[1]} features, {int(data.y.sum())} fast")
    for name, p in ((f"als-ml {config.model.estimator}", probability["model"]), ("scikit-learn random forest", forest)):
        found = evaluate(data.y, p, p >= data.y.mean(), data.families, config.validation.bootstrap, seed)
        shown = ", ".join(f"{m} {found[m]:.3f}" for m in METRICS)
        print(
            f"{name:28s} ROC AUC {found['roc_auc']:.3f} ({found['roc_auc_low']:.3f}-{found['roc_auc_high']:.3f}); {shown}"
        )
