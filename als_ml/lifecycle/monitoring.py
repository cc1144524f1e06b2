"""How far a later cohort has drifted from the training patients, and whether the probabilities
still hold.
"""

from typing import TypedDict

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from scipy.stats import chi2, norm

from als_ml.lifecycle.comparison import Scored
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.training_aggregates import FEWEST, Cells, TrainingAggregates, in_cells
from als_ml.tracking.store import quiet_mlflow, store_and_reason, store_failures, use_store
from als_ml.tracking.view import log_linked, mark_as_training
from als_ml.training.metrics import calibration_errors, evaluate, exact_interval
from als_ml.training.survival_estimates import seen_rows, short_figures
from features.blocks.rows import feature_matrix
from features.cohort import Cohort
from features.errors import RequestError
from models.labels import out_of_scope
from models.survival.labels import Times
from models.tasks import TASKS

LOG = "als-ml-monitoring"
# Calibration is not told of fewer patients (P); nothing is logged of fewer either, since it would
# speak of single ones.
_FEWEST = 20
# Of the interval of a ratio of times, by the bootstrap over families (P).
_DRAWS = 500
# Population stability index: below 0.1 stable, from 0.25 shifted (Siddiqi 2006, R).
_LOOK, _SHIFTED = 0.1, 0.25
# A change of the missing share below this is not worth a word (P).
_MISSING = 0.2
# Chance of any flag at all in a cohort from the same source, shared out among the features
# (Bonferroni): fewer than 5 % are promised, and the index has a somewhat heavier tail than its
# limit (at .05 up to 5.0 % of cohorts were flagged; `python -m benchmarks drift`).
_FALSE_ALARM = 0.03


# Drift of one feature; the keys are the heads of the printed table.
DriftRow = TypedDict(
    "DriftRow",
    {
        "feature": str,
        "n": int,
        "PSI": float,
        "by chance": float,
        "missing change": float,
        "verdict": str,
        "basis": str,
    },
)


def rows_as_seen(predictor: Predictor, cohort: Cohort) -> pd.DataFrame:
    """Features of the patients that the model scores, as it sees them: its references, its course
    of the mixed slope.

    Parameters
    ----------
    predictor : Predictor
        The model.
    cohort : Cohort
        Of `predictor.read`.

    Returns
    -------
    DataFrame (n, p)
        Of the patients that are scored, float32, NaN unknown.
    """
    scored = out_of_scope(cohort, TASKS[predictor.fitted.task], predictor.spec.landmark_days) == ""
    _, X = feature_matrix(predictor.as_trained(cohort), predictor.spec, predictor.names)
    return pd.DataFrame(X[scored], columns=predictor.names)


def drift_table(predictor: Predictor, rows: pd.DataFrame) -> list[DriftRow]:
    """Population stability index and change of the missing share of each feature, the largest drift
    first.

    A feature is flagged if its drift is worth it (0.1 look, 0.25 shifted; 0.2 of the missing share)
    and larger than chance alone makes it. The index of two samples of one source is about
    chi-squared with cells - 1 degrees of freedom times 1 / n_training + 1 / n_now (Yurdakul and
    Naranjo 2020, doi:10.21314/JRMV.2020.227); chance of any flag: 3 % a cohort.

    Parameters
    ----------
    predictor : Predictor
        With what is kept of its training patients.
    rows : DataFrame
        As `rows_as_seen` gives them.

    Returns
    -------
    list of dict
        feature, n (known now), PSI, by chance (the limit of PSI), missing change, verdict (stable,
        look, shifted) and basis:
        `shares`, or `deciles` for models stored before als-ml kept shares, whose index is a lower
        bound.
    """
    training = predictor.training
    cells = training.get("shares", {})
    names = [name for name in cells or training["deciles"] if name in rows.columns]
    tail = _FALSE_ALARM / (2 * max(len(names), 1))  # two tests a feature
    table: list[DriftRow] = []
    for name in names:
        known = rows[name].dropna().to_numpy(dtype=np.float32).astype(float)
        index, limit = (
            _against_shares(known, cells[name], tail)
            if cells
            else _against_deciles(known, np.array(training["deciles"][name]), training["n"], tail)
        )
        missing = float(rows[name].isna().mean()) - training["missing"][name]
        changed = abs(missing) > max(_MISSING, _by_chance(training, name, len(rows), tail))
        table.append(
            {
                "feature": name,
                "n": len(known),
                "PSI": index,
                "by chance": limit,
                "missing change": missing,
                "verdict": _verdict(index, limit, changed),
                "basis": "shares" if cells else "deciles",
            }
        )
    return sorted(table, key=lambda row: -np.nan_to_num(row["PSI"]))


def _verdict(index: float, limit: float, changed: bool) -> str:
    if index >= max(_SHIFTED, limit):
        return "shifted"
    return "look" if index >= max(_LOOK, limit) or changed else "stable"


def _against_shares(known: np.ndarray, cells: Cells, tail: float) -> tuple[float, float]:
    """Index and its limit by chance; NaN where nothing is known."""
    if not len(known):
        return float("nan"), float("nan")
    trained = np.array(cells["shares"]) * cells["n"]
    # An empty last cell may hide up to four people.
    if "values" in cells and trained[-1] == 0:
        trained[-1] = (FEWEST - 1) / 2
    limit = chance_limit(len(trained), len(known), cells["n"], tail)
    return stability_index(in_cells(known, cells), trained), limit


def stability_index(now: np.ndarray, trained: np.ndarray) -> float:
    """Population stability index of two tables of counts: sum of (o - e) ln(o / e) over the cells.

    Half a patient is added to each cell of both, so that an empty one does not make it infinite.

    Parameters
    ----------
    now, trained : array of int (cells,)
        Patients of each cell.

    Returns
    -------
    float
        0 where the shares agree.

    Examples
    --------
    >>> round(stability_index(np.array([50, 50]), np.array([500, 500])), 6)
    0.0
    >>> now, trained = np.array([749.5, 249.5]), np.array([499.5, 499.5])
    >>> round(stability_index(now, trained), 4)  # 0.25 ln 1.5 + 0.25 ln 2
    0.2747
    """
    o, e = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (now, trained))
    return float(((o - e) * np.log(o / e)).sum())


def chance_limit(cells: int, now: int, trained: int, tail: float) -> float:
    """What the index of two samples of one source exceeds with the chance `tail`.

    Parameters
    ----------
    cells : int
        Cells of the feature.
    now, trained : int
        Patients in whom it is known.
    tail : float
        Chance, 0 to 1.

    Returns
    -------
    float
        On the scale of the index.
    """
    return float(chi2.ppf(1 - tail, max(cells - 1, 1)) * (1 / now + 1 / trained))


def _against_deciles(
    known: np.ndarray, cuts: np.ndarray, trained: int, tail: float
) -> tuple[float, float]:
    """The smallest index that training deciles allow: a cut's own share of the patients is not
    stored with them.

    Up to the k-th decile lie at least k / 10 of the patients and fewer than (m + 1) / 10, m being
    the last equal decile.
    """
    if not len(known):
        return float("nan"), float("nan")
    edges = np.unique(cuts)
    now = in_cells(known, {"edges": edges.tolist()})
    last = np.searchsorted(np.sort(cuts), edges, side="right")
    up_to = np.clip(np.cumsum(now)[:-1] / len(known), last / 10, (last + 1) / 10)
    shares = np.diff(np.r_[0.0, np.maximum.accumulate(up_to), 1.0])
    limit = chance_limit(len(shares), len(known), trained, tail)
    return stability_index(now, shares * trained), limit


def _by_chance(training: TrainingAggregates, name: str, now: int, tail: float) -> float:
    """Change of the missing share that chance makes with `tail`: two shares, normal, pooled at the
    training's.
    """
    share = np.clip(training["missing"][name], 0.5 / training["n"], 1 - 0.5 / training["n"])
    spread = np.sqrt(share * (1 - share) * (1 / max(now, 1) + 1 / training["n"]))
    return float(norm.ppf(1 - tail / 2) * spread)


def flags(scored: Scored) -> dict[str, float]:
    """Share of scored patients out of distribution and abstained (of a time: not told, it never
    does), and how many were not scored.

    Parameters
    ----------
    scored : Scored
        Of `als_ml.lifecycle.comparison.scored`.

    Returns
    -------
    dict of float
        Counts and shares by name.
    """
    good = [row for row in scored.rows if not row["error"]]
    figures = {
        "scored": len(good),
        "not scored": len(scored.rows) - len(good),
        "out_of_distribution": _share([row["out_of_distribution"] for row in good]),
    }
    if scored.times is not None:
        return figures
    return figures | {"abstained": _share([row["abstained"] for row in good])}


def _share(held: list[bool | None]) -> float:
    return float(np.mean([bool(one) for one in held])) if held else float("nan")


def calibration_now(scored: Scored) -> dict[str, float]:
    """Calibration where labels exist: intercept, slope, observed to expected with an exact
    interval, ECE; of times those by month 12 that are weighted for censoring; else empty.

    Parameters
    ----------
    scored : Scored
        Of `als_ml.lifecycle.comparison.scored`.

    Returns
    -------
    dict of float
        Figures by name.
    """
    if scored.times is not None:
        return _calibration_of_times(scored, scored.times)
    known = np.isfinite(scored.y) & np.isfinite(scored.probability)
    y, p = scored.y[known], scored.probability[known]
    if len(y) < _FEWEST or len(np.unique(y)) < 2:
        return {}
    figures = evaluate(y, p, p >= 0.5, scored.families[known], 0, 0)
    low, high = exact_interval(int(y.sum()), len(y))
    names = ("roc_auc", "brier", "calibration_intercept", "calibration_slope")
    result = {"labelled": float(len(y)), **{name: figures[name] for name in names}}
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


def _calibration_of_times(scored: Scored, times: Times) -> dict[str, float]:
    """Who is lost within the year counts as long as seen: to leave them out would keep more of
    those with the event.
    """
    of = seen_rows(times, scored.families, scored.rows)
    if len(of.event) < _FEWEST or not 0 < of.events < len(of.event):
        return {}
    found = short_figures(of, _DRAWS)
    figures = {
        "labelled": float(len(of.event)),
        **{name: found[name] for name in ("c_index", "auc_12m", "brier_12m", "calibration_slope")},
        "observed/expected": found["oe_12m"],
        "o/e low": found["oe_12m_low"],
        "o/e high": found["oe_12m_high"],
    }
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def log_monitoring(
    version: ModelVersion,
    table: list[DriftRow],
    seen: dict[str, float],
    calibration: dict[str, float],
) -> bool:
    """Log what `drift_table`, `flags` and `calibration_now` found, one run each time, shown with
    the model of the version.

    Parameters
    ----------
    version : ModelVersion
        Registered in MLflow.
    table : list of dict
        Of `drift_table`.
    seen : dict of float
        Of `flags`.
    calibration : dict of float
        Of `calibration_now`.

    Returns
    -------
    bool
        False where fewer than 20 patients were scored: nothing is logged of so few.

    Raises
    ------
    RequestError
        If the store cannot be written.
    """
    if seen["scored"] < _FEWEST:
        return False
    try:
        with quiet_mlflow():
            use_store()
            mark_as_training(MlflowClient(), mlflow.set_experiment(LOG).experiment_id)
            tags = {"model": version.name, "version": str(version.version)}
            with mlflow.start_run(run_name=f"{version.name}-{version.version}", tags=tags):
                log_linked(_monitored(table, seen, calibration), version)
    except store_failures() as error:
        remedy = "Set MLFLOW_TRACKING_URI to a store that can be written."
        raise RequestError(
            *store_and_reason(error, "the figures could not be logged"),
            remedy,
            code="store_failed",
        ) from None
    return True


def _monitored(
    table: list[DriftRow], seen: dict[str, float], calibration: dict[str, float]
) -> dict[str, float]:
    """Figures by the names that MLflow's pages show; a name may hold no further slash, nor a
    space.
    """
    verdicts = [row["verdict"] for row in table]
    counts = {f"features_{name}": float(verdicts.count(name)) for name in ("look", "shifted")}
    largest = max((row["PSI"] for row in table if np.isfinite(row["PSI"])), default=float("nan"))
    figures = {**counts, "largest_psi": largest, **seen, **calibration}
    return {f"monitoring/{_plain(name)}": value for name, value in figures.items()}


def _plain(name: str) -> str:
    for ratio in ("observed/expected", "o/e"):
        name = name.replace(ratio, "oe")
    return name.replace(" ", "_")
