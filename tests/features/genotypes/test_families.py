"""Families: equal family_id, kinship edges from the third degree on, and duplicates.

Numbered as scipy numbers components.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.genotypes.families import RELATED_FROM, _components, family_numbers


@given(st.data(), st.integers(1, 30))
def test_components_are_those_of_scipy(data, n):
    node = st.integers(0, n - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=40))
    start, end = (np.array([edge[i] for edge in edges], dtype=int) for i in (0, 1))
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(n, n))
    expected = connected_components(graph, directed=False)[1]
    assert _components(n, start, end).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("kinship", "together"),
    [(RELATED_FROM, True), (np.nextafter(RELATED_FROM, 0), False), (0.25, True), (0.0, False)],
)
def test_an_edge_counts_from_the_third_degree_on(kinship, together):
    patients = pd.DataFrame({"family_id": [None, None, None]})
    pairs = pd.DataFrame({"row1": [0], "row2": [2], "kinship": [kinship]})
    numbers = family_numbers(patients, pairs)
    assert bool(numbers[0] == numbers[2]) == together
    assert numbers[1] not in (numbers[0], numbers[2])


def test_a_family_id_and_an_edge_make_one_family():
    patients = pd.DataFrame({"family_id": ["F1", "F1", None, "F2", None]})
    pairs = pd.DataFrame({"row1": [1], "row2": [2], "kinship": [0.25]})
    assert family_numbers(patients, pairs).tolist() == [0, 0, 0, 1, 2]
