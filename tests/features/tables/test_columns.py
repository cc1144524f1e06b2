"""Tables of a request against pandas, which does the same for tables of files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import PADDING, gene_at, gene_names, genes, shipped
from features.tables.coded import as_frame, codes_of, decoded, table_of, text
from features.tables.columns import FEW_CELLS, Column, Table, factorized, rows_of

CELLS = st.lists(st.none() | st.sampled_from(["a", "b", "c d", "é"]), max_size=12)


def objects(cells: list) -> np.ndarray:
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


@given(CELLS)
def test_factorized_as_by_pandas(cells):
    codes, levels = factorized(objects(cells))
    theirs, found = pd.factorize(objects(cells), use_na_sentinel=True)
    assert codes.tolist() == theirs.tolist()
    assert levels.tolist() == list(found)


@given(CELLS, st.data())
def test_rows_and_columns_as_by_pandas(cells, data):
    mask = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells))), dtype=bool
    )
    columns = {
        "text": objects(cells),
        "coded": Column(*factorized(objects(cells))),
        "n": np.arange(len(cells)) / 2,
    }
    ours, theirs = table_of(columns, Table({})), table_of(columns)
    assert list(ours.columns) == list(theirs.columns)
    assert len(ours) == len(theirs) == len(cells)
    for rows in (mask, np.flatnonzero(mask)[::-1]):
        some, same = rows_of(ours, rows), rows_of(theirs, rows)
        assert list(same.index) == list(range(len(same)))
        for name in columns:
            mine, expected = some[name].to_numpy(dtype=object), same[name].to_numpy(dtype=object)
            assert [*mine] == [None if pd.isna(cell) else cell for cell in expected]
    assert (
        text(ours["text"]).tolist()
        == text(theirs["text"]).tolist()
        == decoded(ours["coded"]).to_numpy().tolist()
    )
    for name in ("text", "coded"):
        codes, levels = codes_of(ours[name])
        assert [None if code < 0 else levels[code] for code in codes] == cells


def test_a_table_as_a_frame():
    table = Table(
        {"row": np.array([0, 1]), "assay": Column(np.array([1, -1]), objects(["ella", "simoa"]))}
    )
    frame = as_frame(table.assign(days=np.array([0.0, 5.0])))
    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == {
        "row": [0, 1],
        "assay": ["simoa", None],
        "days": [0.0, 5.0],
    }
    assert as_frame(frame) is frame
    assert len(Table({})) == 0


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38"])
def test_the_gene_of_a_site(build):
    """Each gene at its ends and in its padding; where paddings overlap, the gene itself wins."""
    panel = genes(shipped(), build)
    for gene, row in panel.iterrows():
        index, start, end = gene_names(shipped()).index(gene), int(row["start"]), int(row["end"])
        assert (
            gene_at(shipped(), row["chrom"], start, build)
            == gene_at(shipped(), f"chr{row['chrom']}", end, build)
            == index
        )
        others = panel[(panel["chrom"] == row["chrom"]) & (panel.index != gene)]
        alone = (
            (others["start"] - 2 * PADDING > end) | (others["end"] + 2 * PADDING < start)
        ).all()
        if alone:
            assert (
                gene_at(shipped(), row["chrom"], start - PADDING, build)
                == gene_at(shipped(), row["chrom"], end + PADDING, build)
                == index
            )
            assert (
                gene_at(shipped(), row["chrom"], start - PADDING - 1, build)
                == gene_at(shipped(), row["chrom"], end + PADDING + 1, build)
                == -1
            )
    assert gene_at(shipped(), "99", 1, build) == -1


@pytest.mark.parametrize("n", [FEW_CELLS - 1, FEW_CELLS, FEW_CELLS + 1])
def test_distinct_cells_of_long_columns_are_those_of_short_ones(n):
    """Beyond FEW_CELLS pandas finds them."""
    cells = np.array([("b", None, "a", "b", "nan")[i % 5] for i in range(n)], dtype=object)
    codes, levels = factorized(cells)
    assert levels.tolist() == ["b", "a", "nan"]
    assert [None if code < 0 else levels[code] for code in codes] == cells.tolist()


@pytest.mark.parametrize("n", [FEW_CELLS, FEW_CELLS + 1])
def test_nan_is_unknown_in_long_and_in_short_columns(n):
    """A served further column that nobody states is one of NaN."""
    codes, levels = factorized(np.resize([np.nan, 1.0], n))
    assert levels.tolist() == [1.0]
    assert codes.tolist() == np.resize([-1, 0], n).tolist()
    codes, levels = factorized(np.resize(objects(["a", np.nan, None]), n))
    assert levels.tolist() == ["a"]
    assert codes.tolist() == np.resize([0, -1, -1], n).tolist()
