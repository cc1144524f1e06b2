"""Survival times on a real table: ours beside logistic regression on the raw columns and Cox on dFS
and age.

python -m benchmarks times [--repeats N] [--set KEY=VALUE]. The public table of trial patients knows
beyond day 365 only those who die, so that the follow-up is cut there for everyone. Figures are
means over repeats of the folds; differences are of the patients' mean risk over the repeats, with
95 % intervals from the bootstrap over patients.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from als_ml.cohort.source import open_cohort
from als_ml.config import Config, load_config
from als_ml.training.folds import plain_logistic, run_fold
from als_ml.training.metrics import family_weights, percentiles
from als_ml.training.survival_folds import months_of, plain_cox
from als_ml.training.survival_metrics import harrell_c
from als_ml.training.task_data import Trainable, prepared
from benchmarks.kept import whole_number
from benchmarks.public_tables import CONFIGS, alsml, reference_data
from models.members import family_folds
from models.survival.times import YEAR

DRAWS, FOLDS, SEED = 1000, 5, 101
OURS, LOGISTIC, COX = "als-ml", "logistic on raw columns", "Cox on dFS and age"
CHANGES = (
    "landmark_days=0",
    "label.event=death",
    "label.follow_up_days=365",
    "features.blocks=[clinical,biomarkers,alsfrs,prognosis]",
    "features.columns=[fvc_litres]",
    "features.known_at=baseline",
    "validation.honesty=false",
)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks times", description=__doc__)
    parser.add_argument("--repeats", type=whole_number, default=5, help="of the folds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    folder = reference_data() / "alsml"
    if not folder.is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    changes = [f"cohort={folder}/cohort.yaml", *CHANGES, *given.set]
    config = load_config(CONFIGS / "survival.yaml", changes)
    data = prepared(config, open_cohort(Path(config.cohort)))
    raw = alsml("died_12m", 0.5).columns().reindex(data.rows.index).to_numpy(np.float32)
    risks = _risks(data, raw, config, given.repeats)
    _show(data, risks)
    _show_encals(data)


def _risks(data: Trainable, raw: np.ndarray, config: Config, repeats: int) -> dict[str, np.ndarray]:
    """Out-of-fold risk by day 365 of each method, (repeats, n)."""
    risks = {name: np.empty((repeats, len(data.y))) for name in (OURS, LOGISTIC, COX)}
    at = np.flatnonzero(months_of(data) == YEAR)[0]
    for repeat in range(repeats):
        for train, test in family_folds(data.y, data.families, FOLDS, SEED + repeat):
            fold = run_fold(data, train, test, config)
            risks[OURS][repeat, test] = 1 - fold.curves["model"][:, at]
            y = data.judged[train]
            risks[LOGISTIC][repeat, test] = plain_logistic(raw[train], y, raw[test])
            rule = data.baselines["cox"]
            cox, curve = plain_cox(rule[train], data.of_times.take(train))
            risks[COX][repeat, test] = curve.risk(cox(rule[test]), np.array([YEAR]))[:, 0]
        print(f"repeat {repeat + 1} of {repeats}", flush=True)
    return risks


def _show(data: Trainable, risks: dict[str, np.ndarray]) -> None:
    y, times = data.judged, data.of_times
    print(f"alsml: {len(y)} patients, {int(y.sum())} die within 365 days")
    one, event = np.ones((1, len(y))), times.event.astype(int)
    for name, found in risks.items():
        auc = np.mean([roc_auc_score(y, p) for p in found])
        c = np.mean([harrell_c(times.months, event, p, one)[0] for p in found])
        ratio = np.mean([y.mean() / p.mean() for p in found])
        print(f"{name:24s} ROC AUC {auc:.4f}, c-index {c:.4f}, observed/expected {ratio:.3f}")
    weights = np.vstack([one, family_weights(y, data.families, DRAWS, 1)])
    ours = risks[OURS].mean(axis=0)
    for name in (LOGISTIC, COX):
        theirs = risks[name].mean(axis=0)
        change = _aucs(y, ours, weights) - _aucs(y, theirs, weights)
        low, high = percentiles(change[1:])
        print(f"{OURS} - {name}: ROC AUC {change[0]:+.4f} ({low:+.4f} to {high:+.4f})")
        by_time = harrell_c(times.months, event, ours, weights) - harrell_c(
            times.months, event, theirs, weights
        )
        low, high = percentiles(by_time[1:])
        print(f"{OURS} - {name}: c-index {by_time[0]:+.4f} ({low:+.4f} to {high:+.4f})")


def _aucs(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.array([roc_auc_score(y, p, sample_weight=w) for w in weights])


def _show_encals(data: Trainable) -> None:
    """Of how many patients the published score can be computed, and what is unknown of all."""
    known = np.isfinite(data.baselines.get("encals", np.empty((0, 1)))).all(axis=1)
    inputs = ("delta_fs", "diagnostic_delay_months", "age_at_onset", "fvc_pct", "onset_bulbar")
    rows = data.rows.reindex(columns=[*inputs, "el_escorial_definite", "ftd"])
    unknown = ", ".join(rows.columns[rows.isna().all()])
    print(f"ENCALS: {known.sum()} complete cases; unknown of everybody: {unknown}")
