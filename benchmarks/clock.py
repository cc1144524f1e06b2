"""Whether a clock from onset foretells more than one from the landmark: Cox models of one real
table by either clock.

python -m benchmarks clock [--repeats N]. By the clock from onset a patient is at risk from the
landmark on only (delayed entry), and the risk by day 365 is that of who has come so far. Figures
are of the mean risk over repeats of the folds; differences are paired, with 95 % intervals from the
bootstrap over families. The follow-up is cut at day 365, as in `python -m benchmarks times`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.training.from_onset import months_to_landmark
from als_ml.training.metrics import family_weights, percentiles
from als_ml.training.survival_metrics import auc_by, brier, harrell_c, observed_by_expected
from als_ml.training.task_data import Trainable, prepared
from benchmarks.kept import whole_number
from benchmarks.public_tables import CONFIGS, reference_data
from benchmarks.times import CHANGES, DRAWS, FOLDS, SEED
from models.members import family_folds
from models.survival.partial_likelihood import RiskSets, at_risk_sums, moments, risk_sets
from models.survival.times import YEAR

CLOCKS = ("landmark", "onset")
# Columns, and the inverse strength of the ridge: hardly any for a rule, some for a hundred columns.
_RATES = ("log_delta_fs", "original_log_delta_fs", "age_at_index")
_MODELS: dict[str, tuple[Sequence[str] | None, float]] = {
    "dFS and age": (_RATES, 1e3),
    "dFS, age and months since onset": ((*_RATES, "log_months_since_onset"), 1e3),
    "all features": (None, 0.1),
}
# Newton steps (six are usual), and the move at which they end.
_MOST_STEPS, _STILL = 30, 1e-6
# As `als_ml.training.survival_estimates`: who is censored on a day was seen through it.
_THROUGH_THE_DAY = 0.02


class Clock(NamedTuple):
    """Months by a clock at which each patient enters and leaves."""

    entry: np.ndarray
    stop: np.ndarray


def main(arguments: Sequence[str] = ()) -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks clock", description=__doc__)
    parser.add_argument("--repeats", type=whole_number, default=3, help="of the folds")
    given = parser.parse_args(arguments)
    folder = reference_data() / "alsml"
    if not folder.is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    config = load_config(CONFIGS / "survival.yaml", [f"cohort={folder}/cohort.yaml", *CHANGES])
    data = prepared(config, open_cohort(Path(config.cohort)))
    since = months_to_landmark(data.cohort.patients, config.landmark_days)
    kept = np.flatnonzero(np.isfinite(since))
    print(f"alsml: {len(kept)} of {len(since)} patients with a known onset")
    for name, (columns, C) in _MODELS.items():
        named = data.rows.columns if columns is None else columns
        used = [column for column in named if data.rows[column].notna().any()]
        X = data.rows[used].to_numpy(dtype=float)
        risks = {clock: _risk(data, X, C, clock, since, given.repeats) for clock in CLOCKS}
        _show(name, data, kept, risks)


def _risk(
    data: Trainable, X: np.ndarray, C: float, clock: str, since: np.ndarray, repeats: int
) -> np.ndarray:
    """Out-of-fold risk by day 365 after the landmark (n,), mean over the repeats."""
    months, event = data.of_times.months, data.of_times.event
    entry = since if clock == "onset" else np.zeros(len(months))
    risk, known = np.zeros(len(months)), np.isfinite(since)
    for repeat in range(repeats):
        for train, test in family_folds(data.y, data.families, FOLDS, SEED + repeat):
            own, others = train[known[train]], test[known[test]]
            steps = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
            of_own = steps.fit_transform(X[own])
            times = Clock(entry[own], entry[own] + months[own])
            line, sets = _fitted(of_own, times, event[own], C)
            hazard = sets.events / at_risk_sums(sets, np.exp(of_own @ line))
            total = np.r_[0.0, np.cumsum(hazard)]
            ends = (entry[others] + YEAR, entry[others])
            later, now = (total[np.searchsorted(sets.times, at, side="right")] for at in ends)
            ratio = np.exp(steps.transform(X[others]) @ line)
            risk[others] += (1 - np.exp(-(later - now) * ratio)) / repeats
    return risk


def _fitted(
    X: np.ndarray, times: Clock, event: np.ndarray, C: float
) -> tuple[np.ndarray, RiskSets]:
    """Coefficients of Cox's model with a ridge, by Newton's steps, and who was at risk when."""
    sets = risk_sets(times.stop, event, times.entry)
    line = np.zeros(X.shape[1])
    for _ in range(_MOST_STEPS):
        now = moments(X, sets, X @ line)
        step = np.linalg.solve(C * now.curvature + np.eye(len(line)), C * now.gradient - line)
        line = line + step
        if np.abs(step).max() < _STILL:
            break
    return line, sets


def _show(name: str, data: Trainable, kept: np.ndarray, risks: dict[str, np.ndarray]) -> None:
    times = data.of_times.take(kept)
    event, one = times.event.astype(int), np.ones((1, len(kept)))
    months = times.months + _THROUGH_THE_DAY * (event == 0)
    for clock in CLOCKS:
        risk = risks[clock][kept]
        print(
            f"{name}, clock from {clock}: ROC AUC {auc_by(months, event, risk, one, 12)[0]:.4f},"
            f" Brier {brier(months, event, risk, one, 12)[0]:.4f},"
            f" c-index {harrell_c(months, event, risk, one)[0]:.4f},"
            f" observed/expected {observed_by_expected(months, event, risk, one, 12)[0]:.3f}"
        )
    weights = np.vstack([one, family_weights(event, data.families[kept], DRAWS, 1)])
    found = [auc_by(months, event, risks[clock][kept], weights, 12) for clock in CLOCKS]
    change = found[1] - found[0]
    low, high = percentiles(change[1:])
    print(f"  onset - landmark: ROC AUC {change[0]:+.4f} ({low:+.4f} to {high:+.4f})", flush=True)
