"""From out-of-fold results to the figures of a run: metrics with intervals, differences to
baselines, coverage, sites.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from als_ml.config import Config
from als_ml.training.folds import Fold, Validated
from als_ml.training.metrics import (
    auc_with_error,
    calibration_errors,
    class_metrics,
    evaluate,
    exact_interval,
    expected_auc,
    paired_differences,
    pooled,
    slope_metrics,
)
from als_ml.training.miscalibration import (
    calibration_intercept,
    calibration_slope,
    smooth_calibration,
)
from als_ml.training.tables import Calibrated, GroupRow, SiteRow
from als_ml.training.task_data import Trainable
from models.tasks import TASKS

DIAGNOSTICS = ("assay_status", "missingness", "without_events")
# A prediction interval needs that many sites with that many patients of each label (contract,
# section Estimates).
_SITES, _EACH = 5, 10
# From a 95 % to a 99 % interval: folds share patients, so that chance moves a cross-validated AUC
# more than a fixed model's.
_WIDER = 2.576 / 1.96


def baseline_names(validated: Validated) -> list[str]:
    """Names of the baselines, in the order in which they are shown."""
    return [name for name in validated.probability if name != "model" and name not in DIAGNOSTICS]


def estimates(data: Trainable, validated: Validated, config: Config) -> dict[str, float]:
    """Metrics of the model and its baselines, differences between them, coverage, and the AUC of
    each diagnostic.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    validated : Validated
        Their out-of-fold results.
    config : Config
        Of the run.

    Returns
    -------
    dict of float
        Metrics by the names that MLflow gets.
    """
    metrics = (
        _metrics(data, validated, config)
        | _differences(data, validated, config)
        | _coverage(data, validated)
        | baselines_known(data.baselines)
    )
    p = validated.probability["model"]
    metrics |= calibration_errors(data.y, p) | smooth_calibration(data.y, p).distances
    for name in DIAGNOSTICS:
        if name in validated.probability:
            metrics |= _diagnostic(name, data, validated.probability[name])
    if config.label.learn == "slope":
        metrics |= slope_metrics(data.slope, validated.graded)
    if config.label.learn == "classes":
        metrics |= class_metrics(data.level, np.round(validated.graded))
    return metrics | {
        "n": float(len(data.y)),
        "n_positive": float(data.y.sum()),
        "n_families": float(len(np.unique(data.families))),
    }


def _metrics(data: Trainable, validated: Validated, config: Config) -> dict[str, float]:
    v = config.validation
    metrics: dict[str, float] = {}
    for name in ["model", *baseline_names(validated)]:
        figures = evaluate(
            data.y,
            validated.probability[name],
            validated.predicted[name],
            data.families,
            v.bootstrap,
            v.seed,
            list(validated.by_repeat.get(name, ())),
        )
        if name == "prevalence":  # constant in each fold: a slope over the folds means nothing
            figures = {
                key: value
                for key, value in figures.items()
                if not key.startswith("calibration_slope")
            }
        metrics |= {
            key if name == "model" else f"baseline_{name}_{key}": value
            for key, value in figures.items()
        }
    return metrics


def baselines_known(baselines: dict[str, np.ndarray]) -> dict[str, float]:
    """Share of the patients of whom a baseline's rule knows anything.

    The others stand at its mean, which is to its disadvantage.

    Parameters
    ----------
    baselines : dict of array (n, k)
        The k inputs of each rule, NaN unknown.

    Returns
    -------
    dict of float
        `baseline_NAME_known`, 0 to 1.

    Examples
    --------
    >>> baselines_known({"encals": np.array([[-5.0], [np.nan], [-6.0], [-4.0]])})
    {'baseline_encals_known': 0.75}
    """
    return {
        f"baseline_{name}_known": float(np.isfinite(values).any(axis=1).mean())
        for name, values in baselines.items()
    }


def _differences(data: Trainable, validated: Validated, config: Config) -> dict[str, float]:
    """Model minus each baseline, paired, as `difference_<baseline>_<metric>`."""
    v, metrics, ours = config.validation, {}, validated.probability["model"]
    for name in baseline_names(validated):
        theirs = validated.probability[name]
        differences = paired_differences(data.y, ours, theirs, data.families, v.bootstrap, v.seed)
        for metric, values in differences.items():
            for suffix, value in zip(("", "_low", "_high"), values, strict=True):
                metrics[f"difference_{name}_{metric}{suffix}"] = value
    return metrics


def _coverage(data: Trainable, validated: Validated) -> dict[str, float]:
    """Share of patients whose own label is in their set, by class, with exact 95 % intervals.

    Share without one label.
    """
    metrics: dict[str, float] = {}
    for name, members in (
        ("", data.y >= 0),
        ("_positive", data.y == 1),
        ("_negative", data.y == 0),
    ):
        inside = validated.covered[members, 0]
        low, high = exact_interval(round(float(inside.sum())), int(members.sum()))
        metrics |= {
            f"coverage{name}": float(inside.mean()),
            f"coverage{name}_low": low,
            f"coverage{name}_high": high,
        }
    return metrics | {"abstention_rate": float(validated.covered[:, 1].mean())}


def _diagnostic(name: str, data: Trainable, probability: np.ndarray) -> dict[str, float]:
    kept = ~data.by_event if name == "without_events" else np.ones(len(data.y), dtype=bool)
    if not np.isfinite(probability[kept]).all() or len(np.unique(data.y[kept])) < 2:
        return {}
    auc, error = auc_with_error(data.y[kept], probability[kept])
    return {
        f"{name}_roc_auc": auc,
        f"{name}_roc_auc_low": auc - 1.96 * error,
        f"{name}_roc_auc_high": auc + 1.96 * error,
    }


def site_table(data: Trainable, folds: dict[str, Fold]) -> list[SiteRow]:
    """Results at each held-out site: AUC with its DeLong error, calibration slope, intercept and
    O/E, coverage.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    folds : dict of Fold
        Of `als_ml.training.folds.leave_one_site_out`.

    Returns
    -------
    list of dict
        One a site.
    """
    table: list[SiteRow] = []
    for site, fold in folds.items():
        y, p = data.y[fold.test], fold.probability["model"]
        auc, error = auc_with_error(y, p)
        table.append(
            {
                "site": site,
                "n": len(y),
                "positive": int(y.sum()),
                "roc_auc": auc,
                "error": error,
                "brier": float(((p - y) ** 2).mean()),
                **_calibrated(y, p, data.families[fold.test]),
                "coverage": float(fold.covered[:, 0].mean()),
                "abstained": float(fold.covered[:, 1].mean()),
            }
        )
    return table


def _calibrated(y: np.ndarray, p: np.ndarray, families: np.ndarray) -> Calibrated:
    """Slope and its error, intercept with its 95 % interval and p value, observed by expected and
    the error of its log.

    The error of log O/E is sqrt((1 - share) / observed) (Debray 2017, doi:10.1136/bmj.i6460).
    """
    slope = calibration_slope(y, p, families)
    intercept = calibration_intercept(y, p, families)
    half = 1.96 * intercept.error
    return {
        "calibration_slope": slope.value,
        "slope_error": slope.error,
        "calibration_intercept": intercept.value,
        "intercept_low": intercept.value - half,
        "intercept_high": intercept.value + half,
        "intercept_p": float(2 * norm.sf(abs(intercept.value) / intercept.error)),
        "oe": float(y.sum() / p.sum()),
        "oe_error": float(np.sqrt((1 - y.mean()) / y.sum())),
    }


def site_estimates(table: list[SiteRow]) -> dict[str, float]:
    """AUC, calibration slope and O/E pooled over the held-out sites (TRIPOD-Cluster), with the
    spread between them.

    On the scales on which they are about normal: logit, as it is, and log. A prediction interval
    for a further site where there are sites enough.

    Parameters
    ----------
    table : list of dict
        Of `site_table`.

    Returns
    -------
    dict of float
        `sites_*`; empty with fewer than two usable sites.
    """
    usable = [
        row
        for row in table
        if np.isfinite(row["error"]) and row["error"] > 0 and 0 < row["roc_auc"] < 1
    ]
    if len(usable) < 2:
        return {}
    allowed = (
        sum(min(row["positive"], row["n"] - row["positive"]) >= _EACH for row in usable) >= _SITES
    )
    auc = np.array([row["roc_auc"] for row in usable])
    error = np.array([row["error"] for row in usable])
    estimate = pooled(logit(auc), error / (auc * (1 - auc)), allowed)
    metrics = _over_sites("roc_auc", estimate, expit) | {
        "sites_tau": estimate["tau"],
        "sites_n": float(len(usable)),
        "sites_roc_auc_sd": float(auc.std(ddof=1)),
    }
    slopes = np.array([[row["calibration_slope"], row["slope_error"]] for row in usable])
    ratios = np.array([[np.log(row["oe"]), row["oe_error"]] for row in usable])
    for name, values, back in (("calibration_slope", slopes, float), ("oe", ratios, np.exp)):
        known = values[np.isfinite(values[:, 1]) & (values[:, 1] > 0)]
        if len(known) > 1:
            metrics |= _over_sites(name, pooled(known[:, 0], known[:, 1], allowed), back)
    return metrics


def _over_sites(
    name: str, found: dict[str, float], back: Callable[[float], float]
) -> dict[str, float]:
    """A pooled figure and its bounds on the figure's own scale, as `sites_<name>`, `_low` and so
    on.
    """
    ends = {"mean": "", "low": "_low", "high": "_high"}
    ends |= {"prediction_low": "_prediction_low", "prediction_high": "_prediction_high"}
    return {
        f"sites_{name}{ends[key]}": float(back(value))
        for key, value in found.items()
        if key in ends
    }


def subgroup_table(data: Trainable, validated: Validated) -> list[GroupRow]:
    """Performance and calibration by sex, age, site, ancestry, tested or not, unknown features.

    Groups too small are counted only.

    `roc_auc_promised` is what the group's probabilities promise: a group of like patients has a
    lower AUC by nature, which is not the model's fault. `roc_auc_p` tests whether it is lower
    still, `intercept_p` whether the risk is off.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    validated : Validated
        Their out-of-fold results.

    Returns
    -------
    list of dict
        One a group.
    """
    table: list[GroupRow] = []
    for variable, values in groups_of(data).items():
        levels = sorted(set(map(str, values)))
        for level in levels:
            row = _of_group(data, validated, values.astype(str) == level)
            table.append({"group": variable, "level": level, **row})
    return table


def groups_of(data: Trainable) -> dict[str, np.ndarray]:
    """Variables by which a run looks for groups that it serves worse.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    dict of array (n,)
        Name -> level of each patient, as text.
    """
    age = data.cohort.patients["age_at_onset"].to_numpy(dtype=float)
    tested = np.where(data.assay_status.max(axis=1) > 0, "tested", "not tested")
    groups = {name: data.column(name) for name in ("sex", "ancestry", "site")}
    unknown = data.rows.isna().sum(axis=1).to_numpy()
    groups |= {"age at onset": _age_group(age), "assay": tested}
    groups["unknown features"] = unknown_group(unknown)
    return groups


def _age_group(age: np.ndarray) -> np.ndarray:
    """Thirds at 55 and 70 years (P)."""
    named = np.select([age < 55, age < 70, age >= 70], ["0-54", "55-69", "70+"], "unknown")
    return np.asarray(named, dtype=object)


def unknown_group(unknown: np.ndarray) -> np.ndarray:
    """Thirds of the patients by how many features are unknown, named by their range.

    Fewer groups where many have as many.

    Parameters
    ----------
    unknown : int array (n,)
        Unknown features of each patient.

    Returns
    -------
    object array (n,)
        Names such as `0-4`, `5-9` and `10 or more`.

    >>> unknown_group(np.array([0, 4, 5, 9, 10, 40])).tolist()
    ['0-4', '0-4', '5-9', '5-9', '10 or more', '10 or more']
    >>> unknown_group(np.array([3, 3, 3])).tolist()
    ['0-3', '0-3', '0-3']
    """
    ends = np.unique(np.quantile(unknown, (1 / 3, 2 / 3), method="lower"))
    starts = [0, *(ends + 1)]
    names = [f"{first}-{last}" for first, last in zip(starts, ends, strict=False)]
    names.append(f"{starts[-1]} or more")
    return np.array(names, dtype=object)[np.searchsorted(ends, unknown)]


def _of_group(
    data: Trainable, validated: Validated, members: np.ndarray, least: int = 10
) -> GroupRow:
    y, p = data.y[members], validated.probability["model"][members]
    row: GroupRow = {"n": int(members.sum()), "positive": int(y.sum())}
    if min(y.sum(), len(y) - y.sum()) < least:
        return row
    auc, error = auc_with_error(y, p)
    promised = expected_auc(p)
    return {
        **row,
        "roc_auc": auc,
        "roc_auc_low": max(auc - 1.96 * error, 0.0),
        "roc_auc_high": min(auc + 1.96 * error, 1.0),
        "roc_auc_promised": promised,
        "roc_auc_p": float(norm.cdf((auc - promised) / error)) if error > 0 else float("nan"),
        "brier": float(((p - y) ** 2).mean()),
        **_calibrated(y, p, data.families[members]),
        "coverage": float(validated.covered[members, 0].mean()),
        "abstained": float(validated.covered[members, 1].mean()),
    }


def unbeaten(metrics: dict[str, float], task: str) -> list[str]:
    """Sentences on the lack of any signal and on the baselines that the model is not shown to beat.

    Empty if all is well.

    Parameters
    ----------
    metrics : dict of float
        Of `estimates`.
    task : str
        `familial` or `progression`.

    Returns
    -------
    list of str
        Without a full stop.
    """
    said = []
    auc = metrics["roc_auc"]
    if auc - _WIDER * (auc - metrics.get("roc_auc_low", auc - 0.05)) <= 0.5:
        said.append(
            f"no signal: the 99 % interval of the ROC AUC for {TASKS[task].positive} reaches 0.5"
        )
    for key, value in metrics.items():
        name = key.removeprefix("difference_").removesuffix("_roc_auc")
        if key != f"difference_{name}_roc_auc" or name == "prevalence":
            continue
        low, high = metrics.get(f"{key}_low", value), metrics.get(f"{key}_high", value)
        if low <= 0:
            verb = "does not beat" if value <= 0 else "is not shown to beat"
            said.append(
                f"the model {verb} the baseline {name} (ROC AUC {value:+.3f}, {low:+.3f} to"
                f" {high:+.3f})"
            )
    return said
