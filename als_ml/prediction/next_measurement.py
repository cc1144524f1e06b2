"""What would change the answer most: which unknown test of a patient, and between which answers.

Each unknown input is set to each decile of the training patients in turn, the others kept; a change
of the class or of the conformal set counts. An approximation: features that are computed from
several inputs are not computed again. Only what is *missing* is tried: to try another value of
something known, or a treatment, would read as an effect.
"""

from typing import TypedDict

import numpy as np

from als_ml.prediction.predictor import Predictor
from features.blocks.dictionary import Feature
from features.catalogue import Definitions, analytes, derived
from models.survival.fitted import FittedSurvival
from models.survival.times import YEAR

# Unknown inputs tried per patient, by the model's own order of importance; and tests shown (P).
TRIED, SHOWN = 8, 3
GENETIC_TEST = "genetic test (panel and C9orf72)"
_VISIT = "ALSFRS-R visit"
# Analytes that one test gives, whatever the tube or the assay.
_ONE_TEST = {"fvc": "Vital capacity", "svc": "Vital capacity"}


class NextTest(TypedDict):
    """A test not yet done: the share of its answers that would change the model's, 0 to 1, and
    between which probabilities the score would lie.
    """

    test: str
    genetic: bool
    changes: float
    low: float
    high: float


def next_measurements(predictor: Predictor, X: np.ndarray) -> list[list[NextTest]]:
    """For each row of a model's matrix the unknown tests by how often they would change the answer.

    Parameters
    ----------
    predictor : Predictor
        The model.
    X : array (n, p)
        Its matrix, NaN unknown.

    Returns
    -------
    list of n lists of NextTest
        At most SHOWN a patient, the one that changes most first.
    """
    if isinstance(predictor.fitted, FittedSurvival) and predictor.fitted.curve.end < YEAR:
        return [[] for _ in X]  # it has no risk by month 12 that could change
    deciles = predictor.training["deciles"]
    tests = [ordered_test(feature, predictor.definitions) for feature in predictor.described]
    tried = [j for j in predictor.used if predictor.names[j] in deciles and tests[j]]
    unknown = np.isnan(X)
    had = [{tests[j] for j in tried if not unknown[i, j]} - {_VISIT} for i in range(len(X))]
    pairs = [
        (i, j)
        for i in range(len(X))
        for j in [j for j in tried if unknown[i, j] and tests[j] not in had[i]][:TRIED]
    ]
    best: list[dict[str, NextTest]] = [{} for _ in range(len(X))]
    for (i, j), (share, low, high) in zip(pairs, _changes(predictor, X, pairs), strict=True):
        test = str(tests[j])
        if share > (best[i][test]["changes"] if test in best[i] else 0.0):
            best[i][test] = {
                "test": test,
                "genetic": test == GENETIC_TEST,
                "changes": float(share),
                "low": float(low),
                "high": float(high),
            }
    return [sorted(found.values(), key=lambda one: -one["changes"])[:SHOWN] for found in best]


def ordered_test(feature: Feature, definitions: Definitions) -> str | None:
    """The test that a clinic orders for a feature; None where it follows from other features."""
    if feature.block == "genetics":
        return GENETIC_TEST
    if feature.block == "alsfrs":
        return _VISIT
    if feature.block in ("biomarkers", "vital_capacity"):
        return _analyte_test(feature.name, definitions)
    return _ASKED.get(feature.name) if feature.block == "clinical" else None


# What a clinic asks or looks up, by clinical feature; a treatment is never tried.
_ASKED = {
    "age_at_onset": "age at onset",
    "age_at_index": "age at onset",
    "female": "sex",
    "diagnostic_delay_months": "days of onset and diagnosis",
    "log_diagnostic_delay": "days of onset and diagnosis",
    "months_since_onset": "days of onset and diagnosis",
    "log_months_since_onset": "days of onset and diagnosis",
    **dict.fromkeys(
        ("onset_bulbar", "onset_limb", "onset_respiratory", "onset_other"), "site of onset"
    ),
    "el_escorial_definite": "El Escorial category",
    "ftd": "examination for frontotemporal dementia",
}


def _analyte_test(feature: str, definitions: Definitions) -> str | None:
    name = feature.removeprefix("log_")
    for prefix, test in _ONE_TEST.items():
        if name.startswith(prefix):
            return test
    return next((test for analyte, test in _names(definitions) if name.startswith(analyte)), None)


@derived
def _names(definitions: Definitions) -> tuple[tuple[str, str], ...]:
    """Analyte and what it is called without tube or assay, the longest first."""
    named = analytes(definitions)["name"]
    pairs = zip(named.index.astype(str), named, strict=True)
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


def _changes(
    predictor: Predictor, X: np.ndarray, pairs: list[tuple[int, int]], size: int = 4000
) -> np.ndarray:
    """Of each (row, column) the share of the deciles that change the answer, and the lowest and the
    highest probability, some at a time.
    """
    before = _answers(predictor, X) if len(X) else (np.empty(0), np.empty((0, 2), dtype=object))
    changes = np.zeros((len(pairs), 3))
    for start in range(0, len(pairs), size):
        some = pairs[start : start + size]
        cuts = np.array([predictor.training["deciles"][predictor.names[j]] for _, j in some])
        tried = np.repeat(X[[i for i, _ in some]], cuts.shape[1], axis=0)
        columns = np.repeat([j for _, j in some], cuts.shape[1])
        tried[np.arange(len(tried)), columns] = cuts.ravel()
        probability, answers = _answers(predictor, tried)
        now = answers.reshape((*cuts.shape, 2))
        was = before[1][[i for i, _ in some]][:, None, :]
        p = probability.reshape(cuts.shape)
        changed = (now != was).any(axis=2).mean(axis=1)
        changes[start : start + size] = np.column_stack([changed, p.min(axis=1), p.max(axis=1)])
    return changes


def _answers(predictor: Predictor, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability (n,), and class and set (n, 2), of each row; of a time the fifth of its risk."""
    if isinstance(predictor.fitted, FittedSurvival):
        outlook = predictor.fitted.outlook(X)
        fifths = np.array([outlook.risk_group] * 2, dtype=object).T.reshape(len(X), 2)
        return outlook.risk_12m, fifths
    probability = predictor.fitted.probability(X)
    pairs = list(zip(*predictor.classes(X, probability), strict=True))
    return probability, np.array(pairs, dtype=object).reshape(len(X), 2)
