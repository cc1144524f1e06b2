"""Contributions of each patient by feature, block and disease mechanism."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from als_ml.prediction.predictor import Predictor
from features.blocks.biomarkers import SUMMARIES, feature_keys, feature_name
from features.blocks.dictionary import Feature
from features.blocks.rows import feature_rows
from features.catalogue import Definitions, analytes, derived, genes
from features.cohort import Cohort
from models.labels import out_of_scope
from models.tasks import TASKS


def explanations(pairs: list[tuple[Predictor, Cohort]]) -> pd.DataFrame:
    """Contributions of every scored patient to each model's score: sample_id, kind, name,
    contribution, task.

    Parameters
    ----------
    pairs : list of (Predictor, Cohort)
        Each model with the patients as it reads them.

    Returns
    -------
    DataFrame
        One row a patient, kind and name; contributions on the scale of the log-odds.
    """
    tables = [_explained(predictor, cohort) for predictor, cohort in pairs]
    return pd.concat(tables, ignore_index=True)


def _explained(predictor: Predictor, cohort: Cohort) -> pd.DataFrame:
    task = TASKS[predictor.fitted.task]
    rows = feature_rows(predictor.as_trained(cohort), predictor.spec)
    rows = rows[out_of_scope(cohort, task, predictor.spec.landmark_days) == ""]
    contributions = predictor.fitted.contributions(predictor.matrix(rows))
    table = contribution_table(
        cohort.definitions, list(rows.index), contributions, predictor.described
    )
    return table.assign(task=task.name)


def contribution_table(
    definitions: Definitions, samples: list[str], contributions: np.ndarray, features: list[Feature]
) -> pd.DataFrame:
    """Contributions (n, p) as rows of sample_id, kind (feature, block, mechanism), name,
    contribution; zeros left out.

    Parameters
    ----------
    definitions : Definitions
        For genes and mechanisms.
    samples : list of n str
        sample_id.
    contributions : array (n, p)
        On the scale of the log-odds.
    features : list of p Feature
        Of the model.

    Returns
    -------
    DataFrame
        Without a contribution that is 0.
    """
    parts = {("feature", feature.name): contributions[:, j] for j, feature in enumerate(features)}
    for kind, of in (("block", block_of), ("mechanism", partial(mechanisms_of, definitions))):
        parts |= {
            (kind, name): values for name, values in grouped(contributions, features, of).items()
        }
    rows = [
        pd.DataFrame({"sample_id": samples, "kind": kind, "name": name, "contribution": values})
        for (kind, name), values in parts.items()
        if values.any()
    ]
    table = pd.concat(rows, ignore_index=True)
    return table[table["contribution"] != 0].reset_index(drop=True)


@derived
def _biomarker_mechanisms(definitions: Definitions) -> dict[str, str]:
    table = analytes(definitions)["mechanism"]
    return {
        feature_name(definitions, analyte, assay, summary): str(table[analyte])
        for analyte, assay in feature_keys(definitions)
        for summary in SUMMARIES
    }


@derived
def _gene_mechanisms(definitions: Definitions) -> dict[str, str]:
    return {
        str(gene): str(text) for gene, text in genes(definitions, "GRCh38")["mechanisms"].items()
    }


def mechanisms_of(definitions: Definitions, feature: Feature) -> tuple[str, ...]:
    """Disease mechanisms that a feature speaks of: of its gene, of its analyte, or `none`.

    Parameters
    ----------
    definitions : Definitions
        For genes and mechanisms.
    feature : Feature
        Of the model.

    Returns
    -------
    tuple of str
        At least one.
    """
    if feature.block == "biomarkers":
        return _split(_biomarker_mechanisms(definitions).get(feature.name, ""))
    if feature.block != "genetics":
        return ("none",)
    if feature.name.startswith("mechanism_"):
        return (feature.name.removeprefix("mechanism_"),)
    named = [
        gene
        for gene in _gene_mechanisms(definitions)
        if gene.lower() in feature.name.lower().split("_")
    ]
    return _split(_gene_mechanisms(definitions)[named[0]]) if named else ("none",)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(";") if part and part != "nan") or ("none",)


def grouped(
    values: np.ndarray, features: list[Feature], of: Callable[[Feature], tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """Sum contributions (..., p) by group; a feature of several groups is split evenly among
    them.

    Parameters
    ----------
    values : array (..., p)
        Contributions.
    features : list of p Feature
        Of the model.
    of : callable
        Feature -> its groups.

    Returns
    -------
    dict of arrays (...)
        Group -> sum.
    """
    total: dict[str, np.ndarray] = {}
    for j, feature in enumerate(features):
        groups = of(feature)
        for group in groups:
            total[group] = total.get(group, np.zeros(values.shape[:-1])) + values[..., j] / len(
                groups
            )
    return total


def block_of(feature: Feature) -> tuple[str, ...]:
    """The block of a feature, as a group."""
    return (feature.block,)
