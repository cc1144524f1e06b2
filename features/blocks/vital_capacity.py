"""Vital capacity: the forced one, or the slow one where it alone was measured, with a column that
says which.

The two differ little in ALS until breathing is weak (PMC6684229 reads both as % predicted); a model
may weigh the slow one by its flag. Litres of the forced one are % predicted where sex, age and
height are known (`features.biomarkers.lung_function`); those of the slow one stay litres.
"""

import numpy as np

from features.blocks.dictionary import Feature

_SOURCE = "PMC6684229 (V, both capacities in ALS)"


def vital_capacity_dictionary(edition: int) -> list[Feature]:
    """Describe the columns of `vital_capacity_features`; the first edition had none.

    Parameters
    ----------
    edition : int
        Of the feature dictionary.

    Returns
    -------
    list of Feature
        Empty for the first edition.
    """
    if edition == 1:
        return []
    joined = "forced vital capacity, or the slow one where no forced one is known: last value"
    flag = "whether it is the slow one"
    return [
        Feature(
            name="vital_capacity_pct", block="biomarkers", unit="%", meaning=joined, source=_SOURCE
        ),
        Feature(
            name="vital_capacity_slow", block="biomarkers", unit="0/1", meaning=flag, source=_SOURCE
        ),
    ]


def vital_capacity_features(known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Both columns from `fvc_pct` and `svc_pct`, % predicted, NaN where neither is known.

    Parameters
    ----------
    known : dict of arrays (n,)
        With `fvc_pct` and `svc_pct`, % predicted, NaN unknown.

    Returns
    -------
    dict of arrays (n,)
        `vital_capacity_pct` in % predicted, `vital_capacity_slow` 0, 1 or NaN.

    Examples
    --------
    >>> found = vital_capacity_features(
    ...     {"fvc_pct": np.array([80.0, np.nan]), "svc_pct": np.array([70.0, 60.0])}
    ... )
    >>> found["vital_capacity_pct"].tolist(), found["vital_capacity_slow"].tolist()
    ([80.0, 60.0], [0.0, 1.0])
    """
    forced, slow = known["fvc_pct"], known["svc_pct"]
    value = np.where(np.isnan(forced), slow, forced)
    return {
        "vital_capacity_pct": value,
        "vital_capacity_slow": np.where(np.isnan(value), np.nan, np.isnan(forced).astype(float)),
    }
