"""What a spreadsheet would run is inert in every CSV of ours, and read back as it was."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from als_ml.output import write_table
from features.tables.files import read_table
from features.tables.formulas import inert, inert_cell

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = ["=cmd|' /C calc'!A0", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1"]
HARMLESS = ["a=b", "-2.5", "+3", "-1e-05", "-.5", "5.", "p.Ala5Val", "'quoted'", ""]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_formula_gets_an_apostrophe(text):
    assert inert_cell(text) == "'" + text


@pytest.mark.parametrize("text", HARMLESS)
def test_anything_else_stays(text):
    assert inert_cell(text) is text


def test_numbers_are_never_text():
    table = pd.DataFrame({"x": [-1.5, 2.0], "y": [-1, 2], "z": [True, False]})
    assert inert(table).equals(table)


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_written_inert_and_read_as_it_was(kind, tmp_path):
    """In cells and in names of columns, whatever the type of the column."""
    ids = [text for text in HOSTILE if text == text.strip()]
    table = pd.DataFrame({"sample_id": pd.Series(ids, dtype=kind), "=name": -1.0})
    write_table(table, tmp_path / "t.csv")
    rows = list(csv.reader((tmp_path / "t.csv").read_text().splitlines()))
    assert rows[0] == ["sample_id", "'=name"]
    assert all(row[0].startswith("'") for row in rows[1:])
    assert {row[1] for row in rows[1:]} == {"-1.0"}
    assert list(read_table(tmp_path / "t.csv")["sample_id"]) == ids


def test_every_csv_is_written_by_it():
    """No file of ours writes CSV by itself, but the simulator, whose names are its own."""
    for package in ("als_ml", "features", "models"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            if "to_csv(" not in text or path.is_relative_to(ROOT / "als_ml/simulate"):
                continue
            written = [line for line in text.splitlines() if ".to_csv(" in line]
            assert all("inert(" in line for line in written), path
