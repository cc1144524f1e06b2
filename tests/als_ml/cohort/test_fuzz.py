"""Whatever is sent or read, the answer is a result or one message: never a traceback, never a value
of a patient.

Bounded in CI; ALS_ML_FUZZ=5000 gives each test that many examples.
"""

import json
import os
import string
from pathlib import Path

import pysam
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from als_ml.cohort.record_keys import BIOMARKER_KEYS, PARTS, VISIT_KEYS
from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.row import ROW_FIELDS
from als_ml.tracking.loader import load
from features.catalogue import analytes, gene_names, patient_columns, shipped
from features.errors import UserError
from features.tables.files import read_table
from features.tables.problems import Problems
from tests.cohorts import read

GOOD = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "configs/progression.yaml").read_text()
)
EXAMPLES = int(os.environ.get("ALS_ML_FUZZ", "60"))
fuzzed = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SECRET = "Zq9secretZq9"  # noqa: S105 - a value to look for in messages
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.text(max_size=12),
    st.just(SECRET),
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
measurement = st.dictionaries(
    st.sampled_from(BIOMARKER_KEYS),
    scalars | st.sampled_from(["nfl_serum", "fvc_pct", "pg/mL", "%"]),
    max_size=6,
)
visit = st.dictionaries(st.sampled_from(VISIT_KEYS), scalars | st.integers(0, 48), max_size=8)
parts = {
    "format": st.sampled_from([1, 2]) | anything,
    "genome_build": st.sampled_from(["GRCh38", "GRCh37", "hg19"]) | anything,
    "as_of_days": st.integers(-(10**6), 10**6) | anything,
    "biomarkers": (
        st.lists(measurement, max_size=4)
        | st.dictionaries(st.sampled_from(list(analytes(shipped()).index)), scalars, max_size=3)
        | anything
    ),
    "variants": (
        st.lists(
            st.sampled_from(["21-31667299-G-C 0/1", "SOD1:A4V 0/1", "21--1-G-C 1", "x"]), max_size=3
        )
        | anything
    ),
    "repeats": (
        st.dictionaries(st.sampled_from(["C9orf72", "ATXN2", "HTT"]), anything, max_size=2)
        | anything
    ),
    "assayed": (
        st.dictionaries(
            st.sampled_from(gene_names(shipped())), scalars | st.just("full"), max_size=3
        )
        | anything
    ),
    "alsfrs": st.lists(visit, max_size=4) | anything,
    "treatments": (
        st.dictionaries(st.sampled_from(["riluzole", "tofersen"]), anything, max_size=2) | anything
    ),
}
assert set(parts) == set(PARTS)
records = st.fixed_dictionaries(
    {"sample_id": st.just("P1") | scalars},
    optional={
        **parts,
        **{name: scalars for name in patient_columns(shipped()).index if name != "sample_id"},
    },
)


@pytest.fixture(scope="module")
def predictor(store):
    return load("models:/als-progression@champion")


@fuzzed
@given(st.lists(records | anything, min_size=1, max_size=3))
def test_any_record_is_answered(predictor, sent):
    rows = predictor.predict_records([*sent, EXAMPLE])
    assert [list(row) for row in rows] == [list(ROW_FIELDS)] * (len(sent) + 1)
    for row in rows:
        assert (row["error"] is None) != (row["probability"] is None)
        json.dumps(row, allow_nan=False)
    assert SECRET not in json.dumps([row["error"] for row in rows])
    assert rows[-1] == predictor.predict_records([EXAMPLE])[0]


keys = st.sampled_from(
    ["task", "cohort", "features", "model", "label", "validation", "tracking", "blocks", "search"]
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4)
    ),
)


@fuzzed
@given(st.dictionaries(keys, values, max_size=5))
def test_any_configuration_is_read_or_refused(tmp_path, changes):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}), encoding="utf-8")
    refused_or_fine(load_config, path)


@fuzzed
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_a_configuration_a_cohort_or_refused(tmp_path, content):
    path = tmp_path / "c.yaml"
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )
    refused_or_fine(load_config, path)
    refused_or_fine(open_cohort, path)


def refused_or_fine(read, *arguments):
    problem = None
    try:
        read(*arguments)
    except UserError as error:
        problem = error
    assert problem is None or (problem.remedy and "\n" not in str(problem))


cells = st.sampled_from(
    ["", "NA", "4", "-3", "1,5", "<2.7", "LOD", "2024-01-05", "03/04/2024", "yes", '"', "\n"]
)
lines = st.lists(cells | st.text(string.printable, max_size=6), min_size=1, max_size=6).map(
    ",".join
)
headers = st.lists(
    st.sampled_from([*patient_columns(shipped()).index, "analyte", "value", "unit", "days", "q1"]),
    max_size=6,
)


@fuzzed
@given(
    headers.map(",".join),
    st.lists(lines, max_size=6),
    st.sampled_from([".csv", ".tsv", ".parquet", ".xlsx", ".csv.gz"]),
)
def test_any_table_is_read_or_refused(tmp_path, header, rows, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_bytes("\n".join([header, *rows]).encode())
    refused_or_fine(read_table, path)
    (tmp_path / "patients.csv").write_bytes("\n".join([f"sample_id,{header}", *rows]).encode())
    (tmp_path / "cohort.yaml").write_text(
        "patients: patients.csv\nbiomarkers: patients.csv\nalsfrs: patients.csv\n"
    )
    refused_or_fine(read, tmp_path / "cohort.yaml", Problems())


@pytest.mark.slow
@fuzzed
@given(st.data())
def test_a_broken_vcf_is_read_or_refused(tmp_path, demo, data):
    """A real small file with some of its characters changed, cut or doubled."""
    with pysam.VariantFile(str(demo / "variants.vcf.gz")) as file:
        whole = str(file.header) + "".join(
            str(record) for record, _ in zip(file, range(3), strict=False)
        )
    text = whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, max(len(text) - 1, 0)))
        text = (
            text[:at]
            + data.draw(st.text(string.printable, max_size=4))
            + text[at + data.draw(st.integers(0, 3)) :]
        )
    (tmp_path / "v.vcf").write_text(text)
    (tmp_path / "patients.csv").write_text("sample_id\nALS-0001\n")
    (tmp_path / "cohort.yaml").write_text("patients: patients.csv\nvariants: [v.vcf]\n")
    refused_or_fine(read, tmp_path / "cohort.yaml", Problems())
