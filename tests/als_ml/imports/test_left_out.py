"""What the imports share: ids as text, numbers, columns that may lack, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from als_ml.imports.left_out import identifier, left_out, number, optional
from features.tables.problems import Problems


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (7.0, "7"),
        ("7.0", "7"),
        ("7.00", "7.00"),  # text stays as it is
        (7, "7"),
        ("P7", "P7"),
        ("P.05", "P.05"),
        ("", None),
        (None, None),
        (np.nan, None),
        (0, "0"),
        ("0", "0"),
    ],
)
def test_an_identifier(cell, text):
    assert identifier(cell) == text


def test_numbers_are_finite_or_unknown():
    cells = pd.Series(["1.5", "-2", "inf", "-inf", "x", None, "1e999", "0"])
    found = number(cells)
    assert found.dtype == float
    np.testing.assert_array_equal(found, [1.5, -2, *[np.nan] * 5, 0])
    assert number(pd.Series([1, 2])).dtype == float


def test_a_column_that_lacks_is_unknown_in_every_row():
    table = pd.DataFrame({"a": [1, 2]}, index=[5, 9])
    assert optional(table, "a").tolist() == [1, 2]
    lacking = optional(table, "b")
    assert lacking.tolist() == [None, None]
    assert lacking.index.tolist() == [5, 9]
    assert lacking.dtype == object


@pytest.mark.parametrize("n", [0, 1, 2])
def test_what_is_left_out_is_told_where_there_is_any(n):
    problems = Problems(collect=True)
    left_out(n, "Labs", "rows have no date", problems)
    told = [(one.where, one.found, one.remedy, one.count, one.code) for one in problems.found]
    one = ("Labs", f"{n} rows have no date", "They are left out.", n, "left_out")
    assert told == ([one] if n else [])
