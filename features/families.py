"""Who is related to whom: families are kept in one fold and drawn together in the bootstrap."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Lower bound of third-degree relatives in KING's table: 1 / 2^(9/2) (Manichaikul 2010; contract, section Genetics).
RELATED_FROM = 0.0442


def family_numbers(patients: pd.DataFrame, kinship: pd.DataFrame) -> np.ndarray:
    """Number the families: the union of equal `family_id` and of kinship edges. An empty family_id is a family of its own.

    Parameters
    ----------
    patients : DataFrame
        With `family_id` (None unknown).
    kinship : DataFrame
        `row1`, `row2` (patient indices), `kinship` (coefficient).
    """
    n = len(patients)
    code, _ = pd.factorize(patients["family_id"], use_na_sentinel=True)
    first = pd.Series(np.arange(n)).groupby(np.where(code >= 0, code, -1 - np.arange(n))).transform("min").to_numpy()
    related = kinship[kinship["kinship"] >= RELATED_FROM]
    start = np.concatenate([np.arange(n), related["row1"].to_numpy(dtype=int)])
    end = np.concatenate([first, related["row2"].to_numpy(dtype=int)])
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1])
