"""What censoring does to the figures of a survival model, against known times.

python -m benchmarks censoring [COHORTS] [PATIENTS]. Times follow a constant hazard per patient,
half of which the model knows; the risk that is judged is the true one given that half, so that
every figure is known without censoring. Censoring is none, independent of prognosis, or the more
likely the higher the risk (known or not known), strong enough to lose 40 % before month 24. Figures
are uncorrected (Harrell's c; AUC and O/E among those whose state is known), weighted by inverse
probability of censoring (Uno's c, AUC, Brier score, Kaplan-Meier O/E), and with the weights of a
Cox model of censoring on the known risk. The bias is the mean difference to the same figure without
censoring. Made-up numbers: machinery, not medicine.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from als_ml.training.survival_metrics import (
    auc_by,
    brier,
    d_calibration,
    harrell_c,
    observed_by,
    observed_by_expected,
    uno_c,
)
from benchmarks.kept import whole_number

# Of the log hazard: known to the model, and not (P). Median time of the typical patient in months.
KNOWN, HIDDEN, MEDIAN = 0.7, 0.7, 30.0
HORIZON, END = 24.0, 36.0
# How the log hazard of censoring follows the standardised risk that is known, and that is not.
KINDS = {
    "none": None,
    "independent": (0.0, 0.0),
    "by the known risk": (0.7, 0.0),
    "by what nobody knows": (0.0, 0.7),
    "by both, reversed": (-0.7, -0.7),
}
LOST = 0.4
FIGURES = (
    "Harrell's c",
    "Uno's c",
    "AUC, known states",
    "AUC, IPCW",
    "AUC, IPCW by risk",
    "Brier, IPCW",
    "Brier, IPCW by risk",
    "O/E, known states",
    "O/E, Kaplan-Meier",
    "O/E, IPCW by risk",
)


def main(arguments: Sequence[str] = ()) -> None:
    """Print the bias of each figure under each kind of censoring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks censoring", description=__doc__)
    parser.add_argument("cohorts", nargs="?", type=whole_number, default=100)
    parser.add_argument("patients", nargs="?", type=whole_number, default=800)
    asked = parser.parse_args(arguments)
    found = bias(asked.cohorts, asked.patients)
    width = max(map(len, FIGURES)) + 2
    print(f"bias, mean of {asked.cohorts} cohorts of {asked.patients} (its standard error)")
    print("".ljust(width) + "".join(kind.rjust(24) for kind in KINDS))
    for name in FIGURES:
        cells = [found[kind][name] for kind in KINDS]
        print(name.ljust(width) + "".join(f"{m:+.3f} ({e:.3f})".rjust(24) for m, e in cells))
    shares = [found[kind]["lost"][0] for kind in KINDS]
    print("lost before month 24".ljust(width) + "".join(f"{s:.2f}".rjust(24) for s in shares))
    failed = [found[kind]["D-calibration fails"][0] for kind in KINDS]
    print("D-calibration fails".ljust(width) + "".join(f"{s:.2f}".rjust(24) for s in failed))
    wrong = [found[kind]["... hazard x 1.6"][0] for kind in KINDS]
    print("... hazard x 1.6".ljust(width) + "".join(f"{s:.2f}".rjust(24) for s in wrong))


def bias(cohorts: int, patients: int, seed: int = 1) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard error of each figure minus that without censoring, by kind."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for kind, strength in KINDS.items():
        rng = np.random.default_rng(seed)
        rows = [_one(rng, patients, strength) for _ in range(cohorts)]
        found[kind] = {
            name: (
                float(np.mean([row[name] for row in rows])),
                float(np.std([row[name] for row in rows]) / np.sqrt(cohorts)),
            )
            for name in rows[0]
        }
    return found


def _one(
    rng: np.random.Generator, n: int, strength: tuple[float, float] | None
) -> dict[str, float]:
    """Figures of one cohort minus those of the same patients without censoring."""
    known, hidden = rng.normal(size=n), rng.normal(size=n)
    hazard = np.log(2) / MEDIAN * np.exp(KNOWN * known + HIDDEN * hidden)
    died = rng.exponential(1 / hazard)
    # The risk given the known half, averaged over many others' hidden half.
    others = np.exp(HIDDEN * rng.normal(size=2000))
    rate = np.log(2) / MEDIAN * np.exp(KNOWN * known)
    chance = rng.exponential(size=n)
    left = np.full(n, np.inf)
    if strength is not None:
        pull = np.exp(strength[0] * known + strength[1] * hidden)
        left = chance / (pull * level_of(pull, died, chance, HORIZON))
    left = np.minimum(left, END)
    months, event = np.minimum(died, left), (died <= left).astype(float)
    risk = _averaged(rate, HORIZON, others)
    full = _figures(np.minimum(died, END), (died <= END).astype(float), risk, known)
    seen = _figures(months, event, risk, known)
    result = {name: seen[name] - full[name.split(",")[0]] for name in FIGURES}
    own = 1 - _averaged(rate, months, others)
    wrong = 1 - _averaged(1.6 * rate, months, others)
    return result | {
        "lost": float(((event == 0) & (months < HORIZON)).mean()),
        "D-calibration fails": float(d_calibration(event, own)[1] < 0.05),
        "... hazard x 1.6": float(d_calibration(event, wrong)[1] < 0.05),
    }


def level_of(pull: np.ndarray, died: np.ndarray, chance: np.ndarray, horizon: float) -> float:
    """Hazard of censoring at which LOST of the patients are lost before the horizon."""
    low, high = 1e-6, 10.0
    for _ in range(50):
        middle = np.sqrt(low * high)
        left = chance / (pull * middle)
        low, high = (
            (middle, high)
            if ((left < died) & (left < horizon)).mean() < LOST
            else (
                low,
                middle,
            )
        )
    return float(middle)


def _averaged(rate: np.ndarray, months: np.ndarray | float, others: np.ndarray) -> np.ndarray:
    """Risk by a time with the hidden half averaged over."""
    total = rate * months
    grid = np.geomspace(1e-6, max(float(total.max()), 1e-5) * 1.01, 400)
    survival = np.exp(-grid[:, None] * others).mean(axis=1)
    return np.asarray(1 - np.interp(total, np.r_[0, grid], np.r_[1, survival]))


def _figures(
    months: np.ndarray, event: np.ndarray, risk: np.ndarray, known: np.ndarray
) -> dict[str, float]:
    one = np.ones((1, len(months)))
    state = (event == 1) | (months >= HORIZON)
    early = (event == 1) & (months <= HORIZON)
    by_risk = weights_by_risk(months, event, known, END)
    cases, controls = by_risk * early, by_risk * (months >= HORIZON)
    kept = (months[state], event[state], risk[state], np.ones((1, int(state.sum()))))
    return {
        "Harrell's c": harrell_c(months, event, risk, one, tau=HORIZON)[0],
        "Uno's c": uno_c(months, event, risk, one, HORIZON)[0],
        "AUC": auc_by(months, event, risk, one, HORIZON - 1e-9)[0],
        "AUC, known states": auc_by(*kept, HORIZON - 1e-9)[0],
        "AUC, IPCW": auc_by(months, event, risk, one, HORIZON - 1e-9)[0],
        "AUC, IPCW by risk": _weighted_auc(risk, cases, controls),
        "Brier": brier(months, event, risk, one, HORIZON - 1e-9)[0],
        "Brier, IPCW": brier(months, event, risk, one, HORIZON - 1e-9)[0],
        "Brier, IPCW by risk": float(
            (cases @ (1 - risk) ** 2 + controls @ risk**2) / (cases + controls).sum()
        ),
        "O/E": observed_by(months, event, one, HORIZON)[0] / risk.mean(),
        "O/E, known states": float(early[state].mean() / risk[state].mean()),
        "O/E, Kaplan-Meier": observed_by_expected(months, event, risk, one, HORIZON)[0],
        "O/E, IPCW by risk": float(cases.sum() / (cases + controls).sum() / risk.mean()),
    }


def weights_by_risk(
    months: np.ndarray, event: np.ndarray, known: np.ndarray, end: float
) -> np.ndarray:
    """1 / P(still uncensored | known risk) by a Cox model of censoring before the end, at the event
    or the horizon.
    """
    lost = (event == 0) & (months < end)
    if not lost.any():
        return np.ones(len(months))
    from models.survival.partial_likelihood import cumulated, moments, risk_sets, slope_of

    sets = risk_sets(months, lost)
    up, down = slope_of(known, months, lost), slope_of(-known, months, lost)
    eta = (up - down) * known
    ratio = np.exp(eta)
    whole = moments(known[:, None], sets, eta)  # at the optimum: its gradient is about 0
    if abs(float(whole.gradient[0])) > 0.05 * len(months):
        raise AssertionError("the model of censoring did not end at its optimum")
    at_risk = np.array([ratio[months >= t].sum() for t in sets.times])
    until = risk_sets(
        np.r_[sets.times, np.minimum(months, HORIZON)],
        np.r_[np.ones(len(sets.times)), np.zeros(len(months))],
    )
    hazard = cumulated(until, sets.events / at_risk)[len(sets.times) :]
    return np.exp(hazard * ratio)


def _weighted_auc(risk: np.ndarray, cases: np.ndarray, controls: np.ndarray) -> float:
    order = np.argsort(risk)
    below = np.cumsum(controls[order]) - controls[order] / 2
    return float((cases[order] * below).sum() / (cases.sum() * controls.sum()))
