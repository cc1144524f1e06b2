"""The benchmark of real tables, on made-up ones: both sides see the same cells, a killed run goes
on, and a wrong request is refused.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from als_ml.training.metrics import family_weights, paired_differences
from benchmarks import real, share_of_possible
from benchmarks.__main__ import ALL, BY_NAME, main
from benchmarks.kept import Kept
from benchmarks.methods import OURS, PLAIN, RAW, version_of
from benchmarks.public_tables import ITEMS, alsml, casi, older, present
from features.errors import RequestError

N = 120


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Folders of made-up patients with the columns of the public tables."""
    folder, rng = tmp_path_factory.mktemp("reference"), np.random.default_rng(1)
    ids = [f"P{i}" for i in range(N)]
    fast = rng.random(N) < 0.5
    patients = pd.DataFrame(
        {
            "sample_id": ids,
            "diagnosis": "als",
            "sex": rng.choice(["male", "female"], N),
            "age_at_onset": np.where(rng.random(N) < 0.4, 70.0, 50.0) + rng.integers(0, 5, N),
            "onset_days": -rng.integers(200, 1500, N),
            "onset_site": rng.choice(["limb", "bulbar"], N),
            "fvc_litres": (4 - 1.5 * fast + rng.normal(0, 0.5, N)).round(2),
            "loss_12m": np.where(fast, 1.5, 0.5),
            "died_12m": (fast & (rng.random(N) < 0.6)).astype(int),
        }
    )
    points = np.clip(3 - fast[:, None] + rng.integers(-1, 2, (N, len(ITEMS))), 0, 4)
    visits = pd.DataFrame(points, columns=list(ITEMS))
    visits.insert(0, "scale", "alsfrs")
    visits.insert(0, "days", 0)
    visits.insert(0, "sample_id", ids)
    measured = pd.DataFrame(
        {
            "sample_id": [*ids, *ids],
            "analyte": ["weight"] * N + ["height"] * N,
            "value": [*rng.normal(75, 9, N).round(1), *rng.normal(170, 8, N).round(1)],
            "unit": ["kg"] * N + ["cm"] * N,
            "days": 0,
        }
    )
    own = folder / "alsml"
    own.mkdir()
    for name, frame in (("patients", patients), ("alsfrs", visits), ("biomarkers", measured)):
        frame.to_csv(own / f"{name}.csv", index=False)
    published = pd.DataFrame(rng.normal(size=(N, 4)), columns=["a", "b", "c", "d"])
    published.insert(0, "patient_id", ids)
    published["dFRS"] = -0.5 + published["a"] * 0.5
    (folder / "casi").mkdir()
    published.to_csv(folder / "casi" / "als_train.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def _public(reference, monkeypatch):
    monkeypatch.setenv("ALS_ML_REFERENCE_DATA", str(reference))


def test_the_cohort_files_hold_the_cells_as_they_are(reference, tmp_path):
    table = alsml("loss_12m", 0.95)
    table.written(tmp_path)
    for name in ("patients", "alsfrs", "biomarkers"):
        written = (tmp_path / f"{name}.csv").read_text()
        assert written == (reference / "alsml" / f"{name}.csv").read_text()


def test_both_sides_see_the_same_patients_and_labels(tmp_path):
    for table in (alsml("loss_12m", 0.95), casi()):
        version = version_of(table, tmp_path / table.name)
        y, likely = table.labels()
        place = [list(table.ids).index(name) for name in version.ids]
        assert version.y.tolist() == y[place].tolist()
        assert version.likely.tolist() == likely[place].tolist()
        raw = table.columns().loc[version.ids].to_numpy(np.float32)
        assert np.array_equal(version.X, raw, equal_nan=True)


def test_a_label_of_the_published_table_is_as_sure_as_its_distance_from_the_cut_off():
    y, likely = casi().labels()
    rate = pd.to_numeric(casi().frames["patients"]["dFRS"]).to_numpy()
    assert y.tolist() == (rate < -0.5).tolist()
    # One error of 0.3 points a month beyond the cut-off is one standard normal deviation.
    beyond = np.abs(rate + 0.8).argmin()
    assert likely[beyond] == pytest.approx(0.841, abs=0.02)


def test_the_halves_are_those_of_the_digest_and_share_nobody():
    table = alsml("loss_12m", 0.95)
    halves = [set(table.half(which).ids) for which in ("even", "odd")]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == set(table.ids)
    for name in halves[0]:
        assert int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_gaps_are_as_many_as_asked_and_spare_the_outcome(share):
    table = alsml("loss_12m", 0.95)
    gapped = table.with_gaps(share, 1)
    raw = gapped.columns()[[*ITEMS, "fvc_litres", "age", "weight", "male"]]
    assert raw.isna().to_numpy().mean() == pytest.approx(share, abs=0.05)
    assert gapped.labels()[0].tolist() == table.labels()[0].tolist()
    assert gapped.ids.tolist() == table.ids.tolist()
    incomplete = raw[list(ITEMS)].isna().any(axis=1)
    assert gapped.columns()["total"].isna().tolist() == incomplete.tolist()


def test_gaps_reach_our_features_too(tmp_path):
    table = alsml("loss_12m", 0.95)
    whole = version_of(table, tmp_path / "whole").data.rows
    half = version_of(table.with_gaps(0.5, 1), tmp_path / "half").data.rows
    assert whole["alsfrs_q1"].notna().all()
    assert 0.3 < half["alsfrs_q1"].isna().mean() < 0.7
    assert 0.3 < half["fvc_litres"].isna().mean() < 0.7


def test_the_other_scale_keeps_nine_items(tmp_path):
    table = alsml("loss_12m", 0.95).on_revised_scale()
    rows = version_of(table, tmp_path).data.rows
    assert rows["alsfrs_q9"].notna().all()
    assert table.columns()["q10_alsfrs"].isna().all()


# A quick model: what it says does not matter here.
QUICK = ("--quick", "--threads", "1", "--set", "model.members.xgboost.n_estimators=10")


def run(capsys, *arguments):
    real.main([*arguments, *QUICK])
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_figures(tmp_path, capsys, monkeypatch):
    asked = ("casi", "--methods", PLAIN, RAW, "--resume", str(tmp_path / "kept"))
    whole = run(capsys, "casi", "--methods", PLAIN, RAW)
    assert "0 fits read, 10 made" in whole

    scorer, fits = real.methods(6)[RAW].scorer, []

    def killed(*arguments):
        fits.append(1)
        if len(fits) == 4:
            raise KeyboardInterrupt
        return scorer(*arguments)

    known = real.methods(6)
    known[RAW] = known[RAW]._replace(scorer=killed)
    with monkeypatch.context() as patch:
        patch.setattr(real, "methods", lambda trials: known)
        with pytest.raises(KeyboardInterrupt):
            run(capsys, *asked)
    capsys.readouterr()
    resumed = run(capsys, *asked)
    assert "8 fits read, 2 made, 0 of them anew" in resumed

    def lines(text):
        return [line.rsplit(" (", 1)[0] for line in text.splitlines() if "ROC AUC" in line]

    assert lines(resumed) == lines(whole)
    assert "10 fits read, 0 made" in run(capsys, *asked)


@pytest.mark.slow
def test_another_setting_is_no_kept_result(tmp_path, capsys):
    asked = ("casi", "--methods", RAW, "--resume", str(tmp_path))
    run(capsys, *asked)
    found = run(capsys, *asked, "--set", "model.members.elastic_net.C=0.5")
    assert "0 fits read, 5 made, 5 of them anew" in found
    assert "0 fits read, 5 made, 0 of them anew" in run(capsys, *asked, "--seed", "7")


def test_a_broken_kept_file_is_named(tmp_path, capsys):
    asked = ("casi", "--methods", PLAIN, "--resume", str(tmp_path))
    run(capsys, *asked)
    broken = min(tmp_path.rglob("*.npz"))
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(RequestError, match=rf"{broken.name}.*cannot be read.*Delete it"):
        run(capsys, *asked)


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Kept(None).result(("a",), "x", lambda: [np.ones(1)])
    assert made[0].tolist() == [1]
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="is a file"):
        Kept(tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["elsewhere"], "TABLE: 'elsewhere' is not one of casi, alsml"),
        (["--methods", "magic"], "'magic' is not one of plain logistic, als-ml"),
        (["--repeats", "0"], "0 is less than 1"),
        (["--trials", "-1"], "-1 is less than 1"),
        (["--rival-repeats", "x"], "invalid"),
        (["--half", "left"], "invalid choice"),
        (["--gaps", "--local"], "not allowed with"),
        (["--resume", __file__], "is a file; name a folder"),
    ],
)
def test_a_wrong_request_is_refused(arguments, says, capsys):
    with pytest.raises(SystemExit, match="2"):
        real.main(arguments)
    assert says in capsys.readouterr().err


def test_a_table_that_is_asked_for_and_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ALS_ML_REFERENCE_DATA", str(tmp_path))
    assert present(()) == []
    with pytest.raises(SystemExit, match="2"):
        real.main(["casi"])
    assert "has no folder casi" in capsys.readouterr().err
    monkeypatch.setenv("ALS_ML_REFERENCE_DATA", str(tmp_path / "nowhere"))
    real.main(["--quick"])
    assert "skipped" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("--gaps", ["50% of all values removed", "75% of test values removed"]),
        ("--scales", ["trained on ALSFRS, scored on ALSFRS-R", "trained on ALSFRS-R, scored on"]),
    ],
)
def test_the_other_questions_answer(question, says, capsys):
    found = run(capsys, "alsml", question, "--methods", PLAIN, OURS)
    assert all(text in found for text in says)
    assert found.count("als-ml - plain logistic: roc_auc") >= 4
    assert "nan" not in found


def test_a_local_population_recalibrates(capsys, monkeypatch):
    monkeypatch.setattr(real, "LOCAL", 25)
    monkeypatch.setattr(real, "TIMES", 3)
    found = run(capsys, "alsml", "--local", "--methods", PLAIN)
    assert found.count("plain logistic         as it is      ROC AUC") == 2
    table = alsml("loss_12m", 0.95)
    age = table.columns()["age"].to_numpy()
    assert older(table).tolist() == (age >= 65).tolist()


def test_recalibration_moves_what_is_expected_to_what_is_observed():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.1, 0.5, 4000)
    y = (rng.random(4000) < np.clip(p * 1.6, 0, 1)).astype(float)
    before, after = (
        np.mean(rows, axis=0)
        for rows in zip(*(real._recalibrated(p, y, draw) for draw in range(20)), strict=True)
    )
    assert before[3] == pytest.approx(1.6, abs=0.06)
    assert after[3] == pytest.approx(1.0, abs=0.06)
    assert after[0] == pytest.approx(before[0])
    assert after[1] < before[1]


def test_a_difference_over_repeats_is_the_mean_of_theirs():
    rng = np.random.default_rng(2)
    y = np.repeat([0.0, 1.0], 30)
    ours, theirs = rng.random((2, 3, 60))
    families = np.arange(60)
    found = paired_differences(y, ours, theirs, families, 200, 1)
    pairs = zip(ours, theirs, strict=True)
    single = [paired_differences(y, a, b, families, 200, 1) for a, b in pairs]
    for name in found:
        assert found[name][0] == pytest.approx(np.mean([one[name][0] for one in single]))
    assert len(family_weights(y, families, 3, 1)) == 3
    low, high = found["roc_auc"][1:]
    assert high - low < np.mean([one["roc_auc"][2] - one["roc_auc"][1] for one in single])


@pytest.mark.slow
def test_the_share_of_the_possible_goes_on_too(tmp_path, capsys):
    asked = ["1", "240", "--tasks", "familial", "--resume", str(tmp_path / "kept")]
    asked += ["--set", "validation.repeats=1"]
    share_of_possible.main(asked)
    first = capsys.readouterr()
    assert "familial, 240 patients, 1 seeds: best possible ROC AUC 0." in first.out
    kept = next(tmp_path.rglob("240-1.npz"))
    stamp = kept.stat().st_mtime_ns
    share_of_possible.main(asked)
    assert capsys.readouterr() == first
    assert kept.stat().st_mtime_ns == stamp
    share_of_possible.main([*asked, "--set", "validation.repeats=2"])
    assert kept.stat().st_mtime_ns != stamp


@pytest.mark.parametrize("arguments", [["0"], ["2", "x"], ["--tasks", "lifetime"]])
def test_a_wrong_share_is_refused(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        share_of_possible.main(arguments)
    assert "error: argument" in capsys.readouterr().err


@pytest.mark.parametrize("place", (ALL | BY_NAME).values())
def test_every_benchmark_is_where_its_name_says(place):
    module, function = place.split(":")
    text = (Path(real.__file__).parent / f"{module}.py").read_text()
    assert f"\ndef {function}(" in text


def test_a_benchmark_runs_by_its_name_and_another_name_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ALS_ML_REFERENCE_DATA", str(tmp_path / "nowhere"))
    main(["real"])
    assert capsys.readouterr().out.startswith("== real\nskipped")
    with pytest.raises(SystemExit, match="'reel' is not one of batch, casi"):
        main(["reel"])
