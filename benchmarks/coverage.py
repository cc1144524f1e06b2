"""How often the 95 % intervals of a run hold the truth: python -m benchmarks coverage [SIMULATIONS]
[DRAWS].

Made-up cohorts with about 100 events and more, by default 2,000 of each kind with 2,000 bootstrap
draws. The truth is the value of each metric in a population of a million patients of the same kind.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy.special import expit
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from als_ml.training.metrics import evaluate

SHOWN = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_intercept",
    "calibration_slope",
)


@dataclass(frozen=True)
class Kind:
    """Cohorts of one kind: log-odds ~ N(mean, spread), and the model's log-odds = offset + stretch
    x these.

    `related`: correlation of the labels of relatives, who are a third of the patients, in families
    of three.
    """

    name: str
    patients: int
    mean: float
    spread: float
    stretch: float = 1.0
    offset: float = 0.0
    related: float = 0.0


KINDS = (
    Kind("100 events of 300, AUC .66", 300, -0.75, 0.6),
    Kind("100 events of 280, AUC .74", 280, -0.68, 1.0),
    Kind("100 events of 700, AUC .74", 700, -2.07, 1.0),
    Kind("100 events of 300, overconfident", 300, -0.80, 0.9, stretch=1.5, offset=0.3),
    Kind("100 events of 300, families", 300, -0.80, 0.9, related=0.5),
    Kind("300 events of 800, AUC .74", 800, -0.60, 1.0),
)


def main(arguments: Sequence[str] = ()) -> None:
    simulations = int(arguments[0]) if arguments else 2000
    draws = int(arguments[1]) if len(arguments) > 1 else 2000
    print(f"{simulations} cohorts a kind, {draws} draws; coverage of the 95 % intervals")
    print(f"{'':36s}" + "".join(f"{name.replace('_', ' ')[:18]:>19s}" for name in SHOWN))
    for kind in KINDS:
        start = time.perf_counter()
        found = coverage(kind, simulations, draws)
        seconds = time.perf_counter() - start
        row = "".join(f"{found[name]:19.3f}" for name in SHOWN)
        print(f"{kind.name:36s}{row}  {seconds:.0f} s", flush=True)


def coverage(kind: Kind, simulations: int, draws: int) -> dict[str, float]:
    """Share of the simulated cohorts whose interval holds the truth, by metric."""
    true = truth(kind)
    jobs = (delayed(_holds)(kind, true, seed, draws) for seed in range(simulations))
    held = np.array(Parallel(n_jobs=-1, batch_size=20)(jobs))
    return dict(zip(SHOWN, held.mean(axis=0).tolist(), strict=True))


def truth(kind: Kind, patients: int = 1_000_000) -> dict[str, float]:
    """The metrics of the population."""
    y, p, families = cohort(kind, np.random.default_rng(10**6), patients)
    return evaluate(y, p, (p >= 0.5).astype(float), families, 0, 0)


def _holds(kind: Kind, true: dict[str, float], seed: int, draws: int) -> list[bool]:
    with threadpool_limits(1):
        y, p, families = cohort(kind, np.random.default_rng(seed), kind.patients)
        found = evaluate(y, p, (p >= 0.5).astype(float), families, draws, seed)
    return [bool(found[f"{m}_low"] <= true[m] <= found[f"{m}_high"]) for m in SHOWN]


def cohort(
    kind: Kind, rng: np.random.Generator, patients: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label, the model's probability, and family of each patient."""
    grouped = patients // 9 * 3 if kind.related else 0
    families = np.r_[np.repeat(np.arange(grouped // 3), 3), np.arange(grouped, patients)]
    odds = rng.normal(kind.mean, kind.spread, patients)
    shared = rng.normal(size=patients + 1)[families]
    own = rng.normal(size=patients)
    both = np.sqrt(kind.related) * shared + np.sqrt(1 - kind.related) * own
    noise = np.where(np.arange(patients) < grouped, both, own)
    y = (norm.cdf(noise) < expit(odds)).astype(float)
    return y, expit(kind.offset + kind.stretch * odds), families
