"""From out-of-fold survival curves to the figures of a run: metrics with intervals, differences to
the simple rules, calibration, lower bounds, risk groups, causes, sites and subgroups.

Who is censored on a day was without the event through that day: so that he counts at its end,
censorings are moved by most of a day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from als_ml.config import Config
from als_ml.prediction.row import PredictionRow
from als_ml.training.estimates import groups_of
from als_ml.training.folds import Fold, Validated
from als_ml.training.from_onset import encals_curve, from_onset, months_to_landmark
from als_ml.training.metrics import divided, exact_interval, family_weights, percentiles, pooled
from als_ml.training.survival_folds import OF_ALL, months_of
from als_ml.training.survival_metrics import (
    aalen_johansen,
    auc_by,
    brier,
    by_horizon,
    calibration_table,
    d_calibration,
    evaluate_survival,
    integrated_brier,
    largest_tau,
    survival_at,
    uno_c,
    without_event,
)
from als_ml.training.tables import CalibrationBin, Figures, GroupRow, RunTables, SiteRow
from als_ml.training.task_data import Trainable
from features.alsfrs.slopes import DAYS_PER_MONTH
from models.survival.conformal import uncensored
from models.survival.curve import GROUPS
from models.survival.labels import CAUSES, Times
from models.survival.times import TWO_YEARS, YEAR

# Horizon in months -> the time of the curves that answers for it. In whole days no event lies
# between 365 and 365.25, or between 730 and 730.5.
HORIZONS = {12: YEAR, 24: TWO_YEARS}
# How much later a censored patient counts as seen.
_THROUGH_THE_DAY = 0.9 / DAYS_PER_MONTH
# Patients times draws of the intervals: 20,000 patients get 150 draws, up to 3,000 all of 1,000.
# Intervals of large cohorts are narrow, and each draw sorts them anew (P).
_PATIENT_DRAWS, _FEWEST_DRAWS = 3e6, 100
# A site or a group needs that many events, and as many without, for a figure of its own (P).
_LEAST = 10
# Draws for the error of a site's c-index.
_SITE_DRAWS = 200


@dataclass(frozen=True)
class Seen:
    """Patients with their time, cause and out-of-fold curves.

    `months` (n,) as the metrics count them, `times` as they are; `grid` (k,) months above 0 up to
    which every curve says something; `curves` (n, k) by method: the share without the event.
    """

    months: np.ndarray
    times: Times
    families: np.ndarray
    grid: np.ndarray
    curves: dict[str, np.ndarray]

    @property
    def event(self) -> np.ndarray:
        """1 event, 0 censored, 2 a competing event."""
        return self.times.outcome

    @property
    def own(self) -> np.ndarray:
        """Months as they are (n,)."""
        return self.times.months

    @property
    def events(self) -> int:
        """Patients with the event."""
        return int(self.times.event.sum())

    def risks(self, name: str) -> dict[int, np.ndarray]:
        """Risk by each horizon that the curves reach, of a method."""
        return {
            horizon: 1 - self.curves[name][:, np.flatnonzero(self.grid == at)[0]]
            for horizon, at in HORIZONS.items()
            if (self.grid == at).any()
        }

    def order(self, name: str) -> np.ndarray:
        """What the c-index orders by: the risk by the first horizon, else by the end."""
        found = self.risks(name)
        return next(iter(found.values())) if found else 1 - self.curves[name][:, -1]

    def take(self, kept: np.ndarray) -> "Seen":
        """The same of some patients."""
        return Seen(
            months=self.months[kept],
            times=self.times.take(kept),
            families=self.families[kept],
            grid=self.grid,
            curves={name: curve[kept] for name, curve in self.curves.items()},
        )


def seen(data: Trainable, curves: dict[str, np.ndarray], of: np.ndarray | None = None) -> Seen:
    """Out-of-fold curves beside what happened.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    curves : dict of array (n, k)
        Survival by method at `months_of(data)`.
    of : array of int (n,), optional
        Positions of the patients whose curves these are; by default all.

    Returns
    -------
    Seen
        Without the times at which a fold's curve said nothing.
    """
    of = np.arange(len(data.y)) if of is None else of
    months, times = months_of(data), data.of_times.take(of)
    known = np.all([np.isfinite(curve).all(axis=0) for curve in curves.values()], axis=0)
    known &= months > 0
    return Seen(
        months=through_the_day(times),
        times=times,
        families=data.families[of],
        grid=months[known],
        curves={name: curve[:, known] for name, curve in curves.items()},
    )


def through_the_day(times: Times) -> np.ndarray:
    """Months as the metrics count them (n,): who is censored on a day was there through it.

    Parameters
    ----------
    times : Times
        Of n patients.
    """
    return np.where(times.ended, times.months, times.months + _THROUGH_THE_DAY)


def survival_figures(
    data: Trainable, validated: Validated, config: Config
) -> tuple[dict[str, float], RunTables]:
    """Metrics of the model and of each simple rule, their differences, and the tables.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    validated : Validated
        Their out-of-fold results.
    config : Config
        Of the run.

    Returns
    -------
    metrics : dict of float
        By the names that MLflow gets.
    tables : RunTables
        Aggregates.
    """
    of = seen(data, validated.curves)
    metrics = _metrics(of, config) | _differences(of, config) | _distribution(of)
    metrics |= _bound(of, validated, config) | _beside_encals(data, of, config)
    metrics |= {
        f"baseline_{name}_known": float(np.isfinite(values).all(axis=1).mean())
        for name, values in data.baselines.items()
    }
    metrics |= {
        "n": float(len(of.months)),
        "n_positive": float(of.events),
        "n_families": float(len(np.unique(of.families))),
        "follow_up_months": float(np.median(of.own)),
        "end_months": float(of.grid[-1]),
    }
    tables = _tables(data, of)
    if not of.times.rivals:
        entry = months_to_landmark(data.cohort.patients, data.spec.landmark_days)
        tables["from_onset"] = from_onset(data.of_times, entry)
    return metrics, tables


# The name of ENCALS' published curve, of patients of whom all its inputs are known.
ENCALS = "encals_published"


def _beside_encals(data: Trainable, of: Seen, config: Config) -> dict[str, float]:
    """ENCALS' own curve beside the model's on complete cases, from the landmark on.

    Nothing of it is fitted here. Its event is death, tracheostomy or NIV > 23 h/day.
    """
    if "encals" not in data.baselines or of.times.rivals:
        return {}
    entry = months_to_landmark(data.cohort.patients, data.spec.landmark_days)
    published = encals_curve(data.baselines["encals"][:, 0], entry, of.grid)
    known = np.isfinite(published).all(axis=1)
    metrics = {f"{ENCALS}_n": float(known.sum())}
    part = of.take(known)
    if not _enough(part):
        return metrics
    curves = {"model": part.curves["model"], ENCALS: published[known]}
    part = replace(part, curves=curves)
    for name, prefix in ((ENCALS, f"baseline_{ENCALS}_"), ("model", f"{ENCALS}_model_")):
        figures = short_figures(replace(part, curves={"model": curves[name]}))
        metrics |= {f"{prefix}{key}": value for key, value in figures.items()}
    metrics |= _differences(part, config)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _draws(of: Seen, config: Config) -> int:
    most = max(int(_PATIENT_DRAWS / len(of.months)), _FEWEST_DRAWS)
    return min(config.validation.bootstrap, most)


def _metrics(of: Seen, config: Config) -> dict[str, float]:
    tau = largest_tau(of.months, of.event)
    metrics: dict[str, float] = {}
    for name in of.curves:
        figures = evaluate_survival(
            of.months,
            of.event,
            of.risks(name) or {round(of.grid[-1]): of.order(name)},
            of.families,
            _draws(of, config) if name == "model" else 0,
            config.validation.seed,
            tau,
        )
        if name in OF_ALL:  # constant in each fold: a slope over the folds means nothing
            figures = {k: v for k, v in figures.items() if not k.startswith("calibration_slope")}
        prefix = "" if name == "model" else f"baseline_{name}_"
        metrics |= {f"{prefix}{key}": value for key, value in figures.items()}
    return {
        name: value
        for name, value in metrics.items()
        if np.isfinite(value) and not (name.startswith("baseline_") and name.endswith("tau_months"))
    }


def _differences(of: Seen, config: Config) -> dict[str, float]:
    """Model minus each rule in the same draws: c-index (Uno), ROC AUC and Brier score by month 12
    (below 0 is better).
    """
    draws, seed = _draws(of, config), config.validation.seed
    weights = np.ones((1, len(of.months)))
    if draws:
        weights = np.vstack([weights, family_weights(of.event == 1, of.families, draws, seed)])
    metrics: dict[str, float] = {}
    ours = dict(_discrimination(of, "model", weights))
    for name in of.curves:
        if name in ("model", *OF_ALL):
            continue
        for metric, theirs in _discrimination(of, name, weights):
            change = ours[metric] - theirs
            key = f"difference_{name}_{metric}"
            metrics[key] = float(change[0])
            if draws:
                metrics[f"{key}_low"], metrics[f"{key}_high"] = percentiles(change[1:])
    return metrics


def _discrimination(of: Seen, name: str, weights: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    tau = largest_tau(of.months, of.event)
    yield "c_index", uno_c(of.months, of.event, of.order(name), weights, tau)
    if 12 in of.risks(name):
        risk = of.risks(name)[12]
        yield "auc_12m", auc_by(of.months, of.event, risk, weights, 12)
        yield "brier_12m", brier(of.months, of.event, risk, weights, 12)


def _distribution(of: Seen) -> dict[str, float]:
    """Whether whole curves hold: integrated Brier score, and D-calibration where nothing competes
    (with it a curve does not end at 0, and its values at the events are not uniform).
    """
    curve, one = of.curves["model"], np.ones((1, len(of.months)))
    figures = {} if of.times.rivals else _d_calibration(of, curve)
    reached = of.grid < of.months.max()
    if reached.sum() > 1:
        grid, part = of.grid[reached], curve[:, reached]
        score = integrated_brier(of.months, of.event, grid, part, one)
        figures["integrated_brier"] = float(score[0])
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _d_calibration(of: Seen, curve: np.ndarray) -> dict[str, float]:
    beyond = of.own > of.grid[-1]
    own = survival_at(of.grid, curve, np.minimum(of.own, of.grid[-1]))
    share, p = d_calibration(np.where(beyond, 0, of.event), own)
    largest = float(np.abs(share - 1 / len(share)).max())
    return {"d_calibration_p": p, "d_calibration_largest": largest}


def _bound(of: Seen, validated: Validated, config: Config) -> dict[str, float]:
    """Share of the patients who live at least to their lower bound, weighted for censoring."""
    if validated.low is None:
        return {}
    early = (of.event == 1) & (of.own < validated.low)
    share = uncensored(of.own, of.event == 1, of.own[early])
    missed = float((1 / share).sum() / len(of.own))
    low, high = exact_interval(round((1 - missed) * len(of.own)), len(of.own))
    return {
        "bound_coverage": 1 - missed,
        "bound_coverage_low": low,
        "bound_coverage_high": high,
        "bound_asked": config.validation.coverage,
    }


def _tables(data: Trainable, of: Seen) -> RunTables:
    tables: RunTables = {"subgroups": survival_subgroups(data, of), "trials": []}
    risks = of.risks("model")
    if 12 in risks:
        tables["calibration"] = _calibration(of, risks[12], 12)
    if 24 in risks:
        tables["calibration_24m"] = _calibration(of, risks[24], 24)
    tables["risk_groups"] = _risk_groups(of)
    tables["incidence"] = _incidence(of)
    return tables


def _calibration(of: Seen, risk: np.ndarray, horizon: int) -> list[CalibrationBin]:
    bins = max(1, min(10, len(risk) // 40))
    return [
        {
            "n": int(row["n"]),
            "predicted": row["predicted"],
            "observed": row["observed"],
            "low": row["low"],
            "high": row["high"],
        }
        for row in calibration_table(of.months, of.event, risk, horizon, bins)
    ]


def _risk_groups(of: Seen) -> list[Figures]:
    """Fifths of the out-of-fold risk: what was seen and what was said by time."""
    order = of.order("model")
    limits = np.quantile(order, (0.2, 0.4, 0.6, 0.8))
    place = np.searchsorted(limits, order, side="right")
    rows: list[Figures] = []
    for i in range(len(GROUPS)):
        mine = place == i
        if not mine.any():
            continue
        months, event = of.months[mine], of.event[mine]
        for j in range(len(of.grid)):
            value, low, high = without_event(months, event, of.grid[j])
            rows.append(
                {
                    "fifth": float(i + 1),
                    "n": float(mine.sum()),
                    "months": float(of.grid[j]),
                    "observed": value,
                    "low": low,
                    "high": high,
                    "predicted": float(of.curves["model"][mine, j].mean()),
                }
            )
    return rows


def _incidence(of: Seen) -> list[Figures]:
    """Share of all patients who have had each kind of event first, by Aalen and Johansen."""
    times, incidence = aalen_johansen(of.months, of.times.cause)
    rows: list[Figures] = []
    for horizon, at in HORIZONS.items():
        if at > of.grid[-1]:
            continue
        last = np.searchsorted(times, at, side="right") - 1
        row: Figures = {"months": float(horizon)}
        for name in (*of.times.causes, *of.times.rivals):
            k = CAUSES.index(name)
            known = k < len(incidence) and last >= 0
            row[name] = float(incidence[k, last]) if known else 0.0
        rows.append(row)
    return rows


def survival_subgroups(data: Trainable, of: Seen) -> list[GroupRow]:
    """C-index and observed by expected by sex, age, site, ancestry, tested or not, unknown
    features; groups with few events are counted only.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    of : Seen
        Their out-of-fold curves.

    Returns
    -------
    list of dict
        One a group.
    """
    table: list[GroupRow] = []
    for variable, values in groups_of(data).items():
        for level in sorted(set(map(str, values))):
            row = _of_group(of, values.astype(str) == level)
            table.append({"group": variable, "level": level, **row})
    return table


def _of_group(of: Seen, members: np.ndarray) -> GroupRow:
    part = of.take(members)
    row: GroupRow = {"n": int(members.sum()), "positive": part.events}
    if not _enough(part):
        return row
    figures = short_figures(part)
    return {**row, "c_index": figures["harrell_c"], "oe": figures.get("oe_12m", np.nan)}


def _enough(of: Seen) -> bool:
    return min(of.events, len(of.event) - of.events) >= _LEAST


def short_figures(of: Seen, draws: int = 0) -> dict[str, float]:
    """Metrics of some patients.

    Parameters
    ----------
    of : Seen
        The patients.
    draws : int
        Of the bootstrap; 0 leaves the bounds out.

    Returns
    -------
    dict of float
        As `als_ml.training.survival_metrics.evaluate_survival` gives them.
    """
    risks = of.risks("model") or {round(of.grid[-1]): of.order("model")}
    tau = largest_tau(of.months, of.event)
    return evaluate_survival(of.months, of.event, risks, of.families, draws, 0, tau)


def figures_of_others(of: Seen, config: Config) -> dict[str, float]:
    """Metrics, with intervals, of patients whom the model had not seen; those that are known.

    Parameters
    ----------
    of : Seen
        The patients.
    config : Config
        With the number of draws.

    Returns
    -------
    dict of float
        As `short_figures` gives them, with the patients and the events.
    """
    figures = short_figures(of, _draws(of, config))
    figures |= {"n": float(len(of.months)), "n_positive": float(of.events)}
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def known_by_year(times: Times) -> np.ndarray:
    """How many patients each of those stands for whose state 365 days after the landmark is known:
    who is lost before cannot be counted, and leaves more of those with the event.

    Parameters
    ----------
    times : Times
        Of n patients, months NaN without a time.

    Returns
    -------
    array (n,)
        1 over the share not censored by then; 0 where the state is not known.
    """
    timed = np.isfinite(times.months)
    own, stands_for = times.take(timed), np.zeros(len(times.months))
    one = np.ones((1, len(own.months)))
    case, gone, control, g = by_horizon(through_the_day(own), own.outcome, one, 12)
    stands_for[timed] = case[0] + gone[0] + control[0] * divided(np.ones_like(g), g, empty=0.0)
    return stands_for


def share_by_year(times: Times, probability: np.ndarray, best: np.ndarray) -> tuple[float, float]:
    """ROC AUC by month 12 of the best possible risk on the same patients, and the share of its
    distance from 0.5 that was reached.

    Parameters
    ----------
    times : Times
        Of n patients.
    probability : array (n,)
        Risk by the model.
    best : array (n,)
        Risk by the simulator.

    Returns
    -------
    auc, share : float
        1 is all that is possible.
    """
    months, one = through_the_day(times), np.ones((1, len(best)))
    reached, possible = (
        float(auc_by(months, times.outcome, risk, one, 12)[0]) for risk in (probability, best)
    )
    return possible, (reached - 0.5) / (possible - 0.5)


def seen_rows(times: Times, families: np.ndarray, rows: Sequence[PredictionRow]) -> Seen:
    """What rows say of the risk by each horizon, beside what happened; of whom both are known.

    Parameters
    ----------
    times : Times
        Of n patients, months NaN without a time.
    families : array of int (n,)
        Relatives share a number.
    rows : sequence of n PredictionRow
        Of a survival model.

    Returns
    -------
    Seen
        With the horizons that the model speaks of.
    """
    risks = {
        YEAR: np.array([row["risk_12m"] for row in rows], dtype=float),
        TWO_YEARS: np.array([row["risk_24m"] for row in rows], dtype=float),
    }
    told = {at: risk for at, risk in risks.items() if np.isfinite(risk).any()}
    known = np.isfinite(times.months) & np.isfinite(risks[YEAR])
    own = times.take(known)
    curve = [1 - risk[known] for risk in told.values()]
    return Seen(
        months=through_the_day(own),
        times=own,
        families=families[known],
        grid=np.array(list(told)),
        curves={"model": np.column_stack(curve) if curve else np.empty((len(own.months), 0))},
    )


def survival_sites(data: Trainable, folds: dict[str, Fold]) -> list[SiteRow]:
    """C-index with its error, calibration slope and observed by expected at each held-out site.

    Parameters
    ----------
    data : Trainable
        Patients with a time.
    folds : dict of Fold
        Of `als_ml.training.folds.leave_one_site_out`.

    Returns
    -------
    list of dict
        One a site.
    """
    table: list[SiteRow] = []
    for site, fold in folds.items():
        part = seen(data, fold.curves, fold.test)
        row: SiteRow = {"site": site, "n": len(part.event), "positive": part.events}
        if _enough(part):
            figures = short_figures(part, _SITE_DRAWS)
            row["c_index"] = figures["harrell_c"]
            row["error"] = (figures["harrell_c_high"] - figures["harrell_c_low"]) / (2 * 1.96)
            row["calibration_slope"] = figures["calibration_slope"]
            row["oe"] = figures.get("oe_12m", np.nan)
        table.append(row)
    return table


def pooled_over_sites(table: list[SiteRow]) -> dict[str, float]:
    """C-index pooled over the held-out sites, on the logit scale.

    Parameters
    ----------
    table : list of dict
        Of `survival_sites`.

    Returns
    -------
    dict of float
        `sites_*`; empty with fewer than two usable sites.
    """
    usable = [row for row in table if row.get("error", 0) > 0 and 0 < row["c_index"] < 1]
    if len(usable) < 2:
        return {}
    c = np.array([row["c_index"] for row in usable])
    error = np.array([row["error"] for row in usable])
    found = pooled(np.log(c / (1 - c)), error / (c * (1 - c)), False)
    ends = {"mean": "", "low": "_low", "high": "_high"}
    return {
        f"sites_harrell_c{end}": float(1 / (1 + np.exp(-found[key]))) for key, end in ends.items()
    } | {"sites_n": float(len(usable))}
