"""What a person writes into a cohort file: words that YAML takes for something else, other names of
a genome build, slips, each answered with its line.
"""

import pytest

from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from features.errors import RequestError
from features.genome_build import known_build


def opened(folder, text: str):
    path = folder / "cohort.yaml"
    path.write_text(text, encoding="utf-8")
    return open_cohort(path).described


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("GRCh37", "GRCh37"),
        ("hg19", "GRCh37"),
        ("HG19", "GRCh37"),
        ("b37", "GRCh37"),
        ("GRCh37.p13", "GRCh37"),
        ("37", "GRCh37"),
        ("hg38", "GRCh38"),
        ("grch38.p14", "GRCh38"),
        ("38", "GRCh38"),
        ("hg18", "hg18"),
        ("T2T-CHM13", "T2T-CHM13"),
    ],
)
def test_builds_by_their_names(tmp_path, name, build):
    assert known_build(name) == build
    text = f"patients: p.csv\ngenome_build: {name}\n"
    if build.startswith("GRCh"):
        assert opened(tmp_path, text).genome_build == build
    else:
        with pytest.raises(RequestError, match=r"line 2, key genome_build.*Known|Did you mean"):
            opened(tmp_path, text)


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("{ftd: {ja: yes, nein: no}}", {"ftd": {"ja": "yes", "nein": "no"}}),
        ("{ftd: {on: yes, off: no}}", {"ftd": {"on": "yes", "off": "no"}}),
        ("{sex: {1: male, 2: female}}", {"sex": {"1": "male", "2": "female"}}),
        ("{sex: {01: male}}", {"sex": {"01": "male"}}),
        ("{ftd: {2020-01-01: yes}}", {"ftd": {"2020-01-01": "yes"}}),
    ],
)
def test_words_are_words(tmp_path, said, values):
    assert opened(tmp_path, f"patients: p.csv\nvalues: {said}\n").values == values


def test_names_of_columns_are_words_and_facts_are_not(tmp_path):
    text = (
        "patients: {file: p.csv, columns: {sex: 1}}\ncolumns: {total: 12}\nsimulated: yes\n"
        "biomarkers: b.csv\nwide: {columns: {1: {analyte: nfl_serum, days: 0}}}\n"
    )
    said = opened(tmp_path, text)
    assert said.patients.columns == {"sex": "1"}
    assert said.columns == {"total": "12"}
    assert said.simulated is True
    assert said.wide.columns["1"].days == 0


def test_one_file_alone_needs_no_list(tmp_path):
    assert opened(tmp_path, "patients: p.csv\nvariants: v.vcf\n").variants == ("v.vcf",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty. Write at least `patients: FILE`"),
        ("- a\n", "it has no keys"),
        ("name: x\n\tpatients: p.csv\n", r"line 2: .*Line 2 has a tab"),
        ("name: a: b\n", r"line 1: mapping values.*Quote a text with a colon"),
        ("patients: p.csv\nname: a\nname: b\n", "line 3: the key name stands in line 2 too"),
        ("patients: p.csv\nvalues: {sex: {m: male, m: female}}\n", "line 2: the key m stands"),
        ("patient: p.csv\n", r"line 1, key patient: .* Did you mean 'patients'"),
        ("name: x\n", "key patients: this key is missing"),
        ("patients: p.csv\nreference:\n  fasto: x\n", r"line 3, key reference.fasto.*'fasta'"),
        ("patients: p.csv\npolicy: strikt\n", r"line 2, key policy: .*Did you mean 'strict'"),
        ("patients: p.csv\nvalues: {sex: female}\n", r"line 2, key values.sex"),
        ("patients: {file: p.csv, encoding: rot13}\n", r"'rot13' is no encoding"),
        ("patients: {file: p.csv, encoding: zlib}\n", r"'zlib' is no encoding"),
        ("patients: {file: p.csv, encoding: undefined}\n", r"'undefined' is no encoding"),
        ("patients: p.csv\nvariants: ['**x.vcf']\n", r"variants: '\*\*x.vcf' is not a pattern"),
    ],
)
def test_a_slip_is_answered_with_its_line(tmp_path, text, message):
    with pytest.raises(RequestError, match=message):
        opened(tmp_path, text)


def test_a_cohort_file_in_another_encoding(tmp_path):
    path = tmp_path / "cohort.yaml"
    path.write_bytes("patients: p.csv\ncolumns: {sex: Größe}\n".encode("cp1252"))
    with pytest.raises(RequestError, match="not UTF-8; save it as UTF-8"):
        open_cohort(path)
    path.write_bytes("\ufeffpatients: p.csv\n".encode())  # as editors of Windows write it
    assert open_cohort(path).described.patients.file == "p.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: progression\ncohort: c\nlandmark_day: 3\n", "line 3, key landmark_day"),
        ("task: progresion\ncohort: c\n", r"line 1, key task: .*Did you mean 'progression'"),
        ("task: progression\n  cohort: c\n", "line 2: mapping values"),
    ],
)
def test_so_is_one_of_a_configuration(tmp_path, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(RequestError, match=message):
        load_config(path)


@pytest.mark.parametrize("said", [True, False, None])
@pytest.mark.parametrize("truth", [True, False])
def test_a_cohort_is_simulated_if_it_says_so_or_its_truth_lies_beside_it(said, truth, tmp_path):
    if truth:
        (tmp_path / "truth.csv").touch()
    line = "" if said is None else f"simulated: {said}\n"
    (tmp_path / "cohort.yaml").write_text(f"patients: p.csv\n{line}")
    (tmp_path / "p.csv").write_text("sample_id\nA\n")
    assert open_cohort(tmp_path / "cohort.yaml").simulated == (said is True or truth)
