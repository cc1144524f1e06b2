"""Each mistake ends in one message, the right exit status, and no output file."""

import gzip
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import predict
import train
from als_ml.__main__ import main as als_ml
from features import bounds
from features.errors import DataError
from features.tables.files import read_table

ROOT = Path(__file__).resolve().parents[3]
TABLES = ("cohort.yaml", "patients.csv", "biomarkers.csv", "alsfrs.csv")


@pytest.fixture
def folder(demo, tmp_path):
    """A copy of the demo cohort without its genomes, to be spoiled."""
    for name in TABLES:
        shutil.copy(demo / name, tmp_path / name)
    text = (tmp_path / "cohort.yaml").read_text()
    kept = [
        line
        for line in text.splitlines()
        if not line.startswith(("variants", "repeats", "- ", "reference", "  "))
    ]
    (tmp_path / "cohort.yaml").write_text("\n".join(kept))
    return tmp_path


def edit(path: Path, change) -> None:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    changed = change(table)
    (table if changed is None else changed).to_csv(path, index=False)


def cell(row, column, value):
    def change(table):
        table.loc[row, column] = value

    return change


def features(folder: Path, capsys, *more: str) -> tuple[int, str]:
    output = folder / "out.parquet"
    status = als_ml(
        [
            "features",
            "--cohort",
            str(folder / "cohort.yaml"),
            "--output",
            str(output),
            "--quiet",
            *more,
        ]
    )
    error = capsys.readouterr().err
    assert output.exists() == (status == 0)
    assert len(error.splitlines()) == (0 if status == 0 else 1)  # one message, never a traceback
    assert not [
        path for path in folder.iterdir() if path.name.startswith(".")
    ]  # nothing half-written
    return status, error


def test_the_unspoiled_cohort_is_read(folder, capsys):
    assert features(folder, capsys) == (0, "")


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "biomarkers.csv",
            cell(3, "analyte", "nfl_serun"),
            r"biomarkers.csv, column analyte, line 5: 'nfl_serun' is not a known",
        ),
        (
            "biomarkers.csv",
            cell(3, "unit", "furlong"),
            "is measured in 'furlong', which does not fit. Known units of",
        ),
        ("biomarkers.csv", cell(3, "unit", ""), "has no unit. Known units of"),
        (
            "biomarkers.csv",
            cell(3, "value", "high"),
            "column value, line 5: 'high' is not a number",
        ),
        (
            "biomarkers.csv",
            cell(3, "value", "1,500"),
            "line 5: '1,500' may have a decimal or a thousands separator",
        ),
        ("biomarkers.csv", cell(3, "days", "soon"), "column days, line 5: 'soon' is not a number"),
        ("biomarkers.csv", cell(3, "days", "1.5"), "column days, line 5: '1.5' is not a whole day"),
        ("biomarkers.csv", lambda t: t.drop(columns="analyte"), "the column 'analyte' is missing"),
        (
            "biomarkers.csv",
            lambda t: t.assign(sample_id="X" + t["sample_id"]),
            "belongs to a patient (here XDEMO-",
        ),
        (
            "patients.csv",
            lambda t: pd.concat([t, t.head(1)]),
            "occurs more than once. Keep one row per sample",
        ),
        ("patients.csv", cell(2, "sample_id", ""), "column sample_id, line 4: is empty"),
        (
            "patients.csv",
            cell(2, "sex", "femal"),
            "'femal' is not a known value. Did you mean 'female'?",
        ),
        (
            "patients.csv",
            cell(2, "age_at_onset", "old"),
            "column age_at_onset, line 4: 'old' is not a number",
        ),
        ("patients.csv", cell(2, "age_at_onset", "150"), "'150' must lie between 1 and 110"),
        (
            "patients.csv",
            cell(2, "onset_days", "30"),
            "column onset_days, line 4: '30' must be <= 0",
        ),
        ("patients.csv", cell(2, "diagnosis_days", "-9999"), "lies before onset_days"),
        (
            "patients.csv",
            lambda t: t.rename(columns={"sample_id": "id"}),
            "the column 'sample_id' is missing",
        ),
        ("alsfrs.csv", cell(0, "q1", "5"), "column q1, line 2: '5' must lie between 0 and 4"),
        ("alsfrs.csv", lambda t: t.assign(total="49"), "'49' must lie between 0 and 48"),
        ("alsfrs.csv", lambda t: t.assign(total="1"), "is not the sum of the items"),
        (
            "alsfrs.csv",
            lambda t: pd.concat([t, t.head(1).assign(q1="0", q2="0")]),
            "occurs twice with other points",
        ),
    ],
)
def test_a_spoiled_table(folder, capsys, file, change, message):
    edit(folder / file, change)
    status, error = features(folder, capsys)
    assert status == 1
    assert message in error
    assert als_ml(["check", "--cohort", str(folder / "cohort.yaml"), "--quiet"]) == 1


def test_a_missing_file(folder, capsys):
    (folder / "alsfrs.csv").unlink()
    status, error = features(folder, capsys)
    assert (status, "there is no such file" in error) == (1, True)


def test_a_broken_table(folder, capsys):
    (folder / "patients.csv").write_bytes(b"\xff\xfe\x00\x01")
    status, error = features(folder, capsys)
    assert (status, "this is not a readable table" in error) == (1, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "genome_biuld: GRCh38",
            "key genome_biuld: this key is not known. Did you mean 'genome_build'?",
        ),
        ("genome_build: hg18", "key genome_build: 'hg18': input should be 'GRCh37' or 'GRCh38'"),
        ("variants: [absent.vcf.gz]", "absent.vcf.gz: there is no such file"),
        ("variants: ['*.vcf.gz']", "variants: *.vcf.gz: matches no file"),
        ("variants: [patients.csv]", "this is not a VCF or BCF file"),
        ("name: [", "this is not YAML"),
    ],
)
def test_a_spoiled_cohort_file(folder, capsys, line, message):
    text = (folder / "cohort.yaml").read_text()
    key = line.split(":")[0]
    kept = [old for old in text.splitlines() if not old.startswith(f"{key}:")]
    (folder / "cohort.yaml").write_text("\n".join([*kept, line]))
    status, error = features(folder, capsys)
    assert status == (1 if "variants" in line else 2)
    assert message in error


def test_outputs_that_cannot_be_written(folder, capsys):
    for output, message in (
        ("out.txt", "the ending '.txt' is not known"),
        ("absent/out.csv", "is absent or read-only"),
    ):
        path = folder / output
        assert (
            als_ml(["features", "--cohort", str(folder / "cohort.yaml"), "--output", str(path)])
            == 2
        )
        assert message in capsys.readouterr().err


def test_a_one_class_label(folder, capsys, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("run"))
    edit(folder / "patients.csv", lambda t: t.assign(family_history="none"))
    status = train.main(
        [
            "--config",
            str(ROOT / "configs/familial.yaml"),
            "--set",
            f"cohort={folder}/cohort.yaml",
            "--quiet",
        ]
    )
    error = capsys.readouterr().err
    assert status == 1
    assert "0 familial" in error
    assert "familial has fewer than 6 families" in error
    assert list(Path.cwd().iterdir()) == []  # no run, no store


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ([], "data/demo/cohort.yaml"),  # before `make demo`
        (["--set", "cohort=mine/cohort.yaml"], "mine/cohort.yaml"),  # as the message says
    ],
)
def test_training_without_a_cohort_names_what_train_takes(
    changes, path, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    asked = ["--config", str(ROOT / "configs/progression.yaml"), "--quiet", *changes]
    assert train.main(asked) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: there is no such cohort file")
    assert "(to train: --set cohort=PATH)" in line
    assert "--cohort" not in line  # train has no such option
    assert list(tmp_path.iterdir()) == []


def test_a_label_is_no_feature(folder, capsys):
    changes = ["features.columns=[family_history]", "features.known_at=baseline"]
    arguments = [
        part for change in (*changes, f"cohort={folder}/cohort.yaml") for part in ("--set", change)
    ]
    assert train.main(["--config", str(ROOT / "configs/familial.yaml"), "--quiet", *arguments]) == 2
    assert "is what the label is made of" in capsys.readouterr().err


def test_a_model_that_is_not_there(folder, store, capsys):
    output = folder / "p.csv"
    arguments = ["--cohort", str(folder / "cohort.yaml"), "--output", str(output), "--quiet"]
    assert predict.main(["--model", "models:/als-familiar@champion", *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: --model models:/als-familiar@champion: ")
    assert "name=als-familiar not found. See `mlflow ui`" in message
    assert not output.exists()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("patients", "../secret.csv"),
        ("biomarkers", "/etc/passwd"),
        ("variants", ["../*.vcf"]),
        ("variants", ["*.linked.vcf"]),
        ("repeats", ["*.linked.vcf"]),
        ("kinship", "linked.tsv"),
    ],
)
def test_a_cohort_file_stays_in_its_folder(key, name, folder, capsys):
    outside = folder.parent / f"{folder.name}-outside.tsv"
    outside.write_text("id1\tid2\tkinship\n")
    (folder / "linked.tsv").symlink_to(outside)
    (folder / "x.linked.vcf").symlink_to(outside)
    described = yaml.safe_load((folder / "cohort.yaml").read_text())
    (folder / "cohort.yaml").write_text(yaml.safe_dump({**described, key: name}))
    words = ["check", "--cohort", str(folder / "cohort.yaml"), "--quiet"]
    assert als_ml(words) == 2
    message = capsys.readouterr().err
    assert f"cohort.yaml, {key}: " in message
    assert "leaves the folder of the cohort file" in message
    assert "--allow-outside" in message
    als_ml([*words, "--allow-outside"])
    assert "leaves the folder" not in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".csv.gz", ".xlsx", ".parquet"])
def test_an_archive_that_is_huge_inside_is_not_unpacked(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_UNPACKED", 1 << 20)
    monkeypatch.setattr(bounds, "MOST_RATIO", 100)
    path = tmp_path / f"bomb{suffix}"
    if suffix == ".csv.gz":
        path.write_bytes(gzip.compress(b"sample_id\n" + b"0" * (1 << 22)))
    elif suffix == ".xlsx":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("xl/worksheets/sheet1.xml", b"0" * (1 << 22))
    else:
        pd.DataFrame({"sample_id": np.zeros(1 << 24, dtype=np.int8)}).to_parquet(path)
    with pytest.raises(
        DataError,
        match="unpacks to more than 100 times its size; unpack it yourself if you trust it",
    ):
        read_table(path)


def test_a_header_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LONGEST_HEADER", 100)
    (tmp_path / "t.csv").write_text("x" * 1000)
    with pytest.raises(DataError, match="its first line has no end"):
        read_table(tmp_path / "t.csv")
