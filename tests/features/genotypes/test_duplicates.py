"""Who is one person or a twin, and who is a relative (contract, section Genetics)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.genotypes.families import duplicated, family_numbers
from tests.made import Allele, cohort


def genotypes(*copies: list[int]):
    """Copies of each patient at each site, 0 where it does not carry the allele."""
    alleles = [
        Allele("SOD1", copies=n, row=row, key=f"21-{site}-A-C")
        for site in range(len(copies[0]))
        for row, own in enumerate(copies)
        if (n := own[site])
    ]
    made = cohort(*[{}] * len(copies), alleles=alleles).genotypes
    keys = made.sites["key"].drop_duplicates().reset_index(drop=True)
    number = {key: i for i, key in enumerate(keys)}
    site = made.sites["key"].map(number).to_numpy()
    sites = made.sites.drop_duplicates("key").reset_index(drop=True)
    return replace(made, sites=sites, alleles=made.alleles.assign(site=site))


ALIKE = [1 + site % 2 for site in range(201)]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (ALIKE[:199], ALIKE[:199], False),
        (ALIKE[:200], ALIKE[:200], True),
        (ALIKE, ALIKE, True),
        (ALIKE, [*ALIKE[:-1], 0], False),  # one carries what the other does not
        (ALIKE, [*ALIKE[:-1], 2], False),  # another number of copies
        ([1] * 201, [2] * 201, False),
    ],
)
def test_identical_at_200_sites(first, second, together):
    found = duplicated(genotypes(first, second))
    assert found[["row1", "row2"]].to_numpy().tolist() == ([[0, 1]] if together else [])
    assert found["kinship"].tolist() == ([0.5] if together else [])


def test_three_samples_of_one_person():
    found = duplicated(genotypes([1] * 200, ALIKE[:200], [1] * 200, [1] * 200))
    assert found[["row1", "row2"]].to_numpy().tolist() == [[0, 2], [0, 3]]
    assert found.index.tolist() == [0, 1]
    assert list(found.columns) == ["row1", "row2", "kinship"]


def families(ids: list, *edges: tuple[int, int, float]) -> list[int]:
    pairs = pd.DataFrame(list(edges), columns=["row1", "row2", "kinship"])
    return family_numbers(pd.DataFrame({"family_id": pd.Series(ids, dtype=object)}), pairs).tolist()


# KING: third-degree relatives from 1 / 2^(9/2) = 0.0442 on (Manichaikul 2010).
@pytest.mark.parametrize(("kinship", "number"), [(0.0441, 1), (0.0442, 0), (0.0443, 0), (0.5, 0)])
def test_an_edge_from_the_third_degree_on(kinship, number):
    assert families([None, None], (0, 1, kinship)) == [0, number]


@pytest.mark.parametrize(
    ("ids", "edges", "numbers"),
    [
        ([None, None, None], [], [0, 1, 2]),  # an empty family_id is a family of its own
        (["A", None, "A", "B"], [], [0, 1, 0, 2]),
        (["A", None, "B", None], [(1, 2, 0.25)], [0, 1, 1, 2]),
        (["A", "B", "A", "B"], [(2, 3, 0.25)], [0, 0, 0, 0]),
        ([None] * 5, [(4, 0, 0.5), (3, 4, 0.5), (1, 2, 0.5)], [0, 1, 1, 0, 0]),
        (["A", None, None, None, "A"], [(3, 4, 0.25)], [0, 1, 2, 0, 0]),
        ([None, None, None], [(2, 1, 0.25), (2, 0, 0.01)], [0, 1, 1]),
    ],
)
def test_unions(ids, edges, numbers):
    assert families(ids, *edges) == numbers
    assert np.unique(numbers).tolist() == list(range(max(numbers) + 1))
