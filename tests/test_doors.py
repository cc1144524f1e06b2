"""The same row whoever scores: every door x every kind of model, to the last bit.

A door is watched where it scores: each call of `Predictor.predict_cohort`, `predict_table` and
`predict_records` is recorded, so that a door with a way of its own to a cohort would be seen.
"""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import predict
import train
from als_ml.__main__ import main
from als_ml.cohort import in_parts
from als_ml.cohort.source import open_cohort
from als_ml.prediction.example import EXAMPLE
from als_ml.prediction.predictor import Predictor
from features import catalogue
from tests.conftest import ROOT
from tests.records import record
from tests.stores import store_in

SMALL = [
    "validation.folds=2",
    "validation.repeats=1",
    "validation.inner_folds=2",
    "validation.bootstrap=0",
    "validation.honesty=false",
    "validation.sites=false",
]
# What is trained differently, and what is done to the demo cohort before.
KINDS = {
    "thresholds": ["features.min_depth=30", "features.min_gq=40"],
    "landmark-0": ["landmark_days=0"],
    "columns": ["features.columns=[handgrip, centre_*]", "features.known_at=baseline"],
    "no-reference": [],
    "definitions": [],
}
QUICK = ("thresholds",)
FIELDS = ("probability", "predicted_class", "prediction_set", "abstained", "genetic_cause")


class Watched:
    """Rows that a door made, by patient; the columns of the model's matrix do not matter here."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple] = {}

    def see(self, rows: list[dict]) -> list[dict]:
        for row in rows:
            self.rows[row["sample_id"]] = tuple(row[name] for name in FIELDS)
        return rows


@contextmanager
def watched():
    seen = Watched()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("predict_cohort", "predict_table", "predict_records"):
            own = getattr(Predictor, name)
            patch.setattr(
                Predictor,
                name,
                lambda self, *words, own=own, **named: seen.see(own(self, *words, **named)),
            )
        yield seen


def kinds() -> list:
    return [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow, id=name)
        for name in KINDS
    ]


@pytest.fixture(scope="module", params=kinds())
def trained(request, tmp_path_factory, demo, migrated) -> tuple[Path, Path, list[str]]:
    """Store with two versions of a progression model, cohort file, and what was set."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copy(migrated, folder / "mlflow.db")
    cohort = _cohort(demo, folder / "cohort", request.param)
    changes = [f"cohort={cohort}", *SMALL, *KINDS[request.param]]
    words = [part for change in changes for part in ("--set", change)]
    config = str(ROOT / "configs/progression.yaml")
    with store_in(folder), _definitions(folder, request.param):
        for more in ([], ["--set", "model.least_share=0.01"]):
            assert train.main(["--config", config, "--quiet", *words, *more]) == 0
    return folder, cohort, KINDS[request.param]


@contextmanager
def _definitions(folder: Path, kind: str):
    """While the model is trained: the installed tables, or a laboratory's own, which are gone when
    it scores.
    """
    with pytest.MonkeyPatch.context() as patch:
        if kind == "definitions":
            own = Path(shutil.copytree(catalogue.FOLDER, folder / "definitions"))
            repeats = (own / "repeats.tsv").read_text()
            changed = repeats.replace("24\t\t31\t59", "10\t\t25\t59")
            assert changed != repeats, "no threshold was changed"
            (own / "repeats.tsv").write_text(changed)
            patch.setattr(catalogue, "FOLDER", own)
        yield


def _cohort(demo: Path, folder: Path, kind: str) -> Path:
    """The demo cohort, with further columns.

    Where the model has no reference, it is trained without and scored with.
    """
    shutil.copytree(demo, folder)
    patients = pd.read_csv(folder / "patients.csv")
    patients["handgrip"] = range(len(patients))
    patients["centre_north"] = [i % 3 for i in range(len(patients))]
    patients.to_csv(folder / "patients.csv", index=False)
    path = folder / "cohort.yaml"
    if kind == "no-reference":
        lines = path.read_text().splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("reference:"))
        own = [i for i in range(start + 1, len(lines)) if lines[i].startswith(" ")]
        kept = [line for i, line in enumerate(lines) if i != start and i not in own]
        (folder / "bare.yaml").write_text("\n".join(kept) + "\n")
        return folder / "bare.yaml"
    return path


@pytest.fixture(scope="module")
def scored_with(trained) -> Path:
    """The cohort file that the doors get: also with references that the model was trained
    without.
    """
    _, cohort, _ = trained
    return cohort.with_name("cohort.yaml")


@pytest.fixture(scope="module")
def expected(trained, scored_with) -> dict[str, tuple]:
    """What `predict.py` says of each patient."""
    folder, _, _ = trained
    with store_in(folder), watched() as seen:
        assert predict.main(_predict("--cohort", str(scored_with), "--output", "out.csv")) == 0
    assert len(seen.rows) > 200
    assert len({row[0] for row in seen.rows.values()}) > 100
    return seen.rows


def _predict(*words: str) -> list[str]:
    return ["--model", "models:/als-progression/1", "--quiet", *words]


def test_in_parts(trained, scored_with, expected, monkeypatch):
    monkeypatch.setattr(in_parts, "LARGE", 100)
    monkeypatch.setattr(in_parts, "PART", 37)
    with store_in(trained[0]), watched() as seen:
        words = _predict("--cohort", str(scored_with), "--output", "parts.csv")
        assert predict.main(words) == 0
    assert seen.rows == expected
    assert (trained[0] / "parts.csv").read_bytes() == (trained[0] / "out.csv").read_bytes()


def test_a_feature_table(trained, scored_with, expected):
    uri = "models:/als-progression/1"
    with store_in(trained[0]):
        words = ["features", "--model", uri, "--cohort", str(scored_with), "--quiet"]
        assert main([*words, "--output", "rows.parquet"]) == 0
        with watched() as seen:
            words = _predict("--features", "rows.parquet", "--output", "table.csv")
            assert predict.main(words) == 0
    assert seen.rows == expected


def test_a_table_that_was_made_otherwise_is_refused(trained, scored_with, expected, capsys):
    """Without --model a table has no thresholds, its own landmark and references, and not the
    model's columns.
    """
    with store_in(trained[0]):
        words = ["features", "--cohort", str(scored_with), "--quiet", "--output", "plain.parquet"]
        assert main(words) == 0
        words = _predict("--features", "plain.parquet", "--output", "plain.csv")
        assert predict.main(words) == 1
    assert "features" in capsys.readouterr().err
    assert not (trained[0] / "plain.csv").exists()


def test_the_endpoint(trained, scored_with, expected):
    from als_ml.tracking.loader import load

    with store_in(trained[0]):
        predictor = load("models:/als-progression/1")
        cohort = predictor.read(open_cohort(scored_with))
    own = [*predictor.spec.columns, *predictor.spec.levels]
    records = [
        record(cohort, row) | {name: float(cohort.patients[name].iloc[row]) for name in own}
        for row in range(0, len(cohort), 7)
    ]
    with watched() as seen:
        predictor.predict_records(records)
    assert len(seen.rows) == len(records)
    assert seen.rows == {name: expected[name] for name in seen.rows}


def test_the_report(trained, scored_with, expected):
    with store_in(trained[0]), watched() as seen:
        words = ["report", "--cohort", str(scored_with), "--output", "report.html", "--quiet"]
        words += ["--model", "models:/als-progression/1", "--table", "report.csv"]
        assert main(words) == 0
        table = pd.read_csv("report.csv", dtype=str)
    assert seen.rows == {name: expected[name] for name in seen.rows}
    shown = table[table["place"] == "scores/1/probability"].set_index("sample_id")["value"]
    dead = table[(table["place"] == "closed") & (table["value"] == "True")]["sample_id"]
    assert not set(dead) & set(shown.index)  # the page of the dead is closed
    assert len(shown) + len(dead) > 200
    assert all(float(value) == expected[name][0] for name, value in shown.items())
    causes = table[table["place"] == "cause"].set_index("sample_id")["value"]
    told = causes[~causes.str.startswith("not shown")]
    assert len(told) > 50
    assert all(value == expected[name][-1] for name, value in told.items())


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "models:/als-progression/1", "models:/als-progression/1", "--cohort"],
        ["monitor", "--model", "models:/als-progression/1", "--cohort"],
        ["recalibrate", "--model", "models:/als-progression/1", "--cohort"],
    ],
    ids=lambda words: words[0],
)
def test_what_is_done_with_a_model(words, trained, scored_with, expected):
    with store_in(trained[0]), watched() as seen:
        assert main([*words, str(scored_with), "--quiet"]) == 0
    seen.rows.pop(EXAMPLE["sample_id"], None)  # a new version is tried on the made-up example
    assert seen.rows == expected


def test_promotion(trained, scored_with, expected, monkeypatch):
    """Promotion scores both versions; the first is made the challenger here."""
    from als_ml.lifecycle import promotion
    from als_ml.lifecycle.registry import registered_version

    with store_in(trained[0]), watched() as seen:
        other, own = (registered_version(f"models:/als-progression/{n}") for n in (2, 1))
        monkeypatch.setattr(
            promotion, "known_to", lambda *words: np.zeros(len(words[-1]), dtype=bool)
        )
        said: list[str] = []
        promotion._on_other_patients(other, own, open_cohort(scored_with), False, said.append)
    assert seen.rows == expected
    assert " fast, " in said[0]


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "--model", "models:/als-progression/1", "--output", "x.csv", "--cohort"],
        [
            "predict-in-parts",
            "--model",
            "models:/als-progression/1",
            "--output",
            "x.csv",
            "--cohort",
        ],
        ["features", "--model", "models:/als-progression/1", "--output", "x.csv", "--cohort"],
        ["report", "--model", "models:/als-progression/1", "--output", "x.html", "--cohort"],
        ["compare", "models:/als-progression/1", "models:/als-progression/2", "--cohort"],
        ["promote", "--model", "models:/als-progression/2", "--cohort"],
        ["monitor", "--model", "models:/als-progression/1", "--cohort"],
        ["recalibrate", "--model", "models:/als-progression/1", "--cohort"],
    ],
    ids=lambda words: words[0],
)
def test_genomes_on_another_build_are_refused(words, trained, scored_with, capsys, monkeypatch):
    """By the check of `Predictor.read`, before a genome is opened."""
    if words[0] == "predict-in-parts":
        words = ["predict", *words[1:]]
        monkeypatch.setattr(in_parts, "LARGE", 100)
    other = scored_with.with_name("other.yaml")
    text = scored_with.read_text()
    assert "GRCh38" in text
    other.write_text(text.replace("genome_build: GRCh38", "genome_build: GRCh37"))
    with store_in(trained[0]):
        assert main([*words, str(other), "--quiet"]) == 2
    message = capsys.readouterr().err
    assert "genome_build: the cohort is on GRCh37, the model on GRCh38" in message
    assert "Give the files called on the model's build." in message
    assert not any((trained[0] / f"x.{kind}").exists() for kind in ("csv", "html"))


def test_a_record_on_another_build_is_answered_in_its_place(trained):
    from als_ml.tracking.loader import load

    with store_in(trained[0]):
        predictor = load("models:/als-progression/1")
    good, bad = EXAMPLE, {**EXAMPLE, "sample_id": "other", "genome_build": "GRCh37"}
    first, second = predictor.predict_records([good, bad])
    assert first["error"] is None
    assert second["error"]["field"] == "genome_build"
    assert second["probability"] is None
