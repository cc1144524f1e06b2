"""Checks that ask of every run whether its estimate can be believed, each with a figure, a verdict
and a remedy.

Verdicts: `passed`, `attention` (reported, does not stop a promotion), `failed` (stops it), `not
tried`. Limits are proposals of ours (P) unless a source stands beside them.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.stats import chi2_contingency, f_oneway
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from als_ml.config import Config
from als_ml.training.estimates import unbeaten
from als_ml.training.folds import Validated, plain_logistic, probabilities_for
from als_ml.training.metrics import auc_with_error, holm
from als_ml.training.sample_size import sample_sizes
from als_ml.training.tables import GroupRow, RunTables, SiteRow
from als_ml.training.task_data import Trainable
from models.members import family_folds
from models.tasks import FAMILIAL, TASKS

Progress = Callable[[str, int, int], None]
# A single feature that tells the label that well is the label (P).
_CIRCULAR_AUC, _CIRCULAR_CORRELATION = 0.97, 0.99
# Optimism of the apparent AUC, AUC of the site, and eta squared of a batch from which to look (P).
_OPTIMISM, _TELLS_SITE, _BATCH_SHARE = 0.15, 0.7, 0.15
# A subgroup's odds that are off by a quarter, its AUC by 0.05, and a site's odds by e: less is not
# worth a word (P).
_RISK_OFF, _AUC_OFF, _SITE_OFF = float(np.log(1.25)), 0.05, 1.0
# Chance of a family history that appears later: 3 % a year (issue of follow-up, PMC10689005, D);
# refits a run.
_FLIP, _REFITS = 0.03, 3
# Events per candidate parameter: at least 10 (PROBAST, Wolff 2019, R); superseded by the
# sample-size check beside it.
_EVENTS_PER_PARAMETER = 10


@dataclass(frozen=True)
class Check:
    """One check: its name, verdict, what was found and what to do."""

    name: str
    verdict: str
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain fields."""
        return asdict(self)


def judged(name: str, found: str, wrong: object, remedy: str, verdict: str = "attention") -> Check:
    """A check that found something wrong, with what to do, or that is passed.

    Parameters
    ----------
    name : str
        Of the check.
    found : str
        What was found.
    wrong : object
        True, or not empty, where it is not passed.
    remedy : str
        What to do then.
    verdict : str
        Then: `attention`, or `failed`, which stops a promotion.

    Returns
    -------
    Check
        Without a remedy where it is passed.
    """
    if not wrong:
        return Check(name=name, verdict="passed", found=found)
    return Check(name=name, verdict=verdict, found=found, remedy=remedy)


def failed(checks: list[Check]) -> list[Check]:
    """Those that stop a promotion.

    Parameters
    ----------
    checks : list of Check
        Of `honesty_checks`.

    Returns
    -------
    list of Check
        In their order.
    """
    return [check for check in checks if check.verdict == "failed"]


def honesty_checks(
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
        The labelled patients.
    validated : Validated
        Their out-of-fold results.
    config : Config
        Of the run.
    metrics : dict of float
        Of `als_ml.training.estimates.estimates`.
    tables : RunTables
        The tables of the run.
    progress : callable
        Told what is being refitted.

    Returns
    -------
    list of Check
        In the order in which they are shown.
    """
    checks = [
        _signal(metrics, config),
        _baselines(metrics, config),
        _circular(data),
        own_sources(data),
        _alone("assay status", "assay_status", metrics, config),
        _alone("missingness", "missingness", metrics, config),
        _events_per_parameter(data),
        _sample_size(data, metrics),
        _optimism(metrics),
        site_recognised(data),
        *confounded(data),
        batches(data),
        tubes(data),
        _without_events(data, validated, metrics),
        _subgroups(tables.get("subgroups", [])),
        _sites(metrics, tables.get("sites", [])),
    ]
    if not config.validation.honesty:
        return checks
    progress("label noise", 0, 0)
    checks.append(_label_noise(data, config, _first_repeat(data, validated)))
    progress("learning curve", 0, 0)
    tables["learning_curve"] = learning_curve(data, config, validated)
    return checks


def _signal(metrics: dict[str, float], config: Config) -> Check:
    said = [
        sentence for sentence in unbeaten(metrics, config.task) if sentence.startswith("no signal")
    ]
    finding = said[0] if said else f"ROC AUC {metrics['roc_auc']:.3f}"
    return judged("signal", finding, said, "Nothing here predicts this label.", "failed")


def _baselines(metrics: dict[str, float], config: Config) -> Check:
    said = [
        sentence
        for sentence in unbeaten(metrics, config.task)
        if not sentence.startswith("no signal")
    ]
    if said:
        return Check(
            name="baselines",
            verdict="attention",
            found="; ".join(said),
            remedy="Use the simpler rule, or give more patients.",
        )
    return Check(name="baselines", verdict="passed", found="the model beats each baseline")


def _circular(data: Trainable) -> Check:
    """Whether one feature alone reproduces the label."""
    worst, name = 0.0, ""
    for column in data.rows.columns:
        values = data.rows[column].to_numpy(dtype=float)
        strength = _strength(values, data.y, data.slope)
        if strength > worst:
            worst, name = strength, str(column)
    finding = f"the strongest single feature is {name} (AUC or correlation {worst:.3f})"
    if worst >= _CIRCULAR_AUC:
        return Check(
            name="circularity",
            verdict="failed",
            found=finding,
            remedy=f"Leave {name} out: it is the label in another form.",
        )
    return Check(name="circularity", verdict="passed", found=finding)


def _strength(values: np.ndarray, y: np.ndarray, slope: np.ndarray) -> float:
    known = np.isfinite(values)
    if known.sum() < 20 or np.ptp(values[known]) == 0 or len(np.unique(y[known])) < 2:
        return 0.0
    auc = roc_auc_score(y[known], values[known])
    both = known & np.isfinite(slope)
    linear = (
        abs(np.corrcoef(values[both], slope[both])[0, 1])
        if both.sum() > 20 and np.ptp(values[both]) > 0
        else 0.0
    )
    return float(max(auc, 1 - auc, linear if linear >= _CIRCULAR_CORRELATION else 0.0))


def own_sources(data: Trainable) -> Check:
    """Whether a column that the label comes from is a feature.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    Check
        With what was found.
    """
    shared = sorted(set(data.spec.columns) & data.labels.sources)
    if shared:
        return Check(
            name="sources of the label",
            verdict="failed",
            found=f"{shared[0]} is a source of the label",
            remedy="Leave it out.",
        )
    return Check(
        name="sources of the label", verdict="passed", found="no feature is a source of the label"
    )


def _alone(words: str, name: str, metrics: dict[str, float], config: Config) -> Check:
    """How well who was tested, or what was measured, predicts the label by itself; a model that is
    blind to it cannot fail.
    """
    if f"{name}_roc_auc" not in metrics:
        return Check(name=f"{words} alone", verdict="not tried", found="it does not vary")
    auc, low = metrics[f"{name}_roc_auc"], metrics[f"{name}_roc_auc_low"]
    finding = f"AUC of {words} alone {auc:.3f}, the model's {metrics['roc_auc']:.3f}"
    if TASKS[config.task].learns_missingness and auc >= metrics["roc_auc"] and low > 0.5:
        return Check(
            name=f"{words} alone",
            verdict="failed",
            found=finding,
            remedy="What was measured says as much as the values: look why.",
        )
    if low > 0.55:
        return Check(
            name=f"{words} alone",
            verdict="attention",
            found=finding,
            remedy="Who is measured depends on the label.",
        )
    return Check(name=f"{words} alone", verdict="passed", found=finding)


def _events_per_parameter(data: Trainable) -> Check:
    varied = int(sum(data.rows.nunique() > 1))
    events = int(min(data.y.sum(), (1 - data.y).sum()))
    finding = (
        f"{events} patients of the rarer label, {varied} features that vary:"
        f" {events / max(varied, 1):.1f} each"
    )
    if events < _EVENTS_PER_PARAMETER * varied:
        remedy = "Fewer than 10 each: trust the out-of-fold figures only, never the apparent ones."
        return Check(name="events per parameter", verdict="attention", found=finding, remedy=remedy)
    return Check(name="events per parameter", verdict="passed", found=finding)


def _sample_size(data: Trainable, metrics: dict[str, float]) -> Check:
    """Riley's criteria for the parameters that the model spent and the R2 that it reached out of
    fold.
    """
    n, spent, r2 = len(data.y), metrics["effective_parameters"], metrics["r2_cox_snell"]
    if r2 <= 0:
        return Check(
            name="sample size",
            verdict="not tried",
            found="the model explains nothing (R2 out of fold)",
        )
    needed = sample_sizes(spent, float(data.y.mean()), r2)
    each = ", ".join(f"{name} {size}" for name, size in needed.items())
    finding = (
        f"{n} patients; Riley's criteria ask for {max(needed.values())} ({each}) at {spent:.0f} "
        f"effective parameters and R2 {r2:.3f}"
    )
    if n < max(needed.values()):
        remedy = "Give more patients or a simpler model; until then trust out-of-fold figures only."
        return Check(name="sample size", verdict="attention", found=finding, remedy=remedy)
    return Check(name="sample size", verdict="passed", found=finding)


def _optimism(metrics: dict[str, float]) -> Check:
    finding = (
        f"apparent ROC AUC {metrics['apparent_roc_auc']:.3f}, out of fold {metrics['roc_auc']:.3f}"
    )
    large = metrics["optimism_roc_auc"] > _OPTIMISM
    return judged("optimism", finding, large, "The model overfits: regularise.")


def site_recognised(data: Trainable) -> Check:
    """Whether the features can tell the site: then a site's habits can stand in for its
    patients.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    Check
        With what was found.
    """
    site = data.column("site")
    names, counts = np.unique(site, return_counts=True)
    names = names[counts >= 20]
    if len(names) < 2:
        return Check(
            name="features tell the site",
            verdict="not tried",
            found="there are not two sites of 20 patients",
        )
    aucs = {str(name): _recognised(data.rows.to_numpy(dtype=float), site == name) for name in names}
    best = max(aucs, key=lambda name: aucs[name])
    finding = (
        f"AUC of telling a site {np.mean(list(aucs.values())):.3f} on average, highest {best}"
        f" {aucs[best]:.3f}"
    )
    if aucs[best] > _TELLS_SITE:
        return Check(
            name="features tell the site",
            verdict="attention",
            found=finding,
            remedy="See the results of each held-out site.",
        )
    return Check(name="features tell the site", verdict="passed", found=finding)


def _recognised(X: np.ndarray, of_site: np.ndarray) -> float:
    """Out-of-fold AUC of a site from values and gaps."""
    X, score = np.hstack([X, np.isnan(X)]), np.empty(len(of_site))
    X = X[:, np.nanstd(np.where(np.isnan(X).all(axis=0), 0.0, X), axis=0) > 0]
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, of_site):
        score[test] = plain_logistic(X[train], of_site[train].astype(float), X[test], 0.01)
    return float(roc_auc_score(of_site, score))


def confounded(data: Trainable) -> Iterator[Check]:
    """Whether the label's share differs between sites, and between assays of one analyte.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    iterator of Check
        With what was found.
    """
    yield _association("site and label", data.column("site"), data.y)
    table = data.cohort.biomarkers
    for analyte in ("nfl_serum", "nfl_plasma"):
        values = table[(table["analyte"] == analyte).to_numpy()]
        assay = np.full(len(data.y), "", dtype=object)
        assay[values["row"].to_numpy(dtype=int)] = values["assay"].astype(str).to_numpy()
        measured = assay != ""
        if len(set(assay[measured])) > 1:
            yield _association(f"assay of {analyte} and label", assay[measured], data.y[measured])


def _association(name: str, group: np.ndarray, y: np.ndarray) -> Check:
    """Chi-squared test and Cramer's V."""
    levels, at = np.unique(group.astype(str), return_inverse=True)
    counts = np.array(
        [[((at == i) & (y == label)).sum() for label in (0, 1)] for i in range(len(levels))]
    )
    counts = counts[counts.sum(axis=1) >= 10]
    if len(counts) < 2 or (counts.sum(axis=0) == 0).any():
        return Check(
            name=name, verdict="not tried", found="there are not two groups of 10 patients"
        )
    test = chi2_contingency(counts)
    v = float(np.sqrt(test.statistic / counts.sum()))
    shares = counts[:, 1] / counts.sum(axis=1)
    finding = (
        f"share of positives {shares.min():.0%} to {shares.max():.0%}, Cramer's V {v:.2f}, p"
        f" {test.pvalue:.2g}"
    )
    if test.pvalue < 0.01 and v >= 0.15:
        return Check(
            name=name,
            verdict="attention",
            found=finding,
            remedy="They are confounded: see the results of each held-out site.",
        )
    return Check(name=name, verdict="passed", found=finding)


def batches(data: Trainable) -> Check:
    """Which analytes differ between batches of the laboratory by more than their patients do.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    Check
        With what was found.
    """
    remedy = "Correct or re-measure the batch; never by the label."
    return _shift_by("batch", "batch effects", remedy, data)


def tubes(data: Trainable) -> Check:
    """The same of what the blood was drawn into: a tube that one centre uses tells the centre.

    Parameters
    ----------
    data : Trainable
        The labelled patients.

    Returns
    -------
    Check
        With what was found.
    """
    remedy = "Give the values of one tube, or leave the analyte out; the tube may stand for a site."
    return _shift_by("tube", "tube types", remedy, data)


def _shift_by(column: str, name: str, remedy: str, data: Trainable) -> Check:
    table = data.cohort.biomarkers
    if column not in table or table[column].isna().all():
        return Check(name=name, verdict="not tried", found=f"no {column} is given")
    shifted = []
    for analyte, measured in table.dropna(subset=[column]).groupby("analyte", observed=True):
        groups = [
            rows.to_numpy(dtype=float)
            for _, rows in measured.groupby(column, observed=True)["value"]
            if len(rows) >= 5
        ]
        if len(groups) > 1 and np.ptp(np.concatenate(groups)) > 0:
            share, p = _between(groups)
            if p < 0.001 and share >= _BATCH_SHARE:
                shifted.append(f"{analyte} ({share:.0%} of its variance)")
    if shifted:
        return Check(
            name=name,
            verdict="attention",
            found=f"the {column} explains {', '.join(shifted)}",
            remedy=remedy,
        )
    return Check(name=name, verdict="passed", found=f"no analyte differs by {column}")


def _between(groups: list[np.ndarray]) -> tuple[float, float]:
    """Share of the variance between groups (eta squared), of ranks, and the p value of an analysis
    of variance.
    """
    values = np.concatenate(groups)
    ranks = np.argsort(np.argsort(values)).astype(float)
    parts = np.split(ranks, np.cumsum([len(group) for group in groups])[:-1])
    between = sum(len(part) * (part.mean() - ranks.mean()) ** 2 for part in parts)
    return float(between / ((ranks - ranks.mean()) ** 2).sum()), float(f_oneway(*parts).pvalue)


def _first_repeat(data: Trainable, validated: Validated) -> float:
    """ROC AUC of the first repeat of the folds, beside which a refit in the same folds is held."""
    return auc_with_error(data.y, validated.by_repeat["model"][0])[0]


def _without_events(data: Trainable, validated: Validated, metrics: dict[str, float]) -> Check:
    if "without_events_roc_auc" not in metrics:
        return Check(
            name="without the event patients",
            verdict="not tried",
            found="no label comes from an event, or refits are off",
        )
    finding = (
        f"ROC AUC among patients with a slope {metrics['without_events_roc_auc']:.3f}"
        f" ({int(data.by_event.sum())} by event)"
    )
    drop = _first_repeat(data, validated) - metrics["without_events_roc_auc"]
    remedy = "Much of the score is about who dies, not about the rate." if drop > 0.05 else ""
    return Check(
        name="without the event patients",
        verdict="attention" if drop > 0.05 else "passed",
        found=finding,
        remedy=remedy,
    )


def _subgroups(table: list[GroupRow]) -> Check:
    """Groups whose risk is off, or whose AUC is below what their probabilities promise: by more
    than chance over all groups.

    Holm's correction over both questions and all groups, so that a sound model is flagged in at
    most 5 % of its runs.
    """
    tried = [row for row in table if "roc_auc" in row]
    if not tried:
        return Check(
            name="subgroups", verdict="not tried", found="no subgroup has 10 patients of each label"
        )
    p_values = np.array([[row["intercept_p"], row["roc_auc_p"]] for row in tried])
    rejected = holm(p_values.ravel()).reshape(-1, 2)
    said = []
    for row, (risk, auc) in zip(tried, rejected, strict=True):
        name = f"{row['group']} {row['level']}"
        if risk and abs(row["calibration_intercept"]) > _RISK_OFF:
            interval = f"{row['intercept_low']:+.2f} to {row['intercept_high']:+.2f}"
            said.append(f"{name} (intercept {row['calibration_intercept']:+.2f}, {interval})")
        if auc and row["roc_auc_promised"] - row["roc_auc"] > _AUC_OFF:
            said.append(
                f"{name} (AUC {row['roc_auc']:.2f}, promised {row['roc_auc_promised']:.2f})"
            )
    if said:
        return Check(
            name="subgroups",
            verdict="attention",
            found="; ".join(said),
            remedy="Do not use the score there without recalibration.",
        )
    return Check(
        name="subgroups", verdict="passed", found=f"nothing beyond chance in {len(tried)} groups"
    )


def _sites(metrics: dict[str, float], table: list[SiteRow]) -> Check:
    if not table:
        return Check(
            name="held-out sites",
            verdict="not tried",
            found="there are not two sites with both labels",
        )
    finding = (
        f"no pooled ROC AUC: of {len(table)} held-out sites fewer than two have one with an error"
    )
    if "sites_roc_auc" in metrics:
        low, high = metrics["sites_roc_auc_low"], metrics["sites_roc_auc_high"]
        finding = (
            f"pooled ROC AUC over {len(table)} held-out sites {metrics['sites_roc_auc']:.3f}"
            f" ({low:.3f}-{high:.3f})"
        )
    if "sites_oe" in metrics:
        low, high = metrics["sites_oe_low"], metrics["sites_oe_high"]
        finding += f", O/E {metrics['sites_oe']:.2f} ({low:.2f}-{high:.2f})"
    rejected = holm(np.array([row["intercept_p"] for row in table]))
    off = [
        row["site"]
        for row, sure in zip(table, rejected, strict=True)
        if sure and abs(row["calibration_intercept"]) > _SITE_OFF
    ]
    if off:
        remedy = "Recalibrate there: python -m als_ml recalibrate."
        return Check(
            name="held-out sites",
            verdict="attention",
            found=f"{finding}; the risk is far off at {', '.join(off)}",
            remedy=remedy,
        )
    if metrics["roc_auc"] - metrics.get("sites_roc_auc", 0.5) > 0.05:
        return Check(
            name="held-out sites",
            verdict="attention",
            found=finding,
            remedy="At a new site expect this figure, not the cross-validated one.",
        )
    return Check(name="held-out sites", verdict="passed", found=finding)


def _label_noise(data: Trainable, config: Config, without: float) -> Check:
    """How much of the AUC is left when the labels are as uncertain as they are in truth."""
    rng = np.random.default_rng(config.validation.seed)
    label = config.label.model_copy(update={"uncertain": False, "learn": "fast"})
    certain = config.model_copy(update={"label": label})
    aucs = []
    for _ in range(_REFITS):
        y = _flipped(data, config, rng)
        if y is None:
            return Check(
                name="label noise", verdict="not tried", found="the label's error is not known"
            )
        aucs.append(auc_with_error(data.y, probabilities_for(data, certain, y))[0])
    how = (
        "3 % of the sporadic turned familial"
        if config.task == FAMILIAL.name
        else "slopes redrawn within their error"
    )
    finding = f"ROC AUC {np.mean(aucs):.3f} after refits under {how} ({without:.3f} without)"
    fragile = without - np.mean(aucs) > 0.05
    return judged("label noise", finding, fragile, "The model leans on doubtful labels.")


def _flipped(data: Trainable, config: Config, rng: np.random.Generator) -> np.ndarray | None:
    """Labels redrawn: a family history that appears later, or a slope measured again with other
    noise.
    """
    if config.task == FAMILIAL.name and config.label.column is None:
        later = rng.random(data.families.max() + 1)[data.families] < _FLIP
        return np.where(later, 1.0, data.y)
    likely = replace(data).learned(
        np.arange(len(data.y)),
        config.model_copy(
            update={"label": config.label.model_copy(update={"learn": "fast", "uncertain": True})}
        ),
    )
    if np.isin(likely, (0.0, 1.0)).all():
        return None
    return (rng.random(len(likely)) < likely).astype(float)


def learning_curve(data: Trainable, config: Config, validated: Validated) -> list[dict[str, float]]:
    """Out-of-fold ROC AUC with a quarter, half, three quarters and all of the training families.

    All of them is what the first repeat of the run says already, unless it searched for its
    parameters.

    Parameters
    ----------
    data : Trainable
        The labelled patients.
    config : Config
        Of the run.
    validated : Validated
        Their out-of-fold results.

    Returns
    -------
    list of dict
        One a share: `share`, patients and ROC AUC.
    """
    order = np.random.default_rng(config.validation.seed).permutation(np.unique(data.families))
    folds = family_folds(data.y, data.families, config.validation.folds, config.validation.seed)
    table = []
    for share in (0.25, 0.5, 0.75, 1.0):
        kept = np.isin(data.families, order[: round(share * len(order))])
        known = share == 1 and config.model.search is None
        first = validated.by_repeat["model"][0]
        p = first if known else probabilities_for(data, config, data.y, kept)
        if np.isfinite(p).all():
            patients = float(np.mean([kept[train].sum() for train, _ in folds]))
            table.append(_point(patients, *auc_with_error(data.y, p)))
    return table


def _point(patients: float, auc: float, error: float) -> dict[str, float]:
    return {
        "patients": patients,
        "roc_auc": auc,
        "low": auc - 1.96 * error,
        "high": auc + 1.96 * error,
    }
