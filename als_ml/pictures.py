"""Pictures of a run: ROC, precision-recall and calibration of out-of-fold probabilities, model beside baselines."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from als_ml.evaluation import calibration_bins
from als_ml.training import Training

mpl.use("Agg")
import matplotlib.pyplot as plt

# Colours that colour-blind readers can tell apart (Okabe and Ito 2008), and line styles besides.
_STYLES = [("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":")]
_BINS = 8


def draw_run(training: Training, folder: Path) -> Path:
    """Draw the three curves side by side and return the picture's path."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    drawn = {name: p for name, p in training.out_of_fold.items() if name != "prevalence"}
    for (name, probability), style in zip(drawn.items(), _STYLES, strict=False):
        _draw_roc(axes[0], training, name, probability, style)
        _draw_precision(axes[1], training, name, probability, style)
    _draw_calibration(axes[2], training, training.out_of_fold["model"])
    axes[0].plot([0, 1], [0, 1], color="0.7", lw=1)
    axes[1].axhline(training.y.mean(), color="0.7", lw=1)
    titles = ("ROC", "Precision and recall", "Calibration (95 % interval)")
    labels = (("1 - specificity", "sensitivity"), ("recall", "precision"), ("predicted probability", "observed share"))
    for axis, title, (x, y) in zip(axes, titles, labels, strict=True):
        axis.set(title=title, xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, loc="lower right", fontsize=9)
    figure.suptitle(_title(training), fontsize=11)
    path = folder / "curves.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _title(training: Training) -> str:
    task, simulated = training.task, "  (SIMULATED patients: machinery, not medicine)" if training.best_possible else ""
    counts = f"{len(training.y)} patients, {int(training.y.sum())} {task.positive}"
    return f"{task.positive} v {task.negative}: out-of-fold, {counts}. Research use only.{simulated}"


def _name(training: Training, name: str) -> str:
    metrics = training.metrics_of(name)
    shown = training.config.model.estimator if name == "model" else f"baseline: {name}"
    if "roc_auc_low" not in metrics:
        return f"{shown} {metrics['roc_auc']:.2f}"
    return f"{shown} {metrics['roc_auc']:.2f} ({metrics['roc_auc_low']:.2f}-{metrics['roc_auc_high']:.2f})"


def _draw_roc(axis: Any, training: Training, name: str, probability: np.ndarray, style: tuple[str, str]) -> None:
    fpr, tpr, _ = roc_curve(training.y, probability)
    axis.plot(fpr, tpr, color=style[0], ls=style[1], lw=2, label=_name(training, name))


def _draw_precision(axis: Any, training: Training, name: str, probability: np.ndarray, style: tuple[str, str]) -> None:
    precision, recall, _ = precision_recall_curve(training.y, probability)
    axis.plot(recall, precision, color=style[0], ls=style[1], lw=2, drawstyle="steps-post")


def _draw_calibration(axis: Any, training: Training, probability: np.ndarray) -> None:
    """Observed share in equally filled bins, with Wilson's interval."""
    axis.plot([0, 1], [0, 1], color="0.7", lw=1)
    for row in calibration_bins(training.y, probability, _BINS):
        axis.plot([row["predicted"]] * 2, [row["low"], row["high"]], color=_STYLES[0][0], lw=1.5)
        axis.plot(row["predicted"], row["observed"], "o", color=_STYLES[0][0])
    metrics = training.metrics_of("model")
    axis.text(0.03, 0.93, f"slope {metrics['calibration_slope']:.2f}, intercept {metrics['calibration_intercept']:.2f}")
