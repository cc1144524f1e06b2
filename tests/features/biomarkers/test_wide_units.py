"""A wide table in which a column has its unit in the column beside it."""

import pytest
import yaml

from als_ml.cohort.source import open_cohort
from features.errors import DataError, RequestError
from tests.cohorts import read

TABLE = """sample_id,Krea,Einheit,CK
A,1.0,mg/dL,100
B,88.4,µmol/l,200
C,,,300
"""
KREA = {"analyte": "creatinine_serum", "unit_from": "Einheit"}
CK = {"analyte": "ck_serum", "unit": "U/L"}


def written(folder, table=TABLE, **wide):
    (folder / "p.csv").write_text("sample_id\nA\nB\nC\n")
    (folder / "b.csv").write_text(table, encoding="utf-8")
    content = {"patients": "p.csv", "biomarkers": "b.csv", "wide": {"days": 0, **wide}}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(content))
    return folder / "cohort.yaml"


@pytest.mark.parametrize(
    "wide",
    [
        {"columns": {"Krea": KREA, "CK": CK}},
        {"unit": "U/L", "columns": {"Krea": KREA, "CK": {"analyte": "ck_serum"}}},
        {"unit_from": "Einheit", "columns": {"Krea": {"analyte": "creatinine_serum"}, "CK": CK}},
    ],
)
def test_each_row_has_its_own_unit(tmp_path, wide):
    values = read(written(tmp_path, **wide)).biomarkers
    creatinine = values[values["analyte"] == "creatinine_serum"]["value"]
    assert creatinine.round(3).tolist() == [1.0, 1.0]
    assert values[values["analyte"] == "ck_serum"]["value"].tolist() == [100, 200, 300]


def test_a_unit_that_is_not_there_or_does_not_fit(tmp_path):
    with pytest.raises(DataError, match="is measured in 'kg'"):
        read(written(tmp_path, TABLE.replace("mg/dL", "kg"), columns={"Krea": KREA, "CK": CK}))
    with pytest.raises(DataError, match="has no unit"):
        read(written(tmp_path, TABLE.replace("mg/dL", ""), columns={"Krea": KREA, "CK": CK}))


def test_a_column_of_units_must_be_there_and_alone(tmp_path):
    with pytest.raises(RequestError, match=r"wide unit_from.*Did you mean 'Einheit'"):
        read(written(tmp_path, columns={"Krea": {**KREA, "unit_from": "Einheiten"}}))
    with pytest.raises(RequestError, match="unit and unit_from"):
        open_cohort(written(tmp_path, columns={"Krea": {**KREA, "unit": "mg/dL"}}))
