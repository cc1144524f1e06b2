"""Vital capacity: litres are litres, and the slow one stands in, flagged, where no forced one is
known.
"""

import numpy as np
import pytest

from features.blocks.rows import feature_dictionary, feature_rows, with_columns
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from features.tables.problems import Problems
from tests import cohorts

SPEC = FeatureSpec(blocks=("biomarkers",), landmark_days=0)


@pytest.fixture
def read(tmp_path):
    def made(*rows: str):
        (tmp_path / "p.csv").write_text("sample_id,onset_days,fvc_litres\nP1,-365,2.5\nP2,-365,\n")
        header = "sample_id,analyte,value,unit,days\n"
        (tmp_path / "b.csv").write_text(header + "\n".join(rows) + "\n")
        (tmp_path / "cohort.yaml").write_text("patients: p.csv\nbiomarkers: b.csv\n")
        return cohorts.read(tmp_path / "cohort.yaml", Problems())

    return made


@pytest.mark.parametrize(
    ("rows", "value", "slow"),
    [
        (["P1,fvc_pct,80,%,0"], 80, 0),
        (["P1,svc_pct,70,%,0"], 70, 1),
        (["P1,svc_pct,70,%,0", "P1,fvc_pct,80,%,-30"], 80, 0),  # forced, though older
        (["P1,svc_pct,70,%,0", "P1,fvc_pct,80,%,1"], 70, 1),  # forced after the landmark
        (["P1,fvc_litres,3,L,0"], np.nan, np.nan),  # sex, age and height are unknown
    ],
)
def test_slow_where_forced_is_missing(read, rows, value, slow):
    row = feature_rows(read(*rows), SPEC).loc["P1"]
    found = [row["vital_capacity_pct"], row["vital_capacity_slow"]]
    assert found == pytest.approx([value, slow], nan_ok=True)


@pytest.mark.parametrize(("name", "cell"), [("fvc_litres", "3.1,L"), ("FVC_L", "3100,mL")])
def test_litres_have_a_column(read, name, cell):
    row = feature_rows(read(f"P1,{name},{cell},0"), SPEC).loc["P1"]
    assert row["fvc_litres"] == pytest.approx(3.1)
    assert np.isnan(row["fvc_pct"])


def test_a_column_of_patients_named_as_a_feature_stands_in_it(read):
    cohort = read("P2,fvc_litres,3,L,0", "P1,weight,70,kg,0")
    spec = with_columns(shipped(), SPEC, cohort.patients, ["fvc_litres"], set())
    rows = feature_rows(cohort, spec)
    assert rows["fvc_litres"].tolist() == [2.5, 3]
    assert list(rows.columns).count("fvc_litres") == 1
    both = read("P1,fvc_litres,3,L,0")
    assert feature_rows(both, spec)["fvc_litres"].iloc[0] == 3  # the dated value counts


def test_the_first_edition_has_neither():
    old = [f.name for f in feature_dictionary(FeatureSpec(edition=1), shipped())]
    assert not any(name.startswith("vital_capacity") for name in old)
    assert len(old) == len(set(old))
