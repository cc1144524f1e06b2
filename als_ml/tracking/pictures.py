"""Pictures of a run: ROC, precision-recall and calibration of out-of-fold probabilities, model
beside baselines.
"""

import textwrap
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from als_ml.training.metrics import calibration_bins, interval_words
from als_ml.training.run import Training
from als_ml.training.survival_folds import seen_by

mpl.use("Agg")
import matplotlib.pyplot as plt

# Colours that colour-blind readers can tell apart (Okabe and Ito 2008), and line styles besides.
_STYLES = [("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":")]
_BINS = 8
# Columns of the decision curve that are not curves of their own.
_BESIDE = ("model_", "gain")


def draw_run(training: Training, folder: Path) -> list[Path]:
    """Draw every picture of a run.

    Parameters
    ----------
    training : Training
        The run.
    folder : Path
        Of the pictures.

    Returns
    -------
    list of Path
        PNG files; that of the sites only where they were validated.
    """
    if training.data.times is not None:
        return [_draw_times(training, folder), _draw_importance(training, folder)]
    drawn = [
        _draw_curves(training, folder),
        _draw_importance(training, folder),
        _draw_usefulness(training, folder),
    ]
    return drawn + ([_draw_sites(training, folder)] if training.tables.get("sites") else [])


def _draw_curves(training: Training, folder: Path) -> Path:
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    drawn = {name: p for name, p in training.out_of_fold.items() if name != "prevalence"}
    for (name, probability), style in zip(drawn.items(), _STYLES, strict=False):
        _draw_roc(axes[0], training, name, probability, style)
        _draw_precision(axes[1], training, probability, style)
    _draw_calibration(axes[2], training, training.out_of_fold["model"])
    axes[0].plot([0, 1], [0, 1], color="0.7", lw=1)
    axes[1].axhline(training.y.mean(), color="0.7", lw=1)
    titles = ("ROC", "Precision and recall", "Calibration (95 % interval)")
    labels = (
        ("1 - specificity", "sensitivity"),
        ("recall", "precision"),
        ("predicted probability", "observed share"),
    )
    for axis, title, (x, y) in zip(axes, titles, labels, strict=True):
        axis.set(title=title, xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, loc="lower right", fontsize=9)
    figure.suptitle(_title(training), fontsize=11)
    path = folder / "curves.png"
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _draw_times(training: Training, folder: Path) -> Path:
    """Share without the event by fifth of the risk, seen and said, and calibration at months 12
    and 24.
    """
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    tables = training.tables
    _draw_fifths(axes[0], training)
    bins = {12: tables.get("calibration", []), 24: tables.get("calibration_24m", [])}
    for axis, (month, rows) in zip(axes[1:], bins.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="0.7", lw=1)
        for row in rows:
            axis.plot([row["predicted"]] * 2, [row["low"], row["high"]], color=_STYLES[0][0])
            axis.plot(row["predicted"], row["observed"], "o", color=_STYLES[0][0])
        axis.set(
            title=f"Calibration by month {month} (95 % interval)",
            xlabel="predicted risk",
            ylabel=f"observed ({seen_by(training.data.of_times)})",
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
        )
        axis.spines[["top", "right"]].set_visible(False)
    return _finished(figure, training, folder / "curves.png")


def _draw_fifths(axis: Axes, training: Training) -> None:
    rows = training.tables["risk_groups"]
    colours = [*(colour for colour, _ in _STYLES), "0.2"]
    for fifth, colour in enumerate(colours, start=1):
        mine = [row for row in rows if row["fifth"] == fifth]
        axis.plot(
            [row["months"] for row in mine],
            [row["predicted"] for row in mine],
            color=colour,
            lw=2,
            label=f"fifth {fifth} of the risk",
        )
        axis.plot(
            [row["months"] for row in mine], [row["observed"] for row in mine], ":", color=colour
        )
    axis.set(
        title="Predicted (line) and observed (dots)",
        xlabel="months after the landmark",
        ylabel=_without(training),
        ylim=(-0.01, 1.01),
    )
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _without(training: Training) -> str:
    """What a curve shows; where death competes, who died first is without the event for good."""
    if not training.data.of_times.rivals:
        return "without the event"
    return f"{training.task.negative} so far, alive or dead"


def _title(training: Training) -> str:
    task, simulated = (
        training.task,
        "  (SIMULATED patients: machinery, not medicine)" if training.simulated else "",
    )
    counts = f"{len(training.y)} patients, {int(training.y.sum())} {task.positive}"
    if training.data.times is not None:
        counts = f"{len(training.y)} patients, {int(training.y.sum())} with {task.event_words}"
        return f"time to {task.event_words}: out-of-fold, {counts}. Research use only.{simulated}"
    return (
        f"{task.positive} v {task.negative}: out-of-fold, {counts}. Research use only.{simulated}"
    )


def _name(training: Training, name: str) -> str:
    metrics = training.metrics_of(name)
    shown = training.config.model.estimator if name == "model" else f"baseline: {name}"
    if "roc_auc_low" not in metrics:
        return f"{shown} {metrics['roc_auc']:.2f}"
    rough = interval_words(len(training.y), training.y.sum())
    interval = f"{metrics['roc_auc_low']:.2f}-{metrics['roc_auc_high']:.2f} {rough}".rstrip()
    return f"{shown} {metrics['roc_auc']:.2f} ({interval})"


def _draw_roc(
    axis: Axes, training: Training, name: str, probability: np.ndarray, style: tuple[str, str]
) -> None:
    fpr, tpr, _ = roc_curve(training.y, probability)
    axis.plot(fpr, tpr, color=style[0], ls=style[1], lw=2, label=_name(training, name))


def _draw_precision(
    axis: Axes, training: Training, probability: np.ndarray, style: tuple[str, str]
) -> None:
    precision, recall, _ = precision_recall_curve(training.y, probability)
    axis.plot(recall, precision, color=style[0], ls=style[1], lw=2, drawstyle="steps-post")


def _draw_calibration(axis: Axes, training: Training, probability: np.ndarray) -> None:
    """A smooth curve with its band, and the observed share in equally filled bins with Wilson's
    interval.
    """
    axis.plot([0, 1], [0, 1], color="0.7", lw=1)
    curve = training.tables["calibration_curve"]
    at = [row["predicted"] for row in curve]
    axis.plot(at, [row["observed"] for row in curve], color=_STYLES[1][0], lw=2)
    if curve and "low" in curve[0]:
        low, high = ([row[end] for row in curve] for end in ("low", "high"))
        axis.fill_between(at, low, high, color=_STYLES[1][0], alpha=0.2, lw=0)
    for row in calibration_bins(training.y, probability, _BINS):
        axis.plot([row["predicted"]] * 2, [row["low"], row["high"]], color=_STYLES[0][0], lw=1.5)
        axis.plot(row["predicted"], row["observed"], "o", color=_STYLES[0][0])
    metrics = training.metrics_of("model")
    axis.text(
        0.03,
        0.93,
        f"slope {metrics['calibration_slope']:.2f}, intercept"
        f" {metrics['calibration_intercept']:+.2f}, ICI {metrics['ici']:.3f}",
    )


def _finished(figure: Figure, training: Training, path: Path) -> Path:
    figure.suptitle(textwrap.fill(_title(training), round(12 * figure.get_figwidth())), fontsize=10)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _draw_importance(training: Training, folder: Path) -> Path:
    """Shares of features, blocks and mechanisms with their spread over folds."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.5), layout="constrained")
    for axis, kind in zip(axes, ("feature", "block", "mechanism"), strict=True):
        rows = [row for row in training.tables["importance"] if row["kind"] == kind][:18][::-1]
        for i, row in enumerate(rows):
            axis.plot([row["low"], row["high"]], [i, i], color=_STYLES[0][0], lw=1.5)
            axis.plot(row["share"], i, "o", color=_STYLES[0][0])
        axis.set_yticks(
            range(len(rows)), [row["name"].replace("_", " ") for row in rows], fontsize=8
        )
        axis.set(title=f"by {kind}", xlabel="share of the contributions")
        axis.spines[["top", "right"]].set_visible(False)
    return _finished(figure, training, folder / "importance.png")


def _draw_usefulness(training: Training, folder: Path) -> Path:
    """Net benefit, and sensitivity and specificity by threshold."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    curve, points = training.tables["decision_curve"], training.tables["thresholds"]
    names = [name for name in curve[0] if name != "threshold" and not name.startswith(_BESIDE)]
    if "model_low" in curve[0]:
        axes[0].fill_between(
            [r["threshold"] for r in curve],
            [r["model_low"] for r in curve],
            [r["model_high"] for r in curve],
            label="model, 95 %",
            color="0.4",
            alpha=0.2,
            lw=0,
        )
    styles = [*_STYLES, ("0.4", "-"), ("0.7", "--"), ("0.2", ":"), ("0.5", "-.")]
    for name, (color, style) in zip(names, styles, strict=False):
        axes[0].plot(
            [r["threshold"] for r in curve],
            [r[name] for r in curve],
            color=color,
            ls=style,
            label=name,
        )
    axes[0].set(
        title="Decision curve", xlabel="threshold", ylabel="net benefit", ylim=(-0.05, None)
    )
    for name, (color, style) in zip(
        ("sensitivity", "specificity", "ppv", "npv"), _STYLES, strict=True
    ):
        axes[1].plot(
            [r["threshold"] for r in points],
            [r[name] for r in points],
            color=color,
            ls=style,
            label=name,
        )
    axes[1].set(title="Operating points", xlabel="threshold", ylim=(-0.01, 1.01))
    for axis in axes:
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    return _finished(figure, training, folder / "usefulness.png")


def _draw_sites(training: Training, folder: Path) -> Path:
    """Forest plot of the held-out sites with the pooled estimate and, where there is one, its
    prediction interval.
    """
    rows, m = training.tables["sites"], training.metrics
    figure, axis = plt.subplots(figsize=(7, 0.5 * len(rows) + 2.2), layout="constrained")
    for i, row in enumerate(rows[::-1], start=1):
        half = 1.96 * row["error"]
        axis.plot(
            [row["roc_auc"] - half, min(row["roc_auc"] + half, 1)],
            [i, i],
            color=_STYLES[0][0],
            lw=1.5,
        )
        axis.plot(row["roc_auc"], i, "s", color=_STYLES[0][0])
    if "sites_roc_auc_prediction_low" in m:
        axis.plot(
            [m["sites_roc_auc_prediction_low"], m["sites_roc_auc_prediction_high"]],
            [0, 0],
            color="0.6",
            lw=1.5,
        )
    if "sites_roc_auc" in m:
        axis.plot(
            [m["sites_roc_auc_low"], m["sites_roc_auc_high"]], [0, 0], color=_STYLES[1][0], lw=4
        )
        axis.plot(m["sites_roc_auc"], 0, "D", color=_STYLES[1][0])
    labels = [
        "pooled (grey: a further site)",
        *(f"{row['site']} ({row['n']})" for row in rows[::-1]),
    ]
    axis.set_yticks(range(len(rows) + 1), labels)
    axis.axvline(0.5, color="0.7", lw=1)
    axis.set(title="Held-out sites", xlabel="ROC AUC, 95 % interval")
    axis.spines[["top", "right"]].set_visible(False)
    return _finished(figure, training, folder / "sites.png")
