"""A nested search: 5 outer and 3 inner folds, 30 trials, on 800 simulated patients.

And what our loop and tracking cost.

python -m benchmarks search [ESTIMATOR ...]. The cost is everything that is not spent inside the own
`fit` and `predict` of scikit-learn and XGBoost (reading, Optuna, the mixed model, calibration,
figures, pictures, logging to MLflow), over what is.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from als_ml.config import Config, load_config
from als_ml.simulate import simulate
from als_ml.tracking.log import log_training
from als_ml.training.run import train

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
ESTIMATORS = ("xgboost", "elastic_net", "histogram_boosting", "random_forest")
TIMED = (
    (xgboost.XGBClassifier, ("fit",)),
    (xgboost.Booster, ("inplace_predict", "predict")),
    (LogisticRegression, ("fit", "predict_proba", "decision_function")),
    (RandomForestClassifier, ("fit", "predict_proba")),
    (HistGradientBoostingClassifier, ("fit", "decision_function")),
)


def main(arguments: Sequence[str] = ()) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        simulate(Path(folder) / "cohort", 800, 1)
        for name in arguments or ESTIMATORS:
            os.chdir(folder)
            seconds, _, features, auc = measured(config_of(Path(folder), name, 2))
            if name == "xgboost":
                alone, bare, _, _ = measured(config_of(Path(folder), name, 1))
                cost = (
                    f"; on one core {alone:.0f} s, of them {bare:.0f} s in the bare fits:"
                    f" {alone / bare - 1:+.1%}"
                )
            print(
                f"{name:20s} 5 x 3, 30 trials, 800 x {features}: {seconds:.0f} s on 2 cores, ROC"
                f" AUC {auc:.3f}{cost if name == 'xgboost' else ''}",
                flush=True,
            )


def config_of(folder: Path, name: str, threads: int) -> Config:
    changes = [
        f"cohort={folder}/cohort/cohort.yaml",
        f"model.estimator={name}",
        "model.least_share=0.002",
        "model.search.trials=30",
        f"threads={threads}",
        "model.search.folds=3",
        "validation.inner_folds=3",
        "validation.repeats=1",
        "validation.sites=false",
        "validation.honesty=false",
        "validation.bootstrap=0",
        "tracking.model_name=als-search",
    ]
    return load_config(CONFIGS / "progression.yaml", changes)


def measured(config: Config) -> tuple[float, float, int, float]:
    """Seconds in all, seconds inside the bare calls (right on one core), features that vary enough,
    ROC AUC.
    """
    spent = [0.0]
    with inside(spent):
        started = time.perf_counter()
        training = train(config)
        log_training(training)
        seconds = time.perf_counter() - started
    return (
        seconds,
        spent[0],
        len(training.predictor.fitted.members[0].columns),
        training.metrics["roc_auc"],
    )


@contextmanager
def inside(spent: list[float]) -> Iterator[None]:
    """Add up the time inside the calls of TIMED."""
    depth = [0]

    def timed(call: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            started, depth[0] = time.perf_counter(), depth[0] + 1
            try:
                return call(*args, **kwargs)
            finally:
                depth[0] -= 1
                if depth[0] == 0:
                    spent[0] += time.perf_counter() - started

        return run

    patches = [
        mock.patch.object(cls, name, timed(getattr(cls, name)))
        for cls, names in TIMED
        for name in names
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
