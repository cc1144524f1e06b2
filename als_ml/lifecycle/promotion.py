"""Which version is the champion, by the rule of the contract or by an override with a reason.

Every decision is kept.
"""

import getpass
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from als_ml.cohort.digests import data_digest
from als_ml.cohort.known_patients import (
    KEY_VARIABLE,
    key_name,
    key_path,
    patient_key,
    patient_prints,
    recognised,
)
from als_ml.cohort.source import CohortSource
from als_ml.lifecycle.comparison import compare, scored
from als_ml.lifecycle.registry import registered_version, run_checks, run_config, run_tags
from als_ml.prediction.predictor import Predictor
from als_ml.tracking.loader import checked_model, load
from als_ml.tracking.store import quiet_mlflow, use_store
from als_ml.tracking.view import log_linked, mark_as_training
from als_ml.training.folds import cross_validate
from als_ml.training.metrics import paired_differences
from als_ml.training.survival_estimates import known_by_year
from als_ml.training.task_data import prepared
from features.cohort import Cohort
from features.errors import DataError, RequestError

LOG = "als-ml-promotions"
# Contract, section Estimates.
_LEAST_AUC_GAIN, _MOST_LOSS = -0.02, 0.01

# Metric -> difference of the version to the champion, its lower and its upper bound.
Differences = dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Decision:
    """Whether a version is promoted, why, and the figures it rests on."""

    promoted: bool
    reasons: tuple[str, ...]
    figures: dict[str, float]


def decide(differences: Differences, checks: list[dict[str, str]] | None) -> Decision:
    """Apply the rule: AUC difference above -0.02 at its lower bound, log loss below +0.01 at its
    upper, no check failed.
    """
    auc, loss, reasons = differences["roc_auc"], differences["log_loss"], []
    if not auc[1] > _LEAST_AUC_GAIN:
        reasons.append(
            f"the ROC AUC may be lower by more than 0.02 (difference {auc[0]:+.3f}, lower bound"
            f" {auc[1]:+.3f})"
        )
    if not loss[2] < _MOST_LOSS:
        reasons.append(
            f"the log loss may be worse by 0.01 or more (difference {loss[0]:+.4f}, upper bound"
            f" {loss[2]:+.4f})"
        )
    return _with_checks(reasons, checks, _figures(differences))


def _figures(differences: Differences) -> dict[str, float]:
    ends = ("", "_low", "_high")
    return {
        f"{m}_difference{end}": v
        for m, values in differences.items()
        for end, v in zip(ends, values, strict=True)
    }


def _with_checks(
    reasons: list[str], checks: list[dict[str, str]] | None, figures: dict[str, float]
) -> Decision:
    if checks is None:
        reasons.append("its run has no honesty checks")
    reasons += [
        f"honesty check failed: {c['name']} ({c['found']})"
        for c in checks or []
        if c["verdict"] == "failed"
    ]
    return Decision(not reasons, tuple(reasons), figures)


def promote(
    uri: str,
    cohort: CohortSource | None = None,
    training_cohort: CohortSource | None = None,
    override: str | None = None,
    by: str | None = None,
    leave_out: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[ModelVersion, Decision]:
    """Compare a version with the champion and move the alias if the rule, or an override, says so.

    Parameters
    ----------
    cohort : CohortSource, optional
        A cohort file that neither model was trained on.
    training_cohort : CohortSource, optional
        Instead: the cohort on which both configurations are refitted, on the same folds.
    override : str, optional
        A reason to promote whatever the rule says; it is kept.
    leave_out : bool
        Leave out of `cohort` whom either model was trained or recalibrated on, instead of refusing
        it.
    say : callable
        Told the labels of `cohort` and their reasons.

    Raises
    ------
    RequestError
        If there is nothing to compare on, or a patient of `cohort` was seen by one of the models.
    """
    version, champion = registered_version(uri), _champion(registered_version(uri).name)
    _refuse_request(uri, version, champion, override)
    checked_model(uri)  # a changed model is not promoted, whatever the reason
    checks = run_checks(version.run_id)
    if override:
        decision = Decision(True, (f"override: {override}",), {})
    elif champion is None:
        decision = _with_checks([], checks, {})
    elif cohort is not None:
        differences, counts = _on_other_patients(version, champion, cohort, leave_out, say)
        decision = decide(differences, checks)
        decision = replace(decision, figures=decision.figures | counts)
    elif training_cohort is not None:
        decision = decide(_on_same_folds(version, champion, training_cohort), checks)
    else:
        raise _nothing_to_compare_on()
    _record(version, champion, decision, by or getpass.getuser())
    if decision.promoted:
        _move(version, champion)
    return version, decision


def _refuse_request(
    uri: str, version: ModelVersion, champion: ModelVersion | None, override: str | None
) -> None:
    if champion is not None and champion.version == version.version:
        raise RequestError(
            f"--model {uri}",
            "it is the champion already",
            "Give another version.",
            code="option_conflict",
        )
    if override is not None and not override.strip():
        raise RequestError(
            "--override",
            "the reason is empty",
            "Say why, for those who read the log.",
            code="option_value",
        )


def _nothing_to_compare_on() -> RequestError:
    return RequestError(
        "promote",
        "there is nothing to compare the version with the champion on",
        "Give --cohort (patients neither was trained on), --training-cohort or --override REASON.",
        code="option_conflict",
    )


def _champion(name: str) -> ModelVersion | None:
    with quiet_mlflow():
        use_store()
        try:
            return MlflowClient().get_model_version_by_alias(name, "champion")
        except MlflowException:
            return None


def _on_other_patients(
    version: ModelVersion,
    champion: ModelVersion,
    source: CohortSource,
    leave_out: bool,
    say: Callable[[str], None],
) -> tuple[Differences, dict[str, float]]:
    """Differences on the labelled patients that neither model has seen, and how many there are and
    are not.
    """
    config = run_config(version.run_id, str(source.path))
    models = {v.version: load(f"models:/{v.name}/{v.version}") for v in (version, champion)}
    cohorts = {number: model.read(source) for number, model in models.items()}
    ours, theirs = (scored(model, config, cohorts[number]) for number, model in models.items())
    say(ours.labels)
    for one in (version, champion):
        if not models[one.version].training.get("patients"):
            _refuse_same_table(one, source)
    labelled = ours.labelled
    seen = {
        number: labelled & known_to(models[number], number, cohort)
        for number, cohort in cohorts.items()
    }
    either = np.logical_or.reduce(list(seen.values()))
    if either.any() and not leave_out:
        raise RequestError(
            f"--cohort {source.path}", _shared(seen), _OTHERS, code="patients_shared"
        )
    ours, theirs = ours.of(labelled & ~either), theirs.of(labelled & ~either)
    if len(np.unique(ours.y[np.isfinite(ours.y)])) < 2:
        raise DataError(
            str(source.path),
            "its labelled patients do not have both labels",
            "Give a larger cohort.",
            code="labels_unusable",
        )
    counts = {
        "patients": float(len(ours.y)),
        "patients_left_out": float(either.sum()),
        "patients_not_recognisable": float((labelled & _unrecognisable(cohorts)).sum()),
    }
    return compare(ours, theirs).differences, counts


_OTHERS = "Give other patients, leave these out with --leave-out, or use --training-cohort."


def known_to(model: Predictor, number: str, cohort: Cohort) -> np.ndarray:
    """Which patients of a cohort a model was trained or recalibrated on.

    Parameters
    ----------
    model : Predictor
        With what it remembers of its patients.
    number : str
        Its version, for the message.
    cohort : Cohort
        n patients.

    Returns
    -------
    array of bool (n,)
        False for all where it remembers none.

    Raises
    ------
    RequestError
        If they were remembered with another key than the one here.
    """
    seen = np.zeros(len(cohort), dtype=bool)
    key = patient_key()
    for memory in model.training.get("patients", []):
        if memory["key"] != key_name(key):
            raise RequestError(
                f"version {number}",
                f"its patients were remembered with another key than {key_path()}",
                f"Set {KEY_VARIABLE} to the key of that training, or use --training-cohort.",
                code="patients_shared",
            )
        seen |= recognised(patient_prints(cohort, key), memory)
    return seen


def _shared(seen: dict[str, np.ndarray]) -> str:
    parts = [
        f"{int(trained.sum())} of its patients are among those that version {number} was trained "
        "or recalibrated on"
        for number, trained in seen.items()
        if trained.any()
    ]
    return "; ".join(parts)


def _unrecognisable(cohorts: dict[str, Cohort]) -> np.ndarray:
    """Who has too few stable fields to be told from others."""
    prints = patient_prints(next(iter(cohorts.values())), patient_key())
    return np.array([one is None for one in prints], dtype=bool)


def _refuse_same_table(version: ModelVersion, source: CohortSource) -> None:
    """For a model that remembers no patients: only the whole table of its training is known."""
    trained_on = prepared(run_config(version.run_id, str(source.path)), source)
    if data_digest(trained_on.rows, trained_on.y) == run_tags(version).get("data_digest"):
        reason = f"version {version.version} was trained on these very patients"
        raise RequestError(
            f"--cohort {source.path}",
            reason,
            "Give other patients, or use --training-cohort.",
            code="patients_shared",
        )


def _on_same_folds(
    version: ModelVersion, champion: ModelVersion, source: CohortSource
) -> Differences:
    """Refit both configurations on the folds of the new one; patients labelled in both count."""
    new, old = (run_config(v.run_id, str(source.path)) for v in (version, champion))
    old = old.model_copy(update={"validation": new.validation})
    data, other = prepared(new, source), prepared(old, source)
    same = np.array_equal(data.judged, other.judged, equal_nan=True)
    if list(data.rows.index) != list(other.rows.index) or not same:
        raise DataError(
            str(source.path),
            "the two configurations label other patients",
            "Compare on other patients: --cohort.",
            code="labels_unusable",
        )
    p, q = (
        cross_validate(trainable, config).probability["model"]
        for trainable, config in ((data, new), (other, old))
    )
    v, y = new.validation, data.judged
    known = np.isfinite(y) & np.isfinite(p) & np.isfinite(q)
    if len(np.unique(y[known])) < 2:
        raise DataError(
            str(source.path),
            "its labelled patients do not have both labels",
            "Give a larger cohort.",
            code="labels_unusable",
        )
    stands_for = None if data.times is None else known_by_year(data.times)[known]
    draws = v.bootstrap or 200
    return paired_differences(
        y[known], p[known], q[known], data.families[known], draws, v.seed, stands_for
    )


def _record(
    version: ModelVersion, champion: ModelVersion | None, decision: Decision, by: str
) -> None:
    """One run a decision, never changed afterwards."""
    with quiet_mlflow():
        use_store()
        mark_as_training(MlflowClient(), mlflow.set_experiment(LOG).experiment_id)
        with mlflow.start_run(run_name=f"{version.name}-{version.version}"):
            mlflow.set_tags(
                {
                    "model": version.name,
                    "version": str(version.version),
                    "from_version": str(champion.version) if champion else "none",
                    "by": by,
                    "at": datetime.now(UTC).isoformat(timespec="seconds"),
                    "decision": "promoted" if decision.promoted else "refused",
                    "reason": "; ".join(decision.reasons) or "the rule is met",
                }
            )
            log_linked(_under("promotion", decision.figures), version)


def _under(group: str, figures: dict[str, float]) -> dict[str, float]:
    """Names of figures in a group of MLflow's pages, apart from the training's own."""
    return {f"{group}/{name}": value for name, value in figures.items()}


def _move(version: ModelVersion, champion: ModelVersion | None) -> None:
    with quiet_mlflow():
        client = MlflowClient()
        if champion is not None:
            client.set_registered_model_alias(version.name, "previous", champion.version)
        client.set_registered_model_alias(version.name, "champion", version.version)


def promotion_log(name: str | None = None) -> list[dict[str, str]]:
    """Every decision, the newest first: when, model, version, from which, by whom, what and why.

    Parameters
    ----------
    name : str
        Registered model.

    Returns
    -------
    list of dict
        One a decision, the oldest first.
    """
    with quiet_mlflow():
        use_store()
        experiment = mlflow.get_experiment_by_name(LOG)
        if experiment is None:
            return []
        runs = MlflowClient().search_runs(
            [experiment.experiment_id], order_by=["attributes.start_time DESC"]
        )
    keys = ("at", "model", "version", "from_version", "by", "decision", "reason")
    return [
        {key: run.data.tags[key] for key in keys}
        for run in runs
        if name in (None, run.data.tags.get("model"))
    ]
