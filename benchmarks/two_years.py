"""Risks by month 24 on simulated cohorts that are followed so long, against the simulator's truth.

python -m benchmarks two-years [SEEDS] [PATIENTS]. Out of fold with configs/survival.yaml: observed
by expected, slope, Brier score and AUC by month 24 beside the oracle's, D-calibration, and the same
of a hazard 1.6 times as high. Then part of the patients are lost, 40 % before month 24 as far as
the event spares them, the more likely the higher (or the lower) their true risk: how far observed
by expected of the same predictions moves, uncorrected (patients whose state is known), by
Kaplan-Meier, and with the weights of a Cox model of being lost on the predicted risk; and how far
the risks of a model that was trained on such patients are from the true ones. Made-up patients:
machinery, not medicine.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.cohort.source import open_cohort
from als_ml.config import Config, load_config
from als_ml.simulate import simulate
from als_ml.training.folds import cross_validate
from als_ml.training.survival_estimates import (
    Seen,
    seen,
    survival_figures,
    through_the_day,
)
from als_ml.training.survival_metrics import (
    auc_by,
    brier,
    calibration_slope,
    d_calibration,
    observed_by_expected,
    survival_at,
)
from als_ml.training.task_data import Trainable, prepared
from benchmarks.censoring import level_of, weights_by_risk
from benchmarks.kept import whole_number
from benchmarks.public_tables import CONFIGS
from models.survival.times import TWO_YEARS

# Months of follow-up: visits end beyond month 24 for all who are still there (P).
FOLLOW_UP, HORIZON = 30, 24
# How the log hazard of being lost follows a standard deviation of the true risk (P).
KINDS = {"independent": 0.0, "the sick are lost": 0.7, "the well are lost": -0.7}
WRONG = 1.6


def main(arguments: Sequence[str] = ()) -> None:
    """Print the figures of both parts, means over the cohorts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks two-years", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=whole_number, default=5)
    parser.add_argument("patients", nargs="?", type=whole_number, default=1500)
    asked = parser.parse_args(arguments)
    rows = [measured(asked.patients, seed) for seed in range(1, asked.seeds + 1)]
    print(f"{asked.patients} patients, {asked.seeds} seeds: mean (SD)")
    for name, values in pd.DataFrame(rows).items():
        spread = f" ({values.std(ddof=1):.3f})" if len(values) > 1 else ""
        print(f"{name:64s}{values.mean():8.3f}{spread}", flush=True)


def measured(patients: int, seed: int) -> dict[str, float]:
    """Every figure of one cohort, by name."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder) / "cohort", patients, seed, follow_up_months=FOLLOW_UP)
        config = configured(Path(folder) / "cohort")
        data = prepared(config, open_cohort(Path(config.cohort)))
        truth = pd.read_csv(Path(folder) / "cohort/truth.csv").set_index("sample_id")
    best = truth["p_survival_24m"].reindex(data.rows.index).to_numpy()
    validated = cross_validate(data, config)
    of = seen(data, validated.curves)
    metrics, _ = survival_figures(data, validated, config)
    found = at_two_years(of, best)
    found["O/E at 24, 1 in its interval"] = float(
        metrics["oe_24m_low"] <= 1 <= metrics["oe_24m_high"]
    )
    for kind, pull in KINDS.items():
        found |= {
            f"{kind}: {name}": value
            for name, value in _with_losses(data, of, best, config, pull, seed).items()
        }
    return found


def configured(cohort: Path) -> Config:
    """The shipped configuration on a cohort, without refits that ask what if."""
    changes = [f"cohort={cohort}/cohort.yaml", "validation.bootstrap=200"]
    return load_config(CONFIGS / "survival.yaml", [*changes, "validation.honesty=false"])


def at_two_years(of: Seen, best: np.ndarray) -> dict[str, float]:
    """The model, the oracle, and a hazard that is off, by month 24."""
    risk, one = of.risks("model")[HORIZON], np.ones((1, len(best)))
    wrong = 1 - (1 - risk) ** WRONG
    found: dict[str, float] = {}
    for who, p in (("", risk), ("oracle: ", best), (f"hazard x {WRONG}: ", wrong)):
        figures = (observed_by_expected, calibration_slope, brier, auc_by)
        for name, metric in zip(("O/E", "slope", "Brier", "AUC"), figures, strict=True):
            value = metric(of.months, of.event, p, one, float(HORIZON))[0]
            found[f"{who}{name} at 24"] = float(value)
    found["D-calibration p"] = _d_calibration(of, 1.0)
    found[f"hazard x {WRONG}: D-calibration p"] = _d_calibration(of, WRONG)
    return found


def _d_calibration(of: Seen, factor: float) -> float:
    """P of the test with the model's hazards times a factor."""
    last = of.grid[-1]
    own = survival_at(of.grid, of.curves["model"] ** factor, np.minimum(of.own, last))
    return d_calibration(np.where(of.own > last, 0, of.event), own)[1]


def _with_losses(
    data: Trainable, of: Seen, best: np.ndarray, config: Config, pull: float, seed: int
) -> dict[str, float]:
    """What losses do to the figures of the same predictions, and to a model that is trained on
    them.
    """
    fewer = lost(data, best, pull, np.random.default_rng([seed, 7]))
    risk = of.risks("model")[HORIZON]
    full = _expected(of.months, of.event, risk)
    times = fewer.of_times
    of_fewer = replace(of, times=times, months=through_the_day(times))
    found = {name: value - full["Kaplan-Meier"] for name, value in _of_lost(of_fewer, risk).items()}
    again = seen(fewer, cross_validate(fewer, config).curves).risks("model")
    gone = (of_fewer.event == 0) & (of_fewer.own < TWO_YEARS)
    return {f"O/E moves, {name}": value for name, value in found.items()} | {
        "lost before month 24": float(gone.mean()),
        "trained on these: mean risk less the truth": float((again[HORIZON] - best).mean()),
    }


def lost(data: Trainable, best: np.ndarray, pull: float, rng: np.random.Generator) -> Trainable:
    """The same patients, of whom part are lost by a hazard that follows the true risk."""
    odds = np.log(-np.log1p(-np.clip(best, 1e-6, 1 - 1e-6)))
    ratio = np.exp(pull * (odds - odds.mean()) / odds.std())
    months, chance = data.of_times.months, rng.exponential(size=len(best))
    left = chance / (ratio * level_of(ratio, months, chance, TWO_YEARS))
    # Whole days, and at least one.
    times = data.of_times.until(np.maximum(np.round(left * 30.4375), 1) / 30.4375)
    return replace(data, times=times, y=times.event.astype(float))


def _expected(months: np.ndarray, event: np.ndarray, risk: np.ndarray) -> dict[str, float]:
    ratio = observed_by_expected(months, event, risk, np.ones((1, len(risk))), float(HORIZON))
    return {"Kaplan-Meier": float(ratio[0])}


def _of_lost(of: Seen, risk: np.ndarray) -> dict[str, float]:
    """O/E by month 24 in three ways."""
    early = (of.event == 1) & (of.months <= HORIZON)
    state = early | (of.months > HORIZON)
    z = np.log(-np.log1p(-np.clip(risk, 1e-6, 1 - 1e-6)))
    z = (z - z.mean()) / z.std()
    weight = weights_by_risk(of.months, of.event, z, float(HORIZON)) * state
    return {
        "uncorrected": float(early[state].mean() / risk[state].mean()),
        **_expected(of.months, of.event, risk),
        "weights by the risk": float((weight * early).sum() / weight.sum() / risk.mean()),
    }
