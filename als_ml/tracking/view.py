"""What a user of MLflow's pages sees: figures in groups, descriptions, the kind of an experiment,
the data set.

MLflow's pages group figures by what stands before a `/`. The figures of the contract (`roc_auc`,
`brier`, ..., each with `_low` and `_high`, and those of the baselines) have none, so that they come
first; all others stand in a group.
"""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities.model_registry import ModelVersion
from mlflow.types.schema import ColSpec, DataType, Schema

from als_ml.prediction.predictor import RESEARCH_USE
from als_ml.tracking.store import shown_store
from models.tasks import SURVIVAL, TASKS, Task

if TYPE_CHECKING:
    from als_ml.tracking.run_folder import StoredRun

# Those that a model's own page shows first, in this order: of a survival time, and of a label.
TIME_HEADLINES = ("c_index", "auc_12m", "brier_12m", "brier_24m", "oe_12m", "oe_24m")
HEADLINES = (
    "roc_auc",
    "average_precision",
    "brier",
    "log_loss",
    "calibration_slope",
    "calibration_intercept",
)
# Named by the contract: never renamed.
_FIRST = (*TIME_HEADLINES, *HEADLINES)
_CONTRACT = re.compile(rf"({'|'.join((*_FIRST, 'balanced_accuracy'))})(_low|_high)?|baseline_.*")
# Group -> how the names begin that belong to it; there the group stands for that beginning.
_BEGINNINGS = {
    "denoised": "denoised_",
    "differences": "difference_",
    "encals": "encals_published_",
    "external": "external_",
    "labels": "labels_",
    "labelling_weights": "ipl_",
    "sites": "sites_",
    "temporal": "temporal_",
}
# Group -> names that are kept whole in it.
_WHOLE = {
    "calibration": re.compile(r"ece|ici|e(50|90|max)|brier_(reliability|resolution|uncertainty)"),
    "checks": re.compile(
        r"(assay_status|missingness|without_events|apparent|optimism)_.*"
        r"|effective_parameters|r2_cox_snell"
    ),
    "cohort": re.compile(r"n|n_positive|n_families"),
    "conformal": re.compile(r"coverage.*|abstention_rate"),
    "simulated": re.compile(r"best_possible_roc_auc|share_of_possible"),
    "times": re.compile(
        r"(harrell_c|auc_24m|calibration_slope_24m|bound)(_.*)?|tau_months|d_calibration.*"
        r"|integrated_brier|(follow_up|end)_months"
    ),
}
_OTHERS, FOLDS = "others", "folds"

_KIND = "mlflow.experimentKind"
# As MLflow's pages write it; without it they guess, and open an experiment in the view for language
# models.
_MODEL_TRAINING = "custom_model_development"
NOTE = "mlflow.note.content"
# A page opens in the view for language models unless its address says otherwise, whatever the
# kind of its experiment (seen in MLflow 3.17).
_AS_TRAINING = "workflowType=machine_learning"
# Where `mlflow ui` shows a store that has no pages of its own.
_OWN_PAGES = "http://127.0.0.1:5000"
# The source of a version that was registered from a logged model.
_LOGGED = re.compile(r"models:/(m-[0-9a-f]+)")


def shown_name(name: str) -> str:
    """The name of a figure on MLflow's pages.

    Parameters
    ----------
    name : str
        Our own name of a figure.

    Returns
    -------
    str
        With a group before it, unless others read it by this name.

    Examples
    --------
    >>> [shown_name(name) for name in ("brier_low", "baseline_dfs_brier", "sites_oe", "n")]
    ['brier_low', 'baseline_dfs_brier', 'sites/oe', 'cohort/n']
    """
    if _CONTRACT.fullmatch(name):
        return name
    for group, beginning in _BEGINNINGS.items():
        if name.startswith(beginning):
            return f"{group}/{name.removeprefix(beginning)}"
    groups = (group for group, names in _WHOLE.items() if names.fullmatch(name))
    return f"{next(groups, _OTHERS)}/{name}"


def shown_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Figures of a run as MLflow's pages show them, the headlines first.

    Parameters
    ----------
    metrics : mapping
        Our own name -> figure.

    Returns
    -------
    dict of float
        Shown name -> figure.

    Examples
    --------
    >>> shown_metrics({"n": 240.0, "brier": 0.2, "roc_auc": 0.8})
    {'roc_auc': 0.8, 'brier': 0.2, 'cohort/n': 240.0}
    """
    first = [name for name in _FIRST if name in metrics]
    rest = [name for name in metrics if name not in _FIRST]
    return {shown_name(name): metrics[name] for name in [*first, *rest]}


def plain_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """Figures of a run under our own names, whether they were logged in groups or before there were
    any; no fold's.

    Parameters
    ----------
    metrics : mapping
        As they were logged.

    Returns
    -------
    dict of float
        Our own name -> figure.

    Examples
    --------
    >>> plain_names(
    ...     {
    ...         "sites/oe": 1.0,
    ...         "sites_oe": 1.0,
    ...         "cohort/n": 240.0,
    ...         "folds/brier": 0.1,
    ...         "brier": 0.2,
    ...     }
    ... )
    {'sites_oe': 1.0, 'n': 240.0, 'brier': 0.2}
    """
    plain = {}
    for name, value in metrics.items():
        group, slash, rest = name.partition("/")
        if group != FOLDS:
            plain[_BEGINNINGS.get(group, "") + rest if slash else name] = value
    return plain


def mark_as_training(client: MlflowClient, experiment_id: str) -> None:
    """Have MLflow's pages show an experiment as model training.

    What a user has chosen there stays.

    Parameters
    ----------
    client : MlflowClient
        Of the store.
    experiment_id : str
        Of the experiment.
    """
    kind = client.get_experiment(experiment_id).tags.get(_KIND, "")
    if not kind or kind.endswith("inferred") or kind == "no_inferred_type":
        client.set_experiment_tag(experiment_id, _KIND, _MODEL_TRAINING)


def where_to_look(logged: Mapping[str, str]) -> str:
    """How to see a run on MLflow's pages, as model training.

    Parameters
    ----------
    logged : mapping
        `experiment_id` and `run_id`, as `als_ml.tracking.log.push` returns them.
    """
    store = shown_store()
    page = f"/#/experiments/{logged['experiment_id']}/runs/{logged['run_id']}?{_AS_TRAINING}"
    if store.startswith(("http://", "https://")):
        return f"look at {store.rstrip('/')}{page}"
    return f"look: mlflow ui --backend-store-uri {store}, then {_OWN_PAGES}{page}"


class CohortDataset(MetaDataset):
    """The labelled patients of a run as their feature names and counts; no row of a patient.

    Parameters
    ----------
    profile : dict
        Counts, as `run_folder` writes them.
    features : list of str
        Names of the features, all numbers.
    """

    def __init__(
        self,
        source: CodeDatasetSource,
        name: str,
        digest: str,
        features: list[str],
        profile: dict[str, int],
    ) -> None:
        columns = [ColSpec(DataType.double, feature, required=False) for feature in features]
        super().__init__(source, name, digest, Schema(columns) if columns else None)
        self._profile = profile

    @property
    def profile(self) -> dict[str, int]:
        """Counts of patients and features."""
        return self._profile

    def to_dict(self) -> dict[str, str]:
        """As MLflow stores it."""
        profile = {"profile": json.dumps(self._profile)} if self._profile else {}
        return super().to_dict() | profile


def logged_model_id(version: ModelVersion) -> str | None:
    """The logged model behind a registered version, whose own page shows the figures that are
    linked to it.

    Parameters
    ----------
    version : ModelVersion
        Registered.

    Returns
    -------
    str or None
        `m-` and its id.
    """
    match = _LOGGED.fullmatch(version.source or "")
    return version.model_id or (match[1] if match else None)


def log_linked(metrics: Mapping[str, float], version: ModelVersion) -> None:
    """Log figures in the active run, shown with the model of a version too.

    Those that are not finite are left out.

    Parameters
    ----------
    metrics : mapping
        Name -> figure.
    version : ModelVersion
        Registered.
    """
    finite = {name: float(value) for name, value in metrics.items() if isfinite(value)}
    mlflow.log_metrics(finite, model_id=logged_model_id(version))


def model_description(task: str) -> str:
    """What a registered model answers.

    Parameters
    ----------
    task : str
        `progression` or `familial`.

    Returns
    -------
    str
        For the registry.
    """
    asked = TASKS[task]
    if asked.of_time and asked is not SURVIVAL:
        return (
            f"Risk of {asked.positive} within 365 days after the landmark, of patients who may die"
            " before it (cumulative incidence), trained by als-ml. The version with the alias"
            f" `champion` is in use. {RESEARCH_USE}"
        )
    if asked is SURVIVAL:
        return (
            "Risk of the event (death, tracheostomy or NIV >= 23 h/day, unless the run says"
            " otherwise) within 365 days after the landmark, and the survival curve behind it,"
            " trained by als-ml. The version with the alias `champion` is in use."
            f" {RESEARCH_USE}"
        )
    return (
        f"Probability that a patient with ALS is {asked.positive} rather than {asked.negative}, "
        f"trained by als-ml. The version with the alias `champion` is in use. {RESEARCH_USE}"
    )


def version_description(stored: "StoredRun") -> str:
    """What a version was made from and how good it is, from its run (`read_run`).

    Parameters
    ----------
    stored : StoredRun
        Of `read_run`.

    Returns
    -------
    str
        For the registry.
    """
    metrics, tags = stored["metrics"], stored["tags"]
    asked = TASKS[stored["task"]]
    sentences = [
        (
            f"{metrics['n']:.0f} labelled patients, {metrics['n_positive']:.0f} of them"
            f" {_positive_words(asked)}."
        ),
        f"Cross-validated: {_figures(metrics)}.",
        f"Definitions {tags['definitions_version']}, als-ml {tags['als_ml_version']}.",
    ]
    if "simulated" in tags:
        sentences.append(f"Simulated data: {tags['simulated'].removeprefix('true: ')}.")
    if stored["note"]:
        sentences.append(f"{stored['note'].rstrip('. ')}.")
    return " ".join([*sentences, RESEARCH_USE])


def _positive_words(asked: Task) -> str:
    """The positive of many patients."""
    return f"with {asked.event_words}" if asked.of_time else asked.positive


def _figures(metrics: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {metrics[name]:.3f}{_interval(metrics, name)}"
        for name in _FIRST
        if name in metrics
    )


def _interval(metrics: Mapping[str, float], name: str) -> str:
    low, high = (metrics.get(f"{name}_{end}") for end in ("low", "high"))
    return "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
