"""The columns that an estimator of a fitted pipeline sees: imputed, the same bits for every row."""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from models.imputation import RelatedImputer


def imputed(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Fill an (n, p) matrix for trees, as float32; NaN stays where a pipeline does not impute."""
    imputer = dict(pipeline.steps).get("impute")
    if isinstance(imputer, RelatedImputer):
        X = imputer.filled(np.ascontiguousarray(X, dtype=np.float64))
    X = np.ascontiguousarray(X, dtype=np.float32)
    if imputer is None:
        return X
    return np.where(np.isnan(X), imputer.statistics_.astype(np.float32), X)


def standardised(pipeline: Pipeline, X: np.ndarray) -> np.ndarray:
    """Fill and standardise an (n, p) matrix for a linear model, as float64.

    By hand, since a transformer of scikit-learn is slow for one patient.
    """
    scaler = pipeline.named_steps["scale"]
    values = _filled(pipeline.named_steps["impute"], np.ascontiguousarray(X, dtype=np.float64))
    return np.asarray((values - scaler.mean_) / scaler.scale_)


def _filled(imputer: SimpleImputer, X: np.ndarray) -> np.ndarray:
    if isinstance(imputer, RelatedImputer):
        return imputer.filled(X)
    return np.where(np.isnan(X), imputer.statistics_, X)
