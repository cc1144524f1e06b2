"""What a model keeps of the patients that it was trained on: python -m benchmarks privacy [PAIRS].

Arrays of the model files from 400 and from 800 simulated patients, which must be of one length; and
membership inference: the loss of the training patients against that of as many others of the same
source, as an AUC (0.5 tells nothing), pooled over PAIRS (3) models a task, with the interval of a
bootstrap over patients.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.storage import save_predictor
from als_ml.simulate import simulate
from als_ml.training.run import Training, train
from als_ml.training.task_data import make_labels

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
_QUICK = (
    "validation.folds=3",
    "validation.repeats=1",
    "validation.inner_folds=3",
    "validation.bootstrap=20",
    "validation.honesty=false",
    "validation.sites=false",
)
# At most ten cells a feature, each of five patients or more, by what values the feature takes; and
# columns that are chosen, and public frequencies of the variants at hand: they count no patient.
NOT_OF_PATIENTS = (".lookups", ".training.shares", ".training.deciles", ".columns", ".definitions")


def trained(task: str, cohort: Path) -> Training:
    """A model of a task as it is shipped, its validation short.

    Parameters
    ----------
    task : str
        Name of its configuration.
    cohort : Path
        Cohort file.

    Returns
    -------
    Training
        Not tracked.
    """
    return train(load_config(CONFIGS / f"{task}.yaml", [f"cohort={cohort}", *_QUICK]))


def lengths(value: object, name: str = "") -> dict[str, int]:
    """Length of each array and text in a JSON document.

    Parameters
    ----------
    value : object
        The document, or a part of it.
    name : str
        Of the part.

    Returns
    -------
    dict of int
        The longest, where a name is there several times.

    Examples
    --------
    >>> lengths({"a": [[1], [1, 2]], "b": 0.5})
    {'.a': 2, '.a[]': 2}
    """
    parts: dict[str, int] = {}
    if isinstance(value, str):
        return {name: len(value)}
    if isinstance(value, Mapping):
        inside = [lengths(part, f"{name}.{key}") for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts[name] = len(value)
        inside = [lengths(part, f"{name}[]") for part in value]
    else:
        return {}
    for part in inside:
        parts |= {key: max(parts.get(key, 0), length) for key, length in part.items()}
    return parts


def unequal(one: Predictor, other: Predictor) -> dict[str, tuple[int, int]]:
    """Arrays of two models that are not of one length.

    Parameters
    ----------
    one, other : Predictor
        Of one task, from different numbers of patients.

    Returns
    -------
    dict of (int, int)
        Empty where the files tell nothing of their number.
    """
    first, second = (lengths(_document(model)) for model in (one, other))
    names = sorted(
        name
        for name in set(first) | set(second)
        if not any(part in name for part in NOT_OF_PATIENTS)
    )
    both = {name: (first.get(name, 0), second.get(name, 0)) for name in names}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _document(predictor: Predictor) -> object:
    with tempfile.TemporaryDirectory(prefix="als-ml-") as folder:
        return json.loads(save_predictor(predictor, Path(folder))["model"].read_text())


def closeness(training: Training, cohort: Path) -> np.ndarray:
    """Log probability of each labelled patient's own label.

    Parameters
    ----------
    training : Training
        Whose model is asked.
    cohort : Path
        Whose patients.

    Returns
    -------
    array (n,)
        What an attacker who knows the label would rank by.
    """
    source = open_cohort(cohort)
    read = training.predictor.read(source)
    y = make_labels(training.config, read).y
    rows = training.predictor.predict_cohort(read, drivers=False)
    p = np.array([np.nan if row["probability"] is None else row["probability"] for row in rows])
    kept = np.isfinite(y) & np.isfinite(p)
    return np.log(np.where(y == 1, p, 1 - p))[kept]


def membership(task: str, pairs: int, patients: int = 800) -> tuple[float, float, float]:
    """AUC of the attack, and its 95 % interval.

    Parameters
    ----------
    task : str
        Name of its configuration.
    pairs : int
        Models, each beside a cohort that it has not seen.
    patients : int
        Of each cohort.

    Returns
    -------
    auc, low, high : float
        0.5 tells nothing.
    """
    member, score = [], []
    for seed in range(pairs):
        with tempfile.TemporaryDirectory(prefix="als-ml-") as name:
            own, others = Path(name) / "own", Path(name) / "others"
            simulate(own, patients, seed=100 + 2 * seed)
            simulate(others, patients, seed=101 + 2 * seed)
            training = trained(task, own / "cohort.yaml")
            found = [closeness(training, part / "cohort.yaml") for part in (own, others)]
        member += [np.ones(len(found[0])), np.zeros(len(found[1]))]
        score += found
    y, x = np.concatenate(member), np.concatenate(score)
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(y), len(y)) for _ in range(1000))
    low, high = np.quantile([roc_auc_score(y[i], x[i]) for i in draws], [0.025, 0.975])
    return float(roc_auc_score(y, x)), float(low), float(high)


def main(arguments: Sequence[str]) -> None:
    """Print what differs and what an attacker would see."""
    pairs = int(arguments[0]) if arguments else 3
    for task in ("familial", "progression"):
        with tempfile.TemporaryDirectory(prefix="als-ml-") as name:
            models = []
            for patients in (400, 800):
                folder = Path(name) / str(patients)
                simulate(folder, patients, seed=patients)
                models.append(trained(task, folder / "cohort.yaml").predictor)
        print(f"{task}: arrays of unequal length from 400 and 800 patients: {unequal(*models)}")
        auc, low, high = membership(task, pairs)
        print(f"{task}: membership inference AUC {auc:.3f} ({low:.3f} to {high:.3f})", flush=True)
