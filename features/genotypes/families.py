"""Who is related to whom: families are kept in one fold and drawn together in the bootstrap."""

import numpy as np
import pandas as pd

from features.genotypes.genotype import Genotypes

# Lower bound of third-degree relatives in KING's table: 1 / 2^(9/2) (Manichaikul 2010; contract,
# section Genetics).
RELATED_FROM = 0.0442


# Identical genotypes at this many sites, at which both carry something, are one person or a twin
# (contract).
SITES_OF_A_DUPLICATE = 200


def duplicated(genotypes: Genotypes) -> pd.DataFrame:
    """Pairs of patients with identical genotypes: `row1`, `row2`, `kinship` (0.5).

    Informative are the sites at which a patient carries an alternative allele: being reference
    alike says little.

    Parameters
    ----------
    genotypes : Genotypes
        Of n patients.

    Returns
    -------
    DataFrame
        Each later patient with the first one like it; empty where there is none.
    """
    alleles = genotypes.alleles
    n = len(genotypes.assayed)
    fingerprint, count = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=int)
    mark = np.random.default_rng(0).integers(1, 2**63, len(genotypes.sites) + 1, dtype=np.uint64)
    row, copies = alleles["row"].to_numpy(), alleles["copies"].to_numpy(dtype=np.uint64)
    np.add.at(fingerprint, row, mark[alleles["site"].to_numpy()] * (2 * copies + np.uint64(1)))
    np.add.at(count, row, 1)
    enough = np.flatnonzero(count >= SITES_OF_A_DUPLICATE)
    first = pd.Series(enough).groupby(fingerprint[enough]).transform("min").to_numpy()
    return pd.DataFrame({"row1": first, "row2": enough, "kinship": 0.5})[
        first != enough
    ].reset_index(drop=True)


def family_numbers(patients: pd.DataFrame, kinship: pd.DataFrame) -> np.ndarray:
    """Number the families: the union of equal `family_id` and of kinship edges.

    An empty family_id is a family of its own.

    Parameters
    ----------
    patients : DataFrame
        With `family_id` (None unknown).
    kinship : DataFrame
        `row1`, `row2` (patient indices), `kinship` (coefficient).

    Returns
    -------
    array of int (n,)
        Relatives share a number.
    """
    n = len(patients)
    code, _ = pd.factorize(patients["family_id"], use_na_sentinel=True)
    first = (
        pd.Series(np.arange(n))
        .groupby(np.where(code >= 0, code, -1 - np.arange(n)))
        .transform("min")
        .to_numpy()
    )
    related = kinship[kinship["kinship"] >= RELATED_FROM]
    start = np.concatenate([np.arange(n), related["row1"].to_numpy(dtype=int)])
    end = np.concatenate([first, related["row2"].to_numpy(dtype=int)])
    return _components(n, start, end)


def _components(n: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Number the connected parts of a graph of `n` nodes, in the order of their first nodes.

    Each node takes the lowest number among its neighbours, and theirs, until nothing moves. scipy
    has the same function; importing it takes longer than reading a cohort of 800 patients.

    >>> _components(5, np.array([0, 3]), np.array([2, 4])).tolist()
    [0, 1, 0, 2, 2]
    """
    lowest = np.arange(n)
    while True:
        before = lowest.copy()
        np.minimum.at(lowest, start, before[end])
        np.minimum.at(lowest, end, before[start])
        lowest = lowest[lowest]
        if np.array_equal(lowest, before):
            return np.unique(lowest, return_inverse=True)[1]
