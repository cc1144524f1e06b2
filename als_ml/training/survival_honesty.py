"""Checks that ask of every survival run whether its estimate can be believed, as
`als_ml.training.honesty` does of the other tasks.

Limits are proposals of ours (P) unless a source stands beside them.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from als_ml.config import Config
from als_ml.training.folds import Validated, each_part
from als_ml.training.honesty import Check, batches, judged, own_sources, site_recognised, tubes
from als_ml.training.metrics import holm
from als_ml.training.survival_estimates import Seen, seen
from als_ml.training.survival_folds import plain_cox
from als_ml.training.survival_metrics import harrell_c
from als_ml.training.tables import GroupRow, RunTables
from als_ml.training.task_data import Trainable, time_rule
from models.members import family_folds
from models.survival.labels import Times, events_only_beyond
from models.survival.partial_likelihood import moments, risk_sets

Progress = Callable[[str, int, int], None]
# A single feature that orders the times that well is the time.
_CIRCULAR = 0.95
# Patients by whom a single feature is judged: all pairs of them are compared.
_JUDGED_BY = 2000
# From a 95 % to a 99 % interval, as for the other tasks.
_WIDER = 2.576 / 1.96
# Optimism of the apparent c-index, and a group's observed by expected, from which to look.
_OPTIMISM, _RISK_OFF = 0.1, float(np.log(1.25))
# Events per candidate parameter: at least 10 (PROBAST, Wolff 2019, R).
_EVENTS_PER_PARAMETER = 10
# D-calibration is a test of all patients at once: large cohorts fail it by a hair, so the largest
# share of a tenth must be off by a third of it, too.
_D_LEVEL, _D_OFF = 0.01, 1 / 30
# Standard deviations by which shuffled times may beat chance.
_CHANCE = 2.576


def survival_unbeaten(metrics: dict[str, float]) -> list[str]:
    """Sentences on the lack of any signal and on the rules that the model is not shown to beat.

    Parameters
    ----------
    metrics : dict of float
        Of `als_ml.training.survival_estimates.survival_figures`.

    Returns
    -------
    list of str
        Without a full stop; empty if all is well.
    """
    said = []
    c = metrics["c_index"]
    if c - _WIDER * (c - metrics.get("c_index_low", c - 0.05)) <= 0.5:
        said.append("no signal: the 99 % interval of the c-index reaches 0.5")
    for key, value in metrics.items():
        name = key.removeprefix("difference_").removesuffix("_c_index")
        low = metrics.get(f"{key}_low", value)
        if key != f"difference_{name}_c_index" or low > 0:
            continue
        verb = "does not beat" if value <= 0 else "is not shown to beat"
        high = metrics.get(f"{key}_high", value)
        change = f"c-index {value:+.3f}, {low:+.3f} to {high:+.3f}"
        said.append(f"the model {verb} the baseline {name} ({change})")
    return said


def survival_checks(
    data: Trainable,
    validated: Validated,
    config: Config,
    metrics: dict[str, float],
    tables: RunTables,
    progress: Progress = lambda *_: None,
) -> list[Check]:
    """Every check of a run; with `validation.honesty: false` only those that need no refit.

    Adds a learning curve to `tables`.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    validated : Validated
        Their out-of-fold results.
    config : Config
        Of the run.
    metrics : dict of float
        Of the run.
    tables : RunTables
        Of the run.
    progress : callable
        Told what is being refitted.

    Returns
    -------
    list of Check
        In the order in which they are shown.
    """
    of = seen(data, validated.curves)
    checks = [
        _signal(metrics),
        _baselines(metrics),
        _circular(data),
        own_sources(data),
        _follow_up(data, config),
        _censoring(of),
        _alone("assay status", data.assay_status, data, config, metrics),
        _alone("missingness", _missing(data), data, config, metrics),
        _events_per_parameter(data),
        _optimism(metrics),
        _distribution(metrics),
        _bound(metrics),
        site_recognised(data),
        batches(data),
        tubes(data),
        _subgroups(tables.get("subgroups", [])),
        _sites(metrics),
    ]
    if not config.validation.honesty:
        return checks
    progress("shuffled times", 0, 0)
    checks.append(_shuffled(data, config))
    progress("learning curve", 0, 0)
    tables["learning_curve"] = learning_curve(data, config, metrics)
    return checks


def _signal(metrics: dict[str, float]) -> Check:
    said = [text for text in survival_unbeaten(metrics) if text.startswith("no signal")]
    return judged(
        "signal",
        said[0] if said else f"c-index {metrics['c_index']:.3f}",
        said,
        "Nothing here predicts this time.",
        "failed",
    )


def _baselines(metrics: dict[str, float]) -> Check:
    said = [text for text in survival_unbeaten(metrics) if not text.startswith("no signal")]
    return judged(
        "baselines",
        "; ".join(said) or "the model beats each baseline",
        said,
        "Use the simpler rule, or give more patients.",
    )


def _circular(data: Trainable) -> Check:
    """Whether one feature alone orders the times."""
    some = np.random.default_rng(0).permutation(len(data.y))[:_JUDGED_BY]
    times, worst, name = data.of_times.take(some), 0.5, "none"
    for column in data.rows.columns:
        values = data.rows[column].to_numpy(dtype=float)[some]
        known = np.isfinite(values)
        if known.sum() < 20 or np.ptp(values[known]) == 0 or times.event[known].sum() < 10:
            continue
        c = _c(times.take(known), values[known])
        strength = max(c, 1 - c)
        if strength > worst:
            worst, name = strength, str(column)
    failed = worst >= _CIRCULAR
    return judged(
        "circularity",
        f"the strongest single feature is {name} (c-index {worst:.3f})",
        failed,
        f"Leave {name} out: it is the time in another form.",
        "failed",
    )


def _c(times: Times, score: np.ndarray) -> float:
    weights = np.ones((1, len(score)))
    return float(harrell_c(times.months, times.outcome, score, weights)[0])


def _follow_up(data: Trainable, config: Config) -> Check:
    """Whether those without an event are followed as long as those with one."""
    rule = time_rule(config)
    found = None if rule is None else events_only_beyond(data.cohort, rule)
    if found is None:
        text = "patients without an event are followed as long as those with one"
        return Check(name="follow-up", verdict="passed", found=text)
    day, n = found
    return Check(
        name="follow-up",
        verdict="failed",
        found=f"after day {day} only patients with an event are followed ({n} of them)",
        remedy=f"Set label.follow_up_days: {day}; otherwise everyone seems to die after it.",
    )


def _censoring(of: Seen) -> Check:
    """Whether who is lost before the end has another risk than who stays."""
    lost = (of.event == 0) & (of.own < of.grid[-1])
    name = "censoring and prognosis"
    if lost.sum() < 20:
        few = f"{int(lost.sum())} patients are lost before the end"
        return Check(name=name, verdict="passed", found=few)
    z = of.order("model")
    z = ((z - z.mean()) / max(z.std(), 1e-12))[:, None]
    start = moments(z, risk_sets(of.own, lost), np.zeros(len(z)))
    ratio = float(start.gradient[0] / start.curvature[0, 0])
    error = 1 / np.sqrt(float(start.curvature[0, 0]))
    text = f"hazard of being lost x {np.exp(ratio):.2f} a standard deviation of the risk"
    depends = abs(ratio) > _CHANCE * error and abs(ratio) > np.log(1.1)
    remedy = (
        "Weights for censoring are of everyone alike, so risks late in the follow-up are too"
        f" {'low' if ratio > 0 else 'high'}: believe early ones more, or cut label.follow_up_days."
    )
    return judged(name, text, depends, remedy)


def _missing(data: Trainable) -> np.ndarray:
    gaps = data.rows.isna().to_numpy(dtype=float)
    return gaps[:, np.ptp(gaps, axis=0) > 0]


def _alone(
    words: str, values: np.ndarray, data: Trainable, config: Config, metrics: dict[str, float]
) -> Check:
    """How well who was tested, or what was measured, orders the times by itself."""
    name = f"{words} alone"
    if not values.shape[1] or len(np.unique(values, axis=0)) < 2:
        return Check(name=name, verdict="not tried", found="it does not vary")
    score = np.empty(len(data.y))
    v = config.validation
    for train, test in family_folds(data.y, data.families, v.folds, v.seed):
        score[test] = plain_cox(values[train], data.of_times.take(train), 0.1)[0](values[test])
    c = _c(data.of_times, score)
    finding = f"c-index of {words} alone {c:.3f}, the model's {metrics['harrell_c']:.3f}"
    error = 0.5 / np.sqrt(max(data.y.sum(), 1.0))
    if c >= metrics["harrell_c"] and c - 1.96 * error > 0.5:
        remedy = "What was measured says as much as the values: look why."
        return Check(name=name, verdict="failed", found=finding, remedy=remedy)
    if c - 1.96 * error > 0.55:
        remedy = "Who is measured depends on the time."
        return Check(name=name, verdict="attention", found=finding, remedy=remedy)
    return Check(name=name, verdict="passed", found=finding)


def _events_per_parameter(data: Trainable) -> Check:
    varied, events = int(sum(data.rows.nunique() > 1)), int(data.y.sum())
    few = events < _EVENTS_PER_PARAMETER * varied
    remedy = "Fewer than 10 each: trust the out-of-fold figures only, never the apparent ones."
    return judged(
        "events per parameter",
        f"{events} events, {varied} features that vary: {events / max(varied, 1):.1f} each",
        few,
        remedy,
    )


def _optimism(metrics: dict[str, float]) -> Check:
    apparent, c = metrics["apparent_harrell_c"], metrics["harrell_c"]
    large = apparent - c > _OPTIMISM
    return judged(
        "optimism",
        f"apparent c-index {apparent:.3f}, out of fold {c:.3f}",
        large,
        "The model overfits: regularise.",
    )


def _distribution(metrics: dict[str, float]) -> Check:
    """D-calibration: whether whole curves hold, not one time."""
    if "d_calibration_p" not in metrics:
        text = "it is not defined where another event competes"
        return Check(name="D-calibration", verdict="not tried", found=text)
    p, off = metrics["d_calibration_p"], metrics["d_calibration_largest"]
    wrong = p < _D_LEVEL and off > _D_OFF
    return judged(
        "D-calibration",
        f"p {p:.2g}, the share of a tenth is off by up to {off:.3f}",
        wrong,
        "The curves do not hold over all times; look at the risk groups.",
    )


def _bound(metrics: dict[str, float]) -> Check:
    if "bound_coverage" not in metrics:
        return Check(name="lower bound", verdict="not tried", found="there is none")
    low, high = metrics["bound_coverage_low"], metrics["bound_coverage_high"]
    short = high < metrics["bound_asked"]
    return judged(
        "lower bound",
        (
            f"{metrics['bound_coverage']:.1%} live as long ({low:.1%} to {high:.1%};"
            f" {metrics['bound_asked']:.0%} asked)"
        ),
        short,
        "The bound is too high for these patients.",
    )


def _subgroups(table: list[GroupRow]) -> Check:
    """Groups whose risk by month 12 is off by more than chance over all groups (Holm)."""
    tried = [row for row in table if np.isfinite(row.get("oe", np.nan)) and row["oe"] > 0]
    if not tried:
        text = "no subgroup has 10 events and 10 without"
        return Check(name="subgroups", verdict="not tried", found=text)
    # The error of log O/E is about 1 / sqrt(events), or less.
    p = np.array([2 * norm.sf(abs(np.log(row["oe"])) * np.sqrt(row["positive"])) for row in tried])
    off = [
        f"{row['group']} {row['level']} (observed by expected {row['oe']:.2f})"
        for row, sure in zip(tried, holm(p), strict=True)
        if sure and abs(np.log(row["oe"])) > _RISK_OFF
    ]
    return judged(
        "subgroups",
        "; ".join(off) or f"nothing beyond chance in {len(tried)} groups",
        off,
        "Do not use the risk there.",
    )


def _sites(metrics: dict[str, float]) -> Check:
    if "sites_harrell_c" not in metrics:
        return Check(
            name="held-out sites",
            verdict="not tried",
            found="there are not two sites with 10 events and 10 without",
        )
    low, high = metrics["sites_harrell_c_low"], metrics["sites_harrell_c_high"]
    c = metrics["sites_harrell_c"]
    worse = metrics["harrell_c"] - c > 0.05
    return judged(
        "held-out sites",
        (
            f"pooled c-index over {metrics['sites_n']:.0f} held-out sites {c:.3f}"
            f" ({low:.3f}-{high:.3f})"
        ),
        worse,
        "At a new site expect this figure, not the cross-validated one.",
    )


def _shuffled(data: Trainable, config: Config) -> Check:
    """Times dealt out anew among the patients: whatever is still found is a leak."""
    rng = np.random.default_rng(config.validation.seed)
    dealt = rng.permutation(len(data.y))
    times = data.of_times.take(dealt)
    other = replace(data, times=times, y=data.y[dealt])
    c = _c(times, scores_for(other, config))
    # The c-index of a score that knows nothing, with all pairs of an event usable.
    error = 1 / np.sqrt(12 * max(data.y.sum(), 1.0))
    leaks = c - 0.5 > _CHANCE * error
    return judged(
        "shuffled times",
        f"c-index {c:.3f} after refits with times dealt out at random",
        leaks,
        "Something of the test patients reaches the training.",
        "failed",
    )


def scores_for(data: Trainable, config: Config, kept: np.ndarray | None = None) -> np.ndarray:
    """Out-of-fold scores of refits that ask what if, without search and in the folds of the first
    repeat.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    config : Config
        Of the run.
    kept : array of bool (n,), optional
        Who may train.

    Returns
    -------
    array (n,)
        Log hazard ratios against the mean training patient of each fold; NaN where too few can
        train.
    """
    v = config.validation
    plain = config.model_copy(update={"model": config.model.model_copy(update={"search": None})})
    folds = family_folds(data.y, data.families, v.folds, v.seed)
    parts = [
        (train, train if kept is None else train[kept[train]], test, plain) for train, test in folds
    ]
    score = np.full(len(data.y), np.nan)
    found = each_part(_refitted, data, parts, config.threads, lambda *_: None, "")
    for (_, test), values in zip(folds, found, strict=True):
        score[test] = values
    return score


def _refitted(
    data: Trainable, part: tuple[np.ndarray, np.ndarray, np.ndarray, Config]
) -> np.ndarray:
    whole, train, test, config = part
    families = np.unique(data.families[train][data.y[train] == 1])
    if len(families) <= config.validation.inner_folds:
        return np.full(len(test), np.nan)
    with threadpool_limits(1):
        X = data.matrix(whole)
        fitted = data.fit_times(X, train, config)
        return np.asarray(fitted.curve.slopes[0] * (fitted.score(X[test]) - fitted.curve.centre))


def learning_curve(
    data: Trainable, config: Config, metrics: dict[str, float]
) -> list[dict[str, float]]:
    """Out-of-fold c-index with a quarter, half, three quarters and all of the training families.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    config : Config
        Of the run.
    metrics : dict of float
        Of the run, which knows the last of them.

    Returns
    -------
    list of dict
        One a share: patients and c-index (Harrell) with a rough interval.
    """
    order = np.random.default_rng(config.validation.seed).permutation(np.unique(data.families))
    v = config.validation
    folds = family_folds(data.y, data.families, v.folds, v.seed)
    table = []
    for share in (0.25, 0.5, 0.75, 1.0):
        kept = np.isin(data.families, order[: round(share * len(order))])
        score = None if share == 1 else scores_for(data, config, kept)
        if score is not None and not np.isfinite(score).all():
            continue
        c = metrics["harrell_c"] if score is None else _c(data.of_times, score)
        error = 0.5 / np.sqrt(3 * max(data.y.sum(), 1.0))
        patients = float(np.mean([kept[train].sum() for train, _ in folds]))
        table.append(
            {"patients": patients, "c_index": c, "low": c - 1.96 * error, "high": c + 1.96 * error}
        )
    return table
