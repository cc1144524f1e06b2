"""What another adds without a change of our code, line by line, from the file to the compared
models: an analyte, an assay, a label scheme, an estimator, a feature block.
"""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

import als_ml
from als_ml.__main__ import main
from features.overlay import LAYERS
from tests.conftest import ROOT
from tests.plugins import EXAMPLE
from tests.stores import store_in

LABORATORY = ROOT / "tests/fixtures/laboratory"
DOCUMENT = (ROOT / "docs/extending.md").read_text()
# Of the example package: the record itself with its functions, without imports.
MODULE = (EXAMPLE / "als_ml_example.py").read_text()


def lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def counted() -> dict[str, int]:
    """Lines that the examples take."""
    estimator, _, block = MODULE.partition("def columns")
    rows = {"analyte": "biomarkers", "assay": "assays", "label scheme": "progression_schemes"}
    return {
        **{
            what: lines((LABORATORY / f"{name}.tsv").read_text()) - 1 for what, name in rows.items()
        },
        "estimator": lines(estimator[estimator.index("def ") :]),
        "feature block": lines("def columns" + block),
    }


def test_the_document_counts_the_lines_of_the_examples():
    stated = dict(
        re.findall(r"^\| an? ([a-z ]+?)(?:,[^|]*)? \|[^|]*\| (\d+) ", DOCUMENT, re.MULTILINE)
    )
    assert {what: int(n) for what, n in stated.items()} == counted()


def test_the_tables_of_the_example_are_such_that_a_laboratory_may_have():
    names = {path.stem for path in LABORATORY.glob("*.tsv")}
    assert names == {"biomarkers", "assays", "progression_schemes"} <= set(LAYERS)


@pytest.fixture
def centre(demo, tmp_path) -> Path:
    """The demo cohort of a laboratory that measures sestrin, and some NfL by another assay."""
    folder = tmp_path / "centre"
    shutil.copytree(demo, folder)
    shutil.copytree(LABORATORY, folder / "ours")
    table = pd.read_csv(folder / "biomarkers.csv", dtype=str, keep_default_na=False)
    nfl = table.index[table["analyte"] == "nfl_serum"]
    table.loc[nfl[::3], "assay"] = "lumipulse"
    albumin = table[table["analyte"] == "albumin_serum"]
    table = pd.concat([table, albumin.assign(analyte="sestrin_serum", unit="ng/mL")])
    table.to_csv(folder / "biomarkers.csv", index=False)
    described = yaml.safe_load((folder / "cohort.yaml").read_text())
    (folder / "cohort.yaml").write_text(yaml.safe_dump(described | {"definitions": ["ours"]}))
    return folder


@pytest.mark.slow
def test_analyte_and_assay_become_features_and_the_scheme_labels(centre):
    path = centre / "cohort.yaml"
    rows = als_ml.features(path, values=("last",))
    assert rows["log_sestrin_serum"].notna().sum() > 20
    assert rows["log_nfl_serum_lumipulse"].notna().sum() > 20
    assert "log_nfl_serum_unknown" not in rows or rows["log_nfl_serum_unknown"].isna().any()
    ours = {"definitions": [str(centre / "ours")], "label.scheme": "ourcentre"}
    labels = als_ml.labels(path, ROOT / "configs/quick.yaml", ours)
    usual = als_ml.labels(path, ROOT / "configs/quick.yaml")
    assert (labels == 1).sum() > (usual == 1).sum() > 20
    assert labels.attrs["counts"]["class_intermediate"] > 0


SMALL = ["folds=3", "repeats=1", "inner_folds=3", "bootstrap=50", "honesty=false", "sites=false"]


@pytest.mark.slow
def test_a_model_before_and_after_a_table_of_the_laboratory_is_compared(
    centre, demo, migrated, tmp_path, capsys
):
    """The second model knows sestrin and Lumipulse; the first reads the same cohort without."""
    (tmp_path / "mlflow.db").write_bytes(migrated.read_bytes())
    output = tmp_path / "rows.csv"
    small = [part for change in SMALL for part in ("--set", f"validation.{change}")]
    with store_in(tmp_path):
        for cohort, more in (
            (demo, []),
            (centre, [f"definitions=[{centre}/ours]", "label.scheme=ourcentre"]),
        ):
            sets = [part for change in more for part in ("--set", change)]
            sets += ["--set", f"cohort={cohort}/cohort.yaml"]
            config = ["--config", str(ROOT / "configs/quick.yaml"), "--quiet"]
            assert main(["train", *config, *sets, *small]) == 0
        capsys.readouterr()
        before, after = "models:/als-quick/1", "models:/als-quick/2"
        asked = ["--cohort", str(centre / "cohort.yaml")]
        assert main(["compare", before, after, *asked]) == 0
        said = capsys.readouterr()
        assert "definitions" in said.out
        assert main(["predict", "--model", after, *asked, "--output", str(output), "--quiet"]) == 0
    assert "sestrin_serum" in said.err
    rows = pd.read_csv(output)
    assert rows["probability"].notna().sum() > 150
