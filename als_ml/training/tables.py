"""Rows of the tables of a run: aggregates over patients, never one of them."""

from typing import TypedDict

from models.estimators.registry import Parameters

# A row whose columns are all numbers.
Figures = dict[str, float]


class Counted(TypedDict):
    """Patients of a row, and those of them with the positive label."""

    n: int
    positive: int


class Calibrated(TypedDict, total=False):
    """Calibration slope with its error, intercept with its 95 % interval and p value, observed by
    expected with the error of its log; of a survival time its c-index.
    """

    calibration_slope: float
    slope_error: float
    calibration_intercept: float
    intercept_low: float
    intercept_high: float
    intercept_p: float
    oe: float
    oe_error: float
    c_index: float


class Judged(Counted, Calibrated, total=False):
    """Performance on some patients; only the counts where they are too few.

    AUC with its DeLong error, share of conformal sets that hold the label, share of abstentions.
    """

    roc_auc: float
    error: float
    brier: float
    coverage: float
    abstained: float


class SiteRow(Judged):
    """A site that the model had not seen."""

    site: str


class GroupRow(Judged, total=False):
    """A level of a variable; `roc_auc_promised` is what the probabilities themselves promise."""

    group: str
    level: str
    roc_auc_low: float
    roc_auc_high: float
    roc_auc_promised: float
    roc_auc_p: float


class CalibrationBin(TypedDict):
    """Patients with like scores: mean probability, share of positives and its 95 % interval."""

    n: int
    predicted: float
    observed: float
    low: float
    high: float


class ReliabilityRow(CalibrationBin, total=False):
    """The same beside the de-noised share of fast patients and its 95 % interval.

    `label` says how these patients were labelled: by slope, or by event.
    """

    label: str
    denoised: float
    denoised_low: float
    denoised_high: float


class ImportanceRow(TypedDict):
    """Share of a feature, block or mechanism (`kind`) in the contributions, 0 to 1, with the range
    over the folds.
    """

    kind: str
    name: str
    share: float
    low: float
    high: float


class FoldRow(TypedDict):
    """What one fold fitted: the kind of its calibration map, and its estimators with weight and
    settings.
    """

    fold: int
    calibration: str
    members: list[Parameters]


class TrialRow(TypedDict):
    """One trial of a search: parameters, loss (NaN where pruned), state and seconds."""

    estimator: str
    number: int
    parameters: Parameters
    loss: float
    state: str
    seconds: float


class RunTables(TypedDict, total=False):
    """The tables of a run; those that a configuration does not ask for are absent."""

    calibration: list[CalibrationBin]
    calibration_24m: list[CalibrationBin]
    risk_groups: list[Figures]
    incidence: list[Figures]
    from_onset: list[Figures]
    calibration_curve: list[Figures]
    subgroups: list[GroupRow]
    thresholds: list[Figures]
    decision_curve: list[Figures]
    enrichment: list[Figures]
    importance: list[ImportanceRow]
    folds: list[FoldRow]
    trials: list[TrialRow]
    sites: list[SiteRow]
    reliability: list[ReliabilityRow]
    learning_curve: list[Figures]
