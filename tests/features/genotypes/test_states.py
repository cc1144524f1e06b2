"""Repeat sizes and their states: set als-ml-1 at each boundary, intervals, and the laboratory.

Contract, section Genetics: C9orf72 normal <= 23, intermediate 24-30, expanded >= 31; ATXN2 normal
<= 28, intermediate 29-30, risk 31-34, SCA2 range >= 35. NIPA1 and LRP12 by the tables that
`repeats.tsv` names.
"""

import numpy as np
import pytest

from features.catalogue import shipped
from features.genotypes.repeats import STATES, RepeatStates, repeat_state
from tests.made import Call, cohort


def state(locus: str, low: float, high: float, complete: bool = True) -> str:
    arrays = (np.array([low]), np.array([high]), np.array([complete]))
    return STATES[repeat_state(shipped(), locus, *arrays)[0]]


@pytest.mark.parametrize(
    ("locus", "size", "expected"),
    [
        ("C9orf72", 0, "normal"),
        ("C9orf72", 23, "normal"),
        ("C9orf72", 24, "intermediate"),
        ("C9orf72", 30, "intermediate"),
        ("C9orf72", 31, "expanded"),
        ("C9orf72", 1500, "expanded"),
        ("ATXN2", 28, "normal"),
        ("ATXN2", 29, "intermediate"),
        ("ATXN2", 30, "intermediate"),
        ("ATXN2", 31, "risk"),
        ("ATXN2", 34, "risk"),
        ("ATXN2", 35, "expanded"),
        ("NIPA1", 10, "normal"),
        ("NIPA1", 11, "risk"),
        ("NIPA1", 40, "risk"),
        ("LRP12", 45, "normal"),
        ("LRP12", 46, "intermediate"),
        ("LRP12", 60, "intermediate"),
        ("LRP12", 61, "risk"),
        ("LRP12", 93, "risk"),
        ("LRP12", 94, "expanded"),
    ],
)
def test_a_size(locus, size, expected):
    assert state(locus, size, size) == expected


@pytest.mark.parametrize(
    ("locus", "low", "high", "complete", "expected"),
    [
        ("C9orf72", 2, 23, True, "normal"),
        ("C9orf72", 23, 24, True, "indeterminate"),
        ("C9orf72", 24, 30, True, "intermediate"),
        ("C9orf72", 30, 31, True, "indeterminate"),
        ("C9orf72", 31, 900, True, "expanded"),
        ("C9orf72", 2, 900, True, "indeterminate"),
        # A missing allele or too few reads: only an expansion is sure.
        ("C9orf72", 2, 8, False, "indeterminate"),
        ("C9orf72", 24, 30, False, "indeterminate"),
        ("C9orf72", 30, 900, False, "indeterminate"),
        ("C9orf72", 31, 900, False, "expanded"),
        ("C9orf72", np.nan, np.nan, True, "not_tested"),
        ("C9orf72", np.nan, np.nan, False, "not_tested"),
        ("ATXN2", 28, 29, True, "indeterminate"),
        ("ATXN2", 31, 34, True, "risk"),
        ("ATXN2", 31, 34, False, "indeterminate"),
        ("ATXN2", 34, 35, True, "indeterminate"),
        ("ATXN2", 35, 40, False, "expanded"),
    ],
)
def test_an_interval(locus, low, high, complete, expected):
    assert state(locus, low, high, complete) == expected


def result(locus: str, row: dict, calls: list[Call]) -> RepeatStates:
    made = cohort(row, {}, calls=calls)
    found = RepeatStates(shipped(), locus, made.repeats, made.patients)
    assert STATES[found.state[1]] == "not_tested"  # the second patient has nothing
    assert np.isnan(found.longest[1])
    assert not found.conflict[1]
    return found


FILE = {"normal": Call("C9orf72", 8, 8), "expanded": Call("C9orf72", 40, 60)}


@pytest.mark.parametrize(
    ("status", "method", "call", "expected", "conflict"),
    [
        # RP-PCR, Southern and long reads can size an expansion and override short reads.
        ("normal", "rp_pcr", "expanded", "normal", True),
        ("normal", "southern", "expanded", "normal", True),
        ("normal", "long_read", "expanded", "normal", True),
        ("normal", None, "expanded", "normal", True),
        ("normal", "short_read", "expanded", "expanded", True),
        ("expanded", "short_read", "normal", "normal", True),
        ("expanded", "rp_pcr", "normal", "expanded", True),
        ("expanded", "rp_pcr", "expanded", "expanded", False),
        ("intermediate", "rp_pcr", "normal", "intermediate", True),
        ("indeterminate", "rp_pcr", "expanded", "indeterminate", False),  # not a definite state
        ("not_tested", "rp_pcr", "expanded", "expanded", False),
        (None, None, "expanded", "expanded", False),
        # Without a file the laboratory stands, by whatever method.
        ("expanded", "short_read", None, "expanded", False),
        ("normal", "rp_pcr", None, "normal", False),
        ("indeterminate", "short_read", None, "indeterminate", False),
        (None, None, None, "not_tested", False),
    ],
)
def test_the_laboratory(status, method, call, expected, conflict):
    row = {"c9orf72_status": status, "c9orf72_method": method}
    row = {name: value for name, value in row.items() if value}
    found = result("C9orf72", row, [FILE[call]] if call else [])
    assert STATES[found.state[0]] == expected
    assert found.conflict[0] == conflict


def test_an_indeterminate_file_is_no_conflict():
    row = {"c9orf72_status": "expanded", "c9orf72_method": "rp_pcr"}
    found = result("C9orf72", row, [Call("C9orf72", 8, 40)])
    assert STATES[found.state[0]] == "expanded"
    assert not found.conflict[0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"c9orf72_allele1": 2, "c9orf72_allele2": 23}, "normal"),
        ({"c9orf72_allele1": 2, "c9orf72_allele2": 24}, "intermediate"),
        ({"c9orf72_allele1": 2, "c9orf72_allele2": 31}, "expanded"),
        ({"c9orf72_allele2": 8}, "indeterminate"),  # the other allele is missing
        ({"c9orf72_allele2": 31}, "expanded"),
        ({"c9orf72_allele1": 8}, "not_tested"),
        # What the laboratory calls it comes before its sizes.
        (
            {"c9orf72_allele1": 2, "c9orf72_allele2": 28, "c9orf72_status": "normal"},
            "normal",
        ),
    ],
)
def test_sizes_of_the_laboratory(row, expected):
    found = result("C9orf72", row, [])
    assert STATES[found.state[0]] == expected
    size = row.get("c9orf72_allele2", np.nan)
    assert found.longest[0] == pytest.approx(size, nan_ok=True)


@pytest.mark.parametrize(
    ("row", "calls", "expected", "longest"),
    [
        ({"atxn2_allele1": 22, "atxn2_allele2": 32}, [], "risk", 32),
        ({"atxn2_allele1": 22, "atxn2_allele2": 32}, [Call("ATXN2", 22, 22)], "risk", 32),
        ({}, [Call("ATXN2", 31, 33)], "risk", 33),
        ({}, [Call("C9orf72", 40, 60)], "not_tested", np.nan),
        ({"atxn2_allele2": 32}, [], "indeterminate", 32),
        # The state and the method of C9orf72 say nothing of ATXN2.
        (
            {"c9orf72_status": "normal", "c9orf72_method": "short_read", "atxn2_allele1": 22,
             "atxn2_allele2": 35},
            [Call("ATXN2", 22, 22)],
            "expanded",
            35,
        ),
    ],
)  # fmt: skip
def test_atxn2(row, calls, expected, longest):
    found = result("ATXN2", row, calls)
    assert STATES[found.state[0]] == expected
    assert found.longest[0] == pytest.approx(longest, nan_ok=True)


def test_each_patient_has_its_own():
    calls = [Call("C9orf72", 40, 40, row=2), Call("C9orf72", 8, 8, row=0), Call("ATXN2", 32, 32)]
    made = cohort({}, {"c9orf72_status": "intermediate"}, {}, calls=calls)
    found = RepeatStates(shipped(), "C9orf72", made.repeats, made.patients)
    assert [STATES[i] for i in found.state] == ["normal", "intermediate", "expanded"]
    assert found.longest.tolist() == pytest.approx([8, np.nan, 40], nan_ok=True)
