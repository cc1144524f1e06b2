"""How far a later cohort has drifted from the training patients, and whether the probabilities still hold."""

from typing import Any

import numpy as np
import pandas as pd

from als_ml.lifecycle.comparison import Scored
from als_ml.prediction.predictor import Predictor
from als_ml.training.metrics import calibration_errors, evaluate, exact_interval

# Population stability index: below 0.1 stable, from 0.25 shifted (Siddiqi 2006, R).
_LOOK, _SHIFTED = 0.1, 0.25


def drift_table(predictor: Predictor, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Population stability index over the training deciles and the change of the missing share, the largest drift first."""
    table = []
    for name, cuts in predictor.training["deciles"].items():
        known = rows[name].dropna().to_numpy(dtype=float)
        index = stability_index(known, np.array(cuts)) if len(known) else float("nan")
        missing = float(rows[name].isna().mean()) - predictor.training["missing"][name]
        verdict = (
            "shifted"
            if index >= _SHIFTED
            else ("look" if index >= _LOOK or abs(missing) > 0.2 else "stable")
        )
        table.append(
            {
                "feature": name,
                "n": len(known),
                "PSI": index,
                "missing change": missing,
                "verdict": verdict,
            }
        )
    return sorted(table, key=lambda row: -np.nan_to_num(row["PSI"]))


def stability_index(values: np.ndarray, cuts: np.ndarray) -> float:
    """Sum of (observed - expected) ln(observed / expected) over the bins between the training deciles.

    Equal deciles are one bin. Half a patient is added to each bin, so that an empty one does not make it infinite.

    >>> cuts = np.arange(10, 91, 10)
    >>> round(stability_index(np.arange(1, 101), cuts), 3), round(stability_index(np.arange(51, 151), cuts), 3) > 1
    (0.0, True)
    """
    edges = np.unique(cuts)
    expected = np.diff(np.r_[0.0, np.searchsorted(np.sort(cuts), edges, side="right") / 10, 1.0])
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    observed = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    expected = (expected + 0.5 / max(len(values), 1)) / (expected + 0.5 / max(len(values), 1)).sum()
    return float(((observed - expected) * np.log(observed / expected)).sum())


def flags(scored: Scored) -> dict[str, float]:
    """Share of scored patients out of distribution and abstained, and how many were not scored."""
    good = [row for row in scored.rows if not row["error"]]
    share = {
        name: float(np.mean([bool(row[name]) for row in good])) if good else float("nan")
        for name in _FLAGS
    }
    return {"scored": len(good), "not scored": len(scored.rows) - len(good), **share}


_FLAGS = ("out_of_distribution", "abstained")


def calibration_now(scored: Scored) -> dict[str, float]:
    """Calibration where labels exist: intercept, slope, observed to expected with an exact interval, ECE; else empty."""
    known = np.isfinite(scored.y) & np.isfinite(scored.probability)
    y, p = scored.y[known], scored.probability[known]
    if len(y) < 20 or len(np.unique(y)) < 2:
        return {}
    found = evaluate(y, p, p >= 0.5, scored.families[known], 0, 0)
    low, high = exact_interval(int(y.sum()), len(y))
    names = ("roc_auc", "brier", "calibration_intercept", "calibration_slope")
    result = {"labelled": float(len(y)), **{name: found[name] for name in names}}
    expected = p.mean()
    result |= {
        "observed/expected": y.mean() / expected,
        "o/e low": low / expected,
        "o/e high": high / expected,
    }
    return {
        name: float(value)
        for name, value in (result | {"ece": calibration_errors(y, p)["ece"]}).items()
    }
