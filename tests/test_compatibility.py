"""What stays the same between releases: format numbers, removed keys, codes of errors."""

import ast
import csv
import json
import pickle
import re

import pytest
import yaml

import als_ml
from als_ml import formats
from als_ml.__main__ import main
from als_ml.cohort.records import read_records
from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from als_ml.formats import FORMATS, Removed
from als_ml.prediction.example import EXAMPLE
from features.blocks.spec import FeatureSpec
from features.catalogue import shipped
from features.codes import CODES
from features.errors import DataError, RequestError
from features.tables.problems import Problems
from features.variants.lookups import Lookups
from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs/compatibility.md").read_text()
KINDS = ("cohort file", "configuration", "record")


def errors_of(kind, folder, **keys):
    """What is wrong with a file or record that is right but for some keys; None if nothing is."""
    if kind == "record":
        given = (FeatureSpec(), Lookups(), shipped())
        _, _, errors = read_records([EXAMPLE | keys], *given)
        return " ".join(errors[0].values()) if errors else None
    path, read = folder / "file.yaml", {"cohort file": open_cohort, "configuration": load_config}
    content = {"cohort file": {"patients": "p.csv"}}.get(kind, {"task": "familial", "cohort": "c"})
    path.write_text(yaml.safe_dump(content | keys))
    try:
        read[kind](path)
    except RequestError as error:
        return f"{error.code}: {error}"
    return None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keys", [{}, {"format": 1}])
def test_a_format_of_this_release_is_read(kind, keys, tmp_path):
    assert errors_of(kind, tmp_path, **keys) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, 2, 7, "1", 1.0, True, [1]])
def test_another_format_is_refused_before_its_keys(kind, number, tmp_path):
    said = errors_of(kind, tmp_path, format=number, of_a_later_release=1)
    if kind == "record":
        assert said == "format is not one that this release reads" + said.partition("reads")[2]
        assert "Send format 1" in said
    else:
        assert said.startswith("format_unknown: ")
        assert f"the format of this {kind} is {number!r}" in said
        assert f"als-ml {als_ml.__version__} reads 1 to 1" in said


def test_the_formats_are_those_of_the_document():
    stated = re.findall(r"^\| ([a-z ]+).*\| `format` \| (\d+) \|", DOCUMENT, re.MULTILINE)
    named = {"cohort file ": "cohort file", "patient record": "record", "prediction row ": "row"}
    found = {named.get(name, name.strip()): int(newest) for name, newest in stated}
    assert found == FORMATS


def test_a_row_states_its_format(training, cohort):
    from als_ml.prediction.batch import as_table

    predictor = training.predictor
    rows = predictor.predict_cohort(cohort)
    assert {row["format"] for row in rows} == {FORMATS["row"]}
    assert set(as_table(rows).column("format").to_pylist()) == {FORMATS["row"]}
    assert predictor.predict_records([{}])[0]["format"] == FORMATS["row"]


# One that goes in 0.7 to each of: another name, another place, nowhere.
GONE = [
    Removed(kind="configuration", key="decision.cost", since="0.7.0", instead="decision.miss_cost"),
    Removed(kind="configuration", key="horizon", since="0.7.0", instead="label.window_days"),
    Removed(kind="cohort file", key="reference.dbsnp", since="0.7.0"),
    Removed(kind="record", key="onset_age", since="0.7.0", instead="age_at_onset"),
]
INSTEAD = "Write {} instead."
OLD = [
    (
        "configuration",
        {"decision": {"cost": 3.0}},
        "decision.cost",
        INSTEAD.format("decision.miss_cost"),
    ),
    ("configuration", {"horizon": 200}, "horizon", INSTEAD.format("label.window_days")),
    ("cohort file", {"reference": {"dbsnp": "x.vcf"}}, "reference.dbsnp", "Leave it out."),
    (
        "record",
        {"onset_age": 58, "age_at_onset": None},
        "onset_age",
        INSTEAD.format("age_at_onset"),
    ),
]


@pytest.fixture
def release(monkeypatch):
    """Act as another release, which has removed keys."""
    formats._warn.cache_clear()
    monkeypatch.setattr(formats, "REMOVED", tuple(GONE))
    yield lambda version: monkeypatch.setattr(als_ml, "__version__", version)
    formats._warn.cache_clear()


@pytest.mark.parametrize("version", ["0.7.0", "0.7.3", "0.7.1.dev0"])
@pytest.mark.parametrize(("kind", "keys", "key", "remedy"), OLD[:3])
def test_a_removed_key_works_for_one_release(
    kind, keys, key, remedy, version, release, tmp_path, caplog
):
    release(version)
    assert errors_of(kind, tmp_path, **keys) is None
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"key {key}: this key was removed in als-ml 0.7.0" in said
    assert said.endswith(remedy)


@pytest.mark.parametrize("version", ["0.8.0", "1.0"])
@pytest.mark.parametrize(("kind", "keys", "key", "remedy"), OLD)
def test_the_next_release_refuses_it(kind, keys, key, remedy, version, release, tmp_path):
    release(version)
    said = errors_of(kind, tmp_path, **keys)
    assert "this key was removed in als-ml 0.7.0" in said
    assert key in said
    assert remedy in said


def test_its_value_is_taken_under_the_new_name(release, tmp_path):
    release("0.7.0")
    path = tmp_path / "c.yaml"
    path.write_text("task: familial\ncohort: c\nhorizon: 200\ndecision: {cost: 3.0}\n")
    config = load_config(path)
    assert (config.label.window_days, config.decision.miss_cost) == (200, 3.0)
    assert load_config(path, ["horizon=300"]).label.window_days == 300


def test_a_removed_key_of_a_record_is_taken_and_said_once(release, caplog):
    release("0.7.0")
    record = {key: value for key, value in EXAMPLE.items() if key != "age_at_onset"}
    given = (FeatureSpec(), Lookups(), shipped())
    cohort, _, errors = read_records([record | {"onset_age": 61.0}] * 3, *given)
    assert errors == {}
    assert cohort.patients["age_at_onset"].to_numpy().tolist() == [61.0] * 3
    assert len(caplog.records) == 1
    assert "61" not in caplog.text


def test_a_removed_key_beside_its_successor_is_refused(release, tmp_path):
    release("0.7.0")
    said = errors_of("configuration", tmp_path, decision={"cost": 3.0, "miss_cost": 4.0})
    assert said.startswith("key_removed: ")
    assert "former name of decision.miss_cost, which is there too" in said


def test_what_was_removed_is_of_a_release_that_is_out():
    for removed in formats.REMOVED:
        assert removed.kind in KINDS
        assert formats._release(removed.since) <= formats._release(als_ml.__version__)


# Codes.


def reports():
    """Each call of our code that raises or notes something, with the file that it is in."""
    words = {"error", "warn", "note", "reject", "question"}
    for package in ("als_ml", "features", "models"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    *owner, name = ast.unparse(node.func).split(".")
                    noted = name in words and owner[-1:] in (["problems"], ["self"], ["noticed"])
                    if noted or name in ("DataError", "RequestError"):
                        yield path, node


REPORTS = list(reports())


def stated(node: ast.Call) -> str | None:
    """The code that a call states: a word, or that of another error which it passes on."""
    for keyword in node.keywords:
        if keyword.arg == "code":
            value = keyword.value
            return value.value if isinstance(value, ast.Constant) else ast.unparse(value)
    return None


def test_every_report_states_a_code():
    assert len(REPORTS) > 250
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} {code}"
        for path, node in REPORTS
        if (code := stated(node)) not in CODES and not str(code).endswith("code")
    ]
    assert not wrong


def test_every_code_is_stated_somewhere():
    words = {
        node.value
        for package in ("als_ml", "features", "models")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "codes.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(CODES) - words == {"data_wrong", "request_wrong"}


def test_no_code_of_an_earlier_release_has_changed():
    with (ROOT / "tests/fixtures/codes.tsv").open() as file:
        earlier = {row["code"]: row["meaning"] for row in csv.DictReader(file, delimiter="\t")}
    assert len(earlier) > 50
    assert {code: CODES.get(code) for code in earlier} == earlier


def test_codes_stand_in_the_document():
    shown = dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", DOCUMENT, re.MULTILINE))
    assert shown == CODES


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("a", "b", "c"), "data_wrong"),
        (RequestError("a", "b", "c"), "request_wrong"),
        (DataError("a", "b", "c", code="cell_unit"), "cell_unit"),
    ],
)
def test_an_error_keeps_its_code_on_its_way(error, code):
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert type(back) is type(error)
    assert back.as_dict() == {"code": code, "where": "a", "found": "b", "remedy": "c"}
    problems = Problems()
    with pytest.raises(DataError) as raised:
        problems.error("a", "b", "c", code=code)
    assert raised.value.code == code


PATIENTS = "sample_id,sex,age_at_onset,onset_days,diagnosis_days\n"


@pytest.mark.parametrize(
    ("keys", "patients", "code", "status"),
    [
        ({}, PATIENTS + "a,female,50,-300,-100\n", None, 0),
        ({}, PATIENTS + "a,female,fifty,-300,-100\n", "cell_number", 1),
        ({}, PATIENTS + "a,unknowable,50,-300,-100\n", "cell_word", 1),
        ({}, PATIENTS + "a,female,500,-300,-100\n", "cell_range", 1),
        ({}, PATIENTS + "a,female,50,-300,-400\n", "row_contradiction", 1),
        ({}, PATIENTS + "a,female,50,-300,-100\na,male,50,-300,-100\n", "row_twice", 1),
        ({}, "id,sex\na,female\n", "column_missing", 1),
        ({}, None, "file_absent", 1),
        ({"biomarkers": "patients.csv"}, PATIENTS + "a,female,50,-300,-100\n", "column_missing", 1),
        ({"patient": "p.csv"}, PATIENTS, "key_unknown", 2),
        ({"genome_build": "hg17"}, PATIENTS, "key_value", 2),
        ({"format": 9}, PATIENTS, "format_unknown", 2),
        ({"patients": "../patients.csv"}, PATIENTS, "path_outside", 2),
    ],
)
def test_check_gives_the_code_of_what_is_wrong(tmp_path, capsys, keys, patients, code, status):
    (tmp_path / "cohort.yaml").write_text(yaml.safe_dump({"patients": "patients.csv"} | keys))
    if patients is not None:
        (tmp_path / "patients.csv").write_text(patients)
    assert main(["check", "--cohort", str(tmp_path / "cohort.yaml"), "--json"]) == status
    printed = json.loads(capsys.readouterr().out)
    found = [p for p in printed.get("problems", []) if p["severity"] == "error"]
    found += [printed["error"]] if "error" in printed else []
    assert [problem["code"] for problem in found] == ([code] if code else [])
    assert all(problem["where"] and problem["remedy"] for problem in found)


def test_without_json_an_error_is_said_in_words_alone(tmp_path, capsys):
    assert main(["check", "--cohort", str(tmp_path / "absent.yaml")]) == 2
    assert capsys.readouterr().out == ""
    assert main(["check", "--cohort", str(tmp_path / "absent.yaml"), "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "file_absent"
    assert shown.err.startswith("error: ")
