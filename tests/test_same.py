"""The comparison of two folders' results: equal is equal to the last bit, and a difference is found
wherever it is.
"""

import base64
import gzip
import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.same import compared, main

X = np.float64(0.1)


@pytest.fixture
def folders(tmp_path):
    table = pd.DataFrame(
        {"sample_id": ["a", "b"], "p": [X, np.nan], "text": ["x", None], "als_ml_version": "1"}
    )
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        table.to_parquet(tmp_path / name / "features.parquet")
        table.to_csv(tmp_path / name / "predictions.csv", index=False)
        page = "<p>als-ml 0.1.0, definitions 0123456789ab, 2026-11-25</p>\n<p>0.5</p>"
        (tmp_path / name / "report.html").write_text(page)
    return tmp_path / "old", tmp_path / "new", table


def test_equal_but_for_versions_and_dates(folders, capsys):
    old, new, table = folders
    table.assign(als_ml_version="2").to_parquet(new / "features.parquet")
    page = "<p>als-ml 0.2.0, definitions ba9876543210, 2027-01-01</p>\n<p>0.5</p>"
    (new / "report.html").write_text(page)
    assert set(map(bool, compared(old, new).values())) == {False}
    with pytest.raises(SystemExit, match="0"):
        main([str(old), str(new)])
    assert capsys.readouterr().out.count("equal") == 3


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"p": [np.nextafter(X, 1), np.nan]}, "p"),
        ({"p": [X, 0.0]}, "p"),
        ({"p": np.array([X, np.nan], dtype=np.float32)}, "p"),
        ({"text": ["x", "y"]}, "text"),
        ({"text": [None, None]}, "text"),
        ({"more": 1}, "more"),
    ],
)
def test_a_difference_is_named_by_column(folders, change, column, capsys):
    old, new, table = folders
    table.assign(**change).to_parquet(new / "features.parquet")
    assert list(compared(old, new)["features.parquet"]) == [column]
    with pytest.raises(SystemExit, match="1"):
        main([str(old), str(new)])
    assert f"  {column}: " in capsys.readouterr().out


def test_rows_files_and_pages_that_differ(folders):
    old, new, table = folders
    table[:1].to_parquet(new / "features.parquet")
    (new / "predictions.csv").unlink()
    (new / "report.html").write_text("<p>als-ml 0.1.0</p>\n<p>0.6</p>")
    found = compared(old, new)
    assert list(found["features.parquet"]) == ["sample_id", "p", "text"]
    assert found["predictions.csv"] == {"the file": "is not in NEW"}
    assert found["report.html"]
    table[["p", "sample_id", "text"]].to_parquet(new / "features.parquet")
    assert list(compared(old, new)["features.parquet"]) == ["the order"]


def test_the_tables_inside_a_report_are_unpacked(folders):
    """The same content compressed at another time, or otherwise, is equal.

    Another value is one line.
    """
    old, new, _ = folders
    pages = [
        gzip.compress(json.dumps(content).encode(), mtime=when)
        for content, when in (({"p": [0.5, 1]}, 1), ({"p": [0.5, 1]}, 2), ({"p": [0.6, 1]}, 2))
    ]
    texts = [f'<script id="x">{base64.b64encode(one).decode()}</script>' for one in pages]
    (old / "report.html").write_text(texts[0])
    (new / "report.html").write_text(texts[1])
    assert compared(old, new)["report.html"] == {}
    (new / "report.html").write_text(texts[2])
    assert compared(old, new)["report.html"] == {"the page": "from line 3 on, '0.5,' is '0.6,'"}


def test_nothing_to_compare_is_not_equal(tmp_path):
    with pytest.raises(SystemExit, match="no table and no report"):
        main([str(tmp_path), str(tmp_path)])
